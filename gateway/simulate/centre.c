/*
 * centre.c - sessions of the simulated SMS centre
 *
 * Speed: all whole PDUs that have come are taken in one go, their answers are collected and
 * written at the end of it.  Nothing is allocated for a submit_sm that is answered at once.
 *
 * A line is a connection, an account all lines of one system_id.  A receipt belongs to the account:
 *   waiting (due in this order) -> in flight on a line -> taken, refused, or waiting again
 * where "again" stands in a list of its own, so that both lists stay in order of time.
 *
 * Knows:     SMPP from the SMSC's side.
 * Does not:  know what goes wrong when (trouble.c), what a message means (phones.c).
 * Owns:      lines, accounts, receipts.
 * Threads:   the loop.
 */
#include "simulate/centre.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "io/loop.h"
#include "io/stream.h"
#include "smsc/smpp_pdu.h"

enum {
	FLIGHTS = 1024,			/* receipts in flight on one line; a power of two */
	OUT_MOST = 8 * 1024 * 1024,
	OUT_FULL = 256 * 1024,		/* receipts wait while so much of a line has not left */
	AGAIN_MS = 1000,		/* a receipt that was not taken */
	HELD_MOST = 1 << 20,		/* answers on one line; then it is told to wait */
	RECEIPTS_MOST = 1 << 20,	/* of one account; then messages have none */
	ACCOUNTS_MOST = 100,		/* whose receipts wait without a line */
	GOODBYE_MS = 2000,
	UDHI = 0x40
};

struct answer {				/* that is held back */
	mono_t		 due;
	uint64_t	 id;
	uint32_t	 command, status, sequence;
};

struct answers {			/* first in, first out */
	struct answer	*list;
	size_t		 first, count, room;
};

struct receipts {
	struct receipt	*first, **end;
	size_t		 count;
};

struct account {
	struct account	*next;
	struct receipts	 waiting, again;
	struct centre	*centre;
	char		 system_id[65];
};

struct line {
	struct line	*next;
	struct centre	*centre;
	struct stream	*stream;
	struct account	*account;	/* NULL: not bound */
	struct timer	*timer;		/* of answers */
	struct answers	 held;
	struct buf	 out;
	bool		 blocked;	/* the peer does not read */
	bool		 gone;		/* freed when no function is at work on it */
	unsigned	 busy;
	uint32_t	 mode;		/* bind command */
	uint8_t		 version;
	uint32_t	 submits;
	uint32_t	 sequence, oldest;	/* of deliver_sm: the last one, the oldest not answered */
	struct receipt	*flights[FLIGHTS];
};

struct centre {
	struct loop	*loop;
	struct listener	*listener;
	struct centre_conf conf;
	struct line	*lines;
	struct account	*accounts;
	struct timer	*timer;		/* of receipts */
	struct soon	 pump;
	uint64_t	 next_id;
	unsigned	 messages;	/* so far: states of receipts are taken in turn */
};

static void	line_lost(struct line *, const char *why);
static void	receipts_pump(void *);

/*
 * Writing
 */

static void
line_flush(struct line *l)
{
	if (l->out.len == 0 || l->stream == NULL)
		return;
	if (stream_write(l->stream, l->out.data, l->out.len) == 0) {
		l->out.len = 0;
		if (l->blocked) {
			l->blocked = false;
			stream_pause(l->stream, false);
		}
	} else if (!l->blocked) {
		l->blocked = true;	/* a peer that does not read is not read either */
		stream_pause(l->stream, true);
	}
	l->out.overflow = false;
}

static void
line_write(struct line *l, const struct smpp_pdu *pdu)
{
	smpp_pdu_write(pdu, &l->out, NULL);
}

static void
line_answer(struct line *l, uint32_t command, uint32_t status, uint32_t sequence, struct text id)
{
	struct smpp_pdu pdu;

	memset(&pdu, 0, offsetof(struct smpp_pdu, tlvs));
	pdu.command = command | SMPP_RESP;
	pdu.status = status;
	pdu.sequence = sequence;
	pdu.message_id = id;
	line_write(l, &pdu);
}

static void
answer_submit(struct line *l, const struct answer *a)
{
	char room[ID_SIZE];
	struct text id = { NULL, 0 };

	if (a->status == SMPP_OK)
		id = id_print(a->id, l->centre->conf.ids, room);
	line_answer(l, a->command, a->status, a->sequence, id);
}

/*
 * Answers that are held back
 */

static bool
answers_add(struct answers *q, const struct answer *a)
{
	if (q->count == q->room) {
		size_t room = q->room > 0 ? q->room * 2 : 64;
		struct answer *list = malloc(room * sizeof *list);

		if (list == NULL)
			return false;
		for (size_t i = 0; i < q->count; i++)
			list[i] = q->list[(q->first + i) % q->room];
		free(q->list);
		q->list = list;
		q->first = 0;
		q->room = room;
	}
	q->list[(q->first + q->count++) % q->room] = *a;
	return true;
}

static void
on_answers_due(void *arg)
{
	struct line *l = arg;
	struct answers *q = &l->held;
	mono_t now = loop_now(l->centre->loop);

	while (q->count > 0 && q->list[q->first].due <= now) {
		answer_submit(l, &q->list[q->first]);
		q->first = (q->first + 1) % q->room;
		q->count--;
	}
	if (q->count > 0)
		timer_set(l->timer, q->list[q->first].due - now);
	line_flush(l);
}

static void
answer(struct line *l, struct answer *a)
{
	unsigned delay = l->centre->conf.delay_ms;

	a->due = loop_now(l->centre->loop) + delay;
	if (delay == 0) {
		answer_submit(l, a);
		return;
	}
	if (answers_add(&l->held, a) && !timer_armed(l->timer))
		timer_set(l->timer, delay);
}

/*
 * Receipts
 */

static void
receipts_append(struct receipts *q, struct receipt *r)
{
	r->next = NULL;
	*q->end = r;
	q->end = &r->next;
	q->count++;
}

static struct receipt *
receipts_take(struct receipts *q)
{
	struct receipt *r = q->first;

	q->first = r->next;
	if (q->first == NULL)
		q->end = &q->first;
	q->count--;
	return r;
}

static void
receipts_free(struct receipts *q)
{
	while (q->first != NULL)
		free(receipts_take(q));
}

static bool
line_receives(const struct line *l)
{
	return l->stream != NULL && l->account != NULL && l->mode != SMPP_BIND_TRANSMITTER &&
	    !l->blocked && l->out.len < OUT_FULL && l->sequence + 1 - l->oldest < FLIGHTS;
}

static void
receipt_send(struct line *l, struct receipt *r)
{
	const struct centre_conf *c = &l->centre->conf;
	struct receipt_room room;
	struct smpp_pdu pdu;

	receipt_make(&c->receipt, r, c->ids, l->version, clock_wall(), &room, &pdu);
	pdu.sequence = ++l->sequence;
	l->flights[pdu.sequence % FLIGHTS] = r;
	line_write(l, &pdu);
	c->tally->receipts_sent++;
}

static struct line *
line_for(struct account *a)
{
	for (struct line *l = a->centre->lines; l != NULL; l = l->next)
		if (l->account == a && line_receives(l))
			return l;
	return NULL;
}

/* Sends what is due, and says when to come again; 0: nothing waits, or nobody would take it. */
static mono_t
account_pump(struct account *a, mono_t now)
{
	struct receipts *lists[] = { &a->again, &a->waiting };
	mono_t next = 0;

	for (size_t i = 0; i < 2; i++) {
		while (lists[i]->first != NULL && lists[i]->first->due <= now) {
			struct line *l = line_for(a);

			if (l == NULL)
				return 0;
			receipt_send(l, receipts_take(lists[i]));
		}
		if (lists[i]->first != NULL && (next == 0 || lists[i]->first->due < next))
			next = lists[i]->first->due;
	}
	return next;
}

static void
receipts_pump(void *arg)
{
	struct centre *c = arg;
	mono_t now = loop_now(c->loop), next = 0;

	for (struct account *a = c->accounts; a != NULL; a = a->next) {
		mono_t due = account_pump(a, now);

		if (due != 0 && (next == 0 || due < next))
			next = due;
	}
	for (struct line *l = c->lines; l != NULL; l = l->next)
		line_flush(l);
	if (next != 0)
		timer_set(c->timer, next - now);
}

static void
address_copy(char out[RECEIPT_ADDRESS_SIZE], struct text from)
{
	size_t n = from.len < RECEIPT_ADDRESS_SIZE ? from.len : RECEIPT_ADDRESS_SIZE - 1;

	if (n > 0)
		memcpy(out, from.at, n);
	out[n] = '\0';
}

static void
receipt_new(struct line *l, const struct smpp_pdu *pdu, uint64_t id)
{
	struct centre *c = l->centre;
	const struct receipt_conf *rc = &c->conf.receipt;
	uint8_t state = rc->state_count > 0 ? rc->states[c->messages % rc->state_count] : 0;

	if (!rc->wanted || !receipt_asked(pdu->registered_delivery, state))
		return;
	for (int i = 0; i < (rc->twice ? 2 : 1) && l->account->waiting.count < RECEIPTS_MOST; i++) {
		struct receipt *r = calloc(1, sizeof *r);

		if (r == NULL)
			return;
		r->id = id;
		r->submitted = clock_wall();
		r->due = loop_now(c->loop) + (rc->early ? 0 : rc->delay_ms);
		r->state = state;
		r->source_ton = pdu->source_ton;
		r->source_npi = pdu->source_npi;
		r->dest_ton = pdu->dest_ton;
		r->dest_npi = pdu->dest_npi;
		address_copy(r->source, pdu->source);
		address_copy(r->destination, pdu->destination);
		if (rc->early && i == 0 && line_receives(l))
			receipt_send(l, r);	/* on its way before the answer */
		else
			receipts_append(&l->account->waiting, r);
	}
	loop_soon(c->loop, &c->pump);
}

/* What the peer has not answered goes out again, in order, before what waits. */
static void
flights_back(struct line *l)
{
	struct receipts back = { NULL, &back.first, 0 };

	for (uint32_t s = l->oldest; s != l->sequence + 1; s++) {
		struct receipt **r = &l->flights[s % FLIGHTS];

		if (*r != NULL) {
			receipts_append(&back, *r);
			l->centre->conf.tally->receipts_again++;
			*r = NULL;
		}
	}
	if (back.first == NULL)
		return;
	*back.end = l->account->again.first;
	if (l->account->again.first == NULL)
		l->account->again.end = back.end;
	l->account->again.first = back.first;
	l->account->again.count += back.count;
	l->oldest = l->sequence + 1;
	loop_soon(l->centre->loop, &l->centre->pump);
}

static bool
temporary(uint32_t status)
{
	return status == SMPP_TRY_LATER || status == SMPP_QUEUE_FULL || status == SMPP_THROTTLED ||
	    status == SMPP_SYSTEM_ERROR;
}

static void
on_deliver_resp(struct line *l, const struct smpp_pdu *pdu)
{
	struct tally *t = l->centre->conf.tally;
	struct receipt **at = &l->flights[pdu->sequence % FLIGHTS], *r = *at;

	if (l->account == NULL || pdu->sequence - l->oldest > l->sequence - l->oldest || r == NULL)
		return;
	*at = NULL;
	while (l->oldest != l->sequence + 1 && l->flights[l->oldest % FLIGHTS] == NULL)
		l->oldest++;
	if (temporary(pdu->status)) {
		r->due = loop_now(l->centre->loop) + AGAIN_MS;
		receipts_append(&l->account->again, r);
		t->receipts_again++;
	} else {
		if (pdu->status == SMPP_OK)
			t->receipts_taken++;
		else
			t->receipts_refused++;
		free(r);
	}
	loop_soon(l->centre->loop, &l->centre->pump);
}

/*
 * Messages
 */

static struct text
user_data_of(const struct smpp_pdu *pdu)
{
	const struct smpp_tlv *payload = smpp_pdu_tlv(pdu, SMPP_TAG_PAYLOAD);

	return pdu->message.len == 0 && payload != NULL ? payload->value : pdu->message;
}

static wall_t
microseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (wall_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
message_taken(struct line *l, const struct smpp_pdu *pdu, struct text octets, uint64_t id)
{
	struct centre *c = l->centre;
	struct tally *t = c->conf.tally;
	struct phones_segment s = { .system_id = text_of(l->account->system_id), .from = pdu->source,
	    .to = pdu->destination, .user_data = user_data_of(pdu), .pdu = octets,
	    .header = pdu->esm_class & UDHI, .coding = pdu->data_coding };

	t->taken++;
	if (t->record != NULL)
		tally_record(t, microseconds(), s.system_id, s.to, s.user_data);
	tally_duplicate(t, s.to, s.user_data);
	receipt_new(l, pdu, id);
	c->messages++;
	phones_take(c->conf.phones, &s, loop_now(c->loop));
}

static void
on_submit(struct line *l, const struct smpp_pdu *pdu, struct text octets)
{
	struct centre *c = l->centre;
	struct tally *t = c->conf.tally;
	struct answer a = { .command = pdu->command, .sequence = pdu->sequence };
	mono_t now = loop_now(c->loop);

	if (l->account == NULL || l->mode == SMPP_BIND_RECEIVER) {
		line_answer(l, pdu->command, SMPP_BAD_BIND_STATE, pdu->sequence, (struct text){ NULL, 0 });
		return;
	}
	if (l->held.count >= HELD_MOST) {
		line_answer(l, pdu->command, SMPP_QUEUE_FULL, pdu->sequence, (struct text){ NULL, 0 });
		return;
	}
	l->submits++;
	tally_submit(t, now, octets.len);
	switch (trouble_submit(c->conf.trouble, pdu->destination, l->submits, now, &a.status)) {
	case FATE_REFUSED:
		tally_refused(t, a.status);
		answer(l, &a);
		break;
	case FATE_TAKEN:
		a.id = c->next_id++;
		message_taken(l, pdu, octets, a.id);
		answer(l, &a);
		break;
	case FATE_SILENT:
		t->silent++;
		message_taken(l, pdu, octets, c->next_id++);
		break;
	case FATE_DROPPED:
		t->dropped++;
		message_taken(l, pdu, octets, c->next_id++);
		line_flush(l);
		line_lost(l, "cut by the script");
		break;
	}
}

/*
 * Sessions
 */

static bool
account_has_line(const struct centre *c, const struct account *a)
{
	for (const struct line *l = c->lines; l != NULL; l = l->next)
		if (l->account == a)
			return true;
	return false;
}

static void
account_free(struct centre *c, struct account *a)
{
	struct account **at = &c->accounts;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	receipts_free(&a->waiting);
	receipts_free(&a->again);
	free(a);
}

/* The newest stands first; the oldest that nobody is bound under makes room, with its receipts. */
static struct account *
account_of(struct centre *c, struct text system_id)
{
	struct account *a, *oldest = NULL;
	unsigned n = 0;

	for (a = c->accounts; a != NULL; a = a->next) {
		if (text_is(system_id, a->system_id))
			return a;
		if (++n >= ACCOUNTS_MOST && !account_has_line(c, a))
			oldest = a;
	}
	if (oldest != NULL)
		account_free(c, oldest);
	a = calloc(1, sizeof *a);
	if (a == NULL || system_id.len >= sizeof a->system_id) {
		free(a);
		return NULL;
	}
	memcpy(a->system_id, system_id.at, system_id.len);
	a->waiting.end = &a->waiting.first;
	a->again.end = &a->again.first;
	a->centre = c;
	a->next = c->accounts;
	c->accounts = a;
	return a;
}

static void
on_bind(struct line *l, const struct smpp_pdu *pdu)
{
	struct centre *c = l->centre;
	struct smpp_pdu resp;
	uint32_t status = l->account != NULL ? SMPP_ALREADY_BOUND : trouble_bind(c->conf.trouble);
	char version = 0x34;

	memset(&resp, 0, offsetof(struct smpp_pdu, tlvs));
	resp.command = pdu->command | SMPP_RESP;
	resp.sequence = pdu->sequence;
	resp.status = status;
	if (status == SMPP_OK && (l->account = account_of(c, pdu->system_id)) == NULL)
		resp.status = status = SMPP_SYSTEM_ERROR;
	if (status != SMPP_OK) {
		c->conf.tally->binds_refused++;
		phones_event(c->conf.phones, "bind refused", pdu->system_id,
		    text_of(smpp_status_name(status)));
	} else {
		l->mode = pdu->command;
		l->version = pdu->interface_version;
		resp.system_id = TEXT("kantele");
		if (l->version >= 0x34)
			resp.tlvs[resp.tlv_count++] = (struct smpp_tlv){ SMPP_TAG_SC_VERSION,
			    { &version, 1 } };
		c->conf.tally->binds++;
		phones_event(c->conf.phones, "bind", pdu->system_id,
		    text_of(smpp_command_name(pdu->command)));
		loop_soon(c->loop, &c->pump);
	}
	line_write(l, &resp);
}

static void
on_unbind(struct line *l, const struct smpp_pdu *pdu)
{
	line_answer(l, SMPP_UNBIND, SMPP_OK, pdu->sequence, (struct text){ NULL, 0 });
	line_flush(l);
	line_lost(l, "unbind");
}

/* Requests that end in one fixed answer. */
static const struct {
	uint32_t	 command, status;
} fixed_answers[] = {
	{ SMPP_ENQUIRE_LINK, SMPP_OK },
	{ SMPP_QUERY_SM, SMPP_QUERY_FAILED },
	{ SMPP_CANCEL_SM, SMPP_CANCEL_FAILED },
	{ SMPP_REPLACE_SM, SMPP_REPLACE_FAILED },
};

static void
on_other(struct line *l, const struct smpp_pdu *pdu)
{
	for (size_t i = 0; i < sizeof fixed_answers / sizeof *fixed_answers; i++)
		if (fixed_answers[i].command == pdu->command) {
			line_answer(l, pdu->command, fixed_answers[i].status, pdu->sequence,
			    (struct text){ NULL, 0 });
			return;
		}
	if (!(pdu->command & SMPP_RESP))
		line_answer(l, (uint32_t)SMPP_GENERIC_NACK, SMPP_BAD_COMMAND, pdu->sequence,
		    (struct text){ NULL, 0 });
}

static void
take_pdu(struct line *l, struct text octets)
{
	struct smpp_pdu pdu;
	struct err err = { 0 };

	if (smpp_pdu_read(octets, &pdu, &err) == -1) {
		phones_event(l->centre->conf.phones, "bad PDU", (struct text){ NULL, 0 },
		    text_of(err.text));
		if (!(pdu.command & SMPP_RESP))
			line_answer(l, pdu.command, SMPP_BAD_LENGTH, pdu.sequence,
			    (struct text){ NULL, 0 });
		return;
	}
	switch (pdu.command) {
	case SMPP_SUBMIT_SM:
	case SMPP_DATA_SM:
		on_submit(l, &pdu, octets);
		break;
	case SMPP_DELIVER_SM | SMPP_RESP:
		on_deliver_resp(l, &pdu);
		break;
	case SMPP_BIND_RECEIVER:
	case SMPP_BIND_TRANSMITTER:
	case SMPP_BIND_TRANSCEIVER:
		on_bind(l, &pdu);
		break;
	case SMPP_UNBIND:
		on_unbind(l, &pdu);
		break;
	default:
		on_other(l, &pdu);
		break;
	}
}

/*
 * Lines
 */

/* Whoever binds under a name of its own each time leaves nothing behind. */
static void
account_leave(struct centre *c, struct account *a)
{
	if (!account_has_line(c, a) && a->waiting.first == NULL && a->again.first == NULL)
		account_free(c, a);
}

static void
line_free(struct line *l)
{
	struct line **at = &l->centre->lines;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	if (l->account != NULL)
		account_leave(l->centre, l->account);
	stream_free(&l->stream);
	timer_free(&l->timer);
	buf_free(&l->out);
	free(l->held.list);
	free(l);
}

static void
line_lost(struct line *l, const char *why)
{
	if (l->gone)
		return;
	l->gone = true;
	phones_event(l->centre->conf.phones, "gone", l->account != NULL ?
	    text_of(l->account->system_id) : TEXT("not bound"), text_of(why));
	if (l->stream != NULL)
		stream_finish(&l->stream, GOODBYE_MS);
	timer_cancel(l->timer);
	if (l->account != NULL)
		flights_back(l);
	if (l->busy == 0)
		line_free(l);
}

static void
on_input(void *arg)
{
	struct line *l = arg;
	long length = 0;

	l->busy++;
	while (!l->gone && !l->blocked) {
		length = smpp_pdu_length(stream_peek(l->stream, 4));
		if (length <= 0 || stream_waiting(l->stream) < (size_t)length)
			break;
		take_pdu(l, stream_peek(l->stream, (size_t)length));
		if (l->gone)
			break;
		stream_consume(l->stream, (size_t)length);
		if (l->out.len > OUT_FULL)
			line_flush(l);
	}
	if (!l->gone)
		line_flush(l);
	if (!l->gone && length == -1)
		line_lost(l, "a PDU with an impossible length");
	l->busy--;
	if (l->gone)
		line_free(l);
}

static void
on_drained(void *arg)
{
	struct line *l = arg;

	if (l->blocked)
		line_flush(l);
	loop_soon(l->centre->loop, &l->centre->pump);
}

static void
on_down(void *arg, const struct err *why)
{
	struct line *l = arg;

	line_lost(l, why->text);
}

static const struct stream_events line_events = {
	.input = on_input, .down = on_down, .drained = on_drained
};

static void
on_taken(void *arg, struct stream *taken)
{
	struct centre *c = arg;
	struct line *l = calloc(1, sizeof *l);

	if (l == NULL || (l->timer = timer_new(c->loop, on_answers_due, l)) == NULL) {
		free(l);
		stream_free(&taken);
		return;
	}
	l->centre = c;
	l->stream = taken;
	l->out = buf_heap(OUT_MOST);
	l->oldest = 1;
	l->next = c->lines;
	c->lines = l;
	c->conf.tally->connections++;
	stream_attach(taken, &line_events, l);
}

struct centre *
centre_open(struct loop *loop, const struct centre_conf *conf, struct err *err)
{
	struct centre *c = calloc(1, sizeof *c);

	if (c == NULL || (c->timer = timer_new(loop, receipts_pump, c)) == NULL) {
		err_set(err, ERR_SYSTEM, "no memory for the SMS centre");
		free(c);
		return NULL;
	}
	c->loop = loop;
	c->conf = *conf;
	c->next_id = conf->first_id;
	c->pump = (struct soon){ .run = receipts_pump, .arg = c };
	c->listener = listener_open(loop, conf->interface, conf->port, NULL, on_taken, c, err);
	if (c->listener == NULL)
		centre_free(&c);
	return c;
}

unsigned
centre_port(const struct centre *c)
{
	return listener_port(c->listener);
}

void
centre_free(struct centre **cp)
{
	struct centre *c = *cp;

	if (c == NULL)
		return;
	listener_free(&c->listener);
	while (c->lines != NULL) {
		struct line *l = c->lines;

		if (l->account != NULL)
			flights_back(l);
		line_free(l);
	}
	while (c->accounts != NULL)
		account_free(c, c->accounts);
	loop_not_soon(c->loop, &c->pump);
	timer_free(&c->timer);
	free(c);
	*cp = NULL;
}
