/*
 * cmd_check.c - kantele check: judges a configuration
 *
 * Knows:     options, the summary.
 * Does not:  know what is wrong with a configuration (check.c).
 * Owns:      nothing.
 * Threads:   its only one.
 */
#include "main/commands.h"

#include <getopt.h>
#include <stdio.h>

#include "main/check.h"

static const char usage[] =
    "usage: kantele check [--lenient] FILE\n"
    "\n"
    "Judges a configuration, Kannel's included: each finding is `file:line: severity: text', the\n"
    "last line is a summary. Nothing is opened or connected.\n"
    "\n"
    "  -c, --config FILE   the same as FILE\n"
    "  -l, --lenient       unknown groups and keys are warnings\n"
    "  -h, --help          this text\n"
    "\n"
    "Exit status: 0 it would start, 1 it would not, 2 wrong usage.\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "lenient", no_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static int
check(const char *file, bool lenient)
{
	struct findings findings = { 0 };
	struct conf *conf = check_read(file, lenient, &findings);
	bool starts = conf != NULL && findings.errors == 0;

	findings_print(&findings, file, stdout);
	printf("%s: %zu error%s, %zu warning%s; %s\n", file, findings.errors,
	    findings.errors == 1 ? "" : "s", findings.warnings, findings.warnings == 1 ? "" : "s",
	    starts ? "would start" : "would not start");
	findings_free(&findings);
	conf_free(&conf);
	return starts ? 0 : 1;
}

int
cmd_check(int argc, char **argv)
{
	const char *file = NULL;
	bool lenient = false;
	int c;

	while ((c = getopt_long(argc, argv, "c:lh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			file = optarg;
			break;
		case 'l':
			lenient = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (file == NULL && optind < argc)
		file = argv[optind++];
	if (file == NULL || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	return check(file, lenient);
}
