/*
 * io_stream_test.c - streams over real sockets on 127.0.0.1, plain and TLS, both ends on one loop
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop.h"
#include "io/stream.h"

enum { MIB = 1024 * 1024, PATIENCE_MS = 5000 };

enum when { NEVER, UP, INPUT, DOWN, DRAINED };

struct side {
	struct stream	*stream;
	unsigned	 ups, inputs, downs, draineds;
	size_t		 got;			/* octets, consumed */
	uint8_t		 next;			/* the octet that must come */
	bool		 keeps;			/* input is not consumed */
	enum when	 frees;			/* itself, in that callback */
	enum when	 stops;			/* the loop, in that callback */
	size_t		 stops_at;		/* or when that much came */
	struct err	 why;
};

static struct loop *loop;
static struct listener *listener;
static struct side near, far;		/* connected; taken by the listener */
static struct timer *patience;
static bool impatient;

static void
happened(struct side *s, enum when what)
{
	if (s->frees == what)
		stream_free(&s->stream);
	if (s->stops == what)
		loop_stop(loop);
}

static void
on_up(void *arg)
{
	struct side *s = arg;

	s->ups++;
	happened(s, UP);
}

static void
on_input(void *arg)
{
	struct side *s = arg;
	struct text t;

	s->inputs++;
	while (!s->keeps && (t = stream_peek(s->stream, 1000)).len > 0) {
		for (size_t i = 0; i < t.len; i++)
			assert_int_equal((uint8_t)t.at[i], s->next++);
		s->got += t.len;
		stream_consume(s->stream, t.len);
	}
	if (s->stops_at > 0 && s->got >= s->stops_at)
		loop_stop(loop);
	happened(s, INPUT);
}

static void
on_down(void *arg, const struct err *why)
{
	struct side *s = arg;

	assert_int_equal(s->downs++, 0);
	s->why = *why;
	happened(s, DOWN);
}

static void
on_drained(void *arg)
{
	struct side *s = arg;

	s->draineds++;
	happened(s, DRAINED);
}

static const struct stream_events events = { on_up, on_input, on_down, on_drained };

static void
on_taken(void *arg, struct stream *taken)
{
	assert_ptr_equal(arg, &far);
	if (far.stream != NULL) {
		stream_free(&taken);
		return;
	}
	far.stream = taken;
	stream_attach(taken, &events, &far);
	happened(&far, UP);
}

static void
patience_ends(void *arg)
{
	(void)arg;
	impatient = true;
	loop_stop(loop);
}

static void
run(void)
{
	timer_set(patience, PATIENCE_MS);
	impatient = false;
	loop_run(loop);
	timer_cancel(patience);
	assert_false(impatient);
}

static void
run_for(int64_t ms)
{
	timer_set(patience, ms);
	loop_run(loop);
	timer_cancel(patience);
}

static int
set_up(void **state)
{
	(void)state;
	near = far = (struct side){ 0 };
	loop = loop_new(NULL);
	if (loop == NULL)
		return -1;
	patience = timer_new(loop, patience_ends, NULL);
	listener = listener_open(loop, "127.0.0.1", 0, NULL, on_taken, &far, NULL);
	return patience != NULL && listener != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	stream_free(&near.stream);
	stream_free(&far.stream);
	listener_free(&listener);
	timer_free(&patience);
	loop_free(&loop);
	return 0;
}

static void
call(const char *host, const char *our_host, unsigned our_port, const struct stream_tls *tls)
{
	struct err err = { 0 };

	near.stream = stream_connect(loop, host, listener_port(listener), our_host, our_port, tls,
	    PATIENCE_MS, &events, &near, &err);
	if (near.stream == NULL)
		print_error("%s\n", err.text);
	assert_non_null(near.stream);
	assert_int_equal(near.ups + near.downs, 0);	/* never inside the call */
}

/* Both ends stand. */
static void
connected(const struct stream_tls *tls)
{
	near.stops = UP;
	call("127.0.0.1", NULL, 0, tls);
	run();
	near.stops = NEVER;
	while (far.stream == NULL)
		run_for(1);
	assert_int_equal(near.ups, 1);
}

/* 0 1 2 … 255 0 1 …, continued where the last call ended */
static void
say(struct stream *s, size_t n)
{
	static uint8_t next, octets[MIB];

	if (stream_unsent(s) == 0 && n == 0)
		next = 0;
	for (size_t i = 0; i < n; i++)
		octets[i] = next++;
	if (n > 0)
		assert_int_equal(stream_write(s, octets, n), 0);
}

static const char *
data_file(const char *name)
{
	static char paths[4][512];
	static unsigned next;
	const char *src = getenv("KANTELE_SRC");
	char *path = paths[next++ % 4];

	snprintf(path, 512, "%s/tests/data/tls/%s", src != NULL ? src : ".", name);
	return path;
}

/* ---- octets ---- */

static void
octets_go_both_ways_in_order(void **state)
{
	(void)state;
	connected(NULL);
	say(near.stream, 0);
	far.stops_at = 300000;
	for (unsigned i = 0; i < 3000; i++)
		say(near.stream, 100);
	assert_int_equal(stream_unsent(near.stream), 300000);
	run();
	assert_int_equal(far.got, 300000);
	near.stops_at = 10;
	near.next = (uint8_t)300000;
	say(far.stream, 10);
	run();
	assert_int_equal(near.got, 10);
	assert_int_equal(far.downs + near.downs, 0);
}

static void
what_is_written_before_the_line_is_up_leaves_then(void **state)
{
	(void)state;
	call("127.0.0.1", NULL, 0, NULL);
	say(near.stream, 0);
	say(near.stream, 50);
	far.stops_at = 50;
	run();
	assert_int_equal(near.ups, 1);
}

static void
one_turn_leaves_in_one_piece(void **state)
{
	(void)state;
	connected(NULL);
	far.stops_at = 4000;
	say(near.stream, 0);
	for (unsigned i = 0; i < 40; i++)
		say(near.stream, 100);
	run();
	assert_int_equal(far.inputs, 1);
}

static void
a_peek_is_contiguous_over_any_split(void **state)
{
	struct text t;

	(void)state;
	connected(NULL);
	far.keeps = true;
	say(near.stream, 0);
	for (unsigned i = 0; i < 20; i++) {	/* a turn for each: pieces of their own */
		far.stops = INPUT;
		say(near.stream, 777);
		run();
	}
	assert_int_equal(stream_waiting(far.stream), 20 * 777);
	for (size_t want = 1; want <= 20 * 777; want = want * 3 + 1) {
		t = stream_peek(far.stream, want);
		assert_int_equal(t.len, want);
		for (size_t i = 0; i < want; i++)
			assert_int_equal((uint8_t)t.at[i], i & 255);
	}
	stream_consume(far.stream, 20 * 777 - 3);
	t = stream_peek(far.stream, 16);
	assert_int_equal(t.len, 3);
	stream_consume(far.stream, 3);
	assert_int_equal(stream_peek(far.stream, 16).len, 0);
}

static void
more_than_the_limit_is_refused_and_drained_is_told(void **state)
{
	static const uint8_t octets[MIB];

	(void)state;
	connected(NULL);
	far.keeps = true;
	assert_int_equal(stream_write(near.stream, octets, MIB), 0);
	assert_int_equal(stream_write(near.stream, octets, 1), -1);
	near.stops = DRAINED;
	run();
	assert_true(stream_unsent(near.stream) <= 64 * 1024);
	assert_int_equal(stream_write(near.stream, octets, 1000), 0);
}

static void
a_paused_stream_is_silent_and_then_tells_what_came(void **state)
{
	(void)state;
	connected(NULL);
	stream_pause(far.stream, true);
	say(near.stream, 0);
	say(near.stream, 100);
	run_for(30);
	assert_int_equal(far.inputs, 0);
	far.stops_at = 100;
	stream_pause(far.stream, false);
	run();

	far.keeps = true;			/* left lying, then paused: told again */
	far.stops = INPUT;
	say(near.stream, 10);
	run();
	stream_pause(far.stream, true);
	far.keeps = false;
	stream_pause(far.stream, false);
	run();
	assert_int_equal(far.got, 110);
}

/* Whoever neither reads nor pauses costs a bounded amount, and no time. */
static void
unread_input_is_bounded(void **state)
{
	static const uint8_t octets[MIB];
	unsigned inputs;

	(void)state;
	connected(NULL);
	far.keeps = true;
	for (unsigned i = 0; i < 40; i++) {
		stream_write(near.stream, octets, MIB - stream_unsent(near.stream));
		run_for(3);
	}
	assert_true(stream_waiting(far.stream) >= MIB);
	assert_true(stream_waiting(far.stream) < 2 * MIB);
	inputs = far.inputs;
	run_for(30);
	assert_true(far.inputs <= inputs + 1);
	stream_consume(far.stream, stream_waiting(far.stream));
	far.stops = INPUT;
	run();
}

/* ---- ends ---- */

static const struct {
	const char	*name;
	enum when	 near_frees, far_frees;
} free_cases[] = {
	{ "in up", UP, NEVER },
	{ "in input", INPUT, NEVER },
	{ "in drained", DRAINED, NEVER },
	{ "the taken one in input", NEVER, INPUT },
	{ "in down", DOWN, INPUT },
};

static void
a_stream_may_be_freed_in_any_of_its_callbacks(void **state)
{
	const struct stream_tls server = { .certkey_file = data_file("server-both.pem") };
	const struct stream_tls client = { .ca_file = data_file("ca.pem"), .server_name = "localhost" };

	for (size_t i = 0; i < 2 * (sizeof free_cases / sizeof *free_cases); i++) {
		bool tls = i % 2 == 1, said = false;

		tear_down(state);
		set_up(state);
		print_message("  %s%s\n", free_cases[i / 2].name, tls ? ", TLS" : "");
		if (tls) {
			listener_free(&listener);
			listener = listener_open(loop, "127.0.0.1", 0, &server, on_taken, &far, NULL);
			assert_non_null(listener);
		}
		near.frees = free_cases[i / 2].near_frees;
		far.frees = free_cases[i / 2].far_frees;
		far.keeps = true;
		near.keeps = true;
		call("127.0.0.1", NULL, 0, tls ? &client : NULL);
		assert_int_equal(stream_write(near.stream, "abc", 3), 0);
		for (int turn = 0; turn < 200 && ((near.frees != NEVER && near.stream != NULL) ||
		    (far.frees != NEVER && far.stream != NULL)); turn++) {
			if (far.stream != NULL && !said && far.downs == 0)
				said = stream_write(far.stream, "def", 3) == 0;
			run_for(5);
		}
		assert_true(near.frees == NEVER || near.stream == NULL);
		assert_true(far.frees == NEVER || far.stream == NULL);
	}
}

static void
the_other_end_closes(void **state)
{
	char want[80];

	(void)state;
	connected(NULL);
	near.stops = DOWN;
	say(far.stream, 0);
	say(far.stream, 20);
	near.stops_at = 20;
	run();
	near.stops_at = 0;
	stream_free(&far.stream);
	run();
	assert_int_equal(near.got, 20);
	snprintf(want, sizeof want, "127.0.0.1:%u closed the connection", listener_port(listener));
	assert_string_equal(near.why.text, want);
	assert_int_equal(near.why.code, ERR_PEER);
	assert_int_equal(stream_write(near.stream, "x", 1), -1);
}

static void
input_comes_before_the_end(void **state)
{
	(void)state;
	connected(NULL);
	say(far.stream, 0);
	say(far.stream, 5000);
	stream_finish(&far.stream, 1000);
	near.stops = DOWN;
	run();
	assert_int_equal(near.got, 5000);
}

static void
a_finished_stream_still_delivers(void **state)
{
	(void)state;
	connected(NULL);
	say(near.stream, 0);
	say(near.stream, 900000);
	stream_write(far.stream, "unread, which would reset the connection", 40);
	stream_finish(&near.stream, 2000);
	assert_null(near.stream);
	far.stops = DOWN;
	run();
	assert_int_equal(far.got, 900000);
	assert_non_null(strstr(far.why.text, "closed the connection"));
}

/* The peer does not read: its time ends, and what is left ends with the loop. */
static void
a_finished_stream_does_not_wait_for_ever(void **state)
{
	static const uint8_t octets[MIB];

	(void)state;
	connected(NULL);
	stream_pause(far.stream, true);
	for (unsigned i = 0; i < 30; i++) {	/* beyond what the kernel takes */
		stream_write(near.stream, octets, MIB - stream_unsent(near.stream));
		run_for(2);
	}
	stream_finish(&near.stream, 50);
	far.keeps = false;
	run_for(100);
	far.next = 0;
	far.keeps = true;
	stream_pause(far.stream, false);
	far.stops = DOWN;
	for (int i = 0; i < 1000 && far.downs == 0; i++) {
		if (stream_waiting(far.stream) > 0)
			stream_consume(far.stream, stream_waiting(far.stream));
		run_for(2);
	}
	assert_int_equal(far.downs, 1);
}

static void
orphans_end_with_the_loop(void **state)
{
	(void)state;
	connected(NULL);
	stream_write(near.stream, "abc", 3);
	stream_finish(&near.stream, 100000);	/* leaks are the sanitizer's to find */
}

/* ---- connecting ---- */

/* A port where nobody listens any more. */
static void
call_nobody(const struct stream_tls *tls, char want[80])
{
	unsigned port = listener_port(listener);

	snprintf(want, 80, "127.0.0.1:%u: Connection refused", port);
	listener_free(&listener);
	near.stops = DOWN;
	near.stream = stream_connect(loop, "127.0.0.1", port, NULL, 0, tls, PATIENCE_MS, &events,
	    &near, NULL);
	assert_non_null(near.stream);
	run();
}

static void
nobody_listens_there(void **state)
{
	char want[80];

	(void)state;
	call_nobody(NULL, want);
	assert_string_equal(near.why.text, want);
	assert_int_equal(near.ups, 0);
}

static void
names_are_looked_up(void **state)
{
	(void)state;
	near.stops = UP;
	call("localhost", NULL, 0, NULL);	/* ::1 may refuse: then 127.0.0.1 is tried */
	run();
	assert_non_null(strstr(stream_peer(near.stream), "localhost:"));
}

static void
a_name_that_does_not_exist_is_an_error_in_time(void **state)
{
	mono_t began = clock_mono();

	(void)state;
	near.stream = stream_connect(loop, "no-such-host.invalid", 1, NULL, 0, NULL, 200, &events,
	    &near, NULL);
	assert_non_null(near.stream);
	near.stops = DOWN;
	run();
	print_message("  %s\n", near.why.text);
	assert_non_null(strstr(near.why.text, "no-such-host.invalid"));
	assert_true(clock_mono() - began < 2000);
}

static void
freed_while_the_name_is_looked_up(void **state)
{
	(void)state;
	near.stream = stream_connect(loop, "no-such-host.invalid", 1, NULL, 0, NULL, 200, &events,
	    &near, NULL);
	stream_free(&near.stream);
	run_for(30);
	assert_int_equal(near.downs, 0);
	near.stream = stream_connect(loop, "no-such-host.invalid", 1, NULL, 0, NULL, 200, &events,
	    &near, NULL);
	stream_free(&near.stream);	/* and the loop ends before the answer */
}

static unsigned
free_port(void)
{
	struct listener *l = listener_open(loop, "127.0.0.2", 0, NULL, on_taken, &far, NULL);
	unsigned port;

	assert_non_null(l);
	port = listener_port(l);
	listener_free(&l);
	return port;
}

static const struct {
	const char	*name, *host, *our_host;
	bool		 our_port, tls;
} bind_cases[] = {
	{ "our address", "127.0.0.1", "127.0.0.2", false, false },
	{ "our port", "127.0.0.1", NULL, true, false },
	{ "both", "127.0.0.1", "127.0.0.2", true, false },
	{ "both, the peer by name", "localhost", "127.0.0.2", true, false },
	{ "both with TLS", "127.0.0.1", "127.0.0.2", true, true },
	{ "both with TLS, the peer by name", "localhost", "127.0.0.2", true, true },
};

static void
our_side_is_bound(void **state)
{
	const struct stream_tls server = { .certkey_file = data_file("server-both.pem") };
	const struct stream_tls client = { .ca_file = data_file("ca.pem") };

	for (size_t i = 0; i < sizeof bind_cases / sizeof *bind_cases; i++) {
		unsigned port = 0;
		char want[40];

		tear_down(state);
		set_up(state);
		print_message("  %s\n", bind_cases[i].name);
		if (bind_cases[i].tls) {
			listener_free(&listener);
			listener = listener_open(loop, "127.0.0.1", 0, &server, on_taken, &far, NULL);
		}
		if (bind_cases[i].our_port)
			port = free_port();
		near.stops = UP;
		call(bind_cases[i].host, bind_cases[i].our_host, port,
		    bind_cases[i].tls ? &client : NULL);
		run();
		while (far.stream == NULL)
			run_for(1);
		snprintf(want, sizeof want, port != 0 ? "%s:%u" : "%s:",
		    bind_cases[i].our_host != NULL ? bind_cases[i].our_host : "127.0.0.1", port);
		assert_memory_equal(stream_peer(far.stream), want, strlen(want));
	}
}

static void
a_foreign_address_cannot_be_ours(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_null(stream_connect(loop, "127.0.0.1", 1, "192.0.2.1", 0, NULL, 100, &events, &near, &err));
	assert_string_equal(err.text, "our own address: Cannot assign requested address");
	err_clear(&err);
	assert_null(stream_connect(loop, "127.0.0.1", 1, "smsc.example", 0, NULL, 100, &events, &near, &err));
	assert_string_equal(err.text, "smsc.example is no address to connect to 127.0.0.1 from");
}

static void
a_port_in_use_is_named(void **state)
{
	struct err err = { 0 };
	char want[80];

	(void)state;
	assert_null(listener_open(loop, "127.0.0.1", listener_port(listener), NULL, on_taken, &far, &err));
	snprintf(want, sizeof want, "port %u: Address already in use", listener_port(listener));
	assert_string_equal(err.text, want);
}

/* ---- TLS ---- */

static const struct {
	const char	*name, *server, *ca, *server_name, *host;
	bool		 no_verify;
	const char	*why;		/* NULL: it stands */
} tls_cases[] = {
	{ "address in the certificate", "server-both.pem", "ca.pem", NULL, "127.0.0.1", false, NULL },
	{ "name in the certificate", "server-both.pem", "ca.pem", NULL, "localhost", false, NULL },
	{ "name that is configured", "other-both.pem", "ca.pem", "smsc.example", "127.0.0.1", false, NULL },
	{ "another name", "server-both.pem", "ca.pem", "smsc.example", "127.0.0.1", false,
	  "certificate of smsc.example is not trusted: hostname mismatch" },
	{ "another address", "other-both.pem", "ca.pem", NULL, "127.0.0.1", false,
	  "certificate of 127.0.0.1 is not trusted: IP address mismatch" },
	{ "unknown authority", "server-both.pem", "other.pem", NULL, "127.0.0.1", false,
	  "certificate of 127.0.0.1 is not trusted: unable to get local issuer certificate" },
	{ "the system's authorities do not know it", "server-both.pem", NULL, NULL, "127.0.0.1", false,
	  "certificate of 127.0.0.1 is not trusted: unable to get local issuer certificate" },
	{ "not verified when told so", "server-both.pem", "other.pem", "smsc.example", "127.0.0.1", true, NULL },
};

static void
certificates_are_verified(void **state)
{
	for (size_t i = 0; i < sizeof tls_cases / sizeof *tls_cases; i++) {
		const struct stream_tls server = { .certkey_file = data_file(tls_cases[i].server) };
		const struct stream_tls client = { .server_name = tls_cases[i].server_name,
		    .ca_file = tls_cases[i].ca != NULL ? data_file(tls_cases[i].ca) : NULL,
		    .no_verify = tls_cases[i].no_verify };

		tear_down(state);
		set_up(state);
		print_message("  %s\n", tls_cases[i].name);
		listener_free(&listener);
		listener = listener_open(loop, "127.0.0.1", 0, &server, on_taken, &far, NULL);
		assert_non_null(listener);
		near.stops = tls_cases[i].why != NULL ? DOWN : UP;
		call(tls_cases[i].host, NULL, 0, &client);
		say(near.stream, 0);
		say(near.stream, 100);		/* must not leave to an impostor */
		run();
		if (tls_cases[i].why != NULL) {
			assert_string_equal(near.why.text, tls_cases[i].why);
			run_for(10);
			assert_int_equal(far.got, 0);
			continue;
		}
		far.stops_at = 100;
		run();
		say(near.stream, 500000);
		far.stops_at = 500100;
		run();
		stream_finish(&near.stream, 1000);
		far.stops = DOWN;
		run();
		assert_non_null(strstr(far.why.text, "closed the connection"));
	}
}

static void
a_peer_without_tls_is_told_apart(void **state)
{
	const struct stream_tls client = { .ca_file = data_file("ca.pem") };

	(void)state;
	far.keeps = true;
	call("127.0.0.1", NULL, 0, &client);
	while (far.stream == NULL)
		run_for(1);
	stream_write(far.stream, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	near.stops = DOWN;
	run();
	print_message("  %s\n", near.why.text);
	assert_non_null(strstr(near.why.text, ": TLS: wrong version number"));
}

static void
a_silent_peer_ends_at_the_timeout(void **state)
{
	const struct stream_tls client = { .ca_file = data_file("ca.pem") };
	mono_t began = clock_mono();

	(void)state;
	near.stream = stream_connect(loop, "127.0.0.1", listener_port(listener), NULL, 0, &client, 80,
	    &events, &near, NULL);
	far.keeps = true;
	near.stops = DOWN;
	run();
	assert_non_null(strstr(near.why.text, "does not answer"));
	assert_true(clock_mono() - began >= 79);
}

static void
tls_to_nobody(void **state)
{
	const struct stream_tls client = { .ca_file = data_file("ca.pem") };

	char want[80];

	(void)state;
	call_nobody(&client, want);
	assert_string_equal(near.why.text, want);
}

static void
bad_files_are_named(void **state)
{
	const struct stream_tls missing = { .ca_file = "/nonexistent/ca.pem" };
	const struct stream_tls no_key = { .certkey_file = data_file("server.pem") };
	struct err err = { 0 };

	(void)state;
	assert_null(stream_connect(loop, "127.0.0.1", 1, NULL, 0, &missing, 100, &events, &near, &err));
	assert_string_equal(err.text, "/nonexistent/ca.pem: No such file or directory");
	err_clear(&err);
	assert_null(listener_open(loop, "127.0.0.1", 0, &no_key, on_taken, &far, &err));
	assert_non_null(strstr(err.text, "server.pem: the certificate's private key is not in it"));
}

int
main(void)
{
#define ROW(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(octets_go_both_ways_in_order),
		ROW(what_is_written_before_the_line_is_up_leaves_then),
		ROW(one_turn_leaves_in_one_piece),
		ROW(a_peek_is_contiguous_over_any_split),
		ROW(more_than_the_limit_is_refused_and_drained_is_told),
		ROW(a_paused_stream_is_silent_and_then_tells_what_came),
		ROW(unread_input_is_bounded),
		ROW(a_stream_may_be_freed_in_any_of_its_callbacks),
		ROW(the_other_end_closes),
		ROW(input_comes_before_the_end),
		ROW(a_finished_stream_still_delivers),
		ROW(a_finished_stream_does_not_wait_for_ever),
		ROW(orphans_end_with_the_loop),
		ROW(nobody_listens_there),
		ROW(names_are_looked_up),
		ROW(a_name_that_does_not_exist_is_an_error_in_time),
		ROW(freed_while_the_name_is_looked_up),
		ROW(our_side_is_bound),
		ROW(a_foreign_address_cannot_be_ours),
		ROW(a_port_in_use_is_named),
		ROW(certificates_are_verified),
		ROW(a_peer_without_tls_is_told_apart),
		ROW(a_silent_peer_ends_at_the_timeout),
		ROW(tls_to_nobody),
		ROW(bad_files_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
