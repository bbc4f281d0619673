/*
 * door_sendsms.h - texts from senders, in Kannel's interface
 *
 * Threads: the loop.
 */
#ifndef HTTP_DOOR_SENDSMS_H
#define HTTP_DOOR_SENDSMS_H

struct http_request;

void	door_sendsms(void *setup, struct http_request *);	/* a router row's run; struct door_setup */

#endif
