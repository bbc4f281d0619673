/*
 * xml.c - expat behind a table of functions
 *
 * Everything is UTF-8 before expat sees it: expat itself knows four charsets and
 * takes others only octet by octet. With one charset left, places can be counted
 * here, with memchr, which costs a tenth of expat's own count.
 *
 * Knows:     expat, XML declarations, what is refused and why.
 * Does not:  know any document type, or keep what it read.
 * Owns:      the parser and the converted document, until xml_free.
 * Threads:   a reader belongs to one thread.
 */
#include "base/xml.h"

#include <expat.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	XML_DECLARATION = 256,		/* octets in which the declaration must end */
	XML_CHARSET = 40,
	XML_KEEP = 256 * 1024,		/* of the conversion buffer, between documents */
	XML_NAME_SHOWN = 60
};

struct xml {
	XML_Parser	 parser;
	unsigned long	 salt;		/* of expat's hashes: no syscall per document */
	struct buf	 converted;

	/* of the document being read */
	struct text	 document;	/* UTF-8 */
	const struct xml_limits *limits;
	const struct xml_events *events;
	void		*arg;
	struct err	 fault;
	bool		 stopped;
	unsigned	 depth, elements;
	size_t		 counted;	/* the place of this offset is known: */
	struct xml_place place, last_start;
	struct xml_place first;		/* of the document's first octet */
};

static const struct xml_limits xml_no_limits;

/*
 * Places
 */

static unsigned
xml_characters(const char *from, const char *to)
{
	unsigned n = 0;

	for (; from < to; from++)
		n += ((unsigned char)*from & 0xC0) != 0x80;
	return n;
}

/* Events come in order, so each octet is counted once; an offset before the last one
 * (an error inside a tag) starts again. */
static struct xml_place
xml_place_of(struct xml *x, size_t offset)
{
	const char *from, *to, *newline;

	if (offset > x->document.len)
		offset = x->document.len;
	if (offset < x->counted) {
		x->counted = 0;
		x->place = x->first;
	}
	from = x->document.at + x->counted;
	to = x->document.at + offset;
	while (from < to && (newline = memchr(from, '\n', (size_t)(to - from))) != NULL) {
		x->place.line++;
		x->place.column = 1;
		from = newline + 1;
	}
	x->place.column += xml_characters(from, to);
	x->counted = offset;
	return x->place;
}

static size_t
xml_offset(const struct xml *x)
{
	XML_Index at = XML_GetCurrentByteIndex(x->parser);

	return at < 0 || (size_t)at > x->document.len ? x->document.len : (size_t)at;
}

static void
xml_stop(struct xml *x)
{
	if (!x->stopped)
		XML_StopParser(x->parser, XML_FALSE);
	x->stopped = true;
}

__attribute__((format(printf, 4, 5)))
static void
xml_refuse(struct xml *x, enum err_code code, size_t offset, const char *fmt, ...)
{
	struct xml_place place = xml_place_of(x, offset);
	char text[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	err_at(&x->fault, code, place.line, place.column, "%s", text);
	xml_stop(x);
}

/*
 * What expat calls
 */

static bool
xml_entity_known(const char *name, size_t left)
{
	static const char *const known[] = { "#", "amp;", "lt;", "gt;", "quot;", "apos;" };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		size_t n = strlen(known[i]);

		if (left >= n && memcmp(name, known[i], n) == 0)
			return true;
	}
	return false;
}

/* After a DOCTYPE with an external identifier expat drops unknown entities from
 * attribute values without a word (XML 1.0, 4.1 allows it): half a password would go
 * out. So the tag's own octets are looked at; they may be a secret and are not shown. */
static bool
xml_attributes_whole(struct xml *x, size_t offset)
{
	const char *at = x->document.at + offset;
	const char *end = at + XML_GetCurrentByteCount(x->parser);

	while ((at = memchr(at, '&', (size_t)(end - at))) != NULL) {
		at++;
		if (xml_entity_known(at, (size_t)(end - at)))
			continue;
		xml_refuse(x, ERR_SYNTAX, (size_t)(at - 1 - x->document.at), "the & is neither &amp; "
		    "&lt; &gt; &quot; &apos; nor &#...;: write &amp; for the character");
		return false;
	}
	return true;
}

static void XMLCALL
xml_on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct xml *x = arg;
	const struct xml_limits *most = x->limits;
	size_t offset;
	unsigned n = 0;

	if (x->stopped)
		return;
	offset = xml_offset(x);
	x->last_start = xml_place_of(x, offset);
	if (most->depth > 0 && ++x->depth > most->depth) {
		xml_refuse(x, ERR_LIMIT, offset, "elements nested deeper than %u", most->depth);
		return;
	}
	if (most->elements > 0 && ++x->elements > most->elements) {
		xml_refuse(x, ERR_LIMIT, offset, "more than %u elements", most->elements);
		return;
	}
	while (attributes[2 * n] != NULL)
		n++;
	if (most->attributes > 0 && n > most->attributes) {
		xml_refuse(x, ERR_LIMIT, offset, "<%.*s> has more than %u attributes",
		    XML_NAME_SHOWN, name, most->attributes);
		return;
	}
	if (n > 0 && !xml_attributes_whole(x, offset))
		return;
	if (x->events->start != NULL && x->events->start(x->arg, x->last_start, name,
	    (const char *const *)attributes, &x->fault) == -1)
		xml_stop(x);
}

/* The end of <a/> has no octets of its own: its place is that of the start. */
static void XMLCALL
xml_on_end(void *arg, const XML_Char *name)
{
	struct xml *x = arg;
	struct xml_place place = x->last_start;

	if (x->stopped)
		return;
	x->depth -= x->depth > 0;
	if (x->events->end == NULL)
		return;
	if (XML_GetCurrentByteCount(x->parser) > 0)
		place = xml_place_of(x, xml_offset(x));
	if (x->events->end(x->arg, place, name, &x->fault) == -1)
		xml_stop(x);
}

static void XMLCALL
xml_on_chars(void *arg, const XML_Char *at, int len)
{
	struct xml *x = arg;

	if (x->stopped)
		return;
	if (x->events->chars(x->arg, xml_place_of(x, xml_offset(x)),
	    (struct text){ at, (size_t)len }, &x->fault) == -1)
		xml_stop(x);
}

static void XMLCALL
xml_on_cdata(void *arg)
{
	struct xml *x = arg;

	if (!x->stopped && x->events->cdata(x->arg, xml_place_of(x, xml_offset(x)), &x->fault) == -1)
		xml_stop(x);
}

/* expat tells of a declaration when it has read a part of it: back to its '<'. At most
 * one call per document, since all but the DOCTYPE are refused. */
static size_t
xml_declaration_start(const struct xml *x, const char *mark)
{
	size_t n = strlen(mark), at = xml_offset(x);

	for (; at > 0; at--)
		if (x->document.len - at >= n && memcmp(x->document.at + at, mark, n) == 0)
			break;
	return at;
}

static void XMLCALL
xml_on_doctype(void *arg, const XML_Char *name, const XML_Char *system_id,
    const XML_Char *public_id, int internal)
{
	struct xml *x = arg;

	(void)internal;
	if (x->stopped || x->events->doctype == NULL)
		return;
	if (x->events->doctype(x->arg, xml_place_of(x, xml_declaration_start(x, "<!DOCTYPE")),
	    name, public_id, system_id, &x->fault) == -1)
		xml_stop(x);
}

/* Entities multiply (a thousand octets become gigabytes) and reach for files. */
static void XMLCALL
xml_on_entity(void *arg, const XML_Char *name, int parameter, const XML_Char *value,
    int len, const XML_Char *base, const XML_Char *system_id, const XML_Char *public_id,
    const XML_Char *notation)
{
	struct xml *x = arg;

	(void)parameter, (void)value, (void)len, (void)base, (void)system_id;
	(void)public_id, (void)notation;
	if (!x->stopped)
		xml_refuse(x, ERR_SYNTAX, xml_declaration_start(x, "<!ENTITY"),
		    "entity declarations are refused: write the text of \"%.*s\" where it is used",
		    XML_NAME_SHOWN, name);
}

/* A default would be added to each element, so it multiplies like an entity. */
static void XMLCALL
xml_on_attlist(void *arg, const XML_Char *element, const XML_Char *name,
    const XML_Char *type, const XML_Char *standard, int required)
{
	struct xml *x = arg;

	(void)element, (void)type, (void)required;
	if (!x->stopped && standard != NULL)
		xml_refuse(x, ERR_SYNTAX, xml_declaration_start(x, "<!ATTLIST"),
		    "default values of attributes are refused: write \"%.*s\" where it is used",
		    XML_NAME_SHOWN, name);
}

static void XMLCALL
xml_on_skipped(void *arg, const XML_Char *name, int parameter)
{
	struct xml *x = arg;

	(void)parameter;		/* never: expat is not asked to follow those */
	if (!x->stopped)
		xml_refuse(x, ERR_SYNTAX, xml_offset(x), "&%.*s; is not known: XML has only &amp; "
		    "&lt; &gt; &quot; &apos; and &#...;", XML_NAME_SHOWN, name);
}

/*
 * The charset
 */

/* The order mark goes before what anybody says (RFC 7303, 3.3). */
static const char *
xml_charset_seen(struct text *t)
{
	static const struct {
		const char	*octets;
		size_t		 len, mark;
		const char	*charset;
	} seen[] = {
		{ "\xEF\xBB\xBF",	3, 3, "UTF-8" },
		{ "\xFF\xFE\0\0",	4, 4, "UTF-32LE" },
		{ "\0\0\xFE\xFF",	4, 4, "UTF-32BE" },
		{ "\xFE\xFF",		2, 2, "UTF-16BE" },
		{ "\xFF\xFE",		2, 2, "UTF-16LE" },
		{ "\0\0\0<",		4, 0, "UTF-32BE" },
		{ "<\0\0\0",		4, 0, "UTF-32LE" },
		{ "\0<",		2, 0, "UTF-16BE" },
		{ "<\0",		2, 0, "UTF-16LE" },
	};

	for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
		if (t->len >= seen[i].len && memcmp(t->at, seen[i].octets, seen[i].len) == 0) {
			t->at += seen[i].mark;
			t->len -= seen[i].mark;
			return seen[i].charset;
		}
	return NULL;
}

static struct text
skip_blanks(struct text t)
{
	while (t.len > 0 && strchr(" \t\r\n", t.at[0]) != NULL && t.at[0] != '\0') {
		t.at++;
		t.len--;
	}
	return t;
}

static bool
is_declaration(struct text t)
{
	return t.len >= 6 && memcmp(t.at, "<?xml", 5) == 0 && strchr(" \t\r\n", t.at[5]) != NULL &&
	    t.at[5] != '\0';
}

/* encoding="..." of the XML declaration; false when there is none. */
static bool
xml_declared(struct text t, char out[XML_CHARSET])
{
	const char *at, *end;
	char quote;

	t = skip_blanks(t);
	if (!is_declaration(t))
		return false;
	if ((end = memmem(t.at, t.len < XML_DECLARATION ? t.len : XML_DECLARATION, "?>", 2)) == NULL)
		return false;
	if ((at = memmem(t.at, (size_t)(end - t.at), "encoding", 8)) == NULL)
		return false;
	t = skip_blanks((struct text){ at + 8, (size_t)(end - at) - 8 });
	if (t.len == 0 || t.at[0] != '=')
		return false;
	t = skip_blanks((struct text){ t.at + 1, t.len - 1 });
	if (t.len < 2 || ((quote = t.at[0]) != '"' && quote != '\''))
		return false;
	end = memchr(t.at + 1, quote, t.len - 1);
	if (end == NULL || end - t.at > XML_CHARSET)
		return false;
	t = text_trim((struct text){ t.at + 1, (size_t)(end - t.at) - 1 });
	memcpy(out, t.at, t.len);
	out[t.len] = '\0';
	return t.len > 0;
}

static bool
charset_is(const char *charset, const char *const *names)
{
	for (; *names != NULL; names++)
		if (text_eq_nocase(text_of(charset), text_of(*names)))
			return true;
	return false;
}

static const char *const utf8_names[] = { "UTF-8", "UTF8", "US-ASCII", "ASCII", NULL };
static const char *const wide_names[] = { "UTF-16", "UTF-16BE", "UTF-16LE", "UCS-2", "UTF-32",
    "ISO-10646-UCS-2", "ISO-10646-UCS-4", NULL };

/* Beyond ASCII; and octets of another charset are hardly ever that by chance. */
static bool
is_utf8(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if ((uint8_t)t.at[i] >= 0x80)
			return text_utf8_bad(t) < 0;
	return false;
}

const char *
xml_charset_hinted(struct text document, const char *hint)
{
	char declared[XML_CHARSET];
	bool told;

	if (hint == NULL || xml_charset_seen(&document) != NULL)
		return NULL;
	told = xml_declared(document, declared);
	if (is_utf8(document))
		return told && !charset_is(declared, utf8_names) && charset_is(hint, utf8_names) ?
		    hint : NULL;
	if (!told || charset_is(declared, wide_names))
		return hint;
	return charset_is(declared, utf8_names) && text_utf8_bad(document) >= 0 ? hint : NULL;
}

static int
xml_refuse_wide(const char *declared, struct err *err)
{
	return err_at(err, ERR_SYNTAX, 1, 1, "the first line says encoding=\"%s\", but the document "
	    "is not in %s: write encoding=\"UTF-8\", or convert it", declared, declared);
}

/* The document as UTF-8 without an order mark. */
static int
xml_to_utf8(struct xml *x, struct text document, const char *charset, struct err *err)
{
	char declared[XML_CHARSET];
	const char *seen = xml_charset_seen(&document);
	struct err why = { 0 };
	struct xml_place place;

	if (seen != NULL)
		charset = seen;
	else if (charset == NULL && xml_declared(document, declared))
		charset = declared;
	x->document = document;
	if (charset == declared && charset_is(declared, wide_names))
		return xml_refuse_wide(declared, err);
	if (charset == NULL || charset_is(charset, utf8_names))
		return 0;
	x->converted.len = 0;
	x->converted.most = document.len < SIZE_MAX / 8 ? document.len * 4 + 64 : SIZE_MAX / 2;
	if (text_convert(charset, "UTF-8", document, 0, &x->converted, &why) == 0) {
		/* nothing but a byte-order mark converts to nothing */
		x->document = (struct text){ x->converted.data != NULL ?
		    (const char *)x->converted.data : "", x->converted.len };
		return 0;
	}
	/* what was converted ends before the fault, so it tells the place */
	x->document = (struct text){ x->converted.data != NULL ?
	    (const char *)x->converted.data : "", x->converted.len };
	place = xml_place_of(x, x->converted.len);
	return err_at(err, why.code, place.line, place.column, "%s", why.text);
}

/* Blanks before the declaration are no XML, but shells and templates put them there, and
 * nobody can mean anything by them. */
static void
xml_skip_blanks(struct xml *x)
{
	struct text rest = skip_blanks(x->document);

	if (rest.at == x->document.at || !is_declaration(rest))
		return;
	x->first = xml_place_of(x, x->document.len - rest.len);
	x->document = rest;
	x->counted = 0;
}

/*
 * Faults that expat finds
 */

/* A '&' that begins no reference: expat points behind it, at what should be ';'. */
static bool
xml_bare_ampersand(const struct xml *x, size_t *offset)
{
	size_t at = *offset, least = at > XML_NAME_SHOWN ? at - XML_NAME_SHOWN : 0;

	while (at > least && strchr("&<>\"' \t\r\n", x->document.at[at - 1]) == NULL)
		at--;
	if (at > least && x->document.at[at - 1] == '&') {
		*offset = at - 1;
		return true;
	}
	return *offset < x->document.len && x->document.at[*offset] == '&';
}

static void
xml_explain_token(struct xml *x, size_t offset)
{
	size_t at = offset;
	unsigned char c = offset < x->document.len ? (unsigned char)x->document.at[offset] : ' ';

	if (xml_bare_ampersand(x, &at))
		xml_refuse(x, ERR_SYNTAX, at, "a '&' stands alone: write &amp;");
	else if (c == '<')
		xml_refuse(x, ERR_SYNTAX, offset, "a '<' where none may be: a '>' or a quote is "
		    "missing before it, or write &lt;");
	else if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
		xml_refuse(x, ERR_SYNTAX, offset, "control character 0x%02X cannot be in XML", c);
	else
		xml_refuse(x, ERR_SYNTAX, offset, "not well-formed XML here");
}

static const struct xml_fault {
	enum XML_Error	 code;
	const char	*text;
} xml_faults[] = {
	{ XML_ERROR_TAG_MISMATCH, "this end tag does not match the element that is open" },
	{ XML_ERROR_NO_ELEMENTS, "the document ends before its root element is closed" },
	{ XML_ERROR_UNCLOSED_TOKEN, "what begins here has no end: a '>', a quote or \"-->\" is "
	    "missing" },
	{ XML_ERROR_PARTIAL_CHAR, "the document ends inside a character" },
	{ XML_ERROR_DUPLICATE_ATTRIBUTE, "an attribute is given twice" },
	{ XML_ERROR_JUNK_AFTER_DOC_ELEMENT, "something follows the end of the root element" },
	{ XML_ERROR_UNDEFINED_ENTITY, "unknown entity: XML has only &amp; &lt; &gt; &quot; "
	    "&apos; and &#...;" },
	{ XML_ERROR_BAD_CHAR_REF, "this reference is to no character of XML" },
	{ XML_ERROR_MISPLACED_XML_PI, "<?xml ...?> must be the very first thing: nothing may "
	    "stand before it" },
	{ XML_ERROR_UNCLOSED_CDATA_SECTION, "the CDATA section that begins here has no \"]]>\"" },
	{ XML_ERROR_XML_DECL, "the XML declaration is not well-formed" },
};

static int
xml_explain(struct xml *x)
{
	enum XML_Error code = XML_GetErrorCode(x->parser);
	size_t offset = xml_offset(x);

	x->stopped = true;
	if (code == XML_ERROR_NO_MEMORY)
		return err_set(&x->fault, ERR_SYSTEM, "no memory for the document");
	if (code == XML_ERROR_TAG_MISMATCH)		/* expat points at the name */
		offset -= offset >= 2 ? 2 : 0;
	if (code == XML_ERROR_INVALID_TOKEN) {
		xml_explain_token(x, offset);
		return -1;
	}
	for (size_t i = 0; i < sizeof xml_faults / sizeof *xml_faults; i++)
		if (xml_faults[i].code == code) {
			xml_refuse(x, ERR_SYNTAX, offset, "%s", xml_faults[i].text);
			return -1;
		}
	xml_refuse(x, ERR_SYNTAX, offset, "%s", XML_ErrorString(code));
	return -1;
}

/*
 * The reader
 */

struct xml *
xml_new(void)
{
	struct xml *x = calloc(1, sizeof *x);

	if (x == NULL)
		return NULL;
	x->parser = XML_ParserCreate("UTF-8");
	x->converted = buf_heap(1);
	if (x->parser == NULL || getrandom(&x->salt, sizeof x->salt, 0) != sizeof x->salt) {
		xml_free(&x);
		return NULL;
	}
	x->salt |= 1;			/* 0 would make expat ask the kernel each time */
	return x;
}

void
xml_free(struct xml **x)
{
	if (*x == NULL)
		return;
	if ((*x)->parser != NULL)
		XML_ParserFree((*x)->parser);
	buf_free(&(*x)->converted);
	free(*x);
	*x = NULL;
}

/* A reset keeps expat's memory, and drops handlers, user data and salt. */
static void
xml_begin(struct xml *x, const struct xml_limits *limits, const struct xml_events *events,
    void *arg)
{
	XML_Parser p = x->parser;

	XML_ParserReset(p, "UTF-8");
	XML_SetHashSalt(p, x->salt);
	XML_SetUserData(p, x);
	XML_SetElementHandler(p, xml_on_start, xml_on_end);
	if (events->chars != NULL)
		XML_SetCharacterDataHandler(p, xml_on_chars);
	if (events->cdata != NULL)
		XML_SetStartCdataSectionHandler(p, xml_on_cdata);
	XML_SetStartDoctypeDeclHandler(p, xml_on_doctype);
	XML_SetEntityDeclHandler(p, xml_on_entity);
	XML_SetAttlistDeclHandler(p, xml_on_attlist);
	XML_SetSkippedEntityHandler(p, xml_on_skipped);
	x->limits = limits != NULL ? limits : &xml_no_limits;
	x->events = events;
	x->arg = arg;
	x->stopped = false;
	x->depth = x->elements = 0;
	x->counted = 0;
	x->first = x->place = x->last_start = (struct xml_place){ 1, 1 };
	err_clear(&x->fault);
}

static int
xml_run(struct xml *x)
{
	long bad = text_utf8_bad(x->document);
	size_t len = bad >= 0 ? (size_t)bad : x->document.len;

	if (XML_Parse(x->parser, x->document.at, (int)len, bad < 0) != XML_STATUS_OK || x->stopped)
		return x->stopped ? -1 : xml_explain(x);
	if (bad < 0)
		return 0;
	xml_refuse(x, ERR_SYNTAX, len, "this octet is not UTF-8: say encoding=\"...\" in the "
	    "first line, or convert the document");
	return -1;
}

int
xml_parse(struct xml *x, struct text document, const char *charset,
    const struct xml_limits *limits, const struct xml_events *events, void *arg,
    struct err *err)
{
	int result = -1;

	xml_begin(x, limits, events, arg);
	if (document.len == 0)
		return err_set(err, ERR_SYNTAX, "the document is empty");
	if (document.len > INT_MAX / 4 ||
	    (x->limits->octets > 0 && document.len > x->limits->octets))
		return err_at(err, ERR_LIMIT, 1, 1, "the document has %zu octets, more than %zu",
		    document.len, x->limits->octets > 0 ? x->limits->octets : (size_t)INT_MAX / 4);
	if (xml_to_utf8(x, document, charset, &x->fault) == 0) {
		xml_skip_blanks(x);
		result = xml_run(x);
	}
	if (result == -1 && x->fault.code == ERR_NONE)		/* an event that named no reason */
		err_set(&x->fault, ERR_SYNTAX, "refused");
	if (result == -1 && err != NULL && err->code == ERR_NONE)
		*err = x->fault;
	if (x->converted.cap > XML_KEEP)
		buf_free(&x->converted);
	x->document = (struct text){ 0 };
	return result;
}
