/*
 * buf.c - the parts of the writer and the reader that are not worth inlining
 *
 * Knows:     growth of heap buffers, the variable-length integers of WSP and WBXML.
 * Does not:  know any protocol.
 * Owns:      the memory of a buf_heap until buf_free.
 * Threads:   pure; a buffer belongs to one thread at a time.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST = 256, UINTVAR_MOST = 5 };

void
buf_free(struct buf *b)
{
	if (b->most > 0) {
		free(b->data);
		b->data = NULL;
		b->cap = 0;
	}
	b->len = 0;
	b->overflow = false;
}

bool
buf_room(struct buf *b, size_t n)
{
	size_t cap;
	void *data;

	if (b->overflow)
		return false;
	if (n <= b->cap - b->len)
		return true;
	if (b->most == 0 || b->len > b->most || n > b->most - b->len) {
		b->overflow = true;
		return false;
	}
	cap = b->cap > 0 ? b->cap : BUF_FIRST;
	while (cap - b->len < n || cap < b->len)
		cap = cap > b->most / 2 ? b->most : cap * 2;
	if (cap > b->most)
		cap = b->most;
	data = realloc(b->data, cap);
	if (data == NULL) {
		b->overflow = true;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

void
buf_uintvar(struct buf *b, uint32_t v)
{
	uint8_t octets[UINTVAR_MOST];
	size_t at = sizeof octets;

	octets[--at] = v & 0x7F;
	while ((v >>= 7) != 0)
		octets[--at] = 0x80 | (v & 0x7F);
	buf_bytes(b, octets + at, sizeof octets - at);
}

void
buf_hex(struct buf *b, const void *from, size_t n, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	const uint8_t *p = from;

	if (n > SIZE_MAX / 2 || !buf_room(b, n * 2)) {
		b->overflow = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		b->data[b->len++] = (uint8_t)digits[p[i] >> 4];
		b->data[b->len++] = (uint8_t)digits[p[i] & 15];
	}
}

/* vsnprintf wants room for a NUL that is not part of the content: short texts go
 * through a scratch area, so that a full buffer is not an overflow. */
void
buf_printf(struct buf *b, const char *fmt, ...)
{
	char scratch[512], *big;
	va_list args;
	int n;

	if (b->overflow)
		return;
	va_start(args, fmt);
	n = vsnprintf(scratch, sizeof scratch, fmt, args);
	va_end(args);
	if (n < 0) {
		b->overflow = true;
		return;
	}
	if ((size_t)n < sizeof scratch) {
		buf_bytes(b, scratch, (size_t)n);
		return;
	}
	big = malloc((size_t)n + 1);
	if (big == NULL) {
		b->overflow = true;
		return;
	}
	va_start(args, fmt);
	vsnprintf(big, (size_t)n + 1, fmt, args);
	va_end(args);
	buf_bytes(b, big, (size_t)n);
	free(big);
}

const char *
buf_cstr(struct buf *b)
{
	if (!buf_room(b, 1))
		return NULL;
	b->data[b->len] = '\0';
	return (const char *)b->data;
}

const char *
cur_cstr(struct cur *c, size_t most, size_t *len)
{
	size_t reach = cur_left(c) < most ? cur_left(c) : most;
	const uint8_t *nul = c->short_of || reach == 0 ? NULL : memchr(c->at, 0, reach);
	const uint8_t *from = c->at;

	if (nul == NULL) {
		c->short_of = true;
		c->at = c->end;
		return NULL;
	}
	if (len != NULL)
		*len = (size_t)(nul - from);
	c->at = nul + 1;
	return (const char *)from;
}

/* WAP-230 8.1.2: 32 bits at most, so the fifth octet has four bits to give. */
uint32_t
cur_uintvar(struct cur *c)
{
	uint64_t v = 0;

	for (int i = 0; i < UINTVAR_MOST; i++) {
		uint8_t octet = cur_u8(c);

		if (c->short_of)
			return 0;
		v = v << 7 | (octet & 0x7F);
		if ((octet & 0x80) == 0) {
			if (v <= UINT32_MAX)
				return (uint32_t)v;
			break;
		}
	}
	c->short_of = true;
	c->at = c->end;
	return 0;
}
