/*
 * segment.h - cut one message into the user data that carry it
 *
 * Text is cut between characters (never inside an extension sequence or a surrogate
 * pair), octets anywhere. 140 octets a segment, header included, or what the link allows.
 *
 * Owns: the plan owns the octets of its segments (one block), reused plan after plan.
 * Threads: pure; a plan belongs to one thread at a time.
 */
#ifndef PUSH_SEGMENT_H
#define PUSH_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/text.h"

struct message;

enum { SEGMENTS_MOST = 255, SEGMENT_OCTETS = 140 };

struct segment {
	const struct message *message;	/* addresses, times, class ... */
	struct text	 udh;		/* with length octet and concatenation; absent: none */
	struct text	 data;		/* GSM7: one septet an octet (as SMPP wants it); else octets,
					 * which may be the message's own */
	uint8_t		 number, total;	/* from 1, over the whole message */
	uint8_t		 dcs;
	bool		 concatenated;
	bool		 more;		/* concatenated, and the next one belongs to it */
	bool		 report;	/* a receipt is asked for */
};

struct segment_rules {			/* of the link */
	uint16_t	 octets_most;	/* max-sms-octets; 0: 140 */
	const char	*alt_charset;	/* GSM7 text goes out in this charset; NULL: GSM 03.38 */
	int8_t		 alt_dcs;	/* the link's default; MESSAGE_UNSET */
	bool		 wide_reference;
};

struct segment_plan;			/* opaque */

struct segment_plan *segment_plan_new(void);
void		 segment_plan_free(struct segment_plan **);
/* Cuts. The segments stay valid until the next cut, and as long as the message.
 *  - concatenate: one message of segments as long as the link allows.
 *  - else: plain messages of octets_most each, in a row; one that is longer than the link
 *    allows is concatenated by itself, with references that follow `reference`.
 * More than SEGMENTS_MOST, or more than segments_most when the message is cut by its own
 * octets_most (a link that allows less may need more): ERR_LIMIT, nothing is cut off silently. */
int		 segment_cut(struct segment_plan *, const struct message *,
		    const struct segment_rules *, uint16_t reference, struct err *);
size_t		 segment_count(const struct segment_plan *);
const struct segment *segment_at(const struct segment_plan *, size_t index);
/* How many segments a message takes under these rules (NULL: its own octets_most), 0 when
 * none could hold it. */
unsigned	 message_segments(const struct message *, const struct segment_rules *);
/* How many octets of the body go into `segments` segments of its own octets_most: for a door
 * that cuts texts at max-messages, as Kannel does. */
size_t		 message_fits(const struct message *, unsigned segments);

#endif
