/*
 * check.c - is this a configuration to start with?
 *
 * Values of single keys are the table's business (base/conf.c); here stands what several keys, or
 * a file on disk, say together.
 *
 * Knows:     what a gateway needs, what is dangerous though legal.
 * Does not:  open ports, links or the store.
 * Owns:      nothing.
 * Threads:   the loop (or a command's only thread).
 */
#include "main/check.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "main/conf_table.h"
#include "main/drivers.h"
#include "main/settings.h"
#include "queue/store_pgsql.h"

struct check {
	struct conf	*conf;
	struct findings	*findings;
	const char	*path;
};

#define AT_GROUP(c, g, severity, ...)							\
	finding_add((c)->findings, (severity), NULL, (g) != NULL ? conf_group_file(g) : NULL,	\
	    (g) != NULL ? conf_group_line(g) : 0, 0, __VA_ARGS__)

/* At the line of a key. */
#define AT_KEY(c, g, key, severity, ...)						\
	do {										\
		unsigned line_ = conf_group_line(g);					\
		(void)conf_value(g, key, &line_);					\
		finding_add((c)->findings, (severity), NULL, conf_group_file(g), line_, 0,	\
		    __VA_ARGS__);							\
	} while (0)

static const char *
value(const struct conf_group *g, const char *key)
{
	return g != NULL ? conf_value(g, key, NULL) : NULL;
}

/* --- what must be there ---------------------------------------------------------- */

static void
check_core(struct check *c)
{
	const struct conf_group *core = settings_group(c->conf, "core");

	if (core == NULL) {
		AT_GROUP(c, core, SEVERITY_ERROR, "there is no group `core': it names admin-port "
		    "and admin-password");
		return;
	}
	if (value(core, "admin-port") == NULL)
		AT_GROUP(c, core, SEVERITY_ERROR, "the group `core' needs `admin-port'");
	if (value(core, "admin-interface") == NULL)
		AT_GROUP(c, core, SEVERITY_WARNING, "the admin door listens on all addresses, as "
		    "Kannel's does: admin-interface = 127.0.0.1 keeps it at home");
	if (value(core, "status-password") == NULL)
		AT_GROUP(c, core, SEVERITY_WARNING, "everybody may read the status page: set "
		    "status-password");
	if (value(core, "callback-allow-ip") == NULL)
		AT_GROUP(c, core, SEVERITY_WARNING, "callbacks may reach loopback and private "
		    "networks, so senders can make this machine call them: set callback-allow-ip");
}

static void
check_smsbox(struct check *c)
{
	const struct conf_group *smsbox = settings_group(c->conf, "smsbox");

	if (smsbox == NULL)
		AT_GROUP(c, smsbox, SEVERITY_ERROR, "there is no group `smsbox': it names "
		    "sendsms-port, where senders come in");
	else if (value(smsbox, "sendsms-port") == NULL)
		AT_GROUP(c, smsbox, SEVERITY_WARNING, "nobody can send: there is no sendsms-port");
	if (conf_next(c->conf, "sendsms-user", NULL) == NULL)
		AT_GROUP(c, smsbox, SEVERITY_WARNING, "nobody can send: there is no group "
		    "`sendsms-user'");
}

static void
check_ssl(struct check *c)
{
	static const struct { const char *group, *key; } doors[] = {
		{ "core", "admin-port-ssl" }, { "smsbox", "sendsms-port-ssl" },
	};
	static const char *const files[] = { "ssl-server-cert-file", "ssl-server-key-file" };
	const struct conf_group *core = settings_group(c->conf, "core");
	struct settings s;
	bool on[2];

	/* faults of values were told already */
	if (settings_read(&s, c->conf, NULL) == -1) {
		settings_free(&s);
		return;
	}
	on[0] = s.core.admin_ssl;
	on[1] = s.smsbox.ssl;
	settings_free(&s);
	for (size_t i = 0; i < 2; i++)
		for (size_t f = 0; f < 2 && on[i] && core != NULL; f++) {
			const char *file = value(core, files[f]);

			if (file == NULL)
				AT_GROUP(c, core, SEVERITY_ERROR, "%s needs `%s'", doors[i].key, files[f]);
			else if (access(file, R_OK) == -1)
				AT_KEY(c, core, files[f], SEVERITY_ERROR, "cannot read %.200s", file);
		}
}

/* --- ports ------------------------------------------------------------------------ */

static bool
may_meet(const char *a, const char *b)		/* interfaces */
{
	return a == NULL || b == NULL || strcmp(a, b) == 0;
}

static void
check_ports(struct check *c)
{
	const struct conf_group *core = settings_group(c->conf, "core");
	const struct conf_group *smsbox = settings_group(c->conf, "smsbox");
	const char *admin = value(core, "admin-port"), *sendsms = value(smsbox, "sendsms-port");
	long a, s;

	if (admin == NULL || sendsms == NULL || text_number(text_of(admin), 1, 65535, &a) == -1 ||
	    text_number(text_of(sendsms), 1, 65535, &s) == -1 || a != s)
		return;
	if (may_meet(value(core, "admin-interface"), value(smsbox, "sendsms-interface")))
		AT_KEY(c, smsbox, "sendsms-port", SEVERITY_ERROR, "port %ld is admin-port's already",
		    s);
}

/* --- links ------------------------------------------------------------------------ */

static void
check_links(struct check *c)
{
	const struct conf_group *g = NULL;
	size_t count = 0;

	while ((g = conf_next(c->conf, "smsc", g)) != NULL) {
		const char *kind = value(g, "smsc");

		count++;
		if (kind != NULL && drivers_smsc(kind) == NULL)
			AT_KEY(c, g, "smsc", SEVERITY_ERROR, "links of the kind `%.40s' are not "
			    "supported%s", kind, strcmp(kind, "at") == 0 || strcmp(kind, "http") == 0 ||
			    strcmp(kind, "fake") == 0 || strcmp(kind, "loopback") == 0 ? " yet" : "");
		else if (kind != NULL)
			drivers_check(c->conf, g, c->findings);
	}
	if (count == 0)
		AT_GROUP(c, g, SEVERITY_WARNING, "there is no group `smsc': nothing can be sent");
}

/* --- secrets ---------------------------------------------------------------------- */

/* Keys whose values must not be seen or guessed. */
static const struct { const char *group, *key; } secrets[] = {
	{ "core", "admin-password" }, { "core", "status-password" },
	{ "core", "http-proxy-password" }, { "sendsms-user", "password" },
	{ "smsc", "smsc-password" }, { "store", "conninfo" },
};

/* Of a conninfo: only with a password in it. */
static bool
is_secret(const char *key, const char *text)
{
	struct pgsql_conninfo c;

	return strcmp(key, "conninfo") != 0 || (store_pgsql_conninfo(text, &c, NULL) == 0 && c.password);
}

static bool
readable_by_all(const char *file)
{
	struct stat st;

	return file != NULL && stat(file, &st) == 0 && (st.st_mode & S_IROTH) != 0;
}

static void
check_secrets(struct check *c)
{
	const char *told = NULL;

	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
		const struct conf_group *g = NULL;

		while ((g = conf_next(c->conf, secrets[i].group, g)) != NULL) {
			const char *secret = value(g, secrets[i].key), *file = conf_group_file(g);

			if (secret == NULL || !is_secret(secrets[i].key, secret))
				continue;
			if (strcmp(secret, "CHANGE-ME") == 0)
				AT_KEY(c, g, secrets[i].key, SEVERITY_ERROR, "`%s' is still the sample's "
				    "CHANGE-ME: set a password of your own", secrets[i].key);
			if ((told == NULL || strcmp(told, file) != 0) && readable_by_all(file)) {
				AT_KEY(c, g, secrets[i].key, SEVERITY_WARNING, "the file holds passwords "
				    "and everybody on this machine can read it: chmod 640");
				told = file;
			}
		}
	}
}

/* Kannel's rule: an allow list alone allows everybody. */
static void
check_allow_alone(struct check *c)
{
	static const struct { const char *group, *allow, *deny; } pairs[] = {
		{ "core", "admin-allow-ip", "admin-deny-ip" },
		{ "sendsms-user", "user-allow-ip", "user-deny-ip" },
	};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		const struct conf_group *g = NULL;

		while ((g = conf_next(c->conf, pairs[i].group, g)) != NULL)
			if (value(g, pairs[i].allow) != NULL && value(g, pairs[i].deny) == NULL)
				AT_KEY(c, g, pairs[i].allow, SEVERITY_WARNING, "`%s' without `%s' "
				    "allows everybody, as in Kannel: add %s = \"*.*.*.*\"", pairs[i].allow,
				    pairs[i].deny, pairs[i].deny);
	}
}

/* --- the store --------------------------------------------------------------------- */

static void
check_store(struct check *c)
{
	const struct conf_group *g = settings_group(c->conf, "store");
	struct store_settings s;

	if (store_settings_read(c->conf, &s, g != NULL ? c->findings : NULL) == -1)
		return;
	if (drivers_store((enum store_engine)s.engine) == NULL)
		AT_KEY(c, g, "engine", SEVERITY_ERROR, "this engine is not supported yet");
	else if (g == NULL)
		AT_GROUP(c, settings_group(c->conf, "core"), SEVERITY_NOTE, "there is no group `store': "
		    "messages will be kept in %s", s.path);
}

static void
check_immediate(struct check *c)
{
	const struct conf_group *g = settings_group(c->conf, "smsbox");

	if (value(g, "immediate-sendsms-reply") != NULL)
		AT_KEY(c, g, "immediate-sendsms-reply", SEVERITY_NOTE, "answers are \"Sent.\", and "
		    "still come after the message is durable");
}

/* --- all of it ---------------------------------------------------------------------- */

static void (*const checks[])(struct check *) = {
	check_core, check_smsbox, check_ssl, check_ports, check_links, check_secrets,
	check_allow_alone, check_store, check_immediate,
};

/* The table calls unknown names errors: a typing error must not pass unseen. */
static void
forgive_unknown(struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		struct finding *f = &findings->list[i];

		if (f->severity != SEVERITY_ERROR || f->text == NULL ||
		    strncmp(f->text, "unknown ", 8) != 0)
			continue;
		f->severity = SEVERITY_WARNING;
		findings->errors--;
		findings->warnings++;
	}
}

struct conf *
check_read(const char *path, bool lenient, struct findings *findings)
{
	struct check c = { .findings = findings, .path = path };

	if ((c.conf = conf_read(path, findings)) == NULL)
		return NULL;
	conf_check(c.conf, conf_groups, findings);
	if (lenient)
		forgive_unknown(findings);
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
		checks[i](&c);
	findings_sort(findings);
	return c.conf;
}
