/*
 * json.h - JSON written straight into a buffer
 *
 * What the product writes (JSON lines of the simulator, look-ups, status) goes
 * through this writer, which never holds more than the buffer it is given.
 * Reading is json_value.h's business.
 *
 * Threads: pure.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include "base/text.h"

struct buf;

struct json {			/* a writer: commas are its business */
	struct buf	*out;
	bool		 comma;
};

void	json_open(struct json *, const char *name, char bracket);	/* '{' or '['; name NULL in arrays and at the root */
void	json_close(struct json *, char bracket);			/* '}' or ']' */
void	json_text(struct json *, const char *name, struct text);	/* bad UTF-8 becomes U+FFFD */
void	json_number(struct json *, const char *name, int64_t);
void	json_flag(struct json *, const char *name, bool);
void	json_null(struct json *, const char *name);

#endif
