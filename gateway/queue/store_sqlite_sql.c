/*
 * store_sqlite_sql.c - every statement of the SQLite store, and how one is run
 *
 * The tables are told in store_sqlite.c.
 *
 * Knows:     SQL of SQLite.
 * Does not:  know when a statement is run.
 * Owns:      the prepared statements.
 * Threads:   the store's.
 */
#include "queue/store_sqlite_inner.h"

#include <stdio.h>

#define HOT_COLUMNS "key, state, flags, attempt, ref, segs, klass, t, due, expires, accepted, " \
	"msisdn, account, push_id, smsc, grp, link"
#define LOAD_COLUMNS "turn, id, key, state, flags, expires, klass, attempt, ref, tries, due, accepted, t, " \
	"refused, msisdn, account, smsc, grp, link"

static const char *const sql_texts[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_TALLY] = "UPDATE tally SET batch=?1, waiting=?2, sending=?3, awaiting=?4, held=?5, "
	    "notices=?6, early=?7, inbox=?8",
	[SQL_TALLY_READ] = "SELECT batch, waiting, sending, awaiting, held, notices, early, inbox "
	    "FROM tally",
	[SQL_META_READ] = "SELECT v FROM meta WHERE k=?1",
	[SQL_META_WRITE] = "INSERT OR REPLACE INTO meta(k, v) VALUES(?1, ?2)",

	[SQL_PUT_BODY] = "INSERT INTO m(id, body) VALUES(?1, ?2)",
	[SQL_PUT_HOT] = "INSERT INTO q(id, " HOT_COLUMNS ") "
	    "VALUES(?1, ?2, ?3, 0, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
	[SQL_PUT_PUSH_ID] = "INSERT INTO p(account, push_id, id) VALUES(?1, ?2, ?3)",
	[SQL_PUT_MSISDN] = "INSERT INTO x(block, key, id) VALUES(?1, ?2, ?3)",

	[SQL_INBOX_PUT] = "INSERT INTO i(id, part, arrived, key, klass, due, expires, accepted, "
	    "msisdn, account, push_id, smsc, grp) "
	    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
	[SQL_INBOX_READ] = "SELECT id, key, klass, due, expires, accepted, msisdn, account, push_id, "
	    "smsc, grp FROM i ORDER BY arrived, id LIMIT ?1",
	[SQL_INBOX_DROP] = "DELETE FROM i WHERE id=?1",

	[SQL_HOT] = "SELECT state, flags, attempt, segs, t, key FROM q WHERE id=?1",
	[SQL_MARK] = "UPDATE q SET state=?2, flags=?3, attempt=?4, ref=?5, t=?6, link=?7 WHERE id=?1",
	[SQL_SETTLE] = "UPDATE q SET state=?2, flags=?3, attempt=?4, segs=?5, due=?6, tries=?7, "
	    "refused=?8 WHERE id=?1",
	[SQL_STATE] = "UPDATE q SET state=?2, flags=?3 WHERE id=?1",
	[SQL_REPLACE_BODY] = "UPDATE m SET body=?2 WHERE id=?1",
	[SQL_REPLACE_HOT] = "UPDATE q SET expires=?2 WHERE id=?1",
	[SQL_FINISH] = "INSERT INTO r(id, outcome, code, finished, link, attempt, key, msisdn, account, "
	    "push_id, accepted, expires) SELECT id, ?3, ?4, ?5, ?6, ?7, key, msisdn, account, "
	    "push_id, accepted, expires FROM q WHERE id BETWEEN ?1 AND ?2",
	[SQL_DROP_HOT] = "DELETE FROM q WHERE id BETWEEN ?1 AND ?2",
	[SQL_DROP_BODY] = "DELETE FROM m WHERE id BETWEEN ?1 AND ?2",

	/* Said again, the segment keeps the receipt that it has. */
	[SQL_EVIDENCE_PUT] = "INSERT INTO s(id, attempt, seg, state, rstate, domain, fid, said) "
	    "VALUES(?1, ?2, ?3, ?4, 0, ?5, ?6, NULL) ON CONFLICT DO UPDATE SET state=excluded.state, "
	    "domain=excluded.domain, fid=excluded.fid",
	[SQL_EVIDENCE_ONE] = "SELECT rstate FROM s WHERE id=?1 AND attempt=?2 AND seg=?3",
	[SQL_EVIDENCE_ALL] = "SELECT rstate, fid, said FROM s WHERE id=?1 AND attempt=?2 ORDER BY seg",
	[SQL_EVIDENCE_OF] = "SELECT seg, state, fid FROM s WHERE id=?1 AND attempt=?2 ORDER BY seg",
	[SQL_EVIDENCE_RECEIPT] = "UPDATE s SET rstate=?4, said=?5 WHERE id=?1 AND attempt=?2 AND seg=?3",
	/* A foreign id that the SMSC gave to a newer message meanwhile is that one's. */
	[SQL_EVIDENCE_DROP_FOREIGN] = "DELETE FROM f WHERE id=?1 AND (domain, fid) IN "
	    "(SELECT domain, fid FROM s WHERE id=?1)",
	[SQL_EVIDENCE_DROP_ONE_FOREIGN] = "DELETE FROM f WHERE id=?1 AND attempt=?2 AND seg=?3 AND "
	    "(domain, fid) IN (SELECT domain, fid FROM s WHERE id=?1 AND attempt=?2 AND seg=?3)",
	[SQL_EVIDENCE_DROP] = "DELETE FROM s WHERE id=?1",
	[SQL_EVIDENCE_DROP_FORMER_FOREIGN] = "DELETE FROM f WHERE id=?1 AND (domain, fid) IN "
	    "(SELECT domain, fid FROM s WHERE id=?1 AND attempt<>?2) AND attempt<>?2",
	[SQL_EVIDENCE_DROP_FORMER] = "DELETE FROM s WHERE id=?1 AND attempt<>?2",
	[SQL_FOREIGN_PUT] = "INSERT OR REPLACE INTO f(domain, fid, id, attempt, seg) "
	    "VALUES(?1, ?2, ?3, ?4, ?5)",
	[SQL_FOREIGN] = "SELECT id, attempt, seg FROM f WHERE domain=?1 AND fid=?2",
	[SQL_EARLY] = "SELECT state, at, said FROM e WHERE domain=?1 AND fid=?2",
	[SQL_EARLY_PUT] = "INSERT OR REPLACE INTO e(domain, fid, state, at, said) "
	    "VALUES(?1, ?2, ?3, ?4, ?5)",
	[SQL_EARLY_DROP] = "DELETE FROM e WHERE domain=?1 AND fid=?2",

	[SQL_NOTICE_PUT] = "INSERT INTO n(id, message, key, due, until, tries, url) "
	    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SQL_NOTICE_DONE] = "DELETE FROM n WHERE id=?1",
	[SQL_NOTICE_LATER] = "UPDATE n SET tries=?2, due=?3 WHERE id=?1",
	[SQL_NOTICE] = "SELECT id, message, key, due, until, tries, url FROM n WHERE id=?1",
	[SQL_NOTICES] = "SELECT id, message, key, due, until, tries, url FROM n WHERE id>?1 "
	    "ORDER BY id LIMIT ?2",

	[SQL_LINK_BODY] = "SELECT link, body FROM q JOIN m ON m.id=q.id WHERE q.id=?1",
	[SQL_LOAD] = "SELECT " LOAD_COLUMNS " FROM q WHERE id>?1 ORDER BY id LIMIT ?2",
	[SQL_LOAD_TURNS] = "SELECT " LOAD_COLUMNS " FROM q WHERE turn>0 AND turn>?1 ORDER BY turn LIMIT ?2",
	[SQL_HAS_TURNS] = "SELECT EXISTS(SELECT 1 FROM q WHERE turn>0)",
	[SQL_FLIGHT] = "SELECT state, flags, attempt, ref, segs, link, body FROM q JOIN m ON m.id=q.id "
	    "WHERE q.id=?1",
	[SQL_FIND_HOT] = "SELECT key, msisdn, account, push_id, link, attempt, accepted, expires, "
	    "state, due FROM q WHERE id=?1",
	[SQL_FIND_RESULT] = "SELECT key, msisdn, account, push_id, link, attempt, accepted, expires, "
	    "outcome, code, finished FROM r WHERE id=?1",
	[SQL_FIND_INBOX] = "SELECT key, msisdn, account, push_id, NULL, 0, accepted, expires, 0, due "
	    "FROM i WHERE id=?1",
	[SQL_FIND_PUSH_ID] = "SELECT id FROM p WHERE account=?1 AND push_id=?2",
	[SQL_MSISDN_BLOCK] = "SELECT block FROM x WHERE block<?1 ORDER BY block DESC LIMIT 1",
	[SQL_MSISDN_IN_BLOCK] = "SELECT id FROM x WHERE block=?1 AND key=?2 ORDER BY id DESC",

	[SQL_PURGE_LOOK] = "SELECT id, key, account, push_id FROM r WHERE finished<?1 "
	    "ORDER BY finished LIMIT ?2",
	[SQL_PURGE_RESULT] = "DELETE FROM r WHERE id=?1",
	[SQL_PURGE_MSISDN] = "DELETE FROM x WHERE block=?1 AND key=?2 AND id=?3",
	[SQL_PURGE_PUSH_ID] = "DELETE FROM p WHERE account=?1 AND push_id=?2 AND id=?3",
	[SQL_PURGE_EARLY] = "DELETE FROM e WHERE (domain, fid) IN "
	    "(SELECT domain, fid FROM e WHERE at<?1 ORDER BY at LIMIT ?2)",
};

/* --- statements --- */

int
sql_prepare(struct store *s, struct err *err)
{
	for (int i = 0; i < SQL_COUNT; i++) {
		int rc = sqlite3_prepare_v3(s->db, sql_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
		    &s->sql[i], NULL);

		if (rc != SQLITE_OK)
			return sql_fault(s->db, rc, s->path, err);
	}
	return 0;
}

static int
sql_failed(struct store *s, struct bind *b, int rc, struct err *err)
{
	char what[24];		/* "INSERT INTO q(id, key, s": enough to know which */

	snprintf(what, sizeof what, "%s", sqlite3_sql(b->st));
	sql_fault(s->db, rc, what, err);
	sqlite3_reset(b->st);
	s->fallen |= s->open && sqlite3_get_autocommit(s->db);
	return -1;
}

/* A fault (I/O, disk full) has rolled the open transaction back. What is still asked for in this round
 * would be a transaction of its own, in for good. */
static int
sql_fallen(struct err *err)
{
	return err_set(err, ERR_STORE, "store: the transaction was rolled back");
}

int
sql_run(struct store *s, struct bind *b, struct err *err)
{
	int rc;

	if (s->fallen)
		return sql_fallen(err);
	rc = b->rc != SQLITE_OK ? b->rc : sqlite3_step(b->st);
	if (rc != SQLITE_DONE)
		return sql_failed(s, b, rc, err);
	sqlite3_reset(b->st);
	return 0;
}

int
sql_row(struct store *s, struct bind *b, struct err *err)
{
	int rc;

	if (s->fallen)
		return sql_fallen(err);
	rc = b->rc != SQLITE_OK ? b->rc : sqlite3_step(b->st);
	b->at = 0;
	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		return sql_failed(s, b, rc, err);
	sqlite3_reset(b->st);
	return 0;
}

void
sql_end(struct bind *b)
{
	sqlite3_reset(b->st);
}

int
meta_read(struct store *s, const char *key, int64_t *value, struct err *err)
{
	struct bind b = sql(s, SQL_META_READ);
	int found;

	bind_text(&b, text_of(key));
	if ((found = sql_row(s, &b, err)) == 1) {
		*value = take_int(&b);
		sql_end(&b);
	}
	return found;
}

int
meta_write(struct store *s, const char *key, int64_t value, struct err *err)
{
	struct bind b = sql(s, SQL_META_WRITE);

	bind_text(&b, text_of(key));
	bind_int(&b, value);
	return sql_run(s, &b, err);
}

int
sql_text(struct store *s, const char *text, struct err *err)
{
	int rc = s->fallen ? SQLITE_ABORT : sqlite3_exec(s->db, text, NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		return 0;
	sql_fault(s->db, rc, s->path, err);
	s->fallen |= s->open && sqlite3_get_autocommit(s->db);
	return -1;
}
