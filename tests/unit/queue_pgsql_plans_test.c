/*
 * queue_pgsql_plans_test.c - the plans of the PostgreSQL store's statements, with tables empty and full
 *
 * A statement is prepared, and has one plan for good, made when the tables may be empty: it has to be the right
 * one for a million rows. So each is explained as a generic plan, with the session's settings, twice: over empty
 * tables, and over ROWS rows in each table that grows with the queue. Neither may read or sort all of
 * such a table; what does so on purpose is in `allowed`, with the reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "pg_fresh.h"
#include "queue/store_pgsql.h"
#include "queue/store_pgsql_inner.h"

enum { ROWS = 200000, SQL_MOST = 8000, NULLS_MOST = 8 * PG_ARGS_MOST };

/* --- what is not allowed, and where it is ------------------------------------------------- */

/* Words of a plan's line. */
static const char *const bad_words[] = { "Seq Scan on ", "Sort", "Bitmap", "Hash", "Merge Join" };

/* Tables with a row for each node, partition, or one: whatever is done over them is short. */
static const char *const small[] = { "fence", "node", "part", "meta" };

static const struct {
	const char	*statement, *line;
	const char	*why;
} allowed[] = {
	{ "number", "Sort", "of nodes" },
	{ "claim", "Sort", "at most 256 partitions" },
	{ "release", "Sort", "at most 256 partitions" },
	{ "nodes", "Sort", "of nodes" },
	{ "parts", "Hash", "256 partitions, of as many nodes as there are" },
	{ "nodes", "Hash", "of nodes" },
	{ "number", "Hash", "of nodes" },
	{ "push_put", "Sort", "of the batch: everybody locks in one order" },
	{ "early_put", "Sort", "of the batch" },
	{ "overdue", "Sort", "of one page, whose LIMIT is in the index scan" },
	{ "held", "Sort", "of one page" },
	{ "msisdn_open", "Sort", "what one MSISDN has in one block of 65,536 ids" },
	{ "msisdn_result", "Sort", "what one MSISDN has in one block of 65,536 ids" },
	{ "purge", "Sort", "results of one millisecond: by `finished` the index is in order" },
	{ "purge_early", "Sort", "receipts of one millisecond" },
	{ "purge_answers", "Seq Scan on answer", "answers are looked for within seconds, and gone after minutes" },
	{ "purge_answers", "Sort", "answers, as above" },
	{ "has_early", "Seq Scan on early", "its first row is enough" },
};

/* An index that is read from one end to the other. */
static const struct {
	const char	*statement, *table, *why;
} whole_index[] = {
	{ "has_early", "early", "its first row is enough" },
	{ "news", "inbox", "in the order of its coming, up to the LIMIT; it is everybody's, and is emptied all the time" },
	{ "waits_in", "inbox", "somebody asks for one message, which has not been adopted yet" },
	{ "msisdn_waits_in", "inbox", "somebody asks for an MSISDN" },
	{ "purge_answers", "answer", "see above" },
};

/* --- explaining ---------------------------------------------------------------------------- */

static PGconn *conn;

static PGresult *
query(const char *sql)
{
	PGresult *r = PQexec(conn, sql);

	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	return r;
}

static void
doing(const char *sql)
{
	PQclear(query(sql));
}

static const char *
type_of(char letter)
{
	static const char *const names[][2] = { { "8", "int8[]" }, { "4", "int4[]" }, { "2", "int2[]" },
	    { "b", "bytea[]" }, { "L", "int8" }, { "I", "int4" }, { "S", "int2" }, { "B", "bytea" } };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i][0][0] == letter)
			return names[i][1];
	fail_msg("a parameter of type %c", letter);
	return "";
}

/* A line for each row. */
static PGresult *
explain(const struct pg_stmt *s)
{
	char sql[SQL_MOST], types[SQL_MOST / 8] = "", nulls[NULLS_MOST] = "";
	size_t n = strlen(s->types), at = 0, end = 0;

	for (size_t i = 0; i < n; i++) {
		at += (size_t)snprintf(types + at, sizeof types - at, "%s%s", i > 0 ? ", " : "", type_of(s->types[i]));
		end += (size_t)snprintf(nulls + end, sizeof nulls - end, "%sNULL", i > 0 ? ", " : "");
	}
	doing("DEALLOCATE ALL");
	at = (size_t)snprintf(sql, sizeof sql, "PREPARE it%s%s%s AS %s", n > 0 ? "(" : "", types, n > 0 ? ")" : "",
	    s->sql);
	assert_true(at < sizeof sql);
	doing(sql);
	snprintf(sql, sizeof sql, "EXPLAIN (COSTS off) EXECUTE it%s%s%s", n > 0 ? "(" : "", nulls, n > 0 ? ")" : "");
	return query(sql);
}

static bool
is_small(const char *line)
{
	const char *on = strstr(line, " on ");

	for (size_t i = 0; on != NULL && i < sizeof small / sizeof *small; i++) {
		size_t len = strlen(small[i]);

		if (strncmp(on + 4, small[i], len) == 0 && (on[4 + len] == '\0' || on[4 + len] == ' '))
			return true;
	}
	return false;
}

static bool
is_allowed(const struct pg_stmt *s, const char *line)
{
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
		if (strcmp(s->name, allowed[i].statement) == 0 && strstr(line, allowed[i].line) != NULL)
			return true;
	return is_small(line);
}

static bool
may_be_whole(const struct pg_stmt *s, const char *line)
{
	for (size_t i = 0; i < sizeof whole_index / sizeof *whole_index; i++)
		if (strcmp(s->name, whole_index[i].statement) == 0 && strstr(line, whole_index[i].table) != NULL)
			return true;
	return is_small(line);
}

/* An index scan's condition stands in the line behind it. A plain index scan for an order alone stops at its
 * LIMIT, but only if nothing else throws rows away. */
static bool
reads_whole_index(const PGresult *r, int row)
{
	const char *line = PQgetvalue(r, row, 0);

	if (strstr(line, "Index Scan") == NULL && strstr(line, "Index Only Scan") == NULL)
		return false;
	return row + 1 == PQntuples(r) || strstr(PQgetvalue(r, row + 1, 0), "Index Cond") == NULL;
}

static const char *
bad_word(const char *line)
{
	for (size_t i = 0; i < sizeof bad_words / sizeof *bad_words; i++)
		if (strstr(line, bad_words[i]) != NULL && strstr(line, "Sort Key") == NULL)
			return bad_words[i];
	return NULL;
}

static unsigned
check(const struct pg_stmt *s, const char *tables)
{
	PGresult *r = explain(s);
	unsigned bad = 0;

	for (int i = 0; i < PQntuples(r); i++) {
		const char *line = PQgetvalue(r, i, 0);
		bool word = bad_word(line) != NULL && !is_allowed(s, line);
		bool whole = reads_whole_index(r, i) && !may_be_whole(s, line);

		if (!word && !whole)
			continue;
		print_error("  %s, %s tables:%s %s\n", s->name, tables, whole ? " (all of the index)" : "", line);
		bad++;
	}
	for (int i = 0; bad > 0 && i < PQntuples(r); i++)
		print_error("      %s\n", PQgetvalue(r, i, 0));
	PQclear(r);
	return bad;
}

static void
check_all(const char *tables)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < STATEMENTS; i++)
		if (i != ST_BEGIN && i != ST_COMMIT && i != ST_ROLLBACK)
			bad += check(&pg_statements[i], tables);
	for (const struct pg_stmt *s = keeper_statements; s->name != NULL; s++)
		bad += check(s, tables);
	if (bad > 0)
		fail_msg("%u bad lines", bad);
}

/* --- the tables ------------------------------------------------------------------------------ */

#define G	"generate_series(1, %d) g"
/* Ids of two nodes, all partitions; as of a queue that has run for a day. */
#define ID	"(g %% 2)::bigint << 44 | g"
static const char *const fill[] = {
	"INSERT INTO body SELECT " ID ", g %% 256, 'body' FROM " G,
	"INSERT INTO queue(id, part, key, pos, accepted, expires, due, marked, ref, klass, state, attempt, msisdn)"
	" SELECT " ID ", g %% 256, g, g, g, g, 0, 0, 0, 1, 0, 0, '+358' FROM " G,
	"INSERT INTO state(id, due, marked, refused, until, ref, attempt, part, state, flags, segs, tries)"
	" SELECT " ID ", 0, 0, 0, 0, 0, 1, g %% 256, 4, 0, 1, 0 FROM " G,
	"INSERT INTO result(id, key, finished, accepted, expires, code, attempt, part, outcome, msisdn)"
	" SELECT " ID ", g, g, g, g, 0, 1, g %% 256, 2, '+358' FROM " G,
	"INSERT INTO foreign_id SELECT int4send(g), 'dom', g %% 256, g %% 256, " ID ", 1, 1 FROM " G,
	"INSERT INTO early SELECT int4send(g), 'dom', g %% 256, 2, g, 'said' FROM " G,
	"INSERT INTO push_id SELECT 'amy', int4send(g), g %% 256, " ID ", g %% 256 FROM " G,
	"INSERT INTO notice SELECT " ID ", g, g, g, g, 0, g %% 256, 'http://x' FROM " G,
	"INSERT INTO inbox SELECT g %% 256, g, " ID ", g, g %% 4, g, 'data' FROM " G,
	"INSERT INTO send SELECT g %% 2, " ID ", g %% 256, 1 FROM " G,
	"INSERT INTO answer SELECT " ID ", g %% 256, 0, g FROM " G,
};

static void
plans_of_empty_tables(void **state)
{
	(void)state;
	check_all("empty");
}

/* Not analyzed yet, as after a burst; then analyzed. */
static void
plans_of_full_tables(void **state)
{
	char sql[SQL_MOST];

	(void)state;
	for (size_t i = 0; i < sizeof fill / sizeof *fill; i++) {
		snprintf(sql, sizeof sql, fill[i], ROWS);
		doing(sql);
	}
	check_all("full");
	doing("ANALYZE");
	check_all("full, analyzed");
}

static int
setup(void **state)
{
	struct store_conf conf = { .conninfo = pg_conninfo(), .retention_s = 3600 };
	struct err err = { 0 };
	struct store *s;

	(void)state;
	pg_fresh();
	if ((s = store_pgsql.open(&conf, &err)) == NULL)
		fail_msg("open: %s", err.text);
	store_pgsql.close(&s, true);
	conn = PQconnectdb(pg_conninfo());
	doing("SET search_path = kantele; SET client_min_messages = warning");
	doing(pg_settings);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	PQfinish(conn);
	pg_fresh();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans_of_empty_tables),
		cmocka_unit_test(plans_of_full_tables),
	};

	if (pg_conninfo() == NULL) {		/* there is no server: see tests/run */
		printf("[  PASSED  ] 0 test(s).\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
