/*
 * message.c - one message: one block of memory, one packed form, one push-id
 *
 * The packed form is a version octet and then tagged fields: tag, length
 * (uintvar), octets. Numbers are two's complement in as few octets as hold
 * them. What has its default is left out; unknown tags are skipped, a tag that
 * comes again overrides. Tags are never used again for something else.
 *
 * Knows:     the fields (one table for pack, unpack and new) and their ranges.
 * Does not:  know what stores or sends a message; `id` is not packed.
 * Owns:      what message_new and message_unpack gave, until message_free.
 * Threads:   pure.
 */
#include "push/message.h"

#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"

enum {
	MESSAGE_VERSION = 1,
	PACKED_MOST = 1 << 20		/* no message comes near; a damaged length does */
};

enum field_kind { FIELD_TEXT, FIELD_U8, FIELD_S8, FIELD_U16, FIELD_S16, FIELD_FLAG, FIELD_TIME };

struct field {
	uint8_t		tag;		/* 1..127 */
	uint8_t		kind;
	uint16_t	at;
	int64_t		standard;	/* left out when packing; absent for a text */
	int64_t		least, most;
};

#define AT(member)	offsetof(struct message, member)
#define TIME_MOST	INT64_MAX

static const struct field fields[] = {
	{ 1,	FIELD_TEXT,	AT(account),		0, 0, 0 },
	{ 2,	FIELD_TEXT,	AT(push_id),		0, 0, 0 },
	{ 3,	FIELD_TEXT,	AT(msisdn),		0, 0, 0 },
	{ 4,	FIELD_TEXT,	AT(sender),		0, 0, 0 },
	{ 5,	FIELD_TEXT,	AT(smsc),		0, 0, 0 },
	{ 6,	FIELD_TEXT,	AT(service),		0, 0, 0 },
	{ 7,	FIELD_TEXT,	AT(billing),		0, 0, 0 },
	{ 8,	FIELD_TEXT,	AT(binfo),		0, 0, 0 },
	{ 9,	FIELD_TEXT,	AT(meta_data),		0, 0, 0 },
	{ 10,	FIELD_TEXT,	AT(group),		0, 0, 0 },
	{ 11,	FIELD_TEXT,	AT(dlr_url),		0, 0, 0 },
	{ 12,	FIELD_TEXT,	AT(body),		0, 0, 0 },
	{ 13,	FIELD_TEXT,	AT(udh),		0, 0, 0 },
	{ 14,	FIELD_TEXT,	AT(note),		0, 0, 0 },
	{ 20,	FIELD_U8,	AT(kind),		MESSAGE_TEXT, 0, MESSAGE_PUSH },
	{ 21,	FIELD_U8,	AT(klass),		CLASS_NORMAL, 0, CLASSES - 1 },
	{ 22,	FIELD_S8,	AT(coding),		MESSAGE_UNSET, -1, CODING_UCS2 },
	{ 23,	FIELD_S8,	AT(mclass),		MESSAGE_UNSET, -1, 3 },
	{ 24,	FIELD_S8,	AT(mwi),		MESSAGE_UNSET, -1, 7 },
	{ 25,	FIELD_S8,	AT(alt_dcs),		MESSAGE_UNSET, -1, 1 },
	{ 26,	FIELD_S8,	AT(compress),		MESSAGE_UNSET, -1, 1 },
	{ 27,	FIELD_S8,	AT(rpi),		MESSAGE_UNSET, -1, 2 },
	{ 28,	FIELD_S8,	AT(priority),		MESSAGE_UNSET, -1, INT8_MAX },
	{ 29,	FIELD_S16,	AT(pid),		MESSAGE_UNSET, -1, 255 },
	{ 30,	FIELD_U8,	AT(dlr_mask),		0, 0, UINT8_MAX },
	{ 31,	FIELD_FLAG,	AT(concatenate),	0, 0, 1 },
	{ 32,	FIELD_U16,	AT(segments_most),	1, 0, UINT16_MAX },
	{ 33,	FIELD_U16,	AT(octets_most),	140, 0, UINT16_MAX },
	{ 40,	FIELD_TIME,	AT(accepted),		0, 0, TIME_MOST },
	{ 41,	FIELD_TIME,	AT(expires),		0, 0, TIME_MOST },
	{ 42,	FIELD_FLAG,	AT(validity_given),	0, 0, 1 },
	{ 43,	FIELD_TIME,	AT(not_before),		0, 0, TIME_MOST },
	{ 44,	FIELD_TIME,	AT(deferred),		0, 0, TIME_MOST },
};

enum { FIELDS = sizeof fields / sizeof *fields };

/* What malloc gave: the message first, so that one pointer is both. */
struct block {
	struct message	message;
	size_t		octets;		/* of this block */
	char		texts[];
};

static const struct field *
field_of_tag(unsigned tag)
{
	size_t n = tag < FIELDS ? tag : FIELDS;	/* tags ascend from 1: no row behind its tag */

	while (n-- > 0)
		if (fields[n].tag == tag)
			return &fields[n];
	return NULL;
}

static struct text *
field_text(void *message, const struct field *f)
{
	return (struct text *)((char *)message + f->at);
}

static int64_t
field_number(const struct message *m, const struct field *f)
{
	const char *at = (const char *)m + f->at;

	switch ((enum field_kind)f->kind) {
	case FIELD_U8:
		return *(const uint8_t *)at;
	case FIELD_S8:
		return *(const int8_t *)at;
	case FIELD_U16:
		return *(const uint16_t *)at;
	case FIELD_S16:
		return *(const int16_t *)at;
	case FIELD_FLAG:
		return *(const bool *)at;
	case FIELD_TIME:
		return *(const wall_t *)at;
	case FIELD_TEXT:
		break;
	}
	return 0;
}

static void
field_set(struct message *m, const struct field *f, int64_t v)
{
	char *at = (char *)m + f->at;

	switch ((enum field_kind)f->kind) {
	case FIELD_U8:
		*(uint8_t *)at = (uint8_t)v;
		break;
	case FIELD_S8:
		*(int8_t *)at = (int8_t)v;
		break;
	case FIELD_U16:
		*(uint16_t *)at = (uint16_t)v;
		break;
	case FIELD_S16:
		*(int16_t *)at = (int16_t)v;
		break;
	case FIELD_FLAG:
		*(bool *)at = v != 0;
		break;
	case FIELD_TIME:
		*(wall_t *)at = v;
		break;
	case FIELD_TEXT:
		break;
	}
}

static struct block *
block_new(size_t texts)
{
	size_t octets = sizeof(struct block) + texts;
	struct block *b = malloc(octets);

	if (b != NULL)
		b->octets = octets;
	return b;
}

struct message *
message_new(const struct message *from)
{
	struct block *b;
	size_t texts = 0;
	char *to;

	for (size_t i = 0; i < FIELDS && fields[i].kind == FIELD_TEXT; i++)
		texts += field_text((void *)from, &fields[i])->len;
	if ((b = block_new(texts)) == NULL)
		return NULL;
	b->message = *from;
	to = b->texts;
	for (size_t i = 0; i < FIELDS && fields[i].kind == FIELD_TEXT; i++) {
		struct text *t = field_text(&b->message, &fields[i]);

		if (t->at == NULL)
			continue;
		memcpy(to, t->at, t->len);
		t->at = to;
		to += t->len;
	}
	return &b->message;
}

void
message_free(struct message **mp)	/* *mp may be NULL, and is afterwards */
{
	free(*mp);
	*mp = NULL;
}

size_t
message_octets(const struct message *m)
{
	return ((const struct block *)m)->octets;
}

static void
pack_number(struct buf *b, uint8_t tag, int64_t v)
{
	uint8_t out[2 + sizeof v];
	uint8_t n = 1;

	while (n < sizeof v && (v >> (8 * n - 1)) != 0 && (v >> (8 * n - 1)) != -1)
		n++;
	out[0] = tag;
	out[1] = n;
	for (uint8_t i = 0; i < n; i++)
		out[2 + i] = (uint8_t)((uint64_t)v >> 8 * (n - 1 - i));
	buf_bytes(b, out, 2 + (size_t)n);
}

void
message_pack(const struct message *m, struct buf *b)
{
	size_t start = b->len;

	buf_u8(b, MESSAGE_VERSION);
	for (const struct field *f = fields; f < fields + FIELDS; f++) {
		if (f->kind == FIELD_TEXT) {
			const struct text *t = field_text((void *)m, f);

			if (t->at == NULL)
				continue;
			buf_u8(b, f->tag);
			buf_uintvar(b, (uint32_t)t->len);
			buf_bytes(b, t->at, t->len);
		} else {
			int64_t v = field_number(m, f);

			if (v != f->standard)
				pack_number(b, f->tag, v);
		}
	}
	if (b->len - start > PACKED_MOST)	/* could not be read again */
		b->overflow = true;
}

static int
unpack_number(struct message *m, const struct field *f, const uint8_t *from, size_t n)
{
	uint64_t v = 0;

	if (n == 0 || n > sizeof v)
		return -1;
	if (from[0] & 0x80)
		v = UINT64_MAX;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | from[i];
	if ((int64_t)v < f->least || (int64_t)v > f->most)
		return -1;
	field_set(m, f, (int64_t)v);
	return 0;
}

static int
unpack_fields(struct message *m, struct cur *c, const uint8_t *start, struct err *err)
{
	while (cur_left(c) > 0) {
		size_t where = (size_t)(c->at - start);
		unsigned tag = cur_u8(c);
		uint32_t n = cur_uintvar(c);
		const uint8_t *from = cur_bytes(c, n);
		const struct field *f;

		if (from == NULL)
			return err_set(err, ERR_STORE, "damaged message: field %u at octet %zu "
			    "is longer than what is left", tag, where);
		if ((f = field_of_tag(tag)) == NULL)
			continue;
		if (f->kind == FIELD_TEXT)
			*field_text(m, f) = (struct text){ (const char *)from, n };
		else if (unpack_number(m, f, from, n) == -1)
			return err_set(err, ERR_STORE, "damaged message: field %u at octet %zu "
			    "has an impossible value", tag, where);
	}
	return 0;
}

/* The octets are copied as they are and the texts point into the copy: one
 * allocation and one copy, for a few octets of tags more. */
struct message *
message_unpack(const void *data, size_t len, struct err *err)
{
	struct message *m;
	struct block *b;
	struct cur c;

	if (len == 0 || len > PACKED_MOST) {
		err_set(err, ERR_STORE, "damaged message: %zu octets", len);
		return NULL;
	}
	if ((b = block_new(len)) == NULL) {
		err_set(err, ERR_SYSTEM, "no memory for a message of %zu octets", len);
		return NULL;
	}
	memcpy(b->texts, data, len);
	m = memset(&b->message, 0, sizeof b->message);
	for (const struct field *f = fields; f < fields + FIELDS; f++)
		if (f->standard != 0)
			field_set(m, f, f->standard);
	c = cur_on(b->texts, len);
	if (cur_u8(&c) != MESSAGE_VERSION)
		err_set(err, ERR_STORE, "packed message of version %u, this program knows %d",
		    (unsigned)(uint8_t)b->texts[0], MESSAGE_VERSION);
	else if (unpack_fields(m, &c, (uint8_t *)b->texts, err) == 0)
		return m;
	message_free(&m);
	return NULL;
}

/*
 * tttttttt-0000-8000-8iii-iiiiiiiiiiii: RFC 9562, 5.8. The tag of the store, 16
 * bits of 0, the version, 12 bits of 0, then the variant (10) with the 60 bits of
 * the id behind it: its hex digits stand in one row, behind the variant's digit.
 */
enum { ID_BITS = 60 };

static char *
put_hex(char *to, uint64_t v, unsigned digits)
{
	while (digits-- > 0)
		*to++ = "0123456789abcdef"[v >> 4 * digits & 0xF];
	return to;
}

void
push_id_make(uint64_t id, uint32_t store_tag, char out[PUSH_ID_SIZE])
{
	static const char middle[] = "-0000-8000-8";

	assert(id >> ID_BITS == 0);
	out = put_hex(out, store_tag, 8);
	memcpy(out, middle, sizeof middle - 1);
	out = put_hex(out + sizeof middle - 1, id >> 48, 3);
	*out++ = '-';
	out = put_hex(out, id & 0xFFFFFFFFFFFFu, 12);
	*out = '\0';
}

bool
push_id_read(struct text t, uint32_t store_tag, uint64_t *id)
{
	char again[PUSH_ID_SIZE];
	uint64_t v = 0;

	if (t.at == NULL || t.len != PUSH_ID_SIZE - 1)
		return false;
	for (size_t i = 20; i < t.len; i++) {
		char c = t.at[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (unsigned)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v << 4 | (unsigned)((c | 0x20) - 'a' + 10);
	}
	v &= (UINT64_C(1) << ID_BITS) - 1;
	/* What else may be wrong shows when it is written again. UUIDs are read
	 * without regard to case (RFC 9562, 4). */
	push_id_make(v, store_tag, again);
	if (!text_eq_nocase(t, (struct text){ again, sizeof again - 1 }))
		return false;
	*id = v;
	return true;
}
