/*
 * store_wait.c - the start waits for a database that is away
 *
 * Whether it is there is asked on a worker, since a network may keep the question for long, and the
 * loop runs meanwhile: signals and refused requests are answered. When it is there it is opened on the
 * loop, as any store is.
 *
 * Knows:     when to try again, what to say of it, and how often.
 * Does not:  know which store it is.
 * Owns:      the worker, the timer, while it waits.
 * Threads:   the loop; its worker asks.
 */
#include "main/store_wait.h"

#include <string.h>

#include "io/log.h"
#include "io/loop.h"
#include "io/work.h"
#include "main/service.h"

enum { PAUSE_MS = 1000, PAUSE_GROWS = 10, SAID_AGAIN = 60 };	/* the latter two in pauses */

struct wait {
	struct work	 work;		/* first member: work <-> wait */
	const struct store_wait *is;
	struct worker	*worker;
	struct timer	*timer;
	int		 rc;
	struct err	 err, said;	/* of the last try; what was logged last */
	unsigned	 pause_ms, first_ms;
	mono_t		 since, said_at;
};

static void
ask(struct work *work)
{
	struct wait *w = (struct wait *)work;

	err_clear(&w->err);
	w->rc = w->is->reach(w->is->conf, &w->err);
}

static void
ask_due(void *arg)
{
	struct wait *w = arg;

	service_waiting("waiting for the store");
	worker_submit(w->worker, &w->work);
}

/* At once when the reason is a new one, else now and then. */
static void
say(struct wait *w)
{
	mono_t now = clock_mono();

	if (w->said.code != ERR_NONE && strcmp(w->said.text, w->err.text) == 0 &&
	    now - w->said_at < (mono_t)w->first_ms * SAID_AGAIN)
		return;
	log_error("the store is away since %lld s, submissions are refused until it is there: %s",
	    (long long)(now - w->since) / 1000, w->err.text);
	w->said = w->err;
	w->said_at = now;
}

static void
asked(struct work *work)
{
	struct wait *w = (struct wait *)work;

	if (w->rc == 0)
		w->rc = w->is->open(w->is->arg, &w->err);
	if (w->rc == -1 && w->err.code == ERR_STORE) {
		say(w);
		timer_set(w->timer, w->pause_ms);
		w->pause_ms = 2 * w->pause_ms < PAUSE_GROWS * w->first_ms ? 2 * w->pause_ms :
		    PAUSE_GROWS * w->first_ms;
		return;
	}
	if (w->rc == 0 && w->said.code != ERR_NONE)
		log_warn("the store is there, after %lld s", (long long)(clock_mono() - w->since) / 1000);
	loop_stop(w->is->loop);
}

int
store_wait(const struct store_wait *is, struct err *err)
{
	struct wait w = { .work = { .run = ask, .done = asked }, .is = is, .since = clock_mono() };

	w.first_ms = w.pause_ms = is->pause_ms > 0 ? is->pause_ms : PAUSE_MS;
	if ((w.timer = timer_new(is->loop, ask_due, &w)) == NULL)
		return err_set(err, ERR_SYSTEM, "no memory");
	if ((w.worker = worker_new(is->loop, "reach", err)) == NULL) {
		timer_free(&w.timer);
		return -1;
	}
	ask_due(&w);
	loop_run(is->loop);
	worker_free(&w.worker);
	timer_free(&w.timer);
	if (w.rc == -1 && err != NULL)
		*err = w.err;
	return w.rc;
}
