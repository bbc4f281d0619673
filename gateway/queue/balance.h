/*
 * balance.h - who should own which partitions (pure)
 *
 * Every node looks at the same picture and moves only what is its own: it gives away what it has
 * beyond its share, and takes what is free up to it. Shares differ by one at most, and nothing moves
 * that need not.
 *
 * Threads: pure.
 */
#ifndef QUEUE_BALANCE_H
#define QUEUE_BALANCE_H

#include "queue/store_types.h"

struct balance {
	struct store_parts claim, give;
};

/* owner: STORE_NOBODY is free. nodes: those that are there to stay, in ascending order. A node that is not
 * among them gives nothing and takes nothing. */
void	 balance_moves(uint16_t node, const uint16_t *nodes, unsigned count,
	    const uint16_t owner[STORE_PARTITIONS], struct balance *);

#endif
