/*
 * encode_wbxml_test.c - documents to octets and back
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
#include "encode/wbxml.h"

enum { FILE_MOST = 16 * 1024 };

static char *
file_read(const char *name, const char *suffix)
{
	const char *source = getenv("KANTELE_SRC");
	char path[512], *room = calloc(1, FILE_MOST);
	FILE *f;

	snprintf(path, sizeof path, "%s/tests/data/vectors/%s.%s", source != NULL ? source : ".",
	    name, suffix);
	assert_non_null(f = fopen(path, "r"));
	assert_true(fread(room, 1, FILE_MOST - 1, f) > 0);
	fclose(f);
	return room;
}

static char *
hex_of(const struct buf *b)
{
	struct buf hex = buf_heap(FILE_MOST);

	buf_hex(&hex, b->data, b->len, false);
	buf_u8(&hex, 0);
	return (char *)hex.data;
}

static char *
encoded(const char *name, const char *xml, enum wbxml_pages pages)
{
	struct err err = { 0 };
	struct document *d = document_parse(NULL, text_of(xml), NULL, NULL, &err);
	struct buf out = buf_heap(WBXML_OCTETS);
	char *hex;

	if (d == NULL || wbxml_encode(d, &(struct wbxml_style){ pages }, &out, &err) == -1)
		fail_msg("%s: %s", name, err.text);
	hex = hex_of(&out);
	buf_free(&out);
	document_free(&d);
	return hex;
}

static struct document *
decoded(const char *hex, struct findings *findings, struct err *err)
{
	uint8_t room[4096];
	struct buf b = buf_on(room, sizeof room);
	size_t len = strcspn(hex, "\n");

	assert_int_equal(text_unhex((struct text){ hex, len }, &b, NULL), 0);
	return wbxml_decode(NULL, (struct text){ (char *)room, b.len }, findings, err);
}

/* <a b="c"><d/></a> as one line, whatever the blanks of the source were. */
static void
tree_text(const struct element *e, struct buf *out)
{
	buf_printf(out, "<%.*s", TEXT_ARGS(e->name));
	for (const struct attribute *a = e->attributes; a != NULL; a = a->next)
		buf_printf(out, " %.*s=\"%.*s\"", TEXT_ARGS(a->name), TEXT_ARGS(a->value));
	buf_u8(out, '>');
	for (const struct element *c = e->children; c != NULL; c = c->next)
		tree_text(c, out);
	buf_u8(out, '/');
}

static char *
tree_of(const struct document *d)
{
	struct buf out = buf_heap(FILE_MOST);

	tree_text(document_root(d), &out);
	buf_u8(&out, 0);
	return (char *)out.data;
}

static void
test_worked_documents(void **state)
{
	static const char *const names[] = { "d1", "d2", "d3" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char *xml = file_read(names[i], "xml"), *want = file_read(names[i], "hex");
		char *got = encoded(names[i], xml, WBXML_STAY);

		want[strcspn(want, "\n")] = '\0';
		assert_string_equal(got, want);
		free(xml), free(want), free(got);
	}
}

/* D4 was captured from an operator that goes back to page 0 for each value. */
static void
test_captured_message_and_back(void **state)
{
	char *hex = file_read("d4", "hex"), *stay, *again, *tree, *tree2;
	struct document *d = decoded(hex, NULL, NULL), *d2;
	struct buf out = buf_heap(WBXML_OCTETS);

	(void)state;
	assert_non_null(d);
	assert_int_equal(wbxml_encode(d, &(struct wbxml_style){ WBXML_RETURN }, &out, NULL), 0);
	again = hex_of(&out);
	hex[strcspn(hex, "\n")] = '\0';
	assert_string_equal(again, hex);
	out.len = 0;
	assert_int_equal(wbxml_encode(d, NULL, &out, NULL), 0);
	assert_true(out.len < strlen(hex) / 2);			/* staying is shorter */
	stay = hex_of(&out);
	assert_non_null(d2 = decoded(stay, NULL, NULL));
	tree = tree_of(d);
	tree2 = tree_of(d2);
	assert_string_equal(tree, tree2);
	document_free(&d);
	document_free(&d2);
	buf_free(&out);
	free(hex), free(stay), free(again), free(tree), free(tree2);
}

#define DOC(content)	"<wap-provisioningdoc>" content "</wap-provisioningdoc>"
#define NAP(content)	DOC("<characteristic type=\"NAPDEF\">" content "</characteristic>")
#define APP(content)	DOC("<characteristic type=\"APPLICATION\">" content "</characteristic>")
#define H		"030b6a00"

static const struct {
	const char	*name, *xml, *hex;
} encodings[] = {
	{ "empty root", "<wap-provisioningdoc/>", H "05" },
	{ "version 1.0 is one token", "<wap-provisioningdoc version=\"1.0\"/>", H "854601" },
	{ "version 2.0 is a string", "<wap-provisioningdoc version=\"2.0\"/>", H "854503322e300001" },
	{ "empty characteristic", DOC("<characteristic type=\"NAPDEF\"/>"), H "45865501" "01" },
	{ "parm without a value", NAP("<parm name=\"INTERNET\"/>"), H "45c65501" "871401" "0101" },
	{ "an empty value is not the same", NAP("<parm name=\"NAME\" value=\"\"/>"),
	  H "45c65501" "870706030001" "0101" },
	{ "parm without attributes", NAP("<parm/>"), H "45c65501" "07" "0101" },
	{ "name goes first", NAP("<parm value=\"x\" name=\"NAME\"/>"),
	  H "45c65501" "87070603780001" "0101" },
	{ "value token for the whole value", NAP("<parm name=\"BEARER\" value=\"GSM-GPRS\"/>"),
	  H "45c65501" "871006ab01" "0101" },
	{ "no token for a part of a value", NAP("<parm name=\"NAME\" value=\"My APN\"/>"),
	  H "45c65501" "870706034d792041504e0001" "0101" },
	{ "case of an enumerated value is mended", NAP("<parm name=\"bearer\" value=\"gsm-gprs\"/>"),
	  H "45c65501" "871006ab01" "0101" },
	{ "case of free text is not", NAP("<parm name=\"NAME\" value=\"apn\"/>"),
	  H "45c65501" "8707060361706e0001" "0101" },
	{ "a password that is a token but for case stays",
	  DOC("<characteristic type=\"NAPAUTHINFO\"><parm name=\"AUTHSECRET\" value=\"pap\"/>"
	  "</characteristic>"), H "45c65a01" "870e060370617000010101" },
	{ "element and attribute names in any case",
	  "<WAP-ProvisioningDoc><Characteristic TYPE=\"napdef\"><PARM Name=\"napid\" VALUE=\"L\"/>"
	  "</Characteristic></WAP-ProvisioningDoc>", H "45c65501" "871106034c0001" "0101" },
	{ "names below a vendor's type stay as they are",
	  DOC("<characteristic type=\"CM_PPPEntries\"><parm name=\"Domain\" value=\"x\"/>"
	  "</characteristic>"),
	  H "45c65003434d5f505050456e7472696573000187050344" "6f6d61696e000603780001" "0101" },
	{ "exact names below a vendor's type are tokens",
	  DOC("<characteristic type=\"X\"><parm name=\"NAME\" value=\"x\"/></characteristic>"),
	  H "45c6500358000187070603780001" "0101" },
	{ "page 1 and stay", APP("<parm name=\"APPID\" value=\"w2\"/><parm name=\"NAME\" value=\"N\"/>"),
	  H "45c60001550187360603773200018707" "06034e0001" "0101" },
	{ "no IPV4 token on page 1",
	  APP("<parm name=\"ADDRTYPE\" value=\"IPV4\"/>"), H "45c60001550187350603" "495056340001" "0101" },
	{ "IPV6 has one", APP("<parm name=\"ADDRTYPE\" value=\"IPV6\"/>"),
	  H "45c600015501" "8735068601" "0101" },
	{ "AAUTHTYPE is always a string: clients disagree on the numbers",
	  APP("<parm name=\"AAUTHTYPE\" value=\"BASIC\"/><parm name=\"AAUTHTYPE\" value=\"digest\"/>"
	  "<parm name=\"AAUTHTYPE\" value=\"HTTP-BASIC\"/>"),
	  H "45c600015501" "873306034241534943000187330603444947455354000187330603485454502d42415349"
	  "430001" "0101" },
	{ "AAUTHLEVEL has a token", APP("<parm name=\"AAUTHLEVEL\" value=\"APPSRV\"/>"),
	  H "45c600015501" "8730068d01" "0101" },
	{ "NAPDEF after APPLICATION goes back to page 0, or it would be another APPLICATION",
	  DOC("<characteristic type=\"APPLICATION\"/><characteristic type=\"NAPDEF\"/>"),
	  H "45860001550186000055" "01" "01" },
	{ "PORT below APPADDR stays on page 1",
	  APP("<characteristic type=\"PORT\"><parm name=\"PORTNBR\" value=\"1\"/></characteristic>"),
	  H "45c600015501" "c6530187230603310001" "01" "0101" },
	{ "names of the WLAN addendum are strings",
	  NAP("<parm name=\"BEARER\" value=\"wlan\"/><characteristic type=\"wlan\"/>"),
	  H "45c65501" "87100603574c414e0001" "865003574c414e0001" "0101" },
	{ "and their case is mended", NAP("<parm name=\"wlanhand\" value=\"1\"/><parm name=\"Encaps\"/>"),
	  H "45c65501" "870503574c414e48414e440006033100" "01" "8705" "03454e434150530001" "0101" },
	{ "unknown attribute is a literal",
	  NAP("<parm name=\"NAME\" value=\"x\" datatype=\"string\"/>"),
	  "030b6a0964617461747970650045c65501" "8707060378000400" "03737472696e670001" "0101" },
	{ "a literal stands once in the string table",
	  DOC("<noparm name=\"NAME\"/><noparm name=\"NAME\"/>"),
	  "030b6a076e6f7061726d0045" "84000701" "84000701" "01" },
	{ "unknown element with content", DOC("<x><y/></x>"), "030b6a0478007900" "45" "4400" "0402" "01" "01" },
	{ "text is dropped", NAP("<parm name=\"NAME\" value=\"x\">content</parm>"),
	  H "45c65501" "87070603780001" "0101" },
	{ "comments and instructions are dropped", DOC("<!-- c --><?pi x?>"), H "05" },
	{ "UTF-8 as it is", NAP("<parm name=\"NAME\" value=\"\xc3\xa4\xe2\x82\xac\"/>"),
	  H "45c65501" "87070603c3a4e282ac0001" "0101" },
	{ "ISO-8859-1 becomes UTF-8", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>"
	  NAP("<parm name=\"NAME\" value=\"\xe4\"/>"), H "45c65501" "87070603c3a40001" "0101" },
	{ "entities are resolved", NAP("<parm name=\"NAME\" value=\"&lt;&#65;&#x41;&amp;\"/>"),
	  H "45c65501" "870706033c4141260001" "0101" },
	{ "blanks inside a value stay", NAP("<parm name=\"NAME\" value=\"a   b\"/>"),
	  H "45c65501" "8707060361202020620001" "0101" },
};

static void
test_encodings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++) {
		char *got = encoded(encodings[i].name, encodings[i].xml, WBXML_STAY);

		if (strcmp(got, encodings[i].hex) != 0)
			fail_msg("%s:\n%s\n%s", encodings[i].name, got, encodings[i].hex);
		free(got);
	}
}

#define LIST(content)	"<CHARACTERISTIC-LIST>" content "</CHARACTERISTIC-LIST>"
#define OLD		"01016a00"

static const struct {
	const char	*name, *type, *xml, *hex;
} older[] = {
	{ "empty list", "settings", LIST(""), OLD "05" },
	{ "values are tokens of their own", "settings", LIST("<CHARACTERISTIC TYPE=\"ADDRESS\"><PARM "
	  "NAME=\"BEARER\" VALUE=\"GPRS\"/><PARM NAME=\"PORT\" VALUE=\"9201\"/></CHARACTERISTIC>"),
	  OLD "45c60601" "87124901" "87146101" "0101" },
	{ "free values, unknown names", "settings", LIST("<CHARACTERISTIC TYPE=\"NAME\"><PARM "
	  "NAME=\"X-O\" VALUE=\"v\"/></CHARACTERISTIC>"),
	  OLD "45c60801" "871003582d4f001103760001" "0101" },
	{ "an empty value is a string, as Kannel writes it", "settings",
	  LIST("<CHARACTERISTIC TYPE=\"NAME\"><PARM NAME=\"NAME\" VALUE=\"\"/></CHARACTERISTIC>"),
	  OLD "45c60801" "87151103000101" "01" },
	{ "a characteristic with a value", "settings",
	  LIST("<CHARACTERISTIC VALUE=\"x\" TYPE=\"URL\"/>"), OLD "4586071103780001" "01" },
	{ "small letters", "bookmarks", "<characteristic-list><characteristic type=\"bookmark\"><parm "
	  "name=\"url\" value=\"x\"/></characteristic></characteristic-list>",
	  OLD "45c67f01" "87171103780001" "0101" },
	{ "an unknown type is a literal, where Kannel drops it", "settings",
	  LIST("<CHARACTERISTIC TYPE=\"V\"/>"), "01016a05545950450045" "8604000356000101" },
	{ "values between tags", "syncsettings", "<SyncSettings>\n <Version> 1.1 </Version><name>"
	  "\xc3\x84</name></SyncSettings>", OLD "55" "5803312e310001" "5103c3840001" "01" },
	{ "empty settings", "syncsettings", "<SyncSettings/>", OLD "15" },
};

static void
test_older_types(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof older / sizeof *older; i++) {
		const struct media *m = media_by_sendota_type(text_of(older[i].type));
		struct err err = { 0 };
		struct document *d = document_parse(m, text_of(older[i].xml), NULL, NULL, &err), *again;
		struct buf out = buf_heap(WBXML_OCTETS);
		char *hex;

		if (d == NULL || wbxml_encode(d, NULL, &out, &err) == -1)
			fail_msg("%s: %s", older[i].name, err.text);
		hex = hex_of(&out);
		if (strcmp(hex, older[i].hex) != 0)
			fail_msg("%s:\n%s\n%s", older[i].name, hex, older[i].hex);
		again = wbxml_decode(m, (struct text){ (char *)out.data, out.len }, NULL, &err);
		if (again == NULL)
			fail_msg("%s: %s", older[i].name, err.text);
		assert_int_equal(document_root(again)->children == NULL,
		    document_root(d)->children == NULL);
		free(hex);
		buf_free(&out);
		document_free(&d);
		document_free(&again);
	}
}

static void
test_return_style(void **state)
{
	char *got = encoded("w2", APP("<parm name=\"APPID\" value=\"w2\"/>"), WBXML_RETURN);

	(void)state;
	assert_string_equal(got, H "45c600015501" "873600000603773200" "01" "0101");
	free(got);
}

static void
test_limits_of_encoding(void **state)
{
	struct buf xml = buf_heap(300000), out = buf_heap(WBXML_OCTETS);
	struct err err = { 0 };
	struct document *d;

	(void)state;
	buf_str(&xml, "<wap-provisioningdoc>");
	for (int i = 1; i < DOCUMENT_DEPTH; i++)
		buf_str(&xml, "<characteristic type='x'>");
	for (int i = 1; i < DOCUMENT_DEPTH; i++)
		buf_str(&xml, "</characteristic>");
	buf_str(&xml, "</wap-provisioningdoc>");
	assert_non_null(d = document_parse(NULL, (struct text){ (char *)xml.data, xml.len }, NULL,
	    NULL, &err));
	assert_int_equal(wbxml_encode(d, NULL, &out, &err), 0);	/* what is read can be sent */
	document_free(&d);
	assert_non_null(d = wbxml_decode(NULL, (struct text){ (char *)out.data, out.len }, NULL, &err));
	document_free(&d);
	buf_free(&out);

	xml.len = 0;
	buf_str(&xml, "<wap-provisioningdoc>");
	for (int i = 0; i < 600; i++)
		buf_printf(&xml, "<x%d/>", i);
	buf_str(&xml, "</wap-provisioningdoc>");
	out = buf_heap(WBXML_OCTETS);
	assert_non_null(d = document_parse(NULL, (struct text){ (char *)xml.data, xml.len }, NULL,
	    NULL, &err));
	assert_int_equal(wbxml_encode(d, NULL, &out, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	document_free(&d);
	buf_free(&out);

	err_clear(&err);
	xml.len = 0;
	buf_printf(&xml, "<wap-provisioningdoc><%0256d/></wap-provisioningdoc>", 0);
	memset(xml.data + strlen("<wap-provisioningdoc><"), 'a', 256);
	out = buf_heap(WBXML_OCTETS);
	assert_non_null(d = document_parse(NULL, (struct text){ (char *)xml.data, xml.len }, NULL,
	    NULL, &err));
	assert_int_equal(wbxml_encode(d, NULL, &out, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	document_free(&d);
	buf_free(&out);

	err_clear(&err);
	xml.len = 0;
	buf_str(&xml, "<wap-provisioningdoc>");
	for (int i = 0; i < 3000; i++)
		buf_str(&xml, "<parm name='NAME' value='0123456789012345678901234567890123456789'/>");
	buf_str(&xml, "</wap-provisioningdoc>");
	out = buf_heap(WBXML_OCTETS);
	assert_non_null(d = document_parse(NULL, (struct text){ (char *)xml.data, xml.len }, NULL,
	    NULL, &err));
	assert_int_equal(wbxml_encode(d, NULL, &out, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_non_null(strstr(err.text, "65536 octets"));
	document_free(&d);
	buf_free(&out);

	err_clear(&err);
	out = buf_heap(40);		/* a caller's own bound */
	assert_non_null(d = document_parse(NULL, text_of(NAP("<parm name='NAME' "
	    "value='0123456789012345678901234567890123456789'/>")), NULL, NULL, &err));
	assert_int_equal(wbxml_encode(d, NULL, &out, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	document_free(&d);
	buf_free(&out);
	buf_free(&xml);
}

static const struct {
	const char	*name, *hex, *tree;
	unsigned	 findings;
} decodings[] = {
	{ "smallest", H "4501", "<wap-provisioningdoc>/", 0 },
	{ "no content", H "05", "<wap-provisioningdoc>/", 0 },
	{ "version 1.2 of WBXML", "020b6a0005", "<wap-provisioningdoc>/", 0 },
	{ "style C: tag page switched too", H "45" "0001c600015501" "873606037700" "01" "01" "01",
	  "<wap-provisioningdoc><characteristic type=\"APPLICATION\"><parm name=\"APPID\" "
	  "value=\"w\">///", 0 },
	{ "page 1 values 90..93 are read", H "45c600015501" "873306919201" "01" "01",
	  "<wap-provisioningdoc><characteristic type=\"APPLICATION\"><parm name=\"AAUTHTYPE\" "
	  "value=\"HTTP-BASIC\">///", 0 },
	{ "addendum token is read", H "45c65501" "871006bc01" "01" "01",
	  "<wap-provisioningdoc><characteristic type=\"NAPDEF\"><parm name=\"BEARER\" "
	  "value=\"WLAN\">///", 0 },
	{ "public identifier in the string table",
	  "030000" "6a" "202d2f2f574150464f52554d2f2f4454442050524f5620312e302f2f454e0000000000" "05",
	  "<wap-provisioningdoc>/", 0 },
	{ "Latin-1", "030b040045c65501" "87070603e40001" "01" "01",
	  "<wap-provisioningdoc><characteristic type=\"NAPDEF\"><parm name=\"NAME\" "
	  "value=\"\xc3\xa4\">///", 0 },
	{ "text between tags is odd", H "45" "03616200" "01", "<wap-provisioningdoc>/", 1 },
	{ "octets behind the end are odd", H "0500", "<wap-provisioningdoc>/", 1 },
	{ "and so is another root", H "4501" "4501", "<wap-provisioningdoc>/", 1 },
	{ "no charset is odd", "030b000005", "<wap-provisioningdoc>/", 1 },
};

static void
test_decodings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof decodings / sizeof *decodings; i++) {
		struct findings found = { 0 };
		struct err err = { 0 };
		struct document *d;
		char *tree;

		if ((d = decoded(decodings[i].hex, &found, &err)) == NULL)
			fail_msg("%s: %u: %s", decodings[i].name, err.column, err.text);
		tree = tree_of(d);
		if (strcmp(tree, decodings[i].tree) != 0 || found.count != decodings[i].findings)
			fail_msg("%s: %s, %zu findings", decodings[i].name, tree, found.count);
		free(tree);
		document_free(&d);
		findings_free(&found);
	}
}

static void
test_value_in_pieces(void **state)
{
	/* table "zy\0"; value = "a" + token APN + entity 'A' + table string */
	struct document *d = decoded("030b6a037a790045c65501" "87070603610089024183" "0001" "0101",
	    NULL, NULL);
	char *tree;

	(void)state;
	assert_non_null(d);
	tree = tree_of(d);
	assert_string_equal(tree, "<wap-provisioningdoc><characteristic type=\"NAPDEF\"><parm "
	    "name=\"NAME\" value=\"aAPNAzy\">///");
	free(tree);
	document_free(&d);
}

static const struct {
	const char	*name, *hex;
	unsigned	 column;	/* offset + 1 */
	const char	*why;
} broken[] = {
	{ "nothing", "", 1, "version octet" },
	{ "version 4", "040b6a0005", 2, "version" },
	{ "public identifier 01", "03016a0005", 5, "public identifier" },
	{ "charset UTF-16", "030b87770005", 5, "charset" },
	{ "string table longer than the body", "030b6a7f05", 5, "string table" },
	{ "header only", "030b6a", 4, "ends early" },
	{ "no root", H, 5, "ends early" },
	{ "unknown tag", H "48", 5, "tag 48 on page 0" },
	{ "page 2", H "450002", 7, "code page 2" },
	{ "unknown attribute token", H "45c64d", 7, "attribute token 4D on page 0" },
	{ "unknown value token", H "45c6550187070685" "8d", 13, "value token 8D on page 0" },
	{ "extension token", H "45c65501870706c2", 12, "value token C2" },
	{ "opaque data", H "45c65501870706c3", 12, "value token C3" },
	{ "extension tag", H "4540", 6, "tag 40" },
	{ "processing instruction", H "4543", 6, "tag 43" },
	{ "string without end", H "45c65501870706036162", 15, "no end" },
	{ "value token on the other page", H "45" "c600015501" "87350685", 14, "value token 85 on page 1" },
	{ "attribute token on the other page", H "45" "86000108", 9, "attribute token 08 on page 1" },
	{ "root on page 1", H "0001" "45", 7, "tag 45 on page 1" },
	{ "string of the table without an end", "030b6a026162" "45c65501" "87070683" "00" "01", 16,
	  "outside" },
	{ "literal without an end", "030b6a026162" "45" "0400", 10, "outside" },
	{ "literal outside", "030b6a026100" "45" "0402", 10, "outside" },
	{ "literal of nothing", "030b6a0100" "45" "040001", 9, "not a name" },
	{ "literal that begins with a digit", "030b6a033161" "00" "45" "040001", 11, "not a name" },
	{ "literal with a blank", "030b6a04612062" "00" "45" "040001", 12, "not a name" },
	{ "literal with a quote", "030b6a04612262" "00" "45" "040001", 12, "not a name" },
	{ "literal with a control character", "030b6a04611b62" "00" "45" "040001", 12, "not a name" },
	{ "literal that is no UTF-8", "030b6a0361ff" "00" "45" "040001", 11, "not a name" },
	{ "literal attribute that is no name", "030b6a033c61" "00" "45" "86040001", 12, "not a name" },
	{ "literal with a length of six octets", "030b6a026100" "45" "04ffffffffff00", 0, "32 bits" },
	{ "public identifier outside of the table", "0300056a026100" "05", 8, "public identifier" },
	{ "public identifier without an end", "0300006a0161" "05", 7, "public identifier" },
	{ "public identifier of another type", "0300006a042d2f2f00" "05", 10, "public identifier" },
	{ "charset of six octets", "030bffffffffff6a0005", 0, "" },
	{ "a table of 4 GiB", "030b6a8fffffff7f05", 9, "string table" },
	{ "a number of 33 bits", "030b6a9080808000" "05", 10, "32 bits" },
	{ "entity of 4 GiB", H "45c65501870706028fffffff7f", 18, "no character" },
	{ "entity behind the last character", H "45c6550187070602c48000", 0, "no character" },
	{ "entity without an end", H "45c655018707060281", 0, "ends early" },
	{ "half a switch", H "4500", 7, "ends early" },
	{ "half a switch between attributes", H "458600", 8, "ends early" },
	{ "half a switch in a value", H "4587050600", 10, "ends early" },
	{ "table offset outside", H "45c655018707068305", 14, "outside" },
	{ "literal that is no name", "030b6a033c620045" "040001", 11, "not a name" },
	{ "entity zero", H "45c65501870706020001", 14, "no character" },
	{ "entity of a surrogate", H "45c655018707060283b00001", 16, "no character" },
	{ "number of six octets", "030b6affffffffffff0005", 12, "32 bits" },
	{ "not UTF-8", H "45c6550187070603ff0001", 15, "not UTF-8" },
	{ "the root is another element", H "87110603610001", 12, "root element" },
	{ "an attribute twice", H "45c65555" "01", 0, "twice" },
	{ "END is missing", H "45c65501", 9, "ends early" },
};

static void
test_broken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		struct err err = { 0 };
		struct document *d = decoded(broken[i].hex, NULL, &err);

		if (d != NULL || err.line != 0 || strstr(err.text, broken[i].why) == NULL ||
		    (broken[i].column != 0 && err.column != broken[i].column))
			fail_msg("%s: column %u: %s", broken[i].name, err.column, err.text);
	}
}

/* Every prefix of a good message, and every octet of it turned into every other: no
 * crash, and either a document or an error. Copies are as long as what they hold, so that
 * a reader that goes on is caught. */
static void
test_every_octet_wrong(void **state)
{
	static const struct {
		const char	*name;
		bool		 all;		/* each octet takes each value, not only a few */
	} messages[] = {
		{ "d1", true }, { "d2", false }, { "d3", true }, { "d4", false }, { "v7", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		char *hex = file_read(messages[i].name, "hex");
		uint8_t room[1024], *copy;
		struct buf b = buf_on(room, sizeof room);

		assert_int_equal(text_unhex((struct text){ hex, strcspn(hex, "\n") }, &b, NULL), 0);
		for (size_t n = 0; n < b.len; n++) {
			struct err err = { 0 };

			assert_non_null(copy = malloc(n + 1));
			memcpy(copy + 1, room, n);
			if (wbxml_decode(NULL, (struct text){ (char *)copy + 1, n }, NULL, &err) != NULL ||
			    err.code != ERR_SYNTAX || err.column == 0 || err.column > n + 1)
				fail_msg("%s: %zu octets: %u: %s", messages[i].name, n, err.column, err.text);
			free(copy);
		}
		assert_non_null(copy = malloc(b.len));
		memcpy(copy, room, b.len);
		for (size_t n = 0; n < b.len; n++) {
			for (unsigned v = 0; v < 256; v += messages[i].all ? 1 : 17) {
				struct err err = { 0 };
				struct document *d;

				copy[n] = (uint8_t)v;
				d = wbxml_decode(NULL, (struct text){ (char *)copy, b.len }, NULL, &err);
				assert_true((d == NULL) == (err.code != ERR_NONE));
				document_free(&d);
			}
			copy[n] = room[n];
		}
		free(copy);
		free(hex);
	}
}

/* --- every token ------------------------------------------------------------------ */

enum { PAGE, KIND, TOKEN, NAME, VALUE, SINCE, STATUS, COLUMNS };
enum { TAG, START, WORD, KINDS };

static bool known[2][KINDS][256];

static void
read_known(void)
{
	static const char *const kinds[] = { "tag", "attrstart", "attrvalue" };
	const char *source = getenv("KANTELE_SRC");
	char path[512], line[512];
	FILE *f;

	snprintf(path, sizeof path, "%s/tests/data/cp-tokens.tsv", source != NULL ? source : ".");
	assert_non_null(f = fopen(path, "r"));
	assert_non_null(fgets(line, sizeof line, f));
	while (fgets(line, sizeof line, f) != NULL) {
		char *column[COLUMNS], *rest = line;

		for (int i = 0; i < COLUMNS; i++)
			column[i] = strsep(&rest, "\t");
		for (int k = 0; k < KINDS; k++)
			if (strcmp(column[KIND], kinds[k]) == 0)
				known[atoi(column[PAGE])][k][strtoul(column[TOKEN], NULL, 16) & 0xff] |=
				    strcmp(column[STATUS], "never") != 0;
	}
	fclose(f);
}

static bool
taken(const uint8_t *octets, size_t len, const char *why, unsigned token)
{
	struct err err = { 0 };
	struct document *d = wbxml_decode(NULL, (struct text){ (const char *)octets, len }, NULL, &err);
	bool ok = d != NULL;

	if (!ok && (err.code != ERR_SYNTAX || strstr(err.text, why) == NULL))
		fail_msg("%02x: %u: %s", token, err.column, err.text);
	document_free(&d);
	return ok;
}

static void
test_every_token(void **state)
{
	(void)state;
	read_known();
	for (unsigned page = 0; page < 2; page++)
		for (unsigned t = 0; t < 256; t++) {
			const uint8_t at_tag[] = { 3, 0x0b, 0x6a, 0, 0x45, 0, (uint8_t)page, (uint8_t)t, 1, 1, 1 };
			const uint8_t at_start[] = { 3, 0x0b, 0x6a, 0, 0x45, 0x86, 0, (uint8_t)page, (uint8_t)t, 1,
			    1 };
			const uint8_t at_value[] = { 3, 0x0b, 0x6a, 0, 0x45, 0x87, 0, (uint8_t)page, 0x05,
			    (uint8_t)t, 1, 1 };
			unsigned code = t & 0x3f;
			/* tags end once without flags, twice with one, three times with both */
			size_t ends = (t & 0x80 ? 1 : 0) + (t & 0x40 ? 1 : 0) + 1;

			if (code > 4 && taken(at_tag, 8 + ends, "tag", t) != known[page][TAG][code])
				fail_msg("page %u tag %02x", page, t);
			if (t > 4 && taken(at_start, sizeof at_start, "attribute token", t) !=
			    (t < 0x80 && known[page][START][t]))
				fail_msg("page %u attribute %02x", page, t);
			if (t >= 0x80 && t != 0x83 && taken(at_value, sizeof at_value, "value token", t) !=
			    known[page][WORD][t])
				fail_msg("page %u value %02x", page, t);
		}
}

/* Global tokens without a meaning here, wherever one could stand. */
static void
test_global_tokens(void **state)
{
	static const uint8_t globals[] = { 0x40, 0x41, 0x42, 0x43, 0x80, 0x81, 0x82, 0xc0, 0xc1, 0xc2,
	    0xc3 };

	(void)state;
	for (size_t i = 0; i < sizeof globals; i++)
		for (uint8_t page = 0; page < 2; page++) {
			const uint8_t before[] = { 3, 0x0b, 0x6a, 0, globals[i], 1, 0x45, 1 };
			const uint8_t inside[] = { 3, 0x0b, 0x6a, 0, 0x45, 0, page, globals[i], 1, 'x', 0, 1 };
			const uint8_t start[] = { 3, 0x0b, 0x6a, 0, 0x45, 0x86, 0, page, globals[i], 1, 1, 1 };
			const uint8_t value[] = { 3, 0x0b, 0x6a, 0, 0x45, 0x87, 5, 3, 'x', 0, 0, page,
			    globals[i], 1, 1, 1 };

			assert_false(taken(before, sizeof before, "", globals[i]));
			assert_false(taken(inside, sizeof inside, "tag", globals[i]));
			assert_false(taken(start, sizeof start, "attribute token", globals[i]));
			assert_false(taken(value, sizeof value, "token", globals[i]));
		}
}

static void
test_headers(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 256; v++) {
		const uint8_t version[] = { (uint8_t)v, 0x0b, 0x6a, 0, 0x05 };
		const uint8_t type[] = { 3, (uint8_t)v, 0x6a, 0, 0x05 };
		const uint8_t charset[] = { 3, 0x0b, (uint8_t)v, 0, 0x05 };
		const uint8_t page[] = { 3, 0x0b, 0x6a, 0, 0x45, 0, (uint8_t)v, 1 };

		if (taken(version, sizeof version, "version", v) != (v >= 1 && v <= 3))
			fail_msg("version %02x", v);
		if (v != 0 && v < 0x80 && taken(type, sizeof type, "", v) != (v == 0x0b))
			fail_msg("public identifier %02x", v);
		if (v < 0x80 && taken(charset, sizeof charset, "charset", v) !=
		    (v == 0 || v == 3 || v == 4 || v == 106))
			fail_msg("charset %u", v);
		if (taken(page, sizeof page, "code page", v) != (v < 2))
			fail_msg("page %u", v);
	}
}

/* --- what a small message could stand for ------------------------------------------- */

static const struct {
	const char	*name;
	uint8_t		 charset;
	const char	*each;			/* hex, repeated to the end */
	const char	*why;
} bombs[] = {
	{ "values", 0x6a, "8707068300" "01", "together more than" },
	{ "values of another charset", 0x04, "8707068300" "01", "together more than" },
	{ "text that is dropped", 0x6a, "8300", "together more than" },
	{ "text that is dropped, of another charset", 0x04, "8300", "together more than" },
	{ "long words", 0x6a, "87070695959595959595959595959595959595959595959595959595959595" "01",
	  "together more than" },
	{ "elements", 0x6a, "07", "more than 10000 elements" },
	{ "elements within", 0x6a, "46", "deeper" },
	{ "attributes", 0x6a, "8707" "08", "twice" },
	{ "one value in many pieces", 0x6a, "8300", "together" },
	{ "switches", 0x6a, "0001", "ends early" },
};

/* 64 KiB, of which a string in the table is half; each reference to it has two octets. */
static void
test_bombs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
		struct buf b = buf_heap(WBXML_OCTETS), each = buf_heap(100);
		struct err err = { 0 };
		clock_t start;
		double spent;

		assert_int_equal(text_unhex(text_of(bombs[i].each), &each, NULL), 0);
		buf_printf(&b, "\x03\x0b%c", bombs[i].charset);
		buf_bytes(&b, "\x81\xea\x31", 3);		/* 30,001 octets */
		for (int n = 0; n < 30000; n++)
			buf_u8(&b, 'x');
		buf_bytes(&b, "\0\x45\xc6\x55\x01", 5);
		while (b.len + each.len <= WBXML_OCTETS)
			buf_bytes(&b, each.data, each.len);
		start = clock();
		if (wbxml_decode(NULL, (struct text){ (char *)b.data, b.len }, NULL, &err) != NULL ||
		    strstr(err.text, bombs[i].why) == NULL)
			fail_msg("%s: %s", bombs[i].name, err.text);
		spent = (double)(clock() - start) / CLOCKS_PER_SEC;
		if (spent > 0.5)
			fail_msg("%s took %.0f ms", bombs[i].name, spent * 1000);
		buf_free(&b);
		buf_free(&each);
	}
}

static void
test_deep_nesting_is_refused(void **state)
{
	uint8_t room[4 + 200] = { 0x03, 0x0b, 0x6a, 0x00 };
	struct err err = { 0 };

	(void)state;
	memset(room + 4, 0x46, 200);
	room[4] = 0x45;
	assert_null(wbxml_decode(NULL, (struct text){ (char *)room, sizeof room }, NULL, &err));
	assert_non_null(strstr(err.text, "deeper"));
	err_clear(&err);
	assert_null(wbxml_decode(NULL, (struct text){ (char *)room, WBXML_OCTETS + 1 }, NULL, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worked_documents),
		cmocka_unit_test(test_captured_message_and_back),
		cmocka_unit_test(test_encodings),
		cmocka_unit_test(test_older_types),
		cmocka_unit_test(test_return_style),
		cmocka_unit_test(test_limits_of_encoding),
		cmocka_unit_test(test_decodings),
		cmocka_unit_test(test_value_in_pieces),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_every_octet_wrong),
		cmocka_unit_test(test_every_token),
		cmocka_unit_test(test_global_tokens),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_deep_nesting_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
