/*
 * routing.c - which links may carry a message, as a number of the backlog
 *
 * Without rules that look at the receiver the answer depends on the wished smsc-id alone and
 * is remembered; no text is hashed when a message names the same one as the last.
 *
 * Knows:     links' verdicts, the backlog's routes and flows.
 * Does not:  know when a message leaves.
 * Owns:      nothing but what it remembers.
 * Threads:   the loop.
 */
#include "dispatch/scheduler_inner.h"

#include <string.h>

static const struct backlog_links none;

static int
routing_ask(struct scheduler *s, struct text smsc, struct text receiver, bool *never)
{
	/* Preferred here, preferred on other nodes, here, on other nodes. */
	struct backlog_links may = { { 0 } }, by[4] = { { { 0 } } };
	unsigned count[4] = { 0 }, best;
	int route;

	for (size_t i = 0; i < links_count(s->links); i++) {
		const struct link *l = links_at(s->links, i);
		enum route_verdict v = link_judge(l, smsc, receiver);
		unsigned which = (v == ROUTE_PREFERRED ? 0 : 2) + l->far;

		if (v == ROUTE_NO)
			continue;
		may.bits[l->number / 64] |= UINT64_C(1) << l->number % 64;
		by[which].bits[l->number / 64] |= UINT64_C(1) << l->number % 64;
		count[which]++;
	}
	for (best = 0; best < 3 && count[best] == 0;)
		best++;
	*never = count[best] == 0;
	/* Those that are not preferred are all alike, unless some are another node's. */
	route = backlog_route(s->backlog, &may, best < 2 || count[3] > 0 ? &by[best] : &none);
	return route >= 0 ? route : 0;	/* of 4096 none is free: the first one, which no link serves */
}

static bool
route_is(const struct route_known *k, struct text smsc)
{
	return k->len == smsc.len && k->named == (smsc.at != NULL) &&
	    (smsc.len == 0 || memcmp(k->smsc, smsc.at, smsc.len) == 0);
}

int
routing_of(struct scheduler *s, struct text smsc, struct text receiver, bool *never)
{
	struct route_known *k = &s->routes[s->route_last];

	if (links_by_receiver(s->links) || smsc.len > SMSC_KNOWN_MOST)
		return routing_ask(s, smsc, receiver, never);
	for (unsigned i = 0; !route_is(k, smsc) && i < ROUTES_KNOWN; i++)
		k = &s->routes[s->route_last = i];
	if (!route_is(k, smsc)) {
		s->route_last = s->route_next++ % ROUTES_KNOWN;
		k = &s->routes[s->route_last];
		*k = (struct route_known){ .len = smsc.len, .named = smsc.at != NULL };
		if (smsc.len > 0)
			memcpy(k->smsc, smsc.at, smsc.len);
		k->route = routing_ask(s, smsc, receiver, &k->never);
	}
	*never = k->never;
	return k->route;
}

void
scheduler_routes_changed(struct scheduler *s)
{
	for (unsigned i = 0; i < ROUTES_KNOWN; i++)
		s->routes[i].len = (size_t)-1;
	backlog_routes_stale(s->backlog);
	backlog_route(s->backlog, &none, &none);	/* route 0, the first time */
	for (size_t i = 0; i < links_count(s->links); i++)
		backlog_link_up(s->backlog, links_at(s->links, i)->number, links_at(s->links, i)->up);
	scheduler_soon(s);
}

static uint16_t
routing_flow(struct scheduler *s, struct text account)
{
	int flow;

	if (account.len == s->account_len && account.len > 0 &&
	    memcmp(account.at, s->account, account.len) == 0)
		return s->flow;
	flow = backlog_flow(s->backlog, account.at != NULL ? account.at : "", account.len);
	if (account.len <= sizeof s->account && account.len > 0) {
		memcpy(s->account, account.at, account.len);
		s->account_len = account.len;
		s->flow = flow > 0 ? (uint16_t)flow : 0;
	}
	return flow > 0 ? (uint16_t)flow : 0;
}

static uint16_t
routing_group(struct text group)
{
	uint16_t h;

	if (group.len == 0)
		return 0;
	h = (uint16_t)text_hash(group.at, group.len);
	return h != 0 ? h : 1;
}

void
routing_item(struct scheduler *s, const struct message *m, uint64_t key, struct backlog_item *i)
{
	bool never;

	*i = (struct backlog_item){ .id = m->id, .key = key, .klass = m->klass,
	    .route = (uint16_t)routing_of(s, m->smsc, m->msisdn, &never),
	    .flow = routing_flow(s, m->account), .group = routing_group(m->group),
	    .due = m->not_before, .aside = m->not_before > 0, .expires = m->expires,
	    .accepted = m->accepted };
}

bool
link_may_take(const struct link *l)
{
	return l->up && !l->retired &&
	    l->unsettled < (l->far ? link_ahead_least(l) : l->window + LINK_UNSETTLED) && l->unsent < l->ahead && !link_resting(l);
}

/* Preferred links that are up come first; among equals they take turns. What is for another node's link
 * takes the slow road. */
struct link *
routing_pick(struct scheduler *s, const struct message *m, uint64_t key)
{
	size_t count = links_count(s->links);
	struct link *free_one = NULL;
	bool preferred_up = false;

	for (size_t i = 0; i < count; i++) {
		struct link *l = links_at(s->links, (s->turn + i) % count);
		enum route_verdict v;

		if (!l->up || (v = link_judge(l, m->smsc, m->msisdn)) == ROUTE_NO)
			continue;
		if (v == ROUTE_PREFERRED && !preferred_up) {
			preferred_up = true;
			free_one = NULL;
		}
		if (preferred_up && v != ROUTE_PREFERRED)
			continue;
		if (free_one == NULL && !l->far && link_may_take(l) && backlog_idle(s->backlog, key, l->number))
			free_one = l;
		if (free_one != NULL && v == ROUTE_PREFERRED)
			break;
	}
	if (count > 0)
		s->turn = (unsigned)((s->turn + 1) % count);
	return free_one;
}

enum routable
scheduler_routable(struct scheduler *s, const struct message *m)
{
	enum routable r = ROUTABLE_NEVER;

	for (size_t i = 0; i < links_count(s->links) && r != ROUTABLE_NOW; i++) {
		const struct link *l = links_at(s->links, i);

		if (link_judge(l, m->smsc, m->msisdn) != ROUTE_NO)
			r = l->up ? ROUTABLE_NOW : ROUTABLE_LATER;
	}
	return r;
}
