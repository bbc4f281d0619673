/*
 * queue_test.c - the queue over its stores, with a real loop and a real worker
 *
 * Every test runs over the memory store and over SQLite. The store is wrapped in one that
 * fails on command.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/log.h"
#include "io/loop.h"
#include "push/msisdn.h"
#include "queue/queue.h"

/* --- a store that fails on command --- */

enum fault { FAULT_NONE, FAULT_PUT_FULL, FAULT_BEGIN, FAULT_COMMIT_NOT_DONE, FAULT_UNKNOWN_DONE,
    FAULT_UNKNOWN_NOT_DONE, FAULT_AWAY };

static struct {
	const struct store_driver *inner;
	struct store	*stash;		/* the memory store, while it is closed for doubt */
	atomic_int	 fault;
	atomic_int	 open_fails;	/* how often from now on */
	atomic_int	 begins, commits, flushes;
	atomic_bool	 broken;	/* nothing goes, until a begin goes well: as with a connection */
	bool		 keep;		/* a close is not the end */
} faulty;

static int
disk_full(struct err *err)
{
	return err_set(err, ERR_STORE, "store: put: database or disk is full");
}

static struct store *
faulty_open(const struct store_conf *conf, struct err *err)
{
	struct store *s = faulty.stash;

	if (faulty.open_fails > 0) {
		faulty.open_fails--;
		err_set(err, ERR_STORE, "store: open: away");
		return NULL;
	}
	faulty.stash = NULL;
	return s != NULL ? s : faulty.inner->open(conf, err);
}

static void
faulty_close(struct store **s, bool for_good)
{
	if (faulty.keep && faulty.inner == &store_memory) {
		faulty.stash = *s;
		*s = NULL;
	} else
		faulty.inner->close(s, for_good);
}

static int
faulty_begin(struct store *s, uint64_t batch, struct err *err)
{
	faulty.begins++;
	if (faulty.fault == FAULT_BEGIN || faulty.fault == FAULT_AWAY)
		return disk_full(err);
	faulty.broken = false;
	return faulty.inner->begin(s, batch, err);
}

static int
faulty_flush(struct store *s, struct err *err)
{
	faulty.flushes++;
	if (faulty.fault == FAULT_AWAY)
		return disk_full(err);
	if (faulty.broken)
		return err_set(err, ERR_STORE, "store: no connection");
	return faulty.inner->flush(s, err);
}

static enum store_commit
faulty_commit(struct store *s, struct err *err)
{
	enum fault fault = faulty.fault;

	faulty.commits++;
	switch (fault) {
	case FAULT_NONE:
	case FAULT_PUT_FULL:
	case FAULT_BEGIN:
	case FAULT_AWAY:
		return faulty.inner->commit(s, err);
	case FAULT_COMMIT_NOT_DONE:
		faulty.inner->rollback(s);
		disk_full(err);
		return COMMIT_NOT_DONE;
	case FAULT_UNKNOWN_DONE:
		faulty.inner->commit(s, err);
		break;
	case FAULT_UNKNOWN_NOT_DONE:
		faulty.inner->rollback(s);
	}
	faulty.fault = FAULT_NONE;
	err_set(err, ERR_STORE, "store: COMMIT: disk I/O error");
	return COMMIT_UNKNOWN;
}

static void
faulty_submit(struct store *s, const struct store_submit *sub, struct store_done *done)
{
	if (faulty.fault == FAULT_PUT_FULL) {
		disk_full(&done->err);
		done->result = STORE_FAILED;
		return;
	}
	faulty.inner->submit(s, sub, done);
}

/* --- the fixture: a loop, a queue, and an owner that writes down what it hears --- */

enum { SEEN_MOST = 200000 };

struct fixture {
	struct store_driver driver;
	struct store_conf conf;
	char		 dir[64], path[96];
	struct loop	*loop;
	struct queue	*queue;
	struct timer	*deadline;
	bool		 late;
	unsigned	 waited, wanted;	/* callbacks */

	/* the owner */
	bool		 marks, refuses;
	unsigned	 offered, stored, stored_marked, dropped, adopted, withheld, changed;
	uint64_t	 last_id, last_key;
	bool		 in_order;
	enum store_result last_change;
	unsigned	 loaded, loaded_notices, load_ends, troubles, recoveries;
	uint64_t	 loaded_highest;

	/* the last result */
	struct err	 err;
	bool		 failed;
	uint64_t	 ids[8];
	size_t		 n;
	bool		 repeated;
	struct store_view views[8];
	char		 account[32];
	enum store_result result;
	struct store_joined joined;
	bool		 was_joined;
	char		 body[256];
	enum store_state state;
	char		 link[32];
	char		 url[64];
	unsigned	 tries;
	char		 trace[64];	/* one letter a callback */
};

static void
fail_late(void *arg)
{
	struct fixture *f = arg;

	f->late = true;
	loop_stop(f->loop);
}

static void
heard(struct fixture *f, char letter)
{
	size_t n = strlen(f->trace);

	if (n + 1 < sizeof f->trace)
		f->trace[n] = letter;
	if (++f->waited >= f->wanted)
		loop_stop(f->loop);
}

/* Runs the loop until so many callbacks came. */
static void
wait_for(struct fixture *f, unsigned callbacks)
{
	f->wanted = callbacks;
	if (f->waited < f->wanted) {
		timer_set(f->deadline, 20000);
		loop_run(f->loop);
		timer_cancel(f->deadline);
	}
	if (f->late)
		fail_msg("only %u of %u callbacks came (%s)", f->waited, f->wanted, f->trace);
	f->waited = 0;
	memset(f->trace, 0, sizeof f->trace);
}

static bool
owner_offer(void *arg, const struct message *m, uint64_t key, struct store_mark *mark)
{
	struct fixture *f = arg;

	f->offered++;
	if (m->id <= f->last_id)
		f->in_order = false;
	f->last_id = m->id;
	f->last_key = key;
	if (f->marks)
		*mark = (struct store_mark){ .attempt = 1, .reference = 9, .link = TEXT("0/vf1"),
		    .at = 1000 };
	return f->marks;
}

static void
owner_stored(void *arg, struct message **taken, uint64_t key, bool offered, bool marked)
{
	struct fixture *f = arg;

	assert_true(offered || !marked);
	assert_true(msisdn_order_key((*taken)->msisdn) == key);
	f->stored++;
	f->stored_marked += marked;
	if (f->stored % 2 == 0)		/* half of them are left to the queue to free */
		message_free(taken);
}

static void
owner_dropped(void *arg, const struct message *m, uint64_t key, bool offered)
{
	struct fixture *f = arg;

	(void)m;
	(void)key;
	(void)offered;
	f->dropped++;
}

static void
owner_adopted(void *arg, const struct store_index *row)
{
	struct fixture *f = arg;

	(void)row;
	f->adopted++;
}

static bool
owner_withhold(void *arg, uint64_t id, uint64_t key)
{
	struct fixture *f = arg;

	(void)id;
	(void)key;
	f->withheld++;
	return !f->refuses;
}

static void
owner_changed(void *arg, uint64_t id, uint64_t key, enum store_result result, bool cancelled)
{
	struct fixture *f = arg;

	(void)id;
	(void)key;
	(void)cancelled;
	f->changed++;
	f->last_change = result;
}

static void
owner_loaded(void *arg, const struct store_index *rows, size_t n, bool end)
{
	struct fixture *f = arg;

	for (size_t i = 0; i < n; i++) {
		assert_true(rows[i].id > f->loaded_highest);
		f->loaded_highest = rows[i].id;
		assert_true(rows[i].msisdn.len > 0);
	}
	f->loaded += (unsigned)n;
	f->load_ends += end;
}

static void
owner_loaded_notices(void *arg, const struct store_notice *rows, size_t n, bool end)
{
	struct fixture *f = arg;

	for (size_t i = 0; i < n; i++)
		assert_true(rows[i].url.len > 0);
	f->loaded_notices += (unsigned)n;
	if (end)
		heard(f, 'l');
}

static void
owner_trouble(void *arg, bool in_trouble, const struct err *err)
{
	struct fixture *f = arg;

	assert_true(in_trouble == (err != NULL));
	f->troubles += in_trouble;
	f->recoveries += !in_trouble;
}

static const struct queue_owner owner = {
	.offer = owner_offer, .stored = owner_stored, .dropped = owner_dropped,
	.adopted = owner_adopted,
	.withhold = owner_withhold, .changed = owner_changed, .loaded = owner_loaded,
	.loaded_notices = owner_loaded_notices, .trouble = owner_trouble
};

static void
open_queue(struct fixture *f)
{
	struct err err = { 0 };
	char text[400];

	f->queue = queue_open(f->loop, &f->driver, &f->conf, &err);
	if (f->queue == NULL)
		fail_msg("open: %s", err_print(&err, text, sizeof text));
	queue_owner_set(f->queue, &owner, f);
}

static void	on_flight(void *, const struct err *, const struct store_flight *);

static void
start_queue(struct fixture *f)
{
	queue_start(f->queue);
	wait_for(f, 1);
	queue_flight(f->queue, 0, 0, on_flight, f);	/* behind everything that a start does */
	wait_for(f, 1);
	f->load_ends = 0;
}

static int
setup(void **state)
{
	const struct store_driver *inner = *state;
	struct fixture *f = calloc(1, sizeof *f);
	struct err err = { 0 };

	memset(&faulty, 0, sizeof faulty);
	faulty.inner = inner;
	faulty.keep = true;
	f->driver = *inner;
	f->driver.open = faulty_open;
	f->driver.close = faulty_close;
	f->driver.begin = faulty_begin;
	f->driver.flush = faulty_flush;
	f->driver.commit = faulty_commit;
	f->driver.submit = faulty_submit;
	snprintf(f->dir, sizeof f->dir, "/tmp/kantele-queue-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/kantele.db", f->dir);
	f->conf = (struct store_conf){ .path = f->path, .retention_s = 3600 };
	f->in_order = true;
	log_set_level(LOG_LEVEL_PANIC);		/* trouble is what we make here */
	f->loop = loop_new(&err);
	assert_non_null(f->loop);
	f->deadline = timer_new(f->loop, fail_late, f);
	open_queue(f);
	start_queue(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	pid_t child;

	faulty.fault = FAULT_NONE;
	faulty.broken = false;
	faulty.open_fails = 0;
	queue_close(&f->queue);
	faulty.inner->close(&faulty.stash, true);
	timer_free(&f->deadline);
	loop_free(&f->loop);
	if ((child = fork()) == 0) {
		execlp("rm", "rm", "-rf", f->dir, (char *)NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
	free(f);
	return 0;
}

/* --- callbacks --- */

static void
remember(struct fixture *f, const struct err *err)
{
	f->failed = err != NULL;
	f->err = err != NULL ? *err : (struct err){ 0 };
}

static void
on_stored(void *arg, const struct err *err, const uint64_t *ids, size_t n, bool repeated)
{
	struct fixture *f = arg;

	remember(f, err);
	f->n = n;
	for (size_t i = 0; i < n && i < 8; i++)
		f->ids[i] = ids[i];
	f->repeated = repeated;
	heard(f, err != NULL ? 'x' : repeated ? 'r' : 's');
}

static void
on_found(void *arg, const struct err *err, const struct store_view *views, size_t n)
{
	struct fixture *f = arg;

	remember(f, err);
	f->n = n;
	for (size_t i = 0; i < n && i < 8; i++)
		f->views[i] = views[i];
	f->account[0] = '\0';
	if (n > 0)
		snprintf(f->account, sizeof f->account, "%.*s", TEXT_ARGS(views[0].account));
	heard(f, err != NULL ? 'X' : 'f');
}

static void
on_changed(void *arg, const struct err *err, enum store_result result)
{
	struct fixture *f = arg;

	remember(f, err);
	f->result = result;
	heard(f, 'c');
}

static void
on_done(void *arg, const struct err *err)
{
	remember(arg, err);
	heard(arg, err != NULL ? 'D' : 'd');
}

static void
on_joined(void *arg, const struct err *err, const struct store_joined *j)
{
	struct fixture *f = arg;

	remember(f, err);
	f->was_joined = j != NULL;
	if (j != NULL) {
		f->joined = *j;
		f->joined.body.at = NULL;
		f->body[0] = '\0';
		if (j->body.at != NULL) {
			struct message *m = message_unpack(j->body.at, j->body.len, NULL);

			assert_non_null(m);
			snprintf(f->body, sizeof f->body, "%.*s", TEXT_ARGS(m->body));
			message_free(&m);
		}
	}
	heard(f, err != NULL ? 'J' : 'j');
}

static void
on_flight(void *arg, const struct err *err, const struct store_flight *flight)
{
	struct fixture *f = arg;
	struct message *m;

	remember(f, err);
	f->body[0] = f->link[0] = '\0';
	if (err == NULL && flight->body.at != NULL) {
		m = message_unpack(flight->body.at, flight->body.len, NULL);
		assert_non_null(m);
		snprintf(f->body, sizeof f->body, "%.*s", TEXT_ARGS(m->body));
		snprintf(f->link, sizeof f->link, "%.*s", TEXT_ARGS(flight->link));
		f->state = flight->state;
		message_free(&m);
	}
	heard(f, 'g');
}

static void
on_notice(void *arg, const struct err *err, const struct store_notice *n)
{
	struct fixture *f = arg;

	remember(f, err);
	f->url[0] = '\0';
	if (n != NULL) {
		snprintf(f->url, sizeof f->url, "%.*s", TEXT_ARGS(n->url));
		f->tries = n->tries;
	}
	heard(f, 'n');
}

/* --- making --- */

static struct message *
message_to(const char *msisdn, const char *push_id, const char *body)
{
	struct message *m = message_new(&(struct message){ .account = TEXT("alice"),
	    .push_id = text_of(push_id), .msisdn = text_of(msisdn), .body = text_of(body),
	    .klass = CLASS_NORMAL, .accepted = clock_wall(), .segments_most = 10,
	    .octets_most = 140 });

	assert_non_null(m);
	return m;
}

static struct submission *
submit(struct fixture *f, const char *msisdn, const char *push_id)
{
	struct message *m = message_to(msisdn, push_id, "hello");
	struct submission *s = queue_submit(f->queue, &m, 1, on_stored, f);

	assert_null(m);
	return s;
}

static uint64_t
submit_and_wait(struct fixture *f, const char *msisdn, const char *push_id)
{
	submit(f, msisdn, push_id);
	wait_for(f, 1);
	assert_false(f->failed);
	return f->ids[0];
}

static uint64_t
key_of(const char *msisdn)
{
	return msisdn_order_key(text_of(msisdn));
}

static void
find(struct fixture *f, const char *account, const char *push_id)
{
	queue_find(f->queue, text_of(account), text_of(push_id), on_found, f);
	wait_for(f, 1);
	assert_false(f->failed);
}

static void
find_id(struct fixture *f, uint64_t id)
{
	char push_id[PUSH_ID_SIZE];

	queue_push_id_of(f->queue, id, push_id);
	find(f, "alice", push_id);
}

static void
finish(struct fixture *f, uint64_t id, const struct store_notice *notices, unsigned n)
{
	queue_settle(f->queue, &(struct store_settlement){ .id = id, .order_key = key_of("+1"),
	    .state = STATE_FINISHED, .attempt = 1, .at = clock_wall(), .outcome = OUTCOME_SENT,
	    .link = TEXT("0/vf1"), .notices = notices, .notice_count = n }, on_joined, f);
}

/* --- well --- */

static void
test_submit(void **state)
{
	struct fixture *f = *state;
	uint64_t first = submit_and_wait(f, "+1", NULL), second;

	assert_int_equal(f->offered, 1);
	assert_int_equal(f->stored, 1);
	assert_true(f->last_id == first);
	second = submit_and_wait(f, "+2", NULL);
	assert_true(second > first);
	find_id(f, first);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->views[0].state, STATE_WAITING);
	assert_true(f->views[0].order_key == key_of("+1"));
	assert_true(f->views[0].expires > f->views[0].accepted);	/* three days when nothing is said */
	assert_string_equal(f->account, "alice");
}

static void
test_fast_path_shares_the_transaction(void **state)
{
	struct fixture *f = *state;
	int commits;

	f->marks = true;
	commits = faulty.commits;
	submit_and_wait(f, "+1", NULL);
	assert_int_equal(faulty.commits - commits, 1);
	assert_int_equal(f->stored_marked, 1);
	queue_flight(f->queue, f->ids[0], key_of("+1"), on_flight, f);
	wait_for(f, 1);
	assert_int_equal(f->state, STATE_SENDING);
	assert_string_equal(f->link, "0/vf1");
	assert_string_equal(f->body, "hello");
}

static void
test_many_share_a_commit(void **state)
{
	struct fixture *f = *state;
	struct queue_stats stats, before;
	char msisdn[16];

	queue_stats(f->queue, &before);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(msisdn, sizeof msisdn, "+1%u", i);
		submit(f, msisdn, NULL);
	}
	queue_stats(f->queue, &stats);
	assert_int_equal(stats.open_operations, 1000);
	wait_for(f, 1000);
	assert_int_equal(faulty.commits, 1);
	assert_true(f->in_order);
	queue_stats(f->queue, &stats);
	assert_int_equal(stats.submitted, 1000);
	assert_int_equal(stats.batches, before.batches + 1);
	assert_int_equal(stats.open_operations, 0);
	assert_int_equal(stats.counts.waiting, 1000);
	for (unsigned i = 0; i < 5000; i++)	/* but a transaction is bounded */
		submit(f, "+1", NULL);
	wait_for(f, 5000);
	assert_int_equal(faulty.commits, 4);
}

static void
test_callbacks_in_order_of_calls(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit_and_wait(f, "+1", NULL);
	char push_id[PUSH_ID_SIZE];

	queue_push_id_of(f->queue, id, push_id);
	queue_mark(f->queue, id, key_of("+1"), &(struct store_mark){ .attempt = 1 }, on_done, f);
	submit(f, "+2", NULL);
	queue_flight(f->queue, id, key_of("+1"), on_flight, f);
	finish(f, id, NULL, 0);
	queue_find(f->queue, TEXT("alice"), text_of(push_id), on_found, f);
	submit(f, "+3", NULL);
	f->wanted = 6;
	timer_set(f->deadline, 20000);
	loop_run(f->loop);
	assert_string_equal(f->trace, "dsgjfs");
	assert_int_equal(f->views[0].state, STATE_FINISHED);
	wait_for(f, 6);
}

static void
test_repeated_push_id(void **state)
{
	struct fixture *f = *state;
	struct message *three[3];
	uint64_t first;

	submit(f, "+1", "mine");		/* twice in one batch */
	submit(f, "+1", "mine");
	f->wanted = 2;
	loop_run(f->loop);
	assert_string_equal(f->trace, "sr");
	wait_for(f, 2);
	assert_int_equal(f->stored, 1);
	assert_int_equal(f->dropped, 1);
	first = f->ids[0];
	submit(f, "+1", "mine");		/* and in another */
	wait_for(f, 1);
	assert_true(f->repeated);
	assert_true(f->ids[0] == first);

	three[0] = message_to("+1", "new", "a");	/* one known among three: none is stored */
	three[1] = message_to("+2", "mine", "b");
	three[2] = message_to("+3", NULL, "c");
	queue_submit(f->queue, three, 3, on_stored, f);
	wait_for(f, 1);
	assert_true(f->repeated);
	assert_int_equal(f->ids[0], 0);
	assert_true(f->ids[1] == first);
	find(f, "alice", "new");
	assert_int_equal(f->n, 0);

	three[0] = message_to("+1", "same", "a");	/* twice in one submission: an error, and */
	three[1] = message_to("+2", "same", "b");
	queue_submit(f->queue, three, 2, on_stored, f);
	submit(f, "+4", "other");			/* its neighbours in the batch do not suffer */
	f->wanted = 2;
	loop_run(f->loop);
	assert_string_equal(f->trace, "xs");
	wait_for(f, 2);
	find(f, "alice", "same");
	assert_int_equal(f->n, 0);
	find(f, "alice", "other");
	assert_int_equal(f->n, 1);
	assert_int_equal(f->troubles, 0);
}

static void
test_withdraw(void **state)
{
	struct fixture *f = *state;
	struct submission *s = submit(f, "+1", "w1"), *late;

	submit(f, "+2", "w2");
	assert_true(queue_withdraw(f->queue, s));
	wait_for(f, 1);
	assert_int_equal(f->stored, 1);
	find(f, "alice", "w1");
	assert_int_equal(f->n, 0);
	find(f, "alice", "w2");
	assert_int_equal(f->n, 1);

	late = submit(f, "+3", "w3");
	while (f->offered < 2) {		/* its batch is closed now */
		timer_set(f->deadline, 1);
		loop_run(f->loop);
		f->late = false;
		if (f->waited > 0)
			break;
	}
	if (f->waited == 0)
		assert_false(queue_withdraw(f->queue, late));
	wait_for(f, 1);
	assert_int_equal(f->stored, 2);
}

static void
test_find(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit_and_wait(f, "+1", NULL), client = submit_and_wait(f, "+1", "my-own");
	char push_id[PUSH_ID_SIZE];

	queue_push_id_of(f->queue, id, push_id);
	find(f, "alice", push_id);
	assert_true(f->n == 1 && f->views[0].id == id);
	find(f, "bob", push_id);		/* somebody else's */
	assert_int_equal(f->n, 0);
	find(f, "alice", "my-own");
	assert_true(f->n == 1 && f->views[0].id == client);
	find(f, "bob", "my-own");
	assert_int_equal(f->n, 0);
	queue_push_id_of(f->queue, client, push_id);	/* it was given another name */
	find(f, "alice", push_id);
	assert_int_equal(f->n, 0);
	find(f, "alice", "no-such");
	assert_int_equal(f->n, 0);
	queue_find_msisdn(f->queue, TEXT("+1"), 5, on_found, f);
	wait_for(f, 1);
	assert_int_equal(f->n, 2);
	assert_true(f->views[0].id == client && f->views[1].id == id);	/* newest first */
}

static void
test_push_id_as_given(void **state)
{
	struct fixture *f = *state;
	struct message own = { .id = 77 }, theirs = { .id = 78, .push_id = TEXT("mine") };
	char a[PUSH_ID_MOST + 1], b[PUSH_ID_SIZE];

	queue_push_id(f->queue, &own, a);
	queue_push_id_of(f->queue, 77, b);
	assert_string_equal(a, b);
	queue_push_id(f->queue, &theirs, a);
	assert_string_equal(a, "mine");
	assert_true(text_is(queue_node(f->queue), "0"));
}

static void
cancel(struct fixture *f, const char *account, const char *push_id)
{
	queue_cancel(f->queue, text_of(account), text_of(push_id), on_changed, f);
	wait_for(f, 1);
	assert_false(f->failed);
}

static void
test_cancel(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit_and_wait(f, "+1", "a");

	cancel(f, "bob", "a");
	assert_int_equal(f->result, STORE_ABSENT);
	f->refuses = true;		/* the owner has begun with it */
	cancel(f, "alice", "a");
	assert_int_equal(f->result, STORE_TOO_LATE);
	assert_int_equal(f->withheld, 1);
	assert_int_equal(f->changed, 0);
	f->refuses = false;
	cancel(f, "alice", "a");
	assert_int_equal(f->result, STORE_OK);
	assert_int_equal(f->changed, 1);
	assert_int_equal(f->last_change, STORE_OK);
	cancel(f, "alice", "a");
	assert_int_equal(f->result, STORE_TOO_LATE);
	assert_int_equal(f->withheld, 2);	/* nobody is asked about what is finished */
	find(f, "alice", "a");
	assert_int_equal(f->views[0].outcome, OUTCOME_CANCELLED);
	assert_true(f->views[0].id == id);

	f->marks = true;
	submit_and_wait(f, "+1", "b");
	cancel(f, "alice", "b");
	assert_int_equal(f->result, STORE_TOO_LATE);
}

static void
test_replace(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit_and_wait(f, "+1", "a");
	struct message *m = message_to("+1", NULL, "better");

	queue_replace(f->queue, TEXT("alice"), TEXT("a"), &m, on_changed, f);
	assert_null(m);
	wait_for(f, 1);
	assert_false(f->failed);
	assert_int_equal(f->result, STORE_OK);
	assert_int_equal(f->changed, 1);
	queue_flight(f->queue, id, key_of("+1"), on_flight, f);
	wait_for(f, 1);
	assert_string_equal(f->body, "better");
	find(f, "alice", "a");
	assert_true(f->n == 1 && f->views[0].id == id);

	m = message_to("+2", NULL, "elsewhere");
	queue_replace(f->queue, TEXT("alice"), TEXT("a"), &m, on_changed, f);
	wait_for(f, 1);
	assert_true(f->failed);
	assert_int_equal(f->err.code, ERR_SYNTAX);
	m = message_to("+2", NULL, "nothing");
	queue_replace(f->queue, TEXT("alice"), TEXT("none"), &m, on_changed, f);
	wait_for(f, 1);
	assert_int_equal(f->result, STORE_ABSENT);
}

static void
test_rules_are_not_trouble(void **state)
{
	struct fixture *f = *state;

	queue_mark(f->queue, 4711, key_of("+1"), &(struct store_mark){ .attempt = 1 }, on_done, f);
	wait_for(f, 1);
	assert_true(f->failed);
	assert_int_not_equal(f->err.code, ERR_STORE);
	finish(f, 4711, NULL, 0);
	wait_for(f, 1);
	assert_true(f->failed);
	queue_flight(f->queue, 4711, key_of("+1"), on_flight, f);
	wait_for(f, 1);
	assert_false(f->failed);
	assert_string_equal(f->body, "");
	queue_notice_done(f->queue, 4711, key_of("+1"));
	submit_and_wait(f, "+1", NULL);
	assert_int_equal(f->troubles, 0);
}

static void
test_receipts_and_notices(void **state)
{
	struct fixture *f = *state;
	uint64_t id = (f->marks = true, submit_and_wait(f, "+1", NULL)), notice = queue_new_id(f->queue);
	char url[] = "http://127.0.0.1/8", fid[] = "f1";
	struct store_answer answer = { .segment = 1, .state = ANSWER_ACCEPTED,
	    .foreign_id = text_of(fid) };
	struct store_notice n = { .id = notice, .message = id, .order_key = key_of("+1"),
	    .url = text_of(url), .due = 5, .until = 100 };
	struct store_receipt r = { .domain = TEXT("dom"), .foreign_id = TEXT("f1"),
	    .said = TEXT("DELIVRD"), .state = RECEIPT_PENDING, .at = clock_wall() };

	assert_true(notice > id);
	queue_receipt(f->queue, &r, on_joined, f);		/* before the answer */
	wait_for(f, 1);
	assert_false(f->joined.matched);
	queue_settle(f->queue, &(struct store_settlement){ .id = id, .order_key = key_of("+1"),
	    .state = STATE_AWAITING, .attempt = 1, .segments = 1, .answers = &answer,
	    .answer_count = 1, .domain = TEXT("dom"), .notices = &n, .notice_count = 1,
	    .pending = PENDING_WANTED }, on_joined, f);
	memset(url, '!', sizeof url - 1);			/* it has copied all of it */
	memset(fid, '!', sizeof fid - 1);
	wait_for(f, 1);
	assert_true(f->was_joined && f->joined.first_pending && !f->joined.ripe);
	assert_string_equal(f->body, "hello");
	queue_notice(f->queue, notice, key_of("+1"), on_notice, f);
	wait_for(f, 1);
	assert_string_equal(f->url, "http://127.0.0.1/8");
	queue_notice_later(f->queue, notice, key_of("+1"), 3, 9);
	queue_notice(f->queue, notice, key_of("+1"), on_notice, f);
	wait_for(f, 1);
	assert_int_equal(f->tries, 3);
	queue_notice_done(f->queue, notice, key_of("+1"));
	queue_notice(f->queue, notice, key_of("+1"), on_notice, f);
	wait_for(f, 1);
	assert_string_equal(f->url, "");
	r.state = RECEIPT_DELIVERED;
	queue_receipt(f->queue, &r, on_joined, f);
	wait_for(f, 1);
	assert_true(f->joined.ripe);
	assert_int_equal(f->joined.state, RECEIPT_DELIVERED);
	assert_string_equal(f->body, "hello");
	finish(f, id, NULL, 0);
	wait_for(f, 1);
	assert_false(f->failed);
	assert_false(f->was_joined);
}

static void
test_ids_do_not_run_out(void **state)
{
	struct fixture *f = *state;
	enum { MANY = 140000, A_BATCH = 20000 };
	static struct message *messages[MANY];
	uint64_t before = submit_and_wait(f, "+1", NULL);

	for (unsigned i = 0; i < MANY; i++)
		messages[i] = message_to("+2", NULL, "x");
	queue_submit(f->queue, messages, MANY, on_stored, f);	/* more than a block, at once */
	wait_for(f, 1);
	assert_false(f->failed);
	assert_true(f->in_order);
	assert_int_equal(f->stored, MANY + 1);
	assert_true(f->last_id >= before + MANY);
	for (unsigned i = 0; i < 4; i++) {			/* and little by little */
		for (unsigned n = 0; n < A_BATCH; n++)
			assert_true(queue_new_id(f->queue) != 0);
		submit_and_wait(f, "+3", NULL);
		submit_and_wait(f, "+3", NULL);
	}
	assert_true(f->in_order);
}

static void
test_close_writes_what_waits(void **state)
{
	struct fixture *f = *state;
	uint64_t id = (f->marks = true, submit_and_wait(f, "+1", NULL));

	for (unsigned i = 0; i < 5000; i++)
		submit(f, "+1", NULL);
	finish(f, id, NULL, 0);
	f->wanted = 1000000;
	queue_close(&f->queue);
	assert_int_equal(f->waited, 5001);
	assert_int_equal(f->stored, 5001);
	f->waited = 0;
	memset(f->trace, 0, sizeof f->trace);
	open_queue(f);
	queue_start(f->queue);
	wait_for(f, 1);
	assert_int_equal(f->loaded, 5000);
	assert_int_equal(f->load_ends, 1);
}

static void
test_load(void **state)
{
	struct fixture *f = *state;
	struct message *m = message_to("+1", "to-cancel", "x");
	struct store_notice n = { .order_key = key_of("+1"), .url = TEXT("http://a/") };
	uint64_t id = (f->marks = true, submit_and_wait(f, "+1", NULL)), highest;

	f->marks = false;
	n.id = queue_new_id(f->queue);
	n.message = id;
	finish(f, id, &n, 1);
	for (unsigned i = 0; i < 12000; i++)
		submit(f, "+1", NULL);
	queue_submit(f->queue, &m, 1, on_stored, f);
	wait_for(f, 12002);
	highest = f->ids[0];
	queue_close(&f->queue);
	open_queue(f);
	queue_start(f->queue);
	submit(f, "+9", NULL);		/* while it loads: not shown as loaded, adopted afterwards */
	queue_cancel(f->queue, TEXT("alice"), TEXT("to-cancel"), on_changed, f);
	wait_for(f, 3);
	assert_int_equal(f->loaded, 12001);
	assert_true(f->loaded_highest == highest);
	assert_int_equal(f->load_ends, 1);
	assert_int_equal(f->loaded_notices, 1);
	assert_int_equal(f->result, STORE_OK);	/* cancelled after the index was there */
	assert_int_equal(f->withheld, 1);
	assert_int_equal(f->adopted, 1);
}

static unsigned overdue_rows;

static void
on_overdue(void *arg, const struct err *err, const struct store_index *rows, size_t n)
{
	remember(arg, err);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(rows[i].state, STATE_RIPE);
	overdue_rows += (unsigned)n;
	heard(arg, 'o');
}

static void
test_overdue_goes_round(void **state)
{
	struct fixture *f = *state;
	struct store_answer answer = { .segment = 1, .state = ANSWER_ACCEPTED,
	    .foreign_id = TEXT("f1") };
	uint64_t id = (f->marks = true, submit_and_wait(f, "+1", NULL));

	queue_settle(f->queue, &(struct store_settlement){ .id = id, .order_key = key_of("+1"),
	    .state = STATE_AWAITING, .attempt = 1, .segments = 1, .answers = &answer,
	    .answer_count = 1, .domain = TEXT("dom") }, NULL, NULL);
	queue_receipt(f->queue, &(struct store_receipt){ .domain = TEXT("dom"),
	    .foreign_id = TEXT("f1"), .state = RECEIPT_FAILED, .at = clock_wall() }, NULL, NULL);
	overdue_rows = 0;
	for (unsigned i = 1; i <= 3; i++) {
		queue_overdue(f->queue, on_overdue, f);
		wait_for(f, 1);
		assert_int_equal(overdue_rows, i);
	}
}

static void
test_purge(void **state)
{
	struct fixture *f = *state;
	uint64_t id;

	queue_close(&f->queue);
	f->conf.retention_s = 0;
	open_queue(f);
	start_queue(f);
	f->marks = true;
	id = submit_and_wait(f, "+1", NULL);
	for (unsigned i = 0; i < 1200; i++)	/* more than one slice */
		submit(f, "+1", NULL);
	wait_for(f, 1200);
	for (unsigned i = 0; i <= 1200; i++)
		finish(f, id + i, NULL, 0);
	wait_for(f, 1201);
	for (unsigned i = 0; i < 100; i++) {
		f->late = false;
		timer_set(f->deadline, 100);
		loop_run(f->loop);
		f->late = false;
		find_id(f, id + 1200);
		if (f->n == 0)
			break;
	}
	assert_int_equal(f->n, 0);
	find_id(f, id);
	assert_int_equal(f->n, 0);
}

static void
test_backup(void **state)
{
	struct fixture *f = *state;
	char target[128];

	submit_and_wait(f, "+1", NULL);
	snprintf(target, sizeof target, "%s/copy.db", f->dir);
	queue_backup(f->queue, target, on_done, f);
	wait_for(f, 1);
	assert_true(f->failed == (faulty.inner == &store_memory));
	if (f->failed)
		return;
	assert_int_equal(access(target, R_OK), 0);
	queue_backup(f->queue, target, on_done, f);
	wait_for(f, 1);
	assert_true(f->failed);
}

/* --- trouble --- */

static void
test_disk_full(void **state)
{
	struct fixture *f = *state;
	struct err why;
	uint64_t id = (f->marks = true, submit_and_wait(f, "+1", "first")), notice;
	struct store_notice n = { .message = id, .order_key = key_of("+1"), .url = TEXT("http://a/") };

	f->marks = false;
	n.id = notice = queue_new_id(f->queue);
	assert_false(queue_in_trouble(f->queue, NULL));
	faulty.fault = FAULT_BEGIN;
	submit(f, "+2", "second");
	queue_settle(f->queue, &(struct store_settlement){ .id = id, .order_key = key_of("+1"),
	    .state = STATE_WAITING, .attempt = 1, .due = 77 }, on_joined, f);
	wait_for(f, 1);
	assert_true(f->failed);
	assert_int_equal(f->err.code, ERR_STORE);
	assert_int_equal(f->dropped, 1);
	assert_int_equal(f->troubles, 1);
	assert_true(queue_in_trouble(f->queue, &why));
	assert_non_null(strstr(why.text, "full"));

	submit(f, "+3", NULL);			/* no at once */
	queue_mark(f->queue, id, key_of("+1"), &(struct store_mark){ .attempt = 2 }, on_done, f);
	finish(f, id, &n, 1);			/* stays, behind the first settlement */
	queue_notice_later(f->queue, notice, key_of("+1"), 5, 6);
	queue_find(f->queue, TEXT("alice"), TEXT("first"), on_found, f);	/* can be asked */
	f->wanted = 3;
	timer_set(f->deadline, 20000);
	loop_run(f->loop);
	assert_string_equal(f->trace, "xDf");
	assert_int_equal(f->offered, 2);	/* the owner was not asked about what has no chance */
	assert_int_equal(f->views[0].state, STATE_SENDING);
	wait_for(f, 3);
	assert_true(queue_new_id(f->queue) != 0);

	faulty.fault = FAULT_NONE;
	f->wanted = 2;
	timer_set(f->deadline, 20000);
	loop_run(f->loop);
	assert_string_equal(f->trace, "jj");
	wait_for(f, 2);
	assert_false(f->failed);
	assert_int_equal(f->recoveries, 1);
	assert_int_equal(f->troubles, 1);
	find(f, "alice", "first");
	assert_int_equal(f->views[0].state, STATE_FINISHED);
	queue_notice(f->queue, notice, key_of("+1"), on_notice, f);
	wait_for(f, 1);
	assert_int_equal(f->tries, 5);		/* the order was kept: notice, then later */
	find(f, "alice", "second");
	assert_int_equal(f->n, 0);
	submit_and_wait(f, "+2", "second");
	assert_false(f->repeated);
}

static void
time_is_up(void *arg)
{
	loop_stop(((struct fixture *)arg)->loop);
}

static void
run_for(struct fixture *f, int64_t ms)
{
	struct timer *t = timer_new(f->loop, time_is_up, f);

	f->wanted = UINT_MAX;
	timer_set(t, ms);
	loop_run(f->loop);
	timer_free(&t);
}

static void
look_again(void *arg)
{
	struct fixture *f = arg;

	queue_flight(f->queue, 1, key_of("+1"), on_flight, f);
}

/* Whoever goes on asking what cannot be read either does not put the recovery off. */
static void
test_reads_fail_too(void **state)
{
	struct fixture *f = *state;
	struct timer *asks = timer_new(f->loop, look_again, f);
	uint64_t id = submit_and_wait(f, "+1", NULL);

	faulty.fault = FAULT_BEGIN;
	faulty.broken = true;
	submit(f, "+2", NULL);
	wait_for(f, 1);
	assert_true(f->failed);
	queue_flight(f->queue, id, key_of("+1"), on_flight, f);
	timer_set(asks, 600);			/* of the second until the next try */
	run_for(f, 300);
	assert_int_equal(f->waited, 0);
	faulty.fault = FAULT_NONE;
	wait_for(f, 2);
	assert_false(f->failed);
	assert_int_equal(f->recoveries, 1);
	timer_free(&asks);
}

static void
test_commit_not_done(void **state)
{
	struct fixture *f = *state;

	faulty.fault = FAULT_COMMIT_NOT_DONE;
	submit(f, "+1", "a");
	wait_for(f, 1);
	assert_true(f->failed);
	faulty.fault = FAULT_PUT_FULL;		/* a probe goes through, a submission does not */
	while (queue_in_trouble(f->queue, NULL)) {
		f->late = false;
		timer_set(f->deadline, 50);
		loop_run(f->loop);
	}
	f->late = false;
	submit(f, "+1", "a");
	wait_for(f, 1);
	assert_true(f->failed);
	assert_int_equal(f->troubles, 2);
	faulty.fault = FAULT_NONE;
	while (queue_in_trouble(f->queue, NULL)) {
		timer_set(f->deadline, 50);
		loop_run(f->loop);
		f->late = false;
	}
	submit_and_wait(f, "+1", "a");
	assert_false(f->repeated);
	assert_int_equal(f->stored, 1);
	assert_int_equal(f->dropped, 2);
}

static void
test_commit_unknown_but_done(void **state)
{
	struct fixture *f = *state;
	struct queue_stats stats;

	faulty.fault = FAULT_UNKNOWN_DONE;
	submit_and_wait(f, "+1", NULL);
	assert_int_equal(faulty.commits, 1);	/* not done again */
	assert_int_equal(f->troubles, 0);
	queue_stats(f->queue, &stats);
	assert_int_equal(stats.counts.waiting, 1);
}

static void
test_commit_unknown_and_not_done(void **state)
{
	struct fixture *f = *state;
	struct queue_stats stats;

	faulty.fault = FAULT_UNKNOWN_NOT_DONE;
	submit_and_wait(f, "+1", NULL);
	assert_int_equal(faulty.commits, 2);
	queue_stats(f->queue, &stats);
	assert_int_equal(stats.counts.waiting, 1);
	find_id(f, f->ids[0]);
	assert_int_equal(f->n, 1);
}

static void
test_in_doubt_until_the_store_is_back(void **state)
{
	struct fixture *f = *state;
	struct submission *s;

	faulty.open_fails = 2;
	faulty.fault = FAULT_UNKNOWN_DONE;
	s = submit(f, "+1", "doubt");
	while (!queue_in_trouble(f->queue, NULL)) {
		timer_set(f->deadline, 20);
		loop_run(f->loop);
		f->late = false;
	}
	assert_int_equal(f->waited, 0);		/* neither yes nor no */
	assert_false(queue_withdraw(f->queue, s));
	submit(f, "+2", NULL);
	queue_find(f->queue, TEXT("alice"), TEXT("doubt"), on_found, f);
	f->wanted = 2;
	timer_set(f->deadline, 20000);
	loop_run(f->loop);
	assert_string_equal(f->trace, "xX");
	wait_for(f, 2);
	wait_for(f, 1);				/* now the first */
	assert_false(f->failed);
	assert_int_equal(f->stored, 1);
	assert_int_equal(f->recoveries, 1);
	find(f, "alice", "doubt");
	assert_int_equal(f->n, 1);
}

static void
test_close_in_trouble(void **state)
{
	struct fixture *f = *state;
	uint64_t id = (f->marks = true, submit_and_wait(f, "+1", NULL));

	faulty.fault = FAULT_BEGIN;
	submit(f, "+1", NULL);
	finish(f, id, NULL, 0);
	wait_for(f, 1);
	f->wanted = 1000;
	queue_close(&f->queue);			/* ends, and tells everybody */
	assert_string_equal(f->trace, "J");
	faulty.fault = FAULT_NONE;
	f->waited = 0;
	memset(f->trace, 0, sizeof f->trace);
	open_queue(f);
	find_id(f, id);				/* as after a crash */
	assert_int_equal(f->views[0].state, STATE_SENDING);
}

/* A store that can neither write nor read: what wants to read waits for it, and asks no more often than the
 * queue looks whether it is back. */
static void
test_store_away(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit_and_wait(f, "+1", NULL);
	int before;

	faulty.fault = FAULT_AWAY;
	submit(f, "+2", NULL);
	wait_for(f, 1);
	assert_true(queue_in_trouble(f->queue, NULL));
	before = faulty.flushes;
	queue_flight(f->queue, id, key_of("+1"), on_flight, f);
	for (unsigned probes = 0; probes < 2; probes++) {	/* each is a second */
		int begins = faulty.begins;

		while (faulty.begins == begins) {
			timer_set(f->deadline, 50);
			loop_run(f->loop);
			f->late = false;
		}
	}
	assert_in_range(faulty.flushes - before, 1, 8);
	faulty.fault = FAULT_NONE;
	wait_for(f, 1);
	assert_false(f->failed);
	assert_false(queue_in_trouble(f->queue, NULL));
}

static void
test_load_survives_trouble(void **state)
{
	struct fixture *f = *state;

	submit_and_wait(f, "+1", NULL);
	queue_close(&f->queue);
	open_queue(f);
	faulty.fault = FAULT_BEGIN;
	submit(f, "+2", NULL);
	wait_for(f, 1);
	assert_true(f->failed);
	queue_start(f->queue);			/* as soon as it is well */
	faulty.fault = FAULT_NONE;
	wait_for(f, 1);
	assert_int_equal(f->loaded, 1);
}

/* --- trouble for real: the file may not grow --- */

struct kept_ids {
	struct fixture	*f;
	uint64_t	 ids[4000];
	unsigned	 n, refused;
};

static void
on_kept(void *arg, const struct err *err, const uint64_t *ids, size_t n, bool repeated)
{
	struct kept_ids *k = arg;

	assert_false(repeated);
	if (err != NULL) {
		assert_int_equal(err->code, ERR_STORE);
		k->refused++;
	} else
		k->ids[k->n++] = ids[n - 1];
	heard(k->f, err != NULL ? 'x' : 's');
}

static void
submit_hundred(struct kept_ids *k)
{
	for (unsigned i = 0; i < 100; i++) {
		struct message *m = message_to("+1", NULL, "0123456789 0123456789 0123456789 0123456789");

		queue_submit(k->f->queue, &m, 1, on_kept, k);
	}
	wait_for(k->f, 100);
}

static void
test_no_room(void **state)
{
	struct fixture *f = *state;
	static struct kept_ids k;
	struct rlimit before, small;
	struct queue_stats stats;

	if (faulty.inner != &store_sqlite)
		return;
	k = (struct kept_ids){ .f = f };
	submit_hundred(&k);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 200000;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	while (k.refused == 0 && k.n < 3800)
		submit_hundred(&k);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_true(k.refused > 0);
	f->marks = true;
	finish(f, k.ids[0], NULL, 0);		/* waits for better times, if they are not here yet */
	wait_for(f, 1);
	assert_false(f->failed);
	while (queue_in_trouble(f->queue, NULL)) {
		timer_set(f->deadline, 50);
		loop_run(f->loop);
		f->late = false;
	}
	k.refused = 0;
	submit_hundred(&k);
	assert_int_equal(k.refused, 0);
	queue_stats(f->queue, &stats);
	assert_int_equal(stats.counts.waiting + stats.counts.sending, k.n - 1);
	for (unsigned i = 0; i < k.n; i++) {
		find_id(f, k.ids[i]);
		assert_int_equal(f->n, 1);
	}
}

#define T(fn)	{ #fn, fn }
static const struct {
	const char	*name;
	void		(*run)(void **);
} cases[] = {
	T(test_submit), T(test_fast_path_shares_the_transaction), T(test_many_share_a_commit),
	T(test_callbacks_in_order_of_calls), T(test_repeated_push_id), T(test_withdraw), T(test_find),
	T(test_push_id_as_given), T(test_cancel), T(test_replace), T(test_rules_are_not_trouble),
	T(test_receipts_and_notices), T(test_ids_do_not_run_out), T(test_close_writes_what_waits),
	T(test_load), T(test_overdue_goes_round), T(test_purge), T(test_backup), T(test_disk_full),
	T(test_reads_fail_too),
	T(test_commit_not_done), T(test_commit_unknown_but_done), T(test_commit_unknown_and_not_done),
	T(test_in_doubt_until_the_store_is_back), T(test_close_in_trouble), T(test_load_survives_trouble), T(test_store_away),
	T(test_no_room),
};

int
main(void)
{
	enum { CASES = sizeof cases / sizeof *cases };
	static const struct store_driver *const drivers[] = { &store_memory, &store_sqlite };
	static struct CMUnitTest tests[2 * CASES];
	static char names[2 * CASES][96];
	size_t n = 0;

	for (size_t d = 0; d < 2; d++)
		for (size_t i = 0; i < CASES; i++, n++) {
			snprintf(names[n], sizeof names[n], "%s: %s", drivers[d]->name, cases[i].name);
			tests[n] = (struct CMUnitTest){ names[n], cases[i].run, setup, teardown,
			    (void *)drivers[d] };
		}
	return _cmocka_run_group_tests("queue", tests, n, NULL, NULL);
}
