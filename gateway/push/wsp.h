/*
 * wsp.h - the connectionless WSP push around a body (WAP-230 8.2.4.1, WAP-251)
 *
 * Threads: pure.
 */
#ifndef PUSH_WSP_H
#define PUSH_WSP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/text.h"

struct buf;

enum { WSP_PUSH = 0x06, WSP_NO_SEC = 0xff };

struct wsp_push {		/* for writing, and what reading finds */
	uint8_t		 tid;
	uint16_t	 media;		/* well-known code, 0x36; 0: media_name */
	struct text	 media_name;
	bool		 charset_utf8;	/* parameter 81 EA */
	uint8_t		 sec;		/* 0..3, WSP_NO_SEC: no SEC parameter */
	struct text	 mac;		/* 40 hex digits; absent: no MAC parameter */
	struct text	 headers;	/* encoded, after the content type */
	struct text	 body;
};

void	wsp_push_write(const struct wsp_push *, struct buf *);
/* Views into `pdu`. err.column is the offset + 1. Takes any order of parameters and
 * skips those it does not know. media or media_name, as the sender wrote it. */
int	wsp_push_read(struct text pdu, struct wsp_push *, struct err *);

#endif
