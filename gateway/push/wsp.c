/*
 * wsp.c - the connectionless WSP push
 *
 * Octets: transaction id, 06, length of the headers, content type, other
 * headers, body (WAP-230, 8.2.4.1). The length counts the content type.
 *
 * Knows:     forms of a content type and of parameter values (WAP-230, 8.4.2),
 *            the parameters charset, SEC and MAC (WAP-183).
 * Does not:  know what the headers or the body mean, nor check the MAC.
 * Owns:      nothing; what reading finds are views.
 * Threads:   pure.
 */
#include "push/wsp.h"

#include "base/buf.h"

enum {
	SHORT = 0x80,			/* short integer: the value in 7 bits */
	LENGTH_SHORT_MOST = 0x1E, LENGTH_QUOTE = 0x1F,
	TEXT_QUOTE = 0x7F,
	PARAMETER_CHARSET = 0x01, PARAMETER_SEC = 0x11, PARAMETER_MAC = 0x12,
	CHARSET_UTF8 = 106,		/* MIBenum */
	CONTENT_TYPE_MOST = 512
};

static void
put_value_length(struct buf *b, size_t n)
{
	if (n > LENGTH_SHORT_MOST) {
		buf_u8(b, LENGTH_QUOTE);
		buf_uintvar(b, (uint32_t)n);
	} else
		buf_u8(b, (uint8_t)n);
}

static void
put_text(struct buf *b, struct text t)
{
	/* Else its first octet would be read as a number or a length (8.4.2.1). */
	if (t.len > 0 && ((uint8_t)t.at[0] <= LENGTH_QUOTE || (uint8_t)t.at[0] >= TEXT_QUOTE))
		buf_u8(b, TEXT_QUOTE);
	buf_bytes(b, t.at, t.len);
	buf_u8(b, 0);
}

static void
put_media(struct buf *b, const struct wsp_push *p)
{
	if (p->media == 0)
		put_text(b, p->media_name);
	else if (p->media < SHORT)
		buf_u8(b, (uint8_t)(SHORT | p->media));
	else {				/* long integer; codes have at most 16 bits */
		bool two = p->media > UINT8_MAX;

		buf_u8(b, two ? 2 : 1);
		if (two)
			buf_u8(b, (uint8_t)(p->media >> 8));
		buf_u8(b, (uint8_t)p->media);
	}
}

static void
put_content_type(struct buf *b, const struct wsp_push *p)
{
	uint8_t room[CONTENT_TYPE_MOST];
	struct buf value = buf_on(room, sizeof room);

	put_media(&value, p);
	if (p->charset_utf8) {
		buf_u8(&value, SHORT | PARAMETER_CHARSET);
		buf_u8(&value, SHORT | CHARSET_UTF8);
	}
	if (p->sec != WSP_NO_SEC) {
		buf_u8(&value, SHORT | PARAMETER_SEC);
		buf_u8(&value, SHORT | p->sec);
	}
	if (p->mac.at != NULL) {
		buf_u8(&value, SHORT | PARAMETER_MAC);
		put_text(&value, p->mac);
	}
	if (value.overflow) {
		b->overflow = true;
		return;
	}
	/* Without parameters the media alone will do, unless it is a long integer. */
	if (p->charset_utf8 || p->sec != WSP_NO_SEC || p->mac.at != NULL || p->media >= SHORT)
		put_value_length(b, value.len);
	buf_bytes(b, room, value.len);
}

void
wsp_push_write(const struct wsp_push *p, struct buf *b)
{
	uint8_t room[CONTENT_TYPE_MOST + 8];
	struct buf type = buf_on(room, sizeof room);

	put_content_type(&type, p);
	if (type.overflow || p->headers.len > UINT32_MAX / 2) {
		b->overflow = true;
		return;
	}
	buf_u8(b, p->tid);
	buf_u8(b, WSP_PUSH);
	buf_uintvar(b, (uint32_t)(type.len + p->headers.len));
	buf_bytes(b, room, type.len);
	if (p->headers.len > 0)
		buf_bytes(b, p->headers.at, p->headers.len);
	if (p->body.len > 0)
		buf_bytes(b, p->body.at, p->body.len);
}

/* --- reading --------------------------------------------------------------- */

enum value_kind { VALUE_NUMBER, VALUE_TEXT, VALUE_OCTETS };

struct value {			/* of a parameter, in whatever form it came */
	enum value_kind	 kind;
	uint32_t	 number;
	struct text	 text;	/* without quote and NUL; the octets of a general value */
};

static struct text
take_text(struct cur *c)
{
	size_t n;
	const char *s = cur_cstr(c, cur_left(c), &n);

	if (s == NULL)
		return (struct text){ 0 };
	if (n > 0 && (uint8_t)s[0] == TEXT_QUOTE)
		return (struct text){ s + 1, n - 1 };
	return (struct text){ s, n };
}

static struct text
take_octets(struct cur *c, size_t n)
{
	const uint8_t *p = cur_bytes(c, n);

	return (struct text){ (const char *)p, p != NULL ? n : 0 };
}

/* The first octet tells the form of any value (8.4.1.2); a long integer is a
 * general value of up to four octets. */
static struct value
take_value(struct cur *c)
{
	struct value v = { .kind = VALUE_OCTETS };
	uint8_t first = cur_left(c) > 0 ? *c->at : 0;

	if (first >= SHORT) {
		v.kind = VALUE_NUMBER;
		v.number = cur_u8(c) & 0x7F;
	} else if (first > LENGTH_QUOTE) {
		v.kind = VALUE_TEXT;
		v.text = take_text(c);
	} else {
		size_t n = cur_u8(c);

		if (n == LENGTH_QUOTE)
			n = cur_uintvar(c);
		v.text = take_octets(c, n);
		if (v.text.len >= 1 && v.text.len <= 4) {
			v.kind = VALUE_NUMBER;
			for (size_t i = 0; i < v.text.len; i++)
				v.number = v.number << 8 | (uint8_t)v.text.at[i];
		}
	}
	return v;
}

static void
set_media(struct wsp_push *p, const struct value *v)
{
	if (v->kind == VALUE_NUMBER && v->number <= UINT16_MAX)
		p->media = (uint16_t)v->number;
	else if (v->kind == VALUE_TEXT)
		p->media_name = v->text;
}

static void
set_parameter(struct wsp_push *p, uint32_t name, const struct value *v)
{
	if (name == PARAMETER_CHARSET)
		p->charset_utf8 = v->kind == VALUE_NUMBER && v->number == CHARSET_UTF8;
	else if (name == PARAMETER_SEC && v->kind == VALUE_NUMBER && v->number < WSP_NO_SEC)
		p->sec = (uint8_t)v->number;
	else if (name == PARAMETER_MAC && v->kind == VALUE_TEXT)
		p->mac = v->text;
}

static void
read_content_type(struct cur *c, struct wsp_push *p)
{
	uint8_t first = cur_left(c) > 0 ? *c->at : 0;
	struct cur inner;
	struct value v;

	if (first > LENGTH_QUOTE) {		/* constrained form: the media alone */
		v = take_value(c);
		set_media(p, &v);
		return;
	}
	v.text = take_octets(c, cur_u8(c) == LENGTH_QUOTE ? cur_uintvar(c) : first);
	if (c->short_of)
		return;
	inner = cur_on(v.text.at, v.text.len);
	v = take_value(&inner);
	set_media(p, &v);
	while (cur_left(&inner) > 0) {
		struct value name = take_value(&inner);

		v = take_value(&inner);
		if (name.kind == VALUE_NUMBER)
			set_parameter(p, name.number, &v);
	}
	if (inner.short_of) {			/* the fault is where the inner one stopped */
		c->at = inner.at;
		c->short_of = true;
	}
}

int
wsp_push_read(struct text pdu, struct wsp_push *p, struct err *err)
{
	struct cur c = cur_on(pdu.at, pdu.len), headers;
	const char *what = "ends within the headers";
	uint8_t type;
	size_t n;

	*p = (struct wsp_push){ .sec = WSP_NO_SEC };
	p->tid = cur_u8(&c);
	type = cur_u8(&c);
	n = cur_uintvar(&c);
	if (c.short_of)
		goto bad;
	if (type != WSP_PUSH)
		return err_at(err, ERR_SYNTAX, 0, 2, "not a WSP push: PDU type %02X", type);
	headers = c;
	if (cur_bytes(&c, n) == NULL)
		goto bad;
	p->body = (struct text){ (const char *)c.at, cur_left(&c) };
	headers.end = c.at;
	read_content_type(&headers, p);
	c = headers;
	what = "has a content type that ends early";
	if (c.short_of)
		goto bad;
	what = "has no content type";
	if (p->media == 0 && p->media_name.len == 0)
		goto bad;
	p->headers = (struct text){ (const char *)c.at, cur_left(&c) };
	return 0;
bad:
	return err_at(err, ERR_SYNTAX, 0, (unsigned)((const char *)c.at - pdu.at) + 1,
	    "WSP push %s", what);
}
