/*
 * settings.h - what the house itself reads from the core and smsbox groups
 *
 * Owns: secrets; other texts are the configuration's, which outlives the settings.
 * Threads: the loop (or a command's only thread).
 */
#ifndef MAIN_SETTINGS_H
#define MAIN_SETTINGS_H

#include <stdbool.h>
#include "base/conf.h"
#include "dispatch/dispatch.h"
#include "intake/intake.h"
#include "queue/store_settings.h"

struct core_settings {
	long		 admin_port;
	bool		 admin_ssl;
	const char	*admin_interface, *admin_allow_ip, *admin_deny_ip;
	struct secret	 admin_password, status_password;
	const char	*cert_file, *key_file, *ca_file;
	const char	*log_file;
	long		 log_level, shutdown_s, http_timeout_s;
	const char	*callback_allow_ip;
	const char	*proxy_host, *proxy_exceptions, *proxy_username;
	long		 proxy_port;
	bool		 proxy_ssl;
	struct secret	 proxy_password;
};

struct smsbox_settings {
	long		 port;
	bool		 ssl, immediate_reply;
	const char	*interface, *sendsms_url, *sendota_url, *id;
	long		 http_timeout_s;
};

struct settings {
	struct core_settings core;
	struct smsbox_settings smsbox;
	bool		 has_admin, has_sendsms;	/* the port is given; 0: any free one */
	bool		 has_smsbox, has_wapbox;	/* the group is there */
	struct intake_conf intake;
	struct dispatch_conf dispatch;
	struct store_settings store;
};

extern const struct conf_key core_keys[], smsbox_keys[];

/* -1: findings tell why. settings_free may be called either way. */
int	settings_read(struct settings *, struct conf *, struct findings *);
void	settings_free(struct settings *);
/* The group that counts: the last one of that name; NULL: there is none. */
const struct conf_group *settings_group(const struct conf *, const char *name);

#endif
