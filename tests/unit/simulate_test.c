/*
 * simulate_test.c - virtual handsets, scripts of trouble, receipts, and the SMS centre before them
 *
 * The verdicts use published signatures (OMA ProvSec vectors), so that signer and checker
 * cannot be wrong together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "io/loop.h"
#include "io/stream.h"
#include "push/udh.h"
#include "push/wsp.h"
#include "simulate/centre.h"

/*
 * Handsets
 */

#define D1	"030b6a00c54503312e310001c65501871106036e6170310001870706034578616d706c650001871006ab01870806" \
		"03696e7465726e6574000187090689010101"
#define MAC_USERPIN	"32154E8970D8D9CC3B3B3E466613874670D53146"	/* PIN 1234 */
#define MAC_NETWPIN	"809F9EB370291F61FBD5F581E4B6D114CA9E6507"	/* IMSI 310260123456789 */
#define MAC_NETWPIN_14	"02C97E966FB0A0B8517253E46486ABEF10ABA4FD"	/* IMSI 26201123456789 */
#define MAC_BOTH	"A44033A27BAE16A73FDE308291B389E1E26AA775"
#define MAC_ASCII_IMSI	"A694908054FDBB92C0DD3B98B5905F5C6CCE558B"	/* what no handset computes */
#define ME		"358401,imsi=310260123456789,pin=1234"

/* An APPLICATION w7, and a BOOTSTRAP, each alone. */
#define W7	"030b6a0045c60001550187360000060377370001" "0101"
#define BOOT	"030b6a0045c656010101"

static const struct verdict_row {
	const char	*name, *handset, *body;
	uint8_t		 sec;
	const char	*mac;
	uint8_t		 segments;
	enum verdict	 verdict;
} verdict_rows[] = {
	{ "USERPIN", ME, D1, 1, MAC_USERPIN, 1, VERDICT_ACCEPTED },
	{ "USERPIN of another PIN", "358401,pin=4321", D1, 1, MAC_USERPIN, 1, VERDICT_WRONG_PIN },
	{ "NETWPIN", ME, D1, 0, MAC_NETWPIN, 1, VERDICT_ACCEPTED },
	{ "NETWPIN of another IMSI", "358401,imsi=310260123456780", D1, 0, MAC_NETWPIN, 1,
	  VERDICT_WRONG_PIN },
	{ "NETWPIN with the digits as key", ME, D1, 0, MAC_ASCII_IMSI, 1, VERDICT_WRONG_PIN },
	{ "NETWPIN of an even IMSI", "358401,imsi=26201123456789", D1, 0, MAC_NETWPIN_14, 1,
	  VERDICT_ACCEPTED },
	{ "USERNETWPIN", ME, D1, 2, MAC_BOTH, 1, VERDICT_ACCEPTED },
	{ "USERPINMAC", "358401,code=48213005", D1, 3, NULL, 1, VERDICT_ACCEPTED },
	{ "USERPINMAC with a slip of the finger", "358401,code=48213006", D1, 3, NULL, 1,
	  VERDICT_WRONG_PIN },
	{ "USERPINMAC and nobody types", ME, D1, 3, NULL, 1, VERDICT_UNCHECKED },
	{ "no IMSI to check with", "358401,pin=1234", D1, 0, MAC_NETWPIN, 1, VERDICT_UNCHECKED },
	{ "unsigned", ME, D1, WSP_NO_SEC, NULL, 1, VERDICT_UNSIGNED },
	{ "unsigned to whom it is all one", "358401,profile=any", D1, WSP_NO_SEC, NULL, 1,
	  VERDICT_ACCEPTED },
	{ "SEC without MAC", ME, D1, 1, NULL, 1, VERDICT_UNSIGNED },
	{ "a MAC in small letters", ME, D1, 1, "32154e8970d8d9cc3b3b3e466613874670d53146", 1,
	  VERDICT_ACCEPTED },
	{ "to one that compares letters", ME ",profile=spreadtrum", D1, 1,
	  "32154e8970d8d9cc3b3b3e466613874670d53146", 1, VERDICT_WRONG_PIN },
	{ "NETWPIN to Windows Mobile", ME ",profile=windows-mobile", D1, 0, MAC_NETWPIN, 1,
	  VERDICT_PROFILE },
	{ "NETWPIN to one with the policy", ME ",profile=windows-mobile-open", D1, 0, MAC_NETWPIN, 1,
	  VERDICT_ACCEPTED },
	{ "USERNETWPIN to Firefox OS", ME ",profile=firefox-os", D1, 2, MAC_BOTH, 1, VERDICT_PROFILE },
	{ "too many segments", ME ",profile=feature-phone", D1, 1, MAC_USERPIN, 5, VERDICT_PROFILE },
	{ "as many as it joins", ME ",profile=feature-phone", D1, 1, MAC_USERPIN, 4, VERDICT_ACCEPTED },
	{ "w7 without a DM client", "358401,profile=firefox-os", W7, WSP_NO_SEC, NULL, 1,
	  VERDICT_PROFILE },
	{ "w7 with one", "358401,profile=any", W7, WSP_NO_SEC, NULL, 1, VERDICT_ACCEPTED },
	{ "BOOTSTRAP to one that has no use for it", "358401,profile=symbian-s60", BOOT, WSP_NO_SEC,
	  NULL, 1, VERDICT_PROFILE },
	{ "a document cut short", ME, "030b6a00c54503312e310001c6", 1, MAC_USERPIN, 1,
	  VERDICT_UNREADABLE },
	{ "no document at all", ME, "", 1, MAC_USERPIN, 1, VERDICT_UNREADABLE },
};

static const struct text no_mac = { NULL, 0 };

static void
make_push(const struct verdict_row *row, struct buf *out)
{
	uint8_t room[512];
	struct buf body = buf_on(room, sizeof room);
	struct wsp_push push = { .tid = 1, .media = 0x36, .sec = row->sec,
	    .mac = row->mac != NULL ? text_of(row->mac) : no_mac };

	assert_int_equal(text_unhex(text_of(row->body), &body, NULL), 0);
	push.body = (struct text){ (char *)room, body.len };
	wsp_push_write(&push, out);
}

static void
test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof verdict_rows / sizeof *verdict_rows; i++) {
		const struct verdict_row *row = &verdict_rows[i];
		uint8_t room[1024];
		struct buf push = buf_on(room, sizeof room);
		struct judgement v = { .content = buf_heap(100000) };
		struct handset_message m = { .ports = true, .port_to = 2948, .coding = 4,
		    .segments = row->segments };
		struct handset h;
		struct err err = { 0 };

		if (handset_parse(text_of(row->handset), &h, &err) == -1)
			fail_msg("%s: %s", row->name, err.text);
		make_push(row, &push);
		m.data = (struct text){ (char *)room, push.len };
		handset_judge(&h, &m, &v);
		if (v.verdict != row->verdict)
			fail_msg("%s: %s: %s", row->name, verdict_names[v.verdict], v.reason);
		if (v.verdict == VERDICT_ACCEPTED && strcmp(row->body, D1) == 0)
			assert_non_null(strstr(buf_cstr(&v.content), "internet"));
		assert_null(strstr(v.reason, "1234"));		/* secrets stay secret */
		assert_null(strstr(v.reason, "310260"));
		buf_free(&v.content);
		handset_free(&h);
	}
}

/* A wrong PIN hides nothing from whoever runs the simulator. */
static void
test_refused_is_shown(void **state)
{
	const struct verdict_row row = { "", "any,pin=9", D1, 1, MAC_USERPIN, 1, VERDICT_WRONG_PIN };
	uint8_t room[1024];
	struct buf push = buf_on(room, sizeof room);
	struct judgement v = { .content = buf_heap(100000) };
	struct handset_message m = { .ports = true, .port_to = 2948, .segments = 1 };
	struct handset h;

	(void)state;
	assert_int_equal(handset_parse(text_of(row.handset), &h, NULL), 0);
	make_push(&row, &push);
	m.data = (struct text){ (char *)room, push.len };
	handset_judge(&h, &m, &v);
	assert_int_equal(v.verdict, VERDICT_WRONG_PIN);
	assert_true(v.sec_given && v.sec == SIGN_USERPIN && v.mac_known && !v.mac_ok);
	assert_string_equal(v.media, "application/vnd.wap.connectivity-wbxml");
	assert_non_null(strstr(buf_cstr(&v.content), "<wap-provisioningdoc"));
	handset_judge(NULL, &m, &v);
	assert_int_equal(v.verdict, VERDICT_NOBODY);
	buf_free(&v.content);
	handset_free(&h);
}

static const struct {
	const char	*name, *data;
	size_t		 len;
	uint8_t		 coding;
	uint16_t	 port;
	const char	*kind, *content;
	enum verdict	 verdict;
} text_rows[] = {
#define OCTETS(s)	s, sizeof(s) - 1
	{ "default alphabet", OCTETS("a\0\x1b\x65"), 0, 0, "text", "a@\xe2\x82\xac", VERDICT_ACCEPTED },
	{ "of class 0", OCTETS("hi"), 0xf0, 0, "text", "hi", VERDICT_ACCEPTED },
	{ "UCS-2", OCTETS("\x04\x16\0!"), 8, 0, "text", "\xd0\x96!", VERDICT_ACCEPTED },
	{ "UCS-2 of class 1", OCTETS("\0a"), 0x19, 0, "text", "a", VERDICT_ACCEPTED },
	{ "half a character", OCTETS("\x04\x16\0"), 8, 0, "text", "", VERDICT_UNREADABLE },
	{ "half a surrogate pair", OCTETS("\xd8\x3d"), 8, 0, "text", "", VERDICT_UNREADABLE },
	{ "Latin 1", OCTETS("\xe9"), 3, 0, "text", "\xc3\xa9", VERDICT_ACCEPTED },
	{ "octets", OCTETS("\x01\xff"), 4, 0, "binary", "01ff", VERDICT_ACCEPTED },
	{ "octets of class 1", OCTETS("\x01"), 0xf5, 0, "binary", "01", VERDICT_ACCEPTED },
	{ "message waiting", OCTETS("x"), 0xd9, 0, "text", "x", VERDICT_ACCEPTED },
	{ "a ringing tone", OCTETS("\x02\x4a"), 0xf5, 5505, "binary", "024a", VERDICT_ACCEPTED },
	{ "a push of nothing", OCTETS(""), 4, 2948, "push", "", VERDICT_UNREADABLE },
	{ "a push cut short", OCTETS("\x01\x06\x2f"), 4, 2948, "push", "", VERDICT_UNREADABLE },
	{ "a service indication", OCTETS("\x01\x06\x01\xae\x02\x05"), 4, 2948, "push", "0205",
	  VERDICT_ACCEPTED },
	{ "no text at all", OCTETS(""), 0, 0, "text", "", VERDICT_ACCEPTED },
};

static void
test_texts(void **state)
{
	struct handset h;

	(void)state;
	assert_int_equal(handset_parse(TEXT("any"), &h, NULL), 0);
	for (size_t i = 0; i < sizeof text_rows / sizeof *text_rows; i++) {
		struct judgement v = { .content = buf_heap(1000) };
		struct handset_message m = { .data = { text_rows[i].data, text_rows[i].len },
		    .coding = text_rows[i].coding, .ports = text_rows[i].port != 0,
		    .port_to = text_rows[i].port, .segments = 1 };

		handset_judge(&h, &m, &v);
		if (v.verdict != text_rows[i].verdict || strcmp(v.kind, text_rows[i].kind) != 0 ||
		    strcmp(buf_cstr(&v.content), text_rows[i].content) != 0)
			fail_msg("%s: %s %s \"%s\" %s", text_rows[i].name, verdict_names[v.verdict], v.kind,
			    buf_cstr(&v.content), v.reason);
		buf_free(&v.content);
	}
	handset_free(&h);
}

static void
test_handset_options(void **state)
{
	static const char *const wrong[] = { "", "abc", "358401,pin", "358401,pin=", "358401,imsi=x",
	    "358401,colour=red", "358401,profile=none", "123456789012345678901", ",pin=1" };
	struct handset list[2], h;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct err err = { 0 };

		if (handset_parse(text_of(wrong[i]), &h, &err) == 0 || err.text[0] == '\0')
			fail_msg("\"%s\" was taken", wrong[i]);
	}
	assert_int_equal(handset_parse(TEXT("any,profile=any"), &list[0], NULL), 0);
	assert_int_equal(handset_parse(TEXT("+358401,pin=1234"), &list[1], NULL), 0);
	assert_ptr_equal(handset_find(list, 2, TEXT("358401")), &list[1]);
	assert_ptr_equal(handset_find(list, 2, TEXT("+358401")), &list[1]);
	assert_ptr_equal(handset_find(list, 2, TEXT("00358401")), &list[1]);
	assert_ptr_equal(handset_find(list, 2, TEXT("358402")), &list[0]);
	assert_null(handset_find(&list[1], 1, TEXT("358402")));
	handset_free(&list[0]);
	handset_free(&list[1]);
}

/*
 * Trouble, receipts, counters
 */

static void
test_trouble(void **state)
{
	struct trouble t;
	unsigned refused = 0, silent = 0;
	uint32_t status;

	(void)state;
	trouble_start(&t, 1);
	assert_int_equal(trouble_submit(&t, TEXT("1"), 1, 1, &status), FATE_TAKEN);
	assert_int_equal(trouble_refuse(&t, TEXT("30:RSYSERR"), NULL), 0);
	assert_int_equal(trouble_refuse_number(&t, TEXT("+35840:0x0b"), NULL), 0);
	assert_int_equal(trouble_silent(&t, TEXT("every 4"), NULL), 0);
	assert_int_equal(trouble_submit(&t, TEXT("358401"), 1, 1, &status), FATE_REFUSED);
	for (int i = 0; i < 10000; i++)
		switch (trouble_submit(&t, TEXT("35850"), 1, 1, &status)) {
		case FATE_REFUSED:
			assert_int_equal(status, SMPP_SYSTEM_ERROR);
			refused++;
			break;
		case FATE_SILENT:
			silent++;
			break;
		default:
			break;
		}
	assert_in_range(refused, 2800, 3200);
	assert_in_range(silent, (10000 - refused) / 4 - 1, (10000 - refused) / 4 + 1);
}

static void
test_throttle(void **state)
{
	struct trouble t;
	uint32_t status = 0;
	unsigned taken = 0;

	(void)state;
	trouble_start(&t, 1);
	assert_int_equal(trouble_throttle(&t, TEXT("50/s"), NULL), 0);
	for (mono_t ms = 1; ms <= 10000; ms++)
		taken += trouble_submit(&t, TEXT("1"), 1, ms, &status) == FATE_TAKEN;
	assert_in_range(taken, 545, 555);		/* ten seconds, and one that was saved */
	assert_int_equal(status, SMPP_THROTTLED);
}

static void
test_trouble_of_lines(void **state)
{
	struct trouble t;
	uint32_t status;

	(void)state;
	trouble_start(&t, 1);
	t.drop_after = 3;
	assert_int_equal(trouble_submit(&t, TEXT("1"), 2, 1, &status), FATE_TAKEN);
	assert_int_equal(trouble_submit(&t, TEXT("1"), 3, 1, &status), FATE_DROPPED);
	assert_int_equal(trouble_bind(&t), SMPP_OK);
	assert_int_equal(trouble_refuse_bind(&t, TEXT("RINVPASWD:2"), NULL), 0);
	assert_int_equal(trouble_bind(&t), SMPP_BAD_PASSWORD);
	assert_int_equal(trouble_bind(&t), SMPP_BAD_PASSWORD);
	assert_int_equal(trouble_bind(&t), SMPP_OK);
}

static void
test_wrong_scripts(void **state)
{
	static const struct {
		int		(*parse)(struct trouble *, struct text, struct err *);
		const char	*spec;
	} rows[] = {
		{ trouble_refuse, "" }, { trouble_refuse, "30" }, { trouble_refuse, "101:RSYSERR" },
		{ trouble_refuse, "30:NOSUCH" }, { trouble_refuse, "30:0" }, { trouble_refuse, "x:RSYSERR" },
		{ trouble_refuse_number, "abc:RSYSERR" }, { trouble_refuse_number, "358" },
		{ trouble_throttle, "0" }, { trouble_throttle, "fast" }, { trouble_silent, "every" },
		{ trouble_silent, "every 0" }, { trouble_silent, "101" }, { trouble_refuse_bind, "" },
		{ trouble_refuse_bind, "RINVPASWD:0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct trouble t;
		struct err err = { 0 };

		trouble_start(&t, 1);
		if (rows[i].parse(&t, text_of(rows[i].spec), &err) == 0 || err.text[0] == '\0')
			fail_msg("\"%s\" was taken", rows[i].spec);
	}
}

static void
test_receipt_forms(void **state)
{
	struct receipt_conf c = { .wanted = true };
	struct receipt r = { .id = 6699, .source = "13013", .destination = "358401", .dest_ton = 1 };
	struct receipt_room room;
	struct smpp_pdu pdu;

	(void)state;
	receipt_make(&c, &r, ID_HEX, 0x34, 0, &room, &pdu);
	assert_non_null(strstr(room.text, "id:1A2B sub:001 dlvrd:001 submit date:7001010000 done "
	    "date:7001010000 stat:DELIVRD err:000 text:"));
	assert_memory_equal(smpp_pdu_tlv(&pdu, SMPP_TAG_RECEIPTED_ID)->value.at, "1A2B", 5);
	assert_true(text_is(pdu.source, "358401") && text_is(pdu.destination, "13013"));
	assert_int_equal(pdu.source_ton, 1);
	assert_int_equal(pdu.esm_class, 4);
	assert_int_equal(receipt_id_options(&c, TEXT("padded,text-only"), NULL), 0);
	receipt_make(&c, &r, ID_HEX, 0x34, 0, &room, &pdu);
	assert_non_null(strstr(room.text, "id:0000006699 "));
	assert_int_equal(pdu.tlv_count, 0);
	c.text_only = false;
	assert_int_equal(receipt_id_options(&c, TEXT("decimal,tlv-only"), NULL), 0);
	receipt_make(&c, &r, ID_HEX, 0x34, 0, &room, &pdu);
	assert_int_equal(pdu.message.len, 0);
	assert_memory_equal(smpp_pdu_tlv(&pdu, SMPP_TAG_RECEIPTED_ID)->value.at, "6699", 5);
	assert_int_equal(receipt_options(&c, TEXT("delay=50,state=UNDELIV/EXPIRED"), NULL), 0);
	assert_int_equal(c.state_count, 2);
	assert_int_equal(c.delay_ms, 50);
	assert_true(receipt_asked(1, 0) && receipt_asked(1, 3));
	assert_true(!receipt_asked(2, 0) && receipt_asked(2, 3));
	assert_false(receipt_asked(0, 0));
	assert_int_equal(receipt_options(&c, TEXT("state=GONE"), NULL), -1);
	assert_int_equal(receipt_options(&c, TEXT("colour=red"), NULL), -1);
	assert_int_equal(receipt_id_options(&c, TEXT("octal"), NULL), -1);
}

static void
test_tally(void **state)
{
	uint8_t room[4096];
	struct buf out = buf_on(room, sizeof room);
	struct tally t = { .detect = true };
	char text[80];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		snprintf(text, sizeof text, "%066d", i % 15000);	/* differs within 64 octets only by tens */
		tally_submit(&t, 1000 + i / 10, 50);
		tally_duplicate(&t, TEXT("358401"), text_of(text));
	}
	assert_int_equal(t.duplicates, 20000 - 150);
	tally_duplicate(&t, TEXT("358402"), text_of(text));
	assert_int_equal(t.duplicates, 20000 - 150);
	tally_refused(&t, SMPP_THROTTLED);
	tally_refused(&t, SMPP_THROTTLED);
	tally_json(&t, &out);
	assert_non_null(strstr(buf_cstr(&out), "\"received\":20000,"));
	assert_non_null(strstr(buf_cstr(&out), "\"duplicates\":19850,"));
	assert_non_null(strstr(buf_cstr(&out), "\"statuses\":{\"ESME_RTHROTTLED\":2}"));
	assert_non_null(strstr(buf_cstr(&out), "\"per_second\":[10000,10000]"));
	tally_free(&t);
}

/*
 * The centre
 */

struct client {
	struct loop	*loop;
	struct centre	*centre;
	struct centre_conf conf;
	struct phones_conf phones_conf;
	struct trouble	 trouble;
	struct tally	 tally;
	struct handset	 handsets[1];
	struct timer	*deadline;
	struct stream	*stream;
	FILE		*out;
	char		*shown;
	size_t		 shown_len;
	uint32_t	 deliver_status;
	bool		 refuse_once, mute;
	uint32_t	 sequence;
	char		 heard[64][128];
	unsigned	 count;
	const char	*wanted;
	bool		 seen;
};

static void
hear(struct client *c, const char *line)
{
	assert_true(c->count < 64);
	snprintf(c->heard[c->count++], sizeof c->heard[0], "%s", line);
	if (c->wanted != NULL && strncmp(line, c->wanted, strlen(c->wanted)) == 0) {
		c->seen = true;
		loop_stop(c->loop);
	}
}

static void
client_write(struct client *c, const struct smpp_pdu *pdu)
{
	uint8_t room[1024];
	struct buf out = buf_on(room, sizeof room);

	assert_int_equal(smpp_pdu_write(pdu, &out, NULL), 0);
	stream_write(c->stream, room, out.len);
}

static void
client_pdu(struct client *c, const struct smpp_pdu *pdu)
{
	char line[200];

	if (pdu->command == SMPP_DELIVER_SM) {
		struct smpp_pdu resp = { .command = SMPP_DELIVER_SM | SMPP_RESP,
		    .sequence = pdu->sequence };

		snprintf(line, sizeof line, "receipt %.*s", (int)strcspn(pdu->message.at, " "),
		    pdu->message.at);
		hear(c, line);
		if (c->mute)
			return;
		resp.status = c->refuse_once ? SMPP_TRY_LATER : SMPP_OK;
		c->refuse_once = false;
		client_write(c, &resp);
		return;
	}
	snprintf(line, sizeof line, "%s %s %.*s", smpp_command_name(pdu->command),
	    smpp_status_name(pdu->status), TEXT_ARGS(pdu->message_id));
	hear(c, line);
}

static void
client_input(void *arg)
{
	struct client *c = arg;

	for (;;) {
		long length = smpp_pdu_length(stream_peek(c->stream, 4));
		struct smpp_pdu pdu;

		if (length <= 0 || stream_waiting(c->stream) < (size_t)length)
			return;
		assert_int_equal(smpp_pdu_read(stream_peek(c->stream, (size_t)length), &pdu, NULL), 0);
		client_pdu(c, &pdu);
		stream_consume(c->stream, (size_t)length);
	}
}

static void
client_up(void *arg)
{
	hear(arg, "up");
}

static void
client_down(void *arg, const struct err *why)
{
	struct client *c = arg;

	(void)why;
	stream_free(&c->stream);
	hear(c, "down");
}

static const struct stream_events client_events = { .up = client_up, .input = client_input,
    .down = client_down };

static void
client_deadline(void *arg)
{
	struct client *c = arg;

	loop_stop(c->loop);
}

/* How many lines begin so. */
static unsigned
times(const struct client *c, const char *start)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->count; i++)
		n += strncmp(c->heard[i], start, strlen(start)) == 0;
	return n;
}

static void
await(struct client *c, const char *start, unsigned wanted)
{
	timer_set(c->deadline, 10000);
	c->wanted = start;
	while (times(c, start) < wanted) {
		loop_run(c->loop);
		if (!timer_armed(c->deadline)) {
			for (unsigned i = 0; i < c->count; i++)
				fprintf(stderr, "%s\n", c->heard[i]);
			fail_msg("\"%s\" came %u times", start, times(c, start));
		}
	}
	c->wanted = NULL;
	timer_cancel(c->deadline);
}

static void
centre_start(struct client *c)
{
	struct err err = { 0 };

	c->conf.trouble = &c->trouble;
	c->conf.tally = &c->tally;
	c->phones_conf.out = c->out;
	c->phones_conf.tally = &c->tally;
	c->phones_conf.json = true;
	c->conf.phones = phones_new(&c->phones_conf, &err);
	c->conf.interface = "127.0.0.1";
	c->conf.first_id = 1;
	c->centre = centre_open(c->loop, &c->conf, &err);
	if (c->centre == NULL)
		fail_msg("%s", err.text);
}

static void
client_bind(struct client *c, uint32_t command)
{
	struct smpp_pdu bind = { .command = command, .sequence = ++c->sequence,
	    .system_id = TEXT("user"), .interface_version = 0x34 };
	unsigned ups = times(c, "up");

	c->stream = stream_connect(c->loop, "127.0.0.1", centre_port(c->centre), NULL, 0, NULL, 5000,
	    &client_events, c, NULL);
	assert_non_null(c->stream);
	await(c, "up", ups + 1);
	client_write(c, &bind);
}

static void
client_submit(struct client *c, uint8_t registered, uint8_t esm_class, uint8_t coding,
    struct text user_data)
{
	struct smpp_pdu pdu = { .command = SMPP_SUBMIT_SM, .sequence = ++c->sequence,
	    .source = TEXT("13013"), .destination = TEXT("358401"), .registered_delivery = registered,
	    .esm_class = esm_class, .data_coding = coding, .message = user_data };

	client_write(c, &pdu);
}

static int
set_up(void **state)
{
	struct client *c = calloc(1, sizeof *c);

	c->loop = loop_new(NULL);
	c->deadline = timer_new(c->loop, client_deadline, c);
	c->out = open_memstream(&c->shown, &c->shown_len);
	trouble_start(&c->trouble, 1);
	*state = c;
	return 0;
}

static int
tear_down(void **state)
{
	struct client *c = *state;

	stream_free(&c->stream);
	centre_free(&c->centre);
	phones_free(&c->conf.phones);
	handset_free(&c->handsets[0]);
	timer_free(&c->deadline);
	tally_free(&c->tally);
	loop_free(&c->loop);
	fclose(c->out);
	free(c->shown);
	free(c);
	return 0;
}

static void
test_answers(void **state)
{
	struct client *c = *state;
	struct smpp_pdu other = { .sequence = 900 };

	c->conf.ids = ID_PADDED;
	centre_start(c);
	client_bind(c, SMPP_BIND_TRANSCEIVER);
	await(c, "bind_transceiver_resp ESME_ROK", 1);
	client_submit(c, 0, 0, 0, TEXT("hello"));
	await(c, "submit_sm_resp ESME_ROK 0000000001", 1);
	other.command = SMPP_ENQUIRE_LINK;
	client_write(c, &other);
	await(c, "enquire_link_resp ESME_ROK", 1);
	other.command = SMPP_QUERY_SM;
	client_write(c, &other);
	await(c, "query_sm_resp ESME_RQUERYFAIL", 1);
	other.command = SMPP_CANCEL_SM;
	client_write(c, &other);
	await(c, "cancel_sm_resp ESME_RCANCELFAIL", 1);
	other.command = SMPP_SUBMIT_MULTI;
	client_write(c, &other);
	await(c, "generic_nack ESME_RINVCMDID", 1);
	other.command = SMPP_UNBIND;
	client_write(c, &other);
	await(c, "unbind_resp ESME_ROK", 1);
	await(c, "down", 1);
	fflush(c->out);
	assert_non_null(strstr(c->shown, "\"event\":\"message\",\"from\":\"13013\",\"to\":\"358401\","
	    "\"bind\":\"user\",\"segments\":1,\"kind\":\"text\",\"verdict\":\"accepted\",\"reason\":\"\","
	    "\"text\":\"hello\"}"));
}

static void
test_unbound_and_receivers_may_not_send(void **state)
{
	struct client *c = *state;

	centre_start(c);
	client_bind(c, SMPP_BIND_RECEIVER);
	client_submit(c, 0, 0, 0, TEXT("hello"));
	await(c, "submit_sm_resp ESME_RINVBNDSTS", 1);
	assert_int_equal(c->tally.taken, 0);
}

/* Three segments out of order become one document that the handset accepts. */
static void
test_segments_to_verdict(void **state)
{
	const struct verdict_row row = { "", NULL, D1, 1, MAC_USERPIN, 1, VERDICT_ACCEPTED };
	static const int order[] = { 2, 0, 1 };
	struct client *c = *state;
	uint8_t room[512];
	struct buf push = buf_on(room, sizeof room);

	assert_int_equal(handset_parse(TEXT("358401,pin=1234"), &c->handsets[0], NULL), 0);
	c->phones_conf.handsets = c->handsets;
	c->phones_conf.handset_count = 1;
	centre_start(c);
	client_bind(c, SMPP_BIND_TRANSMITTER);
	make_push(&row, &push);
	for (int i = 0; i < 3; i++) {
		uint8_t data[200], ports[16];
		struct buf part = buf_on(data, sizeof data), udh = buf_on(ports, sizeof ports);
		size_t from = (size_t)order[i] * 40, n = order[i] == 2 ? push.len - 80 : 40;

		udh_put_ports(&udh, 2948, 9200);
		udh_with_concat(&part, (struct text){ (char *)ports, udh.len }, 7, false, 3,
		    (uint8_t)(order[i] + 1));
		buf_bytes(&part, room + from, n);
		client_submit(c, 0, SMPP_UDHI, 4, (struct text){ (char *)data, part.len });
	}
	await(c, "submit_sm_resp ESME_ROK", 3);
	fflush(c->out);
	assert_non_null(strstr(c->shown, "\"segments\":3,\"kind\":\"provisioning\",\"media\":"
	    "\"application/vnd.wap.connectivity-wbxml\",\"verdict\":\"accepted\""));
	assert_non_null(strstr(c->shown, "\"sec\":\"USERPIN\",\"mac_ok\":true,\"document\":\"<?xml"));
	assert_int_equal(c->tally.verdicts[VERDICT_ACCEPTED], 1);
}

static unsigned
place(const struct client *c, const char *start)
{
	unsigned i = 0;

	while (i < c->count && strncmp(c->heard[i], start, strlen(start)) != 0)
		i++;
	return i;
}

static void
test_receipts(void **state)
{
	struct client *c = *state;

	c->conf.receipt = (struct receipt_conf){ .wanted = true, .twice = true };
	centre_start(c);
	client_bind(c, SMPP_BIND_TRANSCEIVER);
	client_submit(c, 0, 0, 0, TEXT("nobody asks"));
	client_submit(c, 1, 0, 0, TEXT("a"));
	await(c, "receipt id:2", 2);
	assert_true(place(c, "receipt") > place(c, "submit_sm_resp ESME_ROK 2"));
	assert_int_equal(times(c, "receipt id:1"), 0);
}

static void
test_receipt_before_the_answer(void **state)
{
	struct client *c = *state;

	c->conf.receipt = (struct receipt_conf){ .wanted = true, .early = true };
	c->conf.ids = ID_HEX;
	centre_start(c);
	client_bind(c, SMPP_BIND_TRANSCEIVER);
	client_submit(c, 1, 0, 0, TEXT("a"));
	await(c, "submit_sm_resp", 1);
	assert_true(place(c, "receipt id:1") < place(c, "submit_sm_resp"));
}

/* What was not taken comes again: after "try later", and over the next bind. */
static void
test_receipts_come_again(void **state)
{
	struct client *c = *state;

	c->conf.receipt = (struct receipt_conf){ .wanted = true };
	centre_start(c);
	client_bind(c, SMPP_BIND_TRANSCEIVER);
	c->refuse_once = true;
	client_submit(c, 1, 0, 0, TEXT("a"));
	await(c, "receipt id:1", 2);
	c->mute = true;
	client_submit(c, 1, 0, 0, TEXT("b"));
	client_submit(c, 1, 0, 0, TEXT("c"));
	await(c, "receipt id:3", 1);
	stream_free(&c->stream);
	c->mute = false;
	client_bind(c, SMPP_BIND_RECEIVER);
	await(c, "receipt id:3", 2);
	assert_int_equal(times(c, "receipt id:2"), 2);
	assert_int_equal(times(c, "receipt id:1"), 2);
	assert_int_equal(c->tally.receipts_again, 3);
}

static void
test_receipts_go_to_the_receiving_bind(void **state)
{
	struct client *c = *state;

	c->conf.receipt = (struct receipt_conf){ .wanted = true };
	centre_start(c);
	client_bind(c, SMPP_BIND_TRANSMITTER);
	client_submit(c, 1, 0, 0, TEXT("a"));
	await(c, "submit_sm_resp", 1);
	assert_int_equal(times(c, "receipt"), 0);
	stream_free(&c->stream);
	client_bind(c, SMPP_BIND_RECEIVER);
	await(c, "receipt id:1", 1);
}

static void
test_lines_are_cut(void **state)
{
	struct client *c = *state;

	c->trouble.drop_after = 2;
	centre_start(c);
	client_bind(c, SMPP_BIND_TRANSCEIVER);
	client_submit(c, 0, 0, 0, TEXT("a"));
	client_submit(c, 0, 0, 0, TEXT("b"));
	await(c, "down", 1);
	assert_int_equal(times(c, "submit_sm_resp ESME_ROK"), 1);
	assert_int_equal(c->tally.taken, 2);
	client_bind(c, SMPP_BIND_TRANSCEIVER);
	await(c, "bind_transceiver_resp ESME_ROK", 2);
}

static void
test_answers_are_held_back(void **state)
{
	struct client *c = *state;
	mono_t begun = clock_mono();

	c->conf.delay_ms = 200;
	centre_start(c);
	client_bind(c, SMPP_BIND_TRANSCEIVER);
	client_submit(c, 0, 0, 0, TEXT("a"));
	client_submit(c, 0, 0, 0, TEXT("b"));
	await(c, "submit_sm_resp ESME_ROK 2", 1);
	assert_true(clock_mono() - begun >= 200);
	assert_true(place(c, "submit_sm_resp ESME_ROK 1") < place(c, "submit_sm_resp ESME_ROK 2"));
}

static void
test_garbage_ends_the_line(void **state)
{
	struct client *c = *state;

	centre_start(c);
	client_bind(c, SMPP_BIND_TRANSCEIVER);
	await(c, "bind_transceiver_resp", 1);
	stream_write(c->stream, "GET / HTTP/1.1\r\n\r\n", 18);
	await(c, "down", 1);
}

#define OK	"00000000"

/* What a hostile ESME sends; a length is put before it, unless it begins with '='. */
static const struct {
	const char	*name, *hex;
	bool		 bound;
	const char	*line;			/* what comes back; NULL: nothing */
} hostile[] = {
	{ "length 0", "=00000000", true, "down" },
	{ "length 15", "=0000000f", true, "down" },
	{ "length of 4 GiB", "=ffffffff", true, "down" },
	{ "length 0 before the bind", "=00000000", false, "down" },
	{ "HTTP", "=504f5354202f2048", false, "down" },
	{ "TLS", "=1603010200010001", false, "down" },
	{ "a command nobody knows", "00000777" OK "00000001", true, "generic_nack ESME_RINVCMDID" },
	{ "the same before the bind", "00000777" OK "00000001", false, "generic_nack ESME_RINVCMDID" },
	{ "an answer to nothing", "80000005" OK "00000001" "00", true, NULL },
	{ "an answer to the receipt of another line", "80000005" OK "7fffffff" "00", true, NULL },
	{ "an answer before the bind", "80000005" OK "00000001" "00", false, NULL },
	{ "an answer of all ones", "ffffffff ffffffff ffffffff", true, NULL },
	{ "a bind without a body", "00000009" OK "00000001", false, "bind_transceiver_resp ESME_RINVCMDLEN" },
	{ "a bind whose name never ends", "00000009" OK "00000001" "41414141", false,
	  "bind_transceiver_resp ESME_RINVCMDLEN" },
	{ "a second bind", "00000009" OK "00000001" "6100 00 00 34 00 00 00", true,
	  "bind_transceiver_resp ESME_RALYBND" },
	{ "a submit before the bind", "00000004" OK "00000001"
	  "00 000031 00 000032 00 00 00 00 00 00 00 00 00 00 01 41", false, "submit_sm_resp ESME_RINVBNDSTS" },
	{ "a submit without a body", "00000004" OK "00000001", true, "submit_sm_resp ESME_RINVCMDLEN" },
	{ "a submit that claims 255 octets", "00000004" OK "00000001"
	  "00 000031 00 000032 00 00 00 00 00 00 00 00 00 00 ff 41", true, "submit_sm_resp ESME_RINVCMDLEN" },
	{ "an address over its field", "00000004" OK "00000001" "00 0000 3131313131313131313131313131313131313131"
	  "3131 00 000032 00 00 00 00 00 00 00 00 00 00 00", true, "submit_sm_resp ESME_RINVCMDLEN" },
	{ "a parameter that claims 64 KiB", "00000004" OK "00000001"
	  "00 000031 00 000032 00 00 00 00 00 00 00 00 00 00 00 0424 ffff", true, "submit_sm_resp ESME_RINVCMDLEN" },
	{ "a header longer than the message", "00000004" OK "00000001"
	  "00 000031 00 000032 00 40 00 00 00 00 00 00 04 00 02 ff41", true, "submit_sm_resp ESME_ROK" },
	{ "segment 3 of 2", "00000004" OK "00000001"
	  "00 000031 00 000032 00 40 00 00 00 00 00 00 04 00 07 050003010203 41", true, "submit_sm_resp ESME_ROK" },
	{ "a push that ends early", "00000004" OK "00000001"
	  "00 000031 00 000032 00 40 00 00 00 00 00 00 04 00 09 0605040b8423f00106", true, "submit_sm_resp ESME_ROK" },
	{ "a push whose header claims 4 GiB", "00000004" OK "00000001"
	  "00 000031 00 000032 00 40 00 00 00 00 00 00 04 00 0e 0605040b8423f001068fffffff7f", true,
	  "submit_sm_resp ESME_ROK" },
	{ "no message at all", "00000004" OK "00000001"
	  "00 000031 00 000032 00 40 00 00 00 00 00 00 04 00 00", true, "submit_sm_resp ESME_ROK" },
	{ "UCS-2 of an odd length", "00000004" OK "00000001"
	  "00 000031 00 000032 00 00 00 00 00 00 00 00 08 00 03 004100", true, "submit_sm_resp ESME_ROK" },
	{ "lone surrogates", "00000004" OK "00000001"
	  "00 000031 00 000032 00 00 00 00 00 00 00 00 08 00 04 d800d800", true, "submit_sm_resp ESME_ROK" },
	{ "control characters for numbers", "00000004" OK "00000001"
	  "00 05001b5b324a0a 00 00000d0a1b 00 00 00 00 00 00 00 00 00 00 01 41", true, "submit_sm_resp ESME_ROK" },
};

static size_t
hostile_octets(const char *hex, uint8_t *room, size_t size)
{
	bool raw = *hex == '=';
	struct buf b = buf_on(room, size), length = buf_on(room, 4);

	if (!raw)
		buf_u32(&b, 0);
	assert_int_equal(text_unhex(text_of(hex + raw), &b, NULL), 0);
	if (!raw)
		buf_u32(&length, (uint32_t)b.len);
	return b.len;
}

/* In lines for people and in the record, once whole and once octet by octet; the centre is there
 * afterwards. */
static void
test_hostile_esme(void **state)
{
	struct client *c = *state;

	centre_start(c);
	for (size_t i = 0; i < 2 * (sizeof hostile / sizeof *hostile); i++) {
		size_t row = i / 2, step = i % 2 == 0 ? 256 : 1;
		struct smpp_pdu ask = { .command = SMPP_ENQUIRE_LINK, .sequence = 4711 };
		uint8_t room[256];
		size_t n = hostile_octets(hostile[row].hex, room, sizeof room);

		c->count = 0;
		if (hostile[row].bound) {
			client_bind(c, SMPP_BIND_TRANSCEIVER);
			await(c, "bind_transceiver_resp ESME_ROK", 1);
		} else {
			c->stream = stream_connect(c->loop, "127.0.0.1", centre_port(c->centre), NULL, 0,
			    NULL, 5000, &client_events, c, NULL);
			await(c, "up", 1);
		}
		for (size_t at = 0; at < n && c->stream != NULL; at += step)
			stream_write(c->stream, room + at, n - at < step ? n - at : step);
		if (hostile[row].line != NULL)
			await(c, hostile[row].line, 1);
		if (c->stream != NULL) {
			client_write(c, &ask);
			await(c, "enquire_link_resp ESME_ROK", 1);
			stream_free(&c->stream);
		}
	}
}

/* Nothing that a peer writes moves the cursor or forges a line, on a terminal or in the record. */
static void
test_what_is_shown_is_harmless(void **state)
{
	struct client *c = *state;
	char path[] = "/tmp/simulate_record.XXXXXX", line[200];
	struct smpp_pdu pdu = { .command = SMPP_SUBMIT_SM, .sequence = 9, .source_ton = 5,
	    .source = TEXT("\x1b[2J\nforged"), .destination = TEXT("1 2\n3"), .data_coding = 3,
	    .message = TEXT("a\x9b" "31mb") };
	FILE *record;

	close(mkstemp(path));
	assert_int_equal(tally_record_open(&c->tally, path, NULL), 0);
	centre_start(c);
	phones_free(&c->conf.phones);
	centre_free(&c->centre);
	c->phones_conf.json = false;
	c->conf.phones = phones_new(&c->phones_conf, NULL);
	c->centre = centre_open(c->loop, &c->conf, NULL);
	client_bind(c, SMPP_BIND_TRANSCEIVER);
	client_write(c, &pdu);
	await(c, "submit_sm_resp ESME_ROK", 1);
	fflush(c->out);
	assert_non_null(strstr(c->shown, "1 2\\x0a3 from \\x1b[2J\\x0aforged: text"));
	assert_null(strchr(c->shown, '\x1b'));
	assert_null(strstr(c->shown, "\xc2\x9b"));
	fflush(c->tally.record);
	assert_non_null(record = fopen(path, "r"));
	assert_non_null(fgets(line, sizeof line, record));
	assert_non_null(strstr(line, " user 1_2\\x0a3 "));
	assert_null(fgets(line, sizeof line, record));
	fclose(record);
	unlink(path);
}

#define CASE(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts), cmocka_unit_test(test_refused_is_shown),
		cmocka_unit_test(test_texts), cmocka_unit_test(test_handset_options),
		cmocka_unit_test(test_trouble), cmocka_unit_test(test_throttle),
		cmocka_unit_test(test_trouble_of_lines), cmocka_unit_test(test_wrong_scripts),
		cmocka_unit_test(test_receipt_forms), cmocka_unit_test(test_tally),
		CASE(test_answers), CASE(test_unbound_and_receivers_may_not_send),
		CASE(test_segments_to_verdict), CASE(test_receipts), CASE(test_receipt_before_the_answer),
		CASE(test_receipts_come_again), CASE(test_receipts_go_to_the_receiving_bind),
		CASE(test_lines_are_cut), CASE(test_answers_are_held_back), CASE(test_garbage_ends_the_line),
		CASE(test_hostile_esme), CASE(test_what_is_shown_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
