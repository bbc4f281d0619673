/*
 * conf_table.c - every group and key that a configuration may have
 *
 * Knows:     which tables make up a group.
 * Does not:  know keys: their rows lie with the modules that read them.
 * Owns:      nothing. Threads: any; constant.
 */
#include "main/conf_table.h"

#include <string.h>

#include "intake/account.h"
#include "intake/ota_group.h"
#include "main/drivers.h"
#include "main/settings.h"

typedef const struct conf_key *const keys_list[];

static keys_list core = { core_keys, intake_core_keys, dispatch_core_keys, store_core_keys,
    kannel_core_keys, NULL };
static keys_list smsbox = { smsbox_keys, intake_smsbox_keys, dispatch_smsbox_keys,
    kannel_smsbox_keys, NULL };
static keys_list account = { account_keys, NULL };
static keys_list store = { store_keys, NULL };
static keys_list tlv = { smpp_tlv_keys, NULL };
static keys_list modems = { kannel_modems_keys, NULL };
static keys_list ota_setting = { ota_setting_keys, NULL };
static keys_list ota_bookmark = { ota_bookmark_keys, NULL };
static keys_list ppg = { kannel_ppg_keys, NULL };
static keys_list push_user = { kannel_push_user_keys, NULL };
static keys_list wapbox = { kannel_wapbox_keys, NULL };
static keys_list service = { kannel_service_keys, NULL };
static keys_list smsbox_route = { kannel_smsbox_route_keys, NULL };
static keys_list dlr_db = { kannel_dlr_db_keys, NULL };
static keys_list database = { kannel_database_keys, NULL };
static keys_list store_db = { kannel_store_db_keys, NULL };

/* An smsc group: its keys depend on its kind. */
static keys_list smsc_any = { link_keys, kannel_smsc_keys, smpp_keys, kannel_at_keys,
    kannel_http_keys, kannel_fake_keys, kannel_other_smsc_keys, NULL };
static keys_list smsc_smpp_list = { link_keys, kannel_smsc_keys, smpp_keys, NULL };
static keys_list smsc_at = { link_keys, kannel_smsc_keys, kannel_at_keys, NULL };
static keys_list smsc_http = { link_keys, kannel_smsc_keys, kannel_http_keys, NULL };
static keys_list smsc_fake = { link_keys, kannel_smsc_keys, kannel_fake_keys, NULL };

static const struct {
	const char	*kind;
	const struct conf_key *const *keys;
} smsc_kinds[] = {
	{ "smpp", smsc_smpp_list }, { "at", smsc_at }, { "http", smsc_http }, { "fake", smsc_fake },
	{ "loopback", smsc_fake },
};

static const struct conf_key *const *
keys_of_smsc(const void *group)
{
	const char *kind = conf_value(group, "smsc", NULL);

	for (size_t i = 0; kind != NULL && i < sizeof smsc_kinds / sizeof *smsc_kinds; i++)
		if (strcmp(kind, smsc_kinds[i].kind) == 0)
			return smsc_kinds[i].keys;
	return smsc_any;
}

#define WORKS(group, several, tables, words)						\
	{ .name = group, .many = several, .keys = tables, .text = words }
#define LATER(group, several, tables, words)						\
	{ .name = group, .many = several, .keys = tables, .text = words, .effect = CONF_LATER }
#define NEVER(group, tables, reason)							\
	{ .name = group, .many = true, .keys = tables, .text = reason, .effect = CONF_NEVER }

#define NO_WAP		"browsing with WAP is not served"
#define OWN_STORE	"reports are kept in Kantele's own store"

const struct conf_group_type conf_groups[] = {
	WORKS("core", false, core, "The gateway: admin door, log, callbacks, store."),
	WORKS("smsbox", false, smsbox, "The doors for senders."),
	WORKS("sendsms-user", true, account, "An account that may send."),
	{ .name = "smsc", .many = true, .keys = smsc_any, .keys_of = keys_of_smsc,
	  .text = "A link to an SMSC." },
	WORKS("smpp-tlv", true, tlv, "An optional parameter of SMPP links."),
	WORKS("store", false, store, "Where messages are kept."),
	WORKS("ota-setting", true, ota_setting, "Settings that sendota sends by otaid."),
	WORKS("ota-bookmark", true, ota_bookmark, "Bookmarks that sendota sends by otaid."),
	LATER("ppg", false, ppg, "The door for the Push Access Protocol."),
	LATER("wap-push-user", true, push_user, "An account of that door."),
	LATER("wapbox", false, wapbox, "Kannel's WAP box; of it only push will be served."),
	LATER("sms-service", true, service, "What texts from phones start."),
	LATER("modems", true, modems, "A type of GSM modem."),
	NEVER("smsbox-route", smsbox_route, "there is one process: nothing to route to"),
	NEVER("dlr-db", dlr_db, OWN_STORE),
	NEVER("store-db", store_db, "messages are kept in Kantele's own store"),
	NEVER("mysql-connection", database, OWN_STORE),
	NEVER("pgsql-connection", database, OWN_STORE),
	NEVER("sqlite-connection", database, OWN_STORE),
	NEVER("sqlite3-connection", database, OWN_STORE),
	NEVER("redis-connection", database, OWN_STORE),
	NEVER("cassandra-connection", database, OWN_STORE),
	NEVER("mssql-connection", database, OWN_STORE),
	NEVER("oracle-connection", database, OWN_STORE),
	NEVER("sdb-connection", database, OWN_STORE),
	NEVER("wap-url-map", NULL, NO_WAP),
	NEVER("wap-user-map", NULL, NO_WAP),
	NEVER("wtls", NULL, NO_WAP),
	NEVER("radius-acct", NULL, NO_WAP),
	NEVER("test-ppg", NULL, "it configures one of Kannel's test programs"),
	NEVER("configuration", NULL, "it configures one of Kannel's test programs"),
	{ .name = NULL }
};
