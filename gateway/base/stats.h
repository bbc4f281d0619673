/*
 * stats.h - counters and Kannel's three loads (last minute, five minutes, since start)
 *
 * Threads: the loop.
 */
#ifndef BASE_STATS_H
#define BASE_STATS_H

#include <stdint.h>
#include "base/clock.h"

enum { STATS_SLOTS = 60 };		/* of 5 seconds: five minutes */

struct rate {
	uint64_t	total;
	mono_t		started, slot_time;	/* of the newest slot */
	unsigned	slot;
	uint32_t	slots[STATS_SLOTS];
};

void	rate_start(struct rate *, mono_t now);
void	rate_add(struct rate *, mono_t now, unsigned n);
/* Events per second over the last 60 s, 300 s, and since rate_start (or as much
 * of that as has passed; at least one second). */
void	rate_read(struct rate *, mono_t now, double load[3]);

#endif
