/*
 * values.c - one parm's value against its row of the schema
 *
 * Knows:     the form of numbers, ports, addresses, enumerations, references.
 * Does not:  know where a parm may stand (lint.c).
 * Owns:      nothing.
 * Threads:   pure, any thread.
 */
#include "document/judge.h"

#include <stdio.h>

#include <arpa/inet.h>

enum { NAME_MOST = 32, NAPID_WINDOWS_MOST = 16, PORT_MOST = 65535, WORDS_MOST = 64 };

static enum severity
values_severity(const struct schema_parm *row)
{
	return row->soft ? SEVERITY_WARNING : SEVERITY_ERROR;
}

static bool
values_address(struct text t, int family)
{
	uint8_t room[16];
	char copy[INET6_ADDRSTRLEN];

	if (t.len >= sizeof copy)
		return false;
	memcpy(copy, t.at, t.len);
	copy[t.len] = '\0';
	return inet_pton(family, copy, room) == 1;
}

/* Old clients want quads padded with zeros, which inet_pton refuses. */
static bool
values_quad(struct text t)
{
	struct text rest = t, part;
	long n;
	unsigned parts = 0;

	if (t.len == 0 || t.at[t.len - 1] == '.')
		return false;
	for (; text_cut(&rest, '.', &part); parts++) {
		if (part.len > 3 || !text_digits(part))
			return false;
		n = 0;
		for (size_t i = 0; i < part.len; i++)
			n = n * 10 + (part.at[i] - '0');
		if (n > 255)
			return false;
	}
	return parts == 4;
}

static void
values_enum(struct judge *j, const struct element *e, const struct schema_parm *row,
    struct text v)
{
	const char *near;
	size_t n = 0;

	/* SERVICE of an application's port names a protocol of that application */
	if (text_is(TEXT("SERVICE"), row->name) && e->parent->parent != NULL &&
	    judge_is(e->parent->parent, "characteristic", "APPADDR"))
		return;
	for (; row->values[n] != NULL; n++) {
		if (text_is(v, row->values[n]))
			return;
		if (text_is_nocase(v, row->values[n])) {
			JUDGE(j, e, SEVERITY_WARNING, "L005", "%s \"%.*s\" differs in case: write %s",
			    row->name, CUT(v, 40), row->values[n]);
			return;
		}
	}
	near = text_nearest(v, row->values, n);
	JUDGE(j, e, values_severity(row), "L020", "%s cannot be \"%.*s\": write %s%s%s", row->name,
	    CUT(v, 40), near != NULL ? near : row->example,
	    near == NULL && n > 1 ? ", or another of " : "",
	    near == NULL && n > 1 ? (n > 6 ? "the standard's values" : "its values") : "");
}

static void
values_number(struct judge *j, const struct element *e, const struct schema_parm *row,
    struct text v, long most)
{
	long n = 0;

	if (text_digits(v) && (most == 0 || (v.len <= 6 && text_number(v, 0, 999999, &n) == 0 &&
	    n >= (most == PORT_MOST ? 1 : 0) && n <= most)))
		return;
	if (most == 0)
		JUDGE(j, e, values_severity(row), "L021", "%s must be a number, not \"%.*s\": write "
		    "value=\"%s\"", row->name, CUT(v, 40), row->example);
	else
		JUDGE(j, e, values_severity(row), "L021", "%s must be a number from %d to %ld, not "
		    "\"%.*s\": write value=\"%s\"", row->name, most == PORT_MOST ? 1 : 0, most,
		    CUT(v, 40), row->example);
}

/* A reference marks every definition of that name as used. */
static void
values_reference(struct judge *j, const struct element *e, const struct schema_parm *row,
    struct judge_ids *ids, struct text v)
{
	char list[120];
	size_t len = 0;
	bool found = false;

	for (size_t i = 0; i < ids->count; i++)
		if (text_eq(element_get(ids->parms[i], "value"), v))
			found = ids->used[i] = true;
	if (found || ids->more || (ids == &j->naps && text_is(v, "INTERNET")))
		return;
	list[0] = '\0';
	for (size_t i = 0; i < ids->count && len + 24 < sizeof list; i++) {
		struct text id = element_get(ids->parms[i], "value");

		len += (size_t)snprintf(list + len, sizeof list - len, "%s%.*s", i > 0 ? ", " : "",
		    CUT(id, 20));
	}
	JUDGE(j, e, SEVERITY_ERROR, "L030", "%s \"%.*s\" is not defined in this document: %s%s%s",
	    row->name, CUT(v, 40), ids->count > 0 ? "defined are " : "add a ",
	    ids->count > 0 ? list : ids == &j->naps ? "NAPDEF with that NAPID" :
	    "PXLOGICAL with that PROXY-ID", ids == &j->naps ? ", or write INTERNET" : "");
}

static void
values_name(struct judge *j, const struct element *e, const struct schema_parm *row,
    struct text v)
{
	bool ascii = true;

	for (size_t i = 0; i < v.len; i++)
		ascii = ascii && (uint8_t)v.at[i] < 0x80;
	if (!text_is(TEXT("NAME"), row->name))
		return;
	if (v.len > NAME_MOST)
		JUDGE(j, e, SEVERITY_WARNING, "L080", "NAME has %zu octets: handsets cut it at 16 to "
		    "%d", v.len, NAME_MOST);
	if (!ascii)
		JUDGE(j, e, SEVERITY_WARNING, "L080", "NAME has characters outside of ASCII: some "
		    "handsets show others in their place");
}

static void
values_zeros(struct judge *j, const struct element *e, struct text v, size_t digits,
    const char *what)
{
	if (text_digits(v) && v.len < digits)
		JUDGE(j, e, SEVERITY_WARNING, "L023", "%s \"%.*s\" has lost its leading zeros: write "
		    "%0*d", what, CUT(v, 8), (int)digits, (int)(v.at[0] - '0') * (v.len == 1 ? 1 : 10) +
		    (v.len == 2 ? v.at[1] - '0' : 0));
}

static void
values_hex32(struct judge *j, const struct element *e, const struct schema_parm *row,
    struct text v)
{
	bool good = v.len <= 8;

	for (size_t i = 0; i < v.len; i++)
		good = good && strchr("0123456789abcdefABCDEF", v.at[i]) != NULL;
	if (!good)
		JUDGE(j, e, SEVERITY_ERROR, "L021", "%s must be 1 to 8 hex digits, not \"%.*s\"",
		    row->name, CUT(v, 40));
}

/* Addresses that stand beside a parm that tells their type. */
static void
values_typed_address(struct judge *j, const struct element *e, const struct schema_parm *row,
    struct text v)
{
	struct text type;

	if (!text_is(TEXT("PXADDR"), row->name))
		return;
	type = judge_value(e->parent, "PXADDRTYPE");
	if ((type.at == NULL || text_is(type, "IPV4")) && !values_quad(v))
		JUDGE(j, e, SEVERITY_ERROR, "L021", "PXADDR \"%.*s\" is no IPv4 address: write four "
		    "numbers, or a PXADDRTYPE that fits", CUT(v, 40));
	else if (text_is(type, "IPV6") && !values_address(v, AF_INET6))
		JUDGE(j, e, SEVERITY_ERROR, "L021", "PXADDR \"%.*s\" is no IPv6 address", CUT(v, 48));
}

static void
values_base64(struct judge *j, const struct element *e, const struct schema_parm *row,
    struct text v)
{
	if (text_unbase64(v, NULL) == -1)
		JUDGE(j, e, SEVERITY_ERROR, "L052", "%s is not base64: write the first nonce in base64 "
		    "on one line, such as %s", row->name, row->example);
}

static void
values_by_kind(struct judge *j, const struct element *e, const struct schema_parm *row,
    struct text v)
{
	switch (row->kind) {
	case KIND_ENUM:
		values_enum(j, e, row, v);
		break;
	case KIND_NUMBER:
		values_number(j, e, row, v, 0);
		break;
	case KIND_PORT:
		values_number(j, e, row, v, PORT_MOST);
		break;
	case KIND_BOOL:
		values_number(j, e, row, v, 1);
		break;
	case KIND_SPEED:
		if (!text_is(v, "AUTOBAUDING"))
			values_number(j, e, row, v, 0);
		break;
	case KIND_IP:
		if (!values_quad(v) && !values_address(v, AF_INET6))
			JUDGE(j, e, SEVERITY_ERROR, "L021", "%s \"%.*s\" is no IP address", row->name,
			    CUT(v, 48));
		break;
	case KIND_BASE64:
		values_base64(j, e, row, v);
		break;
	case KIND_HEX32:
		values_hex32(j, e, row, v);
		break;
	case KIND_COUNTRY:
		values_zeros(j, e, v, 3, "country");
		break;
	case KIND_NETWORK:
		values_zeros(j, e, v, 2, "network");
		break;
	case KIND_TO_NAP:
		values_reference(j, e, row, &j->naps, v);
		break;
	case KIND_TO_PROXY:
		values_reference(j, e, row, &j->proxies, v);
		break;
	case KIND_ROLES:
		judge_role_mask(j, e, row->name, v);
		break;
	case KIND_NAPID:
		if (j->windows && v.len > NAPID_WINDOWS_MOST)
			JUDGE(j, e, SEVERITY_WARNING, "L080", "NAPID has more than %d characters, which "
			    "Windows Mobile refuses", NAPID_WINDOWS_MOST);
		break;
	case KIND_TEXT:
		values_name(j, e, row, v);
		values_typed_address(j, e, row, v);
		break;
	case KIND_FLAG: case KIND_PROXYID: case KIND_PHYSICALID:
		break;
	}
}

void
judge_value_of(struct judge *j, const struct element *e, const struct schema_parm *row)
{
	struct text v = element_get(e, "value");

	if (row->kind == KIND_FLAG) {
		if (v.at != NULL)
			JUDGE(j, e, SEVERITY_WARNING, "L013",
			    "%s is a flag and takes no value: write <parm name=\"%s\"/>", row->name,
			    row->name);
	} else if (v.len == 0) {
		JUDGE(j, e, SEVERITY_WARNING, "L013", "%s has %s: write value=\"%s\"", row->name,
		    v.at == NULL ? "no value" : "an empty value", row->example);
	} else {
		values_by_kind(j, e, row, v);
	}
}
