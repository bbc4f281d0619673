/*
 * route.h - may this link carry this message? (Kannel's rules, pure)
 *
 * A link's rules: allowed-smsc-id, denied-smsc-id, preferred-smsc-id and the same
 * for prefixes of the receiver (and regular expressions). Facts as in Kannel: a
 * message that names no smsc is refused by a link with allowed-smsc-id; one that names
 * an smsc may take any link that neither lists others only nor denies it; `denied`
 * is looked at when there is no `allowed`.
 *
 * Threads: pure once parsed.
 */
#ifndef PUSH_ROUTE_H
#define PUSH_ROUTE_H

#include <stdbool.h>
#include "base/err.h"
#include "base/text.h"

struct message;
struct route_rules;		/* opaque */

struct route_conf {		/* as configured; NULL where absent */
	const char	*allowed_smsc_id, *denied_smsc_id, *preferred_smsc_id;
	const char	*allowed_smsc_id_regex, *denied_smsc_id_regex, *preferred_smsc_id_regex;
	const char	*allowed_prefix, *denied_prefix, *preferred_prefix;
	const char	*allowed_prefix_regex, *denied_prefix_regex, *preferred_prefix_regex;
};

enum route_verdict { ROUTE_NO, ROUTE_YES, ROUTE_PREFERRED };

struct route_rules *route_rules_parse(const struct route_conf *, struct err *);
void		 route_rules_free(struct route_rules **);
/* `smsc`: absent when the message names none; `receiver`: after unified-prefix. */
enum route_verdict route_judge(const struct route_rules *, struct text smsc, struct text receiver);

#endif
