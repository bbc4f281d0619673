/*
 * store_sqlite.c - the store on SQLite: open, transactions, the driver's table
 *
 * The lean layout: m (bodies, written once, gone when the message finishes), q (small and hot:
 * what is not finished), r (results), s and f (evidence and the foreign ids it is found by,
 * only while a message is incomplete or awaited), e (receipts that came early), x (look-up by
 * MSISDN, in blocks of neighbouring ids, so that a batch dirties few pages), p (push-ids that
 * clients gave), n (notices), i (the inbox). The one index beside the keys is on r(finished),
 * which only grows at its end.
 *
 * Knows:     rounds; what a transaction is.
 * Does not:  know why anything is written.
 * Owns:      the store.
 * Threads:   the store's.
 */
#include "queue/store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/store_sqlite_inner.h"

/* --- open and close --- */

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
	if (file_open(s, conf, err) == -1 || sql_prepare(s, err) == -1 ||
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
	return run_settled(s, err);
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
