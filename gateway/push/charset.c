/*
 * charset.c - GSM 03.38 and the data coding scheme
 *
 * Knows:     the default alphabet and its extension (3GPP TS 23.038, 6.2.1), the
 *            data coding groups (4), and how Kannel reads bad UTF-8.
 * Does not:  know other charsets (base/text.h, text_convert) or segments.
 * Owns:      nothing.
 * Threads:   pure.
 *
 * Callers of Kannel send Latin-1 where UTF-8 is expected and are used to what comes
 * of it, so bad UTF-8 is read as Kannel 1.4.5 reads it (observed):
 *  - a lead octet takes the one or two octets that belong to its length, whatever
 *    they are; one that ends too early is dropped;
 *  - any other octet from 80 to FF is the Latin-1 character of that number.
 * A character of four octets becomes four '?', as there; but good ones only, so that
 * their last octets are never taken for Latin-1.
 */
#include "push/charset.h"

#include <stdbool.h>

#include "base/buf.h"
#include "push/message.h"

enum {
	ESCAPE = 0x1B,
	EXTENDED = 0x80, X = EXTENDED,	/* in the tables: behind an escape */
	NO = 0xFF,			/* not in the alphabet */
	UNKNOWN = '?'
};

static const uint8_t septet_of[256] = {	/* by Unicode number */
	NO, NO, NO, NO, NO, NO, NO, NO,	/* 00 */
	NO, NO, 0x0A, NO, X|0x0A, 0x0D, NO, NO,	/* 08 */
	NO, NO, NO, NO, NO, NO, NO, NO,	/* 10 */
	NO, NO, NO, NO, NO, NO, NO, NO,	/* 18 */
	0x20, 0x21, 0x22, 0x23, 0x02, 0x25, 0x26, 0x27,	/* 20 */
	0x28, 0x29, 0x2A, 0x2B, 0x2C, 0x2D, 0x2E, 0x2F,	/* 28 */
	0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37,	/* 30 */
	0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F,	/* 38 */
	0x00, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47,	/* 40 */
	0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F,	/* 48 */
	0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57,	/* 50 */
	0x58, 0x59, 0x5A, X|0x3C, X|0x2F, X|0x3E, X|0x14, 0x11,	/* 58 */
	NO, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67,	/* 60 */
	0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F,	/* 68 */
	0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77,	/* 70 */
	0x78, 0x79, 0x7A, X|0x28, X|0x40, X|0x29, X|0x3D, NO,	/* 78 */
	NO, NO, NO, NO, NO, NO, NO, NO,	/* 80 */
	NO, NO, NO, NO, NO, NO, NO, NO,	/* 88 */
	NO, NO, NO, NO, NO, NO, NO, NO,	/* 90 */
	NO, NO, NO, NO, NO, NO, NO, NO,	/* 98 */
	NO, 0x40, NO, 0x01, 0x24, 0x03, NO, 0x5F,	/* A0 */
	NO, NO, NO, NO, NO, NO, NO, NO,	/* A8 */
	NO, NO, NO, NO, NO, NO, NO, NO,	/* B0 */
	NO, NO, NO, NO, NO, NO, NO, 0x60,	/* B8 */
	NO, NO, NO, NO, 0x5B, 0x0E, 0x1C, 0x09,	/* C0 */
	NO, 0x1F, NO, NO, NO, NO, NO, NO,	/* C8 */
	NO, 0x5D, NO, NO, NO, NO, 0x5C, NO,	/* D0 */
	0x0B, NO, NO, NO, 0x5E, NO, NO, 0x1E,	/* D8 */
	0x7F, NO, NO, NO, 0x7B, 0x0F, 0x1D, 0x09,	/* E0 */
	0x04, 0x05, NO, NO, 0x07, NO, NO, NO,	/* E8 */
	NO, 0x7D, 0x08, NO, NO, NO, 0x7C, NO,	/* F0 */
	0x0C, 0x06, NO, NO, 0x7E, NO, NO, NO,	/* F8 */
};

static const struct {
	uint16_t	code;
	uint8_t		septet;
} septet_beyond[] = {
	{ 0x0393, 0x13 }, { 0x0394, 0x10 }, { 0x0398, 0x19 }, { 0x039B, 0x14 }, { 0x039E, 0x1A },
	{ 0x03A0, 0x16 }, { 0x03A3, 0x18 }, { 0x03A6, 0x12 }, { 0x03A8, 0x17 }, { 0x03A9, 0x15 },
	{ 0x20AC, X | 'e' },
};

static const uint16_t code_of[128] = {	/* by septet */
	0x0040, 0x00A3, 0x0024, 0x00A5, 0x00E8, 0x00E9, 0x00F9, 0x00EC,	/* 00 */
	0x00F2, 0x00C7, 0x000A, 0x00D8, 0x00F8, 0x000D, 0x00C5, 0x00E5,	/* 08 */
	0x0394, 0x005F, 0x03A6, 0x0393, 0x039B, 0x03A9, 0x03A0, 0x03A8,	/* 10 */
	0x03A3, 0x0398, 0x039E, 0x0020, 0x00C6, 0x00E6, 0x00DF, 0x00C9,	/* 18 */
	0x0020, 0x0021, 0x0022, 0x0023, 0x00A4, 0x0025, 0x0026, 0x0027,	/* 20 */
	0x0028, 0x0029, 0x002A, 0x002B, 0x002C, 0x002D, 0x002E, 0x002F,	/* 28 */
	0x0030, 0x0031, 0x0032, 0x0033, 0x0034, 0x0035, 0x0036, 0x0037,	/* 30 */
	0x0038, 0x0039, 0x003A, 0x003B, 0x003C, 0x003D, 0x003E, 0x003F,	/* 38 */
	0x00A1, 0x0041, 0x0042, 0x0043, 0x0044, 0x0045, 0x0046, 0x0047,	/* 40 */
	0x0048, 0x0049, 0x004A, 0x004B, 0x004C, 0x004D, 0x004E, 0x004F,	/* 48 */
	0x0050, 0x0051, 0x0052, 0x0053, 0x0054, 0x0055, 0x0056, 0x0057,	/* 50 */
	0x0058, 0x0059, 0x005A, 0x00C4, 0x00D6, 0x00D1, 0x00DC, 0x00A7,	/* 58 */
	0x00BF, 0x0061, 0x0062, 0x0063, 0x0064, 0x0065, 0x0066, 0x0067,	/* 60 */
	0x0068, 0x0069, 0x006A, 0x006B, 0x006C, 0x006D, 0x006E, 0x006F,	/* 68 */
	0x0070, 0x0071, 0x0072, 0x0073, 0x0074, 0x0075, 0x0076, 0x0077,	/* 70 */
	0x0078, 0x0079, 0x007A, 0x00E4, 0x00F6, 0x00F1, 0x00FC, 0x00E0,	/* 78 */
};

struct step {			/* one character of the text, or what stands for one */
	uint32_t	code;
	uint8_t		octets, septets;
	uint8_t		septet;		/* as in the tables; NO: `septets` question marks */
};

static uint8_t
septet_lookup(uint32_t code)
{
	if (code < 256)
		return septet_of[code];
	for (size_t i = 0; i < sizeof septet_beyond / sizeof *septet_beyond; i++)
		if (septet_beyond[i].code == code)
			return septet_beyond[i].septet;
	return NO;
}

static bool
is_tail(uint8_t octet)
{
	return (octet & 0xC0) == 0x80;
}

static struct step
step(const uint8_t *p, const uint8_t *end)
{
	struct step s = { .code = p[0], .octets = 1, .septets = 1 };
	size_t left = (size_t)(end - p);

	if ((p[0] & 0xE0) == 0xC0) {
		s.octets = 2;
		if (left >= 2)
			s.code = (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
	} else if ((p[0] & 0xF0) == 0xE0) {
		s.octets = 3;
		if (left >= 3)
			s.code = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
	} else if (p[0] >= 0xF0 && p[0] <= 0xF4 && left >= 4 && is_tail(p[1]) && is_tail(p[2]) &&
	    is_tail(p[3])) {
		s.octets = s.septets = 4;
		s.code = (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 |
		    (p[3] & 0x3Fu);
	}
	if (s.octets > left) {
		s.octets = (uint8_t)left;
		s.septets = 0;
		return s;
	}
	s.septet = septet_lookup(s.code);
	if (s.septet != NO && s.septet & EXTENDED)
		s.septets = 2;
	return s;
}

static size_t
put_step(uint8_t *to, const struct step *s)
{
	size_t n = 0;

	if (s->septets == 0)
		return 0;
	if (s->septet == NO)
		for (; n < s->septets; n++)
			to[n] = UNKNOWN;
	else {
		if (s->septet & EXTENDED)
			to[n++] = ESCAPE;
		to[n++] = s->septet & 0x7F;
	}
	return n;
}

size_t
gsm7_from_utf8(struct text t, struct buf *b)
{
	const uint8_t *p = (const uint8_t *)t.at, *end = t.len > 0 ? p + t.len : p;
	uint8_t out[160];
	size_t n = 0, unknown = 0;

	while (p < end) {
		if (n > sizeof out - 4) {
			buf_bytes(b, out, n);
			n = 0;
		}
		if (*p < 0x80 && septet_of[*p] < EXTENDED) {	/* nearly always */
			out[n++] = septet_of[*p++];
		} else {
			struct step s = step(p, end);

			n += put_step(out + n, &s);
			unknown += s.septets > 0 && s.septet == NO;
			p += s.octets;
		}
	}
	buf_bytes(b, out, n);
	return unknown;
}

size_t
gsm7_prefix(struct text t, size_t septets)
{
	const uint8_t *start = (const uint8_t *)t.at, *p = start, *end = t.len > 0 ? p + t.len : p;

	while (p < end) {
		if (*p < 0x80 && septet_of[*p] < EXTENDED) {
			if (septets == 0)
				break;
			septets--;
			p++;
		} else {
			struct step s = step(p, end);

			if (s.septets > septets)
				break;
			septets -= s.septets;
			p += s.octets;
		}
	}
	return (size_t)(p - start);
}

/* Good UTF-8 whose characters all come back as they were: the table writes a small c
 * with cedilla as the capital. */
int
gsm7_fits(struct text t)
{
	const uint8_t *p = (const uint8_t *)t.at, *end = t.len > 0 ? p + t.len : p;

	if (text_utf8_bad(t) != -1)
		return 0;
	while (p < end) {
		struct step s = step(p, end);

		if (s.septet == NO || (!(s.septet & EXTENDED) && code_of[s.septet] != s.code))
			return 0;
		p += s.octets;
	}
	return 1;
}

static void
put_utf8(struct buf *b, uint16_t code)
{
	if (code < 0x80)
		buf_u8(b, (uint8_t)code);
	else if (code < 0x800)
		buf_bytes(b, (uint8_t[]){ (uint8_t)(0xC0 | code >> 6),
		    (uint8_t)(0x80 | (code & 0x3F)) }, 2);
	else
		buf_bytes(b, (uint8_t[]){ (uint8_t)(0xE0 | code >> 12),
		    (uint8_t)(0x80 | (code >> 6 & 0x3F)), (uint8_t)(0x80 | (code & 0x3F)) }, 3);
}

static uint16_t
extended_code(uint8_t septet)		/* 0: not in the extension table */
{
	for (uint16_t code = 0; code < 0x80; code++)
		if (septet_of[code] == (X | septet))
			return code;
	return septet == 'e' ? 0x20AC : 0;
}

/* An escape that leads nowhere is a blank, what follows it is read by itself
 * (TS 23.038, 6.2.1 and 6.2.1.1); an octet that is no septet becomes U+FFFD. */
void
gsm7_to_utf8(struct text t, struct buf *b)
{
	for (size_t i = 0; i < t.len; i++) {
		uint8_t septet = (uint8_t)t.at[i];
		uint16_t code = septet < 128 ? code_of[septet] : 0xFFFD;

		if (septet == ESCAPE && i + 1 < t.len) {
			uint16_t extended = (uint8_t)t.at[i + 1] < 128 ?
			    extended_code((uint8_t)t.at[i + 1]) : 0;

			if (extended != 0) {
				code = extended;
				i++;
			}
		}
		put_utf8(b, code);
	}
}

/* --- data coding ----------------------------------------------------------- */

enum {
	DCS_CLASS = 0x10, DCS_COMPRESSED = 0x20,
	DCS_MWI_DISCARD = 0xC0, DCS_MWI_STORE_GSM7 = 0xD0, DCS_MWI_STORE_UCS2 = 0xE0,
	DCS_MWI_ACTIVE = 0x08,
	DCS_CODING_CLASS = 0xF0,
	CLASS_ME = 1
};

/* The F groups say coding and class and nothing else: no UCS-2, no compression. Kannel's
 * links use them as soon as there is a class; without one they mean class 1. */
static uint8_t
dcs_plain(int coding, int mclass, int alt_dcs, int compress)
{
	uint8_t dcs = (uint8_t)(coding << 2);

	if ((alt_dcs == 1 || mclass >= 0) && coding != CODING_UCS2 && compress != 1)
		return DCS_CODING_CLASS | dcs | (uint8_t)(mclass >= 0 ? mclass : CLASS_ME);
	if (compress == 1)
		dcs |= DCS_COMPRESSED;
	if (mclass >= 0)
		dcs |= DCS_CLASS | (uint8_t)mclass;
	return dcs;
}

/* mwi: 0..3 set the indication of voice, fax, e-mail, other; 4..7 clear it, and then
 * Kannel says "discard" whatever the content. */
uint8_t
dcs_make_empty(int coding, int mclass, int mwi, int alt_dcs, int compress)
{
	if (mwi < 0)
		return dcs_plain(coding < 0 ? CODING_GSM7 : coding, mclass, alt_dcs, compress);
	return DCS_MWI_DISCARD | (uint8_t)(mwi & 3) | (mwi & 4 ? 0 : DCS_MWI_ACTIVE);
}

uint8_t
dcs_make(int coding, int mclass, int mwi, int alt_dcs, int compress)
{
	if (coding < 0)
		coding = CODING_GSM7;
	/* There is no group for octets with an indication: the content goes first.
	 * (Kannel sends them as UCS-2.) */
	if (mwi < 0 || coding == CODING_OCTETS)
		return dcs_plain(coding, mclass, alt_dcs, compress);
	if (mwi & 4)
		return dcs_make_empty(coding, mclass, mwi, alt_dcs, compress);
	return (coding == CODING_GSM7 ? DCS_MWI_STORE_GSM7 : DCS_MWI_STORE_UCS2) |
	    DCS_MWI_ACTIVE | (uint8_t)(mwi & 3);
}
