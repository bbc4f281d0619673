/*
 * far.h - links of other nodes: what they say of them becomes links here
 *
 * A node publishes its links with their state and rules (never what opens them: no host, no secret). For
 * the scheduler a far link is a link like any other, but messages are handed over instead of sent
 * (afar.c), and those of this node come first.
 *
 * Threads: the loop.
 */
#ifndef DISPATCH_FAR_H
#define DISPATCH_FAR_H

#include "dispatch/link.h"
#include "queue/store_types.h"

struct json;

/* "links": [...], of this node. stopped: none of them carries anything now. */
void	 far_publish(const struct links *, bool stopped, struct json *);
/* Lays the picture beside the far links. true: which links there are, or their rules, have changed. */
bool	 far_members(struct links *, uint16_t self, const struct store_members *);
/* It gave a message back: nothing more for it until the next picture. */
void	 far_rests(struct link *);

#endif
