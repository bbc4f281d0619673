/*
 * handset.h - a phone that is not there: what would its user see?
 *
 * It gets a whole message (joined by push/reassemble.h), reads it as its profile would, checks SEC
 * and MAC with its own IMSI and PIN, and says what becomes of it.
 *
 * Owns: a handset owns its secrets.  Threads: pure.
 */
#ifndef SIMULATE_HANDSET_H
#define SIMULATE_HANDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "encode/sign.h"

enum { HANDSET_NUMBER_MOST = 20 };

struct handset_profile {
	const char	*name, *text;		/* text: one sentence for --help */
	uint8_t		 methods;		/* bit 1 << enum sign_method of those it takes */
	bool		 takes_unsigned;
	bool		 dm_bootstrap;		/* APPLICATION w7 */
	bool		 trust_bootstrap;	/* characteristic BOOTSTRAP */
	bool		 upper_mac;		/* compares the MAC letter by letter */
	uint8_t		 segments_most;		/* 0: any */
	uint32_t	 octets_most;		/* of a push; 0: any */
};
extern const struct handset_profile handset_profiles[];	/* ends with a row without name */

struct handset {
	char		 number[HANDSET_NUMBER_MOST + 1];	/* digits; "": any */
	const struct handset_profile *profile;
	struct sign_secrets secrets;
	struct secret	 code;			/* USERPINMAC: what its user types */
};

/* "NUMBER[,imsi=...,pin=...,code=...,profile=...]"; NUMBER may be "any". */
int	handset_parse(struct text spec, struct handset *, struct err *);
void	handset_free(struct handset *);
/* The one of that number (without + or 00), else the one for any; NULL: nobody. */
const struct handset *handset_find(const struct handset *, size_t count, struct text number);

struct handset_message {
	struct text	 data;			/* user data without header */
	bool		 ports;
	uint16_t	 port_to;
	uint8_t		 coding;		/* data_coding of the submit_sm */
	uint8_t		 segments;
};

enum verdict {
	VERDICT_ACCEPTED, VERDICT_WRONG_PIN, VERDICT_UNSIGNED, VERDICT_PROFILE, VERDICT_UNREADABLE,
	VERDICT_UNCHECKED,	/* the option that it would be checked with was not given */
	VERDICT_NOBODY,		/* no handset has the number */
	VERDICTS
};
extern const char *const verdict_names[VERDICTS];	/* "accepted", "wrong-pin", ... */
extern const char *const verdict_texts[VERDICTS];	/* for people */

struct judgement {
	enum verdict	 verdict;
	const char	*kind;			/* "text", "provisioning", "push", "binary" */
	char		 media[80];		/* of a push; "" */
	char		 reason[240];		/* why not accepted, or what is odd; never a secret */
	bool		 sec_given, mac_known, mac_ok;
	enum sign_method sec;
	struct buf	 content;		/* the text in UTF-8, the document as XML, octets in hex */
};

/* *out->content must be a writer; what does not fit is left out. handset NULL: VERDICT_NOBODY. */
void	handset_judge(const struct handset *, const struct handset_message *, struct judgement *out);

#endif
