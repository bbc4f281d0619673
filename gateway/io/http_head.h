/*
 * http_head.h - are these octets the header of a request?
 *
 * The octets are judged as they came, before anybody takes them apart: whatever two readers could
 * understand differently is refused, with line and column (RFC 9112, 2.2, 3, 5 and 6). The rules for
 * a single field and for the frame are there for who has a header taken apart already.
 *
 * Threads: pure.
 */
#ifndef IO_HTTP_HEAD_H
#define IO_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/text.h"

enum {
	HTTP_POOL = 32 * 1024,		/* what the HTTP server has for the headers of a request and its answer */
	HTTP_HEAD_MOST = 28 * 1024,
	HTTP_REPLY_LEAST = 1024,	/* octets of fields that every answer can have */
	HTTP_FIELDS_MOST = 100
};

enum http_head { HTTP_HEAD_WHOLE, HTTP_HEAD_PART, HTTP_HEAD_BAD };

/* Of the octets that have come so far, from the first one on; what follows the header is not looked
 * at. HTTP_HEAD_BAD: *status is what to answer, err has place and cure. A header that is not
 * whole within HTTP_HEAD_MOST is bad. */
enum http_head	 http_head_judge(struct text octets, int *status, struct err *);

/* What the fields say about the frame of a request. */
struct http_frame {
	unsigned	 hosts, lengths, encodings;
	bool		 chunked, expects;
	bool		 no_length;	/* a Content-Length that is no number */
	bool		 huge;		/* one that no body may have */
	size_t		 length;
};

/* 0, or the status with which the request is to be refused. */
int	 http_target_fault(struct text target, struct err *);
int	 http_field_fault(struct text name, struct text value, struct err *);
void	 http_frame_field(struct http_frame *, struct text name, struct text value);
int	 http_frame_fault(const struct http_frame *, bool http_1_1, struct err *);
/* What such a request leaves of HTTP_POOL for the fields of its answer; 0: it is too long itself. */
size_t	 http_head_leaves(size_t octets, size_t fields, struct text target);
int	 http_head_fault(size_t octets, size_t fields, struct text target, struct err *);

#endif
