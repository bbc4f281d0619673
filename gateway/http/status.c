/*
 * status.c - Kannel's status page, in its four forms
 *
 * Monitoring reads these pages by position and by words, so layout and words are Kannel's. Its
 * boxes are parts of this process here; they are listed when their groups are configured.
 * Values are escaped, which Kannel does not do.
 *
 * Knows:     the layout.
 * Does not:  count anything itself.
 * Owns:      nothing. Threads: the loop.
 */
#include "http/status.h"

#include "base/buf.h"
#include "http/door_admin.h"
#include "http/status_nodes.h"
#include "queue/queue.h"

struct page {
	struct buf	*out;
	enum form	 form;
	mono_t		 now;
};

static void
put(struct page *p, const char *value)
{
	if (p->form == FORM_TEXT)
		buf_str(p->out, value);
	else
		text_xml_quote(text_of(value), p->out);
}

/* "0.00,0.00,0.00" */
static void
put_loads(struct page *p, const struct rate *rate)
{
	double load[3] = { 0 };

	if (rate != NULL)
		rate_read((struct rate *)(uintptr_t)rate, p->now, load);
	buf_printf(p->out, "%.2f,%.2f,%.2f", load[0], load[1], load[2]);
}

static void
put_uptime(struct page *p, mono_t since)
{
	long s = (long)((p->now - since) / 1000);

	buf_printf(p->out, "%ldd %ldh %ldm %lds", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
}

static unsigned long long
total(const struct rate *rate)
{
	return rate != NULL ? rate->total : 0;
}

/* --- text, HTML and WML: the same lines with other ends ------------------------ */

struct marks {			/* line break, paragraph begin and end, indent, bold */
	const char	*line, *open, *close, *indent, *bold, *unbold;
};

static const struct marks marks[] = {
	[FORM_TEXT] = { "\n", "", "\n", "    ", "", "" },
	[FORM_HTML] = { "<br>\n", " <p>", "</p>\n", "&nbsp;&nbsp;&nbsp;&nbsp;", "<b>", "</b>" },
	[FORM_WML] = { "<br/>\n", "   <p>", "</p>\n", "&#160;&#160;&#160;&#160;", "<b>", "</b>" },
};

static void
lines_traffic(struct page *p, const char *mode, const struct admin_setup *a,
    const struct dispatch_status *s)
{
	const struct marks *m = &marks[p->form];
	const char *blank = p->form == FORM_TEXT ? "" : " ";

	buf_printf(p->out, "%sStatus: %s, uptime ", m->open, mode);
	put_uptime(p, a->started);
	buf_printf(p->out, "%s\n%sWDP: received 0 (0 queued), sent 0 (0 queued)%s\n", m->close,
	    m->open, m->close);
	buf_printf(p->out, "%sSMS: received %llu (0 queued), sent %llu (%llu queued), store size "
	    "%llu%s%sSMS: inbound (", m->open, total(&s->sms_received), total(&s->sms_sent),
	    (unsigned long long)s->waiting, (unsigned long long)(s->waiting + s->in_flight), m->line,
	    blank);
	put_loads(p, &s->sms_received);
	buf_str(p->out, ") msg/sec, outbound (");
	put_loads(p, &s->sms_sent);
	buf_printf(p->out, ") msg/sec%s\n%sDLR: received %llu, sent %llu%s%sDLR: inbound (",
	    m->close, m->open, total(&s->dlr_received), total(&s->callbacks), m->line, blank);
	put_loads(p, &s->dlr_received);
	buf_str(p->out, ") msg/sec, outbound (");
	put_loads(p, &s->callbacks);
	buf_printf(p->out, ") msg/sec%s%sDLR: %llu queued, using internal storage%s\n", m->line,
	    blank, (unsigned long long)s->awaiting, m->close);
}

static void
lines_boxes(struct page *p, const struct admin_setup *a)
{
	const struct marks *m = &marks[p->form];

	buf_printf(p->out, "%sBox connections:%s", p->form == FORM_HTML ? "<p>" : m->open, m->line);
	if (a->wapbox) {
		buf_printf(p->out, "%swapbox, IP 127.0.0.1 (on-line ", m->indent);
		put_uptime(p, a->started);
		buf_printf(p->out, ")  %s", m->line);
	}
	if (a->smsbox) {
		buf_printf(p->out, "%ssmsbox%s", m->indent, a->smsbox_id != NULL ? ":" : "");
		put(p, a->smsbox_id != NULL ? a->smsbox_id : "");
		buf_str(p->out, ", IP 127.0.0.1 (0 queued), (on-line ");
		put_uptime(p, a->started);
		buf_printf(p->out, ")  %s", m->line);
	}
	if (!a->wapbox && !a->smsbox)
		buf_printf(p->out, "%s(none)%s", m->indent, m->line);
	buf_printf(p->out, "%s\n", m->close);
}

static bool
online(const struct link_status *l)
{
	return strcmp(l->state, "online") == 0;
}

static void
lines_link(struct page *p, const struct link_status *l)
{
	const struct marks *m = &marks[p->form];

	buf_printf(p->out, "%s%s", m->indent, m->bold);
	put(p, l->smsc_id != NULL ? l->smsc_id : "(none)");
	buf_printf(p->out, "%s[", m->unbold);
	put(p, l->admin_id != NULL ? l->admin_id : l->name);
	buf_printf(p->out, "]%s", m->indent);
	put(p, l->description);
	buf_printf(p->out, " (%s", l->state);
	if (online(l))
		buf_printf(p->out, " %llds", (long long)l->online_s);
	buf_printf(p->out, ", rcvd: sms %llu (", total(l->sms_received));
	put_loads(p, l->sms_received);
	buf_printf(p->out, ") / dlr %llu (", total(l->dlr_received));
	put_loads(p, l->dlr_received);
	buf_printf(p->out, "), sent: sms %llu (", total(l->sms_sent));
	put_loads(p, l->sms_sent);
	buf_printf(p->out, ") / dlr 0 (0.00,0.00,0.00), failed %llu, queued %llu msgs)%s",
	    (unsigned long long)l->failed, (unsigned long long)l->queued, m->line);
}

static void
lines_links(struct page *p, const struct dispatch *d)
{
	const struct marks *m = &marks[p->form];
	size_t n = dispatch_link_count(d);

	buf_printf(p->out, "%sSMSC connections:%s", p->form == FORM_HTML ? "<p>" : m->open, m->line);
	for (size_t i = 0; i < n; i++) {
		struct link_status l;

		dispatch_link_status(d, i, &l);
		lines_link(p, &l);
	}
	buf_printf(p->out, "%s\n", m->close);
}

static void
status_lines(struct page *p, const struct admin_setup *a, const char *mode)
{
	const struct marks *m = &marks[p->form];
	struct dispatch_status s;

	dispatch_status(a->dispatch, &s);
	put(p, a->version);
	buf_printf(p->out, ".\n%s\n", p->form == FORM_TEXT ? "\n" : m->close);
	lines_traffic(p, mode, a, &s);
	lines_boxes(p, a);
	lines_links(p, a->dispatch);
	status_nodes_write(a->queue, p->form, p->out);
	if (p->form == FORM_TEXT)
		buf_u8(p->out, '\n');
	else
		buf_str(p->out, "<p>");		/* the frame closes it */
}

/* --- XML ------------------------------------------------------------------------- */

static void
xml_loads(struct page *p, const char *indent, const struct rate *in, const struct rate *out)
{
	buf_printf(p->out, "%s<inbound>", indent);
	put_loads(p, in);
	buf_printf(p->out, "</inbound>\n%s<outbound>", indent);
	put_loads(p, out);
	buf_str(p->out, "</outbound>\n");
}

static void
xml_traffic(struct page *p, const struct dispatch_status *s)
{
	buf_str(p->out, "\t<wdp>\n"
	    "\t\t<received><total>0</total><queued>0</queued></received>\n"
	    "\t\t<sent><total>0</total><queued>0</queued></sent>\n\t</wdp>\n\t<sms>\n");
	buf_printf(p->out, "\t\t<received><total>%llu</total><queued>0</queued></received>\n"
	    "\t\t<sent><total>%llu</total><queued>%llu</queued></sent>\n"
	    "\t\t<storesize>%llu</storesize>\n", total(&s->sms_received), total(&s->sms_sent),
	    (unsigned long long)s->waiting, (unsigned long long)(s->waiting + s->in_flight));
	xml_loads(p, "\t\t", &s->sms_received, &s->sms_sent);
	buf_printf(p->out, "\t\t</sms>\n\t<dlr>\n"
	    "\t\t<received><total>%llu</total></received>\n"
	    "\t\t<sent><total>%llu</total></sent>\n", total(&s->dlr_received), total(&s->callbacks));
	xml_loads(p, "\t\t", &s->dlr_received, &s->callbacks);
	buf_printf(p->out, "\t\t<queued>%llu</queued>\n\t\t<storage>internal</storage>\n\t</dlr>\n",
	    (unsigned long long)s->awaiting);
}

static void
xml_box(struct page *p, const struct admin_setup *a, const char *type, const char *id, bool queue)
{
	buf_printf(p->out, "<box>\n\t\t<type>%s</type>\n", type);
	if (id != NULL) {
		buf_str(p->out, "\t\t<id>");
		put(p, id);
		buf_str(p->out, "</id>\n");
	}
	buf_printf(p->out, "\t\t<IP>127.0.0.1</IP>\n%s\t\t<status>on-line ",
	    queue ? "\t\t<queue>0</queue>\n" : "");
	put_uptime(p, a->started);
	buf_str(p->out, "</status>\n\t\t<ssl>no</ssl>\n\t</box>");
}

static void
xml_boxes(struct page *p, const struct admin_setup *a)
{
	buf_str(p->out, "<boxes>\n\t");
	if (a->wapbox)
		xml_box(p, a, "wapbox", NULL, false);
	if (a->wapbox && a->smsbox)
		buf_u8(p->out, '\n');
	if (a->smsbox)
		xml_box(p, a, "smsbox", a->smsbox_id, true);
	buf_str(p->out, "</boxes>\n");
}

static void
xml_counts(struct page *p, const char *what, const struct rate *in, const struct rate *out)
{
	buf_printf(p->out, "\t\t<%s>\n\t\t\t<received>%llu</received>\n\t\t\t<sent>%llu</sent>\n",
	    what, total(in), total(out));
	xml_loads(p, "\t\t\t", in, out);
	buf_printf(p->out, "\t\t</%s>\n", what);
}

static void
xml_value(struct page *p, const char *name, const char *value)
{
	buf_printf(p->out, "\t\t<%s>", name);
	put(p, value);
	buf_printf(p->out, "</%s>\n", name);
}

static void
xml_link(struct page *p, const struct link_status *l)
{
	buf_str(p->out, "\t<smsc>\n");
	xml_value(p, "name", l->description);
	xml_value(p, "admin-id", l->admin_id != NULL ? l->admin_id : l->name);
	xml_value(p, "id", l->smsc_id != NULL ? l->smsc_id : "(none)");
	buf_printf(p->out, "\t\t<status>%s", l->state);
	if (online(l))
		buf_printf(p->out, " %llds", (long long)l->online_s);
	buf_printf(p->out, "</status>\n\t\t<failed>%llu</failed>\n\t\t<queued>%llu</queued>\n",
	    (unsigned long long)l->failed, (unsigned long long)l->queued);
	xml_counts(p, "sms", l->sms_received, l->sms_sent);
	xml_counts(p, "dlr", l->dlr_received, NULL);
	buf_str(p->out, "\t</smsc>\n");
}

static void
status_xml(struct page *p, const struct admin_setup *a, const char *mode)
{
	size_t n = dispatch_link_count(a->dispatch);
	struct dispatch_status s;

	dispatch_status(a->dispatch, &s);
	buf_str(p->out, "<version>");
	put(p, a->version);
	buf_printf(p->out, ".\n</version>\n<status>%s, uptime ", mode);
	put_uptime(p, a->started);
	buf_str(p->out, "</status>\n");
	xml_traffic(p, &s);
	xml_boxes(p, a);
	buf_printf(p->out, "<smscs><count>%zu</count>\n", n);
	for (size_t i = 0; i < n; i++) {
		struct link_status l;

		dispatch_link_status(a->dispatch, i, &l);
		xml_link(p, &l);
	}
	buf_str(p->out, "</smscs>\n");
	status_nodes_write(a->queue, p->form, p->out);
}

void
status_write(const struct admin_setup *a, const char *mode, mono_t now, enum form form,
    struct buf *out)
{
	struct page p = { .out = out, .form = form, .now = now };

	if (form == FORM_XML)
		status_xml(&p, a, mode);
	else
		status_lines(&p, a, mode);
}
