/*
 * stats.c - how many in the last minute, the last five, and ever
 *
 * A ring of slots of five seconds. The newest slot is still filling, so a window is
 * the newest slot and the full ones before it, and the divisor is the time that these
 * really cover (55 to 60 s, 295 to 300 s): a steady stream reads as a steady rate.
 *
 * Knows:     counting. Does not: know what is counted.
 * Owns:      nothing.
 * Threads:   the loop.
 */
#include "base/stats.h"

#include <string.h>

enum { SLOT_MS = 5000, MINUTE_SLOTS = 12 };

void
rate_start(struct rate *r, mono_t now)
{
	memset(r, 0, sizeof *r);
	r->started = r->slot_time = now;
}

/* Makes the slot of `now` the newest; those in between were empty. */
static void
rate_turn(struct rate *r, mono_t now)
{
	mono_t turns = now > r->slot_time ? (now - r->slot_time) / SLOT_MS : 0;

	r->slot_time += turns * SLOT_MS;
	for (mono_t i = 0; i < turns && i < STATS_SLOTS; i++) {
		r->slot = (r->slot + 1) % STATS_SLOTS;
		r->slots[r->slot] = 0;
	}
}

void
rate_add(struct rate *r, mono_t now, unsigned n)
{
	rate_turn(r, now);
	r->total += n;
	r->slots[r->slot] += n;
}

static double
rate_over(const struct rate *r, mono_t now, unsigned slots)
{
	mono_t covered = (mono_t)(slots - 1) * SLOT_MS + (now - r->slot_time);
	uint64_t sum = 0;

	for (unsigned i = 0; i < slots; i++)
		sum += r->slots[(r->slot + STATS_SLOTS - i) % STATS_SLOTS];
	if (covered > now - r->started)
		covered = now - r->started;
	return (double)sum * 1000 / (double)(covered > 1000 ? covered : 1000);
}

void
rate_read(struct rate *r, mono_t now, double load[3])
{
	mono_t lived = now - r->started;

	rate_turn(r, now);
	load[0] = rate_over(r, now, MINUTE_SLOTS);
	load[1] = rate_over(r, now, STATS_SLOTS);
	load[2] = (double)r->total * 1000 / (double)(lived > 1000 ? lived : 1000);
}
