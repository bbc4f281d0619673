/*
 * account.h - who may send: the sendsms-user groups
 *
 * Threads: the loop. Rebuilt as a whole on reload.
 */
#ifndef INTAKE_ACCOUNT_H
#define INTAKE_ACCOUNT_H

#include <stdbool.h>
#include <sys/socket.h>
#include "base/conf.h"
#include "base/secret.h"
#include "push/message.h"

struct findings;
struct accounts;

struct account {			/* from the configuration; read only */
	const char	*username, *name;	/* name: the service in logs and %n */
	const char	*forced_smsc, *default_smsc, *faked_sender, *default_sender, *dlr_url;
	long		 max_messages;		/* 0: not given */
	bool		 concatenation, allow_unsigned;
	int		 klass;			/* enum message_class */
};
extern const struct conf_key account_keys[];

struct accounts	*accounts_new(struct conf *, struct findings *);	/* NULL: errors among the findings */
void		 accounts_free(struct accounts **);
size_t		 accounts_count(const struct accounts *);
/* The account, or NULL: name, password or address is wrong (which one is not told). Compares in
 * constant time. */
const struct account *accounts_login(const struct accounts *, struct text username,
		    struct text password, const struct sockaddr *);
/* The receiver passes the account's white and black lists. */
bool		 account_may_reach(const struct account *, struct text receiver);

#endif
