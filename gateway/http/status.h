/*
 * status.h - Kannel's status page, in its four forms
 *
 * Threads: the loop.
 */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

#include "base/clock.h"

struct admin_setup;
struct buf;

enum form { FORM_TEXT, FORM_HTML, FORM_XML, FORM_WML };

/* mode: "running", "suspended", ... */
void	status_write(const struct admin_setup *, const char *mode, mono_t now, enum form, struct buf *);

#endif
