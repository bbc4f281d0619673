/*
 * lint.c - walks a document and holds it against the schema
 *
 * Codes (error E, warning W, note N):
 *   L001 E not well-formed                L002 E root is not known
 *   L003 E/W element not allowed here     L004 E/W type or name is missing
 *   L005 W differs in case only           L006 W name, type or attribute is not known
 *   L007 W text between tags is not sent  L008 W blanks before the XML declaration
 *   L010 E wrong parent                   L011 E/W required parm is missing
 *   L012 E/W given too often              L013 W value on a flag, or none where one is due
 *   L020 E value not in the enumeration   L021 E/W number, port, address or URL malformed
 *   L022 E GSM-GPRS without APN type      L023 W MCC or MNC lost its leading zeros
 *   L030 E reference to nothing           L031 E identifier defined twice
 *   L032 W defined and never used
 *   L040 W version does not fit the names
 *   L050 E w7 lacks APPSRV or CLIENT      L051 E w7 CLIENT is not DIGEST
 *   L052 E AAUTHDATA is not base64        L053 E w7 without server or address
 *   L054 W w7 detail that clients stumble over
 *   L055 E INIT in a ROM document
 *   L060 E policy or role bits not known  L061 W 4111 does not cover 4141..4143
 *   L062 E thumbprint does not match      L063 W policies do not fit the way of delivery
 *   L064 N/W what a policy value means    L065 W ROLE and the roles of the message
 *   L066 W query in a push                L067 E/W registry path, GUID or value of a provider
 *   L068 W erases the device
 *   L070 N/W number of segments           L071 W known trouble with devices
 *   L072 W nested deeper than need be
 *   L080 W text long or not ASCII
 *
 * Knows:     order of the checks, structure, references.
 * Does not:  refuse anything; know values (values.c), device management (dm.c) or
 *            Windows Mobile (windows.c, providers.c).
 * Owns:      nothing.
 * Threads:   pure, any thread.
 */
#include "document/lint.h"

#include "document/judge.h"
#include "document/media.h"

enum {
	PARMS_MOST = 64,		/* names that a "did you mean" considers */
	PUSH_OCTETS = 50,		/* WSP, SEC and MAC before the body */
	SINGLE_OCTETS = 133, PART_OCTETS = 128,
	PARTS_FINE = 4, PARTS_MOST = 10,	/* what handsets take */
	DEPTH_NEEDED = 5, DEPTH_FINE = 16
};

static void
lint_define(struct judge *j, struct judge_ids *ids, const struct element *parm,
    const char *kind)
{
	struct text value = element_get(parm, "value");

	if (value.len == 0)
		return;
	for (size_t i = 0; i < ids->count; i++)
		if (text_eq(element_get(ids->parms[i], "value"), value)) {
			JUDGE(j, parm, SEVERITY_ERROR, "L031",
			    "%s \"%.*s\" was defined at line %u already: give each its own name",
			    kind, CUT(value, 40), ids->parms[i]->line);
			return;
		}
	if (ids->count == JUDGE_IDS)
		ids->more = true;
	else
		ids->parms[ids->count++] = parm;
}

/* References may point forward, so definitions are gathered before anything is judged. */
static void
lint_gather(struct judge *j, const struct element *e)
{
	struct text type = element_get(e, "type");
	const struct element *c, *parm;

	if (text_is(type, "NAPDEF") && (parm = judge_parm(e, "NAPID")) != NULL)
		lint_define(j, &j->naps, parm, "NAPID");
	if (text_is(type, "PXLOGICAL") && (parm = judge_parm(e, "PROXY-ID")) != NULL)
		lint_define(j, &j->proxies, parm, "PROXY-ID");
	if (text_is(type, "PXPHYSICAL") && (parm = judge_parm(e, "PHYSICAL-PROXY-ID")) != NULL)
		lint_define(j, &j->physicals, parm, "PHYSICAL-PROXY-ID");
	if (text_is(type, "SecurityPolicy") && judge_parm(e, "4119") != NULL)
		j->grants = true;
	if (text_is(type, "APPLICATION") || text_is(type, "ACCESS"))
		j->takes_naps = j->takes_proxies = true;
	if (text_is(type, "PXPHYSICAL"))
		j->takes_naps = true;
	if (schema_provider(type) != NULL || text_is(e->name, "noparm") ||
	    text_is(e->name, "nocharacteristic") || text_is(e->name, "parm-query") ||
	    text_is(e->name, "characteristic-query"))
		j->windows = true;
	for (c = e->children; c != NULL; c = c->next)
		lint_gather(j, c);
}

static void
lint_new_name(struct judge *j, const struct element *e, struct text name)
{
	if (j->v11 || j->told_v11)
		return;
	j->told_v11 = true;	/* once: the cure is in one place */
	JUDGE(j, e, SEVERITY_WARNING, "L040",
	    "%.*s came with version 1.1: write <wap-provisioningdoc version=\"1.1\">",
	    CUT(name, 40));
}

static void
lint_attributes(struct judge *j, const struct element *e, const char *own, const char *other)
{
	static const char *const extras[] = { "datatype", "translation", "mwid", "recursive" };

	for (const struct attribute *a = e->attributes; a != NULL; a = a->next) {
		bool known = text_is(a->name, own) || (other != NULL && text_is(a->name, other));

		for (size_t i = 0; !known && i < sizeof extras / sizeof *extras; i++)
			known = text_is(a->name, extras[i]);
		if (!known)
			JUDGE(j, e, SEVERITY_WARNING, "L006",
			    "<%.*s> has the attribute \"%.*s\", which most handsets do not know: "
			    "remove it", CUT(e->name, 40), CUT(a->name, 40));
	}
}

static void
lint_unknown_parm(struct judge *j, const struct element *e, const struct schema_type *in,
    struct text name)
{
	const char *names[PARMS_MOST], *near;
	size_t n = 0;

	for (const struct schema_parm *p = in->parms; p->name != NULL; p++) {
		if (text_is_nocase(name, p->name)) {
			if (text_is(name, p->name))
				JUDGE(j, e, SEVERITY_WARNING, "L006", "%s belongs to APPID %s only",
				    p->name, p->app);
			else
				JUDGE(j, e, SEVERITY_WARNING, "L005",
				    "\"%.*s\" differs from %s in case: write %s", CUT(name, 40),
				    p->name, p->name);
			return;
		}
		if (n < PARMS_MOST)
			names[n++] = p->name;
	}
	near = judge_nearest(j, name, names, n);
	JUDGE(j, e, SEVERITY_WARNING, "L006",
	    "%s has no parm \"%.*s\": most handsets will ignore it%s%s", in->type, CUT(name, 40),
	    near != NULL ? "; did you mean " : "", near != NULL ? near : "");
}

/* A parm in a characteristic of the standard. */
static void
lint_parm(struct judge *j, const struct element *e, const struct schema_type *in,
    struct text appid)
{
	struct text name = e->called;
	const struct schema_parm *row;

	lint_attributes(j, e, "name", "value");
	if (e->children != NULL)
		JUDGE(j, e->children, SEVERITY_ERROR, "L003",
		    "<%.*s> cannot stand in a <parm>: close the parm with \"/>\" before it",
		    CUT(e->children->name, 40));
	if (name.len == 0) {
		JUDGE(j, e, SEVERITY_WARNING, "L004",
		    "<parm> has no name: write <parm name=\"...\" value=\"...\"/>");
		return;
	}
	if (in == NULL || in->parms == NULL)
		return;
	if ((row = schema_parm(in, appid, name)) == NULL) {
		if (!text_is(TEXT("VENDORCONFIG"), in->type))
			lint_unknown_parm(j, e, in, name);
		return;
	}
	if (row->v11)
		lint_new_name(j, e, name);
	judge_value_of(j, e, row);
}

/* The children of that name; *second: the second of them. */
static unsigned
lint_count(const struct element *first, const char *name, const struct element **second)
{
	unsigned n = 0;

	for (const struct element *c = first; c != NULL; c = c->next)
		if (text_is(c->called, name) && ++n == 2)
			*second = c;
	return n;
}

/* How often each parm of the table stands. */
static void
lint_counts(struct judge *j, const struct element *e, const struct schema_type *type,
    struct text appid)
{
	for (const struct schema_parm *p = type->parms; p != NULL && p->name != NULL; p++) {
		const struct element *second = NULL;
		unsigned n;

		if (p->app != NULL && !text_is(appid, p->app))
			continue;
		n = lint_count(e->children, p->name, &second);
		if (n == 0 && (p->count == ONE || p->count == MANY))
			JUDGE(j, e, p->soft ? SEVERITY_WARNING : SEVERITY_ERROR, "L011",
			    "%s has no %s: add <parm name=\"%s\" value=\"%s\"/>", type->type, p->name,
			    p->name, p->example);
		if (n > 1 && (p->count == ONE || p->count == MAYBE))
			JUDGE(j, second, p->count == ONE ? SEVERITY_ERROR : SEVERITY_WARNING, "L012",
			    "%s has %u parms %s, handsets take the first or the last: keep one",
			    type->type, n, p->name);
	}
}

static void
lint_napdef(struct judge *j, const struct element *e)
{
	bool gprs = false;

	for (const struct element *c = e->children; c != NULL; c = c->next)
		gprs = gprs || (text_is(c->called, "BEARER") &&
		    text_is(element_get(c, "value"), "GSM-GPRS"));
	if (gprs && !text_is(judge_value(e, "NAP-ADDRTYPE"), "APN"))
		JUDGE(j, e, SEVERITY_ERROR, "L022", "NAPDEF with BEARER GSM-GPRS has no NAP-ADDRTYPE "
		    "APN, so its address is taken for a telephone number: add <parm "
		    "name=\"NAP-ADDRTYPE\" value=\"APN\"/>");
}

static void
lint_pxlogical(struct judge *j, const struct element *e)
{
	if (judge_next(e->children, "PXPHYSICAL") == NULL)
		JUDGE(j, e, SEVERITY_ERROR, "L011", "PXLOGICAL has no PXPHYSICAL: add <characteristic "
		    "type=\"PXPHYSICAL\"> with PHYSICAL-PROXY-ID, PXADDR and TO-NAPID");
}

/* The address of a w4 is the URL of its server. */
static void
lint_messages(struct judge *j, const struct element *e)
{
	const struct element *holder = judge_next(e->children, "APPADDR");
	const struct element *addr = judge_parm(holder != NULL ? holder : e, "ADDR");
	struct text v = addr != NULL ? element_get(addr, "value") : TEXT("");

	if (addr == NULL)
		JUDGE(j, e, SEVERITY_WARNING, "L011", "APPLICATION w4 has no address: add <parm "
		    "name=\"ADDR\" value=\"http://mms.example.com/\"/>");
	else if (v.len > 0 && !judge_begins(v, "http://") && !judge_begins(v, "https://"))
		JUDGE(j, addr, SEVERITY_WARNING, "L021", "ADDR of w4 must be a URL: write "
		    "value=\"http://%.*s\"", CUT(v, 60));
}

static void
lint_application(struct judge *j, const struct element *e)
{
	const struct element *appid = judge_parm(e, "APPID"), *other;
	struct text id = judge_value(e, "APPID");
	const struct schema_application *app;

	if (judge_parm(e, "ADDR") != NULL && judge_next(e->children, "APPADDR") != NULL)
		JUDGE(j, e, SEVERITY_WARNING, "L012",
		    "APPLICATION has both ADDR and APPADDR: keep APPADDR");
	if (id.len == 0)
		return;
	app = schema_application(id);
	if (app == NULL && !text_digits(id) && !(id.len == 6 && memcmp(id.at, "ap", 2) == 0))
		JUDGE(j, appid, SEVERITY_WARNING, "L006", "APPID \"%.*s\" is not registered: most "
		    "handsets will ignore the APPLICATION", CUT(id, 40));
	for (other = e->next; app != NULL && app->single; other = other->next) {
		if ((other = judge_next(other, "APPLICATION")) == NULL)
			break;
		if (text_eq(judge_value(other, "APPID"), id)) {
			JUDGE(j, other, SEVERITY_WARNING, "L071", "a second APPLICATION with APPID %s "
			    "(%s): some handsets keep only the first", app->appid, app->text);
			break;
		}
	}
	if (text_is(id, "w4"))
		lint_messages(j, e);
	if (text_is(id, "w5") && judge_parm(e, "PROVIDER-ID") == NULL)
		JUDGE(j, e, SEVERITY_WARNING, "L011", "APPLICATION w5 has no PROVIDER-ID, by which a "
		    "handset knows its server: add <parm name=\"PROVIDER-ID\" value=\"example.com\"/>");
	if (text_is(id, "w7"))
		judge_dm(j, e);
}

static void
lint_vendorconfig(struct judge *j, const struct element *e)
{
	JUDGE(j, e, SEVERITY_WARNING, "L071",
	    "VENDORCONFIG: Firefox OS refuses the whole message when it sees one");
}

static void
lint_bootstrap(struct judge *j, const struct element *e)
{
	const struct element *url = judge_parm(e, "PROVURL");

	if (url != NULL)
		JUDGE(j, url, SEVERITY_NOTE, "L071", "some handsets refuse a second document with the "
		    "same PROVURL: change it when the document changes");
}

static const struct {
	const char	*type;
	void		(*judge)(struct judge *, const struct element *);
} lint_special[] = {
	{ "NAPDEF",		lint_napdef },
	{ "PXLOGICAL",		lint_pxlogical },
	{ "APPLICATION",	lint_application },
	{ "VENDORCONFIG",	lint_vendorconfig },
	{ "BOOTSTRAP",		lint_bootstrap },
};

static void
lint_unknown_type(struct judge *j, const struct element *e, struct text type)
{
	const char *names[96], *near;
	size_t n = 0;

	for (const struct schema_type *t = schema_types; t->type != NULL; t++)
		names[n++] = t->type;
	for (const struct schema_provider *p = schema_providers; p->type != NULL && n < 96; p++)
		names[n++] = p->type;
	near = judge_nearest(j, type, names, n);
	JUDGE(j, e, SEVERITY_WARNING, "L006", "characteristic type \"%.*s\" is not in the standard: "
	    "most handsets will ignore it%s%s", CUT(type, 40), near != NULL ? "; did you mean " : "",
	    near != NULL ? near : "");
}

static void
lint_parent(struct judge *j, const struct element *e, const struct schema_type *t)
{
	struct text parent = e->parent->parent == NULL ? TEXT("/") : element_get(e->parent, "type");

	if (parent.at == NULL || schema_may_hold(parent, text_of(t->type)))
		return;
	if (t->parents[0] != NULL && t->parents[0][0] == '/')
		JUDGE(j, e, SEVERITY_ERROR, "L010", "%s cannot stand in %.*s: move it out, directly "
		    "into <wap-provisioningdoc>", t->type, CUT(parent, 40));
	else
		JUDGE(j, e, SEVERITY_ERROR, "L010", "%s cannot stand %s%.*s: move it into %s%s%s",
		    t->type, parent.at[0] == '/' ? "at the top" : "in ",
		    CUT(parent.at[0] == '/' ? TEXT("") : parent, 40), t->parents[0],
		    t->parents[1] != NULL ? " or " : "", t->parents[1] != NULL ? t->parents[1] : "");
}

static void	lint_children(struct judge *, const struct element *, const struct schema_type *,
		    struct text);

/* A characteristic in the part of the tree that the standard describes. `appid`: of the
 * APPLICATION around it, handed down, since looking for it each time is quadratic. */
static void
lint_characteristic(struct judge *j, const struct element *e, const struct schema_type *in,
    struct text appid)
{
	struct text type = element_get(e, "type");
	const struct schema_type *t = schema_type(type);

	lint_attributes(j, e, "type", NULL);
	if (type.len == 0) {
		JUDGE(j, e, SEVERITY_ERROR, "L004",
		    "<characteristic> has no type: write <characteristic type=\"...\">");
		return;
	}
	if (t == NULL && schema_provider(type) != NULL && in == NULL)
		return;			/* Windows Mobile's: judge_windows */
	if (t == NULL && (t = schema_type_nocase(type)) != NULL)
		JUDGE(j, e, SEVERITY_WARNING, "L005", "\"%.*s\" differs from %s in case: write %s",
		    CUT(type, 40), t->type, t->type);
	if (t == NULL) {
		if (in == NULL || !(in->addendum || text_is(TEXT("VENDORCONFIG"), in->type)))
			lint_unknown_type(j, e, type);
		return;			/* nothing is known of what is inside */
	}
	lint_parent(j, e, t);
	if (t->v11)
		lint_new_name(j, e, type);
	if (text_is(type, "APPLICATION"))
		appid = judge_value(e, "APPID");
	lint_counts(j, e, t, appid);
	for (size_t i = 0; i < sizeof lint_special / sizeof *lint_special; i++)
		if (text_is(type, lint_special[i].type))
			lint_special[i].judge(j, e);
	lint_children(j, e, t, appid);
}

/* `in`: NULL at the root. */
static void
lint_children(struct judge *j, const struct element *e, const struct schema_type *in,
    struct text appid)
{
	unsigned singles = 0;

	for (const struct element *c = e->children; c != NULL; c = c->next) {
		if (text_is(c->name, "characteristic")) {
			lint_characteristic(j, c, in, appid);
			if (judge_is(c, "characteristic", "CLIENTIDENTITY") && ++singles == 2)
				JUDGE(j, c, SEVERITY_WARNING, "L012",
				    "a second CLIENTIDENTITY: keep one");
		} else if (text_is(c->name, "parm") && in != NULL) {
			lint_parm(j, c, in, appid);
		} else if (text_is(c->name, "parm")) {
			JUDGE(j, c, SEVERITY_ERROR, "L003", "<parm> cannot stand at the top: put it "
			    "into a <characteristic>");
		} else if (text_is(c->name, "parm-query") ||
		    text_is(c->name, "characteristic-query")) {
			judge_query(j, c);
		} else if (text_is(c->name, "noparm") || text_is(c->name, "nocharacteristic")) {
			judge_reset(j, c);
		} else {
			JUDGE(j, c, SEVERITY_WARNING, "L003", "<%.*s> is no element of a provisioning "
			    "document: write <characteristic> or <parm>", CUT(c->name, 40));
		}
	}
}

static void
lint_unused(struct judge *j, const struct judge_ids *ids, bool taken, const char *kind,
    const char *by)
{
	if (!taken || ids->more)
		return;
	for (size_t i = 0; i < ids->count; i++)
		if (!ids->used[i])
			JUDGE(j, ids->parms[i], SEVERITY_WARNING, "L032",
			    "%s \"%.*s\" is defined, but nothing uses it: name it in a %s", kind,
			    CUT(element_get(ids->parms[i], "value"), 40), by);
}

static void
lint_segments(struct judge *j, const struct element *root)
{
	unsigned octets = j->options->octets + PUSH_OCTETS;
	unsigned parts = octets <= SINGLE_OCTETS ? 1 : (octets + PART_OCTETS - 1) / PART_OCTETS;

	if (j->options->octets == 0 || j->options->target != LINT_OTA || parts <= PARTS_FINE)
		return;
	JUDGE(j, root, parts > PARTS_MOST ? SEVERITY_WARNING : SEVERITY_NOTE, "L070",
	    "the message takes %u segments, and %s: shorten NAME values, drop optional parms",
	    parts, parts > PARTS_MOST ? "handsets join 10 at most" : "some handsets join 4 only");
}

static unsigned
lint_depth(const struct element *e)
{
	unsigned below = 0, n;

	for (const struct element *c = e->children; c != NULL; c = c->next)
		below = (n = lint_depth(c)) > below ? n : below;
	return below + 1;
}

static void
lint_root(struct judge *j, const struct element *root)
{
	unsigned depth = lint_depth(root);

	struct text version = element_get(root, "version");

	lint_attributes(j, root, "version", NULL);
	j->v11 = text_is(version, "1.1");
	if (version.at != NULL && !j->v11 && !text_is(version, "1.0"))
		JUDGE(j, root, SEVERITY_WARNING, "L040",
		    "version \"%.*s\" is not known: write version=\"1.1\"", CUT(version, 20));
	if (root->children == NULL)
		JUDGE(j, root, SEVERITY_WARNING, "L011", "the document is empty: it changes nothing");
	if (depth > DEPTH_FINE)
		JUDGE(j, root, SEVERITY_WARNING, "L072", "elements are nested %u deep, where the "
		    "standard needs %d: handsets may refuse the document", depth, DEPTH_NEEDED);
}

void
lint_document(const struct document *d, const struct lint_options *options,
    struct findings *findings)
{
	struct judge j = { .options = options, .findings = findings,
	    .windows = options->windows_mobile };
	const struct element *root = document_root(d);

	if (root == NULL || document_media(d) != &media_provisioning)
		return;
	lint_root(&j, root);
	lint_gather(&j, root);
	lint_children(&j, root, NULL, (struct text){ NULL, 0 });
	lint_unused(&j, &j.naps, j.takes_naps, "NAPID", "TO-NAPID");
	lint_unused(&j, &j.proxies, j.takes_proxies, "PROXY-ID", "TO-PROXY");
	judge_windows(&j, root);
	judge_providers(&j, root);
	lint_segments(&j, root);
}
