/*
 * row.h - a message in a store, and what each operation does to it: the rules of the contract
 *
 * For stores that hold rows in memory while they work on them (store_memory, store_pgsql); store_sqlite
 * says the same in SQL. What lies beside the row (look-up by foreign id, receipts that came early) is
 * reached through the table of who keeps it.
 *
 * Owns: a row owns its texts, in its arena. Threads: pure; a row belongs to one thread at a time.
 */
#ifndef QUEUE_ROW_H
#define QUEUE_ROW_H

#include "queue/arena.h"
#include "queue/receipt_join.h"
#include "queue/store_types.h"

enum { RECEIPT_PATIENCE_MS = 24 * 3600 * 1000 };	/* beyond validity */
enum { EARLY_SLACK_MS = 300000 };			/* that clocks may differ by */

struct row_segment {			/* evidence */
	struct store_answer answer;
	uint16_t	 attempt;
	uint8_t		 receipt;	/* enum store_receipt_state */
	struct text	 domain, said;
};

struct row {				/* a message, from its submission to the purge */
	struct arena	 arena;		/* its texts */
	uint64_t	 stamp;		/* the store's own business */
	uint64_t	 position;	/* in the order of turns: given when it enters the schedule */
	bool		 inbox;		/* not in the schedule yet */
	struct store_row in;		/* as it was put; mark is not used */
	enum store_state state;
	struct store_mark mark;
	wall_t		 due;
	uint8_t		 segments;
	bool		 left;		/* a segment may have left */
	bool		 wanted, pended;	/* the first intermediate report: somebody wants to hear of it; it has come */
	uint16_t	 tries;
	wall_t		 refused;
	struct row_segment *evidence;	/* by segment */
	unsigned	 evidence_count;
	/* STATE_FINISHED */
	enum store_outcome outcome;
	uint32_t	 code;
	wall_t		 finished;
	struct text	 carried;	/* the link that carried it */
};

struct row_world {			/* what lies beside the rows */
	/* The id leads to this segment from now on, whatever it led to before. */
	void	(*foreign_set)(void *arg, struct text domain, struct text foreign_id, const struct row *,
		    const struct row_segment *);
	/* It leads nowhere, if it still leads to this segment. */
	void	(*foreign_drop)(void *arg, struct text domain, struct text foreign_id, const struct row *,
		    const struct row_segment *);
	/* A receipt that came before; it is taken out. */
	bool	(*early_take)(void *arg, struct text domain, struct text foreign_id, struct store_receipt *);
	void	*arg;
};

void	 row_own(struct row *);			/* moves every text into its arena */
struct row *row_new(const struct row *like);	/* a copy of its own */
void	 row_free(void *row);

enum store_result row_mark(struct row *, const struct store_mark *);
/* false: it would tell of the first report, which was told already. */
bool	 row_may_settle(const struct row *, const struct store_settlement *);
/* Not FINISHED. joined: zeroed. */
void	 row_settle(struct row *, const struct store_settlement *, struct store_joined *,
	    const struct row_world *);
/* The body goes: it may hold a PIN. Who, when and how it ended stays until the purge. */
void	 row_finish(struct row *, const struct store_settlement *, const struct row_world *);
/* What a node that is not the owner knows. false: of an attempt that is over. */
bool	 row_evidence(struct row *, const struct store_evidence *, struct store_joined *, const struct row_world *);
/* Would this receipt change anything? An attempt that is over decides nothing; neither does what comes after
 * the decision. */
bool	 row_heeds(const struct row *, uint16_t attempt, uint8_t segment, uint8_t receipt);
void	 row_receipt(struct row *, uint16_t attempt, uint8_t segment, const struct store_receipt *,
	    struct store_joined *);
bool	 row_unsent(const struct row *);		/* it may be cancelled and replaced */

/* Whether a scan shows it. */
bool	 row_scheduled(const struct row *);
bool	 row_overdue(const struct row *, wall_t now);

/* Views into the row. */
void	 row_index(const struct row *, struct store_index *);
void	 row_view(const struct row *, struct store_view *);
/* The answers lie in the arena. */
void	 row_flight(const struct row *, struct store_flight *, struct arena *);

#endif
