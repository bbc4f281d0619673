/*
 * smpp.c - one bind to one SMSC, as a state machine
 *
 *   CLOSED -> WAITING -> CONNECTING -> BINDING -> BOUND -> UNBINDING -> CLOSED
 *                ^___________|____________|_________|  (whatever goes wrong)
 *
 * smpp_rules[] says which event is expected in which state and what is done; enter() alone writes
 * the state and sets its timer.  Everything that ends a line goes through lose(): the stream goes,
 * tokens die, tickets become unknown in the order in which they left, then the owner hears of it.
 *
 * The owner may call back into the driver from any event, even close(): `depth` counts the
 * calls that are under way, and the memory goes when the last of them is over.
 *
 * Knows:     sessions, sequence numbers, timers, reconnecting; which PDU means which event.
 * Does not:  know the layout of PDUs (smpp_pdu.c), how a segment becomes one (smpp_submit.c) or one
 *            becomes a receipt (smpp_deliver.c), who waits for the answer, windows, throughput.
 * Owns:      stream, timers, window and tokens of its link.
 * Threads:   the loop.
 */
#include "smsc/smsc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/finding.h"
#include "io/log.h"
#include "io/loop.h"
#include "io/stream.h"
#include "push/segment.h"
#include "smsc/smpp_conf.h"
#include "smsc/smpp_deliver.h"
#include "smsc/smpp_window.h"

enum {
	BIND_MS = 30 * 1000,		/* connect and bind together */
	UNBIND_MS = 5 * 1000,
	SECOND = 1000,
	DELAY_GROWS = 10,		/* times reconnect-delay, at most */
	DELAY_LEAST_MS = 100,
	TOKENS_MOST = 1000,		/* unacknowledged deliver_sm: then we stop reading */
	TOKENS_AGAIN = 900,		/* and go on when so many are left */
	TURN_PDUS = 256,		/* in one turn of the loop, so that one link starves nobody */
	DEAD_MOST = 64,			/* messages that cannot be sent at all, still to be told */
	FAULTS_TOLD = 5,		/* of the peer, each with a line; then one line sums up */
	FAULTS_MS = 60 * 1000,		/* how often */
	PROVED_MS = 30 * 1000,		/* after which a line was a good one */
	SEQUENCE_MOST = 0x7fffffff
};

enum smpp_state { SMPP_CLOSED, SMPP_CONNECTING, SMPP_BINDING, SMPP_BOUND, SMPP_UNBINDING,
    SMPP_WAITING };
enum smpp_event { EV_CONNECTED, EV_BIND_RESP, EV_SUBMIT_RESP, EV_DELIVER, EV_ENQUIRE,
    EV_ALIVE, EV_UNBIND, EV_UNBIND_RESP, EV_NACK, EV_IGNORED, EV_TIMEOUT, EV_DRAIN, EV_UNKNOWN };

static const char *const state_names[] = {
	[SMPP_CLOSED] = "closed", [SMPP_CONNECTING] = "connecting", [SMPP_BINDING] = "binding",
	[SMPP_BOUND] = "bound", [SMPP_UNBINDING] = "unbinding",
	[SMPP_WAITING] = "waiting to reconnect"
};

struct token {				/* a deliver_sm that waits for ack() */
	uint64_t	 token;		/* 0: free */
	uint32_t	 sequence, command;
};

struct dead {				/* a ticket that never left */
	uint64_t	 ticket;
	uint32_t	 status;
};

struct smsc {
	const struct smsc_events *events;
	void		*owner;
	struct loop	*loop;
	char		*name;
	struct smpp_conf conf;
	struct smpp_submit_rules rules;	/* conf's, with the peer's version taken into account */

	enum smpp_state	 state;
	struct stream	*stream;
	struct timer	*state_timer, *life_timer, *ack_timer;
	struct soon	 again;		/* input is left over, or dead tickets are to be told */
	unsigned	 depth;
	bool		 over;		/* close() was called */
	bool		 draining, been_up;

	uint32_t	 sequence;	/* the last one used */
	unsigned	 failures;	/* lines in a row that came to nothing */
	bool		 proved;	/* this one did not */
	mono_t		 bound;		/* since when */
	unsigned	 faults_told, faults;	/* of the peer; those that were not told */
	mono_t		 faults_since;
	bool		 at_once;	/* the peer said goodbye: no pause, once */
	mono_t		 hurried;	/* when we last reconnected at once; 0: never */
	mono_t		 heard, asked;	/* asked 0: no enquire_link is open */

	struct smpp_window *window;
	struct token	 tokens[TOKENS_MOST];
	unsigned	 tokens_open, token_next;
	uint64_t	 token_serial;
	bool		 paused;
	struct dead	 dead[DEAD_MOST];
	unsigned	 dead_count;
};

static void	smpp_event(struct smsc *, enum smpp_event, const struct smpp_pdu *);
static void	lose(struct smsc *, const struct err *);

static void
smpp_free(struct smsc *s)
{
	loop_not_soon(s->loop, &s->again);
	stream_free(&s->stream);
	timer_free(&s->state_timer);
	timer_free(&s->life_timer);
	timer_free(&s->ack_timer);
	smpp_window_free(&s->window);
	smpp_conf_free(&s->conf);
	free(s->name);
	free(s);
}

static void
begin(struct smsc *s)
{
	s->depth++;
}

static void
finish(struct smsc *s)
{
	if (--s->depth == 0 && s->over)
		smpp_free(s);
}

/*
 * States
 */

static int64_t
reconnect_ms(struct smsc *s)
{
	int64_t first = s->conf.reconnect_s * SECOND, ms = first;

	if (s->at_once) {
		s->at_once = false;
		return 0;
	}
	for (unsigned i = 1; i < s->failures && ms < first * DELAY_GROWS; i++)
		ms *= 2;
	if (ms > first * DELAY_GROWS)
		ms = first * DELAY_GROWS;
	ms = ms * 4 / 5 + (int64_t)arc4random_uniform((uint32_t)(ms * 2 / 5) + 1);
	return ms < DELAY_LEAST_MS ? DELAY_LEAST_MS : ms;
}

static int64_t
bind_ms(const struct smsc *s)
{
	long bound = s->conf.connection_s * SECOND;

	return bound > 0 && bound < BIND_MS ? bound : BIND_MS;
}

/* The only writer of the state. */
static void
enter(struct smsc *s, enum smpp_state next)
{
	int64_t ms;

	log_debug("smsc %s: %s, then %s", s->name, state_names[s->state], state_names[next]);
	s->state = next;
	switch (next) {
	case SMPP_CONNECTING:
		timer_set(s->state_timer, bind_ms(s));
		break;
	case SMPP_BINDING:		/* still under the bound of CONNECTING */
		break;
	case SMPP_UNBINDING:
		timer_set(s->state_timer, UNBIND_MS);
		break;
	case SMPP_WAITING:
		ms = reconnect_ms(s);
		if (ms > 0)
			log_info("smsc %s: next attempt in %lld.%llds", s->name, (long long)ms / 1000,
			    (long long)ms % 1000 / 100);
		timer_set(s->state_timer, ms);
		break;
	case SMPP_BOUND:
	case SMPP_CLOSED:
		timer_cancel(s->state_timer);
		break;
	}
}

/* What the peer does wrong: a line each, but not a million of them. */
__attribute__((format(printf, 2, 3)))
static void
log_fault(struct smsc *s, const char *fmt, ...)
{
	char text[300];
	va_list args;

	if (s->faults_told == FAULTS_TOLD) {
		if (s->faults++ == 0)
			s->faults_since = loop_now(s->loop);
		return;
	}
	s->faults_told++;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	log_warn("smsc %s: %s", s->name, text);
}

static void
log_faults(struct smsc *s)
{
	if (s->faults > 0)
		log_warn("smsc %s: %u more PDUs were not in order", s->name, s->faults);
	s->faults = s->faults_told = 0;
}

static void
tell_state(struct smsc *s, enum smsc_state state, const struct err *why)
{
	if (!s->over)
		s->events->state(s->owner, state, why);
}

/*
 * Writing
 */

static uint32_t
next_sequence(struct smsc *s)
{
	s->sequence = s->sequence < SEQUENCE_MOST ? s->sequence + 1 : 1;
	return s->sequence;
}

static void
log_pdu(const struct smsc *s, const char *way, const struct smpp_pdu *pdu)
{
	uint8_t room[2048];
	struct buf line = buf_on(room, sizeof room);

	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	smpp_pdu_print(pdu, &line);
	log_line(LOG_LEVEL_DEBUG, "smsc %s: %s %.*s", s->name, way, (int)line.len, (char *)room);
}

/* Everything but submit_sm. A stream that takes no more will say so by itself. */
static void
write_pdu(struct smsc *s, const struct smpp_pdu *pdu)
{
	uint8_t room[1024];
	struct buf out = buf_on(room, sizeof room);
	struct err err = { 0 };

	if (s->stream == NULL)
		return;
	log_pdu(s, "sent", pdu);
	if (smpp_pdu_write(pdu, &out, &err) == -1)
		log_error("smsc %s: %s", s->name, err.text);
	else
		stream_write(s->stream, out.data, out.len);
}

static void
write_short(struct smsc *s, uint32_t command, uint32_t status, uint32_t sequence)
{
	struct smpp_pdu pdu;

	memset(&pdu, 0, offsetof(struct smpp_pdu, tlvs));
	pdu.command = command;
	pdu.status = status;
	pdu.sequence = sequence;
	write_pdu(s, &pdu);
}

/*
 * Tokens: what came from the network and was not acknowledged yet
 */

static uint64_t
token_take(struct smsc *s, const struct smpp_pdu *pdu)
{
	unsigned at = s->token_next;

	while (s->tokens[at].token != 0)
		at = (at + 1) % TOKENS_MOST;
	s->token_next = (at + 1) % TOKENS_MOST;
	s->tokens[at] = (struct token){ ++s->token_serial * TOKENS_MOST + at, pdu->sequence,
	    pdu->command };
	if (++s->tokens_open == TOKENS_MOST) {
		s->paused = true;
		stream_pause(s->stream, true);
		log_warn("smsc %s: %d receipts and texts are not taken over yet, reading pauses",
		    s->name, TOKENS_MOST);
	}
	return s->tokens[at].token;
}

static void
tokens_forget(struct smsc *s)
{
	memset(s->tokens, 0, sizeof s->tokens);
	s->tokens_open = 0;
	s->paused = false;
}

static void
smpp_ack(struct smsc *s, uint64_t token, enum smsc_ack ack)
{
	struct token *t = &s->tokens[token % TOKENS_MOST];

	if (token == 0 || t->token != token)
		return;
	write_short(s, t->command | SMPP_RESP, ack == ACK_OK ? SMPP_OK : SMPP_TRY_LATER, t->sequence);
	t->token = 0;
	s->tokens_open--;
	if (s->paused && s->tokens_open <= TOKENS_AGAIN) {
		s->paused = false;
		s->heard = loop_now(s->loop);	/* the silence was ours */
		s->asked = 0;
		if (s->stream != NULL)
			stream_pause(s->stream, false);
		loop_soon(s->loop, &s->again);
	}
}

/*
 * The line ends
 */

static void
tickets_unknown(struct smsc *s, const struct err *why)
{
	struct smpp_flight flight;

	while (smpp_window_lose(s->window, &flight))
		s->events->unknown(s->owner, flight.ticket, why);
}

static void
line_drop(struct smsc *s)
{
	stream_free(&s->stream);
	timer_cancel(s->life_timer);
	timer_cancel(s->ack_timer);
	tokens_forget(s);
	log_faults(s);
	s->asked = 0;
}

static void
go_closed(struct smsc *s, const struct err *why)
{
	struct err lost = { 0 };

	if (s->stream != NULL && s->state == SMPP_UNBINDING)
		stream_finish(&s->stream, UNBIND_MS);	/* what was written still leaves */
	line_drop(s);
	enter(s, SMPP_CLOSED);
	err_set(&lost, ERR_PEER, "the link was closed");
	tickets_unknown(s, why != NULL ? why : &lost);
	tell_state(s, SMSC_CLOSED, why);
}

static void
lose(struct smsc *s, const struct err *why)
{
	bool was_up = s->state == SMPP_BOUND;

	if (s->draining || s->state == SMPP_UNBINDING) {
		go_closed(s, why);
		return;
	}
	s->failures = was_up && s->proved ? 0 : s->failures + 1;
	line_drop(s);
	log_warn("smsc %s: %s%s", s->name, was_up ? "line lost: " : "", why->text);
	enter(s, SMPP_WAITING);		/* before the tickets: nobody can send any more */
	tickets_unknown(s, why);
	tell_state(s, s->been_up ? SMSC_RECONNECTING : SMSC_CONNECTING, why);
}

__attribute__((format(printf, 2, 3)))
static void
lose_because(struct smsc *s, const char *fmt, ...)
{
	struct err why = { .code = ERR_PEER };
	va_list args;

	va_start(args, fmt);
	vsnprintf(why.text, sizeof why.text, fmt, args);
	va_end(args);
	lose(s, &why);
}

/*
 * Connecting and binding
 */

static void	on_up(void *);
static void	on_input(void *);
static void	on_down(void *, const struct err *);

static const struct stream_events stream_events = {
	.up = on_up, .input = on_input, .down = on_down
};

static void
do_connect(struct smsc *s, const struct smpp_pdu *pdu)
{
	const struct smpp_conf *c = &s->conf;
	struct stream_tls tls = { .ca_file = c->ca_file, .certkey_file = c->certkey_file,
	    .server_name = c->server_name, .no_verify = !c->ssl_verify };
	struct err err = { 0 };

	(void)pdu;
	if (s->draining) {
		go_closed(s, NULL);
		return;
	}
	log_info("smsc %s: connecting to %s port %u%s", s->name, c->host, c->connect_port,
	    c->use_ssl ? " with TLS" : "");
	enter(s, SMPP_CONNECTING);
	s->stream = stream_connect(s->loop, c->host, c->connect_port, c->our_host, c->local_port,
	    c->use_ssl ? &tls : NULL, (unsigned)bind_ms(s), &stream_events, s, &err);
	if (s->stream == NULL)
		lose(s, &err);
}

static void
do_bind(struct smsc *s, const struct smpp_pdu *unused)
{
	const struct smpp_conf *c = &s->conf;
	struct smpp_pdu pdu;

	(void)unused;
	memset(&pdu, 0, offsetof(struct smpp_pdu, tlvs));
	pdu.command = c->bind;
	pdu.sequence = next_sequence(s);
	pdu.system_id = text_of(c->username);
	pdu.password = secret_octets(&c->password);
	pdu.system_type = text_of(c->system_type);
	pdu.interface_version = c->rules.version;
	pdu.addr_ton = (uint8_t)c->bind_ton;
	pdu.addr_npi = (uint8_t)c->bind_npi;
	pdu.address_range = text_of(c->address_range);
	enter(s, SMPP_BINDING);
	write_pdu(s, &pdu);
}

static void
bind_refused(struct smsc *s, uint32_t status)
{
	if (status == SMPP_BAD_PASSWORD || status == SMPP_BAD_SYSTEM_ID ||
	    status == SMPP_BAD_SYSTEM_TYPE)
		log_error("smsc %s: %s refuses us (%s): user, password or system type need a person's "
		    "hand; going on trying", s->name, s->conf.host, smpp_status_name(status));
	lose_because(s, "bind refused with %s", smpp_status_name(status));
}

/* An SMSC of version 3.3 gets no optional parameters; one that says nothing gets what we
 * were configured for. */
static void
peer_version(struct smsc *s, const struct smpp_pdu *pdu)
{
	const struct smpp_tlv *tlv = smpp_pdu_tlv(pdu, SMPP_TAG_SC_VERSION);

	s->rules = s->conf.rules;
	if (tlv != NULL && tlv->value.len == 1 && (uint8_t)*tlv->value.at < 0x34 &&
	    s->rules.version > 0x33)
		s->rules.version = 0x33;
}

static void
do_bound(struct smsc *s, const struct smpp_pdu *pdu)
{
	if (pdu->command != ((uint32_t)s->conf.bind | SMPP_RESP)) {
		lose_because(s, "%s came as answer to the bind", smpp_command_name(pdu->command));
		return;
	}
	if (pdu->status != SMPP_OK && pdu->status != SMPP_ALREADY_BOUND) {
		bind_refused(s, pdu->status);
		return;
	}
	peer_version(s, pdu);
	enter(s, SMPP_BOUND);
	s->proved = false;
	s->been_up = true;
	s->heard = s->bound = loop_now(s->loop);
	s->asked = 0;
	timer_set(s->life_timer, SECOND);
	log_info("smsc %s: bound to %s (%s)", s->name, stream_peer(s->stream),
	    smpp_command_name((uint32_t)s->conf.bind));
	tell_state(s, s->conf.bind == SMPP_BIND_RECEIVER ? SMSC_UP_RECEIVE_ONLY : SMSC_UP, NULL);
}

static void
do_bind_nack(struct smsc *s, const struct smpp_pdu *pdu)
{
	bind_refused(s, pdu->status);
}

static void
do_give_up(struct smsc *s, const struct smpp_pdu *pdu)
{
	(void)pdu;
	lose_because(s, "%s %s within %lld s", s->state == SMPP_BINDING ?
	    "no answer to the bind from" : "no connection to", s->conf.host,
	    (long long)bind_ms(s) / SECOND);
}

/*
 * Saying goodbye
 */

static void
unbind_when_idle(struct smsc *s)
{
	if (!s->draining || s->state != SMPP_BOUND || smpp_window_count(s->window) > 0 ||
	    s->dead_count > 0)
		return;
	enter(s, SMPP_UNBINDING);
	write_short(s, SMPP_UNBIND, SMPP_OK, next_sequence(s));
}

static void
do_drain(struct smsc *s, const struct smpp_pdu *pdu)
{
	(void)pdu;
	unbind_when_idle(s);
}

/* Not bound: the end comes from the loop, never inside drain(). */
static void
do_stop(struct smsc *s, const struct smpp_pdu *pdu)
{
	(void)pdu;
	line_drop(s);
	s->at_once = true;
	enter(s, SMPP_WAITING);
}

static void
do_close(struct smsc *s, const struct smpp_pdu *pdu)
{
	(void)pdu;
	go_closed(s, NULL);
}

/* The peer goes in order: we come back at once, but not again and again. */
static void
do_unbind(struct smsc *s, const struct smpp_pdu *pdu)
{
	mono_t now = loop_now(s->loop);

	write_short(s, SMPP_UNBIND | SMPP_RESP, SMPP_OK, pdu->sequence);
	if (s->stream != NULL)
		stream_finish(&s->stream, UNBIND_MS);
	if (s->state == SMPP_BOUND &&
	    (s->hurried == 0 || now - s->hurried > s->conf.reconnect_s * SECOND)) {
		s->at_once = true;
		s->hurried = now;
	}
	lose_because(s, "%s unbound us", s->conf.host);
}

/*
 * Answers to submit_sm
 */

static void
wait_for_oldest(struct smsc *s)
{
	struct smpp_flight oldest;
	int64_t ms;

	if (timer_armed(s->ack_timer) || !smpp_window_oldest(s->window, &oldest))
		return;
	ms = oldest.sent + s->conf.wait_ack_s * SECOND - loop_now(s->loop);
	timer_set(s->ack_timer, ms > 0 ? ms : 0);
}

static void
tell_answer(struct smsc *s, const struct smpp_flight *f, uint32_t status, struct text id)
{
	char room[SMPP_ID_SIZE];
	bool rebind = false, accepted = status == SMPP_OK;
	struct smsc_answer answer = { .code = status, .said = smpp_status_name(status) };

	if (accepted)
		answer.foreign_id = smpp_id_make(id, s->conf.id_of_response, room);
	else
		answer.refusal = smpp_refusal(status, &rebind);
	if (f->late)
		s->events->late(s->owner, f->ticket, accepted, &answer);
	else if (accepted)
		s->events->accepted(s->owner, f->ticket, &answer);
	else
		s->events->refused(s->owner, f->ticket, &answer);
	if (rebind && s->state == SMPP_BOUND)
		lose_because(s, "submit_sm refused with %s", answer.said);
}

static void
do_answered(struct smsc *s, const struct smpp_pdu *pdu)
{
	struct smpp_flight flight;

	if (!smpp_window_answer(s->window, pdu->sequence, &flight)) {
		log_fault(s, "an answer to sequence %lu, which nobody awaits (%s)",
		    (unsigned long)pdu->sequence, smpp_status_name(pdu->status));
		return;
	}
	s->proved = true;
	tell_answer(s, &flight, pdu->status, pdu->message_id);
	unbind_when_idle(s);
}

static void
do_nack(struct smsc *s, const struct smpp_pdu *pdu)
{
	struct smpp_flight flight;

	if (smpp_window_answer(s->window, pdu->sequence, &flight)) {
		tell_answer(s, &flight, pdu->status != SMPP_OK ? pdu->status : SMPP_BAD_COMMAND,
		    (struct text){ NULL, 0 });
		unbind_when_idle(s);
		return;
	}
	log_fault(s, "generic_nack %s to sequence %lu, which nobody awaits",
	    smpp_status_name(pdu->status), (unsigned long)pdu->sequence);
}

static void
on_ack_timer(void *arg)
{
	struct smsc *s = arg;
	struct smpp_flight flight;
	mono_t late = loop_now(s->loop) - s->conf.wait_ack_s * SECOND;
	struct err why = { 0 };
	unsigned given_up = 0;

	begin(s);
	err_set(&why, ERR_PEER, "no submit_sm_resp within %ld s", s->conf.wait_ack_s);
	while (!s->paused && smpp_window_oldest(s->window, &flight) && flight.sent <= late) {
		if (s->conf.unanswered == SMPP_UNANSWERED_RECONNECT) {
			lose(s, &why);
			break;
		}
		smpp_window_give_up(s->window, &flight);
		s->events->unknown(s->owner, flight.ticket, &why);
		given_up++;
	}
	if (given_up > 0)
		log_warn("smsc %s: %s: %u outcomes are unknown", s->name, why.text, given_up);
	if (s->paused)
		timer_set(s->ack_timer, SECOND);	/* the answer may be what we do not read */
	else if (!s->over)
		wait_for_oldest(s);
	unbind_when_idle(s);
	finish(s);
}

/*
 * Receipts and texts
 */

static void
take_receipt(struct smsc *s, const struct smpp_pdu *pdu)
{
	struct smpp_deliver_room room;
	struct smsc_receipt receipt;

	if (smpp_deliver_receipt(&s->conf, pdu, &room, &receipt)) {
		s->proved = true;
		s->events->receipt(s->owner, &receipt, token_take(s, pdu));
		return;
	}
	log_fault(s, "a receipt without an id from %.*s is of no use to anybody",
	    TEXT_ARGS(pdu->source));
	write_short(s, pdu->command | SMPP_RESP, SMPP_OK, pdu->sequence);
}

static void
take_text(struct smsc *s, const struct smpp_pdu *pdu)
{
	struct smpp_deliver_room room;
	struct smsc_incoming in;

	smpp_deliver_text(&s->conf, pdu, &room, &in);
	s->events->incoming(s->owner, &in, token_take(s, pdu));
}

static void
do_delivered(struct smsc *s, const struct smpp_pdu *pdu)
{
	if (smpp_receipt_is(pdu))
		take_receipt(s, pdu);
	else
		take_text(s, pdu);
}

static void
do_not_now(struct smsc *s, const struct smpp_pdu *pdu)
{
	write_short(s, pdu->command | SMPP_RESP, SMPP_TRY_LATER, pdu->sequence);
}

/*
 * Signs of life
 */

static void
do_enquired(struct smsc *s, const struct smpp_pdu *pdu)
{
	write_short(s, SMPP_ENQUIRE_LINK | SMPP_RESP, SMPP_OK, pdu->sequence);
}

static void
do_nothing(struct smsc *s, const struct smpp_pdu *pdu)
{
	(void)s;
	(void)pdu;
}

/* What is due at which silence; any PDU is a sign of life. */
static void
look_for_life(struct smsc *s)
{
	const struct smpp_conf *c = &s->conf;
	mono_t now = loop_now(s->loop);

	if (s->paused)
		return;			/* the silence is ours */
	if (s->asked != 0 && now - s->asked >= c->enquire_wait_s * SECOND) {
		lose_because(s, "no answer to enquire_link within %ld s", c->enquire_wait_s);
	} else if (s->asked == 0 && c->enquire_s > 0 && now - s->heard >= c->enquire_s * SECOND) {
		s->asked = now;
		write_short(s, SMPP_ENQUIRE_LINK, SMPP_OK, next_sequence(s));
	} else if (c->enquire_s == 0 && c->connection_s > 0 &&
	    now - s->heard >= c->connection_s * SECOND) {
		lose_because(s, "silence for %ld s", c->connection_s);
	}
}

static void
on_life_timer(void *arg)
{
	struct smsc *s = arg;

	begin(s);
	if (s->state == SMPP_BOUND) {
		s->proved |= loop_now(s->loop) - s->bound >= PROVED_MS;
		if (s->faults > 0 && loop_now(s->loop) - s->faults_since >= FAULTS_MS)
			log_faults(s);
		look_for_life(s);
		if (!s->over && s->state == SMPP_BOUND)
			timer_set(s->life_timer, SECOND);
	}
	finish(s);
}

/*
 * The table
 */

#define IN(state)	(1u << (state))
#define ANY_LINE	(IN(SMPP_BINDING) | IN(SMPP_BOUND) | IN(SMPP_UNBINDING))
#define TALKING		(IN(SMPP_BOUND) | IN(SMPP_UNBINDING))
#define NO_BIND		(IN(SMPP_CONNECTING) | IN(SMPP_BINDING) | IN(SMPP_WAITING))

static const struct smpp_rule {
	unsigned	 in;
	enum smpp_event	 on;
	void		(*run)(struct smsc *, const struct smpp_pdu *);
} smpp_rules[] = {
	{ TALKING,		EV_SUBMIT_RESP,	do_answered },
	{ IN(SMPP_BOUND),	EV_DELIVER,	do_delivered },
	{ IN(SMPP_UNBINDING),	EV_DELIVER,	do_not_now },
	{ ANY_LINE,		EV_ENQUIRE,	do_enquired },
	{ ANY_LINE,		EV_ALIVE,	do_nothing },
	{ ANY_LINE,		EV_IGNORED,	do_nothing },
	{ IN(SMPP_WAITING),	EV_TIMEOUT,	do_connect },
	{ IN(SMPP_CONNECTING),	EV_CONNECTED,	do_bind },
	{ IN(SMPP_BINDING),	EV_BIND_RESP,	do_bound },
	{ IN(SMPP_BINDING),	EV_NACK,	do_bind_nack },
	{ TALKING,		EV_NACK,	do_nack },
	{ IN(SMPP_CONNECTING) | IN(SMPP_BINDING),
				EV_TIMEOUT,	do_give_up },
	{ ANY_LINE,		EV_UNBIND,	do_unbind },
	{ IN(SMPP_UNBINDING),	EV_UNBIND_RESP,	do_close },
	{ IN(SMPP_UNBINDING),	EV_TIMEOUT,	do_close },
	{ NO_BIND,		EV_DRAIN,	do_stop },
	{ IN(SMPP_BOUND),	EV_DRAIN,	do_drain },
};

static const struct {
	uint32_t	 command;
	enum smpp_event	 event;
} pdu_events[] = {
	{ SMPP_SUBMIT_SM | SMPP_RESP,		EV_SUBMIT_RESP },
	{ SMPP_DELIVER_SM,			EV_DELIVER },
	{ SMPP_DATA_SM,				EV_DELIVER },
	{ SMPP_ENQUIRE_LINK,			EV_ENQUIRE },
	{ SMPP_ENQUIRE_LINK | SMPP_RESP,	EV_ALIVE },
	{ SMPP_BIND_RECEIVER | SMPP_RESP,	EV_BIND_RESP },
	{ SMPP_BIND_TRANSMITTER | SMPP_RESP,	EV_BIND_RESP },
	{ SMPP_BIND_TRANSCEIVER | SMPP_RESP,	EV_BIND_RESP },
	{ SMPP_UNBIND,				EV_UNBIND },
	{ SMPP_UNBIND | SMPP_RESP,		EV_UNBIND_RESP },
	{ (uint32_t)SMPP_GENERIC_NACK,		EV_NACK },
	{ SMPP_ALERT_NOTIFICATION,		EV_IGNORED },
	{ SMPP_OUTBIND,				EV_IGNORED },
};

static enum smpp_event
event_of(const struct smpp_pdu *pdu)
{
	for (size_t i = 0; i < sizeof pdu_events / sizeof *pdu_events; i++)
		if (pdu_events[i].command == pdu->command)
			return pdu_events[i].event;
	return EV_UNKNOWN;
}

/* No rule: a request gets a generic_nack, a response never. */
static void
not_expected(struct smsc *s, enum smpp_event event, const struct smpp_pdu *pdu)
{
	if (pdu == NULL)
		return;
	log_fault(s, "unexpected %s while %s", smpp_command_name(pdu->command), state_names[s->state]);
	if (!(pdu->command & SMPP_RESP))
		write_short(s, (uint32_t)SMPP_GENERIC_NACK,
		    event == EV_UNKNOWN ? SMPP_BAD_COMMAND : SMPP_BAD_BIND_STATE, pdu->sequence);
}

static void
smpp_event(struct smsc *s, enum smpp_event event, const struct smpp_pdu *pdu)
{
	for (size_t i = 0; i < sizeof smpp_rules / sizeof *smpp_rules; i++)
		if (smpp_rules[i].on == event && smpp_rules[i].in & IN(s->state)) {
			smpp_rules[i].run(s, pdu);
			return;
		}
	not_expected(s, event, pdu);
}

/*
 * Input
 */

static void
take_pdu(struct smsc *s, struct text octets)
{
	struct smpp_pdu pdu;
	struct err err = { 0 };

	if (smpp_pdu_read(octets, &pdu, &err) == -1) {
		log_fault(s, "a bad %s: %s", smpp_command_name(pdu.command), err.text);
		if (!(pdu.command & SMPP_RESP)) {
			write_short(s, (uint32_t)SMPP_GENERIC_NACK, SMPP_BAD_LENGTH, pdu.sequence);
			return;
		}
		pdu.tlv_count = 0;	/* of an answer the header will do */
	}
	log_pdu(s, "got", &pdu);
	smpp_event(s, event_of(&pdu), &pdu);
}

/* One PDU, if a whole one is there. The view dies with the next call on the stream, so nothing
 * of the PDU is looked at after its event. */
static bool
take_next(struct smsc *s)
{
	struct stream *stream = s->stream;
	long length = smpp_pdu_length(stream_peek(stream, 4));
	struct text octets;

	if (length == -1) {
		lose_because(s, "%s sent a PDU with an impossible length: the stream cannot be read on",
		    s->conf.host);
		return false;
	}
	if (length == 0 || stream_waiting(stream) < (size_t)length)
		return false;
	octets = stream_peek(stream, (size_t)length);
	if (octets.len < (size_t)length)
		return false;
	s->heard = loop_now(s->loop);
	s->asked = 0;
	octets.len = (size_t)length;
	take_pdu(s, octets);
	if (s->stream != stream)
		return false;
	stream_consume(stream, (size_t)length);
	return true;
}

static void
take_input(struct smsc *s)
{
	for (int i = 0; i < TURN_PDUS; i++)
		if (s->over || s->paused || s->stream == NULL || !take_next(s))
			return;
	loop_soon(s->loop, &s->again);
}

static void
on_input(void *arg)
{
	struct smsc *s = arg;

	begin(s);
	take_input(s);
	finish(s);
}

static void
on_up(void *arg)
{
	struct smsc *s = arg;

	begin(s);
	smpp_event(s, EV_CONNECTED, NULL);
	finish(s);
}

static void
on_down(void *arg, const struct err *why)
{
	struct smsc *s = arg;
	struct err err = *why;

	begin(s);
	while (!s->over && !s->paused && s->stream != NULL && take_next(s))
		;			/* what came before the end counts */
	if (!s->over && s->stream != NULL)
		lose(s, &err);
	finish(s);
}

static void
on_state_timer(void *arg)
{
	struct smsc *s = arg;

	begin(s);
	smpp_event(s, EV_TIMEOUT, NULL);
	finish(s);
}

static void
tell_dead(struct smsc *s)
{
	struct dead dead[DEAD_MOST];
	unsigned count = s->dead_count;

	memcpy(dead, s->dead, count * sizeof *dead);
	s->dead_count = 0;
	for (unsigned i = 0; i < count; i++) {
		struct smsc_answer answer = { .code = dead[i].status, .refusal = SMSC_NEVER,
		    .said = smpp_status_name(dead[i].status) };

		s->events->refused(s->owner, dead[i].ticket, &answer);
	}
}

static void
on_again(void *arg)
{
	struct smsc *s = arg;

	begin(s);
	tell_dead(s);
	if (!s->over)
		take_input(s);
	if (!s->over)
		unbind_when_idle(s);
	finish(s);
}

/*
 * The driver
 */

static int
smpp_send(struct smsc *s, uint64_t ticket, const struct segment *segment)
{
	uint8_t room[SMPP_SUBMIT_MOST];
	struct buf out = buf_on(room, sizeof room);
	struct err err = { 0 };
	uint32_t sequence, status;

	if (s->state != SMPP_BOUND || s->draining || s->conf.bind == SMPP_BIND_RECEIVER ||
	    smpp_window_count(s->window) >= (unsigned)s->conf.window)
		return -1;
	sequence = next_sequence(s);
	if (smpp_submit_write(&s->rules, segment, sequence, clock_wall(), &out, &status, &err) == -1) {
		if (s->dead_count == DEAD_MOST)
			return -1;
		log_warn("smsc %s: cannot be sent over this link: %s", s->name, err.text);
		s->dead[s->dead_count++] = (struct dead){ ticket, status };
		loop_soon(s->loop, &s->again);
		return 0;
	}
	if (stream_write(s->stream, out.data, out.len) == -1)
		return -1;
	smpp_window_add(s->window, sequence, ticket, loop_now(s->loop));
	wait_for_oldest(s);
	if (log_wants(LOG_LEVEL_DEBUG)) {
		struct smpp_pdu pdu;

		if (smpp_pdu_read((struct text){ (char *)room, out.len }, &pdu, NULL) == 0)
			log_pdu(s, "sent", &pdu);
	}
	return 0;
}

static void
smpp_drain(struct smsc *s)
{
	begin(s);
	s->draining = true;
	smpp_event(s, EV_DRAIN, NULL);
	finish(s);
}

static void
smpp_close(struct smsc **sp)
{
	struct smsc *s = *sp;
	struct err why = { 0 };

	*sp = NULL;
	if (s == NULL)
		return;
	begin(s);
	if (s->state == SMPP_BOUND && s->stream != NULL) {
		write_short(s, SMPP_UNBIND, SMPP_OK, next_sequence(s));
		stream_finish(&s->stream, UNBIND_MS);
	}
	line_drop(s);
	enter(s, SMPP_CLOSED);
	err_set(&why, ERR_PEER, "the link was closed");
	tickets_unknown(s, &why);
	tell_dead(s);
	s->over = true;
	finish(s);
}

static struct smsc *
smpp_open(const struct smsc_setup *setup, const struct conf_group *group,
    struct findings *findings, struct err *err)
{
	struct smsc *s = calloc(1, sizeof *s);

	if (s == NULL) {
		err_set(err, ERR_SYSTEM, "no memory for a link");
		return NULL;
	}
	s->loop = setup->loop;
	s->events = setup->events;
	s->owner = setup->owner;
	s->again.run = on_again;
	s->again.arg = s;
	s->name = text_dup(text_of(setup->name));
	s->state_timer = timer_new(s->loop, on_state_timer, s);
	s->life_timer = timer_new(s->loop, on_life_timer, s);
	s->ack_timer = timer_new(s->loop, on_ack_timer, s);
	if (smpp_conf_read(&s->conf, setup->conf, group, findings, err) == -1)
		goto fail;
	s->rules = s->conf.rules;
	s->window = smpp_window_new((unsigned)s->conf.window);
	if (s->name == NULL || s->state_timer == NULL || s->life_timer == NULL ||
	    s->ack_timer == NULL || s->window == NULL) {
		err_set(err, ERR_SYSTEM, "no memory for a link");
		goto fail;
	}
	s->at_once = true;		/* the first attempt, from the loop: no event before we return */
	enter(s, SMPP_WAITING);
	return s;
fail:
	smpp_free(s);
	return NULL;
}

static const char *
smpp_describe(const struct smsc *s)
{
	return s->conf.description;
}

static const char *
smpp_domain(const struct smsc *s)
{
	return s->conf.domain;
}

static unsigned
smpp_window_size(const struct smsc *s)
{
	return (unsigned)s->conf.window;
}

static unsigned
smpp_wait_ack_ms(const struct smsc *s)
{
	return (unsigned)s->conf.wait_ack_s * SECOND;
}

const struct smsc_driver smsc_smpp = {
	.name = "smpp",
	.keys = smpp_keys,
	.open = smpp_open,
	.send = smpp_send,
	.ack = smpp_ack,
	.drain = smpp_drain,
	.close = smpp_close,
	.describe = smpp_describe,
	.receipt_domain = smpp_domain,
	.window = smpp_window_size,
	.wait_ack_ms = smpp_wait_ack_ms,
	.same = smpp_conf_same,
};
