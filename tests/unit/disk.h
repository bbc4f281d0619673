/*
 * disk.h - a disk under SQLite that remembers what was written, and can lose it or fail
 *
 * Installed as SQLite's default VFS, so whoever opens a database by path alone is on it (the
 * tests' databases are called kantele.db). Files
 * are real files, and a process that reads them sees what a page cache would show. Beside that every
 * change of a file and of its folder is written down as one event, in order; an instant is a
 * number of events. From the record the disk can be shown as a power failure at any
 * instant may have left it.
 *
 *   durable    what a sync came after: of the file for its octets and length, of the folder for
 *              its names
 *   pending    everything else; a failure keeps, loses or tears it (at borders of sectors of 512
 *              octets), whatever the order it was written in
 *
 * fsync and fdatasync of the whole program are ours too: nothing waits for the real disk, and
 * the syncs of a folder, which SQLite does behind the VFS, are seen.
 *
 * Owns: its record. Threads: whoever uses SQLite, one at a time.
 */
#ifndef UNIT_DISK_H
#define UNIT_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void	 disk_install(void);

/* --- the record --- */

void	 disk_record(const char *folder);	/* a new one: what lies in the folder is durable */
void	 disk_rest(void);			/* nothing is written down, nothing fails */
size_t	 disk_instant(void);			/* now */
bool	 disk_folder_synced(void);		/* in this record */
void	 disk_lies(bool);			/* from now on a sync says yes and does nothing */

/* --- a power failure --- */

enum disk_fate {		/* of what is pending */
	FATE_LOST,		/* all of it */
	FATE_KEPT,
	FATE_LAST_ONLY,		/* reordered: the newest came first */
	FATE_FIRST_LOST,	/* reordered: the oldest was still to come */
	FATE_TORN_HEAD,		/* of the newest only the first sectors, all else kept */
	FATE_TORN_TAIL,		/* of the newest only the last ones */
	FATE_LENGTHS,		/* the octets are lost, the lengths are there: zeros */
	FATE_NAMES,		/* the octets are lost, the names are there */
	FATE_NO_NAMES,		/* the other way round */
	FATE_RANDOM,		/* any of these for each write, name and sector */
	FATES
};
extern const char *const disk_fates[FATES];

void	 disk_at(size_t instant);		/* cheap when it goes forward */
/* Makes the image of what is left; the same value is the same image. */
uint64_t disk_cut(enum disk_fate, uint64_t seed);
void	 disk_write(const char *folder);	/* the last image, in place of the database there */

void	 disk_empty(const char *folder);	/* takes the database away */

uint64_t disk_random(uint64_t *state);		/* any start will do */

/* --- faults --- */

enum disk_calls {		/* what is counted, and can fail */
	CALL_READ = 1, CALL_WRITE = 2, CALL_SYNC = 4, CALL_TRUNCATE = 8, CALL_OPEN = 16,
	CALL_DELETE = 32, CALL_LOOK = 64,	/* size, existence */
	CALL_SHARED = 128,			/* shared memory: mapping and locks */
	CALL_ANY = 255
};
enum disk_harm {
	HARM_EIO,		/* nothing is done; a failed sync makes what it was for never durable,
				 * though it can be read: the kernel takes its pages for clean */
	HARM_FULL,		/* as EIO, but "no space" for a write */
	HARM_SHORT,		/* half of a write, then "no space" */
	HARM_LATE,		/* done, and said to have failed */
	HARMS
};
extern const char *const disk_harms[HARMS];

/* The n-th of these calls from now on (1 is the next) and the ones after it, `times` in all, fail. */
void	 disk_harm(unsigned calls, size_t nth, size_t times, enum disk_harm);
void	 disk_heal(void);
size_t	 disk_harmed(void);		/* how many calls failed since disk_harm */
size_t	 disk_harmed_at(void);		/* the instant of the first of them */

#endif
