/*
 * ages.c - marks in the row of ids
 *
 * Marks nobody waits under are left out when the row would grow, so it is as long as the time that
 * the oldest message waits: three days are 26,000 marks of 24 octets.
 *
 * Knows:     ids of a node grow with time; the node stands in their upper bits (store.h).
 * Does not:  know messages.
 * Owns:      the marks.
 * Threads:   pure; the loop.
 */
#include "dispatch/ages.h"

#include <stdlib.h>
#include <string.h>

enum { NODE_SHIFT = 44, MARKS_FIRST = 64 };

struct mark {
	uint64_t	 first;		/* its ids: from this one to the next mark's */
	wall_t		 since;
	uint64_t	 waiting;
};

struct age_node {
	uint64_t	 node;
	struct mark	*marks;
	size_t		 count, room;
};

static struct age_node *
node_find(struct ages *a, uint64_t node)
{
	if (a->last < a->count && a->nodes[a->last].node == node)
		return &a->nodes[a->last];
	for (a->last = 0; a->last < a->count; a->last++)
		if (a->nodes[a->last].node == node)
			return &a->nodes[a->last];
	return NULL;
}

static struct age_node *
node_make(struct ages *a, uint64_t node)
{
	struct age_node *n = node_find(a, node);

	if (n != NULL)
		return n;
	if (a->count == a->room) {
		unsigned room = a->room > 0 ? 2 * a->room : 4;

		if ((n = realloc(a->nodes, room * sizeof *n)) == NULL)
			return NULL;
		a->nodes = n;
		a->room = room;
	}
	n = &a->nodes[a->last = a->count++];
	*n = (struct age_node){ .node = node };
	return n;
}

/* The mark of an id; NULL: it is older than all. */
static struct mark *
mark_find(const struct age_node *n, uint64_t id)
{
	size_t low = 0, high = n->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (n->marks[middle].first <= id)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? &n->marks[low - 1] : NULL;
}

static int
marks_room(struct age_node *n)
{
	size_t kept = 0, room;
	struct mark *marks;

	if (n->count < n->room)
		return 0;
	for (size_t i = 0; i < n->count; i++)
		if (n->marks[i].waiting > 0)
			n->marks[kept++] = n->marks[i];
	n->count = kept;
	if (kept < n->room / 2)
		return 0;
	room = n->room > 0 ? 2 * n->room : MARKS_FIRST;
	if ((marks = realloc(n->marks, room * sizeof *marks)) == NULL)
		return kept < n->room ? 0 : -1;
	n->marks = marks;
	n->room = room;
	return 0;
}

void
ages_enter(struct ages *a, uint64_t id, wall_t accepted)
{
	struct age_node *n = node_make(a, id >> NODE_SHIFT);
	struct mark *m, *last;

	if (n == NULL)
		return;
	m = mark_find(n, id);
	last = n->count > 0 ? &n->marks[n->count - 1] : NULL;
	if (m != NULL && (m != last || accepted < m->since + AGES_STEP_MS)) {
		m->waiting++;
	} else if (m == NULL && last != NULL) {		/* older than all: loaded late */
		n->marks[0].first = id;
		if (accepted < n->marks[0].since)
			n->marks[0].since = accepted;
		n->marks[0].waiting++;
	} else if (marks_room(n) == 0) {
		n->marks[n->count++] = (struct mark){ id, accepted, 1 };
	} else {
		last->waiting++;
	}
}

void
ages_leave(struct ages *a, uint64_t id)
{
	struct age_node *n = node_find(a, id >> NODE_SHIFT);
	struct mark *m = n != NULL ? mark_find(n, id) : NULL;

	if (m != NULL && m->waiting > 0)
		m->waiting--;
}

wall_t
ages_oldest(const struct ages *a)
{
	wall_t oldest = 0;

	for (unsigned i = 0; i < a->count; i++) {
		const struct age_node *n = &a->nodes[i];

		for (size_t k = 0; k < n->count; k++) {
			if (n->marks[k].waiting > 0 && (oldest == 0 || n->marks[k].since < oldest))
				oldest = n->marks[k].since;
		}
	}
	return oldest;
}

size_t
ages_octets(const struct ages *a)
{
	size_t octets = a->room * sizeof *a->nodes;

	for (unsigned i = 0; i < a->count; i++)
		octets += a->nodes[i].room * sizeof *a->nodes[i].marks;
	return octets;
}

void
ages_free(struct ages *a)
{
	for (unsigned i = 0; i < a->count; i++)
		free(a->nodes[i].marks);
	free(a->nodes);
	*a = (struct ages){ 0 };
}
