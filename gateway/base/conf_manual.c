/*
 * conf_manual.c - the manual's list of keys, from the rows that the program itself uses
 *
 * Knows:     mdoc(7), as much as a tagged list needs.
 * Does not:  know any key by name.
 * Owns:      nothing.
 * Threads:   the loop, or a command's only thread.
 */
#include "base/conf.h"

#include "base/buf.h"
#include "base/conf_own.h"

static const char *const type_names[] = {
	[CONF_TEXT] = "text",
	[CONF_SECRET] = "secret",
	[CONF_NUMBER] = "number",
	[CONF_PORT] = "port",
	[CONF_SECONDS] = "seconds",
	[CONF_MINUTES] = "minutes",
	[CONF_RATE] = "number per second",
	[CONF_FLAG] = "yes | no",
	[CONF_CHOICE] = NULL,			/* its choices */
	[CONF_REGEX] = "regular expression",
	[CONF_IPRULES] = "addresses",
	[CONF_URL] = "URL",
};

/* A backslash begins an escape; a '.' or ''' is a request only at a line's beginning. */
static void
manual_text(struct buf *out, const char *text, bool at_start)
{
	if (at_start && (text[0] == '.' || text[0] == '\''))
		buf_str(out, "\\&");
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			buf_str(out, "\\e");
		else if (*text == '"')
			buf_str(out, "\\(dq");
		else if (*text == '\n')
			buf_u8(out, ' ');
		else
			buf_u8(out, (uint8_t)*text);
	}
}

static void
manual_item(const struct conf_key *k, struct buf *out)
{
	buf_str(out, ".It Cm ");
	manual_text(out, k->name, false);
	buf_str(out, " No = Ar \"");
	if (k->type != CONF_CHOICE)
		buf_str(out, type_names[k->type]);
	for (const char *const *c = k->choices; k->type == CONF_CHOICE && c != NULL && *c != NULL; c++) {
		buf_str(out, c > k->choices ? " | " : "");
		manual_text(out, *c, false);
	}
	buf_str(out, "\"\n");
	if (k->text != NULL) {
		manual_text(out, k->text, true);
		buf_u8(out, '\n');
	}
	if (k->required)
		buf_str(out, "Must be given.\n");
	if (k->standard != NULL) {
		buf_str(out, "Default: \\(oq");
		manual_text(out, k->standard, false);
		buf_str(out, "\\(cq.\n");
	}
	if (k->least != 0 || k->most != 0)
		buf_printf(out, "From %ld to %ld.\n", k->least, k->most);
	if (k->effect != CONF_WORKS)
		buf_str(out, k->effect == CONF_LATER ? "No effect yet.\n" : "No effect.\n");
}

void
conf_manual(const struct conf_group_type *type, struct buf *out)
{
	bool any = false;

	buf_str(out, ".Ss group = ");
	manual_text(out, type->name, false);
	buf_u8(out, '\n');
	if (type->text != NULL) {
		manual_text(out, type->text, true);
		buf_u8(out, '\n');
	}
	buf_str(out, type->many ? "There may be several.\n" : "The last one counts.\n");
	if (type->effect != CONF_WORKS)
		buf_str(out, type->effect == CONF_LATER ? "No effect yet.\n" : "No effect.\n");
	for (const struct conf_key *const *t = type->keys; t != NULL && *t != NULL; t++)
		for (const struct conf_key *k = *t; k->name != NULL; k++) {
			buf_str(out, any ? "" : ".Bl -tag -width Ds\n");
			any = true;
			manual_item(k, out);
		}
	buf_str(out, any ? ".El\n" : "");
}
