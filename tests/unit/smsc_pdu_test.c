/*
 * smsc_pdu_test.c - the PDU codec: vectors, bounds, and every way to damage a PDU
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
#include "smsc/smpp_pdu.h"

/* Each is read, written and must come back octet for octet. */
static const struct {
	const char	*name, *hex;
} vectors[] = {
	{ "submit_sm of a service indication, with port header",
	  "0000007200000004000000000000000757415000050050504700010131353535313233303030300040000000000100"
	  "f500400605040b8423f0010601ae03056a0045c60d036578616d706c6500850361001103314078000ac30620261122"
	  "231510c3042026120107010348656c6c6f000101" },
	{ "deliver_sm with a receipt in text and parameters",
	  "000000a40000000500000000000000090001013135353531323330303030000500505047000400000000000000006069"
	  "643a31413242207375623a30303120646c7672643a303031207375626d697420646174653a3236313132323233313520"
	  "646f6e6520646174653a3236313132323233313620737461743a44454c49565244206572723a30303020746578743a"
	  "001e00053141324200042700010204230003030000" },
	{ "bind_transceiver", "0000002a000000090000000000000001" "6d61696e00" "73656372657400" "74657374"
	  "00" "34000041425300" },
	{ "bind_transceiver_resp with version", "0000001a8000000900000000000000014142434400" "0210000134" },
	{ "submit_sm_resp", "00000014800000040000000000000007" "31323300" },
	{ "submit_sm_resp refused, without body", "00000010800000040000005800000007" },
	{ "deliver_sm_resp with an empty id", "0000001180000005000000000000000900" },
	{ "data_sm with payload", "0000002f000001030000000000000011" "00" "01013100" "01013200" "0004" "00"
	  "04240004" "74657874" "00050001" "01" "ffff0000" },
	{ "enquire_link", "00000010000000150000000000000002" },
	{ "unbind_resp", "00000010800000060000000000000003" },
	{ "generic_nack", "00000010800000000000000300000004" },
	{ "query_sm", "00000017000000030000000000000005" "313200" "01013700" },
	{ "cancel_sm", "0000001d000000080000000000000005" "00" "313200" "01013700" "01013800" },
	{ "replace_sm", "00000020000000070000000000000005" "313200" "01013700" "00" "00" "01" "00" "03616263" },
	{ "alert_notification", "0000001c000001020000000000000005" "01013700" "01013800" "04220000" },
	{ "outbind", "000000140000000b0000000000000001" "6100" "6200" },
};

struct octets {
	uint8_t		 room[1024];
	size_t		 len;
};

/* The vectors are written for reading; their length is set here. */
static void
load(size_t i, struct octets *o)
{
	struct buf b = buf_on(o->room, sizeof o->room);
	struct err err = { 0 };

	if (text_unhex(text_of(vectors[i].hex), &b, &err) == -1)
		fail_msg("%s: %s", vectors[i].name, err.text);
	o->len = b.len;
	b.len = 0;
	buf_u32(&b, (uint32_t)o->len);
}

static struct text
view(const uint8_t *octets, size_t len)
{
	return (struct text){ (const char *)octets, len };
}

enum { VECTORS = sizeof vectors / sizeof *vectors };

static void
test_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		uint8_t room[1024];
		struct buf out = buf_on(room, sizeof room);
		struct octets o;
		struct smpp_pdu pdu;
		struct err err = { 0 };

		load(i, &o);
		if (smpp_pdu_read(view(o.room, o.len), &pdu, &err) == -1 ||
		    smpp_pdu_write(&pdu, &out, &err) == -1)
			fail_msg("%s: %s", vectors[i].name, err.text);
		if (out.len != o.len || memcmp(room, o.room, o.len) != 0)
			fail_msg("%s: came back different", vectors[i].name);
	}
}

static void
test_fields(void **state)
{
	struct octets o;
	struct smpp_pdu pdu;

	(void)state;
	load(1, &o);
	assert_int_equal(smpp_pdu_read(view(o.room, o.len), &pdu, NULL), 0);
	assert_int_equal(pdu.command, SMPP_DELIVER_SM);
	assert_int_equal(pdu.sequence, 9);
	assert_int_equal(pdu.esm_class, 4);
	assert_true(text_is(pdu.source, "15551230000"));
	assert_true(text_is(pdu.destination, "PPG"));
	assert_int_equal(pdu.dest_ton, 5);
	assert_int_equal(pdu.message.len, 0x60);
	assert_int_equal(pdu.tlv_count, 3);
	assert_memory_equal(smpp_pdu_tlv(&pdu, SMPP_TAG_RECEIPTED_ID)->value.at, "1A2B", 5);
	assert_null(smpp_pdu_tlv(&pdu, 0x1400));
	load(2, &o);
	assert_int_equal(smpp_pdu_read(view(o.room, o.len), &pdu, NULL), 0);
	assert_true(text_is(pdu.system_id, "main") && text_is(pdu.password, "secret"));
	assert_int_equal(pdu.interface_version, 0x34);
}

/* Whatever is done to a PDU: no crash, and an error has a text. ASan watches the edges:
 * the octets stand at the end of their block. */
static void
check_damaged(const uint8_t *octets, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct smpp_pdu pdu;
	struct err err = { 0 };

	assert_non_null(copy);
	memcpy(copy, octets, len);
	if (smpp_pdu_read(view(copy, len), &pdu, &err) == -1)
		assert_true(err.code != ERR_NONE && err.text[0] != '\0');
	else
		assert_true(err.code == ERR_NONE);
	free(copy);
}

static void
test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		struct octets o;
		struct smpp_pdu pdu;
		struct err err = { 0 };

		load(i, &o);
		for (size_t len = 0; len < o.len; len++) {
			check_damaged(o.room, len);		/* the length field lies */
			assert_int_equal(smpp_pdu_read(view(o.room, len), &pdu, NULL), -1);
			o.room[2] = (uint8_t)(len >> 8);
			o.room[3] = (uint8_t)len;
			check_damaged(o.room, len);		/* and now it does not */
			load(i, &o);
		}
		smpp_pdu_read(view(o.room, 10), &pdu, &err);
		assert_string_equal(err.text, "a PDU of 10 octets has no whole header");
	}
}

static void
test_flipped(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		struct octets o;

		load(i, &o);
		for (size_t at = 0; at < o.len; at++)
			for (unsigned flip = 1; flip < 256; flip += flip < 128 ? flip : 127) {
				o.room[at] ^= (uint8_t)flip;
				check_damaged(o.room, o.len);
				o.room[at] ^= (uint8_t)flip;
			}
	}
}

static void
test_length(void **state)
{
	(void)state;
	assert_int_equal(smpp_pdu_length(TEXT("\0\0\0")), 0);
	assert_int_equal(smpp_pdu_length(TEXT("\0\0\0\20")), 16);
	assert_int_equal(smpp_pdu_length(TEXT("\0\0\0\17")), -1);
	assert_int_equal(smpp_pdu_length(TEXT("\0\1\0\0")), 65536);
	assert_int_equal(smpp_pdu_length(TEXT("\0\1\0\1")), -1);
	assert_int_equal(smpp_pdu_length(TEXT("\377\377\377\377")), -1);
	assert_int_equal(smpp_pdu_length(TEXT("GET /")), -1);
}

static const struct {
	const char	*name, *hex, *error;	/* error NULL: it is taken */
} oddities[] = {
	{ "a response that lost its NUL", "0000001380000004000000000000000731 32 33", NULL },
	{ "a request that lost it", "00000012000000030000000000000005 31 32", "the PDU ends inside message_id" },
	{ "a service type over its field", "00000017000000040000000000000001 41414141414100",
	  "service_type is longer than its 5 octets" },
	{ "a short message that claims too much",
	  "00000022000000040000000000000001 00 000000 000000 000000 00 00 00000000 05 41",
	  "the PDU ends inside short_message" },
	{ "a parameter that claims too much", "00000016800000040000000000000001 31 00 04270002",
	  "optional parameter 0x0427 claims 2 octets, 0 are left" },
	{ "half a parameter", "00000014800000040000000000000001 31 00 0427",
	  "the PDU ends inside an optional parameter" },
	{ "a command nobody knows", "00000012000007770000000000000001 ffff", NULL },
	{ "an enquire_link with something behind it", "00000012000000150000000000000001 ffff", NULL },
	{ "a response without a body", "00000010800000040000000000000001", NULL },
};

static void
test_oddities(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof oddities / sizeof *oddities; i++) {
		uint8_t room[128];
		struct buf b = buf_on(room, sizeof room);
		struct smpp_pdu pdu;
		struct err err = { 0 };
		int rc;

		assert_int_equal(text_unhex(text_of(oddities[i].hex), &b, NULL), 0);
		room[3] = (uint8_t)b.len;
		rc = smpp_pdu_read(view(room, b.len), &pdu, &err);
		if (oddities[i].error == NULL ? rc != 0 : rc != -1 ||
		    strcmp(err.text, oddities[i].error) != 0)
			fail_msg("%s: %s", oddities[i].name, err.text);
		if (pdu.sequence == 0)
			fail_msg("%s: no header to answer", oddities[i].name);
	}
}

/* As many as a PDU may have, and one more; each of every length up to one octet too many. */
static void
test_parameters(void **state)
{
	(void)state;
	for (unsigned n = 0; n <= SMPP_TLVS_MOST + 1; n++) {
		struct buf b = buf_heap(4096);
		struct smpp_pdu pdu;
		struct err err = { 0 };

		buf_bytes(&b, "\0\0\0\0\200\0\0\4\0\0\0\0\0\0\0\1\0", 17);
		for (unsigned i = 0; i < n; i++)
			buf_bytes(&b, "\24\0\0\0", 4);
		b.data[2] = (uint8_t)(b.len >> 8);
		b.data[3] = (uint8_t)b.len;
		if ((smpp_pdu_read(view(b.data, b.len), &pdu, &err) == 0) != (n <= SMPP_TLVS_MOST))
			fail_msg("%u parameters: %s", n, err.text);
		buf_free(&b);
	}
	for (unsigned claimed = 0; claimed < 65536; claimed += claimed < 300 ? 1 : 251) {
		uint8_t octets[121] = { 0, 0, 0, 121, 0x80, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x14, 0,
		    (uint8_t)(claimed >> 8), (uint8_t)claimed };
		struct smpp_pdu pdu;
		bool good = smpp_pdu_read(view(octets, sizeof octets), &pdu, NULL) == 0;

		/* the rest are parameters 0 of no octets, four octets each */
		if (good != (claimed <= 100 && claimed % 4 == 0))
			fail_msg("%u octets claimed of 100", claimed);
	}
}

/* Every command, with a body of zeros, of ones, and of letters, of every length. */
static void
test_every_command(void **state)
{
	static const uint8_t fillings[] = { 0, 0xff, 'A' };

	(void)state;
	for (uint32_t id = 0; id < 0x120; id++)
		for (unsigned response = 0; response < 2; response++)
			for (size_t f = 0; f < sizeof fillings; f++)
				for (size_t len = 16; len < 16 + 300; len += len < 60 ? 1 : 37) {
					uint8_t octets[16 + 300];

					memset(octets, fillings[f], sizeof octets);
					memset(octets, 0, 12);
					octets[2] = (uint8_t)(len >> 8);
					octets[3] = (uint8_t)len;
					octets[4] = response ? 0x80 : 0;
					octets[6] = (uint8_t)(id >> 8);
					octets[7] = (uint8_t)id;
					check_damaged(octets, len);
				}
}

static void
test_writing_bounds(void **state)
{
	static char many[70000];
	struct smpp_pdu pdu = { .command = SMPP_SUBMIT_SM, .sequence = 1 };
	uint8_t room[200];
	struct buf out = buf_on(room, sizeof room), big = buf_heap(100000);
	struct err err = { 0 };

	(void)state;
	memset(many, 'x', sizeof many);
	pdu.destination = (struct text){ many, 21 };
	assert_int_equal(smpp_pdu_write(&pdu, &out, &err), -1);
	assert_string_equal(err.text, "destination_addr has 21 octets, 20 are allowed");
	assert_int_equal(out.len, 0);
	err_clear(&err);
	pdu.destination = TEXT("1\0002");
	assert_int_equal(smpp_pdu_write(&pdu, &out, &err), -1);
	assert_string_equal(err.text, "destination_addr holds a NUL");
	err_clear(&err);
	pdu.destination = TEXT("1");
	pdu.message = (struct text){ many, 256 };
	assert_int_equal(smpp_pdu_write(&pdu, &big, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	err_clear(&err);
	pdu.message = (struct text){ many, 255 };
	assert_int_equal(smpp_pdu_write(&pdu, &out, &err), -1);
	assert_string_equal(err.text, "submit_sm does not fit");
	assert_int_equal(smpp_pdu_write(&pdu, &big, NULL), 0);
	pdu.tlv_count = 1;
	pdu.tlvs[0] = (struct smpp_tlv){ SMPP_TAG_PAYLOAD, { many, 65400 } };
	err_clear(&err);
	assert_int_equal(smpp_pdu_write(&pdu, &big, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	buf_free(&big);
}

static void
test_print(void **state)
{
	uint8_t room[1024];
	struct buf out = buf_on(room, sizeof room);
	struct octets o;
	struct smpp_pdu pdu;

	(void)state;
	load(2, &o);
	assert_int_equal(smpp_pdu_read(view(o.room, o.len), &pdu, NULL), 0);
	smpp_pdu_print(&pdu, &out);
	assert_string_equal(buf_cstr(&out), "bind_transceiver sequence=1 system_id=\"main\" "
	    "password=*** system_type=\"test\" interface_version=0x34 addr_ton=0x00 addr_npi=0x00 "
	    "address_range=\"ABS\"");
	assert_string_equal(smpp_command_name(0x80000004), "submit_sm_resp");
	assert_string_equal(smpp_command_name(0x80000000), "generic_nack");
	assert_string_equal(smpp_command_name(0x777), "command 0x00000777");
	assert_string_equal(smpp_status_name(0x58), "ESME_RTHROTTLED");
	assert_string_equal(smpp_status_name(0x412), "status 0x00000412");
}

static void
test_status_named(void **state)
{
	uint32_t status;

	(void)state;
	assert_int_equal(smpp_status_named(TEXT("ESME_RTHROTTLED"), &status), 0);
	assert_int_equal(status, 0x58);
	assert_int_equal(smpp_status_named(TEXT("rmsgqful"), &status), 0);
	assert_int_equal(status, 0x14);
	assert_int_equal(smpp_status_named(TEXT("0x412"), &status), 0);
	assert_int_equal(status, 0x412);
	assert_int_equal(smpp_status_named(TEXT("88"), &status), 0);
	assert_int_equal(status, 88);
	assert_int_equal(smpp_status_named(TEXT("nonsense"), &status), -1);
	assert_int_equal(smpp_status_named(TEXT(""), &status), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_fields),
		cmocka_unit_test(test_truncated), cmocka_unit_test(test_flipped),
		cmocka_unit_test(test_length), cmocka_unit_test(test_oddities),
		cmocka_unit_test(test_parameters), cmocka_unit_test(test_every_command),
		cmocka_unit_test(test_writing_bounds), cmocka_unit_test(test_print),
		cmocka_unit_test(test_status_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
