/*
 * door_sendota.c - provisioning documents from senders, in Kannel's interface
 *
 * The document is the parameter text, or the body of a POST, whose Content-Type then names the
 * type, or a group of the configuration (otaid). Parameters of a POST are X-Kannel headers, or a
 * form; as in Kannel a document's body is never joined by the query.
 * Beyond Kannel: imsi, key-hex, sec=none, dlr-mask, dlr-url, validity, priority, charset, several
 * receivers. What is wrong with a document is told with place and cure, one finding a line.
 *
 * Knows:     parameters, answers, which content types are documents.
 * Does not:  know documents or signing; hands secrets on as views and keeps none.
 * Owns:      nothing. Threads: the loop.
 */
#include "http/door_sendota.h"

#include "base/buf.h"
#include "base/xml.h"
#include "document/media.h"
#include "http/door.h"
#include "intake/ota_group.h"
#include "io/log.h"

#define NUMBER(p, n, a, low, high, what)						\
	{ .param = p, .name = n, .alias = a, .header = "X-Kannel-" what, .number = true,		\
	  .least = low, .most = high, .misformed = what " field misformed, rejected" }
#define WORD(p, n, a, h)	{ .param = p, .name = n, .alias = a, .header = h }

enum {
	MINUTES_MOST = 10 * 366 * 24 * 60, CHARSET_MOST = 64, KEY_MOST = 128,
	ANSWER_MOST = 64 * 1024, FINDINGS_SHOWN = 200, WARNINGS_SHOWN = 5, WARNING_MOST = 300
};

static const struct param_row rows[] = {
	WORD(PARAM_USERNAME,	"username",	"user",		"X-Kannel-Username"),
	WORD(PARAM_PASSWORD,	"password",	"pass",		"X-Kannel-Password"),
	WORD(PARAM_TO,		"to",		"phonenumber",	"X-Kannel-To"),
	WORD(PARAM_FROM,	"from",		NULL,		"X-Kannel-From"),
	WORD(PARAM_OTA_ID,	"otaid",	NULL,		NULL),
	WORD(PARAM_TEXT,	"text",		NULL,		NULL),
	WORD(PARAM_TYPE,	"type",		NULL,		NULL),
	WORD(PARAM_CHARSET,	"charset",	NULL,		NULL),
	WORD(PARAM_SEC,		"sec",		NULL,		"X-Kannel-SEC"),
	WORD(PARAM_PIN,		"pin",		NULL,		"X-Kannel-PIN"),
	WORD(PARAM_IMSI,	"imsi",		NULL,		"X-Kannel-IMSI"),
	WORD(PARAM_KEY_HEX,	"key-hex",	NULL,		"X-Kannel-Key-Hex"),
	WORD(PARAM_SMSC,	"smsc",		NULL,		"X-Kannel-SMSC"),
	WORD(PARAM_ACCOUNT,	"account",	NULL,		"X-Kannel-Account"),
	WORD(PARAM_DLR_URL,	"dlr-url",	"dlrurl",	"X-Kannel-DLR-URL"),
	NUMBER(PARAM_DLR_MASK,	"dlr-mask",	"dlrmask",	0, 66, "DLR-Mask"),
	NUMBER(PARAM_VALIDITY,	"validity",	NULL,		0, MINUTES_MOST, "Validity"),
	NUMBER(PARAM_PRIORITY,	"priority",	NULL,		0, 3, "Priority"),
	WORD(PARAM_REPLACES,	"replaces",	NULL,		"X-Kannel-Replaces"),
	{ .name = NULL }
};

static const struct door_answer answers[] = {
	[INTAKE_ACCEPTED] = { 202, "0: Accepted for delivery" },
	[INTAKE_QUEUED] = { 202, "3: Queued for later delivery" },
	[INTAKE_DENIED] = { 400, "Wrong sendota args." },
	[INTAKE_BAD_SENDER] = { 400, "Sender missing and no global set, rejected" },
	[INTAKE_BAD_ARGS] = { 400, "Wrong sendota args." },
	[INTAKE_BAD_SOURCE] = { 400, "Erroneous ota source, cannot compile" },
	[INTAKE_BAD_SECURITY] = { 400, "Wrong sendota args." },
	[INTAKE_BAD_TEXT] = { 400, "Erroneous ota source, cannot compile" },
	[INTAKE_TOO_LONG] = { 400, "Message too long, rejected" },
	[INTAKE_UNROUTABLE] = { 403, "Not routable. Do not try again." },
	[INTAKE_NO_SUCH] = { 404, "There is no such message to be replaced." },
	[INTAKE_TOO_LATE] = { 409, "Too late: it is finished, or some of it has left." },
	[INTAKE_BUSY] = { 503, "Temporal failure, try again later." },
};

/* --- refusals ------------------------------------------------------------------ */

/* "text: line 14 column 9: <characteristic> is not closed: write ..." */
static void
write_finding(struct buf *b, const struct finding *f)
{
	buf_str(b, "text: ");
	if (f->line > 0)
		buf_printf(b, "line %u column %u: ", f->line, f->column);
	buf_str(b, f->text != NULL ? f->text : "");
	buf_u8(b, '\n');
}

/* Room is kept for the last line, which says how many more there are. */
static void
write_findings(struct buf *b, const struct findings *all)
{
	size_t shown = 0, errors = all->errors;

	for (size_t i = 0; i < all->count && shown < FINDINGS_SHOWN; i++) {
		if (all->list[i].severity != SEVERITY_ERROR)
			continue;
		write_finding(b, &all->list[i]);
		shown++;
	}
	if (errors > shown)
		buf_printf(b, "text: and %zu more\n", errors - shown);
}

static void
refuse_source(struct door_call *c, const struct intake_result *result)
{
	struct buf body = buf_heap(ANSWER_MOST);
	char line[sizeof result->err.text + 80];

	err_print(&result->err, line, sizeof line);
	if (result->findings != NULL && result->findings->errors > 0)
		write_findings(&body, result->findings);
	else
		buf_printf(&body, "text: %s\n", line);
	door_refuse_long(c, 400, (struct text){ (const char *)body.data, body.len }, line);
	buf_free(&body);
}

/* Kannel's sentence, then ours. */
static void
refuse_why(struct door_call *c, int status, const char *text, const char *why)
{
	struct buf body = buf_heap(ANSWER_MOST);

	buf_printf(&body, "%s\n%s\n", text, why);
	door_refuse_long(c, status, (struct text){ (const char *)body.data, body.len }, why);
	buf_free(&body);
}

/* --- what is accepted ------------------------------------------------------------ */

static void
warn(struct door_call *c, const struct finding *f)
{
	char room[WARNING_MOST];
	struct buf b = buf_on(room, sizeof room - 1);

	if (f->line > 0)
		buf_printf(&b, "line %u column %u: ", f->line, f->column);
	buf_bytes(&b, f->text, strnlen(f->text, sizeof room - 1 - b.len));
	room[b.len] = '\0';
	http_reply_header(c->request, "X-Kantele-Warning", room);
}

static void
log_warnings(const char *push_id, const struct finding *f)
{
	struct log_field fields[] = { { "text", text_of(f->text) } };

	log_event("warning", push_id, fields, 1);
}

/* The first few; the rest is a number. */
static void
warnings(struct door_call *c, const struct intake_result *result)
{
	size_t shown = 0, count;
	char more[60];
	struct buf b = buf_on(more, sizeof more);

	if (result->findings == NULL)
		return;
	count = result->findings->errors + result->findings->warnings;
	for (size_t i = 0; i < result->findings->count && shown < WARNINGS_SHOWN; i++) {
		const struct finding *f = &result->findings->list[i];

		if (f->severity == SEVERITY_NOTE || f->text == NULL)
			continue;
		warn(c, f);
		log_warnings(result->push_ids[0], f);
		shown++;
	}
	if (count > shown) {
		buf_printf(&b, "and %zu more: kantele lint shows them", count - shown);
		http_reply_header(c->request, "X-Kantele-Warning", buf_cstr(&b));
	}
}

static void
done(void *arg, const struct intake_result *result)
{
	struct door_call *c = arg;
	const struct door_answer *a = &answers[result->verdict];

	if (result->verdict <= INTAKE_QUEUED) {
		door_name(c, result);
		warnings(c, result);
		door_accept(c, c->setup->immediate_reply ? "Sent." : a->text);
	} else if (result->verdict == INTAKE_BAD_SOURCE) {
		refuse_source(c, result);
	} else if (a->status == 400 && result->err.code != ERR_NONE) {
		refuse_why(c, 400, a->text, result->err.text);
	} else {
		door_refuse(c, a->status, a->text, result->err.code != ERR_NONE ? result->err.text :
		    NULL);
	}
}

/* --- parameters ------------------------------------------------------------------- */

static bool
is_form(struct text content_type)
{
	struct text type;

	return text_cut(&content_type, ';', &type) &&
	    text_eq_nocase(text_trim(type), TEXT("application/x-www-form-urlencoded"));
}

/* A document comes as the body: its parameters are headers, and its type is the content's. */
static void
read_document(struct door_call *c, struct order_document *od, struct text type)
{
	struct text *p = c->params.text;

	params_read_headers(&c->params, rows, c->request);
	od->media = media_by_text_type(type);
	p[PARAM_TEXT] = http_has_body(c->request) ? http_body(c->request) : TEXT("");
	p[PARAM_CHARSET] = params_of_header(type, "charset");
}

/* Headers, form, query: what comes first counts. */
static bool
read_parameters(struct door_call *c, bool form)
{
	struct http_request *r = c->request;

	params_read_headers(&c->params, rows, r);
	if ((form && params_read(&c->params, rows, r, http_body(r)) == -1) ||
	    params_read(&c->params, rows, r, http_query(r)) == -1) {
		door_refuse(c, 503, answers[INTAKE_BUSY].text, "no memory");
		return false;
	}
	return true;
}

/* What the text is said to be; without one, the document of the configuration with its id.
 * false: answered. */
static bool
choose_media(struct door_call *c, struct order_document *od)
{
	struct text *p = c->params.text;

	if (p[PARAM_TEXT].at == NULL) {
		if (ota_groups_find(c->setup->ota, p[PARAM_OTA_ID], &od->media, &p[PARAM_TEXT])) {
			p[PARAM_CHARSET] = (struct text){ 0 };	/* it was the sender's */
			return true;
		}
		refuse_why(c, 400, "Missing ota-setting or ota-bookmark group.", "no group has this ota-id; "
		    "without text= a document of the configuration is sent, by otaid=");
		return false;
	}
	if (p[PARAM_TYPE].at == NULL)
		return true;
	od->media = media_by_sendota_type(p[PARAM_TYPE]);
	if (od->media == NULL)
		refuse_why(c, 400, "Erroneous document type, cannot compile", "type is one of "
		    "oma-settings, settings, bookmarks, syncsettings; without it the document tells");
	return od->media != NULL;
}

static bool
choose_charset(struct door_call *c, struct order_document *od)
{
	struct text charset = c->params.text[PARAM_CHARSET];
	char *name;

	if (charset.len == 0)
		return true;
	if (charset.len > CHARSET_MOST || (name = http_alloc(c->request, charset.len + 1)) == NULL) {
		door_refuse(c, 400, "Charset or body misformed, rejected", NULL);
		return false;
	}
	memcpy(name, charset.at, charset.len);
	od->charset = xml_charset_hinted(c->params.text[PARAM_TEXT], name);
	return true;
}

/* A view: the octets are the request's and go with it. */
static struct secret
secret_view(struct text t)
{
	return (struct secret){ (uint8_t *)(uintptr_t)t.at, t.len };
}

static bool
choose_key(struct door_call *c, struct order_document *od)
{
	struct text hex = c->params.text[PARAM_KEY_HEX];
	char *room;
	struct buf key;

	if (hex.at == NULL)
		return true;
	room = http_alloc(c->request, KEY_MOST);
	key = buf_on(room, room != NULL ? KEY_MOST : 0);
	if (text_unhex(hex, &key, NULL) == -1 || key.overflow || key.len == 0) {
		refuse_why(c, 400, answers[INTAKE_BAD_SECURITY].text, "key-hex is the key in hex "
		    "digits, two for each octet, at most 128 octets");
		return false;
	}
	if (!od->sec_given) {
		refuse_why(c, 400, answers[INTAKE_BAD_SECURITY].text, "key-hex needs sec: say how "
		    "the handset is to check the signature");
		return false;
	}
	od->secrets.key = secret_view((struct text){ room, key.len });
	return true;
}

/* false: answered. */
static bool
choose_security(struct door_call *c, struct order_document *od)
{
	const struct text *p = c->params.text;
	struct err err = { 0 };

	od->sec_given = p[PARAM_SEC].at != NULL;
	/* documents that travel unsigned take the parameters and do not look at them, as in Kannel */
	if (od->media != NULL && !od->media->must_sign)
		return true;
	if (od->sec_given && sign_method_named(p[PARAM_SEC], &od->method, &err) == -1) {
		refuse_why(c, 400, answers[INTAKE_BAD_SECURITY].text, err.text);
		return false;
	}
	od->secrets.pin = secret_view(p[PARAM_PIN]);
	od->secrets.imsi = secret_view(p[PARAM_IMSI]);
	return choose_key(c, od);
}

void
door_sendota(void *setup, struct http_request *r)
{
	struct order_document od = { .media = NULL };
	struct text type = http_header(r, "Content-Type");
	bool form = is_form(type), posted;
	struct door_call *c;
	const char *fault;

	if (!door_takes(r) || (c = door_call_new(setup, "sendota", r)) == NULL)
		return;
	c->done = done;
	posted = !form && (http_has_body(r) || text_is(http_method(r), "POST"));
	if (posted)
		read_document(c, &od, type);
	else if (!read_parameters(c, form))
		return;
	if (!door_login(c, "Authorization failed for sendota"))
		return;
	if (c->params.text[PARAM_TO].len == 0) {
		refuse_why(c, 400, "Wrong sendota args.", "no receiver: give to");
		return;
	}
	/* a form must say what to send: one that does not may be a document in the wrong dress */
	if (posted ? od.media == NULL : form && c->params.text[PARAM_TEXT].at == NULL &&
	    c->params.text[PARAM_OTA_ID].at == NULL) {
		door_refuse(c, 415, "Unsupported content-type, rejected", NULL);
		return;
	}
	fault = door_misformed(c, rows);
	door_order(c);
	if (fault != NULL) {
		door_refuse(c, 400, fault, NULL);
		return;
	}
	if (!door_answerable(c) || (!posted && !choose_media(c, &od)) || !choose_charset(c, &od) ||
	    !choose_security(c, &od))
		return;
	od.xml = c->params.text[PARAM_TEXT];
	door_wait(c, intake_document(c->setup->intake, &c->order, &od, door_done, c));
}
