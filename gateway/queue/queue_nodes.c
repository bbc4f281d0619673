/*
 * queue_nodes.c - which partitions are ours: claimed, loaded, owned, given away, lost
 *
 *   nobody's -> claimed (loading) -> owned -> leaving -> released
 *                                      `-----> lost: the lease is over, or somebody else has it
 *
 * What is claimed is loaded slice by slice; new messages go to the inbox meanwhile and are adopted when it
 * is owned. What leaves is taken from the owner's hands first; it is released when nothing of it is
 * under way any more, or after LEAVE_MS: then answers that are still to come are evidence.
 *
 * With one node everything is claimed at the start and that is all. With several, a keeper (a thread with a
 * connection of its own, so that no slow commit delays it) renews our lease and brings the picture
 * of who is there; every look at it moves what balance.h says. When the lease is over, by the boot clock,
 * nothing may be sent any more, whatever the picture was.
 *
 * Knows:     the life of a partition, the keeper.
 * Does not:  know messages.
 * Owns:      the keeper, the last picture.
 * Threads:   the loop; the keeper's thread runs keep_run.
 */
#include "queue/queue_inner.h"

#include <inttypes.h>
#include <stdlib.h>

#include "io/log.h"
#include "queue/balance.h"

enum { KEEP_MS = 500, POLL_MS = 20, LEAVE_MS = 5000 };

static const struct store_parts all_parts = {
	{ UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX }
};

/* --- sets ------------------------------------------------------------------------ */

static void
parts_add(struct store_parts *to, const struct store_parts *which)
{
	for (size_t i = 0; i < PARTS_WORDS; i++)
		to->bits[i] |= which->bits[i];
}

static void
parts_cut(struct store_parts *from, const struct store_parts *which)
{
	for (size_t i = 0; i < PARTS_WORDS; i++)
		from->bits[i] &= ~which->bits[i];
}

static unsigned
parts_count(const struct store_parts *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		n += parts_has(p, i);
	return n;
}

/* --- claimed, loaded, owned -------------------------------------------------------- */

static void
scan_on(struct queue *q, enum op_kind kind, const struct store_parts *parts, struct store_cursor at)
{
	struct op *op = op_new(q, kind);

	op->u.scan.parts = *parts;
	op->u.scan.from = at;
	op_wait(q, op);
}

static void
claim(struct queue *q, const struct store_parts *parts)
{
	struct op *op = op_new(q, OP_CLAIM);

	q->nodes.claiming = true;
	op->u.parts = *parts;
	op_wait(q, op);
}

/* What cannot be done for the store's trouble is asked for again when it is well: without the index nothing
 * would be sent. */
static bool
start_fails(struct queue *q, struct op *op)
{
	if (q->closing) {
		op_free(q, op);
		return true;
	}
	if (op->done.result != STORE_FAILED)
		return false;
	queue_trouble(q, &op->done.err);
	q->stats.open_operations++;
	ops_add(&q->kept, op);
	return true;
}

void
nodes_tell_claim(struct queue *q, struct op *op)
{
	const struct store_parts *got = &op->u.parts;

	if (start_fails(q, op))
		return;
	q->nodes.claiming = false;
	parts_add(&q->nodes.moved, got);
	if (!parts_none(got)) {
		parts_add(&q->loading, got);
		if (q->owner->come != NULL)
			q->owner->come(q->owner_arg, got);
		parts_add(&q->nodes.scanning, got);
		if (q->nodes.keeper != NULL)
			log_info("node %s: %u partitions come", q->node, parts_count(got));
		scan_on(q, OP_LOAD, got, (struct store_cursor){ .end = false });
	}
	op_free(q, op);
}

static void
load_end(struct queue *q, const struct store_parts *parts)
{
	struct store_parts came;
	struct op *op;

	for (size_t i = 0; i < PARTS_WORDS; i++)	/* without what was lost meanwhile */
		came.bits[i] = parts->bits[i] & q->loading.bits[i];
	parts_cut(&q->nodes.scanning, parts);
	parts_cut(&q->loading, &came);
	parts_add(&q->owned, &came);
	op_wait(q, op_new(q, OP_NEWS));		/* what came meanwhile */
	while (parts_none(&q->loading) && (op = ops_take(&q->after_load)) != NULL)
		op_wait(q, op);
}

void
nodes_tell_load(struct queue *q, struct op *op)
{
	bool end = op->u.scan.at.end;
	unsigned n = 0;

	if (start_fails(q, op))
		return;
	for (unsigned i = 0; i < op->u.scan.n; i++)
		if (parts_has(&q->loading, store_part(op->u.scan.rows[i].order_key)))
			op->u.scan.rows[n++] = op->u.scan.rows[i];
	q->owner->loaded(q->owner_arg, op->u.scan.rows, n, end);
	if (end)
		scan_on(q, OP_LOAD_NOTICES, &op->u.scan.parts, (struct store_cursor){ .end = false });
	else
		scan_on(q, OP_LOAD, &op->u.scan.parts, op->u.scan.at);
	op_free(q, op);
}

void
nodes_tell_load_notices(struct queue *q, struct op *op)
{
	bool end = op->u.scan.at.end;
	unsigned n = 0;

	if (start_fails(q, op))
		return;
	for (unsigned i = 0; i < op->u.scan.n; i++)
		if (parts_has(&q->loading, store_part(op->u.scan.notices[i].order_key)))
			op->u.scan.notices[n++] = op->u.scan.notices[i];
	q->owner->loaded_notices(q->owner_arg, op->u.scan.notices, n, end);
	if (end)
		load_end(q, &op->u.scan.parts);
	else
		scan_on(q, OP_LOAD_NOTICES, &op->u.scan.parts, op->u.scan.at);
	op_free(q, op);
}

/* --- given away, lost ----------------------------------------------------------------- */

static void
release(struct queue *q, const struct store_parts *parts)
{
	struct op *op = op_new(q, OP_RELEASE);

	op->u.parts = *parts;
	parts_cut(&q->nodes.leaving, parts);
	parts_add(&q->nodes.releasing, parts);
	op_wait(q, op);
}

void
nodes_tell_release(struct queue *q, struct op *op)
{
	if (start_fails(q, op))
		return;
	parts_cut(&q->nodes.releasing, &op->u.parts);
	parts_add(&q->nodes.moved, &op->u.parts);
	op_free(q, op);
}

static void
give(struct queue *q, const struct store_parts *parts)
{
	struct store_parts now = *parts;

	for (size_t i = 0; i < PARTS_WORDS; i++)	/* what is still coming may come first */
		now.bits[i] &= q->owned.bits[i];
	if (parts_none(&now))
		return;
	log_info("node %s: %u partitions go to others", q->node, parts_count(&now));
	parts_cut(&q->owned, &now);
	parts_add(&q->nodes.leaving, &now);
	timer_set(q->nodes.leave, LEAVE_MS);
	q->owner->leave(q->owner_arg, &now);
}

void
queue_left(struct queue *q, const struct store_parts *parts)
{
	struct store_parts which;

	for (size_t i = 0; i < PARTS_WORDS; i++)
		which.bits[i] = parts->bits[i] & q->nodes.leaving.bits[i];
	if (!parts_none(&which))
		release(q, &which);
}

static void
leave_due(void *arg)
{
	struct queue *q = arg;
	struct store_parts all = q->nodes.leaving;

	if (parts_none(&all))
		return;
	log_warn("node %s: %u partitions go while some answers are still to come: those are evidence", q->node,
	    parts_count(&all));
	q->owner->lost(q->owner_arg, &all);
	release(q, &all);
}

static void
lose(struct queue *q, const struct store_parts *parts)
{
	struct op *op;

	if (parts_none(parts))
		return;
	log_error("node %s: %u partitions are lost: the lease was over", q->node, parts_count(parts));
	parts_cut(&q->owned, parts);
	parts_cut(&q->loading, parts);
	parts_cut(&q->nodes.leaving, parts);
	q->owner->lost(q->owner_arg, parts);
	while (parts_none(&q->loading) && (op = ops_take(&q->after_load)) != NULL)
		op_wait(q, op);
}

/* --- the keeper -------------------------------------------------------------------------- */

static void
keep_run(struct work *w)
{
	struct keep *k = (struct keep *)w;

	if (k->mode != NULL)
		k->rc = k->driver->keeper_mode(k->keeper, text_of(k->mode), &k->err);
	if (k->mode == NULL || k->rc == 0)
		k->rc = k->driver->keep(k->keeper, &k->self, &k->seen, &k->err);
}

/* The loop has a picture of its own: the next look is made while this one is read. */
static void
picture_take(struct keep *k)
{
	struct store_peer *peers;

	arena_reset(&k->texts);
	peers = arena_get(&k->texts, k->seen.peer_count * sizeof *peers);
	for (unsigned i = 0; i < k->seen.peer_count; i++) {
		peers[i] = k->seen.peers[i];
		peers[i].name = arena_text(&k->texts, peers[i].name);
		peers[i].status = arena_text(&k->texts, peers[i].status);
	}
	k->members = k->seen;
	k->members.peers = peers;
	k->members.mode = arena_text(&k->texts, k->seen.mode);
}

/* Ours by our own lights, and not by the store's. */
static void
compare(struct queue *q, const struct store_members *m)
{
	struct store_parts gone = { { 0 } };
	uint16_t me = (uint16_t)(q->writer.conf.again - 1);

	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		if ((parts_has(&q->owned, i) || parts_has(&q->loading, i) || parts_has(&q->nodes.leaving, i)) &&
		    (!m->alive || (m->owner[i] != me && !parts_has(&q->nodes.moved, i))))
			parts_set(&gone, i, true);
	lose(q, &gone);
}

/* Ours by the store's lights, and not by our own: a claim whose answer was lost, say. Nobody else takes them. */
static void
forgotten(struct queue *q, const struct store_members *m, struct store_parts *claim)
{
	uint16_t me = (uint16_t)(q->writer.conf.again - 1);

	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		if (m->owner[i] == me && !parts_has(&q->owned, i) && !parts_has(&q->loading, i) &&
		    !parts_has(&q->nodes.leaving, i) && !parts_has(&q->nodes.moved, i))
			parts_set(claim, i, true);
}

static void
balance(struct queue *q, const struct store_members *m)
{
	uint16_t nodes[STORE_PARTITIONS];
	unsigned count = 0;
	struct balance b;

	for (unsigned i = 0; i < m->peer_count && count < STORE_PARTITIONS; i++)
		if (m->peers[i].alive && !m->peers[i].leaving)
			nodes[count++] = m->peers[i].node;
	balance_moves((uint16_t)(q->writer.conf.again - 1), nodes, count, m->owner, &b);
	forgotten(q, m, &b.claim);
	parts_cut(&b.claim, &q->nodes.scanning);
	parts_cut(&b.claim, &q->nodes.releasing);
	parts_cut(&b.claim, &q->nodes.moved);
	if (!parts_none(&b.claim) && !q->nodes.claiming && !q->trouble)
		claim(q, &b.claim);
	if (!parts_none(&b.give) && parts_none(&q->nodes.leaving) && parts_none(&q->nodes.releasing))
		give(q, &b.give);
}

static void
keep_done(struct work *w)
{
	struct keep *k = (struct keep *)w;
	struct queue *q = k->queue;

	q->nodes.keeping = false;
	if (k->mode != NULL && k->mode_done != NULL)
		k->mode_done(k->mode_arg, k->rc == 0 ? NULL : &k->err);
	free(k->mode);
	k->mode = NULL;
	if (q->closing)
		return;
	timer_set(q->nodes.tick, KEEP_MS);
	if (k->rc == -1) {
		if (!q->nodes.silent)
			log_error("the lease cannot be renewed: %s", k->err.text);
		q->nodes.silent = true;
		return;
	}
	if (q->nodes.silent)
		log_warn("the lease is renewed again");
	q->nodes.silent = false;
	q->nodes.known = k->told = true;
	picture_take(k);
	if (k->members.alive)
		q->nodes.until = k->members.until;
	compare(q, &k->members);
	if (!q->nodes.leaves && k->members.alive)
		balance(q, &k->members);
	if (q->owner->members != NULL)
		q->owner->members(q->owner_arg, &k->members);
}

static void
keep_now(struct queue *q)
{
	struct keep *k = &q->nodes.keep;

	if (q->nodes.keeping || q->closing)
		return;
	q->nodes.keeping = true;
	q->nodes.moved = (struct store_parts){ { 0 } };
	err_clear(&k->err);
	if (q->nodes.status != NULL) {
		free(k->status);
		k->status = q->nodes.status;
		q->nodes.status = NULL;
		k->told = false;
	}
	k->self = (struct store_self){ .status = text_of(k->told ? NULL : k->status),
	    .leaving = q->nodes.leaves };
	k->mode = q->nodes.mode;
	q->nodes.mode = NULL;
	k->mode_done = q->nodes.mode_done;
	k->mode_arg = q->nodes.mode_arg;
	worker_submit(q->nodes.worker, &k->work);
}

static void
keep_due(void *arg)
{
	struct queue *q = arg;

	/* What this node says of itself is made when it is wanted. */
	if (q->owner->status != NULL && q->nodes.status == NULL)
		q->nodes.status = q->owner->status(q->owner_arg);
	keep_now(q);
}

/* Whoever is not the owner puts into the inbox; polling is the truth. Under load every batch brings the news. */
static void
poll_due(void *arg)
{
	struct queue *q = arg;

	timer_set(q->nodes.poll, POLL_MS);
	q->calls->polled(q);
	if (q->trouble || q->closing || q->nodes.polled != q->stats.batches) {
		q->nodes.polled = q->stats.batches;
		return;
	}
	op_wait(q, op_new(q, OP_NEWS));
}

static int
keeper_start(struct queue *q, struct err *err)
{
	struct nodes *n = &q->nodes;
	const struct store_driver *d = q->writer.driver;

	n->keeper = d->keeper_open(&q->writer.conf, (uint16_t)(q->writer.conf.again - 1), err);
	if (n->keeper == NULL)
		return -1;
	if ((n->worker = worker_new(q->loop, "keeper", err)) == NULL)
		return -1;
	n->tick = timer_new(q->loop, keep_due, q);
	n->leave = timer_new(q->loop, leave_due, q);
	n->poll = timer_new(q->loop, poll_due, q);
	if (n->tick == NULL || n->leave == NULL || n->poll == NULL)
		return err_set(err, ERR_SYSTEM, "queue: no memory");
	n->keep = (struct keep){ .work = { .run = keep_run, .done = keep_done }, .queue = q, .driver = d,
	    .keeper = n->keeper };
	return 0;
}

int
nodes_open(struct queue *q, struct err *err)
{
	q->nodes.until = INT64_MAX;
	if (q->writer.driver->keeper_open == NULL)
		return 0;
	q->nodes.until = 0;
	return keeper_start(q, err);
}

void
nodes_close(struct queue *q)
{
	struct nodes *n = &q->nodes;

	worker_free(&n->worker);	/* keep_done of the last look comes from here */
	timer_free(&n->tick);
	timer_free(&n->leave);
	timer_free(&n->poll);
	if (n->keeper != NULL)
		q->writer.driver->keeper_close(&n->keeper);
	arena_free(&n->keep.texts);
	free(n->keep.status);
	free(n->status);
	free(n->mode);
}

void
queue_start(struct queue *q)
{
	if (q->nodes.keeper == NULL) {
		claim(q, &all_parts);
		return;
	}
	timer_set(q->nodes.poll, POLL_MS);
	keep_due(q);
}

/* What comes to be sent by us while we stop goes back with word that nothing left. */
void
queue_stop(struct queue *q)
{
	struct store_parts all = q->owned;

	q->nodes.leaves = true;
	if (q->nodes.keeper == NULL)
		return;
	timer_set(q->nodes.tick, 0);
	give(q, &all);
}

bool
queue_may_send(const struct queue *q)
{
	return may_send(q);
}

const struct store_members *
queue_members(const struct queue *q)
{
	return q->nodes.known ? &q->nodes.keep.members : NULL;
}

void
queue_mode_all(struct queue *q, struct text mode, queue_done_fn *done, void *arg)
{
	static const struct err busy = { .code = ERR_BUSY, .text = "another change of mode is under way" };
	static const struct err single = { .code = ERR_CONFIG, .text = "this store has one node only" };

	if (q->nodes.keeper == NULL || q->nodes.mode != NULL) {
		done(arg, q->nodes.keeper == NULL ? &single : &busy);
		return;
	}
	q->nodes.mode = text_dup(mode);
	q->nodes.mode_done = done;
	q->nodes.mode_arg = arg;
	timer_set(q->nodes.tick, 0);
}

bool
nodes_are_loading(const struct queue *q, unsigned part)
{
	return parts_has(&q->loading, part) ||
	    (q->nodes.keeper == NULL && !parts_has(&q->owned, part));
}
