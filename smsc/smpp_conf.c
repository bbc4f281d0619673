/*
 * smpp_conf.c - the rows of the SMPP driver, and what follows from them
 *
 * One group is one bind: `port` with transceiver-mode a transceiver, `port` alone a transmitter,
 * `receive-port` alone a receiver.  Kannel's one group with both ports becomes two groups that
 * share an smsc-id.
 *
 * Knows:     keys, their defaults and ranges, which combinations make no sense.
 * Does not:  know sessions.
 * Owns:      the password and the table of optional parameters of a struct smpp_conf.
 * Threads:   the loop.
 */
#include "smsc/smpp_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/finding.h"
#include "smsc/smpp_window.h"

enum { TON_NATIONAL = 2, NPI_ISDN = 1, PASSWORD_USUAL = 8, TLVS_CONFIGURED_MOST = 64 };
enum { RESPONSE_IS_HEX = 1, RECEIPT_IS_HEX = 2 };	/* msg-id-type */

#define AT(field)	offsetof(struct smpp_conf, field)
#define KEY(key, kind, field, default, low, high, words)			\
	{ .name = key, .type = kind, .at = AT(field), .standard = default, .least = low,	\
	  .most = high, .text = words }

const struct conf_key smpp_keys[] = {
	{ .name = "host", .type = CONF_TEXT, .at = AT(host), .required = true,
	  .text = "Name or address of the SMSC." },
	KEY("port", CONF_PORT, port, NULL, 1, 65535,
	    "TCP port of the SMSC for sending; 2775 when receive-port is not given either."),
	KEY("receive-port", CONF_PORT, receive_port, NULL, 1, 65535,
	    "TCP port of the SMSC for a bind that only receives; not together with port."),
	KEY("our-host", CONF_TEXT, our_host, NULL, 0, 0, "Local address to connect from."),
	KEY("our-port", CONF_PORT, our_port, NULL, 1, 65535,
	    "Local TCP port to connect from, with port."),
	KEY("our-receiver-port", CONF_PORT, our_receiver_port, NULL, 1, 65535,
	    "Local TCP port to connect from, with receive-port."),
	KEY("transceiver-mode", CONF_FLAG, transceiver, "no", 0, 0,
	    "Bind as transceiver: one connection sends and receives."),
	KEY("smsc-username", CONF_TEXT, username, NULL, 0, 0, "system_id of the bind."),
	KEY("system-id", CONF_TEXT, old_username, NULL, 0, 0, "Old name of smsc-username."),
	KEY("smsc-password", CONF_SECRET, password, NULL, 0, 0,
	    "Password of the bind; never printed."),
	KEY("system-type", CONF_TEXT, system_type, "VMA", 0, 0, "system_type of the bind."),
	KEY("address-range", CONF_TEXT, address_range, "", 0, 0,
	    "address_range of the bind: the numbers to receive for."),
	KEY("service-type", CONF_TEXT, service_type, NULL, 0, 0,
	    "service_type of messages that bring no binfo; at most 5 characters."),
	KEY("interface-version", CONF_NUMBER, version, "34", 33, 50,
	    "SMPP version as digits: 33, 34 or 50. With 33 no optional parameters are sent."),
	KEY("reconnect-delay", CONF_SECONDS, reconnect_s, "10", 0, 86400,
	    "First pause before a new attempt to connect; grows to ten times this."),
	KEY("enquire-link-interval", CONF_SECONDS, enquire_s, "30", 0, 86400,
	    "Silence after which the SMSC is asked whether it is alive; 0: never."),
	KEY("enquire-link-timeout", CONF_SECONDS, enquire_wait_s, "20", 1, 30,
	    "Time to wait for any sign of life after that, before the line is dropped."),
	KEY("max-pending-submits", CONF_NUMBER, window, "10", 1, SMPP_WINDOW_MOST,
	    "How many submit_sm may wait for an answer."),
	KEY("connection-timeout", CONF_SECONDS, connection_s, "300", 0, 86400,
	    "Bound of connecting and binding (30 s at most), and of silence when the SMSC is "
	    "not asked; 0: 30 s, and no bound of silence."),
	KEY("wait-ack", CONF_SECONDS, wait_ack_s, "60", 1, 86400,
	    "Time for a submit_sm_resp; then the outcome is unknown."),
	KEY("wait-ack-expire", CONF_NUMBER, unanswered, "1", 0, 2,
	    "When that time is over: 0 also reconnect; 1 and 2 only the outcome is unknown "
	    "(outcome-unknown says what becomes of it)."),
	KEY("esm-class", CONF_NUMBER, esm_class, "3", 0, 255,
	    "esm_class of submit_sm, without user data header and reply path: 3 is store and "
	    "forward, 0 the SMSC's default."),
	KEY("priority", CONF_NUMBER, priority, "0", 0, 3,
	    "priority_flag of messages that bring no priority."),
	KEY("validityperiod", CONF_NUMBER, validity_min, "-1", -1, 525600,
	    "Minutes of validity that the SMSC is told when the message brings none; -1: none."),
	KEY("msg-id-type", CONF_NUMBER, id_type, "-1", -1, 3,
	    "How the SMSC writes message ids: 1 hex in submit_sm_resp, 2 hex in receipts, 3 both, "
	    "0 decimal in both; -1: text, compared as it is but for case and leading zeros."),
	KEY("source-addr-ton", CONF_NUMBER, source_ton, "-1", -1, 7,
	    "Type of number of the sender; only together with source-addr-npi. -1: national."),
	KEY("source-addr-npi", CONF_NUMBER, source_npi, "-1", -1, 18,
	    "Numbering plan of the sender. -1: ISDN."),
	KEY("dest-addr-ton", CONF_NUMBER, dest_ton, "-1", -1, 7,
	    "Type of number of the receiver; only together with dest-addr-npi. -1: national. A "
	    "number with + is always international."),
	KEY("dest-addr-npi", CONF_NUMBER, dest_npi, "-1", -1, 18,
	    "Numbering plan of the receiver. -1: ISDN."),
	KEY("bind-addr-ton", CONF_NUMBER, bind_ton, "0", 0, 7, "addr_ton of the bind."),
	KEY("bind-addr-npi", CONF_NUMBER, bind_npi, "0", 0, 18, "addr_npi of the bind."),
	KEY("source-addr-autodetect", CONF_FLAG, autodetect, "yes", 0, 0,
	    "Senders with + and digits are international, those with other than digits "
	    "alphanumeric."),
	KEY("alt-addr-charset", CONF_TEXT, alt_addr_charset, NULL, 0, 0,
	    "Charset of alphanumeric senders: gsm, or a name that iconv knows."),
	KEY("receipt-domain", CONF_TEXT, receipt_domain, NULL, 0, 0,
	    "Links with the same text share message ids: a receipt may come over another one. "
	    "Default: user and host of the SMSC."),
	KEY("use-ssl", CONF_FLAG, use_ssl, "no", 0, 0, "TLS from the first octet."),
	KEY("ssl-client-certkey-file", CONF_TEXT, certkey_file, NULL, 0, 0,
	    "PEM file with our certificate and its key."),
	KEY("ssl-ca-file", CONF_TEXT, ca_file, NULL, 0, 0,
	    "PEM file with the certificates to trust; default: the system's."),
	KEY("ssl-verify", CONF_FLAG, ssl_verify, "yes", 0, 0,
	    "Whether the SMSC must show a certificate that is trusted and names it."),
	KEY("ssl-server-name", CONF_TEXT, server_name, NULL, 0, 0,
	    "Name that the certificate must have, when it is not that of host."),
	{ .name = "log-format", .type = CONF_NUMBER, .effect = CONF_NEVER,
	  .text = "PDUs are logged in one form, at level debug." },
	{ .name = NULL }
};

/* Keys of every smsc group (dispatch/link.c has their rows) that this driver looks at, too. */
static const struct conf_key shared_keys[] = {
	KEY("my-number", CONF_TEXT, my_number, NULL, 0, 0,
	    "Receiver of incoming texts, instead of what the SMSC says."),
	{ .name = NULL }
};

struct tlv_group {
	const char	*name, *smsc_id, *constant;
	long		 tag, length;
	int		 kind;
};
#define TLV_AT(field)	offsetof(struct tlv_group, field)

static const char *const tlv_kinds[] = {
	[SMPP_TLV_OCTETS] = "octetstring", [SMPP_TLV_STRING] = "nulterminated",
	[SMPP_TLV_INTEGER] = "integer", NULL
};

const struct conf_key smpp_tlv_keys[] = {
	{ .name = "name", .type = CONF_TEXT, .at = TLV_AT(name), .required = true,
	  .text = "Name in meta-data: ?smpp?name=value." },
	{ .name = "tag", .type = CONF_NUMBER, .at = TLV_AT(tag), .least = 1, .most = 65535,
	  .required = true, .text = "Tag of the optional parameter, 0x1403 for instance." },
	{ .name = "length", .type = CONF_NUMBER, .at = TLV_AT(length), .least = 1, .most = 1024,
	  .required = true, .text = "Octets of an integer; the most octets of the other types." },
	{ .name = "type", .type = CONF_CHOICE, .at = TLV_AT(kind), .choices = tlv_kinds,
	  .required = true, .text = "octetstring, nulterminated or integer." },
	{ .name = "smsc-id", .type = CONF_TEXT, .at = TLV_AT(smsc_id),
	  .text = "Links that know it, separated by ';'; default: all." },
	{ .name = "const", .type = CONF_TEXT, .at = TLV_AT(constant),
	  .text = "Value to send with every message that brings none." },
	{ .name = NULL }
};

static bool
listed(const char *list, const char *name)
{
	struct text rest = text_of(list), part;

	while (text_cut(&rest, ';', &part))
		if (name != NULL && text_is(text_trim(part), name))
			return true;
	return false;
}

/* Rules that name this link come first: of two with one name the nearer one holds. */
static int
read_tlvs(struct smpp_conf *c, struct conf *conf, const char *smsc_id, struct findings *findings,
    struct err *err)
{
	size_t count = 0;

	c->tlvs = calloc(TLVS_CONFIGURED_MOST, sizeof *c->tlvs);
	if (c->tlvs == NULL)
		return err_set(err, ERR_SYSTEM, "no memory for the smpp-tlv groups");
	for (int named = 1; named >= 0; named--) {
		const struct conf_group *g = NULL;

		while ((g = conf_next(conf, "smpp-tlv", g)) != NULL) {
			struct tlv_group t = { 0 };

			if (conf_bind(conf, g, smpp_tlv_keys, &t, named ? findings : NULL) == -1)
				return err_set(err, ERR_CONFIG, "a group smpp-tlv is wrong");
			if ((t.smsc_id != NULL) != (named == 1) ||
			    (named && !listed(t.smsc_id, smsc_id)))
				continue;
			if (count == TLVS_CONFIGURED_MOST)
				return err_set(err, ERR_LIMIT, "more than %d groups smpp-tlv",
				    TLVS_CONFIGURED_MOST);
			c->tlvs[count++] = (struct smpp_tlv_rule){ t.name, t.constant, t.tag, t.length,
			    t.kind };
		}
	}
	c->rules.tlvs = c->tlvs;
	c->rules.tlv_count = count;
	return 0;
}

static int
fault(struct findings *findings, const struct conf_group *g, const char *key, struct err *err,
    const char *text)
{
	unsigned line = conf_group_line(g);

	if (key != NULL)
		conf_value(g, key, &line);
	finding_add(findings, SEVERITY_ERROR, NULL, conf_group_file(g), line, 0, "%s", text);
	return err_set(err, ERR_CONFIG, "%s", text);
}

static void
advise(struct findings *findings, const struct conf_group *g, const char *key, const char *text)
{
	unsigned line = conf_group_line(g);

	conf_value(g, key, &line);
	finding_add(findings, SEVERITY_WARNING, NULL, conf_group_file(g), line, 0, "%s", text);
}

static int
choose_bind(struct smpp_conf *c, const struct conf_group *g, struct findings *findings,
    struct err *err)
{
	if (c->receive_port != 0 && !c->transceiver) {
		if (c->port != 0)
			return fault(findings, g, "receive-port", err, "port and receive-port in one "
			    "group: make it two groups with the same smsc-id, or use transceiver-mode");
		c->bind = SMPP_BIND_RECEIVER;
		c->connect_port = (unsigned)c->receive_port;
		c->local_port = (unsigned)c->our_receiver_port;
		return 0;
	}
	if (c->receive_port != 0)
		advise(findings, g, "receive-port", "receive-port means nothing with transceiver-mode");
	c->bind = c->transceiver ? SMPP_BIND_TRANSCEIVER : SMPP_BIND_TRANSMITTER;
	c->connect_port = c->port != 0 ? (unsigned)c->port : 2775;
	c->local_port = (unsigned)c->our_port;
	return 0;
}

static bool
is_loopback(const char *host)
{
	return strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
	    strncmp(host, "127.", 4) == 0;
}

static int
check_login(struct smpp_conf *c, const struct conf_group *g, struct findings *findings,
    struct err *err)
{
	if (c->username == NULL)
		c->username = c->old_username;
	if (c->username == NULL)
		return fault(findings, g, NULL, err, "smsc-username is missing");
	if (strlen(c->username) > 64)
		return fault(findings, g, "smsc-username", err, "smsc-username has over 64 octets");
	if (strlen(c->username) > 15)
		advise(findings, g, "smsc-username", "smsc-username has over 15 octets: some SMSCs "
		    "refuse that");
	if (c->password.len > 64)
		return fault(findings, g, "smsc-password", err, "smsc-password has over 64 octets");
	if (c->password.len > PASSWORD_USUAL)
		advise(findings, g, "smsc-password", "smsc-password has over 8 octets: SMPP 3.4 "
		    "allows 8, some SMSCs cut it or refuse it");
	if (secret_given(&c->password) && !c->use_ssl && !is_loopback(c->host))
		advise(findings, g, "smsc-password", "the password crosses the network readable: set "
		    "use-ssl = yes, or use a tunnel");
	if (c->use_ssl && !c->ssl_verify)
		advise(findings, g, "ssl-verify", "without ssl-verify anybody on the way can pretend "
		    "to be the SMSC");
	return 0;
}

static int
check_fields(const struct smpp_conf *c, const struct conf_group *g, struct findings *findings,
    struct err *err)
{
	static const struct {
		const char	*key, *text;
		size_t		 at, most;
	} bounds[] = {
		{ "system-type", "system-type has over 12 octets", AT(system_type), 12 },
		{ "address-range", "address-range has over 40 octets", AT(address_range), 40 },
		{ "service-type", "service-type has over 5 octets", AT(service_type), 5 },
	};

	for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
		const char *value = *(const char *const *)((const char *)c + bounds[i].at);

		if (value != NULL && strlen(value) > bounds[i].most)
			return fault(findings, g, bounds[i].key, err, bounds[i].text);
	}
	if (c->version > 34 && c->version < 50)
		return fault(findings, g, "interface-version", err,
		    "interface-version is 33, 34 or 50");
	if ((c->source_ton >= 0) != (c->source_npi >= 0))
		advise(findings, g, c->source_ton >= 0 ? "source-addr-ton" : "source-addr-npi",
		    "source-addr-ton and source-addr-npi mean nothing without each other");
	if ((c->dest_ton >= 0) != (c->dest_npi >= 0))
		advise(findings, g, c->dest_ton >= 0 ? "dest-addr-ton" : "dest-addr-npi",
		    "dest-addr-ton and dest-addr-npi mean nothing without each other");
	return 0;
}

static void
make_rules(struct smpp_conf *c)
{
	bool source = c->source_ton >= 0 && c->source_npi >= 0;
	bool dest = c->dest_ton >= 0 && c->dest_npi >= 0;
	struct smpp_submit_rules *r = &c->rules;

	r->esm_class = (uint8_t)c->esm_class;
	r->priority = (uint8_t)c->priority;
	r->version = (uint8_t)(c->version / 10 << 4 | c->version % 10);
	r->source_ton = source ? (uint8_t)c->source_ton : TON_NATIONAL;
	r->source_npi = source ? (uint8_t)c->source_npi : NPI_ISDN;
	r->dest_ton = dest ? (uint8_t)c->dest_ton : TON_NATIONAL;
	r->dest_npi = dest ? (uint8_t)c->dest_npi : NPI_ISDN;
	r->autodetect = c->autodetect;
	r->alt_addr_charset = c->alt_addr_charset;
	r->service_type = c->service_type;
	r->validity_min = c->validity_min;
	if (c->id_type < 0) {
		c->id_of_response = c->id_of_receipt = SMPP_ID_TEXT;
	} else {
		c->id_of_response = c->id_type & RESPONSE_IS_HEX ? SMPP_ID_HEX : SMPP_ID_DECIMAL;
		c->id_of_receipt = c->id_type & RECEIPT_IS_HEX ? SMPP_ID_HEX : SMPP_ID_DECIMAL;
	}
}

static void
make_names(struct smpp_conf *c)
{
	snprintf(c->description, sizeof c->description, "SMPP:%s:%u/%u:%s:%s", c->host,
	    c->connect_port, c->connect_port, c->username, c->system_type);
	if (c->receipt_domain != NULL)
		snprintf(c->domain, sizeof c->domain, "%s", c->receipt_domain);
	else
		snprintf(c->domain, sizeof c->domain, "%s@%s", c->username, c->host);
}

int
smpp_conf_read(struct smpp_conf *c, struct conf *conf, const struct conf_group *g,
    struct findings *findings, struct err *err)
{
	memset(c, 0, sizeof *c);
	if (conf_bind(conf, g, smpp_keys, c, findings) == -1 ||
	    conf_bind(conf, g, shared_keys, c, findings) == -1)
		return err_set(err, ERR_CONFIG, "the smsc group in %s, line %u, is wrong",
		    conf_group_file(g), conf_group_line(g));
	if (choose_bind(c, g, findings, err) == -1 || check_login(c, g, findings, err) == -1 ||
	    check_fields(c, g, findings, err) == -1 ||
	    read_tlvs(c, conf, conf_value(g, "smsc-id", NULL), findings, err) == -1)
		return -1;
	make_rules(c);
	make_names(c);
	return 0;
}

void
smpp_conf_free(struct smpp_conf *c)
{
	conf_unbind(smpp_keys, c);
	free(c->tlvs);
	c->tlvs = NULL;
}

static bool
same_values(const struct conf_key *keys, const struct conf_group *a, const struct conf_group *b)
{
	for (const struct conf_key *k = keys; k->name != NULL; k++) {
		const char *one = conf_value(a, k->name, NULL), *other = conf_value(b, k->name, NULL);

		if ((one == NULL) != (other == NULL) || (one != NULL && strcmp(one, other) != 0))
			return false;
	}
	return true;
}

bool
smpp_conf_same(const struct conf_group *a, const struct conf_group *b)
{
	return same_values(smpp_keys, a, b) && same_values(shared_keys, a, b);
}
