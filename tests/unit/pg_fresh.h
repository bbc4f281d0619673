/*
 * pg_fresh.h - the PostgreSQL that tests may use: the server that KANTELE_PG tells how to reach
 *
 * tests/run starts one and sets it. Without it tests of that store are left out.
 */
#ifndef TESTS_PG_FRESH_H
#define TESTS_PG_FRESH_H

#include <libpq-fe.h>
#include <stdlib.h>

static inline const char *
pg_conninfo(void)		/* NULL: there is no server */
{
	const char *conninfo = getenv("KANTELE_PG");

	return conninfo != NULL && conninfo[0] != '\0' ? conninfo : NULL;
}

/* One statement, on a connection of its own. */
static inline void
pg_do(const char *sql)
{
	PGconn *c = PQconnectdb(pg_conninfo());
	PGresult *r = PQexec(c, sql);

	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	PQclear(r);
	PQfinish(c);
}

/* The store is not there. */
static inline void
pg_fresh(void)
{
	pg_do("SET client_min_messages = warning; SET lock_timeout = '20s'; DROP SCHEMA IF EXISTS kantele CASCADE");
}

#endif
