/*
 * callbacks.h - the other end of dlr-url: an HTTP listener that shows every callback
 *
 * Threads: the loop.
 */
#ifndef SIMULATE_CALLBACKS_H
#define SIMULATE_CALLBACKS_H

#include "base/err.h"

struct callbacks;
struct loop;
struct phones;

/* On `interface`; port 0: any. Answers 200 to whatever comes. */
struct callbacks *callbacks_open(struct loop *, const char *interface, unsigned port, struct phones *,
		    struct err *);
unsigned	 callbacks_port(const struct callbacks *);
void		 callbacks_free(struct callbacks **);

#endif
