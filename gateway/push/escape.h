/*
 * escape.h - Kannel's percent escapes in dlr-url
 *
 * Threads: pure.
 */
#ifndef PUSH_ESCAPE_H
#define PUSH_ESCAPE_H

#include <stdint.h>
#include "base/clock.h"
#include "base/text.h"

struct buf;
struct message;

struct report {			/* one event in the life of a message */
	const struct message *message;
	int		 event;		/* enum dlr_event, %d */
	struct text	 push_id;	/* %I: the id that the sender was given */
	struct text	 smsc;		/* %i: the smsc-id of the link that carried it */
	struct text	 foreign_id;	/* %F */
	struct text	 answer;	/* %A: what the SMSC said: "ACK/...", "NACK/...", receipt text */
	struct text	 own_number;	/* my-number of the link, %f */
	wall_t		 at;		/* %t, %T */
};

/* Every escape of Kannel's table (escape.c has it); an unknown one is left as written.
 * Values are percent-encoded, a blank as '+'. */
void	escape_expand(struct text url, const struct report *, struct buf *);

#endif
