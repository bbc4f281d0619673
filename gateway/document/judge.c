/*
 * judge.c - how the files of lint find their way in a document
 *
 * Knows:     characteristics and parms by name and type; findings that several files have.
 * Does not:  know what any of them means.
 * Owns:      nothing.
 * Threads:   pure, any thread.
 */
#include "document/judge.h"

#include <string.h>

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

bool
judge_begins(struct text t, const char *with)
{
	size_t n = strlen(with);

	return t.len >= n && text_eq_nocase((struct text){ t.at, n }, (struct text){ with, n });
}

const char *
judge_nearest(const struct judge *j, struct text t, const char *const *names, size_t count)
{
	return j->findings->left_out == 0 ? text_nearest(t, names, count) : NULL;
}

void
judge_query(struct judge *j, const struct element *e)
{
	if (j->options->target == LINT_OTA)
		JUDGE(j, e, SEVERITY_WARNING, "L066", "<%.*s> asks for an answer that a push cannot "
		    "bring: remove it", CUT(e->name, 40));
}

void
judge_reset(struct judge *j, const struct element *e)
{
	const char *key = text_is(e->name, "noparm") ? "name" : "type";

	if (element_get(e, key).len == 0)
		JUDGE(j, e, SEVERITY_WARNING, "L004", "<%.*s> has no %s: write <%.*s %s=\"...\"/>",
		    CUT(e->name, 40), key, CUT(e->name, 40), key);
}
