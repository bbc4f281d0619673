/*
 * row.c - the rules: marks, settlements, evidence, receipts
 *
 * Knows:     what an operation means for the message, whatever the store.
 * Does not:  know transactions, keys, who owns the partition.
 * Owns:      nothing but what a row owns.
 * Threads:   pure.
 */
#include "queue/row.h"

#include <stdlib.h>
#include <string.h>

#include "io/log.h"

/* --- rows ------------------------------------------------------------------------ */

void
row_own(struct row *r)
{
	struct text *texts[] = { &r->in.msisdn, &r->in.account, &r->in.push_id, &r->in.smsc,
	    &r->in.group, &r->in.body, &r->mark.link, &r->carried };
	struct row_segment *e;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		*texts[i] = arena_text(&r->arena, *texts[i]);
	e = arena_get(&r->arena, r->evidence_count * sizeof *e);
	for (unsigned i = 0; i < r->evidence_count; i++) {
		e[i] = r->evidence[i];
		e[i].domain = arena_text(&r->arena, e[i].domain);
		e[i].said = arena_text(&r->arena, e[i].said);
		e[i].answer.foreign_id = arena_text(&r->arena, e[i].answer.foreign_id);
	}
	r->evidence = e;
}

struct row *
row_new(const struct row *like)
{
	struct row *r = malloc(sizeof *r);

	if (r == NULL) {
		log_line(LOG_LEVEL_PANIC, "out of memory in the store");
		log_flush();
		abort();	/* what was accepted is committed */
	}
	*r = *like;
	r->arena = (struct arena){ 0 };
	row_own(r);
	return r;
}

void
row_free(void *row)
{
	struct row *r = row;

	if (r == NULL)
		return;
	arena_free(&r->arena);
	free(r);
}

/* --- evidence --------------------------------------------------------------------- */

static struct row_segment *
segment_of(const struct row *r, uint16_t attempt, uint8_t segment)
{
	for (unsigned i = 0; i < r->evidence_count; i++)
		if (r->evidence[i].attempt == attempt && r->evidence[i].answer.segment == segment)
			return &r->evidence[i];
	return NULL;
}

static struct row_segment *
segment_add(struct row *r, uint16_t attempt, uint8_t segment)
{
	struct row_segment *e = arena_get(&r->arena, (r->evidence_count + 1) * sizeof *e);
	unsigned at = 0;

	/* In order of segments, which receipts join by and a flight shows them by. */
	while (at < r->evidence_count && r->evidence[at].answer.segment < segment)
		at++;
	if (r->evidence_count > 0)
		memcpy(e, r->evidence, at * sizeof *e);
	e[at] = (struct row_segment){ .attempt = attempt, .answer.segment = segment };
	if (at < r->evidence_count)
		memcpy(e + at + 1, r->evidence + at, (r->evidence_count - at) * sizeof *e);
	r->evidence = e;
	r->evidence_count++;
	return &e[at];
}

static void
foreign_drop(const struct row *r, const struct row_segment *e, const struct row_world *w)
{
	if (e->answer.foreign_id.len > 0)
		w->foreign_drop(w->arg, e->domain, e->answer.foreign_id, r, e);
}

/* Attempts other than this one are forgotten; none is kept for attempt 0. */
static void
evidence_forget(struct row *r, uint16_t keep, const struct row_world *w)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < r->evidence_count; i++) {
		if (keep != 0 && r->evidence[i].attempt == keep)
			r->evidence[kept++] = r->evidence[i];
		else
			foreign_drop(r, &r->evidence[i], w);
	}
	r->evidence_count = kept;
}

static struct receipt_join
row_join(const struct row *r)
{
	struct receipt_join j = { 0 };

	for (unsigned i = 0; i < r->evidence_count; i++)
		if (r->evidence[i].attempt == r->mark.attempt)
			receipt_join_add(&j, r->evidence[i].receipt, r->evidence[i].answer.foreign_id,
			    r->evidence[i].said);
	return j;
}

static bool
row_to_tell(const struct row *r)	/* of its first intermediate report */
{
	return r->state == STATE_AWAITING && r->wanted && r->pended;
}

static void
segment_receipt(struct row *r, struct row_segment *e, const struct store_receipt *receipt,
    struct store_joined *joined)
{
	e->receipt = receipt->state;
	e->said = arena_text(&r->arena, receipt->said);
	joined->changed = true;
	if (receipt->state == RECEIPT_PENDING && r->wanted && !r->pended) {
		r->pended = true;
		joined->first_pending = true;
		joined->state = RECEIPT_PENDING;
		joined->foreign_id = e->answer.foreign_id;
		joined->said = e->said;
	}
}

/* All segments answered: do their receipts decide? */
static void
receipts_decide(struct row *r, struct store_joined *joined)
{
	struct receipt_join j;

	if (r->state != STATE_AWAITING)
		return;
	j = row_join(r);
	if (!receipt_join_decided(&j, r->segments))
		return;
	r->state = STATE_RIPE;
	joined->changed = joined->ripe = true;
	joined->first_pending = false;
	joined->state = j.state;
	joined->foreign_id = j.foreign_id;
	joined->said = j.said;
}

/* Who it is, and what the owner needs to tell somebody. */
static void
joined_finish(const struct row *r, struct store_joined *joined)
{
	joined->id = r->in.id;
	joined->order_key = r->in.order_key;
	joined->attempt = r->mark.attempt;
	if (!joined->ripe && !joined->first_pending)
		return;
	joined->link = r->mark.link;
	joined->body = r->in.body;
}

/* A receipt that came before this answer. One from before the mark belongs to an older message that
 * had the same id from the SMSC. */
static void
meet_early(struct row *r, struct row_segment *e, struct store_joined *joined, const struct row_world *w)
{
	struct store_receipt early;

	if (!w->early_take(w->arg, e->domain, e->answer.foreign_id, &early) ||
	    early.at < r->mark.at - EARLY_SLACK_MS)
		return;
	joined->matched = true;
	segment_receipt(r, e, &early, joined);
}

static void
answer_keep(struct row *r, uint16_t attempt, struct text domain, const struct store_answer *a,
    struct store_joined *joined, const struct row_world *w)
{
	struct row_segment *e = segment_of(r, attempt, a->segment);

	if (e == NULL)
		e = segment_add(r, attempt, a->segment);
	else
		foreign_drop(r, e, w);
	/* Said again, the segment keeps the receipt that it has. */
	e->answer.state = a->state;
	e->answer.foreign_id = arena_text(&r->arena, a->foreign_id);
	e->domain = arena_text(&r->arena, domain);
	if (a->foreign_id.len == 0)
		return;
	w->foreign_set(w->arg, e->domain, e->answer.foreign_id, r, e);
	meet_early(r, e, joined, w);
}

/* --- operations ------------------------------------------------------------------ */

enum store_result
row_mark(struct row *r, const struct store_mark *mark)
{
	if (r->state == STATE_AWAITING || r->state == STATE_RIPE)
		return STORE_TOO_LATE;
	if (r->state != STATE_WAITING)	/* a former mark was never answered: it may have left */
		r->left = true;
	r->mark = *mark;
	r->mark.link = arena_text(&r->arena, mark->link);
	r->state = STATE_SENDING;
	return STORE_OK;
}

bool
row_may_settle(const struct row *r, const struct store_settlement *st)
{
	return st->pending != PENDING_TOLD || row_to_tell(r);
}

void
row_settle(struct row *r, const struct store_settlement *st, struct store_joined *joined,
    const struct row_world *w)
{
	r->state = st->state;
	r->mark.attempt = st->attempt;
	r->due = st->due;
	r->tries = st->tries;
	r->refused = st->refused;
	if (st->pending != PENDING_AS_IT_WAS)
		r->wanted = st->pending == PENDING_WANTED;
	if (st->segments != 0)
		r->segments = st->segments;
	if (st->state == STATE_UNKNOWN || st->state == STATE_HELD || st->state == STATE_AWAITING)
		r->left = true;
	if (st->new_attempt)
		evidence_forget(r, st->attempt, w);
	for (unsigned i = 0; i < st->answer_count; i++) {
		const struct store_answer *a = &st->answers[i];

		if (a->state == ANSWER_ACCEPTED || a->state == ANSWER_UNKNOWN)
			r->left = true;
		answer_keep(r, st->attempt, st->domain, a, joined, w);
	}
	receipts_decide(r, joined);
	if (joined->matched || joined->ripe)
		joined_finish(r, joined);
}

void
row_finish(struct row *r, const struct store_settlement *st, const struct row_world *w)
{
	struct arena whole;

	evidence_forget(r, 0, w);
	whole = r->arena;
	r->arena = (struct arena){ 0 };		/* what is left moves out, the body's memory goes */
	r->state = STATE_FINISHED;
	r->in.body = (struct text){ 0 };
	r->mark.attempt = st->attempt;
	r->outcome = st->outcome;
	r->code = st->code;
	r->finished = st->at;
	r->carried = st->link;
	row_own(r);
	arena_free(&whole);
}

bool
row_evidence(struct row *r, const struct store_evidence *v, struct store_joined *joined,
    const struct row_world *w)
{
	if (v->attempt != r->mark.attempt || (r->state != STATE_SENDING && r->state != STATE_UNKNOWN &&
	    r->state != STATE_HELD))
		return false;
	if (v->segments != 0)
		r->segments = v->segments;
	for (unsigned i = 0; i < v->answer_count; i++)
		answer_keep(r, v->attempt, v->domain, &v->answers[i], joined, w);
	return true;
}

bool
row_heeds(const struct row *r, uint16_t attempt, uint8_t segment, uint8_t receipt)
{
	const struct row_segment *e = segment_of(r, attempt, segment);

	return e != NULL && attempt == r->mark.attempt && r->state != STATE_RIPE &&
	    receipt_beats(receipt, e->receipt);
}

void
row_receipt(struct row *r, uint16_t attempt, uint8_t segment, const struct store_receipt *receipt,
    struct store_joined *joined)
{
	segment_receipt(r, segment_of(r, attempt, segment), receipt, joined);
	receipts_decide(r, joined);
	joined_finish(r, joined);
}

bool
row_unsent(const struct row *r)
{
	return r->state == STATE_WAITING && !r->left;
}

/* --- looking ---------------------------------------------------------------------- */

bool
row_scheduled(const struct row *r)
{
	return r->state != STATE_AWAITING && r->state != STATE_RIPE && r->state != STATE_FINISHED;
}

bool
row_overdue(const struct row *r, wall_t now)
{
	return r->state == STATE_RIPE || row_to_tell(r) ||
	    (r->state == STATE_AWAITING && r->in.expires + RECEIPT_PATIENCE_MS < now);
}

void
row_index(const struct row *r, struct store_index *x)
{
	*x = (struct store_index){ .id = r->in.id, .order_key = r->in.order_key,
	    .msisdn = r->in.msisdn, .account = r->in.account, .smsc = r->in.smsc,
	    .group = r->in.group, .link = r->mark.link, .state = r->state, .klass = r->in.klass,
	    .attempt = r->mark.attempt, .reference = r->mark.reference, .tries = r->tries,
	    .pending = row_to_tell(r), .due = r->due, .accepted = r->in.accepted,
	    .expires = r->in.expires, .marked = r->mark.at, .refused = r->refused };
}

void
row_view(const struct row *r, struct store_view *v)
{
	bool over = r->state == STATE_FINISHED;

	*v = (struct store_view){ .id = r->in.id, .order_key = r->in.order_key,
	    .msisdn = r->in.msisdn, .account = r->in.account, .push_id = r->in.push_id,
	    .link = over ? r->carried : r->mark.link, .state = r->state, .outcome = r->outcome,
	    .attempt = r->mark.attempt, .code = r->code, .accepted = r->in.accepted,
	    .expires = r->in.expires, .due = over ? 0 : r->due, .finished = r->finished };
}

void
row_flight(const struct row *r, struct store_flight *f, struct arena *texts)
{
	struct store_answer *answers = arena_get(texts, r->evidence_count * sizeof *answers);
	struct receipt_join j;

	*f = (struct store_flight){ .id = r->in.id, .body = r->in.body, .state = r->state,
	    .attempt = r->mark.attempt, .reference = r->mark.reference, .link = r->mark.link,
	    .segments = r->segments, .answers = answers };
	for (unsigned i = 0; i < r->evidence_count; i++)
		if (r->evidence[i].attempt == r->mark.attempt)
			answers[f->answer_count++] = r->evidence[i].answer;
	if (r->state != STATE_RIPE && !row_to_tell(r))
		return;
	j = row_join(r);
	f->receipt_state = j.state;
	f->receipt_id = j.foreign_id;
	f->receipt_said = j.said;
}
