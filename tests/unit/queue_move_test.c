/*
 * queue_move_test.c - a store moves to another engine and back, and nobody can tell
 *
 * Random lives are led in a store and in the executable contract at once (store_memory); the store moves
 * in between, with and without being killed, and the two must go on agreeing. Needs PostgreSQL (pg_fresh.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "pg_fresh.h"
#include "queue/store_move.h"
#include "queue/store_pgsql.h"
#include "store_calls.h"
#include "store_rules.h"

enum { DUMP_MOST = 64 << 20, HIGH = 1 << 20 };

struct fixture {
	const struct store_driver *d;
	struct store	*s, *oracle;
	char		 dir[64], path[96];
	struct store_conf conf;
	uint64_t	 batch, next, notice;
};

/* --- helpers --------------------------------------------------------------------------- */

static void
fail_err(const char *what, const struct err *err)
{
	char text[400];

	fail_msg("%s: %s", what, err_print(err, text, sizeof text));
}

static struct move_side
side(const struct fixture *f, const struct store_driver *d)
{
	return d == &store_sqlite ? (struct move_side){ &move_sqlite, f->path } :
	    (struct move_side){ &move_pgsql, pg_conninfo() };
}

static const struct store_driver *
other(const struct store_driver *d)
{
	return d == &store_sqlite ? &store_pgsql : &store_sqlite;
}

static void
use(struct fixture *f, const struct store_driver *d)
{
	struct err err = { 0 };

	f->d = d;
	if ((f->s = call_open(d, &f->conf, &err)) == NULL)
		fail_err("open", &err);
}

static void
leave(struct fixture *f)
{
	if (f->s != NULL)
		f->d->close(&f->s, true);
}

static void
refused(struct fixture *f, const struct store_driver *d, const char *why)
{
	struct err err = { 0 };
	struct store *s = d->open(&f->conf, &err);

	assert_null(s);
	assert_int_equal(err.code, ERR_CONFIG);
	if (strstr(err.text, why) == NULL)
		fail_msg("refused with: %s", err.text);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct err err = { 0 };

	snprintf(f->dir, sizeof f->dir, "/tmp/kantele-move-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/kantele.db", f->dir);
	f->conf = (struct store_conf){ .path = f->path, .conninfo = pg_conninfo(), .retention_s = 3600 };
	f->next = 1;
	f->notice = HIGH;
	pg_fresh();
	f->oracle = call_open(&store_memory, &f->conf, &err);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char command[100];

	leave(f);
	store_memory.close(&f->oracle, true);
	snprintf(command, sizeof command, "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* --- random lives, in both ------------------------------------------------------------------ */

static unsigned
roll(unsigned n)
{
	return (unsigned)(random() % n);
}

/* Of four MSISDNs, in four partitions. */
static uint64_t
key_of(uint64_t id)
{
	return (0x4200000000000007 + (id % 4 << 60)) | id % 4;
}

static const struct store_row plain = { .msisdn = { "+358401", 7 }, .account = { "alice", 5 },
    .smsc = { "vf1", 3 }, .group = { "g", 1 }, .klass = 1, .accepted = 1000, .expires = 5000,
    .body = { "body\0of one", 11 } };

static enum store_result
random_settle(const struct store_driver *d, struct store *s, unsigned seed, uint64_t id, uint64_t notice,
    struct store_joined *joined)
{
	static const enum store_state to[] = { STATE_WAITING, STATE_UNKNOWN, STATE_HELD, STATE_AWAITING,
	    STATE_AWAITING, STATE_FINISHED };
	struct store_answer answers[3];
	char foreign[3][8];
	struct store_notice due = { .id = notice, .message = id, .order_key = key_of(id), .due = seed % 99,
	    .until = 9000, .tries = seed % 3, .url = TEXT("http://host/?id=1&x=%41") };
	struct store_settlement st = { .id = id, .order_key = key_of(id), .answers = answers,
	    .domain = TEXT("dom"), .segments = (uint8_t)(1 + seed % 3), .due = seed % 1000,
	    .at = 1000 + seed % 5000, .outcome = OUTCOME_FAILED, .attempt = (uint16_t)(1 + seed / 7 % 2),
	    .new_attempt = seed / 11 % 4 == 0, .state = to[seed / 13 % 6], .tries = seed % 5, .code = seed % 77,
	    .refused = seed % 6, .pending = (enum store_pending)(seed / 17 % 3), .link = TEXT("0/x"),
	    .notices = &due, .notice_count = seed % 2 };
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
random_step(const struct store_driver *d, struct store *s, unsigned kind, unsigned seed, uint64_t id,
    uint64_t notice, struct store_joined *joined)
{
	static const struct store_mark mark = { .attempt = 1, .reference = 77, .link = { "0/vf1", 5 },
	    .at = 2000 };
	struct store_row row = plain;
	struct err err = { 0 };
	uint64_t existing = 0;
	unsigned gone = 0;
	char text[8];

	snprintf(text, sizeof text, "p%u", seed % 300);
	row.id = id;
	row.order_key = key_of(id);
	row.mark = seed & 1 ? &mark : NULL;
	row.due = seed % 7;
	if (seed & 2)
		row.push_id = text_of(text);
	if (seed & 4)
		row.account = (struct text){ 0 };
	switch (kind) {
	case 0:
		return call_put(d, s, OURS, &row, &existing, &err);
	case 1:
		return call_mark(d, s, OURS, id, row.order_key, &(struct store_mark){
		    .attempt = (uint16_t)(1 + seed % 2), .link = TEXT("0/x"), .at = 2000 }, &err);
	case 2:
		return random_settle(d, s, seed, id, notice, joined);
	case 3:
		snprintf(text, sizeof text, "f%u", seed % 60);
		return call_receipt(d, s, &(struct store_receipt){ .domain = TEXT("dom"),
		    .foreign_id = text_of(text), .said = TEXT("s"), .at = 3000,
		    .state = (uint8_t)(1 + seed / 3 % 5) }, joined, &err);
	case 4:
		return call_cancel(d, s, OURS, id, row.order_key, 77, &err);
	}
	assert_int_equal(d->purge(s, 3000 + seed % 2000, 2, &gone, &err), 0);
	return STORE_OK;
}

static void
step(struct fixture *f)
{
	unsigned kind = roll(40) == 0 ? 5 : roll(20) == 0 ? 4 : roll(4), seed = roll(1u << 30);
	uint64_t id = kind == 0 ? f->next++ : 1 + roll((unsigned)f->next), notice = f->notice++;
	struct store_joined got = { 0 }, want = { 0 };
	enum store_result r = random_step(f->d, f->s, kind, seed, id, notice, &got);
	enum store_result w = random_step(&store_memory, f->oracle, kind, seed, id, notice, &want);

	if (r != w || got.matched != want.matched || got.changed != want.changed || got.ripe != want.ripe ||
	    got.first_pending != want.first_pending || got.state != want.state || got.id != want.id ||
	    !text_eq(got.foreign_id, want.foreign_id) || !text_eq(got.body, want.body) ||
	    !text_eq(got.link, want.link))
		fail_msg("kind %u id %" PRIu64 ": %d %d", kind, id, r, w);
}

static void
live(struct fixture *f, unsigned rounds)
{
	struct err err = { 0 };

	while (rounds-- > 0) {
		assert_int_equal(f->d->begin(f->s, ++f->batch, &err), 0);
		assert_int_equal(store_memory.begin(f->oracle, f->batch, &err), 0);
		for (unsigned n = 0; n < 12; n++)
			step(f);
		if (f->d->commit(f->s, &err) != COMMIT_DONE)
			fail_err("commit", &err);
		assert_int_equal(store_memory.flush(f->oracle, &err), 0);
		assert_int_equal(store_memory.commit(f->oracle, &err), COMMIT_DONE);
	}
}

/* --- all that one can see ---------------------------------------------------------------------- */

static void
dump_text(struct buf *b, const char *name, struct text t)
{
	if (t.len > 0)
		buf_printf(b, " %s=", name);
	buf_bytes(b, t.at, t.len);
}

static void
dump_index(void *arg, const struct store_index *x)
{
	struct buf *b = arg;

	buf_printf(b, "%" PRIu64 " key=%" PRIx64 " state=%d class=%u attempt=%u ref=%u tries=%u pending=%d due=%lld "
	    "accepted=%lld expires=%lld marked=%lld refused=%lld", x->id, x->order_key, x->state, x->klass,
	    x->attempt, x->reference, x->tries, x->pending, (long long)x->due, (long long)x->accepted,
	    (long long)x->expires, (long long)x->marked, (long long)x->refused);
	dump_text(b, "msisdn", x->msisdn);
	dump_text(b, "account", x->account);
	dump_text(b, "smsc", x->smsc);
	dump_text(b, "group", x->group);
	dump_text(b, "link", x->link);
	buf_str(b, "\n");
}

static void
dump_notice(void *arg, const struct store_notice *n)
{
	struct buf *b = arg;

	buf_printf(b, "notice %" PRIu64 " of %" PRIu64 " key=%" PRIx64 " due=%lld until=%lld tries=%u", n->id,
	    n->message, n->order_key, (long long)n->due, (long long)n->until, n->tries);
	dump_text(b, "url", n->url);
	buf_str(b, "\n");
}

static void
dump_flight(struct fixture *f, uint64_t id, uint64_t key, struct buf *b)
{
	struct store_flight fl;
	struct err err = { 0 };

	if (call_flight(f->d, f->s, id, key, &fl, &err) != STORE_OK)
		return;
	buf_printf(b, "  flight state=%d attempt=%u ref=%u segments=%u receipt=%u", fl.state, fl.attempt,
	    fl.reference, fl.segments, fl.receipt_state);
	dump_text(b, "body", fl.body);
	dump_text(b, "link", fl.link);
	dump_text(b, "rid", fl.receipt_id);
	dump_text(b, "rsaid", fl.receipt_said);
	for (unsigned i = 0; i < fl.answer_count; i++) {
		buf_printf(b, " %u:%u", fl.answers[i].segment, fl.answers[i].state);
		dump_text(b, "fid", fl.answers[i].foreign_id);
	}
	buf_str(b, "\n");
}

static void
dump_view(struct fixture *f, uint64_t id, struct buf *b)
{
	struct store_view v = { 0 };
	struct err err = { 0 };

	if (call_find(f->d, f->s, id, &v, &err) != STORE_OK)
		return;
	buf_printf(b, "view %" PRIu64 " key=%" PRIx64 " state=%d outcome=%d attempt=%u code=%u accepted=%lld "
	    "expires=%lld due=%lld finished=%lld", v.id, v.order_key, v.state, v.outcome, v.attempt, v.code,
	    (long long)v.accepted, (long long)v.expires, (long long)v.due, (long long)v.finished);
	dump_text(b, "msisdn", v.msisdn);
	dump_text(b, "account", v.account);
	dump_text(b, "push-id", v.push_id);
	dump_text(b, "link", v.link);
	buf_str(b, "\n");
	dump_flight(f, id, key_of(id), b);
}

static void
dump_names(struct fixture *f, struct buf *b)
{
	struct err err = { 0 };
	char name[8];
	uint64_t id;

	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "p%u", i);
		for (unsigned a = 0; a < 2; a++)
			if (call_find_push_id(f->d, f->s, a ? TEXT("alice") : (struct text){ 0 }, text_of(name), &id,
			    &err) == STORE_OK)
				buf_printf(b, "push-id %s of %u is %" PRIu64 "\n", name, a, id);
		name[0] = 'f';
		if (call_find_foreign(f->d, f->s, TEXT("dom"), text_of(name), &id, &err) == STORE_OK)
			buf_printf(b, "foreign %s is %" PRIu64 "\n", name, id);
	}
}

static struct buf
dump(struct fixture *f)
{
	struct buf b = buf_heap(DUMP_MOST);
	struct store_cursor at = { 0 };
	struct store_counts c;
	struct err err = { 0 };

	assert_int_equal(f->d->counts(f->s, &c, &err), 0);
	buf_printf(&b, "tag %" PRIu32 " waiting %" PRIu64 " sending %" PRIu64 " awaiting %" PRIu64 " held %" PRIu64
	    " notices %" PRIu64 " early %" PRIu64 "\n", f->d->tag(f->s), c.waiting, c.sending, c.awaiting, c.held,
	    c.notices, c.early);
	while (!at.end)
		assert_int_equal(f->d->load(f->s, &every_part, &at, 7, dump_index, &b, &err), 0);
	for (at = (struct store_cursor){ 0 }; !at.end;)
		assert_int_equal(f->d->notices(f->s, &every_part, &at, 7, dump_notice, &b, &err), 0);
	for (uint64_t id = 1; id < f->next; id++)
		dump_view(f, id, &b);
	dump_names(f, &b);
	return b;
}

static void
same_dump(struct buf *want, struct buf *got)
{
	const char *w = buf_cstr(want), *g = buf_cstr(got);
	size_t n = 0, line = 0;

	while (w[n] == g[n] && w[n] != '\0')
		if (w[n++] == '\n')
			line = n;
	if (w[n] != g[n])
		fail_msg("differs:\n%.*s\n%.*s", (int)strcspn(w + line, "\n"), w + line,
		    (int)strcspn(g + line, "\n"), g + line);
	buf_free(want);
	buf_free(got);
}

/* --- moving ---------------------------------------------------------------------------------------- */

struct stops {
	unsigned	 after;		/* batches; 0: never */
};

static bool
stop_after(void *arg, const struct move_progress *p)
{
	struct stops *s = arg;

	for (unsigned i = 0; i < MOVE_KINDS; i++)
		assert_true(p->done[i] <= p->all[i]);
	return s->after == 0 || --s->after > 0;
}

static enum move_end
move(struct fixture *f, const struct store_driver *from, unsigned batch, unsigned stop)
{
	struct stops s = { stop };
	struct err err = { 0 };
	enum move_end end;

	if (store_move(side(f, from), side(f, other(from)), batch, stop_after, &s, &end, &err) == -1)
		fail_err("move", &err);
	return end;
}

static void
move_refused(struct fixture *f, const struct store_driver *from, const char *why)
{
	struct err err = { 0 };
	enum move_end end;

	assert_int_equal(store_move(side(f, from), side(f, other(from)), 0, NULL, NULL, &end, &err), -1);
	if (strstr(err.text, why) == NULL)
		fail_msg("refused with: %s", err.text);
}

/* In a process of its own, which is killed; until it gets to the end. */
static unsigned
move_killed(struct fixture *f, const struct store_driver *from, unsigned batch, unsigned most_us)
{
	unsigned kills = 0;

	for (;;) {
		pid_t child = fork();
		struct err err = { 0 };
		enum move_end end;
		int status;

		if (child == 0)
			_exit(store_move(side(f, from), side(f, other(from)), batch, NULL, NULL, &end, &err) == -1 ? 2 : 0);
		usleep(roll(most_us));
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			return kills;
		if (WIFSIGNALED(status))
			kills++;
		most_us += most_us / 20;
	}
}

static void
rules_hold(struct fixture *f)
{
	const char *broken;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	if ((broken = store_rule_broken(db)) != NULL)
		fail_msg("%s", broken);
	sqlite3_close(db);
}

/* --- tests -------------------------------------------------------------------------------------------- */

static void
there_and_back(struct fixture *f, const struct store_driver *first)
{
	struct buf before, after;
	struct err err = { 0 };
	uint64_t high, id;

	srandom(getenv("KANTELE_SEED") != NULL ? (unsigned)atoi(getenv("KANTELE_SEED")) : 20261125);
	use(f, first);
	for (unsigned turn = 0; turn < 3; turn++) {
		live(f, 50);
		assert_int_equal(f->d->reserve(f->s, 100, &high, &err), 0);
		before = dump(f);
		leave(f);
		while (move(f, f->d, 5 + roll(60), 1 + roll(30)) == MOVE_STOPPED) {
			refused(f, f->d, "was not finished");
			if (roll(2))
				refused(f, other(f->d), "was not finished");
		}
		refused(f, f->d, "was moved to");
		assert_int_equal(move(f, f->d, 0, 0), MOVE_WAS_DONE);
		use(f, other(f->d));
		after = dump(f);
		same_dump(&before, &after);
		assert_int_equal(f->d->reserve(f->s, 1, &id, &err), 0);
		assert_true(id >= high + 100 || id >> STORE_NODE_SHIFT != high >> STORE_NODE_SHIFT);
		if (f->d == &store_sqlite)
			rules_hold(f);
	}
	live(f, 60);
}

static void
test_from_sqlite(void **state)
{
	there_and_back(*state, &store_sqlite);
}

static void
test_from_pgsql(void **state)
{
	there_and_back(*state, &store_pgsql);
}

static void
test_killed(void **state)
{
	struct fixture *f = *state;
	struct buf before, after;
	unsigned kills = 0;

	srandom(getenv("KANTELE_SEED") != NULL ? (unsigned)atoi(getenv("KANTELE_SEED")) : 20261126);
	use(f, &store_sqlite);
	live(f, 100);
	for (unsigned turn = 0; turn < 4; turn++) {
		before = dump(f);
		leave(f);
		kills += move_killed(f, f->d, 5, 150000);
		use(f, other(f->d));
		after = dump(f);
		same_dump(&before, &after);
		live(f, 10);
	}
	if (kills < 4)
		print_message("only %u kills\n", kills);
}

static void
test_given_up(void **state)
{
	struct fixture *f = *state;
	struct buf before, after;

	srandom(1);
	use(f, &store_sqlite);
	live(f, 40);
	before = dump(f);
	leave(f);
	assert_int_equal(move(f, &store_sqlite, 10, 5), MOVE_STOPPED);
	assert_int_equal(move(f, &store_pgsql, 10, 0), MOVE_GIVEN_UP);
	use(f, &store_sqlite);
	after = dump(f);
	same_dump(&before, &after);
	live(f, 20);
	before = dump(f);
	leave(f);
	assert_int_equal(move(f, &store_sqlite, 10, 0), MOVE_IS_DONE);
	use(f, &store_pgsql);
	after = dump(f);
	same_dump(&before, &after);
}

static void
test_in_use(void **state)
{
	struct fixture *f = *state;

	use(f, &store_sqlite);
	live(f, 3);
	move_refused(f, &store_sqlite, "in use by");
	leave(f);
	use(f, &store_pgsql);
	move_refused(f, &store_sqlite, "has the store open: stop it first");
	move_refused(f, &store_pgsql, "has the store open: stop it first");
	leave(f);
	assert_int_equal(move(f, &store_sqlite, 0, 0), MOVE_IS_DONE);
}

static void
test_not_over_others(void **state)
{
	struct fixture *f = *state;
	struct buf b;

	use(f, &store_sqlite);
	live(f, 10);
	leave(f);
	store_memory.close(&f->oracle, true);
	f->oracle = call_open(&store_memory, &f->conf, NULL);
	f->next = 1;
	use(f, &store_pgsql);
	live(f, 10);
	leave(f);
	move_refused(f, &store_sqlite, "messages of its own");
	move_refused(f, &store_pgsql, "messages of its own");
	use(f, &store_pgsql);		/* neither was marked */
	b = dump(f);
	buf_free(&b);
	leave(f);
	use(f, &store_sqlite);
}

static void
test_no_source(void **state)
{
	struct fixture *f = *state;

	move_refused(f, &store_sqlite, "there is no store");
	move_refused(f, &store_pgsql, "there is no store");
	assert_int_equal(access(f->path, F_OK), -1);
}

/* --- several nodes ---------------------------------------------------------------------------------------- */

static uint64_t
put_in(const struct store_driver *d, struct store *s, uint64_t epoch, uint64_t key, bool marked, uint64_t *batch)
{
	static const struct store_mark mark = { .attempt = 1, .link = { "1/vf1", 5 }, .at = 2000 };
	struct store_row row = plain;
	uint64_t existing;
	struct err err = { 0 };

	assert_int_equal(d->reserve(s, 1, &row.id, &err), 0);
	row.order_key = key;
	row.mark = marked ? &mark : NULL;
	assert_int_equal(d->begin(s, ++*batch, &err), 0);
	if (call_put(d, s, epoch, &row, &existing, &err) != STORE_OK)
		fail_err("put", &err);
	assert_int_equal(d->commit(s, &err), COMMIT_DONE);
	return row.id;
}

struct order {
	uint64_t	 ids[16];
	unsigned	 n;
};

static void
order_one(void *arg, const struct store_index *x)
{
	struct order *o = arg;

	o->ids[o->n++ % 16] = x->id;
}

static struct order
turns_of(struct fixture *f)
{
	struct order o = { .n = 0 };
	struct store_cursor at = { 0 };
	struct err err = { 0 };

	while (!at.end)
		assert_int_equal(f->d->load(f->s, &every_part, &at, 2, order_one, &o, &err), 0);
	return o;
}

static void
bring(struct store *s, const struct store_evidence *v, const struct store_receipt *r, uint64_t *batch)
{
	struct store_done done = { .result = STORE_OK };
	struct store_joined joined;
	struct err err = { 0 };

	assert_int_equal(store_pgsql.begin(s, ++*batch, &err), 0);
	if (v != NULL)
		store_pgsql.evidence(s, v, &done);
	else
		store_pgsql.receipt(s, r, &joined, &done);
	if (call_end(&store_pgsql, s, &done, &err) != STORE_OK)
		fail_err("bring", &err);
	assert_int_equal(store_pgsql.commit(s, &err), COMMIT_DONE);
}

/* Turns do not follow ids, news wait for an owner who has gone: nothing of that is lost in one file. */
static void
test_nodes(void **state)
{
	struct fixture *f = *state;
	const uint64_t key = key_of(1);
	struct store_answer answer = { .segment = 1, .state = ANSWER_ACCEPTED, .foreign_id = TEXT("fa") };
	struct store_parts got;
	struct store_flight fl;
	struct store *a, *b;
	struct err err = { 0 };
	uint64_t first, second, waits, early, last, batch = 0, other_batch = 0;
	struct order o;

	if ((a = store_pgsql.open(&f->conf, &err)) == NULL || (b = store_pgsql.open(&f->conf, &err)) == NULL)
		fail_err("open", &err);
	assert_int_equal(store_pgsql.claim(b, &every_part, &got, &err), 0);
	first = put_in(&store_pgsql, b, OURS, key, true, &other_batch);
	assert_int_equal(first >> STORE_NODE_SHIFT, 1);
	assert_int_equal(store_pgsql.release(b, &every_part, &err), 0);
	assert_int_equal(store_pgsql.claim(a, &every_part, &got, &err), 0);
	second = put_in(&store_pgsql, a, OURS, key, false, &batch);
	waits = put_in(&store_pgsql, b, 0, key, false, &other_batch);
	/* What b knows of it, and a receipt that came before that. */
	bring(a, NULL, &(struct store_receipt){ .domain = TEXT("dom"), .foreign_id = TEXT("fa"), .said = TEXT("s"),
	    .state = RECEIPT_DELIVERED, .at = 3000 }, &batch);
	bring(b, &(struct store_evidence){ .id = first, .order_key = key, .attempt = 1, .segments = 1,
	    .answers = &answer, .answer_count = 1, .domain = TEXT("dom") }, NULL, &other_batch);
	store_pgsql.close(&b, true);
	store_pgsql.close(&a, true);

	assert_int_equal(move(f, &store_pgsql, 1, 0), MOVE_IS_DONE);
	rules_hold(f);
	use(f, &store_sqlite);
	o = turns_of(f);
	assert_int_equal(o.n, 3);
	assert_true(o.ids[0] == first && o.ids[1] == second && o.ids[2] == waits);
	assert_int_equal(call_flight(f->d, f->s, first, key, &fl, &err), STORE_OK);
	assert_int_equal(fl.answer_count, 1);
	assert_true(text_is(fl.answers[0].foreign_id, "fa"));
	assert_int_equal(call_find_foreign(f->d, f->s, TEXT("dom"), TEXT("fa"), &early, &err), STORE_OK);
	assert_true(early == first);
	struct store_counts c;
	assert_int_equal(f->d->counts(f->s, &c, &err), 0);
	assert_int_equal(c.early, 0);
	assert_int_equal(c.waiting, 2);
	last = put_in(f->d, f->s, OURS, key, false, &batch);
	assert_true(last > second && last >> STORE_NODE_SHIFT == 0);
	leave(f);
	use(f, &store_sqlite);
	o = turns_of(f);
	assert_true(o.n == 4 && o.ids[3] == last && o.ids[2] == waits);
	leave(f);

	assert_int_equal(move(f, &store_sqlite, 1, 0), MOVE_IS_DONE);
	use(f, &store_pgsql);
	assert_int_equal(f->d->node(f->s), 2);	/* 0 and 1 have just gone: their links are dead ones' */
	put_in(f->d, f->s, OURS, key, false, &batch);
	o = turns_of(f);
	assert_true(o.n == 5 && o.ids[0] == first && o.ids[1] == second && o.ids[2] == waits && o.ids[3] == last);
}

#define T(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(test_from_sqlite), T(test_from_pgsql), T(test_killed), T(test_given_up), T(test_in_use),
		T(test_not_over_others), T(test_no_source), T(test_nodes),
	};

	if (pg_conninfo() == NULL) {
		print_message("no PostgreSQL (KANTELE_PG): moves are not tested\n");
		return 0;
	}
	return cmocka_run_group_tests_name("queue/move", tests, NULL, NULL);
}
