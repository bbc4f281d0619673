/*
 * smpp_pdu.c - SMPP 3.4 PDUs: one table of fields, three loops over it
 *
 * Reading, writing and printing walk the same rows, so they cannot disagree.  The sizes are the
 * specification's, with its NUL, but for those that the field exceeds in practice: passwords,
 * system ids, addresses and ids that come from an SMSC.
 *
 * Knows:     the layout of PDUs and optional parameters, names of commands and states of errors.
 * Does not:  know sessions, sequence numbers, or what a field's value means.
 * Owns:      nothing: a read PDU is views into the caller's octets.
 * Threads:   pure.
 */
#include "smsc/smpp_pdu.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

enum field_kind {
	F_OCTET,	/* one octet */
	F_STRING,	/* C-string, `most` octets with its NUL */
	F_MESSAGE,	/* length octet, octets */
	F_SECRET	/* C-string that is never printed */
};

struct field {
	const char	*name;
	enum field_kind	 kind;
	uint16_t	 most;
	size_t		 at;
};

#define OCTET(label, member)		{ label, F_OCTET, 1, offsetof(struct smpp_pdu, member) }
#define STRING(label, member, most)	{ label, F_STRING, most, offsetof(struct smpp_pdu, member) }
#define SOURCE(most)							\
	OCTET("source_addr_ton", source_ton), OCTET("source_addr_npi", source_npi),	\
	STRING("source_addr", source, most)
#define DESTINATION(most)						\
	OCTET("dest_addr_ton", dest_ton), OCTET("dest_addr_npi", dest_npi),	\
	STRING("destination_addr", destination, most)
#define END				{ NULL, F_OCTET, 0, 0 }

enum { WILD = 65, WILD_ID = 256 };	/* longer than 3.4 allows, met in practice */

static const struct field bind_fields[] = {
	STRING("system_id", system_id, WILD),
	{ "password", F_SECRET, WILD, offsetof(struct smpp_pdu, password) },
	STRING("system_type", system_type, 13),
	OCTET("interface_version", interface_version),
	OCTET("addr_ton", addr_ton), OCTET("addr_npi", addr_npi),
	STRING("address_range", address_range, 41), END
};
static const struct field outbind_fields[] = {
	STRING("system_id", system_id, WILD),
	{ "password", F_SECRET, WILD, offsetof(struct smpp_pdu, password) }, END
};
static const struct field bind_resp_fields[] = {
	STRING("system_id", system_id, WILD), END
};

#define MESSAGE_FIELDS(service, address)				\
	STRING("service_type", service_type, service),			\
	SOURCE(address), DESTINATION(address),				\
	OCTET("esm_class", esm_class), OCTET("protocol_id", protocol_id),	\
	OCTET("priority_flag", priority),				\
	STRING("schedule_delivery_time", schedule_time, 17),		\
	STRING("validity_period", validity, 17),			\
	OCTET("registered_delivery", registered_delivery),		\
	OCTET("replace_if_present_flag", replace_if_present),		\
	OCTET("data_coding", data_coding), OCTET("sm_default_msg_id", default_msg_id),	\
	{ "short_message", F_MESSAGE, 255, offsetof(struct smpp_pdu, message) }, END

static const struct field submit_fields[] = { MESSAGE_FIELDS(6, 21) };
static const struct field deliver_fields[] = { MESSAGE_FIELDS(WILD, WILD) };
static const struct field data_fields[] = {
	STRING("service_type", service_type, WILD),
	SOURCE(WILD), DESTINATION(WILD),
	OCTET("esm_class", esm_class), OCTET("registered_delivery", registered_delivery),
	OCTET("data_coding", data_coding), END
};
static const struct field id_fields[] = {
	STRING("message_id", message_id, WILD_ID), END
};
static const struct field query_fields[] = {
	STRING("message_id", message_id, WILD_ID), SOURCE(21), END
};
static const struct field cancel_fields[] = {
	STRING("service_type", service_type, 6),
	STRING("message_id", message_id, WILD_ID), SOURCE(21), DESTINATION(21), END
};
static const struct field replace_fields[] = {
	STRING("message_id", message_id, WILD_ID), SOURCE(21),
	STRING("schedule_delivery_time", schedule_time, 17),
	STRING("validity_period", validity, 17),
	OCTET("registered_delivery", registered_delivery),
	OCTET("sm_default_msg_id", default_msg_id),
	{ "short_message", F_MESSAGE, 255, offsetof(struct smpp_pdu, message) }, END
};
/* esme_addr stands in `destination`. */
static const struct field alert_fields[] = { SOURCE(WILD), DESTINATION(WILD), END };

/* `fields` and `resp` NULL: the body, if there is one, is nobody's business here. */
static const struct command {
	uint32_t	 id;
	const char	*name, *resp_name;	/* resp_name NULL: it has no response */
	const struct field *fields, *resp;
} commands[] = {
	{ SMPP_SUBMIT_SM, "submit_sm", "submit_sm_resp", submit_fields, id_fields },
	{ SMPP_DELIVER_SM, "deliver_sm", "deliver_sm_resp", deliver_fields, id_fields },
	{ SMPP_DATA_SM, "data_sm", "data_sm_resp", data_fields, id_fields },
	{ SMPP_ENQUIRE_LINK, "enquire_link", "enquire_link_resp", NULL, NULL },
	{ SMPP_BIND_RECEIVER, "bind_receiver", "bind_receiver_resp", bind_fields, bind_resp_fields },
	{ SMPP_BIND_TRANSMITTER, "bind_transmitter", "bind_transmitter_resp", bind_fields,
	    bind_resp_fields },
	{ SMPP_BIND_TRANSCEIVER, "bind_transceiver", "bind_transceiver_resp", bind_fields,
	    bind_resp_fields },
	{ SMPP_UNBIND, "unbind", "unbind_resp", NULL, NULL },
	{ SMPP_OUTBIND, "outbind", NULL, outbind_fields, NULL },
	{ SMPP_QUERY_SM, "query_sm", "query_sm_resp", query_fields, NULL },
	{ SMPP_REPLACE_SM, "replace_sm", "replace_sm_resp", replace_fields, NULL },
	{ SMPP_CANCEL_SM, "cancel_sm", "cancel_sm_resp", cancel_fields, NULL },
	{ SMPP_SUBMIT_MULTI, "submit_multi", "submit_multi_resp", NULL, NULL },
	{ SMPP_ALERT_NOTIFICATION, "alert_notification", NULL, alert_fields, NULL },
	{ 0x111, "broadcast_sm", "broadcast_sm_resp", NULL, NULL },
	{ 0x112, "query_broadcast_sm", "query_broadcast_sm_resp", NULL, NULL },
	{ 0x113, "cancel_broadcast_sm", "cancel_broadcast_sm_resp", NULL, NULL },
	{ 0, NULL, NULL, NULL, NULL }
};

static const struct status_name {
	uint32_t	 code;
	const char	*name;
} status_names[] = {
	{ 0x00, "ESME_ROK" }, { 0x01, "ESME_RINVMSGLEN" }, { 0x02, "ESME_RINVCMDLEN" },
	{ 0x03, "ESME_RINVCMDID" }, { 0x04, "ESME_RINVBNDSTS" }, { 0x05, "ESME_RALYBND" },
	{ 0x06, "ESME_RINVPRTFLG" }, { 0x07, "ESME_RINVREGDLVFLG" }, { 0x08, "ESME_RSYSERR" },
	{ 0x0a, "ESME_RINVSRCADR" }, { 0x0b, "ESME_RINVDSTADR" }, { 0x0c, "ESME_RINVMSGID" },
	{ 0x0d, "ESME_RBINDFAIL" }, { 0x0e, "ESME_RINVPASWD" }, { 0x0f, "ESME_RINVSYSID" },
	{ 0x11, "ESME_RCANCELFAIL" }, { 0x13, "ESME_RREPLACEFAIL" }, { 0x14, "ESME_RMSGQFUL" },
	{ 0x15, "ESME_RINVSERTYP" }, { 0x33, "ESME_RINVNUMDESTS" }, { 0x34, "ESME_RINVDLNAME" },
	{ 0x40, "ESME_RINVDESTFLAG" }, { 0x42, "ESME_RINVSUBREP" }, { 0x43, "ESME_RINVESMCLASS" },
	{ 0x44, "ESME_RCNTSUBDL" }, { 0x45, "ESME_RSUBMITFAIL" }, { 0x48, "ESME_RINVSRCTON" },
	{ 0x49, "ESME_RINVSRCNPI" }, { 0x50, "ESME_RINVDSTTON" }, { 0x51, "ESME_RINVDSTNPI" },
	{ 0x53, "ESME_RINVSYSTYP" }, { 0x54, "ESME_RINVREPFLAG" }, { 0x55, "ESME_RINVNUMMSGS" },
	{ 0x58, "ESME_RTHROTTLED" }, { 0x61, "ESME_RINVSCHED" }, { 0x62, "ESME_RINVEXPIRY" },
	{ 0x63, "ESME_RINVDFTMSGID" }, { 0x64, "ESME_RX_T_APPN" }, { 0x65, "ESME_RX_P_APPN" },
	{ 0x66, "ESME_RX_R_APPN" }, { 0x67, "ESME_RQUERYFAIL" }, { 0xc0, "ESME_RINVOPTPARSTREAM" },
	{ 0xc1, "ESME_ROPTPARNOTALLWD" }, { 0xc2, "ESME_RINVPARLEN" },
	{ 0xc3, "ESME_RMISSINGOPTPARAM" }, { 0xc4, "ESME_RINVOPTPARAMVAL" },
	{ 0xfe, "ESME_RDELIVERYFAILURE" }, { 0xff, "ESME_RUNKNOWNERR" },
	{ 0x100, "ESME_RSERTYPUNAUTH" }, { 0x101, "ESME_RPROHIBITED" },
	{ 0x102, "ESME_RSERTYPUNAVAIL" }, { 0x103, "ESME_RSERTYPDENIED" },
	{ 0x104, "ESME_RINVDCS" }, { 0x105, "ESME_RINVSRCADDRSUBUNIT" },
	{ 0x106, "ESME_RINVDSTADDRSUBUNIT" }, { 0x107, "ESME_RINVBCASTFREQINT" },
	{ 0x108, "ESME_RINVBCASTALIAS_NAME" }, { 0x109, "ESME_RINVBCASTAREAFMT" },
	{ 0x10a, "ESME_RINVNUMBCAST_AREAS" }, { 0x10b, "ESME_RINVBCASTCNTTYPE" },
	{ 0x10c, "ESME_RINVBCASTMSGCLASS" }, { 0x10d, "ESME_RBCASTFAIL" },
	{ 0x10e, "ESME_RBCASTQUERYFAIL" }, { 0x10f, "ESME_RBCASTCANCELFAIL" },
	{ 0x110, "ESME_RINVBCAST_REP" }, { 0x111, "ESME_RINVBCASTSRVGRP" },
	{ 0x112, "ESME_RINVBCASTCHANIND" }, { 0, NULL }
};

static const struct command *
command_find(uint32_t id)
{
	for (const struct command *c = commands; c->name != NULL; c++)
		if (c->id == (id & ~SMPP_RESP))
			return c;
	return NULL;
}

/* NULL: no fields, and what follows the header is not looked at. */
static const struct field *
fields_of(uint32_t id)
{
	const struct command *c = command_find(id);

	if (c == NULL)
		return NULL;
	return id & SMPP_RESP ? c->resp : c->fields;
}

static inline uint8_t *
octet_at(const struct smpp_pdu *pdu, const struct field *f)
{
	return (uint8_t *)pdu + f->at;
}

static inline struct text *
text_at(const struct smpp_pdu *pdu, const struct field *f)
{
	return (struct text *)((uint8_t *)pdu + f->at);
}

long
smpp_pdu_length(struct text start)
{
	struct cur c = cur_on(start.at, start.len);
	uint32_t length;

	if (start.len < 4)
		return 0;
	length = cur_u32(&c);
	if (length < SMPP_HEADER || length > SMPP_PDU_MOST)
		return -1;
	return (long)length;
}

/* In a response the last string may have lost its NUL: the end of the PDU will do. */
static int
read_string(struct cur *c, const struct field *f, bool response, struct text *out, struct err *err)
{
	size_t left = cur_left(c), look = left < f->most ? left : f->most;
	const uint8_t *start = c->at, *nul = look > 0 ? memchr(start, 0, look) : NULL;

	if (nul != NULL) {
		*out = (struct text){ (const char *)start, (size_t)(nul - start) };
		c->at = nul + 1;
		return 0;
	}
	if (response && left < f->most) {
		*out = (struct text){ (const char *)start, left };
		c->at = c->end;
		return 0;
	}
	if (left < f->most)
		return err_set(err, ERR_SYNTAX, "the PDU ends inside %s", f->name);
	return err_set(err, ERR_LIMIT, "%s is longer than its %u octets", f->name, f->most - 1u);
}

static int
read_field(struct cur *c, const struct field *f, struct smpp_pdu *pdu, struct err *err)
{
	const uint8_t *octets;
	uint8_t n;

	switch (f->kind) {
	case F_OCTET:
		*octet_at(pdu, f) = cur_u8(c);
		break;
	case F_STRING:
	case F_SECRET:
		return read_string(c, f, pdu->command & SMPP_RESP, text_at(pdu, f), err);
	case F_MESSAGE:
		n = cur_u8(c);
		octets = cur_bytes(c, n);
		*text_at(pdu, f) = (struct text){ (const char *)octets, octets != NULL ? n : 0 };
		break;
	}
	if (c->short_of)
		return err_set(err, ERR_SYNTAX, "the PDU ends inside %s", f->name);
	return 0;
}

static int
read_tlvs(struct cur *c, struct smpp_pdu *pdu, struct err *err)
{
	while (cur_left(c) > 0) {
		struct smpp_tlv tlv = { .tag = cur_u16(c) };
		uint16_t n = cur_u16(c);
		size_t left = cur_left(c);

		if (c->short_of)
			return err_set(err, ERR_SYNTAX, "the PDU ends inside an optional parameter");
		if (n > left)
			return err_set(err, ERR_SYNTAX,
			    "optional parameter 0x%04x claims %u octets, %zu are left", tlv.tag, n, left);
		if (pdu->tlv_count == SMPP_TLVS_MOST)
			return err_set(err, ERR_LIMIT, "more than %d optional parameters", SMPP_TLVS_MOST);
		tlv.value = (struct text){ (const char *)cur_bytes(c, n), n };
		pdu->tlvs[pdu->tlv_count++] = tlv;
	}
	return 0;
}

int
smpp_pdu_read(struct text octets, struct smpp_pdu *pdu, struct err *err)
{
	struct cur c = cur_on(octets.at, octets.len);
	const struct field *f;
	uint32_t length;

	memset(pdu, 0, offsetof(struct smpp_pdu, tlvs));
	length = cur_u32(&c);
	pdu->command = cur_u32(&c);
	pdu->status = cur_u32(&c);
	pdu->sequence = cur_u32(&c);
	if (c.short_of)
		return err_set(err, ERR_SYNTAX, "a PDU of %zu octets has no whole header", octets.len);
	if (length != octets.len)
		return err_set(err, ERR_SYNTAX, "command_length is %lu, the PDU has %zu octets",
		    (unsigned long)length, octets.len);
	f = fields_of(pdu->command);
	if (f == NULL || (cur_left(&c) == 0 && pdu->command & SMPP_RESP))
		return 0;
	for (; f->name != NULL; f++)
		if (read_field(&c, f, pdu, err) == -1)
			return -1;
	return read_tlvs(&c, pdu, err);
}

static int
write_string(const struct field *f, struct text value, struct buf *out, struct err *err)
{
	if (value.len >= f->most)
		return err_set(err, ERR_LIMIT, "%s has %zu octets, %u are allowed", f->name, value.len,
		    f->most - 1u);
	if (value.len > 0 && memchr(value.at, 0, value.len) != NULL)
		return err_set(err, ERR_SYNTAX, "%s holds a NUL", f->name);
	buf_bytes(out, value.at, value.len);
	buf_u8(out, 0);
	return 0;
}

static int
write_field(const struct field *f, const struct smpp_pdu *pdu, struct buf *out, struct err *err)
{
	struct text value;

	switch (f->kind) {
	case F_OCTET:
		buf_u8(out, *octet_at(pdu, f));
		break;
	case F_STRING:
	case F_SECRET:
		return write_string(f, *text_at(pdu, f), out, err);
	case F_MESSAGE:
		value = *text_at(pdu, f);
		if (value.len > f->most)
			return err_set(err, ERR_LIMIT, "%s has %zu octets, %u are allowed", f->name,
			    value.len, f->most);
		buf_u8(out, (uint8_t)value.len);
		buf_bytes(out, value.at, value.len);
		break;
	}
	return 0;
}

static int
write_body(const struct smpp_pdu *pdu, struct buf *out, struct err *err)
{
	const struct field *f = fields_of(pdu->command);

	if (f == NULL)
		return 0;
	/* 3.4, 4.4.2: no body when the status is an error */
	if (pdu->command & SMPP_RESP && pdu->status != 0 && text_at(pdu, f)->len == 0 &&
	    pdu->tlv_count == 0)
		return 0;
	for (; f->name != NULL; f++)
		if (write_field(f, pdu, out, err) == -1)
			return -1;
	for (unsigned i = 0; i < pdu->tlv_count && i < SMPP_TLVS_MOST; i++) {
		const struct smpp_tlv *t = &pdu->tlvs[i];

		if (t->value.len > UINT16_MAX)
			return err_set(err, ERR_LIMIT, "optional parameter 0x%04x has %zu octets", t->tag,
			    t->value.len);
		buf_u16(out, t->tag);
		buf_u16(out, (uint16_t)t->value.len);
		buf_bytes(out, t->value.at, t->value.len);
	}
	return 0;
}

int
smpp_pdu_write(const struct smpp_pdu *pdu, struct buf *out, struct err *err)
{
	size_t start = out->len, length;
	struct buf head;

	buf_u32(out, 0);
	buf_u32(out, pdu->command);
	buf_u32(out, pdu->status);
	buf_u32(out, pdu->sequence);
	if (write_body(pdu, out, err) == -1) {
		out->len = start;
		return -1;
	}
	length = out->len - start;
	if (out->overflow || length > SMPP_PDU_MOST) {
		out->len = start;
		return err_set(err, ERR_LIMIT, "%s does not fit", smpp_command_name(pdu->command));
	}
	head = buf_on(out->data + start, 4);
	buf_u32(&head, (uint32_t)length);
	return 0;
}

/* Strings of a PDU are whatever the peer sent: one line stays one line. */
static void
print_string(struct text value, struct buf *out)
{
	buf_u8(out, '"');
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			buf_printf(out, "\\x%02x", c);
		else
			buf_u8(out, c);
	}
	buf_u8(out, '"');
}

static void
print_field(const struct smpp_pdu *pdu, const struct field *f, struct buf *out)
{
	buf_printf(out, " %s=", f->name);
	switch (f->kind) {
	case F_OCTET:
		buf_printf(out, "0x%02x", *octet_at(pdu, f));
		break;
	case F_STRING:
		print_string(*text_at(pdu, f), out);
		break;
	case F_SECRET:
		buf_str(out, "***");
		break;
	case F_MESSAGE:
		buf_printf(out, "(%zu octets)", text_at(pdu, f)->len);
		break;
	}
}

void
smpp_pdu_print(const struct smpp_pdu *pdu, struct buf *out)
{
	const struct field *f = fields_of(pdu->command);

	buf_printf(out, "%s sequence=%lu", smpp_command_name(pdu->command),
	    (unsigned long)pdu->sequence);
	if (pdu->command & SMPP_RESP || pdu->status != 0)
		buf_printf(out, " status=%s", smpp_status_name(pdu->status));
	for (; f != NULL && f->name != NULL; f++)
		print_field(pdu, f, out);
	for (unsigned i = 0; i < pdu->tlv_count && i < SMPP_TLVS_MOST; i++) {
		const struct smpp_tlv *t = &pdu->tlvs[i];

		buf_printf(out, " 0x%04x=", t->tag);
		if (t->tag == SMPP_TAG_PAYLOAD || t->value.len > 64)
			buf_printf(out, "(%zu octets)", t->value.len);
		else
			buf_hex(out, t->value.at, t->value.len, false);
	}
}

const struct smpp_tlv *
smpp_pdu_tlv(const struct smpp_pdu *pdu, uint16_t tag)
{
	for (unsigned i = 0; i < pdu->tlv_count && i < SMPP_TLVS_MOST; i++)
		if (pdu->tlvs[i].tag == tag)
			return &pdu->tlvs[i];
	return NULL;
}

static const char *
name_unknown(const char *what, uint32_t number)
{
	static _Thread_local char room[4][24];
	static _Thread_local unsigned next;
	char *out = room[next++ % 4];

	snprintf(out, sizeof room[0], "%s 0x%08lx", what, (unsigned long)number);
	return out;
}

const char *
smpp_command_name(uint32_t id)
{
	const struct command *c = command_find(id);

	if (id == (uint32_t)SMPP_GENERIC_NACK)
		return "generic_nack";
	if (c == NULL || (id & SMPP_RESP && c->resp_name == NULL))
		return name_unknown("command", id);
	return id & SMPP_RESP ? c->resp_name : c->name;
}

const char *
smpp_status_name(uint32_t status)
{
	for (const struct status_name *s = status_names; s->name != NULL; s++)
		if (s->code == status)
			return s->name;
	return name_unknown("status", status);
}

int
smpp_status_named(struct text name, uint32_t *status)
{
	enum { PREFIX = sizeof "ESME_" - 1 };
	long number;

	for (const struct status_name *s = status_names; s->name != NULL; s++)
		if (text_eq_nocase(name, text_of(s->name)) ||
		    text_eq_nocase(name, text_of(s->name + PREFIX))) {
			*status = s->code;
			return 0;
		}
	if (text_number(name, 0, UINT32_MAX, &number) == -1)
		return -1;
	*status = (uint32_t)number;
	return 0;
}
