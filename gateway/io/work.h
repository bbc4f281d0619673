/*
 * work.h - one worker thread: what can block leaves the loop
 *
 * Jobs run one after the other in the order of work_submit; their `done` runs on
 * the loop, in the same order. The only file with a lock.
 */
#ifndef IO_WORK_H
#define IO_WORK_H

#include "base/err.h"

struct loop;
struct worker;

struct work {
	void	(*run)(struct work *);		/* on the worker: may block */
	void	(*done)(struct work *);		/* on the loop: may not */
	struct work *next;
};

struct worker	*worker_new(struct loop *, const char *name, struct err *);
void		 worker_submit(struct worker *, struct work *);
/* Waits for what was submitted (each `done` is called), ends the thread. */
void		 worker_free(struct worker **);

#endif
