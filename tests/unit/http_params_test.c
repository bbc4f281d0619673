/*
 * http_params_test.c - splitting, decoding, which value counts, numbers as Kannel reads them
 *
 * The request is the test's: a bit of memory and three headers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "http/params.h"
#include "io/httpd.h"

#define COUNT(list)	(sizeof (list) / sizeof *(list))

struct http_request {
	char	memory[4096];
	size_t	used;
	bool	no_memory;
};

void *
http_alloc(struct http_request *r, size_t n)
{
	void *p = r->memory + r->used;

	if (r->no_memory || n > sizeof r->memory - r->used)
		return NULL;
	r->used += n;
	return p;
}

struct text
http_header(const struct http_request *r, const char *name)
{
	(void)r;
	if (strcmp(name, "X-To") == 0)
		return TEXT(" +44 1 ");
	if (strcmp(name, "X-Mask") == 0)
		return TEXT("31");
	return (struct text){ 0 };
}

static const struct param_row rows[] = {
	{ .param = PARAM_TO, .name = "to", .alias = "phonenumber", .header = "X-To" },
	{ .param = PARAM_TEXT, .name = "text" },
	{ .param = PARAM_DLR_MASK, .name = "dlr-mask", .alias = "dlrmask", .header = "X-Mask",
	  .number = true, .least = 0, .most = 66, .misformed = "mask" },
	{ .param = PARAM_PID, .name = "pid", .number = true, .least = 0, .most = 255,
	  .misformed = "pid" },
	{ .name = NULL }
};

/* --- splitting and decoding ------------------------------------------------------------ */

#define T(literal)	{ (literal), sizeof(literal) - 1 }
#define NONE		{ NULL, 0 }

static const struct {
	const char	*name;
	struct text	 query, to, text;
} read_cases[] = {
	{ "plain", T("to=1&text=x"), T("1"), T("x") },
	{ "percent and plus", T("to=%2B44+%2b45&text=a%20b"), T("+44 +45"), T("a b") },
	{ "octets that are no text", T("text=%00%FF%00"), NONE, T("\x00\xff\x00") },
	{ "a stray percent stays", T("text=100%&to=%zz"), T("%zz"), T("100%") },
	{ "the first of a name counts", T("to=1&to=2"), T("1"), NONE },
	{ "the name over its other name, whichever comes first", T("phonenumber=1&to=2"), T("2"), NONE },
	{ "also an empty one", T("phonenumber=1&to="), T(""), NONE },
	{ "the first of two other names", T("phonenumber=1&phonenumber=2"), T("1"), NONE },
	{ "once named it stays", T("phonenumber=1&to=2&to=3&phonenumber=4"), T("2"), NONE },
	{ "an empty value is given", T("to=&text"), T(""), T("") },
	{ "and it is the first", T("to&to=2"), T(""), NONE },
	{ "names are case-sensitive", T("To=1&TEXT=x"), NONE, NONE },
	{ "a name may be encoded", T("t%6F=1"), T("1"), NONE },
	{ "only the first = splits", T("text=a=b=c"), NONE, T("a=b=c") },
	{ "question marks split nothing", T("text=a?to=1&to=2"), T("2"), T("a?to=1") },
	{ "semicolons do not", T("text=a;to=1"), NONE, T("a;to=1") },
	{ "empty pairs", T("&&to=1&&&text=x&"), T("1"), T("x") },
	{ "a value without a name", T("=x&to=1"), T("1"), NONE },
	{ "nothing", T(""), NONE, NONE },
	{ "what nobody asked for", T("foo=bar&to=1"), T("1"), NONE },
};

static void
check_text(const char *name, struct text got, struct text wanted)
{
	if ((got.at == NULL) != (wanted.at == NULL) || got.len != wanted.len ||
	    (got.len > 0 && memcmp(got.at, wanted.at, got.len) != 0))
		fail_msg("%s: \"%.*s\"", name, TEXT_ARGS(got));
}

static void
test_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(read_cases); i++) {
		struct http_request r = { .used = 0 };
		struct params p;

		params_init(&p);
		assert_int_equal(params_read(&p, rows, &r, read_cases[i].query), 0);
		check_text(read_cases[i].name, p.text[PARAM_TO], read_cases[i].to);
		check_text(read_cases[i].name, p.text[PARAM_TEXT], read_cases[i].text);
	}
}

static void
test_no_query(void **state)
{
	struct http_request r = { .no_memory = true };
	struct params p;

	(void)state;
	params_init(&p);
	assert_int_equal(params_read(&p, rows, &r, (struct text){ 0 }), 0);
	assert_int_equal(params_read(&p, rows, &r, TEXT("to=1")), 0);	/* a view: no memory needed */
	assert_int_equal(params_read(&p, rows, &r, TEXT("text=%20")), -1);
}

static void
test_headers(void **state)
{
	struct http_request r = { .used = 0 };
	struct params p;

	(void)state;
	params_init(&p);
	params_read_headers(&p, rows, &r);
	check_text("trimmed, a plus stays", p.text[PARAM_TO], TEXT("+44 1"));
	assert_int_equal(params_read(&p, rows, &r, TEXT("to=2&text=x")), 0);
	check_text("what was read first counts", p.text[PARAM_TO], TEXT("+44 1"));
	check_text("the rest is added", p.text[PARAM_TEXT], TEXT("x"));
	assert_null(params_check(&p, rows));
	assert_int_equal(p.number[PARAM_DLR_MASK], 31);
}

/* --- numbers ------------------------------------------------------------------------------ */

static const struct {
	const char	*name, *query;
	long		 mask, pid;
	const char	*fault;
} number_cases[] = {
	{ "not given", "", -1, -1, NULL },
	{ "given", "dlr-mask=31&pid=0", 31, 0, NULL },
	{ "-1 is as not given", "pid=-1", -1, -1, NULL },
	{ "below that is not", "pid=-2", -1, -1, "pid" },
	{ "the end of the range", "dlr-mask=66&pid=255", 66, 255, NULL },
	{ "over it", "pid=256", -1, -1, "pid" },
	{ "the first row that is wrong is told", "pid=256&dlr-mask=67", -1, -1, "mask" },
	{ "no number is as not given", "pid=abc&dlr-mask=", -1, -1, NULL },
	{ "what follows is ignored", "pid=12abc", -1, 12, NULL },
	{ "blanks and a sign", "pid=+%2B7", -1, 7, NULL },
	{ "only a sign", "pid=-", -1, -1, NULL },
	{ "more digits than fit", "pid=99999999999999999999999999", -1, -1, "pid" },
	{ "and with a minus", "pid=-99999999999999999999999999", -1, -1, "pid" },
	{ "hex is a zero", "pid=0x10", -1, 0, NULL },
};

static void
test_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(number_cases); i++) {
		struct http_request r = { .used = 0 };
		const struct param_row *bad;
		struct params p;

		params_init(&p);
		assert_int_equal(params_read(&p, rows, &r, text_of(number_cases[i].query)), 0);
		bad = params_check(&p, rows);
		if ((bad == NULL) != (number_cases[i].fault == NULL) ||
		    (bad != NULL && strcmp(bad->misformed, number_cases[i].fault) != 0))
			fail_msg("%s: %s", number_cases[i].name, bad != NULL ? bad->misformed : "no fault");
		if (bad == NULL && (p.number[PARAM_DLR_MASK] != number_cases[i].mask ||
		    p.number[PARAM_PID] != number_cases[i].pid))
			fail_msg("%s: %ld, %ld", number_cases[i].name, p.number[PARAM_DLR_MASK],
			    p.number[PARAM_PID]);
	}
}

/* --- parameters of a header ----------------------------------------------------------------- */

static const struct {
	const char	*name;
	struct text	 value, charset;
} header_cases[] = {
	{ "plain", T("text/plain; charset=utf-8"), T("utf-8") },
	{ "quoted", T("text/plain;charset=\"utf-8\""), T("utf-8") },
	{ "another letter case, blanks", T("text/plain ; a=b ; CharSet = KOI8-R "), T("KOI8-R") },
	{ "none", T("text/plain"), NONE },
	{ "others", T("text/plain; format=flowed"), NONE },
	{ "without value", T("text/plain; charset"), NONE },
	{ "empty", T("text/plain; charset="), T("") },
	{ "no header", NONE, NONE },
	{ "only in the type", T("charset=x"), NONE },
};

static void
test_header_parameter(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(header_cases); i++)
		check_text(header_cases[i].name, params_of_header(header_cases[i].value, "charset"),
		    header_cases[i].charset);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_no_query),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_header_parameter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
