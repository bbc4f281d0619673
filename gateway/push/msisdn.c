/*
 * msisdn.c - addresses: rewriting by unified-prefix, the order key
 *
 * Knows:     Kannel's form of unified-prefix: groups with ';' between them, in
 *            each the official prefix and then, with ',' between them, those that
 *            are rewritten to it.
 * Does not:  know numbering plans; an address is any text.
 * Owns:      a struct prefixes its texts.
 * Threads:   pure.
 */
#include "push/msisdn.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct rewrite {
	struct text	prefix, official;	/* the same text: an official prefix stays */
};

struct prefixes {
	char		*copy;
	size_t		 count;
	struct rewrite	 rewrites[];		/* in the order in which they are tried */
};

static size_t
count_of(struct text t, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < t.len; i++)
		n += t.at[i] == c;
	return n;
}

/* "+358,00358,0": the first one is official. An empty prefix would fit every
 * address, also those that are official already. */
static int
parse_group(struct prefixes *p, struct text group, struct err *err)
{
	struct text official = { 0 }, prefix;

	for (bool first = true; text_cut(&group, ',', &prefix); first = false) {
		prefix = text_trim(prefix);
		if (prefix.len == 0)
			return err_set(err, ERR_CONFIG, "unified-prefix: an empty prefix would "
			    "rewrite every number: take out the extra comma");
		if (first)
			official = prefix;
		p->rewrites[p->count++] = (struct rewrite){ prefix, official };
	}
	return 0;
}

struct prefixes *
prefixes_parse(struct text t, struct err *err)
{
	struct text group;
	struct prefixes *p;

	if (text_trim(t).len == 0)
		return NULL;
	p = calloc(1, sizeof *p + (count_of(t, ',') + count_of(t, ';') + 1) * sizeof *p->rewrites);
	if (p == NULL || (p->copy = text_dup(t)) == NULL) {
		err_set(err, ERR_SYSTEM, "no memory for unified-prefix");
		prefixes_free(&p);
		return NULL;
	}
	t.at = p->copy;
	while (text_cut(&t, ';', &group))
		if (text_trim(group).len > 0 && parse_group(p, group, err) == -1) {
			prefixes_free(&p);
			return NULL;
		}
	return p;
}

void
prefixes_free(struct prefixes **pp)
{
	if (*pp == NULL)
		return;
	free((*pp)->copy);
	free(*pp);
	*pp = NULL;
}

static bool
begins_with(struct text t, struct text prefix)
{
	return t.len >= prefix.len && memcmp(t.at, prefix.at, prefix.len) == 0;
}

void
prefixes_apply(const struct prefixes *p, struct text address, struct buf *b)
{
	for (size_t i = 0; p != NULL && i < p->count; i++) {
		const struct rewrite *r = &p->rewrites[i];

		if (!begins_with(address, r->prefix))
			continue;
		if (r->prefix.at != r->official.at) {
			if (r->official.at[0] != '-')		/* "-": the prefix goes */
				buf_bytes(b, r->official.at, r->official.len);
			address.at += r->prefix.len;
			address.len -= r->prefix.len;
		}
		break;
	}
	buf_bytes(b, address.at, address.len);
}

uint64_t
msisdn_order_key(struct text address)
{
	size_t skip = 0;

	if (address.len == 0)			/* may be absent */
		return text_hash("", 0);
	if (address.at[0] == '+')
		skip = 1;
	else if (address.len >= 2 && address.at[0] == '0' && address.at[1] == '0')
		skip = 2;
	return text_hash(address.at + skip, address.len - skip);
}

int
msisdn_chars_ok(struct text address, const char *allowed)
{
	for (size_t i = 0; i < address.len; i++)
		if (address.at[i] == '\0' || strchr(allowed, address.at[i]) == NULL)
			return 0;
	return 1;
}
