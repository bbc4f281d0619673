/*
 * store_settings.h - which store a configuration means
 *
 * `group = store` says it (engine, path, conninfo, ...). Without a path the store lies
 * beside what Kannel's core group calls its store-location, which itself is never opened: in a
 * folder DIR it is DIR/kantele.db, beside a file FILE it is FILE.kantele.db; else kantele.db in
 * the working directory.
 *
 * Owns: the path, the host's name; other texts are the configuration's, which outlives the settings.
 * Threads: the loop (or a command's only thread).
 */
#ifndef QUEUE_STORE_SETTINGS_H
#define QUEUE_STORE_SETTINGS_H

#include "base/conf.h"
#include "queue/store.h"

enum store_engine { ENGINE_SQLITE, ENGINE_POSTGRESQL, ENGINE_MEMORY };	/* in the order of `engine =` */

enum { STORE_PATH_MOST = 4096, STORE_HOST_MOST = 65 };

struct store_settings {
	int		 engine;
	struct store_conf conf;		/* its path, and its node_name when none is given, lie here: */
	char		 path[STORE_PATH_MOST], host[STORE_HOST_MOST];
};

/* Rows of `group = store`, and the core group's store-location and its kin. */
extern const struct conf_key store_keys[], store_core_keys[];

/* -1: findings tell why. A NULL conf gives the defaults. */
int	store_settings_read(struct conf *, struct store_settings *, struct findings *);
void	store_settings_copy(struct store_settings *to, const struct store_settings *from);

#endif
