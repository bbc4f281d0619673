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

int
store_pgsql_reach(const struct store_conf *conf, struct err *err)
{
	struct pg pg;

	if (pg_open(&pg, conf->conninfo, "kantele", err) == -1)
		return -1;
	pg_close(&pg);
	return 0;
}
