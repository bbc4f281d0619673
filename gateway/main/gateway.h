/*
 * gateway.h - the house: everything opened and closed in order
 *
 * Threads: the loop.
 */
#ifndef MAIN_GATEWAY_H
#define MAIN_GATEWAY_H

#include <stdbool.h>
#include "base/err.h"
#include "base/finding.h"

struct gateway;

struct gateway_options {
	const char	*file;			/* the configuration */
	bool		 verbose, lenient;
};

/* NULL: findings (of the configuration) or err tell why. */
struct gateway	*gateway_open(const struct gateway_options *, struct findings *, struct err *);
/* Until it is told to stop; the exit status. */
int		 gateway_run(struct gateway *);
void		 gateway_close(struct gateway **);

#endif
