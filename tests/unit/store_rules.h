/*
 * store_rules.h - what is so in any SQLite store between two batches, whatever was done to it
 *
 * Threads: the store's.
 */
#ifndef UNIT_STORE_RULES_H
#define UNIT_STORE_RULES_H

#include <sqlite3.h>

/* Both: NULL, or what is wrong; the text lives until the next call. */

/* PRAGMA integrity_check. */
const char	*store_unsound(sqlite3 *);
/* Sound; the tally counts the rows; no row lacks another that belongs to it, or outlives it. */
const char	*store_rule_broken(sqlite3 *);

#endif
