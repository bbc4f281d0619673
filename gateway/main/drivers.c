/*
 * drivers.c - the only place that knows concrete stores and SMSC drivers
 *
 * A new driver is one line here.
 *
 * Owns: nothing. Threads: any; the tables are constant.
 */
#include "main/drivers.h"

#include <string.h>

#include "base/finding.h"
#include "queue/store_pgsql.h"
#include "smsc/smpp_conf.h"

const struct smsc_driver *const smsc_drivers[] = {
	&smsc_smpp,
	NULL
};

static const struct {
	const struct store_driver *driver;
	store_reach_fn	*reach;
} stores[] = {
	[ENGINE_SQLITE] = { &store_sqlite, NULL },
	[ENGINE_POSTGRESQL] = { &store_pgsql, store_pgsql_reach },
	[ENGINE_MEMORY] = { &store_memory, NULL },
};

static void
check_smpp(struct conf *conf, const struct conf_group *g, struct findings *findings)
{
	struct err err = { 0 };
	size_t errors = findings->errors;
	struct smpp_conf c;

	if (smpp_conf_read(&c, conf, g, findings, &err) == -1 && findings->errors == errors)
		finding_add(findings, SEVERITY_ERROR, NULL, conf_group_file(g), conf_group_line(g), 0,
		    "%s", err.text);
	smpp_conf_free(&c);
}

static const struct {
	const struct smsc_driver *driver;
	void	(*check)(struct conf *, const struct conf_group *, struct findings *);
} checks[] = {
	{ &smsc_smpp,	check_smpp },
};

const struct store_driver *
drivers_store(enum store_engine engine)
{
	return stores[engine].driver;
}

store_reach_fn *
drivers_store_reach(enum store_engine engine)
{
	return stores[engine].reach;
}

const struct smsc_driver *
drivers_smsc(const char *kind)
{
	for (const struct smsc_driver *const *d = smsc_drivers; kind != NULL && *d != NULL; d++)
		if (strcmp((*d)->name, kind) == 0)
			return *d;
	return NULL;
}

void
drivers_check(struct conf *conf, const struct conf_group *g, struct findings *findings)
{
	const struct smsc_driver *d = drivers_smsc(conf_value(g, "smsc", NULL));

	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
		if (checks[i].driver == d)
			checks[i].check(conf, g, findings);
}
