/*
 * account.c - who may send: the sendsms-user groups
 *
 * Several groups may share a user name: the first whose password fits is the account, as in
 * Kannel.  Passwords are compared in constant time, and one comparison is made for a name that
 * nobody has, so that the time does not tell which names exist.
 *
 * Knows:     names, passwords, addresses, receiver lists of accounts.
 * Does not:  know what they send.
 * Owns:      a struct accounts: passwords and parsed rules; texts are the configuration's.
 * Threads:   the loop.
 */
#include "intake/account.h"

#include <stdlib.h>

#include "base/finding.h"
#include "base/ip.h"
#include "intake/lists.h"

struct entry {
	struct account	 account;	/* first: account <-> entry */
	struct secret	 password;
	const char	*allow_ip, *deny_ip, *white, *black;
	struct ip_rules	*allow, *deny;
	struct lists	 lists;
};

struct accounts {
	size_t		 count;
	struct secret	 nobody;	/* what unknown names are compared with */
	struct entry	 list[];
};

static const char *const class_names[] = {
	[CLASS_HIGH] = "high", [CLASS_NORMAL] = "normal", [CLASS_BULK] = "bulk", NULL
};

#define AT(field)	offsetof(struct entry, field)
#define LATER(key, kind, words)							\
	{ .name = key, .type = kind, .text = words, .effect = CONF_LATER }

const struct conf_key account_keys[] = {
	{ .name = "username", .type = CONF_TEXT, .at = AT(account.username), .required = true,
	  .text = "Name that the sender logs in with." },
	{ .name = "password", .type = CONF_SECRET, .at = AT(password), .required = true,
	  .text = "Password of the sender; never printed." },
	{ .name = "name", .type = CONF_TEXT, .at = AT(account.name),
	  .text = "Name of the service in logs and in %n; default: the user name." },
	{ .name = "user-allow-ip", .type = CONF_IPRULES, .at = AT(allow_ip),
	  .text = "Addresses that may log in although user-deny-ip matches them." },
	{ .name = "user-deny-ip", .type = CONF_IPRULES, .at = AT(deny_ip),
	  .text = "Addresses that may not log in; without it everybody may." },
	{ .name = "forced-smsc", .type = CONF_TEXT, .at = AT(account.forced_smsc),
	  .text = "smsc-id of all messages, whatever the request says." },
	{ .name = "default-smsc", .type = CONF_TEXT, .at = AT(account.default_smsc),
	  .text = "smsc-id of messages that name none." },
	{ .name = "faked-sender", .type = CONF_TEXT, .at = AT(account.faked_sender),
	  .text = "Sender of all messages, whatever the request says." },
	{ .name = "default-sender", .type = CONF_TEXT, .at = AT(account.default_sender),
	  .text = "Sender of messages that name none." },
	{ .name = "max-messages", .type = CONF_NUMBER, .at = AT(account.max_messages),
	  .least = 0, .most = 100000,
	  .text = "Most segments of one message; more is refused. Default: 1 for texts, 255 for "
	    "documents." },
	{ .name = "concatenation", .type = CONF_FLAG, .at = AT(account.concatenation),
	  .standard = "false",
	  .text = "Long texts arrive as one; documents always do." },
	{ .name = "dlr-url", .type = CONF_URL, .at = AT(account.dlr_url),
	  .text = "Where reports go when a request asks for them and names no dlr-url." },
	{ .name = "white-list-regex", .type = CONF_REGEX, .at = AT(white),
	  .text = "Receivers of texts must match this." },
	{ .name = "black-list-regex", .type = CONF_REGEX, .at = AT(black),
	  .text = "Receivers of texts must not match this." },
	{ .name = "allow-unsigned", .type = CONF_FLAG, .at = AT(account.allow_unsigned),
	  .standard = "no", .text = "The account may send documents with sec=none." },
	{ .name = "class", .type = CONF_CHOICE, .at = AT(account.klass), .standard = "normal",
	  .choices = class_names,
	  .text = "Class in the queue: high, normal or bulk; links take 16 to 4 to 1." },
	LATER("split-chars", CONF_TEXT, "Characters at which texts without concatenation are cut."),
	LATER("split-suffix", CONF_TEXT, "Text at the end of each part but the last."),
	LATER("omit-empty", CONF_FLAG, "Empty texts are not sent."),
	LATER("header", CONF_TEXT, "Text before each part."),
	LATER("footer", CONF_TEXT, "Text behind each part."),
	LATER("white-list", CONF_TEXT, "List of receivers, from a URL or file."),
	LATER("black-list", CONF_TEXT, "List of receivers, from a URL or file."),
	LATER("allowed-prefix", CONF_TEXT, "Kannel reads it and does not look at it when sending."),
	LATER("denied-prefix", CONF_TEXT, "Kannel reads it and does not look at it when sending."),
	LATER("allowed-prefix-regex", CONF_REGEX, "As allowed-prefix."),
	LATER("denied-prefix-regex", CONF_REGEX, "As denied-prefix."),
	{ .name = NULL }
};

static void
entry_free(struct entry *e)
{
	lists_free(&e->lists);
	ip_rules_free(&e->allow);
	ip_rules_free(&e->deny);
	conf_unbind(account_keys, e);
}

/* The types of the rows were checked, so what fails here is memory. */
static int
entry_parse(struct entry *e, struct err *err)
{
	struct err why = { 0 };

	if (e->account.name == NULL)
		e->account.name = e->account.username;
	e->allow = ip_rules_parse(text_of(e->allow_ip), &why);
	if (why.code == ERR_NONE)
		e->deny = ip_rules_parse(text_of(e->deny_ip), &why);
	if (why.code == ERR_NONE)
		lists_parse(&e->lists, e->white, e->black, &why);
	if (why.code == ERR_NONE)
		return 0;
	*err = why;
	return -1;
}

struct accounts *
accounts_new(struct conf *conf, struct findings *findings)
{
	const struct conf_group *g = NULL;
	struct accounts *a;
	size_t count = 0;
	bool bad = false;

	while ((g = conf_next(conf, "sendsms-user", g)) != NULL)
		count++;
	a = calloc(1, sizeof *a + count * sizeof *a->list);
	if (a == NULL || secret_set(&a->nobody, TEXT("nobody has this password")) == -1) {
		finding_add(findings, SEVERITY_ERROR, NULL, NULL, 0, 0, "no memory for the accounts");
		accounts_free(&a);
		return NULL;
	}
	while ((g = conf_next(conf, "sendsms-user", g)) != NULL) {
		struct entry *e = &a->list[a->count++];
		struct err err = { 0 };

		if (conf_bind(conf, g, account_keys, e, findings) == -1) {
			bad = true;
		} else if (entry_parse(e, &err) == -1) {
			finding_add(findings, SEVERITY_ERROR, NULL, conf_group_file(g),
			    conf_group_line(g), 0, "%s", err.text);
			bad = true;
		}
	}
	if (bad)
		accounts_free(&a);
	return a;
}

void
accounts_free(struct accounts **ap)
{
	if (*ap == NULL)
		return;
	for (size_t i = 0; i < (*ap)->count; i++)
		entry_free(&(*ap)->list[i]);
	secret_free(&(*ap)->nobody);
	free(*ap);
	*ap = NULL;
}

size_t
accounts_count(const struct accounts *a)
{
	return a->count;
}

const struct account *
accounts_login(const struct accounts *a, struct text username, struct text password,
    const struct sockaddr *from)
{
	bool known = false;

	if (username.len == 0 || password.at == NULL)
		return NULL;
	for (size_t i = 0; i < a->count; i++) {
		const struct entry *e = &a->list[i];

		if (!text_is(username, e->account.username))
			continue;
		known = true;
		if (secret_equal(&e->password, password))
			return ip_allowed(e->allow, e->deny, from) ? &e->account : NULL;
	}
	if (!known)
		(void)secret_equal(&a->nobody, password);
	return NULL;
}

bool
account_may_reach(const struct account *account, struct text receiver)
{
	const struct entry *e = (const struct entry *)(const void *)account;

	return lists_pass(&e->lists, receiver);
}
