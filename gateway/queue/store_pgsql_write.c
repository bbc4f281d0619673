/*
 * store_pgsql_write.c - what a round changed becomes statements, all of them in one trip
 *
 * The first of a transaction is the fence: UPDATE of this node's row, if it is alive in this life. Whoever
 * was declared dead meanwhile changes nothing, and whoever wants to declare us dead waits for our end.
 *
 * Knows:     which columns hold what of a message.
 * Does not:  know why it changed.
 * Owns:      nothing.
 * Threads:   the store worker's.
 */
#include "queue/store_pgsql_inner.h"

/* --- the transaction -------------------------------------------------------------- */

static void
fence_ask(struct store *s)
{
	struct pg_args *a = args_of(s, ST_FENCE);

	pg_arg(a, 0, s->node);
	pg_arg(a, 1, (int64_t)s->life);
	pg_arg(a, 2, (int64_t)s->batch);
	for (unsigned i = 0; i < COUNTS; i++) {
		pg_arg(a, 3 + i, s->delta[i] - s->said[i] + (s->unsaid_said ? 0 : s->unsaid[i]));
		s->said[i] = s->delta[i];
	}
	s->unsaid_said = true;
	args_ask(s, ST_FENCE);
}

static void
begin_ask(struct store *s)
{
	s->open = true;
	args_of(s, ST_BEGIN);
	args_ask(s, ST_BEGIN);
	fence_ask(s);
}

static int
fence_check(struct store *s, mono_t asked, struct err *err)
{
	s->fence_seen = INT64_MIN;		/* the next round looks, if not before */
	if (pg_touched(&s->pg, s->number[ST_FENCE]) != 1)
		return err_set(err, ERR_FENCED, "this node was declared dead: it was silent for too long");
	s->fence_seen = asked;
	return 0;
}

/* Who calls a verb is told of the store's trouble. */
int
write_fenced(struct err *err)
{
	if (err != NULL && err->code == ERR_FENCED)
		err->code = ERR_STORE;
	return -1;
}

int
write_begin(struct store *s, struct err *err)
{
	mono_t asked = clock_mono();

	if (s->open)
		return 0;
	begin_ask(s);
	if (pg_trip(&s->pg, err) == -1)
		return -1;
	return fence_check(s, asked, err);
}

static void
changes_forget(struct store *s)
{
	struct kept *k;

	for (k = s->changed; k != NULL; k = k->next_changed)
		k->changed = false;
	s->changed = NULL;
	s->changed_end = &s->changed;
}

void
write_undo(struct store *s)
{
	if (s->open && PQstatus(s->pg.conn) == CONNECTION_OK) {
		args_of(s, ST_ROLLBACK);
		args_ask(s, ST_ROLLBACK);
		pg_trip(&s->pg, NULL);
	}
	s->open = false;
	for (unsigned i = 0; i < STATEMENTS; i++)
		s->begun[i] = false;
	changes_forget(s);
	kept_settle(s, false);
	kept_drop_strays(s);
	beside_clear(s);
	counts_settle(s, false);
}

/* --- messages ------------------------------------------------------------------------ */

static unsigned
part_of(const struct row *r)
{
	return store_part(r->in.order_key);
}

static struct pg_args *
row_args(struct store *s, enum pg_which which, const struct row *r)
{
	struct pg_args *a = args_of(s, which);

	pg_arg(a, 0, (int64_t)r->in.id);
	pg_arg(a, 1, part_of(r));
	return a;
}

static void
queue_put(struct store *s, const struct row *r)
{
	bool marked = r->state == STATE_SENDING;
	struct pg_args *a = row_args(s, ST_QUEUE_PUT, r);

	pg_arg(a, 2, (int64_t)r->in.order_key);
	pg_arg(a, 3, (int64_t)r->position);
	pg_arg(a, 4, r->in.accepted);
	pg_arg(a, 5, r->in.expires);
	pg_arg(a, 6, r->in.due);
	pg_arg(a, 7, marked ? r->mark.at : 0);
	pg_arg(a, 8, marked ? r->mark.reference : 0);
	pg_arg(a, 9, r->in.klass);
	pg_arg(a, 10, marked ? STATE_SENDING : STATE_WAITING);
	pg_arg(a, 11, marked ? r->mark.attempt : 0);
	pg_arg_text(a, 12, r->in.msisdn.at != NULL ? r->in.msisdn : TEXT(""));
	pg_arg_text(a, 13, r->in.account);
	pg_arg_text(a, 14, r->in.push_id);
	pg_arg_text(a, 15, r->in.smsc);
	pg_arg_text(a, 16, r->in.group);
	pg_arg_text(a, 17, marked ? r->mark.link : (struct text){ 0 });
	if (r->state == STATE_FINISHED)
		return;
	a = row_args(s, ST_BODY_PUT, r);
	pg_arg_text(a, 2, r->in.body.at != NULL ? r->in.body : TEXT(""));
}

static void
body_set(struct store *s, const struct row *r)
{
	struct pg_args *a;

	if (r->state == STATE_FINISHED)
		return;
	a = row_args(s, ST_BODY_SET, r);
	pg_arg_text(a, 2, r->in.body.at != NULL ? r->in.body : TEXT(""));
	a = row_args(s, ST_EXPIRES_SET, r);
	pg_arg(a, 2, r->in.expires);
}

/* What `queue` says of it, as it was put, is all there is to say. */
static bool
as_put(const struct kept *k)
{
	const struct row *r = &k->row;

	return k->new && (r->state == STATE_WAITING || r->state == STATE_SENDING) && r->evidence_count == 0 &&
	    r->due == r->in.due && r->segments == 0 && !r->left && !r->wanted && !r->pended && r->tries == 0 &&
	    r->refused == 0 && (r->state == STATE_SENDING || r->mark.attempt == 0);
}

static void
state_put(struct store *s, struct kept *k)
{
	const struct row *r = &k->row;
	struct pg_args *a = row_args(s, ST_STATE_PUT, r);

	pg_arg(a, 2, r->state);
	pg_arg(a, 3, (r->left ? FLAG_LEFT : 0) | (r->wanted ? FLAG_WANTED : 0) | (r->pended ? FLAG_PENDED : 0));
	pg_arg(a, 4, r->mark.attempt);
	pg_arg(a, 5, r->segments);
	pg_arg(a, 6, r->tries);
	pg_arg(a, 7, r->mark.reference);
	pg_arg(a, 8, r->due);
	pg_arg(a, 9, r->mark.at);
	pg_arg(a, 10, r->refused);
	pg_arg(a, 11, r->state == STATE_AWAITING ? r->in.expires : 0);
	pg_arg_text(a, 12, r->mark.link);
	if (r->evidence_count > 0)
		pack_segments(r, &s->packed);
	pg_arg_text(a, 13, r->evidence_count > 0 ?
	    (struct text){ (const char *)s->packed.data, s->packed.len } : (struct text){ 0 });
	k->has_state = true;
}

void
write_moved(struct store *s, const struct row *r)
{
	struct kept k = { .row = *r, .new = true };

	queue_put(s, r);
	if (!as_put(&k))
		state_put(s, &k);
}

static void
finish(struct store *s, const struct kept *k)
{
	const struct row *r = &k->row;
	struct pg_args *a = row_args(s, ST_FINISH, r);

	pg_arg(a, 2, r->outcome);
	pg_arg(a, 3, r->code);
	pg_arg(a, 4, r->finished);
	pg_arg(a, 5, r->mark.attempt);
	pg_arg_text(a, 6, r->carried);
	if (k->has_state)
		row_args(s, ST_STATE_CUT, r);
	if (!k->new)
		row_args(s, ST_BODY_CUT, r);
}

static void
changes_write(struct store *s)
{
	struct kept *k;

	for (k = s->changed; k != NULL; k = k->next_changed) {
		if (k->new)
			queue_put(s, &k->row);
		else if (k->replaced)
			body_set(s, &k->row);
		if (k->row.state == STATE_FINISHED)
			finish(s, k);
		else if (!as_put(k))
			state_put(s, k);
		k->new = k->replaced = false;
	}
}

/* --- what lies beside them -------------------------------------------------------------- */

/* Put for a submission that was not taken; perhaps another one's now. */
static void
push_write(struct store *s)
{
	const struct push *p = s->push.rows;

	for (size_t i = 0; i < s->push.count; i++) {
		struct pg_args *a;

		if (p[i].put == 0 || p[i].put == p[i].id)
			continue;
		a = args_of(s, ST_PUSH_CUT);
		pg_arg_text(a, 0, p[i].account);
		pg_arg_text(a, 1, p[i].push_id);
		pg_arg(a, 2, (int64_t)p[i].put);
		if (p[i].id != 0)
			push_put(s, p[i].account, p[i].push_id, p[i].id, p[i].part);
	}
}

static void
foreign_write(struct store *s)
{
	const struct foreign *f = s->foreign.rows;

	for (size_t i = 0; i < s->foreign.count; i++) {
		struct pg_args *a;

		if (f[i].is != FOREIGN_PUT && f[i].is != FOREIGN_CUT)
			continue;
		a = args_of(s, f[i].is == FOREIGN_PUT ? ST_FOREIGN_PUT : ST_FOREIGN_CUT);
		pg_arg_text(a, 0, f[i].id);
		pg_arg_text(a, 1, f[i].domain);
		pg_arg(a, 2, foreign_part(f[i].domain, f[i].id));
		pg_arg(a, 3, store_part(f[i].key));
		pg_arg(a, 4, (int64_t)f[i].message);
		pg_arg(a, 5, f[i].attempt);
		pg_arg(a, 6, f[i].segment);
	}
}

static void
early_write(struct store *s)
{
	const struct early *e = s->early.rows;

	for (size_t i = 0; i < s->early.count; i++) {
		bool put = e[i].r.state != RECEIPT_NONE;
		struct pg_args *a;

		if (!e[i].changed || (!put && !e[i].there))
			continue;
		a = args_of(s, put ? ST_EARLY_PUT : ST_EARLY_CUT);
		pg_arg_text(a, 0, e[i].r.foreign_id);
		pg_arg_text(a, 1, e[i].r.domain);
		pg_arg(a, 2, foreign_part(e[i].r.domain, e[i].r.foreign_id));
		if (!put)
			continue;
		pg_arg(a, 3, e[i].r.state);
		pg_arg(a, 4, e[i].r.at);
		pg_arg_text(a, 5, e[i].r.said);
	}
}

/* --- the trip ------------------------------------------------------------------------------ */

static bool
writes(const struct store *s)
{
	for (unsigned i = ST_INBOX_CUT; i <= ST_ANSWER_CUT; i++)
		if (s->begun[i])
			return true;
	return false;
}

static bool
counts_differ(const struct store *s)
{
	for (unsigned i = 0; i < COUNTS; i++)
		if (s->delta[i] != s->said[i])
			return true;
	return false;
}

/* Each touches as many rows as it was given; else what is in memory is not what is in the tables. */
static const struct {
	enum pg_which	 which;
	const char	*what;
} counted[] = {
	{ ST_INBOX_CUT, "news" }, { ST_EXPIRES_SET, "a message that is replaced" },
	{ ST_FINISH, "a message that finishes" },
};

static int
counts_check(struct store *s, const bool asked[STATEMENTS], struct err *err)
{
	for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
		enum pg_which which = counted[i].which;

		if (!asked[which] || pg_touched(&s->pg, s->number[which]) == pg_args_rows(&s->args[which]))
			continue;
		kept_forget(s);
		return err_set(err, ERR_STORE, "PostgreSQL: %s is not there", counted[i].what);
	}
	return 0;
}

int
write_all(struct store *s, struct err *err)
{
	bool asked[STATEMENTS] = { false }, begins;
	mono_t now = clock_mono();

	changes_write(s);
	push_write(s);
	foreign_write(s);
	early_write(s);
	if (!writes(s) && !counts_differ(s))
		return args_ask(s, ST_NOTICE) ? pg_trip(&s->pg, err) : 0;
	begins = !s->open;
	if (begins)
		begin_ask(s);
	else if (counts_differ(s))
		fence_ask(s);
	for (unsigned i = ST_INBOX_CUT; i <= ST_ANSWER_CUT; i++)
		asked[i] = args_ask(s, i);
	args_ask(s, ST_NOTICE);
	if (pg_trip(&s->pg, err) == -1)
		return -1;
	if (begins && fence_check(s, now, err) == -1)
		return -1;
	if (counts_check(s, asked, err) == -1)
		return -1;
	changes_forget(s);
	return 0;
}
