/*
 * conf_table_test.c - every key of Kannel is known, rows are sound, whole files are judged
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
#include "base/finding.h"
#include "main/check.h"
#include "main/conf_table.h"
#include "main/settings.h"

#define COUNT(list)	(sizeof (list) / sizeof *(list))

static const char *
source(void)
{
	const char *s = getenv("KANTELE_SRC");

	return s != NULL ? s : ".";
}

static void
slurp(const char *name, struct buf *b)
{
	char path[1024], piece[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", source(), name);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("cannot read %s", path);
	while ((n = fread(piece, 1, sizeof piece, f)) > 0)
		buf_bytes(b, piece, n);
	fclose(f);
}

static const struct finding *
find(const struct findings *all, const char *words)
{
	for (size_t i = 0; i < all->count; i++)
		if (strstr(all->list[i].text, words) != NULL)
			return &all->list[i];
	return NULL;
}

static void
print(const struct findings *all)
{
	findings_print(all, "-", stderr);
}

/* --- Kannel's keys ------------------------------------------------------------------- */

/* "smsc:smpp host": a group of that kind takes the key. */
static void
check_known(struct text line)
{
	struct text rest = line, group, kind;
	struct buf b = buf_heap(1000);
	struct findings f = { 0 };
	struct conf *conf;

	text_cut(&rest, ' ', &group);
	kind = group;
	text_cut(&kind, ':', &group);
	buf_printf(&b, "group = %.*s\n", TEXT_ARGS(group));
	if (kind.at != NULL)
		buf_printf(&b, "smsc = %.*s\n", TEXT_ARGS(kind));
	if (rest.at != NULL && !(kind.at != NULL && text_is(rest, "smsc")))
		buf_printf(&b, "%.*s = 1\n", TEXT_ARGS(rest));
	conf = conf_read_text("-", (struct text){ (char *)b.data, b.len }, &f);
	assert_non_null(conf);
	conf_check(conf, conf_groups, &f);
	if (find(&f, "unknown ") != NULL || find(&f, "of this kind") != NULL) {
		print(&f);
		fail_msg("%.*s", TEXT_ARGS(line));
	}
	findings_free(&f);
	conf_free(&conf);
	buf_free(&b);
}

static void
test_kannel_keys(void **state)
{
	struct buf b = buf_heap(1 << 20);
	struct text rest, line;
	size_t keys = 0;

	(void)state;
	slurp("tests/data/kannel-keys.txt", &b);
	rest = (struct text){ (char *)b.data, b.len };
	while (text_cut(&rest, '\n', &line)) {
		if (line.len == 0 || line.at[0] == '#')
			continue;
		check_known(line);
		keys++;
	}
	assert_true(keys > 450);
	buf_free(&b);
}

/* A group that is not there must be an error, or the test above proves nothing. */
static void
test_unknown(void **state)
{
	struct findings f = { 0 };
	struct conf *conf = conf_read_text("-", TEXT("group = smsbx\n\ngroup = core\nadmin-prt = 1\n"),
	    &f);

	(void)state;
	conf_check(conf, conf_groups, &f);
	assert_non_null(find(&f, "unknown group `smsbx'; did you mean `smsbox'?"));
	assert_non_null(find(&f, "unknown key `admin-prt'; did you mean `admin-port'?"));
	findings_free(&f);
	conf_free(&conf);
}

/* --- rows ------------------------------------------------------------------------------ */

static void
check_row(const struct conf_group_type *group, const struct conf_key *k)
{
	struct buf b = buf_heap(1000);
	struct findings f = { 0 };
	struct conf *conf;

	if (k->text == NULL || k->text[0] == '\0')
		fail_msg("%s %s: no text", group->name, k->name);
	if (k->least > k->most)
		fail_msg("%s %s: its range is empty", group->name, k->name);
	if ((k->type == CONF_CHOICE) != (k->choices != NULL))
		fail_msg("%s %s: choices", group->name, k->name);
	if (k->required && k->standard != NULL)
		fail_msg("%s %s: required, with a default", group->name, k->name);
	if (k->standard == NULL || k->effect != CONF_WORKS)
		return;
	buf_printf(&b, "group = %s\n%s = \"%s\"\n", group->name, k->name, k->standard);
	conf = conf_read_text("-", (struct text){ (char *)b.data, b.len }, &f);
	conf_check(conf, conf_groups, &f);
	for (size_t i = 0; i < f.count; i++)
		if (f.list[i].severity != SEVERITY_NOTE && f.list[i].line == 2) {
			print(&f);
			fail_msg("%s %s: its default is wrong", group->name, k->name);
		}
	findings_free(&f);
	conf_free(&conf);
	buf_free(&b);
}

static void
test_rows(void **state)
{
	size_t rows = 0;

	(void)state;
	for (const struct conf_group_type *g = conf_groups; g->name != NULL; g++) {
		assert_non_null(g->text);
		for (const struct conf_key *const *t = g->keys; t != NULL && *t != NULL; t++)
			for (const struct conf_key *k = *t; k->name != NULL; k++) {
				check_row(g, k);
				rows++;
			}
	}
	assert_true(rows > 400);
}

/* Two rows for one key would let the check and the module that reads it disagree. Kinds of links
 * may share names: their tables never meet in one group. */
static void
test_no_key_twice(void **state)
{
	(void)state;
	for (const struct conf_group_type *g = conf_groups; g->name != NULL; g++)
		for (const struct conf_key *const *t = g->keys; t != NULL && *t != NULL; t++)
			for (const struct conf_key *k = *t; k->name != NULL; k++)
				for (const struct conf_key *const *u = t + 1; *u != NULL; u++)
					for (const struct conf_key *o = *u; o->name != NULL; o++)
						if (strcmp(o->name, k->name) == 0 && g->keys_of == NULL)
							fail_msg("%s: %s has two rows", g->name, k->name);
}

/* --- whole files ------------------------------------------------------------------------- */

static char *
write_file(struct text text, mode_t mode)
{
	static char path[64];
	int fd;

	strcpy(path, "/tmp/kantele-conf-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd != -1);
	assert_int_equal(write(fd, text.at, text.len), text.len);
	fchmod(fd, mode);
	close(fd);
	return path;
}

/* @SENDSMS_PORT@ and the like become ports, @DIR@ a folder. */
static void
render(struct text t, struct buf *out)
{
	unsigned port = 20000;

	for (size_t i = 0; i < t.len; i++) {
		const char *end = t.at[i] == '@' && i + 1 < t.len && t.at[i + 1] >= 'A' &&
		    t.at[i + 1] <= 'Z' ? memchr(t.at + i + 1, '@', t.len - i - 1) : NULL;

		if (end == NULL) {
			buf_u8(out, (uint8_t)t.at[i]);
		} else {
			if (memcmp(t.at + i, "@DIR@", 5) == 0)
				buf_str(out, "/tmp");
			else
				buf_printf(out, "%u", ++port);
			i = (size_t)(end - t.at);
		}
	}
}

static void
test_recorded(void **state)
{
	static const char *const names[] = { "main", "trusted", "admin" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct buf raw = buf_heap(1 << 20), b = buf_heap(1 << 20);
		struct findings f = { 0 };
		char name[100];
		struct conf *conf;
		char *path;

		snprintf(name, sizeof name, "tests/data/golden/configs/%s.conf", names[i]);
		slurp(name, &raw);
		render((struct text){ (char *)raw.data, raw.len }, &b);
		path = write_file((struct text){ (char *)b.data, b.len }, 0600);
		conf = check_read(path, false, &f);
		if (conf == NULL || f.errors > 0) {
			print(&f);
			fail_msg("%s would not start", names[i]);
		}
		unlink(path);
		findings_free(&f);
		conf_free(&conf);
		buf_free(&raw);
		buf_free(&b);
	}
}

#define CORE	"group = core\nadmin-port = 13000\nadmin-interface = 127.0.0.1\n"		\
		"admin-password = secret1\nstatus-password = secret2\ncallback-allow-ip = 10.0.0.0/8\n"
#define SMSBOX	"\ngroup = smsbox\nsendsms-port = 13013\n"
#define USER	"\ngroup = sendsms-user\nusername = u\npassword = p\n"
#define SMSC	"\ngroup = smsc\nsmsc = smpp\nhost = 127.0.0.1\nport = 2775\nsmsc-username = a\n"	\
		"smsc-password = b\nsystem-type = x\n"
#define STORE	"\ngroup = store\npath = /tmp/x.db\n"
#define GOOD	CORE SMSBOX USER SMSC STORE

static const struct {
	const char	*name, *text, *words;	/* words NULL: nothing is wrong */
	bool		 starts;
} file_cases[] = {
	{ "a whole file has nothing to complain of", GOOD, NULL, true },
	{ "without core nothing starts", SMSBOX USER SMSC STORE, "no group `core'", false },
	{ "without smsbox nothing starts", CORE USER SMSC STORE, "no group `smsbox'", false },
	{ "core needs admin-port", "group = core\nadmin-password = x\n" SMSBOX USER SMSC STORE,
	  "needs `admin-port'", false },
	{ "core needs admin-password", "group = core\nadmin-port = 1\n" SMSBOX USER SMSC STORE,
	  "needs `admin-password'", false },
	{ "an empty password is none", "group = core\nadmin-port = 1\nadmin-password = \"\"\n" SMSBOX,
	  "needs `admin-password'", false },
	{ "an open status page is told", "group = core\nadmin-port = 1\nadmin-password = x\n"
	  SMSBOX USER SMSC STORE, "everybody may read the status page", true },
	{ "an admin door for all is told", "group = core\nadmin-port = 1\nadmin-password = x\n"
	  SMSBOX USER SMSC STORE, "listens on all addresses", true },
	{ "callbacks without bounds are told", "group = core\nadmin-port = 1\nadmin-password = x\n"
	  SMSBOX USER SMSC STORE, "set callback-allow-ip", true },
	{ "a port is used once", CORE "\ngroup = smsbox\nsendsms-port = 13000\n" USER SMSC STORE,
	  "is admin-port's already", false },
	{ "two addresses may share a port", CORE "\ngroup = smsbox\nsendsms-port = 13000\n"
	  "sendsms-interface = 127.0.0.2\n" USER SMSC STORE, NULL, true },
	{ "an unknown key does not pass", GOOD "\ngroup = smsc\nsmsc = smpp\nhots = x\n",
	  "did you mean `host'", false },
	{ "a regex that does not compile", CORE SMSBOX USER "white-list-regex = \"(\"\n" SMSC STORE,
	  "regular expression", false },
	{ "a link of a kind that is not there", CORE SMSBOX USER STORE "\ngroup = smsc\nsmsc = at\n"
	  "device = /dev/ttyUSB0\n", "`at' are not supported yet", false },
	{ "a link that could not be opened", CORE SMSBOX USER STORE "\ngroup = smsc\nsmsc = smpp\n"
	  "host = h\nport = 1\nreceive-port = 2\nsmsc-username = a\nsmsc-password = b\n",
	  "receive-port", false },
	{ "an allow list alone allows everybody", CORE SMSBOX USER "user-allow-ip = 10.0.0.1\n" SMSC
	  STORE, "`user-allow-ip' without `user-deny-ip' allows everybody", true },
	{ "the sample's password is refused", CORE SMSBOX "\ngroup = sendsms-user\nusername = u\n"
	  "password = CHANGE-ME\n" SMSC STORE, "CHANGE-ME", false },
	{ "where the store will be is told", CORE SMSBOX USER SMSC, "kept in kantele.db", true },
	{ "the store lies beside Kannel's", CORE "store-location = /var/x/kannel.store\n" SMSBOX USER
	  SMSC, "kept in /var/x/kannel.store.kantele.db", true },
	{ "a database", CORE SMSBOX USER SMSC "\ngroup = store\nengine = postgresql\n"
	  "conninfo = \"host=a\"\n", NULL, true },
	{ "a database that nobody can find", CORE SMSBOX USER SMSC "\ngroup = store\nengine = postgresql\n",
	  "needs `conninfo'", false },
	{ "nothing can be sent without a link", CORE SMSBOX USER STORE, "no group `smsc'", true },
	{ "nobody can send without an account", CORE SMSBOX SMSC STORE, "no group `sendsms-user'",
	  true },
	{ "HTTPS needs a certificate", CORE "admin-port-ssl = yes\n" SMSBOX USER SMSC STORE,
	  "admin-port-ssl needs `ssl-server-cert-file'", false },
	{ "a class that is none", CORE SMSBOX USER "class = urgent\n" SMSC STORE, "not one of: high",
	  false },
};

static void
test_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(file_cases); i++) {
		struct findings f = { 0 };
		char *path = write_file(text_of(file_cases[i].text), 0600);
		struct conf *conf = check_read(path, false, &f);
		const char *words = file_cases[i].words;
		bool starts = conf != NULL && f.errors == 0;

		if (starts != file_cases[i].starts || (words != NULL && find(&f, words) == NULL) ||
		    (words == NULL && f.count > 0)) {
			print(&f);
			fail_msg("%s", file_cases[i].name);
		}
		unlink(path);
		findings_free(&f);
		conf_free(&conf);
	}
}

static void
test_world_readable(void **state)
{
	static const mode_t modes[] = { 0600, 0640, 0644 };

	(void)state;
	for (size_t i = 0; i < COUNT(modes); i++) {
		struct findings f = { 0 };
		char *path = write_file(TEXT(GOOD), modes[i]);
		struct conf *conf = check_read(path, false, &f);

		assert_int_equal(find(&f, "everybody on this machine can read it") != NULL, i == 2);
		unlink(path);
		findings_free(&f);
		conf_free(&conf);
	}
}

static void
test_lenient(void **state)
{
	struct findings f = { 0 };
	char *path = write_file(TEXT(GOOD "\ngroup = nonsense\nx = 1\n"), 0600);
	struct conf *conf = check_read(path, true, &f);

	(void)state;
	assert_non_null(conf);
	assert_int_equal(f.errors, 0);
	assert_non_null(find(&f, "unknown group"));
	unlink(path);
	findings_free(&f);
	conf_free(&conf);
}

/* What a file says reaches the part that reads it. */
static void
test_settings(void **state)
{
	struct findings f = { 0 };
	struct conf *conf = conf_read_text("-", TEXT(CORE "unified-prefix = \"+358,0\"\norder-hold = 9m\n"
	    "\ngroup = smsbox\nsendsms-port = 0\nsms-length = 100\nmax-pending-requests = 7\n"), &f);
	struct settings s;

	(void)state;
	assert_int_equal(settings_read(&s, conf, &f), 0);
	assert_int_equal(s.core.admin_port, 13000);
	assert_int_equal(s.core.shutdown_s, 10);
	assert_string_equal(s.intake.unified_prefix, "+358,0");
	assert_int_equal(s.intake.sms_length, 100);
	assert_string_equal(s.intake.sendsms_chars, "0123456789 +-");
	assert_int_equal(s.dispatch.order_hold_s, 540);
	assert_int_equal(s.dispatch.callbacks_most, 7);
	assert_string_equal(s.smsbox.sendota_url, "/cgi-bin/sendota");
	assert_string_equal(s.store.path, "kantele.db");
	assert_true(s.has_admin && s.has_sendsms && s.has_smsbox && !s.has_wapbox);
	settings_free(&s);
	findings_free(&f);
	conf_free(&conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kannel_keys),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_no_key_twice),
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_world_readable),
		cmocka_unit_test(test_lenient),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
