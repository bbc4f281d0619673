/*
 * turn.c - one turn on a link: segments out, answers in, what follows
 *
 * Flights stand in their link's list until their last segment has left. Segments of one message
 * leave in a row as far as window and throughput allow; the rest go on when answers come,
 * before any other message. The message is cut again then: cutting is cheaper than keeping.
 *
 * A refusal or an unknown outcome stops the flight: what has not left stays. When everything
 * that left is answered the turn ends with one settlement (retry.c says which).
 *
 * Knows:     segments, tickets, answers.
 * Does not:  know what waits, or why a link is chosen.
 * Owns:      nothing; flights belong to the scheduler.
 * Threads:   the loop.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dispatch/scheduler_inner.h"
#include "io/log.h"

enum { ANSWER_TEXT = 128 };

/* --- the link's list -------------------------------------------------------------- */

static void
list_add(struct flight *f)
{
	struct link *l = f->link;

	f->next = NULL;
	if (l->first == NULL)
		l->first = f;
	else
		l->last->next = f;
	l->last = f;
}

static void
list_cut(struct flight *f)
{
	struct link *l = f->link;
	struct flight *before = NULL;

	if (l->first != f)
		for (before = l->first; before != NULL && before->next != f;)
			before = before->next;
	if (l->first == f)
		l->first = f->next;
	else if (before != NULL)
		before->next = f->next;
	else
		return;			/* it is not there */
	if (l->last == f)
		l->last = before;
	f->next = NULL;
}

void
turn_unsent(struct flight *f)
{
	if (f->unsent)
		f->link->unsent--;
	f->unsent = false;
}

/* --- over another node's link: it has the message now, and will tell ---------------------- */

void
turn_afar_lost(struct scheduler *s, struct flight *f)
{
	idmap_cut(&s->afar, f->id);
	f->state = FLIGHT_SENDING;
	f->turn = TURN_UNKNOWN;
	turn_over(s, f);
}

static void
turn_afar(struct scheduler *s, struct flight *f)
{
	f->state = FLIGHT_AFAR;
	f->left = loop_now(s->loop);
	turn_unsent(f);
	if (idmap_set(&s->afar, f->id, f) == -1 || f->link->retired)
		turn_afar_lost(s, f);
	scheduler_soon(s);
}

void
turn_begin(struct scheduler *s, struct flight *f)
{
	if (f->link->far && f->whose == FLIGHT_OURS) {
		turn_afar(s, f);
		return;
	}
	f->state = FLIGHT_SENDING;
	list_add(f);
	if (!f->link->up || s->stopped || f->whose == FLIGHT_STRAY) {
		turn_return(s, f);
		return;
	}
	scheduler_soon(s);
}

/* --- log -------------------------------------------------------------------------- */

static void
deferred_log(struct scheduler *s, const struct flight *f, const struct retry_verdict *v)
{
	char id[PUSH_ID_MOST + 1], due[24];

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	queue_push_id(ledger_queue(s->ledger), f->message, id);
	clock_iso(v->due > 0 ? v->due : clock_wall(), due, sizeof due);
	log_event("deferred", id, (struct log_field[]){ { "due", text_of(due) },
	    { "why", text_of(v->why) }, { "smsc", text_of(f->link->name) } }, 3);
}

/* --- how it ended ------------------------------------------------------------------ */

/* What the SMSC said, as %A gives it: "NACK/0x0000000b/ESME_RINVDSTADR". */
static struct text
turn_refusal(const struct flight *f, char out[ANSWER_TEXT])
{
	snprintf(out, ANSWER_TEXT, "NACK/0x%08" PRIx32 "/%s", f->code, f->said);
	return text_of(out);
}

static void
turn_reject(struct scheduler *s, struct flight *f)
{
	char answer[ANSWER_TEXT];
	struct store_settlement st = { .state = STATE_FINISHED, .outcome = OUTCOME_REJECTED };
	struct report event = { .event = DLR_SMSC_REJECTED, .answer = turn_refusal(f, answer) };

	f->link->failed++;
	trials_drop(s->trials, f->id);
	scheduler_turn_done(s, f);
	settle_flight(s, f, &st, &event);
	message_free(&f->message);
}

static struct trial *
turn_remember(struct scheduler *s, const struct flight *f)
{
	struct trial *t = trials_make(s->trials, f->id, f->key);

	if (t == NULL) {
		log_error("no memory: message %" PRIu64 " is tried as if for the first time", f->id);
		return NULL;
	}
	t->attempt = f->attempt;
	t->reference = f->reference;
	t->link = f->link->retired ? NULL : f->link;
	t->evidence = f->total > 0 && flight_accepted(f) > 0;
	t->duplicate = false;
	return t;
}

static void
turn_again(struct scheduler *s, struct flight *f, const struct retry_verdict *v)
{
	struct store_settlement st = { .state = STATE_WAITING, .due = v->due };
	struct trial *t = turn_remember(s, f);

	if (t != NULL && v->counts) {
		t->tries++;
		if (t->first == 0)
			t->first = clock_wall();
	}
	if (t != NULL) {
		st.tries = t->tries;
		st.refused = t->first;
	}
	deferred_log(s, f, v);
	settle_flight(s, f, &st, NULL);
	if (v->next == RETRY_PASS)
		backlog_pass(s->backlog, f->id, f->key, v->due);
	else
		backlog_again(s->backlog, f->id, f->key, v->due);
	if (t != NULL && t->evidence)
		message_free(&f->message);	/* it comes back with its evidence */
	else if (f->message != NULL)
		bodies_put(s->bodies, &f->message);
	scheduler_soon(s);
}

static const char *
turn_word(enum turn t)
{
	return t == TURN_UNKNOWN ? "unknown" : t == TURN_ACCEPTED ? "accepted" : "refused";
}

void
turn_over(struct scheduler *s, struct flight *f)
{
	const struct trial *t;
	struct retry_verdict v;

	if (f->unsent)			/* else it left the list with its last segment */
		list_cut(f);
	turn_unsent(f);
	if (f->whose != FLIGHT_OURS) {
		f->settled = f->turn == TURN_UNKNOWN && f->link->up ? doubt_late : NULL;
		told_owner(s, f);
		return;
	}
	t = trials_get(s->trials, f->id);
	v = retry_judge(f->turn, &s->retry, t != NULL ? t->tries : 0, t != NULL ? t->first : 0,
	    clock_wall());
	if (f->turn > TURN_RETURNED)
		told_log(s, f, "answered", turn_word(f->turn));
	switch (v.next) {
	case RETRY_FINISH:
		settle_sent(s, f);
		break;
	case RETRY_AGAIN:
	case RETRY_PASS:
		turn_again(s, f, &v);
		break;
	case RETRY_POLICY:
		turn_remember(s, f);
		doubt_begin(s, f);
		break;
	case RETRY_REJECT:
		turn_reject(s, f);
	}
}

/* The link went away, or nothing may leave any more: what is out is answered already. */
void
turn_return(struct scheduler *s, struct flight *f)
{
	if (f->turn < TURN_RETURNED)
		f->turn = TURN_RETURNED;
	f->stopped = true;
	if (f->out == 0)
		turn_over(s, f);
}

/* --- segments out -------------------------------------------------------------------- */

static bool
turn_cut(struct scheduler *s, struct flight *f, struct message *as_sent)
{
	size_t count;
	struct err err = { 0 };

	*as_sent = *f->message;
	s->receiver.len = 0;
	s->receiver.overflow = false;
	as_sent->msisdn = link_receiver(f->link, f->message->msisdn, &s->receiver);
	if (segment_cut(s->plan, as_sent, &f->link->rules, f->reference, &err) == -1) {
		snprintf(f->said, sizeof f->said, "%.31s", err.text);
		return false;
	}
	count = segment_count(s->plan);
	if (f->total != count && flight_accepted(f) > 0)
		f->evidence_before = true;	/* the link's rules have changed: all go again */
	if (f->total != count && flight_segments(f, (unsigned)count) == -1)
		return false;
	f->cut = true;
	f->report = segment_at(s->plan, 0)->report;
	return true;
}

/* Segments of one flight; how many, or -1 when the driver takes no more now. */
static int
turn_segments(struct flight *f, const struct segment_plan *plan, unsigned room, mono_t now)
{
	int left = 0;

	for (; f->next_segment < f->total && (unsigned)left < room; f->next_segment++) {
		struct flight_segment *seg = &f->segments[f->next_segment];
		unsigned number = f->next_segment + 1u;

		if (seg->state == ANSWER_ACCEPTED)
			continue;		/* in a former turn */
		if (link_send(f->link, flight_ticket(f, number), segment_at(plan, number - 1)) == -1)
			return -1;
		seg->state = FLIGHT_LEFT;
		if (f->left == 0)
			f->left = now;
		f->out++;
		left++;
	}
	while (f->next_segment < f->total && f->segments[f->next_segment].state == ANSWER_ACCEPTED)
		f->next_segment++;
	return left;
}

void
turn_send(struct scheduler *s, struct link *l)
{
	unsigned room;
	struct flight *f;

	if (l->first == NULL)
		return;
	room = link_allowance(l);
	while (room > 0 && (f = l->first) != NULL) {
		struct message as_sent;
		int left;

		if (s->stopped && f->left == 0)
			return;		/* what has begun ends, nothing new begins */
		if (!queue_may_send(ledger_queue(s->ledger)))
			return;		/* frozen or cut off: others may own it by now */
		if (!turn_cut(s, f, &as_sent)) {
			f->turn = TURN_NEVER;
			turn_return(s, f);
			if (l->first == f)
				return;		/* some of it is out: the answers come first */
			continue;
		}
		if ((left = turn_segments(f, s->plan, room, loop_now(s->loop))) == -1)
			return;
		room -= (unsigned)left;
		if (f->next_segment < f->total)
			return;
		list_cut(f);
		turn_unsent(f);
		if (f->out == 0)
			turn_over(s, f);	/* all was accepted before */
	}
}

/* --- answers in ------------------------------------------------------------------------ */

static void
turn_answered(struct scheduler *s, struct link *l, uint64_t ticket, enum turn turn,
    const struct smsc_answer *a)
{
	unsigned segment;
	struct flight *f = flight_of(s->flights, ticket, &segment);
	uint8_t state = turn == TURN_ACCEPTED ? ANSWER_ACCEPTED :
	    turn == TURN_UNKNOWN ? ANSWER_UNKNOWN : ANSWER_REFUSED;

	link_answered(l, turn == TURN_ACCEPTED);
	if (turn == TURN_SLOW_DOWN)
		link_throttled(l);
	scheduler_soon(s);
	if (f == NULL || f->state != FLIGHT_SENDING ||
	    f->segments[segment - 1].state != FLIGHT_LEFT)
		return;
	flight_answer(f, segment, state, turn == TURN_ACCEPTED ? a->foreign_id : (struct text){ 0 });
	f->out--;
	if (turn != TURN_ACCEPTED)
		f->stopped = true;
	if (turn > f->turn) {
		f->turn = turn;
		if (a != NULL) {
			f->code = a->code;
			snprintf(f->said, sizeof f->said, "%.31s", a->said != NULL ? a->said : "");
		}
	}
	if (f->out == 0 && (f->stopped || f->next_segment == f->total))
		turn_over(s, f);
}

void
scheduler_accepted(struct scheduler *s, struct link *l, uint64_t ticket, const struct smsc_answer *a)
{
	turn_answered(s, l, ticket, TURN_ACCEPTED, a);
}

void
scheduler_refused(struct scheduler *s, struct link *l, uint64_t ticket, const struct smsc_answer *a)
{
	turn_answered(s, l, ticket, retry_turn(a->refusal), a);
}

void
scheduler_unknown(struct scheduler *s, struct link *l, uint64_t ticket)
{
	turn_answered(s, l, ticket, TURN_UNKNOWN, NULL);
}

/* --- the link's state -------------------------------------------------------------------- */

void
turn_return_all(struct scheduler *s, struct link *l, bool begun)
{
	for (struct flight *f = l->first, *next; f != NULL; f = next) {
		next = f->next;
		if (begun || f->left == 0)
			turn_return(s, f);
	}
}

void
scheduler_link_changed(struct scheduler *s, struct link *l)
{
	backlog_link_up(s->backlog, l->number, l->up);
	if (l->up) {
		doubt_check(s);
		scheduler_soon(s);
		return;
	}
	turn_return_all(s, l, true);
	doubt_link_down(s, l);
	scheduler_soon(s);
}

void
scheduler_link_room(struct scheduler *s, struct link *l)
{
	(void)l;
	scheduler_soon(s);
}
