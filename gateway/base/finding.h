/*
 * finding.h - what a checker found: severity, place, text, cure
 *
 * Used by `kantele check` (configuration) and `kantele lint` (documents).
 * Bounded: after FINDINGS_MOST further ones are only counted.
 *
 * Owns: the texts. Threads: a list belongs to one thread at a time.
 */
#ifndef BASE_FINDING_H
#define BASE_FINDING_H

#include <stddef.h>
#include <stdio.h>

enum severity { SEVERITY_NOTE, SEVERITY_WARNING, SEVERITY_ERROR };
enum { FINDINGS_MOST = 1000 };

struct finding {
	enum severity	 severity;
	const char	*code;		/* static: "L022"; NULL */
	char		*file;		/* NULL: the checked thing itself */
	unsigned	 line, column;	/* 0 = not known */
	char		*text;		/* "NAPDEF has no NAP-ADDRTYPE: add <parm ...>" */
};

struct findings {
	struct finding	*list;
	size_t		 count, room;
	size_t		 left_out;	/* beyond FINDINGS_MOST */
	size_t		 errors, warnings;
};

__attribute__((format(printf, 7, 8)))
void	finding_add(struct findings *, enum severity, const char *code,
	    const char *file, unsigned line, unsigned column, const char *fmt, ...);
/* By file, line, column; stable. */
void	findings_sort(struct findings *);
/* "file:line:column: severity: text [code]"; `name` stands in for a NULL file. */
void	findings_print(const struct findings *, const char *name, FILE *);
void	findings_free(struct findings *);

#endif
