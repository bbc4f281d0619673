/*
 * store_sqlite_road.c - the SQLite store: what is written on the road of a message
 *
 * Knows:     the tables; what a state means to the rows (see store_sqlite.c).
 * Does not:  know who decides, or when to try again.
 * Owns:      nothing.
 * Threads:   the store's.
 */
#include "queue/store_sqlite_inner.h"

#include <inttypes.h>
#include <stdlib.h>

#include "queue/receipt_join.h"
#include "queue/row.h"

enum { EPOCH = 1 };			/* one node owns all, for ever */

struct hot {				/* of q, what decides */
	enum store_state state;
	unsigned	 flags, segments;
	uint16_t	 attempt;
	wall_t		 marked;
	uint64_t	 order_key;
};

/* --- counting: what a state counts as --- */

uint64_t *
road_count(struct store *s, enum store_state state)
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
count_move(struct store *s, enum store_state from, enum store_state to)
{
	uint64_t *minus = road_count(s, from), *plus = road_count(s, to);

	if (minus != NULL)
		--*minus;
	if (plus != NULL)
		++*plus;
}

/* --- q --- */

static enum store_result
hot_read(struct store *s, uint64_t id, struct hot *h, struct err *err)
{
	struct bind b = sql(s, SQL_HOT);
	int found;

	if (s->run.first != 0 && id >= s->run.first && id <= s->run.last)
		return STORE_ABSENT;
	bind_int(&b, (int64_t)id);
	if ((found = sql_row(s, &b, err)) != 1)
		return found == 0 ? STORE_ABSENT : STORE_FAILED;
	h->state = (enum store_state)take_int(&b);
	h->flags = (unsigned)take_int(&b);
	h->attempt = (uint16_t)take_int(&b);
	h->segments = (unsigned)take_int(&b);
	h->marked = take_int(&b);
	h->order_key = (uint64_t)take_int(&b);
	sql_end(&b);
	return STORE_OK;
}

static int
hot_state(struct store *s, uint64_t id, enum store_state state, unsigned flags, struct err *err)
{
	struct bind b = sql(s, SQL_STATE);

	bind_int(&b, (int64_t)id);
	bind_int(&b, state);
	bind_int(&b, flags);
	return sql_run(s, &b, err);
}

static int
run_id(struct store *s, enum sql which, uint64_t id, struct err *err)
{
	struct bind b = sql(s, which);

	bind_int(&b, (int64_t)id);
	return sql_run(s, &b, err);
}

/* --- put --- */

static int
push_id_put(struct store *s, const struct store_row *row, struct err *err)
{
	struct bind b = sql(s, SQL_PUT_PUSH_ID);

	if (row->push_id.at == NULL)
		return 0;
	bind_key_text(&b, row->account);
	bind_text(&b, row->push_id);
	bind_int(&b, (int64_t)row->id);
	return sql_run(s, &b, err);
}

static int
body_put(struct store *s, uint64_t id, struct text body, struct err *err)
{
	struct bind b = sql(s, SQL_PUT_BODY);

	bind_int(&b, (int64_t)id);
	bind_octets(&b, body);
	return sql_run(s, &b, err);
}

static int
hot_put(struct store *s, const struct store_row *row, struct err *err)
{
	static const struct store_mark none;
	const struct store_mark *mark = row->mark != NULL ? row->mark : &none;
	enum store_state state = row->mark != NULL ? STATE_SENDING : STATE_WAITING;
	struct bind b = sql(s, SQL_PUT_HOT);

	bind_int(&b, (int64_t)row->id);
	bind_int(&b, (int64_t)row->order_key);
	bind_int(&b, state);
	bind_int(&b, mark->attempt);
	bind_int(&b, mark->reference);
	bind_int(&b, row->klass);
	bind_int(&b, mark->at);
	bind_int(&b, row->due);
	bind_int(&b, row->expires);
	bind_int(&b, row->accepted);
	bind_text(&b, row->msisdn);
	bind_text(&b, row->account);
	bind_text(&b, row->push_id);
	bind_text(&b, row->smsc);
	bind_text(&b, row->group);
	bind_text(&b, mark->link);
	if (sql_run(s, &b, err) == -1)
		return -1;
	++*road_count(s, state);
	return 0;
}

static int
msisdn_put(struct store *s, uint64_t id, uint64_t order_key, struct err *err)
{
	struct bind b = sql(s, SQL_PUT_MSISDN);

	bind_int(&b, (int64_t)(id >> MSISDN_BLOCK_BITS));
	bind_int(&b, (int64_t)order_key);
	bind_int(&b, (int64_t)id);
	return sql_run(s, &b, err);
}

static int
inbox_put(struct store *s, const struct store_row *row, struct err *err)
{
	struct bind b = sql(s, SQL_INBOX_PUT);

	bind_int(&b, (int64_t)row->id);
	bind_int(&b, (int64_t)store_part(row->order_key));
	bind_int(&b, clock_wall());
	bind_int(&b, (int64_t)row->order_key);
	bind_int(&b, row->klass);
	bind_int(&b, row->due);
	bind_int(&b, row->expires);
	bind_int(&b, row->accepted);
	bind_text(&b, row->msisdn);
	bind_text(&b, row->account);
	bind_text(&b, row->push_id);
	bind_text(&b, row->smsc);
	bind_text(&b, row->group);
	if (sql_run(s, &b, err) == -1)
		return -1;
	s->inbox++;
	return 0;
}

static bool
fresh_has(const struct store *s, uint64_t order_key)
{
	for (unsigned i = 0; i < s->fresh_count; i++)
		if (s->fresh[i] == order_key)
			return true;
	return false;
}

static int
row_put(struct store *s, const struct store_row *in, enum store_put *how, struct err *err)
{
	struct store_row row = *in;

	if (fresh_has(s, row.order_key))
		row.mark = NULL;	/* somebody came before it */
	*how = row.epoch != EPOCH ? PUT_INBOX : row.mark != NULL ? PUT_MARKED : PUT_WAITING;
	if (push_id_put(s, &row, err) == -1 || body_put(s, row.id, row.body, err) == -1)
		return -1;
	if (row.epoch != EPOCH)
		return inbox_put(s, &row, err);
	return hot_put(s, &row, err) == -1 || msisdn_put(s, row.id, row.order_key, err) == -1 ? -1 : 0;
}

/* Is one of them there already? Then none is put. */
static enum store_result
repeats_look(struct store *s, const struct store_submit *sub, struct err *err)
{
	enum store_result all = STORE_OK;
	struct store_place known;
	int found;

	for (size_t i = 0; i < sub->n; i++) {
		const struct store_row *row = &sub->rows[i];

		sub->existing[i] = 0;
		if (row->push_id.at == NULL)
			continue;
		if ((found = look_find_push_id(s, row->account, row->push_id, &known, err)) == -1)
			return STORE_FAILED;
		if (found == 1) {
			all = STORE_EXISTS;
			sub->existing[i] = known.id;
		}
		for (size_t n = 0; n < i; n++)
			if (text_eq(row->push_id, sub->rows[n].push_id) &&
			    text_eq(row->account, sub->rows[n].account)) {
				err_set(err, ERR_SYNTAX, "two messages of one submission have the same "
				    "push-id");
				return STORE_FAILED;
			}
	}
	return all;
}

void
road_submit(struct store *s, const struct store_submit *sub, struct store_done *done)
{
	if ((done->result = repeats_look(s, sub, &done->err)) != STORE_OK)
		return;
	for (size_t i = 0; i < sub->n; i++)
		if (row_put(s, &sub->rows[i], &sub->how[i], &done->err) == -1) {
			done->result = STORE_FAILED;
			return;
		}
}

/* --- mark --- */

static enum store_result
hot_mark(struct store *s, uint64_t id, const struct store_mark *mark, struct err *err)
{
	struct bind b = sql(s, SQL_MARK);
	enum store_result found;
	struct hot h;

	if ((found = hot_read(s, id, &h, err)) != STORE_OK)
		return found;
	if (h.state == STATE_AWAITING || h.state == STATE_RIPE)
		return STORE_TOO_LATE;
	if (h.state != STATE_WAITING)	/* a former mark was never answered: it may have left */
		h.flags |= HOT_LEFT;
	bind_int(&b, (int64_t)id);
	bind_int(&b, STATE_SENDING);
	bind_int(&b, h.flags);
	bind_int(&b, mark->attempt);
	bind_int(&b, mark->reference);
	bind_int(&b, mark->at);
	bind_text(&b, mark->link);
	if (sql_run(s, &b, err) == -1)
		return STORE_FAILED;
	count_move(s, h.state, STATE_SENDING);
	return STORE_OK;
}

void
road_mark(struct store *s, uint64_t epoch, uint64_t id, uint64_t order_key,
    const struct store_mark *mark, struct store_done *done)
{
	(void)order_key;
	done->result = epoch != EPOCH ? STORE_FENCED : hot_mark(s, id, mark, &done->err);
}

/* --- evidence --- */

static int
evidence_receipt(struct store *s, uint64_t id, uint16_t attempt, unsigned segment,
    const struct store_receipt *r, struct err *err)
{
	struct bind b = sql(s, SQL_EVIDENCE_RECEIPT);

	bind_int(&b, (int64_t)id);
	bind_int(&b, attempt);
	bind_int(&b, segment);
	bind_int(&b, r->state);
	bind_text(&b, r->said);
	return sql_run(s, &b, err);
}

/* 1: there is one (its texts in the arena), 0, -1. */
static int
early_read(struct store *s, struct text domain, struct text foreign_id, struct store_receipt *r,
    struct err *err)
{
	struct bind b = sql(s, SQL_EARLY);
	int found;

	if (s->counts.early == 0)
		return 0;
	bind_key_text(&b, domain);
	bind_text(&b, foreign_id);
	if ((found = sql_row(s, &b, err)) == 1) {
		*r = (struct store_receipt){ .domain = domain, .foreign_id = foreign_id };
		r->state = (uint8_t)take_int(&b);
		r->at = take_int(&b);
		r->said = arena_text(&s->texts, take_text(&b));
		sql_end(&b);
	}
	return found;
}

static int
early_drop(struct store *s, struct text domain, struct text foreign_id, struct err *err)
{
	struct bind b = sql(s, SQL_EARLY_DROP);

	bind_key_text(&b, domain);
	bind_text(&b, foreign_id);
	if (sql_run(s, &b, err) == -1)
		return -1;
	s->counts.early--;
	return 0;
}

/* Kept until its message shows up, or the purge. A final one is not overwritten. */
static enum store_result
early_keep(struct store *s, const struct store_receipt *r, struct store_joined *joined,
    struct err *err)
{
	struct bind b = sql(s, SQL_EARLY_PUT);
	struct store_receipt known;
	int found = early_read(s, r->domain, r->foreign_id, &known, err);

	if (found == -1)
		return STORE_FAILED;
	if (found == 1 && !receipt_beats(r->state, known.state))
		return STORE_OK;
	bind_key_text(&b, r->domain);
	bind_text(&b, r->foreign_id);
	bind_int(&b, r->state);
	bind_int(&b, r->at);
	bind_text(&b, r->said);
	if (sql_run(s, &b, err) == -1)
		return STORE_FAILED;
	if (found == 0)
		s->counts.early++;
	joined->changed = true;
	return STORE_OK;
}

/* What one receipt does to a message: h->flags and h->state change, the caller writes them. */
static int
receipt_apply(struct store *s, uint64_t id, struct hot *h, unsigned segment,
    const struct store_receipt *r, struct store_joined *joined, struct err *err)
{
	if (evidence_receipt(s, id, h->attempt, segment, r, err) == -1)
		return -1;
	joined->changed = true;
	if (r->state == RECEIPT_PENDING && (h->flags & HOT_TO_TELL) == HOT_WANTED) {
		h->flags |= HOT_PENDED;
		joined->first_pending = true;
		joined->state = RECEIPT_PENDING;
		joined->foreign_id = r->foreign_id;
		joined->said = r->said;
	}
	return 0;
}

/* All segments answered: do their receipts decide already? */
static int
receipts_decide(struct store *s, uint64_t id, struct hot *h, struct store_joined *joined,
    struct err *err)
{
	struct receipt_join join;

	if (h->state != STATE_AWAITING)
		return 0;
	if (look_join(s, id, h->attempt, &join, err) == -1)
		return -1;
	if (!receipt_join_decided(&join, h->segments))
		return 0;
	h->state = STATE_RIPE;
	joined->changed = joined->ripe = true;
	joined->first_pending = false;
	joined->state = join.state;
	joined->foreign_id = join.foreign_id;
	joined->said = join.said;
	return 0;
}

/* What the owner needs to tell somebody; its texts outlive this call. */
static int
joined_finish(struct store *s, uint64_t id, const struct hot *h, struct store_joined *joined,
    struct err *err)
{
	struct bind b = sql(s, SQL_LINK_BODY);
	int found;

	joined->id = id;
	joined->order_key = h->order_key;
	joined->attempt = h->attempt;
	if (!joined->ripe && !joined->first_pending)
		return 0;
	joined->foreign_id = arena_text(&s->texts, joined->foreign_id);
	joined->said = arena_text(&s->texts, joined->said);
	bind_int(&b, (int64_t)id);
	if ((found = sql_row(s, &b, err)) == 1) {
		joined->link = arena_text(&s->texts, take_text(&b));
		joined->body = arena_text(&s->texts, take_text(&b));
		sql_end(&b);
	}
	return found == -1 ? -1 : 0;
}

/* Answered again under another foreign id: the former one leads nowhere. */
static int
answer_forget(struct store *s, const struct store_settlement *st, const struct store_answer *a,
    struct err *err)
{
	struct bind b = sql(s, SQL_EVIDENCE_DROP_ONE_FOREIGN);

	bind_int(&b, (int64_t)st->id);
	bind_int(&b, st->attempt);
	bind_int(&b, a->segment);
	return sql_run(s, &b, err);
}

static int
answer_keep(struct store *s, const struct store_settlement *st, const struct store_answer *a,
    struct err *err)
{
	struct bind b = sql(s, SQL_EVIDENCE_PUT);

	bind_int(&b, (int64_t)st->id);
	bind_int(&b, st->attempt);
	bind_int(&b, a->segment);
	bind_int(&b, a->state);
	bind_key_text(&b, st->domain);
	bind_text(&b, a->foreign_id);
	if (sql_run(s, &b, err) == -1)
		return -1;
	if (a->foreign_id.len == 0)
		return 0;
	b = sql(s, SQL_FOREIGN_PUT);
	bind_key_text(&b, st->domain);
	bind_text(&b, a->foreign_id);
	bind_int(&b, (int64_t)st->id);
	bind_int(&b, st->attempt);
	bind_int(&b, a->segment);
	return sql_run(s, &b, err);
}

/* A receipt that came before this answer. One from before the mark belongs to an older message
 * that had the same id from the SMSC. */
static int
answer_meet_early(struct store *s, const struct store_settlement *st, struct hot *h,
    const struct store_answer *a, struct store_joined *joined, struct err *err)
{
	struct store_receipt early;
	int found;

	if (a->foreign_id.len == 0)
		return 0;
	if ((found = early_read(s, st->domain, a->foreign_id, &early, err)) != 1)
		return found;
	if (early_drop(s, st->domain, a->foreign_id, err) == -1)
		return -1;
	if (early.at < h->marked - EARLY_SLACK_MS)
		return 0;
	joined->matched = true;
	return receipt_apply(s, st->id, h, a->segment, &early, joined, err);
}

static int
evidence_drop(struct store *s, uint64_t id, struct err *err)
{
	if (run_id(s, SQL_EVIDENCE_DROP_FOREIGN, id, err) == -1)
		return -1;
	return run_id(s, SQL_EVIDENCE_DROP, id, err);
}

static int
evidence_drop_former(struct store *s, uint64_t id, uint16_t attempt, struct err *err)
{
	static const enum sql both[] = { SQL_EVIDENCE_DROP_FORMER_FOREIGN, SQL_EVIDENCE_DROP_FORMER };

	for (size_t i = 0; i < 2; i++) {
		struct bind b = sql(s, both[i]);

		bind_int(&b, (int64_t)id);
		bind_int(&b, attempt);
		if (sql_run(s, &b, err) == -1)
			return -1;
	}
	return 0;
}

/* --- settle --- */

int
road_notice_put(struct store *s, const struct store_notice *n, struct err *err)
{
	struct bind b = sql(s, SQL_NOTICE_PUT);

	bind_int(&b, (int64_t)n->id);
	bind_int(&b, (int64_t)n->message);
	bind_int(&b, (int64_t)n->order_key);
	bind_int(&b, n->due);
	bind_int(&b, n->until);
	bind_int(&b, n->tries);
	bind_text(&b, n->url.at != NULL ? n->url : TEXT(""));
	if (sql_run(s, &b, err) == -1)
		return -1;
	s->counts.notices++;
	return 0;
}

static int
hot_finish(struct store *s, const struct hot *h, const struct store_settlement *st, struct err *err)
{
	if (run_add(s, st, err) == -1)
		return -1;
	if ((h->flags & HOT_EVIDENCE) && evidence_drop(s, st->id, err) == -1)
		return -1;
	count_move(s, h->state, STATE_FINISHED);
	return 0;
}

static bool
settlement_left(const struct store_settlement *st)
{
	if (st->state == STATE_UNKNOWN || st->state == STATE_HELD || st->state == STATE_AWAITING)
		return true;
	for (unsigned i = 0; i < st->answer_count; i++)
		if (st->answers[i].state == ANSWER_ACCEPTED || st->answers[i].state == ANSWER_UNKNOWN)
			return true;
	return false;
}

static int
hot_settle(struct store *s, const struct hot *h, const struct store_settlement *st, struct err *err)
{
	struct bind b = sql(s, SQL_SETTLE);

	bind_int(&b, (int64_t)st->id);
	bind_int(&b, h->state);
	bind_int(&b, h->flags);
	bind_int(&b, h->attempt);
	bind_int(&b, h->segments);
	bind_int(&b, st->due);
	bind_int(&b, st->tries);
	bind_int(&b, st->refused);
	return sql_run(s, &b, err);
}

static int
settle_open(struct store *s, struct hot *h, const struct store_settlement *st,
    struct store_joined *joined, struct err *err)
{
	enum store_state was = h->state;
	bool before = (h->flags & HOT_EVIDENCE) != 0;

	h->state = st->state;
	h->attempt = st->attempt;
	if (st->segments != 0)
		h->segments = st->segments;
	if (settlement_left(st))
		h->flags |= HOT_LEFT;
	if (st->answer_count > 0)
		h->flags |= HOT_EVIDENCE;
	if (st->pending == PENDING_WANTED)
		h->flags |= HOT_WANTED;
	else if (st->pending == PENDING_TOLD)
		h->flags &= ~(unsigned)HOT_WANTED;
	if (st->new_attempt && before && evidence_drop_former(s, st->id, st->attempt, err) == -1)
		return -1;
	for (unsigned i = 0; i < st->answer_count; i++)
		if ((before && answer_forget(s, st, &st->answers[i], err) == -1) ||
		    answer_keep(s, st, &st->answers[i], err) == -1 ||
		    answer_meet_early(s, st, h, &st->answers[i], joined, err) == -1)
			return -1;
	if ((before || joined->matched) && receipts_decide(s, st->id, h, joined, err) == -1)
		return -1;
	if (hot_settle(s, h, st, err) == -1)
		return -1;
	count_move(s, was, h->state);
	return joined->matched || joined->ripe ? joined_finish(s, st->id, h, joined, err) : 0;
}

static enum store_result
hot_settled(struct store *s, const struct store_settlement *st, struct store_joined *joined,
    struct err *err)
{
	enum store_result found;
	struct hot h;
	int rc;

	if ((found = hot_read(s, st->id, &h, err)) != STORE_OK)
		return found;
	if (st->pending == PENDING_TOLD && (h.state != STATE_AWAITING ||
	    (h.flags & HOT_TO_TELL) != HOT_TO_TELL))
		return STORE_TOO_LATE;
	rc = st->state == STATE_FINISHED ? hot_finish(s, &h, st, err) :
	    settle_open(s, &h, st, joined, err);
	for (unsigned i = 0; rc == 0 && i < st->notice_count; i++)
		rc = road_notice_put(s, &st->notices[i], err);
	return rc == 0 ? STORE_OK : STORE_FAILED;
}

void
road_settle(struct store *s, uint64_t epoch, const struct store_settlement *st,
    struct store_joined *joined, struct store_done *done)
{
	struct store_joined none;

	if (joined == NULL)
		joined = &none;
	*joined = (struct store_joined){ 0 };
	round_goes_on(s);
	done->result = epoch != EPOCH ? STORE_FENCED : hot_settled(s, st, joined, &done->err);
}

/* --- receipt --- */

struct foreign {
	uint64_t	 id;
	uint16_t	 attempt;
	unsigned	 segment;
};

static int
foreign_read(struct store *s, struct text domain, struct text foreign_id, struct foreign *f,
    struct err *err)
{
	struct bind b = sql(s, SQL_FOREIGN);
	int found;

	bind_key_text(&b, domain);
	bind_text(&b, foreign_id);
	if ((found = sql_row(s, &b, err)) == 1) {
		f->id = (uint64_t)take_int(&b);
		f->attempt = (uint16_t)take_int(&b);
		f->segment = (unsigned)take_int(&b);
		sql_end(&b);
	}
	return found;
}

static int
segment_receipt(struct store *s, const struct foreign *f, uint8_t *state, struct err *err)
{
	struct bind b = sql(s, SQL_EVIDENCE_ONE);
	int found;

	bind_int(&b, (int64_t)f->id);
	bind_int(&b, f->attempt);
	bind_int(&b, f->segment);
	if ((found = sql_row(s, &b, err)) == 1) {
		*state = (uint8_t)take_int(&b);
		sql_end(&b);
	}
	return found;
}

static enum store_result
receipt_of_segment(struct store *s, const struct foreign *f, const struct store_receipt *r,
    struct store_joined *joined, struct err *err)
{
	enum store_result found;
	enum store_state was;
	unsigned flags;
	uint8_t known = RECEIPT_NONE;
	struct hot h;

	if ((found = hot_read(s, f->id, &h, err)) != STORE_OK)
		return found;
	joined->matched = true;
	joined->id = f->id;
	joined->order_key = h.order_key;
	if (f->attempt != h.attempt || h.state == STATE_RIPE)
		return STORE_OK;
	switch (segment_receipt(s, f, &known, err)) {
	case 0:
		return STORE_OK;
	case -1:
		return STORE_FAILED;
	}
	if (!receipt_beats(r->state, known))
		return STORE_OK;
	was = h.state;
	flags = h.flags;
	if (receipt_apply(s, f->id, &h, f->segment, r, joined, err) == -1 ||
	    receipts_decide(s, f->id, &h, joined, err) == -1)
		return STORE_FAILED;
	if ((h.state != was || h.flags != flags) && hot_state(s, f->id, h.state, h.flags, err) == -1)
		return STORE_FAILED;
	count_move(s, was, h.state);
	return joined_finish(s, f->id, &h, joined, err) == -1 ? STORE_FAILED : STORE_OK;
}

void
road_receipt(struct store *s, const struct store_receipt *r, struct store_joined *joined,
    struct store_done *done)
{
	struct foreign f;

	*joined = (struct store_joined){ 0 };
	round_goes_on(s);
	done->result = STORE_ABSENT;
	switch (foreign_read(s, r->domain, r->foreign_id, &f, &done->err)) {
	case 1:
		done->result = receipt_of_segment(s, &f, r, joined, &done->err);
		break;
	case -1:
		done->result = STORE_FAILED;
	}
	if (done->result == STORE_ABSENT)
		done->result = early_keep(s, r, joined, &done->err);
}

/* --- cancel and replace --- */

static enum store_result
unsent_read(struct store *s, uint64_t epoch, uint64_t id, struct hot *h, struct err *err)
{
	struct bind b = sql(s, SQL_FIND_RESULT);
	enum store_result found;

	if (epoch != EPOCH)
		return STORE_FENCED;
	if ((found = hot_read(s, id, h, err)) == STORE_OK)
		return h->state == STATE_WAITING && !(h->flags & HOT_LEFT) ? STORE_OK : STORE_TOO_LATE;
	if (found != STORE_ABSENT)
		return found;
	if (run_settled(s, err) == -1)
		return STORE_FAILED;
	bind_int(&b, (int64_t)id);
	switch (sql_row(s, &b, err)) {
	case 1:
		sql_end(&b);
		return STORE_TOO_LATE;
	case 0:
		return STORE_ABSENT;
	}
	return STORE_FAILED;
}

void
road_cancel(struct store *s, uint64_t epoch, uint64_t id, uint64_t order_key, wall_t at,
    struct store_done *done)
{
	struct store_settlement st = { .id = id, .order_key = order_key, .state = STATE_FINISHED,
	    .at = at, .outcome = OUTCOME_CANCELLED };
	struct hot h;

	if ((done->result = unsent_read(s, epoch, id, &h, &done->err)) != STORE_OK)
		return;
	st.attempt = h.attempt;
	if (hot_finish(s, &h, &st, &done->err) == -1)
		done->result = STORE_FAILED;
}

void
road_replace(struct store *s, uint64_t epoch, uint64_t id, uint64_t order_key, struct text body,
    wall_t expires, struct store_done *done)
{
	struct bind hot = sql(s, SQL_REPLACE_HOT), b = sql(s, SQL_REPLACE_BODY);
	struct hot h;

	(void)order_key;
	if ((done->result = unsent_read(s, epoch, id, &h, &done->err)) != STORE_OK)
		return;
	bind_int(&b, (int64_t)id);
	bind_octets(&b, body);
	bind_int(&hot, (int64_t)id);
	bind_int(&hot, expires);
	if (sql_run(s, &b, &done->err) == -1 || sql_run(s, &hot, &done->err) == -1)
		done->result = STORE_FAILED;
}

/* --- news: what came while its partition was being loaded --- */

static void
inbox_take(struct store *s, struct bind *b, struct store_row *row)
{
	struct text *texts[] = { &row->msisdn, &row->account, &row->push_id, &row->smsc, &row->group };

	*row = (struct store_row){ .id = (uint64_t)take_int(b) };
	row->order_key = (uint64_t)take_int(b);
	row->klass = (uint8_t)take_int(b);
	row->due = take_int(b);
	row->expires = take_int(b);
	row->accepted = take_int(b);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		*texts[i] = arena_text(&s->texts, take_text(b));
}

static int
fresh_add(struct store *s, uint64_t order_key, struct err *err)
{
	if (s->fresh_count == s->fresh_room) {
		unsigned room = s->fresh_room > 0 ? 2 * s->fresh_room : 256;
		uint64_t *fresh = realloc(s->fresh, room * sizeof *fresh);

		if (fresh == NULL)
			return err_set(err, ERR_STORE, "store: no memory");
		s->fresh = fresh;
		s->fresh_room = room;
	}
	s->fresh[s->fresh_count++] = order_key;
	return 0;
}

static int
inbox_adopt(struct store *s, const struct store_row *row, store_news_fn *show, void *arg,
    struct err *err)
{
	struct store_news news = { .kind = NEWS_MESSAGE, .message = { .id = row->id,
	    .order_key = row->order_key, .msisdn = row->msisdn, .account = row->account,
	    .smsc = row->smsc, .group = row->group, .state = STATE_WAITING, .klass = row->klass,
	    .due = row->due, .accepted = row->accepted, .expires = row->expires } };

	if (hot_put(s, row, err) == -1 || msisdn_put(s, row->id, row->order_key, err) == -1 ||
	    run_id(s, SQL_INBOX_DROP, row->id, err) == -1 || fresh_add(s, row->order_key, err) == -1)
		return -1;
	s->inbox--;
	show(arg, &news);
	return 0;
}

int
road_news(struct store *s, const struct store_parts *parts, unsigned most, store_news_fn *show,
    void *arg, unsigned *seen, struct err *err)
{
	struct bind b = sql(s, SQL_INBOX_READ);
	struct store_row *rows;
	unsigned n = 0;
	int more;

	*seen = 0;
	if (s->inbox == 0)
		return 0;
	round_goes_on(s);
	rows = arena_get(&s->texts, most * sizeof *rows);
	bind_int(&b, most);
	while ((more = sql_row(s, &b, err)) == 1)
		inbox_take(s, &b, &rows[n++]);
	if (more == -1)
		return -1;
	for (*seen = 0; *seen < n; ++*seen)
		if (parts_has(parts, store_part(rows[*seen].order_key)) &&
		    inbox_adopt(s, &rows[*seen], show, arg, err) == -1)
			return -1;
	return 0;
}

/* --- notices --- */

static void
notice_changed(struct store *s, struct bind *b, struct store_done *done)
{
	done->result = sql_run(s, b, &done->err) == -1 ? STORE_FAILED :
	    sqlite3_changes(s->db) == 0 ? STORE_ABSENT : STORE_OK;
}

void
road_notice_done(struct store *s, uint64_t id, uint64_t order_key, struct store_done *done)
{
	struct bind b = sql(s, SQL_NOTICE_DONE);

	(void)order_key;
	bind_int(&b, (int64_t)id);
	notice_changed(s, &b, done);
	if (done->result == STORE_OK)
		s->counts.notices--;
}

void
road_notice_later(struct store *s, uint64_t id, uint64_t order_key, uint16_t tries, wall_t due,
    struct store_done *done)
{
	struct bind b = sql(s, SQL_NOTICE_LATER);

	(void)order_key;
	bind_int(&b, (int64_t)id);
	bind_int(&b, tries);
	bind_int(&b, due);
	notice_changed(s, &b, done);
}

/* --- purge --- */

struct finished {
	uint64_t	 id, order_key;
	struct text	 account, push_id;
};

static int
finished_drop(struct store *s, const struct finished *f, struct err *err)
{
	struct bind x = sql(s, SQL_PURGE_MSISDN), p = sql(s, SQL_PURGE_PUSH_ID);

	bind_int(&x, (int64_t)(f->id >> MSISDN_BLOCK_BITS));
	bind_int(&x, (int64_t)f->order_key);
	bind_int(&x, (int64_t)f->id);
	if (run_id(s, SQL_PURGE_RESULT, f->id, err) == -1 || sql_run(s, &x, err) == -1)
		return -1;
	if (f->push_id.at == NULL)
		return 0;
	bind_key_text(&p, f->account);
	bind_text(&p, f->push_id);
	bind_int(&p, (int64_t)f->id);
	return sql_run(s, &p, err);
}

static int
early_purge(struct store *s, wall_t before, unsigned most, unsigned *gone, struct err *err)
{
	struct bind b = sql(s, SQL_PURGE_EARLY);

	if (s->counts.early == 0)
		return 0;
	bind_int(&b, before);
	bind_int(&b, most);
	if (sql_run(s, &b, err) == -1)
		return -1;
	*gone += (unsigned)sqlite3_changes(s->db);
	s->counts.early -= (unsigned)sqlite3_changes(s->db);
	return 0;
}

int
road_purge(struct store *s, wall_t before, unsigned most, unsigned *gone, struct err *err)
{
	struct bind b = sql(s, SQL_PURGE_LOOK);
	struct finished *f;
	unsigned n = 0;
	int more;

	*gone = 0;
	round_goes_on(s);
	if (run_settled(s, err) == -1)
		return -1;
	f = arena_get(&s->texts, most * sizeof *f);
	bind_int(&b, before);
	bind_int(&b, most);
	while ((more = sql_row(s, &b, err)) == 1) {
		f[n].id = (uint64_t)take_int(&b);
		f[n].order_key = (uint64_t)take_int(&b);
		f[n].account = arena_text(&s->texts, take_text(&b));
		f[n].push_id = arena_text(&s->texts, take_text(&b));
		n++;
	}
	if (more == -1)
		return -1;
	for (unsigned i = 0; i < n; i++)
		if (finished_drop(s, &f[i], err) == -1)
			return -1;
	*gone = n;
	return most > n ? early_purge(s, before, most - n, gone, err) : 0;
}
