/*
 * store_rules.c - see store_rules.h
 *
 * Knows:     the tables of the SQLite store (gateway/queue/store_sqlite.c says what they are).
 * Does not:  know what ought to be in them.
 * Owns:      the text of what is broken.
 * Threads:   the store's.
 */
#include "store_rules.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Each gives 0 where all is well. States by number: enum store_state. */
static const char *const rules[] = {
	"SELECT count(*)<>1 FROM tally",
	"SELECT waiting<>(SELECT count(*) FROM q WHERE state=0) OR "
	    "sending<>(SELECT count(*) FROM q WHERE state IN (1, 2)) OR "
	    "held<>(SELECT count(*) FROM q WHERE state=3) OR "
	    "awaiting<>(SELECT count(*) FROM q WHERE state IN (4, 5)) OR "
	    "notices<>(SELECT count(*) FROM n) OR early<>(SELECT count(*) FROM e) OR "
	    "inbox<>(SELECT count(*) FROM i) FROM tally",
	"SELECT count(*) FROM q WHERE id NOT IN (SELECT id FROM m)",
	"SELECT count(*) FROM i WHERE id NOT IN (SELECT id FROM m)",
	"SELECT count(*) FROM m WHERE id NOT IN (SELECT id FROM q UNION SELECT id FROM i)",
	"SELECT count(*) FROM q WHERE id IN (SELECT id FROM r)",
	"SELECT count(*) FROM (SELECT id, key FROM q UNION SELECT id, key FROM r) AS w "
	    "WHERE NOT EXISTS(SELECT 1 FROM x WHERE x.id=w.id AND x.key=w.key)",
	"SELECT count(*) FROM x WHERE id NOT IN (SELECT id FROM q UNION SELECT id FROM r)",
	"SELECT count(*) FROM (SELECT id, account, push_id FROM q UNION SELECT id, account, push_id "
	    "FROM r UNION SELECT id, account, push_id FROM i) AS w WHERE push_id IS NOT NULL AND "
	    "NOT EXISTS(SELECT 1 FROM p WHERE p.id=w.id AND p.account=coalesce(w.account, '') AND "
	    "p.push_id=w.push_id)",
	"SELECT count(*) FROM p WHERE id NOT IN (SELECT id FROM q UNION SELECT id FROM r UNION "
	    "SELECT id FROM i)",
	"SELECT count(*) FROM s WHERE id NOT IN (SELECT id FROM q)",
	"SELECT count(*) FROM f WHERE NOT EXISTS(SELECT 1 FROM s WHERE s.id=f.id AND s.fid=f.fid)",
};

static char what[400];

const char *
store_unsound(sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	bool good;

	if (sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL) != SQLITE_OK)
		return sqlite3_errmsg(db);
	good = sqlite3_step(st) == SQLITE_ROW &&
	    strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0;
	if (!good)
		snprintf(what, sizeof what, "integrity_check: %s", sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	return good ? NULL : what;
}

const char *
store_rule_broken(sqlite3 *db)
{
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		sqlite3_stmt *st = NULL;
		bool good;

		if (sqlite3_prepare_v2(db, rules[i], -1, &st, NULL) != SQLITE_OK)
			return sqlite3_errmsg(db);
		good = sqlite3_step(st) == SQLITE_ROW && sqlite3_column_int64(st, 0) == 0;
		sqlite3_finalize(st);
		if (good)
			continue;
		snprintf(what, sizeof what, "not 0: %s", rules[i]);
		return what;
	}
	return store_unsound(db);
}
