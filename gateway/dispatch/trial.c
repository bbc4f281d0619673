/*
 * trial.c - records of former attempts, in slabs, found by id
 *
 * Knows:     ids. Does not: decide anything.
 * Owns:      the records.
 * Threads:   the loop.
 */
#include "dispatch/trial.h"

#include <stdlib.h>

#include "base/idmap.h"
#include "queue/store_types.h"

enum { SLAB = 512 };

struct slab {
	struct slab	*next;
	struct trial	 trials[SLAB];	/* id 0: free */
};

struct trials {
	struct idmap	 map;
	struct slab	*slabs;
	struct trial	*unused;
};

struct trials *
trials_new(void)
{
	return calloc(1, sizeof(struct trials));
}

void
trials_free(struct trials **tp)
{
	struct trials *t = *tp;

	if (t == NULL)
		return;
	for (struct slab *s = t->slabs, *next; s != NULL; s = next) {
		next = s->next;
		free(s);
	}
	idmap_free(&t->map);
	free(t);
	*tp = NULL;
}

struct trial *
trials_get(const struct trials *t, uint64_t id)
{
	return idmap_get(&t->map, id);
}

static int
trials_grow(struct trials *t)
{
	struct slab *s = calloc(1, sizeof *s);

	if (s == NULL)
		return -1;
	s->next = t->slabs;
	t->slabs = s;
	for (unsigned i = 0; i < SLAB; i++) {
		s->trials[i].next = t->unused;
		t->unused = &s->trials[i];
	}
	return 0;
}

struct trial *
trials_make(struct trials *t, uint64_t id, uint64_t key)
{
	struct trial *r = idmap_get(&t->map, id);

	if (r != NULL)
		return r;
	if ((t->unused == NULL && trials_grow(t) == -1) || idmap_set(&t->map, id, t->unused) == -1)
		return NULL;
	r = t->unused;
	t->unused = r->next;
	*r = (struct trial){ .id = id, .key = key, .sender = STORE_NOBODY };
	return r;
}

void
trials_drop(struct trials *t, uint64_t id)
{
	struct trial *r = idmap_cut(&t->map, id);

	if (r == NULL)
		return;
	*r = (struct trial){ .next = t->unused };
	t->unused = r;
}

void
trials_forget_link(struct trials *t, const struct link *link)
{
	for (struct slab *s = t->slabs; s != NULL; s = s->next)
		for (unsigned i = 0; i < SLAB; i++)
			if (s->trials[i].link == link)
				s->trials[i].link = NULL;
}

void
trials_each(struct trials *t, void (*fn)(void *, struct trial *), void *arg)
{
	for (struct slab *s = t->slabs; s != NULL; s = s->next)
		for (unsigned i = 0; i < SLAB; i++)
			if (s->trials[i].id != 0)
				fn(arg, &s->trials[i]);
}
