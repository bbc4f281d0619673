/*
 * store_pgsql.c - the PostgreSQL store: open, rounds, commit, and what the driver's verbs are
 *
 * A round that only reads has no transaction: each trip sees what is committed. The first that writes
 * begins one, and its COMMIT is a trip of its own, which no timeout of ours cuts off: when it does not answer,
 * or the server says that a standby did not confirm, nobody knows whether it holds, and the caller opens
 * the store again and asks for the last batch.
 *
 * Knows:     rounds.
 * Does not:  know what an operation does (store_pgsql_ops.c).
 * Owns:      the store.
 * Threads:   the store worker's; store_pgsql_keeper.c has its own.
 */
#include "queue/store_pgsql.h"

#include <stdlib.h>
#include <string.h>

#include "queue/store_pgsql_inner.h"

enum { PACKED_MOST = 64 << 20 };

/* --- open, close ---------------------------------------------------------------------- */

int
pgsql_connect(struct store *s, struct err *err)
{
	if (pg_open(&s->pg, s->conf->conninfo, "kantele", err) == -1)
		return -1;
	if (schema_open(&s->pg, &s->tag, err) == 0 &&
	    pg_prepare(&s->pg, pg_settings, pg_statements, err) == 0)
		return 0;
	pg_close(&s->pg);
	return -1;
}

void
pgsql_free(struct store *s)
{
	pg_look_end(s);
	if (s->pg.conn != NULL)
		pg_close(&s->pg);
	kept_forget(s);
	beside_free(s);
	idmap_free(&s->by_id);
	idmap_free(&s->fresh);
	for (unsigned i = 0; i < STATEMENTS; i++)
		pg_args_free(&s->args[i]);
	arena_free(&s->texts);
	arena_free(&s->work);
	buf_free(&s->packed);
	free(s->ops);
	free(s);
}

struct store *
pgsql_new(const struct store_conf *conf)
{
	struct store *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->given = *conf;
	s->conf = &s->given;
	s->packed = buf_heap(PACKED_MOST);
	s->changed_end = &s->changed;
	s->has_early = true;	/* until the news tell otherwise */
	return s;
}

static struct store *
pgsql_open(const struct store_conf *conf, struct err *err)
{
	struct store *s = pgsql_new(conf);

	if (s == NULL) {
		err_set(err, ERR_SYSTEM, "store: no memory");
		return NULL;
	}
	if (pgsql_connect(s, err) == -1 || node_join(s, err) == -1) {
		pgsql_free(s);
		return NULL;
	}
	return s;
}

static void
round_clear(struct store *s)
{
	write_undo(s);
	ops_clear(s);
	s->shown = s->sends_read = false;
	idmap_free(&s->fresh);
	arena_reset(&s->work);
}

static void
pgsql_close(struct store **sp, bool for_good)
{
	struct store *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	round_clear(s);
	if (for_good)
		node_leave(s);
	pgsql_free(s);
}

/* --- rounds ------------------------------------------------------------------------------ */

/* A connection that broke is opened again, by the same node in another life: partitions stay ours, unless we
 * were declared dead meanwhile. */
static int
connect_again(struct store *s, struct err *err)
{
	uint64_t epochs[STORE_PARTITIONS];
	struct store_conf conf = *s->conf;
	const struct store_conf *was = s->conf;
	int rc;

	pg_look_end(s);
	pg_close(&s->pg);
	if (pgsql_connect(s, err) == -1)
		return -1;
	memcpy(epochs, s->epochs, sizeof epochs);
	conf.again = s->node + 1u;
	s->conf = &conf;
	rc = node_join(s, err);
	s->conf = was;
	if (rc == 0 && node_keep_epochs(s, epochs, err) == 0)
		return 0;
	memcpy(s->epochs, epochs, sizeof epochs);	/* what the next try looks for */
	pg_close(&s->pg);
	return -1;
}

/* What comes outside of a round may be the first to find the connection broken, and the round after it would
 * not be reached. */
static int
connected(struct store *s, struct err *err)
{
	return PQstatus(s->pg.conn) != CONNECTION_OK || s->pg.stale ? connect_again(s, err) : 0;
}

static int
pgsql_begin(struct store *s, uint64_t batch, struct err *err)
{
	mono_t fresh = (s->conf->lease_ms > 0 ? s->conf->lease_ms : PG_LEASE_MS) / 2;

	round_clear(s);
	kept_trim(s);
	if (s->stale)
		arena_reset(&s->texts);
	s->stale = false;
	s->batch = batch;
	if (PQstatus(s->pg.conn) != CONNECTION_OK || s->pg.stale)
		return connect_again(s, err);
	if (s->fence_seen == INT64_MIN || clock_mono() - s->fence_seen > fresh)
		return node_look(s, err);
	return 0;
}

static void
pgsql_rollback(struct store *s)
{
	round_clear(s);
}

/* The server answers COMMIT with ROLLBACK when the transaction had failed. */
static enum store_commit
commit_outcome(struct store *s, bool answered, struct err *err)
{
	if (answered && s->pg.warned) {
		err_set(err, ERR_STORE, "PostgreSQL: %s", s->pg.warning);
		return COMMIT_UNKNOWN;
	}
	if (answered && strcmp(PQcmdStatus(s->pg.results[0]), "COMMIT") == 0)
		return COMMIT_DONE;
	if (answered)
		err_set(err, ERR_STORE, "PostgreSQL: the transaction had failed");
	if (answered || strncmp(s->pg.state, "40", 2) == 0 || strncmp(s->pg.state, "23", 2) == 0)
		return COMMIT_NOT_DONE;
	return COMMIT_UNKNOWN;
}

static enum store_commit
pgsql_commit(struct store *s, struct err *err)
{
	enum store_commit outcome;

	if (!s->open && write_begin(s, err) == -1) {	/* nothing to write: is all well? */
		round_clear(s);
		write_fenced(err);
		return COMMIT_NOT_DONE;
	}
	pg_quiet(&s->pg);
	args_of(s, ST_COMMIT);
	args_ask(s, ST_COMMIT);
	outcome = commit_outcome(s, pg_trip(&s->pg, err) == 0, err);
	s->open = false;
	if (outcome == COMMIT_DONE) {
		counts_settle(s, true);
		kept_settle(s, true);
	}
	round_clear(s);
	return outcome;
}

static int
pgsql_backup(const struct store_conf *conf, const char *file, struct err *err)
{
	(void)conf;
	(void)file;
	return err_set(err, ERR_CONFIG, "PostgreSQL is copied by its own tools: pg_basebackup for all of it, "
	    "pg_dump -n kantele for the queue");
}

static uint16_t
pgsql_node(struct store *s)
{
	return s->node;
}

static uint32_t
pgsql_tag(struct store *s)
{
	return s->tag;
}

static uint64_t
pgsql_epoch(const struct store *s, unsigned part)
{
	return s->epochs[part];
}

static int
pgsql_reserve(struct store *s, uint32_t count, uint64_t *first, struct err *err)
{
	return connected(s, err) == -1 ? -1 : node_reserve(s, count, first, err);
}

static int
pgsql_claim(struct store *s, const struct store_parts *wanted, struct store_parts *got, struct err *err)
{
	return connected(s, err) == -1 ? -1 : node_claim(s, wanted, got, err);
}

static int
pgsql_release(struct store *s, const struct store_parts *parts, struct err *err)
{
	return connected(s, err) == -1 ? -1 : node_release(s, parts, err);
}

/* --- operations: recorded ------------------------------------------------------------------- */

static void
pgsql_submit(struct store *s, const struct store_submit *sub, struct store_done *done)
{
	ops_add(s, RO_SUBMIT, done)->in = sub;
}

static struct round_op *
add_keyed(struct store *s, enum op_of_round kind, uint64_t epoch, uint64_t id, uint64_t key,
    struct store_done *done)
{
	struct round_op *op = ops_add(s, kind, done);

	op->epoch = epoch;
	op->id = id;
	op->key = key;
	return op;
}

static void
pgsql_mark(struct store *s, uint64_t epoch, uint64_t id, uint64_t key, const struct store_mark *mark,
    struct store_done *done)
{
	add_keyed(s, RO_MARK, epoch, id, key, done)->in = mark;
}

static void
pgsql_settle(struct store *s, uint64_t epoch, const struct store_settlement *st, struct store_joined *joined,
    struct store_done *done)
{
	struct round_op *op = add_keyed(s, RO_SETTLE, epoch, st->id, st->order_key, done);

	op->in = st;
	op->out = joined;
}

static void
pgsql_receipt(struct store *s, const struct store_receipt *r, struct store_joined *joined,
    struct store_done *done)
{
	struct round_op *op = ops_add(s, RO_RECEIPT, done);

	op->in = r;
	op->out = joined;
}

static void
pgsql_evidence(struct store *s, const struct store_evidence *v, struct store_done *done)
{
	ops_add(s, RO_EVIDENCE, done)->in = v;
}

static void
pgsql_cancel(struct store *s, uint64_t epoch, uint64_t id, uint64_t key, wall_t at, struct store_done *done)
{
	add_keyed(s, RO_CANCEL, epoch, id, key, done)->at = at;
}

static void
pgsql_replace(struct store *s, uint64_t epoch, uint64_t id, uint64_t key, struct text body, wall_t expires,
    struct store_done *done)
{
	struct round_op *op = add_keyed(s, RO_REPLACE, epoch, id, key, done);

	op->body = body;
	op->at = expires;
}

static void
pgsql_notice_done(struct store *s, uint64_t id, uint64_t key, struct store_done *done)
{
	add_keyed(s, RO_NOTICE_DONE, 0, id, key, done);
}

static void
pgsql_notice_later(struct store *s, uint64_t id, uint64_t key, uint16_t tries, wall_t due,
    struct store_done *done)
{
	struct round_op *op = add_keyed(s, RO_NOTICE_LATER, 0, id, key, done);

	op->number = tries;
	op->at = due;
}

static void
pgsql_flight(struct store *s, uint64_t id, uint64_t key, struct store_flight *f, struct store_done *done)
{
	add_keyed(s, RO_FLIGHT, 0, id, key, done)->out = f;
}

static void
pgsql_notice(struct store *s, uint64_t id, uint64_t key, struct store_notice *n, struct store_done *done)
{
	add_keyed(s, RO_NOTICE, 0, id, key, done)->out = n;
}

static void
pgsql_request(struct store *s, const struct store_request *q, struct store_done *done)
{
	ops_add(s, RO_REQUEST, done)->in = q;
}

static void
pgsql_answer(struct store *s, uint64_t number, uint64_t key, enum store_result result, struct store_done *done)
{
	add_keyed(s, RO_ANSWER, 0, number, key, done)->number = result;
}

static void
pgsql_answered(struct store *s, uint64_t number, uint64_t key, enum store_result *result,
    struct store_done *done)
{
	add_keyed(s, RO_ANSWERED, 0, number, key, done)->out = result;
}

const struct store_driver store_pgsql = {
	.name = "postgresql", .open = pgsql_open, .close = pgsql_close, .backup = pgsql_backup,
	.begin = pgsql_begin, .flush = ops_flush, .commit = pgsql_commit, .rollback = pgsql_rollback,
	.last_batch = node_last_batch, .node = pgsql_node, .tag = pgsql_tag, .reserve = pgsql_reserve,
	.claim = pgsql_claim, .release = pgsql_release, .epoch = pgsql_epoch,
	.submit = pgsql_submit, .mark = pgsql_mark, .settle = pgsql_settle, .receipt = pgsql_receipt,
	.evidence = pgsql_evidence, .cancel = pgsql_cancel, .replace = pgsql_replace,
	.notice_done = pgsql_notice_done, .notice_later = pgsql_notice_later,
	.flight = pgsql_flight, .notice = pgsql_notice, .news = news_read, .sends = sends_read,
	.request = pgsql_request, .answer = pgsql_answer, .answered = pgsql_answered,
	.load = pg_look_load, .overdue = pg_look_overdue, .held = pg_look_held, .notices = pg_look_notices,
	.find = pg_look_find, .find_push_id = pg_look_push_id, .find_foreign = pg_look_foreign,
	.find_msisdn = pg_look_msisdn, .counts = pg_look_counts, .purge = pg_look_purge,
	.keeper_open = keeper_open, .keeper_close = keeper_close, .keep = keeper_keep,
	.keeper_mode = keeper_mode
};
