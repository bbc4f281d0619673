/*
 * conf_fuzz.c - any text as a configuration: read, checked, bound, compared
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/finding.h"

struct bound {
	const char	*text, *pattern, *rules, *url;
	struct secret	 secret;
	long		 number, port, seconds, minutes;
	double		 rate;
	bool		 flag;
	int		 choice;
};

static const char *const choices[] = { "one", "two", NULL };

static const struct conf_key all_keys[] = {
	{ "text", .type = CONF_TEXT, .at = offsetof(struct bound, text), .required = true },
	{ "secret", .type = CONF_SECRET, .at = offsetof(struct bound, secret) },
	{ "number", .type = CONF_NUMBER, .at = offsetof(struct bound, number), .least = 1, .most = 99 },
	{ "port", .type = CONF_PORT, .at = offsetof(struct bound, port), .standard = "13000" },
	{ "seconds", .type = CONF_SECONDS, .at = offsetof(struct bound, seconds) },
	{ "minutes", .type = CONF_MINUTES, .at = offsetof(struct bound, minutes) },
	{ "rate", .type = CONF_RATE, .at = offsetof(struct bound, rate) },
	{ "flag", .type = CONF_FLAG, .at = offsetof(struct bound, flag) },
	{ "choice", .type = CONF_CHOICE, .at = offsetof(struct bound, choice), .choices = choices },
	{ "regex", .type = CONF_REGEX, .at = offsetof(struct bound, pattern) },
	{ "ip", .type = CONF_IPRULES, .at = offsetof(struct bound, rules) },
	{ "url", .type = CONF_URL, .at = offsetof(struct bound, url) },
	{ "later", .type = CONF_NUMBER, .effect = CONF_LATER },
	{ "never", .type = CONF_TEXT, .effect = CONF_NEVER, .text = "no" },
	{ 0 }
};

static const struct conf_key *const tables[] = { all_keys, NULL };

static const struct conf_group_type types[] = {
	{ "many", true, tables, "Many.", CONF_WORKS, NULL },
	{ "core", false, tables, "One.", CONF_WORKS, NULL },
	{ "gone", true, NULL, "Gone.", CONF_NEVER, NULL },
	{ 0 }
};

/* What was bound is what the types promise. */
static void
fuzz_bind(struct conf *conf, const struct conf_group *g)
{
	struct findings f = { 0 };
	struct bound b = { 0 };
	int result = conf_bind(conf, g, all_keys, &b, &f);

	assert((result == -1) == (f.errors > 0));
	assert(b.number == 0 || (b.number >= 1 && b.number <= 99));
	assert(b.port >= 0 && b.port <= 65535);
	assert(b.choice == 0 || b.choice == 1);
	assert(b.rate >= 0);
	assert(result == -1 || b.text != NULL);
	conf_unbind(all_keys, &b);
	findings_free(&f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct findings f = { 0 };
	char *copy = malloc(size + 1);	/* of exact size, so that a step too far is seen */
	struct conf *conf;
	const struct conf_group *g = NULL, *last = NULL;

	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	conf = conf_read_text("fuzz", (struct text){ copy, size }, &f);
	free(copy);			/* nothing may point into it */
	assert((conf == NULL) == (f.errors > 0));
	if (conf != NULL) {
		conf_check(conf, types, &f);
		while ((g = conf_next(conf, NULL, g)) != NULL) {
			assert(conf_group_name(g) != NULL && conf_group_line(g) > 0);
			assert(conf_group_equal(g, g));
			if (last != NULL)
				assert(conf_group_equal(g, last) == conf_group_equal(last, g));
			fuzz_bind(conf, g);
			last = g;
		}
	}
	findings_sort(&f);
	findings_free(&f);
	conf_free(&conf);
	return 0;
}
