/*
 * document.c - a document's tree, in one arena
 *
 * Knows:     elements, attributes, their order and limits; how to write XML.
 * Does not:  know how XML is read (parse.c) or what a name means (schema.c).
 * Owns:      each document its chunks; every node and text lives in them.
 * Threads:   pure; a document belongs to one thread at a time.
 */
#include "document/document.h"

#include <stdlib.h>

#include "base/buf.h"
#include "document/media.h"
#include "document/tree.h"

enum { CHUNK_LEAST = 2048, CHUNK_MOST = 64 * 1024 };

struct chunk {
	struct chunk	*next;
	size_t		 used, size;
	_Alignas(max_align_t) uint8_t data[];
};

/* Hidden behind struct element: appending needs no walk. */
struct node {
	struct element	 element;
	struct element	*last_child;
	struct attribute *last_attribute;
	size_t		 text_room;
	unsigned	 depth, attributes;
};

struct document {
	const struct media *media;
	struct element	*root;
	struct chunk	*chunks;	/* newest first; the document lies in the oldest */
	unsigned	 elements;
};

static struct chunk *
chunk_new(size_t size)
{
	struct chunk *c = malloc(sizeof *c + size);

	if (c != NULL)
		*c = (struct chunk){ .size = size };
	return c;
}

static void *
chunk_take(struct chunk *c, size_t n, size_t align)
{
	size_t at = (c->used + align - 1) & ~(align - 1);

	if (at > c->size || n > c->size - at)
		return NULL;
	c->used = at + n;
	return c->data + at;
}

static void *
tree_alloc(struct document *d, size_t n, size_t align)
{
	size_t size = d->chunks->size * 2 < CHUNK_MOST ? d->chunks->size * 2 : CHUNK_MOST;
	void *p = chunk_take(d->chunks, n, align);
	struct chunk *c;

	if (p != NULL)
		return p;
	if ((c = chunk_new(size > n ? size : n)) == NULL)
		return NULL;
	c->next = d->chunks;
	d->chunks = c;
	return chunk_take(c, n, align);
}

struct document *
tree_new(const struct media *media, size_t hint)
{
	size_t size = hint < CHUNK_LEAST ? CHUNK_LEAST : hint < CHUNK_MOST ? hint : CHUNK_MOST;
	struct chunk *c = chunk_new(size + sizeof(struct document));
	struct document *d;

	if (c == NULL)
		return NULL;
	d = chunk_take(c, sizeof *d, _Alignof(struct document));
	*d = (struct document){ .media = media, .chunks = c };
	return d;
}

void
tree_set_media(struct document *d, const struct media *media)
{
	d->media = media;
}

struct text
tree_copy(struct document *d, struct text t)
{
	char *p = tree_alloc(d, t.len + 1, 1);

	if (p == NULL)
		return (struct text){ NULL, 0 };
	if (t.len > 0)
		memcpy(p, t.at, t.len);
	p[t.len] = '\0';
	return (struct text){ p, t.len };
}

struct element *
tree_add(struct document *d, struct element *parent, struct text name, unsigned line,
    unsigned column, struct err *err)
{
	struct node *up = (struct node *)parent, *n;

	if (d->elements >= DOCUMENT_ELEMENTS) {
		err_at(err, ERR_LIMIT, line, column, "more than %d elements", DOCUMENT_ELEMENTS);
		return NULL;
	}
	if (up != NULL && up->depth >= DOCUMENT_DEPTH) {
		err_at(err, ERR_LIMIT, line, column, "elements nested deeper than %d",
		    DOCUMENT_DEPTH);
		return NULL;
	}
	if (up == NULL && d->root != NULL) {
		err_at(err, ERR_SYNTAX, line, column, "a second root element");
		return NULL;
	}
	if ((n = tree_alloc(d, sizeof *n, _Alignof(struct node))) == NULL) {
		err_set(err, ERR_SYSTEM, "no memory for the document");
		return NULL;
	}
	*n = (struct node){ .element = { .parent = parent, .name = name, .line = line,
	    .column = column }, .depth = up != NULL ? up->depth + 1 : 1 };
	if (up == NULL)
		d->root = &n->element;
	else if (up->last_child == NULL)
		parent->children = &n->element;
	else
		up->last_child->next = &n->element;
	if (up != NULL)
		up->last_child = &n->element;
	d->elements++;
	return &n->element;
}

int
tree_put(struct document *d, struct element *e, struct text name, struct text value,
    struct err *err)
{
	struct node *n = (struct node *)e;
	struct attribute *a;

	if (n->attributes >= DOCUMENT_ATTRIBUTES)
		return err_at(err, ERR_LIMIT, e->line, e->column,
		    "<%.*s> has more than %d attributes", TEXT_ARGS(e->name), DOCUMENT_ATTRIBUTES);
	for (a = e->attributes; a != NULL; a = a->next)
		if (text_eq(a->name, name))
			return err_at(err, ERR_SYNTAX, e->line, e->column,
			    "<%.*s> has the attribute \"%.*s\" twice: remove one of them",
			    TEXT_ARGS(e->name), TEXT_ARGS(name));
	if ((a = tree_alloc(d, sizeof *a, _Alignof(struct attribute))) == NULL)
		return err_set(err, ERR_SYSTEM, "no memory for the document");
	*a = (struct attribute){ .name = name, .value = value, .line = e->line,
	    .column = e->column };
	if (n->last_attribute == NULL)
		e->attributes = a;
	else
		n->last_attribute->next = a;
	n->last_attribute = a;
	n->attributes++;
	if (text_is(name, "name"))
		e->called = value;
	return 0;
}

int
tree_append(struct document *d, struct element *e, struct text t, struct err *err)
{
	struct node *n = (struct node *)e;
	size_t len = e->text.len + t.len;
	char *p = (char *)e->text.at;	/* ours, in the arena */

	if (p == NULL || len > n->text_room) {
		n->text_room = len + len / 2 + 16;
		if ((p = tree_alloc(d, n->text_room, 1)) == NULL)
			return err_set(err, ERR_SYSTEM, "no memory for the document");
		if (e->text.len > 0)
			memcpy(p, e->text.at, e->text.len);
	}
	if (t.len > 0)
		memcpy(p + e->text.len, t.at, t.len);
	e->text = (struct text){ p, len };
	return 0;
}

struct document *
document_new(const struct media *media)
{
	return tree_new(media, 0);
}

void
document_free(struct document **dp)
{
	struct chunk *next;

	if (*dp == NULL)
		return;
	for (struct chunk *c = (*dp)->chunks; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	*dp = NULL;
}

const struct media *
document_media(const struct document *d)
{
	return d->media;
}

const struct element *
document_root(const struct document *d)
{
	return d->root;
}

static int
document_keep(struct document *d, struct text *t, struct err *err)
{
	*t = tree_copy(d, *t);
	return t->at != NULL ? 0 : err_set(err, ERR_SYSTEM, "no memory for the document");
}

struct element *
document_add(struct document *d, struct element *parent, struct text name, struct err *err)
{
	struct text known = media_spelling(d->media->elements, name);

	if (known.at == name.at && document_keep(d, &known, err) == -1)
		return NULL;
	return tree_add(d, parent, known, 0, 0, err);
}

int
document_set(struct document *d, struct element *e, struct text name, struct text value,
    struct err *err)
{
	struct text known = media_spelling(d->media->attributes, name);

	if ((known.at == name.at && document_keep(d, &known, err) == -1) ||
	    document_keep(d, &value, err) == -1)
		return -1;
	return tree_put(d, e, known, value, err);
}

int
document_append_text(struct document *d, struct element *e, struct text t, struct err *err)
{
	return tree_append(d, e, t, err);
}

struct text
element_get(const struct element *e, const char *name)
{
	for (const struct attribute *a = e->attributes; a != NULL; a = a->next)
		if (text_is(a->name, name))
			return a->value;
	return (struct text){ NULL, 0 };
}

static void
document_write_element(const struct element *e, unsigned level, struct buf *out)
{
	buf_printf(out, "%*s<%.*s", (int)level * 2, "", TEXT_ARGS(e->name));
	for (const struct attribute *a = e->attributes; a != NULL; a = a->next) {
		buf_printf(out, " %.*s=\"", TEXT_ARGS(a->name));
		text_xml_quote(a->value, out);
		buf_u8(out, '"');
	}
	if (e->children == NULL && e->text.len == 0) {
		buf_str(out, "/>\n");
		return;
	}
	buf_u8(out, '>');
	text_xml_quote(e->text, out);
	if (e->children != NULL) {
		buf_u8(out, '\n');
		for (const struct element *c = e->children; c != NULL; c = c->next)
			document_write_element(c, level + 1, out);
		buf_printf(out, "%*s", (int)level * 2, "");
	}
	buf_printf(out, "</%.*s>\n", TEXT_ARGS(e->name));
}

void
document_write_xml(const struct document *d, struct buf *out)
{
	const struct media *m = d->media;

	buf_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	if (m->public_id != NULL)
		buf_printf(out, "<!DOCTYPE %s PUBLIC \"%s\" \"%s\">\n", m->root, m->public_id,
		    m->system_id);
	else if (m->system_id != NULL)
		buf_printf(out, "<!DOCTYPE %s SYSTEM \"%s\">\n", m->root, m->system_id);
	if (d->root != NULL)
		document_write_element(d->root, 0, out);
}
