/*
 * io_fetch_test.c - callbacks against our own HTTP server on the same loop
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "io/fetch.h"
#include "io/httpd.h"
#include "io/loop.h"

enum { MANY = 200, PATIENCE_MS = 5000 };

static struct loop *loop;
static struct httpd *server;
static struct fetch *fetch;
static struct timer *patience;
static unsigned asked_count, connections, last_port, done_count, done_wanted;
static char asked_path[256], agent[64];
static struct fetch_result last;
static struct http_request *held;

static void
asked(void *arg, struct http_request *r)
{
	static char big[200000];
	struct text path = http_path(r);
	struct sockaddr_in from;

	(void)arg;
	memcpy(&from, http_client(r), sizeof from);
	connections += from.sin_port != last_port;
	last_port = from.sin_port;
	asked_count++;
	snprintf(asked_path, sizeof asked_path, "%.*s?%.*s", TEXT_ARGS(path), TEXT_ARGS(http_query(r)));
	snprintf(agent, sizeof agent, "%.*s", TEXT_ARGS(http_header(r, "User-Agent")));
	if (text_is(path, "/silent")) {
		held = r;
	} else if (text_is(path, "/drop")) {
		http_drop(r);
	} else if (text_is(path, "/redirect")) {
		http_reply_header(r, "Location", "/ok");
		http_reply(r, 302, "text/plain", TEXT("there"));
	} else if (text_is(path, "/big")) {
		http_reply(r, 200, "text/plain", (struct text){ big, sizeof big });
	} else if (text_is(path, "/500")) {
		http_reply(r, 500, "text/plain", TEXT("no"));
	} else if (text_is(path, "/204")) {
		http_reply(r, 204, NULL, TEXT(""));
	} else {
		http_reply(r, 200, "text/plain", TEXT("ok"));
	}
}

static void
patience_ends(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static const char *
data_file(const char *name, char out[512])
{
	const char *src = getenv("KANTELE_SRC");

	snprintf(out, 512, "%s/tests/data/tls/%s", src != NULL ? src : ".", name);
	return out;
}

static void
open_server(bool tls)
{
	char cert[512], key[512];
	const struct httpd_conf conf = { .name = "receiver", .interface = "127.0.0.1",
	    .connections = 500, .idle_s = 10, .body_most = 1000,
	    .cert_file = tls ? data_file("server.pem", cert) : NULL,
	    .key_file = tls ? data_file("server.key", key) : NULL };

	httpd_close(&server);
	server = httpd_open(loop, &conf, asked, NULL, NULL);
	assert_non_null(server);
}

static void
open_fetch(const struct fetch_conf *conf)
{
	struct fetch_conf c = *conf;

	fetch_free(&fetch);
	if (c.timeout_ms == 0)
		c.timeout_ms = 2000;
	if (c.connections == 0)
		c.connections = 50;
	fetch = fetch_new(loop, &c, NULL);
	assert_non_null(fetch);
}

static int
set_up(void **state)
{
	(void)state;
	asked_count = connections = last_port = done_count = 0;
	held = NULL;
	loop = loop_new(NULL);
	if (loop == NULL)
		return -1;
	patience = timer_new(loop, patience_ends, NULL);
	open_server(false);
	open_fetch(&(struct fetch_conf){ .user_agent = "Kantele/test" });
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	fetch_free(&fetch);
	httpd_close(&server);
	timer_free(&patience);
	loop_free(&loop);
	return 0;
}

static void
done(void *arg, const struct fetch_result *result)
{
	(void)arg;
	last = *result;
	if (++done_count == done_wanted)
		loop_stop(loop);
}

static void
run(unsigned wanted)
{
	done_wanted = wanted;
	timer_set(patience, PATIENCE_MS);
	loop_run(loop);
	timer_cancel(patience);
	assert_int_equal(done_count, wanted);
	done_count = 0;
}

static const struct fetch_result *
get(const char *url)
{
	assert_non_null(fetch_get(fetch, url, done, NULL));
	assert_int_equal(done_count, 0);	/* never inside the call */
	run(1);
	return &last;
}

/* fmt: perhaps one %u, the server's port */
__attribute__((format(printf, 1, 0)))
static const struct fetch_result *
get_here(const char *fmt)
{
	char url[512];

	snprintf(url, sizeof url, fmt, httpd_port(server));
	return get(url);
}

/* ---- answers ---- */

static const struct {
	const char	*name, *url;
	int		 status;
} answer_cases[] = {
	{ "an answer", "http://127.0.0.1:%u/ok?a=b%%20c&d", 200 },
	{ "by name", "http://localhost:%u/ok", 200 },
	{ "an error of the receiver is an answer", "http://127.0.0.1:%u/500", 500 },
	{ "no content", "http://127.0.0.1:%u/204", 204 },
	{ "a redirect is not followed", "http://127.0.0.1:%u/redirect", 302 },
	{ "a huge body is not read to the end", "http://127.0.0.1:%u/big", 200 },
	{ "user info in the URL", "http://user:pass@127.0.0.1:%u/ok", 200 },
};

static void
answers_have_a_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof answer_cases / sizeof *answer_cases; i++) {
		print_message("  %s\n", answer_cases[i].name);
		asked_count = 0;
		get_here(answer_cases[i].url);
		assert_int_equal(last.status, answer_cases[i].status);
		assert_int_equal(last.err.code, ERR_NONE);
		assert_false(last.forbidden);
		assert_int_equal(asked_count, 1);
	}
	get_here("http://127.0.0.1:%u/ok?a=b%%20c&d");
	assert_string_equal(asked_path, "/ok?a=b%20c&d");
	assert_string_equal(agent, "Kantele/test");
}

static void
blanks_go_escaped(void **state)
{
	(void)state;
	assert_int_equal(get_here("http://127.0.0.1:%u/o k?a=b c&d= ")->status, 200);
	assert_string_equal(asked_path, "/o%20k?a=b%20c&d=%20");
	assert_int_equal(get_here("http://127.0.0.1:%u?a b")->status, 200);
	assert_string_equal(asked_path, "/?a%20b");
}

static void
connections_are_kept(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(get_here("http://127.0.0.1:%u/ok")->status, 200);
	assert_int_equal(connections, 1);
}

static void
many_at_once_share_the_bound(void **state)
{
	char url[100];

	(void)state;
	open_fetch(&(struct fetch_conf){ .connections = 5 });
	snprintf(url, sizeof url, "http://127.0.0.1:%u/ok", httpd_port(server));
	for (int i = 0; i < MANY; i++)
		assert_non_null(fetch_get(fetch, url, done, NULL));
	run(MANY);
	assert_int_equal(asked_count, MANY);
	assert_int_equal(last.status, 200);
}

/* ---- no answer ---- */

static const struct {
	const char	*name, *url, *error;	/* the error after the host */
} error_cases[] = {
	{ "nobody listens", "http://127.0.0.1:1/path?password=hush", "http://127.0.0.1:1: Connection refused" },
	{ "not a URL", "password=hush", "callback: URL using bad/illegal format or missing URL" },
	{ "no host: curl takes the path for one", "http:///hush", "http://: Couldn't resolve host name" },
	{ "another protocol", "file:///etc/passwd?hush", "callback: Unsupported protocol" },
	{ "and another", "gopher://127.0.0.1/hush", "callback: Unsupported protocol" },
	{ "port out of range", "http://127.0.0.1:99999/hush",
	  "http://127.0.0.1:99999: URL using bad/illegal format or missing URL" },
	{ "user info stays out", "http://user:hush@127.0.0.1:1/a", "http://127.0.0.1:1: Connection refused" },
	{ "no such name", "http://no-such-host.invalid/?hush",
	  "http://no-such-host.invalid: Couldn't resolve host name" },
};

static void
errors_name_the_host_and_nothing_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof error_cases / sizeof *error_cases; i++) {
		get(error_cases[i].url);
		print_message("  %s: %s\n", error_cases[i].name, last.err.text);
		assert_int_equal(last.status, 0);
		assert_int_equal(last.err.code, ERR_PEER);
		assert_string_equal(last.err.text, error_cases[i].error);
		assert_int_equal(last.hopeless, strstr(last.err.text, "bad/illegal") != NULL ||
		    strstr(last.err.text, "Unsupported") != NULL);
	}
}

static void
whoever_closes_without_an_answer(void **state)
{
	(void)state;
	get_here("http://127.0.0.1:%u/drop?hush");
	assert_int_equal(last.status, 0);
	assert_null(strstr(last.err.text, "hush"));
	assert_non_null(strstr(last.err.text, "Server returned nothing"));
}

static void
a_silent_receiver_ends_at_the_timeout(void **state)
{
	mono_t began = clock_mono();

	(void)state;
	open_fetch(&(struct fetch_conf){ .timeout_ms = 80 });
	get_here("http://127.0.0.1:%u/silent?hush");
	assert_int_equal(last.status, 0);
	assert_non_null(strstr(last.err.text, "Timeout was reached"));
	assert_null(strstr(last.err.text, "hush"));
	assert_true(clock_mono() - began >= 79);
	assert_non_null(held);
	http_drop(held);
}

static void
a_slow_resolver_does_not_hold_the_loop(void **state)
{
	mono_t began = clock_mono();

	(void)state;
	open_fetch(&(struct fetch_conf){ .timeout_ms = 1 });
	get("http://slow.no-such-host.invalid/");
	assert_int_equal(last.status, 0);
	assert_true(clock_mono() - began < 1000);
}

static void
a_cancelled_call_is_not_told(void **state)
{
	char url[100];
	struct fetch_call *c, *bad;

	(void)state;
	snprintf(url, sizeof url, "http://127.0.0.1:%u/silent", httpd_port(server));
	c = fetch_get(fetch, url, done, NULL);
	bad = fetch_get(fetch, "no url at all", done, NULL);
	fetch_cancel(bad);
	while (held == NULL) {
		timer_set(patience, 2);
		loop_run(loop);
	}
	fetch_cancel(c);
	http_reply(held, 200, "text/plain", TEXT("late"));
	assert_int_equal(get_here("http://127.0.0.1:%u/ok")->status, 200);
	/* and those that are under way when all ends */
	fetch_get(fetch, url, done, NULL);
	fetch_get(fetch, "http://127.0.0.1:1/", done, NULL);
	fetch_free(&fetch);
	timer_set(patience, 20);
	loop_run(loop);
	assert_int_equal(done_count, 0);
}

static struct fetch_call *to_cancel;
static unsigned chain;

static void
chained(void *arg, const struct fetch_result *result)
{
	const char *url = arg;

	assert_int_equal(result->status, strstr(url, "127") != NULL ? 200 : 0);
	if (to_cancel != NULL)
		fetch_cancel(to_cancel);
	to_cancel = NULL;
	if (++chain == 20)
		loop_stop(loop);
	else
		assert_non_null(fetch_get(fetch, url, chained, arg));
}

static void
a_done_may_begin_and_cancel(void **state)
{
	char url[100], silent[100];
	static char bad[] = "http://";

	(void)state;
	snprintf(url, sizeof url, "http://127.0.0.1:%u/ok", httpd_port(server));
	snprintf(silent, sizeof silent, "http://127.0.0.1:%u/silent", httpd_port(server));
	for (int i = 0; i < 2; i++) {
		chain = 0;
		to_cancel = fetch_get(fetch, silent, done, NULL);
		fetch_get(fetch, i == 0 ? url : bad, chained, i == 0 ? url : bad);
		timer_set(patience, PATIENCE_MS);
		loop_run(loop);
		assert_int_equal(chain, 20);
		assert_int_equal(done_count, 0);
		if (held != NULL)
			http_drop(held);
		held = NULL;
	}
}

/* ---- where a call may go ---- */

static const struct {
	const char	*name, *url, *allow;	/* %u: the server's port */
	bool		 own, forbidden;	/* own: that port is one of ours */
} rule_cases[] = {
	{ "loopback without rules", "http://127.0.0.1:%u/", NULL, false, false },
	{ "a network that is allowed", "http://127.0.0.1:%u/", "127.0.0.0/8", false, false },
	{ "a network that is not", "http://127.0.0.1:%u/", "10.0.0.0/8", false, true },
	{ "a name is judged by its address", "http://localhost:%u/", "10.0.0.0/8", false, true },
	{ "the metadata service", "http://169.254.169.254/latest", NULL, false, true },
	{ "the metadata service, though a rule allows it", "http://169.254.169.254/", "0.0.0.0/0", false, true },
	{ "written as one number", "http://2852039166/", NULL, false, true },
	{ "written in hex", "http://0xa9.0xfe.0xa9.0xfe/", NULL, false, true },
	{ "behind IPv6", "http://[::ffff:169.254.169.254]/", NULL, false, true },
	{ "link-local", "http://[fe80::1]/", NULL, false, true },
	{ "the unspecified address reaches this machine", "http://0.0.0.0:%u/", NULL, false, true },
	{ "our own port", "http://127.0.0.1:%u/", NULL, true, true },
	{ "our own port, though a rule allows it", "http://127.0.0.1:%u/", "127.0.0.0/8", true, true },
	{ "our own port by name", "http://localhost:%u/", NULL, true, true },
	{ "our own port by another address of loopback", "http://127.1.2.3:%u/", NULL, true, true },
	{ "our own port behind IPv6", "http://[::ffff:127.0.0.1]:%u/", NULL, true, true },
};

static void
addresses_are_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rule_cases / sizeof *rule_cases; i++) {
		const unsigned own[] = { 1, rule_cases[i].own ? httpd_port(server) : 2, 0 };
		struct ip_rules *allow = NULL;

		print_message("  %s\n", rule_cases[i].name);
		asked_count = 0;
		if (rule_cases[i].allow != NULL)
			allow = ip_rules_parse(text_of(rule_cases[i].allow), NULL);
		open_fetch(&(struct fetch_conf){ .allow = allow, .own_ports = own });
		get_here(rule_cases[i].url);
		assert_int_equal(last.forbidden, rule_cases[i].forbidden);
		assert_int_equal(last.status, rule_cases[i].forbidden ? 0 : 200);
		assert_int_equal(asked_count, !rule_cases[i].forbidden);
		if (rule_cases[i].forbidden)
			assert_non_null(strstr(last.err.text, "may not be called"));
		fetch_free(&fetch);
		ip_rules_free(&allow);
	}
}

/* An address that the network gave this machine. */
static void
our_own_port_on_another_address_of_this_machine(void **state)
{
	struct ifaddrs *list = NULL;
	const unsigned own[] = { 54321, 0 };
	unsigned tried = 0;

	(void)state;
	open_fetch(&(struct fetch_conf){ .own_ports = own });
	assert_int_equal(getifaddrs(&list), 0);
	for (struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		char host[INET6_ADDRSTRLEN], url[120];

		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET)
			continue;
		ip_print(i->ifa_addr, host, sizeof host);
		for (int mapped = 0; mapped < 2; mapped++) {
			snprintf(url, sizeof url, mapped ? "http://[::ffff:%s]:54321/" :
			    "http://%s:54321/", host);
			get(url);
			assert_true(last.forbidden);
			tried++;
		}
	}
	freeifaddrs(list);
	assert_true(tried > 0);
}

/* ---- proxy ---- */

static void
calls_go_through_a_proxy(void **state)
{
	const struct fetch_conf conf = { .proxy_host = "127.0.0.1", .proxy_port = httpd_port(server),
	    .proxy_exceptions = "localhost other.example", .proxy_username = "u",
	    .proxy_password = TEXT("p"), .allow = ip_rules_parse(TEXT("10.0.0.0/8"), NULL) };
	struct ip_rules *allow = (struct ip_rules *)(uintptr_t)conf.allow;

	(void)state;
	open_fetch(&conf);
	assert_int_equal(get("http://receiver.example/ok?x=1")->status, 200);
	assert_string_equal(asked_path, "/ok?x=1");
	assert_true(get("http://169.254.169.254/ok")->forbidden);
	assert_true(get("http://[fe80::1]:80/ok")->forbidden);
	assert_true(get("http://127.0.0.1/ok")->forbidden);
	assert_int_equal(get("http://10.1.2.3/ok")->status, 200);
	assert_true(get("http://localhost:1/ok")->forbidden);	/* an exception: directly, so judged */
	fetch_free(&fetch);
	ip_rules_free(&allow);
}

/* ---- TLS ---- */

static void
certificates_are_verified(void **state)
{
	char ca[512];

	(void)state;
	open_server(true);
	open_fetch(&(struct fetch_conf){ .ca_file = data_file("ca.pem", ca) });
	assert_int_equal(get_here("https://localhost:%u/ok")->status, 200);
	assert_int_equal(get_here("https://127.0.0.1:%u/ok")->status, 200);
	open_fetch(&(struct fetch_conf){ .timeout_ms = 0 });
	get_here("https://localhost:%u/ok?hush");
	print_message("  %s\n", last.err.text);
	assert_int_equal(last.status, 0);
	assert_non_null(strstr(last.err.text, "unable to get local issuer certificate"));
	assert_null(strstr(last.err.text, "hush"));
}

int
main(void)
{
#define ROW(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(answers_have_a_status),
		ROW(blanks_go_escaped),
		ROW(connections_are_kept),
		ROW(many_at_once_share_the_bound),
		ROW(errors_name_the_host_and_nothing_more),
		ROW(whoever_closes_without_an_answer),
		ROW(a_silent_receiver_ends_at_the_timeout),
		ROW(a_slow_resolver_does_not_hold_the_loop),
		ROW(a_cancelled_call_is_not_told),
		ROW(a_done_may_begin_and_cancel),
		ROW(addresses_are_judged),
		ROW(our_own_port_on_another_address_of_this_machine),
		ROW(calls_go_through_a_proxy),
		ROW(certificates_are_verified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
