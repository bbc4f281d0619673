/*
 * json_value.h - JSON read into a tree
 *
 * Reading is jansson's business; here are the few questions that anybody asks of a tree. Every one may
 * be asked of NULL, so a chain of json_value_get needs no checks on the way.
 *
 * Owns: json_value_read's tree is one piece, freed at its root; all else that is handed out lives in it.
 * Threads: pure.
 */
#ifndef BASE_JSON_VALUE_H
#define BASE_JSON_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/text.h"

struct json_value;

/* NULL: err has line and column. The caller bounds the size; depth is bounded here (2048). */
struct json_value *json_value_read(struct text, struct err *);
void	json_value_free(struct json_value **);

const struct json_value *json_value_get(const struct json_value *, const char *name);	/* NULL: no such member */
size_t	json_value_count(const struct json_value *);		/* of an array; 0 of anything else */
const struct json_value *json_value_item(const struct json_value *, size_t index);
/* The members in turn: *at begins as NULL. false: that was the last. */
bool	json_value_next(const struct json_value *, void **at, struct text *name, const struct json_value **);

struct text json_value_text(const struct json_value *);		/* absent: it is none */
int64_t	json_value_number(const struct json_value *, int64_t otherwise);
bool	json_value_true(const struct json_value *);
char	*json_value_dump(const struct json_value *);		/* compact, members sorted; malloc */

#endif
