/*
 * queue_heart.c - the heart of the queue: what waits, batches, trouble, ids, start and end
 *
 * Group commit without a timer: what comes while a batch runs is the next batch, closed at
 * the end of the turn in which the former one came back. Closing a batch gives its messages
 * their ids (so the order of ids is the order of commits) and asks the owner which may leave
 * at once.
 *
 *   well      all that waits goes into one transaction, at most BATCH_MOST operations
 *   trouble   since a transaction failed: what can be told no is told no, reads are served
 *             outside a transaction (until one fails too: then they wait), the rest is kept; every second a transaction with what is
 *             kept (or with nothing) finds out whether it is over
 *   doubt     trouble, and nobody knows whether the last batch is in: it is kept as it is, and
 *             every second the store is opened again and asked
 *
 * Knows:     operations by their fate, not by what they mean: who made them has given it a
 *            table of functions for that.
 * Does not:  touch the store while a batch runs.
 * Owns:      the worker, the operations, messages that are not stored yet.
 * Threads:   the loop.
 */
#include "queue/queue_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/log.h"

enum { CLOCK_JUMP_MS = 60000, CLOCK_DISTRUST_MS = 300000 };

const enum op_fate op_fates[OP_COUNT] = {
	[OP_SUBMIT] = FATE_FAILS,
	[OP_MARK] = FATE_FAILS,
	[OP_SETTLE] = FATE_STAYS,
	[OP_RECEIPT] = FATE_FAILS,
	[OP_CANCEL] = FATE_FAILS,
	[OP_REPLACE] = FATE_FAILS,
	[OP_NOTICE_DONE] = FATE_STAYS,
	[OP_NOTICE_LATER] = FATE_STAYS,
	[OP_PURGE] = FATE_FAILS,
	[OP_LOCATE] = FATE_READS,
	[OP_FIND] = FATE_READS,
	[OP_FIND_MSISDN] = FATE_READS,
	[OP_FLIGHT] = FATE_READS,
	[OP_NOTICE] = FATE_READS,
	[OP_OVERDUE] = FATE_READS,
	[OP_HELD] = FATE_READS,
	[OP_LOAD] = FATE_READS,
	[OP_LOAD_NOTICES] = FATE_READS,
	[OP_CLAIM] = FATE_ALONE,
	[OP_RELEASE] = FATE_ALONE,
	[OP_NEWS] = FATE_FAILS,
	[OP_EVIDENCE] = FATE_STAYS,
	[OP_REQUEST] = FATE_FAILS,
	[OP_ANSWERED] = FATE_FAILS,
	[OP_ANSWER] = FATE_STAYS,
};

/* --- operations --- */

struct op *
op_new(struct queue *q, enum op_kind kind)
{
	struct op *op = q->spare;

	if (op != NULL) {
		q->spare = op->next;
		q->spare_count--;
	} else if ((op = calloc(1, sizeof *op)) == NULL) {
		log_line(LOG_LEVEL_PANIC, "out of memory in the queue");
		log_flush();
		abort();	/* what was accepted is on disk */
	}
	op->kind = kind;
	op->withdrawn = op->spoiled = false;
	op->done.result = STORE_OK;
	op->done.err.code = ERR_NONE;
	op->call.done = NULL;
	op->arg = NULL;
	op->id = op->order_key = 0;
	memset(&op->u, 0, sizeof op->u);
	return op;
}

static void
op_destroy(struct op *op)
{
	arena_free(&op->in);
	arena_free(&op->out);
	free(op);
}

void
op_free(struct queue *q, struct op *op)
{
	if (q->spare_count >= SPARE_MOST) {
		op_destroy(op);
		return;
	}
	arena_reset(&op->in);
	arena_reset(&op->out);
	op->next = q->spare;
	q->spare = op;
	q->spare_count++;
}

static unsigned
op_weight(const struct op *op)
{
	return op->kind == OP_SUBMIT ? (unsigned)op->u.submit.n : 1;
}

void
op_wait(struct queue *q, struct op *op)
{
	q->stats.open_operations++;
	ops_add(&q->waiting, op);
	if (!q->running && !q->closing)
		loop_soon(q->loop, &q->turn);
}

static void
op_over(struct queue *q, struct op *op)
{
	q->stats.open_operations--;
	if (op->withdrawn)
		op_free(q, op);
	else
		q->calls->tell(q, op);
}

static void
op_failed(struct queue *q, struct op *op, const struct err *err)
{
	op->done.result = STORE_FAILED;
	op->done.err = *err;
	op_over(q, op);
}

/* err, or NULL when all is well: for a callback. */
const struct err *
op_err(struct op *op)
{
	switch (op->done.result) {
	case STORE_OK:
		return NULL;
	case STORE_FAILED:
		break;
	case STORE_FENCED:
		err_set(&op->done.err, ERR_FENCED, "its partition belongs to another node now");
		break;
	case STORE_EXISTS:
	case STORE_ABSENT:
		err_set(&op->done.err, ERR_SYSTEM, "there is no such message any more");
		break;
	case STORE_TOO_LATE:
		err_set(&op->done.err, ERR_SYSTEM, "it is answered already");
	}
	return &op->done.err;
}

const struct err *
op_failure(const struct op *op)		/* of look-ups: absent is no fault */
{
	return op->done.result == STORE_FAILED ? &op->done.err : NULL;
}

/* --- ids --- */

static uint64_t
ids_left(const struct ids *i)
{
	return (i->end - i->next) + (i->more_end - i->more);
}

uint64_t
id_take(struct queue *q)
{
	struct ids *i = &q->ids;

	if (i->next == i->end) {
		i->next = i->more;
		i->end = i->more_end;
		i->more = i->more_end = 0;
	}
	return i->next < i->end ? i->next++ : 0;
}

static void
ids_add(struct ids *i, uint64_t first, uint64_t count)
{
	if (i->next == i->end) {
		i->next = first;
		i->end = first + count;
	} else {		/* what was in `more` is skipped: there are 2^44 */
		i->more = first;
		i->more_end = first + count;
	}
}

/* In the background, before they run out. */
static uint32_t
ids_wanted(const struct queue *q)
{
	return q->ids.more == q->ids.more_end && ids_left(&q->ids) < ID_BLOCK / 2 ? ID_BLOCK : 0;
}

/* --- trouble --- */

void
queue_trouble(struct queue *q, const struct err *err)
{
	bool before = q->trouble;

	q->trouble = true;
	q->why = *err;
	if (!timer_armed(q->retry))	/* what fails meanwhile does not put it off */
		timer_set(q->retry, RETRY_MS);
	if (before)
		return;
	log_error("%s; submissions are refused until it is over", q->why.text);
	q->owner->trouble(q->owner_arg, true, &q->why);
}

static void
trouble_end(struct queue *q)
{
	if (!q->trouble)
		return;
	q->trouble = q->doubt = false;
	timer_cancel(q->retry);
	/* what was kept is older than what waits */
	ops_join(&q->kept, &q->waiting);
	ops_join(&q->waiting, &q->kept);
	log_warn("the store is well again; %u operations go on", q->waiting.count);
	q->owner->trouble(q->owner_arg, false, NULL);
}

/* --- batches --- */

static void
batch_run(struct work *w)
{
	struct batch *b = (struct batch *)w;

	writer_run(&((struct queue *)((char *)b - offsetof(struct queue, batch)))->writer, b);
}

static void
batch_go(struct queue *q)
{
	q->running = true;
	worker_submit(q->worker, &q->batch.work);
}

static void
batch_empty(struct queue *q)
{
	struct batch *b = &q->batch;

	ops_empty(&b->ops);
	b->transaction = b->probe = b->doubtful = b->more_news = false;
	b->owned = q->owned;
	b->takes_sends = q->nodes.keeper != NULL && may_send(q);
	b->handed = NULL;
	b->handed_tail = &b->handed;
	b->want_ids = 0;
	b->news = NULL;
	b->news_tail = &b->news;
	arena_reset(&b->arena);
}

/* Takes from the list what fits. A submission is never split; one that needs more ids than there
 * are waits until a batch has brought them. */
static void
batch_fill(struct queue *q, struct op_list *from)
{
	struct batch *b = &q->batch;
	unsigned weight = 0;
	struct op *op;

	while ((op = from->head) != NULL && weight < BATCH_MOST) {
		if (op_fates[op->kind] == FATE_ALONE) {
			if (b->ops.head == NULL)
				ops_add(&b->ops, ops_take(from));
			break;
		}
		if (op->withdrawn) {
			op_over(q, ops_take(from));
			continue;
		}
		if (op->kind == OP_SUBMIT && !op->u.submit.offered) {
			if (op->u.submit.n > ids_left(&q->ids)) {
				b->want_ids = (uint32_t)op->u.submit.n + ID_BLOCK;
				break;
			}
			q->calls->offer(q, op);
		}
		weight += op_weight(op);
		b->transaction |= op_fates[op->kind] != FATE_READS;
		ops_add(&b->ops, ops_take(from));
	}
}

/* In trouble: no transaction, but reads are served (unless the store is closed for doubt). */
static void
trouble_sort(struct queue *q)
{
	struct op_list all, later;
	struct op *op;

	/* Whoever is told no may ask again at once: that waits for the next turn. */
	ops_empty(&all);
	ops_join(&all, &q->waiting);
	ops_empty(&later);
	while ((op = ops_take(&all)) != NULL) {
		if (op->withdrawn)
			op_over(q, op);
		else if (op_fates[op->kind] == FATE_STAYS)
			ops_add(&q->kept, op);
		else if (op_fates[op->kind] != FATE_READS || q->doubt)
			op_failed(q, op, &q->why);
		else if (q->batch.ops.count < BATCH_MOST)
			ops_add(&q->batch.ops, op);
		else
			ops_add(&later, op);
	}
	ops_join(&later, &q->waiting);
	ops_join(&q->waiting, &later);
}

static void
turn_in_trouble(struct queue *q)
{
	if (q->doubt) {
		trouble_sort(q);	/* in doubt nothing joins q->batch */
		if (q->probe_now)
			batch_go(q);
		q->probe_now = false;
		return;
	}
	batch_empty(q);
	if (q->probe_now) {
		q->probe_now = false;
		if (q->kept.head != NULL && op_fates[q->kept.head->kind] != FATE_ALONE)
			batch_fill(q, &q->kept);
		q->batch.transaction = q->batch.probe = true;
		batch_go(q);
		return;
	}
	trouble_sort(q);
	if (q->batch.ops.head != NULL)
		batch_go(q);
}

static void
queue_turn(void *arg)
{
	struct queue *q = arg;

	if (q->running)
		return;
	if (q->trouble) {
		turn_in_trouble(q);
		return;
	}
	batch_empty(q);
	batch_fill(q, &q->waiting);
	if (q->batch.want_ids == 0)
		q->batch.want_ids = ids_wanted(q);
	if (q->batch.ops.head != NULL || q->batch.want_ids > 0)
		batch_go(q);
}

static void
retry_due(void *arg)
{
	struct queue *q = arg;

	q->probe_now = true;
	queue_turn(q);
}

static void
batch_tell(struct queue *q, struct op_list *ops)
{
	struct op *op;

	while ((op = ops_take(ops)) != NULL) {
		q->stats.operations++;
		op_over(q, op);
	}
}

/* Nothing of it is in. What stays goes back to the head of its list, in order. Reads may go well without a
 * transaction; when they did not, they wait until all is well. */
static void
batch_failed(struct queue *q, struct op_list *ops, bool transaction, const struct err *err)
{
	struct op_list stays, reads;
	struct op *op;

	ops_empty(&stays);
	ops_empty(&reads);
	while ((op = ops_take(ops)) != NULL) {
		if (op->spoiled)
			op_over(q, op);
		else if (op_fates[op->kind] == FATE_STAYS)
			ops_add(&stays, op);
		else if (op_fates[op->kind] == FATE_READS)
			ops_add(&reads, op);
		else
			op_failed(q, op, err);
	}
	ops_join(&stays, &q->kept);
	q->kept = stays;
	if (q->kept.head == NULL)
		ops_empty(&q->kept);
	if (!transaction) {
		ops_join(&q->kept, &reads);
		return;
	}
	ops_join(&reads, &q->waiting);
	q->waiting = reads;
	if (q->waiting.head == NULL)
		ops_empty(&q->waiting);
}

/* The results of q->batch, on the loop. */
static void
batch_over(struct queue *q)
{
	struct batch *b = &q->batch;
	struct op_list ops = b->ops;
	bool transaction = b->transaction;
	const struct news *news = b->news;
	const struct handed *handed = b->handed;

	q->running = false;
	if (b->ids_first != 0)
		ids_add(&q->ids, b->ids_first, b->want_ids);
	switch (b->outcome) {
	case BATCH_DONE:
		ops_empty(&b->ops);
		q->stats.counts = b->counts;
		if (transaction) {
			q->stats.batches++;
			trouble_end(q);
		}
		for (; news != NULL; news = news->next)
			q->calls->news(q, &news->is);
		for (; handed != NULL; handed = handed->next)
			q->calls->handed(q, &handed->is);
		if (b->more_news && !q->closing)
			op_wait(q, op_new(q, OP_NEWS));
		batch_tell(q, &ops);
		break;
	case BATCH_FAILED:
		ops_empty(&b->ops);
		q->doubt = false;
		queue_trouble(q, &b->err);
		batch_failed(q, &ops, transaction, &q->why);
		break;
	case BATCH_IN_DOUBT:
		b->doubtful = q->doubt = true;
		queue_trouble(q, &b->err);
	}
	if (!q->closing && (q->waiting.head != NULL || q->probe_now ||
	    (!q->trouble && ids_wanted(q) > 0)))
		loop_soon(q->loop, &q->turn);
}

static void
batch_done(struct work *w)
{
	batch_over((struct queue *)((char *)w - offsetof(struct queue, batch.work)));
}

/* --- purge --- */

/* After a jump of the wall clock nothing is thrown away for a while: it may be wrong now, or
 * may have been. */
static bool
clock_trusted(struct queue *q)
{
	int64_t offset = clock_wall() - clock_mono(), jump = offset - q->wall_offset;

	if (jump > CLOCK_JUMP_MS || jump < -CLOCK_JUMP_MS)
		q->purge_not_before = clock_mono() + CLOCK_DISTRUST_MS;
	q->wall_offset = offset;
	return clock_mono() >= q->purge_not_before;
}

static void
purge_due(void *arg)
{
	struct queue *q = arg;

	timer_set(q->purge, PURGE_MS);
	if (!clock_trusted(q) || q->trouble || q->purging)
		return;
	q->purging = true;
	op_wait(q, op_new(q, OP_PURGE));
}

/* --- open, start, close --- */

static int
parts_open(struct queue *q, struct err *err)
{
	uint64_t first;

	q->retry = timer_new(q->loop, retry_due, q);
	q->purge = timer_new(q->loop, purge_due, q);
	if (q->retry == NULL || q->purge == NULL)
		return err_set(err, ERR_SYSTEM, "queue: no memory");
	if (q->writer.driver->reserve(q->writer.store, ID_BLOCK, &first, err) == -1 ||
	    q->writer.driver->counts(q->writer.store, &q->stats.counts, err) == -1)
		return -1;
	ids_add(&q->ids, first, ID_BLOCK);
	snprintf(q->node, sizeof q->node, "%u", q->writer.driver->node(q->writer.store));
	if ((q->worker = worker_new(q->loop, "store", err)) == NULL)
		return -1;
	return q->calls->open(q, err);
}

static void
parts_free(struct queue *q)
{
	struct op *op;

	timer_free(&q->retry);
	timer_free(&q->purge);
	loop_not_soon(q->loop, &q->turn);
	q->calls->close(q);
	writer_close(&q->writer);
	arena_free(&q->batch.arena);
	while ((op = q->spare) != NULL) {
		q->spare = op->next;
		op_destroy(op);
	}
	free(q);
}

struct queue *
heart_open(struct loop *loop, const struct store_driver *driver, const struct store_conf *conf,
    const struct heart_calls *calls, struct err *err)
{
	struct queue *q = calloc(1, sizeof *q);

	if (q == NULL) {
		err_set(err, ERR_SYSTEM, "queue: no memory");
		return NULL;
	}
	q->loop = loop;
	q->calls = calls;
	q->turn = (struct soon){ .run = queue_turn, .arg = q };
	q->batch.work = (struct work){ .run = batch_run, .done = batch_done };
	q->wall_offset = clock_wall() - clock_mono();
	ops_empty(&q->waiting);
	ops_empty(&q->kept);
	ops_empty(&q->after_load);
	ops_empty(&q->asked);
	q->batch.arena = (struct arena){ 0 };
	batch_empty(q);
	if (writer_open(&q->writer, driver, conf, err) == -1 || parts_open(q, err) == -1) {
		parts_free(q);
		return NULL;
	}
	timer_set(q->purge, PURGE_FIRST_MS);
	return q;
}

/* Without the worker: what waits is done here, one batch after the other. In trouble it is
 * tried once more and then given up; what was marked comes back as unknown after the start. */
static void
close_rest(struct queue *q)
{
	bool failed = false;

	while (!failed && (q->waiting.head != NULL || q->kept.head != NULL)) {
		batch_empty(q);
		ops_join(&q->kept, &q->waiting);
		ops_join(&q->waiting, &q->kept);
		batch_fill(q, &q->waiting);
		writer_run(&q->writer, &q->batch);
		failed = q->batch.outcome != BATCH_DONE;
		if (q->batch.outcome == BATCH_IN_DOUBT)
			q->batch.outcome = BATCH_FAILED;
		batch_over(q);
	}
}

static void
drop_all(struct queue *q, struct op_list *l, const struct err *err)
{
	struct op *op;

	while ((op = ops_take(l)) != NULL) {
		if (op_fates[op->kind] == FATE_STAYS)
			log_error("given up at the end, the store is in trouble: message %" PRIu64, op->id);
		op_failed(q, op, err);
	}
}

void
heart_close(struct queue **qp)
{
	struct queue *q = *qp;
	struct err stopping = { 0 };

	if (q == NULL)
		return;
	*qp = NULL;
	q->closing = true;
	err_set(&stopping, ERR_BUSY, "the gateway is stopping");
	worker_free(&q->copier);
	worker_free(&q->worker);	/* batch_done of the running one comes from here */
	ops_join(&q->waiting, &q->after_load);
	ops_join(&q->waiting, &q->asked);
	if (q->doubt)		/* asked once more: what is in must not be told to be refused */
		writer_run(&q->writer, &q->batch);
	if (q->doubt && q->batch.outcome == BATCH_IN_DOUBT)
		drop_all(q, &q->batch.ops, &q->why);
	else if (q->doubt)
		batch_over(q);
	close_rest(q);
	drop_all(q, &q->kept, &stopping);
	drop_all(q, &q->waiting, &stopping);
	parts_free(q);
}
