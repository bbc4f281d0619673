/*
 * store_settings.c - which store a configuration means
 *
 * Knows:     the keys, and where Kannel kept its store.
 * Does not:  open anything.
 * Owns:      nothing.
 * Threads:   the loop.
 */
#include "queue/store_settings.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/finding.h"
#include "queue/store_pgsql.h"

static const char *const engines[] = { "sqlite", "postgresql", "memory", NULL };

struct store_group {
	int		 engine;
	const char	*path, *conninfo, *node_name;
	long		 retention_s, lease_s;
};
#define AT(field)	offsetof(struct store_group, field)

const struct conf_key store_keys[] = {
	{ .name = "engine", .type = CONF_CHOICE, .at = AT(engine), .standard = "sqlite",
	    .text = "Where messages are kept: sqlite, postgresql, or memory (for trials: a restart "
	    "loses all).", .choices = engines },
	{ .name = "path", .type = CONF_TEXT, .at = AT(path),
	    .text = "The SQLite file. Default: kantele.db beside store-location, else in the working "
	    "directory." },
	{ .name = "conninfo", .type = CONF_TEXT, .at = AT(conninfo),
	    .text = "How to reach PostgreSQL, as libpq takes it: host=a,b,c dbname=kantele user=kantele "
	    "target_session_attrs=read-write, say. A password is better kept in a .pgpass file." },
	{ .name = "node-name", .type = CONF_TEXT, .at = AT(node_name),
	    .text = "What this node is called in the status of several nodes on one PostgreSQL; for display "
	    "only. Default: the host's name." },
	{ .name = "lease-time", .type = CONF_SECONDS, .at = AT(lease_s), .standard = "10s",
	    .least = 2, .most = 300,
	    .text = "Several nodes on one PostgreSQL: how long a node may be silent before others take over "
	    "what it has to send. The same on all nodes." },
	{ .name = "retention", .type = CONF_SECONDS, .at = AT(retention_s), .standard = "72h",
	    .least = 60, .most = 366L * 24 * 3600,
	    .text = "How long the outcome of a finished message can be asked for. Its body is gone when "
	    "it finishes." },
	{ .name = NULL }
};
#undef AT

struct core_group {
	const char	*location, *file, *type;
};
#define AT(field)	offsetof(struct core_group, field)

const struct conf_key store_core_keys[] = {
	{ .name = "store-location", .type = CONF_TEXT, .at = AT(location),
	    .text = "Kannel's store. Kantele's own lies beside it, unless the store group names a path; "
	    "Kannel's is never opened." },
	{ .name = "store-file", .type = CONF_TEXT, .at = AT(file),
	    .text = "Old name of store-location." },
	{ .name = "store-type", .type = CONF_TEXT, .at = AT(type),
	    .text = "Kannel's kind of store: with spool, store-location is a folder." },
	{ .name = "store-dump-freq", .type = CONF_SECONDS, .effect = CONF_NEVER,
	    .text = "every message is durable before it is accepted" },
	{ .name = NULL }
};
#undef AT

static bool
is_folder(const struct core_group *core, const char *location)
{
	size_t n = strlen(location);
	struct stat st;

	if (stat(location, &st) == 0)
		return S_ISDIR(st.st_mode);
	return (n > 0 && location[n - 1] == '/') ||
	    (core->type != NULL && strcmp(core->type, "spool") == 0);
}

static int
path_print(const struct store_group *group, const struct core_group *core, char out[STORE_PATH_MOST])
{
	const char *beside = core->location != NULL ? core->location : core->file;
	size_t n;
	int len;

	if (group->path != NULL)
		len = snprintf(out, STORE_PATH_MOST, "%s", group->path);
	else if (beside == NULL || beside[0] == '\0')
		len = snprintf(out, STORE_PATH_MOST, "kantele.db");
	else if (is_folder(core, beside)) {
		n = strlen(beside);
		len = snprintf(out, STORE_PATH_MOST, "%s%skantele.db", beside,
		    beside[n - 1] == '/' ? "" : "/");
	} else
		len = snprintf(out, STORE_PATH_MOST, "%s.kantele.db", beside);
	return len < STORE_PATH_MOST ? 0 : -1;
}

static const struct conf_group *
last_group(const struct conf *conf, const char *name)
{
	const struct conf_group *g = NULL, *next;

	while (conf != NULL && (next = conf_next(conf, name, g)) != NULL)
		g = next;
	return g;
}

/* At the line of a key. */
#define AT_KEY(findings, g, key, severity, ...)						\
	do {										\
		unsigned line_ = conf_group_line(g);					\
		(void)conf_value(g, key, &line_);					\
		finding_add((findings), (severity), NULL, conf_group_file(g), line_, 0, __VA_ARGS__);	\
	} while (0)

static int
check_conninfo(const struct conf_group *g, const char *conninfo, struct findings *findings)
{
	struct pgsql_conninfo c;
	struct err err = { 0 };

	if (conninfo == NULL || conninfo[0] == '\0') {
		AT_KEY(findings, g, "engine", SEVERITY_ERROR, "engine = postgresql needs `conninfo': "
		    "\"host=... dbname=kantele user=kantele\" tells where the database is");
		return -1;
	}
	if (store_pgsql_conninfo(conninfo, &c, &err) == -1) {
		AT_KEY(findings, g, "conninfo", SEVERITY_ERROR, "%s", err.text);
		return -1;
	}
	if (c.hosts > 1 && !c.finds_primary)
		AT_KEY(findings, g, "conninfo", SEVERITY_WARNING, "several hosts without "
		    "target_session_attrs=read-write: the first that answers is taken, a standby perhaps");
	return 0;
}

/* Of several nodes only. */
static void
check_idle_keys(const struct conf_group *g, struct findings *findings)
{
	static const char *const keys[] = { "conninfo", "node-name", "lease-time" };

	for (size_t i = 0; g != NULL && i < sizeof keys / sizeof *keys; i++)
		if (conf_value(g, keys[i], NULL) != NULL)
			AT_KEY(findings, g, keys[i], SEVERITY_WARNING, "`%s' is for engine = postgresql: "
			    "without that it does nothing", keys[i]);
}

static int
check_engine(const struct conf_group *g, const struct store_group *group, struct findings *findings)
{
	if (group->engine == ENGINE_POSTGRESQL)
		return check_conninfo(g, group->conninfo, findings);
	check_idle_keys(g, findings);
	if (group->engine == ENGINE_MEMORY)
		finding_add(findings, SEVERITY_WARNING, NULL, conf_group_file(g), conf_group_line(g), 0,
		    "engine = memory: what is accepted is lost when the gateway stops");
	return 0;
}

static void
name_host(char out[STORE_HOST_MOST])
{
	if (gethostname(out, STORE_HOST_MOST) == -1)
		out[0] = '\0';
	out[STORE_HOST_MOST - 1] = '\0';
}

int
store_settings_read(struct conf *conf, struct store_settings *out, struct findings *findings)
{
	const struct conf_group *g = last_group(conf, "store");
	struct store_group group = { 0 };
	struct core_group core = { 0 };

	memset(out, 0, sizeof *out);
	if (conf_bind(conf, g, store_keys, &group, findings) == -1 ||
	    conf_bind(conf, last_group(conf, "core"), store_core_keys, &core, findings) == -1)
		return -1;
	if (path_print(&group, &core, out->path) == -1) {
		finding_add(findings, SEVERITY_ERROR, NULL, NULL, 0, 0, "the store's path is too long");
		return -1;
	}
	if (check_engine(g, &group, findings) == -1)
		return -1;
	name_host(out->host);
	out->engine = group.engine;
	out->conf = (struct store_conf){ .path = out->path, .conninfo = group.conninfo,
	    .node_name = group.node_name != NULL && group.node_name[0] != '\0' ? group.node_name : out->host,
	    .retention_s = group.retention_s, .lease_ms = group.lease_s * 1000 };
	return 0;
}

void
store_settings_copy(struct store_settings *to, const struct store_settings *from)
{
	*to = *from;
	to->conf.path = to->path;
	if (from->conf.node_name == from->host)
		to->conf.node_name = to->host;
}
