/*
 * link_inner.h - what link.c (one link at work), links.c (all of them, opened and changed) and far.c (those
 * of other nodes) share; nobody else includes it
 */
#ifndef DISPATCH_LINK_INNER_H
#define DISPATCH_LINK_INNER_H

#include "dispatch/link.h"
#include "io/loop.h"

struct link_conf {
	const char	*smsc, *smsc_id, *admin_id;
	struct route_conf route;
	const char	*unified_prefix, *alt_charset, *my_number;
	double		 throughput;
	long		 octets_most, instances;
	bool		 dead_start, alt_dcs;
	int		 unknown;
};

struct link_inner {
	const struct smsc_driver *driver;
	const struct conf_group *group;
	unsigned	 instance;
	struct link_conf conf;
	struct route_rules *rules;
	struct prefixes	*prefixes;
	struct smsc	*smsc;		/* NULL: not opened (dead-start, or waits for `before`) */
	struct conf	*config;
	struct link	*before;	/* the one it replaces: two must not be bound at once */
	enum smsc_state	 state;
	mono_t		 since;		/* up since; retired since */
	mono_t		 rest_until;
	unsigned	 throttled;	/* in a row */
	double		 tokens;
	mono_t		 tokens_at;
	struct timer	*timer;
	bool		 kept;		/* by the reload that runs */
	/* of a far link */
	struct conf	*own;		/* what its node says of it */
	char		*said;		/* the same, as it came */
	bool		 seen, said_up;	/* its node names it; it says that it is up */
};

struct links {
	struct loop	*loop;
	const struct smsc_driver *const *drivers;
	char		*node;
	const struct link_events *events;
	void		*arg;
	struct link	*list[LINKS_MOST];
	size_t		 count;
	struct link	*numbers[LINKS_MOST];
	struct link	*nobody;	/* in neither */
	struct links_heard *heard;	/* what other nodes said last (far.c) */
	bool		 by_receiver;
};

struct links_heard {
	struct links_heard *next;
	uint16_t	 node;
	char		*status;
};

static inline double
link_bucket(const struct link_inner *in)	/* how many segments it may save up */
{
	return in->conf.throughput > 10 ? in->conf.throughput / 10 : 1;
}

/* link.c */
extern const struct smsc_events link_driver_events;
void	 link_up(struct link *, bool up);
void	 link_on_time(void *link);

/* links.c */
struct link *link_new(struct links *, const struct smsc_driver *, struct conf *,
	    const struct conf_group *, unsigned instance, struct findings *);
void	 link_free(struct link **);
void	 link_retire(struct link *);
int	 links_place(struct links *, struct link *);	/* a number, and into the list; -1: no room */
void	 links_changed(struct links *);			/* rules came or went */

#endif
