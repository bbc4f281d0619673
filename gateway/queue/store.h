/*
 * store.h - the backend contract: what every store must be
 *
 * Verbs are synchronous and called from the store worker's thread only, inside
 * begin() .. commit() unless they say otherwise. One transaction carries everything that
 * happened in a turn. The owner schedules in memory; the store is a journal with random
 * access: body table written once, small hot table, result table, no secondary index on
 * the hot path (architecture section 3).
 *
 * Partition: the top octet of the order key, 0..255. Every write names its partition and
 * touches only it. Scheduling writes (put as owner, mark, settle, cancel, replace, adopt)
 * carry the epoch under which this node owns the partition and fail with STORE_FENCED when
 * it does no more; evidence (answers and receipts from whoever brings them) does not.
 * On SQLite and in memory one node owns all: epochs are 1 and lease calls are trivial.
 *
 * Ids: 60 bits, node << 44 | counter, from a high-water mark kept in the store: reserve().
 * They never come again, whatever is purged.
 *
 * Texts handed in are copied; texts handed out live until the next call on the store.
 */
#ifndef QUEUE_STORE_H
#define QUEUE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"

struct store;			/* one open store; its layout is the driver's */

enum { STORE_PARTITIONS = 256 };

/*
 * What a verb answers. FAILED has an err and dooms the transaction: roll back. ERR_STORE is the
 * store's trouble; any other code means this one operation, which can never succeed. What is
 * neither OK nor FAILED has changed nothing.
 */
enum store_result {
	STORE_OK, STORE_FAILED,
	STORE_FENCED,		/* the partition is not ours under this epoch */
	STORE_EXISTS,		/* put, inbox: this account used this push-id already */
	STORE_ABSENT,		/* no such row */
	STORE_TOO_LATE		/* cancel, replace: a segment may have left, or it is finished;
				 * mark: it is answered (AWAITING, RIPE) */
};
/* commit() */
enum store_commit { COMMIT_DONE, COMMIT_NOT_DONE, COMMIT_UNKNOWN };

enum store_state {		/* of a message that is not finished */
	STATE_WAITING,		/* for its turn, a link, or `due` */
	STATE_SENDING,		/* marked: octets may leave or have left */
	STATE_UNKNOWN,		/* sent, outcome unknown, the link's policy is resend: turn held until due */
	STATE_HELD,		/* outcome unknown, for a person */
	STATE_AWAITING,		/* all segments accepted, receipts to come */
	STATE_RIPE,		/* receipts decide: the owner has to finish it */
	STATE_FINISHED		/* only in views and settlements */
};

enum store_outcome {		/* how it finished */
	OUTCOME_NONE,
	OUTCOME_SENT,		/* accepted by the SMSC, no receipt wanted */
	OUTCOME_DELIVERED, OUTCOME_FAILED, OUTCOME_REJECTED, OUTCOME_EXPIRED,
	OUTCOME_UNKNOWN,	/* no receipt came in time, or given up after an unknown */
	OUTCOME_CANCELLED
};

struct store_mark {		/* before the first octet leaves */
	uint16_t	 attempt;	/* from 1 */
	uint16_t	 reference;	/* concatenation */
	struct text	 link;		/* "node/name" */
	wall_t		 at;
};

struct store_row {		/* put */
	uint64_t	 id, order_key;
	struct text	 msisdn, account, push_id, smsc, group;
	uint8_t		 klass;
	wall_t		 accepted, expires, due;	/* due 0: at once */
	struct text	 body;		/* the packed message */
	const struct store_mark *mark;	/* not NULL: STATE_SENDING in the same breath */
};

/* The first intermediate report of a message, for who wants to hear of it. */
enum store_pending {
	PENDING_AS_IT_WAS,
	PENDING_WANTED,		/* somebody does: `first_pending` when it comes */
	PENDING_TOLD		/* this settlement tells of it; TOO_LATE if it was told before */
};

enum store_answer_state { ANSWER_NONE, ANSWER_ACCEPTED, ANSWER_REFUSED, ANSWER_UNKNOWN };

struct store_answer {		/* evidence: what became of one segment */
	uint8_t		 segment;	/* from 1 */
	uint8_t		 state;		/* enum store_answer_state */
	struct text	 foreign_id;	/* normalised; empty: none, no receipt can match */
};

struct store_notice {		/* a callback that is due: a row until it was made */
	uint64_t	 id, message;	/* ids of one message grow in the order of its events */
	uint64_t	 order_key;
	struct text	 url;		/* expanded */
	wall_t		 due, until;	/* until: then it is given up */
	uint16_t	 tries;
};

struct store_settlement {	/* a change of a message's state, all of it at once */
	uint64_t	 id, order_key;
	enum store_state state;
	uint16_t	 attempt;
	wall_t		 due;		/* WAITING, UNKNOWN */
	wall_t		 at;
	uint8_t		 segments;	/* total; 0: not known yet */
	/* evidence of this attempt to keep: while it is not complete, or awaited */
	const struct store_answer *answers;
	unsigned	 answer_count;
	struct text	 domain;	/* of the foreign ids */
	bool		 new_attempt;	/* forget the evidence of former attempts */
	uint16_t	 tries;		/* refusals that counted so far ... */
	wall_t		 refused;	/* ... and when the first of them came; 0: none */
	enum store_pending pending;
	/* STATE_FINISHED */
	enum store_outcome outcome;
	uint32_t	 code;		/* the network's */
	struct text	 link;		/* that carried it; absent: none */
	/* notifications that this brings */
	const struct store_notice *notices;
	unsigned	 notice_count;
};

enum store_receipt_state { RECEIPT_NONE, RECEIPT_PENDING, RECEIPT_DELIVERED, RECEIPT_EXPIRED,
    RECEIPT_FAILED, RECEIPT_UNKNOWN };

struct store_receipt {		/* evidence */
	struct text	 domain, foreign_id, said;
	uint8_t		 state;
	wall_t		 at;
};

/* What a receipt (or the evidence in a settlement that met receipts that came early) did. */
struct store_joined {
	bool		 matched;	/* false: kept as an early receipt */
	bool		 changed;	/* false: the same again, or after the final one */
	bool		 first_pending;	/* the message's first intermediate report, which is wanted */
	bool		 ripe;		/* decided now: state is RIPE, the owner finishes it */
	uint8_t		 state;		/* enum store_receipt_state, joined over the segments */
	uint64_t	 id, order_key;
	uint16_t	 attempt;
	struct text	 foreign_id, said;	/* of the receipt that decided */
	struct text	 body;		/* packed message, when ripe or first_pending; else absent */
	struct text	 link;
};

struct store_index {		/* what an owner keeps in memory of a message */
	uint64_t	 id, order_key;
	struct text	 msisdn, account, smsc, group, link;
	enum store_state state;
	uint8_t		 klass;
	uint16_t	 attempt, reference, tries;
	bool		 pending;	/* AWAITING: its first intermediate report is to be told */
	wall_t		 due, accepted, expires, marked, refused;
};

struct store_flight {		/* what it needs to send it */
	uint64_t	 id;
	struct text	 body;		/* absent: gone (cancelled, finished) */
	enum store_state state;
	uint16_t	 attempt, reference;
	struct text	 link;
	uint8_t		 segments;
	struct store_answer answers[255];	/* of the open attempt */
	unsigned	 answer_count;
	/* STATE_RIPE, or AWAITING with a report to be told: what its receipts say, as in
	 * store_joined (after a crash the owner goes on from here) */
	uint8_t		 receipt_state;
	struct text	 receipt_id, receipt_said;
};

struct store_view {		/* a look-up's answer */
	uint64_t	 id, order_key;
	struct text	 msisdn, account, push_id, link;
	enum store_state state;
	enum store_outcome outcome;
	uint16_t	 attempt;
	uint32_t	 code;
	wall_t		 accepted, expires, due, finished;
};

struct store_counts {		/* cheap; as of the last commit */
	uint64_t	 waiting, sending, awaiting, held, notices, early;
};

struct store_lease {
	uint8_t		 partition;
	uint64_t	 epoch;		/* 0: not ours */
};

typedef void store_index_fn(void *arg, const struct store_index *);
typedef void store_view_fn(void *arg, const struct store_view *);
typedef void store_notice_fn(void *arg, const struct store_notice *);
typedef void store_row_fn(void *arg, const struct store_row *);

struct store_conf {
	const char	*path;		/* SQLite: the file */
	const char	*conninfo;	/* PostgreSQL */
	const char	*node_name;	/* for display */
	long		 retention_s;	/* of finished messages */
};

struct store_driver {
	const char	*name;		/* the value of `engine =` */

	/* Creates or upgrades the schema; a newer schema than this program knows is refused. */
	struct store	*(*open)(const struct store_conf *, struct err *);
	void		 (*close)(struct store **);
	/* Copies the store as of now into a new file. On any thread, open or not: it has a connection
	 * of its own. */
	int		 (*backup)(const struct store_conf *, const char *file, struct err *);

	/* `batch` grows by one with every transaction; after COMMIT_UNKNOWN or a reopen, last_batch()
	 * tells whether that one is in: then it must not be done again. 0: none yet. A new process
	 * goes on from last_batch(). */
	int		 (*begin)(struct store *, uint64_t batch, struct err *);
	enum store_commit (*commit)(struct store *, struct err *);
	void		 (*rollback)(struct store *);
	int		 (*last_batch)(struct store *, uint64_t *batch, struct err *);

	/* Outside a transaction. */
	uint16_t	 (*node)(struct store *);	/* our number, 0..65535 */
	uint32_t	 (*tag)(struct store *);	/* random, made with the store; in push-ids */
	int		 (*reserve)(struct store *, uint32_t count, uint64_t *first, struct err *);
	/* Leases: renewals and take-overs due now; what is ours afterwards. */
	int		 (*leases)(struct store *, struct store_lease leases[STORE_PARTITIONS], struct err *);
	void		 (*release)(struct store *);	/* clean shutdown: hand over at once */

	/* The road of a message. */
	enum store_result (*put)(struct store *, uint64_t epoch, const struct store_row *,
			    uint64_t *existing, struct err *);
	enum store_result (*mark)(struct store *, uint64_t epoch, uint64_t id, uint64_t order_key,
			    const struct store_mark *, struct err *);
	/* joined: when receipts had come early for the answers in it; may be NULL if no answers. */
	enum store_result (*settle)(struct store *, uint64_t epoch, const struct store_settlement *,
			    struct store_joined *, struct err *);
	/* Evidence from whoever brings it. */
	enum store_result (*receipt)(struct store *, const struct store_receipt *,
			    struct store_joined *, struct err *);
	enum store_result (*cancel)(struct store *, uint64_t epoch, uint64_t id, uint64_t order_key,
			    wall_t at, struct err *);
	/* A new body for the same id: only while WAITING and never sent. */
	enum store_result (*replace)(struct store *, uint64_t epoch, uint64_t id, uint64_t order_key,
			    struct text body, wall_t expires, struct err *);

	/* Inbox: for who is not the owner. adopt moves up to `most` rows of a partition in and
	 * shows them, ordered by the store's clock, then id. */
	enum store_result (*inbox)(struct store *, const struct store_row *, struct err *);
	enum store_result (*adopt)(struct store *, uint8_t partition, uint64_t epoch, unsigned most,
			    store_row_fn *, void *arg, struct err *);

	/* Notifications. */
	enum store_result (*notice_done)(struct store *, uint64_t id, uint64_t order_key, struct err *);
	enum store_result (*notice_later)(struct store *, uint64_t id, uint64_t order_key,
			    uint16_t tries, wall_t due, struct err *);

	/* Reading (inside or outside a transaction). Each looks at up to `most` rows with id > after,
	 * in order of id, shows those that are meant, and sets *after to the last one it saw; *seen
	 * fewer than most: the end. */
	int		 (*load)(struct store *, uint64_t *after, unsigned most,	/* all but AWAITING and RIPE */
			    store_index_fn *, void *arg, unsigned *seen, struct err *);
	int		 (*overdue)(struct store *, uint64_t *after, unsigned most, wall_t now,
			    store_index_fn *, void *arg, unsigned *seen, struct err *);	/* AWAITING past expires + 24 h,
					 * or with a report to be told; and RIPE */
	int		 (*held)(struct store *, uint64_t *after, unsigned most,
			    store_index_fn *, void *arg, unsigned *seen, struct err *);
	int		 (*notices)(struct store *, uint64_t *after, unsigned most,
			    store_notice_fn *, void *arg, unsigned *seen, struct err *);
	enum store_result (*notice)(struct store *, uint64_t id, store_notice_fn *, void *arg, struct err *);
	enum store_result (*flight)(struct store *, uint64_t id, uint64_t order_key,
			    struct store_flight *, struct err *);
	enum store_result (*find)(struct store *, uint64_t id, struct store_view *, struct err *);
	enum store_result (*find_push_id)(struct store *, struct text account, struct text push_id,
			    uint64_t *id, struct err *);
	/* Newest first. */
	int		 (*find_msisdn)(struct store *, uint64_t order_key, struct text msisdn, unsigned most,
			    store_view_fn *, void *arg, struct err *);
	enum store_result (*find_foreign)(struct store *, struct text domain, struct text foreign_id,
			    uint64_t *id, struct err *);
	int		 (*counts)(struct store *, struct store_counts *, struct err *);

	/* Takes away up to `most` finished messages (and early receipts) older than `before`. */
	int		 (*purge)(struct store *, wall_t before, unsigned most, unsigned *gone, struct err *);
};

extern const struct store_driver store_sqlite, store_memory;

#endif
