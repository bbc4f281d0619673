/*
 * push_route_test.c - addresses and routes
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "push/msisdn.h"
#include "push/route.h"

#define ROWS(table) (sizeof(table) / sizeof *(table))

static const struct {
	const char	*name, *prefixes, *address, *want;
} prefix_cases[] = {
	{ "the manual's example: official stays",	"+358,00358,0;+,00", "+358401", "+358401" },
	{ "long alternative first",			"+358,00358,0;+,00", "00358401", "+358401" },
	{ "national",					"+358,00358,0;+,00", "0401", "+358401" },
	{ "first match wins: 0 before 00",		"+358,00358,0;+,00", "0044790", "+358044790" },
	{ "first match wins: 00 before 0",		"+358,00358;+,00;+358,0", "0044790", "+44790" },
	{ "second group's official",			"+358,00358,0;+,00", "+44790", "+44790" },
	{ "no match",					"+358,00358,0;+,00", "12345", "12345" },
	{ "recorded: link with a prefix",		"+995,00995,0", "0990001", "+995990001" },
	{ "recorded: letters stay",			"+995,00995,0", "abc", "abc" },
	{ "the whole address is the prefix",		"+995,00995,0", "00995", "+995" },
	{ "prefix longer than the address",		"+995,00995", "0099", "0099" },
	{ "dash removes",				"-,+,00", "+44790", "44790" },
	{ "dash removes the second",			"-,+,00", "0044790", "44790" },
	{ "a group of one protects",			"+1;+,1", "+1790", "+1790" },
	{ "blanks and an empty group are nothing",	" +995 , 0 ;; ", "0990", "+995990" },
	{ "empty address",				"+995,0", "", "" },
};

static void
test_prefixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(prefix_cases); i++) {
		struct err err = { 0 };
		struct prefixes *p = prefixes_parse(text_of(prefix_cases[i].prefixes), &err);
		struct buf b = buf_heap(64);

		assert_non_null(p);
		prefixes_apply(p, text_of(prefix_cases[i].address), &b);
		if (strcmp(buf_cstr(&b), prefix_cases[i].want) != 0)
			fail_msg("%s: got %s", prefix_cases[i].name, buf_cstr(&b));
		buf_free(&b);
		prefixes_free(&p);
		assert_null(p);
	}
}

static void
test_prefixes_none_and_bad(void **state)
{
	static const char *const bad[] = { "+358,", "+358,,0", ",0", "+,00;,0" };
	struct err err = { 0 };
	struct buf b = buf_heap(64);

	(void)state;
	assert_null(prefixes_parse(TEXT(" "), &err));
	assert_int_equal(err.code, ERR_NONE);
	assert_null(prefixes_parse((struct text){ 0 }, &err));
	assert_int_equal(err.code, ERR_NONE);
	prefixes_apply(NULL, TEXT("0790"), &b);
	assert_string_equal(buf_cstr(&b), "0790");
	buf_free(&b);
	for (size_t i = 0; i < ROWS(bad); i++) {
		err = (struct err){ 0 };
		if (prefixes_parse(text_of(bad[i]), &err) != NULL || err.code != ERR_CONFIG)
			fail_msg("taken: %s", bad[i]);
	}
}

static void
test_order_key(void **state)
{
	uint64_t key = msisdn_order_key(TEXT("447900900123"));
	bool seen[256] = { false };
	unsigned partitions = 0;

	(void)state;
	assert_true(key == msisdn_order_key(TEXT("+447900900123")));
	assert_true(key == msisdn_order_key(TEXT("00447900900123")));
	assert_true(key != msisdn_order_key(TEXT("0447900900123")));
	assert_true(key != msisdn_order_key(TEXT("447900900124")));
	/* The partition of what is stored depends on it: it may never change. */
	assert_int_equal(msisdn_partition(key), 0xCB);
	for (unsigned n = 0; n < 4096; n++) {
		char address[32];
		struct buf b = buf_on(address, sizeof address);

		buf_printf(&b, "+44790090%04u", n);
		seen[msisdn_partition(msisdn_order_key((struct text){ address, b.len }))] = true;
	}
	for (unsigned i = 0; i < 256; i++)
		partitions += seen[i];
	assert_int_equal(partitions, 256);
}

static void
test_chars(void **state)
{
	(void)state;
	assert_true(msisdn_chars_ok(TEXT("+44 790-1"), "0123456789 +-"));
	assert_false(msisdn_chars_ok(TEXT("+44a"), "0123456789 +-"));
	assert_false(msisdn_chars_ok(TEXT("12;34"), "0123456789 +-"));
	assert_false(msisdn_chars_ok(((struct text){ "1\0" "2", 3 }), "0123456789 +-"));
}

static const struct {
	const char		*name;
	struct route_conf	 conf;
	const char		*smsc, *receiver;
	enum route_verdict	 want;
} route_cases[] = {
	{ "no rules", { 0 }, NULL, "1", ROUTE_YES },
	{ "no rules, named", { 0 }, "x", "1", ROUTE_YES },
	{ "allowed: named", { .allowed_smsc_id = "a;b" }, "b", "1", ROUTE_YES },
	{ "allowed: not named", { .allowed_smsc_id = "a;b" }, NULL, "1", ROUTE_NO },
	{ "allowed: another", { .allowed_smsc_id = "a;b" }, "c", "1", ROUTE_NO },
	{ "allowed: part of a name", { .allowed_smsc_id = "abc" }, "ab", "1", ROUTE_NO },
	{ "allowed: case counts", { .allowed_smsc_id = "alt" }, "ALT", "1", ROUTE_NO },
	{ "allowed: blanks around", { .allowed_smsc_id = "a ; b" }, "b", "1", ROUTE_YES },
	{ "denied: named", { .denied_smsc_id = "a;b" }, "a", "1", ROUTE_NO },
	{ "denied: unknown name goes anyway", { .denied_smsc_id = "a;b" }, "nosuch", "1", ROUTE_YES },
	{ "denied: not named", { .denied_smsc_id = "a;b" }, NULL, "1", ROUTE_YES },
	{ "denied is not looked at beside allowed",
	  { .allowed_smsc_id = "a", .denied_smsc_id = "a" }, "a", "1", ROUTE_YES },
	{ "allowed regex", { .allowed_smsc_id_regex = "^vf[0-9]$" }, "vf1", "1", ROUTE_YES },
	{ "allowed regex: not named", { .allowed_smsc_id_regex = "." }, NULL, "1", ROUTE_NO },
	{ "denied regex, anywhere in the name", { .denied_smsc_id_regex = "test" }, "atestb", "1",
	  ROUTE_NO },
	{ "list and regex are two rules",
	  { .allowed_smsc_id = "a;b", .denied_smsc_id_regex = "b" }, "b", "1", ROUTE_NO },
	{ "allowed prefix", { .allowed_prefix = "+44;+49" }, NULL, "+49151", ROUTE_YES },
	{ "not an allowed prefix", { .allowed_prefix = "+44;+49" }, NULL, "+358", ROUTE_NO },
	{ "shorter than the prefix", { .allowed_prefix = "+44" }, NULL, "+4", ROUTE_NO },
	{ "denied prefix", { .denied_prefix = "+44" }, NULL, "+447", ROUTE_NO },
	{ "both: allowed one wins", { .allowed_prefix = "+447", .denied_prefix = "+44" }, NULL,
	  "+4479", ROUTE_YES },
	{ "both: denied", { .allowed_prefix = "+447", .denied_prefix = "+44" }, NULL, "+4420",
	  ROUTE_NO },
	{ "both: neither matches", { .allowed_prefix = "+447", .denied_prefix = "+44" }, NULL,
	  "+49", ROUTE_YES },
	{ "prefix regex", { .denied_prefix_regex = "666$" }, NULL, "+44666", ROUTE_NO },
	{ "preferred name", { .preferred_smsc_id = "a" }, "a", "1", ROUTE_PREFERRED },
	{ "preferred name, another one", { .preferred_smsc_id = "a" }, "b", "1", ROUTE_YES },
	{ "preferred regex works here", { .preferred_smsc_id_regex = "^a" }, "ab", "1",
	  ROUTE_PREFERRED },
	{ "preferred prefix", { .preferred_prefix = "+44" }, NULL, "+447", ROUTE_PREFERRED },
	{ "preferred but denied", { .preferred_prefix = "+44", .denied_prefix = "+447" }, NULL,
	  "+4479", ROUTE_NO },
};

static void
test_routes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(route_cases); i++) {
		struct err err = { 0 };
		struct route_rules *r = route_rules_parse(&route_cases[i].conf, &err);

		assert_non_null(r);
		if (route_judge(r, text_of(route_cases[i].smsc), text_of(route_cases[i].receiver)) !=
		    route_cases[i].want)
			fail_msg("%s", route_cases[i].name);
		route_rules_free(&r);
		assert_null(r);
	}
}

/* A receiver is a slice of something longer: an expression must not read on. */
static void
test_route_regex_ends_with_the_text(void **state)
{
	struct err err = { 0 };
	struct route_rules *r = route_rules_parse(
	    &(struct route_conf){ .allowed_prefix_regex = "1$" }, &err);

	(void)state;
	assert_int_equal(route_judge(r, (struct text){ 0 }, (struct text){ "551234", 3 }), ROUTE_YES);
	assert_int_equal(route_judge(r, (struct text){ 0 }, (struct text){ "551234", 4 }), ROUTE_NO);
	route_rules_free(&r);
}

static void
test_route_bad_regex(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_null(route_rules_parse(&(struct route_conf){ .denied_smsc_id = "a",
	    .denied_prefix_regex = "(" }, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.text, "denied-prefix-regex"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_prefixes_none_and_bad),
		cmocka_unit_test(test_order_key),
		cmocka_unit_test(test_chars),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_route_regex_ends_with_the_text),
		cmocka_unit_test(test_route_bad_regex),
	};

	return cmocka_run_group_tests_name("push/msisdn push/route", tests, NULL, NULL);
}
