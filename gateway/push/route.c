/*
 * route.c - may this link carry this message?
 *
 * Kannel's rules, each its own reason to refuse:
 *  - allowed-smsc-id: the message must name one of these. Without it, denied-smsc-id:
 *    it must not name one of these. The same for the two regular expressions.
 *  - prefixes of the receiver: allowed alone, one must match; denied alone, none may;
 *    both, a denied one refuses unless an allowed one matches too. The same for the
 *    two regular expressions.
 * What is left and matches a preferred rule is preferred. (Kannel never reads
 * preferred-smsc-id-regex; here it works.)
 *
 * Knows:     these rules.
 * Does not:  know whether a link is up, or how loaded.
 * Owns:      a struct route_rules its texts and compiled expressions.
 * Threads:   pure once parsed.
 */
#include "push/route.h"

#include <regex.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum rule {
	ALLOWED_SMSC, DENIED_SMSC, PREFERRED_SMSC,
	ALLOWED_PREFIX, DENIED_PREFIX, PREFERRED_PREFIX,
	LISTS,
	ALLOWED_SMSC_REGEX = LISTS, DENIED_SMSC_REGEX, PREFERRED_SMSC_REGEX,
	ALLOWED_PREFIX_REGEX, DENIED_PREFIX_REGEX, PREFERRED_PREFIX_REGEX,
	RULES
};

static const struct {
	const char	*key;
	size_t		 at;		/* in struct route_conf */
} rule_keys[RULES] = {
#define ROW(rule, key, member) [rule] = { key, offsetof(struct route_conf, member) }
	ROW(ALLOWED_SMSC, "allowed-smsc-id", allowed_smsc_id),
	ROW(DENIED_SMSC, "denied-smsc-id", denied_smsc_id),
	ROW(PREFERRED_SMSC, "preferred-smsc-id", preferred_smsc_id),
	ROW(ALLOWED_PREFIX, "allowed-prefix", allowed_prefix),
	ROW(DENIED_PREFIX, "denied-prefix", denied_prefix),
	ROW(PREFERRED_PREFIX, "preferred-prefix", preferred_prefix),
	ROW(ALLOWED_SMSC_REGEX, "allowed-smsc-id-regex", allowed_smsc_id_regex),
	ROW(DENIED_SMSC_REGEX, "denied-smsc-id-regex", denied_smsc_id_regex),
	ROW(PREFERRED_SMSC_REGEX, "preferred-smsc-id-regex", preferred_smsc_id_regex),
	ROW(ALLOWED_PREFIX_REGEX, "allowed-prefix-regex", allowed_prefix_regex),
	ROW(DENIED_PREFIX_REGEX, "denied-prefix-regex", denied_prefix_regex),
	ROW(PREFERRED_PREFIX_REGEX, "preferred-prefix-regex", preferred_prefix_regex),
#undef ROW
};

struct list {
	struct text	*items;		/* NULL: the rule is not there */
	size_t		 count;
	char		*copy;
};

struct route_rules {
	struct list	lists[LISTS];
	bool		compiled[RULES - LISTS];
	regex_t		regexes[RULES - LISTS];
};

static int
list_parse(struct list *l, struct text t)
{
	struct text item;
	size_t most = 1;

	for (size_t i = 0; i < t.len; i++)
		most += t.at[i] == ';';
	l->copy = text_dup(t);
	l->items = calloc(most, sizeof *l->items);
	if (l->copy == NULL || l->items == NULL)
		return -1;
	t.at = l->copy;
	while (text_cut(&t, ';', &item)) {
		item = text_trim(item);
		if (item.len > 0)
			l->items[l->count++] = item;
	}
	return 0;
}

static int
rule_parse(struct route_rules *r, enum rule rule, const char *value, struct err *err)
{
	char why[120];
	int rc;

	if (value == NULL)
		return 0;
	if (rule < LISTS)
		return list_parse(&r->lists[rule], text_of(value)) == 0 ? 0 :
		    err_set(err, ERR_SYSTEM, "no memory for %s", rule_keys[rule].key);
	rc = regcomp(&r->regexes[rule - LISTS], value, REG_EXTENDED | REG_NOSUB);
	if (rc != 0) {
		regerror(rc, &r->regexes[rule - LISTS], why, sizeof why);
		return err_set(err, ERR_CONFIG, "%s: %s", rule_keys[rule].key, why);
	}
	r->compiled[rule - LISTS] = true;
	return 0;
}

struct route_rules *
route_rules_parse(const struct route_conf *c, struct err *err)
{
	struct route_rules *r = calloc(1, sizeof *r);

	if (r == NULL) {
		err_set(err, ERR_SYSTEM, "no memory for the rules of a link");
		return NULL;
	}
	for (unsigned rule = 0; rule < RULES; rule++) {
		const char *value = *(const char *const *)((const char *)c + rule_keys[rule].at);

		if (rule_parse(r, rule, value, err) == -1) {
			route_rules_free(&r);
			return NULL;
		}
	}
	return r;
}

void
route_rules_free(struct route_rules **rp)
{
	struct route_rules *r = *rp;

	if (r == NULL)
		return;
	for (size_t i = 0; i < LISTS; i++) {
		free(r->lists[i].items);
		free(r->lists[i].copy);
	}
	for (size_t i = 0; i < RULES - LISTS; i++)
		if (r->compiled[i])
			regfree(&r->regexes[i]);
	free(r);
	*rp = NULL;
}

static bool
rule_given(const struct route_rules *r, enum rule rule)
{
	return rule < LISTS ? r->lists[rule].items != NULL : r->compiled[rule - LISTS];
}

/* Whether the rule is there and matches. An smsc-id matches whole and with regard to
 * case, a prefix at the beginning, an expression anywhere. */
static bool
rule_hit(const struct route_rules *r, enum rule rule, struct text t)
{
	const struct list *l = &r->lists[rule < LISTS ? rule : 0];
	bool whole = rule <= PREFERRED_SMSC;

	if (!rule_given(r, rule) || t.at == NULL)
		return false;
	if (rule >= LISTS) {
		regmatch_t span = { .rm_so = 0, .rm_eo = (regoff_t)t.len };

		return regexec(&r->regexes[rule - LISTS], t.at, 0, &span, REG_STARTEND) == 0;
	}
	for (const struct text *i = l->items; i < l->items + l->count; i++)
		if ((whole ? t.len == i->len : t.len >= i->len) && memcmp(t.at, i->at, i->len) == 0)
			return true;
	return false;
}

static bool
smsc_refused(const struct route_rules *r, enum rule allowed, enum rule denied, struct text smsc)
{
	if (rule_given(r, allowed))
		return !rule_hit(r, allowed, smsc);
	return rule_hit(r, denied, smsc);
}

static bool
receiver_refused(const struct route_rules *r, enum rule allowed, enum rule denied,
    struct text receiver)
{
	if (rule_given(r, allowed) && rule_hit(r, allowed, receiver))
		return false;
	if (rule_given(r, denied))
		return rule_hit(r, denied, receiver);
	return rule_given(r, allowed);
}

enum route_verdict
route_judge(const struct route_rules *r, struct text smsc, struct text receiver)
{
	if (smsc_refused(r, ALLOWED_SMSC, DENIED_SMSC, smsc) ||
	    smsc_refused(r, ALLOWED_SMSC_REGEX, DENIED_SMSC_REGEX, smsc) ||
	    receiver_refused(r, ALLOWED_PREFIX, DENIED_PREFIX, receiver) ||
	    receiver_refused(r, ALLOWED_PREFIX_REGEX, DENIED_PREFIX_REGEX, receiver))
		return ROUTE_NO;
	if (rule_hit(r, PREFERRED_SMSC, smsc) || rule_hit(r, PREFERRED_SMSC_REGEX, smsc) ||
	    rule_hit(r, PREFERRED_PREFIX, receiver) || rule_hit(r, PREFERRED_PREFIX_REGEX, receiver))
		return ROUTE_PREFERRED;
	return ROUTE_YES;
}
