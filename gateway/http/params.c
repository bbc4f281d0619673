/*
 * params.c - parameters of a request
 *
 * Knows:     Kannel's splitting and its way of reading numbers.
 * Does not:  know what a parameter means.
 * Owns:      nothing; decoded values lie in the request's memory.
 * Threads:   the loop.
 */
#include "http/params.h"

#include <limits.h>

#include "base/buf.h"
#include "io/httpd.h"

void
params_init(struct params *p)
{
	memset(p->text, 0, sizeof p->text);
	memset(p->number, 0xFF, sizeof p->number);	/* all -1 */
	memset(p->by_alias, 0, sizeof p->by_alias);
}

static bool
is_named(struct text name, const char *what)
{
	/* most rows differ in the first octet */
	return what != NULL && name.len > 0 && name.at[0] == what[0] && text_is(name, what);
}

static const struct param_row *
row_of(const struct param_row *rows, struct text name)
{
	for (; rows->name != NULL; rows++)
		if (is_named(name, rows->name) || is_named(name, rows->alias))
			return rows;
	return NULL;
}

struct text
params_unquote(struct http_request *r, struct text t)
{
	struct buf b;
	char *room;

	if (memchr(t.at, '%', t.len) == NULL && memchr(t.at, '+', t.len) == NULL)
		return t;
	if ((room = http_alloc(r, t.len)) == NULL)
		return (struct text){ 0 };
	b = buf_on(room, t.len);
	text_unquote(t, &b);
	return (struct text){ room, b.len };
}

static bool
next_pair(struct text *rest, struct text *pair)
{
	const char *at = rest->at, *end = at + rest->len;

	while (at < end && *at == '&')
		at++;
	*pair = (struct text){ at, 0 };
	while (at < end && *at != '&')
		at++;
	pair->len = (size_t)(at - pair->at);
	*rest = (struct text){ at, (size_t)(end - at) };
	return pair->len > 0;
}

int
params_read(struct params *p, const struct param_row *rows, struct http_request *r,
    struct text pairs)
{
	struct text pair;

	while (pairs.len > 0 && next_pair(&pairs, &pair)) {
		const char *equals = memchr(pair.at, '=', pair.len);
		struct text name = pair, value = TEXT("");
		const struct param_row *row;
		bool alias;

		if (equals != NULL) {
			name.len = (size_t)(equals - pair.at);
			value = (struct text){ equals + 1, pair.len - name.len - 1 };
		}
		if ((name = params_unquote(r, name)).at == NULL)
			return -1;
		if ((row = row_of(rows, name)) == NULL)
			continue;
		alias = !is_named(name, row->name);
		if (p->text[row->param].at != NULL && (alias || !p->by_alias[row->param]))
			continue;
		if ((p->text[row->param] = params_unquote(r, value)).at == NULL)
			return -1;
		p->by_alias[row->param] = alias;
	}
	return 0;
}

void
params_read_headers(struct params *p, const struct param_row *rows, const struct http_request *r)
{
	for (; rows->name != NULL; rows++) {
		struct text value;

		if (rows->header == NULL || p->text[rows->param].at != NULL)
			continue;
		value = http_header(r, rows->header);
		if (value.at != NULL)
			p->text[rows->param] = text_trim(value);
	}
}

/* Kannel scans: blanks, a sign, digits; what follows is ignored, and text without digits
 * is as if nothing had been given. */
static long
scan_number(struct text t)
{
	struct text rest = text_trim(t);
	bool minus = rest.len > 0 && rest.at[0] == '-';
	size_t i = rest.len > 0 && (minus || rest.at[0] == '+');
	long n = 0;

	if (i >= rest.len || rest.at[i] < '0' || rest.at[i] > '9')
		return -1;
	for (; i < rest.len && rest.at[i] >= '0' && rest.at[i] <= '9'; i++)
		n = n > INT_MAX ? n : n * 10 + (rest.at[i] - '0');
	return minus ? -n : n;
}

const struct param_row *
params_check(struct params *p, const struct param_row *rows)
{
	for (; rows->name != NULL; rows++) {
		long n;

		if (!rows->number || p->text[rows->param].at == NULL)
			continue;
		n = scan_number(p->text[rows->param]);
		if (n != -1 && (n < rows->least || n > rows->most))
			return rows;
		p->number[rows->param] = n;
	}
	return NULL;
}

struct text
params_of_header(struct text value, const char *name)
{
	struct text rest = value, part, key;

	if (!text_cut(&rest, ';', &part))
		return (struct text){ 0 };
	while (rest.at != NULL && text_cut(&rest, ';', &part)) {
		if (!text_cut(&part, '=', &key) || part.at == NULL ||
		    !text_eq_nocase(text_trim(key), text_of(name)))
			continue;
		part = text_trim(part);
		if (part.len >= 2 && part.at[0] == '"' && part.at[part.len - 1] == '"')
			part = (struct text){ part.at + 1, part.len - 2 };
		return part;
	}
	return (struct text){ 0 };
}
