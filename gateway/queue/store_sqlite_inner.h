/*
 * store_sqlite_inner.h - what the files of the SQLite store share
 *
 *   store_sqlite_file.c   the file: whose it is, the lock, schema and its versions, copying
 *   store_sqlite_road.c   the road of a message: put, mark, settle, receipt, cancel, ...
 *   store_sqlite_look.c   reading
 *   store_sqlite_move.c   a move into it, or out of it
 *   store_sqlite.c        the table of statements, transactions, the driver's table
 *
 * Threads: the store's thread.
 */
#ifndef QUEUE_STORE_SQLITE_INNER_H
#define QUEUE_STORE_SQLITE_INNER_H

#include <sqlite3.h>
#include "queue/arena.h"
#include "queue/store.h"

/* One prepared statement each; the text is in store_sqlite.c under the same name. */
enum sql {
	SQL_BEGIN, SQL_COMMIT, SQL_ROLLBACK, SQL_TALLY, SQL_TALLY_READ,
	SQL_META_READ, SQL_META_WRITE,
	SQL_PUT_BODY, SQL_PUT_HOT, SQL_PUT_PUSH_ID, SQL_PUT_MSISDN,
	SQL_INBOX_PUT, SQL_INBOX_READ, SQL_INBOX_DROP,
	SQL_HOT, SQL_MARK, SQL_SETTLE, SQL_STATE, SQL_REPLACE_BODY, SQL_REPLACE_HOT,
	SQL_FINISH, SQL_DROP_HOT, SQL_DROP_BODY,
	SQL_EVIDENCE_PUT, SQL_EVIDENCE_ONE, SQL_EVIDENCE_ALL, SQL_EVIDENCE_OF, SQL_EVIDENCE_RECEIPT,
	SQL_EVIDENCE_DROP_FOREIGN, SQL_EVIDENCE_DROP_ONE_FOREIGN, SQL_EVIDENCE_DROP,
	SQL_EVIDENCE_DROP_FORMER_FOREIGN, SQL_EVIDENCE_DROP_FORMER,
	SQL_FOREIGN_PUT, SQL_FOREIGN, SQL_EARLY, SQL_EARLY_PUT, SQL_EARLY_DROP,
	SQL_NOTICE_PUT, SQL_NOTICE_DONE, SQL_NOTICE_LATER, SQL_NOTICE, SQL_NOTICES,
	SQL_LINK_BODY, SQL_LOAD, SQL_LOAD_TURNS, SQL_HAS_TURNS, SQL_FLIGHT, SQL_FIND_HOT, SQL_FIND_RESULT, SQL_FIND_INBOX, SQL_FIND_PUSH_ID,
	SQL_MSISDN_BLOCK, SQL_MSISDN_IN_BLOCK,
	SQL_PURGE_LOOK, SQL_PURGE_RESULT, SQL_PURGE_MSISDN, SQL_PURGE_PUSH_ID, SQL_PURGE_EARLY,
	SQL_COUNT
};

/* Messages with ids in a row that finished in the same way, not yet moved to the results: under
 * load most settlements of a transaction are such runs, and a run costs little more than one. */
struct finish_run {
	uint64_t	 first, last;	/* first 0: none */
	struct store_settlement as;	/* outcome, code, at, attempt */
	char		 link[512];	/* the text of as.link */
};

struct store {
	sqlite3		*db;
	sqlite3_stmt	*sql[SQL_COUNT];
	char		*path;
	int		 lock;		/* descriptor of PATH-lock: one gateway a store */
	uint32_t	 tag;
	uint64_t	 batch;		/* of the open transaction */
	bool		 open;		/* a transaction is */
	bool		 fallen;	/* it is not any more, and who opened it does not know yet */
	struct store_counts counts;	/* with the open transaction */
	struct store_counts committed;
	uint64_t	 inbox, committed_inbox;	/* rows of it: mostly none, then nobody looks */
	struct finish_run run;		/* of the open transaction */
	bool		 turns;		/* there may be messages with a turn of their own */
	struct store_parts owned;
	uint64_t	*fresh;		/* order keys of this round's news */
	unsigned	 fresh_count, fresh_room;
	bool		 flushed;	/* the next call begins another round */
	struct arena	 texts;		/* handed out in this round */
};

enum { HOT_LEFT = 1,		/* a segment may have left */
    HOT_PENDED = 2,		/* the first intermediate report has come */
    HOT_EVIDENCE = 4,		/* there are rows in s */
    HOT_WANTED = 8 };		/* somebody wants to hear of it, and has not yet */
enum { HOT_TO_TELL = HOT_PENDED | HOT_WANTED };

enum { MSISDN_BLOCK_BITS = 12 };

/* --- statements: bind in order, run or step, take in order --- */

struct bind {
	sqlite3_stmt	*st;
	int		 at, rc;	/* rc: the first fault of a bind */
};

static inline struct bind
sql(struct store *s, enum sql which)
{
	return (struct bind){ .st = s->sql[which] };
}

static inline void
bind_rc(struct bind *b, int rc)
{
	if (b->rc == SQLITE_OK)
		b->rc = rc;
}

static inline void
bind_int(struct bind *b, int64_t v)
{
	bind_rc(b, sqlite3_bind_int64(b->st, ++b->at, v));
}

/* Not copied: the text lives until the statement is reset. Absent is NULL. */
static inline void
bind_text(struct bind *b, struct text t)
{
	bind_rc(b, t.at == NULL ? sqlite3_bind_null(b->st, ++b->at) :
	    sqlite3_bind_text64(b->st, ++b->at, t.at, t.len, SQLITE_STATIC, SQLITE_UTF8));
}

static inline void
bind_key_text(struct bind *b, struct text t)	/* part of a primary key: absent is "" */
{
	bind_text(b, t.at == NULL ? TEXT("") : t);
}

static inline void
bind_octets(struct bind *b, struct text t)
{
	bind_rc(b, sqlite3_bind_blob64(b->st, ++b->at, t.at != NULL ? t.at : "", t.len,
	    SQLITE_STATIC));
}

static inline int64_t
take_int(struct bind *b)
{
	return sqlite3_column_int64(b->st, b->at++);
}

static inline struct text
take_text(struct bind *b)		/* until the statement moves on; also octets */
{
	struct text t = { .at = sqlite3_column_blob(b->st, b->at) };
	int type = sqlite3_column_type(b->st, b->at);

	t.len = (size_t)sqlite3_column_bytes(b->st, b->at++);
	if (t.at == NULL && type != SQLITE_NULL)
		t.at = "";
	return t;
}

/* --- store_sqlite_sql.c --- */

int	sql_prepare(struct store *, struct err *);		/* all of them */
int	sql_run(struct store *, struct bind *, struct err *);	/* to its end; 0, -1 */
int	sql_row(struct store *, struct bind *, struct err *);	/* 1: a row, go on with sql_row or sql_end; 0: none (left); -1 */
void	sql_end(struct bind *);
/* The store's error as ours; the verb's name stands before it. Returns -1. */
int	sql_fault(sqlite3 *, int rc, const char *what, struct err *);
int	meta_read(struct store *, const char *key, int64_t *value, struct err *);	/* 1, 0, -1 */
int	meta_write(struct store *, const char *key, int64_t value, struct err *);

/* Whatever a move made of it. */
struct store *sqlite_open_any(const struct store_conf *, struct err *);
/* Runs it, where a prepared statement would be too much. */
int	sql_text(struct store *, const char *text, struct err *);

/* --- store_sqlite_move.c --- */

/* -1: it was moved away, or not all of it has come yet; err says what to do. */
int	move_check_sqlite(struct store *, struct err *);

/* --- store_sqlite_file.c --- */

int	file_open(struct store *, const struct store_conf *, struct err *);	/* path, lock, db */
void	file_close(struct store *);

/* What was handed out in the former round goes. First thing in every verb that hands out. */
static inline void
round_goes_on(struct store *s)
{
	if (s->flushed)
		arena_reset(&s->texts);
	s->flushed = false;
}

/* --- store_sqlite_run.c --- */

int	run_add(struct store *, const struct store_settlement *, struct err *);	/* it finishes */
/* What the round still owes the tables. Before whoever looks at more than one row. */
int	run_settled(struct store *, struct err *);

/* --- store_sqlite_road.c --- */

void	road_submit(struct store *, const struct store_submit *, struct store_done *);
void	road_mark(struct store *, uint64_t epoch, uint64_t id, uint64_t order_key, const struct store_mark *,
	    struct store_done *);
void	road_settle(struct store *, uint64_t epoch, const struct store_settlement *, struct store_joined *,
	    struct store_done *);
void	road_receipt(struct store *, const struct store_receipt *, struct store_joined *, struct store_done *);
void	road_cancel(struct store *, uint64_t epoch, uint64_t id, uint64_t order_key, wall_t at,
	    struct store_done *);
void	road_replace(struct store *, uint64_t epoch, uint64_t id, uint64_t order_key, struct text body,
	    wall_t expires, struct store_done *);
void	road_notice_done(struct store *, uint64_t id, uint64_t order_key, struct store_done *);
void	road_notice_later(struct store *, uint64_t id, uint64_t order_key, uint16_t tries, wall_t due,
	    struct store_done *);
int	road_news(struct store *, const struct store_parts *, unsigned most, store_news_fn *, void *arg,
	    unsigned *seen, struct err *);
uint64_t *road_count(struct store *, enum store_state);	/* what a state counts as; FINISHED: NULL */
int	road_notice_put(struct store *, const struct store_notice *, struct err *);
int	road_purge(struct store *, wall_t before, unsigned most, unsigned *gone, struct err *);

/* --- store_sqlite_look.c --- */

int	look_load(struct store *, const struct store_parts *, struct store_cursor *, unsigned most,
	    store_index_fn *, void *arg, struct err *);
int	look_overdue(struct store *, const struct store_parts *, struct store_cursor *, unsigned most,
	    wall_t now, store_index_fn *, void *arg, struct err *);
int	look_held(struct store *, const struct store_parts *, struct store_cursor *, unsigned most,
	    store_index_fn *, void *arg, struct err *);
int	look_notices(struct store *, const struct store_parts *, struct store_cursor *, unsigned most,
	    store_notice_fn *, void *arg, struct err *);
void	look_notice(struct store *, uint64_t id, uint64_t order_key, struct store_notice *, struct store_done *);
void	look_flight(struct store *, uint64_t id, uint64_t order_key, struct store_flight *, struct store_done *);
int	look_find(struct store *, const struct store_place *, struct store_view *, struct err *);
int	look_find_push_id(struct store *, struct text account, struct text push_id, struct store_place *,
	    struct err *);
int	look_find_msisdn(struct store *, uint64_t order_key, struct text msisdn, unsigned most,
	    store_view_fn *, void *arg, struct err *);
int	look_find_foreign(struct store *, struct text domain, struct text foreign_id, struct store_place *,
	    struct err *);
/* What the receipts of an attempt say together; see receipt_join.h. */
struct receipt_join;
int	look_join(struct store *, uint64_t id, uint16_t attempt, struct receipt_join *, struct err *);

#endif
