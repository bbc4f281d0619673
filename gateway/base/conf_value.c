/*
 * conf_value.c - lines beside tables: what a value means, what is wrong, binding
 *
 * Knows:     the types of enum conf_type.
 * Does not:  know any key by name, except `group` and `include`, which conf.c took out.
 * Owns:      nothing; secrets are copied into the caller's struct.
 * Threads:   the loop.
 *
 * A value of a CONF_SECRET, CONF_TEXT, CONF_REGEX or CONF_URL is never shown; numbers,
 * flags, choices and address rules are.
 */
#include "base/conf.h"

#include <limits.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/conf_own.h"
#include "base/finding.h"
#include "base/ip.h"

enum { REGEX_DEPTH = 50, REGEX_WEIGHT = 5000, REGEX_OCTETS = 20000, CONF_NAMES = 1024 };

const char *
conf_show(const char *name, char out[CONF_SHOWN + 4])
{
	size_t n = 0;

	for (; name[n] != '\0' && n < CONF_SHOWN; n++)
		out[n] = (unsigned char)name[n] < 0x20 || name[n] == 0x7F ? '?' : name[n];
	memcpy(out + n, "...", name[n] != '\0' ? 4 : 0);
	if (name[n] == '\0')
		out[n] = '\0';
	return out;
}

__attribute__((format(printf, 2, 3)))
static void
conf_fault(struct conf_verdict *v, const char *fmt, ...)
{
	va_list args;

	v->fault = true;
	va_start(args, fmt);
	vsnprintf(v->text, sizeof v->text, fmt, args);
	va_end(args);
}

__attribute__((format(printf, 2, 3)))
static void
conf_doubt(struct conf_verdict *v, const char *fmt, ...)
{
	va_list args;

	v->doubt = true;
	va_start(args, fmt);
	vsnprintf(v->text, sizeof v->text, fmt, args);
	va_end(args);
}

/*
 * Numbers
 */

/* Kannel reads a number's beginning and ignores the rest: `10 # ten` is 10. Files
 * that live on this shall still start, so what stands behind a blank is a warning. */
static struct text
number_part(struct text t, struct conf_verdict *v)
{
	size_t n = 0;

	while (n < t.len && t.at[n] != ' ' && t.at[n] != '\t')
		n++;
	if (n < t.len && n > 0)
		conf_doubt(v, "only the number before the blank is read: comments are lines of "
		    "their own");
	return (struct text){ t.at, n };
}

static void
number_range(const struct conf_key *k, double n, struct conf_verdict *v)
{
	if (k->least == 0 && k->most == 0)
		return;
	if (n < (double)k->least || n > (double)k->most)
		conf_fault(v, "out of range: from %ld to %ld", k->least, k->most);
}

static void
understand_number(const struct conf_key *k, const char *text, union conf_value *out,
    struct conf_verdict *v)
{
	char shown[CONF_SHOWN + 4];

	if (text_number(number_part(text_of(text), v), LONG_MIN, LONG_MAX, &out->number) == -1)
		conf_fault(v, "\"%s\" is not a whole number", conf_show(text, shown));
	else
		number_range(k, (double)out->number, v);
}

static void
understand_port(const struct conf_key *k, const char *text, union conf_value *out,
    struct conf_verdict *v)
{
	char shown[CONF_SHOWN + 4];

	(void)k;
	if (text_number(number_part(text_of(text), v), 0, 65535, &out->number) == -1)
		conf_fault(v, "\"%s\" is not a port (1 to 65535)", conf_show(text, shown));
}

static void
understand_seconds(const struct conf_key *k, const char *text, union conf_value *out,
    struct conf_verdict *v)
{
	static const struct { char unit; long seconds; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
	};
	struct text t = number_part(text_of(text), v);
	char shown[CONF_SHOWN + 4];
	long n, times = 0;

	if (text_number(t, LONG_MIN, LONG_MAX, &n) == 0) {
		times = 1;
	} else if (t.len > 1) {
		for (size_t i = 0; i < sizeof units / sizeof *units; i++)
			if ((t.at[t.len - 1] | 0x20) == units[i].unit)
				times = units[i].seconds;
		t.len--;
		if (times > 0 && text_number(t, LONG_MIN / 86400, LONG_MAX / 86400, &n) == -1)
			times = 0;
	}
	if (times == 0) {
		conf_fault(v, "\"%s\" is not a time: a number of seconds, or with s, m, h, d",
		    conf_show(text, shown));
		return;
	}
	out->number = n * times;
	number_range(k, (double)out->number, v);
}

/* By hand: strtod follows the locale, and takes "inf", "nan" and hex. */
static void
understand_rate(const struct conf_key *k, const char *text, union conf_value *out,
    struct conf_verdict *v)
{
	struct text t = number_part(text_of(text), v);
	char shown[CONF_SHOWN + 4];
	unsigned digits = 0, points = 0;
	double n = 0, unit = 1;

	for (size_t i = 0; i < t.len && points < 2 && digits < 18; i++) {
		if (t.at[i] == '.') {
			points++;
		} else if (t.at[i] >= '0' && t.at[i] <= '9') {
			digits++;
			n = n * 10 + (t.at[i] - '0');
			unit *= points > 0 ? 10 : 1;
		} else {
			points = 2;
		}
	}
	if (digits == 0 || digits >= 18 || points > 1) {
		conf_fault(v, "\"%s\" is not a number per second", conf_show(text, shown));
		return;
	}
	out->rate = n / unit;
	number_range(k, out->rate, v);
}

/*
 * Words
 */

static void
understand_flag(const struct conf_key *k, const char *text, union conf_value *out,
    struct conf_verdict *v)
{
	static const char *const yes[] = { "true", "yes", "on", "1" };
	static const char *const no[] = { "false", "no", "off", "0" };
	char shown[CONF_SHOWN + 4];

	(void)k;
	for (size_t i = 0; i < 4; i++)
		if (text_eq_nocase(text_of(text), text_of(no[i]))) {
			out->flag = false;
			return;
		}
	out->flag = true;
	for (size_t i = 0; i < 4; i++)
		if (text_eq_nocase(text_of(text), text_of(yes[i])))
			return;
	conf_doubt(v, "\"%s\" counts as true: write true or false", conf_show(text, shown));
}

static void
understand_choice(const struct conf_key *k, const char *text, union conf_value *out,
    struct conf_verdict *v)
{
	char memory[120], shown[CONF_SHOWN + 4];
	struct buf b = buf_on(memory, sizeof memory);

	for (int i = 0; k->choices != NULL && k->choices[i] != NULL; i++) {
		if (text_eq_nocase(text_of(text), text_of(k->choices[i]))) {
			out->choice = i;
			return;
		}
		buf_printf(&b, "%s%s", i > 0 ? ", " : "", k->choices[i]);
	}
	conf_fault(v, "\"%s\" is not one of: %.*s", conf_show(text, shown), (int)b.len, memory);
}

/* Behind a '[': the offset of its ']'. A ']' that comes first is a member, and so is
 * any inside [:class:]. */
static size_t
regex_bracket(const char *p, size_t at)
{
	if (p[at] == '^')
		at++;
	if (p[at] == ']')
		at++;
	while (p[at] != '\0' && p[at] != ']') {
		const char *end = NULL;

		if (p[at] == '[' && p[at + 1] != '\0' && strchr(":.=", p[at + 1]) != NULL)
			end = strstr(p + at + 2, (char[]){ p[at + 1], ']', '\0' });
		at = end != NULL ? (size_t)(end - p) + 2 : at + 1;
	}
	return at;
}

/*
 * glibc writes {n,m} and + out in full, descends into every parenthesis, and takes
 * exponential time over repeats of what may be empty: a pattern of forty octets can
 * take all memory, the stack or an hour. What a pattern would become is estimated
 * before it is compiled; nobody writes such things on purpose.
 */
struct regex_level {		/* inside one parenthesis */
	double	weight;
	bool	empty;		/* this branch may be empty so far */
	bool	empty_before;	/* before its last part */
	bool	branch_empty;	/* a branch before it may be */
};

struct regex_scan {
	struct regex_level level[REGEX_DEPTH + 1], *now;
	double	last;		/* weight of the last part; 0: there is none to repeat */
	bool	last_empty;	/* which may be empty */
};

static void
regex_part(struct regex_scan *s, double weight, bool empty)
{
	s->now->weight += weight;
	s->now->empty_before = s->now->empty;
	s->now->empty = s->now->empty && empty;
	s->last = weight;
	s->last_empty = empty;
}

/* Times the last part is written out; false: of something that may be empty. */
static bool
regex_repeat(struct regex_scan *s, unsigned long least, unsigned long most)
{
	if (most > 1 && s->last_empty)
		return false;
	s->now->weight += s->last * (double)most;
	s->last += s->last * (double)most;
	if (least == 0) {
		s->last_empty = true;
		s->now->empty = s->now->empty_before;
	}
	return true;
}

static void
regex_close(struct regex_scan *s)
{
	struct regex_level inside = *s->now--;

	regex_part(s, inside.weight + 1, inside.empty || inside.branch_empty);
}

static void
regex_branch(struct regex_scan *s)
{
	s->now->branch_empty = s->now->branch_empty || s->now->empty;
	s->now->empty = s->now->empty_before = true;
	s->last = 0;
	s->last_empty = false;
}

/* "{n}", "{n,}", "{n,m}" at p; the offset of its '}' or of the end. */
static size_t
regex_braces(struct regex_scan *s, const char *p, bool *heavy)
{
	char *end;
	unsigned long least = strtoul(p + 1, &end, 10), most = least;

	if (*end == ',')
		most = end[1] >= '0' && end[1] <= '9' ? strtoul(end + 1, NULL, 10) : least + 2;
	*heavy = !regex_repeat(s, least, most > least ? most : least);
	return strcspn(p, "}");
}

static bool
regex_too_heavy(const char *p)
{
	struct regex_scan s = { .now = s.level, .level = { { .empty = true } } };
	bool heavy = false;

	for (size_t i = 0; p[i] != '\0' && !heavy; i++) {
		if (p[i] == '(') {
			if (++s.now > s.level + REGEX_DEPTH)
				return true;
			*s.now = (struct regex_level){ 0 };
			regex_branch(&s);
			s.now->branch_empty = false;
		} else if (p[i] == ')' && s.now > s.level) {
			regex_close(&s);
		} else if (p[i] == '|') {
			regex_branch(&s);
		} else if (p[i] == '{') {
			i += regex_braces(&s, p + i, &heavy);
		} else if (p[i] == '+') {
			heavy = !regex_repeat(&s, 1, 2);
		} else if (p[i] == '*' || p[i] == '?') {
			regex_repeat(&s, 0, 0);
		} else if (p[i] == '^' || p[i] == '$') {
			regex_part(&s, 1, true);
		} else {
			bool escaped = p[i] == '\\' && p[i + 1] != '\0';

			if (escaped)
				i++;
			else if (p[i] == '[')
				i = regex_bracket(p, i + 1);
			/* \b \B \< \> \` \' are places, \1 may be empty */
			regex_part(&s, 1, escaped && strchr("bB<>`'123456789", p[i]) != NULL);
		}
		heavy = heavy || s.now->weight > REGEX_WEIGHT;
		if (p[i] == '\0')
			break;
	}
	return heavy;
}

static void
understand_regex(const struct conf_key *k, const char *text, union conf_value *out,
    struct conf_verdict *v)
{
	regex_t compiled;
	char why[100];
	int result;

	(void)k, (void)out;
	if (strlen(text) > REGEX_OCTETS || regex_too_heavy(text)) {
		conf_fault(v, "the regular expression is too heavy: it repeats what may be empty, "
		    "repeat counts multiply, or parentheses nest deeper than %d", REGEX_DEPTH);
		return;
	}
	result = regcomp(&compiled, text, REG_EXTENDED | REG_NOSUB);
	if (result == 0) {
		regfree(&compiled);
		return;
	}
	regerror(result, &compiled, why, sizeof why);
	conf_fault(v, "not a POSIX extended regular expression: %s", why);
}

static void
understand_iprules(const struct conf_key *k, const char *text, union conf_value *out,
    struct conf_verdict *v)
{
	struct err err = { 0 };
	struct ip_rules *rules = ip_rules_parse(text_of(text), &err);

	(void)k, (void)out;
	if (rules == NULL && err.code != ERR_NONE)
		conf_fault(v, "%.150s", err.text);
	ip_rules_free(&rules);
}

/* The authority must have a host; the rest may hold escapes such as %d. */
static void
understand_url(const struct conf_key *k, const char *text, union conf_value *out,
    struct conf_verdict *v)
{
	struct text t = text_of(text), scheme = t, rest;
	size_t at = strcspn(text, ":");

	(void)k, (void)out;
	scheme.len = at;
	if ((!text_eq_nocase(scheme, TEXT("http")) && !text_eq_nocase(scheme, TEXT("https"))) ||
	    strncmp(text + at, "://", 3) != 0) {
		conf_fault(v, "not a URL that begins with http:// or https://");
		return;
	}
	rest = text_of(text + at + 3);
	rest.len = strcspn(rest.at, "/?#");
	for (size_t i = rest.len; i-- > 0; )
		if (rest.at[i] == '@') {
			rest.at += i + 1;
			rest.len -= i + 1;
			break;
		}
	if (rest.len == 0 || rest.at[0] == ':' || rest.at[0] == ' ')
		conf_fault(v, "a URL without a host");
}

static void (*const understands[])(const struct conf_key *, const char *,
    union conf_value *, struct conf_verdict *) = {
	[CONF_TEXT] = NULL,
	[CONF_SECRET] = NULL,
	[CONF_NUMBER] = understand_number,
	[CONF_PORT] = understand_port,
	[CONF_SECONDS] = understand_seconds,
	[CONF_MINUTES] = understand_number,
	[CONF_RATE] = understand_rate,
	[CONF_FLAG] = understand_flag,
	[CONF_CHOICE] = understand_choice,
	[CONF_REGEX] = understand_regex,
	[CONF_IPRULES] = understand_iprules,
	[CONF_URL] = understand_url,
};

void
conf_understand(const struct conf_key *k, const char *text, union conf_value *out,
    struct conf_verdict *v)
{
	*v = (struct conf_verdict){ 0 };
	memset(out, 0, sizeof *out);
	if (understands[k->type] != NULL)
		understands[k->type](k, text, out, v);
}

/*
 * Checking
 */

static const struct conf_key *
key_find(const struct conf_key *const *tables, const char *name)
{
	for (; tables != NULL && *tables != NULL; tables++)
		for (const struct conf_key *k = *tables; k->name != NULL; k++)
			if (strcmp(k->name, name) == 0)
				return k;
	return NULL;
}

static const struct conf_group_type *
type_find(const struct conf_group_type *types, const char *name)
{
	for (; types->name != NULL; types++)
		if (strcmp(types->name, name) == 0)
			return types;
	return NULL;
}

static void
check_unknown(const char *what, const char *name, const char *nearest, const char *file,
    unsigned line, struct findings *findings)
{
	char shown[CONF_SHOWN + 4];

	finding_add(findings, SEVERITY_ERROR, NULL, file, line, 0, "unknown %s `%s'%s%s%s", what,
	    conf_show(name, shown), nearest != NULL ? "; did you mean `" : "",
	    nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

static void
check_unknown_key(const struct conf_line *l, const struct conf_key *const *tables,
    struct findings *findings)
{
	const char *names[CONF_NAMES] = { "group" };
	size_t count = 1;

	for (; *tables != NULL; tables++)
		for (const struct conf_key *k = *tables; k->name != NULL && count < CONF_NAMES; k++)
			names[count++] = k->name;
	check_unknown("key", l->key, text_nearest(text_of(l->key), names, count), l->file,
	    l->line, findings);
}

static void
check_unknown_group(const struct conf_group *g, const struct conf_group_type *types,
    struct findings *findings)
{
	const char *names[CONF_NAMES];
	size_t count = 0;

	for (; types->name != NULL && count < CONF_NAMES; types++)
		names[count++] = types->name;
	check_unknown("group", g->name, text_nearest(text_of(g->name), names, count), g->file,
	    g->line, findings);
}

static void
check_effect(const struct conf_line *l, const struct conf_key *k, struct findings *findings)
{
	if (k->effect == CONF_LATER)
		finding_add(findings, SEVERITY_NOTE, NULL, l->file, l->line, 0,
		    "`%s' is known and has no effect yet", k->name);
	else if (k->effect == CONF_NEVER)
		finding_add(findings, SEVERITY_NOTE, NULL, l->file, l->line, 0,
		    "`%s' has no effect: %s", k->name,
		    k->text != NULL ? k->text : "it means nothing to this gateway");
}

static void
check_value(const struct conf_line *l, const struct conf_key *k, struct findings *findings)
{
	struct conf_verdict v;
	union conf_value value;

	conf_understand(k, l->value, &value, &v);
	if (!v.fault && !v.doubt)
		return;
	/* what has no effect cannot keep a file from being used */
	finding_add(findings, v.fault && k->effect == CONF_WORKS ? SEVERITY_ERROR :
	    SEVERITY_WARNING, NULL, l->file, l->line, 0, "`%s': %s", k->name, v.text);
}

static void
check_repeated(const struct conf_group *g, size_t i, struct findings *findings)
{
	const struct conf_line *l = &g->lines[i];
	char shown[CONF_SHOWN + 4];

	for (size_t k = i + 1; k < g->count; k++)
		if (strcmp(g->lines[k].key, l->key) == 0) {
			finding_add(findings, SEVERITY_WARNING, NULL, l->file, l->line, 0,
			    "`%s' has no effect: line %u says it again", conf_show(l->key, shown),
			    g->lines[k].line);
			return;
		}
}

static bool
absent(const char *value, const struct conf_key *k)
{
	return value == NULL || (k->type == CONF_PORT && strcmp(value, "0") == 0) ||
	    (k->type == CONF_SECRET && value[0] == '\0');
}

static void
check_required(const struct conf_group *g, const struct conf_key *k, struct findings *findings)
{
	if (k->required && k->standard == NULL && absent(conf_value(g, k->name, NULL), k))
		finding_add(findings, SEVERITY_ERROR, NULL, g->file, g->line, 0,
		    "the group `%s' needs `%s'", g->name, k->name);
}

static void
check_line(const struct conf_group *g, size_t i, const struct conf_group_type *type,
    const struct conf_key *const *tables, struct findings *findings)
{
	const struct conf_line *l = &g->lines[i];
	const struct conf_key *k = key_find(tables, l->key);

	check_repeated(g, i, findings);
	if (k != NULL) {
		check_value(l, k, findings);
		if (type->effect == CONF_WORKS)		/* else it was said of the group */
			check_effect(l, k, findings);
	} else if (tables != type->keys && key_find(type->keys, l->key) != NULL) {
		/* Kannel has one list for all kinds of a group and says nothing */
		finding_add(findings, SEVERITY_WARNING, NULL, l->file, l->line, 0,
		    "`%s' has no effect in a group `%s' of this kind", l->key, g->name);
	} else {
		check_unknown_key(l, tables, findings);
	}
}

static void
check_group(const struct conf_group *g, const struct conf_group_type *type,
    struct findings *findings)
{
	static const struct conf_key *const none[] = { NULL };
	const struct conf_key *const *tables = type->keys_of != NULL ? type->keys_of(g) : NULL;

	if (type->effect != CONF_WORKS)
		finding_add(findings, SEVERITY_NOTE, NULL, g->file, g->line, 0, "the group `%s' %s%s",
		    g->name, type->effect == CONF_LATER ? "is known and has no effect yet" :
		    "has no effect: ", type->effect == CONF_LATER ? "" : type->text != NULL ?
		    type->text : "it means nothing to this gateway");
	if (tables == NULL)
		tables = type->keys;
	if (tables == NULL && type->effect != CONF_WORKS)
		return;
	if (tables == NULL)
		tables = none;
	for (size_t i = 0; i < g->count; i++)
		check_line(g, i, type, tables, findings);
	for (; *tables != NULL && type->effect == CONF_WORKS; tables++)
		for (const struct conf_key *k = *tables; k->name != NULL; k++)
			check_required(g, k, findings);
}

/* The last group of a name that there may be one of replaces the others. */
static void
check_single(struct conf_group *g, struct findings *findings)
{
	for (const struct conf_group *other = g->next; other != NULL; other = other->next)
		if (strcmp(other->name, g->name) == 0) {
			g->replaced = true;
			finding_add(findings, SEVERITY_WARNING, NULL, g->file, g->line, 0,
			    "this group `%s' has no effect: the one at %s:%u replaces it", g->name,
			    other->file, other->line);
			return;
		}
}

void
conf_check(const struct conf *conf, const struct conf_group_type *types,
    struct findings *findings)
{
	for (struct conf_group *g = conf->first; g != NULL; g = g->next) {
		const struct conf_group_type *type = type_find(types, g->name);

		if (type == NULL) {
			check_unknown_group(g, types, findings);
			continue;
		}
		if (!type->many)
			check_single(g, findings);
		if (!g->replaced)
			check_group(g, type, findings);
	}
}

/*
 * Binding
 */

static int
bind_store(const struct conf_key *k, const char *text, const union conf_value *v, void *out)
{
	char *at = (char *)out + k->at;

	switch (k->type) {
	case CONF_TEXT:
	case CONF_REGEX:
	case CONF_IPRULES:
	case CONF_URL:
		memcpy(at, &text, sizeof text);
		return 0;
	case CONF_SECRET:
		return secret_set((struct secret *)(void *)at, text_of(text));
	case CONF_NUMBER:
	case CONF_PORT:
	case CONF_SECONDS:
	case CONF_MINUTES:
		memcpy(at, &v->number, sizeof v->number);
		return 0;
	case CONF_RATE:
		memcpy(at, &v->rate, sizeof v->rate);
		return 0;
	case CONF_FLAG:
		memcpy(at, &v->flag, sizeof v->flag);
		return 0;
	case CONF_CHOICE:
		memcpy(at, &v->choice, sizeof v->choice);
		return 0;
	}
	return -1;
}

/* Warnings are conf_check's: told twice they would only hide the errors. */
static int
bind_key(const struct conf_group *g, const struct conf_key *k, void *out,
    struct findings *findings)
{
	unsigned line = g != NULL ? g->line : 0;
	const char *file = g != NULL ? g->file : NULL;
	const char *text = g != NULL ? conf_value(g, k->name, &line) : NULL;
	struct conf_verdict v = { 0 };
	union conf_value value;

	if (g != NULL && k->required && k->standard == NULL && absent(text, k)) {
		check_required(g, k, findings);
		return -1;
	}
	if (text == NULL)
		text = k->standard;
	if (text == NULL)
		return 0;
	conf_understand(k, text, &value, &v);
	if (!v.fault && bind_store(k, text, &value, out) == 0)
		return 0;
	finding_add(findings, SEVERITY_ERROR, NULL, file, line, 0, "`%s': %s", k->name,
	    v.fault ? v.text : "no memory");
	return -1;
}

int
conf_bind(struct conf *conf, const struct conf_group *g, const struct conf_key *keys,
    void *out, struct findings *findings)
{
	int result = 0;

	(void)conf;			/* texts live in it already */
	for (const struct conf_key *k = keys; k->name != NULL; k++)
		if (k->effect == CONF_WORKS && bind_key(g, k, out, findings) == -1)
			result = -1;
	return result;
}

void
conf_unbind(const struct conf_key *keys, void *out)
{
	for (const struct conf_key *k = keys; k->name != NULL; k++)
		if (k->effect == CONF_WORKS && k->type == CONF_SECRET)
			secret_free((struct secret *)(void *)((char *)out + k->at));
}
