/*
 * store_pgsql_rows.c - messages in memory: found, kept, forgotten; and how a row of a table becomes one
 *
 * Rows of owned partitions stay after their round, the least used go first when they are more than ROWS_MOST
 * octets. What a transaction changed counts only when it is in: after a rollback it is forgotten,
 * and read again when it is wanted.
 *
 * Knows:     the columns of the queries that show messages.
 * Does not:  ask anything.
 * Owns:      the rows in memory.
 * Threads:   the store worker's.
 */
#include "queue/store_pgsql_inner.h"

#include <stdlib.h>
#include <string.h>

#include "io/log.h"

enum { ROWS_MOST = 12 << 20, ROW_OCTETS = sizeof(struct kept) + ARENA_FIRST + 64 };

void
no_memory(void)
{
	log_line(LOG_LEVEL_PANIC, "out of memory in the store");
	log_flush();
	abort();	/* what was accepted is committed */
}

uint64_t
texts_hash(struct text a, struct text b)
{
	uint64_t h = text_hash(a.at, a.len) * 31 + text_hash(b.at, b.len);

	return h != 0 ? h : 1;
}

int64_t
foreign_part(struct text domain, struct text id)
{
	return (int64_t)(texts_hash(domain.at != NULL ? domain : TEXT(""), id) >> 56);
}

/* --- counts -------------------------------------------------------------------- */

static int
count_of(enum store_state state)
{
	static const int counts[] = {
		[STATE_WAITING] = COUNT_WAITING, [STATE_SENDING] = COUNT_SENDING,
		[STATE_UNKNOWN] = COUNT_SENDING, [STATE_HELD] = COUNT_HELD,
		[STATE_AWAITING] = COUNT_AWAITING, [STATE_RIPE] = COUNT_AWAITING, [STATE_FINISHED] = -1
	};

	return counts[state];
}

void
count_move(struct store *s, enum store_state from, enum store_state to)
{
	if (count_of(from) != -1)
		s->delta[count_of(from)]--;
	if (count_of(to) != -1)
		s->delta[count_of(to)]++;
}

void
counts_settle(struct store *s, bool committed)
{
	for (unsigned i = 0; i < COUNTS; i++) {
		if (committed) {
			s->totals[i] += s->said[i] + (s->unsaid_said ? s->unsaid[i] : 0);
			s->unsaid[i] = (s->unsaid_said ? 0 : s->unsaid[i]) + s->delta[i] - s->said[i];
		}
		s->delta[i] = s->said[i] = 0;
	}
	s->unsaid_said = false;
}

/* --- in memory ------------------------------------------------------------------ */

static void
unlink_row(struct store *s, struct kept *k)
{
	if (k->older != NULL)
		k->older->newer = k->newer;
	else
		s->oldest = k->newer;
	if (k->newer != NULL)
		k->newer->older = k->older;
	else
		s->newest = k->older;
}

static void
link_row(struct store *s, struct kept *k)
{
	k->older = s->newest;
	k->newer = NULL;
	if (s->newest != NULL)
		s->newest->newer = k;
	else
		s->oldest = k;
	s->newest = k;
}

struct kept *
kept_any(const struct store *s, uint64_t id)
{
	return idmap_get(&s->by_id, id);
}

struct kept *
kept_get(struct store *s, uint64_t id)
{
	struct kept *k = kept_any(s, id);

	if (k == NULL || k->row.state == STATE_FINISHED)
		return NULL;
	if (k != s->newest) {
		unlink_row(s, k);
		link_row(s, k);
	}
	return k;
}

struct kept *
kept_new(struct store *s, const struct row *like)
{
	struct kept *k = calloc(1, sizeof *k);

	if (k == NULL)
		no_memory();
	k->row = *like;
	k->row.arena = (struct arena){ 0 };
	row_own(&k->row);
	k->octets = ROW_OCTETS + 2 * like->in.body.len;
	if (idmap_set(&s->by_id, like->in.id, k) == -1)
		no_memory();
	link_row(s, k);
	s->octets += k->octets;
	return k;
}

static void
kept_drop(struct store *s, struct kept *k)
{
	for (unsigned i = 0; i < k->row.evidence_count; i++) {
		const struct row_segment *e = &k->row.evidence[i];
		uint64_t h = texts_hash(e->domain, e->answer.foreign_id);

		if ((uintptr_t)idmap_get(&s->by_foreign, h) == k->row.in.id)
			idmap_cut(&s->by_foreign, h);
	}
	unlink_row(s, k);
	idmap_cut(&s->by_id, k->row.in.id);
	s->octets -= k->octets;
	arena_free(&k->row.arena);
	free(k);
}

void
kept_change(struct store *s, struct kept *k)
{
	if (!k->touched) {
		k->touched = true;
		k->next_touched = s->touched;
		s->touched = k;
	}
	if (!k->changed) {
		k->changed = true;
		k->next_changed = NULL;
		*s->changed_end = k;
		s->changed_end = &k->next_changed;
	}
}

void
kept_settle(struct store *s, bool committed)
{
	struct kept *k, *next;

	for (k = s->touched; k != NULL; k = next) {
		next = k->next_touched;
		k->touched = false;
		if (!committed || k->row.state == STATE_FINISHED)
			kept_drop(s, k);
	}
	s->touched = NULL;
}

void
kept_drop_strays(struct store *s)
{
	struct kept *k;

	while ((k = s->strays) != NULL) {
		s->strays = k->next_touched;
		kept_drop(s, k);
	}
}

void
kept_trim(struct store *s)
{
	while (s->octets > ROWS_MOST && s->oldest != NULL)
		kept_drop(s, s->oldest);
}

void
kept_forget(struct store *s)
{
	while (s->oldest != NULL)
		kept_drop(s, s->oldest);
	s->touched = s->changed = s->strays = NULL;
	s->changed_end = &s->changed;
	idmap_free(&s->by_foreign);
}

void
kept_forget_parts(struct store *s, const struct store_parts *parts)
{
	struct kept *k, *newer;

	for (k = s->oldest; k != NULL; k = newer) {
		newer = k->newer;
		if (parts_has(parts, store_part(k->row.in.order_key)))
			kept_drop(s, k);
	}
}

/* --- foreign ids ------------------------------------------------------------------ */

void
kept_leads(struct store *s, const struct row *r, struct text domain, struct text id)
{
	if (id.len > 0 &&
	    idmap_set(&s->by_foreign, texts_hash(domain, id), (void *)(uintptr_t)r->in.id) == -1)
		no_memory();
}

/* Two segments of it, of two attempts, may have had the same id: then the table has to tell. */
struct kept *
kept_by_foreign(struct store *s, struct text domain, struct text id, const struct row_segment **segment)
{
	uint64_t message = (uintptr_t)idmap_get(&s->by_foreign, texts_hash(domain, id));
	struct kept *k = message != 0 ? kept_get(s, message) : NULL;
	unsigned found = 0;

	for (unsigned i = 0; k != NULL && i < k->row.evidence_count; i++) {
		const struct row_segment *e = &k->row.evidence[i];

		if (!text_eq(e->answer.foreign_id, id) || !text_eq(e->domain, domain))
			continue;
		*segment = e;
		found++;
	}
	return found == 1 ? k : NULL;
}

/* --- from the tables ---------------------------------------------------------------- */

static void
row_as_put(const PGresult *res, unsigned i, struct row *r)
{
	*r = (struct row){
		.position = (uint64_t)pg_number(res, i, C_POS),
		.in = {
			.id = (uint64_t)pg_number(res, i, C_ID),
			.order_key = (uint64_t)pg_number(res, i, C_KEY),
			.msisdn = pg_text(res, i, C_MSISDN), .account = pg_text(res, i, C_ACCOUNT),
			.push_id = pg_text(res, i, C_PUSH_ID), .smsc = pg_text(res, i, C_SMSC),
			.group = pg_text(res, i, C_GRP), .klass = (uint8_t)pg_number(res, i, C_KLASS),
			.accepted = pg_number(res, i, C_ACCEPTED), .expires = pg_number(res, i, C_EXPIRES),
			.due = pg_number(res, i, C_DUE),
		},
		.state = (enum store_state)pg_number(res, i, C_STATE),
		.mark = { .attempt = (uint16_t)pg_number(res, i, C_ATTEMPT),
		    .reference = (uint16_t)pg_number(res, i, C_REF), .link = pg_text(res, i, C_LINK),
		    .at = pg_number(res, i, C_MARKED) },
		.due = pg_number(res, i, C_DUE),
	};
}

void
row_of_result(const PGresult *res, unsigned i, struct row *r)
{
	unsigned flags;

	row_as_put(res, i, r);
	if (!pg_number(res, i, C_T))
		return;
	flags = (unsigned)pg_number(res, i, C_T_FLAGS);
	r->state = (enum store_state)pg_number(res, i, C_T_STATE);
	r->mark = (struct store_mark){ .attempt = (uint16_t)pg_number(res, i, C_T_ATTEMPT),
	    .reference = (uint16_t)pg_number(res, i, C_T_REF), .link = pg_text(res, i, C_T_LINK),
	    .at = pg_number(res, i, C_T_MARKED) };
	r->due = pg_number(res, i, C_T_DUE);
	r->segments = (uint8_t)pg_number(res, i, C_T_SEGS);
	r->tries = (uint16_t)pg_number(res, i, C_T_TRIES);
	r->refused = pg_number(res, i, C_T_REFUSED);
	r->left = (flags & FLAG_LEFT) != 0;
	r->wanted = (flags & FLAG_WANTED) != 0;
	r->pended = (flags & FLAG_PENDED) != 0;
	if (!pg_null(res, i, C_T_EVIDENCE) && !unpack_segments(pg_text(res, i, C_T_EVIDENCE), r))
		log_error("store: the evidence of message %llu is damaged", (unsigned long long)r->in.id);
}

struct kept *
kept_read(struct store *s, const PGresult *res, unsigned i, bool body)
{
	struct kept *k = kept_any(s, (uint64_t)pg_number(res, i, C_ID));
	struct row r;

	if (k == NULL) {
		row_of_result(res, i, &r);
		if (body)
			r.in.body = pg_text(res, i, ROW_COLUMNS);
		k = kept_new(s, &r);
		arena_free(&r.arena);
		k->has_body = body;
		k->has_state = pg_number(res, i, C_T) != 0;
		if (!owns(s, k->row.in.order_key)) {
			k->next_touched = s->strays;
			s->strays = k;
		}
	} else if (body && !k->has_body) {
		k->row.in.body = arena_text(&k->row.arena, pg_text(res, i, ROW_COLUMNS));
		k->has_body = true;
	}
	return k;
}
