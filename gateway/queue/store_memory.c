/*
 * store_memory.c - the store in memory: the contract of store.h in its plainest form
 *
 * For tests, for trials (`engine = memory`), and for who writes another store: what a verb
 * means is said here with the least around it. Nothing survives the process.
 *
 * Knows:     the contract.
 * Does not:  know disks.
 * Owns:      everything it was given, as copies. A row that is changed is copied first, once a
 *            transaction, so that a rollback puts the old one back (tree.h).
 * Threads:   the store's.
 */
#include "queue/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "queue/arena.h"
#include "queue/receipt_join.h"
#include "queue/tree.h"

enum { EPOCH = 1 };
enum { EARLY_SLACK = 300000 };			/* ms that clocks may differ by */
enum { RECEIPT_PATIENCE = 24 * 3600 * 1000 };	/* beyond validity */
enum { KEY_MOST = 1024 };

struct segment_evidence {
	struct store_answer answer;
	uint16_t	 attempt;
	uint8_t		 receipt;	/* enum store_receipt_state */
	struct text	 domain, said;
};

struct row {				/* a message, from put to purge */
	struct arena	 arena;		/* its texts */
	uint64_t	 changed;	/* the batch that made this copy */
	bool		 inbox;
	struct store_row in;		/* as it was put; mark is not used */
	enum store_state state;
	struct store_mark mark;
	wall_t		 due;
	uint8_t		 segments;
	bool		 left;		/* a segment may have left */
	bool		 wanted, pended;	/* the first intermediate report: somebody wants to hear of it; it has come */
	uint16_t	 tries;
	wall_t		 refused;
	struct segment_evidence *evidence;
	unsigned	 evidence_count;
	enum store_outcome outcome;
	uint32_t	 code;
	wall_t		 finished;
	struct text	 carried;	/* the link that carried it */
};

struct place {				/* of the look-up tables: a message, or one segment of it */
	uint64_t	 id;
	uint16_t	 attempt;
	uint8_t		 segment;
};

struct notice {
	struct arena	 arena;
	struct store_notice n;
};

struct early {
	struct arena	 arena;
	struct store_receipt r;
};

struct store {
	struct tree	 rows;		/* id */
	struct tree	 notices;	/* id */
	struct tree	 push_ids;	/* account, push-id -> place */
	struct tree	 foreign;	/* domain, foreign id -> place */
	struct tree	 early;		/* domain, foreign id */
	struct tree	 msisdns;	/* order key, id downwards -> place */
	struct tree	 finished;	/* time, id -> place */
	struct tree_journal journal;
	struct store_counts counts, committed;
	uint64_t	 batch, last_batch, high;
	uint32_t	 tag;
	struct arena	 texts;		/* handed out; until the next call */
};

/* --- keys --- */

struct key {
	uint8_t		 octets[KEY_MOST];
	struct buf	 buf;
};

static struct text
key_numbers(struct key *k, uint64_t a, uint64_t b)
{
	k->buf = buf_on(k->octets, sizeof k->octets);
	buf_u64(&k->buf, a);
	buf_u64(&k->buf, b);
	return (struct text){ (char *)k->octets, k->buf.len };
}

static struct text
key_id(struct key *k, uint64_t id)
{
	return key_numbers(k, 0, id);
}

/* Texts too long for a key are told by their hash. */
static struct text
key_texts(struct key *k, struct text a, struct text b)
{
	k->buf = buf_on(k->octets, sizeof k->octets);
	buf_u32(&k->buf, (uint32_t)a.len);
	buf_bytes(&k->buf, a.at, a.len);
	buf_bytes(&k->buf, b.at, b.len);
	if (k->buf.overflow)
		return key_numbers(k, text_hash(a.at, a.len), text_hash(b.at, b.len));
	return (struct text){ (char *)k->octets, k->buf.len };
}

static uint64_t
key_second(const struct tree_node *n)
{
	struct cur c = cur_on(n->key + 8, 8);

	return cur_u64(&c);
}

/* --- values --- */

static void *
get_zeroed(size_t n)
{
	void *p = calloc(1, n);

	if (p == NULL) {
		fputs("panic: out of memory in the memory store\n", stderr);
		abort();
	}
	return p;
}

static struct place *
place_new(uint64_t id, uint16_t attempt, uint8_t segment)
{
	struct place *p = get_zeroed(sizeof *p);

	*p = (struct place){ id, attempt, segment };
	return p;
}

/* Moves every text of a row into its own arena. */
static void
row_own(struct row *r)
{
	struct text *texts[] = { &r->in.msisdn, &r->in.account, &r->in.push_id, &r->in.smsc,
	    &r->in.group, &r->in.body, &r->mark.link, &r->carried };
	struct segment_evidence *e;

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

static struct row *
row_copy(const struct row *old, uint64_t batch)
{
	struct row *r = get_zeroed(sizeof *r);

	*r = *old;
	r->arena = (struct arena){ 0 };
	r->changed = batch;
	row_own(r);
	return r;
}

static void
row_drop(void *value)
{
	struct row *r = value;

	arena_free(&r->arena);
	free(r);
}

static void
notice_drop(void *value)
{
	struct notice *n = value;

	arena_free(&n->arena);
	free(n);
}

static void
early_drop(void *value)
{
	struct early *e = value;

	arena_free(&e->arena);
	free(e);
}

/* --- rows --- */

static struct row *
row_get(struct store *s, uint64_t id)
{
	struct key k;

	return tree_get(&s->rows, key_id(&k, id));
}

static bool
row_to_tell(const struct row *r)	/* of its first intermediate report */
{
	return r->state == STATE_AWAITING && r->wanted && r->pended;
}

/* The scheduled one: not finished, not in the inbox. */
static struct row *
row_open(struct store *s, uint64_t id)
{
	struct row *r = row_get(s, id);

	return r != NULL && r->state != STATE_FINISHED && !r->inbox ? r : NULL;
}

/* The copy of this transaction, which may be changed. */
static struct row *
row_change(struct store *s, struct row *r)
{
	struct key k;

	if (r->changed == s->batch)
		return r;
	r = row_copy(r, s->batch);
	tree_set(&s->rows, &s->journal, key_id(&k, r->in.id), r);
	return r;
}

static uint64_t *
count_of(struct store *s, enum store_state state)
{
	switch (state) {
	case STATE_WAITING:
		return &s->counts.waiting;
	case STATE_SENDING:
	case STATE_UNKNOWN:
		return &s->counts.sending;
	case STATE_HELD:
		return &s->counts.held;
	case STATE_AWAITING:
	case STATE_RIPE:
		return &s->counts.awaiting;
	case STATE_FINISHED:
		break;
	}
	return NULL;
}

static void
row_state(struct store *s, struct row *r, enum store_state state)
{
	uint64_t *minus = count_of(s, r->state), *plus = count_of(s, state);

	if (minus != NULL)
		--*minus;
	if (plus != NULL)
		++*plus;
	r->state = state;
}

/* --- put, inbox, adopt --- */

static enum store_result
row_put(struct store *s, const struct store_row *in, bool inbox, uint64_t *existing, struct err *err)
{
	struct row new = { .in = *in, .inbox = inbox, .due = in->due };
	struct place *known;
	struct key k;

	if (in->push_id.at != NULL &&
	    (known = tree_get(&s->push_ids, key_texts(&k, in->account, in->push_id))) != NULL) {
		*existing = known->id;
		return STORE_EXISTS;
	}
	if (row_get(s, in->id) != NULL) {
		err_set(err, ERR_SYSTEM, "store: an id came twice");
		return STORE_FAILED;
	}
	if (in->push_id.at != NULL)
		tree_set(&s->push_ids, &s->journal, key_texts(&k, in->account, in->push_id),
		    place_new(in->id, 0, 0));
	if (in->mark != NULL) {
		new.mark = *in->mark;
		new.state = STATE_SENDING;
	}
	tree_set(&s->rows, &s->journal, key_id(&k, in->id), row_copy(&new, s->batch));
	return STORE_OK;
}

static void
row_enter(struct store *s, const struct row *r)
{
	struct key k;

	++*count_of(s, r->state);
	tree_set(&s->msisdns, &s->journal, key_numbers(&k, r->in.order_key, ~r->in.id),
	    place_new(r->in.id, 0, 0));
}

static enum store_result
memory_put(struct store *s, uint64_t epoch, const struct store_row *in, uint64_t *existing,
    struct err *err)
{
	enum store_result put;

	if (epoch != EPOCH)
		return STORE_FENCED;
	if ((put = row_put(s, in, false, existing, err)) == STORE_OK)
		row_enter(s, row_get(s, in->id));
	return put;
}

static enum store_result
memory_inbox(struct store *s, const struct store_row *in, struct err *err)
{
	uint64_t existing;

	return row_put(s, in, true, &existing, err);
}

static enum store_result
memory_adopt(struct store *s, uint8_t partition, uint64_t epoch, unsigned most, store_row_fn *show,
    void *arg, struct err *err)
{
	struct tree_node *n;
	struct key k;

	(void)err;
	if (epoch != EPOCH)
		return STORE_FENCED;
	/* One process, one clock: the order of ids is the order of arrival. */
	for (n = tree_after(&s->rows, key_id(&k, 0)); n != NULL && most > 0;) {
		struct row *r = n->value;
		uint64_t id = r->in.id;

		if (r->inbox && r->in.order_key >> 56 == partition) {
			r = row_change(s, r);
			r->inbox = false;
			row_enter(s, r);
			show(arg, &r->in);
			most--;
		}
		n = tree_after(&s->rows, key_id(&k, id));
	}
	return STORE_OK;
}

/* --- mark --- */

static enum store_result
memory_mark(struct store *s, uint64_t epoch, uint64_t id, uint64_t order_key,
    const struct store_mark *mark, struct err *err)
{
	struct row *r;

	(void)order_key;
	(void)err;
	if (epoch != EPOCH)
		return STORE_FENCED;
	if ((r = row_open(s, id)) == NULL)
		return STORE_ABSENT;
	if (r->state == STATE_AWAITING || r->state == STATE_RIPE)
		return STORE_TOO_LATE;
	r = row_change(s, r);
	if (r->state != STATE_WAITING)	/* a former mark was never answered: it may have left */
		r->left = true;
	r->mark = *mark;
	r->mark.link = arena_text(&r->arena, mark->link);
	row_state(s, r, STATE_SENDING);
	return STORE_OK;
}

/* --- evidence --- */

static struct segment_evidence *
evidence_of(struct row *r, uint16_t attempt, uint8_t segment)
{
	for (unsigned i = 0; i < r->evidence_count; i++)
		if (r->evidence[i].attempt == attempt && r->evidence[i].answer.segment == segment)
			return &r->evidence[i];
	return NULL;
}

static struct segment_evidence *
evidence_add(struct row *r, uint16_t attempt, uint8_t segment)
{
	struct segment_evidence *e = arena_get(&r->arena, (r->evidence_count + 1) * sizeof *e);
	unsigned at = 0;

	/* In order of segments, which receipts join by and a flight shows them by. */
	while (at < r->evidence_count && r->evidence[at].answer.segment < segment)
		at++;
	if (r->evidence_count > 0)
		memcpy(e, r->evidence, at * sizeof *e);
	e[at] = (struct segment_evidence){ .attempt = attempt, .answer.segment = segment };
	if (at < r->evidence_count)
		memcpy(e + at + 1, r->evidence + at, (r->evidence_count - at) * sizeof *e);
	r->evidence = e;
	r->evidence_count++;
	return &e[at];
}

/* A foreign id that the SMSC gave to a newer message meanwhile is that one's. */
static void
foreign_drop(struct store *s, uint64_t id, const struct segment_evidence *e)
{
	struct place *p;
	struct key k;

	if (e->answer.foreign_id.len == 0)
		return;
	p = tree_get(&s->foreign, key_texts(&k, e->domain, e->answer.foreign_id));
	if (p != NULL && p->id == id && p->attempt == e->attempt && p->segment == e->answer.segment)
		tree_set(&s->foreign, &s->journal, key_texts(&k, e->domain, e->answer.foreign_id),
		    NULL);
}

/* Attempts other than this one are forgotten; none is kept for attempt 0. */
static void
evidence_forget(struct store *s, struct row *r, uint16_t keep)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < r->evidence_count; i++) {
		if (keep != 0 && r->evidence[i].attempt == keep)
			r->evidence[kept++] = r->evidence[i];
		else
			foreign_drop(s, r->in.id, &r->evidence[i]);
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

static void
receipt_apply(struct row *r, struct segment_evidence *e, const struct store_receipt *receipt,
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
receipts_decide(struct store *s, struct row *r, struct store_joined *joined)
{
	struct receipt_join j;

	if (r->state != STATE_AWAITING)
		return;
	j = row_join(r);
	if (!receipt_join_decided(&j, r->segments))
		return;
	row_state(s, r, STATE_RIPE);
	joined->changed = joined->ripe = true;
	joined->first_pending = false;
	joined->state = j.state;
	joined->foreign_id = j.foreign_id;
	joined->said = j.said;
}

static void
joined_finish(struct store *s, const struct row *r, struct store_joined *joined)
{
	joined->id = r->in.id;
	joined->order_key = r->in.order_key;
	joined->attempt = r->mark.attempt;
	if (!joined->ripe && !joined->first_pending)
		return;
	joined->foreign_id = arena_text(&s->texts, joined->foreign_id);
	joined->said = arena_text(&s->texts, joined->said);
	joined->link = arena_text(&s->texts, r->mark.link);
	joined->body = arena_text(&s->texts, r->in.body);
}

/* A receipt that came before this answer. One from before the mark belongs to an older message
 * that had the same id from the SMSC. */
static void
meet_early(struct store *s, struct row *r, struct segment_evidence *e, struct store_joined *joined)
{
	struct store_receipt receipt;
	struct early *early;
	struct key k;

	early = tree_get(&s->early, key_texts(&k, e->domain, e->answer.foreign_id));
	if (early == NULL)
		return;
	receipt = early->r;
	if (receipt.at >= r->mark.at - EARLY_SLACK) {
		joined->matched = true;
		receipt_apply(r, e, &receipt, joined);
	}
	tree_set(&s->early, &s->journal, key_texts(&k, e->domain, e->answer.foreign_id), NULL);
	s->counts.early--;
}

static void
answer_keep(struct store *s, struct row *r, const struct store_settlement *st,
    const struct store_answer *a, struct store_joined *joined)
{
	struct segment_evidence *e = evidence_of(r, st->attempt, a->segment);
	struct key k;

	if (e == NULL)
		e = evidence_add(r, st->attempt, a->segment);
	else
		foreign_drop(s, r->in.id, e);
	/* Said again, the segment keeps the receipt that it has. */
	e->answer.state = a->state;
	e->answer.foreign_id = arena_text(&r->arena, a->foreign_id);
	e->domain = arena_text(&r->arena, st->domain);
	if (a->foreign_id.len == 0)
		return;
	tree_set(&s->foreign, &s->journal, key_texts(&k, st->domain, a->foreign_id),
	    place_new(r->in.id, st->attempt, a->segment));
	meet_early(s, r, e, joined);
}

/* --- settle --- */

static void
notice_put(struct store *s, const struct store_notice *in)
{
	struct notice *n = get_zeroed(sizeof *n);
	struct key k;

	n->n = *in;
	n->n.url = arena_text(&n->arena, in->url.at != NULL ? in->url : TEXT(""));
	tree_set(&s->notices, &s->journal, key_id(&k, in->id), n);
	s->counts.notices++;
}

/* The body goes: it may hold a PIN. Who, when and how it ended stays until the purge. */
static void
row_finish(struct store *s, struct row *r, const struct store_settlement *st)
{
	struct arena whole = r->arena;
	struct key k;

	evidence_forget(s, r, 0);
	r->arena = (struct arena){ 0 };		/* what is left moves out, the body's memory goes */
	row_state(s, r, STATE_FINISHED);
	r->in.body = (struct text){ 0 };
	r->mark.attempt = st->attempt;
	r->outcome = st->outcome;
	r->code = st->code;
	r->finished = st->at;
	r->carried = st->link;
	row_own(r);
	arena_free(&whole);
	tree_set(&s->finished, &s->journal, key_numbers(&k, (uint64_t)st->at, r->in.id),
	    place_new(r->in.id, 0, 0));
}

static void
row_settle(struct store *s, struct row *r, const struct store_settlement *st,
    struct store_joined *joined)
{
	row_state(s, r, st->state);
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
		evidence_forget(s, r, st->attempt);
	for (unsigned i = 0; i < st->answer_count; i++) {
		if (st->answers[i].state == ANSWER_ACCEPTED || st->answers[i].state == ANSWER_UNKNOWN)
			r->left = true;
		answer_keep(s, r, st, &st->answers[i], joined);
	}
	receipts_decide(s, r, joined);
	if (joined->matched || joined->ripe)
		joined_finish(s, r, joined);
}

static enum store_result
memory_settle(struct store *s, uint64_t epoch, const struct store_settlement *st,
    struct store_joined *joined, struct err *err)
{
	struct store_joined none;
	struct row *r;

	(void)err;
	if (joined == NULL)
		joined = &none;
	*joined = (struct store_joined){ 0 };
	arena_reset(&s->texts);
	if (epoch != EPOCH)
		return STORE_FENCED;
	if ((r = row_open(s, st->id)) == NULL)
		return STORE_ABSENT;
	if (st->pending == PENDING_TOLD && !row_to_tell(r))
		return STORE_TOO_LATE;
	r = row_change(s, r);
	if (st->state == STATE_FINISHED)
		row_finish(s, r, st);
	else
		row_settle(s, r, st, joined);
	for (unsigned i = 0; i < st->notice_count; i++)
		notice_put(s, &st->notices[i]);
	return STORE_OK;
}

/* --- receipt --- */

/* Kept until its message shows up, or the purge. A final one is not overwritten. */
static void
early_keep(struct store *s, const struct store_receipt *r, struct store_joined *joined)
{
	struct early *known, *e;
	struct key k;
	struct text key = key_texts(&k, r->domain, r->foreign_id);

	known = tree_get(&s->early, key);
	if (known != NULL && !receipt_beats(r->state, known->r.state))
		return;
	if (known == NULL)
		s->counts.early++;
	e = get_zeroed(sizeof *e);
	e->r = *r;
	e->r.domain = arena_text(&e->arena, r->domain);
	e->r.foreign_id = arena_text(&e->arena, r->foreign_id);
	e->r.said = arena_text(&e->arena, r->said);
	tree_set(&s->early, &s->journal, key, e);
	joined->changed = true;
}

static enum store_result
memory_receipt(struct store *s, const struct store_receipt *receipt, struct store_joined *joined,
    struct err *err)
{
	struct segment_evidence *e;
	struct place *p;
	struct row *r;
	struct key k;

	(void)err;
	*joined = (struct store_joined){ 0 };
	arena_reset(&s->texts);
	p = tree_get(&s->foreign, key_texts(&k, receipt->domain, receipt->foreign_id));
	if (p == NULL || (r = row_open(s, p->id)) == NULL) {
		early_keep(s, receipt, joined);
		return STORE_OK;
	}
	joined->matched = true;
	joined->id = p->id;
	joined->order_key = r->in.order_key;
	/* An attempt that is over decides nothing; neither does what comes after the decision. */
	e = evidence_of(r, p->attempt, p->segment);
	if (p->attempt != r->mark.attempt || r->state == STATE_RIPE || e == NULL ||
	    !receipt_beats(receipt->state, e->receipt))
		return STORE_OK;
	r = row_change(s, r);
	receipt_apply(r, evidence_of(r, p->attempt, p->segment), receipt, joined);
	receipts_decide(s, r, joined);
	joined_finish(s, r, joined);
	return STORE_OK;
}

/* --- cancel and replace --- */

static enum store_result
unsent(struct store *s, uint64_t epoch, uint64_t id, struct row **r)
{
	if (epoch != EPOCH)
		return STORE_FENCED;
	*r = row_get(s, id);
	if (*r == NULL || (*r)->inbox)
		return STORE_ABSENT;
	return (*r)->state == STATE_WAITING && !(*r)->left ? STORE_OK : STORE_TOO_LATE;
}

static enum store_result
memory_cancel(struct store *s, uint64_t epoch, uint64_t id, uint64_t order_key, wall_t at,
    struct err *err)
{
	struct store_settlement st = { .at = at, .outcome = OUTCOME_CANCELLED };
	enum store_result may;
	struct row *r;

	(void)order_key;
	(void)err;
	if ((may = unsent(s, epoch, id, &r)) != STORE_OK)
		return may;
	r = row_change(s, r);
	st.attempt = r->mark.attempt;
	row_finish(s, r, &st);
	return STORE_OK;
}

static enum store_result
memory_replace(struct store *s, uint64_t epoch, uint64_t id, uint64_t order_key, struct text body,
    wall_t expires, struct err *err)
{
	enum store_result may;
	struct row *r;

	(void)order_key;
	(void)err;
	if ((may = unsent(s, epoch, id, &r)) != STORE_OK)
		return may;
	r = row_change(s, r);
	r->in.body = arena_text(&r->arena, body);
	r->in.expires = expires;
	return STORE_OK;
}

/* --- notices --- */

static enum store_result
memory_notice_done(struct store *s, uint64_t id, uint64_t order_key, struct err *err)
{
	struct key k;

	(void)order_key;
	(void)err;
	if (tree_get(&s->notices, key_id(&k, id)) == NULL)
		return STORE_ABSENT;
	tree_set(&s->notices, &s->journal, key_id(&k, id), NULL);
	s->counts.notices--;
	return STORE_OK;
}

static enum store_result
memory_notice_later(struct store *s, uint64_t id, uint64_t order_key, uint16_t tries, wall_t due,
    struct err *err)
{
	struct notice *old, *n;
	struct key k;

	(void)order_key;
	(void)err;
	if ((old = tree_get(&s->notices, key_id(&k, id))) == NULL)
		return STORE_ABSENT;
	n = get_zeroed(sizeof *n);
	n->n = old->n;
	n->n.url = arena_text(&n->arena, old->n.url);
	n->n.tries = tries;
	n->n.due = due;
	tree_set(&s->notices, &s->journal, key_id(&k, id), n);
	return STORE_OK;
}

/* --- reading --- */

typedef bool row_want_fn(const struct row *, wall_t now);

static bool
want_scheduled(const struct row *r, wall_t now)
{
	(void)now;
	return r->state != STATE_AWAITING && r->state != STATE_RIPE;
}

static bool
want_overdue(const struct row *r, wall_t now)
{
	return r->state == STATE_RIPE || row_to_tell(r) ||
	    (r->state == STATE_AWAITING && r->in.expires + RECEIPT_PATIENCE < now);
}

static bool
want_held(const struct row *r, wall_t now)
{
	(void)now;
	return r->state == STATE_HELD;
}

static void
row_index(const struct row *r, struct store_index *x)
{
	*x = (struct store_index){ .id = r->in.id, .order_key = r->in.order_key,
	    .msisdn = r->in.msisdn, .account = r->in.account, .smsc = r->in.smsc,
	    .group = r->in.group, .link = r->mark.link, .state = r->state, .klass = r->in.klass,
	    .attempt = r->mark.attempt, .reference = r->mark.reference, .tries = r->tries,
	    .pending = row_to_tell(r), .due = r->due, .accepted = r->in.accepted,
	    .expires = r->in.expires,
	    .marked = r->mark.at, .refused = r->refused };
}

static void
rows_scan(struct store *s, uint64_t *after, unsigned most, row_want_fn *want, wall_t now,
    store_index_fn *show, void *arg, unsigned *seen)
{
	struct store_index x;
	struct tree_node *n;
	struct key k;

	*seen = 0;
	while (*seen < most && (n = tree_after(&s->rows, key_id(&k, *after))) != NULL) {
		const struct row *r = n->value;

		*after = r->in.id;
		if (r->state == STATE_FINISHED || r->inbox)
			continue;
		++*seen;
		if (!want(r, now))
			continue;
		row_index(r, &x);
		show(arg, &x);
	}
}

static int
memory_load(struct store *s, uint64_t *after, unsigned most, store_index_fn *show, void *arg,
    unsigned *seen, struct err *err)
{
	(void)err;
	rows_scan(s, after, most, want_scheduled, 0, show, arg, seen);
	return 0;
}

static int
memory_overdue(struct store *s, uint64_t *after, unsigned most, wall_t now, store_index_fn *show,
    void *arg, unsigned *seen, struct err *err)
{
	(void)err;
	rows_scan(s, after, most, want_overdue, now, show, arg, seen);
	return 0;
}

static int
memory_held(struct store *s, uint64_t *after, unsigned most, store_index_fn *show, void *arg,
    unsigned *seen, struct err *err)
{
	(void)err;
	rows_scan(s, after, most, want_held, 0, show, arg, seen);
	return 0;
}

static int
memory_notices(struct store *s, uint64_t *after, unsigned most, store_notice_fn *show, void *arg,
    unsigned *seen, struct err *err)
{
	struct tree_node *n;
	struct key k;

	(void)err;
	*seen = 0;
	while (*seen < most && (n = tree_after(&s->notices, key_id(&k, *after))) != NULL) {
		const struct notice *notice = n->value;

		*after = notice->n.id;
		++*seen;
		show(arg, &notice->n);
	}
	return 0;
}

static enum store_result
memory_notice(struct store *s, uint64_t id, store_notice_fn *show, void *arg, struct err *err)
{
	struct notice *n;
	struct key k;

	(void)err;
	if ((n = tree_get(&s->notices, key_id(&k, id))) == NULL)
		return STORE_ABSENT;
	show(arg, &n->n);
	return STORE_OK;
}

static enum store_result
memory_flight(struct store *s, uint64_t id, uint64_t order_key, struct store_flight *f,
    struct err *err)
{
	struct row *r = row_open(s, id);
	struct receipt_join j;

	(void)order_key;
	(void)err;
	f->id = id;
	f->body = f->link = f->receipt_id = f->receipt_said = (struct text){ 0 };
	f->answer_count = 0;
	f->receipt_state = RECEIPT_NONE;
	if (r == NULL)
		return STORE_ABSENT;
	f->body = r->in.body;
	f->state = r->state;
	f->attempt = r->mark.attempt;
	f->reference = r->mark.reference;
	f->link = r->mark.link;
	f->segments = r->segments;
	for (unsigned i = 0; i < r->evidence_count; i++)
		if (r->evidence[i].attempt == r->mark.attempt && f->answer_count < 255)
			f->answers[f->answer_count++] = r->evidence[i].answer;
	if (r->state == STATE_RIPE || row_to_tell(r)) {
		j = row_join(r);
		f->receipt_state = j.state;
		f->receipt_id = j.foreign_id;
		f->receipt_said = j.said;
	}
	return STORE_OK;
}

static void
row_view(const struct row *r, struct store_view *v)
{
	bool over = r->state == STATE_FINISHED;

	*v = (struct store_view){ .id = r->in.id, .order_key = r->in.order_key,
	    .msisdn = r->in.msisdn, .account = r->in.account, .push_id = r->in.push_id,
	    .link = over ? r->carried : r->mark.link, .state = r->state, .outcome = r->outcome,
	    .attempt = r->mark.attempt, .code = r->code, .accepted = r->in.accepted,
	    .expires = r->in.expires, .due = over ? 0 : r->due, .finished = r->finished };
}

static enum store_result
memory_find(struct store *s, uint64_t id, struct store_view *v, struct err *err)
{
	struct row *r = row_get(s, id);

	(void)err;
	if (r == NULL)
		return STORE_ABSENT;
	row_view(r, v);
	return STORE_OK;
}

static enum store_result
place_find(const struct tree *t, struct text a, struct text b, uint64_t *id)
{
	struct place *p;
	struct key k;

	if ((p = tree_get(t, key_texts(&k, a, b))) == NULL)
		return STORE_ABSENT;
	*id = p->id;
	return STORE_OK;
}

static enum store_result
memory_find_push_id(struct store *s, struct text account, struct text push_id, uint64_t *id,
    struct err *err)
{
	(void)err;
	return place_find(&s->push_ids, account, push_id, id);
}

static enum store_result
memory_find_foreign(struct store *s, struct text domain, struct text foreign_id, uint64_t *id,
    struct err *err)
{
	(void)err;
	return place_find(&s->foreign, domain, foreign_id, id);
}

static int
memory_find_msisdn(struct store *s, uint64_t order_key, struct text msisdn, unsigned most,
    store_view_fn *show, void *arg, struct err *err)
{
	struct tree_node *n;
	struct store_view v;
	struct key k;

	(void)err;
	for (n = tree_after(&s->msisdns, key_numbers(&k, order_key, 0)); n != NULL && most > 0;
	    n = tree_after(&s->msisdns, (struct text){ (char *)n->key, n->key_len })) {
		const struct row *r = row_get(s, ~key_second(n));

		if (r == NULL || r->in.order_key != order_key)
			break;
		if (!text_eq(r->in.msisdn, msisdn))	/* another address with this key */
			continue;
		row_view(r, &v);
		show(arg, &v);
		most--;
	}
	return 0;
}

/* --- purge --- */

static void
row_purge(struct store *s, struct row *r)
{
	uint64_t id = r->in.id;
	struct key k;

	tree_set(&s->finished, &s->journal, key_numbers(&k, (uint64_t)r->finished, id), NULL);
	tree_set(&s->msisdns, &s->journal, key_numbers(&k, r->in.order_key, ~id), NULL);
	if (r->in.push_id.at != NULL)
		tree_set(&s->push_ids, &s->journal, key_texts(&k, r->in.account, r->in.push_id), NULL);
	tree_set(&s->rows, &s->journal, key_id(&k, id), NULL);
}

static unsigned
early_purge(struct store *s, wall_t before, unsigned most)
{
	uint8_t octets[KEY_MOST];
	struct text at = { (char *)octets, 0 };
	struct tree_node *n;
	unsigned gone = 0;

	while (gone < most && (n = tree_after(&s->early, at)) != NULL) {
		const struct early *e = n->value;

		memcpy(octets, n->key, n->key_len);
		at.len = n->key_len;
		if (e->r.at >= before)
			continue;
		tree_set(&s->early, &s->journal, at, NULL);
		s->counts.early--;
		gone++;
	}
	return gone;
}

static int
memory_purge(struct store *s, wall_t before, unsigned most, unsigned *gone, struct err *err)
{
	struct tree_node *n;
	struct key k;

	(void)err;
	for (*gone = 0; *gone < most; ++*gone) {
		struct row *r;

		n = tree_after(&s->finished, key_numbers(&k, 0, 0));
		if (n == NULL || (r = row_get(s, key_second(n)))->finished >= before)
			break;
		row_purge(s, r);
	}
	*gone += early_purge(s, before, most - *gone);
	return 0;
}

/* --- the store --- */

static struct store *
memory_open(const struct store_conf *conf, struct err *err)
{
	struct store *s = get_zeroed(sizeof *s);

	(void)conf;
	s->rows.drop = row_drop;
	s->notices.drop = notice_drop;
	s->early.drop = early_drop;
	s->push_ids.drop = s->foreign.drop = s->msisdns.drop = s->finished.drop = free;
	s->high = 1;
	if (getrandom(&s->tag, sizeof s->tag, 0) != sizeof s->tag) {
		err_errno(err, "getrandom");
		free(s);
		return NULL;
	}
	return s;
}

static void
memory_close(struct store **sp)
{
	struct store *s = *sp;

	if (s == NULL)
		return;
	journal_undo(&s->journal);
	tree_free(&s->rows);
	tree_free(&s->notices);
	tree_free(&s->push_ids);
	tree_free(&s->foreign);
	tree_free(&s->early);
	tree_free(&s->msisdns);
	tree_free(&s->finished);
	arena_free(&s->texts);
	free(s);
	*sp = NULL;
}

static int
memory_begin(struct store *s, uint64_t batch, struct err *err)
{
	(void)err;
	s->batch = batch;
	s->counts = s->committed;
	return 0;
}

static enum store_commit
memory_commit(struct store *s, struct err *err)
{
	(void)err;
	journal_settle(&s->journal);
	s->committed = s->counts;
	s->last_batch = s->batch;
	return COMMIT_DONE;
}

static void
memory_rollback(struct store *s)
{
	journal_undo(&s->journal);
	s->counts = s->committed;
}

static int
memory_last_batch(struct store *s, uint64_t *batch, struct err *err)
{
	(void)err;
	*batch = s->last_batch;
	return 0;
}

static uint16_t
memory_node(struct store *s)
{
	(void)s;
	return 0;
}

static uint32_t
memory_tag(struct store *s)
{
	return s->tag;
}

static int
memory_reserve(struct store *s, uint32_t count, uint64_t *first, struct err *err)
{
	(void)err;
	*first = s->high;
	s->high += count;
	return 0;
}

static int
memory_backup(const struct store_conf *conf, const char *file, struct err *err)
{
	(void)conf;
	(void)file;
	return err_set(err, ERR_STORE, "the memory store keeps nothing that could be copied");
}

static int
memory_leases(struct store *s, struct store_lease leases[STORE_PARTITIONS], struct err *err)
{
	(void)s;
	(void)err;
	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		leases[i] = (struct store_lease){ .partition = (uint8_t)i, .epoch = EPOCH };
	return 0;
}

static void
memory_release(struct store *s)
{
	(void)s;
}

static int
memory_counts(struct store *s, struct store_counts *counts, struct err *err)
{
	(void)err;
	*counts = s->committed;
	return 0;
}

const struct store_driver store_memory = {
	.name = "memory",
	.open = memory_open,
	.close = memory_close,
	.begin = memory_begin,
	.commit = memory_commit,
	.rollback = memory_rollback,
	.last_batch = memory_last_batch,
	.node = memory_node,
	.tag = memory_tag,
	.reserve = memory_reserve,
	.backup = memory_backup,
	.leases = memory_leases,
	.release = memory_release,
	.put = memory_put,
	.mark = memory_mark,
	.settle = memory_settle,
	.receipt = memory_receipt,
	.cancel = memory_cancel,
	.replace = memory_replace,
	.inbox = memory_inbox,
	.adopt = memory_adopt,
	.notice_done = memory_notice_done,
	.notice_later = memory_notice_later,
	.load = memory_load,
	.overdue = memory_overdue,
	.held = memory_held,
	.notices = memory_notices,
	.notice = memory_notice,
	.flight = memory_flight,
	.find = memory_find,
	.find_push_id = memory_find_push_id,
	.find_msisdn = memory_find_msisdn,
	.find_foreign = memory_find_foreign,
	.counts = memory_counts,
	.purge = memory_purge,
};
