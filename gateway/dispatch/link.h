/*
 * link.h - one line to one SMSC: how much it may carry now, whatever its driver
 *
 * A link is made from an smsc group (instances = N makes N). It keeps the window (segments
 * that wait for an answer), the throughput (a token bucket of segments), the rest after throttling,
 * and the rules that say which messages it may carry. It does not know what it carries.
 *
 * A link that left the configuration drains, and stays known until nothing of it is open.
 *
 * Owns: links owns all of them. Threads: the loop.
 */
#ifndef DISPATCH_LINK_H
#define DISPATCH_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/conf.h"
#include "base/stats.h"
#include "push/escape.h"
#include "push/route.h"
#include "push/segment.h"
#include "smsc/smsc.h"

enum { LINKS_MOST = 256, LINK_UNSETTLED = 256 };
enum link_unknown { LINK_RESEND, LINK_HOLD, LINK_GIVE_UP };

struct flight;
struct links;
struct loop;
struct trial;

struct link {
	/* Fixed while it lives. */
	struct links	*links;
	unsigned	 number;	/* its bit in a route; free again when the link is gone */
	char		*address;	/* "node/name", as the store knows it */
	const char	*name;		/* "vf1", "vf1#2": within address */
	struct text	 smsc_id, admin_id, my_number;
	char		*domain;	/* of its foreign ids */
	unsigned	 window, wait_ack_ms;

	/* link.c writes, others read. */
	bool		 up;		/* messages may be sent */
	bool		 retired;	/* left the configuration */
	bool		 dead;		/* dead-start: it was never opened */
	bool		 far;		/* another node's: no driver, messages are handed over (far.h) */
	enum link_unknown unknown_policy;
	struct segment_rules rules;
	unsigned	 in_flight;	/* segments */
	unsigned	 receipts;	/* being written; receipt.c counts */

	/* The scheduler's. */
	struct flight	*first, *last;	/* marked, some segment has not left */
	unsigned	 unsent;	/* taken, some segment has not left */
	unsigned	 unsettled;	/* taken, not settled by a commit */
	unsigned	 ahead;		/* how many may be taken before they can leave */
	unsigned	 late_count;
	struct flight	*lates;		/* an answer may still come */
	struct trial	*unknowns;	/* to be sent again when it is back */
	bool		 pumped;
	uint64_t	 sent_before, failed, possible_duplicates, unknown;
	struct rate	 sms_sent, sms_received, dlr_received;

	struct link_inner *inner;
};

struct link_events {		/* arg: of links_new */
	void	(*changed)(void *arg, struct link *);	/* up, or not any more */
	void	(*room)(void *arg, struct link *);	/* it may carry again */
	void	(*retired)(void *arg, struct link *);	/* before it is forgotten */
	void	(*accepted)(void *arg, struct link *, uint64_t ticket, const struct smsc_answer *);
	void	(*refused)(void *arg, struct link *, uint64_t ticket, const struct smsc_answer *);
	void	(*unknown)(void *arg, struct link *, uint64_t ticket);
	void	(*late)(void *arg, struct link *, uint64_t ticket, bool accepted, const struct smsc_answer *);
	void	(*receipt)(void *arg, struct link *, const struct smsc_receipt *, uint64_t token);
	void	(*incoming)(void *arg, struct link *, const struct smsc_incoming *, uint64_t token);
};

struct links	*links_new(struct loop *, const struct smsc_driver *const *drivers, struct text node,
		    const struct link_events *, void *arg);
void		 links_free(struct links **);		/* closes; open tickets become unknown first */
/* One link for each smsc group and instance. Again: the difference. The configuration must
 * outlive the links. -1: findings tell why, nothing has changed. */
int		 links_apply(struct links *, struct conf *, struct findings *);
void		 links_drain(struct links *);
void		 links_tick(struct links *);		/* once a second: what is retired is forgotten */

size_t		 links_count(const struct links *);	/* with retired ones that are not gone */
struct link	*links_at(const struct links *, size_t index);
struct link	*links_find(const struct links *, struct text address);	/* NULL: gone */
struct link	*links_number(const struct links *, unsigned number);
struct link	*links_like(const struct links *, struct text address);	/* ours of the same name; NULL: none */
struct link	*links_nobody(const struct links *);	/* stands for one that is gone; never up */
/* Who carried it, for a report: also when its link is gone. */
void		 links_tell(const struct links *, struct text address, struct report *);
bool		 links_by_receiver(const struct links *);	/* some rule looks at the receiver */
enum route_verdict link_judge(const struct link *, struct text smsc, struct text receiver);

/* How many segments may leave now; when time alone keeps it at 0, `room` is called later. */
unsigned	 link_allowance(struct link *);
int		 link_send(struct link *, uint64_t ticket, const struct segment *);	/* -1: cannot now */
void		 link_answered(struct link *, bool accepted);	/* one segment less in flight */
void		 link_throttled(struct link *);
unsigned	 link_ahead_least(const struct link *);	/* how many to take ahead on a slow link */
bool		 link_resting(const struct link *);
struct text	 link_receiver(const struct link *, struct text msisdn, struct buf *);	/* unified-prefix */
void		 link_ack(struct link *, uint64_t token, bool taken);
const char	*link_state(const struct link *, int64_t *online_s);	/* Kannel's words */
const char	*link_describe(const struct link *);

#endif
