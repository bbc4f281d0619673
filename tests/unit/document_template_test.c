/*
 * document_template_test.c - filling in templates, and that the shipped ones make good documents
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/finding.h"
#include "document/document.h"
#include "document/lint.h"
#include "document/template.h"

enum { FILE_MOST = 32 * 1024 };

static const struct {
	const char	*name, *tmpl, *set, *value, *want;
	unsigned	 line, column;		/* of the error when want is NULL */
	const char	*why;
} rows[] = {
	{ "a field", "a${X}b", "X", "1", "a1b", 0, 0, NULL },
	{ "a field twice", "${X}${X}", "X", "1", "11", 0, 0, NULL },
	{ "quoted as it goes in", "\"${X}\"", "X", "<&\">", "\"&lt;&amp;&quot;&gt;\"", 0, 0, NULL },
	{ "other characters by number, whatever the charset", "${X}", "X", "\xc3\xa4\xe2\x82\xac" "\xf0\x9f\x98\x80",
	  "&#xE4;&#x20AC;&#x1F600;", 0, 0, NULL },
	{ "default", "${X:-d e}", NULL, NULL, "d e", 0, 0, NULL },
	{ "empty default", "[${X:-}]", NULL, NULL, "[]", 0, 0, NULL },
	{ "value before default", "${X:-d}", "X", "v", "v", 0, 0, NULL },
	{ "empty value before default", "${X:-d}", "X", "", "", 0, 0, NULL },
	{ "a default may hold what a value may", "${X:-http://a:-b/}", NULL, NULL, "http://a:-b/", 0, 0,
	  NULL },
	{ "dollars alone are text", "$ $X $$ {X}", NULL, NULL, "$ $X $$ {X}", 0, 0, NULL },
	{ "comments stay", "<!-- ${X} -->y", NULL, NULL, "<!-- ${X} -->y", 0, 0, NULL },
	{ "fields behind a comment", "<!-- ${X} -->${X}", "X", "1", "<!-- ${X} -->1", 0, 0, NULL },
	{ "values are not filled again", "${X}", "X", "${X}", "${X}", 0, 0, NULL },
	{ "no value", "a\n  b${X}", NULL, NULL, NULL, 2, 4, "needs a value for X" },
	{ "a value that nobody wants", "a", "X", "1", NULL, 0, 0, "no field X" },
	{ "a value that only a comment wants", "<!-- ${X} -->", "X", "1", NULL, 0, 0, "no field X" },
	{ "no end", "a${X", NULL, NULL, NULL, 1, 2, "without }" },
	{ "no name", "${}", NULL, NULL, NULL, 1, 1, "no name" },
	{ "a name with blanks", "${A B}", NULL, NULL, NULL, 1, 1, "no name" },
	{ "a value that is not UTF-8", "${X}", "X", "\xff", NULL, 1, 1, "UTF-8" },
	{ "a value with a control character", "${X}", "X", "a\x01", NULL, 1, 1, "control" },
	{ "columns count characters", "\xc3\xa4${X}", NULL, NULL, NULL, 1, 2, "needs" },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct template_value v = { text_of(rows[i].set), text_of(rows[i].value) };
		struct buf out = buf_heap(FILE_MOST);
		struct err err = { 0 };
		int rc = template_fill(text_of(rows[i].tmpl), &v, rows[i].set != NULL, &out, &err);

		if (rows[i].want != NULL ? rc == -1 || strcmp(buf_cstr(&out), rows[i].want) != 0 :
		    rc == 0 || err.line != rows[i].line || err.column != rows[i].column ||
		    strstr(err.text, rows[i].why) == NULL)
			fail_msg("%s: %d %u:%u %s", rows[i].name, rc, err.line, err.column, err.text);
		buf_free(&out);
	}
}

static void
test_too_long(void **state)
{
	struct buf out = buf_heap(16);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(template_fill(TEXT("12345678901234567"), NULL, 0, &out, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	buf_free(&out);
}

#define V(name, value)	{ { name, sizeof(name) - 1 }, { value, sizeof(value) - 1 } }

static const struct shipped {
	const char	*file;
	size_t		 warnings;	/* that it has on purpose */
	struct template_value values[16];
} shipped[] = {
	{ "w7-bootstrap.xml", 0, { V("SERVER_ID", "srv.example"), V("SERVER_NAME", "Example"),
	  V("SERVER_URL", "https://dm.example/"), V("APN", "internet"), V("DEVICE_NAME", "dev1"),
	  V("DEVICE_SECRET", "devpw"), V("SERVER_SECRET", "srvpw") } },
	{ "trusted-provisioning-server.xml", 0, { V("SENDER", "1234"),
	  V("PROVURL", "http://www.example.com/TPS") } },
	{ "wifi-off.xml", 0, { { { NULL, 0 }, { NULL, 0 } } } },
	{ "remote-wipe.xml", 1, { { { NULL, 0 }, { NULL, 0 } } } },
	{ "gprs-access-point.xml", 0, { V("APN", "internet"), V("NAME", "Internet") } },
};

static void
test_shipped_templates(void **state)
{
	const char *source = getenv("KANTELE_SRC");
	static char room[FILE_MOST];

	(void)state;
	for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++) {
		struct lint_options options = { .target = LINT_OTA };
		struct findings found = { 0 };
		struct buf out = buf_heap(FILE_MOST);
		struct err err = { 0 };
		struct document *d;
		char path[512];
		size_t n, count = 0;
		FILE *f;

		snprintf(path, sizeof path, "%s/conf/templates/%s", source != NULL ? source : ".",
		    shipped[i].file);
		assert_non_null(f = fopen(path, "r"));
		n = fread(room, 1, sizeof room, f);
		fclose(f);
		while (shipped[i].values[count].name.at != NULL)
			count++;
		if (template_fill((struct text){ room, n }, shipped[i].values, count, &out, &err) == -1 ||
		    (d = document_parse(NULL, (struct text){ (char *)out.data, out.len }, NULL, &found,
		    &err)) == NULL)
			fail_msg("%s:%u:%u: %s", shipped[i].file, err.line, err.column, err.text);
		lint_document(d, &options, &found);
		if (found.errors > 0 || found.warnings != shipped[i].warnings) {
			findings_print(&found, shipped[i].file, stderr);
			fail_msg("%s", shipped[i].file);
		}
		findings_free(&found);
		document_free(&d);
		buf_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_shipped_templates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
