/*
 * fetch.h - the HTTP client (libcurl on the loop)
 *
 * For callbacks: GET, redirects are not followed, the answer's body is read up to a
 * bound and dropped, connections are kept. Where a call may go is decided on the resolved
 * address: link-local and metadata addresses and our own ports never, others by rule.
 *
 * Threads: the loop. Bounds (calls in flight, calls per receiver) are the caller's.
 */
#ifndef IO_FETCH_H
#define IO_FETCH_H

#include <stdbool.h>
#include "base/err.h"
#include "base/text.h"

struct loop;
struct fetch;
struct fetch_call;
struct ip_rules;

struct fetch_conf {
	unsigned	 timeout_ms;		/* of one call, connect included */
	unsigned	 connections;		/* open at the same time */
	const char	*user_agent;
	const struct ip_rules *allow;		/* callback-allow-ip, borrowed; NULL: loopback and private are allowed */
	const unsigned	*own_ports;		/* 0-ended: never on our own addresses */
	const char	*ca_file;		/* NULL: the system's */
	const char	*proxy_host;		/* NULL: none */
	unsigned	 proxy_port;
	bool		 proxy_ssl;
	const char	*proxy_exceptions;	/* blank separated hosts */
	const char	*proxy_username;
	struct text	 proxy_password;
};

struct fetch_result {
	int		 status;		/* HTTP; 0: no answer, see err */
	struct err	 err;			/* never holds the URL's query */
	bool		 forbidden;		/* the address may not be called: no use trying again soon */
	bool		 hopeless;		/* the URL is none: no use trying again at all */
};
typedef void fetch_done_fn(void *arg, const struct fetch_result *);

struct fetch	*fetch_new(struct loop *, const struct fetch_conf *, struct err *);
/* Always ends in one done (never inside this call), unless cancelled. NULL without memory. A
 * done may begin and cancel calls, but not free. */
struct fetch_call *fetch_get(struct fetch *, const char *url, fetch_done_fn *, void *arg);
void		 fetch_cancel(struct fetch_call *);	/* done is not called */
void		 fetch_free(struct fetch **);		/* cancels all */

#endif
