/*
 * queue_writer.c - the worker's side of the queue: one batch against the store
 *
 * One transaction a batch, which is a round of the store: news of others first, then everything is
 * asked for, then flushed, then what was answered is copied. An operation that cannot be done for a
 * reason of its own (spoiled) leaves the batch, and the rest runs again; trouble of the store fails the
 * batch as a whole. A commit of unknown outcome: the store is opened again and asked whether the batch
 * is in.
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

/* --- results outlive the store's round --- */

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

static const struct store_answer *
own_answers(struct arena *a, const struct store_answer *from, unsigned n)
{
	struct store_answer *to = arena_get(a, n * sizeof *to);

	for (unsigned i = 0; i < n; i++) {
		to[i] = from[i];
		to[i].foreign_id = arena_text(a, from[i].foreign_id);
	}
	return to;
}

/* --- operations: asked of the store, answered at its flush --- */

static uint64_t
epoch_of(const struct writer *w, uint64_t order_key)
{
	return w->driver->epoch(w->store, store_part(order_key));
}

static int
pack(struct writer *w, struct batch *b, const struct message *m, struct text *body, struct err *err)
{
	w->body.len = 0;
	w->body.overflow = false;
	message_pack(m, &w->body);
	if (w->body.overflow)
		return err_set(err, ERR_LIMIT, "the message is too long for the store");
	*body = arena_text(&b->arena, (struct text){ (const char *)w->body.data, w->body.len });
	return 0;
}

static int
row_of(struct writer *w, struct batch *b, const struct put *p, struct store_row *row, struct err *err)
{
	const struct message *m = p->message;

	*row = (struct store_row){ .id = m->id, .order_key = p->order_key,
	    .epoch = parts_has(&b->owned, store_part(p->order_key)) ? epoch_of(w, p->order_key) : 0,
	    .msisdn = m->msisdn, .account = m->account,
	    .push_id = m->push_id, .smsc = m->smsc, .group = m->group, .klass = m->klass,
	    .accepted = m->accepted, .due = m->not_before,
	    .expires = m->expires != 0 ? m->expires : m->accepted + (wall_t)3 * 24 * 3600 * 1000,
	    .mark = p->offer == OFFER_TAKEN ? &p->mark : NULL };
	return pack(w, b, m, &row->body, err);
}

static void
run_submit(struct writer *w, struct batch *b, struct op *op)
{
	size_t n = op->u.submit.n;
	struct store_row *rows = arena_get(&op->out, n * sizeof *rows);

	op->u.submit.asked = (struct store_submit){ .rows = rows, .n = n,
	    .existing = op->u.submit.ids, .how = arena_zero(&op->out, n * sizeof(enum store_put)) };
	for (size_t i = 0; i < n; i++)
		if (row_of(w, b, &op->u.submit.puts[i], &rows[i], &op->done.err) == -1) {
			op->done.result = STORE_FAILED;
			return;
		}
	w->driver->submit(w->store, &op->u.submit.asked, &op->done);
}

static void
end_submit(struct op *op)
{
	if (op->done.result == STORE_OK)
		for (size_t i = 0; i < op->u.submit.n; i++)
			op->u.submit.ids[i] = op->u.submit.puts[i].message->id;
}

static void
run_mark(struct writer *w, struct batch *b, struct op *op)
{
	(void)b;
	w->driver->mark(w->store, epoch_of(w, op->order_key), op->id, op->order_key, &op->u.mark,
	    &op->done);
}

static void
run_settle(struct writer *w, struct batch *b, struct op *op)
{
	(void)b;
	w->driver->settle(w->store, epoch_of(w, op->order_key), &op->u.settle.in,
	    &op->u.settle.joined, &op->done);
}

static void
end_settle(struct op *op)
{
	own_joined(&op->out, &op->u.settle.joined);
}

static void
run_receipt(struct writer *w, struct batch *b, struct op *op)
{
	(void)b;
	w->driver->receipt(w->store, &op->u.receipt.in, &op->u.receipt.joined, &op->done);
}

static void
end_receipt(struct op *op)
{
	own_joined(&op->out, &op->u.receipt.joined);
}

static void
run_cancel(struct writer *w, struct batch *b, struct op *op)
{
	(void)b;
	w->driver->cancel(w->store, epoch_of(w, op->order_key), op->id, op->order_key,
	    clock_wall(), &op->done);
}

static void
run_replace(struct writer *w, struct batch *b, struct op *op)
{
	const struct message *m = op->u.change.message;
	struct text body = op->u.change.request.body;
	wall_t expires = op->u.change.request.expires;

	if (!op->u.change.served && pack(w, b, m, &body, &op->done.err) == -1) {
		op->done.result = STORE_FAILED;
		return;
	}
	if (!op->u.change.served)
		expires = m->expires != 0 ? m->expires : op->u.change.view.expires;
	w->driver->replace(w->store, epoch_of(w, op->order_key), op->id, op->order_key, body, expires,
	    &op->done);
}

static void
run_notice_done(struct writer *w, struct batch *b, struct op *op)
{
	(void)b;
	w->driver->notice_done(w->store, op->id, op->order_key, &op->done);
}

static void
run_notice_later(struct writer *w, struct batch *b, struct op *op)
{
	(void)b;
	w->driver->notice_later(w->store, op->id, op->order_key, op->u.notice.tries,
	    op->u.notice.due, &op->done);
}

static void
run_flight(struct writer *w, struct batch *b, struct op *op)
{
	(void)b;
	w->driver->flight(w->store, op->id, op->order_key, &op->u.flight, &op->done);
}

static void
end_flight(struct op *op)
{
	struct store_flight *f = &op->u.flight;

	own_texts(&op->out, (struct text *[]){ &f->body, &f->link, &f->receipt_id, &f->receipt_said }, 4);
	f->answers = own_answers(&op->out, f->answers, f->answer_count);
}

static void
run_notice(struct writer *w, struct batch *b, struct op *op)
{
	(void)b;
	w->driver->notice(w->store, op->id, op->order_key, &op->u.notice.found, &op->done);
}

static void
end_notice(struct op *op)
{
	if (op->done.result == STORE_OK)
		op->u.notice.found.url = arena_text(&op->out, op->u.notice.found.url);
}

/* --- what is answered at once --- */

/* 1, 0, -1 of a look-up. */
static enum store_result
found_as(int found)
{
	return found == 1 ? STORE_OK : found == 0 ? STORE_ABSENT : STORE_FAILED;
}

static void
run_purge(struct writer *w, struct batch *b, struct op *op)
{
	wall_t before = clock_wall() - (wall_t)w->conf.retention_s * 1000;
	int rc = w->driver->purge(w->store, before, PURGE_SLICE, &op->u.purged, &op->done.err);

	(void)b;
	op->done.result = rc == -1 ? STORE_FAILED : op->u.purged > 0 ? STORE_OK : STORE_ABSENT;
}

/* Our own push-id carries the id; it counts only for who was given it, and for operators
 * (account absent), who know every message by it. */
static int
locate(struct writer *w, struct text account, struct text push_id, struct store_view *v, struct err *err)
{
	struct store_place place = { .part = -1 };
	int found;

	if (push_id_read(push_id, w->tag, &place.id)) {
		found = w->driver->find(w->store, &place, v, err);
		if (found == -1 || (found == 1 && (account.at == NULL ||
		    (v->push_id.at == NULL && text_eq(v->account, account)))))
			return found;
	}
	if ((found = w->driver->find_push_id(w->store, account, push_id, &place, err)) == 1)
		found = w->driver->find(w->store, &place, v, err);
	return found;
}

static void
run_locate(struct writer *w, struct batch *b, struct op *op)
{
	struct store_view *v = &op->u.change.view;

	(void)b;
	op->done.result = found_as(locate(w, op->u.change.account, op->u.change.push_id, v, &op->done.err));
	if (op->done.result == STORE_OK)
		own_view(&op->out, v);
}

static void
run_find(struct writer *w, struct batch *b, struct op *op)
{
	int found;

	(void)b;
	op->u.find.views = arena_get(&op->out, sizeof *op->u.find.views);
	found = locate(w, op->u.find.account, op->u.find.push_id, op->u.find.views, &op->done.err);
	if (found == 1)
		own_view(&op->out, op->u.find.views);
	op->u.find.n = found == 1;
	op->done.result = found == -1 ? STORE_FAILED : STORE_OK;
}

static void
found_one(void *arg, const struct store_view *v)
{
	struct op *op = arg;
	struct store_view *mine = &op->u.find.views[op->u.find.n++];

	*mine = *v;
	own_view(&op->out, mine);
}

static void
run_find_msisdn(struct writer *w, struct batch *b, struct op *op)
{
	int rc;

	(void)b;
	op->u.find.n = 0;
	op->u.find.views = arena_get(&op->out, op->u.find.most * sizeof *op->u.find.views);
	rc = w->driver->find_msisdn(w->store, op->order_key, op->u.find.msisdn, op->u.find.most,
	    found_one, op, &op->done.err);
	op->done.result = rc == -1 ? STORE_FAILED : STORE_OK;
}

static void
index_one(void *arg, const struct store_index *x)
{
	struct op *op = arg;
	struct store_index *mine = &op->u.scan.rows[op->u.scan.n++];

	*mine = *x;
	own_index(&op->out, mine);
}

static void
scan_begin(struct op *op)
{
	op->u.scan.at = op->u.scan.from;	/* it may run again, for what shares its batch */
	op->u.scan.n = 0;
	op->u.scan.rows = arena_get(&op->out, LOAD_SLICE * sizeof *op->u.scan.rows);
}

static void
run_load(struct writer *w, struct batch *b, struct op *op)
{
	int rc;

	(void)b;
	scan_begin(op);
	rc = w->driver->load(w->store, &op->u.scan.parts, &op->u.scan.at, LOAD_SLICE, index_one, op,
	    &op->done.err);
	op->done.result = rc == -1 ? STORE_FAILED : STORE_OK;
}

/* Slice after slice, until one has some. */
static void
run_held(struct writer *w, struct batch *b, struct op *op)
{
	int rc;

	(void)b;
	scan_begin(op);
	do
		rc = w->driver->held(w->store, &op->u.scan.parts, &op->u.scan.at, LOAD_SLICE, index_one,
		    op, &op->done.err);
	while (rc == 0 && op->u.scan.n == 0 && !op->u.scan.at.end);
	op->done.result = rc == -1 ? STORE_FAILED : STORE_OK;
}

static void
run_overdue(struct writer *w, struct batch *b, struct op *op)
{
	int rc;

	(void)b;
	scan_begin(op);
	rc = w->driver->overdue(w->store, &op->u.scan.parts, &op->u.scan.at, LOAD_SLICE, clock_wall(),
	    index_one, op, &op->done.err);
	op->done.result = rc == -1 ? STORE_FAILED : STORE_OK;
}

static void
load_notice_one(void *arg, const struct store_notice *n)
{
	struct op *op = arg;
	struct store_notice *mine = &op->u.scan.notices[op->u.scan.n++];

	*mine = *n;
	mine->url = arena_text(&op->out, n->url);
}

static void
run_load_notices(struct writer *w, struct batch *b, struct op *op)
{
	int rc;

	(void)b;
	op->u.scan.at = op->u.scan.from;
	op->u.scan.n = 0;
	op->u.scan.notices = arena_get(&op->out, LOAD_SLICE * sizeof *op->u.scan.notices);
	rc = w->driver->notices(w->store, &op->u.scan.parts, &op->u.scan.at, LOAD_SLICE,
	    load_notice_one, op, &op->done.err);
	op->done.result = rc == -1 ? STORE_FAILED : STORE_OK;
}

static void
run_claim(struct writer *w, struct batch *b, struct op *op)
{
	struct store_parts wanted = op->u.parts;
	int rc = w->driver->claim(w->store, &wanted, &op->u.parts, &op->done.err);

	(void)b;
	for (unsigned i = 0; rc == 0 && i < STORE_PARTITIONS; i++)
		if (parts_has(&op->u.parts, i))
			parts_set(&w->claimed, i, true);
	op->done.result = rc == -1 ? STORE_FAILED : STORE_OK;
}

static void
run_release(struct writer *w, struct batch *b, struct op *op)
{
	int rc = w->driver->release(w->store, &op->u.parts, &op->done.err);

	(void)b;
	for (unsigned i = 0; rc == 0 && i < STORE_PARTITIONS; i++)
		if (parts_has(&op->u.parts, i))
			parts_set(&w->claimed, i, false);
	op->done.result = rc == -1 ? STORE_FAILED : STORE_OK;
}

/* A round is all it wants: every one begins with the news. */
static void
run_news(struct writer *w, struct batch *b, struct op *op)
{
	(void)w;
	(void)b;
	op->done.result = STORE_ABSENT;
}

static void
run_evidence(struct writer *w, struct batch *b, struct op *op)
{
	(void)b;
	w->driver->evidence(w->store, &op->u.evidence, &op->done);
}

static void
run_request(struct writer *w, struct batch *b, struct op *op)
{
	(void)b;
	w->driver->request(w->store, &op->u.change.request, &op->done);
}

static void
run_answered(struct writer *w, struct batch *b, struct op *op)
{
	(void)b;
	w->driver->answered(w->store, op->u.change.request.number, op->order_key, &op->u.change.answer,
	    &op->done);
}

static void
run_answer(struct writer *w, struct batch *b, struct op *op)
{
	(void)b;
	w->driver->answer(w->store, op->u.change.request.number, op->order_key, op->u.change.answer,
	    &op->done);
}

static const struct {
	void	(*run)(struct writer *, struct batch *, struct op *);
	void	(*end)(struct op *);		/* after the flush: what was handed out is copied */
} runs[OP_COUNT] = {
	[OP_SUBMIT] = { run_submit, end_submit },
	[OP_MARK] = { run_mark, NULL },
	[OP_SETTLE] = { run_settle, end_settle },
	[OP_RECEIPT] = { run_receipt, end_receipt },
	[OP_CANCEL] = { run_cancel, NULL },
	[OP_REPLACE] = { run_replace, NULL },
	[OP_NOTICE_DONE] = { run_notice_done, NULL },
	[OP_NOTICE_LATER] = { run_notice_later, NULL },
	[OP_PURGE] = { run_purge, NULL },
	[OP_LOCATE] = { run_locate, NULL },
	[OP_FIND] = { run_find, NULL },
	[OP_FIND_MSISDN] = { run_find_msisdn, NULL },
	[OP_FLIGHT] = { run_flight, end_flight },
	[OP_NOTICE] = { run_notice, end_notice },
	[OP_OVERDUE] = { run_overdue, NULL },
	[OP_HELD] = { run_held, NULL },
	[OP_LOAD] = { run_load, NULL },
	[OP_LOAD_NOTICES] = { run_load_notices, NULL },
	[OP_CLAIM] = { run_claim, NULL },
	[OP_RELEASE] = { run_release, NULL },
	[OP_NEWS] = { run_news, NULL },
	[OP_EVIDENCE] = { run_evidence, NULL },
	[OP_REQUEST] = { run_request, NULL },
	[OP_ANSWERED] = { run_answered, NULL },
	[OP_ANSWER] = { run_answer, NULL },
};

/* --- a batch --- */

/* Asks for everything that is not spoiled, and copies what the store answers. -1: the store's
 * trouble at the flush. */
static int
run_ops(struct writer *w, struct batch *b)
{
	for (struct op *op = b->ops.head; op != NULL; op = op->next) {
		if (op->spoiled)
			continue;
		arena_reset(&op->out);
		op->done.result = STORE_OK;
		err_clear(&op->done.err);
		runs[op->kind].run(w, b, op);
	}
	if (w->driver->flush(w->store, &b->err) == -1)
		return -1;
	for (struct op *op = b->ops.head; op != NULL; op = op->next)
		if (!op->spoiled && runs[op->kind].end != NULL)
			runs[op->kind].end(op);
	return 0;
}

static void
news_one(void *arg, const struct store_news *news)
{
	struct batch *b = arg;
	struct news *n = arena_get(&b->arena, sizeof *n);

	n->is = *news;
	n->next = NULL;
	own_index(&b->arena, &n->is.message);
	own_joined(&b->arena, &n->is.joined);
	own_texts(&b->arena, (struct text *[]){ &n->is.evidence.domain, &n->is.evidence.said,
	    &n->is.request.body }, 3);
	n->is.evidence.answers = own_answers(&b->arena, news->evidence.answers, news->evidence.answer_count);
	*b->news_tail = n;
	b->news_tail = &n->next;
}

static void
send_one(void *arg, const struct store_send *send)
{
	struct batch *b = arg;
	struct handed *h = arena_get(&b->arena, sizeof *h);

	h->is = *send;
	h->next = NULL;
	own_texts(&b->arena, (struct text *[]){ &h->is.mark.link, &h->is.body }, 2);
	h->is.answers = own_answers(&b->arena, send->answers, send->answer_count);
	*b->handed_tail = h;
	b->handed_tail = &h->next;
}

/* First of all: what came before goes before. */
static int
take_news(struct writer *w, struct batch *b)
{
	const struct store_driver *d = w->driver;
	unsigned seen = 0, handed = 0;

	b->news = NULL;
	b->news_tail = &b->news;
	b->handed = NULL;
	b->handed_tail = &b->handed;
	if (!parts_none(&b->owned) &&
	    d->news(w->store, &b->owned, NEWS_SLICE, news_one, b, &seen, &b->err) == -1)
		return -1;
	if (b->takes_sends &&
	    d->sends(w->store, NEWS_SLICE, send_one, b, &handed, &b->err) == -1)
		return -1;
	w->wrote |= seen > 0 || handed > 0;
	b->more_news = seen == NEWS_SLICE || handed == NEWS_SLICE;
	return 0;
}

enum attempt { ATTEMPT_OK, ATTEMPT_AGAIN, ATTEMPT_FAILED };

static enum attempt
run_writes(struct writer *w, struct batch *b)
{
	enum attempt a = ATTEMPT_OK;

	if (take_news(w, b) == -1 || run_ops(w, b) == -1)
		return ATTEMPT_FAILED;
	for (struct op *op = b->ops.head; op != NULL; op = op->next) {
		if (op->spoiled)
			continue;
		if (op->done.result == STORE_FAILED && op->done.err.code == ERR_STORE) {
			b->err = op->done.err;
			return ATTEMPT_FAILED;
		}
		if (op->done.result == STORE_FAILED) {
			op->spoiled = true;
			a = ATTEMPT_AGAIN;
		}
		w->wrote |= op->done.result == STORE_OK && op_fates[op->kind] != FATE_READS;
	}
	return a;
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

/* As the same node, with what it had. */
static int
reopen(struct writer *w, struct err *err)
{
	struct store_parts wanted = w->claimed;

	if (w->store != NULL)
		w->driver->close(&w->store, false);
	if ((w->store = w->driver->open(&w->conf, err)) == NULL)
		return -1;
	if (w->driver->claim(w->store, &wanted, &w->claimed, err) == 0)
		return 0;
	w->driver->close(&w->store, false);
	w->claimed = wanted;
	return -1;
}

/* 1: the newest transaction is in, 0: it is not, -1: nobody can say now. */
static int
is_in(struct writer *w, struct err *err)
{
	uint64_t last;

	if (reopen(w, err) == -1)
		return -1;
	if (w->driver->last_batch(w->store, &last, err) == -1) {
		w->driver->close(&w->store, false);
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
	else if (run_ops(w, b) == -1)
		b->outcome = BATCH_FAILED;
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
	w->conf.again = driver->node(w->store) + 1u;
	return driver->last_batch(w->store, &w->number, err);
}

void
writer_close(struct writer *w)
{
	if (w->store != NULL)
		w->driver->close(&w->store, true);
	buf_free(&w->body);
}
