/*
 * queue_crash_test.c - SIGKILL at any instant loses nothing that was reported
 *
 * A child writes and reports through a pipe what it was told is durable; the parent kills it at a
 * random moment, opens the store again and looks. Two kinds of child: one drives the store by a
 * plan, so that the parent knows every row after batch N; one is a whole queue with its loop and
 * worker under load.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/log.h"
#include "io/loop.h"
#include "push/msisdn.h"
#include "queue/queue.h"
#include "store_calls.h"

enum { ROUNDS = 12, LONGEST_MS = 120, OF_A_BATCH = 20, FIRST_ID = 1 };

struct fixture {
	char		 dir[64], path[96];
	struct store_conf conf;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	snprintf(f->dir, sizeof f->dir, "/tmp/kantele-crash-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/kantele.db", f->dir);
	f->conf = (struct store_conf){ .path = f->path, .retention_s = 3600 };
	srandom(getenv("KANTELE_SEED") != NULL ? (unsigned)atoi(getenv("KANTELE_SEED")) : 4711);
	log_set_level(LOG_LEVEL_PANIC);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	pid_t child = fork();

	if (child == 0) {
		execlp("rm", "rm", "-rf", f->dir, (char *)NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
	free(f);
	return 0;
}

static void
child_says(int fd, uint64_t number)
{
	if (write(fd, &number, sizeof number) != sizeof number)
		_exit(3);		/* the parent gave up */
}

/* Starts the child, reads its reports, kills it after a while from the first one on. Returns the
 * number of reports. */
static size_t
run_and_kill(struct fixture *f, void (*child)(struct fixture *, int), uint64_t *said, size_t most)
{
	int pipe_fd[2], after_ms = (int)(random() % LONGEST_MS), status;
	size_t n = 0;
	bool killed = false;
	pid_t pid;

	assert_int_equal(pipe(pipe_fd), 0);
	if ((pid = fork()) == 0) {
		close(pipe_fd[0]);
		child(f, pipe_fd[1]);
		_exit(2);		/* it runs until it is killed */
	}
	close(pipe_fd[1]);
	for (mono_t end = 0;;) {
		struct pollfd p = { .fd = pipe_fd[0], .events = POLLIN };
		int64_t left = end == 0 ? 20000 : end - clock_mono();

		if (!killed && (left <= 0 || poll(&p, 1, (int)left) == 0)) {
			kill(pid, SIGKILL);
			killed = true;
		}
		if (killed || (p.revents & (POLLIN | POLLHUP))) {
			if (read(pipe_fd[0], &said[n], sizeof *said) != sizeof *said)
				break;
			assert_true(++n < most);
			if (end == 0)
				end = clock_mono() + after_ms;
		}
	}
	close(pipe_fd[0]);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	return n;
}

/* --- the store by plan --- */

/*
 * Batch n puts OF_A_BATCH messages; those of batch n - 1 are settled by their number: a third
 * finished with a notice, a third awaiting, a third back to waiting; the awaiting ones of batch n - 2 get
 * their receipt and are finished, the notices of n - 2 are done.
 */
static uint64_t
plan_id(uint64_t batch, unsigned i)
{
	return FIRST_ID + (batch - 1) * OF_A_BATCH + i;
}

static enum store_state
plan_state(uint64_t put_in, uint64_t now, unsigned i)
{
	if (now == put_in)
		return STATE_SENDING;
	if (i % 3 == 0)
		return STATE_FINISHED;
	if (i % 3 == 1)
		return now == put_in + 1 ? STATE_AWAITING : STATE_FINISHED;
	return STATE_WAITING;
}

static void
must(bool ok)
{
	if (!ok)
		_exit(4);
}

static void
plan_put(struct store *s, uint64_t id)
{
	struct store_mark mark = { .attempt = 1, .link = TEXT("0/a"), .at = 1000 };
	char push_id[24], body[900];
	struct store_row row = { .id = id, .order_key = id << 40, .msisdn = TEXT("+1"),
	    .account = TEXT("a"), .mark = &mark, .expires = 1 };
	struct err err = { 0 };
	uint64_t existing;

	memset(body, (int)('a' + id % 26), sizeof body);
	row.body = (struct text){ body, 100 + id % 800 };
	row.push_id = (struct text){ push_id,
	    (size_t)snprintf(push_id, sizeof push_id, "p%" PRIu64, id) };
	must(call_put(&store_sqlite, s, OURS, &row, &existing, &err) == STORE_OK);
}

static void
plan_settle(struct store *s, uint64_t id, unsigned i)
{
	static const enum store_state to[] = { STATE_FINISHED, STATE_AWAITING, STATE_WAITING };
	char foreign[24];
	struct store_answer answer = { .segment = 1, .state = ANSWER_ACCEPTED };
	struct store_notice notice = { .id = id, .message = id, .url = TEXT("http://a/") };
	struct store_settlement st = { .id = id, .order_key = id << 40, .state = to[i % 3],
	    .attempt = 1, .segments = 1, .outcome = OUTCOME_SENT, .domain = TEXT("d") };
	struct store_joined joined;
	struct err err = { 0 };

	answer.foreign_id = (struct text){ foreign,
	    (size_t)snprintf(foreign, sizeof foreign, "f%" PRIu64, id) };
	if (st.state == STATE_AWAITING) {
		st.answers = &answer;
		st.answer_count = 1;
	}
	if (st.state == STATE_FINISHED) {
		st.notices = &notice;
		st.notice_count = 1;
	}
	must(call_settle(&store_sqlite, s, OURS, &st, &joined, &err) == STORE_OK);
}

static void
plan_end(struct store *s, uint64_t id, unsigned i)
{
	char foreign[24];
	struct store_receipt r = { .domain = TEXT("d"), .state = RECEIPT_DELIVERED, .at = 2000 };
	struct store_settlement st = { .id = id, .order_key = id << 40, .state = STATE_FINISHED,
	    .attempt = 1, .outcome = OUTCOME_DELIVERED };
	struct store_joined joined;
	struct err err = { 0 };

	if (i % 3 == 0)
		must(call_notice_done(&store_sqlite, s, id, id << 40, &err) == STORE_OK);
	if (i % 3 != 1)
		return;
	r.foreign_id = (struct text){ foreign,
	    (size_t)snprintf(foreign, sizeof foreign, "f%" PRIu64, id) };
	must(call_receipt(&store_sqlite, s, &r, &joined, &err) == STORE_OK && joined.ripe);
	must(call_settle(&store_sqlite, s, OURS, &st, &joined, &err) == STORE_OK);
}

static void
child_by_plan(struct fixture *f, int fd)
{
	struct err err = { 0 };
	struct store *s = call_open(&store_sqlite, &f->conf, &err);
	uint64_t batch = 0;

	must(s != NULL && store_sqlite.last_batch(s, &batch, &err) == 0);
	for (;;) {
		batch++;
		must(store_sqlite.begin(s, batch, &err) == 0);
		for (unsigned i = 0; i < OF_A_BATCH; i++) {
			if (batch > 2)
				plan_end(s, plan_id(batch - 2, i), i);
			if (batch > 1)
				plan_settle(s, plan_id(batch - 1, i), i);
			plan_put(s, plan_id(batch, i));
		}
		must(store_sqlite.flush(s, &err) == 0);
		must(store_sqlite.commit(s, &err) == COMMIT_DONE);
		child_says(fd, batch);
	}
}

static void
check_plan(struct store *s, uint64_t now)
{
	struct store_counts want = { 0 }, got;
	struct err err = { 0 };
	struct store_view v;
	char push_id[24];
	uint64_t id;

	for (uint64_t batch = 1; batch <= now; batch++)
		for (unsigned i = 0; i < OF_A_BATCH; i++) {
			enum store_state state = plan_state(batch, now, i);

			if (call_find(&store_sqlite, s, plan_id(batch, i), &v, &err) != STORE_OK)
				fail_msg("batch %" PRIu64 " of %" PRIu64 ": message %u is lost", batch, now, i);
			if (v.state != state)
				fail_msg("batch %" PRIu64 " of %" PRIu64 ": message %u is in state %d, not %d",
				    batch, now, i, v.state, state);
			snprintf(push_id, sizeof push_id, "p%" PRIu64, plan_id(batch, i));
			assert_int_equal(call_find_push_id(&store_sqlite, s, TEXT("a"), text_of(push_id), &id,
			    &err), STORE_OK);
			want.waiting += state == STATE_WAITING;
			want.sending += state == STATE_SENDING;
			want.awaiting += state == STATE_AWAITING;
			want.notices += i % 3 == 0 && batch + 1 == now;
		}
	assert_int_equal(call_find(&store_sqlite, s, plan_id(now + 1, 0), &v, &err), STORE_ABSENT);
	assert_int_equal(store_sqlite.counts(s, &got, &err), 0);
	assert_memory_equal(&got, &want, sizeof got);
}

static void
test_store(void **state)
{
	struct fixture *f = *state;
	static uint64_t said[200000];
	uint64_t last = 0;
	size_t n;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct err err = { 0 };
		struct store *s;

		n = run_and_kill(f, child_by_plan, said, sizeof said / sizeof *said);
		assert_true(n > 0 && said[n - 1] > last);
		s = call_open(&store_sqlite, &f->conf, &err);
		if (s == NULL)
			fail_msg("round %u: %s", round, err.text);
		assert_int_equal(store_sqlite.last_batch(s, &last, &err), 0);
		/* what was reported is in; one more may be, whole */
		assert_true(last == said[n - 1] || last == said[n - 1] + 1);
		check_plan(s, last);
		store_sqlite.close(&s, true);
	}
}

/* --- a whole queue under load --- */

struct load {
	struct queue	*queue;
	int		 fd;
	unsigned	 number;
};

static void	submit_next(struct load *);

static void
load_stored(void *arg, const struct err *err, const uint64_t *ids, size_t n, bool repeated)
{
	struct load *l = arg;
	struct store_settlement st = { .state = STATE_FINISHED, .attempt = 1,
	    .outcome = OUTCOME_SENT };

	must(err == NULL && n == 1 && !repeated);
	child_says(l->fd, ids[0]);
	if (ids[0] % 2 == 0) {
		st.id = ids[0];
		queue_settle(l->queue, &st, NULL, NULL);
	}
	submit_next(l);
}

static void
submit_next(struct load *l)
{
	char msisdn[16];
	struct message *m;

	snprintf(msisdn, sizeof msisdn, "+1%u", l->number++ % 100);
	m = message_new(&(struct message){ .account = TEXT("a"), .msisdn = text_of(msisdn),
	    .body = TEXT("hello"), .accepted = 1000, .segments_most = 1, .octets_most = 140 });
	must(m != NULL && queue_submit(l->queue, &m, 1, load_stored, l) != NULL);
}

static void
child_with_queue(struct fixture *f, int fd)
{
	struct load l = { .fd = fd };
	struct err err = { 0 };
	struct loop *loop = loop_new(&err);

	must(loop != NULL && (l.queue = queue_open(loop, &store_sqlite, &f->conf, &err)) != NULL);
	for (unsigned i = 0; i < 64; i++)
		submit_next(&l);
	loop_run(loop);
}

static void
test_queue(void **state)
{
	struct fixture *f = *state;
	static uint64_t said[400000];
	uint64_t highest = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t n = run_and_kill(f, child_with_queue, said, sizeof said / sizeof *said);
		struct err err = { 0 };
		struct store *s = call_open(&store_sqlite, &f->conf, &err);
		struct store_view v;

		if (s == NULL)
			fail_msg("round %u: %s", round, err.text);
		assert_true(n > 0);
		for (size_t i = 0; i < n; i++) {
			assert_true(said[i] > highest);		/* no id comes twice, in order of commits */
			highest = said[i];
			if (call_find(&store_sqlite, s, said[i], &v, &err) != STORE_OK)
				fail_msg("round %u: message %" PRIu64 " was accepted and is lost", round,
				    said[i]);
			assert_true(v.state == STATE_WAITING || (v.state == STATE_FINISHED &&
			    said[i] % 2 == 0));
		}
		store_sqlite.close(&s, true);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_store, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queue, setup, teardown),
	};

	return cmocka_run_group_tests_name("queue_crash", tests, NULL, NULL);
}
