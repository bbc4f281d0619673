/*
 * base_clock_test.c - calendar arithmetic
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <time.h>

#include "base/clock.h"

static const struct {
	const char	*name;
	wall_t		 t;
	const char	*iso;
} iso_cases[] = {
	{ "the beginning",		0,		"1970-01-01T00:00:00Z" },
	{ "a leap day",			951782400000,	"2000-02-29T00:00:00Z" },
	{ "after a leap day",		951868800000,	"2000-03-01T00:00:00Z" },
	{ "no leap day in 2100",	4107542400000,	"2100-03-01T00:00:00Z" },
	{ "the last day of a year",	1798761599999,	"2026-12-31T23:59:59Z" },
	{ "before the beginning",	-1,		"1969-12-31T23:59:59Z" },
	{ "beyond 32 bits",		2147483648000,	"2038-01-19T03:14:08Z" },
};

static void
test_iso(void **state)
{
	char out[21];

	(void)state;
	for (size_t i = 0; i < sizeof iso_cases / sizeof *iso_cases; i++)
		assert_string_equal(clock_iso(iso_cases[i].t, out, sizeof out), iso_cases[i].iso);
}

/* libc is the judge, a prime step reaches all days and hours. */
static void
test_civil_agrees_with_libc(void **state)
{
	(void)state;
	for (int64_t s = -3000000000; s < 8000000000; s += 1000003) {
		time_t t = (time_t)s;
		struct tm tm;
		int f[6];

		gmtime_r(&t, &tm);
		clock_civil(s * 1000, f);
		assert_int_equal(f[0], tm.tm_year + 1900);
		assert_int_equal(f[1], tm.tm_mon + 1);
		assert_int_equal(f[2], tm.tm_mday);
		assert_int_equal(f[3] * 3600 + f[4] * 60 + f[5],
		    tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
		assert_true(clock_from_civil(f) == s * 1000);
	}
}

static void
test_clocks_run(void **state)
{
	mono_t mono = clock_mono();
	wall_t wall = clock_wall();

	(void)state;
	assert_true(mono > 0 && clock_mono() >= mono);
	assert_true(wall / 1000 - time(NULL) <= 1 && time(NULL) - wall / 1000 <= 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_iso),
		cmocka_unit_test(test_civil_agrees_with_libc),
		cmocka_unit_test(test_clocks_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
