/*
 * store_move.c - what a move may do with two stores, and the loop that does it
 *
 * Knows:     marks, in which order they are set; what each pair of them means.
 * Does not:  know tables.
 * Owns:      both stores, while it moves.
 * Threads:   any.
 */
#include "queue/store_move.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"

enum { BATCH = 2000, AT_MOST = 64 << 10, AT_FORM = 1, PEER_SHOWN = 60 };

const char *const move_kind_names[MOVE_KINDS] = { "foreign ids", "early receipts", "messages", "inbox", "results",
    "notices" };

struct side {
	const struct move_engine *engine;
	struct move_store *store;
	struct move_facts facts;
};

struct mover {
	struct side	 from, to;
	struct move_at	 at;
	uint64_t	 number;
	unsigned	 batch;
	struct buf	 packed;	/* at */
	move_watch_fn	*watch;
	void		*arg;
};

/* --- what people read ---------------------------------------------------------------- */

int
move_refuse(const char *place, enum move_state state, struct text peer, struct err *err)
{
	int n = peer.len < PEER_SHOWN ? (int)peer.len : PEER_SHOWN;

	switch (state) {
	case MOVE_NONE:
	case MOVE_DONE:
		return 0;
	case MOVE_GONE:
		return err_set(err, ERR_CONFIG, "this store was moved to %.*s: start on that one; to come back: "
		    "kantele move-store --from '%.*s' --to '%.*s'", n, peer.at, n, peer.at, PEER_SHOWN, place);
	case MOVE_OUT:
		return err_set(err, ERR_CONFIG, "the move of this store to %.*s was not finished: run the same "
		    "kantele move-store again, or with --from and --to exchanged to give it up", n, peer.at);
	case MOVE_IN:
		break;
	}
	return err_set(err, ERR_CONFIG, "the move into this store from %.*s was not finished: run the same "
	    "kantele move-store again, or with --from and --to exchanged to give it up", n, peer.at);
}

/* --- the place ------------------------------------------------------------------------- */

static void
pack_text(struct buf *b, struct text t)
{
	buf_u32(b, (uint32_t)t.len);
	buf_bytes(b, t.at, t.len);
}

static struct text
unpack_text(struct cur *c)
{
	uint32_t n = cur_u32(c);
	const uint8_t *at = cur_bytes(c, n);

	return at != NULL ? (struct text){ (const char *)at, n } : (struct text){ 0 };
}

static struct text
at_pack(const struct move_at *at, struct buf *b)
{
	b->len = 0;
	buf_u8(b, AT_FORM);
	buf_u8(b, (uint8_t)at->kind);
	buf_u64(b, at->a);
	buf_u64(b, at->b);
	buf_u64(b, at->turn);
	for (unsigned i = 0; i < MOVE_KINDS; i++)
		buf_u64(b, at->done[i]);
	pack_text(b, at->s);
	pack_text(b, at->t);
	return (struct text){ (const char *)b->data, b->len };
}

/* Its texts are views. */
static int
at_unpack(struct text packed, struct move_at *at, struct err *err)
{
	struct cur c = cur_on(packed.at, packed.len);

	*at = (struct move_at){ .kind = MOVE_FOREIGN };
	if (cur_u8(&c) != AT_FORM)
		return err_set(err, ERR_STORE, "another version of kantele began this move: finish it with that one");
	at->kind = cur_u8(&c);
	at->a = cur_u64(&c);
	at->b = cur_u64(&c);
	at->turn = cur_u64(&c);
	for (unsigned i = 0; i < MOVE_KINDS; i++)
		at->done[i] = cur_u64(&c);
	at->s = unpack_text(&c);
	at->t = unpack_text(&c);
	return c.short_of || at->kind > MOVE_KINDS ? err_set(err, ERR_STORE, "the mark of the move is damaged") : 0;
}

/* --- sides --------------------------------------------------------------------------------- */

static int
side_open(struct side *s, struct move_side is, bool create, struct err *err)
{
	s->engine = is.engine;
	if ((s->store = is.engine->open(is.where, create, err)) == NULL)
		return -1;
	return is.engine->facts(s->store, &s->facts, err);
}

static void
side_close(struct side *s)
{
	if (s->store != NULL)
		s->engine->close(&s->store);
}

static const char *
side_place(const struct side *s)
{
	return s->engine->place(s->store);
}

static int
side_mark(const struct side *s, enum move_state state, uint64_t number, const struct side *peer, struct text at,
    struct err *err)
{
	struct move_mark mark = { .state = state, .number = number, .peer = text_of(side_place(peer)), .at = at };

	return s->engine->mark(s->store, &mark, err);
}

static bool
side_holds(const struct side *s)
{
	for (unsigned i = 0; i < MOVE_KINDS; i++)
		if (s->facts.all[i] != 0)
			return true;
	return false;
}

static int
random_number(void *out, size_t size, struct err *err)
{
	return getrandom(out, size, 0) == (ssize_t)size ? 0 : err_errno(err, "getrandom");
}

/* --- beginning ------------------------------------------------------------------------------ */

/* What it holds are copies of what the source holds, or held. */
static bool
holds_copies(const struct mover *m)
{
	const struct move_facts *to = &m->to.facts;

	return (to->mark.state == MOVE_GONE || to->mark.state == MOVE_IN) && to->tag == m->from.facts.tag;
}

static int
target_check(const struct mover *m, struct err *err)
{
	const struct move_mark *mark = &m->to.facts.mark;

	if (holds_copies(m))
		return 0;
	if (mark->state == MOVE_OUT || mark->state == MOVE_IN)
		return err_set(err, ERR_CONFIG, "%.*s takes part in another move, with %.*s: finish that one first, or "
		    "name another target", PEER_SHOWN, side_place(&m->to), PEER_SHOWN,
		    mark->peer.at != NULL ? mark->peer.at : "");
	if (side_holds(&m->to))
		return err_set(err, ERR_CONFIG, "%.*s holds messages of its own, and nothing is written over: name an "
		    "empty target (a file that is not there yet, a new database)", PEER_SHOWN, side_place(&m->to));
	return 0;
}

static int
begin_new(struct mover *m, struct err *err)
{
	struct move_facts facts = m->from.facts;

	if (target_check(m, err) == -1 || random_number(&m->number, sizeof m->number, err) == -1)
		return -1;
	m->number >>= 1;		/* engines have no unsigned numbers */
	m->at = (struct move_at){ .kind = MOVE_FOREIGN };
	if (side_mark(&m->from, MOVE_OUT, m->number, &m->to, (struct text){ 0 }, err) == -1)
		return -1;
	facts.mark = (struct move_mark){ .state = MOVE_IN, .number = m->number,
	    .peer = text_of(side_place(&m->from)), .at = at_pack(&m->at, &m->packed) };
	return m->to.engine->empty(m->to.store, &facts, err);
}

static int
begin(struct mover *m, struct err *err)
{
	const struct move_mark *from = &m->from.facts.mark, *to = &m->to.facts.mark;

	if (from->state != MOVE_OUT || to->state != MOVE_IN || from->number != to->number)
		return begin_new(m, err);
	m->number = to->number;
	return at_unpack(to->at, &m->at, err);
}

/* --- batches ---------------------------------------------------------------------------------- */

static int
on_record(void *arg, const struct move_record *r, struct err *err)
{
	struct mover *m = arg;

	if (r->kind == RECORD_ROW)
		r->row->position = ++m->at.turn;
	if (r->kind != RECORD_FOREIGN_CUT && r->kind != RECORD_EARLY_CUT &&
	    (r->kind != RECORD_FOREIGN || m->at.kind == MOVE_FOREIGN))
		m->at.done[m->at.kind]++;
	return m->to.engine->put(m->to.store, r, err);
}

static int
batch(struct mover *m, struct err *err)
{
	struct move_mark mark = { .state = MOVE_IN, .number = m->number, .peer = text_of(side_place(&m->from)) };

	if (m->to.engine->begin(m->to.store, err) == -1 ||
	    m->from.engine->read(m->from.store, &m->at, m->batch, on_record, m, err) == -1)
		return -1;
	mark.at = at_pack(&m->at, &m->packed);
	return m->to.engine->commit(m->to.store, &mark, err);
}

static bool
goes_on(struct mover *m)
{
	struct move_progress p;

	memcpy(p.done, m->at.done, sizeof p.done);
	memcpy(p.all, m->from.facts.all, sizeof p.all);
	return m->watch == NULL || m->watch(m->arg, &p);
}

static int
finish(struct mover *m, struct err *err)
{
	if (side_mark(&m->from, MOVE_GONE, m->number, &m->to, (struct text){ 0 }, err) == -1)
		return -1;
	return side_mark(&m->to, MOVE_DONE, m->number, &m->from, (struct text){ 0 }, err);
}

static int
carry(struct mover *m, enum move_end *end, struct err *err)
{
	*end = MOVE_STOPPED;
	if (begin(m, err) == -1)
		return -1;
	while (m->at.kind != MOVE_KINDS) {
		if (!goes_on(m))
			return 0;
		if (batch(m, err) == -1)
			return -1;
	}
	goes_on(m);
	*end = MOVE_IS_DONE;
	return finish(m, err);
}

/* --- other cases ------------------------------------------------------------------------------- */

/* The source of a move that was finished: at the end of that very move nothing is left to do. */
static int
was_done(struct mover *m, enum move_end *end, struct err *err)
{
	const struct move_mark *from = &m->from.facts.mark, *to = &m->to.facts.mark;

	*end = MOVE_WAS_DONE;
	if (to->number != from->number || (to->state != MOVE_IN && to->state != MOVE_DONE))
		return move_refuse(side_place(&m->from), MOVE_GONE, from->peer, err);
	return to->state == MOVE_DONE ? 0 :
	    side_mark(&m->to, MOVE_DONE, from->number, &m->from, (struct text){ 0 }, err);
}

/* From a target that is not whole back to its source, which is. The target is emptied before the source is
 * free: what is in both must not be sent twice. */
static int
give_up(struct mover *m, enum move_end *end, struct err *err)
{
	const struct move_mark *from = &m->from.facts.mark, *to = &m->to.facts.mark;
	struct move_facts nothing = { .mark = *from };
	struct move_at at = { .kind = MOVE_FOREIGN };

	*end = MOVE_GIVEN_UP;
	if (m->to.facts.tag != m->from.facts.tag && (to->state != MOVE_OUT || to->number != from->number))
		return move_refuse(side_place(&m->from), MOVE_IN, from->peer, err);
	if (to->state == MOVE_GONE)
		return err_set(err, ERR_CONFIG, "all of it has come from %.*s, but for the last word: run the same "
		    "kantele move-store as before once more, then this", PEER_SHOWN, side_place(&m->to));
	nothing.mark.at = at_pack(&at, &m->packed);
	/* Its tag stays until the source is free, which tells whose it is. */
	nothing.tag = m->from.facts.tag;
	if (m->from.engine->empty(m->from.store, &nothing, err) == -1)
		return -1;
	if (to->state == MOVE_OUT && m->to.engine->mark(m->to.store, &(struct move_mark){ .state = MOVE_NONE },
	    err) == -1)
		return -1;
	if (random_number(&nothing.tag, sizeof nothing.tag, err) == -1)
		return -1;
	nothing.mark = (struct move_mark){ .state = MOVE_NONE };
	return m->from.engine->empty(m->from.store, &nothing, err);
}

static int
move(struct mover *m, struct move_side from, struct move_side to, enum move_end *end, struct err *err)
{
	if (side_open(&m->from, from, false, err) == -1 || side_open(&m->to, to, true, err) == -1)
		return -1;
	switch (m->from.facts.mark.state) {
	case MOVE_GONE:
		return was_done(m, end, err);
	case MOVE_IN:
		return give_up(m, end, err);
	case MOVE_NONE:
	case MOVE_OUT:
	case MOVE_DONE:
		break;
	}
	return carry(m, end, err);
}

int
store_move(struct move_side from, struct move_side to, unsigned batch, move_watch_fn *watch, void *arg,
    enum move_end *end, struct err *err)
{
	struct mover m = { .packed = buf_heap(AT_MOST), .batch = batch > 0 ? batch : BATCH,
	    .watch = watch, .arg = arg };
	int rc;

	if (from.engine == to.engine)
		return err_set(err, ERR_CONFIG, "both are %s: that is copied by its own tools, a SQLite store with "
		    "kantele backup", from.engine->name);
	rc = move(&m, from, to, end, err);
	side_close(&m.from);
	side_close(&m.to);
	buf_free(&m.packed);
	return rc;
}
