/*
 * link.c - one link at work: what it may carry now, and the driver's news
 *
 * Throughput is a bucket of segments that holds a tenth of a second. After a throttling answer
 * the link rests (retry_rest_ms); an accepted submit ends the growth of the rest. One timer a
 * link wakes it when only time keeps it from sending.
 *
 * Knows:     smsc.h; window, tokens, rest, rules.
 * Does not:  know messages, the queue, or which driver it is.
 * Owns:      nothing; links.c does.
 * Threads:   the loop.
 */
#include "dispatch/link_inner.h"

#include "base/buf.h"
#include "dispatch/retry.h"
#include "io/log.h"
#include "push/msisdn.h"

/* --- news from the driver ------------------------------------------------------ */

void
link_up(struct link *l, bool up)
{
	if (l->up == up)
		return;
	l->up = up;
	l->links->events->changed(l->links->arg, l);
}

static void
on_state(void *owner, enum smsc_state state, const struct err *why)
{
	struct link *l = owner;
	struct link_inner *in = l->inner;
	bool was = in->state == SMSC_UP || in->state == SMSC_UP_RECEIVE_ONLY;
	bool is = state == SMSC_UP || state == SMSC_UP_RECEIVE_ONLY;

	(void)why;			/* the driver has logged it */
	in->state = state;
	if (is && !was)
		in->since = loop_now(l->links->loop);
	if (!l->retired || state != SMSC_UP)
		link_up(l, state == SMSC_UP);
}

static void
on_accepted(void *owner, uint64_t ticket, const struct smsc_answer *a)
{
	struct link *l = owner;

	l->links->events->accepted(l->links->arg, l, ticket, a);
}

static void
on_refused(void *owner, uint64_t ticket, const struct smsc_answer *a)
{
	struct link *l = owner;

	l->links->events->refused(l->links->arg, l, ticket, a);
}

static void
on_unknown(void *owner, uint64_t ticket, const struct err *why)
{
	struct link *l = owner;

	(void)why;
	l->links->events->unknown(l->links->arg, l, ticket);
}

static void
on_late(void *owner, uint64_t ticket, bool accepted, const struct smsc_answer *a)
{
	struct link *l = owner;

	l->links->events->late(l->links->arg, l, ticket, accepted, a);
}

static void
on_receipt(void *owner, const struct smsc_receipt *r, uint64_t token)
{
	struct link *l = owner;

	l->links->events->receipt(l->links->arg, l, r, token);
}

static void
on_incoming(void *owner, const struct smsc_incoming *i, uint64_t token)
{
	struct link *l = owner;

	l->links->events->incoming(l->links->arg, l, i, token);
}

const struct smsc_events link_driver_events = {
	.state = on_state, .accepted = on_accepted, .refused = on_refused, .unknown = on_unknown,
	.late = on_late, .receipt = on_receipt, .incoming = on_incoming
};

/* --- sending ------------------------------------------------------------------- */

void
link_on_time(void *arg)
{
	struct link *l = arg;

	l->links->events->room(l->links->arg, l);
}

/* Tokens there are; with fewer than one the timer is set for when there is. */
static unsigned
link_tokens(struct link *l)
{
	struct link_inner *in = l->inner;
	mono_t now = loop_now(l->links->loop);

	if (in->conf.throughput <= 0)
		return l->window;
	in->tokens += (double)(now - in->tokens_at) * in->conf.throughput / 1000;
	in->tokens_at = now;
	if (in->tokens > link_bucket(in))
		in->tokens = link_bucket(in);
	if (in->tokens < 1 && !timer_armed(in->timer))
		timer_set(in->timer, (int64_t)((1 - in->tokens) * 1000 / in->conf.throughput) + 1);
	return (unsigned)in->tokens;
}

unsigned
link_ahead_least(const struct link *l)
{
	double most = l->inner->conf.throughput > 0 ? l->inner->conf.throughput / 16 : 32;

	return l->window + (most < 32 ? (unsigned)most : 32);
}

bool
link_resting(const struct link *l)
{
	return loop_now(l->links->loop) < l->inner->rest_until;
}

unsigned
link_allowance(struct link *l)
{
	unsigned room = l->in_flight < l->window ? l->window - l->in_flight : 0;
	unsigned tokens;

	if (!l->up || l->retired || room == 0)
		return 0;
	if (link_resting(l)) {
		timer_set(l->inner->timer, l->inner->rest_until - loop_now(l->links->loop));
		return 0;
	}
	tokens = link_tokens(l);
	return tokens < room ? tokens : room;
}

int
link_send(struct link *l, uint64_t ticket, const struct segment *s)
{
	struct link_inner *in = l->inner;

	if (in->driver->send(in->smsc, ticket, s) == -1)
		return -1;
	l->in_flight++;
	in->tokens -= 1;
	return 0;
}

void
link_answered(struct link *l, bool accepted)
{
	l->in_flight--;
	if (accepted)
		l->inner->throttled = 0;
}

/* Answers of one window come together: they are one throttling. */
void
link_throttled(struct link *l)
{
	struct link_inner *in = l->inner;
	unsigned ms;

	if (link_resting(l))
		return;
	ms = retry_rest_ms(++in->throttled);
	in->rest_until = loop_now(l->links->loop) + ms;
	timer_set(in->timer, ms);
	log_info("link %s is throttled by the SMSC: it rests for %u ms", l->name, ms);
}

enum route_verdict
link_judge(const struct link *l, struct text smsc, struct text receiver)
{
	if (l->retired || l->dead)
		return ROUTE_NO;
	return route_judge(l->inner->rules, smsc, receiver);
}

struct text
link_receiver(const struct link *l, struct text msisdn, struct buf *b)
{
	if (l->inner->prefixes == NULL)
		return msisdn;
	prefixes_apply(l->inner->prefixes, msisdn, b);
	return b->overflow ? msisdn : (struct text){ (const char *)b->data, b->len };
}

void
link_ack(struct link *l, uint64_t token, bool taken)
{
	if (l->inner->smsc != NULL)
		l->inner->driver->ack(l->inner->smsc, token, taken ? ACK_OK : ACK_LATER);
}

/* --- looking -------------------------------------------------------------------- */

const char *
link_state(const struct link *l, int64_t *online_s)
{
	static const char *const words[] = {
		[SMSC_CONNECTING] = "connecting", [SMSC_UP] = "online",
		[SMSC_UP_RECEIVE_ONLY] = "online", [SMSC_RECONNECTING] = "re-connecting",
		[SMSC_CLOSED] = "disconnected"
	};
	const struct link_inner *in = l->inner;

	*online_s = in->state == SMSC_UP || in->state == SMSC_UP_RECEIVE_ONLY ?
	    (loop_now(l->links->loop) - in->since) / 1000 : 0;
	if (l->dead)
		return "dead";
	return in->smsc != NULL ? words[in->state] : "disconnected";
}

const char *
link_describe(const struct link *l)
{
	return l->inner->smsc != NULL ? l->inner->driver->describe(l->inner->smsc) : l->name;
}
