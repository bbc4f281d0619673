/*
 * stream.c - TCP and TLS over libevent's bufferevents
 *
 * A connect goes through the addresses of a name one after the other, each with a share of
 * the time that is left, until one is up; for each a bufferevent of its own is made, and what
 * was written meanwhile moves on to it.
 *
 * bufferevent callbacks are deferred, so that none runs inside a call of ours; stream_free in
 * the middle of one is safe, since bufferevent_free of a deferred one waits for it.
 *
 * Knows:     bufferevents, evdns, OpenSSL's client and server contexts.
 * Does not:  know what the octets mean, or when to connect again.
 * Owns:      the descriptor, the TLS session and both buffers of a stream; a listener's socket
 *            and TLS context.
 * Threads:   the loop.
 */
#include "io/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/dns.h>
#include <event2/listener.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "io/log.h"
#include "io/loop.h"

enum {
	STREAM_UNSENT_MOST = 1024 * 1024, STREAM_INPUT_MOST = 1024 * 1024,
	STREAM_MARK = 64 * 1024,		/* drained is called below it */
	STREAM_SINGLE = 256 * 1024,		/* octets of one read or write */
	STREAM_ADDRESSES = 8,			/* of one name that are tried */
	LISTENER_BACKLOG = 1024, LISTENER_REST_MS = 500
};

union address {
	struct sockaddr		any;
	struct sockaddr_in	in;
	struct sockaddr_in6	in6;
};

/* A question to the resolver outlives a stream that was freed meanwhile. */
struct lookup {
	struct stream	*stream;		/* NULL: nobody waits any more */
};

struct stream {
	struct loop	*loop;
	struct bufferevent *bev;
	struct evbuffer	*in, *out;
	const struct stream_events *events;
	void		*arg;
	struct timer	*timer;			/* connecting; finishing */
	bool		 up, dead, paused, full;
	char		 peer[300];
	/* TLS */
	SSL_CTX		*tls;			/* of a client */
	SSL		*ssl;			/* the bufferevent owns it */
	bool		 verifies;
	char		 name[256];		/* that the peer's certificate must have */
	/* connecting */
	char		 host[256];
	unsigned	 port;
	mono_t		 until;
	union address	 ours;			/* family AF_UNSPEC: any */
	union address	 addresses[STREAM_ADDRESSES];
	unsigned	 address_count, next_address;
	struct lookup	*lookup;
	struct evdns_getaddrinfo_request *question;
	struct err	 why;			/* of the last address that failed */
	struct soon	 broken;		/* tells it, never inside stream_connect */
	struct soon	 orphaned;		/* finishing: nobody else would free it */
};

struct listener {
	struct loop	*loop;
	struct evconnlistener *listener;
	struct timer	*rest;
	SSL_CTX		*tls;
	listener_fn	*fn;
	void		*arg;
};

/* ---- TLS ---- */

static const char *
tls_reason(unsigned long code)
{
	const char *reason = ERR_reason_error_string(code);

	if (ERR_SYSTEM_ERROR(code))
		return strerror(ERR_GET_REASON(code));
	return reason != NULL ? reason : "error";
}

static int
tls_error(struct err *err, const char *what)
{
	unsigned long code = ERR_get_error();

	ERR_clear_error();
	return err_set(err, ERR_CONFIG, "%s: %s", what, tls_reason(code));
}

static int
tls_load(SSL_CTX *ctx, const struct stream_tls *tls, bool client, struct err *err)
{
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);	/* RFC 8996 */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	    SSL_MODE_RELEASE_BUFFERS);
	if (tls->ciphers != NULL && SSL_CTX_set_cipher_list(ctx, tls->ciphers) != 1)
		return tls_error(err, "cipher list");
	if (tls->certkey_file != NULL &&
	    SSL_CTX_use_certificate_chain_file(ctx, tls->certkey_file) != 1)
		return tls_error(err, tls->certkey_file);
	if (tls->certkey_file != NULL &&
	    SSL_CTX_use_PrivateKey_file(ctx, tls->certkey_file, SSL_FILETYPE_PEM) != 1) {
		ERR_clear_error();
		return err_set(err, ERR_CONFIG, "%s: the certificate's private key is not in it",
		    tls->certkey_file);
	}
	if (!client || tls->no_verify)
		return 0;
	if (tls->ca_file != NULL ? SSL_CTX_load_verify_locations(ctx, tls->ca_file, NULL) != 1 :
	    SSL_CTX_set_default_verify_paths(ctx) != 1)
		return tls_error(err, tls->ca_file != NULL ? tls->ca_file :
		    "the system's CA certificates");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	return 0;
}

static SSL_CTX *
tls_new(const struct stream_tls *tls, bool client, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(client ? TLS_client_method() : TLS_server_method());

	if (ctx == NULL)
		tls_error(err, "TLS");
	else if (tls_load(ctx, tls, client, err) == -1) {
		SSL_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

static bool
is_address(const char *host)
{
	uint8_t octets[16];

	return inet_pton(AF_INET, host, octets) == 1 || inet_pton(AF_INET6, host, octets) == 1;
}

/* A client's session; checks the certificate against the name (RFC 6125) or address. */
static SSL *
tls_session(const struct stream *s)
{
	SSL *ssl = SSL_new(s->tls);

	if (ssl == NULL)
		return NULL;
	if (is_address(s->name)) {
		if (s->verifies)
			X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), s->name);
		return ssl;
	}
	SSL_set_tlsext_host_name(ssl, s->name);
	if (s->verifies)
		SSL_set1_host(ssl, s->name);
	return ssl;
}

/* ---- events ---- */

static void	stream_try_next(struct stream *);
static void	finish_now(void *);

static void
stream_fail(struct stream *s, const struct err *why)
{
	if (s->dead)
		return;
	s->dead = true;
	timer_cancel(s->timer);
	bufferevent_disable(s->bev, EV_READ | EV_WRITE);
	if (s->events != NULL)
		s->events->down(s->arg, why);
}

static void
stream_broken(void *arg)
{
	struct stream *s = arg;

	stream_fail(s, &s->why);
}

static void
stream_readable(struct bufferevent *bev, void *arg)
{
	struct stream *s = arg;

	if (s->dead || s->paused || s->events == NULL)
		return;
	/* not libevent's own mark: above it, that calls again and again without sleeping */
	if (evbuffer_get_length(s->in) >= STREAM_INPUT_MOST) {
		s->full = true;
		bufferevent_disable(bev, EV_READ);
	}
	s->events->input(s->arg);
}

static void
stream_writable(struct bufferevent *bev, void *arg)
{
	struct stream *s = arg;

	(void)bev;
	if (s->up && !s->dead && s->events != NULL && s->events->drained != NULL)
		s->events->drained(s->arg);
}

static void
set_no_delay(struct stream *s)
{
	int on = 1, fd = bufferevent_getfd(s->bev);

	if (fd != -1)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* The first error of the TLS library itself; libevent also keeps kinds of failure there. */
static unsigned long
stream_tls_error(const struct stream *s)
{
	unsigned long error = 0;

	if (s->ssl == NULL)
		return 0;
	do
		error = bufferevent_get_openssl_error(s->bev);
	while (error != 0 && ERR_GET_LIB(error) == 0);
	return error;
}

/* Why the line is gone, from the most telling source. A TLS handshake on a connection that was
 * refused ends with EOF, as libevent sees it, so errno counts until the line was up. */
static void
stream_reason(const struct stream *s, short what, struct err *why)
{
	int error = EVUTIL_SOCKET_ERROR();
	long verdict = s->ssl != NULL && s->verifies && !s->up ? SSL_get_verify_result(s->ssl) :
	    X509_V_OK;
	unsigned long tls = stream_tls_error(s);

	if (verdict != X509_V_OK)
		err_set(why, ERR_PEER, "certificate of %s is not trusted: %s", s->name,
		    X509_verify_cert_error_string(verdict));
	else if (tls != 0)
		err_set(why, ERR_PEER, "%s: %s%s", s->peer, ERR_SYSTEM_ERROR(tls) ? "" : "TLS: ",
		    tls_reason(tls));
	else if (error == 0 || error == EAGAIN || error == EINPROGRESS ||
	    ((what & BEV_EVENT_EOF) && s->up))
		err_set(why, ERR_PEER, "%s closed the connection", s->peer);
	else
		err_set(why, ERR_PEER, "%s: %s", s->peer, evutil_socket_error_to_string(error));
	ERR_clear_error();
}

static void
stream_event(struct bufferevent *bev, short what, void *arg)
{
	struct stream *s = arg;

	(void)bev;
	if (s->dead)
		return;
	if (what & BEV_EVENT_CONNECTED) {
		s->up = true;
		timer_cancel(s->timer);
		set_no_delay(s);
		if (s->events != NULL && s->events->up != NULL)
			s->events->up(s->arg);
		return;
	}
	if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) == 0)
		return;
	err_clear(&s->why);
	stream_reason(s, what, &s->why);
	if (s->up || s->next_address == s->address_count)
		stream_fail(s, &s->why);
	else
		stream_try_next(s);
}

static void
stream_timed_out(void *arg)
{
	struct stream *s = arg;

	err_clear(&s->why);
	err_set(&s->why, ERR_PEER, "%s does not answer", s->peer);
	if (s->up || s->next_address == s->address_count)
		stream_fail(s, &s->why);
	else
		stream_try_next(s);
}

/* ---- life ---- */

/* A bufferevent on fd (-1: none yet), which it owns, fails or not. */
static int
stream_set_bev(struct stream *s, int fd, SSL *ssl, enum bufferevent_ssl_state state)
{
	const int flags = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;
	struct event_base *base = loop_base(s->loop);
	struct bufferevent *bev = ssl != NULL ?
	    bufferevent_openssl_socket_new(base, fd, ssl, state, flags) :
	    bufferevent_socket_new(base, fd, flags);

	if (bev == NULL) {
		if (ssl != NULL)
			SSL_free(ssl);
		if (fd != -1)
			close(fd);
		return -1;
	}
	if (ssl != NULL)	/* peers that close without a TLS goodbye are the rule */
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	if (s->bev != NULL) {
		evbuffer_add_buffer_reference(bufferevent_get_output(bev), s->out);
		bufferevent_setcb(s->bev, NULL, NULL, NULL, NULL);
		bufferevent_free(s->bev);
	}
	s->bev = bev;
	s->ssl = ssl;
	s->in = bufferevent_get_input(bev);
	s->out = bufferevent_get_output(bev);
	bufferevent_setcb(bev, stream_readable, stream_writable, stream_event, s);
	bufferevent_setwatermark(bev, EV_WRITE, STREAM_MARK, 0);
	bufferevent_set_max_single_read(bev, STREAM_SINGLE);
	bufferevent_set_max_single_write(bev, STREAM_SINGLE);
	return 0;
}

/* fd and ssl are the stream's, or gone, either way. */
static struct stream *
stream_new(struct loop *loop, int fd, SSL *ssl, enum bufferevent_ssl_state state)
{
	struct stream *s = calloc(1, sizeof *s);

	if (s == NULL) {
		if (ssl != NULL)
			SSL_free(ssl);
		if (fd != -1)
			close(fd);
		return NULL;
	}
	s->loop = loop;
	s->broken = (struct soon){ .run = stream_broken, .arg = s };
	s->orphaned = (struct soon){ .run = finish_now, .arg = s };
	if (stream_set_bev(s, fd, ssl, state) == -1 ||
	    (s->timer = timer_new(loop, stream_timed_out, s)) == NULL)
		stream_free(&s);
	return s;
}

void
stream_attach(struct stream *s, const struct stream_events *events, void *arg)
{
	s->events = events;
	s->arg = arg;
	bufferevent_enable(s->bev, EV_READ | EV_WRITE);
}

/* TLS: the peer shall know that nothing was cut off; its answer is not awaited. */
static void
stream_goodbye(struct stream *s)
{
	if (s->ssl == NULL || !s->up || s->dead)
		return;
	SSL_shutdown(s->ssl);
	ERR_clear_error();
}

void
stream_free(struct stream **sp)
{
	struct stream *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	if (s->lookup != NULL)
		s->lookup->stream = NULL;
	if (s->question != NULL)
		evdns_getaddrinfo_cancel(s->question);
	if (s->bev != NULL) {
		bufferevent_setcb(s->bev, NULL, NULL, NULL, NULL);
		stream_goodbye(s);
		bufferevent_free(s->bev);
	}
	loop_not_soon(s->loop, &s->broken);
	loop_not_at_free(s->loop, &s->orphaned);
	timer_free(&s->timer);
	SSL_CTX_free(s->tls);
	free(s);
}

/* ---- connecting ---- */

static socklen_t
address_size(const union address *a)
{
	return a->any.sa_family == AF_INET6 ? sizeof a->in6 : sizeof a->in;
}

/* Literals only: nothing here asks a resolver. */
static int
address_parse(const char *host, unsigned port, int family, union address *a)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
	    .ai_family = family, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	char service[12];

	snprintf(service, sizeof service, "%u", port);
	if (getaddrinfo(host, service, &hints, &list) != 0)
		return -1;
	memcpy(a, list->ai_addr, list->ai_addrlen);
	freeaddrinfo(list);
	return 0;
}

static int
socket_bound(const union address *ours, struct err *why)
{
	int fd = socket(ours->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd != -1)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd != -1 && bind(fd, &ours->any, address_size(ours)) == 0)
		return fd;
	err_errno(why, "our own address");
	if (fd != -1)
		close(fd);
	return -1;
}

/* The next address. -1 and s->why when it fails at once. */
static int
stream_try(struct stream *s)
{
	union address *to = &s->addresses[s->next_address];
	mono_t left = s->until - loop_now(s->loop);
	SSL *ssl = NULL;
	int fd = -1;

	timer_set(s->timer, left / (s->address_count - s->next_address));
	s->next_address++;
	err_clear(&s->why);
	if (s->ours.any.sa_family != AF_UNSPEC && (fd = socket_bound(&s->ours, &s->why)) == -1)
		return -1;
	if (s->tls != NULL && (ssl = tls_session(s)) == NULL) {
		if (fd != -1)
			close(fd);
		return tls_error(&s->why, "TLS");
	}
	if (stream_set_bev(s, fd, ssl, BUFFEREVENT_SSL_CONNECTING) == -1)
		return err_set(&s->why, ERR_SYSTEM, "no memory for a connection");
	bufferevent_enable(s->bev, EV_READ | EV_WRITE);
	/* what fails at once comes as an event as well, or returns -1 */
	if (bufferevent_socket_connect(s->bev, &to->any, (int)address_size(to)) == 0)
		return 0;
	bufferevent_setcb(s->bev, NULL, NULL, NULL, NULL);
	return err_errno(&s->why, "%s", s->peer);
}

static void
stream_try_next(struct stream *s)
{
	while (s->next_address < s->address_count)
		if (stream_try(s) == 0)
			return;
	loop_soon(s->loop, &s->broken);
}

static void
stream_resolved(int result, struct evutil_addrinfo *list, void *arg)
{
	struct lookup *lookup = arg;
	struct stream *s = lookup->stream;

	free(lookup);
	if (s != NULL) {
		s->lookup = NULL;
		s->question = NULL;
		for (struct evutil_addrinfo *a = list; a != NULL &&
		    s->address_count < STREAM_ADDRESSES; a = a->ai_next)
			if (a->ai_family == AF_INET || a->ai_family == AF_INET6)
				memcpy(&s->addresses[s->address_count++], a->ai_addr,
				    a->ai_addrlen);
		if (s->address_count == 0)
			err_set(&s->why, ERR_PEER, "%s: %s", s->host,
			    result != 0 ? evutil_gai_strerror(result) : "no address");
		stream_try_next(s);
	}
	if (list != NULL)
		evutil_freeaddrinfo(list);
}

static int
stream_resolve(struct stream *s, struct err *err)
{
	struct evutil_addrinfo hints = { .ai_family = s->ours.any.sa_family,
	    .ai_socktype = SOCK_STREAM, .ai_flags = EVUTIL_AI_ADDRCONFIG };
	struct evdns_base *dns = loop_dns(s->loop);
	struct evdns_getaddrinfo_request *question;
	char service[12];

	s->lookup = calloc(1, sizeof *s->lookup);
	if (dns == NULL || s->lookup == NULL) {
		free(s->lookup);
		s->lookup = NULL;
		return err_set(err, ERR_SYSTEM, "no resolver for %s", s->host);
	}
	s->lookup->stream = s;
	snprintf(service, sizeof service, "%u", s->port);
	question = evdns_getaddrinfo(dns, s->host, service, &hints, stream_resolved, s->lookup);
	if (s->lookup != NULL)		/* not answered yet */
		s->question = question;
	return 0;
}

static int
stream_start(struct stream *s, const char *our_host, unsigned our_port, struct err *err)
{
	bool literal = is_address(s->host);

	if (literal && address_parse(s->host, s->port, AF_UNSPEC, &s->addresses[0]) == -1)
		return err_set(err, ERR_CONFIG, "%s port %u is no address", s->host, s->port);
	s->address_count = literal;
	if ((our_host != NULL || our_port != 0) && address_parse(our_host, our_port,
	    literal ? s->addresses[0].any.sa_family : our_host != NULL ? AF_UNSPEC : AF_INET,
	    &s->ours) == -1)
		return err_set(err, ERR_CONFIG, "%s is no address to connect to %s from",
		    our_host != NULL ? our_host : "*", s->host);
	if (!literal)
		return stream_resolve(s, err);
	if (stream_try(s) == -1) {
		*err = s->why;
		return -1;
	}
	return 0;
}

struct stream *
stream_connect(struct loop *loop, const char *host, unsigned port, const char *our_host,
    unsigned our_port, const struct stream_tls *tls, unsigned timeout_ms,
    const struct stream_events *events, void *arg, struct err *err)
{
	SSL_CTX *ctx = NULL;
	struct stream *s;
	struct err why = { 0 };

	if (tls != NULL && (ctx = tls_new(tls, true, err)) == NULL)
		return NULL;
	if ((s = stream_new(loop, -1, NULL, BUFFEREVENT_SSL_OPEN)) == NULL) {
		SSL_CTX_free(ctx);
		err_set(err, ERR_SYSTEM, "no memory for a connection");
		return NULL;
	}
	s->tls = ctx;
	s->events = events;
	s->arg = arg;
	s->port = port;
	s->until = loop_now(loop) + timeout_ms;
	timer_set(s->timer, timeout_ms);
	bufferevent_disable(s->bev, EV_WRITE);	/* it only keeps what is written meanwhile */
	snprintf(s->host, sizeof s->host, "%s", host);
	snprintf(s->peer, sizeof s->peer, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
	if (tls != NULL) {
		s->verifies = !tls->no_verify;
		snprintf(s->name, sizeof s->name, "%s",
		    tls->server_name != NULL ? tls->server_name : host);
	}
	if (stream_start(s, our_host, our_port, &why) == -1) {
		if (err != NULL && err->code == ERR_NONE)
			*err = why;
		stream_free(&s);
	}
	return s;
}

/* ---- octets ---- */

struct text
stream_peek(struct stream *s, size_t want)
{
	size_t there = evbuffer_get_length(s->in);
	size_t n = want < there ? want : there;
	size_t together = evbuffer_get_contiguous_space(s->in);
	struct evbuffer_iovec v;

	/* what lies together already is shown without a copy */
	if (together >= n && evbuffer_peek(s->in, -1, NULL, &v, 1) >= 1)
		return (struct text){ v.iov_base, n };
	return (struct text){ n > 0 ? (const char *)evbuffer_pullup(s->in, (ev_ssize_t)n) : "", n };
}

size_t
stream_waiting(const struct stream *s)
{
	return evbuffer_get_length(s->in);
}

static void
stream_read_again(struct stream *s)
{
	if (!s->dead && !s->paused && !s->full)
		bufferevent_enable(s->bev, EV_READ);
}

void
stream_consume(struct stream *s, size_t n)
{
	evbuffer_drain(s->in, n);
	if (s->full && evbuffer_get_length(s->in) < STREAM_INPUT_MOST) {
		s->full = false;
		stream_read_again(s);
	}
}

int
stream_write(struct stream *s, const void *octets, size_t n)
{
	if (s->dead || evbuffer_get_length(s->out) + n > STREAM_UNSENT_MOST)
		return -1;
	return evbuffer_add(s->out, octets, n);
}

size_t
stream_unsent(const struct stream *s)
{
	return evbuffer_get_length(s->out);
}

void
stream_pause(struct stream *s, bool paused)
{
	s->paused = paused;
	if (paused) {
		bufferevent_disable(s->bev, EV_READ);
		return;
	}
	stream_read_again(s);
	if (!s->dead && evbuffer_get_length(s->in) > 0)
		bufferevent_trigger(s->bev, EV_READ,
		    BEV_TRIG_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
}

const char *
stream_peer(const struct stream *s)
{
	return s->peer;
}

/* ---- finishing ---- */

static void
finish_now(void *arg)
{
	struct stream *s = arg;

	stream_free(&s);
}

static void
finish_down(void *arg, const struct err *why)
{
	(void)why;
	finish_now(arg);
}

static void
finish_input(void *arg)
{
	struct stream *s = arg;

	stream_consume(s, evbuffer_get_length(s->in));
}

/* To close with octets unread would reset the connection, and what is still on its way to
 * the peer would be lost: we only stop talking, and wait for the peer to close. */
static void
finish_drained(void *arg)
{
	struct stream *s = arg;

	if (evbuffer_get_length(s->out) > 0)
		return;
	stream_goodbye(s);
	shutdown(bufferevent_getfd(s->bev), SHUT_WR);
}

static const struct stream_events finish_events = {
	.input = finish_input, .down = finish_down, .drained = finish_drained
};

void
stream_finish(struct stream **sp, unsigned ms)
{
	struct stream *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	if (s->dead || (!s->up && evbuffer_get_length(s->out) == 0)) {
		stream_free(&s);
		return;
	}
	s->events = &finish_events;
	s->arg = s;
	s->until = loop_now(s->loop) + ms;
	timer_set(s->timer, ms);
	loop_at_free(s->loop, &s->orphaned);
	s->paused = false;
	finish_input(s);
	stream_read_again(s);
	bufferevent_setwatermark(s->bev, EV_WRITE, 0, 0);
	if (evbuffer_get_length(s->out) == 0)
		finish_drained(s);
}

/* ---- listening ---- */

static void
peer_name(char *out, size_t size, const struct sockaddr *address, int length)
{
	char host[64] = "?", port[8] = "?";

	getnameinfo(address, (socklen_t)length, host, sizeof host, port, sizeof port,
	    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(out, size, address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static void
listener_accepted(struct evconnlistener *el, evutil_socket_t fd, struct sockaddr *address,
    int length, void *arg)
{
	struct listener *l = arg;
	SSL *ssl = l->tls != NULL ? SSL_new(l->tls) : NULL;
	struct stream *s;

	(void)el;
	if (l->tls != NULL && ssl == NULL) {
		close(fd);
		return;
	}
	s = stream_new(l->loop, fd, ssl, BUFFEREVENT_SSL_ACCEPTING);
	if (s == NULL)
		return;
	s->up = ssl == NULL;
	set_no_delay(s);
	peer_name(s->peer, sizeof s->peer, address, length);
	l->fn(l->arg, s);
}

/* Out of descriptors: the connection stays in the backlog, and asking again at once would
 * only burn the processor. */
static void
listener_failed(struct evconnlistener *el, void *arg)
{
	struct listener *l = arg;

	log_warn("accept: %s", strerror(errno));
	evconnlistener_disable(el);
	timer_set(l->rest, LISTENER_REST_MS);
}

static void
listener_rested(void *arg)
{
	struct listener *l = arg;

	evconnlistener_enable(l->listener);
}

struct listener *
listener_open(struct loop *loop, const char *interface, unsigned port,
    const struct stream_tls *tls, listener_fn *fn, void *arg, struct err *err)
{
	struct listener *l = calloc(1, sizeof *l);
	union address a;

	if (l == NULL) {
		err_set(err, ERR_SYSTEM, "no memory for a listener");
		return NULL;
	}
	*l = (struct listener){ .loop = loop, .fn = fn, .arg = arg };
	l->rest = timer_new(loop, listener_rested, l);
	if (l->rest == NULL)
		err_set(err, ERR_SYSTEM, "no memory for a listener");
	else if (address_parse(interface, port, AF_UNSPEC, &a) == -1)
		err_set(err, ERR_CONFIG, "interface %s is no address",
		    interface != NULL ? interface : "*");
	else if (tls == NULL || (l->tls = tls_new(tls, false, err)) != NULL) {
		l->listener = evconnlistener_new_bind(loop_base(loop), listener_accepted, l,
		    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
		    LISTENER_BACKLOG, &a.any, (int)address_size(&a));
		if (l->listener == NULL)
			err_errno(err, "port %u", port);
	}
	if (l->listener == NULL)
		listener_free(&l);
	else
		evconnlistener_set_error_cb(l->listener, listener_failed);
	return l;
}

unsigned
listener_port(const struct listener *l)
{
	union address a = { 0 };
	socklen_t length = sizeof a;

	if (getsockname(evconnlistener_get_fd(l->listener), &a.any, &length) == -1)
		return 0;
	return ntohs(a.any.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
}

void
listener_free(struct listener **lp)
{
	struct listener *l = *lp;

	if (l == NULL)
		return;
	if (l->listener != NULL)
		evconnlistener_free(l->listener);
	SSL_CTX_free(l->tls);
	timer_free(&l->rest);
	free(l);
	*lp = NULL;
}
