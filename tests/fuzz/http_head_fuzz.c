/*
 * http_head_fuzz.c - any octets as the header of a request: judged alike however they arrive
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/http_head.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static enum http_head
judge(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);	/* of exact size, so that a step too far is seen */
	struct err err = { 0 };
	enum http_head is;
	int status = 0;

	if (copy == NULL)
		return HTTP_HEAD_PART;
	memcpy(copy, data, size);
	is = http_head_judge((struct text){ (char *)copy, size }, &status, &err);
	assert((is == HTTP_HEAD_BAD) == (err.code != ERR_NONE));
	if (is == HTTP_HEAD_BAD)
		assert(status == 400 || status == 413 || status == 414 || status == 431 || status == 501 ||
		    status == 505);
	assert(is != HTTP_HEAD_PART || size <= HTTP_HEAD_MOST);
	free(copy);
	return is;
}

/* What is whole is one line after the other, each of them plain. */
static void
check_whole(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size, *at = data, *next;
	bool begun = false;

	while ((next = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		size_t n = (size_t)(next - at);

		n -= n > 0 && at[n - 1] == '\r';
		assert(memchr(at, '\0', n) == NULL && memchr(at, '\r', n) == NULL);
		if (n == 0 && begun)
			return;
		begun = begun || n > 0;
		at = next + 1;
	}
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum http_head is = judge(data, size);
	size_t step = size / 24 + 1;

	if (is == HTTP_HEAD_WHOLE)
		check_whole(data, size);
	for (size_t n = 0; n < size; n += step) {
		enum http_head before = judge(data, n);

		assert(before == HTTP_HEAD_PART || before == is);
	}
	return 0;
}
