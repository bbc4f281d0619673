/*
 * main_store_wait_test.c - a database that is away at the start: tries, pauses, words, what ends it
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/log.h"
#include "io/loop.h"
#include "main/store_wait.h"

enum { PAUSE_MS = 2, STEPS_MOST = 16 };

/* What becomes of each try, in order; the last one stays. */
struct step {
	enum err_code	 reached, opened;	/* NONE: well */
	const char	*why;
};

static struct loop *loop;
static pthread_t loop_thread;
static const struct step *steps;
static unsigned step_count, reached, opened, ticks;

static const struct step *
step_now(void)
{
	return &steps[reached - 1 < step_count ? reached - 1 : step_count - 1];
}

static int
reach(const struct store_conf *conf, struct err *err)
{
	assert_string_equal(conf->conninfo, "host=a");
	assert_false(pthread_equal(pthread_self(), loop_thread));
	reached++;
	return step_now()->reached == ERR_NONE ? 0 : err_set(err, step_now()->reached, "%s", step_now()->why);
}

static int
open_it(void *arg, struct err *err)
{
	assert_ptr_equal(arg, &opened);
	assert_true(pthread_equal(pthread_self(), loop_thread));
	opened++;
	return step_now()->opened == ERR_NONE ? 0 : err_set(err, step_now()->opened, "%s", step_now()->why);
}

static const struct wait_case {
	const char	*name;
	struct step	 steps[STEPS_MOST];
	unsigned	 count;
	unsigned	 reached, opened;
	enum err_code	 code;
	const char	*why;		/* of the end */
	unsigned	 said;		/* lines of the log */
} wait_cases[] = {
	{ "it is there", { { ERR_NONE, ERR_NONE, "" } }, 1, 1, 1, ERR_NONE, "", 0 },
	{ "it comes, and the reason is told once", {
	  { ERR_STORE, 0, "refused" }, { ERR_STORE, 0, "refused" }, { ERR_STORE, 0, "refused" },
	  { ERR_NONE, ERR_NONE, "" } }, 4, 4, 1, ERR_NONE, "", 2 },
	{ "a new reason is told", {
	  { ERR_STORE, 0, "refused" }, { ERR_STORE, 0, "a standby" }, { ERR_STORE, 0, "a standby" },
	  { ERR_STORE, 0, "starting" }, { ERR_NONE, ERR_NONE, "" } }, 5, 5, 1, ERR_NONE, "", 4 },
	{ "gone again between the question and the opening", {
	  { ERR_NONE, ERR_STORE, "lost" }, { ERR_NONE, ERR_NONE, "" } }, 2, 2, 2, ERR_NONE, "", 2 },
	{ "a wrong password ends it", { { ERR_CONFIG, 0, "password" } }, 1, 1, 0, ERR_CONFIG, "password", 0 },
	{ "also when it comes late", {
	  { ERR_STORE, 0, "refused" }, { ERR_CONFIG, 0, "password" } }, 2, 2, 0, ERR_CONFIG, "password", 1 },
	{ "a schema that is too new ends it", { { ERR_NONE, ERR_CONFIG, "schema" } }, 1, 1, 1, ERR_CONFIG,
	  "schema", 0 },
};

static unsigned
lines_of(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned n = 0;
	int c;

	assert_non_null(f);
	while ((c = fgetc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static void
begin(const struct step *of, unsigned count)
{
	steps = of;
	step_count = count;
	reached = opened = ticks = 0;
	loop_thread = pthread_self();
	loop = loop_new(NULL);
	assert_non_null(loop);
}

static void
tries_until_something_decides(void **state)
{
	const struct store_conf conf = { .conninfo = "host=a" };

	(void)state;
	for (size_t i = 0; i < sizeof wait_cases / sizeof *wait_cases; i++) {
		const struct wait_case *c = &wait_cases[i];
		char path[] = "/tmp/kantele-wait-XXXXXX";
		struct store_wait w = { .reach = reach, .conf = &conf, .open = open_it, .arg = &opened,
		    .pause_ms = PAUSE_MS };
		struct err err = { 0 };
		int rc, fd = mkstemp(path);

		assert_int_not_equal(fd, -1);
		close(fd);
		assert_int_equal(log_open(path, LOG_LEVEL_INFO, NULL), 0);
		begin(c->steps, c->count);
		w.loop = loop;
		rc = store_wait(&w, &err);
		log_flush();
		if (rc != (c->code == ERR_NONE ? 0 : -1) || reached != c->reached || opened != c->opened ||
		    err.code != c->code || strcmp(err.text, c->why) != 0 || lines_of(path) != c->said)
			fail_msg("%s: %d, reached %u, opened %u, %s, %u lines", c->name, rc, reached, opened,
			    err.text, lines_of(path));
		assert_int_equal(log_open(NULL, LOG_LEVEL_INFO, NULL), 0);
		unlink(path);
		loop_free(&loop);
	}
}

/* The network keeps the question: the loop serves others meanwhile. */
static struct timer *ticker;

static int
reach_slowly(const struct store_conf *conf, struct err *err)
{
	(void)conf;
	(void)err;
	while (__atomic_load_n(&ticks, __ATOMIC_ACQUIRE) < 5)
		usleep(1000);
	return 0;
}

static void
tick(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&ticks, 1, __ATOMIC_RELEASE);
	timer_set(ticker, 1);
}

static void
the_loop_runs_meanwhile(void **state)
{
	static const struct step well = { ERR_NONE, ERR_NONE, "" };
	struct store_wait w = { .reach = reach_slowly, .open = open_it, .arg = &opened };

	(void)state;
	begin(&well, 1);
	reached = 1;
	w.loop = loop;
	ticker = timer_new(loop, tick, NULL);
	timer_set(ticker, 1);
	assert_int_equal(store_wait(&w, NULL), 0);
	assert_int_equal(opened, 1);
	timer_free(&ticker);
	loop_free(&loop);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(tries_until_something_decides),
		cmocka_unit_test(the_loop_runs_meanwhile),
	};

	return cmocka_run_group_tests_name("main_store_wait", tests, NULL, NULL);
}
