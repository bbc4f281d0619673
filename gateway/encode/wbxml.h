/*
 * wbxml.h - documents to WBXML 1.3 and back (WAP-192, OMA ProvCont 1.1)
 *
 * Everything is one call over memory: no state between documents.
 * Encoding: public id 0B, UTF-8, STR_I for free text, a value token only when the
 * whole value equals it octet for octet (or, for parms whose values are an
 * enumeration, but for case); LITERAL and a string table for what no table knows.
 * Decoding takes all styles (pages, STR_T, entities, LITERAL), is bounded (depth 128,
 * 64 KiB) and tells the offset of every fault.
 *
 * Threads: pure.
 */
#ifndef ENCODE_WBXML_H
#define ENCODE_WBXML_H

#include <stdbool.h>
#include "base/err.h"
#include "base/text.h"

struct buf;
struct document;
struct media;
struct findings;

enum wbxml_pages {
	WBXML_STAY,	/* switch the attribute page and stay (shortest, default) */
	WBXML_RETURN	/* back to page 0 for each `value`: for clients whose page 1 lacks it */
};

enum { WBXML_OCTETS = 64 * 1024, WBXML_DEPTH = 128, WBXML_NAME = 255 };	/* of literal names: octets */

struct wbxml_style {
	enum wbxml_pages pages;
};

int		 wbxml_encode(const struct document *, const struct wbxml_style *,
		    struct buf *, struct err *);
/* err.column is the offset + 1, err.line 0. `findings` (may be NULL) gets what is
 * legal but odd. */
struct document	*wbxml_decode(const struct media *, struct text body,
		    struct findings *, struct err *);

#endif
