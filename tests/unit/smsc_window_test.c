/*
 * smsc_window_test.c - sequence numbers to tickets, against a model that is too simple to be wrong
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "smsc/smpp_window.h"

static void
test_order(void **state)
{
	struct smpp_window *w = smpp_window_new(3);
	struct smpp_flight f;

	(void)state;
	assert_true(smpp_window_add(w, 10, 100, 1));
	assert_true(smpp_window_add(w, 11, 101, 2));
	assert_true(smpp_window_add(w, 12, 102, 3));
	assert_false(smpp_window_add(w, 13, 103, 4));
	assert_true(smpp_window_answer(w, 11, &f) && f.ticket == 101);
	assert_false(smpp_window_answer(w, 11, &f));
	assert_true(smpp_window_oldest(w, &f) && f.sequence == 10 && f.sent == 1);
	assert_true(smpp_window_give_up(w, &f) && f.ticket == 100);
	assert_int_equal(smpp_window_count(w), 1);
	assert_true(smpp_window_answer(w, 10, &f) && f.late && f.ticket == 100);
	assert_true(smpp_window_lose(w, &f) && f.ticket == 102 && !f.late);
	assert_false(smpp_window_lose(w, &f));
	smpp_window_free(&w);
	assert_null(w);
}

static void
test_late_ones_make_room(void **state)
{
	struct smpp_window *w = smpp_window_new(2);
	struct smpp_flight f;

	(void)state;
	for (uint32_t i = 1; i <= 6; i++) {
		assert_true(smpp_window_add(w, i, i, i));
		assert_true(smpp_window_give_up(w, &f));
	}
	assert_false(smpp_window_answer(w, 1, &f));	/* too long ago */
	assert_true(smpp_window_answer(w, 6, &f) && f.late);
	assert_true(smpp_window_answer(w, 4, &f) && f.late);
	assert_false(smpp_window_lose(w, &f));
	assert_false(smpp_window_answer(w, 5, &f));	/* the line is another one */
	smpp_window_free(&w);
}

/* Numbers far apart, answers in any order: the hash must find each, and only those. */
static void
test_random(void **state)
{
	enum { MOST = 1000, STEPS = 300000 };
	static uint32_t waiting[MOST];
	struct smpp_window *w = smpp_window_new(MOST);
	unsigned count = 0;
	uint32_t sequence = 1;

	(void)state;
	srandom(4711);
	for (int i = 0; i < STEPS; i++) {
		struct smpp_flight f;

		if (count < MOST && random() % 2) {
			sequence += 1 + (uint32_t)(random() % 5000);
			assert_true(smpp_window_add(w, sequence, sequence * 3ull, i));
			waiting[count++] = sequence;
		} else if (count > 0) {
			unsigned at = (unsigned)random() % count;

			assert_true(smpp_window_answer(w, waiting[at], &f));
			assert_int_equal(f.ticket, waiting[at] * 3ull);
			assert_false(smpp_window_answer(w, waiting[at], &f));
			waiting[at] = waiting[--count];
		}
		assert_int_equal(smpp_window_count(w), count);
	}
	smpp_window_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order), cmocka_unit_test(test_late_ones_make_room),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
