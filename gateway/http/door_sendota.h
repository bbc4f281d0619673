/*
 * door_sendota.h - provisioning documents from senders, in Kannel's interface
 *
 * Threads: the loop.
 */
#ifndef HTTP_DOOR_SENDOTA_H
#define HTTP_DOOR_SENDOTA_H

struct http_request;

void	door_sendota(void *setup, struct http_request *);	/* a router row's run; struct door_setup */

#endif
