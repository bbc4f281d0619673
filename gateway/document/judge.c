/*
 * judge.c - how the files of lint find their way in a document
 *
 * Knows:     characteristics and parms by name and type.
 * Does not:  know what any of them means.
 * Owns:      nothing.
 * Threads:   pure, any thread.
 */
#include "document/judge.h"

bool
judge_is(const struct element *e, const char *name, const char *type)
{
	return text_is(e->name, name) && text_is(element_get(e, "type"), type);
}

const struct element *
judge_next(const struct element *e, const char *type)
{
	while (e != NULL && !judge_is(e, "characteristic", type))
		e = e->next;
	return e;
}

const struct element *
judge_parm(const struct element *characteristic, const char *name)
{
	for (const struct element *c = characteristic->children; c != NULL; c = c->next)
		if (text_is(c->name, "parm") && text_is(c->called, name))
			return c;
	return NULL;
}

struct text
judge_value(const struct element *characteristic, const char *name)
{
	const struct element *parm = judge_parm(characteristic, name);

	return parm != NULL ? element_get(parm, "value") : (struct text){ NULL, 0 };
}
