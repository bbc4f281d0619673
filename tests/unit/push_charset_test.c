/*
 * push_charset_test.c - GSM 03.38 and data coding, as Kannel 1.4.5 was seen to do them
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "push/charset.h"
#include "push/message.h"

#define ROWS(table) (sizeof(table) / sizeof *(table))
#define N MESSAGE_UNSET

static const struct {
	const char	*name;
	struct text	 utf8;
	const char	*septets;	/* hex */
	size_t		 unknown;
	int		 fits;
} to_gsm_cases[] = {
	{ "nothing", { "", 0 }, "", 0, 1 },
	{ "ASCII", { "Hello world", 11 }, "48656c6c6f20776f726c64", 0, 1 },
	{ "signs that moved", { "@$_", 3 }, "000211", 0, 1 },
	{ "first column", { "@\xC2\xA3$\xC2\xA5\xC3\xA8\xC3\xA9\xC3\xB9\xC3\xAC\xC3\xB2\xC3\x87"
	    "\xC3\x98\xC3\xB8\xC3\x85\xC3\xA5", 26 }, "000102030405060708090b0c0e0f", 0, 1 },
	{ "Greek capitals", { "\xCE\x94\xCE\xA6\xCE\x93\xCE\x9B\xCE\xA9\xCE\xA0\xCE\xA8\xCE\xA3"
	    "\xCE\x98\xCE\x9E", 20 }, "101213141516171819" "1a", 0, 1 },
	{ "upper Latin-1", { "\xC2\xA1\xC3\x84\xC3\x96\xC3\x91\xC3\x9C\xC2\xA7\xC2\xBF\xC3\xA4"
	    "\xC3\xB6\xC3\xB1\xC3\xBC\xC3\xA0", 24 }, "405b5c5d5e5f607b7c7d7e7f", 0, 1 },
	{ "extension table", { "{}[]~^|\\", 8 }, "1b281b291b3c1b3e1b3d1b141b401b2f", 0, 1 },
	{ "euro and form feed", { "\xE2\x82\xAC\f", 4 }, "1b651b0a", 0, 1 },
	{ "small c with cedilla becomes the capital", { "\xC3\xA7", 2 }, "09", 0, 0 },
	{ "tab, backquote and escape are not in it", { "\t`\x1B", 3 }, "3f3f3f", 3, 0 },
	{ "a NUL does not end it", { "a\0b", 3 }, "613f62", 1, 0 },
	{ "Cyrillic: one mark a character", { "\xD0\x9F\xD1\x80", 4 }, "3f3f", 2, 0 },
	{ "Greek that only looks like Latin", { "\xCE\x91 \xCE\x92 \xC2\xB5", 8 }, "3f203f203f", 3, 0 },
	{ "emoji: four marks, as Kannel", { "a\xF0\x9F\x98\x80z", 6 }, "613f3f3f3f7a", 1, 0 },
	{ "emoji that ends like a pound sign", { "\xF0\x9F\x98\xA3", 4 }, "3f3f3f3f", 1, 0 },
	{ "Latin-1 eats the two behind it", { "latin \xE4\xF6 as", 11 }, "6c6174696e203f6173", 1, 0 },
	{ "Latin-1 that leads nothing is read", { "\xF6\xA3", 2 }, "7c01", 0, 0 },
	{ "cut off two-octet character goes", { "a\xC3", 2 }, "61", 0, 0 },
	{ "cut off three-octet character goes", { "a\xE2\x82", 3 }, "61", 0, 0 },
	{ "surrogate in UTF-8", { "\xED\xA0\x80x", 4 }, "3f78", 1, 0 },
	{ "octets that are never UTF-8", { "\xFE\xFF", 2 }, "3f3f", 2, 0 },
};

static void
assert_hex(const char *name, const struct buf *b, const char *want)
{
	struct buf hex = buf_heap(4096);

	buf_hex(&hex, b->data, b->len, false);
	if (hex.len != strlen(want) || (hex.len > 0 && memcmp(hex.data, want, hex.len) != 0))
		fail_msg("%s: got %.*s", name, (int)hex.len, (const char *)hex.data);
	buf_free(&hex);
}

static void
test_to_gsm(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(to_gsm_cases); i++) {
		struct buf b = buf_heap(4096);
		size_t unknown = gsm7_from_utf8(to_gsm_cases[i].utf8, &b);

		assert_hex(to_gsm_cases[i].name, &b, to_gsm_cases[i].septets);
		if (unknown != to_gsm_cases[i].unknown)
			fail_msg("%s: %zu unknown", to_gsm_cases[i].name, unknown);
		if (gsm7_fits(to_gsm_cases[i].utf8) != to_gsm_cases[i].fits)
			fail_msg("%s: fits", to_gsm_cases[i].name);
		buf_free(&b);
	}
}

/* Long texts go through a small scratch area: no character may fall between. */
static void
test_to_gsm_long(void **state)
{
	static const char unit[] = "abc{\xF0\x9F\x98\x80\xE2\x82\xAC";
	struct buf text = buf_heap(1 << 16), septets = buf_heap(1 << 16), back = buf_heap(1 << 16);

	(void)state;
	for (int i = 0; i < 400; i++)
		buf_str(&text, unit);
	assert_int_equal(gsm7_from_utf8((struct text){ (char *)text.data, text.len }, &septets), 400);
	assert_int_equal(septets.len, 400 * (3 + 2 + 4 + 2));
	gsm7_to_utf8((struct text){ (char *)septets.data, septets.len }, &back);
	for (size_t i = 0; i < 400; i++)
		assert_memory_equal(back.data + i * 11, "abc{????\xE2\x82\xAC", 11);
	buf_free(&text);
	buf_free(&septets);
	buf_free(&back);
}

static const struct {
	const char	*name;
	struct text	 septets;
	const char	*utf8;
} from_gsm_cases[] = {
	{ "extension", { "\x1B\x28\x1B\x65", 4 }, "{\xE2\x82\xAC" },
	{ "escape at the end is a blank", { "a\x1B", 2 }, "a " },
	{ "escape that leads nowhere", { "\x1B" "A", 2 }, " A" },
	{ "two escapes", { "\x1B\x1B\x28", 3 }, " {" },
	{ "an octet that is no septet", { "a\x80", 2 }, "a\xEF\xBF\xBD" },
	{ "escape before an octet that is none", { "\x1B\x80", 2 }, " \xEF\xBF\xBD" },
};

static void
test_from_gsm(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(from_gsm_cases); i++) {
		struct buf b = buf_heap(256);

		gsm7_to_utf8(from_gsm_cases[i].septets, &b);
		if (strcmp(buf_cstr(&b), from_gsm_cases[i].utf8) != 0)
			fail_msg("%s: got '%s'", from_gsm_cases[i].name, buf_cstr(&b));
		buf_free(&b);
	}
}

/* Every septet, and every septet behind an escape, survives the way there and back. */
static void
test_gsm_round_trip(void **state)
{
	(void)state;
	for (unsigned escaped = 0; escaped < 2; escaped++)
		for (unsigned s = 0; s < 128; s++) {
			char septets[2] = { 0x1B, (char)s };
			struct text from = { septets + !escaped, 1 + escaped };
			struct buf utf8 = buf_heap(16), again = buf_heap(16);

			if (s == 0x1B)
				continue;
			gsm7_to_utf8(from, &utf8);
			gsm7_from_utf8((struct text){ (char *)utf8.data, utf8.len }, &again);
			if (escaped && again.len == 2 && again.data[0] == ' ')
				assert_int_equal(again.data[1], s);	/* not in the extension */
			else {
				assert_int_equal(again.len, from.len);
				assert_memory_equal(again.data, from.at, from.len);
			}
			buf_free(&utf8);
			buf_free(&again);
		}
}

static const struct {
	const char	*name;
	struct text	 utf8;
	size_t		 septets, octets;
} prefix_cases[] = {
	{ "nothing fits into nothing", { "abc", 3 }, 0, 0 },
	{ "whole text", { "abc", 3 }, 3, 3 },
	{ "cut", { "abc", 3 }, 2, 2 },
	{ "two octets, one septet", { "\xC3\xA9\xC3\xA9", 4 }, 1, 2 },
	{ "extension character is not cut", { "a{b", 3 }, 2, 1 },
	{ "extension character fits", { "a{b", 3 }, 3, 2 },
	{ "euro is not cut", { "\xE2\x82\xAC", 3 }, 1, 0 },
	{ "emoji is not cut", { "a\xF0\x9F\x98\x80", 5 }, 4, 1 },
	{ "dropped end costs nothing", { "a\xC3", 2 }, 1, 2 },
	{ "absent text", { NULL, 0 }, 5, 0 },
};

static void
test_prefix(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(prefix_cases); i++)
		if (gsm7_prefix(prefix_cases[i].utf8, prefix_cases[i].septets) !=
		    prefix_cases[i].octets)
			fail_msg("%s", prefix_cases[i].name);
}

/* Recorded from Kannel's SMPP link, all but the one marked. */
static const struct {
	int	coding, mclass, mwi, alt_dcs, compress;
	uint8_t	dcs;
} dcs_cases[] = {
	{ N, N, N, N, N, 0x00 }, { 0, N, N, 0, 0, 0x00 }, { 1, N, N, N, N, 0x04 },
	{ 2, N, N, N, N, 0x08 },
	/* a class takes the F group, with alt-dcs=0 too */
	{ 0, 0, N, N, N, 0xF0 }, { 0, 1, N, 0, N, 0xF1 }, { 0, 2, N, 1, N, 0xF2 },
	{ 0, 3, N, N, 0, 0xF3 }, { 1, 0, N, N, N, 0xF4 }, { 1, 2, N, 0, N, 0xF6 },
	/* UCS-2 and compression have no F group */
	{ 2, 0, N, N, N, 0x18 }, { 2, 3, N, 1, N, 0x1B }, { 0, N, N, N, 1, 0x20 },
	{ 0, 1, N, 1, 1, 0x31 }, { 1, N, N, 1, 1, 0x24 }, { 1, 3, N, N, 1, 0x37 },
	{ 2, N, N, N, 1, 0x28 }, { 2, 2, N, 1, 1, 0x3A },
	/* alt-dcs without a class is class 1 */
	{ 0, N, N, 1, N, 0xF1 }, { 1, N, N, 1, N, 0xF5 }, { 2, N, N, 1, N, 0x08 },
	/* waiting indication: wins over class, alt-dcs and compression */
	{ 0, N, 0, N, N, 0xD8 }, { 0, N, 3, N, N, 0xDB }, { 2, N, 2, N, N, 0xEA },
	{ 0, N, 4, N, N, 0xC0 }, { 0, N, 7, N, N, 0xC3 }, { 2, N, 5, N, N, 0xC1 },
	{ 0, 1, 1, 1, 1, 0xD9 },
	/* not Kannel: octets stay octets (it says UCS-2) */
	{ 1, N, 1, N, N, 0x04 },
};

static void
test_dcs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(dcs_cases); i++) {
		uint8_t got = dcs_make(dcs_cases[i].coding, dcs_cases[i].mclass, dcs_cases[i].mwi,
		    dcs_cases[i].alt_dcs, dcs_cases[i].compress);

		if (got != dcs_cases[i].dcs)
			fail_msg("row %zu: %02X, not %02X", i, got, dcs_cases[i].dcs);
	}
}

static void
test_dcs_of_empty_messages(void **state)
{
	(void)state;
	for (int coding = CODING_GSM7; coding <= CODING_UCS2; coding++)
		for (int mwi = 0; mwi < 8; mwi++)
			assert_int_equal(dcs_make_empty(coding, N, mwi, N, N),
			    (mwi < 4 ? 0xC8 : 0xC0) + mwi % 4);
	assert_int_equal(dcs_make_empty(N, N, N, N, N), 0);
	assert_int_equal(dcs_make_empty(CODING_UCS2, 1, N, N, N), 0x19);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_gsm),
		cmocka_unit_test(test_to_gsm_long),
		cmocka_unit_test(test_from_gsm),
		cmocka_unit_test(test_gsm_round_trip),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_dcs),
		cmocka_unit_test(test_dcs_of_empty_messages),
	};

	return cmocka_run_group_tests_name("push/charset", tests, NULL, NULL);
}
