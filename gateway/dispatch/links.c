/*
 * links.c - all links: opened from smsc groups, changed by a reload, forgotten
 *
 * A reload lays the new groups beside the links: an equal group is untouched, one whose
 * connection is the same gets new rules, what is left over drains. A link never closes its
 * driver from the driver's own call; links_tick does.
 *
 * Knows:     the keys of an smsc group that all drivers share; how a link is opened and closed.
 * Does not:  know how much it may carry (link.c), or which driver it is.
 * Owns:      links, drivers' handles, timers.
 * Threads:   the loop.
 */
#include "dispatch/link_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/finding.h"
#include "dispatch/dispatch.h"
#include "io/log.h"
#include "push/msisdn.h"

enum { NAME_MOST = 256, ADDRESS_MOST = 64, INSTANCES_MOST = 64, DRAIN_MS = 30 * 1000 };

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

/* --- which there are -------------------------------------------------------------- */

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

static struct text
name_of(struct text address)		/* "5/vf1": "vf1" */
{
	const char *slash = address.len > 0 ? memchr(address.at, '/', address.len) : NULL;

	if (slash == NULL)
		return (struct text){ 0 };
	return (struct text){ slash + 1, address.len - (size_t)(slash + 1 - address.at) };
}

struct link *
links_like(const struct links *s, struct text address)
{
	struct text name = name_of(address);

	for (size_t i = 0; i < s->count && name.len > 0; i++)
		if (!s->list[i]->retired && !s->list[i]->far && text_is(name, s->list[i]->name))
			return s->list[i];
	return NULL;
}

struct link *
links_nobody(const struct links *s)
{
	return s->nobody;
}

void
links_tell(const struct links *s, struct text address, struct report *report)
{
	const struct link *l = links_find(s, address);

	report->smsc = l != NULL ? l->smsc_id : name_of(address);
	report->own_number = l != NULL ? l->my_number : (struct text){ 0 };
}

/* --- opening -------------------------------------------------------------------- */

static struct link *
nobody_new(struct links *s)
{
	struct link *l = calloc(1, sizeof *l);

	if (l == NULL || (l->inner = calloc(1, sizeof *l->inner)) == NULL ||
	    (l->address = text_dup(TEXT(""))) == NULL || (l->domain = text_dup(TEXT(""))) == NULL) {
		link_free(&l);
		return NULL;
	}
	l->links = s;
	l->name = "nobody";
	l->retired = true;
	rate_start(&l->sms_sent, loop_now(s->loop));
	return l;
}

struct links *
links_new(struct loop *loop, const struct smsc_driver *const *drivers, struct text node,
    const struct link_events *events, void *arg)
{
	struct links *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	*s = (struct links){ .loop = loop, .drivers = drivers, .node = text_dup(node),
	    .events = events, .arg = arg };
	if (s->node == NULL || (s->nobody = nobody_new(s)) == NULL)
		links_free(&s);
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
	l->inner->tokens = link_bucket(l->inner);
	l->inner->tokens_at = loop_now(l->links->loop);
}

void
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
		conf_free(&l->inner->own);
		free(l->inner->said);
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

struct link *
link_new(struct links *s, const struct smsc_driver *driver, struct conf *conf,
    const struct conf_group *g, unsigned instance, struct findings *found)
{
	struct link *l = calloc(1, sizeof *l);
	mono_t now = loop_now(s->loop);

	if (l == NULL || (l->inner = calloc(1, sizeof *l->inner)) == NULL ||
	    (l->inner->timer = timer_new(s->loop, link_on_time, l)) == NULL)
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
	    .alt_charset = in->conf.alt_charset, .conf = in->config, .events = &link_driver_events,
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

void
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

int
links_place(struct links *s, struct link *l)
{
	for (l->number = 0; l->number < LINKS_MOST && s->numbers[l->number] != NULL;)
		l->number++;
	if (l->number == LINKS_MOST || s->count == LINKS_MOST)
		return -1;
	l->name = strchr(l->address, '/') + 1;
	s->numbers[l->number] = l;
	s->list[s->count++] = l;
	return 0;
}

static int
links_add(struct links *s, struct link *l, struct findings *found)
{
	const struct link_inner *in = l->inner;

	l->address = link_address(s, in->conf.smsc_id != NULL ? in->conf.smsc_id : in->driver->name,
	    in->before);
	if (l->address == NULL || links_place(s, l) == -1) {
		finding_add(found, SEVERITY_ERROR, NULL, conf_group_file(in->group),
		    conf_group_line(in->group), 0, "no room for this link while old ones drain");
		return -1;
	}
	if (l->dead || in->before != NULL)
		return 0;
	return link_open(l, found);
}

void
links_changed(struct links *s)
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
		if (!s->list[i]->inner->kept && !s->list[i]->retired && !s->list[i]->far)
			link_retire(s->list[i]);
	for (size_t i = 0; i < w.count; i++) {
		if (w.old[i] == NULL)
			continue;
		if (!conf_group_equal(w.old[i]->inner->group, w.list[i]->inner->group))
			link_take_rules(w.old[i], w.list[i]);
		link_free(&w.list[i]);
	}
	links_changed(s);
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
	link_free(&s->nobody);
	for (struct links_heard *h = s->heard, *next; h != NULL; h = next) {
		next = h->next;
		free(h->status);
		free(h);
	}
	free(s->node);
	free(s);
	*sp = NULL;
}
