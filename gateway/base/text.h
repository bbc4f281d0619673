/*
 * text.h - slices of text, and what is done to them everywhere
 *
 * A struct text is a view: it owns nothing, may hold NUL octets and is not
 * ended by one.  Functions that make text write to a struct buf.
 *
 * Threads: pure, any thread (text_convert keeps one iconv handle per thread).
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf;
struct err;

struct text {
	const char	*at;		/* NULL: absent; "" with len 0: empty */
	size_t		 len;
};

#define TEXT(literal)	((struct text){ (literal), sizeof(literal) - 1 })
#define TEXT_ARGS(t)	(int)(t).len, (t).at != NULL ? (t).at : ""	/* for %.*s */

static inline struct text
text_of(const char *s)			/* NULL gives the absent text */
{
	return (struct text){ s, s != NULL ? strlen(s) : 0 };
}

/* Tables are searched with these two: most rows differ in the first octet. */
static inline bool
text_is(struct text a, const char *b)
{
	size_t n;

	if (a.len > 0 && a.at[0] != b[0])
		return false;
	n = strlen(b);
	return a.at != NULL && a.len == n && memcmp(a.at, b, n) == 0;
}

bool	text_eq(struct text, struct text);
bool	text_eq_nocase(struct text, struct text);	/* ASCII only */

static inline bool
text_is_nocase(struct text a, const char *b)
{
	if (a.len > 0 && b != NULL && ((a.at[0] ^ b[0]) & ~0x20) != 0)
		return false;
	return text_eq_nocase(a, text_of(b));
}

struct text text_trim(struct text);			/* ASCII blanks at both ends */
/* Cuts the part before the first `sep` off *rest, which afterwards starts
 * behind it (absent when there was no more). false: nothing was left. */
bool	text_cut(struct text *rest, char sep, struct text *part);
bool	text_digits(struct text);			/* one or more, all 0..9 */
char	*text_dup(struct text);				/* malloc, with NUL; NULL for absent or no memory */
uint64_t text_hash(const void *, size_t);		/* 64 bits, stable for ever (FNV-1a with a final mix) */

/* Decimal, or 0x and hex, or a leading 0 and octal, with sign; the whole text
 * must be the number. -1 and nothing written when it is not, or leaves range. */
int	text_number(struct text, long least, long most, long *);

/* Hex digits (blanks between octets allowed) to octets; -1 with the column. */
int	text_unhex(struct text, struct buf *, struct err *);
/* application/x-www-form-urlencoded: percent and plus; a stray percent stays. */
void	text_unquote(struct text, struct buf *);
void	text_quote(struct text, struct buf *);		/* percent-encodes all but unreserved */
void	text_xml_quote(struct text, struct buf *);	/* & < > " ' and control characters */
void	text_show(struct text, struct buf *);		/* what is not printable ASCII as \xNN */
/* Base64 with padding, no blanks; out may be NULL to check only. */
int	text_unbase64(struct text, struct buf *out);
void	text_base64(const void *, size_t, struct buf *);

/* UTF-8 of Unicode scalar values, shortest form: the offset of the first bad
 * octet, or -1 when all is well. */
long	text_utf8_bad(struct text);
/* From any charset that iconv knows (a name as in XML or MIME) to another.
 * ERR_SYNTAX names the charset or the offset of what cannot be converted;
 * instead_of != 0: such characters become this one. */
int	text_convert(const char *from, const char *to, struct text, char instead_of,
	    struct buf *, struct err *);

/* For "did you mean": the nearest of `names` by edit distance without regard to
 * case, NULL when none is near enough (a third of its length, at most 3). */
const char *text_nearest(struct text, const char *const *names, size_t count);

#endif
