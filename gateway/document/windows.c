/*
 * windows.c - what Windows Mobile adds: security policies and roles
 *
 * The policies' meaning and defaults differ between devices and editions; defaults that
 * were not read in Microsoft's own pages are not in the table.
 *
 * Knows:     policies, security roles.
 * Does not:  know the other providers (providers.c).
 * Owns:      nothing.
 * Threads:   pure, any thread.
 */
#include "document/judge.h"

#include <stdio.h>

enum {
	ROLE_BITS = 0x1ffe, ROLES_TEXT = 160,
	POLICY_OTA_DEFAULT = 384	/* of policy 4111 */
};

static const struct {
	long		 bit;
	const char	*name;
} windows_roles[] = {
	{ 2,	"OEM" },
	{ 4,	"OPERATOR" },
	{ 8,	"MANAGER" },
	{ 16,	"USER_AUTH" },
	{ 32,	"ENTERPRISE" },
	{ 64,	"USER_UNAUTH" },
	{ 128,	"OPERATOR_TPS" },
	{ 256,	"KNOWN_PPG" },
	{ 512,	"TRUSTED_PPG" },
	{ 1024,	"PPG_AUTH" },
	{ 2048,	"PPG_TRUSTED" },
	{ 4096,	"ANY_PUSH_SOURCE" },
};

enum policy_kind { POLICY_MASK, POLICY_SWITCH, POLICY_NUMBER };

static const struct policy {
	const char	*id, *text;
	enum policy_kind kind;
	long		 most;		/* POLICY_SWITCH: the greatest value, POLICY_NUMBER: limit */
} windows_policies[] = {
	{ "2",		"AutoRun from a card (0 runs, 1 does not)",	POLICY_SWITCH,	1 },
	{ "4097",	"RAPI (0 off, 1 full, 2 restricted)",	POLICY_SWITCH,	2 },
	{ "4101",	"unsigned CAB files",			POLICY_MASK,	0 },
	{ "4102",	"unsigned applications",		POLICY_SWITCH,	1 },
	{ "4103",	"unsigned themes",			POLICY_MASK,	0 },
	{ "4104",	"trusted provisioning server",		POLICY_SWITCH,	1 },
	{ "4105",	"tries for a signed message",		POLICY_NUMBER,	256 },
	{ "4107",	"signed WAP messages (replaced by 4141 to 4143)", POLICY_MASK,	0 },
	{ "4108",	"service loading",			POLICY_MASK,	0 },
	{ "4109",	"service indication",			POLICY_MASK,	0 },
	{ "4110",	"unauthenticated messages",		POLICY_MASK,	0 },
	{ "4111",	"provisioning over the air",		POLICY_MASK,	0 },
	{ "4112",	"connectionless push",			POLICY_SWITCH,	1 },
	{ "4113",	"WSP push",				POLICY_SWITCH,	1 },
	{ "4119",	"who is made a manager",		POLICY_MASK,	0 },
	{ "4120",	"who is an authenticated user",		POLICY_MASK,	0 },
	{ "4121",	"trusted WAP proxy",			POLICY_MASK,	0 },
	{ "4122",	"unsigned prompt (0 prompts, 1 does not)",	POLICY_SWITCH,	1 },
	{ "4123",	"privileged applications",		POLICY_SWITCH,	1 },
	{ "4124",	"service loading downloads",		POLICY_SWITCH,	1 },
	{ "4125",	"use of signing",			POLICY_SWITCH,	1 },
	{ "4126",	"use of encryption",			POLICY_SWITCH,	1 },
	{ "4127",	"software certificates",		POLICY_SWITCH,	1 },
	{ "4129",	"DRM rights",				POLICY_MASK,	0 },
	{ "4130",	"device management over TLS only",	POLICY_SWITCH,	1 },
	{ "4131",	"password (0 requires one, 1 does not)",	POLICY_SWITCH,	1 },
	{ "4132",	"network PIN prompt (0 prompts, 1 does not)", POLICY_SWITCH,	1 },
	{ "4133",	"unlock from the desktop",		POLICY_SWITCH,	1 },
	{ "4134",	"encryption of cards",			POLICY_SWITCH,	1 },
	{ "4135",	"Bluetooth",				POLICY_SWITCH,	1 },
	{ "4136",	"HTML messages",			POLICY_SWITCH,	1 },
	{ "4137",	"S/MIME signing",			POLICY_SWITCH,	1 },
	{ "4138",	"S/MIME encryption",			POLICY_SWITCH,	1 },
	{ "4139",	"S/MIME signing algorithm",		POLICY_NUMBER,	0xffff },
	{ "4140",	"S/MIME encryption algorithm",		POLICY_NUMBER,	0xffff },
	{ "4141",	"provisioning signed with NETWPIN",	POLICY_MASK,	0 },
	{ "4142",	"provisioning signed with USERPIN",	POLICY_MASK,	0 },
	{ "4143",	"provisioning signed with USERNETWPIN",	POLICY_MASK,	0 },
	/* Microsoft's pages disagree on whether it is an S/MIME switch or a mask for MMS. */
	{ "4144",	"S/MIME negotiation, or multimedia messages", POLICY_NUMBER,	ROLE_BITS },
	{ "4145",	"access to shares",			POLICY_SWITCH,	1 },
	{ "4146",	"quick connect",			POLICY_SWITCH,	1 },
	{ "4147",	"SMS and MMS",				POLICY_SWITCH,	1 },
	{ "4148",	"Internet mail",			POLICY_SWITCH,	1 },
};

enum { POLICIES = sizeof windows_policies / sizeof *windows_policies };

/* "OPERATOR_TPS + PPG_AUTH" */
static const char *
windows_role_names(long mask, char *out, size_t size)
{
	size_t len = 0;

	snprintf(out, size, "%s", mask == 0 ? "no role" : "");
	for (size_t i = 0; i < sizeof windows_roles / sizeof *windows_roles; i++)
		if ((mask & windows_roles[i].bit) && len < size)
			len += (size_t)snprintf(out + len, size - len, "%s%s", len > 0 ? " + " : "",
			    windows_roles[i].name);
	return out;
}

static bool
windows_decimal(struct text v)
{
	return text_digits(v) && (v.len == 1 || v.at[0] != '0');
}

/* -1 and a finding when it is no sum of roles. */
static int
windows_mask(struct judge *j, const struct element *e, const char *what, struct text v, long *mask)
{
	char names[ROLES_TEXT];
	long n;

	if (!windows_decimal(v) || text_number(v, 0, 0x7fffffff, &n) == -1) {
		JUDGE(j, e, SEVERITY_ERROR, "L060", "%s must be a decimal number, not \"%.*s\"", what,
		    CUT(v, 20));
		return -1;
	}
	if (n & ~ROLE_BITS) {
		JUDGE(j, e, SEVERITY_ERROR, "L060", "%s %ld (0x%lx) has bits that are no role: write %ld "
		    "(0x%lx, %s)", what, n, n, n & ROLE_BITS, n & ROLE_BITS,
		    windows_role_names(n & ROLE_BITS, names, sizeof names));
		return -1;
	}
	*mask = n;
	return 0;
}

void
judge_role_mask(struct judge *j, const struct element *e, const char *what, struct text v)
{
	char names[ROLES_TEXT];
	long mask;

	if (windows_mask(j, e, what, v, &mask) == 0)
		JUDGE(j, e, SEVERITY_NOTE, "L064", "%s %ld (0x%lx): %s", what, mask, mask,
		    windows_role_names(mask, names, sizeof names));
}

static const struct policy *
windows_policy(struct text id)
{
	for (size_t i = 0; i < POLICIES; i++)
		if (text_is(id, windows_policies[i].id))
			return &windows_policies[i];
	return NULL;
}

static void
windows_unknown_policy(struct judge *j, const struct element *e, struct text id)
{
	const char *ids[POLICIES], *near = NULL;

	for (size_t i = 0; i < POLICIES; i++)
		ids[i] = windows_policies[i].id;
	near = judge_nearest(j, id, ids, POLICIES);
	JUDGE(j, e, SEVERITY_ERROR, "L060", "security policy \"%.*s\" is not known: write its number in "
	    "decimal%s%s", CUT(id, 20), near != NULL ? ", such as " : "", near != NULL ? near : "");
}

static void
windows_policy_value(struct judge *j, const struct element *e, const struct policy *p)
{
	struct text v = element_get(e, "value");
	char names[ROLES_TEXT];
	long n;

	if (p->kind == POLICY_MASK) {
		char what[32];

		snprintf(what, sizeof what, "policy %s", p->id);
		if (windows_mask(j, e, what, v, &n) == 0)
			JUDGE(j, e, SEVERITY_NOTE, "L064", "policy %s (%s) = %ld (0x%lx): %s", p->id,
			    p->text, n, n, windows_role_names(n, names, sizeof names));
	} else if (!windows_decimal(v) || text_number(v, 0, p->most, &n) == -1) {
		JUDGE(j, e, SEVERITY_ERROR, "L060", "policy %s (%s) must be a number from 0 to %ld, not "
		    "\"%.*s\"", p->id, p->text, p->most, CUT(v, 20));
	} else if (text_is(TEXT("4131"), p->id)) {
		JUDGE(j, e, SEVERITY_WARNING, "L064", "policy 4131 = %ld: %s", n,
		    n == 0 ? "a password is required" : "no password is required (0 requires one)");
	}
}

struct policy_set {
	const struct element *at[8];	/* of 4111, 4119, 4141, 4142, 4143 as below */
	long		 value[8];
};

static const char *const windows_watched[] = { "4111", "4119", "4141", "4142", "4143" };
enum { W_OTA, W_GRANT, W_NETWPIN, W_USERPIN, W_USERNETWPIN, WATCHED };

static void
windows_watch(struct judge *j, struct policy_set *set, const struct element *e, struct text id)
{
	long n;

	for (size_t i = 0; i < WATCHED; i++) {
		if (!text_is(id, windows_watched[i]))
			continue;
		if (set->at[i] != NULL)
			JUDGE(j, e, SEVERITY_WARNING, "L012",
			    "policy %s is set at line %u already: keep one (one set for RAPI, "
			    "another for delivery over the air)", windows_watched[i],
			    set->at[i]->line);
		else
			set->at[i] = e;
		if (text_number(element_get(e, "value"), 0, ROLE_BITS, &n) == 0)
			set->value[i] = n;
	}
}

/* The finer policies 4141 to 4143 only act within what 4111 lets in at all. */
static void
windows_cover(struct judge *j, const struct policy_set *set)
{
	long granted = 0, let_in = set->at[W_OTA] != NULL ? set->value[W_OTA] : POLICY_OTA_DEFAULT;
	const struct element *e = NULL;

	for (size_t i = W_NETWPIN; i <= W_USERNETWPIN; i++)
		if (set->at[i] != NULL) {
			granted |= set->value[i];
			e = e != NULL ? e : set->at[i];
		}
	if (e == NULL || !(granted & ~let_in))
		return;
	JUDGE(j, set->at[W_OTA] != NULL ? set->at[W_OTA] : e, SEVERITY_WARNING, "L061",
	    "policies 4141 to 4143 grant roles that policy 4111 %s %ld (0x%lx) keeps out: write <parm "
	    "name=\"4111\" value=\"%ld\"/> (0x%lx)", set->at[W_OTA] != NULL ? "with" :
	    "by its usual default", let_in, let_in, granted | let_in, granted | let_in);
}

/* Microsoft's bootstrap: 4119 alone over RAPI, with 4141 to 4143 over the air. */
static void
windows_delivery(struct judge *j, const struct policy_set *set)
{
	const struct element *pin = set->at[W_NETWPIN] != NULL ? set->at[W_NETWPIN] :
	    set->at[W_USERPIN] != NULL ? set->at[W_USERPIN] : set->at[W_USERNETWPIN];

	if (j->options->target == LINT_OTA && set->at[W_GRANT] != NULL && pin == NULL)
		JUDGE(j, set->at[W_GRANT], SEVERITY_WARNING, "L063", "policy 4119 without 4141, 4142 and "
		    "4143 is the set for delivery over RAPI: over the air set those too");
	if (j->options->target == LINT_RAPI && pin != NULL)
		JUDGE(j, pin, SEVERITY_WARNING, "L063", "policies 4141 to 4143 are for delivery over the "
		    "air: over RAPI set 4119 alone");
}

static void
windows_policies_of(struct judge *j, const struct element *e, struct policy_set *set)
{
	for (const struct element *c = e->children; c != NULL; c = c->next) {
		struct text id = c->called;
		const struct policy *p = windows_policy(id);

		if (p == NULL) {
			windows_unknown_policy(j, c, id);
			continue;
		}
		if (!text_is(c->name, "parm"))
			continue;	/* noparm sets it to 0 */
		windows_policy_value(j, c, p);
		windows_watch(j, set, c, id);
	}
}

void
judge_windows(struct judge *j, const struct element *root)
{
	struct policy_set set = { 0 };

	for (const struct element *c = root->children; j->windows && c != NULL; c = c->next)
		if (judge_is(c, "characteristic", "SecurityPolicy"))
			windows_policies_of(j, c, &set);
	windows_cover(j, &set);
	windows_delivery(j, &set);
}
