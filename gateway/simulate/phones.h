/*
 * phones.h - what came for the virtual handsets: joined, judged, shown
 *
 * Lines for people, or one JSON object a line.  Owns: what waits to be joined; handsets and `out`
 * are the caller's.  Threads: the loop; time is handed in.
 */
#ifndef SIMULATE_PHONES_H
#define SIMULATE_PHONES_H

#include <stdbool.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "simulate/handset.h"
#include "simulate/tally.h"

struct phones;

struct phones_conf {
	const struct handset *handsets;		/* none: every number has an unknown one */
	size_t		 handset_count;
	bool		 json, hex, quiet;
	FILE		*out;
	struct tally	*tally;
};

struct phones_segment {				/* one submit_sm that was taken */
	struct text	 system_id, from, to, user_data, pdu;
	bool		 header;		/* user_data begins with one */
	uint8_t		 coding;
};

struct phones	*phones_new(const struct phones_conf *, struct err *);
void		 phones_free(struct phones **);
void		 phones_take(struct phones *, const struct phones_segment *, mono_t now);
/* "bind", "unbind", "lost" ... of a connection; detail may be absent. */
void		 phones_event(struct phones *, const char *event, struct text system_id,
		    struct text detail);
/* An HTTP callback: "callback GET /report?id=...". */
void		 phones_callback(struct phones *, struct text method, struct text target);
void		 phones_close(struct phones *);	/* counts what never became whole */

#endif
