/*
 * store_move.h - all of a store, moved into one of another engine
 *
 * A record at a time, in batches. Each batch is one transaction of the target, and the place in the source
 * that it reached is written in it: whoever ends the mover at any instant only has to run it again. Both
 * stores are marked from the first moment on, so that no gateway starts on one that is not whole:
 *
 *   source   OUT, from before the first batch; GONE, when all of it is in the target
 *   target   IN, from before the first batch; DONE, after the source is GONE
 *
 * A move has a number, which is in both marks. A source stays as it was; moved back into, it is emptied
 * first, for what it holds are copies by then: its tag is the same. From and to exchanged before the
 * source is GONE, the move is given up.
 *
 * Positions are numbered anew from 1, in the order of turns; new ones come behind them in every engine.
 * What waits in an inbox takes its turn behind all others, as when its owner takes it in.
 *
 * Threads: any; both stores belong to the call.
 */
#ifndef QUEUE_STORE_MOVE_H
#define QUEUE_STORE_MOVE_H

#include "queue/row.h"
#include "queue/store.h"

enum move_kind {		/* in the order in which they go */
	MOVE_FOREIGN, MOVE_EARLY, MOVE_MESSAGES, MOVE_INBOX, MOVE_RESULTS, MOVE_NOTICES,
	MOVE_KINDS
};
extern const char *const move_kind_names[MOVE_KINDS];

struct move_progress {
	uint64_t	 done[MOVE_KINDS], all[MOVE_KINDS];
};

/* Hears of each batch; false: stop here, the next call goes on. */
typedef bool move_watch_fn(void *arg, const struct move_progress *);

struct move_engine;
extern const struct move_engine move_sqlite, move_pgsql;

struct move_side {
	const struct move_engine *engine;
	const char	*where;		/* the file; the conninfo */
};

enum move_end { MOVE_WAS_DONE, MOVE_IS_DONE, MOVE_STOPPED, MOVE_GIVEN_UP };

/* In batches of so many records; 0: as many as is good. -1: err says what is in the way, and what to do. */
int	 store_move(struct move_side from, struct move_side to, unsigned batch, move_watch_fn *, void *arg,
	    enum move_end *, struct err *);

/* --- for the engines --------------------------------------------------------------------- */

struct move_at {		/* how far it is; zeroed: at the beginning */
	enum move_kind	 kind;		/* MOVE_KINDS: that was all */
	uint64_t	 a, b;		/* the engine's, of the last record of this kind */
	struct text	 s, t;
	uint64_t	 turn;		/* the last position that was given */
	uint64_t	 done[MOVE_KINDS];
};

enum move_state { MOVE_NONE, MOVE_OUT, MOVE_GONE, MOVE_IN, MOVE_DONE };

struct move_mark {
	enum move_state	 state;
	uint64_t	 number;
	struct text	 peer;		/* the other store, as one writes it */
	struct text	 at;		/* IN: struct move_at, packed */
};

struct move_ids {
	uint16_t	 node;
	uint64_t	 last;		/* counter that was given to it last */
};

struct move_facts {		/* what a store says of itself */
	uint32_t	 tag;
	struct move_mark mark;
	uint64_t	 all[MOVE_KINDS];
	const struct move_ids *ids;
	unsigned	 id_count;
};

struct move_record {
	enum move_record_kind {
		RECORD_ROW, RECORD_FINISHED,	/* row */
		RECORD_FOREIGN,			/* the id leads there from now on */
		RECORD_FOREIGN_CUT,		/* ... no more, if it leads there */
		RECORD_EARLY, RECORD_EARLY_CUT,	/* receipt */
		RECORD_NOTICE
	} kind;
	struct row	*row;
	struct text	 domain, foreign_id;
	uint64_t	 id, order_key;
	uint16_t	 attempt;
	uint8_t		 segment;
	struct store_receipt receipt;
	struct store_notice notice;
};

/* What is shown lives in the call. -1: stop. */
typedef int move_record_fn(void *arg, const struct move_record *, struct err *);

struct move_store;		/* one side, open; its layout is the engine's */

struct move_engine {
	const char	*name;		/* the value of `engine =`, and what stands before the place */

	/* Refused while a gateway has it open; afterwards none can begin a round in it, if it is marked. */
	struct move_store *(*open)(const char *where, bool create, struct err *);
	void		 (*close)(struct move_store **);
	const char	*(*place)(const struct move_store *);	/* without secrets */
	/* Its texts live until the next call of facts. */
	int		 (*facts)(struct move_store *, struct move_facts *, struct err *);
	int		 (*mark)(struct move_store *, const struct move_mark *, struct err *);
	/* All records go; tag, ids that must not come again, and the mark, in the same transaction. */
	int		 (*empty)(struct move_store *, const struct move_facts *, struct err *);

	/* Up to `most` records of at->kind; moves the place on, to the next kind at the end. Texts in it live
	 * until the next call. */
	int		 (*read)(struct move_store *, struct move_at *, unsigned most, move_record_fn *, void *arg,
			    struct err *);
	int		 (*begin)(struct move_store *, struct err *);
	int		 (*put)(struct move_store *, const struct move_record *, struct err *);
	int		 (*commit)(struct move_store *, const struct move_mark *, struct err *);
};

/* Why a gateway may not use it. 0: it may. */
int	 move_refuse(const char *place, enum move_state, struct text peer, struct err *);

static inline void
move_next_kind(struct move_at *at)
{
	at->kind++;
	at->a = at->b = 0;
	at->s = at->t = (struct text){ 0 };
}

#endif
