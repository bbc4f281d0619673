/*
 * queue_inner.h - what the files of the queue share
 *
 *   queue.c         each call: how it becomes an operation, how its result is told
 *   queue_heart.c   the heart: what waits, batches, trouble, ids, start and end
 *   queue_change.c  cancel and replace, here and by other owners
 *   queue_nodes.c   which partitions are ours; the keeper of our lease
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
	OP_OVERDUE, OP_HELD, OP_LOAD, OP_LOAD_NOTICES, OP_CLAIM, OP_RELEASE, OP_NEWS,
	OP_EVIDENCE, OP_REQUEST, OP_ANSWERED, OP_ANSWER, OP_COUNT
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
	struct op	*next, *next_served;
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
		struct {		/* cancel and replace: located first, then done; decide */
			enum store_wish	 wish;
			struct text	 account, push_id;
			struct message	*message;
			struct store_view view;
			/* by another owner, or for another node */
			struct store_request request;	/* number 0: neither */
			bool		 served;	/* for another node */
			struct queue	*queue;		/* while the owner decides */
			enum store_result answer;
			mono_t		 deadline;	/* for the other owner's answer */
		} change;
		struct store_evidence evidence;
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
			struct store_cursor from, at;	/* at: afterwards */
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
	struct handed	*handed, **handed_tail;	/* to us, by other owners */
	bool		 takes_sends;	/* what was handed over to us is taken: the lease lasts */
	bool		 more_news;
	struct arena	 arena;		/* of the news, and of bodies while it runs */
};

struct news {
	struct news	*next;
	struct store_news is;
};

struct handed {
	struct handed	*next;
	struct store_send is;
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

/* --- several nodes --- */

struct keep {			/* one look of the keeper */
	struct work	 work;		/* first member: work <-> keep */
	struct queue	*queue;
	const struct store_driver *driver;
	struct store_keeper *keeper;
	struct store_self self;
	char		*status, *mode;
	bool		 told;		/* the status is with the store */
	queue_done_fn	*mode_done;
	void		*mode_arg;
	struct store_members seen;	/* while it runs: the keeper's */
	struct err	 err;
	int		 rc;
	struct store_members members;	/* the last picture, on the loop; what it shows lies in `texts` */
	struct arena	 texts;
};

struct nodes {
	struct store_keeper *keeper;	/* NULL: there is one node only */
	struct worker	*worker;
	struct keep	 keep;
	bool		 keeping, silent, known;	/* known: keep.members says something */
	bool		 leaves;	/* we are stopping */
	bool		 claiming;
	mono_t		 until;		/* our lease; INT64_MAX: for ever */
	struct store_parts scanning;	/* some load of them is under way */
	struct store_parts leaving;	/* out of the owner's hands, not released yet */
	struct store_parts releasing;
	struct store_parts moved;	/* claimed or released since the look under way began: it may not know */
	struct timer	*tick, *leave, *poll;
	uint64_t	 polled;	/* stats.batches at the last poll */
	char		*status, *mode;	/* for the next look */
	queue_done_fn	*mode_done;
	void		*mode_arg;
};

/* --- changes (queue_change.c) --- */

void	 change_tell_located(struct queue *, struct op *);
void	 change_tell(struct queue *, struct op *);		/* cancelled, replaced */
void	 change_tell_request(struct queue *, struct op *);
void	 change_tell_answered(struct queue *, struct op *);
void	 change_tell_answer(struct queue *, struct op *);
void	 change_serve(struct queue *, const struct store_request *);	/* another node's */
void	 change_poll(struct queue *);			/* have other owners answered? */
void	 change_close(struct queue *);			/* what was never answered stays a request */

int	 nodes_open(struct queue *, struct err *);
void	 nodes_close(struct queue *);		/* before the writer */
void	 nodes_tell_claim(struct queue *, struct op *);
void	 nodes_tell_load(struct queue *, struct op *);
void	 nodes_tell_load_notices(struct queue *, struct op *);
void	 nodes_tell_release(struct queue *, struct op *);
/* It is ours and being loaded, or will be at once. */
bool	 nodes_are_loading(const struct queue *, unsigned part);

/* What the heart tells those who make the operations. */
struct heart_calls {
	/* The result is in op, which is theirs now. */
	void	(*tell)(struct queue *, struct op *);
	/* A submission is about to be written; there are ids for it. */
	void	(*offer)(struct queue *, struct op *);
	/* What came from others; before the operations of its batch. */
	void	(*news)(struct queue *, const struct store_news *);
	void	(*handed)(struct queue *, const struct store_send *);
	/* Of those above the heart: its own things stand; all is quiet; the worker is over. */
	int	(*open)(struct queue *, struct err *);
	void	(*polled)(struct queue *);
	void	(*close)(struct queue *);
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
	struct op_list	 after_load;	/* changes that must not overtake the index */
	struct op_list	 asked;		/* changes that other owners were asked for */
	struct op	*serving;	/* changes that other nodes asked us for */
	struct op	*spare;
	unsigned	 spare_count;
	struct batch	 batch;
	bool		 running, closing;
	struct soon	 turn;

	struct store_parts owned;	/* loaded: in the owner's hands */
	struct store_parts loading;	/* claimed, being loaded */
	struct nodes	 nodes;

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

static inline bool
may_send(const struct queue *q)		/* our lease lasts, by the boot clock */
{
	return q->nodes.until == INT64_MAX || clock_mono() < q->nodes.until;
}

struct queue *heart_open(struct loop *, const struct store_driver *, const struct store_conf *,
	    const struct heart_calls *, struct err *);
void	 heart_close(struct queue **);

struct op *op_new(struct queue *, enum op_kind);
void	 op_free(struct queue *, struct op *);
void	 op_wait(struct queue *, struct op *);	/* into the next batch */
const struct err *op_err(struct op *);		/* of its result; NULL: all is well */
const struct err *op_failure(const struct op *);	/* of look-ups: absent is no fault */
uint64_t id_take(struct queue *);		/* 0: none left */
void	 queue_trouble(struct queue *, const struct err *);	/* begins, or goes on */

#endif
