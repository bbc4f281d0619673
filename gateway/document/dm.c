/*
 * dm.c - an APPLICATION with APPID w7: the account of a device management server
 *
 * APPSRV is what the client shows to the server, CLIENT what the server shows to the
 * client. Microsoft's clients refuse an account that lacks either.
 *
 * Knows:     what a DM client needs to open a session.
 * Does not:  know the parms' forms (values.c, schema.c).
 * Owns:      nothing.
 * Threads:   pure, any thread.
 */
#include "document/judge.h"

enum { ROLE_MANAGER = 8 };

static const struct element *
dm_auth(const struct element *app, const char *level)
{
	const struct element *e = judge_next(app->children, "APPAUTH");

	while (e != NULL && !text_is(judge_value(e, "AAUTHLEVEL"), level))
		e = judge_next(e->next, "APPAUTH");
	return e;
}

static void
dm_address(struct judge *j, const struct element *app)
{
	const struct element *holder = judge_next(app->children, "APPADDR"), *addr;
	struct text v;

	if ((addr = judge_parm(holder != NULL ? holder : app, "ADDR")) == NULL &&
	    (addr = judge_parm(app, "ADDR")) == NULL) {
		JUDGE(j, app, SEVERITY_ERROR, "L053", "w7 has no address: add <characteristic "
		    "type=\"APPADDR\"><parm name=\"ADDR\" value=\"https://dm.example.com/\"/>"
		    "</characteristic>");
		return;
	}
	v = element_get(addr, "value");
	if (v.len == 0)
		JUDGE(j, addr, SEVERITY_ERROR, "L053", "w7 has an empty ADDR: write the server's URL, "
		    "value=\"https://dm.example.com/\"");
	else if (judge_begins(v, "http://"))
		JUDGE(j, addr, SEVERITY_WARNING, "L054", "the server's ADDR is not https: Windows "
		    "Mobile wants TLS, and the secrets would travel in the clear");
	else if (!judge_begins(v, "https://"))
		JUDGE(j, addr, SEVERITY_ERROR, "L021", "ADDR of w7 must be a URL: write "
		    "value=\"https://%.*s\"", CUT(v, 60));
}

/* Findings never repeat a secret. */
static void
dm_credentials(struct judge *j, const struct element *auth)
{
	const struct element *type = judge_parm(auth, "AAUTHTYPE");
	struct text t = judge_value(auth, "AAUTHTYPE"), secret = judge_value(auth, "AAUTHSECRET");
	bool client = text_is(judge_value(auth, "AAUTHLEVEL"), "CLIENT");

	if (client && !text_is(t, "DIGEST"))
		JUDGE(j, type != NULL ? type : auth, SEVERITY_ERROR, "L051",
		    "AAUTHTYPE of the CLIENT credentials must be DIGEST: write <parm "
		    "name=\"AAUTHTYPE\" value=\"DIGEST\"/>");
	else if (!client && t.len > 0 && !text_is(t, "DIGEST") && !text_is(t, "BASIC"))
		JUDGE(j, type, SEVERITY_WARNING, "L054", "AAUTHTYPE of w7 is BASIC or DIGEST, not "
		    "\"%.*s\"", CUT(t, 40));
	if (secret.len == 0)
		JUDGE(j, auth, SEVERITY_ERROR, "L011", "APPAUTH %s has no AAUTHSECRET: add <parm "
		    "name=\"AAUTHSECRET\" value=\"...\"/>", client ? "CLIENT" : "APPSRV");
	else if (text_eq(secret, judge_value(auth, "AAUTHNAME")))
		JUDGE(j, judge_parm(auth, "AAUTHSECRET"), SEVERITY_WARNING, "L054",
		    "AAUTHSECRET equals AAUTHNAME");
	if (client && text_is(t, "DIGEST") && judge_parm(auth, "AAUTHDATA") == NULL)
		JUDGE(j, auth, SEVERITY_ERROR, "L011", "APPAUTH CLIENT has no AAUTHDATA, the first "
		    "nonce of DIGEST: add <parm name=\"AAUTHDATA\" value=\"bm9uY2U=\"/> in base64");
}

/* Clients take the first or the last. `level`: of APPAUTH; else NULL. */
static void
dm_once(struct judge *j, const struct element *app, const char *type, const char *level)
{
	const struct element *e = judge_next(app->children, type);
	unsigned n = 0;

	for (; e != NULL; e = judge_next(e->next, type)) {
		if (level != NULL && !text_is(judge_value(e, "AAUTHLEVEL"), level))
			continue;
		if (++n == 2)
			JUDGE(j, e, SEVERITY_WARNING, "L012", "w7 has a second %s%s%s: keep one", type,
			    level != NULL ? " with AAUTHLEVEL " : "", level != NULL ? level : "");
	}
}

static void
dm_auths(struct judge *j, const struct element *app)
{
	static const struct {
		const char	*level, *text;
	} levels[] = {
		{ "APPSRV", "the credentials that the client shows to the server" },
		{ "CLIENT", "the credentials that the server shows to the client" },
	};
	const struct element *both[2];

	dm_once(j, app, "APPADDR", NULL);
	for (size_t i = 0; i < 2; i++) {
		dm_once(j, app, "APPAUTH", levels[i].level);
		both[i] = dm_auth(app, levels[i].level);
		if (both[i] != NULL)
			dm_credentials(j, both[i]);
		else
			JUDGE(j, app, SEVERITY_ERROR, "L050", "w7 has no APPAUTH with AAUTHLEVEL %s, %s: "
			    "add <characteristic type=\"APPAUTH\"> with AAUTHLEVEL, AAUTHTYPE DIGEST, "
			    "AAUTHNAME, AAUTHSECRET and AAUTHDATA", levels[i].level, levels[i].text);
	}
	if (both[0] != NULL && both[1] != NULL && judge_value(both[0], "AAUTHSECRET").len > 0 &&
	    text_eq(judge_value(both[0], "AAUTHSECRET"), judge_value(both[1], "AAUTHSECRET")))
		JUDGE(j, judge_parm(both[1], "AAUTHSECRET"), SEVERITY_WARNING, "L054",
		    "client and server have the same AAUTHSECRET: give each its own");
}

static void
dm_spelling(struct judge *j, const struct element *app)
{
	static const char *const spellings[] = { "INITIALBACKOFTIME", "INITIALBACKOFFTIME",
	    "MAXBACKOFTIME", "MAXBACKOFFTIME" };
	const struct element *e;

	for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
		if ((e = judge_parm(app, spellings[i])) != NULL)
			JUDGE(j, e, SEVERITY_WARNING, "L054", "Microsoft spells %s in two ways, with one "
			    "F and with two: try which one the device takes", spellings[i]);
}

/* The account gets no more roles than the message has that brings it. */
static void
dm_role(struct judge *j, const struct element *app)
{
	const struct element *e = judge_parm(app, "ROLE");
	struct text v = judge_value(app, "ROLE");
	long role;

	if (e == NULL || text_number(v, 0, 0x1ffe, &role) == -1 || j->options->target == LINT_ROM)
		return;
	if ((role & ROLE_MANAGER) && !j->grants)
		JUDGE(j, e, SEVERITY_WARNING, "L065", "ROLE asks for MANAGER, but an account gets no "
		    "more roles than the message that brings it (NETWPIN: OPERATOR, USERPIN: "
		    "USER_AUTH): the device must grant it by policy 4119, in this document or before");
}

void
judge_dm(struct judge *j, const struct element *app)
{
	const struct element *init = judge_parm(app, "INIT");

	if (judge_value(app, "PROVIDER-ID").len == 0)
		JUDGE(j, app, SEVERITY_ERROR, "L053", "w7 has no PROVIDER-ID, the identifier of the "
		    "server: add <parm name=\"PROVIDER-ID\" value=\"dm.example.com\"/>");
	dm_address(j, app);
	dm_auths(j, app);
	dm_spelling(j, app);
	dm_role(j, app);
	if (init != NULL && j->options->target == LINT_ROM)
		JUDGE(j, init, SEVERITY_ERROR, "L055", "INIT must not stand in a document that goes "
		    "into ROM: remove it");
}
