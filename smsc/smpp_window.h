/*
 * smpp_window.h - which ticket waits behind which sequence number
 *
 * Flights are kept in the order in which they left.  One that was given up stays known for
 * a while ("late"), so that an answer that still comes can be told; the oldest late one makes room.
 *
 * Memory is taken once, at smpp_window_new.  Threads: pure.
 */
#ifndef SMSC_SMPP_WINDOW_H
#define SMSC_SMPP_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"

struct smpp_window;

enum { SMPP_WINDOW_MOST = 1000 };

struct smpp_flight {
	uint64_t	 ticket;
	mono_t		 sent;
	uint32_t	 sequence;
	bool		 late;
};

struct smpp_window *smpp_window_new(unsigned most);	/* 1..SMPP_WINDOW_MOST; NULL: no memory */
void		 smpp_window_free(struct smpp_window **);
unsigned	 smpp_window_count(const struct smpp_window *);	/* that wait, late ones not counted */
/* false: `most` wait already. A sequence number may not be given twice. */
bool		 smpp_window_add(struct smpp_window *, uint32_t sequence, uint64_t ticket, mono_t now);
/* Takes out the one of that number, late or not. false: unknown. */
bool		 smpp_window_answer(struct smpp_window *, uint32_t sequence, struct smpp_flight *);
/* The one that waits longest. false: none. */
bool		 smpp_window_oldest(const struct smpp_window *, struct smpp_flight *);
/* The oldest becomes late. */
bool		 smpp_window_give_up(struct smpp_window *, struct smpp_flight *);
/* The line is lost: takes out the oldest; when none is left the late ones are forgotten. */
bool		 smpp_window_lose(struct smpp_window *, struct smpp_flight *);

#endif
