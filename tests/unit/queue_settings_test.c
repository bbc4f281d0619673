/*
 * queue_settings_test.c - where the store lies, by configuration
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/finding.h"
#include "queue/store_settings.h"

static const struct settings_case {
	const char	*name;
	const char	*core, *store;	/* lines of the groups; NULL: no such group */
	int		 rc, engine;
	const char	*path;
	long		 retention_s;
	unsigned	 warnings;
} settings_cases[] = {
	{ "nothing said", NULL, NULL, 0, ENGINE_SQLITE, "kantele.db", 259200, 0 },
	{ "a path", NULL, "path = /var/lib/kantele/q.db\n", 0, ENGINE_SQLITE, "/var/lib/kantele/q.db",
	  259200, 0 },
	{ "beside Kannel's store file", "store-location = /nowhere/kannel.store\n", NULL, 0,
	  ENGINE_SQLITE, "/nowhere/kannel.store.kantele.db", 259200, 0 },
	{ "the old name of the key", "store-file = /nowhere/kannel.store\n", NULL, 0, ENGINE_SQLITE,
	  "/nowhere/kannel.store.kantele.db", 259200, 0 },
	{ "in a folder that exists", "store-location = /tmp\n", NULL, 0, ENGINE_SQLITE,
	  "/tmp/kantele.db", 259200, 0 },
	{ "in a folder by its slash", "store-location = /nowhere/spool/\n", NULL, 0, ENGINE_SQLITE,
	  "/nowhere/spool/kantele.db", 259200, 0 },
	{ "in a folder by its type", "store-type = spool\nstore-location = /nowhere/spool\n", NULL, 0,
	  ENGINE_SQLITE, "/nowhere/spool/kantele.db", 259200, 0 },
	{ "the store group wins", "store-location = /nowhere/a\n", "path = b.db\nretention = 24h\n", 0,
	  ENGINE_SQLITE, "b.db", 86400, 0 },
	{ "memory is warned of", NULL, "engine = memory\n", 0, ENGINE_MEMORY, "kantele.db", 259200, 1 },
	{ "PostgreSQL", NULL, "engine = postgresql\nconninfo = \"dbname=kantele\"\n", 0,
	  ENGINE_POSTGRESQL, "kantele.db", 259200, 0 },
	{ "another engine", NULL, "engine = redis\n", -1, 0, NULL, 0, 0 },
	{ "no retention at all", NULL, "retention = 5\n", -1, 0, NULL, 0, 0 },
};

static void
test_settings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof settings_cases / sizeof *settings_cases; i++) {
		const struct settings_case *c = &settings_cases[i];
		struct findings findings = { 0 };
		struct store_settings s;
		struct conf *conf;
		char text[512];
		int rc;

		snprintf(text, sizeof text, "group = core\n%s\ngroup = %s\n%s\n",
		    c->core != NULL ? c->core : "", c->store != NULL ? "store" : "other",
		    c->store != NULL ? c->store : "");
		conf = conf_read_text("test", text_of(text), &findings);
		assert_non_null(conf);
		rc = store_settings_read(conf, &s, &findings);
		if (rc != c->rc)
			fail_msg("%s: %d", c->name, rc);
		if (rc == 0 && (s.engine != c->engine || strcmp(s.path, c->path) != 0 ||
		    s.conf.retention_s != c->retention_s || s.conf.path != s.path))
			fail_msg("%s: %s", c->name, s.path);
		if (findings.warnings != c->warnings || (rc == -1) != (findings.errors > 0))
			fail_msg("%s: %zu warnings", c->name, findings.warnings);
		findings_free(&findings);
		conf_free(&conf);
	}
}

static void
test_without_configuration(void **state)
{
	struct findings findings = { 0 };
	struct store_settings s;

	(void)state;
	assert_int_equal(store_settings_read(NULL, &s, &findings), 0);
	assert_string_equal(s.path, "kantele.db");
	findings_free(&findings);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_without_configuration),
	};

	return cmocka_run_group_tests_name("queue_settings", tests, NULL, NULL);
}
