/*
 * base_ip_test.c - address rules
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/ip.h"

union address {
	struct sockaddr		any;
	struct sockaddr_in	in;
	struct sockaddr_in6	in6;
};

static const struct sockaddr *
address(const char *text, union address *a)
{
	memset(a, 0, sizeof *a);
	if (strchr(text, ':') == NULL) {
		a->in.sin_family = AF_INET;
		assert_int_equal(inet_pton(AF_INET, text, &a->in.sin_addr), 1);
	} else {
		a->in6.sin6_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, &a->in6.sin6_addr), 1);
	}
	return &a->any;
}

static const struct {
	const char	*name, *rules, *address;
	bool		 match;
} match_cases[] = {
	{ "one address", "127.0.0.1", "127.0.0.1", true },
	{ "another address", "127.0.0.1", "127.0.0.2", false },
	{ "Kannel's pattern", "10.*.*.7", "10.200.3.7", true },
	{ "Kannel's pattern, last octet", "10.*.*.7", "10.200.3.8", false },
	{ "four stars", "*.*.*.*", "192.0.2.1", true },
	{ "four stars are everybody: IPv6 must not slip by a denial", "*.*.*.*", "2001:db8::1", true },
	{ "three stars are IPv4 only", "0.*.*.*", "::1", false },
	{ "second of a list", "10.0.0.1; 10.0.0.2 ;", "10.0.0.2", true },
	{ "network", "10.1.0.0/16", "10.1.255.255", true },
	{ "beside the network", "10.1.0.0/16", "10.2.0.0", false },
	{ "bits inside an octet", "172.16.0.0/12", "172.31.0.1", true },
	{ "bits inside an octet, beyond", "172.16.0.0/12", "172.32.0.1", false },
	{ "host bits do not count", "10.1.2.3/8", "10.9.9.9", true },
	{ "no bits: all IPv4", "0.0.0.0/0", "203.0.113.9", true },
	{ "no bits: IPv4 alone", "0.0.0.0/0", "2001:db8::1", false },
	{ "IPv4 rule, mapped address", "10.0.0.0/8", "::ffff:10.1.2.3", true },
	{ "IPv4 pattern, mapped address", "10.*.*.*", "::ffff:10.1.2.3", true },
	{ "IPv6 network", "2001:db8::/32", "2001:db8:ffff::1", true },
	{ "IPv6 network, beyond", "2001:db8::/32", "2001:db9::1", false },
	{ "IPv6 address", "::1", "::1", true },
	{ "IPv6 rule, IPv4 address", "::1", "127.0.0.1", false },
};

static void
test_match(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof match_cases / sizeof *match_cases; i++) {
		union address a;
		struct err err = { 0 };
		struct ip_rules *rules = ip_rules_parse(text_of(match_cases[i].rules), &err);

		assert_non_null(rules);
		if (ip_rules_match(rules, address(match_cases[i].address, &a)) !=
		    match_cases[i].match)
			fail_msg("%s", match_cases[i].name);
		ip_rules_free(&rules);
	}
}

static void
test_refused(void **state)
{
	static const char *const bad[] = { "10.0.0", "10.0.0.0.1", "256.0.0.1", "a.b.c.d", "10.0.0.0/33",
	    "10.*.*.*/8", "2001:db8::/129", "10.0.0.0/", "10.0.0.0/-1", "10..0.1", "1.2.3.4;x",
	    "localhost", "10.0.0.0/0x8", "1.2.3.0004", "*" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err err = { 0 };

		if (ip_rules_parse(text_of(bad[i]), &err) != NULL || err.code != ERR_SYNTAX)
			fail_msg("%s", bad[i]);
	}
}

static void
test_none(void **state)
{
	static const char *const none[] = { "", " ", ";;", NULL };
	union address a;

	(void)state;
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		struct err err = { 0 };

		assert_null(ip_rules_parse(text_of(none[i]), &err));
		assert_int_equal(err.code, ERR_NONE);
	}
	assert_false(ip_rules_match(NULL, address("127.0.0.1", &a)));
}

static const struct {
	const char	*name, *allow, *deny, *address;
	bool		 allowed;
} allowed_cases[] = {
	{ "no rules", "", "", "10.0.0.1", true },
	{ "an allow list alone lets everybody in, as in Kannel", "127.0.0.1", "", "10.0.0.1", true },
	{ "denied", "", "10.*.*.*", "10.0.0.1", false },
	{ "allow before deny", "10.0.0.1", "*.*.*.*", "10.0.0.1", true },
	{ "the rest is denied", "10.0.0.1", "*.*.*.*", "10.0.0.2", false },
};

static void
test_allowed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof allowed_cases / sizeof *allowed_cases; i++) {
		union address a;
		struct ip_rules *allow = ip_rules_parse(text_of(allowed_cases[i].allow), NULL);
		struct ip_rules *deny = ip_rules_parse(text_of(allowed_cases[i].deny), NULL);

		if (ip_allowed(allow, deny, address(allowed_cases[i].address, &a)) !=
		    allowed_cases[i].allowed)
			fail_msg("%s", allowed_cases[i].name);
		ip_rules_free(&allow);
		ip_rules_free(&deny);
	}
}

static const struct {
	const char	*address;
	enum ip_kind	 kind;
} kind_cases[] = {
	{ "127.0.0.1", IP_LOOPBACK }, { "127.255.0.1", IP_LOOPBACK }, { "::1", IP_LOOPBACK },
	{ "::ffff:127.0.0.1", IP_LOOPBACK }, { "10.0.0.1", IP_PRIVATE }, { "172.16.0.1", IP_PRIVATE },
	{ "172.31.255.255", IP_PRIVATE }, { "172.32.0.1", IP_PUBLIC }, { "192.168.1.1", IP_PRIVATE },
	{ "100.64.0.1", IP_PRIVATE }, { "100.128.0.1", IP_PUBLIC }, { "fd00::1", IP_PRIVATE },
	{ "169.254.169.254", IP_LINK_LOCAL }, { "fe80::1", IP_LINK_LOCAL },
	{ "::ffff:169.254.169.254", IP_LINK_LOCAL }, { "fd00:ec2::254", IP_LINK_LOCAL },
	{ "0.0.0.0", IP_UNUSABLE }, { "::", IP_UNUSABLE }, { "224.0.0.1", IP_UNUSABLE },
	{ "255.255.255.255", IP_UNUSABLE }, { "ff02::1", IP_UNUSABLE },
	{ "8.8.8.8", IP_PUBLIC }, { "2001:4860:4860::8888", IP_PUBLIC }, { "::ffff:8.8.8.8", IP_PUBLIC },
	{ "64:ff9b::a9fe:a9fe", IP_LINK_LOCAL }, { "64:ff9b::808:808", IP_PUBLIC },
	{ "2002:7f00:1::", IP_LOOPBACK }, { "::7f00:1", IP_LOOPBACK },
};

static void
test_kind(void **state)
{
	struct sockaddr local = { .sa_family = AF_UNIX };

	(void)state;
	for (size_t i = 0; i < sizeof kind_cases / sizeof *kind_cases; i++) {
		union address a;

		if (ip_kind(address(kind_cases[i].address, &a)) != kind_cases[i].kind)
			fail_msg("%s", kind_cases[i].address);
	}
	assert_int_equal(ip_kind(&local), IP_UNUSABLE);
}

static void
test_print(void **state)
{
	static const char *const as_is[] = { "192.0.2.1", "2001:db8::1", "::1" };
	union address a;
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof as_is / sizeof *as_is; i++)
		assert_string_equal(ip_print(address(as_is[i], &a), out, sizeof out), as_is[i]);
	assert_string_equal(ip_print(address("::ffff:192.0.2.1", &a), out, sizeof out), "192.0.2.1");
	assert_string_equal(ip_print(address("2001:db8::1", &a), out, 5), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_kind),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
