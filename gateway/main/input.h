/*
 * input.h - files and secrets for the subcommands
 *
 * Threads: a command's only thread.
 */
#ifndef MAIN_INPUT_H
#define MAIN_INPUT_H

#include <stddef.h>
#include "base/err.h"
#include "base/secret.h"
#include "base/text.h"

struct buf;

/* A whole file, or standard input for "-". -1: cannot be read, or longer than `most`. */
int	input_read(const char *path, size_t most, struct buf *out, struct err *err);

struct input_secret {			/* where one may come from; the first that is given */
	char		*value;		/* of an option: wiped, so that ps shows it no longer */
	const char	*file;		/* without the newline at its end */
	const char	*environment;
};

int	input_secret(const struct input_secret *, struct secret *, struct err *err);

/* "name:line:column: error: text" on stderr, as much of it as is known. */
void	input_complain(const char *name, const struct err *);

#endif
