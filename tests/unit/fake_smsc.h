/*
 * fake_smsc.h - a scripted driver of kind "fake", for tests of the way OUT
 *
 * It answers at the end of the turn of the loop what the script of a segment says, or leaves it to the
 * test. What left stands in sent[], in order. Included once, after cmocka.h.
 */
#ifndef TESTS_UNIT_FAKE_SMSC_H
#define TESTS_UNIT_FAKE_SMSC_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/finding.h"
#include "io/loop.h"
#include "push/message.h"
#include "push/segment.h"
#include "push/udh.h"
#include "smsc/smsc.h"

enum { SENT_MOST = 32768, LINKS = 16 };

enum script { SCRIPT_ACCEPT, SCRIPT_SILENT, SCRIPT_SLOW_DOWN, SCRIPT_TRY_LATER, SCRIPT_TRY_FEW,
    SCRIPT_NEVER, SCRIPT_UNKNOWN };

struct sent {
	struct smsc	*by;
	uint64_t	 ticket;
	char		 to[24], text[24];
	unsigned	 number, total, reference;
	bool		 report, answered;
	enum script	 script;
};

struct smsc {
	struct smsc_setup setup;
	struct soon	 soon;
	char		 host[16];	/* as configured */
	unsigned	 window, wait_ack;
	bool		 up, drained;
	enum smsc_ack	 acks[64];
	bool		 acked[64];
};

static struct sent sent[SENT_MOST];
static size_t sent_count;
static struct smsc *fakes[LINKS];
static unsigned ids;
static bool ids_none, vanish;	/* vanish: as in a crash, nobody is told at the close */
/* Which script the n-th segment that leaves gets. */
static enum script (*script)(const struct sent *, size_t n);

static void
answer(struct sent *s)
{
	const struct smsc_events *e = s->by->setup.events;
	void *owner = s->by->setup.owner;
	char id[24];
	struct smsc_answer a = { .code = 0 };

	if (s->answered || s->script == SCRIPT_SILENT)
		return;
	s->answered = true;
	snprintf(id, sizeof id, "id%u", ++ids);
	a.foreign_id = ids_none ? (struct text){ 0 } : text_of(id);
	switch (s->script) {
	case SCRIPT_ACCEPT:
		e->accepted(owner, s->ticket, &a);
		return;
	case SCRIPT_UNKNOWN:
		e->unknown(owner, s->ticket, NULL);
		return;
	case SCRIPT_SLOW_DOWN:
		a = (struct smsc_answer){ .code = 0x58, .refusal = SMSC_SLOW_DOWN,
		    .said = "ESME_RTHROTTLED" };
		break;
	case SCRIPT_TRY_LATER:
		a = (struct smsc_answer){ .code = 0x64, .refusal = SMSC_TRY_LATER, .said = "ESME_RX_T_APPN" };
		break;
	case SCRIPT_TRY_FEW:
		a = (struct smsc_answer){ .code = 0x45, .refusal = SMSC_TRY_FEW, .said = "ESME_RSUBMITFAIL" };
		break;
	default:
		a = (struct smsc_answer){ .code = 0x0b, .refusal = SMSC_NEVER, .said = "ESME_RINVDSTADR" };
	}
	e->refused(owner, s->ticket, &a);
}

static void
fake_answers(void *arg)
{
	struct smsc *f = arg;

	for (size_t i = 0; i < sent_count; i++)
		if (sent[i].by == f)
			answer(&sent[i]);
}

static void
fake_state(struct smsc *f, enum smsc_state state)
{
	struct err why = { .code = ERR_PEER, .text = "cut" };

	f->up = state == SMSC_UP;
	if (!f->up)
		for (size_t i = 0; i < sent_count; i++)
			if (sent[i].by == f && !sent[i].answered) {
				sent[i].answered = true;
				f->setup.events->unknown(f->setup.owner, sent[i].ticket, &why);
			}
	f->setup.events->state(f->setup.owner, state, f->up ? NULL : &why);
}

static struct smsc *
fake_open(const struct smsc_setup *setup, const struct conf_group *g, struct findings *found,
    struct err *err)
{
	struct smsc *f = calloc(1, sizeof *f);
	const char *window = conf_value(g, "max-pending-submits", NULL);
	const char *wait = conf_value(g, "wait-ack", NULL);

	(void)found;
	if (conf_value(g, "broken", NULL) != NULL) {
		free(f);
		err_set(err, ERR_CONFIG, "cannot be opened");
		return NULL;
	}
	f->setup = *setup;
	snprintf(f->host, sizeof f->host, "%s", conf_value(g, "host", NULL) != NULL ? conf_value(g, "host", NULL) : "");
	f->soon = (struct soon){ .run = fake_answers, .arg = f };
	f->window = window != NULL ? (unsigned)atoi(window) : 10;
	f->wait_ack = wait != NULL ? (unsigned)atoi(wait) : 50;
	for (size_t i = 0; i < LINKS; i++)
		if (fakes[i] == NULL) {
			fakes[i] = f;
			break;
		}
	return f;
}

static int
fake_send(struct smsc *f, uint64_t ticket, const struct segment *g)
{
	struct sent *s = &sent[sent_count];
	struct udh udh = { 0 };

	assert_true(f->up);
	assert_true(sent_count < SENT_MOST);
	*s = (struct sent){ .by = f, .ticket = ticket, .number = g->number, .total = g->total,
	    .report = g->report };
	snprintf(s->to, sizeof s->to, "%.*s", TEXT_ARGS(g->message->msisdn));
	snprintf(s->text, sizeof s->text, "%.*s", TEXT_ARGS(g->data));
	if (g->udh.len > 0 && udh_read(g->udh, &udh, NULL) == 0)
		s->reference = udh.reference;
	s->script = script != NULL ? script(s, sent_count) : SCRIPT_ACCEPT;
	sent_count++;
	loop_soon(f->setup.loop, &f->soon);
	return 0;
}

static void
fake_ack(struct smsc *f, uint64_t token, enum smsc_ack ack)
{
	f->acks[token] = ack;
	f->acked[token] = true;
}

static void
fake_drain(struct smsc *f)
{
	f->drained = true;
	fake_state(f, SMSC_CLOSED);
}

static void
fake_close(struct smsc **fp)
{
	struct smsc *f = *fp;

	for (size_t i = 0; i < sent_count; i++)
		if (sent[i].by == f && !sent[i].answered && !vanish) {
			sent[i].answered = true;
			f->setup.events->unknown(f->setup.owner, sent[i].ticket, NULL);
		}
	loop_not_soon(f->setup.loop, &f->soon);
	for (size_t i = 0; i < LINKS; i++)
		if (fakes[i] == f)
			fakes[i] = NULL;
	for (size_t i = 0; i < sent_count; i++)
		if (sent[i].by == f)
			sent[i].by = NULL;
	free(f);
	*fp = NULL;
}

static const char *
fake_text(const struct smsc *f)
{
	return f->setup.name;
}

static unsigned
fake_window(const struct smsc *f)
{
	return f->window;
}

static unsigned
fake_wait(const struct smsc *f)
{
	return f->wait_ack;
}

static bool
fake_same(const struct conf_group *a, const struct conf_group *b)
{
	const char *x = conf_value(a, "host", NULL), *y = conf_value(b, "host", NULL);

	return (x == NULL) == (y == NULL) && (x == NULL || strcmp(x, y) == 0);
}

static const struct smsc_driver fake_driver = {
	.name = "fake", .open = fake_open, .send = fake_send, .ack = fake_ack,
	.drain = fake_drain, .close = fake_close, .describe = fake_text,
	.receipt_domain = fake_text, .window = fake_window, .wait_ack_ms = fake_wait,
	.same = fake_same
};
static const struct smsc_driver *const drivers[] = { &fake_driver, NULL };

#endif
