/*
 * ending.c - settlements with their notification
 *
 * The row of a notification shares the settlement's transaction; it is called when the
 * commit has come back, and forgotten if the settlement was refused (somebody else finished the
 * message: its own notification tells of that).
 *
 * Knows:     that a settlement brings at most one event.
 * Does not:  know why a message ends.
 * Owns:      records of settlements under way, errands.
 * Threads:   the loop.
 */
#include "dispatch/ending.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dispatch/notify.h"
#include "io/log.h"
#include "push/message.h"

struct record {
	struct endings	*endings;
	struct record	*next, *prev;	/* open; next: unused */
	uint32_t	 notice;
	queue_joined_fn	*joined;
	void		*arg;
};

struct errand_record {
	struct endings	*endings;
	struct errand_record *next;	/* under way */
	uint64_t	 id, key;
	struct errand	 errand;
	errand_done_fn	*done;
	void		*arg;
};

struct endings {
	struct ledger	*ledger;
	struct notify	*notify;
	struct record	*unused, *open;
	size_t		 errands;
	struct errand_record *under_way;
};

struct endings *
endings_new(struct ledger *l, struct notify *n)
{
	struct endings *e = calloc(1, sizeof *e);

	if (e != NULL) {
		e->ledger = l;
		e->notify = n;
	}
	return e;
}

static void
records_free(struct record *r)
{
	for (struct record *next; r != NULL; r = next) {
		next = r->next;
		free(r);
	}
}

void
endings_free(struct endings **ep)
{
	struct endings *e = *ep;

	if (e == NULL)
		return;
	records_free(e->unused);
	records_free(e->open);
	for (struct errand_record *r = e->under_way, *next; r != NULL; r = next) {
		next = r->next;
		free(r);
	}
	free(e);
	*ep = NULL;
}

size_t
endings_open(const struct endings *e)
{
	return e->errands;
}

static void
log_finished(const struct endings *e, const struct message *m, const struct store_settlement *s)
{
	char id[PUSH_ID_MOST + 1], total[24];

	if (s->state != STATE_FINISHED || !log_wants(LOG_LEVEL_INFO))
		return;
	queue_push_id(ledger_queue(e->ledger), m, id);
	snprintf(total, sizeof total, "%" PRId64, s->at - m->accepted);
	log_event("finished", id, (struct log_field[]){
	    { "outcome", text_of(queue_outcomes[s->outcome]) },
	    { "total", text_of(total) } }, 2);
}

static void
ending_settled(void *arg, const struct err *err, const struct store_joined *joined)
{
	struct record *r = arg, was = *r;
	struct endings *e = r->endings;

	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		e->open = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	r->next = e->unused;
	e->unused = r;
	if (err == NULL)
		notify_go(e->notify, was.notice);
	else
		notify_drop(e->notify, was.notice);
	if (was.joined != NULL)
		was.joined(was.arg, err, joined);
}

void
ending_settle(struct endings *e, const struct message *m, uint64_t order_key,
    struct store_settlement *s, struct report *event, queue_joined_fn *joined, void *arg)
{
	struct record *r = e->unused;
	char id[PUSH_ID_MOST + 1];
	struct store_notice row;

	if (r != NULL)
		e->unused = r->next;
	else if ((r = malloc(sizeof *r)) == NULL) {
		static const struct err none = { .code = ERR_STORE, .text = "out of memory" };

		if (joined != NULL)
			joined(arg, &none, NULL);
		return;
	}
	*r = (struct record){ .endings = e, .next = e->open, .joined = joined, .arg = arg };
	if (r->next != NULL)
		r->next->prev = r;
	e->open = r;
	s->id = m->id;
	s->order_key = order_key;
	if (s->at == 0)
		s->at = clock_wall();
	if (event != NULL && m->dlr_mask != 0 && m->dlr_url.len > 0) {
		queue_push_id(ledger_queue(e->ledger), m, id);
		event->message = m;
		event->push_id = text_of(id);
		event->at = s->at;
		if ((r->notice = notify_add(e->notify, event, order_key, &row)) != 0) {
			s->notices = &row;
			s->notice_count = 1;
		}
	}
	ledger_settle(e->ledger, s, ending_settled, r);
	log_finished(e, m, s);
}

/* --- errands ------------------------------------------------------------------------ */

static void
errand_end(struct errand_record *r, enum errand_end end, wall_t expires)
{
	struct errand_record **at = &r->endings->under_way, was = *r;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	r->endings->errands--;
	free(r);
	was.done(was.arg, end, was.id, was.key, expires);
}

static void
errand_read(void *arg, const struct err *err, const struct store_flight *f)
{
	struct errand_record *r = arg;
	struct store_settlement s = { .state = STATE_FINISHED, .outcome = r->errand.outcome };
	struct report event = { .event = r->errand.event };
	struct message *m;
	wall_t expires;

	if (err != NULL || f->body.at == NULL) {
		errand_end(r, err != NULL && err->code == ERR_STORE ? ERRAND_TROUBLE : ERRAND_GONE, 0);
		return;
	}
	if ((m = message_unpack(f->body.at, f->body.len, NULL)) == NULL) {
		errand_end(r, ERRAND_TROUBLE, 0);
		return;
	}
	m->id = r->id;
	expires = m->expires;
	if (r->errand.unless_valid != 0 && expires > r->errand.unless_valid) {
		message_free(&m);
		errand_end(r, ERRAND_VALID, expires);
		return;
	}
	s.attempt = f->attempt;
	s.link = f->link;
	ending_settle(r->endings, m, r->key, &s, &event, NULL, NULL);
	message_free(&m);
	errand_end(r, ERRAND_DONE, expires);
}

void
ending_errand(struct endings *e, uint64_t id, uint64_t order_key, const struct errand *errand,
    errand_done_fn *done, void *arg)
{
	struct errand_record *r = malloc(sizeof *r);

	if (r == NULL) {
		done(arg, ERRAND_TROUBLE, id, order_key, 0);
		return;
	}
	*r = (struct errand_record){ .endings = e, .next = e->under_way, .id = id, .key = order_key,
	    .errand = *errand, .done = done, .arg = arg };
	e->under_way = r;
	e->errands++;
	ledger_flight(e->ledger, id, order_key, errand_read, r);
}
