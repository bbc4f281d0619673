/*
 * io_httpd_test.c - the HTTP server over real sockets: good, late, refused and hostile requests
 *
 * The client is a thread with a blocking socket; server and assertions live on the loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/httpd.h"
#include "io/log.h"
#include "io/loop.h"

enum { BODY_MOST = 10000, DEADLINE_MS = 60, SLOW_MS = 300, ANSWER_MOST = 1 << 17 };

static struct loop *loop;
static struct httpd *httpd;
static struct http_request *held[16];
static unsigned held_count, asked_count, deadlines;
static struct post answer_post;

static void
answer(struct http_request *r)
{
	char text[512];
	int n = snprintf(text, sizeof text, "%.*s|%.*s|%.*s|%zu%s", TEXT_ARGS(http_method(r)),
	    TEXT_ARGS(http_path(r)), TEXT_ARGS(http_query(r)), http_body(r).len,
	    http_has_body(r) ? "" : " none");

	http_reply_header(r, "X-Kantele-Id", "a1");
	http_reply_header(r, "X-Evil", "a\r\nSet-Cookie: b");
	http_reply(r, 202, "text/plain", (struct text){ text,
	    (size_t)n < sizeof text ? (size_t)n : sizeof text - 1 });
}

static void
answer_held(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < held_count; i++)
		answer(held[i]);
	held_count = 0;
}

static void
told(void *arg)
{
	struct http_request *r = arg;

	deadlines++;
	for (unsigned i = 0; i < held_count; i++)
		if (held[i] == r)
			held[i] = held[--held_count];
	http_reply(r, 503, NULL, TEXT("late"));
}

static void
drop_held(void *arg)
{
	(void)arg;
	while (held_count > 0)
		http_drop(held[--held_count]);
}

static void
asked(void *arg, struct http_request *r)
{
	struct text path = http_path(r), header = http_header(r, "x-test");

	assert_ptr_equal(arg, &held_count);
	assert_true(http_client(r)->sa_family == AF_INET || http_client(r)->sa_family == AF_INET6);
	asked_count++;
	if (text_is(path, "/drop")) {
		http_drop(r);
	} else if (text_is(path, "/header")) {
		http_reply(r, 200, "text/plain", header.at != NULL ? header : TEXT("absent"));
	} else if (text_is(path, "/body")) {
		http_reply(r, 200, "text/plain", http_body(r));
	} else if (text_is(path, "/fields")) {
		for (unsigned i = 0; i < 1000; i++)
			http_reply_header(r, "X-Field", "0123456789012345678901234567890123456789");
		http_reply(r, 200, "text/plain", TEXT("fields"));
	} else if (text_is(path, "/memory")) {
		for (size_t n = 1; n < 20000; n = n * 3 + 1) {
			char *p = http_alloc(r, n);

			for (size_t i = 0; i < n; i++)
				assert_int_equal(p[i], 0);
			assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
			memset(p, 0xAA, n);
		}
		http_reply(r, 200, "text/plain", TEXT("zeroed"));
	} else if (text_is(path, "/later") || text_is(path, "/drop-later") ||
	    text_is(path, "/never") || text_is(path, "/told")) {
		assert_true(held_count < sizeof held / sizeof *held);
		held[held_count++] = r;
		if (text_is(path, "/told"))
			http_on_deadline(r, told, r);
		if (text_is(path, "/later") || text_is(path, "/drop-later")) {
			answer_post.run = text_is(path, "/later") ? answer_held : drop_held;
			loop_post(loop, &answer_post);
		}
	} else {
		answer(r);
	}
}

static void
open_server(const char *cert, const char *key, unsigned connections)
{
	const struct httpd_conf conf = { .name = "sendsms", .interface = "127.0.0.1",
	    .cert_file = cert, .key_file = key, .body_most = BODY_MOST, .connections = connections,
	    .idle_s = 1, .slow_ms = SLOW_MS, .deadline_ms = DEADLINE_MS, .server = "Kantele/1" };
	struct err err = { 0 };

	httpd = httpd_open(loop, &conf, asked, &held_count, &err);
	if (httpd == NULL)
		print_error("%s\n", err.text);
	assert_non_null(httpd);
	assert_true(httpd_port(httpd) > 0);
}

static int
set_up(void **state)
{
	(void)state;
	held_count = asked_count = deadlines = 0;
	answer_post = (struct post){ 0 };
	log_set_level(LOG_LEVEL_PANIC);
	loop = loop_new(NULL);
	return loop != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	httpd_close(&httpd);
	loop_unpost(loop, &answer_post);
	loop_free(&loop);
	return 0;
}

/* ---- the client ---- */

struct client {
	pthread_t	 thread;
	struct post	 finished;
	const char	*send;
	size_t		 send_len, step;	/* octets at a time; 0: all */
	unsigned	 pause_ms;		/* between them */
	SSL_CTX		*tls;
	char		 got[ANSWER_MOST];
	size_t		 got_len;
	unsigned	 port;
	bool		 stays;			/* leaves without reading to the end */
	char		 peer[64];		/* common name of the server's certificate */
};

static int
client_connect(unsigned port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval patience = { 10, 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
client_talk_tls(struct client *c, int fd)
{
	SSL *ssl = SSL_new(c->tls);
	int n;

	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) == 1) {
		X509 *cert = SSL_get1_peer_certificate(ssl);

		X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, c->peer,
		    sizeof c->peer);
		X509_free(cert);
		SSL_write(ssl, c->send, (int)c->send_len);
		while ((n = SSL_read(ssl, c->got + c->got_len,
		    (int)(sizeof c->got - 1 - c->got_len))) > 0)
			c->got_len += (size_t)n;
	}
	SSL_free(ssl);
}

static void
client_talk(struct client *c, int fd)
{
	size_t at = 0, piece;
	ssize_t n;

	while (at < c->send_len) {
		piece = c->step > 0 && c->step < c->send_len - at ? c->step : c->send_len - at;
		n = send(fd, c->send + at, piece, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		at += (size_t)n;
		if (c->pause_ms > 0)
			usleep(c->pause_ms * 1000);
	}
	if (c->stays)
		return;
	while ((n = recv(fd, c->got + c->got_len, sizeof c->got - 1 - c->got_len, 0)) > 0)
		c->got_len += (size_t)n;
}

static void *
client_run(void *arg)
{
	struct client *c = arg;
	int fd = client_connect(c->port);

	if (fd != -1) {
		if (c->tls != NULL)
			client_talk_tls(c, fd);
		else
			client_talk(c, fd);
		close(fd);
	}
	c->got[c->got_len] = '\0';
	loop_post(loop, &c->finished);
	return NULL;
}

static void
stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* Sends, and returns what came back until the server closed. */
static const char *
exchange_in(struct client *c, const char *send, size_t len, size_t step, SSL_CTX *tls)
{
	memset(c, 0, sizeof *c);
	*c = (struct client){ .finished = { stop, NULL, NULL, false }, .send = send,
	    .send_len = len, .step = step, .tls = tls, .port = httpd_port(httpd) };
	assert_int_equal(pthread_create(&c->thread, NULL, client_run, c), 0);
	loop_run(loop);
	pthread_join(c->thread, NULL);
	return c->got;
}

static struct client client;

static const char *
exchange(const char *send, size_t step)
{
	return exchange_in(&client, send, strlen(send), step, NULL);
}

static const char *
body_of(const char *answer)
{
	const char *at = strstr(answer, "\r\n\r\n");

	return at != NULL ? at + 4 : "(no end of header)";
}

/* ---- what is answered ---- */

#define CLOSE	"Host: a\r\nConnection: close\r\n"

static const struct {
	const char	*name, *send, *status, *body;
} good_cases[] = {
	{ "GET", "GET /a?b=c HTTP/1.1\r\n" CLOSE "\r\n", "HTTP/1.1 202 ", "GET|/a|b=c|0 none" },
	{ "an answer in a later turn", "GET /later?b HTTP/1.1\r\n" CLOSE "\r\n",
	  "HTTP/1.1 202 ", "GET|/later|b|0 none" },
	{ "escapes stay as sent", "GET /a%2Fb?c=%00%zz+%26&&d HTTP/1.1\r\n" CLOSE "\r\n",
	  "HTTP/1.1 202 ", "GET|/a%2Fb|c=%00%zz+%26&&d|0 none" },
	{ "second question mark belongs to the query", "GET /a?b?c HTTP/1.1\r\n" CLOSE "\r\n",
	  "HTTP/1.1 202 ", "GET|/a|b?c|0 none" },
	{ "absolute form", "GET http://h:1/a?b HTTP/1.1\r\n" CLOSE "\r\n",
	  "HTTP/1.1 202 ", "GET|/a|b|0 none" },
	{ "POST with a length", "POST /a HTTP/1.1\r\n" CLOSE "Content-Length: 5\r\n\r\nhello",
	  "HTTP/1.1 202 ", "POST|/a||5" },
	{ "POST without a body", "POST /a HTTP/1.1\r\n" CLOSE "Content-Length: 0\r\n\r\n",
	  "HTTP/1.1 202 ", "POST|/a||0 none" },
	{ "POST in chunks", "POST /body HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n"
	  "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "HTTP/1.1 200 ", "abcde" },
	{ "a body that is answered later", "POST /later HTTP/1.1\r\n" CLOSE
	  "Content-Length: 5\r\n\r\nhello", "HTTP/1.1 202 ", "POST|/later||5" },
	{ "a GET may have a body", "GET /body HTTP/1.1\r\n" CLOSE "Content-Length: 2\r\n\r\nhi",
	  "HTTP/1.1 200 ", "hi" },
	{ "HEAD has a length and no body", "HEAD /a HTTP/1.1\r\n" CLOSE "\r\n", "HTTP/1.1 202 ", "" },
	{ "unknown methods are the door's business", "BREW /a HTTP/1.1\r\n" CLOSE "\r\n",
	  "HTTP/1.1 202 ", "BREW|/a||0 none" },
	{ "HTTP/1.0 needs no Host", "GET /a HTTP/1.0\r\n\r\n", "HTTP/1.", "GET|/a||0 none" },
	{ "header without regard to case", "GET /header HTTP/1.1\r\n" CLOSE "X-TEST: yes \r\n\r\n",
	  "HTTP/1.1 200 ", "yes" },
	{ "absent header", "GET /header HTTP/1.1\r\n" CLOSE "\r\n", "HTTP/1.1 200 ", "absent" },
	{ "memory of a request is zeroed", "GET /memory HTTP/1.1\r\n" CLOSE "\r\n",
	  "HTTP/1.1 200 ", "zeroed" },
	{ "two on one connection", "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /later HTTP/1.1\r\n" CLOSE
	  "\r\n", "HTTP/1.1 202 ", NULL },
};

static void
requests_are_answered(void **state)
{
	(void)state;
	open_server(NULL, NULL, 10);
	for (size_t i = 0; i < sizeof good_cases / sizeof *good_cases; i++)
		for (size_t step = 0; step < 2; step++) {	/* at once, octet by octet */
			const char *got = exchange(good_cases[i].send, step);

			print_message("  %s\n", good_cases[i].name);
			assert_memory_equal(got, good_cases[i].status, strlen(good_cases[i].status));
			if (good_cases[i].body != NULL)
				assert_string_equal(body_of(got), good_cases[i].body);
			else
				assert_non_null(strstr(got, "GET|/later||0 none"));
		}
}

static void
an_answer_has_its_header_and_nothing_injected(void **state)
{
	const char *got;

	(void)state;
	open_server(NULL, NULL, 10);
	got = exchange("GET /a HTTP/1.1\r\n" CLOSE "\r\n", 0);
	assert_non_null(strstr(got, "\r\nServer: Kantele/1\r\n"));
	assert_non_null(strstr(got, "\r\nContent-Type: text/plain\r\n"));
	assert_non_null(strstr(got, "\r\nX-Kantele-Id: a1\r\n"));
	assert_non_null(strstr(got, "\r\nDate: "));
	assert_null(strstr(got, "Set-Cookie"));
	assert_null(strstr(got, "X-Evil"));
}

#define TWO	"POST /a HTTP/1.1\r\nHost: a\r\n"
#define ONE	"GET /a HTTP/1.1\r\nHost: a\r\n"

/* `later`: how a connection's second request ends, which passes no gate; "": without a word. */
static const struct {
	const char	*name;
	struct text	 send;
	const char	*status, *later, *says;
} bad_cases[] = {
	{ "two different Content-Lengths", TEXT(TWO "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
	  "400", "400", "more than one Content-Length" },
	{ "two equal Content-Lengths", TEXT(TWO "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
	  "400", "400", "more than one Content-Length" },
	{ "Content-Length with Transfer-Encoding", TEXT(TWO "Content-Length: 5\r\nTransfer-Encoding: "
	  "chunked\r\n\r\n0\r\n\r\n"), "400", "400", "together" },
	{ "Transfer-Encoding with Content-Length", TEXT(TWO "Transfer-Encoding: chunked\r\nContent-Length: "
	  "5\r\n\r\n0\r\n\r\n"), "400", "400", "together" },
	{ "the same, hidden behind a tab", TEXT(TWO "Content-Length: 5\r\nTransfer-Encoding\t: chunked\r\n\r\n"
	  "0\r\n\r\n"), "400", "400", "blank" },
	{ "unknown Transfer-Encoding", TEXT(TWO "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), "501",
	  "501", "chunked" },
	{ "chunks in HTTP/1.0", TEXT("POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	  "400", "400", "HTTP/1.0" },
	{ "Content-Length that is no number", TEXT(TWO "Content-Length: five\r\n\r\nhello"), "400", "400",
	  NULL },
	{ "negative Content-Length", TEXT(TWO "Content-Length: -5\r\n\r\n"), "400", "400", NULL },
	{ "Content-Length over all bounds", TEXT(TWO "Content-Length: 99999999999999999999999\r\n\r\n"),
	  "413", "413", NULL },
	{ "body that is announced too long", TEXT(TWO "Expect: 100-continue\r\nContent-Length: 10001\r\n\r\n"),
	  "413", "413", "at most 10000 octets" },
	{ "body that is far too long to be read", TEXT(TWO "Content-Length: 1000000000\r\n\r\nx"), "413",
	  "413", "at most 10000 octets" },
	{ "no Host in HTTP/1.1", TEXT("GET /a HTTP/1.1\r\nConnection: close\r\n\r\n"), "400", "400",
	  "no Host" },
	{ "two Hosts", TEXT(ONE "Host: b\r\n\r\n"), "400", "400", "more than one Host" },
	{ "blank before the colon", TEXT("GET /a HTTP/1.1\r\nHost : a\r\n\r\n"), "400", "400", "blank" },
	{ "blank in a name", TEXT(ONE "A B: c\r\n\r\n"), "400", "400", "blank" },
	{ "control character in a name", TEXT(ONE "A\1B: c\r\n\r\n"), "400", "400", "character" },
	{ "no name", TEXT(ONE ": c\r\n\r\n"), "400", "400", NULL },
	{ "folded first field", TEXT("GET /a HTTP/1.1\r\n folded\r\nHost: a\r\n\r\n"), "400", "400", NULL },
	{ "folded field", TEXT(ONE "A: b\r\n c\r\n\r\n"), "400", "400", "folded" },
	{ "folded field that makes another name", TEXT(TWO "Content-: 5\r\n Length\r\n\r\nhello"), "400",
	  "400", "folded" },
	{ "folded last field", TEXT(ONE "A: b\r\n\r\n c\r\n"), "202", NULL, NULL },
	{ "field without a colon", TEXT(ONE "nonsense\r\n\r\n"), "400", "400", NULL },
	{ "CR alone", TEXT(ONE "A: b\rContent-Length: 5\r\n\r\n"), "400", "400", "CR" },
	{ "NUL in the method", TEXT("G\0ET /a HTTP/1.1\r\nHost: a\r\n\r\n"), "400", "400", "NUL" },
	{ "NUL in the address", TEXT("GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"), "400", "400", "NUL" },
	{ "NUL in a value", TEXT(ONE "A: b\0c\r\n\r\n"), "400", "400", "NUL" },
	{ "NUL in a name", TEXT(ONE "A\0B: c\r\n\r\n"), "400", "400", NULL },
	{ "NUL that would end the header", TEXT(ONE "\0A: b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
	  "400", "400", "NUL" },
	{ "NUL first", TEXT("\0GET /a HTTP/1.1\r\nHost: a\r\n\r\n"), "400", "400", NULL },
	{ "NUL for ever", TEXT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "400", "", NULL },
	{ "blank in the address", TEXT("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), "400", "400", "%20" },
	{ "control character in the address", TEXT("GET /a\1b HTTP/1.1\r\nHost: a\r\n\r\n"), "400", "400",
	  "control character" },
	{ "bad chunk size", TEXT(TWO "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "400", "400", NULL },
	{ "chunk size with a sign", TEXT(TWO "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n"),
	  "400", "400", NULL },
	{ "no line's end behind a chunk", TEXT(TWO "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX0\r\n\r\n"),
	  "400", "400", NULL },
	{ "chunk size over all bounds", TEXT(TWO "Transfer-Encoding: chunked\r\n\r\n"
	  "ffffffffffffffffffff\r\n"), "413", "413", NULL },
	{ "chunk of half of all octets there are", TEXT(TWO "Transfer-Encoding: chunked\r\n\r\n"
	  "8000000000000000\r\nx"), "408", "408", "body" },
	{ "TLS on a plain port", TEXT("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"), "400", "", NULL },
	{ "one word", TEXT("GARBAGE\r\n\r\n"), "400", "", NULL },
	{ "HTTP/0.9", TEXT("GET /a\r\n"), "400", "400", NULL },
	{ "HTTP/2", TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "505", "505", NULL },
};

static void
assert_status(const char *name, const char *got, const char *status)
{
	char want[32];

	snprintf(want, sizeof want, "HTTP/1.1 %s", status);
	if (*status != '\0' ? strncmp(got, want, strlen(want)) != 0 : *got != '\0')
		fail_msg("%s: wanted %s, got \"%.60s\"", name, status, got);
}

static void
hostile_requests_do_not_reach_the_handler(void **state)
{
	(void)state;
	open_server(NULL, NULL, 10);
	for (size_t i = 0; i < sizeof bad_cases / sizeof *bad_cases; i++) {
		unsigned taken = strcmp(bad_cases[i].status, "202") == 0;
		const char *got = exchange_in(&client, bad_cases[i].send.at, bad_cases[i].send.len, 0, NULL);

		assert_status(bad_cases[i].name, got, bad_cases[i].status);
		if (asked_count != taken)
			fail_msg("%s reached the handler", bad_cases[i].name);
		if (bad_cases[i].says != NULL && strstr(got, bad_cases[i].says) == NULL)
			fail_msg("%s: \"%s\"", bad_cases[i].name, got);
		if (!taken && strstr(got, "\r\nConnection: close\r\n") == NULL)
			fail_msg("%s: the connection stays", bad_cases[i].name);
		asked_count = 0;
	}
	exchange("GET /a HTTP/1.1\r\n" CLOSE "\r\n", 0);
	assert_int_equal(asked_count, 1);
}

/* Behind a good one, which the gate has seen, on a connection that others may share. */
static void
hostile_second_requests_do_not_reach_the_handler(void **state)
{
	static const char first[] = "GET /header HTTP/1.1\r\nHost: a\r\n\r\n", mark[] = "\r\n\r\nabsent";

	(void)state;
	open_server(NULL, NULL, 10);
	for (size_t i = 0; i < sizeof bad_cases / sizeof *bad_cases; i++) {
		char send[1000];
		const char *got;

		if (bad_cases[i].later == NULL)
			continue;
		memcpy(send, first, sizeof first - 1);
		memcpy(send + sizeof first - 1, bad_cases[i].send.at, bad_cases[i].send.len);
		asked_count = 0;
		got = strstr(exchange_in(&client, send, sizeof first - 1 + bad_cases[i].send.len, 0, NULL), mark);
		if (got == NULL || asked_count != 1)
			fail_msg("%s: \"%s\"", bad_cases[i].name, client.got);
		assert_status(bad_cases[i].name, got + sizeof mark - 1, bad_cases[i].later);
		if (bad_cases[i].says != NULL && strstr(got, bad_cases[i].says) == NULL)
			fail_msg("%s: \"%s\"", bad_cases[i].name, got);
	}
}

/* A client reads nothing before its whole body is sent: the answer must survive that. */
static void
too_long_a_body_still_hears_why(void **state)
{
	static const size_t sizes[] = { BODY_MOST, BODY_MOST + 1, 4 << 20 };

	(void)state;
	open_server(NULL, NULL, 10);
	for (unsigned i = 0; i < 6; i++) {
		size_t n = sizes[i / 2], head;
		char *send = malloc(n + 200);
		bool chunked = i % 2 == 1;

		head = (size_t)snprintf(send, 200, chunked ? "POST /a HTTP/1.1\r\n" CLOSE
		    "Transfer-Encoding: chunked\r\n\r\n%zx\r\n" : "POST /a HTTP/1.1\r\n" CLOSE
		    "Content-Length: %zu\r\n\r\n", n);
		memset(send + head, 'x', n);
		memcpy(send + head + n, "\r\n0\r\n\r\n", 7);
		exchange_in(&client, send, head + n + (chunked ? 7 : 0), 0, NULL);
		free(send);
		if (n <= BODY_MOST)
			assert_string_equal(body_of(client.got), "POST|/a||10000");
		else
			assert_memory_equal(client.got, "HTTP/1.1 413 ", 13);
	}
	assert_int_equal(asked_count, 2);
}

static void
too_long_a_header_is_refused(void **state)
{
	static char send[70000];

	(void)state;
	open_server(NULL, NULL, 10);
	memset(send, 'x', sizeof send - 1);
	memcpy(send, "GET /", 5);
	assert_memory_equal(exchange(send, 0), "HTTP/1.1 414 ", 13);
	memcpy(send, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 28);
	assert_memory_equal(exchange(send, 0), "HTTP/1.1 431 ", 13);
	memset(send, 'x', sizeof send - 1);
	memset(send + 7, '&', 600);
	memcpy(send, "GET /a?", 7);
	memcpy(send + 607, " HTTP/1.1\r\n" CLOSE "\r\n", 42);
	assert_memory_equal(exchange(send, 0), "HTTP/1.1 414 ", 13);
	assert_int_equal(asked_count, 0);
	memset(send, 'x', sizeof send - 1);
	memcpy(send, "GET /a?", 7);
	memcpy(send + 20000, " HTTP/1.1\r\n" CLOSE "\r\n", 42);
	assert_memory_equal(exchange(send, 0), "HTTP/1.1 202 ", 13);	/* 20 kB still go */
	assert_int_equal(asked_count, 1);
}

/* Fields beyond what the library can send are dropped: else nothing would be sent at all. */
static void
too_many_fields_do_not_cost_the_answer(void **state)
{
	char send[28100] = "GET /fields?";
	unsigned fields = 0;

	(void)state;
	open_server(NULL, NULL, 10);
	for (unsigned i = 0; i < 2; i++) {		/* with a short header, and with a long one */
		size_t n = i == 0 ? 100 : 28000;

		memset(send + 12, 'x', n - 12);
		memcpy(send + n, " HTTP/1.1\r\n" CLOSE "\r\n", 42);
		assert_memory_equal(exchange(send, 0), "HTTP/1.1 200 ", 13);
		assert_string_equal(body_of(client.got), "fields");
		fields = 0;
		for (const char *at = client.got; (at = strstr(at, "\r\nX-Field: ")) != NULL; at++)
			fields++;
		assert_in_range(fields, i == 0 ? 500 : 20, 999);
	}
}

/* ---- slow clients ---- */

static void
a_half_request_is_told_so(void **state)
{
	mono_t began = clock_mono();

	(void)state;
	open_server(NULL, NULL, 10);
	assert_memory_equal(exchange("GET /a HTTP/1.1\r\nHost: a\r\nConte", 0), "HTTP/1.1 408 ", 13);
	assert_memory_equal(exchange("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf", 0),
	    "HTTP/1.1 408 ", 13);
	assert_in_range(clock_mono() - began, 2 * SLOW_MS - 2, 10 * SLOW_MS);
	assert_string_equal(exchange("", 0), "");		/* nothing was said: nothing is answered */
	assert_int_equal(asked_count, 0);
}

static const struct {
	const char	*name, *send, *status;	/* "": closed */
	unsigned	 asked;
} drips[] = {
	{ "a header, octet by octet", "GET /a HTTP/1.1\r\nHost: a\r\nX: 0123456789012345678901234567890123456789"
	  "01234567890123456789012345678901234567890123456789\r\n\r\n", "408", 0 },
	{ "a request line, octet by octet", "GET /a0123456789012345678901234567890123456789012345678901234567890"
	  "123456789012345678901234567890123456789 HTTP/1.1\r\n\r\n", "408", 0 },
	{ "empty lines", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", "400", 0 },
};

/* An octet every 10 ms is never silent for long, and still has its end. */
static void
dripping_is_bounded(void **state)
{
	(void)state;
	open_server(NULL, NULL, 10);
	for (size_t i = 0; i < sizeof drips / sizeof *drips; i++) {
		mono_t began = clock_mono();

		memset(&client, 0, sizeof client);
		client = (struct client){ .finished = { stop, NULL, NULL, false }, .send = drips[i].send,
		    .send_len = strlen(drips[i].send), .step = 1, .pause_ms = 10,
		    .port = httpd_port(httpd) };
		assert_int_equal(pthread_create(&client.thread, NULL, client_run, &client), 0);
		loop_run(loop);
		pthread_join(client.thread, NULL);
		assert_status(drips[i].name, client.got, drips[i].status);
		assert_int_equal(asked_count, drips[i].asked);
		assert_true(clock_mono() - began < 5000);
	}
}

/* The body was given up, and comes after all: whoever was told 408 must not be served too. */
static void
who_was_told_is_not_served(void **state)
{
	static const char send[] = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n"
	    "0123456789012345678901234567890123456789";

	(void)state;
	open_server(NULL, NULL, 10);
	memset(&client, 0, sizeof client);
	client = (struct client){ .finished = { stop, NULL, NULL, false }, .send = send,
	    .send_len = sizeof send - 1, .step = sizeof send - 1 - 20, .pause_ms = 2 * SLOW_MS + 100,
	    .port = httpd_port(httpd) };
	assert_int_equal(pthread_create(&client.thread, NULL, client_run, &client), 0);
	loop_run(loop);
	pthread_join(client.thread, NULL);
	assert_status("late", client.got, "408");
	assert_int_equal(asked_count, 0);
}

static void
a_dropped_request_gets_no_answer(void **state)
{
	(void)state;
	open_server(NULL, NULL, 10);
	assert_string_equal(exchange("GET /drop HTTP/1.1\r\nHost: a\r\n\r\n", 0), "");
	assert_string_equal(exchange("GET /drop-later HTTP/1.1\r\nHost: a\r\n\r\n", 0), "");
	assert_int_equal(httpd_waiting(httpd), 0);
}

static void
the_deadline_is_told_once_in_order(void **state)
{
	mono_t began = clock_mono();

	(void)state;
	open_server(NULL, NULL, 10);
	assert_memory_equal(exchange("GET /told HTTP/1.1\r\n" CLOSE "\r\n", 0), "HTTP/1.1 503 ", 13);
	assert_true(clock_mono() - began >= DEADLINE_MS - 1);
	assert_int_equal(deadlines, 1);
	exchange("GET /told HTTP/1.1\r\nHost: a\r\n\r\nGET /a HTTP/1.1\r\n" CLOSE "\r\n", 0);
	assert_non_null(strstr(client.got, "HTTP/1.1 503 "));
	assert_non_null(strstr(client.got, "HTTP/1.1 202 "));
	assert_int_equal(deadlines, 2);
}

/* Suspended beyond the deadline and the library's own timeout of one second. */
static void
a_request_may_wait_longer_than_connections_idle(void **state)
{
	struct timer *late = timer_new(loop, answer_held, NULL);

	(void)state;
	open_server(NULL, NULL, 10);
	timer_set(late, 1500);
	assert_memory_equal(exchange("GET /never HTTP/1.1\r\n" CLOSE "\r\n", 0), "HTTP/1.1 202 ", 13);
	timer_free(&late);
}

static void
whoever_leaves_while_waiting_does_no_harm(void **state)
{
	struct client gone = { .finished = { stop, NULL, NULL, false }, .stays = true,
	    .send = "GET /never HTTP/1.1\r\nHost: a\r\n\r\n", .send_len = 33 };
	struct timer *look = timer_new(loop, stop, NULL);

	(void)state;
	open_server(NULL, NULL, 10);
	gone.port = httpd_port(httpd);
	assert_int_equal(pthread_create(&gone.thread, NULL, client_run, &gone), 0);
	loop_run(loop);
	pthread_join(gone.thread, NULL);
	while (held_count == 0) {	/* it may come after the client left */
		timer_set(look, 5);
		loop_run(loop);
	}
	answer_held(NULL);
	assert_memory_equal(exchange("GET /a HTTP/1.1\r\n" CLOSE "\r\n", 0), "HTTP/1.1 202 ", 13);
	timer_free(&look);
}

/* ---- many at once ---- */

enum { CROWD = 12 };

static struct client crowd[CROWD];
static unsigned crowd_back;

static void
crowd_finished(void *arg)
{
	(void)arg;
	if (++crowd_back == CROWD)
		loop_stop(loop);
}

static void
crowd_come(const char *send)
{
	crowd_back = 0;
	for (unsigned i = 0; i < CROWD; i++) {
		struct client *c = &crowd[i];

		memset(c, 0, sizeof *c);
		c->finished.run = crowd_finished;
		c->send = send;
		c->send_len = strlen(send);
		c->port = httpd_port(httpd);
		assert_int_equal(pthread_create(&c->thread, NULL, client_run, c), 0);
	}
	loop_run(loop);
	for (unsigned i = 0; i < CROWD; i++)
		pthread_join(crowd[i].thread, NULL);
}

static void
beyond_the_bound_connections_wait_and_are_served(void **state)
{
	(void)state;
	open_server(NULL, NULL, 3);
	crowd_come("GET /later HTTP/1.1\r\n" CLOSE "\r\n");
	for (unsigned i = 0; i < CROWD; i++)
		assert_memory_equal(crowd[i].got, "HTTP/1.1 202 ", 13);
}

enum { SILENT = 40 };

/* Connections that say nothing, or half a line, and those that were served and stay: all of them
 * together keep nobody out. */
static void
half_open_and_idle_connections_block_nobody(void **state)
{
	static const char *const words[] = { "", "GET /a HT", "GET /a HTTP/1.1\r\nHost: a\r\n",
	    "GET /a HTTP/1.1\r\nHost: a\r\n\r\n" };
	int fds[SILENT];

	(void)state;
	open_server(NULL, NULL, 3);
	for (unsigned round = 0; round < 4; round++) {
		mono_t began;

		for (unsigned i = 0; i < SILENT; i++) {
			fds[i] = client_connect(httpd_port(httpd));
			assert_true(fds[i] != -1);
			assert_true(send(fds[i], words[round], strlen(words[round]), MSG_NOSIGNAL) >= 0);
		}
		began = clock_mono();
		assert_memory_equal(exchange("GET /a HTTP/1.1\r\n" CLOSE "\r\n", 0), "HTTP/1.1 202 ", 13);
		if (clock_mono() - began >= SLOW_MS)
			fail_msg("\"%s\" delayed a good one by %lld ms", words[round],
			    (long long)(clock_mono() - began));
		for (unsigned i = 0; i < SILENT; i++)
			close(fds[i]);
	}
}

static unsigned wait_for;

static void
close_when_all_wait(void *arg)
{
	struct timer *t = *(struct timer **)arg;

	if (httpd_waiting(httpd) < wait_for) {
		timer_set(t, 2);
		return;
	}
	held_count = 0;		/* they are the server's again */
	httpd_close(&httpd);
}

/* MHD_stop_daemon would abort the process with a suspended connection. */
static void
closing_answers_those_who_wait(void **state)
{
	struct timer *t;

	(void)state;
	open_server(NULL, NULL, 20);
	wait_for = CROWD;
	t = timer_new(loop, close_when_all_wait, &t);
	timer_set(t, 1);
	crowd_come("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
	for (unsigned i = 0; i < CROWD; i++) {
		assert_memory_equal(crowd[i].got, "HTTP/1.1 503 ", 13);
		assert_non_null(strstr(crowd[i].got, "Retry-After: "));
	}
	assert_null(httpd);
	timer_free(&t);
}

static void
a_refusing_server_says_503_and_closes(void **state)
{
	const char *got;

	(void)state;
	open_server(NULL, NULL, 10);
	httpd_refuse(httpd, "not yet");
	got = exchange("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 0);
	assert_memory_equal(got, "HTTP/1.1 503 ", 13);
	assert_non_null(strstr(got, "\r\nRetry-After: "));
	assert_non_null(strstr(got, "\r\nConnection: close\r\n"));
	assert_non_null(strstr(got, "\r\n\r\nnot yet\n"));
	assert_memory_equal(exchange("GET /a HTTP/1.1\r\nHost: a\r\n\r\n", 0), "HTTP/1.1 503 ", 13);
	assert_int_equal(asked_count, 0);
	httpd_refuse(httpd, NULL);
	assert_memory_equal(exchange("GET /a HTTP/1.1\r\n" CLOSE "\r\n", 0), "HTTP/1.1 202 ", 13);
}

/* Requests of all kinds, over and over: nothing may pile up. */
static void
memory_does_not_grow(void **state)
{
	size_t after_warm_up = 0, now;

	(void)state;
	open_server(NULL, NULL, 20);
	for (unsigned round = 0; round < 60; round++) {
		const struct text bad = bad_cases[round % (sizeof bad_cases / sizeof *bad_cases)].send;

		exchange_in(&client, bad.at, bad.len, 0, NULL);
		crowd_come("POST /later HTTP/1.1\r\n" CLOSE "Content-Length: 5\r\n\r\nhello");
		now = mallinfo2().uordblks;
		if (round == 20)
			after_warm_up = now;
	}
	assert_true(mallinfo2().uordblks < after_warm_up + 64 * 1024);
}

/* ---- opening ---- */

static void
a_port_in_use_is_named(void **state)
{
	struct httpd_conf conf = { .name = "sendsms", .interface = "127.0.0.1", .connections = 10,
	    .idle_s = 1 };
	struct err err = { 0 };
	char want[80];

	(void)state;
	open_server(NULL, NULL, 10);
	conf.port = httpd_port(httpd);
	assert_null(httpd_open(loop, &conf, asked, NULL, &err));
	snprintf(want, sizeof want, "sendsms port %u: Address already in use", conf.port);
	assert_string_equal(err.text, want);
	err_clear(&err);
	conf.interface = NULL;		/* IPv6 alone would bind, and serve nobody who asks there */
	assert_null(httpd_open(loop, &conf, asked, NULL, &err));
	assert_string_equal(err.text, want);
}

static void
without_an_interface_both_families_are_served(void **state)
{
	const struct httpd_conf conf = { .name = "sendsms", .connections = 10, .idle_s = 1 };

	(void)state;
	httpd = httpd_open(loop, &conf, asked, &held_count, NULL);
	assert_non_null(httpd);
	assert_memory_equal(exchange("GET /a HTTP/1.1\r\n" CLOSE "\r\n", 0), "HTTP/1.1 202 ", 13);
}

/* ---- TLS ---- */

static const char *
data_file(const char *name, char out[512])
{
	const char *src = getenv("KANTELE_SRC");

	snprintf(out, 512, "%s/tests/data/tls/%s", src != NULL ? src : ".", name);
	return out;
}

static void
copy_file(const char *name, const char *to)
{
	char path[512], content[8192];
	FILE *in = fopen(data_file(name, path), "r"), *out = fopen(to, "w");
	size_t n;

	assert_non_null(in);
	assert_non_null(out);
	n = fread(content, 1, sizeof content, in);
	assert_int_equal(fwrite(content, 1, n, out), n);
	fclose(in);
	fclose(out);
}

static void
https_serves_and_takes_a_new_certificate(void **state)
{
	char cert[] = "/tmp/io_httpd_cert.XXXXXX", key[] = "/tmp/io_httpd_key.XXXXXX";
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	static const char get[] = "GET /later HTTP/1.1\r\n" CLOSE "\r\n";
	struct err err = { 0 };

	(void)state;
	close(mkstemp(cert));
	close(mkstemp(key));
	copy_file("server.pem", cert);
	copy_file("server.key", key);
	open_server(cert, key, 10);
	assert_memory_equal(exchange_in(&client, get, sizeof get - 1, 0, tls), "HTTP/1.1 202 ", 13);
	assert_string_equal(client.peer, "server");

	copy_file("other.pem", cert);	/* its key does not come with it */
	assert_int_equal(httpd_reload(httpd, &err), -1);
	print_message("  %s\n", err.text);
	assert_non_null(strstr(err.text, cert));
	exchange_in(&client, get, sizeof get - 1, 0, tls);
	assert_string_equal(client.peer, "server");
	assert_memory_equal(client.got, "HTTP/1.1 202 ", 13);

	copy_file("other.key", key);
	assert_int_equal(httpd_reload(httpd, NULL), 0);
	for (int i = 0; i < 3; i++) {
		exchange_in(&client, get, sizeof get - 1, 0, tls);
		assert_string_equal(client.peer, "other");
		assert_memory_equal(client.got, "HTTP/1.1 202 ", 13);
	}
	SSL_CTX_set_max_proto_version(tls, TLS1_1_VERSION);
	assert_string_equal(exchange_in(&client, get, sizeof get - 1, 0, tls), "");
	SSL_CTX_free(tls);
	unlink(cert);
	unlink(key);
}

struct reload {
	struct timer	*timer;
	int		 result;
};

static void
reload_while_waiting(void *arg)
{
	struct reload *r = arg;

	if (held_count == 0) {
		timer_set(r->timer, 2);
		return;
	}
	r->result = httpd_reload(httpd, NULL);
	answer_post.run = answer_held;
	loop_post(loop, &answer_post);
}

static void
a_reload_keeps_the_requests_that_wait(void **state)
{
	char cert[512], key[512];
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	static const char get[] = "GET /never HTTP/1.1\r\n" CLOSE "\r\n";
	struct reload reload = { .result = -1 };

	(void)state;
	open_server(data_file("server.pem", cert), data_file("server.key", key), 10);
	reload.timer = timer_new(loop, reload_while_waiting, &reload);
	timer_set(reload.timer, 1);
	assert_memory_equal(exchange_in(&client, get, sizeof get - 1, 0, tls), "HTTP/1.1 202 ", 13);
	assert_int_equal(reload.result, 0);
	timer_free(&reload.timer);
	SSL_CTX_free(tls);
}

static void
a_missing_certificate_is_named(void **state)
{
	struct httpd_conf conf = { .name = "admin", .interface = "127.0.0.1", .connections = 10,
	    .cert_file = "/nonexistent/cert", .key_file = "/nonexistent/key" };
	struct err err = { 0 };

	(void)state;
	assert_null(httpd_open(loop, &conf, asked, NULL, &err));
	assert_string_equal(err.text, "/nonexistent/cert: No such file or directory");
	err_clear(&err);
	conf.key_file = NULL;
	assert_null(httpd_open(loop, &conf, asked, NULL, &err));
	assert_non_null(strstr(err.text, "key"));
}

int
main(void)
{
#define ROW(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(requests_are_answered),
		ROW(an_answer_has_its_header_and_nothing_injected),
		ROW(hostile_requests_do_not_reach_the_handler),
		ROW(hostile_second_requests_do_not_reach_the_handler),
		ROW(too_long_a_body_still_hears_why),
		ROW(too_long_a_header_is_refused),
		ROW(too_many_fields_do_not_cost_the_answer),
		ROW(a_half_request_is_told_so),
		ROW(dripping_is_bounded),
		ROW(who_was_told_is_not_served),
		ROW(a_dropped_request_gets_no_answer),
		ROW(the_deadline_is_told_once_in_order),
		ROW(a_request_may_wait_longer_than_connections_idle),
		ROW(whoever_leaves_while_waiting_does_no_harm),
		ROW(beyond_the_bound_connections_wait_and_are_served),
		ROW(half_open_and_idle_connections_block_nobody),
		ROW(closing_answers_those_who_wait),
		ROW(a_refusing_server_says_503_and_closes),
		ROW(memory_does_not_grow),
		ROW(a_port_in_use_is_named),
		ROW(without_an_interface_both_families_are_served),
		ROW(https_serves_and_takes_a_new_certificate),
		ROW(a_reload_keeps_the_requests_that_wait),
		ROW(a_missing_certificate_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
