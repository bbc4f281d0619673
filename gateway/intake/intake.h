/*
 * intake.h - the one road for every door
 *
 * A door says what it wants as an order; the road parses, lints, encodes, signs, wraps and
 * puts it in the queue. Every station can fail in one way, and the answer names place and cure.
 *
 *   intake_document: text -> document -> findings -> WBXML -> SEC/MAC -> WSP push -> messages
 *   intake_text:     text -> coding -> messages
 *
 * Threads: the loop (the road itself is pure and bounded: 256 KiB of document).
 */
#ifndef INTAKE_INTAKE_H
#define INTAKE_INTAKE_H

#include <stdbool.h>
#include <sys/socket.h>
#include "base/err.h"
#include "base/finding.h"
#include "encode/sign.h"
#include "intake/account.h"
#include "push/message.h"
#include "queue/queue.h"

struct buf;
struct intake;
struct loop;
struct media;

enum intake_routable { INTAKE_NOW, INTAKE_LATER, INTAKE_NEVER };

struct intake_links {			/* what intake must know of links */
	enum intake_routable (*routable)(void *arg, const struct message *);
	void		*arg;
};

struct intake_conf {			/* from the core and smsbox groups; rows in intake.c */
	const char	*unified_prefix;	/* core */
	const char	*sendsms_chars;		/* smsbox: "0123456789 +-" */
	const char	*global_sender;
	const char	*white_list_regex, *black_list_regex;	/* smsbox: receivers of texts */
	const char	*core_white_regex, *core_black_regex;	/* core: all receivers */
	long		 sms_length;		/* 140 */
	long		 queue_limit;		/* core sms-outgoing-queue-limit: 1,000,000 */
};
extern const struct conf_key intake_core_keys[], intake_smsbox_keys[];

struct order {				/* what every door says of a submission; copied */
	const struct account *account;
	const char	*door;		/* static: "sendota", for the log */
	const struct sockaddr *client;
	struct text	 to;		/* receivers, blank separated as in Kannel */
	struct text	 from, smsc, billing, binfo, meta_data, dlr_url, push_id, group;
	struct text	 replaces;	/* push-id of a message of this account whose place it takes */
	int		 dlr_mask;	/* MESSAGE_UNSET or Kannel's -1..66 */
	int		 priority, klass;	/* MESSAGE_UNSET */
	long		 validity_min, deferred_min;	/* MESSAGE_UNSET */
};

struct order_document {
	const struct media *media;	/* NULL: told by the document */
	struct text	 xml;
	const char	*charset;	/* from the HTTP header; NULL */
	bool		 sec_given;	/* a method was named */
	enum sign_method method;
	struct sign_secrets secrets;	/* views: the caller's */
};

struct order_text {
	struct text	 body;		/* as sent; charset applies */
	struct text	 charset, udh;
	int		 coding, mclass, mwi, alt_dcs, compress, pid, rpi;	/* MESSAGE_UNSET */
};

enum intake_verdict {
	INTAKE_ACCEPTED,	/* 202, durable, a link that may carry it is up */
	INTAKE_QUEUED,		/* 202, durable, none is up now: "3: Queued for later delivery" */
	INTAKE_DENIED,		/* every receiver was refused by characters or lists: 400 */
	INTAKE_BAD_SENDER,	/* no sender from any source: 400 */
	INTAKE_BAD_ARGS,	/* receiver missing, contradictory: 400 */
	INTAKE_BAD_SOURCE,	/* the document: 400, err says why */
	INTAKE_BAD_SECURITY,	/* cannot be signed as asked, or must not go unsigned: 400, err says why */
	INTAKE_BAD_TEXT,	/* charset, conversion: 400 */
	INTAKE_TOO_LONG,	/* more segments than max-messages: 400 */
	INTAKE_UNROUTABLE,	/* no link can ever carry it: 403 */
	INTAKE_NO_SUCH,		/* replaces: the account has no such message: 404 */
	INTAKE_TOO_LATE,	/* replaces: some of it has left, or it is finished: 409 */
	INTAKE_BUSY		/* store trouble, queue limit, stopping: 503 with Retry-After */
};

struct intake_result {
	enum intake_verdict verdict;
	struct err	 err;			/* why not (ACCEPTED, QUEUED: ERR_NONE); never a secret */
	const char	*const *push_ids;	/* one per accepted receiver, in order */
	size_t		 count;
	const struct findings *findings;	/* warnings of a document; NULL: none */
	const char	*user_code;		/* USERPINMAC: what the user must type; NULL */
	struct text	 denied;		/* receivers that were refused, blank separated */
	unsigned	 segments;
};
/* Called exactly once; never inside intake_document / intake_text. */
typedef void intake_done_fn(void *arg, const struct intake_result *);

struct intake	*intake_new(struct loop *, struct queue *, const struct intake_links *,
		    const struct intake_conf *, struct err *);
void		 intake_free(struct intake **);		/* after the queue: no order is under way any more */
/* Other rules from now on (a reload); -1: the old ones stay. Texts are the configuration's. */
int		 intake_configure(struct intake *, const struct intake_conf *, struct err *);
void		 intake_close_door(struct intake *);	/* from now on INTAKE_BUSY */

/* Receivers and sender only: ACCEPTED, DENIED, BAD_ARGS or BAD_SENDER. For a door that found
 * another fault and must tell the one that Kannel would. */
enum intake_verdict intake_look(const struct intake *, const struct order *, bool document);

/* A receiver as messages to it carry it: after unified-prefix. */
void	intake_receiver(const struct intake *, struct text given, struct buf *);

struct intake_ticket;			/* an order under way */
/* NULL without memory: nothing happened, done is not called. */
struct intake_ticket *intake_document(struct intake *, const struct order *,
		    const struct order_document *, intake_done_fn *, void *arg);
struct intake_ticket *intake_text(struct intake *, const struct order *,
		    const struct order_text *, intake_done_fn *, void *arg);
/* The deadline of the request: true, and done is not called any more: answer 503. false: its
 * commit is under way, wait for done. */
bool		 intake_withdraw(struct intake *, struct intake_ticket *);
/* The caller goes: done is not called, the order goes on. */
void		 intake_forget(struct intake_ticket *);

#endif
