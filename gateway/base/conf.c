/*
 * conf.c - files into groups of lines
 *
 * Knows:     Kannel's grammar, includes.
 * Does not:  know any key (conf_value.c lays keys beside tables).
 * Owns:      every group and text of a struct conf, until conf_free.
 * Threads:   the loop.
 *
 * Kept from Kannel: groups end at blank lines, also across an include; the first '='
 * splits; quotes; continuation; every file of an included folder, dot files too.
 * Departures, on purpose: `include` is only a key; files of a folder are read in the
 * order of their names, not of the disk; a comment that ends in a backslash does not
 * swallow the next line; a `group =` at the head of an included file begins a new group
 * even when the file before it did not end in a blank line.
 */
#include "base/conf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/conf_own.h"
#include "base/finding.h"

enum {
	CONF_FILES = 64,
	CONF_OCTETS = 16 * 1024 * 1024,
	CONF_LINES = 1000,		/* of one group */
	CONF_NESTED = 16
};

struct source {				/* one open file */
	const struct source *from;	/* that includes it */
	const char	*name;		/* kept by the conf */
	dev_t		 device;
	ino_t		 inode;
	unsigned	 depth;
};

struct reader {
	struct conf	*conf;
	struct findings	*findings;
	struct conf_group *group, **end;	/* the one being read; where the next one hangs */
	unsigned	 files;
	size_t		 octets;
	bool		 includes, failed;
};

static void	read_file(struct reader *, const char *path, const struct source *from,
		    unsigned line);

__attribute__((format(printf, 4, 5)))
static void
read_fault(struct reader *r, const char *file, unsigned line, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	finding_add(r->findings, SEVERITY_ERROR, NULL, file, line, 0, "%s", text);
	r->failed = true;
}

static const char *
read_keep(struct reader *r, struct text t)
{
	struct keep *keep = malloc(sizeof *keep + t.len + 1);

	if (keep == NULL) {
		read_fault(r, NULL, 0, "no memory for the configuration");
		return NULL;
	}
	if (t.len > 0)
		memcpy(keep->text, t.at, t.len);
	keep->text[t.len] = '\0';
	keep->next = r->conf->kept;
	r->conf->kept = keep;
	return keep->text;
}

/*
 * Groups
 */

static void
read_group_end(struct reader *r)
{
	struct conf_group *g = r->group;

	if (g != NULL && g->name == NULL)
		read_fault(r, g->file, g->line, "a group without a `group =' line: say which "
		    "group it is, or remove the blank line that cuts it off");
	r->group = NULL;
}

static struct conf_group *
read_group(struct reader *r, const struct source *s, unsigned line)
{
	struct conf_group *g = r->group;

	if (g != NULL)
		return g;
	g = calloc(1, sizeof *g);
	if (g == NULL) {
		read_fault(r, s->name, line, "no memory for the configuration");
		return NULL;
	}
	g->file = s->name;
	g->line = line;
	*r->end = g;
	r->end = &g->next;
	r->group = g;
	return g;
}

static void
read_group_name(struct reader *r, const struct source *s, unsigned line, const char *name)
{
	struct conf_group *g = r->group;

	if (g != NULL && g->name != NULL && strcmp(g->file, s->name) != 0) {
		read_group_end(r);
		g = NULL;
	}
	if (g != NULL && g->name != NULL) {
		read_fault(r, s->name, line, "a second `group =' in the group of line %u: a blank "
		    "line is missing before it", g->line);
		return;
	}
	if ((g = read_group(r, s, line)) == NULL)
		return;
	if (name[0] == '\0')
		read_fault(r, s->name, line, "`group =' without a name");
	g->name = name;
	g->file = s->name;
	g->line = line;
}

static void
read_pair(struct reader *r, const struct source *s, unsigned line, const char *key,
    const char *value)
{
	struct conf_group *g = read_group(r, s, line);

	if (g == NULL)
		return;
	if (g->count == CONF_LINES) {
		if (!r->failed)
			read_fault(r, s->name, line, "more than %d lines in a group", CONF_LINES);
		return;
	}
	if (g->count == g->room) {
		size_t room = g->room > 0 ? g->room * 2 : 16;
		struct conf_line *lines = reallocarray(g->lines, room, sizeof *lines);

		if (lines == NULL) {
			read_fault(r, s->name, line, "no memory for the configuration");
			return;
		}
		g->lines = lines;
		g->room = room;
	}
	g->lines[g->count++] = (struct conf_line){ key, value, s->name, line };
}

/*
 * Lines
 */

/* Only \\ and \" mean something inside quotes; every other backslash is itself, which
 * regular expressions in existing files rely on. */
static struct text
read_unquote(struct text t, char *out)
{
	size_t n = 0;

	for (size_t i = 1; i < t.len - 1; i++) {
		if (t.at[i] == '\\' && i + 2 < t.len && (t.at[i + 1] == '\\' || t.at[i + 1] == '"'))
			i++;
		out[n++] = t.at[i];
	}
	return (struct text){ out, n };
}

static const char *
read_value(struct reader *r, const struct source *s, unsigned line, struct text t)
{
	bool opens = t.len > 0 && t.at[0] == '"', closes = t.len > 1 && t.at[t.len - 1] == '"';
	const char *kept;
	char *plain;

	if (!opens || !closes) {
		bool hash = false;

		for (size_t i = 1; i < t.len; i++)
			hash |= t.at[i] == '#' && (t.at[i - 1] == ' ' || t.at[i - 1] == '\t');
		if (hash)
			finding_add(r->findings, SEVERITY_WARNING, NULL, s->name, line, 0, "the `#' "
			    "and what follows is part of the value: comments are lines of their own");
		else if (opens)
			finding_add(r->findings, SEVERITY_WARNING, NULL, s->name, line, 0, "the value "
			    "begins with a quote and does not end with one: the quote is part of it");
		return read_keep(r, t);
	}
	plain = malloc(t.len);
	if (plain == NULL) {
		read_fault(r, s->name, line, "no memory for the configuration");
		return NULL;
	}
	kept = read_keep(r, read_unquote(t, plain));
	explicit_bzero(plain, t.len);			/* it may be a password */
	free(plain);
	return kept;
}

static void	read_include(struct reader *, const struct source *, unsigned line, const char *);

/* One line, joined and trimmed, neither blank nor comment. What it says is never
 * shown: a line that went wrong may be half a password. */
static void
read_line(struct reader *r, const struct source *s, unsigned line, struct text t)
{
	struct text value = t, key;
	const char *k, *v;

	text_cut(&value, '=', &key);
	if (value.at == NULL) {
		read_fault(r, s->name, line, "a line without `='");
		return;
	}
	key = text_trim(key);
	if (key.len == 0) {
		read_fault(r, s->name, line, "nothing before the `='");
		return;
	}
	k = read_keep(r, key);
	v = read_value(r, s, line, text_trim(value));
	if (k == NULL || v == NULL)
		return;
	if (strcmp(k, "include") == 0)
		read_include(r, s, line, v);
	else if (strcmp(k, "group") == 0)
		read_group_name(r, s, line, v);
	else
		read_pair(r, s, line, k, v);
}

/* Backslashes at the end: one joins the next line, two are a literal one. */
static unsigned
read_backslashes(struct text t)
{
	unsigned n = 0;

	while (n < 2 && n < t.len && t.at[t.len - 1 - n] == '\\')
		n++;
	return n;
}

static bool
read_raw(struct text *rest, struct text *line)
{
	if (rest->len == 0 || !text_cut(rest, '\n', line))
		return false;
	if (line->len > 0 && line->at[line->len - 1] == '\r')
		line->len--;
	return true;
}

static void
read_text(struct reader *r, const struct source *s, struct text rest)
{
	struct buf joined = buf_heap(CONF_OCTETS);
	struct text raw, t;

	for (unsigned number = 1, first; read_raw(&rest, &raw); number++) {
		unsigned backslashes = read_backslashes(raw);

		first = number;
		t = text_trim(raw);
		if (t.len == 0) {
			read_group_end(r);
			continue;
		}
		if (t.at[0] == '#') {
			if (backslashes == 1)
				finding_add(r->findings, SEVERITY_WARNING, NULL, s->name, number, 0,
				    "a comment that ends in a backslash: Kannel would take the next "
				    "line as a part of it");
			continue;
		}
		if (backslashes > 0) {
			joined.len = 0;
			while (backslashes == 1) {
				buf_bytes(&joined, raw.at, raw.len - 1);
				if (!read_raw(&rest, &raw)) {
					raw.len = 0;
					break;
				}
				number++;
				backslashes = read_backslashes(raw);
			}
			buf_bytes(&joined, raw.at, raw.len - (backslashes == 2));
			t = text_trim((struct text){ (const char *)joined.data, joined.len });
			if (joined.overflow || t.len == 0) {
				read_fault(r, s->name, first, "nothing is joined by this backslash");
				continue;
			}
		}
		read_line(r, s, first, t);
	}
	if (joined.data != NULL)
		explicit_bzero(joined.data, joined.cap);
	buf_free(&joined);
}

/*
 * Files
 */

static int
read_names_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of a folder, sorted; SIZE_MAX when it cannot be read. */
static size_t
read_names(const char *path, char ***out)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char **names = NULL;
	size_t count = 0;

	if (dir == NULL)
		return SIZE_MAX;
	while ((entry = readdir(dir)) != NULL && count < 4096) {
		char **grown = reallocarray(names, count + 1, sizeof *names);

		if (grown == NULL)
			break;
		names = grown;
		if ((names[count] = strdup(entry->d_name)) != NULL)
			count++;
	}
	closedir(dir);
	if (count > 1)
		qsort(names, count, sizeof *names, read_names_order);
	*out = names;
	return count;
}

static void
read_folder(struct reader *r, const char *path, const struct source *from, unsigned line)
{
	char **names = NULL;
	size_t count = read_names(path, &names);
	struct stat st;

	if (count == SIZE_MAX) {
		read_fault(r, from->name, line, "cannot read folder %.100s: %s", path,
		    strerror(errno));
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct buf b = buf_heap(8192);
		const char *file;

		buf_printf(&b, "%s%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/", names[i]);
		file = buf_cstr(&b);
		if (file != NULL && (stat(file, &st) == -1 || !S_ISDIR(st.st_mode)))
			read_file(r, file, from, line);
		buf_free(&b);
		free(names[i]);
	}
	free(names);
}

static void
read_include(struct reader *r, const struct source *s, unsigned line, const char *path)
{
	struct stat st;

	if (!r->includes) {
		finding_add(r->findings, SEVERITY_WARNING, NULL, s->name, line, 0,
		    "`include' has no effect here");
		return;
	}
	if (path[0] == '\0')
		read_fault(r, s->name, line, "`include =' without a path");
	else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		read_folder(r, path, s, line);
	else
		read_file(r, path, s, line);
}

/* Reads all of a descriptor. Pipes are welcome (`kantele check <(generate)`), so the
 * size is not known before. */
static bool
read_all(int fd, size_t most, struct buf *b)
{
	uint8_t chunk[16384];
	ssize_t n;

	*b = buf_heap(most > 0 ? most : 1);
	while ((n = read(fd, chunk, sizeof chunk)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return false;
		buf_bytes(b, chunk, (size_t)n);
		if (b->overflow) {
			errno = EFBIG;
			return false;
		}
	}
	explicit_bzero(chunk, sizeof chunk);
	return true;
}

static bool
read_loops(const struct source *s)
{
	for (const struct source *up = s->from; up != NULL; up = up->from)
		if (up->device == s->device && up->inode == s->inode)
			return true;
	return false;
}

/* Faults of an included file are told at the include line, where they are mended. */
static void
read_file(struct reader *r, const char *path, const struct source *from, unsigned line)
{
	const char *where = from != NULL ? from->name : path;
	struct source s = { .from = from, .depth = from != NULL ? from->depth + 1 : 0 };
	struct buf b = { 0 };
	struct stat st;
	int fd;

	if (r->files++ >= CONF_FILES || s.depth >= CONF_NESTED) {
		if (r->files <= CONF_FILES + 1)
			read_fault(r, where, line, "more than %d files, or includes nested deeper "
			    "than %d", CONF_FILES, CONF_NESTED);
		return;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (from != NULL ? O_NONBLOCK : 0));
	if (fd == -1 || fstat(fd, &st) == -1) {
		read_fault(r, where, line, "cannot read %.100s: %s", path, strerror(errno));
		if (fd != -1)
			close(fd);
		return;
	}
	s.device = st.st_dev;
	s.inode = st.st_ino;
	s.name = read_keep(r, text_of(path));
	if (s.name == NULL || read_loops(&s))
		read_fault(r, where, line, "%.100s includes itself", path);
	else if (S_ISDIR(st.st_mode) || (from != NULL && !S_ISREG(st.st_mode)))
		read_fault(r, where, line, "%.100s is not a file", path);
	else if (!read_all(fd, CONF_OCTETS - r->octets, &b))
		read_fault(r, where, line, "cannot read %.100s: %s", path, strerror(errno));
	else if (b.len > 0 && memchr(b.data, 0, b.len) != NULL)
		read_fault(r, s.name, 0, "not a text file: it holds a NUL octet");
	else {
		r->octets += b.len;
		read_text(r, &s, (struct text){ b.data != NULL ? (const char *)b.data : "", b.len });
	}
	if (b.data != NULL)
		explicit_bzero(b.data, b.len);
	buf_free(&b);
	close(fd);
}

/*
 * The whole
 */

static bool
read_begin(struct reader *r, struct findings *findings, bool includes)
{
	*r = (struct reader){ .findings = findings, .includes = includes };
	r->conf = calloc(1, sizeof *r->conf);
	if (r->conf == NULL) {
		read_fault(r, NULL, 0, "no memory for the configuration");
		return false;
	}
	r->end = &r->conf->first;
	return true;
}

static struct conf *
read_end(struct reader *r)
{
	read_group_end(r);
	if (r->failed)
		conf_free(&r->conf);
	return r->conf;
}

struct conf *
conf_read(const char *path, struct findings *findings)
{
	struct reader r;

	if (!read_begin(&r, findings, true))
		return NULL;
	read_file(&r, path, NULL, 0);
	return read_end(&r);
}

struct conf *
conf_read_text(const char *name, struct text t, struct findings *findings)
{
	struct source s = { 0 };
	struct reader r;

	if (!read_begin(&r, findings, false))
		return NULL;
	s.name = read_keep(&r, text_of(name));
	if (t.len > CONF_OCTETS)
		read_fault(&r, s.name, 0, "more than %d octets", CONF_OCTETS);
	else if (t.len > 0 && memchr(t.at, 0, t.len) != NULL)
		read_fault(&r, s.name, 0, "not a text file: it holds a NUL octet");
	else if (s.name != NULL)
		read_text(&r, &s, t);
	return read_end(&r);
}

void
conf_free(struct conf **conf)
{
	struct conf_group *g;
	struct keep *keep;

	if (*conf == NULL)
		return;
	while ((g = (*conf)->first) != NULL) {
		(*conf)->first = g->next;
		free(g->lines);
		free(g);
	}
	while ((keep = (*conf)->kept) != NULL) {
		(*conf)->kept = keep->next;
		explicit_bzero(keep->text, strlen(keep->text));
		free(keep);
	}
	free(*conf);
	*conf = NULL;
}

const struct conf_group *
conf_next(const struct conf *conf, const char *name, const struct conf_group *after)
{
	const struct conf_group *g = after != NULL ? after->next : conf->first;

	while (g != NULL && (g->replaced || (name != NULL && strcmp(g->name, name) != 0)))
		g = g->next;
	return g;
}

const char *
conf_group_name(const struct conf_group *g)
{
	return g->name;
}

const char *
conf_group_file(const struct conf_group *g)
{
	return g->file;
}

unsigned
conf_group_line(const struct conf_group *g)
{
	return g->line;
}

const char *
conf_value(const struct conf_group *g, const char *key, unsigned *line)
{
	for (size_t i = g->count; i-- > 0; ) {			/* the last one wins */
		if (strcmp(g->lines[i].key, key) != 0)
			continue;
		if (line != NULL)
			*line = g->lines[i].line;
		return g->lines[i].value;
	}
	return NULL;
}

static bool
conf_says_all_of(const struct conf_group *a, const struct conf_group *b)
{
	for (size_t i = 0; i < b->count; i++) {
		const char *mine = conf_value(a, b->lines[i].key, NULL);
		const char *wanted = conf_value(b, b->lines[i].key, NULL);

		if (mine == NULL || strcmp(mine, wanted) != 0)
			return false;
	}
	return true;
}

bool
conf_group_equal(const struct conf_group *a, const struct conf_group *b)
{
	return strcmp(a->name, b->name) == 0 && conf_says_all_of(a, b) && conf_says_all_of(b, a);
}
