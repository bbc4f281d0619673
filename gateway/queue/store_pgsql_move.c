/*
 * store_pgsql_move.c - the PostgreSQL store as one side of a move
 *
 * Nodes are kept out with a lock of the table `fence` under which the mark is set: who joins looks at the mark
 * behind that lock. Marks shut programs of schema version 1 out as well, which do not know them.
 *
 * What other nodes knew of a message (answers, receipts) and its owner has not heard yet becomes part of
 * the message. Requests of others and what was handed over to them end here: nobody waits for them.
 *
 * A store that comes in brings the numbers of its nodes along, as of nodes that have just gone: they are not
 * given again for a day, so that "0/link" in a mark is a dead node's, not that of whoever starts first.
 *
 * Knows:     the tables.
 * Does not:  know what a move may do (store_move.c).
 * Owns:      a connection, the cursor that is open in it.
 * Threads:   the mover's.
 */
#include "queue/store_move.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queue/store_pgsql.h"
#include "queue/store_pgsql_inner.h"

enum { PLACE_MOST = 600, SQL_MOST = 1 << 20, MOVER_LOCK = 1265790028, SCHEMA_OF_MOVES = 2 };
enum { LOCK_TRIES = 50, LOCK_PAUSE_NS = 100 * 1000 * 1000 };

struct letter {			/* of the inbox: what its owner has not heard of a message */
	struct letter	*next;		/* of the same message */
	unsigned	 kind;
	struct text	 data;
};

struct move_store {
	struct store	*s;
	char		 *conninfo;
	char		 place[PLACE_MOST];
	struct buf	 sql;
	struct arena	 facts, letters;
	struct idmap	 letters_of;	/* message -> its first */
	bool		 reading;	/* a cursor is open, of `kind` */
	enum move_kind	 kind;
	PGresult	*page, *before;	/* what the place of the last page lies in */
};

/* --- marks, for whoever joins --------------------------------------------------------------- */

int
move_check_pgsql(struct store *s, struct err *err)
{
	unsigned at = pg_ask_plain(&s->pg, "SELECT state, peer FROM moved");
	char place[PLACE_MOST];
	const PGresult *r;

	if (pg_trip(&s->pg, err) == -1)
		return -1;
	r = pg_result(&s->pg, at);
	if (pg_rows(&s->pg, at) == 0)
		return 0;
	store_pgsql_place(s->conf->conninfo, place, sizeof place);
	return move_refuse(place, (enum move_state)pg_number(r, 0, 0), pg_text(r, 0, 1), err);
}

/* --- open, close ------------------------------------------------------------------------------ */

static void
read_end(struct move_store *m)
{
	m->reading = false;
	PQclear(m->page);
	PQclear(m->before);
	m->page = m->before = NULL;
}

static void
mv_close(struct move_store **mp)
{
	struct move_store *m = *mp;

	*mp = NULL;
	read_end(m);
	if (m->s != NULL)
		pgsql_free(m->s);
	arena_free(&m->facts);
	arena_free(&m->letters);
	idmap_free(&m->letters_of);
	buf_free(&m->sql);
	free(m->conninfo);
	free(m);
}

/* Looking must not make one. */
static int
exists(const struct move_store *m, struct err *err)
{
	struct pg pg;
	PGresult *r;
	bool there;

	if (pg_open(&pg, m->conninfo, "kantele move-store", err) == -1)
		return -1;
	r = PQexec(pg.conn, "SELECT 1 WHERE to_regclass('kantele.meta') IS NOT NULL");
	there = PQntuples(r) == 1;
	PQclear(r);
	pg_close(&pg);
	return there ? 0 : err_set(err, ERR_CONFIG, "there is no store in %s", m->place);
}

static int
in_use(int64_t node, struct text name, struct err *err)
{
	return err_set(err, ERR_BUSY, "node %" PRId64 " (%.*s) has the store open: stop it first. If it died on another "
	    "machine: start any gateway on the store, wait for lease-time, and stop that one", node, TEXT_ARGS(name));
}

/* Who died on this machine is buried, any other that has not left is alive. */
static int
nodes_gone(struct move_store *m, struct err *err)
{
	struct pg *pg = &m->s->pg;
	unsigned at = pg_ask_plain(pg, "SELECT f.node, f.life, coalesce(n.name, ''), coalesce(n.machine, '')"
	    " FROM fence f LEFT JOIN node n USING (node) WHERE f.alive ORDER BY f.node");
	PGresult *r;
	int rc = 0;

	if (pg_trip(pg, err) == -1)
		return -1;
	r = pg_take(pg, at);
	for (unsigned i = 0; rc == 0 && i < (unsigned)PQntuples(r); i++) {
		struct burial b = { .node = (uint16_t)pg_number(r, i, 0), .renewals = -1,
		    .life = (uint64_t)pg_number(r, i, 1) };

		if (!machine_is_dead(pg_text(r, i, 3)) || node_bury(pg, &b, err) != BURIAL_DONE)
			rc = in_use(b.node, pg_text(r, i, 2), err);
	}
	PQclear(r);
	return rc;
}

/* Of one that was killed just now the server need not know yet. */
static int
only_mover(struct move_store *m, struct err *err)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	char sql[60];

	snprintf(sql, sizeof sql, "SELECT pg_try_advisory_lock(%d)", MOVER_LOCK);
	for (unsigned tries = 0; tries < LOCK_TRIES; tries++) {
		unsigned at = pg_ask_plain(&m->s->pg, sql);

		if (pg_trip(&m->s->pg, err) == -1)
			return -1;
		if (pg_number(pg_result(&m->s->pg, at), 0, 0) != 0)
			return 0;
		nanosleep(&pause, NULL);
	}
	return err_set(err, ERR_BUSY, "another kantele move-store is at work in %s", m->place);
}

static struct move_store *
mv_open(const char *where, bool create, struct err *err)
{
	struct move_store *m = calloc(1, sizeof *m);
	struct pgsql_conninfo info;

	if (m == NULL || (m->conninfo = strdup(where)) == NULL) {
		err_set(err, ERR_SYSTEM, "store: no memory");
		free(m);
		return NULL;
	}
	m->sql = buf_heap(SQL_MOST);
	if (store_pgsql_conninfo(where, &info, err) == 0) {
		store_pgsql_place(where, m->place, sizeof m->place);
		if ((create || exists(m, err) == 0) &&
		    (m->s = pgsql_new(&(struct store_conf){ .conninfo = m->conninfo })) != NULL &&
		    pgsql_connect(m->s, err) == 0 && pg_run(&m->s->pg, "SET work_mem = '64MB'", err) == 0 &&
		    only_mover(m, err) == 0 && nodes_gone(m, err) == 0)
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

/* --- facts --------------------------------------------------------------------------------------- */

static int
mv_facts(struct move_store *m, struct move_facts *f, struct err *err)
{
	struct pg *pg = &m->s->pg;
	unsigned meta = pg_ask_plain(pg, "SELECT tag, state, number, peer, at FROM meta, moved");
	unsigned all = pg_ask_plain(pg, "SELECT (SELECT count(*) FROM foreign_id), (SELECT count(*) FROM early),"
	    " (SELECT count(*) FROM queue), (SELECT count(*) FROM inbox WHERE kind = 0),"
	    " (SELECT count(*) FROM result), (SELECT count(*) FROM notice)");
	unsigned nodes = pg_ask_plain(pg, "SELECT node, ids FROM fence ORDER BY node");
	struct move_ids *ids;
	const PGresult *r;

	if (pg_trip(pg, err) == -1)
		return -1;
	arena_reset(&m->facts);
	if (pg_rows(pg, meta) != 1)
		return err_set(err, ERR_STORE, "%s: meta is damaged", m->place);
	r = pg_result(pg, meta);
	*f = (struct move_facts){ .tag = (uint32_t)pg_number(r, 0, 0), .mark = {
	    .state = (enum move_state)pg_number(r, 0, 1), .number = (uint64_t)pg_number(r, 0, 2),
	    .peer = arena_text(&m->facts, pg_text(r, 0, 3)), .at = arena_text(&m->facts, pg_text(r, 0, 4)) } };
	for (unsigned i = 0; i < MOVE_KINDS; i++)
		f->all[i] = (uint64_t)pg_number(pg_result(pg, all), 0, i);
	r = pg_result(pg, nodes);
	f->id_count = pg_rows(pg, nodes);
	f->ids = ids = arena_get(&m->facts, (f->id_count + 1) * sizeof *ids);
	for (unsigned i = 0; i < f->id_count; i++)
		ids[i] = (struct move_ids){ (uint16_t)pg_number(r, i, 0), (uint64_t)pg_number(r, i, 1) };
	return 0;
}

/* --- marks --------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3)))
static void
ask(struct move_store *m, const char *fmt, ...)
{
	va_list ap;
	char sql[700];

	va_start(ap, fmt);
	vsnprintf(sql, sizeof sql, fmt, ap);
	va_end(ap);
	pg_ask_plain(&m->s->pg, sql);
}

static int
undo(struct move_store *m)
{
	pg_run(&m->s->pg, "ROLLBACK", NULL);
	read_end(m);
	return -1;
}

static void
sql_octets(struct move_store *m, struct text t)
{
	buf_str(&m->sql, "'\\x");
	buf_hex(&m->sql, t.at, t.len, false);
	buf_str(&m->sql, "'::bytea");
}

static void
ask_mark(struct move_store *m, const struct move_mark *mark)
{
	m->sql.len = 0;
	buf_printf(&m->sql, "UPDATE moved SET state = %d, number = %" PRIu64 ", peer = ", mark->state, mark->number);
	sql_octets(m, mark->peer);
	buf_str(&m->sql, ", at = ");
	sql_octets(m, mark->at);
	pg_ask_plain(&m->s->pg, buf_cstr(&m->sql));
}

static int
commit(struct move_store *m, struct err *err)
{
	struct pg *pg = &m->s->pg;

	pg_ask_plain(pg, "COMMIT");
	return pg_trip(pg, err) == -1 ? undo(m) : 0;
}

/* A transaction in which no node joins, and none is there. */
static int
begin_alone(struct move_store *m, struct err *err)
{
	struct pg *pg = &m->s->pg;
	unsigned at;

	read_end(m);
	ask(m, "BEGIN");
	ask(m, "LOCK TABLE fence IN SHARE ROW EXCLUSIVE MODE");
	at = pg_ask_plain(pg, "SELECT node FROM fence WHERE alive LIMIT 1");
	if (pg_trip(pg, err) == -1)
		return undo(m);
	if (pg_rows(pg, at) == 0)
		return 0;
	in_use(pg_number(pg_result(pg, at), 0, 0), TEXT("just started"), err);
	return undo(m);
}

static int
mv_mark(struct move_store *m, const struct move_mark *mark, struct err *err)
{
	if (begin_alone(m, err) == -1)
		return -1;
	ask(m, "UPDATE meta SET oldest = greatest(oldest, %d)", SCHEMA_OF_MOVES);
	ask_mark(m, mark);
	return commit(m, err);
}

static int
ids_write(struct move_store *m, const struct move_facts *f, struct err *err)
{
	for (unsigned i = 0; i < f->id_count; i++) {
		unsigned node = f->ids[i].node;

		ask(m, "INSERT INTO fence(node, alive, life, batch, ids, pid) VALUES (%u, false, 0, 0, %" PRIu64 ", 0)"
		    " ON CONFLICT(node) DO UPDATE SET ids = greatest(fence.ids, excluded.ids)", node, f->ids[i].last);
		ask(m, "INSERT INTO node(node, name, status, machine, renewals, leaving, gone) VALUES (%u, 'moved', '',"
		    " '', 0, false, " PG_NOW ") ON CONFLICT(node) DO UPDATE SET gone = excluded.gone", node);
		if (pg_trip(&m->s->pg, err) == -1)
			return undo(m);
	}
	return 0;
}

/* Counts lie in the row of node 0, which is there from now on. */
static int
mv_empty(struct move_store *m, const struct move_facts *f, struct err *err)
{
	if (begin_alone(m, err) == -1)
		return -1;
	ask(m, "TRUNCATE body, queue, state, result, foreign_id, early, push_id, notice, inbox, send, answer");
	ask(m, "UPDATE meta SET oldest = greatest(oldest, %d), tag = %" PRIu32, SCHEMA_OF_MOVES, f->tag);
	ask(m, "INSERT INTO fence(node, alive, life, batch, ids, pid) VALUES (0, false, 0, 0, 0, 0)"
	    " ON CONFLICT DO NOTHING");
	ask(m, "UPDATE fence SET waiting = 0, sending = 0, awaiting = 0, held = 0, notices = 0, early = 0");
	ask_mark(m, &f->mark);
	if (pg_trip(&m->s->pg, err) == -1)
		return undo(m);
	return ids_write(m, f, err) == -1 ? -1 : commit(m, err);
}

/* --- reading: letters ------------------------------------------------------------------------------- */

static int
letters_read(struct move_store *m, struct err *err)
{
	struct pg *pg = &m->s->pg;
	unsigned at = pg_ask_plain(pg, "SELECT id, kind, data FROM inbox WHERE kind IN (1, 2) ORDER BY at DESC, id DESC,"
	    " n DESC");
	const PGresult *r;

	_Static_assert(INBOX_EVIDENCE == 1 && INBOX_RECEIPT == 2, "see above");
	if (pg_trip(pg, err) == -1)
		return undo(m);
	arena_reset(&m->letters);
	idmap_free(&m->letters_of);
	r = pg_result(pg, at);
	for (unsigned i = 0; i < pg_rows(pg, at); i++) {
		struct letter *l = arena_get(&m->letters, sizeof *l);
		uint64_t id = (uint64_t)pg_number(r, i, 0);

		*l = (struct letter){ .next = idmap_get(&m->letters_of, id), .kind = (unsigned)pg_number(r, i, 1),
		    .data = arena_text(&m->letters, pg_text(r, i, 2)) };
		if (idmap_set(&m->letters_of, id, l) == -1)
			return err_set(err, ERR_SYSTEM, "store: no memory");
	}
	return 0;
}

struct page {
	struct move_store *m;
	struct move_at	*at;
	const PGresult	*r;
	move_record_fn	*show;
	void		*arg;
	struct err	*err;
	int		 rc;
	struct row	*row;		/* whose letters are read */
};

static void
show(struct page *p, const struct move_record *r)
{
	if (p->rc == 0)
		p->rc = p->show(p->arg, r, p->err);
}

static void
show_foreign(struct page *p, enum move_record_kind kind, struct text domain, struct text id, const struct row *r,
    const struct row_segment *e)
{
	show(p, &(struct move_record){ .kind = kind, .domain = domain, .foreign_id = id, .id = r->in.id,
	    .order_key = r->in.order_key, .attempt = e->attempt, .segment = e->answer.segment });
}

static void
foreign_set(void *arg, struct text domain, struct text id, const struct row *r, const struct row_segment *e)
{
	show_foreign(arg, RECORD_FOREIGN, domain, id, r, e);
}

static void
foreign_drop(void *arg, struct text domain, struct text id, const struct row *r, const struct row_segment *e)
{
	show_foreign(arg, RECORD_FOREIGN_CUT, domain, id, r, e);
}

/* It was moved as one that waits: it goes out there. */
static bool
early_take(void *arg, struct text domain, struct text id, struct store_receipt *out)
{
	struct page *p = arg;
	struct pg *pg = &p->m->s->pg;
	const PGresult *r;
	unsigned at;

	p->m->sql.len = 0;
	buf_str(&p->m->sql, "SELECT state, at, said FROM early WHERE fid = ");
	sql_octets(p->m, id);
	buf_str(&p->m->sql, " AND domain = ");
	sql_octets(p->m, domain);
	at = pg_ask_plain(pg, buf_cstr(&p->m->sql));
	if (p->rc == 0)
		p->rc = pg_trip(pg, p->err);
	if (p->rc == -1 || pg_rows(pg, at) == 0)
		return false;
	r = pg_result(pg, at);
	*out = (struct store_receipt){ .domain = domain, .foreign_id = id, .state = (uint8_t)pg_number(r, 0, 0),
	    .at = pg_number(r, 0, 1), .said = arena_text(&p->row->arena, pg_text(r, 0, 2)) };
	show(p, &(struct move_record){ .kind = RECORD_EARLY_CUT, .receipt = *out });
	return p->rc == 0;
}

static void
letter_apply(struct page *p, const struct letter *l)
{
	struct row_world world = { foreign_set, foreign_drop, early_take, p };
	struct store_joined joined = { .matched = false };
	struct store_evidence evidence;
	struct store_receipt receipt;
	uint16_t attempt;
	uint8_t segment;

	if (l->kind == INBOX_EVIDENCE) {
		if (unpack_evidence(l->data, &evidence, &p->row->arena))
			row_evidence(p->row, &evidence, &joined, &world);
	} else if (unpack_receipt(l->data, &attempt, &segment, &receipt) &&
	    row_heeds(p->row, attempt, segment, receipt.state)) {
		row_receipt(p->row, attempt, segment, &receipt, &joined);
	}
}

/* --- reading: rows -------------------------------------------------------------------------------------- */

static void
take_message(struct page *p, unsigned i)
{
	struct row r;

	row_of_result(p->r, i, &r);
	r.in.body = pg_text(p->r, i, ROW_COLUMNS);
	p->at->a = r.position;
	p->at->b = r.in.id;
	p->row = &r;
	for (const struct letter *l = idmap_get(&p->m->letters_of, r.in.id); l != NULL; l = l->next)
		letter_apply(p, l);
	show(p, &(struct move_record){ .kind = RECORD_ROW, .row = &r });
	arena_free(&r.arena);
}

static void
take_inbox(struct page *p, unsigned i)
{
	struct row r = { .state = STATE_WAITING };

	p->at->a = (uint64_t)pg_number(p->r, i, 0);
	if (!unpack_message(pg_text(p->r, i, 3), &r.in)) {
		p->rc = err_set(p->err, ERR_STORE, "message %" PRId64 " in the inbox cannot be read: a newer node's?",
		    pg_number(p->r, i, 1));
		return;
	}
	r.in.id = p->at->b = (uint64_t)pg_number(p->r, i, 1);
	r.in.order_key = (uint64_t)pg_number(p->r, i, 2);
	r.due = r.in.due;
	show(p, &(struct move_record){ .kind = RECORD_ROW, .row = &r });
}

static void
take_result(struct page *p, unsigned i)
{
	const PGresult *res = p->r;
	struct row r = { .state = STATE_FINISHED, .in = { .id = (uint64_t)pg_number(res, i, 0),
	    .order_key = (uint64_t)pg_number(res, i, 1), .accepted = pg_number(res, i, 2),
	    .expires = pg_number(res, i, 3), .msisdn = pg_text(res, i, 8), .account = pg_text(res, i, 9),
	    .push_id = pg_text(res, i, 10) }, .finished = pg_number(res, i, 4),
	    .code = (uint32_t)pg_number(res, i, 5), .mark.attempt = (uint16_t)pg_number(res, i, 6),
	    .outcome = (enum store_outcome)pg_number(res, i, 7), .carried = pg_text(res, i, 11) };

	p->at->a = r.in.id;
	show(p, &(struct move_record){ .kind = RECORD_FINISHED, .row = &r });
}

static void
take_foreign(struct page *p, unsigned i)
{
	struct move_record r = { .kind = RECORD_FOREIGN, .foreign_id = pg_text(p->r, i, 0),
	    .domain = pg_text(p->r, i, 1), .id = (uint64_t)pg_number(p->r, i, 2),
	    .attempt = (uint16_t)pg_number(p->r, i, 3), .segment = (uint8_t)pg_number(p->r, i, 4),
	    .order_key = (uint64_t)pg_number(p->r, i, 5) };

	p->at->s = r.foreign_id;
	p->at->t = r.domain;
	show(p, &r);
}

static void
take_early(struct page *p, unsigned i)
{
	struct move_record r = { .kind = RECORD_EARLY, .receipt = { .foreign_id = pg_text(p->r, i, 0),
	    .domain = pg_text(p->r, i, 1), .state = (uint8_t)pg_number(p->r, i, 2), .at = pg_number(p->r, i, 3),
	    .said = pg_text(p->r, i, 4) } };

	p->at->s = r.receipt.foreign_id;
	p->at->t = r.receipt.domain;
	show(p, &r);
}

static void
take_notice(struct page *p, unsigned i)
{
	struct move_record r = { .kind = RECORD_NOTICE, .notice = { .id = (uint64_t)pg_number(p->r, i, 0),
	    .message = (uint64_t)pg_number(p->r, i, 1), .order_key = (uint64_t)pg_number(p->r, i, 2),
	    .due = pg_number(p->r, i, 3), .until = pg_number(p->r, i, 4),
	    .tries = (uint16_t)pg_number(p->r, i, 5), .url = pg_text(p->r, i, 6) } };

	p->at->a = r.notice.id;
	show(p, &r);
}

/* Sorted once for each kind, or each time that a mover begins again. A body is fetched when its row is. */
static const struct read {
	const char	*select, *key, *order;
	enum { BY_ID, BY_TWO, BY_TEXTS } by;
	void		(*take)(struct page *, unsigned row);
} reads[MOVE_KINDS] = {
	[MOVE_FOREIGN] = { "SELECT f.fid, f.domain, f.id, f.attempt, f.seg, q.key FROM foreign_id f CROSS JOIN LATERAL"
	    " (SELECT key FROM queue WHERE id = f.id AND part = f.part OFFSET 0) q", "(f.fid, f.domain)",
	    "f.fid, f.domain", BY_TEXTS, take_foreign },
	[MOVE_EARLY] = { "SELECT fid, domain, state, at, said FROM early", "(fid, domain)", "fid, domain", BY_TEXTS,
	    take_early },
	[MOVE_MESSAGES] = { "SELECT z.*, (SELECT body FROM body WHERE id = z.id AND part = z.part) FROM (SELECT "
	    ROW_SQL " FROM queue q" JOIN_STATE, "(q.pos, q.id)", "q.pos, q.id OFFSET 0) z", BY_TWO, take_message },
	[MOVE_INBOX] = { "SELECT at, id, key, data FROM inbox WHERE kind = 0", "(at, id)", "at, id", BY_TWO,
	    take_inbox },
	[MOVE_RESULTS] = { "SELECT id, key, accepted, expires, finished, code, attempt, outcome, msisdn, account,"
	    " push_id, link FROM result", "id", "id", BY_ID, take_result },
	[MOVE_NOTICES] = { "SELECT id, message, key, due, until, tries, url FROM notice", "id", "id", BY_ID,
	    take_notice },
};

static int
read_begin(struct move_store *m, const struct move_at *at, struct err *err)
{
	const struct read *read = &reads[at->kind];
	const char *join = strstr(read->select, " WHERE kind") != NULL ? "AND" : "WHERE";

	m->sql.len = 0;
	buf_printf(&m->sql, "DECLARE page NO SCROLL CURSOR FOR %s %s %s > ", read->select, join, read->key);
	if (read->by == BY_TEXTS) {
		buf_str(&m->sql, "(");
		sql_octets(m, at->s);
		buf_str(&m->sql, ", ");
		sql_octets(m, at->t);
		buf_str(&m->sql, ")");
	} else if (read->by == BY_TWO)
		buf_printf(&m->sql, "(%" PRIu64 ", %" PRIu64 ")", at->a, at->b);
	else
		buf_printf(&m->sql, "%" PRIu64, at->a);
	buf_printf(&m->sql, " ORDER BY %s", read->order);
	ask(m, "BEGIN READ ONLY");
	pg_ask_plain(&m->s->pg, buf_cstr(&m->sql));
	if (pg_trip(&m->s->pg, err) == -1)
		return undo(m);
	m->reading = true;
	m->kind = at->kind;
	return at->kind == MOVE_MESSAGES ? letters_read(m, err) : 0;
}

static int
mv_read(struct move_store *m, struct move_at *at, unsigned most, move_record_fn *shows, void *arg, struct err *err)
{
	struct page p = { .m = m, .at = at, .show = shows, .arg = arg, .err = err };
	unsigned n;

	if ((!m->reading || m->kind != at->kind) && read_begin(m, at, err) == -1)
		return -1;
	ask(m, "FETCH FORWARD %u FROM page", most);
	if (pg_trip(&m->s->pg, err) == -1)
		return undo(m);
	PQclear(m->before);
	m->before = m->page;		/* the place may lie in it until a row moves it */
	p.r = m->page = pg_take(&m->s->pg, 0);
	n = (unsigned)PQntuples(p.r);
	for (unsigned i = 0; i < n && p.rc == 0; i++)
		reads[at->kind].take(&p, i);
	if (p.rc == -1 || n == most)
		return p.rc;
	move_next_kind(at);
	read_end(m);
	return pg_run(&m->s->pg, "COMMIT", err);
}

/* --- writing ------------------------------------------------------------------------------------------------ */

static int
mv_begin(struct move_store *m, struct err *err)
{
	(void)err;
	for (unsigned i = 0; i < STATEMENTS; i++)
		m->s->begun[i] = false;
	for (unsigned i = 0; i < COUNTS; i++)
		m->s->delta[i] = 0;
	return 0;
}

static void
put_push_id(struct store *s, const struct store_row *in)
{
	if (in->push_id.at != NULL)
		push_put(s, in->account.at != NULL ? in->account : TEXT(""), in->push_id, in->id,
		    store_part(in->order_key));
}

static void
put_result(struct store *s, const struct row *r)
{
	struct pg_args *a = args_of(s, ST_RESULT_PUT);

	pg_arg(a, 0, (int64_t)r->in.id);
	pg_arg(a, 1, store_part(r->in.order_key));
	pg_arg(a, 2, (int64_t)r->in.order_key);
	pg_arg(a, 3, r->in.accepted);
	pg_arg(a, 4, r->in.expires);
	pg_arg_text(a, 5, r->in.msisdn.at != NULL ? r->in.msisdn : TEXT(""));
	pg_arg_text(a, 6, r->in.account);
	pg_arg_text(a, 7, r->in.push_id);
	pg_arg(a, 8, r->outcome);
	pg_arg(a, 9, r->code);
	pg_arg(a, 10, r->finished);
	pg_arg(a, 11, r->mark.attempt);
	pg_arg_text(a, 12, r->carried);
}

static void
put_foreign(struct store *s, const struct move_record *r)
{
	struct pg_args *a = args_of(s, r->kind == RECORD_FOREIGN ? ST_FOREIGN_PUT : ST_FOREIGN_CUT);

	pg_arg_text(a, 0, r->foreign_id);
	pg_arg_text(a, 1, r->domain.at != NULL ? r->domain : TEXT(""));
	pg_arg(a, 2, foreign_part(r->domain, r->foreign_id));
	pg_arg(a, 3, store_part(r->order_key));
	pg_arg(a, 4, (int64_t)r->id);
	pg_arg(a, 5, r->attempt);
	pg_arg(a, 6, r->segment);
}

static void
put_early(struct store *s, const struct store_receipt *r, bool put)
{
	struct pg_args *a = args_of(s, put ? ST_EARLY_PUT : ST_EARLY_CUT);

	pg_arg_text(a, 0, r->foreign_id);
	pg_arg_text(a, 1, r->domain.at != NULL ? r->domain : TEXT(""));
	pg_arg(a, 2, foreign_part(r->domain, r->foreign_id));
	s->delta[COUNT_EARLY] += put ? 1 : -1;
	if (!put)
		return;
	pg_arg(a, 3, r->state);
	pg_arg(a, 4, r->at);
	pg_arg_text(a, 5, r->said);
}

static int
mv_put(struct move_store *m, const struct move_record *r, struct err *err)
{
	struct store *s = m->s;

	(void)err;
	switch (r->kind) {
	case RECORD_ROW:
		write_moved(s, r->row);
		put_push_id(s, &r->row->in);
		count_move(s, STATE_FINISHED, r->row->state);
		break;
	case RECORD_FINISHED:
		put_result(s, r->row);
		put_push_id(s, &r->row->in);
		break;
	case RECORD_FOREIGN:
	case RECORD_FOREIGN_CUT:
		put_foreign(s, r);
		break;
	case RECORD_EARLY:
	case RECORD_EARLY_CUT:
		put_early(s, &r->receipt, r->kind == RECORD_EARLY);
		break;
	case RECORD_NOTICE:
		notice_put(s, &r->notice);
	}
	return 0;
}

static int
mv_commit(struct move_store *m, const struct move_mark *mark, struct err *err)
{
	const int64_t *d = m->s->delta;

	ask(m, "BEGIN");
	for (unsigned i = ST_INBOX_CUT; i <= ST_ANSWER_CUT; i++)
		args_ask(m->s, i);
	ask(m, "UPDATE fence SET waiting = waiting + %" PRId64 ", sending = sending + %" PRId64 ", awaiting = awaiting + %"
	    PRId64 ", held = held + %" PRId64 ", notices = notices + %" PRId64 ", early = early + %" PRId64
	    " WHERE node = 0", d[COUNT_WAITING], d[COUNT_SENDING], d[COUNT_AWAITING], d[COUNT_HELD],
	    d[COUNT_NOTICES], d[COUNT_EARLY]);
	ask_mark(m, mark);
	return commit(m, err);
}

const struct move_engine move_pgsql = {
	.name = "postgresql", .open = mv_open, .close = mv_close, .place = mv_place, .facts = mv_facts,
	.mark = mv_mark, .empty = mv_empty, .read = mv_read, .begin = mv_begin, .put = mv_put, .commit = mv_commit
};
