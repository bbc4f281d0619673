/*
 * takeover.c - how long a node needs for the queue of one that died, on PostgreSQL
 *
 *   takeover conninfo [messages]
 *
 * A node with so many messages waiting (default 1,000,000; a tenth of them in `state` too) is declared dead.
 * From then on: claim, and load all into a backlog, as an owner does. The store's schema in that database is
 * dropped first. Prints the times, and the memory.
 */
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/backlog.h"
#include "queue/store_pgsql.h"
#include "tests/unit/store_calls.h"

enum { SLICE = 5000, SQL_MOST = 700 };

static const struct store_driver *const d = &store_pgsql;

static void
must(bool well, const char *what, const struct err *err)
{
	if (well)
		return;
	fprintf(stderr, "takeover: %s: %s\n", what, err != NULL ? err->text : "");
	exit(1);
}

static void
doing(const char *conninfo, const char *sql)
{
	PGconn *c = PQconnectdb(conninfo);
	PGresult *r = PQexec(c, sql);

	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK) {
		fprintf(stderr, "takeover: %s", PQerrorMessage(c));
		exit(1);
	}
	PQclear(r);
	PQfinish(c);
}

static long
memory_kb(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[200];
	long kb = 0;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kb;
}

struct owner {
	struct backlog	*backlog;
	int		 route;
	uint64_t	 n;
};

static void
load_one(void *arg, const struct store_index *x)
{
	struct owner *o = arg;
	struct backlog_item i = { .id = x->id, .key = x->order_key, .klass = x->klass, .route = (uint16_t)o->route,
	    .due = x->due, .expires = x->expires, .accepted = x->accepted };

	must(backlog_put(o->backlog, &i) == 0, "no memory", NULL);
	o->n++;
}

static void
fill(const char *conninfo, long messages)
{
	char sql[SQL_MOST];

	snprintf(sql, sizeof sql, "SET search_path = kantele;"
	    " INSERT INTO queue(id, part, key, pos, accepted, expires, due, marked, ref, klass, state, attempt, msisdn,"
	    " account, smsc) SELECT g, g %% 256, (g %% 256)::bigint << 56 | g, 1::bigint << 40 | g, g, 1::bigint << 42, 0,"
	    " 0, 0, 1, 0, 0, '+358401234567', 'amy', 'vf' FROM generate_series(1, %ld) g", messages);
	/* of partitions above 127 the top bit is a sign */
	doing(conninfo, sql);
	snprintf(sql, sizeof sql, "SET search_path = kantele;"
	    " INSERT INTO body SELECT g, g %% 256, repeat('x', 150)::bytea FROM generate_series(1, %ld) g;"
	    " INSERT INTO state(id, due, marked, refused, until, ref, attempt, part, state, flags, segs, tries)"
	    " SELECT g, 0, 0, 0, 0, 0, 1, g %% 256, 0, 0, 1, 1 FROM generate_series(10, %ld, 10) g", messages, messages);
	doing(conninfo, sql);
	doing(conninfo, "VACUUM ANALYZE kantele.queue");	/* as keepers do all the time */
	doing(conninfo, "VACUUM ANALYZE kantele.state");
}

int
main(int argc, char **argv)
{
	struct store_conf conf = { .conninfo = argc > 1 ? argv[1] : "", .retention_s = 3600, .node_name = "n" };
	long messages = argc > 2 ? atol(argv[2]) : 1000000, empty;
	struct owner o = { .backlog = backlog_new() };
	struct backlog_links link = { { 1 } };
	struct store_cursor at = { .end = false };
	struct store_parts got;
	struct store *dead, *next;
	struct err err = { 0 };
	mono_t began, claimed, first = 0, slowest = 0;

	o.route = backlog_route(o.backlog, &link, &link);
	doing(conf.conninfo, "SET client_min_messages = warning; DROP SCHEMA IF EXISTS kantele CASCADE");
	dead = call_open(d, &conf, &err);
	must(dead != NULL, "open", &err);
	next = d->open(&conf, &err);
	must(next != NULL, "open", &err);
	fill(conf.conninfo, messages);
	empty = memory_kb();
	d->close(&dead, true);
	began = clock_mono();
	must(d->claim(next, &every_part, &got, &err) == 0, "claim", &err);
	claimed = clock_mono();
	do {
		mono_t since = clock_mono();

		must(d->load(next, &every_part, &at, SLICE, load_one, &o, &err) == 0, "load", &err);
		if (first == 0)
			first = clock_mono();
		else if (clock_mono() - since > slowest)
			slowest = clock_mono() - since;
	} while (!at.end);
	printf("%" PRIu64 " messages: claimed after %" PRId64 " ms, first slice after %" PRId64 ", all after %" PRId64
	    " ms; the longest slice behind the first %" PRId64 " ms\n", o.n, (int64_t)(claimed - began),
	    (int64_t)(first - began), (int64_t)(clock_mono() - began), (int64_t)slowest);
	printf("memory: %ld KiB before, %ld KiB loaded\n", empty, memory_kb());
	d->close(&next, true);
	backlog_free(&o.backlog);
	return 0;
}
