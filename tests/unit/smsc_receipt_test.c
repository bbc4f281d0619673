/*
 * smsc_receipt_test.c - delivery receipts in every form that an SMSC was seen to send
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "smsc/smpp_receipt.h"

#define NO_TLV	{ NULL, 0 }
#define TLV(s)	{ s, sizeof(s) - 1 }

static const struct row {
	const char	*name;
	const char	*text;			/* NULL: none */
	struct text	 tlv_id, tlv_state, tlv_error;
	const char	*id;			/* wanted; NULL: none */
	enum smsc_report_state state;
	const char	*code;			/* wanted; NULL: none */
} rows[] = {
	{ "as the convention has it",
	  "id:0123456789 sub:001 dlvrd:001 submit date:2611222315 done date:2611222316 stat:DELIVRD "
	  "err:000 text:Hello", NO_TLV, NO_TLV, NO_TLV, "0123456789", REPORT_DELIVERED, "000" },
	{ "Text: with a capital", "id:1 sub:001 dlvrd:001 submit date:2611222315 done date:2611222316 "
	  "stat:UNDELIV err:001 Text:x", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_FAILED, "001" },
	{ "submit_date", "id:1 sub:001 dlvrd:001 submit_date:2611222315 done_date:2611222316 "
	  "stat:EXPIRED err:002 text:x", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_EXPIRED, "002" },
	{ "keys in capitals", "ID:1 SUB:001 DLVRD:001 SUBMIT DATE:2611222315 DONE DATE:2611222316 "
	  "STAT:DELETED ERR:003 TEXT:", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_FAILED, "003" },
	{ "values in small letters", "id:1 stat:delivrd err:0", NO_TLV, NO_TLV, NO_TLV, "1",
	  REPORT_DELIVERED, "0" },
	{ "no sub, dlvrd, err, text", "id:1 submit date:2611222315 done date:2611222316 stat:REJECTD",
	  NO_TLV, NO_TLV, NO_TLV, "1", REPORT_FAILED, NULL },
	{ "another order", "stat:DELIVRD err:000 id:77 done date:2611222316", NO_TLV, NO_TLV, NO_TLV,
	  "77", REPORT_DELIVERED, "000" },
	{ "extra fields", "id:1 sub:001 mcc:310 stat:DELIVRD imsi:3102 err:000 net:x text:",
	  NO_TLV, NO_TLV, NO_TLV, "1", REPORT_DELIVERED, "000" },
	{ "a blank behind the colon", "id: 1 sub: 001 stat: DELIVRD err: 000 text: x",
	  NO_TLV, NO_TLV, NO_TLV, "1", REPORT_DELIVERED, "000" },
	{ "dates with seconds", "id:1 submit date:261122231510 done date:261122231611 stat:DELIVRD err:0",
	  NO_TLV, NO_TLV, NO_TLV, "1", REPORT_DELIVERED, "0" },
	{ "dates with a year of four digits", "id:1 submit date:20261122231510 done date:20261122231611 "
	  "stat:DELIVRD err:0", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_DELIVERED, "0" },
	{ "dates with blanks and colons", "id:1 submit date:2026-11-22 23:15:10 done date:2026-11-22 "
	  "23:16:11 stat:DELIVRD err:0", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_DELIVERED, "0" },
	{ "empty dates", "id:1 sub:001 dlvrd:000 submit date: done date: stat:UNDELIV err:00A text:",
	  NO_TLV, NO_TLV, NO_TLV, "1", REPORT_FAILED, "00A" },
	{ "an empty id, then the next field", "id: stat:DELIVRD err:000", NO_TLV, NO_TLV, NO_TLV, NULL,
	  REPORT_DELIVERED, "000" },
	{ "err of one letter", "id:1 stat:UNDELIV err:x", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_FAILED, "x" },
	{ "err with more letters", "id:1 stat:UNDELIV err:EC_21", NO_TLV, NO_TLV, NO_TLV, "1",
	  REPORT_FAILED, "EC_21" },
	{ "fields behind text: are a person's", "id:1 stat:DELIVRD text:id:2 stat:UNDELIV err:9",
	  NO_TLV, NO_TLV, NO_TLV, "1", REPORT_DELIVERED, NULL },
	{ "unless they stand nowhere else", "text:hi id:5 stat:DELIVRD", NO_TLV, NO_TLV, NO_TLV, "5",
	  REPORT_DELIVERED, NULL },
	{ "lines instead of blanks", "id:1\r\nsub:001\r\nstat:DELIVRD\r\nerr:000\r\n", NO_TLV, NO_TLV,
	  NO_TLV, "1", REPORT_DELIVERED, "000" },
	{ "a UUID", "id:0188c5a2-9d7e-8b2c-9c1e-0242ac120002 stat:DELIVRD", NO_TLV, NO_TLV, NO_TLV,
	  "0188c5a2-9d7e-8b2c-9c1e-0242ac120002", REPORT_DELIVERED, NULL },
	{ "ENROUTE", "id:1 stat:ENROUTE", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_PENDING, NULL },
	{ "ACCEPTD is not final", "id:1 stat:ACCEPTD", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_PENDING, NULL },
	{ "SCHEDULED of 5.0", "id:1 stat:SCHEDULED", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_PENDING, NULL },
	{ "SKIPPED of 5.0", "id:1 stat:SKIPPED", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_FAILED, NULL },
	{ "UNKNOWN", "id:1 stat:UNKNOWN", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_UNKNOWN, NULL },
	{ "BUFFRED", "id:1 stat:BUFFRED", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_PENDING, NULL },
	{ "BUFFERD", "id:1 stat:BUFFERD", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_PENDING, NULL },
	{ "ACKED", "id:1 stat:ACKED", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_PENDING, NULL },
	{ "a state of its own", "id:1 stat:NOCREDIT", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_FAILED, NULL },
	{ "no state at all", "id:1 err:000", NO_TLV, NO_TLV, NO_TLV, "1", REPORT_UNKNOWN, "000" },
	{ "nothing of a receipt", "your message was delivered", NO_TLV, NO_TLV, NO_TLV, NULL,
	  REPORT_UNKNOWN, NULL },
	{ "no text at all", "", NO_TLV, NO_TLV, NO_TLV, NULL, REPORT_UNKNOWN, NULL },
	{ "only blanks", "   ", NO_TLV, NO_TLV, NO_TLV, NULL, REPORT_UNKNOWN, NULL },
	{ "only a key", "id:", NO_TLV, NO_TLV, NO_TLV, NULL, REPORT_UNKNOWN, NULL },

	{ "parameters only", NULL, TLV("1A2B\0"), TLV("\2"), TLV("\3\0\5"), "1A2B", REPORT_DELIVERED,
	  "005" },
	{ "an id without its NUL", NULL, TLV("1A2B"), TLV("\5"), NO_TLV, "1A2B", REPORT_FAILED, NULL },
	{ "state 0", NULL, TLV("1"), TLV("\0"), NO_TLV, "1", REPORT_PENDING, NULL },
	{ "state 1", NULL, TLV("1"), TLV("\1"), NO_TLV, "1", REPORT_PENDING, NULL },
	{ "state 3", NULL, TLV("1"), TLV("\3"), NO_TLV, "1", REPORT_EXPIRED, NULL },
	{ "state 4", NULL, TLV("1"), TLV("\4"), NO_TLV, "1", REPORT_FAILED, NULL },
	{ "state 6", NULL, TLV("1"), TLV("\6"), NO_TLV, "1", REPORT_PENDING, NULL },
	{ "state 7", NULL, TLV("1"), TLV("\7"), NO_TLV, "1", REPORT_UNKNOWN, NULL },
	{ "state 8", NULL, TLV("1"), TLV("\10"), NO_TLV, "1", REPORT_FAILED, NULL },
	{ "state 9", NULL, TLV("1"), TLV("\11"), NO_TLV, "1", REPORT_FAILED, NULL },
	{ "a state nobody knows", NULL, TLV("1"), TLV("\77"), NO_TLV, "1", REPORT_FAILED, NULL },
	{ "a state without octets says nothing", NULL, TLV("1"), TLV(""), NO_TLV, "1", REPORT_UNKNOWN,
	  NULL },
	{ "nor does one of two octets", NULL, TLV("1"), TLV("\0\2"), NO_TLV, "1", REPORT_UNKNOWN, NULL },
	{ "then the text tells", "id:1 stat:DELIVRD", TLV("1"), TLV("\5\0"), NO_TLV, "1",
	  REPORT_DELIVERED, NULL },
	{ "a state of 255", NULL, TLV("1"), TLV("\377"), NO_TLV, "1", REPORT_FAILED, NULL },
	{ "an error code of two octets", NULL, TLV("1"), TLV("\5"), TLV("\3\0"), "1", REPORT_FAILED, NULL },
	{ "of four", NULL, TLV("1"), TLV("\5"), TLV("\3\0\0\1"), "1", REPORT_FAILED, NULL },
	{ "of none", NULL, TLV("1"), TLV("\5"), TLV(""), "1", REPORT_FAILED, NULL },
	{ "an id of NULs", "id:7", TLV("\0\0\0"), TLV("\2"), NO_TLV, "7", REPORT_DELIVERED, NULL },
	{ "an id of blanks", "id:7", TLV("   "), TLV("\2"), NO_TLV, "7", REPORT_DELIVERED, NULL },
	{ "something behind the id's NUL", NULL, TLV("12\0" "34"), TLV("\2"), NO_TLV, "12",
	  REPORT_DELIVERED, NULL },
	{ "the same field twice", "id:1 id:2 stat:DELIVRD stat:UNDELIV", NO_TLV, NO_TLV, NO_TLV, "1",
	  REPORT_DELIVERED, NULL },
	{ "colons only", ": :: ::: id:::1 stat::DELIVRD", NO_TLV, NO_TLV, NO_TLV, "::1", REPORT_FAILED,
	  NULL },
	{ "impossible dates", "id:1 submit date:9999999999 done date:-1 stat:DELIVRD err:0", NO_TLV,
	  NO_TLV, NO_TLV, "1", REPORT_DELIVERED, "0" },
	{ "a date that eats the state", "id:1 done date: stat:DELIVRD", NO_TLV, NO_TLV, NO_TLV, "1",
	  REPORT_DELIVERED, NULL },
	{ "control characters", "id:1\x1b[2J stat:DELIVRD\x7f", NO_TLV, NO_TLV, NO_TLV, "1\x1b[2J",
	  REPORT_FAILED, NULL },
	{ "parameters win", "id:99 stat:UNDELIV err:001", TLV("1A2B\0"), TLV("\2"), NO_TLV, "1A2B",
	  REPORT_DELIVERED, "001" },
	{ "the text fills the state", "id:99 stat:UNDELIV err:001", TLV("1A2B\0"), NO_TLV, NO_TLV, "1A2B",
	  REPORT_FAILED, "001" },
	{ "the text fills the id", "id:99 stat:UNDELIV", NO_TLV, TLV("\2"), NO_TLV, "99",
	  REPORT_DELIVERED, NULL },
	{ "an empty id parameter", "id:99 stat:DELIVRD", TLV("\0"), NO_TLV, NO_TLV, "99",
	  REPORT_DELIVERED, NULL },
	{ "an error code in three digits", NULL, TLV("1"), TLV("\5"), TLV("012"), "1", REPORT_FAILED,
	  "012" },
};

static void
add_tlv(struct smpp_pdu *pdu, uint16_t tag, struct text value)
{
	if (value.at != NULL)
		pdu->tlvs[pdu->tlv_count++] = (struct smpp_tlv){ tag, value };
}

static void
check_row(const struct row *row, const struct smpp_pdu *pdu, const char *how)
{
	uint8_t memory[512];
	struct buf room = buf_on(memory, sizeof memory);
	struct smpp_receipt r;

	smpp_receipt_read(pdu, &room, &r);
	if (row->id == NULL ? r.id.len != 0 : !text_is(r.id, row->id))
		fail_msg("%s, %s: id \"%.*s\"", row->name, how, TEXT_ARGS(r.id));
	if (r.state != row->state)
		fail_msg("%s, %s: state %d", row->name, how, r.state);
	if (row->code == NULL ? r.code.len != 0 : !text_is(r.code, row->code))
		fail_msg("%s, %s: code \"%.*s\"", row->name, how, TEXT_ARGS(r.code));
}

static void
make_pdu(const struct row *row, struct smpp_pdu *pdu)
{
	memset(pdu, 0, sizeof *pdu);
	pdu->command = SMPP_DELIVER_SM;
	pdu->esm_class = 4;
	add_tlv(pdu, SMPP_TAG_RECEIPTED_ID, row->tlv_id);
	add_tlv(pdu, SMPP_TAG_MESSAGE_STATE, row->tlv_state);
	add_tlv(pdu, SMPP_TAG_NETWORK_ERROR, row->tlv_error);
}

/* Each row in all the ways in which its text can come. */
static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		struct text text = text_of(row->text);
		uint8_t memory[512];
		struct buf ucs2 = buf_on(memory, sizeof memory);
		struct smpp_pdu pdu;

		make_pdu(row, &pdu);
		pdu.message = text;
		check_row(row, &pdu, "short_message");
		if (text.at == NULL)
			continue;
		make_pdu(row, &pdu);
		add_tlv(&pdu, SMPP_TAG_PAYLOAD, text);
		check_row(row, &pdu, "message_payload");
		make_pdu(row, &pdu);
		pdu.command = SMPP_DATA_SM;
		add_tlv(&pdu, SMPP_TAG_PAYLOAD, text);
		check_row(row, &pdu, "data_sm");
		for (size_t at = 0; at < text.len; at++)
			buf_u16(&ucs2, (uint8_t)text.at[at]);
		make_pdu(row, &pdu);
		pdu.data_coding = 8;
		pdu.message = (struct text){ (char *)ucs2.data, ucs2.len };
		check_row(row, &pdu, "UCS-2");
		make_pdu(row, &pdu);
		pdu.data_coding = 8;
		pdu.message = text;
		check_row(row, &pdu, "data coding 8 over plain text");
	}
}

/* Every beginning, and every octet as every other: ASan watches the edges. */
static void
test_damaged(void **state)
{
	static const char text[] = "id:0A1 sub:001 submit date:2611222315 stat:DELIVRD err:000 text:x";
	const size_t len = sizeof text - 1;

	(void)state;
	for (size_t n = 0; n <= len; n++)
		for (unsigned v = 0; v < (n < len ? 256u : 1u); v++) {
			static const uint8_t codings[] = { 0, 8 };
			char *copy = malloc(len);

			assert_non_null(copy);
			memcpy(copy, text, len);
			if (n < len)
				copy[n] = (char)v;
			for (size_t c = 0; c < 2; c++)
				for (int cut = 0; cut < 2; cut++) {
					uint8_t memory[512];
					struct buf room = buf_on(memory, sizeof memory);
					struct smpp_pdu pdu = { .command = SMPP_DELIVER_SM, .esm_class = 4,
					    .data_coding = codings[c],
					    .message = { copy + (cut ? len - n : 0), cut ? n : len } };
					struct smpp_receipt r;

					smpp_receipt_read(&pdu, &room, &r);
					assert_true(r.id.len <= len && r.code.len <= len);
				}
			free(copy);
		}
}

/* A payload of 64 KiB that is nothing but words. */
static void
test_long(void **state)
{
	static const char *const words[] = { "a:", ":", "id: ", "text: ", "submit ", "stat:", " ", "x" };
	static char text[65000];

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct smpp_pdu pdu = { .command = SMPP_DELIVER_SM, .esm_class = 4 };
		uint8_t memory[512];
		struct buf room = buf_on(memory, sizeof memory);
		struct smpp_receipt r;
		clock_t start = clock();

		for (size_t at = 0; at < sizeof text; at++)
			text[at] = words[i][at % strlen(words[i])];
		add_tlv(&pdu, SMPP_TAG_PAYLOAD, (struct text){ text, sizeof text });
		smpp_receipt_read(&pdu, &room, &r);
		if (clock() - start > CLOCKS_PER_SEC / 4)
			fail_msg("\"%s\": too slow", words[i]);
	}
}

static void
test_is(void **state)
{
	struct smpp_pdu pdu = { .command = SMPP_DELIVER_SM };

	(void)state;
	assert_false(smpp_receipt_is(&pdu));
	pdu.esm_class = 0x40;
	assert_false(smpp_receipt_is(&pdu));
	pdu.esm_class = 0x04;
	assert_true(smpp_receipt_is(&pdu));
	pdu.esm_class = 0x20;
	assert_true(smpp_receipt_is(&pdu));
	pdu.esm_class = 0x08;		/* a phone's own acknowledgement is a text */
	assert_false(smpp_receipt_is(&pdu));
	pdu.esm_class = 0;		/* some forget the message type */
	add_tlv(&pdu, SMPP_TAG_RECEIPTED_ID, TEXT("1"));
	assert_false(smpp_receipt_is(&pdu));
	add_tlv(&pdu, SMPP_TAG_MESSAGE_STATE, TEXT("\2"));
	assert_true(smpp_receipt_is(&pdu));
}

static void
test_notification_is_pending(void **state)
{
	struct smpp_pdu pdu = { .command = SMPP_DELIVER_SM, .esm_class = 0x20, .message = TEXT("id:1") };
	struct buf room = buf_on(NULL, 0);
	struct smpp_receipt r;

	(void)state;
	smpp_receipt_read(&pdu, &room, &r);
	assert_int_equal(r.state, REPORT_PENDING);
}

/* Both sides of one id must come out the same; different ids never. */
static const struct {
	const char	*name, *written;
	enum smpp_id_base base;
	const char	*want;
} ids[] = {
	{ "as it is", "1a2b", SMPP_ID_TEXT, "1a2b" },
	{ "case does not count", "1A2B", SMPP_ID_TEXT, "1a2b" },
	{ "leading zeros do not count", "0000001a2b", SMPP_ID_TEXT, "1a2b" },
	{ "zero stays", "000", SMPP_ID_TEXT, "0" },
	{ "blanks around", " 12 ", SMPP_ID_TEXT, "12" },
	{ "empty stays empty", "", SMPP_ID_TEXT, "" },
	{ "hex of a response", "1A2B", SMPP_ID_HEX, "6699" },
	{ "decimal of its receipt", "6699", SMPP_ID_DECIMAL, "6699" },
	{ "padded to ten digits", "0000006699", SMPP_ID_DECIMAL, "6699" },
	{ "10 in decimal", "10", SMPP_ID_DECIMAL, "10" },
	{ "10 in hex is another id", "10", SMPP_ID_HEX, "16" },
	{ "64 bits in hex", "FFFFFFFFFFFFFFFF", SMPP_ID_HEX, "18446744073709551615" },
	{ "128 bits in hex", "ffffffffffffffffffffffffffffffff", SMPP_ID_HEX,
	  "340282366920938463463374607431768211455" },
	{ "more is text", "1ffffffffffffffffffffffffffffffff", SMPP_ID_HEX,
	  "1ffffffffffffffffffffffffffffffff" },
	{ "no number is text", "0188C5A2-9d7e", SMPP_ID_HEX, "188c5a2-9d7e" },
	{ "hex digits in decimal are text", "1A2B", SMPP_ID_DECIMAL, "1a2b" },
};

static void
test_ids(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		char room[SMPP_ID_SIZE];
		struct text got = smpp_id_make(text_of(ids[i].written), ids[i].base, room);

		if (!text_is(got, ids[i].want))
			fail_msg("%s: %.*s", ids[i].name, TEXT_ARGS(got));
	}
}

static void
test_user_data(void **state)
{
	struct smpp_pdu pdu = { .esm_class = SMPP_UDHI, .message = TEXT("\5\0\3\1\2\1hi") };
	struct text udh, body = smpp_pdu_text(&pdu, &udh);

	(void)state;
	assert_int_equal(udh.len, 6);
	assert_true(text_is(body, "hi"));
	pdu.message = TEXT("\77abc");		/* a header that claims too much */
	body = smpp_pdu_text(&pdu, &udh);
	assert_int_equal(udh.len, 4);
	assert_int_equal(body.len, 0);
	pdu.message = (struct text){ NULL, 0 };
	body = smpp_pdu_text(&pdu, &udh);
	assert_int_equal(body.len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_damaged), cmocka_unit_test(test_long),
		cmocka_unit_test(test_is),
		cmocka_unit_test(test_notification_is_pending), cmocka_unit_test(test_ids),
		cmocka_unit_test(test_user_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
