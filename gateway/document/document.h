/*
 * document.h - a parsed document: a small tree with places
 *
 * Parsing keeps element and attribute names in their known spelling (matched
 * without regard to case, with a warning where it differed), values as they
 * are, and the line and column of every element and attribute. Comments,
 * processing instructions and blank text are dropped; other text inside
 * elements is dropped with a warning.
 *
 * Owns: a document owns all of its nodes and texts (one arena); a node and its
 * texts die with it. Threads: pure; a document belongs to one thread at a time.
 */
#ifndef DOCUMENT_DOCUMENT_H
#define DOCUMENT_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/text.h"

struct findings;
struct media;
struct buf;

enum { DOCUMENT_DEPTH = 128, DOCUMENT_ELEMENTS = 10000, DOCUMENT_OCTETS = 256 * 1024,
    DOCUMENT_ATTRIBUTES = 32 };

struct attribute {
	struct attribute *next;		/* in document order */
	struct text	 name, value;	/* value.at is never NULL; UTF-8 */
	unsigned	 line, column;	/* of the element: expat knows no better */
};

struct element {
	struct element	*next, *children, *parent;	/* document order */
	struct attribute *attributes;
	struct text	 name;		/* "characteristic", "parm", "noparm", ... */
	struct text	 called;	/* its attribute "name": what everybody asks for */
	struct text	 text;		/* between its tags, trimmed; of types with text_content */
	unsigned	 line, column;
};

struct document;			/* opaque */

/* NULL and err (code, line, column) when it is not well-formed or breaks a limit.
 * `findings` (may be NULL) gets every problem that can be told apart, so for a
 * document whose elements are not closed: one error for each open element, at the
 * line and column that opened it, with the cure; err tells the first and most useful.
 * `media`: the type that the caller says it is; NULL: told by root element and DOCTYPE.
 * `charset` (may be NULL) overrides the XML declaration. */
struct document	*document_parse(const struct media *, struct text xml, const char *charset,
		    struct findings *, struct err *);
void		 document_free(struct document **);

const struct media	*document_media(const struct document *);
const struct element	*document_root(const struct document *);

/* Building one without XML: what the decoder uses. Texts are copied. */
struct document	*document_new(const struct media *);
struct element	*document_add(struct document *, struct element *parent,
		    struct text name, struct err *);
int		 document_set(struct document *, struct element *, struct text name,
		    struct text value, struct err *);
/* Appends to the text between the tags of an element. */
int		 document_append_text(struct document *, struct element *, struct text, struct err *);

/* The attribute of that name, value.at NULL when it is absent. */
struct text	 element_get(const struct element *, const char *name);

/* XML again: declaration, DOCTYPE of the media, two blanks a level. */
void		 document_write_xml(const struct document *, struct buf *);

#endif
