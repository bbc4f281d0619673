/*
 * store_sqlite.c - the store on SQLite: statements, transactions, the driver's table
 *
 * The lean layout: m (bodies, written once, gone when the message finishes), q (small and hot:
 * what is not finished), r (results), s and f (evidence and the foreign ids it is found by,
 * only while a message is incomplete or awaited), e (receipts that came early), x (look-up by
 * MSISDN, in blocks of neighbouring ids, so that a batch dirties few pages), p (push-ids that
 * clients gave), n (notices), i (the inbox). The one index beside the keys is on r(finished),
 * which only grows at its end.
 *
 * Knows:     SQL of SQLite, WAL with synchronous=FULL.
 * Does not:  know why anything is written.
 * Owns:      the connection and its statements.
 * Threads:   the store's.
 */
#include "queue/store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/store_sqlite_inner.h"

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

/* --- open and close --- */

static int
statements_prepare(struct store *s, struct err *err)
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
tally_read(struct store *s, uint64_t *batch, struct err *err)
{
	struct bind b = sql(s, SQL_TALLY_READ);
	struct store_counts *c = &s->committed;

	switch (sql_row(s, &b, err)) {
	case 1:
		break;
	case 0:
		return err_set(err, ERR_STORE, "store %s: its tally is missing", s->path);
	default:
		return -1;
	}
	*batch = (uint64_t)take_int(&b);
	c->waiting = (uint64_t)take_int(&b);
	c->sending = (uint64_t)take_int(&b);
	c->awaiting = (uint64_t)take_int(&b);
	c->held = (uint64_t)take_int(&b);
	c->notices = (uint64_t)take_int(&b);
	c->early = (uint64_t)take_int(&b);
	s->committed_inbox = (uint64_t)take_int(&b);
	sql_end(&b);
	s->counts = s->committed;
	s->inbox = s->committed_inbox;
	return 0;
}

static int
turns_look(struct store *s, struct err *err)
{
	struct bind b = sql(s, SQL_HAS_TURNS);

	if (sql_row(s, &b, err) == -1)
		return -1;
	s->turns = take_int(&b) != 0;
	sql_end(&b);
	return 0;
}

static void
sqlite_close(struct store **sp, bool for_good)
{
	struct store *s = *sp;

	(void)for_good;
	if (s == NULL)
		return;
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(s->sql[i]);
	file_close(s);
	arena_free(&s->texts);
	free(s->fresh);
	free(s->path);
	free(s);
	*sp = NULL;
}

struct store *
sqlite_open_any(const struct store_conf *conf, struct err *err)
{
	struct store *s = calloc(1, sizeof *s);
	uint64_t batch;
	int64_t tag = 0;

	if (s == NULL) {
		err_set(err, ERR_SYSTEM, "store: no memory");
		return NULL;
	}
	s->lock = -1;
	if (file_open(s, conf, err) == -1 || statements_prepare(s, err) == -1 ||
	    tally_read(s, &batch, err) == -1 || meta_read(s, "tag", &tag, err) == -1 ||
	    turns_look(s, err) == -1)
		sqlite_close(&s, true);
	else
		s->tag = (uint32_t)tag;
	return s;
}

static struct store *
sqlite_open(const struct store_conf *conf, struct err *err)
{
	struct store *s = sqlite_open_any(conf, err);

	if (s != NULL && move_check_sqlite(s, err) == -1)
		sqlite_close(&s, true);
	return s;
}

/* --- transactions --- */

static int
sqlite_begin(struct store *s, uint64_t batch, struct err *err)
{
	struct bind b = sql(s, SQL_BEGIN);

	s->flushed = true;
	s->fresh_count = 0;
	round_goes_on(s);
	if (sql_run(s, &b, err) == -1)
		return -1;
	s->open = true;
	s->batch = batch;
	s->counts = s->committed;
	s->inbox = s->committed_inbox;
	return 0;
}

static void
sqlite_rollback(struct store *s)
{
	struct bind b = sql(s, SQL_ROLLBACK);

	/* Some faults (disk full, I/O) have rolled it back already. */
	if (!sqlite3_get_autocommit(s->db))
		sql_run(s, &b, NULL);
	s->open = s->fallen = false;
	s->run.first = 0;
	s->counts = s->committed;
	s->inbox = s->committed_inbox;
}

static int
sqlite_flush(struct store *s, struct err *err)
{
	s->flushed = true;
	return road_settled(s, err);
}

static int
tally_write(struct store *s, struct err *err)
{
	struct bind b = sql(s, SQL_TALLY);
	const struct store_counts *c = &s->counts;

	bind_int(&b, (int64_t)s->batch);
	bind_int(&b, (int64_t)c->waiting);
	bind_int(&b, (int64_t)c->sending);
	bind_int(&b, (int64_t)c->awaiting);
	bind_int(&b, (int64_t)c->held);
	bind_int(&b, (int64_t)c->notices);
	bind_int(&b, (int64_t)c->early);
	bind_int(&b, (int64_t)s->inbox);
	return sql_run(s, &b, err);
}

static enum store_commit
sqlite_commit(struct store *s, struct err *err)
{
	struct bind b = sql(s, SQL_COMMIT);
	int rc;

	if (tally_write(s, err) == -1) {
		sqlite_rollback(s);
		return COMMIT_NOT_DONE;
	}
	if (sql_run(s, &b, err) == -1) {
		/* An I/O fault: the log may hold all of it, only the fsync failed. Whether it
		 * counts shows when the file is opened again. */
		rc = sqlite3_errcode(s->db) & 0xff;
		sqlite_rollback(s);
		return rc == SQLITE_IOERR ? COMMIT_UNKNOWN : COMMIT_NOT_DONE;
	}
	s->open = false;
	s->committed = s->counts;
	s->committed_inbox = s->inbox;
	return COMMIT_DONE;
}

static int
sqlite_last_batch(struct store *s, uint64_t *batch, struct err *err)
{
	return tally_read(s, batch, err);
}

/* --- outside a transaction --- */

static uint16_t
sqlite_node(struct store *s)
{
	(void)s;
	return 0;
}

static uint32_t
sqlite_tag(struct store *s)
{
	return s->tag;
}

static int
sqlite_reserve(struct store *s, uint32_t count, uint64_t *first, struct err *err)
{
	struct bind begin = sql(s, SQL_BEGIN), commit = sql(s, SQL_COMMIT);
	int64_t high = 1;

	if (sql_run(s, &begin, err) == -1)
		return -1;
	if (meta_read(s, "high", &high, err) == -1 ||
	    meta_write(s, "high", high + count, err) == -1 || sql_run(s, &commit, err) == -1) {
		sqlite_rollback(s);
		return -1;
	}
	*first = (uint64_t)high;
	return 0;
}

static int
sqlite_backup(const struct store_conf *conf, const char *file, struct err *err)
{
	return store_sqlite_copy(conf->path, file, NULL, NULL, err);
}

/* One node owns what it has claimed, for ever. */
static int
sqlite_claim(struct store *s, const struct store_parts *wanted, struct store_parts *got, struct err *err)
{
	(void)err;
	*got = *wanted;
	for (size_t i = 0; i < sizeof wanted->bits / sizeof *wanted->bits; i++)
		s->owned.bits[i] |= wanted->bits[i];
	return 0;
}

static int
sqlite_release(struct store *s, const struct store_parts *parts, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < sizeof parts->bits / sizeof *parts->bits; i++)
		s->owned.bits[i] &= ~parts->bits[i];
	return 0;
}

static uint64_t
sqlite_epoch(const struct store *s, unsigned part)
{
	return parts_has(&s->owned, part);
}

static int
sqlite_counts(struct store *s, struct store_counts *counts, struct err *err)
{
	(void)err;
	*counts = s->committed;
	return 0;
}

const struct store_driver store_sqlite = {
	.name = "sqlite",
	.open = sqlite_open,
	.close = sqlite_close,
	.backup = sqlite_backup,
	.begin = sqlite_begin,
	.flush = sqlite_flush,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.last_batch = sqlite_last_batch,
	.node = sqlite_node,
	.tag = sqlite_tag,
	.reserve = sqlite_reserve,
	.claim = sqlite_claim,
	.release = sqlite_release,
	.epoch = sqlite_epoch,
	.submit = road_submit,
	.mark = road_mark,
	.settle = road_settle,
	.receipt = road_receipt,
	.cancel = road_cancel,
	.replace = road_replace,
	.notice_done = road_notice_done,
	.notice_later = road_notice_later,
	.flight = look_flight,
	.notice = look_notice,
	.news = road_news,
	.load = look_load,
	.overdue = look_overdue,
	.held = look_held,
	.notices = look_notices,
	.find = look_find,
	.find_push_id = look_find_push_id,
	.find_foreign = look_find_foreign,
	.find_msisdn = look_find_msisdn,
	.counts = sqlite_counts,
	.purge = road_purge,
};
