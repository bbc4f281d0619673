/*
 * params.h - parameters of a request, from its query, a form or its X-Kannel headers
 *
 * A door has a table: one row a parameter, with its names, where it may stand, and for a
 * number its range and what is answered outside. Rows stand in the order in which Kannel
 * looks at them, so the first fault is the one that it would tell.
 *
 * Values are views into the request or its memory: they live as long as it.
 * Threads: the loop.
 */
#ifndef HTTP_PARAMS_H
#define HTTP_PARAMS_H

#include <stdbool.h>
#include "base/text.h"

struct http_request;

enum param {
	PARAM_USERNAME, PARAM_PASSWORD, PARAM_FROM, PARAM_TO, PARAM_TEXT, PARAM_CHARSET, PARAM_UDH,
	PARAM_ACCOUNT, PARAM_DLR_URL, PARAM_DLR_MASK, PARAM_MCLASS, PARAM_PID, PARAM_RPI,
	PARAM_ALT_DCS, PARAM_MWI, PARAM_CODING, PARAM_COMPRESS, PARAM_VALIDITY, PARAM_DEFERRED,
	PARAM_PRIORITY, PARAM_SMSC, PARAM_BINFO, PARAM_META_DATA,
	/* sendota */
	PARAM_OTA_ID, PARAM_TYPE, PARAM_SEC, PARAM_PIN, PARAM_IMSI, PARAM_KEY_HEX,
	PARAM_REPLACES,
	/* messages */
	PARAM_LIMIT,
	/* admin */
	PARAM_FILE, PARAM_LEVEL, PARAM_ID, PARAM_NODES,
	PARAMS
};

struct param_row {
	enum param	 param;
	const char	*name, *alias;		/* of the query; case matters; alias: NULL */
	const char	*header;		/* "X-Kannel-To"; NULL: not in headers */
	/* numbers: text that is none counts as not given, as in Kannel */
	bool		 number;
	long		 least, most;
	const char	*misformed;		/* the answer outside of the range */
};
/* Tables end with a row whose name is NULL. */

struct params {
	struct text	 text[PARAMS];		/* absent: not given */
	long		 number[PARAMS];	/* -1: not given */
	bool		 by_alias[PARAMS];	/* its name, when it comes too, goes before */
};

void	params_init(struct params *);
/* name=value pairs between '&'; percent and plus; the first of a name wins, also over what the
 * next call finds, and the name over its alias. -1 without memory. */
int	params_read(struct params *, const struct param_row *, struct http_request *, struct text pairs);
void	params_read_headers(struct params *, const struct param_row *, const struct http_request *);
/* Fills the numbers. NULL, or the first row that is out of range. */
const struct param_row *params_check(struct params *, const struct param_row *);
/* Undoes percent and plus in the memory of the request; absent without memory. */
struct text params_unquote(struct http_request *, struct text);
/* A parameter of a header's value: charset in "text/plain; charset=\"utf-8\"". Absent: none. */
struct text params_of_header(struct text value, const char *name);

#endif
