/*
 * door_admin.h - Kannel's commands for operators
 *
 * Every answer is HTTP 200, a wrong password too, as in Kannel; a path may begin with /cgi-bin/
 * and end in .txt, .html, .xml or .wml. After a wrong password an address waits: 0, 1, 2 ...
 * seconds, and nothing it asks meanwhile is looked at.
 *
 * Threads: the loop.
 */
#ifndef HTTP_DOOR_ADMIN_H
#define HTTP_DOOR_ADMIN_H

#include <stdbool.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/text.h"
#include "dispatch/dispatch.h"

struct admin;
struct http_request;
struct ip_rules;
struct loop;
struct queue;

struct admin_setup {			/* pointers are the caller's and outlive the door */
	struct loop	*loop;
	struct queue	*queue;
	struct dispatch	*dispatch;
	const struct secret *admin_password, *status_password;	/* status: not given: open, as in Kannel */
	const struct ip_rules *allow, *deny;
	const char	*version;		/* "Kantele 0.1.0" */
	const char	*store_folder;		/* where backups go; NULL: there is no file to copy */
	const char	*smsbox_id;		/* NULL: it has none */
	bool		 smsbox, wapbox;	/* there is such a group: status pages list it */
	mono_t		 started;
	void		(*shutdown)(void *arg);
	void		*arg;
};

struct admin	*admin_new(const struct admin_setup *, struct err *);
void		 admin_free(struct admin **);
void		 admin_configure(struct admin *, const struct admin_setup *);	/* after a reload */
/* A mode that somebody gave to all nodes, as queue_mode_all's text: obeyed once. */
void		 admin_mode_of_all(struct admin *, struct text mode);
void		 admin_stopping(struct admin *);	/* from now on nothing is done any more */
void		 door_admin(void *admin, struct http_request *);

#endif
