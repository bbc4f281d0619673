/*
 * tokens.h - the token tables behind the encoder and the decoder
 *
 * One struct token_table per media type. Writing looks a spelling up in a hash
 * (without regard to case), reading looks a code up in an array per code page.
 * tokens.c is made from tests/data/cp-tokens.tsv and ota-tokens.tsv by
 * tests/tools/make_tokens.py; do not edit it by hand.
 *
 * Threads: constant data and pure functions.
 */
#ifndef ENCODE_TOKENS_H
#define ENCODE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/text.h"

struct media;

enum { TOKEN_PAGES = 2 };

enum token_flags {
	TOKEN_ENUMERATED = 1,	/* a parm whose values are an enumeration: case is mended */
	TOKEN_INLINE = 2	/* its value is always written as a string */
};

struct token_word {
	const char	*text;
	uint8_t		 len, flags;
	uint8_t		 code[TOKEN_PAGES];	/* 0: not written as a token on that page */
};

struct token_words {
	const struct token_word *list;
	const uint8_t	*slots;		/* index + 1 of the word; 0 ends a search */
	uint16_t	 mask;		/* number of slots - 1 */
	uint8_t		 count, longest;
};

struct token_attribute {
	const char	*name;
	uint8_t		 len;
	uint8_t		 code[TOKEN_PAGES];	/* start of the attribute, any value follows */
	const struct token_words *values;	/* starts that hold the whole value; NULL */
};

struct token_start {			/* for reading */
	const char	*name;		/* NULL: no such token */
	const char	*value;		/* NULL: none, else how the value begins */
};

struct token_table {
	const struct media *const *media;	/* types that use it; NULL at the end */
	uint8_t		 version, public_id;	/* as written; 0x03 is WBXML 1.3 */
	const struct token_words *tags;
	const struct token_attribute *attributes;
	size_t		 attribute_count;
	const struct token_words *values;	/* value tokens; NULL */

	const char	*const (*tag_at)[0x40];			/* [page][code & 3F] */
	const struct token_start (*start_at)[0x80];		/* [page][code] */
	const char	*const (*value_at)[0x80];		/* [page][code & 7F] */
};

/* NULL when the type has no table. */
const struct token_table *token_table_of(const struct media *);
/* NULL: unknown. *exact: the spelling is the table's, octet for octet. */
const struct token_word *token_find(const struct token_words *, struct text, bool *exact);

extern const struct token_table *const token_tables[];	/* NULL at the end */

#endif
