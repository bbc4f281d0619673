/*
 * settings.c - what the house itself reads from the core and smsbox groups
 *
 * Knows:     listeners, passwords, the log, the client for callbacks.
 * Does not:  know what other modules read from the same groups; binds their rows for them.
 * Owns:      secrets.
 * Threads:   the loop (or a command's only thread).
 */
#include "main/settings.h"

#include <string.h>

#define AT(field)	offsetof(struct core_settings, field)
#define KEY(key, kind, field, default, words)						\
	{ .name = key, .type = kind, .at = AT(field), .standard = default, .text = words }
#define RANGE(key, kind, field, default, low, high, words)				\
	{ .name = key, .type = kind, .at = AT(field), .standard = default, .least = low,	\
	  .most = high, .text = words }

const struct conf_key core_keys[] = {
	KEY("admin-port", CONF_PORT, admin_port, NULL, "Port of the admin door; 0: any free one."),
	KEY("admin-port-ssl", CONF_FLAG, admin_ssl, "no", "The admin door speaks HTTPS."),
	KEY("admin-interface", CONF_TEXT, admin_interface, NULL,
	    "Address that the admin door listens on; default: all."),
	{ .name = "admin-password", .type = CONF_SECRET, .at = AT(admin_password), .required = true,
	  .text = "Password for all commands of the admin door." },
	KEY("status-password", CONF_SECRET, status_password, NULL,
	    "Password for the status page; without it everybody may read it."),
	KEY("admin-allow-ip", CONF_IPRULES, admin_allow_ip, NULL,
	    "Addresses that may use the admin door although admin-deny-ip matches them."),
	KEY("admin-deny-ip", CONF_IPRULES, admin_deny_ip, NULL,
	    "Addresses that may not use the admin door; without it all may."),
	KEY("ssl-server-cert-file", CONF_TEXT, cert_file, NULL,
	    "PEM file with the certificate of HTTPS doors."),
	KEY("ssl-server-key-file", CONF_TEXT, key_file, NULL, "PEM file with its key."),
	KEY("ssl-trusted-ca-file", CONF_TEXT, ca_file, NULL,
	    "PEM file with the certificates that callbacks trust; default: the system's."),
	KEY("log-file", CONF_TEXT, log_file, NULL, "File for the log; default: standard error."),
	RANGE("log-level", CONF_NUMBER, log_level, "1", 0, 4,
	    "0 debug, 1 info, 2 warning, 3 error, 4 panic: less is not logged."),
	RANGE("shutdown-timeout", CONF_SECONDS, shutdown_s, "10", 1, 3600,
	    "How long a stop waits for the answers to what is in flight."),
	RANGE("http-timeout", CONF_SECONDS, http_timeout_s, NULL, 1, 3600,
	    "Time for one callback; default: 30 s."),
	KEY("callback-allow-ip", CONF_IPRULES, callback_allow_ip, NULL,
	    "Networks that callbacks may reach. Without it loopback and private ones are allowed "
	    "too; link-local addresses and our own ports never are."),
	KEY("http-proxy-host", CONF_TEXT, proxy_host, NULL, "Proxy for callbacks."),
	KEY("http-proxy-port", CONF_PORT, proxy_port, "3128", "Port of the proxy."),
	KEY("http-proxy-ssl", CONF_FLAG, proxy_ssl, "no", "The proxy speaks HTTPS."),
	KEY("http-proxy-exceptions", CONF_TEXT, proxy_exceptions, NULL,
	    "Hosts that are called without the proxy, separated by blanks."),
	KEY("http-proxy-username", CONF_TEXT, proxy_username, NULL, "User name for the proxy."),
	KEY("http-proxy-password", CONF_SECRET, proxy_password, NULL, "Password for the proxy."),
	{ .name = NULL }
};
#undef AT

#define AT(field)	offsetof(struct smsbox_settings, field)

const struct conf_key smsbox_keys[] = {
	KEY("sendsms-port", CONF_PORT, port, NULL,
	    "Port of the doors for senders; 0: any free one. Without it nobody can send."),
	KEY("sendsms-port-ssl", CONF_FLAG, ssl, "no", "The doors for senders speak HTTPS."),
	KEY("sendsms-interface", CONF_TEXT, interface, NULL,
	    "Address that these doors listen on; default: all."),
	KEY("sendsms-url", CONF_TEXT, sendsms_url, "/cgi-bin/sendsms", "Path of the door for texts."),
	KEY("sendota-url", CONF_TEXT, sendota_url, "/cgi-bin/sendota",
	    "Path of the door for provisioning documents."),
	KEY("smsbox-id", CONF_TEXT, id, NULL, "Name of the smsbox in the status page."),
	KEY("immediate-sendsms-reply", CONF_FLAG, immediate_reply, "no",
	    "The answer is \"Sent.\"; it still comes after the commit."),
	RANGE("http-timeout", CONF_SECONDS, http_timeout_s, NULL, 1, 3600,
	    "Time for one callback; default: that of the core group."),
	{ .name = NULL }
};
#undef AT

const struct conf_group *
settings_group(const struct conf *conf, const char *name)
{
	const struct conf_group *g = NULL, *next;

	while ((next = conf_next(conf, name, g)) != NULL)
		g = next;
	return g;
}

int
settings_read(struct settings *s, struct conf *conf, struct findings *findings)
{
	const struct conf_group *core = settings_group(conf, "core");
	const struct conf_group *smsbox = settings_group(conf, "smsbox");
	const struct {
		const struct conf_group *group;
		const struct conf_key *keys;
		void		*out;
	} parts[] = {
		{ core, core_keys, &s->core },
		{ core, intake_core_keys, &s->intake },
		{ core, dispatch_core_keys, &s->dispatch },
		{ smsbox, smsbox_keys, &s->smsbox },
		{ smsbox, intake_smsbox_keys, &s->intake },
		{ smsbox, dispatch_smsbox_keys, &s->dispatch },
	};
	int rc = 0;

	memset(s, 0, sizeof *s);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (conf_bind(conf, parts[i].group, parts[i].keys, parts[i].out, findings) == -1)
			rc = -1;
	if (store_settings_read(conf, &s->store, findings) == -1)
		rc = -1;
	s->has_smsbox = smsbox != NULL;
	s->has_wapbox = settings_group(conf, "wapbox") != NULL;
	s->has_admin = core != NULL && conf_value(core, "admin-port", NULL) != NULL;
	s->has_sendsms = smsbox != NULL && conf_value(smsbox, "sendsms-port", NULL) != NULL;
	return rc;
}

void
settings_free(struct settings *s)
{
	conf_unbind(core_keys, &s->core);
}
