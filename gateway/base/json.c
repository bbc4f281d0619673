/*
 * json.c - a JSON writer without a tree
 *
 * Knows:     RFC 8259: commas, escapes.
 * Does not:  check that brackets match; the caller's code shows that they do.
 * Owns:      nothing.
 * Threads:   pure.
 */
#include "base/json.h"

#include "base/buf.h"

/* Text that is UTF-8: `"`, `\` and control characters (RFC 8259, 7). DEL too, for
 * terminals that show JSON lines. */
static void
json_escape(struct text t, struct buf *out)
{
	static const char short_of[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	size_t mark = 0;

	for (size_t i = 0; i < t.len; i++) {
		unsigned char c = (unsigned char)t.at[i];
		const char *at = NULL;

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F)
			continue;
		buf_bytes(out, t.at + mark, i - mark);
		mark = i + 1;
		for (const char *p = short_of; *p != '\0' && at == NULL; p += 2)
			if ((unsigned char)*p == c)
				at = p + 1;
		if (at != NULL)
			buf_bytes(out, (char[]){ '\\', *at }, 2);
		else
			buf_printf(out, "\\u%04x", c);
	}
	if (t.len > mark)
		buf_bytes(out, t.at + mark, t.len - mark);
}

static void
json_string(struct text t, struct buf *out)
{
	long bad;

	buf_u8(out, '"');
	while (t.len > 0 && (bad = text_utf8_bad(t)) >= 0) {
		json_escape((struct text){ t.at, (size_t)bad }, out);
		buf_str(out, "\xEF\xBF\xBD");		/* U+FFFD */
		t = (struct text){ t.at + bad + 1, t.len - (size_t)bad - 1 };
	}
	json_escape(t, out);
	buf_u8(out, '"');
}

static void
json_begin(struct json *j, const char *name)
{
	if (j->comma)
		buf_u8(j->out, ',');
	j->comma = true;
	if (name != NULL) {
		json_string(text_of(name), j->out);
		buf_u8(j->out, ':');
	}
}

void
json_open(struct json *j, const char *name, char bracket)
{
	json_begin(j, name);
	buf_u8(j->out, (uint8_t)bracket);
	j->comma = false;
}

void
json_close(struct json *j, char bracket)
{
	buf_u8(j->out, (uint8_t)bracket);
	j->comma = true;
}

/* An absent text is null, an empty one "". */
void
json_text(struct json *j, const char *name, struct text t)
{
	json_begin(j, name);
	if (t.at == NULL)
		buf_str(j->out, "null");
	else
		json_string(t, j->out);
}

void
json_number(struct json *j, const char *name, int64_t n)
{
	json_begin(j, name);
	buf_printf(j->out, "%lld", (long long)n);
}

void
json_flag(struct json *j, const char *name, bool yes)
{
	json_begin(j, name);
	buf_str(j->out, yes ? "true" : "false");
}

void
json_null(struct json *j, const char *name)
{
	json_begin(j, name);
	buf_str(j->out, "null");
}
