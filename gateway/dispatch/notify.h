/*
 * notify.h - notifications: rows first, then calls
 *
 * Life of one: notify_add makes the row and its place in memory; the caller settles the row with
 * what it tells of; after the commit notify_go (or notify_drop). Then it is called: per message
 * in order and one at a time, per receiver (scheme://host:port) at most NOTIFY_PER_RECEIVER at
 * once, all together at most `most`. 2xx is done; anything else is tried again (retry.h). A
 * receiver whose last call failed is probed by one call at a time, with a rest between.
 *
 * Memory: 48 octets a notification, and its URL while all URLs take less than 8 MiB; else the
 * URL is read from its row when its time has come.
 *
 * Owns: what waits. Threads: the loop.
 */
#ifndef DISPATCH_NOTIFY_H
#define DISPATCH_NOTIFY_H

#include "base/stats.h"
#include "dispatch/ledger.h"
#include "dispatch/retry.h"
#include "io/fetch.h"
#include "push/escape.h"

enum { NOTIFY_PER_RECEIVER = 32, NOTIFY_URLS_MOST = 8 << 20, NOTIFY_URL_MOST = 8192 };

struct loop;
struct notify;

struct notify_calls {			/* how to call; as fetch.h has it */
	void	*(*call)(void *arg, const char *url, fetch_done_fn *, void *done_arg);	/* NULL: cannot */
	void	(*cancel)(void *call);
	void	*arg;
};

struct notify_conf {
	struct retry_calls retry;
	unsigned	 most;
};

struct notify	*notify_new(struct loop *, struct ledger *, const struct notify_calls *,
		    const struct notify_conf *);
void		 notify_free(struct notify **);		/* rows stay, calls are cancelled */

/* An event that the message's mask asks for, with a URL: the row, valid until the next call, and a
 * number for notify_go. 0: nobody wants to know. */
uint32_t	 notify_add(struct notify *, const struct report *, uint64_t order_key, struct store_notice *row);
void		 notify_go(struct notify *, uint32_t number);
void		 notify_drop(struct notify *, uint32_t number);
void		 notify_loaded(struct notify *, const struct store_notice *);
/* Between nodes: partitions that are ours now (loaded next); that go (calls under way are ended, nothing else
 * is begun); true: none of these calls is left. */
void		 notify_come(struct notify *, const struct store_parts *);
void		 notify_leave(struct notify *, const struct store_parts *);
bool		 notify_left(const struct notify *, const struct store_parts *);
bool		 notify_wanted(int event, uint8_t mask);	/* Kannel's rules */

struct notify_status {
	uint64_t	 waiting, failed, given_up;
	struct rate	 calls;
};
void		 notify_status(const struct notify *, struct notify_status *);

#endif
