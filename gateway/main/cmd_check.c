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

#include "base/buf.h"
#include "main/check.h"
#include "main/conf_table.h"

enum { MANUAL_MOST = 1 << 20 };

static const char usage[] =
    "usage: kantele check [--lenient] FILE\n"
    "\n"
    "Judges a configuration, Kannel's included: each finding is `file:line: severity: text', the\n"
    "last line is a summary. Nothing is opened or connected.\n"
    "\n"
    "  -c, --config FILE   the same as FILE\n"
    "  -l, --lenient       unknown groups and keys are warnings\n"
    "  -m, --manual        prints the manual page of all groups and keys, mdoc(7)\n"
    "  -h, --help          this text\n"
    "\n"
    "Exit status: 0 it would start, 1 it would not, 2 wrong usage.\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "lenient", no_argument, NULL, 'l' },
	{ "manual", no_argument, NULL, 'm' },
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

/* doc/kantele.conf.5 is this, so that the page and the defaults cannot disagree. */
static int
manual(void)
{
	struct buf page = buf_heap(MANUAL_MOST);

	buf_str(&page, ".\\\" made by `kantele check --manual'; change the tables of keys, not this\n"
	    ".Dd November 24, 2026\n.Dt KANTELE.CONF 5\n.Os\n.Sh NAME\n.Nm kantele.conf\n"
	    ".Nd configuration of the push proxy gateway\n.Sh DESCRIPTION\n"
	    "Kannel's grammar: groups of\n.Ql name = value\nlines that end at a blank line; comments are\n"
	    "whole lines that begin with\n.Ql # .\n.Xr kantele 1\n.Cm check\njudges a file.\n");
	for (const struct conf_group_type *t = conf_groups; t->name != NULL; t++)
		conf_manual(t, &page);
	if (page.overflow || fwrite(page.data, 1, page.len, stdout) != page.len) {
		buf_free(&page);
		return 1;
	}
	buf_free(&page);
	return 0;
}

int
cmd_check(int argc, char **argv)
{
	const char *file = NULL;
	bool lenient = false;
	int c;

	while ((c = getopt_long(argc, argv, "c:lmh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			file = optarg;
			break;
		case 'l':
			lenient = true;
			break;
		case 'm':
			return manual();
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
