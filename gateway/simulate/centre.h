/*
 * centre.h - the simulated SMS centre: an SMPP server in front of the virtual handsets
 *
 * Any number of binds of all kinds.  Receipts go to any receiving bind of the system_id that sent the
 * message, wait when there is none, and are sent again when a bind is lost before it took them.
 *
 * Owns: listener, connections, receipts that wait.  Threads: the loop.
 */
#ifndef SIMULATE_CENTRE_H
#define SIMULATE_CENTRE_H

#include <stdint.h>
#include "base/err.h"
#include "simulate/phones.h"
#include "simulate/receipt.h"
#include "simulate/tally.h"
#include "simulate/trouble.h"

struct centre;
struct loop;

struct centre_conf {
	const char	*interface;
	unsigned	 port;			/* 0: any */
	enum id_form	 ids;
	uint64_t	 first_id;
	unsigned	 delay_ms;		/* of answers to submit_sm */
	struct receipt_conf receipt;
	struct trouble	*trouble;
	struct tally	*tally;
	struct phones	*phones;
};

struct centre	*centre_open(struct loop *, const struct centre_conf *, struct err *);
unsigned	 centre_port(const struct centre *);
void		 centre_free(struct centre **);

#endif
