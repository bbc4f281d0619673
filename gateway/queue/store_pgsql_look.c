/*
 * store_pgsql_look.c - the PostgreSQL store: look-ups, scans, purge
 *
 * Knows:     the tables; how a scan goes on.
 * Does not:  change anything but what is too old.
 * Owns:      the connection of an open load, from its first slice to its last. What is shown in a callback
 *            lives in that call, what is returned until the next round.
 * Threads:   the store worker's.
 */
#include "queue/store_pgsql_inner.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The answer to a request is looked for within seconds. */
enum { COUNTS_FRESH_MS = 1000, ANSWER_PATIENCE_MS = 600 * 1000 };

enum { LOAD_CHUNK = 1000 };		/* rows: fit into a socket's buffer */

enum { PARTS_OCTETS = STORE_PARTITIONS / 8 };

/* As get_bit counts: from the lowest bit of the first octet. */
static void
parts_mask(const struct store_parts *parts, char mask[PARTS_OCTETS])
{
	for (unsigned i = 0; i < PARTS_OCTETS; i++)
		mask[i] = (char)(parts->bits[i / 8] >> i % 8 * 8);
}

/* --- load ------------------------------------------------------------------------- */

/*
 * The scan reads a server-side cursor, on a connection whose plans may do what is good for a million rows.
 * A snapshot holds back every vacuum, so it is open no longer than the scan, and not for long if that is
 * abandoned.
 */
static const char load_settings[] = "SET search_path=kantele; SET work_mem='64MB'; SET jit=off;"
    " SET enable_nestloop=off; SET enable_mergejoin=off; SET cursor_tuple_fraction=1;"
    " SET idle_in_transaction_session_timeout='60s'";

/* Of a million rows every column counts: these are what an owner keeps, and a 0 does not travel. `<> 0` is
 * believed to be true of most rows, `= 1` of a few, for which the hash table would be made too small. */
enum { L_ID, L_KEY, L_POS, L_ACCEPTED, L_EXPIRES, L_KLASS, L_MSISDN, L_ACCOUNT, L_SMSC, L_GRP, L_STATE, L_DUE,
    L_ATTEMPT, L_REF, L_MARKED, L_TRIES, L_REFUSED, L_LINK };

#define AS_IT_IS(column) " nullif(coalesce(t." column ", q." column "), 0),"
#define LOAD_SQL "DECLARE turns NO SCROLL CURSOR FOR SELECT q.id, q.key, q.pos, q.accepted, q.expires," \
	" q.klass, q.msisdn, q.account, q.smsc, q.grp," AS_IT_IS("state") AS_IT_IS("due") \
	AS_IT_IS("attempt") AS_IT_IS("ref") AS_IT_IS("marked") " t.tries, t.refused," \
	" CASE WHEN t.id IS NULL THEN q.link ELSE t.link END" \
	" FROM queue q LEFT JOIN state t ON t.id = q.id AND get_bit('\\x%s'::bytea, t.part) <> 0" \
	" WHERE get_bit('\\x%s'::bytea, q.part) <> 0" \
	" AND (q.pos, q.id) > (%" PRId64 ", %" PRId64 ") AND coalesce(t.state, q.state) NOT IN (%d, %d)" \
	" ORDER BY q.pos, q.id"

void
pg_look_end(struct store *s)
{
	if (s->load.conn != NULL)
		pg_close(&s->load);
	s->loading = false;
}

static void
load_ask(struct store *s)
{
	char sql[50];

	snprintf(sql, sizeof sql, "FETCH FORWARD %u FROM turns", s->load_chunk);
	pg_ask_plain(&s->load, sql);
	pg_ahead(&s->load);
}

/* By position and id, not by a number of rows: what was shown may be gone when the scan is opened again. */
static int
load_begin(struct store *s, const struct store_parts *parts, const struct store_cursor *c, unsigned most,
    struct err *err)
{
	char mask[PARTS_OCTETS], hex[2 * PARTS_OCTETS + 1], sql[sizeof LOAD_SQL + 4 * PARTS_OCTETS + 60];

	pg_look_end(s);
	parts_mask(parts, mask);
	for (unsigned i = 0; i < PARTS_OCTETS; i++)
		snprintf(hex + 2 * (size_t)i, 3, "%02x", (unsigned char)mask[i]);
	snprintf(sql, sizeof sql, LOAD_SQL, hex, hex, (int64_t)c->a, (int64_t)c->b, STATE_AWAITING,
	    STATE_RIPE);
	if (pg_open(&s->load, s->conf->conninfo, "kantele load", err) == -1)
		return -1;
	if (pg_prepare(&s->load, load_settings, NULL, err) == -1 ||
	    pg_run(&s->load, "BEGIN READ ONLY", err) == -1 || pg_run(&s->load, sql, err) == -1) {
		pg_look_end(s);
		return -1;
	}
	s->load_parts = *parts;
	s->load_at = *c;
	s->load_chunk = most < LOAD_CHUNK ? most : LOAD_CHUNK;
	s->loading = true;
	load_ask(s);
	return 0;
}

/* The rows that were asked for; the next ones are under way meanwhile. NULL: err, and the scan is closed. */
static PGresult *
load_fetch(struct store *s, struct err *err)
{
	PGresult *res;

	if (pg_trip(&s->load, err) == -1) {
		pg_look_end(s);
		return NULL;
	}
	res = pg_take(&s->load, 0);
	if ((unsigned)PQntuples(res) == s->load_chunk)
		load_ask(s);
	return res;
}

/* The first rows of a slice. A connection that broke since the last one is opened again, once. */
static PGresult *
load_first(struct store *s, const struct store_parts *parts, const struct store_cursor *c, unsigned most,
    struct err *err)
{
	PGresult *res = NULL;

	if (s->loading && (c->a | c->b) != 0 && c->a == s->load_at.a && c->b == s->load_at.b &&
	    most >= s->load_chunk && memcmp(parts, &s->load_parts, sizeof *parts) == 0)
		res = load_fetch(s, NULL);
	if (res == NULL && load_begin(s, parts, c, most, err) == 0)
		res = load_fetch(s, err);
	return res;
}

static void
load_show(const PGresult *res, struct store_cursor *c, store_index_fn *show, void *arg)
{
	unsigned n = (unsigned)PQntuples(res);

	for (unsigned i = 0; i < n; i++) {
		struct store_index x = { .id = (uint64_t)pg_number(res, i, L_ID),
		    .order_key = (uint64_t)pg_number(res, i, L_KEY), .msisdn = pg_text(res, i, L_MSISDN),
		    .account = pg_text(res, i, L_ACCOUNT), .smsc = pg_text(res, i, L_SMSC),
		    .group = pg_text(res, i, L_GRP), .link = pg_text(res, i, L_LINK),
		    .state = (enum store_state)pg_number(res, i, L_STATE),
		    .klass = (uint8_t)pg_number(res, i, L_KLASS),
		    .attempt = (uint16_t)pg_number(res, i, L_ATTEMPT),
		    .reference = (uint16_t)pg_number(res, i, L_REF),
		    .tries = (uint16_t)pg_number(res, i, L_TRIES), .due = pg_number(res, i, L_DUE),
		    .accepted = pg_number(res, i, L_ACCEPTED), .expires = pg_number(res, i, L_EXPIRES),
		    .marked = pg_number(res, i, L_MARKED), .refused = pg_number(res, i, L_REFUSED) };

		show(arg, &x);
		c->a = (uint64_t)pg_number(res, i, L_POS);
		c->b = x.id;
	}
}

int
pg_look_load(struct store *s, const struct store_parts *parts, struct store_cursor *c, unsigned most,
    store_index_fn *show, void *arg, struct err *err)
{
	PGresult *res = load_first(s, parts, c, most, err);
	unsigned left = most;

	while (res != NULL) {
		c->end = (unsigned)PQntuples(res) < s->load_chunk;
		load_show(res, c, show, arg);
		PQclear(res);
		s->load_at = *c;
		left -= s->load_chunk;
		if (c->end)
			pg_look_end(s);
		if (c->end || left < s->load_chunk)
			return 0;
		res = load_fetch(s, err);
	}
	return -1;
}

/* --- other scans -------------------------------------------------------------------- */

/* A page of these partitions, behind the cursor. */
static struct pg_args *
page_args(struct store *s, enum pg_which which, const struct store_parts *parts, const struct store_cursor *c,
    unsigned most)
{
	struct pg_args *a = args_begin(s, which);
	char mask[PARTS_OCTETS];

	parts_mask(parts, mask);
	pg_arg(a, 0, (int64_t)c->a);
	pg_arg_text(a, 1, (struct text){ mask, sizeof mask });
	pg_arg(a, 2, most);
	return a;
}

typedef bool row_want_fn(const struct row *, wall_t now);

static bool
want_held(const struct row *r, wall_t now)
{
	(void)now;
	return r->state == STATE_HELD;
}

static int
states_scan(struct store *s, struct pg_args *a, struct store_cursor *c, unsigned most, row_want_fn *want,
    wall_t now, store_index_fn *show, void *arg, struct err *err)
{
	enum { LAST = ROW_COLUMNS, SEEN };
	unsigned n = pg_ask(&s->pg, a);
	struct store_index x;
	struct row row;
	const PGresult *res;

	if (pg_trip(&s->pg, err) == -1)
		return -1;
	res = pg_result(&s->pg, n);
	for (unsigned i = 0; i < pg_rows(&s->pg, n); i++) {
		if (pg_null(res, i, C_ID))		/* none is meant */
			continue;
		row_of_result(res, i, &row);
		if (want(&row, now)) {
			row_index(&row, &x);
			show(arg, &x);
		}
		arena_free(&row.arena);
	}
	if (!pg_null(res, 0, LAST))
		c->a = (uint64_t)pg_number(res, 0, LAST);
	c->end = pg_number(res, 0, SEEN) < most;
	return 0;
}

int
pg_look_overdue(struct store *s, const struct store_parts *parts, struct store_cursor *c, unsigned most,
    wall_t now, store_index_fn *show, void *arg, struct err *err)
{
	struct pg_args *a = page_args(s, ST_OVERDUE, parts, c, most);

	pg_arg(a, 3, now - RECEIPT_PATIENCE_MS);
	pg_arg(a, 4, FLAG_TO_TELL);
	return states_scan(s, a, c, most, row_overdue, now, show, arg, err);
}

int
pg_look_held(struct store *s, const struct store_parts *parts, struct store_cursor *c, unsigned most,
    store_index_fn *show, void *arg, struct err *err)
{
	return states_scan(s, page_args(s, ST_HELD, parts, c, most), c, most, want_held, 0, show, arg, err);
}

int
pg_look_notices(struct store *s, const struct store_parts *parts, struct store_cursor *c, unsigned most,
    store_notice_fn *show, void *arg, struct err *err)
{
	unsigned n = pg_ask(&s->pg, page_args(s, ST_NOTICES, parts, c, most)), seen;
	const PGresult *res;

	if (pg_trip(&s->pg, err) == -1)
		return -1;
	res = pg_result(&s->pg, n);
	seen = pg_rows(&s->pg, n);
	for (unsigned i = 0; i < seen; i++) {
		struct store_notice notice = { .id = (uint64_t)pg_number(res, i, 0),
		    .message = (uint64_t)pg_number(res, i, 1), .order_key = (uint64_t)pg_number(res, i, 2),
		    .due = pg_number(res, i, 3), .until = pg_number(res, i, 4),
		    .tries = (uint16_t)pg_number(res, i, 5), .url = pg_text(res, i, 6) };

		c->a = notice.id;
		show(arg, &notice);
	}
	c->end = seen < most;
	return 0;
}

/* --- one message ---------------------------------------------------------------------- */

/* What the last round handed out is gone with the first call of this one. */
static void
texts_begin(struct store *s)
{
	if (s->stale)
		arena_reset(&s->texts);
	s->stale = false;
}

static void
view_own(struct store *s, struct store_view *v)
{
	struct text *texts[] = { &v->msisdn, &v->account, &v->push_id, &v->link };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		*texts[i] = arena_text(&s->texts, *texts[i]);
}

static void
open_view(struct store *s, const PGresult *res, unsigned i, struct store_view *v)
{
	struct row row;

	row_of_result(res, i, &row);
	row_view(&row, v);
	view_own(s, v);
	arena_free(&row.arena);
}

static void
result_view(struct store *s, const PGresult *res, unsigned i, struct store_view *v)
{
	enum { R_ID, R_KEY, R_ACCEPTED, R_EXPIRES, R_FINISHED, R_CODE, R_ATTEMPT, R_OUTCOME, R_MSISDN,
	    R_ACCOUNT, R_PUSH_ID, R_LINK };

	*v = (struct store_view){ .id = (uint64_t)pg_number(res, i, R_ID),
	    .order_key = (uint64_t)pg_number(res, i, R_KEY), .msisdn = pg_text(res, i, R_MSISDN),
	    .account = pg_text(res, i, R_ACCOUNT), .push_id = pg_text(res, i, R_PUSH_ID),
	    .link = pg_text(res, i, R_LINK), .state = STATE_FINISHED,
	    .outcome = (enum store_outcome)pg_number(res, i, R_OUTCOME),
	    .attempt = (uint16_t)pg_number(res, i, R_ATTEMPT), .code = (uint32_t)pg_number(res, i, R_CODE),
	    .accepted = pg_number(res, i, R_ACCEPTED), .expires = pg_number(res, i, R_EXPIRES),
	    .finished = pg_number(res, i, R_FINISHED) };
	view_own(s, v);
}

/* Its owner has not taken it yet. false: it cannot be read, which the owner will say. */
static bool
inbox_view(struct store *s, const PGresult *res, unsigned i, struct store_view *v)
{
	enum { I_ID, I_KEY, I_DATA };
	struct row row = { .inbox = true, .state = STATE_WAITING };

	if (!unpack_message(pg_text(res, i, I_DATA), &row.in))
		return false;
	row.in.id = (uint64_t)pg_number(res, i, I_ID);
	row.in.order_key = (uint64_t)pg_number(res, i, I_KEY);
	row.due = row.in.due;
	row_view(&row, v);
	view_own(s, v);
	return true;
}

static unsigned
ask_id(struct store *s, enum pg_which which, uint64_t id)
{
	struct pg_args *a = args_begin(s, which);

	pg_arg(a, 0, (int64_t)id);
	return pg_ask(&s->pg, a);
}

static unsigned
ask_inbox(struct store *s, const struct store_place *p)
{
	struct pg_args *a = args_begin(s, ST_WAITS_IN);

	pg_arg(a, 0, p->part >= 0 ? p->part : 0);
	pg_arg(a, 1, p->part >= 0 ? p->part : STORE_PARTITIONS - 1);
	pg_arg(a, 2, (int64_t)p->id);
	return pg_ask(&s->pg, a);
}

/* Messages go from the inbox to the queue and from there to the results. Looked for in this order, none
 * slips past. */
static int
find_in(struct store *s, const struct store_place *p, bool inbox, struct store_view *v, struct err *err)
{
	unsigned waits = inbox ? ask_inbox(s, p) : UINT_MAX;
	unsigned open = ask_id(s, ST_OPEN, p->id), over = ask_id(s, ST_RESULT, p->id);

	if (pg_trip(&s->pg, err) == -1)
		return -1;
	if (pg_rows(&s->pg, over) > 0)
		result_view(s, pg_result(&s->pg, over), 0, v);
	else if (pg_rows(&s->pg, open) > 0)
		open_view(s, pg_result(&s->pg, open), 0, v);
	else
		return inbox && pg_rows(&s->pg, waits) > 0 && inbox_view(s, pg_result(&s->pg, waits), 0, v);
	return 1;
}

int
pg_look_find(struct store *s, const struct store_place *p, struct store_view *v, struct err *err)
{
	int found;

	texts_begin(s);
	if ((found = find_in(s, p, false, v, err)) == 0)
		found = find_in(s, p, true, v, err);
	return found;
}

static int
place_find(struct store *s, enum pg_which which, struct text a, struct text b, struct store_place *p,
    struct err *err)
{
	struct pg_args *args = args_begin(s, which);
	unsigned n;

	pg_arg_text(args, 0, a.at != NULL ? a : TEXT(""));	/* part of a primary key: absent is "" */
	pg_arg_text(args, 1, b.at != NULL ? b : TEXT(""));
	n = pg_ask(&s->pg, args);
	if (pg_trip(&s->pg, err) == -1)
		return -1;
	if (pg_rows(&s->pg, n) == 0)
		return 0;
	*p = (struct store_place){ .id = (uint64_t)pg_number(pg_result(&s->pg, n), 0, 0),
	    .part = (int)pg_number(pg_result(&s->pg, n), 0, 1) };
	return 1;
}

int
pg_look_push_id(struct store *s, struct text account, struct text push_id, struct store_place *p,
    struct err *err)
{
	return place_find(s, ST_PUSH_ID, account, push_id, p, err);
}

int
pg_look_foreign(struct store *s, struct text domain, struct text id, struct store_place *p, struct err *err)
{
	return place_find(s, ST_FOREIGN_ID, id, domain, p, err);
}

/* --- all of an MSISDN --------------------------------------------------------------------- */

/* Newest first; a message that finished meanwhile is there twice: as finished first. */
static int
view_order(const void *a, const void *b)
{
	const struct store_view *v = a, *w = b;

	if (v->accepted != w->accepted)
		return v->accepted < w->accepted ? 1 : -1;
	if (v->id != w->id)
		return v->id < w->id ? 1 : -1;
	return (int)w->state - (int)v->state;
}

static unsigned
ask_msisdn(struct store *s, enum pg_which which, uint64_t key, struct text msisdn, unsigned most)
{
	struct pg_args *a = args_begin(s, which);

	pg_arg(a, 0, (int64_t)key);
	pg_arg_text(a, 1, msisdn.at != NULL ? msisdn : TEXT(""));
	pg_arg(a, 2, most);
	return pg_ask(&s->pg, a);
}

static unsigned
ask_msisdn_inbox(struct store *s, uint64_t key)
{
	struct pg_args *a = args_begin(s, ST_MSISDN_WAITS_IN);

	pg_arg(a, 0, store_part(key));
	pg_arg(a, 1, (int64_t)key);
	return pg_ask(&s->pg, a);
}

/* Ids of different nodes do not compare in time, so each node gives its newest, and the best are shown. */
int
pg_look_msisdn(struct store *s, uint64_t key, struct text msisdn, unsigned most, store_view_fn *show,
    void *arg, struct err *err)
{
	unsigned waits = ask_msisdn_inbox(s, key), n = 0;
	unsigned open = ask_msisdn(s, ST_MSISDN_OPEN, key, msisdn, most);
	unsigned over = ask_msisdn(s, ST_MSISDN_RESULT, key, msisdn, most);
	struct store_view *v;

	texts_begin(s);
	if (pg_trip(&s->pg, err) == -1)
		return -1;
	v = arena_get(&s->texts, sizeof *v * (1 + pg_rows(&s->pg, waits) + pg_rows(&s->pg, open) +
	    pg_rows(&s->pg, over)));
	for (unsigned i = 0; i < pg_rows(&s->pg, waits); i++)
		if (inbox_view(s, pg_result(&s->pg, waits), i, &v[n]) && text_eq(v[n].msisdn, msisdn))
			n++;
	for (unsigned i = 0; i < pg_rows(&s->pg, open); i++)
		open_view(s, pg_result(&s->pg, open), i, &v[n++]);
	for (unsigned i = 0; i < pg_rows(&s->pg, over); i++)
		result_view(s, pg_result(&s->pg, over), i, &v[n++]);
	qsort(v, n, sizeof *v, view_order);
	for (unsigned i = 0; i < n && most > 0; i++) {
		if (i > 0 && v[i].id == v[i - 1].id)
			continue;
		show(arg, &v[i]);
		most--;
	}
	return 0;
}

/* --- counts ----------------------------------------------------------------------------------- */

static int
totals_read(struct store *s, struct err *err)
{
	unsigned n = pg_ask(&s->pg, args_begin(s, ST_COUNTS));

	if (pg_trip(&s->pg, err) == -1)
		return -1;
	for (unsigned i = 0; i < COUNTS; i++)
		s->totals[i] = pg_number(pg_result(&s->pg, n), 0, i);
	s->counted = clock_mono();
	return 0;
}

/* A node's own row may be below zero: others finished what it took in. Together they are not, but for what
 * is not said yet. */
int
pg_look_counts(struct store *s, struct store_counts *c, struct err *err)
{
	uint64_t *counts[COUNTS] = { &c->waiting, &c->sending, &c->awaiting, &c->held, &c->notices, &c->early };

	/* Within a transaction the sums would have what is not committed yet. */
	if (!s->open && (s->counted == 0 || clock_mono() - s->counted >= COUNTS_FRESH_MS) &&
	    totals_read(s, err) == -1)
		return -1;
	for (unsigned i = 0; i < COUNTS; i++) {
		int64_t n = s->totals[i] + s->unsaid[i];

		*counts[i] = n > 0 ? (uint64_t)n : 0;
	}
	return 0;
}

/* --- purge --------------------------------------------------------------------------------------- */

static int
purge_from(struct store *s, enum pg_which which, wall_t before, unsigned most, unsigned *gone,
    struct err *err)
{
	struct pg_args *a = args_begin(s, which);
	unsigned n;

	*gone = 0;
	if (most == 0)
		return 0;
	pg_arg(a, 0, before);
	pg_arg(a, 1, most);
	n = pg_ask(&s->pg, a);
	if (pg_trip(&s->pg, err) == -1)
		return -1;
	*gone = (unsigned)pg_number(pg_result(&s->pg, n), 0, 0);
	return 0;
}

int
pg_look_purge(struct store *s, wall_t before, unsigned most, unsigned *gone, struct err *err)
{
	wall_t unheard = clock_wall() - ANSWER_PATIENCE_MS;
	unsigned results, early, answers;

	*gone = 0;
	if (write_begin(s, err) == -1 ||
	    purge_from(s, ST_PURGE, before, most, &results, err) == -1 ||
	    purge_from(s, ST_PURGE_EARLY, before, most - results, &early, err) == -1 ||
	    purge_from(s, ST_PURGE_ANSWERS, before < unheard ? before : unheard, most - results - early,
	    &answers, err) == -1)
		return write_fenced(err);
	s->delta[COUNT_EARLY] -= early;
	*gone = results + early + answers;
	return 0;
}
