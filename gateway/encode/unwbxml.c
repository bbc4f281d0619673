/*
 * unwbxml.c - WBXML back to a document
 *
 * Takes what any encoder may write: all page styles, strings inline or from the table,
 * values in pieces, entities, literal names. Refuses what has no meaning in these types
 * (extension tokens, processing instructions, opaque data) and says at which offset.
 *
 * Knows:     the grammar of WAP-192 and its bounds.
 * Does not:  know what a document means, or whether it was signed.
 * Owns:      nothing that outlives a call.
 * Threads:   pure, any thread.
 */
#include "encode/wbxml.h"

#include "base/buf.h"
#include "base/finding.h"
#include "document/document.h"
#include "document/media.h"
#include "encode/tokens.h"

enum {
	SWITCH_PAGE = 0x00, END = 0x01, ENTITY = 0x02, STR_I = 0x03, LITERAL = 0x04,
	STR_T = 0x83,
	HAS_CONTENT = 0x40, HAS_ATTRIBUTES = 0x80, CODE = 0x3f
};

struct unwbxml {
	const struct token_table *table;
	struct document	*document;
	struct cur	 c;
	const uint8_t	*start;
	struct text	 strings;	/* the string table */
	const char	*charset;	/* to convert from; NULL: UTF-8 */
	unsigned	 tag_page, page;
	struct findings	*findings;
	struct err	*err;
	struct buf	 value;		/* of the attribute in hand */
	size_t		 octets;	/* of all strings so far */
};

/* Places are offsets: err.column and the finding's column are one more. */
static unsigned
unwbxml_column(const struct unwbxml *u)
{
	return (unsigned)(u->c.at - u->start) + 1;
}

#define FAIL(u, ...) \
	err_at((u)->err, ERR_SYNTAX, 0, unwbxml_column(u), __VA_ARGS__)

static void
unwbxml_odd(struct unwbxml *u, const char *what)
{
	if (u->findings != NULL)
		finding_add(u->findings, SEVERITY_WARNING, NULL, NULL, 0, unwbxml_column(u), "%s",
		    what);
}

/* Where the octet that was just read stood. */
static int
unwbxml_bad_token(struct unwbxml *u, const char *what, unsigned page, uint8_t token)
{
	u->c.at--;
	return FAIL(u, "%s %02X on page %u is not known", what, token, page);
}

static int
unwbxml_ended(struct unwbxml *u)
{
	return u->c.short_of ? FAIL(u, "the document ends early, or a number in it is longer than "
	    "32 bits") : 0;
}

static int
unwbxml_page(struct unwbxml *u, unsigned *page)
{
	uint8_t n = cur_u8(&u->c);

	if (unwbxml_ended(u) == -1)
		return -1;
	if (n >= TOKEN_PAGES) {
		u->c.at--;
		return FAIL(u, "code page %u is not known", n);
	}
	*page = n;
	return 0;
}

static int
unwbxml_table_string(struct unwbxml *u, struct text *out)
{
	uint32_t at = cur_uintvar(&u->c);
	const char *end;

	if (unwbxml_ended(u) == -1)
		return -1;
	if (at >= u->strings.len ||
	    (end = memchr(u->strings.at + at, 0, u->strings.len - at)) == NULL)
		return FAIL(u, "offset %u lies outside of the string table", at);
	*out = (struct text){ u->strings.at + at, (size_t)(end - u->strings.at) - at };
	return 0;
}

/* A reference of two octets may stand for half the message, thousands of times. */
static int
unwbxml_count(struct unwbxml *u, size_t octets)
{
	u->octets += octets;
	return u->octets <= DOCUMENT_OCTETS ? 0 : err_at(u->err, ERR_LIMIT, 0, unwbxml_column(u),
	    "the strings have together more than %d octets", DOCUMENT_OCTETS);
}

/* To UTF-8 and checked. */
static int
unwbxml_text(struct unwbxml *u, struct text t, struct buf *out)
{
	struct err why = { 0 };

	if (unwbxml_count(u, t.len) == -1)
		return -1;
	if (u->charset == NULL) {
		if (text_utf8_bad(t) >= 0)
			return FAIL(u, "a string is not UTF-8");
		buf_bytes(out, t.at, t.len);
	} else if (text_convert(u->charset, "UTF-8", t, 0, out, &why) == -1) {
		return FAIL(u, "a string is not %s", u->charset);
	}
	return out->overflow ? FAIL(u, "a value is too long") : 0;
}

static int
unwbxml_entity(struct unwbxml *u, struct buf *out)
{
	uint32_t v = cur_uintvar(&u->c);

	if (unwbxml_ended(u) == -1)
		return -1;
	if (v == 0 || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return FAIL(u, "entity %u is no character", v);
	if (v < 0x80) {
		buf_u8(out, (uint8_t)v);
	} else if (v < 0x800) {
		buf_u8(out, (uint8_t)(0xc0 | v >> 6));
	} else if (v < 0x10000) {
		buf_u8(out, (uint8_t)(0xe0 | v >> 12));
		buf_u8(out, (uint8_t)(0x80 | (v >> 6 & 0x3f)));
	} else {
		buf_u8(out, (uint8_t)(0xf0 | v >> 18));
		buf_u8(out, (uint8_t)(0x80 | (v >> 12 & 0x3f)));
		buf_u8(out, (uint8_t)(0x80 | (v >> 6 & 0x3f)));
	}
	if (v >= 0x80)
		buf_u8(out, (uint8_t)(0x80 | (v & 0x3f)));
	return 0;
}

/* A string in one of its three forms. 1: one was read, 0: something else comes, -1. */
static int
unwbxml_string(struct unwbxml *u, struct buf *out)
{
	struct text t;
	const char *s;

	if (cur_left(&u->c) == 0)
		return 0;
	switch (*u->c.at) {
	case STR_I:
		u->c.at++;
		if ((s = cur_cstr(&u->c, cur_left(&u->c), &t.len)) == NULL)
			return FAIL(u, "a string has no end");
		t.at = s;
		break;
	case STR_T:
		u->c.at++;
		if (unwbxml_table_string(u, &t) == -1)
			return -1;
		break;
	case ENTITY:
		u->c.at++;
		return unwbxml_entity(u, out) == -1 ? -1 : 1;
	default:
		return 0;
	}
	return unwbxml_text(u, t, out) == -1 ? -1 : 1;
}

/* Letters, digits, and what XML allows beside them; enough to be written as XML again. */
static bool
unwbxml_name_good(struct text t)
{
	if (t.len == 0 || t.len > WBXML_NAME || strchr("-.0123456789", t.at[0]) != NULL ||
	    text_utf8_bad(t) >= 0)
		return false;
	for (size_t i = 0; i < t.len; i++) {
		uint8_t c = (uint8_t)t.at[i];

		if (c < 0x80 && strchr("-._:0123456789", c) == NULL &&
		    !((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
			return false;
	}
	return true;
}

static int
unwbxml_literal(struct unwbxml *u, struct text *name)
{
	if (unwbxml_table_string(u, name) == -1)
		return -1;
	return unwbxml_name_good(*name) ? 0 : FAIL(u, "a literal is not a name");
}

static struct text
unwbxml_gathered(const struct unwbxml *u)
{
	return (struct text){ u->value.len > 0 ? (const char *)u->value.data : "", u->value.len };
}

/* The pieces of a value, up to the next attribute or END. */
static int
unwbxml_value(struct unwbxml *u)
{
	int more;

	for (;;) {
		if ((more = unwbxml_string(u, &u->value)) == -1)
			return -1;
		if (more == 1)
			continue;
		if (cur_left(&u->c) == 0 || (*u->c.at < 0x80 && *u->c.at != SWITCH_PAGE))
			return 0;

		uint8_t token = cur_u8(&u->c);

		if (token == SWITCH_PAGE) {
			if (unwbxml_page(u, &u->page) == -1)
				return -1;
			continue;
		}
		const char *word = u->table->value_at[u->page][token & 0x7f];

		if (word == NULL)
			return unwbxml_bad_token(u, "value token", u->page, token);
		if (unwbxml_count(u, strlen(word)) == -1)
			return -1;
		buf_str(&u->value, word);
	}
}

static int
unwbxml_attributes(struct unwbxml *u, struct element *e)
{
	struct text name;
	uint8_t token;

	while ((token = cur_u8(&u->c)) != END) {
		if (unwbxml_ended(u) == -1)
			return -1;
		if (token == SWITCH_PAGE) {
			if (unwbxml_page(u, &u->page) == -1)
				return -1;
			continue;
		}
		u->value.len = 0;
		if (token == LITERAL) {
			if (unwbxml_literal(u, &name) == -1)
				return -1;
		} else {
			struct token_start s = { NULL, NULL };

			if (token < 0x80)
				s = u->table->start_at[u->page][token];
			if (s.name == NULL)
				return unwbxml_bad_token(u, "attribute token", u->page, token);
			name = text_of(s.name);
			if (s.value != NULL)
				buf_str(&u->value, s.value);
		}
		if (unwbxml_value(u) == -1 || unwbxml_ended(u) == -1)
			return -1;
		if (u->value.overflow)
			return FAIL(u, "a value is too long");
		if (document_set(u->document, e, name, unwbxml_gathered(u), u->err) == -1)
			return -1;
	}
	return 0;
}

static int	unwbxml_element(struct unwbxml *, struct element *parent, unsigned depth);

/* Children and text up to END. */
static int
unwbxml_content(struct unwbxml *u, struct element *e, unsigned depth)
{
	bool keep = document_media(u->document)->text_content, told = false;
	int more;

	for (;;) {
		u->value.len = 0;
		if ((more = unwbxml_string(u, &u->value)) == -1)
			return -1;
		if (more == 1 && keep && document_append_text(u->document, e,
		    unwbxml_gathered(u), u->err) == -1)
			return -1;
		if (more == 1 && !keep && !told)
			unwbxml_odd(u, "text between the tags is dropped");
		if (more == 1) {
			told = true;
			continue;
		}
		switch (cur_left(&u->c) > 0 ? *u->c.at : 0xff) {
		case SWITCH_PAGE:
			u->c.at++;
			if (unwbxml_page(u, &u->tag_page) == -1)
				return -1;
			continue;
		case END:
			u->c.at++;
			return 0;
		}
		if (cur_left(&u->c) == 0)
			return FAIL(u, "the document ends early");
		if (unwbxml_element(u, e, depth) == -1)
			return -1;
	}
}

static int
unwbxml_element(struct unwbxml *u, struct element *parent, unsigned depth)
{
	struct element *e;
	struct text name;
	uint8_t token;

	if (depth > WBXML_DEPTH)
		return FAIL(u, "elements nested deeper than %d", WBXML_DEPTH);
	token = cur_u8(&u->c);
	if (unwbxml_ended(u) == -1)
		return -1;
	if ((token & CODE) == LITERAL) {
		if (unwbxml_literal(u, &name) == -1)
			return -1;
	} else {
		const char *known = u->table->tag_at[u->tag_page][token & CODE];

		if (known == NULL)
			return unwbxml_bad_token(u, "tag", u->tag_page, token);
		name = text_of(known);
	}
	if ((e = document_add(u->document, parent, name, u->err)) == NULL)
		return -1;
	if ((token & HAS_ATTRIBUTES) && unwbxml_attributes(u, e) == -1)
		return -1;
	return (token & HAS_CONTENT) ? unwbxml_content(u, e, depth + 1) : 0;
}

static int
unwbxml_charset(struct unwbxml *u)
{
	static const struct { uint32_t mib; const char *name; } charsets[] = {
		{ 106, NULL }, { 0, NULL }, { 3, "US-ASCII" }, { 4, "ISO-8859-1" },
	};
	uint32_t mib = cur_uintvar(&u->c);

	for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++)
		if (charsets[i].mib == mib) {
			u->charset = charsets[i].name;
			if (mib == 0)
				unwbxml_odd(u, "no charset is told: taken as UTF-8");
			return 0;
		}
	return FAIL(u, "charset %u is not supported", mib);
}

/* The type: by public identifier, unless the caller knows it. */
static int
unwbxml_type(struct unwbxml *u, const struct media **media, uint32_t public_id)
{
	for (size_t i = 0; *media == NULL && token_tables[i] != NULL; i++)
		if (token_tables[i]->public_id == public_id && public_id > 1)
			*media = token_tables[i]->media[0];
	if (*media == NULL)
		return FAIL(u, "public identifier %02X is not known", public_id);
	if ((u->table = token_table_of(*media)) == NULL)
		return FAIL(u, "documents of type %s are not supported yet", (*media)->name);
	if (public_id != u->table->public_id)
		return FAIL(u, "public identifier %02X is not that of type %s (%02X)", public_id,
		    (*media)->name, u->table->public_id);
	return 0;
}

/* A public identifier written out: its place in the table as the first of two numbers. */
static int
unwbxml_named_type(struct unwbxml *u, const struct media **media, uint32_t at)
{
	const struct media *const *all = media_all();
	const char *end;
	struct text id;

	if (at >= u->strings.len ||
	    (end = memchr(u->strings.at + at, 0, u->strings.len - at)) == NULL)
		return FAIL(u, "the public identifier lies outside of the string table");
	id = (struct text){ u->strings.at + at, (size_t)(end - u->strings.at) - at };
	for (; *all != NULL; all++)
		if ((*all)->public_id != NULL && text_is(id, (*all)->public_id))
			break;
	if (*all == NULL || (*media != NULL && *media != *all) ||
	    (u->table = token_table_of(*all)) == NULL)
		return FAIL(u, "the public identifier in the string table is not known");
	*media = *all;
	return 0;
}

static int
unwbxml_header(struct unwbxml *u, const struct media **media)
{
	uint8_t version = cur_u8(&u->c);
	uint32_t public_id, at = 0, len;

	if (version < 0x01 || version > 0x03)
		return FAIL(u, "WBXML version octet %02X is not known", version);
	if ((public_id = cur_uintvar(&u->c)) == 0)
		at = cur_uintvar(&u->c);
	if (unwbxml_charset(u) == -1)
		return -1;
	len = cur_uintvar(&u->c);
	if (!u->c.short_of && len > cur_left(&u->c))
		return FAIL(u, "the string table is longer than the document");
	u->strings = (struct text){ (const char *)cur_bytes(&u->c, len), len };
	if (unwbxml_ended(u) == -1)
		return -1;
	return public_id == 0 ? unwbxml_named_type(u, media, at) :
	    unwbxml_type(u, media, public_id);
}

static int
unwbxml_body(struct unwbxml *u, const struct media *media)
{
	while (cur_left(&u->c) > 0 && *u->c.at == SWITCH_PAGE) {
		u->c.at++;
		if (unwbxml_page(u, &u->tag_page) == -1)
			return -1;
	}
	if (unwbxml_element(u, NULL, 1) == -1)
		return -1;
	if (!text_eq_nocase(document_root(u->document)->name, text_of(media->root)))
		return FAIL(u, "the root element is <%.*s>, not <%s>",
		    TEXT_ARGS(document_root(u->document)->name), media->root);
	if (cur_left(&u->c) > 0)
		unwbxml_odd(u, "octets follow the end of the document");
	return 0;
}

struct document *
wbxml_decode(const struct media *media, struct text body, struct findings *findings,
    struct err *err)
{
	struct err own = { 0 };
	struct unwbxml u = { .c = cur_on(body.at, body.len), .start = (const uint8_t *)body.at,
	    .findings = findings, .err = &own, .value = buf_heap(WBXML_OCTETS) };
	int rc = -1;

	if (body.len > WBXML_OCTETS)
		err_set(&own, ERR_LIMIT, "longer than %d octets", WBXML_OCTETS);
	else if (unwbxml_header(&u, &media) == 0) {
		if ((u.document = document_new(media)) == NULL)
			err_set(&own, ERR_SYSTEM, "no memory for the document");
		else
			rc = unwbxml_body(&u, media);
	}
	buf_free(&u.value);
	if (rc == -1) {
		document_free(&u.document);
		if (err != NULL && err->code == ERR_NONE)
			*err = own;
	}
	return u.document;
}
