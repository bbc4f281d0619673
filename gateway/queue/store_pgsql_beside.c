/*
 * store_pgsql_beside.c - what lies beside the messages in a round: foreign ids, early receipts, push-ids
 *
 * Each is a small table in memory by the hash of its two texts: what was read of the database, and
 * what the round makes of it. Of several changes the last one is written, once.
 *
 * Knows:     how row.c asks for them (struct row_world).
 * Does not:  ask the database, or write.
 * Owns:      the tables; texts lie in the round's arena.
 * Threads:   the store worker's.
 */
#include "queue/store_pgsql_inner.h"

#include <stdlib.h>
#include <string.h>

/* --- tables ------------------------------------------------------------------------ */

typedef bool same_fn(const void *row, struct text a, struct text b);

/* Of two texts with the same hash the later one is kept under the next number. */
static void *
table_get(struct table *t, size_t size, struct text a, struct text b, same_fn *same, bool make)
{
	uint64_t h = texts_hash(a, b);
	uintptr_t at;
	char *row;

	for (; (at = (uintptr_t)idmap_get(&t->map, h)) != 0; h = h + 1 != 0 ? h + 1 : 1) {
		row = (char *)t->rows + (at - 1) * size;
		if (same(row, a, b))
			return row;
	}
	if (!make)
		return NULL;
	if (t->count == t->room) {
		t->room = t->room > 0 ? 2 * t->room : 256;
		if ((t->rows = realloc(t->rows, t->room * size)) == NULL)
			no_memory();
	}
	row = memset((char *)t->rows + t->count++ * size, 0, size);
	if (idmap_set(&t->map, h, (void *)t->count) == -1)
		no_memory();
	return row;
}

static void
table_clear(struct table *t)
{
	enum { ROOM_KEPT = 4096 };

	if (t->count > 0)
		idmap_free(&t->map);
	if (t->room > ROOM_KEPT) {
		free(t->rows);
		t->rows = NULL;
		t->room = 0;
	}
	t->count = 0;
}

void
beside_clear(struct store *s)
{
	table_clear(&s->foreign);
	table_clear(&s->early);
	table_clear(&s->push);
}

void
beside_free(struct store *s)
{
	struct table *all[] = { &s->foreign, &s->early, &s->push };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		idmap_free(&all[i]->map);
		free(all[i]->rows);
		*all[i] = (struct table){ .rows = NULL };
	}
}

static bool
same_foreign(const void *row, struct text domain, struct text id)
{
	const struct foreign *f = row;

	return text_eq(f->id, id) && text_eq(f->domain, domain);
}

struct foreign *
foreign_get(struct store *s, struct text domain, struct text id, bool make)
{
	struct text where = domain.at != NULL ? domain : TEXT("");
	struct foreign *f = table_get(&s->foreign, sizeof *f, where, id, same_foreign, make);

	if (f != NULL && f->id.at == NULL) {
		f->domain = arena_text(&s->work, where);
		f->id = arena_text(&s->work, id);
	}
	return f;
}

static bool
same_early(const void *row, struct text domain, struct text id)
{
	const struct early *e = row;

	return text_eq(e->r.foreign_id, id) && text_eq(e->r.domain, domain);
}

struct early *
early_get(struct store *s, struct text domain, struct text id, bool make)
{
	struct text where = domain.at != NULL ? domain : TEXT("");
	struct early *e = table_get(&s->early, sizeof *e, where, id, same_early, make);

	if (e != NULL && e->r.foreign_id.at == NULL) {
		e->r.domain = arena_text(&s->work, where);
		e->r.foreign_id = arena_text(&s->work, id);
	}
	return e;
}

static bool
same_push(const void *row, struct text account, struct text push_id)
{
	const struct push *p = row;

	return text_eq(p->push_id, push_id) && text_eq(p->account, account);
}

struct push *
push_get(struct store *s, struct text account, struct text push_id, bool make)
{
	struct text owner = account.at != NULL ? account : TEXT("");
	struct push *p = table_get(&s->push, sizeof *p, owner, push_id, same_push, make);

	if (p != NULL && p->push_id.at == NULL) {
		p->account = arena_text(&s->work, owner);
		p->push_id = arena_text(&s->work, push_id);
	}
	return p;
}

void
push_put(struct store *s, struct text account, struct text push_id, uint64_t id, unsigned part)
{
	struct pg_args *a = args_of(s, ST_PUSH_PUT);

	pg_arg_text(a, 0, account);
	pg_arg_text(a, 1, push_id);
	pg_arg(a, 2, foreign_part(account, push_id));
	pg_arg(a, 3, (int64_t)id);
	pg_arg(a, 4, part);
}

/* --- what was read ------------------------------------------------------------------- */

/* What the round changed already is newer. */
void
foreign_read(struct store *s, const PGresult *res)
{
	for (unsigned i = 0; i < (unsigned)PQntuples(res); i++) {
		struct foreign *f = foreign_get(s, pg_text(res, i, 1), pg_text(res, i, 0), true);

		if (f->is == FOREIGN_PUT || f->is == FOREIGN_CUT)
			continue;
		f->is = FOREIGN_READ;
		f->message = (uint64_t)pg_number(res, i, 2);
		f->attempt = (uint16_t)pg_number(res, i, 3);
		f->segment = (uint8_t)pg_number(res, i, 4);
		f->open = !pg_null(res, i, 5);
		f->key = (uint64_t)pg_number(res, i, 5);
	}
}

void
early_read(struct store *s, const PGresult *res)
{
	for (unsigned i = 0; i < (unsigned)PQntuples(res); i++) {
		struct early *e = early_get(s, pg_text(res, i, 1), pg_text(res, i, 0), true);

		if (e->changed)
			continue;
		e->there = true;
		e->r.state = (uint8_t)pg_number(res, i, 2);
		e->r.at = pg_number(res, i, 3);
		e->r.said = arena_text(&s->work, pg_text(res, i, 4));
	}
}

/* --- what row.c asks for ---------------------------------------------------------------- */

static void
foreign_set(void *arg, struct text domain, struct text id, const struct row *r, const struct row_segment *e)
{
	struct store *s = arg;
	struct foreign *f = foreign_get(s, domain, id, true);

	f->is = FOREIGN_PUT;
	f->message = r->in.id;
	f->key = r->in.order_key;
	f->attempt = e->attempt;
	f->segment = e->answer.segment;
	f->open = true;
	kept_leads(s, r, domain, id);
}

static void
foreign_drop(void *arg, struct text domain, struct text id, const struct row *r, const struct row_segment *e)
{
	struct store *s = arg;
	struct foreign *f = foreign_get(s, domain, id, true);
	uint64_t h = texts_hash(domain, id);

	if ((uintptr_t)idmap_get(&s->by_foreign, h) == r->in.id)
		idmap_cut(&s->by_foreign, h);
	if (f->is != FOREIGN_NOWHERE && (f->message != r->in.id || f->attempt != e->attempt ||
	    f->segment != e->answer.segment))
		return;
	f->is = FOREIGN_CUT;
	f->message = r->in.id;
	f->key = r->in.order_key;
	f->attempt = e->attempt;
	f->segment = e->answer.segment;
	f->open = false;
}

static bool
early_take(void *arg, struct text domain, struct text id, struct store_receipt *out)
{
	struct store *s = arg;
	struct early *e = early_get(s, domain, id, false);

	if (e == NULL || e->r.state == RECEIPT_NONE)
		return false;
	*out = e->r;
	e->r.state = RECEIPT_NONE;
	e->changed = true;
	s->delta[COUNT_EARLY]--;
	return true;
}

struct row_world
beside_world(struct store *s)
{
	return (struct row_world){ foreign_set, foreign_drop, early_take, s };
}

/* Kept until its message shows up, or the purge. A final one is not overwritten. */
void
early_keep(struct store *s, const struct store_receipt *r, struct store_joined *joined)
{
	struct early *e = early_get(s, r->domain, r->foreign_id, true);

	if (e->r.state != RECEIPT_NONE && !receipt_beats(r->state, e->r.state))
		return;
	if (e->r.state == RECEIPT_NONE)
		s->delta[COUNT_EARLY]++;
	e->r.state = r->state;
	e->r.at = r->at;
	e->r.said = arena_text(&s->work, r->said);
	e->changed = true;
	s->has_early = true;
	joined->changed = true;
}
