/*
 * loop.h - the one loop: timers, descriptors, signals, "soon"
 *
 * A thin face over libevent; nobody outside io/ knows it. Everything runs on the
 * thread that calls loop_run. Callbacks never nest: a callback that arms another is
 * called again later.
 *
 * Owns: whoever made a timer or watch frees it, before the loop.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/err.h"

struct loop;
struct timer;
struct watch;
typedef void loop_fn(void *arg);

struct loop	*loop_new(struct err *);
void		 loop_free(struct loop **);
void		 loop_run(struct loop *);	/* until loop_stop */
void		 loop_stop(struct loop *);
mono_t		 loop_now(const struct loop *);	/* of this turn; cheap */

struct timer	*timer_new(struct loop *, loop_fn *, void *arg);
void		 timer_set(struct timer *, int64_t ms);	/* once, from now; again moves it */
void		 timer_cancel(struct timer *);
bool		 timer_armed(const struct timer *);
void		 timer_free(struct timer **);

enum { WATCH_READ = 1, WATCH_WRITE = 2 };
typedef void watch_fn(void *arg, unsigned what);
struct watch	*watch_new(struct loop *, int fd, unsigned what, watch_fn *, void *arg);	/* stays until changed */
void		 watch_change(struct watch *, unsigned what);	/* 0: sleeps */
void		 watch_free(struct watch **);			/* does not close fd */

typedef void signal_fn(void *arg, int signal);
int		 loop_on_signal(struct loop *, int signal, signal_fn *, void *arg, struct err *);

/* Runs once, after the callbacks that are due now and before the loop sleeps: for work
 * that many events of one turn share. Embed it; arming an armed one does nothing. */
struct soon {
	loop_fn		*run;
	void		*arg;
	struct soon	*next;
	bool		 armed;
};
void		 loop_soon(struct loop *, struct soon *);
void		 loop_not_soon(struct loop *, struct soon *);

/* From any thread: the loop calls `run` soon. Embed it; a posted one is posted once. */
struct post {
	loop_fn		*run;
	void		*arg;
	struct post	*next;
	bool		 posted;
};
void		 loop_post(struct loop *, struct post *);
/* Takes a post back before its memory goes; only when no other thread posts it any more. */
void		 loop_unpost(struct loop *, struct post *);

/* For io/ only. */
struct event_base *loop_base(struct loop *);
struct evdns_base *loop_dns(struct loop *);
/* What outlives its owner (an orphaned stream) ends with the loop. Disarmed by loop_not_at_free. */
void		 loop_at_free(struct loop *, struct soon *);
void		 loop_not_at_free(struct loop *, struct soon *);

#endif
