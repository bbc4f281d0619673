/*
 * scheduler_inner.h - what the files of the scheduler share; nobody else includes it
 *
 * Where a message is:
 *   offered     (FLIGHT_OFFERED)  in turn in the backlog, its put is being committed with a mark
 *   waiting     in the backlog; its body in the store, perhaps in the window of bodies
 *   marking     (FLIGHT_MARKING)  in turn; mark and body are on their way
 *   sending     (FLIGHT_SENDING)  in turn; in the link's list until its last segment left
 *   settling    (FLIGHT_SETTLING) its turn is over; link->unsettled counts it until the commit
 *   in doubt    in turn (resend) or gone from the backlog (hold); perhaps FLIGHT_LATE
 *   afar        (FLIGHT_AFAR)     in turn; another node sends it, its answers come as evidence
 * Of a message that is not ours (flight->whose) the backlog knows nothing.
 */
#ifndef DISPATCH_SCHEDULER_INNER_H
#define DISPATCH_SCHEDULER_INNER_H

#include "base/buf.h"
#include "dispatch/backlog.h"
#include "dispatch/bodies.h"
#include "dispatch/flight.h"
#include "base/idmap.h"
#include "dispatch/scheduler.h"
#include "dispatch/trial.h"
#include "io/loop.h"

enum { ROUTES_KNOWN = 16, SMSC_KNOWN_MOST = 64, PENDING_SLOTS = 1 << 14, REFERENCES = 1 << 16,
    BODIES_MOST = 4 << 20, LATES_MOST = 1024, EXPIRIES_MOST = 1000 };

struct route_known {
	size_t		 len;		/* of smsc; (size_t)-1: free */
	bool		 named;		/* the message named one */
	char		 smsc[SMSC_KNOWN_MOST];
	int		 route;
	bool		 never;		/* no link may ever carry it */
};

struct expiry {				/* a message whose validity is over; its body is being read */
	struct scheduler *scheduler;
	struct expiry	*next;
	uint64_t	 id, key;
	bool		 in_turn;	/* else it is held in the backlog */
	bool		 stray;		/* its partition was lost */
};

struct decision {			/* of a person, about a message that is held; being carried out */
	struct scheduler *scheduler;
	struct decision	*next;
	uint64_t	 id, key;
	enum store_wish	 wish;
	struct backlog_item item;
	queue_decided_fn *done;
	void		*arg;
};

struct scheduler {
	struct loop	*loop;
	struct ledger	*ledger;
	struct links	*links;
	struct endings	*endings;
	struct receipts	*receipts;
	struct retry_conf retry;
	struct backlog	*backlog;
	struct bodies	*bodies;
	struct trials	*trials;
	struct flights	*flights;
	struct idmap	 afar;		/* flights, by the message's id */
	struct segment_plan *plan;
	struct buf	 receiver;	/* rewritten for the link */
	struct soon	 pump;
	struct timer	*wake;

	struct flight	*offered, *offered_last;	/* in the order of the offers */
	uint16_t	*pending;	/* by order key: refused offers that are not stored yet */
	uint8_t		*references;	/* by order key: the next concatenation reference */
	struct trial	*orphans;	/* in doubt, their link is gone */
	size_t		 in_doubt;	/* theirs and those of links */
	struct expiry	*expiries;
	unsigned	 expiry_count;
	struct decision	*decisions;

	struct route_known routes[ROUTES_KNOWN];
	unsigned	 route_last, route_next;
	char		 account[64];	/* the last one's flow */
	size_t		 account_len;
	uint16_t	 flow;
	unsigned	 turn;		/* whose turn it is among equal links */

	bool		 loaded, stopped, trouble, clock_trusted;
	uint64_t	 possible_duplicates, recovered;
	uint64_t	 stranded;	/* were out when their partition was lost */
	struct rate	 sent;
};

/* Something may leave now: looked at once, at the end of this turn of the loop. */
static inline void
scheduler_soon(struct scheduler *s)
{
	loop_soon(s->loop, &s->pump);
}

static inline uint8_t
scheduler_reference(struct scheduler *s, uint64_t key)
{
	return s->references[key % REFERENCES]++;
}

static inline void
scheduler_turn_done(struct scheduler *s, const struct flight *f)	/* out of the backlog */
{
	if (!f->overtaken)
		backlog_done(s->backlog, f->id, f->key);
	scheduler_soon(s);
}

/* routing.c */
int	routing_of(struct scheduler *, struct text smsc, struct text receiver, bool *never);
void	routing_item(struct scheduler *, const struct message *, uint64_t key, struct backlog_item *);
struct link *routing_pick(struct scheduler *, const struct message *, uint64_t key);	/* free now; NULL: none */
bool	link_may_take(const struct link *);

/* settle.c */
void	settle_sent(struct scheduler *, struct flight *);	/* all accepted: sent, or awaiting receipts */
void	settle_flight(struct scheduler *, struct flight *, struct store_settlement *, struct report *);

/* told.c */
void	told_log(struct scheduler *, const struct flight *, const char *event, const char *result);
void	told_owner(struct scheduler *, struct flight *);	/* what became of another owner's message */

/* turn.c */
void	turn_over(struct scheduler *, struct flight *);		/* all that left is answered */
void	turn_begin(struct scheduler *, struct flight *);	/* marked, at hand: it may leave */
void	turn_send(struct scheduler *, struct link *);
void	turn_return(struct scheduler *, struct flight *);	/* nothing of it left now */
void	turn_return_all(struct scheduler *, struct link *, bool begun);	/* of a link's list; begun: those too */
void	turn_afar_lost(struct scheduler *, struct flight *);	/* its link's node will not tell any more */
void	turn_unsent(struct flight *);				/* it does not count as ahead any more */

/* doubt.c */
void	doubt_begin(struct scheduler *, struct flight *);
void	doubt_loaded(struct scheduler *, const struct store_index *, const struct backlog_item *);
void	doubt_check(struct scheduler *);	/* once a second, and when a link is back */
bool	doubt_cut(struct scheduler *, const struct trial *);	/* false: it is not in doubt */
void	doubt_late(struct scheduler *, struct flight *);	/* kept for answers that may still come */
void	doubt_read(struct scheduler *, struct flight *);	/* an answer came late: settled when its body is here */
void	doubt_members(struct scheduler *);			/* some node came or went */
void	doubt_link_down(struct scheduler *, struct link *);
void	doubt_link_retired(struct scheduler *, struct link *);

/* afar.c */
void	afar_forget(struct scheduler *, struct flight *);	/* its partition goes: evidence finds the next owner */

#endif
