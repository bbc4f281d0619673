/*
 * doubt.c - outcomes that nobody knows
 *
 * The link's policy decides: resend holds the turn until the link is back and wait-ack has passed
 * since the mark (a link that left the configuration is not waited for), hold keeps the message for
 * a person, give-up ends it. What a restart finds as sending is in doubt as well.
 *
 * An answer may still come while the line lives: the flight is kept for it without its message. A
 * late answer settles the message if nothing else happened to it meanwhile: accepted finishes it,
 * refused lets it wait again, and then nothing is counted as a possible duplicate.
 *
 * What is held waits for a late answer, or for a person's word.
 *
 * What another node was sending when its partition came to us is waited for while that node lives: it
 * knows, and its evidence comes. When it is dead, nobody knows.
 *
 * Knows:     the three policies, late answers, decisions.
 * Does not:  know why an outcome is unknown.
 * Owns:      lists of what waits for its link; late flights.
 * Threads:   the loop.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "dispatch/scheduler_inner.h"
#include "io/log.h"
#include "push/msisdn.h"

enum { WAIT_UNKNOWN_LINK = 60 * 1000,	/* wait-ack of a link that is not known any more */
    WAIT_SENDER = 10 * 60 * 1000 };	/* for a node that lives and should tell, beyond wait-ack */

static void
doubt_give_up(void *arg, enum errand_end end, uint64_t id, uint64_t key, wall_t expires)
{
	(void)arg;
	(void)key;
	(void)expires;
	if (end == ERRAND_TROUBLE)
		log_error("message %" PRIu64 " stays in doubt until the next start", id);
}

/* --- waiting for the link -------------------------------------------------------------- */

static struct trial **
doubt_list(struct scheduler *s, const struct trial *t)
{
	return t->link != NULL ? &t->link->unknowns : &s->orphans;
}

bool
doubt_cut(struct scheduler *s, const struct trial *t)
{
	for (struct trial **at = doubt_list(s, t); *at != NULL; at = &(*at)->next) {
		if (*at != t)
			continue;
		*at = t->next;
		s->in_doubt--;
		return true;
	}
	return false;
}

static void
doubt_wait(struct scheduler *s, struct trial *t, struct link *l, wall_t ready)
{
	struct trial **at;

	t->link = l;
	t->evidence = t->duplicate = true;
	t->ready = ready;
	t->next = NULL;
	for (at = doubt_list(s, t); *at != NULL;)
		at = &(*at)->next;
	*at = t;
	s->in_doubt++;
}

static void
doubt_release(struct scheduler *s, struct trial **list, wall_t now)
{
	for (struct trial **at = list; *at != NULL;) {
		struct trial *t = *at;

		if (t->ready > now) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		t->next = NULL;
		s->in_doubt--;
		backlog_again(s->backlog, t->id, t->key, 0);
		scheduler_soon(s);
	}
}

void
doubt_check(struct scheduler *s)
{
	wall_t now = clock_wall();

	for (size_t i = 0; i < links_count(s->links); i++)
		if (links_at(s->links, i)->up)
			doubt_release(s, &links_at(s->links, i)->unknowns, now);
	doubt_release(s, &s->orphans, now);
}

void
doubt_link_retired(struct scheduler *s, struct link *l)
{
	struct trial **at = &s->orphans;

	while (*at != NULL)
		at = &(*at)->next;
	*at = l->unknowns;
	l->unknowns = NULL;
	trials_forget_link(s->trials, l);
}

/* --- an outcome becomes unknown ------------------------------------------------------------ */

/* turn_remember has been called. */
void
doubt_begin(struct scheduler *s, struct flight *f)
{
	static const enum store_state states[] = { [LINK_RESEND] = STATE_UNKNOWN,
	    [LINK_HOLD] = STATE_HELD, [LINK_GIVE_UP] = STATE_FINISHED };
	struct link *l = f->link;
	enum link_unknown policy = l->unknown_policy;
	struct trial *t = trials_get(s->trials, f->id);
	struct store_settlement st = { .state = states[policy], .outcome = OUTCOME_UNKNOWN };
	struct report event = { .event = DLR_UNKNOWN, .answer = TEXT("NACK/unknown") };
	wall_t ready = f->marked + l->wait_ack_ms;

	l->unknown++;
	if (policy == LINK_RESEND && t != NULL) {
		st.due = ready;
		doubt_wait(s, t, l->retired ? NULL : l, ready);
	} else if (policy == LINK_RESEND) {
		backlog_again(s->backlog, f->id, f->key, ready);
	} else {
		trials_drop(s->trials, f->id);
		scheduler_turn_done(s, f);
		f->overtaken = true;
	}
	f->settled = policy != LINK_GIVE_UP && l->up && !l->far ? doubt_late : NULL;
	settle_flight(s, f, &st, policy == LINK_GIVE_UP ? &event : NULL);
	message_free(&f->message);
	doubt_check(s);
}

/* --- late answers ------------------------------------------------------------------------- */

static void
lates_cut(struct flight *f)
{
	for (struct flight **at = &f->link->lates; *at != NULL; at = &(*at)->next) {
		if (*at != f)
			continue;
		*at = f->next;
		f->next = NULL;
		f->link->late_count--;
		return;
	}
}

/* Nobody has touched the message since: it may be settled by what came late. */
static bool
late_may_settle(struct scheduler *s, struct flight *f)
{
	struct trial *t = trials_get(s->trials, f->id);

	if (f->overtaken)
		return true;		/* held for a person */
	if (t == NULL || t->attempt != f->attempt)
		return false;
	if (doubt_cut(s, t))
		return true;		/* in turn, waiting for its link */
	return backlog_waiting(s->backlog, f->id, f->key);	/* let go, not taken yet */
}

static void
late_again(struct scheduler *s, struct flight *f)
{
	struct store_settlement st = { .state = STATE_WAITING };
	struct trial *t = trials_make(s->trials, f->id, f->key);
	struct backlog_item item;

	if (t != NULL) {
		t->attempt = f->attempt;
		t->reference = f->reference;
		t->link = f->link->retired ? NULL : f->link;
		t->sender = STORE_NOBODY;
		t->evidence = flight_accepted(f) > 0;
		t->duplicate = false;
	}
	routing_item(s, f->message, f->key, &item);
	item.due = 0;
	settle_flight(s, f, &st, NULL);
	if (f->overtaken)
		backlog_put(s->backlog, &item);
	else
		backlog_again(s->backlog, f->id, f->key, 0);
	message_free(&f->message);
}

static void
late_read(void *arg, const struct err *err, const struct store_flight *row)
{
	struct flight *f = arg;
	struct scheduler *s = f->scheduler;

	if (err == NULL && row->body.at != NULL && (!f->overtaken || row->state == STATE_HELD))
		f->message = message_unpack(row->body.at, row->body.len, NULL);
	if (f->message != NULL && f->known)
		f->carried = text_dup(row->link);
	if (f->message == NULL) {		/* trouble, or gone: it goes on as unknown */
		if (!f->overtaken)
			backlog_again(s->backlog, f->id, f->key, 0);
		f->link->unsettled--;
		flight_free(&f);
		return;
	}
	f->message->id = f->id;
	f->report = f->message->dlr_mask & ~(DLR_SMSC_ACCEPTED | DLR_SMSC_REJECTED);
	if (flight_accepted(f) == f->total)
		settle_sent(s, f);
	else
		late_again(s, f);
	scheduler_soon(s);
}

/* Something is known now; what is still unknown is waited for. */
static void
late_decide(struct scheduler *s, struct flight *f)
{
	for (unsigned i = 0; i < f->total; i++)
		if (f->segments[i].state == ANSWER_UNKNOWN)
			return;
	lates_cut(f);
	f->settled = NULL;
	if (f->whose != FLIGHT_OURS) {
		f->turn = flight_accepted(f) == f->total ? TURN_ACCEPTED : TURN_RETURNED;
		f->link->unsettled++;
		told_owner(s, f);
	} else if (late_may_settle(s, f)) {
		doubt_read(s, f);
	} else {
		flight_free(&f);
	}
}

void
doubt_read(struct scheduler *s, struct flight *f)
{
	f->state = FLIGHT_SETTLING;
	f->link->unsettled++;
	ledger_flight(s->ledger, f->id, f->key, late_read, f);
}

/* After the commit: kept for a late answer, or freed. */
void
doubt_late(struct scheduler *s, struct flight *f)
{
	struct link *l = f->link;

	if (!l->up) {			/* what was written over the old line is never answered */
		flight_free(&f);
		return;
	}
	f->state = FLIGHT_LATE;
	f->next = l->lates;
	l->lates = f;
	if (++l->late_count > LATES_MOST) {
		struct flight *oldest = f;

		while (oldest->next != NULL)
			oldest = oldest->next;
		lates_cut(oldest);
		flight_free(&oldest);
	}
	late_decide(s, f);
}

void
doubt_link_down(struct scheduler *s, struct link *l)
{
	(void)s;
	for (struct flight *f = l->lates, *next; f != NULL; f = next) {
		next = f->next;
		flight_free(&f);
	}
	l->lates = NULL;
	l->late_count = 0;
}

void
scheduler_late(struct scheduler *s, struct link *l, uint64_t ticket, bool accepted,
    const struct smsc_answer *a)
{
	unsigned segment;
	struct flight *f = flight_of(s->flights, ticket, &segment);

	(void)l;
	if (f == NULL || f->settled == NULL || f->segments[segment - 1].state != ANSWER_UNKNOWN)
		return;
	flight_answer(f, segment, accepted ? ANSWER_ACCEPTED : ANSWER_REFUSED,
	    accepted ? a->foreign_id : (struct text){ 0 });
	if (f->state == FLIGHT_LATE)
		late_decide(s, f);
}

/* --- a person decides --------------------------------------------------------------------- */

static void
decision_end(struct decision *d, enum store_result how)
{
	struct decision **at = &d->scheduler->decisions, was = *d;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	free(d);
	was.done(was.arg, how);
}

/* Nothing that comes late counts any more. */
static void
lates_forget(struct scheduler *s, uint64_t id)
{
	uint32_t i = 0;

	for (struct flight *f; (f = flights_next(s->flights, &i)) != NULL; i++) {
		if (f->id != id || f->state != FLIGHT_LATE)
			continue;
		lates_cut(f);
		flight_free(&f);
		return;
	}
}

static void
decision_settled(void *arg, const struct err *err, const struct store_joined *joined)
{
	struct decision *d = arg;
	struct scheduler *s = d->scheduler;

	(void)joined;
	if (err == NULL && d->wish == WISH_RESEND) {
		if (backlog_put(s->backlog, &d->item) == -1)
			log_error("no memory: message %" PRIu64 " waits for the next start", d->id);
		scheduler_soon(s);
	} else {
		trials_drop(s->trials, d->id);
	}
	decision_end(d, err == NULL ? STORE_OK : STORE_FAILED);
}

static int
decision_remember(struct decision *d, const struct store_flight *row, const struct message *m)
{
	struct scheduler *s = d->scheduler;
	struct trial *t = trials_make(s->trials, d->id, d->key);

	if (t == NULL)
		return -1;
	t->attempt = row->attempt;
	t->reference = row->reference;
	t->link = links_find(s->links, row->link);
	t->evidence = t->duplicate = true;
	routing_item(s, m, d->key, &d->item);
	d->item.due = 0;
	d->item.aside = false;
	return 0;
}

static void
decision_read(void *arg, const struct err *err, const struct store_flight *row)
{
	struct decision *d = arg;
	struct scheduler *s = d->scheduler;
	bool again = d->wish == WISH_RESEND;
	struct store_settlement st = { .outcome = OUTCOME_UNKNOWN };
	struct report event = { .event = DLR_UNKNOWN };
	struct message *m = NULL;

	if (err == NULL && row->body.at != NULL && row->state == STATE_HELD)
		m = message_unpack(row->body.at, row->body.len, NULL);
	if (m == NULL) {
		decision_end(d, err != NULL ? STORE_FAILED : STORE_ABSENT);
		return;
	}
	m->id = d->id;
	if (again && decision_remember(d, row, m) == -1) {
		message_free(&m);
		decision_end(d, STORE_FAILED);
		return;
	}
	lates_forget(s, d->id);
	st.state = again ? STATE_WAITING : STATE_FINISHED;
	st.attempt = row->attempt;
	st.link = row->link;
	ending_settle(s->endings, m, d->key, &st, again ? NULL : &event, decision_settled, d);
	message_free(&m);
}

void
scheduler_decide(struct scheduler *s, uint64_t id, uint64_t key, enum store_wish wish,
    queue_decided_fn *done, void *arg)
{
	struct decision *d;

	for (d = s->decisions; d != NULL; d = d->next) {
		if (d->id != id)
			continue;
		done(arg, STORE_ABSENT);	/* somebody else's word is being carried out */
		return;
	}
	if ((d = malloc(sizeof *d)) == NULL) {
		done(arg, STORE_FAILED);
		return;
	}
	*d = (struct decision){ .scheduler = s, .next = s->decisions, .id = id, .key = key,
	    .wish = wish, .done = done, .arg = arg };
	s->decisions = d;
	ledger_flight(s->ledger, id, key, decision_read, d);
}

/* --- what others left in doubt: before a start, or on a node that is gone ------------------- */

/* "5/vf1": whose link it is. */
static uint16_t
doubt_node(struct text address)
{
	unsigned long n = 0;

	for (size_t i = 0; i < address.len && address.at[i] >= '0' && address.at[i] <= '9' && n < STORE_NOBODY;
	    i++)
		n = n * 10 + (unsigned long)(address.at[i] - '0');
	return n < STORE_NOBODY ? (uint16_t)n : STORE_NOBODY;
}

static bool
node_lives(const struct store_members *m, uint16_t node)
{
	for (unsigned i = 0; m != NULL && i < m->peer_count; i++)
		if (m->peers[i].node == node)
			return m->peers[i].alive;
	return false;
}

/* The node that sent it, if it is another one and can still tell; else STORE_NOBODY. */
static uint16_t
doubt_sender(const struct scheduler *s, struct text address)
{
	const struct queue *q = ledger_queue(s->ledger);
	uint16_t node = doubt_node(address);

	if (node == doubt_node(queue_node(q)) || !node_lives(queue_members(q), node))
		return STORE_NOBODY;
	return node;
}

static void
doubt_hold(struct scheduler *s, uint64_t id, uint64_t key, uint16_t attempt)
{
	struct store_settlement st = { .id = id, .order_key = key, .state = STATE_HELD,
	    .attempt = attempt, .at = clock_wall() };

	ledger_settle(s->ledger, &st, NULL, NULL);
}

static void
doubt_end(struct scheduler *s, uint64_t id, uint64_t key)
{
	static const struct errand unknown = { .outcome = OUTCOME_UNKNOWN, .event = DLR_UNKNOWN };

	ending_errand(s->endings, id, key, &unknown, doubt_give_up, s);
}

/* The backlog is loaded in the order of ids, and the one in doubt holds its lane. */
void
doubt_loaded(struct scheduler *s, const struct store_index *row, const struct backlog_item *item)
{
	struct link *l = links_find(s->links, row->link);
	const struct link *like = l != NULL ? l : links_like(s->links, row->link);
	enum link_unknown policy = like != NULL ? like->unknown_policy : LINK_RESEND;
	wall_t ready = row->marked + (like != NULL ? like->wait_ack_ms : WAIT_UNKNOWN_LINK);
	uint16_t sender = row->state == STATE_SENDING ? doubt_sender(s, row->link) : STORE_NOBODY;
	struct trial *t;

	if (sender != STORE_NOBODY) {
		policy = LINK_RESEND;
		ready += WAIT_SENDER;
	} else if (row->state == STATE_SENDING) {
		s->recovered++;
	}
	if (policy == LINK_GIVE_UP) {
		doubt_end(s, row->id, row->order_key);
		return;
	}
	if (policy == LINK_HOLD) {
		doubt_hold(s, row->id, row->order_key, row->attempt);
		return;
	}
	if ((t = trials_make(s->trials, row->id, row->order_key)) == NULL ||
	    backlog_put_in_turn(s->backlog, item) == -1) {
		struct backlog_item later = *item;

		later.due = ready;
		backlog_put(s->backlog, &later);
		return;
	}
	t->attempt = row->attempt;
	t->reference = row->reference;
	t->tries = row->tries;
	t->first = row->refused;
	doubt_wait(s, t, l, ready);
	t->sender = sender;
}

/* Those whose sender is dead by now: nobody will tell. */
static void
doubt_orphaned(void *arg, struct trial *t)
{
	struct scheduler *s = arg;
	const struct link *like = t->link;
	wall_t ready;

	if (t->sender == STORE_NOBODY ||
	    node_lives(queue_members(ledger_queue(s->ledger)), t->sender) || !doubt_cut(s, t))
		return;
	t->sender = STORE_NOBODY;
	s->recovered++;
	if (like != NULL && like->unknown_policy != LINK_RESEND) {
		backlog_done(s->backlog, t->id, t->key);
		if (like->unknown_policy == LINK_HOLD)
			doubt_hold(s, t->id, t->key, t->attempt);
		else
			doubt_end(s, t->id, t->key);
		trials_drop(s->trials, t->id);
		scheduler_soon(s);
		return;
	}
	ready = clock_wall() + (like != NULL ? like->wait_ack_ms : WAIT_UNKNOWN_LINK);
	doubt_wait(s, t, NULL, ready);
}

void
doubt_members(struct scheduler *s)
{
	if (s->in_doubt > 0)
		trials_each(s->trials, doubt_orphaned, s);
}
