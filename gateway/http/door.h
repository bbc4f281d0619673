/*
 * door.h - what the doors for senders share: who, waiting for the commit, the answer
 *
 * A call is one request on its way through a door. It lives in the request's memory. Its
 * answer leaves when the order is durable or refused; at the deadline the order is taken back
 * and the answer is 503, or, while its commit is under way, the connection is closed after
 * as long again without an answer: an early 503 would make a duplicate.
 *
 * Threads: the loop.
 */
#ifndef HTTP_DOOR_H
#define HTTP_DOOR_H

#include <stdbool.h>
#include "http/params.h"
#include "intake/intake.h"
#include "io/httpd.h"

struct loop;
struct timer;

enum { DOOR_DEADLINE_MS = 20000, DOOR_RETRY_S = 5 };

struct ota_groups;
struct queue;

struct door_setup {			/* shared by the doors; texts are the configuration's */
	struct loop	*loop;
	struct queue	*queue;			/* for look-ups; what is new goes through intake */
	struct intake	*intake;
	const struct accounts *accounts;
	const struct ota_groups *ota;
	bool		 immediate_reply;	/* Kannel's immediate-sendsms-reply: "Sent." */
	unsigned	 patience_ms;		/* for a commit under way, after the deadline */
};

struct door_answer {			/* what a verdict means: table of each door */
	int		 status;
	const char	*text;			/* Kannel's */
};

struct door_call {
	const struct door_setup *setup;
	struct http_request *request;
	const char	*door;			/* "sendsms" */
	struct params	 params;
	struct order	 order;
	const char	*account;		/* for the log; NULL: nobody is logged in */
	struct intake_ticket *ticket;
	struct timer	*last;			/* after the deadline */
	intake_done_fn	*done;			/* of the door */
};

/* GET and POST go on; anything else is answered. */
bool	door_takes(struct http_request *);
/* NULL: no memory, answered 503. */
struct door_call *door_call_new(const struct door_setup *, const char *door, struct http_request *);
/* Fills the account, from the parameters or from Basic authorization; false: nobody we know. */
bool	door_who(struct door_call *);
/* The same; false: 403 with `refusal`, answered. */
bool	door_login(struct door_call *, const char *refusal);
/* What both doors put into an order. */
void	door_order(struct door_call *);
/* The first fault of billing text, dlr-url and numbers, in Kannel's order; NULL: none. */
const char *door_misformed(struct door_call *, const struct param_row *);
/* The answer names each message, and what it has no room to name must not be sent. false: answered. */
bool	door_answerable(struct door_call *);
/* The order is under way: waits for its end, then `door_done`. A NULL ticket is answered 503. */
void	door_wait(struct door_call *, struct intake_ticket *);
void	door_done(void *call, const struct intake_result *);	/* an intake_done_fn */

/* Each ends the call. `reason` is for the log; NULL: the text. */
void	door_refuse(struct door_call *, int status, const char *text, const char *reason);
void	door_refuse_long(struct door_call *, int status, struct text, const char *reason);	/* several lines, UTF-8 */
void	door_accept(struct door_call *, const char *text);
/* Puts the ids into the answer to come, before anything that it could do without. */
void	door_name(struct door_call *, const struct intake_result *);
/* For doors that answer in another form. */
void	door_log_refused(const struct door_call *, int status, const char *reason);

/* Of a listener: paths that nobody has. */
void	door_unknown(void *unused, struct http_request *);

#endif
