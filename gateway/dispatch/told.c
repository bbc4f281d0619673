/*
 * told.c - what is told of a flight: its line in the log, and its evidence when the owner is another node
 *
 * Evidence stays until it is written. Answers that are still unknown then may come late: whoever made
 * the flight says what keeps it (flight->settled).
 *
 * Knows:     what a line and an evidence say.
 * Does not:  know why the flight ended.
 * Owns:      nothing; flights belong to the scheduler.
 * Threads:   the loop.
 */
#include <inttypes.h>
#include <stdio.h>

#include "dispatch/scheduler_inner.h"
#include "io/log.h"

void
told_log(struct scheduler *s, const struct flight *f, const char *event, const char *result)
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
told(void *arg, const struct err *err)
{
	struct flight *f = arg;
	struct scheduler *s = f->scheduler;
	bool unknown = false;

	f->link->unsettled--;
	if (err != NULL)
		log_error("message %" PRIu64 ": its owner cannot be told: %s", f->id, err->text);
	for (unsigned i = 0; i < f->total; i++)
		unknown |= f->segments[i].state == ANSWER_UNKNOWN;
	if (unknown && f->settled != NULL && f->link->up)
		f->settled(s, f);
	else
		flight_free(&f);
	scheduler_soon(s);
}

void
told_owner(struct scheduler *s, struct flight *f)
{
	struct store_answer answers[SEGMENTS_MOST];
	struct store_evidence e = { .id = f->id, .order_key = f->key, .attempt = f->attempt,
	    .segments = f->total, .answers = answers, .domain = text_of(f->link->domain),
	    .said = text_of(f->said), .code = f->code, .verdict = (uint8_t)f->turn };

	for (unsigned i = 0; i < f->total; i++) {
		uint8_t state = f->segments[i].state;

		if (state == ANSWER_ACCEPTED || state == ANSWER_REFUSED || state == ANSWER_UNKNOWN)
			answers[e.answer_count++] = (struct store_answer){
			    .segment = (uint8_t)(i + 1), .state = state,
			    .foreign_id = flight_foreign_id(f, i + 1) };
	}
	if (f->message != NULL) {
		if (f->turn == TURN_ACCEPTED) {
			rate_add(&f->link->sms_sent, loop_now(s->loop), 1);
			rate_add(&s->sent, loop_now(s->loop), 1);
		}
		told_log(s, f, "carried", f->turn == TURN_ACCEPTED ? NULL : "not");
		message_free(&f->message);
	}
	f->state = FLIGHT_SETTLING;
	ledger_evidence(s->ledger, &e, told, f);
}
