/*
 * err.h - an error is a value that knows where it happened
 *
 * The low layer fills it in once, the door prints it once, no layer between
 * logs or repeats it.  The first error wins: err_set on an error that is
 * already set changes nothing.  NULL is allowed wherever a caller does not
 * care.  Never put a secret (password, PIN, IMSI, key) into the text.
 *
 * Threads: a struct err belongs to one thread at a time.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

enum err_code {
	ERR_NONE,
	ERR_SYNTAX,	/* the sender's document, row or parameter: 400 */
	ERR_LIMIT,	/* too long, too many: 400 or 413 */
	ERR_AUTH,	/* who or whence: 403 */
	ERR_ROUTE,	/* no link can ever carry it: 403 */
	ERR_STORE,	/* our disk or database: 503 */
	ERR_BUSY,	/* no room now, or stopping: 503 */
	ERR_FENCED,	/* another node's by now: 503 */
	ERR_PEER,	/* the SMSC, the modem, the callback's server */
	ERR_CONFIG,	/* the configuration */
	ERR_SYSTEM	/* the machine: memory, descriptors, a system call */
};

struct err {
	enum err_code	 code;
	const char	*source;	/* static: "text", a file's name that outlives it; NULL */
	unsigned	 line, column;	/* 1-based; 0 = not known */
	char		 text[240];
};

/* Both return -1, so that a function can end with: return err_set(...). */
__attribute__((format(printf, 3, 4)))
int	err_set(struct err *, enum err_code, const char *fmt, ...);
__attribute__((format(printf, 5, 6)))
int	err_at(struct err *, enum err_code, unsigned line, unsigned column,
	    const char *fmt, ...);

/* ERR_SYSTEM with strerror(errno): "open /x: Permission denied". */
__attribute__((format(printf, 2, 3)))
int	err_errno(struct err *, const char *fmt, ...);

void	err_clear(struct err *);

/* "text: line 14 column 9: <characteristic> is not closed"; always ended,
 * cut to size.  Returns out. */
const char *err_print(const struct err *, char *out, size_t size);

#endif
