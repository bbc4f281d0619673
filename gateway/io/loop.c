/*
 * loop.c - the one loop, a thin face over libevent
 *
 * A turn is: sleep until something is due, run what is due, then run what was asked
 * for "soon". Soons that soons ask for wait until descriptors have been looked at
 * once more (without sleeping), so that no chain of them starves the sockets.
 *
 * Other threads reach the loop through a stack without locks; only the post that finds it
 * empty pays for a system call. Its eventfd is watched edge-triggered and never read.
 *
 * Knows:     libevent; the resolver's files, which are read when the first name is asked
 *            for, and again after they changed.
 * Does not:  know what anybody waits for.
 * Owns:      the base, the resolver, the signal handlers. SIGPIPE is ignored for the whole
 *            process: every library below writes to sockets that the peer may have closed.
 * Threads:   the loop; loop_post alone may be called from anywhere.
 */
#include "io/loop.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/event_struct.h>

static const char resolv_conf[] = "/etc/resolv.conf", hosts_file[] = "/etc/hosts";

struct loop_signal {
	struct loop_signal	*next;
	struct event		 event;
	signal_fn		*run;
	void			*arg;
};

struct loop {
	struct event_base	*base;
	struct evdns_base	*dns;
	struct timespec		 dns_read[2];	/* when the resolver's files were changed last */
	mono_t			 now;
	bool			 now_known, stopping;
	struct soon		*soon_first, **soon_end;
	struct soon		*at_free;
	struct post		*posts;		/* newest first; atomic */
	struct post		*posts_due;	/* oldest first; the loop's alone */
	int			 post_fd;
	struct event		 post_event;
	struct loop_signal	*signals;
};

struct timer {
	struct event	 event;
	loop_fn		*run;
	void		*arg;
};

struct watch {
	struct event	 event;
	struct loop	*loop;
	unsigned	 what;
	watch_fn	*run;
	void		*arg;
};

/* What was posted joins those that are due, oldest first. */
static void
posts_take(struct loop *loop)
{
	struct post *p = __atomic_exchange_n(&loop->posts, NULL, __ATOMIC_ACQUIRE), *in_order = NULL;
	struct post **end = &loop->posts_due;

	while (p != NULL) {
		struct post *next = p->next;

		p->next = in_order;
		in_order = p;
		p = next;
	}
	while (*end != NULL)
		end = &(*end)->next;
	*end = in_order;
}

/* Those that are posted meanwhile come with the next edge of the eventfd. */
static void
loop_posted(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	struct post *p;

	(void)fd;
	(void)what;
	posts_take(loop);
	while ((p = loop->posts_due) != NULL) {
		loop_fn *run = p->run;
		void *run_arg = p->arg;

		loop->posts_due = p->next;
		/* from here on it may be posted again, or be gone */
		__atomic_store_n(&p->posted, false, __ATOMIC_RELEASE);
		run(run_arg);
	}
}

static int
loop_open(struct loop *loop, struct err *err)
{
	struct event_config *config = event_config_new();

	if (config == NULL)
		return err_set(err, ERR_SYSTEM, "no memory for the loop");
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_O1);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	if (loop->base == NULL)
		return err_set(err, ERR_SYSTEM, "the loop cannot be made: no epoll?");
	loop->post_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->post_fd == -1)
		return err_errno(err, "eventfd");
	event_assign(&loop->post_event, loop->base, loop->post_fd, EV_READ | EV_ET | EV_PERSIST,
	    loop_posted, loop);
	if (event_add(&loop->post_event, NULL) == -1)
		return err_set(err, ERR_SYSTEM, "the loop's eventfd cannot be watched");
	return 0;
}

struct loop *
loop_new(struct err *err)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (loop == NULL) {
		err_set(err, ERR_SYSTEM, "no memory for the loop");
		return NULL;
	}
	signal(SIGPIPE, SIG_IGN);
	loop->post_fd = -1;
	loop->soon_end = &loop->soon_first;
	if (loop_open(loop, err) == -1)
		loop_free(&loop);
	return loop;
}

void
loop_free(struct loop **lp)
{
	struct loop *loop = *lp;
	struct loop_signal *s;
	struct soon *last;

	if (loop == NULL)
		return;
	while ((last = loop->at_free) != NULL) {
		loop_not_at_free(loop, last);
		last->run(last->arg);
	}
	while ((s = loop->signals) != NULL) {
		loop->signals = s->next;
		event_del(&s->event);
		free(s);
	}
	if (loop->dns != NULL)
		evdns_base_free(loop->dns, 1);
	if (event_initialized(&loop->post_event))
		event_del(&loop->post_event);
	if (loop->post_fd != -1)
		close(loop->post_fd);
	if (loop->base != NULL) {
		/* Bufferevents and questions to the resolver that were freed or cancelled let go
		 * of their memory in callbacks of their own. */
		event_base_loop(loop->base, EVLOOP_NONBLOCK);
		event_base_free(loop->base);
	}
	free(loop);
	*lp = NULL;
}

/* Those that are armed meanwhile wait for the next round. */
static void
loop_run_soons(struct loop *loop)
{
	struct soon *s, *last = loop->soon_first != NULL ?
	    (struct soon *)((char *)loop->soon_end - offsetof(struct soon, next)) : NULL;
	bool more = last != NULL;

	while (more && (s = loop->soon_first) != NULL) {
		more = s != last;
		loop_not_soon(loop, s);
		s->run(s->arg);
	}
}

void
loop_run(struct loop *loop)
{
	while (!loop->stopping) {
		loop->now_known = false;
		event_base_loop(loop->base, loop->soon_first != NULL ?
		    EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE);
		loop_run_soons(loop);
	}
	loop->stopping = false;
}

void
loop_stop(struct loop *loop)
{
	loop->stopping = true;
	event_base_loopbreak(loop->base);	/* EVLOOP_ONCE goes on while callbacks cause callbacks */
}

mono_t
loop_now(const struct loop *loop)
{
	if (!loop->now_known) {
		struct loop *cache = (struct loop *)(uintptr_t)loop;

		cache->now = clock_mono();
		cache->now_known = true;
	}
	return loop->now;
}

static void
timer_due(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	t->run(t->arg);
}

struct timer *
timer_new(struct loop *loop, loop_fn *run, void *arg)
{
	struct timer *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->run = run;
	t->arg = arg;
	evtimer_assign(&t->event, loop->base, timer_due, t);
	return t;
}

void
timer_set(struct timer *t, int64_t ms)
{
	struct timeval tv;

	if (ms < 0)
		ms = 0;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	evtimer_add(&t->event, &tv);
}

void
timer_cancel(struct timer *t)
{
	evtimer_del(&t->event);
}

bool
timer_armed(const struct timer *t)
{
	return evtimer_pending(&t->event, NULL) != 0;
}

void
timer_free(struct timer **tp)
{
	if (*tp == NULL)
		return;
	evtimer_del(&(*tp)->event);
	free(*tp);
	*tp = NULL;
}

static void
watch_due(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	w->run(w->arg, (what & EV_READ ? WATCH_READ : 0) | (what & EV_WRITE ? WATCH_WRITE : 0));
}

static int
watch_set(struct watch *w, int fd, unsigned what)
{
	event_assign(&w->event, w->loop->base, fd, (short)((what & WATCH_READ ? EV_READ : 0) |
	    (what & WATCH_WRITE ? EV_WRITE : 0) | EV_PERSIST), watch_due, w);
	w->what = what;
	return what == 0 ? 0 : event_add(&w->event, NULL);
}

struct watch *
watch_new(struct loop *loop, int fd, unsigned what, watch_fn *run, void *arg)
{
	struct watch *w = calloc(1, sizeof *w);

	if (w == NULL)
		return NULL;
	*w = (struct watch){ .loop = loop, .run = run, .arg = arg };
	if (watch_set(w, fd, what) == -1) {
		free(w);
		return NULL;
	}
	return w;
}

void
watch_change(struct watch *w, unsigned what)
{
	int fd = event_get_fd(&w->event);

	if (w->what == what)
		return;
	event_del(&w->event);
	watch_set(w, fd, what);
}

void
watch_free(struct watch **wp)
{
	if (*wp == NULL)
		return;
	event_del(&(*wp)->event);
	free(*wp);
	*wp = NULL;
}

static void
signal_due(evutil_socket_t signal, short what, void *arg)
{
	struct loop_signal *s = arg;

	(void)what;
	s->run(s->arg, (int)signal);
}

int
loop_on_signal(struct loop *loop, int signal, signal_fn *run, void *arg, struct err *err)
{
	struct loop_signal *s = calloc(1, sizeof *s);

	if (s == NULL)
		return err_set(err, ERR_SYSTEM, "no memory for a signal handler");
	s->run = run;
	s->arg = arg;
	evsignal_assign(&s->event, loop->base, signal, signal_due, s);
	if (evsignal_add(&s->event, NULL) == -1) {
		free(s);
		return err_errno(err, "signal %d", signal);
	}
	s->next = loop->signals;
	loop->signals = s;
	return 0;
}

void
loop_soon(struct loop *loop, struct soon *s)
{
	if (s->armed)
		return;
	s->armed = true;
	s->next = NULL;
	*loop->soon_end = s;
	loop->soon_end = &s->next;
}

void
loop_not_soon(struct loop *loop, struct soon *s)
{
	if (!s->armed)
		return;
	for (struct soon **at = &loop->soon_first; *at != NULL; at = &(*at)->next) {
		if (*at != s)
			continue;
		*at = s->next;
		if (loop->soon_end == &s->next)
			loop->soon_end = at;
		break;
	}
	s->armed = false;
}

void
loop_at_free(struct loop *loop, struct soon *s)
{
	if (s->armed)
		return;
	s->armed = true;
	s->next = loop->at_free;
	loop->at_free = s;
}

void
loop_not_at_free(struct loop *loop, struct soon *s)
{
	struct soon **at = &loop->at_free;

	if (!s->armed)
		return;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->armed = false;
}

void
loop_post(struct loop *loop, struct post *p)
{
	struct post *top;
	uint64_t one = 1;

	if (__atomic_exchange_n(&p->posted, true, __ATOMIC_ACQ_REL))
		return;
	top = __atomic_load_n(&loop->posts, __ATOMIC_RELAXED);
	do
		p->next = top;
	while (!__atomic_compare_exchange_n(&loop->posts, &top, p, true, __ATOMIC_RELEASE,
	    __ATOMIC_RELAXED));
	/* Not empty: whoever found it empty has woken the loop, or will. The counter cannot
	 * overflow within the life of a machine, so the write does not fail. */
	if (top == NULL && write(loop->post_fd, &one, sizeof one) == -1)
		abort();
}

void
loop_unpost(struct loop *loop, struct post *p)
{
	posts_take(loop);
	for (struct post **at = &loop->posts_due; *at != NULL; at = &(*at)->next) {
		if (*at != p)
			continue;
		*at = p->next;
		p->posted = false;
		break;
	}
	if (loop->posts_due != NULL)	/* their edge may be used up */
		event_active(&loop->post_event, EV_READ, 0);
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

static bool
dns_files_changed(struct loop *loop)
{
	const char *const files[2] = { resolv_conf, hosts_file };
	bool changed = false;
	struct stat st;

	for (int i = 0; i < 2; i++) {
		struct timespec when = { 0 };

		if (stat(files[i], &st) == 0)
			when = st.st_mtim;
		if (when.tv_sec != loop->dns_read[i].tv_sec ||
		    when.tv_nsec != loop->dns_read[i].tv_nsec)
			changed = true;
		loop->dns_read[i] = when;
	}
	return changed;
}

/* Without /etc/resolv.conf libevent asks a server on this machine; names of /etc/hosts
 * and addresses work either way. */
struct evdns_base *
loop_dns(struct loop *loop)
{
	if (loop->dns != NULL) {
		if (!dns_files_changed(loop))
			return loop->dns;
		evdns_base_clear_nameservers_and_suspend(loop->dns);
		evdns_base_clear_host_addresses(loop->dns);
	} else {
		dns_files_changed(loop);
		loop->dns = evdns_base_new(loop->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
		if (loop->dns == NULL)
			return NULL;
	}
	evdns_base_resolv_conf_parse(loop->dns, DNS_OPTIONS_ALL, resolv_conf);
	evdns_base_load_hosts(loop->dns, hosts_file);
	evdns_base_resume(loop->dns);
	return loop->dns;
}
