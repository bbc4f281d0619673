/*
 * receipt.h - delivery receipts: evidence first, then what it decides
 *
 * A receipt is committed, then acknowledged to the SMSC; what it decides (all segments
 * together) finishes the message and is notified. One that matches nothing yet is kept by the store.
 *
 * Threads: the loop.
 */
#ifndef DISPATCH_RECEIPT_H
#define DISPATCH_RECEIPT_H

#include "dispatch/ending.h"
#include "dispatch/link.h"

struct receipts;

struct receipts	*receipts_new(struct loop *, struct links *, struct ledger *, struct endings *);
void		 receipts_free(struct receipts **);

void		 receipts_take(struct receipts *, struct link *, const struct smsc_receipt *, uint64_t token);
/* What a settlement met: receipts that had come early. */
void		 receipts_joined(struct receipts *, const struct store_joined *);
void		 receipts_sweep(struct receipts *);	/* once a minute, more often while there is work */

uint64_t	 receipts_unmatched(const struct receipts *);

#endif
