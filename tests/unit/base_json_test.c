/*
 * base_json_test.c - the JSON writer
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"

static void
test_nested(void **state)
{
	struct buf b = buf_heap(1000);
	struct json j = { .out = &b };

	(void)state;
	json_open(&j, NULL, '{');
	json_text(&j, "a", TEXT("x"));
	json_open(&j, "list", '[');
	json_number(&j, NULL, INT64_MIN);
	json_flag(&j, NULL, true);
	json_open(&j, NULL, '{');
	json_close(&j, '}');
	json_open(&j, NULL, '[');
	json_close(&j, ']');
	json_close(&j, ']');
	json_null(&j, "n");
	json_text(&j, "absent", text_of(NULL));
	json_flag(&j, "f", false);
	json_close(&j, '}');
	assert_string_equal(buf_cstr(&b), "{\"a\":\"x\",\"list\":[-9223372036854775808,true,{},[]],"
	    "\"n\":null,\"absent\":null,\"f\":false}");
	buf_free(&b);
}

static const struct {
	const char	*name;
	struct text	 in;
	const char	*want;
} text_cases[] = {
	{ "empty", TEXT(""), "\"\"" },
	{ "quotes and backslash", TEXT("a\"b\\c/"), "\"a\\\"b\\\\c/\"" },
	{ "control characters", TEXT("\n\r\t\b\f\x01\0\x1f\x7f"),
	  "\"\\n\\r\\t\\b\\f\\u0001\\u0000\\u001f\\u007f\"" },
	{ "UTF-8 stays", TEXT("\xE2\x82\xAC"), "\"\xE2\x82\xAC\"" },
	{ "bad UTF-8", TEXT("a\xE4z\xE2\x82"),
	  "\"a\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\"" },
};

static void
test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof text_cases / sizeof *text_cases; i++) {
		struct buf b = buf_heap(200);
		struct json j = { .out = &b };

		json_text(&j, NULL, text_cases[i].in);
		assert_string_equal(buf_cstr(&b), text_cases[i].want);
		buf_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
