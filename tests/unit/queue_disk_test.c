/*
 * queue_disk_test.c - the whole queue, with its loop and worker, on a disk that fails
 *
 * Messages go their ways over the SQLite driver: sent at once, with a receipt, with one that came
 * too early, cancelled, replaced, two in one submission, one that comes while the index is still
 * loaded; in the middle the gateway stops and starts again. One call on the disk fails (each in its turn), or many in a row. Who is told no asks again
 * when the trouble is over. In the end every message must have gone its way once; and if the power
 * fails in between, what was told done must be there.
 *
 * The retry of the queue comes at once instead of after a second (timer_set is ours), so
 * nothing waits. KANTELE_SEED=n other moments of the power failure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"
#include "io/log.h"
#include "io/loop.h"
#include "push/msisdn.h"
#include "queue/queue.h"
#include "queue/store_sqlite_inner.h"
#include "store_rules.h"

enum { CHECKPOINT = 24, OPENS_MOST = 300, ACKS_MOST = 200 };

/* --- the ways of the messages --- */

enum step { SUBMIT, MARK, RECEIPT, AWAIT, FINISH, CANCEL, REPLACE, NOTICE, END };

enum way { AT_ONCE, BY_RECEIPT, BY_EARLY_RECEIPT, CANCELLED, REPLACED, TWO, BEFORE_LOADED };
static const struct {
	const char	*name;
	enum step	 steps[6];
} ways[] = {
	[AT_ONCE] = { "sent at once", { SUBMIT, FINISH, NOTICE, END } },
	[BY_RECEIPT] = { "with a receipt", { SUBMIT, MARK, AWAIT, RECEIPT, FINISH, END } },
	[BY_EARLY_RECEIPT] = { "with an early receipt", { SUBMIT, MARK, RECEIPT, AWAIT, FINISH, END } },
	[CANCELLED] = { "cancelled", { SUBMIT, CANCEL, END } },
	[REPLACED] = { "replaced", { SUBMIT, REPLACE, END } },
	[TWO] = { "two in one", { SUBMIT, END } },
	[BEFORE_LOADED] = { "before the index", { SUBMIT, END } },
};

enum { ALL = 99 };
static const struct {
	enum way	 way;
	unsigned	 first;		/* steps before the gateway stops and starts again */
} travellers[] = {
	{ AT_ONCE, ALL }, { BY_RECEIPT, ALL }, { BY_EARLY_RECEIPT, ALL }, { CANCELLED, ALL },
	{ REPLACED, ALL }, { TWO, ALL }, { AT_ONCE, 1 }, { BY_RECEIPT, 3 }, { CANCELLED, 1 },
	{ AT_ONCE, 0 }, { BY_EARLY_RECEIPT, 0 }, { BEFORE_LOADED, 0 },
};
enum { TRAVELLERS = sizeof travellers / sizeof *travellers };
enum { LEFT = 5 };		/* rows of messages that wait or are being sent then */

struct run;
struct traveller {
	struct run	*run;
	enum way	 way;
	char		 msisdn[16], push_id[16];
	unsigned	 done;		/* steps that were told done */
	bool		 again;		/* was told no, waits for the end of the trouble */
	uint64_t	 id, order_key;
};

struct run {
	char		 what[100];
	struct loop	*loop;
	struct timer	*deadline;
	struct queue	*queue;
	struct traveller all[TRAVELLERS];
	const struct traveller *only;	/* the others stay at home; NULL: everybody travels */
	bool		 restarted, loading, healing, stops_in_trouble;
	uint64_t	 highest;	/* id */
	unsigned	 offered, stored, dropped, loaded, adopted;
	struct {
		size_t		 at;
		unsigned	 traveller, done;
	} acks[ACKS_MOST];
	unsigned	 ack_count;
	size_t		 first_at;	/* the first acknowledgement since the trouble began */
};

/* --- the retry timer of the queue --- */

enum { RETRY_MS = 1000 };
static bool opening;			/* the purge's timer, set then, is not started */
void	__real_timer_set(struct timer *, int64_t);
void	__wrap_timer_set(struct timer *, int64_t);

void
__wrap_timer_set(struct timer *t, int64_t ms)
{
	if (!opening)
		__real_timer_set(t, ms == RETRY_MS ? 0 : ms);
}

/* --- steps --- */

static void	go(struct traveller *);

static unsigned
steps_wanted(const struct traveller *t)
{
	unsigned all = 0, first = travellers[t - t->run->all].first;

	if (t->run->only != NULL && t->run->only != t)
		return 0;
	while (ways[t->way].steps[all] != END)
		all++;
	return t->run->restarted || first > all ? all : first;
}

static void
stop_when_there(struct run *r)
{
	for (unsigned i = 0; i < TRAVELLERS; i++)
		if (r->all[i].done < steps_wanted(&r->all[i]))
			return;
	if (!r->loading && !(r->healing && queue_in_trouble(r->queue, NULL)))
		loop_stop(r->loop);
}

/* What a step came to: told done, or no. */
static void
told(struct traveller *t, const struct err *err)
{
	struct run *r = t->run;

	if (err != NULL && err->code != ERR_STORE)
		fail_msg("%s: %s, step %u: %s", r->what, ways[t->way].name, t->done, err->text);
	if (err != NULL) {
		if (r->queue == NULL)	/* it is being closed */
			return;
		if ((t->again = queue_in_trouble(r->queue, NULL)) == false)
			go(t);
		return;
	}
	assert_true(r->ack_count < ACKS_MOST);
	r->acks[r->ack_count].at = disk_instant();
	r->acks[r->ack_count].traveller = (unsigned)(t - r->all);
	r->acks[r->ack_count++].done = ++t->done;
	if (r->first_at == 0 && disk_harmed() > 0)
		r->first_at = disk_instant();
	if (t->done < steps_wanted(t))
		go(t);
	stop_when_there(r);
}

static void
on_stored(void *arg, const struct err *err, const uint64_t *ids, size_t n, bool repeated)
{
	struct traveller *t = arg;
	struct run *r = t->run;

	if (repeated)
		fail_msg("%s: %s: what was refused is in the store", r->what, ways[t->way].name);
	for (size_t i = 0; err == NULL && i < n; i++) {
		if (ids[i] <= r->highest)
			fail_msg("%s: id %" PRIu64 " after %" PRIu64, r->what, ids[i], r->highest);
		r->highest = t->id = ids[i];
	}
	told(t, err);
}

static void
on_done(void *arg, const struct err *err)
{
	told(arg, err);
}

static void
on_joined(void *arg, const struct err *err, const struct store_joined *j)
{
	struct traveller *t = arg;

	/* the receipt and the answer are together */
	if (err == NULL && t->done == 3 && t->way != AT_ONCE && (j == NULL || !j->ripe))
		fail_msg("%s: %s: the receipt was lost", t->run->what, ways[t->way].name);
	told(t, err);
}

static void
on_changed(void *arg, const struct err *err, enum store_result result)
{
	struct traveller *t = arg;

	if (err == NULL && result != STORE_OK)
		fail_msg("%s: %s: it was done before (%d)", t->run->what, ways[t->way].name, result);
	told(t, err);
}

static void
on_notice(void *arg, const struct err *err, const struct store_notice *n)
{
	struct traveller *t = arg;

	if (err == NULL && n == NULL)
		fail_msg("%s: the notice is gone", t->run->what);
	if (err == NULL)
		queue_notice_done(t->run->queue, n->id, n->order_key);
	told(t, err);
}

static struct message *
message_of(const struct traveller *t, const char *push_id, const char *body)
{
	struct message *m = message_new(&(struct message){ .account = TEXT("a"),
	    .push_id = text_of(push_id), .msisdn = text_of(t->msisdn), .body = text_of(body),
	    .klass = CLASS_NORMAL, .accepted = clock_wall(), .segments_most = 1, .octets_most = 140 });

	assert_non_null(m);
	return m;
}

static void
go_submit(struct traveller *t)
{
	struct message *m[2] = { message_of(t, t->push_id, "hello"), NULL };

	if (t->way == TWO)
		m[1] = message_of(t, NULL, "hello again");
	assert_non_null(queue_submit(t->run->queue, m, t->way == TWO ? 2 : 1, on_stored, t));
}

static void
go_settle(struct traveller *t, bool finish)
{
	struct store_answer answer = { .segment = 1, .state = ANSWER_ACCEPTED,
	    .foreign_id = text_of(t->msisdn) };
	struct store_notice notice = { .id = t->id + 1000000, .message = t->id,
	    .order_key = t->order_key, .url = TEXT("http://a/"), .until = INT64_MAX };
	struct store_settlement st = { .id = t->id, .order_key = t->order_key, .attempt = 1,
	    .at = clock_wall(), .domain = TEXT("d"), .segments = 1,
	    .state = finish ? STATE_FINISHED : STATE_AWAITING, .outcome = OUTCOME_DELIVERED };

	if (!finish) {
		st.answers = &answer;
		st.answer_count = 1;
	} else if (t->way == AT_ONCE) {
		st.notices = &notice;
		st.notice_count = 1;
	}
	queue_settle(t->run->queue, &st, on_joined, t);
}

static void
go(struct traveller *t)
{
	struct queue *q = t->run->queue;
	struct store_mark mark = { .attempt = 1, .reference = 1, .link = TEXT("0/a"),
	    .at = clock_wall() };
	struct store_receipt receipt = { .domain = TEXT("d"), .foreign_id = text_of(t->msisdn),
	    .said = TEXT("stat:DELIVRD"), .state = RECEIPT_DELIVERED, .at = clock_wall() };
	struct message *m;

	t->again = false;
	switch (ways[t->way].steps[t->done]) {
	case SUBMIT:
		go_submit(t);
		break;
	case MARK:
		queue_mark(q, t->id, t->order_key, &mark, on_done, t);
		break;
	case RECEIPT:
		queue_receipt(q, &receipt, on_joined, t);
		break;
	case AWAIT:
		go_settle(t, false);
		break;
	case FINISH:
		go_settle(t, true);
		break;
	case CANCEL:
		queue_cancel(q, TEXT("a"), text_of(t->push_id), on_changed, t);
		break;
	case REPLACE:
		m = message_of(t, NULL, "another");
		queue_replace(q, TEXT("a"), text_of(t->push_id), &m, on_changed, t);
		break;
	case NOTICE:
		queue_notice(q, t->id + 1000000, t->order_key, on_notice, t);
		break;
	case END:
		break;
	}
}

/* --- the owner --- */

static bool
owner_offer(void *arg, const struct message *m, uint64_t key, struct store_mark *mark)
{
	struct run *r = arg;

	(void)key;
	r->offered++;
	for (unsigned i = 0; i < TRAVELLERS; i++)
		if (text_is(m->msisdn, r->all[i].msisdn) && r->all[i].way == AT_ONCE) {
			*mark = (struct store_mark){ .attempt = 1, .link = TEXT("0/a"),
			    .at = clock_wall() };
			return true;
		}
	return false;
}

/* Only of what is put into the schedule by its own submission, not by the news. */
static void
owner_stored(void *arg, struct message **taken, uint64_t key, bool offered, bool marked)
{
	struct run *r = arg;

	(void)taken;
	(void)key;
	assert_true(offered == marked);		/* nobody comes before them */
	r->stored++;
}

static void
owner_dropped(void *arg, const struct message *m, uint64_t key, bool offered)
{
	struct run *r = arg;

	(void)m;
	(void)key;
	(void)offered;
	r->dropped++;
}

static void
owner_adopted(void *arg, const struct store_index *row)
{
	struct run *r = arg;

	if (!text_is(row->msisdn, r->all[TRAVELLERS - 1].msisdn) || r->adopted++ > 0)
		fail_msg("%s: message %" PRIu64 " is news", r->what, row->id);
}

static bool
owner_withhold(void *arg, uint64_t id, uint64_t key)
{
	(void)arg;
	(void)id;
	(void)key;
	return true;
}

static void
owner_changed(void *arg, uint64_t id, uint64_t key, enum store_result result, bool cancelled)
{
	(void)arg;
	(void)id;
	(void)key;
	(void)result;
	(void)cancelled;
}

static void
owner_loaded(void *arg, const struct store_index *rows, size_t n, bool end)
{
	struct run *r = arg;

	(void)rows;
	(void)end;
	r->loaded += (unsigned)n;
}

/* A callback of a notice that the queue had to give up at its end is made twice: that is
 * what was promised. */
static void
owner_loaded_notices(void *arg, const struct store_notice *rows, size_t n, bool end)
{
	struct run *r = arg;

	for (size_t i = 0; i < n; i++)
		queue_notice_done(r->queue, rows[i].id, rows[i].order_key);
	if (!end)
		return;
	r->loading = false;
	for (unsigned i = 0; i < TRAVELLERS; i++)
		if (r->all[i].way != BEFORE_LOADED && r->all[i].done < steps_wanted(&r->all[i]))
			go(&r->all[i]);
	stop_when_there(r);
}

static void
owner_trouble(void *arg, bool in_trouble, const struct err *err)
{
	struct run *r = arg;

	(void)err;
	for (unsigned i = 0; !in_trouble && i < TRAVELLERS; i++)
		if (r->all[i].again)
			go(&r->all[i]);
	if (in_trouble ? r->stops_in_trouble : r->healing)
		loop_stop(r->loop);
}

static const struct queue_owner owner = {
	.offer = owner_offer, .stored = owner_stored, .dropped = owner_dropped,
	.adopted = owner_adopted, .withhold = owner_withhold, .changed = owner_changed, .loaded = owner_loaded,
	.loaded_notices = owner_loaded_notices, .trouble = owner_trouble
};

/* --- the fixture --- */

struct fixture {
	char		 dir[64], work[80], cut[80], path[96], cut_path[96];
	struct store_conf conf, cut_conf;
	struct store_driver driver;
	uint64_t	 seed, dice;
	struct loop	*loop;
	struct timer	*deadline;
	struct run	 run;
};

static struct store *
often_moved_open(const struct store_conf *conf, struct err *err)
{
	struct store *s = store_sqlite.open(conf, err);

	if (s != NULL)
		sqlite3_wal_autocheckpoint(s->db, CHECKPOINT);
	return s;
}

static void
too_late(void *arg)
{
	struct fixture *f = arg;

	loop_stop(f->loop);
	fail_msg("%s: no end", f->run.what);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	const char *seed = getenv("KANTELE_SEED");
	struct err err = { 0 };

	f->dice = f->seed = seed != NULL ? strtoull(seed, NULL, 10) : 4711;
	/* in memory if that can be had: the disk is an imagined one anyway */
	snprintf(f->dir, sizeof f->dir, "%s/kantele-disk-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->work, sizeof f->work, "%s/work", f->dir);
	snprintf(f->cut, sizeof f->cut, "%s/cut", f->dir);
	assert_int_equal(mkdir(f->work, 0700), 0);
	assert_int_equal(mkdir(f->cut, 0700), 0);
	snprintf(f->path, sizeof f->path, "%s/kantele.db", f->work);
	snprintf(f->cut_path, sizeof f->cut_path, "%s/kantele.db", f->cut);
	f->conf = (struct store_conf){ .path = f->path, .retention_s = 3600 };
	f->cut_conf = (struct store_conf){ .path = f->cut_path, .retention_s = 3600 };
	f->driver = store_sqlite;
	f->driver.open = often_moved_open;
	log_set_level(LOG_LEVEL_PANIC);
	f->loop = loop_new(&err);
	assert_non_null(f->loop);
	f->deadline = timer_new(f->loop, too_late, f);
	disk_install();
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	pid_t child;

	disk_rest();
	queue_close(&f->run.queue);
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

/* --- how far a message is, by what the store holds --- */

static int64_t
ask(sqlite3 *db, const char *sql, const char *msisdn)	/* -1: no row */
{
	sqlite3_stmt *st;
	int64_t n = -1;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	sqlite3_bind_text(st, 1, msisdn, -1, SQLITE_STATIC);
	if (sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

static unsigned
how_far(sqlite3 *db, const struct traveller *t, const char *what)
{
	int64_t rows = ask(db, "SELECT (SELECT count(*) FROM q WHERE msisdn=?1) + (SELECT count(*) "
	    "FROM r WHERE msisdn=?1) + (SELECT count(*) FROM i WHERE msisdn=?1)", t->msisdn);
	int64_t state = ask(db, "SELECT state FROM q WHERE msisdn=?1", t->msisdn);
	bool early = ask(db, "SELECT count(*) FROM e WHERE fid=?1", t->msisdn) > 0;

	if (rows != 0 && rows != (t->way == TWO ? 2 : 1))
		fail_msg("%s: %s is there %d times", what, ways[t->way].name, (int)rows);
	if (rows == 0)
		return 0;
	switch (t->way) {
	case AT_ONCE:
		return state == STATE_SENDING ? 1 : ask(db, "SELECT count(*) FROM n WHERE message IN "
		    "(SELECT id FROM r WHERE msisdn=?1)", t->msisdn) > 0 ? 2 : 3;
	case BY_RECEIPT:
	case BY_EARLY_RECEIPT:
		return state == STATE_WAITING ? 1 : state == STATE_SENDING ? 2 + early :
		    state == STATE_AWAITING ? 3 : state == STATE_RIPE ? 4 : 5;
	case CANCELLED:
		return state == STATE_WAITING ? 1 : 2;
	case REPLACED:
		return ask(db, "SELECT instr(body, 'another')>0 FROM m WHERE id IN "
		    "(SELECT id FROM q WHERE msisdn=?1)", t->msisdn) == 1 ? 2 : 1;
	case TWO:
	case BEFORE_LOADED:
		return 1;
	}
	return 0;
}

/* Looks into a store that nobody has open. Every message must be `done` steps far, or, if the power
 * failed, one further: what was begun. */
static void
look(struct run *r, const struct store_conf *conf, const unsigned done[TRAVELLERS], bool power,
    const char *when)
{
	struct err err = { 0 };
	struct store *s = store_sqlite.open(conf, &err);
	char what[300];
	const char *broken;

	snprintf(what, sizeof what, "%s; %s", r->what, when);
	if (s == NULL)
		fail_msg("%s: %s", what, err.text);
	if ((broken = store_rule_broken(s->db)) != NULL)
		fail_msg("%s: %s", what, broken);
	for (unsigned i = 0; i < TRAVELLERS; i++) {
		unsigned far = how_far(s->db, &r->all[i], what);

		if (far < done[i] || far > done[i] + power)
			fail_msg("%s: the one %s (%u) is %u steps far, %u were told done", what,
			    ways[r->all[i].way].name, i, far, done[i]);
	}
	store_sqlite.close(&s, true);
}

static void
power_fails(struct fixture *f, size_t at, enum disk_fate fate)
{
	unsigned done[TRAVELLERS] = { 0 };
	char when[120];

	for (unsigned i = 0; i < f->run.ack_count; i++)
		if (f->run.acks[i].at <= at)
			done[f->run.acks[i].traveller] = f->run.acks[i].done;
	for (unsigned i = 0; i < TRAVELLERS; i++)	/* that it is made is not told */
		if (travellers[i].way == AT_ONCE && done[i] == 3)
			done[i] = 2;
	snprintf(when, sizeof when, "power fails after event %zu (%s), KANTELE_SEED=%" PRIu64, at,
	    disk_fates[fate], f->seed);
	disk_at(at);
	disk_cut(fate, disk_random(&f->dice));
	disk_write(f->cut);
	look(&f->run, &f->cut_conf, done, true, when);
}

/* --- a run --- */

static void
queue_begins(struct fixture *f)
{
	struct run *r = &f->run;

	for (unsigned tries = 0; r->queue == NULL; tries++) {
		struct err err = { 0 };

		opening = true;
		r->queue = queue_open(f->loop, &f->driver, &f->conf, &err);
		opening = false;
		if (r->queue == NULL && (err.code != ERR_STORE || tries == OPENS_MOST))
			fail_msg("%s: cannot begin: %s", r->what, err.text);
	}
	queue_owner_set(r->queue, &owner, r);
	r->loading = true;
	queue_start(r->queue);
	if (r->restarted)
		go(&r->all[TRAVELLERS - 1]);
	loop_run(f->loop);
}

static void
run_begins(struct fixture *f)
{
	struct run *r = &f->run;

	memset(r, 0, sizeof *r);
	r->loop = f->loop;
	for (unsigned i = 0; i < TRAVELLERS; i++) {
		struct traveller *t = &r->all[i];

		t->run = r;
		t->way = travellers[i].way;
		snprintf(t->msisdn, sizeof t->msisdn, "+3584%05u", i);
		snprintf(t->push_id, sizeof t->push_id, "p%u", i);
		t->order_key = msisdn_order_key(text_of(t->msisdn));
	}
	disk_empty(f->work);
	disk_record(f->work);
	timer_set(f->deadline, 20000);
}

static const struct fault_row {
	const char	*name;
	unsigned	 calls;
	enum disk_harm	 harm;
	size_t		 times, step;	/* so many in a row; every step-th call is tried, dice say where
					 * that begins */
} fault_rows[] = {
	{ "a sync",		CALL_SYNC,	HARM_EIO,	1,	1 },
	{ "a sync, done",	CALL_SYNC,	HARM_LATE,	1,	1 },
	{ "three syncs",	CALL_SYNC,	HARM_EIO,	3,	1 },
	{ "many syncs",		CALL_SYNC,	HARM_EIO,	12,	1 },
	{ "syncs and writes",	CALL_SYNC | CALL_WRITE, HARM_EIO, 4,	5 },
	{ "a write",		CALL_WRITE,	HARM_EIO,	1,	5 },
	{ "a write, done",	CALL_WRITE,	HARM_LATE,	1,	5 },
	{ "no space",		CALL_WRITE,	HARM_FULL,	1,	5 },
	{ "half a write",	CALL_WRITE,	HARM_SHORT,	1,	5 },
	{ "no space for long",	CALL_WRITE,	HARM_FULL,	30,	11 },
	{ "a read",		CALL_READ,	HARM_EIO,	1,	2 },
	{ "a truncation",	CALL_TRUNCATE,	HARM_EIO,	1,	1 },
	{ "an opening",		CALL_OPEN,	HARM_EIO,	1,	1 },
	{ "a deletion",		CALL_DELETE,	HARM_EIO,	1,	1 },
	{ "a look",		CALL_LOOK,	HARM_EIO,	1,	2 },
	{ "shared memory",	CALL_SHARED,	HARM_EIO,	1,	3 },
	{ "anything, for a while", CALL_ANY,	HARM_EIO,	6,	9 },
	{ "anything, for long",	CALL_ANY,	HARM_EIO,	60,	17 },
};

/* false: no call failed, there are not so many. */
static bool
run_with(struct fixture *f, const struct fault_row *row, size_t nth)
{
	struct run *r = &f->run;
	unsigned all[TRAVELLERS];
	size_t end, harmed;

	run_begins(f);
	snprintf(r->what, sizeof r->what, "%s (%s), from call %zu on", row->name,
	    disk_harms[row->harm], nth);
	disk_harm(row->calls, nth, row->times, row->harm);
	queue_begins(f);
	queue_close(&r->queue);
	r->restarted = true;
	queue_begins(f);
	if (r->loaded != LEFT)
		fail_msg("%s: %u rows were loaded", r->what, r->loaded);
	harmed = disk_harmed();
	disk_heal();
	r->healing = true;
	if (queue_in_trouble(r->queue, NULL))
		loop_run(f->loop);
	queue_close(&r->queue);
	timer_cancel(f->deadline);
	end = disk_instant();
	disk_rest();
	for (unsigned i = 0; i < TRAVELLERS; i++)
		all[i] = steps_wanted(&r->all[i]);
	look(r, &f->conf, all, false, "at the end");
	if (r->offered != r->stored + r->dropped)
		fail_msg("%s: %u offered, %u stored, %u dropped", r->what, r->offered, r->stored,
		    r->dropped);
	if (r->first_at != 0)
		power_fails(f, r->first_at, FATE_LOST);
	power_fails(f, disk_random(&f->dice) % (end + 1), FATE_RANDOM);
	return harmed > 0;
}

static void
test_every_fault(void **state)
{
	struct fixture *f = *state;
	unsigned runs = 0;

	for (size_t i = 0; i < sizeof fault_rows / sizeof *fault_rows; i++) {
		const struct fault_row *row = &fault_rows[i];

		for (size_t nth = 1 + disk_random(&f->dice) % row->step; run_with(f, row, nth);
		    nth += row->step)
			runs++;
	}
	print_message("%u faults\n", runs);
}

/* Nobody knows whether it is in, the gateway is told to stop, and the disk is back just then: what
 * is told is what is so. */
static void
test_stopped_in_doubt(void **state)
{
	enum { NONE = 9, ONE = 8 };	/* travellers with so many steps to do before the restart */
	struct fixture *f = *state;
	struct run *r = &f->run;
	struct traveller *t = &r->all[ONE];
	struct err err = { 0 };
	struct store *s;

	run_begins(f);
	snprintf(r->what, sizeof r->what, "stopped in doubt");
	r->only = &r->all[NONE];
	queue_begins(f);
	r->only = t;
	r->stops_in_trouble = true;
	disk_harm(CALL_SYNC, 1, 1000, HARM_EIO);
	go(t);
	loop_run(f->loop);
	assert_true(disk_harmed() >= 2);	/* not only the commit: also who asked */
	disk_rest();
	queue_close(&r->queue);
	timer_cancel(f->deadline);
	s = store_sqlite.open(&f->conf, &err);
	assert_non_null(s);
	assert_int_equal(how_far(s->db, t, r->what), t->done);
	store_sqlite.close(&s, true);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stopped_in_doubt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_fault, setup, teardown),
	};

	return cmocka_run_group_tests_name("queue_disk", tests, NULL, NULL);
}
