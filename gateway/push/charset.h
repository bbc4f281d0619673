/*
 * charset.h - GSM 03.38 and the data coding scheme
 *
 * Threads: pure.
 */
#ifndef PUSH_CHARSET_H
#define PUSH_CHARSET_H

#include <stddef.h>
#include <stdint.h>
#include "base/text.h"

struct buf;

/* UTF-8 to the default alphabet, one septet an octet, extension characters as 1B xx;
 * what is not in it becomes '?'. Returns how many became '?'. Bad UTF-8 is read as
 * Kannel reads it (charset.c says how), never refused. */
size_t	gsm7_from_utf8(struct text, struct buf *);
void	gsm7_to_utf8(struct text septets, struct buf *);
/* How much of a text, in octets of whole characters, takes at most so many septets. */
size_t	gsm7_prefix(struct text utf8, size_t septets);
/* Whether a text has only characters of the default alphabet and its extension. */
int	gsm7_fits(struct text utf8);

/* data_coding / TP-DCS from the request's fields, as Kannel does it
 * (alt_dcs: the F0 form; MESSAGE_UNSET where unset). For a message with content. */
uint8_t	dcs_make(int coding, int mclass, int mwi, int alt_dcs, int compress);
/* The same without content: a waiting indication then says "discard" (C0 group). */
uint8_t	dcs_make_empty(int coding, int mclass, int mwi, int alt_dcs, int compress);

#endif
