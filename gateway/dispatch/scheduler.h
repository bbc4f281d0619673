/*
 * scheduler.h - which message leaves next, over which link, and what follows from the answer
 *
 *   scheduler.c   claimed, taken, loaded, expired: up to the moment a message may leave
 *   turn.c        one turn on a link: segments out, answers in, what follows
 *   doubt.c       outcomes that nobody knows: waited for, sent again, settled late
 *   afar.c        over another node's link, and over ours for another owner
 *   leave.c       partitions that come and go
 *   settle.c      how a flight ends: settlement, event, log
 *   routing.c     which links may carry it
 *
 * Owns: what waits and what is on its way, in memory. Threads: the loop.
 */
#ifndef DISPATCH_SCHEDULER_H
#define DISPATCH_SCHEDULER_H

#include "dispatch/dispatch.h"
#include "dispatch/ending.h"
#include "dispatch/link.h"
#include "dispatch/receipt.h"
#include "dispatch/retry.h"

struct scheduler;

struct scheduler *scheduler_new(struct loop *, struct ledger *, struct links *, struct endings *,
		    struct receipts *, const struct retry_conf *);
void		 scheduler_free(struct scheduler **);

/* From the queue. */
bool		 scheduler_offer(struct scheduler *, const struct message *, uint64_t order_key,
		    struct store_mark *);
void		 scheduler_stored(struct scheduler *, struct message **taken, uint64_t order_key, bool offered,
		    bool marked);
void		 scheduler_dropped(struct scheduler *, const struct message *, uint64_t order_key, bool offered);
void		 scheduler_adopted(struct scheduler *, const struct store_index *);
bool		 scheduler_withhold(struct scheduler *, uint64_t id, uint64_t order_key);
void		 scheduler_changed(struct scheduler *, uint64_t id, uint64_t order_key, enum store_result,
		    bool cancelled);
void		 scheduler_loaded(struct scheduler *, const struct store_index *, size_t n, bool end);
void		 scheduler_trouble(struct scheduler *, bool in_trouble);

/* Between nodes. These are ours now, and loaded next. */
void		 scheduler_come(struct scheduler *, const struct store_parts *);
/* These partitions go: nothing of them is begun any more; scheduler_left, asked now and
 * then, says when nothing of them is under way. */
void		 scheduler_leave(struct scheduler *, const struct store_parts *);
bool		 scheduler_left(struct scheduler *, const struct store_parts *);
void		 scheduler_lost(struct scheduler *, const struct store_parts *);	/* they are another node's */
void		 scheduler_handed(struct scheduler *, const struct store_send *);
void		 scheduler_evidence(struct scheduler *, const struct store_evidence *);
void		 scheduler_members(struct scheduler *, uint16_t self, const struct store_members *);

/* From the links. */
void		 scheduler_link_changed(struct scheduler *, struct link *);
void		 scheduler_link_room(struct scheduler *, struct link *);
void		 scheduler_link_retired(struct scheduler *, struct link *);
void		 scheduler_accepted(struct scheduler *, struct link *, uint64_t ticket, const struct smsc_answer *);
void		 scheduler_refused(struct scheduler *, struct link *, uint64_t ticket, const struct smsc_answer *);
void		 scheduler_unknown(struct scheduler *, struct link *, uint64_t ticket);
void		 scheduler_late(struct scheduler *, struct link *, uint64_t ticket, bool accepted,
		    const struct smsc_answer *);

/* From above. */
void		 scheduler_routes_changed(struct scheduler *);	/* after every links_apply */
enum routable	 scheduler_routable(struct scheduler *, const struct message *);
void		 scheduler_stop(struct scheduler *, bool stop);	/* nothing new leaves */
bool		 scheduler_quiet(const struct scheduler *);	/* nothing is on its way */
void		 scheduler_decide(struct scheduler *, uint64_t id, uint64_t order_key, enum store_wish,
		    queue_decided_fn *, void *arg);
void		 scheduler_tick(struct scheduler *, bool clock_trusted);	/* once a second */
void		 scheduler_status(const struct scheduler *, struct dispatch_status *);
const struct rate *scheduler_sent(const struct scheduler *);
uint64_t	 scheduler_waiting_for(const struct scheduler *, const struct link *);

#endif
