/*
 * secret.c - values that must not be seen
 *
 * Knows:     copying, wiping, comparing without telling by time; masking URLs.
 * Does not:  print anything.
 * Owns:      the copy, until secret_free wipes it.
 * Threads:   pure.
 */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

int
secret_set(struct secret *s, struct text from)
{
	secret_free(s);
	if (from.at == NULL)
		return 0;
	if ((s->hidden = malloc(from.len + 1)) == NULL)
		return -1;
	memcpy(s->hidden, from.at, from.len);
	s->hidden[from.len] = '\0';
	s->len = from.len;
	return 0;
}

void
secret_free(struct secret *s)
{
	if (s->hidden != NULL) {
		explicit_bzero(s->hidden, s->len);
		free(s->hidden);
	}
	*s = (struct secret){ 0 };
}

bool
secret_equal(const struct secret *s, struct text t)
{
	unsigned difference = s->hidden == NULL || t.at == NULL || s->len != t.len;

	/* As many steps as the caller's text has octets, whatever the secret is. */
	for (size_t i = 0; i < t.len; i++) {
		uint8_t ours = s->len > 0 ? s->hidden[i % s->len] : 0;

		difference |= ours ^ (uint8_t)t.at[i];
	}
	return difference == 0;
}

/* Parameters whose values may be secrets; compared without regard to case, anywhere in the name. */
static const char *const secret_names[] = {
	"pass", "pwd", "pin", "imsi", "key", "token", "secret", "text", "msg", "auth", "sig", "code"
};

/* The receiver decodes "p%61ss", so the look is at the decoded name; one too long to be
 * looked at counts as secret. */
static bool
secret_named(struct text name)
{
	char plain[64];
	struct buf b = buf_on(plain, sizeof plain);

	text_unquote(name, &b);
	for (size_t i = 0; i < sizeof secret_names / sizeof *secret_names; i++) {
		size_t n = strlen(secret_names[i]);

		for (size_t at = 0; at + n <= b.len; at++)
			if (strncasecmp(plain + at, secret_names[i], n) == 0)
				return true;
	}
	return b.overflow;
}

static void
secret_mask_query(struct text query, struct buf *out)
{
	struct text part;
	bool first = true;

	while (text_cut(&query, '&', &part)) {
		struct text value = part, name;

		if (!first)
			buf_u8(out, '&');
		first = false;
		text_cut(&value, '=', &name);
		buf_bytes(out, name.at, name.len);
		if (value.at == NULL)
			continue;
		buf_u8(out, '=');
		if (secret_named(name))
			buf_str(out, "***");
		else
			buf_bytes(out, value.at, value.len);
	}
}

void
secret_mask_url(struct text url, struct buf *out)
{
	struct text query = url, head, host;
	const char *scheme, *at;

	if (!text_cut(&query, '?', &head))
		return;
	scheme = memmem(head.at, head.len, "://", 3);
	host = head;
	if (scheme != NULL) {
		host.at = scheme + 3;
		host.len = (size_t)(head.at + head.len - host.at);
		buf_bytes(out, head.at, (size_t)(host.at - head.at));
	}
	at = memchr(host.at, '/', host.len);
	at = memrchr(host.at, '@', at != NULL ? (size_t)(at - host.at) : host.len);
	if (at != NULL) {
		buf_str(out, "***");
		host.len -= (size_t)(at - host.at);
		host.at = at;
	}
	buf_bytes(out, host.at, host.len);
	if (query.at != NULL) {
		buf_u8(out, '?');
		secret_mask_query(query, out);
	}
}
