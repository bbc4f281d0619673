/*
 * gateway.c - the house: everything opened and closed in order
 *
 *   log, loop, listeners, callbacks' client, queue, dispatch with its links, intake, doors
 *
 * is opened from left to right; nobody is served before all is open. It is closed from right to
 * left, so that whoever waits for a commit still gets its answer. A database that is away is waited for:
 * the loop runs already then, the doors refuse.
 *
 * A stop: the doors refuse, links finish what is in flight, the queue writes what is open. A
 * reload: the log is opened again, the file read; with errors in it nothing changes. What an
 * unchanged link was opened from must live as long as it, so configurations that brought a
 * change are kept until the end; one that says the same as the present is dropped at once.
 *
 * Knows:     the order, which keys need a restart.
 * Does not:  do the work of any part.
 * Owns:      all parts.
 * Threads:   the loop.
 */
#include "main/gateway.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ip.h"
#include "document/document.h"
#include "http/door.h"
#include "http/door_admin.h"
#include "http/door_messages.h"
#include "http/door_sendota.h"
#include "http/door_sendsms.h"
#include "http/router.h"
#include "intake/ota_group.h"
#include "io/fetch.h"
#include "io/httpd.h"
#include "io/log.h"
#include "io/loop.h"
#include "main/check.h"
#include "main/drivers.h"
#include "main/service.h"
#include "main/settings.h"
#include "main/store_wait.h"
#include "main/version.h"

enum {
	BODY_MOST = 4 * DOCUMENT_OCTETS,	/* a form writes three octets for one */
	SENDERS_MOST = 4000, OPERATORS_MOST = 100,
	IDLE_S = 60, CALL_S = 30, CALLS_MOST = 512,
	LAST_LOOK_MS = 10, LAST_LOOKS = 200
};

struct kept {			/* a configuration that something may still refer to */
	struct conf	*conf;
	struct kept	*next;
};

struct gateway {
	struct gateway_options options;
	struct kept	*confs;
	struct conf	*conf;			/* the present one, among them */
	struct settings	 settings;
	struct store_settings store;		/* of the open store, which looks at it for ever */
	struct secret	 proxy_password;	/* the client looks at it for ever */
	struct loop	*loop;
	struct fetch	*fetch;
	struct queue	*queue;
	struct dispatch	*dispatch;
	struct intake	*intake;
	struct accounts	*accounts;
	struct ota_groups *ota;
	struct door_setup doors;
	struct admin	*admin;
	struct httpd	*sendsms_httpd, *admin_httpd;
	struct router_row rows[5];
	struct router	 router;
	struct ip_rules	*callback_allow, *admin_allow, *admin_deny;
	unsigned	 own_ports[3];
	char		 store_folder[STORE_PATH_MOST];
	mono_t		 started;
	struct timer	*last_look;
	unsigned	 looks;
	bool		 awaiting, stopping;	/* the store; the end */
};

/* --- small parts -------------------------------------------------------------------- */

static enum intake_routable
routable(void *dispatch, const struct message *m)
{
	switch (dispatch_routable(dispatch, m)) {
	case ROUTABLE_NOW:
		return INTAKE_NOW;
	case ROUTABLE_LATER:
		return INTAKE_LATER;
	case ROUTABLE_NEVER:
		break;
	}
	return INTAKE_NEVER;
}

static int
keep_conf(struct gateway *g, struct conf *conf, struct err *err)
{
	struct kept *k = malloc(sizeof *k);

	if (k == NULL)
		return err_set(err, ERR_SYSTEM, "no memory for the configuration");
	*k = (struct kept){ conf, g->confs };
	g->confs = k;
	return 0;
}

static int
parse_rules(struct ip_rules **to, const char *text, struct err *err)
{
	struct err why = { 0 };
	struct ip_rules *rules = ip_rules_parse(text_of(text), &why);

	if (rules == NULL && why.code != ERR_NONE) {
		*err = why;
		return -1;
	}
	ip_rules_free(to);
	*to = rules;
	return 0;
}

static int
open_log(const struct gateway *g, struct err *err)
{
	const struct core_settings *c = &g->settings.core;

	return log_open(c->log_file, g->options.verbose ? LOG_LEVEL_DEBUG :
	    (enum log_level)c->log_level, err);
}

/* Thousands of senders, links, callbacks. */
static void
raise_descriptors(void)
{
	struct rlimit most;

	if (getrlimit(RLIMIT_NOFILE, &most) == 0 && most.rlim_cur < most.rlim_max) {
		most.rlim_cur = most.rlim_max;
		setrlimit(RLIMIT_NOFILE, &most);
	}
}

static void
folder_of(const char *path, char out[STORE_PATH_MOST])
{
	const char *slash = strrchr(path, '/');
	int n = slash == NULL ? 0 : (int)(slash - path);

	snprintf(out, STORE_PATH_MOST, "%.*s", slash == NULL ? 1 : n > 0 ? n : 1,
	    slash == NULL ? "." : path);
}

/* --- opening, part by part ------------------------------------------------------------ */

static int
open_fetch(struct gateway *g, struct err *err)
{
	const struct core_settings *c = &g->settings.core;
	long seconds = g->settings.smsbox.http_timeout_s;
	struct fetch_conf f = {
		.user_agent = KANTELE, .connections = CALLS_MOST, .own_ports = g->own_ports,
		.ca_file = c->ca_file, .proxy_host = c->proxy_host,
		.proxy_port = (unsigned)c->proxy_port, .proxy_ssl = c->proxy_ssl,
		.proxy_exceptions = c->proxy_exceptions, .proxy_username = c->proxy_username,
	};

	if (secret_set(&g->proxy_password, secret_octets(&c->proxy_password)) == -1)
		return err_set(err, ERR_SYSTEM, "no memory");
	f.proxy_password = secret_octets(&g->proxy_password);
	if (seconds == 0)
		seconds = c->http_timeout_s > 0 ? c->http_timeout_s : CALL_S;
	f.timeout_ms = (unsigned)seconds * 1000;
	if (parse_rules(&g->callback_allow, c->callback_allow_ip, err) == -1)
		return -1;
	f.allow = g->callback_allow;
	g->own_ports[0] = httpd_port(g->admin_httpd);
	if (g->sendsms_httpd != NULL)
		g->own_ports[1] = httpd_port(g->sendsms_httpd);
	return (g->fetch = fetch_new(g->loop, &f, err)) != NULL ? 0 : -1;
}

static void
refuse(struct gateway *g, const char *text)
{
	httpd_refuse(g->admin_httpd, text);
	if (g->sendsms_httpd != NULL)
		httpd_refuse(g->sendsms_httpd, text);
}

static int
open_store(void *arg, struct err *err)
{
	struct gateway *g = arg;
	const struct store_driver *driver = drivers_store((enum store_engine)g->store.engine);

	g->queue = queue_open(g->loop, driver, &g->store.conf, err);
	return g->queue != NULL ? 0 : -1;
}

static int
open_queue(struct gateway *g, struct err *err)
{
	enum store_engine engine = (enum store_engine)g->settings.store.engine;
	struct store_wait wait = { .loop = g->loop, .reach = drivers_store_reach(engine),
	    .conf = &g->store.conf, .open = open_store, .arg = g };
	int rc;

	store_settings_copy(&g->store, &g->settings.store);
	if (drivers_store(engine) == NULL)
		return err_set(err, ERR_CONFIG, "this engine of the store is not supported yet");
	if (engine == ENGINE_SQLITE)
		folder_of(g->store.path, g->store_folder);
	if (wait.reach == NULL)
		return open_store(g, err);
	g->awaiting = true;
	refuse(g, "starting, the store is awaited: please try again later");
	rc = store_wait(&wait, err);
	refuse(g, NULL);
	g->awaiting = false;
	return rc;
}

static void
mode_of_all(void *arg, struct text mode)
{
	admin_mode_of_all(((struct gateway *)arg)->admin, mode);
}

static int
open_dispatch(struct gateway *g, struct findings *findings, struct err *err)
{
	g->dispatch = dispatch_new(g->loop, g->queue, g->fetch, &g->settings.dispatch, smsc_drivers);
	if (g->dispatch == NULL)
		return err_set(err, ERR_SYSTEM, "no memory for the links");
	dispatch_on_mode(g->dispatch, mode_of_all, g);
	return dispatch_links(g->dispatch, g->conf, findings);
}

static void
set_doors(struct gateway *g)
{
	const struct smsbox_settings *s = &g->settings.smsbox;

	g->doors = (struct door_setup){
		.loop = g->loop, .queue = g->queue, .intake = g->intake, .accounts = g->accounts, .ota = g->ota,
		.immediate_reply = s->immediate_reply, .patience_ms = DOOR_DEADLINE_MS,
	};
	g->rows[0] = (struct router_row){ s->sendsms_url, door_sendsms, &g->doors };
	g->rows[1] = (struct router_row){ s->sendota_url, door_sendota, &g->doors };
	g->rows[2] = (struct router_row){ "/api/v1/messages", door_messages, &g->doors };
	g->rows[3] = (struct router_row){ "/api/v1/messages/*", door_messages, &g->doors };
	g->rows[4] = (struct router_row){ .path = NULL };
	g->router = (struct router){ .rows = g->rows, .other = door_unknown };
}

static void	stop(void *);

static struct admin_setup
admin_setup(struct gateway *g)
{
	const struct settings *s = &g->settings;

	return (struct admin_setup){
		.loop = g->loop, .queue = g->queue, .dispatch = g->dispatch,
		.admin_password = &s->core.admin_password,
		.status_password = &s->core.status_password,
		.allow = g->admin_allow, .deny = g->admin_deny, .version = KANTELE,
		.store_folder = g->store.engine == ENGINE_SQLITE ? g->store_folder : NULL,
		.smsbox_id = s->smsbox.id, .smsbox = s->has_smsbox, .wapbox = s->has_wapbox,
		.started = g->started, .shutdown = stop, .arg = g,
	};
}

/* The doors lead into the rooms that there are now. */
static void
furnish(struct gateway *g)
{
	struct admin_setup setup = admin_setup(g);

	set_doors(g);
	admin_configure(g->admin, &setup);
}

static int
open_intake(struct gateway *g, struct findings *findings, struct err *err)
{
	struct intake_links links = { routable, g->dispatch };

	g->intake = intake_new(g->loop, g->queue, &links, &g->settings.intake, err);
	if (g->intake == NULL)
		return -1;
	g->accounts = accounts_new(g->conf, findings);
	if (g->accounts == NULL || (g->ota = ota_groups_new(g->conf, findings)) == NULL)
		return -1;
	furnish(g);
	return 0;
}

static struct httpd *
open_listener(struct gateway *g, const struct httpd_conf *listener, bool ssl,
    httpd_request_fn *fn, void *arg, struct err *err)
{
	struct httpd_conf c = *listener;

	c.idle_s = IDLE_S;
	c.server = "Kantele/" PACKAGE_VERSION;
	if (ssl) {
		c.cert_file = g->settings.core.cert_file;
		c.key_file = g->settings.core.key_file;
	}
	return httpd_open(g->loop, &c, fn, arg, err);
}

static int
open_listeners(struct gateway *g, struct err *err)
{
	const struct core_settings *core = &g->settings.core;
	const struct smsbox_settings *smsbox = &g->settings.smsbox;
	struct httpd_conf admin = {
		.name = "admin", .interface = core->admin_interface, .port = (unsigned)core->admin_port,
		.body_most = 64 * 1024, .connections = OPERATORS_MOST,
	};
	struct httpd_conf sendsms = {
		.name = "sendsms", .interface = smsbox->interface, .port = (unsigned)smsbox->port,
		.body_most = BODY_MOST, .connections = SENDERS_MOST, .deadline_ms = DOOR_DEADLINE_MS,
	};
	struct admin_setup setup;

	if (parse_rules(&g->admin_allow, core->admin_allow_ip, err) == -1 ||
	    parse_rules(&g->admin_deny, core->admin_deny_ip, err) == -1)
		return -1;
	setup = admin_setup(g);
	if ((g->admin = admin_new(&setup, err)) == NULL)
		return -1;
	g->admin_httpd = open_listener(g, &admin, core->admin_ssl, door_admin, g->admin, err);
	if (g->admin_httpd == NULL)
		return -1;
	if (!g->settings.has_sendsms)
		return 0;
	g->sendsms_httpd = open_listener(g, &sendsms, smsbox->ssl, router_handle, &g->router, err);
	return g->sendsms_httpd != NULL ? 0 : -1;
}

/* --- stopping ------------------------------------------------------------------------- */

/* What was committed is still being told to senders: a moment for that, no more. */
static void
last_look(void *arg)
{
	struct gateway *g = arg;

	if (g->sendsms_httpd != NULL && httpd_waiting(g->sendsms_httpd) > 0 &&
	    g->looks++ < LAST_LOOKS && g->last_look != NULL)
		timer_set(g->last_look, LAST_LOOK_MS);
	else
		loop_stop(g->loop);
}

static void
drained(void *arg)
{
	struct gateway *g = arg;

	g->last_look = timer_new(g->loop, last_look, g);
	last_look(g);
}

static void
stop(void *arg)
{
	struct gateway *g = arg;
	long ms = g->settings.core.shutdown_s * 1000;

	if (g->stopping)
		return;
	g->stopping = true;
	service_stopping();
	log_info("stopping: new submissions are refused, waiting up to %ld s for answers", ms / 1000);
	intake_close_door(g->intake);
	admin_stopping(g->admin);
	if (g->sendsms_httpd != NULL)
		httpd_refuse(g->sendsms_httpd, "stopping, please try again later");
	queue_stop(g->queue);
	/* the rest of the time is for the queue */
	dispatch_drain(g->dispatch, (unsigned)(ms > 1000 ? ms - 500 : ms / 2), drained, g);
}

static void
on_stop(void *arg, int number)
{
	struct gateway *g = arg;

	if (g->awaiting) {	/* nothing is open that could be lost, and the question may be under way for long */
		log_info("stopped before the store was there");
		log_flush();
		_exit(0);
	}
	if (g->stopping) {
		log_error("second signal %d: ended at once", number);
		log_flush();
		_exit(1);
	}
	stop(g);
}

/* --- reloading ------------------------------------------------------------------------ */

static const struct { const char *group, *key; } restarts[] = {
	{ "core", "admin-port" }, { "core", "admin-port-ssl" }, { "core", "admin-interface" },
	{ "core", "store-location" }, { "core", "store-file" }, { "core", "order-hold" },
	{ "core", "sms-resend-freq" }, { "core", "sms-resend-retry" },
	{ "core", "callback-allow-ip" }, { "core", "http-timeout" }, { "core", "ssl-trusted-ca-file" },
	{ "core", "http-proxy-host" }, { "core", "http-proxy-port" },
	{ "core", "http-proxy-password" }, { "core", "http-proxy-username" },
	{ "smsbox", "sendsms-port" }, { "smsbox", "sendsms-port-ssl" },
	{ "smsbox", "sendsms-interface" }, { "smsbox", "http-request-retry" },
	{ "smsbox", "http-queue-delay" }, { "smsbox", "max-pending-requests" },
	{ "smsbox", "http-timeout" }, { "store", "engine" }, { "store", "path" },
	{ "store", "conninfo" }, { "store", "retention" }, { "store", "node-name" }, { "store", "lease-time" },
};

static const char *
group_value(const struct conf *conf, const char *group, const char *key)
{
	const struct conf_group *g = settings_group(conf, group);

	return g != NULL ? conf_value(g, key, NULL) : NULL;
}

static void
name_restarts(const struct conf *old, const struct conf *new)
{
	for (size_t i = 0; i < sizeof restarts / sizeof *restarts; i++) {
		const char *a = group_value(old, restarts[i].group, restarts[i].key);
		const char *b = group_value(new, restarts[i].group, restarts[i].key);

		if ((a == NULL) != (b == NULL) || (a != NULL && strcmp(a, b) != 0))
			log_warn("configuration: `%s' of the group `%s' changes with the next start",
			    restarts[i].key, restarts[i].group);
	}
}

/* The same groups in the same order. */
static bool
says_the_same(const struct conf *a, const struct conf *b)
{
	const struct conf_group *x = NULL, *y = NULL;

	do {
		x = conf_next(a, NULL, x);
		y = conf_next(b, NULL, y);
		if (x != NULL && y != NULL && !conf_group_equal(x, y))
			return false;
	} while (x != NULL && y != NULL);
	return x == y;
}

static void
log_findings(const struct findings *findings, const char *file)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->list[i];

		if (f->severity == SEVERITY_NOTE)
			continue;
		log_line(f->severity == SEVERITY_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
		    "%s:%u: %s", f->file != NULL ? f->file : file, f->line, f->text);
	}
}

/* Everything that can fail first; then the switch, which cannot. */
static int
apply(struct gateway *g, struct conf *conf, struct findings *findings, struct err *err)
{
	struct settings next;
	struct accounts *accounts = NULL;
	struct ota_groups *ota = NULL;
	struct ip_rules *allow = NULL, *deny = NULL;

	if (settings_read(&next, conf, findings) == -1 ||
	    (accounts = accounts_new(conf, findings)) == NULL ||
	    (ota = ota_groups_new(conf, findings)) == NULL ||
	    parse_rules(&allow, next.core.admin_allow_ip, err) == -1 ||
	    parse_rules(&deny, next.core.admin_deny_ip, err) == -1 ||
	    intake_configure(g->intake, &next.intake, err) == -1 ||
	    dispatch_links(g->dispatch, conf, findings) == -1) {
		(void)intake_configure(g->intake, &g->settings.intake, NULL);
		settings_free(&next);
		accounts_free(&accounts);
		ota_groups_free(&ota);
		ip_rules_free(&allow);
		ip_rules_free(&deny);
		return -1;
	}
	settings_free(&g->settings);
	g->settings = next;
	store_settings_copy(&g->settings.store, &next.store);
	ip_rules_free(&g->admin_allow);
	ip_rules_free(&g->admin_deny);
	g->admin_allow = allow;
	g->admin_deny = deny;
	accounts_free(&g->accounts);
	g->accounts = accounts;
	ota_groups_free(&g->ota);
	g->ota = ota;
	g->conf = conf;
	furnish(g);
	return 0;
}

static void
reload_certificates(struct gateway *g)
{
	struct httpd *const all[] = { g->admin_httpd, g->sendsms_httpd };
	struct err err = { 0 };

	for (size_t i = 0; i < 2; i++)
		if (all[i] != NULL && httpd_reload(all[i], &err) == -1)
			log_error("certificates are kept: %s", err.text);
}

static void
reload(struct gateway *g)
{
	struct findings findings = { 0 };
	struct err err = { 0 };
	struct conf *conf = check_read(g->options.file, g->options.lenient, &findings);
	const struct conf *old = g->conf;

	if (conf == NULL || findings.errors > 0) {
		log_findings(&findings, g->options.file);
		log_error("configuration: %zu errors in %s: the old one is kept", findings.errors,
		    g->options.file);
		conf_free(&conf);
	} else if (says_the_same(old, conf)) {
		log_info("configuration: unchanged");
		conf_free(&conf);
	} else if (keep_conf(g, conf, &err) == -1) {
		log_error("configuration: the old one is kept: %s", err.text);
		conf_free(&conf);
	} else if (apply(g, conf, &findings, &err) == -1) {
		log_findings(&findings, g->options.file);
		log_error("configuration: the old one is kept: %s", err.text);
	} else {
		log_findings(&findings, g->options.file);
		name_restarts(old, conf);
		log_info("configuration: %s is applied", g->options.file);
	}
	findings_free(&findings);
}

static void
on_reload(void *arg, int number)
{
	struct gateway *g = arg;
	struct err err = { 0 };

	(void)number;
	if (g->stopping)
		return;
	if (!g->awaiting)
		service_reloading();
	for (int i = 0; i < 2; i++) {		/* where it was, so that nothing is lost; then where it is now */
		if (open_log(g, &err) == -1)
			log_error("the log stays where it is: %s", err.text);
		if (i == 0 && g->awaiting)
			log_warn("configuration: not read again before the store is there");
		else if (i == 0)
			reload(g);
	}
	reload_certificates(g);
	if (!g->awaiting)
		service_ready("running");
}

/* --- the whole ------------------------------------------------------------------------- */

static void
say_ready(const struct gateway *g)
{
	char text[200];
	struct buf b = buf_on(text, sizeof text);

	buf_str(&b, "ready: ");
	if (g->sendsms_httpd != NULL)
		buf_printf(&b, "sendsms on port %u, ", httpd_port(g->sendsms_httpd));
	buf_printf(&b, "admin on port %u, %zu links", httpd_port(g->admin_httpd),
	    dispatch_link_count(g->dispatch));
	log_info("%s", buf_cstr(&b));
	/* whoever started us looks at standard error */
	if (g->settings.core.log_file != NULL || !log_wants(LOG_LEVEL_INFO))
		fprintf(stderr, "%s\n", buf_cstr(&b));
	service_ready(buf_cstr(&b));
}

static int
open_signals(struct gateway *g, struct err *err)
{
	signal(SIGPIPE, SIG_IGN);
	if (loop_on_signal(g->loop, SIGTERM, on_stop, g, err) == -1 ||
	    loop_on_signal(g->loop, SIGINT, on_stop, g, err) == -1 ||
	    loop_on_signal(g->loop, SIGHUP, on_reload, g, err) == -1)
		return -1;
	return 0;
}

static int
open_conf(struct gateway *g, struct findings *findings, struct err *err)
{
	struct conf *conf = check_read(g->options.file, g->options.lenient, findings);

	if (conf == NULL || findings->errors > 0 || keep_conf(g, conf, err) == -1) {
		conf_free(&conf);
		return -1;
	}
	g->conf = conf;
	return settings_read(&g->settings, conf, NULL);
}

static int
open_all(struct gateway *g, struct findings *findings, struct err *err)
{
	if (open_conf(g, findings, err) == -1 || open_log(g, err) == -1)
		return -1;
	umask(077);		/* the store holds PINs */
	raise_descriptors();
	if ((g->loop = loop_new(err)) == NULL)
		return -1;
	log_on_loop(g->loop);
	g->started = loop_now(g->loop);
	log_findings(findings, g->options.file);
	log_info("%s starts with %s", KANTELE, g->options.file);
	if (open_signals(g, err) == -1 || open_listeners(g, err) == -1 || open_fetch(g, err) == -1 ||
	    open_queue(g, err) == -1 || open_dispatch(g, findings, err) == -1 ||
	    open_intake(g, findings, err) == -1)
		return -1;
	dispatch_start(g->dispatch);
	return 0;
}

struct gateway *
gateway_open(const struct gateway_options *options, struct findings *findings, struct err *err)
{
	struct gateway *g = calloc(1, sizeof *g);

	if (g == NULL) {
		err_set(err, ERR_SYSTEM, "no memory");
		return NULL;
	}
	g->options = *options;
	if (open_all(g, findings, err) == -1)
		gateway_close(&g);
	return g;
}

int
gateway_run(struct gateway *g)
{
	say_ready(g);
	loop_run(g->loop);
	return 0;
}

void
gateway_close(struct gateway **gp)
{
	struct gateway *g = *gp;
	struct kept *k;

	if (g == NULL)
		return;
	timer_free(&g->last_look);
	dispatch_free(&g->dispatch);
	queue_close(&g->queue);
	httpd_close(&g->sendsms_httpd);
	httpd_close(&g->admin_httpd);
	admin_free(&g->admin);
	intake_free(&g->intake);
	accounts_free(&g->accounts);
	ota_groups_free(&g->ota);
	fetch_free(&g->fetch);
	ip_rules_free(&g->callback_allow);
	ip_rules_free(&g->admin_allow);
	ip_rules_free(&g->admin_deny);
	if (g->loop != NULL) {
		log_info("stopped");
		log_on_loop(NULL);
		loop_free(&g->loop);
	}
	settings_free(&g->settings);
	secret_free(&g->proxy_password);
	while ((k = g->confs) != NULL) {
		g->confs = k->next;
		conf_free(&k->conf);
		free(k);
	}
	log_flush();
	free(g);
	*gp = NULL;
}
