/*
 * cmd_serve.c - kantele serve: the gateway, in the foreground
 *
 * Knows:     options, how a failed start is told.
 * Does not:  know the house (gateway.c).
 * Owns:      nothing.
 * Threads:   the loop.
 */
#include "main/commands.h"

#include <getopt.h>
#include <stdio.h>

#include "main/gateway.h"

static const char usage[] =
    "usage: kantele serve -c FILE [-v] [--lenient]\n"
    "\n"
    "The gateway, in the foreground. It logs to standard error, or to the log-file of the core\n"
    "group, and prints a line that begins with `ready' when it serves.\n"
    "\n"
    "  -c, --config FILE   the configuration\n"
    "  -v, --verbose       log at level debug\n"
    "  -l, --lenient       unknown groups and keys are warnings\n"
    "  -h, --help          this text\n"
    "\n"
    "SIGTERM, SIGINT: refuses new submissions, waits for the answers to what is in flight, ends;\n"
    "a second one ends at once. SIGHUP: opens the log again and applies what changed in FILE.\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "lenient", no_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static int
serve(const struct gateway_options *o)
{
	struct findings findings = { 0 };
	struct err err = { 0 };
	struct gateway *g = gateway_open(o, &findings, &err);
	char text[400];
	int status;

	if (g == NULL) {
		findings_print(&findings, o->file, stderr);
		if (err.code != ERR_NONE)
			fprintf(stderr, "kantele: %s\n", err_print(&err, text, sizeof text));
		else
			fprintf(stderr, "kantele: %s: %zu errors, not started\n", o->file,
			    findings.errors);
		findings_free(&findings);
		return 1;
	}
	findings_free(&findings);
	status = gateway_run(g);
	gateway_close(&g);
	return status;
}

int
cmd_serve(int argc, char **argv)
{
	struct gateway_options o = { .file = NULL };
	int c;

	while ((c = getopt_long(argc, argv, "c:vlh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			o.file = optarg;
			break;
		case 'v':
			o.verbose = true;
			break;
		case 'l':
			o.lenient = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (o.file == NULL || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	return serve(&o);
}
