/*
 * router.h - which door answers: a listener has a table of rows
 *
 * Threads: the loop.
 */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "io/httpd.h"

struct router_row {
	const char	*path;		/* exact; a trailing slash-star matches what begins with it */
	void		(*run)(void *arg, struct http_request *);
	void		*arg;
};

/* First row that fits runs, else `other`. A router is an array that ends with a NULL path. */
struct router {
	const struct router_row *rows;
	void		(*other)(void *arg, struct http_request *);
	void		*arg;
};
void	router_handle(void *router, struct http_request *);	/* an httpd_request_fn */

#endif
