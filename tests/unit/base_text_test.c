/*
 * base_text_test.c - numbers, quoting, charsets, likeness
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"

#define COUNT(list)	(sizeof (list) / sizeof *(list))

static void
test_absent_is_not_empty(void **state)
{
	struct text absent = text_of(NULL), empty = text_of("");

	(void)state;
	assert_false(text_eq(absent, empty));
	assert_true(text_eq(absent, absent));
	assert_true(text_eq_nocase(TEXT("aZ[0"), TEXT("Az[0")));
	assert_false(text_eq_nocase(TEXT("@"), TEXT("`")));	/* apart by the case bit only */
	assert_null(text_trim(absent).at);
	assert_null(text_dup(absent));
	assert_true(text_eq(text_trim(TEXT(" \t\r\n\v\fa b ")), TEXT("a b")));
	assert_int_equal(text_trim(TEXT("  ")).len, 0);
	assert_true(text_digits(TEXT("0123456789")));
	assert_false(text_digits(TEXT("")));
	assert_false(text_digits(TEXT("1:")));
	assert_false(text_digits(TEXT("1/")));
}

static const struct {
	const char	*name, *text;
	const char	*parts[4];
} cut_cases[] = {
	{ "no separator: one part",		"ab",	{ "ab" } },
	{ "empty text is one empty part",	"",	{ "" } },
	{ "a trailing separator, an empty last part", "a;", { "a", "" } },
	{ "empty parts are kept",		"a;;b",	{ "a", "", "b" } },
};

static void
test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cut_cases); i++) {
		struct text rest = text_of(cut_cases[i].text), part;
		size_t n = 0;

		for (; text_cut(&rest, ';', &part); n++)
			assert_true(text_is(part, cut_cases[i].parts[n]));
		assert_null(cut_cases[i].parts[n]);
	}
}

static const struct {
	const char	*text;
	long		 least, most;
	int		 result;
	long		 want;
} number_cases[] = {
	{ "0", LONG_MIN, LONG_MAX, 0, 0 },
	{ "42", 0, 100, 0, 42 },
	{ "+42", 0, 100, 0, 42 },
	{ "-42", -100, 100, 0, -42 },
	{ "0x1f", 0, 100, 0, 31 },
	{ "0X1F", 0, 100, 0, 31 },
	{ "017", 0, 100, 0, 15 },
	{ "-0x10", -100, 100, 0, -16 },
	{ "9223372036854775807", LONG_MIN, LONG_MAX, 0, LONG_MAX },
	{ "-9223372036854775808", LONG_MIN, LONG_MAX, 0, LONG_MIN },
	{ "9223372036854775808", LONG_MIN, LONG_MAX, -1, 0 },
	{ "-9223372036854775809", LONG_MIN, LONG_MAX, -1, 0 },
	{ "99999999999999999999999", LONG_MIN, LONG_MAX, -1, 0 },
	{ "101", 0, 100, -1, 0 },
	{ "-1", 0, 100, -1, 0 },
	{ "", 0, 100, -1, 0 },
	{ "-", -5, 100, -1, 0 },
	{ "0x", 0, 100, -1, 0 },
	{ "08", 0, 100, -1, 0 },
	{ "1 ", 0, 100, -1, 0 },
	{ " 1", 0, 100, -1, 0 },
	{ "1a", 0, 100, -1, 0 },
	{ "--1", -5, 100, -1, 0 },
};

static void
test_number(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(number_cases); i++) {
		long got = 77;

		if (text_number(text_of(number_cases[i].text), number_cases[i].least,
		    number_cases[i].most, &got) != number_cases[i].result)
			fail_msg("%s", number_cases[i].text);
		assert_true(got == (number_cases[i].result == 0 ? number_cases[i].want : 77));
	}
}

/* Partitions of stored queues hang on these values. */
static void
test_hash_is_stable(void **state)
{
	uint64_t low = 0;

	(void)state;
	assert_true(text_hash("", 0) == 0xEFD01F60BA992926);
	assert_true(text_hash("447900900123", 12) != text_hash("447900900124", 12));
	for (int i = 0; i < 4096; i++) {
		char number[16];
		int n = snprintf(number, sizeof number, "4479%08d", i);

		low |= 1ull << (text_hash(number, (size_t)n) >> 58);
	}
	assert_true(low == UINT64_MAX);		/* neighbours reach every part */
}

static const struct {
	const char	*name, *text, *octets;
	size_t		 len;
	unsigned	 line, column;		/* of the fault */
} unhex_cases[] = {
	{ "both cases",			"00fFaB", "\x00\xff\xab", 3, 0, 0 },
	{ "blanks between octets",	" 01 02\n03\t", "\x01\x02\x03", 3, 0, 0 },
	{ "empty is empty",		"", "", 0, 0, 0 },
	{ "a blank inside an octet",	"0 1", NULL, 0, 1, 2 },
	{ "not a digit",		"01g2", NULL, 0, 1, 3 },
	{ "on the second line",		"0102\n01x", NULL, 0, 2, 3 },
	{ "odd count",			"010", NULL, 0, 1, 4 },
};

static void
test_unhex(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(unhex_cases); i++) {
		char memory[16];
		struct buf b = buf_on(memory, sizeof memory);
		struct err err = { 0 };
		int result = text_unhex(text_of(unhex_cases[i].text), &b, &err);

		if (unhex_cases[i].octets == NULL) {
			assert_int_equal(result, -1);
			assert_int_equal(err.line, unhex_cases[i].line);
			assert_int_equal(err.column, unhex_cases[i].column);
			continue;
		}
		assert_int_equal(result, 0);
		assert_int_equal(b.len, unhex_cases[i].len);
		assert_memory_equal(memory, unhex_cases[i].octets, b.len);
	}
}

static void	quote_xml(struct text t, struct buf *b) { text_xml_quote(t, b); }
static void	base64_of(struct text t, struct buf *b) { text_base64(t.at, t.len, b); }

static const struct {
	const char	*name;
	void		(*run)(struct text, struct buf *);
	struct text	 in;
	const char	*want;
} quote_cases[] = {
	{ "percent and plus", text_unquote, TEXT("a%20b+c%2Bd"), "a b c+d" },
	{ "a stray percent stays", text_unquote, TEXT("100%+%4"), "100% %4" },
	{ "a percent before no hex stays", text_unquote, TEXT("%zz%5"), "%zz%5" },
	{ "an unknown escape of dlr-url stays", text_unquote, TEXT("%I%d"), "%I%d" },
	{ "unreserved stay", text_quote, TEXT("aZ09-._~"), "aZ09-._~" },
	{ "all else is encoded", text_quote, TEXT("a b+c/\xC3\xA4"), "a%20b%2Bc%2F%C3%A4" },
	{ "markup", quote_xml, TEXT("<a b='c' d=\"e\">&"),
	  "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;" },
	{ "line ends survive in attributes", quote_xml, TEXT("a\r\n\tb"), "a&#13;&#10;&#9;b" },
	{ "what XML cannot hold", quote_xml, TEXT("a\x01\0b\xEF\xBF\xBE"),
	  "a\xEF\xBF\xBD\xEF\xBF\xBD" "b\xEF\xBF\xBD" },
	{ "bad UTF-8", quote_xml, TEXT("\xC3\xA4\xE4<"), "\xC3\xA4\xEF\xBF\xBD&lt;" },
	{ "nothing moves the cursor", text_show, TEXT("a\x1b[2J\n\0\x7f\xC2\x9B~ "),
	  "a\\x1b[2J\\x0a\\x00\\x7f\\xc2\\x9b~ " },
	{ "base64 of RFC 4648: f", base64_of, TEXT("f"), "Zg==" },
	{ "base64 of RFC 4648: fo", base64_of, TEXT("fo"), "Zm8=" },
	{ "base64 of RFC 4648: foobar", base64_of, TEXT("foobar"), "Zm9vYmFy" },
};

static void
test_quote(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(quote_cases); i++) {
		char memory[100];
		struct buf b = buf_on(memory, sizeof memory);

		quote_cases[i].run(quote_cases[i].in, &b);
		assert_string_equal(buf_cstr(&b), quote_cases[i].want);
	}
}

static const struct {
	const char	*text, *want;		/* want NULL: refused */
} base64_cases[] = {
	{ "", "" }, { "Zg==", "f" }, { "Zm8=", "fo" }, { "Zm9v", "foo" }, { "+/+/", "\xfb\xff\xbf" },
	{ "Zg=", NULL }, { "Zg", NULL }, { "Z===", NULL }, { "Zg==Zg==", NULL }, { "Zm 9", NULL },
	{ "====", NULL }, { "Zm9v\n", NULL },
};

static void
test_unbase64(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(base64_cases); i++) {
		char memory[16];
		struct buf b = buf_on(memory, sizeof memory);
		int result = text_unbase64(text_of(base64_cases[i].text), &b);

		if (result != (base64_cases[i].want == NULL ? -1 : 0) ||
		    text_unbase64(text_of(base64_cases[i].text), NULL) != result)
			fail_msg("%s", base64_cases[i].text);
		if (result == 0)
			assert_string_equal(buf_cstr(&b), base64_cases[i].want);
	}
}

static const struct {
	const char	*name, *text;
	long		 bad;
} utf8_cases[] = {
	{ "ascii over the stride", "0123456789abcdef", -1 },
	{ "smallest of each length", "\xC2\x80\xE0\xA0\x80\xF0\x90\x80\x80", -1 },
	{ "largest of each length", "\x7F\xDF\xBF\xEF\xBF\xBF\xF4\x8F\xBF\xBF", -1 },
	{ "around the surrogates", "\xED\x9F\xBF\xEE\x80\x80", -1 },
	{ "surrogate", "a\xED\xA0\x80", 1 },
	{ "overlong slash in two", "\xC0\xAF", 0 },
	{ "overlong in two", "\xC1\xBF", 0 },
	{ "overlong in three", "\xE0\x9F\xBF", 0 },
	{ "overlong in four", "\xF0\x8F\xBF\xBF", 0 },
	{ "above U+10FFFF", "\xF4\x90\x80\x80", 0 },
	{ "five octets", "\xF8\x88\x80\x80\x80", 0 },
	{ "lonely continuation after a stride", "01234567\x80", 8 },
	{ "cut in the last character", "abc\xE2\x82", 3 },
	{ "latin-1", "K\xE4ytt\xF6", 1 },
};

static void
test_utf8(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(utf8_cases); i++)
		if (text_utf8_bad(text_of(utf8_cases[i].text)) != utf8_cases[i].bad)
			fail_msg("%s", utf8_cases[i].name);
}

static const struct {
	const char	*name, *from, *to;
	struct text	 in;
	char		 instead_of;
	struct text	 want;			/* absent: refused */
	const char	*says;			/* in the refusal */
} convert_cases[] = {
	{ "latin-1 to UTF-8", "ISO-8859-1", "UTF-8", TEXT("K\xE4y"), 0, TEXT("K\xC3\xA4y"), NULL },
	{ "to UCS-2 as SMS wants it", "UTF-8", "UTF-16BE", TEXT("a\xE2\x82\xAC"), 0,
	  TEXT("\0a\x20\xAC"), NULL },
	{ "no order in the name: big-endian, no mark", "UTF-8", "UTF-16", TEXT("a"), 0,
	  TEXT("\0a"), NULL },
	{ "no mark: big-endian", "UTF-16", "UTF-8", TEXT("\0a\0b"), 0, TEXT("ab"), NULL },
	{ "big mark", "utf-16", "UTF-8", TEXT("\xFE\xFF\0a"), 0, TEXT("a"), NULL },
	{ "little mark", "UTF-16", "UTF-8", TEXT("\xFF\xFE" "a\0"), 0, TEXT("a"), NULL },
	{ "UCS-2 the same", "UCS-2", "UTF-8", TEXT("\xFF\xFE" "a\0"), 0, TEXT("a"), NULL },
	{ "windows-1252 has the euro", "windows-1252", "UTF-8", TEXT("\x80"), 0,
	  TEXT("\xE2\x82\xAC"), NULL },
	{ "cyrillic", "KOI8-R", "UTF-8", TEXT("\xC1"), 0, TEXT("\xD0\xB0"), NULL },
	{ "empty", "ISO-8859-1", "UTF-8", TEXT(""), 0, TEXT(""), NULL },
	{ "shift state is left", "UTF-8", "ISO-2022-JP", TEXT("\xE3\x81\x82"), 0,
	  TEXT("\x1B$B$\"\x1B(B"), NULL },
	{ "not in the target", "UTF-8", "ISO-8859-1", TEXT("ab\xE2\x82\xAC"), 0, { 0 },
	  "octet 3 " },
	{ "not in the target, replaced", "UTF-8", "ISO-8859-1", TEXT("a\xE2\x82\xAC" "b"), '?',
	  TEXT("a?b"), NULL },
	{ "bad UTF-8, octet by octet", "UTF-8", "ISO-8859-1", TEXT("a\xE2\x82"), '?',
	  TEXT("a??"), NULL },
	{ "same charset is checked too", "UTF-8", "UTF-8", TEXT("a\xE4"), 0, { 0 }, "octet 2 " },
	{ "same charset, mended", "UTF-8", "UTF-8", TEXT("a\xE4z"), '?', TEXT("a?z"), NULL },
	{ "a surrogate pair is one character", "UTF-16BE", "ISO-8859-1",
	  TEXT("\xD8\x3D\xDE\x00\0a"), '?', TEXT("?a"), NULL },
	{ "a lone surrogate", "UTF-16LE", "UTF-8", TEXT("\x3D\xD8" "a\0"), '?', TEXT("?a"), NULL },
	{ "half a character at the end", "UTF-16BE", "UTF-8", TEXT("\0a\0"), 0, { 0 }, "octet 3 " },
	{ "offset counts the order mark", "UTF-16", "ISO-8859-1", TEXT("\xFE\xFF\x20\xAC"), 0,
	  { 0 }, "octet 3 " },
	{ "unknown charset is named", "no-such-charset", "UTF-8", TEXT("a"), 0, { 0 },
	  "no-such-charset" },
	{ "the locale's charset is not asked for", "", "UTF-8", TEXT("a"), 0, { 0 }, "unknown" },
	{ "no iconv options", "UTF-8", "ASCII//IGNORE", TEXT("a\xC3\xA4"), 0, { 0 }, "unknown" },
};

static void
test_convert(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++)		/* the second with used handles */
	for (size_t i = 0; i < COUNT(convert_cases); i++) {
		struct buf b = buf_heap(1000);
		struct err err = { 0 };
		int result = text_convert(convert_cases[i].from, convert_cases[i].to,
		    convert_cases[i].in, convert_cases[i].instead_of, &b, &err);

		if (result != (convert_cases[i].want.at == NULL ? -1 : 0))
			fail_msg("%s: %s", convert_cases[i].name, err.text);
		if (result == 0 && !(b.len == convert_cases[i].want.len &&
		    (b.len == 0 || memcmp(b.data, convert_cases[i].want.at, b.len) == 0)))
			fail_msg("%s", convert_cases[i].name);
		if (result == -1) {
			assert_int_equal(err.code, ERR_SYNTAX);
			if (strstr(err.text, convert_cases[i].says) == NULL)
				fail_msg("%s: %s", convert_cases[i].name, err.text);
		}
		buf_free(&b);
	}
}

static void
test_convert_is_bounded(void **state)
{
	char long_text[5000];
	struct buf b = buf_heap(6000), small = buf_heap(4999);
	struct err err = { 0 };

	(void)state;
	memset(long_text, 'x', sizeof long_text);
	assert_int_equal(text_convert("ISO-8859-1", "UTF-8",
	    (struct text){ long_text, sizeof long_text }, 0, &b, &err), 0);
	assert_int_equal(b.len, sizeof long_text);
	assert_int_equal(text_convert("ISO-8859-1", "UTF-8",
	    (struct text){ long_text, sizeof long_text }, 0, &small, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	buf_free(&b);
	buf_free(&small);
}

/* The leak checker sees whether a thread's handles are closed. */
static void *
convert_in_thread(void *arg)
{
	for (size_t i = 0; i < COUNT(convert_cases); i++) {
		struct buf b = buf_heap(1000);

		text_convert(convert_cases[i].from, convert_cases[i].to, convert_cases[i].in, '?',
		    &b, NULL);
		buf_free(&b);
	}
	return arg;
}

static void
test_convert_threads(void **state)
{
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, convert_in_thread, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static const struct {
	const char	*text, *want;
} nearest_cases[] = {
	{ "sendsms-prot", "sendsms-port" },	/* two neighbours swapped */
	{ "SENDSMS-PORT", "sendsms-port" },
	{ "sendota-prt", "sendota-port" },
	{ "hots", "host" },
	{ "admin-pasword", "admin-password" },
	{ "zzzz", NULL },
	{ "ab", NULL },
	{ "", NULL },
	{ "sendsms", NULL },			/* five away from sendsms-port */
};

static void
test_nearest(void **state)
{
	static const char *const names[] = { "host", "sendota-port", "sendsms-port",
	    "admin-password" };

	(void)state;
	for (size_t i = 0; i < COUNT(nearest_cases); i++) {
		const char *got = text_nearest(text_of(nearest_cases[i].text), names, COUNT(names));

		if (nearest_cases[i].want == NULL)
			assert_null(got);
		else
			assert_string_equal(got, nearest_cases[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absent_is_not_empty),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_hash_is_stable),
		cmocka_unit_test(test_unhex),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_unbase64),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_convert),
		cmocka_unit_test(test_convert_is_bounded),
		cmocka_unit_test(test_convert_threads),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
