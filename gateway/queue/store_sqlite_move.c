/*
 * store_sqlite_move.c - the SQLite store as one side of a move
 *
 * Ids of PostgreSQL's nodes do not compare in time, and ours are the lowest of all, so what comes in
 * gets a turn of its own (q.turn), which goes before all ids. What is still to come of other nodes' ids is
 * kept in meta as ids.NODE, for the day when it all moves back.
 *
 * Knows:     the tables.
 * Does not:  know what a move may do (store_move.c).
 * Owns:      its statements.
 * Threads:   the mover's.
 */
#include "queue/store_move.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "queue/store_sqlite_inner.h"

enum { PLACE_MOST = 4096 + 8, SEGMENTS = 512 };

enum mv {
	MV_TURNS, MV_IDS, MV_INBOX, MV_RESULTS, MV_FOREIGN, MV_EARLY, MV_NOTICES, MV_EVIDENCE,
	MV_PUT_HOT, MV_PUT_PUSH_ID, MV_PUT_RESULT, MV_PUT_EVIDENCE, MV_CUT_FOREIGN, MV_MARK, MV_MARK_READ,
	MV_NODES, MV_COUNT
};

#define ROW_COLUMNS "turn, q.id, key, state, flags, attempt, ref, segs, klass, t, due, expires, accepted, tries, " \
	"refused, msisdn, account, push_id, smsc, grp, link, body"

static const char *const mv_texts[MV_COUNT] = {
	[MV_TURNS] = "SELECT " ROW_COLUMNS " FROM q CROSS JOIN m ON m.id=q.id WHERE turn>0 AND turn>?1 ORDER BY turn "
	    "LIMIT ?2",
	[MV_IDS] = "SELECT " ROW_COLUMNS " FROM q CROSS JOIN m ON m.id=q.id WHERE q.id>?1 ORDER BY q.id LIMIT ?2",
	[MV_INBOX] = "SELECT i.id, key, klass, due, expires, accepted, msisdn, account, push_id, smsc, grp, body, "
	    "arrived FROM i JOIN m ON m.id=i.id WHERE (arrived, i.id) > (?1, ?2) ORDER BY arrived, i.id LIMIT ?3",
	[MV_RESULTS] = "SELECT id, outcome, code, finished, key, attempt, accepted, expires, msisdn, account, "
	    "push_id, link FROM r WHERE id>?1 ORDER BY id LIMIT ?2",
	[MV_FOREIGN] = "SELECT domain, fid, f.id, f.attempt, seg, key FROM f JOIN q ON q.id=f.id "
	    "WHERE (domain, fid) > (?1, ?2) ORDER BY domain, fid LIMIT ?3",
	[MV_EARLY] = "SELECT domain, fid, state, at, said FROM e WHERE (domain, fid) > (?1, ?2) "
	    "ORDER BY domain, fid LIMIT ?3",
	[MV_NOTICES] = "SELECT id, message, key, due, until, tries, url FROM n WHERE id>?1 ORDER BY id LIMIT ?2",
	[MV_EVIDENCE] = "SELECT attempt, seg, state, rstate, domain, fid, said FROM s WHERE id=?1 "
	    "ORDER BY seg, attempt DESC",

	[MV_PUT_HOT] = "INSERT INTO q(turn, id, key, state, flags, attempt, ref, segs, klass, t, due, expires, "
	    "accepted, tries, refused, msisdn, account, push_id, smsc, grp, link) "
	    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
	[MV_PUT_PUSH_ID] = "INSERT OR IGNORE INTO p(account, push_id, id) VALUES(?1, ?2, ?3)",
	[MV_PUT_RESULT] = "INSERT INTO r(id, outcome, code, finished, key, attempt, accepted, expires, msisdn, "
	    "account, push_id, link) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[MV_PUT_EVIDENCE] = "INSERT INTO s(id, attempt, seg, state, rstate, domain, fid, said) "
	    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[MV_CUT_FOREIGN] = "DELETE FROM f WHERE domain=?1 AND fid=?2 AND id=?3 AND attempt=?4 AND seg=?5",
	[MV_MARK] = "UPDATE moved SET state=?1, number=?2, peer=?3, at=?4",
	[MV_MARK_READ] = "SELECT state, number, peer, at FROM moved",
	[MV_NODES] = "SELECT CAST(substr(k, 5) AS INTEGER), v FROM meta WHERE k GLOB 'ids.*'",
};

struct move_store {
	struct store	*s;
	char		 place[PLACE_MOST];
	sqlite3_stmt	*sql[MV_COUNT];
	struct arena	 facts, texts;	/* texts: of the last page */
	struct row_segment segments[SEGMENTS];	/* of the row that is read */
};

static struct bind
mv(const struct move_store *m, enum mv which)
{
	return (struct bind){ .st = m->sql[which] };
}

/* --- open, close ---------------------------------------------------------------------- */

int
move_check_sqlite(struct store *s, struct err *err)
{
	struct bind b = { .rc = SQLITE_OK };
	char place[PLACE_MOST];
	int rc = sqlite3_prepare_v2(s->db, mv_texts[MV_MARK_READ], -1, &b.st, NULL);
	enum move_state state;
	struct text peer;

	if (rc != SQLITE_OK)
		return sql_fault(s->db, rc, s->path, err);
	snprintf(place, sizeof place, "sqlite:%s", s->path);
	if ((rc = sql_row(s, &b, err)) == 1) {
		state = (enum move_state)take_int(&b);
		take_int(&b);
		peer = take_text(&b);
		rc = move_refuse(place, state, peer, err);
	}
	sqlite3_finalize(b.st);
	return rc;
}

static void
mv_close(struct move_store **mp)
{
	struct move_store *m = *mp;

	*mp = NULL;
	for (unsigned i = 0; i < MV_COUNT; i++)
		sqlite3_finalize(m->sql[i]);
	store_sqlite.close(&m->s, true);
	arena_free(&m->facts);
	arena_free(&m->texts);
	free(m);
}

static int
mv_prepare(struct move_store *m, struct err *err)
{
	for (unsigned i = 0; i < MV_COUNT; i++) {
		int rc = sqlite3_prepare_v3(m->s->db, mv_texts[i], -1, SQLITE_PREPARE_PERSISTENT, &m->sql[i], NULL);

		if (rc != SQLITE_OK)
			return sql_fault(m->s->db, rc, mv_texts[i], err);
	}
	return 0;
}

static struct move_store *
mv_open(const char *where, bool create, struct err *err)
{
	struct move_store *m = calloc(1, sizeof *m);
	char *whole;
	struct stat st;

	if (m == NULL) {
		err_set(err, ERR_SYSTEM, "store: no memory");
		return NULL;
	}
	if (!create && stat(where, &st) == -1)
		err_set(err, ERR_CONFIG, "there is no store %s", where);
	else if ((m->s = sqlite_open_any(&(struct store_conf){ .path = where }, err)) != NULL &&
	    sql_text(m->s, "PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=8000", err) == 0 &&
	    mv_prepare(m, err) == 0) {
		whole = realpath(where, NULL);
		snprintf(m->place, sizeof m->place, "sqlite:%s", whole != NULL ? whole : where);
		free(whole);
		return m;
	}
	mv_close(&m);
	return NULL;
}

static const char *
mv_place(const struct move_store *m)
{
	return m->place;
}

/* --- facts --------------------------------------------------------------------------------- */

static int
count_rows(struct move_store *m, const char *table, uint64_t *count, struct err *err)
{
	char text[64];
	struct bind b = { .rc = SQLITE_OK };
	int rc;

	snprintf(text, sizeof text, "SELECT count(*) FROM %s", table);
	if ((rc = sqlite3_prepare_v2(m->s->db, text, -1, &b.st, NULL)) != SQLITE_OK)
		return sql_fault(m->s->db, rc, text, err);
	if ((rc = sql_row(m->s, &b, err)) == 1)
		*count = (uint64_t)take_int(&b);
	sqlite3_finalize(b.st);
	return rc == 1 ? 0 : -1;
}

static int
mark_read(struct move_store *m, struct move_mark *mark, struct err *err)
{
	struct bind b = mv(m, MV_MARK_READ);
	int found = sql_row(m->s, &b, err);

	if (found != 1)
		return found == 0 ? err_set(err, ERR_STORE, "%s: the mark of moves is missing", m->place) : -1;
	mark->state = (enum move_state)take_int(&b);
	mark->number = (uint64_t)take_int(&b);
	mark->peer = arena_text(&m->facts, take_text(&b));
	mark->at = arena_text(&m->facts, take_text(&b));
	sql_end(&b);
	return 0;
}

static int
ids_read(struct move_store *m, struct move_facts *f, struct err *err)
{
	struct move_ids *ids = arena_get(&m->facts, STORE_NOBODY * sizeof *ids);
	struct bind b = mv(m, MV_NODES);
	int64_t high = 1;
	int more;

	if (meta_read(m->s, "high", &high, err) == -1)
		return -1;
	ids[f->id_count++] = (struct move_ids){ 0, (uint64_t)high - 1 };
	while ((more = sql_row(m->s, &b, err)) == 1 && f->id_count < STORE_NOBODY) {
		ids[f->id_count].node = (uint16_t)take_int(&b);
		ids[f->id_count++].last = (uint64_t)take_int(&b);
	}
	f->ids = ids;
	return more;
}

static int
mv_facts(struct move_store *m, struct move_facts *f, struct err *err)
{
	static const char *const tables[MOVE_KINDS] = { [MOVE_FOREIGN] = "f", [MOVE_EARLY] = "e",
	    [MOVE_MESSAGES] = "q", [MOVE_INBOX] = "i", [MOVE_RESULTS] = "r", [MOVE_NOTICES] = "n" };

	arena_reset(&m->facts);
	*f = (struct move_facts){ .tag = m->s->tag };
	for (unsigned i = 0; i < MOVE_KINDS; i++)
		if (count_rows(m, tables[i], &f->all[i], err) == -1)
			return -1;
	return mark_read(m, &f->mark, err) == -1 ? -1 : ids_read(m, f, err);
}

/* --- marks ------------------------------------------------------------------------------------ */

static int
mv_mark(struct move_store *m, const struct move_mark *mark, struct err *err)
{
	struct bind b = mv(m, MV_MARK);

	bind_int(&b, mark->state);
	bind_int(&b, (int64_t)mark->number);
	bind_key_text(&b, mark->peer);
	bind_octets(&b, mark->at);
	return sql_run(m->s, &b, err);
}

static int
mv_begin(struct move_store *m, struct err *err)
{
	uint64_t batch;

	if (store_sqlite.last_batch(m->s, &batch, err) == -1)
		return -1;
	return store_sqlite.begin(m->s, batch + 1, err);
}

static int
mv_commit(struct move_store *m, const struct move_mark *mark, struct err *err)
{
	if (mv_mark(m, mark, err) == -1)
		return -1;
	return store_sqlite.commit(m->s, err) == COMMIT_DONE ? 0 : -1;
}

static int
ids_write(struct move_store *m, const struct move_ids *ids, struct err *err)
{
	char key[24] = "high";
	int64_t known = 0, last = (int64_t)ids->last + (ids->node == 0);

	if (ids->node != 0)
		snprintf(key, sizeof key, "ids.%u", ids->node);
	if (meta_read(m->s, key, &known, err) == -1)
		return -1;
	return meta_write(m->s, key, known > last ? known : last, err);
}

static int
mv_empty(struct move_store *m, const struct move_facts *f, struct err *err)
{
	if (mv_begin(m, err) == -1 || sql_text(m->s, "DELETE FROM q; DELETE FROM m; DELETE FROM r; DELETE FROM p;"
	    "DELETE FROM x; DELETE FROM s; DELETE FROM f; DELETE FROM e; DELETE FROM n; DELETE FROM i", err) == -1 ||
	    meta_write(m->s, "tag", f->tag, err) == -1)
		return -1;
	m->s->counts = (struct store_counts){ 0 };
	m->s->inbox = 0;
	for (unsigned i = 0; i < f->id_count; i++)
		if (ids_write(m, &f->ids[i], err) == -1)
			return -1;
	return mv_commit(m, &f->mark, err);
}

/* --- reading ------------------------------------------------------------------------------------ */

struct page {
	struct move_store *m;
	struct move_at	*at;
	unsigned	 most, seen;
	move_record_fn	*show;
	void		*arg;
	struct err	*err;
};

static void
take_texts(struct bind *b, struct text *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*texts[i] = take_text(b);
}

static int
evidence_read(struct move_store *m, struct row *r, struct err *err)
{
	struct bind b = mv(m, MV_EVIDENCE);
	int more;

	r->evidence = m->segments;
	bind_int(&b, (int64_t)r->in.id);
	while ((more = sql_row(m->s, &b, err)) == 1 && r->evidence_count < SEGMENTS) {
		struct row_segment *e = &r->evidence[r->evidence_count++];

		e->attempt = (uint16_t)take_int(&b);
		e->answer.segment = (uint8_t)take_int(&b);
		e->answer.state = (uint8_t)take_int(&b);
		e->receipt = (uint8_t)take_int(&b);
		e->domain = arena_text(&r->arena, take_text(&b));
		e->answer.foreign_id = arena_text(&r->arena, take_text(&b));
		e->said = arena_text(&r->arena, take_text(&b));
	}
	if (more == 1)
		sql_end(&b);
	return more == -1 ? -1 : 0;
}

static int
show_row(struct page *p, struct row *r, bool evidence)
{
	struct move_record record = { .kind = RECORD_ROW, .row = r };
	int rc = evidence ? evidence_read(p->m, r, p->err) : 0;

	if (rc == 0)
		rc = p->show(p->arg, &record, p->err);
	arena_free(&r->arena);
	return rc;
}

static int
take_row(struct page *p, struct bind *b, bool by_turn)
{
	struct row r = { .position = (uint64_t)take_int(b) };
	struct text *const texts[] = { &r.in.msisdn, &r.in.account, &r.in.push_id, &r.in.smsc, &r.in.group,
	    &r.mark.link, &r.in.body };
	unsigned flags;

	r.in.id = (uint64_t)take_int(b);
	*(by_turn ? &p->at->b : &p->at->a) = by_turn ? r.position : r.in.id;
	if (!by_turn && r.position != 0)
		return 0;
	r.in.order_key = (uint64_t)take_int(b);
	r.state = (enum store_state)take_int(b);
	flags = (unsigned)take_int(b);
	r.left = (flags & HOT_LEFT) != 0;
	r.wanted = (flags & HOT_WANTED) != 0;
	r.pended = (flags & HOT_PENDED) != 0;
	r.mark.attempt = (uint16_t)take_int(b);
	r.mark.reference = (uint16_t)take_int(b);
	r.segments = (uint8_t)take_int(b);
	r.in.klass = (uint8_t)take_int(b);
	r.mark.at = take_int(b);
	r.due = r.in.due = take_int(b);
	r.in.expires = take_int(b);
	r.in.accepted = take_int(b);
	r.tries = (uint16_t)take_int(b);
	r.refused = take_int(b);
	take_texts(b, texts, sizeof texts / sizeof *texts);
	return show_row(p, &r, (flags & HOT_EVIDENCE) != 0);
}

static int
messages_by(struct page *p, bool by_turn)
{
	struct bind b = mv(p->m, by_turn ? MV_TURNS : MV_IDS);
	int more;

	bind_int(&b, (int64_t)(by_turn ? p->at->b : p->at->a));
	bind_int(&b, p->most - p->seen);
	while ((more = sql_row(p->m->s, &b, p->err)) == 1) {
		p->seen++;
		if (take_row(p, &b, by_turn) == -1) {
			sql_end(&b);
			return -1;
		}
	}
	return more;
}

static int
read_messages(struct page *p)
{
	if (p->at->a == 0 && messages_by(p, true) == -1)
		return -1;
	return p->seen < p->most ? messages_by(p, false) : 0;
}

static int
take_inbox(struct page *p, struct bind *b)
{
	struct row r = { .in.id = (uint64_t)take_int(b) };
	struct text *const texts[] = { &r.in.msisdn, &r.in.account, &r.in.push_id, &r.in.smsc, &r.in.group,
	    &r.in.body };

	r.in.order_key = (uint64_t)take_int(b);
	r.in.klass = (uint8_t)take_int(b);
	r.due = r.in.due = take_int(b);
	r.in.expires = take_int(b);
	r.in.accepted = take_int(b);
	take_texts(b, texts, sizeof texts / sizeof *texts);
	p->at->a = (uint64_t)take_int(b);
	p->at->b = r.in.id;
	return show_row(p, &r, false);
}

static int
take_result(struct page *p, struct bind *b)
{
	struct row r = { .state = STATE_FINISHED, .in.id = (uint64_t)take_int(b) };
	struct text *const texts[] = { &r.in.msisdn, &r.in.account, &r.in.push_id, &r.carried };

	r.outcome = (enum store_outcome)take_int(b);
	r.code = (uint32_t)take_int(b);
	r.finished = take_int(b);
	r.in.order_key = (uint64_t)take_int(b);
	r.mark.attempt = (uint16_t)take_int(b);
	r.in.accepted = take_int(b);
	r.in.expires = take_int(b);
	take_texts(b, texts, sizeof texts / sizeof *texts);
	p->at->a = r.in.id;
	return p->show(p->arg, &(struct move_record){ .kind = RECORD_FINISHED, .row = &r }, p->err);
}

static int
take_foreign(struct page *p, struct bind *b)
{
	struct move_record r = { .kind = RECORD_FOREIGN };

	r.domain = p->at->s = arena_text(&p->m->texts, take_text(b));
	r.foreign_id = p->at->t = arena_text(&p->m->texts, take_text(b));
	r.id = (uint64_t)take_int(b);
	r.attempt = (uint16_t)take_int(b);
	r.segment = (uint8_t)take_int(b);
	r.order_key = (uint64_t)take_int(b);
	return p->show(p->arg, &r, p->err);
}

static int
take_early(struct page *p, struct bind *b)
{
	struct move_record r = { .kind = RECORD_EARLY };

	r.receipt.domain = p->at->s = arena_text(&p->m->texts, take_text(b));
	r.receipt.foreign_id = p->at->t = arena_text(&p->m->texts, take_text(b));
	r.receipt.state = (uint8_t)take_int(b);
	r.receipt.at = take_int(b);
	r.receipt.said = take_text(b);
	return p->show(p->arg, &r, p->err);
}

static int
take_notice(struct page *p, struct bind *b)
{
	struct move_record r = { .kind = RECORD_NOTICE };
	struct store_notice *n = &r.notice;

	n->id = p->at->a = (uint64_t)take_int(b);
	n->message = (uint64_t)take_int(b);
	n->order_key = (uint64_t)take_int(b);
	n->due = take_int(b);
	n->until = take_int(b);
	n->tries = (uint16_t)take_int(b);
	n->url = take_text(b);
	return p->show(p->arg, &r, p->err);
}

static const struct read {
	enum mv		 which;
	enum { BY_ID, BY_TWO, BY_TEXTS } by;
	int		(*take)(struct page *, struct bind *);
} reads[MOVE_KINDS] = {
	[MOVE_FOREIGN] = { MV_FOREIGN, BY_TEXTS, take_foreign },
	[MOVE_EARLY] = { MV_EARLY, BY_TEXTS, take_early },
	[MOVE_INBOX] = { MV_INBOX, BY_TWO, take_inbox },
	[MOVE_RESULTS] = { MV_RESULTS, BY_ID, take_result },
	[MOVE_NOTICES] = { MV_NOTICES, BY_ID, take_notice },
};

/* Copied: the statement outlives the arena that it lies in. */
static void
bind_copied(struct bind *b, struct text t)
{
	bind_rc(b, sqlite3_bind_text64(b->st, ++b->at, t.at != NULL ? t.at : "", t.len, SQLITE_TRANSIENT,
	    SQLITE_UTF8));
}

static int
read_kind(struct page *p)
{
	const struct read *read = &reads[p->at->kind];
	struct bind b = mv(p->m, read->which);
	int more;

	if (read->by == BY_TEXTS) {
		bind_copied(&b, p->at->s);
		bind_copied(&b, p->at->t);
	} else {
		bind_int(&b, (int64_t)p->at->a);
		if (read->by == BY_TWO)
			bind_int(&b, (int64_t)p->at->b);
	}
	bind_int(&b, p->most);
	arena_reset(&p->m->texts);
	while ((more = sql_row(p->m->s, &b, p->err)) == 1) {
		p->seen++;
		if (read->take(p, &b) == -1) {
			sql_end(&b);
			return -1;
		}
	}
	return more;
}

static int
mv_read(struct move_store *m, struct move_at *at, unsigned most, move_record_fn *show, void *arg, struct err *err)
{
	struct page p = { .m = m, .at = at, .most = most, .show = show, .arg = arg, .err = err };

	if ((at->kind == MOVE_MESSAGES ? read_messages(&p) : read_kind(&p)) == -1)
		return -1;
	if (p.seen < most)
		move_next_kind(at);
	return 0;
}

/* --- writing ------------------------------------------------------------------------------------- */

static int
put_push_id(struct move_store *m, const struct store_row *in, struct err *err)
{
	struct bind b = mv(m, MV_PUT_PUSH_ID);

	if (in->push_id.at == NULL)
		return 0;
	bind_key_text(&b, in->account);
	bind_text(&b, in->push_id);
	bind_int(&b, (int64_t)in->id);
	return sql_run(m->s, &b, err);
}

static int
put_msisdn(struct move_store *m, const struct store_row *in, struct err *err)
{
	struct bind b = sql(m->s, SQL_PUT_MSISDN);

	bind_int(&b, (int64_t)(in->id >> MSISDN_BLOCK_BITS));
	bind_int(&b, (int64_t)in->order_key);
	bind_int(&b, (int64_t)in->id);
	return sql_run(m->s, &b, err);
}

static int
put_segment(struct move_store *m, uint64_t id, const struct row_segment *e, struct err *err)
{
	struct bind b = mv(m, MV_PUT_EVIDENCE);

	bind_int(&b, (int64_t)id);
	bind_int(&b, e->attempt);
	bind_int(&b, e->answer.segment);
	bind_int(&b, e->answer.state);
	bind_int(&b, e->receipt);
	bind_key_text(&b, e->domain);
	bind_text(&b, e->answer.foreign_id);
	bind_text(&b, e->said);
	return sql_run(m->s, &b, err);
}

static int
put_hot(struct move_store *m, const struct row *r, struct err *err)
{
	struct bind b = mv(m, MV_PUT_HOT);

	bind_int(&b, (int64_t)r->position);
	bind_int(&b, (int64_t)r->in.id);
	bind_int(&b, (int64_t)r->in.order_key);
	bind_int(&b, r->state);
	bind_int(&b, (r->left ? HOT_LEFT : 0) | (r->wanted ? HOT_WANTED : 0) | (r->pended ? HOT_PENDED : 0) |
	    (r->evidence_count > 0 ? HOT_EVIDENCE : 0));
	bind_int(&b, r->mark.attempt);
	bind_int(&b, r->mark.reference);
	bind_int(&b, r->segments);
	bind_int(&b, r->in.klass);
	bind_int(&b, r->mark.at);
	bind_int(&b, r->due);
	bind_int(&b, r->in.expires);
	bind_int(&b, r->in.accepted);
	bind_int(&b, r->tries);
	bind_int(&b, r->refused);
	bind_text(&b, r->in.msisdn);
	bind_text(&b, r->in.account);
	bind_text(&b, r->in.push_id);
	bind_text(&b, r->in.smsc);
	bind_text(&b, r->in.group);
	bind_text(&b, r->mark.link);
	return sql_run(m->s, &b, err);
}

static int
put_row(struct move_store *m, const struct row *r, struct err *err)
{
	struct bind b = sql(m->s, SQL_PUT_BODY);

	bind_int(&b, (int64_t)r->in.id);
	bind_octets(&b, r->in.body);
	if (sql_run(m->s, &b, err) == -1 || put_hot(m, r, err) == -1 || put_push_id(m, &r->in, err) == -1 ||
	    put_msisdn(m, &r->in, err) == -1)
		return -1;
	for (unsigned i = 0; i < r->evidence_count; i++)
		if (put_segment(m, r->in.id, &r->evidence[i], err) == -1)
			return -1;
	++*road_count(m->s, r->state);
	return 0;
}

static int
put_result(struct move_store *m, const struct row *r, struct err *err)
{
	struct bind b = mv(m, MV_PUT_RESULT);

	bind_int(&b, (int64_t)r->in.id);
	bind_int(&b, r->outcome);
	bind_int(&b, r->code);
	bind_int(&b, r->finished);
	bind_int(&b, (int64_t)r->in.order_key);
	bind_int(&b, r->mark.attempt);
	bind_int(&b, r->in.accepted);
	bind_int(&b, r->in.expires);
	bind_text(&b, r->in.msisdn);
	bind_text(&b, r->in.account);
	bind_text(&b, r->in.push_id);
	bind_text(&b, r->carried);
	if (sql_run(m->s, &b, err) == -1 || put_push_id(m, &r->in, err) == -1)
		return -1;
	return put_msisdn(m, &r->in, err);
}

static int
put_foreign(struct move_store *m, struct bind b, const struct move_record *r, struct err *err)
{
	bind_key_text(&b, r->domain);
	bind_text(&b, r->foreign_id);
	bind_int(&b, (int64_t)r->id);
	bind_int(&b, r->attempt);
	bind_int(&b, r->segment);
	return sql_run(m->s, &b, err);
}

static int
put_early(struct move_store *m, const struct store_receipt *r, bool cut, struct err *err)
{
	struct bind b = sql(m->s, cut ? SQL_EARLY_DROP : SQL_EARLY_PUT);

	bind_key_text(&b, r->domain);
	bind_text(&b, r->foreign_id);
	if (!cut) {
		bind_int(&b, r->state);
		bind_int(&b, r->at);
		bind_text(&b, r->said);
	}
	if (sql_run(m->s, &b, err) == -1)
		return -1;
	m->s->counts.early += cut ? -(uint64_t)sqlite3_changes(m->s->db) : 1;
	return 0;
}

static int
mv_put(struct move_store *m, const struct move_record *r, struct err *err)
{
	switch (r->kind) {
	case RECORD_ROW:
		return put_row(m, r->row, err);
	case RECORD_FINISHED:
		return put_result(m, r->row, err);
	case RECORD_FOREIGN:
		return put_foreign(m, sql(m->s, SQL_FOREIGN_PUT), r, err);
	case RECORD_FOREIGN_CUT:
		return put_foreign(m, mv(m, MV_CUT_FOREIGN), r, err);
	case RECORD_EARLY:
	case RECORD_EARLY_CUT:
		return put_early(m, &r->receipt, r->kind == RECORD_EARLY_CUT, err);
	case RECORD_NOTICE:
		break;
	}
	return road_notice_put(m->s, &r->notice, err);
}

const struct move_engine move_sqlite = {
	.name = "sqlite", .open = mv_open, .close = mv_close, .place = mv_place, .facts = mv_facts,
	.mark = mv_mark, .empty = mv_empty, .read = mv_read, .begin = mv_begin, .put = mv_put, .commit = mv_commit
};
