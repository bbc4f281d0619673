/*
 * io_loop_test.c - turns, timers, descriptors, signals, soons and posts
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop.h"

static struct loop *loop;
static char trail[256];		/* one letter for each callback that ran */

static void
step(char letter)
{
	size_t n = strlen(trail);

	assert_true(n + 1 < sizeof trail);
	trail[n] = letter;
	trail[n + 1] = '\0';
}

static int
set_up(void **state)
{
	struct err err = { 0 };

	(void)state;
	trail[0] = '\0';
	loop = loop_new(&err);
	return loop != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(&loop);
	return loop == NULL ? 0 : -1;
}

static void
stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
letter_step(void *arg)
{
	step(*(const char *)arg);
}

/* ---- soons ---- */

static struct soon soon_a, soon_b, soon_c;

static void
soon_a_runs(void *arg)
{
	(void)arg;
	step('a');
	loop_soon(loop, &soon_c);	/* later: b was asked for before */
	loop_soon(loop, &soon_c);	/* once */
}

static void
soon_c_runs(void *arg)
{
	(void)arg;
	step('c');
	loop_stop(loop);
}

static void
soons_run_in_order_once_and_never_nest(void **state)
{
	(void)state;
	soon_a = (struct soon){ .run = soon_a_runs };
	soon_b = (struct soon){ .run = letter_step, .arg = "b" };
	soon_c = (struct soon){ .run = soon_c_runs };
	loop_soon(loop, &soon_a);
	loop_soon(loop, &soon_b);
	loop_soon(loop, &soon_a);
	loop_run(loop);
	assert_string_equal(trail, "abc");
	assert_false(soon_a.armed || soon_b.armed || soon_c.armed);
}

static void
soon_a_disarms_b(void *arg)
{
	(void)arg;
	step('a');
	loop_not_soon(loop, &soon_b);
	loop_soon(loop, &soon_c);
}

static void
a_disarmed_soon_does_not_run(void **state)
{
	(void)state;
	soon_a = (struct soon){ .run = soon_a_disarms_b };
	soon_b = (struct soon){ .run = letter_step, .arg = "b" };
	soon_c = (struct soon){ .run = soon_c_runs };
	loop_soon(loop, &soon_a);
	loop_soon(loop, &soon_b);	/* the last of its round, disarmed in that round */
	loop_run(loop);
	assert_string_equal(trail, "ac");
	loop_soon(loop, &soon_b);	/* the list is whole again */
	loop_soon(loop, &soon_c);
	loop_run(loop);
	assert_string_equal(trail, "acbc");
}

static void
soon_for_ever(void *arg)
{
	loop_soon(loop, arg);
}

static void
a_soon_that_asks_for_itself_does_not_starve_timers(void **state)
{
	struct timer *t = timer_new(loop, stop, NULL);

	(void)state;
	soon_a = (struct soon){ .run = soon_for_ever, .arg = &soon_a };
	loop_soon(loop, &soon_a);
	timer_set(t, 5);
	loop_run(loop);
	timer_free(&t);
}

/* ---- timers ---- */

static void
timers_run_in_order_of_time(void **state)
{
	struct timer *late = timer_new(loop, stop, NULL);
	struct timer *b = timer_new(loop, letter_step, "b"), *a = timer_new(loop, letter_step, "a");
	struct timer *never = timer_new(loop, letter_step, "x");
	mono_t began = clock_mono();

	(void)state;
	timer_set(late, 30);
	timer_set(b, 4);
	timer_set(b, 20);	/* moves it */
	timer_set(a, 10);
	timer_set(never, 5);
	assert_true(timer_armed(never));
	timer_cancel(never);
	assert_false(timer_armed(never));
	loop_run(loop);
	assert_string_equal(trail, "ab");
	assert_true(clock_mono() - began >= 29);
	assert_false(timer_armed(a));
	timer_free(&late);
	timer_free(&a);
	timer_free(&b);
	timer_free(&never);
	assert_null(never);
}

static struct timer *self;

static void
timer_frees_itself(void *arg)
{
	(void)arg;
	step('f');
	timer_free(&self);
	loop_stop(loop);
}

static void
a_timer_may_free_itself(void **state)
{
	(void)state;
	self = timer_new(loop, timer_frees_itself, NULL);
	timer_set(self, -5);	/* what is overdue runs at once */
	loop_run(loop);
	assert_string_equal(trail, "f");
}

static mono_t turn_began;

static void
time_stands_still_in_a_turn(void *arg)
{
	(void)arg;
	turn_began = loop_now(loop);
	while (clock_mono() < turn_began + 3)
		continue;
	assert_int_equal(loop_now(loop), turn_began);
	loop_stop(loop);
}

static void
now_is_of_the_turn(void **state)
{
	struct timer *t = timer_new(loop, time_stands_still_in_a_turn, NULL);
	struct timer *u = timer_new(loop, stop, NULL);

	(void)state;
	timer_set(t, 0);
	loop_run(loop);
	timer_set(u, 1);
	loop_run(loop);
	assert_true(loop_now(loop) >= turn_began + 3);
	timer_free(&t);
	timer_free(&u);
}

/* ---- descriptors ---- */

static int pair[2];
static struct watch *watched;

static void
readable(void *arg, unsigned what)
{
	char octet;

	(void)arg;
	assert_int_equal(what, WATCH_READ);
	assert_int_equal(read(pair[0], &octet, 1), 1);
	step(octet);
	if (octet == '3')
		watch_change(watched, 0);
	if (octet == '4') {
		watch_free(&watched);
		loop_stop(loop);
	}
}

static void
wakes_the_sleeper(void *arg)
{
	(void)arg;
	assert_string_equal(trail, "123");
	watch_change(watched, WATCH_READ);
}

static void
a_watch_stays_sleeps_and_wakes(void **state)
{
	struct timer *t = timer_new(loop, wakes_the_sleeper, NULL);

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	watched = watch_new(loop, pair[0], WATCH_READ, readable, NULL);
	assert_non_null(watched);
	assert_int_equal(write(pair[1], "1234", 4), 4);
	timer_set(t, 10);
	loop_run(loop);
	assert_string_equal(trail, "1234");
	assert_null(watched);
	timer_free(&t);
	close(pair[0]);
	close(pair[1]);
}

static void
writable(void *arg, unsigned what)
{
	(void)arg;
	step(what == (WATCH_READ | WATCH_WRITE) ? 'B' : what == WATCH_WRITE ? 'W' : 'R');
	loop_stop(loop);
}

static void
reading_and_writing_are_told_apart(void **state)
{
	struct watch *w;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	w = watch_new(loop, pair[0], WATCH_READ | WATCH_WRITE, writable, NULL);
	loop_run(loop);
	assert_string_equal(trail, "W");
	assert_int_equal(write(pair[1], "x", 1), 1);
	loop_run(loop);
	assert_string_equal(trail, "WB");
	watch_change(w, WATCH_READ);
	loop_run(loop);
	assert_string_equal(trail, "WBR");
	watch_free(&w);
	close(pair[0]);
	close(pair[1]);
}

/* ---- signals ---- */

static void
signalled(void *arg, int signal)
{
	assert_int_equal(signal, SIGHUP);
	step(*(const char *)arg);
	loop_stop(loop);
}

static void
a_signal_runs_on_the_loop(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(loop_on_signal(loop, SIGHUP, signalled, "h", &err), 0);
	raise(SIGHUP);
	loop_run(loop);
	raise(SIGHUP);
	loop_run(loop);
	assert_string_equal(trail, "hh");
}

static void
a_broken_pipe_does_not_kill(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(write(fds[1], "x", 1), -1);
	close(fds[1]);
}

/* ---- posts ---- */

enum { POSTERS = 2, POSTS = 20000 };

struct poster {
	pthread_t	thread;
	struct post	post;
	unsigned	wanted;		/* what the thread has asked for; atomic */
	unsigned	seen;
	struct post	many[100];
};

static struct poster posters[POSTERS];

static void
poster_heard(void *arg)
{
	struct poster *p = arg;

	p->seen = __atomic_load_n(&p->wanted, __ATOMIC_ACQUIRE);
	for (unsigned i = 0; i < POSTERS; i++)
		if (posters[i].seen < POSTS)
			return;
	loop_stop(loop);
}

static void *
poster_run(void *arg)
{
	struct poster *p = arg;

	for (unsigned i = 1; i <= POSTS; i++) {
		__atomic_store_n(&p->wanted, i, __ATOMIC_RELEASE);
		loop_post(loop, &p->post);
	}
	return NULL;
}

static void
no_post_is_lost_between_threads(void **state)
{
	(void)state;
	for (unsigned i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){ .post = { poster_heard, &posters[i], NULL, false } };
		assert_int_equal(pthread_create(&posters[i].thread, NULL, poster_run, &posters[i]), 0);
	}
	loop_run(loop);		/* would hang if the last one were lost */
	for (unsigned i = 0; i < POSTERS; i++) {
		pthread_join(posters[i].thread, NULL);
		assert_int_equal(posters[i].seen, POSTS);
	}
}

static void
posts_run_in_order_once(void **state)
{
	struct post a = { letter_step, "a", NULL, false }, b = { letter_step, "b", NULL, false };
	struct post end = { stop, NULL, NULL, false };

	(void)state;
	loop_post(loop, &a);
	loop_post(loop, &b);
	loop_post(loop, &a);
	loop_post(loop, &end);
	loop_run(loop);
	assert_string_equal(trail, "ab");
	loop_post(loop, &b);	/* the edge comes again */
	loop_post(loop, &end);
	loop_run(loop);
	assert_string_equal(trail, "abb");
}

static struct post unposted;

static void
takes_b_back(void *arg)
{
	(void)arg;
	step('t');
	loop_unpost(loop, &unposted);
	loop_unpost(loop, &unposted);
}

static void
an_unposted_post_does_not_run_and_the_others_do(void **state)
{
	struct post a = { letter_step, "a", NULL, false }, taker = { takes_b_back, NULL, NULL, false };
	struct post end = { stop, NULL, NULL, false };

	(void)state;
	unposted = (struct post){ letter_step, "b", NULL, false };
	loop_post(loop, &a);
	loop_post(loop, &unposted);
	loop_post(loop, &end);
	loop_unpost(loop, &unposted);
	loop_run(loop);
	assert_string_equal(trail, "a");
	loop_post(loop, &taker);	/* from inside the very batch */
	loop_post(loop, &unposted);
	loop_post(loop, &end);
	loop_run(loop);
	assert_string_equal(trail, "at");
	assert_false(unposted.posted);
}

static void
a_stop_before_the_run_counts(void **state)
{
	(void)state;
	loop_stop(loop);
	loop_run(loop);
}

int
main(void)
{
#define ROW(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(soons_run_in_order_once_and_never_nest),
		ROW(a_disarmed_soon_does_not_run),
		ROW(a_soon_that_asks_for_itself_does_not_starve_timers),
		ROW(timers_run_in_order_of_time),
		ROW(a_timer_may_free_itself),
		ROW(now_is_of_the_turn),
		ROW(a_watch_stays_sleeps_and_wakes),
		ROW(reading_and_writing_are_told_apart),
		ROW(a_signal_runs_on_the_loop),
		ROW(a_broken_pipe_does_not_kill),
		ROW(no_post_is_lost_between_threads),
		ROW(posts_run_in_order_once),
		ROW(an_unposted_post_does_not_run_and_the_others_do),
		ROW(a_stop_before_the_run_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
