/*
 * store_pgsql_conninfo.c - conninfo looked at, and tried, before there is a store
 *
 * Knows:     libpq's options, which of them are secret.
 * Does not:  know the tables.
 * Owns:      nothing.
 * Threads:   any.
 */
#include "queue/store_pgsql.h"

#include <string.h>

#include "queue/store_pgsql_wire.h"

#define PLACE	"postgresql:"

/* libpq quotes the piece that it stumbles over: behind a blank in a password that is its rest. */
static bool
may_hold_password(const char *conninfo)
{
	return strcasestr(conninfo, "pass") != NULL || strchr(conninfo, '@') != NULL;
}

static int
fail(const char *conninfo, const char *why, struct err *err)
{
	if (why == NULL)
		return err_set(err, ERR_SYSTEM, "conninfo: no memory");
	if (may_hold_password(conninfo))
		return err_set(err, ERR_CONFIG, "conninfo cannot be read (where is not shown, since there seems "
		    "to be a password in it): write NAME=VALUE ..., a value with blanks as 'VALUE', or a "
		    "postgresql:// address with %%20 for a blank");
	return err_set(err, ERR_CONFIG, "conninfo: %.*s: write NAME=VALUE ..., a value with blanks as 'VALUE'",
	    (int)strcspn(why, "\n"), why);
}

static unsigned
list_count(const char *list)
{
	unsigned n = 1;

	while ((list = strchr(list, ',')) != NULL) {
		n++;
		list++;
	}
	return n;
}

static void
note_option(struct pgsql_conninfo *out, const char *name, const char *value)
{
	if (strcmp(name, "host") == 0 || strcmp(name, "hostaddr") == 0)
		out->hosts = list_count(value);
	else if (strcmp(name, "password") == 0 || strcmp(name, "sslpassword") == 0)
		out->password |= value[0] != '\0';
	else if (strcmp(name, "target_session_attrs") == 0)
		out->finds_primary = strcmp(value, "read-write") == 0 || strcmp(value, "primary") == 0;
	else if (strcmp(name, "service") == 0)	/* a file elsewhere says the rest */
		out->finds_primary = true;
}

int
store_pgsql_conninfo(const char *conninfo, struct pgsql_conninfo *out, struct err *err)
{
	char *why = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &why);
	int rc = 0;

	*out = (struct pgsql_conninfo){ .hosts = 0 };
	if (options == NULL)
		rc = fail(conninfo, why, err);
	for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++)
		if (o->val != NULL)
			note_option(out, o->keyword, o->val);
	PQconninfoFree(options);
	PQfreemem(why);
	return rc;
}

/* Quoted as libpq wants it, where that is needed. */
static void
print_option(struct buf *out, const char *name, const char *value)
{
	bool plain = value[strcspn(value, " '\\")] == '\0';

	buf_printf(out, "%s%s=%s", out->len > sizeof PLACE - 1 ? " " : "", name, plain ? "" : "'");
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			buf_u8(out, '\\');
		buf_u8(out, (uint8_t)*value);
	}
	if (!plain)
		buf_u8(out, '\'');
}

void
store_pgsql_place(const char *conninfo, char *out, size_t size)
{
	static const char *const names[] = { "service", "host", "hostaddr", "port", "dbname", "user" };
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	struct buf b = buf_on(out, size - 1);

	buf_str(&b, PLACE);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++)
			if (o->val != NULL && strcmp(o->keyword, names[i]) == 0)
				print_option(&b, names[i], o->val);
	out[b.len] = '\0';
	PQconninfoFree(options);
}

int
store_pgsql_reach(const struct store_conf *conf, struct err *err)
{
	struct pg pg;

	if (pg_open(&pg, conf->conninfo, "kantele", err) == -1)
		return -1;
	pg_close(&pg);
	return 0;
}
