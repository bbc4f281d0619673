/*
 * cmd_admin.c - kantele admin: a command for a gateway that runs
 *
 * Knows: options. Does not: know commands; the door answers for unknown ones.
 * Owns: nothing. Threads: its only one.
 */
#include "main/commands.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "main/ask.h"
#include "main/settings.h"

static const char usage[] =
    "usage: kantele admin -c FILE COMMAND [NAME=VALUE ...]\n"
    "\n"
    "Gives the admin door of the running gateway a command: status, suspend, isolate, resume,\n"
    "shutdown, log-level level=N, backup file=NAME; held lists messages of unknown outcome that\n"
    "wait for a person (outcome-unknown = hold), resend id=PUSH-ID and give-up id=PUSH-ID decide\n"
    "about one. suspend, isolate and resume are for this node; with nodes=all for all that share a\n"
    "PostgreSQL. An unknown command is answered with the list of Kannel's.\n"
    "\n"
    "  -c, --config FILE   the gateway's configuration: port and password are taken from it\n"
    "  -h, --help          this text\n"
    "\n"
    "Exit status: 0 done, 1 refused or no answer, 2 wrong usage.\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

/* "level=2" to "level=2", its value percent-encoded. */
static void
put_argument(const char *argument, struct buf *query)
{
	struct text value = text_of(argument), name;

	if (query->len > 0)
		buf_u8(query, '&');
	if (!text_cut(&value, '=', &name))
		return;
	text_quote(name, query);
	buf_u8(query, '=');
	text_quote(value, query);
}

/* Every answer of the door has status 200, so its words must tell. */
static bool
refused(const struct buf *answer)
{
	static const char *const words[] = { "Denied", "Unknown command", "Command `", "New level",
	    "The level", "Give ", "This store", "Backup failed", "No memory", "Avalanche", "This message",
	    "There is no such", "The store", "nodes=all is", "this store has", "another change",
	    "PostgreSQL: " };
	struct text t = { (const char *)answer->data, answer->len };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (t.len >= strlen(words[i]) && memcmp(t.at, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

static int
admin(const char *file, const char *command, char **arguments)
{
	struct buf answer = buf_heap(4 << 20), query = buf_heap(65536), path = buf_heap(1024);
	struct settings s;
	struct conf *conf;
	struct err err = { 0 };
	char text[400];
	int rc = ask_settings(file, &s, &conf);

	text_quote(text_of(command), &path);
	for (; *arguments != NULL; arguments++)
		put_argument(*arguments, &query);
	if (rc == 0 && (rc = ask_admin(&s, buf_cstr(&path) != NULL ? buf_cstr(&path) : "",
	    (struct text){ (const char *)query.data, query.len }, &answer, &err)) == -1)
		fprintf(stderr, "kantele admin: %s\n", err_print(&err, text, sizeof text));
	if (rc == 0) {
		fwrite(answer.data, 1, answer.len, stdout);
		if (answer.len > 0 && answer.data[answer.len - 1] != '\n')
			putchar('\n');
		rc = refused(&answer) ? -1 : 0;
	}
	buf_free(&answer);
	buf_free(&query);
	buf_free(&path);
	settings_free(&s);
	conf_free(&conf);
	return rc == 0 ? 0 : 1;
}

int
cmd_admin(int argc, char **argv)
{
	const char *file = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "+c:h", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			file = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (file == NULL || optind == argc) {
		fputs(usage, stderr);
		return 2;
	}
	return admin(file, argv[optind], argv + optind + 1);
}
