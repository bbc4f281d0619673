/*
 * judge.h - what the files of lint share; for this folder only
 *
 * Threads: pure; a judge belongs to one call of lint_document.
 */
#ifndef DOCUMENT_JUDGE_H
#define DOCUMENT_JUDGE_H

#include <stdbool.h>
#include "base/finding.h"
#include "document/document.h"
#include "document/lint.h"
#include "document/schema.h"

enum { JUDGE_IDS = 128 };	/* of one kind; references beyond are not checked */

struct judge_ids {
	const struct element *parms[JUDGE_IDS];	/* the parms that define them */
	bool		 used[JUDGE_IDS];
	size_t		 count;
	bool		 more;		/* than fit */
};

struct judge {
	const struct lint_options *options;
	struct findings	*findings;
	bool		 windows, v11, told_v11;
	struct judge_ids naps, proxies, physicals;
	bool		 takes_naps, takes_proxies;	/* something could refer to one */
	bool		 grants;	/* a policy 4119 is there */
	const struct element *typed;	/* the last one that was asked for the type of its address */
	struct text	 type;
};

#define JUDGE(j, e, severity, code, ...) \
	finding_add((j)->findings, (severity), (code), NULL, (e)->line, (e)->column, __VA_ARGS__)

/* For %.*s: at most `most` octets of a value, which is somebody else's text. */
#define CUT(t, most)	(int)((t).len < (most) ? (t).len : (most)), (t).at != NULL ? (t).at : ""

/* Whether it is an element of that name and type. */
bool	judge_is(const struct element *, const char *name, const char *type);
/* The next characteristic of that type among siblings, from `e` on; NULL. */
const struct element *judge_next(const struct element *e, const char *type);
/* The first parm of that name in a characteristic; NULL. */
const struct element *judge_parm(const struct element *characteristic, const char *name);
/* Its value; absent when there is no such parm, or it has none. */
struct text judge_value(const struct element *characteristic, const char *name);

/* text_nearest; NULL when further findings are only counted: it costs more than all the rest. */
const char *judge_nearest(const struct judge *, struct text, const char *const *names,
	    size_t count);

/* Whether a value begins so, in any case of letters. */
bool	judge_begins(struct text, const char *with);
/* Something that asks for an answer; something that resets or deletes. */
void	judge_query(struct judge *, const struct element *);
void	judge_reset(struct judge *, const struct element *);

/* values.c: one parm's value against its row. */
void	judge_value_of(struct judge *, const struct element *parm, const struct schema_parm *);
/* dm.c: an APPLICATION with APPID w7. */
void	judge_dm(struct judge *, const struct element *application);
/* windows.c: the security policies of Windows Mobile. */
void	judge_windows(struct judge *, const struct element *root);
void	judge_role_mask(struct judge *, const struct element *parm, const char *what,
	    struct text value);
/* providers.c: its other providers. */
void	judge_providers(struct judge *, const struct element *root);

#endif
