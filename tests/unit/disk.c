/*
 * disk.c - see disk.h: a VFS over the real one, the record, images of what is left, faults
 *
 * What a failure does is kept to what SQLite is told of the disk: a write does not harm octets
 * beside it (SQLITE_IOCAP_POWERSAFE_OVERWRITE, which SQLite assumes of every disk on Unix), and
 * a torn write is whole in each sector.
 *
 * Knows:     SQLite's VFS; the names of its files only as names.
 * Does not:  know pages, frames or what is stored.
 * Owns:      the record and the image, until the process ends.
 * Threads:   see disk.h.
 */
#include "disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, NAMES_MOST = 8, NOBODY = -1 };

const char *const disk_fates[FATES] = {
	[FATE_LOST] = "lost", [FATE_KEPT] = "kept", [FATE_LAST_ONLY] = "last only",
	[FATE_FIRST_LOST] = "first lost", [FATE_TORN_HEAD] = "torn, head kept",
	[FATE_TORN_TAIL] = "torn, tail kept", [FATE_LENGTHS] = "lengths only",
	[FATE_NAMES] = "names only", [FATE_NO_NAMES] = "no names", [FATE_RANDOM] = "random",
};
const char *const disk_harms[HARMS] = {
	[HARM_EIO] = "I/O error", [HARM_FULL] = "no space", [HARM_SHORT] = "short write",
	[HARM_LATE] = "error after it was done",
};

/* --- growing arrays --- */

struct octets {
	uint8_t		*at;
	size_t		 len, cap;
};

static void
octets_room(struct octets *o, size_t cap)
{
	if (cap <= o->cap)
		return;
	o->cap = cap < 4096 ? 4096 : cap * 2;
	if ((o->at = realloc(o->at, o->cap)) == NULL)
		abort();
}

static void
octets_length(struct octets *o, size_t len)	/* what is new is zero */
{
	octets_room(o, len);
	if (len > o->len)
		memset(o->at + o->len, 0, len - o->len);
	o->len = len;
}

static void
octets_put(struct octets *o, size_t at, const void *from, size_t n)
{
	if (n == 0)
		return;
	if (at + n > o->len)
		octets_length(o, at + n);
	memcpy(o->at + at, from, n);
}

static void
octets_copy(struct octets *to, const struct octets *from)
{
	to->len = 0;
	octets_put(to, 0, from->at, from->len);
}

struct list {			/* numbers of events */
	size_t		*at, len, cap;
};

static void
list_add(struct list *l, size_t n)
{
	if (l->len == l->cap) {
		l->cap = l->cap == 0 ? 64 : l->cap * 2;
		if ((l->at = realloc(l->at, l->cap * sizeof *l->at)) == NULL)
			abort();
	}
	l->at[l->len++] = n;
}

/* --- the record --- */

enum event_kind { EV_CREATE, EV_DELETE, EV_WRITE, EV_TRUNCATE, EV_SYNC, EV_SYNC_LOST,
    EV_SYNC_FOLDER };

struct event {
	enum event_kind	 kind;
	int		 name;		/* CREATE, DELETE */
	int		 node;		/* a file by whatever name; not FOLDER */
	size_t		 at, len;	/* WRITE; TRUNCATE: len */
	size_t		 octets;	/* WRITE: where they are in disk.written */
};

static struct {
	bool		 recording, lies, folder_synced;
	char		 folder[512];
	char		 names[NAMES_MOST][64];
	int		 name_count;
	int		 now[NAMES_MOST];	/* which file a name means now; NOBODY */
	int		 first[NAMES_MOST];	/* and when the record began */
	int		 node_count, first_nodes;
	struct octets	 began[NAMES_MOST];	/* octets of the first nodes */
	struct event	*events;
	size_t		 count, cap;
	struct octets	 written;
} disk;

static void
event_add(struct event e)
{
	if (!disk.recording)
		return;
	if (disk.count == disk.cap) {
		disk.cap = disk.cap == 0 ? 1024 : disk.cap * 2;
		if ((disk.events = realloc(disk.events, disk.cap * sizeof e)) == NULL)
			abort();
	}
	disk.events[disk.count++] = e;
}

/* NOBODY for what is not directly in the folder of the record. */
static int
name_of(const char *path)
{
	size_t n = strlen(disk.folder);
	const char *name = path + n + 1;

	if (!disk.recording || path == NULL || strncmp(path, disk.folder, n) != 0 || path[n] != '/')
		return NOBODY;
	for (int i = 0; i < disk.name_count; i++)
		if (strcmp(disk.names[i], name) == 0)
			return i;
	assert(disk.name_count < NAMES_MOST && strlen(name) < sizeof disk.names[0]);
	strcpy(disk.names[disk.name_count], name);
	disk.now[disk.name_count] = disk.first[disk.name_count] = NOBODY;
	return disk.name_count++;
}

/* The file that is there by this name, or that has just been made. */
static int
node_of(const char *path)
{
	int name = name_of(path);

	if (name == NOBODY)
		return NOBODY;
	if (disk.now[name] == NOBODY) {
		disk.now[name] = disk.node_count++;
		event_add((struct event){ .kind = EV_CREATE, .name = name, .node = disk.now[name] });
	}
	return disk.now[name];
}

static void
file_read(const char *path, struct octets *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		abort();
	octets_length(to, (size_t)st.st_size);
	for (size_t n = 0; n < to->len;) {
		ssize_t got = read(fd, to->at + n, to->len - n);

		if (got <= 0)
			abort();
		n += (size_t)got;
	}
	close(fd);
}

static const char *const ends[] = { "", "-wal", "-journal" };
enum { ENDS = sizeof ends / sizeof *ends };

static void	cursor_reset(void);

void
disk_record(const char *folder)
{
	struct stat st;
	char path[600];

	snprintf(disk.folder, sizeof disk.folder, "%s", folder);
	disk.recording = true;
	disk.lies = disk.folder_synced = false;
	disk.name_count = disk.node_count = 0;
	disk.count = disk.written.len = 0;
	for (int i = 0; i < ENDS; i++) {
		snprintf(path, sizeof path, "%s/kantele.db%s", folder, ends[i]);
		if (stat(path, &st) == -1)
			continue;
		disk.began[disk.node_count].len = 0;
		file_read(path, &disk.began[disk.node_count]);
		disk.first[name_of(path)] = disk.now[name_of(path)] = disk.node_count;
		disk.node_count++;
	}
	disk.first_nodes = disk.node_count;
	cursor_reset();
}

void
disk_rest(void)
{
	disk.recording = false;
	disk_heal();
}

size_t
disk_instant(void)
{
	return disk.count;
}

bool
disk_folder_synced(void)
{
	return disk.folder_synced;
}

void
disk_lies(bool lies)
{
	disk.lies = lies;
}

/* --- what is durable at an instant --- */

struct node {
	struct octets	 durable;
	struct list	 pending;
};

static struct {
	size_t		 instant;
	struct node	*nodes;
	int		 node_cap;
	int		 names[NAMES_MOST];
	struct list	 pending;	/* of names */
} cursor;

static void
cursor_nodes(void)
{
	if (disk.node_count <= cursor.node_cap)
		return;
	if ((cursor.nodes = realloc(cursor.nodes,
	    (size_t)disk.node_count * sizeof *cursor.nodes)) == NULL)
		abort();
	memset(cursor.nodes + cursor.node_cap, 0,
	    (size_t)(disk.node_count - cursor.node_cap) * sizeof *cursor.nodes);
	cursor.node_cap = disk.node_count;
}

static void
cursor_reset(void)
{
	cursor_nodes();
	cursor.instant = 0;
	for (int i = 0; i < cursor.node_cap; i++)
		cursor.nodes[i].durable.len = cursor.nodes[i].pending.len = 0;
	for (int i = 0; i < disk.first_nodes; i++)
		octets_copy(&cursor.nodes[i].durable, &disk.began[i]);
	for (int i = 0; i < NAMES_MOST; i++)
		cursor.names[i] = i < disk.name_count ? disk.first[i] : NOBODY;
	cursor.pending.len = 0;
}

static void
event_apply(const struct event *e, struct octets *to)
{
	if (e->kind == EV_WRITE)
		octets_put(to, e->at, disk.written.at + e->octets, e->len);
	else
		octets_length(to, e->len);
}

static void
name_apply(const struct event *e, int names[NAMES_MOST])
{
	names[e->name] = e->kind == EV_CREATE ? e->node : NOBODY;
}

static void
cursor_sync(struct node *n)
{
	for (size_t i = 0; i < n->pending.len; i++)
		event_apply(&disk.events[n->pending.at[i]], &n->durable);
	n->pending.len = 0;
}

/* Lengths are the file system's own and not lost with the octets. */
static void
cursor_sync_lost(struct node *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->pending.len; i++)
		if (disk.events[n->pending.at[i]].kind == EV_TRUNCATE)
			n->pending.at[kept++] = n->pending.at[i];
	n->pending.len = kept;
}

static void
cursor_step(size_t number)
{
	const struct event *e = &disk.events[number];

	switch (e->kind) {
	case EV_CREATE:
	case EV_DELETE:
		list_add(&cursor.pending, number);
		break;
	case EV_WRITE:
	case EV_TRUNCATE:
		list_add(&cursor.nodes[e->node].pending, number);
		break;
	case EV_SYNC:
		cursor_sync(&cursor.nodes[e->node]);
		break;
	case EV_SYNC_LOST:
		cursor_sync_lost(&cursor.nodes[e->node]);
		break;
	case EV_SYNC_FOLDER:
		for (size_t i = 0; i < cursor.pending.len; i++)
			name_apply(&disk.events[cursor.pending.at[i]], cursor.names);
		cursor.pending.len = 0;
	}
}

void
disk_at(size_t instant)
{
	assert(instant <= disk.count);
	if (instant < cursor.instant)
		cursor_reset();
	cursor_nodes();
	while (cursor.instant < instant)
		cursor_step(cursor.instant++);
}

/* --- an image of what is left --- */

static struct {
	int		 names[NAMES_MOST];	/* which of `files` */
	struct octets	 files[NAMES_MOST];
} image;

uint64_t
disk_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

struct cut {
	enum disk_fate	 fate;
	uint64_t	 dice;
	size_t		 oldest, newest;	/* of what is pending, names not counted */
};

static bool
one_in(struct cut *c, unsigned n)
{
	return disk_random(&c->dice) % n == 0;
}

/* Keeps of a write the sectors that say so. */
static void
tear(const struct event *e, struct octets *to, bool (*keep)(struct cut *, size_t sector, size_t all),
    struct cut *c)
{
	size_t first = e->at / SECTOR, all = (e->at + e->len - 1) / SECTOR - first + 1;

	for (size_t i = 0; i < all; i++) {
		size_t from = i == 0 ? e->at : (first + i) * SECTOR;
		size_t end = i == all - 1 ? e->at + e->len : (first + i + 1) * SECTOR;

		if (keep(c, i, all))
			octets_put(to, from, disk.written.at + e->octets + (from - e->at), end - from);
	}
}

static bool
keep_head(struct cut *c, size_t sector, size_t all)
{
	return sector < 1 + c->dice % all;
}

static bool
keep_tail(struct cut *c, size_t sector, size_t all)
{
	return sector > c->dice % all;
}

static bool
keep_some(struct cut *c, size_t sector, size_t all)
{
	(void)sector;
	(void)all;
	return one_in(c, 2);
}

static void
length_only(const struct event *e, struct octets *to)
{
	size_t len = e->kind == EV_WRITE ? e->at + e->len : e->len;

	if (e->kind == EV_TRUNCATE || len > to->len)
		octets_length(to, len);
}

static void
random_fate(struct cut *c, const struct event *e, struct octets *to)
{
	switch (disk_random(&c->dice) % 8) {
	case 0:
	case 1:
	case 2:
		event_apply(e, to);
		break;
	case 3:
	case 4:
		if (e->kind == EV_WRITE)
			tear(e, to, keep_some, c);
		break;
	case 5:
		length_only(e, to);
	}
}

static void
cut_one(struct cut *c, size_t number, struct octets *to)
{
	const struct event *e = &disk.events[number];

	switch (c->fate) {
	case FATE_KEPT:
	case FATE_NO_NAMES:
		event_apply(e, to);
		break;
	case FATE_LAST_ONLY:
		if (number == c->newest)
			event_apply(e, to);
		break;
	case FATE_FIRST_LOST:
		if (number != c->oldest)
			event_apply(e, to);
		break;
	case FATE_TORN_HEAD:
	case FATE_TORN_TAIL:
		if (number != c->newest)
			event_apply(e, to);
		else if (e->kind == EV_WRITE)
			tear(e, to, c->fate == FATE_TORN_HEAD ? keep_head : keep_tail, c);
		break;
	case FATE_LENGTHS:
		length_only(e, to);
		break;
	case FATE_RANDOM:
		random_fate(c, e, to);
		break;
	case FATE_LOST:
	case FATE_NAMES:
	case FATES:
		break;
	}
}

static void
cut_names(struct cut *c)
{
	memcpy(image.names, cursor.names, sizeof image.names);
	if (c->fate == FATE_LOST || c->fate == FATE_NO_NAMES)
		return;
	for (size_t i = 0; i < cursor.pending.len; i++)
		if (c->fate != FATE_RANDOM || one_in(c, 2))
			name_apply(&disk.events[cursor.pending.at[i]], image.names);
}

static void
cut_ends(struct cut *c)
{
	c->oldest = SIZE_MAX;
	for (int i = 0; i < cursor.node_cap; i++) {
		const struct list *l = &cursor.nodes[i].pending;

		if (l->len == 0)
			continue;
		if (l->at[0] < c->oldest)
			c->oldest = l->at[0];
		if (l->at[l->len - 1] > c->newest)
			c->newest = l->at[l->len - 1];
	}
}

static uint64_t
hash_on(uint64_t h, const void *from, size_t n)
{
	const uint8_t *at = from;
	uint64_t word;

	for (; n >= sizeof word; n -= sizeof word, at += sizeof word) {
		memcpy(&word, at, sizeof word);
		h = (h ^ word) * 0x9fb21c651e98df25;
		h ^= h >> 29;
	}
	for (; n > 0; n--)
		h = (h ^ *at++) * 0x100000001b3;
	return h;
}

uint64_t
disk_cut(enum disk_fate fate, uint64_t seed)
{
	struct cut c = { .fate = fate, .dice = seed };
	uint64_t h = 1;

	cut_ends(&c);
	cut_names(&c);
	for (int name = 0; name < disk.name_count; name++) {
		struct octets *to = &image.files[name];
		const struct node *n;

		if (image.names[name] == NOBODY)
			continue;
		n = &cursor.nodes[image.names[name]];
		octets_copy(to, &n->durable);
		for (size_t i = 0; i < n->pending.len; i++)
			cut_one(&c, n->pending.at[i], to);
		h = hash_on(h, &name, sizeof name);
		h = hash_on(h, &to->len, sizeof to->len);
		h = hash_on(h, to->at, to->len);
	}
	return h;
}

static void
file_write(const char *path, const struct octets *o)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd == -1 || write(fd, o->at, o->len) != (ssize_t)o->len)
		abort();
	close(fd);
}

void
disk_empty(const char *folder)
{
	static const char *const all[] = { "", "-wal", "-journal", "-shm", "-lock" };
	char path[600];

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		snprintf(path, sizeof path, "%s/kantele.db%s", folder, all[i]);
		unlink(path);
	}
}

void
disk_write(const char *folder)
{
	char path[600];

	disk_empty(folder);
	for (int i = 0; i < disk.name_count; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, disk.names[i]);
		if (image.names[i] != NOBODY)
			file_write(path, &image.files[i]);
	}
}

/* --- faults --- */

static struct {
	unsigned	 calls;
	size_t		 count, nth, times, harmed, harmed_at;
	enum disk_harm	 harm;
	int		 why;		/* errno of the last one */
} fault;

void
disk_harm(unsigned calls, size_t nth, size_t times, enum disk_harm harm)
{
	memset(&fault, 0, sizeof fault);
	fault.calls = calls;
	fault.nth = nth;
	fault.times = times;
	fault.harm = harm;
}

void
disk_heal(void)
{
	fault.calls = 0;
}

size_t
disk_harmed(void)
{
	return fault.harmed;
}

size_t
disk_harmed_at(void)
{
	return fault.harmed_at;
}

static bool
harmed(enum disk_calls call)
{
	if (!(fault.calls & call))
		return false;
	if (++fault.count < fault.nth || fault.count >= fault.nth + fault.times)
		return false;
	if (fault.harmed++ == 0)
		fault.harmed_at = disk.count;
	fault.why = fault.harm == HARM_FULL || fault.harm == HARM_SHORT ? ENOSPC : EIO;
	return true;
}

/* --- the VFS --- */

struct file {
	sqlite3_file	 base;
	int		 node;		/* NOBODY: not in the record */
	sqlite3_file	*real;		/* behind this struct */
};

static sqlite3_vfs *real;

static sqlite3_file *
real_of(sqlite3_file *f)
{
	return ((struct file *)f)->real;
}

static int
disk_close(sqlite3_file *f)
{
	sqlite3_file *r = real_of(f);

	return r->pMethods != NULL ? r->pMethods->xClose(r) : SQLITE_OK;
}

static int
disk_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	if (harmed(CALL_READ))
		return SQLITE_IOERR_READ;
	return real_of(f)->pMethods->xRead(real_of(f), to, n, at);
}

static int
write_real(struct file *f, const void *from, int n, sqlite3_int64 at)
{
	int rc = f->real->pMethods->xWrite(f->real, from, n, at);

	if (rc == SQLITE_OK && f->node != NOBODY && disk.recording) {
		event_add((struct event){ .kind = EV_WRITE, .node = f->node, .at = (size_t)at,
		    .len = (size_t)n, .octets = disk.written.len });
		octets_put(&disk.written, disk.written.len, from, (size_t)n);
	}
	return rc;
}

static int
disk_write_file(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
	struct file *f = (struct file *)file;

	if (!harmed(CALL_WRITE))
		return write_real(f, from, n, at);
	switch (fault.harm) {
	case HARM_FULL:
		return SQLITE_FULL;
	case HARM_SHORT:
		write_real(f, from, n / 2, at);
		return SQLITE_FULL;
	case HARM_LATE:
		write_real(f, from, n, at);
		break;
	case HARM_EIO:
	case HARMS:
		break;
	}
	return SQLITE_IOERR_WRITE;
}

static int
disk_truncate(sqlite3_file *file, sqlite3_int64 len)
{
	struct file *f = (struct file *)file;
	bool harm = harmed(CALL_TRUNCATE);
	int rc;

	if (harm && fault.harm != HARM_LATE)
		return SQLITE_IOERR_TRUNCATE;
	rc = f->real->pMethods->xTruncate(f->real, len);
	if (rc == SQLITE_OK && f->node != NOBODY)
		event_add((struct event){ .kind = EV_TRUNCATE, .node = f->node, .len = (size_t)len });
	return harm ? SQLITE_IOERR_TRUNCATE : rc;
}

/* The file first, then its folder: SQLite does it in this order, in one call. */
static int
disk_sync(sqlite3_file *file, int flags)
{
	struct file *f = (struct file *)file;
	bool harm = harmed(CALL_SYNC), lost = harm && fault.harm != HARM_LATE;

	if (f->node != NOBODY && !disk.lies)
		event_add((struct event){ .kind = lost ? EV_SYNC_LOST : EV_SYNC, .node = f->node });
	if (lost)
		return SQLITE_IOERR_FSYNC;
	return harm ? SQLITE_IOERR_FSYNC : f->real->pMethods->xSync(f->real, flags);
}

static int
disk_size(sqlite3_file *f, sqlite3_int64 *size)
{
	if (harmed(CALL_LOOK))
		return SQLITE_IOERR_FSTAT;
	return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int
disk_lock(sqlite3_file *f, int lock)
{
	return real_of(f)->pMethods->xLock(real_of(f), lock);
}

static int
disk_unlock(sqlite3_file *f, int lock)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), lock);
}

static int
disk_reserved(sqlite3_file *f, int *out)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int
disk_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int
disk_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int
disk_traits(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int
disk_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	if (harmed(CALL_SHARED)) {
		*out = NULL;
		return SQLITE_IOERR_SHMMAP;
	}
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static int
disk_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	if ((flags & SQLITE_SHM_LOCK) && harmed(CALL_SHARED))
		return SQLITE_IOERR_SHMLOCK;
	return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}

static void
disk_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int
disk_shm_unmap(sqlite3_file *f, int drop)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), drop);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,			/* without mapped files: their writes could not be seen */
	.xClose = disk_close,
	.xRead = disk_read,
	.xWrite = disk_write_file,
	.xTruncate = disk_truncate,
	.xSync = disk_sync,
	.xFileSize = disk_size,
	.xLock = disk_lock,
	.xUnlock = disk_unlock,
	.xCheckReservedLock = disk_reserved,
	.xFileControl = disk_control,
	.xSectorSize = disk_sector,
	.xDeviceCharacteristics = disk_traits,
	.xShmMap = disk_shm_map,
	.xShmLock = disk_shm_lock,
	.xShmBarrier = disk_shm_barrier,
	.xShmUnmap = disk_shm_unmap,
};

static int
disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	struct file *f = (struct file *)file;
	int rc;

	(void)vfs;
	memset(f, 0, sizeof *f);
	if (harmed(CALL_OPEN))
		return SQLITE_CANTOPEN;
	f->real = (sqlite3_file *)(f + 1);
	if ((rc = real->xOpen(real, name, f->real, flags, out)) != SQLITE_OK)
		return rc;
	f->base.pMethods = &methods;
	f->node = name != NULL ? node_of(name) : NOBODY;
	return SQLITE_OK;
}

static int
disk_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
	int name = name_of(path), rc;
	bool harm = harmed(CALL_DELETE);

	(void)vfs;
	if (harm && fault.harm != HARM_LATE)
		return SQLITE_IOERR_DELETE;
	if (name != NOBODY && disk.now[name] != NOBODY)	/* before a sync of the folder in it */
		event_add((struct event){ .kind = EV_DELETE, .name = name });
	if ((rc = real->xDelete(real, path, sync_folder)) == SQLITE_OK && name != NOBODY)
		disk.now[name] = NOBODY;
	return harm ? SQLITE_IOERR_DELETE : rc;
}

static int
disk_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
	(void)vfs;
	return harmed(CALL_LOOK) ? SQLITE_IOERR_ACCESS : real->xAccess(real, path, flags, out);
}

static int
disk_full_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
	(void)vfs;
	return real->xFullPathname(real, name, n, out);
}

/* Salts of logs and the like: the same in every run. */
static int
disk_randomness(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	memset(out, 0x55, (size_t)n);
	return n;
}

static int
disk_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return real->xSleep(real, us);
}

static int
disk_time(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
	(void)vfs;
	return real->xCurrentTimeInt64(real, out);
}

static int
disk_error(sqlite3_vfs *vfs, int n, char *text)
{
	(void)vfs;
	(void)n;
	(void)text;
	return fault.why;
}

static sqlite3_vfs vfs = {
	.iVersion = 2,
	.zName = "disk",
	.xOpen = disk_open,
	.xDelete = disk_delete,
	.xAccess = disk_access,
	.xFullPathname = disk_full_path,
	.xRandomness = disk_randomness,
	.xSleep = disk_sleep,
	.xGetLastError = disk_error,
	.xCurrentTimeInt64 = disk_time,
};

void
disk_install(void)
{
	if (real != NULL)
		return;
	real = sqlite3_vfs_find(NULL);
	vfs.szOsFile = (int)sizeof(struct file) + real->szOsFile;
	vfs.mxPathname = real->mxPathname;
	if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
		abort();
}

/* --- fsync of the whole program --- */

static int
synced(int fd)
{
	struct stat st;
	bool harm;

	if (!disk.recording || disk.lies || fstat(fd, &st) == -1 || !S_ISDIR(st.st_mode))
		return 0;
	if (!(harm = harmed(CALL_SYNC)) || fault.harm == HARM_LATE) {
		disk.folder_synced = true;
		event_add((struct event){ .kind = EV_SYNC_FOLDER });
	}
	errno = fault.why;
	return harm ? -1 : 0;
}

int
fsync(int fd)
{
	return synced(fd);
}

int
fdatasync(int fd)
{
	return synced(fd);
}
