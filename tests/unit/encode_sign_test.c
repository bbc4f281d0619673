/*
 * encode_sign_test.c - keys, MACs, check digits, and what must be refused
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "encode/sign.h"

static struct text
octets_of(const char *hex)
{
	static uint8_t room[16][1024];
	static unsigned next;
	struct buf b = buf_on(room[next++ % 16], sizeof room[0]);

	assert_int_equal(text_unhex(text_of(hex), &b, NULL), 0);
	return (struct text){ (char *)b.data, b.len };
}

/* "@d1" is tests/data/vectors/d1.hex, anything else is hex itself. */
static struct text
body_of(const char *body)
{
	static char path[512], line[4096];
	const char *source = getenv("KANTELE_SRC");
	FILE *f;

	if (body[0] != '@')
		return octets_of(body);
	snprintf(path, sizeof path, "%s/tests/data/vectors/%s.hex", source != NULL ? source : ".",
	    body + 1);
	assert_non_null(f = fopen(path, "r"));
	assert_non_null(fgets(line, sizeof line, f));
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	return octets_of(line);
}

static struct sign_secrets
secrets_of(const char *pin, const char *imsi, const char *key_hex)
{
	struct sign_secrets s = { 0 };

	if (pin != NULL)
		secret_set(&s.pin, text_of(pin));
	if (imsi != NULL)
		secret_set(&s.imsi, text_of(imsi));
	if (key_hex != NULL)
		secret_set(&s.key, octets_of(key_hex));
	return s;
}

static void
secrets_done(struct sign_secrets *s)
{
	secret_free(&s->pin);
	secret_free(&s->imsi);
	secret_free(&s->key);
}

#define FIFTY	"01234567890123456789012345678901234567890123456789"

static const struct {
	const char	*name;
	enum sign_method method;
	const char	*body, *pin, *imsi, *key;
	const char	*mac, *code;
	bool		 odd_pin, odd_imsi;
} vectors[] = {
	{ "V1 USERPIN: key is the digits", SIGN_USERPIN, "@d1", "1234", NULL, NULL,
	  "32154E8970D8D9CC3B3B3E466613874670D53146", "", false, false },
	{ "V2 NETWPIN, IMSI of 15 digits", SIGN_NETWPIN, "@d1", NULL, "310260123456789", NULL,
	  "809F9EB370291F61FBD5F581E4B6D114CA9E6507", "", false, false },
	{ "V3 NETWPIN, IMSI of 14 digits takes the filler F", SIGN_NETWPIN, "@d1", NULL,
	  "26201123456789", NULL, "02C97E966FB0A0B8517253E46486ABEF10ABA4FD", "", false, true },
	{ "V4 USERNETWPIN: IMSI, then PIN", SIGN_USERNETWPIN, "@d1", "1234", "310260123456789", NULL,
	  "A44033A27BAE16A73FDE308291B389E1E26AA775", "", false, false },
	{ "V5 USERPINMAC sends no MAC", SIGN_USERPINMAC, "@d1", "4821", NULL, NULL, "", "48213005",
	  false, false },
	{ "V6 published by Mozilla", SIGN_NETWPIN, "030b6a004501", NULL, "466923103145252", NULL,
	  "1AF545FE2823DC9347064450F90FF1BBF957E146", "", false, false },
	{ "V7 published by NowSMS", SIGN_NETWPIN, "@v7", NULL, "123456789012345", NULL,
	  "C483EC25F7E3E0CF100380DA5F6714CF204A5EC5", "", false, false },
	{ "V8 captured from an operator", SIGN_USERPIN, "@d4", "0000", NULL, NULL,
	  "AA2DC41FC48AEEF3FED7351B1EE704461A8894D4", "", false, false },
	{ "V9 w7 bootstrap", SIGN_USERPIN, "@d2", "1234", NULL, NULL,
	  "33F7E65C147F6221CF6116167FB0FB33B9C4813F", "", false, false },
	{ "an IMSI as the pin of NETWPIN is packed", SIGN_NETWPIN, "@d1", "310260123456789", NULL,
	  NULL, "809F9EB370291F61FBD5F581E4B6D114CA9E6507", "", false, false },
	{ "packed octets as the pin of NETWPIN are the key", SIGN_NETWPIN, "@d1",
	  "\x39\x01\x62\x10\x32\x54\x76\x98", NULL, NULL,
	  "809F9EB370291F61FBD5F581E4B6D114CA9E6507", "", false, false },
	{ "the IMSI goes before the pin of NETWPIN", SIGN_NETWPIN, "@d1", "1234", "310260123456789",
	  NULL, "809F9EB370291F61FBD5F581E4B6D114CA9E6507", "", false, false },
	{ "joined octets as the pin of USERNETWPIN are the key", SIGN_USERNETWPIN, "@d1",
	  "\x39\x01\x62\x10\x32\x54\x76\x98" "1234", NULL, NULL,
	  "A44033A27BAE16A73FDE308291B389E1E26AA775", "", false, false },
	{ "a raw key overrides", SIGN_NETWPIN, "@d1", NULL, NULL, "3901621032547698",
	  "809F9EB370291F61FBD5F581E4B6D114CA9E6507", "", false, false },
	{ "a PIN beyond the block of the hash", SIGN_USERPIN, "@d1", FIFTY FIFTY FIFTY FIFTY, NULL, NULL,
	  "0C07717AF5B4607E18056CCBB29D6DACB50E72CF", "", false, false },
	{ "none has neither", SIGN_NONE, "@d1", NULL, NULL, NULL, "", "", false, false },
};

static void
test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		struct sign_secrets in = secrets_of(vectors[i].pin, vectors[i].imsi, vectors[i].key);
		struct text body = body_of(vectors[i].body);
		struct signature s;
		struct err err = { 0 };

		if (sign_body(vectors[i].method, &in, body, &s, &err) == -1)
			fail_msg("%s: %s", vectors[i].name, err.text);
		if (strcmp(s.mac, vectors[i].mac) != 0 || strcmp(s.user_code, vectors[i].code) != 0 ||
		    s.odd_pin != vectors[i].odd_pin || s.odd_imsi != vectors[i].odd_imsi)
			fail_msg("%s: %s %s", vectors[i].name, s.mac, s.user_code);
		if (s.mac[0] != '\0') {
			assert_int_equal(sign_verify(vectors[i].method, &in, body, text_of(s.mac), &err), 1);
			s.mac[39] = s.mac[39] == '0' ? '1' : '0';
			assert_int_equal(sign_verify(vectors[i].method, &in, body, text_of(s.mac), &err), 0);
		}
		secrets_done(&in);
	}
}

/* Keys that others have used and that no handset computes. */
static void
test_wrong_keys_are_not_ours(void **state)
{
	static const char *const wrong[] = { "A694908054FDBB92C0DD3B98B5905F5C6CCE558B",
	    "D1D723560A524B35236B8A169DAE9944BC1C46C0", "50DABDA8402C3D1F88A6F2EFEBC2592687AFC7B1" };
	struct sign_secrets in = secrets_of(NULL, "310260123456789", NULL);
	struct text body = body_of("@d1");

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(sign_verify(SIGN_NETWPIN, &in, body, text_of(wrong[i]), NULL), 0);
	secrets_done(&in);
}

static const struct {
	const char	*name;
	enum sign_method method;
	const char	*pin, *imsi, *why;	/* words of the reason */
} refused[] = {
	{ "USERPIN without a PIN has no default", SIGN_USERPIN, NULL, NULL, "give pin" },
	{ "an empty PIN is none", SIGN_USERPIN, "", NULL, "give pin" },
	{ "NETWPIN without an IMSI", SIGN_NETWPIN, NULL, NULL, "give imsi" },
	{ "NETWPIN with a PIN of digits that is no IMSI", SIGN_NETWPIN, "246810", NULL, "is none" },
	{ "NETWPIN with a PIN of 13 digits", SIGN_NETWPIN, "1234567890123", NULL, "is none" },
	{ "NETWPIN with a PIN of 16 digits", SIGN_NETWPIN, "1234567890123456", NULL, "is none" },
	{ "an IMSI of 5 digits", SIGN_NETWPIN, NULL, "12345", "6 to 15 digits" },
	{ "an IMSI of 16 digits", SIGN_NETWPIN, NULL, "1234567890123456", "6 to 15 digits" },
	{ "an IMSI with a letter", SIGN_NETWPIN, NULL, "31026012345678x", "6 to 15 digits" },
	{ "USERNETWPIN with a PIN alone", SIGN_USERNETWPIN, "1234", NULL, "beside the PIN" },
	{ "USERNETWPIN with an IMSI alone", SIGN_USERNETWPIN, NULL, "310260123456789", "imsi and pin" },
	{ "USERPINMAC without a PIN", SIGN_USERPINMAC, NULL, NULL, "1 to 20 digits" },
	{ "USERPINMAC with letters, which no keypad has", SIGN_USERPINMAC, "12a4", NULL, "digits" },
	{ "USERPINMAC with 21 digits, one more than the MAC has octets", SIGN_USERPINMAC,
	  "123456789012345678901", NULL, "digits" },
	{ "a method that is none", (enum sign_method)7, "1234", NULL, "not known" },
};

static void
test_refused_with_a_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct sign_secrets in = secrets_of(refused[i].pin, refused[i].imsi, NULL);
		struct signature s;
		struct err err = { 0 };

		if (sign_body(refused[i].method, &in, TEXT("body"), &s, &err) != -1 ||
		    err.code != ERR_SYNTAX || strstr(err.text, refused[i].why) == NULL)
			fail_msg("%s: %s", refused[i].name, err.text);
		if ((refused[i].pin != NULL && refused[i].pin[0] != '\0' &&
		    strstr(err.text, refused[i].pin) != NULL) ||
		    (refused[i].imsi != NULL && strstr(err.text, refused[i].imsi) != NULL))
			fail_msg("%s: the reason repeats a secret", refused[i].name);
		assert_int_equal(s.mac[0], '\0');
		secrets_done(&in);
	}
}

static void
test_odd_secrets_are_taken(void **state)
{
	static const struct {
		const char	*name, *pin, *imsi;
		enum sign_method method;
		bool		 odd_pin, odd_imsi;
	} rows[] = {
		{ "letters in a PIN", "12a4", NULL, SIGN_USERPIN, true, false },
		{ "blanks around a PIN are part of it", " 1234 ", NULL, SIGN_USERPIN, true, false },
		{ "short IMSI", NULL, "123456", SIGN_NETWPIN, false, true },
		{ "letters beside an IMSI", "ab", "310260123456789", SIGN_USERNETWPIN, true, false },
		{ "a long PIN", "0000000000000000", NULL, SIGN_USERPIN, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sign_secrets in = secrets_of(rows[i].pin, rows[i].imsi, NULL);
		struct signature s;

		if (sign_body(rows[i].method, &in, TEXT("body"), &s, NULL) == -1 ||
		    s.odd_pin != rows[i].odd_pin || s.odd_imsi != rows[i].odd_imsi)
			fail_msg("%s", rows[i].name);
		secrets_done(&in);
	}
}

/* Of every length: 6 to 15 digits, and nothing else. */
static void
test_lengths(void **state)
{
	static const char digits[] = "310260123456789012345678901234567890";
	char given[40];

	(void)state;
	for (size_t n = 0; n < sizeof digits; n++) {
		struct sign_secrets imsi, pin;
		struct signature s;
		struct err err = { 0 };

		snprintf(given, sizeof given, "%.*s", (int)n, digits);
		imsi = secrets_of(NULL, given, NULL);
		pin = secrets_of(given, NULL, NULL);
		if ((sign_body(SIGN_NETWPIN, &imsi, TEXT("x"), &s, &err) == 0) != (n >= 6 && n <= 15))
			fail_msg("an IMSI of %zu digits: %s", n, err.text);
		if (n >= 6 && n <= 15 && s.odd_imsi != (n != 15))
			fail_msg("an IMSI of %zu digits: no warning", n);
		err_clear(&err);
		if ((sign_body(SIGN_USERPINMAC, &pin, TEXT("x"), &s, &err) == 0) != (n >= 1 && n <= 20))
			fail_msg("a PIN of %zu digits: %s", n, err.text);
		err_clear(&err);
		if ((sign_body(SIGN_NETWPIN, &pin, TEXT("x"), &s, &err) == 0) != (n == 14 || n == 15))
			fail_msg("a PIN of %zu digits for NETWPIN: %s", n, err.text);
		secrets_done(&imsi);
		secrets_done(&pin);
	}
}

static void
test_octets_of_an_imsi(void **state)
{
	char given[] = "310260123456789";

	(void)state;
	for (size_t at = 0; at < sizeof given - 1; at++) {
		char good = given[at];

		for (int c = 1; c < 256; c++) {
			uint8_t room[8];
			struct buf b = buf_on(room, sizeof room);

			given[at] = (char)c;
			if ((sign_pack_imsi(text_of(given), &b, NULL) == 0) != (c >= '0' && c <= '9'))
				fail_msg("octet %02x at %zu", c, at);
		}
		given[at] = good;
	}
	assert_int_equal(sign_pack_imsi((struct text){ "31026\0" "123456789", 15 }, &(struct buf){ 0 },
	    NULL), -1);
}

static void
test_countries(void **state)
{
	(void)state;
	for (int country = 0; country < 1000; country++) {
		struct sign_secrets in;
		struct signature s;
		char imsi[24];

		snprintf(imsi, sizeof imsi, "%03d260123456789", country);
		in = secrets_of(NULL, imsi, NULL);
		assert_int_equal(sign_body(SIGN_NETWPIN, &in, TEXT("x"), &s, NULL), 0);
		if (s.odd_country != !((country >= 200 && country < 800) || country == 1 || country == 999))
			fail_msg("%03d", country);
		secrets_done(&in);
	}
}

static void
test_keys_too_long(void **state)
{
	static const size_t lengths[] = { 1, 64, 65, 1024, 1025, 4096 };
	static char octets[4096];

	(void)state;
	memset(octets, 'a', sizeof octets);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
		for (int which = 0; which < 3; which++) {
			static const enum sign_method methods[] = { SIGN_USERPIN, SIGN_NETWPIN, SIGN_USERNETWPIN };
			struct sign_secrets in = { 0 };
			struct signature s;
			struct err err = { 0 };

			secret_set(which == 1 ? &in.key : &in.pin, (struct text){ octets, lengths[i] });
			if ((sign_body(methods[which], &in, TEXT("x"), &s, &err) == 0) != (lengths[i] <= 1024))
				fail_msg("%zu octets: %s", lengths[i], err.text);
			if (lengths[i] > 1024)
				assert_int_equal(err.code, ERR_LIMIT);
			secrets_done(&in);
		}
}

static void
test_packed_imsi(void **state)
{
	static const struct {
		const char	*imsi, *packed;
	} rows[] = {
		{ "310260123456789", "3901621032547698" },
		{ "123456789012345", "1932547698103254" },
		{ "466923103145252", "4966291330412525" },
		{ "26201123456789", "21261021436587f9" },
		{ "123456", "113254f6" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t room[8];
		struct buf b = buf_on(room, sizeof room);
		struct text want = octets_of(rows[i].packed);

		assert_int_equal(sign_pack_imsi(text_of(rows[i].imsi), &b, NULL), 0);
		assert_int_equal(b.len, want.len);
		assert_memory_equal(room, want.at, want.len);
	}
}

static const struct {
	const char	*name;
	int		 method;		/* -1: refused */
} names[] = {
	{ "netwpin", SIGN_NETWPIN }, { "NETWPIN", SIGN_NETWPIN }, { "NetwPin", SIGN_NETWPIN },
	{ "userpin", SIGN_USERPIN }, { "1", SIGN_USERPIN }, { "usernetwpin", SIGN_USERNETWPIN },
	{ "UserPinMac", SIGN_USERPINMAC }, { "none", SIGN_NONE },
	{ "", -1 }, { "0", -1 }, { "2", -1 }, { "3", -1 }, { "01", -1 }, { "userpin ", -1 },
	{ "pin", -1 }, { "\x1b[2J", -1 }, { "\xff\xfe", -1 }, { "n\xc3\xb6ne", -1 },
};

static void
test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		enum sign_method m = SIGN_NONE;
		struct err err = { 0 };
		int rc = sign_method_named(text_of(names[i].name), &m, &err);

		if (rc == -1 ? names[i].method != -1 || err.code != ERR_SYNTAX :
		    (int)m != names[i].method)
			fail_msg("\"%s\"", names[i].name);
		for (const char *c = err.text; *c != '\0'; c++)
			assert_in_range(*c, ' ', '~');
	}
	assert_string_equal(sign_method_name(SIGN_USERPIN), "USERPIN");
}

static const struct {
	const char	*name, *typed;
	int		 holds;
} codes[] = {
	{ "PIN and its check digits", "48213005", 1 },
	{ "a wrong check digit", "48213006", 0 },
	{ "another PIN", "48223005", 0 },
	{ "an odd number of digits", "4821300", 0 },
	{ "nothing", "", 0 },
	{ "letters", "4821x005", 0 },
	{ "more than 40 digits", "12345678901234567890112345678901234567890123", 0 },
};

static void
test_user_codes(void **state)
{
	struct text body = body_of("@d1");

	(void)state;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (sign_verify_code(text_of(codes[i].typed), body) != codes[i].holds)
			fail_msg("%s", codes[i].name);
}

static void
test_verify_takes_either_case_and_nothing_else(void **state)
{
	struct sign_secrets in = secrets_of("1234", NULL, NULL);
	struct text body = body_of("@d1");
	struct err err = { 0 };

	(void)state;
	assert_int_equal(sign_verify(SIGN_USERPIN, &in, body,
	    TEXT("32154e8970d8d9cc3b3b3e466613874670d53146"), &err), 1);
	assert_int_equal(sign_verify(SIGN_USERPIN, &in, body,
	    TEXT("32154E8970D8D9CC3B3B3E466613874670D531"), &err), -1);
	err_clear(&err);
	assert_int_equal(sign_verify(SIGN_USERPIN, &in, body,
	    TEXT("32154E8970D8D9CC3B3B3E466613874670D531zz"), &err), -1);
	for (size_t n = 0; n < 90; n++) {	/* of every length but the right one, with blanks, with a NUL */
		char mac[91];

		memset(mac, '0', sizeof mac);
		err_clear(&err);
		assert_int_equal(sign_verify(SIGN_USERPIN, &in, body, (struct text){ mac, n }, &err),
		    n == 40 ? 0 : -1);
		for (size_t at = 0; n == 40 && at < n; at++)
			for (size_t k = 0; k < 4; k++) {
				mac[at] = " \0g-"[k];
				assert_int_equal(sign_verify(SIGN_USERPIN, &in, body, (struct text){ mac, n },
				    NULL), -1);
				mac[at] = '0';
			}
	}
	err_clear(&err);
	assert_int_equal(sign_verify(SIGN_NONE, &in, body, (struct text){ NULL, 0 }, &err), -1);
	err_clear(&err);
	assert_int_equal(sign_verify(SIGN_USERPIN, &in, body, (struct text){ NULL, 0 }, &err), -1);
	secrets_done(&in);
}

static void
test_sha1_of_nothing(void **state)
{
	uint8_t out[20];
	struct text want = octets_of("da39a3ee5e6b4b0d3255bfef95601890afd80709");

	(void)state;
	assert_int_equal(sign_sha1("", 0, out), 0);
	assert_memory_equal(out, want.at, sizeof out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_wrong_keys_are_not_ours),
		cmocka_unit_test(test_refused_with_a_reason),
		cmocka_unit_test(test_odd_secrets_are_taken),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_octets_of_an_imsi),
		cmocka_unit_test(test_countries),
		cmocka_unit_test(test_keys_too_long),
		cmocka_unit_test(test_packed_imsi),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_user_codes),
		cmocka_unit_test(test_verify_takes_either_case_and_nothing_else),
		cmocka_unit_test(test_sha1_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
