/*
 * base_stats_test.c - the three loads
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/stats.h"

static void
near(double got, double want)
{
	if (got < want * 0.999 - 0.0001 || got > want * 1.001 + 0.0001)
		fail_msg("%f, not %f", got, want);
}

static void
test_steady_stream(void **state)
{
	struct rate r;
	double load[3];
	mono_t now = 7777;

	(void)state;
	rate_start(&r, now);
	for (int i = 0; i < 10000; i++, now += 100) {		/* ten a second */
		rate_add(&r, now, 1);
		if (i > 20 && i % 37 == 0) {
			rate_read(&r, now + 100, load);
			for (int k = 0; k < 3; k++)
				if (load[k] < 9.8 || load[k] > 10.2)
					fail_msg("event %d: %f", i, load[k]);
		}
	}
	assert_int_equal(r.total, 10000);
}

static void
test_windows_forget(void **state)
{
	struct rate r;
	double load[3];

	(void)state;
	rate_start(&r, 0);
	rate_add(&r, 0, 600);
	rate_read(&r, 0, load);
	near(load[0], 600);			/* at least one second */
	rate_read(&r, 30000, load);
	near(load[0], 20);
	near(load[2], 20);
	rate_read(&r, 60000, load);
	near(load[0], 0);
	near(load[1], 10);
	rate_read(&r, 300000, load);
	near(load[1], 0);
	near(load[2], 2);
	rate_add(&r, 100LL * 86400 * 1000, 5);	/* a long sleep turns the ring only once */
	rate_read(&r, 100LL * 86400 * 1000 + 1000, load);
	near(load[0], 5.0 / 56);
}

static void
test_clock_that_stands(void **state)
{
	struct rate r;
	double load[3];

	(void)state;
	rate_start(&r, 5000);
	rate_add(&r, 4000, 3);			/* earlier than the start: counted, not lost */
	rate_read(&r, 4000, load);
	near(load[0], 3);
	near(load[2], 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steady_stream),
		cmocka_unit_test(test_windows_forget),
		cmocka_unit_test(test_clock_that_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
