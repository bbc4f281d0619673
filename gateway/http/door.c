/*
 * door.c - what the doors for senders share
 *
 * Knows:     Kannel's headers, the deadline, what goes into the log about a refusal.
 * Does not:  know what a door's parameters mean.
 * Owns:      the timer of a call that outlived its deadline.
 * Threads:   the loop.
 */
#include "http/door.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/ip.h"
#include "io/log.h"
#include "io/loop.h"
#include "push/message.h"

#define DOOR_TYPE	"text/html"	/* of every sentence, as in Kannel */
#define DOOR_ID		"X-Kantele-Id"

enum {
	BILLING_MOST = 64, PORT_MOST = 65535, ADDRESS_SIZE = 64, SENTENCE_MOST = 120,
	DOOR_FIELD_REST = 4,		/* of a field beside name and value */
	DOOR_FIELDS = 256		/* octets of those that every answer has */
};

static void
no_cache(struct http_request *r)
{
	http_reply_header(r, "Pragma", "no-cache");
	http_reply_header(r, "Cache-Control", "no-cache");
}

static void
answer(struct http_request *r, int status, const char *type, struct text body)
{
	char seconds[12];

	if (status == 503) {
		snprintf(seconds, sizeof seconds, "%d", DOOR_RETRY_S);
		http_reply_header(r, "Retry-After", seconds);
	}
	no_cache(r);
	http_reply(r, status, type, body);
}

bool
door_takes(struct http_request *r)
{
	struct text method = http_method(r);

	if (text_is(method, "GET") || text_is(method, "POST"))
		return true;
	if (text_is(method, "HEAD")) {		/* Kannel sends the message */
		http_reply_header(r, "Allow", "GET, POST");
		answer(r, 405, DOOR_TYPE, TEXT(""));
	} else {
		answer(r, 400, DOOR_TYPE, TEXT(""));
	}
	return false;
}

void
door_unknown(void *unused, struct http_request *r)
{
	(void)unused;
	if (door_takes(r))
		answer(r, 404, DOOR_TYPE, TEXT("Unknown request."));
}

struct door_call *
door_call_new(const struct door_setup *setup, const char *door, struct http_request *r)
{
	struct door_call *c = http_alloc(r, sizeof *c);

	if (c == NULL) {
		answer(r, 503, DOOR_TYPE, TEXT("Temporal failure, try again later."));
		return NULL;
	}
	c->setup = setup;
	c->request = r;
	c->door = door;
	params_init(&c->params);
	return c;
}

/* --- answers ------------------------------------------------------------------ */

/* One line for a refusal; never the query, which holds passwords and PINs. */
void
door_log_refused(const struct door_call *c, int status, const char *reason)
{
	char number[12], client[ADDRESS_SIZE];
	struct log_field fields[] = {
		{ "status", TEXT("") },
		{ "door", text_of(c->door) },
		{ "account", text_of(c->account) },
		{ "client", TEXT("") },
		{ "reason", text_of(reason) },
	};

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	snprintf(number, sizeof number, "%d", status);
	fields[0].value = text_of(number);
	fields[3].value = text_of(ip_print(http_client(c->request), client, sizeof client));
	log_event("refused", NULL, fields, sizeof fields / sizeof *fields);
}

void
door_refuse(struct door_call *c, int status, const char *text, const char *reason)
{
	door_log_refused(c, status, reason != NULL ? reason : text);
	answer(c->request, status, DOOR_TYPE, text_of(text));
}

void
door_refuse_long(struct door_call *c, int status, struct text body, const char *reason)
{
	door_log_refused(c, status, reason);
	answer(c->request, status, "text/plain; charset=utf-8", body);
}

void
door_name(struct door_call *c, const struct intake_result *result)
{
	for (size_t i = 0; i < result->count; i++)
		http_reply_header(c->request, DOOR_ID, result->push_ids[i]);
	if (result->user_code != NULL)
		http_reply_header(c->request, "X-Kantele-User-Code", result->user_code);
}

void
door_accept(struct door_call *c, const char *text)
{
	answer(c->request, 202, DOOR_TYPE, text_of(text));
}

/* --- who, and what both doors take --------------------------------------------- */

/* RFC 7617: "Basic" and user:password in base64. For who keeps them out of URLs. */
static void
basic_credentials(struct door_call *c)
{
	static const char scheme[] = "Basic ";
	struct text *p = c->params.text, given = http_header(c->request, "Authorization"), rest;
	struct buf b;
	char *room;

	if (given.len < sizeof scheme - 1 ||
	    !text_eq_nocase((struct text){ given.at, sizeof scheme - 1 }, text_of(scheme)))
		return;
	given = text_trim((struct text){ given.at + sizeof scheme - 1, given.len - sizeof scheme + 1 });
	if ((room = http_alloc(c->request, given.len + 1)) == NULL)
		return;
	b = buf_on(room, given.len + 1);
	if (text_unbase64(given, &b) == -1 || b.overflow || memchr(room, ':', b.len) == NULL)
		return;
	rest = (struct text){ room, b.len };
	text_cut(&rest, ':', &p[PARAM_USERNAME]);
	p[PARAM_PASSWORD] = rest.at != NULL ? rest : TEXT("");
}

bool
door_who(struct door_call *c)
{
	const struct text *p = c->params.text;

	if (p[PARAM_USERNAME].at == NULL)
		basic_credentials(c);
	c->order.account = accounts_login(c->setup->accounts, p[PARAM_USERNAME],
	    p[PARAM_PASSWORD], http_client(c->request));
	if (c->order.account == NULL)
		return false;
	c->account = c->order.account->username;
	return true;
}

bool
door_login(struct door_call *c, const char *refusal)
{
	if (door_who(c))
		return true;
	door_refuse(c, 403, refusal, "user, password or address");
	return false;
}

void
door_order(struct door_call *c)
{
	const struct text *p = c->params.text;
	const long *n = c->params.number;

	c->order = (struct order){
		.account = c->order.account, .door = c->door, .client = http_client(c->request),
		.to = p[PARAM_TO], .from = p[PARAM_FROM], .smsc = p[PARAM_SMSC],
		.billing = p[PARAM_ACCOUNT], .binfo = p[PARAM_BINFO],
		.meta_data = p[PARAM_META_DATA], .dlr_url = p[PARAM_DLR_URL],
		.replaces = p[PARAM_REPLACES],
		.dlr_mask = (int)n[PARAM_DLR_MASK], .priority = (int)n[PARAM_PRIORITY],
		.klass = MESSAGE_UNSET, .validity_min = n[PARAM_VALIDITY],
		.deferred_min = n[PARAM_DEFERRED],
	};
}

static size_t
words(struct text t)
{
	size_t n = 0;
	bool inside = false;

	for (size_t i = 0; i < t.len; i++) {
		bool blank = memchr(" \t\r\n\v\f", t.at[i], 6) != NULL;

		n += !blank && !inside;
		inside = !blank;
	}
	return n;
}

bool
door_answerable(struct door_call *c)
{
	const size_t each = sizeof DOOR_ID - 1 + PUSH_ID_SIZE - 1 + DOOR_FIELD_REST;
	size_t most = (http_reply_room(c->request) - DOOR_FIELDS) / each;
	char *text;

	if (words(c->params.text[PARAM_TO]) <= most)
		return true;
	text = http_alloc(c->request, SENTENCE_MOST);
	if (text != NULL)
		snprintf(text, SENTENCE_MOST, "Too many receivers for one call: send at most %zu, and the "
		    "others in another call", most);
	door_refuse(c, text != NULL ? 400 : 503, text != NULL ? text : "Temporal failure, try again "
	    "later.", NULL);
	return false;
}

static bool
billing_ok(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (memchr("[]\r\n", t.at[i], 4) != NULL)
			return false;
	return t.len <= BILLING_MOST;
}

static bool
has_controls(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if ((unsigned char)t.at[i] < 0x20 || t.at[i] == 0x7F)
			return true;
	return false;
}

static bool
port_ok(const char *at, const char *end)
{
	long n = 0;

	for (; at < end && *at >= '0' && *at <= '9' && n <= PORT_MOST; at++)
		n = n * 10 + (*at - '0');
	return at == end && n <= PORT_MOST;
}

/* "user:password@host:port"; with an escape of a callback in it nobody can tell yet. */
static bool
authority_ok(struct text t)
{
	const char *end = t.at + t.len, *at = memrchr(t.at, '@', t.len), *host, *colon;

	if (memchr(t.at, '%', t.len) != NULL)
		return true;
	host = at != NULL ? at + 1 : t.at;
	if (host == end || memchr(host, ' ', (size_t)(end - host)) != NULL)
		return false;
	colon = memrchr(host, ':', (size_t)(end - host));
	if (colon == NULL || memchr(colon, ']', (size_t)(end - colon)) != NULL)
		return true;		/* no port; colons of an IPv6 address */
	return colon > host && port_ok(colon + 1, end);
}

/* What could never be called would be tried for a day. */
static bool
url_ok(struct text t)
{
	size_t scheme = strncasecmp(t.at, "https://", t.len < 8 ? t.len : 8) == 0 ? 8 : 7, n = 0;

	if (t.len <= scheme || strncasecmp(t.at, scheme == 8 ? "https://" : "http://", scheme) != 0 ||
	    has_controls(t))
		return false;
	while (scheme + n < t.len && memchr("/?#", t.at[scheme + n], 3) == NULL)
		n++;
	return authority_ok((struct text){ t.at + scheme, n });
}

const char *
door_misformed(struct door_call *c, const struct param_row *rows)
{
	struct text url = c->params.text[PARAM_DLR_URL], binfo = c->params.text[PARAM_BINFO];
	const struct param_row *bad;

	if (!billing_ok(c->params.text[PARAM_ACCOUNT]))
		return "Account field misformed or too long, rejected";
	if (url.len > 0 && !url_ok(url))
		return "DLR-URL field misformed, rejected";
	if (binfo.len > 0 && memchr(binfo.at, '\0', binfo.len) != NULL)
		return "BInfo field misformed, rejected";	/* a string of SMPP */
	bad = params_check(&c->params, rows);
	return bad != NULL ? bad->misformed : NULL;
}

/* --- waiting ------------------------------------------------------------------- */

void
door_done(void *arg, const struct intake_result *result)
{
	struct door_call *c = arg;

	timer_free(&c->last);
	c->ticket = NULL;
	c->done(c, result);
}

/* Nobody knows what became of the commit: the sender has to find out, not to try again. */
static void
give_up(void *arg)
{
	struct door_call *c = arg;
	struct timer *last = c->last;

	door_log_refused(c, 0, "no answer from the store, the connection is closed");
	intake_forget(c->ticket);
	timer_free(&last);
	http_drop(c->request);
}

static void
deadline(void *arg)
{
	struct door_call *c = arg;

	if (intake_withdraw(c->setup->intake, c->ticket)) {
		door_refuse(c, 503, "Temporal failure, try again later.", "the store is too slow");
		return;
	}
	c->last = timer_new(c->setup->loop, give_up, c);
	if (c->last != NULL)
		timer_set(c->last, c->setup->patience_ms);
}

void
door_wait(struct door_call *c, struct intake_ticket *ticket)
{
	if (ticket == NULL) {
		door_refuse(c, 503, "Temporal failure, try again later.", "no memory");
		return;
	}
	c->ticket = ticket;
	http_on_deadline(c->request, deadline, c);
}
