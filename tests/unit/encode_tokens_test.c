/*
 * encode_tokens_test.c - the compiled token tables beside the TSV they were made from
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "document/media.h"
#include "encode/tokens.h"

enum { COLUMNS = 8 };
enum { PAGE, KIND, TOKEN, NAME, VALUE, SINCE, STATUS };

static char *
tsv_path(const char *file, char *out, size_t size)
{
	const char *source = getenv("KANTELE_SRC");

	snprintf(out, size, "%s/tests/data/%s", source != NULL ? source : ".", file);
	return out;
}

static bool
tsv_row(FILE *f, char *line, size_t size, char *column[COLUMNS])
{
	char *rest = line;

	if (fgets(line, (int)size, f) == NULL)
		return false;
	line[strcspn(line, "\n")] = '\0';
	for (int i = 0; i < COLUMNS; i++)
		column[i] = rest != NULL ? strsep(&rest, "\t") : (char *)"";
	return true;
}

static const struct token_attribute *
attribute_of(const struct token_table *t, const char *name)
{
	for (size_t i = 0; i < t->attribute_count; i++)
		if (strcmp(t->attributes[i].name, name) == 0)
			return &t->attributes[i];
	return NULL;
}

/* What the table writes for a row of the TSV; 0: no token. */
static unsigned
written(const struct token_table *t, char *const c[COLUMNS])
{
	unsigned page = (unsigned)atoi(c[PAGE]);
	const struct token_attribute *a = attribute_of(t, c[NAME]);
	const struct token_word *w = NULL;
	bool exact = false;

	if (strcmp(c[KIND], "tag") == 0)
		w = token_find(t->tags, text_of(c[NAME]), &exact);
	else if (strcmp(c[KIND], "attrvalue") == 0)
		w = token_find(t->values, text_of(c[VALUE]), &exact);
	else if (c[VALUE][0] == '\0')
		return a != NULL ? a->code[page] : 0;
	else
		w = a != NULL ? token_find(a->values, text_of(c[VALUE]), &exact) : NULL;
	return w != NULL && exact ? w->code[page] : 0;
}

/* Whether the table reads the code of a row as the row says. */
static bool
reads(const struct token_table *t, char *const c[COLUMNS], unsigned code)
{
	unsigned page = (unsigned)atoi(c[PAGE]);
	const struct token_start *s;
	const char *text;

	if (strcmp(c[KIND], "tag") == 0)
		text = t->tag_at[page][code & 0x3f];
	else if (strcmp(c[KIND], "attrvalue") == 0)
		text = t->value_at[page][code & 0x7f];
	else {
		s = &t->start_at[page][code];
		return s->name != NULL && strcmp(s->name, c[NAME]) == 0 &&
		    strcmp(s->value != NULL ? s->value : "", c[VALUE]) == 0;
	}
	return text != NULL && strcmp(text, strcmp(c[KIND], "tag") == 0 ? c[NAME] : c[VALUE]) == 0;
}

static void
compare_with_tsv(const struct token_table *t, const char *file, int wanted_core)
{
	char path[512], line[512], *c[COLUMNS];
	FILE *f = fopen(tsv_path(file, path, sizeof path), "r");
	int core = 0;

	assert_non_null(f);
	assert_true(tsv_row(f, line, sizeof line, c));		/* the head */
	while (tsv_row(f, line, sizeof line, c)) {
		unsigned code = (unsigned)strtoul(c[TOKEN], NULL, 16);
		bool inline_only = strcmp(c[PAGE], "1") == 0 && strcmp(c[KIND], "attrvalue") == 0 &&
		    code >= 0x90 && code <= 0x93 && wanted_core == 182;

		if (strcmp(c[STATUS], "core") == 0 && !inline_only && written(t, c) != code)
			fail_msg("%s %s %s %s: writes %02X", c[KIND], c[TOKEN], c[NAME], c[VALUE],
			    written(t, c));
		if ((strcmp(c[STATUS], "core") != 0 || inline_only) && written(t, c) == code)
			fail_msg("%s %s %s %s must not be written", c[KIND], c[TOKEN], c[NAME], c[VALUE]);
		if (reads(t, c, code) != (strcmp(c[STATUS], "never") != 0))
			fail_msg("%s %s %s %s (%s): reads otherwise", c[KIND], c[TOKEN], c[NAME], c[VALUE],
			    c[STATUS]);
		core += strcmp(c[STATUS], "core") == 0;
	}
	fclose(f);
	assert_int_equal(core, wanted_core);
}

/* Nothing is read that the TSV does not list. */
static void
count_readable(const struct token_table *t, int wanted)
{
	int n = 0;

	for (unsigned page = 0; page < TOKEN_PAGES; page++) {
		for (unsigned i = 0; i < 0x40; i++)
			n += t->tag_at[page][i] != NULL;
		for (unsigned i = 0; i < 0x80; i++)
			n += (t->start_at[page][i].name != NULL) + (t->value_at[page][i] != NULL);
	}
	assert_int_equal(n, wanted);
}

static void
test_provisioning_is_the_tsv(void **state)
{
	(void)state;
	/* 177 attribute rows and 5 tags are core, 42 more are read */
	compare_with_tsv(token_table_of(&media_provisioning), "cp-tokens.tsv", 182);
	count_readable(token_table_of(&media_provisioning), 182 + 42);
}

static void
test_older_types_are_theirs(void **state)
{
	(void)state;
	compare_with_tsv(token_table_of(&media_browser_settings), "ota-tokens.tsv", 57);
	count_readable(token_table_of(&media_browser_settings), 57);
	assert_ptr_equal(token_table_of(&media_browser_bookmarks),
	    token_table_of(&media_browser_settings));
	compare_with_tsv(token_table_of(&media_syncsettings), "sync-tokens.tsv", 20);
	count_readable(token_table_of(&media_syncsettings), 20);
}

static const struct {
	const char	*name, *spelling, *found;
	bool		 exact;
} spellings[] = {
	{ "as it is",				"NAP-ADDRESS",	"NAP-ADDRESS",	true },
	{ "lower case",				"nap-address",	"NAP-ADDRESS",	false },
	{ "a sign that differs in the case bit", "NAP\rADDRESS", NULL,		false },
	{ "prefix",				"NAP-ADDR",	NULL,		false },
	{ "longer",				"NAP-ADDRESSES", NULL,		false },
	{ "empty",				"",		NULL,		false },
	{ "known but never written",		"netmode",	"NETMODE",	false },
};

static void
test_find_folds_letters_only(void **state)
{
	const struct token_table *t = token_table_of(&media_provisioning);

	(void)state;
	for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
		bool exact = false;
		const struct token_word *w = token_find(attribute_of(t, "name")->values,
		    text_of(spellings[i].spelling), &exact);

		if ((w == NULL) != (spellings[i].found == NULL) ||
		    (w != NULL && (strcmp(w->text, spellings[i].found) != 0 ||
		    exact != spellings[i].exact)))
			fail_msg("%s", spellings[i].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_provisioning_is_the_tsv),
		cmocka_unit_test(test_older_types_are_theirs),
		cmocka_unit_test(test_find_folds_letters_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
