/*
 * store_wait.h - the start waits for a database that is away
 *
 * Threads: the loop.
 */
#ifndef MAIN_STORE_WAIT_H
#define MAIN_STORE_WAIT_H

#include "main/drivers.h"

struct loop;

struct store_wait {
	struct loop	*loop;
	store_reach_fn	*reach;		/* called on a thread of its own */
	const struct store_conf *conf;
	int		(*open)(void *arg, struct err *);	/* on the loop, when the store was reached */
	void		*arg;
	unsigned	 pause_ms;	/* before the second try; grows tenfold. 0: 1 s */
};

/* Runs the loop until the store is open: 0, or until something is wrong that does not pass: -1. */
int	store_wait(const struct store_wait *, struct err *);

#endif
