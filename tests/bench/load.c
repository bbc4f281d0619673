/*
 * load.c - the benchmark's two ends: an HTTP loader, and a sink for callbacks
 *
 *   bench-load -p PORT -n COUNT [-c CONNECTIONS] [-r RATE] [-f FIRST] [-o LOG] PATH-AND-QUERY
 *       Keep-alive GETs; "{to}" in the path becomes FIRST, FIRST+1, ... (with a %2B before it).
 *       Prints one line: ok=N failed=N seconds=S rate=R p50_us=.. p99_us=.. max_us=..
 *       -o: a line "number sent_us answered_us status" for each request (CLOCK_REALTIME).
 *   bench-load -s PORT
 *       Answers 200 to every request; on SIGTERM prints requests=N.
 *
 * Knows:     as much HTTP as it takes to be much cheaper than what it measures.
 * Does not:  link anything of the gateway: both systems get the same load.
 * Threads:   one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_MOST = 16 * 1024, ANSWER_MOST = 16 * 1024, CONNECTIONS_MOST = 4096 };

struct connection {
	int		 fd;
	bool		 busy;
	uint64_t	 number;
	int64_t		 sent;
	size_t		 have;
	char		 in[ANSWER_MOST];
};

struct sample {
	uint64_t	 number;
	int64_t		 sent, answered;
	int		 status;
};

struct load {
	int		 epoll;
	unsigned	 port;
	const char	*before, *after;	/* of "{to}" */
	size_t		 before_len;
	uint64_t	 first, count, started, finished, failed;
	struct connection *connections;
	size_t		 connection_count;
	struct sample	*samples;
};

static volatile sig_atomic_t stopped;

static int64_t
now_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
die(const char *what)
{
	fprintf(stderr, "bench-load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static void
no_delay(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void
load_connect(struct load *l, struct connection *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)l->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	c->have = 0;
	c->busy = false;
	if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		die("socket");
	if (connect(c->fd, (struct sockaddr *)&to, sizeof to) == -1)
		die("connect");
	no_delay(c->fd);
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e) == -1)
		die("epoll_ctl");
}

static void
load_ask(struct load *l, struct connection *c)
{
	char request[REQUEST_MOST];
	int n;

	c->number = l->first + l->started++;
	n = snprintf(request, sizeof request, "GET %.*s%s%llu%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
	    (int)l->before_len, l->before, l->after != NULL ? "%2B" : "",
	    l->after != NULL ? (unsigned long long)c->number : 0ULL, l->after != NULL ? l->after : "");
	if (n < 0 || (size_t)n >= sizeof request) {
		errno = E2BIG;
		die("request");
	}
	c->busy = true;
	c->have = 0;
	c->sent = now_us(CLOCK_REALTIME);
	if (write(c->fd, request, (size_t)n) != n)
		die("write");
}

/* The status once the whole answer is there, else 0; -1: nonsense. */
static int
answer_status(const struct connection *c)
{
	const char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
	const char *length;
	size_t body = 0;

	if (end == NULL)
		return c->have == sizeof c->in ? -1 : 0;
	if (c->have < 12 || memcmp(c->in, "HTTP/1.", 7) != 0)
		return -1;
	for (length = c->in; length < end; length = strchr(length, '\n') + 1)
		if (strncasecmp(length, "content-length:", 15) == 0)
			body = strtoul(length + 15, NULL, 10);
	return c->have >= (size_t)(end - c->in) + 4 + body ? atoi(c->in + 9) : 0;
}

static void
load_answered(struct load *l, struct connection *c, int status)
{
	struct sample *s = &l->samples[l->finished++];

	*s = (struct sample){ .number = c->number, .sent = c->sent,
	    .answered = now_us(CLOCK_REALTIME), .status = status };
	if (status != 202 && status != 200)
		l->failed++;
	c->busy = false;
}

static void
load_input(struct load *l, struct connection *c)
{
	ssize_t n = read(c->fd, c->in + c->have, sizeof c->in - c->have);
	int status;

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(c->fd);
		if (c->busy)
			load_answered(l, c, -1);
		load_connect(l, c);
		return;
	}
	c->have += (size_t)n;
	if (c->busy && (status = answer_status(c)) != 0)
		load_answered(l, c, status);
}

static int
sample_order(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	int64_t p = x->answered - x->sent, q = y->answered - y->sent;

	return p < q ? -1 : p > q;
}

static void
load_report(struct load *l, int64_t us, const char *log)
{
	FILE *out = log != NULL ? fopen(log, "w") : NULL;

	if (log != NULL && out == NULL)
		die(log);
	for (size_t i = 0; out != NULL && i < l->finished; i++)
		fprintf(out, "%llu %lld %lld %d\n", (unsigned long long)l->samples[i].number,
		    (long long)l->samples[i].sent, (long long)l->samples[i].answered,
		    l->samples[i].status);
	if (out != NULL)
		fclose(out);
	qsort(l->samples, l->finished, sizeof *l->samples, sample_order);
#define AT(p)	(long long)(l->samples[(size_t)((double)(l->finished - 1) * (p))].answered - \
		    l->samples[(size_t)((double)(l->finished - 1) * (p))].sent)
	printf("ok=%llu failed=%llu seconds=%.3f rate=%.0f p50_us=%lld p99_us=%lld max_us=%lld\n",
	    (unsigned long long)(l->finished - l->failed), (unsigned long long)l->failed, (double)us / 1e6,
	    (double)l->finished * 1e6 / (double)us, AT(0.5), AT(0.99), AT(1.0));
#undef AT
}

/* As many requests as are due by now: all connections busy without a rate. */
static void
load_fill(struct load *l, double rate, int64_t begun)
{
	uint64_t due = l->count;

	if (rate > 0) {
		double d = (double)(now_us(CLOCK_MONOTONIC) - begun) * rate / 1e6 + 1;

		due = d < (double)l->count ? (uint64_t)d : l->count;
	}
	for (size_t i = 0; i < l->connection_count && l->started < due; i++)
		if (!l->connections[i].busy)
			load_ask(l, &l->connections[i]);
}

static void
load_run(struct load *l, double rate, const char *log)
{
	struct epoll_event events[256];
	int64_t begun = now_us(CLOCK_MONOTONIC);

	while (l->finished < l->count && !stopped) {
		int n;

		load_fill(l, rate, begun);
		n = epoll_wait(l->epoll, events, 256, rate > 0 ? 1 : 1000);
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;

			load_input(l, c);
			if (rate <= 0 && !c->busy && l->started < l->count)
				load_ask(l, c);
		}
	}
	load_report(l, now_us(CLOCK_MONOTONIC) - begun, log);
}

static const char sink_answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/* Every "\r\n\r\n" is a request: callbacks have no body. */
static uint64_t
sink_input(struct connection *c)
{
	ssize_t n = read(c->fd, c->in + c->have, sizeof c->in - c->have - 1);
	uint64_t requests = 0;
	char *at = c->in, *end;

	if (n <= 0) {
		close(c->fd);
		free(c);
		return 0;
	}
	c->have += (size_t)n;
	while ((end = memmem(at, c->have - (size_t)(at - c->in), "\r\n\r\n", 4)) != NULL) {
		at = end + 4;
		requests++;
		if (write(c->fd, sink_answer, sizeof sink_answer - 1) == -1)
			break;
	}
	c->have -= (size_t)(at - c->in);
	memmove(c->in, at, c->have);
	return requests;
}

static int
sink_run(unsigned port)
{
	struct sockaddr_in on = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), epoll = epoll_create1(0), one = 1;
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL }, events[256];
	uint64_t requests = 0;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&on, sizeof on) == -1 || listen(listener, 1024) == -1)
		die("listen");
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
	while (!stopped) {
		int n = epoll_wait(epoll, events, 256, 1000);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL) {
				struct connection *c = calloc(1, sizeof *c);
				struct epoll_event fresh = { .events = EPOLLIN, .data.ptr = c };

				if (c == NULL || (c->fd = accept(listener, NULL, NULL)) == -1)
					die("accept");
				no_delay(c->fd);
				epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &fresh);
			} else {
				requests += sink_input(events[i].data.ptr);
			}
		}
	}
	printf("requests=%llu\n", (unsigned long long)requests);
	return 0;
}

static int
usage(void)
{
	fputs("usage: bench-load -p PORT -n COUNT [-c CONNECTIONS] [-r RATE] [-f FIRST] [-o LOG] PATH\n"
	    "       bench-load -s PORT\n", stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	struct load l = { .count = 0, .first = 447900000000, .connection_count = 64 };
	const char *log = NULL, *to;
	double rate = 0;
	int option;

	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGPIPE, SIG_IGN);
	while ((option = getopt(argc, argv, "p:n:c:r:f:o:s:")) != -1) {
		switch (option) {
		case 'p': l.port = (unsigned)atoi(optarg); break;
		case 'n': l.count = strtoull(optarg, NULL, 10); break;
		case 'c': l.connection_count = strtoul(optarg, NULL, 10); break;
		case 'r': rate = atof(optarg); break;
		case 'f': l.first = strtoull(optarg, NULL, 10); break;
		case 'o': log = optarg; break;
		case 's': return sink_run((unsigned)atoi(optarg));
		default: return usage();
		}
	}
	if (optind + 1 != argc || l.count == 0 || l.port == 0 || l.connection_count == 0 ||
	    l.connection_count > CONNECTIONS_MOST)
		return usage();
	l.before = argv[optind];
	to = strstr(l.before, "{to}");
	l.before_len = to != NULL ? (size_t)(to - l.before) : strlen(l.before);
	l.after = to != NULL ? to + 4 : NULL;
	l.epoll = epoll_create1(0);
	l.connections = calloc(l.connection_count, sizeof *l.connections);
	l.samples = calloc(l.count + l.connection_count, sizeof *l.samples);
	if (l.connections == NULL || l.samples == NULL)
		die("memory");
	for (size_t i = 0; i < l.connection_count; i++)
		load_connect(&l, &l.connections[i]);
	load_run(&l, rate, log);
	return l.failed > 0;
}
