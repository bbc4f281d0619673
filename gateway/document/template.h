/*
 * template.h - documents with ${NAME} to fill in
 *
 * A template is a document whose values hold ${NAME} or ${NAME:-default}. Values
 * are XML-quoted as they go in; a name without value and default is an error with
 * line and column; a value that the template does not use is an error too.
 * The shipped ones are in conf/templates/.
 *
 * Threads: pure.
 */
#ifndef DOCUMENT_TEMPLATE_H
#define DOCUMENT_TEMPLATE_H

#include <stddef.h>
#include "base/err.h"
#include "base/text.h"

struct buf;

struct template_value {
	struct text	 name, value;
};

int	template_fill(struct text tmpl, const struct template_value *, size_t count,
	    struct buf *out, struct err *);

#endif
