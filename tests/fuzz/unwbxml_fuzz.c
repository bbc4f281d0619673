/*
 * unwbxml_fuzz.c - whatever WBXML is taken is written and read again to the same octets
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/finding.h"
#include "document/document.h"
#include "document/lint.h"
#include "document/media.h"
#include "encode/wbxml.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int
encode(const struct document *d, struct buf *out)
{
	struct err err = { 0 };

	*out = buf_heap(WBXML_OCTETS);
	return wbxml_encode(d, NULL, out, &err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct media *const *all = media_all();
	const struct media *media = size > 0 && data[0] >= 0xf0 ? all[data[0] & 3] : NULL;
	struct text body = { (const char *)data + (media != NULL), size - (media != NULL) };
	struct lint_options options = { .target = LINT_OTA };
	struct findings found = { 0 };
	struct err err = { 0 };
	struct document *d = wbxml_decode(media, body, &found, &err), *again;
	struct buf one, two, xml = buf_heap(16 * WBXML_OCTETS);

	assert((d == NULL) == (err.code != ERR_NONE));
	if (d != NULL) {
		lint_document(d, &options, &found);
		document_write_xml(d, &xml);
		if (encode(d, &one) == 0) {
			again = wbxml_decode(document_media(d), (struct text){ (char *)one.data, one.len },
			    NULL, &err);
			assert(again != NULL);
			assert(encode(again, &two) == 0);
			assert(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
			document_free(&again);
			buf_free(&two);
		}
		buf_free(&one);
	}
	buf_free(&xml);
	findings_free(&found);
	document_free(&d);
	return 0;
}
