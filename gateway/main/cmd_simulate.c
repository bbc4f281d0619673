/*
 * cmd_simulate.c - kantele simulate: an SMS centre with virtual handsets behind it
 *
 * Options are rows: the parser, the help text and the error messages are made from them.
 * Secrets in the command line are blotted out as soon as they are read, so that ps does
 * not show them.
 *
 * Knows:     options, signals, where output goes.
 * Does not:  know SMPP (simulate/centre.c) or what a handset thinks (simulate/handset.c).
 * Owns:      everything that the run needs, until it ends.
 * Threads:   the command's only thread.
 */
#include "main/commands.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "io/loop.h"
#include "simulate/callbacks.h"
#include "simulate/centre.h"

enum { HANDSETS_MOST = 100000, RECORD_FLUSH_MS = 200, SUMMARY_MOST = 256 * 1024, FIELDS_WIDTH = 29 };

struct simulation {
	struct loop	*loop;
	struct timer	*flush;
	struct centre	*centre;
	struct callbacks *callbacks;
	struct centre_conf conf;
	struct phones_conf phones;
	struct trouble	 trouble;
	struct tally	 tally;
	struct handset	*handsets;
	size_t		 handset_count, handset_room;
	bool		 port_given, callbacks_wanted;
	unsigned	 callbacks_port;
	const char	*count_file;
};

/*
 * Options
 */

static int
number_option(struct text value, long least, long most, long *out, struct err *err)
{
	if (text_number(value, least, most, out) == -1)
		return err_set(err, ERR_SYNTAX, "a number from %ld to %ld", least, most);
	return 0;
}

static int
on_port(struct simulation *s, struct text value, struct err *err)
{
	long n;

	if (number_option(value, 0, 65535, &n, err) == -1)
		return -1;
	s->conf.port = (unsigned)n;
	s->port_given = true;
	return 0;
}

static int
on_callbacks(struct simulation *s, struct text value, struct err *err)
{
	long n;

	if (number_option(value, 0, 65535, &n, err) == -1)
		return -1;
	s->callbacks_port = (unsigned)n;
	s->callbacks_wanted = true;
	return 0;
}

static int
on_interface(struct simulation *s, struct text value, struct err *err)
{
	(void)err;
	s->conf.interface = value.at;
	return 0;
}

static int
on_handset(struct simulation *s, struct text value, struct err *err)
{
	if (s->handset_count == s->handset_room) {
		size_t room = s->handset_room > 0 ? s->handset_room * 2 : 16;
		struct handset *grown = room <= 2 * HANDSETS_MOST ?
		    realloc(s->handsets, room * sizeof *grown) : NULL;

		if (grown == NULL)
			return err_set(err, ERR_LIMIT, "too many handsets");
		s->handsets = grown;
		s->handset_room = room;
	}
	if (handset_parse(value, &s->handsets[s->handset_count], err) == -1)
		return -1;
	s->handset_count++;
	return 0;
}

static int
on_json(struct simulation *s, struct text value, struct err *err)
{
	(void)value, (void)err;
	s->phones.json = true;
	return 0;
}

static int
on_hex(struct simulation *s, struct text value, struct err *err)
{
	(void)value, (void)err;
	s->phones.hex = true;
	return 0;
}

static int
on_quiet(struct simulation *s, struct text value, struct err *err)
{
	(void)value, (void)err;
	s->phones.quiet = true;
	return 0;
}

static int
on_ids(struct simulation *s, struct text value, struct err *err)
{
	return id_form_named(value, &s->conf.ids, err);
}

static int
on_first_id(struct simulation *s, struct text value, struct err *err)
{
	long n;

	if (number_option(value, 1, INT64_MAX, &n, err) == -1)
		return -1;
	s->conf.first_id = (uint64_t)n;
	return 0;
}

static int
on_receipts(struct simulation *s, struct text value, struct err *err)
{
	return receipt_options(&s->conf.receipt, value, err);
}

static int
on_receipt_early(struct simulation *s, struct text value, struct err *err)
{
	(void)value, (void)err;
	s->conf.receipt.wanted = s->conf.receipt.early = true;
	return 0;
}

static int
on_receipt_twice(struct simulation *s, struct text value, struct err *err)
{
	(void)value, (void)err;
	s->conf.receipt.wanted = s->conf.receipt.twice = true;
	return 0;
}

static int
on_receipt_id(struct simulation *s, struct text value, struct err *err)
{
	return receipt_id_options(&s->conf.receipt, value, err);
}

static int
on_delay(struct simulation *s, struct text value, struct err *err)
{
	long n;

	if (number_option(value, 0, 86400000, &n, err) == -1)
		return -1;
	s->conf.delay_ms = (unsigned)n;
	return 0;
}

static int
on_refuse(struct simulation *s, struct text value, struct err *err)
{
	return trouble_refuse(&s->trouble, value, err);
}

static int
on_refuse_number(struct simulation *s, struct text value, struct err *err)
{
	return trouble_refuse_number(&s->trouble, value, err);
}

static int
on_refuse_bind(struct simulation *s, struct text value, struct err *err)
{
	return trouble_refuse_bind(&s->trouble, value, err);
}

static int
on_throttle(struct simulation *s, struct text value, struct err *err)
{
	return trouble_throttle(&s->trouble, value, err);
}

static int
on_silent(struct simulation *s, struct text value, struct err *err)
{
	return trouble_silent(&s->trouble, value, err);
}

static int
on_drop_after(struct simulation *s, struct text value, struct err *err)
{
	long n;

	if (number_option(value, 1, UINT32_MAX, &n, err) == -1)
		return -1;
	s->trouble.drop_after = (uint32_t)n;
	return 0;
}

static int
on_seed(struct simulation *s, struct text value, struct err *err)
{
	struct trouble fresh;
	long n;

	if (number_option(value, 0, INT64_MAX, &n, err) == -1)
		return -1;
	trouble_start(&fresh, (uint64_t)n);
	s->trouble.random = fresh.random;
	return 0;
}

static int
on_count_file(struct simulation *s, struct text value, struct err *err)
{
	(void)err;
	s->count_file = value.at;
	return 0;
}

static int
on_record(struct simulation *s, struct text value, struct err *err)
{
	return tally_record_open(&s->tally, value.at, err);
}

static int
on_duplicates(struct simulation *s, struct text value, struct err *err)
{
	(void)value, (void)err;
	s->tally.detect = true;
	return 0;
}

enum takes { TAKES_NOTHING, TAKES_VALUE, MAY_TAKE };

static const struct option_row {
	const char	*name;		/* NULL: a heading */
	enum takes	 takes;
	const char	*value, *help;
	int		(*run)(struct simulation *, struct text value, struct err *);
} option_rows[] = {
	{ "port", TAKES_VALUE, "PORT", "TCP port, also -p; 0 takes any. The first line on "
	  "standard error says\nwhich: listening on 127.0.0.1:PORT", on_port },
	{ "interface", TAKES_VALUE, "ADDRESS", "address to listen on (127.0.0.1)", on_interface },
	{ "callbacks", TAKES_VALUE, "PORT", "take HTTP callbacks (dlr-url) there, and show them; 0 takes "
	  "any. A\nline on standard error says which: callbacks on 127.0.0.1:PORT", on_callbacks },
	{ "handset", TAKES_VALUE, "NUMBER[,KEY=VALUE...]", "a handset, \"any\" for all other numbers; "
	  "may be repeated. Keys: imsi,\npin, code (what its user types with USERPINMAC), profile",
	  on_handset },
	{ NULL, 0, NULL, "Output", NULL },
	{ "json", TAKES_NOTHING, NULL, "one JSON object a line", on_json },
	{ "hex", TAKES_NOTHING, NULL, "every PDU in hex, too", on_hex },
	{ "quiet", TAKES_NOTHING, NULL, "only the summary at the end", on_quiet },
	{ "count-file", TAKES_VALUE, "FILE", "the summary as JSON, at the end and on SIGUSR1",
	  on_count_file },
	{ "detect-duplicates", TAKES_NOTHING, NULL, "count messages of equal receiver and first 64 "
	  "octets", on_duplicates },
	{ "record", TAKES_VALUE, "FILE", "a line for each submit_sm that was taken: time in microseconds,\n"
	  "system_id, receiver, user data in hex (- for none)", on_record },
	{ NULL, 0, NULL, "Receipts, where registered_delivery asks for one", NULL },
	{ "receipts", MAY_TAKE, "[delay=MS,state=S/S...]", "send them; states are taken in turn "
	  "(delay=0,state=DELIVRD)", on_receipts },
	{ "receipt-early", TAKES_NOTHING, NULL, "before the answer to the submit_sm", on_receipt_early },
	{ "receipt-twice", TAKES_NOTHING, NULL, "each two times", on_receipt_twice },
	{ "receipt-id", TAKES_VALUE, "FORM[,FORM]", "hex, decimal, padded, uuid; tlv-only, text-only "
	  "(as in the answer,\nin both places)", on_receipt_id },
	{ "ids", TAKES_VALUE, "FORM", "message ids in answers: decimal, hex, padded, uuid (decimal)",
	  on_ids },
	{ "first-id", TAKES_VALUE, "N", "number of the first message (1)", on_first_id },
	{ NULL, 0, NULL, "Trouble. STATUS is a name (RTHROTTLED) or number (0x58)", NULL },
	{ "delay", TAKES_VALUE, "MS", "hold answers to submit_sm back", on_delay },
	{ "refuse", TAKES_VALUE, "PERCENT:STATUS", "refuse some; may be repeated", on_refuse },
	{ "refuse-number", TAKES_VALUE, "PREFIX:STATUS", "refuse these receivers; may be repeated",
	  on_refuse_number },
	{ "throttle", TAKES_VALUE, "N/s", "above that, refuse with ESME_RTHROTTLED", on_throttle },
	{ "silent", TAKES_VALUE, "PERCENT | every N", "take, but never answer", on_silent },
	{ "drop-after", TAKES_VALUE, "N", "cut each connection after N submit_sm, the last one "
	  "unanswered", on_drop_after },
	{ "refuse-bind", TAKES_VALUE, "STATUS[:TIMES]", "refuse binds, the first ones or all",
	  on_refuse_bind },
	{ "seed", TAKES_VALUE, "N", "of random choices: equal seeds, equal choices (1)", on_seed },
};
enum { OPTION_ROWS = sizeof option_rows / sizeof *option_rows };

static void
print_help(void)
{
	printf("usage: kantele simulate -p PORT [OPTION]...\n\n"
	    "An SMPP SMS centre with virtual handsets behind it: joins segments, reads the document,\n"
	    "checks its MAC with the handset's IMSI and PIN, and shows what the user would see.\n"
	    "Takes any user and password. SIGINT and SIGTERM end it with a summary.\n"
	    "Exit status: 0 ended so, 1 it could not run, 2 wrong usage.\n\n");
	for (size_t i = 0; i < OPTION_ROWS; i++) {
		const struct option_row *row = &option_rows[i];
		const char *at = row->help, *end;
		int n;

		if (row->name == NULL) {
			printf("\n%s:\n", row->help);
			continue;
		}
		n = printf("  --%s%s%s", row->name, row->value != NULL ? " " : "",
		    row->value != NULL ? row->value : "");
		if (n >= FIELDS_WIDTH)
			n = printf("\n") - 1;
		while ((end = strchr(at, '\n')) != NULL) {
			printf("%*s%.*s\n", FIELDS_WIDTH - n, "", (int)(end - at), at);
			at = end + 1;
			n = 0;
		}
		printf("%*s%s\n", FIELDS_WIDTH - n, "", at);
	}
	printf("\nProfiles of handsets:\n");
	for (const struct handset_profile *p = handset_profiles; p->name != NULL; p++)
		printf("  %-*s%s\n", FIELDS_WIDTH - 2, p->name, p->text);
}

static int
wrong(const char *option, const char *what)
{
	fprintf(stderr, "kantele simulate: %s: %s\nTry kantele simulate --help.\n", option, what);
	return 2;
}

static const struct option_row *
option_find(struct text name)
{
	for (size_t i = 0; i < OPTION_ROWS; i++)
		if (option_rows[i].name != NULL && text_is(name, option_rows[i].name))
			return &option_rows[i];
	return NULL;
}

/* What follows the number of a handset is nobody's business in ps. */
static void
blot_out(char *spec)
{
	for (char *p = strchr(spec, ','); p != NULL && *p != '\0'; p++)
		*p = '*';
}

/* The value of the option at argv[*i], which moves on when it stands in arguments of its
 * own. at NULL: there is none. "every" takes the number behind it along. */
static struct text
value_of(const struct option_row *row, struct text inside, int argc, char **argv, int *i,
    char joined[64])
{
	struct text value = inside;
	char *next = *i + 1 < argc ? argv[*i + 1] : NULL;

	if (row->takes == TAKES_NOTHING)
		return value;
	if (value.at == NULL && next != NULL &&
	    (row->takes == TAKES_VALUE || (*next != '-' && strchr(next, '=') != NULL))) {
		value = text_of(next);
		next = ++*i + 1 < argc ? argv[*i + 1] : NULL;
	}
	if (row->run == on_silent && text_is(value, "every") && next != NULL) {
		snprintf(joined, 64, "every %s", next);
		++*i;
		return text_of(joined);
	}
	return value;
}

/* 0, 1 when it cannot be done, 2 for wrong usage. */
static int
take_option(struct simulation *s, int argc, char **argv, int *i)
{
	struct text rest = text_of(argv[*i]), name, value;
	const struct option_row *row;
	struct err err = { 0 };
	char joined[64], *shown = argv[*i];

	if (strcmp(argv[*i], "-p") == 0)
		rest = TEXT("--port");
	if (rest.len < 3 || rest.at[0] != '-' || rest.at[1] != '-')
		return wrong(shown, "not an option");
	rest = (struct text){ rest.at + 2, rest.len - 2 };
	text_cut(&rest, '=', &name);
	row = option_find(name);
	if (row == NULL)
		return wrong(shown, "no such option");
	if (row->takes == TAKES_NOTHING && rest.at != NULL)
		return wrong(shown, "takes no value");
	value = value_of(row, rest, argc, argv, i, joined);
	if (row->takes == TAKES_VALUE && (value.at == NULL || value.len == 0))
		return wrong(shown, "needs a value");
	if (row->run(s, value, &err) == -1) {
		char option[40];

		snprintf(option, sizeof option, "--%s", row->name);
		if (err.code != ERR_SYSTEM)
			return wrong(option, err.text);
		fprintf(stderr, "kantele simulate: %s: %s\n", option, err.text);
		return 1;
	}
	if (row->run == on_handset)
		blot_out(argv[*i]);
	return 0;
}

/*
 * The run
 */

static void
write_count(struct simulation *s)
{
	struct buf out = buf_heap(SUMMARY_MOST);
	FILE *file;

	if (s->count_file == NULL)
		return;
	phones_close(s->conf.phones);
	tally_json(&s->tally, &out);
	file = fopen(s->count_file, "we");
	if (file == NULL || fwrite(out.data, 1, out.len, file) != out.len)
		fprintf(stderr, "kantele simulate: %s: %s\n", s->count_file, strerror(errno));
	if (file != NULL)
		fclose(file);
	buf_free(&out);
}

static void
on_signal(void *arg, int signal)
{
	struct simulation *s = arg;

	if (s->tally.record != NULL)
		fflush(s->tally.record);
	if (signal == SIGUSR1) {
		write_count(s);
		return;
	}
	loop_stop(s->loop);
}

/* Tests read the record while it grows. */
static void
on_flush(void *arg)
{
	struct simulation *s = arg;

	fflush(s->tally.record);
	timer_set(s->flush, RECORD_FLUSH_MS);
}

static void
print_summary(struct simulation *s)
{
	struct buf out = buf_heap(SUMMARY_MOST);

	phones_close(s->conf.phones);
	if (s->phones.json)
		tally_json(&s->tally, &out);
	else
		tally_print(&s->tally, &out);
	fwrite(out.data, 1, out.len, stdout);
	fflush(stdout);
	buf_free(&out);
}

static int
start(struct simulation *s, struct err *err)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGUSR1 };

	s->loop = loop_new(err);
	if (s->loop == NULL)
		return -1;
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (loop_on_signal(s->loop, signals[i], on_signal, s, err) == -1)
			return -1;
	s->phones.handsets = s->handsets;
	s->phones.handset_count = s->handset_count;
	s->phones.out = stdout;
	s->phones.tally = &s->tally;
	s->conf.trouble = &s->trouble;
	s->conf.tally = &s->tally;
	s->conf.phones = phones_new(&s->phones, err);
	if (s->conf.phones == NULL || (s->centre = centre_open(s->loop, &s->conf, err)) == NULL)
		return -1;
	if (s->callbacks_wanted && (s->callbacks = callbacks_open(s->loop, s->conf.interface,
	    s->callbacks_port, s->conf.phones, err)) == NULL)
		return -1;
	if (s->tally.record != NULL) {
		s->flush = timer_new(s->loop, on_flush, s);
		if (s->flush == NULL)
			return err_set(err, ERR_SYSTEM, "no memory");
		timer_set(s->flush, RECORD_FLUSH_MS);
	}
	return 0;
}

static void
clean_up(struct simulation *s)
{
	centre_free(&s->centre);
	callbacks_free(&s->callbacks);
	phones_free(&s->conf.phones);
	timer_free(&s->flush);
	loop_free(&s->loop);
	tally_free(&s->tally);
	for (size_t i = 0; i < s->handset_count; i++)
		handset_free(&s->handsets[i]);
	free(s->handsets);
}

static int
simulate(struct simulation *s)
{
	struct err err = { 0 };

	setvbuf(stdout, NULL, _IOLBF, 64 * 1024);
	if (start(s, &err) == -1) {
		fprintf(stderr, "kantele simulate: %s\n", err.text);
		return 1;
	}
	fprintf(stderr, "listening on %s:%u\n", s->conf.interface, centre_port(s->centre));
	if (s->callbacks != NULL)
		fprintf(stderr, "callbacks on %s:%u\n", s->conf.interface, callbacks_port(s->callbacks));
	loop_run(s->loop);
	write_count(s);
	print_summary(s);
	return 0;
}

int
cmd_simulate(int argc, char **argv)
{
	struct simulation s = { .conf = { .interface = "127.0.0.1", .first_id = 1 } };
	int status = 0;

	trouble_start(&s.trouble, 1);
	for (int i = 1; i < argc && status == 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help();
			clean_up(&s);
			return 0;
		}
		status = take_option(&s, argc, argv, &i);
	}
	if (status == 0 && !s.port_given)
		status = wrong("--port", "is needed");
	if (status == 0)
		status = simulate(&s);
	clean_up(&s);
	return status;
}
