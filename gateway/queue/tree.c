/*
 * tree.c - an ordered table in memory whose changes can be taken back
 *
 * A treap: ordered by key, a heap by random rank, so its depth stays near the logarithm
 * whatever order the keys come in.
 *
 * Knows:     nothing of what lies in it.
 * Owns:      nodes, values, and the former values in a journal.
 * Threads:   one at a time.
 */
#include "queue/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tree_change {
	struct tree_change *older;
	struct tree	*tree;
	void		*former;	/* NULL: there was none */
	size_t		 key_len;
	uint8_t		 key[];
};

static void *
get_memory(size_t n)
{
	void *p = malloc(n);

	if (p == NULL) {
		fputs("panic: out of memory in the memory store\n", stderr);
		abort();
	}
	return p;
}

static int
key_order(const struct tree_node *n, struct text key)
{
	size_t shared = n->key_len < key.len ? n->key_len : key.len;
	int order = shared > 0 ? memcmp(n->key, key.at, shared) : 0;

	if (order != 0)
		return order;
	return n->key_len < key.len ? -1 : n->key_len > key.len;
}

void *
tree_get(const struct tree *t, struct text key)
{
	const struct tree_node *n = t->root;
	int order;

	while (n != NULL && (order = key_order(n, key)) != 0)
		n = order > 0 ? n->left : n->right;
	return n != NULL ? n->value : NULL;
}

struct tree_node *
tree_after(const struct tree *t, struct text key)
{
	struct tree_node *n = t->root, *best = NULL;

	while (n != NULL) {
		if (key_order(n, key) > 0) {
			best = n;
			n = n->left;
		} else
			n = n->right;
	}
	return best;
}

static uint32_t
rank_next(void)
{
	static _Thread_local uint32_t state = 2463534242u;	/* xorshift: flatness, not secrecy */

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* Everything below key to the left, the rest (key is not in it) to the right. */
static void
split(struct tree_node *n, struct text key, struct tree_node **left, struct tree_node **right)
{
	while (n != NULL) {
		if (key_order(n, key) < 0) {
			*left = n;
			left = &n->right;
			n = n->right;
		} else {
			*right = n;
			right = &n->left;
			n = n->left;
		}
	}
	*left = *right = NULL;
}

static struct tree_node *
merge(struct tree_node *a, struct tree_node *b)
{
	struct tree_node *root, **at = &root;

	while (a != NULL && b != NULL) {
		if (a->rank > b->rank) {
			*at = a;
			at = &a->right;
			a = a->right;
		} else {
			*at = b;
			at = &b->left;
			b = b->left;
		}
	}
	*at = a != NULL ? a : b;
	return root;
}

static void
node_add(struct tree *t, struct text key, void *value)
{
	struct tree_node *n = get_memory(sizeof *n + key.len), **at = &t->root;

	n->value = value;
	n->rank = rank_next();
	n->key_len = key.len;
	memcpy(n->key, key.at, key.len);
	while (*at != NULL && (*at)->rank > n->rank)
		at = key_order(*at, key) > 0 ? &(*at)->left : &(*at)->right;
	split(*at, key, &n->left, &n->right);
	*at = n;
}

/* Without a journal; returns the value that was there. */
static void *
place(struct tree *t, struct text key, void *value)
{
	struct tree_node **at = &t->root, *n;
	void *former;
	int order;

	while ((n = *at) != NULL && (order = key_order(n, key)) != 0)
		at = order > 0 ? &n->left : &n->right;
	if (n == NULL) {
		if (value != NULL)
			node_add(t, key, value);
		return NULL;
	}
	former = n->value;
	if (value != NULL) {
		n->value = value;
		return former;
	}
	*at = merge(n->left, n->right);
	free(n);
	return former;
}

void
tree_set(struct tree *t, struct tree_journal *j, struct text key, void *value)
{
	struct tree_change *c = get_memory(sizeof *c + key.len);

	c->older = j->newest;
	c->tree = t;
	c->key_len = key.len;
	memcpy(c->key, key.at, key.len);	/* before place(): key may be the node's own */
	key.at = (const char *)c->key;
	c->former = place(t, key, value);
	j->newest = c;
}

static void
drop(struct tree *t, void *value)
{
	if (value != NULL)
		t->drop(value);
}

void
journal_undo(struct tree_journal *j)
{
	struct tree_change *c;

	while ((c = j->newest) != NULL) {
		j->newest = c->older;
		drop(c->tree, place(c->tree, (struct text){ (const char *)c->key, c->key_len }, c->former));
		free(c);
	}
}

void
journal_settle(struct tree_journal *j)
{
	struct tree_change *c;

	while ((c = j->newest) != NULL) {
		j->newest = c->older;
		drop(c->tree, c->former);
		free(c);
	}
}

void
tree_free(struct tree *t)
{
	struct tree_node *n;

	while ((n = t->root) != NULL) {
		t->root = merge(n->left, n->right);
		drop(t, n->value);
		free(n);
	}
}
