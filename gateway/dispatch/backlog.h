/*
 * backlog.h - who is next: the in-memory order of waiting messages (pure)
 *
 * Messages of one MSISDN form a lane and take turns in the order of backlog_put. A lane stands
 * in at most one ready list; a list belongs to (route, class, flow). A link takes by weight over
 * the classes, round robin over the routes it serves and the flows (accounts, jobs) in them. A
 * lane has the best class of what waits in it.
 *
 * Memory: at most 64 octets a waiting message, in slabs that never move; no body, no text.
 *
 * Turn:     backlog_take makes the lane's head IN TURN; the lane is in no list until the turn ends.
 * Done:     the head leaves, the next one's turn can come.
 * Again:    the head stays first and waits until `due` (trouble of the link: due 0, at once).
 * Pass:     the head steps aside until `due`; later messages pass it, except those of its ordered group.
 * Closed:   lanes are grouped by the top octet of their key (the queue's partitions). What waits in a
 *           closed group never gets a turn and is forgotten, slice by slice; what is put is not kept;
 *           what is in turn is done, however its turn ends.
 *
 * Threads: pure; the loop. Time is handed in.
 */
#ifndef DISPATCH_BACKLOG_H
#define DISPATCH_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "push/message.h"

struct backlog;

enum { BACKLOG_LINKS = 256, BACKLOG_ROUTES = 4096, BACKLOG_FLOWS = 16384 };
enum { BACKLOG_WEIGHT_HIGH = 16, BACKLOG_WEIGHT_NORMAL = 4, BACKLOG_WEIGHT_BULK = 1 };

struct backlog_links {			/* a set */
	uint64_t	 bits[BACKLOG_LINKS / 64];
};

struct backlog_groups {			/* of lanes, by the top octet of their keys */
	uint64_t	 bits[256 / 64];
};

struct backlog_item {
	uint64_t	 id, key;	/* key: the order key */
	uint8_t		 klass;		/* enum message_class */
	uint16_t	 route, flow;	/* from backlog_route, backlog_flow */
	uint16_t	 group;		/* 0: none; hash of the ordered group otherwise */
	bool		 aside;		/* put: until `due` it steps aside instead of holding its lane */
	wall_t		 due;		/* 0: at once */
	wall_t		 expires, accepted;	/* accepted: put only, for backlog_oldest */
};

struct backlog	*backlog_new(void);
void		 backlog_free(struct backlog **);

/* The number of this pair of sets (all that may carry; those preferred while one of them is up),
 * made when new. -1: more than BACKLOG_ROUTES. */
int		 backlog_route(struct backlog *, const struct backlog_links *may,
		    const struct backlog_links *preferred);
/* The links have changed: all routes made so far become stale. Any link may take what waits on
 * them, and has to ask backlog_reroute before it sends. */
void		 backlog_routes_stale(struct backlog *);
bool		 backlog_route_stale(const struct backlog *, unsigned route);
int		 backlog_flow(struct backlog *, const char *account, size_t len);	/* -1: too many: use flow 0 */
void		 backlog_link_up(struct backlog *, unsigned link, bool up);

/* -1: no memory. A due in the future holds the whole lane behind it, unless `aside`. Dues of lanes
 * with several messages are kept to 64 ms, rounded up. */
int		 backlog_put(struct backlog *, const struct backlog_item *);
/* Would a put of this key be the only one of its lane, and does nothing ready wait for `link`?
 * Then it may leave at once (backlog_put_in_turn). */
bool		 backlog_idle(const struct backlog *, uint64_t key, unsigned link);
/* -1: no memory, or another one of the lane is in turn. */
int		 backlog_put_in_turn(struct backlog *, const struct backlog_item *);

bool		 backlog_take(struct backlog *, unsigned link, wall_t now, struct backlog_item *);
void		 backlog_done(struct backlog *, uint64_t id, uint64_t key);	/* in turn or stepped aside */
void		 backlog_again(struct backlog *, uint64_t id, uint64_t key, wall_t due);
void		 backlog_pass(struct backlog *, uint64_t id, uint64_t key, wall_t due);
void		 backlog_reroute(struct backlog *, uint64_t id, uint64_t key, unsigned route);	/* in turn */
void		 backlog_expires(struct backlog *, uint64_t id, uint64_t key, wall_t expires);
/* A waiting one (not in turn) goes for good: cancelled, expired. false: it is in turn, or unknown. */
bool		 backlog_remove(struct backlog *, uint64_t id, uint64_t key);
/* A waiting one keeps its place but not its turn until it is let go again (somebody is about to
 * change it); what is behind it waits too. false: it is in turn, or unknown. */
bool		 backlog_hold(struct backlog *, uint64_t id, uint64_t key, bool hold);
bool		 backlog_waiting(const struct backlog *, uint64_t id, uint64_t key);

/* Lanes whose due has come become ready; returns the next due, 0 when none waits. Call before
 * taking, and when that time has come. */
wall_t		 backlog_wake(struct backlog *, wall_t now);
bool		 backlog_ready(const struct backlog *, unsigned link);	/* take would give one */
/* The next `most` slots of the table in turn: calls fn for each waiting message whose validity is
 * over. fn may call backlog_remove for that one. For a slow sweep: 1/100 of the table a second. */
void		 backlog_expired(struct backlog *, wall_t now, size_t most,
		    void (*fn)(void *arg, const struct backlog_item *), void *arg);

void		 backlog_close(struct backlog *, const struct backlog_groups *);
/* Forgets what waits in closed groups, and with in_turn also what is in turn there; the next `most` slots
 * since backlog_close. true: nothing is left. */
bool		 backlog_forget(struct backlog *, size_t most, bool in_turn);
/* What was closed is open again, and empty: what was not forgotten yet is forgotten now. */
void		 backlog_open(struct backlog *, const struct backlog_groups *);

size_t		 backlog_count(const struct backlog *);
size_t		 backlog_count_route(const struct backlog *, unsigned route);
size_t		 backlog_count_link(const struct backlog *, unsigned link);	/* of the routes it may serve */
wall_t		 backlog_oldest(const struct backlog *);	/* acceptance, 10 s early at most; 0: none */
size_t		 backlog_octets(const struct backlog *);	/* of memory */

#endif
