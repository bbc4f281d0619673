/*
 * ledger.h - the owner's pen: every operation on the queue that answers later
 *
 * Counts what is open, and swallows answers that come after ledger_close, so that who asked may
 * be freed while the queue still commits.
 *
 * Owns: what is open. Threads: the loop.
 */
#ifndef DISPATCH_LEDGER_H
#define DISPATCH_LEDGER_H

#include "queue/queue.h"

struct ledger;

struct ledger	*ledger_new(struct queue *);
void		 ledger_close(struct ledger **);
struct queue	*ledger_queue(const struct ledger *);
unsigned	 ledger_open(const struct ledger *);

void	ledger_mark(struct ledger *, uint64_t id, uint64_t order_key, const struct store_mark *,
	    queue_done_fn *, void *arg);
void	ledger_settle(struct ledger *, const struct store_settlement *, queue_joined_fn *, void *arg);
void	ledger_receipt(struct ledger *, const struct store_receipt *, queue_joined_fn *, void *arg);
void	ledger_evidence(struct ledger *, const struct store_evidence *, queue_done_fn *, void *arg);
void	ledger_flight(struct ledger *, uint64_t id, uint64_t order_key, queue_flight_fn *, void *arg);
void	ledger_notice(struct ledger *, uint64_t id, uint64_t order_key, queue_notice_fn *, void *arg);
void	ledger_overdue(struct ledger *, queue_overdue_fn *, void *arg);

#endif
