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

const char pg_settings[] = "SET plan_cache_mode=force_generic_plan; SET enable_seqscan=off; SET enable_hashjoin=off;"
    " SET enable_mergejoin=off; SET enable_bitmapscan=off; SET jit=off";

const struct pg_stmt pg_statements[STATEMENTS + 1] = {
	/* --- the fence, and what there is of a node: store_pgsql_node.c --- */

	/* --- read: store_pgsql_ops.c, store_pgsql_news.c --- */

	/* --- write: store_pgsql_write.c --- */

	/* --- look-ups, scans, purge: store_pgsql_look.c --- */
};
