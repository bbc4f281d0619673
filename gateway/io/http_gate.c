/*
 * http_gate.c - connections before the HTTP server gets them
 *
 *   accepted -> WAITING (header not whole) -> let in, at once or after READY (no room)
 *                  \-> LEAVING (was told what is wrong; what it still sends is read and dropped,
 *                      since a close with octets unread would take the answer back)
 *
 * A header is looked at where the kernel keeps it (MSG_PEEK), so whoever takes the connection reads it
 * from its first octet. Its event is edge-triggered: unread octets would wake a level for ever.
 *
 * Each list is in order of its deadlines; one timer serves the first of both.
 *
 * Limits:    only the first request of a connection passes here; with TLS only the first octet.
 * Knows:     sockets, lists, what an answer looks like.
 * Does not:  know what makes a header good (http_head.c), or who is behind the gate.
 * Owns:      the listening socket; connections that were not let in.
 * Threads:   the loop.
 */
#include "io/http_gate.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/ip.h"
#include "io/http_head.h"
#include "io/log.h"
#include "io/loop.h"

enum {
	GATE_BACKLOG = 1024,
	GATE_TURN = 64,			/* accepts in one turn of the loop */
	GATE_REST_MS = 100,		/* without descriptors */
	LEAVE_MS = 2000, LEAVE_OCTETS = 4 * 1024 * 1024,
	ANSWER_MOST = 1024, ADDRESS_SIZE = 64,
	TLS_HANDSHAKE = 0x16, TIMED_OUT = 408, BAD_REQUEST = 400
};

struct guests {
	struct guest	*first, *last;
	unsigned	 count;
};

struct guest {
	struct guest	*next, *prev;
	struct guests	*list;
	struct http_gate *gate;
	struct event	 event;
	int		 fd;
	mono_t		 due;
	size_t		 octets;		/* seen; of LEAVING: dropped */
	socklen_t	 addr_len;
	union {
		struct sockaddr		any;
		struct sockaddr_in6	in6;	/* the larger one */
	} addr;
};

struct http_gate {
	struct loop	*loop;
	struct http_gate_conf conf;
	http_gate_fn	*fn;
	void		*arg;
	int		 fd;
	struct event	 arrivals;
	bool		 listening;
	struct timer	*deadline, *rest;
	mono_t		 deadline_at;
	struct guests	 waiting, ready, leaving;
	char		 octets[HTTP_HEAD_MOST];	/* of the guest in hand */
};

void
http_log_refused(const char *name, const struct sockaddr *client, int status, const char *reason)
{
	char number[12], address[ADDRESS_SIZE];
	struct log_field fields[] = {
		{ "status", TEXT("") },
		{ "door", text_of(name) },
		{ "client", TEXT("") },
		{ "reason", text_of(reason) },
	};

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	snprintf(number, sizeof number, "%d", status);
	fields[0].value = text_of(number);
	fields[2].value = text_of(ip_print(client, address, sizeof address));
	log_event("refused", NULL, fields, sizeof fields / sizeof *fields);
}

/* --- lists -------------------------------------------------------------------------- */

static void
guests_add(struct guests *list, struct guest *guest)
{
	guest->list = list;
	guest->next = NULL;
	guest->prev = list->last;
	*(list->last != NULL ? &list->last->next : &list->first) = guest;
	list->last = guest;
	list->count++;
}

static void
guests_remove(struct guest *guest)
{
	struct guests *list = guest->list;

	*(guest->prev != NULL ? &guest->prev->next : &list->first) = guest->next;
	*(guest->next != NULL ? &guest->next->prev : &list->last) = guest->prev;
	list->count--;
	guest->list = NULL;
}

/* The timer is only moved when it would come too late. */
static void
deadline_arm(struct http_gate *g)
{
	const struct guest *first = g->waiting.first, *l = g->leaving.first;
	mono_t now = loop_now(g->loop);

	if (first == NULL || (l != NULL && l->due < first->due))
		first = l;
	if (first == NULL || (timer_armed(g->deadline) && g->deadline_at <= first->due))
		return;
	g->deadline_at = first->due;
	timer_set(g->deadline, first->due > now ? first->due - now : 0);
}

/* Without its descriptor, when somebody else has that. */
static void
guest_free(struct guest *guest, bool close_it)
{
	if (guest->list != NULL)
		guests_remove(guest);
	event_del(&guest->event);
	if (close_it)
		close(guest->fd);
	free(guest);
}

static void
guest_watch(struct guest *guest)
{
	if (!event_pending(&guest->event, EV_READ, NULL))
		event_add(&guest->event, NULL);
}

static void
listen_again(struct http_gate *g)
{
	if (g->listening || timer_armed(g->rest))
		return;
	g->listening = true;
	event_add(&g->arrivals, NULL);
}

static void
listen_not(struct http_gate *g)
{
	g->listening = false;
	event_del(&g->arrivals);
}

/* --- refusals ----------------------------------------------------------------------- */

static const char *
phrase_of(int status)
{
	static const struct { int status; const char *phrase; } phrases[] = {
		{ 400, "Bad Request" }, { 408, "Request Timeout" }, { 413, "Content Too Large" },
		{ 414, "URI Too Long" }, { 431, "Request Header Fields Too Large" },
		{ 501, "Not Implemented" }, { 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Refused";
}

int
http_refusal_send(int fd, const char *server, int status, const char *reason)
{
	char answer[ANSWER_MOST], date[40];
	time_t now = time(NULL);
	struct tm tm;
	int n;

	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	n = snprintf(answer, sizeof answer, "HTTP/1.1 %d %s\r\nDate: %s\r\n%s%s%sContent-Type: "
	    "text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s\n", status,
	    phrase_of(status), date, server != NULL ? "Server: " : "", server != NULL ? server : "",
	    server != NULL ? "\r\n" : "", strlen(reason) + 1, reason);
	return send(fd, answer, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == n ? shutdown(fd, SHUT_WR) : -1;
}

/* What it still sends, to its end or a bound. */
static void
guest_drop_octets(struct guest *guest)
{
	struct http_gate *g = guest->gate;
	ssize_t n;

	while ((n = recv(guest->fd, g->octets, sizeof g->octets, MSG_DONTWAIT)) > 0)
		if ((guest->octets += (size_t)n) > LEAVE_OCTETS)
			break;
	if (n >= 0 || (errno != EAGAIN && errno != EINTR))
		guest_free(guest, true);
}

static void
guest_refuse(struct guest *guest, int status, const char *reason)
{
	struct http_gate *g = guest->gate;

	http_log_refused(g->conf.name, &guest->addr.any, status, reason);
	if (http_refusal_send(guest->fd, g->conf.server, status, reason) == -1) {
		guest_free(guest, true);
		return;
	}
	if (guest->list != NULL)
		guests_remove(guest);
	guest->octets = 0;
	guest->due = loop_now(g->loop) + LEAVE_MS;
	guests_add(&g->leaving, guest);
	guest_watch(guest);
	guest_drop_octets(guest);
}

/* "header: line 3 column 5: a blank ..." */
static void
guest_refuse_err(struct guest *guest, int status, struct err *err)
{
	char reason[sizeof err->text + 80];

	err->source = "header";
	guest_refuse(guest, status, err_print(err, reason, sizeof reason));
}

/* --- looking at a guest --------------------------------------------------------------- */

static void
guest_enter(struct guest *guest)
{
	struct http_gate *g = guest->gate;

	if (g->ready.count == 0 && g->fn(g->arg, guest->fd, &guest->addr.any, guest->addr_len)) {
		guest_free(guest, false);
		return;
	}
	event_del(&guest->event);
	if (guest->list != NULL)
		guests_remove(guest);
	guests_add(&g->ready, guest);
}

static enum http_head
judge(const struct http_gate *g, size_t n, int *status, struct err *err)
{
	if (!g->conf.tls)
		return http_head_judge((struct text){ g->octets, n }, status, err);
	if (g->octets[0] == TLS_HANDSHAKE)
		return HTTP_HEAD_WHOLE;
	*status = BAD_REQUEST;
	err_at(err, ERR_SYNTAX, 1, 1, "this port speaks HTTPS: ask for https://");
	return HTTP_HEAD_BAD;
}

/* `ended`: nothing more will come. Whether it has to be looked at again. */
static bool
guest_look(struct guest *guest, bool ended)
{
	struct http_gate *g = guest->gate;
	ssize_t n = recv(guest->fd, g->octets, sizeof g->octets, MSG_PEEK | MSG_DONTWAIT);
	struct err err = { 0 };
	int status = 0;

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		guest_free(guest, true);
		return false;
	}
	guest->octets = (size_t)n;
	switch (judge(g, (size_t)n, &status, &err)) {
	case HTTP_HEAD_WHOLE:
		guest_enter(guest);
		break;
	case HTTP_HEAD_BAD:
		guest_refuse_err(guest, status, &err);
		break;
	case HTTP_HEAD_PART:
		if (!ended)
			return true;
		guest_refuse(guest, BAD_REQUEST, "header: it ends early: an empty line ends it");
		break;
	}
	return false;
}

static void
guest_event(evutil_socket_t fd, short what, void *arg)
{
	struct guest *guest = arg;
	struct http_gate *g = guest->gate;

	(void)fd;
	if (guest->list == &g->leaving)
		guest_drop_octets(guest);
	else
		guest_look(guest, what & EV_CLOSED);
	deadline_arm(g);
}

static void
deadline_due(void *arg)
{
	struct http_gate *g = arg;
	mono_t now = loop_now(g->loop);
	char reason[80];
	struct guest *guest;

	while ((guest = g->leaving.first) != NULL && guest->due <= now)
		guest_free(guest, true);
	snprintf(reason, sizeof reason, "header: it was not whole within %u s: send it in one go",
	    g->conf.head_ms / 1000);
	while ((guest = g->waiting.first) != NULL && guest->due <= now) {
		if (guest->octets > 0)
			guest_refuse(guest, TIMED_OUT, reason);
		else
			guest_free(guest, true);
	}
	deadline_arm(g);
}

/* --- arrivals ------------------------------------------------------------------------- */

/* The oldest of those that have not said enough goes; those that only wait for us stay. */
static bool
make_room(struct http_gate *g)
{
	struct guest *oldest = g->leaving.first != NULL ? g->leaving.first : g->waiting.first;

	if (oldest == NULL)
		return false;
	guest_free(oldest, true);
	return true;
}

static void
rest_over(void *arg)
{
	listen_again(arg);
}

/* No descriptors: somebody who says nothing may hold one. */
static void
accept_failed(struct http_gate *g)
{
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		make_room(g);
		listen_not(g);
		timer_set(g->rest, GATE_REST_MS);
	}
}

static void
guest_arrives(struct http_gate *g, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct guest *guest = calloc(1, sizeof *guest);

	if (guest == NULL || len > sizeof guest->addr) {
		free(guest);
		close(fd);
		return;
	}
	guest->gate = g;
	guest->fd = fd;
	guest->addr_len = len;
	memcpy(&guest->addr, addr, len);
	guest->due = loop_now(g->loop) + g->conf.head_ms;
	event_assign(&guest->event, loop_base(g->loop), fd,
	    EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, guest_event, guest);
	guests_add(&g->waiting, guest);
	if (guest_look(guest, false))	/* most send their request with the connection */
		guest_watch(guest);
}

static void
on_arrivals(evutil_socket_t fd, short what, void *arg)
{
	struct http_gate *g = arg;

	(void)what;
	for (int i = 0; i < GATE_TURN && g->listening; i++) {
		struct sockaddr_storage addr;
		socklen_t len = sizeof addr;
		int taken;

		if (g->waiting.count + g->ready.count + g->leaving.count >= g->conf.waiting_most &&
		    !make_room(g)) {
			listen_not(g);		/* until http_gate_room */
			break;
		}
		taken = accept4((int)fd, (struct sockaddr *)&addr, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (taken == -1 && (errno == ECONNABORTED || errno == EINTR))
			continue;
		if (taken == -1) {
			accept_failed(g);
			break;
		}
		guest_arrives(g, taken, (struct sockaddr *)&addr, len);
	}
	deadline_arm(g);
}

void
http_gate_room(struct http_gate *g)
{
	struct guest *guest;

	while ((guest = g->ready.first) != NULL &&
	    g->fn(g->arg, guest->fd, &guest->addr.any, guest->addr_len))
		guest_free(guest, false);
	listen_again(g);
}

/* --- opening ---------------------------------------------------------------------------- */

static int
listen_on(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, off = 0, saved;

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, GATE_BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Without an interface: IPv6 and IPv4 on one socket, or IPv4 where the kernel has no IPv6. */
static int
gate_listen(const struct http_gate_conf *c, struct err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	const char *const hosts[] = { c->interface != NULL ? c->interface : "::", "0.0.0.0" };
	struct addrinfo *found;
	char port[16];
	int fd = -1, why;

	snprintf(port, sizeof port, "%u", c->port);
	for (int i = 0; i < (c->interface != NULL ? 1 : 2) && fd == -1; i++) {
		if (i > 0 && errno == EADDRINUSE)
			break;		/* IPv4 alone would work, and hide the clash */
		why = getaddrinfo(hosts[i], port, &hints, &found);
		if (why != 0)
			return err_set(err, ERR_CONFIG, "%s interface %s: %s", c->name, hosts[i],
			    gai_strerror(why));
		fd = listen_on(found);
		freeaddrinfo(found);
	}
	if (fd == -1)
		return err_errno(err, "%s port %u", c->name, c->port);
	return fd;
}

struct http_gate *
http_gate_open(struct loop *loop, const struct http_gate_conf *conf, http_gate_fn *fn, void *arg,
    struct err *err)
{
	struct http_gate *g = calloc(1, sizeof *g);

	if (g == NULL || (g->deadline = timer_new(loop, deadline_due, g)) == NULL ||
	    (g->rest = timer_new(loop, rest_over, g)) == NULL) {
		err_set(err, ERR_SYSTEM, "%s: no memory", conf->name);
	} else if ((g->fd = gate_listen(conf, err)) != -1) {
		g->loop = loop;
		g->conf = *conf;
		g->fn = fn;
		g->arg = arg;
		event_assign(&g->arrivals, loop_base(loop), g->fd, EV_READ | EV_PERSIST, on_arrivals, g);
		listen_again(g);
		return g;
	}
	if (g != NULL) {
		timer_free(&g->deadline);
		timer_free(&g->rest);
	}
	free(g);
	return NULL;
}

unsigned
http_gate_port(const struct http_gate *g)
{
	union {
		struct sockaddr		any;
		struct sockaddr_in	in;
		struct sockaddr_in6	in6;
	} a = { 0 };
	socklen_t len = sizeof a;

	if (getsockname(g->fd, &a.any, &len) == -1)
		return 0;
	return ntohs(a.any.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
}

void
http_gate_close(struct http_gate **gp)
{
	struct http_gate *g = *gp;

	if (g == NULL)
		return;
	*gp = NULL;
	while (g->waiting.first != NULL)
		guest_free(g->waiting.first, true);
	while (g->ready.first != NULL)
		guest_free(g->ready.first, true);
	while (g->leaving.first != NULL)
		guest_free(g->leaving.first, true);
	event_del(&g->arrivals);
	close(g->fd);
	timer_free(&g->deadline);
	timer_free(&g->rest);
	free(g);
}
