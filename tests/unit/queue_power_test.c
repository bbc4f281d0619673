/*
 * queue_power_test.c - the SQLite store when the power fails, and on a disk that fails
 *
 * A script writes batches of everything that happens to messages, on a disk that remembers
 * (disk.h). After every single event of that disk the power fails, in several ways; the store is
 * opened from what is left and must keep its promise:
 *
 *   what commit() called done is there, whole; of what it was at, all or nothing; last_batch()
 *   says which; every table is as it was after that batch, so is the tally; the file is sound; no id
 *   that was given comes again; and the store works on.
 *
 * Then by dice, one failure after the other on the same store; and the other trouble: each call
 * on the disk fails once, or many in a row, under somebody who does what queue_writer.c does.
 *
 * KANTELE_SEED=n other dice.
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
#include "queue/store_sqlite.h"
#include "queue/store_sqlite_inner.h"
#include "store_calls.h"
#include "store_rules.h"

enum { OF_A_BATCH = 4, CHECKPOINT = 24, BATCHES_MOST = 400, RESERVES_MOST = 400,
    INBOX_IDS = 500000 };

/* --- the script: batch n, a function of n and of what the batches before it left --- */

/* -1: the store is in trouble (err). A wrong answer ends the test. */
static int
want(enum store_result got, enum store_result wanted, const struct err *err, const char *what,
    uint64_t id)
{
	if (got == STORE_FAILED && err->code == ERR_STORE)
		return -1;
	if (got != wanted)
		fail_msg("%s %" PRIu64 " says %d, not %d: %s", what, id, got, wanted, err->text);
	return 0;
}

static uint64_t
id_of(uint64_t batch, unsigned i)
{
	return 1 + batch * OF_A_BATCH + i;
}

static uint64_t
key_of(uint64_t id)
{
	return id << 40;
}

static bool
marked_of(uint64_t batch, unsigned i)
{
	return (batch + i) % 2 == 0;
}

static wall_t
time_of(uint64_t batch)
{
	return (wall_t)batch * 1000;
}

static struct text
foreign_of(uint64_t id, char which, char out[24])
{
	return (struct text){ out, (size_t)snprintf(out, 24, "f%" PRIu64 "%c", id, which) };
}

static struct store_row
row_of(uint64_t batch, unsigned i)
{
	static char body[9001], push_id[24];
	uint64_t id = id_of(batch, i);
	struct store_row row = { .id = id, .order_key = key_of(id), .msisdn = TEXT("+35840"),
	    .account = TEXT("a"), .accepted = time_of(batch), .expires = time_of(batch) + 5000 };

	memset(body, (int)('a' + id % 26), sizeof body);
	row.body = (struct text){ body, i == 3 && batch % 4 == 0 ? 9000 : 100 + id * 7 % 500 };
	if (i % 2 == 0)
		row.push_id = (struct text){ push_id,
		    (size_t)snprintf(push_id, sizeof push_id, "p%" PRIu64, id) };
	return row;
}

static int
do_put(struct store *s, uint64_t batch, unsigned i, struct err *err)
{
	struct store_mark mark = { .attempt = 1, .reference = 7, .link = TEXT("0/a"),
	    .at = time_of(batch) };
	struct store_row row = row_of(batch, i);
	uint64_t existing;

	if (marked_of(batch, i))
		row.mark = &mark;
	return want(call_put(&store_sqlite, s, OURS, &row, &existing, err), STORE_OK, err, "put", row.id);
}

static int
do_settle(struct store *s, struct store_settlement st, struct err *err)
{
	struct store_joined joined;

	st.order_key = key_of(st.id);
	st.domain = TEXT("d");
	return want(call_settle(&store_sqlite, s, OURS, &st, &joined, err), STORE_OK, err, "settle", st.id);
}

static int
do_finish(struct store *s, uint64_t batch, uint64_t id, enum store_outcome outcome, bool tell,
    struct err *err)
{
	struct store_notice notice = { .id = id, .message = id, .order_key = key_of(id),
	    .url = TEXT("http://a/"), .due = time_of(batch), .until = time_of(batch + 9) };

	return do_settle(s, (struct store_settlement){ .id = id, .state = STATE_FINISHED,
	    .at = time_of(batch), .attempt = 1, .outcome = outcome, .link = TEXT("0/a"),
	    .notices = &notice, .notice_count = tell }, err);
}

static int
do_open(struct store *s, uint64_t batch, uint64_t id, enum store_state state, unsigned answered,
    struct err *err)
{
	char foreign[2][24];
	struct store_answer answers[2];

	for (unsigned i = 0; i < 2; i++)
		answers[i] = (struct store_answer){ .segment = (uint8_t)(i + 1),
		    .state = ANSWER_ACCEPTED,
		    .foreign_id = foreign_of(id, (char)('a' + i), foreign[i]) };
	return do_settle(s, (struct store_settlement){ .id = id, .state = state, .attempt = 1,
	    .at = time_of(batch), .due = time_of(batch + 1), .segments = 2, .answers = answers,
	    .answer_count = answered }, err);
}

static int
do_receipt(struct store *s, uint64_t batch, uint64_t id, char which, bool ripe, struct err *err)
{
	char foreign[24];
	struct store_receipt r = { .domain = TEXT("d"), .foreign_id = foreign_of(id, which, foreign),
	    .said = TEXT("stat:DELIVRD"), .state = RECEIPT_DELIVERED, .at = time_of(batch) };
	struct store_joined joined;

	if (want(call_receipt(&store_sqlite, s, &r, &joined, err), STORE_OK, err, "receipt", id) == -1)
		return -1;
	if (joined.ripe != ripe)
		fail_msg("receipt of %" PRIu64 "%c: ripe is %d", id, which, joined.ripe);
	return 0;
}

static int
do_notice(struct store *s, uint64_t batch, uint64_t id, bool later, struct err *err)
{
	enum store_result result = later ?
	    call_notice_later(&store_sqlite, s, id, key_of(id), 1, time_of(batch + 2), err) :
	    call_notice_done(&store_sqlite, s, id, key_of(id), err);

	return want(result, STORE_OK, err, "notice", id);
}

static int
do_change(struct store *s, uint64_t batch, uint64_t id, bool cancel, struct err *err)
{
	enum store_result result = cancel ?
	    call_cancel(&store_sqlite, s, OURS, id, key_of(id), time_of(batch), err) :
	    call_replace(&store_sqlite, s, OURS, id, key_of(id), TEXT("another"), time_of(batch + 7),
	    err);

	return want(result, STORE_OK, err, cancel ? "cancel" : "replace", id);
}

static int
do_mark(struct store *s, uint64_t batch, uint64_t id, struct err *err)
{
	struct store_mark mark = { .attempt = 2, .reference = 8, .link = TEXT("0/b"),
	    .at = time_of(batch) };

	return want(call_mark(&store_sqlite, s, OURS, id, key_of(id), &mark, err), STORE_OK, err, "mark",
	    id);
}

static void
news_one(void *arg, const struct store_news *news)
{
	assert_int_equal(news->kind, NEWS_MESSAGE);
	++*(unsigned *)arg;
}

/* A message comes into the inbox in one batch, and is adopted with the next one's news. */
static int
do_news(struct store *s, uint64_t batch, struct err *err)
{
	unsigned n = 0, seen;

	if (store_sqlite.news(s, &every_part, 10, news_one, &n, &seen, err) == -1)
		return -1;
	assert_int_equal(n, batch % 5 == 1 && batch > 5);
	return 0;
}

static int
do_inbox(struct store *s, uint64_t batch, struct err *err)
{
	struct store_row row = row_of(batch, 0);
	uint64_t existing;

	if (batch % 5 != 0)
		return 0;
	row.id = INBOX_IDS + batch;
	row.push_id = (struct text){ 0 };
	return want(call_put(&store_sqlite, s, 0, &row, &existing, err), STORE_OK, err, "inbox", row.id);
}

/* The batch after a message was put: an answer comes, or somebody thinks better of it. */
static int
second_day(struct store *s, uint64_t batch, struct err *err)
{
	uint64_t put = batch - 1;

	if (do_finish(s, batch, id_of(put, 0), OUTCOME_SENT, true, err) == -1 ||
	    do_open(s, batch, id_of(put, 1), STATE_AWAITING, 2, err) == -1)
		return -1;
	if (marked_of(put, 2))
		return do_open(s, batch, id_of(put, 2), STATE_WAITING, 1, err) == -1 ? -1 :
		    do_change(s, batch, id_of(put, 3), false, err);
	return do_change(s, batch, id_of(put, 2), true, err) == -1 ? -1 :
	    do_open(s, batch, id_of(put, 3), put % 4 == 1 ? STATE_HELD : STATE_UNKNOWN, 0, err);
}

static int
third_day(struct store *s, uint64_t batch, struct err *err)
{
	uint64_t put = batch - 2;

	if (do_notice(s, batch, id_of(put, 0), put % 3 == 0, err) == -1 ||
	    do_receipt(s, batch, id_of(put, 1), 'b', true, err) == -1)
		return -1;
	if (marked_of(put, 2))
		return do_mark(s, batch, id_of(put, 2), err) == -1 ? -1 :
		    do_mark(s, batch, id_of(put, 3), err);
	return do_finish(s, batch, id_of(put, 3), OUTCOME_UNKNOWN, false, err);
}

static int
fourth_day(struct store *s, uint64_t batch, struct err *err)
{
	uint64_t put = batch - 3;

	if (do_finish(s, batch, id_of(put, 1), OUTCOME_DELIVERED, false, err) == -1)
		return -1;
	return marked_of(put, 2) ? do_finish(s, batch, id_of(put, 2), OUTCOME_FAILED, false, err) : 0;
}

static int
script(struct store *s, uint64_t batch, struct err *err)
{
	unsigned gone;

	if (do_news(s, batch, err) == -1)
		return -1;
	for (unsigned i = 0; i < OF_A_BATCH; i++)
		if (do_put(s, batch, i, err) == -1)
			return -1;
	if (do_receipt(s, batch, id_of(batch, 1), 'a', false, err) == -1 ||	/* early */
	    do_inbox(s, batch, err) == -1 ||
	    (batch > 1 && second_day(s, batch, err) == -1) ||
	    (batch > 2 && third_day(s, batch, err) == -1) ||
	    (batch > 3 && fourth_day(s, batch, err) == -1))
		return -1;
	if (batch % 6 == 0 && store_sqlite.purge(s, time_of(batch - 3), 20, &gone, err) == -1)
		return -1;
	return store_sqlite.flush(s, err);
}

/* --- what a store holds, in short --- */

static const struct {
	const char	*name, *sql;
} tables[] = {
	{ "tally", "SELECT * FROM tally" },
	{ "m", "SELECT * FROM m ORDER BY id" },
	{ "q", "SELECT * FROM q ORDER BY id" },
	{ "r", "SELECT * FROM r ORDER BY id" },
	{ "p", "SELECT * FROM p ORDER BY account, push_id" },
	{ "x", "SELECT * FROM x ORDER BY block, key, id" },
	{ "s", "SELECT * FROM s ORDER BY id, attempt, seg" },
	{ "f", "SELECT * FROM f ORDER BY domain, fid" },
	{ "e", "SELECT * FROM e ORDER BY domain, fid" },
	{ "n", "SELECT * FROM n ORDER BY id" },
	/* without the time of day */
	{ "i", "SELECT id, part, key, klass, due, expires, accepted, msisdn, account, smsc, grp FROM i "
	    "ORDER BY id" },
};
enum { TABLES = sizeof tables / sizeof *tables };

struct shape {
	uint64_t	 tables[TABLES];
	struct store_counts counts;
};

static uint64_t
table_shape(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st;
	uint64_t h = 1;
	int rc;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		for (int i = 0; i < sqlite3_column_count(st); i++) {
			const void *at = sqlite3_column_blob(st, i);
			size_t n = (size_t)sqlite3_column_bytes(st, i);

			h = h * 31 + (uint64_t)sqlite3_column_type(st, i);
			h = h * 31 + text_hash(at != NULL ? at : "", n);
		}
	sqlite3_finalize(st);
	if (rc != SQLITE_DONE)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	return h;
}

static struct shape
shape_of(struct store *s)
{
	struct shape shape;
	struct err err = { 0 };

	memset(&shape, 0, sizeof shape);
	for (unsigned i = 0; i < TABLES; i++)
		shape.tables[i] = table_shape(s->db, tables[i].sql);
	assert_int_equal(store_sqlite.counts(s, &shape.counts, &err), 0);
	return shape;
}

static const char *
differs(struct store *s, const struct shape *want)	/* NULL, or the first table */
{
	struct shape is = shape_of(s);

	for (unsigned i = 0; i < TABLES; i++)
		if (is.tables[i] != want->tables[i])
			return tables[i].name;
	return memcmp(&is.counts, &want->counts, sizeof is.counts) != 0 ? "counts" : NULL;
}

/* --- the fixture: two folders, what is known of every batch, and when it was said --- */

struct fixture {
	char		 dir[64], work[80], cut[80], path[96], cut_path[96];
	struct store_conf conf, cut_conf;
	uint64_t	 seed;
	struct shape	 shapes[BATCHES_MOST + 2];
	uint64_t	 known;		/* shapes[0..known] are there */

	/* of this record */
	uint64_t	 before;	/* the last batch when it began */
	uint64_t	 before_reserved;
	size_t		 begun_at[BATCHES_MOST + 2], done_at[BATCHES_MOST + 2];
	uint64_t	 done;
	struct {
		size_t	 at;
		uint64_t end;
	} reserves[RESERVES_MOST];
	unsigned	 reserved;
	size_t		 tag_at;
	uint32_t	 tag;

	unsigned	 checked;
	uint64_t	 seen[1 << 16];	/* images that were looked at: a set */
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	const char *seed = getenv("KANTELE_SEED");

	f->seed = seed != NULL ? strtoull(seed, NULL, 10) : 4711;
	/* in memory if that can be had: the disk is an imagined one anyway */
	snprintf(f->dir, sizeof f->dir, "%s/kantele-power-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->work, sizeof f->work, "%s/work", f->dir);
	snprintf(f->cut, sizeof f->cut, "%s/cut", f->dir);
	assert_int_equal(mkdir(f->work, 0700), 0);
	assert_int_equal(mkdir(f->cut, 0700), 0);
	snprintf(f->path, sizeof f->path, "%s/kantele.db", f->work);
	snprintf(f->cut_path, sizeof f->cut_path, "%s/kantele.db", f->cut);
	f->conf = (struct store_conf){ .path = f->path };
	f->cut_conf = (struct store_conf){ .path = f->cut_path };
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
	if ((child = fork()) == 0) {
		execlp("rm", "rm", "-rf", f->dir, (char *)NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
	free(f);
	return 0;
}

static struct store *
store_open(const struct store_conf *conf, struct err *err)
{
	struct store *s = call_open(&store_sqlite, conf, err);

	if (s != NULL)		/* far more often than in life, to see the log begin again */
		sqlite3_wal_autocheckpoint(s->db, CHECKPOINT);
	return s;
}

/* --- the promise at an instant, and whether a store keeps it --- */

struct promise {
	uint64_t	 reported, begun;	/* batches: durable; may be in */
	uint64_t	 reserved;		/* ids below were given */
	uint32_t	 tag;			/* 0: not told yet */
};

static struct promise
promise_at(const struct fixture *f, size_t instant)
{
	struct promise p = { .reported = f->before, .begun = f->before,
	    .reserved = f->before_reserved };

	for (uint64_t b = f->before + 1; b <= f->done + 1; b++) {
		if (b <= f->done && f->done_at[b] <= instant)
			p.reported = b;
		if (f->begun_at[b] != 0 && f->begun_at[b] <= instant)
			p.begun = b;
	}
	for (unsigned i = 0; i < f->reserved; i++)
		if (f->reserves[i].at <= instant)
			p.reserved = f->reserves[i].end;
	if (f->tag_at <= instant)
		p.tag = f->tag;
	return p;
}

__attribute__((format(printf, 2, 3)))
static bool
broken(char why[400], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, 400, fmt, args);
	va_end(args);
	return false;
}

static bool
kept(struct fixture *f, struct store *s, const struct promise *p, uint64_t *last, char why[400])
{
	struct err err = { 0 };
	const char *wrong;
	uint64_t first;

	if ((wrong = store_unsound(s->db)) != NULL)
		return broken(why, "%s", wrong);
	assert_int_equal(store_sqlite.last_batch(s, last, &err), 0);
	if (*last != p->reported && *last != p->begun)
		return broken(why, "the last batch is %" PRIu64 "; %" PRIu64 " was reported, %" PRIu64
		    " begun", *last, p->reported, p->begun);
	if ((wrong = differs(s, &f->shapes[*last])) != NULL)
		return broken(why, "after batch %" PRIu64 " %s is not as it was", *last, wrong);
	if (p->tag != 0 && store_sqlite.tag(s) != p->tag)
		return broken(why, "it has another tag");
	if (store_sqlite.reserve(s, 10, &first, &err) == -1)
		return broken(why, "reserve: %s", err.text);
	if (first < p->reserved)
		return broken(why, "id %" PRIu64 " comes again", first);
	return true;
}

/* One more batch goes in and is there the next time. */
static bool
works_on(struct fixture *f, struct store **s, uint64_t last, char why[400])
{
	struct err err = { 0 };
	const char *wrong;
	uint64_t now;

	if (store_sqlite.begin(*s, last + 1, &err) == -1 || script(*s, last + 1, &err) == -1 ||
	    store_sqlite.commit(*s, &err) != COMMIT_DONE)
		return broken(why, "the next batch: %s", err.text);
	store_sqlite.close(s, true);
	if ((*s = store_open(&f->cut_conf, &err)) == NULL)
		return broken(why, "opened again: %s", err.text);
	assert_int_equal(store_sqlite.last_batch(*s, &now, &err), 0);
	if (now != last + 1)
		return broken(why, "opened again: the last batch is %" PRIu64, now);
	if (now <= f->known && (wrong = differs(*s, &f->shapes[now])) != NULL)
		return broken(why, "the next batch: %s is not as it would be", wrong);
	return true;
}

/* What lies in f->cut. */
static bool
keeps(struct fixture *f, const struct promise *p, bool work, uint64_t *last, char why[400])
{
	struct err err = { 0 };
	struct store *s = store_open(&f->cut_conf, &err);
	bool good;

	if (s == NULL)
		return broken(why, "it cannot be opened: %s", err.text);
	good = kept(f, s, p, last, why) && (!work || works_on(f, &s, *last, why));
	store_sqlite.close(&s, true);
	f->checked++;
	return good;
}

/* --- somebody who writes, on a disk that is recorded --- */

static void
record_begin(struct fixture *f, uint64_t before, uint64_t reserved)
{
	disk_record(f->work);
	f->before = f->done = before;
	f->before_reserved = reserved;
	memset(f->begun_at, 0, sizeof f->begun_at);
	memset(f->done_at, 0, sizeof f->done_at);
	f->reserved = 0;
}

static struct store *
record_open(struct fixture *f)
{
	struct err err = { 0 };
	struct store *s = store_open(&f->conf, &err);

	if (s == NULL)
		fail_msg("open: %s", err.text);
	if (f->tag == 0) {
		f->tag = store_sqlite.tag(s);
		f->tag_at = disk_instant();
		f->shapes[0] = shape_of(s);
	}
	return s;
}

static void
record_reserve(struct fixture *f, struct store *s)
{
	struct err err = { 0 };
	uint64_t first;

	assert_int_equal(store_sqlite.reserve(s, 10, &first, &err), 0);
	assert_true(f->reserved < RESERVES_MOST);
	f->reserves[f->reserved].at = disk_instant();
	f->reserves[f->reserved++].end = first + 10;
}

/* The shape of a batch is looked at when it is done the first time, compared each time after. */
static void
record_shape(struct fixture *f, struct store *s, uint64_t batch)
{
	const char *wrong = NULL;

	if (batch > f->known) {
		f->shapes[batch] = shape_of(s);
		f->known = batch;
		wrong = store_rule_broken(s->db);
	} else
		wrong = differs(s, &f->shapes[batch]);
	if (wrong != NULL)
		fail_msg("after batch %" PRIu64 ": %s", batch, wrong);
}

static void
record_batch(struct fixture *f, struct store *s)
{
	struct err err = { 0 };
	uint64_t batch = f->done + 1;

	assert_true(batch <= BATCHES_MOST);
	assert_int_equal(store_sqlite.begin(s, batch, &err), 0);
	assert_int_equal(script(s, batch, &err), 0);
	f->begun_at[batch] = disk_instant() + 1;	/* before its first event it cannot be in */
	assert_int_equal(store_sqlite.commit(s, &err), COMMIT_DONE);
	f->done_at[batch] = disk_instant();
	f->done = batch;
	record_shape(f, s, batch);
}

/* --- cut after every event --- */

static bool
seen_before(struct fixture *f, uint64_t image, const struct promise *p)
{
	size_t size = sizeof f->seen / sizeof *f->seen, at;

	image ^= text_hash(p, sizeof *p);
	for (at = image % size; f->seen[at] != 0; at = (at + 1) % size)
		if (f->seen[at] == image)
			return true;
	f->seen[at] = image;
	return false;
}

/* true: the promise is kept after every event of the first `most`; else the first that breaks it
 * is told in why. */
static bool
cut_everywhere(struct fixture *f, size_t most, unsigned dice, char why[800])
{
	size_t end = disk_instant() < most ? disk_instant() : most;

	memset(f->seen, 0, sizeof f->seen);
	f->checked = 0;
	disk_rest();
	for (size_t at = 0; at <= end; at++) {
		struct promise p = promise_at(f, at);

		disk_at(at);
		for (unsigned fate = 0; fate < FATE_RANDOM + dice; fate++) {
			enum disk_fate how = fate < FATE_RANDOM ? (enum disk_fate)fate : FATE_RANDOM;
			char what[400];
			uint64_t last;

			if (seen_before(f, disk_cut(how, f->seed + at * 64 + fate), &p))
				continue;
			disk_write(f->cut);
			if (keeps(f, &p, fate % 4 == 0, &last, what))
				continue;
			snprintf(why, 800, "KANTELE_SEED=%" PRIu64 ", event %zu of %zu, %s: %s", f->seed, at,
			    end, disk_fates[how], what);
			return false;
		}
	}
	return true;
}

static void
record_script(struct fixture *f, uint64_t batches)
{
	struct store *s;

	record_begin(f, 0, 0);
	s = record_open(f);
	while (f->done < batches) {
		if (f->done % 4 == 1)
			record_reserve(f, s);
		if (f->done % 7 == 6) {
			store_sqlite.close(&s, true);
			s = record_open(f);
		}
		record_batch(f, s);
	}
	store_sqlite.close(&s, true);
}

static void
test_cut_after_every_event(void **state)
{
	struct fixture *f = *state;
	char why[800];

	record_script(f, 8);
	if (!disk_folder_synced())
		fail_msg("no sync of the folder was seen: is fsync ours?");
	if (!cut_everywhere(f, SIZE_MAX, 2, why))
		fail_msg("%s", why);
	print_message("%zu events, %u different crashes\n", disk_instant(), f->checked);
}

/* The test of the test: a disk that says it is done and is not loses what was promised. */
static void
test_a_lying_disk_is_found_out(void **state)
{
	struct fixture *f = *state;
	struct store *s;
	char why[800];

	record_begin(f, 0, 0);
	s = record_open(f);
	record_batch(f, s);
	disk_lies(true);
	record_batch(f, s);
	record_batch(f, s);
	store_sqlite.close(&s, true);
	assert_false(cut_everywhere(f, SIZE_MAX, 0, why));
	assert_non_null(strstr(why, "2 was reported"));
}

/* --- an upgrade that is cut short --- */

/* What takes a store back from version N + 2 (the index) to N + 1: one for each step in
 * store_sqlite_file.c but the first. */
static const char *const undone[] = {
	"ALTER TABLE q DROP COLUMN tries; ALTER TABLE q DROP COLUMN refused",
	"DROP INDEX q_turn; ALTER TABLE q DROP COLUMN turn; DROP TABLE moved",
};
enum { NEWEST = sizeof undone / sizeof *undone + 1 };

static void
take_back(const char *path)
{
	sqlite3_stmt *st;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	if (sqlite3_column_int(st, 0) != NEWEST)
		fail_msg("undone[] does not know version %d", sqlite3_column_int(st, 0));
	sqlite3_finalize(st);
	for (int i = NEWEST - 2; i >= 0; i--)
		assert_int_equal(sqlite3_exec(db, undone[i], NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=1", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
test_an_upgrade_cut_short(void **state)
{
	struct fixture *f = *state;
	struct store *s;
	char why[800];

	record_script(f, 4);
	disk_rest();
	take_back(f->path);
	record_begin(f, 4, f->reserves[f->reserved - 1].end);
	f->tag_at = 0;
	s = record_open(f);
	if (differs(s, &f->shapes[4]) != NULL)
		fail_msg("the upgrade has changed %s", differs(s, &f->shapes[4]));
	store_sqlite.close(&s, true);
	if (!cut_everywhere(f, SIZE_MAX, 1, why))
		fail_msg("%s", why);
}

/* --- by dice: a failure, and the next one before the store has got over the last --- */

enum { ROUNDS = 90, CUTS = 5 };

static struct store *
record_some(struct fixture *f, uint64_t *dice)
{
	struct store *s = record_open(f);

	for (unsigned n = disk_random(dice) % 5; n > 0; n--) {
		if (disk_random(dice) % 3 == 0)
			record_reserve(f, s);
		if (disk_random(dice) % 5 == 0) {
			store_sqlite.close(&s, true);
			s = record_open(f);
		}
		record_batch(f, s);
	}
	if (disk_random(dice) % 4 == 0)
		store_sqlite.close(&s, true);
	return s;
}

static void
test_one_failure_after_the_other(void **state)
{
	struct fixture *f = *state;
	uint64_t dice = f->seed, last = 0, reserved = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct promise p;
		struct store *s;
		size_t end, at = 0;
		char why[400];

		if (round % 30 == 0) {		/* a new store, which may not get far */
			disk_empty(f->work);
			last = reserved = f->tag = 0;
		}
		record_begin(f, last, reserved);
		s = record_some(f, &dice);
		end = disk_instant();
		disk_rest();
		store_sqlite.close(&s, true);
		for (unsigned i = 0; i < CUTS; i++) {
			at = disk_random(&dice) % (end + 1);
			p = promise_at(f, at);
			disk_at(at);
			disk_cut(FATE_RANDOM, disk_random(&dice));
			disk_write(f->cut);
			if (!keeps(f, &p, disk_random(&dice) % 2 == 0, &last, why))
				fail_msg("KANTELE_SEED=%" PRIu64 ", round %u, event %zu of %zu: %s", f->seed, round,
				    at, end, why);
		}
		disk_write(f->work);		/* goes on from the last one */
		reserved = p.reserved;
		if (f->tag_at > at)
			f->tag = 0;
		f->tag_at = 0;
	}
	print_message("%u rounds, %u crashes, up to %u batches\n", ROUNDS, f->checked,
	    (unsigned)f->known);
}

/* --- a disk that fails --- */

/* The mode of the log is asked for, and the answer may come before the disk has said no. */
static void
has_a_log(struct store *s)
{
	sqlite3_stmt *st = NULL;

	sqlite3_prepare_v2(s->db, "PRAGMA journal_mode", -1, &st, NULL);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_string_equal(sqlite3_column_text(st, 0), "wal");
	sqlite3_finalize(st);
}

/* A sync fails while a new store is made, and then the power. */
static void
test_a_new_store(void **state)
{
	enum { BEFORE_LOG = 16 };	/* events, more or less */
	struct fixture *f = *state;
	size_t nth = 0, harmed;
	char why[800];

	record_script(f, 1);
	f->tag = 0;
	do {
		struct err err = { 0 };
		struct store *s;

		disk_empty(f->work);
		record_begin(f, 0, 0);
		disk_harm(CALL_SYNC, ++nth, 1, HARM_EIO);
		if ((s = store_open(&f->conf, &err)) != NULL)
			has_a_log(s);
		harmed = disk_harmed();
		if (!cut_everywhere(f, BEFORE_LOG, 20, why))
			fail_msg("sync %zu, %s", nth, why);
		store_sqlite.close(&s, true);
	} while (harmed > 0);
	assert_true(nth > 4);
}

enum { FAULT_BATCHES = 4, TRIES_MOST = 300 };

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
	{ "a write",		CALL_WRITE,	HARM_EIO,	1,	3 },
	{ "a write, done",	CALL_WRITE,	HARM_LATE,	1,	4 },
	{ "no space",		CALL_WRITE,	HARM_FULL,	1,	4 },
	{ "half a write",	CALL_WRITE,	HARM_SHORT,	1,	4 },
	{ "no space for long",	CALL_WRITE,	HARM_FULL,	40,	7 },
	{ "a read",		CALL_READ,	HARM_EIO,	1,	1 },
	{ "a truncation",	CALL_TRUNCATE,	HARM_EIO,	1,	1 },
	{ "an opening",		CALL_OPEN,	HARM_EIO,	1,	1 },
	{ "a deletion",		CALL_DELETE,	HARM_EIO,	1,	1 },
	{ "a deletion, done",	CALL_DELETE,	HARM_LATE,	1,	1 },
	{ "a look",		CALL_LOOK,	HARM_EIO,	1,	3 },
	{ "shared memory",	CALL_SHARED,	HARM_EIO,	1,	5 },
	{ "anything, for a while", CALL_ANY,	HARM_EIO,	5,	11 },
	{ "anything, for long",	CALL_ANY,	HARM_EIO,	60,	17 },
	{ "syncs and writes",	CALL_SYNC | CALL_WRITE, HARM_EIO, 4,	7 },
};

/* Who does what queue_writer.c does. */
struct user {
	struct fixture	*f;
	struct store	*s;
	uint64_t	 batch;		/* acknowledged */
	bool		 doubt, closed_once;
	uint64_t	 reserved;
	size_t		 done_at[FAULT_BATCHES + 1];
	size_t		 first_at;	/* the first acknowledgement since the trouble began */
	size_t		 denied_at;	/* the first time that was said: it is not in */
	char		 what[80];
};

static void
user_trouble(const struct user *u, const struct err *err)
{
	if (err->code != ERR_STORE)
		fail_msg("%s: it is not said to be the store's trouble: %s", u->what, err->text);
}

static void
user_acknowledged(struct user *u)
{
	u->done_at[++u->batch] = disk_instant();
	if (u->first_at == 0 && disk_harmed() > 0)
		u->first_at = disk_instant();
}

static void
user_denied(struct user *u)
{
	if (u->denied_at == 0)
		u->denied_at = disk_instant();
}

static void
user_asks(struct user *u)
{
	struct err err = { 0 };
	uint64_t last;

	if (store_sqlite.last_batch(u->s, &last, &err) == -1) {
		user_trouble(u, &err);
		store_sqlite.close(&u->s, false);
		return;
	}
	if (last != u->batch && last != u->batch + 1)
		fail_msg("%s: %" PRIu64 " after batch %" PRIu64, u->what, last, u->batch);
	u->doubt = false;
	if (last > u->batch)
		user_acknowledged(u);
	else
		user_denied(u);
}

static void
user_reserves(struct user *u)
{
	struct err err = { 0 };
	uint64_t first;

	if (store_sqlite.reserve(u->s, 10, &first, &err) == -1) {
		user_trouble(u, &err);
		return;
	}
	if (first < u->reserved)
		fail_msg("%s: id %" PRIu64 " comes again", u->what, first);
	u->reserved = first + 10;
}

static void
user_writes(struct user *u)
{
	struct err err = { 0 };

	if (store_sqlite.begin(u->s, u->batch + 1, &err) == -1) {
		user_trouble(u, &err);
		return;
	}
	if (script(u->s, u->batch + 1, &err) == -1) {
		user_trouble(u, &err);
		store_sqlite.rollback(u->s);
		return;
	}
	switch (store_sqlite.commit(u->s, &err)) {
	case COMMIT_DONE:
		user_acknowledged(u);
		return;
	case COMMIT_NOT_DONE:
		user_denied(u);
		break;
	case COMMIT_UNKNOWN:
		u->doubt = true;
		store_sqlite.close(&u->s, false);
	}
	user_trouble(u, &err);
}

static void
user_step(struct user *u)
{
	struct err err = { 0 };

	if (u->s == NULL && (u->s = store_open(&u->f->conf, &err)) == NULL)
		user_trouble(u, &err);
	else if (u->doubt)
		user_asks(u);
	else if (u->batch == 3 && !u->closed_once) {
		u->closed_once = true;
		store_sqlite.close(&u->s, false);
	} else {
		if (u->batch == 2)
			user_reserves(u);
		user_writes(u);
	}
}

/* On top of it the power fails: what was acknowledged is there, and at most so many batches more. */
static void
user_lost_nothing(struct user *u, size_t at, unsigned more, enum disk_fate fate, uint64_t dice)
{
	struct promise p = { 0 };
	uint64_t last;
	char why[400];

	while (p.reported < u->batch && u->done_at[p.reported + 1] <= at)
		p.reported++;
	p.begun = p.reported + more;
	disk_at(at);
	disk_cut(fate, dice);
	disk_write(u->f->cut);
	if (!keeps(u->f, &p, false, &last, why))
		fail_msg("%s, power fails after event %zu (%s), KANTELE_SEED=%" PRIu64 ": %s", u->what,
		    at, disk_fates[fate], u->f->seed, why);
}

static void
user_meets_power_failures(struct user *u, size_t end, bool many, uint64_t *dice)
{
	for (uint64_t b = 1; b <= u->batch; b++)
		if (u->first_at != 0 && (u->done_at[b] == u->first_at ||
		    (many && u->done_at[b] > u->first_at)))
			user_lost_nothing(u, u->done_at[b], 1, FATE_LOST, 0);
	if (u->denied_at != 0) {
		user_lost_nothing(u, u->denied_at, 0, FATE_KEPT, 0);
		user_lost_nothing(u, u->denied_at, 0, FATE_NO_NAMES, 0);
	}
	/* some moments of the trouble itself, and one of all */
	for (size_t at = disk_harmed_at() + disk_random(dice) % 8; many && at < u->first_at;
	    at += 2 + disk_random(dice) % 8)
		user_lost_nothing(u, at, 1, FATE_RANDOM, disk_random(dice));
	user_lost_nothing(u, disk_random(dice) % (end + 1), 1, FATE_RANDOM, disk_random(dice));
}

static bool
user_runs(struct fixture *f, const struct fault_row *row, size_t nth, uint64_t *dice)
{
	struct user u = { .f = f };
	const char *wrong;
	size_t harmed, end;

	snprintf(u.what, sizeof u.what, "%s (%s), from call %zu on", row->name,
	    disk_harms[row->harm], nth);
	disk_empty(f->work);
	disk_record(f->work);
	disk_harm(row->calls, nth, row->times, row->harm);
	for (unsigned tries = 0; u.batch < FAULT_BATCHES; tries++) {
		if (tries == TRIES_MOST)
			fail_msg("%s: no end", u.what);
		user_step(&u);
	}
	harmed = disk_harmed();
	end = disk_instant();
	disk_rest();
	if (u.s == NULL)
		u.s = record_open(f);
	if ((wrong = differs(u.s, &f->shapes[u.batch])) != NULL)
		fail_msg("%s: %s is not as it should be", u.what, wrong);
	store_sqlite.close(&u.s, true);
	if (harmed == 0)
		return false;
	user_meets_power_failures(&u, end, (row->calls & ~CALL_WRITE) == CALL_SYNC, dice);
	return true;
}

static void
test_a_disk_that_fails(void **state)
{
	struct fixture *f = *state;
	uint64_t dice = f->seed;
	unsigned runs = 0;

	record_script(f, FAULT_BATCHES + 1);
	for (size_t i = 0; i < sizeof fault_rows / sizeof *fault_rows; i++) {
		const struct fault_row *row = &fault_rows[i];

		for (size_t nth = 1 + disk_random(&dice) % row->step;
		    user_runs(f, row, nth, &dice); nth += row->step)
			runs++;
	}
	print_message("%u faults\n", runs);
}

/* --- copying on a disk that fails: a copy is whole or not there, the store is left as it is --- */

static bool
copy_with(struct fixture *f, size_t nth, enum disk_harm harm)
{
	char to[120], part[140];
	struct store_conf conf = { .path = to };
	struct err err = { 0 };
	size_t harmed;
	int rc;

	snprintf(to, sizeof to, "%s/copy.db", f->work);
	snprintf(part, sizeof part, "%s.part", to);
	disk_record(f->work);		/* for the syncs of the folder */
	disk_harm(CALL_ANY, nth, 1, harm);
	rc = store_sqlite_copy(f->path, to, NULL, NULL, &err);
	harmed = disk_harmed();
	disk_rest();
	if (rc == -1 && err.code != ERR_STORE)
		fail_msg("call %zu: %s", nth, err.text);
	if (access(part, F_OK) == 0)
		fail_msg("call %zu: half a copy is left", nth);
	if (access(to, F_OK) == 0) {
		struct store *s = store_sqlite.open(&conf, &err);

		if (s == NULL)
			fail_msg("call %zu: the copy: %s", nth, err.text);
		if (store_unsound(s->db) != NULL || differs(s, &f->shapes[f->known]) != NULL)
			fail_msg("call %zu: the copy is another", nth);
		store_sqlite.close(&s, true);
		unlink(to);
		strcat(to, "-lock");
		unlink(to);
	} else if (rc == 0)
		fail_msg("call %zu: there is no copy", nth);
	return harmed > 0;
}

static void
test_copy_on_a_disk_that_fails(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct store *s;
	char log[120];

	record_script(f, 3);
	disk_rest();
	for (enum disk_harm harm = HARM_EIO; harm <= HARM_FULL; harm++)
		for (size_t nth = 1; copy_with(f, nth, harm); nth++)
			;
	snprintf(log, sizeof log, "%s-wal", f->path);
	assert_int_equal(access(log, F_OK), -1);
	s = store_open(&f->conf, &err);
	assert_non_null(s);
	assert_null(differs(s, &f->shapes[3]));
	store_sqlite.close(&s, true);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cut_after_every_event, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_lying_disk_is_found_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_upgrade_cut_short, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_failure_after_the_other, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_new_store, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_disk_that_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy_on_a_disk_that_fails, setup, teardown),
	};

	return cmocka_run_group_tests_name("queue_power", tests, NULL, NULL);
}
