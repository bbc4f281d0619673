/*
 * token.c - finding a spelling or a type in the token tables
 *
 * Knows:     the hash that tests/tools/make_tokens.py laid the slots out with.
 * Does not:  know any token: those are data (tokens.c).
 * Owns:      nothing.
 * Threads:   pure, any thread.
 */
#include "encode/tokens.h"

#include "document/media.h"

/* As slot_of() in make_tokens.py. `| 0x20` folds ASCII case and a few signs; the
 * comparison after it is exact about both. */
static unsigned
token_slot(struct text t, unsigned mask)
{
	uint32_t h = 0x811c9dc5u;

	for (size_t i = 0; i < t.len; i++)
		h = (h ^ ((uint8_t)t.at[i] | 0x20u)) * 0x01000193u;
	return (h ^ h >> 15) & mask;
}

const struct token_word *
token_find(const struct token_words *words, struct text t, bool *exact)
{
	if (words == NULL || t.at == NULL || t.len == 0 || t.len > words->longest)
		return NULL;
	for (unsigned slot = token_slot(t, words->mask); words->slots[slot] != 0;
	    slot = (slot + 1) & words->mask) {
		const struct token_word *w = &words->list[words->slots[slot] - 1];

		if (w->len != t.len)
			continue;
		*exact = memcmp(w->text, t.at, t.len) == 0;
		if (*exact || text_eq_nocase((struct text){ w->text, w->len }, t))
			return w;
	}
	return NULL;
}

const struct token_table *
token_table_of(const struct media *media)
{
	for (size_t i = 0; token_tables[i] != NULL; i++)
		for (size_t k = 0; token_tables[i]->media[k] != NULL; k++)
			if (token_tables[i]->media[k] == media)
				return token_tables[i];
	return NULL;
}
