/*
 * flight.c - the table of flights
 *
 * Slots never move and are used again; a generation in the ticket tells old answers from
 * new ones. Up to four segments and 64 octets of foreign ids need no further memory.
 *
 * Knows:     segments and their answers.
 * Does not:  know links (but the pointer), the queue, or what follows from an answer.
 * Owns:      flights and their messages.
 * Threads:   the loop.
 */
#include "dispatch/flight.h"

#include <stdlib.h>
#include <string.h>

enum { SLAB = 256 };

struct flights {
	struct flight	**slabs;
	uint32_t	 slab_count, used;
	struct flight	*unused;
	size_t		 count;
};

struct flights *
flights_new(void)
{
	return calloc(1, sizeof(struct flights));
}

static void
flight_empty(struct flight *f)
{
	message_free(&f->message);
	if (f->segments != f->few)
		free(f->segments);
	if (f->ids != f->some_ids)
		free(f->ids);
	free(f->carried);
}

void
flights_free(struct flights **tp)
{
	struct flights *t = *tp;

	if (t == NULL)
		return;
	for (uint32_t i = 0; i < t->used; i++)
		if (t->slabs[i / SLAB][i % SLAB].state != FLIGHT_FREE)
			flight_empty(&t->slabs[i / SLAB][i % SLAB]);
	for (uint32_t i = 0; i < t->slab_count; i++)
		free(t->slabs[i]);
	free(t->slabs);
	free(t);
	*tp = NULL;
}

static struct flight *
flights_grow(struct flights *t)
{
	struct flight *f;

	if (t->used == t->slab_count * SLAB) {
		struct flight **slabs = realloc(t->slabs, (t->slab_count + 1) * sizeof *slabs);

		if (slabs == NULL)
			return NULL;
		t->slabs = slabs;
		if ((slabs[t->slab_count] = calloc(SLAB, sizeof **slabs)) == NULL)
			return NULL;
		t->slab_count++;
	}
	f = &t->slabs[t->used / SLAB][t->used % SLAB];
	f->index = t->used++;
	return f;
}

struct flight *
flight_new(struct flights *t, uint64_t id, uint64_t key)
{
	struct flight *f = t->unused;
	uint32_t index, generation;

	if (f != NULL)
		t->unused = f->next;
	else if ((f = flights_grow(t)) == NULL)
		return NULL;
	index = f->index;
	generation = f->generation + 1;
	memset(f, 0, offsetof(struct flight, few));
	f->id = id;
	f->key = key;
	f->table = t;
	f->index = index;
	f->generation = generation;
	f->segments = f->few;
	f->ids = f->some_ids;
	f->ids_len = 0;
	f->ids_room = sizeof f->some_ids;
	t->count++;
	return f;
}

void
flight_free(struct flight **fp)
{
	struct flight *f = *fp;

	if (f == NULL)
		return;
	flight_empty(f);
	f->message = NULL;
	f->state = FLIGHT_FREE;
	f->next = f->table->unused;
	f->table->unused = f;
	f->table->count--;
	*fp = NULL;
}

size_t
flights_count(const struct flights *t)
{
	return t->count;
}

struct flight *
flights_next(const struct flights *t, uint32_t *index)
{
	for (; *index < t->used; ++*index) {
		struct flight *f = &t->slabs[*index / SLAB][*index % SLAB];

		if (f->state != FLIGHT_FREE)
			return f;
	}
	return NULL;
}

uint64_t
flight_ticket(const struct flight *f, unsigned segment)
{
	return (uint64_t)f->generation << 32 | (uint64_t)f->index << 8 | segment;
}

struct flight *
flight_of(const struct flights *t, uint64_t ticket, unsigned *segment)
{
	uint32_t index = (uint32_t)ticket >> 8;
	struct flight *f;

	if (index >= t->used)
		return NULL;
	f = &t->slabs[index / SLAB][index % SLAB];
	*segment = ticket & 0xff;
	if (f->state == FLIGHT_FREE || f->generation != ticket >> 32 || *segment == 0 ||
	    *segment > f->total)
		return NULL;
	return f;
}

int
flight_segments(struct flight *f, unsigned total)
{
	struct flight_segment *to = f->few;

	if (total > sizeof f->few / sizeof *f->few &&
	    (to = malloc(total * sizeof *to)) == NULL)
		return -1;
	for (unsigned i = 0; i < total; i++)
		to[i] = (struct flight_segment){ .state = FLIGHT_HERE };
	f->segments = to;
	f->total = (uint8_t)total;
	return 0;
}

static bool
ids_room(struct flight *f, size_t n)
{
	size_t room = f->ids_room;
	char *to;

	if (f->ids_len + n <= room)
		return true;
	while (room < f->ids_len + n)
		room *= 2;
	if (room > UINT16_MAX || (to = malloc(room)) == NULL)
		return false;
	memcpy(to, f->ids, f->ids_len);
	if (f->ids != f->some_ids)
		free(f->ids);
	f->ids = to;
	f->ids_room = (uint16_t)room;
	return true;
}

void
flight_answer(struct flight *f, unsigned segment, uint8_t state, struct text foreign_id)
{
	struct flight_segment *s = &f->segments[segment - 1];

	s->state = state;
	s->id_len = 0;
	/* Without memory for its id a segment has none: accepted all the same. */
	if (foreign_id.len == 0 || foreign_id.len > UINT8_MAX || !ids_room(f, foreign_id.len))
		return;
	memcpy(f->ids + f->ids_len, foreign_id.at, foreign_id.len);
	s->id_at = f->ids_len;
	s->id_len = (uint8_t)foreign_id.len;
	f->ids_len += (uint16_t)foreign_id.len;
}

struct text
flight_foreign_id(const struct flight *f, unsigned segment)
{
	const struct flight_segment *s = &f->segments[segment - 1];

	return (struct text){ s->id_len > 0 ? f->ids + s->id_at : NULL, s->id_len };
}

unsigned
flight_accepted(const struct flight *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->total; i++)
		n += f->segments[i].state == ANSWER_ACCEPTED;
	return n;
}

unsigned
flight_evidence(const struct flight *f, bool unknown_too, struct store_answer out[SEGMENTS_MOST])
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->total; i++) {
		uint8_t state = f->segments[i].state;

		if (state != ANSWER_ACCEPTED && !(unknown_too && state == ANSWER_UNKNOWN))
			continue;
		out[n++] = (struct store_answer){ .segment = (uint8_t)(i + 1), .state = state,
		    .foreign_id = flight_foreign_id(f, i + 1) };
	}
	return n;
}
