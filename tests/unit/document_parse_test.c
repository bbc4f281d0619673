/*
 * document_parse_test.c - XML to a tree, what is refused, and what is not closed
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/finding.h"
#include "document/document.h"
#include "document/media.h"

enum { FILE_MOST = 32 * 1024 };

static struct text
file_text(const char *name)
{
	static char room[FILE_MOST];
	const char *source = getenv("KANTELE_SRC");
	char path[512];
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "%s/tests/data/%s", source != NULL ? source : ".", name);
	assert_non_null(f = fopen(path, "r"));
	assert_true((n = fread(room, 1, sizeof room, f)) > 0);
	fclose(f);
	return (struct text){ room, n };
}

#define DOC(content)	"<wap-provisioningdoc>" content "</wap-provisioningdoc>"

static const struct {
	const char	*name, *xml;
	enum err_code	 code;
	unsigned	 line, column;		/* 0: not looked at */
	const char	*why;
} refused[] = {
	{ "nothing at all", "", ERR_SYNTAX, 0, 0, "" },
	{ "no XML", "hello", ERR_SYNTAX, 1, 0, "" },
	{ "root that no type has", "<html/>", ERR_SYNTAX, 1, 1, "<wap-provisioningdoc>" },
	{ "text behind the root", DOC("") "trailing", ERR_SYNTAX, 1, 0, "" },
	{ "entity declaration", "<!DOCTYPE wap-provisioningdoc [<!ENTITY a \"b\">]>" DOC("&a;"),
	  ERR_SYNTAX, 1, 0, "entit" },
	{ "entity bomb", "<!DOCTYPE wap-provisioningdoc [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b "
	  "\"&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;\">]>" DOC("&c;"), ERR_SYNTAX, 1, 0,
	  "entit" },
	{ "external entity", "<!DOCTYPE wap-provisioningdoc [<!ENTITY a SYSTEM \"/etc/passwd\">]>"
	  DOC("&a;"), ERR_SYNTAX, 1, 0, "entit" },
	{ "octets that are not UTF-8 are told as such, not as a quote that is open",
	  DOC("<characteristic type=\"\xe4\"/>"), ERR_SYNTAX, 1, 44, "UTF-8" },
	{ "a section that would be lost", DOC("<characteristic type=\"a\">\n<![CDATA[x]]>"
	  "</characteristic>"), ERR_SYNTAX, 2, 1, "CDATA" },
	{ "an empty one is refused too", DOC("<![CDATA[]]>"), ERR_SYNTAX, 1, 22, "CDATA" },
	{ "charset that nobody knows", "<?xml version=\"1.0\" encoding=\"x-none\"?>" DOC(""),
	  ERR_SYNTAX, 0, 0, "x-none" },
	{ "an attribute twice, once in capitals",
	  DOC("<characteristic type=\"a\" TYPE=\"b\"/>"), ERR_SYNTAX, 1, 22, "twice" },
	{ "a value whose quote is missing", "<wap-provisioningdoc>\n<characteristic type=\"a>\n"
	  "</characteristic>\n</wap-provisioningdoc>", ERR_SYNTAX, 2, 22, "no closing \"" },
	{ "the same before the root's end tag", DOC("<characteristic type='a "), ERR_SYNTAX, 1, 43,
	  "no closing '" },
	{ "apostrophes and quotes elsewhere do not matter", "<!-- it's \" --><?x ' ?>"
	  DOC("it's<characteristic type=\"'\">"), ERR_SYNTAX, 1, 0, "is not closed" },
	{ "a value without quotes", DOC("\n<parm name=x/>"), ERR_SYNTAX, 2, 0, "" },
};

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct findings found = { 0 };
		struct err err = { 0 };
		struct document *d = document_parse(NULL, text_of(refused[i].xml), NULL, &found, &err);

		if (d != NULL || err.code != refused[i].code || err.text[0] == '\0' ||
		    found.errors == 0 ||
		    (refused[i].line != 0 && err.line != refused[i].line) ||
		    (refused[i].column != 0 && err.column != refused[i].column) ||
		    strcasestr(err.text, refused[i].why) == NULL)
			fail_msg("%s: %d %u:%u %s", refused[i].name, err.code, err.line, err.column,
			    err.text);
		findings_free(&found);
	}
}

static struct document *
parse_repeated(const char *head, const char *each, const char *tail, size_t times,
    struct err *err)
{
	struct buf xml = buf_heap(8 * 1024 * 1024);
	struct document *d;

	buf_str(&xml, head);
	for (size_t i = 0; i < times; i++)
		buf_printf(&xml, each, (int)i);
	buf_str(&xml, tail);
	d = document_parse(NULL, (struct text){ (char *)xml.data, xml.len }, NULL, NULL, err);
	buf_free(&xml);
	return d;
}

/* Clear, at once and without growth, whatever is thrown at it. */
static void
test_limits(void **state)
{
	static const struct {
		const char	*name, *head, *each, *tail;
		size_t		 times;
	} rows[] = {
		{ "200,000 nested elements", "<wap-provisioningdoc>", "<a>", "", 200000 },
		{ "one nested element too many", "<wap-provisioningdoc>", "<a>", "", DOCUMENT_DEPTH },
		{ "20,000 elements", "<wap-provisioningdoc>", "<a/>", "", 20000 },
		{ "1,000 attributes", "<wap-provisioningdoc ", "a%d='' ", "/>", 1000 },
		{ "too long a value", "<wap-provisioningdoc a='", "%d              ", "'/>", 60000 },
		{ "too long a comment", "<!-- ", "%d            ", "--><a/>", 60000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = { 0 };
		clock_t start = clock();
		struct document *d = parse_repeated(rows[i].head, rows[i].each, rows[i].tail,
		    rows[i].times, &err);
		double spent = (double)(clock() - start) / CLOCKS_PER_SEC;

		if (d != NULL || err.code != ERR_LIMIT)
			fail_msg("%s: %d %s", rows[i].name, err.code, err.text);
		if (spent > 0.5)
			fail_msg("%s took %.0f ms", rows[i].name, spent * 1000);
	}
}

/* Every beginning of a good document is refused with a place, and every octet of it may be
 * another. */
static void
test_damage(void **state)
{
	static const char hostile[] = { '\0', '<', '>', '&', '"', '/', '\xff', '\x80', '\x1b', ']' };
	static const char *const files[] = { "vectors/d1.xml", "w7.xml" };

	(void)state;
	for (size_t f = 0; f < 2; f++) {
		struct text xml = file_text(files[f]);
		char *copy = malloc(xml.len);
		size_t end = xml.len;

		assert_non_null(copy);
		while (end > 0 && (xml.at[end - 1] == '\n' || xml.at[end - 1] == ' '))
			end--;
		for (size_t n = 0; n < end; n++) {
			struct err err = { 0 };

			memcpy(copy, xml.at, n);	/* as long as it is, for ASan */
			if (document_parse(NULL, (struct text){ copy, n }, NULL, NULL, &err) != NULL ||
			    err.code != ERR_SYNTAX)
				fail_msg("%s: the first %zu octets: %s", files[f], n, err.text);
		}
		memcpy(copy, xml.at, xml.len);
		for (size_t i = 0; i < end; i++)
			for (size_t k = 0; k < sizeof hostile; k++) {
				struct err err = { 0 };
				struct document *d;

				copy[i] = hostile[k];
				d = document_parse(NULL, (struct text){ copy, xml.len }, NULL, NULL, &err);
				if (d == NULL && (err.code == ERR_NONE || err.text[0] == '\0'))
					fail_msg("%s: octet %zu: nothing is said", files[f], i);
				document_free(&d);
				copy[i] = xml.at[i];
			}
		free(copy);
	}
}

static void
test_tree_and_places(void **state)
{
	struct document *d = document_parse(NULL, TEXT("<?xml version=\"1.0\"?>\n"
	    "<Wap-ProvisioningDoc VERSION=\"1.1\">\n"
	    "  <characteristic type=\"napdef\">\n"
	    "    <parm NAME=\"napid\" value=\"\"/><parm name=\"INTERNET\"/>\n"
	    "    <noparm name=\"x\" Datatype=\"y\">text</noparm>\n"
	    "  </characteristic>\n</Wap-ProvisioningDoc>"), NULL, NULL, NULL);
	const struct element *root, *c, *p;

	(void)state;
	assert_non_null(d);
	assert_ptr_equal(document_media(d), &media_provisioning);
	root = document_root(d);
	assert_true(text_is(root->name, "wap-provisioningdoc"));
	assert_true(text_is(element_get(root, "version"), "1.1"));
	assert_int_equal(root->line, 2);
	assert_int_equal(root->column, 1);
	c = root->children;
	assert_true(text_is(element_get(c, "type"), "napdef"));	/* values stay as they are */
	assert_int_equal(c->line, 3);
	assert_int_equal(c->column, 3);
	assert_ptr_equal(c->parent, root);
	p = c->children;
	assert_true(text_is(p->attributes->name, "name"));
	assert_true(element_get(p, "value").at != NULL && element_get(p, "value").len == 0);
	p = p->next;
	assert_null(element_get(p, "value").at);
	assert_int_equal(p->line, 4);
	assert_int_equal(p->column, 34);
	p = p->next;
	assert_true(text_is(p->name, "noparm"));
	assert_true(text_is(p->attributes->next->name, "Datatype"));	/* not ours to mend */
	assert_null(p->text.at);
	assert_null(p->next);
	document_free(&d);
	assert_null(d);
}

static void
test_odd_spelling_is_told(void **state)
{
	struct findings found = { 0 };
	struct document *d = document_parse(NULL, TEXT("<wap-provisioningdoc>\n<Characteristic "
	    "Type=\"x\">a<parm name=\"n\"/>b</Characteristic></wap-provisioningdoc>"), NULL, &found,
	    NULL);

	(void)state;
	assert_non_null(d);
	assert_int_equal(found.count, 3);
	assert_string_equal(found.list[0].code, "L005");
	assert_non_null(strstr(found.list[0].text, "write characteristic"));
	assert_int_equal(found.list[0].line, 2);
	assert_string_equal(found.list[1].code, "L005");
	assert_string_equal(found.list[2].code, "L007");	/* once for each element */
	assert_int_equal(found.errors, 0);
	findings_free(&found);
	document_free(&d);
}

static void
test_words_for_xml_readers_go(void **state)
{
	struct findings found = { 0 };
	struct document *d = document_parse(NULL, TEXT("\n<?xml version=\"1.0\"?>"
	    "<wap-provisioningdoc xmlns=\"u\" xmlns:x=\"v\" version=\"1.1\" xml:lang=\"en\">"
	    "<characteristic xmlnsx=\"y\" x:z=\"w\"/></wap-provisioningdoc>"), NULL, &found, NULL);
	const struct element *root, *c;

	(void)state;
	assert_non_null(d);
	root = document_root(d);
	assert_true(text_is(root->attributes->name, "version"));
	assert_null(root->attributes->next);
	c = root->children;
	assert_true(text_is(c->attributes->name, "xmlnsx"));
	assert_true(text_is(c->attributes->next->name, "x:z"));
	assert_int_equal(found.errors, 0);
	assert_int_equal(found.warnings, 1);
	assert_string_equal(found.list[found.count - 1].code, "L008");	/* the blank at the top */
	findings_free(&found);
	document_free(&d);
}

static const struct {
	const char	*name, *xml, *charset, *value;
} charsets[] = {
	{ "UTF-8 without a declaration", DOC("<parm name=\"\xc3\xa4\"/>"), NULL, "\xc3\xa4" },
	{ "ISO-8859-1 declared", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>"
	  DOC("<parm name=\"\xe4\"/>"), NULL, "\xc3\xa4" },
	{ "the caller overrides", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
	  DOC("<parm name=\"\xe4\"/>"), "ISO-8859-1", "\xc3\xa4" },
	{ "one that only iconv knows", "<?xml version=\"1.0\" encoding=\"KOI8-R\"?>"
	  DOC("<parm name=\"\xc1\"/>"), NULL, "\xd0\xb0" },
	{ "characters by number", DOC("<parm name=\"&#228;&#x20AC;\"/>"), NULL,
	  "\xc3\xa4\xe2\x82\xac" },
};

static void
test_charsets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++) {
		struct err err = { 0 };
		struct document *d = document_parse(NULL, text_of(charsets[i].xml), charsets[i].charset,
		    NULL, &err);

		if (d == NULL || !text_is(element_get(document_root(d)->children, "name"),
		    charsets[i].value))
			fail_msg("%s: %s", charsets[i].name, err.text);
		document_free(&d);
	}
}

static const struct {
	const char	*name, *type, *xml, *media, *why;	/* type: NULL not given */
} types[] = {
	{ "told by root", NULL, DOC(""), "provisioning", NULL },
	{ "by root without a DOCTYPE, which Kannel needs", "oma-settings", DOC(""), "provisioning",
	  NULL },
	{ "another DOCTYPE does not matter", "OMA-settings",
	  "<!DOCTYPE wap-provisioningdoc SYSTEM \"prov.dtd\">" DOC(""), "provisioning", NULL },
	{ "a section is text where values stand between tags", "syncsettings",
	  "<SyncSettings><Name><![CDATA[x]]></Name></SyncSettings>", "syncsettings", NULL },
	{ "settings that are provisioning", "settings", DOC(""), NULL, "give the type oma-settings" },
	{ "provisioning that is settings", "oma-settings", "<CHARACTERISTIC-LIST/>", NULL,
	  "give the type settings" },
	{ "settings that are nothing", "settings", "<html/>", NULL, "CHARACTERISTIC-LIST" },
	{ "a list without a type is settings, as in Kannel", NULL, "<characteristic-list/>",
	  "browser-settings", NULL },
	{ "the same root with a type", "bookmarks", "<characteristic-list/>", "browser-bookmarks",
	  NULL },
};

static void
test_types(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		const struct media *m = types[i].type != NULL ?
		    media_by_sendota_type(text_of(types[i].type)) : NULL;
		struct err err = { 0 };
		struct document *d = document_parse(m, text_of(types[i].xml), NULL, NULL, &err);

		if ((d == NULL) != (types[i].media == NULL) ||
		    (d != NULL && strcmp(document_media(d)->name, types[i].media) != 0) ||
		    (d == NULL && strstr(err.text, types[i].why) == NULL))
			fail_msg("%s: %s", types[i].name, err.text);
		document_free(&d);
	}
}

static void
test_media_lookups(void **state)
{
	(void)state;
	assert_ptr_equal(media_by_text_type(TEXT("Text/vnd.wap.connectivity-xml; charset=utf-8")),
	    &media_provisioning);
	assert_ptr_equal(media_by_text_type(TEXT("application/x-wap-prov.browser-bookmarks")),
	    &media_browser_bookmarks);
	assert_null(media_by_text_type(TEXT("text/plain")));
	assert_ptr_equal(media_by_wire_code(0x36), &media_provisioning);
	assert_ptr_equal(media_by_wire_code(0x20b), &media_syncsettings);
	assert_null(media_by_wire_code(0));
	assert_ptr_equal(media_by_wire_type(TEXT("application/vnd.wap.connectivity-wbxml")),
	    &media_provisioning);
	assert_null(media_by_sendota_type(TEXT("")));
}

static const struct {
	unsigned	 line, column;
	const char	*text;
} broken_seed[] = {
	{ 2, 3, "<characteristic type=\"APPLICATION\"> opened at line 2 is not closed: write "
	  "</characteristic> before line 23, where <characteristic type=\"NAPDEF\"> begins" },
	{ 9, 5, "<characteristic type=\"APPAUTH\"> opened at line 9 is not closed: write "
	  "</characteristic> before line 16, where <characteristic type=\"APPAUTH\"> begins" },
	{ 16, 5, "<characteristic type=\"APPAUTH\"> opened at line 16 is not closed: write "
	  "</characteristic> before line 23, where <characteristic type=\"NAPDEF\"> begins" },
	{ 23, 3, "<characteristic type=\"NAPDEF\"> opened at line 23 is not closed: write "
	  "</characteristic> before line 31, where <characteristic type=\"SecurityPolicy\"> begins" },
	{ 31, 3, "<characteristic type=\"SecurityPolicy\"> opened at line 31 is not closed: write "
	  "</characteristic> before line 36, where <characteristic type=\"SecurityPolicy\"> begins" },
	{ 36, 3, "<characteristic type=\"SecurityPolicy\"> opened at line 36 is not closed: write "
	  "</characteristic> before line 41, where <characteristic type=\"CertificateStore\"> begins" },
	{ 41, 3, "<characteristic type=\"CertificateStore\"> opened at line 41 is not closed: write "
	  "</characteristic> after line 43, at the end of the document" },
	{ 42, 4, "<characteristic type=\"ROOT\"> opened at line 42 is not closed: write "
	  "</characteristic> after line 43, at the end of the document" },
	{ 1, 1, "<wap-provisioningdoc> opened at line 1 is not closed: write "
	  "</wap-provisioningdoc> after line 43, at the end of the document" },
};

static void
test_each_unclosed_element_of_the_sample(void **state)
{
	struct findings found = { 0 };
	struct err err = { 0 };
	struct text xml = file_text("w7-broken.xml");

	(void)state;
	assert_null(document_parse(NULL, xml, NULL, &found, &err));
	assert_int_equal(found.count, sizeof broken_seed / sizeof *broken_seed);
	for (size_t i = 0; i < found.count; i++) {
		assert_string_equal(found.list[i].text, broken_seed[i].text);
		assert_int_equal(found.list[i].line, broken_seed[i].line);
		assert_int_equal(found.list[i].column, broken_seed[i].column);
		assert_string_equal(found.list[i].code, "L001");
	}
	assert_int_equal(err.line, 2);
	assert_string_equal(err.text, broken_seed[0].text);
	findings_free(&found);
}

static void
test_mended_sample_is_whole(void **state)
{
	struct findings found = { 0 };
	struct document *d = document_parse(NULL, file_text("w7.xml"), NULL, &found, NULL);

	(void)state;
	assert_non_null(d);
	assert_int_equal(found.count, 0);
	document_free(&d);
}

#define OPEN(type)	"<characteristic type=\"" type "\">\n"
#define CLOSE		"</characteristic>\n"

static const struct {
	const char	*name, *xml;
	unsigned	 line;
	const char	*why;
	size_t		 findings;
} unclosed[] = {
	{ "one, before the root's end tag", "<wap-provisioningdoc>\n" OPEN("NAPDEF")
	  "</wap-provisioningdoc>", 2, "write </characteristic> before </wap-provisioningdoc> in line 3",
	  1 },
	{ "the end of the text", "<wap-provisioningdoc>\n" OPEN("NAPDEF"), 2, "after line 2, at the end",
	  2 },
	{ "the inner one took the outer one's end tag", "<wap-provisioningdoc>\n" OPEN("APPLICATION")
	  OPEN("APPAUTH") OPEN("APPAUTH") CLOSE CLOSE "</wap-provisioningdoc>", 3,
	  "before line 4, where <characteristic type=\"APPAUTH\"> begins", 1 },
	{ "a brother that cannot be a child", "<wap-provisioningdoc>\n" OPEN("NAPDEF") OPEN("NAPAUTHINFO")
	  CLOSE OPEN("APPLICATION") CLOSE "</wap-provisioningdoc>", 2,
	  "before line 5, where <characteristic type=\"APPLICATION\"> begins", 1 },
	{ "an end tag with a slip of the pen", "<wap-provisioningdoc>\n" OPEN("NAPDEF")
	  "</characterstic></wap-provisioningdoc>", 2, "in place of </characterstic> in line 3", 1 },
	{ "a parm that is not closed", "<wap-provisioningdoc>\n" OPEN("NAPDEF")
	  "<parm name=\"NAME\" value=\"x\">\n<parm name=\"NAPID\" value=\"y\"/>\n" CLOSE
	  "</wap-provisioningdoc>", 3, "write </parm> before line 4, where <parm> begins", 1 },
	{ "the root alone", "<wap-provisioningdoc>\n" OPEN("NAPDEF") CLOSE, 1, "</wap-provisioningdoc> "
	  "after line 3", 1 },
	{ "unknown types may hold each other", "<wap-provisioningdoc>\n" OPEN("X-A") OPEN("X-B")
	  "</wap-provisioningdoc>", 2, "before </wap-provisioningdoc> in line 4", 2 },
};

static void
test_unclosed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof unclosed / sizeof *unclosed; i++) {
		struct findings found = { 0 };
		struct err err = { 0 };
		struct document *d = document_parse(NULL, text_of(unclosed[i].xml), NULL, &found, &err);

		if (d != NULL || err.line != unclosed[i].line || found.count != unclosed[i].findings ||
		    strstr(err.text, unclosed[i].why) == NULL)
			fail_msg("%s: line %u, %zu: %s", unclosed[i].name, err.line, found.count, err.text);
		findings_free(&found);
	}
}

static void
test_written_xml_reads_the_same(void **state)
{
	struct document *d = document_parse(NULL, TEXT(DOC("<characteristic type=\"&lt;&amp;&quot;'\">"
	    "<parm name=\"a&#10;b\" value=\"\"/><parm name=\"N\"/></characteristic>")), NULL, NULL, NULL);
	struct buf one = buf_heap(FILE_MOST), two = buf_heap(FILE_MOST);
	struct document *again;

	(void)state;
	document_write_xml(d, &one);
	assert_non_null(again = document_parse(NULL, (struct text){ (char *)one.data, one.len }, NULL,
	    NULL, NULL));
	document_write_xml(again, &two);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.data, two.data, one.len);
	assert_non_null(strstr(buf_cstr(&one), "<!DOCTYPE wap-provisioningdoc PUBLIC "
	    "\"-//WAPFORUM//DTD PROV 1.0//EN\" \"http://www.wapforum.org/DTD/prov.dtd\">"));
	assert_true(text_is(element_get(document_root(again)->children->children, "name"), "a\nb"));
	document_free(&d);
	document_free(&again);
	buf_free(&one);
	buf_free(&two);
}

static void
test_built_by_hand(void **state)
{
	struct document *d = document_new(&media_provisioning);
	struct err err = { 0 };
	struct element *root = document_add(d, NULL, TEXT("WAP-PROVISIONINGDOC"), &err), *e = root;

	(void)state;
	assert_non_null(root);
	assert_true(text_is(root->name, "wap-provisioningdoc"));
	assert_null(document_add(d, NULL, TEXT("x"), &err));
	err_clear(&err);
	assert_int_equal(document_set(d, root, TEXT("version"), TEXT("1.1"), &err), 0);
	assert_int_equal(document_set(d, root, TEXT("Version"), TEXT("1.0"), &err), -1);
	err_clear(&err);
	for (int i = 1; i < DOCUMENT_DEPTH; i++)
		assert_non_null(e = document_add(d, e, TEXT("characteristic"), &err));
	assert_null(document_add(d, e, TEXT("characteristic"), &err));
	assert_int_equal(err.code, ERR_LIMIT);
	document_free(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_tree_and_places),
		cmocka_unit_test(test_odd_spelling_is_told),
		cmocka_unit_test(test_words_for_xml_readers_go),
		cmocka_unit_test(test_charsets),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_media_lookups),
		cmocka_unit_test(test_each_unclosed_element_of_the_sample),
		cmocka_unit_test(test_mended_sample_is_whole),
		cmocka_unit_test(test_unclosed),
		cmocka_unit_test(test_written_xml_reads_the_same),
		cmocka_unit_test(test_built_by_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
