/*
 * providers.c - the configuration service providers of Windows Mobile
 *
 * Knows:     the shapes of certificate stores, registry, connections, mail accounts; datatypes.
 * Does not:  know cryptography: the thumbprint's hash comes from the caller. Security policies
 *            are windows.c's.
 * Owns:      nothing.
 * Threads:   pure, any thread.
 */
#include "document/judge.h"

#include <string.h>

#include "base/buf.h"

enum { SHA1_OCTETS = 20, CERTIFICATE_MOST = 16 * 1024 };

static void
provider_certificate(struct judge *j, const struct element *e)
{
	const struct element *parm = judge_parm(e, "EncodedCertificate"),
	    *role = judge_parm(e, "Role");
	struct text type = element_get(e, "type"), v = judge_value(e, "EncodedCertificate");
	struct buf der = buf_heap(CERTIFICATE_MOST);
	uint8_t sha1[SHA1_OCTETS];
	char room[2 * SHA1_OCTETS + 1];
	struct buf hex = buf_on(room, sizeof room);

	if (role != NULL)
		judge_role_mask(j, role, "Role", element_get(role, "value"));
	if (parm == NULL || v.len == 0)
		return;
	if (text_unbase64(v, &der) == -1) {
		JUDGE(j, parm, SEVERITY_ERROR, "L062", "EncodedCertificate is not base64 on one line");
	} else if (j->options->sha1 != NULL && !der.overflow && der.len > 0 &&
	    j->options->sha1(der.data, der.len, sha1) == 0) {
		buf_hex(&hex, sha1, sizeof sha1, true);
		if (!text_eq_nocase(type, (struct text){ room, hex.len }))
			JUDGE(j, e, SEVERITY_ERROR, "L062",
			    "the thumbprint does not match the certificate: write type=\"%.*s\"",
			    (int)hex.len, room);
	}
	buf_free(&der);
}

static const struct {
	const char	*name;
	bool		 role;		/* its certificates need one */
} provider_stores[] = {
	{ "ROOT",	false },
	{ "CA",		false },
	{ "MY",		false },
	{ "SPC",	true },
	{ "Privileged Execution Trust Authorities",	true },
	{ "Unprivileged Execution Trust Authorities",	true },
};

enum { STORES = sizeof provider_stores / sizeof *provider_stores };

/* Certificates lie one level below their store, in Windows Mobile 6.5 two (System, User). */
static void
provider_certificates(struct judge *j, const struct element *e, bool role, unsigned level)
{
	for (const struct element *c = e->children; c != NULL && level < 4; c = c->next) {
		if (judge_parm(c, "EncodedCertificate") == NULL) {
			provider_certificates(j, c, role, level + 1);
			continue;
		}
		provider_certificate(j, c);
		if (role && judge_parm(c, "Role") == NULL)
			JUDGE(j, c, SEVERITY_ERROR, "L011", "a certificate of this store needs a Role: add "
			    "<parm name=\"Role\" value=\"222\"/>");
	}
}

static void
provider_certificate_store(struct judge *j, const struct element *e)
{
	const char *names[STORES], *near;

	for (const struct element *c = e->children; c != NULL; c = c->next) {
		struct text type = element_get(c, "type");
		size_t i = 0;

		while (i < STORES && !text_eq_nocase(type, text_of(provider_stores[i].name)))
			i++;
		if (i < STORES) {
			provider_certificates(j, c, provider_stores[i].role, 0);
			continue;
		}
		if (type.len == 0)
			continue;
		for (i = 0; i < STORES; i++)
			names[i] = provider_stores[i].name;
		near = judge_nearest(j, type, names, STORES);
		JUDGE(j, c, SEVERITY_WARNING, "L067", "certificate store \"%.*s\" is not known: write %s",
		    CUT(type, 40), near != NULL ? near : "ROOT, CA, MY or SPC");
	}
}

static void
provider_registry(struct judge *j, const struct element *e)
{
	static const char *const roots[] = { "HKLM", "HKCU", "HKCR", "HKU" };

	for (const struct element *c = e->children; c != NULL; c = c->next) {
		struct text path = element_get(c, "type"), first, rest = path;
		bool known = false;

		if (path.len == 0)
			continue;
		text_cut(&rest, '\\', &first);
		for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
			known = known || text_eq_nocase(first, text_of(roots[i]));
		if (!known)
			JUDGE(j, c, SEVERITY_ERROR, "L067",
			    "registry path \"%.*s\" has no known root: begin it with HKLM\\, "
			    "HKCU\\ or HKCR\\", CUT(path, 60));
		else if (path.at[path.len - 1] == '\\')
			JUDGE(j, c, SEVERITY_ERROR, "L067",
			    "registry path \"%.*s\" ends in a backslash: remove it",
			    CUT(path, 60));
	}
}

static void
provider_wipe(struct judge *j, const struct element *e)
{
	const struct element *parm = judge_parm(e, "doWipe");

	if (parm == NULL || !text_is(element_get(parm, "value"), "1"))
		JUDGE(j, parm != NULL ? parm : e, SEVERITY_ERROR, "L067",
		    "RemoteWipe does nothing without <parm name=\"doWipe\" value=\"1\"/>");
	else
		JUDGE(j, parm, SEVERITY_WARNING, "L068",
		    "this document erases the device that takes it; it needs the role MANAGER");
}

static bool
provider_guid(struct text v)
{
	if (v.len != 38 || v.at[0] != '{' || v.at[37] != '}')
		return false;
	for (size_t i = 1; i < 37; i++)
		if (i == 9 || i == 14 || i == 19 || i == 24 ? v.at[i] != '-' :
		    strchr("0123456789abcdefABCDEF", v.at[i]) == NULL)
			return false;
	return true;
}

static void
provider_want_guid(struct judge *j, const struct element *e, struct text what, struct text v)
{
	if (v.len > 0 && !provider_guid(v))
		JUDGE(j, e, SEVERITY_ERROR, "L067", "%.*s must be a GUID in braces, such as "
		    "{436EF144-B4FB-4863-A041-8F905A62C572} (the Internet)", CUT(what, 40));
}

static void
provider_entry(struct judge *j, const struct element *e)
{
	static const char *const guids[] = { "DestId", "SrcId", "Network" };

	for (const struct element *c = e->children; c != NULL; c = c->next) {
		for (size_t i = 0; i < sizeof guids / sizeof *guids; i++)
			if (text_is(element_get(c, "name"), guids[i]))
				provider_want_guid(j, c, text_of(guids[i]), element_get(c, "value"));
		if (judge_is(c, "characteristic", "DevSpecificCellular") &&
		    !text_is(judge_value(c, "GPRSInfoValid"), "1"))
			JUDGE(j, c, SEVERITY_WARNING, "L067", "the access point is ignored without <parm "
			    "name=\"GPRSInfoValid\" value=\"1\"/>");
	}
}

/* A friendly name and its GUID each. */
static void
provider_networks(struct judge *j, const struct element *e)
{
	for (const struct element *c = e->children; c != NULL; c = c->next)
		if (text_is(c->name, "parm"))
			provider_want_guid(j, c, element_get(c, "name"), element_get(c, "value"));
}

static void	provider_connections(struct judge *, const struct element *);

static void
provider_mappings(struct judge *j, const struct element *e)
{
	enum { SYSTEM_MOST = 500 };
	long n;

	for (const struct element *c = e->children; c != NULL; c = c->next) {
		struct text type = element_get(c, "type");

		if (!text_is(c->name, "characteristic") || type.len == 0)
			continue;
		if (text_number(type, 0, 0x7fffffff, &n) == -1)
			JUDGE(j, c, SEVERITY_ERROR, "L067", "a mapping's type is its number, not \"%.*s\"",
			    CUT(type, 40));
		else if (n <= SYSTEM_MOST)
			JUDGE(j, c, SEVERITY_WARNING, "L067", "mappings 0 to %d belong to the system: write "
			    "a greater number", SYSTEM_MOST);
	}
	provider_connections(j, e);
}

static void
provider_mail(struct judge *j, const struct element *e)
{
	for (const struct element *c = e->children; c != NULL; c = c->next) {
		struct text service = judge_value(c, "SERVICETYPE");

		if (text_is(c->name, "characteristic"))
			provider_want_guid(j, c, TEXT("the type of a mail account"), element_get(c, "type"));
		if (service.len > 0 && !text_is(service, "POP3") && !text_is(service, "IMAP4"))
			JUDGE(j, judge_parm(c, "SERVICETYPE"), SEVERITY_ERROR, "L020", "SERVICETYPE cannot be "
			    "\"%.*s\": write POP3 or IMAP4", CUT(service, 40));
	}
}

static bool
provider_integer(struct text v)
{
	bool minus = v.len > 0 && v.at[0] == '-';

	return text_digits((struct text){ v.at + minus, v.len - minus });
}

static bool
provider_boolean(struct text v)
{
	return text_is(v, "0") || text_is(v, "1") || text_eq_nocase(v, TEXT("true")) ||
	    text_eq_nocase(v, TEXT("false"));
}

static bool
provider_binary(struct text v)
{
	return text_unbase64(v, NULL) == 0;
}

static const struct {
	const char	*name;
	bool		(*good)(struct text);		/* NULL: any */
	const char	*cure;
} provider_datatypes[] = {
	{ "integer",		provider_integer,	"digits" },
	{ "string",		NULL,			NULL },
	{ "multiplestring",	NULL,			NULL },
	{ "binary",		provider_binary,		"base64 on one line" },
	{ "boolean",		provider_boolean,	"true or false" },
	{ "float",		NULL,			NULL },
	{ "date",		NULL,			NULL },
};

static void
provider_datatype(struct judge *j, const struct element *e)
{
	enum { DATATYPES = sizeof provider_datatypes / sizeof *provider_datatypes };
	struct text type = element_get(e, "datatype"), v = element_get(e, "value");
	const char *names[DATATYPES], *near;
	size_t i = 0;

	if (type.at == NULL)
		return;
	for (; i < DATATYPES && !text_is(type, provider_datatypes[i].name); i++)
		names[i] = provider_datatypes[i].name;
	if (i == DATATYPES) {
		near = judge_nearest(j, type, names, DATATYPES);
		JUDGE(j, e, SEVERITY_ERROR, "L020", "datatype cannot be \"%.*s\": write %s", CUT(type, 40),
		    near != NULL ? near : "string, integer, binary or another of MSPROV");
	} else if (provider_datatypes[i].good != NULL && v.len > 0 && !provider_datatypes[i].good(v)) {
		JUDGE(j, e, SEVERITY_ERROR, "L021", "a value of datatype %s must be %s",
		    provider_datatypes[i].name, provider_datatypes[i].cure);
	}
}

/* What holds in every provider. */
static void
provider_inside(struct judge *j, const struct element *e)
{
	for (const struct element *c = e->children; c != NULL; c = c->next) {
		if (text_is(c->name, "characteristic")) {
			if (element_get(c, "type").len == 0)
				JUDGE(j, c, SEVERITY_ERROR, "L004", "<characteristic> has no type: write "
				    "<characteristic type=\"...\">");
			provider_inside(j, c);
		} else if (text_is(c->name, "parm")) {
			if (element_get(c, "name").len == 0)
				JUDGE(j, c, SEVERITY_WARNING, "L004", "<parm> has no name: write <parm "
				    "name=\"...\" value=\"...\"/>");
			provider_datatype(j, c);
		} else if (text_is(c->name, "noparm") || text_is(c->name, "nocharacteristic")) {
			judge_reset(j, c);
		} else if (text_is(c->name, "parm-query") || text_is(c->name, "characteristic-query")) {
			judge_query(j, c);
		} else {
			JUDGE(j, c, SEVERITY_WARNING, "L003", "<%.*s> is no element of a provisioning "
			    "document: write <characteristic> or <parm>", CUT(c->name, 40));
		}
	}
}

static void
provider_connections(struct judge *j, const struct element *e)
{
	for (const struct element *c = e->children; c != NULL; c = c->next)
		provider_entry(j, c);
}

static const struct {
	const char	*type;
	void		(*judge)(struct judge *, const struct element *);
} provider_special[] = {
	{ "CertificateStore",	provider_certificate_store },
	{ "Registry",		provider_registry },
	{ "RemoteWipe",		provider_wipe },
	{ "CM_GPRSEntries",	provider_connections },
	{ "CM_PPPEntries",	provider_connections },
	{ "CM_NetEntries",	provider_connections },
	{ "CM_VPNEntries",	provider_connections },
	{ "CM_ProxyEntries",	provider_connections },
	{ "CM_Networks",	provider_networks },
	{ "CM_Mappings",	provider_mappings },
	{ "EMAIL2",		provider_mail },
};

void
judge_providers(struct judge *j, const struct element *root)
{
	for (const struct element *c = root->children; j->windows && c != NULL; c = c->next) {
		struct text type = element_get(c, "type");

		if (!text_is(c->name, "characteristic"))
			continue;
		if (schema_provider(type) != NULL && schema_type(type) == NULL)
			provider_inside(j, c);
		for (size_t i = 0; i < sizeof provider_special / sizeof *provider_special; i++)
			if (text_is(type, provider_special[i].type))
				provider_special[i].judge(j, c);
	}
}
