/*
 * buf.h - bounded octets: a writer that remembers overflow, a reader that
 * remembers the end
 *
 * An encoder should read like its specification: write everything, look at
 * `overflow` once at the end.  A decoder does the same with `short_of`.
 * Integers are in network order.
 *
 * Owns: buf_heap owns its memory (buf_free gives it back); buf_on never does.
 * Threads: pure; a buffer belongs to one thread at a time.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	uint8_t	*data;
	size_t	 len, cap;
	size_t	 most;		/* heap: may grow to this; 0: fixed memory */
	bool	 overflow;	/* sticky: once set, nothing more is written */
};

/* A writer on the caller's memory: capacity is the protocol's limit. */
static inline struct buf
buf_on(void *memory, size_t cap)
{
	return (struct buf){ .data = memory, .cap = cap };
}

/* A writer that grows up to `most` octets (1 or more); nothing is allocated
 * before the first octet.  Out of memory counts as overflow. */
static inline struct buf
buf_heap(size_t most)
{
	return (struct buf){ .most = most };
}

void	buf_free(struct buf *);			/* heap memory; empties it */
bool	buf_room(struct buf *, size_t n);	/* makes room, false and overflow if there is none */

static inline void
buf_bytes(struct buf *b, const void *from, size_t n)
{
	if (b->overflow || (n > b->cap - b->len && !buf_room(b, n))) {
		b->overflow = true;
		return;
	}
	if (n > 0)
		memcpy(b->data + b->len, from, n);
	b->len += n;
}

static inline void
buf_u8(struct buf *b, uint8_t v)
{
	buf_bytes(b, &v, 1);
}

static inline void
buf_u16(struct buf *b, uint16_t v)
{
	buf_bytes(b, (uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static inline void
buf_u32(struct buf *b, uint32_t v)
{
	buf_bytes(b, (uint8_t[]){ (uint8_t)(v >> 24), (uint8_t)(v >> 16),
	    (uint8_t)(v >> 8), (uint8_t)v }, 4);
}

static inline void
buf_u64(struct buf *b, uint64_t v)
{
	buf_u32(b, (uint32_t)(v >> 32));
	buf_u32(b, (uint32_t)v);
}

static inline void
buf_str(struct buf *b, const char *s)		/* without its NUL */
{
	buf_bytes(b, s, strlen(s));
}

/* mb_u_int32 of WBXML, uintvar of WSP: 7 bits an octet, most significant first. */
void	buf_uintvar(struct buf *, uint32_t);
void	buf_hex(struct buf *, const void *, size_t, bool upper);
__attribute__((format(printf, 2, 3)))
void	buf_printf(struct buf *, const char *fmt, ...);
/* The content as a C string (a NUL after it, not counted); NULL on overflow. */
const char *buf_cstr(struct buf *);

/* A reader over octets that somebody else owns. */
struct cur {
	const uint8_t	*at, *end;
	bool		 short_of;	/* sticky: more was asked for than there is */
};

static inline struct cur
cur_on(const void *data, size_t len)
{
	const uint8_t *p = data;

	return (struct cur){ .at = p, .end = p + len };
}

static inline size_t
cur_left(const struct cur *c)
{
	return (size_t)(c->end - c->at);
}

/* n octets, or NULL (and short_of, and the rest is gone). */
static inline const uint8_t *
cur_bytes(struct cur *c, size_t n)
{
	const uint8_t *p = c->at;

	if (c->short_of || n > cur_left(c)) {
		c->short_of = true;
		c->at = c->end;
		return NULL;
	}
	c->at += n;
	return p;
}

static inline uint8_t
cur_u8(struct cur *c)			/* 0 at the end */
{
	const uint8_t *p = cur_bytes(c, 1);

	return p != NULL ? p[0] : 0;
}

static inline uint16_t
cur_u16(struct cur *c)
{
	const uint8_t *p = cur_bytes(c, 2);

	return p != NULL ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t
cur_u32(struct cur *c)
{
	const uint8_t *p = cur_bytes(c, 4);

	return p != NULL ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline uint64_t
cur_u64(struct cur *c)
{
	uint64_t high = cur_u32(c);

	return high << 32 | cur_u32(c);
}

/* A C string of at most `most` octets with its NUL; NULL and short_of when the
 * NUL is missing or farther away. *len without the NUL (may be NULL). */
const char *cur_cstr(struct cur *, size_t most, size_t *len);
uint32_t cur_uintvar(struct cur *);	/* at most 5 octets and 32 bits, else short_of */

#endif
