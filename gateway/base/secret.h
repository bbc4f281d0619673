/*
 * secret.h - a value that must not be seen: password, PIN, IMSI, key
 *
 * It is a type of its own so that it cannot be handed to a %s.  Wiped when
 * freed.  Only code that computes with it calls secret_octets.
 *
 * Threads: a secret belongs to one thread at a time.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include "base/text.h"

struct secret {
	uint8_t	*hidden;	/* NULL: not given */
	size_t	 len;
};

int	secret_set(struct secret *, struct text);	/* copies; -1 without memory */
void	secret_free(struct secret *);			/* wipes */
bool	secret_equal(const struct secret *, struct text);	/* in time that does not depend on the content */
static inline bool
secret_given(const struct secret *s)			/* and not empty */
{
	return s->hidden != NULL && s->len > 0;
}
static inline struct text
secret_octets(const struct secret *s)			/* look at the callers when reviewing */
{
	return (struct text){ (const char *)s->hidden, s->len };
}
/* A copy of `url` in which user info and the values of parameters that usually hold
 * secrets (pass, password, pin, imsi, key, token, secret, text...) are "***". */
void	secret_mask_url(struct text url, struct buf *);

#endif
