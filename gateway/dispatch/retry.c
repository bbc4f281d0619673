/*
 * retry.c - the table of outcomes
 *
 * A refusal of the whole link (throttled, queue full) costs a message nothing but time. A
 * refusal of this one message holds its turn for at most order-hold, then later ones pass.
 *
 * Knows:     which outcome holds a turn, is tried again, or is final.
 * Does not:  know links, the queue, or who is told.
 * Owns:      nothing.
 * Threads:   pure.
 */
#include "dispatch/retry.h"

enum { FEW = 3, REST_FIRST = 1000, REST_MOST = 60 * 1000 };

static const struct rule {
	enum retry_next	 next;
	bool		 later;		/* after resend-freq, else at once */
	bool		 counts;
	unsigned	 most;		/* tries in all; 0: as sms-resend-retry says */
	const char	*why;
} rules[TURNS] = {
	[TURN_ACCEPTED] =  { RETRY_FINISH, false, false, 0, "accepted" },
	[TURN_RETURNED] =  { RETRY_AGAIN, false, false, 0, "link-down" },
	[TURN_SLOW_DOWN] = { RETRY_AGAIN, false, false, 0, "throttled" },
	[TURN_TRY_LATER] = { RETRY_AGAIN, true, true, 0, "refused-for-now" },
	[TURN_TRY_FEW] =   { RETRY_AGAIN, true, true, FEW, "refused-for-now" },
	[TURN_UNKNOWN] =   { RETRY_POLICY, false, false, 0, "unknown" },
	[TURN_NEVER] =     { RETRY_REJECT, false, false, 0, "refused" },
};

enum turn
retry_turn(enum smsc_refusal refusal)
{
	static const enum turn turns[] = {
		[SMSC_SLOW_DOWN] = TURN_SLOW_DOWN, [SMSC_TRY_LATER] = TURN_TRY_LATER,
		[SMSC_TRY_FEW] = TURN_TRY_FEW, [SMSC_NEVER] = TURN_NEVER
	};

	return turns[refusal];
}

struct retry_verdict
retry_judge(enum turn turn, const struct retry_conf *c, unsigned tries, wall_t first, wall_t now)
{
	const struct rule *r = &rules[turn];
	struct retry_verdict v = { .next = r->next, .counts = r->counts, .why = r->why };

	if (r->later)
		v.due = now + c->resend_freq;
	if (!r->counts)
		return v;
	if ((r->most > 0 && tries + 1 >= r->most) ||
	    (c->resend_most >= 0 && tries >= (unsigned long)c->resend_most)) {
		v.next = RETRY_REJECT;
		v.why = "too-many-tries";
	} else if (first > 0 && now >= first + c->order_hold) {
		v.next = RETRY_PASS;
	} else if (v.due > (first > 0 ? first : now) + c->order_hold) {
		v.next = RETRY_PASS;	/* the next try comes after the hold: no use in holding */
	}
	return v;
}

unsigned
retry_rest_ms(unsigned n)
{
	unsigned ms = REST_FIRST;

	while (n-- > 1 && ms < REST_MOST)
		ms *= 2;
	return ms < REST_MOST ? ms : REST_MOST;
}

wall_t
retry_call_again(const struct retry_calls *c, unsigned tries, wall_t until, wall_t now)
{
	wall_t wait = RETRY_CALLS_FIRST;

	if (c->most >= 0)
		return tries <= (unsigned long)c->most ? now + c->delay : 0;
	for (unsigned i = 1; i < tries && wait < RETRY_CALLS_SLOWEST; i++)
		wait *= 2;
	if (wait > RETRY_CALLS_SLOWEST)
		wait = RETRY_CALLS_SLOWEST;
	return now + wait <= until ? now + wait : 0;
}
