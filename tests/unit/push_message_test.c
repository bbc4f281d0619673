/*
 * push_message_test.c - the packed form of a message, its memory, push-ids
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "push/message.h"

#define ROWS(table) (sizeof(table) / sizeof *(table))

static const struct message unset = {
	.klass = CLASS_NORMAL, .coding = MESSAGE_UNSET, .mclass = MESSAGE_UNSET, .mwi = MESSAGE_UNSET,
	.alt_dcs = MESSAGE_UNSET, .compress = MESSAGE_UNSET, .rpi = MESSAGE_UNSET,
	.priority = MESSAGE_UNSET, .pid = MESSAGE_UNSET, .segments_most = 1, .octets_most = 140,
};

/* Every field differs from its default, and from its neighbours. */
static const struct message full = {
	.account = { "a\0b", 3 }, .push_id = { "id", 2 }, .msisdn = { "+44790", 6 },
	.sender = { "", 0 }, .smsc = { "s", 1 }, .service = { "sv", 2 }, .billing = { "bill", 4 },
	.binfo = { "bi", 2 }, .meta_data = { "?a?b=c", 6 }, .group = { "g", 1 },
	.dlr_url = { "http://x/", 9 }, .body = { "\0\xFF\x80", 3 }, .udh = { "\1\2", 2 },
	.note = { "USERPIN", 7 },
	.kind = MESSAGE_PUSH, .klass = CLASS_BULK, .coding = CODING_UCS2, .mclass = 3, .mwi = 7,
	.alt_dcs = 1, .compress = 1, .rpi = 2, .priority = 4, .pid = 255, .dlr_mask = 0x9F,
	.concatenate = true, .segments_most = 255, .octets_most = 70,
	.accepted = INT64_C(1795487549123), .expires = INT64_C(1795746749123),
	.validity_given = true, .not_before = 1, .deferred = 255,
};

static void
assert_text(struct text got, struct text want)
{
	assert_int_equal(got.at == NULL, want.at == NULL);
	assert_true(want.at == NULL || text_eq(got, want));
}

static void
assert_message(const struct message *got, const struct message *want)
{
	assert_text(got->account, want->account);
	assert_text(got->push_id, want->push_id);
	assert_text(got->msisdn, want->msisdn);
	assert_text(got->sender, want->sender);
	assert_text(got->smsc, want->smsc);
	assert_text(got->service, want->service);
	assert_text(got->billing, want->billing);
	assert_text(got->binfo, want->binfo);
	assert_text(got->meta_data, want->meta_data);
	assert_text(got->group, want->group);
	assert_text(got->dlr_url, want->dlr_url);
	assert_text(got->body, want->body);
	assert_text(got->udh, want->udh);
	assert_text(got->note, want->note);
	assert_int_equal(got->kind, want->kind);
	assert_int_equal(got->klass, want->klass);
	assert_int_equal(got->coding, want->coding);
	assert_int_equal(got->mclass, want->mclass);
	assert_int_equal(got->mwi, want->mwi);
	assert_int_equal(got->alt_dcs, want->alt_dcs);
	assert_int_equal(got->compress, want->compress);
	assert_int_equal(got->rpi, want->rpi);
	assert_int_equal(got->priority, want->priority);
	assert_int_equal(got->pid, want->pid);
	assert_int_equal(got->dlr_mask, want->dlr_mask);
	assert_int_equal(got->concatenate, want->concatenate);
	assert_int_equal(got->segments_most, want->segments_most);
	assert_int_equal(got->octets_most, want->octets_most);
	assert_true(got->accepted == want->accepted);
	assert_true(got->expires == want->expires);
	assert_int_equal(got->validity_given, want->validity_given);
	assert_true(got->not_before == want->not_before);
	assert_true(got->deferred == want->deferred);
}

static void
test_new_copies_every_text(void **state)
{
	char account[] = "tester", body[] = "hello";
	struct message from = full;
	struct message *m;

	(void)state;
	from.account = text_of(account);
	from.body = text_of(body);
	from.id = 7;
	m = message_new(&from);
	assert_non_null(m);
	account[0] = body[0] = 'X';
	assert_true(text_is(m->account, "tester"));
	assert_true(text_is(m->body, "hello"));
	assert_true(m->id == 7);
	from.account = TEXT("tester");
	from.body = TEXT("hello");
	assert_message(m, &from);
	assert_true(message_octets(m) > sizeof *m + 11);
	message_free(&m);
	assert_null(m);
	message_free(&m);
}

static void
test_pack_round_trip(void **state)
{
	const struct message *cases[] = { &unset, &full };
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ROWS(cases); i++) {
		struct buf b = buf_heap(4096);
		struct message *m;

		message_pack(cases[i], &b);
		assert_false(b.overflow);
		m = message_unpack(b.data, b.len, &err);
		assert_non_null(m);
		assert_message(m, cases[i]);
		assert_true(m->id == 0);
		message_free(&m);
		buf_free(&b);
	}
}

static void
test_pack_leaves_defaults_out(void **state)
{
	struct buf b = buf_heap(64);

	(void)state;
	message_pack(&unset, &b);
	assert_int_equal(b.len, 1);
	buf_free(&b);
}

static void
test_pack_tells_overflow(void **state)
{
	uint8_t room[20];
	struct buf b = buf_on(room, sizeof room), big = buf_heap(8 << 20);
	struct message m = unset;
	char *body = calloc(1, (1 << 20) + 1);

	(void)state;
	message_pack(&full, &b);
	assert_true(b.overflow);
	assert_non_null(body);
	m.body = (struct text){ body, (1 << 20) + 1 };
	message_pack(&m, &big);		/* unpack would refuse it */
	assert_true(big.overflow);
	buf_free(&big);
	free(body);
}

/* Rows that are not ours, or not any more. The version is 1. */
static const struct {
	const char	*name;
	const char	*octets;
	size_t		 len;
	bool		 good;
} unpack_cases[] = {
	{ "nothing at all",			"", 0, false },
	{ "version alone is a message",		"\1", 1, true },
	{ "version of the future",		"\2", 1, false },
	{ "unknown tag is skipped",		"\1\x7F\2ab\3\1" "5", 8, true },
	{ "tag without length",			"\1\3", 2, false },
	{ "text runs over the end",		"\1\3\5" "1234", 7, false },
	{ "length of four gigabytes",		"\1\3\x8F\xFF\xFF\xFF\x7F" "1", 8, false },
	{ "length of six octets",		"\1\3\x80\x80\x80\x80\x80\1" "1", 9, false },
	{ "kind that does not exist",		"\1\x14\1\3", 4, false },
	{ "negative kind",			"\1\x14\1\xFF", 4, false },
	{ "coding -2",				"\1\x16\1\xFE", 4, false },
	{ "number without octets",		"\1\x14\0", 3, false },
	{ "number of nine octets",		"\1\x28\x9\0\0\0\0\0\0\0\0\1", 12, false },
	{ "small number in eight octets",	"\1\x14\x8\0\0\0\0\0\0\0\2", 11, true },
	{ "time before 1970",			"\1\x28\1\x80", 4, false },
	{ "the same tag twice: the last",	"\1\3\1" "5\3\1" "6", 7, true },
};

static void
test_unpack_survives(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(unpack_cases); i++) {
		struct err err = { 0 };
		struct message *m = message_unpack(unpack_cases[i].octets, unpack_cases[i].len, &err);

		if ((m != NULL) != unpack_cases[i].good)
			fail_msg("%s: %s", unpack_cases[i].name, m != NULL ? "taken" : err.text);
		assert_int_equal(m == NULL, err.code != ERR_NONE);
		message_free(&m);
	}
}

/* Every cut and every flipped octet of a good row: an error or a message, no more. */
static void
test_unpack_damaged_octet_by_octet(void **state)
{
	struct buf b = buf_heap(4096);
	struct err err;
	struct message *m;

	(void)state;
	message_pack(&full, &b);
	for (size_t i = 0; i < b.len; i++) {
		err = (struct err){ 0 };
		m = message_unpack(b.data, i, &err);
		assert_int_equal(m == NULL, err.code != ERR_NONE);
		message_free(&m);
		for (unsigned bit = 0; bit < 8; bit++) {
			b.data[i] ^= 1u << bit;
			err = (struct err){ 0 };
			m = message_unpack(b.data, b.len, &err);
			assert_int_equal(m == NULL, err.code != ERR_NONE);
			message_free(&m);
			b.data[i] ^= 1u << bit;
		}
	}
	buf_free(&b);
}

static const struct {
	uint64_t	 id;
	uint32_t	 tag;
	const char	*text;
} push_ids[] = {
	{ 0,				0,		"00000000-0000-8000-8000-000000000000" },
	{ 1,				0xDEADBEEF,	"deadbeef-0000-8000-8000-000000000001" },
	{ UINT64_C(0x123456789ABCDEF),	0x00C0FFEE,	"00c0ffee-0000-8000-8123-456789abcdef" },
	{ UINT64_C(0xFFFFFFFFFFFFFFF),	0xFFFFFFFF,	"ffffffff-0000-8000-8fff-ffffffffffff" },
};

static void
test_push_id_round_trip(void **state)
{
	char out[PUSH_ID_SIZE];
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < ROWS(push_ids); i++) {
		push_id_make(push_ids[i].id, push_ids[i].tag, out);
		assert_string_equal(out, push_ids[i].text);
		assert_true(push_id_read(text_of(out), push_ids[i].tag, &id));
		assert_true(id == push_ids[i].id);
		assert_false(push_id_read(text_of(out), push_ids[i].tag ^ 1, &id));
	}
	assert_true(push_id_read(TEXT("DEADBEEF-0000-8000-8000-00000000000A"), 0xDEADBEEF, &id));
	assert_true(id == 10);
}

static const char *const foreign_push_ids[] = {
	"", "1", "deadbeef-0000-8000-8000-00000000001", "deadbeef-0000-8000-8000-0000000000011",
	"deadbeef-0000-4000-8000-000000000001",		/* version 4 */
	"deadbeef-0000-8000-9000-000000000001",		/* another variant digit */
	"deadbeef-0001-8000-8000-000000000001",
	"deadbeef-0000-8001-8000-000000000001",
	"deadbeef-0000-8000-8000-00000000000g",
	"deadbeef-0000-8000-8000+000000000001",
	"deadbeef00000800080000000000000000001",
	"push-1@example.com",
};

static void
test_push_id_of_others(void **state)
{
	uint64_t id = 99;

	(void)state;
	for (size_t i = 0; i < ROWS(foreign_push_ids); i++)
		if (push_id_read(text_of(foreign_push_ids[i]), 0xDEADBEEF, &id))
			fail_msg("taken for ours: %s", foreign_push_ids[i]);
	assert_false(push_id_read((struct text){ 0 }, 0, &id));
	assert_true(id == 99);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_copies_every_text),
		cmocka_unit_test(test_pack_round_trip),
		cmocka_unit_test(test_pack_leaves_defaults_out),
		cmocka_unit_test(test_pack_tells_overflow),
		cmocka_unit_test(test_unpack_survives),
		cmocka_unit_test(test_unpack_damaged_octet_by_octet),
		cmocka_unit_test(test_push_id_round_trip),
		cmocka_unit_test(test_push_id_of_others),
	};

	return cmocka_run_group_tests_name("push/message", tests, NULL, NULL);
}
