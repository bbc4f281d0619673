/*
 * err.c - the first error wins, and says where
 *
 * Knows:     how an error is filled in and printed.
 * Does not:  log, allocate, or decide what an error means to a door.
 * Owns:      nothing; `source` belongs to whoever set it.
 * Threads:   a struct err belongs to one thread at a time.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A cut text must not end in half a UTF-8 character: it may become XML or JSON. */
static void
err_cut_whole(char *text, size_t size)
{
	size_t len = strlen(text), lead = len;

	if (len + 1 < size)
		return;
	while (lead > 0 && len - lead < 3 && ((unsigned char)text[lead - 1] & 0xC0) == 0x80)
		lead--;
	if (lead == 0)
		return;
	unsigned char c = (unsigned char)text[lead - 1];
	size_t want = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;

	if (want > len - lead + 1)
		text[lead - 1] = '\0';
}

static void
err_fill(struct err *err, enum err_code code, unsigned line, unsigned column,
    const char *fmt, va_list args)
{
	err->code = code;
	err->line = line;
	err->column = column;
	if (vsnprintf(err->text, sizeof err->text, fmt, args) < 0)
		err->text[0] = '\0';
	err_cut_whole(err->text, sizeof err->text);
}

int
err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list args;

	if (err == NULL || err->code != ERR_NONE)
		return -1;
	va_start(args, fmt);
	err_fill(err, code, 0, 0, fmt, args);
	va_end(args);
	return -1;
}

int
err_at(struct err *err, enum err_code code, unsigned line, unsigned column,
    const char *fmt, ...)
{
	va_list args;

	if (err == NULL || err->code != ERR_NONE)
		return -1;
	va_start(args, fmt);
	err_fill(err, code, line, column, fmt, args);
	va_end(args);
	return -1;
}

int
err_errno(struct err *err, const char *fmt, ...)
{
	int saved = errno;
	char why[96];
	va_list args;
	size_t len;

	if (err == NULL || err->code != ERR_NONE)
		return -1;
	va_start(args, fmt);
	err_fill(err, ERR_SYSTEM, 0, 0, fmt, args);
	va_end(args);
	len = strlen(err->text);
	/* GNU strerror_r: thread-safe, and the result need not be `why` */
	snprintf(err->text + len, sizeof err->text - len, "%s%s", len > 0 ? ": " : "",
	    strerror_r(saved, why, sizeof why));
	err_cut_whole(err->text, sizeof err->text);
	errno = saved;
	return -1;
}

void
err_clear(struct err *err)
{
	if (err != NULL)
		memset(err, 0, sizeof *err);
}

const char *
err_print(const struct err *err, char *out, size_t size)
{
	char place[64] = "";

	if (size == 0)
		return out;
	if (err->line > 0 && err->column > 0)
		snprintf(place, sizeof place, "line %u column %u: ", err->line, err->column);
	else if (err->line > 0)
		snprintf(place, sizeof place, "line %u: ", err->line);
	snprintf(out, size, "%s%s%s%s", err->source != NULL ? err->source : "",
	    err->source != NULL ? ": " : "", place, err->text);
	err_cut_whole(out, size);
	return out;
}
