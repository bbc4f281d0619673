/*
 * store_types.h - what goes into a store and comes out of it
 *
 * Texts are views: who hands something in keeps them until flush() has returned, what is handed out lives
 * as store.h says of each call.
 *
 * Threads: constant shapes.
 */
#ifndef QUEUE_STORE_TYPES_H
#define QUEUE_STORE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"

/* --- partitions, results ---------------------------------------------------------- */

enum { STORE_PARTITIONS = 256, STORE_NODE_SHIFT = 44 };

enum { PARTS_WORDS = STORE_PARTITIONS / 64 };
struct store_parts {		/* a set of partitions */
	uint64_t	 bits[PARTS_WORDS];
};

static inline bool
parts_has(const struct store_parts *p, unsigned part)
{
	return (p->bits[part / 64] >> part % 64 & 1) != 0;
}

static inline void
parts_set(struct store_parts *p, unsigned part, bool in)
{
	uint64_t bit = UINT64_C(1) << part % 64;

	p->bits[part / 64] = in ? p->bits[part / 64] | bit : p->bits[part / 64] & ~bit;
}

static inline bool
parts_none(const struct store_parts *p)
{
	return (p->bits[0] | p->bits[1] | p->bits[2] | p->bits[3]) == 0;
}

static inline unsigned
store_part(uint64_t order_key)
{
	return (unsigned)(order_key >> 56);
}

/*
 * What an operation answers. FAILED has an err: ERR_STORE is the store's trouble and dooms the round;
 * any other code means this one operation, which can never succeed, and the round must be rolled
 * back and done again without it. What is neither OK nor FAILED has changed nothing.
 */
enum store_result {
	STORE_OK, STORE_FAILED,
	STORE_FENCED,		/* the partition is not ours under this epoch */
	STORE_EXISTS,		/* submit: this account used this push-id already */
	STORE_ABSENT,		/* no such row */
	STORE_TOO_LATE		/* cancel, replace: a segment may have left, or it is finished;
				 * mark: it is answered (AWAITING, RIPE) */
};

struct store_done {
	enum store_result result;
	struct err	 err;		/* FAILED */
};

/* --- messages --------------------------------------------------------------------- */

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
	struct text	 link;		/* "node/name"; another node's: it is handed over to that one */
	wall_t		 at;
};

struct store_row {		/* a new message */
	uint64_t	 id, order_key;
	uint64_t	 epoch;		/* ours of its partition; 0: into the inbox */
	struct text	 msisdn, account, push_id, smsc, group;
	uint8_t		 klass;
	wall_t		 accepted, expires, due;	/* due 0: at once */
	struct text	 body;		/* the packed message */
	const struct store_mark *mark;	/* not NULL: STATE_SENDING in the same breath */
};

enum store_put {
	PUT_INBOX,		/* its partition is not ours under that epoch */
	PUT_WAITING,		/* also if a mark was asked for, but news for the same order key came first */
	PUT_MARKED
};

/* All rows of a submission are written, or none. */
struct store_submit {
	const struct store_row *rows;
	size_t		 n;
	/* answers; n of each, the caller's memory */
	uint64_t	*existing;	/* EXISTS: the id of the first time, 0 where the push-id is new */
	enum store_put	*how;		/* OK */
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
	const struct store_answer *answers;	/* of the open attempt, by segment */
	unsigned	 answer_count;
	/* STATE_RIPE, or AWAITING with a report to be told: what its receipts say, as in
	 * store_joined (after a crash the owner goes on from here) */
	uint8_t		 receipt_state;
	struct text	 receipt_id, receipt_said;
};

struct store_place {		/* where a look-up leads */
	uint64_t	 id;
	int		 part;		/* -1: the store has no need to know */
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

/* --- between nodes ------------------------------------------------------------ */

struct store_evidence {		/* what a node that is not the owner knows of an attempt */
	uint64_t	 id, order_key;
	uint16_t	 attempt;
	uint8_t		 segments;	/* total */
	const struct store_answer *answers;
	unsigned	 answer_count;
	struct text	 domain, said;	/* said: by the network, of a refusal */
	uint32_t	 code;		/* the network's */
	uint8_t		 verdict;	/* between owner and sender; the store does not look at it */
};

enum store_wish { WISH_CANCEL, WISH_REPLACE, WISH_RESEND, WISH_GIVE_UP };

struct store_request {		/* a change that only the owner can make */
	uint64_t	 number;	/* an id of who asks */
	enum store_wish	 wish;
	uint64_t	 id, order_key;
	struct text	 body;		/* REPLACE */
	wall_t		 expires;
};

struct store_news {		/* what came into the inbox of an owned partition */
	enum { NEWS_MESSAGE, NEWS_EVIDENCE, NEWS_RECEIPT, NEWS_REQUEST } kind;
	struct store_index message;		/* it is in the schedule now, WAITING */
	struct store_evidence evidence;		/* kept: of an open attempt */
	struct store_joined joined;		/* what the receipt did */
	struct store_request request;		/* to be answered */
};

struct store_send {		/* handed over: another node's message, to be sent over a link here */
	uint64_t	 id, order_key;
	struct store_mark mark;
	struct text	 body;
	uint8_t		 segments;	/* of an attempt that goes on; 0: none was sent yet */
	const struct store_answer *answers;
	unsigned	 answer_count;
};

/* --- membership ----------------------------------------------------------------- */

struct store_self {		/* what a node says of itself */
	struct text	 status;	/* absent: as before */
	bool		 leaving;	/* it is stopping: others may have its share */
};

struct store_peer {
	uint16_t	 node;
	bool		 alive, leaving;
	struct text	 name, status;	/* as that node published them */
	int64_t		 seen_ms;	/* ago: its last renewal */
};

struct store_members {
	bool		 alive;		/* false: we were declared dead, and own nothing */
	mono_t		 until;		/* our lease, counted from before the renewal was sent */
	uint16_t	 owner[STORE_PARTITIONS];	/* STORE_NOBODY, also where the owner is dead */
	const struct store_peer *peers;	/* with us; until the next keep() */
	unsigned	 peer_count;
	struct text	 mode;		/* set for all nodes with keeper_mode */
};
enum { STORE_NOBODY = 0xffff };

#endif
