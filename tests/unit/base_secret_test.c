/*
 * base_secret_test.c - secrets are compared whole and masked in print
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/secret.h"

static void
test_equal(void **state)
{
	struct secret s = { 0 };

	(void)state;
	assert_false(secret_equal(&s, TEXT("")));		/* not given opens nothing */
	assert_false(secret_given(&s));
	assert_int_equal(secret_set(&s, TEXT("foobar")), 0);
	assert_true(secret_given(&s));
	assert_true(secret_equal(&s, TEXT("foobar")));
	assert_false(secret_equal(&s, TEXT("fooba")));
	assert_false(secret_equal(&s, TEXT("foobarfoobar")));	/* the secret, repeated */
	assert_false(secret_equal(&s, TEXT("Foobar")));
	assert_false(secret_equal(&s, TEXT("")));
	assert_false(secret_equal(&s, text_of(NULL)));
	assert_int_equal(secret_set(&s, TEXT("")), 0);
	assert_false(secret_given(&s));
	assert_true(secret_equal(&s, TEXT("")));
	assert_int_equal(secret_set(&s, TEXT("a\0b")), 0);
	assert_true(text_eq(secret_octets(&s), TEXT("a\0b")));
	assert_int_equal(secret_set(&s, text_of(NULL)), 0);
	assert_null(s.hidden);
	secret_free(&s);
	secret_free(&s);
}

static const struct {
	const char	*name, *url, *want;
} mask_cases[] = {
	{ "what is no secret stays", "http://h:80/p?to=123&dlr-mask=31", "http://h:80/p?to=123&dlr-mask=31" },
	{ "Kannel's parameters", "/cgi-bin/sendota?username=u&password=p&to=1&pin=1234&imsi=99",
	  "/cgi-bin/sendota?username=u&password=***&to=1&pin=***&imsi=***" },
	{ "without regard to case, inside a name", "/x?apiKey=1&userPass=2&KEY-HEX=3",
	  "/x?apiKey=***&userPass=***&KEY-HEX=***" },
	{ "encoded name", "/x?p%61ssword=s", "/x?p%61ssword=***" },
	{ "user information", "https://me:word@h/p?a=1", "https://***@h/p?a=1" },
	{ "user information with an @ in it", "https://me:w@rd@h/", "https://***@h/" },
	{ "a text may hold a PIN", "/x?text=your+pin+is+1234", "/x?text=***" },
	{ "a ';' inside a secret", "/x?pass=a;b&c=d", "/x?pass=***&c=d" },
	{ "a '=' inside a secret", "/x?token=YWI=&c", "/x?token=***&c" },
	{ "no query", "http://h/", "http://h/" },
};

static void
test_mask(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof mask_cases / sizeof *mask_cases; i++) {
		char memory[200];
		struct buf b = buf_on(memory, sizeof memory);

		secret_mask_url(text_of(mask_cases[i].url), &b);
		assert_string_equal(buf_cstr(&b), mask_cases[i].want);
	}
}

static void
test_mask_absent(void **state)
{
	struct buf b = buf_heap(10);

	(void)state;
	secret_mask_url(text_of(NULL), &b);
	assert_int_equal(b.len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_mask_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
