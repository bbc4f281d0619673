/*
 * queue.c - the calls of the queue: how each becomes an operation, how its end is told
 *
 * Knows:     what every operation means to who asked, and what the owner hears of it.
 * Does not:  know batches (queue_heart.c) or the store (queue_writer.c).
 * Owns:      messages from the call until they are given to the owner or freed.
 * Threads:   the loop.
 */
#include "queue/queue_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "push/msisdn.h"

/* --- submit --- */

struct submission *
queue_submit(struct queue *q, struct message **messages, size_t n, queue_stored_fn *stored, void *arg)
{
	struct op *op = op_new(q, OP_SUBMIT);

	op->call.stored = stored;
	op->arg = arg;
	op->u.submit.n = n;
	op->u.submit.puts = arena_zero(&op->in, n * sizeof *op->u.submit.puts);
	op->u.submit.ids = arena_zero(&op->in, n * sizeof *op->u.submit.ids);
	for (size_t i = 0; i < n; i++) {
		op->u.submit.puts[i].message = messages[i];
		op->u.submit.puts[i].order_key = msisdn_order_key(messages[i]->msisdn);
		messages[i] = NULL;
	}
	op_wait(q, op);
	return (struct submission *)op;		/* the handle is the operation, under another name */
}

bool
queue_withdraw(struct queue *q, struct submission *handle)
{
	struct op *op = (struct op *)handle;

	(void)q;
	if (op->u.submit.offered)
		return false;
	op->withdrawn = true;
	for (size_t i = 0; i < op->u.submit.n; i++)
		message_free(&op->u.submit.puts[i].message);
	return true;
}

/* Asks the owner which messages of a submission may leave at once; ids are there. */
static void
submission_offer(struct queue *q, struct op *op)
{
	op->u.submit.offered = true;
	for (size_t i = 0; i < op->u.submit.n; i++) {
		struct put *p = &op->u.submit.puts[i];

		p->message->id = id_take(q);
		p->offer = !parts_has(&q->owned, store_part(p->order_key)) ? OFFER_NONE :
		    q->owner->offer(q->owner_arg, p->message, p->order_key, &p->mark) ? OFFER_TAKEN :
		    OFFER_REFUSED;
	}
}

/* To the owner, if it is the owner's. */
static void
put_tell(struct queue *q, struct put *p, bool stored, enum store_put how)
{
	if (stored && how != PUT_INBOX)
		q->owner->stored(q->owner_arg, &p->message, p->order_key, p->offer == OFFER_TAKEN,
		    how == PUT_MARKED);
	else if (p->offer != OFFER_NONE)
		q->owner->dropped(q->owner_arg, p->message, p->order_key, p->offer == OFFER_TAKEN);
	message_free(&p->message);
}

static void
tell_submit(struct queue *q, struct op *op)
{
	bool stored = op->done.result == STORE_OK, repeated = op->done.result == STORE_EXISTS;

	if (stored)
		q->stats.submitted += op->u.submit.n;
	op->call.stored(op->arg, stored || repeated ? NULL : op_err(op), op->u.submit.ids,
	    op->u.submit.n, repeated);
	for (size_t i = 0; i < op->u.submit.n; i++)
		put_tell(q, &op->u.submit.puts[i], stored, stored ? op->u.submit.asked.how[i] : PUT_INBOX);
	op_free(q, op);
}

/* --- look-ups --- */

void
queue_find(struct queue *q, struct text account, struct text push_id, queue_found_fn *found, void *arg)
{
	struct op *op = op_new(q, OP_FIND);

	op->call.found = found;
	op->arg = arg;
	op->u.find.account = arena_text(&op->in, account);
	op->u.find.push_id = arena_text(&op->in, push_id);
	op_wait(q, op);
}

void
queue_find_msisdn(struct queue *q, struct text msisdn, unsigned most, queue_found_fn *found, void *arg)
{
	struct op *op = op_new(q, OP_FIND_MSISDN);

	op->call.found = found;
	op->arg = arg;
	op->order_key = msisdn_order_key(msisdn);
	op->u.find.msisdn = arena_text(&op->in, msisdn);
	op->u.find.most = most < QUEUE_FOUND_MOST ? most : QUEUE_FOUND_MOST;
	op_wait(q, op);
}

static void
tell_find(struct queue *q, struct op *op)
{
	bool ok = op->done.result == STORE_OK;

	op->call.found(op->arg, op_failure(op), ok ? op->u.find.views : NULL, ok ? op->u.find.n : 0);
	op_free(q, op);
}

/* --- mark, settle, receipt, flight --- */

void
queue_mark(struct queue *q, uint64_t id, uint64_t order_key, const struct store_mark *mark,
    queue_done_fn *done, void *arg)
{
	struct op *op = op_new(q, OP_MARK);

	op->call.done = done;
	op->arg = arg;
	op->id = id;
	op->order_key = order_key;
	op->u.mark = *mark;
	op->u.mark.link = arena_text(&op->in, mark->link);
	op_wait(q, op);
}

static void
tell_done(struct queue *q, struct op *op)
{
	if (op->call.done != NULL)
		op->call.done(op->arg, op_err(op));
	op_free(q, op);
}

void
queue_settle(struct queue *q, const struct store_settlement *st, queue_joined_fn *joined, void *arg)
{
	struct op *op = op_new(q, OP_SETTLE);
	struct store_settlement *mine = &op->u.settle.in;
	struct store_answer *answers = arena_get(&op->in, st->answer_count * sizeof *answers);
	struct store_notice *notices = arena_get(&op->in, st->notice_count * sizeof *notices);

	op->call.joined = joined;
	op->arg = arg;
	op->id = st->id;
	op->order_key = st->order_key;
	*mine = *st;
	mine->domain = arena_text(&op->in, st->domain);
	mine->link = arena_text(&op->in, st->link);
	for (unsigned i = 0; i < st->answer_count; i++) {
		answers[i] = st->answers[i];
		answers[i].foreign_id = arena_text(&op->in, st->answers[i].foreign_id);
	}
	for (unsigned i = 0; i < st->notice_count; i++) {
		notices[i] = st->notices[i];
		notices[i].url = arena_text(&op->in, st->notices[i].url);
	}
	mine->answers = answers;
	mine->notices = notices;
	op_wait(q, op);
}

static void
tell_settle(struct queue *q, struct op *op)
{
	const struct store_joined *j = &op->u.settle.joined;
	bool news = op->done.result == STORE_OK && (j->matched || j->ripe);

	if (op->call.joined != NULL)
		op->call.joined(op->arg, op_err(op), news ? j : NULL);
	op_free(q, op);
}

void
queue_evidence(struct queue *q, const struct store_evidence *e, queue_done_fn *done, void *arg)
{
	struct op *op = op_new(q, OP_EVIDENCE);
	struct store_answer *answers = arena_get(&op->in, e->answer_count * sizeof *answers);

	op->call.done = done;
	op->arg = arg;
	op->id = e->id;
	op->order_key = e->order_key;
	op->u.evidence = *e;
	op->u.evidence.domain = arena_text(&op->in, e->domain);
	op->u.evidence.said = arena_text(&op->in, e->said);
	op->u.evidence.answers = answers;
	for (unsigned i = 0; i < e->answer_count; i++) {
		answers[i] = e->answers[i];
		answers[i].foreign_id = arena_text(&op->in, e->answers[i].foreign_id);
	}
	op_wait(q, op);
}

void
queue_receipt(struct queue *q, const struct store_receipt *r, queue_joined_fn *joined, void *arg)
{
	struct op *op = op_new(q, OP_RECEIPT);

	op->call.joined = joined;
	op->arg = arg;
	op->u.receipt.in = *r;
	op->u.receipt.in.domain = arena_text(&op->in, r->domain);
	op->u.receipt.in.foreign_id = arena_text(&op->in, r->foreign_id);
	op->u.receipt.in.said = arena_text(&op->in, r->said);
	op_wait(q, op);
}

static void
tell_receipt(struct queue *q, struct op *op)
{
	if (op->call.joined != NULL)
		op->call.joined(op->arg, op_err(op), op->done.result == STORE_OK ? &op->u.receipt.joined : NULL);
	op_free(q, op);
}

void
queue_flight(struct queue *q, uint64_t id, uint64_t order_key, queue_flight_fn *flight, void *arg)
{
	struct op *op = op_new(q, OP_FLIGHT);

	op->call.flight = flight;
	op->arg = arg;
	op->id = id;
	op->order_key = order_key;
	op_wait(q, op);
}

static void
tell_flight(struct queue *q, struct op *op)
{
	const struct err *err = op_failure(op);

	op->call.flight(op->arg, err, err == NULL ? &op->u.flight : NULL);
	op_free(q, op);
}

/* --- notices --- */

void
queue_notice_done(struct queue *q, uint64_t id, uint64_t order_key)
{
	struct op *op = op_new(q, OP_NOTICE_DONE);

	op->id = id;
	op->order_key = order_key;
	op_wait(q, op);
}

void
queue_notice_later(struct queue *q, uint64_t id, uint64_t order_key, uint16_t tries, wall_t due)
{
	struct op *op = op_new(q, OP_NOTICE_LATER);

	op->id = id;
	op->order_key = order_key;
	op->u.notice.tries = tries;
	op->u.notice.due = due;
	op_wait(q, op);
}

void
queue_notice(struct queue *q, uint64_t id, uint64_t order_key, queue_notice_fn *notice, void *arg)
{
	struct op *op = op_new(q, OP_NOTICE);

	op->call.notice = notice;
	op->arg = arg;
	op->id = id;
	op->order_key = order_key;
	op_wait(q, op);
}

static void
tell_notice(struct queue *q, struct op *op)
{
	op->call.notice(op->arg, op_failure(op), op->done.result == STORE_OK ? &op->u.notice.found : NULL);
	op_free(q, op);
}

/* --- what waits too long --- */

void
queue_overdue(struct queue *q, queue_overdue_fn *overdue, void *arg)
{
	struct op *op = op_new(q, OP_OVERDUE);

	op->call.overdue = overdue;
	op->arg = arg;
	op->u.scan.parts = q->owned;
	op->u.scan.from = q->overdue_at;
	op_wait(q, op);
}

static void
tell_overdue(struct queue *q, struct op *op)
{
	const struct err *err = op_failure(op);

	if (err == NULL)	/* round and round */
		q->overdue_at = op->u.scan.at.end ? (struct store_cursor){ .end = false } : op->u.scan.at;
	op->call.overdue(op->arg, err, err == NULL ? op->u.scan.rows : NULL,
	    err == NULL ? op->u.scan.n : 0);
	op_free(q, op);
}

void
queue_held(struct queue *q, queue_held_fn *held, void *arg)
{
	struct op *op = op_new(q, OP_HELD);

	op->call.overdue = held;
	op->arg = arg;
	memset(&op->u.scan.parts, 0xff, sizeof op->u.scan.parts);
	op_wait(q, op);
}

static void
tell_held(struct queue *q, struct op *op)
{
	const struct err *err = op_failure(op);

	op->call.overdue(op->arg, err, err == NULL ? op->u.scan.rows : NULL,
	    err == NULL ? op->u.scan.n : 0);
	op_free(q, op);
}

/* --- news --- */

static void
tell_nobody(struct queue *q, struct op *op)
{
	op_free(q, op);
}

/* Without an owner all of it waits in the store for the next start. */
static void
news_tell(struct queue *q, const struct store_news *news)
{
	if (q->closing)
		return;
	switch (news->kind) {
	case NEWS_MESSAGE:
		q->owner->adopted(q->owner_arg, &news->message);
		break;
	case NEWS_EVIDENCE:
		q->owner->evidence(q->owner_arg, &news->evidence);
		break;
	case NEWS_RECEIPT:
		q->owner->joined(q->owner_arg, &news->joined);
		break;
	case NEWS_REQUEST:
		change_serve(q, &news->request);
		break;
	}
}

static void
handed_tell(struct queue *q, const struct store_send *send)
{
	if (!q->closing)
		q->owner->handed(q->owner_arg, send);
}

/* --- purge --- */

static void
tell_purge(struct queue *q, struct op *op)
{
	q->purging = false;
	if (op->done.result == STORE_OK && !q->closing) {	/* there may be more */
		q->purging = true;
		op_wait(q, op_new(q, OP_PURGE));
	}
	op_free(q, op);
}

/* --- all of them --- */

static void (*const tells[OP_COUNT])(struct queue *, struct op *) = {
	[OP_SUBMIT] = tell_submit,
	[OP_MARK] = tell_done,
	[OP_SETTLE] = tell_settle,
	[OP_RECEIPT] = tell_receipt,
	[OP_CANCEL] = change_tell,
	[OP_REPLACE] = change_tell,
	[OP_NOTICE_DONE] = tell_done,
	[OP_NOTICE_LATER] = tell_done,
	[OP_PURGE] = tell_purge,
	[OP_LOCATE] = change_tell_located,
	[OP_FIND] = tell_find,
	[OP_FIND_MSISDN] = tell_find,
	[OP_FLIGHT] = tell_flight,
	[OP_NOTICE] = tell_notice,
	[OP_OVERDUE] = tell_overdue,
	[OP_HELD] = tell_held,
	[OP_LOAD] = nodes_tell_load,
	[OP_LOAD_NOTICES] = nodes_tell_load_notices,
	[OP_CLAIM] = nodes_tell_claim,
	[OP_RELEASE] = nodes_tell_release,
	[OP_NEWS] = tell_nobody,
	[OP_EVIDENCE] = tell_done,
	[OP_REQUEST] = change_tell_request,
	[OP_ANSWERED] = change_tell_answered,
	[OP_ANSWER] = change_tell_answer,
};

/* The result is in op: tells who asked, gives the op back (or uses it again). */
static void
op_tell(struct queue *q, struct op *op)
{
	tells[op->kind](q, op);
}

/* --- backup: on a thread of its own, so that nobody waits for a copy --- */

struct backup {
	struct work	 work;		/* first member: work <-> backup */
	const struct store_driver *driver;
	const struct store_conf *conf;
	char		*file;
	struct err	 err;
	int		 rc;
	queue_done_fn	*done;
	void		*arg;
};

static void
backup_run(struct work *w)
{
	struct backup *b = (struct backup *)w;

	b->rc = b->driver->backup(b->conf, b->file, &b->err);
}

static void
backup_done(struct work *w)
{
	struct backup *b = (struct backup *)w;

	if (b->done != NULL)
		b->done(b->arg, b->rc == 0 ? NULL : &b->err);
	free(b->file);
	free(b);
}

void
queue_backup(struct queue *q, const char *file, queue_done_fn *done, void *arg)
{
	struct backup *b = calloc(1, sizeof *b);
	struct err err = { 0 };

	if (b == NULL || (b->file = strdup(file)) == NULL ||
	    (q->copier == NULL && (q->copier = worker_new(q->loop, "backup", &err)) == NULL)) {
		err_set(&err, ERR_SYSTEM, "backup: no memory");
		if (b != NULL)
			free(b->file);
		free(b);
		if (done != NULL)
			done(arg, &err);
		return;
	}
	b->work = (struct work){ .run = backup_run, .done = backup_done };
	b->driver = q->writer.driver;
	b->conf = &q->writer.conf;	/* never changes */
	b->done = done;
	b->arg = arg;
	worker_submit(q->copier, &b->work);
}

/* --- no owner: messages are stored and wait --- */

static bool
nobody_offer(void *arg, const struct message *m, uint64_t order_key, struct store_mark *mark)
{
	(void)arg;
	(void)m;
	(void)order_key;
	(void)mark;
	return false;
}

static void
nobody_stored(void *arg, struct message **taken, uint64_t order_key, bool offered, bool marked)
{
	(void)arg;
	(void)order_key;
	(void)offered;
	(void)marked;
	message_free(taken);
}

static void
nobody_dropped(void *arg, const struct message *m, uint64_t order_key, bool offered)
{
	(void)arg;
	(void)m;
	(void)order_key;
	(void)offered;
}

static bool
nobody_withhold(void *arg, uint64_t id, uint64_t order_key)
{
	(void)arg;
	(void)id;
	(void)order_key;
	return true;
}

static void
nobody_changed(void *arg, uint64_t id, uint64_t order_key, enum store_result result, bool cancelled)
{
	(void)arg;
	(void)id;
	(void)order_key;
	(void)result;
	(void)cancelled;
}

static void
nobody_decides(void *arg, uint64_t id, uint64_t order_key, enum store_wish wish, queue_decided_fn *done,
    void *done_arg)
{
	(void)arg;
	(void)id;
	(void)order_key;
	(void)wish;
	done(done_arg, STORE_FAILED);
}

static void
nobody_cares(void *arg, const struct store_parts *parts)
{
	(void)arg;
	(void)parts;
}

static void
nobody_trouble(void *arg, bool in_trouble, const struct err *err)
{
	(void)arg;
	(void)in_trouble;
	(void)err;
}

static const struct queue_owner nobody = {
	.offer = nobody_offer,
	.stored = nobody_stored,
	.dropped = nobody_dropped,
	.leave = nobody_cares,
	.lost = nobody_cares,
	.withhold = nobody_withhold,
	.changed = nobody_changed,
	.decide = nobody_decides,
	.trouble = nobody_trouble,	/* loaded, adopted: only after queue_start, which wants an owner */
};

void
queue_owner_set(struct queue *q, const struct queue_owner *owner, void *arg)
{
	q->owner = owner != NULL ? owner : &nobody;
	q->owner_arg = arg;
}

/* --- opening and closing --- */

static void
parts_close(struct queue *q)
{
	change_close(q);
	nodes_close(q);
}

static const struct heart_calls heart_calls = { .tell = op_tell, .offer = submission_offer,
    .news = news_tell, .handed = handed_tell, .open = nodes_open, .polled = change_poll,
    .close = parts_close };

struct queue *
queue_open(struct loop *loop, const struct store_driver *driver, const struct store_conf *conf,
    struct err *err)
{
	struct queue *q = heart_open(loop, driver, conf, &heart_calls, err);

	if (q != NULL)
		queue_owner_set(q, NULL, NULL);
	return q;
}

void
queue_close(struct queue **qp)
{
	heart_close(qp);
}

/* --- for both --- */

const char *const queue_states[] = {
	[STATE_WAITING] = "waiting", [STATE_SENDING] = "sending", [STATE_UNKNOWN] = "unknown",
	[STATE_HELD] = "held", [STATE_AWAITING] = "awaiting", [STATE_RIPE] = "awaiting",
	[STATE_FINISHED] = "finished"
};

const char *const queue_outcomes[] = {
	[OUTCOME_NONE] = "none", [OUTCOME_SENT] = "sent", [OUTCOME_DELIVERED] = "delivered",
	[OUTCOME_FAILED] = "failed", [OUTCOME_REJECTED] = "rejected",
	[OUTCOME_EXPIRED] = "expired", [OUTCOME_UNKNOWN] = "unknown",
	[OUTCOME_CANCELLED] = "cancelled"
};

uint64_t
queue_new_id(struct queue *q)
{
	return id_take(q);
}

void
queue_push_id_of(const struct queue *q, uint64_t id, char out[PUSH_ID_SIZE])
{
	push_id_make(id, q->writer.tag, out);
}

void
queue_push_id(const struct queue *q, const struct message *m, char out[PUSH_ID_MOST + 1])
{
	if (m->push_id.at == NULL)
		push_id_make(m->id, q->writer.tag, out);
	else
		snprintf(out, PUSH_ID_MOST + 1, "%.*s", TEXT_ARGS(m->push_id));
}

bool
queue_in_trouble(const struct queue *q, struct err *why)
{
	if (q->trouble && why != NULL)
		*why = q->why;
	return q->trouble;
}

struct text
queue_node(const struct queue *q)
{
	return text_of(q->node);
}

void
queue_stats(const struct queue *q, struct queue_stats *stats)
{
	*stats = q->stats;
}
