/*
 * clock.h - times, each kind a type of its own
 *
 * mono_t counts milliseconds since boot, suspended time included
 * (CLOCK_BOOTTIME): for deadlines, leases and intervals.  wall_t is
 * milliseconds since 1970 UTC: for what is stored or goes over the wire.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

typedef int64_t mono_t;
typedef int64_t wall_t;

mono_t	clock_mono(void);
wall_t	clock_wall(void);
/* "2026-11-22T23:15:10Z" into out (21 octets or more). Returns out. */
char	*clock_iso(wall_t, char *out, size_t size);
/* Civil UTC fields without locale or locks: year, month 1.., day, h, m, s. */
void	clock_civil(wall_t, int field[6]);
wall_t	clock_from_civil(const int field[6]);

#endif
