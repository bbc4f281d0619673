/*
 * intake.c - the one road for every door
 *
 * Knows:     the stations of a document (parse, lint, encode, sign, wrap) and of a text
 *            (charset, segments), and what each failure means for the sender.
 * Does not:  know HTTP, links or the store; ticket.c brings what the road makes into the queue.
 * Owns:      what it parsed from its configuration. Bodies are made in buffers of their own and
 *            copied into messages.
 * Threads:   the loop.
 */
#include "intake/intake.h"

#include <stdlib.h>

#include "base/buf.h"
#include "document/document.h"
#include "document/lint.h"
#include "document/media.h"
#include "encode/wbxml.h"
#include "intake/inner.h"
#include "push/msisdn.h"
#include "push/segment.h"
#include "push/udh.h"
#include "push/wsp.h"

enum { TEXT_MOST = 1 << 20, PUSH_HEAD = 512, UDH_PORTS = 16 };

#define AT(field)	offsetof(struct intake_conf, field)

const struct conf_key intake_core_keys[] = {
	{ .name = "unified-prefix", .type = CONF_TEXT, .at = AT(unified_prefix),
	  .text = "Receivers are rewritten by this: +358,00358,0;+,00" },
	{ .name = "sms-outgoing-queue-limit", .type = CONF_NUMBER, .at = AT(queue_limit),
	  .standard = "1000000", .least = -1, .most = 1000000000,
	  .text = "Waiting messages beyond which submissions get 503; -1: none." },
	{ .name = "white-list-receiver-regex", .type = CONF_REGEX, .at = AT(core_white_regex),
	  .text = "Receivers of all messages must match this." },
	{ .name = "black-list-receiver-regex", .type = CONF_REGEX, .at = AT(core_black_regex),
	  .text = "Receivers of all messages must not match this." },
	{ .name = NULL }
};

const struct conf_key intake_smsbox_keys[] = {
	{ .name = "sendsms-chars", .type = CONF_TEXT, .at = AT(sendsms_chars),
	  .standard = "0123456789 +-", .text = "Characters that a receiver may have." },
	{ .name = "global-sender", .type = CONF_TEXT, .at = AT(global_sender),
	  .text = "Sender when neither request nor account gives one." },
	{ .name = "white-list-regex", .type = CONF_REGEX, .at = AT(white_list_regex),
	  .text = "Receivers of texts must match this." },
	{ .name = "black-list-regex", .type = CONF_REGEX, .at = AT(black_list_regex),
	  .text = "Receivers of texts must not match this." },
	{ .name = "sms-length", .type = CONF_NUMBER, .at = AT(sms_length), .standard = "140",
	  .least = 20, .most = 140, .text = "Octets of one segment, header included." },
	{ .name = NULL }
};

/* --- texts ------------------------------------------------------------------ */

static int
coding_of(const struct order_text *ot)
{
	if (ot->coding >= 0)
		return ot->coding;
	return ot->udh.len > 0 ? CODING_OCTETS : CODING_GSM7;
}

/* The body in the form that its coding has inside; *room is the caller's to free. */
static int
text_body(const struct order_text *ot, int coding, struct buf *room, struct text *body,
    struct err *err)
{
	static const char *const inner[] = {
		[CODING_GSM7] = "UTF-8", [CODING_OCTETS] = NULL, [CODING_UCS2] = "UTF-16BE"
	};
	const char *to = inner[coding];
	char from[64];

	*body = ot->body;
	if (to == NULL || ot->charset.len == 0 || ot->body.len == 0 ||
	    text_eq_nocase(ot->charset, text_of(to)))
		return 0;
	if (ot->charset.len >= sizeof from || memchr(ot->charset.at, 0, ot->charset.len) != NULL)
		return err_set(err, ERR_SYNTAX, "the charset's name is too long");
	memcpy(from, ot->charset.at, ot->charset.len);
	from[ot->charset.len] = '\0';
	if (text_convert(from, to, ot->body, 0, room, err) == -1)
		return -1;
	if (room->overflow)
		return err_set(err, ERR_LIMIT, "the text is too long");
	*body = (struct text){ room->len > 0 ? (const char *)room->data : "", room->len };
	return 0;
}

static void
text_message(const struct order *o, const struct order_text *ot, int coding, struct message *m)
{
	const struct account *a = o->account;

	m->kind = coding == CODING_OCTETS ? MESSAGE_BINARY : MESSAGE_TEXT;
	m->coding = (int8_t)coding;
	m->mclass = (int8_t)ot->mclass;
	m->mwi = (int8_t)ot->mwi;
	m->alt_dcs = (int8_t)ot->alt_dcs;
	m->compress = (int8_t)ot->compress;
	m->pid = (int16_t)ot->pid;
	m->rpi = (int8_t)ot->rpi;
	m->udh = ot->udh.len > 0 ? ot->udh : (struct text){ 0 };
	m->concatenate = a->concatenation;
	m->segments_most = a->max_messages == 0 ? 1 :
	    a->max_messages > SEGMENTS_MOST ? SEGMENTS_MOST : (uint16_t)a->max_messages;
}

/* Kannel drops what is beyond max-messages; half a text helps nobody. */
static int
count_segments(struct intake_ticket *t, const struct message *m)
{
	unsigned n = message_segments(m, NULL);

	t->result.segments = n;
	if (n > 0 && n <= m->segments_most)
		return 0;
	return err_set(&t->result.err, ERR_LIMIT, n == 0 ? "it takes more than %u messages" :
	    "it takes %u messages, the account allows %u", n == 0 ? SEGMENTS_MOST : n,
	    m->segments_most);
}

struct intake_ticket *
intake_text(struct intake *in, const struct order *o, const struct order_text *ot,
    intake_done_fn *done, void *arg)
{
	struct buf room = buf_heap(TEXT_MOST);
	int coding = coding_of(ot);
	struct intake_ticket *t;
	struct message m;

	if ((t = ticket_new(in, o, false, done, arg)) == NULL)
		return NULL;
	if (t->result.verdict != INTAKE_ACCEPTED)
		return t;
	order_message(in, o, &m);
	text_message(o, ot, coding, &m);
	if (text_body(ot, coding, &room, &m.body, &t->result.err) == -1)
		ticket_refuse(t, INTAKE_BAD_TEXT);
	else if (count_segments(t, &m) == -1)
		ticket_refuse(t, INTAKE_TOO_LONG);
	else
		ticket_submit(t, &m);
	buf_free(&room);
	return t;
}

/* --- documents ---------------------------------------------------------------- */

static enum intake_verdict
bad_source(const struct err *err)
{
	return err->code == ERR_SYSTEM ? INTAKE_BUSY : INTAKE_BAD_SOURCE;
}

/* A method that was named counts; else a PIN means USERPIN, as in Kannel, and an IMSI alone
 * NETWPIN. Nothing at all is refused: there are no default PINs. */
static int
choose_method(const struct order *o, const struct order_document *od, size_t receivers,
    enum sign_method *method, struct findings *findings, struct err *err)
{
	const struct sign_secrets *s = &od->secrets;

	*method = od->sec_given ? od->method : s->pin.hidden != NULL ? SIGN_USERPIN : SIGN_NETWPIN;
	if (!od->sec_given && s->pin.hidden == NULL && !secret_given(&s->imsi))
		return err_set(err, ERR_SYNTAX, "it would not be signed: give sec and pin or imsi "
		    "(sec=netwpin with imsi, sec=userpin with pin)");
	if (!od->sec_given && s->pin.hidden != NULL && s->imsi.hidden != NULL)
		finding_add(findings, SEVERITY_WARNING, NULL, NULL, 0, 0, "imsi is not used: pin "
		    "without sec means USERPIN; sec=usernetwpin takes both");
	if (*method == SIGN_NONE && !o->account->allow_unsigned)
		return err_set(err, ERR_AUTH, "the account may not send documents unsigned: "
		    "allow-unsigned is off");
	if ((*method == SIGN_NETWPIN || *method == SIGN_USERNETWPIN) && receivers > 1)
		return err_set(err, ERR_SYNTAX, "%s takes one receiver: the key belongs to one SIM "
		    "card", sign_method_name(*method));
	return 0;
}

static int
sign(struct intake_ticket *t, const struct order *o, const struct order_document *od,
    const struct media *media, struct text body, struct signature *s)
{
	enum sign_method method = SIGN_NONE;

	if (media->must_sign && choose_method(o, od, t->count, &method, &t->findings,
	    &t->result.err) == -1)
		return -1;
	if (sign_body(method, &od->secrets, body, s, &t->result.err) == -1)
		return -1;
	t->note = media->must_sign ? sign_method_name(method) : NULL;
	if (s->odd_pin)
		finding_add(&t->findings, SEVERITY_WARNING, NULL, NULL, 0, 0, "the PIN has other "
		    "than digits: handsets have no way to type it");
	if (s->odd_imsi)
		finding_add(&t->findings, SEVERITY_WARNING, NULL, NULL, 0, 0, "the IMSI has not 15 "
		    "digits: some handsets compute another key");
	if (s->odd_country)
		finding_add(&t->findings, SEVERITY_WARNING, NULL, NULL, 0, 0, "the IMSI begins with no "
		    "mobile country code (001, 2xx to 7xx, 999)");
	if (method == SIGN_USERPINMAC) {
		memcpy(t->user_code, s->user_code, sizeof t->user_code);
		t->result.user_code = t->user_code;
	}
	return 0;
}

static void
wrap(const struct media *media, const struct signature *s, struct text body, struct buf *push)
{
	struct wsp_push p = {
		.tid = media->tid, .media = media->wire_code, .charset_utf8 = media->charset_parameter,
		.sec = s->method == SIGN_NONE ? WSP_NO_SEC : (uint8_t)s->method, .body = body,
	};

	if (media->wire_code == 0)
		p.media_name = text_of(media->wire_type);
	if (s->mac[0] != '\0')
		p.mac = text_of(s->mac);
	wsp_push_write(&p, push);
}

static void
document_message(const struct account *a, struct message *m)
{
	m->kind = MESSAGE_PUSH;
	m->coding = CODING_OCTETS;
	m->concatenate = true;
	m->segments_most = a->max_messages == 0 || a->max_messages > SEGMENTS_MOST ?
	    SEGMENTS_MOST : (uint16_t)a->max_messages;
}

static void
judge(const struct document *doc, size_t octets, struct findings *findings)
{
	struct lint_options options = {
		.target = LINT_OTA, .octets = (unsigned)octets, .sha1 = sign_sha1,
	};

	lint_document(doc, &options, findings);
}

/* The road, station by station. */
static enum intake_verdict
document_road(struct intake_ticket *t, const struct order *o, const struct order_document *od,
    struct buf *wbxml, struct buf *push, const struct media **media)
{
	static const struct wbxml_style style = { WBXML_STAY };
	struct err *err = &t->result.err;
	struct signature signature = { 0 };
	enum intake_verdict verdict = INTAKE_ACCEPTED;
	struct document *doc;
	struct text body;

	doc = document_parse(od->media, od->xml, od->charset, &t->findings, err);
	if (doc == NULL)
		return bad_source(err);
	*media = document_media(doc);
	if (wbxml_encode(doc, &style, wbxml, err) == -1) {
		verdict = bad_source(err);
	} else {
		judge(doc, wbxml->len, &t->findings);
		body = (struct text){ (const char *)wbxml->data, wbxml->len };
		if (sign(t, o, od, *media, body, &signature) == -1)
			verdict = INTAKE_BAD_SECURITY;
		else
			wrap(*media, &signature, body, push);
	}
	document_free(&doc);
	explicit_bzero(&signature, sizeof signature);
	if (verdict == INTAKE_ACCEPTED && push->overflow) {
		err_set(err, ERR_LIMIT, "the document is too long");
		verdict = INTAKE_TOO_LONG;
	}
	return verdict;
}

struct intake_ticket *
intake_document(struct intake *in, const struct order *o, const struct order_document *od,
    intake_done_fn *done, void *arg)
{
	struct buf wbxml = buf_heap(WBXML_OCTETS), push = buf_heap(WBXML_OCTETS + PUSH_HEAD);
	uint8_t ports[UDH_PORTS];
	struct buf udh = buf_on(ports, sizeof ports);
	const struct media *media = NULL;
	enum intake_verdict verdict;
	struct intake_ticket *t;
	struct message m;

	if ((t = ticket_new(in, o, true, done, arg)) == NULL)
		return NULL;
	if (t->result.verdict != INTAKE_ACCEPTED)
		return t;
	verdict = document_road(t, o, od, &wbxml, &push, &media);
	if (verdict == INTAKE_ACCEPTED) {
		order_message(in, o, &m);
		document_message(o->account, &m);
		udh_put_ports(&udh, media->port_to, media->port_from);
		m.udh = (struct text){ (const char *)ports, udh.len };
		m.body = (struct text){ (const char *)push.data, push.len };
		m.note = text_of(t->note);
		if (count_segments(t, &m) == -1)
			verdict = INTAKE_TOO_LONG;
	}
	if (verdict == INTAKE_ACCEPTED)
		ticket_submit(t, &m);
	else
		ticket_refuse(t, verdict);
	buf_free(&wbxml);
	buf_free(&push);
	return t;
}

/* --- opening and closing ------------------------------------------------------ */

struct rules {			/* what is parsed from a configuration */
	struct prefixes	*prefixes;
	struct lists	 lists, core_lists;
};

static int
rules_parse(struct rules *r, const struct intake_conf *c, struct err *err)
{
	struct err why = { 0 };

	*r = (struct rules){ .prefixes = prefixes_parse(text_of(c->unified_prefix), &why) };
	if (why.code == ERR_NONE)
		lists_parse(&r->lists, c->white_list_regex, c->black_list_regex, &why);
	if (why.code == ERR_NONE)
		lists_parse(&r->core_lists, c->core_white_regex, c->core_black_regex, &why);
	if (why.code == ERR_NONE)
		return 0;
	prefixes_free(&r->prefixes);
	lists_free(&r->lists);
	if (err != NULL)
		*err = why;
	return -1;
}

int
intake_configure(struct intake *in, const struct intake_conf *c, struct err *err)
{
	struct rules r;

	if (rules_parse(&r, c, err) == -1)
		return -1;
	prefixes_free(&in->prefixes);
	lists_free(&in->lists);
	lists_free(&in->core_lists);
	in->conf = *c;
	in->prefixes = r.prefixes;
	in->lists = r.lists;
	in->core_lists = r.core_lists;
	return 0;
}

struct intake *
intake_new(struct loop *loop, struct queue *queue, const struct intake_links *links,
    const struct intake_conf *c, struct err *err)
{
	struct intake *in = calloc(1, sizeof *in);

	if (in == NULL) {
		err_set(err, ERR_SYSTEM, "no memory for the intake");
		return NULL;
	}
	in->loop = loop;
	in->queue = queue;
	in->links = *links;
	in->soon = (struct soon){ .run = ticket_tell_refused, .arg = in };
	if (intake_configure(in, c, err) == -1)
		intake_free(&in);
	return in;
}

void
intake_free(struct intake **ip)
{
	struct intake *in = *ip;

	if (in == NULL)
		return;
	loop_not_soon(in->loop, &in->soon);
	while (in->refused != NULL)
		intake_withdraw(in, in->refused);
	prefixes_free(&in->prefixes);
	lists_free(&in->lists);
	lists_free(&in->core_lists);
	free(in);
	*ip = NULL;
}

void
intake_receiver(const struct intake *in, struct text given, struct buf *out)
{
	prefixes_apply(in->prefixes, given, out);
}

void
intake_close_door(struct intake *in)
{
	in->closed = true;
}
