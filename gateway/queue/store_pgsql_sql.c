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

const struct pg_stmt pg_statements[STATEMENTS + 1] = {
	/* --- the fence, and what there is of a node: store_pgsql_node.c --- */

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

	[ST_COUNTS] = { "counts",
	"SELECT sum(waiting)::bigint, sum(sending)::bigint, sum(awaiting)::bigint, sum(held)::bigint,"
	" sum(notices)::bigint, sum(early)::bigint FROM fence", "" },

	/* --- read: store_pgsql_ops.c, store_pgsql_news.c --- */

	/* --- write: store_pgsql_write.c --- */

	/* --- look-ups, scans, purge: store_pgsql_look.c --- */
};
