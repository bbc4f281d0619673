/*
 * pg_proxy.h - stands between a client and PostgreSQL, and cuts the connection at a given trip
 *
 * A trip is what a client sends up to a Sync or a simple query. The proxy holds a trip back until all of
 * it is there; trip number `at` (counted over all connections since proxy_arm) meets its fate: nothing of it
 * comes to the server, or half of it, or all but its end, or all of it but its answer is lost. Then the
 * connection is closed on both sides. TCP on 127.0.0.1, without TLS.
 */
#ifndef TESTS_PG_PROXY_H
#define TESTS_PG_PROXY_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum proxy_fate { CUT_BEFORE, CUT_HALF, CUT_END, CUT_ANSWER, CUTS };
enum { PROXY_PAIRS = 32, PROXY_BUF = 1 << 20, PROXY_HEAD = 5 };

struct proxy_pair {
	int		 client, server;	/* -1: free */
	bool		 started;		/* the startup packet is through */
	unsigned char	*held;			/* of a trip that is not whole */
	size_t		 len;
};

struct proxy {
	int		 listens, server_port, port;
	pthread_t	 thread;
	atomic_bool	 ends;
	atomic_int	 at;			/* trips until the cut; -1: not armed */
	atomic_uint	 trips;			/* since it was armed */
	enum proxy_fate	 fate;
	struct proxy_pair pairs[PROXY_PAIRS];
};

static inline void
proxy_close(struct proxy_pair *p)
{
	if (p->client == -1)
		return;
	close(p->client);
	close(p->server);
	p->client = p->server = -1;
	p->started = false;
	p->len = 0;
}

static inline bool
proxy_send(int fd, const unsigned char *at, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		at += sent;
		n -= (size_t)sent;
	}
	return true;
}

static inline size_t
proxy_u32(const unsigned char *p)
{
	return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

/* Octets up to the end of the first trip; 0: it is not whole. */
static inline size_t
proxy_trip(const struct proxy_pair *p)
{
	size_t at = 0, n;
	unsigned char type;

	if (!p->started)
		return p->len >= 4 && p->len >= proxy_u32(p->held) ? proxy_u32(p->held) : 0;
	while (p->len - at >= PROXY_HEAD) {
		type = p->held[at];
		n = 1 + proxy_u32(p->held + at + 1);
		if (p->len - at < n)
			return 0;
		at += n;
		if (type == 'S' || type == 'Q' || type == 'H' || type == 'X')
			return at;
	}
	return 0;
}

static inline bool
proxy_whole(int fd, unsigned char *to, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(fd, to, n, 0);

		if (got <= 0)
			return false;
		to += got;
		n -= (size_t)got;
	}
	return true;
}

/* Until the server is ready again; nobody hears of it. */
static inline void
proxy_swallow(int fd)
{
	unsigned char head[PROXY_HEAD], octet;

	while (proxy_whole(fd, head, sizeof head)) {
		for (size_t n = proxy_u32(head + 1); n > 4; n--)
			if (!proxy_whole(fd, &octet, 1))
				return;
		if (head[0] == 'Z')
			return;
	}
}

static inline void
proxy_cut(struct proxy *x, struct proxy_pair *p, size_t n)
{
	if (x->fate == CUT_HALF)
		proxy_send(p->server, p->held, n / 2);
	else if (x->fate == CUT_END)
		proxy_send(p->server, p->held, n - PROXY_HEAD);
	else if (x->fate == CUT_ANSWER && proxy_send(p->server, p->held, n))
		proxy_swallow(p->server);
	proxy_close(p);
}

static inline void
proxy_up(struct proxy *x, struct proxy_pair *p)
{
	ssize_t got = p->len < PROXY_BUF ? recv(p->client, p->held + p->len, PROXY_BUF - p->len, 0) : 0;
	size_t n;

	if (got <= 0) {
		proxy_close(p);
		return;
	}
	p->len += (size_t)got;
	while (p->client != -1 && (n = proxy_trip(p)) > 0) {
		bool counts = p->started && p->held[n - PROXY_HEAD] == 'S';

		if (counts)
			atomic_fetch_add(&x->trips, 1);
		if (counts && atomic_load(&x->at) >= 0 && atomic_fetch_sub(&x->at, 1) == 0) {
			proxy_cut(x, p, n);
			return;
		}
		p->started = true;
		if (!proxy_send(p->server, p->held, n)) {
			proxy_close(p);
			return;
		}
		memmove(p->held, p->held + n, p->len - n);
		p->len -= n;
	}
}

static inline void
proxy_down(struct proxy_pair *p)
{
	unsigned char octets[16384];
	ssize_t got = recv(p->server, octets, sizeof octets, 0);

	if (got <= 0 || !proxy_send(p->client, octets, (size_t)got))
		proxy_close(p);
}

static inline void
proxy_accept(struct proxy *x)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)x->server_port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int client = accept(x->listens, NULL, NULL), one = 1;
	struct proxy_pair *p = NULL;

	for (size_t i = 0; i < PROXY_PAIRS && p == NULL; i++)
		if (x->pairs[i].client == -1)
			p = &x->pairs[i];
	if (client == -1 || p == NULL)
		abort();
	p->client = client;
	p->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(p->server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(p->server, (struct sockaddr *)&to, sizeof to) == -1)
		proxy_close(p);
}

static inline void *
proxy_run(void *arg)
{
	struct proxy *x = arg;
	struct pollfd fds[1 + 2 * PROXY_PAIRS];

	while (!atomic_load(&x->ends)) {
		fds[0] = (struct pollfd){ .fd = x->listens, .events = POLLIN };
		for (size_t i = 0; i < PROXY_PAIRS; i++) {
			fds[1 + 2 * i] = (struct pollfd){ .fd = x->pairs[i].client, .events = POLLIN };
			fds[2 + 2 * i] = (struct pollfd){ .fd = x->pairs[i].server, .events = POLLIN };
		}
		if (poll(fds, 1 + 2 * PROXY_PAIRS, 20) <= 0)
			continue;
		for (size_t i = 0; i < PROXY_PAIRS; i++) {
			if (fds[1 + 2 * i].revents != 0 && x->pairs[i].client == fds[1 + 2 * i].fd)
				proxy_up(x, &x->pairs[i]);
			if (fds[2 + 2 * i].revents != 0 && x->pairs[i].server == fds[2 + 2 * i].fd)
				proxy_down(&x->pairs[i]);
		}
		if (fds[0].revents != 0)
			proxy_accept(x);
	}
	return NULL;
}

static inline void
proxy_arm(struct proxy *x, int at, enum proxy_fate fate)
{
	x->fate = fate;
	atomic_store(&x->trips, 0);
	atomic_store(&x->at, at);
}

/* It has happened. */
static inline bool
proxy_has_cut(struct proxy *x)
{
	return atomic_load(&x->at) == -1;
}

static inline void
proxy_begin(struct proxy *x, int server_port)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof here;

	*x = (struct proxy){ .server_port = server_port, .listens = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	atomic_store(&x->at, -1);
	for (size_t i = 0; i < PROXY_PAIRS; i++) {
		x->pairs[i] = (struct proxy_pair){ .client = -1, .server = -1, .held = malloc(PROXY_BUF) };
		if (x->pairs[i].held == NULL)
			abort();
	}
	if (bind(x->listens, (struct sockaddr *)&here, sizeof here) == -1 || listen(x->listens, 16) == -1 ||
	    getsockname(x->listens, (struct sockaddr *)&here, &len) == -1)
		abort();
	x->port = ntohs(here.sin_port);
	if (pthread_create(&x->thread, NULL, proxy_run, x) != 0)
		abort();
}

static inline void
proxy_end(struct proxy *x)
{
	atomic_store(&x->ends, true);
	pthread_join(x->thread, NULL);
	for (size_t i = 0; i < PROXY_PAIRS; i++) {
		proxy_close(&x->pairs[i]);
		free(x->pairs[i].held);
	}
	close(x->listens);
}

#endif
