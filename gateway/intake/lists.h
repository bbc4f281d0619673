/*
 * lists.h - white and black lists of receivers, as regular expressions
 *
 * Threads: pure once parsed.
 */
#ifndef INTAKE_LISTS_H
#define INTAKE_LISTS_H

#include <regex.h>
#include <stdbool.h>
#include "base/err.h"
#include "base/text.h"

enum { RECEIVER_MOST = 64 };	/* octets that are looked at; no address is as long */

struct lists {			/* zeroed: everybody passes */
	regex_t	 white, black;
	bool	 has_white, has_black;
};

/* NULL or "": no such list. */
int	lists_parse(struct lists *, const char *white, const char *black, struct err *);
void	lists_free(struct lists *);
bool	lists_pass(const struct lists *, struct text receiver);

#endif
