/*
 * queue_nodes_test.c - several nodes on one store: what store.h says between them
 *
 * Two nodes, a and b, and their keepers; a owns the lower half of the partitions, b the upper. Each test runs
 * over every driver that knows several nodes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pg_fresh.h"
#include "queue/store_pgsql.h"
#include "store_calls.h"

enum { LEASE_MS = 400, HALF = STORE_PARTITIONS / 2 };
#define KEY_A	UINT64_C(0x0100000000000007)	/* a's */
#define KEY_B	UINT64_C(0x8100000000000007)	/* b's */

struct node {
	const struct store_driver *d;
	struct store	*s;
	struct store_keeper *k;
	uint64_t	 batch;
	struct store_parts half;
	struct store_members members;	/* of the last keep() */
};

struct fixture {
	const struct store_driver *d;
	struct store_conf conf;
	char		 name[64];
	struct node	 a, b;
	uint64_t	 next;		/* id */
};

/* --- helpers ------------------------------------------------------------------------ */

static void
fail_err(const char *what, const struct err *err)
{
	char text[400];

	fail_msg("%s: %s", what, err_print(err, text, sizeof text));
}

static void
ok(enum store_result result, const struct err *err)
{
	if (result == STORE_FAILED)
		fail_err("failed", err);
	assert_int_equal(result, STORE_OK);
}

static void
node_open(struct fixture *f, struct node *n, const char *name)
{
	struct store_conf conf = f->conf;
	struct err err = { 0 };

	conf.node_name = name;
	n->d = f->d;
	n->batch = 0;
	if ((n->s = f->d->open(&conf, &err)) == NULL)
		fail_err("open", &err);
	if ((n->k = f->d->keeper_open(&f->conf, f->d->node(n->s), &err)) == NULL)
		fail_err("keeper", &err);
}

static void
node_close(struct node *n)
{
	if (n->s != NULL)
		n->d->close(&n->s, true);
	n->d->keeper_close(&n->k);
}

static struct store_parts
node_claim(struct node *n, const struct store_parts *which)
{
	struct store_parts got;
	struct err err = { 0 };

	if (n->d->claim(n->s, which, &got, &err) == -1)
		fail_err("claim", &err);
	return got;
}

static void
node_keep(struct node *n)
{
	struct err err = { 0 };

	if (n->d->keep(n->k, &(struct store_self){ .status = TEXT("well") }, &n->members, &err) == -1)
		fail_err("keep", &err);
}

static void
node_begin(struct node *n)
{
	struct err err = { 0 };

	if (n->d->begin(n->s, ++n->batch, &err) == -1)
		fail_err("begin", &err);
}

static void
node_commit(struct node *n)
{
	struct err err = { 0 };

	if (n->d->flush(n->s, &err) == -1)
		fail_err("flush", &err);
	if (n->d->commit(n->s, &err) != COMMIT_DONE)
		fail_err("commit", &err);
}

static int
setup(void **state)
{
	static unsigned number;
	const struct store_driver *d = *state;
	struct fixture *f = calloc(1, sizeof *f);
	struct store_parts got;

	f->d = d;
	snprintf(f->name, sizeof f->name, "nodes-%ld-%u", (long)getpid(), number++);
	f->conf = (struct store_conf){ .path = f->name, .conninfo = pg_conninfo(), .retention_s = 3600,
	    .lease_ms = LEASE_MS };
	if (d == &store_pgsql)
		pg_fresh();
	f->next = 1;
	node_open(f, &f->a, "anna");
	node_open(f, &f->b, "bert");
	for (unsigned i = 0; i < HALF; i++) {
		parts_set(&f->a.half, i, true);
		parts_set(&f->b.half, HALF + i, true);
	}
	got = node_claim(&f->a, &f->a.half);
	assert_memory_equal(&got, &f->a.half, sizeof got);
	got = node_claim(&f->b, &f->b.half);
	assert_memory_equal(&got, &f->b.half, sizeof got);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	node_close(&f->a);
	node_close(&f->b);
	free(f);
	return 0;
}

static void
pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

static const struct store_row plain = {
	.msisdn = { "+358401", 7 }, .account = { "alice", 5 }, .smsc = { "vf1", 3 }, .klass = 1,
	.accepted = 1000, .expires = 5000, .body = { "body\0of one", 11 }
};

/* A round of its own. */
static enum store_put
put(struct fixture *f, struct node *n, uint64_t key, uint64_t *id, const struct store_mark *mark)
{
	struct store_row row = plain;
	struct err err = { 0 };
	enum store_put how;
	uint64_t existing;

	row.id = *id = (uint64_t)f->d->node(n->s) << STORE_NODE_SHIFT | f->next++;
	row.order_key = key;
	row.mark = mark;
	row.epoch = f->d->epoch(n->s, store_part(key));
	node_begin(n);
	ok(call_submit(n->d, n->s, &row, 1, &existing, &how, &err), &err);
	node_commit(n);
	return how;
}

struct heard {
	struct store_news list[16];
	char		 texts[16][64];		/* the evidence's first foreign id, or the receipt's */
	struct store_answer answers[16][4];
	unsigned	 n, seen;
};

static void
heard_one(void *arg, const struct store_news *news)
{
	struct heard *h = arg;
	unsigned i = h->n++ % 16;

	h->list[i] = *news;
	if (news->kind == NEWS_EVIDENCE) {
		for (unsigned k = 0; k < news->evidence.answer_count && k < 4; k++)
			h->answers[i][k] = news->evidence.answers[k];
		snprintf(h->texts[i], 64, "%.*s", TEXT_ARGS(news->evidence.answers[0].foreign_id));
	}
	if (news->kind == NEWS_RECEIPT)
		snprintf(h->texts[i], 64, "%.*s", TEXT_ARGS(news->joined.foreign_id));
	if (news->kind == NEWS_REQUEST)
		snprintf(h->texts[i], 64, "%.*s", TEXT_ARGS(news->request.body));
}

/* A round of its own; of all that the node owns. */
static struct heard
news(struct node *n)
{
	struct heard h = { .n = 0 };
	struct err err = { 0 };

	node_begin(n);
	if (n->d->news(n->s, &every_part, 1000, heard_one, &h, &h.seen, &err) == -1)
		fail_err("news", &err);
	node_commit(n);
	return h;
}

static struct store_view
view(struct node *n, uint64_t id, uint64_t key)
{
	struct store_place p = { .id = id, .part = (int)store_part(key) };
	struct store_view v = { 0 };
	struct err err = { 0 };

	if (n->d->find(n->s, &p, &v, &err) != 1)
		fail_msg("message %" PRIx64 " is not there", id);
	return v;
}

/* --- who is there, who owns what ------------------------------------------------------ */

static void
test_numbers_and_ids(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	uint64_t first[2], again;

	assert_int_not_equal(f->d->node(f->a.s), f->d->node(f->b.s));
	assert_int_equal(f->d->tag(f->a.s), f->d->tag(f->b.s));
	assert_int_equal(f->d->reserve(f->a.s, 100, &first[0], &err), 0);
	assert_int_equal(f->d->reserve(f->b.s, 100, &first[1], &err), 0);
	assert_int_equal(f->d->reserve(f->a.s, 100, &again, &err), 0);
	assert_true(first[0] >> STORE_NODE_SHIFT == f->d->node(f->a.s));
	assert_true(first[1] >> STORE_NODE_SHIFT == f->d->node(f->b.s));
	assert_true(again >= first[0] + 100);
}

static void
test_one_owner(void **state)
{
	struct fixture *f = *state;
	struct store_parts one = { { 0 } }, got;
	struct err err = { 0 };
	uint64_t epoch = f->d->epoch(f->a.s, 1);

	got = node_claim(&f->b, &f->a.half);		/* somebody alive has them */
	assert_true(parts_none(&got));
	got = node_claim(&f->a, &f->a.half);		/* they are mine already */
	assert_memory_equal(&got, &f->a.half, sizeof got);
	assert_true(f->d->epoch(f->a.s, 1) >= epoch);
	assert_true(f->d->epoch(f->b.s, 1) == 0);
	parts_set(&one, 1, true);
	assert_int_equal(f->d->release(f->a.s, &one, &err), 0);
	assert_true(f->d->epoch(f->a.s, 1) == 0);
	got = node_claim(&f->b, &f->a.half);
	assert_memory_equal(&got, &one, sizeof got);
	assert_true(f->d->epoch(f->b.s, 1) > epoch);
}

static void
test_members(void **state)
{
	struct fixture *f = *state;
	mono_t before = clock_mono();
	struct err err = { 0 };
	unsigned alive = 0;

	node_keep(&f->b);
	node_keep(&f->a);
	assert_true(f->a.members.alive);
	assert_true(f->a.members.until >= before + LEASE_MS / 2 && f->a.members.until <= clock_mono() + LEASE_MS);
	assert_int_equal(f->a.members.owner[1], f->d->node(f->a.s));
	assert_int_equal(f->a.members.owner[0x81], f->d->node(f->b.s));
	for (unsigned i = 0; i < f->a.members.peer_count; i++) {
		const struct store_peer *p = &f->a.members.peers[i];

		if (!p->alive)
			continue;
		alive++;
		assert_true(text_is(p->name, p->node == f->d->node(f->a.s) ? "anna" : "bert"));
		assert_true(text_is(p->status, "well"));
		assert_true(p->seen_ms >= 0 && p->seen_ms < 5000);
	}
	assert_int_equal(alive, 2);
	assert_int_equal(f->d->keeper_mode(f->b.k, TEXT("suspended"), &err), 0);
	node_keep(&f->a);
	assert_true(text_is(f->a.members.mode, "suspended"));
}

/* Waits until b is dead for a. */
static void
b_is_silent(struct fixture *f)
{
	mono_t end = clock_mono() + 20 * LEASE_MS;

	do {
		node_keep(&f->a);
		pause_ms(LEASE_MS / 20);
	} while (f->a.members.owner[0x81] != STORE_NOBODY && clock_mono() < end);
	assert_int_equal(f->a.members.owner[0x81], STORE_NOBODY);
}

/* A node that is silent past its lease is dead: what it writes into schedules counts no more. */
static void
test_dead_and_back(void **state)
{
	struct fixture *f = *state;
	struct store_settlement st = { .order_key = KEY_B, .state = STATE_WAITING, .attempt = 1 };
	static const struct store_mark mark = { .attempt = 1, .link = { "1/x", 3 }, .at = 2000 };
	struct err err = { 0 };
	uint64_t id, other, epoch = f->d->epoch(f->b.s, 0x81);
	struct store_parts got;

	node_keep(&f->b);
	assert_int_equal(put(f, &f->b, KEY_B, &id, NULL), PUT_WAITING);
	b_is_silent(f);
	got = node_claim(&f->a, &f->b.half);
	assert_memory_equal(&got, &f->b.half, sizeof got);
	assert_true(f->d->epoch(f->a.s, 0x81) > epoch);

	st.id = id;
	node_begin(&f->b);				/* it joins again, and owns nothing */
	assert_true(f->d->epoch(f->b.s, 0x81) == 0);
	assert_int_equal(call_mark(f->d, f->b.s, epoch, id, KEY_B, &mark, &err), STORE_FENCED);
	assert_int_equal(call_settle(f->d, f->b.s, epoch, &st, NULL, &err), STORE_FENCED);
	node_commit(&f->b);
	assert_int_equal(put(f, &f->b, KEY_B, &other, &mark), PUT_INBOX);
	node_keep(&f->b);
	assert_true(f->b.members.alive);
	assert_int_equal(f->b.members.owner[0x81], f->d->node(f->a.s));
	assert_int_equal(view(&f->a, id, KEY_B).state, STATE_WAITING);
	assert_int_equal(news(&f->a).n, 1);
	got = node_claim(&f->b, &f->b.half);
	assert_true(parts_none(&got));
}

static void
test_clean_end(void **state)
{
	struct fixture *f = *state;
	struct store_parts got;

	f->d->close(&f->b.s, true);
	got = node_claim(&f->a, &f->b.half);		/* nobody waits for its lease */
	assert_memory_equal(&got, &f->b.half, sizeof got);
	node_keep(&f->a);
	assert_int_equal(f->a.members.owner[0x81], f->d->node(f->a.s));
}

/* As after a commit of unknown outcome: the same node, with what it had. */
static void
test_opened_again(void **state)
{
	struct fixture *f = *state;
	struct store_conf conf = f->conf;
	uint16_t number = f->d->node(f->a.s);
	uint64_t epoch = f->d->epoch(f->a.s, 1), batch, id;
	struct store_parts got;
	struct err err = { 0 };

	put(f, &f->a, KEY_A, &id, NULL);
	conf.again = number + 1u;
	f->d->close(&f->a.s, false);
	got = node_claim(&f->b, &f->a.half);
	assert_true(parts_none(&got));
	f->a.s = f->d->open(&conf, &err);
	assert_non_null(f->a.s);
	assert_int_equal(f->d->node(f->a.s), number);
	assert_int_equal(f->d->last_batch(f->a.s, &batch, &err), 0);
	assert_true(batch == f->a.batch);
	got = node_claim(&f->a, &f->a.half);
	assert_memory_equal(&got, &f->a.half, sizeof got);
	assert_true(f->d->epoch(f->a.s, 1) >= epoch);
	assert_int_equal(f->d->last_batch(f->b.s, &batch, &err), 0);
	assert_true(batch == f->b.batch);		/* each node counts its own */
}

/* --- messages of others ----------------------------------------------------------------- */

static void
test_inbox_in_order(void **state)
{
	struct fixture *f = *state;
	uint64_t ids[4];
	struct heard h;

	assert_int_equal(put(f, &f->b, KEY_A, &ids[0], NULL), PUT_INBOX);
	pause_ms(2);
	assert_int_equal(put(f, &f->b, KEY_A + 1, &ids[1], NULL), PUT_INBOX);
	pause_ms(2);
	assert_int_equal(put(f, &f->b, KEY_A, &ids[2], NULL), PUT_INBOX);
	assert_int_equal(view(&f->a, ids[2], KEY_A).state, STATE_WAITING);
	assert_int_equal(news(&f->b).n, 0);		/* not b's */
	h = news(&f->a);
	assert_int_equal(h.n, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(h.list[i].kind, NEWS_MESSAGE);
		assert_true(h.list[i].message.id == ids[i]);
	}
	assert_int_equal(news(&f->a).n, 0);
	assert_int_equal(put(f, &f->a, KEY_A, &ids[3], NULL), PUT_WAITING);
}

/* A submission to receivers of both: all or none, here and there. */
static void
test_submission_to_both(void **state)
{
	struct fixture *f = *state;
	struct store_row rows[2] = { plain, plain };
	struct err err = { 0 };
	struct store_place place;
	uint64_t existing[2];
	enum store_put how[2];

	rows[0].id = 101;
	rows[0].order_key = KEY_A;
	rows[0].epoch = f->d->epoch(f->a.s, 1);
	rows[1].id = 102;
	rows[1].order_key = KEY_B;
	rows[1].push_id = TEXT("mine");
	node_begin(&f->a);
	ok(call_submit(f->d, f->a.s, rows, 2, existing, how, &err), &err);
	assert_int_equal(how[0], PUT_WAITING);
	assert_int_equal(how[1], PUT_INBOX);
	node_commit(&f->a);
	assert_int_equal(f->d->find_push_id(f->b.s, TEXT("alice"), TEXT("mine"), &place, &err), 1);
	assert_true(place.id == 102);
	assert_int_equal(view(&f->b, 102, KEY_B).state, STATE_WAITING);
	rows[0].id = 103;
	rows[1].id = 104;
	node_begin(&f->b);
	assert_int_equal(call_submit(f->d, f->b.s, rows, 2, existing, how, &err), STORE_EXISTS);
	assert_true(existing[0] == 0 && existing[1] == 102);
	node_commit(&f->b);
	assert_int_equal(f->d->find(f->b.s, &(struct store_place){ 103, -1 }, &(struct store_view){ 0 }, &err), 0);
}

/* --- receipts that come elsewhere ---------------------------------------------------------- */

static uint64_t
awaiting(struct fixture *f, struct node *n, uint64_t key, const char *foreign_id)
{
	struct store_answer answer = { .segment = 1, .state = ANSWER_ACCEPTED,
	    .foreign_id = text_of(foreign_id) };
	struct store_mark mark = { .attempt = 1, .at = 2000 };
	struct store_settlement st = { .order_key = key, .state = STATE_AWAITING, .attempt = 1,
	    .segments = 1, .answers = &answer, .answer_count = 1, .domain = TEXT("dom"),
	    .pending = PENDING_WANTED };
	struct err err = { 0 };
	char link[16];
	uint64_t id;

	mark.link = (struct text){ link, (size_t)snprintf(link, sizeof link, "%u/vf1", f->d->node(n->s)) };
	assert_int_equal(put(f, n, key, &id, &mark), PUT_MARKED);
	st.id = id;
	node_begin(n);
	ok(call_settle(f->d, n->s, OURS, &st, NULL, &err), &err);
	node_commit(n);
	return id;
}

static struct store_joined
receipt(struct node *n, const char *foreign_id, uint8_t state)
{
	struct store_receipt r = { .domain = TEXT("dom"), .foreign_id = text_of(foreign_id),
	    .said = TEXT("stat:X"), .state = state, .at = 3000 };
	struct store_joined joined;
	struct err err = { 0 };

	node_begin(n);
	ok(call_receipt(n->d, n->s, &r, &joined, &err), &err);
	node_commit(n);
	return joined;
}

static void
test_receipt_elsewhere(void **state)
{
	struct fixture *f = *state;
	uint64_t id = awaiting(f, &f->a, KEY_A, "f1");
	struct store_joined j = receipt(&f->b, "f1", RECEIPT_PENDING);
	struct heard h;

	assert_true(j.matched && !j.ripe && !j.first_pending);	/* the owner hears of it */
	assert_true(j.id == id);
	receipt(&f->b, "f1", RECEIPT_DELIVERED);
	assert_int_equal(view(&f->a, id, KEY_A).state, STATE_AWAITING);
	h = news(&f->a);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.list[0].kind, NEWS_RECEIPT);
	assert_true(h.list[0].joined.first_pending && h.list[0].joined.id == id);
	assert_true(h.list[1].joined.ripe && h.list[1].joined.state == RECEIPT_DELIVERED);
	assert_string_equal(h.texts[1], "f1");
	assert_int_equal(news(&f->a).n, 0);
	receipt(&f->b, "f1", RECEIPT_FAILED);			/* after the decision */
	assert_int_equal(news(&f->a).n, 0);
}

/* It came before its message's answer, to another node. */
static void
test_early_receipt_elsewhere(void **state)
{
	struct fixture *f = *state;
	struct store_view v;
	uint64_t id;

	assert_false(receipt(&f->b, "f7", RECEIPT_DELIVERED).matched);
	id = awaiting(f, &f->a, KEY_A, "f7");
	v = view(&f->a, id, KEY_A);
	assert_int_equal(v.state, STATE_RIPE);
}

/* --- evidence: answers that somebody else has ------------------------------------------------ */

static void
evidence(struct node *n, uint64_t id, uint64_t key, uint16_t attempt, uint8_t state, const char *foreign_id)
{
	struct store_answer answer = { .segment = 1, .state = state, .foreign_id = text_of(foreign_id) };
	struct store_evidence v = { .id = id, .order_key = key, .attempt = attempt, .segments = 1,
	    .answers = &answer, .answer_count = 1, .domain = TEXT("dom"), .said = TEXT("said"), .code = 7 };
	struct store_done done = { .result = STORE_FAILED };
	struct err err = { 0 };

	node_begin(n);
	n->d->evidence(n->s, &v, &done);
	ok(call_end(n->d, n->s, &done, &err), &err);
	node_commit(n);
}

static void
test_evidence(void **state)
{
	struct fixture *f = *state;
	static const struct store_mark mark = { .attempt = 3, .link = { "0/x", 3 }, .at = 2000 };
	struct store_flight flight;
	struct store_joined j;
	struct err err = { 0 };
	struct heard h;
	uint64_t id;

	put(f, &f->a, KEY_A, &id, &mark);
	evidence(&f->b, id, KEY_A, 2, ANSWER_ACCEPTED, "old");	/* its attempt is over */
	assert_int_equal(news(&f->a).n, 0);
	evidence(&f->b, id, KEY_A, 3, ANSWER_ACCEPTED, "new");
	h = news(&f->a);
	assert_int_equal(h.n, 1);
	assert_int_equal(h.list[0].kind, NEWS_EVIDENCE);
	assert_true(h.list[0].evidence.id == id && h.list[0].evidence.order_key == KEY_A);
	assert_int_equal(h.list[0].evidence.attempt, 3);
	assert_int_equal(h.list[0].evidence.segments, 1);
	assert_int_equal(h.list[0].evidence.code, 7);
	assert_int_equal(h.answers[0][0].state, ANSWER_ACCEPTED);
	assert_string_equal(h.texts[0], "new");
	/* it is kept: whoever owns it next finds it, and so do receipts */
	ok(call_flight(f->d, f->a.s, id, KEY_A, &flight, &err), &err);
	assert_int_equal(flight.answer_count, 1);
	assert_int_equal(flight.segments, 1);
	assert_int_equal(flight.answers[0].state, ANSWER_ACCEPTED);
	j = receipt(&f->a, "new", RECEIPT_DELIVERED);
	assert_true(j.matched && j.id == id);
}

/* --- handed over ------------------------------------------------------------------------------- */

struct sent {
	struct store_send list[8];
	char		 body[64], link[32];
	unsigned	 n, seen;
};

static void
sent_one(void *arg, const struct store_send *send)
{
	struct sent *s = arg;

	s->list[s->n++ % 8] = *send;
	snprintf(s->body, sizeof s->body, "%.*s", TEXT_ARGS(send->body));
	snprintf(s->link, sizeof s->link, "%.*s", TEXT_ARGS(send->mark.link));
}

static struct sent
sends(struct node *n)
{
	struct sent s = { .n = 0 };
	struct err err = { 0 };

	node_begin(n);
	if (n->d->sends(n->s, 100, sent_one, &s, &s.seen, &err) == -1)
		fail_err("sends", &err);
	node_commit(n);
	return s;
}

static void
test_handed_over(void **state)
{
	struct fixture *f = *state;
	struct store_mark mark = { .attempt = 1, .reference = 77, .at = 2000 };
	struct err err = { 0 };
	char link[16];
	struct sent s;
	uint64_t id;

	mark.link = (struct text){ link, (size_t)snprintf(link, sizeof link, "%u/vf1", f->d->node(f->b.s)) };
	put(f, &f->a, KEY_A, &id, NULL);
	node_begin(&f->a);
	ok(call_mark(f->d, f->a.s, OURS, id, KEY_A, &mark, &err), &err);
	node_commit(&f->a);
	assert_int_equal(sends(&f->a).n, 0);		/* not for itself */
	assert_int_equal(news(&f->b).n, 0);		/* who does not ask for it leaves it there */
	s = sends(&f->b);
	assert_int_equal(s.n, 1);
	assert_true(s.list[0].id == id && s.list[0].order_key == KEY_A);
	assert_int_equal(s.list[0].mark.attempt, 1);
	assert_int_equal(s.list[0].mark.reference, 77);
	assert_string_equal(s.link, link);
	assert_string_equal(s.body, "body");
	assert_int_equal(sends(&f->b).n, 0);		/* once */
	assert_int_equal(view(&f->a, id, KEY_A).state, STATE_SENDING);
	evidence(&f->b, id, KEY_A, 1, ANSWER_ACCEPTED, "x1");
	assert_int_equal(news(&f->a).n, 1);
}

/* --- requests: what only the owner can do --------------------------------------------------------- */

static enum store_result
answered(struct node *n, uint64_t number, uint64_t key, enum store_result *result)
{
	struct store_done done = { .result = STORE_FAILED };
	struct err err = { 0 };
	enum store_result r;

	node_begin(n);
	n->d->answered(n->s, number, key, result, &done);
	r = call_end(n->d, n->s, &done, &err);
	node_commit(n);
	return r;
}

static void
test_request(void **state)
{
	struct fixture *f = *state;
	struct store_request q = { .number = UINT64_C(99) << STORE_NODE_SHIFT | 5, .wish = WISH_REPLACE,
	    .order_key = KEY_A, .body = TEXT("another"), .expires = 9000 };
	struct store_done done = { .result = STORE_FAILED };
	enum store_result result = STORE_FAILED;
	struct err err = { 0 };
	struct heard h;

	put(f, &f->a, KEY_A, &q.id, NULL);
	node_begin(&f->b);
	f->d->request(f->b.s, &q, &done);
	ok(call_end(f->d, f->b.s, &done, &err), &err);
	node_commit(&f->b);
	assert_int_equal(answered(&f->b, q.number, KEY_A, &result), STORE_ABSENT);
	for (unsigned i = 0; i < 2; i++) {		/* again and again, until it is answered */
		h = news(&f->a);
		assert_int_equal(h.n, 1);
		assert_int_equal(h.list[0].kind, NEWS_REQUEST);
		assert_true(h.list[0].request.number == q.number && h.list[0].request.id == q.id);
		assert_int_equal(h.list[0].request.wish, WISH_REPLACE);
		assert_int_equal(h.list[0].request.expires, 9000);
		assert_string_equal(h.texts[0], "another");
	}
	node_begin(&f->a);
	f->d->answer(f->a.s, q.number, KEY_A, STORE_TOO_LATE, &done);
	ok(call_end(f->d, f->a.s, &done, &err), &err);
	node_commit(&f->a);
	assert_int_equal(news(&f->a).n, 0);
	assert_int_equal(answered(&f->b, q.number, KEY_A, &result), STORE_OK);
	assert_int_equal(result, STORE_TOO_LATE);
	assert_int_equal(answered(&f->b, q.number, KEY_A, &result), STORE_ABSENT);	/* it was taken out */
}

/* --- a take-over ------------------------------------------------------------------------------------ */

struct loaded {
	uint64_t	 ids[64];
	unsigned	 n;
};

static void
loaded_one(void *arg, const struct store_index *x)
{
	struct loaded *l = arg;

	l->ids[l->n++ % 64] = x->id;
}

/* The new owner finds them in the order in which the old one had them. */
static void
test_take_over(void **state)
{
	struct fixture *f = *state;
	struct store_cursor at = { 0 };
	struct loaded l = { .n = 0 };
	struct store_parts got;
	struct err err = { 0 };
	uint64_t ids[6];

	assert_int_equal(put(f, &f->b, KEY_B, &ids[0], NULL), PUT_WAITING);
	assert_int_equal(put(f, &f->a, KEY_B, &ids[1], NULL), PUT_INBOX);	/* an id of a's */
	assert_int_equal(news(&f->b).n, 1);
	assert_int_equal(put(f, &f->b, KEY_B, &ids[2], NULL), PUT_WAITING);
	assert_int_equal(put(f, &f->a, KEY_B, &ids[3], NULL), PUT_INBOX);	/* not adopted yet */
	f->d->close(&f->b.s, true);
	got = node_claim(&f->a, &f->b.half);
	assert_memory_equal(&got, &f->b.half, sizeof got);
	do
		assert_int_equal(f->d->load(f->a.s, &f->b.half, &at, 2, loaded_one, &l, &err), 0);
	while (!at.end);
	assert_int_equal(l.n, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(l.ids[i] == ids[i]);
	assert_int_equal(news(&f->a).n, 1);
	assert_int_equal(put(f, &f->a, KEY_B, &ids[4], NULL), PUT_WAITING);
}

#define T(fn)	{ #fn, fn }
static const struct {
	const char	*name;
	void		(*run)(void **);
} contract[] = {
	T(test_numbers_and_ids),
	T(test_one_owner),
	T(test_members),
	T(test_dead_and_back),
	T(test_clean_end),
	T(test_opened_again),
	T(test_inbox_in_order),
	T(test_submission_to_both),
	T(test_receipt_elsewhere),
	T(test_early_receipt_elsewhere),
	T(test_evidence),
	T(test_handed_over),
	T(test_request),
	T(test_take_over),
};

/* The last: where there is a server. */
static const struct store_driver *const drivers[] = { &store_shared, &store_pgsql };

int
main(void)
{
	enum { TESTS = sizeof contract / sizeof *contract, DRIVERS = sizeof drivers / sizeof *drivers };
	static char names[DRIVERS * TESTS][80];
	static struct CMUnitTest tests[DRIVERS * TESTS];
	size_t count = DRIVERS - (pg_conninfo() == NULL);

	for (size_t d = 0; d < count; d++)
		for (size_t t = 0; t < TESTS; t++) {
			size_t i = d * TESTS + t;

			snprintf(names[i], sizeof names[i], "%s: %s", drivers[d]->name, contract[t].name);
			tests[i] = (struct CMUnitTest){ .name = names[i], .test_func = contract[t].run,
			    .setup_func = setup, .teardown_func = teardown,
			    .initial_state = (void *)(uintptr_t)drivers[d] };
		}
	return _cmocka_run_group_tests("queue_nodes", tests, count * TESTS, NULL, NULL);
}
