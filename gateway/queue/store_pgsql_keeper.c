/*
 * store_pgsql_keeper.c - the lease, on a connection of its own; the tables' health
 *
 * Renewing is counting up node.renewals, every half second. A keeper that has seen the same number of
 * another node at every look for the length of a lease, by its own clock, declares that node dead
 * (node_bury). It judges only what it saw itself: looks must follow each other closely, or it begins anew;
 * after its own sleep, or when nobody could reach the database, others have been silent for no fault of
 * theirs. Our own lease is counted from before the renewal was sent, and shorter by a margin, so it is
 * over here before anybody else takes it for over.
 *
 * The keeper of the lowest node that is alive vacuums the tables whose rows come and go, every few seconds
 * under load (autovacuum comes once a minute). That has a further connection, on which nothing is waited for.
 *
 * Knows:     who is there, and since when not.
 * Does not:  know messages; write anything but its node's row, deaths and the mode.
 * Owns:      its connections, what it has seen.
 * Threads:   the keeper's.
 */
#include "queue/store_pgsql_inner.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/log.h"
#include "queue/arena.h"

enum { LOCK_MS_LEAST = 50, LOCK_MS_MOST = 1000, LOOKS_LEAST = 2 };
enum { VACUUM_MS = 5000, VACUUM_BATCHES = 200, CONNECT_MS = 30000, CONNECT_STEPS = 20 };

enum keeper_which { K_RENEW, K_NODES, K_PARTS, K_META, K_MODE, K_STATEMENTS };

const struct pg_stmt keeper_statements[K_STATEMENTS + 1] = {
	[K_RENEW] = { "renew",
	"UPDATE node SET renewals = renewals + 1, leaving = $2 <> 0, status = coalesce($3, status)"
	" WHERE node = $1", "ISB" },

	[K_NODES] = { "nodes",
	"SELECT n.node, n.name, CASE WHEN f.alive THEN n.status ELSE '' END, n.renewals, n.leaving, f.alive,"
	" f.life, f.batch, CASE WHEN n.gone = 0 THEN 0 ELSE now.ms - n.gone END"
	" FROM node n JOIN fence f USING (node) CROSS JOIN (SELECT " PG_NOW " AS ms) now"
	" WHERE f.alive OR n.gone > now.ms - " PG_DAY " ORDER BY n.node", "" },

	[K_PARTS] = { "parts",
	"SELECT p.part, p.owner FROM part p JOIN fence f ON f.node = p.owner AND f.alive", "" },

	[K_META] = { "meta", "SELECT mode FROM meta", "" },

	[K_MODE] = { "mode", "UPDATE meta SET mode = $1", "B" },
};
enum { N_NODE, N_NAME, N_STATUS, N_RENEWALS, N_LEAVING, N_ALIVE, N_LIFE, N_BATCH, N_GONE_MS };

static const char vacuum_hot[] = "VACUUM (SKIP_LOCKED, TRUNCATE false, INDEX_CLEANUP auto, PARALLEL 0)"
    " kantele.fence, kantele.node, kantele.part, kantele.inbox, kantele.send, kantele.body, kantele.queue,"
    " kantele.state, kantele.foreign_id, kantele.notice, kantele.early, kantele.answer";

struct sight {			/* of a node, in the order of the numbers; one for each peer */
	uint16_t	 node;
	uint64_t	 life;
	int64_t		 renewals;
	mono_t		 since;		/* this was seen first */
	unsigned	 looks;		/* at which it was so */
	bool		 told;		/* that it could not be declared dead */
};

struct vacuum {
	PGconn		*conn;
	enum { VACUUM_NO, VACUUM_CONNECTS, VACUUM_RESTS, VACUUM_RUNS } state;
	PostgresPollingStatusType want;
	mono_t		 began, due;
	int64_t		 batches;	/* of all nodes, when it was last begun */
	bool		 told;		/* that it may not */
};

struct store_keeper {
	struct pg	 pg;
	struct pg_args	 args[K_STATEMENTS];
	const char	*conninfo;
	long		 lease_ms;
	uint16_t	 node;
	struct arena	 texts[2];	/* of this look and of the one before, in turns */
	unsigned	 turn;
	struct sight	*sights;
	struct store_peer *peers;
	unsigned	 count;
	mono_t		 looked;	/* the last time */
	int64_t		 batches;	/* of all nodes */
	struct vacuum	 vacuum;
};

/* --- the connection -------------------------------------------------------------------- */

struct store_keeper *
keeper_open(const struct store_conf *conf, uint16_t node, struct err *err)
{
	struct store_keeper *k = calloc(1, sizeof *k);

	if (k == NULL) {
		err_set(err, ERR_SYSTEM, "store: no memory");
		return NULL;
	}
	k->conninfo = conf->conninfo != NULL ? conf->conninfo : "";
	k->lease_ms = conf->lease_ms > 0 ? conf->lease_ms : PG_LEASE_MS;
	k->node = node;
	return k;
}

void
keeper_close(struct store_keeper **kp)
{
	struct store_keeper *k = *kp;

	if (k == NULL)
		return;
	pg_close(&k->pg);
	PQfinish(k->vacuum.conn);
	for (unsigned i = 0; i < K_STATEMENTS; i++)
		pg_args_free(&k->args[i]);
	arena_free(&k->texts[0]);
	arena_free(&k->texts[1]);
	free(k);
	*kp = NULL;
}

/* A renewal that is lost with the server's power harms nobody, so none waits for the disk. */
static int
keeper_connect(struct store_keeper *k, struct err *err)
{
	char settings[300];
	long lock_ms = k->lease_ms / 5;

	if (k->pg.conn != NULL)
		return 0;
	if (lock_ms > LOCK_MS_MOST)
		lock_ms = LOCK_MS_MOST;
	snprintf(settings, sizeof settings, "SET search_path = kantele; SET lock_timeout = %ld;"
	    " SET statement_timeout = 0; SET idle_session_timeout = 0; SET synchronous_commit = off;"
	    " SET default_transaction_isolation = 'read committed'",
	    lock_ms > LOCK_MS_LEAST ? lock_ms : LOCK_MS_LEAST);
	if (pg_open(&k->pg, k->conninfo, "kantele keeper", err) == -1)
		return -1;
	if (pg_prepare(&k->pg, settings, keeper_statements, err) == 0)
		return 0;
	pg_close(&k->pg);
	return -1;
}

static struct pg_args *
k_args(struct store_keeper *k, enum keeper_which which)
{
	pg_args_begin(&k->args[which], &keeper_statements[which]);
	return &k->args[which];
}

/* --- looking around ---------------------------------------------------------------------- */

/* What was seen of it before; NULL: nothing, or too long ago. *from goes on: both are in order. */
static const struct sight *
seen_before(const struct sight *old, unsigned count, unsigned *from, uint16_t node)
{
	while (*from < count && old[*from].node < node)
		++*from;
	return *from < count && old[*from].node == node ? &old[*from] : NULL;
}

static struct sight
sight_of(const PGresult *r, unsigned row, const struct sight *old, mono_t now)
{
	struct sight s = { .node = (uint16_t)pg_number(r, row, N_NODE),
	    .life = (uint64_t)pg_number(r, row, N_LIFE), .renewals = pg_number(r, row, N_RENEWALS),
	    .since = now };

	if (old != NULL && old->life == s.life && old->renewals == s.renewals)
		s = *old;
	s.looks++;
	return s;
}

static void
see_nodes(struct store_keeper *k, const PGresult *r, bool lapsed, struct store_members *out)
{
	const struct sight *old = k->sights;
	unsigned old_count = lapsed ? 0 : k->count, from = 0;
	struct arena *texts = &k->texts[k->turn];
	mono_t now = clock_mono();

	k->count = (unsigned)PQntuples(r);
	k->sights = arena_get(texts, (k->count + 1) * sizeof *k->sights);
	k->peers = arena_get(texts, (k->count + 1) * sizeof *k->peers);
	k->batches = 0;
	for (unsigned i = 0; i < k->count; i++) {
		uint16_t node = (uint16_t)pg_number(r, i, N_NODE);
		struct sight s = sight_of(r, i, seen_before(old, old_count, &from, node), now);
		int64_t gone_ms = pg_number(r, i, N_GONE_MS);
		bool alive = pg_number(r, i, N_ALIVE) != 0;

		k->sights[i] = s;
		k->peers[i] = (struct store_peer){ .node = node, .alive = alive,
		    .leaving = pg_number(r, i, N_LEAVING) != 0,
		    .name = arena_text(texts, pg_text(r, i, N_NAME)),
		    .status = arena_text(texts, pg_text(r, i, N_STATUS)),
		    .seen_ms = gone_ms > now - s.since ? gone_ms : now - s.since };
		k->batches += pg_number(r, i, N_BATCH);
		out->alive |= alive && node == k->node;
	}
	k->looked = now;
	out->peers = k->peers;
	out->peer_count = k->count;
}

static void
see_parts(const PGresult *r, struct store_members *out)
{
	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		out->owner[i] = STORE_NOBODY;
	for (int i = 0; i < PQntuples(r); i++) {
		int64_t part = pg_number(r, (unsigned)i, 0);

		if (part >= 0 && part < STORE_PARTITIONS)
			out->owner[part] = (uint16_t)pg_number(r, (unsigned)i, 1);
	}
}

/* The renewal and the look are one transaction, the renewal first: who declares us dead meanwhile waits for
 * it or comes before it. */
static int
look(struct store_keeper *k, const struct store_self *self, struct store_members *out, struct err *err)
{
	struct pg_args *renew = k_args(k, K_RENEW);
	mono_t before = clock_mono();
	bool lapsed = before - k->looked > k->lease_ms * 3 / 4;
	long margin = k->lease_ms / 5;
	unsigned nodes, parts, meta;

	pg_arg(renew, 0, k->node);
	pg_arg(renew, 1, self->leaving);
	pg_arg_text(renew, 2, self->status);
	pg_ask(&k->pg, renew);
	nodes = pg_ask(&k->pg, k_args(k, K_NODES));
	parts = pg_ask(&k->pg, k_args(k, K_PARTS));
	meta = pg_ask(&k->pg, k_args(k, K_META));
	if (pg_trip(&k->pg, err) == -1)
		return -1;
	k->turn ^= 1;
	arena_reset(&k->texts[k->turn]);
	*out = (struct store_members){ .until = before + k->lease_ms -
	    (margin < PG_LEASE_MARGIN_MS ? margin : PG_LEASE_MARGIN_MS) };
	see_nodes(k, pg_result(&k->pg, nodes), lapsed, out);
	see_parts(pg_result(&k->pg, parts), out);
	if (pg_rows(&k->pg, meta) == 1)
		out->mode = arena_text(&k->texts[k->turn], pg_text(pg_result(&k->pg, meta), 0, 0));
	return 0;
}

/* --- declaring dead -------------------------------------------------------------------------- */

static void
bury_in(struct store_members *out, struct store_peer *peer, unsigned parts, int64_t silent_ms)
{
	peer->alive = false;
	peer->status = (struct text){ 0 };
	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		if (out->owner[i] == peer->node)
			out->owner[i] = STORE_NOBODY;
	log_error("node %u (%.*s) was silent for %" PRId64 ".%" PRId64 " s: declared dead, its %u partitions "
	    "are free", peer->node, TEXT_ARGS(peer->name), silent_ms / 1000, silent_ms / 100 % 10, parts);
}

/* false: not another one in this look, since this one took its time. */
static bool
judge_one(struct store_keeper *k, struct sight *s, struct store_peer *peer, int64_t silent_ms,
    struct store_members *out)
{
	struct burial b = { .node = s->node, .life = s->life, .renewals = s->renewals,
	    .held_ms = k->lease_ms / 2 };
	struct err why = { 0 };

	switch (node_bury(&k->pg, &b, &why)) {
	case BURIAL_DONE:
		bury_in(out, peer, b.parts, silent_ms);
		return true;
	case BURIAL_NOT_SO:		/* it came back, or somebody else was faster: the next look tells */
		return true;
	case BURIAL_HELD:
		err_set(&why, ERR_STORE, "its transaction is open; it is ended, if we may");
		break;
	default:
		pg_close(&k->pg);
	}
	if (!s->told)
		log_warn("node %u is silent and could not be declared dead yet: %s", s->node, why.text);
	s->told = true;
	return false;
}

/* By what was true when this look was begun. */
static void
judge(struct store_keeper *k, mono_t began, struct store_members *out)
{
	for (unsigned i = 0; i < k->count; i++) {
		struct sight *s = &k->sights[i];

		if (!k->peers[i].alive || s->node == k->node || s->looks < LOOKS_LEAST ||
		    began - s->since < k->lease_ms)
			continue;
		if (!judge_one(k, s, &k->peers[i], began - s->since, out))
			return;
	}
}

/* --- the tables' health ------------------------------------------------------------------------ */

/* Of VACUUM: what is locked is vacuumed by somebody else just now. */
static void
on_vacuum_notice(void *arg, const PGresult *r)
{
	struct vacuum *v = arg;
	const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	if (v->told || severity == NULL || text == NULL || state == NULL || strcmp(state, "55P03") == 0 ||
	    (strcmp(severity, "WARNING") != 0 && strcmp(severity, "ERROR") != 0))
		return;
	v->told = true;
	log_warn("the tables are not vacuumed by the gateway: PostgreSQL: %s", text);
}

static void
vacuum_end(struct vacuum *v, mono_t now)
{
	PQfinish(v->conn);
	*v = (struct vacuum){ .due = now + VACUUM_MS, .batches = v->batches, .told = v->told };
}

static void
vacuum_connect(struct store_keeper *k, mono_t now)
{
	const char *const names[] = { "fallback_application_name", "dbname", NULL };
	const char *const values[] = { "kantele vacuum", k->conninfo, NULL };
	struct vacuum *v = &k->vacuum;

	v->conn = PQconnectStartParams(names, values, 1);
	if (v->conn == NULL || PQstatus(v->conn) == CONNECTION_BAD) {
		vacuum_end(v, now);
		return;
	}
	PQsetNoticeReceiver(v->conn, on_vacuum_notice, v);
	v->state = VACUUM_CONNECTS;
	v->want = PGRES_POLLING_WRITING;
	v->began = now;
}

/* As far as it goes without waiting. */
static void
vacuum_connects(struct vacuum *v, mono_t now)
{
	for (unsigned steps = 0; steps < CONNECT_STEPS && v->state == VACUUM_CONNECTS; steps++) {
		struct pollfd f = { .fd = PQsocket(v->conn),
		    .events = v->want == PGRES_POLLING_READING ? POLLIN : POLLOUT };

		if (poll(&f, 1, 0) == 0)
			break;
		v->want = PQconnectPoll(v->conn);
		if (v->want == PGRES_POLLING_FAILED) {
			vacuum_end(v, now);
			return;
		}
		if (v->want == PGRES_POLLING_OK)
			v->state = VACUUM_RESTS;
	}
	if (v->state == VACUUM_CONNECTS && now - v->began > CONNECT_MS)
		vacuum_end(v, now);
}

/* One that takes long is not begun again at once. */
static void
vacuum_runs(struct vacuum *v, mono_t now)
{
	PGresult *r;

	if (PQconsumeInput(v->conn) == 0) {
		vacuum_end(v, now);
		return;
	}
	while (!PQisBusy(v->conn)) {
		if ((r = PQgetResult(v->conn)) == NULL) {
			v->state = VACUUM_RESTS;
			v->due = v->began + VACUUM_MS > now + (now - v->began) ? v->began + VACUUM_MS :
			    now + (now - v->began);
			return;
		}
		if (PQresultStatus(r) == PGRES_FATAL_ERROR)
			on_vacuum_notice(v, r);
		PQclear(r);
	}
}

static void
vacuum_step(struct store_keeper *k)
{
	struct vacuum *v = &k->vacuum;
	mono_t now = clock_mono();
	unsigned lowest = 0;
	bool wanted;

	while (lowest < k->count && !k->peers[lowest].alive)
		lowest++;
	wanted = lowest < k->count && k->peers[lowest].node == k->node && now >= v->due &&
	    llabs(k->batches - v->batches) >= VACUUM_BATCHES;
	if (v->state == VACUUM_NO && wanted)
		vacuum_connect(k, now);
	if (v->state == VACUUM_CONNECTS)
		vacuum_connects(v, now);
	if (v->state == VACUUM_RUNS)
		vacuum_runs(v, now);
	if (v->state != VACUUM_RESTS || !wanted)
		return;
	if (PQsendQuery(v->conn, vacuum_hot) == 0) {
		vacuum_end(v, now);
		return;
	}
	v->state = VACUUM_RUNS;
	v->began = now;
	v->batches = k->batches;
}

/* --- verbs ---------------------------------------------------------------------------------------- */

int
keeper_keep(struct store_keeper *k, const struct store_self *self, struct store_members *out, struct err *err)
{
	mono_t began;

	if (keeper_connect(k, err) == -1)
		return -1;
	began = clock_mono();
	if (look(k, self, out, err) == -1) {
		pg_close(&k->pg);
		return -1;
	}
	judge(k, began, out);
	vacuum_step(k);
	return 0;
}

int
keeper_mode(struct store_keeper *k, struct text mode, struct err *err)
{
	struct pg_args *a = k_args(k, K_MODE);

	pg_arg_text(a, 0, mode.at != NULL ? mode : TEXT(""));
	if (keeper_connect(k, err) == -1)
		return -1;
	pg_ask_plain(&k->pg, "BEGIN");
	pg_ask_plain(&k->pg, PG_SYNC);
	pg_ask(&k->pg, a);
	pg_ask_plain(&k->pg, "COMMIT");
	if (pg_trip(&k->pg, err) == 0)
		return 0;
	pg_close(&k->pg);
	return -1;
}
