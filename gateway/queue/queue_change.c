/*
 * queue_change.c - cancel, replace and decide, here and by other owners
 *
 * A change is located first. If its partition is ours, the owner withholds the message from its
 * schedule, then it is written. If it is another node's, the change is a request in that node's inbox, and we look
 * for the answer until there is one or ANSWER_MS are over. Requests of other nodes are served in the same
 * way; an answer is durable, so that an owner that dies leaves the request to the next one.
 *
 * Knows:     the stations of a change.
 * Does not:  know batches, or who owns what (queue_nodes.c).
 * Owns:      messages that are to take another's place, until they are written.
 * Threads:   the loop.
 */
#include "queue/queue_inner.h"

#include <string.h>

#include "base/buf.h"

enum { ANSWER_MS = 15000, BODY_MOST = 1 << 20 };

/* What is written here; a decision is the owner's, only its answer is. */
static const enum op_kind change_kinds[] = {
	[WISH_CANCEL] = OP_CANCEL, [WISH_REPLACE] = OP_REPLACE,
	[WISH_RESEND] = OP_ANSWER, [WISH_GIVE_UP] = OP_ANSWER
};

static void
change_begin(struct queue *q, enum store_wish wish, struct text account, struct text push_id,
    struct message *m, queue_changed_fn *changed, void *arg)
{
	struct op *op = op_new(q, OP_LOCATE);

	op->call.changed = changed;
	op->arg = arg;
	op->u.change.wish = wish;
	op->u.change.account = arena_text(&op->in, account);
	op->u.change.push_id = arena_text(&op->in, push_id);
	op->u.change.message = m;
	op_wait(q, op);
}

void
queue_cancel(struct queue *q, struct text account, struct text push_id, queue_changed_fn *changed,
    void *arg)
{
	change_begin(q, WISH_CANCEL, account, push_id, NULL, changed, arg);
}

void
queue_replace(struct queue *q, struct text account, struct text push_id, struct message **taken,
    queue_changed_fn *changed, void *arg)
{
	struct message *m = *taken;

	*taken = NULL;
	change_begin(q, WISH_REPLACE, account, push_id, m, changed, arg);
}

static void
change_end(struct queue *q, struct op *op)
{
	op->call.changed(op->arg, op_failure(op), op->done.result);
	message_free(&op->u.change.message);
	op_free(q, op);
}

static void
change_fails(struct queue *q, struct op *op, enum err_code code, const char *why)
{
	op->done.result = STORE_FAILED;
	err_set(&op->done.err, code, "%s", why);
	change_end(q, op);
}

/* The new message as the row has it: what identifies it stays that of the first one. */
static int
change_dress(struct op *op)
{
	const struct store_view *v = &op->u.change.view;
	struct message new = *op->u.change.message;
	struct message *dressed;

	if (!text_eq(new.msisdn, v->msisdn))
		return err_set(&op->done.err, ERR_SYNTAX, "a replacement goes to the same receiver");
	new.id = v->id;
	new.account = v->account;
	new.push_id = v->push_id;
	new.accepted = v->accepted;
	if ((dressed = message_new(&new)) == NULL)
		return err_set(&op->done.err, ERR_SYSTEM, "no memory");
	message_free(&op->u.change.message);
	op->u.change.message = dressed;
	return 0;
}

/* --- by another owner --- */

static void
change_ask(struct queue *q, struct op *op)
{
	struct store_request *r = &op->u.change.request;
	struct buf body = buf_heap(BODY_MOST);

	*r = (struct store_request){ .number = id_take(q), .id = op->id, .order_key = op->order_key,
	    .wish = op->u.change.wish };
	if (r->wish == WISH_REPLACE) {
		const struct message *m = op->u.change.message;

		message_pack(m, &body);
		r->body = arena_text(&op->in, (struct text){ (const char *)body.data, body.len });
		r->expires = m->expires != 0 ? m->expires : op->u.change.view.expires;
	}
	if (r->number == 0 || body.overflow) {
		buf_free(&body);
		change_fails(q, op, ERR_BUSY, "the store has trouble, try again");
		return;
	}
	buf_free(&body);
	op->u.change.deadline = loop_now(q->loop) + ANSWER_MS;
	op->kind = OP_REQUEST;
	op_wait(q, op);
}

void
change_tell_request(struct queue *q, struct op *op)
{
	if (op->done.result == STORE_OK)
		ops_add(&q->asked, op);
	else
		change_end(q, op);
}

void
change_poll(struct queue *q)
{
	struct op_list asked = { .head = NULL };
	struct op *op;

	ops_empty(&asked);
	ops_join(&asked, &q->asked);
	while ((op = ops_take(&asked)) != NULL) {
		op->kind = OP_ANSWERED;
		op_wait(q, op);
	}
}

void
change_tell_answered(struct queue *q, struct op *op)
{
	if (op->done.result == STORE_OK) {
		op->done.result = op->u.change.answer;
		change_end(q, op);
	} else if (q->closing || loop_now(q->loop) > op->u.change.deadline) {
		change_fails(q, op, ERR_BUSY, "the node that has this message does not answer");
	} else {
		ops_add(&q->asked, op);
	}
}

static void
decided_here(void *arg, enum store_result result)
{
	struct op *op = arg;
	struct queue *q = op->u.change.queue;

	op->done.result = result;
	if (result == STORE_FAILED)
		err_set(&op->done.err, ERR_STORE, "the store cannot write it now, try again");
	change_end(q, op);
}

void
queue_decide(struct queue *q, uint64_t id, uint64_t key, enum store_wish wish, queue_changed_fn *changed,
    void *arg)
{
	struct op *op = op_new(q, OP_REQUEST);

	op->call.changed = changed;
	op->arg = arg;
	op->id = id;
	op->order_key = key;
	op->u.change.wish = wish;
	op->u.change.queue = q;
	if (!nodes_are_loading(q, store_part(key)) && !parts_has(&q->owned, store_part(key)))
		change_ask(q, op);
	else
		q->owner->decide(q->owner_arg, id, key, wish, decided_here, op);
}

/* --- here --- */

void
change_tell_located(struct queue *q, struct op *op)
{
	const struct store_view *v = &op->u.change.view;
	unsigned part = store_part(v->order_key);

	if (op->done.result == STORE_OK && v->state != STATE_WAITING)
		op->done.result = STORE_TOO_LATE;
	if (op->done.result != STORE_OK) {
		change_end(q, op);
		return;
	}
	if (!q->closing && nodes_are_loading(q, part)) {	/* the owner can withhold what it has loaded */
		ops_add(&q->after_load, op);
		return;
	}
	if (op->u.change.wish == WISH_REPLACE && change_dress(op) == -1) {
		op->done.result = STORE_FAILED;
		change_end(q, op);
		return;
	}
	op->id = v->id;
	op->order_key = v->order_key;
	if (!parts_has(&q->owned, part)) {
		change_ask(q, op);
	} else if (!q->owner->withhold(q->owner_arg, v->id, v->order_key)) {
		op->done.result = STORE_TOO_LATE;
		change_end(q, op);
	} else {
		op->kind = change_kinds[op->u.change.wish];
		op_wait(q, op);
	}
}

/* --- for another node --- */

static void
serve_answer(struct queue *q, struct op *op, enum store_result result)
{
	op->u.change.answer = result;
	op->kind = OP_ANSWER;
	op_wait(q, op);
}

static void
decided_for_another(void *arg, enum store_result result)
{
	struct op *op = arg;
	struct queue *q = op->u.change.queue;

	if (result == STORE_FAILED)
		change_tell_answer(q, op);	/* the request stays, and is shown again */
	else
		serve_answer(q, op, result);
}

void
change_serve(struct queue *q, const struct store_request *r)
{
	struct op *op;

	for (op = q->serving; op != NULL; op = op->next_served)
		if (op->u.change.request.number == r->number)
			return;			/* it is shown until it is answered */
	op = op_new(q, change_kinds[r->wish]);
	op->id = r->id;
	op->order_key = r->order_key;
	op->u.change.request = *r;
	op->u.change.request.body = arena_text(&op->in, r->body);
	op->u.change.served = true;
	op->next_served = q->serving;
	q->serving = op;
	if (change_kinds[r->wish] == OP_ANSWER) {
		op->u.change.queue = q;
		q->owner->decide(q->owner_arg, r->id, r->order_key, r->wish, decided_for_another, op);
	} else if (q->owner->withhold(q->owner_arg, r->id, r->order_key)) {
		op_wait(q, op);
	} else {
		serve_answer(q, op, STORE_TOO_LATE);
	}
}

void
change_tell_answer(struct queue *q, struct op *op)
{
	struct op **at = &q->serving;

	while (*at != op)
		at = &(*at)->next_served;
	*at = op->next_served;
	op_free(q, op);
}

void
change_tell(struct queue *q, struct op *op)
{
	q->owner->changed(q->owner_arg, op->id, op->order_key, op->done.result, op->kind == OP_CANCEL);
	if (!op->u.change.served)
		change_end(q, op);
	else if (op->done.result == STORE_FAILED || op->done.result == STORE_FENCED)
		change_tell_answer(q, op);	/* the request stays: who owns it next will see it */
	else
		serve_answer(q, op, op->done.result);
}

void
change_close(struct queue *q)
{
	for (struct op *op = q->serving, *next; op != NULL; op = next) {
		next = op->next_served;
		op_free(q, op);
	}
	q->serving = NULL;
}
