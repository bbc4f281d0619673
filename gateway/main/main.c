/*
 * main.c - kantele SUBCOMMAND
 *
 * A subcommand is a row: name, what it does, its function. The list that --help prints is this
 * table.
 *
 * Knows: the subcommands. Owns: nothing. Threads: the first.
 */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "main/commands.h"
#include "main/version.h"

static const struct subcommand {
	const char	*name, *synopsis, *text;
	int		(*run)(int argc, char **argv);
} subcommands[] = {
	{ "serve",	"-c FILE",	"the gateway, in the foreground", cmd_serve },
	{ "check",	"FILE",		"judges a configuration", cmd_check },
	{ "lint",	"FILE...",	"judges a provisioning document: place, finding, cure", cmd_lint },
	{ "encode",	"FILE",		"a document to WBXML, a push or segments", cmd_encode },
	{ "decode",	"FILE",		"and back; tells whether the MAC holds", cmd_decode },
	{ "simulate",	"-p PORT",	"an SMSC with virtual handsets behind it", cmd_simulate },
	{ "status",	"-c FILE",	"the status page of a gateway that runs", cmd_status },
	{ "admin",	"-c FILE CMD",	"a command for a gateway that runs", cmd_admin },
	{ "backup",	"TARGET",	"a copy of the store, of a gateway that runs or rests",
	  cmd_backup },
	{ "move-store",	"--from --to",	"all of a store, into one of another engine", cmd_move },
};
enum { SUBCOMMANDS = sizeof subcommands / sizeof *subcommands };

static void
usage(FILE *to)
{
	fputs("usage: kantele SUBCOMMAND [options]\n\n"
	    "A push proxy gateway: signed provisioning over SMPP, in Kannel's interface.\n\n", to);
	for (size_t i = 0; i < SUBCOMMANDS; i++)
		fprintf(to, "  %-10s %-12s  %s\n", subcommands[i].name, subcommands[i].synopsis,
		    subcommands[i].text);
	fputs("\n`kantele SUBCOMMAND --help' tells the options; `kantele --version' the release.\n", to);
}

static int
unknown(const char *name)
{
	const char *names[SUBCOMMANDS], *nearest;

	for (size_t i = 0; i < SUBCOMMANDS; i++)
		names[i] = subcommands[i].name;
	nearest = text_nearest(text_of(name), names, SUBCOMMANDS);
	fprintf(stderr, "kantele: no subcommand `%s'", name);
	if (nearest != NULL)
		fprintf(stderr, "; did you mean `%s'?", nearest);
	fputs("\n\n", stderr);
	usage(stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts(KANTELE);
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return 0;
	}
	for (size_t i = 0; i < SUBCOMMANDS; i++)
		if (strcmp(argv[1], subcommands[i].name) == 0)
			return subcommands[i].run(argc - 1, argv + 1);
	return unknown(argv[1]);
}
