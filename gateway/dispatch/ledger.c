/*
 * ledger.c - open operations, from a free list
 *
 * Knows:     which calls of queue.h answer later, and the shape of their answers.
 * Does not:  know what is written.
 * Owns:      the operations; after ledger_close also itself, until the last one was answered.
 * Threads:   the loop.
 */
#include "dispatch/ledger.h"

#include <stdlib.h>

struct ledger {
	struct queue	*queue;
	struct op	*unused;
	unsigned	 open;
	bool		 closed;
};

struct op {
	struct ledger	*ledger;
	struct op	*next;		/* unused */
	union {
		queue_done_fn	*done;
		queue_joined_fn	*joined;
		queue_flight_fn	*flight;
		queue_notice_fn	*notice;
		queue_overdue_fn *overdue;
	} then;
	void		*arg;
};

struct ledger *
ledger_new(struct queue *q)
{
	struct ledger *l = calloc(1, sizeof *l);

	if (l != NULL)
		l->queue = q;
	return l;
}

static void
ledger_end(struct ledger *l)
{
	for (struct op *o = l->unused, *next; o != NULL; o = next) {
		next = o->next;
		free(o);
	}
	free(l);
}

void
ledger_close(struct ledger **lp)
{
	struct ledger *l = *lp;

	if (l == NULL)
		return;
	l->closed = true;
	*lp = NULL;
	if (l->open == 0)
		ledger_end(l);
}

struct queue *
ledger_queue(const struct ledger *l)
{
	return l->queue;
}

unsigned
ledger_open(const struct ledger *l)
{
	return l->open;
}

static struct op *
op_new(struct ledger *l, void *arg)
{
	struct op *o = l->unused;

	if (o != NULL)
		l->unused = o->next;
	else if ((o = malloc(sizeof *o)) == NULL)
		return NULL;
	*o = (struct op){ .ledger = l, .arg = arg };
	l->open++;
	return o;
}

/* Gives the operation back; true: whoever asked is still there (then *o says who). */
static bool
op_answered(struct op *o, struct op *who)
{
	struct ledger *l = o->ledger;

	*who = *o;
	o->next = l->unused;
	l->unused = o;
	l->open--;
	if (!l->closed)
		return true;
	if (l->open == 0)
		ledger_end(l);
	return false;
}

static const struct err no_memory = { .code = ERR_STORE, .text = "out of memory" };

static void
op_done(void *arg, const struct err *err)
{
	struct op who;

	if (op_answered(arg, &who))
		who.then.done(who.arg, err);
}

static void
op_joined(void *arg, const struct err *err, const struct store_joined *joined)
{
	struct op who;

	if (op_answered(arg, &who) && who.then.joined != NULL)
		who.then.joined(who.arg, err, joined);
}

static void
op_flight(void *arg, const struct err *err, const struct store_flight *f)
{
	struct op who;

	if (op_answered(arg, &who))
		who.then.flight(who.arg, err, f);
}

static void
op_notice(void *arg, const struct err *err, const struct store_notice *n)
{
	struct op who;

	if (op_answered(arg, &who))
		who.then.notice(who.arg, err, n);
}

static void
op_overdue(void *arg, const struct err *err, const struct store_index *rows, size_t n)
{
	struct op who;

	if (op_answered(arg, &who))
		who.then.overdue(who.arg, err, rows, n);
}

/* Without memory the answer comes at once, as from a store in trouble: callers bear both. */

void
ledger_mark(struct ledger *l, uint64_t id, uint64_t order_key, const struct store_mark *mark,
    queue_done_fn *done, void *arg)
{
	struct op *o = op_new(l, arg);

	if (o == NULL) {
		done(arg, &no_memory);
		return;
	}
	o->then.done = done;
	queue_mark(l->queue, id, order_key, mark, op_done, o);
}

void
ledger_settle(struct ledger *l, const struct store_settlement *s, queue_joined_fn *joined,
    void *arg)
{
	struct op *o = op_new(l, arg);

	if (o == NULL) {
		if (joined != NULL)
			joined(arg, &no_memory, NULL);
		return;
	}
	o->then.joined = joined;
	queue_settle(l->queue, s, op_joined, o);
}

void
ledger_receipt(struct ledger *l, const struct store_receipt *r, queue_joined_fn *joined, void *arg)
{
	struct op *o = op_new(l, arg);

	if (o == NULL) {
		joined(arg, &no_memory, NULL);
		return;
	}
	o->then.joined = joined;
	queue_receipt(l->queue, r, op_joined, o);
}

void
ledger_evidence(struct ledger *l, const struct store_evidence *e, queue_done_fn *done, void *arg)
{
	struct op *o = op_new(l, arg);

	if (o == NULL) {
		done(arg, &no_memory);
		return;
	}
	o->then.done = done;
	queue_evidence(l->queue, e, op_done, o);
}

void
ledger_flight(struct ledger *l, uint64_t id, uint64_t order_key, queue_flight_fn *flight, void *arg)
{
	struct op *o = op_new(l, arg);

	if (o == NULL) {
		flight(arg, &no_memory, NULL);
		return;
	}
	o->then.flight = flight;
	queue_flight(l->queue, id, order_key, op_flight, o);
}

void
ledger_notice(struct ledger *l, uint64_t id, uint64_t order_key, queue_notice_fn *notice, void *arg)
{
	struct op *o = op_new(l, arg);

	if (o == NULL) {
		notice(arg, &no_memory, NULL);
		return;
	}
	o->then.notice = notice;
	queue_notice(l->queue, id, order_key, op_notice, o);
}

void
ledger_overdue(struct ledger *l, queue_overdue_fn *overdue, void *arg)
{
	struct op *o = op_new(l, arg);

	if (o == NULL) {
		overdue(arg, &no_memory, NULL, 0);
		return;
	}
	o->then.overdue = overdue;
	queue_overdue(l->queue, op_overdue, o);
}
