/*
 * ip.c - address rules
 *
 * Every rule is sixteen octets and a mask: IPv4 is its IPv4-mapped IPv6 address, so
 * that one comparison serves all forms.
 *
 * Knows:     Kannel's patterns, CIDR, which networks are not public.
 * Does not:  resolve names.
 * Owns:      a parsed list, until ip_rules_free.
 * Threads:   pure once parsed.
 */
#include "base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IP_OCTETS = 16, IP_V4_AT = 12, IP_RULES_MOST = 4096, IP_RULE_SHOWN = 50 };

struct ip_rule {
	uint8_t	address[IP_OCTETS], mask[IP_OCTETS];
};

struct ip_rules {
	size_t		 count;
	struct ip_rule	 list[];
};

static const uint8_t ip_mapped[IP_V4_AT] = { [10] = 0xFF, [11] = 0xFF };

static void
ip_from_v4(uint8_t out[IP_OCTETS], const void *four)
{
	memcpy(out, ip_mapped, IP_V4_AT);
	memcpy(out + IP_V4_AT, four, 4);
}

/* false: not an address of a network (a local socket) */
static bool
ip_octets(const struct sockaddr *sa, uint8_t out[IP_OCTETS])
{
	if (sa != NULL && sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof in);
		ip_from_v4(out, &in.sin_addr);
		return true;
	}
	if (sa != NULL && sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof in6);
		memcpy(out, &in6.sin6_addr, IP_OCTETS);
		return true;
	}
	return false;
}

/* Sets the first `bits` of the mask and clears the rest of the address. */
static void
ip_rule_mask(struct ip_rule *rule, unsigned bits)
{
	for (unsigned i = 0; i < IP_OCTETS; i++) {
		unsigned here = bits > i * 8 ? bits - i * 8 : 0;

		rule->mask[i] = here >= 8 ? 0xFF : (uint8_t)(0xFF00 >> here);
		rule->address[i] &= rule->mask[i];
	}
}

/* "10.*.*.7". Four stars mean everybody, whatever the family: a list that denies
 * "*.*.*.*" must not let IPv6 in. */
static int
ip_rule_pattern(struct text t, struct ip_rule *rule)
{
	unsigned parts = 0, stars = 0;
	struct text part;
	long octet;

	memset(rule, 0, sizeof *rule);
	ip_from_v4(rule->address, (uint8_t[4]){ 0 });
	memset(rule->mask, 0xFF, IP_V4_AT);
	for (; text_cut(&t, '.', &part); parts++) {
		if (parts == 4)
			return -1;
		if (text_is(part, "*")) {
			stars++;
			continue;
		}
		/* one to three decimal digits: 010 is ten here, not eight as in text_number */
		if (!text_digits(part) || part.len > 3)
			return -1;
		octet = 0;
		for (size_t i = 0; i < part.len; i++)
			octet = octet * 10 + (part.at[i] - '0');
		if (octet > 255)
			return -1;
		rule->address[IP_V4_AT + parts] = (uint8_t)octet;
		rule->mask[IP_V4_AT + parts] = 0xFF;
	}
	if (stars == 4)
		memset(rule, 0, sizeof *rule);
	return parts == 4 ? 0 : -1;
}

static int
ip_rule_network(struct text t, struct ip_rule *rule)
{
	struct text bits = t, address;
	char plain[INET6_ADDRSTRLEN];
	uint8_t four[4];
	bool v4;
	long n;

	text_cut(&bits, '/', &address);
	if (address.len >= sizeof plain)
		return -1;
	memcpy(plain, address.at, address.len);
	plain[address.len] = '\0';
	v4 = inet_pton(AF_INET, plain, four) == 1;
	if (v4)
		ip_from_v4(rule->address, four);
	else if (inet_pton(AF_INET6, plain, rule->address) != 1)
		return -1;
	n = v4 ? 32 : 128;
	if (bits.at != NULL && (!text_digits(bits) || text_number(bits, 0, n, &n) == -1))
		return -1;
	ip_rule_mask(rule, (unsigned)n + (v4 ? 96 : 0));
	return 0;
}

struct ip_rules *
ip_rules_parse(struct text t, struct err *err)
{
	size_t room = 1;
	struct ip_rules *rules;
	struct text part;

	for (size_t i = 0; i < t.len; i++)
		room += t.at[i] == ';';
	if (room > IP_RULES_MOST) {
		err_set(err, ERR_LIMIT, "more than %d address rules", IP_RULES_MOST);
		return NULL;
	}
	rules = calloc(1, sizeof *rules + room * sizeof rules->list[0]);
	if (rules == NULL) {
		err_set(err, ERR_SYSTEM, "no memory for address rules");
		return NULL;
	}
	while (text_cut(&t, ';', &part)) {
		struct ip_rule *rule = &rules->list[rules->count];

		part = text_trim(part);
		if (part.len == 0)
			continue;
		if (ip_rule_pattern(part, rule) == -1 && ip_rule_network(part, rule) == -1) {
			err_set(err, ERR_SYNTAX, "\"%.*s\" is no address, network (10.0.0.0/8) or "
			    "pattern (10.*.*.*)", (int)(part.len < IP_RULE_SHOWN ? part.len :
			    IP_RULE_SHOWN), part.at);
			ip_rules_free(&rules);
			return NULL;
		}
		rules->count++;
	}
	if (rules->count == 0)
		ip_rules_free(&rules);
	return rules;
}

void
ip_rules_free(struct ip_rules **rules)
{
	free(*rules);
	*rules = NULL;
}

static bool
ip_rule_match(const struct ip_rule *rule, const uint8_t address[IP_OCTETS])
{
	for (unsigned i = 0; i < IP_OCTETS; i++)
		if ((address[i] & rule->mask[i]) != rule->address[i])
			return false;
	return true;
}

bool
ip_rules_match(const struct ip_rules *rules, const struct sockaddr *sa)
{
	uint8_t address[IP_OCTETS];

	if (rules == NULL || !ip_octets(sa, address))
		return false;
	for (size_t i = 0; i < rules->count; i++)
		if (ip_rule_match(&rules->list[i], address))
			return true;
	return false;
}

bool
ip_allowed(const struct ip_rules *allow, const struct ip_rules *deny,
    const struct sockaddr *sa)
{
	return ip_rules_match(allow, sa) || !ip_rules_match(deny, sa);
}

/* The registries of RFC 6890 as far as a callback could do harm; the first match counts. */
static const struct ip_special {
	uint8_t		 address[IP_OCTETS];
	unsigned	 bits;
	enum ip_kind	 kind;
} ip_specials[] = {
#define V4(a, b, c, d)	{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, a, b, c, d }
	{ V4(127, 0, 0, 0),	 96 + 8,  IP_LOOPBACK },
	{ V4(169, 254, 0, 0),	 96 + 16, IP_LINK_LOCAL },
	{ V4(10, 0, 0, 0),	 96 + 8,  IP_PRIVATE },
	{ V4(172, 16, 0, 0),	 96 + 12, IP_PRIVATE },
	{ V4(192, 168, 0, 0),	 96 + 16, IP_PRIVATE },
	{ V4(100, 64, 0, 0),	 96 + 10, IP_PRIVATE },		/* RFC 6598 */
	{ V4(0, 0, 0, 0),	 96 + 8,  IP_UNUSABLE },	/* 0.0.0.0 reaches this host */
	{ V4(224, 0, 0, 0),	 96 + 3,  IP_UNUSABLE },	/* multicast, reserved, broadcast */
	{ { [15] = 1 },		 128,	  IP_LOOPBACK },
	{ { 0 },		 128,	  IP_UNUSABLE },
	/* the metadata service of a large cloud has an address of its own in fc00::/7 */
	{ { 0xFD, 0x00, 0x0E, 0xC2, [14] = 0x02, [15] = 0x54 }, 128, IP_LINK_LOCAL },
	{ { 0xFC },		 7,	  IP_PRIVATE },
	{ { 0xFE, 0x80 },	 10,	  IP_LINK_LOCAL },
	{ { 0xFE, 0xC0 },	 10,	  IP_PRIVATE },		/* site-local, RFC 3879 */
	{ { 0xFF },		 8,	  IP_UNUSABLE },
#undef V4
};

/* IPv6 addresses behind which an IPv4 address is reached: where the four octets are. */
static const struct ip_embedded {
	uint8_t		address[IP_OCTETS];
	unsigned	bits, at;
} ip_embeddeds[] = {
	{ { 0x00, 0x64, 0xFF, 0x9B }, 96, 12 },		/* NAT64, RFC 6052 */
	{ { 0x20, 0x02 }, 16, 2 },			/* 6to4, RFC 3056 */
	{ { 0 }, 96, 12 },				/* IPv4-compatible, RFC 4291 */
};

static bool
ip_within(const uint8_t address[IP_OCTETS], const uint8_t network[IP_OCTETS], unsigned bits)
{
	struct ip_rule rule;

	memcpy(rule.address, network, IP_OCTETS);
	ip_rule_mask(&rule, bits);
	return ip_rule_match(&rule, address);
}

static enum ip_kind
ip_kind_of(const uint8_t address[IP_OCTETS])
{
	for (size_t i = 0; i < sizeof ip_specials / sizeof *ip_specials; i++)
		if (ip_within(address, ip_specials[i].address, ip_specials[i].bits))
			return ip_specials[i].kind;
	return IP_PUBLIC;
}

enum ip_kind
ip_kind(const struct sockaddr *sa)
{
	uint8_t address[IP_OCTETS], inner[IP_OCTETS];
	enum ip_kind kind;

	if (!ip_octets(sa, address))
		return IP_UNUSABLE;
	kind = ip_kind_of(address);
	if (kind != IP_PUBLIC)
		return kind;
	for (size_t i = 0; i < sizeof ip_embeddeds / sizeof *ip_embeddeds; i++) {
		const struct ip_embedded *e = &ip_embeddeds[i];

		if (!ip_within(address, e->address, e->bits))
			continue;
		ip_from_v4(inner, address + e->at);
		return ip_kind_of(inner);
	}
	return IP_PUBLIC;
}

char *
ip_print(const struct sockaddr *sa, char *out, size_t size)
{
	uint8_t address[IP_OCTETS];
	bool v4;

	if (!ip_octets(sa, address)) {
		snprintf(out, size, "local");
		return out;
	}
	v4 = memcmp(address, ip_mapped, IP_V4_AT) == 0;
	if (inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? address + IP_V4_AT : address, out,
	    (socklen_t)size) == NULL)
		snprintf(out, size, "?");
	return out;
}
