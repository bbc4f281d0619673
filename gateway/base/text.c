/*
 * text.c - slices of text: numbers, encodings, charsets, likeness
 *
 * Knows:     percent, hex, base64 and XML quoting, UTF-8, iconv.
 * Does not:  know what the text means.
 * Owns:      a few iconv handles per thread, closed when the thread ends.
 * Threads:   any.
 */
#include "base/text.h"

#include <errno.h>
#include <iconv.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/err.h"

#define REPLACEMENT	"\xEF\xBF\xBD"		/* U+FFFD */

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int
fold(char c)			/* tolower without a locale */
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)fold(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
text_eq(struct text a, struct text b)
{
	if (a.at == NULL || b.at == NULL)
		return a.at == b.at;
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

bool
text_eq_nocase(struct text a, struct text b)
{
	if (a.at == NULL || b.at == NULL)
		return a.at == b.at;
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (fold(a.at[i]) != fold(b.at[i]))
			return false;
	return true;
}

struct text
text_trim(struct text t)
{
	while (t.len > 0 && is_blank(t.at[0])) {
		t.at++;
		t.len--;
	}
	while (t.len > 0 && is_blank(t.at[t.len - 1]))
		t.len--;
	return t;
}

bool
text_cut(struct text *rest, char sep, struct text *part)
{
	const char *at;

	if (rest->at == NULL)
		return false;
	at = memchr(rest->at, sep, rest->len);
	if (at == NULL) {
		*part = *rest;
		*rest = (struct text){ 0 };
		return true;
	}
	*part = (struct text){ rest->at, (size_t)(at - rest->at) };
	*rest = (struct text){ at + 1, rest->len - part->len - 1 };
	return true;
}

bool
text_digits(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.at[i] < '0' || t.at[i] > '9')
			return false;
	return t.len > 0;
}

char *
text_dup(struct text t)
{
	char *copy;

	if (t.at == NULL || (copy = malloc(t.len + 1)) == NULL)
		return NULL;
	memcpy(copy, t.at, t.len);
	copy[t.len] = '\0';
	return copy;
}

/* FNV-1a leaves the high bits of short keys poor; the mix (of murmur3) spreads them.
 * Partitions of the store depend on this value: it may never change. */
uint64_t
text_hash(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = 0xCBF29CE484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001B3u;
	h = (h ^ h >> 33) * 0xFF51AFD7ED558CCDu;
	h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53u;
	return h ^ h >> 33;
}

int
text_number(struct text t, long least, long most, long *out)
{
	bool minus = t.len > 0 && t.at[0] == '-';
	size_t i = t.len > 0 && (t.at[0] == '-' || t.at[0] == '+');
	unsigned long v = 0, limit = minus ? (unsigned long)LONG_MAX + 1 : LONG_MAX;
	unsigned base = 10;
	long value;

	if (t.len - i > 1 && t.at[i] == '0') {
		base = fold(t.at[i + 1]) == 'x' ? 16 : 8;
		i += base == 16 ? 2 : 1;
	}
	if (i >= t.len)
		return -1;
	for (; i < t.len; i++) {
		int digit = hex_digit(t.at[i]);

		if (digit < 0 || (unsigned)digit >= base || v > (limit - (unsigned)digit) / base)
			return -1;
		v = v * base + (unsigned)digit;
	}
	value = minus ? (long)(0 - v) : (long)v;
	if (value < least || value > most)
		return -1;
	*out = value;
	return 0;
}

/* The text may be a key: the fault names its place, never its content. */
int
text_unhex(struct text t, struct buf *out, struct err *err)
{
	unsigned line = 1, column = 1;
	int high = -1;

	for (size_t i = 0; i < t.len; i++, column++) {
		int digit = hex_digit(t.at[i]);

		if (digit < 0 && high < 0 && is_blank(t.at[i])) {
			if (t.at[i] == '\n') {
				line++;
				column = 0;
			}
			continue;
		}
		if (digit < 0)
			return err_at(err, ERR_SYNTAX, line, column, high < 0 ?
			    "not a hex digit" : "half an octet: a hex digit is missing");
		if (high < 0) {
			high = digit;
			continue;
		}
		buf_u8(out, (uint8_t)(high << 4 | digit));
		high = -1;
	}
	if (high >= 0)
		return err_at(err, ERR_SYNTAX, line, column, "half an octet at the end: "
		    "a hex digit is missing");
	return out->overflow ? err_set(err, ERR_LIMIT, "more octets than there is room for") : 0;
}

void
text_unquote(struct text t, struct buf *out)
{
	const char *at = t.at, *end = t.at + t.len;
	size_t wanted = out->most > 0 && t.len > out->most - out->len ? out->most - out->len : t.len;
	uint8_t *to, *limit;
	int high, low;

	if (out->overflow || t.len == 0)
		return;
	if (out->most > 0 && wanted > out->cap - out->len && !buf_room(out, wanted))
		return;
	to = out->data + out->len;
	limit = out->data + out->cap;
	for (; at < end; at++) {
		if (to == limit) {
			out->overflow = true;
			break;
		}
		if (*at == '+') {
			*to++ = ' ';
		} else if (*at == '%' && end - at > 2 && (high = hex_digit(at[1])) >= 0 &&
		    (low = hex_digit(at[2])) >= 0) {
			*to++ = (uint8_t)(high << 4 | low);
			at += 2;
		} else {
			*to++ = (uint8_t)*at;
		}
	}
	out->len = (size_t)(to - out->data);
}

static bool
is_unreserved(char c)			/* RFC 3986, 2.3 */
{
	return (fold(c) >= 'a' && fold(c) <= 'z') || (c >= '0' && c <= '9') ||
	    c == '-' || c == '.' || c == '_' || c == '~';
}

void
text_quote(struct text t, struct buf *out)
{
	for (size_t i = 0; i < t.len; i++) {
		if (is_unreserved(t.at[i])) {
			buf_u8(out, (uint8_t)t.at[i]);
		} else {
			buf_u8(out, '%');
			buf_hex(out, t.at + i, 1, true);
		}
	}
}

/* What XML 1.0 (2.2) cannot hold at all becomes U+FFFD; a tab or line end is
 * written as a reference, so that it survives in an attribute. */
static void
xml_quote_good(struct text t, struct buf *out)
{
	for (size_t i = 0; i < t.len; i++) {
		unsigned char c = (unsigned char)t.at[i];

		switch (c) {
		case '&':	buf_str(out, "&amp;"); break;
		case '<':	buf_str(out, "&lt;"); break;
		case '>':	buf_str(out, "&gt;"); break;
		case '"':	buf_str(out, "&quot;"); break;
		case '\'':	buf_str(out, "&#39;"); break;
		case '\t':	buf_str(out, "&#9;"); break;
		case '\n':	buf_str(out, "&#10;"); break;
		case '\r':	buf_str(out, "&#13;"); break;
		case 0x7F:	buf_str(out, "&#127;"); break;
		case 0xEF:		/* U+FFFE and U+FFFF are no characters */
			if ((unsigned char)t.at[i + 1] == 0xBF && (unsigned char)t.at[i + 2] >= 0xBE) {
				buf_str(out, REPLACEMENT);
				i += 2;
				break;
			}
			buf_u8(out, c);
			break;
		default:
			if (c < 0x20)
				buf_str(out, REPLACEMENT);
			else
				buf_u8(out, c);
		}
	}
}

void
text_xml_quote(struct text t, struct buf *out)
{
	long bad;

	while (t.len > 0 && (bad = text_utf8_bad(t)) >= 0) {
		xml_quote_good((struct text){ t.at, (size_t)bad }, out);
		buf_str(out, REPLACEMENT);
		t = (struct text){ t.at + bad + 1, t.len - (size_t)bad - 1 };
	}
	xml_quote_good(t, out);
}

/* For terminals and files of lines: nothing that a stranger wrote moves the cursor or ends a line. */
void
text_show(struct text t, struct buf *out)
{
	size_t mark = 0;

	for (size_t i = 0; i < t.len; i++) {
		unsigned char c = (unsigned char)t.at[i];

		if (c >= 0x20 && c < 0x7F)
			continue;
		buf_bytes(out, t.at + mark, i - mark);
		buf_printf(out, "\\x%02x", c);
		mark = i + 1;
	}
	if (t.len > mark)
		buf_bytes(out, t.at + mark, t.len - mark);
}

static int
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int
text_unbase64(struct text t, struct buf *out)
{
	size_t digits = t.len;

	if (t.len % 4 != 0)
		return -1;
	while (digits > 0 && t.len - digits < 2 && t.at[digits - 1] == '=')
		digits--;
	for (size_t i = 0; i < digits; i++)
		if (base64_digit(t.at[i]) < 0)
			return -1;
	if (out == NULL)
		return 0;
	for (size_t i = 0; i < digits; i += 4) {
		size_t n = digits - i < 4 ? digits - i : 4;
		uint32_t v = 0;

		for (size_t k = 0; k < 4; k++)
			v = v << 6 | (uint32_t)(k < n ? base64_digit(t.at[i + k]) : 0);
		buf_bytes(out, (uint8_t[]){ (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v },
		    n - 1);
	}
	return out->overflow ? -1 : 0;
}

void
text_base64(const void *data, size_t len, struct buf *out)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)(n > 1 ? p[i + 1] : 0) << 8 |
		    (n > 2 ? p[i + 2] : 0);
		char four[4] = { digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63],
		    digits[v & 63] };

		for (size_t k = n + 1; k < 4; k++)
			four[k] = '=';
		buf_bytes(out, four, 4);
	}
}

/* Octets of the character that begins at p (n > 0 octets are there), 0 for a bad one.
 * The second octet's range excludes overlong forms, surrogates and > U+10FFFF. */
static size_t
utf8_step(const uint8_t *p, size_t n)
{
	uint8_t least = 0x80, most = 0xBF;
	size_t want;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xC2 || p[0] > 0xF4)
		return 0;
	want = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
	if (p[0] == 0xE0)
		least = 0xA0;
	else if (p[0] == 0xED)
		most = 0x9F;
	else if (p[0] == 0xF0)
		least = 0x90;
	else if (p[0] == 0xF4)
		most = 0x8F;
	if (n < want || p[1] < least || p[1] > most)
		return 0;
	for (size_t i = 2; i < want; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return want;
}

long
text_utf8_bad(struct text t)
{
	const uint8_t *p = (const uint8_t *)t.at;
	size_t i = 0;

	while (i < t.len) {
		uint64_t eight;
		size_t step;

		while (t.len - i >= sizeof eight) {		/* ASCII in long strides */
			memcpy(&eight, p + i, sizeof eight);
			if ((eight & 0x8080808080808080u) != 0)
				break;
			i += sizeof eight;
		}
		if (i == t.len)
			break;
		step = utf8_step(p + i, t.len - i);
		if (step == 0)
			return (long)i;
		i += step;
	}
	return -1;
}

/*
 * Charsets
 */

enum { CHARSET_NAME = 40, CONVERTERS = 4 };

struct converter {
	char	from[CHARSET_NAME], to[CHARSET_NAME];
	iconv_t	handle;
};

struct converters {			/* one of these per thread */
	struct converter list[CONVERTERS];
	unsigned	 used, next;
};

static pthread_key_t	converters_key;
static pthread_once_t	converters_once = PTHREAD_ONCE_INIT;
static bool		converters_ready;

static void
converters_free(void *arg)
{
	struct converters *c = arg;

	for (unsigned i = 0; i < c->used; i++)
		iconv_close(c->list[i].handle);
	free(c);
}

static void
converters_init(void)
{
	converters_ready = pthread_key_create(&converters_key, converters_free) == 0;
}

static struct converters *
converters_mine(void)
{
	struct converters *c;

	pthread_once(&converters_once, converters_init);
	if (!converters_ready)
		return NULL;
	c = pthread_getspecific(converters_key);
	if (c != NULL)
		return c;
	c = calloc(1, sizeof *c);
	if (c != NULL && pthread_setspecific(converters_key, c) != 0) {
		free(c);
		return NULL;
	}
	return c;
}

/* The handle for a pair of names that charset_name has passed, in its initial state. */
static struct converter *
converter_get(const char *from, const char *to)
{
	struct converters *all = converters_mine();
	struct converter *c;
	iconv_t handle;

	if (all == NULL)
		return NULL;
	for (unsigned i = 0; i < all->used; i++) {
		c = &all->list[i];
		if (strcmp(c->from, from) == 0 && strcmp(c->to, to) == 0) {
			iconv(c->handle, NULL, NULL, NULL, NULL);
			return c;
		}
	}
	handle = iconv_open(to, from);
	if (handle == (iconv_t)-1)
		return NULL;
	c = &all->list[all->next];
	if (all->next < all->used)
		iconv_close(c->handle);
	else
		all->used++;
	all->next = (all->next + 1) % CONVERTERS;
	memcpy(c->from, from, strlen(from) + 1);
	memcpy(c->to, to, strlen(to) + 1);
	c->handle = handle;
	return c;
}

/* Names whose octet order is not in the name: by the order mark when there is one,
 * else big-endian (RFC 2781, 4.3), where glibc would take the machine's. */
static const struct charset_wide {
	const char	*name, *big, *little;
	size_t		 unit;
} charsets_wide[] = {
	{ "UTF-16",		"UTF-16BE", "UTF-16LE", 2 },
	{ "UTF16",		"UTF-16BE", "UTF-16LE", 2 },
	{ "UCS-2",		"UTF-16BE", "UTF-16LE", 2 },
	{ "UCS2",		"UTF-16BE", "UTF-16LE", 2 },
	{ "ISO-10646-UCS-2",	"UTF-16BE", "UTF-16LE", 2 },
	{ "UTF-32",		"UTF-32BE", "UTF-32LE", 4 },
	{ "UCS-4",		"UTF-32BE", "UTF-32LE", 4 },
	{ "ISO-10646-UCS-4",	"UTF-32BE", "UTF-32LE", 4 },
};

/* Size of the order mark at the start of t, and which order it says. */
static size_t
order_mark(struct text t, size_t unit, bool *little)
{
	static const char big4[] = { 0, 0, '\xFE', '\xFF' }, little4[] = { '\xFF', '\xFE', 0, 0 };

	*little = false;
	if (t.len < unit)
		return 0;
	*little = memcmp(t.at, little4, unit) == 0;
	return *little || memcmp(t.at, big4 + 4 - unit, unit) == 0 ? unit : 0;
}

/* A name as iconv is to see it. "" would mean the locale, '/' starts glibc's
 * options: neither comes from a sender. *t (may be NULL) loses its order mark. */
static int
charset_name(const char *name, struct text *t, char out[CHARSET_NAME])
{
	size_t len = name != NULL ? strlen(name) : 0;
	bool little = false;

	if (len == 0 || len >= CHARSET_NAME)
		return -1;
	for (size_t i = 0; i < len; i++)
		if (!is_unreserved(name[i]) && strchr(":()+", name[i]) == NULL)
			return -1;
	memcpy(out, name, len + 1);
	for (size_t i = 0; i < sizeof charsets_wide / sizeof *charsets_wide; i++) {
		const struct charset_wide *w = &charsets_wide[i];

		if (strcasecmp(name, w->name) != 0)
			continue;
		if (t != NULL) {
			size_t mark = order_mark(*t, w->unit, &little);

			t->at += mark;
			t->len -= mark;
		}
		memcpy(out, little ? w->little : w->big, strlen(w->big) + 1);
	}
	return 0;
}

/* Octets of one character of a charset, as far as it must be known to step over one
 * that cannot be converted, and the place of an ASCII character in it. */
static size_t
charset_unit(const char *charset, size_t *low)
{
	size_t unit = strncasecmp(charset, "UTF-16", 6) == 0 ? 2 :
	    strncasecmp(charset, "UTF-32", 6) == 0 ? 4 : 1;
	size_t len = strlen(charset);

	*low = unit > 1 && strcasecmp(charset + len - 2, "LE") != 0 ? unit - 1 : 0;
	return unit;
}

static size_t
charset_step(const char *charset, const char *at, size_t left)
{
	const uint8_t *p = (const uint8_t *)at;
	size_t low, step = charset_unit(charset, &low);

	if (step == 2 && left >= 4 && (p[1 - low] & 0xFC) == 0xD8 && (p[3 - low] & 0xFC) == 0xDC)
		step = 4;				/* a surrogate pair */
	else if (strcasecmp(charset, "UTF-8") == 0 && utf8_step(p, left) > 0)
		step = utf8_step(p, left);
	return step < left ? step : left;
}

/* Runs iconv until the input is used up or something is wrong; errno as iconv's. */
static size_t
converter_run(struct converter *c, char **in, size_t *left, struct buf *out)
{
	char chunk[1024];
	size_t result;

	do {
		char *to = chunk;
		size_t room = sizeof chunk;

		result = iconv(c->handle, in, left, &to, &room);
		int saved = errno;

		buf_bytes(out, chunk, sizeof chunk - room);
		errno = saved;
	} while (result == (size_t)-1 && errno == E2BIG && !out->overflow);
	return result;
}

/* iconv has no "put this character" of its own: it is fed in the charset of the
 * input, so that the state of the output's charset stays right. */
static void
converter_instead(struct converter *c, char instead_of, struct buf *out)
{
	char wide[4] = { 0 }, *in = wide;
	size_t low, left = charset_unit(c->from, &low);

	wide[low] = instead_of;
	converter_run(c, &in, &left, out);
}

static bool
charset_is_utf8(const char *name)
{
	return strcasecmp(name, "UTF-8") == 0 || strcasecmp(name, "UTF8") == 0;
}

static int
convert_fault(struct err *err, const char *from, const char *to, size_t offset)
{
	return err_set(err, ERR_SYNTAX, "octet %zu cannot be converted from %s to %s",
	    offset + 1, from, to);
}

int
text_convert(const char *from, const char *to, struct text t, char instead_of,
    struct buf *out, struct err *err)
{
	char from_name[CHARSET_NAME], to_name[CHARSET_NAME];
	const char *start = t.at;
	struct converter *c;

	if (charset_name(from, &t, from_name) < 0 || charset_name(to, NULL, to_name) < 0)
		return err_set(err, ERR_SYNTAX, "unknown charset");
	if (charset_is_utf8(from_name) && charset_is_utf8(to_name) && text_utf8_bad(t) < 0) {
		buf_bytes(out, t.at, t.len);
	} else {
		c = converter_get(from_name, to_name);
		if (c == NULL)
			return err_set(err, ERR_SYNTAX, "unknown charset: cannot convert from %s "
			    "to %s", from, to);
		char *in = (char *)(uintptr_t)t.at;
		size_t left = t.len, step;

		while (converter_run(c, &in, &left, out) == (size_t)-1 && !out->overflow) {
			if (instead_of == 0 || left == 0)
				return convert_fault(err, from, to, (size_t)(in - start));
			step = charset_step(from_name, in, left);
			in += step;
			left -= step;
			converter_instead(c, instead_of, out);
		}
		converter_run(c, NULL, NULL, out);	/* back to the initial shift state */
	}
	return out->overflow ? err_set(err, ERR_LIMIT, "too long") : 0;
}

/*
 * Likeness
 */

enum { NEAREST_LENGTH = 64, NEAREST_MOST = 3 };

/* Damerau-Levenshtein (restricted): insert, delete, replace, swap two neighbours. */
static unsigned
text_distance(struct text a, struct text b)
{
	unsigned rows[3][NEAREST_LENGTH + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2], *spare;

	for (size_t j = 0; j <= b.len; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			int x = fold(a.at[i - 1]), y = fold(b.at[j - 1]);
			unsigned best = last[j - 1] + (x != y);

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && x == fold(b.at[j - 2]) && fold(a.at[i - 2]) == y &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[b.len];
}

const char *
text_nearest(struct text t, const char *const *names, size_t count)
{
	unsigned least = (unsigned)(t.len / 3 < NEAREST_MOST ? t.len / 3 : NEAREST_MOST) + 1;
	const char *nearest = NULL;

	if (t.len == 0 || t.len > NEAREST_LENGTH)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		struct text name = text_of(names[i]);
		size_t apart = name.len > t.len ? name.len - t.len : t.len - name.len;
		unsigned distance;

		if (name.at == NULL || name.len > NEAREST_LENGTH || apart >= least)
			continue;
		distance = text_distance(t, name);
		if (distance < least) {
			least = distance;
			nearest = names[i];
		}
	}
	return nearest;
}
