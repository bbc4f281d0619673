/*
 * queue_inner.h - what the files of the queue share
 *
 *   queue.c         each call: how it becomes an operation, how its result is told
 *   queue_heart.c   the heart: what waits, batches, trouble, ids, start and end
 *   queue_writer.c  the worker's side: one batch against the store
 *
 * An operation belongs to the loop while it waits and when it is done, to the worker while
 * its batch runs. The writer belongs to whoever runs the batch; the loop does not look into it
 * meanwhile.
 */
#ifndef QUEUE_QUEUE_INNER_H
#define QUEUE_QUEUE_INNER_H

#include "base/buf.h"
#include "io/loop.h"
#include "io/work.h"
#include "queue/arena.h"
#include "queue/queue.h"

enum {
	BATCH_MOST = 2000,	/* operations a transaction: bounds the latency of who waits behind */
	SPARE_MOST = 4096,	/* operations kept for reuse */
	ID_BLOCK = 65536,
	NEWS_SLICE = 1000,
	LOAD_SLICE = 5000,	/* rows: about 3 ms of the store, and of the owner */
	PURGE_SLICE = 500,
	RETRY_MS = 1000,
	PURGE_MS = 10000,
	PURGE_FIRST_MS = 1000
};

enum op_kind {
	OP_SUBMIT, OP_MARK, OP_SETTLE, OP_RECEIPT, OP_CANCEL, OP_REPLACE, OP_NOTICE_DONE,
	OP_NOTICE_LATER, OP_PURGE, OP_LOCATE, OP_FIND, OP_FIND_MSISDN, OP_FLIGHT, OP_NOTICE,
	OP_OVERDUE, OP_HELD, OP_LOAD, OP_LOAD_NOTICES, OP_CLAIM, OP_RELEASE, OP_NEWS, OP_COUNT
};

enum op_fate {			/* of what could not be written */
	FATE_FAILS,		/* its caller is told at once */
	FATE_STAYS,		/* is tried again until it is in */
	FATE_READS,		/* needs no transaction */
	FATE_ALONE		/* a batch of its own, outside of a transaction; fails like the first */
};

enum put_offer { OFFER_NONE, OFFER_REFUSED, OFFER_TAKEN };

struct put {			/* one message of a submission */
	struct message	*message;
	uint64_t	 order_key;
	enum put_offer	 offer;		/* what the owner said; NONE: it is not ours to offer */
	struct store_mark mark;
};

struct op {
	struct op	*next;
	enum op_kind	 kind;
	bool		 withdrawn;
	bool		 spoiled;	/* cannot share a transaction: result and err say why */
	struct store_done done;
	struct arena	 in, out;	/* texts of the call, of the result */
	union {
		queue_stored_fn	*stored;
		queue_found_fn	*found;
		queue_changed_fn *changed;
		queue_done_fn	*done;
		queue_joined_fn	*joined;
		queue_flight_fn	*flight;
		queue_notice_fn	*notice;
		queue_overdue_fn *overdue;	/* also of queue_held: the same shape */
	} call;
	void		*arg;
	uint64_t	 id, order_key;
	union {
		struct {
			struct put	*puts;
			uint64_t	*ids;
			size_t		 n;
			bool		 offered;
			struct store_submit asked;	/* while its batch runs */
		} submit;
		struct store_mark mark;
		struct {
			struct store_settlement in;
			struct store_joined joined;
		} settle;
		struct {
			struct store_receipt in;
			struct store_joined joined;
		} receipt;
		struct {		/* cancel and replace: located first, then done */
			enum op_kind	 then;
			struct text	 account, push_id;
			struct message	*message;
			struct store_view view;
		} change;
		struct {
			struct text	 account, push_id, msisdn;
			unsigned	 most;
			struct store_view *views;
			size_t		 n;
		} find;
		struct {
			uint16_t	 tries;
			wall_t		 due;
			struct store_notice found;
		} notice;
		struct store_flight flight;
		struct {
			struct store_parts parts;
			struct store_cursor at;
			struct store_index *rows;
			struct store_notice *notices;
			unsigned	 n;
		} scan;
		struct store_parts parts;	/* claim, release: which; claim: which came */
		unsigned	 purged;
	} u;
};

struct op_list {
	struct op	*head, **tail;
	unsigned	 count;
};

static inline void
ops_empty(struct op_list *l)
{
	*l = (struct op_list){ .tail = &l->head };
}

static inline void
ops_add(struct op_list *l, struct op *op)
{
	op->next = NULL;
	*l->tail = op;
	l->tail = &op->next;
	l->count++;
}

static inline struct op *
ops_take(struct op_list *l)
{
	struct op *op = l->head;

	if (op == NULL)
		return NULL;
	if ((l->head = op->next) == NULL)
		l->tail = &l->head;
	l->count--;
	return op;
}

/* Moves all of `from` behind `to`. */
static inline void
ops_join(struct op_list *to, struct op_list *from)
{
	if (from->head == NULL)
		return;
	*to->tail = from->head;
	to->tail = from->tail;
	to->count += from->count;
	ops_empty(from);
}

/* --- the worker's side --- */

enum batch_outcome {
	BATCH_DONE,
	BATCH_FAILED,		/* nothing of it is in; err says why */
	BATCH_IN_DOUBT		/* nobody knows until the store can be opened again */
};

struct batch {
	struct work	 work;		/* first member: work <-> batch */
	struct op_list	 ops;
	bool		 transaction;	/* false: reads only, or what runs alone */
	struct store_parts owned;	/* what is in them goes into the schedule at once */
	bool		 probe;		/* commit even if there is nothing to write */
	bool		 doubtful;	/* it may be in already: ask first */
	uint32_t	 want_ids;
	/* results */
	enum batch_outcome outcome;
	struct err	 err;
	uint64_t	 ids_first;	/* want_ids of them; 0: none came */
	struct store_counts counts;
	struct news	*news, **news_tail;	/* of owned partitions, before all operations */
	bool		 more_news;
	struct arena	 arena;		/* of the news, and of bodies while it runs */
};

struct news {
	struct news	*next;
	struct store_news is;
};

struct writer {
	const struct store_driver *driver;
	struct store_conf conf;
	struct store	*store;		/* NULL: to be opened again */
	uint64_t	 number;	/* of the newest transaction */
	struct store_parts claimed;
	struct buf	 body;
	uint32_t	 tag;
	bool		 wrote;		/* the open transaction has changed something */
};

int	 writer_open(struct writer *, const struct store_driver *, const struct store_conf *,
	    struct err *);
void	 writer_close(struct writer *);
void	 writer_run(struct writer *, struct batch *);

/* --- the heart --- */

struct ids {
	uint64_t	 next, end;	/* the open block */
	uint64_t	 more, more_end;	/* the one after it */
};

/* What the heart tells those who make the operations. */
struct heart_calls {
	/* The result is in op, which is theirs now. */
	void	(*tell)(struct queue *, struct op *);
	/* A submission is about to be written; there are ids for it. */
	void	(*offer)(struct queue *, struct op *);
	/* What came from others; before the operations of its batch. */
	void	(*news)(struct queue *, const struct store_news *);
};

struct queue {
	struct loop	*loop;
	const struct heart_calls *calls;
	struct worker	*worker;
	struct writer	 writer;
	const struct queue_owner *owner;
	void		*owner_arg;

	struct op_list	 waiting;	/* for the next batch */
	struct op_list	 kept;		/* in trouble: what stays until it is in */
	struct op_list	 after_load;	/* cancels that must not overtake the index */
	struct op	*spare;
	unsigned	 spare_count;
	struct batch	 batch;
	bool		 running, closing;
	struct soon	 turn;

	struct store_parts owned;	/* loaded: in the owner's hands */
	struct store_parts loading;	/* claimed, being loaded */

	bool		 trouble, doubt, probe_now;
	struct err	 why;
	struct timer	*retry, *purge;
	bool		 purging;
	int64_t		 wall_offset;	/* wall clock minus boot clock, at the last look */
	mono_t		 purge_not_before;

	struct ids	 ids;
	struct store_cursor overdue_at;
	char		 node[8];
	struct queue_stats stats;

	struct worker	*copier;	/* for backups; made when first needed */
};

extern const enum op_fate op_fates[OP_COUNT];

struct queue *heart_open(struct loop *, const struct store_driver *, const struct store_conf *,
	    const struct heart_calls *, struct err *);
void	 heart_close(struct queue **);

struct op *op_new(struct queue *, enum op_kind);
void	 op_free(struct queue *, struct op *);
void	 op_wait(struct queue *, struct op *);	/* into the next batch */
uint64_t id_take(struct queue *);		/* 0: none left */
void	 queue_trouble(struct queue *, const struct err *);	/* begins, or goes on */

#endif
