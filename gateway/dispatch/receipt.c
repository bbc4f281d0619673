/*
 * receipt.c - receipts become evidence, decided messages finish
 *
 * The token of a receipt is acknowledged when it is durable; in trouble the SMSC is asked to
 * bring it again. An id that matches nothing is tried in its other form (msg-id-type); then the
 * first form is what stays in the store, waiting for its message. So the store keeps both when
 * neither matches; the one that nobody asks for goes with the purge.
 *
 * Knows:     the map from receipts to outcomes and events.
 * Does not:  know segments: the store joins them.
 * Owns:      what is under way.
 * Threads:   the loop.
 */
#include "dispatch/receipt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/log.h"
#include "io/loop.h"
#include "push/message.h"

enum { ID_MOST = 256, SAID_MOST = 256 };

struct under_way {
	struct receipts	*receipts;
	struct under_way *next, *prev;
	struct link	*link;
	uint64_t	 token;
	uint8_t		 state;
	bool		 second;	/* the other form of the id */
	uint16_t	 id_len, alt_len, said_len;
	wall_t		 at;
	char		 id[ID_MOST], alt[ID_MOST], said[SAID_MOST];
};

struct left {				/* a message that a crash left with something to be told; being read */
	struct receipts	*receipts;
	struct left	*next;
	uint64_t	 id, key;
};

struct receipts {
	struct loop	*loop;
	struct links	*links;
	struct ledger	*ledger;
	struct endings	*endings;
	struct under_way *list, *spare;
	struct left	*lefts;
	bool		 sweeping;
	uint64_t	 unmatched;
};

static const struct decided {
	enum store_outcome outcome;
	int		 event;
	const char	*word;
} decided[] = {
	[RECEIPT_NONE] =      { OUTCOME_UNKNOWN, DLR_UNKNOWN, "none" },
	[RECEIPT_PENDING] =   { OUTCOME_UNKNOWN, DLR_BUFFERED, "pending" },
	[RECEIPT_DELIVERED] = { OUTCOME_DELIVERED, DLR_DELIVERED, "delivered" },
	[RECEIPT_EXPIRED] =   { OUTCOME_EXPIRED, DLR_EXPIRED, "expired" },
	[RECEIPT_FAILED] =    { OUTCOME_FAILED, DLR_FAILED, "failed" },
	[RECEIPT_UNKNOWN] =   { OUTCOME_UNKNOWN, DLR_FAILED, "unknown" },	/* as Kannel maps it */
};

static uint8_t
state_of(enum smsc_report_state s)
{
	static const uint8_t states[] = {
		[REPORT_PENDING] = RECEIPT_PENDING, [REPORT_DELIVERED] = RECEIPT_DELIVERED,
		[REPORT_EXPIRED] = RECEIPT_EXPIRED, [REPORT_FAILED] = RECEIPT_FAILED,
		[REPORT_UNKNOWN] = RECEIPT_UNKNOWN
	};

	return states[s];
}

struct receipts *
receipts_new(struct loop *loop, struct links *links, struct ledger *ledger, struct endings *endings)
{
	struct receipts *r = calloc(1, sizeof *r);

	if (r != NULL)
		*r = (struct receipts){ .loop = loop, .links = links, .ledger = ledger,
		    .endings = endings };
	return r;
}

void
receipts_free(struct receipts **rp)
{
	struct receipts *r = *rp;
	struct under_way *lists[2];

	if (r == NULL)
		return;
	lists[0] = r->list;
	lists[1] = r->spare;
	for (unsigned i = 0; i < 2; i++) {
		for (struct under_way *u = lists[i], *next; u != NULL; u = next) {
			next = u->next;
			free(u);
		}
	}
	for (struct left *l = r->lefts, *next; l != NULL; l = next) {
		next = l->next;
		free(l);
	}
	free(r);
	*rp = NULL;
}

uint64_t
receipts_unmatched(const struct receipts *r)
{
	return r->unmatched;
}

/* --- what was decided ---------------------------------------------------------------- */

static void
receipt_log(const struct receipts *r, const struct message *m, uint8_t state, struct text foreign_id)
{
	char id[PUSH_ID_MOST + 1];

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	queue_push_id(ledger_queue(r->ledger), m, id);
	log_event("receipt", id, (struct log_field[]){ { "state", text_of(decided[state].word) },
	    { "foreign-id", foreign_id } }, 2);
}

static void
receipt_finish(struct receipts *r, const struct message *m, uint64_t key, uint8_t state,
    struct text foreign_id, struct text said, struct text link, uint16_t attempt)
{
	const struct decided *d = &decided[state];
	struct store_settlement s = { .state = STATE_FINISHED, .outcome = d->outcome, .link = link,
	    .attempt = attempt };
	struct report event = { .event = d->event, .foreign_id = foreign_id, .answer = said };

	links_tell(r->links, link, &event);
	receipt_log(r, m, state, foreign_id);
	ending_settle(r->endings, m, key, &s, &event, NULL, NULL);
}

/* The first intermediate report: the receipt that says so is durable, the settlement that tells
 * of it brings the notification. Decided or told meanwhile: the store refuses it. */
static void
receipt_tell(struct receipts *r, const struct message *m, uint64_t key, struct text foreign_id,
    struct text said, struct text link, uint16_t attempt)
{
	struct store_settlement s = { .state = STATE_AWAITING, .attempt = attempt,
	    .pending = PENDING_TOLD };
	struct report event = { .event = DLR_BUFFERED, .foreign_id = foreign_id, .answer = said };

	links_tell(r->links, link, &event);
	receipt_log(r, m, RECEIPT_PENDING, foreign_id);
	ending_settle(r->endings, m, key, &s, &event, NULL, NULL);
}

void
receipts_joined(struct receipts *r, const struct store_joined *j)
{
	struct message *m;

	if (!j->ripe && !j->first_pending)
		return;
	if (j->body.at == NULL || (m = message_unpack(j->body.at, j->body.len, NULL)) == NULL) {
		log_error("message %" PRIu64 ": its body cannot be read, its report waits", j->id);
		return;
	}
	m->id = j->id;
	if (j->ripe)
		receipt_finish(r, m, j->order_key, j->state, j->foreign_id, j->said, j->link,
		    j->attempt);
	else
		receipt_tell(r, m, j->order_key, j->foreign_id, j->said, j->link, j->attempt);
	message_free(&m);
}

/* --- from the link ---------------------------------------------------------------------- */

static void	receipt_write(struct under_way *);

static void
under_way_end(struct under_way *u, bool taken)
{
	struct receipts *r = u->receipts;

	link_ack(u->link, u->token, taken);
	u->link->receipts--;
	if (u->prev != NULL)
		u->prev->next = u->next;
	else
		r->list = u->next;
	if (u->next != NULL)
		u->next->prev = u->prev;
	u->next = r->spare;
	r->spare = u;
}

static void
receipt_written(void *arg, const struct err *err, const struct store_joined *j)
{
	struct under_way *u = arg;
	struct receipts *r = u->receipts;

	if (err == NULL && j != NULL && !j->matched && !u->second && u->alt_len > 0) {
		u->second = true;
		receipt_write(u);
		return;
	}
	if (err == NULL && j != NULL && !j->matched)
		r->unmatched++;
	under_way_end(u, err == NULL);
	if (err == NULL && j != NULL && j->matched)
		receipts_joined(r, j);
}

static void
receipt_write(struct under_way *u)
{
	struct store_receipt row = { .domain = text_of(u->link->domain), .state = u->state,
	    .at = u->at, .said = { u->said, u->said_len } };

	row.foreign_id = u->second ? (struct text){ u->alt, u->alt_len } :
	    (struct text){ u->id, u->id_len };
	ledger_receipt(u->receipts->ledger, &row, receipt_written, u);
}

static uint16_t
keep(char *to, size_t most, struct text t)
{
	size_t n = t.len < most ? t.len : most;

	if (n > 0)
		memcpy(to, t.at, n);
	return (uint16_t)n;
}

void
receipts_take(struct receipts *r, struct link *l, const struct smsc_receipt *in, uint64_t token)
{
	struct under_way *u = r->spare;

	rate_add(&l->dlr_received, loop_now(r->loop), 1);
	if (in->foreign_id.len == 0) {		/* it can match nothing, ever */
		r->unmatched++;
		link_ack(l, token, true);
		return;
	}
	if (u != NULL)
		r->spare = u->next;
	else if ((u = malloc(sizeof *u)) == NULL) {
		link_ack(l, token, false);
		return;
	}
	u->receipts = r;
	u->link = l;
	u->token = token;
	u->state = state_of(in->state);
	u->second = false;
	u->at = clock_wall();
	u->id_len = keep(u->id, sizeof u->id, in->foreign_id);
	u->alt_len = keep(u->alt, sizeof u->alt, in->foreign_id_alt);
	u->said_len = keep(u->said, sizeof u->said, in->said);
	u->prev = NULL;
	if ((u->next = r->list) != NULL)
		u->next->prev = u;
	r->list = u;
	l->receipts++;			/* keeps the link known until the answer */
	receipt_write(u);
}

/* --- what waits too long ------------------------------------------------------------------ */

static void
left_free(struct left *l)
{
	struct left **at = &l->receipts->lefts;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	free(l);
}

static void
left_read(void *arg, const struct err *err, const struct store_flight *f)
{
	struct left *l = arg;
	struct message *m = NULL;

	if (err == NULL && f->body.at != NULL && f->receipt_state != RECEIPT_NONE &&
	    (m = message_unpack(f->body.at, f->body.len, NULL)) != NULL) {
		m->id = l->id;
		if (f->state == STATE_RIPE)
			receipt_finish(l->receipts, m, l->key, f->receipt_state, f->receipt_id,
			    f->receipt_said, f->link, f->attempt);
		else if (f->state == STATE_AWAITING)
			receipt_tell(l->receipts, m, l->key, f->receipt_id, f->receipt_said, f->link,
			    f->attempt);
	}
	message_free(&m);
	left_free(l);
}

static void
left_look(struct receipts *r, uint64_t id, uint64_t key)
{
	struct left *l = malloc(sizeof *l);

	if (l == NULL)
		return;			/* the next sweep comes */
	*l = (struct left){ .receipts = r, .next = r->lefts, .id = id, .key = key };
	r->lefts = l;
	ledger_flight(r->ledger, id, key, left_read, l);
}

static void
overdue_done(void *arg, enum errand_end end, uint64_t id, uint64_t key, wall_t expires)
{
	(void)arg;
	(void)end;
	(void)id;
	(void)key;
	(void)expires;
}

static void
overdue_read(void *arg, const struct err *err, const struct store_index *rows, size_t n)
{
	static const struct errand unknown = { .outcome = OUTCOME_UNKNOWN, .event = DLR_UNKNOWN };
	struct receipts *r = arg;

	r->sweeping = false;
	for (size_t i = 0; err == NULL && i < n; i++) {
		if (rows[i].state == STATE_AWAITING && !rows[i].pending)
			ending_errand(r->endings, rows[i].id, rows[i].order_key, &unknown,
			    overdue_done, r);
		else
			left_look(r, rows[i].id, rows[i].order_key);
	}
}

void
receipts_sweep(struct receipts *r)
{
	if (r->sweeping || endings_open(r->endings) > 0)
		return;			/* the former slice is not done yet */
	r->sweeping = true;
	ledger_overdue(r->ledger, overdue_read, r);
}
