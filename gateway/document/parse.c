/*
 * parse.c - XML to a document
 *
 * Element and attribute names get their known spelling here; everything else stays as
 * it was written. A document is refused only when it could not be encoded as it is.
 *
 * Knows:     which text is dropped, how a type is told by its root.
 * Does not:  know expat (base/xml.h), tokens, or what a handset makes of it (lint.c).
 * Owns:      one struct xml per thread, given back when the thread ends.
 * Threads:   pure; a document belongs to one thread at a time.
 */
#include "document/document.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/finding.h"
#include "base/xml.h"
#include "document/media.h"
#include "document/tree.h"

struct reader {
	struct document	*document;
	const struct media *given;
	struct findings	*findings;	/* may be NULL */
	struct element	*open[DOCUMENT_DEPTH];
	size_t		 depth;
	struct text	 public_id;
	const struct element *dropped;	/* whose text was reported last */
};

static _Thread_local struct xml *parse_xml;
static pthread_key_t parse_key;
static pthread_once_t parse_once = PTHREAD_ONCE_INIT;

static void
parse_thread_ends(void *arg)
{
	struct xml *x = arg;

	xml_free(&x);
}

static void
parse_make_key(void)
{
	pthread_key_create(&parse_key, parse_thread_ends);
}

/* Making an expat parser costs as much as reading a document of 1 kB. */
static struct xml *
parse_reader(void)
{
	if (parse_xml == NULL) {
		pthread_once(&parse_once, parse_make_key);
		if ((parse_xml = xml_new()) != NULL)
			pthread_setspecific(parse_key, parse_xml);
	}
	return parse_xml;
}

static int
parse_doctype(void *arg, struct xml_place place, const char *name, const char *public_id,
    const char *system_id, struct err *err)
{
	struct reader *r = arg;

	(void)place, (void)name, (void)system_id, (void)err;
	if (public_id != NULL)
		r->public_id = tree_copy(r->document, text_of(public_id));
	return 0;
}

static int
parse_type_contradicts(struct reader *r, struct xml_place place, struct text root,
    const struct media *told, struct err *err)
{
	if (told != NULL)
		return err_at(err, ERR_SYNTAX, place.line, place.column,
		    "the type %s has the root element <%s>, but this is <%.*s>: give the type %s",
		    r->given->sendota_type, r->given->root, TEXT_ARGS(root), told->sendota_type);
	return err_at(err, ERR_SYNTAX, place.line, place.column,
	    "the root element is <%.*s>, but the type %s begins with <%s>",
	    (int)(root.len < 60 ? root.len : 60), root.at, r->given->sendota_type, r->given->root);
}

/* The root tells the type; a type that the caller gave must agree. */
static int
parse_root(struct reader *r, struct xml_place place, struct text root, struct err *err)
{
	const struct media *told = media_by_root(root, r->public_id);

	if (r->given != NULL) {
		if (!text_eq_nocase(root, text_of(r->given->root)))
			return parse_type_contradicts(r, place, root, told, err);
		told = r->given;
	}
	if (told == NULL)
		return err_at(err, ERR_SYNTAX, place.line, place.column,
		    "no document type begins with <%.*s>: a provisioning document begins with "
		    "<wap-provisioningdoc>", (int)(root.len < 60 ? root.len : 60), root.at);
	tree_set_media(r->document, told);
	return 0;
}

/* The known spelling of a name, or a copy of it in the arena. */
static struct text
parse_name(struct reader *r, const struct text *known, struct text name,
    struct xml_place place)
{
	struct text spelled = media_spelling(known, name);

	if (spelled.at == name.at)
		return tree_copy(r->document, name);
	if (r->findings != NULL && !text_eq(spelled, name))
		finding_add(r->findings, SEVERITY_WARNING, "L005", NULL, place.line, place.column,
		    "\"%.*s\" differs from \"%.*s\" in case: write %.*s", TEXT_ARGS(name),
		    TEXT_ARGS(spelled), TEXT_ARGS(spelled));
	return spelled;
}

/* Namespaces and xml:lang speak to an XML reader. WBXML has no place for them, and a handset
 * would meet names that it cannot know. */
static bool
parse_for_readers(struct reader *r, struct xml_place place, const char *name)
{
	if (strcmp(name, "xmlns") != 0 && strncmp(name, "xmlns:", 6) != 0 &&
	    strncmp(name, "xml:", 4) != 0)
		return false;
	if (r->findings != NULL)
		finding_add(r->findings, SEVERITY_NOTE, "L006", NULL, place.line, place.column,
		    "the attribute \"%.60s\" is for XML readers: it is not sent", name);
	return true;
}

static int
parse_start(void *arg, struct xml_place place, const char *name,
    const char *const *attributes, struct err *err)
{
	struct reader *r = arg;
	struct text root = text_of(name), n, value;
	struct element *e;
	const struct media *m;

	if (r->depth == 0 && parse_root(r, place, root, err) == -1)
		return -1;
	if (r->depth == DOCUMENT_DEPTH)
		return err_at(err, ERR_LIMIT, place.line, place.column,
		    "elements nested deeper than %d", DOCUMENT_DEPTH);
	m = document_media(r->document);
	if ((n = parse_name(r, m->elements, root, place)).at == NULL)
		return err_set(err, ERR_SYSTEM, "no memory for the document");
	e = tree_add(r->document, r->depth > 0 ? r->open[r->depth - 1] : NULL, n, place.line,
	    place.column, err);
	if (e == NULL)
		return -1;
	r->open[r->depth++] = e;
	for (; *attributes != NULL; attributes += 2) {
		if (parse_for_readers(r, place, attributes[0]))
			continue;
		n = parse_name(r, m->attributes, text_of(attributes[0]), place);
		value = tree_copy(r->document, text_of(attributes[1]));
		if (n.at == NULL || value.at == NULL)
			return err_set(err, ERR_SYSTEM, "no memory for the document");
		if (tree_put(r->document, e, n, value, err) == -1)
			return -1;
	}
	return 0;
}

static int
parse_end(void *arg, struct xml_place place, const char *name, struct err *err)
{
	struct reader *r = arg;
	struct element *e = r->open[--r->depth];

	(void)place, (void)name, (void)err;
	if (e->text.at != NULL)
		e->text = text_trim(e->text);
	return 0;
}

static int
parse_chars(void *arg, struct xml_place place, struct text t, struct err *err)
{
	struct reader *r = arg;
	struct element *e;

	if (r->depth == 0)
		return 0;
	e = r->open[r->depth - 1];
	if (document_media(r->document)->text_content && e->children == NULL)
		return tree_append(r->document, e, t, err);
	if (r->findings == NULL || e == r->dropped || text_trim(t).len == 0)
		return 0;
	r->dropped = e;
	finding_add(r->findings, SEVERITY_WARNING, "L007", NULL, place.line, place.column,
	    "the text inside <%.*s> is not sent: values stand in attributes, write value=\"...\"",
	    TEXT_ARGS(e->name));
	return 0;
}

/* Stray text may be a slip of the keyboard; a section was put there to be sent. */
static int
parse_cdata(void *arg, struct xml_place place, struct err *err)
{
	struct reader *r = arg;

	if (document_media(r->document)->text_content)
		return 0;
	return err_at(err, ERR_SYNTAX, place.line, place.column, "a CDATA section cannot be sent: "
	    "values stand in attributes, write value=\"...\"");
}

static const struct xml_events parse_events = {
	.doctype = parse_doctype, .start = parse_start, .end = parse_end, .chars = parse_chars,
	.cdata = parse_cdata
};

static void
parse_blanks_before(const struct reader *r, struct text xml)
{
	if (r->findings != NULL && xml.len > 0 && strchr(" \t\r\n", xml.at[0]) != NULL &&
	    text_trim(xml).len > 5 && memcmp(text_trim(xml).at, "<?xml", 5) == 0)
		finding_add(r->findings, SEVERITY_WARNING, "L008", NULL, 1, 1, "blanks stand before "
		    "<?xml ...?>, which other XML readers refuse: remove them");
}

/* The error as a finding too, unless the open elements explain it better. */
static void
parse_explain(const struct reader *r, struct text xml, struct err *err)
{
	struct unclosed u = { r->open, r->depth, xml, err->line, err->column };

	if (err->code == ERR_SYNTAX && r->depth > 0 && unclosed_explain(&u, r->findings, err))
		return;
	if (r->findings != NULL)
		finding_add(r->findings, SEVERITY_ERROR, r->depth == 0 && r->given == NULL &&
		    document_root(r->document) == NULL ? "L002" : "L001", NULL, err->line,
		    err->column, "%s", err->text);
}

struct document *
document_parse(const struct media *media, struct text xml, const char *charset,
    struct findings *findings, struct err *err)
{
	static const struct xml_limits limits = { DOCUMENT_OCTETS, DOCUMENT_DEPTH,
	    DOCUMENT_ELEMENTS, DOCUMENT_ATTRIBUTES };
	struct reader r = { .given = media, .findings = findings };
	struct xml *x = parse_reader();
	struct err own = { 0 };

	/* Nodes take about four times the octets of the tags that they stand for. */
	if (x == NULL || (r.document = tree_new(media, xml.len * 4 + 512)) == NULL) {
		err_set(err, ERR_SYSTEM, "no memory for the document");
		return NULL;
	}
	if (xml_parse(x, xml, charset, &limits, &parse_events, &r, &own) == 0) {
		parse_blanks_before(&r, xml);
		return r.document;
	}
	parse_explain(&r, xml, &own);
	if (err != NULL && err->code == ERR_NONE)
		*err = own;
	document_free(&r.document);
	return NULL;
}
