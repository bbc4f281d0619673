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
	{ "PostgreSQL by its address", NULL, "engine = postgresql\n"
	  "conninfo = \"postgresql://k@a,b/kantele?target_session_attrs=read-write\"\n", 0,
	  ENGINE_POSTGRESQL, "kantele.db", 259200, 0 },
	{ "PostgreSQL without conninfo", NULL, "engine = postgresql\n", -1, 0, NULL, 0, 0 },
	{ "PostgreSQL with an empty one", NULL, "engine = postgresql\nconninfo = \"\"\n", -1, 0, NULL, 0, 0 },
	{ "several hosts, and any will do", NULL, "engine = postgresql\nconninfo = \"host=a,b,c\"\n", 0,
	  ENGINE_POSTGRESQL, "kantele.db", 259200, 1 },
	{ "several hosts, and the primary is wanted", NULL, "engine = postgresql\n"
	  "conninfo = \"host=a,b,c target_session_attrs=read-write\"\n", 0, ENGINE_POSTGRESQL, "kantele.db",
	  259200, 0 },
	{ "conninfo for nothing", NULL, "conninfo = \"dbname=kantele\"\n", 0, ENGINE_SQLITE, "kantele.db",
	  259200, 1 },
	{ "keys of several nodes for nothing", NULL, "node-name = a\nlease-time = 5\n", 0, ENGINE_SQLITE,
	  "kantele.db", 259200, 2 },
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

static struct conf *
read_store(const char *lines, struct store_settings *out, struct findings *findings, int want)
{
	struct conf *conf;
	char text[512];

	snprintf(text, sizeof text, "group = store\nengine = postgresql\n%s", lines);
	conf = conf_read_text("test", text_of(text), findings);
	assert_non_null(conf);
	assert_int_equal(store_settings_read(conf, out, findings), want);
	return conf;
}

static const struct node_case {
	const char	*lines;
	int		 rc;
	const char	*name;		/* NULL: the host's */
	long		 lease_ms;
} node_cases[] = {
	{ "conninfo = \"host=a\"\n", 0, NULL, 10000 },
	{ "conninfo = \"host=a\"\nnode-name = left\nlease-time = 2\n", 0, "left", 2000 },
	{ "conninfo = \"host=a\"\nnode-name = \"\"\nlease-time = 5m\n", 0, NULL, 300000 },
	{ "conninfo = \"host=a\"\nlease-time = 1\n", -1, NULL, 0 },
	{ "conninfo = \"host=a\"\nlease-time = 6m\n", -1, NULL, 0 },
};

static void
test_nodes(void **state)
{
	char host[STORE_HOST_MOST] = "";

	(void)state;
	assert_int_equal(gethostname(host, sizeof host - 1), 0);
	for (size_t i = 0; i < sizeof node_cases / sizeof *node_cases; i++) {
		const struct node_case *c = &node_cases[i];
		struct findings findings = { 0 };
		struct store_settings s, copy;
		struct conf *conf = read_store(c->lines, &s, &findings, c->rc);

		if (c->rc == 0) {
			assert_string_equal(s.conf.conninfo, "host=a");
			assert_string_equal(s.conf.node_name, c->name != NULL ? c->name : host);
			assert_int_equal(s.conf.lease_ms, c->lease_ms);
			store_settings_copy(&copy, &s);
			memset(&s, 'x', sizeof s);	/* the copy stands alone */
			assert_string_equal(copy.conf.node_name, c->name != NULL ? c->name : host);
			assert_string_equal(copy.conf.path, "kantele.db");
		}
		findings_free(&findings);
		conf_free(&conf);
	}
}

/* The fault is told at its line with its cure; what may be a password is not told with it. */
static const struct fault_case {
	const char	*conninfo, *words;
} fault_cases[] = {
	{ "kantele", "missing \"=\" after \"kantele\"" },
	{ "host=a dbnam=x", "invalid connection option \"dbnam\"" },
	{ "host='a", "unterminated quoted string" },
	{ "host=a password=top s3cret", "cannot be read" },
	{ "host=a password=top s3cret=x", "cannot be read" },
	{ "host=a passwd=s3cret", "cannot be read" },
	{ "host=a password='s3cret", "cannot be read" },
	{ "postgresql://kantele:s3cret%zz@a/kantele", "cannot be read" },
	{ "postgresql://kantele:s3cret@[::1/kantele", "cannot be read" },
	{ "postgresql://a/kantele?password=s3cret%00", "cannot be read" },
};

static void
test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof fault_cases / sizeof *fault_cases; i++) {
		const struct fault_case *c = &fault_cases[i];
		struct findings findings = { 0 };
		struct store_settings s;
		struct conf *conf;
		char lines[200];

		snprintf(lines, sizeof lines, "conninfo = \"%s\"\n", c->conninfo);
		conf = read_store(lines, &s, &findings, -1);
		assert_int_equal(findings.errors, 1);
		assert_int_equal(findings.list[0].line, 3);
		if (strstr(findings.list[0].text, c->words) == NULL ||
		    strstr(findings.list[0].text, "as 'VALUE'") == NULL)
			fail_msg("%s: %s", c->conninfo, findings.list[0].text);
		assert_null(strstr(findings.list[0].text, "s3cret"));
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
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_without_configuration),
	};

	return cmocka_run_group_tests_name("queue_settings", tests, NULL, NULL);
}
