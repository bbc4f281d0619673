/*
 * queue_store_test.c - the contract of gateway/queue/store.h, for every driver
 *
 * A new backend is one row in `drivers`. What is said here of one driver is said of all;
 * files, locks and versions of SQLite follow at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "pg_fresh.h"
#include "queue/store_pgsql.h"
#include "queue/store_sqlite.h"
#include "store_calls.h"

enum { HOUR = 3600 * 1000 };

static const struct tested {
	const struct store_driver *driver;
	bool		 lasting;	/* survives close and open */
} drivers[] = {
	{ &store_memory, false },
	{ &store_sqlite, true },
	{ &store_pgsql, true },		/* the last: where there is a server */
};

struct fixture {
	const struct tested *tested;
	const struct store_driver *d;
	struct store	*s;
	char		 dir[64], path[96];
	struct store_conf conf;
	uint64_t	 batch;
};

/* --- helpers: each says which call failed --- */

static void
fail_err(const char *what, const struct err *err)
{
	char text[400];

	fail_msg("%s: %s", what, err_print(err, text, sizeof text));
}

static void
fixture_open(struct fixture *f)
{
	struct err err = { 0 };

	f->s = call_open(f->d, &f->conf, &err);
	if (f->s == NULL)
		fail_err("open", &err);
}

static int
setup(void **state)
{
	const struct tested *tested = *state;
	struct fixture *f = calloc(1, sizeof *f);

	f->tested = tested;
	f->d = tested->driver;
	snprintf(f->dir, sizeof f->dir, "/tmp/kantele-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/kantele.db", f->dir);
	f->conf = (struct store_conf){ .path = f->path, .conninfo = pg_conninfo(), .retention_s = 3600 };
	if (f->d == &store_pgsql)
		pg_fresh();
	fixture_open(f);
	*state = f;
	return 0;
}

static void
remove_all(const char *dir)
{
	pid_t child = fork();

	if (child == 0) {
		execlp("rm", "rm", "-rf", dir, (char *)NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	f->d->close(&f->s, true);
	remove_all(f->dir);
	free(f);
	return 0;
}

static void
begin(struct fixture *f)
{
	struct err err = { 0 };

	if (f->d->begin(f->s, ++f->batch, &err) == -1)
		fail_err("begin", &err);
}

static void
commit(struct fixture *f)
{
	struct err err = { 0 };

	if (f->d->flush(f->s, &err) == -1)
		fail_err("flush", &err);
	if (f->d->commit(f->s, &err) != COMMIT_DONE)
		fail_err("commit", &err);
}

static void
reopen(struct fixture *f)
{
	if (!f->tested->lasting)
		return;
	f->conf.again = f->d->node(f->s) + 1u;
	f->d->close(&f->s, true);
	fixture_open(f);
}

static void
ok(enum store_result result, const struct err *err)
{
	if (result == STORE_FAILED)
		fail_err("failed", err);
	assert_int_equal(result, STORE_OK);
}

static const struct store_row plain = {
	.id = 1, .order_key = 0x4200000000000007, .msisdn = { "+358401", 7 }, .account = { "alice", 5 },
	.smsc = { "vf1", 3 }, .group = { "g", 1 }, .klass = 1, .accepted = 1000, .expires = 5000,
	.due = 0, .body = { "body\0of one", 11 }
};

static const struct store_mark mark1 = { .attempt = 1, .reference = 77, .link = { "0/vf1", 5 },
    .at = 2000 };

static enum store_result
put_row(struct fixture *f, const struct store_row *row)
{
	uint64_t existing = 0;
	struct err err = { 0 };
	enum store_result r = call_put(f->d, f->s, OURS, row, &existing, &err);

	if (r == STORE_FAILED)
		fail_err("put", &err);
	return r;
}

static void
put_id(struct fixture *f, uint64_t id)
{
	struct store_row row = plain;

	row.id = id;
	assert_int_equal(put_row(f, &row), STORE_OK);
}

static void
mark_id(struct fixture *f, uint64_t id, uint16_t attempt)
{
	struct store_mark mark = mark1;
	struct err err = { 0 };

	mark.attempt = attempt;
	ok(call_mark(f->d, f->s, OURS, id, plain.order_key, &mark, &err), &err);
}

static struct store_joined
settle(struct fixture *f, const struct store_settlement *st)
{
	struct store_joined joined;
	struct err err = { 0 };

	ok(call_settle(f->d, f->s, OURS, st, &joined, &err), &err);
	return joined;
}

static struct store_joined
receipt(struct fixture *f, const char *foreign_id, uint8_t state, wall_t at)
{
	struct store_receipt r = { .domain = TEXT("dom"), .foreign_id = text_of(foreign_id),
	    .said = TEXT("stat:DELIVRD"), .state = state, .at = at };
	struct store_joined joined;
	struct err err = { 0 };

	ok(call_receipt(f->d, f->s, &r, &joined, &err), &err);
	return joined;
}

static void
finish(struct fixture *f, uint64_t id, wall_t at)
{
	settle(f, &(struct store_settlement){ .id = id, .order_key = plain.order_key,
	    .state = STATE_FINISHED, .attempt = 1, .at = at, .outcome = OUTCOME_SENT, .code = 9,
	    .link = mark1.link });
}

static struct store_view
view(struct fixture *f, uint64_t id)
{
	struct store_view v;
	struct err err = { 0 };

	ok(call_find(f->d, f->s, id, &v, &err), &err);
	return v;
}

static enum store_state
state_of(struct fixture *f, uint64_t id)
{
	return view(f, id).state;
}

static struct store_counts
counts(struct fixture *f)
{
	struct store_counts c;
	struct err err = { 0 };

	assert_int_equal(f->d->counts(f->s, &c, &err), 0);
	return c;
}

#define assert_text(t, want)	assert_text_is((t), (want), sizeof(want) - 1, #t, __LINE__)
static void
assert_text_is(struct text t, const char *want, size_t n, const char *name, int line)
{
	if (t.at == NULL || t.len != n || memcmp(t.at, want, n) != 0)
		fail_msg("line %d: %s is \"%.*s\"", line, name, TEXT_ARGS(t));
}

/* Await receipts of `n` segments with the foreign ids f1, f2, ... */
static struct store_joined
await(struct fixture *f, uint64_t id, unsigned n, const char *const *foreign)
{
	struct store_answer answers[8];

	for (unsigned i = 0; i < n; i++)
		answers[i] = (struct store_answer){ .segment = (uint8_t)(i + 1),
		    .state = ANSWER_ACCEPTED, .foreign_id = text_of(foreign[i]) };
	return settle(f, &(struct store_settlement){ .id = id, .order_key = plain.order_key,
	    .state = STATE_AWAITING, .attempt = 1, .at = 3000, .segments = (uint8_t)n,
	    .answers = answers, .answer_count = n, .domain = TEXT("dom"), .pending = PENDING_WANTED });
}

struct loaded {
	struct store_index rows[16];
	unsigned	 n;
	bool		 texts;
};

static void
loaded_one(void *arg, const struct store_index *x)
{
	struct loaded *l = arg;

	l->rows[l->n++ % 16] = *x;
	l->texts = text_is(x->msisdn, "+358401") && text_is(x->account, "alice") &&
	    text_is(x->smsc, "vf1") && text_is(x->group, "g");
}

/* --- transactions --- */

static void
test_commit_lasts(void **state)
{
	struct fixture *f = *state;
	struct store_view v;

	begin(f);
	assert_int_equal(put_row(f, &plain), STORE_OK);
	commit(f);
	reopen(f);
	v = view(f, 1);
	assert_int_equal(v.state, STATE_WAITING);
	assert_true(v.order_key == plain.order_key);
	assert_text(v.msisdn, "+358401");
	assert_text(v.account, "alice");
	assert_null(v.push_id.at);
	assert_null(v.link.at);
	assert_int_equal(v.accepted, 1000);
	assert_int_equal(v.expires, 5000);
	assert_int_equal(v.outcome, OUTCOME_NONE);
}

static void
test_rollback_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct store_row row = plain;
	struct store_view v;
	struct err err = { 0 };
	uint64_t id;

	begin(f);
	put_id(f, 1);
	put_id(f, 2);
	mark_id(f, 2, 1);
	await(f, 2, 1, (const char *const[]){ "f2" });
	commit(f);

	begin(f);
	row.id = 3;
	row.push_id = TEXT("mine");
	assert_int_equal(put_row(f, &row), STORE_OK);
	finish(f, 1, 9000);
	assert_true(receipt(f, "f2", RECEIPT_DELIVERED, 4000).ripe);
	assert_false(receipt(f, "early", RECEIPT_DELIVERED, 4000).matched);
	f->d->rollback(f->s);

	assert_int_equal(state_of(f, 1), STATE_WAITING);
	assert_int_equal(state_of(f, 2), STATE_AWAITING);
	assert_int_equal(call_find(f->d, f->s, 3, &v, &err), STORE_ABSENT);
	assert_int_equal(call_find_push_id(f->d, f->s, TEXT("alice"), TEXT("mine"), &id, &err),
	    STORE_ABSENT);
	assert_int_equal(counts(f).waiting, 1);
	assert_int_equal(counts(f).awaiting, 1);
	assert_int_equal(counts(f).early, 0);

	/* and the same can be done again */
	begin(f);
	assert_int_equal(put_row(f, &row), STORE_OK);
	assert_true(receipt(f, "f2", RECEIPT_DELIVERED, 4000).ripe);
	commit(f);
	assert_int_equal(state_of(f, 2), STATE_RIPE);
}

static void
test_last_batch(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	uint64_t batch = 99;

	assert_int_equal(f->d->last_batch(f->s, &batch, &err), 0);
	assert_int_equal(batch, 0);
	begin(f);
	commit(f);
	begin(f);
	put_id(f, 1);
	commit(f);
	begin(f);
	put_id(f, 2);
	f->d->rollback(f->s);
	reopen(f);
	assert_int_equal(f->d->last_batch(f->s, &batch, &err), 0);
	assert_int_equal(batch, 2);
}

static void
test_ids_never_come_again(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	uint64_t first, second, third;

	assert_int_equal(f->d->reserve(f->s, 1000, &first, &err), 0);
	assert_true(first > 0);
	assert_int_equal(first >> 44, f->d->node(f->s));
	assert_int_equal(f->d->reserve(f->s, 10, &second, &err), 0);
	assert_true(second >= first + 1000);
	begin(f);
	put_id(f, second);
	finish(f, second, 100);
	commit(f);
	begin(f);
	assert_int_equal(f->d->purge(f->s, 200, 10, &(unsigned){ 0 }, &err), 0);
	commit(f);
	reopen(f);
	assert_int_equal(f->d->reserve(f->s, 10, &third, &err), 0);
	assert_true(third >= second + 10);
}

static void
test_claim_and_fence(void **state)
{
	struct fixture *f = *state;
	struct store_settlement st = { .id = 1, .order_key = plain.order_key, .state = STATE_WAITING };
	struct store_row row = plain;
	struct store_parts part = { { 0 } }, got;
	struct err err = { 0 };
	uint64_t existing, stale;
	enum store_put how;

	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		assert_true(f->d->epoch(f->s, i) > 0);
	stale = f->d->epoch(f->s, 0x42) + 1;
	begin(f);
	put_id(f, 1);
	row.id = 2;
	row.epoch = stale;			/* not ours: it goes to who owns it */
	row.mark = &mark1;
	ok(call_submit(f->d, f->s, &row, 1, &existing, &how, &err), &err);
	assert_int_equal(how, PUT_INBOX);
	assert_int_equal(call_mark(f->d, f->s, stale, 1, row.order_key, &mark1, &err), STORE_FENCED);
	assert_int_equal(call_settle(f->d, f->s, stale, &st, NULL, &err), STORE_FENCED);
	assert_int_equal(call_cancel(f->d, f->s, stale, 1, row.order_key, 5, &err), STORE_FENCED);
	assert_int_equal(call_replace(f->d, f->s, stale, 1, row.order_key, TEXT("x"), 5, &err), STORE_FENCED);
	commit(f);
	assert_int_equal(state_of(f, 1), STATE_WAITING);
	assert_int_equal(counts(f).waiting, 1);
	parts_set(&part, 0x42, true);
	assert_int_equal(f->d->release(f->s, &part, &err), 0);
	assert_int_equal(f->d->epoch(f->s, 0x42), 0);
	assert_true(f->d->epoch(f->s, 0x43) > 0);
	assert_int_equal(f->d->claim(f->s, &part, &got, &err), 0);
	assert_memory_equal(&got, &part, sizeof got);
	assert_true(f->d->epoch(f->s, 0x42) >= stale - 1);
}

/* --- put --- */

static void
test_put_marked(void **state)
{
	struct fixture *f = *state;
	static struct store_flight flight;
	struct store_row row = plain;
	struct err err = { 0 };

	row.mark = &mark1;
	begin(f);
	assert_int_equal(put_row(f, &row), STORE_OK);
	commit(f);
	reopen(f);
	assert_int_equal(counts(f).sending, 1);
	ok(call_flight(f->d, f->s, 1, row.order_key, &flight, &err), &err);
	assert_int_equal(flight.state, STATE_SENDING);
	assert_int_equal(flight.attempt, 1);
	assert_int_equal(flight.reference, 77);
	assert_text(flight.link, "0/vf1");
	assert_text(flight.body, "body\0of one");
	assert_int_equal(flight.answer_count, 0);
}

static void
test_push_ids(void **state)
{
	struct fixture *f = *state;
	struct store_row row = plain;
	struct err err = { 0 };
	uint64_t id = 0;

	row.push_id = TEXT("order-7");
	begin(f);
	assert_int_equal(put_row(f, &row), STORE_OK);
	row.id = 2;
	assert_int_equal(call_put(f->d, f->s, OURS, &row, &id, &err), STORE_EXISTS);	/* in one transaction */
	assert_int_equal(id, 1);
	commit(f);
	reopen(f);
	begin(f);
	id = 0;
	assert_int_equal(call_put(f->d, f->s, OURS, &row, &id, &err), STORE_EXISTS);	/* and in the next */
	assert_int_equal(id, 1);
	row.account = TEXT("bob");		/* push-ids belong to an account */
	assert_int_equal(put_row(f, &row), STORE_OK);
	row.id = 3;
	row.account = (struct text){ 0 };
	assert_int_equal(put_row(f, &row), STORE_OK);
	commit(f);
	ok(call_find_push_id(f->d, f->s, TEXT("bob"), TEXT("order-7"), &id, &err), &err);
	assert_int_equal(id, 2);
	ok(call_find_push_id(f->d, f->s, (struct text){ 0 }, TEXT("order-7"), &id, &err), &err);
	assert_int_equal(id, 3);
	assert_int_equal(call_find_push_id(f->d, f->s, TEXT("bob"), TEXT("order-8"), &id, &err),
	    STORE_ABSENT);
	assert_text(view(f, 1).push_id, "order-7");
}

/* --- mark, settle --- */

static void
test_mark_rules(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	begin(f);
	assert_int_equal(call_mark(f->d, f->s, OURS, 4711, 0, &mark1, &err), STORE_ABSENT);
	put_id(f, 1);
	mark_id(f, 1, 1);
	assert_int_equal(state_of(f, 1), STATE_SENDING);
	await(f, 1, 1, (const char *const[]){ "f1" });
	assert_int_equal(call_mark(f->d, f->s, OURS, 1, plain.order_key, &mark1, &err), STORE_TOO_LATE);
	finish(f, 1, 100);
	assert_int_equal(call_mark(f->d, f->s, OURS, 1, plain.order_key, &mark1, &err), STORE_ABSENT);
	commit(f);
}

static void
test_finish(void **state)
{
	struct fixture *f = *state;
	static struct store_flight flight;
	struct store_view v;
	struct err err = { 0 };

	begin(f);
	put_id(f, 1);
	mark_id(f, 1, 1);
	finish(f, 1, 4000);
	commit(f);
	reopen(f);
	v = view(f, 1);
	assert_int_equal(v.state, STATE_FINISHED);
	assert_int_equal(v.outcome, OUTCOME_SENT);
	assert_int_equal(v.code, 9);
	assert_int_equal(v.finished, 4000);
	assert_int_equal(v.attempt, 1);
	assert_text(v.link, "0/vf1");
	assert_text(v.msisdn, "+358401");
	assert_int_equal(call_flight(f->d, f->s, 1, plain.order_key, &flight, &err), STORE_ABSENT);
	assert_null(flight.body.at);
	assert_int_equal(counts(f).sending, 0);
	begin(f);		/* a settlement that comes twice changes nothing */
	assert_int_equal(call_settle(f->d, f->s, OURS, &(struct store_settlement){ .id = 1,
	    .state = STATE_WAITING }, NULL, &err), STORE_ABSENT);
	commit(f);
	assert_int_equal(state_of(f, 1), STATE_FINISHED);
}

static void
test_partial_evidence(void **state)
{
	struct fixture *f = *state;
	static struct store_flight flight;
	struct store_answer first[] = {
		{ .segment = 2, .state = ANSWER_REFUSED },
		{ .segment = 1, .state = ANSWER_ACCEPTED, .foreign_id = TEXT("a1") },
	};
	struct store_answer second[] = {
		{ .segment = 2, .state = ANSWER_ACCEPTED, .foreign_id = TEXT("a2") },
	};
	struct store_settlement st = { .id = 1, .order_key = plain.order_key, .state = STATE_WAITING,
	    .attempt = 1, .due = 7000, .segments = 2, .answers = first, .answer_count = 2,
	    .domain = TEXT("dom") };
	struct store_joined joined;
	struct err err = { 0 };

	begin(f);
	put_id(f, 1);
	mark_id(f, 1, 1);
	settle(f, &st);
	commit(f);
	reopen(f);
	ok(call_flight(f->d, f->s, 1, plain.order_key, &flight, &err), &err);
	assert_int_equal(flight.state, STATE_WAITING);
	assert_int_equal(flight.segments, 2);
	assert_int_equal(flight.answer_count, 2);
	assert_int_equal(flight.answers[0].segment, 1);
	assert_int_equal(flight.answers[0].state, ANSWER_ACCEPTED);
	assert_text(flight.answers[0].foreign_id, "a1");
	assert_int_equal(flight.answers[1].state, ANSWER_REFUSED);
	assert_int_equal(view(f, 1).due, 7000);

	/* the first segment's receipt comes while the second waits: kept, decides nothing yet */
	begin(f);
	joined = receipt(f, "a1", RECEIPT_DELIVERED, 3000);
	assert_true(joined.matched && joined.changed && !joined.ripe);
	mark_id(f, 1, 1);
	st.state = STATE_AWAITING;
	st.answers = second;
	st.answer_count = 1;
	st.segments = 0;		/* as before */
	assert_false(settle(f, &st).ripe);
	joined = receipt(f, "a2", RECEIPT_DELIVERED, 3000);
	assert_true(joined.ripe);
	assert_int_equal(joined.state, RECEIPT_DELIVERED);
	commit(f);
}

static void
test_new_attempt(void **state)
{
	struct fixture *f = *state;
	static struct store_flight flight;
	struct store_answer answers[] = {
		{ .segment = 1, .state = ANSWER_ACCEPTED, .foreign_id = TEXT("old1") },
		{ .segment = 2, .state = ANSWER_UNKNOWN },
	};
	struct store_answer again[] = {
		{ .segment = 1, .state = ANSWER_ACCEPTED, .foreign_id = TEXT("new1") },
	};
	struct store_settlement st = { .id = 1, .order_key = plain.order_key, .state = STATE_UNKNOWN,
	    .attempt = 1, .due = 7000, .segments = 2, .answers = answers, .answer_count = 2,
	    .domain = TEXT("dom") };
	struct store_joined joined;
	struct err err = { 0 };
	uint64_t id;

	begin(f);
	put_id(f, 1);
	mark_id(f, 1, 1);
	settle(f, &st);
	mark_id(f, 1, 2);		/* another link: all of it again */
	commit(f);
	ok(call_flight(f->d, f->s, 1, plain.order_key, &flight, &err), &err);
	assert_int_equal(flight.attempt, 2);
	assert_int_equal(flight.answer_count, 0);	/* evidence of the open attempt only */
	begin(f);
	joined = receipt(f, "old1", RECEIPT_DELIVERED, 3000);
	assert_true(joined.matched);			/* it is ours ... */
	assert_false(joined.changed);			/* ... but its attempt is over */
	st.state = STATE_WAITING;
	st.attempt = 2;
	st.answers = again;
	st.answer_count = 1;
	st.new_attempt = true;
	settle(f, &st);
	commit(f);
	assert_int_equal(call_find_foreign(f->d, f->s, TEXT("dom"), TEXT("old1"), &id, &err), STORE_ABSENT);
	ok(call_find_foreign(f->d, f->s, TEXT("dom"), TEXT("new1"), &id, &err), &err);
	assert_int_equal(id, 1);
	ok(call_flight(f->d, f->s, 1, plain.order_key, &flight, &err), &err);
	assert_int_equal(flight.answer_count, 1);
	assert_text(flight.answers[0].foreign_id, "new1");
}

/* --- receipts --- */

static const struct receipt_case {
	const char	*name;
	unsigned	 segments;
	struct { unsigned segment; uint8_t state; } said[4];
	/* after the last one */
	bool		 changed, first_pending, ripe;
	uint8_t		 state;
} receipt_cases[] = {
	{ "delivered", 1, { { 1, RECEIPT_DELIVERED } }, true, false, true, RECEIPT_DELIVERED },
	{ "failed", 1, { { 1, RECEIPT_FAILED } }, true, false, true, RECEIPT_FAILED },
	{ "expired", 1, { { 1, RECEIPT_EXPIRED } }, true, false, true, RECEIPT_EXPIRED },
	{ "the SMSC does not know", 1, { { 1, RECEIPT_UNKNOWN } }, true, false, true, RECEIPT_UNKNOWN },
	{ "pending is told once", 1, { { 1, RECEIPT_PENDING } }, true, true, false, RECEIPT_PENDING },
	{ "pending twice", 1, { { 1, RECEIPT_PENDING }, { 1, RECEIPT_PENDING } },
	    false, false, false, 0 },
	{ "delivered twice", 1, { { 1, RECEIPT_DELIVERED }, { 1, RECEIPT_DELIVERED } },
	    false, false, false, 0 },
	{ "failed after delivered", 1, { { 1, RECEIPT_DELIVERED }, { 1, RECEIPT_FAILED } },
	    false, false, false, 0 },
	{ "delivered after pending", 1, { { 1, RECEIPT_PENDING }, { 1, RECEIPT_DELIVERED } },
	    true, false, true, RECEIPT_DELIVERED },
	{ "one of two is not enough", 2, { { 1, RECEIPT_DELIVERED } }, true, false, false, 0 },
	{ "both, backwards", 2, { { 2, RECEIPT_DELIVERED }, { 1, RECEIPT_DELIVERED } },
	    true, false, true, RECEIPT_DELIVERED },
	{ "the same segment twice is not both", 2, { { 1, RECEIPT_DELIVERED }, { 1, RECEIPT_DELIVERED } },
	    false, false, false, 0 },
	{ "one failed segment decides", 2, { { 2, RECEIPT_FAILED } }, true, false, true, RECEIPT_FAILED },
	{ "one expired segment decides", 3, { { 1, RECEIPT_DELIVERED }, { 3, RECEIPT_EXPIRED } },
	    true, false, true, RECEIPT_EXPIRED },
	{ "unknown is worse than delivered", 2, { { 1, RECEIPT_UNKNOWN }, { 2, RECEIPT_DELIVERED } },
	    true, false, true, RECEIPT_UNKNOWN },
	{ "only the first pending of two segments is told", 2,
	    { { 1, RECEIPT_PENDING }, { 2, RECEIPT_PENDING } }, true, false, false, 0 },
	{ "after the decision nothing counts", 2, { { 1, RECEIPT_FAILED }, { 2, RECEIPT_DELIVERED } },
	    false, false, false, 0 },
};

static void
test_receipts(void **state)
{
	struct fixture *f = *state;
	static const char *const ids[][3] = { { "f1", "f2", "f3" } };
	uint64_t id = 1;

	for (size_t i = 0; i < sizeof receipt_cases / sizeof *receipt_cases; i++, id++) {
		const struct receipt_case *c = &receipt_cases[i];
		struct store_joined j = { 0 };
		char names[3][16];
		const char *foreign[3] = { names[0], names[1], names[2] };

		for (unsigned n = 0; n < 3; n++)
			snprintf(names[n], sizeof names[n], "%s-%zu", ids[0][n], i);
		begin(f);
		put_id(f, id);
		mark_id(f, id, 1);
		await(f, id, c->segments, foreign);
		commit(f);
		begin(f);
		for (unsigned n = 0; n < 4 && c->said[n].segment != 0; n++)
			j = receipt(f, foreign[c->said[n].segment - 1], c->said[n].state, 5000);
		commit(f);
		if (!j.matched || j.changed != c->changed || j.ripe != c->ripe ||
		    j.first_pending != c->first_pending || j.id != id ||
		    ((j.ripe || j.first_pending) && j.state != c->state))
			fail_msg("%s: matched %d changed %d pending %d ripe %d state %d", c->name, j.matched,
			    j.changed, j.first_pending, j.ripe, j.state);
	}
}

static void
test_receipt_tells_the_owner(void **state)
{
	struct fixture *f = *state;
	static struct store_flight flight;
	struct store_joined j;
	struct err err = { 0 };

	begin(f);
	put_id(f, 1);
	mark_id(f, 1, 1);
	await(f, 1, 2, (const char *const[]){ "f1", "f2" });
	commit(f);
	reopen(f);
	begin(f);
	j = receipt(f, "f1", RECEIPT_PENDING, 5000);
	assert_text(j.body, "body\0of one");
	assert_text(j.link, "0/vf1");
	assert_text(j.foreign_id, "f1");
	j = receipt(f, "f2", RECEIPT_FAILED, 5000);
	assert_true(j.order_key == plain.order_key);
	assert_text(j.body, "body\0of one");
	assert_text(j.link, "0/vf1");
	assert_text(j.foreign_id, "f2");
	assert_text(j.said, "stat:DELIVRD");
	commit(f);
	reopen(f);		/* a crash here: the owner finds the decision again */
	assert_int_equal(counts(f).awaiting, 1);
	ok(call_flight(f->d, f->s, 1, plain.order_key, &flight, &err), &err);
	assert_int_equal(flight.state, STATE_RIPE);
	assert_int_equal(flight.receipt_state, RECEIPT_FAILED);
	assert_text(flight.receipt_id, "f2");
	assert_text(flight.receipt_said, "stat:DELIVRD");
	assert_text(flight.body, "body\0of one");
}

/* A crash may come between the first intermediate report and whoever tells of it. */
static void
test_pending_is_told_once(void **state)
{
	struct fixture *f = *state;
	struct store_settlement told = { .id = 1, .order_key = plain.order_key, .attempt = 1,
	    .state = STATE_AWAITING, .at = 6000, .pending = PENDING_TOLD };
	static struct store_flight flight;
	struct loaded l = { 0 };
	struct err err = { 0 };
	struct store_cursor at = { 0 };

	begin(f);
	put_id(f, 1);
	mark_id(f, 1, 1);
	await(f, 1, 2, (const char *const[]){ "f1", "f2" });
	assert_int_equal(call_settle(f->d, f->s, OURS, &told, NULL, &err), STORE_TOO_LATE);	/* of what? */
	assert_true(receipt(f, "f1", RECEIPT_PENDING, 5000).first_pending);
	commit(f);
	reopen(f);
	assert_int_equal(f->d->overdue(f->s, &every_part, &at, 10, 5000, loaded_one, &l, &err), 0);
	assert_int_equal(l.n, 1);
	assert_true(l.rows[0].pending);
	assert_int_equal(l.rows[0].state, STATE_AWAITING);
	ok(call_flight(f->d, f->s, 1, plain.order_key, &flight, &err), &err);
	assert_int_equal(flight.receipt_state, RECEIPT_PENDING);
	assert_text(flight.receipt_id, "f1");
	assert_text(flight.receipt_said, "stat:DELIVRD");
	begin(f);
	settle(f, &told);
	assert_int_equal(call_settle(f->d, f->s, OURS, &told, NULL, &err), STORE_TOO_LATE);	/* again */
	assert_false(receipt(f, "f2", RECEIPT_PENDING, 5000).first_pending);
	commit(f);
	at = (struct store_cursor){ 0 };
	l.n = 0;
	assert_int_equal(f->d->overdue(f->s, &every_part, &at, 10, 5000, loaded_one, &l, &err), 0);
	assert_int_equal(l.n, 0);
	begin(f);
	put_id(f, 2);		/* nobody wants to hear of this one */
	mark_id(f, 2, 1);
	told.id = 2;
	told.pending = PENDING_AS_IT_WAS;
	told.answers = &(struct store_answer){ .segment = 1, .state = ANSWER_ACCEPTED,
	    .foreign_id = TEXT("f3") };
	told.answer_count = 1;
	told.domain = TEXT("dom");
	settle(f, &told);
	assert_false(receipt(f, "f3", RECEIPT_PENDING, 5000).first_pending);
	commit(f);
}

static void
test_early_receipts(void **state)
{
	struct fixture *f = *state;
	struct store_joined j;

	begin(f);
	put_id(f, 1);
	mark_id(f, 1, 1);
	j = receipt(f, "f1", RECEIPT_PENDING, 2500);
	assert_false(j.matched);
	assert_true(j.changed);
	assert_true(receipt(f, "f1", RECEIPT_DELIVERED, 2600).changed);
	assert_false(receipt(f, "f1", RECEIPT_FAILED, 2700).changed);	/* the final one stays */
	commit(f);
	assert_int_equal(counts(f).early, 1);
	reopen(f);
	begin(f);
	j = await(f, 1, 1, (const char *const[]){ "f1" });
	assert_true(j.matched && j.changed && j.ripe);
	assert_int_equal(j.state, RECEIPT_DELIVERED);
	assert_int_equal(j.id, 1);
	assert_text(j.body, "body\0of one");
	assert_text(j.foreign_id, "f1");
	commit(f);
	assert_int_equal(counts(f).early, 0);
	assert_int_equal(state_of(f, 1), STATE_RIPE);
}

static void
test_early_pending(void **state)
{
	struct fixture *f = *state;
	struct store_joined j;

	begin(f);
	put_id(f, 1);
	mark_id(f, 1, 1);
	receipt(f, "f2", RECEIPT_PENDING, 2500);
	j = await(f, 1, 2, (const char *const[]){ "f1", "f2" });
	assert_true(j.matched && j.first_pending && !j.ripe);
	assert_int_equal(j.state, RECEIPT_PENDING);
	assert_text(j.body, "body\0of one");
	assert_false(receipt(f, "f1", RECEIPT_PENDING, 2600).first_pending);
	commit(f);
}

/* An SMSC whose ids wrap around: a receipt of last week is not this message's. */
static void
test_early_receipt_of_an_older_message(void **state)
{
	struct fixture *f = *state;
	struct store_row row = plain;
	struct store_mark mark = mark1;
	struct store_joined j;

	mark.at = 100 * HOUR;
	row.mark = &mark;
	begin(f);
	receipt(f, "f1", RECEIPT_DELIVERED, 90 * HOUR);
	assert_int_equal(put_row(f, &row), STORE_OK);
	j = await(f, 1, 1, (const char *const[]){ "f1" });
	assert_false(j.matched);
	commit(f);
	assert_int_equal(counts(f).early, 0);
	assert_int_equal(state_of(f, 1), STATE_AWAITING);
}

/* The same foreign id again: it is the newer message's, and stays so when the older one ends. */
static void
test_foreign_id_reused(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	uint64_t id;

	begin(f);
	put_id(f, 1);
	put_id(f, 2);
	await(f, 1, 1, (const char *const[]){ "same" });
	await(f, 2, 1, (const char *const[]){ "same" });
	finish(f, 1, 100);
	ok(call_find_foreign(f->d, f->s, TEXT("dom"), TEXT("same"), &id, &err), &err);
	assert_int_equal(id, 2);
	assert_int_equal(call_find_foreign(f->d, f->s, TEXT("other"), TEXT("same"), &id, &err), STORE_ABSENT);
	assert_int_equal(receipt(f, "same", RECEIPT_DELIVERED, 5000).id, 2);
	commit(f);
}

static void
test_segment_without_foreign_id(void **state)
{
	struct fixture *f = *state;

	begin(f);
	put_id(f, 1);
	await(f, 1, 2, (const char *const[]){ "", "f2" });	/* no receipt can match the first */
	assert_true(receipt(f, "f2", RECEIPT_DELIVERED, 5000).ripe);
	commit(f);
}

/* --- cancel and replace --- */

static void
test_cancel(void **state)
{
	struct fixture *f = *state;
	static struct store_flight flight;
	struct store_view v;
	struct err err = { 0 };

	begin(f);
	assert_int_equal(call_cancel(f->d, f->s, OURS, 4711, 0, 50, &err), STORE_ABSENT);
	put_id(f, 1);
	ok(call_cancel(f->d, f->s, OURS, 1, plain.order_key, 50, &err), &err);
	assert_int_equal(call_cancel(f->d, f->s, OURS, 1, plain.order_key, 50, &err), STORE_TOO_LATE);
	commit(f);
	v = view(f, 1);
	assert_int_equal(v.state, STATE_FINISHED);
	assert_int_equal(v.outcome, OUTCOME_CANCELLED);
	assert_int_equal(v.finished, 50);
	assert_int_equal(call_flight(f->d, f->s, 1, plain.order_key, &flight, &err), STORE_ABSENT);
	assert_int_equal(counts(f).waiting, 0);
}

static void
test_replace(void **state)
{
	struct fixture *f = *state;
	static struct store_flight flight;
	struct err err = { 0 };

	begin(f);
	assert_int_equal(call_replace(f->d, f->s, OURS, 4711, 0, TEXT("x"), 50, &err), STORE_ABSENT);
	put_id(f, 1);
	ok(call_replace(f->d, f->s, OURS, 1, plain.order_key, TEXT("another body"), 8000, &err), &err);
	commit(f);
	reopen(f);
	ok(call_flight(f->d, f->s, 1, plain.order_key, &flight, &err), &err);
	assert_text(flight.body, "another body");
	assert_int_equal(view(f, 1).expires, 8000);
}

static const struct unsent_case {
	const char	*name;
	unsigned	 marks;
	bool		 settle;
	enum store_state state;
	uint8_t		 answer;	/* enum store_answer_state; NONE: no answer kept */
	enum store_result want;
} unsent_cases[] = {
	{ "never marked", 0, false, STATE_WAITING, ANSWER_NONE, STORE_OK },
	{ "marked: octets may be leaving", 1, false, STATE_WAITING, ANSWER_NONE, STORE_TOO_LATE },
	{ "refused for now: nothing left", 1, true, STATE_WAITING, ANSWER_REFUSED, STORE_OK },
	{ "put back unsent", 1, true, STATE_WAITING, ANSWER_NONE, STORE_OK },
	{ "one segment was accepted", 1, true, STATE_WAITING, ANSWER_ACCEPTED, STORE_TOO_LATE },
	{ "one segment is unknown", 1, true, STATE_WAITING, ANSWER_UNKNOWN, STORE_TOO_LATE },
	{ "outcome unknown", 1, true, STATE_UNKNOWN, ANSWER_NONE, STORE_TOO_LATE },
	{ "held for a person", 1, true, STATE_HELD, ANSWER_NONE, STORE_TOO_LATE },
	{ "awaiting receipts", 1, true, STATE_AWAITING, ANSWER_NONE, STORE_TOO_LATE },
	{ "marked over an open mark, then refused", 2, true, STATE_WAITING, ANSWER_NONE, STORE_TOO_LATE },
};

static void
test_until_it_leaves(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	uint64_t id = 1;

	begin(f);
	for (size_t i = 0; i < sizeof unsent_cases / sizeof *unsent_cases; i++, id++) {
		const struct unsent_case *c = &unsent_cases[i];
		struct store_answer answer = { .segment = 1, .state = c->answer };
		enum store_result got;

		put_id(f, id);
		for (unsigned n = 0; n < c->marks; n++)
			mark_id(f, id, 1);
		if (c->settle)
			settle(f, &(struct store_settlement){ .id = id, .order_key = plain.order_key,
			    .state = c->state, .attempt = 1, .answers = &answer,
			    .answer_count = c->answer != ANSWER_NONE, .domain = TEXT("dom") });
		got = call_replace(f->d, f->s, OURS, id, plain.order_key, TEXT("new"), 5, &err);
		if (got != c->want)
			fail_msg("replace, %s: %d", c->name, got);
		got = call_cancel(f->d, f->s, OURS, id, plain.order_key, 5, &err);
		if (got != c->want)
			fail_msg("cancel, %s: %d", c->name, got);
	}
	commit(f);
}

/* --- news --- */

struct heard {
	uint64_t	 ids[8];
	unsigned	 n, seen;
};

static void
heard_one(void *arg, const struct store_news *news)
{
	struct heard *h = arg;

	assert_int_equal(news->kind, NEWS_MESSAGE);
	assert_text(news->message.msisdn, "+358401");
	assert_text(news->message.smsc, "vf1");
	assert_int_equal(news->message.state, STATE_WAITING);
	assert_int_equal(news->message.accepted, 1000);
	h->ids[h->n++ % 8] = news->message.id;
}

static struct heard
news(struct fixture *f, unsigned part, unsigned most)
{
	struct store_parts parts = { { 0 } };
	struct heard h = { .n = 0 };
	struct err err = { 0 };

	parts_set(&parts, part, true);
	if (f->d->news(f->s, &parts, most, heard_one, &h, &h.seen, &err) == -1)
		fail_err("news", &err);
	return h;
}

/* What comes while nobody has the partition, or somebody else. */
static void
test_news(void **state)
{
	struct fixture *f = *state;
	struct store_row row = plain;
	struct loaded l = { 0 };
	struct err err = { 0 };
	struct store_cursor at = { 0 };
	struct heard h;
	uint64_t id, existing;

	begin(f);
	for (row.id = 1; row.id <= 3; row.id++)
		ok(call_put(f->d, f->s, 0, &row, &existing, &err), &err);
	row.id = 4;
	row.push_id = TEXT("p");
	row.order_key = 0x4300000000000000;	/* another partition */
	ok(call_put(f->d, f->s, 0, &row, &existing, &err), &err);
	row.id = 5;
	assert_int_equal(call_put(f->d, f->s, 0, &row, &existing, &err), STORE_EXISTS);
	assert_int_equal(existing, 4);
	commit(f);
	reopen(f);
	assert_int_equal(f->d->load(f->s, &every_part, &at, 10, loaded_one, &l, &err), 0);
	assert_int_equal(l.n, 0);				/* nobody's yet */
	assert_true(at.end);
	assert_int_equal(state_of(f, 2), STATE_WAITING);	/* but it can be asked for */
	ok(call_find_push_id(f->d, f->s, TEXT("alice"), TEXT("p"), &id, &err), &err);
	assert_int_equal(id, 4);
	begin(f);
	h = news(f, 0x42, 2);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.ids[0], 1);
	assert_int_equal(h.ids[1], 2);
	commit(f);
	assert_int_equal(counts(f).waiting, 2);
	begin(f);
	assert_int_equal(news(f, 0x42, 10).n, 1);
	assert_int_equal(news(f, 0x42, 10).n, 0);
	mark_id(f, 3, 1);
	commit(f);
	assert_int_equal(counts(f).waiting, 2);
	assert_int_equal(state_of(f, 3), STATE_SENDING);
}

/* Somebody came first, and shows up only in this round: the mark must not be taken. */
static void
test_news_go_first(void **state)
{
	struct fixture *f = *state;
	struct store_row row = plain;
	struct err err = { 0 };
	uint64_t existing;
	enum store_put how;

	begin(f);
	row.id = 1;
	ok(call_put(f->d, f->s, 0, &row, &existing, &err), &err);
	commit(f);
	begin(f);
	assert_int_equal(news(f, 0x42, 10).n, 1);
	row.id = 2;
	row.mark = &mark1;
	row.epoch = f->d->epoch(f->s, 0x42);
	ok(call_submit(f->d, f->s, &row, 1, &existing, &how, &err), &err);
	assert_int_equal(how, PUT_WAITING);
	row.id = 3;
	row.order_key++;			/* another receiver */
	ok(call_submit(f->d, f->s, &row, 1, &existing, &how, &err), &err);
	assert_int_equal(how, PUT_MARKED);
	commit(f);
	assert_int_equal(state_of(f, 2), STATE_WAITING);
	assert_int_equal(state_of(f, 3), STATE_SENDING);
	begin(f);				/* the next round */
	row.id = 4;
	row.order_key = plain.order_key;
	ok(call_submit(f->d, f->s, &row, 1, &existing, &how, &err), &err);
	assert_int_equal(how, PUT_MARKED);
	commit(f);
}

/* All rows of a submission, or none. */
static void
test_submission(void **state)
{
	struct fixture *f = *state;
	struct store_row rows[3] = { plain, plain, plain };
	struct err err = { 0 };
	struct store_view v;
	uint64_t existing[3];
	enum store_put how[3];

	for (unsigned i = 0; i < 3; i++) {
		rows[i].id = 1 + i;
		rows[i].epoch = f->d->epoch(f->s, 0x42);
	}
	rows[1].push_id = TEXT("mine");
	rows[2].mark = &mark1;
	begin(f);
	ok(call_submit(f->d, f->s, rows, 3, existing, how, &err), &err);
	assert_int_equal(how[0], PUT_WAITING);
	assert_int_equal(how[2], PUT_MARKED);
	commit(f);
	for (unsigned i = 0; i < 3; i++)
		rows[i].id = 11 + i;
	begin(f);
	assert_int_equal(call_submit(f->d, f->s, rows, 3, existing, how, &err), STORE_EXISTS);
	assert_int_equal(existing[0], 0);
	assert_int_equal(existing[1], 2);
	rows[0].push_id = rows[1].push_id = TEXT("twice");
	assert_int_equal(call_submit(f->d, f->s, rows, 3, existing, how, &err), STORE_FAILED);
	assert_int_not_equal(err.code, ERR_STORE);
	f->d->rollback(f->s);
	assert_int_equal(call_find(f->d, f->s, 11, &v, &err), STORE_ABSENT);
	assert_int_equal(counts(f).waiting, 2);
}

/* --- notices --- */

struct noticed {
	uint64_t	 ids[8];
	unsigned	 n;
	struct store_notice last;
	char		 url[64];
};

static void
noticed_one(void *arg, const struct store_notice *n)
{
	struct noticed *seen = arg;

	seen->ids[seen->n++ % 8] = n->id;
	seen->last = *n;
	snprintf(seen->url, sizeof seen->url, "%.*s", TEXT_ARGS(n->url));
}

static void
test_notices(void **state)
{
	struct fixture *f = *state;
	struct store_notice two[] = {
		{ .id = 10, .message = 1, .order_key = plain.order_key, .url = TEXT("http://a/8"),
		  .due = 1, .until = 100 },
		{ .id = 11, .message = 1, .order_key = plain.order_key, .url = TEXT("http://a/1"),
		  .due = 2, .until = 100 },
	};
	struct noticed seen = { 0 };
	struct store_notice n;
	struct err err = { 0 };
	struct store_cursor at = { 0 };

	begin(f);
	put_id(f, 1);
	settle(f, &(struct store_settlement){ .id = 1, .order_key = plain.order_key,
	    .state = STATE_FINISHED, .outcome = OUTCOME_DELIVERED, .notices = two, .notice_count = 2 });
	commit(f);
	reopen(f);
	assert_int_equal(counts(f).notices, 2);
	assert_int_equal(f->d->notices(f->s, &every_part, &at, 1, noticed_one, &seen, &err), 0);
	assert_int_equal(seen.n, 1);
	assert_false(at.end);
	assert_int_equal(f->d->notices(f->s, &every_part, &at, 5, noticed_one, &seen, &err), 0);
	assert_int_equal(seen.n, 2);
	assert_true(at.end);
	assert_int_equal(seen.ids[0], 10);
	assert_int_equal(seen.ids[1], 11);
	assert_int_equal(seen.last.message, 1);
	assert_string_equal(seen.url, "http://a/1");

	begin(f);
	ok(call_notice_later(f->d, f->s, 11, plain.order_key, 3, 5000, &err), &err);
	ok(call_notice_done(f->d, f->s, 10, plain.order_key, &err), &err);
	assert_int_equal(call_notice_done(f->d, f->s, 10, plain.order_key, &err), STORE_ABSENT);
	assert_int_equal(call_notice_later(f->d, f->s, 10, plain.order_key, 1, 1, &err), STORE_ABSENT);
	commit(f);
	ok(call_notice(f->d, f->s, 11, plain.order_key, &n, &err), &err);
	assert_int_equal(n.tries, 3);
	assert_int_equal(n.due, 5000);
	assert_int_equal(n.until, 100);
	assert_text(n.url, "http://a/1");
	assert_int_equal(call_notice(f->d, f->s, 10, plain.order_key, &n, &err), STORE_ABSENT);
	assert_int_equal(counts(f).notices, 1);
}

/* --- reading --- */

static void
test_load(void **state)
{
	struct fixture *f = *state;
	static const enum store_state states[] = { STATE_WAITING, STATE_SENDING, STATE_UNKNOWN,
	    STATE_HELD, STATE_AWAITING, STATE_WAITING };
	struct loaded l = { 0 };
	struct err err = { 0 };
	struct store_cursor at = { 0 };
	unsigned slices = 0;

	begin(f);
	for (uint64_t id = 1; id <= 6; id++) {
		put_id(f, id);
		mark_id(f, id, 1);
		if (states[id - 1] != STATE_SENDING)
			settle(f, &(struct store_settlement){ .id = id, .order_key = plain.order_key,
			    .state = states[id - 1], .attempt = 1, .due = 1234, .tries = (uint16_t)id,
			    .refused = 5 });
	}
	put_id(f, 7);
	finish(f, 7, 100);
	commit(f);
	reopen(f);
	do {
		assert_int_equal(f->d->load(f->s, &every_part, &at, 2, loaded_one, &l, &err), 0);
		slices++;
	} while (!at.end);
	assert_true(slices <= 4);
	assert_int_equal(l.n, 5);
	assert_true(l.texts);
	assert_int_equal(l.rows[1].id, 2);
	assert_int_equal(l.rows[1].state, STATE_SENDING);
	assert_int_equal(l.rows[1].attempt, 1);
	assert_int_equal(l.rows[1].reference, 77);
	assert_int_equal(l.rows[1].marked, 2000);
	assert_int_equal(l.rows[1].expires, 5000);
	assert_int_equal(l.rows[1].accepted, 1000);
	assert_int_equal(l.rows[1].klass, 1);
	assert_true(l.rows[1].order_key == plain.order_key);
	assert_int_equal(l.rows[2].state, STATE_UNKNOWN);
	assert_int_equal(l.rows[2].due, 1234);
	assert_int_equal(l.rows[2].tries, 3);
	assert_int_equal(l.rows[2].refused, 5);
	assert_int_equal(l.rows[3].state, STATE_HELD);
	assert_int_equal(l.rows[4].id, 6);
	assert_int_equal(counts(f).waiting, 2);
	assert_int_equal(counts(f).sending, 2);
	assert_int_equal(counts(f).held, 1);
	assert_int_equal(counts(f).awaiting, 1);
}

static void
test_overdue(void **state)
{
	struct fixture *f = *state;
	struct loaded l = { 0 };
	struct err err = { 0 };
	struct store_cursor at = { 0 };

	begin(f);
	put_id(f, 1);
	for (uint64_t id = 2; id <= 3; id++) {
		put_id(f, id);
		await(f, id, 1, (const char *const[]){ id == 2 ? "f2" : "f3" });
	}
	receipt(f, "f3", RECEIPT_DELIVERED, 3000);
	commit(f);
	/* expires is 5000: a day later they are given up */
	assert_int_equal(f->d->overdue(f->s, &every_part, &at, 10, 5000 + 24 * HOUR, loaded_one, &l, &err), 0);
	assert_true(at.end);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.rows[0].id, 3);
	assert_int_equal(l.rows[0].state, STATE_RIPE);
	at = (struct store_cursor){ 0 };
	l.n = 0;
	assert_int_equal(f->d->overdue(f->s, &every_part, &at, 10, 5001 + 24 * HOUR, loaded_one, &l, &err), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.rows[0].id, 2);
	assert_int_equal(l.rows[0].state, STATE_AWAITING);
}

struct viewed {
	uint64_t	 ids[16];
	unsigned	 n;
};

static void
viewed_one(void *arg, const struct store_view *v)
{
	struct viewed *seen = arg;

	seen->ids[seen->n++ % 16] = v->id;
}

static void
test_find_msisdn(void **state)
{
	struct fixture *f = *state;
	/* neighbours, other blocks, a gap; and one id with another address and the same key */
	static const uint64_t ids[] = { 1, 2, 4095, 4096, 5000, 100000, 70000000 };
	struct store_row row = plain;
	struct viewed seen = { 0 };
	struct err err = { 0 };

	begin(f);
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		put_id(f, ids[i]);
	row.id = 3;
	row.msisdn = TEXT("+999");
	assert_int_equal(put_row(f, &row), STORE_OK);
	row.id = 6;
	row.order_key++;
	assert_int_equal(put_row(f, &row), STORE_OK);
	finish(f, 4096, 100);
	commit(f);
	assert_int_equal(f->d->find_msisdn(f->s, plain.order_key, plain.msisdn, 20, viewed_one, &seen,
	    &err), 0);
	assert_int_equal(seen.n, 7);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(seen.ids[i], ids[6 - i]);
	seen.n = 0;
	assert_int_equal(f->d->find_msisdn(f->s, plain.order_key, plain.msisdn, 3, viewed_one, &seen,
	    &err), 0);
	assert_int_equal(seen.n, 3);
	seen.n = 0;
	assert_int_equal(f->d->find_msisdn(f->s, plain.order_key, TEXT("+000"), 3, viewed_one, &seen,
	    &err), 0);
	assert_int_equal(seen.n, 0);
}

/* --- purge --- */

static void
test_purge(void **state)
{
	struct fixture *f = *state;
	struct store_row row = plain;
	struct viewed seen = { 0 };
	struct store_view v;
	struct err err = { 0 };
	unsigned gone;
	uint64_t id;

	begin(f);
	for (row.id = 1; row.id <= 5; row.id++) {
		char push_id[8];

		snprintf(push_id, sizeof push_id, "p%d", (int)row.id);
		row.push_id = text_of(push_id);
		assert_int_equal(put_row(f, &row), STORE_OK);
		if (row.id <= 4)
			finish(f, row.id, (wall_t)(100 - row.id));	/* not in order of ids */
	}
	receipt(f, "e1", RECEIPT_DELIVERED, 50);
	receipt(f, "e2", RECEIPT_DELIVERED, 150);
	commit(f);
	begin(f);
	assert_int_equal(f->d->purge(f->s, 98, 1, &gone, &err), 0);
	assert_int_equal(gone, 1);
	commit(f);
	assert_int_equal(call_find(f->d, f->s, 4, &v, &err), STORE_ABSENT);	/* the oldest first */
	begin(f);
	assert_int_equal(f->d->purge(f->s, 98, 10, &gone, &err), 0);
	assert_int_equal(gone, 2);		/* message 3 (at 97) and e1; message 2 is at 98 */
	commit(f);
	reopen(f);
	assert_int_equal(call_find(f->d, f->s, 3, &v, &err), STORE_ABSENT);
	assert_int_equal(call_find_push_id(f->d, f->s, TEXT("alice"), TEXT("p3"), &id, &err), STORE_ABSENT);
	assert_int_equal(state_of(f, 2), STATE_FINISHED);
	ok(call_find_push_id(f->d, f->s, TEXT("alice"), TEXT("p2"), &id, &err), &err);
	assert_int_equal(f->d->find_msisdn(f->s, plain.order_key, plain.msisdn, 20, viewed_one, &seen,
	    &err), 0);
	assert_int_equal(seen.n, 3);
	assert_int_equal(counts(f).early, 1);
	begin(f);
	assert_int_equal(f->d->purge(f->s, 1000, 10, &gone, &err), 0);
	commit(f);
	assert_int_equal(gone, 3);
	assert_int_equal(state_of(f, 5), STATE_WAITING);	/* what waits is never purged */
}

/* Random lives against both drivers at once would need one oracle; the memory store is it. */
struct agree {
	struct fixture	*f;
	struct store	*oracle;
};

static void
agree_views(struct agree *a, uint64_t most)
{
	struct err err = { 0 };

	for (uint64_t id = 1; id <= most; id++) {
		struct store_view got = { 0 }, want = { 0 };
		enum store_result r = call_find(a->f->d, a->f->s, id, &got, &err);

		assert_int_equal(r, call_find(&store_memory, a->oracle, id, &want, &err));
		if (r != STORE_OK)
			continue;
		assert_int_equal(got.state, want.state);
		assert_int_equal(got.outcome, want.outcome);
		assert_int_equal(got.attempt, want.attempt);
		assert_int_equal(got.due, want.due);
		assert_int_equal(got.finished, want.finished);
		assert_true(text_eq(got.link, want.link));
		assert_true(text_eq(got.push_id, want.push_id));
	}
}

static unsigned
roll(unsigned n)
{
	return (unsigned)(random() % n);
}

static enum store_result
random_settle(const struct store_driver *d, struct store *s, unsigned seed, uint64_t id,
    struct store_joined *joined)
{
	static const enum store_state to[] = { STATE_WAITING, STATE_UNKNOWN, STATE_HELD, STATE_AWAITING,
	    STATE_AWAITING, STATE_FINISHED };
	struct store_answer answers[3];
	char foreign[3][8];
	struct store_settlement st = { .id = id, .order_key = plain.order_key, .answers = answers,
	    .domain = TEXT("dom"), .segments = (uint8_t)(1 + seed % 3), .due = seed % 1000,
	    .at = 1000 + seed % 5000, .outcome = OUTCOME_FAILED, .attempt = (uint16_t)(1 + seed / 7 % 2),
	    .new_attempt = seed / 11 % 4 == 0, .state = to[seed / 13 % 6],
	    .pending = (enum store_pending)(seed / 17 % 3) };
	struct err err = { 0 };

	st.answer_count = seed / 17 % 4;
	for (unsigned i = 0; i < st.answer_count; i++) {
		snprintf(foreign[i], sizeof foreign[i], "f%u", (seed / 19 + i * 7) % 40);
		answers[i] = (struct store_answer){ .segment = (uint8_t)(1 + i),
		    .state = ANSWER_ACCEPTED, .foreign_id = text_of(foreign[i]) };
	}
	return call_settle(d, s, OURS, &st, joined, &err);
}

static enum store_result
random_step(const struct store_driver *d, struct store *s, unsigned kind, unsigned seed,
    uint64_t id, struct store_joined *joined)
{
	struct store_row row = plain;
	struct err err = { 0 };
	uint64_t existing = 0;
	unsigned gone = 0;
	char text[8];

	snprintf(text, sizeof text, "p%u", seed % 30);
	row.id = id;
	row.mark = seed & 1 ? &mark1 : NULL;
	if (seed & 2)
		row.push_id = text_of(text);
	text[0] = 'f';
	switch (kind) {
	case 0:
		return call_put(d, s, OURS, &row, &existing, &err);
	case 1:
		return call_mark(d, s, OURS, id, row.order_key, &(struct store_mark){
		    .attempt = (uint16_t)(1 + seed % 2), .link = TEXT("0/x"), .at = 2000 }, &err);
	case 2:
		return random_settle(d, s, seed, id, joined);
	case 3:
		return call_receipt(d, s, &(struct store_receipt){ .domain = TEXT("dom"),
		    .foreign_id = text_of(text), .said = TEXT("s"), .at = 3000,
		    .state = (uint8_t)(1 + seed / 3 % 5) }, joined, &err);
	case 4:
		return call_cancel(d, s, OURS, id, row.order_key, 77, &err);
	}
	assert_int_equal(d->purge(s, 3000 + seed % 2000, 2, &gone, &err), 0);
	return STORE_OK;
}

/* Says the same as the executable contract, whatever the order of events. */
static void
test_agrees_with_the_contract(void **state)
{
	struct fixture *f = *state;
	struct agree a = { .f = f };
	struct err err = { 0 };
	uint64_t next = 1;

	srandom(getenv("KANTELE_SEED") != NULL ? (unsigned)atoi(getenv("KANTELE_SEED")) : 20261122);
	a.oracle = call_open(&store_memory, &f->conf, &err);
	for (unsigned round = 0; round < 600; round++) {
		bool undo = roll(5) == 0;
		uint64_t first = next;

		begin(f);
		assert_int_equal(store_memory.begin(a.oracle, f->batch, &err), 0);
		for (unsigned n = 0; n < 12; n++) {
			unsigned kind = roll(24) == 0 ? 5 : roll(20) == 0 ? 4 : roll(4), seed = roll(1u << 30);
			uint64_t id = kind == 0 ? next++ : 1 + roll((unsigned)next);
			struct store_joined got = { 0 }, want = { 0 };
			enum store_result r = random_step(f->d, f->s, kind, seed, id, &got);
			enum store_result w = random_step(&store_memory, a.oracle, kind, seed, id, &want);

			if (r != w || got.matched != want.matched || got.changed != want.changed ||
			    got.ripe != want.ripe || got.first_pending != want.first_pending ||
			    got.state != want.state || got.id != want.id ||
			    !text_eq(got.foreign_id, want.foreign_id) || !text_eq(got.body, want.body) ||
			    !text_eq(got.link, want.link))
				fail_msg("round %u step %u kind %u id %" PRIu64 ": %d %d", round, n, kind,
				    id, r, w);
		}
		if (undo) {
			f->d->rollback(f->s);
			store_memory.rollback(a.oracle);
			next = first;
		} else {
			commit(f);
			assert_int_equal(store_memory.flush(a.oracle, &err), 0);
			assert_int_equal(store_memory.commit(a.oracle, &err), COMMIT_DONE);
		}
		if (round % 25 == 24)
			reopen(f);
	}
	agree_views(&a, next);
	struct store_counts want, got = counts(f);

	store_memory.counts(a.oracle, &want, &err);
	assert_memory_equal(&got, &want, sizeof got);
	store_memory.close(&a.oracle, true);
}

#define T(fn)	{ #fn, fn }
static const struct {
	const char	*name;
	void		(*run)(void **);
} contract[] = {
	T(test_commit_lasts),
	T(test_rollback_leaves_nothing),
	T(test_last_batch),
	T(test_ids_never_come_again),
	T(test_claim_and_fence),
	T(test_put_marked),
	T(test_push_ids),
	T(test_mark_rules),
	T(test_finish),
	T(test_partial_evidence),
	T(test_new_attempt),
	T(test_receipts),
	T(test_receipt_tells_the_owner),
	T(test_pending_is_told_once),
	T(test_early_receipts),
	T(test_early_pending),
	T(test_early_receipt_of_an_older_message),
	T(test_foreign_id_reused),
	T(test_segment_without_foreign_id),
	T(test_cancel),
	T(test_replace),
	T(test_until_it_leaves),
	T(test_news),
	T(test_news_go_first),
	T(test_submission),
	T(test_notices),
	T(test_load),
	T(test_overdue),
	T(test_find_msisdn),
	T(test_purge),
	T(test_agrees_with_the_contract),
};

/* --- what only SQLite has: a file --- */

static void
expect_refused(const char *path, const char *why)
{
	struct store_conf conf = { .path = path };
	struct err err = { 0 };
	struct store *s = store_sqlite.open(&conf, &err);

	if (s != NULL)
		fail_msg("%s: opened", path);
	if (strstr(err.text, why) == NULL)
		fail_msg("%s: \"%s\" says nothing of \"%s\"", path, err.text, why);
}

static void
write_file(const char *path, const void *octets, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, octets, n), (ssize_t)n);
	close(fd);
}

static void
sql_on(const char *path, const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
test_not_our_file(void **state)
{
	static const char zeros[5000];
	struct fixture *f = *state;
	char path[128], lock[140];
	struct stat before, after;

	expect_refused(f->dir, "is a folder");
	expect_refused("", "no path");
	snprintf(path, sizeof path, "%s/no/such/file", f->dir);
	expect_refused(path, "No such file");
	expect_refused("/dev/null", "not a file");

	snprintf(path, sizeof path, "%s/kannel.store", f->dir);
	write_file(path, "\0\0\0\120some records of another program's queue, long enough to look at"
	    "...................................................", 118);
	stat(path, &before);
	expect_refused(path, "no SQLite database");
	stat(path, &after);
	assert_int_equal(before.st_size, after.st_size);
	snprintf(lock, sizeof lock, "%s-lock", path);
	assert_int_equal(access(lock, F_OK), -1);

	/* a page of zeros is a store whose making was cut short; more of them may be anything */
	write_file(path, zeros, sizeof zeros);
	expect_refused(path, "no SQLite database");

	snprintf(path, sizeof path, "%s/other.db", f->dir);
	sql_on(path, "CREATE TABLE dlr(x)");
	expect_refused(path, "another program's SQLite");
	sql_on(path, "PRAGMA application_id=77");
	expect_refused(path, "another program's SQLite");
}

static void
test_schema_versions(void **state)
{
	struct fixture *f = *state;
	struct store_view v;
	struct err err = { 0 };

	begin(f);
	put_id(f, 1);
	commit(f);
	f->d->close(&f->s, true);
	sql_on(f->path, "PRAGMA user_version=1000");
	expect_refused(f->path, "newer kantele");
	/* as version 1 was: raised, nothing lost */
	sql_on(f->path, "DROP INDEX q_turn; ALTER TABLE q DROP COLUMN turn; DROP TABLE moved;"
	    "ALTER TABLE q DROP COLUMN tries; ALTER TABLE q DROP COLUMN refused;"
	    "PRAGMA user_version=1");
	fixture_open(f);
	ok(call_find(f->d, f->s, 1, &v, &err), &err);
	begin(f);
	mark_id(f, 1, 1);
	settle(f, &(struct store_settlement){ .id = 1, .order_key = plain.order_key, .tries = 7 });
	commit(f);

	/* an empty file that somebody made is a new store */
	f->d->close(&f->s, true);
	snprintf(f->path, sizeof f->path, "%s/empty.db", f->dir);
	write_file(f->path, "", 0);
	fixture_open(f);
	begin(f);
	put_id(f, 1);
	commit(f);
}

static void
test_one_gateway_a_store(void **state)
{
	struct fixture *f = *state;
	char pid[40];
	pid_t child;
	int status;

	snprintf(pid, sizeof pid, "in use by process %ld", (long)getpid());
	expect_refused(f->path, pid);
	if ((child = fork()) == 0) {
		struct err err = { 0 };

		_exit(store_sqlite.open(&f->conf, &err) == NULL && strstr(err.text, pid) != NULL ? 0 : 1);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	reopen(f);		/* and free again once it is closed */
}

static void
test_file_mode(void **state)
{
	struct fixture *f = *state;
	static const char *const ends[] = { "", "-wal", "-lock" };
	char path[128];
	struct stat st;

	begin(f);
	put_id(f, 1);
	commit(f);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s%s", f->path, ends[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

struct progress {
	struct fixture	*f;
	unsigned	 calls, last;
	uint64_t	 next;
	bool		 give_up;
};

/* The store goes on in the middle of the copy. */
static bool
copying(void *arg, unsigned done, unsigned total)
{
	struct progress *p = arg;

	assert_true(done <= total && done >= p->last);
	p->last = done;
	p->calls++;
	begin(p->f);
	put_id(p->f, p->next++);
	commit(p->f);
	return !p->give_up;
}

static void
test_backup(void **state)
{
	struct fixture *f = *state;
	struct progress p = { .f = f, .next = 30001 };
	char target[128], part[140];
	struct store_conf conf = { .path = target };
	struct store_counts c;
	struct store *copy;
	struct store_view v;
	struct err err = { 0 };
	struct stat st;

	snprintf(target, sizeof target, "%s/copy.db", f->dir);
	snprintf(part, sizeof part, "%s.part", target);
	begin(f);
	for (uint64_t id = 1; id <= 30000; id++)
		put_id(f, id);
	commit(f);
	p.give_up = true;
	assert_int_equal(store_sqlite_copy(f->path, target, copying, &p, &err), -1);
	assert_int_equal(access(target, F_OK), -1);
	assert_int_equal(access(part, F_OK), -1);
	p.give_up = false;
	p.last = 0;
	err_clear(&err);
	if (store_sqlite_copy(f->path, target, copying, &p, &err) == -1)
		fail_err("copy", &err);
	assert_true(p.calls > 3);
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(f->d->backup(&f->conf, target, &err), -1);	/* nothing is overwritten */
	assert_non_null(strstr(err.text, "is there already"));
	err_clear(&err);
	copy = store_sqlite.open(&conf, &err);
	if (copy == NULL)
		fail_err("open the copy", &err);
	store_sqlite.counts(copy, &c, &err);
	assert_int_equal(c.waiting, 30001);	/* the one that the copy began after, no later one */
	ok(call_find(&store_sqlite, copy, 30000, &v, &err), &err);
	assert_int_equal(call_find(&store_sqlite, copy, 30003, &v, &err), STORE_ABSENT);
	store_sqlite.close(&copy, true);
	snprintf(target, sizeof target, "%s/copy2.db", f->dir);
	err_clear(&err);
	assert_int_equal(f->d->backup(&f->conf, target, &err), 0);
	assert_int_equal(store_sqlite_copy("/nowhere/x.db", target, NULL, NULL, &err), -1);
}

static int
rows_of(const char *path, const char *table)
{
	sqlite3_stmt *st;
	char text[64];
	sqlite3 *db;
	int n;

	snprintf(text, sizeof text, "SELECT count(*) FROM %s", table);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

/* A life with everything in it, and its purge, leave nothing behind. */
static void
test_nothing_is_left(void **state)
{
	static const char *const tables[] = { "m", "q", "r", "s", "f", "e", "p", "x", "n", "i" };
	struct fixture *f = *state;
	struct store_row row = plain;
	struct err err = { 0 };
	unsigned gone;

	row.push_id = TEXT("p");
	begin(f);
	receipt(f, "f1", RECEIPT_PENDING, 2500);
	assert_int_equal(put_row(f, &row), STORE_OK);
	mark_id(f, 1, 1);
	await(f, 1, 2, (const char *const[]){ "f1", "f2" });
	receipt(f, "f2", RECEIPT_FAILED, 2500);
	settle(f, &(struct store_settlement){ .id = 1, .order_key = plain.order_key,
	    .state = STATE_FINISHED, .outcome = OUTCOME_FAILED, .at = 100, .notice_count = 1,
	    .notices = &(struct store_notice){ .id = 2, .message = 1, .url = TEXT("http://a/") } });
	commit(f);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		if (strchr("rpxn", tables[i][0]) == NULL)
			assert_int_equal(rows_of(f->path, tables[i]), 0);
	begin(f);
	ok(call_notice_done(f->d, f->s, 2, plain.order_key, &err), &err);
	assert_int_equal(f->d->purge(f->s, 1000, 10, &gone, &err), 0);
	commit(f);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		assert_int_equal(rows_of(f->path, tables[i]), 0);
}

/* A finished message's body may hold a PIN: it is overwritten, not only unlinked. */
static void
test_body_is_overwritten(void **state)
{
	struct fixture *f = *state;
	struct store_row row = plain;
	struct buf all = buf_heap(1 << 20);
	uint8_t chunk[4096];
	ssize_t n;
	int fd;

	row.body = TEXT("PIN-8461-of-somebody");
	begin(f);
	put_id(f, 1);
	for (row.id = 2; row.id < 500; row.id++)	/* whole pages of them */
		assert_int_equal(put_row(f, &row), STORE_OK);
	commit(f);
	begin(f);
	for (row.id = 2; row.id < 500; row.id++)
		finish(f, row.id, 100);
	commit(f);
	f->d->close(&f->s, true);		/* the log goes into the file */
	assert_int_not_equal(fd = open(f->path, O_RDONLY), -1);
	while ((n = read(fd, chunk, sizeof chunk)) > 0)
		buf_bytes(&all, chunk, (size_t)n);
	close(fd);
	assert_null(memmem(all.data, all.len, "PIN-8461", 8));
	assert_non_null(memmem(all.data, all.len, "body\0of one", 11));	/* the other is there */
	buf_free(&all);
}

int
main(void)
{
	enum { MOST = 200 };
	static struct CMUnitTest tests[MOST];
	static char names[MOST][96];
	size_t n = 0;
	static const struct {
		const char	*name;
		void		(*run)(void **);
	} sqlite_only[] = {
		T(test_not_our_file), T(test_schema_versions), T(test_one_gateway_a_store),
		T(test_file_mode), T(test_backup), T(test_nothing_is_left), T(test_body_is_overwritten),
	};

	for (size_t d = 0; d < sizeof drivers / sizeof *drivers - (pg_conninfo() == NULL); d++)
		for (size_t i = 0; i < sizeof contract / sizeof *contract; i++, n++) {
			snprintf(names[n], sizeof names[n], "%s: %s", drivers[d].driver->name,
			    contract[i].name);
			tests[n] = (struct CMUnitTest){ names[n], contract[i].run, setup, teardown,
			    (void *)&drivers[d] };
		}
	for (size_t i = 0; i < sizeof sqlite_only / sizeof *sqlite_only; i++, n++) {
		snprintf(names[n], sizeof names[n], "sqlite: %s", sqlite_only[i].name);
		tests[n] = (struct CMUnitTest){ names[n], sqlite_only[i].run, setup, teardown,
		    (void *)&drivers[1] };
	}
	return _cmocka_run_group_tests("queue_store", tests, n, NULL, NULL);
}
