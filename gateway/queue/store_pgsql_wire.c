/*
 * store_pgsql_wire.c - libpq: connections, pipelines, binary arrays, errors in words
 *
 * Knows:     libpq, SQLSTATEs, the wire form of arrays.
 * Does not:  know what is in any table.
 * Owns:      connections, their results.
 * Threads:   none of its own.
 */
#include "queue/store_pgsql_wire.h"

#include <endian.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/store_pgsql.h"

enum { ARRAY_HEAD = 20, ARGS_BUF_MOST = 256 << 20, ARGS_BUF_KEPT = 1 << 20, DIAGNOSIS_WAITS = 30 };
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_BYTEA_ARRAY = 1001,
    OID_INT2_ARRAY = 1005, OID_INT4_ARRAY = 1007, OID_INT8_ARRAY = 1016 };

/* --- errors -------------------------------------------------------------------- */

static const struct {
	const char	*state;		/* or its class: two letters */
	enum err_code	 code;
	const char	*cure;
} cures[] = {
	{ "28P01", ERR_CONFIG, "password=... in conninfo, or a .pgpass file, has to be right" },
	{ "28", ERR_CONFIG, "the server's pg_hba.conf has to let this user in" },
	{ "3D000", ERR_CONFIG, "create the database, or name another in conninfo" },
	{ "42501", ERR_CONFIG, "the user needs to own the schema kantele (or CREATE on the database)" },
	{ "25006", ERR_STORE, "this server takes no writes; target_session_attrs=read-write in conninfo "
	  "finds the one that does" },
	{ "57P03", ERR_STORE, "the server is starting or stopping" },
	{ "53300", ERR_STORE, "max_connections of the server is reached" },
	{ "F0000", ERR_CONFIG, "conninfo has to be mended" },
	{ "53100", ERR_STORE, "the server's disk is full" },
};

/* The first line, without the server's "ERROR:  " and without a place in the source. */
static void
first_line(const char *text, char *out, size_t size)
{
	size_t n;

	while (*text == '\n' || *text == ' ')
		text++;
	n = strcspn(text, "\n");
	snprintf(out, size, "%.*s", (int)n, text);
}

static int
fail(struct pg *p, const char *state, const char *text, struct err *err)
{
	char line[150];

	snprintf(p->state, sizeof p->state, "%s", state != NULL ? state : "");
	first_line(text, line, sizeof line);
	if (strcmp(p->state, "25006") == 0)
		p->stale = true;
	for (size_t i = 0; i < sizeof cures / sizeof *cures; i++)
		if (strncmp(p->state, cures[i].state, strlen(cures[i].state)) == 0)
			return err_set(err, cures[i].code, "PostgreSQL: %s: %s", line, cures[i].cure);
	return err_set(err, ERR_STORE, "PostgreSQL: %s", line);
}

static int
fail_result(struct pg *p, const PGresult *r, struct err *err)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	return fail(p, state, text != NULL ? text : PQerrorMessage(p->conn), err);
}

bool
pg_is(const struct pg *p, const char *sqlstate)
{
	return strcmp(p->state, sqlstate) == 0;
}

static void
on_notice(void *arg, const PGresult *r)
{
	struct pg *p = arg;
	const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	if (severity == NULL || strcmp(severity, "WARNING") != 0)
		return;
	p->warned = true;
	snprintf(p->warning, sizeof p->warning, "%s", text != NULL ? text : "a warning");
}

void
pg_quiet(struct pg *p)
{
	p->warned = false;
}

/* --- arguments ------------------------------------------------------------------- */

static const struct {
	char		 letter;
	Oid		 type, item;
	unsigned	 octets;	/* of an item; 0: any */
} types[] = {
	{ '8', OID_INT8_ARRAY, OID_INT8, 8 }, { '4', OID_INT4_ARRAY, OID_INT4, 4 },
	{ '2', OID_INT2_ARRAY, OID_INT2, 2 }, { 'b', OID_BYTEA_ARRAY, OID_BYTEA, 0 },
	{ 'L', OID_INT8, 0, 8 }, { 'I', OID_INT4, 0, 4 }, { 'S', OID_INT2, 0, 2 }, { 'B', OID_BYTEA, 0, 0 },
};

static unsigned
type_of(char letter)
{
	unsigned i = 0;

	while (types[i].letter != letter)
		i++;
	return i;
}

void
pg_args_begin(struct pg_args *a, const struct pg_stmt *stmt)
{
	a->stmt = stmt;
	for (unsigned i = 0; stmt->types[i] != '\0'; i++) {
		if (a->at[i].cap > ARGS_BUF_KEPT)
			buf_free(&a->at[i]);
		if (a->at[i].most == 0)
			a->at[i] = buf_heap(ARGS_BUF_MOST);
		a->at[i].len = 0;
		a->at[i].overflow = false;
		a->items[i] = 0;
		a->null[i] = false;
		if (types[type_of(stmt->types[i])].item != 0)
			buf_bytes(&a->at[i], (char[ARRAY_HEAD]){ 0 }, ARRAY_HEAD);
	}
}

void
pg_args_free(struct pg_args *a)
{
	for (unsigned i = 0; i < PG_ARGS_MOST; i++)
		if (a->at[i].most != 0)
			buf_free(&a->at[i]);
}

void
pg_arg(struct pg_args *a, unsigned i, int64_t value)
{
	unsigned t = type_of(a->stmt->types[i]);
	struct buf *b = &a->at[i];

	if (types[t].item != 0)
		buf_u32(b, types[t].octets);
	if (types[t].octets == 8)
		buf_u64(b, (uint64_t)value);
	else if (types[t].octets == 4)
		buf_u32(b, (uint32_t)value);
	else
		buf_u16(b, (uint16_t)value);
	a->items[i]++;
}

void
pg_arg_text(struct pg_args *a, unsigned i, struct text value)
{
	bool array = types[type_of(a->stmt->types[i])].item != 0;

	a->items[i]++;
	if (value.at == NULL) {
		a->null[i] = true;
		if (array)
			buf_u32(&a->at[i], UINT32_MAX);
		return;
	}
	if (array)
		buf_u32(&a->at[i], (uint32_t)value.len);
	buf_bytes(&a->at[i], value.at, value.len);
}

unsigned
pg_args_rows(const struct pg_args *a)
{
	return a->stmt != NULL ? a->items[0] : 0;
}

/* Dimensions, has-NULL, the items' type, how many, lower bound. */
static void
array_head(struct pg_args *a, unsigned i, Oid item)
{
	uint32_t head[5] = { htobe32(a->items[i] > 0), htobe32(a->null[i]), htobe32(item),
	    htobe32(a->items[i]), htobe32(1) };

	memcpy(a->at[i].data, head, a->items[i] > 0 ? sizeof head : 12);
	if (a->items[i] == 0)
		a->at[i].len = 12;
}

/* --- connections ------------------------------------------------------------------- */

static void
forget_results(struct pg *p)
{
	while (p->came > 0)
		PQclear(p->results[--p->came]);
}

static unsigned
asked(struct pg *p, int sent)
{
	if (p->asked == 0)
		forget_results(p);
	if (sent == 0)
		p->failed = true;
	return p->asked++;
}

static int
prepare_all(struct pg *p, const struct pg_stmt *stmts, struct err *err)
{
	for (const struct pg_stmt *s = stmts; s != NULL && s->name != NULL; s++) {
		Oid oids[PG_ARGS_MOST];
		unsigned n = 0;

		for (; s->types[n] != '\0'; n++)
			oids[n] = types[type_of(s->types[n])].type;
		asked(p, PQsendPrepare(p->conn, s->name, s->sql, (int)n, oids));
		if (pg_trip(p, err) == -1)
			return -1;
	}
	return 0;
}

/* A connection that never came keeps its SQLSTATE to itself, but shows it to whoever connects step by
 * step with this verbosity: "FATAL:  28P01: password ...". (Step by step there is no connect_timeout for
 * each host, so that is for the diagnosis alone.) */
static void
diagnose(const char *const *names, const char *const *values, char state[6])
{
	PGconn *c = PQconnectStartParams(names, values, 1);
	PostgresPollingStatusType want = PGRES_POLLING_WRITING;
	const char *fatal;

	if (c != NULL && PQstatus(c) != CONNECTION_BAD) {
		PQsetErrorVerbosity(c, PQERRORS_VERBOSE);
		for (int waits = 0; want != PGRES_POLLING_OK && want != PGRES_POLLING_FAILED &&
		    waits < DIAGNOSIS_WAITS; waits++) {
			struct pollfd f = { .fd = PQsocket(c),
			    .events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT };

			poll(&f, 1, 100);
			want = PQconnectPoll(c);
		}
		fatal = strstr(PQerrorMessage(c), "FATAL:  ");
		if (fatal != NULL && strlen(fatal) > 14 && fatal[13] == ':')
			snprintf(state, 6, "%.5s", fatal + 8);
	}
	PQfinish(c);
}

/* What libpq finds out by itself has no SQLSTATE at all. Of several hosts each has lines of its own. */
static const struct {
	const char	*words, *state;
	bool		 first;		/* said before any server is asked */
} own_words[] = {
	{ "session is read-only", "25006", false }, { "server is in hot standby mode", "25006", false },
	{ "no password supplied", "28P01", false }, { "invalid ", "F0000", true },
	{ "could not match ", "F0000", true }, { "definition of service ", "F0000", true },
};

static int
fail_connect(struct pg *p, const char *const *names, const char *const *values, struct err *err)
{
	const char *text = PQerrorMessage(p->conn), *fatal = strstr(text, "FATAL:  "), *at;
	char state[6] = "";

	if (fatal != NULL) {
		diagnose(names, values, state);
		return fail(p, state, fatal + 8, err);
	}
	for (size_t i = 0; i < sizeof own_words / sizeof *own_words; i++) {
		if ((at = strstr(text, own_words[i].words)) == NULL || (own_words[i].first && at != text))
			continue;
		while (at > text && at[-1] != '\n')
			at--;
		return fail(p, own_words[i].state, at, err);
	}
	return fail(p, state, text, err);
}

int
pg_open(struct pg *p, const char *conninfo, const char *application, struct err *err)
{
	/* What the conninfo says goes before: it is expanded last. A COMMIT is never cut off by a timeout
	 * of ours; a connection that is gone is noticed by TCP. */
	const char *const names[] = { "connect_timeout", "keepalives_idle", "keepalives_interval",
	    "keepalives_count", "tcp_user_timeout", "fallback_application_name", "dbname", NULL };
	const char *const values[] = { "5", "5", "2", "3", "10000", application, conninfo, NULL };
	struct pgsql_conninfo read;

	*p = (struct pg){ .conn = NULL };
	if (store_pgsql_conninfo(conninfo, &read, err) == -1)
		return -1;
	p->conn = PQconnectdbParams(names, values, 1);
	if (PQstatus(p->conn) != CONNECTION_OK) {
		fail_connect(p, names, values, err);
		pg_close(p);
		return -1;
	}
	PQsetNoticeReceiver(p->conn, on_notice, p);
	return 0;
}

int
pg_prepare(struct pg *p, const char *settings, const struct pg_stmt *stmts, struct err *err)
{
	if (pg_run(p, settings, err) == -1)
		return -1;
	if (PQenterPipelineMode(p->conn) == 0)
		return err_set(err, ERR_STORE, "PostgreSQL: %s", PQerrorMessage(p->conn));
	return prepare_all(p, stmts, err);
}

void
pg_close(struct pg *p)
{
	forget_results(p);
	PQfinish(p->conn);
	p->conn = NULL;
}

/* --- trips ----------------------------------------------------------------------------- */

unsigned
pg_ask(struct pg *p, struct pg_args *a)
{
	const char *values[PG_ARGS_MOST];
	int lengths[PG_ARGS_MOST], formats[PG_ARGS_MOST];
	unsigned n;
	bool overflow = false;

	for (n = 0; a->stmt->types[n] != '\0'; n++) {
		unsigned t = type_of(a->stmt->types[n]);

		if (types[t].item != 0 && !a->at[n].overflow)
			array_head(a, n, types[t].item);
		overflow |= a->at[n].overflow;
		values[n] = types[t].item == 0 && a->null[n] ? NULL : (const char *)a->at[n].data;
		if (types[t].item == 0 && !a->null[n] && a->at[n].len == 0)
			values[n] = "";
		lengths[n] = (int)a->at[n].len;
		formats[n] = 1;
	}
	return asked(p, !overflow && p->asked < PG_ASKED_MOST &&
	    PQsendQueryPrepared(p->conn, a->stmt->name, (int)n, values, lengths, formats, 1));
}

unsigned
pg_ask_plain(struct pg *p, const char *sql)
{
	return asked(p, p->asked < PG_ASKED_MOST &&
	    PQsendQueryParams(p->conn, sql, 0, NULL, NULL, NULL, NULL, 1));
}

static bool
good(const PGresult *r)
{
	return PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK;
}

/* Up to the sync that ends the trip, whatever comes. -1: the connection is gone. */
static int
collect(struct pg *p)
{
	PGresult *r;
	unsigned ends = 0;

	for (;;) {
		if ((r = PQgetResult(p->conn)) == NULL) {
			if (PQstatus(p->conn) == CONNECTION_BAD || ++ends > PG_ASKED_MOST + 2)
				return -1;
			continue;
		}
		if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
			PQclear(r);
			return 0;
		}
		if (p->came < PG_ASKED_MOST)
			p->results[p->came++] = r;
		else
			PQclear(r);
	}
}

int
pg_trip(struct pg *p, struct err *err)
{
	unsigned wanted = p->asked;

	if (p->asked == 0)
		forget_results(p);
	p->asked = 0;
	p->state[0] = '\0';
	if (p->failed || PQpipelineSync(p->conn) == 0 || collect(p) == -1) {
		bool lost = PQstatus(p->conn) == CONNECTION_BAD;

		p->failed = false;
		return fail(p, NULL, lost ? PQerrorMessage(p->conn) : "the statement could not be sent", err);
	}
	for (unsigned i = 0; i < p->came; i++)
		if (!good(p->results[i]) && PQresultStatus(p->results[i]) != PGRES_PIPELINE_ABORTED)
			return fail_result(p, p->results[i], err);
	if (p->came != wanted)
		return fail(p, NULL, "the server answered less than it was asked", err);
	return 0;
}

void
pg_ahead(struct pg *p)
{
	if (PQsendFlushRequest(p->conn) == 0 || PQflush(p->conn) == -1)
		p->failed = true;
}

PGresult *
pg_take(struct pg *p, unsigned number)
{
	PGresult *r = pg_result(p, number);

	if (r != NULL)
		p->results[number] = NULL;
	return r;
}

PGresult *
pg_query(struct pg *p, const char *sql, struct err *err)
{
	PGresult *r = PQexec(p->conn, sql);

	if (good(r))
		return r;
	fail_result(p, r, err);
	PQclear(r);
	return NULL;
}

int
pg_run(struct pg *p, const char *sql, struct err *err)
{
	PGresult *r;

	if (PQpipelineStatus(p->conn) != PQ_PIPELINE_OFF) {
		pg_ask_plain(p, sql);
		return pg_trip(p, err);
	}
	if ((r = pg_query(p, sql, err)) == NULL)
		return -1;
	PQclear(r);
	return 0;
}

/* --- results --------------------------------------------------------------------------- */

unsigned
pg_rows(const struct pg *p, unsigned number)
{
	return (unsigned)PQntuples(pg_result(p, number));
}

unsigned
pg_touched(const struct pg *p, unsigned number)
{
	const char *n = PQcmdTuples(p->results[number]);

	return (unsigned)strtoul(n, NULL, 10);
}

bool
pg_null(const PGresult *r, unsigned row, unsigned column)
{
	return PQgetisnull(r, (int)row, (int)column);
}

int64_t
pg_number(const PGresult *r, unsigned row, unsigned column)
{
	const char *at = PQgetvalue(r, (int)row, (int)column);
	uint64_t v8;
	uint32_t v4;
	uint16_t v2;

	switch (PQgetlength(r, (int)row, (int)column)) {
	case 8:
		memcpy(&v8, at, sizeof v8);
		return (int64_t)be64toh(v8);
	case 4:
		memcpy(&v4, at, sizeof v4);
		return (int32_t)be32toh(v4);
	case 2:
		memcpy(&v2, at, sizeof v2);
		return (int16_t)be16toh(v2);
	case 1:
		return *at != 0;
	default:
		return 0;
	}
}

struct text
pg_text(const PGresult *r, unsigned row, unsigned column)
{
	if (pg_null(r, row, column))
		return (struct text){ 0 };
	return (struct text){ PQgetvalue(r, (int)row, (int)column), (size_t)PQgetlength(r, (int)row, (int)column) };
}
