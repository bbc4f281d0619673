/*
 * dispatch.h - the way OUT: from the queue over the links, and the status back
 *
 * Owns the links (one per smsc group and instance), the order of what waits (backlog), the
 * window of messages in flight, retries, receipts and notifications. Everything that a
 * restart must not lose is a row in the queue before it matters outside.
 *
 * Threads: the loop.
 */
#ifndef DISPATCH_DISPATCH_H
#define DISPATCH_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/conf.h"
#include "base/err.h"
#include "base/stats.h"
#include "push/message.h"

struct dispatch;
struct fetch;
struct loop;
struct queue;
struct smsc_driver;
struct findings;
struct smsc_incoming;

struct dispatch_conf {		/* from the core and smsbox groups; rows in dispatch.c */
	long	 order_hold_s;		/* core order-hold: 5 min */
	long	 resend_freq_s;		/* core sms-resend-freq: 60 s */
	long	 resend_retry;		/* core sms-resend-retry: -1 endless */
	long	 callback_retry;	/* smsbox http-request-retry; -1 when not given: 24 h with backoff */
	long	 callback_delay_s;	/* smsbox http-queue-delay: 10 s */
	long	 callbacks_most;	/* smsbox max-pending-requests: 512 */
};
extern const struct conf_key dispatch_core_keys[], dispatch_smsbox_keys[];

/* The rows of the smsc group that every driver shares (smsc-id, allowed-..., throughput, ...). */
extern const struct conf_key link_keys[];

/* A text from a phone. Ends with dispatch_incoming_taken(token, durable). NULL: nobody takes them;
 * they are answered "try later" (nothing is lost, the SMSC keeps it). */
typedef void dispatch_incoming_fn(void *arg, const char *smsc_id, const struct smsc_incoming *,
		    void *link, uint64_t token);

struct dispatch	*dispatch_new(struct loop *, struct queue *, struct fetch *,
		    const struct dispatch_conf *, const struct smsc_driver *const *drivers);
/* The same with another way to call (tests): struct notify_calls of dispatch/notify.h. */
struct notify_calls;
struct dispatch	*dispatch_new_calls(struct loop *, struct queue *, const struct notify_calls *,
		    const struct dispatch_conf *, const struct smsc_driver *const *drivers);
void		 dispatch_on_incoming(struct dispatch *, dispatch_incoming_fn *, void *arg);
void		 dispatch_incoming_taken(struct dispatch *, void *link, uint64_t token, bool durable);

/* Opens a link for each smsc group. Again after a reload: unchanged groups are untouched,
 * removed ones drain, their messages reroute or wait. The configuration must outlive the dispatch
 * (an unchanged link keeps the one it was opened from). -1: findings tell why. */
int		 dispatch_links(struct dispatch *, struct conf *, struct findings *);
void		 dispatch_start(struct dispatch *);	/* takes the queue's index, begins to send */

/* For intake: may some link carry this now, later, never? */
enum routable { ROUTABLE_NOW, ROUTABLE_LATER, ROUTABLE_NEVER };
enum routable	 dispatch_routable(void *dispatch, const struct message *);

/* What this node does when somebody sets a mode for all nodes (queue_mode_all); not called: one node only. */
typedef void dispatch_mode_fn(void *arg, struct text mode);
void		 dispatch_on_mode(struct dispatch *, dispatch_mode_fn *, void *arg);

/* Kannel's suspend (nothing is sent or received), isolate (nothing is received). */
enum dispatch_mode { DISPATCH_RUNNING, DISPATCH_ISOLATED, DISPATCH_SUSPENDED };
void		 dispatch_mode(struct dispatch *, enum dispatch_mode);

/* Nothing new is sent; done is called when the last answer came, or at the deadline. */
void		 dispatch_drain(struct dispatch *, unsigned deadline_ms, void (*done)(void *), void *arg);
/* Before or after queue_close. Closes the links at once: what is in flight is in doubt. */
void		 dispatch_free(struct dispatch **);

/* For status pages. */
struct link_status {
	const char	*name, *smsc_id, *admin_id, *description;
	const char	*state;			/* Kannel's words: online, connecting, re-connecting, disconnected, dead */
	int64_t		 online_s;
	uint64_t	 failed, queued, possible_duplicates, unknown;
	const struct rate *sms_sent, *sms_received, *dlr_received;
};
struct dispatch_status {
	uint64_t	 waiting, in_flight, awaiting, notices, notices_failed;
	uint64_t	 possible_duplicates, recovered_in_flight, receipts_unmatched;
	uint64_t	 stranded;	/* were on their way when their partition was lost: frozen, or cut off */
	wall_t		 oldest;		/* acceptance of the oldest message that has not left; 0: none */
	struct rate	 sms_sent, sms_received, dlr_received, callbacks;
	bool		 loading;
};
void		 dispatch_status(const struct dispatch *, struct dispatch_status *);
size_t		 dispatch_link_count(const struct dispatch *);
void		 dispatch_link_status(const struct dispatch *, size_t index, struct link_status *);

#endif
