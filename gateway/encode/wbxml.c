/*
 * wbxml.c - a document to WBXML (WAP-192)
 *
 * Free text is always one inline string; a value token is used only when the whole
 * value equals it, since clients differ in how well they join the pieces. Only names
 * that no table knows need the string table, so it is collected while the body is
 * written and then put before it.
 *
 * Knows:     code pages, which attribute goes first, spelling of enumerated values.
 * Does not:  judge a document (document/lint.c) or sign it.
 * Owns:      nothing that outlives a call.
 * Threads:   pure, any thread.
 */
#include "encode/wbxml.h"

#include "base/buf.h"
#include "document/document.h"
#include "document/media.h"
#include "encode/tokens.h"

enum {
	SWITCH_PAGE = 0x00, END = 0x01, STR_I = 0x03, LITERAL = 0x04,
	HAS_CONTENT = 0x40, HAS_ATTRIBUTES = 0x80,
	CHARSET_UTF8 = 106,		/* IANA MIBenum */
	LITERALS_MOST = 512, LITERAL_OCTETS = 16 * 1024
};

struct writer {
	const struct token_table *table;
	struct buf	*out;
	struct err	*err;
	enum wbxml_pages pages;
	unsigned	 page;		/* of attributes; tags never leave page 0 */
	unsigned	 literals;	/* how many names are in `strings` */
	struct buf	 strings;
};

/* The offset of a name in the string table, where it is put if it is not there. */
static int
wbxml_literal(struct writer *w, struct text name, const struct element *e, uint32_t *at)
{
	size_t i = 0, len;

	if (name.len > WBXML_NAME)
		return err_at(w->err, ERR_LIMIT, e->line, e->column,
		    "a name is longer than %d octets", WBXML_NAME);
	while (i < w->strings.len) {
		len = strlen((const char *)w->strings.data + i);
		*at = (uint32_t)i;
		if (len == name.len && memcmp(w->strings.data + i, name.at, len) == 0)
			return 0;
		i += len + 1;
	}
	*at = (uint32_t)i;
	buf_bytes(&w->strings, name.at, name.len);
	buf_u8(&w->strings, 0);
	if (++w->literals > LITERALS_MOST || w->strings.overflow)
		return err_at(w->err, ERR_LIMIT, e->line, e->column,
		    "too many unknown names for the string table");
	return 0;
}

/* value="" is an empty string, as Kannel writes it: a reader that waits for a value has one. */
static void
wbxml_string(struct writer *w, struct text t)
{
	buf_u8(w->out, STR_I);
	buf_bytes(w->out, t.at, t.len);
	buf_u8(w->out, 0);
}

static void
wbxml_page(struct writer *w, unsigned page)
{
	if (w->page == page)
		return;
	buf_u8(w->out, SWITCH_PAGE);
	buf_u8(w->out, (uint8_t)page);
	w->page = page;
}

/* Writes a start token, from the current page when it is there. false: it is on none. */
static bool
wbxml_code(struct writer *w, const uint8_t code[TOKEN_PAGES])
{
	if (code[w->page] == 0) {
		unsigned page = 0;

		while (page < TOKEN_PAGES && code[page] == 0)
			page++;
		if (page == TOKEN_PAGES)
			return false;
		wbxml_page(w, page);
	}
	buf_u8(w->out, code[w->page]);
	return true;
}

static const struct token_attribute *
wbxml_attribute_row(const struct token_table *t, struct text name)
{
	for (size_t i = 0; i < t->attribute_count; i++)
		if (t->attributes[i].len == name.len &&
		    memcmp(t->attributes[i].name, name.at, name.len) == 0)
			return &t->attributes[i];
	return NULL;
}

/* What follows a bare start token: a value token of the current page or a string. */
static void
wbxml_value(struct writer *w, struct text value, const struct token_word *parm, bool fold)
{
	unsigned flags = parm != NULL ? parm->flags : 0;
	bool exact = false;
	const struct token_word *word = token_find(w->table->values, value, &exact);

	if (word != NULL && !exact && !fold)
		word = NULL;
	if (word == NULL)
		wbxml_string(w, value);
	else if (word->code[w->page] != 0 && !(flags & TOKEN_INLINE))
		buf_u8(w->out, word->code[w->page]);
	else
		wbxml_string(w, (struct text){ word->text, word->len });
}

/* An attribute that has no token of its own. */
static int
wbxml_literal_attribute(struct writer *w, const struct element *e, const struct attribute *a)
{
	uint32_t at;

	if (wbxml_literal(w, a->name, e, &at) == -1)
		return -1;
	buf_u8(w->out, LITERAL);
	buf_uintvar(w->out, at);
	wbxml_string(w, a->value);
	return 0;
}

/* One attribute; `fold`: a spelling that differs in case only is mended. *parm gets the
 * row of the parm when this attribute names it. */
static int
wbxml_attribute(struct writer *w, const struct element *e, const struct attribute *a,
    bool fold, const struct token_word **parm)
{
	const struct token_attribute *row = wbxml_attribute_row(w->table, a->name);
	const struct token_word *word;
	bool exact = false;

	if (row == NULL)
		return wbxml_literal_attribute(w, e, a);
	word = token_find(row->values, a->value, &exact);
	if (word != NULL && !exact && !fold)
		word = NULL;
	if (word != NULL && word->flags != 0)
		*parm = word;
	if (word != NULL && wbxml_code(w, word->code))
		return 0;
	if (w->pages == WBXML_RETURN && row->values == NULL)
		wbxml_page(w, 0);	/* `value`: page 1 of old clients lacks it */
	if (!wbxml_code(w, row->code))
		return wbxml_literal_attribute(w, e, a);
	if (word != NULL)
		wbxml_string(w, (struct text){ word->text, word->len });
	else if (row->values == NULL)
		wbxml_value(w, a->value, *parm, fold);
	else
		wbxml_string(w, a->value);
	return 0;
}

/* `name` or `type` goes first, since it says what the other attributes belong to. */
static const struct attribute *
wbxml_leader(const struct element *e)
{
	for (const struct attribute *a = e->attributes; a != NULL; a = a->next)
		if (text_eq_nocase(a->name, TEXT("name")) || text_eq_nocase(a->name, TEXT("type")))
			return a;
	return NULL;
}

static int
wbxml_attributes(struct writer *w, const struct element *e, bool fold)
{
	const struct attribute *leader = wbxml_leader(e);
	const struct token_word *parm = NULL;

	if (leader != NULL && wbxml_attribute(w, e, leader, fold, &parm) == -1)
		return -1;
	fold = fold && parm != NULL && (parm->flags & TOKEN_ENUMERATED);
	for (const struct attribute *a = e->attributes; a != NULL; a = a->next)
		if (a != leader && wbxml_attribute(w, e, a, fold, &parm) == -1)
			return -1;
	buf_u8(w->out, END);
	return 0;
}

/*
 * Whether names below a characteristic of this type belong to the standard. A vendor's
 * own are written as they are: "Domain" of a Windows connection is not "DOMAIN".
 */
static bool
wbxml_folds_below(const struct writer *w, const struct element *e)
{
	const struct token_attribute *row;
	bool exact;

	for (const struct attribute *a = e->attributes; a != NULL; a = a->next)
		if (text_eq_nocase(a->name, TEXT("type")))
			return (row = wbxml_attribute_row(w->table, a->name)) != NULL &&
			    token_find(row->values, a->value, &exact) != NULL;
	return true;
}

static int
wbxml_element(struct writer *w, const struct element *e, unsigned depth, bool fold)
{
	bool exact = false, content = e->children != NULL || e->text.len > 0;
	const struct token_word *word = token_find(w->table->tags, e->name, &exact);
	uint8_t flags = (e->attributes != NULL ? HAS_ATTRIBUTES : 0) | (content ? HAS_CONTENT : 0);
	uint32_t at;

	if (depth > WBXML_DEPTH)
		return err_at(w->err, ERR_LIMIT, e->line, e->column,
		    "elements nested deeper than %d cannot be sent", WBXML_DEPTH);
	if (word != NULL && word->code[0] != 0) {
		buf_u8(w->out, word->code[0] | flags);
	} else {
		if (wbxml_literal(w, e->name, e, &at) == -1)
			return -1;
		buf_u8(w->out, LITERAL | flags);
		buf_uintvar(w->out, at);
	}
	if (e->attributes != NULL && wbxml_attributes(w, e, fold) == -1)
		return -1;
	if (!content)
		return 0;
	if (e->text.len > 0)
		wbxml_string(w, e->text);
	fold = fold && wbxml_folds_below(w, e);
	for (const struct element *c = e->children; c != NULL; c = c->next)
		if (wbxml_element(w, c, depth + 1, fold) == -1)
			return -1;
	buf_u8(w->out, END);
	return 0;
}

/* Opens a gap of n octets at `at`. */
static void
wbxml_gap(struct buf *out, size_t at, size_t n)
{
	if (out->overflow || !buf_room(out, n)) {
		out->overflow = true;
		return;
	}
	memmove(out->data + at + n, out->data + at, out->len - at);
	out->len += n;
}

static void
wbxml_insert_strings(struct writer *w, size_t at)
{
	uint8_t room[8];
	struct buf length = buf_on(room, sizeof room), *out = w->out;

	buf_uintvar(&length, (uint32_t)w->strings.len);
	wbxml_gap(out, at + 1, length.len - 1 + w->strings.len);
	if (out->overflow)
		return;
	memcpy(out->data + at, length.data, length.len);
	memcpy(out->data + at + length.len, w->strings.data, w->strings.len);
}

int
wbxml_encode(const struct document *d, const struct wbxml_style *style, struct buf *out,
    struct err *err)
{
	const struct element *root = document_root(d);
	struct writer w = { .table = token_table_of(document_media(d)), .out = out, .err = err,
	    .pages = style != NULL ? style->pages : WBXML_STAY,
	    .strings = buf_heap(LITERAL_OCTETS) };
	size_t start = out->len, table_at;
	int rc;

	if (w.table == NULL || root == NULL)
		return err_set(err, ERR_SYNTAX, root == NULL ? "the document is empty" :
		    "documents of type %s are not supported yet", document_media(d)->name);
	buf_u8(out, w.table->version);
	buf_uintvar(out, w.table->public_id);
	buf_uintvar(out, CHARSET_UTF8);
	table_at = out->len;
	buf_u8(out, 0);
	rc = wbxml_element(&w, root, 1, true);
	if (rc == 0 && w.strings.len > 0)
		wbxml_insert_strings(&w, table_at);
	buf_free(&w.strings);
	if (rc == 0 && (out->overflow || out->len - start > WBXML_OCTETS))
		rc = err_set(err, ERR_LIMIT, "the encoded document has more than %d octets: send it in "
		    "parts", WBXML_OCTETS);
	return rc;
}
