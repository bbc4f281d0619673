/*
 * xml.h - the one place that knows expat
 *
 * Feeds a document to a table of functions, each call with line and column.
 * Refuses what a provisioning document never needs and an attacker likes:
 * entity declarations (the DOCTYPE itself is a version tag and is reported),
 * external anything, too deep, too many elements, too many attributes, too
 * long.  The charset is the declared one, else UTF-8; any that iconv knows.
 * Blanks before the XML declaration are skipped.
 *
 * Threads: a reader belongs to one thread and is reused document after document.
 */
#ifndef BASE_XML_H
#define BASE_XML_H

#include <stddef.h>
#include "base/text.h"

struct xml;			/* opaque */
struct err;

struct xml_limits {
	size_t		 octets;	/* of the document */
	unsigned	 depth, elements, attributes;	/* attributes: per element */
};

struct xml_place {
	unsigned	 line, column;	/* 1-based, of the tag's first character */
};

/* Any may be NULL. Returning -1 from one stops the parse with the error it set. */
struct xml_events {
	int	(*doctype)(void *, struct xml_place, const char *name,
		    const char *public_id, const char *system_id, struct err *);
	/* attributes: name, value, name, value, ..., NULL; UTF-8 */
	int	(*start)(void *, struct xml_place, const char *name,
		    const char *const *attributes, struct err *);
	int	(*end)(void *, struct xml_place, const char *name, struct err *);
	int	(*chars)(void *, struct xml_place, struct text, struct err *);
	int	(*cdata)(void *, struct xml_place, struct err *);	/* a section begins */
};

struct xml	*xml_new(void);
void		 xml_free(struct xml **);
/* The whole document at once. 0, or -1 with what is wrong, line and column.
 * Everything up to the fault has been reported before; a "mismatched tag" or an
 * early end is an ERR_SYNTAX the caller can explain from its own stack. `charset`
 * (may be NULL) overrides the declaration. */
int		 xml_parse(struct xml *, struct text document, const char *charset,
		    const struct xml_limits *, const struct xml_events *, void *arg,
		    struct err *);

/* What to hand to xml_parse when a Content-Type header names a charset. Senders write headers
 * that they never compared with what they send, so the document's own word goes first, as in
 * Kannel; the hint counts where there is none, or where the octets prove it wrong. NULL: no
 * override. */
const char	*xml_charset_hinted(struct text document, const char *hint);

#endif
