/*
 * arena.c - many small things that die together
 *
 * Knows:     malloc.
 * Does not:  know what lies in it.
 * Owns:      its chunks.
 * Threads:   one at a time.
 */
#include "queue/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_chunk {
	struct arena_chunk *older;
	size_t		 room;
	_Alignas(16) char octets[];
};

void *
arena_get(struct arena *a, size_t n)
{
	size_t room = ARENA_FIRST;
	struct arena_chunk *chunk;
	void *p;

	n = (n + 15) & ~(size_t)15;
	if (a->chunk == NULL || n > a->chunk->room - a->used) {
		if (a->chunk != NULL)
			room = a->chunk->room < SIZE_MAX / 4 ? a->chunk->room * 2 : a->chunk->room;
		if (room < n)
			room = n;
		if ((chunk = malloc(sizeof *chunk + room)) == NULL) {
			fputs("panic: out of memory in the queue\n", stderr);
			abort();
		}
		chunk->older = a->chunk;
		chunk->room = room;
		a->chunk = chunk;
		a->used = 0;
	}
	p = a->chunk->octets + a->used;
	a->used += n;
	return p;
}

void *
arena_zero(struct arena *a, size_t n)
{
	return memset(arena_get(a, n), 0, n);
}

struct text
arena_text(struct arena *a, struct text t)
{
	char *copy;

	if (t.at == NULL)
		return t;
	copy = arena_get(a, t.len + 1);
	if (t.len > 0)
		memcpy(copy, t.at, t.len);
	copy[t.len] = '\0';
	return (struct text){ copy, t.len };
}

static void
drop_older_than(struct arena_chunk *chunk)
{
	struct arena_chunk *older;

	for (; chunk != NULL; chunk = older) {
		older = chunk->older;
		free(chunk);
	}
}

void
arena_reset(struct arena *a)
{
	if (a->chunk == NULL)
		return;
	a->used = 0;
	if (a->chunk->room > ARENA_KEPT) {
		arena_free(a);
		return;
	}
	drop_older_than(a->chunk->older);
	a->chunk->older = NULL;
}

void
arena_free(struct arena *a)
{
	drop_older_than(a->chunk);
	*a = (struct arena){ 0 };
}
