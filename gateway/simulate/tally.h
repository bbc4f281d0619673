/*
 * tally.h - what the simulator has counted, and the record of what it took
 *
 * Owns: the set of what was seen (only with tally_detect), the record's file.  Threads: the loop.
 */
#ifndef SIMULATE_TALLY_H
#define SIMULATE_TALLY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "simulate/handset.h"

struct buf;

enum { TALLY_STATUSES = 32, TALLY_SECONDS = 3600 };

struct tally {
	uint64_t	 received, taken, refused, silent, dropped, duplicates, octets;
	uint64_t	 binds, binds_refused, connections;
	uint64_t	 receipts_sent, receipts_taken, receipts_again, receipts_refused, callbacks;
	uint64_t	 messages, verdicts[VERDICTS], incomplete;
	struct {
		uint32_t	 status;
		uint64_t	 count;
	} statuses[TALLY_STATUSES];		/* of the refused; those beyond are only in `refused` */
	unsigned	 status_count;
	mono_t		 first, last;		/* submit_sm; 0: none */
	uint64_t	 per_second[TALLY_SECONDS];	/* from `first`; later ones are only in `received` */
	/* the set of keys seen: open hash of 64-bit hashes, 0 is empty */
	uint64_t	*seen;
	size_t		 seen_count, seen_room;
	bool		 detect;
	FILE		*record;
};

void	tally_submit(struct tally *, mono_t now, size_t octets);
void	tally_refused(struct tally *, uint32_t status);
/* By receiver and the first 64 octets of user data. Counts when it was seen before. */
void	tally_duplicate(struct tally *, struct text receiver, struct text user_data);
int	tally_record_open(struct tally *, const char *path, struct err *);
/* "MICROSECONDS SYSTEM_ID RECEIVER HEX\n"; "-" for no user data. */
void	tally_record(struct tally *, wall_t now_us, struct text system_id, struct text receiver,
	    struct text user_data);
void	tally_json(const struct tally *, struct buf *);		/* one object, one line */
void	tally_print(const struct tally *, struct buf *);	/* one line for people */
void	tally_free(struct tally *);

#endif
