/*
 * schema.c - characteristics, parms and values of OMA ProvCont 1.1 and MSPROV
 *
 * Laid out as in the standard, one row per line, so that it can be held beside it.
 * Rows marked soft rest on one source or on sources that disagree.
 *
 * Knows:     what may stand where, how often, with which values.
 * Does not:  judge (lint.c), know security policies (policy.c) or tokens.
 * Owns:      constant data only.
 * Threads:   pure, any thread.
 */
#include "document/schema.h"

#define WORDS(name, ...) \
	static const char *const name[] = { __VA_ARGS__, NULL }

WORDS(bearers, "GSM-USSD", "GSM-SMS", "ANSI-136-GUTS", "IS-95-CDMA-SMS", "IS-95-CDMA-CSD",
    "IS-95-CDMA-PACKET", "ANSI-136-CSD", "ANSI-136-GPRS", "GSM-CSD", "GSM-GPRS", "AMPS-CDPD",
    "PDC-CSD", "PDC-PACKET", "IDEN-SMS", "IDEN-CSD", "IDEN-PACKET", "FLEX/REFLEX", "PHS-SMS",
    "PHS-CSD", "TETRA-SDS", "TETRA-PACKET", "ANSI-136-GHOST", "MOBITEX-MPAK",
    "CDMA2000-1X-SIMPLE-IP", "CDMA2000-1X-MOBILE-IP", "WLAN", "3G-GSM");
WORDS(nap_addrtypes, "APN", "E164", "IPV4", "IPV6", "ALPHA", "SCODE", "TETRA-ITSI", "MAN");
WORDS(addrtypes, "IPV4", "IPV6", "E164", "ALPHA", "SCODE", "TETRA-ITSI", "MAN");
WORDS(app_addrtypes, "IPV4", "IPV6", "E164", "ALPHA", "SCODE", "TETRA-ITSI", "MAN", "APPSRV",
    "OBEX");
WORDS(calltypes, "ANALOG-MODEM", "V.120", "V.110", "X.31", "BIT-TRANSPARENT",
    "DIRECT-ASYNCHRONOUS-DATA-SERVICE");
WORDS(authtypes, "PAP", "CHAP", "MD5");
WORDS(pxauthtypes, "HTTP-BASIC", "HTTP-DIGEST", "WTLS-SS");
WORDS(ppgauthtypes, "HTTP-BASIC", "HTTP-DIGEST");
WORDS(entities, "AAA", "HA");
WORDS(services, "CL-WSP", "CO-WSP", "CL-SEC-WSP", "CO-SEC-WSP", "CL-SEC-WTA", "CO-SEC-WTA",
    "OTA-HTTP-TO", "OTA-HTTP-TLS-TO", "OTA-HTTP-PO", "OTA-HTTP-TLS-PO");
WORDS(authlevels, "APPSRV", "CLIENT", "OBEX", "CRED");
WORDS(protovers, "1.1", "1.2");
WORDS(dm_encodings, "application/vnd.syncml.dm+xml", "application/vnd.syncml.dm+wbxml");

/* app, name, count, kind, values, 1.1, soft, example */
static const struct schema_parm bootstrap_parms[] = {
	{ NULL, "NAME", MAYBE, KIND_TEXT, NULL, false, false, "Example" },
	{ NULL, "PROXY-ID", ANY, KIND_TEXT, NULL, false, false, "10.0.0.1" },
	{ NULL, "NETWORK", ANY, KIND_TEXT, NULL, false, false, "24491" },
	{ NULL, "COUNTRY", MAYBE, KIND_COUNTRY, NULL, false, false, "FI" },
	{ NULL, "PROVURL", MAYBE, KIND_URL, NULL, false, true, "http://prov.example/" },
	{ NULL, "CONTEXT-ALLOW", MAYBE, KIND_NUMBER, NULL, false, false, "0" },
	{ 0 }
};

static const struct schema_parm clientidentity_parms[] = {
	{ NULL, "CLIENT-ID", ONE, KIND_TEXT, NULL, false, false, "client-1" },
	{ 0 }
};

static const struct schema_parm napdef_parms[] = {
	{ NULL, "NAPID", ONE, KIND_NAPID, NULL, false, false, "NAP1" },
	{ NULL, "NAME", ONE, KIND_TEXT, NULL, false, false, "Internet" },
	{ NULL, "BEARER", ANY, KIND_ENUM, bearers, false, false, "GSM-GPRS" },
	{ NULL, "NAP-ADDRESS", ONE, KIND_TEXT, NULL, false, false, "internet" },
	{ NULL, "NAP-ADDRTYPE", MAYBE, KIND_ENUM, nap_addrtypes, false, false, "APN" },
	{ NULL, "INTERNET", MAYBE, KIND_FLAG, NULL, false, false, NULL },
	{ NULL, "DNS-ADDR", ANY, KIND_IP, NULL, true, false, "192.0.2.53" },
	{ NULL, "CALLTYPE", MAYBE, KIND_ENUM, calltypes, false, false, "ANALOG-MODEM" },
	{ NULL, "LOCAL-ADDR", MAYBE, KIND_ADDRESS, NULL, false, false, "192.0.2.1" },
	{ NULL, "LOCAL-ADDRTYPE", MAYBE, KIND_ENUM, addrtypes, false, false, "IPV4" },
	{ NULL, "LINKSPEED", MAYBE, KIND_SPEED, NULL, false, false, "AUTOBAUDING" },
	{ NULL, "DNLINKSPEED", MAYBE, KIND_SPEED, NULL, false, false, "AUTOBAUDING" },
	{ NULL, "LINGER", MAYBE, KIND_NUMBER, NULL, false, false, "30" },
	{ NULL, "DELIVERY-ERR-SDU", MAYBE, KIND_NUMBER, NULL, false, false, "1" },
	{ NULL, "DELIVERY-ORDER", MAYBE, KIND_NUMBER, NULL, false, false, "1" },
	{ NULL, "TRAFFIC-CLASS", MAYBE, KIND_NUMBER, NULL, false, false, "1" },
	{ NULL, "MAX-SDU-SIZE", MAYBE, KIND_NUMBER, NULL, false, false, "1" },
	{ NULL, "MAX-BITRATE-UPLINK", MAYBE, KIND_NUMBER, NULL, false, false, "1" },
	{ NULL, "MAX-BITRATE-DNLINK", MAYBE, KIND_NUMBER, NULL, false, false, "1" },
	{ NULL, "RESIDUAL-BER", MAYBE, KIND_NUMBER, NULL, false, false, "1" },
	{ NULL, "SDU-ERROR-RATIO", MAYBE, KIND_NUMBER, NULL, false, false, "1" },
	{ NULL, "TRAFFIC-HANDL-PRIO", MAYBE, KIND_NUMBER, NULL, false, false, "1" },
	{ NULL, "TRANSFER-DELAY", MAYBE, KIND_NUMBER, NULL, false, false, "1" },
	{ NULL, "GUARANTEED-BITRATE-UPLINK", MAYBE, KIND_NUMBER, NULL, false, false, "1" },
	{ NULL, "GUARANTEED-BITRATE-DNLINK", MAYBE, KIND_NUMBER, NULL, false, false, "1" },
	{ NULL, "MAX-NUM-RETRY", MAYBE, KIND_NUMBER, NULL, true, false, "3" },
	{ NULL, "FIRST-RETRY-TIMEOUT", MAYBE, KIND_NUMBER, NULL, true, false, "10" },
	{ NULL, "REREG-THRESHOLD", MAYBE, KIND_NUMBER, NULL, true, false, "60" },
	{ NULL, "T-BIT", MAYBE, KIND_FLAG, NULL, true, false, NULL },
	{ 0 }
};

static const struct schema_parm napauthinfo_parms[] = {
	{ NULL, "AUTHTYPE", ONE, KIND_ENUM, authtypes, false, false, "PAP" },
	{ NULL, "AUTHNAME", MAYBE, KIND_TEXT, NULL, false, false, "user" },
	{ NULL, "AUTHSECRET", MAYBE, KIND_TEXT, NULL, false, false, "password" },
	{ NULL, "AUTH-ENTITY", ANY, KIND_ENUM, entities, true, false, "AAA" },
	{ NULL, "SPI", MAYBE, KIND_HEX32, NULL, true, false, "100" },
	{ 0 }
};

static const struct schema_parm validity_parms[] = {
	{ NULL, "COUNTRY", MAYBE, KIND_COUNTRY, NULL, false, false, "244" },
	{ NULL, "NETWORK", MAYBE, KIND_NETWORK, NULL, false, false, "91" },
	{ NULL, "SID", MAYBE, KIND_TEXT, NULL, false, false, "1" },
	{ NULL, "SOC", MAYBE, KIND_TEXT, NULL, false, false, "1" },
	{ NULL, "VALIDUNTIL", MAYBE, KIND_TIME, NULL, false, true, "2030-01-01T00:00:00Z" },
	{ 0 }
};

static const struct schema_parm pxlogical_parms[] = {
	{ NULL, "PROXY-ID", ONE, KIND_PROXYID, NULL, false, false, "10.0.0.1" },
	{ NULL, "NAME", ONE, KIND_TEXT, NULL, false, true, "Proxy" },
	{ NULL, "PROXY-PW", MAYBE, KIND_TEXT, NULL, true, false, "password" },
	{ NULL, "PPGAUTH-TYPE", MAYBE, KIND_ENUM, ppgauthtypes, true, false, "HTTP-BASIC" },
	{ NULL, "PROXY-PROVIDER-ID", MAYBE, KIND_TEXT, NULL, false, false, "provider" },
	{ NULL, "DOMAIN", ANY, KIND_TEXT, NULL, false, false, "example.com" },
	{ NULL, "TRUST", MAYBE, KIND_FLAG, NULL, false, false, NULL },
	{ NULL, "MASTER", MAYBE, KIND_FLAG, NULL, false, false, NULL },
	{ NULL, "STARTPAGE", MAYBE, KIND_URL, NULL, false, true, "http://example.com/" },
	{ NULL, "BASAUTH-ID", MAYBE, KIND_TEXT, NULL, false, false, "user" },
	{ NULL, "BASAUTH-PW", MAYBE, KIND_TEXT, NULL, false, false, "password" },
	{ NULL, "WSP-VERSION", MAYBE, KIND_VERSION, NULL, false, true, "1.2" },
	{ NULL, "PUSHENABLED", MAYBE, KIND_BOOL, NULL, false, false, "1" },
	{ NULL, "PULLENABLED", MAYBE, KIND_BOOL, NULL, true, false, "1" },
	{ 0 }
};

static const struct schema_parm pxauthinfo_parms[] = {
	{ NULL, "PXAUTH-TYPE", ONE, KIND_ENUM, pxauthtypes, false, false, "HTTP-BASIC" },
	{ NULL, "PXAUTH-ID", MAYBE, KIND_TEXT, NULL, false, false, "user" },
	{ NULL, "PXAUTH-PW", MAYBE, KIND_TEXT, NULL, false, false, "password" },
	{ 0 }
};

static const struct schema_parm pxphysical_parms[] = {
	{ NULL, "PHYSICAL-PROXY-ID", ONE, KIND_PHYSICALID, NULL, false, false, "PROXY1" },
	{ NULL, "PXADDR", ONE, KIND_ADDRESS, NULL, false, false, "10.0.0.1" },
	{ NULL, "PXADDRTYPE", MAYBE, KIND_ENUM, addrtypes, false, false, "IPV4" },
	{ NULL, "PXADDR-FQDN", MAYBE, KIND_TEXT, NULL, true, false, "proxy.example.com" },
	{ NULL, "DOMAIN", ANY, KIND_TEXT, NULL, false, false, "example.com" },
	{ NULL, "WSP-VERSION", MAYBE, KIND_VERSION, NULL, false, true, "1.2" },
	{ NULL, "PUSHENABLED", MAYBE, KIND_BOOL, NULL, false, false, "1" },
	{ NULL, "PULLENABLED", MAYBE, KIND_BOOL, NULL, true, false, "1" },
	{ NULL, "TO-NAPID", MANY, KIND_TO_NAP, NULL, false, false, "NAP1" },
	{ 0 }
};

static const struct schema_parm port_parms[] = {
	{ NULL, "PORTNBR", ONE, KIND_PORT, NULL, false, false, "9201" },
	/* under APPADDR it names a protocol of the application: lint.c leaves it alone */
	{ NULL, "SERVICE", ANY, KIND_ENUM, services, false, true, "CO-WSP" },
	{ 0 }
};

static const struct schema_parm application_parms[] = {
	{ NULL, "APPID", ONE, KIND_TEXT, NULL, true, false, "w2" },
	{ NULL, "PROVIDER-ID", MAYBE, KIND_TEXT, NULL, true, false, "example.com" },
	{ NULL, "NAME", MAYBE, KIND_TEXT, NULL, true, false, "Example" },
	{ NULL, "AACCEPT", MAYBE, KIND_TEXT, NULL, true, false, "text/plain" },
	{ NULL, "APROTOCOL", MAYBE, KIND_TEXT, NULL, true, false, "http" },
	{ NULL, "TO-PROXY", ANY, KIND_TO_PROXY, NULL, true, false, "10.0.0.1" },
	{ NULL, "TO-NAPID", ANY, KIND_TO_NAP, NULL, true, false, "INTERNET" },
	{ NULL, "ADDR", ANY, KIND_TEXT, NULL, true, false, "http://example.com/" },
	{ NULL, "APPREF", MAYBE, KIND_TEXT, NULL, true, true, "ref" },
	{ NULL, "TO-APPREF", ANY, KIND_TEXT, NULL, true, true, "ref" },
	{ "w4", "CM", MAYBE, KIND_TEXT, NULL, true, false, "N" },
	{ "w4", "RM", MAYBE, KIND_TEXT, NULL, true, false, "N" },
	{ "w4", "MS", MAYBE, KIND_TEXT, NULL, true, false, "300" },
	{ "w4", "PC-ADDR", MAYBE, KIND_TEXT, NULL, true, false, "1" },
	{ "w4", "Ma", MAYBE, KIND_TEXT, NULL, true, false, "1" },
	{ "w7", "ROLE", MAYBE, KIND_ROLES, NULL, true, false, "8" },
	{ "w7", "INIT", MAYBE, KIND_FLAG, NULL, true, false, NULL },
	{ "w7", "PROTOVER", MAYBE, KIND_ENUM, protovers, true, true, "1.2" },
	{ "w7", "DEFAULTENCODING", MAYBE, KIND_ENUM, dm_encodings, true, 1,
	  "application/vnd.syncml.dm+wbxml" },
	{ "w7", "CONNRETRYFREQ", MAYBE, KIND_NUMBER, NULL, true, false, "3" },
	/* Microsoft's page has one F in its tree and two in its text. */
	{ "w7", "INITIALBACKOFFTIME", MAYBE, KIND_NUMBER, NULL, true, false, "16000" },
	{ "w7", "INITIALBACKOFTIME", MAYBE, KIND_NUMBER, NULL, true, false, "16000" },
	{ "w7", "MAXBACKOFFTIME", MAYBE, KIND_NUMBER, NULL, true, false, "86400000" },
	{ "w7", "MAXBACKOFTIME", MAYBE, KIND_NUMBER, NULL, true, false, "86400000" },
	{ "w7", "BACKCOMPATRETRYDISABLED", MAYBE, KIND_FLAG, NULL, true, false, NULL },
	{ "w7", "USEHWDEVID", MAYBE, KIND_FLAG, NULL, true, false, NULL },
	{ "w7", "SSLCLIENTCERTSEARCHCRITERIA", MAYBE, KIND_TEXT, NULL, true, 0,
	  "Subject=CN%3Dexample&Stores=My" },
	{ "wA", "SERVICES", MAYBE, KIND_TEXT, NULL, true, false, "IM;PR" },
	{ "wA", "CIDPREFIX", MAYBE, KIND_TEXT, NULL, true, false, "cid" },
	{ "25", "FROM", MAYBE, KIND_TEXT, NULL, true, false, "user@example.com" },
	{ "25", "RT-ADDR", MAYBE, KIND_TEXT, NULL, true, false, "user@example.com" },
	{ "465", "FROM", MAYBE, KIND_TEXT, NULL, true, false, "user@example.com" },
	{ "465", "RT-ADDR", MAYBE, KIND_TEXT, NULL, true, false, "user@example.com" },
	{ "587", "FROM", MAYBE, KIND_TEXT, NULL, true, false, "user@example.com" },
	{ "587", "RT-ADDR", MAYBE, KIND_TEXT, NULL, true, false, "user@example.com" },
	{ "554", "MAX-BANDWIDTH", MAYBE, KIND_NUMBER, NULL, true, true, "128000" },
	{ "554", "NETINFO", ANY, KIND_TEXT, NULL, true, true, "1" },
	{ "554", "MIN-UDP-PORT", MAYBE, KIND_PORT, NULL, true, true, "6970" },
	{ "554", "MAX-UDP-PORT", MAYBE, KIND_PORT, NULL, true, true, "32000" },
	{ "ap0004", "ADDRTYPE", MAYBE, KIND_TEXT, NULL, true, true, "FQDN" },
	{ 0 }
};

static const struct schema_parm appaddr_parms[] = {
	{ NULL, "ADDR", ONE, KIND_ADDRESS, NULL, true, false, "https://example.com/" },
	{ NULL, "ADDRTYPE", MAYBE, KIND_ENUM, app_addrtypes, true, false, "IPV4" },
	{ 0 }
};

static const struct schema_parm appauth_parms[] = {
	{ NULL, "AAUTHLEVEL", MAYBE, KIND_ENUM, authlevels, true, false, "APPSRV" },
	{ NULL, "AAUTHTYPE", MAYBE, KIND_TEXT, NULL, true, false, "DIGEST" },
	{ NULL, "AAUTHNAME", MAYBE, KIND_TEXT, NULL, true, false, "user" },
	{ NULL, "AAUTHSECRET", MAYBE, KIND_TEXT, NULL, true, false, "password" },
	{ NULL, "AAUTHDATA", MAYBE, KIND_BASE64, NULL, true, false, "bm9uY2U=" },
	{ NULL, "REALM", MAYBE, KIND_TEXT, NULL, true, true, "example" },
	{ 0 }
};

static const struct schema_parm resource_parms[] = {
	{ NULL, "URI", ONE, KIND_TEXT, NULL, true, false, "http://example.com/" },
	{ NULL, "NAME", MAYBE, KIND_TEXT, NULL, true, false, "Home" },
	{ NULL, "AACCEPT", MAYBE, KIND_TEXT, NULL, true, false, "text/x-vcard" },
	{ NULL, "AAUTHTYPE", MAYBE, KIND_TEXT, NULL, true, false, "HTTP-BASIC" },
	{ NULL, "AAUTHNAME", MAYBE, KIND_TEXT, NULL, true, false, "user" },
	{ NULL, "AAUTHSECRET", MAYBE, KIND_TEXT, NULL, true, false, "password" },
	{ NULL, "AAUTHDATA", MAYBE, KIND_TEXT, NULL, true, false, "bm9uY2U=" },
	{ NULL, "STARTPAGE", MAYBE, KIND_FLAG, NULL, true, false, NULL },
	{ "w5", "CLIURI", MAYBE, KIND_TEXT, NULL, true, false, "pb" },
	{ "w5", "SYNCTYPE", ANY, KIND_TEXT, NULL, true, false, "1" },
	{ 0 }
};

static const struct schema_parm access_parms[] = {
	{ NULL, "RULE", ANY, KIND_TEXT, NULL, true, false, "rule" },
	{ NULL, "APPID", ANY, KIND_TEXT, NULL, true, false, "w2" },
	{ NULL, "PORTNBR", ANY, KIND_PORT, NULL, true, false, "80" },
	{ NULL, "DOMAIN", ANY, KIND_TEXT, NULL, true, false, "example.com" },
	{ NULL, "TO-NAPID", ANY, KIND_TO_NAP, NULL, true, false, "NAP1" },
	{ NULL, "TO-PROXY", ANY, KIND_TO_PROXY, NULL, true, false, "10.0.0.1" },
	{ 0 }
};

static const struct schema_parm vendorconfig_parms[] = {
	{ NULL, "NAME", ONE, KIND_TEXT, NULL, false, false, "vendor" },
	{ 0 }
};

#define ROOT	{ "/" }

const struct schema_type schema_types[] = {
	/* type, parents, count, 1.1, addendum, parms */
	{ "BOOTSTRAP",      ROOT, ANY, false, false, bootstrap_parms },
	{ "CLIENTIDENTITY", { "/", "APPLICATION" }, MAYBE, false, false, clientidentity_parms },
	{ "NAPDEF",         ROOT, ANY, false, false, napdef_parms },
	{ "NAPAUTHINFO",    { "NAPDEF" }, ANY, false, false, napauthinfo_parms },
	{ "VALIDITY",       { "NAPDEF" }, ANY, false, false, validity_parms },
	{ "PXLOGICAL",      ROOT, ANY, false, false, pxlogical_parms },
	{ "PXAUTHINFO",     { "PXLOGICAL" }, ANY, false, false, pxauthinfo_parms },
	{ "PXPHYSICAL",     { "PXLOGICAL" }, MANY, false, false, pxphysical_parms },
	{ "PORT",           { "PXLOGICAL", "PXPHYSICAL", "APPADDR" }, ANY, false, false, port_parms },
	{ "VENDORCONFIG",   ROOT, ANY, false, false, vendorconfig_parms },
	{ "ACCESS",         ROOT, ANY, true, false, access_parms },
	{ "APPLICATION",    ROOT, ANY, true, false, application_parms },
	{ "APPADDR",        { "APPLICATION" }, ANY, true, false, appaddr_parms },
	{ "APPAUTH",        { "APPLICATION" }, ANY, true, false, appauth_parms },
	{ "RESOURCE",       { "APPLICATION" }, ANY, true, false, resource_parms },
	{ "BEARERINFO",     { NULL }, ANY, true, true, NULL },
	{ "DNS-ADDRINFO",   { NULL }, ANY, true, true, NULL },
	{ "WLAN",           { NULL }, ANY, true, true, NULL },
	{ "SEC-SSID",       { "WLAN" }, ANY, true, true, NULL },
	{ "EAP",            { "WLAN" }, ANY, true, true, NULL },
	{ "CERT",           { NULL }, ANY, true, true, NULL },
	{ "WEPKEY",         { NULL }, ANY, true, true, NULL },
	{ 0 }
};

/* Windows Mobile's own. Their parms are not checked but where lint.c says so. */
const struct schema_provider schema_providers[] = {
	{ "SecurityPolicy", { NULL } },
	{ "CertificateStore", { "ROOT", "CA", "MY", "SPC",
	    "Privileged Execution Trust Authorities",
	    "Unprivileged Execution Trust Authorities" } },
	{ "RemoteWipe", { NULL } },
	{ "Registry", { NULL } },
	{ "CM_GPRSEntries", { "DevSpecificCellular" } },
	{ "CM_PPPEntries", { NULL } },
	{ "CM_NetEntries", { NULL } },
	{ "CM_VPNEntries", { NULL } },
	{ "CM_ProxyEntries", { NULL } },
	{ "CM_WiFiEntries", { NULL } },
	{ "CM_Networks", { NULL } },
	{ "CM_Mappings", { NULL } },
	{ "CM_Planner", { "PreferredConnections" } },
	{ "Wi-Fi", { "access-point", "ad-hoc" } },
	{ "WiFi", { NULL } },
	{ "NetworkPolicy", { "WiFi", "Settings", "AccessPoint" } },
	{ "NAP", { NULL } },
	{ "BrowserFavorite", { NULL } },
	{ "TPS", { NULL } },
	{ "Sync", { NULL } },
	{ "EMAIL2", { NULL } },
	{ "Clock", { NULL } },
	{ "Sounds", { NULL } },
	{ "Home", { NULL } },
	{ "Locale", { NULL } },
	{ "FileOperation", { NULL } },
	{ "Install", { NULL } },
	{ "UnInstall", { NULL } },
	{ "Metabase", { NULL } },
	{ "DeviceEncryption", { NULL } },
	{ "DeviceInformation", { NULL } },
	{ "VoIP", { NULL } },
	{ 0 }
};

const struct schema_application schema_applications[] = {
	{ "w2",		"browsing", true },
	{ "w4",		"multimedia messages", true },
	{ "w5",		"data synchronisation", false },
	{ "w7",		"device management", true },
	{ "wA",		"instant messaging and presence", false },
	{ "25",		"SMTP", false },
	{ "465",	"SMTP over TLS", false },
	{ "587",	"SMTP submission", false },
	{ "110",	"POP3", false },
	{ "995",	"POP3 over TLS", false },
	{ "143",	"IMAP4", false },
	{ "993",	"IMAP4 over TLS", false },
	{ "554",	"streaming", false },
	{ "ap0001",	"push to talk", false },
	{ "ap0002",	"presence", false },
	{ "ap0004",	"location", false },
	{ "ap0005",	"multimedia messages 1.3", false },
	{ 0 }
};

const struct schema_type *
schema_type(struct text type)
{
	for (const struct schema_type *t = schema_types; t->type != NULL; t++)
		if (text_is(type, t->type))
			return t;
	return NULL;
}

const struct schema_type *
schema_type_nocase(struct text type)
{
	for (const struct schema_type *t = schema_types; t->type != NULL; t++)
		if (text_is_nocase(type, t->type))
			return t;
	return NULL;
}

const struct schema_provider *
schema_provider(struct text type)
{
	for (const struct schema_provider *p = schema_providers; p->type != NULL; p++)
		if (text_is(type, p->type))
			return p;
	return NULL;
}

const struct schema_application *
schema_application(struct text appid)
{
	for (const struct schema_application *a = schema_applications; a->appid != NULL; a++)
		if (text_is(appid, a->appid))
			return a;
	return NULL;
}

const struct schema_parm *
schema_parm(const struct schema_type *in, struct text appid, struct text name)
{
	for (const struct schema_parm *p = in->parms; p != NULL && p->name != NULL; p++)
		if (text_is(name, p->name) && (p->app == NULL || text_is(appid, p->app)))
			return p;
	return NULL;
}

static bool
schema_lists(const char *const *list, size_t room, struct text word)
{
	for (size_t i = 0; i < room && list[i] != NULL; i++)
		if (text_is(word, list[i]))
			return true;
	return false;
}

bool
schema_may_hold(struct text parent, struct text child)
{
	const struct schema_type *t = schema_type_nocase(child);
	const struct schema_type *within = schema_type_nocase(parent);
	const struct schema_provider *p = schema_provider(parent);

	if (text_is(parent, "VENDORCONFIG"))
		return t == NULL;
	if (within != NULL && within->addendum)
		return true;
	if (t != NULL) {
		if (t->parents[0] == NULL)
			return true;
		for (size_t i = 0; i < sizeof t->parents / sizeof *t->parents; i++)
			if (t->parents[i] != NULL && text_is_nocase(parent, t->parents[i]))
				return true;
		/* a provider may use the same word for something of its own */
		return p != NULL && schema_lists(p->inside, 6, child);
	}
	if (schema_provider(child) != NULL)
		return text_is(parent, "/") || (p != NULL && schema_lists(p->inside, 6, child));
	return within == NULL;		/* the root, or a type that nobody knows either */
}
