/*
 * dispatch_backlog_test.c - the order of what waits, against a list that anybody can read
 *
 * The model is an array of messages in the order of their puts; whose turn it is in a lane is
 * found by walking it. Thousands of random steps go to both; what backlog_take gives must be a
 * candidate of the model, and when it gives none the model must have none. Fairness, memory and
 * speed have tests of their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "dispatch/ages.h"
#include "dispatch/backlog.h"

enum { KEYS = 7, LINKS = 4, MODEL_MOST = 400, STEPS = 100000, ROUTES = 5 };

enum model_state { MODEL_FREE, MODEL_WAITS, MODEL_TURN, MODEL_ASIDE };

struct model_item {
	struct backlog_item item;
	enum model_state state;
	bool	held;
};

static struct model {
	struct model_item items[MODEL_MOST];	/* in order of put */
	size_t	count;
	bool	up[LINKS];
	unsigned may[ROUTES], preferred[ROUTES];	/* bit sets */
	wall_t	now;
} model;

static uint32_t seed;

static uint32_t
draw(uint32_t most)			/* 0 .. most - 1 */
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(seed >> 4) * most >> 28);
}

static struct model_item *
model_find(uint64_t id)
{
	for (size_t i = 0; i < model.count; i++)
		if (model.items[i].item.id == id)
			return &model.items[i];
	return NULL;
}

static void
model_drop(struct model_item *m)
{
	size_t at = (size_t)(m - model.items);

	memmove(m, m + 1, (model.count - at - 1) * sizeof *m);
	model.count--;
}

static struct model_item *
model_candidate(uint64_t key)
{
	uint16_t groups[MODEL_MOST];
	size_t blocked = 0;

	for (size_t i = 0; i < model.count; i++)
		if (model.items[i].item.key == key && model.items[i].state == MODEL_TURN)
			return NULL;
	for (size_t i = 0; i < model.count; i++) {
		struct model_item *m = &model.items[i];
		bool skip = false;

		if (m->item.key != key)
			continue;
		for (size_t g = 0; g < blocked; g++)
			skip |= groups[g] == m->item.group;
		if (skip)
			continue;
		if (!m->held && m->item.due <= model.now)
			return m;
		if (m->state == MODEL_WAITS)
			return NULL;
		if (m->item.group != 0)
			groups[blocked++] = m->item.group;
	}
	return NULL;
}

static bool
model_serves(unsigned route, unsigned link)
{
	bool preferred = false;

	for (unsigned i = 0; i < LINKS; i++)
		preferred |= model.up[i] && (model.preferred[route] >> i & 1);
	return model.up[link] && ((preferred ? model.preferred : model.may)[route] >> link & 1);
}

static bool
model_ready(unsigned link)
{
	for (uint64_t key = 1; key <= KEYS; key++) {
		struct model_item *m = model_candidate(key);

		if (m != NULL && model_serves(m->item.route, link))
			return true;
	}
	return false;
}

static struct model_item *
model_random(enum model_state state)
{
	size_t start = model.count > 0 ? draw((uint32_t)model.count) : 0;

	for (size_t i = 0; i < model.count; i++) {
		struct model_item *m = &model.items[(start + i) % model.count];

		if (m->state == state)
			return m;
	}
	return NULL;
}

static wall_t
draw_due(void)				/* whole units, so that rounding does not show */
{
	return draw(2) ? 0 : model.now + 64 * (wall_t)(1 + draw(30));
}

static void
step_put(struct backlog *b, uint64_t id, bool in_turn)
{
	struct model_item m = { .item = {
		.id = id, .key = 1 + draw(KEYS), .klass = (uint8_t)draw(CLASSES),
		.route = (uint16_t)draw(ROUTES), .flow = (uint16_t)draw(3),
		.group = draw(3) == 0 ? (uint16_t)(0xfff0 + draw(3)) : 0,
		.aside = draw(4) == 0, .expires = draw(3) == 0 ? model.now + 1000 : 0,
		.accepted = model.now,
	}, .state = MODEL_WAITS };

	if (model.count == MODEL_MOST)
		return;
	if (in_turn) {
		bool taken = false;

		for (size_t i = 0; i < model.count; i++)
			taken |= model.items[i].item.key == m.item.key &&
			    model.items[i].state == MODEL_TURN;
		m.state = MODEL_TURN;
		assert_int_equal(backlog_put_in_turn(b, &m.item), taken ? -1 : 0);
		if (taken)
			return;
	} else {
		m.item.due = draw(4) == 0 ? draw_due() : 0;
		if (m.item.aside && m.item.due > 0)
			m.state = MODEL_ASIDE;
		assert_int_equal(backlog_put(b, &m.item), 0);
	}
	model.items[model.count++] = m;
}

static void
step_take(struct backlog *b, unsigned link)
{
	struct backlog_item got;
	struct model_item *m;

	backlog_wake(b, model.now);
	assert_int_equal(backlog_ready(b, link), model_ready(link));
	if (!backlog_take(b, link, model.now, &got)) {
		assert_false(model_ready(link));
		return;
	}
	m = model_find(got.id);
	assert_non_null(m);
	assert_ptr_equal(model_candidate(m->item.key), m);
	assert_true(model_serves(m->item.route, link));
	assert_int_equal(got.key, m->item.key);
	assert_int_equal(got.klass, m->item.klass);
	assert_int_equal(got.group, m->item.group);
	assert_int_equal(got.flow, m->item.flow);
	assert_int_equal(got.expires, m->item.expires);
	m->state = MODEL_TURN;
}

static void
step_end(struct backlog *b)
{
	struct model_item *m = model_random(draw(5) == 0 ? MODEL_ASIDE : MODEL_TURN);

	if (m == NULL)
		return;
	switch (draw(4)) {
	case 0:
		m->item.due = draw_due();
		m->state = MODEL_WAITS;
		backlog_again(b, m->item.id, m->item.key, m->item.due);
		break;
	case 1:
		m->item.due = draw_due();
		m->state = MODEL_ASIDE;
		backlog_pass(b, m->item.id, m->item.key, m->item.due);
		break;
	default:
		backlog_done(b, m->item.id, m->item.key);
		model_drop(m);
	}
}

static void
expired_one(void *arg, const struct backlog_item *i)
{
	struct model_item *m = model_find(i->id);

	assert_non_null(m);
	assert_int_not_equal(m->state, MODEL_TURN);
	assert_true(m->item.expires > 0 && m->item.expires <= model.now);
	if (draw(2)) {
		assert_true(backlog_remove(arg, i->id, i->key));
		model_drop(m);
	}
}

static void
step_other(struct backlog *b)
{
	struct model_item *m = model.count > 0 ? &model.items[draw((uint32_t)model.count)] : NULL;
	unsigned link = draw(LINKS);

	switch (draw(6)) {
	case 0:
		model.up[link] = !model.up[link];
		backlog_link_up(b, link, model.up[link]);
		break;
	case 1:
		if (m == NULL)
			break;
		assert_int_equal(backlog_remove(b, m->item.id, m->item.key),
		    m->state != MODEL_TURN);
		if (m->state != MODEL_TURN)
			model_drop(m);
		break;
	case 2:
		if (m == NULL)
			break;
		assert_int_equal(backlog_hold(b, m->item.id, m->item.key, !m->held),
		    m->state != MODEL_TURN);
		if (m->state != MODEL_TURN)
			m->held = !m->held;
		break;
	case 3:
		backlog_expired(b, model.now, draw(200), expired_one, b);
		break;
	case 4:
		assert_false(backlog_waiting(b, UINT64_C(1) << 50, 1 + draw(KEYS)));
		if (m != NULL)
			assert_int_equal(backlog_waiting(b, m->item.id, m->item.key),
			    m->state != MODEL_TURN);
		break;
	default:
		model.now += 64 * (wall_t)draw(10);
	}
}

static void
model_start(struct backlog *b)
{
	static const unsigned may[ROUTES] = { 1, 2, 3, 15, 12 }, preferred[ROUTES] = { 0, 0, 2, 4, 8 };

	memset(&model, 0, sizeof model);
	model.now = INT64_C(1795000000) * 1000 / 64 * 64;
	memcpy(model.may, may, sizeof may);
	memcpy(model.preferred, preferred, sizeof preferred);
	for (unsigned r = 0; r < ROUTES; r++) {
		struct backlog_links m = { { may[r] } }, p = { { preferred[r] } };

		assert_int_equal(backlog_route(b, &m, &p), (int)r);
		assert_int_equal(backlog_route(b, &m, &p), (int)r);
	}
	assert_int_equal(backlog_flow(b, "", 0), 0);
	assert_int_equal(backlog_flow(b, "amy", 3), 1);
	assert_int_equal(backlog_flow(b, "bob", 3), 2);
}

/* Never too late, and early by no more than what it promises. */
static void
model_oldest(const struct backlog *b)
{
	wall_t oldest = 0, says = backlog_oldest(b);

	for (size_t i = 0; i < model.count; i++)
		if (oldest == 0 || model.items[i].item.accepted < oldest)
			oldest = model.items[i].item.accepted;
	assert_true(says <= oldest && says > oldest - AGES_STEP_MS);
}

static void
random_steps(uint32_t start, unsigned steps, unsigned puts)
{
	struct backlog *b = backlog_new();

	seed = start;
	model_start(b);
	for (unsigned i = 0; i < steps; i++) {
		unsigned what = draw(100);
		size_t turns = 0, routes = 0;

		if (what < puts)
			step_put(b, (uint64_t)draw(3) << 44 | (i + 1), draw(8) == 0);	/* of three nodes */
		else if (what < 60)
			step_take(b, draw(LINKS));
		else if (what < 85)
			step_end(b);
		else
			step_other(b);
		for (size_t k = 0; k < model.count; k++)
			turns += model.items[k].state == MODEL_TURN;
		for (unsigned r = 0; r < ROUTES; r++)
			routes += backlog_count_route(b, r);
		assert_int_equal(backlog_count(b), model.count - turns);
		assert_int_equal(routes, model.count - turns);
		model_oldest(b);
	}
	backlog_free(&b);
}

static void
test_model(void **state)
{
	(void)state;
	for (uint32_t s = 1; s <= 10; s++)
		random_steps(s * 7919, STEPS / 10, 15 + 3 * s);
}

/* --- one sentence each ---------------------------------------------------------- */

static struct backlog *
one_link(void)
{
	struct backlog *b = backlog_new();
	struct backlog_links all = { { 1 } }, none = { { 0 } };

	assert_non_null(b);
	assert_int_equal(backlog_route(b, &all, &none), 0);
	backlog_link_up(b, 0, true);
	return b;
}

static void
put(struct backlog *b, uint64_t id, uint64_t key, enum message_class klass, uint16_t flow)
{
	struct backlog_item i = { .id = id, .key = key, .klass = (uint8_t)klass, .flow = flow };

	assert_int_equal(backlog_put(b, &i), 0);
}

static uint64_t
take(struct backlog *b)			/* and ends its turn */
{
	struct backlog_item i;

	if (!backlog_take(b, 0, 1000, &i))
		return 0;
	backlog_done(b, i.id, i.key);
	return i.id;
}

static void
test_password_text_passes_bulk(void **state)
{
	struct backlog *b = one_link();
	unsigned turns = 0;

	(void)state;
	for (uint64_t id = 1; id <= 100000; id++)
		put(b, id, id, CLASS_BULK, 0);
	for (unsigned i = 0; i < 10; i++)
		take(b);
	put(b, 200000, 200000, CLASS_HIGH, 1);
	while (take(b) != 200000)
		turns++;
	assert_true(turns <= BACKLOG_WEIGHT_BULK);
	backlog_free(&b);
}

static void
test_weights(void **state)
{
	struct backlog *b = one_link();
	unsigned got[CLASSES] = { 0 };

	(void)state;
	for (uint64_t id = 1; id <= 3000; id++)
		put(b, id, id, (enum message_class)(id % CLASSES), 0);
	for (unsigned i = 0; i < 10 * 21; i++)
		got[take(b) % CLASSES]++;
	assert_int_equal(got[CLASS_HIGH], 160);
	assert_int_equal(got[CLASS_NORMAL], 40);
	assert_int_equal(got[CLASS_BULK], 10);
	backlog_free(&b);
}

static void
test_accounts_take_turns(void **state)
{
	struct backlog *b = one_link();
	unsigned small = 0;

	(void)state;
	assert_int_equal(backlog_flow(b, "big", 3), 1);
	assert_int_equal(backlog_flow(b, "small", 5), 2);
	for (uint64_t id = 1; id <= 1000; id++)
		put(b, id, id, CLASS_NORMAL, 1);
	for (uint64_t id = 2001; id <= 2010; id++)
		put(b, id, id, CLASS_NORMAL, 2);
	for (unsigned i = 0; i < 20; i++)
		small += take(b) > 2000;
	assert_int_equal(small, 10);
	backlog_free(&b);
}

static void
test_lane_has_best_class(void **state)
{
	struct backlog *b = one_link();

	(void)state;
	put(b, 1, 1, CLASS_BULK, 0);
	put(b, 2, 2, CLASS_NORMAL, 0);
	put(b, 3, 1, CLASS_HIGH, 0);	/* lifts its lane, but stays behind message 1 */
	assert_int_equal(take(b), 1);
	assert_int_equal(take(b), 3);
	assert_int_equal(take(b), 2);
	assert_int_equal(take(b), 0);
	backlog_free(&b);
}

static void
test_idle(void **state)
{
	struct backlog *b = one_link();
	struct backlog_item i = { .id = 1, .key = 1 };

	(void)state;
	assert_true(backlog_idle(b, 1, 0));
	assert_int_equal(backlog_put_in_turn(b, &i), 0);
	assert_false(backlog_idle(b, 1, 0));		/* its lane is not empty */
	assert_true(backlog_idle(b, 2, 0));
	put(b, 2, 2, CLASS_NORMAL, 0);
	assert_false(backlog_idle(b, 3, 0));		/* somebody waits for the link */
	backlog_free(&b);
}

static void
test_deferred_does_not_hold(void **state)
{
	struct backlog *b = one_link();
	struct backlog_item i = { .id = 1, .key = 1, .aside = true, .due = 5000 };

	(void)state;
	assert_int_equal(backlog_put(b, &i), 0);
	put(b, 2, 1, CLASS_NORMAL, 0);
	assert_int_equal(take(b), 2);
	assert_int_equal(take(b), 0);
	assert_in_range(backlog_wake(b, 1000), 5000, 5064);
	assert_int_equal(backlog_wake(b, 5064), 0);
	assert_int_equal(take(b), 0);			/* take() looks at 1000 */
	backlog_free(&b);
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
test_million(void **state)
{
	enum { MANY = 1000000 };
	struct backlog *b = one_link();
	double start = seconds(), filled, worst = 0;
	size_t empty = backlog_octets(b), full;
	struct backlog_item i;

	(void)state;
	for (uint64_t id = 1; id <= MANY; id++)
		put(b, id, id * UINT64_C(0x9e3779b97f4a7c15), CLASS_NORMAL, 0);
	filled = seconds();
	full = backlog_octets(b);
	for (uint64_t id = 1; id <= MANY; id++) {
		assert_true(backlog_take(b, 0, 1000, &i));
		assert_int_equal(i.id, id);
		backlog_done(b, i.id, i.key);
	}
	worst = seconds();
	printf("  1,000,000 MSISDNs: %zu octets, %zu when empty again; put %.0f ns, take and done %.0f ns\n",
	    full, backlog_octets(b), (filled - start) * 1e9 / MANY, (worst - filled) * 1e9 / MANY);
	assert_true(full <= 64 * 1000 * 1000);
	assert_true(backlog_octets(b) <= 4 * empty);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
	assert_true((worst - start) * 1e9 / MANY < 1000);
#endif
	backlog_free(&b);
}

/* All to one MSISDN: nothing may look at the whole lane. */
static void
test_long_lane(void **state)
{
	enum { MANY = 200000 };
	struct backlog *b = one_link();
	double start = seconds();

	(void)state;
	for (uint64_t id = 1; id <= MANY; id++)
		put(b, id, 7, CLASS_NORMAL, 0);
	assert_true(backlog_octets(b) <= 64 * MANY + (1 << 20));
	for (uint64_t id = 1; id <= MANY; id++)
		assert_int_equal(take(b), id);
	assert_true(seconds() - start < 5);
	backlog_free(&b);
}

static void
test_limits(void **state)
{
	struct backlog *b = backlog_new();
	char name[16];

	(void)state;
	for (unsigned i = 0; i < BACKLOG_ROUTES; i++) {
		struct backlog_links may = { { i, i * 3 } }, none = { { 0 } };

		assert_int_equal(backlog_route(b, &may, &none), (int)i);
	}
	assert_int_equal(backlog_route(b, &(struct backlog_links){ { 1, 2, 3 } },
	    &(struct backlog_links){ { 0 } }), -1);
	for (int i = 1; i < BACKLOG_FLOWS; i++)
		assert_int_equal(backlog_flow(b, name, (size_t)snprintf(name, sizeof name, "u%d", i)), i);
	assert_int_equal(backlog_flow(b, "one more", 8), -1);
	assert_int_equal(backlog_flow(b, "u77", 3), 77);
	backlog_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_password_text_passes_bulk),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_accounts_take_turns),
		cmocka_unit_test(test_lane_has_best_class),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_deferred_does_not_hold),
		cmocka_unit_test(test_million),
		cmocka_unit_test(test_long_lane),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
