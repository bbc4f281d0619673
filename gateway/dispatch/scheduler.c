/*
 * scheduler.c - up to the moment a message may leave
 *
 * Fast road: the queue offers a message just before it is written; a link with room whose lane
 * is idle claims it, and put and mark share one commit. Slow road: it waits in the backlog,
 * is taken when a link has room, and mark and body (if not in the window) come in one batch.
 *
 * Order: an offer that is refused is remembered until it is stored, so that a later message of
 * the same batch cannot overtake it; what comes while its partition loads is adopted behind it.
 *
 * Knows:     the order of events of a message before it is sent.
 * Does not:  know segments, answers, or what a refusal means.
 * Owns:      backlog, bodies, trials, flights.
 * Threads:   the loop.
 */
#include "dispatch/scheduler_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/log.h"
#include "push/msisdn.h"

enum { SWEEP_LEAST = 10000 };

static void	scheduler_pump(void *);
static void	scheduler_woken(void *);

struct scheduler *
scheduler_new(struct loop *loop, struct ledger *ledger, struct links *links,
    struct endings *endings, struct receipts *receipts, const struct retry_conf *retry)
{
	struct scheduler *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	*s = (struct scheduler){ .loop = loop, .ledger = ledger, .links = links,
	    .endings = endings, .receipts = receipts, .retry = *retry, .clock_trusted = true,
	    .receiver = buf_heap(1024), .pump = { .run = scheduler_pump, .arg = s },
	    .backlog = backlog_new(), .bodies = bodies_new(BODIES_MOST), .trials = trials_new(),
	    .flights = flights_new(), .plan = segment_plan_new(),
	    .pending = calloc(PENDING_SLOTS, sizeof(uint16_t)), .references = calloc(REFERENCES, 1),
	    .wake = timer_new(loop, scheduler_woken, s) };
	if (s->backlog == NULL || s->bodies == NULL || s->trials == NULL || s->flights == NULL ||
	    s->plan == NULL || s->pending == NULL || s->references == NULL || s->wake == NULL) {
		scheduler_free(&s);
		return NULL;
	}
	rate_start(&s->sent, loop_now(loop));
	scheduler_routes_changed(s);
	return s;
}

void
scheduler_free(struct scheduler **sp)
{
	struct scheduler *s = *sp;

	if (s == NULL)
		return;
	loop_not_soon(s->loop, &s->pump);
	timer_free(&s->wake);
	for (struct expiry *e = s->expiries, *next; e != NULL; e = next) {
		next = e->next;
		free(e);
	}
	for (struct decision *d = s->decisions, *next; d != NULL; d = next) {
		next = d->next;
		d->done(d->arg, STORE_FAILED);
		free(d);
	}
	flights_free(&s->flights);
	bodies_free(&s->bodies);
	trials_free(&s->trials);
	backlog_free(&s->backlog);
	segment_plan_free(&s->plan);
	buf_free(&s->receiver);
	idmap_free(&s->afar);
	free(s->pending);
	free(s->references);
	free(s);
	*sp = NULL;
}

/* --- the fast road ---------------------------------------------------------------- */

static inline uint16_t *
pending_of(struct scheduler *s, uint64_t key)
{
	return &s->pending[key % PENDING_SLOTS];
}

static struct flight *
claim(struct scheduler *s, const struct message *m, uint64_t key)
{
	struct backlog_item item;
	struct flight *f;
	struct link *l;

	if (s->stopped || s->trouble || !queue_may_send(ledger_queue(s->ledger)) || *pending_of(s, key) > 0 || m->not_before > 0 ||
	    (l = routing_pick(s, m, key)) == NULL)
		return NULL;
	if ((f = flight_new(s->flights, m->id, key)) == NULL)
		return NULL;
	routing_item(s, m, key, &item);
	if (backlog_put_in_turn(s->backlog, &item) == -1) {
		flight_free(&f);
		return NULL;
	}
	f->scheduler = s;
	f->link = l;
	f->state = FLIGHT_OFFERED;
	f->unsent = true;
	l->unsent++;
	l->unsettled++;
	return f;
}

bool
scheduler_offer(struct scheduler *s, const struct message *m, uint64_t key, struct store_mark *mark)
{
	struct flight *f = claim(s, m, key);

	if (f == NULL) {
		++*pending_of(s, key);
		return false;
	}
	f->attempt = 1;
	f->reference = scheduler_reference(s, key);
	f->marked = clock_wall();
	*mark = (struct store_mark){ .attempt = 1, .reference = f->reference,
	    .link = text_of(f->link->address), .at = f->marked };
	if (s->offered == NULL)
		s->offered = f;
	else
		s->offered_last->next = f;
	s->offered_last = f;
	return true;
}

/* Answers come in the order of the offers, so it is the first; but who knows. */
static struct flight *
offered_take(struct scheduler *s, uint64_t id)
{
	struct flight *f, *before = NULL;

	for (f = s->offered; f != NULL && f->id != id; f = f->next)
		before = f;
	if (f == NULL)
		return NULL;
	if (before == NULL)
		s->offered = f->next;
	else
		before->next = f->next;
	if (s->offered_last == f)
		s->offered_last = before;
	f->next = NULL;
	return f;
}

static void
wait_in_backlog(struct scheduler *s, struct message **taken, uint64_t key)
{
	struct backlog_item item;

	routing_item(s, *taken, key, &item);
	if (backlog_put(s->backlog, &item) == -1)
		log_error("no memory for a message that waits: it is sent after the next start");
	else
		bodies_put(s->bodies, taken);
	message_free(taken);
	scheduler_soon(s);
}

static void
flight_drop(struct scheduler *s, struct flight *f)	/* it never left, and nothing is to be settled */
{
	turn_unsent(f);
	f->link->unsettled--;
	flight_free(&f);
	scheduler_soon(s);
}

/* An offer that was accepted is off. */
static void
offer_off(struct scheduler *s, uint64_t id)
{
	struct flight *f = offered_take(s, id);

	if (f == NULL)
		return;
	backlog_done(s->backlog, f->id, f->key);
	flight_drop(s, f);
}

void
scheduler_stored(struct scheduler *s, struct message **taken, uint64_t key, bool offered, bool marked)
{
	struct flight *f;

	if (marked && (f = offered_take(s, (*taken)->id)) != NULL) {
		f->message = *taken;
		*taken = NULL;
		turn_begin(s, f);
		return;
	}
	if (offered)
		offer_off(s, (*taken)->id);	/* and behind who came before */
	else
		--*pending_of(s, key);
	wait_in_backlog(s, taken, key);
}

void
scheduler_dropped(struct scheduler *s, const struct message *m, uint64_t key, bool offered)
{
	if (offered)
		offer_off(s, m->id);
	else
		--*pending_of(s, key);
}

/* --- expired ------------------------------------------------------------------------- */

static void
expiry_end(struct expiry *e)
{
	struct expiry **at = &e->scheduler->expiries;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	e->scheduler->expiry_count--;
	free(e);
}

static void
expired(void *arg, enum errand_end end, uint64_t id, uint64_t key, wall_t expires)
{
	struct expiry *e = arg;
	struct scheduler *s = e->scheduler;
	bool over = end == ERRAND_DONE || end == ERRAND_GONE;

	if (e->stray) {
		expiry_end(e);
		return;
	}
	if (!e->in_turn)
		backlog_hold(s->backlog, id, key, false);
	if (over && e->in_turn)
		backlog_done(s->backlog, id, key);
	else if (over)
		backlog_remove(s->backlog, id, key);
	if (over)
		trials_drop(s->trials, id);
	if (end == ERRAND_VALID)		/* it was replaced by one that lives longer */
		backlog_expires(s->backlog, id, key, expires);
	if (!over && e->in_turn)
		backlog_again(s->backlog, id, key, end == ERRAND_TROUBLE ? clock_wall() + 1000 : 0);
	expiry_end(e);
	scheduler_soon(s);
}

/* What was sent with an unknown outcome ends as unknown: it may have arrived. */
static void
expire(struct scheduler *s, const struct backlog_item *i, bool in_turn, wall_t now)
{
	const struct trial *t = trials_get(s->trials, i->id);
	struct errand errand = { .outcome = OUTCOME_EXPIRED, .event = DLR_EXPIRED,
	    .unless_valid = now };
	struct expiry *e = malloc(sizeof *e);
	struct message *m;

	if (t != NULL && t->duplicate)
		errand = (struct errand){ .outcome = OUTCOME_UNKNOWN, .event = DLR_UNKNOWN,
		    .unless_valid = now };
	if (e == NULL) {
		if (in_turn)
			backlog_again(s->backlog, i->id, i->key, now + 1000);
		return;
	}
	*e = (struct expiry){ .scheduler = s, .next = s->expiries, .id = i->id, .key = i->key,
	    .in_turn = in_turn };
	s->expiries = e;
	s->expiry_count++;
	if (!in_turn)
		backlog_hold(s->backlog, i->id, i->key, true);
	m = bodies_take(s->bodies, i->id);
	message_free(&m);
	ending_errand(s->endings, i->id, i->key, &errand, expired, e);
}

static void
expired_waiting(void *arg, const struct backlog_item *i)
{
	struct scheduler *s = arg;

	if (s->expiry_count < EXPIRIES_MOST && !s->trouble)
		expire(s, i, false, clock_wall());
}

/* --- the slow road ------------------------------------------------------------------- */

static void	taken_ready(struct scheduler *, struct flight *);

static void
taken_marked(void *arg, const struct err *err)
{
	struct flight *f = arg;

	f->waits--;
	if (err != NULL && err->code != ERR_STORE)
		f->gone = true;		/* cancelled or finished by somebody else */
	else if (err != NULL)
		f->failed_mark = true;
	if (f->waits == 0)
		taken_ready(f->scheduler, f);
}

/* The accepted segments of the attempt that goes on. */
static void
taken_evidence(struct flight *f, const struct store_flight *row)
{
	if (!f->resumed || row->segments == 0 || row->attempt != f->attempt ||
	    flight_segments(f, row->segments) == -1) {
		f->resumed = false;
		return;
	}
	for (unsigned i = 0; i < row->answer_count; i++)
		if (row->answers[i].state == ANSWER_ACCEPTED && row->answers[i].segment >= 1 &&
		    row->answers[i].segment <= f->total)
			flight_answer(f, row->answers[i].segment, ANSWER_ACCEPTED,
			    row->answers[i].foreign_id);
}

/* Another link than the last time: does the store know more of that attempt? Evidence may have come after
 * it was given up; or none of it ever left. */
static void
taken_look(struct flight *f, const struct store_flight *row)
{
	const struct trial *t = trials_get(f->scheduler->trials, f->id);
	unsigned accepted = 0;

	if (!f->look || f->whose != FLIGHT_OURS || t == NULL || row->attempt != t->attempt)
		return;
	for (unsigned i = 0; i < row->answer_count; i++)
		accepted += row->answers[i].state == ANSWER_ACCEPTED;
	if (row->segments > 0 && accepted == row->segments && flight_segments(f, row->segments) == 0) {
		for (unsigned i = 0; i < row->answer_count; i++)
			flight_answer(f, row->answers[i].segment, row->answers[i].state,
			    row->answers[i].foreign_id);
		f->attempt = row->attempt;
		f->carried = text_dup(row->link);
		f->known = f->cut = true;
	} else if (accepted == 0 && row->state == STATE_WAITING && !t->duplicate) {
		f->evidence_before = false;
		if (f->duplicate_counted) {
			f->duplicate_counted = false;
			f->scheduler->possible_duplicates--;
			f->link->possible_duplicates--;
		}
	}
}

static void
taken_body(void *arg, const struct err *err, const struct store_flight *row)
{
	struct flight *f = arg;

	f->waits--;
	if (err == NULL && row->body.at == NULL) {
		f->gone = true;
	} else if (err == NULL) {
		struct err why = { 0 };

		taken_look(f, row);

		f->message = message_unpack(row->body.at, row->body.len, &why);
		if (f->message == NULL) {
			log_error("message %" PRIu64 ": %s: it waits for the next start", f->id,
			    why.text);
			f->damaged = true;
		} else {
			f->message->id = f->id;
			taken_evidence(f, row);
		}
	} else if (err->code == ERR_STORE || err->code == ERR_BUSY) {
		f->failed_mark = true;
	} else {
		f->gone = true;
	}
	if (f->waits == 0)
		taken_ready(f->scheduler, f);
}

static void
taken_mark(struct scheduler *s, struct flight *f)
{
	struct store_mark mark = { .attempt = f->attempt, .reference = f->reference,
	    .link = text_of(f->link->address) };

	mark.at = f->marked = clock_wall();
	f->mark_asked = true;
	f->waits++;
	ledger_mark(s->ledger, f->id, f->key, &mark, taken_marked, f);
}

/* Settled as what it is: over the link that carried it, its evidence is in the store. */
static void
taken_known(struct scheduler *s, struct flight *f)
{
	turn_unsent(f);
	if (f->duplicate_counted) {
		s->possible_duplicates--;
		f->link->possible_duplicates--;
	}
	f->report = f->message->dlr_mask & ~(DLR_SMSC_ACCEPTED | DLR_SMSC_REJECTED);
	f->evidence_before = false;
	settle_sent(s, f);
}

/* Its route is of a former configuration: may this link carry it at all? */
static bool
taken_may_go(struct scheduler *s, struct flight *f)
{
	const struct message *m = f->message;
	bool never;
	int route;

	f->look = false;
	if (!f->judge)
		return true;
	f->judge = false;
	route = routing_of(s, m->smsc, m->msisdn, &never);
	backlog_reroute(s->backlog, f->id, f->key, (unsigned)route);
	return link_judge(f->link, m->smsc, m->msisdn) != ROUTE_NO;
}

/* Back to its place, as if it had not been taken. */
static void
taken_back(struct scheduler *s, struct flight *f, wall_t due)
{
	if (f->message != NULL && !f->resumed)
		bodies_put(s->bodies, &f->message);
	backlog_again(s->backlog, f->id, f->key, due);
	flight_drop(s, f);
}

static void
taken_ready(struct scheduler *s, struct flight *f)
{
	if (f->whose == FLIGHT_STRAY && (f->gone || f->damaged || f->failed_mark || !f->mark_asked)) {
		flight_drop(s, f);	/* the backlog knows nothing of it any more */
	} else if (f->gone || f->damaged) {
		trials_drop(s->trials, f->id);
		backlog_done(s->backlog, f->id, f->key);
		flight_drop(s, f);
	} else if (f->failed_mark) {
		if (f->duplicate_counted) {	/* it did not leave */
			s->possible_duplicates--;
			f->link->possible_duplicates--;
		}
		taken_back(s, f, s->trouble ? 0 : clock_wall() + 1000);
	} else if (f->known) {
		taken_known(s, f);
	} else if (!f->mark_asked) {
		if (taken_may_go(s, f))
			taken_mark(s, f);
		else
			taken_back(s, f, 0);
	} else {
		turn_begin(s, f);
	}
}

/* Which attempt this is: the former one goes on where it was, or all go again. */
static void
taken_attempt(struct scheduler *s, struct flight *f)
{
	const struct trial *t = trials_get(s->trials, f->id);

	f->attempt = 1;
	if (t != NULL && t->link == f->link && t->evidence) {
		f->attempt = t->attempt;
		f->reference = t->reference;
		f->resumed = true;
	} else if (t != NULL) {
		f->attempt = (uint16_t)(t->attempt + 1);
		f->evidence_before = f->look = t->evidence;
	}
	if (!f->resumed)
		f->reference = scheduler_reference(s, f->key);
	if (t != NULL && (t->duplicate || f->evidence_before)) {
		f->duplicate_counted = true;
		s->possible_duplicates++;
		f->link->possible_duplicates++;
	}
}

static void
take(struct scheduler *s, struct link *l, const struct backlog_item *i)
{
	struct flight *f = flight_new(s->flights, i->id, i->key);

	if (f == NULL) {
		backlog_again(s->backlog, i->id, i->key, clock_wall() + 1000);
		return;
	}
	f->scheduler = s;
	f->link = l;
	f->state = FLIGHT_MARKING;
	f->judge = backlog_route_stale(s->backlog, i->route);
	f->unsent = true;
	l->unsent++;
	l->unsettled++;
	taken_attempt(s, f);
	if (!f->resumed && !f->look)
		f->message = bodies_take(s->bodies, i->id);
	if (f->judge && f->message != NULL) {
		taken_ready(s, f);
		return;
	}
	f->waits = 1;			/* of this function: nothing is ready before it ends */
	if (f->message == NULL) {
		f->waits++;
		ledger_flight(s->ledger, f->id, f->key, taken_body, f);
	}
	if (!f->judge && !f->look)
		taken_mark(s, f);
	if (--f->waits == 0)
		taken_ready(s, f);
}

static void
link_take(struct scheduler *s, struct link *l, wall_t now)
{
	struct backlog_item i;

	/* The line ran dry while the store was marking: more must be under way. */
	if (l->first == NULL && l->in_flight < l->window && l->unsent >= l->ahead)
		l->ahead = 2 * l->ahead < l->window + LINK_UNSETTLED ? 2 * l->ahead :
		    l->window + LINK_UNSETTLED;
	while (link_may_take(l) && backlog_take(s->backlog, l->number, now, &i)) {
		if (i.expires != 0 && i.expires <= now && s->clock_trusted)
			expire(s, &i, true, now);
		else
			take(s, l, &i);
	}
}

static void
scheduler_pump(void *arg)
{
	struct scheduler *s = arg;
	size_t count = links_count(s->links);
	wall_t now = clock_wall(), due;

	for (size_t i = 0; i < count; i++)
		turn_send(s, links_at(s->links, i));
	if (s->stopped || s->trouble || !queue_may_send(ledger_queue(s->ledger)))
		return;
	due = backlog_wake(s->backlog, now);
	if (due > 0)
		timer_set(s->wake, due > now ? due - now : 1);
	for (size_t i = 0; i < count; i++)
		link_take(s, links_at(s->links, (s->turn + i) % count), now);
}

static void
scheduler_woken(void *arg)
{
	scheduler_soon(arg);
}

/* --- cancel and replace ---------------------------------------------------------------- */

bool
scheduler_withhold(struct scheduler *s, uint64_t id, uint64_t key)
{
	return backlog_hold(s->backlog, id, key, true);
}

void
scheduler_changed(struct scheduler *s, uint64_t id, uint64_t key, enum store_result result,
    bool cancelled)
{
	struct message *m;

	backlog_hold(s->backlog, id, key, false);
	if (result == STORE_OK) {
		m = bodies_take(s->bodies, id);	/* the old one */
		message_free(&m);
	}
	if (result == STORE_OK && cancelled) {
		backlog_remove(s->backlog, id, key);
		trials_drop(s->trials, id);
	}
	scheduler_soon(s);
}

/* --- the index ------------------------------------------------------------------------- */

static void
load_one(struct scheduler *s, const struct store_index *row)
{
	struct message like = { .id = row->id, .account = row->account, .msisdn = row->msisdn,
	    .smsc = row->smsc, .group = row->group, .klass = row->klass, .accepted = row->accepted,
	    .expires = row->expires };
	struct backlog_item item;
	struct trial *t;

	routing_item(s, &like, row->order_key, &item);
	if (row->state == STATE_SENDING || row->state == STATE_UNKNOWN) {
		doubt_loaded(s, row, &item);
		return;
	}
	if (row->state != STATE_WAITING)
		return;
	item.due = row->due;
	item.aside = row->attempt == 0;	/* deferred; else a refusal holds its turn */
	if (row->attempt > 0 && (t = trials_make(s->trials, row->id, row->order_key)) != NULL) {
		t->attempt = row->attempt;
		t->reference = row->reference;
		t->link = links_find(s->links, row->link);
		t->tries = row->tries;
		t->first = row->refused;
		t->evidence = true;	/* perhaps: the store knows */
	}
	if (backlog_put(s->backlog, &item) == -1)
		log_error("no memory for the index: message %" PRIu64 " waits for the next start",
		    row->id);
}

void
scheduler_loaded(struct scheduler *s, const struct store_index *rows, size_t n, bool end)
{
	for (size_t i = 0; i < n; i++)
		load_one(s, &rows[i]);
	if (end) {
		s->loaded = true;
		if (s->recovered > 0)
			log_warn("recovered %" PRIu64 " messages that were in flight: at most these can "
			    "arrive twice", s->recovered);
		doubt_check(s);
	}
	scheduler_soon(s);
}

void
scheduler_adopted(struct scheduler *s, const struct store_index *row)
{
	load_one(s, row);
	scheduler_soon(s);
}

/* --- from above -------------------------------------------------------------------------- */

void
scheduler_trouble(struct scheduler *s, bool in_trouble)
{
	s->trouble = in_trouble;
	scheduler_soon(s);
}

void
scheduler_stop(struct scheduler *s, bool stop)
{
	s->stopped = stop;
	for (size_t i = 0; stop && i < links_count(s->links); i++)
		turn_return_all(s, links_at(s->links, i), false);
	scheduler_soon(s);
}

bool
scheduler_quiet(const struct scheduler *s)
{
	uint32_t i = 0;

	for (const struct flight *f; (f = flights_next(s->flights, &i)) != NULL; i++)
		if (f->state != FLIGHT_LATE && f->state != FLIGHT_AFAR)
			return false;
	return true;
}

/* How many may be taken before they can leave: 60 ms of what the link sent in the last second,
 * so that a better class does not wait behind a long line. link_take lets it grow again. */
static void
link_ahead(struct link *l)
{
	uint64_t sent = l->sms_sent.total - l->sent_before;
	unsigned wanted = link_ahead_least(l) + (unsigned)(sent < 16 * LINK_UNSETTLED ?
	    sent / 16 : LINK_UNSETTLED);

	l->sent_before = l->sms_sent.total;
	if (l->first != NULL && wanted < l->ahead)
		l->ahead = wanted;
}

void
scheduler_tick(struct scheduler *s, bool clock_trusted)
{
	size_t sweep = backlog_count(s->backlog) / 50;

	s->clock_trusted = clock_trusted;
	for (size_t i = 0; i < links_count(s->links); i++)
		link_ahead(links_at(s->links, i));
	if (s->stopped)
		return;
	if (clock_trusted)
		backlog_expired(s->backlog, clock_wall(), sweep > SWEEP_LEAST ? sweep : SWEEP_LEAST,
		    expired_waiting, s);
	doubt_check(s);
	scheduler_soon(s);
}

void
scheduler_status(const struct scheduler *s, struct dispatch_status *out)
{
	out->waiting = backlog_count(s->backlog) + s->in_doubt;
	out->in_flight = flights_count(s->flights);
	for (size_t i = 0; i < links_count(s->links); i++)
		out->in_flight -= links_at(s->links, i)->late_count;
	out->possible_duplicates = s->possible_duplicates;
	out->recovered_in_flight = s->recovered;
	out->stranded = s->stranded;
	out->oldest = backlog_oldest(s->backlog);
	out->loading = !s->loaded;
}

const struct rate *
scheduler_sent(const struct scheduler *s)
{
	return &s->sent;
}

uint64_t
scheduler_waiting_for(const struct scheduler *s, const struct link *l)
{
	return l->unsent + backlog_count_link(s->backlog, l->number);
}
