/*
 * work.c - a worker thread and the way back to the loop
 *
 * Knows:     a queue with a lock, a thread, a post.
 * Does not:  know what the jobs do; a job belongs to its submitter again in `done`.
 * Owns:      the thread.
 * Threads:   worker_submit and worker_free on the loop; `run` on the worker, `done` on the loop.
 *            Jobs are handed over by the lock, so neither side needs one of its own.
 */
#include "io/work.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "io/loop.h"

struct work_list {
	struct work	*head, **tail;
};

struct worker {
	struct loop	*loop;
	pthread_t	 thread;
	pthread_mutex_t	 lock;
	pthread_cond_t	 more, idle;
	struct work_list todo, finished;	/* under the lock */
	bool		 busy, ending;
	struct post	 post;
};

static void
list_empty(struct work_list *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static void
list_add(struct work_list *l, struct work *w)
{
	w->next = NULL;
	*l->tail = w;
	l->tail = &w->next;
}

static void *
worker_main(void *arg)
{
	struct worker *k = arg;

	pthread_mutex_lock(&k->lock);
	for (;;) {
		struct work *w;

		while ((w = k->todo.head) == NULL && !k->ending)
			pthread_cond_wait(&k->more, &k->lock);
		if (w == NULL)
			break;
		if ((k->todo.head = w->next) == NULL)
			k->todo.tail = &k->todo.head;
		k->busy = true;
		pthread_mutex_unlock(&k->lock);
		w->run(w);
		pthread_mutex_lock(&k->lock);
		k->busy = false;
		list_add(&k->finished, w);
		if (k->todo.head == NULL)
			pthread_cond_signal(&k->idle);
		pthread_mutex_unlock(&k->lock);
		loop_post(k->loop, &k->post);
		pthread_mutex_lock(&k->lock);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

static void
worker_finished(void *arg)
{
	struct worker *k = arg;
	struct work *w, *next;

	pthread_mutex_lock(&k->lock);
	w = k->finished.head;
	list_empty(&k->finished);
	pthread_mutex_unlock(&k->lock);
	for (; w != NULL; w = next) {
		next = w->next;
		w->done(w);
	}
}

/* Signals are the loop's: they must not interrupt a commit. */
static int
worker_start(struct worker *k)
{
	sigset_t all, before;
	int why;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	why = pthread_create(&k->thread, NULL, worker_main, k);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return why;
}

struct worker *
worker_new(struct loop *loop, const char *name, struct err *err)
{
	struct worker *k = calloc(1, sizeof *k);

	if (k == NULL) {
		err_set(err, ERR_SYSTEM, "%s worker: no memory", name);
		return NULL;
	}
	k->loop = loop;
	k->post = (struct post){ .run = worker_finished, .arg = k };
	list_empty(&k->todo);
	list_empty(&k->finished);
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->more, NULL);
	pthread_cond_init(&k->idle, NULL);
	if ((errno = worker_start(k)) != 0) {
		err_errno(err, "%s worker", name);
		free(k);
		return NULL;
	}
	pthread_setname_np(k->thread, name);
	return k;
}

void
worker_submit(struct worker *k, struct work *w)
{
	pthread_mutex_lock(&k->lock);
	list_add(&k->todo, w);
	pthread_cond_signal(&k->more);
	pthread_mutex_unlock(&k->lock);
}

void
worker_free(struct worker **kp)
{
	struct worker *k = *kp;

	if (k == NULL)
		return;
	/* a `done` may submit again: until nothing is left */
	for (;;) {
		bool left;

		pthread_mutex_lock(&k->lock);
		while (k->todo.head != NULL || k->busy)
			pthread_cond_wait(&k->idle, &k->lock);
		left = k->finished.head != NULL;
		pthread_mutex_unlock(&k->lock);
		if (!left)
			break;
		worker_finished(k);
	}
	pthread_mutex_lock(&k->lock);
	k->ending = true;
	pthread_cond_signal(&k->more);
	pthread_mutex_unlock(&k->lock);
	pthread_join(k->thread, NULL);
	loop_unpost(k->loop, &k->post);
	pthread_mutex_destroy(&k->lock);
	pthread_cond_destroy(&k->more);
	pthread_cond_destroy(&k->idle);
	free(k);
	*kp = NULL;
}
