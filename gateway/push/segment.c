/*
 * segment.c - cut one message into the user data that carry it
 *
 * First the body is cut into pieces, views of its own octets; then each piece gets
 * its header and, if it is text, its septets. What only counts stops after the first
 * step. A piece holds
 *     octets - header                        when it goes alone,
 *     octets - header - concatenation        when it is one of several,
 * in septets 8/7 of that (3GPP TS 23.040, 9.2.3.16 and 9.2.3.24.1).
 *
 * Knows:     alphabets' units, room in a segment, concatenation.
 * Does not:  know how a segment is sent, retried or billed.
 * Owns:      a plan its headers and septets; octets of a message stay the message's.
 * Threads:   pure; a plan belongs to one thread at a time.
 */
#include "push/segment.h"

#include <stdlib.h>

#include "base/buf.h"
#include "push/charset.h"
#include "push/message.h"
#include "push/udh.h"

enum {
	CONCAT8_OCTETS = 5, CONCAT16_OCTETS = 6,
	BODY_MOST = SEGMENTS_MOST * SEGMENT_OCTETS * 4,	/* more than any alphabet packs */
	CONVERTED_MOST = 1 << 20,
	DLR_REPORTED = DLR_DELIVERED | DLR_FAILED | DLR_BUFFERED | DLR_EXPIRED | DLR_UNKNOWN
};

struct piece {
	struct text	source;		/* of the body */
	uint8_t		number, total;	/* within its own concatenation; 1 of 1: none */
	uint8_t		run;		/* which plain message of a row */
};

struct room {			/* in units: septets or octets */
	size_t		single, part;
};

struct segment_plan {
	size_t		 count;
	struct segment	 segments[SEGMENTS_MOST];
	struct piece	 pieces[SEGMENTS_MOST];
	uint8_t		*octets;	/* headers and septets */
	size_t		 room;
	struct buf	 converted;	/* the same in another charset */
};

static const struct segment_rules rules_none = { .alt_dcs = MESSAGE_UNSET };

static int
coding_of(const struct message *m)
{
	if (m->coding >= 0)
		return m->coding;
	return m->kind != MESSAGE_TEXT || m->udh.len > 0 ? CODING_OCTETS : CODING_GSM7;
}

static size_t
units(int coding, size_t octets)
{
	switch (coding) {
	case CODING_GSM7:
		return octets * 8 / 7;
	case CODING_UCS2:
		return octets & ~(size_t)1;
	default:
		return octets;
	}
}

static struct room
room_of(const struct message *m, uint16_t octets_most, bool wide)
{
	size_t octets = octets_most > 0 ? octets_most : SEGMENT_OCTETS;
	size_t concat = (m->udh.len > 0 ? m->udh.len : 1) + (wide ? CONCAT16_OCTETS : CONCAT8_OCTETS);
	int coding = coding_of(m);

	return (struct room){
		.single = octets > m->udh.len ? units(coding, octets - m->udh.len) : 0,
		.part = octets > concat ? units(coding, octets - concat) : 0,
	};
}

static bool
is_surrogate(const char *at, uint8_t which)	/* D8: the first of a pair, DC: the second */
{
	return ((uint8_t)at[0] & 0xFC) == which;
}

/* The beginning of `left` that takes at most `most` units and ends between characters. */
static struct text
take(int coding, struct text left, size_t most)
{
	size_t n = left.len < most ? left.len : most;

	if (coding == CODING_GSM7)
		n = gsm7_prefix(left, most);
	else if (coding == CODING_UCS2 && n < left.len && n >= 2 &&
	    is_surrogate(left.at + n - 2, 0xD8) && is_surrogate(left.at + n, 0xDC))
		n -= 2;
	return (struct text){ left.at, n };
}

/* One message: a single piece, or a concatenation of several. */
static int
cut_run(int coding, struct text run, struct room room, uint8_t number, struct piece *pieces,
    size_t *count)
{
	struct piece *first = pieces + *count;
	struct text piece = take(coding, run, room.single);
	size_t total = 0;

	if (*count < SEGMENTS_MOST && piece.len == run.len) {
		*first = (struct piece){ piece, 1, 1, number };
		++*count;
		return 0;
	}
	while (run.len > 0) {
		piece = take(coding, run, room.part);
		if (piece.len == 0 || *count + total == SEGMENTS_MOST)
			return -1;
		first[total] = (struct piece){ piece, (uint8_t)(total + 1), 0, number };
		total++;
		run.at += piece.len;
		run.len -= piece.len;
	}
	for (size_t i = 0; i < total; i++)
		first[i].total = (uint8_t)total;
	*count += total;
	return 0;
}

static struct text
body_of(const struct message *m)
{
	return m->body.at != NULL ? m->body : TEXT("");
}

/* -1: more than SEGMENTS_MOST, or no room beside the header. */
static int
cut_pieces(const struct message *m, const struct segment_rules *r, struct piece *pieces,
    size_t *count)
{
	int coding = coding_of(m);
	struct room room = room_of(m, r->octets_most, r->wide_reference);
	struct room own = room_of(m, m->octets_most, false);
	struct text body = body_of(m), run;

	*count = 0;
	if (body.len > BODY_MOST ||
	    m->udh.len > (r->octets_most > 0 ? (size_t)r->octets_most : SEGMENT_OCTETS))
		return -1;
	if (m->concatenate)
		return cut_run(coding, body, room, 0, pieces, count);
	for (uint8_t number = 0;; number++) {
		run = take(coding, body, own.single);
		if ((run.len == 0 && body.len > 0) ||
		    cut_run(coding, run, room, number, pieces, count) == -1)
			return -1;
		body.at += run.len;
		body.len -= run.len;
		if (body.len == 0)
			return 0;
	}
}

/* As the message itself wants it, without a link. */
static int
cut_own(const struct message *m, struct piece *pieces, size_t *count)
{
	struct segment_rules own = rules_none;

	own.octets_most = m->octets_most;
	return cut_pieces(m, &own, pieces, count);
}

unsigned
message_segments(const struct message *m, const struct segment_rules *r)
{
	struct piece pieces[SEGMENTS_MOST];
	size_t count;

	if ((r != NULL ? cut_pieces(m, r, pieces, &count) : cut_own(m, pieces, &count)) == -1)
		return 0;
	return (unsigned)count;
}

size_t
message_fits(const struct message *m, unsigned segments)
{
	struct room own = room_of(m, m->octets_most, false);
	struct text body = body_of(m), left = body;
	int coding = coding_of(m);
	size_t most = m->concatenate ? own.part : own.single;

	if (segments > 0 && take(coding, left, own.single).len == left.len)
		return body.len;
	while (segments-- > 0) {
		struct text piece = take(coding, left, most);

		left.at += piece.len;
		left.len -= piece.len;
	}
	return body.len - left.len;
}

/* --- the plan -------------------------------------------------------------- */

struct segment_plan *
segment_plan_new(void)
{
	struct segment_plan *p = malloc(sizeof *p);

	if (p == NULL)
		return NULL;
	p->count = 0;
	p->octets = NULL;
	p->room = 0;
	p->converted = buf_heap(CONVERTED_MOST);
	return p;
}

void
segment_plan_free(struct segment_plan **pp)
{
	if (*pp == NULL)
		return;
	free((*pp)->octets);
	buf_free(&(*pp)->converted);
	free(*pp);
	*pp = NULL;
}

static int
plan_room(struct segment_plan *p, size_t octets)
{
	uint8_t *grown;

	if (octets <= p->room)
		return 0;
	if ((grown = realloc(p->octets, octets)) == NULL)
		return -1;
	p->octets = grown;
	p->room = octets;
	return 0;
}

static struct text
written(const struct buf *b, size_t from)
{
	return (struct text){ (const char *)b->data + from, b->len - from };
}

/* Each segment's header, and its content unless that is octets of the message. */
static void
fill(struct segment_plan *p, const struct message *m, const struct segment_rules *r,
    uint16_t reference, struct buf *out)
{
	bool text = coding_of(m) == CODING_GSM7;

	for (size_t i = 0; i < p->count; i++) {
		const struct piece *piece = &p->pieces[i];
		struct segment *s = &p->segments[i];
		size_t at = out->len;

		if (piece->total > 1) {
			udh_with_concat(out, m->udh, (uint16_t)(reference + piece->run),
			    r->wide_reference, piece->total, piece->number);
			s->udh = written(out, at);
		} else
			s->udh = m->udh.len > 0 ? m->udh : (struct text){ 0 };
		if (text) {
			at = out->len;
			gsm7_from_utf8(piece->source, out);
			s->data = written(out, at);
		} else
			s->data = piece->source;
		s->concatenated = piece->total > 1;
		s->more = piece->number < piece->total;
	}
}

/* A link whose SMSC wants the text in another charset: the pieces are the same as in
 * septets, the octets are what the charset makes of them. */
static int
convert(struct segment_plan *p, const char *charset, struct err *err)
{
	size_t ends[SEGMENTS_MOST];
	size_t from = 0;

	p->converted.len = 0;
	p->converted.overflow = false;
	for (size_t i = 0; i < p->count; i++) {
		if (text_convert("UTF-8", charset, p->pieces[i].source, '?', &p->converted,
		    err) == -1)
			return -1;
		ends[i] = p->converted.len;
	}
	if (p->converted.overflow)
		return err_set(err, ERR_LIMIT, "no room for the text in %s", charset);
	for (size_t i = 0; i < p->count; i++) {		/* now the buffer stays where it is */
		p->segments[i].data = ends[i] == from ? TEXT("") :
		    (struct text){ (const char *)p->converted.data + from, ends[i] - from };
		from = ends[i];
	}
	return 0;
}

static uint8_t
dcs_of(const struct message *m, const struct segment_rules *r)
{
	int alt_dcs = m->alt_dcs >= 0 ? m->alt_dcs : r->alt_dcs;

	return (m->body.len > 0 ? dcs_make : dcs_make_empty)(coding_of(m), m->mclass, m->mwi,
	    alt_dcs, m->compress);
}

static int
check(const struct segment_plan *p, const struct message *m, struct err *err)
{
	struct piece pieces[SEGMENTS_MOST];
	size_t own;

	if (p->count <= m->segments_most)
		return 0;
	if (cut_own(m, pieces, &own) == 0 && own <= m->segments_most)
		return 0;		/* only this link needs more */
	return err_set(err, ERR_LIMIT, "the message takes %zu segments, at most %u are allowed",
	    p->count, m->segments_most);
}

int
segment_cut(struct segment_plan *p, const struct message *m, const struct segment_rules *r,
    uint16_t reference, struct err *err)
{
	size_t count = 0, room;
	struct buf out;
	uint8_t dcs;
	bool report;

	p->count = 0;
	if (m->udh.len > 0 && (size_t)(uint8_t)m->udh.at[0] + 1 != m->udh.len)
		return err_set(err, ERR_SYNTAX, "the user data header's length octet is wrong");
	if (cut_pieces(m, r, p->pieces, &count) == -1)
		return err_set(err, ERR_LIMIT, "the message does not go into %d segments of %u octets",
		    SEGMENTS_MOST, r->octets_most > 0 ? r->octets_most : SEGMENT_OCTETS);
	p->count = count;
	if (check(p, m, err) == -1)
		goto bad;
	/* An octet of text makes two septets at most: an escape and another. */
	room = count * (m->udh.len + 1 + CONCAT16_OCTETS);
	if (coding_of(m) == CODING_GSM7)
		room += 2 * m->body.len;
	if (plan_room(p, room) == -1) {
		err_set(err, ERR_SYSTEM, "no memory for %zu segments", count);
		goto bad;
	}
	out = buf_on(p->octets, p->room);
	fill(p, m, r, reference, &out);
	dcs = dcs_of(m, r);
	report = (m->dlr_mask & DLR_REPORTED) != 0;
	for (size_t i = 0; i < count; i++) {
		struct segment *s = &p->segments[i];

		s->message = m;
		s->number = (uint8_t)(i + 1);
		s->total = (uint8_t)count;
		s->dcs = dcs;
		s->report = report;
	}
	/* Only data coding 0 leaves the charset to the SMSC; every other says which it is. */
	if (r->alt_charset != NULL && coding_of(m) == CODING_GSM7 && dcs == 0 &&
	    convert(p, r->alt_charset, err) == -1)
		goto bad;
	return 0;
bad:
	p->count = 0;
	return -1;
}

size_t
segment_count(const struct segment_plan *p)
{
	return p->count;
}

const struct segment *
segment_at(const struct segment_plan *p, size_t index)
{
	return index < p->count ? &p->segments[index] : NULL;
}
