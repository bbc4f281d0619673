/*
 * xml_wbxml_fuzz.c - whatever XML is taken comes back equal from WBXML
 *
 * Equal: the same elements and attributes in the same order, but for the order of
 * attributes within an element (name and type go first), the case of known names, and
 * text between tags, which is not sent.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/finding.h"
#include "document/document.h"
#include "document/lint.h"
#include "encode/sign.h"
#include "encode/wbxml.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* The values of these are mended where they differ in case from a known one. */
static int
may_fold(struct text name)
{
	return text_eq_nocase(name, TEXT("name")) || text_eq_nocase(name, TEXT("type")) ||
	    text_eq_nocase(name, TEXT("value"));
}

static void
assert_attributes(const struct element *a, const struct element *b)
{
	size_t n = 0;

	for (const struct attribute *x = a->attributes; x != NULL; x = x->next, n++) {
		const struct attribute *y = b->attributes;

		while (y != NULL && !text_eq(x->name, y->name))
			y = y->next;
		assert(y != NULL);
		assert(text_eq(x->value, y->value) ||
		    (may_fold(x->name) && text_eq_nocase(x->value, y->value)));
	}
	for (const struct attribute *y = b->attributes; y != NULL; y = y->next)
		n--;
	assert(n == 0);
}

static void
assert_equal(const struct element *a, const struct element *b)
{
	assert(text_eq(a->name, b->name));
	assert(text_eq(a->text, b->text) || (a->text.len == 0 && b->text.len == 0));
	assert_attributes(a, b);
	for (a = a->children, b = b->children; a != NULL && b != NULL; a = a->next, b = b->next)
		assert_equal(a, b);
	assert(a == NULL && b == NULL);
}

static void
round_trip(const struct document *d, enum wbxml_pages pages)
{
	struct buf out = buf_heap(WBXML_OCTETS);
	struct err err = { 0 };
	struct document *again;

	if (wbxml_encode(d, &(struct wbxml_style){ pages }, &out, &err) == 0) {
		again = wbxml_decode(document_media(d), (struct text){ (char *)out.data, out.len }, NULL,
		    &err);
		assert(again != NULL);
		assert_equal(document_root(d), document_root(again));
		document_free(&again);
	} else {
		assert(err.code != ERR_NONE);
	}
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lint_options options = { .target = (enum lint_target)(size % 3), .sha1 = sign_sha1 };
	struct findings found = { 0 };
	struct err err = { 0 };
	struct document *d = document_parse(NULL, (struct text){ (const char *)data, size }, NULL,
	    &found, &err);

	assert((d == NULL) == (err.code != ERR_NONE));
	assert(d != NULL || found.errors > 0);
	if (d != NULL) {
		lint_document(d, &options, &found);
		round_trip(d, WBXML_STAY);
		round_trip(d, WBXML_RETURN);
	}
	findings_free(&found);
	document_free(&d);
	return 0;
}
