/*
 * store_pgsql_ops.c - the operations of a round: recorded; at the flush what they need is read at once, then
 * they are applied in the order of the calls
 *
 * Knows:     which rows an operation needs, and what it answers.
 * Does not:  know what it means for a message (row.c), or how changes are written (store_pgsql_write.c).
 * Owns:      the list of operations.
 * Threads:   the store worker's.
 */
#include "queue/store_pgsql_inner.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* --- recording --------------------------------------------------------------------- */

struct round_op *
ops_add(struct store *s, enum op_of_round kind, struct store_done *done)
{
	struct round_op *op;

	if (s->stale)
		arena_reset(&s->texts);
	s->stale = false;
	if (s->op_count == s->op_room) {
		s->op_room = s->op_room > 0 ? 2 * s->op_room : 256;
		if ((s->ops = realloc(s->ops, s->op_room * sizeof *s->ops)) == NULL)
			no_memory();
	}
	op = &s->ops[s->op_count++];
	*op = (struct round_op){ .kind = kind, .done = done };
	done->result = STORE_OK;
	return op;
}

void
ops_clear(struct store *s)
{
	s->op_count = 0;
}

/* --- what they need ------------------------------------------------------------------ */

static void
need_row(struct store *s, uint64_t id, bool body)
{
	const struct kept *k = kept_any(s, id);

	if (k == NULL || (body && !k->has_body && k->row.state != STATE_FINISHED))
		pg_arg(args_of(s, body ? ST_ROWS_BODY : ST_ROWS), 0, (int64_t)id);
}

static void
need_by_foreign(struct store *s, enum pg_which which, struct text domain, struct text id)
{
	struct pg_args *a = args_of(s, which);

	pg_arg_text(a, 0, id);
	pg_arg_text(a, 1, domain.at != NULL ? domain : TEXT(""));
	pg_arg(a, 2, foreign_part(domain, id));
}

static void
need_of_settlement(struct store *s, const struct store_settlement *st)
{
	need_row(s, st->id, false);
	for (unsigned i = 0; s->has_early && i < st->answer_count; i++)
		if (st->answers[i].foreign_id.len > 0)
			need_by_foreign(s, ST_EARLY, st->domain, st->answers[i].foreign_id);
}

static void
need_of_receipt(struct store *s, const struct store_receipt *r)
{
	const struct row_segment *segment;

	if (kept_by_foreign(s, r->domain, r->foreign_id, &segment) != NULL)
		return;
	need_by_foreign(s, ST_FOREIGN, r->domain, r->foreign_id);
	need_by_foreign(s, ST_EARLY, r->domain, r->foreign_id);
}

/* The first who wants a push-id puts it; if that one's submission is not taken, it is mended in the end. */
static void
need_of_submit(struct store *s, const struct store_submit *sub)
{
	for (size_t i = 0; i < sub->n; i++) {
		const struct store_row *r = &sub->rows[i];
		struct push *p;

		if (r->push_id.at == NULL)
			continue;
		p = push_get(s, r->account, r->push_id, true);
		if (p->put != 0 || p->id != 0)
			continue;
		p->put = r->id;
		p->put_part = store_part(r->order_key);
		push_put(s, p->account, p->push_id, p->put, p->put_part);
	}
}

static void
needs(struct store *s)
{
	for (size_t i = 0; i < s->op_count; i++) {
		const struct round_op *op = &s->ops[i];
		struct pg_args *a;

		switch (op->kind) {
		case RO_SUBMIT:
			need_of_submit(s, op->in);
			break;
		case RO_SETTLE:
			if (owns_under(s, op->key, op->epoch))
				need_of_settlement(s, op->in);
			break;
		case RO_MARK:
		case RO_CANCEL:
		case RO_REPLACE:
			if (owns_under(s, op->key, op->epoch))
				need_row(s, op->id, false);
			break;
		case RO_FLIGHT:
			need_row(s, op->id, true);
			break;
		case RO_RECEIPT:
			need_of_receipt(s, op->in);
			break;
		case RO_ANSWERED:
			a = args_of(s, ST_ANSWERS);
			pg_arg(a, 0, (int64_t)op->id);
			pg_arg(a, 1, store_part(op->key));
			pg_arg(a, 2, (int64_t)i);
			break;
		case RO_EVIDENCE:
		case RO_NOTICE_DONE:
		case RO_NOTICE_LATER:
		case RO_NOTICE:
		case RO_REQUEST:
		case RO_ANSWER:
			break;
		}
	}
}

/* --- reading --------------------------------------------------------------------------- */

static void
rows_read(struct store *s, enum pg_which which)
{
	const PGresult *res = result_of(s, which);

	for (unsigned i = 0; i < (unsigned)PQntuples(res); i++)
		kept_read(s, res, i, which == ST_ROWS_BODY);
}

static void
answers_read(struct store *s)
{
	const PGresult *res = result_of(s, ST_ANSWERS);

	for (size_t i = 0; i < s->op_count; i++)
		if (s->ops[i].kind == RO_ANSWERED)
			s->ops[i].number = UINT_MAX;
	for (unsigned i = 0; i < (unsigned)PQntuples(res); i++)
		s->ops[pg_number(res, i, 0)].number = (unsigned)pg_number(res, i, 1);
}

/* Push-ids that were there already, with whose they are. */
static int
push_ids_read(struct store *s, struct err *err)
{
	const PGresult *res = result_of(s, ST_PUSH_PUT);
	struct idmap put = { 0 };
	struct push *all = s->push.rows;
	struct pg_args *a;

	for (unsigned i = 0; i < (unsigned)PQntuples(res); i++)
		idmap_set(&put, (uint64_t)pg_number(res, i, 0), s);
	for (size_t i = 0; i < s->push.count; i++) {
		if (all[i].put == 0 || all[i].id != 0 || idmap_get(&put, all[i].put) != NULL)
			continue;
		all[i].put = 0;
		a = args_of(s, ST_PUSH_IDS);
		pg_arg_text(a, 0, all[i].account);
		pg_arg_text(a, 1, all[i].push_id);
		pg_arg(a, 2, (int64_t)i);
	}
	idmap_free(&put);
	if (!args_ask(s, ST_PUSH_IDS))
		return 0;
	if (pg_trip(&s->pg, err) == -1)
		return -1;
	res = result_of(s, ST_PUSH_IDS);
	for (unsigned i = 0; i < (unsigned)PQntuples(res); i++) {
		struct push *p = &all[pg_number(res, i, 0)];

		p->id = (uint64_t)pg_number(res, i, 1);
		p->part = (unsigned)pg_number(res, i, 2);
	}
	for (size_t i = 0; i < s->push.count; i++)
		if (all[i].id == 0 && all[i].put == 0)
			return err_set(err, ERR_STORE, "PostgreSQL: a push-id went away while it was looked for");
	return 0;
}

/* Receipts for messages that are not in memory yet. */
static int
foreign_rows_read(struct store *s, struct err *err)
{
	const struct foreign *all = s->foreign.rows;

	for (size_t i = 0; i < s->foreign.count; i++)
		if (all[i].is == FOREIGN_READ && all[i].open && owns(s, all[i].key))
			need_row(s, all[i].message, true);
	if (!args_ask(s, ST_ROWS_BODY))
		return 0;
	if (pg_trip(&s->pg, err) == -1)
		return -1;
	rows_read(s, ST_ROWS_BODY);
	return 0;
}

static int
read_all(struct store *s, struct err *err)
{
	bool begins = s->begun[ST_PUSH_PUT], rows, bodies, foreign, early, answers;

	if (begins && write_begin(s, err) == -1)
		return -1;
	begins = args_ask(s, ST_PUSH_PUT);
	rows = args_ask(s, ST_ROWS);
	bodies = args_ask(s, ST_ROWS_BODY);
	foreign = args_ask(s, ST_FOREIGN);
	early = args_ask(s, ST_EARLY);
	answers = args_ask(s, ST_ANSWERS);
	if (!begins && !rows && !bodies && !foreign && !early && !answers)
		return 0;
	if (pg_trip(&s->pg, err) == -1)
		return -1;
	if (rows)
		rows_read(s, ST_ROWS);
	if (bodies)
		rows_read(s, ST_ROWS_BODY);
	if (foreign)
		foreign_read(s, result_of(s, ST_FOREIGN));
	if (early)
		early_read(s, result_of(s, ST_EARLY));
	if (answers)
		answers_read(s);
	if (begins && push_ids_read(s, err) == -1)
		return -1;
	return foreign ? foreign_rows_read(s, err) : 0;
}

int
ops_body(struct store *s, struct kept *k, struct err *err)
{
	struct pg_args *a;

	if (k->has_body)
		return 0;
	a = args_of(s, ST_BODY);
	pg_arg(a, 0, (int64_t)k->row.in.id);
	pg_arg(a, 1, store_part(k->row.in.order_key));
	args_ask(s, ST_BODY);
	if (pg_trip(&s->pg, err) == -1)
		return -1;
	if (PQntuples(result_of(s, ST_BODY)) == 1)
		k->row.in.body = arena_text(&k->row.arena, pg_text(result_of(s, ST_BODY), 0, 0));
	k->has_body = true;
	return 0;
}

/* --- applying: helpers -------------------------------------------------------------------- */

/* What a receipt decided is told with the message's body. */
static void
joined_body(struct store *s, struct kept *k, struct store_joined *joined)
{
	if (!joined->ripe && !joined->first_pending)
		return;
	if (ops_body(s, k, &s->why) == -1)
		s->failed = true;
	joined->body = k->row.in.body;
}

void
joined_own(struct store *s, struct store_joined *j)
{
	struct text *texts[] = { &j->foreign_id, &j->said, &j->body, &j->link };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		*texts[i] = arena_text(&s->texts, *texts[i]);
}

void
inbox_put(struct store *s, unsigned kind, uint64_t id, uint64_t key)
{
	enum { COUNTER_BITS = 15 };
	struct pg_args *a = args_of(s, ST_INBOX_PUT);

	/* Rows that come in the same ms for the same message, from one node or from two. */
	s->inbox_n = (s->inbox_n + 1) & ((1u << COUNTER_BITS) - 1);
	pg_arg(a, 0, store_part(key));
	pg_arg(a, 1, (int64_t)id);
	pg_arg(a, 2, (int64_t)((unsigned)s->node << COUNTER_BITS | s->inbox_n));
	pg_arg(a, 3, kind);
	pg_arg(a, 4, (int64_t)key);
	pg_arg_text(a, 5, (struct text){ (const char *)s->packed.data, s->packed.len });
	if (s->packed.overflow)
		a->at[5].overflow = true;
}

/* "5/vf1": the node whose link it is. */
static unsigned
node_of(struct text link)
{
	unsigned long n = 0;

	for (size_t i = 0; i < link.len && link.at[i] >= '0' && link.at[i] <= '9' && n <= UINT16_MAX; i++)
		n = n * 10 + (unsigned long)(link.at[i] - '0');
	return (unsigned)n;
}

void
row_enter(struct store *s, struct row *r, bool marked)
{
	enum { TURN_BITS = 40 };
	struct kept *k;

	r->state = marked ? STATE_SENDING : STATE_WAITING;
	r->due = r->in.due;
	r->position = s->epochs[store_part(r->in.order_key)] << TURN_BITS | ++s->turns;
	k = kept_new(s, r);
	k->new = k->has_body = true;
	s->delta[marked ? COUNT_SENDING : COUNT_WAITING]++;
	kept_change(s, k);
}

/* --- submit ---------------------------------------------------------------------------------- */

static enum store_put
row_put(struct store *s, const struct store_row *in)
{
	struct row r = { .in = *in };
	bool marked;

	if (!owns_under(s, in->order_key, in->epoch)) {
		pack_message(in, &s->packed);
		inbox_put(s, INBOX_MESSAGE, in->id, in->order_key);
		return PUT_INBOX;
	}
	marked = in->mark != NULL && idmap_get(&s->fresh, in->order_key | 1) == NULL;
	if (marked)
		r.mark = *in->mark;
	row_enter(s, &r, marked);
	return marked ? PUT_MARKED : PUT_WAITING;
}

static bool
twice(const struct store_submit *sub, size_t i)	/* the push-id of row i, before it */
{
	for (size_t n = 0; n < i; n++)
		if (text_eq(sub->rows[i].push_id, sub->rows[n].push_id) &&
		    text_eq(sub->rows[i].account, sub->rows[n].account))
			return true;
	return false;
}

static void
apply_submit(struct store *s, struct round_op *op)
{
	const struct store_submit *sub = op->in;
	struct push *p;

	for (size_t i = 0; i < sub->n; i++) {
		const struct store_row *r = &sub->rows[i];

		p = r->push_id.at != NULL ? push_get(s, r->account, r->push_id, false) : NULL;
		sub->existing[i] = p != NULL ? p->id : 0;
		if (sub->existing[i] != 0)
			op->done->result = STORE_EXISTS;
		if (p != NULL && twice(sub, i)) {
			op->done->result = STORE_FAILED;
			err_set(&op->done->err, ERR_SYNTAX, "two messages of one submission have the same push-id");
			return;
		}
		if (kept_any(s, r->id) != NULL) {
			op->done->result = STORE_FAILED;
			err_set(&op->done->err, ERR_SYSTEM, "store: an id came twice");
			return;
		}
	}
	for (size_t i = 0; i < sub->n && op->done->result == STORE_OK; i++) {
		const struct store_row *r = &sub->rows[i];

		if (r->push_id.at != NULL) {
			p = push_get(s, r->account, r->push_id, true);
			p->id = r->id;
			p->part = store_part(r->order_key);
		}
		sub->how[i] = row_put(s, r);
	}
}

/* --- the road ----------------------------------------------------------------------------------- */

static void
hand_over(struct store *s, const struct row *r)
{
	struct pg_args *a = args_of(s, ST_SEND_PUT);

	pg_arg(a, 0, node_of(r->mark.link));
	pg_arg(a, 1, (int64_t)r->in.id);
	pg_arg(a, 2, store_part(r->in.order_key));
	pg_arg(a, 3, r->mark.attempt);
}

static void
apply_mark(struct store *s, struct round_op *op)
{
	struct kept *k = kept_get(s, op->id);
	const struct store_mark *mark = op->in;
	enum store_state was;

	op->done->result = !owns_under(s, op->key, op->epoch) ? STORE_FENCED : k == NULL ? STORE_ABSENT : STORE_OK;
	if (op->done->result != STORE_OK)
		return;
	was = k->row.state;
	if ((op->done->result = row_mark(&k->row, mark)) != STORE_OK)
		return;
	kept_change(s, k);
	count_move(s, was, k->row.state);
	if (node_of(mark->link) != s->node)
		hand_over(s, &k->row);
}

void
notice_put(struct store *s, const struct store_notice *n)
{
	struct pg_args *a = args_of(s, ST_NOTICE_PUT);

	pg_arg(a, 0, (int64_t)n->id);
	pg_arg(a, 1, store_part(n->order_key));
	pg_arg(a, 2, (int64_t)n->message);
	pg_arg(a, 3, (int64_t)n->order_key);
	pg_arg(a, 4, n->due);
	pg_arg(a, 5, n->until);
	pg_arg(a, 6, n->tries);
	pg_arg_text(a, 7, n->url.at != NULL ? n->url : TEXT(""));
	s->delta[COUNT_NOTICES]++;
}

static void
row_over(struct store *s, struct kept *k, const struct store_settlement *st)
{
	struct row_world w = beside_world(s);

	kept_change(s, k);
	count_move(s, k->row.state, STATE_FINISHED);
	row_finish(&k->row, st, &w);
}

static void
apply_settle(struct store *s, struct round_op *op)
{
	const struct store_settlement *st = op->in;
	struct row_world w = beside_world(s);
	struct kept *k = kept_get(s, st->id);
	struct store_joined none, *joined = op->out != NULL ? op->out : &none;
	enum store_state was;

	*joined = (struct store_joined){ 0 };
	op->done->result = !owns_under(s, st->order_key, op->epoch) ? STORE_FENCED : k == NULL ? STORE_ABSENT :
	    !row_may_settle(&k->row, st) ? STORE_TOO_LATE : STORE_OK;
	if (op->done->result != STORE_OK)
		return;
	if (st->state == STATE_FINISHED) {
		row_over(s, k, st);
	} else {
		kept_change(s, k);
		was = k->row.state;
		row_settle(&k->row, st, joined, &w);
		count_move(s, was, k->row.state);
		joined_body(s, k, joined);
		joined_own(s, joined);
	}
	for (unsigned i = 0; i < st->notice_count; i++)
		notice_put(s, &st->notices[i]);
}

bool
ops_receipt(struct store *s, struct kept *k, uint16_t attempt, uint8_t segment,
    const struct store_receipt *receipt, struct store_joined *joined)
{
	enum store_state was = k->row.state;

	joined->matched = true;
	joined->id = k->row.in.id;
	joined->order_key = k->row.in.order_key;
	if (!row_heeds(&k->row, attempt, segment, receipt->state))
		return false;
	kept_change(s, k);
	row_receipt(&k->row, attempt, segment, receipt, joined);
	count_move(s, was, k->row.state);
	joined_body(s, k, joined);
	joined_own(s, joined);
	return true;
}

static void
apply_receipt(struct store *s, struct round_op *op)
{
	const struct store_receipt *r = op->in;
	struct store_joined *joined = op->out;
	const struct row_segment *segment;
	struct kept *k = kept_by_foreign(s, r->domain, r->foreign_id, &segment);
	const struct foreign *f = k == NULL ? foreign_get(s, r->domain, r->foreign_id, false) : NULL;

	*joined = (struct store_joined){ 0 };
	if (k != NULL) {
		ops_receipt(s, k, segment->attempt, segment->answer.segment, r, joined);
	} else if (f == NULL || !f->open) {
		early_keep(s, r, joined);
	} else if (!owns(s, f->key)) {
		joined->matched = true;
		joined->id = f->message;
		joined->order_key = f->key;
		pack_receipt(f->attempt, f->segment, r, &s->packed);
		inbox_put(s, INBOX_RECEIPT, f->message, f->key);
	} else if ((k = kept_get(s, f->message)) != NULL) {
		kept_leads(s, &k->row, r->domain, r->foreign_id);
		ops_receipt(s, k, f->attempt, f->segment, r, joined);
	} else {
		early_keep(s, r, joined);
	}
}

static void
apply_evidence(struct store *s, struct round_op *op)
{
	const struct store_evidence *v = op->in;

	pack_evidence(v, &s->packed);
	inbox_put(s, INBOX_EVIDENCE, v->id, v->order_key);
}

/* --- cancel, replace --------------------------------------------------------------------------- */

static bool
is_result(struct store *s, uint64_t id)		/* finished, and not purged */
{
	const struct kept *k = kept_any(s, id);

	if (k != NULL)
		return true;
	pg_arg(args_of(s, ST_IDS_USED), 0, (int64_t)id);
	args_ask(s, ST_IDS_USED);
	if (pg_trip(&s->pg, &s->why) == -1) {
		s->failed = true;
		return false;
	}
	return PQntuples(result_of(s, ST_IDS_USED)) > 0;
}

static struct kept *
unsent(struct store *s, struct round_op *op)
{
	struct kept *k = kept_get(s, op->id);

	op->done->result = !owns_under(s, op->key, op->epoch) ? STORE_FENCED :
	    k == NULL ? (is_result(s, op->id) ? STORE_TOO_LATE : STORE_ABSENT) :
	    !row_unsent(&k->row) ? STORE_TOO_LATE : STORE_OK;
	return op->done->result == STORE_OK ? k : NULL;
}

static void
apply_cancel(struct store *s, struct round_op *op)
{
	struct store_settlement st = { .at = op->at, .outcome = OUTCOME_CANCELLED };
	struct kept *k = unsent(s, op);

	if (k == NULL)
		return;
	st.attempt = k->row.mark.attempt;
	row_over(s, k, &st);
}

static void
apply_replace(struct store *s, struct round_op *op)
{
	struct kept *k = unsent(s, op);

	if (k == NULL)
		return;
	kept_change(s, k);
	k->row.in.body = arena_text(&k->row.arena, op->body);
	k->row.in.expires = op->at;
	k->replaced = k->has_body = true;
}

/* --- reading, requests, notices ------------------------------------------------------------------- */

static void
apply_flight(struct store *s, struct round_op *op)
{
	struct store_flight *f = op->out;
	struct kept *k = kept_get(s, op->id);

	*f = (struct store_flight){ .id = op->id };
	op->done->result = STORE_ABSENT;
	if (k == NULL)
		return;
	if (ops_body(s, k, &s->why) == -1)
		s->failed = true;
	row_flight(&k->row, f, &s->texts);
	f->body = arena_text(&s->texts, f->body);
	f->link = arena_text(&s->texts, f->link);
	f->receipt_id = arena_text(&s->texts, f->receipt_id);
	f->receipt_said = arena_text(&s->texts, f->receipt_said);
	for (unsigned i = 0; i < f->answer_count; i++) {
		struct store_answer *a = (struct store_answer *)(uintptr_t)&f->answers[i];

		a->foreign_id = arena_text(&s->texts, a->foreign_id);
	}
	op->done->result = STORE_OK;
}

static void
apply_notice(struct store *s, struct round_op *op, enum pg_which which)
{
	struct pg_args *a = args_of(s, which);

	op->done->result = STORE_ABSENT;	/* unless a row says otherwise */
	pg_arg(a, 0, (int64_t)op->id);
	pg_arg(a, 1, store_part(op->key));
	pg_arg(a, 2, op - s->ops);
	if (which == ST_NOTICE_SET) {
		pg_arg(a, 3, op->number);
		pg_arg(a, 4, op->at);
	}
	if (which == ST_NOTICE_CUT)
		s->delta[COUNT_NOTICES]--;
}

static void
apply_request(struct store *s, struct round_op *op)
{
	const struct store_request *q = op->in;

	pack_request(q, &s->packed);
	inbox_put(s, INBOX_REQUEST, q->number, q->order_key);
}

static void
apply_answer(struct store *s, struct round_op *op)
{
	struct pg_args *a = args_of(s, ST_REQUEST_CUT);

	op->done->result = STORE_ABSENT;
	pg_arg(a, 0, (int64_t)op->id);
	pg_arg(a, 1, store_part(op->key));
	pg_arg(a, 2, op - s->ops);
	pg_arg(a, 3, op->number);
}

static void
apply_answered(struct store *s, struct round_op *op)
{
	struct pg_args *a;

	op->done->result = op->number != UINT_MAX ? STORE_OK : STORE_ABSENT;
	if (op->number == UINT_MAX)
		return;
	*(enum store_result *)op->out = (enum store_result)op->number;
	a = args_of(s, ST_ANSWER_CUT);
	pg_arg(a, 0, (int64_t)op->id);
	pg_arg(a, 1, store_part(op->key));
}

static void
apply(struct store *s, struct round_op *op)
{
	op->done->result = STORE_OK;
	switch (op->kind) {
	case RO_SUBMIT:
		apply_submit(s, op);
		break;
	case RO_MARK:
		apply_mark(s, op);
		break;
	case RO_SETTLE:
		apply_settle(s, op);
		break;
	case RO_RECEIPT:
		apply_receipt(s, op);
		break;
	case RO_EVIDENCE:
		apply_evidence(s, op);
		break;
	case RO_CANCEL:
		apply_cancel(s, op);
		break;
	case RO_REPLACE:
		apply_replace(s, op);
		break;
	case RO_NOTICE_DONE:
		apply_notice(s, op, ST_NOTICE_CUT);
		break;
	case RO_NOTICE_LATER:
		apply_notice(s, op, ST_NOTICE_SET);
		break;
	case RO_NOTICE:
		apply_notice(s, op, ST_NOTICE);
		break;
	case RO_FLIGHT:
		apply_flight(s, op);
		break;
	case RO_REQUEST:
		apply_request(s, op);
		break;
	case RO_ANSWER:
		apply_answer(s, op);
		break;
	case RO_ANSWERED:
		apply_answered(s, op);
		break;
	}
}

/* --- what only the statements could tell ------------------------------------------------------------- */

/* Rows of the result name their operations. */
static void
tell_done(struct store *s, enum pg_which which)
{
	const PGresult *res = result_of(s, which);

	for (unsigned i = 0; i < (unsigned)PQntuples(res); i++)
		s->ops[pg_number(res, i, 0)].done->result = STORE_OK;
}

static void
tell_notices(struct store *s)
{
	const PGresult *res = result_of(s, ST_NOTICE);

	for (unsigned i = 0; i < (unsigned)PQntuples(res); i++) {
		struct round_op *op = &s->ops[pg_number(res, i, 0)];

		*(struct store_notice *)op->out = (struct store_notice){ .id = op->id,
		    .message = (uint64_t)pg_number(res, i, 1), .order_key = (uint64_t)pg_number(res, i, 2),
		    .due = pg_number(res, i, 3), .until = pg_number(res, i, 4),
		    .tries = (uint16_t)pg_number(res, i, 5), .url = arena_text(&s->texts, pg_text(res, i, 6)) };
		op->done->result = STORE_OK;
	}
}

static int
write_and_tell(struct store *s, struct err *err)
{
	bool done = s->begun[ST_NOTICE_CUT], later = s->begun[ST_NOTICE_SET], answers = s->begun[ST_REQUEST_CUT],
	    notices = s->begun[ST_NOTICE];
	unsigned asked = pg_args_rows(&s->args[ST_NOTICE_CUT]);

	if (write_all(s, err) == -1)
		return -1;
	if (done) {
		tell_done(s, ST_NOTICE_CUT);
		s->delta[COUNT_NOTICES] += asked - (unsigned)PQntuples(result_of(s, ST_NOTICE_CUT));
	}
	if (later)
		tell_done(s, ST_NOTICE_SET);
	if (answers)
		tell_done(s, ST_REQUEST_CUT);
	if (notices)
		tell_notices(s);
	return 0;
}

/* --- the flush ----------------------------------------------------------------------------------------- */

static int
flush_once(struct store *s, struct err *err)
{
	s->failed = false;
	needs(s);
	if (read_all(s, err) == -1)
		return -1;
	for (size_t i = 0; i < s->op_count; i++)
		apply(s, &s->ops[i]);
	if (s->failed) {
		*err = s->why;
		return -1;
	}
	return write_and_tell(s, err);
}

/* Some id is there already: whose? That submission can never succeed; the others are done again without it. */
static int
ids_twice(struct store *s, struct err *err)
{
	struct pg_args *a = args_of(s, ST_IDS_USED);
	struct idmap used = { 0 };
	const PGresult *res;
	int found = 0;

	for (size_t i = 0; i < s->op_count; i++)
		for (size_t n = 0; s->ops[i].kind == RO_SUBMIT && n < ((const struct store_submit *)s->ops[i].in)->n; n++)
			pg_arg(a, 0, (int64_t)((const struct store_submit *)s->ops[i].in)->rows[n].id);
	args_ask(s, ST_IDS_USED);
	if (pg_trip(&s->pg, err) == -1)
		return -1;
	res = result_of(s, ST_IDS_USED);
	for (unsigned i = 0; i < (unsigned)PQntuples(res); i++)
		idmap_set(&used, (uint64_t)pg_number(res, i, 0), s);
	for (size_t i = 0; i < s->op_count; i++) {
		const struct store_submit *sub = s->ops[i].in;

		for (size_t n = 0; s->ops[i].kind == RO_SUBMIT && n < sub->n; n++) {
			if (idmap_get(&used, sub->rows[n].id) == NULL)
				continue;
			s->ops[i].done->result = STORE_FAILED;
			err_set(&s->ops[i].done->err, ERR_SYSTEM, "store: an id came twice");
			found = 1;
		}
	}
	idmap_free(&used);
	return found;
}

static void
flush_end(struct store *s)
{
	s->op_count = 0;
	s->stale = true;
	s->sends_read = false;
	kept_drop_strays(s);
	beside_clear(s);
	arena_reset(&s->work);
}

/* Somebody declared us dead meanwhile, or an id came twice: without a trace, and from what is now. */
int
ops_flush(struct store *s, struct err *err)
{
	struct err why = { 0 };
	int rc = flush_once(s, &why);

	if (rc == -1 && why.code == ERR_FENCED && !s->shown) {
		write_undo(s);
		err_clear(&why);
		if (node_rejoin(s, &why) == 0)
			rc = flush_once(s, &why);
	}
	if (rc == -1 && pg_is(&s->pg, "23505")) {
		write_undo(s);
		rc = ids_twice(s, &why) == 1 ? 0 : -1;
	}
	flush_end(s);
	if (rc == 0)
		return 0;
	write_fenced(&why);
	if (err != NULL)
		*err = why;
	return -1;
}
