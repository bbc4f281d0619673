/*
 * queue_pgsql_bloat_test.c - the PostgreSQL store's tables do not grow under a steady load
 *
 * Whole lives for some seconds (KANTELE_BLOAT_S in the environment: for longer, by hand): in each round one lot of
 * messages is put, the lot before it is marked, the one before that awaits receipts, and so on to the notices
 * that are done; the purge keeps up, and a keeper looks after the tables. After the first third, whatever is
 * hot must stay as large as it is.
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

#include "io/log.h"
#include "pg_fresh.h"
#include "queue/store_pgsql.h"
#include "store_calls.h"

static const struct store_driver *const d = &store_pgsql;

enum { SECONDS = 24, LOT = 100, STAGES = 6, KEEP_MS = 200, SAMPLE_MS = 500, SLACK = 256 << 10, TABLES_MOST = 32,
    AUTOVACUUM_S = 300 };

/* --- lots ---------------------------------------------------------------------------------- */

struct lot {
	uint64_t	 first;
	struct store_row rows[LOT];
	uint64_t	 existing[LOT];
	enum store_put	 how[LOT];
	struct store_submit subs[LOT];
	struct store_mark mark;
	struct store_answer answers[LOT];
	struct store_settlement settlements[LOT];
	struct store_notice notices[LOT];
	struct store_receipt receipts[LOT];
	struct store_joined joined[LOT];
	struct store_done done[LOT];
	char		 names[LOT][24];
};

static struct lot lots[STAGES];
static uint64_t batch, lot_count;
static struct store *s;

static uint64_t
key_of(uint64_t id)
{
	return id * UINT64_C(0x9e3779b97f4a7c15);
}

static void
lot_submit(struct lot *l, wall_t now)
{
	for (unsigned i = 0; i < LOT; i++) {
		uint64_t id = l->first + i, key = key_of(id);
		int n = snprintf(l->names[i], sizeof l->names[i], "n%" PRIu64, id);

		l->rows[i] = (struct store_row){ .id = id, .order_key = key, .epoch = d->epoch(s, store_part(key)),
		    .msisdn = TEXT("+358401234567"), .account = TEXT("amy"), .smsc = TEXT("vf"),
		    .push_id = { l->names[i], (size_t)n }, .klass = 1, .accepted = now, .expires = now + 3600000,
		    .body = TEXT("a packed message of some hundred octets: ...................................."
			"..........................................................") };
		l->subs[i] = (struct store_submit){ .rows = &l->rows[i], .n = 1, .existing = &l->existing[i],
		    .how = &l->how[i] };
		d->submit(s, &l->subs[i], &l->done[i]);
	}
}

static void
lot_mark(struct lot *l, wall_t now)
{
	l->mark = (struct store_mark){ .attempt = 1, .reference = 7, .link = TEXT("0/vf"), .at = now };
	for (unsigned i = 0; i < LOT; i++)
		d->mark(s, l->rows[i].epoch, l->rows[i].id, l->rows[i].order_key, &l->mark, &l->done[i]);
}

static void
lot_await(struct lot *l, wall_t now)
{
	for (unsigned i = 0; i < LOT; i++) {
		l->answers[i] = (struct store_answer){ .segment = 1, .state = ANSWER_ACCEPTED,
		    .foreign_id = l->rows[i].push_id };
		l->settlements[i] = (struct store_settlement){ .id = l->rows[i].id, .order_key = l->rows[i].order_key,
		    .state = STATE_AWAITING, .attempt = 1, .at = now, .segments = 1, .answers = &l->answers[i],
		    .answer_count = 1, .domain = TEXT("dom") };
		d->settle(s, l->rows[i].epoch, &l->settlements[i], &l->joined[i], &l->done[i]);
	}
}

static void
lot_receipt(struct lot *l, wall_t now)
{
	for (unsigned i = 0; i < LOT; i++) {
		l->receipts[i] = (struct store_receipt){ .domain = TEXT("dom"), .foreign_id = l->rows[i].push_id,
		    .said = TEXT("stat:DELIVRD"), .state = RECEIPT_DELIVERED, .at = now };
		d->receipt(s, &l->receipts[i], &l->joined[i], &l->done[i]);
	}
}

static void
lot_finish(struct lot *l, wall_t now)
{
	for (unsigned i = 0; i < LOT; i++) {
		l->notices[i] = (struct store_notice){ .id = l->rows[i].id, .message = l->rows[i].id,
		    .order_key = l->rows[i].order_key, .url = TEXT("http://127.0.0.1/report?x=1"), .due = now,
		    .until = now + 3600000 };
		l->settlements[i] = (struct store_settlement){ .id = l->rows[i].id, .order_key = l->rows[i].order_key,
		    .state = STATE_FINISHED, .attempt = 1, .at = now, .outcome = OUTCOME_DELIVERED,
		    .link = TEXT("0/vf"), .notices = &l->notices[i], .notice_count = 1 };
		d->settle(s, l->rows[i].epoch, &l->settlements[i], &l->joined[i], &l->done[i]);
	}
}

static void
lot_told(struct lot *l, wall_t now)
{
	(void)now;
	for (unsigned i = 0; i < LOT; i++)
		d->notice_done(s, l->rows[i].id, l->rows[i].order_key, &l->done[i]);
}

static void (*const stages[STAGES])(struct lot *, wall_t) = {
	lot_submit, lot_mark, lot_await, lot_receipt, lot_finish, lot_told
};

static void
fail_err(const char *what, const struct err *err)
{
	char text[400];

	fail_msg("%s: %s", what, err_print(err, text, sizeof text));
}

/* Each lot goes one stage on. */
static void
turn(void)
{
	wall_t now = clock_wall();
	struct err err = { 0 };
	unsigned gone;

	if (d->begin(s, ++batch, &err) == -1)
		fail_err("begin", &err);
	lots[lot_count % STAGES].first = 1 + lot_count * LOT;
	for (unsigned stage = 0; stage < STAGES && stage <= lot_count; stage++)
		stages[stage](&lots[(lot_count - stage) % STAGES], now);
	if (d->flush(s, &err) == -1)
		fail_err("flush", &err);
	for (unsigned stage = 0; stage < STAGES && stage <= lot_count; stage++)
		for (unsigned i = 0; i < LOT; i++)
			assert_int_equal(lots[stage].done[i].result, STORE_OK);
	if (d->purge(s, now - 1000, 2 * LOT, &gone, &err) == -1)
		fail_err("purge", &err);
	if (d->commit(s, &err) != COMMIT_DONE)
		fail_err("commit", &err);
	lot_count++;
}

/* --- sizes ----------------------------------------------------------------------------------- */

static struct sizes {
	char		 name[32];
	long		 third[3];		/* the most in each third of the time */
} sizes[TABLES_MOST];
static unsigned table_count;
static PGconn *conn;

static PGresult *
query(const char *sql)
{
	PGresult *r = PQexec(conn, sql);

	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	return r;
}

static void
sample(unsigned third)
{
	PGresult *r = query("SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r'"
	    " AND relnamespace = 'kantele'::regnamespace ORDER BY relname");

	table_count = (unsigned)PQntuples(r);
	assert_in_range(table_count, 1, TABLES_MOST);
	for (unsigned i = 0; i < table_count; i++) {
		long n = atol(PQgetvalue(r, (int)i, 1));

		snprintf(sizes[i].name, sizeof sizes[i].name, "%s", PQgetvalue(r, (int)i, 0));
		if (sizes[i].third[third] < n)
			sizes[i].third[third] = n;
	}
	PQclear(r);
}

/* Rows of these two stay for days: what dies of them in a minute is little beside them, and is left to
 * autovacuum, which comes once a minute. */
static bool
is_hot(const char *name, long seconds)
{
	return seconds >= AUTOVACUUM_S || (strcmp(name, "result") != 0 && strcmp(name, "push_id") != 0);
}

static void
sizes_check(long seconds)
{
	unsigned grown = 0;

	for (unsigned i = 0; i < table_count; i++) {
		const long *n = sizes[i].third;
		bool bad = is_hot(sizes[i].name, seconds) && n[2] > (n[0] > n[1] ? n[0] : n[1]) / 5 * 6 + SLACK;

		grown += bad;
		print_message("    %-12s %7ld %7ld %7ld KiB%s\n", sizes[i].name, n[0] >> 10, n[1] >> 10, n[2] >> 10,
		    bad ? "  it grows" : "");
	}
	assert_int_equal(grown, 0);
}

/* Of the updates of a table, those that touch no index. */
static void
hot_check(void)
{
	PGresult *r = query("SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE schemaname ="
	    " 'kantele' AND relname IN ('state', 'fence', 'node') ORDER BY 1");

	assert_int_equal(PQntuples(r), 3);
	for (int i = 0; i < 3; i++) {
		long all = atol(PQgetvalue(r, i, 1)), hot = atol(PQgetvalue(r, i, 2));

		print_message("    %-6s %ld of %ld updates are HOT\n", PQgetvalue(r, i, 0), hot, all);
		assert_true(all > 0);
		assert_true(hot >= all / 5 * 4);
	}
	PQclear(r);
}

/* --- the load ------------------------------------------------------------------------------------ */

static void
a_steady_load(void **state)
{
	const char *given = getenv("KANTELE_BLOAT_S");
	long seconds = given != NULL ? atol(given) : SECONDS;
	struct store_conf conf = { .conninfo = pg_conninfo(), .retention_s = 1, .node_name = "n" };
	struct store_members members;
	struct store_keeper *k;
	struct err err = { 0 };
	mono_t began, kept = 0, sampled = 0, now;

	(void)state;
	pg_fresh();
	if ((s = call_open(d, &conf, &err)) == NULL || (k = d->keeper_open(&conf, d->node(s), &err)) == NULL)
		fail_err("open", &err);
	conn = PQconnectdb(pg_conninfo());
	began = clock_mono();
	while ((now = clock_mono()) - began < seconds * 1000) {
		turn();
		if (now - kept >= KEEP_MS) {
			kept = now;
			if (d->keep(k, &(struct store_self){ .leaving = false }, &members, &err) == -1)
				fail_err("keep", &err);
		}
		if (now - sampled >= SAMPLE_MS) {
			sampled = now;
			sample((unsigned)((now - began) * 3 / (seconds * 1000)));
		}
	}
	print_message("    %" PRIu64 " lives in %ld s\n", lot_count * LOT, seconds);
	d->keeper_close(&k);
	d->close(&s, true);		/* says what the server has not counted yet */
	sizes_check(seconds);
	hot_check();
	PQfinish(conn);
	pg_fresh();
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_steady_load) };

	if (pg_conninfo() == NULL) {		/* there is no server: see tests/run */
		printf("[  PASSED  ] 0 test(s).\n");
		return 0;
	}
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
