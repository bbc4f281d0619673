/*
 * reassemble.h - joins the segments of a message: the way back of segment.h
 *
 * Segments belong together by originator, reference and total (3GPP TS 23.040, 9.2.3.24.1);
 * they may come in any order and twice. What cannot be completed goes: sets that are too
 * old, then the oldest when there are too many or they hold too much.
 *
 * Owns: the segments it keeps; what reassembly_add hands out stays valid until the next call.
 * Threads: pure; time is handed in. A reassembly belongs to one thread at a time.
 */
#ifndef PUSH_REASSEMBLE_H
#define PUSH_REASSEMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"

struct reassembly;			/* opaque */

struct reassembly_limits {
	size_t		 sets;		/* incomplete messages */
	size_t		 octets;	/* that they hold, their own bookkeeping included */
	mono_t		 age_ms;	/* of a set, from its first segment */
};

struct whole {				/* a complete message */
	struct text	 data;		/* user data of all segments without their headers */
	bool		 ports;
	uint16_t	 port_to, port_from;
	uint8_t		 segments;
};

struct reassembly	*reassembly_new(const struct reassembly_limits *);
void		 reassembly_free(struct reassembly **);

enum { REASSEMBLY_BAD = -1, REASSEMBLY_WAITS = 0, REASSEMBLY_WHOLE = 1 };
/* One segment. originator: whoever the reference is unique for (source and destination,
 * when one reassembly serves several phones); header: whether user_data begins with one.
 * A segment that needs no joining is WHOLE at once. The same number again with the
 * same octets changes nothing; with others, or another destination port, the reference
 * was used anew and the old set goes. BAD: the header is; nothing changed. */
int		 reassembly_add(struct reassembly *, struct text originator, struct text user_data,
		    bool header, mono_t now, struct whole *, struct err *);

struct reassembly_counts {
	size_t		 sets, octets;	/* now */
	uint64_t	 joined, dropped;	/* messages so far: complete, given up */
};
void		 reassembly_count(const struct reassembly *, struct reassembly_counts *);

#endif
