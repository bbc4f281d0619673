/*
 * door_messages.c - a sender's own messages
 *
 *   GET    /api/v1/messages/PUSH-ID     what became of it
 *   DELETE /api/v1/messages/PUSH-ID     takes it back, while nothing of it has left
 *   GET    /api/v1/messages?to=NUMBER   those to a receiver, the newest first (limit=100)
 *
 * Who asks says so with Basic authorization, or username and password as everywhere. Answers are
 * JSON; a fault is {"error":"..."}. Messages of other accounts do not exist here. (To put another
 * one in a message's place, send it with replaces=PUSH-ID.)
 *
 * Knows:     the paths, the form of an answer.
 * Does not:  know how messages are kept.
 * Owns:      what was asked, until the queue has answered: the request may be gone by then.
 * Threads:   the loop.
 */
#include "http/door_messages.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "http/door.h"
#include "io/log.h"

#define DOOR_PATH	"/api/v1/messages"

enum { ANSWER_MOST = 1 << 20, RECEIVER_OCTETS = 256 };

static const struct param_row rows[] = {
	{ .param = PARAM_USERNAME, .name = "username", .alias = "user", .header = "X-Kannel-Username" },
	{ .param = PARAM_PASSWORD, .name = "password", .alias = "pass", .header = "X-Kannel-Password" },
	{ .param = PARAM_TO, .name = "to" },
	{ .param = PARAM_LIMIT, .name = "limit", .number = true, .least = 1, .most = QUEUE_FOUND_MOST,
	  .misformed = "limit is 1 to 1000" },
	{ .name = NULL }
};

struct look {				/* something was asked of the queue */
	struct door_call *call;		/* NULL: its deadline came first */
	unsigned	 limit;		/* of a list; 0: one message */
	char		*account, *push_id;
};

/* --- answers ----------------------------------------------------------------------- */

static void
answer(struct door_call *c, int status, struct buf *body)
{
	buf_u8(body, '\n');
	if (status == 401)
		http_reply_header(c->request, "WWW-Authenticate", "Basic realm=\"kantele\", charset=\"UTF-8\"");
	if (status == 503)
		http_reply_header(c->request, "Retry-After", "5");
	http_reply_header(c->request, "Cache-Control", "no-store");
	http_reply(c->request, status, "application/json",
	    (struct text){ (const char *)body->data, body->len });
	buf_free(body);
}

static void
refuse(struct door_call *c, int status, const char *why)
{
	struct buf body = buf_heap(ANSWER_MOST);
	struct json j = { .out = &body };

	door_log_refused(c, status, why);
	json_open(&j, NULL, '{');
	json_text(&j, "error", text_of(why));
	json_close(&j, '}');
	answer(c, status, &body);
}

static void
write_time(struct json *j, const char *name, wall_t at)
{
	char iso[32];

	if (at != 0)
		json_text(j, name, text_of(clock_iso(at, iso, sizeof iso)));
}

static void
write_message(struct json *j, const struct queue *q, const struct store_view *v)
{
	char id[PUSH_ID_SIZE];
	struct text smsc = v->link, node;

	queue_push_id_of(q, v->id, id);
	text_cut(&smsc, '/', &node);
	json_open(j, NULL, '{');
	json_text(j, "id", v->push_id.at != NULL ? v->push_id : text_of(id));
	json_text(j, "to", v->msisdn);
	json_text(j, "state", text_of(queue_states[v->state]));
	if (v->state == STATE_FINISHED)
		json_text(j, "outcome", text_of(queue_outcomes[v->outcome]));
	if (v->code != 0)
		json_number(j, "code", v->code);
	if (smsc.len > 0)
		json_text(j, "smsc", smsc);
	json_number(j, "attempts", v->attempt);
	write_time(j, "accepted", v->accepted);
	write_time(j, "due", v->due);
	write_time(j, "expires", v->expires);
	write_time(j, "finished", v->finished);
	json_close(j, '}');
}

/* --- waiting for the queue ------------------------------------------------------------ */

static void
look_free(struct look *l)
{
	free(l->account);
	free(l->push_id);
	free(l);
}

static void
look_late(void *arg)
{
	struct look *l = arg;
	struct door_call *c = l->call;

	l->call = NULL;
	refuse(c, 503, "the store is too slow, try again");
}

/* NULL: answered. */
static struct look *
look_new(struct door_call *c, struct text push_id)
{
	struct look *l = calloc(1, sizeof *l);

	if (l == NULL || (l->account = text_dup(text_of(c->account))) == NULL ||
	    (l->push_id = text_dup(push_id.at != NULL ? push_id : TEXT(""))) == NULL) {
		if (l != NULL)
			look_free(l);
		refuse(c, 503, "no memory");
		return NULL;
	}
	l->call = c;
	http_on_deadline(c->request, look_late, l);
	return l;
}

static void
found(void *arg, const struct err *err, const struct store_view *views, size_t n)
{
	struct look *l = arg;
	struct door_call *c = l->call;
	struct buf body = buf_heap(ANSWER_MOST);
	struct json j = { .out = &body };
	unsigned shown = 0;

	if (c == NULL) {
		look_free(l);
		return;
	}
	if (err != NULL || (n == 0 && l->limit == 0)) {
		refuse(c, err != NULL ? 503 : 404, err != NULL ? err->text : "there is no such message");
		look_free(l);
		return;
	}
	if (l->limit > 0) {
		json_open(&j, NULL, '{');
		json_open(&j, "messages", '[');
	}
	for (size_t i = 0; i < n && (l->limit == 0 || shown < l->limit); i++) {
		if (!text_is(views[i].account, l->account))
			continue;
		write_message(&j, c->setup->queue, &views[i]);
		shown++;
	}
	if (l->limit > 0) {
		json_close(&j, ']');
		json_close(&j, '}');
	}
	answer(c, 200, &body);
	look_free(l);
}

static void
cancelled(void *arg, const struct err *err, enum store_result result)
{
	struct look *l = arg;
	struct door_call *c = l->call;
	struct buf body;
	struct json j = { .out = &body };

	if (result == STORE_OK)
		log_event("cancelled", l->push_id, (struct log_field[]){ { "account", text_of(l->account) } }, 1);
	if (c == NULL) {
		;
	} else if (err != NULL || result == STORE_FAILED) {
		refuse(c, 503, err != NULL ? err->text : "the store is in trouble");
	} else if (result == STORE_ABSENT) {
		refuse(c, 404, "there is no such message");
	} else if (result != STORE_OK) {
		refuse(c, 409, "too late: it is finished, or some of it has left");
	} else {
		body = buf_heap(ANSWER_MOST);
		json_open(&j, NULL, '{');
		json_text(&j, "id", text_of(l->push_id));
		json_text(&j, "state", text_of(queue_states[STATE_FINISHED]));
		json_text(&j, "outcome", text_of(queue_outcomes[OUTCOME_CANCELLED]));
		json_close(&j, '}');
		answer(c, 200, &body);
	}
	look_free(l);
}

/* --- what is asked -------------------------------------------------------------------- */

/* The part of the path behind "/api/v1/messages/"; a plus is a plus there. */
static struct text
path_id(struct http_request *r)
{
	struct text path = http_path(r), id;
	struct buf b;
	char *room;

	if (path.len <= sizeof DOOR_PATH)
		return (struct text){ 0 };
	id = (struct text){ path.at + sizeof DOOR_PATH, path.len - sizeof DOOR_PATH };
	if ((room = http_alloc(r, 4 * id.len)) == NULL)
		return (struct text){ 0 };
	b = buf_on(room, 3 * id.len);
	for (size_t i = 0; i < id.len; i++) {
		if (id.at[i] == '+')
			buf_str(&b, "%2B");
		else
			buf_u8(&b, (uint8_t)id.at[i]);
	}
	return params_unquote(r, (struct text){ room, b.len });
}

static void
list(struct door_call *c)
{
	const struct param_row *bad = params_check(&c->params, rows);
	long limit = c->params.number[PARAM_LIMIT];
	char room[RECEIVER_OCTETS];
	struct buf b = buf_on(room, sizeof room);
	struct look *l;

	if (bad != NULL || c->params.text[PARAM_TO].len == 0) {
		refuse(c, 400, bad != NULL ? bad->misformed :
		    "say which: " DOOR_PATH "/PUSH-ID, or " DOOR_PATH "?to=NUMBER");
		return;
	}
	intake_receiver(c->setup->intake, text_trim(c->params.text[PARAM_TO]), &b);
	if (b.overflow) {
		refuse(c, 400, "to is no address: it is too long");
		return;
	}
	if ((l = look_new(c, (struct text){ 0 })) == NULL)
		return;
	l->limit = limit > 0 ? (unsigned)limit : MESSAGES_SHOWN;
	queue_find_msisdn(c->setup->queue, (struct text){ room, b.len }, QUEUE_FOUND_MOST, found, l);
}

void
door_messages(void *setup, struct http_request *r)
{
	struct text method = http_method(r), id = path_id(r);
	bool removes = text_is(method, "DELETE");
	struct door_call *c = door_call_new(setup, "messages", r);
	struct look *l;

	if (c == NULL)
		return;
	params_read_headers(&c->params, rows, r);
	if (params_read(&c->params, rows, r, http_query(r)) == -1) {
		refuse(c, 503, "no memory");
	} else if (!door_who(c)) {
		refuse(c, 401, "user, password or address is wrong");
	} else if ((!removes || id.len == 0) && !text_is(method, "GET")) {
		http_reply_header(r, "Allow", id.len > 0 ? "GET, DELETE" : "GET");
		refuse(c, 405, "this method means nothing here");
	} else if (id.len == 0) {
		list(c);
	} else if ((l = look_new(c, id)) != NULL && removes) {
		queue_cancel(c->setup->queue, text_of(l->account), id, cancelled, l);
	} else if (l != NULL) {
		queue_find(c->setup->queue, text_of(l->account), id, found, l);
	}
}
