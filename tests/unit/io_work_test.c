/*
 * io_work_test.c - the worker: order, threads, and an end that loses no job
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/loop.h"
#include "io/work.h"

enum { JOBS = 20000 };

struct job {
	struct work	 work;		/* first member: work <-> job */
	unsigned	 number;
	pthread_t	 ran_on;
	unsigned	 ran_as;
};

static struct loop *loop;
static struct worker *worker;
static struct job jobs[JOBS];
static unsigned ran, done_count;
static bool signals_blocked;

static void
job_run(struct work *w)
{
	struct job *j = (struct job *)w;
	sigset_t mask;

	j->ran_on = pthread_self();
	j->ran_as = ran++;		/* the worker's alone; read after `done` */
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	signals_blocked = sigismember(&mask, SIGTERM) == 1;
}

static void
job_done(struct work *w)
{
	struct job *j = (struct job *)w;

	assert_int_equal(j->number, done_count);
	assert_int_equal(j->ran_as, done_count);
	assert_false(pthread_equal(j->ran_on, pthread_self()));
	if (++done_count == JOBS)
		loop_stop(loop);
}

static int
set_up(void **state)
{
	(void)state;
	ran = done_count = 0;
	loop = loop_new(NULL);
	worker = loop != NULL ? worker_new(loop, "test", NULL) : NULL;
	for (unsigned i = 0; i < JOBS; i++)
		jobs[i] = (struct job){ .work = { job_run, job_done, NULL }, .number = i };
	return worker != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	worker_free(&worker);
	loop_free(&loop);
	return worker == NULL && loop == NULL ? 0 : -1;
}

static void
jobs_run_there_and_are_done_here_in_order(void **state)
{
	(void)state;
	for (unsigned i = 0; i < JOBS; i++)
		worker_submit(worker, &jobs[i].work);
	loop_run(loop);
	assert_int_equal(done_count, JOBS);
	assert_true(signals_blocked);
}

static void
ending_waits_for_every_job(void **state)
{
	(void)state;
	for (unsigned i = 0; i < JOBS / 2; i++)
		worker_submit(worker, &jobs[i].work);
	worker_free(&worker);
	assert_int_equal(done_count, JOBS / 2);	/* without one turn of the loop */
}

static void
job_submits_the_next(struct work *w)
{
	struct job *j = (struct job *)w;

	assert_int_equal(j->number, done_count++);
	if (j->number < 99)
		worker_submit(worker, &jobs[j->number + 1].work);
	else
		loop_stop(loop);
}

static void
a_done_may_submit(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		jobs[i].work.done = job_submits_the_next;
	worker_submit(worker, &jobs[0].work);
	loop_run(loop);
	assert_int_equal(done_count, 100);
}

static void
a_done_may_submit_while_the_worker_ends(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		jobs[i].work.done = job_submits_the_next;
	worker_submit(worker, &jobs[0].work);
	worker_free(&worker);
	assert_int_equal(done_count, 100);
}

static void
an_idle_worker_ends(void **state)
{
	(void)state;
	worker_free(&worker);
	assert_null(worker);
	worker_free(&worker);
}

int
main(void)
{
#define ROW(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(jobs_run_there_and_are_done_here_in_order),
		ROW(ending_waits_for_every_job),
		ROW(a_done_may_submit),
		ROW(a_done_may_submit_while_the_worker_ends),
		ROW(an_idle_worker_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
