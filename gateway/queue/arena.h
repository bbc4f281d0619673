/*
 * arena.h - many small things that die together
 *
 * Memory is cut off chunks that never move; arena_reset forgets all of it and keeps one
 * chunk, so that what is reused for operation after operation asks malloc for nothing.
 * Out of memory ends the process: what was accepted is on disk, and a queue that half
 * forgot an operation would be worse than a restart.
 *
 * Threads: an arena belongs to one thread at a time.
 */
#ifndef QUEUE_ARENA_H
#define QUEUE_ARENA_H

#include <stddef.h>
#include "base/text.h"

struct arena_chunk;
struct arena {
	struct arena_chunk *chunk;	/* the newest; zeroed: empty */
	size_t		 used;		/* of it */
};

void	*arena_get(struct arena *, size_t octets);	/* aligned for anything; not zeroed */
void	*arena_zero(struct arena *, size_t octets);
struct text arena_text(struct arena *, struct text);	/* absent stays absent */
void	 arena_reset(struct arena *);			/* keeps at most ARENA_KEPT octets */
void	 arena_free(struct arena *);

enum { ARENA_FIRST = 512, ARENA_KEPT = 4096 };

#endif
