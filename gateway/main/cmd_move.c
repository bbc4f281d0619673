/*
 * cmd_move.c - kantele move-store: all of a store, into one of another engine
 *
 * Knows:     options, the progress line.
 * Does not:  know what is in a store, or how a move goes on where it was.
 * Owns:      nothing.
 * Threads:   its only one.
 */
#include "main/commands.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "queue/store_move.h"

enum { REWRITTEN_MS = 200, LINE_MS = 5000, LINE_MOST = 160 };

static volatile sig_atomic_t interrupted;

static const char usage[] =
    "usage: kantele move-store --from ENGINE:PLACE --to ENGINE:PLACE\n"
    "\n"
    "Moves all of a store into one of another engine: messages and their turns, results, callbacks\n"
    "that are due, push-ids, receipts. Stop all gateways first.\n"
    "\n"
    "  -f, --from STORE    sqlite:FILE or postgresql:CONNINFO (as in `group = store')\n"
    "  -t, --to STORE      where it shall be: a file that is not there yet, an empty database\n"
    "  -q, --quiet         no progress, no summary\n"
    "  -h, --help          this text\n"
    "\n"
    "  kantele move-store --from sqlite:kantele.db --to 'postgresql:host=db dbname=kantele user=kantele'\n"
    "\n"
    "Stopped or killed, the same command goes on where it was. The source stays as it is, but no gateway\n"
    "starts on it any more; with --from and --to exchanged all moves back. The same exchange before the\n"
    "end gives the move up. A password belongs in a .pgpass file, not on the command line.\n";

static const struct option options[] = {
	{ "from", required_argument, NULL, 'f' },
	{ "to", required_argument, NULL, 't' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

struct report {
	bool		 quiet, rewritten;
	mono_t		 since, said;
	uint64_t	 first;		/* rows that a former run had moved */
	bool		 begun;
	struct move_progress now;
};

static void
on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

/* --- progress ----------------------------------------------------------------------- */

static uint64_t
sum(const uint64_t counts[MOVE_KINDS])
{
	uint64_t all = 0;

	for (unsigned i = 0; i < MOVE_KINDS; i++)
		all += counts[i];
	return all;
}

static double
rate(const struct report *r)
{
	mono_t ms = clock_mono() - r->since;

	return ms > 0 ? 1000.0 * (double)(sum(r->now.done) - r->first) / (double)ms : 0;
}

/* The kind that is under way; behind the last one: that. */
static unsigned
kind_now(const struct move_progress *p)
{
	unsigned kind = 0;

	while (kind < MOVE_KINDS - 1 && p->done[kind] >= p->all[kind])
		kind++;
	return kind;
}

static void
say(struct report *r)
{
	const struct move_progress *p = &r->now;
	unsigned kind = kind_now(p);
	uint64_t done = sum(p->done), all = sum(p->all);
	char line[LINE_MOST];
	int n;

	n = snprintf(line, sizeof line, "moved %" PRIu64 " of %" PRIu64 " rows (%.0f %%), %.0f/s; %s: %" PRIu64
	    " of %" PRIu64, done, all, all > 0 ? 100.0 * (double)done / (double)all : 100.0, rate(r),
	    move_kind_names[kind], p->done[kind], p->all[kind]);
	if (r->rewritten)
		fprintf(stderr, "\r%.*s\033[K", n, line);
	else
		fprintf(stderr, "%s\n", line);
	r->said = clock_mono();
}

static bool
on_batch(void *arg, const struct move_progress *p)
{
	struct report *r = arg;

	r->now = *p;
	if (!r->begun) {
		r->begun = true;
		r->first = sum(p->done);
		r->since = r->said = clock_mono();
	}
	if (!r->quiet && clock_mono() - r->said >= (r->rewritten ? REWRITTEN_MS : LINE_MS))
		say(r);
	return !interrupted;
}

static void
summary(const struct report *r)
{
	const char *sep = "";

	printf("moved in %.1f s: ", r->begun ? (double)(clock_mono() - r->since) / 1000 : 0);
	for (unsigned i = 0; i < MOVE_KINDS; i++) {
		if (r->now.all[i] == 0)
			continue;
		printf("%s%" PRIu64 " %s", sep, r->now.done[i], move_kind_names[i]);
		sep = ", ";
	}
	puts(sep[0] == '\0' ? "the store was empty" : "");
}

/* --- the command ------------------------------------------------------------------------ */

/* "sqlite:FILE", "postgresql:CONNINFO"; libpq's own address "postgresql://..." as it is. */
static bool
side_read(const char *text, struct move_side *side)
{
	static const struct move_engine *const engines[] = { &move_sqlite, &move_pgsql };

	for (size_t i = 0; text != NULL && i < sizeof engines / sizeof *engines; i++) {
		size_t n = strlen(engines[i]->name);

		if (strncmp(text, engines[i]->name, n) != 0 || text[n] != ':' || text[n + 1] == '\0')
			continue;
		*side = (struct move_side){ engines[i], text + n + 1 };
		if (side->engine == &move_pgsql && strncmp(side->where, "//", 2) == 0)
			side->where = text;
		return true;
	}
	if (text != NULL)
		fprintf(stderr, "kantele move-store: `%s' names no store: sqlite:FILE or postgresql:CONNINFO\n", text);
	return false;
}

static int
move(struct move_side from, struct move_side to, bool quiet)
{
	struct report r = { .quiet = quiet, .rewritten = isatty(STDERR_FILENO) };
	struct sigaction act = { .sa_handler = on_interrupt, .sa_flags = SA_RESTART };
	struct err err = { 0 };
	char text[512];
	enum move_end end;
	int rc;

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	rc = store_move(from, to, 0, on_batch, &r, &end, &err);
	if (!quiet && r.begun)
		say(&r);
	if (!quiet && r.begun && r.rewritten)
		fputc('\n', stderr);
	if (rc == -1) {
		fprintf(stderr, "kantele move-store: %s\n", err_print(&err, text, sizeof text));
		return 1;
	}
	if (end == MOVE_STOPPED) {
		fputs("kantele move-store: stopped; the same command goes on from here\n", stderr);
		return 1;
	}
	if (quiet)
		return 0;
	if (end == MOVE_IS_DONE)
		summary(&r);
	else
		puts(end == MOVE_WAS_DONE ? "it was moved already" : "given up: a gateway can start where it was");
	return 0;
}

int
cmd_move(int argc, char **argv)
{
	const char *from = NULL, *to = NULL;
	struct move_side source, target;
	bool quiet = false;
	int c;

	while ((c = getopt_long(argc, argv, "f:t:qh", options, NULL)) != -1) {
		switch (c) {
		case 'f':
			from = optarg;
			break;
		case 't':
			to = optarg;
			break;
		case 'q':
			quiet = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind != argc || from == NULL || to == NULL) {
		fputs(usage, stderr);
		return 2;
	}
	if (!side_read(from, &source) || !side_read(to, &target))
		return 2;
	return move(source, target, quiet);
}
