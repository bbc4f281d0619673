/*
 * wire_fuzz.c - segments as a phone gets them: joined within bounds, and what they carry is read
 *
 * The input is a row of segments, each with a length octet before it. Whole messages go to the
 * WSP reader; what that takes is written, and read again the same.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "document/document.h"
#include "encode/wbxml.h"
#include "push/reassemble.h"
#include "push/wsp.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { SETS = 8, OCTETS = 64 * 1024, AGE_MS = 100 };

static void
check_again(const struct wsp_push *p)
{
	struct buf out = buf_heap(1 << 17);
	struct wsp_push again;
	struct err err = { 0 };

	wsp_push_write(p, &out);
	if (!out.overflow) {		/* its content type may be longer than we write */
		assert(wsp_push_read((struct text){ (char *)out.data, out.len }, &again, &err) == 0);
		assert(again.media == p->media && again.tid == p->tid);
		assert(text_eq(again.body, p->body) && text_eq(again.headers, p->headers));
	}
	buf_free(&out);
}

static void
read_push(struct text data)
{
	struct err err = { 0 };
	struct wsp_push p;
	struct document *d;

	if (wsp_push_read(data, &p, &err) == -1) {
		assert(err.code == ERR_SYNTAX && err.column >= 1 && err.column <= data.len + 1);
		return;
	}
	check_again(&p);
	d = wbxml_decode(NULL, p.body, NULL, NULL);
	document_free(&d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reassembly *r = reassembly_new(&(struct reassembly_limits){ SETS, OCTETS, AGE_MS });
	struct cur c = cur_on((const char *)data, size);
	struct reassembly_counts counts;
	mono_t now = 0;

	assert(r != NULL);
	while (cur_left(&c) > 0) {
		size_t n = cur_u8(&c), left = cur_left(&c);
		uint8_t *copy = malloc(n > 0 ? n : 1);		/* of exact size */
		struct err err = { 0 };
		struct whole w = { 0 };
		int rc;

		n = n < left ? n : left;
		assert(copy != NULL);
		if (n > 0)
			memcpy(copy, cur_bytes(&c, n), n);
		rc = reassembly_add(r, TEXT("44"), (struct text){ (char *)copy, n }, n != 1, now++, &w, &err);
		assert((rc == REASSEMBLY_BAD) == (err.code != ERR_NONE));
		if (rc == REASSEMBLY_WHOLE)
			read_push(w.data);
		reassembly_count(r, &counts);
		assert(counts.sets <= SETS && counts.octets <= OCTETS);
		free(copy);
	}
	reassembly_free(&r);
	return 0;
}
