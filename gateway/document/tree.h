/*
 * tree.h - how a document is built; for the files of this folder only
 *
 * Threads: pure.
 */
#ifndef DOCUMENT_TREE_H
#define DOCUMENT_TREE_H

#include <stdbool.h>

#include "document/document.h"

/* NULL without memory. `hint`: octets that the texts and nodes will take, about. */
struct document	*tree_new(const struct media *, size_t hint);
void		 tree_set_media(struct document *, const struct media *);
struct text	 tree_copy(struct document *, struct text);	/* at == NULL without memory */

/* Neither copies the texts: they are constants or were copied with tree_copy. */
struct element	*tree_add(struct document *, struct element *parent, struct text name,
		    unsigned line, unsigned column, struct err *);
int		 tree_put(struct document *, struct element *, struct text name,
		    struct text value, struct err *);
/* Appends (copied) to the text between an element's tags. */
int		 tree_append(struct document *, struct element *, struct text, struct err *);

/* What the parser knows when the elements that are still open come to light. */
struct unclosed {
	struct element *const *open;	/* outermost first, all of them */
	size_t		 depth;
	struct text	 source;	/* the XML */
	unsigned	 line, column;	/* where the parser stopped */
};

/* One error finding for each element that is not closed, with the place where its end
 * tag belongs, and the first of them in *err. false: that was not the trouble. */
bool		 unclosed_explain(const struct unclosed *, struct findings *, struct err *);

#endif
