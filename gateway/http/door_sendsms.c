/*
 * door_sendsms.c - texts from senders, in Kannel's interface
 *
 * GET takes its parameters from the query; as soon as there is a body, or the method is POST, they
 * come from X-Kannel headers and the query is ignored. Answers are Kannel's, octet for
 * octet: other gateways compare them.
 *
 * Knows:     parameters, ranges, the order of checks, answers.
 * Does not:  know what becomes of a text (intake) or who may send it (account).
 * Owns:      nothing. Threads: the loop.
 */
#include "http/door_sendsms.h"

#include "base/buf.h"
#include "http/door.h"
#include "push/udh.h"

#define NUMBER(p, n, a, h, low, high, what)						\
	{ .param = p, .name = n, .alias = a, .header = h, .number = true, .least = low,		\
	  .most = high, .misformed = what " field misformed, rejected" }
#define WORD(p, n, a, h)	{ .param = p, .name = n, .alias = a, .header = h }

enum { MINUTES_MOST = 10 * 366 * 24 * 60, UDH_MOST = 140 };

/* In the order in which Kannel looks at them. */
static const struct param_row rows[] = {
	WORD(PARAM_USERNAME,	"username",	"user",		"X-Kannel-Username"),
	WORD(PARAM_PASSWORD,	"password",	"pass",		"X-Kannel-Password"),
	WORD(PARAM_TO,		"to",		NULL,		"X-Kannel-To"),
	WORD(PARAM_FROM,	"from",		NULL,		"X-Kannel-From"),
	WORD(PARAM_TEXT,	"text",		NULL,		NULL),
	WORD(PARAM_CHARSET,	"charset",	NULL,		NULL),
	WORD(PARAM_UDH,		"udh",		NULL,		"X-Kannel-UDH"),
	WORD(PARAM_ACCOUNT,	"account",	NULL,		"X-Kannel-Account"),
	WORD(PARAM_DLR_URL,	"dlr-url",	"dlrurl",	"X-Kannel-DLR-URL"),
	NUMBER(PARAM_DLR_MASK,	"dlr-mask",	"dlrmask",	"X-Kannel-DLR-Mask", 0, 66, "DLR-Mask"),
	NUMBER(PARAM_MCLASS,	"mclass",	NULL,		"X-Kannel-MClass", 0, 3, "MClass"),
	NUMBER(PARAM_PID,	"pid",		NULL,		"X-Kannel-PID", 0, 255, "PID"),
	NUMBER(PARAM_RPI,	"rpi",		NULL,		"X-Kannel-RPI", 0, 2, "RPI"),
	NUMBER(PARAM_ALT_DCS,	"alt-dcs",	NULL,		"X-Kannel-Alt-DCS", 0, 1, "Alt-DCS"),
	NUMBER(PARAM_MWI,	"mwi",		NULL,		"X-Kannel-MWI", 0, 7, "MWI"),
	NUMBER(PARAM_CODING,	"coding",	NULL,		"X-Kannel-Coding", 0, 2, "Coding"),
	NUMBER(PARAM_COMPRESS,	"compress",	NULL,		"X-Kannel-Compress", 0, 1, "Compress"),
	NUMBER(PARAM_VALIDITY,	"validity",	NULL,		"X-Kannel-Validity", 0, MINUTES_MOST,
	    "Validity"),
	NUMBER(PARAM_DEFERRED,	"deferred",	NULL,		"X-Kannel-Deferred", 0, MINUTES_MOST,
	    "Deferred"),
	NUMBER(PARAM_PRIORITY,	"priority",	NULL,		"X-Kannel-Priority", 0, 3, "Priority"),
	WORD(PARAM_SMSC,	"smsc",		NULL,		"X-Kannel-SMSC"),
	WORD(PARAM_BINFO,	"binfo",	NULL,		"X-Kannel-BInfo"),
	WORD(PARAM_META_DATA,	"meta-data",	NULL,		"X-Kannel-Meta-Data"),
	WORD(PARAM_REPLACES,	"replaces",	NULL,		"X-Kannel-Replaces"),
	{ .name = NULL }
};

static const struct door_answer answers[] = {
	[INTAKE_ACCEPTED] = { 202, "0: Accepted for delivery" },
	[INTAKE_QUEUED] = { 202, "3: Queued for later delivery" },
	[INTAKE_DENIED] = { 400, "Number(s) has/have been denied by white- and/or black-lists." },
	[INTAKE_BAD_SENDER] = { 400, "Sender missing and no global set, rejected" },
	[INTAKE_BAD_ARGS] = { 400, "Missing receiver number, rejected" },
	[INTAKE_BAD_SOURCE] = { 400, "Charset or body misformed, rejected" },
	[INTAKE_BAD_SECURITY] = { 400, "Charset or body misformed, rejected" },
	[INTAKE_BAD_TEXT] = { 400, "Charset or body misformed, rejected" },
	[INTAKE_TOO_LONG] = { 400, "Message too long, rejected" },
	[INTAKE_UNROUTABLE] = { 403, "Not routable. Do not try again." },
	[INTAKE_NO_SUCH] = { 404, "There is no such message to be replaced." },
	[INTAKE_TOO_LATE] = { 409, "Too late: it is finished, or some of it has left." },
	[INTAKE_BUSY] = { 503, "Temporal failure, try again later." },
};

enum body_kind { BODY_INVALID, BODY_TEXT, BODY_OCTETS, BODY_UNSUPPORTED };

/* Content types that Kannel knows here. It reads text/html and WML to refuse them. */
static const struct {
	const char	*type;
	enum body_kind	 kind;
} body_types[] = {
	{ "text/plain",			BODY_TEXT },
	{ "application/octet-stream",	BODY_OCTETS },
	{ "text/html",			BODY_UNSUPPORTED },
	{ "text/vnd.wap.wml",		BODY_UNSUPPORTED },
	{ "text/xml",			BODY_UNSUPPORTED },	/* Kannel's XML form: not there */
};

static enum body_kind
body_kind(struct text content_type)
{
	struct text rest = content_type, type;

	if (!text_cut(&rest, ';', &type))
		return BODY_OCTETS;			/* no type at all */
	type = text_trim(type);
	for (size_t i = 0; i < sizeof body_types / sizeof *body_types; i++)
		if (text_eq_nocase(type, text_of(body_types[i].type)))
			return body_types[i].kind;
	return BODY_INVALID;
}

/* Hex digits, else percent-encoded. */
static struct text
header_udh(struct http_request *r, struct text value)
{
	char *room = http_alloc(r, value.len + 1);
	struct buf b;

	if (room == NULL)
		return (struct text){ 0 };
	b = buf_on(room, value.len + 1);
	if (text_unhex(value, &b, NULL) == -1 || b.overflow)
		return params_unquote(r, value);
	return (struct text){ room, b.len };
}

/* Parameters of a request with a body; false: answered. */
static bool
read_posted(struct door_call *c, struct order_text *ot)
{
	struct text type = http_header(c->request, "Content-Type");
	enum body_kind kind = body_kind(type);
	struct text *p = c->params.text;

	if (kind == BODY_INVALID) {
		door_refuse(c, 400, "Invalid content-type", NULL);
		return false;
	}
	params_read_headers(&c->params, rows, c->request);
	if (kind == BODY_UNSUPPORTED) {
		door_refuse(c, 415, "Unsupported content-type, rejected", NULL);
		return false;
	}
	if (p[PARAM_UDH].len > 0)
		p[PARAM_UDH] = header_udh(c->request, p[PARAM_UDH]);
	p[PARAM_CHARSET] = params_of_header(type, "charset");
	if (kind == BODY_TEXT && p[PARAM_CHARSET].len == 0)
		p[PARAM_CHARSET] = TEXT("ISO-8859-1");	/* RFC 2616, 3.7.1; so does Kannel */
	p[PARAM_TEXT] = http_body(c->request);
	ot->coding = kind == BODY_OCTETS ? CODING_OCTETS : CODING_GSM7;
	return true;
}

static bool
read_query(struct door_call *c)
{
	if (params_read(&c->params, rows, c->request, http_query(c->request)) == 0)
		return true;
	door_refuse(c, 503, answers[INTAKE_BUSY].text, "no memory");
	return false;
}

/* Kannel looks at the length octet only. Elements that run over the header, a segment 3 of 2:
 * no phone takes those. */
static bool
header_ok(struct text udh)
{
	struct udh u;

	return udh_read(udh, &u, NULL) == 0 && u.octets == udh.len;
}

/* What Kannel looks at before receivers and sender. */
static const char *
receiver_fault(const struct text *p, bool posted)
{
	if (p[PARAM_TO].at == NULL)
		return posted ? "Missing receiver(s) number(s), rejected" :
		    "Missing receiver number, rejected";
	if (p[PARAM_TO].len == 0)
		return "Empty receiver number not allowed, rejected";
	if (p[PARAM_UDH].len > 0 && !header_ok(p[PARAM_UDH]))
		return "UDH field misformed, rejected";
	if (p[PARAM_UDH].len > UDH_MOST)
		return "UDH field is too long, rejected";
	return NULL;
}

static void
fill_text(const struct door_call *c, struct order_text *ot)
{
	const struct text *p = c->params.text;
	const long *n = c->params.number;

	ot->body = p[PARAM_TEXT].at != NULL ? p[PARAM_TEXT] : TEXT("");
	ot->charset = p[PARAM_CHARSET];
	ot->udh = p[PARAM_UDH];
	if (n[PARAM_CODING] >= 0)
		ot->coding = (int)n[PARAM_CODING];
	ot->mclass = (int)n[PARAM_MCLASS];
	ot->mwi = (int)n[PARAM_MWI];
	ot->alt_dcs = (int)n[PARAM_ALT_DCS];
	ot->compress = (int)n[PARAM_COMPRESS];
	ot->pid = (int)n[PARAM_PID];
	ot->rpi = (int)n[PARAM_RPI];
}

static void
refuse_verdict(struct door_call *c, enum intake_verdict verdict, const struct err *err)
{
	const char *text = answers[verdict].text, *why = err->code != ERR_NONE ? err->text : NULL;

	/* where Kannel's sentence would mislead */
	if (verdict == INTAKE_TOO_LONG || verdict == INTAKE_BAD_ARGS ||
	    (verdict == INTAKE_BAD_SENDER && c->order.from.len > 0))
		text = why;
	door_refuse(c, answers[verdict].status, text, why);
}

/* "Sent. Denied receivers are: a b Message splits: 2" */
static const char *
immediate_text(struct door_call *c, const struct intake_result *result)
{
	size_t size = result->denied.len + 80;
	char *room = http_alloc(c->request, size);
	struct buf b = buf_on(room, room != NULL ? size : 0);

	buf_str(&b, "Sent.");
	if (result->denied.len > 0)
		buf_printf(&b, " Denied receivers are: %.*s", TEXT_ARGS(result->denied));
	if (result->segments > 1)
		buf_printf(&b, " Message splits: %u", result->segments);
	return b.overflow ? "Sent." : buf_cstr(&b);
}

static void
done(void *arg, const struct intake_result *result)
{
	struct door_call *c = arg;
	const char *text = answers[result->verdict].text;

	if (result->verdict > INTAKE_QUEUED) {
		refuse_verdict(c, result->verdict, &result->err);
		return;
	}
	if (c->setup->immediate_reply)
		text = immediate_text(c, result);
	door_name(c, result);
	door_accept(c, text);
}

void
door_sendsms(void *setup, struct http_request *r)
{
	bool posted = http_has_body(r) || text_is(http_method(r), "POST");
	struct order_text ot = { .coding = MESSAGE_UNSET };
	struct door_call *c;
	const char *fault;
	enum intake_verdict verdict;

	if (!door_takes(r) || (c = door_call_new(setup, "sendsms", r)) == NULL)
		return;
	c->done = done;
	if (!(posted ? read_posted(c, &ot) : read_query(c)))
		return;
	if (!door_login(c, "Authorization failed for sendsms"))
		return;
	if ((fault = receiver_fault(c->params.text, posted)) != NULL) {
		door_refuse(c, 400, fault, NULL);
		return;
	}
	fault = door_misformed(c, rows);
	door_order(c);
	if (fault != NULL) {
		verdict = intake_look(c->setup->intake, &c->order, false);
		door_refuse(c, 400, verdict != INTAKE_ACCEPTED ? answers[verdict].text : fault, NULL);
		return;
	}
	if (!door_answerable(c))
		return;
	fill_text(c, &ot);
	door_wait(c, intake_text(c->setup->intake, &c->order, &ot, door_done, c));
}
