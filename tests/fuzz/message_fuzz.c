/*
 * message_fuzz.c - a packed message is any octets; what can be read is written the same
 * again
 */
#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "push/message.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { 0 };
	struct message *m = message_unpack(data, size, &err), *again, *copy;
	struct buf first = buf_heap(1 << 21), second = buf_heap(1 << 21);

	assert((m == NULL) == (err.code != ERR_NONE));
	if (m == NULL)
		return 0;
	message_pack(m, &first);
	assert(!first.overflow && first.len <= size + 16);
	again = message_unpack(first.data, first.len, &err);
	copy = message_new(m);
	assert(again != NULL && copy != NULL);
	message_pack(again, &second);
	assert(second.len == first.len && memcmp(first.data, second.data, first.len) == 0);
	second.len = 0;
	message_pack(copy, &second);
	assert(second.len == first.len && memcmp(first.data, second.data, first.len) == 0);
	message_free(&copy);
	message_free(&again);
	message_free(&m);
	buf_free(&first);
	buf_free(&second);
	return 0;
}
