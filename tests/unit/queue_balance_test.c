/*
 * queue_balance_test.c - shares of partitions: even, stable, and reached by everybody's own moves
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "queue/balance.h"

struct house {
	uint16_t	 owner[STORE_PARTITIONS];
	uint16_t	 nodes[16];
	unsigned	 count;
};

static unsigned
owned(const struct house *h, uint16_t node)
{
	unsigned n = 0;

	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		n += h->owner[i] == node;
	return n;
}

static unsigned
parts_count(const struct store_parts *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		n += parts_has(p, i);
	return n;
}

/* Everybody moves at once, on the picture of a moment ago; how many partitions changed hands. */
static unsigned
round_of_moves(struct house *h)
{
	struct house before = *h;
	struct balance b;
	unsigned moved = 0;

	for (unsigned n = 0; n < before.count; n++) {
		balance_moves(before.nodes[n], before.nodes, before.count, before.owner, &b);
		for (unsigned i = 0; i < STORE_PARTITIONS; i++) {
			if (parts_has(&b.give, i)) {
				assert_int_equal(before.owner[i], before.nodes[n]);
				h->owner[i] = STORE_NOBODY;
			}
			if (parts_has(&b.claim, i) && h->owner[i] == STORE_NOBODY &&
			    before.owner[i] == STORE_NOBODY) {
				h->owner[i] = before.nodes[n];
				moved++;
			}
		}
	}
	return moved;
}

static unsigned
settle(struct house *h)
{
	unsigned moved = 0, rounds = 0;
	struct house before;

	do {
		before = *h;
		moved += round_of_moves(h);
		assert_true(++rounds < 20);
	} while (memcmp(&before, h, sizeof *h) != 0);
	for (unsigned n = 0; n < h->count; n++) {
		assert_true(owned(h, h->nodes[n]) >= STORE_PARTITIONS / h->count);
		assert_true(owned(h, h->nodes[n]) <= (STORE_PARTITIONS + h->count - 1) / h->count);
	}
	return moved;
}

static void
node_comes(struct house *h, uint16_t node)
{
	h->nodes[h->count++] = node;
}

static void
node_goes(struct house *h, uint16_t node)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->count; i++)
		if (h->nodes[i] != node)
			h->nodes[n++] = h->nodes[i];
	h->count = n;
	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		if (h->owner[i] == node)
			h->owner[i] = STORE_NOBODY;
}

static void
test_nodes_come_and_go(void **state)
{
	struct house h = { .count = 0 };

	(void)state;
	memset(h.owner, 0xff, sizeof h.owner);
	node_comes(&h, 4);
	assert_int_equal(settle(&h), 256);		/* alone it has all */
	node_comes(&h, 7);
	assert_int_equal(settle(&h), 128);		/* no more than must */
	node_comes(&h, 9);
	assert_int_equal(settle(&h), 85);
	node_goes(&h, 7);
	assert_true(settle(&h) <= 86);
	node_comes(&h, 12);
	node_comes(&h, 13);
	assert_int_equal(settle(&h), 128);
	for (uint16_t n = 20; n < 30; n++)
		node_comes(&h, n);
	settle(&h);
	assert_int_equal(settle(&h), 0);		/* and then rest */
}

static void
test_sixteen_at_once(void **state)
{
	struct house h = { .count = 0 };

	(void)state;
	memset(h.owner, 0xff, sizeof h.owner);
	for (uint16_t n = 0; n < 16; n++)
		node_comes(&h, (uint16_t)(3 * n));
	settle(&h);
	for (uint16_t n = 0; n < 16; n++)
		assert_int_equal(owned(&h, (uint16_t)(3 * n)), 16);
}

/* The one more of 256 by 3 does not wander. */
static void
test_the_odd_one_stays(void **state)
{
	struct house h = { .nodes = { 1, 2, 3 }, .count = 3 };
	struct balance b;

	(void)state;
	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		h.owner[i] = (uint16_t)(i < 85 ? 1 : i < 170 ? 2 : 3);
	for (unsigned n = 0; n < 3; n++) {
		balance_moves(h.nodes[n], h.nodes, 3, h.owner, &b);
		assert_int_equal(parts_count(&b.claim) + parts_count(&b.give), 0);
	}
}

/* Who is about to leave gives nothing by itself and takes nothing; others take what is free. */
static void
test_not_among_them(void **state)
{
	struct house h = { .nodes = { 1, 2 }, .count = 2 };
	struct balance b;

	(void)state;
	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		h.owner[i] = (uint16_t)(1 + i % 3);
	balance_moves(3, h.nodes, 2, h.owner, &b);
	assert_true(parts_none(&b.claim) && parts_none(&b.give));
	node_goes(&h, 3);
	settle(&h);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nodes_come_and_go),
		cmocka_unit_test(test_sixteen_at_once),
		cmocka_unit_test(test_the_odd_one_stays),
		cmocka_unit_test(test_not_among_them),
	};

	return cmocka_run_group_tests_name("queue_balance", tests, NULL, NULL);
}
