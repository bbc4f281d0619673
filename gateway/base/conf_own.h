/*
 * conf_own.h - what conf.c, conf_value.c and conf_manual.c share; nobody else includes it
 *
 * Owns: struct conf owns groups, lines and texts.
 * Threads: the loop.
 */
#ifndef BASE_CONF_OWN_H
#define BASE_CONF_OWN_H

#include "base/conf.h"

enum { CONF_SHOWN = 40 };

struct conf_line {
	const char	*key, *value;
	const char	*file;
	unsigned	 line;
};

struct conf_group {
	const char	*name;			/* of `group =`; NULL while it is not known */
	const char	*file;
	unsigned	 line;
	bool		 replaced;		/* a later single group of that name counts */
	struct conf_line *lines;		/* without `group =` */
	size_t		 count, room;
	struct conf_group *next;
};

struct conf {
	struct conf_group *first;
	struct keep {				/* every text that is handed out */
		struct keep	*next;
		char		 text[];
	} *kept;
};

/* A value in its type. */
union conf_value {
	long		 number;
	double		 rate;
	bool		 flag;
	int		 choice;
};

struct conf_verdict {
	bool		 fault, doubt;		/* an error, a warning */
	char		 text[200];		/* without the value of a secret */
};

/* What a key's text means. On a fault *out is not to be used. */
void	conf_understand(const struct conf_key *, const char *text, union conf_value *out,
	    struct conf_verdict *);
/* A name from the file as it may be shown: cut, without control characters. */
const char *conf_show(const char *, char out[CONF_SHOWN + 4]);

#endif
