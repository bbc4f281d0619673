/*
 * router.c - which door answers
 *
 * Knows:     paths.
 * Does not:  know doors.
 * Owns:      nothing. Threads: the loop.
 */
#include "http/router.h"

static bool
row_fits(const char *path, struct text asked)
{
	size_t n = strlen(path);

	if (n >= 2 && strcmp(path + n - 2, "/*") == 0)
		return asked.len >= n - 1 && memcmp(asked.at, path, n - 1) == 0;
	return text_is(asked, path);
}

void
router_handle(void *arg, struct http_request *r)
{
	const struct router *router = arg;
	struct text path = http_path(r);

	for (const struct router_row *row = router->rows; row->path != NULL; row++)
		if (row_fits(row->path, path)) {
			row->run(row->arg, r);
			return;
		}
	router->other(router->arg, r);
}
