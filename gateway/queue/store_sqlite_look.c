/*
 * store_sqlite_look.c - the SQLite store: reading
 *
 * Knows:     the tables.
 * Does not:  change anything.
 * Owns:      nothing; what it shows in a callback lives in that call, what it returns until
 *            the next call on the store.
 * Threads:   the store's.
 */
#include "queue/store_sqlite_inner.h"

#include "queue/receipt_join.h"
#include "queue/row.h"

/* --- scans --- */

static void
index_take(struct bind *b, struct store_index *x)
{
	struct text *texts[] = { &x->msisdn, &x->account, &x->smsc, &x->group, &x->link };

	x->klass = (uint8_t)take_int(b);
	x->attempt = (uint16_t)take_int(b);
	x->reference = (uint16_t)take_int(b);
	x->tries = (uint16_t)take_int(b);
	x->due = take_int(b);
	x->accepted = take_int(b);
	x->marked = take_int(b);
	x->refused = take_int(b);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		*texts[i] = take_text(b);
}

typedef bool index_want_fn(const struct store_index *, wall_t now);	/* state, pending, expires */

struct scan {
	const struct store_parts *parts;
	struct store_cursor *at;
	unsigned	 most, seen;
	index_want_fn	*want;
	wall_t		 now;
	store_index_fn	*show;
	void		*arg;
};

static int
index_page(struct store *s, enum sql which, struct scan *scan, struct err *err)
{
	struct bind b = sql(s, which);
	uint64_t *at = which == SQL_LOAD ? &scan->at->a : &scan->at->b, turn;
	struct store_index x;
	unsigned flags;
	int more;

	bind_int(&b, (int64_t)*at);
	bind_int(&b, scan->most - scan->seen);
	while ((more = sql_row(s, &b, err)) == 1) {
		scan->seen++;
		turn = (uint64_t)take_int(&b);
		x.id = (uint64_t)take_int(&b);
		*at = which == SQL_LOAD ? x.id : turn;
		if (which == SQL_LOAD && turn != 0)
			continue;
		x.order_key = (uint64_t)take_int(&b);
		x.state = (enum store_state)take_int(&b);
		flags = (unsigned)take_int(&b);
		x.pending = x.state == STATE_AWAITING && (flags & HOT_TO_TELL) == HOT_TO_TELL;
		x.expires = take_int(&b);
		if (!parts_has(scan->parts, store_part(x.order_key)) || !scan->want(&x, scan->now))
			continue;
		index_take(&b, &x);
		scan->show(scan->arg, &x);
	}
	return more;
}

/* Those that came from another store come first, in the order that they had there; then ids tell. */
static int
index_scan(struct store *s, struct scan scan, struct err *err)
{
	if (run_settled(s, err) == -1)
		return -1;
	if (s->turns && scan.at->a == 0 && index_page(s, SQL_LOAD_TURNS, &scan, err) == -1)
		return -1;
	if (scan.seen < scan.most && index_page(s, SQL_LOAD, &scan, err) == -1)
		return -1;
	scan.at->end = scan.seen < scan.most;
	return 0;
}

static bool
want_scheduled(const struct store_index *x, wall_t now)
{
	(void)now;
	return x->state != STATE_AWAITING && x->state != STATE_RIPE;
}

static bool
want_overdue(const struct store_index *x, wall_t now)
{
	return x->state == STATE_RIPE || x->pending ||
	    (x->state == STATE_AWAITING && x->expires + RECEIPT_PATIENCE_MS < now);
}

static bool
want_held(const struct store_index *x, wall_t now)
{
	(void)now;
	return x->state == STATE_HELD;
}

int
look_load(struct store *s, const struct store_parts *parts, struct store_cursor *c, unsigned most,
    store_index_fn *show, void *arg, struct err *err)
{
	return index_scan(s, (struct scan){ parts, c, most, 0, want_scheduled, 0, show, arg }, err);
}

int
look_overdue(struct store *s, const struct store_parts *parts, struct store_cursor *c, unsigned most,
    wall_t now, store_index_fn *show, void *arg, struct err *err)
{
	return index_scan(s, (struct scan){ parts, c, most, 0, want_overdue, now, show, arg }, err);
}

int
look_held(struct store *s, const struct store_parts *parts, struct store_cursor *c, unsigned most,
    store_index_fn *show, void *arg, struct err *err)
{
	return index_scan(s, (struct scan){ parts, c, most, 0, want_held, 0, show, arg }, err);
}

static void
notice_take(struct bind *b, struct store_notice *n)
{
	n->id = (uint64_t)take_int(b);
	n->message = (uint64_t)take_int(b);
	n->order_key = (uint64_t)take_int(b);
	n->due = take_int(b);
	n->until = take_int(b);
	n->tries = (uint16_t)take_int(b);
	n->url = take_text(b);
}

int
look_notices(struct store *s, const struct store_parts *parts, struct store_cursor *c, unsigned most,
    store_notice_fn *show, void *arg, struct err *err)
{
	struct bind b = sql(s, SQL_NOTICES);
	struct store_notice n;
	unsigned seen = 0;
	int more;

	bind_int(&b, (int64_t)c->a);
	bind_int(&b, most);
	while ((more = sql_row(s, &b, err)) == 1) {
		seen++;
		notice_take(&b, &n);
		c->a = n.id;
		if (parts_has(parts, store_part(n.order_key)))
			show(arg, &n);
	}
	c->end = seen < most;
	return more;
}

void
look_notice(struct store *s, uint64_t id, uint64_t order_key, struct store_notice *n,
    struct store_done *done)
{
	struct bind b = sql(s, SQL_NOTICE);
	int found;

	(void)order_key;
	round_goes_on(s);
	bind_int(&b, (int64_t)id);
	if ((found = sql_row(s, &b, &done->err)) == 1) {
		notice_take(&b, n);
		n->url = arena_text(&s->texts, n->url);
		sql_end(&b);
	}
	done->result = found == 1 ? STORE_OK : found == 0 ? STORE_ABSENT : STORE_FAILED;
}

/* --- one message --- */

static int
flight_answers(struct store *s, uint64_t id, struct store_flight *f, struct err *err)
{
	enum { SEGMENTS = 255 };
	struct store_answer *answers = arena_get(&s->texts, SEGMENTS * sizeof *answers);
	struct bind b = sql(s, SQL_EVIDENCE_OF);
	int more;

	f->answers = answers;
	bind_int(&b, (int64_t)id);
	bind_int(&b, f->attempt);
	while ((more = sql_row(s, &b, err)) == 1) {
		struct store_answer a;

		a.segment = (uint8_t)take_int(&b);
		a.state = (uint8_t)take_int(&b);
		a.foreign_id = arena_text(&s->texts, take_text(&b));
		if (f->answer_count < SEGMENTS)
			answers[f->answer_count++] = a;
	}
	return more;
}

/* What the receipts of an attempt say together. */
int
look_join(struct store *s, uint64_t id, uint16_t attempt, struct receipt_join *j, struct err *err)
{
	struct bind b = sql(s, SQL_EVIDENCE_ALL);
	int more;

	*j = (struct receipt_join){ 0 };
	bind_int(&b, (int64_t)id);
	bind_int(&b, attempt);
	while ((more = sql_row(s, &b, err)) == 1) {
		uint8_t state = (uint8_t)take_int(&b);
		struct text foreign_id = take_text(&b);
		struct text said = take_text(&b);

		receipt_join_add(j, state, arena_text(&s->texts, foreign_id),
		    arena_text(&s->texts, said));
	}
	return more;
}

static enum store_result
flight_read(struct store *s, uint64_t id, struct store_flight *f, struct err *err)
{
	struct bind b = sql(s, SQL_FLIGHT);
	struct receipt_join join;
	unsigned flags;
	int found;

	if (run_settled(s, err) == -1)
		return STORE_FAILED;
	bind_int(&b, (int64_t)id);
	if ((found = sql_row(s, &b, err)) != 1)
		return found == 0 ? STORE_ABSENT : STORE_FAILED;
	f->state = (enum store_state)take_int(&b);
	flags = (unsigned)take_int(&b);
	f->attempt = (uint16_t)take_int(&b);
	f->reference = (uint16_t)take_int(&b);
	f->segments = (uint8_t)take_int(&b);
	f->link = arena_text(&s->texts, take_text(&b));
	f->body = arena_text(&s->texts, take_text(&b));
	sql_end(&b);
	if (!(flags & HOT_EVIDENCE))
		return STORE_OK;
	if (flight_answers(s, id, f, err) == -1)
		return STORE_FAILED;
	if (f->state != STATE_RIPE &&
	    (f->state != STATE_AWAITING || (flags & HOT_TO_TELL) != HOT_TO_TELL))
		return STORE_OK;
	if (look_join(s, id, f->attempt, &join, err) == -1)
		return STORE_FAILED;
	f->receipt_state = join.state;
	f->receipt_id = join.foreign_id;
	f->receipt_said = join.said;
	return STORE_OK;
}

void
look_flight(struct store *s, uint64_t id, uint64_t order_key, struct store_flight *f,
    struct store_done *done)
{
	(void)order_key;
	round_goes_on(s);
	*f = (struct store_flight){ .id = id };
	done->result = flight_read(s, id, f, &done->err);
}

/* --- look-ups --- */

static void
view_take(struct store *s, struct bind *b, struct store_view *v)
{
	struct text *texts[] = { &v->msisdn, &v->account, &v->push_id, &v->link };

	v->order_key = (uint64_t)take_int(b);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		*texts[i] = arena_text(&s->texts, take_text(b));
	v->attempt = (uint16_t)take_int(b);
	v->accepted = take_int(b);
	v->expires = take_int(b);
}

/* 1, 0, -1 */
static int
view_open(struct store *s, enum sql which, uint64_t id, struct store_view *v, struct err *err)
{
	struct bind b = sql(s, which);
	int found;

	bind_int(&b, (int64_t)id);
	if ((found = sql_row(s, &b, err)) != 1)
		return found;
	view_take(s, &b, v);
	v->state = (enum store_state)take_int(&b);
	v->due = take_int(&b);
	sql_end(&b);
	return 1;
}

static int
view_finished(struct store *s, uint64_t id, struct store_view *v, struct err *err)
{
	struct bind b = sql(s, SQL_FIND_RESULT);
	int found;

	bind_int(&b, (int64_t)id);
	if ((found = sql_row(s, &b, err)) != 1)
		return found;
	view_take(s, &b, v);
	v->state = STATE_FINISHED;
	v->outcome = (enum store_outcome)take_int(&b);
	v->code = (uint32_t)take_int(&b);
	v->finished = take_int(&b);
	sql_end(&b);
	return 1;
}

static int
view_read(struct store *s, uint64_t id, struct store_view *v, struct err *err)
{
	int found;

	*v = (struct store_view){ .id = id };
	if ((found = view_open(s, SQL_FIND_HOT, id, v, err)) != 0)
		return found;
	if ((found = view_finished(s, id, v, err)) != 0 || s->inbox == 0)
		return found;
	return view_open(s, SQL_FIND_INBOX, id, v, err);
}

int
look_find(struct store *s, const struct store_place *p, struct store_view *v, struct err *err)
{
	round_goes_on(s);
	if (run_settled(s, err) == -1)
		return -1;
	return view_read(s, p->id, v, err);
}

int
look_find_push_id(struct store *s, struct text account, struct text push_id, struct store_place *p,
    struct err *err)
{
	struct bind b = sql(s, SQL_FIND_PUSH_ID);
	int found;

	bind_key_text(&b, account);
	bind_text(&b, push_id);
	if ((found = sql_row(s, &b, err)) != 1)
		return found;
	*p = (struct store_place){ .id = (uint64_t)take_int(&b), .part = -1 };
	sql_end(&b);
	return 1;
}

/* The next older block that has rows; -1 none. */
static int
msisdn_block(struct store *s, int64_t *block, struct err *err)
{
	struct bind b = sql(s, SQL_MSISDN_BLOCK);
	int found;

	bind_int(&b, *block);
	if ((found = sql_row(s, &b, err)) == 1) {
		*block = take_int(&b);
		sql_end(&b);
	}
	return found;
}

/* The ids of one block, newest first, up to `most`. */
static int
msisdn_ids(struct store *s, int64_t block, uint64_t order_key, uint64_t *ids, unsigned most,
    unsigned *count, struct err *err)
{
	struct bind b = sql(s, SQL_MSISDN_IN_BLOCK);
	int more;

	*count = 0;
	bind_int(&b, block);
	bind_int(&b, (int64_t)order_key);
	while ((more = sql_row(s, &b, err)) == 1 && *count < most)
		ids[(*count)++] = (uint64_t)take_int(&b);
	if (more == 1)
		sql_end(&b);
	return more == -1 ? -1 : 0;
}

int
look_find_msisdn(struct store *s, uint64_t order_key, struct text msisdn, unsigned most,
    store_view_fn *show, void *arg, struct err *err)
{
	enum { BLOCK_IDS = 1 << MSISDN_BLOCK_BITS };
	int64_t block = INT64_MAX;
	struct store_view v;
	unsigned count;
	uint64_t *ids;
	int more = 1;

	round_goes_on(s);
	if (run_settled(s, err) == -1)
		return -1;
	ids = arena_get(&s->texts, BLOCK_IDS * sizeof *ids);
	while (most > 0 && (more = msisdn_block(s, &block, err)) == 1) {
		if (msisdn_ids(s, block, order_key, ids, BLOCK_IDS, &count, err) == -1)
			return -1;
		for (unsigned i = 0; i < count && most > 0; i++) {
			if (view_read(s, ids[i], &v, err) == -1)
				return -1;
			if (!text_eq(v.msisdn, msisdn))	/* another address with this key */
				continue;
			show(arg, &v);
			most--;
		}
	}
	return more == -1 ? -1 : 0;
}

int
look_find_foreign(struct store *s, struct text domain, struct text foreign_id, struct store_place *p,
    struct err *err)
{
	struct bind b = sql(s, SQL_FOREIGN);
	int found;

	bind_key_text(&b, domain);
	bind_text(&b, foreign_id);
	if ((found = sql_row(s, &b, err)) != 1)
		return found;
	*p = (struct store_place){ .id = (uint64_t)take_int(&b), .part = -1 };
	sql_end(&b);
	return 1;
}
