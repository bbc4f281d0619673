/*
 * store.h - the backend contract: what every store must be
 *
 * The owner schedules in memory; the store is a journal with random access: bodies written
 * once, a small hot table, results, no secondary index on the hot path (architecture, section 3).
 *
 * NODES. A process that opens the store is a node and has a number. Where one store serves several
 * nodes (driver->keeper_open is there), MSISDNs are spread over 256 PARTITIONS by the top octet of the
 * order key. A partition has one owner at most, who claimed it under an EPOCH that grows with
 * every claim; only the owner schedules what is in it (put, mark, settle, cancel, replace), and these
 * operations carry the epoch: under another one they answer STORE_FENCED. Everybody may bring
 * evidence (receipts, answers). What is for the owner from others (new messages, answers,
 * requests) goes to the partition's INBOX, and comes to it as news. With one node all of this is
 * trivial, and the same code runs.
 *
 * ROUNDS. Verbs are called from the store worker's thread only (keeper verbs: from the keeper's).
 * begin() .. flush() .. commit() is a round; a round of reads alone is just flush(). Operations (those
 * with a struct store_done) may be carried out together: what is handed in must live until flush()
 * has returned, what they answer stands then and lives, texts included, until the first call of the next
 * round. Operations on one message take effect in the order of the calls.
 *
 * Every write touches one partition, which is part of every key. Ids: 60 bits, node << 44 | counter,
 * from a high-water mark kept in the store: reserve(). They never come again, whatever is purged.
 */
#ifndef QUEUE_STORE_H
#define QUEUE_STORE_H

#include "queue/store_types.h"

struct store;			/* one open store; its layout is the driver's */
struct store_keeper;		/* renews this node's lease, on a connection of its own */

/* commit() */
enum store_commit { COMMIT_DONE, COMMIT_NOT_DONE, COMMIT_UNKNOWN };

typedef void store_index_fn(void *arg, const struct store_index *);
typedef void store_view_fn(void *arg, const struct store_view *);
typedef void store_notice_fn(void *arg, const struct store_notice *);
typedef void store_news_fn(void *arg, const struct store_news *);
typedef void store_send_fn(void *arg, const struct store_send *);

struct store_cursor {		/* where a scan goes on; zeroed: at the beginning */
	uint64_t	 a, b;
	bool		 end;		/* that was all */
};

struct store_conf {
	const char	*path;		/* SQLite: the file; shared memory: its name */
	const char	*conninfo;	/* PostgreSQL */
	const char	*node_name;	/* for display */
	long		 retention_s;	/* of finished messages */
	long		 lease_ms;	/* how long a node may be silent before others take over */
	unsigned	 again;		/* our number + 1, when it is opened again; 0: a new one is given */
};

struct store_driver {
	const char	*name;		/* the value of `engine =` */

	/* Creates or upgrades the schema; a newer schema than this program knows is refused. */
	struct store	*(*open)(const struct store_conf *, struct err *);
	/* For good: what it owns is free at once. Before a reopen for doubt: not for good. */
	void		 (*close)(struct store **, bool for_good);
	/* Copies the store as of now into a new file. On any thread, open or not: it has a connection
	 * of its own. */
	int		 (*backup)(const struct store_conf *, const char *file, struct err *);

	/* `batch` grows by one with every round that writes; after COMMIT_UNKNOWN or a reopen,
	 * last_batch() tells whether that one is in: then it must not be done again. What it says, and a
	 * COMMIT_NOT_DONE, stays so if the power fails. 0: none yet. A new process goes on from
	 * last_batch(). A node that was declared dead joins again in begin() and
	 * owns nothing then. */
	int		 (*begin)(struct store *, uint64_t batch, struct err *);
	int		 (*flush)(struct store *, struct err *);
	enum store_commit (*commit)(struct store *, struct err *);	/* flushed */
	void		 (*rollback)(struct store *);
	int		 (*last_batch)(struct store *, uint64_t *batch, struct err *);

	/* Outside of a round. */
	uint16_t	 (*node)(struct store *);	/* our number, 0..65534 */
	uint32_t	 (*tag)(struct store *);	/* random, made with the store; in push-ids */
	int		 (*reserve)(struct store *, uint32_t count, uint64_t *first, struct err *);
	/* Takes those of the set that nobody alive owns; *got: which, with those that were ours already. */
	int		 (*claim)(struct store *, const struct store_parts *, struct store_parts *got, struct err *);
	int		 (*release)(struct store *, const struct store_parts *, struct err *);
	uint64_t	 (*epoch)(const struct store *, unsigned part);	/* 0: not ours; in a round too */

	/* The road of a message. */
	void		 (*submit)(struct store *, const struct store_submit *, struct store_done *);
	void		 (*mark)(struct store *, uint64_t epoch, uint64_t id, uint64_t order_key,
			    const struct store_mark *, struct store_done *);
	/* joined: when receipts had come early for the answers in it; may be NULL. */
	void		 (*settle)(struct store *, uint64_t epoch, const struct store_settlement *,
			    struct store_joined *, struct store_done *);
	/* Evidence, from whoever brings it. */
	void		 (*receipt)(struct store *, const struct store_receipt *, struct store_joined *,
			    struct store_done *);
	void		 (*evidence)(struct store *, const struct store_evidence *, struct store_done *);
	void		 (*cancel)(struct store *, uint64_t epoch, uint64_t id, uint64_t order_key,
			    wall_t at, struct store_done *);
	/* A new body for the same id: only while WAITING and never sent. */
	void		 (*replace)(struct store *, uint64_t epoch, uint64_t id, uint64_t order_key,
			    struct text body, wall_t expires, struct store_done *);
	void		 (*notice_done)(struct store *, uint64_t id, uint64_t order_key, struct store_done *);
	void		 (*notice_later)(struct store *, uint64_t id, uint64_t order_key, uint16_t tries,
			    wall_t due, struct store_done *);
	/* Reading; these two also without begin. */
	void		 (*flight)(struct store *, uint64_t id, uint64_t order_key, struct store_flight *,
			    struct store_done *);
	void		 (*notice)(struct store *, uint64_t id, uint64_t order_key, struct store_notice *,
			    struct store_done *);

	/* News of these owned partitions, in the order in which it came (the store's clock, then id): at most
	 * `most`, the first calls of a round. *seen fewer: that was all. What is shown lives in the call. */
	int		 (*news)(struct store *, const struct store_parts *, unsigned most, store_news_fn *,
			    void *arg, unsigned *seen, struct err *);
	/* NULL where there is one node only: */
	/* ... what was handed over to this node; it is taken out, and the answers are evidence. */
	int		 (*sends)(struct store *, unsigned most, store_send_fn *, void *arg, unsigned *seen,
			    struct err *);
	void		 (*request)(struct store *, const struct store_request *, struct store_done *);
	/* The owner's answer; who asked looks for it: ABSENT until there is one, then it is taken out. */
	void		 (*answer)(struct store *, uint64_t number, uint64_t order_key, enum store_result,
			    struct store_done *);
	void		 (*answered)(struct store *, uint64_t number, uint64_t order_key,
			    enum store_result *, struct store_done *);

	/* Scans of these partitions, in slices: each call looks at up to `most` rows and shows those that are
	 * meant, in the order in which they take turns. */
	int		 (*load)(struct store *, const struct store_parts *, struct store_cursor *, unsigned most,
			    store_index_fn *, void *arg, struct err *);	/* all but AWAITING and RIPE */
	int		 (*overdue)(struct store *, const struct store_parts *, struct store_cursor *,
			    unsigned most, wall_t now, store_index_fn *, void *arg, struct err *);
			    /* AWAITING past expires + 24 h, or with a report to be told; and RIPE */
	int		 (*held)(struct store *, const struct store_parts *, struct store_cursor *, unsigned most,
			    store_index_fn *, void *arg, struct err *);
	int		 (*notices)(struct store *, const struct store_parts *, struct store_cursor *,
			    unsigned most, store_notice_fn *, void *arg, struct err *);

	/* Look-ups of the whole queue. */
	int		 (*find)(struct store *, const struct store_place *, struct store_view *, struct err *);	/* 1, 0, -1 */
	int		 (*find_push_id)(struct store *, struct text account, struct text push_id,
			    struct store_place *, struct err *);
	int		 (*find_foreign)(struct store *, struct text domain, struct text foreign_id,
			    struct store_place *, struct err *);
	/* Newest first. */
	int		 (*find_msisdn)(struct store *, uint64_t order_key, struct text msisdn, unsigned most,
			    store_view_fn *, void *arg, struct err *);
	int		 (*counts)(struct store *, struct store_counts *, struct err *);

	/* Takes away up to `most` finished messages (and early receipts) older than `before`. */
	int		 (*purge)(struct store *, wall_t before, unsigned most, unsigned *gone, struct err *);

	/* NULL: one node only. Its thread is not the worker's; the node's number is that of the open store. */
	struct store_keeper *(*keeper_open)(const struct store_conf *, uint16_t node, struct err *);
	void		 (*keeper_close)(struct store_keeper **);
	/* Renews our lease, declares dead who did not, publishes what we say, looks who is there. */
	int		 (*keep)(struct store_keeper *, const struct store_self *, struct store_members *,
			    struct err *);
	int		 (*keeper_mode)(struct store_keeper *, struct text mode, struct err *);	/* of all nodes */
};

extern const struct store_driver store_sqlite, store_memory;
/* The memory store of several nodes in one process (tests): who opens the same path shares it. */
extern const struct store_driver store_shared;

#endif
