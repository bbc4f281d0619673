/*
 * conf.h - configuration in Kannel's grammar, a key is a row
 *
 * conf_read turns files into groups of `name = value` lines, each with file and
 * line.  conf_check lays them beside a table of groups: unknown groups and keys
 * (with the nearest known one), values that are not of their type or leave their
 * range, keys that are known but have no effect.  conf_bind fills a module's
 * struct from one group, defaults included.
 *
 * Grammar (see doc/kannel-compatibility.md): groups end at a blank line; comments
 * are whole lines; the first '=' splits; "quoted" values unescape \\ and \" only;
 * a backslash at the end of a line joins the next; `include = "file or folder"`
 * where the key is `include` (Kannel takes any line that contains the word);
 * a repeated key: the last wins; a repeated single group replaces the former.
 *
 * Owns: a struct conf owns every text it hands out, conf_bind's strings too, so
 * it outlives the structs that were bound from it.
 * Threads: the loop (or a command's only thread).
 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/secret.h"
#include "base/text.h"

struct findings;

enum conf_type {
	CONF_TEXT,	/* const char *; NULL when absent without default */
	CONF_SECRET,	/* struct secret; never printed */
	CONF_NUMBER,	/* long */
	CONF_PORT,	/* long, 1..65535; 0 when absent */
	CONF_SECONDS,	/* long; a bare number, or with s, m, h, d */
	CONF_MINUTES,	/* long; a bare number */
	CONF_RATE,	/* double, per second */
	CONF_FLAG,	/* bool; true yes on 1, false no off 0; other text: true and a warning, as in Kannel */
	CONF_CHOICE,	/* int: index into `choices` */
	CONF_REGEX,	/* const char *, checked: POSIX extended */
	CONF_IPRULES,	/* const char *, checked: ';' separated patterns, see ip_rules_parse */
	CONF_URL	/* const char *, checked: http or https */
};

enum conf_effect {
	CONF_WORKS,
	CONF_LATER,	/* known, no effect yet: `check` says so (note) */
	CONF_NEVER	/* known from Kannel, means nothing here: `check` says why (note), `text` is the reason */
};

struct conf_key {
	const char	*name;
	enum conf_type	 type;
	size_t		 at;		/* offsetof in the module's struct; unused unless CONF_WORKS */
	const char	*standard;	/* default, as a user would write it; NULL: none */
	long		 least, most;	/* numbers; 0, 0: any */
	const char	*text;		/* one sentence for the manual */
	enum conf_effect effect;
	bool		 required;
	const char	*const *choices;	/* CONF_CHOICE: NULL-ended */
};
/* Tables of keys end with a row whose name is NULL. */

struct conf_group_type {
	const char	*name;		/* "smsc" */
	bool		 many;		/* false: a later one replaces the former */
	const struct conf_key *const *keys;	/* NULL-ended list of tables */
	const char	*text;		/* for the manual; for a group without effect, why */
	enum conf_effect effect;	/* CONF_LATER, CONF_NEVER: of the group as a whole */
	/* Which tables belong to this very group (an smsc group by its `smsc =`);
	 * NULL: all of `keys`. Returns a NULL-ended list. */
	const struct conf_key *const *(*keys_of)(const void *conf_group);
};
/* Tables of group types end with a row whose name is NULL. */

struct conf;			/* one read configuration */
struct conf_group;		/* one group of it */

/* The file and what it includes. NULL when something is so wrong that the rest
 * would be guesswork (a line without '=', an include loop, a file that cannot be
 * read); every fault is a finding either way. At most 64 files, 16 MiB. */
struct conf	*conf_read(const char *path, struct findings *);
struct conf	*conf_read_text(const char *name, struct text, struct findings *);	/* no includes; tests, fuzzing */
void		 conf_free(struct conf **);

/* Lays the configuration beside the table; every fault is a finding. */
void		 conf_check(const struct conf *, const struct conf_group_type *,
		    struct findings *);

/* The groups of a name (NULL: of any) in file order; NULL at the end. After conf_check
 * a single group that a later one replaces is no longer among them. */
const struct conf_group *conf_next(const struct conf *, const char *name,
		    const struct conf_group *after);
const char	*conf_group_name(const struct conf_group *);
const char	*conf_group_file(const struct conf_group *);
unsigned	 conf_group_line(const struct conf_group *);	/* of `group =` */
/* A value as written (unquoted), NULL when the key is absent. */
const char	*conf_value(const struct conf_group *, const char *key, unsigned *line);
/* Two groups say the same: for SIGHUP. */
bool		 conf_group_equal(const struct conf_group *, const struct conf_group *);

/* Fills the CONF_WORKS rows of `keys` into *out (which the caller zeroed), defaults
 * for what is absent; a group of NULL gives all defaults. Faults are findings; -1 if
 * there was an error among them. Secrets are copied into *out: conf_unbind frees them. */
int		 conf_bind(struct conf *, const struct conf_group *,
		    const struct conf_key *keys, void *out, struct findings *);
void		 conf_unbind(const struct conf_key *keys, void *out);

/* The manual's table of one group type, mdoc(7), from the rows. */
void		 conf_manual(const struct conf_group_type *, struct buf *);

#endif
