/*
 * smpp_submit.c - the fields of a submit_sm, and the classes of what comes back
 *
 * Configuration is asked first, then the message, then its meta-data ("?smpp?name=value&..."),
 * each overriding the one before.
 *
 * Knows:     types of number, absolute times, custom optional parameters, classes of errors.
 * Does not:  know sessions; segments are cut elsewhere.
 * Owns:      nothing. Everything is built on the stack and copied into the caller's buffer.
 * Threads:   pure.
 */
#include "smsc/smpp_submit.h"

#include <limits.h>
#include <strings.h>

#include "base/buf.h"
#include "push/charset.h"
#include "push/message.h"
#include "push/segment.h"

enum { TON_INTERNATIONAL = 1, TON_ALPHANUMERIC = 5, NPI_UNKNOWN = 0 };
enum { ADDRESS_MOST = 20, SERVICE_TYPE_MOST = 5, SHORT_MESSAGE_MOST = 254, BILLING_MOST = 1024 };
enum { RECEIPT_FINAL = 1, RECEIPT_FAILURE = 2, RECEIPT_INTERMEDIATE = 0x10 };
enum { BAD_MESSAGE_LENGTH = 0x01, BAD_SOURCE = 0x0a };

static const struct {
	uint32_t	 first, last;
	enum smsc_refusal refusal;
	bool		 rebind;
} refusals[] = {
	{ 0x004, 0x005, SMSC_SLOW_DOWN, true },		/* it takes us for not bound, or bound twice */
	{ 0x008, 0x008, SMSC_TRY_LATER, false },	/* system error */
	{ 0x00d, 0x00f, SMSC_TRY_FEW, false },		/* of a bind; nothing that a message has done */
	{ 0x014, 0x014, SMSC_SLOW_DOWN, false },	/* message queue full */
	{ 0x045, 0x045, SMSC_TRY_FEW, false },		/* submit failed: used for anything */
	{ 0x053, 0x053, SMSC_TRY_FEW, false },
	{ 0x058, 0x058, SMSC_SLOW_DOWN, false },	/* throttled */
	{ 0x064, 0x064, SMSC_TRY_LATER, false },	/* temporary application error */
	{ 0x0ff, 0x0ff, SMSC_TRY_FEW, false },		/* unknown error */
	{ 0x400, UINT32_MAX, SMSC_TRY_FEW, false },	/* a vendor's own */
};

enum smsc_refusal
smpp_refusal(uint32_t status, bool *rebind)
{
	*rebind = false;
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
		if (status >= refusals[i].first && status <= refusals[i].last) {
			*rebind = refusals[i].rebind;
			return refusals[i].refusal;
		}
	return SMSC_NEVER;
}

struct text
smpp_time(wall_t at, char out[17])
{
	int field[6];
	char *p = out;

	clock_civil(at, field);
	field[0] %= 100;
	for (int i = 0; i < 6; i++) {
		*p++ = (char)('0' + field[i] / 10);
		*p++ = (char)('0' + field[i] % 10);
	}
	memcpy(p, "000+", 5);
	return (struct text){ out, 16 };
}

static bool
digits_or_empty(struct text t)
{
	return t.len == 0 || text_digits(t);
}

/* An alphanumeric sender in the charset that the SMSC reads. */
static struct text
address_convert(const char *charset, struct text address, struct buf *room)
{
	size_t start = room->len;

	if (charset == NULL)
		return address;
	if (strcasecmp(charset, "gsm") == 0) {
		gsm7_from_utf8(address, room);
		for (size_t i = start; i < room->len; i++)
			if (room->data[i] == 0)		/* '@' would end the field */
				room->data[i] = '?';
	} else if (text_convert("UTF-8", charset, address, '?', room, NULL) == -1) {
		room->len = start;
		return address;
	}
	return (struct text){ (const char *)room->data + start, room->len - start };
}

static void
set_source(const struct smpp_submit_rules *rules, struct text sender, bool told, struct buf *room,
    struct smpp_pdu *pdu)
{
	bool plus = sender.len > 0 && sender.at[0] == '+';
	struct text number = plus ? (struct text){ sender.at + 1, sender.len - 1 } : sender;

	pdu->source = sender;
	if (told || !rules->autodetect || sender.at == NULL)
		return;
	if (!digits_or_empty(number)) {
		pdu->source_ton = TON_ALPHANUMERIC;
		pdu->source_npi = NPI_UNKNOWN;
		pdu->source = address_convert(rules->alt_addr_charset, sender, room);
	} else if (plus) {
		pdu->source_ton = TON_INTERNATIONAL;
		pdu->source = number;
	}
}

static void
set_destination(struct text receiver, struct smpp_pdu *pdu)
{
	pdu->destination = receiver;
	if (receiver.len > 0 && receiver.at[0] == '+') {
		pdu->dest_ton = TON_INTERNATIONAL;
		pdu->destination = (struct text){ receiver.at + 1, receiver.len - 1 };
	}
}

/* The parameters of group "smpp" in "?group?name=value&name=value?group?...". */
static struct text
meta_of_smpp(struct text meta)
{
	struct text rest = meta, name, values = { NULL, 0 };

	if (meta.len == 0 || meta.at[0] != '?')
		return (struct text){ NULL, 0 };
	rest.at++;
	rest.len--;
	while (text_cut(&rest, '?', &name) && text_cut(&rest, '?', &values))
		if (text_eq_nocase(name, TEXT("smpp")))
			return values;
	return (struct text){ NULL, 0 };
}

static struct text
unquoted(struct text quoted, struct buf *room)
{
	size_t start = room->len;

	text_unquote(quoted, room);
	return (struct text){ (const char *)room->data + start, room->len - start };
}

static int
tlv_integer(struct text value, long octets, struct buf *room)
{
	long long n;
	long parsed;

	if (octets < 1 || octets > 8 || text_number(value, LONG_MIN, LONG_MAX, &parsed) == -1)
		return -1;
	n = parsed;
	if (octets < 8 && (n >= 1LL << (8 * octets) || n < -(1LL << (8 * octets - 1))))
		return -1;
	for (long i = octets - 1; i >= 0; i--)
		buf_u8(room, (uint8_t)((uint64_t)n >> (8 * i)));
	return 0;
}

/* A value that does not fit its rule is left out, as in Kannel: the message goes. */
static void
tlv_add(const struct smpp_tlv_rule *rule, struct text value, struct buf *room, struct smpp_pdu *pdu)
{
	size_t start = room->len;

	switch ((enum smpp_tlv_kind)rule->kind) {
	case SMPP_TLV_OCTETS:
		buf_bytes(room, value.at, value.len);
		break;
	case SMPP_TLV_STRING:
		buf_bytes(room, value.at, value.len);
		buf_u8(room, 0);
		break;
	case SMPP_TLV_INTEGER:
		if (tlv_integer(value, rule->length, room) == -1)
			return;
		break;
	}
	if (room->overflow || room->len - start > (size_t)rule->length ||
	    pdu->tlv_count == SMPP_TLVS_MOST)
		return;
	pdu->tlvs[pdu->tlv_count++] = (struct smpp_tlv){ (uint16_t)rule->tag,
	    { (const char *)room->data + start, room->len - start } };
}

static bool
has_tag(const struct smpp_pdu *pdu, long tag)
{
	return smpp_pdu_tlv(pdu, (uint16_t)tag) != NULL;
}

static void
tlv_named(const struct smpp_submit_rules *rules, struct text name, struct text value,
    struct buf *room, struct smpp_pdu *pdu)
{
	for (size_t i = 0; i < rules->tlv_count; i++)
		if (text_is(name, rules->tlvs[i].name)) {
			if (!has_tag(pdu, rules->tlvs[i].tag))
				tlv_add(&rules->tlvs[i], value, room, pdu);
			return;
		}
}

static const struct {
	const char	*name;
	size_t		 at;
	bool		 source;
} meta_octets[] = {
	{ "source_addr_ton", offsetof(struct smpp_pdu, source_ton), true },
	{ "source_addr_npi", offsetof(struct smpp_pdu, source_npi), true },
	{ "dest_addr_ton", offsetof(struct smpp_pdu, dest_ton), false },
	{ "dest_addr_npi", offsetof(struct smpp_pdu, dest_npi), false },
	{ "data_coding", offsetof(struct smpp_pdu, data_coding), false },
};

/* *told: the meta-data give the source's type, so it is not looked at any more. */
static bool
meta_octet(struct text name, struct text value, bool *told, struct smpp_pdu *pdu)
{
	long n;

	for (size_t i = 0; i < sizeof meta_octets / sizeof *meta_octets; i++) {
		if (!text_is(name, meta_octets[i].name))
			continue;
		if (text_number(value, 0, 255, &n) == 0) {
			((uint8_t *)pdu)[meta_octets[i].at] = (uint8_t)n;
			*told = *told || meta_octets[i].source;
		}
		return true;
	}
	return false;
}

static bool
set_meta(const struct smpp_submit_rules *rules, struct text meta, struct buf *room,
    struct smpp_pdu *pdu)
{
	struct text rest = meta_of_smpp(meta), pair, name;
	bool told = false;

	while (text_cut(&rest, '&', &pair)) {
		struct text value = pair;

		if (!text_cut(&value, '=', &name) || value.at == NULL)
			continue;
		name = unquoted(name, room);
		value = unquoted(value, room);
		if (!meta_octet(name, value, &told, pdu) && rules->version > 0x33)
			tlv_named(rules, name, value, room, pdu);
	}
	for (size_t i = 0; rules->version > 0x33 && i < rules->tlv_count; i++)
		if (rules->tlvs[i].constant != NULL && !has_tag(pdu, rules->tlvs[i].tag))
			tlv_add(&rules->tlvs[i], text_of(rules->tlvs[i].constant), room, pdu);
	return told;
}

/* binfo is billing information: with SMPP 5.0 it has a parameter of its own. */
static void
set_service_type(const struct smpp_submit_rules *rules, struct text binfo, struct smpp_pdu *pdu)
{
	pdu->service_type = text_of(rules->service_type);
	if (binfo.len == 0)
		return;
	if (rules->version >= 0x50 && binfo.len <= BILLING_MOST) {
		pdu->tlvs[pdu->tlv_count++] = (struct smpp_tlv){ SMPP_TAG_BILLING, binfo };
		pdu->service_type = (struct text){ NULL, 0 };
		return;
	}
	if (binfo.len > SERVICE_TYPE_MOST)
		binfo.len = SERVICE_TYPE_MOST;
	pdu->service_type = binfo;
}

static uint8_t
receipt_wish(const struct segment *segment)
{
	enum { FAILURES = DLR_FAILED | DLR_EXPIRED | DLR_UNKNOWN };
	uint8_t mask = segment->message->dlr_mask, wish = 0;

	if (!segment->report)
		return 0;
	if (mask & DLR_DELIVERED)
		wish = RECEIPT_FINAL;
	else if (mask & FAILURES)
		wish = RECEIPT_FAILURE;
	return mask & DLR_BUFFERED ? wish | RECEIPT_INTERMEDIATE : wish;
}

static void
set_times(const struct smpp_submit_rules *rules, const struct message *m, wall_t now,
    char room[2][17], struct smpp_pdu *pdu)
{
	enum { MINUTE = 60 * 1000 };

	if (m->deferred != 0)
		pdu->schedule_time = smpp_time(m->deferred, room[0]);
	if (m->validity_given)
		pdu->validity = smpp_time(m->expires, room[1]);
	else if (rules->validity_min >= 0)
		pdu->validity = smpp_time(now + rules->validity_min * MINUTE, room[1]);
}

static int
set_user_data(const struct smpp_submit_rules *rules, const struct segment *segment,
    struct buf *room, struct smpp_pdu *pdu, uint32_t *status, struct err *err)
{
	struct text data;
	size_t start = room->len;

	buf_bytes(room, segment->udh.at, segment->udh.len);
	buf_bytes(room, segment->data.at, segment->data.len);
	data = (struct text){ (const char *)room->data + start, room->len - start };
	if (!room->overflow && data.len <= SHORT_MESSAGE_MOST) {
		pdu->message = data;
		return 0;
	}
	*status = BAD_MESSAGE_LENGTH;
	if (room->overflow || rules->version <= 0x33)
		return err_set(err, ERR_LIMIT, "user data of %zu octets do not fit into a submit_sm",
		    segment->udh.len + segment->data.len);
	pdu->tlvs[pdu->tlv_count++] = (struct smpp_tlv){ SMPP_TAG_PAYLOAD, data };
	return 0;
}

static int
check_addresses(const struct smpp_pdu *pdu, uint32_t *status, struct err *err)
{
	static const struct {
		const char	*name;
		size_t		 at;
		uint32_t	 status;
	} addresses[] = {
		{ "receiver", offsetof(struct smpp_pdu, destination), SMPP_BAD_DESTINATION },
		{ "sender", offsetof(struct smpp_pdu, source), BAD_SOURCE },
	};

	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		const struct text *t = (const struct text *)((const uint8_t *)pdu + addresses[i].at);

		*status = addresses[i].status;
		if (t->len > ADDRESS_MOST)
			return err_set(err, ERR_LIMIT, "the %s has %zu octets, SMPP allows %d",
			    addresses[i].name, t->len, ADDRESS_MOST);
		if (t->len > 0 && memchr(t->at, 0, t->len) != NULL)
			return err_set(err, ERR_SYNTAX, "the %s holds a NUL", addresses[i].name);
	}
	*status = 0;
	return 0;
}

int
smpp_submit_write(const struct smpp_submit_rules *rules, const struct segment *segment,
    uint32_t sequence, wall_t now, struct buf *out, uint32_t *status, struct err *err)
{
	const struct message *m = segment->message;
	uint8_t data_room[SMPP_USER_DATA_MOST], meta_room[2048], sender_room[256];
	struct buf data = buf_on(data_room, sizeof data_room);
	struct buf meta = buf_on(meta_room, sizeof meta_room);
	struct buf sender = buf_on(sender_room, sizeof sender_room);
	char times[2][17];
	struct smpp_pdu pdu;
	bool told;

	memset(&pdu, 0, offsetof(struct smpp_pdu, tlvs));
	pdu.command = SMPP_SUBMIT_SM;
	pdu.sequence = sequence;
	pdu.source_ton = rules->source_ton;
	pdu.source_npi = rules->source_npi;
	pdu.dest_ton = rules->dest_ton;
	pdu.dest_npi = rules->dest_npi;
	pdu.esm_class = rules->esm_class | (segment->udh.len > 0 ? SMPP_UDHI : 0) |
	    (m->rpi > 0 ? SMPP_REPLY_PATH : 0);
	pdu.protocol_id = m->pid >= 0 ? (uint8_t)m->pid : 0;
	pdu.priority = m->priority >= 0 && m->priority <= 3 ? (uint8_t)m->priority : rules->priority;
	pdu.registered_delivery = receipt_wish(segment);
	pdu.data_coding = segment->dcs;
	set_times(rules, m, now, times, &pdu);
	if (set_user_data(rules, segment, &data, &pdu, status, err) == -1)
		return -1;
	if (segment->more && segment->concatenated && rules->version > 0x33)
		pdu.tlvs[pdu.tlv_count++] = (struct smpp_tlv){ SMPP_TAG_MORE_MESSAGES, { "\1", 1 } };
	set_service_type(rules, m->binfo, &pdu);
	told = set_meta(rules, m->meta_data, &meta, &pdu);
	set_source(rules, m->sender, told, &sender, &pdu);
	set_destination(m->msisdn, &pdu);
	if (check_addresses(&pdu, status, err) == -1)
		return -1;
	*status = BAD_MESSAGE_LENGTH;
	return smpp_pdu_write(&pdu, out, err);
}
