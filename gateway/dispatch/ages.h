/*
 * ages.h - how old is the oldest of what waits, without a time for each (pure)
 *
 * A node gives its ids in the order of acceptance, so a mark every few seconds ("from this id on,
 * since then") tells the time of all, and each mark counts how many of its messages still wait.
 *
 * Threads: pure; the loop.
 */
#ifndef DISPATCH_AGES_H
#define DISPATCH_AGES_H

#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"

enum { AGES_STEP_MS = 10 * 1000 };

struct ages {			/* zeroed: empty */
	struct age_node	*nodes;
	unsigned	 count, room, last;
};

/* An id that enters must leave. Without memory it is counted with its elders. */
void	 ages_enter(struct ages *, uint64_t id, wall_t accepted);
void	 ages_leave(struct ages *, uint64_t id);
wall_t	 ages_oldest(const struct ages *);	/* its acceptance, at most AGES_STEP_MS too early; 0: none */
size_t	 ages_octets(const struct ages *);	/* of memory */
void	 ages_free(struct ages *);

#endif
