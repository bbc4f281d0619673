/*
 * settle.c - the end of a flight: its settlement, its event
 *
 * Knows:     what every settlement of a flight says; how a message that was sent ends.
 * Does not:  know why a flight ends otherwise (turn.c, doubt.c).
 * Owns:      nothing; flights belong to the scheduler.
 * Threads:   the loop.
 */
#include <inttypes.h>
#include <stdio.h>

#include "dispatch/scheduler_inner.h"
#include "io/log.h"

static void
settle_done(void *arg, const struct err *err, const struct store_joined *joined)
{
	struct flight *f = arg;
	struct scheduler *s = f->scheduler;

	if (err != NULL && err->code == ERR_FENCED) {
		f->whose = FLIGHT_STRAY;	/* what we know of it is for its owner */
		told_owner(s, f);
		return;
	}
	f->link->unsettled--;
	if (err != NULL)
		log_error("message %" PRIu64 " could not be settled: %s", f->id, err->text);
	if (joined != NULL)
		receipts_joined(s->receipts, joined);
	if (f->settled != NULL)
		f->settled(s, f);
	else
		flight_free(&f);
	scheduler_soon(s);
}

/* Fills in what every settlement of a flight says; the evidence array must outlive the call. */
void
settle_flight(struct scheduler *s, struct flight *f, struct store_settlement *st,
    struct report *event)
{
	struct store_answer answers[SEGMENTS_MOST];

	st->attempt = f->attempt;
	st->segments = f->total;
	st->new_attempt = f->evidence_before;
	if (st->state == STATE_FINISHED) {
		st->link = text_of(f->carried != NULL ? f->carried : f->link->address);
		st->code = f->code;
	} else if (!f->known) {
		st->answers = answers;
		st->answer_count = flight_evidence(f, st->state != STATE_WAITING, answers);
		st->domain = text_of(f->link->domain);
	}
	if (event != NULL) {
		event->smsc = f->link->smsc_id;
		event->own_number = f->link->my_number;
		if (f->carried != NULL)
			links_tell(s->links, text_of(f->carried), event);
		if (f->total > 0)
			event->foreign_id = flight_foreign_id(f, 1);
	}
	f->state = FLIGHT_SETTLING;
	ending_settle(s->endings, f->message, f->key, st, event, settle_done, f);
}

void
settle_sent(struct scheduler *s, struct flight *f)
{
	struct store_settlement st = { .state = STATE_FINISHED, .outcome = OUTCOME_SENT };
	struct report event = { .event = DLR_SMSC_ACCEPTED, .answer = TEXT("ACK/") };

	/* Without a foreign id no receipt can ever match. */
	if (f->report && f->ids_len > 0) {
		st.state = STATE_AWAITING;
		if ((f->message->dlr_mask & DLR_BUFFERED) != 0 && f->message->dlr_url.len > 0)
			st.pending = PENDING_WANTED;
	}
	if (!f->link->far && !f->known) {	/* else who sent it counts it */
		rate_add(&f->link->sms_sent, loop_now(s->loop), 1);
		rate_add(&s->sent, loop_now(s->loop), 1);
	}
	told_log(s, f, "sent", NULL);
	trials_drop(s->trials, f->id);
	scheduler_turn_done(s, f);
	settle_flight(s, f, &st, &event);
	message_free(&f->message);
}
