/*
 * phones.c - from segments to a verdict on the screen
 *
 * In quiet mode without handsets nothing is joined at all: that is the mode of benchmarks.
 *
 * Knows:     how a message and an event are printed.
 * Does not:  know sessions, or what makes a verdict (handset.c).
 * Owns:      see phones.h.
 * Threads:   the loop.
 */
#include "simulate/phones.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "push/reassemble.h"

enum { CONTENT_MOST = 256 * 1024, LINE_MOST = 2 * 1024 * 1024 };

struct phones {
	struct phones_conf conf;
	struct reassembly *joining;
	struct buf	 line, content;		/* kept for the next one */
};

struct phones *
phones_new(const struct phones_conf *conf, struct err *err)
{
	static const struct reassembly_limits limits = { .sets = 20000, .octets = 32 * 1024 * 1024,
	    .age_ms = 10 * 60 * 1000 };
	struct phones *p = calloc(1, sizeof *p);

	if (p == NULL || (p->joining = reassembly_new(&limits)) == NULL) {
		err_set(err, ERR_SYSTEM, "no memory for the handsets");
		free(p);
		return NULL;
	}
	p->conf = *conf;
	p->line = buf_heap(LINE_MOST);
	p->content = buf_heap(CONTENT_MOST);
	return p;
}

void
phones_free(struct phones **pp)
{
	struct phones *p = *pp;

	if (p == NULL)
		return;
	reassembly_free(&p->joining);
	buf_free(&p->line);
	buf_free(&p->content);
	free(p);
	*pp = NULL;
}

static void
line_out(struct phones *p)
{
	fwrite(p->line.data, 1, p->line.len, p->conf.out);
	p->line.len = 0;
	p->line.overflow = false;
}

static struct text
view(const struct buf *b)
{
	return (struct text){ (const char *)b->data, b->len };
}

static void
json_hex(struct json *j, const char *name, struct text octets)
{
	struct buf hex = buf_heap(2 * octets.len + 1);

	buf_hex(&hex, octets.at, octets.len, false);
	json_text(j, name, view(&hex));
	buf_free(&hex);
}

static void
json_head(struct json *j, const char *event, const struct phones_segment *s)
{
	json_open(j, NULL, '{');
	json_text(j, "event", text_of(event));
	json_text(j, "from", s->from);
	json_text(j, "to", s->to);
	json_text(j, "bind", s->system_id);
}

static void
json_message(struct phones *p, const struct phones_segment *s, unsigned segments,
    const struct judgement *v)
{
	struct json j = { .out = &p->line };
	struct text content = view(&v->content);
	const char *name = strcmp(v->kind, "provisioning") == 0 ? "document" :
	    strcmp(v->kind, "text") == 0 ? "text" : "octets";

	json_head(&j, "message", s);
	json_number(&j, "segments", segments);
	json_text(&j, "kind", text_of(v->kind));
	if (v->media[0] != '\0')
		json_text(&j, "media", text_of(v->media));
	json_text(&j, "verdict", text_of(verdict_names[v->verdict]));
	json_text(&j, "reason", text_of(v->reason));
	if (v->sec_given)
		json_text(&j, "sec", text_of(v->sec <= SIGN_USERPINMAC ? sign_method_name(v->sec) :
		    "unknown"));
	if (v->mac_known)
		json_flag(&j, "mac_ok", v->mac_ok);
	json_text(&j, name, content.at != NULL ? content : TEXT(""));
	if (p->conf.hex)
		json_hex(&j, "pdu", s->pdu);
	json_close(&j, '}');
	buf_u8(&p->line, '\n');
	line_out(p);
}

/* C0 and C1; a C1 has two octets in UTF-8. */
static bool
is_control(struct text line, size_t i)
{
	unsigned char c = (unsigned char)line.at[i];

	return (c < 0x20 && c != '\t') || c == 0x7f ||
	    (c == 0xc2 && i + 1 < line.len && (unsigned char)line.at[i + 1] < 0xa0);
}

/* Content with four blanks before each of its lines; control characters stay visible. */
static void
print_content(struct text content, struct buf *out)
{
	struct text rest = content, line;

	while (text_cut(&rest, '\n', &line)) {
		if (line.len == 0 && rest.at == NULL)
			break;
		buf_str(out, "    ");
		for (size_t i = 0; i < line.len; i++) {
			unsigned char c = (unsigned char)line.at[i];

			if (is_control(line, i))
				buf_printf(out, "\\x%02x", c);
			else
				buf_u8(out, c);
		}
		buf_u8(out, '\n');
	}
}

static void
print_addresses(const struct phones_segment *s, struct buf *out)
{
	text_show(s->to, out);
	buf_str(out, " from ");
	text_show(s->from, out);
}

static void
print_message(struct phones *p, const struct phones_segment *s, unsigned segments,
    const struct judgement *v)
{
	struct buf *out = &p->line;

	print_addresses(s, out);
	buf_printf(out, ": %s", v->kind);
	if (v->media[0] != '\0') {
		buf_str(out, " (");
		text_show(text_of(v->media), out);
		buf_u8(out, ')');
	}
	if (segments > 1)
		buf_printf(out, ", %u segments", segments);
	if (v->sec_given)
		buf_printf(out, ", %s", v->sec <= SIGN_USERPINMAC ? sign_method_name(v->sec) :
		    "unknown SEC");
	if (v->mac_known && v->sec != SIGN_USERPINMAC)
		buf_str(out, v->mac_ok ? ", MAC good" : ", MAC bad");
	buf_printf(out, ": %s%s", verdict_texts[v->verdict], v->reason[0] != '\0' ? ": " : "");
	text_show(text_of(v->reason), out);
	buf_u8(out, '\n');
	print_content(view(&v->content), out);
	if (p->conf.hex) {
		buf_str(out, "    pdu ");
		buf_hex(out, s->pdu.at, s->pdu.len, false);
		buf_u8(out, '\n');
	}
	line_out(p);
}

static void
show_message(struct phones *p, const struct phones_segment *s, unsigned segments,
    const struct judgement *v)
{
	if (p->conf.quiet)
		return;
	if (p->conf.json)
		json_message(p, s, segments, v);
	else
		print_message(p, s, segments, v);
}

/* A segment whose message is not whole yet is shown only when somebody wants the octets. */
static void
show_segment(struct phones *p, const struct phones_segment *s)
{
	struct json j = { .out = &p->line };

	if (!p->conf.hex || p->conf.quiet)
		return;
	if (!p->conf.json) {
		print_addresses(s, &p->line);
		buf_str(&p->line, ": a segment\n    pdu ");
		buf_hex(&p->line, s->pdu.at, s->pdu.len, false);
	} else {
		json_head(&j, "segment", s);
		json_hex(&j, "pdu", s->pdu);
		json_close(&j, '}');
	}
	buf_u8(&p->line, '\n');
	line_out(p);
}

static void
judge(struct phones *p, const struct phones_segment *s, const struct handset_message *m,
    struct judgement *v)
{
	static const struct handset unknown = { .profile = &handset_profiles[0] };
	const struct handset *h = p->conf.handset_count == 0 ? &unknown :
	    handset_find(p->conf.handsets, p->conf.handset_count, s->to);

	p->content.len = 0;
	p->content.overflow = false;
	v->content = p->content;
	handset_judge(h, m, v);
	p->content = v->content;		/* it may have grown, and moved */
}

void
phones_take(struct phones *p, const struct phones_segment *s, mono_t now)
{
	char room[64];
	struct buf who = buf_on(room, sizeof room);
	struct judgement v = { 0 };
	struct whole whole;
	struct err err = { 0 };
	int rc;

	if (p->conf.quiet && p->conf.handset_count == 0)
		return;
	buf_printf(&who, "%.*s>%.*s", TEXT_ARGS(s->from), TEXT_ARGS(s->to));
	rc = reassembly_add(p->joining, view(&who), s->user_data, s->header, now, &whole, &err);
	if (rc == REASSEMBLY_WAITS) {
		show_segment(p, s);
		return;
	}
	if (rc == REASSEMBLY_WHOLE) {
		struct handset_message m = { .data = whole.data, .ports = whole.ports,
		    .port_to = whole.port_to, .coding = s->coding, .segments = whole.segments };

		judge(p, s, &m, &v);
	} else {
		v.verdict = VERDICT_UNREADABLE;
		v.kind = "binary";
		snprintf(v.reason, sizeof v.reason, "the header: %.200s", err.text);
		whole.segments = 1;
	}
	p->conf.tally->messages++;
	p->conf.tally->verdicts[v.verdict]++;
	show_message(p, s, whole.segments, &v);
}

void
phones_event(struct phones *p, const char *event, struct text system_id, struct text detail)
{
	struct json j = { .out = &p->line };

	if (p->conf.quiet)
		return;
	if (p->conf.json) {
		json_open(&j, NULL, '{');
		json_text(&j, "event", text_of(event));
		json_text(&j, "bind", system_id.at != NULL ? system_id : TEXT(""));
		if (detail.at != NULL)
			json_text(&j, "detail", detail);
		json_close(&j, '}');
		buf_u8(&p->line, '\n');
	} else {
		buf_printf(&p->line, "-- %s ", event);
		text_show(system_id, &p->line);
		buf_str(&p->line, detail.at != NULL ? ": " : "");
		text_show(detail, &p->line);
		buf_u8(&p->line, '\n');
	}
	line_out(p);
}

void
phones_callback(struct phones *p, struct text method, struct text target)
{
	struct json j = { .out = &p->line };

	p->conf.tally->callbacks++;
	if (p->conf.quiet)
		return;
	if (p->conf.json) {
		json_open(&j, NULL, '{');
		json_text(&j, "event", TEXT("callback"));
		json_text(&j, "method", method);
		json_text(&j, "target", target);
		json_close(&j, '}');
		buf_u8(&p->line, '\n');
	} else {
		buf_str(&p->line, "-- callback ");
		text_show(method, &p->line);
		buf_u8(&p->line, ' ');
		text_show(target, &p->line);
		buf_u8(&p->line, '\n');
	}
	line_out(p);
}

void
phones_close(struct phones *p)
{
	struct reassembly_counts counts;

	reassembly_count(p->joining, &counts);
	p->conf.tally->incomplete = counts.sets + counts.dropped;
}
