/*
 * store_pgsql_pack.c - what travels through an inbox, and the evidence of a message's segments
 *
 * One octet of form, then numbers in network order and texts with their length (all ones: absent).
 * Nodes of two versions read each other's: a newer form says so, and what is behind the known end is left
 * alone.
 *
 * Knows:     the shapes of store_types.h.
 * Does not:  know tables.
 * Owns:      nothing.
 * Threads:   pure.
 */
#include "queue/store_pgsql_inner.h"

enum { FORM = 1, SEGMENTS_MOST = 255 };

static void
pack_text(struct buf *b, struct text t)
{
	buf_u32(b, t.at != NULL ? (uint32_t)t.len : UINT32_MAX);
	buf_bytes(b, t.at, t.len);
}

static struct text
unpack_text(struct cur *c)
{
	uint32_t n = cur_u32(c);
	const uint8_t *at;

	if (n == UINT32_MAX || (at = cur_bytes(c, n)) == NULL)
		return (struct text){ 0 };
	return (struct text){ (const char *)at, n };
}

static void
pack_begin(struct buf *b)
{
	b->len = 0;
	b->overflow = false;
	buf_u8(b, FORM);
}

static bool
unpack_begin(struct cur *c, struct text data)
{
	*c = cur_on(data.at, data.len);
	return cur_u8(c) == FORM;
}

void
pack_message(const struct store_row *r, struct buf *b)
{
	pack_begin(b);
	buf_u8(b, r->klass);
	buf_u64(b, (uint64_t)r->accepted);
	buf_u64(b, (uint64_t)r->expires);
	buf_u64(b, (uint64_t)r->due);
	pack_text(b, r->msisdn);
	pack_text(b, r->account);
	pack_text(b, r->push_id);
	pack_text(b, r->smsc);
	pack_text(b, r->group);
	pack_text(b, r->body);
}

bool
unpack_message(struct text data, struct store_row *r)
{
	struct cur c;

	*r = (struct store_row){ .id = 0 };
	if (!unpack_begin(&c, data))
		return false;
	r->klass = cur_u8(&c);
	r->accepted = (wall_t)cur_u64(&c);
	r->expires = (wall_t)cur_u64(&c);
	r->due = (wall_t)cur_u64(&c);
	r->msisdn = unpack_text(&c);
	r->account = unpack_text(&c);
	r->push_id = unpack_text(&c);
	r->smsc = unpack_text(&c);
	r->group = unpack_text(&c);
	r->body = unpack_text(&c);
	return !c.short_of;
}

void
pack_evidence(const struct store_evidence *v, struct buf *b)
{
	pack_begin(b);
	buf_u16(b, v->attempt);
	buf_u8(b, v->segments);
	buf_u8(b, v->verdict);
	buf_u32(b, v->code);
	pack_text(b, v->domain);
	pack_text(b, v->said);
	buf_u16(b, (uint16_t)v->answer_count);
	for (unsigned i = 0; i < v->answer_count; i++) {
		buf_u8(b, v->answers[i].segment);
		buf_u8(b, v->answers[i].state);
		pack_text(b, v->answers[i].foreign_id);
	}
}

bool
unpack_evidence(struct text data, struct store_evidence *v, struct arena *arena)
{
	struct store_answer *answers;
	struct cur c;

	*v = (struct store_evidence){ .id = 0 };
	if (!unpack_begin(&c, data))
		return false;
	v->attempt = cur_u16(&c);
	v->segments = cur_u8(&c);
	v->verdict = cur_u8(&c);
	v->code = cur_u32(&c);
	v->domain = unpack_text(&c);
	v->said = unpack_text(&c);
	v->answer_count = cur_u16(&c);
	if (c.short_of || v->answer_count > SEGMENTS_MOST)
		return false;
	v->answers = answers = arena_zero(arena, (v->answer_count + 1) * sizeof *answers);
	for (unsigned i = 0; i < v->answer_count; i++) {
		answers[i].segment = cur_u8(&c);
		answers[i].state = cur_u8(&c);
		answers[i].foreign_id = unpack_text(&c);
	}
	return !c.short_of;
}

void
pack_receipt(uint16_t attempt, uint8_t segment, const struct store_receipt *r, struct buf *b)
{
	pack_begin(b);
	buf_u16(b, attempt);
	buf_u8(b, segment);
	buf_u8(b, r->state);
	buf_u64(b, (uint64_t)r->at);
	pack_text(b, r->domain);
	pack_text(b, r->foreign_id);
	pack_text(b, r->said);
}

bool
unpack_receipt(struct text data, uint16_t *attempt, uint8_t *segment, struct store_receipt *r)
{
	struct cur c;

	*r = (struct store_receipt){ .state = RECEIPT_NONE };
	if (!unpack_begin(&c, data))
		return false;
	*attempt = cur_u16(&c);
	*segment = cur_u8(&c);
	r->state = cur_u8(&c);
	r->at = (wall_t)cur_u64(&c);
	r->domain = unpack_text(&c);
	r->foreign_id = unpack_text(&c);
	r->said = unpack_text(&c);
	return !c.short_of;
}

void
pack_request(const struct store_request *q, struct buf *b)
{
	pack_begin(b);
	buf_u8(b, (uint8_t)q->wish);
	buf_u64(b, q->id);
	buf_u64(b, (uint64_t)q->expires);
	pack_text(b, q->body);
}

bool
unpack_request(struct text data, struct store_request *q)
{
	struct cur c;

	*q = (struct store_request){ .number = 0 };
	if (!unpack_begin(&c, data))
		return false;
	q->wish = cur_u8(&c);
	q->id = cur_u64(&c);
	q->expires = (wall_t)cur_u64(&c);
	q->body = unpack_text(&c);
	return !c.short_of && q->wish <= WISH_GIVE_UP;
}

void
pack_segments(const struct row *r, struct buf *b)
{
	pack_begin(b);
	buf_u16(b, (uint16_t)r->evidence_count);
	for (unsigned i = 0; i < r->evidence_count; i++) {
		const struct row_segment *e = &r->evidence[i];

		buf_u16(b, e->attempt);
		buf_u8(b, e->answer.segment);
		buf_u8(b, e->answer.state);
		buf_u8(b, e->receipt);
		pack_text(b, e->domain);
		pack_text(b, e->answer.foreign_id);
		pack_text(b, e->said);
	}
}

bool
unpack_segments(struct text data, struct row *r)
{
	struct cur c;
	unsigned n;

	r->evidence = NULL;
	r->evidence_count = 0;
	if (!unpack_begin(&c, data))
		return false;
	n = cur_u16(&c);
	if (c.short_of || n > 2 * SEGMENTS_MOST)
		return false;
	r->evidence = arena_zero(&r->arena, (n + 1) * sizeof *r->evidence);
	for (unsigned i = 0; i < n; i++) {
		struct row_segment *e = &r->evidence[i];

		e->attempt = cur_u16(&c);
		e->answer.segment = cur_u8(&c);
		e->answer.state = cur_u8(&c);
		e->receipt = cur_u8(&c);
		e->domain = unpack_text(&c);
		e->answer.foreign_id = unpack_text(&c);
		e->said = unpack_text(&c);
	}
	r->evidence_count = n;
	return !c.short_of;
}
