/*
 * tree.h - an ordered table in memory whose changes can be taken back
 *
 * Keys are octets, ordered as memcmp orders them; a value is owned by its place in the tree.
 * Every change is written down in a journal until the transaction ends: undo gives back
 * what was there, settle frees it.
 *
 * Threads: one at a time.
 */
#ifndef QUEUE_TREE_H
#define QUEUE_TREE_H

#include <stddef.h>
#include <stdint.h>
#include "base/text.h"

struct tree_node;
struct tree {
	struct tree_node *root;
	void		(*drop)(void *value);
};

struct tree_change;
struct tree_journal {
	struct tree_change *newest;
};

struct tree_node {
	struct tree_node *left, *right;
	void		*value;
	uint32_t	 rank;		/* heap order: random, keeps the tree flat */
	size_t		 key_len;
	uint8_t		 key[];
};

void	*tree_get(const struct tree *, struct text key);	/* NULL: none */
/* The first whose key is greater; NULL: none. */
struct tree_node *tree_after(const struct tree *, struct text key);
void	 tree_set(struct tree *, struct tree_journal *, struct text key, void *value);	/* NULL: remove */
void	 tree_free(struct tree *);

void	 journal_undo(struct tree_journal *);
void	 journal_settle(struct tree_journal *);

#endif
