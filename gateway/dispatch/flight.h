/*
 * flight.h - messages on their way over a link, segment by segment
 *
 * A flight begins when a message is taken (or claimed before it is stored) and ends when its
 * settlement is committed. Its ticket for a driver is (place in the table, generation, segment), so
 * an answer that comes too late finds nothing.
 *
 * Owns: the message while it is in the flight. Threads: the loop.
 */
#ifndef DISPATCH_FLIGHT_H
#define DISPATCH_FLIGHT_H

#include "dispatch/retry.h"
#include "push/message.h"
#include "push/segment.h"
#include "queue/store.h"

struct flights;
struct link;
struct scheduler;

enum flight_state {
	FLIGHT_FREE,
	FLIGHT_OFFERED,		/* claimed; its put and mark are being committed */
	FLIGHT_MARKING,		/* taken; mark and body are on their way */
	FLIGHT_SENDING,
	FLIGHT_SETTLING,	/* all answered; the settlement is being committed */
	FLIGHT_LATE,		/* outcome unknown; an answer may still come */
	FLIGHT_AFAR		/* another node sends it for us; its answers come as evidence */
};

enum flight_whose {		/* who owns the message */
	FLIGHT_OURS,
	FLIGHT_HANDED,		/* another node: we send it; what becomes of it is evidence */
	FLIGHT_STRAY		/* another node by now: nothing of it is begun any more */
};

enum { FLIGHT_HERE = 100, FLIGHT_LEFT };	/* beside enum store_answer_state */

struct flight_segment {
	uint8_t		 state;		/* FLIGHT_HERE, FLIGHT_LEFT, or how it was answered */
	uint8_t		 id_len;
	uint16_t	 id_at;		/* of the foreign id in flight->ids */
};

struct flight {
	uint64_t	 id, key;
	struct flights	*table;
	struct scheduler *scheduler;
	struct message	*message;
	struct link	*link;
	struct flight	*next;		/* of the link's list, of lates, of free ones */
	wall_t		 marked;
	uint32_t	 index, generation;
	uint32_t	 code;		/* of the last refusal */
	enum flight_state state;
	enum flight_whose whose;
	enum turn	 turn;		/* the worst so far */
	uint16_t	 attempt, reference;
	uint8_t		 waits;		/* for mark and body */
	bool		 mark_asked, failed_mark, gone, damaged;	/* of these */
	bool		 judge;		/* its route is of a former configuration */
	bool		 resumed;	/* some segments were accepted before, by this link */
	bool		 evidence_before;	/* of another attempt: to be forgotten */
	bool		 look;		/* the store may know that all was accepted: read first */
	bool		 known;		/* it does: nothing is sent, the evidence is in the store */
	bool		 duplicate_counted;	/* some segment may arrive twice */
	void		(*settled)(struct scheduler *, struct flight *);	/* after the commit; NULL: it is freed */
	bool		 cut;		/* the number of segments is known */
	bool		 stopped;	/* no further segment may leave */
	bool		 report;	/* receipts are asked for */
	bool		 unsent;	/* counted in link->unsent */
	bool		 overtaken;	/* its lane has gone on: not in turn any more */
	uint8_t		 total, next_segment, out;	/* out: left and not answered */
	mono_t		 left;		/* the first segment */
	char		*carried;	/* link that it went over, if not `link` (malloc) */
	char		 said[32];	/* by the network, of a refusal */
	struct flight_segment *segments, few[4];
	char		*ids, some_ids[64];
	uint16_t	 ids_len, ids_room;
};

struct flights	*flights_new(void);
void		 flights_free(struct flights **);
struct flight	*flight_new(struct flights *, uint64_t id, uint64_t key);	/* NULL: no memory */
void		 flight_free(struct flight **);
size_t		 flights_count(const struct flights *);
/* The next in use at or after *index; NULL: none. */
struct flight	*flights_next(const struct flights *, uint32_t *index);

uint64_t	 flight_ticket(const struct flight *, unsigned segment);	/* from 1 */
struct flight	*flight_of(const struct flights *, uint64_t ticket, unsigned *segment);	/* NULL: gone */

int		 flight_segments(struct flight *, unsigned total);	/* -1: no memory */
/* Keeps the answer of one segment. */
void		 flight_answer(struct flight *, unsigned segment, uint8_t state, struct text foreign_id);
struct text	 flight_foreign_id(const struct flight *, unsigned segment);
unsigned	 flight_accepted(const struct flight *);	/* how many segments */
/* The accepted ones (and unknown ones) as evidence; how many. */
unsigned	 flight_evidence(const struct flight *, bool unknown_too, struct store_answer out[SEGMENTS_MOST]);

#endif
