/*
 * smsc_smpp_test.c - the SMPP driver against an SMSC that does what the test says
 *
 * Both ends run on one loop over real sockets.  What the driver tells its owner becomes lines
 * ("accepted 1 m7"), what the SMSC gets becomes lines too ("< submit_sm"); a test waits for a line
 * and looks at their order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/finding.h"
#include "io/log.h"
#include "io/loop.h"
#include "io/stream.h"
#include "push/message.h"
#include "push/segment.h"
#include "smsc/smpp_pdu.h"
#include "smsc/smsc.h"

enum { WAIT_MS = 10 * 1000, LINES = 4096 };

struct test {
	struct loop	*loop;
	struct listener	*listener;
	struct stream	*peer, *leaving;	/* leaving: of the connection before */
	struct timer	*deadline, *dribble;
	struct conf	*conf;
	struct smsc	*smsc;
	/* what the SMSC does */
	uint32_t	 bind_status, submit_status;
	const uint32_t	*bind_list;		/* refusals, one each, to a 0 */
	unsigned	 bind_refusals;		/* with bind_status, then it accepts */
	bool		 silent, cut, one_octet, deaf, receipt_first, old;
	bool		 shy;			/* does not answer a bind */
	uint32_t	 last_submit;		/* sequence */
	struct buf	 slow;			/* leaves octet by octet */
	size_t		 slow_at;
	/* what the owner does */
	bool		 keep_tokens, later, close_on_accept, close_on_state;
	uint64_t	 tokens[2000];
	size_t		 token_count;
	/* what happened */
	char		*lines[LINES];
	size_t		 count;
	const char	*wanted;
	bool		 seen;
};

__attribute__((format(printf, 2, 3)))
static void
note(struct test *t, const char *fmt, ...)
{
	char line[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	assert_true(t->count < LINES);
	t->lines[t->count++] = strdup(line);
	if (t->wanted != NULL && strncmp(line, t->wanted, strlen(t->wanted)) == 0) {
		t->seen = true;
		loop_stop(t->loop);
	}
}

/* Where a line that begins so stands, from `after` on; -1: nowhere. */
static long
find(const struct test *t, const char *start, long after)
{
	for (size_t i = (size_t)(after + 1); i < t->count; i++)
		if (strncmp(t->lines[i], start, strlen(start)) == 0)
			return (long)i;
	return -1;
}

static void
show(const struct test *t)
{
	for (size_t i = 0; i < t->count; i++)
		fprintf(stderr, "%3zu %s\n", i, t->lines[i]);
}

/* Runs the loop until such a line comes after `after`. */
static long
await_after(struct test *t, const char *start, long after)
{
	long at = find(t, start, after);

	if (at >= 0)
		return at;
	t->wanted = start;
	t->seen = false;
	timer_set(t->deadline, WAIT_MS);
	while (!t->seen) {
		loop_run(t->loop);
		if (!t->seen && !timer_armed(t->deadline)) {
			show(t);
			fail_msg("\"%s\" did not come", start);
		}
		if (t->seen && (at = find(t, start, after)) == -1)
			t->seen = false;
	}
	t->wanted = NULL;
	timer_cancel(t->deadline);
	return at;
}

static long
await(struct test *t, const char *start)
{
	return await_after(t, start, -1);
}

static void
on_deadline(void *arg)
{
	struct test *t = arg;

	loop_stop(t->loop);
}

/*
 * The SMSC
 */

static void
dribble(void *arg)
{
	struct test *t = arg;

	if (t->peer == NULL || t->slow_at == t->slow.len)
		return;
	stream_write(t->peer, t->slow.data + t->slow_at++, 1);
	timer_set(t->dribble, 0);
}

static void
peer_octets(struct test *t, const void *octets, size_t n)
{
	if (t->peer == NULL)
		return;
	if (!t->one_octet) {
		stream_write(t->peer, octets, n);
		return;
	}
	buf_bytes(&t->slow, octets, n);
	timer_set(t->dribble, 0);
}

static void
peer_send(struct test *t, const struct smpp_pdu *pdu)
{
	uint8_t room[2048];
	struct buf out = buf_on(room, sizeof room);

	assert_int_equal(smpp_pdu_write(pdu, &out, NULL), 0);
	peer_octets(t, room, out.len);
}

static void
peer_answer(struct test *t, const struct smpp_pdu *request, uint32_t status)
{
	struct smpp_pdu pdu = { .command = request->command | SMPP_RESP, .status = status,
	    .sequence = request->sequence };

	peer_send(t, &pdu);
}

static void
peer_receipt(struct test *t, const char *text)
{
	struct smpp_pdu pdu = { .command = SMPP_DELIVER_SM, .sequence = 900, .esm_class = 4,
	    .source = TEXT("358"), .destination = TEXT("13013"), .message = text_of(text) };

	peer_send(t, &pdu);
}

static void
answer_submit(struct test *t, uint32_t sequence)
{
	char id[32];
	struct smpp_pdu pdu = { .command = SMPP_SUBMIT_SM | SMPP_RESP, .status = t->submit_status,
	    .sequence = sequence };

	snprintf(id, sizeof id, "M%lu", (unsigned long)sequence);
	if (t->receipt_first) {
		char text[64];

		snprintf(text, sizeof text, "id:%s stat:DELIVRD err:000", id);
		peer_receipt(t, text);
	}
	if (pdu.status == 0)
		pdu.message_id = text_of(id);
	peer_send(t, &pdu);
}

static void
peer_bind(struct test *t, const struct smpp_pdu *pdu)
{
	struct smpp_pdu answer = { .command = pdu->command | SMPP_RESP, .sequence = pdu->sequence,
	    .system_id = TEXT("smsc") };

	if (t->bind_list != NULL && *t->bind_list != 0) {
		answer.status = *t->bind_list++;
		answer.system_id = (struct text){ NULL, 0 };
	} else if (t->bind_refusals > 0) {
		t->bind_refusals--;
		answer.status = t->bind_status;
		answer.system_id = (struct text){ NULL, 0 };
	} else if (t->old) {
		answer.tlvs[answer.tlv_count++] = (struct smpp_tlv){ SMPP_TAG_SC_VERSION, { "\x33", 1 } };
	}
	peer_send(t, &answer);
}

static void
peer_pdu(struct test *t, const struct smpp_pdu *pdu)
{
	note(t, "< %s %s%s", smpp_command_name(pdu->command), smpp_status_name(pdu->status),
	    pdu->tlv_count > 0 ? " tlv" : "");
	switch (pdu->command) {
	case SMPP_BIND_TRANSMITTER:
	case SMPP_BIND_RECEIVER:
	case SMPP_BIND_TRANSCEIVER:
		if (!t->shy)
			peer_bind(t, pdu);
		break;
	case SMPP_SUBMIT_SM:
		t->last_submit = pdu->sequence;
		if (t->cut)
			stream_free(&t->peer);
		else if (!t->silent)
			answer_submit(t, pdu->sequence);
		break;
	case SMPP_ENQUIRE_LINK:
	case SMPP_UNBIND:
		if (!t->deaf)
			peer_answer(t, pdu, 0);
		break;
	default:
		break;
	}
}

static void
peer_input(void *arg)
{
	struct test *t = arg;

	while (t->peer != NULL) {
		long length = smpp_pdu_length(stream_peek(t->peer, 4));
		struct smpp_pdu pdu;
		struct stream *peer = t->peer;

		assert_true(length >= 0);
		if (length == 0 || stream_waiting(peer) < (size_t)length)
			return;
		assert_int_equal(smpp_pdu_read(stream_peek(peer, (size_t)length), &pdu, NULL), 0);
		peer_pdu(t, &pdu);
		if (t->peer == peer)
			stream_consume(peer, (size_t)length);
	}
}

static void
peer_down(void *arg, const struct err *why)
{
	struct test *t = arg;

	(void)why;
	stream_free(&t->peer);
	note(t, "< gone");
}

static const struct stream_events peer_events = { .input = peer_input, .down = peer_down };

/* The link may come back before we have read all of its last words. */
static void
leaving_input(void *arg)
{
	struct test *t = arg;
	long length;

	while ((length = smpp_pdu_length(stream_peek(t->leaving, 4))) > 0 &&
	    stream_waiting(t->leaving) >= (size_t)length) {
		struct smpp_pdu pdu;

		assert_int_equal(smpp_pdu_read(stream_peek(t->leaving, (size_t)length), &pdu, NULL), 0);
		stream_consume(t->leaving, (size_t)length);
		note(t, "< %s", smpp_command_name(pdu.command));
	}
}

static void
leaving_down(void *arg, const struct err *why)
{
	struct test *t = arg;

	(void)why;
	stream_free(&t->leaving);
}

static const struct stream_events leaving_events = { .input = leaving_input, .down = leaving_down };

static void
peer_taken(void *arg, struct stream *taken)
{
	struct test *t = arg;

	stream_free(&t->leaving);
	t->leaving = t->peer;
	if (t->leaving != NULL)
		stream_attach(t->leaving, &leaving_events, t);
	t->peer = taken;
	t->slow.len = t->slow_at = 0;
	note(t, "< connect");
	stream_attach(taken, &peer_events, t);
}

/*
 * The owner
 */

static void
own_state(void *owner, enum smsc_state state, const struct err *why)
{
	static const char *const names[] = { "connecting", "up", "receive-only", "reconnecting",
	    "closed" };
	struct test *t = owner;

	note(t, "state %s %s", names[state], why != NULL ? why->text : "");
	if (t->close_on_state && state == SMSC_RECONNECTING)
		smsc_smpp.close(&t->smsc);
}

static void
own_accepted(void *owner, uint64_t ticket, const struct smsc_answer *a)
{
	struct test *t = owner;

	note(t, "accepted %llu %.*s", (unsigned long long)ticket, TEXT_ARGS(a->foreign_id));
	if (t->close_on_accept)
		smsc_smpp.close(&t->smsc);
}

static void
own_refused(void *owner, uint64_t ticket, const struct smsc_answer *a)
{
	static const char *const names[] = { "slow-down", "later", "few", "never" };

	note(owner, "refused %llu %s %s", (unsigned long long)ticket, names[a->refusal], a->said);
}

static void
own_unknown(void *owner, uint64_t ticket, const struct err *why)
{
	note(owner, "unknown %llu %s", (unsigned long long)ticket, why->text);
}

static void
own_late(void *owner, uint64_t ticket, bool accepted, const struct smsc_answer *a)
{
	note(owner, "late %llu %s %.*s", (unsigned long long)ticket, accepted ? "accepted" : "refused",
	    TEXT_ARGS(a->foreign_id));
}

static void
own_token(struct test *t, uint64_t token)
{
	if (!t->keep_tokens) {
		smsc_smpp.ack(t->smsc, token, t->later ? ACK_LATER : ACK_OK);
		return;
	}
	assert_true(t->token_count < sizeof t->tokens / sizeof *t->tokens);
	t->tokens[t->token_count++] = token;
}

static void
own_receipt(void *owner, const struct smsc_receipt *r, uint64_t token)
{
	struct test *t = owner;

	note(t, "receipt %.*s %.*s %d %.*s", TEXT_ARGS(r->foreign_id), TEXT_ARGS(r->foreign_id_alt),
	    r->state, TEXT_ARGS(r->code));
	own_token(t, token);
}

static void
own_incoming(void *owner, const struct smsc_incoming *in, uint64_t token)
{
	struct test *t = owner;
	char hex[64];
	struct buf udh = buf_on(hex, sizeof hex);

	buf_hex(&udh, in->udh.at, in->udh.len, false);
	note(t, "incoming %.*s>%.*s %.*s %s %u", TEXT_ARGS(in->from), TEXT_ARGS(in->to),
	    TEXT_ARGS(in->body), buf_cstr(&udh), in->dcs);
	own_token(t, token);
}

static const struct smsc_events owner_events = {
	.state = own_state, .accepted = own_accepted, .refused = own_refused, .unknown = own_unknown,
	.late = own_late, .receipt = own_receipt, .incoming = own_incoming
};

/*
 * Setting up
 */

static struct conf *
make_conf(struct test *t, const char *more)
{
	char text[2048];
	struct findings f = { 0 };

	snprintf(text, sizeof text, "group = smsc\nsmsc = smpp\nsmsc-id = t\nhost = 127.0.0.1\n"
	    "smsc-username = user\nsmsc-password = secret\nreconnect-delay = 0\n%s", more);
	if (strstr(more, "port =") == NULL)
		snprintf(text + strlen(text), sizeof text - strlen(text), "port = %u\n",
		    listener_port(t->listener));
	t->conf = conf_read_text("t.conf", text_of(text), &f);
	assert_non_null(t->conf);
	findings_free(&f);
	return t->conf;
}

static void
open_link(struct test *t, const char *more, struct findings *findings, struct err *err)
{
	struct smsc_setup setup = { .loop = t->loop, .name = "t", .conf = make_conf(t, more),
	    .events = &owner_events, .owner = t };

	t->smsc = smsc_smpp.open(&setup, conf_next(t->conf, "smsc", NULL), findings, err);
}

static int
set_up(void **state)
{
	struct test *t = calloc(1, sizeof *t);
	struct err err = { 0 };

	log_set_level(LOG_LEVEL_PANIC);
	t->loop = loop_new(&err);
	t->deadline = timer_new(t->loop, on_deadline, t);
	t->dribble = timer_new(t->loop, dribble, t);
	t->slow = buf_heap(1 << 20);
	t->listener = listener_open(t->loop, "127.0.0.1", 0, NULL, peer_taken, t, &err);
	if (t->listener == NULL)
		return -1;
	*state = t;
	return 0;
}

static int
tear_down(void **state)
{
	struct test *t = *state;

	smsc_smpp.close(&t->smsc);
	while (t->peer != NULL)		/* its last words leave */
		await_after(t, "< gone", (long)t->count - 1);
	stream_free(&t->leaving);
	listener_free(&t->listener);
	timer_free(&t->deadline);
	timer_free(&t->dribble);
	conf_free(&t->conf);
	buf_free(&t->slow);
	for (size_t i = 0; i < t->count; i++)
		free(t->lines[i]);
	loop_free(&t->loop);
	free(t);
	return 0;
}

static void
start(struct test *t, const char *more)
{
	struct findings f = { 0 };
	struct err err = { 0 };

	open_link(t, more, &f, &err);
	if (t->smsc == NULL)
		fail_msg("%s", err.text);
	findings_free(&f);
	assert_int_equal(t->count, 0);		/* nothing is told before open() returned */
}

#define TRX	"transceiver-mode = yes\n"

static int
submit(struct test *t, uint64_t ticket)
{
	static const struct message m = { .sender = TEXT("13013"), .msisdn = TEXT("+358401"),
	    .priority = -1, .pid = -1, .rpi = -1, .mclass = -1 };
	struct segment s = { .message = &m, .data = TEXT("hello"), .number = 1, .total = 1 };

	return smsc_smpp.send(t->smsc, ticket, &s);
}

/*
 * Tests
 */

static void
test_bind_refused_then_taken(void **state)
{
	struct test *t = *state;
	long at;

	t->bind_refusals = 2;
	t->bind_status = SMPP_BAD_PASSWORD;
	start(t, TRX);
	at = await(t, "state connecting bind refused with ESME_RINVPASWD");
	at = await_after(t, "state connecting bind refused", at);
	await_after(t, "state up", at);
	assert_int_equal(submit(t, 1), 0);
	await(t, "accepted 1 m");
	assert_true(find(t, "accepted", -1) > find(t, "< submit_sm", -1));
}

/* Whatever it is refused for: told, and tried again. */
static void
test_every_refusal_of_a_bind(void **state)
{
	static const uint32_t list[] = { 0x04, 0x08, 0x0d, 0x0e, 0x0f, 0x53, 0x58,
	    UINT32_MAX, 0 };
	struct test *t = *state;
	long at = -1;

	t->bind_list = list;
	start(t, TRX);
	for (size_t i = 0; list[i] != 0; i++) {
		char line[80];

		snprintf(line, sizeof line, "state connecting bind refused with %s", smpp_status_name(list[i]));
		at = await_after(t, line, at);
	}
	await_after(t, "state up", at);
}

static void
test_already_bound_is_bound(void **state)
{
	struct test *t = *state;

	t->bind_refusals = 1;
	t->bind_status = SMPP_ALREADY_BOUND;
	start(t, TRX);
	await(t, "state up");
	assert_int_equal(find(t, "state connecting", -1), -1);
}

static void
test_names(void **state)
{
	struct test *t = *state;
	char wanted[64];

	start(t, TRX "system-type = test\nmax-pending-submits = 7\nwait-ack = 3\n");
	snprintf(wanted, sizeof wanted, "SMPP:127.0.0.1:%u/%u:user:test", listener_port(t->listener),
	    listener_port(t->listener));
	assert_string_equal(smsc_smpp.describe(t->smsc), wanted);
	assert_string_equal(smsc_smpp.receipt_domain(t->smsc), "user@127.0.0.1");
	assert_int_equal(smsc_smpp.window(t->smsc), 7);
	assert_int_equal(smsc_smpp.wait_ack_ms(t->smsc), 3000);
}

static void
test_window_is_kept(void **state)
{
	struct test *t = *state;

	t->silent = true;
	start(t, TRX "max-pending-submits = 2\n");
	assert_int_equal(submit(t, 1), -1);		/* not up yet */
	await(t, "state up");
	assert_int_equal(submit(t, 1), 0);
	assert_int_equal(submit(t, 2), 0);
	assert_int_equal(submit(t, 3), -1);
}

static void
test_cut_after_submit(void **state)
{
	struct test *t = *state;
	long unknown, down;

	t->cut = true;
	start(t, TRX);
	await(t, "state up");
	assert_int_equal(submit(t, 5), 0);
	assert_int_equal(submit(t, 6), 0);
	down = await(t, "state reconnecting");
	unknown = find(t, "unknown 5", -1);
	assert_true(unknown >= 0 && find(t, "unknown 6", unknown) == unknown + 1);
	assert_true(unknown + 1 < down);
	t->cut = false;
	await_after(t, "state up", down);
	assert_int_equal(submit(t, 7), 0);
	await(t, "accepted 7");
}

static void
test_late_answer(void **state)
{
	struct test *t = *state;

	t->silent = true;
	start(t, TRX "wait-ack = 1\n");
	await(t, "state up");
	assert_int_equal(submit(t, 1), 0);
	await(t, "< submit_sm");
	await(t, "unknown 1 no submit_sm_resp within 1 s");
	answer_submit(t, t->last_submit);
	await(t, "late 1 accepted m");
	answer_submit(t, t->last_submit);		/* a second one is nobody's */
	t->silent = false;
	assert_int_equal(submit(t, 2), 0);
	await(t, "accepted 2");
	assert_int_equal(find(t, "late", find(t, "late", -1)), -1);
	assert_int_equal(find(t, "state reconnecting", -1), -1);
}

static void
test_no_answer_reconnects(void **state)
{
	struct test *t = *state;
	long down;

	t->silent = true;
	start(t, TRX "wait-ack = 1\nwait-ack-expire = 0\n");
	await(t, "state up");
	assert_int_equal(submit(t, 1), 0);
	down = await(t, "state reconnecting no submit_sm_resp within 1 s");
	assert_true(find(t, "unknown 1", -1) >= 0);
	await_after(t, "state up", down);
}

static void
test_refusals(void **state)
{
	static const struct {
		uint32_t	 status;
		const char	*line;
	} rows[] = {
		{ SMPP_THROTTLED, "refused 1 slow-down ESME_RTHROTTLED" },
		{ SMPP_QUEUE_FULL, "refused 2 slow-down ESME_RMSGQFUL" },
		{ SMPP_SYSTEM_ERROR, "refused 3 later ESME_RSYSERR" },
		{ 0x45, "refused 4 few ESME_RSUBMITFAIL" },
		{ SMPP_BAD_DESTINATION, "refused 5 never ESME_RINVDSTADR" },
		{ 0x412, "refused 6 few status 0x00000412" },
	};
	struct test *t = *state;

	start(t, TRX);
	await(t, "state up");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		t->submit_status = rows[i].status;
		assert_int_equal(submit(t, i + 1), 0);
		await(t, rows[i].line);
	}
	t->submit_status = SMPP_BAD_BIND_STATE;		/* it has forgotten us */
	assert_int_equal(submit(t, 9), 0);
	await(t, "refused 9 slow-down");
	await(t, "state reconnecting submit_sm refused with ESME_RINVBNDSTS");
}

static void
test_nack_of_a_submit(void **state)
{
	struct test *t = *state;
	struct smpp_pdu nack = { .command = (uint32_t)SMPP_GENERIC_NACK, .status = SMPP_BAD_LENGTH };

	t->silent = true;
	start(t, TRX);
	await(t, "state up");
	assert_int_equal(submit(t, 1), 0);
	await(t, "< submit_sm");
	nack.sequence = t->last_submit;
	peer_send(t, &nack);
	await(t, "refused 1 never ESME_RINVCMDLEN");
	nack.sequence = 0;
	peer_send(t, &nack);			/* nobody's: the line stays */
	assert_int_equal(submit(t, 2), 0);
	answer_submit(t, t->last_submit + 1);
	await(t, "accepted 2");
}

static void
test_receipt_before_the_answer(void **state)
{
	struct test *t = *state;
	long receipt;

	t->receipt_first = true;
	start(t, TRX);
	await(t, "state up");
	assert_int_equal(submit(t, 1), 0);
	await(t, "accepted 1 m");
	receipt = find(t, "receipt m", -1);
	assert_true(receipt >= 0 && receipt < find(t, "accepted", -1));
	assert_string_equal(strchr(t->lines[receipt], 'm'), "m2  1 000");
	await(t, "< deliver_sm_resp ESME_ROK");
}

static void
test_acknowledgement_waits_for_ack(void **state)
{
	struct test *t = *state;
	long before;

	t->keep_tokens = true;
	start(t, TRX);
	await(t, "state up");
	peer_receipt(t, "id:7 stat:DELIVRD");
	await(t, "receipt 7");
	assert_int_equal(submit(t, 1), 0);
	before = await(t, "accepted 1");
	assert_int_equal(find(t, "< deliver_sm_resp", -1), -1);
	smsc_smpp.ack(t->smsc, t->tokens[0], ACK_OK);
	await_after(t, "< deliver_sm_resp ESME_ROK", before);
	smsc_smpp.ack(t->smsc, t->tokens[0], ACK_OK);	/* used up */
	peer_receipt(t, "id:8 stat:DELIVRD");
	await(t, "receipt 8");
	smsc_smpp.ack(t->smsc, t->tokens[1], ACK_LATER);
	await(t, "< deliver_sm_resp ESME_RX_T_APPN");
	assert_int_equal(find(t, "< deliver_sm_resp ESME_ROK",
	    find(t, "< deliver_sm_resp ESME_ROK", -1)), -1);
}

static void
test_tokens_of_a_lost_line_are_dead(void **state)
{
	struct test *t = *state;
	long down;

	t->keep_tokens = true;
	start(t, TRX);
	await(t, "state up");
	peer_receipt(t, "id:7 stat:DELIVRD");
	await(t, "receipt 7");
	stream_free(&t->peer);
	down = await(t, "state reconnecting");
	await_after(t, "state up", down);
	peer_receipt(t, "id:8 stat:DELIVRD");
	await(t, "receipt 8");
	smsc_smpp.ack(t->smsc, t->tokens[0], ACK_LATER);
	smsc_smpp.ack(t->smsc, t->tokens[1], ACK_OK);
	await(t, "< deliver_sm_resp ESME_ROK");
	assert_int_equal(find(t, "< deliver_sm_resp ESME_RX_T_APPN", -1), -1);
}

static void
test_too_many_unacknowledged_pause_reading(void **state)
{
	struct test *t = *state;
	long last;

	t->keep_tokens = true;
	start(t, TRX);
	await(t, "state up");
	for (int i = 1; i <= 1500; i++) {
		char text[64];

		snprintf(text, sizeof text, "id:%d stat:DELIVRD", i);
		peer_receipt(t, text);
	}
	await(t, "receipt 1000 ");
	assert_int_equal(submit(t, 1), 0);
	await(t, "< submit_sm");
	assert_int_equal(t->token_count, 1000);		/* the peer has written all 1,500 before */
	for (int i = 0; i < 1000; i++)
		smsc_smpp.ack(t->smsc, t->tokens[i], ACK_OK);
	last = await(t, "receipt 1500 ");
	assert_int_equal(t->token_count, 1500);
	assert_true(find(t, "accepted 1", -1) > 0 || await_after(t, "accepted 1", last) > 0);
}

static void
test_octet_by_octet(void **state)
{
	struct test *t = *state;

	t->one_octet = true;
	t->receipt_first = true;
	start(t, TRX);
	await(t, "state up");
	assert_int_equal(submit(t, 1), 0);
	assert_int_equal(submit(t, 2), 0);
	await(t, "receipt m2");
	await(t, "accepted 1 m2");
	await(t, "receipt m3");
	await(t, "accepted 2 m3");
}

static void
test_impossible_length(void **state)
{
	static const struct {
		const char	*octets;
	} rows[] = { { "\0\0\0\17" }, { "\0\1\0\1" }, { "HTTP" } };
	struct test *t = *state;
	long at = -1;

	start(t, TRX);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		at = await_after(t, "state up", at);
		peer_octets(t, rows[i].octets, 4);
		at = await_after(t, "state reconnecting 127.0.0.1 sent a PDU with an impossible length", at);
	}
}

static void
test_bad_and_unknown_requests(void **state)
{
	static const uint8_t broken[] = { 0, 0, 0, 18, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9, 'x', 'y' };
	struct smpp_pdu odd = { .command = 0x777, .sequence = 3 };
	struct test *t = *state;

	start(t, TRX);
	await(t, "state up");
	peer_send(t, &odd);
	await(t, "< generic_nack ESME_RINVCMDID");
	peer_octets(t, broken, sizeof broken);
	await(t, "< generic_nack ESME_RINVCMDLEN");
	odd.command = SMPP_ENQUIRE_LINK;
	peer_send(t, &odd);
	await(t, "< enquire_link_resp");
	odd.command = 0x80000777;			/* an answer nobody asked for: silence */
	peer_send(t, &odd);
	odd.command = SMPP_SUBMIT_SM;
	peer_send(t, &odd);
	await(t, "< generic_nack ESME_RINVCMDID");
	assert_int_equal(submit(t, 1), 0);
	await(t, "accepted 1");
	assert_int_equal(find(t, "state reconnecting", -1), -1);
}

#define OK	"00000000"

/* What a hostile SMSC sends to a bound link: length is put before it, unless it begins with '='. */
static const struct {
	const char	*name, *hex;
	const char	*line;		/* what comes of it; NULL: nothing, the line stays */
} hostile[] = {
	{ "length 0", "=00000000", "state reconnecting 127.0.0.1 sent a PDU with an impossible length" },
	{ "length 15", "=0000000f 80000015 00000000 000000", "state reconnecting 127.0.0.1 sent a PDU" },
	{ "length of 4 GiB", "=ffffffff", "state reconnecting 127.0.0.1 sent a PDU" },
	{ "length of 64 KiB and one", "=00010001", "state reconnecting 127.0.0.1 sent a PDU" },
	{ "another language", "=485454502f312e31", "state reconnecting 127.0.0.1 sent a PDU" },
	{ "command 0", "00000000" OK "00000001", "< generic_nack ESME_RINVCMDID" },
	{ "a command of all ones", "7fffffff" OK "00000001", "< generic_nack ESME_RINVCMDID" },
	{ "an answer of all ones", "ffffffff ffffffff ffffffff", NULL },
	{ "garbage behind a command nobody knows", "00000777" OK "00000001" "ffffffffffffffff",
	  "< generic_nack ESME_RINVCMDID" },
	{ "an answer to nothing", "80000004" OK "00000063" "4d00", NULL },
	{ "an answer to sequence 0", "80000004" OK "00000000" "4d00", NULL },
	{ "an answer to the bind, again", "80000009" OK "00000001" "00", NULL },
	{ "a refusal of the bind, too late", "80000009" "0000000e" "00000001", NULL },
	{ "an answer to a deliver_sm that we never sent", "80000005" OK "00000001" "00", NULL },
	{ "an unbind_resp that nobody asked for", "80000006" OK "00000001", NULL },
	{ "a nack of nothing", "80000000" "00000003" "00000000", NULL },
	{ "an enquire_link_resp that nobody asked for", "80000015" OK "00000001", NULL },
	{ "a bind from an SMSC", "00000009" OK "00000001" "00 00 00 34 00 00 00",
	  "< generic_nack ESME_RINVCMDID" },
	{ "a submit_sm from an SMSC", "00000004" OK "00000001" "00 0000 00 0000 00 00 00 00 00 00 00 00 00 00 00",
	  "< generic_nack ESME_RINVCMDID" },
	{ "an outbind", "0000000b" OK "00000001" "00 00", NULL },
	{ "an outbind without its strings", "0000000b" OK "00000001", "< generic_nack ESME_RINVCMDLEN" },
	{ "an alert", "00000102" OK "00000001" "01013100 01013200", NULL },
	{ "a deliver_sm without a body", "00000005" OK "00000001", "< generic_nack ESME_RINVCMDLEN" },
	{ "a deliver_sm whose address never ends", "00000005" OK "00000001" "00 0101 31323334",
	  "< generic_nack ESME_RINVCMDLEN" },
	{ "a short message that claims 255 octets", "00000005" OK "00000001"
	  "00 010131 00 010132 00 04 00 00 00 00 00 00 00 00 ff 41", "< generic_nack ESME_RINVCMDLEN" },
	{ "a parameter that claims 64 KiB", "00000005" OK "00000001"
	  "00 010131 00 010132 00 04 00 00 00 00 00 00 00 00 00 001e ffff 31", "< generic_nack ESME_RINVCMDLEN" },
	{ "half a parameter", "00000005" OK "00000001"
	  "00 010131 00 010132 00 04 00 00 00 00 00 00 00 00 00 001e 00", "< generic_nack ESME_RINVCMDLEN" },
	{ "a receipt without an id", "00000005" OK "00000001"
	  "00 010131 00 010132 00 04 00 00 00 00 00 00 00 00 04 69643a20", "< deliver_sm_resp ESME_ROK" },
	{ "a receipt with impossible dates", "00000005" OK "00000001"	/* submit date:99ff done date:9999999999 stat:DELIVRD */
	  "00 010131 00 010132 00 04 00 00 00 00 00 00 00 00 37"
	  "69643a37207375626d697420646174653a3939666620646f6e6520646174653a39393939393939393939207374"
	  "61743a44454c49565244", "receipt 7" },
	{ "a receipt whose id is no text", "00000005" OK "00000001"
	  "00 010131 00 010132 00 04 00 00 00 00 00 00 00 00 00 001e 0008 ffffffffffffff00 0427 0001 02",
	  "receipt \xff\xff" },
	{ "a text whose header claims more than there is", "00000005" OK "00000001"
	  "00 010131 00 010132 00 40 00 00 00 00 00 00 00 00 02 ff41", "incoming" },
	{ "a text in UCS-2 of an odd length", "00000005" OK "00000001"
	  "00 010131 00 010132 00 00 00 00 00 00 00 00 08 00 03 004100", "incoming" },
	{ "control characters in an address", "00000005" OK "00000001"
	  "00 05001b5b324a0a 00 010132 00 00 00 00 00 00 00 00 00 00 01 41", "incoming" },
};

static size_t
hostile_octets(const char *hex, uint8_t *room, size_t size)
{
	bool raw = *hex == '=';
	struct buf b = buf_on(room, size);
	struct err err = { 0 };

	if (!raw)
		buf_u32(&b, 0);
	if (text_unhex(text_of(hex + raw), &b, &err) == -1)
		fail_msg("%s: %s", hex, err.text);
	if (!raw) {
		struct buf length = buf_on(room, 4);

		buf_u32(&length, (uint32_t)b.len);
	}
	return b.len;
}

/* After each: the link is there, or comes back, and still sends. */
static void
test_hostile_smsc(void **state)
{
	struct test *t = *state;
	long at;

	start(t, TRX);
	at = await(t, "state up");
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		uint8_t room[256];
		size_t n = hostile_octets(hostile[i].hex, room, sizeof room);
		char accepted[32];

		t->one_octet = i % 2 == 1 && hostile[i].hex[0] != '=';
		peer_octets(t, room, n);
		if (hostile[i].line != NULL)
			at = await_after(t, hostile[i].line, at);
		if (hostile[i].hex[0] == '=')
			at = await_after(t, "state up", at);
		assert_int_equal(submit(t, 1000 + i), 0);
		snprintf(accepted, sizeof accepted, "accepted %zu ", 1000 + i);
		at = await_after(t, accepted, at);
		if (find(t, "unknown", -1) != -1)
			fail_msg("%s: %s", hostile[i].name, t->lines[find(t, "unknown", -1)]);
		while (t->slow_at < t->slow.len)
			at = await_after(t, "<", at);
		t->slow.len = t->slow_at = 0;
	}
}

/* A receipt with each octet behind its length turned into others, then cut everywhere. */
static void
test_damaged_receipts(void **state)
{
	static const char good[] = "00000005 00000000 00000009 00 010131 00 010132 00 04 00 00 00 00 00 00 00 00 16"
	    "69643a412073 7461743a44454c49565244 6572723a30 001e 0002 4100 0427 0001 02 0423 0003 030000";
	struct smpp_pdu ask = { .command = SMPP_ENQUIRE_LINK, .sequence = 4711 };
	struct test *t = *state;
	uint8_t octets[200], copy[200];
	size_t n = hostile_octets(good, octets, sizeof octets);
	long at;

	start(t, TRX);
	at = await(t, "state up");
	for (size_t i = 4; i < n; i++) {
		for (unsigned flip = 1; flip < 256; flip *= 2) {
			memcpy(copy, octets, n);
			copy[i] ^= (uint8_t)flip;
			if ((copy[4] << 8 | copy[7]) == SMPP_UNBIND)
				continue;		/* that is an order, not damage */
			peer_octets(t, copy, n);
		}
		peer_send(t, &ask);
		at = await_after(t, "< enquire_link_resp", at);
		for (size_t k = 0; k < t->count; k++)		/* make room for the next ones */
			free(t->lines[k]);
		t->count = 0;
		at = -1;
	}
	for (size_t cut = 16; cut < n; cut++) {
		struct buf length = buf_on(octets, 4);

		buf_u32(&length, (uint32_t)cut);
		peer_octets(t, octets, cut);
	}
	peer_send(t, &ask);
	await_after(t, "< enquire_link_resp", at);
	assert_int_equal(find(t, "state reconnecting", -1), -1);
	assert_int_equal(submit(t, 1), 0);
	await(t, "accepted 1");
}

/* While the bind is not answered nothing else is taken for the answer. */
static void
test_hostile_before_the_bind(void **state)
{
	static const struct {
		const char	*name, *hex, *line;
	} rows[] = {
		{ "impossible length", "=0000000f", "state connecting 127.0.0.1 sent a PDU with an impossible" },
		{ "another bind's answer", "80000001" OK "00000001" "00", "state connecting bind_receiver_resp came" },
		{ "a nack", "80000000" "00000003" "00000001", "state connecting bind refused with ESME_RINVCMDID" },
		{ "unbind", "00000006" OK "00000001", "state connecting 127.0.0.1 unbound us" },
		{ "a receipt", "00000005" OK "00000001" "00 010131 00 010132 00 04 00 00 00 00 00 00 00 00 04 69643a37",
		  "< generic_nack ESME_RINVBNDSTS" },
		{ "an answer to a submit", "80000004" OK "00000001" "4d00", NULL },
	};
	struct test *t = *state;
	long at = -1;

	t->shy = true;
	start(t, TRX);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t room[256];
		size_t n = hostile_octets(rows[i].hex, room, sizeof room);

		if (i == 0 || strncmp(rows[i - 1].line, "state", 5) == 0)
			at = await_after(t, "< bind_transceiver", at);
		peer_octets(t, room, n);
		if (rows[i].line != NULL)
			at = await_after(t, rows[i].line, at);
	}
	assert_int_equal(find(t, "state up", -1), -1);
	assert_int_equal(find(t, "receipt", -1), -1);
	t->shy = false;
	stream_free(&t->peer);
	await_after(t, "state up", at);
}

/* Each line that comes to nothing makes the next attempt wait longer, also when it was bound. */
static void
test_short_lines_wait_longer(void **state)
{
	struct test *t = *state;
	mono_t began, waited[2];
	long at = -1;

	start(t, TRX "reconnect-delay = 1\n");
	for (int i = 0; i < 2; i++) {
		at = await_after(t, "state up", at);
		began = clock_mono();
		peer_octets(t, "\0\0\0\0", 4);
		at = await_after(t, "state reconnecting", at);
		at = await_after(t, "< connect", at);
		waited[i] = clock_mono() - began;
	}
	assert_in_range(waited[0], 750, 1700);		/* 1 s, 20 % more or less */
	assert_in_range(waited[1], 1550, 2900);
	at = await_after(t, "state up", at);
	assert_int_equal(submit(t, 1), 0);		/* this one does its work */
	at = await_after(t, "accepted 1", at);
	began = clock_mono();
	stream_free(&t->peer);
	await_after(t, "< connect", at);
	assert_in_range(clock_mono() - began, 750, 1700);
}

static void
test_peer_unbinds(void **state)
{
	struct smpp_pdu unbind = { .command = SMPP_UNBIND, .sequence = 77 };
	struct test *t = *state;
	long down;
	mono_t begun;

	t->silent = true;
	start(t, TRX "reconnect-delay = 5\n");
	await(t, "state up");
	assert_int_equal(submit(t, 4), 0);
	await(t, "< submit_sm");
	begun = clock_mono();
	peer_send(t, &unbind);
	down = await(t, "state reconnecting 127.0.0.1 unbound us");
	assert_true(find(t, "unknown 4", -1) >= 0);
	await(t, "< unbind_resp");
	await_after(t, "state up", down);
	assert_true(clock_mono() - begun < 2000);	/* at once, not after reconnect-delay */
}

static void
test_silent_peer_is_dropped(void **state)
{
	struct test *t = *state;

	t->deaf = true;
	start(t, TRX "enquire-link-interval = 1\nenquire-link-timeout = 1\n");
	await(t, "state up");
	await(t, "< enquire_link");
	await(t, "state reconnecting no answer to enquire_link within 1 s");
}

static void
test_living_peer_is_kept(void **state)
{
	struct test *t = *state;
	long first;

	start(t, TRX "enquire-link-interval = 1\nenquire-link-timeout = 1\n");
	first = await(t, "< enquire_link");
	await_after(t, "< enquire_link", first);
	assert_int_equal(find(t, "state reconnecting", -1), -1);
}

static void
test_drain(void **state)
{
	struct test *t = *state;
	long answered;

	t->silent = true;
	start(t, TRX);
	await(t, "state up");
	assert_int_equal(submit(t, 1), 0);
	await(t, "< submit_sm");
	smsc_smpp.drain(t->smsc);
	assert_int_equal(submit(t, 2), -1);
	assert_int_equal(find(t, "< unbind", -1), -1);
	answer_submit(t, t->last_submit);
	answered = await(t, "accepted 1");
	await_after(t, "< unbind", answered);
	await(t, "state closed");
}

static void
test_drain_of_a_link_that_is_down(void **state)
{
	struct test *t = *state;

	t->bind_refusals = 1000;
	t->bind_status = 0x0d;
	start(t, TRX);
	await(t, "state connecting");
	smsc_smpp.drain(t->smsc);
	assert_int_equal(find(t, "state closed", -1), -1);	/* not inside drain() */
	await(t, "state closed");
}

static void
test_drain_when_the_line_breaks(void **state)
{
	struct test *t = *state;
	long unknown;

	t->silent = true;
	start(t, TRX);
	await(t, "state up");
	assert_int_equal(submit(t, 1), 0);
	await(t, "< submit_sm");
	smsc_smpp.drain(t->smsc);
	stream_free(&t->peer);
	unknown = await(t, "unknown 1");
	await_after(t, "state closed", unknown);
}

static void
test_close_tells_open_tickets(void **state)
{
	struct test *t = *state;

	t->silent = true;
	start(t, TRX);
	await(t, "state up");
	assert_int_equal(submit(t, 1), 0);
	await(t, "< submit_sm");
	smsc_smpp.close(&t->smsc);
	assert_null(t->smsc);
	assert_true(find(t, "unknown 1", -1) >= 0);
	await(t, "< unbind");
	await(t, "< gone");
}

static void
test_close_from_inside_events(void **state)
{
	struct test *t = *state;

	t->close_on_accept = true;
	start(t, TRX);
	await(t, "state up");
	assert_int_equal(submit(t, 1), 0);
	assert_int_equal(submit(t, 2), 0);
	await(t, "accepted 1");
	assert_null(t->smsc);
	assert_true(find(t, "unknown 2", -1) >= 0);
	await(t, "< gone");
}

static void
test_close_when_the_line_is_lost(void **state)
{
	struct test *t = *state;

	t->close_on_state = true;
	t->cut = true;
	start(t, TRX);
	await(t, "state up");
	assert_int_equal(submit(t, 1), 0);
	await(t, "state reconnecting");
	assert_null(t->smsc);
}

static void
test_cannot_be_sent_at_all(void **state)
{
	struct message m = { .sender = TEXT("1"), .msisdn = TEXT("123456789012345678901"),
	    .priority = -1, .pid = -1, .rpi = -1 };
	struct segment s = { .message = &m, .data = TEXT("x") };
	struct test *t = *state;

	start(t, TRX);
	await(t, "state up");
	assert_int_equal(smsc_smpp.send(t->smsc, 3, &s), 0);
	assert_int_equal(find(t, "refused", -1), -1);	/* never inside send */
	await(t, "refused 3 never ESME_RINVDSTADR");
	assert_int_equal(find(t, "< submit_sm", -1), -1);
}

static void
test_receiver_and_transmitter(void **state)
{
	struct test *t = *state;
	char more[64];

	snprintf(more, sizeof more, "receive-port = %u\n", listener_port(t->listener));
	start(t, more);
	await(t, "< bind_receiver");
	await(t, "state receive-only");
	assert_int_equal(submit(t, 1), -1);
	peer_receipt(t, "id:1 stat:DELIVRD");
	await(t, "receipt 1");
	smsc_smpp.close(&t->smsc);
	conf_free(&t->conf);
	open_link(t, "", NULL, NULL);
	await(t, "< bind_transmitter");
	await(t, "state up");
}

static void
test_old_peer_gets_no_parameters(void **state)
{
	static const struct message m = { .sender = TEXT("1"), .msisdn = TEXT("2"), .priority = -1,
	    .pid = -1, .rpi = -1 };
	struct segment s = { .message = &m, .data = TEXT("x"), .more = true, .concatenated = true };
	struct test *t = *state;

	start(t, TRX);
	await(t, "state up");
	assert_int_equal(smsc_smpp.send(t->smsc, 1, &s), 0);
	await(t, "< submit_sm ESME_ROK tlv");
	t->old = true;
	stream_free(&t->peer);
	await_after(t, "state up", await(t, "state reconnecting"));
	assert_int_equal(smsc_smpp.send(t->smsc, 2, &s), 0);
	await(t, "accepted 2");
	assert_int_equal(find(t, "< submit_sm ESME_ROK tlv", find(t, "state reconnecting", -1)), -1);
}

static const struct {
	const char	*name, *conf;
	const char	*text;
	struct text	 tlv;
	const char	*line;
} id_rows[] = {
	{ "text as it is", "", "id:00AB stat:DELIVRD", { NULL, 0 }, "receipt ab  1" },
	{ "decimal, answer in hex", "msg-id-type = 1\n", "id:0000000010 stat:DELIVRD", { NULL, 0 },
	  "receipt 10  1" },
	{ "hex in receipts", "msg-id-type = 2\n", "id:10 stat:DELIVRD", { NULL, 0 }, "receipt 16  1" },
	{ "two forms that prove each other", "msg-id-type = 1\n", "id:6699 stat:DELIVRD",
	  { "1A2B", 4 }, "receipt 6699  1" },
	{ "so do digits that could be both", "msg-id-type = 1\n", "id:4096 stat:DELIVRD",
	  { "1000", 4 }, "receipt 4096  1" },
	{ "two ids without a setting: both", "", "id:6699 stat:DELIVRD", { "1A2B\0", 5 },
	  "receipt 1a2b 6699 1" },
	{ "the same twice", "", "id:0001A2B stat:DELIVRD", { "1a2b\0", 5 }, "receipt 1a2b  1" },
};

static void
test_receipt_ids(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof id_rows / sizeof *id_rows; i++) {
		struct smpp_pdu pdu = { .command = SMPP_DELIVER_SM, .sequence = 5, .esm_class = 4,
		    .message = text_of(id_rows[i].text) };
		char more[128];
		void *own = NULL;
		struct test *t;

		assert_int_equal(set_up(&own), 0);
		t = own;
		if (id_rows[i].tlv.at != NULL)
			pdu.tlvs[pdu.tlv_count++] = (struct smpp_tlv){ SMPP_TAG_RECEIPTED_ID,
			    id_rows[i].tlv };
		snprintf(more, sizeof more, TRX "%s", id_rows[i].conf);
		start(t, more);
		await(t, "state up");
		peer_send(t, &pdu);
		await(t, "receipt");
		if (find(t, id_rows[i].line, -1) == -1)
			fail_msg("%s: %s", id_rows[i].name, t->lines[find(t, "receipt", -1)]);
		tear_down(&own);
	}
}

static void
test_receipt_without_id(void **state)
{
	struct test *t = *state;

	t->keep_tokens = true;
	start(t, TRX);
	await(t, "state up");
	peer_receipt(t, "delivered");
	await(t, "< deliver_sm_resp ESME_ROK");
	assert_int_equal(t->token_count, 0);
}

static void
test_incoming(void **state)
{
	struct smpp_pdu pdu = { .command = SMPP_DELIVER_SM, .sequence = 5, .source_ton = 1,
	    .source = TEXT("358401"), .dest_ton = 2, .destination = TEXT("13013"),
	    .message = TEXT("hi"), .data_coding = 3 };
	struct test *t = *state;
	long at;

	start(t, TRX "alt-addr-charset = gsm\n");
	await(t, "state up");
	peer_send(t, &pdu);
	await(t, "incoming +358401>13013 hi  3");
	at = await(t, "< deliver_sm_resp ESME_ROK");
	pdu.source_ton = 5;
	pdu.source = TEXT("Br\017nd");
	pdu.esm_class = SMPP_UDHI;
	pdu.message = TEXT("\5\0\3\1\2\1hi");
	peer_send(t, &pdu);
	await(t, "incoming Br\xc3\xa5nd>13013 hi 050003010201 3");
	t->later = true;
	pdu.command = SMPP_DATA_SM;			/* parts told by parameters, text in the payload */
	pdu.esm_class = 0;
	pdu.message = (struct text){ NULL, 0 };
	pdu.tlvs[pdu.tlv_count++] = (struct smpp_tlv){ SMPP_TAG_PAYLOAD, TEXT("yes") };
	pdu.tlvs[pdu.tlv_count++] = (struct smpp_tlv){ SMPP_TAG_SAR_REFERENCE, TEXT("\1\2") };
	pdu.tlvs[pdu.tlv_count++] = (struct smpp_tlv){ SMPP_TAG_SAR_TOTAL, TEXT("\3") };
	pdu.tlvs[pdu.tlv_count++] = (struct smpp_tlv){ SMPP_TAG_SAR_NUMBER, TEXT("\2") };
	peer_send(t, &pdu);
	await(t, "incoming Br\xc3\xa5nd>13013 yes 060804010203" "02 3");
	await_after(t, "< data_sm_resp ESME_RX_T_APPN", at);
}

static const struct {
	const char	*name, *conf, *error;
} bad_groups[] = {
	{ "both ports", "port = 1\nreceive-port = 2\n", "port and receive-port in one group" },
	{ "an odd version", "port = 1\ninterface-version = 41\n", "interface-version is 33, 34 or 50" },
	{ "a long service type", "port = 1\nservice-type = ABCDEF\n", "service-type has over 5 octets" },
	{ "a window over the bound", "port = 1\nmax-pending-submits = 1001\n", "the smsc group in t.conf" },
};

static void
test_bad_groups(void **state)
{
	struct test *t = *state;

	for (size_t i = 0; i < sizeof bad_groups / sizeof *bad_groups; i++) {
		struct findings f = { 0 };
		struct err err = { 0 };

		open_link(t, bad_groups[i].conf, &f, &err);
		if (t->smsc != NULL || f.errors == 0 ||
		    strncmp(err.text, bad_groups[i].error, strlen(bad_groups[i].error)) != 0)
			fail_msg("%s: %s", bad_groups[i].name, err.text);
		findings_free(&f);
		conf_free(&t->conf);
	}
}

static bool
advised(const struct findings *f, const char *part)
{
	for (size_t i = 0; i < f->count; i++)
		if (strstr(f->list[i].text, part) != NULL && f->list[i].severity == SEVERITY_WARNING)
			return true;
	return false;
}

static void
test_advice(void **state)
{
	struct test *t = *state;
	struct findings f = { 0 };

	open_link(t, "port = 1\nhost = smsc.example\nsmsc-password = 123456789\n"
	    "source-addr-ton = 1\n", &f, NULL);
	assert_non_null(t->smsc);
	assert_true(advised(&f, "crosses the network readable"));
	assert_true(advised(&f, "over 8 octets"));
	assert_true(advised(&f, "mean nothing without each other"));
	for (size_t i = 0; i < f.count; i++)
		assert_null(strstr(f.list[i].text, "123456789"));
	findings_free(&f);
}

static void
test_same(void **state)
{
	static const char text[] = "group = smsc\nsmsc = smpp\nhost = a\nport = 1\nthroughput = 5\n\n"
	    "group = smsc\nsmsc = smpp\nport = 1\nhost = a\nthroughput = 9\n\n"
	    "group = smsc\nsmsc = smpp\nhost = a\nport = 2\n";
	struct conf *conf = conf_read_text("t", text_of(text), NULL);
	const struct conf_group *a = conf_next(conf, "smsc", NULL), *b = conf_next(conf, "smsc", a);

	(void)state;
	assert_true(smsc_smpp.same(a, b));
	assert_false(smsc_smpp.same(a, conf_next(conf, "smsc", b)));
	conf_free(&conf);
}

static const char *
data_path(char *out, size_t size, const char *name)
{
	const char *top = getenv("KANTELE_SRC");

	snprintf(out, size, "%s/tests/data/smpp/%s", top != NULL ? top : ".", name);
	return out;
}

static void
test_tls(void **state)
{
	struct test *t = *state;
	char pem[300], more[1024];
	struct stream_tls tls = { .certkey_file = data_path(pem, sizeof pem, "tls.pem") };
	struct err err = { 0 };
	long at;

	listener_free(&t->listener);
	t->listener = listener_open(t->loop, "127.0.0.1", 0, &tls, peer_taken, t, &err);
	if (t->listener == NULL)
		fail_msg("%s", err.text);
	start(t, TRX "use-ssl = yes\n");
	assert_non_null(strstr(t->lines[await(t, "state connecting")], "certificate of"));
	smsc_smpp.close(&t->smsc);
	conf_free(&t->conf);
	snprintf(more, sizeof more, TRX "use-ssl = yes\nssl-ca-file = %s\n", pem);
	open_link(t, more, NULL, NULL);
	await(t, "state up");
	assert_int_equal(submit(t, 1), 0);
	await(t, "accepted 1");
	smsc_smpp.close(&t->smsc);
	conf_free(&t->conf);
	snprintf(more, sizeof more, TRX "use-ssl = yes\nssl-ca-file = %s\nssl-server-name = "
	    "other.example\n", pem);
	open_link(t, more, NULL, NULL);
	at = await_after(t, "state connecting", find(t, "accepted 1", -1));
	assert_non_null(strstr(t->lines[at], "certificate of"));
}

#define CASE(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_bind_refused_then_taken), CASE(test_every_refusal_of_a_bind),
		CASE(test_already_bound_is_bound), CASE(test_names),
		CASE(test_window_is_kept), CASE(test_cut_after_submit), CASE(test_late_answer),
		CASE(test_no_answer_reconnects), CASE(test_refusals), CASE(test_nack_of_a_submit),
		CASE(test_receipt_before_the_answer), CASE(test_acknowledgement_waits_for_ack),
		CASE(test_tokens_of_a_lost_line_are_dead),
		CASE(test_too_many_unacknowledged_pause_reading), CASE(test_octet_by_octet),
		CASE(test_impossible_length), CASE(test_bad_and_unknown_requests), CASE(test_hostile_smsc),
		CASE(test_damaged_receipts), CASE(test_hostile_before_the_bind),
		CASE(test_short_lines_wait_longer), CASE(test_peer_unbinds),
		CASE(test_silent_peer_is_dropped), CASE(test_living_peer_is_kept), CASE(test_drain),
		CASE(test_drain_of_a_link_that_is_down), CASE(test_drain_when_the_line_breaks),
		CASE(test_close_tells_open_tickets), CASE(test_close_from_inside_events),
		CASE(test_close_when_the_line_is_lost), CASE(test_cannot_be_sent_at_all),
		CASE(test_receiver_and_transmitter), CASE(test_old_peer_gets_no_parameters),
		cmocka_unit_test(test_receipt_ids), CASE(test_receipt_without_id), CASE(test_incoming),
		CASE(test_bad_groups), CASE(test_advice), cmocka_unit_test(test_same), CASE(test_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
