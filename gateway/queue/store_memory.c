/*
 * store_memory.c - the store in memory: the contract of store.h in its plainest form
 *
 * For tests, for trials (`engine = memory`), and for who writes another store: what a verb means is
 * said here and in row.c with the least around it. Nothing survives the process. store_shared is the same
 * for several nodes in one process: who opens the same path shares one memory, under one lock.
 *
 * Knows:     the contract.
 * Does not:  know disks, or what happens to a row (row.c).
 * Owns:      everything it was given, as copies. A row that is changed is copied first, once a round,
 *            so that a rollback puts the old one back (tree.h).
 * Threads:   each node's store by one thread; the memory they share under its lock.
 */
#include "queue/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "queue/row.h"
#include "queue/tree.h"

enum { KEY_MOST = 1024, NODES_MOST = 64, LEASE_MS = 10000 };

struct notice {
	struct arena	 arena;
	struct store_notice n;
};

struct early {
	struct arena	 arena;
	struct store_receipt r;
};

struct place {				/* of the look-up tables: a message, or one segment of it */
	uint64_t	 id;
	uint16_t	 attempt;
	uint8_t		 segment;
};

struct letter {				/* in an inbox, or handed over to a node */
	struct arena	 arena;
	struct store_news news;		/* MESSAGE: the row is in `rows` already */
	struct store_receipt receipt;
	struct place	 place;
	uint64_t	 id;
};

struct answer {				/* to a request */
	enum store_result result;
};

struct member {
	bool		 there, alive, leaving;
	mono_t		 until, renewed;
	uint64_t	 last_batch, high;
	char		*name, *status;
};

struct base {				/* what nodes share */
	char		*name;		/* NULL: nobody else can find it */
	struct base	*next;
	unsigned	 users;
	pthread_mutex_t	 lock;
	struct tree	 rows;		/* id */
	struct tree	 schedule;	/* position -> place: what is not finished, in the order of turns */
	struct tree	 notices;	/* id */
	struct tree	 push_ids;	/* account, push-id -> place */
	struct tree	 foreign;	/* domain, foreign id -> place */
	struct tree	 early;		/* domain, foreign id */
	struct tree	 msisdns;	/* order key, id downwards -> place */
	struct tree	 finished;	/* time, id -> place */
	struct tree	 inbox;		/* partition, number of arrival -> letter */
	struct tree	 sends;		/* node, number of arrival -> letter */
	struct tree	 answers;	/* number of the request */
	struct tree_journal journal;
	struct store_counts counts, committed;
	uint64_t	 round, arrivals;
	uint32_t	 tag;
	uint16_t	 owner[STORE_PARTITIONS];
	uint64_t	 epoch[STORE_PARTITIONS];
	struct member	 members[NODES_MOST];
	char		*mode;
};

struct store {
	struct base	*b;
	uint16_t	 node;
	long		 lease_ms;
	bool		 open;		/* a round is: the lock is ours */
	bool		 flushed;	/* the next call begins another one */
	uint64_t	 batch;
	uint64_t	*fresh;		/* order keys of this round's news */
	unsigned	 fresh_count, fresh_room;
	struct arena	 texts;		/* handed out */
};

static pthread_mutex_t bases_lock = PTHREAD_MUTEX_INITIALIZER;
static struct base *bases;

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
key_first(const struct tree_node *n)
{
	struct cur c = cur_on(n->key, 8);

	return cur_u64(&c);
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

static char *
get_text(const char *s)
{
	char *p = strdup(s != NULL ? s : "");

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

static void
letter_drop(void *value)
{
	struct letter *l = value;

	arena_free(&l->arena);
	free(l);
}

/* --- the lock: held for a round, and for each call outside of one --- */

static void
round_goes_on(struct store *s)
{
	if (s->flushed)
		arena_reset(&s->texts);
	s->flushed = false;
}

static void
enter(const struct store *s)
{
	if (!s->open)
		pthread_mutex_lock(&s->b->lock);
}

static void
leave(const struct store *s)
{
	if (!s->open)
		pthread_mutex_unlock(&s->b->lock);
}

static bool
owns(const struct store *s, uint64_t order_key)
{
	return s->b->owner[store_part(order_key)] == s->node;
}

static bool
owns_under(const struct store *s, uint64_t order_key, uint64_t epoch)
{
	return owns(s, order_key) && s->b->epoch[store_part(order_key)] == epoch;
}

/* --- rows --- */

static struct row *
row_get(struct base *b, uint64_t id)
{
	struct key k;

	return tree_get(&b->rows, key_id(&k, id));
}

/* The scheduled one: not finished, not in the inbox. */
static struct row *
row_open(struct base *b, uint64_t id)
{
	struct row *r = row_get(b, id);

	return r != NULL && r->state != STATE_FINISHED && !r->inbox ? r : NULL;
}

/* The copy of this round, which may be changed. */
static struct row *
row_change(struct base *b, struct row *r)
{
	struct key k;

	if (r->stamp == b->round)
		return r;
	r = row_new(r);
	r->stamp = b->round;
	tree_set(&b->rows, &b->journal, key_id(&k, r->in.id), r);
	return r;
}

static uint64_t *
count_of(struct base *b, enum store_state state)
{
	switch (state) {
	case STATE_WAITING:
		return &b->counts.waiting;
	case STATE_SENDING:
	case STATE_UNKNOWN:
		return &b->counts.sending;
	case STATE_HELD:
		return &b->counts.held;
	case STATE_AWAITING:
	case STATE_RIPE:
		return &b->counts.awaiting;
	case STATE_FINISHED:
		break;
	}
	return NULL;
}

static void
count_move(struct base *b, enum store_state from, enum store_state to)
{
	uint64_t *minus = count_of(b, from), *plus = count_of(b, to);

	if (minus != NULL)
		--*minus;
	if (plus != NULL)
		++*plus;
}

/* --- what lies beside the rows --- */

static void
foreign_set(void *arg, struct text domain, struct text foreign_id, const struct row *r,
    const struct row_segment *e)
{
	struct base *b = arg;
	struct key k;

	tree_set(&b->foreign, &b->journal, key_texts(&k, domain, foreign_id),
	    place_new(r->in.id, e->attempt, e->answer.segment));
}

static void
foreign_drop(void *arg, struct text domain, struct text foreign_id, const struct row *r,
    const struct row_segment *e)
{
	struct base *b = arg;
	struct place *p;
	struct key k;

	p = tree_get(&b->foreign, key_texts(&k, domain, foreign_id));
	if (p != NULL && p->id == r->in.id && p->attempt == e->attempt &&
	    p->segment == e->answer.segment)
		tree_set(&b->foreign, &b->journal, key_texts(&k, domain, foreign_id), NULL);
}

static bool
early_take(void *arg, struct text domain, struct text foreign_id, struct store_receipt *out)
{
	struct base *b = arg;
	struct early *e;
	struct key k;

	if ((e = tree_get(&b->early, key_texts(&k, domain, foreign_id))) == NULL)
		return false;
	*out = e->r;			/* its texts live until the round is settled */
	tree_set(&b->early, &b->journal, key_texts(&k, domain, foreign_id), NULL);
	b->counts.early--;
	return true;
}

static struct row_world
world_of(struct base *b)
{
	return (struct row_world){ foreign_set, foreign_drop, early_take, b };
}

/* --- submit --- */

static void
letter_post(struct base *b, struct tree *to, uint64_t box, struct letter *l)
{
	struct key k;

	tree_set(to, &b->journal, key_numbers(&k, box, ++b->arrivals), l);
}

static void
row_enter(struct base *b, struct row *r)	/* into the schedule */
{
	struct key k;

	r->position = ++b->arrivals;
	tree_set(&b->schedule, &b->journal, key_id(&k, r->position), place_new(r->in.id, 0, 0));
	++*count_of(b, r->state);
	tree_set(&b->msisdns, &b->journal, key_numbers(&k, r->in.order_key, ~r->in.id),
	    place_new(r->in.id, 0, 0));
}

static bool
fresh_has(const struct store *s, uint64_t order_key)
{
	for (unsigned i = 0; i < s->fresh_count; i++)
		if (s->fresh[i] == order_key)
			return true;
	return false;
}

static enum store_put
row_put(struct store *s, const struct store_row *in)
{
	struct base *b = s->b;
	struct row new = { .in = *in, .due = in->due, .stamp = b->round,
	    .inbox = !owns_under(s, in->order_key, in->epoch) };
	bool marked = in->mark != NULL && !new.inbox && !fresh_has(s, in->order_key);
	struct letter *l;
	struct row *r;
	struct key k;

	if (marked) {
		new.mark = *in->mark;
		new.state = STATE_SENDING;
	}
	if (in->push_id.at != NULL)
		tree_set(&b->push_ids, &b->journal, key_texts(&k, in->account, in->push_id),
		    place_new(in->id, 0, 0));
	r = row_new(&new);
	tree_set(&b->rows, &b->journal, key_id(&k, in->id), r);
	if (!r->inbox) {
		row_enter(b, r);
		return marked ? PUT_MARKED : PUT_WAITING;
	}
	l = get_zeroed(sizeof *l);
	l->news.kind = NEWS_MESSAGE;
	l->id = in->id;
	letter_post(b, &b->inbox, store_part(in->order_key), l);
	return PUT_INBOX;
}

static void
memory_submit(struct store *s, const struct store_submit *sub, struct store_done *done)
{
	struct base *b = s->b;
	struct key k;

	done->result = STORE_OK;
	for (size_t i = 0; i < sub->n; i++) {
		const struct store_row *in = &sub->rows[i];
		const struct place *known = in->push_id.at == NULL ? NULL :
		    tree_get(&b->push_ids, key_texts(&k, in->account, in->push_id));

		sub->existing[i] = known != NULL ? known->id : 0;
		if (known != NULL)
			done->result = STORE_EXISTS;
		for (size_t n = 0; n < i && in->push_id.at != NULL; n++)
			if (text_eq(in->push_id, sub->rows[n].push_id) &&
			    text_eq(in->account, sub->rows[n].account)) {
				done->result = STORE_FAILED;
				err_set(&done->err, ERR_SYNTAX, "two messages of one submission have "
				    "the same push-id");
				return;
			}
		if (row_get(b, in->id) != NULL) {
			done->result = STORE_FAILED;
			err_set(&done->err, ERR_SYSTEM, "store: an id came twice");
			return;
		}
	}
	if (done->result != STORE_OK)
		return;
	for (size_t i = 0; i < sub->n; i++)
		sub->how[i] = row_put(s, &sub->rows[i]);
}

/* --- mark, settle --- */

/* "5/vf1": the node whose link it is. */
static unsigned
node_of(struct text link)
{
	unsigned long n = 0;

	for (size_t i = 0; i < link.len && link.at[i] >= '0' && link.at[i] <= '9'; i++)
		n = n * 10 + (unsigned long)(link.at[i] - '0');
	return (unsigned)n;
}

static void
hand_over(struct base *b, const struct row *r)
{
	struct letter *l = get_zeroed(sizeof *l);

	l->id = r->in.id;
	l->place.attempt = r->mark.attempt;
	letter_post(b, &b->sends, node_of(r->mark.link), l);
}

static void
memory_mark(struct store *s, uint64_t epoch, uint64_t id, uint64_t order_key,
    const struct store_mark *mark, struct store_done *done)
{
	struct base *b = s->b;
	struct row *r = row_open(b, id);
	enum store_state was;

	if (!owns_under(s, order_key, epoch)) {
		done->result = STORE_FENCED;
	} else if (r == NULL) {
		done->result = STORE_ABSENT;
	} else {
		r = row_change(b, r);
		was = r->state;
		if ((done->result = row_mark(r, mark)) == STORE_OK && node_of(mark->link) != s->node)
			hand_over(b, r);
		count_move(b, was, r->state);
	}
}

static void
notice_put(struct base *b, const struct store_notice *in)
{
	struct notice *n = get_zeroed(sizeof *n);
	struct key k;

	n->n = *in;
	n->n.url = arena_text(&n->arena, in->url.at != NULL ? in->url : TEXT(""));
	tree_set(&b->notices, &b->journal, key_id(&k, in->id), n);
	b->counts.notices++;
}

static void
row_finished(struct base *b, struct row *r, const struct store_settlement *st)
{
	struct row_world w = world_of(b);
	struct key k;

	count_move(b, r->state, STATE_FINISHED);
	tree_set(&b->schedule, &b->journal, key_id(&k, r->position), NULL);
	row_finish(r, st, &w);
	tree_set(&b->finished, &b->journal, key_numbers(&k, (uint64_t)st->at, r->in.id),
	    place_new(r->in.id, 0, 0));
}

static void
memory_settle(struct store *s, uint64_t epoch, const struct store_settlement *st,
    struct store_joined *joined, struct store_done *done)
{
	struct base *b = s->b;
	struct row *r = row_open(b, st->id);
	struct row_world w = world_of(b);
	struct store_joined none;
	enum store_state was;

	if (joined == NULL)
		joined = &none;
	*joined = (struct store_joined){ 0 };
	done->result = !owns_under(s, st->order_key, epoch) ? STORE_FENCED :
	    r == NULL ? STORE_ABSENT : !row_may_settle(r, st) ? STORE_TOO_LATE : STORE_OK;
	if (done->result != STORE_OK)
		return;
	r = row_change(b, r);
	was = r->state;
	if (st->state == STATE_FINISHED) {
		row_finished(b, r, st);
	} else {
		row_settle(r, st, joined, &w);
		count_move(b, was, r->state);
	}
	for (unsigned i = 0; i < st->notice_count; i++)
		notice_put(b, &st->notices[i]);
}

/* --- receipts and other evidence --- */

/* Kept until its message shows up, or the purge. A final one is not overwritten. */
static void
early_keep(struct base *b, const struct store_receipt *r, struct store_joined *joined)
{
	struct early *known, *e;
	struct key k;
	struct text key = key_texts(&k, r->domain, r->foreign_id);

	known = tree_get(&b->early, key);
	if (known != NULL && !receipt_beats(r->state, known->r.state))
		return;
	if (known == NULL)
		b->counts.early++;
	e = get_zeroed(sizeof *e);
	e->r = *r;
	e->r.domain = arena_text(&e->arena, r->domain);
	e->r.foreign_id = arena_text(&e->arena, r->foreign_id);
	e->r.said = arena_text(&e->arena, r->said);
	tree_set(&b->early, &b->journal, key, e);
	joined->changed = true;
}

/* false: it changes nothing. */
static bool
receipt_apply(struct base *b, struct row *r, const struct place *p, const struct store_receipt *receipt,
    struct store_joined *joined)
{
	enum store_state was;

	joined->matched = true;
	joined->id = r->in.id;
	joined->order_key = r->in.order_key;
	if (!row_heeds(r, p->attempt, p->segment, receipt->state))
		return false;
	r = row_change(b, r);
	was = r->state;
	row_receipt(r, p->attempt, p->segment, receipt, joined);
	count_move(b, was, r->state);
	return true;
}

static void
receipt_post(struct base *b, const struct row *r, const struct place *p, const struct store_receipt *receipt)
{
	struct letter *l = get_zeroed(sizeof *l);

	l->news.kind = NEWS_RECEIPT;
	l->id = r->in.id;
	l->place = *p;
	l->receipt = *receipt;
	l->receipt.said = arena_text(&l->arena, receipt->said);
	letter_post(b, &b->inbox, store_part(r->in.order_key), l);
}

static void
memory_receipt(struct store *s, const struct store_receipt *receipt, struct store_joined *joined,
    struct store_done *done)
{
	struct base *b = s->b;
	struct place *p;
	struct row *r;
	struct key k;

	*joined = (struct store_joined){ 0 };
	done->result = STORE_OK;
	p = tree_get(&b->foreign, key_texts(&k, receipt->domain, receipt->foreign_id));
	if (p == NULL || (r = row_open(b, p->id)) == NULL) {
		early_keep(b, receipt, joined);
	} else if (owns(s, r->in.order_key)) {
		receipt_apply(b, r, p, receipt, joined);
	} else {
		joined->matched = true;
		joined->id = p->id;
		joined->order_key = r->in.order_key;
		receipt_post(b, r, p, receipt);
	}
}

static void
memory_evidence(struct store *s, const struct store_evidence *v, struct store_done *done)
{
	struct letter *l = get_zeroed(sizeof *l);
	struct store_answer *answers = arena_get(&l->arena, v->answer_count * sizeof *answers);

	l->news.kind = NEWS_EVIDENCE;
	l->news.evidence = *v;
	l->news.evidence.domain = arena_text(&l->arena, v->domain);
	l->news.evidence.said = arena_text(&l->arena, v->said);
	l->news.evidence.answers = answers;
	for (unsigned i = 0; i < v->answer_count; i++) {
		answers[i] = v->answers[i];
		answers[i].foreign_id = arena_text(&l->arena, v->answers[i].foreign_id);
	}
	letter_post(s->b, &s->b->inbox, store_part(v->order_key), l);
	done->result = STORE_OK;
}

/* --- cancel and replace --- */

static enum store_result
unsent(struct store *s, uint64_t epoch, uint64_t id, uint64_t order_key, struct row **r)
{
	if (!owns_under(s, order_key, epoch))
		return STORE_FENCED;
	*r = row_get(s->b, id);
	if (*r == NULL || (*r)->inbox)
		return STORE_ABSENT;
	return row_unsent(*r) ? STORE_OK : STORE_TOO_LATE;
}

static void
memory_cancel(struct store *s, uint64_t epoch, uint64_t id, uint64_t order_key, wall_t at,
    struct store_done *done)
{
	struct store_settlement st = { .at = at, .outcome = OUTCOME_CANCELLED };
	struct row *r;

	if ((done->result = unsent(s, epoch, id, order_key, &r)) != STORE_OK)
		return;
	r = row_change(s->b, r);
	st.attempt = r->mark.attempt;
	row_finished(s->b, r, &st);
}

static void
memory_replace(struct store *s, uint64_t epoch, uint64_t id, uint64_t order_key, struct text body,
    wall_t expires, struct store_done *done)
{
	struct row *r;

	if ((done->result = unsent(s, epoch, id, order_key, &r)) != STORE_OK)
		return;
	r = row_change(s->b, r);
	r->in.body = arena_text(&r->arena, body);
	r->in.expires = expires;
}

static void
memory_request(struct store *s, const struct store_request *q, struct store_done *done)
{
	struct letter *l = get_zeroed(sizeof *l);

	l->news.kind = NEWS_REQUEST;
	l->news.request = *q;
	l->news.request.body = arena_text(&l->arena, q->body);
	letter_post(s->b, &s->b->inbox, store_part(q->order_key), l);
	done->result = STORE_OK;
}

/* The letter stays until it is answered: an owner that dies leaves it to the next one. */
static void
memory_answer(struct store *s, uint64_t number, uint64_t order_key, enum store_result result,
    struct store_done *done)
{
	struct base *b = s->b;
	struct tree_node *n;
	struct answer *a;
	struct key k;

	done->result = STORE_ABSENT;
	for (n = tree_after(&b->inbox, key_numbers(&k, store_part(order_key), 0));
	    n != NULL && key_first(n) == store_part(order_key);
	    n = tree_after(&b->inbox, (struct text){ (char *)n->key, n->key_len })) {
		const struct letter *l = n->value;

		if (l->news.kind != NEWS_REQUEST || l->news.request.number != number)
			continue;
		a = get_zeroed(sizeof *a);
		a->result = result;
		tree_set(&b->answers, &b->journal, key_id(&k, number), a);
		tree_set(&b->inbox, &b->journal, key_numbers(&k, key_first(n), key_second(n)), NULL);
		done->result = STORE_OK;
		return;
	}
}

static void
memory_answered(struct store *s, uint64_t number, uint64_t order_key, enum store_result *result,
    struct store_done *done)
{
	struct answer *a;
	struct key k;

	(void)order_key;
	done->result = STORE_ABSENT;
	if ((a = tree_get(&s->b->answers, key_id(&k, number))) == NULL)
		return;
	*result = a->result;
	tree_set(&s->b->answers, &s->b->journal, key_id(&k, number), NULL);
	done->result = STORE_OK;
}

/* --- news, and what was handed over --- */

static void
fresh_add(struct store *s, uint64_t order_key)
{
	if (s->fresh_count == s->fresh_room) {
		s->fresh_room = s->fresh_room > 0 ? 2 * s->fresh_room : 64;
		if ((s->fresh = realloc(s->fresh, s->fresh_room * sizeof *s->fresh)) == NULL) {
			fputs("panic: out of memory in the memory store\n", stderr);
			abort();
		}
	}
	s->fresh[s->fresh_count++] = order_key;
}

static bool
news_message(struct store *s, const struct letter *l, struct store_news *news)
{
	struct row *r = row_change(s->b, row_get(s->b, l->id));

	r->inbox = false;
	row_enter(s->b, r);
	row_index(r, &news->message);
	fresh_add(s, r->in.order_key);
	return true;
}

static bool
news_evidence(struct store *s, struct store_news *news)
{
	struct row_world w = world_of(s->b);
	struct row *r = row_open(s->b, news->evidence.id);

	if (r == NULL)
		return false;
	return row_evidence(row_change(s->b, r), &news->evidence, &news->joined, &w);
}

static bool
news_receipt(struct store *s, const struct letter *l, struct store_news *news)
{
	struct row *r = row_open(s->b, l->id);

	return r != NULL && receipt_apply(s->b, r, &l->place, &l->receipt, &news->joined) &&
	    (news->joined.ripe || news->joined.first_pending);
}

/* true: it is to be shown. */
static bool
letter_read(struct store *s, const struct letter *l, struct store_news *news)
{
	*news = l->news;
	switch (l->news.kind) {
	case NEWS_MESSAGE:
		return news_message(s, l, news);
	case NEWS_EVIDENCE:
		return news_evidence(s, news);
	case NEWS_RECEIPT:
		return news_receipt(s, l, news);
	case NEWS_REQUEST:
		break;
	}
	return true;
}

/* The oldest letter of these partitions behind that one. */
static struct tree_node *
letter_next(struct store *s, const struct store_parts *parts, uint64_t after)
{
	struct tree_node *oldest = NULL, *n;
	struct key k;

	for (unsigned part = 0; part < STORE_PARTITIONS; part++) {
		if (!parts_has(parts, part) || s->b->owner[part] != s->node)
			continue;
		n = tree_after(&s->b->inbox, key_numbers(&k, part, after));
		if (n != NULL && key_first(n) == part &&
		    (oldest == NULL || key_second(n) < key_second(oldest)))
			oldest = n;
	}
	return oldest;
}

static int
memory_news(struct store *s, const struct store_parts *parts, unsigned most, store_news_fn *show,
    void *arg, unsigned *seen, struct err *err)
{
	struct tree_node *n;
	struct store_news news;
	struct key k;

	(void)err;
	*seen = 0;
	if (s->b->inbox.root == NULL)
		return 0;
	for (uint64_t after = 0; *seen < most && (n = letter_next(s, parts, after)) != NULL; ++*seen) {
		const struct letter *l = n->value;
		uint64_t part = key_first(n);

		after = key_second(n);
		if (letter_read(s, l, &news))
			show(arg, &news);
		if (l->news.kind != NEWS_REQUEST)
			tree_set(&s->b->inbox, &s->b->journal, key_numbers(&k, part, after), NULL);
	}
	return 0;
}

static int
memory_sends(struct store *s, unsigned most, store_send_fn *show, void *arg, unsigned *seen,
    struct err *err)
{
	struct base *b = s->b;
	struct tree_node *n;
	struct key k;

	(void)err;
	for (*seen = 0; *seen < most; ++*seen) {
		const struct letter *l;
		const struct row *r;

		n = tree_after(&b->sends, key_numbers(&k, s->node, 0));
		if (n == NULL || key_first(n) != s->node)
			break;
		l = n->value;
		r = row_open(b, l->id);
		if (r != NULL && r->state == STATE_SENDING && r->mark.attempt == l->place.attempt &&
		    node_of(r->mark.link) == s->node) {
			struct store_flight f;

			row_flight(r, &f, &s->texts);
			show(arg, &(struct store_send){ .id = l->id, .order_key = r->in.order_key,
			    .mark = r->mark, .body = f.body, .segments = f.segments,
			    .answers = f.answers, .answer_count = f.answer_count });
		}
		tree_set(&b->sends, &b->journal, key_numbers(&k, s->node, key_second(n)), NULL);
	}
	return 0;
}

/* --- notices --- */

static void
memory_notice_done(struct store *s, uint64_t id, uint64_t order_key, struct store_done *done)
{
	struct key k;

	(void)order_key;
	done->result = STORE_ABSENT;
	if (tree_get(&s->b->notices, key_id(&k, id)) == NULL)
		return;
	tree_set(&s->b->notices, &s->b->journal, key_id(&k, id), NULL);
	s->b->counts.notices--;
	done->result = STORE_OK;
}

static void
memory_notice_later(struct store *s, uint64_t id, uint64_t order_key, uint16_t tries, wall_t due,
    struct store_done *done)
{
	struct notice *old, *n;
	struct key k;

	(void)order_key;
	done->result = STORE_ABSENT;
	if ((old = tree_get(&s->b->notices, key_id(&k, id))) == NULL)
		return;
	n = get_zeroed(sizeof *n);
	n->n = old->n;
	n->n.url = arena_text(&n->arena, old->n.url);
	n->n.tries = tries;
	n->n.due = due;
	tree_set(&s->b->notices, &s->b->journal, key_id(&k, id), n);
	done->result = STORE_OK;
}

/* --- reading. What is handed out is copied: another node may change a row meanwhile. --- */

static void
memory_notice(struct store *s, uint64_t id, uint64_t order_key, struct store_notice *out,
    struct store_done *done)
{
	struct notice *n;
	struct key k;

	(void)order_key;
	round_goes_on(s);
	enter(s);
	done->result = STORE_ABSENT;
	if ((n = tree_get(&s->b->notices, key_id(&k, id))) != NULL) {
		*out = n->n;
		out->url = arena_text(&s->texts, n->n.url);
		done->result = STORE_OK;
	}
	leave(s);
}

static void
memory_flight(struct store *s, uint64_t id, uint64_t order_key, struct store_flight *f,
    struct store_done *done)
{
	struct row *r;

	(void)order_key;
	round_goes_on(s);
	enter(s);
	*f = (struct store_flight){ .id = id };
	done->result = STORE_ABSENT;
	if ((r = row_open(s->b, id)) != NULL) {
		struct row *copy = row_new(r);

		row_flight(copy, f, &s->texts);
		f->body = arena_text(&s->texts, f->body);
		f->link = arena_text(&s->texts, f->link);
		f->receipt_id = arena_text(&s->texts, f->receipt_id);
		f->receipt_said = arena_text(&s->texts, f->receipt_said);
		for (unsigned i = 0; i < f->answer_count; i++) {
			struct store_answer *a = (struct store_answer *)(uintptr_t)&f->answers[i];

			a->foreign_id = arena_text(&s->texts, a->foreign_id);
		}
		row_free(copy);
		done->result = STORE_OK;
	}
	leave(s);
}

typedef bool row_want_fn(const struct row *, wall_t now);

static bool
want_scheduled(const struct row *r, wall_t now)
{
	(void)now;
	return row_scheduled(r);
}

static bool
want_overdue(const struct row *r, wall_t now)
{
	return row_overdue(r, now);
}

static bool
want_held(const struct row *r, wall_t now)
{
	(void)now;
	return r->state == STATE_HELD;
}

static int
rows_scan(struct store *s, const struct store_parts *parts, struct store_cursor *c, unsigned most,
    row_want_fn *want, wall_t now, store_index_fn *show, void *arg)
{
	struct store_index x;
	struct tree_node *n;
	unsigned seen = 0;
	struct key k;

	enter(s);
	while (seen < most && (n = tree_after(&s->b->schedule, key_id(&k, c->a))) != NULL) {
		const struct row *r = row_get(s->b, ((const struct place *)n->value)->id);

		c->a = key_second(n);
		if (!parts_has(parts, store_part(r->in.order_key)))
			continue;
		seen++;
		if (!want(r, now))
			continue;
		row_index(r, &x);
		show(arg, &x);
	}
	c->end = seen < most;
	leave(s);
	return 0;
}

static int
memory_load(struct store *s, const struct store_parts *parts, struct store_cursor *c, unsigned most,
    store_index_fn *show, void *arg, struct err *err)
{
	(void)err;
	return rows_scan(s, parts, c, most, want_scheduled, 0, show, arg);
}

static int
memory_overdue(struct store *s, const struct store_parts *parts, struct store_cursor *c, unsigned most,
    wall_t now, store_index_fn *show, void *arg, struct err *err)
{
	(void)err;
	return rows_scan(s, parts, c, most, want_overdue, now, show, arg);
}

static int
memory_held(struct store *s, const struct store_parts *parts, struct store_cursor *c, unsigned most,
    store_index_fn *show, void *arg, struct err *err)
{
	(void)err;
	return rows_scan(s, parts, c, most, want_held, 0, show, arg);
}

static int
memory_notices(struct store *s, const struct store_parts *parts, struct store_cursor *c, unsigned most,
    store_notice_fn *show, void *arg, struct err *err)
{
	struct tree_node *n;
	unsigned seen = 0;
	struct key k;

	(void)err;
	enter(s);
	while (seen < most && (n = tree_after(&s->b->notices, key_id(&k, c->a))) != NULL) {
		const struct notice *notice = n->value;

		c->a = notice->n.id;
		if (!parts_has(parts, store_part(notice->n.order_key)))
			continue;
		seen++;
		show(arg, &notice->n);
	}
	c->end = seen < most;
	leave(s);
	return 0;
}

static void
view_copy(struct store *s, const struct row *r, struct store_view *v)
{
	struct text *texts[] = { &v->msisdn, &v->account, &v->push_id, &v->link };

	row_view(r, v);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		*texts[i] = arena_text(&s->texts, *texts[i]);
}

static int
memory_find(struct store *s, const struct store_place *p, struct store_view *v, struct err *err)
{
	struct row *r;

	(void)err;
	round_goes_on(s);
	enter(s);
	if ((r = row_get(s->b, p->id)) != NULL)
		view_copy(s, r, v);
	leave(s);
	return r != NULL;
}

static int
place_find(struct store *s, const struct tree *t, struct text a, struct text b, struct store_place *out)
{
	struct place *p;
	struct key k;

	enter(s);
	if ((p = tree_get(t, key_texts(&k, a, b))) != NULL)
		*out = (struct store_place){ .id = p->id, .part = -1 };
	leave(s);
	return p != NULL;
}

static int
memory_find_push_id(struct store *s, struct text account, struct text push_id, struct store_place *p,
    struct err *err)
{
	(void)err;
	return place_find(s, &s->b->push_ids, account, push_id, p);
}

static int
memory_find_foreign(struct store *s, struct text domain, struct text foreign_id, struct store_place *p,
    struct err *err)
{
	(void)err;
	return place_find(s, &s->b->foreign, domain, foreign_id, p);
}

static int
memory_find_msisdn(struct store *s, uint64_t order_key, struct text msisdn, unsigned most,
    store_view_fn *show, void *arg, struct err *err)
{
	struct tree_node *n;
	struct store_view v;
	struct key k;

	(void)err;
	round_goes_on(s);
	enter(s);
	for (n = tree_after(&s->b->msisdns, key_numbers(&k, order_key, 0)); n != NULL && most > 0;
	    n = tree_after(&s->b->msisdns, (struct text){ (char *)n->key, n->key_len })) {
		const struct row *r = row_get(s->b, ~key_second(n));

		if (r == NULL || r->in.order_key != order_key)
			break;
		if (!text_eq(r->in.msisdn, msisdn))	/* another address with this key */
			continue;
		view_copy(s, r, &v);
		show(arg, &v);
		most--;
	}
	leave(s);
	return 0;
}

/* --- purge --- */

static void
row_purge(struct base *b, struct row *r)
{
	uint64_t id = r->in.id;
	struct key k;

	tree_set(&b->finished, &b->journal, key_numbers(&k, (uint64_t)r->finished, id), NULL);
	tree_set(&b->msisdns, &b->journal, key_numbers(&k, r->in.order_key, ~id), NULL);
	if (r->in.push_id.at != NULL)
		tree_set(&b->push_ids, &b->journal, key_texts(&k, r->in.account, r->in.push_id), NULL);
	tree_set(&b->rows, &b->journal, key_id(&k, id), NULL);
}

static unsigned
early_purge(struct base *b, wall_t before, unsigned most)
{
	uint8_t octets[KEY_MOST];
	struct text at = { (char *)octets, 0 };
	struct tree_node *n;
	unsigned gone = 0;

	while (gone < most && (n = tree_after(&b->early, at)) != NULL) {
		const struct early *e = n->value;

		memcpy(octets, n->key, n->key_len);
		at.len = n->key_len;
		if (e->r.at >= before)
			continue;
		tree_set(&b->early, &b->journal, at, NULL);
		b->counts.early--;
		gone++;
	}
	return gone;
}

static int
memory_purge(struct store *s, wall_t before, unsigned most, unsigned *gone, struct err *err)
{
	struct base *b = s->b;
	struct tree_node *n;
	struct key k;

	(void)err;
	for (*gone = 0; *gone < most; ++*gone) {
		struct row *r;

		n = tree_after(&b->finished, key_numbers(&k, 0, 0));
		if (n == NULL || (r = row_get(b, key_second(n)))->finished >= before)
			break;
		row_purge(b, r);
	}
	*gone += early_purge(b, before, most - *gone);
	return 0;
}

/* --- the memory that nodes share --- */

static struct base *
base_new(const char *name, struct err *err)
{
	struct base *b = get_zeroed(sizeof *b);

	b->rows.drop = row_free;
	b->notices.drop = notice_drop;
	b->early.drop = early_drop;
	b->inbox.drop = b->sends.drop = letter_drop;
	b->schedule.drop = b->push_ids.drop = b->foreign.drop = b->msisdns.drop = b->finished.drop = b->answers.drop = free;
	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		b->owner[i] = STORE_NOBODY;
	b->mode = get_text("");
	if (getrandom(&b->tag, sizeof b->tag, 0) != sizeof b->tag) {
		err_errno(err, "getrandom");
		free(b->mode);
		free(b);
		return NULL;
	}
	pthread_mutex_init(&b->lock, NULL);
	if (name != NULL)
		b->name = get_text(name);
	return b;
}

static void
base_free(struct base *b)
{
	struct tree *all[] = { &b->rows, &b->schedule, &b->notices, &b->push_ids, &b->foreign, &b->early,
	    &b->msisdns, &b->finished, &b->inbox, &b->sends, &b->answers };

	journal_undo(&b->journal);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		tree_free(all[i]);
	for (unsigned i = 0; i < NODES_MOST; i++) {
		free(b->members[i].name);
		free(b->members[i].status);
	}
	pthread_mutex_destroy(&b->lock);
	free(b->mode);
	free(b->name);
	free(b);
}

static struct base *
base_take(const char *name, struct err *err)
{
	struct base *b = NULL;

	pthread_mutex_lock(&bases_lock);
	for (b = name != NULL ? bases : NULL; b != NULL && strcmp(b->name, name) != 0;)
		b = b->next;
	if (b == NULL && (b = base_new(name, err)) != NULL && name != NULL) {
		b->next = bases;
		bases = b;
	}
	if (b != NULL)
		b->users++;
	pthread_mutex_unlock(&bases_lock);
	return b;
}

static void
base_give(struct base *b)
{
	bool last;

	pthread_mutex_lock(&bases_lock);
	last = --b->users == 0;
	for (struct base **at = &bases; last && *at != NULL; at = &(*at)->next)
		if (*at == b) {
			*at = b->next;
			break;
		}
	pthread_mutex_unlock(&bases_lock);
	if (last)
		base_free(b);
}

/* --- nodes --- */

static void
member_dies(struct base *b, unsigned node)
{
	b->members[node].alive = false;
	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		if (b->owner[i] == node)
			b->owner[i] = STORE_NOBODY;
}

static void
member_renews(struct base *b, unsigned node, mono_t now, long lease_ms)
{
	b->members[node].alive = true;
	b->members[node].renewed = now;
	b->members[node].until = now + lease_ms;
}

static int
store_join(struct store *s, const struct store_conf *conf, struct err *err)
{
	struct base *b = s->b;

	if (conf->again > 0 && conf->again <= NODES_MOST && b->members[conf->again - 1].there) {
		s->node = (uint16_t)(conf->again - 1);
		return 0;
	}
	for (unsigned i = 0; i < NODES_MOST; i++) {
		if (b->members[i].there)
			continue;
		b->members[i] = (struct member){ .there = true, .high = 1,
		    .name = get_text(conf->node_name), .status = get_text(NULL) };
		member_renews(b, i, clock_mono(), s->lease_ms);
		s->node = (uint16_t)i;
		return 0;
	}
	return err_set(err, ERR_STORE, "store: more than %d nodes", NODES_MOST);
}

static struct store *
open_named(const struct store_conf *conf, const char *name, struct err *err)
{
	struct store *s = get_zeroed(sizeof *s);
	int rc;

	s->lease_ms = conf->lease_ms > 0 ? conf->lease_ms : LEASE_MS;
	if ((s->b = base_take(name, err)) == NULL) {
		free(s);
		return NULL;
	}
	enter(s);
	rc = store_join(s, conf, err);
	leave(s);
	if (rc == -1) {
		base_give(s->b);
		free(s);
		return NULL;
	}
	return s;
}

static struct store *
memory_open(const struct store_conf *conf, struct err *err)
{
	return open_named(conf, NULL, err);
}

static struct store *
shared_open(const struct store_conf *conf, struct err *err)
{
	return open_named(conf, conf->path != NULL ? conf->path : "", err);
}

static void
memory_rollback(struct store *s)
{
	journal_undo(&s->b->journal);
	s->b->counts = s->b->committed;
	s->open = false;
	leave(s);
}

/* A number is not given again while the memory lives: its ids must not come again. */
static void
memory_close(struct store **sp, bool for_good)
{
	struct store *s = *sp;

	if (s == NULL)
		return;
	if (s->open)
		memory_rollback(s);
	enter(s);
	if (for_good)
		member_dies(s->b, s->node);
	leave(s);
	base_give(s->b);
	arena_free(&s->texts);
	free(s->fresh);
	free(s);
	*sp = NULL;
}

static int
memory_claim(struct store *s, const struct store_parts *wanted, struct store_parts *got, struct err *err)
{
	struct base *b = s->b;

	(void)err;
	*got = (struct store_parts){ { 0 } };
	enter(s);
	for (unsigned i = 0; i < STORE_PARTITIONS; i++) {
		if (!parts_has(wanted, i) || !b->members[s->node].alive)
			continue;
		if (b->owner[i] == STORE_NOBODY) {
			b->owner[i] = s->node;
			b->epoch[i]++;
		}
		parts_set(got, i, b->owner[i] == s->node);
	}
	leave(s);
	return 0;
}

static int
memory_release(struct store *s, const struct store_parts *parts, struct err *err)
{
	(void)err;
	enter(s);
	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		if (parts_has(parts, i) && s->b->owner[i] == s->node)
			s->b->owner[i] = STORE_NOBODY;
	leave(s);
	return 0;
}

static uint64_t
memory_epoch(const struct store *s, unsigned part)
{
	uint64_t epoch;

	enter(s);
	epoch = s->b->owner[part] == s->node ? s->b->epoch[part] : 0;
	leave(s);
	return epoch;
}

struct store_keeper {
	struct base	*b;
	uint16_t	 node;
	long		 lease_ms;
	struct store_peer peers[NODES_MOST];
	struct arena	 texts;
};

static struct store_keeper *
shared_keeper_open(const struct store_conf *conf, uint16_t node, struct err *err)
{
	struct store_keeper *k = get_zeroed(sizeof *k);

	k->b = base_take(conf->path != NULL ? conf->path : "", err);
	if (k->b == NULL) {
		free(k);
		return NULL;
	}
	k->node = node;
	k->lease_ms = conf->lease_ms > 0 ? conf->lease_ms : LEASE_MS;
	return k;
}

static void
shared_keeper_close(struct store_keeper **kp)
{
	if (*kp == NULL)
		return;
	base_give((*kp)->b);
	arena_free(&(*kp)->texts);
	free(*kp);
	*kp = NULL;
}

static int
shared_keep(struct store_keeper *k, const struct store_self *self, struct store_members *out,
    struct err *err)
{
	struct base *b = k->b;
	mono_t now = clock_mono();
	struct member *me = &b->members[k->node];

	(void)err;
	pthread_mutex_lock(&b->lock);
	arena_reset(&k->texts);
	for (unsigned i = 0; i < NODES_MOST; i++)
		if (b->members[i].alive && b->members[i].until < now)
			member_dies(b, i);
	if (me->alive) {
		member_renews(b, k->node, now, k->lease_ms);
		if (self->status.at != NULL) {
			free(me->status);
			me->status = get_text(arena_text(&k->texts, self->status).at);
		}
		me->leaving = self->leaving;
	}
	*out = (struct store_members){ .alive = me->alive, .until = me->until, .peers = k->peers,
	    .mode = arena_text(&k->texts, text_of(b->mode)) };
	for (unsigned i = 0; i < NODES_MOST; i++)
		if (b->members[i].there)
			k->peers[out->peer_count++] = (struct store_peer){ .node = (uint16_t)i,
			    .alive = b->members[i].alive, .leaving = b->members[i].leaving, .seen_ms = now - b->members[i].renewed,
			    .name = arena_text(&k->texts, text_of(b->members[i].name)),
			    .status = arena_text(&k->texts, text_of(b->members[i].status)) };
	memcpy(out->owner, b->owner, sizeof out->owner);
	pthread_mutex_unlock(&b->lock);
	return 0;
}

static int
shared_mode(struct store_keeper *k, struct text mode, struct err *err)
{
	(void)err;
	pthread_mutex_lock(&k->b->lock);
	free(k->b->mode);
	k->b->mode = get_text(arena_text(&k->texts, mode).at);
	pthread_mutex_unlock(&k->b->lock);
	return 0;
}

/* --- rounds --- */

static int
memory_begin(struct store *s, uint64_t batch, struct err *err)
{
	struct base *b = s->b;

	(void)err;
	enter(s);
	s->open = true;
	s->batch = batch;
	s->fresh_count = 0;
	s->flushed = true;
	round_goes_on(s);
	b->round++;
	b->counts = b->committed;
	if (!b->members[s->node].alive)	/* declared dead: it joins again */
		member_renews(b, s->node, clock_mono(), s->lease_ms);
	return 0;
}

static int
memory_flush(struct store *s, struct err *err)
{
	(void)err;
	s->flushed = true;
	return 0;
}

static enum store_commit
memory_commit(struct store *s, struct err *err)
{
	(void)err;
	journal_settle(&s->b->journal);
	s->b->committed = s->b->counts;
	s->b->members[s->node].last_batch = s->batch;
	s->open = false;
	leave(s);
	return COMMIT_DONE;
}

static int
memory_last_batch(struct store *s, uint64_t *batch, struct err *err)
{
	(void)err;
	enter(s);
	*batch = s->b->members[s->node].last_batch;
	leave(s);
	return 0;
}

static uint16_t
memory_node(struct store *s)
{
	return s->node;
}

static uint32_t
memory_tag(struct store *s)
{
	return s->b->tag;
}

static int
memory_reserve(struct store *s, uint32_t count, uint64_t *first, struct err *err)
{
	struct member *me = &s->b->members[s->node];

	(void)err;
	enter(s);
	*first = (uint64_t)s->node << STORE_NODE_SHIFT | me->high;
	me->high += count;
	leave(s);
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
memory_counts(struct store *s, struct store_counts *counts, struct err *err)
{
	(void)err;
	enter(s);
	*counts = s->b->committed;
	leave(s);
	return 0;
}

#define VERBS											\
	.close = memory_close, .begin = memory_begin, .flush = memory_flush,			\
	.commit = memory_commit, .rollback = memory_rollback, .last_batch = memory_last_batch,	\
	.node = memory_node, .tag = memory_tag, .reserve = memory_reserve,			\
	.claim = memory_claim, .release = memory_release, .epoch = memory_epoch,		\
	.backup = memory_backup, .submit = memory_submit, .mark = memory_mark,			\
	.settle = memory_settle, .receipt = memory_receipt, .evidence = memory_evidence,	\
	.cancel = memory_cancel, .replace = memory_replace,					\
	.notice_done = memory_notice_done, .notice_later = memory_notice_later,			\
	.flight = memory_flight, .notice = memory_notice, .news = memory_news,			\
	.sends = memory_sends, .request = memory_request, .answer = memory_answer,		\
	.answered = memory_answered, .load = memory_load, .overdue = memory_overdue,		\
	.held = memory_held, .notices = memory_notices, .find = memory_find,			\
	.find_push_id = memory_find_push_id, .find_foreign = memory_find_foreign,		\
	.find_msisdn = memory_find_msisdn, .counts = memory_counts, .purge = memory_purge

const struct store_driver store_memory = { .name = "memory", .open = memory_open, VERBS };

const struct store_driver store_shared = {
	.name = "shared", .open = shared_open, VERBS,
	.keeper_open = shared_keeper_open, .keeper_close = shared_keeper_close, .keep = shared_keep,
	.keeper_mode = shared_mode
};
