/*
 * base_err_test.c - errors: the first wins, is cut whole, is printed once
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"

static const struct {
	const char	*name;
	struct err	 err;
	const char	*want;
} print_cases[] = {
	{ "source, line and column", { ERR_SYNTAX, "text", 14, 9, "open" },
	  "text: line 14 column 9: open" },
	{ "line without column", { ERR_SYNTAX, "row", 3, 0, "short" }, "row: line 3: short" },
	{ "no place", { ERR_BUSY, NULL, 0, 0, "stopping" }, "stopping" },
	{ "a column alone is no place", { ERR_SYNTAX, NULL, 0, 7, "x" }, "x" },
};

static void
test_print(void **state)
{
	char out[300];

	(void)state;
	for (size_t i = 0; i < sizeof print_cases / sizeof *print_cases; i++)
		assert_string_equal(err_print(&print_cases[i].err, out, sizeof out),
		    print_cases[i].want);
	assert_string_equal(err_print(&print_cases[0].err, out, 6), "text:");
	out[0] = 'x';
	err_print(&print_cases[0].err, out, 0);
	assert_int_equal(out[0], 'x');
}

static void
test_first_wins(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(err_at(&err, ERR_LIMIT, 2, 5, "too %s", "deep"), -1);
	assert_int_equal(err_set(&err, ERR_STORE, "later"), -1);
	errno = EACCES;
	assert_int_equal(err_errno(&err, "later"), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(err.line, 2);
	assert_int_equal(err.column, 5);
	assert_string_equal(err.text, "too deep");
	err_clear(&err);
	assert_int_equal(err.code, ERR_NONE);
	assert_string_equal(err.text, "");
}

static void
test_errno(void **state)
{
	struct err err = { 0 };

	(void)state;
	errno = EACCES;
	assert_int_equal(err_errno(&err, "open %s", "/x"), -1);
	assert_int_equal(err.code, ERR_SYSTEM);
	assert_string_equal(err.text, "open /x: Permission denied");
	assert_int_equal(errno, EACCES);
}

static void
test_null_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_SYNTAX, "x"), -1);
	assert_int_equal(err_at(NULL, ERR_SYNTAX, 1, 1, "x"), -1);
	assert_int_equal(err_errno(NULL, "x"), -1);
	err_clear(NULL);
}

/* Every length around the end: what is left must be UTF-8 and only lack its tail. */
static void
test_cut_whole(void **state)
{
	static const char *const tails[] = { "\xC3\xA4\xC3\xA4", "\xE2\x82\xAC\xE2\x82\xAC",
	    "\xF0\x9F\x98\x80\xF0\x9F\x98\x80" };

	(void)state;
	for (size_t t = 0; t < sizeof tails / sizeof *tails; t++)
		for (size_t fill = sizeof ((struct err *)0)->text - 12;
		    fill < sizeof ((struct err *)0)->text; fill++) {
			char text[300];
			struct err err = { 0 };

			memset(text, 'a', fill);
			strcpy(text + fill, tails[t]);
			err_set(&err, ERR_SYNTAX, "%s", text);
			assert_int_equal(text_utf8_bad(text_of(err.text)), -1);
			assert_int_equal(strncmp(err.text, text, strlen(err.text)), 0);
			assert_true(strlen(err.text) + 4 >= sizeof err.text ||
			    strcmp(err.text, text) == 0);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_first_wins),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_null_is_allowed),
		cmocka_unit_test(test_cut_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
