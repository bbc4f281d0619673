/*
 * ask.h - asks the admin door of a gateway that runs
 */
#ifndef MAIN_ASK_H
#define MAIN_ASK_H

#include "base/err.h"
#include "base/text.h"

struct buf;
struct settings;

/* GET /COMMAND?password=...&query, with the password of the settings; the body into *out.
 * -1 and err: nobody answered. */
int	ask_admin(const struct settings *, const char *command, struct text query, struct buf *out,
	    struct err *);
/* The settings of a file, enough to ask; -1: said why on standard error. Free with
 * settings_free, and conf_free after it. */
struct conf;
int	ask_settings(const char *file, struct settings *, struct conf **);

#endif
