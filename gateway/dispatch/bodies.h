/*
 * bodies.h - the window of bodies: messages that wait and were seen lately
 *
 * What is not here is read from the store when its turn comes. The oldest makes room.
 *
 * Owns: the messages in it. Threads: the loop.
 */
#ifndef DISPATCH_BODIES_H
#define DISPATCH_BODIES_H

#include <stddef.h>
#include <stdint.h>

struct bodies;
struct message;

struct bodies	*bodies_new(size_t octets_most);
void		 bodies_free(struct bodies **);
void		 bodies_put(struct bodies *, struct message **taken);
void		 bodies_empty(struct bodies *);
struct message	*bodies_take(struct bodies *, uint64_t id);	/* the caller's now; NULL: not here */

#endif
