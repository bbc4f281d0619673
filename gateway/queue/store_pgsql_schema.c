/*
 * store_pgsql_schema.c - tables, and how they come from one version to the next
 *
 * All tables lie in the schema "kantele". Its version grows by one with each step of steps[]; a step that
 * lets programs of the version before go on says so, and then nodes of both run side by side while they
 * are upgraded one by one. Forward only.
 *
 * The partition is in every key, so the tables can be spread. Times are ms since 1970. Texts are bytea: what
 * senders gave us need not be in the database's encoding.
 *
 *   body        written once, with the message; goes when it finishes (it may hold a PIN)
 *   queue       a message that is not finished, as it was put
 *   state       where it is, when it is not where it was put any more; evidence of its segments, packed
 *   result      finished, until the purge
 *   foreign_id  the SMSC's id of a segment -> the message; early: receipts that match nothing yet
 *   push_id     (account, push-id of the client) -> the message
 *   notice      callbacks that are due
 *   inbox       what is for a partition's owner; send: what is for the node that has the link
 *   answer      of an owner, to another node's request
 *   node, part  who is there, who owns what; fence: touched first in each transaction that writes
 *   moved       what a move made of this store
 *
 * Knows:     DDL. Does not: know what the rows mean.
 * Owns:      nothing.
 * Threads:   the store worker's.
 */
#include "queue/store_pgsql_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Tables whose rows come and go all the time: vacuumed early, without pauses, and never cut short, which
 * would lock them. The keeper vacuums them too, every few seconds under load. */
#define HOT		"vacuum_truncate=off, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=1000, " \
			"autovacuum_vacuum_cost_delay=0, autovacuum_analyze_scale_factor=0.2"

static const struct step {
	int		 oldest;	/* version of the schema that programs must know at least to go on with it */
	const char	*sql;
} steps[] = {
	{ 1,
	"CREATE TABLE node(node int PRIMARY KEY, name bytea NOT NULL, status bytea NOT NULL, machine bytea NOT NULL,"
	" renewals bigint NOT NULL, leaving boolean NOT NULL, gone bigint NOT NULL) WITH (fillfactor=10, " HOT ");"
	"CREATE TABLE fence(node int PRIMARY KEY, alive boolean NOT NULL, life bigint NOT NULL, batch bigint NOT NULL,"
	" ids bigint NOT NULL, pid int NOT NULL, waiting bigint NOT NULL DEFAULT 0,"
	" sending bigint NOT NULL DEFAULT 0, awaiting bigint NOT NULL DEFAULT 0, held bigint NOT NULL DEFAULT 0,"
	" notices bigint NOT NULL DEFAULT 0, early bigint NOT NULL DEFAULT 0) WITH (fillfactor=10, " HOT ");"
	"CREATE TABLE part(part smallint PRIMARY KEY, owner int, epoch bigint NOT NULL) WITH (fillfactor=20, " HOT ");"
	"INSERT INTO part SELECT g, NULL, 0 FROM generate_series(0, 255) g;"
	"CREATE TABLE body(id bigint NOT NULL, part smallint NOT NULL, body bytea NOT NULL, PRIMARY KEY(id, part))"
	" WITH (toast_tuple_target=8160, " HOT ");"
	"ALTER TABLE body ALTER body SET STORAGE EXTERNAL;"
	"CREATE TABLE queue(id bigint NOT NULL, key bigint NOT NULL, pos bigint NOT NULL, accepted bigint NOT NULL,"
	" expires bigint NOT NULL, due bigint NOT NULL, marked bigint NOT NULL, ref int NOT NULL, part smallint NOT NULL,"
	" klass smallint NOT NULL, state smallint NOT NULL, attempt int NOT NULL, msisdn bytea NOT NULL,"
	" account bytea, push_id bytea, smsc bytea, grp bytea, link bytea, PRIMARY KEY(id, part))"
	" WITH (" HOT ");"
	"CREATE INDEX queue_key ON queue((id >> 16), key);"
	"CREATE TABLE state(id bigint NOT NULL, due bigint NOT NULL, marked bigint NOT NULL, refused bigint NOT NULL,"
	" until bigint NOT NULL, ref int NOT NULL, attempt int NOT NULL, part smallint NOT NULL, state smallint NOT NULL,"
	" flags smallint NOT NULL, segs smallint NOT NULL, tries int NOT NULL, link bytea, evidence bytea,"
	" PRIMARY KEY(id, part)) WITH (fillfactor=35, " HOT ");"	/* all of a page may change at once, and grow */
	"CREATE TABLE result(id bigint NOT NULL, key bigint NOT NULL, finished bigint NOT NULL, accepted bigint NOT NULL,"
	" expires bigint NOT NULL, code bigint NOT NULL, attempt int NOT NULL, part smallint NOT NULL,"
	" outcome smallint NOT NULL, msisdn bytea NOT NULL, account bytea, push_id bytea, link bytea,"
	" PRIMARY KEY(id, part)) WITH (" HOT ");"
	"CREATE INDEX result_key ON result((id >> 16), key);"
	"CREATE INDEX result_finished ON result(finished);"
	"CREATE TABLE foreign_id(fid bytea NOT NULL, domain bytea NOT NULL, fpart smallint NOT NULL, part smallint NOT NULL,"
	" id bigint NOT NULL, attempt int NOT NULL, seg smallint NOT NULL, PRIMARY KEY(fid, domain, fpart)) WITH (" HOT ");"
	"CREATE TABLE early(fid bytea NOT NULL, domain bytea NOT NULL, fpart smallint NOT NULL, state smallint NOT NULL,"
	" at bigint NOT NULL, said bytea, PRIMARY KEY(fid, domain, fpart)) WITH (" HOT ");"
	"CREATE INDEX early_at ON early(at);"
	"CREATE TABLE push_id(account bytea NOT NULL, push_id bytea NOT NULL, ppart smallint NOT NULL, id bigint NOT NULL,"
	" part smallint NOT NULL, PRIMARY KEY(account, push_id, ppart)) WITH (" HOT ");"
	"CREATE TABLE notice(id bigint NOT NULL, message bigint NOT NULL, key bigint NOT NULL, due bigint NOT NULL,"
	" until bigint NOT NULL, tries int NOT NULL, part smallint NOT NULL, url bytea NOT NULL,"
	" PRIMARY KEY(id, part)) WITH (fillfactor=80, " HOT ");"
	"CREATE TABLE inbox(part smallint NOT NULL, at bigint NOT NULL, id bigint NOT NULL, n int NOT NULL,"
	" kind smallint NOT NULL, key bigint NOT NULL, data bytea NOT NULL, PRIMARY KEY(at, id, n, part, kind))"
	" WITH (" HOT ");"
	"CREATE INDEX inbox_request ON inbox(part, id) WHERE kind = 3;"
	"CREATE TABLE send(node int NOT NULL, id bigint NOT NULL, part smallint NOT NULL, attempt int NOT NULL,"
	" PRIMARY KEY(node, id, part, attempt)) WITH (" HOT ");"
	"CREATE TABLE answer(number bigint NOT NULL, part smallint NOT NULL, result smallint NOT NULL, at bigint NOT NULL,"
	" PRIMARY KEY(number, part)) WITH (" HOT ");"
	},
	/* Programs of version 1 do not know of moves: a move shuts them out (store_pgsql_move.c). */
	{ 1,
	"CREATE TABLE moved(one boolean PRIMARY KEY CHECK (one), state smallint NOT NULL, number bigint NOT NULL,"
	" peer bytea NOT NULL, at bytea);"
	"INSERT INTO moved VALUES (true, 0, 0, '', NULL);"
	},
};
enum { VERSION = sizeof steps / sizeof *steps, CREATE_TRIES = 20 };

static int
numbers_at(struct pg *p, const char *sql, long *numbers, int count, struct err *err)
{
	PGresult *r = pg_query(p, sql, err);

	if (r == NULL)
		return -1;
	if (PQntuples(r) != 1) {
		PQclear(r);
		return err_set(err, ERR_STORE, "PostgreSQL: kantele.meta has no row: a restore that was cut short?");
	}
	for (int i = 0; i < count; i++)
		numbers[i] = strtol(PQgetvalue(r, 0, i), NULL, 10);
	PQclear(r);
	return 0;
}

/* Two nodes that begin at once stumble over each other's CREATE; the later one looks again. */
static bool
somebody_else_creates(const struct pg *p)
{
	return pg_is(p, "23505") || pg_is(p, "42P06") || pg_is(p, "42P07") || pg_is(p, "40P01");
}

static int
schema_create(struct pg *p, struct err *err)
{
	long there;			/* 0: no schema, 1: a schema without tables, 2: all is there */
	char sql[400];
	uint32_t tag;

	if (numbers_at(p, "SELECT count(*) + count(to_regclass('kantele.meta')) FROM pg_namespace "
	    "WHERE nspname = 'kantele'", &there, 1, err) == -1 || there == 2)
		return there == 2 ? 0 : -1;
	if (getrandom(&tag, sizeof tag, 0) != sizeof tag)
		return err_errno(err, "getrandom");
	snprintf(sql, sizeof sql, "%sCREATE TABLE IF NOT EXISTS kantele.meta"
	    "(one boolean PRIMARY KEY CHECK (one), version int NOT NULL, oldest int NOT NULL, tag bigint NOT NULL,"
	    " mode bytea NOT NULL); INSERT INTO kantele.meta VALUES (true, 0, 0, %lu, '') ON CONFLICT DO NOTHING",
	    there == 0 ? "CREATE SCHEMA IF NOT EXISTS kantele; " : "", (unsigned long)tag);
	return pg_run(p, sql, err);
}

static int
schema_steps(struct pg *p, int version, struct err *err)
{
	char sql[100];

	for (; version < VERSION; version++) {
		if (pg_run(p, steps[version].sql, err) == -1)
			return -1;
		snprintf(sql, sizeof sql, "UPDATE meta SET version=%d, oldest=%d", version + 1,
		    steps[version].oldest);
		if (pg_run(p, sql, err) == -1)
			return -1;
	}
	return 0;
}

/* In a transaction, with the row of `meta` locked: only one node migrates. */
static int
schema_migrate(struct pg *p, uint32_t *tag, struct err *err)
{
	enum { META_VERSION, META_OLDEST, META_TAG, META_NUMBERS };
	long meta[META_NUMBERS];

	if (numbers_at(p, "SELECT version, oldest, tag FROM meta FOR UPDATE", meta, META_NUMBERS, err) == -1)
		return -1;
	*tag = (uint32_t)meta[META_TAG];
	if (meta[META_VERSION] > VERSION && meta[META_OLDEST] > VERSION)
		return err_set(err, ERR_CONFIG, "the database's schema has version %ld, this program knows up "
		    "to %d: install a newer one", meta[META_VERSION], VERSION);
	return schema_steps(p, (int)meta[META_VERSION], err);
}

/* Before the connection enters pipeline mode. */
int
schema_open(struct pg *p, uint32_t *tag, struct err *err)
{
	struct err why = { 0 };
	int rc = -1;

	for (unsigned tries = 0; rc == -1; tries++) {
		err_clear(&why);
		rc = schema_create(p, &why);
		if (rc == -1 && (!somebody_else_creates(p) || tries == CREATE_TRIES)) {
			if (err != NULL)
				*err = why;
			return -1;
		}
	}
	if (pg_run(p, "SET search_path = kantele; BEGIN", err) == -1)
		return -1;
	if (schema_migrate(p, tag, err) == -1) {
		pg_run(p, "ROLLBACK", NULL);
		return -1;
	}
	return pg_run(p, "COMMIT", err);
}
