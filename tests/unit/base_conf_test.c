/*
 * base_conf_test.c - the grammar, the check beside a table, binding, the manual
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/conf.h"
#include "base/finding.h"

#define COUNT(list)	(sizeof (list) / sizeof *(list))

static char *
printed(struct findings *f)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	findings_print(f, "-", to);
	fclose(to);
	return text;
}

/* "[smsc@2 host=a port=b][core@5]": what was read, in one string */
static char *
told(const struct conf *conf)
{
	struct buf b = buf_heap(100000);
	const struct conf_group *g = NULL;
	static const char *const keys[] = { "a", "b", "a b", "url", "include-x" };

	while ((g = conf_next(conf, NULL, g)) != NULL) {
		buf_printf(&b, "[%s@%u", conf_group_name(g), conf_group_line(g));
		for (size_t i = 0; i < COUNT(keys); i++) {
			unsigned line = 0;
			const char *value = conf_value(g, keys[i], &line);

			if (value != NULL)
				buf_printf(&b, " %s@%u=%s", keys[i], line, value);
		}
		buf_str(&b, "]");
	}
	return (char *)(uintptr_t)buf_cstr(&b);
}

static const struct {
	const char	*name, *text, *told, *findings;		/* told NULL: refused */
} grammar_cases[] = {
	{ "groups end at blank lines", "group = x\na = 1\n \t\ngroup = y\na=2", "[x@1 a@2=1][y@4 a@5=2]", "" },
	{ "`group =' may stand anywhere in its group", "a = 1\ngroup = x\nb = 2\n",
	  "[x@2 a@1=1 b@3=2]", "" },
	{ "comments do not end a group", "group = x\n # c\n#\na = 1\n", "[x@1 a@4=1]", "" },
	{ "the first '=' splits, both sides are trimmed", "group=x\n\turl\t=  http://h/?a=b=c \n",
	  "[x@1 url@2=http://h/?a=b=c]", "" },
	{ "CRLF", "group = x\r\na = 1\r\n\r\ngroup = y\r\n", "[x@1 a@2=1][y@4]", "" },
	{ "quotes keep blanks", "group = x\na = \" 1 \"\nb = \"\"\n", "[x@1 a@2= 1  b@3=]", "" },
	{ "only \\\\ and \\\" are unescaped", "group = x\na = \"\\\"q\\\" \\\\ \\n \\+\"\n",
	  "[x@1 a@2=\"q\" \\ \\n \\+]", "" },
	{ "nothing is unescaped without quotes", "group = x\na = \\\"b\\\\c\n", "[x@1 a@2=\\\"b\\\\c]", "" },
	{ "a backslash at the end joins", "group = x\na = one\\\ntwo\nb = 3\n", "[x@1 a@2=onetwo b@4=3]", "" },
	{ "joins more than once, and CRLF", "group = x\na = 1\\\r\n2\\\r\n3\r\n", "[x@1 a@2=123]", "" },
	{ "two backslashes are one, and do not join", "group = x\na = c:\\\\\nb = 2\n",
	  "[x@1 a@2=c:\\ b@3=2]", "" },
	{ "a joined blank line does not end the group", "group = x\na = 1\\\n\nb = 2\n",
	  "[x@1 a@2=1 b@4=2]", "" },
	{ "a backslash at the very end", "group = x\na = 1\\", "[x@1 a@2=1]", "" },
	{ "the last of a repeated key wins", "group = x\na = 1\na = 2\n", "[x@1 a@3=2]", "" },
	{ "the word include alone is nothing special", "group = x\na = include\ninclude-x = 1\n",
	  "[x@1 a@2=include include-x@3=1]", "" },
	{ "nothing", "", "", "" },
	{ "comments only", "# a\n\n#b", "", "" },
	{ "no comment behind a value", "group = x\na = 1 # one\n", "[x@1 a@2=1 # one]",
	  "t:2: warning: the `#' and what follows is part of the value: comments are lines of their own\n" },
	{ "a quote that is not closed stays", "group = x\na = \"b\n", "[x@1 a@2=\"b]",
	  "t:2: warning: the value begins with a quote and does not end with one: the quote is part of "
	  "it\n" },
	{ "a comment with a backslash", "group = x\n# c \\\na = 1\n", "[x@1 a@3=1]",
	  "t:2: warning: a comment that ends in a backslash: Kannel would take the next line as a part "
	  "of it\n" },
	{ "a line without '=' is not shown", "group = x\nhidden\n", NULL, "t:2: error: a line without `='\n" },
	{ "nothing before '='", "group = x\n = 1\n", NULL, "t:2: error: nothing before the `='\n" },
	{ "a group without `group ='", "a = 1\nb = 2\n\ngroup = x\n", NULL,
	  "t:1: error: a group without a `group =' line: say which group it is, or remove the blank line "
	  "that cuts it off\n" },
	{ "two groups without a blank line", "group = x\na = 1\ngroup = y\n", NULL,
	  "t:3: error: a second `group =' in the group of line 1: a blank line is missing before it\n" },
	{ "a group without a name", "group =\n", NULL, "t:1: error: `group =' without a name\n" },
};

static void
test_grammar(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(grammar_cases); i++) {
		struct findings f = { 0 };
		struct conf *conf = conf_read_text("t", text_of(grammar_cases[i].text), &f);
		char *said = printed(&f);

		if ((conf == NULL) != (grammar_cases[i].told == NULL) || (conf == NULL) != (f.errors > 0))
			fail_msg("%s: %s", grammar_cases[i].name, said);
		if (strcmp(said, grammar_cases[i].findings) != 0)
			fail_msg("%s: %s", grammar_cases[i].name, said);
		if (conf != NULL) {
			char *what = told(conf);

			if (strcmp(what, grammar_cases[i].told) != 0)
				fail_msg("%s: %s", grammar_cases[i].name, what);
			free(what);
		}
		free(said);
		findings_free(&f);
		conf_free(&conf);
	}
}

static void
test_bounds(void **state)
{
	struct buf b = buf_heap(1 << 20);
	struct findings f = { 0 };
	struct conf *conf;

	(void)state;
	assert_null(conf_read_text("t", TEXT("group = x\na = \0\n"), &f));
	assert_int_equal(f.errors, 1);
	buf_str(&b, "group = x\n");
	for (int i = 0; i < 1001; i++)
		buf_str(&b, "a = 1\n");
	assert_null(conf_read_text("t", (struct text){ (char *)b.data, b.len }, &f));
	assert_int_equal(f.errors, 2);
	b.len = 0;
	for (int i = 0; i < 20000; i++)
		buf_str(&b, "group = x\na = 1\n\n");
	conf = conf_read_text("t", (struct text){ (char *)b.data, b.len }, &f);
	assert_non_null(conf);
	assert_int_equal(f.errors, 2);
	conf_free(&conf);
	conf_free(&conf);
	buf_free(&b);
	findings_free(&f);
}

/*
 * Files
 */

static char *
in_folder(void **state, const char *name)
{
	static char paths[8][300];
	static unsigned turn;
	char *path = paths[turn++ % 8];

	snprintf(path, sizeof paths[0], "%s/%s", (char *)*state, name);
	return path;
}

static void
write_file(void **state, const char *name, const char *text)
{
	FILE *to = fopen(in_folder(state, name), "w");

	assert_non_null(to);
	fputs(text, to);
	fclose(to);
}

static int
new_folder(void **state)
{
	*state = strdup("/tmp/base_conf_test.XXXXXX");
	return mkdtemp(*state) == NULL ? -1 : 0;
}

static int
free_folder(void **state)
{
	static const char *const names[] = { "main", "one", "d/.b", "d/a", "d/c", "d/sub", "d", "" };

	for (size_t i = 0; i < COUNT(names); i++)
		remove(in_folder(state, names[i]));
	free(*state);
	return 0;
}

static struct conf *
read_main(void **state, const char *text, struct findings *f)
{
	struct conf *conf;
	struct buf b = buf_heap(10000);

	for (; *text != '\0'; text++)
		if (*text == '@')
			buf_str(&b, *state);
		else
			buf_u8(&b, (uint8_t)*text);
	write_file(state, "main", buf_cstr(&b));
	buf_free(&b);
	conf = conf_read(in_folder(state, "main"), f);
	return conf;
}

static void
expect(struct conf **conf, const char *want, struct findings *f, const char *finding)
{
	char *said = printed(f), *what = *conf != NULL ? told(*conf) : strdup("refused");

	if (strcmp(what, want) != 0)
		fail_msg("%s, findings: %s", what, said);
	if ((finding == NULL) != (f->count == 0) ||
	    (finding != NULL && strstr(said, finding) == NULL))
		fail_msg("%s", said);
	free(said);
	free(what);
	conf_free(conf);
	findings_free(f);
}

static void
test_include(void **state)
{
	struct findings f = { 0 };
	struct conf *conf;

	/* inside a group the lines of the file belong to it */
	write_file(state, "one", "b = 2\n");
	conf = read_main(state, "group = x\na = 1\ninclude = \"@/one\"\n", &f);
	expect(&conf, "[x@1 a@2=1 b@1=2]", &f, NULL);
	/* a group in a file of its own needs no blank line around it */
	write_file(state, "one", "group = y\nb = 2");
	conf = read_main(state, "group = x\ninclude = @/one\ngroup = z\na = 3\n", &f);
	expect(&conf, "[x@1][y@1 b@2=2][z@3 a@4=3]", &f, NULL);
	/* a folder: every file, dot files too, by name, no folders below */
	mkdir(in_folder(state, "d"), 0700);
	mkdir(in_folder(state, "d/sub"), 0700);
	write_file(state, "d/c", "group = c\n");
	write_file(state, "d/a", "group = a\n");
	write_file(state, "d/.b", "group = dot\n");
	conf = read_main(state, "include = @/d\n", &f);
	expect(&conf, "[dot@1][a@1][c@1]", &f, NULL);
	/* the same file twice is no loop */
	conf = read_main(state, "include = @/d/a\n\ninclude = @/d/a\n", &f);
	expect(&conf, "[a@1][a@1]", &f, NULL);
}

static void
test_include_faults(void **state)
{
	struct findings f = { 0 };
	struct conf *conf;
	char text[300];

	conf = read_main(state, "group = x\ninclude = @/main\n", &f);
	expect(&conf, "refused", &f, "/main:2: error: ");
	write_file(state, "one", "\n\ninclude = /nowhere/at/all\n");
	conf = read_main(state, "include = @/one\n", &f);
	expect(&conf, "refused", &f, "/one:3: error: cannot read /nowhere/at/all: No such file");
	/* a loop over two files, by another spelling of the path */
	snprintf(text, sizeof text, "include = %s/./main\n", (char *)*state);
	write_file(state, "one", text);
	conf = read_main(state, "\ninclude = @/one\n", &f);
	expect(&conf, "refused", &f, "/one:1: error: ");
	conf = read_main(state, "include = \"\"\n", &f);
	expect(&conf, "refused", &f, "without a path");
	conf = read_main(state, "include = /dev/zero\n", &f);
	expect(&conf, "refused", &f, "is not a file");
	conf = conf_read("/nowhere/at/all", &f);
	expect(&conf, "refused", &f, "cannot read /nowhere/at/all");
	conf = conf_read("/tmp", &f);
	expect(&conf, "refused", &f, "is not a file");
	conf = conf_read_text("t", TEXT("include = x\n\ngroup = y\n"), &f);
	expect(&conf, "[y@3]", &f, "no effect here");
}

static void
test_include_many(void **state)
{
	struct buf b = buf_heap(100000);
	struct findings f = { 0 };
	struct conf *conf;

	write_file(state, "one", "\n");
	for (int i = 0; i < 64; i++)
		buf_str(&b, "include = @/one\n");
	conf = read_main(state, buf_cstr(&b), &f);
	expect(&conf, "refused", &f, "more than 64 files");
	buf_free(&b);
}

/*
 * Check and bind
 */

struct link {
	const char	*host, *id, *pattern, *from, *url;
	struct secret	 password;
	long		 port, window, wait, validity;
	double		 throughput;
	bool		 tls, probe;
	int		 unknown;
};

static const char *const unknown_choices[] = { "resend", "hold", "give-up", NULL };

static const struct conf_key link_keys[] = {
	{ "smsc", .type = CONF_TEXT, .at = offsetof(struct link, id), .text = "Kind.", .required = true },
	{ "host", .type = CONF_TEXT, .at = offsetof(struct link, host), .text = ".Where \"it\" is.",
	  .required = true },
	{ "port", .type = CONF_PORT, .at = offsetof(struct link, port), .text = "Its port." },
	{ "password", .type = CONF_SECRET, .at = offsetof(struct link, password), .text = "Ours." },
	{ "window", .type = CONF_NUMBER, .at = offsetof(struct link, window), .standard = "10",
	  .least = 1, .most = 1000, .text = "How many." },
	{ "wait", .type = CONF_SECONDS, .at = offsetof(struct link, wait), .standard = "1m",
	  .text = "How long." },
	{ "validity", .type = CONF_MINUTES, .at = offsetof(struct link, validity), .text = "V." },
	{ "throughput", .type = CONF_RATE, .at = offsetof(struct link, throughput), .text = "T." },
	{ "tls", .type = CONF_FLAG, .at = offsetof(struct link, tls), .text = "S." },
	{ "probe", .type = CONF_FLAG, .at = offsetof(struct link, probe), .standard = "yes", .text = "P." },
	{ "outcome-unknown", .type = CONF_CHOICE, .at = offsetof(struct link, unknown),
	  .standard = "resend", .text = "U.", .choices = unknown_choices },
	{ "pattern", .type = CONF_REGEX, .at = offsetof(struct link, pattern), .text = "R." },
	{ "allow-ip", .type = CONF_IPRULES, .at = offsetof(struct link, from), .text = "A." },
	{ "dlr-url", .type = CONF_URL, .at = offsetof(struct link, url), .text = "D." },
	{ "log-format", .type = CONF_NUMBER, .text = "L.", .effect = CONF_LATER },
	{ "old", .type = CONF_TEXT, .text = "there is one process only", .effect = CONF_NEVER },
	{ 0 }
};

static const struct conf_key modem_keys[] = {
	{ "smsc", .type = CONF_TEXT, .at = 0 },
	{ "device", .type = CONF_TEXT, .at = 0 },
	{ 0 }
};
static const struct conf_key core_keys[] = {
	{ "admin-port", .type = CONF_PORT, .at = 0, .required = true },
	{ "sendsms-port", .type = CONF_PORT, .at = 0 },
	{ 0 }
};

static const struct conf_key *const smsc_tables[] = { link_keys, modem_keys, NULL };
static const struct conf_key *const core_tables[] = { core_keys, NULL };

static const struct conf_key *const *
smsc_keys_of(const void *group)
{
	static const struct conf_key *const link_only[] = { link_keys, NULL };
	static const struct conf_key *const modem_only[] = { modem_keys, NULL };
	const char *kind = conf_value(group, "smsc", NULL);

	if (kind != NULL && strcmp(kind, "smpp") == 0)
		return link_only;
	return kind != NULL && strcmp(kind, "at") == 0 ? modem_only : NULL;
}

static const struct conf_group_type types[] = {
	{ "core", false, core_tables, "The whole.", CONF_WORKS, NULL },
	{ "smsc", true, smsc_tables, "A link.", CONF_WORKS, smsc_keys_of },
	{ "wtls", true, NULL, "there is no WAP browsing", CONF_NEVER, NULL },
	{ "modems", true, NULL, "Modems.", CONF_LATER, NULL },
	{ 0 }
};

static const struct {
	const char	*name, *text, *findings;	/* findings: sorted; "" is clean */
} check_cases[] = {
	{ "clean", "group = core\nadmin-port = 13000\n", "" },
	{ "unknown group with the nearest", "group = cor\n", "t:1: error: unknown group `cor'; did you mean "
	  "`core'?\n" },
	{ "unknown group, none near", "group = sqlbox\n", "t:1: error: unknown group `sqlbox'\n" },
	{ "unknown key with the nearest", "group = core\nadmin-port = 1\nsendsms-prot = 2\n",
	  "t:3: error: unknown key `sendsms-prot'; did you mean `sendsms-port'?\n" },
	{ "a value of an unknown key is not shown", "group = core\nadmin-port = 1\nadmin-pass = s3cr3t\n",
	  "t:3: error: unknown key `admin-pass'; did you mean `admin-port'?\n" },
	{ "required", "group = core\n", "t:1: error: the group `core' needs `admin-port'\n" },
	{ "a required port of 0", "group = core\nadmin-port = 0\n",
	  "t:1: error: the group `core' needs `admin-port'\n" },
	{ "not a port", "group = core\nadmin-port = 65536\n",
	  "t:2: error: `admin-port': \"65536\" is not a port (1 to 65535)\n" },
	{ "placeholder of a port", "group = core\nadmin-port = @PORT@\n",
	  "t:2: error: `admin-port': \"@PORT@\" is not a port (1 to 65535)\n" },
	{ "a comment behind a number, as Kannel takes it", "group = core\nadmin-port = 13000 # here\n",
	  "t:2: warning: the `#' and what follows is part of the value: comments are lines of their own\n"
	  "t:2: warning: `admin-port': only the number before the blank is read: comments are lines of "
	  "their own\n" },
	{ "a second single group", "group = core\nzzzz = 1\n\ngroup = core\nadmin-port = 2\n",
	  "t:1: warning: this group `core' has no effect: the one at t:4 replaces it\n" },
	{ "a repeated key", "group = core\nadmin-port = 1\nadmin-port = 2\n",
	  "t:2: warning: `admin-port' has no effect: line 3 says it again\n" },
	{ "a group without effect", "group = wtls\nanything = 1\n",
	  "t:1: note: the group `wtls' has no effect: there is no WAP browsing\n" },
	{ "a group without effect yet", "group = modems\nid = 1\n",
	  "t:1: note: the group `modems' is known and has no effect yet\n" },
	{ "keys without effect; even a wrong value does not stop", "group = smsc\nsmsc = smpp\nhost = h\n"
	  "log-format = x\nold = 1\n",
	  "t:4: warning: `log-format': \"x\" is not a whole number\n"
	  "t:4: note: `log-format' is known and has no effect yet\n"
	  "t:5: note: `old' has no effect: there is one process only\n" },
	{ "a key of another kind of link", "group = smsc\nsmsc = smpp\nhost = h\ndevice = /dev/x\n",
	  "t:4: warning: `device' has no effect in a group `smsc' of this kind\n" },
	{ "out of range", "group = smsc\nsmsc = smpp\nhost = h\nwindow = 0\n",
	  "t:4: error: `window': out of range: from 1 to 1000\n" },
	{ "a flag that is none", "group = smsc\nsmsc = smpp\nhost = h\ntls = maybe\n",
	  "t:4: warning: `tls': \"maybe\" counts as true: write true or false\n" },
	{ "not one of the choices", "group = smsc\nsmsc = smpp\nhost = h\noutcome-unknown = x\n",
	  "t:4: error: `outcome-unknown': \"x\" is not one of: resend, hold, give-up\n" },
	{ "address rules", "group = smsc\nsmsc = smpp\nhost = h\nallow-ip = 10.0.0.0/8;x\n",
	  "t:4: error: `allow-ip': \"x\" is no address, network (10.0.0.0/8) or pattern (10.*.*.*)\n" },
	{ "a URL is not shown, it may hold a password", "group = smsc\nsmsc = smpp\nhost = h\n"
	  "dlr-url = ftp://u:p@h/\n",
	  "t:4: error: `dlr-url': not a URL that begins with http:// or https://\n" },
	{ "a URL without a host", "group = smsc\nsmsc = smpp\nhost = h\ndlr-url = http://u@:80/\n",
	  "t:4: error: `dlr-url': a URL without a host\n" },
	{ "a time", "group = smsc\nsmsc = smpp\nhost = h\nwait = 5w\n",
	  "t:4: error: `wait': \"5w\" is not a time: a number of seconds, or with s, m, h, d\n" },
	{ "a rate", "group = smsc\nsmsc = smpp\nhost = h\nthroughput = inf\n",
	  "t:4: error: `throughput': \"inf\" is not a number per second\n" },
	{ "control characters do not reach the terminal", "group = core\nadmin-port = \033[2J\n",
	  "t:2: error: `admin-port': \"?[2J\" is not a port (1 to 65535)\n" },
};

static void
test_check(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(check_cases); i++) {
		struct findings f = { 0 };
		struct conf *conf = conf_read_text("t", text_of(check_cases[i].text), &f);
		char *said;

		assert_non_null(conf);
		conf_check(conf, types, &f);
		findings_sort(&f);
		said = printed(&f);
		if (strcmp(said, check_cases[i].findings) != 0)
			fail_msg("%s: %s", check_cases[i].name, said);
		free(said);
		findings_free(&f);
		conf_free(&conf);
	}
}

static void
test_replaced_groups_are_hidden(void **state)
{
	struct findings f = { 0 };
	struct conf *conf = conf_read_text("t", TEXT("group = core\nadmin-port = 1\n\ngroup = smsc\n"
	    "smsc = x\n\ngroup = core\nadmin-port = 2\n\ngroup = smsc\nsmsc = y\n"), &f);
	const struct conf_group *g;

	(void)state;
	conf_check(conf, types, &f);
	g = conf_next(conf, "core", NULL);
	assert_string_equal(conf_value(g, "admin-port", NULL), "2");
	assert_null(conf_next(conf, "core", g));
	g = conf_next(conf, "smsc", NULL);
	assert_string_equal(conf_value(g, "smsc", NULL), "x");
	g = conf_next(conf, "smsc", g);
	assert_string_equal(conf_value(g, "smsc", NULL), "y");
	assert_null(conf_next(conf, "smsc", g));
	findings_free(&f);
	conf_free(&conf);
}

static const struct {
	const char	*pattern;
	bool		 taken;
} regex_cases[] = {
	{ "^\\+?995[0-9]*$", true },
	{ "^(\\+|00)?995[0-9]*|^a.*|^09", true },
	{ "[]a{9999}]+", true },			/* no repeat inside brackets */
	{ "[[:digit:]{]{1,15}", true },
	{ "\\{99999\\}", true },
	{ "[0-9]{10}|[0-9]{12}|[0-9]{15}", true },
	{ "^(a*|(b?c)+|.*?)*$", true },			/* a star is not written out */
	{ "^(0{1,3}|\\+)?([0-9]{2}){1,7}$", true },
	{ "(", false },
	{ "[a", false },
	{ "*(", false },
	{ "((a{1,255}){1,255}){1,255}", false },
	{ "(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((a)))))))))))))))))))))))))"
	  "))))))))))))))))))))))))))))))))))", false },
	{ "a{200}{200}{200}", false },
	{ "(a{100})*{200}", false },
	{ "^(((((((((((b?)+)+)+)+)+)+)+)+)+)+)+", false },
	{ "(^|b?){1,255}", false },
	{ "^(a|b?{1,255}?)", false },
	{ "(a|)+", false },
	{ "(\\b){9}", false },
	{ "a++++++++++++++++++++++++++++++", false },
};

static void
test_regex(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(regex_cases); i++) {
		struct findings f = { 0 };
		struct buf b = buf_heap(1000);
		struct conf *conf;

		buf_printf(&b, "group = smsc\nsmsc = smpp\nhost = h\npattern = %s\n",
		    regex_cases[i].pattern);
		conf = conf_read_text("t", (struct text){ (char *)b.data, b.len }, &f);
		conf_check(conf, types, &f);
		if ((f.errors == 0) != regex_cases[i].taken)
			fail_msg("%s", regex_cases[i].pattern);
		findings_free(&f);
		conf_free(&conf);
		buf_free(&b);
	}
}

static void
test_bind(void **state)
{
	struct findings f = { 0 };
	struct conf *conf = conf_read_text("t", TEXT("group = smsc\nsmsc = smpp\nhost = \"a b\"\n"
	    "port = 0x0ad7\npassword = pw\nwindow = 50\nwait = 2h\nvalidity = -1\nthroughput = 2.50\n"
	    "tls = ON\nprobe = 0\noutcome-unknown = Give-Up\npattern = ^a\nallow-ip = ::1\n"
	    "dlr-url = HTTP://h?%d\nlog-format = 3\n"), &f);
	struct link l = { 0 };

	(void)state;
	assert_int_equal(conf_bind(conf, conf_next(conf, "smsc", NULL), link_keys, &l, &f), 0);
	assert_int_equal(f.count, 0);
	assert_string_equal(l.host, "a b");
	assert_string_equal(l.id, "smpp");
	assert_int_equal(l.port, 2775);
	assert_true(secret_equal(&l.password, TEXT("pw")));
	assert_int_equal(l.window, 50);
	assert_int_equal(l.wait, 7200);
	assert_int_equal(l.validity, -1);
	assert_true(l.throughput == 2.5);
	assert_true(l.tls);
	assert_false(l.probe);
	assert_int_equal(l.unknown, 2);
	assert_string_equal(l.pattern, "^a");
	assert_string_equal(l.from, "::1");
	assert_string_equal(l.url, "HTTP://h?%d");
	conf_unbind(link_keys, &l);
	assert_false(secret_given(&l.password));
	conf_free(&conf);
}

static void
test_bind_defaults(void **state)
{
	struct findings f = { 0 };
	struct link l = { 0 };

	(void)state;
	assert_int_equal(conf_bind(NULL, NULL, link_keys, &l, &f), 0);
	assert_int_equal(f.count, 0);
	assert_null(l.host);
	assert_int_equal(l.port, 0);
	assert_int_equal(l.window, 10);
	assert_int_equal(l.wait, 60);
	assert_true(l.probe);
	assert_false(l.tls);
	conf_unbind(link_keys, &l);
}

static void
test_bind_faults(void **state)
{
	struct findings f = { 0 };
	struct conf *conf = conf_read_text("t", TEXT("group = smsc\nsmsc = smpp\nwindow = many\n"
	    "tls = what\n"), &f);
	struct link l = { 0 };

	(void)state;
	assert_int_equal(conf_bind(conf, conf_next(conf, "smsc", NULL), link_keys, &l, &f), -1);
	assert_int_equal(f.errors, 2);			/* host, window */
	assert_int_equal(f.list[1].line, 3);
	assert_true(l.tls);
	conf_unbind(link_keys, &l);
	findings_free(&f);
	conf_free(&conf);
}

static void
test_group_equal(void **state)
{
	struct findings f = { 0 };
	struct conf *conf = conf_read_text("t", TEXT("group = x\na = 1\nb = 2\n\nb = 2\na = \"1\"\ngroup = x\n\n"
	    "group = x\na = 0\na = 1\nb = 2\n\ngroup = x\na = 1\n\ngroup = y\na = 1\nb = 2\n"), &f);
	const struct conf_group *g[5] = { NULL };

	(void)state;
	for (size_t i = 0; i < COUNT(g); i++)
		g[i] = conf_next(conf, NULL, i > 0 ? g[i - 1] : NULL);
	assert_true(conf_group_equal(g[0], g[1]));	/* order and quotes do not matter */
	assert_true(conf_group_equal(g[0], g[2]));	/* what counts is the last */
	assert_false(conf_group_equal(g[0], g[3]));
	assert_false(conf_group_equal(g[3], g[0]));
	assert_false(conf_group_equal(g[0], g[4]));
	conf_free(&conf);
}

/* The recorded configurations of Kannel, as they are. */
static void
test_recorded(void **state)
{
	static const struct { const char *file; const char *group; unsigned count; } cases[] = {
		{ "admin", "smsc", 1 }, { "main", "smsc", 7 }, { "main", "sendsms-user", 17 },
		{ "main", "smpp-tlv", 3 }, { "main", "ota-bookmark", 5 }, { "trusted", "ppg", 1 },
	};
	const char *top = getenv("KANTELE_SRC");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct findings f = { 0 };
		char path[500];
		struct conf *conf;
		const struct conf_group *g = NULL;
		unsigned n = 0;

		snprintf(path, sizeof path, "%s/tests/data/golden/configs/%s.conf", top != NULL ? top : ".",
		    cases[i].file);
		conf = conf_read(path, &f);
		if (conf == NULL || f.count > 0)
			fail_msg("%s: %s", path, printed(&f));
		while ((g = conf_next(conf, cases[i].group, g)) != NULL)
			n++;
		assert_int_equal(n, cases[i].count);
		if (strcmp(cases[i].group, "ppg") == 0) {
			g = conf_next(conf, "smsbox", NULL);
			assert_string_equal(conf_value(g, "white-list-regex", NULL),
			    "^(\\+|00)?995[0-9]*|^a.*|^09");
		}
		conf_free(&conf);
	}
}

static void
test_manual(void **state)
{
	struct buf b = buf_heap(100000);
	const char *text;

	(void)state;
	conf_manual(&types[1], &b);
	text = buf_cstr(&b);
	assert_non_null(strstr(text, ".Ss group = smsc\nA link.\nThere may be several.\n.Bl -tag"));
	assert_non_null(strstr(text, ".It Cm host No = Ar \"text\"\n\\&.Where \\(dqit\\(dq is.\n"
	    "Must be given.\n"));
	assert_non_null(strstr(text, ".It Cm window No = Ar \"number\"\nHow many.\n"
	    "Default: \\(oq10\\(cq.\nFrom 1 to 1000.\n"));
	assert_non_null(strstr(text, "Ar \"resend | hold | give-up\"\n"));
	assert_non_null(strstr(text, "there is one process only\nNo effect.\n"));
	assert_string_equal(text + strlen(text) - 4, ".El\n");
	b.len = 0;
	conf_manual(&types[2], &b);
	assert_null(strstr(buf_cstr(&b), ".Bl"));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test_setup_teardown(test_include, new_folder, free_folder),
		cmocka_unit_test_setup_teardown(test_include_faults, new_folder, free_folder),
		cmocka_unit_test_setup_teardown(test_include_many, new_folder, free_folder),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_replaced_groups_are_hidden),
		cmocka_unit_test(test_regex),
		cmocka_unit_test(test_bind),
		cmocka_unit_test(test_bind_defaults),
		cmocka_unit_test(test_bind_faults),
		cmocka_unit_test(test_group_equal),
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
