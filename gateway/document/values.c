/*
 * values.c - one parm's value against its row of the schema
 *
 * Knows:     the form of numbers, ports, addresses, enumerations, references.
 * Does not:  know where a parm may stand (lint.c).
 * Owns:      nothing.
 * Threads:   pure, any thread.
 */
#include "document/judge.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

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
values_windows(struct judge *j, const struct element *e, const struct schema_parm *row,
    struct text v)
{
	if (!j->windows)
		return;
	if (strcmp(row->name, "NAP-ADDRTYPE") == 0 && !text_is(v, "APN") && !text_is(v, "E164"))
		JUDGE(j, e, SEVERITY_WARNING, "L020", "Windows Mobile takes NAP-ADDRTYPE APN and E164 "
		    "only: write APN");
	if (strcmp(row->name, "LOCAL-ADDRTYPE") == 0 && !text_is(v, "IPV4"))
		JUDGE(j, e, SEVERITY_WARNING, "L020", "Windows Mobile takes LOCAL-ADDRTYPE IPV4 only: "
		    "write IPV4");
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
		if (text_is(v, row->values[n])) {
			values_windows(j, e, row, v);
			return;
		}
		if (text_is_nocase(v, row->values[n])) {
			JUDGE(j, e, SEVERITY_WARNING, "L005", "%s \"%.*s\" differs in case: write %s",
			    row->name, CUT(v, 40), row->values[n]);
			return;
		}
	}
	near = judge_nearest(j, v, row->values, n);
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

/* Addresses that stand beside a parm that tells their type; without it, of an APPADDR any, of
 * the others an IP address. */
static void
values_typed_address(struct judge *j, const struct element *e, const struct schema_parm *row,
    struct text v)
{
	static const char *const beside[][2] = { { "PXADDR", "PXADDRTYPE" },
	    { "LOCAL-ADDR", "LOCAL-ADDRTYPE" }, { "ADDR", "ADDRTYPE" } };
	const char *by = NULL;
	bool four, six;

	for (size_t i = 0; by == NULL; i++)
		by = strcmp(row->name, beside[i][0]) == 0 ? beside[i][1] : NULL;
	if (j->typed != e->parent) {	/* once, however many addresses stand in it */
		j->typed = e->parent;
		j->type = judge_value(e->parent, by);
	}
	four = text_is(j->type, "IPV4") || (j->type.at == NULL && strcmp(row->name, "PXADDR") == 0);
	six = text_is(j->type, "IPV6");
	if (four && !values_quad(v))
		JUDGE(j, e, SEVERITY_ERROR, "L021", "%s \"%.*s\" is no IPv4 address: write four "
		    "numbers, or the %s that fits", row->name, CUT(v, 40), by);
	else if (six && !values_address(v, AF_INET6))
		JUDGE(j, e, SEVERITY_ERROR, "L021", "%s \"%.*s\" is no IPv6 address", row->name,
		    CUT(v, 48));
	else if (j->type.at == NULL && strcmp(row->name, "LOCAL-ADDR") == 0 && !values_quad(v) &&
	    !values_address(v, AF_INET6))
		JUDGE(j, e, SEVERITY_ERROR, "L021", "LOCAL-ADDR \"%.*s\" is no IP address",
		    CUT(v, 48));
}

/* A scheme, a colon and something behind it, without blanks. */
static bool
values_url_ok(struct text v)
{
	struct text rest = v, scheme;

	if (!text_cut(&rest, ':', &scheme) || scheme.len == 0 || rest.len == 0 || scheme.len == v.len)
		return false;
	for (size_t i = 0; i < scheme.len; i++)
		if (!isalnum((unsigned char)scheme.at[i]) && strchr("+-.", scheme.at[i]) == NULL)
			return false;
	for (size_t i = 0; i < rest.len; i++)
		if ((unsigned char)rest.at[i] <= ' ' || rest.at[i] == 0x7f)
			return false;
	return true;
}

static bool
values_version_ok(struct text v)
{
	struct text rest = v, major;

	return text_cut(&rest, '.', &major) && text_digits(major) && text_digits(rest);
}

static bool
values_time_ok(struct text v)
{
	for (size_t i = 0; i < v.len; i++)
		if (!isdigit((unsigned char)v.at[i]) && strchr("-:TZ.", v.at[i]) == NULL)
			return false;
	return v.len >= sizeof "20300101" - 1 && isdigit((unsigned char)v.at[0]);
}

static void
values_form(struct judge *j, const struct element *e, const struct schema_parm *row, bool good,
    const char *what, struct text v)
{
	if (!good)
		JUDGE(j, e, values_severity(row), "L021", "%s \"%.*s\" is no %s: write value=\"%s\"",
		    row->name, CUT(v, 60), what, row->example);
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
		break;
	case KIND_ADDRESS:
		values_typed_address(j, e, row, v);
		break;
	case KIND_URL:
		values_form(j, e, row, values_url_ok(v), "URL", v);
		break;
	case KIND_VERSION:
		values_form(j, e, row, values_version_ok(v), "version", v);
		break;
	case KIND_TIME:
		values_form(j, e, row, values_time_ok(v), "UTC time", v);
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
