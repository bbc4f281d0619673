/*
 * ip.h - rules on addresses: Kannel's patterns, and CIDR
 *
 * A rule list is ';' separated. Each is "*.*.*.*" or "10.*.*.7" (Kannel's form), an
 * address, or a network "10.0.0.0/8", "2001:db8::/32". An IPv4 rule also matches
 * the IPv4-mapped IPv6 address.
 *
 * Threads: pure once parsed.
 */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <stdbool.h>
#include <sys/socket.h>
#include "base/err.h"
#include "base/text.h"

struct ip_rules;		/* opaque; NULL: no rule, matches nothing */

struct ip_rules	*ip_rules_parse(struct text, struct err *);	/* NULL and err on a fault; NULL without err for "" */
void		 ip_rules_free(struct ip_rules **);
bool		 ip_rules_match(const struct ip_rules *, const struct sockaddr *);
/* Kannel's rule: an allow hit is allowed, else a deny hit is denied, else allowed;
 * so an allow list alone allows everybody (`check` warns). */
bool		 ip_allowed(const struct ip_rules *allow, const struct ip_rules *deny,
		    const struct sockaddr *);
/* Loopback, private (RFC 1918, fc00::/7, 100.64/10), link-local (with the metadata
 * address 169.254.169.254), unspecified or multicast: for callbacks. */
enum ip_kind { IP_PUBLIC, IP_LOOPBACK, IP_PRIVATE, IP_LINK_LOCAL, IP_UNUSABLE };
enum ip_kind	 ip_kind(const struct sockaddr *);
char		*ip_print(const struct sockaddr *, char *out, size_t size);	/* without port */

#endif
