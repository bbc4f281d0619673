/*
 * store_pgsql_sql.c - every statement of the store's own connection
 *
 * The plans are the same whatever the tables' statistics say (pg_settings): each row of a batch is reached by
 * its key. `BETWEEN u.id AND u.id` makes the planner drive the index from the batch; `= ANY` stands only on
 * the first column of an index.
 *
 * Knows:     SQL.
 * Does not:  know when a statement is asked.
 * Owns:      nothing.
 * Threads:   constant.
 */
#include "queue/store_pgsql_inner.h"

/* COMMIT means on disk, whatever the server is set to, and no timeout cuts it off. */
const char pg_settings[] = "SET default_transaction_isolation='read committed'; SET statement_timeout=0;"
    " SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off';"
    " SET plan_cache_mode=force_generic_plan; SET enable_seqscan=off; SET enable_hashjoin=off;"
    " SET enable_mergejoin=off; SET enable_bitmapscan=off; SET jit=off";

/* A message, as row_of_result takes it. */
#define ROW_SQL "q.id, q.part, q.key, q.pos, q.accepted, q.expires, q.klass, q.msisdn, q.account," \
	" q.push_id, q.smsc, q.grp, q.due, q.state, q.attempt, q.ref, q.marked, q.link, t.id IS NOT NULL, t.state," \
	" t.flags, t.attempt, t.segs, t.tries, t.ref, t.due, t.marked, t.refused, t.link, t.evidence"

/* A finished message, as result_view takes it. */
#define RESULT_SQL "r.id, r.key, r.accepted, r.expires, r.finished, r.code, r.attempt, r.outcome, r.msisdn," \
	" r.account, r.push_id, r.link"

/* The state of q, if there is one. */
#define JOIN_STATE \
	" LEFT JOIN LATERAL (SELECT * FROM state WHERE id = q.id AND part = q.part OFFSET 0) t ON true"

/* States are numbers here. */
_Static_assert(STATE_HELD == 3 && STATE_AWAITING == 4 && STATE_RIPE == 5 && INBOX_MESSAGE == 0, "see below");

/* A page of `state` in the order of ids, and the messages in it that are meant. What was seen is said in
 * every row; one comes even if none is meant. */
#define STATES_PAGE(meant) "WITH page AS MATERIALIZED (SELECT * FROM state" \
	" WHERE id > $1 AND get_bit($2, part) = 1 ORDER BY id LIMIT $3) SELECT " ROW_SQL ", s.last, s.seen" \
	" FROM (SELECT max(id) AS last, count(*) AS seen FROM page) s LEFT JOIN (page t CROSS JOIN" \
	" LATERAL (SELECT * FROM queue WHERE id = t.id AND part = t.part OFFSET 0) q) ON " meant \
	" ORDER BY t.id"

/* Of each node, the newest of one MSISDN: block after block, from the newest that has rows down to the
 * oldest. A nested loop keeps the order of the blocks. */
#define MSISDN_OF_NODES(table) "fence f CROSS JOIN LATERAL (SELECT z.* FROM generate_series(" \
	"(SELECT (id >> 16) FROM " table " WHERE (id >> 16) < (f.node + 1)::bigint << 28" \
	" ORDER BY (id >> 16) DESC LIMIT 1)," \
	"(SELECT (id >> 16) FROM " table " WHERE (id >> 16) >= f.node::bigint << 28" \
	" ORDER BY (id >> 16) LIMIT 1)," \
	" -1) b CROSS JOIN LATERAL (SELECT * FROM " table " WHERE (id >> 16) = b AND key = $1" \
	" AND msisdn = $2 ORDER BY id + 0 DESC OFFSET 0) z LIMIT $3)"

/* Every node purges; what another one has in hand is not waited for. */
#define OLDEST_OF(table, order) "DELETE FROM " table " WHERE ctid = ANY(ARRAY(SELECT ctid FROM " table \
	" WHERE " order " < $1 ORDER BY " order " LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING *"

const struct pg_stmt pg_statements[STATEMENTS + 1] = {
	/* --- the fence, and what there is of a node: store_pgsql_node.c --- */
	[ST_COUNTS] = { "counts", "SELECT sum(waiting)::bigint, sum(sending)::bigint, sum(awaiting)::bigint,"
	    " sum(held)::bigint, sum(notices)::bigint, sum(early)::bigint FROM fence", "" },

	/* node, life, batch (0: as it is), what the six counts grow by */
	[ST_FENCE] = { "fence",
	"UPDATE fence SET batch = greatest(batch, $3), waiting = waiting + $4, sending = sending + $5,"
	" awaiting = awaiting + $6, held = held + $7, notices = notices + $8, early = early + $9"
	" WHERE node = $1 AND alive AND life = $2", "ILLLLLLLL" },

	[ST_ALIVE] = { "alive", "SELECT alive, life FROM fence WHERE node = $1", "I" },

	/* The lowest number that is free. With the row of `meta` locked. */
	[ST_NUMBER] = { "number",
	"WITH now AS (SELECT " PG_NOW " AS ms)"
	" INSERT INTO node(node, name, status, machine, renewals, leaving, gone)"
	" SELECT min(c.node), $1, '', $2, 0, false, 0"
	" FROM (SELECT 0 AS node UNION ALL SELECT x.node + 1 FROM node x UNION ALL SELECT x.node FROM node x)"
	" c"
	" LEFT JOIN node n ON n.node = c.node CROSS JOIN now WHERE c.node < 65535"
	" AND (n.node IS NULL OR (n.gone <> 0 AND n.gone < now.ms - " PG_DAY "))"
	" HAVING min(c.node) IS NOT NULL"
	" ON CONFLICT(node) DO UPDATE SET name = excluded.name, status = '', machine = excluded.machine,"
	" renewals = node.renewals + 1, leaving = false, gone = 0 RETURNING node", "BB" },

	[ST_BACK] = { "back",
	"UPDATE node SET gone = 0, leaving = false WHERE node = $1 AND machine = $2", "IB" },

	/* Waits for a transaction of the connection that we had before. Ids, batch and counts stay. */
	[ST_REJOIN] = { "rejoin",
	"INSERT INTO fence(node, alive, life, batch, ids, pid) VALUES ($1, true, 1, 0, 0, pg_backend_pid())"
	" ON CONFLICT(node) DO UPDATE SET alive = true, life = fence.life + 1, pid = excluded.pid"
	" RETURNING life", "I" },

	[ST_IDS] = { "ids",
	"UPDATE fence SET ids = ids + $3 WHERE node = $1 AND alive AND life = $2 RETURNING ids", "ILL" },

	/* Written, not just read: its COMMIT is waited for, and with it what was written before. */
	[ST_BATCH] = { "batch",
	"UPDATE fence SET batch = batch WHERE node = $1 AND alive AND life = $2 RETURNING batch", "IL" },

	/* After ST_FENCE. Who is declared dead owns nothing from that moment on: the owner's fence is not
	 * looked at, which would be the one of an older snapshot. */
	[ST_CLAIM] = { "claim",
	"UPDATE part SET owner = $1, epoch = epoch + 1 FROM (SELECT p.part FROM part p WHERE p.part = ANY($3)"
	" AND (p.owner IS NULL OR p.owner = $1)"
	" AND EXISTS (SELECT FROM fence f WHERE f.node = $1 AND f.alive AND f.life = $2)"
	" ORDER BY p.part FOR UPDATE) mine WHERE part.part = mine.part RETURNING part.part, part.epoch",
	"IL2" },

	[ST_RELEASE] = { "release",
	"UPDATE part SET owner = NULL FROM (SELECT p.part FROM part p WHERE p.part = ANY($3) AND p.owner = $1"
	" AND EXISTS (SELECT FROM fence f WHERE f.node = $1 AND f.alive AND f.life = $2)"
	" ORDER BY p.part FOR UPDATE) mine WHERE part.part = mine.part", "IL2" },

	/* --- read: store_pgsql_ops.c, store_pgsql_news.c --- */

	/* --- write: store_pgsql_write.c --- */

	/* --- look-ups, scans, purge: store_pgsql_look.c --- */
	[ST_OPEN] = { "open", "SELECT " ROW_SQL " FROM queue q" JOIN_STATE " WHERE q.id = $1", "L" },
	[ST_RESULT] = { "result", "SELECT " RESULT_SQL " FROM result r WHERE r.id = $1", "L" },
	/* Over the whole index where the partition is not known; but the inbox is short. */
	[ST_WAITS_IN] = { "waits_in", "SELECT id, key, data FROM inbox"
	    " WHERE part BETWEEN $1 AND $2 AND id = $3 AND kind = 0", "SSL" },
	[ST_MSISDN_OPEN] = { "msisdn_open",
	    "SELECT " ROW_SQL " FROM " MSISDN_OF_NODES("queue") " q" JOIN_STATE, "LBL" },
	[ST_MSISDN_RESULT] = { "msisdn_result",
	    "SELECT " RESULT_SQL " FROM " MSISDN_OF_NODES("result") " r", "LBL" },
	[ST_MSISDN_WAITS_IN] = { "msisdn_waits_in", "SELECT id, key, data FROM inbox"
	    " WHERE part = $1 AND kind = 0 AND key = $2", "SL" },
	[ST_PUSH_ID] = { "push_id", "SELECT id, part FROM push_id WHERE account = $1 AND push_id = $2",
	    "BB" },
	[ST_FOREIGN_ID] = { "foreign_id", "SELECT id, part FROM foreign_id WHERE fid = $1 AND domain = $2"
	    " LIMIT 1",
	    "BB" },
	[ST_OVERDUE] = { "overdue", STATES_PAGE("(t.state = 5 OR (t.state = 4"
	    " AND (t.until < $4 OR t.flags & $5 = $5)))"), "LBLLS" },
	[ST_HELD] = { "held", STATES_PAGE("t.state = 3"), "LBL" },
	[ST_NOTICES] = { "notices", "SELECT id, message, key, due, until, tries, url FROM notice"
	    " WHERE id > $1 AND get_bit($2, part) = 1 ORDER BY id LIMIT $3", "LBL" },
	[ST_PURGE] = { "purge", "WITH d AS (" OLDEST_OF("result", "finished") "), p AS (DELETE FROM push_id"
	    " USING d WHERE push_id.account BETWEEN d.account AND d.account AND push_id.push_id = d.push_id"
	    " AND push_id.id = d.id) SELECT count(*) FROM d", "LL" },
	[ST_PURGE_EARLY] = { "purge_early",
	    "WITH d AS (" OLDEST_OF("early", "at") ") SELECT count(*) FROM d", "LL" },
	[ST_PURGE_ANSWERS] = { "purge_answers",
	    "WITH d AS (" OLDEST_OF("answer", "at") ") SELECT count(*) FROM d", "LL" },
};
