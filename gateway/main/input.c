/*
 * input.c - files and secrets for the subcommands
 *
 * Knows:     standard input, files, the environment.
 * Does not:  know what is in them.
 * Owns:      nothing.
 * Threads:   a command's only thread.
 */
#include "main/input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { SECRET_MOST = 1024 };

int
input_read(const char *path, size_t most, struct buf *out, struct err *err)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	uint8_t room[4096];
	size_t n;
	int rc = 0;

	if (f == NULL)
		return err_errno(err, "cannot be opened");
	*out = buf_heap(most);
	while ((n = fread(room, 1, sizeof room, f)) > 0 && !out->overflow)
		buf_bytes(out, room, n);
	if (ferror(f))
		rc = err_errno(err, "cannot be read");
	else if (out->overflow)
		rc = err_set(err, ERR_LIMIT, "longer than %zu octets", most);
	if (f != stdin)
		fclose(f);
	return rc;
}

static int
input_secret_file(const char *path, struct secret *s, struct err *err)
{
	struct buf b = { 0 };
	struct err why = { 0 };
	int rc = 0;

	if (input_read(path, SECRET_MOST, &b, &why) == -1) {
		rc = err_set(err, why.code, "%s: %s", path, why.text);
	} else {
		while (b.len > 0 && (b.data[b.len - 1] == '\n' || b.data[b.len - 1] == '\r'))
			b.len--;
		if (secret_set(s, (struct text){ b.data != NULL ? (char *)b.data : "", b.len }) == -1)
			rc = err_set(err, ERR_SYSTEM, "no memory");
	}
	if (b.data != NULL)
		explicit_bzero(b.data, b.cap);
	buf_free(&b);
	return rc;
}

int
input_secret(const struct input_secret *from, struct secret *s, struct err *err)
{
	const char *environment = getenv(from->environment);

	if (from->value != NULL) {
		int rc = secret_set(s, text_of(from->value));

		explicit_bzero(from->value, strlen(from->value));
		return rc == -1 ? err_set(err, ERR_SYSTEM, "no memory") : 0;
	}
	if (from->file != NULL)
		return input_secret_file(from->file, s, err);
	if (environment != NULL && secret_set(s, text_of(environment)) == -1)
		return err_set(err, ERR_SYSTEM, "no memory");
	return 0;
}

void
input_complain(const char *name, const struct err *err)
{
	fprintf(stderr, "%s:", name);
	if (err->line > 0)
		fprintf(stderr, "%u:%u:", err->line, err->column);
	else if (err->column > 0)
		fprintf(stderr, " octet %u:", err->column - 1);
	fprintf(stderr, " error: %s\n", err->text);
}
