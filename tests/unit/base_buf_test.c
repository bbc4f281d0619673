/*
 * base_buf_test.c - the bounded writer and reader
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"

static const struct {
	const char	*name;
	uint32_t	 value;
	const char	*hex;
} uintvar_cases[] = {
	{ "zero is one octet",			0,		"00" },
	{ "largest of one octet",		127,		"7f" },
	{ "first of two octets",		128,		"8100" },
	{ "the example of WAP-230, 8.1.2",	0x87A5,		"828f25" },
	{ "largest of three octets",		2097151,	"ffff7f" },
	{ "first of four octets",		2097152,	"81808000" },
	{ "all 32 bits",			UINT32_MAX,	"8fffffff7f" },
};

static void
test_uintvar(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof uintvar_cases / sizeof *uintvar_cases; i++) {
		uint8_t memory[8];
		char hex[32];
		struct buf b = buf_on(memory, sizeof memory), h = buf_on(hex, sizeof hex);
		struct cur c;

		buf_uintvar(&b, uintvar_cases[i].value);
		buf_hex(&h, b.data, b.len, false);
		assert_string_equal(buf_cstr(&h), uintvar_cases[i].hex);
		c = cur_on(b.data, b.len);
		assert_true(cur_uintvar(&c) == uintvar_cases[i].value);
		assert_false(c.short_of);
		assert_int_equal(cur_left(&c), 0);
		c = cur_on(b.data, b.len - 1);
		cur_uintvar(&c);
		assert_true(c.short_of);
	}
}

static const struct {
	const char	*name;
	uint8_t		 octets[8];
	size_t		 len;
} uintvar_bad_cases[] = {
	{ "33 bits",		{ 0x90, 0x80, 0x80, 0x80, 0x00 },	5 },
	{ "a sixth octet",	{ 0x80, 0x80, 0x80, 0x80, 0x80, 0x01 }, 6 },
	{ "nothing",		{ 0 },					0 },
};

static void
test_uintvar_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof uintvar_bad_cases / sizeof *uintvar_bad_cases; i++) {
		struct cur c = cur_on(uintvar_bad_cases[i].octets, uintvar_bad_cases[i].len);

		assert_int_equal(cur_uintvar(&c), 0);
		assert_true(c.short_of);
		assert_int_equal(cur_left(&c), 0);
	}
}

static void
test_fixed_overflow_is_sticky(void **state)
{
	uint8_t memory[4];
	struct buf b = buf_on(memory, sizeof memory);

	(void)state;
	buf_u16(&b, 0x0102);
	buf_u32(&b, 0x03040506);
	assert_true(b.overflow);
	assert_int_equal(b.len, 2);
	buf_u8(&b, 9);			/* would fit, but something before it is missing */
	assert_int_equal(b.len, 2);
	assert_null(buf_cstr(&b));
}

static void
test_fixed_may_be_filled(void **state)
{
	char memory[5];
	struct buf b = buf_on(memory, sizeof memory);

	(void)state;
	buf_printf(&b, "%05d", 42);
	assert_false(b.overflow);
	assert_int_equal(b.len, 5);
	assert_memory_equal(memory, "00042", 5);
	assert_null(buf_cstr(&b));	/* no room for the NUL */
	assert_true(b.overflow);
}

static void
test_heap_grows_to_its_limit(void **state)
{
	struct buf b = buf_heap(1000);

	(void)state;
	assert_null(b.data);
	for (int i = 0; i < 1000; i++)
		buf_u8(&b, (uint8_t)i);
	assert_false(b.overflow);
	assert_int_equal(b.len, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(b.data[i], (uint8_t)i);
	buf_u8(&b, 1);
	assert_true(b.overflow);
	buf_free(&b);
	assert_false(b.overflow);
	buf_str(&b, "again");
	assert_string_equal(buf_cstr(&b), "again");
	assert_false(buf_room(&b, SIZE_MAX));
	buf_free(&b);
}

static void
test_long_printf(void **state)
{
	struct buf b = buf_heap(10000);

	(void)state;
	buf_printf(&b, "%0999d|%01000d", 7, 8);
	assert_int_equal(b.len, 999 + 1 + 1000);
	assert_int_equal(b.data[998], '7');
	assert_int_equal(b.data[999], '|');
	buf_free(&b);
}

static void
test_integers_are_in_network_order(void **state)
{
	static const uint8_t want[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
	    0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F };
	uint8_t memory[15];
	struct buf b = buf_on(memory, sizeof memory);
	struct cur c;

	(void)state;
	buf_u8(&b, 0x01);
	buf_u16(&b, 0x0203);
	buf_u32(&b, 0x04050607);
	buf_u64(&b, 0x08090A0B0C0D0E0F);
	assert_int_equal(b.len, sizeof want);
	assert_memory_equal(memory, want, sizeof want);
	c = cur_on(memory, b.len);
	assert_int_equal(cur_u8(&c), 0x01);
	assert_int_equal(cur_u16(&c), 0x0203);
	assert_int_equal(cur_u32(&c), 0x04050607);
	assert_true(cur_u64(&c) == 0x08090A0B0C0D0E0F);
	assert_false(c.short_of);
	assert_int_equal(cur_u32(&c), 0);
	assert_true(c.short_of);
}

static const struct {
	const char	*name;
	const char	*octets;
	size_t		 len, most;
	const char	*want;
	size_t		 left;
} cstr_cases[] = {
	{ "ends inside",		"ab\0cd", 5, 5, "ab", 2 },
	{ "NUL is the last allowed",	"ab\0cd", 5, 3, "ab", 2 },
	{ "NUL is one too far",		"ab\0cd", 5, 2, NULL, 0 },
	{ "no NUL at all",		"abcd", 4, 9, NULL, 0 },
	{ "empty string",		"\0x", 2, 1, "", 1 },
	{ "nothing left",		"", 0, 5, NULL, 0 },
};

static void
test_cstr(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cstr_cases / sizeof *cstr_cases; i++) {
		struct cur c = cur_on(cstr_cases[i].octets, cstr_cases[i].len);
		size_t len = 99;
		const char *got = cur_cstr(&c, cstr_cases[i].most, &len);

		if (cstr_cases[i].want == NULL) {
			assert_null(got);
			assert_true(c.short_of);
		} else {
			assert_string_equal(got, cstr_cases[i].want);
			assert_int_equal(len, strlen(cstr_cases[i].want));
		}
		assert_int_equal(cur_left(&c), cstr_cases[i].left);
	}
}

static void
test_hex(void **state)
{
	char memory[8];
	struct buf b = buf_on(memory, sizeof memory);

	(void)state;
	buf_hex(&b, "\x00\x9f", 2, true);
	buf_hex(&b, "\xab", 1, false);
	assert_memory_equal(memory, "009Fab", 6);
	buf_hex(&b, "\x01\x02", 2, false);
	assert_true(b.overflow);
	assert_int_equal(b.len, 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uintvar),
		cmocka_unit_test(test_uintvar_bad),
		cmocka_unit_test(test_fixed_overflow_is_sticky),
		cmocka_unit_test(test_fixed_may_be_filled),
		cmocka_unit_test(test_heap_grows_to_its_limit),
		cmocka_unit_test(test_long_printf),
		cmocka_unit_test(test_integers_are_in_network_order),
		cmocka_unit_test(test_cstr),
		cmocka_unit_test(test_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
