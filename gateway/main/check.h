/*
 * check.h - is this a configuration to start with?
 *
 * Threads: the loop (or a command's only thread).
 */
#ifndef MAIN_CHECK_H
#define MAIN_CHECK_H

#include <stdbool.h>
#include "base/conf.h"
#include "base/finding.h"

/* Reads a file, lays it beside the table of groups and looks at what several keys say together.
 * Links are not connected, nothing is opened. lenient: unknown names are warnings. NULL when it
 * cannot be read at all; with errors among the findings it must not be used. */
struct conf	*check_read(const char *path, bool lenient, struct findings *);

#endif
