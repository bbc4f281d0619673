/*
 * json_value.c - questions to a tree of jansson's
 *
 * Knows:     jansson; a struct json_value is its json_t, which nobody else has to know.
 * Does not:  know what any document means.
 * Owns:      nothing.
 * Threads:   pure.
 */
#include "base/json_value.h"

#include <jansson.h>

static json_t *
tree(const struct json_value *v)
{
	return (json_t *)v;
}

struct json_value *
json_value_read(struct text in, struct err *err)
{
	json_error_t why;
	json_t *root = json_loadb(in.at != NULL ? in.at : "", in.len, JSON_REJECT_DUPLICATES, &why);

	if (root == NULL)
		err_at(err, ERR_SYNTAX, (unsigned)why.line, (unsigned)why.column, "%s", why.text);
	return (struct json_value *)root;
}

void
json_value_free(struct json_value **vp)
{
	json_decref(tree(*vp));
	*vp = NULL;
}

const struct json_value *
json_value_get(const struct json_value *v, const char *name)
{
	return (const struct json_value *)json_object_get(tree(v), name);
}

size_t
json_value_count(const struct json_value *v)
{
	return json_array_size(tree(v));
}

const struct json_value *
json_value_item(const struct json_value *v, size_t index)
{
	return (const struct json_value *)json_array_get(tree(v), index);
}

bool
json_value_next(const struct json_value *v, void **at, struct text *name, const struct json_value **value)
{
	*at = *at == NULL ? json_object_iter(tree(v)) : json_object_iter_next(tree(v), *at);
	if (*at == NULL)
		return false;
	*name = text_of(json_object_iter_key(*at));
	*value = (const struct json_value *)json_object_iter_value(*at);
	return true;
}

struct text
json_value_text(const struct json_value *v)
{
	return (struct text){ json_string_value(tree(v)), json_string_length(tree(v)) };
}

int64_t
json_value_number(const struct json_value *v, int64_t otherwise)
{
	return json_is_integer(tree(v)) ? json_integer_value(tree(v)) : otherwise;
}

bool
json_value_true(const struct json_value *v)
{
	return v != NULL && json_is_true(tree(v));
}

char *
json_value_dump(const struct json_value *v)
{
	return json_dumps(tree(v), JSON_COMPACT | JSON_SORT_KEYS);
}
