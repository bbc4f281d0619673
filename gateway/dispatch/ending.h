/*
 * ending.h - a settlement, the event that it tells of, and the line in the log: one breath
 *
 * Threads: the loop.
 */
#ifndef DISPATCH_ENDING_H
#define DISPATCH_ENDING_H

#include "dispatch/ledger.h"
#include "push/escape.h"

struct endings;
struct message;
struct notify;

struct endings	*endings_new(struct ledger *, struct notify *);
void		 endings_free(struct endings **);

/* Settles; the event (NULL: none) is a notification if the message asks for it, called after the
 * commit. Fills in id, key, time and notices of the settlement. joined may be NULL. */
void		 ending_settle(struct endings *, const struct message *, uint64_t order_key,
		    struct store_settlement *, struct report *, queue_joined_fn *joined, void *arg);

/* The same for a message that is not at hand: its body is read first, then it finishes. */
struct errand {
	enum store_outcome outcome;
	int		 event;		/* enum dlr_event */
	wall_t		 unless_valid;	/* not if its validity ends after this; 0: always */
};
enum errand_end { ERRAND_DONE, ERRAND_GONE, ERRAND_VALID, ERRAND_TROUBLE };
typedef void errand_done_fn(void *arg, enum errand_end, uint64_t id, uint64_t order_key, wall_t expires);
void		 ending_errand(struct endings *, uint64_t id, uint64_t order_key, const struct errand *,
		    errand_done_fn *, void *arg);
size_t		 endings_open(const struct endings *);	/* errands under way */

#endif
