/*
 * httpd.c - libmicrohttpd on the loop
 *
 * libmicrohttpd keeps an epoll descriptor of its own; that descriptor is one event here, and
 * MHD_run does the work. A request whose answer comes later is suspended; http_reply
 * resumes it, and all that were resumed in one turn share one MHD_run.
 *
 * Connections come from the gate (http_gate.h), which has seen a whole and good header of their
 * first request. A request is parsed by the library but understood by us: path and query stay as
 * sent, so that %00 and broken escapes reach whoever can judge them. The library is lax where two
 * parsers could read differently (RFC 9112, 2.2, 5 and 6.3: frames told twice, NUL, folded lines,
 * blanks in names), and TLS and later requests of a connection pass the gate unseen; so
 * every header is judged again here from what the library made of it.
 *
 * A connection that is too slow is closed, whatever it is slow at: its header, its body, reading
 * the answer, or asking again. At the bound of connections the longest idle one makes room.
 *
 * Certificates are read again by starting a second daemon; the first keeps its connections until
 * they end.
 *
 * Limits of the library: a client that leaves while its request is suspended is not noticed
 * before the answer; a connection costs HTTP_POOL octets, which hold the request's header, an
 * entry for each of its fields and parameters, and the answer's header.
 *
 * Knows:     libmicrohttpd 0.9.75, its pitfalls: MHD_get_timeout after each MHD_run; a stop
 *            with a suspended connection aborts the process; an answer whose header does not fit
 *            into the pool is not sent; with too many parameters it hangs.
 * Does not:  know paths, parameters or what an answer says.
 * Owns:      the gate, the daemons, visits, each request's memory (one block, kept for
 *            the next request).
 * Threads:   the loop.
 */
#include "io/httpd.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <microhttpd.h>

#include "io/http_gate.h"
#include "io/http_head.h"
#include "io/loop.h"

enum {
	HTTPD_POOL = 24 * 1024,			/* of the library, per connection */
	HTTPD_BACKLOG = 1024,
	HTTPD_BLOCK = 4096, HTTPD_BLOCKS_KEPT = 256,
	HTTPD_DRAIN_MOST = 32 * 1024 * 1024,	/* of a refused body, so that the client reads why */
	HTTPD_BODY_FIRST = 4096,
	HTTPD_PEM_MOST = 1024 * 1024,
	HTTPD_CLOSING_RUNS = 3,
	SLOW_MS = 10 * 1000, SWEEP_MS = 1000,
	ROOM_MS = 5 * 1000			/* after which a busy connection may have to make room */
};

#define HTTPD_STOPPING	"stopping, please try again later"

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

/* What a connection is slow at. */
enum phase { VISIT_IDLE, VISIT_HEAD, VISIT_BODY, VISIT_BUSY, VISIT_SENDING,
    VISIT_TOLD,				/* that it is too slow */
    VISIT_GOING };

struct visit {				/* a connection; lives as long as the library's */
	struct visit		*next, *prev;
	struct MHD_Connection	*connection;
	enum phase		 phase;
	mono_t			 since;
	size_t			 octets;		/* of the body or the answer */
};

struct http_request {
	struct door		*door;
	struct visit		*visit;
	struct MHD_Connection	*connection;
	struct MHD_Response	*response;
	enum request_state	 state;
	int			 status;
	bool			 in_handler, suspended, has_body, body_on_heap;
	struct text		 method, path, query;
	const char		*target;		/* as sent */
	const char		*uri, *uri_end;		/* where the library has it */
	size_t			 reply_room;		/* for fields of the answer */
	char			*body;
	size_t			 body_len, body_room, drained, answer_len;
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
	struct http_gate	*gate;
	const char		*refusal;	/* NULL: requests are served */
	bool			 layout_known;		/* how the library leaves a header in memory */
	struct door		*doors;			/* the newest first */
	struct visit		*visits, *arriving;
	unsigned		 visit_count;
	struct timer		*sweep;
	struct soon		 room;			/* a connection ended */
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

/* ---- visits ---- */

static void
visit_enter(struct visit *v, enum phase phase, mono_t now, size_t octets)
{
	if (v->phase >= VISIT_TOLD)
		return;
	v->phase = phase;
	v->since = now;
	v->octets = octets;
}

static void
request_enter(struct http_request *r, enum phase phase, size_t octets)
{
	visit_enter(r->visit, phase, loop_now(r->door->httpd->loop), octets);
}

static int
visit_fd(const struct visit *v)
{
	return MHD_get_connection_info(v->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

/* The library notices, and ends it in its way. */
static void
visit_end(struct visit *v)
{
	v->phase = VISIT_GOING;
	shutdown(visit_fd(v), SHUT_RDWR);
}

/* A plain connection hears why, unless an answer is on its way; then it has a moment to read. */
static void
visit_too_slow(struct httpd *h, struct visit *v, mono_t now)
{
	const char *reason = v->phase == VISIT_HEAD ? "the header of the request comes too slowly" :
	    v->phase == VISIT_BODY ? "the body of the request comes too slowly, or is framed badly" : NULL;

	if (reason == NULL || h->conf.cert_file != NULL || http_refusal_send(visit_fd(v),
	    h->conf.server, MHD_HTTP_REQUEST_TIMEOUT, reason) == -1) {
		visit_end(v);
		return;
	}
	http_log_refused(h->conf.name, MHD_get_connection_info(v->connection,
	    MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr, MHD_HTTP_REQUEST_TIMEOUT, reason);
	visit_enter(v, VISIT_TOLD, now, 0);
}

static bool
visit_overdue(const struct httpd *h, const struct visit *v, mono_t now)
{
	const mono_t allowed[] = {
		[VISIT_IDLE] = (mono_t)h->conf.idle_s * 1000, [VISIT_HEAD] = h->conf.slow_ms,
		[VISIT_BODY] = (mono_t)h->conf.slow_ms + (mono_t)v->octets,
		[VISIT_SENDING] = (mono_t)h->conf.slow_ms + (mono_t)v->octets,
		[VISIT_TOLD] = SWEEP_MS, [VISIT_BUSY] = INT64_MAX / 2, [VISIT_GOING] = INT64_MAX / 2
	};

	return now - v->since > allowed[v->phase];
}

static void
sweep_arm(struct httpd *h)
{
	timer_set(h->sweep, h->conf.slow_ms < SWEEP_MS ? h->conf.slow_ms : SWEEP_MS);
}

/* The library itself only looks at silence: an octet now and then would keep a connection for ever. */
static void
visits_sweep(void *arg)
{
	struct httpd *h = arg;
	mono_t now = loop_now(h->loop);

	for (struct visit *v = h->visits; v != NULL; v = v->next)
		if (visit_overdue(h, v, now))
			visit_too_slow(h, v, now);
	http_gate_room(h->gate);
	if (h->visits != NULL)
		sweep_arm(h);
}

/* The longest idle, else the slowest that asks or reads; never one that waits for us. */
static void
visits_make_room(struct httpd *h)
{
	mono_t now = loop_now(h->loop);
	struct visit *idle = NULL, *slow = NULL;

	for (struct visit *v = h->visits; v != NULL; v = v->next) {
		if (v->phase == VISIT_IDLE && (idle == NULL || v->since < idle->since))
			idle = v;
		else if (v->phase != VISIT_BUSY && v->phase != VISIT_GOING && now - v->since > ROOM_MS &&
		    (slow == NULL || v->since < slow->since))
			slow = v;
	}
	if (idle != NULL || slow != NULL)
		visit_end(idle != NULL ? idle : slow);
}

static void
visit_add(struct httpd *h, struct visit *v)
{
	v->next = h->visits;
	if (h->visits != NULL)
		h->visits->prev = v;
	h->visits = v;
	h->visit_count++;
	if (!timer_armed(h->sweep))
		sweep_arm(h);
}

static void
visit_free(struct httpd *h, struct visit *v)
{
	*(v->prev != NULL ? &v->prev->next : &h->visits) = v->next;
	if (v->next != NULL)
		v->next->prev = v->prev;
	h->visit_count--;
	free(v);
	loop_soon(h->loop, &h->room);
}

static void
visits_room(void *arg)
{
	struct httpd *h = arg;

	http_gate_room(h->gate);
}

static void
door_visited(void *arg, struct MHD_Connection *connection, void **visit,
    enum MHD_ConnectionNotificationCode what)
{
	struct httpd *h = ((struct door *)arg)->httpd;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		visit_free(h, *visit);
		return;
	}
	*visit = h->arriving;
	h->arriving->connection = connection;
	visit_add(h, h->arriving);
	h->arriving = NULL;
}

/* From the gate. */
static bool
httpd_take(void *arg, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct httpd *h = arg;

	if (h->visit_count >= h->conf.connections) {
		visits_make_room(h);
		return false;
	}
	h->arriving = calloc(1, sizeof *h->arriving);
	if (h->arriving == NULL)
		return false;
	visit_enter(h->arriving, VISIT_HEAD, loop_now(h->loop), 0);
	if (MHD_add_connection(h->doors->daemon, fd, addr, len) == MHD_YES) {
		loop_soon(h->loop, &h->doors->run);
	} else {			/* the library has closed it */
		free(h->arriving);
		h->arriving = NULL;
	}
	return true;
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
	r->answer_len = body.len;
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
	size_t octets = strlen(name) + strlen(value) + 4;	/* ": " and CRLF */
	struct reply_header *h;

	if (name[strcspn(name, "\r\n")] != '\0' || value[strcspn(value, "\r\n")] != '\0' ||
	    octets > r->reply_room)
		return;
	r->reply_room -= octets;
	h = http_alloc(r, sizeof *h);
	if (h == NULL || (h->name = request_copy(r, name)) == NULL ||
	    (h->value = request_copy(r, value)) == NULL)
		return;
	*r->headers_end = h;
	r->headers_end = &h->next;
}

size_t
http_reply_room(const struct http_request *r)
{
	return r->reply_room;
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
	request_enter(r, VISIT_SENDING, r->answer_len);
	return done;
}

/* ---- questions ---- */

/* A header as the library left it: names and values lie where they came, each ended by the NULs that
 * took the place of colon and line end. So what lies between them tells of NULs that were sent and of
 * folded lines, which the library has joined (to the name, of all things). */
struct header {
	const char	*next;			/* where the next name is to be, or one octet on */
	bool		 odd;
	unsigned	 fields;
	int		 status;
	struct http_frame frame;
	struct err	*err;
};

static void
header_begin(struct header *h, const struct http_request *r, const char *method, const char *version)
{
	const char *at = method + strlen(method) + 1;

	while (at < r->uri && *at == ' ')
		at++;
	h->odd = at != r->uri || r->uri_end + 1 != version;
	h->next = version + strlen(version) + 1;
}

static enum MHD_Result
header_field(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	struct header *h = arg;
	struct text n = { name, name_len }, v = { value, value_len };

	(void)kind;
	h->fields++;
	h->odd |= (name != h->next && (*h->next != '\0' || name != h->next + 1)) ||
	    (uintptr_t)value <= (uintptr_t)name;
	h->next = value + value_len + 1;
	if (h->status == 0)
		h->status = http_field_fault(n, v, h->err);
	http_frame_field(&h->frame, n, v);
	return MHD_YES;
}

/* Behind the last field: the rest of its line's end, and the empty line. */
static bool
header_ends_well(const struct header *h, const char *method, size_t octets)
{
	uintptr_t left = (uintptr_t)method + octets - (uintptr_t)h->next;

	return !h->odd && left >= 1 && left <= 3;
}

static int
refuse(struct err *err, int status, enum err_code code, const char *text)
{
	err_set(err, code, "%s", text);
	return status;
}

/* 0, or the status with which the request is refused. */
static int
request_fault(struct http_request *r, const char *version, struct header *header, struct err *err)
{
	const struct httpd *h = r->door->httpd;
	size_t octets = MHD_get_connection_info(r->connection,
	    MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
	struct text target = text_of(r->target);
	int status;

	header_begin(header, r, r->method.at, version);
	MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, header_field, header);
	r->reply_room = http_head_leaves(octets, header->fields, target);
	if (h->layout_known && !header_ends_well(header, r->method.at, octets))
		return refuse(err, MHD_HTTP_BAD_REQUEST, ERR_SYNTAX, "a NUL or a folded line: write each "
		    "field in one line");
	if (header->status != 0)
		return header->status;
	if ((status = http_target_fault(target, err)) != 0)
		return status;
	if ((status = http_frame_fault(&header->frame, strcmp(version, "HTTP/1.0") != 0, err)) != 0)
		return status;
	return http_head_fault(octets, header->fields, target, err);
}

/* What is only said when the frame is known: the client is heard to the end of its body. */
static int
request_untimely(const struct httpd *h, const struct http_frame *f, struct err *err)
{
	if (f->length > h->conf.body_most) {
		err_set(err, ERR_LIMIT, "the body is too long: at most %zu octets", h->conf.body_most);
		return MHD_HTTP_CONTENT_TOO_LARGE;
	}
	return h->refusal != NULL ? refuse(err, MHD_HTTP_SERVICE_UNAVAILABLE, ERR_BUSY, h->refusal) : 0;
}

static void
request_refuse(struct http_request *r, int status, struct err *err)
{
	char text[sizeof err->text + 80];
	size_t n;

	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		http_reply_header(r, MHD_HTTP_HEADER_RETRY_AFTER, "5");
	else if (err->source == NULL && status != MHD_HTTP_CONTENT_TOO_LARGE)
		err->source = "header";
	http_reply_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
	n = strlen(err_print(err, text, sizeof text - 1));
	http_log_refused(r->door->httpd->conf.name, http_client(r), status, text);
	text[n++] = '\n';
	request_set_answer(r, status, "text/plain", (struct text){ text, n });
}

/* Whole: to the handler. What it leaves open is suspended. Who was told that we do not wait any more
 * must not be served after all. */
static enum MHD_Result
request_give(struct http_request *r)
{
	struct httpd *h = r->door->httpd;

	if (r->visit->phase >= VISIT_TOLD)
		return MHD_NO;
	r->state = REQUEST_OPEN;
	request_enter(r, VISIT_BUSY, 0);
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
request_begin(struct http_request *r, struct MHD_Connection *connection, const char *method,
    const char *version)
{
	struct err err = { 0 };
	struct header header = { .err = &err };
	const struct http_frame *f = &header.frame;
	int status;

	r->connection = connection;
	r->method = text_of(method);
	request_enter(r, VISIT_BODY, 0);
	status = request_fault(r, version, &header, &err);
	if (status != 0) {
		request_refuse(r, status, &err);
		return request_send(r);
	}
	status = request_untimely(r->door->httpd, f, &err);
	if (status != 0) {
		request_refuse(r, status, &err);
		if ((f->length == 0 && f->encodings == 0) || f->expects || f->length > HTTPD_DRAIN_MOST)
			return request_send(r);
		r->state = REQUEST_REFUSED;
		return MHD_YES;
	}
	r->has_body = f->length > 0;
	if (f->length > 0 && f->length <= HTTPD_BLOCK / 2) {
		r->body = http_alloc(r, f->length);
		r->body_room = r->body != NULL ? f->length : 0;
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
	size_t most = r->door->httpd->conf.body_most;
	struct err err = { 0 };

	r->has_body = true;
	r->visit->octets += n;
	if (n > most - r->body_len) {		/* only chunks get so far */
		r->drained = r->body_len + n;
		err_set(&err, ERR_LIMIT, "the body is too long: at most %zu octets", most);
		request_refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, &err);
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
	if (r == NULL)			/* no memory when the request line came */
		return MHD_NO;
	*n = 0;
	switch (r->state) {
	case REQUEST_HEAD:
		return request_begin(r, connection, method, version);
	case REQUEST_BODY:
		return got > 0 ? request_body(r, data, got) : request_give(r);
	case REQUEST_REFUSED:
		r->drained += got;
		r->visit->octets += got;
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

	if (r == NULL)
		return NULL;
	r->visit = MHD_get_connection_info(connection,
	    MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	r->target = request_copy(r, uri);
	if (r->target == NULL) {
		request_free(r);
		return NULL;
	}
	request_enter(r, VISIT_HEAD, 0);
	r->uri = uri;
	r->uri_end = uri + strlen(uri);
	if (http_head_leaves(strlen(uri), 0, text_of(uri)) < HTTP_REPLY_LEAST)
		visit_end(r->visit);	/* the library would hang; first requests have heard why */
	rest = uri_without_host(text_of(r->target));
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
	request_enter(r, VISIT_IDLE, 0);
	if (r->door->httpd->visit_count >= r->door->httpd->conf.connections)
		loop_soon(r->door->httpd->loop, &r->door->httpd->room);
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
door_start(struct door *d, const char *cert, const char *key)
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
	    MHD_USE_NO_LISTEN_SOCKET | (cert != NULL ? MHD_USE_TLS : 0), 0, NULL, NULL, door_asked, d,
	    MHD_OPTION_EXTERNAL_LOGGER, door_said, h,
	    MHD_OPTION_CONNECTION_LIMIT, c->connections,
	    MHD_OPTION_CONNECTION_TIMEOUT, c->idle_s,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_POOL,
	    MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
	    MHD_OPTION_URI_LOG_CALLBACK, door_uri, d,
	    MHD_OPTION_UNESCAPE_CALLBACK, door_leave_escaped, NULL,
	    MHD_OPTION_NOTIFY_COMPLETED, door_completed, NULL,
	    MHD_OPTION_NOTIFY_CONNECTION, door_visited, d,
	    MHD_OPTION_ARRAY, tls,
	    MHD_OPTION_END);
	h->starting = false;
	return daemon;
}

static struct door *
door_new(struct httpd *h, struct err *err)
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
		d->daemon = door_start(d, cert, key);
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
	if (h->conf.slow_ms == 0)
		h->conf.slow_ms = SLOW_MS;
}

static void
httpd_free(struct httpd *h)
{
	struct block *b;

	while ((b = h->blocks) != NULL) {
		h->blocks = b->next;
		free(b);
	}
	http_gate_close(&h->gate);
	timer_free(&h->sweep);
	loop_not_soon(h->loop, &h->room);
	timer_free(&h->deadline);
	free((void *)(uintptr_t)h->conf.name);
	free((void *)(uintptr_t)h->conf.interface);
	free((void *)(uintptr_t)h->conf.cert_file);
	free((void *)(uintptr_t)h->conf.key_file);
	free((void *)(uintptr_t)h->conf.server);
	free(h);
}

static int
httpd_open_gate(struct httpd *h, struct err *err)
{
	const struct httpd_conf *c = &h->conf;
	const struct http_gate_conf conf = { .name = c->name, .interface = c->interface,
	    .port = c->port, .tls = c->cert_file != NULL, .waiting_most = c->connections,
	    .head_ms = c->slow_ms, .server = c->server };

	h->gate = http_gate_open(h->loop, &conf, httpd_take, h, err);
	return h->gate != NULL ? 0 : -1;
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
	h->room = (struct soon){ .run = visits_room, .arg = h };
	h->layout_known = strcmp(MHD_get_version(), "0.9.75") == 0;
	httpd_copy_conf(h, conf);
	h->deadline = timer_new(loop, deadline_due, h);
	h->sweep = timer_new(loop, visits_sweep, h);
	if ((conf->cert_file == NULL) != (conf->key_file == NULL))
		err_set(err, ERR_CONFIG, "%s: a certificate needs its key and a key its "
		    "certificate", conf->name);
	else if (h->conf.name == NULL || h->deadline == NULL || h->sweep == NULL)
		err_set(err, ERR_SYSTEM, "%s: no memory", conf->name);
	else if (httpd_open_gate(h, err) == 0) {
		h->conf.port = httpd_port(h);
		if (door_new(h, err) != NULL)
			return h;
	}
	httpd_free(h);
	return NULL;
}

unsigned
httpd_port(const struct httpd *h)
{
	return http_gate_port(h->gate);
}

/* Bad files leave everything as it was. */
int
httpd_reload(struct httpd *h, struct err *err)
{
	struct door *former = h->doors;

	if (h->conf.cert_file == NULL)
		return 0;
	if (door_new(h, err) == NULL)
		return -1;
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
httpd_refuse(struct httpd *h, const char *text)
{
	h->refusal = text;
}

/* Nothing may be suspended when a daemon stops; the runs let the answers leave. */
void
httpd_close(struct httpd **hp)
{
	struct httpd *h = *hp;
	struct door *d;

	if (h == NULL)
		return;
	http_gate_close(&h->gate);
	h->refusal = HTTPD_STOPPING;
	while (h->first != NULL) {
		http_reply_header(h->first, MHD_HTTP_HEADER_CONNECTION, "close");
		http_reply_header(h->first, MHD_HTTP_HEADER_RETRY_AFTER, "5");
		http_reply(h->first, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain",
		    TEXT(HTTPD_STOPPING "\n"));
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
