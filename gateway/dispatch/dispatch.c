/*
 * dispatch.c - the way OUT, put together
 *
 *   queue -> scheduler -> link -> driver -> SMSC
 *   SMSC -> driver -> link -> scheduler (answers), receipts (receipts) -> queue -> notify
 *
 * Here the parts are opened and closed in order, the queue's and the links' news find their
 * part, and one timer a second serves all that is slow: expiry, overdue receipts, links that are
 * retired, the guard of the clock.
 *
 * Knows:     all parts by their faces. Does not: do any of their work.
 * Owns:      the parts.
 * Threads:   the loop.
 */
#include "dispatch/dispatch.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/finding.h"
#include "base/json.h"
#include "dispatch/ending.h"
#include "dispatch/far.h"
#include "dispatch/guard.h"
#include "dispatch/ledger.h"
#include "dispatch/link.h"
#include "dispatch/notify.h"
#include "dispatch/receipt.h"
#include "dispatch/scheduler.h"
#include "io/fetch.h"
#include "io/log.h"
#include "io/loop.h"

enum { TICK_MS = 1000, SWEEP_TICKS = 10, DRAIN_LOOK_MS = 20, LEAVE_LOOK_MS = 10, PICTURE_MOST = 1 << 20 };

struct dispatch {
	struct loop	*loop;
	struct queue	*queue;
	struct ledger	*ledger;
	struct links	*links;
	struct notify	*notify;
	struct endings	*endings;
	struct receipts	*receipts;
	struct scheduler *scheduler;
	struct notify_calls calls;
	struct retry_conf retry;
	struct timer	*tick, *drain, *leave;
	struct store_parts leaving;	/* to other nodes, as soon as nothing of them is under way */
	char		*picture;	/* what we last said of ourselves */
	dispatch_mode_fn *on_mode;
	void		*on_mode_arg;
	struct guard	 guard;
	unsigned	 ticks;
	enum dispatch_mode mode;
	bool		 started, draining;
	mono_t		 drain_until;
	void		(*drained)(void *);
	void		*drained_arg;
	dispatch_incoming_fn *incoming;
	void		*incoming_arg;
	struct rate	 sms_received, dlr_received;
};

#define AT(field)	offsetof(struct dispatch_conf, field)

const struct conf_key dispatch_core_keys[] = {
	{ "order-hold", CONF_SECONDS, AT(order_hold_s), "5m", 0, 7 * 24 * 3600,
	  "How long a message that the SMSC refuses for now holds later ones to the same receiver.",
	  CONF_WORKS, false, NULL },
	{ "sms-resend-freq", CONF_SECONDS, AT(resend_freq_s), "60", 1, 24 * 3600,
	  "After how long a message that was refused for now is sent again.",
	  CONF_WORKS, false, NULL },
	{ "sms-resend-retry", CONF_NUMBER, AT(resend_retry), "-1", -1, 1000000,
	  "How often it is sent again before it counts as rejected; -1: until its validity ends.",
	  CONF_WORKS, false, NULL },
	{ 0 }
};

const struct conf_key dispatch_smsbox_keys[] = {
	{ "http-request-retry", CONF_NUMBER, AT(callback_retry), "-1", -1, 1000000,
	  "How often a callback is tried again; -1: for 24 hours, with growing delays.",
	  CONF_WORKS, false, NULL },
	{ "http-queue-delay", CONF_SECONDS, AT(callback_delay_s), "10", 0, 24 * 3600,
	  "Time between these tries, with http-request-retry.",
	  CONF_WORKS, false, NULL },
	{ "max-pending-requests", CONF_NUMBER, AT(callbacks_most), "512", 1, 100000,
	  "How many callbacks may be under way at the same time.", CONF_WORKS, false, NULL },
	{ 0 }
};

/* --- news from the queue ------------------------------------------------------------- */

static bool
on_offer(void *arg, const struct message *m, uint64_t key, struct store_mark *mark)
{
	return scheduler_offer(((struct dispatch *)arg)->scheduler, m, key, mark);
}

static void
on_stored(void *arg, struct message **taken, uint64_t key, bool offered, bool marked)
{
	scheduler_stored(((struct dispatch *)arg)->scheduler, taken, key, offered, marked);
}

static void
on_dropped(void *arg, const struct message *m, uint64_t key, bool offered)
{
	scheduler_dropped(((struct dispatch *)arg)->scheduler, m, key, offered);
}

static void
on_adopted(void *arg, const struct store_index *row)
{
	scheduler_adopted(((struct dispatch *)arg)->scheduler, row);
}

static bool
on_withhold(void *arg, uint64_t id, uint64_t key)
{
	return scheduler_withhold(((struct dispatch *)arg)->scheduler, id, key);
}

static void
on_changed(void *arg, uint64_t id, uint64_t key, enum store_result result, bool cancelled)
{
	scheduler_changed(((struct dispatch *)arg)->scheduler, id, key, result, cancelled);
}

static void
on_decide(void *arg, uint64_t id, uint64_t key, enum store_wish wish, queue_decided_fn *done, void *done_arg)
{
	scheduler_decide(((struct dispatch *)arg)->scheduler, id, key, wish, done, done_arg);
}

static void
on_loaded(void *arg, const struct store_index *rows, size_t n, bool end)
{
	scheduler_loaded(((struct dispatch *)arg)->scheduler, rows, n, end);
}

static void
on_loaded_notices(void *arg, const struct store_notice *rows, size_t n, bool end)
{
	struct dispatch *d = arg;

	(void)end;
	for (size_t i = 0; i < n; i++)
		notify_loaded(d->notify, &rows[i]);
}

static void
on_trouble(void *arg, bool in_trouble, const struct err *err)
{
	(void)err;
	scheduler_trouble(((struct dispatch *)arg)->scheduler, in_trouble);
}

/* --- between nodes ---------------------------------------------------------------------- */

static void
on_come(void *arg, const struct store_parts *parts)
{
	struct dispatch *d = arg;

	scheduler_come(d->scheduler, parts);
	notify_come(d->notify, parts);
}

/* Of all that leaves, when nothing of it is under way. */
static void
leave_look(void *arg)
{
	struct dispatch *d = arg;
	struct store_parts left = d->leaving;

	if (parts_none(&left))
		return;
	if (!scheduler_left(d->scheduler, &left) || !notify_left(d->notify, &left)) {
		timer_set(d->leave, LEAVE_LOOK_MS);
		return;
	}
	d->leaving = (struct store_parts){ { 0 } };
	queue_left(d->queue, &left);
}

static void
on_leave(void *arg, const struct store_parts *parts)
{
	struct dispatch *d = arg;

	for (size_t i = 0; i < PARTS_WORDS; i++)
		d->leaving.bits[i] |= parts->bits[i];
	scheduler_leave(d->scheduler, parts);
	notify_leave(d->notify, parts);
	timer_set(d->leave, 0);
}

static void
on_lost(void *arg, const struct store_parts *parts)
{
	struct dispatch *d = arg;

	for (size_t i = 0; i < PARTS_WORDS; i++)
		d->leaving.bits[i] &= ~parts->bits[i];
	scheduler_lost(d->scheduler, parts);
	notify_leave(d->notify, parts);
}

static void
on_evidence(void *arg, const struct store_evidence *e)
{
	scheduler_evidence(((struct dispatch *)arg)->scheduler, e);
}

static void
on_joined(void *arg, const struct store_joined *j)
{
	receipts_joined(((struct dispatch *)arg)->receipts, j);
}

static void
on_handed(void *arg, const struct store_send *send)
{
	scheduler_handed(((struct dispatch *)arg)->scheduler, send);
}

static uint16_t
self_of(const struct dispatch *d)
{
	return (uint16_t)strtoul(queue_node(d->queue).at, NULL, 10);
}

static void
on_members(void *arg, const struct store_members *m)
{
	struct dispatch *d = arg;

	scheduler_members(d->scheduler, self_of(d), m);
	if (d->on_mode != NULL && m->mode.len > 0)
		d->on_mode(d->on_mode_arg, m->mode);
}

/* What the others see of this node, and every node's status page shows. */
static char *
on_status(void *arg)
{
	static const char *const modes[] = {
		[DISPATCH_RUNNING] = "running", [DISPATCH_ISOLATED] = "isolated",
		[DISPATCH_SUSPENDED] = "suspended"
	};
	struct dispatch *d = arg;
	struct buf b = buf_heap(PICTURE_MOST);
	struct json j = { .out = &b };
	struct dispatch_status s;
	char *picture;

	dispatch_status(d, &s);
	json_open(&j, NULL, '{');
	json_text(&j, "mode", text_of(d->draining ? "going down" : modes[d->mode]));
	json_number(&j, "waiting", (int64_t)s.waiting);
	json_number(&j, "in-flight", (int64_t)s.in_flight);
	json_number(&j, "notices", (int64_t)s.notices);
	json_number(&j, "oldest", s.oldest);
	json_number(&j, "sent", (int64_t)s.sms_sent.total);
	json_number(&j, "maybe-twice", (int64_t)(s.possible_duplicates + s.stranded));
	far_publish(d->links, d->draining || d->mode == DISPATCH_SUSPENDED, &j);
	json_close(&j, '}');
	picture = b.overflow ? NULL : text_dup((struct text){ (const char *)b.data, b.len });
	buf_free(&b);
	if (picture != NULL && d->picture != NULL && strcmp(picture, d->picture) == 0) {
		free(picture);
		return NULL;
	}
	free(d->picture);
	d->picture = picture;
	return picture != NULL ? text_dup(text_of(picture)) : NULL;
}

void
dispatch_on_mode(struct dispatch *d, dispatch_mode_fn *fn, void *arg)
{
	d->on_mode = fn;
	d->on_mode_arg = arg;
}

static const struct queue_owner owner = {
	.offer = on_offer, .stored = on_stored, .dropped = on_dropped,
	.adopted = on_adopted, .withhold = on_withhold, .decide = on_decide,
	.changed = on_changed, .loaded = on_loaded, .loaded_notices = on_loaded_notices,
	.trouble = on_trouble,
	.come = on_come, .leave = on_leave, .lost = on_lost, .evidence = on_evidence,
	.joined = on_joined, .handed = on_handed, .members = on_members, .status = on_status
};

/* --- news from the links ---------------------------------------------------------------- */

static void
on_link_changed(void *arg, struct link *l)
{
	scheduler_link_changed(((struct dispatch *)arg)->scheduler, l);
}

static void
on_link_room(void *arg, struct link *l)
{
	scheduler_link_room(((struct dispatch *)arg)->scheduler, l);
}

static void
on_link_retired(void *arg, struct link *l)
{
	scheduler_link_retired(((struct dispatch *)arg)->scheduler, l);
}

static void
on_accepted(void *arg, struct link *l, uint64_t ticket, const struct smsc_answer *a)
{
	scheduler_accepted(((struct dispatch *)arg)->scheduler, l, ticket, a);
}

static void
on_refused(void *arg, struct link *l, uint64_t ticket, const struct smsc_answer *a)
{
	scheduler_refused(((struct dispatch *)arg)->scheduler, l, ticket, a);
}

static void
on_unknown(void *arg, struct link *l, uint64_t ticket)
{
	scheduler_unknown(((struct dispatch *)arg)->scheduler, l, ticket);
}

static void
on_late(void *arg, struct link *l, uint64_t ticket, bool accepted, const struct smsc_answer *a)
{
	scheduler_late(((struct dispatch *)arg)->scheduler, l, ticket, accepted, a);
}

static void
on_receipt(void *arg, struct link *l, const struct smsc_receipt *r, uint64_t token)
{
	struct dispatch *d = arg;

	if (d->mode == DISPATCH_SUSPENDED || queue_in_trouble(d->queue, NULL)) {
		link_ack(l, token, false);
		return;
	}
	rate_add(&d->dlr_received, loop_now(d->loop), 1);
	receipts_take(d->receipts, l, r, token);
}

static void
on_incoming(void *arg, struct link *l, const struct smsc_incoming *i, uint64_t token)
{
	struct dispatch *d = arg;

	if (d->mode != DISPATCH_RUNNING || d->draining || d->incoming == NULL) {
		link_ack(l, token, false);
		return;
	}
	rate_add(&d->sms_received, loop_now(d->loop), 1);
	rate_add(&l->sms_received, loop_now(d->loop), 1);
	l->receipts++;			/* keeps the link known until the answer */
	d->incoming(d->incoming_arg, l->smsc_id.at, i, l, token);
}

static const struct link_events link_events = {
	.changed = on_link_changed, .room = on_link_room, .retired = on_link_retired,
	.accepted = on_accepted, .refused = on_refused, .unknown = on_unknown, .late = on_late,
	.receipt = on_receipt, .incoming = on_incoming
};

void
dispatch_on_incoming(struct dispatch *d, dispatch_incoming_fn *fn, void *arg)
{
	d->incoming = fn;
	d->incoming_arg = arg;
}

void
dispatch_incoming_taken(struct dispatch *d, void *link, uint64_t token, bool durable)
{
	struct link *l = link;

	(void)d;
	l->receipts--;
	link_ack(l, token, durable);
}

/* --- once a second ------------------------------------------------------------------------ */

static void
dispatch_tick(void *arg)
{
	struct dispatch *d = arg;
	int64_t jump = guard_look(&d->guard, clock_wall(), clock_mono());

	timer_set(d->tick, TICK_MS);
	if (jump != 0)
		log_error("the clock jumped by %lld seconds: nothing expires until it has been "
		    "steady for %d minutes", (long long)(jump / 1000), GUARD_CONFIRM_MS / 60000);
	scheduler_tick(d->scheduler, d->guard.doubt_until == 0);
	links_tick(d->links);
	if (d->started && !d->draining && d->guard.doubt_until == 0 && d->ticks++ % SWEEP_TICKS == 0)
		receipts_sweep(d->receipts);
}

/* --- opening ------------------------------------------------------------------------------- */

static void *
fetch_call(void *arg, const char *url, fetch_done_fn *done, void *done_arg)
{
	return fetch_get(arg, url, done, done_arg);
}

static void
fetch_uncall(void *call)
{
	fetch_cancel(call);
}

struct dispatch *
dispatch_new(struct loop *loop, struct queue *queue, struct fetch *fetch,
    const struct dispatch_conf *conf, const struct smsc_driver *const *drivers)
{
	const struct notify_calls calls = { .call = fetch_call, .cancel = fetch_uncall, .arg = fetch };

	return dispatch_new_calls(loop, queue, &calls, conf, drivers);
}

static struct notify_conf
notify_conf_of(const struct dispatch_conf *c)
{
	long delay = c->callback_delay_s >= 0 ? c->callback_delay_s : 10;

	return (struct notify_conf){ .most = (unsigned)c->callbacks_most,
	    .retry = { .most = c->callback_retry, .delay = (wall_t)delay * 1000 } };
}

struct dispatch *
dispatch_new_calls(struct loop *loop, struct queue *queue, const struct notify_calls *calls,
    const struct dispatch_conf *conf, const struct smsc_driver *const *drivers)
{
	struct dispatch *d = calloc(1, sizeof *d);
	struct notify_conf notify = notify_conf_of(conf);

	if (d == NULL)
		return NULL;
	d->loop = loop;
	d->queue = queue;
	d->retry = (struct retry_conf){ .order_hold = (wall_t)conf->order_hold_s * 1000,
	    .resend_freq = (wall_t)conf->resend_freq_s * 1000, .resend_most = conf->resend_retry };
	guard_start(&d->guard, clock_wall(), clock_mono());
	rate_start(&d->sms_received, loop_now(loop));
	rate_start(&d->dlr_received, loop_now(loop));
	if ((d->tick = timer_new(loop, dispatch_tick, d)) == NULL ||
	    (d->leave = timer_new(loop, leave_look, d)) == NULL ||
	    (d->ledger = ledger_new(queue)) == NULL ||
	    (d->links = links_new(loop, drivers, queue_node(queue), &link_events, d)) == NULL ||
	    (d->notify = notify_new(loop, d->ledger, calls, &notify)) == NULL ||
	    (d->endings = endings_new(d->ledger, d->notify)) == NULL ||
	    (d->receipts = receipts_new(loop, d->links, d->ledger, d->endings)) == NULL ||
	    (d->scheduler = scheduler_new(loop, d->ledger, d->links, d->endings, d->receipts,
	    &d->retry)) == NULL) {
		dispatch_free(&d);
		return NULL;
	}
	queue_owner_set(queue, &owner, d);
	timer_set(d->tick, TICK_MS);
	return d;
}

int
dispatch_links(struct dispatch *d, struct conf *conf, struct findings *found)
{
	int rc = links_apply(d->links, conf, found);

	scheduler_routes_changed(d->scheduler);
	return rc;
}

void
dispatch_start(struct dispatch *d)
{
	d->started = true;
	queue_start(d->queue);
}

enum routable
dispatch_routable(void *dispatch, const struct message *m)
{
	struct dispatch *d = dispatch;

	return scheduler_routable(d->scheduler, m);
}

void
dispatch_mode(struct dispatch *d, enum dispatch_mode mode)
{
	d->mode = mode;
	scheduler_stop(d->scheduler, mode == DISPATCH_SUSPENDED || d->draining);
}

/* --- closing ------------------------------------------------------------------------------- */

static void
drain_look(void *arg)
{
	struct dispatch *d = arg;
	void (*drained)(void *) = d->drained;
	bool quiet = scheduler_quiet(d->scheduler) && ledger_open(d->ledger) == 0;

	if (!quiet && loop_now(d->loop) < d->drain_until) {
		timer_set(d->drain, DRAIN_LOOK_MS);
		return;
	}
	if (!quiet)
		log_warn("not everything was answered in time: what was in flight is in doubt");
	d->drained = NULL;
	links_drain(d->links);
	if (drained != NULL)
		drained(d->drained_arg);
}

void
dispatch_drain(struct dispatch *d, unsigned deadline_ms, void (*done)(void *), void *arg)
{
	d->draining = true;
	d->drain_until = loop_now(d->loop) + deadline_ms;
	d->drained = done;
	d->drained_arg = arg;
	scheduler_stop(d->scheduler, true);
	if (d->drain == NULL && (d->drain = timer_new(d->loop, drain_look, d)) == NULL) {
		drain_look(d);
		return;
	}
	timer_set(d->drain, 0);
}

/* Before or after queue_close: what the queue still commits is answered to nobody. */
void
dispatch_free(struct dispatch **dp)
{
	struct dispatch *d = *dp;

	if (d == NULL)
		return;
	timer_free(&d->tick);
	timer_free(&d->drain);
	timer_free(&d->leave);
	if (d->scheduler != NULL) {
		scheduler_stop(d->scheduler, true);
		queue_owner_set(d->queue, NULL, NULL);
	}
	links_free(&d->links);
	scheduler_free(&d->scheduler);
	receipts_free(&d->receipts);
	endings_free(&d->endings);
	notify_free(&d->notify);
	ledger_close(&d->ledger);
	free(d->picture);
	free(d);
	*dp = NULL;
}

/* --- looking --------------------------------------------------------------------------------- */

void
dispatch_status(const struct dispatch *d, struct dispatch_status *out)
{
	struct queue_stats queue;
	struct notify_status notify;

	*out = (struct dispatch_status){ .loading = true };
	queue_stats(d->queue, &queue);
	notify_status(d->notify, &notify);
	scheduler_status(d->scheduler, out);
	out->awaiting = queue.counts.awaiting;
	out->notices = notify.waiting;
	out->notices_failed = notify.failed;
	out->callbacks = notify.calls;
	out->receipts_unmatched = receipts_unmatched(d->receipts);
	out->sms_sent = *scheduler_sent(d->scheduler);
	out->sms_received = d->sms_received;
	out->dlr_received = d->dlr_received;
}

static const struct link *
own_link(const struct dispatch *d, size_t *index)
{
	for (size_t i = 0; i < links_count(d->links); i++)
		if (!links_at(d->links, i)->far && (*index)-- == 0)
			return links_at(d->links, i);
	return NULL;
}

size_t
dispatch_link_count(const struct dispatch *d)
{
	size_t n = 0;

	for (size_t i = 0; i < links_count(d->links); i++)
		n += !links_at(d->links, i)->far;
	return n;
}

void
dispatch_link_status(const struct dispatch *d, size_t index, struct link_status *out)
{
	const struct link *l = own_link(d, &index);

	*out = (struct link_status){ .name = l->name, .smsc_id = l->smsc_id.at,
	    .admin_id = l->admin_id.at, .description = link_describe(l), .failed = l->failed,
	    .queued = scheduler_waiting_for(d->scheduler, l),
	    .possible_duplicates = l->possible_duplicates, .unknown = l->unknown,
	    .sms_sent = &l->sms_sent, .sms_received = &l->sms_received,
	    .dlr_received = &l->dlr_received };
	out->state = link_state(l, &out->online_s);
}
