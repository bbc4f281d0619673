/*
 * document_schema_test.c - each row of OMA ProvCont, and what lint says when a document breaks it
 *
 * The tables are written after the standard, not after schema.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/finding.h"
#include "document/document.h"
#include "document/lint.h"

enum { XML_MOST = 16 * 1024, PARENTS = 3 };

#define COUNT(a)	(sizeof (a) / sizeof *(a))

/* --- section 2: characteristics and where they may stand ----------------------- */

static const struct characteristic {
	const char	*type, *parents[PARENTS];	/* "/": the root */
	bool		 v11;
} characteristics[] = {
	{ "BOOTSTRAP",		{ "/" }, false },
	{ "CLIENTIDENTITY",	{ "/", "APPLICATION" }, false },
	{ "NAPDEF",		{ "/" }, false },
	{ "NAPAUTHINFO",	{ "NAPDEF" }, false },
	{ "VALIDITY",		{ "NAPDEF" }, false },
	{ "PXLOGICAL",		{ "/" }, false },
	{ "PXAUTHINFO",		{ "PXLOGICAL" }, false },
	{ "PXPHYSICAL",		{ "PXLOGICAL" }, false },
	{ "PORT",		{ "PXPHYSICAL", "PXLOGICAL", "APPADDR" }, false },
	{ "VENDORCONFIG",	{ "/" }, false },
	{ "ACCESS",		{ "/" }, true },
	{ "APPLICATION",	{ "/" }, true },
	{ "APPADDR",		{ "APPLICATION" }, true },
	{ "APPAUTH",		{ "APPLICATION" }, true },
	{ "RESOURCE",		{ "APPLICATION" }, true },
};

/* --- section 4: enumerations --------------------------------------------------- */

#define WORDS(name, ...)	static const char *const name[] = { __VA_ARGS__, NULL }

WORDS(bearers, "GSM-USSD", "GSM-SMS", "ANSI-136-GUTS", "IS-95-CDMA-SMS", "IS-95-CDMA-CSD",
    "IS-95-CDMA-PACKET", "ANSI-136-CSD", "ANSI-136-GPRS", "GSM-CSD", "GSM-GPRS", "AMPS-CDPD",
    "PDC-CSD", "PDC-PACKET", "IDEN-SMS", "IDEN-CSD", "IDEN-PACKET", "FLEX/REFLEX", "PHS-SMS",
    "PHS-CSD", "TETRA-SDS", "TETRA-PACKET", "ANSI-136-GHOST", "MOBITEX-MPAK",
    "CDMA2000-1X-SIMPLE-IP", "CDMA2000-1X-MOBILE-IP", "WLAN", "3G-GSM");
WORDS(nap_addresses, "APN", "IPV4", "IPV6", "E164", "ALPHA", "SCODE", "TETRA-ITSI", "MAN");
WORDS(addresses, "IPV4", "IPV6", "E164", "ALPHA", "SCODE", "TETRA-ITSI", "MAN");
WORDS(app_addresses, "IPV4", "IPV6", "E164", "ALPHA", "APPSRV", "OBEX");
WORDS(calltypes, "ANALOG-MODEM", "V.120", "V.110", "X.31", "BIT-TRANSPARENT",
    "DIRECT-ASYNCHRONOUS-DATA-SERVICE");
WORDS(authtypes, "PAP", "CHAP", "MD5");
WORDS(px_authtypes, "HTTP-BASIC", "HTTP-DIGEST", "WTLS-SS");
WORDS(ppg_authtypes, "HTTP-BASIC", "HTTP-DIGEST");
WORDS(entities, "AAA", "HA");
WORDS(services, "CL-WSP", "CO-WSP", "CL-SEC-WSP", "CO-SEC-WSP", "CL-SEC-WTA", "CO-SEC-WTA",
    "OTA-HTTP-TO", "OTA-HTTP-TLS-TO", "OTA-HTTP-PO", "OTA-HTTP-TLS-PO");
WORDS(levels, "APPSRV", "CLIENT", "OBEX", "CRED");
WORDS(protovers, "1.1", "1.2");
WORDS(dm_encodings, "application/vnd.syncml.dm+xml", "application/vnd.syncml.dm+wbxml");

/* --- what a value may look like ------------------------------------------------- */

struct kind {
	const char	*code;			/* of what is wrong */
	const char	*good[4], *bad[8];
};

static const struct kind
	text = { NULL, { "x" }, { NULL } },
	flag = { NULL, { NULL }, { NULL } },
	enumeration = { "L020", { NULL }, { "NONE-OF-THEM", "0", "?" } },
	number = { "L021", { "0", "30", "4294967295" }, { "x", "-1", "1.5", "0x10", " 1", "1 ", "+1" } },
	speed = { "L021", { "AUTOBAUDING", "9600" }, { "fast", "-1", "9k6" } },
	port = { "L021", { "1", "80", "65535" }, { "0", "65536", "-1", "http", "4294967376" } },
	toggle = { "L021", { "0", "1" }, { "2", "true", "-1", "10" } },
	ip = { "L021", { "192.0.2.1", "010.000.000.001", "2001:db8::1" },
	    { "ns", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4.", "1..2.3", "2001:db8::g" } },
	quad = { "L021", { "192.0.2.1", "010.000.000.001" },
	    { "proxy", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4.", "::1", "1.2.3.-4" } },
	url = { "L021", { "http://x/", "mailto:a@b" }, { "x", "http:", "://x", "http://a b/", ":" } },
	version = { "L021", { "1.2", "2.0" }, { "1", "a.b", "1.", ".2", "1.2.3" } },
	utc = { "L021", { "2030-01-01T00:00:00Z", "20300101T000000Z" }, { "soon", "2030", "1/1/2030 0h" } },
	hex32 = { "L021", { "100", "deadBEEF" }, { "123456789", "xyz", "0x10", "-1" } },
	base64 = { "L052", { "bm9uY2U=" }, { "no nce", "a", "bm9uY2U", "====", "bm9u!2U=" } },
	country = { "L023", { "FI", "244", "001" }, { "1", "12" } },
	network = { "L023", { "01", "001", "91" }, { "1" } },
	nap = { "L030", { "INTERNET", "N" }, { "nowhere", "internet" } },
	proxy = { "L030", { "P" }, { "nowhere", "INTERNET" } },
	roles = { "L060", { "4", "40", "8190" }, { "1", "9", "0x8", "8192", "-8", "OPERATOR", "08" } };

/* --- section 3: parms ---------------------------------------------------------- */

static const struct row {
	const char	*in, *appid, *name;
	char		 count;
	const struct kind *kind;
	const char	*const *words;		/* of an enumeration */
	bool		 v11;
	bool		 soft;			/* missing is a warning only */
} rows[] = {
	{ "BOOTSTRAP", NULL, "NAME", '?', &text, NULL, false, false },
	{ "BOOTSTRAP", NULL, "PROXY-ID", '*', &text, NULL, false, false },
	{ "BOOTSTRAP", NULL, "NETWORK", '*', &text, NULL, false, false },
	{ "BOOTSTRAP", NULL, "COUNTRY", '?', &country, NULL, false, false },
	{ "BOOTSTRAP", NULL, "PROVURL", '?', &url, NULL, false, false },
	{ "BOOTSTRAP", NULL, "CONTEXT-ALLOW", '?', &number, NULL, false, false },

	{ "CLIENTIDENTITY", NULL, "CLIENT-ID", '1', &text, NULL, false, false },

	{ "NAPDEF", NULL, "NAPID", '1', &text, NULL, false, false },
	{ "NAPDEF", NULL, "NAME", '1', &text, NULL, false, false },
	{ "NAPDEF", NULL, "BEARER", '*', &enumeration, bearers, false, false },
	{ "NAPDEF", NULL, "NAP-ADDRESS", '1', &text, NULL, false, false },
	{ "NAPDEF", NULL, "NAP-ADDRTYPE", '?', &enumeration, nap_addresses, false, false },
	{ "NAPDEF", NULL, "INTERNET", '?', &flag, NULL, false, false },
	{ "NAPDEF", NULL, "DNS-ADDR", '*', &ip, NULL, true, false },
	{ "NAPDEF", NULL, "CALLTYPE", '?', &enumeration, calltypes, false, false },
	{ "NAPDEF", NULL, "LOCAL-ADDR", '?', &ip, NULL, false, false },
	{ "NAPDEF", NULL, "LOCAL-ADDRTYPE", '?', &enumeration, addresses, false, false },
	{ "NAPDEF", NULL, "LINKSPEED", '?', &speed, NULL, false, false },
	{ "NAPDEF", NULL, "DNLINKSPEED", '?', &speed, NULL, false, false },
	{ "NAPDEF", NULL, "LINGER", '?', &number, NULL, false, false },
	{ "NAPDEF", NULL, "DELIVERY-ERR-SDU", '?', &number, NULL, false, false },
	{ "NAPDEF", NULL, "DELIVERY-ORDER", '?', &number, NULL, false, false },
	{ "NAPDEF", NULL, "TRAFFIC-CLASS", '?', &number, NULL, false, false },
	{ "NAPDEF", NULL, "MAX-SDU-SIZE", '?', &number, NULL, false, false },
	{ "NAPDEF", NULL, "MAX-BITRATE-UPLINK", '?', &number, NULL, false, false },
	{ "NAPDEF", NULL, "MAX-BITRATE-DNLINK", '?', &number, NULL, false, false },
	{ "NAPDEF", NULL, "RESIDUAL-BER", '?', &number, NULL, false, false },
	{ "NAPDEF", NULL, "SDU-ERROR-RATIO", '?', &number, NULL, false, false },
	{ "NAPDEF", NULL, "TRAFFIC-HANDL-PRIO", '?', &number, NULL, false, false },
	{ "NAPDEF", NULL, "TRANSFER-DELAY", '?', &number, NULL, false, false },
	{ "NAPDEF", NULL, "GUARANTEED-BITRATE-UPLINK", '?', &number, NULL, false, false },
	{ "NAPDEF", NULL, "GUARANTEED-BITRATE-DNLINK", '?', &number, NULL, false, false },
	{ "NAPDEF", NULL, "MAX-NUM-RETRY", '?', &number, NULL, true, false },
	{ "NAPDEF", NULL, "FIRST-RETRY-TIMEOUT", '?', &number, NULL, true, false },
	{ "NAPDEF", NULL, "REREG-THRESHOLD", '?', &number, NULL, true, false },
	{ "NAPDEF", NULL, "T-BIT", '?', &flag, NULL, true, false },

	{ "NAPAUTHINFO", NULL, "AUTHTYPE", '1', &enumeration, authtypes, false, false },
	{ "NAPAUTHINFO", NULL, "AUTHNAME", '?', &text, NULL, false, false },
	{ "NAPAUTHINFO", NULL, "AUTHSECRET", '?', &text, NULL, false, false },
	{ "NAPAUTHINFO", NULL, "AUTH-ENTITY", '*', &enumeration, entities, true, false },
	{ "NAPAUTHINFO", NULL, "SPI", '?', &hex32, NULL, true, false },

	{ "VALIDITY", NULL, "COUNTRY", '?', &country, NULL, false, false },
	{ "VALIDITY", NULL, "NETWORK", '?', &network, NULL, false, false },
	{ "VALIDITY", NULL, "SID", '?', &text, NULL, false, false },
	{ "VALIDITY", NULL, "SOC", '?', &text, NULL, false, false },
	{ "VALIDITY", NULL, "VALIDUNTIL", '?', &utc, NULL, false, false },

	{ "PXLOGICAL", NULL, "PROXY-ID", '1', &text, NULL, false, false },
	{ "PXLOGICAL", NULL, "NAME", '1', &text, NULL, false, true },
	{ "PXLOGICAL", NULL, "PROXY-PW", '?', &text, NULL, true, false },
	{ "PXLOGICAL", NULL, "PPGAUTH-TYPE", '?', &enumeration, ppg_authtypes, true, false },
	{ "PXLOGICAL", NULL, "PROXY-PROVIDER-ID", '?', &text, NULL, false, false },
	{ "PXLOGICAL", NULL, "DOMAIN", '*', &text, NULL, false, false },
	{ "PXLOGICAL", NULL, "TRUST", '?', &flag, NULL, false, false },
	{ "PXLOGICAL", NULL, "MASTER", '?', &flag, NULL, false, false },
	{ "PXLOGICAL", NULL, "STARTPAGE", '?', &url, NULL, false, false },
	{ "PXLOGICAL", NULL, "BASAUTH-ID", '?', &text, NULL, false, false },
	{ "PXLOGICAL", NULL, "BASAUTH-PW", '?', &text, NULL, false, false },
	{ "PXLOGICAL", NULL, "WSP-VERSION", '?', &version, NULL, false, false },
	{ "PXLOGICAL", NULL, "PUSHENABLED", '?', &toggle, NULL, false, false },
	{ "PXLOGICAL", NULL, "PULLENABLED", '?', &toggle, NULL, true, false },

	{ "PXAUTHINFO", NULL, "PXAUTH-TYPE", '1', &enumeration, px_authtypes, false, false },
	{ "PXAUTHINFO", NULL, "PXAUTH-ID", '?', &text, NULL, false, false },
	{ "PXAUTHINFO", NULL, "PXAUTH-PW", '?', &text, NULL, false, false },

	{ "PXPHYSICAL", NULL, "PHYSICAL-PROXY-ID", '1', &text, NULL, false, false },
	{ "PXPHYSICAL", NULL, "PXADDR", '1', &quad, NULL, false, false },
	{ "PXPHYSICAL", NULL, "PXADDRTYPE", '?', &enumeration, addresses, false, false },
	{ "PXPHYSICAL", NULL, "PXADDR-FQDN", '?', &text, NULL, true, false },
	{ "PXPHYSICAL", NULL, "DOMAIN", '*', &text, NULL, false, false },
	{ "PXPHYSICAL", NULL, "WSP-VERSION", '?', &version, NULL, false, false },
	{ "PXPHYSICAL", NULL, "PUSHENABLED", '?', &toggle, NULL, false, false },
	{ "PXPHYSICAL", NULL, "PULLENABLED", '?', &toggle, NULL, true, false },
	{ "PXPHYSICAL", NULL, "TO-NAPID", '+', &nap, NULL, false, false },

	{ "PORT", NULL, "PORTNBR", '1', &port, NULL, false, false },
	{ "PORT", NULL, "SERVICE", '*', &enumeration, services, false, false },

	{ "APPLICATION", NULL, "APPID", '1', &text, NULL, true, false },
	{ "APPLICATION", NULL, "PROVIDER-ID", '?', &text, NULL, true, false },
	{ "APPLICATION", NULL, "NAME", '?', &text, NULL, true, false },
	{ "APPLICATION", NULL, "AACCEPT", '?', &text, NULL, true, false },
	{ "APPLICATION", NULL, "APROTOCOL", '?', &text, NULL, true, false },
	{ "APPLICATION", NULL, "TO-PROXY", '*', &proxy, NULL, true, false },
	{ "APPLICATION", NULL, "TO-NAPID", '*', &nap, NULL, true, false },
	{ "APPLICATION", NULL, "ADDR", '*', &text, NULL, true, false },
	{ "APPLICATION", "w4", "CM", '?', &text, NULL, true, false },
	{ "APPLICATION", "w4", "RM", '?', &text, NULL, true, false },
	{ "APPLICATION", "w4", "MS", '?', &text, NULL, true, false },
	{ "APPLICATION", "w4", "PC-ADDR", '?', &text, NULL, true, false },
	{ "APPLICATION", "w4", "Ma", '?', &text, NULL, true, false },
	{ "APPLICATION", "w7", "ROLE", '?', &roles, NULL, true, false },
	{ "APPLICATION", "w7", "INIT", '?', &flag, NULL, true, false },
	{ "APPLICATION", "w7", "PROTOVER", '?', &enumeration, protovers, true, false },
	{ "APPLICATION", "w7", "DEFAULTENCODING", '?', &enumeration, dm_encodings, true, false },
	{ "APPLICATION", "w7", "CONNRETRYFREQ", '?', &number, NULL, true, false },
	{ "APPLICATION", "w7", "INITIALBACKOFFTIME", '?', &number, NULL, true, false },
	{ "APPLICATION", "w7", "INITIALBACKOFTIME", '?', &number, NULL, true, false },
	{ "APPLICATION", "w7", "MAXBACKOFFTIME", '?', &number, NULL, true, false },
	{ "APPLICATION", "w7", "MAXBACKOFTIME", '?', &number, NULL, true, false },
	{ "APPLICATION", "w7", "BACKCOMPATRETRYDISABLED", '?', &flag, NULL, true, false },
	{ "APPLICATION", "w7", "USEHWDEVID", '?', &flag, NULL, true, false },
	{ "APPLICATION", "w7", "SSLCLIENTCERTSEARCHCRITERIA", '?', &text, NULL, true, false },
	{ "APPLICATION", "wA", "SERVICES", '?', &text, NULL, true, false },
	{ "APPLICATION", "wA", "CIDPREFIX", '?', &text, NULL, true, false },
	{ "APPLICATION", "25", "FROM", '?', &text, NULL, true, false },
	{ "APPLICATION", "25", "RT-ADDR", '?', &text, NULL, true, false },
	{ "APPLICATION", "465", "FROM", '?', &text, NULL, true, false },
	{ "APPLICATION", "587", "FROM", '?', &text, NULL, true, false },
	{ "APPLICATION", "554", "MAX-BANDWIDTH", '?', &number, NULL, true, false },
	{ "APPLICATION", "554", "NETINFO", '*', &text, NULL, true, false },
	{ "APPLICATION", "554", "MIN-UDP-PORT", '?', &port, NULL, true, false },
	{ "APPLICATION", "554", "MAX-UDP-PORT", '?', &port, NULL, true, false },

	{ "APPADDR", NULL, "ADDR", '1', &text, NULL, true, false },
	{ "APPADDR", NULL, "ADDRTYPE", '?', &enumeration, app_addresses, true, false },
	{ "APPAUTH", NULL, "AAUTHLEVEL", '?', &enumeration, levels, true, false },
	{ "APPAUTH", NULL, "AAUTHTYPE", '?', &text, NULL, true, false },
	{ "APPAUTH", NULL, "AAUTHNAME", '?', &text, NULL, true, false },
	{ "APPAUTH", NULL, "AAUTHSECRET", '?', &text, NULL, true, false },
	{ "APPAUTH", NULL, "AAUTHDATA", '?', &base64, NULL, true, false },
	{ "RESOURCE", NULL, "URI", '1', &text, NULL, true, false },
	{ "RESOURCE", NULL, "NAME", '?', &text, NULL, true, false },
	{ "RESOURCE", NULL, "AACCEPT", '?', &text, NULL, true, false },
	{ "RESOURCE", NULL, "AAUTHTYPE", '?', &text, NULL, true, false },
	{ "RESOURCE", NULL, "AAUTHNAME", '?', &text, NULL, true, false },
	{ "RESOURCE", NULL, "AAUTHSECRET", '?', &text, NULL, true, false },
	{ "RESOURCE", NULL, "AAUTHDATA", '?', &text, NULL, true, false },
	{ "RESOURCE", NULL, "STARTPAGE", '?', &flag, NULL, true, false },
	{ "RESOURCE", "w5", "CLIURI", '?', &text, NULL, true, false },
	{ "RESOURCE", "w5", "SYNCTYPE", '*', &text, NULL, true, false },
	{ "ACCESS", NULL, "RULE", '*', &text, NULL, true, false },
	{ "ACCESS", NULL, "APPID", '*', &text, NULL, true, false },
	{ "ACCESS", NULL, "PORTNBR", '*', &port, NULL, true, false },
	{ "ACCESS", NULL, "DOMAIN", '*', &text, NULL, true, false },
	{ "ACCESS", NULL, "TO-NAPID", '*', &nap, NULL, true, false },
	{ "ACCESS", NULL, "TO-PROXY", '*', &proxy, NULL, true, false },
	{ "VENDORCONFIG", NULL, "NAME", '1', &text, NULL, false, false },
};

/* --- making documents ------------------------------------------------------------ */

static const struct characteristic *
characteristic(const char *type)
{
	for (size_t i = 0; i < COUNT(characteristics); i++)
		if (strcmp(characteristics[i].type, type) == 0)
			return &characteristics[i];
	fail_msg("%s", type);
	return NULL;
}

/* A second value of a kind, so that two parms are not one written twice. */
static const char *
good_value(const struct row *r, size_t i)
{
	const char *const *list = r->words != NULL ? r->words : r->kind->good;

	return i == 0 || list[0] == NULL || list[i] == NULL ? list[0] : list[i];
}

static void
put_parm(struct buf *b, const char *name, const char *value)
{
	if (value != NULL)
		buf_printf(b, "<parm name=\"%s\" value=\"%s\"/>", name, value);
	else
		buf_printf(b, "<parm name=\"%s\"/>", name);
}

/* What every characteristic of that type needs, but for one row. */
static void
put_needed(struct buf *b, const char *type, const struct row *but)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (strcmp(rows[i].in, type) == 0 && &rows[i] != but &&
		    (rows[i].count == '1' || rows[i].count == '+') &&
		    strcmp(rows[i].name, "APPID") != 0)
			put_parm(b, rows[i].name, good_value(&rows[i], 0));
}

struct document_of {
	struct buf	 b;
	const char	*version;		/* NULL: unmarked */
	const char	*appid;
	const struct row *but;
	const char	*inside;
};

/* `type` in its first parent, and that in its own, up to the root. */
static void
put_characteristic(struct document_of *d, const char *type, const char *inside)
{
	struct buf b = buf_heap(XML_MOST);
	const char *parent = characteristic(type)->parents[0];

	buf_printf(&b, "<characteristic type=\"%s\">", type);
	put_needed(&b, type, d->but);
	if (strcmp(type, "APPLICATION") == 0 &&
	    (d->but == NULL || strcmp(d->but->name, "APPID") != 0))
		put_parm(&b, "APPID", d->appid != NULL ? d->appid : "w2");
	buf_printf(&b, "%s</characteristic>", inside);
	if (strcmp(parent, "/") == 0)
		buf_str(&d->b, buf_cstr(&b));
	else
		put_characteristic(d, parent, buf_cstr(&b));
	buf_free(&b);
}

/* Beside it an access point N and a proxy P, to refer to. */
static struct findings
lint_of(const char *type, const struct document_of *like)
{
	struct lint_options options = { .target = LINT_OTA };
	struct document_of d = *like;
	struct findings found = { 0 };
	struct err err = { 0 };
	struct document *parsed;

	d.b = buf_heap(XML_MOST);
	buf_printf(&d.b, "<wap-provisioningdoc%s%s%s>", d.version != NULL ? " version=\"" : "",
	    d.version != NULL ? d.version : "", d.version != NULL ? "\"" : "");
	buf_str(&d.b, "<characteristic type=\"NAPDEF\"><parm name=\"NAPID\" value=\"N\"/><parm "
	    "name=\"NAME\" value=\"n\"/><parm name=\"NAP-ADDRESS\" value=\"a\"/></characteristic>"
	    "<characteristic type=\"PXLOGICAL\"><parm name=\"PROXY-ID\" value=\"P\"/><parm "
	    "name=\"NAME\" value=\"n\"/><characteristic type=\"PXPHYSICAL\"><parm "
	    "name=\"PHYSICAL-PROXY-ID\" value=\"ph\"/><parm name=\"PXADDR\" value=\"1.2.3.4\"/><parm "
	    "name=\"TO-NAPID\" value=\"N\"/></characteristic></characteristic>");
	put_characteristic(&d, type, d.inside != NULL ? d.inside : "");
	buf_str(&d.b, "</wap-provisioningdoc>");
	parsed = document_parse(NULL, text_of(buf_cstr(&d.b)), NULL, &found, &err);
	if (parsed == NULL)
		fail_msg("%s: %s", buf_cstr(&d.b), err.text);
	lint_document(parsed, &options, &found);
	document_free(&parsed);
	buf_free(&d.b);
	return found;
}

/* How often a code was told with a word in its text. */
static unsigned
told(const struct findings *found, const char *code, const char *word)
{
	unsigned n = 0;

	for (size_t i = 0; i < found->count; i++)
		n += strcmp(found->list[i].code, code) == 0 &&
		    strstr(found->list[i].text, word) != NULL && found->list[i].line > 0;
	return n;
}

static bool
told_as_error(const struct findings *found, const char *word)
{
	for (size_t i = 0; i < found->count; i++)
		if (found->list[i].severity == SEVERITY_ERROR && strstr(found->list[i].text, word) != NULL)
			return true;
	return false;
}

static unsigned
told_of(const char *type, const struct document_of *d, const char *code, const char *word)
{
	struct findings found = lint_of(type, d);
	unsigned n = told(&found, code, word);

	findings_free(&found);
	return n;
}

/* The row's parm so often, with a value; NULL: without. */
static unsigned
told_of_value(const struct row *r, const char *value, int times, const char *code)
{
	struct buf b = buf_heap(XML_MOST);
	struct document_of d = { .version = "1.1", .appid = r->appid, .but = r };
	unsigned n;

	while (times-- > 0)
		put_parm(&b, r->name, value);
	d.inside = buf_cstr(&b);
	n = told_of(r->in, &d, code, strcmp(code, "L023") == 0 ? "leading zeros" : r->name);
	buf_free(&b);
	return n;
}

/* --- the tests -------------------------------------------------------------------- */

static bool
may_hold(const char *parent, const struct characteristic *c)
{
	for (size_t i = 0; i < PARENTS && c->parents[i] != NULL; i++)
		if (strcmp(parent, c->parents[i]) == 0)
			return true;
	return false;
}

/* Each in each. */
static void
test_parents(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(characteristics); i++)
		for (size_t k = 0; k < COUNT(characteristics); k++) {
			const char *parent = characteristics[i].type;
			char inside[100];
			struct document_of d = { .version = "1.1", .inside = inside };

			snprintf(inside, sizeof inside, "<characteristic type=\"%s\"/>",
			    characteristics[k].type);
			if (told_of(parent, &d, "L010", characteristics[k].type) !=
			    !may_hold(parent, &characteristics[k]))
				fail_msg("%s in %s", characteristics[k].type, parent);
		}
}

static void
test_at_the_top(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(characteristics); i++) {
		struct lint_options options = { .target = LINT_OTA };
		struct findings found = { 0 };
		struct document *d;
		char xml[200];

		snprintf(xml, sizeof xml, "<wap-provisioningdoc version=\"1.1\"><characteristic "
		    "type=\"%s\"/></wap-provisioningdoc>", characteristics[i].type);
		assert_non_null(d = document_parse(NULL, text_of(xml), NULL, &found, NULL));
		lint_document(d, &options, &found);
		if (told(&found, "L010", "at the top") != !may_hold("/", &characteristics[i]))
			fail_msg("%s", characteristics[i].type);
		document_free(&d);
		findings_free(&found);
	}
}

static void
test_missing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];
		struct document_of d = { .version = "1.1", .appid = r->appid, .but = r };
		bool needed = r->count == '1' || r->count == '+';
		struct findings found = lint_of(r->in, &d);
		char word[100];

		snprintf(word, sizeof word, "add <parm name=\"%s\"", r->name);
		if (told(&found, "L011", word) != needed)
			fail_msg("%s without %s", r->in, r->name);
		if (needed && told_as_error(&found, word) == r->soft)
			fail_msg("%s without %s: severity", r->in, r->name);
		findings_free(&found);
	}
}

static void
test_too_often(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];
		bool one = r->count == '1' || r->count == '?';

		if (told_of_value(r, good_value(r, 0), 1, "L012") != 0)
			fail_msg("%s with one %s", r->in, r->name);
		if (told_of_value(r, good_value(r, 0), 2, "L012") != one)
			fail_msg("%s with two %s", r->in, r->name);
	}
}

static void
test_with_and_without_a_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];
		bool is_flag = r->kind == &flag;

		if (told_of_value(r, NULL, 1, "L013") != !is_flag)
			fail_msg("%s in %s without a value", r->name, r->in);
		if (told_of_value(r, "", 1, "L013") != 1)
			fail_msg("%s in %s with an empty value", r->name, r->in);
		if (is_flag && told_of_value(r, "1", 1, "L013") != 1)
			fail_msg("%s in %s with a value", r->name, r->in);
	}
}

static void
check_values(const struct row *r)
{
	const char *code = r->kind->code;

	for (size_t i = 0; code != NULL && r->words == NULL && i < 4 && r->kind->good[i] != NULL; i++)
		if (told_of_value(r, r->kind->good[i], 1, code) != 0)
			fail_msg("%s in %s: \"%s\" is good", r->name, r->in, r->kind->good[i]);
	for (size_t i = 0; r->words != NULL && r->words[i] != NULL; i++)
		if (told_of_value(r, r->words[i], 1, code) != 0)
			fail_msg("%s in %s: \"%s\" is good", r->name, r->in, r->words[i]);
	for (size_t i = 0; i < 8 && r->kind->bad[i] != NULL; i++)
		if (told_of_value(r, r->kind->bad[i], 1, code) != 1)
			fail_msg("%s in %s: \"%s\" is bad", r->name, r->in, r->kind->bad[i]);
}

static void
test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_values(&rows[i]);
}

/* Words of an enumeration are told apart byte for byte, and names too. */
static void
test_small_letters(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];
		struct row small = *r;
		char name[64];

		for (size_t k = 0; r->words != NULL && r->words[k] != NULL; k++) {
			char word[64];
			size_t n = 0;

			for (; r->words[k][n] != '\0' && n < sizeof word - 1; n++)
				word[n] = (char)(r->words[k][n] | ((r->words[k][n] & 0xC0) == 0x40 ?
				    0x20 : 0));
			word[n] = '\0';
			if (strcmp(word, r->words[k]) != 0 && told_of_value(r, word, 1, "L005") != 1)
				fail_msg("%s in %s: %s", r->name, r->in, word);
		}
		if (strcmp(r->in, "VENDORCONFIG") == 0)
			continue;
		snprintf(name, sizeof name, "%s", r->name);
		for (char *c = name; *c != '\0'; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
		small.name = name;
		small.kind = &text;
		if (told_of_value(&small, good_value(r, 0), 1, "L005") != 1)
			fail_msg("%s in %s", name, r->in);
	}
}

static bool
is_old(const char *type)
{
	for (; strcmp(type, "/") != 0; type = characteristic(type)->parents[0])
		if (characteristic(type)->v11)
			return false;
	return true;
}

static void
test_names_of_version_1_1(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];
		const char *versions[] = { NULL, "1.0", "1.1" };

		for (size_t v = 0; v < 3; v++) {
			struct buf b = buf_heap(XML_MOST);
			struct document_of d = { .version = versions[v], .appid = r->appid, .but = r };
			bool late = (r->v11 || !is_old(r->in)) && v < 2;

			put_parm(&b, r->name, good_value(r, 0));
			d.inside = buf_cstr(&b);
			if (told_of(r->in, &d, "L040", "came with version 1.1") != late)
				fail_msg("%s in %s, version %s", r->name, r->in,
				    versions[v] != NULL ? versions[v] : "none");
			buf_free(&b);
		}
	}
}

/* Parms of one application under another, and in other characteristics. */
static void
test_misplaced_parms(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct row r = rows[i];

		if (r.appid != NULL) {
			r.appid = strcmp(r.appid, "w2") != 0 ? "w2" : "w4";
			if (told_of_value(&r, good_value(&rows[i], 0), 1, "L006") == 0)
				fail_msg("%s under %s", r.name, r.appid);
			continue;
		}
		if (strcmp(r.in, "CLIENTIDENTITY") == 0 || strcmp(r.in, "VENDORCONFIG") == 0)
			continue;
		r.in = "CLIENTIDENTITY";
		if (told_of_value(&r, good_value(&rows[i], 0), 1, "L006") != 1)
			fail_msg("%s in CLIENTIDENTITY", r.name);
	}
}

/* --- section 5 --------------------------------------------------------------------- */

static void
test_applications(void **state)
{
	static const struct {
		const char	*appid;
		bool		 known;
	} apps[] = {
		{ "w2", true }, { "w4", true }, { "w5", true }, { "w7", true }, { "wA", true },
		{ "25", true }, { "465", true }, { "587", true }, { "110", true }, { "995", true },
		{ "143", true }, { "993", true }, { "554", true }, { "ap0001", true }, { "ap0002", true },
		{ "ap0004", true }, { "ap0005", true },
		{ "8080", true },			/* the port of any protocol */
		{ "ap2001", true },			/* somebody's own */
		{ "w8", false }, { "w1", false }, { "wa", false }, { "W2", false }, { "ap1", false },
		{ "mms", false }, { "ap00010", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(apps); i++) {
		struct document_of d = { .version = "1.1", .appid = apps[i].appid };

		if (told_of("APPLICATION", &d, "L006", "not registered") == apps[i].known)
			fail_msg("%s", apps[i].appid);
	}
}

/* --- section 7 ---------------------------------------------------------------------- */

static unsigned
told_of_policy(const char *id, const char *value, const char *code)
{
	struct lint_options options = { .target = LINT_OTA };
	struct findings found = { 0 };
	struct document *d;
	char xml[300];
	unsigned n;

	snprintf(xml, sizeof xml, "<wap-provisioningdoc><characteristic type=\"SecurityPolicy\"><parm "
	    "name=\"%s\" value=\"%s\"/></characteristic></wap-provisioningdoc>", id, value);
	assert_non_null(d = document_parse(NULL, text_of(xml), NULL, &found, NULL));
	lint_document(d, &options, &found);
	n = told(&found, code, "polic");
	document_free(&d);
	findings_free(&found);
	return n;
}

enum { MASK = -1, NUMBER = -2 };

static const struct {
	const char	*id;
	long		 most;			/* or a mask of roles, or any number */
} policies[] = {
	{ "2", 1 }, { "4097", 2 }, { "4101", MASK }, { "4102", 1 }, { "4103", MASK }, { "4104", 1 },
	{ "4105", 256 }, { "4107", MASK }, { "4108", MASK }, { "4109", MASK }, { "4110", MASK },
	{ "4111", MASK }, { "4112", 1 }, { "4113", 1 }, { "4119", MASK }, { "4120", MASK },
	{ "4121", MASK }, { "4122", 1 }, { "4123", 1 }, { "4124", 1 }, { "4125", 1 }, { "4126", 1 },
	{ "4127", 1 }, { "4129", MASK }, { "4130", 1 }, { "4131", 1 }, { "4132", 1 }, { "4133", 1 },
	{ "4134", 1 }, { "4135", 1 }, { "4136", 1 }, { "4137", 1 }, { "4138", 1 }, { "4139", NUMBER },
	{ "4140", NUMBER }, { "4141", MASK }, { "4142", MASK }, { "4143", MASK }, { "4144", NUMBER },
	{ "4145", 1 }, { "4146", 1 }, { "4147", 1 }, { "4148", 1 },
};

static void
test_policies(void **state)
{
	static const char *const no_numbers[] = { "", "x", "-1", "0x1", "1.0", "1 ", "99999999999999999999" };
	char value[24];

	(void)state;
	for (size_t i = 0; i < COUNT(policies); i++) {
		const char *id = policies[i].id;
		long most = policies[i].most;

		assert_int_equal(told_of_policy(id, "0", "L060"), 0);
		snprintf(value, sizeof value, "%ld", most == MASK ? 0x1ffeL : most == NUMBER ? 1L : most);
		if (told_of_policy(id, value, "L060") != 0)
			fail_msg("policy %s: %s", id, value);
		snprintf(value, sizeof value, "%ld", most == MASK ? 1L : most == NUMBER ? 70000L : most + 1);
		if (told_of_policy(id, value, "L060") != 1)
			fail_msg("policy %s: %s", id, value);
		for (size_t k = 0; k < COUNT(no_numbers); k++)
			if (told_of_policy(id, no_numbers[k], "L060") != 1)
				fail_msg("policy %s: \"%s\"", id, no_numbers[k]);
	}
}

static void
test_policies_that_are_none(void **state)
{
	static const char *const none[] = { "", "0", "1", "4096", "4098", "4106", "4114", "4128", "4149",
	    "04111", "4111 ", "x", "0x100F" };

	(void)state;
	for (size_t i = 0; i < COUNT(none); i++)
		if (told_of_policy(none[i], "0", "L060") != 1)
			fail_msg("policy \"%s\"", none[i]);
}

/* Bit by bit. */
static void
test_roles(void **state)
{
	char value[24];

	(void)state;
	for (int bit = 0; bit < 31; bit++) {
		snprintf(value, sizeof value, "%ld", 1L << bit);
		if (told_of_policy("4111", value, "L060") != !(bit >= 1 && bit <= 12))
			fail_msg("bit %d", bit);
	}
}

static const char *const providers[] = { "SecurityPolicy", "CertificateStore", "RemoteWipe",
    "Registry", "CM_GPRSEntries", "CM_PPPEntries", "CM_NetEntries", "CM_VPNEntries",
    "CM_ProxyEntries", "CM_Networks", "CM_Mappings", "CM_Planner", "Wi-Fi", "NetworkPolicy", "EMAIL2",
    "NAP", "BrowserFavorite", "TPS", "Sync", "Clock", "Sounds", "Home", "Locale", "FileOperation",
    "Install", "UnInstall", "Metabase", "DeviceEncryption", "DeviceInformation", "VoIP", "WiFi" };

static const struct {
	const char	*name, *inside, *code, *cure;
} everywhere[] = {
	{ "nothing wrong", "<characteristic type=\"a\"><parm name=\"b\" value=\"c\" "
	  "datatype=\"string\"/><noparm name=\"d\"/><nocharacteristic type=\"e\"/></characteristic>",
	  NULL, NULL },
	{ "a characteristic without a type", "<characteristic/>", "L004", "has no type" },
	{ "deeper", "<characteristic type=\"a\"><characteristic type=\"\"/></characteristic>", "L004",
	  "has no type" },
	{ "a parm without a name", "<characteristic type=\"a\"><parm value=\"b\"/></characteristic>",
	  "L004", "has no name" },
	{ "a reset without a name", "<characteristic type=\"a\"><noparm/></characteristic>", "L004",
	  "write <noparm name=" },
	{ "a removal without a type", "<nocharacteristic/>", "L004", "write <nocharacteristic type=" },
	{ "a query", "<characteristic type=\"a\"><characteristic-query type=\"b\"/></characteristic>",
	  "L066", "remove it" },
	{ "another element", "<characteristic type=\"a\"><key/></characteristic>", "L003", "<key>" },
	{ "a datatype that is none", "<characteristic type=\"a\"><parm name=\"b\" value=\"1\" "
	  "datatype=\"integr\"/></characteristic>", "L020", "write integer" },
	{ "an integer", "<characteristic type=\"a\"><parm name=\"b\" value=\"one\" "
	  "datatype=\"integer\"/></characteristic>", "L021", "digits" },
	{ "a boolean", "<characteristic type=\"a\"><parm name=\"b\" value=\"2\" "
	  "datatype=\"boolean\"/></characteristic>", "L021", "true or false" },
	{ "octets", "<characteristic type=\"a\"><parm name=\"b\" value=\"!\" "
	  "datatype=\"binary\"/></characteristic>", "L021", "base64" },
};

static struct findings
lint_provider(const char *type, const char *inside)
{
	struct lint_options options = { .target = LINT_OTA };
	struct buf b = buf_heap(XML_MOST);
	struct findings found = { 0 };
	struct document *d;

	buf_printf(&b, "<wap-provisioningdoc><characteristic type=\"%s\">%s</characteristic>"
	    "</wap-provisioningdoc>", type, inside);
	assert_non_null(d = document_parse(NULL, text_of(buf_cstr(&b)), NULL, &found, NULL));
	lint_document(d, &options, &found);
	document_free(&d);
	buf_free(&b);
	return found;
}

/* Each of Windows Mobile's providers is known, and looked into. */
static void
test_providers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(providers); i++)
		for (size_t k = 0; k < COUNT(everywhere); k++) {
			struct findings found = lint_provider(providers[i], everywhere[k].inside);

			if (told(&found, "L006", "not in the standard") > 0 ||
			    (everywhere[k].code != NULL &&
			    told(&found, everywhere[k].code, everywhere[k].cure) != 1))
				fail_msg("%s: %s", providers[i], everywhere[k].name);
			findings_free(&found);
		}
}

#define CERT(type, role)	"<characteristic type=\"" type "\"><characteristic " \
	"type=\"0303030303030303030303030303030303030303\"><parm name=\"EncodedCertificate\" " \
	"value=\"AAAA\"/>" role "</characteristic></characteristic>"
#define ROLE8			"<parm name=\"Role\" value=\"8\"/>"
#define GUID			"{436ef144-B4FB-4863-A041-8F905A62C572}"

static const struct {
	const char	*name, *type, *inside, *code, *cure;	/* code NULL: nothing wrong */
} shapes[] = {
	{ "ROOT needs no role", "CertificateStore", CERT("ROOT", ""), NULL, NULL },
	{ "CA neither", "CertificateStore", CERT("CA", ""), NULL, NULL },
	{ "nor MY", "CertificateStore", CERT("MY", ""), NULL, NULL },
	{ "SPC with a role", "CertificateStore", CERT("SPC", ROLE8), NULL, NULL },
	{ "SPC without", "CertificateStore", CERT("SPC", ""), "L011", "Role" },
	{ "the trusted without", "CertificateStore", CERT("Privileged Execution Trust Authorities", ""),
	  "L011", "Role" },
	{ "the others without", "CertificateStore", CERT("Unprivileged Execution Trust Authorities", ""),
	  "L011", "Role" },
	{ "a role with a bit that is none", "CertificateStore", CERT("SPC",
	  "<parm name=\"Role\" value=\"9\"/>"), "L060", "no role" },
	{ "a store that is none", "CertificateStore", CERT("ROOTS", ""), "L067", "write ROOT" },
	{ "with System between, as in 6.5", "CertificateStore", "<characteristic type=\"ROOT\">"
	  CERT("System", "") "</characteristic>", NULL, NULL },
	{ "a wipe by a name", "RemoteWipe", "<parm name=\"doWipe\" value=\"yes\"/>", "L067", "doWipe" },
	{ "a wipe by nothing", "RemoteWipe", "", "L067", "doWipe" },
	{ "the registry by its long name", "Registry", "<characteristic "
	  "type=\"HKEY_LOCAL_MACHINE\\x\"/>", "L067", "HKLM" },
	{ "a root of the registry alone", "Registry", "<characteristic type=\"HKCU\"/>", NULL, NULL },
	{ "of the user", "Registry", "<characteristic type=\"HKCU\\a\\b\"/>", NULL, NULL },
	{ "of classes", "Registry", "<characteristic type=\"HKCR\\a\"/>", NULL, NULL },
	{ "a connection", "CM_GPRSEntries", "<characteristic type=\"n\"><parm name=\"DestId\" value=\"" GUID
	  "\"/></characteristic>", NULL, NULL },
	{ "without braces", "CM_PPPEntries", "<characteristic type=\"n\"><parm name=\"DestId\" "
	  "value=\"436EF144-B4FB-4863-A041-8F905A62C572\"/></characteristic>", "L067", "braces" },
	{ "a letter that is no hex", "CM_NetEntries", "<characteristic type=\"n\"><parm name=\"SrcId\" "
	  "value=\"{436EF144-B4FB-4863-A041-8F905A62C57G}\"/></characteristic>", "L067", "SrcId" },
	{ "a digit too few", "CM_VPNEntries", "<characteristic type=\"n\"><parm name=\"SrcId\" "
	  "value=\"{436EF144-B4FB-4863-A041-8F905A62C57}\"/></characteristic>", "L067", "SrcId" },
	{ "hyphens elsewhere", "CM_ProxyEntries", "<characteristic type=\"n\"><parm name=\"DestId\" "
	  "value=\"{436EF144B-4FB-4863-A041-8F905A62C572}\"/></characteristic>", "L067", "DestId" },
	{ "a network", "CM_Networks", "<parm name=\"Mine\" value=\"" GUID "\"/>", NULL, NULL },
	{ "a network without a GUID", "CM_Networks", "<parm name=\"Mine\" value=\"1\"/>", "L067", "Mine" },
	{ "a mapping", "CM_Mappings", "<characteristic type=\"501\"><parm name=\"Network\" value=\"" GUID
	  "\"/></characteristic>", NULL, NULL },
	{ "of the system", "CM_Mappings", "<characteristic type=\"500\"/>", "L067", "system" },
	{ "by a name", "CM_Mappings", "<characteristic type=\"mine\"/>", "L067", "number" },
	{ "to no network", "CM_Mappings", "<characteristic type=\"501\"><parm name=\"Network\" "
	  "value=\"x\"/></characteristic>", "L067", "Network" },
	{ "a mail account", "EMAIL2", "<characteristic type=\"" GUID "\"><parm name=\"SERVICETYPE\" "
	  "value=\"IMAP4\"/></characteristic>", NULL, NULL },
	{ "by a name", "EMAIL2", "<characteristic type=\"mine\"/>", "L067", "GUID" },
	{ "of another service", "EMAIL2", "<characteristic type=\"" GUID "\"><parm name=\"SERVICETYPE\" "
	  "value=\"SMTP\"/></characteristic>", "L020", "POP3 or IMAP4" },
};

static int
fake_sha1(const void *data, size_t len, uint8_t out[20])
{
	(void)data;
	memset(out, (int)len, 20);
	return 0;
}

static void
test_shapes_of_providers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		struct findings found = lint_provider(shapes[i].type, shapes[i].inside);

		if (shapes[i].code == NULL ? found.errors + found.warnings > 0 :
		    told(&found, shapes[i].code, shapes[i].cure) != 1) {
			findings_print(&found, shapes[i].name, stderr);
			fail_msg("%s: %s", shapes[i].type, shapes[i].name);
		}
		findings_free(&found);
	}
	assert_int_equal(fake_sha1(NULL, 0, (uint8_t[20]){ 0 }), 0);
}

/* --- what lint costs ------------------------------------------------------------------ */

/* One characteristic with so many brothers: twice as many must not cost four times as much. */
static const struct {
	const char	*name, *head, *each, *tail;
} heavy[] = {
	{ "resources of one application", "<characteristic type=\"APPLICATION\">",
	  "<characteristic type=\"RESOURCE\"/>", "</characteristic>" },
	{ "addresses of one proxy", "<characteristic type=\"PXPHYSICAL\">",
	  "<parm name=\"PXADDR\" value=\"1\"/>", "</characteristic>" },
	{ "policies beside accounts", "", "<characteristic type=\"SecurityPolicy\"/><characteristic "
	  "type=\"APPLICATION\"><parm name=\"APPID\" value=\"w7\"/><parm name=\"ROLE\" value=\"8\"/>"
	  "</characteristic>", "" },
	{ "unknown types", "", "<characteristic type=\"XPPLICATION\"/>", "" },
	{ "unknown names", "<characteristic type=\"NAPDEF\">", "<parm "
	  "name=\"GUARANTEED-BITRATE-UPLINX\"/>", "</characteristic>" },
	{ "access points", "", "<characteristic type=\"NAPDEF\"/>", "" },
	{ "accounts", "", "<characteristic type=\"APPLICATION\"><parm name=\"APPID\" value=\"w7\"/>"
	  "</characteristic>", "" },
};

static double
lint_seconds(size_t i, size_t octets)
{
	struct lint_options options = { .target = LINT_OTA, .sha1 = fake_sha1 };
	struct buf b = buf_heap(DOCUMENT_OCTETS);
	double best = 1e9;
	size_t elements = 0;

	buf_printf(&b, "<wap-provisioningdoc version=\"1.1\">%s", heavy[i].head);
	for (; b.len < octets && elements < DOCUMENT_ELEMENTS - 100; elements += 4)
		buf_str(&b, heavy[i].each);
	buf_printf(&b, "%s</wap-provisioningdoc>", heavy[i].tail);
	for (int turn = 0; turn < 3; turn++) {
		struct findings found = { 0 };
		struct document *d;
		clock_t start;
		double spent;

		assert_non_null(d = document_parse(NULL, (struct text){ (char *)b.data, b.len }, NULL, NULL,
		    NULL));
		start = clock();
		lint_document(d, &options, &found);
		spent = (double)(clock() - start) / CLOCKS_PER_SEC;
		best = spent < best ? spent : best;
		document_free(&d);
		findings_free(&found);
	}
	buf_free(&b);
	return best;
}

static void
test_cost_is_linear(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(heavy); i++) {
		double half = lint_seconds(i, 20 * 1024), full = lint_seconds(i, 80 * 1024);

		if (full > 0.002 && full > 9 * half)
			fail_msg("%s: %.1f ms, four times as much %.1f ms", heavy[i].name, half * 1e3, full * 1e3);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parents),
		cmocka_unit_test(test_at_the_top),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_too_often),
		cmocka_unit_test(test_with_and_without_a_value),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_small_letters),
		cmocka_unit_test(test_names_of_version_1_1),
		cmocka_unit_test(test_misplaced_parms),
		cmocka_unit_test(test_applications),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_policies_that_are_none),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_providers),
		cmocka_unit_test(test_shapes_of_providers),
		cmocka_unit_test(test_cost_is_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
