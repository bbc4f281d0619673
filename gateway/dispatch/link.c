/*
 * link.c - links: opened from smsc groups, bounded by window, throughput and rest
 *
 * Throughput is a bucket of segments that holds a tenth of a second. After a throttling answer
 * the link rests (retry_rest_ms); an accepted submit ends the growth of the rest. One timer a
 * link wakes it when only time keeps it from sending.
 *
 * A reload lays the new groups beside the links: an equal group is untouched, one whose
 * connection is the same gets new rules, what is left over drains. A link never closes its
 * driver from the driver's own call; links_tick does.
 *
 * Knows:     smsc.h, the keys of an smsc group that all drivers share.
 * Does not:  know messages, the queue, or which driver it is.
 * Owns:      links, drivers' handles, timers.
 * Threads:   the loop.
 */
#include "dispatch/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/finding.h"
#include "dispatch/dispatch.h"
#include "dispatch/retry.h"
#include "io/log.h"
#include "io/loop.h"
#include "push/message.h"
#include "push/msisdn.h"

enum { NAME_MOST = 256, ADDRESS_MOST = 64, INSTANCES_MOST = 64, DRAIN_MS = 30 * 1000 };

struct link_conf {
	const char	*smsc, *smsc_id, *admin_id;
	struct route_conf route;
	const char	*unified_prefix, *alt_charset, *my_number;
	double		 throughput;
	long		 octets_most, instances;
	bool		 dead_start, alt_dcs;
	int		 unknown;
};

struct link_inner {
	const struct smsc_driver *driver;
	const struct conf_group *group;
	unsigned	 instance;
	struct link_conf conf;
	struct route_rules *rules;
	struct prefixes	*prefixes;
	struct smsc	*smsc;		/* NULL: not opened (dead-start, or waits for `before`) */
	struct conf	*config;
	struct link	*before;	/* the one it replaces: two must not be bound at once */
	enum smsc_state	 state;
	mono_t		 since;		/* up since; retired since */
	mono_t		 rest_until;
	unsigned	 throttled;	/* in a row */
	double		 tokens;
	mono_t		 tokens_at;
	struct timer	*timer;
	bool		 kept;		/* by the reload that runs */
};

struct links {
	struct loop	*loop;
	const struct smsc_driver *const *drivers;
	char		*node;
	const struct link_events *events;
	void		*arg;
	struct link	*list[LINKS_MOST];
	size_t		 count;
	struct link	*numbers[LINKS_MOST];
	bool		 by_receiver;
};

#define AT(field)	offsetof(struct link_conf, field)
#define LATER(name, type, text)	{ name, type, 0, NULL, 0, 0, text, CONF_LATER, false, NULL }
#define TEXT_KEY(name, field, text) \
	{ name, CONF_TEXT, AT(field), NULL, 0, 0, text, CONF_WORKS, false, NULL }
#define REGEX_KEY(name, field, text) \
	{ name, CONF_REGEX, AT(field), NULL, 0, 0, text, CONF_WORKS, false, NULL }

static const char *const unknown_choices[] = { "resend", "hold", "give-up", NULL };

const struct conf_key link_keys[] = {
	{ "smsc", CONF_TEXT, AT(smsc), NULL, 0, 0, "Kind of the link: smpp.", CONF_WORKS, true, NULL },
	TEXT_KEY("smsc-id", smsc_id,
	    "Name of the link, for routing, logs and reports; several groups may share one."),
	TEXT_KEY("smsc-admin-id", admin_id, "Name of the link for commands; smsc-id when not given."),
	TEXT_KEY("allowed-smsc-id", route.allowed_smsc_id,
	    "Only messages that ask for one of these smsc-ids (separated by ;) are sent."),
	TEXT_KEY("denied-smsc-id", route.denied_smsc_id,
	    "Messages that ask for one of these smsc-ids are not sent."),
	TEXT_KEY("preferred-smsc-id", route.preferred_smsc_id,
	    "Messages that ask for one of these smsc-ids are sent here before other links."),
	REGEX_KEY("allowed-smsc-id-regex", route.allowed_smsc_id_regex,
	    "As allowed-smsc-id, by regular expression."),
	REGEX_KEY("denied-smsc-id-regex", route.denied_smsc_id_regex,
	    "As denied-smsc-id, by regular expression."),
	REGEX_KEY("preferred-smsc-id-regex", route.preferred_smsc_id_regex,
	    "As preferred-smsc-id, by regular expression."),
	TEXT_KEY("allowed-prefix", route.allowed_prefix,
	    "Only receivers that begin with one of these (separated by ;)."),
	TEXT_KEY("denied-prefix", route.denied_prefix,
	    "No receivers that begin with one of these, unless allowed-prefix has them."),
	TEXT_KEY("preferred-prefix", route.preferred_prefix,
	    "Receivers that begin with one of these are sent here before other links."),
	REGEX_KEY("allowed-prefix-regex", route.allowed_prefix_regex,
	    "As allowed-prefix, by regular expression."),
	REGEX_KEY("denied-prefix-regex", route.denied_prefix_regex,
	    "As denied-prefix, by regular expression."),
	REGEX_KEY("preferred-prefix-regex", route.preferred_prefix_regex,
	    "As preferred-prefix, by regular expression."),
	TEXT_KEY("unified-prefix", unified_prefix,
	    "How receivers are rewritten just before they are sent: +358,00358,0;+,00."),
	{ "throughput", CONF_RATE, AT(throughput), NULL, 0, 100000,
	  "Segments a second, at most; not given or 0: no limit.", CONF_WORKS, false, NULL },
	{ "max-sms-octets", CONF_NUMBER, AT(octets_most), "140", 1, 65535,
	  "Octets of one segment's user data; longer messages are concatenated.",
	  CONF_WORKS, false, NULL },
	{ "instances", CONF_NUMBER, AT(instances), "1", 1, INSTANCES_MOST,
	  "How many links of this kind are opened.", CONF_WORKS, false, NULL },
	{ "dead-start", CONF_FLAG, AT(dead_start), "no", 0, 0,
	  "The link is not opened at the start.", CONF_WORKS, false, NULL },
	{ "alt-dcs", CONF_FLAG, AT(alt_dcs), "no", 0, 0,
	  "Data coding of messages with a class takes the F0 form.", CONF_WORKS, false, NULL },
	TEXT_KEY("alt-charset", alt_charset,
	    "Charset of text in the default alphabet on this link, instead of GSM 03.38."),
	TEXT_KEY("my-number", my_number, "The link's own number, %f in a dlr-url."),
	{ "outcome-unknown", CONF_CHOICE, AT(unknown), "resend", 0, 0,
	  "What becomes of a message that was sent but never answered: resend when the link is back "
	  "and wait-ack has passed (it may arrive twice), hold it for a person, or give-up.",
	  CONF_WORKS, false, unknown_choices },
	LATER("log-file", CONF_TEXT, "A log file of this link alone."),
	LATER("log-level", CONF_NUMBER, "Level of that log file."),
	LATER("reroute", CONF_FLAG, "Incoming texts are sent on."),
	LATER("reroute-smsc-id", CONF_TEXT, "The smsc-id that incoming texts are sent on to."),
	LATER("reroute-receiver", CONF_TEXT, "Incoming texts are sent on by their receiver."),
	LATER("reroute-dlr", CONF_FLAG, "Reports are sent on too."),
	{ 0 }
};

/* --- news from the driver ------------------------------------------------------ */

static void
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

static const struct smsc_events driver_events = {
	.state = on_state, .accepted = on_accepted, .refused = on_refused, .unknown = on_unknown,
	.late = on_late, .receipt = on_receipt, .incoming = on_incoming
};

/* --- sending ------------------------------------------------------------------- */

static void
on_time(void *arg)
{
	struct link *l = arg;

	l->links->events->room(l->links->arg, l);
}

static double
bucket_room(const struct link_inner *in)
{
	return in->conf.throughput > 10 ? in->conf.throughput / 10 : 1;
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
	if (in->tokens > bucket_room(in))
		in->tokens = bucket_room(in);
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

size_t
links_count(const struct links *s)
{
	return s->count;
}

struct link *
links_at(const struct links *s, size_t index)
{
	return s->list[index];
}

struct link *
links_number(const struct links *s, unsigned number)
{
	return number < LINKS_MOST ? s->numbers[number] : NULL;
}

bool
links_by_receiver(const struct links *s)
{
	return s->by_receiver;
}

struct link *
links_find(const struct links *s, struct text address)
{
	for (size_t i = 0; i < s->count; i++)
		if (!s->list[i]->retired && text_is(address, s->list[i]->address))
			return s->list[i];
	return NULL;
}

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

/* --- opening -------------------------------------------------------------------- */

struct links *
links_new(struct loop *loop, const struct smsc_driver *const *drivers, struct text node,
    const struct link_events *events, void *arg)
{
	struct links *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	*s = (struct links){ .loop = loop, .drivers = drivers, .node = text_dup(node),
	    .events = events, .arg = arg };
	if (s->node == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

static const struct smsc_driver *
driver_of(const struct links *s, const struct conf_group *g, struct findings *found)
{
	unsigned line = conf_group_line(g);
	const char *name = conf_value(g, "smsc", &line);

	for (const struct smsc_driver *const *d = s->drivers; *d != NULL; d++)
		if (name != NULL && strcmp((*d)->name, name) == 0)
			return *d;
	finding_add(found, SEVERITY_ERROR, NULL, conf_group_file(g), line, 0,
	    name == NULL ? "an smsc group has no smsc = KIND%s" : "smsc = %s is not supported",
	    name == NULL ? "" : name);
	return NULL;
}

/* What the group says, parsed; -1: findings. */
static int
inner_bind(struct link_inner *in, struct findings *found)
{
	const char *file = conf_group_file(in->group);
	unsigned line = conf_group_line(in->group);
	struct err err = { 0 };

	if (conf_bind(in->config, in->group, link_keys, &in->conf, found) == -1)
		return -1;
	if ((in->rules = route_rules_parse(&in->conf.route, &err)) == NULL ||
	    ((in->prefixes = prefixes_parse(text_of(in->conf.unified_prefix), &err)) == NULL &&
	    err.code != ERR_NONE)) {
		finding_add(found, SEVERITY_ERROR, NULL, file, line, 0, "%s", err.text);
		return -1;
	}
	return 0;
}

static void
inner_unbind(struct link_inner *in)
{
	route_rules_free(&in->rules);
	prefixes_free(&in->prefixes);
	conf_unbind(link_keys, &in->conf);
}

static void
link_rules(struct link *l)		/* from inner->conf */
{
	const struct link_conf *c = &l->inner->conf;

	l->smsc_id = text_of(c->smsc_id);
	l->admin_id = text_of(c->admin_id != NULL ? c->admin_id : c->smsc_id);
	l->my_number = text_of(c->my_number);
	l->dead = c->dead_start;
	l->unknown_policy = (enum link_unknown)c->unknown;
	l->rules = (struct segment_rules){ .octets_most = (uint16_t)c->octets_most,
	    .alt_charset = c->alt_charset, .alt_dcs = c->alt_dcs ? 1 : MESSAGE_UNSET };
	l->inner->tokens = bucket_room(l->inner);
	l->inner->tokens_at = loop_now(l->links->loop);
}

static void
link_free(struct link **lp)
{
	struct link *l = *lp;

	if (l == NULL)
		return;
	if (l->inner != NULL) {
		if (l->inner->smsc != NULL)
			l->inner->driver->close(&l->inner->smsc);
		inner_unbind(l->inner);
		timer_free(&l->inner->timer);
		free(l->inner);
	}
	free(l->address);
	free(l->domain);
	free(l);
	*lp = NULL;
}

/* "node/smsc-id", "#2" and so on when another link has it. */
static char *
link_address(const struct links *s, const char *base, const struct link *before)
{
	char address[NAME_MOST + ADDRESS_MOST];
	const struct link *taken;

	for (unsigned n = 1;; n++) {
		if (n == 1)
			snprintf(address, sizeof address, "%s/%.*s", s->node, NAME_MOST, base);
		else
			snprintf(address, sizeof address, "%s/%.*s#%u", s->node, NAME_MOST, base, n);
		if ((taken = links_find(s, text_of(address))) == NULL || taken == before)
			return text_dup(text_of(address));
	}
}

static struct link *
link_new(struct links *s, const struct smsc_driver *driver, struct conf *conf,
    const struct conf_group *g, unsigned instance, struct findings *found)
{
	struct link *l = calloc(1, sizeof *l);
	mono_t now = loop_now(s->loop);

	if (l == NULL || (l->inner = calloc(1, sizeof *l->inner)) == NULL ||
	    (l->inner->timer = timer_new(s->loop, on_time, l)) == NULL)
		goto fail;
	l->links = s;
	l->inner->driver = driver;
	l->inner->config = conf;
	l->inner->group = g;
	l->inner->instance = instance;
	l->inner->state = SMSC_CLOSED;
	if (inner_bind(l->inner, found) == -1)
		goto fail;
	link_rules(l);
	rate_start(&l->sms_sent, now);
	rate_start(&l->sms_received, now);
	rate_start(&l->dlr_received, now);
	return l;
fail:
	if (found->errors == 0)
		finding_add(found, SEVERITY_ERROR, NULL, conf_group_file(g), conf_group_line(g), 0,
		    "no memory for this link");
	link_free(&l);
	return NULL;
}

/* Links of one smsc-id share the receipt domain of the first. */
static char *
link_domain(const struct link *l)
{
	const struct links *s = l->links;

	for (size_t i = 0; i < s->count && l->smsc_id.at != NULL; i++)
		if (s->list[i] != l && s->list[i]->domain != NULL &&
		    text_eq(s->list[i]->smsc_id, l->smsc_id))
			return text_dup(text_of(s->list[i]->domain));
	return text_dup(text_of(l->inner->driver->receipt_domain(l->inner->smsc)));
}

static int
link_open(struct link *l, struct findings *found)
{
	struct link_inner *in = l->inner;
	struct smsc_setup setup = { .loop = l->links->loop, .name = l->name,
	    .alt_charset = in->conf.alt_charset, .conf = in->config, .events = &driver_events,
	    .owner = l };
	struct err err = { 0 };

	in->state = SMSC_CONNECTING;
	in->smsc = in->driver->open(&setup, in->group, found, &err);
	if (in->smsc == NULL) {
		in->state = SMSC_CLOSED;
		finding_add(found, SEVERITY_ERROR, NULL, conf_group_file(in->group),
		    conf_group_line(in->group), 0, "link %s: %s", l->name, err.text);
		return -1;
	}
	l->window = in->driver->window(in->smsc);
	if (l->window == 0)
		l->window = 1;
	l->wait_ack_ms = in->driver->wait_ack_ms(in->smsc);
	free(l->domain);
	l->domain = link_domain(l);
	l->ahead = link_ahead_least(l);
	return l->domain != NULL ? 0 : -1;
}

/* --- the difference ------------------------------------------------------------- */

struct wanted {				/* links of the new configuration */
	struct link	*list[LINKS_MOST];
	struct link	*old[LINKS_MOST];	/* that it takes the place of, or is */
	size_t		 count;
};

static struct link *
links_match(const struct links *s, const struct link *want, bool whole)
{
	const struct link_inner *w = want->inner;

	for (size_t i = 0; i < s->count; i++) {
		struct link_inner *in = s->list[i]->inner;

		if (s->list[i]->retired || in->kept || in->driver != w->driver ||
		    in->instance != w->instance)
			continue;
		if (conf_group_equal(in->group, w->group) ||
		    (!whole && text_eq(s->list[i]->smsc_id, want->smsc_id))) {
			in->kept = true;
			return s->list[i];
		}
	}
	return NULL;
}

static int
wanted_read(struct links *s, struct conf *conf, struct wanted *w, struct findings *found)
{
	const struct conf_group *g = NULL;
	size_t errors = found->errors;

	while ((g = conf_next(conf, "smsc", g)) != NULL) {
		const struct smsc_driver *d = driver_of(s, g, found);
		long instances = 1;

		for (unsigned i = 0; d != NULL && i < (unsigned long)instances; i++) {
			struct link *l;

			if (w->count == LINKS_MOST) {
				finding_add(found, SEVERITY_ERROR, NULL, conf_group_file(g),
				    conf_group_line(g), 0, "more than %d links", LINKS_MOST);
				return -1;
			}
			if ((l = link_new(s, d, conf, g, i, found)) == NULL)
				break;
			instances = l->inner->conf.instances;
			w->list[w->count++] = l;
		}
	}
	return found->errors == errors ? 0 : -1;
}

static void
link_retire(struct link *l)
{
	struct link_inner *in = l->inner;

	l->retired = true;
	in->since = loop_now(l->links->loop);
	l->links->events->retired(l->links->arg, l);
	link_up(l, false);
	if (in->smsc != NULL)
		in->driver->drain(in->smsc);
}

/* New rules, the same connection: what the group says moves into the link that is open. */
static void
link_take_rules(struct link *l, struct link *from)
{
	struct link_inner *in = l->inner, *other = from->inner;
	struct link_inner old = *in;

	in->group = other->group;
	in->config = other->config;
	in->conf = other->conf;
	in->rules = other->rules;
	in->prefixes = other->prefixes;
	other->conf = old.conf;
	other->rules = old.rules;
	other->prefixes = old.prefixes;
	link_rules(l);
}

static int
links_add(struct links *s, struct link *l, struct findings *found)
{
	const struct link_inner *in = l->inner;

	for (l->number = 0; l->number < LINKS_MOST && s->numbers[l->number] != NULL;)
		l->number++;
	l->address = link_address(s, in->conf.smsc_id != NULL ? in->conf.smsc_id : in->driver->name,
	    in->before);
	if (l->number == LINKS_MOST || s->count == LINKS_MOST || l->address == NULL) {
		finding_add(found, SEVERITY_ERROR, NULL, conf_group_file(in->group),
		    conf_group_line(in->group), 0, "no room for this link while old ones drain");
		return -1;
	}
	l->name = strchr(l->address, '/') + 1;
	s->numbers[l->number] = l;
	s->list[s->count++] = l;
	if (l->dead || in->before != NULL)
		return 0;
	return link_open(l, found);
}

static void
links_by_receiver_now(struct links *s)
{
	s->by_receiver = false;
	for (size_t i = 0; i < s->count; i++) {
		const struct route_conf *r = &s->list[i]->inner->conf.route;

		s->by_receiver |= r->allowed_prefix != NULL || r->denied_prefix != NULL ||
		    r->preferred_prefix != NULL || r->allowed_prefix_regex != NULL ||
		    r->denied_prefix_regex != NULL || r->preferred_prefix_regex != NULL;
	}
}

/* Whom each wanted link is, or takes the place of. */
static void
wanted_match(struct links *s, struct wanted *w)
{
	for (size_t i = 0; i < s->count; i++)
		s->list[i]->inner->kept = false;
	for (size_t i = 0; i < w->count; i++)	/* equal ones first, so that none is taken from them */
		w->old[i] = links_match(s, w->list[i], true);
	for (size_t i = 0; i < w->count; i++) {
		struct link_inner *in = w->list[i]->inner;
		struct link *old;

		if (w->old[i] != NULL || (old = links_match(s, w->list[i], false)) == NULL)
			continue;
		if (old->inner->conf.dead_start == in->conf.dead_start &&
		    in->driver->same(old->inner->group, in->group)) {
			w->old[i] = old;
		} else {
			old->inner->kept = false;
			in->before = old;
		}
	}
}

/* The new ones; all of them or none. */
static int
wanted_open(struct links *s, struct wanted *w, struct findings *found)
{
	size_t count = s->count;

	for (size_t i = 0; i < w->count; i++) {
		if (w->old[i] != NULL || links_add(s, w->list[i], found) == 0)
			continue;
		while (s->count > count)
			s->numbers[s->list[--s->count]->number] = NULL;
		return -1;
	}
	return 0;
}

int
links_apply(struct links *s, struct conf *conf, struct findings *found)
{
	struct wanted w = { .count = 0 };
	size_t count = s->count;

	if (wanted_read(s, conf, &w, found) == -1)
		goto fail;
	wanted_match(s, &w);
	if (wanted_open(s, &w, found) == -1)
		goto fail;
	for (size_t i = 0; i < count; i++)
		if (!s->list[i]->inner->kept && !s->list[i]->retired)
			link_retire(s->list[i]);
	for (size_t i = 0; i < w.count; i++) {
		if (w.old[i] == NULL)
			continue;
		if (!conf_group_equal(w.old[i]->inner->group, w.list[i]->inner->group))
			link_take_rules(w.old[i], w.list[i]);
		link_free(&w.list[i]);
	}
	links_by_receiver_now(s);
	return 0;
fail:
	for (size_t i = 0; i < w.count; i++)
		link_free(&w.list[i]);
	return -1;
}

void
links_drain(struct links *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i]->inner->smsc != NULL && !s->list[i]->retired)
			s->list[i]->inner->driver->drain(s->list[i]->inner->smsc);
}

/* Whoever waits for its place opens now. */
static void
links_succeed(struct links *s, const struct link *gone)
{
	for (size_t i = 0; i < s->count; i++) {
		struct link *l = s->list[i];
		struct findings found = { 0 };

		if (l->inner->before != gone)
			continue;
		l->inner->before = NULL;
		if (!l->dead && !l->retired && link_open(l, &found) == -1)
			log_error("link %s cannot be opened: %s", l->name,
			    found.count > 0 ? found.list[0].text : "no memory");
		findings_free(&found);
	}
}

void
links_tick(struct links *s)
{
	for (size_t i = 0; i < s->count;) {
		struct link *l = s->list[i];
		struct link_inner *in = l->inner;

		if (l->retired && in->smsc != NULL && (in->state == SMSC_CLOSED ||
		    loop_now(s->loop) - in->since > DRAIN_MS)) {
			in->driver->close(&in->smsc);
			links_succeed(s, l);
		} else if (l->retired && in->smsc == NULL) {
			links_succeed(s, l);
		}
		if (!l->retired || in->smsc != NULL || l->unsettled > 0 || l->receipts > 0 ||
		    l->lates != NULL || l->first != NULL) {
			i++;
			continue;
		}
		s->numbers[l->number] = NULL;
		memmove(&s->list[i], &s->list[i + 1], (s->count - i - 1) * sizeof *s->list);
		s->count--;
		link_free(&l);
	}
}

void
links_free(struct links **sp)
{
	struct links *s = *sp;

	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i]->inner->smsc != NULL)
			s->list[i]->inner->driver->close(&s->list[i]->inner->smsc);
	for (size_t i = 0; i < s->count; i++)
		link_free(&s->list[i]);
	free(s->node);
	free(s);
	*sp = NULL;
}
