/*
 * base_finding_test.c - findings: bounded, sorted, printed so that editors jump to them
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/finding.h"

static char *
printed(const struct findings *f, const char *name)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	findings_print(f, name, to);
	fclose(to);
	return text;
}

static void
test_sorted_print(void **state)
{
	struct findings f = { 0 };
	char *text;

	(void)state;
	finding_add(&f, SEVERITY_NOTE, NULL, "b", 1, 0, "last");
	finding_add(&f, SEVERITY_ERROR, "L022", "a", 10, 2, "is %d", 3);
	finding_add(&f, SEVERITY_WARNING, NULL, "a", 9, 7, "before ten");
	finding_add(&f, SEVERITY_NOTE, "L1", "a", 9, 7, "same place, found later");
	finding_add(&f, SEVERITY_ERROR, NULL, NULL, 0, 0, "no place");
	findings_sort(&f);
	text = printed(&f, "doc.xml");
	assert_string_equal(text,
	    "doc.xml: error: no place\n"
	    "a:9:7: warning: before ten\n"
	    "a:9:7: note: same place, found later [L1]\n"
	    "a:10:2: error: is 3 [L022]\n"
	    "b:1: note: last\n");
	free(text);
	assert_int_equal(f.errors, 2);
	assert_int_equal(f.warnings, 1);
	findings_free(&f);
	assert_int_equal(f.count, 0);
}

static void
test_bounded(void **state)
{
	struct findings f = { 0 };
	char *text;

	(void)state;
	for (unsigned i = 0; i < FINDINGS_MOST + 50; i++)
		finding_add(&f, SEVERITY_ERROR, NULL, NULL, FINDINGS_MOST + 50 - i, 0, "x");
	assert_int_equal(f.count, FINDINGS_MOST);
	assert_int_equal(f.left_out, 50);
	assert_int_equal(f.errors, FINDINGS_MOST + 50);	/* what is not kept still counts */
	findings_sort(&f);
	for (size_t i = 1; i < f.count; i++)
		assert_true(f.list[i - 1].line < f.list[i].line);
	text = printed(&f, "x");
	assert_non_null(strstr(text, "50 more"));
	free(text);
	findings_free(&f);
	finding_add(NULL, SEVERITY_ERROR, NULL, NULL, 0, 0, "nobody listens");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sorted_print),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
