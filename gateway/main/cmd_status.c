/*
 * cmd_status.c - kantele status: the status page of a gateway that runs
 *
 * Knows: options. Does not: know the page. Owns: nothing. Threads: its only one.
 */
#include "main/commands.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "main/ask.h"
#include "main/settings.h"

static const char usage[] =
    "usage: kantele status -c FILE [--xml]\n"
    "\n"
    "Asks the admin door of the running gateway for its status page.\n"
    "\n"
    "  -c, --config FILE   the gateway's configuration: port and password are taken from it\n"
    "  -x, --xml           the page as XML\n"
    "  -h, --help          this text\n"
    "\n"
    "Exit status: 0 it answered, 1 it did not, 2 wrong usage.\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "xml", no_argument, NULL, 'x' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static int
status(const char *file, bool xml)
{
	struct buf page = buf_heap(4 << 20);
	struct settings s;
	struct conf *conf;
	struct err err = { 0 };
	char text[400];
	int rc = ask_settings(file, &s, &conf);

	if (rc == 0 && (rc = ask_admin(&s, xml ? "status.xml" : "status.txt", TEXT(""), &page,
	    &err)) == -1)
		fprintf(stderr, "kantele status: %s\n", err_print(&err, text, sizeof text));
	if (rc == 0)
		fwrite(page.data, 1, page.len, stdout);
	buf_free(&page);
	settings_free(&s);
	conf_free(&conf);
	return rc == 0 ? 0 : 1;
}

int
cmd_status(int argc, char **argv)
{
	const char *file = NULL;
	bool xml = false;
	int c;

	while ((c = getopt_long(argc, argv, "c:xh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			file = optarg;
			break;
		case 'x':
			xml = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (file == NULL || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	return status(file, xml);
}
