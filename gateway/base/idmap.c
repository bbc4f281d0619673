/*
 * idmap.c - open addressing with linear probing; what leaves is closed up, so there are no graves
 *
 * Knows:     ids. Does not: know or own the values.
 * Owns:      the slots.
 * Threads:   pure.
 */
#include "base/idmap.h"

#include <stdlib.h>

struct idmap_slot {
	uint64_t	 id;		/* 0: free */
	void		*value;
};

enum { ROOM_LEAST = 64 };

static size_t
home(const struct idmap *m, uint64_t id)
{
	return (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (m->room - 1);
}

static size_t
place(const struct idmap *m, uint64_t id)	/* where it is, or would be */
{
	size_t at = home(m, id);

	while (m->slots[at].id != 0 && m->slots[at].id != id)
		at = (at + 1) & (m->room - 1);
	return at;
}

void *
idmap_get(const struct idmap *m, uint64_t id)
{
	return m->count > 0 ? m->slots[place(m, id)].value : NULL;
}

static int
resize(struct idmap *m, size_t room)
{
	struct idmap old = *m;

	if ((m->slots = calloc(room, sizeof *m->slots)) == NULL) {
		m->slots = old.slots;
		return -1;
	}
	m->room = room;
	for (size_t i = 0; i < old.room; i++)
		if (old.slots[i].id != 0)
			m->slots[place(m, old.slots[i].id)] = old.slots[i];
	free(old.slots);
	return 0;
}

int
idmap_set(struct idmap *m, uint64_t id, void *value)
{
	size_t at;

	if (4 * (m->count + 1) > 3 * m->room &&
	    resize(m, m->room > 0 ? 2 * m->room : ROOM_LEAST) == -1)
		return -1;
	at = place(m, id);
	m->count += m->slots[at].id == 0;
	m->slots[at] = (struct idmap_slot){ id, value };
	return 0;
}

void *
idmap_cut(struct idmap *m, uint64_t id)
{
	size_t hole, at;
	void *value;

	if (m->count == 0 || m->slots[hole = place(m, id)].id == 0)
		return NULL;
	value = m->slots[hole].value;
	for (at = (hole + 1) & (m->room - 1); m->slots[at].id != 0; at = (at + 1) & (m->room - 1)) {
		size_t want = home(m, m->slots[at].id);

		if (((at - want) & (m->room - 1)) < ((at - hole) & (m->room - 1)))
			continue;	/* it would stand before its home */
		m->slots[hole] = m->slots[at];
		hole = at;
	}
	m->slots[hole] = (struct idmap_slot){ 0, NULL };
	m->count--;
	if (m->room > ROOM_LEAST && 16 * m->count < m->room)
		resize(m, m->room / 4);		/* without memory it just stays large */
	return value;
}

void
idmap_free(struct idmap *m)
{
	free(m->slots);
	*m = (struct idmap){ 0 };
}
