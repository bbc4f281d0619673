/*
 * leave.c - partitions that come, and that go to another node
 *
 * On a friendly leave what waits is forgotten at once, what is marked but has not begun is settled as
 * waiting, and what is on its way ends here. What another node sends for us, and what is in
 * doubt, is the next owner's business: the store knows all of it.
 *
 * What is lost (our lease was over) is somebody else's already: nothing of it is begun or settled any
 * more, and the answers that still come are evidence (afar.c).
 *
 * Knows:     where a message can be.
 * Does not:  know why a partition goes, or who is there.
 * Owns:      nothing.
 * Threads:   the loop.
 */
#include <string.h>

#include "dispatch/far.h"
#include "dispatch/scheduler_inner.h"

enum { FORGET_SLICE = 20000 };

struct leaving {
	struct scheduler *scheduler;
	const struct store_parts *parts;
	bool		 all;		/* also those whose flights are still under way */
};

static struct backlog_groups
groups_of(const struct store_parts *parts)
{
	struct backlog_groups g;

	_Static_assert(sizeof g == sizeof *parts, "a partition is the top octet of the order key");
	memcpy(&g, parts, sizeof g);
	return g;
}

static void
trial_goes(void *arg, struct trial *t)
{
	const struct leaving *l = arg;
	bool doubt;

	if (!parts_has(l->parts, store_part(t->key)))
		return;
	if ((doubt = doubt_cut(l->scheduler, t)))
		backlog_done(l->scheduler->backlog, t->id, t->key);
	if (doubt || l->all)
		trials_drop(l->scheduler->trials, t->id);
}

static void
flight_leaves(struct scheduler *s, struct flight *f)
{
	switch (f->state) {
	case FLIGHT_AFAR:
		backlog_done(s->backlog, f->id, f->key);
		afar_forget(s, f);
		break;
	case FLIGHT_LATE:
		f->whose = FLIGHT_STRAY;
		break;
	case FLIGHT_SENDING:
		if (f->unsent && f->left == 0)
			turn_return(s, f);
		break;
	case FLIGHT_FREE:
	case FLIGHT_OFFERED:
	case FLIGHT_MARKING:
	case FLIGHT_SETTLING:
		break;
	}
}

/* What is still remembered of them from before goes first. */
void
scheduler_come(struct scheduler *s, const struct store_parts *parts)
{
	struct backlog_groups groups = groups_of(parts);

	backlog_open(s->backlog, &groups);
}

void
scheduler_leave(struct scheduler *s, const struct store_parts *parts)
{
	struct backlog_groups groups = groups_of(parts);
	struct leaving l = { .scheduler = s, .parts = parts };
	uint32_t i = 0;

	backlog_close(s->backlog, &groups);
	bodies_empty(s->bodies);	/* the next owner may put others in their place */
	trials_each(s->trials, trial_goes, &l);
	for (struct flight *f; (f = flights_next(s->flights, &i)) != NULL; i++)
		if (f->whose == FLIGHT_OURS && parts_has(parts, store_part(f->key)))
			flight_leaves(s, f);
	scheduler_soon(s);
}

bool
scheduler_left(struct scheduler *s, const struct store_parts *parts)
{
	struct leaving l = { .scheduler = s, .parts = parts, .all = true };
	uint32_t i = 0;

	if (!backlog_forget(s->backlog, FORGET_SLICE, false))
		return false;
	for (const struct flight *f; (f = flights_next(s->flights, &i)) != NULL; i++)
		if (f->whose == FLIGHT_OURS && parts_has(parts, store_part(f->key)))
			return false;
	for (const struct expiry *e = s->expiries; e != NULL; e = e->next)
		if (parts_has(parts, store_part(e->key)))
			return false;
	for (const struct decision *d = s->decisions; d != NULL; d = d->next)
		if (parts_has(parts, store_part(d->key)))
			return false;
	trials_each(s->trials, trial_goes, &l);
	return true;
}

static void
flight_is_lost(struct scheduler *s, struct flight *f)
{
	if (f->state == FLIGHT_AFAR) {
		afar_forget(s, f);
		return;
	}
	f->whose = FLIGHT_STRAY;
	s->stranded += f->out > 0;
	if (f->state == FLIGHT_SENDING && f->unsent)
		turn_return(s, f);
}

void
scheduler_lost(struct scheduler *s, const struct store_parts *parts)
{
	struct backlog_groups groups = groups_of(parts);
	struct leaving l = { .scheduler = s, .parts = parts, .all = true };
	uint32_t i = 0;

	backlog_close(s->backlog, &groups);
	backlog_forget(s->backlog, SIZE_MAX, true);
	bodies_empty(s->bodies);
	trials_each(s->trials, trial_goes, &l);
	for (struct flight *f; (f = flights_next(s->flights, &i)) != NULL; i++)
		if (f->whose == FLIGHT_OURS && parts_has(parts, store_part(f->key)))
			flight_is_lost(s, f);
	for (struct expiry *e = s->expiries; e != NULL; e = e->next)
		e->stray |= parts_has(parts, store_part(e->key));
	scheduler_soon(s);
}

void
scheduler_members(struct scheduler *s, uint16_t self, const struct store_members *m)
{
	doubt_members(s);		/* while the links of who is gone are still known */
	if (far_members(s->links, self, m))
		scheduler_routes_changed(s);
	scheduler_soon(s);
}
