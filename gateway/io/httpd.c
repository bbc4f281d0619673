/*
 * httpd.c - libmicrohttpd on the loop
 *
 * libmicrohttpd keeps an epoll descriptor of its own; that descriptor is one event here, and
 * MHD_run does the work. A request whose answer comes later is suspended; http_reply
 * resumes it, and all that were resumed in one turn share one MHD_run.
 *
 * A request is parsed by the library but understood by us: path and query stay as sent, so that
 * %00 and broken escapes reach whoever can judge them. Framing that two parsers could read
 * differently (two Content-Lengths, Content-Length beside Transfer-Encoding; RFC 9112, 6.3)
 * is refused here, since the library takes it.
 *
 * Certificates are read again by starting a second daemon on the same listening socket; the first
 * keeps its connections until they end.
 *
 * Limits of the library: a client that leaves while its request is suspended is not noticed
 * before the answer; a connection costs HTTPD_POOL octets, header and URL must fit into it.
 *
 * Knows:     libmicrohttpd 0.9.75, its pitfalls: MHD_get_timeout after each MHD_run; a stop
 *            with a suspended connection aborts the process.
 * Does not:  know paths, parameters or what an answer says.
 * Owns:      the listening socket, the daemons, each request's memory (one block, kept for
 *            the next request).
 * Threads:   the loop.
 */
#include "io/httpd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <microhttpd.h>

#include "io/log.h"
#include "io/loop.h"

enum {
	HTTPD_POOL = 24 * 1024,			/* of the library, per connection */
	HTTPD_BACKLOG = 1024,
	HTTPD_BLOCK = 4096, HTTPD_BLOCKS_KEPT = 256,
	HTTPD_DRAIN_MOST = 32 * 1024 * 1024,	/* of a refused body, so that the client reads why */
	HTTPD_BODY_FIRST = 4096,
	HTTPD_PEM_MOST = 1024 * 1024,
	HTTPD_CLOSING_RUNS = 3,
};

/* TLS 1.2 or later (RFC 8996). */
static const char httpd_tls[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

enum request_state {
	REQUEST_HEAD,		/* the request line is known, the header is coming */
	REQUEST_BODY,		/* the body is coming */
	REQUEST_REFUSED,	/* the body is read and forgotten, then comes our own answer */
	REQUEST_OPEN,		/* with the handler */
	REQUEST_ANSWERED,	/* the answer waits for the library to fetch it */
	REQUEST_DROPPED,	/* the connection is to be closed instead */
	REQUEST_SENT
};

struct block {
	struct block	*next;
	_Alignas(max_align_t) char data[];
};

struct reply_header {
	struct reply_header *next;
	const char	*name, *value;
};

struct door;

struct http_request {
	struct door		*door;
	struct MHD_Connection	*connection;
	struct MHD_Response	*response;
	enum request_state	 state;
	int			 status;
	bool			 in_handler, suspended, has_body, body_on_heap;
	struct text		 method, path, query;
	char			*body;
	size_t			 body_len, body_room, drained;
	struct reply_header	*headers, **headers_end;
	mono_t			 due;
	void			(*on_deadline)(void *arg);
	void			*deadline_arg;
	struct http_request	*next, *prev;		/* of those that wait */
	struct block		*more;			/* memory beyond the first block */
	char			*free_at, *free_end;
};

/* One daemon of the library; after a reload the former one lives on beside it. */
struct door {
	struct door		*next;
	struct httpd		*httpd;
	struct MHD_Daemon	*daemon;
	struct event		 readable, timer;
	mono_t			 timer_at;
	bool			 quiet;			/* takes no new connections */
	struct soon		 run;
};

struct httpd {
	struct loop		*loop;
	struct httpd_conf	 conf;			/* its texts are copies */
	httpd_request_fn	*fn;
	void			*arg;
	int			 fd;
	bool			 refusing;
	struct door		*doors;			/* the newest first */
	struct http_request	*first, *last, *untold;	/* waiting, in order of arrival */
	size_t			 waiting;
	struct timer		*deadline;
	struct block		*blocks;
	unsigned		 blocks_kept;
	char			 said[160];		/* by the library while it starts */
	bool			 starting;
};

/* ---- memory of a request ---- */

static struct http_request *
request_new(struct door *door)
{
	struct httpd *h = door->httpd;
	struct block *b = h->blocks;
	struct http_request *r;

	if (b != NULL) {
		h->blocks = b->next;
		h->blocks_kept--;
	} else if ((b = malloc(HTTPD_BLOCK)) == NULL) {
		return NULL;
	}
	r = (struct http_request *)b->data;
	memset(r, 0, sizeof *r);
	r->door = door;
	r->headers_end = &r->headers;
	r->free_at = b->data + sizeof *r;
	r->free_end = (char *)b + HTTPD_BLOCK;
	return r;
}

static void
request_free(struct http_request *r)
{
	struct httpd *h = r->door->httpd;
	struct block *b = (struct block *)((char *)r - offsetof(struct block, data)), *more;

	if (r->response != NULL)
		MHD_destroy_response(r->response);
	if (r->body_on_heap)
		free(r->body);
	while ((more = r->more) != NULL) {
		r->more = more->next;
		free(more);
	}
	if (h->blocks_kept == HTTPD_BLOCKS_KEPT) {
		free(b);
		return;
	}
	b->next = h->blocks;
	h->blocks = b;
	h->blocks_kept++;
}

void *
http_alloc(struct http_request *r, size_t n)
{
	const size_t unit = _Alignof(max_align_t);
	size_t used = (size_t)(unit - (uintptr_t)r->free_at % unit) % unit;
	struct block *b;
	char *at;

	if (used <= (size_t)(r->free_end - r->free_at) &&
	    n <= (size_t)(r->free_end - r->free_at) - used) {
		at = r->free_at + used;
		r->free_at = at + n;
		return memset(at, 0, n);
	}
	if (n > SIZE_MAX / 2 || (b = calloc(1, sizeof *b + n)) == NULL)
		return NULL;
	b->next = r->more;
	r->more = b;
	return b->data;
}

static const char *
request_copy(struct http_request *r, const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = http_alloc(r, n);

	return copy != NULL ? memcpy(copy, s, n) : NULL;
}

/* ---- the library's turn ---- */

/* The timer is moved only when it would come too late: connections that stay busy push
 * their timeout ahead of them with every request. */
static void
door_set_timer(struct door *d)
{
	MHD_UNSIGNED_LONG_LONG ms;
	struct timeval tv;
	mono_t at;

	if (MHD_get_timeout(d->daemon, &ms) != MHD_YES)
		return;
	if (ms == 0) {
		loop_soon(d->httpd->loop, &d->run);
		return;
	}
	at = loop_now(d->httpd->loop) + (mono_t)ms;
	if (evtimer_pending(&d->timer, NULL) && d->timer_at <= at)
		return;
	d->timer_at = at;
	tv = (struct timeval){ (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };
	evtimer_add(&d->timer, &tv);
}

static void
door_free(struct door *d)
{
	loop_not_soon(d->httpd->loop, &d->run);
	event_del(&d->readable);
	event_del(&d->timer);
	MHD_stop_daemon(d->daemon);
	free(d);
}

static bool
door_is_empty(const struct door *d)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(d->daemon,
	    MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info != NULL && info->num_connections == 0;
}

static void
door_run(struct door *d)
{
	struct door **at;

	MHD_run(d->daemon);
	if (!d->quiet || !door_is_empty(d)) {
		door_set_timer(d);
		return;
	}
	for (at = &d->httpd->doors; *at != d; at = &(*at)->next)
		continue;
	*at = d->next;
	door_free(d);
}

static void
door_soon(void *arg)
{
	door_run(arg);
}

static void
door_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	door_run(arg);
}

/* ---- those that wait ---- */

static void
deadline_arm(struct httpd *h)
{
	if (h->untold != NULL)
		timer_set(h->deadline, h->untold->due - loop_now(h->loop));
}

static void
deadline_due(void *arg)
{
	struct httpd *h = arg;
	struct http_request *r;

	while ((r = h->untold) != NULL && r->due <= loop_now(h->loop)) {
		h->untold = r->next;
		if (r->on_deadline != NULL)
			r->on_deadline(r->deadline_arg);
	}
	deadline_arm(h);
}

static void
waiting_add(struct http_request *r)
{
	struct httpd *h = r->door->httpd;

	r->next = NULL;
	r->prev = h->last;
	if (h->last != NULL)
		h->last->next = r;
	else
		h->first = r;
	h->last = r;
	h->waiting++;
	if (h->conf.deadline_ms == 0)
		return;
	r->due = loop_now(h->loop) + h->conf.deadline_ms;
	if (h->untold == NULL) {
		h->untold = r;
		if (!timer_armed(h->deadline))
			deadline_arm(h);
	}
}

static void
waiting_remove(struct http_request *r)
{
	struct httpd *h = r->door->httpd;

	if (h->untold == r)
		h->untold = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	else
		h->last = r->prev;
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		h->first = r->next;
	h->waiting--;
}

/* ---- answers ---- */

static void
request_set_answer(struct http_request *r, int status, const char *type, struct text body)
{
	r->response = MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.at,
	    MHD_RESPMEM_MUST_COPY);
	r->state = r->response != NULL ? REQUEST_ANSWERED : REQUEST_DROPPED;
	if (r->response == NULL)
		return;
	r->status = status;
	if (r->door->httpd->conf.server != NULL)
		MHD_add_response_header(r->response, MHD_HTTP_HEADER_SERVER,
		    r->door->httpd->conf.server);
	if (type != NULL)
		MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	for (const struct reply_header *h = r->headers; h != NULL; h = h->next)
		MHD_add_response_header(r->response, h->name, h->value);
}

/* The handler is done with it: the library may go on. */
static void
request_leave(struct http_request *r)
{
	waiting_remove(r);
	if (!r->suspended)
		return;
	r->suspended = false;
	MHD_resume_connection(r->connection);
	loop_soon(r->door->httpd->loop, &r->door->run);
}

void
http_reply_header(struct http_request *r, const char *name, const char *value)
{
	struct reply_header *h;

	if (name[strcspn(name, "\r\n")] != '\0' || value[strcspn(value, "\r\n")] != '\0')
		return;
	h = http_alloc(r, sizeof *h);
	if (h == NULL || (h->name = request_copy(r, name)) == NULL ||
	    (h->value = request_copy(r, value)) == NULL)
		return;
	*r->headers_end = h;
	r->headers_end = &h->next;
}

void
http_reply(struct http_request *r, int status, const char *type, struct text body)
{
	assert(r->state == REQUEST_OPEN);
	request_set_answer(r, status, type, body);
	request_leave(r);
}

void
http_drop(struct http_request *r)
{
	assert(r->state == REQUEST_OPEN);
	r->state = REQUEST_DROPPED;
	request_leave(r);
}

void
http_on_deadline(struct http_request *r, void (*fn)(void *arg), void *arg)
{
	r->on_deadline = fn;
	r->deadline_arg = arg;
}

/* Fetched by the library: the answer, or a word to close the connection. */
static enum MHD_Result
request_send(struct http_request *r)
{
	enum MHD_Result done = MHD_NO;

	if (r->state == REQUEST_ANSWERED)
		done = MHD_queue_response(r->connection, (unsigned)r->status, r->response);
	if (r->response != NULL)
		MHD_destroy_response(r->response);
	r->response = NULL;
	r->state = REQUEST_SENT;
	return done;
}

/* ---- questions ---- */

struct framing {
	unsigned	 lengths, encodings;
	bool		 chunked, expects;
	bool		 huge;			/* a length that no body may have */
	size_t		 length;
};

static enum MHD_Result
framing_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct framing *f = arg;
	char *end;

	(void)kind;
	switch (name[0] | 0x20) {
	case 'c':
		if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) != 0)
			break;
		f->lengths++;
		errno = 0;
		f->length = strtoull(value, &end, 10);	/* the library checked the digits */
		f->huge = errno != 0;
		break;
	case 't':
		if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) != 0)
			break;
		f->encodings++;
		f->chunked = strcasecmp(value, "chunked") == 0;
		break;
	case 'e':
		f->expects |= strcasecmp(name, MHD_HTTP_HEADER_EXPECT) == 0;
		break;
	}
	return MHD_YES;
}

static struct refusal {
	int		 status;
	const char	*text;
} const refusals[] = {
	{ MHD_HTTP_BAD_REQUEST, "More than one Content-Length.\n" },
	{ MHD_HTTP_BAD_REQUEST, "Content-Length and Transfer-Encoding together.\n" },
	{ MHD_HTTP_NOT_IMPLEMENTED, "This Transfer-Encoding is not known here.\n" },
	{ MHD_HTTP_CONTENT_TOO_LARGE, "The body is too long.\n" },
	{ MHD_HTTP_SERVICE_UNAVAILABLE, "Stopping, please try again later.\n" },
};
enum { TWO_LENGTHS, LENGTH_AND_ENCODING, STRANGE_ENCODING, TOO_LONG, STOPPING };

static void
request_refuse(struct http_request *r, const struct refusal *why)
{
	http_reply_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
	if (why->status == MHD_HTTP_SERVICE_UNAVAILABLE)
		http_reply_header(r, MHD_HTTP_HEADER_RETRY_AFTER, "5");
	request_set_answer(r, why->status, "text/plain", text_of(why->text));
}

static const struct refusal *
request_fault(const struct http_request *r, const struct framing *f)
{
	const struct httpd *h = r->door->httpd;

	if (f->lengths > 1)
		return &refusals[TWO_LENGTHS];
	if (f->lengths == 1 && f->encodings > 0)
		return &refusals[LENGTH_AND_ENCODING];
	if (f->encodings > 1 || (f->encodings == 1 && !f->chunked))
		return &refusals[STRANGE_ENCODING];
	if (f->huge || f->length > h->conf.body_most)
		return &refusals[TOO_LONG];
	return h->refusing ? &refusals[STOPPING] : NULL;
}

/* Whole: to the handler. What it leaves open is suspended. */
static enum MHD_Result
request_give(struct http_request *r)
{
	struct httpd *h = r->door->httpd;

	r->state = REQUEST_OPEN;
	waiting_add(r);
	r->in_handler = true;
	h->fn(h->arg, r);
	r->in_handler = false;
	if (r->state != REQUEST_OPEN)
		return request_send(r);
	MHD_suspend_connection(r->connection);
	r->suspended = true;
	return MHD_YES;
}

/* The header is there. A client that has begun to send a body reads no answer before it is
 * done, so a refused body is read, within reason; a framing fault leaves nothing to read.
 * To answer already now makes the library close the connection, so the others wait for
 * its last call, even without a body. */
static enum MHD_Result
request_begin(struct http_request *r, struct MHD_Connection *connection, const char *method)
{
	struct framing f = { 0 };
	const struct refusal *fault;
	bool body, drain;

	r->connection = connection;
	r->method = text_of(method);
	MHD_get_connection_values(connection, MHD_HEADER_KIND, framing_header, &f);
	body = f.length > 0 || f.encodings > 0;
	fault = request_fault(r, &f);
	if (fault != NULL) {
		drain = body && !f.expects && !f.huge && f.length <= HTTPD_DRAIN_MOST &&
		    (fault == &refusals[TOO_LONG] || fault == &refusals[STOPPING]);
		request_refuse(r, fault);
		if (!drain)
			return request_send(r);
		r->state = REQUEST_REFUSED;
		return MHD_YES;
	}
	r->has_body = f.length > 0;
	if (f.length > 0 && f.length <= HTTPD_BLOCK / 2) {
		r->body = http_alloc(r, f.length);
		r->body_room = r->body != NULL ? f.length : 0;
	}
	r->state = REQUEST_BODY;
	return MHD_YES;
}

static int
request_body_grow(struct http_request *r, size_t need)
{
	size_t room = r->body_room < HTTPD_BODY_FIRST ? HTTPD_BODY_FIRST : r->body_room;
	char *body;

	while (room < need)
		room *= 2;
	body = realloc(r->body_on_heap ? r->body : NULL, room);
	if (body == NULL)
		return -1;
	if (!r->body_on_heap && r->body_len > 0)
		memcpy(body, r->body, r->body_len);
	r->body = body;
	r->body_on_heap = true;
	r->body_room = room;
	return 0;
}

static enum MHD_Result
request_body(struct http_request *r, const char *data, size_t n)
{
	r->has_body = true;
	if (n > r->door->httpd->conf.body_most - r->body_len) {	/* only chunks get so far */
		r->drained = r->body_len + n;
		request_refuse(r, &refusals[TOO_LONG]);
		r->state = REQUEST_REFUSED;
		return MHD_YES;
	}
	if (n > r->body_room - r->body_len && request_body_grow(r, r->body_len + n) == -1)
		return MHD_NO;
	memcpy(r->body + r->body_len, data, n);
	r->body_len += n;
	return MHD_YES;
}

/* Called by the library: once with the header, then with pieces of the body, then with
 * nothing more to say; and again after each resume. */
static enum MHD_Result
door_asked(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *data, size_t *n, void **request)
{
	struct http_request *r = *request;
	enum MHD_Result go_on = MHD_YES;
	size_t got = *n;

	(void)arg;
	(void)url;
	(void)version;
	if (r == NULL)			/* no memory when the request line came */
		return MHD_NO;
	*n = 0;
	switch (r->state) {
	case REQUEST_HEAD:
		return request_begin(r, connection, method);
	case REQUEST_BODY:
		return got > 0 ? request_body(r, data, got) : request_give(r);
	case REQUEST_REFUSED:
		r->drained += got;
		if (got > 0)
			return r->drained <= HTTPD_DRAIN_MOST ? MHD_YES : MHD_NO;
		r->state = REQUEST_ANSWERED;
		go_on = request_send(r);
		break;
	case REQUEST_ANSWERED:
	case REQUEST_DROPPED:
		go_on = request_send(r);
		break;
	case REQUEST_OPEN:
	case REQUEST_SENT:
		break;
	}
	return go_on;
}

/* RFC 9112, 3.2.2: a request for a proxy is for us all the same. */
static struct text
uri_without_host(struct text uri)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (int i = 0; i < 2; i++) {
		size_t n = strlen(schemes[i]);
		const char *end = uri.at + uri.len, *at = uri.at + n;

		if (uri.len < n || strncasecmp(uri.at, schemes[i], n) != 0)
			continue;
		while (at < end && *at != '/' && *at != '?')
			at++;
		return (struct text){ at, (size_t)(end - at) };
	}
	return uri;
}

/* The request line, before the library decodes it in place. */
static void *
door_uri(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct http_request *r = request_new(arg);
	struct text rest;
	const char *copy;

	(void)connection;
	if (r == NULL)
		return NULL;
	copy = request_copy(r, uri);
	if (copy == NULL) {
		request_free(r);
		return NULL;
	}
	rest = uri_without_host(text_of(copy));
	text_cut(&rest, '?', &r->path);
	r->query = rest;
	return r;
}

/* Also for requests that we never saw: a header that ended in the middle. */
static void
door_completed(void *arg, struct MHD_Connection *connection, void **request,
    enum MHD_RequestTerminationCode code)
{
	struct http_request *r = *request;

	(void)arg;
	(void)connection;
	(void)code;
	if (r == NULL)
		return;
	*request = NULL;
	if (r->state == REQUEST_OPEN)
		waiting_remove(r);
	request_free(r);
}

static size_t
door_leave_escaped(void *arg, struct MHD_Connection *connection, char *s)
{
	(void)arg;
	(void)connection;
	return strlen(s);
}

struct text
http_method(const struct http_request *r)
{
	return r->method;
}

struct text
http_path(const struct http_request *r)
{
	return r->path;
}

struct text
http_query(const struct http_request *r)
{
	return r->query;
}

struct text
http_header(const struct http_request *r, const char *name)
{
	struct text value = { NULL, 0 };

	if (MHD_lookup_connection_value_n(r->connection, MHD_HEADER_KIND, name, strlen(name),
	    &value.at, &value.len) != MHD_YES)
		return (struct text){ NULL, 0 };
	return text_trim(value);	/* RFC 9112, 5.1: the library keeps blanks at the end */
}

struct text
http_body(const struct http_request *r)
{
	return (struct text){ r->body_len > 0 ? r->body : "", r->body_len };
}

bool
http_has_body(const struct http_request *r)
{
	return r->has_body;
}

const struct sockaddr *
http_client(const struct http_request *r)
{
	return MHD_get_connection_info(r->connection,
	    MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
}

/* ---- opening ---- */

/* What the library says while it starts is the reason why it does not; later it
 * remarks on clients, which is not worth a line. */
__attribute__((format(printf, 2, 0)))
static void
door_said(void *arg, const char *fmt, va_list args)
{
	struct httpd *h = arg;

	if (!h->starting)
		return;
	vsnprintf(h->said, sizeof h->said, fmt, args);
	h->said[strcspn(h->said, "\r\n")] = '\0';
}

/* A PEM file, ended by NUL; NULL and err. */
static char *
pem_read(const char *path, struct err *err)
{
	FILE *f = fopen(path, "re");
	char *pem = NULL;
	size_t n;

	if (f == NULL) {
		err_errno(err, "%s", path);
		return NULL;
	}
	pem = malloc(HTTPD_PEM_MOST);
	if (pem == NULL) {
		err_set(err, ERR_SYSTEM, "%s: no memory", path);
	} else {
		n = fread(pem, 1, HTTPD_PEM_MOST - 1, f);
		pem[n] = '\0';
		if (ferror(f)) {
			err_errno(err, "%s", path);
			free(pem);
			pem = NULL;
		}
	}
	fclose(f);
	return pem;
}

static void
pem_free(char *pem)
{
	if (pem != NULL)
		explicit_bzero(pem, strlen(pem));
	free(pem);
}

static struct MHD_Daemon *
door_start(struct door *d, int fd, const char *cert, const char *key)
{
	struct httpd *h = d->httpd;
	const struct httpd_conf *c = &h->conf;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)httpd_tls },
		{ MHD_OPTION_END, 0, NULL }
	};
	struct MHD_Daemon *daemon;

	if (cert == NULL)
		tls[0].option = MHD_OPTION_END;
	h->said[0] = '\0';
	h->starting = true;
	daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
	    (cert != NULL ? MHD_USE_TLS : 0), 0, NULL, NULL, door_asked, d,
	    MHD_OPTION_EXTERNAL_LOGGER, door_said, h,
	    MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_CONNECTION_LIMIT, c->connections,
	    MHD_OPTION_CONNECTION_TIMEOUT, c->idle_s,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTPD_POOL,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
	    MHD_OPTION_URI_LOG_CALLBACK, door_uri, d,
	    MHD_OPTION_UNESCAPE_CALLBACK, door_leave_escaped, NULL,
	    MHD_OPTION_NOTIFY_COMPLETED, door_completed, NULL,
	    MHD_OPTION_ARRAY, tls,
	    MHD_OPTION_END);
	h->starting = false;
	return daemon;
}

/* A daemon of the library on `fd`, which it owns from then on; NULL leaves fd to the caller. */
static struct door *
door_new(struct httpd *h, int fd, struct err *err)
{
	const struct httpd_conf *c = &h->conf;
	struct door *d = calloc(1, sizeof *d);
	char *cert = NULL, *key = NULL;

	if (d == NULL) {
		err_set(err, ERR_SYSTEM, "%s: no memory", c->name);
		return NULL;
	}
	d->httpd = h;
	d->run = (struct soon){ .run = door_soon, .arg = d };
	if (c->cert_file == NULL || ((cert = pem_read(c->cert_file, err)) != NULL &&
	    (key = pem_read(c->key_file, err)) != NULL)) {
		d->daemon = door_start(d, fd, cert, key);
		if (d->daemon == NULL)
			err_set(err, cert != NULL ? ERR_CONFIG : ERR_SYSTEM,
			    "%s port %u does not open%s%s%s%s%s: %s", c->name, c->port,
			    cert != NULL ? " with " : "", cert != NULL ? c->cert_file : "",
			    cert != NULL ? " and " : "", cert != NULL ? c->key_file : "", "",
			    h->said[0] != '\0' ? h->said : "libmicrohttpd says no more");
	}
	pem_free(cert);
	pem_free(key);
	if (d->daemon == NULL) {
		free(d);
		return NULL;
	}
	event_assign(&d->readable, loop_base(h->loop),
	    MHD_get_daemon_info(d->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
	    EV_READ | EV_PERSIST, door_due, d);
	evtimer_assign(&d->timer, loop_base(h->loop), door_due, d);
	event_add(&d->readable, NULL);
	d->next = h->doors;
	h->doors = d;
	return d;
}

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
	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, HTTPD_BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Without an interface: IPv6 and IPv4 on one socket, or IPv4 where the kernel has no IPv6. */
static int
httpd_listen(const struct httpd_conf *c, struct err *err)
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

static char *
copy_or_null(const char *s)
{
	return s != NULL ? strdup(s) : NULL;
}

static void
httpd_copy_conf(struct httpd *h, const struct httpd_conf *c)
{
	h->conf = *c;
	h->conf.name = strdup(c->name != NULL ? c->name : "http");
	h->conf.interface = copy_or_null(c->interface);
	h->conf.cert_file = copy_or_null(c->cert_file);
	h->conf.key_file = copy_or_null(c->key_file);
	h->conf.server = copy_or_null(c->server);
}

static void
httpd_free(struct httpd *h)
{
	struct block *b;

	while ((b = h->blocks) != NULL) {
		h->blocks = b->next;
		free(b);
	}
	if (h->fd != -1)
		close(h->fd);
	timer_free(&h->deadline);
	free((void *)(uintptr_t)h->conf.name);
	free((void *)(uintptr_t)h->conf.interface);
	free((void *)(uintptr_t)h->conf.cert_file);
	free((void *)(uintptr_t)h->conf.key_file);
	free((void *)(uintptr_t)h->conf.server);
	free(h);
}

/* Each daemon has a descriptor of its own for the one socket: it closes it when it stops. */
static int
httpd_add_door(struct httpd *h, struct err *err)
{
	int fd = fcntl(h->fd, F_DUPFD_CLOEXEC, 0);

	if (fd == -1)
		return err_errno(err, "%s port %u", h->conf.name, h->conf.port);
	if (door_new(h, fd, err) == NULL) {
		close(fd);
		return -1;
	}
	return 0;
}

struct httpd *
httpd_open(struct loop *loop, const struct httpd_conf *conf, httpd_request_fn *fn, void *arg,
    struct err *err)
{
	struct httpd *h = calloc(1, sizeof *h);

	if (h == NULL) {
		err_set(err, ERR_SYSTEM, "%s: no memory", conf->name);
		return NULL;
	}
	h->loop = loop;
	h->fn = fn;
	h->arg = arg;
	h->fd = -1;
	httpd_copy_conf(h, conf);
	h->deadline = timer_new(loop, deadline_due, h);
	if ((conf->cert_file == NULL) != (conf->key_file == NULL))
		err_set(err, ERR_CONFIG, "%s: a certificate needs its key and a key its "
		    "certificate", conf->name);
	else if (h->conf.name == NULL || h->deadline == NULL)
		err_set(err, ERR_SYSTEM, "%s: no memory", conf->name);
	else if ((h->fd = httpd_listen(&h->conf, err)) != -1) {
		h->conf.port = httpd_port(h);
		if (httpd_add_door(h, err) == 0)
			return h;
	}
	httpd_free(h);
	return NULL;
}

unsigned
httpd_port(const struct httpd *h)
{
	union {
		struct sockaddr		any;
		struct sockaddr_in	in;
		struct sockaddr_in6	in6;
	} a = { 0 };
	socklen_t len = sizeof a;

	if (getsockname(h->fd, &a.any, &len) == -1)
		return 0;
	return ntohs(a.any.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
}

/* Bad files leave everything as it was. */
int
httpd_reload(struct httpd *h, struct err *err)
{
	struct door *former = h->doors;
	int fd;

	if (h->conf.cert_file == NULL)
		return 0;
	if (httpd_add_door(h, err) == -1)
		return -1;
	fd = MHD_quiesce_daemon(former->daemon);
	if (fd != -1)
		close(fd);
	former->quiet = true;
	loop_soon(h->loop, &former->run);	/* gone at once when nobody is connected */
	return 0;
}

size_t
httpd_waiting(const struct httpd *h)
{
	return h->waiting;
}

void
httpd_refuse(struct httpd *h)
{
	h->refusing = true;
}

/* Nothing may be suspended when a daemon stops; the runs let the answers leave. */
void
httpd_close(struct httpd **hp)
{
	struct httpd *h = *hp;
	struct door *d;

	if (h == NULL)
		return;
	h->refusing = true;
	while (h->first != NULL) {
		http_reply_header(h->first, MHD_HTTP_HEADER_CONNECTION, "close");
		http_reply_header(h->first, MHD_HTTP_HEADER_RETRY_AFTER, "5");
		http_reply(h->first, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain",
		    text_of(refusals[STOPPING].text));
	}
	for (d = h->doors; d != NULL; d = d->next)
		for (int i = 0; i < HTTPD_CLOSING_RUNS; i++)
			MHD_run(d->daemon);
	while ((d = h->doors) != NULL) {
		h->doors = d->next;
		door_free(d);
	}
	httpd_free(h);
	*hp = NULL;
}
