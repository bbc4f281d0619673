/*
 * status_nodes.c - all nodes: who they are, what they own, their links, how far they are
 *
 * What a node says of itself is the JSON that dispatch.c publishes with its lease; what is missing in it (an
 * older program) is shown as "-".
 *
 * Knows:     the picture of queue.h, the words of a node's status.
 * Does not:  ask any other node: the store brings it all.
 * Owns:      nothing. Threads: the loop.
 */
#include "http/status_nodes.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/json_value.h"
#include "queue/queue.h"

struct page {
	struct buf	*out;
	enum form	 form;
	wall_t		 now;
};

static void
put(struct page *p, struct text value)
{
	if (value.at == NULL)
		value = TEXT("-");
	if (p->form == FORM_TEXT)
		buf_bytes(p->out, value.at, value.len);
	else
		text_xml_quote(value, p->out);
}

static unsigned
owned(const struct store_members *m, uint16_t node)
{
	unsigned n = 0;

	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		n += m->owner[i] == node;
	return n;
}

static const char *
life(const struct store_peer *p)
{
	return !p->alive ? "dead" : p->leaving ? "leaving" : "alive";
}

/* Seconds; -1: nothing waits. */
static int64_t
oldest(const struct page *p, const struct json_value *says)
{
	int64_t since = json_value_number(json_value_get(says, "oldest"), 0);

	return since > 0 ? (p->now - since) / 1000 : -1;
}

static int64_t
number(const struct json_value *says, const char *name)
{
	return json_value_number(json_value_get(says, name), 0);
}

/* --- lines ---------------------------------------------------------------------------- */

static const struct {
	const char	*line, *open, *close, *indent;
} marks[] = {
	[FORM_TEXT] = { "\n", "", "\n", "    " },
	[FORM_HTML] = { "<br>\n", "<p>", "</p>\n", "&nbsp;&nbsp;&nbsp;&nbsp;" },
	[FORM_WML] = { "<br/>\n", "   <p>", "</p>\n", "&#160;&#160;&#160;&#160;" },
};

static void
line_links(struct page *p, const struct json_value *says)
{
	const struct json_value *links = json_value_get(says, "links");

	for (size_t i = 0; i < json_value_count(links); i++) {
		const struct json_value *l = json_value_item(links, i);

		buf_str(p->out, i > 0 ? ", " : ", links: ");
		put(p, json_value_text(json_value_get(l, "name")));
		buf_u8(p->out, ' ');
		put(p, json_value_text(json_value_get(l, "state")));
	}
}

static void
line_node(struct page *p, const struct store_members *m, const struct store_peer *n)
{
	struct json_value *says = json_value_read(n->status, NULL);
	int64_t old = oldest(p, says);

	buf_printf(p->out, "%snode %u [", marks[p->form].indent, n->node);
	put(p, n->name);
	buf_printf(p->out, "] (%s", life(n));
	if (n->alive) {
		buf_str(p->out, ", ");
		put(p, json_value_text(json_value_get(says, "mode")));
	}
	buf_printf(p->out, ", seen %" PRId64 ".%" PRId64 "s ago), %u partitions, %" PRId64 " waiting, %"
	    PRId64 " in flight, oldest ", n->seen_ms / 1000, n->seen_ms / 100 % 10, owned(m, n->node),
	    number(says, "waiting"), number(says, "in-flight"));
	if (old >= 0)
		buf_printf(p->out, "%" PRId64 "s", old);
	else
		buf_u8(p->out, '-');
	if (number(says, "maybe-twice") > 0)
		buf_printf(p->out, ", %" PRId64 " may have gone out twice", number(says, "maybe-twice"));
	if (n->alive)
		line_links(p, says);
	buf_str(p->out, marks[p->form].line);
	json_value_free(&says);
}

static void
nodes_lines(struct page *p, const struct store_members *m)
{
	unsigned free_ones = owned(m, STORE_NOBODY);

	buf_printf(p->out, "%sNodes:%s", marks[p->form].open, marks[p->form].line);
	for (unsigned i = 0; i < m->peer_count; i++)
		line_node(p, m, &m->peers[i]);
	if (free_ones > 0)
		buf_printf(p->out, "%s%u partitions are nobody's now%s", marks[p->form].indent, free_ones,
		    marks[p->form].line);
	buf_str(p->out, marks[p->form].close);
}

/* --- XML ------------------------------------------------------------------------------ */

static void
xml_link(struct page *p, const struct json_value *l)
{
	buf_str(p->out, "\t\t<smsc><name>");
	put(p, json_value_text(json_value_get(l, "name")));
	buf_str(p->out, "</name><status>");
	put(p, json_value_text(json_value_get(l, "state")));
	buf_printf(p->out, "</status><failed>%" PRId64 "</failed></smsc>\n", number(l, "failed"));
}

static void
xml_node(struct page *p, const struct store_members *m, const struct store_peer *n)
{
	struct json_value *says = json_value_read(n->status, NULL);
	const struct json_value *links = json_value_get(says, "links");

	buf_printf(p->out, "\t<node>\n\t\t<number>%u</number>\n\t\t<name>", n->node);
	put(p, n->name);
	buf_printf(p->out, "</name>\n\t\t<state>%s</state>\n\t\t<mode>", life(n));
	put(p, json_value_text(json_value_get(says, "mode")));
	buf_printf(p->out, "</mode>\n\t\t<seen-ms>%" PRId64 "</seen-ms>\n\t\t<partitions>%u</partitions>\n"
	    "\t\t<waiting>%" PRId64 "</waiting>\n\t\t<in-flight>%" PRId64 "</in-flight>\n"
	    "\t\t<sent>%" PRId64 "</sent>\n\t\t<maybe-twice>%" PRId64 "</maybe-twice>\n"
	    "\t\t<oldest-s>%" PRId64 "</oldest-s>\n", n->seen_ms,
	    owned(m, n->node), number(says, "waiting"), number(says, "in-flight"), number(says, "sent"),
	    number(says, "maybe-twice"), oldest(p, says));
	for (size_t i = 0; i < json_value_count(links); i++)
		xml_link(p, json_value_item(links, i));
	buf_str(p->out, "\t</node>\n");
	json_value_free(&says);
}

static void
nodes_xml(struct page *p, const struct store_members *m)
{
	buf_printf(p->out, "<nodes><count>%u</count><unowned>%u</unowned>\n", m->peer_count,
	    owned(m, STORE_NOBODY));
	for (unsigned i = 0; i < m->peer_count; i++)
		xml_node(p, m, &m->peers[i]);
	buf_str(p->out, "</nodes>\n");
}

void
status_nodes_write(const struct queue *q, enum form form, struct buf *out)
{
	struct page p = { .out = out, .form = form, .now = clock_wall() };
	const struct store_members *m = queue_members(q);

	if (m == NULL)
		return;
	if (form == FORM_XML)
		nodes_xml(&p, m);
	else
		nodes_lines(&p, m);
}
