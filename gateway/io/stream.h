/*
 * stream.h - octets over TCP, with or without TLS, on the loop
 *
 * Host names are resolved without blocking. TCP_NODELAY is set. What is written in
 * one turn of the loop leaves in one piece. TLS verifies the peer's certificate and
 * name unless told otherwise; TLS 1.2 or later.
 *
 * Owns: stream_connect and the listener give, stream_free takes (it may be called from
 * any callback of the same stream). Threads: the loop.
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/err.h"
#include "base/text.h"

struct loop;
struct stream;
struct listener;

struct stream_tls {			/* NULL: plain */
	const char	*ca_file;	/* NULL: the system's */
	const char	*certkey_file;	/* own certificate and key, PEM; NULL: none */
	const char	*ciphers;	/* NULL: OpenSSL's default */
	const char	*server_name;	/* to verify; NULL: the host */
	bool		 no_verify;
};

struct stream_events {
	void	(*up)(void *arg);				/* connected, TLS done */
	void	(*input)(void *arg);				/* there is more to read */
	void	(*down)(void *arg, const struct err *why);	/* once; the stream is dead, free it */
	void	(*drained)(void *arg);				/* output is below the mark again; may be NULL */
};

struct stream	*stream_connect(struct loop *, const char *host, unsigned port,
		    const char *our_host, unsigned our_port, const struct stream_tls *,
		    unsigned timeout_ms, const struct stream_events *, void *arg, struct err *);
void		 stream_free(struct stream **);		/* at once; nothing more is called */
/* What was written still leaves, for at most ms; then it is gone. */
void		 stream_finish(struct stream **, unsigned ms);

/* Input as one contiguous view of up to `want` octets: fewer than want only when there
 * are fewer. Valid until the next call on the stream. */
struct text	 stream_peek(struct stream *, size_t want);
size_t		 stream_waiting(const struct stream *);	/* octets of input */
void		 stream_consume(struct stream *, size_t n);
/* Copies; -1 when dead or more than the limit (1 MiB) waits to leave. */
int		 stream_write(struct stream *, const void *, size_t);
size_t		 stream_unsent(const struct stream *);
void		 stream_pause(struct stream *, bool paused);	/* no `input` while paused */
const char	*stream_peer(const struct stream *);		/* "127.0.0.1:2775" */

typedef void listener_fn(void *arg, struct stream *taken);
/* The new stream has no events yet: stream_attach before returning, or free it. */
struct listener	*listener_open(struct loop *, const char *interface, unsigned port,
		    const struct stream_tls *, listener_fn *, void *arg, struct err *);
unsigned	 listener_port(const struct listener *);	/* the real one when 0 was asked */
void		 listener_free(struct listener **);
void		 stream_attach(struct stream *, const struct stream_events *, void *arg);

#endif
