/*
 * finding.c - lists of findings
 *
 * Knows:     how they are kept in bounds, sorted and printed.
 * Does not:  know what is judged.
 * Owns:      texts and file names, until findings_free.
 * Threads:   a list belongs to one thread at a time.
 */
#include "base/finding.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const severity_names[] = {
	[SEVERITY_NOTE] = "note", [SEVERITY_WARNING] = "warning", [SEVERITY_ERROR] = "error"
};

void
finding_add(struct findings *all, enum severity severity, const char *code, const char *file,
    unsigned line, unsigned column, const char *fmt, ...)
{
	struct finding *f;
	va_list ap;

	if (all == NULL)
		return;
	all->errors += severity == SEVERITY_ERROR;
	all->warnings += severity == SEVERITY_WARNING;
	if (all->count == all->room) {
		size_t room = all->room > 0 ? all->room * 2 : 16;
		struct finding *grown = room <= 2 * FINDINGS_MOST ?
		    realloc(all->list, room * sizeof *grown) : NULL;

		if (grown == NULL) {
			all->left_out++;
			return;
		}
		all->list = grown;
		all->room = room;
	}
	if (all->count == FINDINGS_MOST) {
		all->left_out++;
		return;
	}
	f = &all->list[all->count];
	*f = (struct finding){ .severity = severity, .code = code, .line = line, .column = column,
	    .file = file != NULL ? strdup(file) : NULL };
	va_start(ap, fmt);
	if (vasprintf(&f->text, fmt, ap) == -1)
		f->text = NULL;
	va_end(ap);
	all->count++;
}

static int
finding_order(const struct finding *a, const struct finding *b)
{
	int files = strcmp(a->file != NULL ? a->file : "", b->file != NULL ? b->file : "");

	if (files != 0)
		return files;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->column < b->column ? -1 : a->column > b->column;
}

/* Insertion keeps equal ones in the order in which they were found; lists are short and
 * mostly in order already. */
void
findings_sort(struct findings *all)
{
	for (size_t i = 1; i < all->count; i++) {
		struct finding f = all->list[i];
		size_t at = i;

		for (; at > 0 && finding_order(&all->list[at - 1], &f) > 0; at--)
			all->list[at] = all->list[at - 1];
		all->list[at] = f;
	}
}

void
findings_print(const struct findings *all, const char *name, FILE *to)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct finding *f = &all->list[i];

		fprintf(to, "%s:", f->file != NULL ? f->file : name);
		if (f->line > 0)
			fprintf(to, "%u:", f->line);
		if (f->line > 0 && f->column > 0)
			fprintf(to, "%u:", f->column);
		fprintf(to, " %s: %s", severity_names[f->severity], f->text != NULL ? f->text : "");
		if (f->code != NULL)
			fprintf(to, " [%s]", f->code);
		fputc('\n', to);
	}
	if (all->left_out > 0)
		fprintf(to, "%s: note: %zu more findings are not shown\n", name, all->left_out);
}

void
findings_free(struct findings *all)
{
	for (size_t i = 0; i < all->count; i++) {
		free(all->list[i].file);
		free(all->list[i].text);
	}
	free(all->list);
	*all = (struct findings){ 0 };
}
