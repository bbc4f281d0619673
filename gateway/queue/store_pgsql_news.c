/*
 * store_pgsql_news.c - what others brought: the inboxes of our partitions, what was handed over to us
 *
 * Read in one trip, which tells too whether anywhere receipts wait for their messages. What the news are
 * about is read in a second one, if it is not in memory. They are applied in the order in which they
 * came; the rows of the inbox go with the round's other writes.
 *
 * A receipt that comes to one node while another one settles its message finds no message, and is
 * found by none: both look before the other's commit. So receipts that wait, and came lately, are
 * looked up once a second by whoever owns the message.
 *
 * Knows:     kinds of news.
 * Does not:  know what they mean for a message (row.c).
 * Owns:      nothing; copies lie in the round's arena.
 * Threads:   the store worker's.
 */
#include "queue/store_pgsql_inner.h"

#include <inttypes.h>
#include <string.h>

#include "io/log.h"

enum { EARLY_LOOK_MS = 1000, EARLY_LATELY_MS = 120000 };

struct letter {
	unsigned	 kind, part, n;
	int64_t		 at;
	uint64_t	 id, key;
	struct text	 data;
	/* as unpacked */
	bool		 good;
	struct store_row message;
	struct store_evidence evidence;
	struct store_receipt receipt;
	struct store_request request;
	uint16_t	 attempt;
	uint8_t		 segment;
};

struct met {				/* a receipt that came early, and its message */
	struct store_receipt receipt;
	uint64_t	 id;
	uint16_t	 attempt;
	uint8_t		 segment;
};

struct mail {
	struct letter	*letters;
	struct met	*met;
	unsigned	 count, met_count;
};

/* --- reading ---------------------------------------------------------------------- */

static void
letter_unpack(struct store *s, struct letter *l)
{
	switch (l->kind) {
	case INBOX_MESSAGE:
		l->good = unpack_message(l->data, &l->message);
		l->message.id = l->id;
		l->message.order_key = l->key;
		break;
	case INBOX_EVIDENCE:
		l->good = unpack_evidence(l->data, &l->evidence, &s->work);
		l->evidence.id = l->id;
		l->evidence.order_key = l->key;
		break;
	case INBOX_RECEIPT:
		l->good = unpack_receipt(l->data, &l->attempt, &l->segment, &l->receipt);
		break;
	case INBOX_REQUEST:
		l->good = unpack_request(l->data, &l->request);
		l->request.number = l->id;
		l->request.order_key = l->key;
		break;
	}
	if (!l->good)
		log_error("store: news of kind %u for message %" PRIu64 " cannot be read: a newer node's? they stay",
		    l->kind, l->id);
}

static void
letters_read(struct store *s, struct mail *m)
{
	const PGresult *res = result_of(s, ST_NEWS);

	m->count = (unsigned)PQntuples(res);
	m->letters = arena_zero(&s->work, (m->count + 1) * sizeof *m->letters);
	for (unsigned i = 0; i < m->count; i++) {
		struct letter *l = &m->letters[i];

		l->part = (unsigned)pg_number(res, i, 0);
		l->at = pg_number(res, i, 1);
		l->id = (uint64_t)pg_number(res, i, 2);
		l->n = (unsigned)pg_number(res, i, 3);
		l->kind = (unsigned)pg_number(res, i, 4);
		l->key = (uint64_t)pg_number(res, i, 5);
		l->data = arena_text(&s->work, pg_text(res, i, 6));
		letter_unpack(s, l);
	}
}

static void
met_read(struct store *s, struct mail *m)
{
	const PGresult *res = result_of(s, ST_EARLY_MET);

	early_read(s, res);
	m->met_count = (unsigned)PQntuples(res);
	m->met = arena_zero(&s->work, (m->met_count + 1) * sizeof *m->met);
	for (unsigned i = 0; i < m->met_count; i++)
		m->met[i] = (struct met){
			.receipt = { .domain = arena_text(&s->work, pg_text(res, i, 1)),
			    .foreign_id = arena_text(&s->work, pg_text(res, i, 0)) },
			.id = (uint64_t)pg_number(res, i, 5), .attempt = (uint16_t)pg_number(res, i, 6),
			.segment = (uint8_t)pg_number(res, i, 7) };
}

static bool
send_of(struct store *s, const PGresult *res, unsigned i, struct store_send *out)
{
	struct store_flight f;
	struct row r;
	bool meant;

	if (pg_null(res, i, C_ID))
		return false;		/* it is finished */
	row_of_result(res, i, &r);
	meant = r.state == STATE_SENDING && r.mark.attempt == (uint16_t)pg_number(res, i, ROW_COLUMNS + 3);
	row_flight(&r, &f, &s->work);
	for (unsigned n = 0; n < f.answer_count; n++) {
		struct store_answer *a = (struct store_answer *)(uintptr_t)&f.answers[n];

		a->foreign_id = arena_text(&s->work, a->foreign_id);
	}
	*out = (struct store_send){ .id = r.in.id, .order_key = r.in.order_key, .mark = r.mark,
	    .body = arena_text(&s->work, pg_text(res, i, ROW_COLUMNS)), .segments = f.segments,
	    .answers = f.answers, .answer_count = f.answer_count };
	out->mark.link = arena_text(&s->work, r.mark.link);
	arena_free(&r.arena);
	return meant;
}

static void
sends_take(struct store *s)
{
	const PGresult *res = result_of(s, ST_SENDS);
	unsigned n = (unsigned)PQntuples(res);

	s->sends = arena_zero(&s->work, (n + 1) * sizeof *s->sends);
	s->send_keys = arena_zero(&s->work, (n + 1) * sizeof *s->send_keys);
	s->send_count = 0;
	s->sends_gone = n;
	for (unsigned i = 0; i < n; i++) {
		s->send_keys[i] = (struct send_key){ .id = pg_number(res, i, ROW_COLUMNS + 1),
		    .part = pg_number(res, i, ROW_COLUMNS + 2), .attempt = pg_number(res, i, ROW_COLUMNS + 3) };
		s->send_count += send_of(s, res, i, &s->sends[s->send_count]);
	}
	s->sends_read = true;
}

/* They were shown. Those that are over by now go out of the table as well. */
static void
sends_cut(struct store *s)
{
	for (unsigned i = 0; i < s->sends_gone; i++) {
		struct pg_args *a = args_of(s, ST_SEND_CUT);

		pg_arg(a, 0, s->node);
		pg_arg(a, 1, s->send_keys[i].id);
		pg_arg(a, 2, s->send_keys[i].part);
		pg_arg(a, 3, s->send_keys[i].attempt);
	}
	s->send_count = s->sends_gone = 0;
}

/* Those of the set that are ours, as get_bit counts. */
static void
mask_arg(struct store *s, const struct store_parts *parts, struct pg_args *a, unsigned number)
{
	uint8_t mask[STORE_PARTITIONS / 8] = { 0 };

	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		if (s->epochs[i] != 0 && parts_has(parts, i))
			mask[i / 8] |= (uint8_t)(1u << i % 8);
	pg_arg_text(a, number, (struct text){ (const char *)mask, sizeof mask });
}

static bool
met_ask(struct store *s)
{
	static const struct store_parts all = { { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } };
	struct pg_args *a;

	if (!s->has_early || clock_mono() - s->early_looked < EARLY_LOOK_MS)
		return false;
	s->early_looked = clock_mono();
	a = args_of(s, ST_EARLY_MET);
	pg_arg(a, 0, clock_wall() - EARLY_LATELY_MS);
	mask_arg(s, &all, a, 1);
	return args_ask(s, ST_EARLY_MET);
}

/* The first trip. */
static int
mail_read(struct store *s, const struct store_parts *parts, unsigned most, struct mail *m, struct err *err)
{
	struct pg_args *a = args_of(s, ST_NEWS);
	bool met;

	*m = (struct mail){ .count = 0 };
	mask_arg(s, parts, a, 0);
	pg_arg(a, 1, most);
	args_ask(s, ST_NEWS);
	a = args_of(s, ST_SENDS);
	pg_arg(a, 0, s->node);
	pg_arg(a, 1, most);
	args_ask(s, ST_SENDS);
	args_of(s, ST_HAS_EARLY);
	args_ask(s, ST_HAS_EARLY);
	met = met_ask(s);
	if (pg_trip(&s->pg, err) == -1)
		return -1;
	s->has_early = pg_number(result_of(s, ST_HAS_EARLY), 0, 0) != 0;
	letters_read(s, m);
	sends_take(s);
	if (met)
		met_read(s, m);
	return 0;
}

static void
need(struct store *s, uint64_t id, bool body)
{
	const struct kept *k = kept_any(s, id);

	if (k == NULL || (body && !k->has_body && k->row.state != STATE_FINISHED))
		pg_arg(args_of(s, ST_ROWS_BODY), 0, (int64_t)id);
}

static void
need_early(struct store *s, const struct store_evidence *v)
{
	for (unsigned i = 0; s->has_early && i < v->answer_count; i++) {
		struct text id = v->answers[i].foreign_id;
		struct pg_args *a;

		if (id.len == 0)
			continue;
		a = args_of(s, ST_EARLY);
		pg_arg_text(a, 0, id);
		pg_arg_text(a, 1, v->domain.at != NULL ? v->domain : TEXT(""));
		pg_arg(a, 2, foreign_part(v->domain, id));
	}
}

/* The second. */
static int
rows_read(struct store *s, const struct mail *m, struct err *err)
{
	const PGresult *res;
	bool rows, early;

	for (unsigned i = 0; i < m->count; i++) {
		const struct letter *l = &m->letters[i];

		if (l->kind == INBOX_EVIDENCE || l->kind == INBOX_RECEIPT)
			need(s, l->id, l->kind == INBOX_RECEIPT);
		if (l->kind == INBOX_EVIDENCE)
			need_early(s, &l->evidence);
	}
	for (unsigned i = 0; i < m->met_count; i++)
		need(s, m->met[i].id, true);
	rows = args_ask(s, ST_ROWS_BODY);
	early = args_ask(s, ST_EARLY);
	if ((rows || early) && pg_trip(&s->pg, err) == -1)
		return -1;
	res = rows ? result_of(s, ST_ROWS_BODY) : NULL;
	for (unsigned i = 0; rows && i < (unsigned)PQntuples(res); i++)
		kept_read(s, res, i, true);
	if (early)
		early_read(s, result_of(s, ST_EARLY));
	return 0;
}

/* --- applying --------------------------------------------------------------------------- */

static bool
message_comes(struct store *s, const struct letter *l, struct store_news *news)
{
	struct row r = { .in = l->message };

	row_enter(s, &r, false);
	row_index(&kept_any(s, l->id)->row, &news->message);
	if (idmap_set(&s->fresh, l->key | 1, s) == -1)
		no_memory();
	return true;
}

static bool
evidence_comes(struct store *s, const struct letter *l, struct store_news *news)
{
	struct row_world w = beside_world(s);
	struct kept *k = kept_get(s, l->id);

	news->evidence = l->evidence;
	if (k == NULL || !row_evidence(&k->row, &l->evidence, &news->joined, &w))
		return false;
	kept_change(s, k);
	joined_own(s, &news->joined);
	return true;
}

static bool
receipt_comes(struct store *s, const struct letter *l, struct store_news *news)
{
	struct kept *k = kept_get(s, l->id);

	return k != NULL && ops_receipt(s, k, l->attempt, l->segment, &l->receipt, &news->joined) &&
	    (news->joined.ripe || news->joined.first_pending);
}

/* true: it is to be shown. */
static bool
letter_comes(struct store *s, const struct letter *l, struct store_news *news)
{
	*news = (struct store_news){ .kind = NEWS_REQUEST };
	switch (l->kind) {
	case INBOX_MESSAGE:
		news->kind = NEWS_MESSAGE;
		return message_comes(s, l, news);
	case INBOX_EVIDENCE:
		news->kind = NEWS_EVIDENCE;
		return evidence_comes(s, l, news);
	case INBOX_RECEIPT:
		news->kind = NEWS_RECEIPT;
		return receipt_comes(s, l, news);
	}
	news->request = l->request;
	return true;
}

static void
letter_cut(struct store *s, const struct letter *l)
{
	struct pg_args *a;

	if (l->kind == INBOX_REQUEST)	/* until it is answered */
		return;
	a = args_of(s, ST_INBOX_CUT);
	pg_arg(a, 0, l->part);
	pg_arg(a, 1, l->at);
	pg_arg(a, 2, (int64_t)l->id);
	pg_arg(a, 3, l->n);
	pg_arg(a, 4, l->kind);
}

static bool
met_comes(struct store *s, const struct met *m, struct store_news *news)
{
	struct row_world w = beside_world(s);
	struct kept *k = kept_get(s, m->id);
	struct store_receipt r;

	*news = (struct store_news){ .kind = NEWS_RECEIPT };
	if (k == NULL || !w.early_take(w.arg, m->receipt.domain, m->receipt.foreign_id, &r))
		return false;
	if (r.at < k->row.mark.at - EARLY_SLACK_MS)
		return false;
	return ops_receipt(s, k, m->attempt, m->segment, &r, &news->joined) &&
	    (news->joined.ripe || news->joined.first_pending);
}

int
news_read(struct store *s, const struct store_parts *parts, unsigned most, store_news_fn *show, void *arg,
    unsigned *seen, struct err *err)
{
	struct store_news news;
	struct mail m;

	if (s->stale)
		arena_reset(&s->texts);
	s->stale = s->failed = false;
	*seen = 0;
	if (s->begun[ST_INBOX_CUT] && write_all(s, err) == -1)	/* twice in a round: those are read */
		return -1;
	if (mail_read(s, parts, most, &m, err) == -1 || rows_read(s, &m, err) == -1)
		return -1;
	for (unsigned i = 0; i < m.count && !s->failed; i++) {
		if (!m.letters[i].good)
			continue;
		++*seen;
		if (letter_comes(s, &m.letters[i], &news))
			show(arg, &news);
		letter_cut(s, &m.letters[i]);
	}
	for (unsigned i = 0; i < m.met_count && *seen < most && !s->failed; i++) {
		++*seen;
		if (met_comes(s, &m.met[i], &news))
			show(arg, &news);
	}
	s->shown = s->shown || *seen > 0;
	if (!s->failed)
		return 0;
	*err = s->why;
	return -1;
}

int
sends_read(struct store *s, unsigned most, store_send_fn *show, void *arg, unsigned *seen, struct err *err)
{
	static const struct store_parts none;
	struct mail m;

	*seen = 0;
	if (!s->sends_read && mail_read(s, &none, most, &m, err) == -1)
		return -1;
	for (unsigned i = 0; i < s->send_count; i++)
		show(arg, &s->sends[i]);
	*seen = s->sends_gone;
	s->shown = s->shown || s->sends_gone > 0;
	sends_cut(s);
	return 0;
}
