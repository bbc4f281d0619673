/*
 * cmd_backup.c - kantele backup: a copy of the store, of a gateway that runs or rests
 *
 * The copy is made here, from a snapshot, beside the running gateway: it neither waits for us nor
 * we for it. The target appears whole, under its name, or not at all.
 *
 * Knows:     options, the progress line.
 * Does not:  know what is in the store.
 * Owns:      nothing.
 * Threads:   its only one.
 */
#include "main/commands.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/finding.h"
#include "queue/store_settings.h"
#include "queue/store_sqlite.h"

static volatile sig_atomic_t interrupted;

static const char usage[] =
    "usage: kantele backup [-c CONF | --store FILE] TARGET\n"
    "\n"
    "Copies the store (SQLite) of a gateway, which may go on meanwhile, into the new file TARGET.\n"
    "\n"
    "  -c, --config CONF   the gateway's configuration, which names the store\n"
    "  -s, --store FILE    the store itself (default: kantele.db here)\n"
    "  -q, --quiet         no progress, no summary\n"
    "  -h, --help          this text\n"
    "\n"
    "The copy holds bodies of waiting messages, which may hold PINs: it is readable for its\n"
    "owner only. To go back to it, stop the gateway, put it in the store's place and remove the\n"
    "old store's -wal and -shm files.\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "store", required_argument, NULL, 's' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static void
on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static bool
on_progress(void *arg, unsigned done, unsigned total)
{
	const bool *shown = arg;

	if (*shown && total > 0)
		fprintf(stderr, "\rbackup: %3.0f %% of %.1f MiB", 100.0 * done / total, total / 256.0);
	return !interrupted;
}

/* The store's path that a configuration means; NULL: said why. */
static const char *
configured(const char *file, struct store_settings *settings)
{
	struct findings findings = { 0 };
	struct conf *conf = conf_read(file, &findings);
	const char *path = NULL;

	if (conf == NULL || store_settings_read(conf, settings, &findings) == -1)
		findings_print(&findings, file, stderr);
	else if (settings->engine == ENGINE_POSTGRESQL)
		fprintf(stderr, "kantele backup: the store is PostgreSQL: use its own tools, pg_dump or "
		    "pg_basebackup\n");
	else if (settings->engine == ENGINE_MEMORY)
		fprintf(stderr, "kantele backup: the store is in memory only: there is no file to copy\n");
	else
		path = settings->path;
	findings_free(&findings);
	conf_free(&conf);
	return path;
}

static int
copy(const char *from, const char *to, bool quiet)
{
	bool shown = !quiet && isatty(STDERR_FILENO);
	struct sigaction act = { .sa_handler = on_interrupt };
	struct err err = { 0 };
	char text[512];
	struct stat st;
	int rc;

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	rc = store_sqlite_copy(from, to, on_progress, &shown, &err);
	if (shown)
		fputc('\n', stderr);
	if (rc == -1) {
		fprintf(stderr, "kantele backup: %s\n", err_print(&err, text, sizeof text));
		return 1;
	}
	if (!quiet && stat(to, &st) == 0)
		printf("%s: %.1f MiB, a copy of %s\n", to, (double)st.st_size / (1 << 20), from);
	return 0;
}

int
cmd_backup(int argc, char **argv)
{
	struct store_settings settings;
	const char *config = NULL, *store = NULL;
	bool quiet = false;
	int c;

	while ((c = getopt_long(argc, argv, "c:s:qh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			config = optarg;
			break;
		case 's':
			store = optarg;
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
	if (argc - optind != 1 || (config != NULL && store != NULL)) {
		fputs(usage, stderr);
		return 2;
	}
	if (config != NULL && (store = configured(config, &settings)) == NULL)
		return 1;
	return copy(store != NULL ? store : "kantele.db", argv[optind], quiet);
}
