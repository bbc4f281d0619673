/*
 * retry.h - what follows from how a turn on a link ended: one table
 *
 * Threads: pure; time is handed in.
 */
#ifndef DISPATCH_RETRY_H
#define DISPATCH_RETRY_H

#include <stdint.h>
#include "base/clock.h"
#include "smsc/smsc.h"

enum turn {			/* how it ended; of several segments the greatest counts */
	TURN_ACCEPTED,
	TURN_RETURNED,		/* nothing left: the link went away before its time came */
	TURN_SLOW_DOWN, TURN_TRY_LATER, TURN_TRY_FEW,
	TURN_UNKNOWN,
	TURN_NEVER,
	TURNS
};

enum retry_next {
	RETRY_FINISH,		/* sent, or awaiting receipts */
	RETRY_AGAIN,		/* stays first in its lane until due */
	RETRY_PASS,		/* later messages pass until due */
	RETRY_POLICY,		/* the link's: outcome-unknown */
	RETRY_REJECT
};

struct retry_conf {
	wall_t		 order_hold, resend_freq;	/* ms */
	long		 resend_most;			/* sms-resend-retry; -1: endless */
};

struct retry_verdict {
	enum retry_next	 next;
	wall_t		 due;		/* 0: at once */
	bool		 counts;	/* as one of the tries that are limited */
	const char	*why;		/* for the log */
};

enum turn	 retry_turn(enum smsc_refusal);
/* tries: refusals that counted, before this one. first: when the first of these came; 0: this
 * one is the first. */
struct retry_verdict retry_judge(enum turn, const struct retry_conf *, unsigned tries, wall_t first,
		    wall_t now);

/* How long a link rests after its n-th throttling without an accepted submit, from 1. */
unsigned	 retry_rest_ms(unsigned n);

struct retry_calls {		/* of notifications */
	long		 most;		/* tries beyond the first; -1: 24 hours with backoff */
	wall_t		 delay;		/* ms between them; with most >= 0 */
};
enum { RETRY_CALLS_FIRST = 10 * 1000, RETRY_CALLS_SLOWEST = 3600 * 1000,
    RETRY_CALLS_PATIENCE = 24 * 3600 * 1000 };
/* When to call again after `tries` (from 1) calls that failed; 0: give up. */
wall_t		 retry_call_again(const struct retry_calls *, unsigned tries, wall_t until, wall_t now);

#endif
