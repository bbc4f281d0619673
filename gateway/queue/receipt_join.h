/*
 * receipt_join.h - many receipts, one outcome: what the segments of a message say together
 *
 * A segment that failed or expired decides at once: the message cannot become whole any
 * more. Otherwise every segment that can have a receipt (it has a foreign id) must have its
 * final one; the worst of them is the message's. Both drivers feed it segment by segment, so
 * they cannot disagree.
 *
 * Threads: pure.
 */
#ifndef QUEUE_RECEIPT_JOIN_H
#define QUEUE_RECEIPT_JOIN_H

#include "queue/store.h"

struct receipt_join {
	unsigned	 rows, open;	/* segments with evidence; of these without a final receipt */
	uint8_t		 state;		/* enum store_receipt_state: the worst so far */
	struct text	 foreign_id, said;	/* of the receipt that says so */
};

static inline bool
receipt_final(uint8_t state)
{
	return state >= RECEIPT_DELIVERED;
}

/* What a receipt does to one that is there: a final one stays, the same again is nothing. */
static inline bool
receipt_beats(uint8_t news, uint8_t known)
{
	return news != RECEIPT_NONE && news != known && !receipt_final(known);
}

static inline unsigned
receipt_rank(uint8_t state)		/* how bad */
{
	static const uint8_t rank[] = {
		[RECEIPT_NONE] = 0, [RECEIPT_PENDING] = 1, [RECEIPT_DELIVERED] = 2,
		[RECEIPT_UNKNOWN] = 3, [RECEIPT_EXPIRED] = 4, [RECEIPT_FAILED] = 5
	};

	return state < sizeof rank ? rank[state] : 0;
}

static inline void
receipt_join_add(struct receipt_join *j, uint8_t state, struct text foreign_id, struct text said)
{
	j->rows++;
	if (foreign_id.len > 0 && !receipt_final(state))
		j->open++;
	if (state != RECEIPT_NONE && receipt_rank(state) >= receipt_rank(j->state)) {
		j->state = state;
		j->foreign_id = foreign_id;
		j->said = said;
	}
}

static inline bool
receipt_join_decided(const struct receipt_join *j, unsigned segments)
{
	if (j->state == RECEIPT_FAILED || j->state == RECEIPT_EXPIRED)
		return true;
	return receipt_final(j->state) && j->open == 0 && j->rows >= segments;
}

#endif
