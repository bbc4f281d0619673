/*
 * schema.h - what OMA ProvCont 1.1 and Microsoft's MSPROV allow, as tables
 *
 * Rows are data for lint.c; adding a characteristic or a parm is adding a row.
 *
 * Threads: constant data and pure functions.
 */
#ifndef DOCUMENT_SCHEMA_H
#define DOCUMENT_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include "base/text.h"

/* How often something may stand; as in the standard's tables. */
enum schema_count { ONE = '1', MAYBE = '?', ANY = '*', MANY = '+' };

enum schema_kind {
	KIND_TEXT, KIND_FLAG, KIND_NUMBER, KIND_PORT, KIND_IP, KIND_ENUM,
	KIND_BOOL,		/* 0 or 1 */
	KIND_SPEED,		/* number or AUTOBAUDING */
	KIND_BASE64,
	KIND_URL,
	KIND_VERSION,		/* n.n */
	KIND_TIME,		/* UTC */
	KIND_ADDRESS,		/* of the type that stands beside it */
	KIND_HEX32,
	KIND_COUNTRY,		/* MCC or country code */
	KIND_NETWORK,		/* MNC */
	KIND_NAPID,		/* defines */
	KIND_PROXYID, KIND_PHYSICALID,
	KIND_TO_NAP,		/* refers */
	KIND_TO_PROXY,
	KIND_ROLES		/* Microsoft's role mask */
};

struct schema_parm {
	const char	*app;		/* only under an APPLICATION of this APPID; NULL: any */
	const char	*name;
	enum schema_count count;
	enum schema_kind kind;
	const char	*const *values;	/* KIND_ENUM; NULL at the end */
	bool		 v11;
	bool		 soft;		/* sources disagree: a breach is a warning */
	const char	*example;	/* for "add <parm ...>" */
};

struct schema_type {
	const char	*type;
	const char	*parents[4];	/* "/": the root; none: anywhere */
	enum schema_count count;	/* within one parent */
	bool		 v11;		/* came with PROV 1.1 */
	bool		 addendum;	/* WLAN bearer addendum and drafts: not checked further */
	const struct schema_parm *parms;	/* NULL: any */
};

/* Of Microsoft's configuration service providers, at the root. */
struct schema_provider {
	const char	*type;
	const char	*inside[6];	/* known types within; for "where does the end tag belong" */
};

struct schema_application {
	const char	*appid, *text;
	bool		 single;	/* some clients keep the first one only */
};

/* NULL in the first column ends each table. */
extern const struct schema_type		schema_types[];
extern const struct schema_provider	schema_providers[];
extern const struct schema_application	schema_applications[];

const struct schema_type *schema_type(struct text type);		/* exact spelling */
const struct schema_type *schema_type_nocase(struct text type);
const struct schema_provider *schema_provider(struct text type);
const struct schema_application *schema_application(struct text appid);
/* The row of a parm in a characteristic, under an APPLICATION of that APPID (may be
 * absent), or in general. */
const struct schema_parm *schema_parm(const struct schema_type *in, struct text appid,
		    struct text name);

/* Whether a characteristic of type `child` may stand in one of type `parent` ("/" is the
 * root). Types that nobody knows may stand in each other, but not in those of the standard. */
bool	schema_may_hold(struct text parent, struct text child);

#endif
