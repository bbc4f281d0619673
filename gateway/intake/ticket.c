/*
 * ticket.c - an order under way: receivers, sender, the way into the queue, the answer
 *
 * What every road has in common stands here: who gets it and from whom, one message per
 * receiver, all of them durable or none, and one call of `done`, never inside the caller's.
 *
 * Knows:     Kannel's precedences of sender and smsc, receiver lists, unified-prefix.
 * Does not:  know what a message carries.
 * Owns:      a ticket, in one block with the texts that outlive the call; the queue has it as
 *            the argument of its callback, so it lives until that or queue_withdraw.
 * Threads:   the loop.
 */
#include "intake/inner.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/ip.h"
#include "io/log.h"
#include "push/msisdn.h"

enum { UNIFIED_MOST = ADDRESS_MOST + 1 };	/* with its + */

/* --- memory ---------------------------------------------------------------- */

struct cutter {			/* pieces of one block */
	char	*at, *end;
};

static void *
cut(struct cutter *c, size_t octets)
{
	void *p = c->at;

	c->at += (octets + 7) & ~(size_t)7;
	return p;
}

static struct text
cut_text(struct cutter *c, struct text t)	/* with a NUL behind it */
{
	char *p = cut(c, t.len + 1);

	if (t.len > 0)
		memcpy(p, t.at, t.len);
	p[t.len] = '\0';
	return (struct text){ p, t.len };
}

static void
ticket_free(struct intake_ticket **tp)
{
	findings_free(&(*tp)->findings);
	explicit_bzero((*tp)->user_code, sizeof (*tp)->user_code);
	free(*tp);
	*tp = NULL;
}

/* --- receivers and sender --------------------------------------------------- */

/* Kannel splits at any white space. */
static bool
next_word(struct text *rest, struct text *word)
{
	size_t n = 0;

	*rest = text_trim(*rest);
	while (n < rest->len && memchr(" \t\r\n\v\f", rest->at[n], 6) == NULL)
		n++;
	*word = (struct text){ rest->at, n };
	rest->at += n;
	rest->len -= n;
	return n > 0;
}

static size_t
count_words(struct text to)
{
	struct text word;
	size_t n = 0;

	while (to.len > 0 && next_word(&to, &word))
		n++;
	return n;
}

static bool
address_fits(struct text unified)
{
	return unified.len > 0 && unified.len - (unified.at[0] == '+') <= ADDRESS_MOST;
}

/* Characters and length for all; lists for texts only, as in Kannel. */
static bool
receiver_ok(const struct intake *in, const struct order *o, bool document, struct text given)
{
	uint8_t room[UNIFIED_MOST + 1];
	struct buf unified = buf_on(room, sizeof room);

	if (!msisdn_chars_ok(given, in->conf.sendsms_chars))
		return false;
	prefixes_apply(in->prefixes, given, &unified);
	if (unified.overflow || !address_fits((struct text){ (char *)room, unified.len }))
		return false;
	return document || (account_may_reach(o->account, given) && lists_pass(&in->lists, given));
}

static struct text
first_given(const struct text *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (texts[i].len > 0)
			return texts[i];
	return (struct text){ 0 };
}

static struct text
sender_of(const struct intake *in, const struct order *o)
{
	return first_given((struct text[]){ text_of(o->account->faked_sender), o->from,
	    text_of(o->account->default_sender), text_of(in->conf.global_sender) }, 4);
}

static struct text
smsc_of(const struct order *o)
{
	return first_given((struct text[]){ text_of(o->account->forced_smsc), o->smsc,
	    text_of(o->account->default_smsc) }, 3);
}

static size_t
characters(struct text utf8)
{
	size_t n = 0;

	for (size_t i = 0; i < utf8.len; i++)
		n += ((uint8_t)utf8.at[i] & 0xC0) != 0x80;
	return n;
}

static enum intake_verdict
judge_sender(struct text sender, struct err *err)
{
	if (sender.len == 0) {
		err_set(err, ERR_SYNTAX, "no sender: give from, or set default-sender or "
		    "global-sender");
		return INTAKE_BAD_SENDER;
	}
	if (memchr(sender.at, '\0', sender.len) != NULL) {
		err_set(err, ERR_SYNTAX, "the sender holds a NUL octet: leave it (%%00) out of from");
		return INTAKE_BAD_SENDER;
	}
	if (characters(sender) > ADDRESS_MOST) {
		err_set(err, ERR_LIMIT, "the sender is longer than %d characters", ADDRESS_MOST);
		return INTAKE_BAD_SENDER;
	}
	return INTAKE_ACCEPTED;
}

/* A document goes to all or to none; of a text's receivers those that may not get it are left
 * out, as in Kannel. `ok` counts the others. */
static enum intake_verdict
judge_receivers(const struct intake *in, const struct order *o, bool document, size_t *ok,
    struct err *err)
{
	struct text to = o->to, word;
	size_t words = 0;

	*ok = 0;
	while (to.len > 0 && next_word(&to, &word)) {
		if (++words > RECEIVERS_MOST) {
			err_set(err, ERR_LIMIT, "more than %d receivers", RECEIVERS_MOST);
			return INTAKE_BAD_ARGS;
		}
		*ok += receiver_ok(in, o, document, word);
	}
	if (document && words == 0)
		err_set(err, ERR_SYNTAX, "no receiver: give to");
	else if (document && *ok < words)
		err_set(err, ERR_SYNTAX, "a receiver has other characters than \"%.40s\", or more "
		    "than %d of them", in->conf.sendsms_chars, ADDRESS_MOST);
	else if (*ok == 0)
		err_set(err, ERR_SYNTAX, "no receiver is left: characters, length or lists");
	else
		return INTAKE_ACCEPTED;
	return document ? INTAKE_BAD_ARGS : INTAKE_DENIED;
}

enum intake_verdict
intake_look(const struct intake *in, const struct order *o, bool document)
{
	enum intake_verdict verdict;
	size_t ok;

	verdict = judge_receivers(in, o, document, &ok, NULL);
	if (verdict == INTAKE_ACCEPTED)
		verdict = judge_sender(sender_of(in, o), NULL);
	return verdict;
}

/* --- a new ticket ----------------------------------------------------------- */

static struct intake_ticket *
ticket_make(struct intake *in, const struct order *o, size_t words)
{
	struct text sender = sender_of(in, o);
	struct intake_ticket *t;
	struct cutter c;
	size_t each = sizeof *t->receivers + sizeof *t->id_list + sizeof *t->ids + UNIFIED_MOST;
	size_t octets = sizeof *t + words * each + o->to.len + strlen(o->account->username) +
	    sender.len + o->push_id.len + o->replaces.len + 12 * sizeof(uint64_t);	/* ends and rounding */

	t = malloc(octets);
	if (t == NULL)
		return NULL;
	memset(t, 0, sizeof *t);
	t->intake = in;
	t->door = o->door;
	if (o->client != NULL)
		ip_print(o->client, t->client, sizeof t->client);
	c = (struct cutter){ (char *)t + ((sizeof *t + 7) & ~(size_t)7), (char *)t + octets };
	t->receivers = cut(&c, words * sizeof *t->receivers);
	t->id_list = cut(&c, words * sizeof *t->id_list);
	t->ids = cut(&c, words * sizeof *t->ids);
	t->account = cut_text(&c, text_of(o->account->username));
	t->sender = cut_text(&c, sender);
	if (o->push_id.len > 0)
		t->push_id = cut_text(&c, o->push_id).at;
	if (o->replaces.len > 0)
		t->replaces = cut_text(&c, o->replaces);
	t->result.denied = (struct text){ cut(&c, o->to.len + 1), 0 };
	t->result.push_ids = t->id_list;
	t->addresses = buf_on(c.at, (size_t)(c.end - c.at));
	return t;
}

static void
ticket_deny(struct intake_ticket *t, struct text given)
{
	char *denied = (char *)(uintptr_t)t->result.denied.at;

	if (t->result.denied.len > 0)
		denied[t->result.denied.len++] = ' ';
	memcpy(denied + t->result.denied.len, given.at, given.len);
	t->result.denied.len += given.len;
}

static void
ticket_receivers(struct intake_ticket *t, const struct order *o, bool document)
{
	struct intake *in = t->intake;
	struct text to = o->to, word;

	while (to.len > 0 && next_word(&to, &word)) {
		size_t from = t->addresses.len;

		if (!receiver_ok(in, o, document, word)) {
			ticket_deny(t, word);
			continue;
		}
		prefixes_apply(in->prefixes, word, &t->addresses);
		t->receivers[t->count++] = (struct text){ (char *)t->addresses.data + from,
		    t->addresses.len - from };
	}
}

/* Store trouble, a full queue, a closed door. */
static bool
busy(struct intake *in, struct err *err)
{
	struct queue_stats stats;

	if (in->closed) {
		err_set(err, ERR_BUSY, "the gateway is stopping");
		return true;
	}
	if (queue_in_trouble(in->queue, err))
		return true;
	queue_stats(in->queue, &stats);
	if (in->conf.queue_limit >= 0 &&
	    stats.counts.waiting >= (uint64_t)in->conf.queue_limit) {
		err_set(err, ERR_BUSY, "the queue is full: %llu messages wait",
		    (unsigned long long)stats.counts.waiting);
		return true;
	}
	return false;
}

struct intake_ticket *
ticket_new(struct intake *in, const struct order *o, bool document, intake_done_fn *done,
    void *arg)
{
	size_t words = count_words(o->to), ok;
	struct intake_ticket *t = ticket_make(in, o, words > 0 && words <= RECEIVERS_MOST ? words : 1);
	enum intake_verdict verdict = INTAKE_BUSY;
	struct err *err;

	if (t == NULL)
		return NULL;
	t->done = done;
	t->arg = arg;
	err = &t->result.err;
	if (!busy(in, err))
		verdict = judge_receivers(in, o, document, &ok, err);
	if (verdict == INTAKE_ACCEPTED)
		verdict = judge_sender(t->sender, err);
	if (verdict == INTAKE_ACCEPTED && o->push_id.len + o->replaces.len > 0 && ok > 1) {
		err_set(err, ERR_SYNTAX, "one push-id for several receivers");
		verdict = INTAKE_BAD_ARGS;
	}
	t->result.verdict = verdict;
	if (verdict == INTAKE_ACCEPTED)
		ticket_receivers(t, o, document);
	else
		ticket_refuse(t, verdict);
	return t;
}

/* --- the end of the road ----------------------------------------------------- */

void
ticket_refuse(struct intake_ticket *t, enum intake_verdict verdict)
{
	struct intake *in = t->intake;

	t->result.verdict = verdict;
	t->previous = in->refused_last;
	if (in->refused_last != NULL)
		in->refused_last->next = t;
	else
		in->refused = t;
	in->refused_last = t;
	loop_soon(in->loop, &in->soon);
}

static void
refused_remove(struct intake_ticket *t)
{
	struct intake *in = t->intake;

	if (t->previous != NULL)
		t->previous->next = t->next;
	else
		in->refused = t->next;
	if (t->next != NULL)
		t->next->previous = t->previous;
	else
		in->refused_last = t->previous;
	t->next = t->previous = NULL;
}

static void
ticket_tell(struct intake_ticket *t)
{
	if (t->findings.count > 0)
		t->result.findings = &t->findings;
	if (t->done != NULL)
		t->done(t->arg, &t->result);
	ticket_free(&t);
}

/* `done` may give in new orders; those are told in the next turn. */
void
ticket_tell_refused(void *arg)
{
	struct intake *in = arg;
	struct intake_ticket *last = in->refused_last;

	while (in->refused != NULL) {
		struct intake_ticket *t = in->refused;
		bool end = t == last;

		refused_remove(t);
		ticket_tell(t);
		if (end)
			break;
	}
	if (in->refused != NULL)
		loop_soon(in->loop, &in->soon);
}

static void
ticket_log(const struct intake_ticket *t)
{
	static const char *const numbers[] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" };
	char many[12];
	struct buf b = buf_on(many, sizeof many);
	const char *segments = numbers[0];

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	if (t->result.segments < 10)
		segments = numbers[t->result.segments];
	else {
		buf_printf(&b, "%u", t->result.segments);
		segments = buf_cstr(&b);
	}
	for (size_t i = 0; i < t->count; i++) {
		struct log_field fields[] = {
			{ "door", text_of(t->door) },
			{ "account", t->account },
			{ "to", t->receivers[i] },
			{ "from", t->sender },
			{ "segments", text_of(segments) },
			{ "sec", text_of(t->note) },
			{ "client", t->client[0] != '\0' ? text_of(t->client) : (struct text){ 0 } },
		};

		log_event("accepted", t->id_list[i], fields, sizeof fields / sizeof *fields);
	}
}

/* The queue's answer: durable, or not. */
static void
stored(void *arg, const struct err *err, const uint64_t *ids, size_t n, bool repeated)
{
	struct intake_ticket *t = arg;

	t->submission = NULL;
	if (err != NULL) {
		t->result.verdict = INTAKE_BUSY;
		t->result.err = *err;
		t->count = 0;
	} else {
		t->result.verdict = t->accepted;
		for (size_t i = 0; i < n && i < t->count; i++) {
			if (t->push_id == NULL)
				queue_push_id_of(t->intake->queue, ids[i], t->ids[i]);
			t->id_list[i] = t->push_id != NULL ? t->push_id : t->ids[i];
		}
		t->result.count = t->count;
		if (!repeated)
			ticket_log(t);
	}
	ticket_tell(t);
}

/* The queue's answer to a replacement. */
static void
replaced(void *arg, const struct err *err, enum store_result result)
{
	static const enum intake_verdict verdicts[] = {
		[STORE_FAILED] = INTAKE_BUSY, [STORE_FENCED] = INTAKE_BUSY,
		[STORE_EXISTS] = INTAKE_BUSY, [STORE_ABSENT] = INTAKE_NO_SUCH,
		[STORE_TOO_LATE] = INTAKE_TOO_LATE
	};
	struct intake_ticket *t = arg;

	t->changing = false;
	if (result == STORE_OK) {
		t->result.verdict = t->accepted;
		t->id_list[0] = t->replaces.at;
		t->result.count = 1;
		ticket_log(t);
	} else {
		t->result.verdict = err != NULL && err->code == ERR_SYNTAX ? INTAKE_BAD_ARGS :
		    verdicts[result];
		if (err != NULL)
			t->result.err = *err;
	}
	ticket_tell(t);
}

static void
messages_free(struct message **messages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		message_free(&messages[i]);
}

/* One copy for each receiver; -1 without memory. */
static int
messages_make(struct intake_ticket *t, struct message *m, struct message **messages)
{
	for (size_t i = 0; i < t->count; i++) {
		m->msisdn = t->receivers[i];
		if ((messages[i] = message_new(m)) == NULL) {
			messages_free(messages, i);
			return -1;
		}
	}
	return 0;
}

/* All or none: one receiver that no link can ever reach refuses the order. */
static bool
routable(struct intake_ticket *t, struct message *m)
{
	struct intake *in = t->intake;

	t->accepted = INTAKE_QUEUED;
	for (size_t i = 0; i < t->count; i++) {
		enum intake_routable now = INTAKE_NEVER;

		m->msisdn = t->receivers[i];
		if (lists_pass(&in->core_lists, m->msisdn))
			now = in->links.routable(in->links.arg, m);
		if (now == INTAKE_NEVER) {
			err_set(&t->result.err, ERR_ROUTE, "no link may carry it");
			return false;
		}
		if (now == INTAKE_NOW)
			t->accepted = INTAKE_ACCEPTED;
	}
	return true;
}

/* Takes the messages, or leaves all of them. */
static void
hand_over(struct intake_ticket *t, struct message **messages)
{
	if (t->replaces.at != NULL) {
		t->changing = true;
		queue_replace(t->intake->queue, t->account, t->replaces, messages, replaced, t);
	} else {
		t->submission = queue_submit(t->intake->queue, messages, t->count, stored, t);
	}
}

void
ticket_submit(struct intake_ticket *t, struct message *m)
{
	struct message *few[8], **messages = few;

	m->sender = t->sender;
	if (!routable(t, m)) {
		ticket_refuse(t, INTAKE_UNROUTABLE);
		return;
	}
	if (t->count > sizeof few / sizeof *few)
		messages = malloc(t->count * sizeof *messages);
	if (messages != NULL && messages_make(t, m, messages) == 0) {
		hand_over(t, messages);
		if (t->submission == NULL && !t->changing)
			messages_free(messages, t->count);
	}
	if (messages != few)
		free(messages);
	if (t->submission == NULL && !t->changing) {
		err_set(&t->result.err, ERR_SYSTEM, "no memory for the message");
		ticket_refuse(t, INTAKE_BUSY);
	}
}

bool
intake_withdraw(struct intake *in, struct intake_ticket *t)
{
	if (t->changing)
		return false;
	if (t->submission == NULL)
		refused_remove(t);
	else if (!queue_withdraw(in->queue, t->submission))
		return false;
	ticket_free(&t);
	return true;
}

void
intake_forget(struct intake_ticket *t)
{
	t->done = NULL;
}

/* --- what every message of an order has --------------------------------------- */

static wall_t
after(wall_t now, long minutes)
{
	/* "at once" still has to reach the SMSC */
	return now + (minutes > 0 ? minutes * 60000LL : 1000);
}

void
order_message(const struct intake *in, const struct order *o, struct message *m)
{
	const struct account *a = o->account;

	*m = (struct message){
		.account = text_of(a->username), .service = text_of(a->name),
		.push_id = o->push_id.len > 0 ? o->push_id : (struct text){ 0 },
		.smsc = smsc_of(o), .billing = o->billing, .binfo = o->binfo,
		.meta_data = o->meta_data, .group = o->group,
		.klass = (uint8_t)(o->klass >= 0 ? o->klass : a->klass),
		.coding = MESSAGE_UNSET, .mclass = MESSAGE_UNSET, .mwi = MESSAGE_UNSET,
		.alt_dcs = MESSAGE_UNSET, .compress = MESSAGE_UNSET, .rpi = MESSAGE_UNSET,
		.pid = MESSAGE_UNSET, .priority = (int8_t)o->priority,
		.dlr_mask = (uint8_t)(o->dlr_mask > 0 ? o->dlr_mask : 0),
		.octets_most = (uint16_t)in->conf.sms_length,
		.accepted = clock_wall(),
	};
	if (m->dlr_mask != 0)
		m->dlr_url = o->dlr_url.len > 0 ? o->dlr_url : text_of(a->dlr_url);
	if (o->validity_min >= 0) {
		m->expires = after(m->accepted, o->validity_min);
		m->validity_given = true;
	}
	if (o->deferred_min >= 0)
		m->deferred = after(m->accepted, o->deferred_min);
}
