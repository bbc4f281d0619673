/*
 * store_sqlite_file.c - the SQLite file: whose it is, the lock, schema versions, copies
 *
 * A file that is not ours (Kannel's store, another program's database, a folder) is refused
 * and never written to. One gateway a store: flock on FILE-lock, not on the file itself, since
 * closing a second descriptor of it would drop SQLite's own locks. The lock file stays when
 * the gateway ends: deleting it would race with who waits for it.
 *
 * locking_mode stays NORMAL: EXCLUSIVE saves a few lock calls a commit, which tests/bench/store cannot
 * tell from noise at 100 lives a transaction, and NORMAL lets another process copy the store
 * while it is in use.
 *
 * secure_delete=ON overwrites deleted bodies (a PIN), in pages that are freed as a whole too; it
 * costs less than a microsecond a life. The log keeps old octets until it is written over
 * or the gateway stops: who must rule that out puts the store on an encrypted file system.
 *
 * Knows:     files, pragmas, the schema.
 * Does not:  know messages.
 * Owns:      the connection, the lock.
 * Threads:   the store's; store_sqlite_copy any.
 */
#include "queue/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "queue/store_sqlite_inner.h"

enum { APPLICATION_ID = 0x4b4e544c };	/* "KNTL", octets 68..71 of the file */
enum { LOCK_NAME = 4096 + 8 };
enum { HEAD = 100, FIRST_PAGE = 4096 };	/* octets of the header, and of the page that it is in */
enum { LOG_PIECE = 32768 };
enum { COPY_PAGES = 256 };		/* a step of a copy: 1 MiB */

/* What brings a store from version N (the index) to N + 1. Steps are never changed, only added. */
static const char *const schema_steps[] = {
	"CREATE TABLE meta(k TEXT PRIMARY KEY, v INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE tally(batch INTEGER, waiting INTEGER, sending INTEGER, awaiting INTEGER,"
	"    held INTEGER, notices INTEGER, early INTEGER, inbox INTEGER);"
	"INSERT INTO tally VALUES(0, 0, 0, 0, 0, 0, 0, 0);"
	"CREATE TABLE m(id INTEGER PRIMARY KEY, body BLOB NOT NULL);"
	"CREATE TABLE q(id INTEGER PRIMARY KEY, key INTEGER NOT NULL, state INTEGER NOT NULL,"
	"    flags INTEGER NOT NULL, attempt INTEGER NOT NULL, ref INTEGER NOT NULL,"
	"    segs INTEGER NOT NULL, klass INTEGER NOT NULL, t INTEGER NOT NULL, due INTEGER NOT NULL,"
	"    expires INTEGER NOT NULL, accepted INTEGER NOT NULL, msisdn TEXT, account TEXT,"
	"    push_id TEXT, smsc TEXT, grp TEXT, link TEXT);"
	"CREATE TABLE r(id INTEGER PRIMARY KEY, outcome INTEGER NOT NULL, code INTEGER NOT NULL,"
	"    finished INTEGER NOT NULL, key INTEGER NOT NULL, attempt INTEGER NOT NULL,"
	"    accepted INTEGER NOT NULL, expires INTEGER NOT NULL, msisdn TEXT, account TEXT,"
	"    push_id TEXT, link TEXT);"
	"CREATE INDEX r_finished ON r(finished);"
	"CREATE TABLE p(account TEXT, push_id TEXT, id INTEGER NOT NULL,"
	"    PRIMARY KEY(account, push_id)) WITHOUT ROWID;"
	"CREATE TABLE x(block INTEGER, key INTEGER, id INTEGER,"
	"    PRIMARY KEY(block, key, id)) WITHOUT ROWID;"
	"CREATE TABLE s(id INTEGER, attempt INTEGER, seg INTEGER, state INTEGER NOT NULL,"
	"    rstate INTEGER NOT NULL, domain TEXT, fid TEXT, said TEXT,"
	"    PRIMARY KEY(id, attempt, seg)) WITHOUT ROWID;"
	"CREATE TABLE f(domain TEXT, fid TEXT, id INTEGER NOT NULL, attempt INTEGER NOT NULL,"
	"    seg INTEGER NOT NULL, PRIMARY KEY(domain, fid)) WITHOUT ROWID;"
	"CREATE TABLE e(domain TEXT, fid TEXT, state INTEGER NOT NULL, at INTEGER NOT NULL, said TEXT,"
	"    PRIMARY KEY(domain, fid)) WITHOUT ROWID;"
	"CREATE INDEX e_at ON e(at);"
	"CREATE TABLE n(id INTEGER PRIMARY KEY, message INTEGER NOT NULL, key INTEGER NOT NULL,"
	"    due INTEGER NOT NULL, until INTEGER NOT NULL, tries INTEGER NOT NULL, url TEXT NOT NULL);"
	"CREATE TABLE i(id INTEGER PRIMARY KEY, part INTEGER NOT NULL, arrived INTEGER NOT NULL,"
	"    key INTEGER NOT NULL, klass INTEGER NOT NULL, due INTEGER NOT NULL,"
	"    expires INTEGER NOT NULL, accepted INTEGER NOT NULL, msisdn TEXT, account TEXT,"
	"    push_id TEXT, smsc TEXT, grp TEXT);",

	"ALTER TABLE q ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE q ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;",

	/* turn: of a message that came from another store (store_sqlite_move.c); 0: the id says it. */
	"ALTER TABLE q ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX q_turn ON q(turn) WHERE turn>0;"
	"CREATE TABLE moved(state INTEGER NOT NULL, number INTEGER NOT NULL, peer TEXT NOT NULL, at BLOB);"
	"INSERT INTO moved VALUES(0, 0, '', NULL);",
};
enum { SCHEMA_VERSION = sizeof schema_steps / sizeof *schema_steps };

/* --- whose file --- */

static int
file_kind(const char *path, bool *there, struct err *err)
{
	struct stat st;

	*there = false;
	if (stat(path, &st) == -1) {
		if (errno == ENOENT)
			return 0;
		return err_set(err, ERR_STORE, "store %s: %s", path, strerror(errno));
	}
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_CONFIG, "store %s is a folder; name a file in it", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "store %s is not a file", path);
	*there = st.st_size > 0;
	return 0;
}

static int
lock_name(const char *path, char out[LOCK_NAME], struct err *err)
{
	if ((size_t)snprintf(out, LOCK_NAME, "%s-lock", path) < LOCK_NAME)
		return 0;
	return err_set(err, ERR_CONFIG, "store: its path is too long");
}

static int
file_lock(struct store *s, struct err *err)
{
	char name[LOCK_NAME], pid[24];
	ssize_t n;

	if (lock_name(s->path, name, err) == -1)
		return -1;
	if ((s->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) == -1)
		return err_set(err, ERR_STORE, "store %s: %s: %s", s->path, name, strerror(errno));
	if (flock(s->lock, LOCK_EX | LOCK_NB) == -1) {
		n = errno == EWOULDBLOCK ? pread(s->lock, pid, sizeof pid - 1, 0) : -1;
		pid[n > 0 ? n : 0] = '\0';
		pid[strcspn(pid, "\n")] = '\0';
		if (n > 0)
			return err_set(err, ERR_STORE, "store %s is in use by process %s: one gateway "
			    "a store", s->path, pid);
		return err_set(err, ERR_STORE, "store %s is in use by another process: one gateway "
		    "a store", s->path);
	}
	n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
	if (ftruncate(s->lock, 0) == -1 || pwrite(s->lock, pid, (size_t)n, 0) != n)
		return err_set(err, ERR_STORE, "store %s: %s: %s", s->path, name, strerror(errno));
	return 0;
}

/* The power failed while a new file got its first page: it has a length, and nothing else yet, nor
 * has a log. That is begun again; no journal need be there to say so, since SQLite does not look
 * whether its name was synced. */
static bool
file_unborn(const char *path, const uint8_t *page, ssize_t n)
{
	static const uint8_t zeros[FIRST_PAGE];
	char log[LOCK_NAME];
	struct stat st;

	snprintf(log, sizeof log, "%s-wal", path);
	return n <= FIRST_PAGE && memcmp(page, zeros, (size_t)n) == 0 &&
	    (stat(log, &st) == -1 || st.st_size == 0);
}

/* Reads the first page itself: SQLite would begin to repair whatever it opens. Under the lock,
 * because closing a descriptor of a file drops the locks that SQLite holds on it. */
static int
file_ours(struct store *s, struct err *err)
{
	uint8_t page[FIRST_PAGE + 1];
	char lock[LOCK_NAME];
	struct cur c = cur_on(page + 68, 4);
	int fd = open(s->path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	bool sqlite;

	if (fd == -1)
		return err_set(err, ERR_STORE, "store %s: %s", s->path, strerror(errno));
	n = pread(fd, page, sizeof page, 0);
	close(fd);
	if (n == -1)
		return err_set(err, ERR_STORE, "store %s: %s", s->path, strerror(errno));
	if (file_unborn(s->path, page, n))
		return truncate(s->path, 0) == 0 ? 0 : err_set(err, ERR_STORE, "store %s: %s", s->path,
		    strerror(errno));
	sqlite = n >= HEAD && memcmp(page, "SQLite format 3", 16) == 0;
	/* 0: anybody's; schema_read looks closer. */
	if (sqlite && (memcmp(c.at, (uint8_t[4]){ 0 }, 4) == 0 || cur_u32(&c) == APPLICATION_ID))
		return 0;
	if (lock_name(s->path, lock, NULL) == 0)
		unlink(lock);		/* leaves no trace beside it */
	return err_set(err, ERR_CONFIG, "store %s is %s; it is left alone, name another file", s->path,
	    sqlite ? "another program's SQLite database" : "no SQLite database but some other file");
}

static int
sync_path(const char *path, int flags, struct err *err)
{
	int fd = open(path, flags | O_CLOEXEC), why = 0;

	if (fd == -1 || fsync(fd) == -1)
		why = errno;
	if (fd != -1)
		close(fd);
	/* some file systems cannot sync a folder, and some folders may not be read */
	if (why == 0 || ((flags & O_DIRECTORY) && (why == EINVAL || why == EACCES)))
		return 0;
	return err_set(err, ERR_STORE, "%s: %s", path, strerror(why));
}

/* The names in the folder of a file: that it is there, or that a log beside it is no more. */
static int
sync_folder(const char *path, struct err *err)
{
	char folder[4096];
	const char *slash = strrchr(path, '/');

	snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : slash == path ? 1 :
	    (int)(slash - path), slash == NULL ? "." : path);
	return sync_path(folder, O_RDONLY | O_DIRECTORY, err);
}

static int
file_create(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1)
		return err_set(err, ERR_STORE, "store %s: %s", path, strerror(errno));
	close(fd);
	return 0;
}

int
sql_fault(sqlite3 *db, int rc, const char *what, struct err *err)
{
	int primary = rc & 0xff;

	/* About this one row; everything else is the store's trouble. */
	if (primary == SQLITE_CONSTRAINT || primary == SQLITE_TOOBIG || primary == SQLITE_RANGE ||
	    primary == SQLITE_MISMATCH)
		return err_set(err, ERR_SYSTEM, "store: %s: %s", what, sqlite3_errmsg(db));
	if (primary == SQLITE_IOERR && sqlite3_system_errno(db) != 0)
		return err_set(err, ERR_STORE, "store: %s: %s: %s", what, sqlite3_errmsg(db),
		    strerror(sqlite3_system_errno(db)));
	return err_set(err, ERR_STORE, "store: %s: %s", what, sqlite3_errmsg(db));
}

/* --- the connection --- */

static int
pragma_number(sqlite3 *db, const char *text, int64_t *value, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, text, -1, &st, NULL);

	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		*value = sqlite3_column_int64(st, 0);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(st);
	return rc == SQLITE_OK ? 0 : sql_fault(db, rc, text, err);
}

static int
run_text(sqlite3 *db, const char *text, const char *what, struct err *err)
{
	int rc = sqlite3_exec(db, text, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : sql_fault(db, rc, what, err);
}

/* The write-ahead log of a connection that has read; NULL: none. */
static sqlite3_file *
log_of(sqlite3 *db)
{
	sqlite3_file *log = NULL;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK)
		return NULL;
	return log != NULL && log->pMethods != NULL ? log : NULL;
}

static int
log_size(sqlite3_file *log, sqlite3_int64 *size)
{
	*size = 0;
	return log != NULL ? log->pMethods->xFileSize(log, size) : SQLITE_OK;
}

/* May closing move the log into the database and delete it? Not one that log_confirm has not
 * seen, and never another program's; an empty one is not worth leaving. */
static void
log_moves_at_close(sqlite3 *db, bool moves)
{
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !moves, NULL);
}

static int
connect(const char *path, sqlite3 **db, struct err *err)
{
	char plain[4096];	/* "file:..." is a name here, not a URI */
	int rc;

	if ((size_t)snprintf(plain, sizeof plain, "%s%s", path[0] == '/' ? "" : "./", path) >=
	    sizeof plain)
		return err_set(err, ERR_CONFIG, "store: its path is too long");
	rc = sqlite3_open_v2(plain, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return *db == NULL ? err_set(err, ERR_SYSTEM, "store %s: no memory", path) :
		    sql_fault(*db, rc, path, err);
	sqlite3_extended_result_codes(*db, 1);
	sqlite3_busy_timeout(*db, 5000);	/* who copies holds a lock for moments only */
	log_moves_at_close(*db, false);
	return 0;
}

/* Empty, or ours of a version that we know; anything else is refused. */
static int
schema_read(sqlite3 *db, const char *path, int64_t *version, struct err *err)
{
	int64_t application = 0, tables = 0;
	sqlite3_int64 log;

	if (pragma_number(db, "PRAGMA application_id", &application, err) == -1 ||
	    pragma_number(db, "PRAGMA user_version", version, err) == -1 ||
	    pragma_number(db, "SELECT count(*) FROM sqlite_master", &tables, err) == -1)
		return -1;
	log_moves_at_close(db, log_size(log_of(db), &log) == SQLITE_OK && log == 0);
	if (application == 0 && tables == 0 && *version == 0)
		return 0;
	if (application != APPLICATION_ID)
		return err_set(err, ERR_CONFIG, "store %s is another program's SQLite database; it is "
		    "left alone, name another file", path);
	if (*version > SCHEMA_VERSION)
		return err_set(err, ERR_CONFIG, "store %s was written by a newer kantele (schema "
		    "%" PRId64 "; this one knows %d): use that version, or another file", path, *version,
		    SCHEMA_VERSION);
	return 0;
}

static int
schema_raise(sqlite3 *db, const char *path, int64_t version, struct err *err)
{
	char done[200];
	uint32_t tag = 0;

	if (version == SCHEMA_VERSION)
		return 0;
	if (getrandom(&tag, sizeof tag, 0) != sizeof tag)
		return err_errno(err, "getrandom");
	if (run_text(db, "BEGIN IMMEDIATE", path, err) == -1)
		return -1;
	for (int64_t v = version; v < SCHEMA_VERSION; v++)
		if (run_text(db, schema_steps[v], path, err) == -1)
			goto undo;
	snprintf(done, sizeof done, "INSERT OR IGNORE INTO meta VALUES('tag', %" PRIu32 ");"
	    "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", tag, APPLICATION_ID,
	    SCHEMA_VERSION);
	if (run_text(db, done, path, err) == 0)
		return 0;
undo:
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}

/* Asks instead of trusting: on a file system without shared memory SQLite stays in its former
 * mode without a word. And the answer comes before it is true: in a new file the mode is written
 * by the commit at the statement's end, which may fail. */
static int
journal_mode(sqlite3 *db, const char *path, struct err *err)
{
	sqlite3_stmt *st = NULL;
	bool wal = false;
	int rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &st, NULL);

	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		wal = strcmp((const char *)sqlite3_column_text(st, 0), "wal") == 0;
		rc = sqlite3_step(st);
	}
	sqlite3_finalize(st);
	if (rc != SQLITE_DONE)
		return sql_fault(db, rc, path, err);
	return wal ? 0 : err_set(err, ERR_STORE, "store %s: this file system cannot hold a write-ahead "
	    "log; use a local disk", path);
}

static int
log_write_again(sqlite3_file *log)
{
	uint8_t piece[LOG_PIECE];
	sqlite3_int64 size, at;
	int rc = log_size(log, &size), n;

	for (at = 0; rc == SQLITE_OK && at < size; at += n) {
		n = size - at < LOG_PIECE ? (int)(size - at) : LOG_PIECE;
		if ((rc = log->pMethods->xRead(log, piece, n, at)) == SQLITE_OK)
			rc = log->pMethods->xWrite(log, piece, n, at);
	}
	return rc == SQLITE_OK && size > 0 ? log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) : rc;
}

/* A log that is found may hold what an fsync failed for. It can be read, and yet never be
 * durable: the kernel takes the pages for written, and the next fsync says yes. So all of it is
 * written once more before anybody believes it or moves it into the database; the same octets, so
 * that it does not matter where that ends. Under the write lock nobody else changes it. */
static int
log_confirm(sqlite3 *db, const char *path, struct err *err)
{
	int rc;

	if (run_text(db, "BEGIN IMMEDIATE", path, err) == -1)
		return -1;
	rc = log_write_again(log_of(db));
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return err_set(err, ERR_STORE, "store %s: its log: %s", path, sqlite3_errstr(rc));
	log_moves_at_close(db, true);
	return 0;
}

int
file_open(struct store *s, const struct store_conf *conf, struct err *err)
{
	bool there;
	int64_t version = 0;

	/* Nobody reads SQLite's statistics of memory, which cost two locks for each of its allocations. Counts
	 * before the first connection of the process; later it changes nothing. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	if (conf->path == NULL || conf->path[0] == '\0')
		return err_set(err, ERR_CONFIG, "store: no path");
	if ((s->path = strdup(conf->path)) == NULL)
		return err_set(err, ERR_SYSTEM, "store: no memory");
	/* The folder last: a log that is gone must not come back, or last_batch() has lied. */
	if (file_kind(s->path, &there, err) == -1 || file_lock(s, err) == -1 ||
	    (there && file_ours(s, err) == -1) || file_create(s->path, err) == -1 ||
	    connect(s->path, &s->db, err) == -1 || schema_read(s->db, s->path, &version, err) == -1 ||
	    journal_mode(s->db, s->path, err) == -1 || log_confirm(s->db, s->path, err) == -1 ||
	    sync_folder(s->path, err) == -1)
		return -1;
	return run_text(s->db, "PRAGMA synchronous=FULL; PRAGMA cache_size=-12288;"
	    "PRAGMA secure_delete=ON; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;"
	    "PRAGMA journal_size_limit=67108864; PRAGMA wal_autocheckpoint=1000", s->path, err) == -1 ?
	    -1 : schema_raise(s->db, s->path, version, err);
}

void
file_close(struct store *s)
{
	if (s->db != NULL)
		sqlite3_close(s->db);
	if (s->lock != -1)
		close(s->lock);
	s->db = NULL;
	s->lock = -1;
}

/* --- copying --- */

/* One snapshot: the read transaction stays open over all steps, so that the writer can go on
 * and the copy never starts again. */
static int
copy_pages(sqlite3 *from, sqlite3 *to, store_progress_fn *progress, void *arg, struct err *err)
{
	sqlite3_backup *copy;
	int rc, total, left;

	if (run_text(from, "BEGIN; SELECT count(*) FROM sqlite_master", "backup", err) == -1 ||
	    run_text(to, "PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF", "backup", err) == -1)
		return -1;
	if ((copy = sqlite3_backup_init(to, "main", from, "main")) == NULL)
		return sql_fault(to, sqlite3_errcode(to), "backup", err);
	do {
		rc = sqlite3_backup_step(copy, COPY_PAGES);
		total = sqlite3_backup_pagecount(copy);
		left = sqlite3_backup_remaining(copy);
		if (rc == SQLITE_OK && progress != NULL &&
		    !progress(arg, (unsigned)(total - left), (unsigned)total))
			break;
	} while (rc == SQLITE_OK);
	sqlite3_backup_finish(copy);
	if (rc == SQLITE_OK)
		return err_set(err, ERR_BUSY, "given up");
	if (rc != SQLITE_DONE)
		return err_set(err, ERR_STORE, "copying: %s", sqlite3_errstr(rc));
	if (progress != NULL)
		progress(arg, (unsigned)total, (unsigned)total);
	return 0;
}

/* Whole and on disk under its own name, or not there. */
static int
copy_publish(const char *part, const char *to, struct err *err)
{
	if (sync_path(part, O_RDONLY, err) == -1)
		return -1;
	if (renameat2(AT_FDCWD, part, AT_FDCWD, to, RENAME_NOREPLACE) == -1 && errno != EINVAL)
		return err_set(err, ERR_STORE, "%s: %s", to, strerror(errno));
	if (access(part, F_OK) == 0) {		/* a file system without NOREPLACE */
		if (link(part, to) == -1)
			return err_set(err, ERR_STORE, "%s: %s", to, strerror(errno));
		unlink(part);
	}
	return sync_folder(to, err);
}

int
store_sqlite_copy(const char *from, const char *to, store_progress_fn *progress, void *arg,
    struct err *err)
{
	sqlite3 *source = NULL, *target = NULL;
	char part[4096];
	int64_t version = 0;
	bool there = false;
	int fd, rc = -1;

	if ((size_t)snprintf(part, sizeof part, "%s.part", to) >= sizeof part)
		return err_set(err, ERR_CONFIG, "the path of the copy is too long");
	if (file_kind(from, &there, err) == -1)
		return -1;
	if (!there)
		return err_set(err, ERR_STORE, "store %s: there is none", from);
	if (access(to, F_OK) == 0)
		return err_set(err, ERR_STORE, "%s is there already; nothing is overwritten", to);
	if (connect(from, &source, err) == -1 || schema_read(source, from, &version, err) == -1)
		goto out;
	unlink(part);		/* of a copy that was killed */
	if ((fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) == -1) {
		err_set(err, ERR_STORE, "%s: %s", part, strerror(errno));
		goto out;
	}
	close(fd);
	if (connect(part, &target, err) == -1 ||
	    copy_pages(source, target, progress, arg, err) == -1)
		goto undo;
	sqlite3_close(target);
	target = NULL;
	if ((rc = copy_publish(part, to, err)) == 0)
		goto out;
undo:
	unlink(part);
out:
	sqlite3_close(target);
	sqlite3_close(source);
	return rc;
}
