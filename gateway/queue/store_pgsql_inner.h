/*
 * store_pgsql_inner.h - what the files of the PostgreSQL store share
 *
 *   store_pgsql.c         the driver: open, rounds, commit
 *   store_pgsql_ops.c     operations of a round: what they need is read, then they are applied
 *   store_pgsql_news.c    what others brought: inbox, what was handed over
 *   store_pgsql_rows.c    messages in memory: found, kept, forgotten; rows of tables
 *   store_pgsql_write.c   what a round changed becomes statements
 *   store_pgsql_look.c    look-ups, scans, purge
 *   store_pgsql_node.c    our number, fence, partitions, ids
 *   store_pgsql_keeper.c  the lease, on a connection of its own; the tables' health
 *   store_pgsql_schema.c  tables and their versions
 *   store_pgsql_sql.c     every statement
 *   store_pgsql_wire.c    libpq
 *
 * The store is a unit of work: a round's operations are applied to rows in memory, by the rules of row.c,
 * then all that changed is written with few statements, each for the whole batch. Nobody but the owner of
 * a partition changes its messages, so the rows of owned partitions stay in memory between
 * rounds (bounded) and need not be read again. The fence (one row a node) is touched first in every
 * transaction that writes: who was declared dead meanwhile writes nothing.
 */
#ifndef QUEUE_STORE_PGSQL_INNER_H
#define QUEUE_STORE_PGSQL_INNER_H

#include "base/idmap.h"
#include "queue/row.h"
#include "queue/store.h"
#include "queue/store_pgsql_wire.h"

enum { PG_LEASE_MS = 10000, PG_LEASE_MARGIN_MS = 2000 };

/* --- statements ----------------------------------------------------------------- */

enum pg_which {
	/* the fence, and what there is of a node */
	ST_FENCE, ST_ALIVE, ST_REJOIN, ST_DISOWN, ST_IDS, ST_BATCH, ST_CLAIM, ST_RELEASE, ST_COUNTS,
	/* read */
	ST_NEWS, ST_HAS_EARLY, ST_EARLY_MET, ST_SENDS, ST_ROWS, ST_ROWS_BODY, ST_FOREIGN, ST_EARLY, ST_PUSH_IDS,
	ST_NOTICE,
	/* write */
	ST_INBOX_CUT, ST_SEND_CUT, ST_PUSH_PUT, ST_PUSH_CUT, ST_BODY_PUT, ST_QUEUE_PUT, ST_INBOX_PUT,
	ST_BODY_SET, ST_EXPIRES_SET, ST_STATE_PUT, ST_SEND_PUT, ST_FOREIGN_PUT, ST_FOREIGN_CUT, ST_EARLY_PUT,
	ST_EARLY_CUT, ST_NOTICE_PUT, ST_NOTICE_SET, ST_NOTICE_CUT, ST_FINISH, ST_STATE_CUT, ST_BODY_CUT,
	ST_REQUEST_CUT, ST_ANSWER_PUT, ST_ANSWER_CUT,
	/* look */
	ST_OPEN, ST_RESULT, ST_WAITS_IN, ST_MSISDN_OPEN, ST_MSISDN_RESULT, ST_MSISDN_WAITS_IN, ST_PUSH_ID,
	ST_FOREIGN_ID, ST_OVERDUE, ST_HELD, ST_NOTICES, ST_PURGE, ST_PURGE_EARLY, ST_PURGE_ANSWERS,
	STATEMENTS
};
extern const struct pg_stmt pg_statements[STATEMENTS + 1];
extern const char pg_settings[];		/* of the session: statements have one plan only */

/* Columns of every query that shows messages, in order. */
enum {
	C_ID, C_PART, C_KEY, C_POS, C_ACCEPTED, C_EXPIRES, C_KLASS, C_MSISDN, C_ACCOUNT, C_PUSH_ID, C_SMSC, C_GRP,
	C_DUE, C_STATE, C_ATTEMPT, C_REF, C_MARKED, C_LINK,	/* as it was put */
	C_T, C_T_STATE, C_T_FLAGS, C_T_ATTEMPT, C_T_SEGS, C_T_TRIES, C_T_REF, C_T_DUE, C_T_MARKED, C_T_REFUSED,
	C_T_LINK, C_T_EVIDENCE,					/* as it is; C_T: there is such a row */
	ROW_COLUMNS
};

/* state.flags: left, wanted, pended of struct row. */
enum { FLAG_LEFT = 1, FLAG_WANTED = 2, FLAG_PENDED = 4, FLAG_TO_TELL = FLAG_WANTED | FLAG_PENDED };

enum { INBOX_MESSAGE, INBOX_EVIDENCE, INBOX_RECEIPT, INBOX_REQUEST };

/* --- messages in memory ----------------------------------------------------------- */

struct kept {			/* of an owned partition */
	struct row	 row;
	struct kept	*older, *newer;		/* by last use */
	struct kept	*next_touched;		/* by this transaction */
	struct kept	*next_foreign;		/* whose foreign id has the same hash */
	size_t		 octets;
	bool		 touched, new, changed, finished;	/* by this flush */
	bool		 has_state;		/* there is a row in `state` */
	bool		 has_body;		/* the row's body is here */
	bool		 body_set, expires_set;	/* replaced */
};

/* --- what a round gathers ------------------------------------------------------------ */

enum op_of_round {
	RO_SUBMIT, RO_MARK, RO_SETTLE, RO_RECEIPT, RO_EVIDENCE, RO_CANCEL, RO_REPLACE, RO_NOTICE_DONE,
	RO_NOTICE_LATER, RO_FLIGHT, RO_NOTICE, RO_REQUEST, RO_ANSWER, RO_ANSWERED
};

struct round_op {
	enum op_of_round kind;
	uint64_t	 epoch, id, key;
	const void	*in;		/* store_submit, store_mark, ...; the caller's */
	void		*out;		/* store_joined, store_flight, ... */
	struct store_done *done;
	struct text	 body;		/* replace */
	wall_t		 at;		/* cancel; expires of replace; due of notice_later */
	unsigned	 number;	/* tries; result */
};

struct foreign {			/* where an id leads, changed in this flush */
	struct text	 domain, id;
	const struct kept *to;		/* NULL: nowhere */
	uint16_t	 attempt;
	uint8_t		 segment;
	uint64_t	 message;
	bool		 cut_only;	/* if it still leads to message, attempt, segment */
};

struct early {				/* a receipt that waits, as read or as changed in this flush */
	struct store_receipt r;
	bool		 there, changed;	/* in the table now; to be written */
};

struct inbox_entry {			/* news of this round: out of the table with its writes */
	struct text	 tid;
};

struct store {
	struct pg	 pg;
	const struct store_conf *conf;
	uint16_t	 node;
	uint32_t	 tag;
	uint64_t	 life;			/* of the fence */
	mono_t		 fence_seen;		/* when it was last known to be ours */
	uint64_t	 epochs[STORE_PARTITIONS];	/* 0: not ours */
	uint64_t	 turns;			/* positions given under an epoch */
	uint64_t	 batch;
	bool		 open, fenced;		/* a transaction; its fence is touched */
	struct pg_args	 args[STATEMENTS];

	/* rows */
	struct idmap	 by_id, by_foreign;	/* the latter by hash */
	struct kept	*oldest, *newest, *touched;
	size_t		 octets;

	/* the open round */
	struct round_op	*ops;
	size_t		 op_count, op_room;
	struct foreign	*foreign;
	size_t		 foreign_count, foreign_room;
	struct idmap	 foreign_map;		/* hash -> index + 1 */
	struct early	*early;
	size_t		 early_count, early_room;
	struct idmap	 early_map;
	uint64_t	*fresh;			/* order keys of what came from others in this round */
	size_t		 fresh_count, fresh_room;
	unsigned	 inbox_n;		/* rows put into inboxes in this flush */
	bool		 wrote;			/* something is to be written, or was, in this round */
	bool		 has_early;
	mono_t		 early_looked;
	unsigned	 sends_result;		/* of the trip of news(); UINT_MAX: not asked */
	struct arena	 texts;			/* what is handed out; until the next round's first call */
	struct arena	 work;			/* of one flush */
	bool		 stale;			/* texts of the last round are still there */

	struct store_counts totals;		/* of all nodes, as their fences say: + unsaid is what is */
	int64_t		 delta[6];		/* waiting, sending, awaiting, held, notices, early: since the commit */
	int64_t		 unsaid[6];		/* not in the fence's row yet */
	mono_t		 counted;

	struct pg	 load;			/* for scans that must not wait in our line */
	struct store_parts load_parts;
	struct store_cursor load_at;		/* a: position, b: id of the row shown last */
	unsigned	 load_chunk;		/* rows asked for at a time; one is on its way */
	bool		 loading;
};

/* --- between the files ----------------------------------------------------------------- */

/* store_pgsql_schema.c */
int	 schema_open(struct pg *, uint32_t *tag, struct err *);

/* store_pgsql_node.c */
int	 node_join(struct store *, struct err *);
void	 node_leave(struct store *);
int	 node_claim(struct store *, const struct store_parts *, struct store_parts *got, struct err *);
int	 node_release(struct store *, const struct store_parts *, struct err *);
int	 node_reserve(struct store *, uint32_t count, uint64_t *first, struct err *);
int	 node_last_batch(struct store *, uint64_t *batch, struct err *);
int	 node_look(struct store *, struct err *);	/* is the fence still ours? joins again if not */
int	 node_rejoin(struct store *, struct err *);
struct text machine_identity(struct buf *);		/* of this process, on this machine */
bool	 machine_is_dead(struct text identity);	/* it was on this machine, and is gone */

static inline bool
owns(const struct store *s, uint64_t key)
{
	return s->epochs[store_part(key)] != 0;
}

static inline bool
owns_under(const struct store *s, uint64_t key, uint64_t epoch)
{
	return epoch != 0 && s->epochs[store_part(key)] == epoch;
}

/* store_pgsql_rows.c */
struct kept *kept_get(struct store *, uint64_t id);	/* open, and in memory; NULL: not here */
struct kept *kept_new(struct store *, const struct row *like);
struct kept *kept_read(struct store *, const PGresult *, unsigned row, bool body);	/* or what is here already */
void	 kept_body(struct store *, struct kept *, struct text body);
void	 kept_touch(struct store *, struct kept *);	/* it is about to be changed */
void	 kept_settle(struct store *, bool committed);	/* the transaction is over */
void	 kept_forget(struct store *);			/* all of it */
void	 kept_forget_parts(struct store *, const struct store_parts *);
struct kept *kept_by_foreign(struct store *, struct text domain, struct text id, const struct row_segment **);
void	 kept_lead(struct store *, struct kept *);	/* its foreign ids are found from now on */
void	 row_of_result(const PGresult *, unsigned row, struct row *);	/* views into the result; evidence in its arena */
void	 evidence_pack(const struct row *, struct buf *);
uint64_t foreign_hash(struct text domain, struct text id);

void	 count_move(struct store *, enum store_state from, enum store_state to);	/* FINISHED: none */
enum { COUNT_WAITING, COUNT_SENDING, COUNT_AWAITING, COUNT_HELD, COUNT_NOTICES, COUNT_EARLY };

/* store_pgsql_ops.c */
int	 ops_flush(struct store *, struct err *);
void	 ops_clear(struct store *);			/* the round is over */
void	 work_clear(struct store *);			/* the flush is written */
struct row_world ops_world(struct store *);
bool	 ops_receipt(struct store *, struct kept *, uint16_t attempt, uint8_t segment,
	    const struct store_receipt *, struct store_joined *);	/* false: it changes nothing */
void	 inbox_put(struct store *, unsigned kind, uint64_t id, uint64_t key, const struct buf *data);
int	 early_meet(struct store *, const PGresult *);	/* receipts that came early, read */

/* store_pgsql_news.c */
int	 news_read(struct store *, const struct store_parts *, unsigned most, store_news_fn *, void *,
	    unsigned *seen, struct err *);
int	 sends_read(struct store *, unsigned most, store_send_fn *, void *, unsigned *seen, struct err *);
void	 message_pack_row(const struct store_row *, struct buf *);
void	 evidence_news_pack(const struct store_evidence *, struct buf *);
void	 receipt_news_pack(uint16_t attempt, uint8_t segment, const struct store_receipt *, struct buf *);
void	 request_pack(const struct store_request *, struct buf *);
bool	 message_unpack_row(struct text data, struct store_row *);

/* store_pgsql_write.c */
int	 write_all(struct store *, struct err *);	/* -1: err, or err->code ERR_FENCED */
int	 write_begin(struct store *, struct err *);	/* a transaction, with the fence */
bool	 write_needed(const struct store *);

/* store_pgsql_look.c: the driver's verbs */
int	 look_find(struct store *, const struct store_place *, struct store_view *, struct err *);
int	 look_push_id(struct store *, struct text account, struct text push_id, struct store_place *, struct err *);
int	 look_foreign(struct store *, struct text domain, struct text id, struct store_place *, struct err *);
int	 look_msisdn(struct store *, uint64_t key, struct text msisdn, unsigned most, store_view_fn *, void *,
	    struct err *);
int	 look_load(struct store *, const struct store_parts *, struct store_cursor *, unsigned most,
	    store_index_fn *, void *, struct err *);
int	 look_overdue(struct store *, const struct store_parts *, struct store_cursor *, unsigned most, wall_t now,
	    store_index_fn *, void *, struct err *);
int	 look_held(struct store *, const struct store_parts *, struct store_cursor *, unsigned most,
	    store_index_fn *, void *, struct err *);
int	 look_notices(struct store *, const struct store_parts *, struct store_cursor *, unsigned most,
	    store_notice_fn *, void *, struct err *);
int	 look_purge(struct store *, wall_t before, unsigned most, unsigned *gone, struct err *);
int	 look_counts(struct store *, struct store_counts *, struct err *);
void	 look_end(struct store *);			/* a scan that was not finished: at close, rejoin */

/* store_pgsql_keeper.c */
struct store_keeper *keeper_open(const struct store_conf *, uint16_t node, struct err *);
void	 keeper_close(struct store_keeper **);
int	 keeper_keep(struct store_keeper *, const struct store_self *, struct store_members *, struct err *);
int	 keeper_mode(struct store_keeper *, struct text mode, struct err *);

/* Several of these at once: see pg_ask. */
static inline struct pg_args *
args_of(struct store *s, enum pg_which which)
{
	return &s->args[which];
}

static inline struct pg_args *
args_begin(struct store *s, enum pg_which which)
{
	pg_args_begin(&s->args[which], &pg_statements[which]);
	return &s->args[which];
}

#endif
