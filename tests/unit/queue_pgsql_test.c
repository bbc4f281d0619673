/*
 * queue_pgsql_test.c - the PostgreSQL store where things go wrong between it and the server, or another node
 *
 * CUTS: the connection dies at every trip of a life of some messages, in every way that a trip can be lost; the
 * steps of queue_writer.c (open again, ask for the last batch) must end with everything done exactly once.
 * FENCE: somebody declares the node dead in the middle of a round. RACES: nodes that want the same push-id, or
 * bring a receipt while the message is settled, or make the schema. BACKLOG: an inbox that grew long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "io/log.h"
#include "pg_fresh.h"
#include "pg_proxy.h"
#include "queue/store_pgsql.h"
#include "store_calls.h"

static const struct store_driver *const d = &store_pgsql;

#define KEY	UINT64_C(0x4200000000000007)
enum { PATIENCE_MS = 10000, CONNINFO_MOST = 400 };

/* --- helpers --------------------------------------------------------------------------------- */

static void
fail_err(const char *what, const struct err *err)
{
	char text[400];

	fail_msg("%s: %s", what, err_print(err, text, sizeof text));
}

/* One number, on a connection of its own. */
static long
pg_one(const char *sql)
{
	PGconn *c = PQconnectdb(pg_conninfo());
	PGresult *r = PQexec(c, sql);
	long n;

	if (PQresultStatus(r) != PGRES_TUPLES_OK || PQntuples(r) != 1)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	n = strtol(PQgetvalue(r, 0, 0), NULL, 10);
	PQclear(r);
	PQfinish(c);
	return n;
}

static void
until_one(const char *sql)		/* is not 0 */
{
	mono_t end = clock_mono() + PATIENCE_MS;

	while (pg_one(sql) == 0) {
		if (clock_mono() > end)
			fail_msg("never came: %s", sql);
		poll(NULL, 0, 2);
	}
}

/* Somebody waits for a lock in our database. */
static const char somebody_waits[] = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    " AND datname = current_database()";

static struct store *
node_open(const char *conninfo, const struct store_parts *wanted)
{
	struct store_conf conf = { .conninfo = conninfo, .retention_s = 3600, .node_name = "n" };
	struct store_parts got;
	struct err err = { 0 };
	struct store *s = d->open(&conf, &err);

	if (s == NULL)
		fail_err("open", &err);
	if (wanted != NULL && d->claim(s, wanted, &got, &err) == -1)
		fail_err("claim", &err);
	return s;
}

static const struct store_row plain = {
	.order_key = KEY, .msisdn = { "+358401", 7 }, .account = { "alice", 5 }, .smsc = { "vf1", 3 }, .klass = 1,
	.accepted = 1000, .expires = 5000, .body = { "body\0of one", 11 }
};

static uint64_t
id_of(const struct store *s, uint64_t n)
{
	return (uint64_t)d->node((struct store *)(uintptr_t)s) << STORE_NODE_SHIFT | n;
}

static uint64_t batches;

static void
begin(struct store *s)
{
	struct err err = { 0 };

	if (d->begin(s, ++batches, &err) == -1)
		fail_err("begin", &err);
}

static void
flush(struct store *s)
{
	struct err err = { 0 };

	if (d->flush(s, &err) == -1)
		fail_err("flush", &err);
}

static void
commit(struct store *s)
{
	struct err err = { 0 };

	if (d->commit(s, &err) != COMMIT_DONE)
		fail_err("commit", &err);
}

static enum store_put
put(struct store *s, uint64_t id, uint64_t key)
{
	struct store_row row = plain;
	struct err err = { 0 };
	uint64_t existing;
	enum store_put how = PUT_MARKED;

	row.id = id;
	row.order_key = key;
	row.epoch = d->epoch(s, store_part(key));
	if (call_submit(d, s, &row, 1, &existing, &how, &err) != STORE_OK)
		fail_err("submit", &err);
	return how;
}

static void
news_none(void *arg, const struct store_news *n)
{
	(void)arg;
	(void)n;
}

/* --- cuts: a life in rounds, as queue_writer.c goes through them ------------------------------------ */

enum { LIFE_IDS = 16, ROUNDS = 6, TRIES_MOST = 40 };

struct life {				/* of one node, through the proxy */
	char		 conninfo[CONNINFO_MOST];
	struct store	*s;
	unsigned	 again;
	uint64_t	 number;
	struct store	*other;		/* a node that is not cut off */
	uint64_t	 ids[LIFE_IDS], theirs, request;
	bool		 doubtful;
	/* of a round */
	struct store_done done[4];
	struct store_joined joined[2];
	uint64_t	 existing[4];
	enum store_put	 how[4];
	struct store_submit sub[4];
	struct store_row rows[4];
	struct store_news_kind { int kind; } news[4];
	unsigned	 news_count;
	struct proxy	*proxy;
	unsigned	 storm;		/* not 0: more cuts come, at trips less than that apart */
	unsigned	 cuts_left;
};

static void
life_news(void *arg, const struct store_news *n)
{
	struct life *l = arg;

	if (l->news_count < 4)
		l->news[l->news_count].kind = (int)n->kind;
	l->news_count++;
}

static void
life_put(struct life *l, unsigned i, uint64_t id, const char *push_id)
{
	l->rows[i] = plain;
	l->rows[i].id = id;
	l->rows[i].epoch = d->epoch(l->s, store_part(KEY));
	l->rows[i].push_id = push_id != NULL ? text_of(push_id) : (struct text){ 0 };
	l->existing[i] = 0;
	l->sub[i] = (struct store_submit){ .rows = &l->rows[i], .n = 1, .existing = &l->existing[i],
	    .how = &l->how[i] };
	d->submit(l->s, &l->sub[i], &l->done[i]);
}

static const struct store_answer answer1 = { .segment = 1, .state = ANSWER_ACCEPTED, .foreign_id = { "f1", 2 } };
static const struct store_receipt receipts[] = {
	{ .domain = { "dom", 3 }, .foreign_id = { "f1", 2 }, .said = { "ok", 2 }, .state = RECEIPT_DELIVERED,
	    .at = 4000 },
	{ .domain = { "dom", 3 }, .foreign_id = { "e9", 2 }, .said = { "ok", 2 }, .state = RECEIPT_DELIVERED,
	    .at = 4000 },
};

static struct store_settlement life_settlements[2];
static struct store_notice life_notices[2];
static struct store_mark life_mark;

static void
life_mark_one(struct life *l, unsigned i, uint64_t id)
{
	life_mark = (struct store_mark){ .attempt = 1, .reference = 7, .link = TEXT("0/vf1"), .at = 2000 };
	d->mark(l->s, d->epoch(l->s, store_part(KEY)), id, KEY, &life_mark, &l->done[i]);
}

static void
life_settle(struct life *l, unsigned i, uint64_t id, enum store_state state)
{
	struct store_settlement *st = &life_settlements[i];

	*st = (struct store_settlement){ .id = id, .order_key = KEY, .state = state, .attempt = 1, .at = 3000 };
	if (state == STATE_AWAITING) {
		st->segments = 1;
		st->answers = &answer1;
		st->answer_count = 1;
		st->domain = TEXT("dom");
	}
	if (state == STATE_FINISHED) {
		life_notices[i] = (struct store_notice){ .id = id + 1000, .message = id, .order_key = KEY,
		    .url = TEXT("http://x"), .due = 1, .until = 2 };
		st->outcome = OUTCOME_DELIVERED;
		st->link = TEXT("0/vf1");
		st->notices = &life_notices[i];
		st->notice_count = 1;
	}
	d->settle(l->s, d->epoch(l->s, store_part(KEY)), st, &l->joined[i], &l->done[i]);
}

static void
life_ask(struct life *l, unsigned round)
{
	switch (round) {
	case 0:
		life_put(l, 0, l->ids[1], "p1");
		life_put(l, 1, l->ids[2], "p2");
		life_put(l, 2, l->ids[3], NULL);
		break;
	case 1:
		life_mark_one(l, 0, l->ids[1]);
		life_mark_one(l, 1, l->ids[2]);
		life_mark_one(l, 2, l->theirs);
		break;
	case 2:
		life_settle(l, 0, l->ids[1], STATE_AWAITING);
		life_settle(l, 1, l->ids[2], STATE_FINISHED);
		break;
	case 3:
		d->receipt(l->s, &receipts[0], &l->joined[0], &l->done[0]);
		d->receipt(l->s, &receipts[1], &l->joined[1], &l->done[1]);
		d->cancel(l->s, d->epoch(l->s, store_part(KEY)), l->ids[3], KEY, 4000, &l->done[2]);
		break;
	case 4:
		life_settle(l, 0, l->ids[1], STATE_FINISHED);
		d->notice_done(l->s, l->ids[2] + 1000, KEY, &l->done[1]);
		life_put(l, 2, l->ids[4], "p1");
		break;
	case 5:
		life_settle(l, 0, l->theirs, STATE_WAITING);
		d->answer(l->s, l->request, KEY, STORE_TOO_LATE, &l->done[1]);
		break;
	}
}

#define want(round, condition) do {						\
	if (!(condition))							\
		fail_msg("round %u: not so: %s", (round), #condition);		\
} while (0)

static void
life_check(struct life *l, unsigned round)
{
	for (unsigned i = 0; i < 3; i++)
		if (l->done[i].result == STORE_FAILED)
			fail_err("an operation", &l->done[i].err);
	switch (round) {
	case 0:
		for (unsigned i = 0; i < 3; i++)
			want(round, l->done[i].result == STORE_OK && l->how[i] == PUT_WAITING);
		break;
	case 1:
		want(round, l->news_count == 1 && l->news[0].kind == NEWS_MESSAGE);
		for (unsigned i = 0; i < 3; i++)
			want(round, l->done[i].result == STORE_OK);
		break;
	case 3:
		want(round, l->joined[0].ripe && l->joined[0].id == l->ids[1]);
		want(round, !l->joined[1].matched && l->joined[1].changed);
		want(round, l->done[2].result == STORE_OK);
		break;
	case 4:
		want(round, l->done[2].result == STORE_EXISTS && l->existing[2] == l->ids[1]);
		/* fallthrough */
	case 2:
		want(round, l->done[0].result == STORE_OK && l->done[1].result == STORE_OK);
		break;
	case 5:
		want(round, l->news_count == 1 && l->news[0].kind == NEWS_REQUEST);
		want(round, l->done[0].result == STORE_OK && l->done[1].result == STORE_OK);
		break;
	}
}

static int
life_reopen(struct life *l)
{
	struct store_conf conf = { .conninfo = l->conninfo, .retention_s = 3600, .node_name = "n",
	    .again = l->again };
	struct store_parts got;
	struct err err = { 0 };

	if (l->s != NULL)
		d->close(&l->s, false);
	if ((l->s = d->open(&conf, &err)) == NULL)
		return -1;
	if (d->claim(l->s, &every_part, &got, &err) == 0) {
		l->again = d->node(l->s) + 1u;
		return 0;
	}
	l->again = d->node(l->s) + 1u;
	d->close(&l->s, false);
	return -1;
}

static void
life_storm(struct life *l)
{
	if (l->cuts_left == 0 || !proxy_has_cut(l->proxy))
		return;
	l->cuts_left--;
	proxy_arm(l->proxy, rand() % (int)l->storm, (enum proxy_fate)(rand() % CUTS));
}

/* One try of a round: begin, news, operations, flush. */
static int
life_transaction(struct life *l, unsigned round)
{
	struct err err = { 0 };
	unsigned seen;

	l->number++;
	l->news_count = 0;
	if (d->begin(l->s, l->number, &err) == -1)
		return -1;
	if (d->news(l->s, &every_part, 100, life_news, l, &seen, &err) == 0) {
		life_ask(l, round);
		if (d->flush(l->s, &err) == 0)
			return 0;
	}
	if (err.code != ERR_STORE)
		fail_err("not the store's trouble", &err);
	d->rollback(l->s);
	return -1;
}

static int
life_in(struct life *l)			/* 1, 0, -1: as is_in */
{
	struct err err = { 0 };
	uint64_t last;

	if (life_reopen(l) == -1)
		return -1;
	if (d->last_batch(l->s, &last, &err) == -1) {
		d->close(&l->s, false);
		return -1;
	}
	return last >= l->number;
}

/* Until it is in. */
static void
life_round(struct life *l, unsigned round)
{
	l->doubtful = false;
	for (unsigned tries = 0; tries < TRIES_MOST; tries++) {
		struct err err = { 0 };
		int in;

		life_storm(l);
		if (l->doubtful) {
			if ((in = life_in(l)) == 1)
				return;
			l->doubtful = in == -1;
			continue;
		}
		if ((l->s == NULL && life_reopen(l) == -1) || life_transaction(l, round) == -1)
			continue;
		switch (d->commit(l->s, &err)) {
		case COMMIT_DONE:
			return;
		case COMMIT_UNKNOWN:
			l->doubtful = true;
			break;
		case COMMIT_NOT_DONE:
			break;
		}
	}
	fail_msg("round %u did not get in", round);
}

static void
life_ids(struct life *l)
{
	struct err err = { 0 };
	uint64_t first;

	for (unsigned tries = 0; tries < TRIES_MOST; tries++) {
		life_storm(l);
		if (l->s == NULL && life_reopen(l) == -1)
			continue;
		if (d->reserve(l->s, LIFE_IDS, &first, &err) == 0) {
			for (unsigned i = 0; i < LIFE_IDS; i++)
				l->ids[i] = first + i;
			return;
		}
		l->number++;		/* as the queue asks whether all is well again */
		if (d->begin(l->s, l->number, &err) == 0)
			d->commit(l->s, &err);
	}
	fail_msg("no ids");
}

static void
counts_are(const char *name, long n)
{
	char sql[200];
	long have;

	snprintf(sql, sizeof sql, "SELECT count(*) FROM kantele.%s", name);
	if ((have = pg_one(sql)) != n)
		fail_msg("%s has %ld rows, not %ld", name, have, n);
}

static void
sum_is(const char *column, long n)
{
	char sql[200];
	long have;

	snprintf(sql, sizeof sql, "SELECT sum(%s) FROM kantele.fence", column);
	if ((have = pg_one(sql)) != n)
		fail_msg("the sum of %s is %ld, not %ld", column, have, n);
}

static void
life_end(struct life *l)
{
	struct store_done done;
	struct err err = { 0 };
	enum store_result answer = STORE_FAILED;

	counts_are("queue", 1);
	counts_are("state", 1);
	counts_are("body", 1);
	counts_are("result", 3);
	counts_are("notice", 1);
	counts_are("push_id", 2);
	counts_are("early", 1);
	counts_are("inbox", 0);
	counts_are("answer", 1);
	counts_are("foreign_id", 0);
	begin(l->other);
	d->answered(l->other, l->request, KEY, &answer, &done);
	flush(l->other);
	commit(l->other);
	assert_int_equal(done.result, STORE_OK);
	assert_int_equal(answer, STORE_TOO_LATE);
	begin(l->s);			/* says what is not said yet */
	flush(l->s);
	if (d->commit(l->s, &err) != COMMIT_DONE)
		fail_err("commit", &err);
	sum_is("waiting", 1);
	sum_is("sending", 0);
	sum_is("awaiting", 0);
	sum_is("notices", 1);
	sum_is("early", 1);
}

static void
schema_begin(void)
{
	struct store *s;

	pg_fresh();
	s = node_open(pg_conninfo(), NULL);
	d->close(&s, true);
}

static int
server_port(void)
{
	PGconn *c = PQconnectdb(pg_conninfo());
	int port = atoi(PQport(c));

	PQfinish(c);
	return port;
}

/* false: it was over before the cut came. */
static bool
life(struct proxy *x, int at, enum proxy_fate fate, unsigned storm, unsigned cuts)
{
	struct life l = { .proxy = x, .storm = storm, .cuts_left = cuts };
	struct store_request q = { .wish = WISH_CANCEL, .order_key = KEY };
	struct store_done done;
	bool cut;

	snprintf(l.conninfo, sizeof l.conninfo, "%s port=%d sslmode=disable gssencmode=disable", pg_conninfo(),
	    x->port);
	pg_do("DELETE FROM kantele.node; DELETE FROM kantele.fence; UPDATE kantele.part SET owner = NULL;"
	    " DELETE FROM kantele.queue; DELETE FROM kantele.state; DELETE FROM kantele.body; DELETE FROM kantele.result;"
	    " DELETE FROM kantele.notice; DELETE FROM kantele.push_id; DELETE FROM kantele.early;"
	    " DELETE FROM kantele.answer");
	l.other = node_open(pg_conninfo(), NULL);
	if (life_reopen(&l) == -1)
		fail_msg("it cannot even begin");
	proxy_arm(x, at, fate);
	life_ids(&l);
	for (unsigned round = 0; round < ROUNDS; round++) {
		if (round == 1) {
			begin(l.other);
			l.theirs = id_of(l.other, 1);
			assert_int_equal(put(l.other, l.theirs, KEY), PUT_INBOX);
			commit(l.other);
		}
		if (round == 5) {
			q.number = l.request = id_of(l.other, 2);
			q.id = l.theirs;
			begin(l.other);
			d->request(l.other, &q, &done);
			flush(l.other);
			commit(l.other);
		}
		life_round(&l, round);
		life_check(&l, round);
	}
	cut = proxy_has_cut(x);
	proxy_arm(x, -1, fate);
	if (l.s == NULL && life_reopen(&l) == -1)
		fail_msg("it is not there in the end");
	life_end(&l);
	d->close(&l.s, true);
	d->close(&l.other, true);
	return cut;
}

/* Each trip meets one fate on the way there and one on the way back; all of them when there is time. */
static void
a_cut_at_every_trip(void **state)
{
	unsigned step = getenv("KANTELE_SLOW") != NULL ? 1 : 2;
	bool cut = true;
	struct proxy x;
	unsigned at;

	(void)state;
	schema_begin();
	proxy_begin(&x, server_port());
	for (at = 0; cut; at++) {
		for (unsigned fate = at % step; fate < CUTS; fate += step)
			cut = life(&x, (int)at, (enum proxy_fate)fate, 0, 0);
	}
	print_message("    %u trips\n", at - 1);
	assert_in_range(at, 15, 60);
	proxy_end(&x);
}

/* Also while the connection is made again, and while the last batch is asked for. */
static void
many_cuts(void **state)
{
	enum { STORM = 100, CUTS_OF_ONE = 6 };
	unsigned lives = getenv("KANTELE_SLOW") != NULL ? 100 : 8;
	struct proxy x;

	(void)state;
	srand(7);
	schema_begin();
	proxy_begin(&x, server_port());
	for (unsigned i = 0; i < lives; i++)
		life(&x, rand() % 20, (enum proxy_fate)(rand() % CUTS), STORM, CUTS_OF_ONE);
	proxy_end(&x);
}

/* --- declared dead in the middle of a round ------------------------------------------------------------ */

/* As node_bury writes it. */
static void
bury_sql(const struct store *s, char *sql, size_t size)
{
	unsigned node = d->node((struct store *)(uintptr_t)s);

	snprintf(sql, size, "UPDATE kantele.fence SET alive = false WHERE node = %u; "
	    "UPDATE kantele.part SET owner = NULL WHERE owner = %u", node, node);
}

static void
bury(const struct store *s)
{
	char sql[200];

	bury_sql(s, sql, sizeof sql);
	pg_do(sql);
}

/* A message of an old life, WAITING; its partition's epoch is known to whoever schedules. */
static struct store *
old_life(uint64_t *id, uint64_t *epoch)
{
	struct store *s;

	pg_fresh();
	s = node_open(pg_conninfo(), &every_part);
	*id = id_of(s, 1);
	begin(s);
	assert_int_equal(put(s, *id, KEY), PUT_WAITING);
	commit(s);
	*epoch = d->epoch(s, store_part(KEY));
	return s;
}

static const struct store_mark mark1 = { .attempt = 1, .reference = 7, .link = { "0/vf1", 5 }, .at = 2000 };

/* A mark of the old life, and a new message, in one flush. */
static void
old_life_writes(struct store *s, uint64_t id, uint64_t epoch)
{
	struct store_row row = plain;
	struct store_done marked, put_done;
	enum store_put how = PUT_MARKED;
	uint64_t existing = 0;
	struct store_submit sub = { .rows = &row, .n = 1, .existing = &existing, .how = &how };

	row.id = id + 1;
	row.epoch = epoch;
	row.mark = &mark1;
	d->mark(s, epoch, id, KEY, &mark1, &marked);
	d->submit(s, &sub, &put_done);
	flush(s);
	assert_int_equal(marked.result, STORE_FENCED);
	assert_int_equal(put_done.result, STORE_OK);
	assert_int_equal(how, PUT_INBOX);
	commit(s);
	assert_int_equal(pg_one("SELECT count(*) FROM kantele.state"), 0);
	assert_int_equal(pg_one("SELECT count(*) FROM kantele.queue"), 1);
	assert_int_equal(pg_one("SELECT count(*) FROM kantele.inbox"), 1);
}

static void
dead_before_begin(void **state)
{
	uint64_t id, epoch;
	struct store *s = old_life(&id, &epoch);

	(void)state;
	bury(s);
	begin(s);
	old_life_writes(s, id, epoch);
	d->close(&s, true);
}

static void
dead_before_flush(void **state)
{
	uint64_t id, epoch;
	struct store *s = old_life(&id, &epoch);

	(void)state;
	begin(s);
	bury(s);
	old_life_writes(s, id, epoch);
	assert_true(d->epoch(s, store_part(KEY)) == 0);
	d->close(&s, true);
}

/* What was shown of the news cannot be taken back, so that round is lost. */
static void
dead_after_news(void **state)
{
	uint64_t id, epoch;
	struct store *s = old_life(&id, &epoch), *other = node_open(pg_conninfo(), NULL);
	struct store_parts got;
	struct store_done marked;
	struct err err = { 0 };
	unsigned seen = 0;

	(void)state;
	begin(other);
	assert_int_equal(put(other, id_of(other, 1), KEY), PUT_INBOX);
	commit(other);
	begin(s);
	assert_int_equal(d->news(s, &every_part, 10, news_none, NULL, &seen, &err), 0);
	assert_int_equal(seen, 1);
	bury(s);
	d->mark(s, epoch, id, KEY, &mark1, &marked);
	assert_int_equal(d->flush(s, &err), -1);
	assert_int_equal(err.code, ERR_STORE);
	d->rollback(s);
	begin(s);			/* joins again */
	assert_int_equal(d->news(s, &every_part, 10, news_none, NULL, &seen, &err), 0);
	assert_int_equal(seen, 0);
	d->mark(s, epoch, id, KEY, &mark1, &marked);
	flush(s);
	assert_int_equal(marked.result, STORE_FENCED);
	commit(s);
	assert_int_equal(pg_one("SELECT count(*) FROM kantele.inbox"), 1);
	assert_int_equal(d->claim(s, &every_part, &got, &err), 0);
	begin(s);
	assert_int_equal(d->news(s, &every_part, 10, news_none, NULL, &seen, &err), 0);
	assert_int_equal(seen, 1);
	commit(s);
	d->close(&s, true);
	d->close(&other, true);
}

/* A round that writes nothing, and one that purges: the store's trouble, and the next one goes on. */
static void
dead_and_nothing_to_write(void **state)
{
	uint64_t id, epoch;
	struct store *s = old_life(&id, &epoch);
	struct err err = { 0 };
	unsigned gone;

	(void)state;
	begin(s);
	bury(s);
	flush(s);
	assert_int_equal(d->commit(s, &err), COMMIT_NOT_DONE);
	assert_int_equal(err.code, ERR_STORE);
	begin(s);
	flush(s);
	commit(s);
	begin(s);
	bury(s);
	assert_int_equal(d->purge(s, 0, 10, &gone, &err), -1);
	assert_int_equal(err.code, ERR_STORE);
	d->rollback(s);
	err_clear(&err);
	begin(s);
	if (d->purge(s, 0, 10, &gone, &err) == -1)
		fail_err("purge", &err);
	commit(s);
	d->close(&s, true);
}

static void *
do_in_thread(void *sql)
{
	PGconn *c = PQconnectdb(pg_conninfo());
	PGresult *r = PQexec(c, sql);
	bool well = PQresultStatus(r) == PGRES_COMMAND_OK;

	PQclear(r);
	PQfinish(c);
	return well ? sql : NULL;
}

/* Whoever declares it dead waits for the end of what it has in hand. */
static void
dead_before_commit(void **state)
{
	uint64_t id, epoch;
	struct store *s = old_life(&id, &epoch);
	struct store_done marked;
	pthread_t thread;
	char sql[200];
	void *well;

	(void)state;
	bury_sql(s, sql, sizeof sql);
	begin(s);
	d->mark(s, epoch, id, KEY, &mark1, &marked);
	flush(s);
	assert_int_equal(marked.result, STORE_OK);
	assert_int_equal(pthread_create(&thread, NULL, do_in_thread, sql), 0);
	until_one(somebody_waits);
	commit(s);
	pthread_join(thread, &well);
	assert_non_null(well);
	assert_int_equal(pg_one("SELECT count(*) FROM kantele.queue q LEFT JOIN kantele.state t USING (id)"
	    " WHERE coalesce(t.state, q.state) = 1"), 1);
	begin(s);
	d->mark(s, epoch, id, KEY, &(struct store_mark){ .attempt = 2, .link = TEXT("0/vf1") }, &marked);
	flush(s);
	assert_int_equal(marked.result, STORE_FENCED);
	commit(s);
	assert_int_equal(pg_one("SELECT max(coalesce(t.attempt, q.attempt)) FROM kantele.queue q"
	    " LEFT JOIN kantele.state t USING (id)"), 1);
	d->close(&s, true);
}

/* --- two nodes want the same push-id ------------------------------------------------------------------------ */

struct second {				/* a submission of another node, in a thread */
	struct store	*s;
	unsigned	 n;
	struct store_row rows[64];
	uint64_t	 existing[64];
	enum store_put	 how[64];
	enum store_result result;
	enum store_commit committed;
	struct err	 err;
};

static void *
second_run(void *arg)
{
	struct second *w = arg;

	w->result = STORE_FAILED;
	w->committed = COMMIT_NOT_DONE;
	if (d->begin(w->s, 1, &w->err) == -1)
		return NULL;
	w->result = call_submit(d, w->s, w->rows, w->n, w->existing, w->how, &w->err);
	w->committed = d->commit(w->s, &w->err);
	return NULL;
}

static void
push_id_is_wanted_twice(bool first_commits)
{
	struct store *a, *b;
	struct store_row row = plain;
	struct second w = { .n = 1 };
	struct err err = { 0 };
	enum store_put how;
	uint64_t existing = 0;
	pthread_t thread;

	pg_fresh();
	a = node_open(pg_conninfo(), NULL);
	b = node_open(pg_conninfo(), NULL);
	row.push_id = TEXT("same");
	row.id = id_of(a, 1);
	begin(a);
	assert_int_equal(call_submit(d, a, &row, 1, &existing, &how, &err), STORE_OK);
	w.s = b;
	w.rows[0] = row;
	w.rows[0].id = id_of(b, 1);
	assert_int_equal(pthread_create(&thread, NULL, second_run, &w), 0);
	until_one(somebody_waits);
	if (first_commits)
		commit(a);
	else
		d->rollback(a);
	pthread_join(thread, NULL);
	assert_int_equal(w.committed, COMMIT_DONE);
	assert_int_equal(w.result, first_commits ? STORE_EXISTS : STORE_OK);
	if (first_commits)
		assert_true(w.existing[0] == row.id);
	assert_int_equal(pg_one("SELECT count(*) FROM kantele.inbox"), 1);
	assert_int_equal(pg_one("SELECT count(*) FROM kantele.push_id"), 1);
	d->close(&a, true);
	d->close(&b, true);
}

static void
second_waits_for_the_first(void **state)
{
	(void)state;
	push_id_is_wanted_twice(true);
	push_id_is_wanted_twice(false);
}

/* Many at once, in opposite orders: one of the two has them all, and nobody is in a deadlock. */
static void
push_ids_in_opposite_order(void **state)
{
	enum { TIMES = 40, IDS = 50 };
	static char names[IDS][16];
	static struct second w[2];
	uint64_t next = 1;
	pthread_t threads[2];

	(void)state;
	pg_fresh();
	for (unsigned k = 0; k < 2; k++)
		w[k].s = node_open(pg_conninfo(), NULL);
	for (unsigned t = 0; t < TIMES; t++) {
		for (unsigned i = 0; i < IDS; i++)
			snprintf(names[i], sizeof names[i], "p%u-%u", t, i);
		for (unsigned k = 0; k < 2; k++) {
			w[k].n = IDS;
			for (unsigned i = 0; i < IDS; i++) {
				w[k].rows[i] = plain;
				w[k].rows[i].id = id_of(w[k].s, next++);
				w[k].rows[i].push_id = text_of(names[k == 0 ? i : IDS - 1 - i]);
			}
			assert_int_equal(pthread_create(&threads[k], NULL, second_run, &w[k]), 0);
		}
		for (unsigned k = 0; k < 2; k++) {
			pthread_join(threads[k], NULL);
			if (w[k].committed != COMMIT_DONE)
				fail_err("commit", &w[k].err);
		}
		assert_true((w[0].result == STORE_OK) + (w[1].result == STORE_OK) == 1);
		assert_true((w[0].result == STORE_EXISTS) + (w[1].result == STORE_EXISTS) == 1);
	}
	assert_int_equal(pg_one("SELECT count(*) FROM kantele.inbox"), TIMES * IDS);
	for (unsigned k = 0; k < 2; k++)
		d->close(&w[k].s, true);
}

/* --- the schema --------------------------------------------------------------------------------------------- */

struct opener {
	struct store	*s;
	struct err	 err;
};

static void *
opener_run(void *arg)
{
	struct opener *o = arg;
	struct store_conf conf = { .conninfo = pg_conninfo(), .retention_s = 3600 };

	o->s = d->open(&conf, &o->err);
	return NULL;
}

static void
all_open_an_empty_database(void **state)
{
	enum { NODES = 8, TIMES = 4 };
	struct opener o[NODES];
	pthread_t threads[NODES];

	(void)state;
	for (unsigned t = 0; t < TIMES; t++) {
		uint64_t seen = 0;

		pg_fresh();
		memset(o, 0, sizeof o);
		for (unsigned i = 0; i < NODES; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, opener_run, &o[i]), 0);
		for (unsigned i = 0; i < NODES; i++) {
			pthread_join(threads[i], NULL);
			if (o[i].s == NULL)
				fail_err("open", &o[i].err);
			assert_int_equal(d->tag(o[i].s), d->tag(o[0].s));
			assert_in_range(d->node(o[i].s), 0, NODES - 1);
			seen |= UINT64_C(1) << d->node(o[i].s);
		}
		assert_true(seen == (UINT64_C(1) << NODES) - 1);
		for (unsigned i = 0; i < NODES; i++)
			d->close(&o[i].s, true);
	}
}

static void
open_fails(const char *conninfo, enum err_code code, const char *text)
{
	struct store_conf conf = { .conninfo = conninfo, .retention_s = 3600 };
	struct err err = { 0 };
	struct store *s = d->open(&conf, &err);

	if (s != NULL)
		fail_msg("%s: it opened", conninfo);
	if (err.code != code || strstr(err.text, text) == NULL)
		fail_msg("%s: %d \"%s\", not %d \"%s\"", conninfo, (int)err.code, err.text, (int)code, text);
}

static void
other_versions(void **state)
{
	struct store *s;
	long version;

	(void)state;
	pg_fresh();
	s = node_open(pg_conninfo(), &every_part);
	version = pg_one("SELECT version FROM kantele.meta");
	pg_do("UPDATE kantele.meta SET version = version + 1, oldest = version");
	d->close(&s, true);
	s = node_open(pg_conninfo(), &every_part);	/* the newer one lets us go on */
	begin(s);
	assert_int_equal(put(s, id_of(s, 1), KEY), PUT_WAITING);
	commit(s);
	assert_int_equal(pg_one("SELECT version FROM kantele.meta"), version + 1);
	d->close(&s, true);
	pg_do("UPDATE kantele.meta SET oldest = version");
	open_fails(pg_conninfo(), ERR_CONFIG, "install a newer one");
	pg_do("DELETE FROM kantele.meta");
	open_fails(pg_conninfo(), ERR_STORE, "kantele.meta");
}

static void
others_rights(void **state)
{
	char conninfo[CONNINFO_MOST];
	struct store *s;

	(void)state;
	pg_fresh();
	snprintf(conninfo, sizeof conninfo, "%s user=visitor", pg_conninfo());
	open_fails(conninfo, ERR_CONFIG, "needs to own the schema kantele");	/* which is not there */
	s = node_open(pg_conninfo(), NULL);
	d->close(&s, true);
	open_fails(conninfo, ERR_CONFIG, "needs to own the schema kantele");
	pg_do("GRANT USAGE ON SCHEMA kantele TO visitor");
	open_fails(conninfo, ERR_CONFIG, "needs to own the schema kantele");
	snprintf(conninfo, sizeof conninfo, "%s user=secret password=wrong", pg_conninfo());
	open_fails(conninfo, ERR_CONFIG, "password");
	snprintf(conninfo, sizeof conninfo, "%s user=secret", pg_conninfo());
	open_fails(conninfo, ERR_CONFIG, "password");
	snprintf(conninfo, sizeof conninfo, "%s dbname=nothing_here", pg_conninfo());
	open_fails(conninfo, ERR_CONFIG, "create the database");
	/* as a standby does */
	snprintf(conninfo, sizeof conninfo, "%s options='-c default_transaction_read_only=on'", pg_conninfo());
	open_fails(conninfo, ERR_STORE, "takes no writes");
	snprintf(conninfo, sizeof conninfo, "%s options='-c default_transaction_read_only=on'"
	    " target_session_attrs=any", pg_conninfo());
	open_fails(conninfo, ERR_STORE, "takes no writes");
	snprintf(conninfo, sizeof conninfo, "%s port=1", pg_conninfo());
	open_fails(conninfo, ERR_STORE, "refused");
	open_fails("port=1 nonsense=2", ERR_CONFIG, "conninfo: ");
}

/* --- a receipt comes while its message is settled ------------------------------------------------------------- */

struct met {
	uint64_t	 id;
	unsigned	 n;
};

static void
met_one(void *arg, const struct store_news *n)
{
	struct met *m = arg;

	if (n->kind != NEWS_RECEIPT || !n->joined.ripe)
		return;
	m->id = n->joined.id;
	m->n++;
}

static void
receipt_between_flush_and_commit(void **state)
{
	struct store *a, *b;
	struct store_settlement st = { .order_key = KEY, .state = STATE_AWAITING, .attempt = 1, .at = 3000,
	    .segments = 1, .answers = &answer1, .answer_count = 1, .domain = TEXT("dom") };
	struct store_receipt r = receipts[0];
	struct store_mark mark = mark1;
	struct store_joined joined;
	struct err err = { 0 };
	struct met met = { 0 };
	unsigned seen;
	mono_t since;

	(void)state;
	pg_fresh();
	a = node_open(pg_conninfo(), &every_part);
	b = node_open(pg_conninfo(), NULL);
	st.id = id_of(a, 1);
	mark.at = clock_wall();
	r.at = mark.at + 1;
	begin(a);
	put(a, st.id, KEY);
	assert_int_equal(call_mark(d, a, OURS, st.id, KEY, &mark, &err), STORE_OK);
	commit(a);
	begin(a);				/* nobody has a receipt, it says */
	assert_int_equal(d->news(a, &every_part, 10, met_one, &met, &seen, &err), 0);
	commit(a);
	begin(a);
	assert_int_equal(call_settle(d, a, OURS, &st, &joined, &err), STORE_OK);
	assert_false(joined.ripe);
	begin(b);
	assert_int_equal(call_receipt(d, b, &r, &joined, &err), STORE_OK);
	assert_false(joined.matched);
	commit(b);
	commit(a);
	for (since = clock_mono(); met.n == 0 && clock_mono() - since < 3000; poll(NULL, 0, 10)) {
		begin(a);
		assert_int_equal(d->news(a, &every_part, 10, met_one, &met, &seen, &err), 0);
		flush(a);
		commit(a);
	}
	print_message("    met after %" PRId64 " ms\n", (int64_t)(clock_mono() - since));
	assert_int_equal(met.n, 1);
	assert_true(met.id == st.id);
	assert_true(clock_mono() - since < 1500);
	counts_are("early", 0);
	d->close(&a, true);
	d->close(&b, true);
}

/* --- a long inbox ------------------------------------------------------------------------------------------------ */

enum { LETTERS = 100000, LETTERS_PUT = 1000 };

struct adopted {
	uint64_t	 last[STORE_PARTITIONS];
	unsigned	 n, wrong;
};

static void
adopt_one(void *arg, const struct store_news *n)
{
	struct adopted *a = arg;
	unsigned part = store_part(n->message.order_key);

	a->wrong += n->kind != NEWS_MESSAGE || n->message.id <= a->last[part];
	a->last[part] = n->message.id;
	a->n++;
}

static void
fill_inbox(struct store *s)
{
	static struct store_row rows[LETTERS_PUT];
	static uint64_t existing[LETTERS_PUT];
	static enum store_put how[LETTERS_PUT];
	struct err err = { 0 };

	for (unsigned n = 0; n < LETTERS; n += LETTERS_PUT) {
		for (unsigned i = 0; i < LETTERS_PUT; i++) {
			rows[i] = plain;
			rows[i].id = id_of(s, n + i + 1);
			rows[i].order_key = (uint64_t)(n + i) * 2654435761u << 32;
		}
		begin(s);
		assert_int_equal(call_submit(d, s, rows, LETTERS_PUT, existing, how, &err), STORE_OK);
		commit(s);
	}
}

static void
a_long_inbox(void **state)
{
	static struct adopted adopted;
	struct store *a, *b;
	struct err err = { 0 };
	mono_t began, longest = 0, from;
	unsigned seen, rounds = 0;

	(void)state;
	pg_fresh();
	a = node_open(pg_conninfo(), &every_part);
	b = node_open(pg_conninfo(), NULL);
	from = clock_mono();
	fill_inbox(b);
	began = clock_mono();
	do {
		mono_t since = clock_mono();

		begin(a);
		assert_int_equal(d->news(a, &every_part, 1000, adopt_one, &adopted, &seen, &err), 0);
		flush(a);
		commit(a);
		rounds++;
		assert_true(seen <= 1000);
		longest = clock_mono() - since > longest ? clock_mono() - since : longest;
	} while (seen > 0);
	print_message("    %u put in %" PRId64 " ms; adopted in %" PRId64 " ms, %u rounds, the longest %" PRId64
	    " ms\n", LETTERS, (int64_t)(began - from), (int64_t)(clock_mono() - began), rounds, (int64_t)longest);
	assert_int_equal(adopted.n, LETTERS);
	assert_int_equal(adopted.wrong, 0);
	counts_are("inbox", 0);
	d->close(&a, true);
	d->close(&b, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cut_at_every_trip),
		cmocka_unit_test(many_cuts),
		cmocka_unit_test(dead_before_begin),
		cmocka_unit_test(dead_before_flush),
		cmocka_unit_test(dead_after_news),
		cmocka_unit_test(dead_and_nothing_to_write),
		cmocka_unit_test(dead_before_commit),
		cmocka_unit_test(second_waits_for_the_first),
		cmocka_unit_test(push_ids_in_opposite_order),
		cmocka_unit_test(all_open_an_empty_database),
		cmocka_unit_test(other_versions),
		cmocka_unit_test(others_rights),
		cmocka_unit_test(receipt_between_flush_and_commit),
		cmocka_unit_test(a_long_inbox),
	};

	if (pg_conninfo() == NULL) {		/* there is no server: see tests/run */
		printf("[  PASSED  ] 0 test(s).\n");
		return 0;
	}
	log_set_level(LOG_LEVEL_ERROR);
	if (getenv("KANTELE_ONE") != NULL)	/* tests whose names fit: * and ? */
		cmocka_set_test_filter(getenv("KANTELE_ONE"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
