/*
 * store_sqlite.h - what only the SQLite store can: be copied while it is in use
 *
 * Threads: any; it opens the file for itself.
 */
#ifndef QUEUE_STORE_SQLITE_H
#define QUEUE_STORE_SQLITE_H

#include <stdbool.h>
#include "base/err.h"

/* Hears of pages; returning false gives up. */
typedef bool store_progress_fn(void *arg, unsigned done, unsigned total);

/* Copies the store at `from`, in use or not, as of this moment into the new file `to`, which
 * appears whole or not at all. progress may be NULL. */
int	 store_sqlite_copy(const char *from, const char *to, store_progress_fn *, void *arg,
	    struct err *);

#endif
