/*
 * clock.c - what time it is, and calendar arithmetic without a locale
 *
 * Knows:     the proleptic Gregorian calendar in UTC.
 * Does not:  know time zones; local time is asked of libc where a log needs it.
 * Owns:      nothing.
 * Threads:   pure apart from reading the clocks.
 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

enum { DAYS_400_YEARS = 146097, DAYS_TO_1970 = 719468 };

static int64_t
clock_read(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

mono_t
clock_mono(void)
{
	return clock_read(CLOCK_BOOTTIME);
}

wall_t
clock_wall(void)
{
	return clock_read(CLOCK_REALTIME);
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Years are counted from 1 March, so that the leap day is the last of its year;
 * `days` is counted from 1970-01-01. */
static void
civil_of_days(int64_t days, int field[6])
{
	int64_t z = days + DAYS_TO_1970;
	int64_t era = floor_div(z, DAYS_400_YEARS);
	int64_t day = z - era * DAYS_400_YEARS;			/* 0..146096 */
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t in_year = day - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * in_year + 2) / 153;		/* 0 = March */

	field[2] = (int)(in_year - (153 * month + 2) / 5 + 1);
	field[1] = (int)(month < 10 ? month + 3 : month - 9);
	field[0] = (int)(year + era * 400 + (field[1] <= 2));
}

void
clock_civil(wall_t t, int field[6])
{
	int64_t seconds = floor_div(t, 1000);
	int64_t days = floor_div(seconds, 86400);
	int64_t rest = seconds - days * 86400;

	civil_of_days(days, field);
	field[3] = (int)(rest / 3600);
	field[4] = (int)(rest / 60 % 60);
	field[5] = (int)(rest % 60);
}

wall_t
clock_from_civil(const int field[6])
{
	int64_t month = field[1], year = field[0] - (month <= 2);
	int64_t era = floor_div(year, 400), in_era = year - era * 400;
	int64_t in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + field[2] - 1;
	int64_t days = era * DAYS_400_YEARS + in_era * 365 + in_era / 4 - in_era / 100 +
	    in_year - DAYS_TO_1970;

	return (((days * 24 + field[3]) * 60 + field[4]) * 60 + field[5]) * 1000;
}

char *
clock_iso(wall_t t, char *out, size_t size)
{
	int f[6];

	clock_civil(t, f);
	snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02dZ", f[0], f[1], f[2], f[3], f[4], f[5]);
	return out;
}
