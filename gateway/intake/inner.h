/*
 * inner.h - what the files of the road share; for this folder only
 *
 * Threads: the loop.
 */
#ifndef INTAKE_INNER_H
#define INTAKE_INNER_H

#include <stdint.h>
#include "base/buf.h"
#include "intake/intake.h"
#include "intake/lists.h"
#include "io/loop.h"

enum {
	RECEIVERS_MOST = 1000,		/* of one order */
	ADDRESS_MOST = 20,		/* characters: SMPP has room for 20 (5.2.8) */
	CLIENT_MOST = 46
};

struct prefixes;

struct intake {
	struct loop	*loop;
	struct queue	*queue;
	struct intake_links links;
	struct intake_conf conf;
	struct prefixes	*prefixes;
	struct lists	 lists, core_lists;
	bool		 closed;
	struct soon	 soon;
	struct intake_ticket *refused, *refused_last;	/* whose done is to be called this turn */
};

/* An order under way: one block, with the texts that are needed after the call. */
struct intake_ticket {
	struct intake	*intake;
	intake_done_fn	*done;		/* NULL: nobody waits */
	void		*arg;
	struct submission *submission;	/* NULL: refused, or a replacement under way */
	struct intake_ticket *next, *previous;
	struct intake_result result;
	struct findings	 findings;
	char		 user_code[41];
	enum intake_verdict accepted;	/* ACCEPTED or QUEUED, if it becomes durable */
	/* for the log */
	const char	*door, *note;
	char		 client[CLIENT_MOST];
	struct text	 account, sender;
	/* receivers after unified-prefix, and their ids */
	size_t		 count;
	struct text	*receivers;
	struct buf	 addresses;	/* room for them */
	char		(*ids)[PUSH_ID_SIZE];
	const char	*push_id;	/* the client's own; NULL: ours */
	struct text	 replaces;	/* absent: it is a new message */
	bool		 changing;	/* ... and that is being written */
	const char	**id_list;
};

/* The first stations of every road. NULL: no memory; result.verdict other than ACCEPTED: refused,
 * go no further. */
struct intake_ticket *ticket_new(struct intake *, const struct order *, bool document,
		    intake_done_fn *, void *arg);
/* The last one. Each refuses by itself. */
void		 ticket_refuse(struct intake_ticket *, enum intake_verdict);
/* `m` has everything but receiver and sender, which are the ticket's. */
void		 ticket_submit(struct intake_ticket *, struct message *m);

void		 ticket_tell_refused(void *intake);	/* a soon */

/* What every message of an order has: account, service, times, class, mask ... */
void		 order_message(const struct intake *, const struct order *, struct message *);

#endif
