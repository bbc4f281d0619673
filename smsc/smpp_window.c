/*
 * smpp_window.c - sequence numbers to tickets, in bounded memory
 *
 * Cells come from one array and stand in one of three lists: free, waiting, late.  An open
 * hash (linear probing, deletion by moving back) finds the cell of a sequence number; it is never
 * more than half full.  Numbers of a SMSC that answers out of order, or never, cost nothing more.
 *
 * Knows:     nothing of PDUs.
 * Owns:      its array and hash.
 * Threads:   pure; one window belongs to one link.
 */
#include "smsc/smpp_window.h"

#include <stdlib.h>

enum { NONE = UINT16_MAX };

struct cell {
	struct smpp_flight flight;
	uint16_t	 next, before;
};

struct list {
	uint16_t	 first, last;
	unsigned	 count;
};

struct smpp_window {
	unsigned	 most, mask;
	struct list	 waiting, late, spare;
	struct cell	*cells;		/* 2 * most */
	uint16_t	*slots;		/* mask + 1; NONE: empty */
};

static void
list_append(struct smpp_window *w, struct list *l, uint16_t at)
{
	w->cells[at].next = NONE;
	w->cells[at].before = l->last;
	if (l->last != NONE)
		w->cells[l->last].next = at;
	else
		l->first = at;
	l->last = at;
	l->count++;
}

static void
list_remove(struct smpp_window *w, struct list *l, uint16_t at)
{
	struct cell *c = &w->cells[at];

	if (c->before != NONE)
		w->cells[c->before].next = c->next;
	else
		l->first = c->next;
	if (c->next != NONE)
		w->cells[c->next].before = c->before;
	else
		l->last = c->before;
	l->count--;
}

static unsigned
slot_of(const struct smpp_window *w, uint32_t sequence)
{
	return (sequence * 2654435761u >> 7) & w->mask;
}

/* The slot that holds it, or the empty one where the search ends. */
static unsigned
slot_find(const struct smpp_window *w, uint32_t sequence)
{
	unsigned s = slot_of(w, sequence);

	while (w->slots[s] != NONE && w->cells[w->slots[s]].flight.sequence != sequence)
		s = (s + 1) & w->mask;
	return s;
}

static void
slot_clear(struct smpp_window *w, unsigned hole)
{
	unsigned s = hole;

	for (;;) {
		unsigned home;

		s = (s + 1) & w->mask;
		if (w->slots[s] == NONE)
			break;
		home = slot_of(w, w->cells[w->slots[s]].flight.sequence);
		if (((s - home) & w->mask) >= ((s - hole) & w->mask)) {
			w->slots[hole] = w->slots[s];
			hole = s;
		}
	}
	w->slots[hole] = NONE;
}

struct smpp_window *
smpp_window_new(unsigned most)
{
	struct smpp_window *w = calloc(1, sizeof *w);
	unsigned slots = 4;

	if (w == NULL)
		return NULL;
	if (most < 1)
		most = 1;
	if (most > SMPP_WINDOW_MOST)
		most = SMPP_WINDOW_MOST;
	while (slots < 4 * most)
		slots *= 2;
	w->most = most;
	w->mask = slots - 1;
	w->waiting = w->late = w->spare = (struct list){ NONE, NONE, 0 };
	w->cells = calloc(2 * most, sizeof *w->cells);
	w->slots = malloc(slots * sizeof *w->slots);
	if (w->cells == NULL || w->slots == NULL) {
		smpp_window_free(&w);
		return NULL;
	}
	for (unsigned i = 0; i < slots; i++)
		w->slots[i] = NONE;
	for (unsigned i = 0; i < 2 * most; i++)
		list_append(w, &w->spare, (uint16_t)i);
	return w;
}

void
smpp_window_free(struct smpp_window **wp)
{
	struct smpp_window *w = *wp;

	if (w == NULL)
		return;
	free(w->cells);
	free(w->slots);
	free(w);
	*wp = NULL;
}

unsigned
smpp_window_count(const struct smpp_window *w)
{
	return w->waiting.count;
}

/* Out of its list and the hash; the cell is spare again. */
static void
cell_drop(struct smpp_window *w, uint16_t at, struct smpp_flight *out)
{
	*out = w->cells[at].flight;
	slot_clear(w, slot_find(w, out->sequence));
	list_remove(w, out->late ? &w->late : &w->waiting, at);
	list_append(w, &w->spare, at);
}

bool
smpp_window_add(struct smpp_window *w, uint32_t sequence, uint64_t ticket, mono_t now)
{
	struct smpp_flight old;
	uint16_t at;

	if (w->waiting.count >= w->most)
		return false;
	if (w->spare.count == 0)
		cell_drop(w, w->late.first, &old);
	at = w->spare.first;
	list_remove(w, &w->spare, at);
	w->cells[at].flight = (struct smpp_flight){ .ticket = ticket, .sent = now,
	    .sequence = sequence };
	w->slots[slot_find(w, sequence)] = at;
	list_append(w, &w->waiting, at);
	return true;
}

bool
smpp_window_answer(struct smpp_window *w, uint32_t sequence, struct smpp_flight *out)
{
	unsigned s = slot_find(w, sequence);

	if (w->slots[s] == NONE)
		return false;
	cell_drop(w, w->slots[s], out);
	return true;
}

bool
smpp_window_oldest(const struct smpp_window *w, struct smpp_flight *out)
{
	if (w->waiting.count == 0)
		return false;
	*out = w->cells[w->waiting.first].flight;
	return true;
}

bool
smpp_window_give_up(struct smpp_window *w, struct smpp_flight *out)
{
	uint16_t at = w->waiting.first;

	if (at == NONE)
		return false;
	list_remove(w, &w->waiting, at);
	w->cells[at].flight.late = true;
	list_append(w, &w->late, at);
	*out = w->cells[at].flight;
	return true;
}

bool
smpp_window_lose(struct smpp_window *w, struct smpp_flight *out)
{
	struct smpp_flight old;

	if (w->waiting.count > 0) {
		cell_drop(w, w->waiting.first, out);
		return true;
	}
	while (w->late.count > 0)
		cell_drop(w, w->late.first, &old);
	return false;
}
