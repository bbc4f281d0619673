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

enum { RECEIPT_PATIENCE = 24 * 3600 * 1000 };	/* beyond validity */

/* --- scans --- */

static void
index_take(struct bind *b, struct store_index *x)
{
	struct text *texts[] = { &x->msisdn, &x->account, &x->smsc, &x->group, &x->link };

	x->order_key = (uint64_t)take_int(b);
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

static int
index_scan(struct store *s, uint64_t *after, unsigned most, index_want_fn *want, wall_t now,
    store_index_fn *show, void *arg, unsigned *seen, struct err *err)
{
	struct bind b = sql(s, SQL_LOAD);
	struct store_index x;
	unsigned flags;
	int more;

	arena_reset(&s->texts);
	if (road_settled(s, err) == -1)
		return -1;
	*seen = 0;
	bind_int(&b, (int64_t)*after);
	bind_int(&b, most);
	while ((more = sql_row(s, &b, err)) == 1) {
		++*seen;
		x.id = *after = (uint64_t)take_int(&b);
		x.state = (enum store_state)take_int(&b);
		flags = (unsigned)take_int(&b);
		x.pending = x.state == STATE_AWAITING && (flags & HOT_TO_TELL) == HOT_TO_TELL;
		x.expires = take_int(&b);
		if (!want(&x, now))
			continue;
		index_take(&b, &x);
		show(arg, &x);
	}
	return more;
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
	    (x->state == STATE_AWAITING && x->expires + RECEIPT_PATIENCE < now);
}

static bool
want_held(const struct store_index *x, wall_t now)
{
	(void)now;
	return x->state == STATE_HELD;
}

int
look_load(struct store *s, uint64_t *after, unsigned most, store_index_fn *show, void *arg,
    unsigned *seen, struct err *err)
{
	return index_scan(s, after, most, want_scheduled, 0, show, arg, seen, err);
}

int
look_overdue(struct store *s, uint64_t *after, unsigned most, wall_t now, store_index_fn *show,
    void *arg, unsigned *seen, struct err *err)
{
	return index_scan(s, after, most, want_overdue, now, show, arg, seen, err);
}

int
look_held(struct store *s, uint64_t *after, unsigned most, store_index_fn *show, void *arg,
    unsigned *seen, struct err *err)
{
	return index_scan(s, after, most, want_held, 0, show, arg, seen, err);
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
look_notices(struct store *s, uint64_t *after, unsigned most, store_notice_fn *show, void *arg,
    unsigned *seen, struct err *err)
{
	struct bind b = sql(s, SQL_NOTICES);
	struct store_notice n;
	int more;

	arena_reset(&s->texts);
	*seen = 0;
	bind_int(&b, (int64_t)*after);
	bind_int(&b, most);
	while ((more = sql_row(s, &b, err)) == 1) {
		++*seen;
		notice_take(&b, &n);
		*after = n.id;
		show(arg, &n);
	}
	return more;
}

enum store_result
look_notice(struct store *s, uint64_t id, store_notice_fn *show, void *arg, struct err *err)
{
	struct bind b = sql(s, SQL_NOTICE);
	struct store_notice n;
	int found;

	arena_reset(&s->texts);
	bind_int(&b, (int64_t)id);
	if ((found = sql_row(s, &b, err)) != 1)
		return found == 0 ? STORE_ABSENT : STORE_FAILED;
	notice_take(&b, &n);
	show(arg, &n);
	sql_end(&b);
	return STORE_OK;
}

/* --- one message --- */

static int
flight_answers(struct store *s, uint64_t id, struct store_flight *f, struct err *err)
{
	struct bind b = sql(s, SQL_EVIDENCE_OF);
	int more;

	bind_int(&b, (int64_t)id);
	bind_int(&b, f->attempt);
	while ((more = sql_row(s, &b, err)) == 1) {
		struct store_answer a;

		a.segment = (uint8_t)take_int(&b);
		a.state = (uint8_t)take_int(&b);
		a.foreign_id = arena_text(&s->texts, take_text(&b));
		if (f->answer_count < sizeof f->answers / sizeof *f->answers)
			f->answers[f->answer_count++] = a;
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

enum store_result
look_flight(struct store *s, uint64_t id, uint64_t order_key, struct store_flight *f,
    struct err *err)
{
	struct bind b = sql(s, SQL_FLIGHT);
	struct receipt_join join;
	unsigned flags;
	int found;

	(void)order_key;
	arena_reset(&s->texts);
	if (road_settled(s, err) == -1)
		return STORE_FAILED;
	f->id = id;
	f->body = f->link = f->receipt_id = f->receipt_said = (struct text){ 0 };
	f->answer_count = 0;
	f->receipt_state = RECEIPT_NONE;
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

static enum store_result
view_open(struct store *s, enum sql which, uint64_t id, struct store_view *v, struct err *err)
{
	struct bind b = sql(s, which);
	int found;

	bind_int(&b, (int64_t)id);
	if ((found = sql_row(s, &b, err)) != 1)
		return found == 0 ? STORE_ABSENT : STORE_FAILED;
	view_take(s, &b, v);
	v->state = (enum store_state)take_int(&b);
	v->due = take_int(&b);
	sql_end(&b);
	return STORE_OK;
}

static enum store_result
view_finished(struct store *s, uint64_t id, struct store_view *v, struct err *err)
{
	struct bind b = sql(s, SQL_FIND_RESULT);
	int found;

	bind_int(&b, (int64_t)id);
	if ((found = sql_row(s, &b, err)) != 1)
		return found == 0 ? STORE_ABSENT : STORE_FAILED;
	view_take(s, &b, v);
	v->state = STATE_FINISHED;
	v->outcome = (enum store_outcome)take_int(&b);
	v->code = (uint32_t)take_int(&b);
	v->finished = take_int(&b);
	sql_end(&b);
	return STORE_OK;
}

static enum store_result
view_read(struct store *s, uint64_t id, struct store_view *v, struct err *err)
{
	enum store_result found;

	*v = (struct store_view){ .id = id };
	if ((found = view_open(s, SQL_FIND_HOT, id, v, err)) != STORE_ABSENT)
		return found;
	if ((found = view_finished(s, id, v, err)) != STORE_ABSENT || s->inbox == 0)
		return found;
	return view_open(s, SQL_FIND_INBOX, id, v, err);
}

enum store_result
look_find(struct store *s, uint64_t id, struct store_view *v, struct err *err)
{
	arena_reset(&s->texts);
	if (road_settled(s, err) == -1)
		return STORE_FAILED;
	return view_read(s, id, v, err);
}

/* Also asked in the middle of a put, so it leaves the arena alone. */
enum store_result
look_find_push_id(struct store *s, struct text account, struct text push_id, uint64_t *id,
    struct err *err)
{
	struct bind b = sql(s, SQL_FIND_PUSH_ID);
	int found;

	bind_key_text(&b, account);
	bind_text(&b, push_id);
	if ((found = sql_row(s, &b, err)) != 1)
		return found == 0 ? STORE_ABSENT : STORE_FAILED;
	*id = (uint64_t)take_int(&b);
	sql_end(&b);
	return STORE_OK;
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

	arena_reset(&s->texts);
	if (road_settled(s, err) == -1)
		return -1;
	ids = arena_get(&s->texts, BLOCK_IDS * sizeof *ids);
	while (most > 0 && (more = msisdn_block(s, &block, err)) == 1) {
		if (msisdn_ids(s, block, order_key, ids, BLOCK_IDS, &count, err) == -1)
			return -1;
		for (unsigned i = 0; i < count && most > 0; i++) {
			if (view_read(s, ids[i], &v, err) == STORE_FAILED)
				return -1;
			if (!text_eq(v.msisdn, msisdn))	/* another address with this key */
				continue;
			show(arg, &v);
			most--;
		}
	}
	return more == -1 ? -1 : 0;
}

enum store_result
look_find_foreign(struct store *s, struct text domain, struct text foreign_id, uint64_t *id,
    struct err *err)
{
	struct bind b = sql(s, SQL_FOREIGN);
	int found;

	arena_reset(&s->texts);
	bind_key_text(&b, domain);
	bind_text(&b, foreign_id);
	if ((found = sql_row(s, &b, err)) != 1)
		return found == 0 ? STORE_ABSENT : STORE_FAILED;
	*id = (uint64_t)take_int(&b);
	sql_end(&b);
	return STORE_OK;
}
