/*
 * balance.c - shares of partitions
 *
 * Who has more stands first for the larger shares (256 do not divide by 3), so that they stay where
 * they are. Nodes begin to take at different places, so that they seldom want the same one; the store
 * gives it to one of them anyhow.
 *
 * Knows:     owners and nodes.
 * Does not:  know leases, or how a partition moves.
 * Owns:      nothing.
 * Threads:   pure.
 */
#include "queue/balance.h"

static unsigned
count_of(uint16_t node, const uint16_t owner[STORE_PARTITIONS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		n += owner[i] == node;
	return n;
}

/* The share of nodes[me]. */
static unsigned
share_of(unsigned me, const uint16_t *nodes, unsigned count, const uint16_t owner[STORE_PARTITIONS])
{
	unsigned larger = STORE_PARTITIONS % count, ahead = 0, mine = count_of(nodes[me], owner);

	for (unsigned i = 0; i < count; i++) {
		unsigned theirs = count_of(nodes[i], owner);

		ahead += theirs > mine || (theirs == mine && i < me);
	}
	return STORE_PARTITIONS / count + (ahead < larger);
}

void
balance_moves(uint16_t node, const uint16_t *nodes, unsigned count,
    const uint16_t owner[STORE_PARTITIONS], struct balance *b)
{
	unsigned me = 0, mine, share, start;

	*b = (struct balance){ .claim = { { 0 } } };
	while (me < count && nodes[me] != node)
		me++;
	if (me == count)
		return;
	mine = count_of(node, owner);
	share = share_of(me, nodes, count, owner);
	start = me * STORE_PARTITIONS / count;
	for (unsigned i = 0; i < STORE_PARTITIONS && mine < share; i++) {
		unsigned part = (start + i) % STORE_PARTITIONS;

		if (owner[part] != STORE_NOBODY)
			continue;
		parts_set(&b->claim, part, true);
		mine++;
	}
	for (unsigned i = STORE_PARTITIONS; i > 0 && mine > share; i--) {
		unsigned part = (start + i - 1) % STORE_PARTITIONS;

		if (owner[part] != node)
			continue;
		parts_set(&b->give, part, true);
		mine--;
	}
}
