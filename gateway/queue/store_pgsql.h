/*
 * store_pgsql.h - the PostgreSQL store: the driver, and what can be said of it without a store
 *
 * Threads: any; nothing is shared.
 */
#ifndef QUEUE_STORE_PGSQL_H
#define QUEUE_STORE_PGSQL_H

#include <stdbool.h>
#include "queue/store.h"

extern const struct store_driver store_pgsql;

struct pgsql_conninfo {			/* what a conninfo says */
	unsigned	 hosts;		/* 0: none is named */
	bool		 password;	/* it holds one */
	bool		 finds_primary;	/* of several hosts the one that takes writes is wanted, or may be */
};

/* Without connecting. -1: libpq cannot read it; the text of the error holds no password. */
int	 store_pgsql_conninfo(const char *conninfo, struct pgsql_conninfo *, struct err *);

/* "postgresql:host=... dbname=...", where it leads, without what is secret and what is not about that. */
void	 store_pgsql_place(const char *conninfo, char *out, size_t size);

/* Is the database there? Connects and leaves at once; may wait for the network. ERR_STORE: it may come yet,
 * ERR_CONFIG: somebody has to mend something first. */
int	 store_pgsql_reach(const struct store_conf *, struct err *);

#endif
