/*
 * msisdn.h - addresses: rewriting by unified-prefix, the order key
 *
 * Threads: pure.
 */
#ifndef PUSH_MSISDN_H
#define PUSH_MSISDN_H

#include <stdint.h>
#include "base/err.h"
#include "base/text.h"

struct buf;
struct prefixes;		/* opaque: a parsed unified-prefix; NULL: none */

/* Kannel's form "+358,00358,0;+,00": in each ';' group the first is the official prefix,
 * the others are rewritten to it; "-" as official prefix removes. First match wins. */
struct prefixes	*prefixes_parse(struct text, struct err *);
void		 prefixes_free(struct prefixes **);
void		 prefixes_apply(const struct prefixes *, struct text address, struct buf *);

/* What messages take turns by: the rewritten address without "+" or "00", hashed.
 * Equal addresses give equal keys for ever (the partition depends on it). */
uint64_t	 msisdn_order_key(struct text address);
/* 0..255, from the order key. */
static inline unsigned
msisdn_partition(uint64_t order_key)
{
	return (unsigned)(order_key >> 56);
}

/* Characters of an address that are all in `allowed` (sendsms-chars). */
int		 msisdn_chars_ok(struct text address, const char *allowed);

#endif
