/*
 * http_gate.h - connections before the HTTP server gets them
 *
 * Listens, and lets a connection in when the whole header of its first request lies in its buffer and
 * is one (http_head.h); with TLS, when its first octet is that of a handshake. Everything else
 * hears at once what is wrong, or at the deadline that it was too slow, and is closed so that it can
 * read that. Those that wait are bounded, and the oldest makes room: whoever opens connections and
 * says nothing keeps nobody out.
 *
 * Owns: the listening socket, and a connection until it is let in. Threads: the loop.
 */
#ifndef IO_HTTP_GATE_H
#define IO_HTTP_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include "base/err.h"

struct loop;
struct http_gate;

struct http_gate_conf {
	const char	*name;			/* for the log and errors */
	const char	*interface;		/* NULL: all */
	unsigned	 port;			/* 0: any, see http_gate_port */
	bool		 tls;
	unsigned	 waiting_most;		/* connections that are not let in yet */
	unsigned	 head_ms;		/* for a whole header */
	const char	*server;		/* Server: header of refusals */
};

/* Takes the descriptor. false: it was not taken, there is no room; call http_gate_room when there
 * is, and it comes again. */
typedef bool http_gate_fn(void *arg, int fd, const struct sockaddr *, socklen_t);

/* The texts of conf must outlive the gate. */
struct http_gate *http_gate_open(struct loop *, const struct http_gate_conf *, http_gate_fn *,
		    void *arg, struct err *);
unsigned	 http_gate_port(const struct http_gate *);
void		 http_gate_room(struct http_gate *);
void		 http_gate_close(struct http_gate **);

/* A whole answer, after which nothing more is written; -1: not all of it left. The kernel has room
 * for one answer: what it does not take at once is not waited for. */
int		 http_refusal_send(int fd, const char *server, int status, const char *reason);
/* One line for a request that no handler saw; the reason holds nothing of the request. */
void		 http_log_refused(const char *name, const struct sockaddr *, int status,
		    const char *reason);

#endif
