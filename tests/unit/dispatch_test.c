/*
 * dispatch_test.c - the way OUT as a whole: a real queue, a scripted driver, recorded callbacks
 *
 * Callbacks are recorded as lines "CODE URL".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/finding.h"
#include "dispatch/dispatch.h"
#include "dispatch/guard.h"
#include "dispatch/notify.h"
#include "dispatch/retry.h"
#include "io/log.h"
#include "io/loop.h"
#include "push/segment.h"
#include "push/udh.h"
#include "queue/queue.h"
#include "smsc/smsc.h"

#include "fake_smsc.h"

enum { CALLS_MOST = 4096, PATIENCE_MS = 8000, NO_URL = -2 };

/* --- recorded callbacks ---------------------------------------------------------------- */

struct call {
	char		 url[160];
	fetch_done_fn	*done;
	void		*arg;
	bool		 open;
	struct call	*next;
};

static struct call calls[CALLS_MOST];
static size_t calls_count, calls_open, calls_open_most;
static struct soon calls_soon;
static int (*call_status)(const struct call *);	/* 0: nobody there; -1: no answer now; NO_URL */
static struct loop *loop;

static void
calls_answer(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < calls_count; i++) {
		struct fetch_result r = { .status = 200 };

		if (!calls[i].open)
			continue;
		if (call_status != NULL)
			r.status = call_status(&calls[i]);
		if (r.status == -1)
			continue;
		if (r.status == NO_URL)
			r = (struct fetch_result){ .hopeless = true };
		calls[i].open = false;
		calls_open--;
		calls[i].done(calls[i].arg, &r);
	}
}

static void *
call_make(void *arg, const char *url, fetch_done_fn *done, void *done_arg)
{
	struct call *c = &calls[calls_count++];

	(void)arg;
	assert_true(calls_count < CALLS_MOST);
	snprintf(c->url, sizeof c->url, "%s", url);
	c->done = done;
	c->arg = done_arg;
	c->open = true;
	if (++calls_open > calls_open_most)
		calls_open_most = calls_open;
	loop_soon(loop, &calls_soon);
	return c;
}

static void
call_cancel(void *call)
{
	((struct call *)call)->open = false;
	calls_open--;
}

static const struct notify_calls recorded = { .call = call_make, .cancel = call_cancel };

/* --- the house --------------------------------------------------------------------------- */

static struct queue *queue;
static struct dispatch *dispatch;
static struct conf *confs[8];
static size_t conf_count;
static struct dispatch_conf settings;
static struct timer *step_timer;
static size_t stored;
static char push_ids[SENT_MOST][PUSH_ID_SIZE];
static uint64_t last_id;

static void
step_end(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
step(void)
{
	timer_set(step_timer, 1);
	loop_run(loop);
}

#define UNTIL(condition) do {						\
	mono_t until_ = clock_mono() + PATIENCE_MS;			\
	while (!(condition)) {						\
		if (clock_mono() > until_)				\
			fail_msg("line %d: never came: %s", __LINE__, #condition);	\
		step();							\
	}								\
} while (0)

static void
pause_ms(unsigned ms)			/* to see that something does not happen */
{
	for (mono_t until = clock_mono() + ms; clock_mono() < until;)
		step();
}

static void
links(const char *groups)
{
	struct findings found = { 0 };
	struct conf *c = conf_read_text("test", text_of(groups), &found);

	assert_non_null(c);
	confs[conf_count++] = c;
	if (dispatch_links(dispatch, c, &found) == -1)
		fail_msg("%s", found.count > 0 ? found.list[0].text : "links");
	findings_free(&found);
}

static void
all_up(void)
{
	for (size_t i = 0; i < LINKS; i++)
		if (fakes[i] != NULL && !fakes[i]->up && !fakes[i]->drained)
			fake_state(fakes[i], SMSC_UP);
}

static bool
loading(void)
{
	struct dispatch_status s;

	dispatch_status(dispatch, &s);
	return s.loading;
}

static void
house_open(const struct store_driver *driver, const char *path)
{
	struct err err = { 0 };
	struct store_conf conf = { .path = path, .retention_s = 3600 };

	if (loop == NULL) {
		loop = loop_new(&err);
		step_timer = timer_new(loop, step_end, NULL);
	}
	calls_soon = (struct soon){ .run = calls_answer };
	queue = queue_open(loop, driver, &conf, &err);
	if (queue == NULL)
		fail_msg("%s", err.text);
	dispatch = dispatch_new_calls(loop, queue, &recorded, &settings, drivers);
	assert_non_null(dispatch);
}

static void
house_close(void)
{
	loop_not_soon(loop, &calls_soon);
	dispatch_free(&dispatch);
	queue_close(&queue);
	while (conf_count > 0)
		conf_free(&confs[--conf_count]);
}

static void
start(const char *groups)
{
	links(groups);
	dispatch_start(dispatch);
	UNTIL(!loading());
	all_up();
}

static int
setup(void **state)
{
	(void)state;
	settings = (struct dispatch_conf){ .order_hold_s = 300, .resend_freq_s = 0,
	    .resend_retry = -1, .callback_retry = -1, .callback_delay_s = 10, .callbacks_most = 512 };
	script = NULL;
	call_status = NULL;
	sent_count = calls_count = calls_open = calls_open_most = stored = ids = 0;
	ids_none = vanish = false;
	house_open(&store_memory, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	house_close();
	timer_free(&step_timer);
	loop_free(&loop);
	return 0;
}

static void
on_stored(void *arg, const struct err *err, const uint64_t *new_ids, size_t n, bool repeated)
{
	(void)arg;
	(void)repeated;
	assert_null(err);
	for (size_t i = 0; i < n; i++)
		queue_push_id_of(queue, last_id = new_ids[i], push_ids[stored++]);
}

struct want {				/* a message; what is 0 gets a default */
	const char	*to, *text, *smsc, *url, *group;
	uint8_t		 mask, klass;
	wall_t		 lives_ms, not_before;
};

static struct message *
make(const struct want *w)
{
	wall_t now = clock_wall();
	struct message m = {
		.account = TEXT("amy"), .service = TEXT("amy"), .msisdn = text_of(w->to),
		.sender = TEXT("123"), .smsc = text_of(w->smsc), .group = text_of(w->group),
		.dlr_url = text_of(w->url), .body = text_of(w->text != NULL ? w->text : "hi"),
		.kind = MESSAGE_TEXT, .klass = w->klass, .coding = CODING_GSM7,
		.mclass = MESSAGE_UNSET, .mwi = MESSAGE_UNSET, .alt_dcs = MESSAGE_UNSET,
		.compress = MESSAGE_UNSET, .rpi = MESSAGE_UNSET, .priority = MESSAGE_UNSET,
		.pid = MESSAGE_UNSET, .dlr_mask = w->mask, .concatenate = true,
		.segments_most = 255, .octets_most = 140, .accepted = now,
		.expires = now + (w->lives_ms != 0 ? w->lives_ms : 3600 * 1000),
		.not_before = w->not_before,
	};

	return message_new(&m);
}

static void
submit(const struct want *w)
{
	struct message *m = make(w);

	assert_non_null(queue_submit(queue, &m, 1, on_stored, NULL));
}

#define SUBMIT(...)	submit(&(struct want){ __VA_ARGS__ })

static struct store_view seen;
static bool seen_now;

static void
on_found(void *arg, const struct err *err, const struct store_view *v, size_t n)
{
	(void)arg;
	seen_now = true;
	seen = err == NULL && n == 1 ? *v : (struct store_view){ .state = 99 };
}

static const struct store_view *
look(size_t n)				/* at the n-th submission */
{
	seen_now = false;
	queue_find(queue, TEXT("amy"), text_of(push_ids[n]), on_found, NULL);
	UNTIL(seen_now);
	return &seen;
}

#define IS(n, what, how)	(look(n)->state == (what) && seen.outcome == (how))
#define FINISHED(n, how)	IS(n, STATE_FINISHED, how)

static const char one_link[] = "group = smsc\nsmsc = fake\nsmsc-id = a\n";
static const char two_links[] =
    "group = smsc\nsmsc = fake\nsmsc-id = a\n\n"
    "group = smsc\nsmsc = fake\nsmsc-id = b\npreferred-smsc-id = vip\n";

/* --- sending ------------------------------------------------------------------------------- */

static void
test_one_message(void **state)
{
	(void)state;
	start(one_link);
	SUBMIT(.to = "+4479001", .text = "hello");
	UNTIL(stored == 1 && FINISHED(0, OUTCOME_SENT));
	assert_int_equal(sent_count, 1);
	assert_string_equal(sent[0].to, "+4479001");
	assert_string_equal(sent[0].text, "hello");
	assert_false(sent[0].report);
	assert_true(text_is(seen.link, "0/a"));
}

static char long_text[1000];

static const char *
of_segments(unsigned n)
{
	memset(long_text, 'x', sizeof long_text);
	long_text[n * 153 - 10] = '\0';
	return long_text;
}

static enum script
second_later(const struct sent *s, size_t n)
{
	(void)s;
	return n == 1 ? SCRIPT_TRY_LATER : SCRIPT_ACCEPT;
}

static void
test_partial(void **state)
{
	(void)state;
	script = second_later;
	start("group = smsc\nsmsc = fake\nsmsc-id = a\nmax-pending-submits = 2\n");
	SUBMIT(.to = "+4479001", .text = of_segments(3));
	UNTIL(stored == 1 && FINISHED(0, OUTCOME_SENT));
	/* 1 and 2 fit into the window, 2 is refused: 2 and 3 go again, 1 does not. */
	assert_int_equal(sent_count, 4);
	assert_int_equal(sent[0].number, 1);
	assert_int_equal(sent[1].number, 2);
	assert_int_equal(sent[2].number, 2);
	assert_int_equal(sent[3].number, 3);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(sent[i].reference, sent[0].reference);
	assert_int_equal(seen.attempt, 1);
}

static void
test_references_of_an_msisdn(void **state)
{
	(void)state;
	start(one_link);
	for (unsigned i = 0; i < 3; i++)
		SUBMIT(.to = "+4479001", .text = of_segments(2));
	UNTIL(sent_count == 6);
	assert_int_not_equal(sent[0].reference, sent[2].reference);
	assert_int_not_equal(sent[2].reference, sent[4].reference);
	assert_int_equal(sent[0].reference, sent[1].reference);
}

static void
test_partial_other_link(void **state)
{
	struct dispatch_status s;

	(void)state;
	script = second_later;
	settings.resend_freq_s = 1;
	house_close();
	house_open(&store_memory, NULL);
	start(two_links);
	SUBMIT(.to = "+4479001", .text = of_segments(2), .smsc = "vip");
	UNTIL(sent_count == 2);
	assert_string_equal(fake_text(sent[0].by), "b");
	pause_ms(20);
	fake_state(sent[0].by, SMSC_RECONNECTING);
	UNTIL(stored == 1 && FINISHED(0, OUTCOME_SENT));
	assert_int_equal(sent_count, 4);		/* both again */
	assert_string_equal(fake_text(sent[2].by), "a");
	assert_int_equal(seen.attempt, 2);
	assert_int_not_equal(sent[2].reference, sent[0].reference);
	dispatch_status(dispatch, &s);
	assert_int_equal(s.possible_duplicates, 1);
}

static enum script
some_slow_down(const struct sent *s, size_t n)
{
	(void)s;
	return n == 7 || n == 8 || n == 9 || n == 40 ? SCRIPT_SLOW_DOWN : SCRIPT_ACCEPT;
}

static void
check_order(size_t msisdns)
{
	unsigned last[32] = { 0 };

	for (size_t i = 0; i < sent_count; i++) {
		unsigned who = (unsigned)atoi(sent[i].to + 5) % 32, n = (unsigned)atoi(sent[i].text);

		assert_true(who < msisdns);
		if (sent[i].script != SCRIPT_ACCEPT)
			continue;
		assert_int_equal(n, last[who] + 1);
		last[who] = n;
	}
}

static void
test_order_under_throttling(void **state)
{
	char to[24], text[24];

	(void)state;
	script = some_slow_down;
	start(one_link);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(to, sizeof to, "+4479%u", i % 10);
		snprintf(text, sizeof text, "%u", i / 10 + 1);
		SUBMIT(.to = to, .text = text);
	}
	UNTIL(sent_count == 304);
	check_order(10);
}

static void
test_order_across_links(void **state)
{
	(void)state;
	start("group = smsc\nsmsc = fake\nsmsc-id = a\nallowed-smsc-id = a\n\n"
	    "group = smsc\nsmsc = fake\nsmsc-id = b\nallowed-smsc-id = b\n");
	fake_state(fakes[0], SMSC_RECONNECTING);
	SUBMIT(.to = "+44790", .text = "1", .smsc = "a");	/* its link is down */
	SUBMIT(.to = "+44790", .text = "2", .smsc = "b");	/* the same batch, a free link */
	SUBMIT(.to = "+44791", .text = "1", .smsc = "b");
	UNTIL(sent_count == 1);
	pause_ms(30);
	assert_int_equal(sent_count, 1);
	assert_string_equal(sent[0].to, "+44791");
	fake_state(fakes[0], SMSC_UP);
	UNTIL(sent_count == 3);
	assert_string_equal(sent[1].text, "1");
	assert_string_equal(sent[2].text, "2");
}

static enum script
first_later(const struct sent *s, size_t n)
{
	(void)n;
	return strcmp(s->text, "1") == 0 ? SCRIPT_TRY_LATER : SCRIPT_ACCEPT;
}

static void
test_order_hold(void **state)
{
	static const struct {
		const char	*name;
		long		 hold_s, freq_s;
		bool		 passes;
	} rows[] = {
		{ "a refused one holds later ones",	300, 60, false },
		{ "no longer than order-hold",		1, 60, true },
		{ "not at all when told so",		0, 60, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		settings.order_hold_s = rows[i].hold_s;
		settings.resend_freq_s = rows[i].freq_s;
		house_close();
		house_open(&store_memory, NULL);
		script = first_later;
		sent_count = stored = 0;
		start(one_link);
		SUBMIT(.to = "+44790", .text = "1", .group = "pin");
		SUBMIT(.to = "+44790", .text = "2");
		SUBMIT(.to = "+44790", .text = "3", .group = "pin");
		UNTIL(sent_count == (rows[i].passes ? 2 : 1));
		pause_ms(50);
		if (sent_count != (rows[i].passes ? 2u : 1u))
			fail_msg("%s: %zu", rows[i].name, sent_count);
		if (rows[i].passes)	/* but never one of its own group */
			assert_string_equal(sent[1].text, "2");
	}
}

static enum script
always_few(const struct sent *s, size_t n)
{
	(void)s;
	(void)n;
	return SCRIPT_TRY_FEW;
}

static enum script
always_later(const struct sent *s, size_t n)
{
	(void)s;
	(void)n;
	return SCRIPT_TRY_LATER;
}

static void
test_tries_are_limited(void **state)
{
	(void)state;
	script = always_few;
	settings.resend_retry = 5;
	house_close();
	house_open(&store_memory, NULL);
	start(one_link);
	SUBMIT(.to = "+44790");
	UNTIL(stored == 1 && FINISHED(0, OUTCOME_REJECTED));
	assert_int_equal(sent_count, 3);
	script = always_later;
	SUBMIT(.to = "+44791");
	UNTIL(stored == 2 && FINISHED(1, OUTCOME_REJECTED));
	assert_int_equal(sent_count, 3 + 6);
}

/* Everything at once: refusals, silence, unknown outcomes, lines that are cut, then calm. */

static uint32_t storm_seed;
static bool storming;

static uint32_t
draw(uint32_t most)
{
	storm_seed = storm_seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(storm_seed >> 4) * most >> 28);
}

static enum script
storm(const struct sent *s, size_t n)
{
	uint32_t d = draw(100);

	(void)s;
	(void)n;
	if (!storming || d < 80)
		return SCRIPT_ACCEPT;
	return d < 88 ? SCRIPT_TRY_LATER : d < 92 ? SCRIPT_NEVER : d < 96 ? SCRIPT_UNKNOWN : SCRIPT_SILENT;
}

static void
storm_submit(unsigned n)
{
	char to[24], text[600];

	snprintf(to, sizeof to, "+4479%u", n % 30);
	snprintf(text, sizeof text, "%u %*s", n / 30 + 1, draw(4) == 0 ? 300 + (int)draw(200) : 1, "x");
	SUBMIT(.to = to, .text = text, .mask = draw(3) == 0 ? 8 : 0, .url = "http://h/",
	    .smsc = draw(4) == 0 ? "vip" : NULL, .klass = (uint8_t)draw(CLASSES));
}

static void
test_storm(void **state)
{
	enum { MANY = 3000 };
	struct dispatch_status s = { .waiting = 1 };
	unsigned last[30] = { 0 };

	(void)state;
	storm_seed = 20261124;
	storming = true;
	script = storm;
	start("group = smsc\nsmsc = fake\nsmsc-id = a\nwait-ack = 20\n\n"
	    "group = smsc\nsmsc = fake\nsmsc-id = b\npreferred-smsc-id = vip\nwait-ack = 20\n"
	    "max-pending-submits = 3\n");
	for (unsigned n = 0; n < MANY; step()) {
		struct smsc *f = fakes[draw(2)];

		for (unsigned i = draw(40); i > 0 && n < MANY; i--)
			storm_submit(n++);
		if (draw(20) == 0)
			fake_state(f, f->up ? SMSC_RECONNECTING : SMSC_UP);
	}
	storming = false;
	all_up();
	for (mono_t begin = clock_mono(); s.waiting + s.in_flight > 0; step()) {
		assert_true(clock_mono() - begin < 2 * PATIENCE_MS);
		for (size_t i = 0; i < sent_count; i++)
			if (sent[i].script == SCRIPT_SILENT && !sent[i].answered) {
				sent[i].script = SCRIPT_UNKNOWN;
				answer(&sent[i]);
			}
		dispatch_status(dispatch, &s);
	}
	for (size_t i = 0; i < sent_count; i++) {
		unsigned who = (unsigned)atoi(sent[i].to + 5), n = (unsigned)atoi(sent[i].text);

		if (sent[i].number > 1)
			continue;
		assert_true(n == last[who] || n == last[who] + 1);	/* again, or the next */
		last[who] = n;
	}
	for (unsigned who = 0; who < 30; who++)
		assert_int_equal(last[who], MANY / 30);
	UNTIL(look(MANY - 1)->state == STATE_FINISHED);
}

/* --- links -------------------------------------------------------------------------------- */

static void
test_preferred_link(void **state)
{
	(void)state;
	start(two_links);
	for (unsigned i = 0; i < 8; i++)
		SUBMIT(.to = "+44790", .smsc = "vip");
	UNTIL(stored == 8 && FINISHED(7, OUTCOME_SENT));
	for (unsigned i = 0; i < 8; i++)
		assert_string_equal(fake_text(sent[i].by), "b");
	fake_state(sent[0].by, SMSC_RECONNECTING);
	SUBMIT(.to = "+44790", .smsc = "vip");
	UNTIL(sent_count == 9);
	assert_string_equal(fake_text(sent[8].by), "a");
}

static void
test_link_down_and_up(void **state)
{
	char to[24];

	(void)state;
	start(one_link);
	fake_state(fakes[0], SMSC_RECONNECTING);
	for (unsigned i = 0; i < 500; i++) {
		snprintf(to, sizeof to, "+4479%u", i);
		SUBMIT(.to = to);
	}
	UNTIL(stored == 500);
	pause_ms(20);
	assert_int_equal(sent_count, 0);
	fake_state(fakes[0], SMSC_UP);
	UNTIL(sent_count == 500);
	UNTIL(FINISHED(499, OUTCOME_SENT));
}

static void
test_routable(void **state)
{
	struct message *a, *b;

	(void)state;
	start("group = smsc\nsmsc = fake\nsmsc-id = a\nallowed-smsc-id = a\n");
	a = make(&(struct want){ .to = "+44790", .smsc = "a" });
	b = make(&(struct want){ .to = "+44790", .smsc = "b" });
	assert_int_equal(dispatch_routable(dispatch, a), ROUTABLE_NOW);
	assert_int_equal(dispatch_routable(dispatch, b), ROUTABLE_NEVER);
	fake_state(fakes[0], SMSC_UP_RECEIVE_ONLY);
	assert_int_equal(dispatch_routable(dispatch, a), ROUTABLE_LATER);
	SUBMIT(.to = "+44790", .smsc = "a");
	pause_ms(30);
	assert_int_equal(sent_count, 0);
	message_free(&a);
	message_free(&b);
}

static void
test_unified_prefix(void **state)
{
	(void)state;
	start("group = smsc\nsmsc = fake\nsmsc-id = a\nunified-prefix = \"0044,+44,44\"\n");
	SUBMIT(.to = "+4479001");
	UNTIL(sent_count == 1);
	assert_string_equal(sent[0].to, "004479001");
}

static void
test_throughput(void **state)
{
	char to[24];
	mono_t begin;

	(void)state;
	start("group = smsc\nsmsc = fake\nsmsc-id = a\nthroughput = 50\n");
	begin = clock_mono();
	for (unsigned i = 0; i < 40; i++) {
		snprintf(to, sizeof to, "+4479%u", i);
		SUBMIT(.to = to);
	}
	UNTIL(sent_count == 40);
	assert_true(clock_mono() - begin >= 600);	/* (40 - burst of 5) / 50 = 0.7 s */
}

static void
test_names_and_instances(void **state)
{
	struct link_status s;

	(void)state;
	start("group = smsc\nsmsc = fake\nsmsc-id = a\ninstances = 2\n\n"
	    "group = smsc\nsmsc = fake\nsmsc-id = a\n\n"
	    "group = smsc\nsmsc = fake\nsmsc-id = z\ndead-start = yes\n");
	assert_int_equal(dispatch_link_count(dispatch), 4);
	dispatch_link_status(dispatch, 1, &s);
	assert_string_equal(s.name, "a#2");
	dispatch_link_status(dispatch, 2, &s);
	assert_string_equal(s.name, "a#3");
	assert_string_equal(s.smsc_id, "a");
	assert_string_equal(s.state, "online");
	dispatch_link_status(dispatch, 3, &s);
	assert_string_equal(s.state, "dead");
}

static void
test_reload(void **state)
{
	struct smsc *a, *b;

	(void)state;
	start("group = smsc\nsmsc = fake\nsmsc-id = a\n\ngroup = smsc\nsmsc = fake\nsmsc-id = b\nhost = x\n");
	a = fakes[0];
	b = fakes[1];
	fake_state(a, SMSC_RECONNECTING);
	fake_state(b, SMSC_RECONNECTING);
	SUBMIT(.to = "+44790");
	SUBMIT(.to = "+44791");
	UNTIL(stored == 2);
	/* a goes, b keeps its connection with new rules, c comes */
	links("group = smsc\nsmsc = fake\nsmsc-id = b\nhost = x\ndenied-prefix = +44\n\n"
	    "group = smsc\nsmsc = fake\nsmsc-id = c\n");
	assert_ptr_equal(fakes[1], b);
	fake_state(b, SMSC_UP);
	pause_ms(50);
	assert_int_equal(sent_count, 0);		/* b asks, and may not */
	all_up();
	UNTIL(sent_count == 2);
	assert_string_equal(fake_text(sent[0].by), "c");
	assert_string_equal(fake_text(sent[1].by), "c");
	UNTIL(dispatch_link_count(dispatch) == 2);
	/* another host: the old connection closes before the new one opens, under the same name */
	links("group = smsc\nsmsc = fake\nsmsc-id = b\nhost = y\n");
	assert_int_equal(dispatch_link_count(dispatch), 3);
	UNTIL(dispatch_link_count(dispatch) == 1);
	all_up();
	SUBMIT(.to = "+44790");
	UNTIL(sent_count == 3);
	assert_string_equal(fake_text(sent[2].by), "b");
}

static void
test_bad_reload_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"group = smsc\nsmsc = carrier-pigeon\n",
		"group = smsc\nsmsc = fake\nallowed-prefix-regex = (\n",
		"group = smsc\nsmsc = fake\nsmsc-id = new\n\ngroup = smsc\nsmsc = fake\nbroken = 1\n",
	};

	(void)state;
	start(one_link);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct findings found = { 0 };
		struct conf *c = conf_read_text("bad", text_of(bad[i]), &found);

		assert_int_equal(dispatch_links(dispatch, c, &found), -1);
		assert_true(found.errors > 0);
		findings_free(&found);
		conf_free(&c);
		assert_int_equal(dispatch_link_count(dispatch), 1);
	}
	SUBMIT(.to = "+44790");
	UNTIL(sent_count == 1);
}

static enum script
always_silent(const struct sent *s, size_t n)
{
	(void)s;
	(void)n;
	return SCRIPT_SILENT;
}

static void
test_unsettled_bound(void **state)
{
	struct dispatch_status s;
	char to[24];

	(void)state;
	script = always_silent;
	start(one_link);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(to, sizeof to, "+4479%u", i);
		SUBMIT(.to = to);
	}
	UNTIL(stored == 1000);
	pause_ms(50);
	dispatch_status(dispatch, &s);
	assert_int_equal(sent_count, 10);
	assert_true(s.in_flight <= 10 + 256);
	assert_int_equal(s.waiting + s.in_flight, 1000);
}

static void
test_password_text_does_not_wait(void **state)
{
	char to[24];
	size_t at = 0;

	(void)state;
	start("group = smsc\nsmsc = fake\nsmsc-id = a\nthroughput = 200\n");
	fake_state(fakes[0], SMSC_RECONNECTING);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(to, sizeof to, "+4479%u", i);
		SUBMIT(.to = to, .klass = CLASS_BULK);
	}
	UNTIL(stored == 5000);
	fake_state(fakes[0], SMSC_UP);
	UNTIL(sent_count >= 100);
	SUBMIT(.to = "+358", .klass = CLASS_HIGH);
	at = sent_count;
	UNTIL(strcmp(sent[sent_count - 1].to, "+358") == 0 || sent_count > at + 60);
	assert_true(sent_count <= at + 60);		/* what was taken ahead, and no more */
}

/* --- unknown outcomes ---------------------------------------------------------------------- */

static enum script
first_unknown(const struct sent *s, size_t n)
{
	(void)s;
	return n == 0 ? SCRIPT_SILENT : SCRIPT_ACCEPT;
}

static void
test_unknown_resend(void **state)
{
	struct dispatch_status s;
	mono_t begin = clock_mono();

	(void)state;
	script = first_unknown;
	start("group = smsc\nsmsc = fake\nsmsc-id = a\nwait-ack = 600\n");
	SUBMIT(.to = "+44790", .text = "1");
	SUBMIT(.to = "+44790", .text = "2");
	UNTIL(sent_count == 1);
	fake_state(fakes[0], SMSC_RECONNECTING);
	UNTIL(IS(0, STATE_UNKNOWN, OUTCOME_NONE));
	fake_state(fakes[0], SMSC_UP);
	pause_ms(50);
	assert_int_equal(sent_count, 1);		/* it holds its turn */
	UNTIL(sent_count == 3);
	assert_true(clock_mono() - begin >= 600);
	assert_string_equal(sent[1].text, "1");
	assert_string_equal(sent[2].text, "2");
	dispatch_status(dispatch, &s);
	assert_int_equal(s.possible_duplicates, 1);
}

static void
test_unknown_link_gone(void **state)
{
	(void)state;
	script = first_unknown;
	start("group = smsc\nsmsc = fake\nsmsc-id = a\nwait-ack = 100\n");
	SUBMIT(.to = "+44790", .text = "1");
	UNTIL(sent_count == 1);
	links("group = smsc\nsmsc = fake\nsmsc-id = b\n");
	all_up();
	UNTIL(sent_count == 2);
	assert_string_equal(fake_text(sent[1].by), "b");
	UNTIL(FINISHED(0, OUTCOME_SENT));
	assert_int_equal(seen.attempt, 2);
}

static void
test_unknown_policies(void **state)
{
	static const struct {
		const char	*name, *group;
		enum store_state state;
		enum store_outcome outcome;
		size_t		 calls;
	} rows[] = {
		{ "held for a person", "group = smsc\nsmsc = fake\nsmsc-id = a\noutcome-unknown = hold\n",
		  STATE_HELD, OUTCOME_NONE, 0 },
		{ "given up", "group = smsc\nsmsc = fake\nsmsc-id = a\noutcome-unknown = give-up\n",
		  STATE_FINISHED, OUTCOME_UNKNOWN, 1 },
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		house_close();
		house_open(&store_memory, NULL);
		script = first_unknown;
		sent_count = stored = calls_count = 0;
		start(rows[i].group);
		SUBMIT(.to = "+44790", .text = "1", .mask = 64, .url = "http://h/?%d");
		SUBMIT(.to = "+44790", .text = "2");
		UNTIL(sent_count == 1);
		sent[0].script = SCRIPT_UNKNOWN;
		answer(&sent[0]);
		UNTIL(stored == 2 && IS(0, rows[i].state, rows[i].outcome));
		UNTIL(sent_count == 2);			/* later ones pass */
		assert_string_equal(sent[1].text, "2");
		UNTIL(calls_count == rows[i].calls);
		if (calls_count > 0)
			assert_string_equal(calls[0].url, "http://h/?66");
	}
}

static void
test_late_answer(void **state)
{
	static const struct {
		const char	*group;
		bool		 accepted;
		size_t		 sent;
	} rows[] = {
		{ "group = smsc\nsmsc = fake\nsmsc-id = a\nwait-ack = 60000\n", true, 2 },
		{ "group = smsc\nsmsc = fake\nsmsc-id = a\noutcome-unknown = hold\n", true, 2 },
		{ "group = smsc\nsmsc = fake\nsmsc-id = a\nwait-ack = 60000\n", false, 3 },
		{ "group = smsc\nsmsc = fake\nsmsc-id = a\noutcome-unknown = hold\n", false, 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct smsc_answer late = { .foreign_id = TEXT("late"), .refusal = SMSC_TRY_LATER };
		struct dispatch_status s;

		house_close();
		house_open(&store_memory, NULL);
		script = first_unknown;
		sent_count = stored = calls_count = 0;
		start(rows[i].group);
		SUBMIT(.to = "+44790", .text = "1", .mask = 8, .url = "http://h/?%d&%F");
		UNTIL(sent_count == 1);
		sent[0].script = SCRIPT_UNKNOWN;
		answer(&sent[0]);
		UNTIL(stored == 1 && (look(0)->state == STATE_HELD || seen.state == STATE_UNKNOWN));
		fakes[0]->setup.events->late(fakes[0]->setup.owner, sent[0].ticket,
		    rows[i].accepted, &late);
		UNTIL(FINISHED(0, OUTCOME_SENT));
		SUBMIT(.to = "+44790", .text = "2");
		UNTIL(sent_count == rows[i].sent);
		UNTIL(calls_count == 1);
		if (rows[i].accepted)
			assert_string_equal(calls[0].url, "http://h/?8&late");
		dispatch_status(dispatch, &s);
		assert_int_equal(s.possible_duplicates, 0);
	}
}

static void
remove_store(const char *folder)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-lock" };
	char path[96];

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		snprintf(path, sizeof path, "%s/k.db%s", folder, ends[i]);
		unlink(path);
	}
	rmdir(folder);
}

/* Two are on the line, one waits behind one of them; the process ends. */
static void
test_recovery(void **state)
{
	static const struct {
		const char	*name, *policy;
		bool		 crash;
		size_t		 sent;
		uint64_t	 recovered, duplicates;
		enum store_state state;		/* of the first one, at last */
		enum store_outcome outcome;
	} rows[] = {
		{ "killed, sent again",	"resend",  true,  3, 2, 2, STATE_FINISHED, OUTCOME_SENT },
		{ "killed, held",	"hold",	   true,  1, 2, 0, STATE_HELD, OUTCOME_NONE },
		{ "killed, given up",	"give-up", true,  1, 2, 0, STATE_FINISHED, OUTCOME_UNKNOWN },
		{ "closed, sent again",	"resend",  false, 3, 0, 2, STATE_FINISHED, OUTCOME_SENT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char folder[] = "/tmp/dispatch-test-XXXXXX", path[64], groups[160];
		struct dispatch_status s;

		assert_non_null(mkdtemp(folder));
		snprintf(path, sizeof path, "%s/k.db", folder);
		snprintf(groups, sizeof groups, "group = smsc\nsmsc = fake\nsmsc-id = a\nwait-ack = 50\n"
		    "outcome-unknown = %s\n", rows[i].policy);
		house_close();
		house_open(&store_sqlite, path);
		sent_count = stored = 0;
		script = always_silent;
		start(groups);
		SUBMIT(.to = "+44790", .text = "1");
		SUBMIT(.to = "+44790", .text = "2");
		SUBMIT(.to = "+44791", .text = "1");
		UNTIL(stored == 3 && sent_count == 2);
		vanish = rows[i].crash;
		house_close();
		vanish = false;
		house_open(&store_sqlite, path);
		script = NULL;
		sent_count = 0;
		start(groups);
		UNTIL(IS(0, rows[i].state, rows[i].outcome));
		UNTIL(FINISHED(1, OUTCOME_SENT));
		dispatch_status(dispatch, &s);
		if (sent_count != rows[i].sent || s.recovered_in_flight != rows[i].recovered ||
		    s.possible_duplicates != rows[i].duplicates)
			fail_msg("%s: %zu sent, %lu recovered, %lu duplicates", rows[i].name, sent_count,
			    (unsigned long)s.recovered_in_flight, (unsigned long)s.possible_duplicates);
		if (rows[i].sent == 3)
			check_order(3);
		house_close();
		remove_store(folder);
		house_open(&store_memory, NULL);
	}
}

/* A receipt was durable, the process ended before anybody was told of it. */
static void
test_receipt_left_by_a_crash(void **state)
{
	static const struct {
		const char	*name, *call;
		uint8_t		 receipt;
	} rows[] = {
		{ "on its way",	"http://h/?4&id1&X", RECEIPT_PENDING },
		{ "delivered",	"http://h/?1&id1&X", RECEIPT_DELIVERED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char folder[] = "/tmp/dispatch-test-XXXXXX", path[64];

		assert_non_null(mkdtemp(folder));
		snprintf(path, sizeof path, "%s/k.db", folder);
		house_close();
		house_open(&store_sqlite, path);
		sent_count = stored = calls_count = ids = 0;
		start(one_link);
		SUBMIT(.to = "+44790", .mask = 7, .url = "http://h/?%d&%F&%A");
		UNTIL(stored == 1 && look(0)->state == STATE_AWAITING);
		queue_receipt(queue, &(struct store_receipt){ .domain = TEXT("a"),
		    .foreign_id = TEXT("id1"), .said = TEXT("X"), .state = rows[i].receipt,
		    .at = clock_wall() }, NULL, NULL);
		house_close();
		assert_int_equal(calls_count, 0);
		house_open(&store_sqlite, path);
		start(one_link);
		UNTIL(calls_count == 1);
		if (strcmp(calls[0].url, rows[i].call) != 0)
			fail_msg("%s: %s", rows[i].name, calls[0].url);
		assert_int_equal(look(0)->attempt, 1);
		house_close();
		remove_store(folder);
		house_open(&store_memory, NULL);
	}
}

/* How often it was refused, and since when, is not forgotten at a start. */
static void
test_tries_survive(void **state)
{
	char folder[] = "/tmp/dispatch-test-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/k.db", folder);
	script = always_later;
	settings.resend_retry = 2;
	settings.resend_freq_s = 1;
	for (unsigned start_no = 0; start_no < 2; start_no++) {
		house_close();
		house_open(&store_sqlite, path);
		start(one_link);
		if (start_no == 0)
			SUBMIT(.to = "+44790");
		UNTIL(sent_count == start_no + 1);
		UNTIL(stored == 1 && look(0)->state == STATE_WAITING);
	}
	UNTIL(FINISHED(0, OUTCOME_REJECTED));
	assert_int_equal(sent_count, 3);
	house_close();
	remove_store(folder);
	house_open(&store_memory, NULL);
}

/* --- time ---------------------------------------------------------------------------------- */

static void
test_expiry(void **state)
{
	(void)state;
	start(one_link);
	fake_state(fakes[0], SMSC_RECONNECTING);
	SUBMIT(.to = "+44790", .text = "1", .lives_ms = 100, .mask = 2, .url = "http://h/?%d");
	SUBMIT(.to = "+44790", .text = "2");
	UNTIL(stored == 2 && FINISHED(0, OUTCOME_EXPIRED));	/* the sweep */
	UNTIL(calls_count == 1);
	assert_string_equal(calls[0].url, "http://h/?34");
	SUBMIT(.to = "+44791", .text = "3", .lives_ms = 1);
	UNTIL(stored == 3);
	pause_ms(5);
	fake_state(fakes[0], SMSC_UP);				/* when it is taken */
	UNTIL(FINISHED(2, OUTCOME_EXPIRED));
	UNTIL(sent_count == 1);
	assert_string_equal(sent[0].text, "2");
}

static void
test_deferred(void **state)
{
	mono_t begin = clock_mono();

	(void)state;
	start(one_link);
	SUBMIT(.to = "+44790", .text = "1", .not_before = clock_wall() + 300);
	SUBMIT(.to = "+44790", .text = "2");
	UNTIL(sent_count == 2);
	assert_string_equal(sent[0].text, "2");
	assert_true(clock_mono() - begin >= 300);
}

static void
test_clock_guard(void **state)
{
	struct guard g;

	(void)state;
	guard_start(&g, 1000000, 0);
	assert_int_equal(guard_look(&g, 1001000, 1000), 0);
	assert_int_equal(guard_look(&g, 1002500, 2000), 0);
	assert_int_equal(g.doubt_until, 0);
	assert_int_equal(guard_look(&g, 1103500, 3000), 100000);
	assert_int_not_equal(g.doubt_until, 0);
	assert_int_equal(guard_look(&g, 1104500, 4000), 0);
	assert_int_not_equal(g.doubt_until, 0);
	assert_int_equal(guard_look(&g, 1100500 + GUARD_CONFIRM_MS, GUARD_CONFIRM_MS + 3000), 0);
	assert_int_equal(g.doubt_until, 0);
	assert_true(guard_look(&g, 1, GUARD_CONFIRM_MS + 4000) < 0);
}

static void
test_retry_table(void **state)
{
	static const struct retry_conf c = { .order_hold = 300000, .resend_freq = 60000, .resend_most = -1 };
	static const struct retry_calls backoff = { .most = -1 }, kannel = { .most = 2, .delay = 5000 };

	(void)state;
	assert_int_equal(retry_judge(TURN_TRY_LATER, &c, 4, 1000, 302000).next, RETRY_PASS);
	assert_int_equal(retry_judge(TURN_TRY_LATER, &c, 4, 1000, 200000).next, RETRY_AGAIN);
	assert_int_equal(retry_judge(TURN_TRY_LATER, &c, 4, 1000, 200000).due, 260000);
	assert_int_equal(retry_judge(TURN_TRY_FEW, &c, 2, 1000, 2000).next, RETRY_REJECT);
	assert_int_equal(retry_judge(TURN_SLOW_DOWN, &c, 99, 1000, 999000).next, RETRY_AGAIN);
	assert_int_equal(retry_judge(TURN_NEVER, &c, 0, 0, 1).next, RETRY_REJECT);
	assert_int_equal(retry_rest_ms(1), 1000);
	assert_int_equal(retry_rest_ms(2), 2000);
	assert_int_equal(retry_rest_ms(99), 60000);
	assert_int_equal(retry_call_again(&backoff, 1, 86400000, 0), 10000);
	assert_int_equal(retry_call_again(&backoff, 3, 86400000, 0), 40000);
	assert_int_equal(retry_call_again(&backoff, 99, 86400000, 0), 3600000);
	assert_int_equal(retry_call_again(&backoff, 99, 86400000, 86000000), 0);
	assert_int_equal(retry_call_again(&kannel, 2, 0, 7), 5007);
	assert_int_equal(retry_call_again(&kannel, 3, 0, 7), 0);
}

/* --- receipts and reports ------------------------------------------------------------------- */

static void
receipt(const char *id, const char *alt, enum smsc_report_state s, uint64_t token)
{
	struct smsc_receipt r = { .foreign_id = text_of(id), .foreign_id_alt = text_of(alt),
	    .state = s, .code = TEXT("000"), .said = TEXT("stat:X") };

	fakes[0]->acked[token] = false;
	fakes[0]->setup.events->receipt(fakes[0]->setup.owner, &r, token);
	UNTIL(fakes[0]->acked[token]);
	assert_int_equal(fakes[0]->acks[token], ACK_OK);
}

static enum script
always_never(const struct sent *s, size_t n)
{
	(void)s;
	(void)n;
	return SCRIPT_NEVER;
}

static void
test_reports(void **state)
{
	static const char url[] = "http://h/?d=%d&A=%A&F=%F&i=%i";
	static const struct {
		const char	*name;
		uint8_t		 mask;
		enum script	 script;
		int		 report;	/* enum smsc_report_state; -1: none comes */
		const char	*calls[2];
		enum store_outcome outcome;
	} rows[] = {
		{ "nothing asked", 0, SCRIPT_ACCEPT, -1, { NULL, NULL }, OUTCOME_SENT },
		{ "accepted by the SMSC", 8, SCRIPT_ACCEPT, -1,
		  { "http://h/?d=8&A=ACK%2F&F=id1&i=a", NULL }, OUTCOME_SENT },
		{ "delivered", 1, SCRIPT_ACCEPT, REPORT_DELIVERED,
		  { "http://h/?d=1&A=stat%3AX&F=id1&i=a", NULL }, OUTCOME_DELIVERED },
		{ "delivered, only failures asked", 2, SCRIPT_ACCEPT, REPORT_DELIVERED,
		  { NULL, NULL }, OUTCOME_DELIVERED },
		{ "failed", 2, SCRIPT_ACCEPT, REPORT_FAILED,
		  { "http://h/?d=2&A=stat%3AX&F=id1&i=a", NULL }, OUTCOME_FAILED },
		{ "expired at the SMSC", 2, SCRIPT_ACCEPT, REPORT_EXPIRED,
		  { "http://h/?d=34&A=stat%3AX&F=id1&i=a", NULL }, OUTCOME_EXPIRED },
		{ "expired, bit 32 alone", 32, SCRIPT_ACCEPT, REPORT_EXPIRED,
		  { "http://h/?d=34&A=stat%3AX&F=id1&i=a", NULL }, OUTCOME_EXPIRED },
		{ "unknown to the SMSC is a failure, as in Kannel", 2, SCRIPT_ACCEPT, REPORT_UNKNOWN,
		  { "http://h/?d=2&A=stat%3AX&F=id1&i=a", NULL }, OUTCOME_UNKNOWN },
		{ "both", 31, SCRIPT_ACCEPT, REPORT_DELIVERED,
		  { "http://h/?d=8&A=ACK%2F&F=id1&i=a", "http://h/?d=1&A=stat%3AX&F=id1&i=a" },
		  OUTCOME_DELIVERED },
		{ "refused", 16, SCRIPT_NEVER, -1,
		  { "http://h/?d=16&A=NACK%2F0x0000000b%2FESME_RINVDSTADR&F=&i=a", NULL }, OUTCOME_REJECTED },
		{ "refused, failures asked", 2, SCRIPT_NEVER, -1,
		  { "http://h/?d=16&A=NACK%2F0x0000000b%2FESME_RINVDSTADR&F=&i=a", NULL }, OUTCOME_REJECTED },
		{ "refused, bit 32", 32, SCRIPT_NEVER, -1,
		  { "http://h/?d=16&A=NACK%2F0x0000000b%2FESME_RINVDSTADR&F=&i=a", NULL }, OUTCOME_REJECTED },
		{ "refused, bit 64", 64, SCRIPT_NEVER, -1,
		  { "http://h/?d=16&A=NACK%2F0x0000000b%2FESME_RINVDSTADR&F=&i=a", NULL }, OUTCOME_REJECTED },
		{ "refused, delivery asked only", 1, SCRIPT_NEVER, -1, { NULL, NULL }, OUTCOME_REJECTED },
	};

	(void)state;
	start(one_link);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t n = 0;

		sent_count = stored = calls_count = ids = 0;
		script = rows[i].script == SCRIPT_NEVER ? always_never : NULL;
		SUBMIT(.to = "+44790", .mask = rows[i].mask, .url = url);
		if (rows[i].report >= 0) {
			UNTIL(stored == 1 && look(0)->state == STATE_AWAITING);
			receipt("id1", NULL, (enum smsc_report_state)rows[i].report, 1);
		}
		UNTIL(stored == 1 && FINISHED(0, rows[i].outcome));
		while (n < 2 && rows[i].calls[n] != NULL)
			n++;
		UNTIL(calls_count >= n);
		pause_ms(3);
		if (calls_count != n)
			fail_msg("%s: %zu calls", rows[i].name, calls_count);
		for (size_t k = 0; k < n; k++)
			assert_string_equal(calls[k].url, rows[i].calls[k]);
	}
}

static void
test_receipts_of_segments(void **state)
{
	(void)state;
	start(one_link);
	SUBMIT(.to = "+44790", .text = of_segments(2), .mask = 7, .url = "http://h/?%d&%F");
	UNTIL(stored == 1 && look(0)->state == STATE_AWAITING);
	receipt("id1", NULL, REPORT_PENDING, 1);
	UNTIL(calls_count == 1);
	assert_string_equal(calls[0].url, "http://h/?4&id1");
	receipt("id2", NULL, REPORT_PENDING, 2);	/* told once a message */
	receipt("id2", NULL, REPORT_DELIVERED, 3);
	receipt("id2", NULL, REPORT_DELIVERED, 4);	/* the same again */
	assert_int_equal(look(0)->state, STATE_AWAITING);
	receipt("id1", NULL, REPORT_DELIVERED, 5);
	UNTIL(FINISHED(0, OUTCOME_DELIVERED));
	UNTIL(calls_count == 2);
	pause_ms(20);
	assert_int_equal(calls_count, 2);
	assert_string_equal(calls[1].url, "http://h/?1&id2");	/* of the last segment, that decided */
}

static void
test_receipt_before_answer(void **state)
{
	struct dispatch_status s;

	(void)state;
	script = always_silent;
	start(one_link);
	SUBMIT(.to = "+44790", .mask = 1, .url = "http://h/?%d&%F");
	UNTIL(sent_count == 1);
	receipt("id1", NULL, REPORT_DELIVERED, 1);
	dispatch_status(dispatch, &s);
	assert_int_equal(s.receipts_unmatched, 1);
	sent[0].script = SCRIPT_ACCEPT;
	answer(&sent[0]);
	UNTIL(stored == 1 && FINISHED(0, OUTCOME_DELIVERED));
	UNTIL(calls_count == 1);
	assert_string_equal(calls[0].url, "http://h/?1&id1");
}

static void
test_receipt_ids(void **state)
{
	struct dispatch_status s;

	(void)state;
	start(one_link);
	SUBMIT(.to = "+44790", .mask = 1, .url = "http://h/?%d");
	UNTIL(stored == 1 && look(0)->state == STATE_AWAITING);
	receipt("nobody", NULL, REPORT_DELIVERED, 1);	/* taken all the same */
	receipt("", NULL, REPORT_DELIVERED, 2);
	dispatch_status(dispatch, &s);
	assert_int_equal(s.receipts_unmatched, 2);
	receipt("0x1", "id1", REPORT_DELIVERED, 3);	/* the other base */
	UNTIL(FINISHED(0, OUTCOME_DELIVERED));
	ids_none = true;				/* accepted without an id: no receipt can come */
	SUBMIT(.to = "+44790", .mask = 1, .url = "http://h/?%d");
	UNTIL(stored == 2 && FINISHED(1, OUTCOME_SENT));
}

/* --- notifications -------------------------------------------------------------------------- */

static bool receiver_dead;

static int
dead_or_alive(const struct call *c)
{
	return receiver_dead && strncmp(c->url, "http://dead", 11) == 0 ? 0 : 200;
}

static void
test_notifications_in_order(void **state)
{
	(void)state;
	settings.callback_retry = 5;
	settings.callback_delay_s = 1;
	house_close();
	house_open(&store_memory, NULL);
	receiver_dead = true;
	call_status = dead_or_alive;
	start(one_link);
	SUBMIT(.to = "+44790", .mask = 9, .url = "http://dead/?%d");
	UNTIL(stored == 1 && look(0)->state == STATE_AWAITING);
	receipt("id1", NULL, REPORT_DELIVERED, 1);
	UNTIL(FINISHED(0, OUTCOME_DELIVERED));
	UNTIL(calls_count == 1);
	pause_ms(50);
	assert_int_equal(calls_count, 1);		/* 1 waits behind 8 */
	receiver_dead = false;
	UNTIL(calls_count == 3);
	assert_string_equal(calls[0].url, "http://dead/?8");
	assert_string_equal(calls[1].url, "http://dead/?8");
	assert_string_equal(calls[2].url, "http://dead/?1");
}

static void
test_dead_receiver(void **state)
{
	struct dispatch_status s;
	char to[24], url[40];

	(void)state;
	receiver_dead = true;
	call_status = dead_or_alive;
	start(one_link);
	SUBMIT(.to = "+44", .mask = 8, .url = "http://dead/");
	UNTIL(calls_count == 1);
	for (unsigned i = 0; i < 400; i++) {
		snprintf(to, sizeof to, "+4479%u", i);
		snprintf(url, sizeof url, "http://%s/%u", i % 2 ? "dead" : "alive", i);
		SUBMIT(.to = to, .mask = 8, .url = url);
	}
	UNTIL(calls_count >= 201);
	pause_ms(100);
	assert_true(calls_count <= 203);		/* one probe a second */
	dispatch_status(dispatch, &s);
	assert_int_equal(s.notices, 1 + 200);
	receiver_dead = false;
	UNTIL(calls_count >= 401);			/* the first probe that lives lets all go */
	UNTIL((dispatch_status(dispatch, &s), s.notices <= 2));	/* probes wait for their hour */
}

static int
never_now(const struct call *c)
{
	(void)c;
	return -1;
}

static void
test_calls_are_bounded(void **state)
{
	char to[24], url[40];

	(void)state;
	settings.callbacks_most = 40;
	house_close();
	house_open(&store_memory, NULL);
	call_status = never_now;
	start(one_link);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(to, sizeof to, "+4479%u", i);
		SUBMIT(.to = to, .mask = 8, .url = "http://h/");
	}
	UNTIL(calls_open == 32);			/* per receiver */
	for (unsigned i = 0; i < 100; i++) {
		snprintf(to, sizeof to, "+4479%u", i);
		snprintf(url, sizeof url, "http://h%u/", i);
		SUBMIT(.to = to, .mask = 8, .url = url);
	}
	UNTIL(calls_open == 40);
	call_status = NULL;
	calls_answer(NULL);
	UNTIL(calls_count == 200);
	UNTIL(calls_open == 0);
	assert_int_equal(calls_open_most, 40);
}

static int
no_such_url(const struct call *c)
{
	(void)c;
	return NO_URL;
}

/* The log names who was called, not by which password; what can never be called is not tried for a day. */
static void
test_hopeless_url(void **state)
{
	char path[] = "/tmp/dispatch-log-XXXXXX", log[8192];
	int fd = mkstemp(path);
	ssize_t n;

	(void)state;
	assert_int_equal(log_open(path, LOG_LEVEL_INFO, NULL), 0);
	call_status = no_such_url;
	start(one_link);
	SUBMIT(.to = "+44790", .mask = 8, .url = "http://amy:s3cret@h:99999/x@y?%d");
	UNTIL(calls_count == 1 && calls_open == 0);
	pause_ms(20);
	assert_int_equal(calls_count, 1);
	log_flush();
	assert_int_equal(log_open(NULL, LOG_LEVEL_INFO, NULL), 0);
	assert_true((n = read(fd, log, sizeof log - 1)) > 0);
	log[n] = '\0';
	assert_non_null(strstr(log, "notify-given-up"));
	assert_non_null(strstr(log, "receiver=http://h:99999 "));
	assert_null(strstr(log, "s3cret"));
	close(fd);
	unlink(path);
}

static void
test_notifications_survive(void **state)
{
	char folder[] = "/tmp/dispatch-test-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/k.db", folder);
	house_close();
	house_open(&store_sqlite, path);
	call_status = never_now;
	start(one_link);
	SUBMIT(.to = "+44790", .mask = 8, .url = "http://h/?%d");
	UNTIL(calls_count == 1);
	house_close();
	call_status = NULL;
	house_open(&store_sqlite, path);
	start(one_link);
	UNTIL(calls_count == 2);
	assert_string_equal(calls[1].url, "http://h/?8");
	house_close();
	remove_store(folder);
	house_open(&store_memory, NULL);
}

/* --- the store in trouble ---------------------------------------------------------------------- */

static bool broken;

static int
broken_begin(struct store *s, uint64_t batch, struct err *err)
{
	if (broken)
		return err_set(err, ERR_STORE, "disk full");
	return store_memory.begin(s, batch, err);
}

static void
test_store_trouble(void **state)
{
	struct store_driver driver = store_memory;
	struct dispatch_status s;

	(void)state;
	driver.begin = broken_begin;
	broken = false;
	house_close();
	house_open(&driver, NULL);
	script = always_silent;
	start(one_link);
	SUBMIT(.to = "+44790", .text = "1", .mask = 1, .url = "http://h/?%d");
	SUBMIT(.to = "+44790", .text = "2");
	SUBMIT(.to = "+44791", .text = "1", .smsc = "nobody-knows");
	UNTIL(stored == 3 && sent_count == 2);
	script = NULL;
	broken = true;
	for (size_t i = 0; i < 2; i++) {
		sent[i].script = SCRIPT_ACCEPT;		/* its settlement is kept */
		answer(&sent[i]);
	}
	UNTIL(queue_in_trouble(queue, NULL));
	fakes[0]->setup.events->receipt(fakes[0]->setup.owner,
	    &(struct smsc_receipt){ .foreign_id = TEXT("id1"), .state = REPORT_DELIVERED }, 3);
	assert_int_equal(fakes[0]->acks[3], ACK_LATER);
	pause_ms(50);
	assert_int_equal(sent_count, 2);		/* nothing can be marked, so nothing leaves */
	broken = false;
	UNTIL(sent_count == 3);
	check_order(2);
	receipt("id1", NULL, REPORT_DELIVERED, 4);
	UNTIL(FINISHED(0, OUTCOME_DELIVERED));
	UNTIL(FINISHED(1, OUTCOME_SENT) && FINISHED(2, OUTCOME_SENT));
	dispatch_status(dispatch, &s);
	assert_int_equal(s.possible_duplicates, 0);
	house_close();
	house_open(&store_memory, NULL);
}

/* --- the operator --------------------------------------------------------------------------- */

static void
test_suspend_and_drain(void **state)
{
	(void)state;
	start(one_link);
	dispatch_mode(dispatch, DISPATCH_SUSPENDED);
	SUBMIT(.to = "+44790");
	UNTIL(stored == 1);
	fakes[0]->setup.events->receipt(fakes[0]->setup.owner,
	    &(struct smsc_receipt){ .foreign_id = TEXT("x") }, 7);
	assert_int_equal(fakes[0]->acks[7], ACK_LATER);
	pause_ms(20);
	assert_int_equal(sent_count, 0);
	dispatch_mode(dispatch, DISPATCH_ISOLATED);
	fakes[0]->setup.events->incoming(fakes[0]->setup.owner, &(struct smsc_incoming){ .dcs = 0 }, 8);
	assert_int_equal(fakes[0]->acks[8], ACK_LATER);
	UNTIL(sent_count == 1);
}

static void
set_true(void *arg)
{
	*(bool *)arg = true;
}

static void
test_drain(void **state)
{
	static bool done;
	struct dispatch_status s;

	(void)state;
	done = false;
	script = always_silent;
	start("group = smsc\nsmsc = fake\nsmsc-id = a\nmax-pending-submits = 1\n");
	SUBMIT(.to = "+44790");
	SUBMIT(.to = "+44791");
	UNTIL(stored == 2 && sent_count == 1);
	dispatch_drain(dispatch, 5000, set_true, &done);
	pause_ms(60);
	assert_false(done);
	sent[0].script = SCRIPT_ACCEPT;
	answer(&sent[0]);
	for (mono_t begin = clock_mono(); !done; step())
		assert_true(clock_mono() - begin < 1000);	/* not only at the deadline */
	dispatch_status(dispatch, &s);
	assert_int_equal(s.waiting, 1);
	assert_int_equal(sent_count, 1);
}

static enum store_result changed;
static bool changed_now;

static void
on_changed(void *arg, const struct err *err, enum store_result r)
{
	(void)arg;
	(void)err;
	changed = r;
	changed_now = true;
}

static void
test_cancel_and_replace(void **state)
{
	struct message *m;

	(void)state;
	start(one_link);
	fake_state(fakes[0], SMSC_RECONNECTING);
	for (unsigned i = 0; i < 3; i++)
		SUBMIT(.to = "+44790", .text = i == 0 ? "1" : i == 1 ? "2" : "3");
	UNTIL(stored == 3);
	changed_now = false;
	queue_cancel(queue, TEXT("amy"), text_of(push_ids[0]), on_changed, NULL);
	UNTIL(changed_now);
	assert_int_equal(changed, STORE_OK);
	m = make(&(struct want){ .to = "+44790", .text = "two" });
	changed_now = false;
	queue_replace(queue, TEXT("amy"), text_of(push_ids[1]), &m, on_changed, NULL);
	UNTIL(changed_now);
	assert_int_equal(changed, STORE_OK);
	fake_state(fakes[0], SMSC_UP);
	UNTIL(sent_count == 2);
	assert_string_equal(sent[0].text, "two");	/* in its old place */
	assert_string_equal(sent[1].text, "3");
	UNTIL(FINISHED(2, OUTCOME_SENT));
	changed_now = false;
	queue_cancel(queue, TEXT("amy"), text_of(push_ids[2]), on_changed, NULL);
	UNTIL(changed_now);
	assert_int_equal(changed, STORE_TOO_LATE);
}

int
main(void)
{
#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_retry_table), TEST(test_clock_guard),
		TEST(test_one_message), TEST(test_partial), TEST(test_references_of_an_msisdn),
		TEST(test_partial_other_link), TEST(test_order_under_throttling), TEST(test_storm),
	
		TEST(test_order_across_links), TEST(test_order_hold), TEST(test_tries_are_limited),
		TEST(test_preferred_link), TEST(test_link_down_and_up), TEST(test_routable),
		TEST(test_unified_prefix), TEST(test_throughput), TEST(test_names_and_instances),
		TEST(test_reload), TEST(test_bad_reload_changes_nothing),
		TEST(test_unsettled_bound), TEST(test_password_text_does_not_wait),
		TEST(test_unknown_resend), TEST(test_unknown_link_gone),
		TEST(test_unknown_policies), TEST(test_late_answer), TEST(test_recovery),
		TEST(test_receipt_left_by_a_crash), TEST(test_tries_survive),
		TEST(test_expiry), TEST(test_deferred),
		TEST(test_reports), TEST(test_receipts_of_segments),
		TEST(test_receipt_before_answer), TEST(test_receipt_ids),
		TEST(test_notifications_in_order), TEST(test_dead_receiver),
		TEST(test_calls_are_bounded), TEST(test_hopeless_url),
		TEST(test_notifications_survive),
		TEST(test_store_trouble), TEST(test_suspend_and_drain), TEST(test_drain),
		TEST(test_cancel_and_replace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
