/*
 * afar.c - the owner decides, the sending node may be another
 *
 * As owner: a message taken for another node's link is marked with that link's name, which hands it over
 * in the same commit. Its flight waits until the sender's evidence says what became of it, then the turn
 * ends as if it had been sent here. A sender that dies leaves the outcome unknown.
 *
 * As sender: what is handed to us flies like our own, but it is in no backlog, and how it ended is
 * evidence (told.c). The same road takes what was on its way here when its partition was lost.
 *
 * Knows:     what others bring: evidence, messages that they hand over.
 * Does not:  know which links others have (far.c), or what a turn's end means (turn.c, doubt.c).
 * Owns:      nothing; flights belong to the scheduler.
 * Threads:   the loop.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dispatch/far.h"
#include "dispatch/scheduler_inner.h"
#include "io/log.h"

/* --- as owner ------------------------------------------------------------------------ */

static void
afar_link_gone(struct scheduler *s, struct link *l)
{
	uint32_t i = 0;

	for (struct flight *f; (f = flights_next(s->flights, &i)) != NULL; i++)
		if (f->state == FLIGHT_AFAR && f->link == l)
			turn_afar_lost(s, f);
}

void
scheduler_link_retired(struct scheduler *s, struct link *l)
{
	if (l->far)
		afar_link_gone(s, l);
	doubt_link_retired(s, l);
}

void
afar_forget(struct scheduler *s, struct flight *f)
{
	idmap_cut(&s->afar, f->id);
	f->link->unsettled--;
	flight_free(&f);
}

static bool
afar_answers(struct flight *f, const struct store_evidence *e)
{
	if (e->segments > 0 && flight_segments(f, e->segments) == -1)
		return false;
	for (unsigned i = 0; i < e->answer_count; i++)
		if (e->answers[i].segment >= 1 && e->answers[i].segment <= f->total)
			flight_answer(f, e->answers[i].segment, e->answers[i].state,
			    e->answers[i].foreign_id);
	f->cut = true;
	f->known = true;
	f->next_segment = f->total;
	f->code = e->code;
	snprintf(f->said, sizeof f->said, "%.*s", TEXT_ARGS(e->said));
	return true;
}

/* In doubt, or held, and now somebody tells: it is settled as by an answer that came late. */
static void
afar_revive(struct scheduler *s, const struct store_evidence *e)
{
	struct trial *t = trials_get(s->trials, e->id);
	struct flight *f;

	for (unsigned i = 0; i < e->answer_count; i++)
		if (e->answers[i].state == ANSWER_UNKNOWN)
			return;
	if (t != NULL && (t->attempt != e->attempt || t->ready == 0))
		return;
	if ((f = flight_new(s->flights, e->id, e->order_key)) == NULL)
		return;			/* it goes on in doubt; the evidence is in the store */
	f->scheduler = s;
	f->link = t != NULL && t->link != NULL ? t->link : links_nobody(s->links);
	f->attempt = e->attempt;
	f->reference = t != NULL ? t->reference : 0;
	f->overtaken = t == NULL;	/* held, or nothing that concerns us: its row says */
	if (!afar_answers(f, e) || (t != NULL && !doubt_cut(s, t) &&
	    !backlog_waiting(s->backlog, e->id, e->order_key))) {
		flight_free(&f);
		return;
	}
	doubt_read(s, f);
}

void
scheduler_evidence(struct scheduler *s, const struct store_evidence *e)
{
	struct flight *f = idmap_get(&s->afar, e->id);

	if (f == NULL) {
		afar_revive(s, e);
		return;
	}
	if (f->attempt != e->attempt)
		return;
	idmap_cut(&s->afar, f->id);
	f->state = FLIGHT_SENDING;
	f->report = f->message->dlr_mask & ~(DLR_SMSC_ACCEPTED | DLR_SMSC_REJECTED);
	f->turn = afar_answers(f, e) && e->verdict < TURNS ? (enum turn)e->verdict : TURN_UNKNOWN;
	if (f->turn == TURN_RETURNED)
		far_rests(f->link);	/* until its node says more */
	turn_over(s, f);
}

/* --- as sender ----------------------------------------------------------------------- */

static int
handed_goes_on(struct flight *f, const struct store_send *send)
{
	if (send->segments == 0 || send->answer_count == 0)
		return 0;
	if (flight_segments(f, send->segments) == -1)
		return -1;
	for (unsigned i = 0; i < send->answer_count; i++)
		if (send->answers[i].state == ANSWER_ACCEPTED && send->answers[i].segment >= 1 &&
		    send->answers[i].segment <= f->total)
			flight_answer(f, send->answers[i].segment, ANSWER_ACCEPTED,
			    send->answers[i].foreign_id);
	f->resumed = true;
	return 0;
}

void
scheduler_handed(struct scheduler *s, const struct store_send *send)
{
	struct flight *f = flight_new(s->flights, send->id, send->order_key);
	struct link *l = links_find(s->links, send->mark.link);
	struct err err = { 0 };

	if (f == NULL) {
		log_error("no memory: message %" PRIu64 " of another node stays in doubt", send->id);
		return;
	}
	f->scheduler = s;
	f->whose = FLIGHT_HANDED;
	f->link = l != NULL && !l->far ? l : links_nobody(s->links);
	f->attempt = send->mark.attempt;
	f->reference = send->mark.reference;
	f->marked = send->mark.at;
	f->unsent = true;
	f->link->unsent++;
	f->link->unsettled++;
	f->message = message_unpack(send->body.at, send->body.len, &err);
	if (f->message == NULL || handed_goes_on(f, send) == -1) {
		log_error("message %" PRIu64 " of another node cannot be sent here: %s", f->id, err.text);
		f->state = FLIGHT_SENDING;
		f->turn = TURN_RETURNED;
		turn_over(s, f);
		return;
	}
	f->message->id = f->id;
	turn_begin(s, f);
}
