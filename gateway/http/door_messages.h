/*
 * door_messages.h - a sender's own messages: what became of them, and taking them back
 *
 * Threads: the loop.
 */
#ifndef HTTP_DOOR_MESSAGES_H
#define HTTP_DOOR_MESSAGES_H

struct http_request;

enum { MESSAGES_SHOWN = 100 };		/* of a receiver, when `limit` does not say */

void	door_messages(void *setup, struct http_request *);	/* a router row's run; struct door_setup */

#endif
