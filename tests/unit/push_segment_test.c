/*
 * push_segment_test.c - how messages are cut; rows marked "recorded" were seen on
 * Kannel 1.4.5's SMPP links
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "push/message.h"
#include "push/segment.h"
#include "push/udh.h"

#define ROWS(table) (sizeof(table) / sizeof *(table))
#define PORTS	{ "\x06\x05\x04\x0B\x84\x23\xF0", 7 }
#define EURO	"\xE2\x82\xAC"
#define ZHE	"\x04\x16"			/* UTF-16 */
#define SMILE	"\xD8\x3D\xDE\x00"

/* The body is `fill` repeated, then `tail`. Lengths are of header and data together. */
static const struct cut {
	const char	*name;
	const char	*fill;
	unsigned	 times;
	const char	*tail;
	int8_t		 coding;
	bool		 row;		/* plain messages in a row, not concatenated */
	struct text	 udh;
	uint16_t	 link;		/* octets of the link; 0: 140 */
	unsigned	 segments;
	uint16_t	 lens[5];
	const char	*second;	/* hex: beginning of the second segment, reference 42 */
} cuts[] = {
	{ "recorded: empty text still travels", "", 0, "", 0, false, {0}, 0, 1, {0}, NULL },
	{ "recorded: 160 septets are one segment", "x", 160, "", 0, false, {0}, 0, 1, {160}, NULL },
	{ "recorded: 161 are two", "x", 161, "", 0, false, {0}, 0, 2, {159, 14},
	  "0500034202027878" },
	{ "recorded: three full segments", "x", 459, "", 0, false, {0}, 0, 3, {159, 159, 159}, NULL },
	{ "recorded: 80 extension characters are one", EURO, 80, "", 0, false, {0}, 0, 1, {160}, NULL },
	{ "recorded: extension character at the border goes whole", "x", 152, EURO "yyyyyyyyyy", 0,
	  false, {0}, 0, 2, {158, 18}, "0500034202021b6579" },
	{ "recorded: extension character behind the border", "x", 153, EURO "yyyyyyyyyy", 0,
	  false, {0}, 0, 2, {159, 18}, "0500034202021b6579" },
	{ "emoji at the border goes whole", "x", 151, "\xF0\x9F\x98\x80yyyyyyyyyy", 0, false, {0}, 0,
	  2, {157, 20}, "0500034202023f3f3f3f79" },
	{ "recorded: plain messages in a row", "x", 330, "", 0, true, {0}, 0, 3, {160, 160, 10},
	  "7878" },
	{ "recorded: UCS-2, 70 characters", ZHE, 70, "", 2, false, {0}, 0, 1, {140}, NULL },
	{ "recorded: UCS-2, 71", ZHE, 71, "", 2, false, {0}, 0, 2, {140, 14}, "0500034202020416" },
	{ "recorded: UCS-2, odd octets as they came", "\xD0\x96x", 1, "", 2, false, {0}, 0, 1, {3},
	  NULL },
	{ "surrogate pair at the border goes whole", ZHE, 66, SMILE SMILE SMILE, 2, false, {0}, 0, 2,
	  {138, 18}, "050003420202d83dde00" },
	{ "surrogate pair that ends at the border", ZHE, 65, SMILE SMILE SMILE, 2, false, {0}, 0, 2,
	  {140, 14}, "050003420202d83dde00" },
	{ "UCS-2 is cut between characters, also in odd room", ZHE, 67, "", 2, false, PORTS, 0, 2,
	  {140, 18}, NULL },
	{ "recorded: octets", "\x01", 140, "", 1, false, {0}, 0, 1, {140}, NULL },
	{ "recorded: octets, one more", "\x01", 141, "", 1, false, {0}, 0, 2, {140, 13}, NULL },
	{ "recorded: octets with ports", "\x01", 133, "", 1, false, PORTS, 0, 1, {140}, NULL },
	{ "recorded: concatenation behind the ports", "\x01", 300, "", 1, false, PORTS, 0, 3,
	  {140, 140, 56}, "0b05040b8423f0000342030201" },
	{ "recorded: text with ports", "x", 200, "", 0, false, PORTS, 0, 2, {158, 66},
	  "0b05040b8423f0000342020278" },
	{ "recorded: link of 70 octets, UCS-2", ZHE, 60, "", 2, false, {0}, 70, 2, {70, 62}, NULL },
	{ "recorded: link of 70 octets, push", "\x01", 110, "", 1, false, PORTS, 70, 2, {70, 64},
	  NULL },
	{ "link of 70 octets, text", "x", 81, "", 0, false, {0}, 70, 2, {79, 14}, NULL },
	{ "a row of messages, each concatenated on a short link", "x", 161, "", 0, true, {0}, 70, 4,
	  {79, 79, 20, 1}, "0500034203027878" },
};

static struct message
message_of(const struct cut *c, struct buf *body)
{
	struct text tail = { c->tail, strlen(c->tail) };

	if (c->coding == CODING_UCS2 && tail.len > 0)
		tail.len = 3 * (sizeof SMILE - 1);	/* it has NUL octets */
	for (unsigned i = 0; i < c->times; i++)
		buf_str(body, c->fill);
	buf_bytes(body, tail.at, tail.len);
	return (struct message){
		.body = { (const char *)body->data, body->len }, .udh = c->udh,
		.coding = c->coding, .mclass = MESSAGE_UNSET, .mwi = MESSAGE_UNSET,
		.alt_dcs = MESSAGE_UNSET, .compress = MESSAGE_UNSET, .concatenate = !c->row,
		.segments_most = 10, .octets_most = 140, .dlr_mask = DLR_DELIVERED,
	};
}

static struct segment_rules
rules_of(uint16_t octets)
{
	return (struct segment_rules){ .octets_most = octets, .alt_dcs = MESSAGE_UNSET };
}

static void
check_begins(const char *name, const struct segment *s, const char *want)
{
	struct buf hex = buf_heap(1024);

	buf_hex(&hex, s->udh.at, s->udh.len, false);
	buf_hex(&hex, s->data.at, s->data.len, false);
	if (hex.len < strlen(want) || memcmp(hex.data, want, strlen(want)) != 0)
		fail_msg("%s: second segment is %.*s", name, (int)hex.len, (char *)hex.data);
	buf_free(&hex);
}

static void
check_cut(struct segment_plan *plan, const struct cut *c)
{
	struct buf body = buf_heap(1 << 16);
	struct message m = message_of(c, &body);
	struct segment_rules rules = rules_of(c->link);
	struct err err = { 0 };

	if (segment_cut(plan, &m, &rules, 0x42, &err) == -1)
		fail_msg("%s: %s", c->name, err.text);
	if (segment_count(plan) != c->segments || message_segments(&m, &rules) != c->segments)
		fail_msg("%s: %zu segments", c->name, segment_count(plan));
	for (unsigned i = 0; i < c->segments; i++) {
		const struct segment *s = segment_at(plan, i);

		if (s->udh.len + s->data.len != c->lens[i])
			fail_msg("%s: segment %u has %zu + %zu", c->name, i + 1, s->udh.len,
			    s->data.len);
		assert_int_equal(s->number, i + 1);
		assert_int_equal(s->total, c->segments);
		assert_ptr_equal(s->message, &m);
		assert_true(s->report);
	}
	if (c->second != NULL)
		check_begins(c->name, segment_at(plan, 1), c->second);
	assert_null(segment_at(plan, c->segments));
	buf_free(&body);
}

/* One plan for all of them: nothing of the last message may remain. */
static void
test_cuts(void **state)
{
	struct segment_plan *plan = segment_plan_new();

	(void)state;
	for (unsigned round = 0; round < 2; round++)
		for (size_t i = 0; i < ROWS(cuts); i++)
			check_cut(plan, &cuts[i]);
	segment_plan_free(&plan);
	assert_null(plan);
	segment_plan_free(&plan);
}

static struct message
octets_of(size_t n, struct text udh)
{
	static const char body[40000];

	return (struct message){
		.body = { body, n }, .udh = udh, .coding = CODING_OCTETS, .mclass = MESSAGE_UNSET,
		.mwi = MESSAGE_UNSET, .alt_dcs = MESSAGE_UNSET, .compress = MESSAGE_UNSET,
		.concatenate = true, .segments_most = 255, .octets_most = 140,
	};
}

static const struct {
	const char	*name;
	size_t		 octets;
	struct text	 udh;
	uint16_t	 link, most;
	bool		 wide;
	int		 segments;	/* -1: refused */
} limits[] = {
	{ "255 segments",			255 * 134,	{0},	0,	255,	false,	255 },
	{ "256 segments",			255 * 134 + 1,	{0},	0,	255,	false,	-1 },
	{ "wide reference takes an octet",	2 * 133,	{0},	0,	255,	true,	2 },
	{ "wide reference: first octet over",	2 * 133 + 1,	{0},	0,	255,	true,	3 },
	{ "ports and wide reference",		3 * 127,	PORTS,	0,	255,	true,	3 },
	{ "as many as allowed",			3 * 134,	{0},	0,	3,	false,	3 },
	{ "one more than allowed",		3 * 134 + 1,	{0},	0,	3,	false,	-1 },
	{ "only a short link needs more",	140,		{0},	70,	1,	false,	3 },
	{ "too long also for a long link",	141,		{0},	70,	1,	false,	-1 },
	{ "a link with room for the header only", 1,		PORTS,	7,	255,	false,	-1 },
	{ "nothing beside the header",		0,		PORTS,	7,	255,	false,	1 },
};

static void
test_limits(void **state)
{
	struct segment_plan *plan = segment_plan_new();

	(void)state;
	for (size_t i = 0; i < ROWS(limits); i++) {
		struct message m = octets_of(limits[i].octets, limits[i].udh);
		struct segment_rules rules = rules_of(limits[i].link);
		struct err err = { 0 };
		int got;

		m.segments_most = limits[i].most;
		rules.wide_reference = limits[i].wide;
		got = segment_cut(plan, &m, &rules, 1, &err) == -1 ? -1 : (int)segment_count(plan);
		if (got != limits[i].segments)
			fail_msg("%s: %d, %s", limits[i].name, got, err.text);
		if (got == -1) {
			assert_int_equal(err.code, ERR_LIMIT);
			assert_int_equal(segment_count(plan), 0);
		}
	}
	segment_plan_free(&plan);
}

/* Headers of every length: a refusal, or segments that hold what they may. */
static void
test_headers_of_every_length(void **state)
{
	static const size_t bodies[] = { 0, 1, 139, 140, 141, 1000 };
	struct segment_plan *plan = segment_plan_new();
	char udh[256];

	(void)state;
	for (size_t n = 1; n <= sizeof udh; n++)
		for (size_t k = 0; k < ROWS(bodies); k++)
			for (uint16_t link = 0; link < 30; link += 7) {
				struct message m;
				struct segment_rules rules = rules_of(link);
				struct err err = { 0 };
				size_t sum = 0, most = link > 0 ? link : 140;

				memset(udh, 0x70, sizeof udh);
				udh[0] = (char)(n - 1);
				m = octets_of(bodies[k], (struct text){ udh, n });
				if (segment_cut(plan, &m, &rules, 1, &err) == -1) {
					assert_int_equal(err.code, ERR_LIMIT);
					continue;
				}
				for (unsigned i = 0; i < segment_count(plan); i++) {
					const struct segment *s = segment_at(plan, i);

					assert_true(s->udh.len + s->data.len <= most);
					sum += s->data.len;
				}
				assert_int_equal(sum, bodies[k]);
			}
	segment_plan_free(&plan);
}

static void
test_header_with_a_wrong_length_is_refused(void **state)
{
	struct segment_plan *plan = segment_plan_new();
	struct message m = octets_of(5, (struct text){ "\x05\x05", 2 });
	struct segment_rules rules = rules_of(0);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(segment_cut(plan, &m, &rules, 1, &err), -1);
	assert_int_equal(err.code, ERR_SYNTAX);
	segment_plan_free(&plan);
}

static void
test_flags_of_a_concatenation(void **state)
{
	struct segment_plan *plan = segment_plan_new();
	struct message m = octets_of(300, (struct text){ 0 });
	struct segment_rules rules = rules_of(0);
	struct udh udh;
	struct err err = { 0 };

	(void)state;
	m.dlr_mask = DLR_SMSC_ACCEPTED | DLR_SMSC_REJECTED;	/* the answer tells, no receipt */
	rules.wide_reference = true;
	assert_int_equal(segment_cut(plan, &m, &rules, 0xABCD, &err), 0);
	assert_int_equal(segment_count(plan), 3);
	for (unsigned i = 0; i < 3; i++) {
		const struct segment *s = segment_at(plan, i);

		assert_true(s->concatenated);
		assert_int_equal(s->more, i < 2);
		assert_false(s->report);
		assert_int_equal(udh_read(s->udh, &udh, &err), 0);
		assert_true(udh.concat && udh.wide && udh.reference == 0xABCD);
		assert_true(udh.total == 3 && udh.number == i + 1);
	}
	segment_plan_free(&plan);
}

/* No concatenation: the SMSC is not told that more follows (recorded). Where a short
 * link has to concatenate, each message of the row has a reference of its own. */
static void
test_flags_of_a_row(void **state)
{
	struct segment_plan *plan = segment_plan_new();
	struct message m = octets_of(280, (struct text){ 0 });
	struct segment_rules rules = rules_of(0);
	struct err err = { 0 };
	struct udh udh;

	(void)state;
	m.concatenate = false;
	assert_int_equal(segment_cut(plan, &m, &rules, 7, &err), 0);
	assert_int_equal(segment_count(plan), 2);
	assert_false(segment_at(plan, 0)->concatenated);
	assert_false(segment_at(plan, 0)->more);
	assert_null(segment_at(plan, 0)->udh.at);
	rules.octets_most = 100;
	assert_int_equal(segment_cut(plan, &m, &rules, 7, &err), 0);
	assert_int_equal(segment_count(plan), 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(udh_read(segment_at(plan, i)->udh, &udh, &err), 0);
		assert_int_equal(udh.reference, 7 + i / 2);
		assert_int_equal(udh.total, 2);
		assert_int_equal(segment_at(plan, i)->more, i % 2 == 0);
	}
	segment_plan_free(&plan);
}

/* The link "alt" of the recordings: alt-charset and alt-dcs. The charset is looked at only
 * where the data coding is 0, so alt-dcs alone hides it. */
static const struct {
	const char	*name;
	int8_t		 link_alt_dcs, alt_dcs, mclass, coding;
	const char	*charset;
	const char	*data;		/* hex */
	uint8_t		 dcs;
} alternatives[] = {
	{ "recorded: alt-dcs wins over alt-charset", 1, -1, -1, 0, "ISO-8859-1", "05001b65", 0xF1 },
	{ "recorded: flash", 1, -1, 0, 0, "ISO-8859-1", "05001b65", 0xF0 },
	{ "the request's alt-dcs wins over the link's", 1, 0, -1, 0, "ISO-8859-15", "e940a4", 0x00 },
	{ "alt-charset", -1, -1, -1, 0, "ISO-8859-15", "e940a4", 0x00 },
	{ "not in the charset", -1, -1, -1, 0, "ISO-8859-1", "e9403f", 0x00 },
	{ "octets are never converted", -1, -1, -1, 1, "ISO-8859-15", "c3a940e282ac", 0x04 },
	{ "octets, alt-dcs", 1, -1, -1, 1, NULL, "c3a940e282ac", 0xF5 },
};

static void
test_alternatives(void **state)
{
	struct segment_plan *plan = segment_plan_new();

	(void)state;
	for (size_t i = 0; i < ROWS(alternatives); i++) {
		struct message m = octets_of(0, (struct text){ 0 });
		struct segment_rules rules = { .alt_dcs = alternatives[i].link_alt_dcs,
			.alt_charset = alternatives[i].charset };
		struct err err = { 0 };

		m.body = TEXT("\xC3\xA9@" EURO);
		m.coding = alternatives[i].coding;
		m.alt_dcs = alternatives[i].alt_dcs;
		m.mclass = alternatives[i].mclass;
		assert_int_equal(segment_cut(plan, &m, &rules, 1, &err), 0);
		check_begins(alternatives[i].name, segment_at(plan, 0), alternatives[i].data);
		assert_int_equal(segment_at(plan, 0)->data.len * 2, strlen(alternatives[i].data));
		assert_int_equal(segment_at(plan, 0)->dcs, alternatives[i].dcs);
	}
	segment_plan_free(&plan);
}

/* In another charset the segments are those of the septets: 160 and 153 characters. */
static void
test_alternative_charset_of_many_segments(void **state)
{
	struct segment_plan *plan = segment_plan_new();
	struct message m = octets_of(0, (struct text){ 0 });
	struct segment_rules rules = { .alt_dcs = MESSAGE_UNSET, .alt_charset = "UTF-16BE" };
	struct buf body = buf_heap(4096);
	struct err err = { 0 };

	(void)state;
	for (unsigned i = 0; i < 400; i++)
		buf_u8(&body, (uint8_t)('a' + i % 26));
	m.body = (struct text){ (const char *)body.data, body.len };
	m.coding = CODING_GSM7;
	assert_int_equal(segment_cut(plan, &m, &rules, 1, &err), 0);
	assert_int_equal(segment_count(plan), 3);
	assert_int_equal(segment_at(plan, 0)->data.len, 2 * 153);
	assert_int_equal(segment_at(plan, 1)->data.len, 2 * 153);
	assert_int_equal(segment_at(plan, 2)->data.len, 2 * (400 - 2 * 153));
	assert_int_equal(segment_at(plan, 1)->data.at[1], 'a' + 153 % 26);
	rules.alt_charset = "no-such-charset";
	assert_int_equal(segment_cut(plan, &m, &rules, 1, &err), -1);
	assert_int_equal(segment_count(plan), 0);
	buf_free(&body);
	segment_plan_free(&plan);
}

static void
test_waiting_indication_without_text(void **state)
{
	struct segment_plan *plan = segment_plan_new();
	struct message m = octets_of(0, (struct text){ 0 });
	struct segment_rules rules = rules_of(0);
	struct err err = { 0 };

	(void)state;
	m.coding = CODING_GSM7;
	m.mwi = 1;
	assert_int_equal(segment_cut(plan, &m, &rules, 1, &err), 0);
	assert_int_equal(segment_at(plan, 0)->dcs, 0xC9);	/* recorded */
	m.body = TEXT("mail");
	assert_int_equal(segment_cut(plan, &m, &rules, 1, &err), 0);
	assert_int_equal(segment_at(plan, 0)->dcs, 0xD9);
	segment_plan_free(&plan);
}

static void
test_coding_when_the_request_gave_none(void **state)
{
	struct segment_plan *plan = segment_plan_new();
	struct message m = octets_of(3, (struct text){ 0 });
	struct segment_rules rules = rules_of(0);
	struct err err = { 0 };

	(void)state;
	m.coding = MESSAGE_UNSET;
	assert_int_equal(segment_cut(plan, &m, &rules, 1, &err), 0);
	assert_int_equal(segment_at(plan, 0)->dcs, 0x00);
	m.udh = (struct text)PORTS;			/* recorded: a header makes it octets */
	assert_int_equal(segment_cut(plan, &m, &rules, 1, &err), 0);
	assert_int_equal(segment_at(plan, 0)->dcs, 0x04);
	m.udh = (struct text){ 0 };
	m.kind = MESSAGE_PUSH;
	assert_int_equal(segment_cut(plan, &m, &rules, 1, &err), 0);
	assert_int_equal(segment_at(plan, 0)->dcs, 0x04);
	segment_plan_free(&plan);
}

static const struct {
	const char	*name;
	const char	*fill;
	unsigned	 times;
	bool		 concatenate;
	uint16_t	 octets_most;
	unsigned	 segments;
	size_t		 fits;
} fits[] = {
	{ "fits anyway", "x", 160, true, 140, 1, 160 },
	{ "recorded: 1600 characters, 10 messages", "x", 1600, true, 140, 10, 1530 },
	{ "recorded: one plain message", "x", 400, false, 140, 1, 160 },
	{ "plain messages in a row", "x", 400, false, 140, 2, 320 },
	{ "one of a concatenation", "x", 161, true, 140, 1, 153 },
	{ "no character is halved", EURO, 100, false, 140, 1, 3 * 80 },
	{ "sms-length", "x", 400, false, 100, 1, 114 },
	{ "none allowed", "x", 1, true, 140, 0, 0 },
};

static void
test_fits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(fits); i++) {
		struct message m = octets_of(0, (struct text){ 0 });
		struct buf body = buf_heap(4096);

		for (unsigned n = 0; n < fits[i].times; n++)
			buf_str(&body, fits[i].fill);
		m.body = (struct text){ (const char *)body.data, body.len };
		m.coding = CODING_GSM7;
		m.concatenate = fits[i].concatenate;
		m.octets_most = fits[i].octets_most;
		if (message_fits(&m, fits[i].segments) != fits[i].fits)
			fail_msg("%s: %zu", fits[i].name, message_fits(&m, fits[i].segments));
		if (fits[i].segments > 0) {
			m.body.len = fits[i].fits;
			assert_in_range(message_segments(&m, NULL), 1, fits[i].segments);
		}
		buf_free(&body);
	}
}

/* Whatever the text and wherever it is cut: the segments together are the text. */
static void
test_nothing_is_lost(void **state)
{
	static const char unit[] = "a{\xC3\xA9" EURO "b";	/* 7 septets */
	struct segment_plan *plan = segment_plan_new();
	struct buf body = buf_heap(1 << 14);

	(void)state;
	for (unsigned n = 1; n < 200; n++) {
		struct message m = octets_of(0, (struct text){ 0 });
		struct segment_rules rules = rules_of((uint16_t)(40 + n % 101));
		struct err err = { 0 };
		size_t septets = 0;

		buf_str(&body, unit);
		m.body = (struct text){ (const char *)body.data, body.len };
		m.coding = CODING_GSM7;
		assert_int_equal(segment_cut(plan, &m, &rules, 1, &err), 0);
		assert_int_equal(segment_count(plan), message_segments(&m, &rules));
		for (size_t i = 0; i < segment_count(plan); i++) {
			const struct segment *s = segment_at(plan, i);

			assert_true(s->udh.len + (s->data.len * 7 + 7) / 8 <= rules.octets_most);
			assert_true((uint8_t)s->data.at[s->data.len - 1] != 0x1B);
			septets += s->data.len;
		}
		assert_int_equal(septets, n * 7);
	}
	buf_free(&body);
	segment_plan_free(&plan);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_headers_of_every_length),
		cmocka_unit_test(test_header_with_a_wrong_length_is_refused),
		cmocka_unit_test(test_flags_of_a_concatenation),
		cmocka_unit_test(test_flags_of_a_row),
		cmocka_unit_test(test_alternatives),
		cmocka_unit_test(test_alternative_charset_of_many_segments),
		cmocka_unit_test(test_waiting_indication_without_text),
		cmocka_unit_test(test_coding_when_the_request_gave_none),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_nothing_is_lost),
	};

	return cmocka_run_group_tests_name("push/segment", tests, NULL, NULL);
}
