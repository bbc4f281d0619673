/*
 * status_nodes.h - the part of the status page that shows all nodes
 *
 * Behind Kannel's page, and only where one store serves several nodes.
 *
 * Threads: the loop.
 */
#ifndef HTTP_STATUS_NODES_H
#define HTTP_STATUS_NODES_H

#include "http/status.h"

struct queue;

void	status_nodes_write(const struct queue *, enum form, struct buf *);

#endif
