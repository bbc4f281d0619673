/*
 * store_pgsql_sql.c - every statement of the store's own connection
 *
 * The plans are the same whatever the tables' statistics say (pg_settings): each row of a batch is reached by
 * its key. `BETWEEN u.id AND u.id` makes the planner drive the index from the batch, but only where few rows
 * have the same first column: the index is read over all that have it. `= ANY` stands only on the first
 * column of an index.
 *
 * Knows:     SQL.
 * Does not:  know when a statement is asked.
 * Owns:      nothing.
 * Threads:   constant.
 */
#include "queue/store_pgsql_inner.h"

/* COMMIT means on disk, and at the standby that has to confirm, whatever the server is set to; no timeout cuts it
 * off. */
const char pg_settings[] = "SET default_transaction_isolation='read committed'; SET statement_timeout=0;"
    " SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply');"
    " SET plan_cache_mode=force_generic_plan; SET enable_seqscan=off; SET enable_hashjoin=off;"
    " SET enable_mergejoin=off; SET enable_bitmapscan=off; SET jit=off";

/* A finished message, as result_view takes it. */
#define RESULT_SQL "r.id, r.key, r.accepted, r.expires, r.finished, r.code, r.attempt, r.outcome, r.msisdn," \
	" r.account, r.push_id, r.link"

#define JOIN_BODY \
	" LEFT JOIN LATERAL (SELECT body FROM body WHERE id = q.id AND part = q.part OFFSET 0) b ON true"

/* States are numbers here. */
_Static_assert(STATE_HELD == 3 && STATE_AWAITING == 4 && STATE_RIPE == 5 && INBOX_MESSAGE == 0 &&
    INBOX_REQUEST == 3, "see below");

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
#define OLDEST_OF(table, time, id) "DELETE FROM " table " WHERE ctid = ANY(ARRAY(SELECT ctid FROM " table \
	" WHERE " time " < $1 ORDER BY " time ", " id " LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING *"

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

	[ST_BEGIN] = { "begin", "BEGIN", "" },
	[ST_COMMIT] = { "commit", "COMMIT", "" },
	[ST_ROLLBACK] = { "rollback", "ROLLBACK", "" },

	/* --- read: store_pgsql_ops.c, store_pgsql_news.c --- */

	/* The oldest, of whomever they are: the inbox of all nodes is short, and one's own may be long. */
	[ST_NEWS] = { "news", "SELECT part, at, id, n, kind, key, data FROM inbox WHERE get_bit($1, part) = 1"
	    " ORDER BY at, id, n LIMIT $2", "BI" },
	[ST_HAS_EARLY] = { "has_early", "SELECT EXISTS(SELECT FROM early)", "" },
	[ST_EARLY_MET] = { "early_met", "SELECT e.fid, e.domain, e.state, e.at, e.said, f.id, f.attempt, f.seg"
	    " FROM early e, LATERAL (SELECT * FROM foreign_id WHERE fid = e.fid AND domain = e.domain"
	    " AND fpart = e.fpart OFFSET 0) f WHERE e.at >= $1 AND get_bit($2, f.part) = 1 LIMIT 1000", "LB" },
	[ST_SENDS] = { "sends", "SELECT " ROW_SQL ", b.body, s.id, s.part, s.attempt FROM"
	    " (SELECT * FROM send WHERE node = $1 ORDER BY node, id, part, attempt LIMIT $2) s"
	    " LEFT JOIN LATERAL (SELECT * FROM queue WHERE id = s.id AND part = s.part OFFSET 0) q ON true"
	    JOIN_STATE JOIN_BODY, "II" },
	[ST_ROWS] = { "rows", "SELECT " ROW_SQL " FROM queue q" JOIN_STATE " WHERE q.id = ANY($1)", "8" },
	[ST_ROWS_BODY] = { "rows_body",
	    "SELECT " ROW_SQL ", b.body FROM queue q" JOIN_STATE JOIN_BODY " WHERE q.id = ANY($1)", "8" },
	[ST_BODY] = { "body", "SELECT body FROM body WHERE id = $1 AND part = $2", "LS" },
	[ST_FOREIGN] = { "foreign", "SELECT f.fid, f.domain, f.id, f.attempt, f.seg, q.key"
	    " FROM unnest($1, $2, $3) u(fid, domain, fpart),"
	    " LATERAL (SELECT * FROM foreign_id WHERE fid = u.fid AND domain = u.domain AND fpart = u.fpart"
	    " OFFSET 0) f"
	    " LEFT JOIN LATERAL (SELECT key FROM queue WHERE id = f.id AND part = f.part OFFSET 0) q ON true",
	    "bb2" },
	[ST_EARLY] = { "early", "SELECT e.fid, e.domain, e.state, e.at, e.said"
	    " FROM unnest($1, $2, $3) u(fid, domain, fpart),"
	    " LATERAL (SELECT * FROM early WHERE fid = u.fid AND domain = u.domain AND fpart = u.fpart OFFSET 0) e",
	    "bb2" },
	[ST_PUSH_IDS] = { "push_ids", "SELECT u.o, p.id, p.part FROM unnest($1, $2, $3) u(account, push_id, o),"
	    " LATERAL (SELECT * FROM push_id WHERE account = u.account AND push_id = u.push_id OFFSET 0) p", "bb4" },
	[ST_NOTICE] = { "notice", "SELECT u.o, n.message, n.key, n.due, n.until, n.tries, n.url"
	    " FROM unnest($1, $2, $3) u(id, part, o),"
	    " LATERAL (SELECT * FROM notice WHERE id = u.id AND part = u.part OFFSET 0) n", "824" },
	[ST_ANSWERS] = { "answers", "SELECT u.o, a.result FROM unnest($1, $2, $3) u(number, part, o),"
	    " LATERAL (SELECT * FROM answer WHERE number = u.number AND part = u.part OFFSET 0) a", "824" },
	[ST_IDS_USED] = { "ids_used", "SELECT id FROM result WHERE id = ANY($1)"
	    " UNION ALL SELECT id FROM queue WHERE id = ANY($1)", "8" },

	/* --- write: store_pgsql_write.c --- */

	[ST_INBOX_CUT] = { "inbox_cut", "DELETE FROM inbox WHERE ctid = ANY(ARRAY(SELECT k.ctid"
	    " FROM unnest($1, $2, $3, $4, $5) u(part, at, id, n, kind) CROSS JOIN LATERAL"
	    " (SELECT ctid FROM inbox WHERE part = u.part AND at = u.at AND id = u.id AND n = u.n"
	    " AND kind = u.kind OFFSET 0) k))", "28842" },
	[ST_SEND_CUT] = { "send_cut", "DELETE FROM send WHERE ctid = ANY(ARRAY(SELECT k.ctid"
	    " FROM unnest($1, $2, $3, $4) u(node, id, part, attempt) CROSS JOIN LATERAL (SELECT ctid FROM send"
	    " WHERE node = u.node AND id = u.id AND part = u.part AND attempt = u.attempt OFFSET 0) k))", "4824" },
	[ST_PUSH_CUT] = { "push_cut", "DELETE FROM push_id WHERE ctid = ANY(ARRAY(SELECT k.ctid"
	    " FROM unnest($1, $2, $3) u(account, push_id, id) CROSS JOIN LATERAL (SELECT ctid, id FROM push_id"
	    " WHERE account = u.account AND push_id = u.push_id OFFSET 0) k WHERE k.id = u.id))", "bb8" },
	/* In one order everywhere: two nodes that want the same wait for each other only one way. */
	[ST_PUSH_PUT] = { "push_put", "INSERT INTO push_id(account, push_id, ppart, id, part)"
	    " SELECT * FROM unnest($1, $2, $3, $4, $5) ORDER BY 1, 2 ON CONFLICT DO NOTHING RETURNING id", "bb282" },
	[ST_BODY_PUT] = { "body_put", "INSERT INTO body(id, part, body) SELECT unnest($1), unnest($2), unnest($3)",
	    "82b" },
	[ST_QUEUE_PUT] = { "queue_put", "INSERT INTO queue(id, part, key, pos, accepted, expires, due, marked, ref,"
	    " klass, state, attempt, msisdn, account, push_id, smsc, grp, link) SELECT unnest($1), unnest($2),"
	    " unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8), unnest($9), unnest($10),"
	    " unnest($11), unnest($12), unnest($13), unnest($14), unnest($15), unnest($16), unnest($17),"
	    " unnest($18)", "828888884224bbbbbb" },
	[ST_INBOX_PUT] = { "inbox_put", "INSERT INTO inbox(part, at, id, n, kind, key, data)"
	    " SELECT unnest($1), " PG_NOW ", unnest($2), unnest($3), unnest($4), unnest($5), unnest($6)", "28428b" },
	[ST_BODY_SET] = { "body_set", "UPDATE body b SET body = u.body FROM unnest($1, $2, $3) u(id, part, body)"
	    " WHERE b.id BETWEEN u.id AND u.id AND b.part = u.part", "82b" },
	[ST_EXPIRES_SET] = { "expires_set", "UPDATE queue q SET expires = u.expires"
	    " FROM unnest($1, $2, $3) u(id, part, expires) WHERE q.id BETWEEN u.id AND u.id AND q.part = u.part",
	    "828" },
	[ST_STATE_PUT] = { "state_put", "INSERT INTO state(id, part, state, flags, attempt, segs, tries, ref, due,"
	    " marked, refused, until, link, evidence) SELECT unnest($1), unnest($2), unnest($3), unnest($4),"
	    " unnest($5), unnest($6), unnest($7), unnest($8), unnest($9), unnest($10), unnest($11), unnest($12),"
	    " unnest($13), unnest($14) ON CONFLICT(id, part) DO UPDATE SET state = excluded.state,"
	    " flags = excluded.flags, attempt = excluded.attempt, segs = excluded.segs, tries = excluded.tries,"
	    " ref = excluded.ref, due = excluded.due, marked = excluded.marked, refused = excluded.refused,"
	    " until = excluded.until, link = excluded.link, evidence = excluded.evidence", "822242448888bb" },
	[ST_SEND_PUT] = { "send_put", "INSERT INTO send(node, id, part, attempt)"
	    " SELECT unnest($1), unnest($2), unnest($3), unnest($4) ON CONFLICT DO NOTHING", "4824" },
	[ST_FOREIGN_CUT] = { "foreign_cut", "DELETE FROM foreign_id f"
	    " USING unnest($1, $2, $3, $4, $5, $6, $7) u(fid, domain, fpart, part, id, attempt, seg)"
	    " WHERE f.fid BETWEEN u.fid AND u.fid AND f.domain = u.domain AND f.fpart = u.fpart AND f.part = u.part"
	    " AND f.id = u.id AND f.attempt = u.attempt AND f.seg = u.seg", "bb22842" },
	[ST_FOREIGN_PUT] = { "foreign_put", "INSERT INTO foreign_id(fid, domain, fpart, part, id, attempt, seg)"
	    " SELECT unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7)"
	    " ON CONFLICT(fid, domain, fpart) DO UPDATE SET part = excluded.part, id = excluded.id,"
	    " attempt = excluded.attempt, seg = excluded.seg", "bb22842" },
	[ST_EARLY_CUT] = { "early_cut", "DELETE FROM early e USING unnest($1, $2, $3) u(fid, domain, fpart)"
	    " WHERE e.fid BETWEEN u.fid AND u.fid AND e.domain = u.domain AND e.fpart = u.fpart", "bb2" },
	[ST_EARLY_PUT] = { "early_put", "INSERT INTO early(fid, domain, fpart, state, at, said)"
	    " SELECT * FROM unnest($1, $2, $3, $4, $5, $6) ORDER BY 1, 2 ON CONFLICT(fid, domain, fpart)"
	    " DO UPDATE SET state = excluded.state, at = excluded.at, said = excluded.said", "bb228b" },
	[ST_NOTICE_PUT] = { "notice_put", "INSERT INTO notice(id, part, message, key, due, until, tries, url)"
	    " SELECT unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8)",
	    "8288884b" },
	[ST_NOTICE_SET] = { "notice_set", "UPDATE notice n SET tries = u.tries, due = u.due"
	    " FROM unnest($1, $2, $3, $4, $5) u(id, part, o, tries, due) WHERE n.id BETWEEN u.id AND u.id"
	    " AND n.part = u.part RETURNING u.o", "82448" },
	[ST_NOTICE_CUT] = { "notice_cut", "DELETE FROM notice n USING unnest($1, $2, $3) u(id, part, o)"
	    " WHERE n.id BETWEEN u.id AND u.id AND n.part = u.part RETURNING u.o", "824" },
	[ST_FINISH] = { "finish", "WITH d AS (DELETE FROM queue q"
	    " USING unnest($1, $2, $3, $4, $5, $6, $7) u(id, part, outcome, code, finished, attempt, link)"
	    " WHERE q.id BETWEEN u.id AND u.id AND q.part = u.part RETURNING q.id, q.part, q.key, q.accepted,"
	    " q.expires, q.msisdn, q.account, q.push_id, u.outcome, u.code, u.finished, u.attempt, u.link)"
	    " INSERT INTO result(id, part, key, accepted, expires, msisdn, account, push_id, outcome, code, finished,"
	    " attempt, link) SELECT * FROM d", "822884b" },
	[ST_RESULT_PUT] = { "result_put", "INSERT INTO result(id, part, key, accepted, expires, msisdn, account, push_id,"
	    " outcome, code, finished, attempt, link) SELECT unnest($1), unnest($2), unnest($3), unnest($4),"
	    " unnest($5), unnest($6), unnest($7), unnest($8), unnest($9), unnest($10), unnest($11), unnest($12),"
	    " unnest($13)", "82888bbb2884b" },
	[ST_STATE_CUT] = { "state_cut", "DELETE FROM state s USING unnest($1, $2) u(id, part)"
	    " WHERE s.id BETWEEN u.id AND u.id AND s.part = u.part", "82" },
	[ST_BODY_CUT] = { "body_cut", "DELETE FROM body b USING unnest($1, $2) u(id, part)"
	    " WHERE b.id BETWEEN u.id AND u.id AND b.part = u.part", "82" },
	/* By an index of requests alone: the rest of the inbox may be long. */
	[ST_REQUEST_CUT] = { "request_cut", "WITH k AS MATERIALIZED (SELECT i.ctid AS at, u.*"
	    " FROM unnest($1, $2, $3, $4) u(number, part, o, result) CROSS JOIN LATERAL (SELECT ctid FROM inbox"
	    " WHERE part = u.part AND id = u.number AND kind = 3 OFFSET 0) i),"
	    " d AS (DELETE FROM inbox WHERE ctid = ANY(ARRAY(SELECT at FROM k)) RETURNING id),"
	    " a AS (INSERT INTO answer(number, part, result, at) SELECT number, part, result, " PG_NOW
	    " FROM k ON CONFLICT DO NOTHING) SELECT o FROM k WHERE number IN (SELECT id FROM d)", "8242" },
	[ST_ANSWER_CUT] = { "answer_cut", "DELETE FROM answer a USING unnest($1, $2) u(number, part)"
	    " WHERE a.number BETWEEN u.number AND u.number AND a.part = u.part", "82" },

	/* --- look-ups, scans, purge: store_pgsql_look.c --- */
	[ST_OPEN] = { "open", "SELECT " ROW_SQL " FROM queue q" JOIN_STATE " WHERE q.id = $1", "L" },
	[ST_RESULT] = { "result", "SELECT " RESULT_SQL " FROM result r WHERE r.id = $1", "L" },
	/* Over the whole index; but the inbox is short. */
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
	[ST_PURGE] = { "purge", "WITH d AS (" OLDEST_OF("result", "finished", "id") "),"
	    " p AS (DELETE FROM push_id WHERE ctid = ANY(ARRAY(SELECT k.ctid FROM d CROSS JOIN LATERAL"
	    " (SELECT ctid, id FROM push_id WHERE account = coalesce(d.account, '') AND push_id = d.push_id OFFSET 0) k"
	    " WHERE k.id = d.id))) SELECT count(*) FROM d", "LL" },
	[ST_PURGE_EARLY] = { "purge_early",
	    "WITH d AS (" OLDEST_OF("early", "at", "domain, fid") ") SELECT count(*) FROM d", "LL" },
	[ST_PURGE_ANSWERS] = { "purge_answers",
	    "WITH d AS (" OLDEST_OF("answer", "at", "number") ") SELECT count(*) FROM d", "LL" },
};
