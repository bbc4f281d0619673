/*
 * trouble.h - scripts of trouble: which submit_sm is refused, left without an answer, or the last
 *
 * Random choices come from a generator with a fixed seed: a run can be repeated.
 *
 * Threads: pure; time is handed in.
 */
#ifndef SIMULATE_TROUBLE_H
#define SIMULATE_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"

enum { TROUBLE_RULES_MOST = 16, TROUBLE_PREFIX_MOST = 20 };

struct trouble_refusal {
	char		 prefix[TROUBLE_PREFIX_MOST + 1];	/* of the receiver's digits */
	double		 percent;
	uint32_t	 status;
};

struct trouble {
	/* as scripted */
	struct trouble_refusal refusals[TROUBLE_RULES_MOST];	/* prefix "": any */
	unsigned	 refusal_count;
	double		 throttle;		/* per second; 0: none */
	double		 silent_percent;
	uint32_t	 silent_every;		/* 0: not */
	uint32_t	 drop_after;		/* submits of one connection; 0: never */
	uint32_t	 bind_status, bind_times;	/* bind_times UINT32_MAX: always */
	/* as it runs */
	uint64_t	 random, submits;
	double		 bucket;
	mono_t		 filled;
};

enum fate { FATE_TAKEN, FATE_REFUSED, FATE_SILENT, FATE_DROPPED };	/* the last two are taken, too */

void	trouble_start(struct trouble *, uint64_t seed);		/* empties it */
/* "30:RTHROTTLED": percent and status. */
int	trouble_refuse(struct trouble *, struct text, struct err *);
int	trouble_refuse_number(struct trouble *, struct text, struct err *);	/* "35840:0x0b" */
int	trouble_throttle(struct trouble *, struct text, struct err *);		/* "100" or "100/s" */
int	trouble_silent(struct trouble *, struct text, struct err *);		/* "5", "every 3" */
int	trouble_refuse_bind(struct trouble *, struct text, struct err *);	/* "RINVPASWD[:2]" */

/* What becomes of the submit_sm; `on_line`: how many came over its connection, this one included. */
enum fate trouble_submit(struct trouble *, struct text receiver, uint32_t on_line, mono_t now,
    uint32_t *status);
uint32_t trouble_bind(struct trouble *);	/* the status of the answer */

#endif
