/*
 * smsc_submit_test.c - a segment becomes the submit_sm that Kannel would have sent
 *
 * tests/data/smpp/submit_sm.tsv: one recorded PDU a line, with the request and configuration it
 * came from; the links are those of struct link below. The message and its segment are built
 * from the request, written, and compared octet by octet.
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
#include "push/message.h"
#include "push/segment.h"
#include "smsc/smpp_submit.h"

static const struct smpp_tlv_rule custom[] = {
	{ "cust_oct", NULL, 0x1403, 30, SMPP_TLV_OCTETS },
	{ "cust_nul", NULL, 0x1404, 21, SMPP_TLV_STRING },
	{ "cust_int", NULL, 0x1405, 2, SMPP_TLV_INTEGER },
};

#define USUAL	.esm_class = 3, .version = 0x34, .source_ton = 2, .source_npi = 1, .dest_ton = 2,	\
		.dest_npi = 1, .autodetect = true, .validity_min = -1, .tlvs = custom, .tlv_count = 3

static const struct link {
	const char	*name;
	struct smpp_submit_rules rules;
} links[] = {
	{ "main", { USUAL } },
	{ "alt", { USUAL } },
	{ "short", { USUAL } },
	{ "ton", { .esm_class = 3, .version = 0x34, .source_ton = 5, .source_npi = 0, .dest_ton = 1,
	    .dest_npi = 1, .service_type = "CMT", .priority = 1, .validity_min = 120 } },
	{ "v50", { .esm_class = 3, .version = 0x50, .source_ton = 2, .source_npi = 1, .dest_ton = 2,
	    .dest_npi = 1, .autodetect = true, .validity_min = -1 } },
	{ "v33", { .esm_class = 3, .version = 0x33, .source_ton = 2, .source_npi = 1, .dest_ton = 2,
	    .dest_npi = 1, .autodetect = true, .validity_min = -1, .tlvs = custom, .tlv_count = 3 } },
	{ "addr", { .esm_class = 3, .version = 0x34, .source_ton = 2, .source_npi = 1, .dest_ton = 2,
	    .dest_npi = 1, .autodetect = true, .validity_min = -1, .alt_addr_charset = "gsm" } },
};

static const struct smpp_submit_rules *
rules_of(const char *name)
{
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (strcmp(links[i].name, name) == 0)
			return &links[i].rules;
	fail_msg("no link %s", name);
	return NULL;
}

static struct text
unquote(const char *quoted, struct buf *room)
{
	size_t start = room->len;

	if (*quoted == '\0')
		return (struct text){ NULL, 0 };
	text_unquote(text_of(quoted), room);
	return (struct text){ (char *)room->data + start, room->len - start };
}

enum { ID, LINK, SENDER, RECEIVER, BINFO, META, PRIORITY, PID, RPI, MASK, MORE, VALIDITY, GIVEN,
    DEFERRED, HEX, COLUMNS };

static void
check_vector(char *column[COLUMNS])
{
	uint8_t wanted_room[512], got_room[SMPP_SUBMIT_MOST], text_room[512];
	struct buf wanted = buf_on(wanted_room, sizeof wanted_room);
	struct buf got = buf_on(got_room, sizeof got_room);
	struct buf room = buf_on(text_room, sizeof text_room);
	const struct smpp_submit_rules *rules = rules_of(column[LINK]);
	wall_t validity = atoll(column[VALIDITY]) * 1000;
	struct message m = { .sender = unquote(column[SENDER], &room),
	    .msisdn = unquote(column[RECEIVER], &room), .binfo = unquote(column[BINFO], &room),
	    .meta_data = unquote(column[META], &room), .priority = (int8_t)atoi(column[PRIORITY]),
	    .pid = (int16_t)atoi(column[PID]), .rpi = (int8_t)atoi(column[RPI]),
	    .dlr_mask = (uint8_t)atoi(column[MASK]), .validity_given = *column[GIVEN] == '1',
	    .expires = validity, .deferred = atoll(column[DEFERRED]) * 1000 };
	struct segment s = { .message = &m, .more = *column[MORE] == '1',
	    .report = true };
	struct smpp_pdu pdu;
	struct err err = { 0 };
	uint32_t status;

	assert_int_equal(text_unhex(text_of(column[HEX]), &wanted, NULL), 0);
	assert_int_equal(smpp_pdu_read((struct text){ (char *)wanted.data, wanted.len }, &pdu, &err), 0);
	s.dcs = pdu.data_coding;
	s.data = smpp_pdu_tlv(&pdu, SMPP_TAG_PAYLOAD) == NULL ? pdu.message :
	    smpp_pdu_tlv(&pdu, SMPP_TAG_PAYLOAD)->value;
	if (pdu.esm_class & SMPP_UDHI) {
		s.udh = (struct text){ s.data.at, (size_t)(uint8_t)s.data.at[0] + 1 };
		s.data = (struct text){ s.data.at + s.udh.len, s.data.len - s.udh.len };
		s.concatenated = true;
	}
	if (smpp_submit_write(rules, &s, pdu.sequence, validity - rules->validity_min * 60000, &got,
	    &status, &err) == -1)
		fail_msg("%s: %s", column[ID], err.text);
	if (got.len != wanted.len || memcmp(got.data, wanted.data, got.len) != 0) {
		char line[2048];
		struct buf hex = buf_on(line, sizeof line);

		buf_hex(&hex, got.data, got.len, false);
		fail_msg("%s\n%s wanted\n%s got", column[ID], column[HEX], buf_cstr(&hex));
	}
}

static void
test_vectors(void **state)
{
	const char *top = getenv("KANTELE_SRC");
	char path[512], line[2048];
	unsigned count = 0;
	FILE *in;

	(void)state;
	snprintf(path, sizeof path, "%s/tests/data/smpp/submit_sm.tsv", top != NULL ? top : ".");
	in = fopen(path, "r");
	assert_non_null(in);
	while (fgets(line, sizeof line, in) != NULL) {
		char *column[COLUMNS], *rest = line;

		if (*line == '#')
			continue;
		for (int i = 0; i < COLUMNS; i++) {
			column[i] = strsep(&rest, "\t\n");
			assert_non_null(column[i]);
		}
		check_vector(column);
		count++;
	}
	fclose(in);
	assert_true(count >= 30);
}

/* What no recording shows. */
static const struct extra {
	const char	*name;
	const char	*sender, *receiver, *meta, *binfo;
	uint8_t		 mask, version;
	size_t		 data_len;
	uint32_t	 refused;		/* 0: goes out */
	size_t		 at;			/* an octet of the PDU's fields ... */
	uint8_t		 value;			/* ... and what it must be */
} extras[] = {
#define FIELD(member)	offsetof(struct smpp_pdu, member)
	{ "success only is asked as any final one", "1", "2", NULL, NULL, 1, 0x34, 1, 0,
	    FIELD(registered_delivery), 1 },
	{ "buffered only asks for intermediate ones", "1", "2", NULL, NULL, 4, 0x34, 1, 0,
	    FIELD(registered_delivery), 16 },
	{ "accepted and rejected need no receipt", "1", "2", NULL, NULL, 24, 0x34, 1, 0,
	    FIELD(registered_delivery), 0 },
	{ "meta-data override the source's type", "Abc", "2", "?smpp?source_addr_ton=3", NULL, 0, 0x34, 1,
	    0, FIELD(source_ton), 3 },
	{ "and the source is not looked at then", "Abc", "2", "?smpp?source_addr_ton=3", NULL, 0, 0x34, 1,
	    0, FIELD(source_npi), 1 },
	{ "meta-data override the data coding", "1", "2", "?smpp?data_coding=245", NULL, 0, 0x34, 1, 0,
	    FIELD(data_coding), 245 },
	{ "other groups of meta-data are others'", "1", "2", "?http?data_coding=245", NULL, 0, 0x34, 1, 0,
	    FIELD(data_coding), 0 },
	{ "group smpp may come second", "1", "2", "?x?a=b?smpp?data_coding=4", NULL, 0, 0x34, 1, 0,
	    FIELD(data_coding), 4 },
	{ "no optional parameter with 3.3", "1", "2", "?smpp?cust_int=1", NULL, 0, 0x33, 1, 0,
	    FIELD(tlv_count), 0 },
	{ "an integer over its octets is left out", "1", "2", "?smpp?cust_int=65536", NULL, 0, 0x34, 1, 0,
	    FIELD(tlv_count), 0 },
	{ "no integer at all is left out", "1", "2", "?smpp?cust_int=x", NULL, 0, 0x34, 1, 0,
	    FIELD(tlv_count), 0 },
	{ "a parameter given twice goes once", "1", "2", "?smpp?cust_int=1&cust_int=2", NULL, 0, 0x34, 1,
	    0, FIELD(tlv_count), 1 },
	{ "billing has a parameter with 5.0", "1", "2", NULL, "bill", 0, 0x50, 1, 0, FIELD(tlv_count), 1 },
	{ "254 octets are a short message", "1", "2", NULL, NULL, 0, 0x34, 254, 0, FIELD(tlv_count), 0 },
	{ "255 octets are a payload", "1", "2", NULL, NULL, 0, 0x34, 255, 0, FIELD(tlv_count), 1 },
	{ "which 3.3 has not", "1", "2", NULL, NULL, 0, 0x33, 255, 0x01, 0, 0 },
	{ "over any bound", "1", "2", NULL, NULL, 0, 0x34, 5000, 0x01, 0, 0 },
	{ "21 digits of a receiver", "1", "111111111111111111111", NULL, NULL, 0, 0x34, 1, 0x0b, 0, 0 },
	{ "20 digits behind a + are taken", "1", "+11111111111111111111", NULL, NULL, 0, 0x34, 1, 0,
	    FIELD(dest_ton), 1 },
	{ "21 characters of a sender", "aaaaaaaaaaaaaaaaaaaaa", "1", NULL, NULL, 0, 0x34, 1, 0x0a, 0, 0 },
	{ "an empty sender is not alphanumeric", "", "1", NULL, NULL, 0, 0x34, 1, 0, FIELD(source_ton), 2 },
};

static void
test_extras(void **state)
{
	static char data[5000];

	(void)state;
	for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
		const struct extra *e = &extras[i];
		struct smpp_submit_rules rules = { USUAL };
		struct message m = { .sender = text_of(e->sender), .msisdn = text_of(e->receiver),
		    .meta_data = text_of(e->meta), .binfo = text_of(e->binfo), .dlr_mask = e->mask,
		    .priority = -1, .pid = -1, .rpi = -1 };
		struct segment s = { .message = &m, .report = true, .data = { data, e->data_len } };
		uint8_t room[SMPP_SUBMIT_MOST];
		struct buf out = buf_on(room, sizeof room);
		struct smpp_pdu pdu;
		struct err err = { 0 };
		uint32_t status = 0;
		int rc;

		rules.version = e->version;
		rc = smpp_submit_write(&rules, &s, 1, 0, &out, &status, &err);
		if (e->refused != 0) {
			if (rc != -1 || status != e->refused || err.code == ERR_NONE || out.len != 0)
				fail_msg("%s: taken", e->name);
			continue;
		}
		if (rc == -1)
			fail_msg("%s: %s", e->name, err.text);
		assert_int_equal(smpp_pdu_read((struct text){ (char *)room, out.len }, &pdu, NULL), 0);
		if (((uint8_t *)&pdu)[e->at] != e->value)
			fail_msg("%s: %u", e->name, ((uint8_t *)&pdu)[e->at]);
	}
}

static void
test_constant(void **state)
{
	static const struct smpp_tlv_rule rule = { "c", "7", 0x1400, 1, SMPP_TLV_INTEGER };
	struct smpp_submit_rules rules = { .version = 0x34, .tlvs = &rule, .tlv_count = 1 };
	struct message m = { .msisdn = TEXT("1"), .priority = -1, .pid = -1 };
	struct segment s = { .message = &m };
	uint8_t room[SMPP_SUBMIT_MOST];
	struct buf out = buf_on(room, sizeof room);
	struct smpp_pdu pdu;
	uint32_t status;

	(void)state;
	assert_int_equal(smpp_submit_write(&rules, &s, 1, 0, &out, &status, NULL), 0);
	assert_int_equal(smpp_pdu_read((struct text){ (char *)room, out.len }, &pdu, NULL), 0);
	assert_memory_equal(smpp_pdu_tlv(&pdu, 0x1400)->value.at, "\7", 1);
	m.meta_data = TEXT("?smpp?c=9");
	out.len = 0;
	assert_int_equal(smpp_submit_write(&rules, &s, 1, 0, &out, &status, NULL), 0);
	assert_int_equal(smpp_pdu_read((struct text){ (char *)room, out.len }, &pdu, NULL), 0);
	assert_memory_equal(smpp_pdu_tlv(&pdu, 0x1400)->value.at, "\11", 1);
}

/* specs: what each status is good for. */
static void
test_refusals(void **state)
{
	static const struct {
		uint32_t	 status;
		enum smsc_refusal refusal;
		bool		 rebind;
	} rows[] = {
		{ 0x01, SMSC_NEVER, false }, { 0x02, SMSC_NEVER, false }, { 0x03, SMSC_NEVER, false },
		{ 0x04, SMSC_SLOW_DOWN, true }, { 0x05, SMSC_SLOW_DOWN, true }, { 0x06, SMSC_NEVER, false },
		{ 0x07, SMSC_NEVER, false }, { 0x08, SMSC_TRY_LATER, false }, { 0x0a, SMSC_NEVER, false },
		{ 0x0b, SMSC_NEVER, false }, { 0x0c, SMSC_NEVER, false }, { 0x14, SMSC_SLOW_DOWN, false },
		{ 0x15, SMSC_NEVER, false }, { 0x33, SMSC_NEVER, false }, { 0x34, SMSC_NEVER, false },
		{ 0x40, SMSC_NEVER, false }, { 0x42, SMSC_NEVER, false }, { 0x43, SMSC_NEVER, false },
		{ 0x44, SMSC_NEVER, false }, { 0x45, SMSC_TRY_FEW, false }, { 0x48, SMSC_NEVER, false },
		{ 0x49, SMSC_NEVER, false }, { 0x50, SMSC_NEVER, false }, { 0x51, SMSC_NEVER, false },
		{ 0x54, SMSC_NEVER, false }, { 0x55, SMSC_NEVER, false }, { 0x58, SMSC_SLOW_DOWN, false },
		{ 0x61, SMSC_NEVER, false }, { 0x62, SMSC_NEVER, false }, { 0x63, SMSC_NEVER, false },
		{ 0x0d, SMSC_TRY_FEW, false }, { 0x0e, SMSC_TRY_FEW, false }, { 0x0f, SMSC_TRY_FEW, false },
		{ 0x11, SMSC_NEVER, false }, { 0x13, SMSC_NEVER, false }, { 0x53, SMSC_TRY_FEW, false },
		{ 0x67, SMSC_NEVER, false }, { 0xc1, SMSC_NEVER, false }, { 0xc2, SMSC_NEVER, false },
		{ 0xc3, SMSC_NEVER, false }, { 0x09, SMSC_NEVER, false }, { 0x3ff, SMSC_NEVER, false },
		{ 0x500, SMSC_TRY_FEW, false }, { UINT32_MAX, SMSC_TRY_FEW, false },
		{ 0x64, SMSC_TRY_LATER, false }, { 0x65, SMSC_NEVER, false }, { 0x66, SMSC_NEVER, false },
		{ 0xc0, SMSC_NEVER, false }, { 0xc4, SMSC_NEVER, false }, { 0xfe, SMSC_NEVER, false },
		{ 0xff, SMSC_TRY_FEW, false }, { 0x100, SMSC_NEVER, false }, { 0x112, SMSC_NEVER, false },
		{ 0x400, SMSC_TRY_FEW, false }, { 0x4ff, SMSC_TRY_FEW, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool rebind;

		if (smpp_refusal(rows[i].status, &rebind) != rows[i].refusal || rebind != rows[i].rebind)
			fail_msg("%s", smpp_status_name(rows[i].status));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_extras),
		cmocka_unit_test(test_constant), cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
