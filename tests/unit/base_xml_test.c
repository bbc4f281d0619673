/*
 * base_xml_test.c - expat behind the table: events, places, charsets, refusals, cost
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/xml.h"

#define COUNT(list)	(sizeof (list) / sizeof *(list))

static const struct xml_limits wide = { 1 << 20, 32, 5000, 20 };

/* Writes what it hears, so that one string says all: <a@1:1 k=v>text@..</a@..> */
static int
hear_doctype(void *arg, struct xml_place p, const char *name, const char *public_id,
    const char *system_id, struct err *err)
{
	(void)err;
	buf_printf(arg, "[%s %s %s@%u:%u]", name, public_id != NULL ? public_id : "-",
	    system_id != NULL ? system_id : "-", p.line, p.column);
	return 0;
}

static int
hear_start(void *arg, struct xml_place p, const char *name, const char *const *attributes,
    struct err *err)
{
	if (strcmp(name, "stop") == 0)
		return err_at(err, ERR_ROUTE, p.line, p.column, "stopped");
	if (strcmp(name, "mute") == 0)
		return -1;
	buf_printf(arg, "<%s@%u:%u", name, p.line, p.column);
	for (; *attributes != NULL; attributes += 2)
		buf_printf(arg, " %s=%s", attributes[0], attributes[1]);
	buf_str(arg, ">");
	return 0;
}

static int
hear_end(void *arg, struct xml_place p, const char *name, struct err *err)
{
	(void)err;
	buf_printf(arg, "</%s@%u:%u>", name, p.line, p.column);
	return 0;
}

static int
hear_chars(void *arg, struct xml_place p, struct text t, struct err *err)
{
	(void)p, (void)err;
	buf_bytes(arg, t.at, t.len);
	return 0;
}

static int
hear_cdata(void *arg, struct xml_place p, struct err *err)
{
	(void)err;
	buf_printf(arg, "(cdata@%u:%u)", p.line, p.column);
	return 0;
}

static const struct xml_events hear = { hear_doctype, hear_start, hear_end, hear_chars, hear_cdata };

static const struct {
	const char	*name;
	struct text	 document;
	const char	*charset, *heard;
} good_cases[] = {
	{ "places of start, end and empty elements", TEXT("<a>\n  <b x='1'/>\n</a>"), NULL,
	  "<a@1:1>\n  <b@2:3 x=1></b@2:3>\n</a@3:1>" },
	{ "columns count characters, not octets", TEXT("<a>\xC3\xA4\xE2\x82\xAC<b/></a>"), NULL,
	  "<a@1:1>\xC3\xA4\xE2\x82\xAC<b@1:6></b@1:6></a@1:10>" },
	{ "CRLF", TEXT("<a>\r\n<b/></a>"), NULL, "<a@1:1>\n<b@2:1></b@2:1></a@2:5>" },
	{ "doctype is a version tag", TEXT("<?xml version=\"1.0\"?>\n<!DOCTYPE w PUBLIC \"-//P\" "
	  "\"http://s\">\n<w/>"), NULL, "[w -//P http://s@2:1]<w@3:1></w@3:1>" },
	{ "the five entities and references", TEXT("<a k='&lt;&#65;&#x42;'>&amp;&gt;&quot;&apos;</a>"),
	  NULL, "<a@1:1 k=<AB>&>\"'</a@1:45>" },
	{ "known entities after an external DOCTYPE", TEXT("<!DOCTYPE a SYSTEM 's'><a k='&amp;'/>"),
	  NULL, "[a - s@1:1]<a@1:24 k=&></a@1:24>" },
	{ "CDATA and comments may hold anything", TEXT("<a><![CDATA[&x;<b>]]><!-- &y; --></a>"),
	  NULL, "<a@1:1>(cdata@1:4)&x;<b></a@1:34>" },
	{ "UTF-8 order mark", TEXT("\xEF\xBB\xBF<a/>"), NULL, "<a@1:1></a@1:1>" },
	{ "declared latin-1", TEXT("<?xml version='1.0' encoding='ISO-8859-1'?><a k='\xE4'/>"), NULL,
	  "<a@1:44 k=\xC3\xA4></a@1:44>" },
	{ "declared charset that expat does not know", TEXT("<?xml version=\"1.0\" encoding = "
	  "\"windows-1251\" ?>\n<a k='\xE0'/>"), NULL, "<a@2:1 k=\xD0\xB0></a@2:1>" },
	{ "multi-octet charset", TEXT("<?xml version='1.0' encoding='Shift_JIS'?>\n<a>\x82\xA0</a>"),
	  NULL, "<a@2:1>\xE3\x81\x82</a@2:5>" },
	{ "UTF-16 by its order mark", TEXT("\xFF\xFE<\0a\0>\0\xE4\0<\0/\0a\0>\0"), NULL,
	  "<a@1:1>\xC3\xA4</a@1:5>" },
	{ "UTF-16 without mark", TEXT("\0<\0a\0/\0>"), NULL, "<a@1:1></a@1:1>" },
	{ "the caller's charset goes before the declaration", TEXT("<?xml version='1.0' "
	  "encoding='UTF-8'?><a k='\xE4'/>"), "ISO-8859-1", "<a@1:39 k=\xC3\xA4></a@1:39>" },
	{ "and over one that cannot be true", TEXT("<?xml version='1.0' encoding='UTF-16'?><a/>"),
	  "UTF-8", "<a@1:40></a@1:40>" },
	{ "blanks before the declaration", TEXT("\r\n \t<?xml version='1.0'?>\n<a/>"), NULL,
	  "<a@3:1></a@3:1>" },
	{ "its encoding is found behind them", TEXT("\n <?xml version='1.0' encoding='ISO-8859-1'?>"
	  "<a k='\xE4'/>"), NULL, "<a@2:45 k=\xC3\xA4></a@2:45>" },
	{ "blanks without a declaration are counted", TEXT("\n <a/>"), NULL, "<a@2:2></a@2:2>" },
	{ "the order mark goes before Content-Type", TEXT("\xEF\xBB\xBF<a k='\xC3\xA4'/>"),
	  "ISO-8859-1", "<a@1:1 k=\xC3\xA4></a@1:1>" },
	{ "\"encoding\" outside the declaration is text", TEXT("<a encoding='no-such'/>"), NULL,
	  "<a@1:1 encoding=no-such></a@1:1>" },
};

static void
test_good(void **state)
{
	struct xml *x = *state;

	for (int round = 0; round < 2; round++)
	for (size_t i = 0; i < COUNT(good_cases); i++) {
		struct buf heard = buf_heap(10000);
		struct err err = { 0 };

		if (xml_parse(x, good_cases[i].document, good_cases[i].charset, &wide, &hear, &heard,
		    &err) == -1)
			fail_msg("%s: %u:%u %s", good_cases[i].name, err.line, err.column, err.text);
		assert_int_equal(err.code, ERR_NONE);
		if (strcmp(buf_cstr(&heard), good_cases[i].heard) != 0)
			fail_msg("%s: %s", good_cases[i].name, buf_cstr(&heard));
		buf_free(&heard);
	}
}

static const struct {
	const char	*name;
	struct text	 document;
	enum err_code	 code;
	unsigned	 line, column;
	const char	*says;
	const char	*heard;			/* before the fault; NULL: not looked at */
} bad_cases[] = {
	{ "nothing", TEXT(""), ERR_SYNTAX, 0, 0, "empty", "" },
	{ "blanks only", TEXT(" \n "), ERR_SYNTAX, 2, 2, "ends before", "" },
	{ "an order mark and nothing behind it", TEXT("\xFF\xFE"), ERR_SYNTAX, 1, 1, "ends before", "" },
	{ "mismatched end tag", TEXT("<a>\n <b>\n</a>"), ERR_SYNTAX, 3, 1, "does not match",
	  "<a@1:1>\n <b@2:2>\n" },
	{ "early end", TEXT("<a>\n<b/>"), ERR_SYNTAX, 2, 5, "ends before", "<a@1:1>\n<b@2:1></b@2:1>" },
	{ "tag without '>'", TEXT("<a>\n <b x='1'"), ERR_SYNTAX, 2, 2, "no end", NULL },
	{ "bad UTF-8 in a value", TEXT("<a>\n<b k='xy\xE4'/></a>"), ERR_SYNTAX, 2, 9, "UTF-8",
	  "<a@1:1>\n" },
	{ "bad UTF-8 after a fault", TEXT("<a></b>\xE4"), ERR_SYNTAX, 1, 4, "does not match", NULL },
	{ "cut UTF-8 at the end", TEXT("<a>\xE2\x82"), ERR_SYNTAX, 1, 4, "UTF-8", NULL },
	{ "latin-1 passed off as ASCII", TEXT("<?xml version='1.0' encoding='US-ASCII'?><a>\xE4</a>"),
	  ERR_SYNTAX, 1, 45, "UTF-8", NULL },
	{ "octet outside the declared charset", TEXT("<?xml version='1.0' encoding='windows-1252'?>"
	  "\n<a>\x81</a>"), ERR_SYNTAX, 2, 4, "cannot be converted", "" },
	{ "unknown charset", TEXT("<?xml version='1.0' encoding='x-klingon'?><a/>"), ERR_SYNTAX, 1, 1,
	  "x-klingon", "" },
	{ "half a UTF-16 character", TEXT("\xFE\xFF\0<\0a\0/\0>\0"), ERR_SYNTAX, 1, 5,
	  "cannot be converted", NULL },
	{ "a bare ampersand", TEXT("<a k='x&y=z'/>"), ERR_SYNTAX, 1, 8, "&amp;", "" },
	{ "a bare ampersand before a blank", TEXT("<a>\nx & y</a>"), ERR_SYNTAX, 2, 3, "&amp;", NULL },
	{ "a bare ampersand at the end of a value", TEXT("<a k='x&'/>"), ERR_SYNTAX, 1, 8, "&amp;", "" },
	{ "a missing quote", TEXT("<a k='x>\n<b/></a>"), ERR_SYNTAX, 2, 1, "quote", "" },
	{ "a control character", TEXT("<a>\x01</a>"), ERR_SYNTAX, 1, 4, "0x01", NULL },
	{ "a NUL", TEXT("<a k='x\0y'/>"), ERR_SYNTAX, 1, 8, "0x00", NULL },
	{ "unknown entity", TEXT("<a>&nbsp;</a>"), ERR_SYNTAX, 1, 4, "entity", NULL },
	{ "unknown entity after an external DOCTYPE", TEXT("<!DOCTYPE a SYSTEM 's'>\n<a>&nbsp;</a>"),
	  ERR_SYNTAX, 2, 4, "&nbsp;", NULL },
	{ "unknown entity in a value after an external DOCTYPE: no silent loss",
	  TEXT("<!DOCTYPE a SYSTEM 's'>\n<a k='12&pin;34'/>"), ERR_SYNTAX, 2, 9, "write &amp;",
	  "[a - s@1:1]" },
	{ "entity declaration", TEXT("<!DOCTYPE a [\n<!ENTITY e 'x'>]><a>&e;</a>"), ERR_SYNTAX, 2, 1,
	  "entity declarations are refused", NULL },
	{ "external entity", TEXT("<!DOCTYPE a [<!ENTITY e SYSTEM '/etc/passwd'>]><a>&e;</a>"),
	  ERR_SYNTAX, 1, 14, "entity declarations are refused", NULL },
	{ "parameter entity", TEXT("<!DOCTYPE a [<!ENTITY % p 'x'>%p;]><a/>"), ERR_SYNTAX, 1, 14,
	  "entity declarations are refused", NULL },
	{ "behind an unknown parameter entity expat tells of no declaration: the use is refused",
	  TEXT("<!DOCTYPE a [%p;<!ENTITY e 'x'>]><a>&e;</a>"), ERR_SYNTAX, 1, 37, "&e;", NULL },
	{ "unparsed entity", TEXT("<!DOCTYPE a [<!NOTATION n SYSTEM 'n'><!ENTITY e SYSTEM 'x' NDATA "
	  "n>]><a/>"), ERR_SYNTAX, 1, 38, "entity declarations are refused", NULL },
	{ "default values multiply too", TEXT("<!DOCTYPE a [<!ATTLIST b k CDATA 'long'>]><a><b/></a>"),
	  ERR_SYNTAX, 1, 14, "default values", NULL },
	{ "attribute twice", TEXT("<a k='1' k='2'/>"), ERR_SYNTAX, 1, 10, "twice", "" },
	{ "after the root", TEXT("<a/>\n<b/>"), ERR_SYNTAX, 2, 1, "follows the end", "<a@1:1></a@1:1>" },
	{ "declaration after a comment", TEXT("<!-- --><?xml version='1.0'?><a/>"), ERR_SYNTAX, 1, 9,
	  "very first", "" },
	{ "a fault behind blanks and a declaration", TEXT("\n\n <?xml version='1.0'?>\n<a>\n</b>"),
	  ERR_SYNTAX, 5, 1, "does not match", NULL },
	{ "UTF-16 named in a document of octets", TEXT("<?xml version='1.0' encoding='UTF-16'?><a/>"),
	  ERR_SYNTAX, 1, 1, "write encoding=\"UTF-8\"", "" },
	{ "the caller's refusal", TEXT("<a><stop/><b/></a>"), ERR_ROUTE, 1, 4, "stopped", "<a@1:1>" },
	{ "a refusal without a reason", TEXT("<mute/>"), ERR_SYNTAX, 0, 0, "refused", "" },
	{ "more attributes than allowed", TEXT("<a a1='' a2='' a3='' a4='' a5='' a6='' a7='' a8='' "
	  "a9='' b1='' b2='' b3='' b4='' b5='' b6='' b7='' b8='' b9='' c1='' c2='' c3=''/>"), ERR_LIMIT,
	  1, 1, "more than 20 attributes", "" },
};

static void
test_bad(void **state)
{
	struct xml *x = *state;

	for (int round = 0; round < 2; round++)
	for (size_t i = 0; i < COUNT(bad_cases); i++) {
		struct buf heard = buf_heap(10000);
		struct err err = { 0 };

		if (xml_parse(x, bad_cases[i].document, NULL, &wide, &hear, &heard, &err) == 0)
			fail_msg("%s: was taken", bad_cases[i].name);
		if (err.code != bad_cases[i].code || err.line != bad_cases[i].line ||
		    err.column != bad_cases[i].column || strstr(err.text, bad_cases[i].says) == NULL)
			fail_msg("%s: %d %u:%u %s", bad_cases[i].name, err.code, err.line, err.column,
			    err.text);
		if (bad_cases[i].heard != NULL && strcmp(buf_cstr(&heard), bad_cases[i].heard) != 0)
			fail_msg("%s: heard %s", bad_cases[i].name, buf_cstr(&heard));
		buf_free(&heard);
	}
}

#define DECLARED(charset, octets)	TEXT("<?xml version='1.0' encoding='" charset "'?><a k='" octets "'/>")

static const struct {
	const char	*name;
	struct text	 document;
	const char	*hint, *wanted;
} hints[] = {
	{ "nothing said", TEXT("<a/>"), NULL, NULL },
	{ "the header is all there is", TEXT("<a k='\xE4'/>"), "ISO-8859-1", "ISO-8859-1" },
	{ "and says what ASCII stands for", TEXT("<a k='\x1B$B'/>"), "ISO-2022-JP", "ISO-2022-JP" },
	{ "UTF-8 needs no word", TEXT("<a k='\xC3\xA4'/>"), "ISO-8859-1", NULL },
	{ "the declaration goes first", DECLARED("ISO-8859-1", "\xE4"), "UTF-8", NULL },
	{ "also where both say UTF-8", DECLARED("UTF-8", "\xC3\xA4"), "utf-8", NULL },
	{ "and where the header is wrong", DECLARED("UTF-8", "\xC3\xA4"), "ISO-8859-1", NULL },
	{ "a declaration that the octets prove wrong", DECLARED("UTF-8", "\xE4"), "ISO-8859-1",
	  "ISO-8859-1" },
	{ "converted on its way, as the header says", DECLARED("ISO-8859-1", "\xC3\xA4"), "UTF-8",
	  "UTF-8" },
	{ "wide in name only", DECLARED("UTF-16", "x"), "UTF-8", "UTF-8" },
	{ "order mark", TEXT("\xEF\xBB\xBF<a/>"), "ISO-8859-1", NULL },
	{ "UTF-16 to be seen", TEXT("\0<\0a\0/\0>"), "ISO-8859-1", NULL },
};

static void
test_hints(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hints); i++) {
		const char *got = xml_charset_hinted(hints[i].document, hints[i].hint);

		if ((got == NULL) != (hints[i].wanted == NULL) ||
		    (got != NULL && strcmp(got, hints[i].wanted) != 0))
			fail_msg("%s: %s", hints[i].name, got != NULL ? got : "none");
	}
}

static const struct {
	const char	*name;
	struct text	 octets;
} no_utf8[] = {
	{ "a slash in two octets", TEXT("\xC0\xAF") },
	{ "a slash in three", TEXT("\xE0\x80\xAF") },
	{ "a slash in four", TEXT("\xF0\x80\x80\xAF") },
	{ "a NUL in two", TEXT("\xC0\x80") },
	{ "half of a pair", TEXT("\xED\xA0\x80") },
	{ "behind the last character", TEXT("\xF4\x90\x80\x80") },
	{ "five octets", TEXT("\xF8\x88\x80\x80\x80") },
	{ "no beginning", TEXT("\x80") },
	{ "no end", TEXT("\xC3") },
	{ "no such octet", TEXT("\xFE") },
	{ "nor this", TEXT("\xFF") },
};

/* Wherever it stands; the place is that of the octet. */
static void
test_octets_that_are_no_utf8(void **state)
{
	static const char *const places[][2] = {
		{ "<a>", "</a>" }, { "<a k='", "'/>" }, { "<a ", "='v'/>" }, { "<a><b", "/></a>" },
		{ "<!-- ", " --><a/>" }, { "<?pi ", "?><a/>" }, { "<!DOCTYPE a SYSTEM '", "'><a/>" },
		{ "<a><![CDATA[", "]]></a>" }, { "<a/>\n<!-- ", "-->" }, { "", "<a/>" },
	};

	for (size_t i = 0; i < COUNT(no_utf8); i++)
		for (size_t k = 0; k < COUNT(places); k++) {
			struct buf b = buf_heap(200), heard = buf_heap(200);
			struct err err = { 0 };

			buf_str(&b, places[k][0]);
			buf_bytes(&b, no_utf8[i].octets.at, no_utf8[i].octets.len);
			buf_str(&b, places[k][1]);
			if (xml_parse(*state, (struct text){ (char *)b.data, b.len }, NULL, &wide, &hear,
			    &heard, &err) == 0 || err.code != ERR_SYNTAX || err.line == 0)
				fail_msg("%s: %s...%s: %s", no_utf8[i].name, places[k][0], places[k][1],
				    err.text);
			buf_free(&b);
			buf_free(&heard);
		}
}

static void
test_references_to_no_character(void **state)
{
	static const char *const none[] = { "&#0;", "&#x0;", "&#8;", "&#11;", "&#31;", "&#xD800;",
	    "&#xDFFF;", "&#xFFFE;", "&#x110000;", "&#99999999999999999999;", "&#x;", "&#;", "&#-1;",
	    "&#x41", "&;", "&&", "& " };

	for (size_t i = 0; i < COUNT(none); i++)
		for (int attribute = 0; attribute < 2; attribute++) {
			struct buf heard = buf_heap(200);
			struct err err = { 0 };
			char xml[100];

			snprintf(xml, sizeof xml, attribute ? "<a k='%s'/>" : "<a>%s</a>", none[i]);
			if (xml_parse(*state, text_of(xml), NULL, &wide, &hear, &heard, &err) == 0 ||
			    err.code != ERR_SYNTAX || err.line != 1 || err.column < 4)
				fail_msg("%s: %u:%u %s", xml, err.line, err.column, err.text);
			buf_free(&heard);
		}
}

static void
test_charsets_that_are_none(void **state)
{
	static char huge[5000];
	const char *const none[] = { "no-such", "UTF-8//IGNORE", "UTF-8//TRANSLIT", "//", "/etc/passwd",
	    "../../x", "UTF-8 ", "%s%n", "\xff", huge };

	memset(huge, 'x', sizeof huge - 1);
	for (size_t i = 0; i < COUNT(none); i++) {
		struct buf heard = buf_heap(200);
		struct err err = { 0 };

		if (xml_parse(*state, TEXT("<a>\xE4</a>"), none[i], &wide, &hear, &heard, &err) == 0 ||
		    err.code != ERR_SYNTAX)
			fail_msg("%.40s: %s", none[i], err.text);
		for (const char *c = err.text; *c != '\0'; c++)
			assert_true((unsigned char)*c >= ' ');
		buf_free(&heard);
	}
}

static void
test_first_error_is_kept(void **state)
{
	struct err err = { .code = ERR_BUSY };

	assert_int_equal(xml_parse(*state, TEXT("<a"), NULL, NULL, &hear, &(struct buf){ 0 }, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	assert_int_equal(xml_parse(*state, TEXT("<a"), NULL, NULL, &hear, &(struct buf){ 0 }, NULL), -1);
}

static double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static const struct xml_events deaf;

static void
test_limits(void **state)
{
	struct xml *x = *state;
	struct xml_limits most = { 4 << 20, 32, 5000, 20 };
	struct buf b = buf_heap(8 << 20);
	struct err err = { 0 };
	double before;

	for (int i = 0; i < 200000; i++)
		buf_str(&b, "<a>");
	before = cpu_ms();
	assert_int_equal(xml_parse(x, (struct text){ (char *)b.data, b.len }, NULL, &most, &deaf,
	    NULL, &err), -1);
	assert_true(cpu_ms() - before < 50);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(err.line, 1);
	assert_int_equal(err.column, 32 * 3 + 1);
	assert_non_null(strstr(err.text, "deeper than 32"));

	b.len = 0;
	err_clear(&err);
	buf_str(&b, "<a>");
	for (int i = 0; i < 5000; i++)
		buf_str(&b, "\n<b/>");
	assert_int_equal(xml_parse(x, (struct text){ (char *)b.data, b.len }, NULL, &most, &deaf,
	    NULL, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(err.line, 5001);
	assert_non_null(strstr(err.text, "more than 5000 elements"));

	err_clear(&err);
	most.octets = b.len - 1;
	assert_int_equal(xml_parse(x, (struct text){ (char *)b.data, b.len }, NULL, &most, &deaf,
	    NULL, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(err.line, 1);
	assert_non_null(strstr(err.text, "octets"));
	buf_free(&b);
}

/* One line of a megabyte: a place that counted from the line's start each time would
 * take minutes here. */
static void
test_long_line_is_linear(void **state)
{
	struct buf b = buf_heap(4 << 20);
	struct err err = { 0 };
	double before;

	buf_str(&b, "<a>");
	for (int i = 0; i < 200000; i++)
		buf_str(&b, "<b/>x");
	buf_str(&b, "</a>");
	before = cpu_ms();
	assert_int_equal(xml_parse(*state, (struct text){ (char *)b.data, b.len }, NULL, NULL, &deaf,
	    NULL, &err), 0);
	assert_true(cpu_ms() - before < 2000);
	buf_free(&b);
}

static int
new_reader(void **state)
{
	return (*state = xml_new()) == NULL ? -1 : 0;
}

static int
free_reader(void **state)
{
	struct xml *x = *state;

	xml_free(&x);
	xml_free(&x);
	return x == NULL ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_hints),
		cmocka_unit_test(test_octets_that_are_no_utf8),
		cmocka_unit_test(test_references_to_no_character),
		cmocka_unit_test(test_charsets_that_are_none),
		cmocka_unit_test(test_first_error_is_kept),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_long_line_is_linear),
		cmocka_unit_test(test_good),		/* after all that, the reader is as new */
	};

	return cmocka_run_group_tests(tests, new_reader, free_reader);
}
