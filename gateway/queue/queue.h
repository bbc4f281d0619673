/*
 * queue.h - the durable queue, one order of messages per MSISDN
 *
 * The loop's side of the store: operations collect while a transaction runs on the store
 * worker; when it ends, all that waits becomes the next one (group commit: no timer). Every
 * callback comes on the loop, after the commit, in the order of the calls.
 *
 * Two users, who never meet: intake submits, cancels, replaces and looks up; the owner
 * (dispatch) marks, settles, brings receipts and notifications. What intake submits is shown to
 * the owner through the table given with queue_owner_set.
 *
 * Store trouble (disk full, failed fsync, database away): submissions fail at once with
 * ERR_STORE; marks and receipts fail with it; settlements and finished notifications stay and are
 * retried, so nothing is forgotten. A commit whose outcome is unknown is settled by its
 * batch number after the store was reopened, never done twice.
 *
 * Owns: queue_submit takes the messages. Threads: the loop.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include "push/message.h"
#include "queue/store.h"

struct loop;
struct queue;
struct submission;

/* --- for intake ------------------------------------------------------------ */

/* err NULL: durable; ids[i] belongs to messages[i]. All or none. STORE_EXISTS (a repeated
 * push-id): err is NULL, `repeated` is true, nothing was stored, and ids are those of the first
 * time (0 where that push-id is new). */
typedef void queue_stored_fn(void *arg, const struct err *, const uint64_t *ids, size_t n,
		    bool repeated);
/* Takes messages[0..n-1] (each pointer becomes NULL). stored is called once, never inside. The
 * handle is for queue_withdraw and dies with the call of stored. NULL without memory: nothing taken. */
struct submission *queue_submit(struct queue *, struct message **messages, size_t n,
		    queue_stored_fn *stored, void *arg);
/* Out of the open batch: true, and stored will not be called. false: it is being committed. */
bool		 queue_withdraw(struct queue *, struct submission *);

typedef void queue_found_fn(void *arg, const struct err *, const struct store_view *, size_t n);
/* push_id: ours or the client's own. An absent account is an operator, for whom ours will do for
 * every message. */
void		 queue_find(struct queue *, struct text account, struct text push_id,
		    queue_found_fn *, void *arg);
/* Newest first, at most QUEUE_FOUND_MOST. */
enum { QUEUE_FOUND_MOST = 1000 };
void		 queue_find_msisdn(struct queue *, struct text msisdn, unsigned most, queue_found_fn *, void *arg);
typedef void queue_changed_fn(void *arg, const struct err *, enum store_result);
/* err NULL: the result says it. A replaced message keeps what identifies it: account, push-id,
 * receiver, smsc, group, class; another receiver is ERR_SYNTAX. Takes the message. */
void		 queue_cancel(struct queue *, struct text account, struct text push_id, queue_changed_fn *, void *arg);
void		 queue_replace(struct queue *, struct text account, struct text push_id,
		    struct message **taken, queue_changed_fn *, void *arg);
/* A person decides about a message of unknown outcome that is held (queue_held lists them): WISH_RESEND, it is
 * sent again and may arrive twice, or WISH_GIVE_UP, it ends as unknown, with its report. ABSENT: it is
 * not held. */
void		 queue_decide(struct queue *, uint64_t id, uint64_t order_key, enum store_wish,
		    queue_changed_fn *, void *arg);

/* --- for the owner --------------------------------------------------------- */

typedef void queue_decided_fn(void *arg, enum store_result);	/* OK, ABSENT, FAILED */

struct queue_owner {
	/* A new message of an owned partition is about to be written. true: it may leave at once; *mark is
	 * filled in (link stays valid until `stored`) and shares the put's transaction. */
	bool	(*offer)(void *arg, const struct message *, uint64_t order_key, struct store_mark *mark);
	/* It is durable. Takes the message. offered: the offer was accepted; marked: the mark was written. An
	 * accepted offer without its mark is off: somebody came before it, and was adopted just now. */
	void	(*stored)(void *arg, struct message **taken, uint64_t order_key, bool offered, bool marked);
	/* It is not, or not ours: an offer that was accepted is off. */
	void	(*dropped)(void *arg, const struct message *, uint64_t order_key, bool offered);
	/* One that others took in is in the schedule now, behind what is there; its body is in the store. */
	void	(*adopted)(void *arg, const struct store_index *);
	/* May this be cancelled or replaced? Asked on the loop before the write; true takes it out
	 * of the schedule until `changed`. */
	bool	(*withhold)(void *arg, uint64_t id, uint64_t order_key);
	void	(*changed)(void *arg, uint64_t id, uint64_t order_key, enum store_result, bool cancelled);
	/* These partitions are ours; what is in them is loaded next. */
	void	(*come)(void *arg, const struct store_parts *);
	/* A person's word about a message of ours; done is called once, perhaps at once. */
	void	(*decide)(void *arg, uint64_t id, uint64_t order_key, enum store_wish,
		    queue_decided_fn *done, void *done_arg);
	/* The index at start (and at a take-over), in slices, in order; end: that was all. What is loaded may
	 * leave at once; what is new meanwhile is adopted afterwards. */
	void	(*loaded)(void *arg, const struct store_index *rows, size_t n, bool end);
	void	(*loaded_notices)(void *arg, const struct store_notice *rows, size_t n, bool end);
	void	(*trouble)(void *arg, bool in_trouble, const struct err *);

	/* Several nodes only. These partitions go to another node: nothing of them may be begun any
	 * more; queue_left when nothing is under way. */
	void	(*leave)(void *arg, const struct store_parts *);
	/* They are gone: forget them. What is under way is answered to their owner, as evidence. */
	void	(*lost)(void *arg, const struct store_parts *);
	/* What others know of a message of ours: answers of an attempt; what a receipt decided. */
	void	(*evidence)(void *arg, const struct store_evidence *);
	void	(*joined)(void *arg, const struct store_joined *);
	/* Another owner's message, for a link of ours: its answers are evidence. */
	void	(*handed)(void *arg, const struct store_send *);
	/* The picture of who is there, twice a second; and what others see of us (malloc; NULL: as before). */
	void	(*members)(void *arg, const struct store_members *);
	char	*(*status)(void *arg);
};

typedef void queue_done_fn(void *arg, const struct err *);
typedef void queue_joined_fn(void *arg, const struct err *, const struct store_joined *);
typedef void queue_flight_fn(void *arg, const struct err *, const struct store_flight *);

/* The texts of the conf outlive the queue. */
struct queue	*queue_open(struct loop *, const struct store_driver *, const struct store_conf *,
		    struct err *);
void		 queue_owner_set(struct queue *, const struct queue_owner *, void *arg);
void		 queue_start(struct queue *);		/* claims the partitions, loads the index, slice by slice */
/* Waits for what is open, releases the leases. The last callbacks come from inside: close the queue
 * before who gave them is freed. */
void		 queue_close(struct queue **);

/* The mark of a message that was not marked with its put. */
void		 queue_mark(struct queue *, uint64_t id, uint64_t order_key, const struct store_mark *,
		    queue_done_fn *, void *arg);
/* A mark or settlement that the store refuses by its rules (gone, answered already, not our
 * partition) gets an err that is not ERR_STORE. Callbacks of the owner's calls may be NULL. */
/* Copies all of it. joined: NULL, or what early receipts did. */
void		 queue_settle(struct queue *, const struct store_settlement *, queue_joined_fn *, void *arg);
void		 queue_receipt(struct queue *, const struct store_receipt *, queue_joined_fn *, void *arg);
/* What a node that is not the owner (any more) knows of an attempt; kept until it is written. */
void		 queue_evidence(struct queue *, const struct store_evidence *, queue_done_fn *, void *arg);
void		 queue_flight(struct queue *, uint64_t id, uint64_t order_key, queue_flight_fn *, void *arg);
void		 queue_notice_done(struct queue *, uint64_t id, uint64_t order_key);
void		 queue_notice_later(struct queue *, uint64_t id, uint64_t order_key, uint16_t tries, wall_t due);
typedef void queue_notice_fn(void *arg, const struct err *, const struct store_notice *);	/* NULL: gone */
void		 queue_notice(struct queue *, uint64_t id, uint64_t order_key, queue_notice_fn *, void *arg);
/* A slice of what waits too long for receipts, or is ripe and was left by a crash. */
typedef void queue_overdue_fn(void *arg, const struct err *, const struct store_index *rows, size_t n);
void		 queue_overdue(struct queue *, queue_overdue_fn *, void *arg);

/* Those that wait for a person; some thousands at most. The whole queue is looked through, so only on
 * a person's demand. */
typedef void queue_held_fn(void *arg, const struct err *, const struct store_index *rows, size_t n);
void		 queue_held(struct queue *, queue_held_fn *, void *arg);

/* --- several nodes ------------------------------------------------------------ */

void		 queue_left(struct queue *, const struct store_parts *);	/* after `leave` */
/* false: our lease is over by the boot clock; nothing may be sent. Cheap. */
bool		 queue_may_send(const struct queue *);
void		 queue_stop(struct queue *);	/* we are about to end: others may have our share */
const struct store_members *queue_members(const struct queue *);	/* the last picture; NULL: none */
/* suspend, isolate, resume for all nodes: comes back in every node's picture. */
void		 queue_mode_all(struct queue *, struct text mode, queue_done_fn *, void *arg);

/* --- for both -------------------------------------------------------------- */

uint64_t	 queue_new_id(struct queue *);	/* for notices; 0: none left (long trouble) */
/* The push-id as the sender was given it: the client's own, or made from the id. */
void		 queue_push_id(const struct queue *, const struct message *, char out[PUSH_ID_MOST + 1]);
void		 queue_push_id_of(const struct queue *, uint64_t id, char out[PUSH_ID_SIZE]);
bool		 queue_in_trouble(const struct queue *, struct err *why);
struct text	 queue_node(const struct queue *);	/* "0": the number of this node, for link names */
void		 queue_backup(struct queue *, const char *file, queue_done_fn *, void *arg);

/* Words for look-ups, logs and status, by enum store_state and enum store_outcome. */
extern const char *const queue_states[], *const queue_outcomes[];

struct queue_stats {
	uint64_t	 submitted, batches, operations;
	unsigned	 open_operations;	/* waiting for the next commit or in it */
	struct store_counts counts;
};
void		 queue_stats(const struct queue *, struct queue_stats *);

#endif
