/*
 * lists.c - white and black lists of receivers
 *
 * A receiver passes when the white list, if there is one, matches it and the black list
 * does not.  Expressions are POSIX extended and not anchored, as in Kannel.
 *
 * Knows:     how to ask one number.
 * Does not:  know whose list it is.
 * Owns:      the compiled expressions.
 * Threads:   pure once parsed.
 */
#include "intake/lists.h"

static int
list_compile(regex_t *to, bool *has, const char *pattern, const char *what, struct err *err)
{
	char why[100];
	int rc;

	if (pattern == NULL || pattern[0] == '\0')
		return 0;
	rc = regcomp(to, pattern, REG_EXTENDED | REG_NOSUB);
	if (rc != 0) {
		regerror(rc, to, why, sizeof why);
		return err_set(err, ERR_CONFIG, "%s: %s", what, why);
	}
	*has = true;
	return 0;
}

int
lists_parse(struct lists *l, const char *white, const char *black, struct err *err)
{
	*l = (struct lists){ .has_white = false };
	if (list_compile(&l->white, &l->has_white, white, "white list", err) == -1)
		return -1;
	if (list_compile(&l->black, &l->has_black, black, "black list", err) == -1) {
		lists_free(l);
		return -1;
	}
	return 0;
}

void
lists_free(struct lists *l)
{
	if (l->has_white)
		regfree(&l->white);
	if (l->has_black)
		regfree(&l->black);
	l->has_white = l->has_black = false;
}

bool
lists_pass(const struct lists *l, struct text receiver)
{
	char number[RECEIVER_MOST + 1];

	if (!l->has_white && !l->has_black)
		return true;
	if (receiver.len > RECEIVER_MOST || memchr(receiver.at, '\0', receiver.len) != NULL)
		return false;
	memcpy(number, receiver.at, receiver.len);
	number[receiver.len] = '\0';
	if (l->has_white && regexec(&l->white, number, 0, NULL, 0) != 0)
		return false;
	return !l->has_black || regexec(&l->black, number, 0, NULL, 0) != 0;
}
