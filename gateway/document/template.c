/*
 * template.c - a document's ${NAME} fields become values
 *
 * Comments are copied as they are, so that they can tell which fields there are.
 *
 * Knows:     ${NAME} and ${NAME:-default}.
 * Does not:  know XML beyond comments: what comes out is parsed like any document.
 * Owns:      nothing.
 * Threads:   pure, any thread.
 */
#include "document/template.h"

#include <stdbool.h>

#include "base/buf.h"

enum { VALUES_MOST = 256 };

struct filling {
	struct text	 tmpl;
	const struct template_value *values;
	size_t		 count;
	bool		 used[VALUES_MOST];
	struct buf	*out;
	struct err	*err;
};

static int
template_fault(const struct filling *f, size_t at, const char *what, struct text name)
{
	unsigned line = 1, column = 1;

	for (size_t i = 0; i < at; i++) {
		column = f->tmpl.at[i] == '\n' ? 1 :
		    column + (((uint8_t)f->tmpl.at[i] & 0xc0) != 0x80);
		line += f->tmpl.at[i] == '\n';
	}
	return err_at(f->err, ERR_SYNTAX, line, column, what,
	    (int)(name.len < 60 ? name.len : 60), name.at != NULL ? name.at : "");
}

static bool
template_begins(struct text t, size_t at, const char *with)
{
	size_t n = strlen(with);

	return t.len - at >= n && memcmp(t.at + at, with, n) == 0;
}

static size_t
template_find(struct text t, size_t at, const char *what)
{
	while (at < t.len && !template_begins(t, at, what))
		at++;
	return at;
}

static bool
template_name_good(struct text name)
{
	for (size_t i = 0; i < name.len; i++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.",
		    name.at[i]) == NULL || name.at[i] == '\0')
			return false;
	return name.len > 0;
}

/* Characters outside of ASCII go in by number, so that they are right in whatever charset
 * the template declares. The value is UTF-8, checked. */
static void
template_quote(struct text value, struct buf *out)
{
	for (size_t i = 0, n; i < value.len; i += n) {
		uint8_t first = (uint8_t)value.at[i];
		uint32_t c = first < 0xe0 ? first & 0x1f : first < 0xf0 ? first & 0x0f : first & 0x07;

		n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
		for (size_t k = 1; k < n; k++)
			c = c << 6 | ((uint8_t)value.at[i + k] & 0x3f);
		if (n == 1)
			text_xml_quote((struct text){ value.at + i, 1 }, out);
		else
			buf_printf(out, "&#x%X;", (unsigned)c);
	}
}

/* Values may be secrets: an error names the field, never what is in it. */
static int
template_put(struct filling *f, size_t at, struct text name, struct text value)
{
	for (size_t i = 0; i < value.len; i++)
		if ((uint8_t)value.at[i] < 0x20 && strchr("\t\r\n", value.at[i]) == NULL)
			return template_fault(f, at, "the value of %.*s has a control character", name);
	if (value.len > 0 && memchr(value.at, 0, value.len) != NULL)
		return template_fault(f, at, "the value of %.*s has a zero octet", name);
	if (text_utf8_bad(value) >= 0)
		return template_fault(f, at, "the value of %.*s is not UTF-8", name);
	template_quote(value, f->out);
	return 0;
}

/* The field at `at`; *next is behind it. */
static int
template_field(struct filling *f, size_t at, size_t *next)
{
	size_t end = template_find(f->tmpl, at, "}"), split;
	struct text name = { f->tmpl.at + at + 2, 0 }, fallback = { NULL, 0 };

	if (end == f->tmpl.len)
		return template_fault(f, at, "${ without }%.*s", (struct text){ NULL, 0 });
	name.len = end - at - 2;
	split = template_find((struct text){ f->tmpl.at, end }, at, ":-");
	if (split < end) {
		fallback = (struct text){ f->tmpl.at + split + 2, end - split - 2 };
		name.len = split - at - 2;
	}
	*next = end + 1;
	if (!template_name_good(name))
		return template_fault(f, at, "\"%.*s\" is no name of a field: letters, digits, _ - .",
		    name);
	for (size_t i = 0; i < f->count; i++)
		if (text_eq(f->values[i].name, name)) {
			f->used[i] = true;
			return template_put(f, at, name, f->values[i].value);
		}
	if (fallback.at == NULL)
		return template_fault(f, at, "the template needs a value for %.*s", name);
	buf_bytes(f->out, fallback.at, fallback.len);	/* stands in the template as XML */
	return 0;
}

static int
template_unused(const struct filling *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (!f->used[i])
			return err_set(f->err, ERR_SYNTAX, "the template has no field %.*s",
			    (int)(f->values[i].name.len < 60 ? f->values[i].name.len : 60),
			    f->values[i].name.at);
	return 0;
}

int
template_fill(struct text tmpl, const struct template_value *values, size_t count,
    struct buf *out, struct err *err)
{
	struct filling f = { .tmpl = tmpl, .values = values, .count = count, .out = out,
	    .err = err };
	size_t at = 0, next = 0;

	if (count > VALUES_MOST)
		return err_set(err, ERR_LIMIT, "more than %d values for a template", VALUES_MOST);
	for (; at < tmpl.len; at = next) {
		if (template_begins(tmpl, at, "<!--")) {
			next = template_find(tmpl, at, "-->");
			buf_bytes(out, tmpl.at + at, next - at);
		} else if (!template_begins(tmpl, at, "${")) {
			next = at + 1;
			buf_u8(out, (uint8_t)tmpl.at[at]);
		} else if (template_field(&f, at, &next) == -1) {
			return -1;
		}
	}
	if (template_unused(&f) == -1)
		return -1;
	return out->overflow ? err_set(err, ERR_LIMIT, "the filled template is too long") : 0;
}
