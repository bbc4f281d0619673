/*
 * store_pgsql_wire.h - one connection to PostgreSQL: prepared statements, asked in trips
 *
 * A trip is one journey to the server and back: statements are queued with pg_ask, pg_trip sends them
 * (libpq's pipeline mode) and collects their results. All values go in binary; an array parameter is filled
 * row by row, so that a statement with `unnest` writes a whole batch.
 *
 * Errors: ERR_STORE is trouble that may pass (no connection, no disk, a server that is starting); ERR_CONFIG
 * is what somebody has to mend first (password, rights, name of the database, a standby that takes no
 * writes, schema).
 *
 * Owns: results belong to the connection until its next trip. Threads: one at a time.
 */
#ifndef QUEUE_STORE_PGSQL_WIRE_H
#define QUEUE_STORE_PGSQL_WIRE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"

enum { PG_ARGS_MOST = 20, PG_ASKED_MOST = 40 };

/*
 * Parameters, a letter each: arrays of 8 int8, 4 int4, 2 int2, b bytea; L int8, I int4, S int2, B bytea.
 */
struct pg_stmt {
	const char	*name, *sql, *types;
};

struct pg_args {			/* of one statement; reused */
	const struct pg_stmt *stmt;
	struct buf	 at[PG_ARGS_MOST];
	unsigned	 items[PG_ARGS_MOST];	/* of an array */
	bool		 null[PG_ARGS_MOST];	/* it has a NULL; a bytea that is one */
};

struct pg {				/* a connection */
	PGconn		*conn;
	PGresult	*results[PG_ASKED_MOST];
	unsigned	 asked, came;
	bool		 failed;	/* something could not even be queued */
	bool		 stale;		/* the server takes no writes (any more): another one is to be found */
	bool		 warned;	/* the server sent a warning since pg_quiet */
	char		 warning[160];
	char		 state[6];	/* SQLSTATE of the last error; "": none, the connection itself */
};

/* Connects; -1: err, and it is closed. Waits as long as connect_timeout says (5 s a host when the conninfo
 * has none). */
int	 pg_open(struct pg *, const char *conninfo, const char *application, struct err *);
/* From now on in trips: settings of the session, statements (ended by a NULL name; NULL: none). -1: close it. */
int	 pg_prepare(struct pg *, const char *settings, const struct pg_stmt *stmts, struct err *);
void	 pg_close(struct pg *);

void	 pg_args_begin(struct pg_args *, const struct pg_stmt *);
void	 pg_args_free(struct pg_args *);
/* The next item of parameter i, or its value. */
void	 pg_arg(struct pg_args *, unsigned i, int64_t);
void	 pg_arg_text(struct pg_args *, unsigned i, struct text);	/* absent: NULL */
/* Items of parameter 0: rows of the batch. */
unsigned pg_args_rows(const struct pg_args *);

/* Results come in the order of the calls, numbered from 0 after each trip. */
unsigned pg_ask(struct pg *, struct pg_args *);
unsigned pg_ask_plain(struct pg *, const char *sql);		/* no parameters, text results */
int	 pg_trip(struct pg *, struct err *);			/* -1: some statement failed: err is of the first */
/* What was asked since the last trip goes out now, to be worked on until the next trip collects it. */
void	 pg_ahead(struct pg *);
PGresult *pg_take(struct pg *, unsigned number);		/* the caller's now: PQclear */
void	 pg_quiet(struct pg *);					/* forget warnings */

static inline PGresult *
pg_result(const struct pg *p, unsigned number)
{
	return number < p->came ? p->results[number] : NULL;
}

unsigned pg_rows(const struct pg *, unsigned number);		/* shown */
unsigned pg_touched(const struct pg *, unsigned number);	/* written: INSERT, UPDATE, DELETE */
int64_t	 pg_number(const PGresult *, unsigned row, unsigned column);	/* int2, int4, int8, bool; NULL: 0 */
bool	 pg_null(const PGresult *, unsigned row, unsigned column);
struct text pg_text(const PGresult *, unsigned row, unsigned column);	/* absent: NULL */

/* Of the last error. */
bool	 pg_is(const struct pg *, const char *sqlstate);

/* Before pg_prepare: a query's result, in text; the caller's: PQclear. NULL: err. */
PGresult *pg_query(struct pg *, const char *sql, struct err *);
/* One statement of text, without parameters, in a trip of its own (schema, settings). */
int	 pg_run(struct pg *, const char *sql, struct err *);

#endif
