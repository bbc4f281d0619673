/*
 * io_http_head_test.c - headers of requests, good and hostile, whole, in part, and octet by octet
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "io/http_head.h"

#define ROWS(table)	(sizeof(table) / sizeof *(table))
#define GET		"GET /a HTTP/1.1\r\nHost: a\r\n"
#define POST		"POST /a HTTP/1.1\r\nHost: a\r\n"

static const struct {
	const char	*name;
	struct text	 octets;
} good[] = {
	{ "a GET", TEXT(GET "\r\n") },
	{ "a body is not looked at", TEXT(POST "Content-Length: 5\r\n\r\n\0\r\0x\n") },
	{ "LF ends a line too", TEXT("GET /a HTTP/1.1\nHost: a\n\n") },
	{ "CRLF and LF", TEXT("GET /a HTTP/1.1\nHost: a\r\nX: y\n\r\n") },
	{ "an empty line before it", TEXT("\r\n\n" GET "\r\n") },
	{ "HTTP/1.0 needs no field at all", TEXT("GET /a HTTP/1.0\r\n\r\n") },
	{ "HTTP/1.9 is 1.1 and more", TEXT("GET /a HTTP/1.9\r\nHost:\r\n\r\n") },
	{ "any method", TEXT("BREW * HTTP/1.1\r\nHost: a\r\n\r\n") },
	{ "absolute form", TEXT("GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n") },
	{ "octets above 7F in the address, as Kannel's callers send them",
	  TEXT("GET /a?b=\xC3\xA4\xFF HTTP/1.1\r\nHost: a\r\n\r\n") },
	{ "blanks around a value", TEXT(GET "X: \t y \t\r\nY:\r\nZ:z\r\n\r\n") },
	{ "control characters in a value: packed digits of a PIN", TEXT(GET "X-Kannel-PIN: \x39\x01\x62\r\n\r\n") },
	{ "a field twice", TEXT(GET "A: b\r\nA: b\r\n\r\n") },
	{ "chunked in capitals", TEXT(POST "TRANSFER-ENCODING: CHUNKED\r\n\r\n") },
	{ "a length after blanks", TEXT(POST "Content-Length: \t5\r\n\r\n") },
	{ "a length of 18 digits is the body's business", TEXT(POST "Content-Length: 999999999999999999\r\n\r\n") },
	{ "100 parameters", TEXT("GET /?a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a"
	  "&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a"
	  "&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a HTTP/1.1\r\nHost: a\r\n\r\n") },
};

static void
test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(good); i++) {
		struct err err = { 0 };
		int status;

		if (http_head_judge(good[i].octets, &status, &err) != HTTP_HEAD_WHOLE)
			fail_msg("%s: %d %u:%u %s", good[i].name, status, err.line, err.column, err.text);
		assert_int_equal(status, 0);
		assert_int_equal(err.code, ERR_NONE);
	}
}

static const struct {
	const char	*name;
	struct text	 octets;
	int		 status;
	unsigned	 line, column;		/* 0: the header as a whole */
	const char	*says;
} bad[] = {
	/* another language */
	{ "a TLS handshake", TEXT("\x16\x03\x01\0\xF0"), 400, 0, 0, "plain HTTP" },
	{ "NUL first", TEXT("\0GET / HTTP/1.1\r\n"), 400, 1, 1, "NUL" },
	{ "nothing but NUL, no line's end", TEXT("\0\0\0\0"), 400, 1, 1, "NUL" },
	{ "control characters", TEXT("\1\2\3"), 400, 1, 1, "not a request" },
	{ "an SMPP bind", TEXT("\0\0\0\x20\0\0\0\t"), 400, 1, 1, "NUL" },
	{ "a blank first", TEXT(" GET / HTTP/1.1\r\n"), 400, 1, 1, "not a request" },
	{ "a method that is no word", TEXT("G(T / HTTP/1.1\r\n"), 400, 1, 2, "not a request" },
	{ "a method without end", TEXT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 400, 1, 34, "not a request" },
	{ "empty lines for ever", TEXT("\r\n\r\n\r\n\r\n\r\n"), 400, 5, 1, "empty lines" },
	{ "HTTP/2 with its preface", TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505, 1, 7, "HTTP/1.1" },
	{ "HTTP/0.9", TEXT("GET /a\r\n"), 400, 1, 7, "three words" },
	{ "a single word", TEXT("GARBAGE\r\n"), 400, 1, 8, "three words" },
	{ "HTTP/9.9", TEXT("GET /a HTTP/9.9\r\n"), 505, 1, 8, "HTTP/1.1" },
	{ "http/1.1", TEXT("GET /a http/1.1\r\n"), 400, 1, 8, "no version" },
	{ "HTTP/1.10", TEXT("GET /a HTTP/1.10\r\n"), 400, 1, 8, "no version" },
	{ "HTTP/1", TEXT("GET /a HTTP/1\r\n"), 400, 1, 8, "no version" },
	/* the address */
	{ "a blank in the address", TEXT("GET /a b HTTP/1.1\r\n"), 400, 1, 5, "%20" },
	{ "two blanks", TEXT("GET  /a HTTP/1.1\r\n"), 400, 1, 5, "%20" },
	{ "a blank behind the version", TEXT("GET /a HTTP/1.1 \r\n"), 400, 1, 5, "%20" },
	{ "no address", TEXT("GET  HTTP/1.1\r\n"), 400, 1, 5, "no address" },
	{ "a tab in the address", TEXT("GET /a\tb HTTP/1.1\r\n"), 400, 1, 5, "control character" },
	{ "NUL in the address", TEXT("GET /a\0b HTTP/1.1\r\n"), 400, 1, 7, "NUL" },
	{ "NUL in the method", TEXT("G\0ET /a HTTP/1.1\r\n"), 400, 1, 2, "NUL" },
	/* lines */
	{ "a CR alone", TEXT(GET "A: b\rContent-Length: 5\r\n\r\n"), 400, 3, 5, "CR" },
	{ "CR for every line's end", TEXT("GET /a HTTP/1.1\rHost: a\r\r"), 400, 1, 16, "CR" },
	{ "a folded line", TEXT(GET "A: b\r\n c\r\n\r\n"), 400, 4, 1, "folded" },
	{ "a folded line makes another name", TEXT(GET "Content-: 5\r\n Length\r\n\r\n"), 400, 4, 1, "folded" },
	{ "a folded first line", TEXT("GET /a HTTP/1.1\r\n\tHost: a\r\n\r\n"), 400, 2, 1, "folded" },
	{ "no colon", TEXT(GET "nonsense\r\n\r\n"), 400, 3, 1, "colon" },
	{ "no name", TEXT(GET ": b\r\n\r\n"), 400, 3, 1, "without a name" },
	{ "a blank before the colon", TEXT(GET "A : b\r\n\r\n"), 400, 3, 2, "blank" },
	{ "a tab before the colon hides a frame", TEXT(POST "Content-Length: 5\r\nTransfer-Encoding\t: "
	  "chunked\r\n\r\n"), 400, 4, 18, "blank" },
	{ "a blank in a name", TEXT(GET "A B: c\r\n\r\n"), 400, 3, 2, "blank" },
	{ "a control character in a name", TEXT(GET "A\1B: c\r\n\r\n"), 400, 3, 2, "character" },
	{ "an octet above 7F in a name", TEXT(GET "A\xE9: c\r\n\r\n"), 400, 3, 2, "character" },
	{ "NUL in a name", TEXT(GET "A\0B: c\r\n\r\n"), 400, 3, 2, "NUL" },
	{ "NUL in a value", TEXT(GET "A: b\0c\r\n\r\n"), 400, 3, 5, "NUL" },
	{ "NUL that would end the header", TEXT(GET "\0A: b\r\n\r\n"), 400, 3, 1, "NUL" },
	/* the frame */
	{ "two lengths", TEXT(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), 400, 0, 0, "more than one" },
	{ "two equal lengths", TEXT(POST "Content-Length: 5\r\ncontent-length: 5\r\n\r\n"), 400, 0, 0,
	  "more than one" },
	{ "length and encoding", TEXT(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, 0, 0,
	  "together" },
	{ "encoding and length", TEXT(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), 400, 0, 0,
	  "together" },
	{ "a list of lengths", TEXT(POST "Content-Length: 5, 5\r\n\r\n"), 400, 0, 0, "digits" },
	{ "a length with a sign", TEXT(POST "Content-Length: +5\r\n\r\n"), 400, 0, 0, "digits" },
	{ "a negative length", TEXT(POST "Content-Length: -5\r\n\r\n"), 400, 0, 0, "digits" },
	{ "a length in hex", TEXT(POST "Content-Length: 0x5\r\n\r\n"), 400, 0, 0, "digits" },
	{ "an empty length", TEXT(POST "Content-Length:\r\n\r\n"), 400, 0, 0, "digits" },
	{ "a blank in a length", TEXT(POST "Content-Length: 5 5\r\n\r\n"), 400, 0, 0, "digits" },
	{ "a length over 64 bits", TEXT(POST "Content-Length: 18446744073709551621\r\n\r\n"), 413, 0, 0,
	  "too long" },
	{ "an encoding twice", TEXT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
	  501, 0, 0, "once" },
	{ "another encoding", TEXT(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501, 0, 0, "chunked" },
	{ "almost chunked", TEXT(POST "Transfer-Encoding: \vchunked\r\n\r\n"), 501, 0, 0, "chunked" },
	{ "chunked and a blank", TEXT(POST "Transfer-Encoding: chunked \r\n\r\n"), 501, 0, 0, "chunked" },
	{ "chunks in HTTP/1.0", TEXT("POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, 0, 0,
	  "HTTP/1.0" },
	{ "no Host", TEXT("GET /a HTTP/1.1\r\nA: b\r\n\r\n"), 400, 0, 0, "no Host" },
	{ "two Hosts", TEXT(GET "Host: b\r\n\r\n"), 400, 0, 0, "more than one Host" },
};

static void
check_bad(const char *name, struct text octets, int status, unsigned line, unsigned column,
    const char *says)
{
	struct err err = { 0 };
	int got = 0;

	if (http_head_judge(octets, &got, &err) != HTTP_HEAD_BAD)
		fail_msg("%s: was taken", name);
	if (got != status || err.line != line || err.column != column || strstr(err.text, says) == NULL)
		fail_msg("%s: %d %u:%u %s", name, got, err.line, err.column, err.text);
	assert_int_not_equal(err.code, ERR_NONE);
}

static void
test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(bad); i++)
		check_bad(bad[i].name, bad[i].octets, bad[i].status, bad[i].line, bad[i].column, bad[i].says);
}

/* Octets at the end of their block, so that ASan sees a step too far. */
static enum http_head
judge_copy(struct text octets, int *status, struct err *err)
{
	char *copy = malloc(octets.len > 0 ? octets.len : 1);
	enum http_head h;

	assert_non_null(copy);
	memcpy(copy, octets.at, octets.len);
	h = http_head_judge((struct text){ copy, octets.len }, status, err);
	free(copy);
	return h;
}

/* However it is cut on its way, a good header is never refused and never taken too early, and a bad
 * one never taken. */
static void
test_every_beginning(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(good); i++) {
		const char *end = memmem(good[i].octets.at, good[i].octets.len, "\r\n\r\n", 4);
		size_t whole = end != NULL ? (size_t)(end - good[i].octets.at) + 4 : good[i].octets.len;
		int status;

		for (size_t n = 0; n < whole; n++)
			if (judge_copy((struct text){ good[i].octets.at, n }, &status, NULL) != HTTP_HEAD_PART)
				fail_msg("%s: %zu octets of it", good[i].name, n);
	}
	for (size_t i = 0; i < ROWS(bad); i++)
		for (size_t n = 0; n < bad[i].octets.len; n++) {
			struct err err = { 0 };
			int status;

			if (judge_copy((struct text){ bad[i].octets.at, n }, &status, &err) == HTTP_HEAD_WHOLE)
				fail_msg("%s: %zu octets of it", bad[i].name, n);
		}
}

/* Each octet turned into each other: an answer every time, and NUL or CR never pass. */
static void
test_every_octet_wrong(void **state)
{
	static const char text[] = "\r\nPOST /a?b=c&d HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nX: y\n\r\n";
	char copy[sizeof text - 1];

	(void)state;
	for (size_t at = 0; at < sizeof copy; at++)
		for (unsigned v = 0; v < 256; v++) {
			struct err err = { 0 };
			int status = 0;
			enum http_head h;

			memcpy(copy, text, sizeof copy);
			copy[at] = (char)v;
			h = judge_copy((struct text){ copy, sizeof copy }, &status, &err);
			assert_true((h == HTTP_HEAD_BAD) == (err.code != ERR_NONE));
			assert_true((h == HTTP_HEAD_BAD) == (status != 0));
			if (v == 0 && h != HTTP_HEAD_BAD)
				fail_msg("NUL at %zu was taken", at);
			if (v == '\r' && text[at] != '\r' && h != HTTP_HEAD_BAD &&
			    (at + 1 == sizeof copy || text[at + 1] != '\n'))
				fail_msg("CR at %zu was taken", at);
		}
}

static const struct {
	const char	*name, *before, *each, *after;
	unsigned	 times;
	int		 status;	/* 0: taken */
} sizes[] = {
	{ "100 fields", GET, "A: b\r\n", "\r\n", 99, 0 },
	{ "101 fields", GET, "A: b\r\n", "\r\n", 100, 431 },
	{ "10,000 fields", GET, "A: b\r\n", "\r\n", 10000, 431 },
	{ "400 parameters", "GET /?", "a&", " HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0 },
	{ "500 parameters, for which there is no memory", "GET /?", "a&", " HTTP/1.1\r\nHost: a\r\n\r\n", 500,
	  414 },
	{ "28,000 octets of address", "GET /?", "aaaaaaaaaa", " HTTP/1.1\r\nHost: a\r\n\r\n", 2800, 0 },
	{ "29,000 octets of address", "GET /?", "aaaaaaaaaa", " HTTP/1.1\r\nHost: a\r\n\r\n", 2900, 414 },
	{ "an address without end", "GET /", "aaaaaaaaaa", "", 3000, 414 },
	{ "a field of 27,000 octets", GET "A: ", "bbbbbbbbbb", "\r\n\r\n", 2700, 0 },
	{ "a field without end", GET "A: ", "bbbbbbbbbb", "", 3000, 431 },
};

static void
test_sizes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(sizes); i++) {
		struct buf b = buf_heap(1 << 18);
		struct err err = { 0 };
		int status;
		enum http_head h;

		buf_str(&b, sizes[i].before);
		for (unsigned n = 0; n < sizes[i].times; n++)
			buf_str(&b, sizes[i].each);
		buf_str(&b, sizes[i].after);
		h = http_head_judge((struct text){ (char *)b.data, b.len }, &status, &err);
		if (h != (sizes[i].status != 0 ? HTTP_HEAD_BAD : HTTP_HEAD_WHOLE) ||
		    status != sizes[i].status)
			fail_msg("%s: %d %s", sizes[i].name, status, err.text);
		buf_free(&b);
	}
}

/* The text of a refusal goes into the log and back to the client: it repeats nothing. */
static void
test_nothing_is_repeated(void **state)
{
	static const char *const secrets[] = {
		"GET /a?password=hunter2 HTTP/7.1\r\n", "GET /a?pin=hunter2 hunter2 HTTP/1.1\r\n",
		GET "X-Kannel-Password hunter2\r\n\r\n", GET "hunter2 : a\r\n\r\n",
		POST "Content-Length: hunter2\r\n\r\n", POST "Transfer-Encoding: hunter2\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ROWS(secrets); i++) {
		struct err err = { 0 };
		int status;

		assert_int_equal(http_head_judge(text_of(secrets[i]), &status, &err), HTTP_HEAD_BAD);
		assert_null(strstr(err.text, "hunter2"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_every_beginning),
		cmocka_unit_test(test_every_octet_wrong),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_nothing_is_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
