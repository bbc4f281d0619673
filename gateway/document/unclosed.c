/*
 * unclosed.c - which elements are not closed, and where their end tags belong
 *
 * The parser stops at an end tag that fits nothing, or at the end of the text, and can
 * only say so. Here every element that is still open becomes a finding at the line that
 * opened it. Where its end tag belongs is told by the schema: an APPAUTH cannot hold
 * another APPAUTH, so the first one ends before the second begins.
 *
 * Knows:     the stack of open elements and what may stand in what (schema.c).
 * Does not:  mend anything.
 * Owns:      nothing.
 * Threads:   pure, any thread.
 */
#include <stdio.h>

#include "base/finding.h"
#include "document/document.h"
#include "document/schema.h"
#include "document/tree.h"

struct stop {				/* what the parser stumbled over */
	struct text	 end_tag;	/* name in </name>; absent: something else */
	bool		 end_of_text, stray;	/* stray: the end tag fits no open element */
	size_t		 quote;		/* offset of a quote that is not closed; source.len: none */
	unsigned	 line;		/* last line with something on it, or of the end tag */
	size_t		 from, to;	/* indexes of the open elements that are not closed */
};

/* The octet offset of line and column (characters), or the length when there is none. */
static size_t
unclosed_offset(struct text xml, unsigned line, unsigned column)
{
	size_t i = 0;

	for (unsigned l = 1; l < line && i < xml.len; i++)
		l += xml.at[i] == '\n';
	for (unsigned c = 1; c < column && i < xml.len; c++) {
		i++;
		while (i < xml.len && ((uint8_t)xml.at[i] & 0xc0) == 0x80)
			i++;
	}
	return i;
}

static bool
unclosed_name_char(char c)
{
	return c != '\0' && strchr(" \t\r\n<>/", c) == NULL;
}

/* The name of the end tag at `i`; absent when there is none. */
static struct text
unclosed_end_tag(struct text xml, size_t i)
{
	size_t n = 0;

	if (i + 2 > xml.len || memcmp(xml.at + i, "</", 2) != 0)
		return (struct text){ NULL, 0 };
	i += 2;
	while (i + n < xml.len && unclosed_name_char(xml.at[i + n]))
		n++;
	return (struct text){ xml.at + i, n };
}

/* The end of what begins with the '<' at `i`; *quote: the one that is open at `stop`, if
 * `stop` comes before the end. */
static size_t
unclosed_markup_end(struct text xml, size_t i, size_t stop, size_t *quote)
{
	static const struct {
		const char	*begin, *end;
	} plain[] = { { "<!--", "-->" }, { "<![CDATA[", "]]>" }, { "<?", "?>" } };
	const char *found;
	char open = '\0';

	for (size_t k = 0; k < sizeof plain / sizeof *plain; k++)
		if (xml.len - i >= strlen(plain[k].begin) &&
		    memcmp(xml.at + i, plain[k].begin, strlen(plain[k].begin)) == 0) {
			found = memmem(xml.at + i, xml.len - i, plain[k].end, strlen(plain[k].end));
			return found != NULL ? (size_t)(found - xml.at) + 1 : xml.len;
		}
	for (i++; i < stop && (open != '\0' || xml.at[i] != '>'); i++) {
		if (open == '\0' && (xml.at[i] == '"' || xml.at[i] == '\'')) {
			open = xml.at[i];
			*quote = i;
		} else if (open == xml.at[i]) {
			open = '\0';
			*quote = xml.len;
		}
	}
	return i;
}

/* Where the quote stands that is open at `stop`, so that "</" there is in a value and no
 * end tag; xml.len: none is. */
static size_t
unclosed_quote(struct text xml, size_t stop)
{
	size_t quote = xml.len;

	for (size_t i = 0; i < stop; ) {
		quote = xml.len;
		if (xml.at[i] == '<')
			i = unclosed_markup_end(xml, i, stop, &quote);
		else
			i++;
	}
	return quote;
}

static struct stop
unclosed_stop(const struct unclosed *u)
{
	struct stop s = { .line = u->line, .to = u->depth, .quote = u->source.len };
	size_t i = unclosed_offset(u->source, u->line, u->column), end = u->source.len;

	while (end > 0 && strchr(" \t\r\n", u->source.at[end - 1]) != NULL)
		end--;
	if (i >= end) {
		s.end_of_text = true;
		s.line = 1;
		for (i = 0; i < end; i++)
			s.line += u->source.at[i] == '\n';
		return s;
	}
	/* a value may hold anything but '<'; another fault inside it has its own words */
	if (u->source.at[i] == '<')
		s.quote = unclosed_quote(u->source, i);
	if (s.quote == u->source.len)
		s.end_tag = unclosed_end_tag(u->source, i);
	for (size_t k = u->depth; s.end_tag.at != NULL && k-- > 0; )
		if (text_eq_nocase(u->open[k]->name, s.end_tag)) {
			s.from = k + 1;
			return s;
		}
	s.stray = true;
	s.from = u->depth - 1;
	return s;
}

/* "<characteristic type="APPAUTH">" */
static const char *
unclosed_tag(const struct element *e, char *out, size_t size)
{
	struct text type = element_get(e, "type");

	if (type.at == NULL)
		snprintf(out, size, "<%.*s>", (int)(e->name.len < 40 ? e->name.len : 40), e->name.at);
	else
		snprintf(out, size, "<%.*s type=\"%.*s\">",
		    (int)(e->name.len < 40 ? e->name.len : 40), e->name.at,
		    (int)(type.len < 48 ? type.len : 48), type.at);
	return out;
}

static struct text
unclosed_type(const struct element *e)
{
	struct text type = element_get(e, "type");

	return e->parent == NULL ? TEXT("/") : type.at != NULL ? type : TEXT("");
}

static bool
unclosed_fits(const struct element *parent, const struct element *child)
{
	if (!text_is(parent->name, "characteristic") && parent->parent != NULL)
		return false;		/* a parm holds nothing */
	if (!text_is(child->name, "characteristic"))
		return true;
	return schema_may_hold(unclosed_type(parent), unclosed_type(child));
}

/*
 * Replays the open elements and their children in document order on a stack of what
 * ought to be open: what cannot hold the next element ends before it, when something
 * outside can hold that element. ends[i]: the element before which open[i] ends.
 */
static void
unclosed_replay(const struct unclosed *u, const struct element **ends)
{
	size_t stack[DOCUMENT_DEPTH], depth = 0, fit;

	for (size_t i = 0; i < u->depth; i++) {
		stack[depth++] = i;
		for (const struct element *c = u->open[i]->children; c != NULL; c = c->next) {
			for (fit = depth; fit > 0; fit--)
				if (unclosed_fits(u->open[stack[fit - 1]], c))
					break;
			while (fit > 0 && depth > fit)
				ends[stack[--depth]] = c;
		}
	}
}

static bool
unclosed_is_open(const struct unclosed *u, const struct element *e)
{
	for (size_t i = 0; i < u->depth; i++)
		if (u->open[i] == e)
			return true;
	return false;
}

/* An element inside `e` that is closed, but holds what it cannot: probably it took the
 * end tag that `e` now misses. What is open itself gets a finding of its own. NULL:
 * there is none. */
static const struct element *
unclosed_thief(const struct unclosed *u, const struct element *e, const struct element **holds)
{
	const struct element *found;

	for (const struct element *c = e->children; c != NULL; c = c->next) {
		if (unclosed_is_open(u, c))
			continue;
		for (const struct element *g = c->children; g != NULL; g = g->next)
			if (!unclosed_fits(c, g)) {
				*holds = g;
				return c;
			}
		if ((found = unclosed_thief(u, c, holds)) != NULL)
			return found;
	}
	return NULL;
}

static void
unclosed_report(const struct unclosed *u, const struct element *e,
    const struct element *before, const struct stop *s, struct findings *findings,
    struct err *err)
{
	char tag[128], next[128], where[200];
	const struct element *holds, *thief;
	struct err mine = { 0 };

	if (before != NULL) {
		snprintf(where, sizeof where, "before line %u, where %s begins", before->line,
		    unclosed_tag(before, next, sizeof next));
	} else if ((thief = unclosed_thief(u, e, &holds)) != NULL) {
		e = thief;
		snprintf(where, sizeof where, "before line %u, where %s begins", holds->line,
		    unclosed_tag(holds, next, sizeof next));
	} else if (s->end_tag.at != NULL) {
		snprintf(where, sizeof where, "%s </%.*s> in line %u",
		    s->stray ? "in place of" : "before",
		    (int)(s->end_tag.len < 40 ? s->end_tag.len : 40), s->end_tag.at, s->line);
	} else {
		snprintf(where, sizeof where, "after line %u, at the end of the document", s->line);
	}
	err_at(&mine, ERR_SYNTAX, e->line, e->column,
	    "%s opened at line %u is not closed: write </%.*s> %s",
	    unclosed_tag(e, tag, sizeof tag), e->line, TEXT_ARGS(e->name), where);
	if (findings != NULL)
		finding_add(findings, SEVERITY_ERROR, "L001", NULL, e->line, e->column,
		    "%s opened at line %u is not closed: write </%.*s> %s", tag, e->line,
		    TEXT_ARGS(e->name), where);
	if (err->text[0] == '\0')
		*err = mine;
}

static void
unclosed_report_quote(const struct unclosed *u, size_t quote, struct findings *findings,
    struct err *err)
{
	unsigned line = 1, column = 1;

	for (size_t i = 0; i < quote; i++) {
		column = u->source.at[i] == '\n' ? 1 :
		    column + (((uint8_t)u->source.at[i] & 0xc0) != 0x80);
		line += u->source.at[i] == '\n';
	}
	err_clear(err);
	err_at(err, ERR_SYNTAX, line, column, "the value that begins here has no closing %c: write "
	    "it before the tag ends", u->source.at[quote]);
	if (findings != NULL)
		finding_add(findings, SEVERITY_ERROR, "L001", NULL, line, column, "%s", err->text);
}

bool
unclosed_explain(const struct unclosed *u, struct findings *findings, struct err *err)
{
	const struct element *ends[DOCUMENT_DEPTH] = { NULL };
	struct stop s = unclosed_stop(u);
	struct err told = *err;

	if (s.quote < u->source.len) {
		unclosed_report_quote(u, s.quote, findings, err);
		return true;
	}
	if ((s.end_tag.at == NULL && !s.end_of_text) || s.from == s.to)
		return false;
	err_clear(err);
	unclosed_replay(u, ends);
	/* The innermost open characteristic is the most useful one: the root is only
	 * open because of it. */
	for (size_t i = s.from; i < s.to; i++)
		if (i > 0 || s.to == 1)
			unclosed_report(u, u->open[i], ends[i], &s, findings, err);
	if (s.from == 0 && s.to > 1)
		unclosed_report(u, u->open[0], NULL, &s, findings, err);
	if (err->code == ERR_NONE)
		*err = told;
	return true;
}
