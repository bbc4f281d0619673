/*
 * store_pgsql_inner.h - what the files of the PostgreSQL store share
 *
 *   store_pgsql.c         the driver: open, rounds, commit
 *   store_pgsql_ops.c     operations of a round: what they need is read, then they are applied
 *   store_pgsql_news.c    what others brought: inbox, what was handed over
 *   store_pgsql_rows.c    messages in memory: found, kept, forgotten; rows of tables
 *   store_pgsql_beside.c  foreign ids, early receipts, push-ids of a flush
 *   store_pgsql_pack.c    what lies in one column: inbox, evidence
 *   store_pgsql_write.c   what a round changed becomes statements
 *   store_pgsql_look.c    look-ups, scans, purge
 *   store_pgsql_move.c    a move into it, or out of it
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
	ST_BEGIN, ST_COMMIT, ST_ROLLBACK,
	/* the fence, and what there is of a node */
	ST_FENCE, ST_ALIVE, ST_NUMBER, ST_BACK, ST_REJOIN, ST_IDS, ST_BATCH, ST_CLAIM, ST_RELEASE, ST_COUNTS,
	/* read */
	ST_NEWS, ST_HAS_EARLY, ST_EARLY_MET, ST_SENDS, ST_ROWS, ST_ROWS_BODY, ST_BODY, ST_FOREIGN, ST_EARLY,
	ST_PUSH_IDS, ST_NOTICE, ST_ANSWERS, ST_IDS_USED,
	/* write, in this order */
	ST_INBOX_CUT, ST_SEND_CUT, ST_PUSH_CUT, ST_PUSH_PUT, ST_BODY_PUT, ST_QUEUE_PUT, ST_INBOX_PUT,
	ST_BODY_SET, ST_EXPIRES_SET, ST_STATE_PUT, ST_SEND_PUT, ST_FOREIGN_CUT, ST_FOREIGN_PUT, ST_EARLY_CUT,
	ST_EARLY_PUT, ST_NOTICE_PUT, ST_NOTICE_SET, ST_NOTICE_CUT, ST_FINISH, ST_RESULT_PUT, ST_STATE_CUT, ST_BODY_CUT,
	ST_REQUEST_CUT, ST_ANSWER_CUT,
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

struct kept {
	struct row	 row;
	struct kept	*older, *newer;		/* by last use */
	struct kept	*next_touched;		/* by this transaction */
	struct kept	*next_changed;		/* by this flush */
	size_t		 octets;
	bool		 touched, changed;
	bool		 new;			/* changed: it has to be put */
	bool		 has_state;		/* there is a row in `state` */
	bool		 has_body;		/* the row's body is here */
	bool		 replaced;		/* changed: another body */
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

struct foreign {			/* where an id of an SMSC leads, as read or as changed in this flush */
	struct text	 domain, id;
	uint64_t	 message, key;
	uint16_t	 attempt;
	uint8_t		 segment;
	bool		 open;		/* read: the message is not finished */
	enum { FOREIGN_NOWHERE, FOREIGN_READ, FOREIGN_PUT, FOREIGN_CUT } is;	/* CUT: if it still leads there */
};

struct early {				/* a receipt that waits, as read or as changed in this flush */
	struct store_receipt r;		/* of domain and foreign_id; state NONE: there is none */
	bool		 there;		/* in the table */
	bool		 changed;	/* to be written */
};

struct send_key {			/* of a row of `send`, which is taken out when it was shown */
	int64_t		 id, part, attempt;
};

struct push {				/* a push-id that somebody in this flush wants */
	struct text	 account, push_id;
	uint64_t	 id;		/* of whom it leads to; 0: nobody yet */
	uint64_t	 put;		/* in the table for this id, by this flush; 0: not by us */
	unsigned	 part, put_part;
};

/* By the hash of one or two texts; what is found is compared. */
struct table {
	struct idmap	 map;		/* hash -> index + 1 */
	void		*rows;
	size_t		 count, room;
};

enum { COUNT_WAITING, COUNT_SENDING, COUNT_AWAITING, COUNT_HELD, COUNT_NOTICES, COUNT_EARLY, COUNTS };

struct store {
	struct pg	 pg;
	const struct store_conf *conf;
	struct store_conf given;
	uint16_t	 node;
	uint32_t	 tag;
	uint64_t	 life;			/* of the fence */
	mono_t		 fence_seen;		/* when it was last known to be ours */
	uint64_t	 epochs[STORE_PARTITIONS];	/* 0: not ours */
	uint64_t	 turns;			/* positions given under an epoch */
	uint64_t	 batch;
	bool		 open;			/* a transaction is, and its fence is touched */
	struct pg_args	 args[STATEMENTS];
	bool		 begun[STATEMENTS];	/* something is in them */
	unsigned	 number[STATEMENTS];	/* of the result, in the last trip */
	bool		 failed;		/* in the middle of applying: why */
	struct err	 why;

	/* rows */
	struct idmap	 by_id;			/* of kept rows */
	struct idmap	 by_foreign;		/* hash of a foreign id -> id of the message; it may be wrong */
	struct kept	*oldest, *newest, *touched;
	struct kept	*strays;		/* of partitions that are not ours: gone with this flush */
	size_t		 octets;

	/* the open round */
	struct round_op	*ops;
	size_t		 op_count, op_room;
	struct table	 foreign, early, push;
	struct idmap	 fresh;			/* order keys of what came from others in this round */
	struct kept	*changed, **changed_end;	/* in this flush */
	struct store_send *sends;		/* handed over to us, read with the news */
	struct send_key	*send_keys;
	unsigned	 send_count, sends_gone;	/* gone: with those that are over, all of the keys */
	bool		 sends_read;
	bool		 shown;			/* news: what was shown cannot be done again here */
	unsigned	 inbox_n;		/* tells rows of an inbox apart */
	bool		 has_early;		/* somewhere receipts wait for their messages */
	mono_t		 early_looked;
	struct arena	 texts;			/* what is handed out; until the next round's first call */
	struct arena	 work;			/* of one round */
	struct buf	 packed;		/* scratch */
	bool		 stale;			/* texts of the last round are still there */

	int64_t		 totals[COUNTS];	/* of all nodes, as last read, and ours since then */
	int64_t		 delta[COUNTS];		/* of this round */
	int64_t		 said[COUNTS];		/* of that, in the fence's row */
	int64_t		 unsaid[COUNTS];	/* of former rounds, not in the fence's row yet ... */
	bool		 unsaid_said;		/* ... but by this transaction */
	mono_t		 counted;

	struct pg	 load;			/* for scans that must not wait in our line */
	struct store_parts load_parts;
	struct store_cursor load_at;		/* a: position, b: id of the row shown last */
	unsigned	 load_chunk;		/* rows asked for at a time; one is on its way */
	bool		 loading;
};

/* A message, as row_of_result takes it. */
#define ROW_SQL "q.id, q.part, q.key, q.pos, q.accepted, q.expires, q.klass, q.msisdn, q.account," \
	" q.push_id, q.smsc, q.grp, q.due, q.state, q.attempt, q.ref, q.marked, q.link, t.id IS NOT NULL, t.state," \
	" t.flags, t.attempt, t.segs, t.tries, t.ref, t.due, t.marked, t.refused, t.link, t.evidence"

/* The state of q, if there is one. */
#define JOIN_STATE \
	" LEFT JOIN LATERAL (SELECT * FROM state WHERE id = q.id AND part = q.part OFFSET 0) t ON true"

/* --- between the files ----------------------------------------------------------------- */

/* store_pgsql.c */
int	 pgsql_connect(struct store *, struct err *);	/* s->conf; schema, statements */
void	 pgsql_free(struct store *);
struct store *pgsql_new(const struct store_conf *);	/* NULL: no memory */

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
int	 node_keep_epochs(struct store *, const uint64_t known[STORE_PARTITIONS], struct err *);
struct text machine_identity(struct buf *);		/* of this process, on this machine */
bool	 machine_is_dead(struct text identity);	/* it was on this machine, and is gone */

/* Declares a node dead, on any connection between transactions: it writes nothing any more, what it owned
 * is free. */
struct burial {
	uint16_t	 node;
	uint64_t	 life;		/* only if it is this one */
	int64_t		 renewals;	/* only if it still stands here; -1: wherever */
	long		 held_ms;	/* HELD: its writer is ended if its transaction is older than this */
	unsigned	 parts;		/* DONE: it owned so many */
};
enum { BURIAL_NOT_SO, BURIAL_DONE, BURIAL_HELD };	/* HELD: the row is locked by the writer; try again */
int	 node_bury(struct pg *, struct burial *, struct err *);

/* Milliseconds, of the primary's clock; a number comes again a day after its node was gone. */
#define PG_NOW		"(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
#define PG_DAY		"86400000"
/* This transaction's COMMIT waits for the disk, and for what else the server is set to. */
#define PG_SYNC		"SELECT set_config('synchronous_commit', CASE WHEN reset_val IN ('on', 'remote_apply')" \
			" THEN reset_val ELSE 'on' END, true) FROM pg_settings WHERE name = 'synchronous_commit'"

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
__attribute__((noreturn))
void	 no_memory(void);		/* ends the process: what was accepted is committed */
struct kept *kept_any(const struct store *, uint64_t id);	/* in memory, or NULL */
struct kept *kept_get(struct store *, uint64_t id);	/* ... and not finished; used now */
struct kept *kept_new(struct store *, const struct row *like);
/* A row of a result with ROW_COLUMNS (behind them its body, if so), or what is here already. */
struct kept *kept_read(struct store *, const PGresult *, unsigned row, bool body);
void	 kept_change(struct store *, struct kept *);	/* it is about to be changed */
void	 kept_settle(struct store *, bool committed);	/* the transaction is over */
void	 kept_trim(struct store *);			/* between rounds */
void	 kept_drop_strays(struct store *);
void	 kept_forget(struct store *);			/* all of them */
void	 kept_forget_parts(struct store *, const struct store_parts *);
struct kept *kept_by_foreign(struct store *, struct text domain, struct text id, const struct row_segment **);
void	 kept_leads(struct store *, const struct row *, struct text domain, struct text id);
void	 row_of_result(const PGresult *, unsigned row, struct row *);	/* views into the result; evidence in its arena */
uint64_t texts_hash(struct text, struct text);		/* never 0 */
int64_t	 foreign_part(struct text domain, struct text id);	/* the look-up's own hash */
void	 count_move(struct store *, enum store_state from, enum store_state to);	/* FINISHED: none */
void	 counts_settle(struct store *, bool committed);

/* store_pgsql_beside.c: what lies beside the rows */
struct row_world beside_world(struct store *);
void	 beside_clear(struct store *);			/* the flush is over */
void	 beside_free(struct store *);
struct foreign *foreign_get(struct store *, struct text domain, struct text id, bool make);
struct early *early_get(struct store *, struct text domain, struct text id, bool make);
void	 push_put(struct store *, struct text account, struct text push_id, uint64_t id, unsigned part);
struct push *push_get(struct store *, struct text account, struct text push_id, bool make);
void	 foreign_read(struct store *, const PGresult *);	/* of ST_FOREIGN */
void	 early_read(struct store *, const PGresult *);		/* of ST_EARLY */
void	 early_keep(struct store *, const struct store_receipt *, struct store_joined *);

/* store_pgsql_ops.c */
int	 ops_flush(struct store *, struct err *);
struct round_op *ops_add(struct store *, enum op_of_round, struct store_done *);
void	 ops_clear(struct store *);			/* the round is over */
/* false: it changes nothing. */
bool	 ops_receipt(struct store *, struct kept *, uint16_t attempt, uint8_t segment,
	    const struct store_receipt *, struct store_joined *);
void	 notice_put(struct store *, const struct store_notice *);
int	 ops_body(struct store *, struct kept *, struct err *);	/* reads it, when it is not here */
void	 joined_own(struct store *, struct store_joined *);	/* its texts, into s->texts */
void	 inbox_put(struct store *, unsigned kind, uint64_t id, uint64_t key);	/* s->packed */
void	 row_enter(struct store *, struct row *, bool marked);	/* a new one into the schedule */

/* store_pgsql_news.c */
int	 news_read(struct store *, const struct store_parts *, unsigned most, store_news_fn *, void *,
	    unsigned *seen, struct err *);
int	 sends_read(struct store *, unsigned most, store_send_fn *, void *, unsigned *seen, struct err *);

/* store_pgsql_pack.c: what travels through an inbox, and evidence; into an emptied buffer */
void	 pack_message(const struct store_row *, struct buf *);
void	 pack_evidence(const struct store_evidence *, struct buf *);
void	 pack_receipt(uint16_t attempt, uint8_t segment, const struct store_receipt *, struct buf *);
void	 pack_request(const struct store_request *, struct buf *);
/* Views into the data, answers in the arena; id, order_key and number are the caller's. false: damaged. */
bool	 unpack_message(struct text data, struct store_row *);
bool	 unpack_evidence(struct text data, struct store_evidence *, struct arena *);
bool	 unpack_receipt(struct text data, uint16_t *attempt, uint8_t *segment, struct store_receipt *);
bool	 unpack_request(struct text data, struct store_request *);
void	 pack_segments(const struct row *, struct buf *);
bool	 unpack_segments(struct text data, struct row *);	/* in the row's arena, texts are views */

/* store_pgsql_write.c */
int	 write_begin(struct store *, struct err *);	/* a transaction, with the fence; -1: ERR_FENCED, too */
int	 write_fenced(struct err *);		/* -1; its ERR_FENCED becomes ERR_STORE */
int	 write_all(struct store *, struct err *);	/* -1: err; ERR_FENCED: somebody declared us dead */
/* A message that comes from another store, as one that was put. */
void	 write_moved(struct store *, const struct row *);
/* The transaction was not: back to what is in the tables. */
void	 write_undo(struct store *);

/* store_pgsql_look.c: the driver's verbs */
int	 pg_look_find(struct store *, const struct store_place *, struct store_view *, struct err *);
int	 pg_look_push_id(struct store *, struct text account, struct text push_id, struct store_place *, struct err *);
int	 pg_look_foreign(struct store *, struct text domain, struct text id, struct store_place *, struct err *);
int	 pg_look_msisdn(struct store *, uint64_t key, struct text msisdn, unsigned most, store_view_fn *, void *,
	    struct err *);
int	 pg_look_load(struct store *, const struct store_parts *, struct store_cursor *, unsigned most,
	    store_index_fn *, void *, struct err *);
int	 pg_look_overdue(struct store *, const struct store_parts *, struct store_cursor *, unsigned most, wall_t now,
	    store_index_fn *, void *, struct err *);
int	 pg_look_held(struct store *, const struct store_parts *, struct store_cursor *, unsigned most,
	    store_index_fn *, void *, struct err *);
int	 pg_look_notices(struct store *, const struct store_parts *, struct store_cursor *, unsigned most,
	    store_notice_fn *, void *, struct err *);
int	 pg_look_purge(struct store *, wall_t before, unsigned most, unsigned *gone, struct err *);
int	 pg_look_counts(struct store *, struct store_counts *, struct err *);
void	 pg_look_end(struct store *);			/* a scan that was not finished: at close, rejoin */

/* store_pgsql_keeper.c */
extern const struct pg_stmt keeper_statements[];	/* ended by a NULL name */
struct store_keeper *keeper_open(const struct store_conf *, uint16_t node, struct err *);
void	 keeper_close(struct store_keeper **);
int	 keeper_keep(struct store_keeper *, const struct store_self *, struct store_members *, struct err *);
int	 keeper_mode(struct store_keeper *, struct text mode, struct err *);

/* store_pgsql_move.c: in the transaction in which a node joins. -1: it was moved away, or not all of it has
 * come yet; err says what to do. */
int	 move_check_pgsql(struct store *, struct err *);

/* Its arguments, emptied: for pg_ask. */
static inline struct pg_args *
args_begin(struct store *s, enum pg_which which)
{
	pg_args_begin(&s->args[which], &pg_statements[which]);
	return &s->args[which];
}

/* Those to which rows are added until they are asked. */
static inline struct pg_args *
args_of(struct store *s, enum pg_which which)
{
	if (!s->begun[which])
		pg_args_begin(&s->args[which], &pg_statements[which]);
	s->begun[which] = true;
	return &s->args[which];
}

/* Asks it if there is something in it. */
static inline bool
args_ask(struct store *s, enum pg_which which)
{
	if (!s->begun[which])
		return false;
	s->begun[which] = false;
	s->number[which] = pg_ask(&s->pg, &s->args[which]);
	return true;
}

static inline const PGresult *
result_of(const struct store *s, enum pg_which which)
{
	return pg_result(&s->pg, s->number[which]);
}

#endif
