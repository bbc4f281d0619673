/*
 * httpd.c - how much the HTTP server itself costs: answers leave one turn after the question
 *
 *   httpd [PORT] &  wrk -t1 -c64 -d5 'http://127.0.0.1:PORT/cgi-bin/sendsms?...' ; kill %1
 *
 * Each request is suspended and answered in the next turn of the loop, as a group commit would.
 * Prints requests and CPU microseconds per request when it is told to stop (SIGTERM).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "io/httpd.h"
#include "io/loop.h"

struct waiting {
	struct waiting		*next;
	struct http_request	*request;
};

static struct waiting *waiting;
static struct post turn;
static unsigned long answered;

static void
answer_all(void *arg)
{
	struct waiting *w;

	(void)arg;
	while ((w = waiting) != NULL) {
		waiting = w->next;
		answered++;
		http_reply_header(w->request, "X-Kantele-Id", "0188abcdef0123456789");
		http_reply(w->request, 202, "text/html", TEXT("0: Accepted for delivery"));
	}
}

static void
asked(void *loop, struct http_request *r)
{
	struct waiting *w = http_alloc(r, sizeof *w);

	*w = (struct waiting){ waiting, r };
	waiting = w;
	loop_post(loop, &turn);		/* as the store's worker does */
}

static void
stop(void *loop, int signal)
{
	(void)signal;
	loop_stop(loop);
}

int
main(int argc, char **argv)
{
	struct err err = { 0 };
	struct loop *loop = loop_new(&err);
	const struct httpd_conf conf = { .name = "bench", .interface = "127.0.0.1",
	    .port = argc > 1 ? (unsigned)atoi(argv[1]) : 13013, .body_most = 1 << 20,
	    .connections = 2000, .idle_s = 60, .deadline_ms = 10000, .server = "Kantele/0" };
	struct httpd *httpd = loop != NULL ? httpd_open(loop, &conf, asked, loop, &err) : NULL;
	struct rusage used;
	double us;

	if (httpd == NULL) {
		fprintf(stderr, "httpd: %s\n", err.text);
		return 1;
	}
	turn = (struct post){ .run = answer_all };
	loop_on_signal(loop, SIGTERM, stop, loop, &err);
	loop_run(loop);
	getrusage(RUSAGE_SELF, &used);
	us = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
	    (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
	printf("%lu requests, %.1f us CPU per request (user %.1f), %ld KiB\n", answered,
	    us / (double)answered, ((double)used.ru_utime.tv_sec * 1e6 +
	    (double)used.ru_utime.tv_usec) / (double)answered, used.ru_maxrss);
	httpd_close(&httpd);
	loop_free(&loop);
	return 0;
}
