/*
 * queue_pgsql_sync_test.c - the PostgreSQL store where a COMMIT waits for a standby that does not confirm
 *
 * On a server of its own, since the whole server waits. A COMMIT of ours waits for as long as it takes; when
 * somebody at the server cancels the wait, its warning makes the outcome unknown, and nobody says that the
 * batch is in until a standby confirmed it (here: until none is wanted any more).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/log.h"
#include "queue/store_pgsql.h"
#include "store_calls.h"

static const struct store_driver *const d = &store_pgsql;

#define KEY	UINT64_C(0x4200000000000007)
enum { PATIENCE_MS = 20000, WAITS_MS = 1500, LINE_MOST = 400 };

static char folder[64], conninfo[LINE_MOST];

/* --- the server ------------------------------------------------------------------------------- */

static bool
cluster(const char *verb, char *said, size_t size)
{
	const char *source = getenv("KANTELE_SRC");
	char command[LINE_MOST];
	FILE *p;
	bool heard;

	snprintf(command, sizeof command, "python3 '%s/tests/tools/pgcluster.py' %s %s", source != NULL ? source : ".",
	    verb, folder);
	if ((p = popen(command, "r")) == NULL)
		return false;
	heard = fgets(said, (int)size, p) != NULL;
	said[heard ? strcspn(said, "\n") : 0] = '\0';
	return pclose(p) == 0;
}

static int
setup(void **state)
{
	char said[LINE_MOST - 40];

	(void)state;
	strcpy(folder, "/tmp/kantele-sync-XXXXXX");
	if (mkdtemp(folder) == NULL || !cluster("start", said, sizeof said))
		return -1;
	snprintf(conninfo, sizeof conninfo, "%s user=postgres", said);
	return 0;
}

static int
teardown(void **state)
{
	char said[LINE_MOST];

	(void)state;
	return cluster("stop", said, sizeof said) ? 0 : -1;
}

/* What does not wait for a standby: reading, settings. The first number of the first row; none: 0. */
static long
one(const char *sql)
{
	PGconn *c = PQconnectdb(conninfo);
	PGresult *r = PQexec(c, sql);
	long n = 0;

	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	if (PQntuples(r) > 0)
		n = strtol(PQgetvalue(r, 0, 0), NULL, 10);
	PQclear(r);
	PQfinish(c);
	return n;
}

static long
until_one(const char *sql)		/* is not 0 */
{
	mono_t end = clock_mono() + PATIENCE_MS;
	long n;

	while ((n = one(sql)) == 0) {
		if (clock_mono() > end)
			fail_msg("never came: %s", sql);
		poll(NULL, 0, 5);
	}
	return n;
}

#define WAITS(who)	"SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name LIKE '" who "%'"
static const char store_waits[] = WAITS("kantele"), canary_waits[] = WAITS("canary");

static void
cancel(long pid)
{
	char sql[60];

	snprintf(sql, sizeof sql, "SELECT pg_cancel_backend(%ld)", pid);
	one(sql);
}

/* A commit waits for a standby from now on: it is seen to. */
static void
nobody_confirms(void)
{
	mono_t end = clock_mono() + PATIENCE_MS;
	char with_name[LINE_MOST + 40];
	PGconn *c;
	long pid = 0;

	one("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
	one("SELECT pg_reload_conf()");
	snprintf(with_name, sizeof with_name, "%s application_name=canary", conninfo);
	c = PQconnectdb(with_name);
	while (pid == 0) {
		assert_int_equal(PQsendQuery(c, "CREATE TABLE IF NOT EXISTS canary(n int);"
		    " INSERT INTO canary VALUES (1)"), 1);
		do
			PQconsumeInput(c);
		while (PQisBusy(c) && (pid = one(canary_waits)) == 0);
		if (pid != 0)
			cancel(pid);
		for (PGresult *r; (r = PQgetResult(c)) != NULL;)
			PQclear(r);
		assert_true(clock_mono() < end);
	}
	PQfinish(c);
}

static void
nobody_need_confirm(void)
{
	one("ALTER SYSTEM RESET synchronous_standby_names");
	one("SELECT pg_reload_conf()");
	until_one("SELECT (current_setting('synchronous_standby_names') = '')::int");
}

/* --- calls that wait, in a thread ----------------------------------------------------------------- */

struct call {
	struct store	*s;
	bool		 asks;		/* for the last batch; else it commits */
	enum store_commit committed;
	int		 rc;
	uint64_t	 last;
	struct err	 err;
	pthread_t	 thread;
};

static void *
call_run(void *arg)
{
	struct call *c = arg;

	if (c->asks)
		c->rc = d->last_batch(c->s, &c->last, &c->err);
	else
		c->committed = d->commit(c->s, &c->err);
	return NULL;
}

/* It waits for the standby, as long as we like; then somebody cancels that. */
static void
call_is_cancelled(struct call *c)
{
	long pid;

	assert_int_equal(pthread_create(&c->thread, NULL, call_run, c), 0);
	pid = until_one(store_waits);
	poll(NULL, 0, WAITS_MS);
	assert_int_equal(one(store_waits), pid);
	cancel(pid);
	pthread_join(c->thread, NULL);
}

static void
put(struct store *s, uint64_t batch, uint64_t id)
{
	struct store_row row = { .id = id, .order_key = KEY, .epoch = d->epoch(s, store_part(KEY)),
	    .msisdn = TEXT("+358401"), .klass = 1, .accepted = 1000, .expires = 5000, .body = TEXT("body") };
	struct err err = { 0 };
	enum store_put how;
	uint64_t existing;

	if (d->begin(s, batch, &err) == -1 || call_submit(d, s, &row, 1, &existing, &how, &err) != STORE_OK)
		fail_msg("%s", err.text);
	assert_int_equal(how, PUT_WAITING);
}

static void
a_standby_does_not_confirm(void **state)
{
	/* the server's own setting, which a lease of this length does not cut off either */
	struct store_conf conf = { .conninfo = conninfo, .retention_s = 3600, .lease_ms = WAITS_MS / 3 };
	struct err err = { 0 };
	struct store *s = call_open(d, &conf, &err);
	struct store_view v;
	struct call commit, ask;

	(void)state;
	if (s == NULL)
		fail_msg("%s", err.text);
	put(s, 1, 1);
	assert_int_equal(d->commit(s, &err), COMMIT_DONE);
	put(s, 2, 2);
	nobody_confirms();
	commit = (struct call){ .s = s };
	call_is_cancelled(&commit);
	assert_int_equal(commit.committed, COMMIT_UNKNOWN);
	assert_non_null(strstr(commit.err.text, "canceling wait for synchronous replication"));
	ask = (struct call){ .s = s, .asks = true };
	call_is_cancelled(&ask);
	assert_int_equal(ask.rc, -1);
	assert_int_equal(ask.err.code, ERR_STORE);
	assert_non_null(strstr(ask.err.text, "did not confirm"));
	nobody_need_confirm();
	conf.again = d->node(s) + 1u;
	d->close(&s, false);
	if ((s = call_open(d, &conf, &err)) == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(d->last_batch(s, &ask.last, &err), 0);
	assert_int_equal(ask.last, 2);
	assert_int_equal(call_find(d, s, 2, &v, &err), STORE_OK);
	d->close(&s, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_standby_does_not_confirm) };

	if (getenv("KANTELE_PG") == NULL) {	/* no server is wanted: see tests/run */
		printf("[  PASSED  ] 0 test(s).\n");
		return 0;
	}
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, setup, teardown);
}
