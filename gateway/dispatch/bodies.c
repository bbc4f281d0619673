/*
 * bodies.c - a bounded store of messages by id, oldest out first
 *
 * Knows:     ids and octets. Does not: know why a message waits.
 * Owns:      the messages; a ring of ids tells their age (an id that was taken stays in the ring
 *            as a blank until it is the oldest).
 * Threads:   the loop.
 */
#include "dispatch/bodies.h"

#include <stdlib.h>

#include "base/idmap.h"
#include "push/message.h"

enum { RING = 1 << 16 };

struct bodies {
	struct idmap	 map;
	size_t		 octets, most;
	uint64_t	 head, tail;		/* ring[tail % RING] is the oldest */
	uint64_t	 ring[RING];
};

struct bodies *
bodies_new(size_t octets_most)
{
	struct bodies *b = calloc(1, sizeof *b);

	if (b != NULL)
		b->most = octets_most;
	return b;
}

struct message *
bodies_take(struct bodies *b, uint64_t id)
{
	struct message *m = idmap_cut(&b->map, id);

	if (m != NULL)
		b->octets -= message_octets(m);
	if (b->map.count == 0)
		b->tail = b->head;
	return m;
}

static void
bodies_oldest_out(struct bodies *b)
{
	struct message *m = bodies_take(b, b->ring[b->tail % RING]);

	if (b->tail != b->head)
		b->tail++;
	message_free(&m);
}

void
bodies_put(struct bodies *b, struct message **taken)
{
	struct message *m = *taken, *former = bodies_take(b, m->id);

	*taken = NULL;
	message_free(&former);
	while (b->tail != b->head &&
	    (b->octets + message_octets(m) > b->most || b->head - b->tail == RING))
		bodies_oldest_out(b);
	if (message_octets(m) > b->most || idmap_set(&b->map, m->id, m) == -1) {
		message_free(&m);
		return;
	}
	b->ring[b->head++ % RING] = m->id;
	b->octets += message_octets(m);
}

void
bodies_empty(struct bodies *b)
{
	while (b->tail != b->head)
		bodies_oldest_out(b);
}

void
bodies_free(struct bodies **bp)
{
	struct bodies *b = *bp;

	if (b == NULL)
		return;
	bodies_empty(b);
	idmap_free(&b->map);
	free(b);
	*bp = NULL;
}
