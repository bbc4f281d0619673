/*
 * queue_writer.c - the worker's side of the queue: one batch against the store
 *
 * One transaction a batch. An operation that cannot be done for a reason of its own (spoiled)
 * leaves the batch, and the rest runs again; trouble of the store fails the batch as a whole. A
 * commit of unknown outcome: the store is opened again and asked whether the batch is in.
 *
 * Knows:     the store contract.
 * Does not:  know the owner, or who asked.
 * Owns:      the store, and one buffer for packing bodies (done here: it is pure, and the
 *            loop is busier).
 * Threads:   the worker; before it starts and after it ended, the loop.
 */
#include "queue/queue_inner.h"

#include <stdlib.h>
#include <string.h>

enum { BODY_MOST = 1 << 26, TRIES_OF_DOUBT = 3 };

/* --- results outlive the store's next call --- */

static void
own_texts(struct arena *a, struct text *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*texts[i] = arena_text(a, *texts[i]);
}

static void
own_joined(struct arena *a, struct store_joined *j)
{
	if (!j->ripe && !j->first_pending)
		return;
	own_texts(a, (struct text *[]){ &j->foreign_id, &j->said, &j->body, &j->link }, 4);
}

static void
own_view(struct arena *a, struct store_view *v)
{
	own_texts(a, (struct text *[]){ &v->msisdn, &v->account, &v->push_id, &v->link }, 4);
}

static void
own_index(struct arena *a, struct store_index *x)
{
	own_texts(a, (struct text *[]){ &x->msisdn, &x->account, &x->smsc, &x->group, &x->link }, 5);
}

/* --- writes --- */

static uint64_t
epoch_of(const struct writer *w, uint64_t order_key)
{
	return w->leases[order_key >> 56].epoch;
}

static int
pack(struct writer *w, const struct message *m, struct text *body, struct err *err)
{
	w->body.len = 0;
	w->body.overflow = false;
	message_pack(m, &w->body);
	if (w->body.overflow)
		return err_set(err, ERR_LIMIT, "the message is too long for the store");
	*body = (struct text){ (const char *)w->body.data, w->body.len };
	return 0;
}

static enum store_result
put_one(struct writer *w, struct op *op, const struct put *p, uint64_t *existing)
{
	const struct message *m = p->message;
	struct store_row row = { .id = m->id, .order_key = p->order_key, .msisdn = m->msisdn,
	    .account = m->account, .push_id = m->push_id, .smsc = m->smsc, .group = m->group,
	    .klass = m->klass, .accepted = m->accepted, .due = m->not_before,
	    .expires = m->expires != 0 ? m->expires : m->accepted + (wall_t)3 * 24 * 3600 * 1000,
	    .mark = p->marked ? &p->mark : NULL };

	if (pack(w, m, &row.body, &op->err) == -1)
		return STORE_FAILED;
	return w->driver->put(w->store, epoch_of(w, p->order_key), &row, existing, &op->err);
}

/* Of several messages: is one of them there already? Then none is put. */
static enum store_result
look_for_repeats(struct writer *w, struct op *op)
{
	enum store_result all = STORE_OK;

	for (size_t i = 0; i < op->u.submit.n; i++) {
		const struct message *m = op->u.submit.puts[i].message;
		uint64_t known = 0;
		enum store_result found = STORE_ABSENT;

		if (m->push_id.at != NULL)
			found = w->driver->find_push_id(w->store, m->account, m->push_id, &known, &op->err);
		if (found == STORE_FAILED)
			return STORE_FAILED;
		if (found == STORE_OK)
			all = STORE_EXISTS;
		op->u.submit.ids[i] = found == STORE_OK ? known : 0;
	}
	return all;
}

static enum store_result
run_submit(struct writer *w, struct op *op)
{
	enum store_result r;
	uint64_t known;

	if (op->u.submit.n > 1 && (r = look_for_repeats(w, op)) != STORE_OK)
		return r;
	for (size_t i = 0; i < op->u.submit.n; i++) {
		if ((r = put_one(w, op, &op->u.submit.puts[i], &known)) != STORE_OK) {
			if (r == STORE_EXISTS && op->u.submit.n == 1)
				op->u.submit.ids[0] = known;
			else if (r == STORE_EXISTS) {
				err_set(&op->err, ERR_SYNTAX, "two messages of one submission have the "
				    "same push-id");
				r = STORE_FAILED;
			}
			op->spoiled = i > 0;	/* the former ones must not stay */
			return r;
		}
		op->u.submit.ids[i] = op->u.submit.puts[i].message->id;
	}
	return STORE_OK;
}

static enum store_result
run_mark(struct writer *w, struct op *op)
{
	return w->driver->mark(w->store, epoch_of(w, op->order_key), op->id, op->order_key, &op->u.mark,
	    &op->err);
}

static enum store_result
run_settle(struct writer *w, struct op *op)
{
	enum store_result r = w->driver->settle(w->store, epoch_of(w, op->order_key), &op->u.settle.in,
	    &op->u.settle.joined, &op->err);

	own_joined(&op->out, &op->u.settle.joined);
	return r;
}

static enum store_result
run_receipt(struct writer *w, struct op *op)
{
	enum store_result r = w->driver->receipt(w->store, &op->u.receipt.in, &op->u.receipt.joined,
	    &op->err);

	own_joined(&op->out, &op->u.receipt.joined);
	return r;
}

static enum store_result
run_cancel(struct writer *w, struct op *op)
{
	return w->driver->cancel(w->store, epoch_of(w, op->order_key), op->id, op->order_key,
	    clock_wall(), &op->err);
}

static enum store_result
run_replace(struct writer *w, struct op *op)
{
	const struct message *m = op->u.change.message;
	struct text body;

	if (pack(w, m, &body, &op->err) == -1)
		return STORE_FAILED;
	return w->driver->replace(w->store, epoch_of(w, op->order_key), op->id, op->order_key, body,
	    m->expires != 0 ? m->expires : op->u.change.view.expires, &op->err);
}

static enum store_result
run_notice_done(struct writer *w, struct op *op)
{
	return w->driver->notice_done(w->store, op->id, op->order_key, &op->err);
}

static enum store_result
run_notice_later(struct writer *w, struct op *op)
{
	return w->driver->notice_later(w->store, op->id, op->order_key, op->u.notice.tries,
	    op->u.notice.due, &op->err);
}

static enum store_result
run_purge(struct writer *w, struct op *op)
{
	wall_t before = clock_wall() - (wall_t)w->conf.retention_s * 1000;

	if (w->driver->purge(w->store, before, PURGE_SLICE, &op->u.purged, &op->err) == -1)
		return STORE_FAILED;
	return op->u.purged > 0 ? STORE_OK : STORE_ABSENT;
}

/* --- reads --- */

/* Our own push-id carries the id; it counts only for who was given it, and for operators
 * (account absent), who know every message by it. */
static enum store_result
locate(struct writer *w, struct op *op, struct text account, struct text push_id,
    struct store_view *v)
{
	enum store_result r;
	uint64_t id;

	if (push_id_read(push_id, w->tag, &id)) {
		r = w->driver->find(w->store, id, v, &op->err);
		if (r == STORE_FAILED || (r == STORE_OK && (account.at == NULL ||
		    (v->push_id.at == NULL && text_eq(v->account, account)))))
			goto out;
	}
	if ((r = w->driver->find_push_id(w->store, account, push_id, &id, &op->err)) == STORE_OK)
		r = w->driver->find(w->store, id, v, &op->err);
out:
	if (r == STORE_OK)
		own_view(&op->out, v);
	return r;
}

static enum store_result
run_locate(struct writer *w, struct op *op)
{
	return locate(w, op, op->u.change.account, op->u.change.push_id, &op->u.change.view);
}

static enum store_result
run_find(struct writer *w, struct op *op)
{
	enum store_result r;

	op->u.find.views = arena_get(&op->out, sizeof *op->u.find.views);
	r = locate(w, op, op->u.find.account, op->u.find.push_id, op->u.find.views);
	op->u.find.n = r == STORE_OK;
	return r == STORE_FAILED ? r : STORE_OK;
}

static void
found_one(void *arg, const struct store_view *v)
{
	struct op *op = arg;
	struct store_view *mine = &op->u.find.views[op->u.find.n++];

	*mine = *v;
	own_view(&op->out, mine);
}

static enum store_result
run_find_msisdn(struct writer *w, struct op *op)
{
	op->u.find.n = 0;
	op->u.find.views = arena_get(&op->out, op->u.find.most * sizeof *op->u.find.views);
	return w->driver->find_msisdn(w->store, op->order_key, op->u.find.msisdn, op->u.find.most,
	    found_one, op, &op->err) == -1 ? STORE_FAILED : STORE_OK;
}

static enum store_result
run_flight(struct writer *w, struct op *op)
{
	struct store_flight *f = arena_get(&op->out, sizeof *f);
	enum store_result r = w->driver->flight(w->store, op->id, op->order_key, f, &op->err);

	own_texts(&op->out, (struct text *[]){ &f->body, &f->link, &f->receipt_id, &f->receipt_said },
	    r == STORE_OK ? 4 : 0);
	for (unsigned i = 0; r == STORE_OK && i < f->answer_count; i++)
		f->answers[i].foreign_id = arena_text(&op->out, f->answers[i].foreign_id);
	op->u.flight = f;
	return r;
}

static void
notice_one(void *arg, const struct store_notice *n)
{
	struct op *op = arg;

	op->u.notice.found = arena_get(&op->out, sizeof *n);
	*op->u.notice.found = *n;
	op->u.notice.found->url = arena_text(&op->out, n->url);
}

static enum store_result
run_notice(struct writer *w, struct op *op)
{
	op->u.notice.found = NULL;
	return w->driver->notice(w->store, op->id, notice_one, op, &op->err);
}

/* Rows of this process are known to the owner already. */
static void
index_one(void *arg, const struct store_index *x)
{
	struct op *op = arg;
	struct store_index *mine = &op->u.scan.rows[op->u.scan.n];

	if (op->kind == OP_LOAD && x->id >= op->u.scan.below)
		return;
	op->u.scan.n++;
	*mine = *x;
	own_index(&op->out, mine);
}

typedef int scan_fn(struct store *, uint64_t *after, unsigned most, store_index_fn *, void *arg,
		    unsigned *seen, struct err *);

static enum store_result
scan_index(struct writer *w, struct op *op, scan_fn *scan)
{
	op->u.scan.n = 0;
	op->u.scan.rows = arena_get(&op->out, LOAD_SLICE * sizeof *op->u.scan.rows);
	return scan(w->store, &op->u.scan.after, LOAD_SLICE, index_one, op, &op->u.scan.seen,
	    &op->err) == -1 ? STORE_FAILED : STORE_OK;
}

static enum store_result
run_load(struct writer *w, struct op *op)
{
	return scan_index(w, op, w->driver->load);
}

/* Slice after slice, until one has some. */
static enum store_result
run_held(struct writer *w, struct op *op)
{
	enum store_result r;

	do
		r = scan_index(w, op, w->driver->held);
	while (r == STORE_OK && op->u.scan.n == 0 && op->u.scan.seen == LOAD_SLICE);
	return r;
}

static enum store_result
run_overdue(struct writer *w, struct op *op)
{
	op->u.scan.n = 0;
	op->u.scan.rows = arena_get(&op->out, LOAD_SLICE * sizeof *op->u.scan.rows);
	return w->driver->overdue(w->store, &op->u.scan.after, LOAD_SLICE, clock_wall(), index_one, op,
	    &op->u.scan.seen, &op->err) == -1 ? STORE_FAILED : STORE_OK;
}

static void
load_notice_one(void *arg, const struct store_notice *n)
{
	struct op *op = arg;
	struct store_notice *mine = &op->u.scan.notices[op->u.scan.n];

	if (n->id >= op->u.scan.below)
		return;
	op->u.scan.n++;
	*mine = *n;
	mine->url = arena_text(&op->out, n->url);
}

static enum store_result
run_load_notices(struct writer *w, struct op *op)
{
	op->u.scan.n = 0;
	op->u.scan.notices = arena_get(&op->out, LOAD_SLICE * sizeof *op->u.scan.notices);
	return w->driver->notices(w->store, &op->u.scan.after, LOAD_SLICE, load_notice_one, op,
	    &op->u.scan.seen, &op->err) == -1 ? STORE_FAILED : STORE_OK;
}

static enum store_result (*const runs[OP_COUNT])(struct writer *, struct op *) = {
	[OP_SUBMIT] = run_submit,
	[OP_MARK] = run_mark,
	[OP_SETTLE] = run_settle,
	[OP_RECEIPT] = run_receipt,
	[OP_CANCEL] = run_cancel,
	[OP_REPLACE] = run_replace,
	[OP_NOTICE_DONE] = run_notice_done,
	[OP_NOTICE_LATER] = run_notice_later,
	[OP_PURGE] = run_purge,
	[OP_LOCATE] = run_locate,
	[OP_FIND] = run_find,
	[OP_FIND_MSISDN] = run_find_msisdn,
	[OP_FLIGHT] = run_flight,
	[OP_NOTICE] = run_notice,
	[OP_OVERDUE] = run_overdue,
	[OP_HELD] = run_held,
	[OP_LOAD] = run_load,
	[OP_LOAD_NOTICES] = run_load_notices,
};

/* --- a batch --- */

static enum store_result
run_op(struct writer *w, struct op *op)
{
	arena_reset(&op->out);
	err_clear(&op->err);
	return op->result = runs[op->kind](w, op);
}

enum attempt { ATTEMPT_OK, ATTEMPT_AGAIN, ATTEMPT_FAILED };

static enum attempt
run_writes(struct writer *w, struct batch *b)
{
	for (struct op *op = b->ops.head; op != NULL; op = op->next) {
		if (op->spoiled)
			continue;
		switch (run_op(w, op)) {
		case STORE_FAILED:
			if (op->err.code == ERR_STORE) {
				b->err = op->err;
				return ATTEMPT_FAILED;
			}
			op->spoiled = true;
			return ATTEMPT_AGAIN;
		case STORE_OK:
			w->wrote |= op_fates[op->kind] != FATE_READS;
			break;
		default:
			if (op->spoiled)
				return ATTEMPT_AGAIN;
		}
	}
	return ATTEMPT_OK;
}

/* Runs what is not spoiled. The transaction stays open when all is well. */
static int
run_transaction(struct writer *w, struct batch *b)
{
	enum attempt a;

	w->number++;
	do {
		w->wrote = false;
		if (w->driver->begin(w->store, w->number, &b->err) == -1)
			return -1;
		if ((a = run_writes(w, b)) != ATTEMPT_OK)
			w->driver->rollback(w->store);
	} while (a == ATTEMPT_AGAIN);
	return a == ATTEMPT_OK ? 0 : -1;
}

static int
reopen(struct writer *w, struct err *err)
{
	if (w->store != NULL)
		w->driver->close(&w->store);
	return (w->store = w->driver->open(&w->conf, err)) != NULL ? 0 : -1;
}

/* 1: the newest transaction is in, 0: it is not, -1: nobody can say now. */
static int
is_in(struct writer *w, struct err *err)
{
	uint64_t last;

	if (reopen(w, err) == -1)
		return -1;
	if (w->driver->last_batch(w->store, &last, err) == -1) {
		w->driver->close(&w->store);
		return -1;
	}
	return last >= w->number;
}

static enum batch_outcome
write_batch(struct writer *w, struct batch *b)
{
	for (unsigned tries = 0; tries < TRIES_OF_DOUBT; tries++) {
		if (!b->doubtful) {
			if (run_transaction(w, b) == -1)
				return BATCH_FAILED;
			if (!w->wrote && !b->probe) {
				w->driver->rollback(w->store);	/* nothing to sync the disk for */
				return BATCH_DONE;
			}
			switch (w->driver->commit(w->store, &b->err)) {
			case COMMIT_DONE:
				return BATCH_DONE;
			case COMMIT_NOT_DONE:
				return BATCH_FAILED;
			case COMMIT_UNKNOWN:
				b->doubtful = true;
			}
		}
		switch (is_in(w, &b->err)) {
		case 1:
			return BATCH_DONE;
		case -1:
			return BATCH_IN_DOUBT;
		}
		b->doubtful = false;	/* it is not in: once more */
	}
	return BATCH_FAILED;
}

static void
read_batch(struct writer *w, struct batch *b)
{
	for (struct op *op = b->ops.head; op != NULL; op = op->next)
		run_op(w, op);
}

void
writer_run(struct writer *w, struct batch *b)
{
	b->ids_first = 0;
	err_clear(&b->err);
	if (w->store == NULL && !b->doubtful && reopen(w, &b->err) == -1) {
		b->outcome = BATCH_FAILED;
		return;
	}
	b->outcome = BATCH_DONE;
	if (b->want_ids > 0 && !b->doubtful &&
	    w->driver->reserve(w->store, b->want_ids, &b->ids_first, &b->err) == -1)
		b->outcome = BATCH_FAILED;
	else if (b->transaction)
		b->outcome = write_batch(w, b);
	else
		read_batch(w, b);
	if (b->outcome == BATCH_DONE)
		w->driver->counts(w->store, &b->counts, NULL);
}

/* --- open and close --- */

int
writer_open(struct writer *w, const struct store_driver *driver, const struct store_conf *conf,
    struct err *err)
{
	w->driver = driver;
	w->conf = *conf;
	w->body = buf_heap(BODY_MOST);
	if ((w->store = driver->open(&w->conf, err)) == NULL)
		return -1;
	w->tag = driver->tag(w->store);
	if (driver->last_batch(w->store, &w->number, err) == -1 ||
	    driver->leases(w->store, w->leases, err) == -1)
		return -1;
	return 0;
}

void
writer_close(struct writer *w)
{
	if (w->store != NULL) {
		w->driver->release(w->store);
		w->driver->close(&w->store);
	}
	buf_free(&w->body);
}
