/*
 * httpd.h - the HTTP server (libmicrohttpd on the loop)
 *
 * A handler gets a whole request (head and body, bounded) and answers now or later:
 * a request that was not answered when the handler returns is suspended, and
 * http_reply resumes it. All that were answered in one turn leave together.
 *
 * Refused here, before the handler: bodies over the bound (413), header over the bound (414, 431),
 * whatever two parsers could read differently (400, 501; see http_head.h), and clients that
 * are too slow. The text of a refusal names place and cure. A request that waits is told its deadline
 * once; what happens then is the handler's business (see architecture: withdraw, or wait for
 * the commit).
 *
 * Owns: a request lives from the handler's call until http_reply or http_drop.
 * Threads: the loop.
 */
#ifndef IO_HTTPD_H
#define IO_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/err.h"
#include "base/text.h"

struct loop;
struct httpd;
struct http_request;
struct ip_rules;

typedef void httpd_request_fn(void *arg, struct http_request *);

struct httpd_conf {
	const char	*name;			/* for the log: "sendsms", "admin" */
	const char	*interface;		/* NULL: all */
	unsigned	 port;			/* 0: any, see httpd_port */
	const char	*cert_file, *key_file;	/* both: HTTPS (GnuTLS); read again by httpd_reload */
	size_t		 body_most;		/* octets */
	unsigned	 connections;		/* at most; beyond, the longest idle one goes */
	unsigned	 idle_s;		/* keep-alive */
	/* For a whole header, and for a body or the reading of an answer, which get a millisecond an
	 * octet besides; 0: 10 s. */
	unsigned	 slow_ms;
	unsigned	 deadline_ms;		/* of an answer; 0: none */
	const char	*server;		/* Server: header */
};

struct httpd	*httpd_open(struct loop *, const struct httpd_conf *, httpd_request_fn *,
		    void *arg, struct err *);
unsigned	 httpd_port(const struct httpd *);
int		 httpd_reload(struct httpd *, struct err *);	/* certificates */
size_t		 httpd_waiting(const struct httpd *);		/* requests without an answer yet */
/* From now on 503 with this text, Retry-After and Connection: close; NULL: whoever comes is served. The text
 * lives as long as it is said. */
void		 httpd_refuse(struct httpd *, const char *text);
/* Requests that still wait are answered 503 first, and are gone: whoever holds one must not
 * touch it any more. Not from inside a handler. */
void		 httpd_close(struct httpd **);

/* What was asked: views, valid while the request lives. */
struct text	 http_method(const struct http_request *);
struct text	 http_path(const struct http_request *);	/* as sent, before '?'; not decoded */
struct text	 http_query(const struct http_request *);	/* as sent, after '?'; absent when there was none */
struct text	 http_header(const struct http_request *, const char *name);	/* the first; at NULL: absent */
struct text	 http_body(const struct http_request *);
bool		 http_has_body(const struct http_request *);	/* Content-Length > 0 or chunked data came */
const struct sockaddr *http_client(const struct http_request *);
/* Memory that lives as long as the request (zeroed); NULL without memory. */
void		*http_alloc(struct http_request *, size_t);

/* Adds a header to the answer to come; CR and LF in it drop it, and so does want of room: an answer
 * that were too long could not be sent at all. A field takes its name, its value and 4 octets; there
 * is room for 1,024 at least. */
void		 http_reply_header(struct http_request *, const char *name, const char *value);
size_t		 http_reply_room(const struct http_request *);
/* Ends the request; the body is copied. `type`: Content-Type. */
void		 http_reply(struct http_request *, int status, const char *type, struct text body);
/* Closes the connection without an answer. */
void		 http_drop(struct http_request *);
/* Called once if the request is still open at its deadline. */
void		 http_on_deadline(struct http_request *, void (*fn)(void *arg), void *arg);

#endif
