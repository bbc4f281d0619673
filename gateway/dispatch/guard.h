/*
 * guard.h - does the wall clock go on as the boot clock does?
 *
 * After a jump nothing expires until the new time has stood for GUARD_CONFIRM_MS.
 *
 * Threads: pure; times are handed in.
 */
#ifndef DISPATCH_GUARD_H
#define DISPATCH_GUARD_H

#include <stdbool.h>
#include "base/clock.h"

enum { GUARD_JUMP_MS = 60 * 1000, GUARD_CONFIRM_MS = 5 * 60 * 1000 };

struct guard {
	int64_t		 offset;	/* wall - mono, as last seen */
	mono_t		 doubt_until;	/* 0: the clock is trusted */
};

static inline void
guard_start(struct guard *g, wall_t wall, mono_t mono)
{
	*g = (struct guard){ .offset = wall - mono };
}

/* The jump in ms, 0: none. A slow drift moves the offset along. */
static inline int64_t
guard_look(struct guard *g, wall_t wall, mono_t mono)
{
	int64_t jump = wall - mono - g->offset;

	g->offset = wall - mono;
	if (jump > GUARD_JUMP_MS || jump < -GUARD_JUMP_MS) {
		g->doubt_until = mono + GUARD_CONFIRM_MS;
		return jump;
	}
	if (mono >= g->doubt_until)
		g->doubt_until = 0;
	return 0;
}

#endif
