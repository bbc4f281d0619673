/*
 * far.c - links of other nodes
 *
 * What a node publishes of a link is the rows of its smsc group that links.c knows (rules, throughput),
 * so here it is read as such a group. A link whose description changes is retired and comes again.
 *
 * A link that its node does not name any more is down, and known until nothing of it is under way; one
 * whose node is dead is retired at once.
 *
 * Knows:     the words of a node's status that concern links.
 * Does not:  know messages.
 * Owns:      far links' configurations, through link_free.
 * Threads:   the loop.
 */
#include "dispatch/far.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/finding.h"
#include "base/json.h"
#include "base/json_value.h"
#include "dispatch/dispatch.h"
#include "dispatch/link_inner.h"
#include "io/log.h"

enum { STATUS_MOST = 1 << 20, GROUP_MOST = 64 << 10, NAME_MOST = 256,
    WINDOW_MOST = 1000 };

/* --- ours, for others ------------------------------------------------------------- */

static void
publish_group(const struct conf_group *g, struct json *j)
{
	json_open(j, "group", '{');
	for (const struct conf_key *k = link_keys; k->name != NULL; k++) {
		unsigned line;
		const char *value = k->effect == CONF_WORKS ? conf_value(g, k->name, &line) : NULL;

		if (value != NULL)
			json_text(j, k->name, text_of(value));
	}
	json_close(j, '}');
}

void
far_publish(const struct links *s, bool stopped, struct json *j)
{
	json_open(j, "links", '[');
	for (size_t i = 0; i < s->count; i++) {
		const struct link *l = s->list[i];
		int64_t online;

		if (l->far || l->retired)
			continue;
		json_open(j, NULL, '{');
		json_text(j, "name", text_of(l->name));
		json_flag(j, "up", l->up && !stopped);
		json_text(j, "state", text_of(link_state(l, &online)));
		json_number(j, "online", online / 60 * 60);	/* a text that changes only once a minute */
		json_number(j, "failed", (int64_t)l->failed);
		json_open(j, "what", '{');
		json_number(j, "window", l->window);
		json_number(j, "wait-ack", l->wait_ack_ms);
		json_text(j, "domain", text_of(l->domain != NULL ? l->domain : ""));
		publish_group(l->inner->group, j);
		json_close(j, '}');
		json_close(j, '}');
	}
	json_close(j, ']');
}

/* --- theirs ----------------------------------------------------------------------- */

static void
group_line(struct buf *b, struct text key, struct text value)
{
	buf_bytes(b, key.at, key.len);
	buf_str(b, " = \"");
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] == '"' || value.at[i] == '\\')
			buf_u8(b, '\\');
		if (value.at[i] != '\n' && value.at[i] != '\r')
			buf_u8(b, (uint8_t)value.at[i]);
	}
	buf_str(b, "\"\n");
}

/* The group of one link as configuration; NULL: it says what this program does not understand. */
static struct conf *
group_read(const struct json_value *group, struct findings *found)
{
	struct buf b = buf_heap(GROUP_MOST);
	const struct json_value *value;
	struct conf *c = NULL;
	struct text key;
	void *at = NULL;

	buf_str(&b, "group = smsc\n");
	while (json_value_next(group, &at, &key, &value))
		if (json_value_text(value).at != NULL)
			group_line(&b, key, json_value_text(value));
	if (!b.overflow)
		c = conf_read_text("far", (struct text){ (const char *)b.data, b.len }, found);
	buf_free(&b);
	return c;
}

static unsigned
number_of(const struct json_value *what, const char *name, int64_t least, int64_t most)
{
	int64_t n = json_value_number(json_value_get(what, name), least);

	return (unsigned)(n < least ? least : n > most ? most : n);
}

static struct link *
far_open(struct links *s, uint16_t node, struct text name, const struct json_value *what,
    struct findings *found)
{
	struct text domain = json_value_text(json_value_get(what, "domain"));
	struct conf *c = group_read(json_value_get(what, "group"), found);
	char address[300];
	struct link *l;

	if (c == NULL)
		return NULL;
	if ((l = link_new(s, NULL, c, conf_next(c, "smsc", NULL), 0, found)) == NULL) {
		conf_free(&c);
		return NULL;
	}
	snprintf(address, sizeof address, "%u/%.*s", node, TEXT_ARGS(name));
	l->inner->own = c;
	l->far = true;
	l->address = text_dup(text_of(address));
	l->domain = text_dup(domain.at != NULL ? domain : TEXT(""));
	l->window = number_of(what, "window", 1, WINDOW_MOST);
	l->wait_ack_ms = number_of(what, "wait-ack", 0, 24 * 3600 * 1000);
	l->ahead = link_ahead_least(l);
	if (l->address == NULL || l->domain == NULL || links_place(s, l) == -1)
		link_free(&l);
	return l;
}

static bool
is_of(const struct link *l, uint16_t node)
{
	return l->far && !l->retired && strtoul(l->address, NULL, 10) == node;
}

static struct link *
far_find(const struct links *s, uint16_t node, struct text name)
{
	for (size_t i = 0; i < s->count; i++)
		if (is_of(s->list[i], node) && text_is(name, s->list[i]->name))
			return s->list[i];
	return NULL;
}

/* One link of a node; true: it is new, or another than before. */
static bool
far_link(struct links *s, uint16_t node, const struct json_value *o)
{
	const struct json_value *what = json_value_get(o, "what");
	struct text name = json_value_text(json_value_get(o, "name"));
	struct findings found = { 0 };
	bool changed = false;
	struct link *l;
	char *said;

	if (name.len == 0 || name.len > NAME_MOST || (said = json_value_dump(what)) == NULL)
		return false;
	l = far_find(s, node, name);
	if (l != NULL && strcmp(l->inner->said, said) != 0) {
		link_retire(l);
		l = NULL;
		changed = true;
	}
	if (l == NULL && (l = far_open(s, node, name, what, &found)) != NULL) {
		l->inner->said = said;
		said = NULL;
		changed = true;
	} else if (l == NULL) {
		log_warn("link %u/%.*s is not used from here: %s", node, TEXT_ARGS(name),
		    found.count > 0 ? found.list[0].text : "no room for it");
	}
	if (l != NULL) {
		l->inner->seen = true;
		l->inner->said_up = json_value_true(json_value_get(o, "up"));
	}
	free(said);
	findings_free(&found);
	return changed;
}

static bool
far_peer(struct links *s, const struct store_peer *p)
{
	struct json_value *root = json_value_read(p->status, NULL);
	const struct json_value *list = json_value_get(root, "links");
	bool changed = false;

	for (size_t i = 0; i < json_value_count(list); i++)
		changed |= far_link(s, p->node, json_value_item(list, i));
	json_value_free(&root);
	return changed;
}

static bool
far_is_alive(const struct link *l, const struct store_members *m)
{
	for (unsigned i = 0; i < m->peer_count; i++)
		if (is_of(l, m->peers[i].node))
			return m->peers[i].alive;
	return false;
}

static struct links_heard *
heard_of(struct links *s, const struct store_peer *p)
{
	struct links_heard *h;

	for (h = s->heard; h != NULL && h->node != p->node; h = h->next)
		;
	if (h == NULL && (h = calloc(1, sizeof *h)) != NULL) {
		h->node = p->node;
		h->next = s->heard;
		s->heard = h;
	}
	return h;
}

/* The same text again says nothing new. */
static bool
heard_before(struct links *s, const struct store_peer *p)
{
	struct links_heard *h = heard_of(s, p);

	if (h == NULL || p->status.len > STATUS_MOST)
		return h != NULL;
	if (h->status != NULL && text_is(p->status, h->status))
		return true;
	free(h->status);
	h->status = text_dup(p->status);
	return false;
}

static void
heard_forget(struct links *s, const struct store_members *m)
{
	for (struct links_heard **at = &s->heard, *h; (h = *at) != NULL;) {
		bool there = false;

		for (unsigned i = 0; i < m->peer_count; i++)
			there |= m->peers[i].node == h->node && m->peers[i].alive;
		if (there) {
			at = &h->next;
			continue;
		}
		*at = h->next;
		free(h->status);
		free(h);
	}
}

bool
far_members(struct links *s, uint16_t self, const struct store_members *m)
{
	bool changed = false;

	for (unsigned i = 0; i < m->peer_count; i++) {
		const struct store_peer *p = &m->peers[i];

		if (p->node == self || !p->alive || heard_before(s, p))
			continue;
		for (size_t n = 0; n < s->count; n++)
			if (is_of(s->list[n], p->node))
				s->list[n]->inner->seen = s->list[n]->inner->said_up = false;
		changed |= far_peer(s, p);
	}
	heard_forget(s, m);
	for (size_t n = 0; n < s->count; n++) {
		struct link *l = s->list[n];

		if (!l->far || l->retired)
			continue;
		if (!far_is_alive(l, m) || (!l->inner->seen && l->unsettled == 0)) {
			link_retire(l);
			changed = true;
		} else {
			link_up(l, l->inner->said_up);
		}
	}
	if (changed)
		links_changed(s);
	return changed;
}

void
far_rests(struct link *l)
{
	if (l->far && !l->retired)
		link_up(l, false);
}
