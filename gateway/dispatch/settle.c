/*
 * settle.c - the end of a flight: its settlement, its event, its line in the log
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

void
settle_log(struct scheduler *s, const struct flight *f, const char *event, const char *result)
{
	char id[PUSH_ID_MOST + 1], total[8], attempt[8], wait[24], answer[24], code[16];
	int64_t since = f->left != 0 ? loop_now(s->loop) - f->left : 0;
	struct log_field fields[10];
	unsigned n = 0;

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	queue_push_id(ledger_queue(s->ledger), f->message, id);
	snprintf(total, sizeof total, "%u", f->total);
	snprintf(attempt, sizeof attempt, "%u", f->attempt);
	snprintf(answer, sizeof answer, "%" PRId64, since);
	snprintf(wait, sizeof wait, "%" PRId64, clock_wall() - f->message->accepted - since);
	fields[n++] = (struct log_field){ "to", f->message->msisdn };
	fields[n++] = (struct log_field){ "smsc", text_of(f->link->name) };
	fields[n++] = (struct log_field){ "segments", text_of(total) };
	fields[n++] = (struct log_field){ "attempt", text_of(attempt) };
	if (result != NULL) {
		snprintf(code, sizeof code, "0x%08" PRIx32, f->code);
		fields[n++] = (struct log_field){ "result", text_of(result) };
		fields[n++] = (struct log_field){ "code", text_of(code) };
		fields[n++] = (struct log_field){ "said", text_of(f->said) };
	} else {
		fields[n++] = (struct log_field){ "foreign-id", flight_foreign_id(f, 1) };
	}
	fields[n++] = (struct log_field){ "wait", text_of(wait) };
	fields[n++] = (struct log_field){ "answer", text_of(answer) };
	log_event(event, id, fields, n);
}

static void
settle_done(void *arg, const struct err *err, const struct store_joined *joined)
{
	struct flight *f = arg;
	struct scheduler *s = f->scheduler;

	if (err != NULL && err->code == ERR_FENCED) {
		f->whose = FLIGHT_STRAY;	/* what we know of it is for its owner */
		afar_report(s, f);
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
	settle_log(s, f, "sent", NULL);
	trials_drop(s->trials, f->id);
	scheduler_turn_done(s, f);
	settle_flight(s, f, &st, &event);
	message_free(&f->message);
}
