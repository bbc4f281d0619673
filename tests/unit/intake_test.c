/*
 * intake_test.c - the road: orders in, messages in the queue, verdicts back
 *
 * The queue is real (store_memory); what the links say and what a driver would get is the test's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "document/media.h"
#include "intake/intake.h"
#include "io/log.h"
#include "io/loop.h"
#include "push/segment.h"
#include "push/udh.h"
#include "push/wsp.h"

#define COUNT(list)	(sizeof (list) / sizeof *(list))

/* --- a house of our own ---------------------------------------------------------------- */

enum { MOST = 1100 };

static struct loop *loop;
static struct queue *queue;
static struct intake *intake;
static struct accounts *accounts;
static struct conf *conf;
static enum intake_routable link_says = INTAKE_NOW;

static struct message *got[MOST];		/* what became durable */
static size_t got_count;

static struct {					/* the last answer */
	unsigned	 calls;
	enum intake_verdict verdict;
	struct err	 err;
	char		 ids[MOST][PUSH_ID_SIZE];
	size_t		 count;
	char		 denied[200], user_code[41];
	size_t		 warnings, errors;
	unsigned	 segments;
} answer;

static void
stored(void *arg, struct message **taken, uint64_t key, bool offered, bool marked)
{
	(void)arg, (void)key, (void)offered, (void)marked;
	assert_true(got_count < MOST);
	got[got_count++] = *taken;
	*taken = NULL;
}

static bool
offer(void *arg, const struct message *m, uint64_t key, struct store_mark *mark)
{
	(void)arg, (void)m, (void)key, (void)mark;
	return false;
}

static void
dropped(void *arg, const struct message *m, uint64_t key, bool marked)
{
	(void)arg, (void)m, (void)key, (void)marked;
}

static void
loaded(void *arg, const struct store_index *rows, size_t n, bool end)
{
	(void)arg, (void)rows, (void)n, (void)end;
}

static void
loaded_notices(void *arg, const struct store_notice *rows, size_t n, bool end)
{
	(void)arg, (void)rows, (void)n;
	if (end)
		loop_stop(loop);
}

static void
trouble(void *arg, bool in_trouble, const struct err *err)
{
	(void)arg, (void)in_trouble, (void)err;
}

static const struct queue_owner owner = {
	.offer = offer, .stored = stored, .dropped = dropped, .loaded = loaded,
	.loaded_notices = loaded_notices, .trouble = trouble,
};

static enum intake_routable
routable(void *arg, const struct message *m)
{
	(void)arg;
	assert_true(m->msisdn.len > 0 && m->sender.len > 0);
	return link_says;
}

static const char accounts_text[] =
    "group = sendsms-user\nusername = u\npassword = p\nconcatenation = true\nmax-messages = 3\n"
    "name = service\ndlr-url = http://x/d\n\n"
    "group = sendsms-user\nusername = plain\npassword = p\n\n"
    "group = sendsms-user\nusername = faked\npassword = p\nfaked-sender = Fake\nforced-smsc = f\n\n"
    "group = sendsms-user\nusername = defaults\npassword = p\ndefault-sender = Def\n"
    "default-smsc = d\nclass = high\n\n"
    "group = sendsms-user\nusername = listed\npassword = p\nwhite-list-regex = \"^\\+?44\"\n"
    "black-list-regex = 13$\n\n"
    "group = sendsms-user\nusername = row\npassword = p\nmax-messages = 9\n\n"
    "group = sendsms-user\nusername = unsigned\npassword = p\nallow-unsigned = yes\n\n"
    "group = sendsms-user\nusername = denied\npassword = p\nuser-deny-ip = \"*.*.*.*\"\n"
    "user-allow-ip = 10.0.0.0/8\n\n"
    "group = sendsms-user\nusername = u\npassword = second\nname = other\n";

static struct intake_conf rules(void)
{
	return (struct intake_conf){
		.unified_prefix = "+44,0044,0", .sendsms_chars = "0123456789 +-",
		.global_sender = "13013", .black_list_regex = "666$", .core_black_regex = "^\\+4499",
		.sms_length = 140, .queue_limit = -1,
	};
}

static int
setup(void **state)
{
	struct intake_links links = { routable, NULL };
	struct intake_conf c = rules();
	struct store_conf store = { .retention_s = 3600 };
	struct findings findings = { 0 };
	struct err err = { 0 };

	(void)state;
	log_open("/dev/null", LOG_LEVEL_DEBUG, NULL);
	conf = conf_read_text("accounts", text_of(accounts_text), &findings);
	accounts = accounts_new(conf, &findings);
	assert_non_null(accounts);
	loop = loop_new(&err);
	queue = queue_open(loop, &store_memory, &store, &err);
	assert_non_null(queue);
	queue_owner_set(queue, &owner, NULL);
	queue_start(queue);
	loop_run(loop);			/* until it is loaded */
	intake = intake_new(loop, queue, &links, &c, &err);
	assert_non_null(intake);
	findings_free(&findings);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	queue_close(&queue);
	intake_free(&intake);
	accounts_free(&accounts);
	loop_free(&loop);
	conf_free(&conf);
	return 0;
}

static void
forget(void)
{
	while (got_count > 0)
		message_free(&got[--got_count]);
	memset(&answer, 0, sizeof answer);
	link_says = INTAKE_NOW;
}

static void
done(void *arg, const struct intake_result *r)
{
	(void)arg;
	answer.calls++;
	answer.verdict = r->verdict;
	answer.err = r->err;
	answer.count = r->count;
	answer.segments = r->segments;
	for (size_t i = 0; i < r->count; i++)
		snprintf(answer.ids[i], sizeof answer.ids[i], "%s", r->push_ids[i]);
	snprintf(answer.denied, sizeof answer.denied, "%.*s", TEXT_ARGS(r->denied));
	snprintf(answer.user_code, sizeof answer.user_code, "%s",
	    r->user_code != NULL ? r->user_code : "");
	if (r->findings != NULL) {
		answer.warnings = r->findings->warnings;
		answer.errors = r->findings->errors;
	}
	loop_stop(loop);
}

static const struct account *
account(const char *name)
{
	static const struct sockaddr here = { .sa_family = AF_UNIX };
	const struct account *a = accounts_login(accounts, text_of(name), TEXT("p"), &here);

	assert_non_null(a);
	return a;
}

static struct order
an_order(const char *user, const char *to)
{
	return (struct order){
		.account = account(user), .door = "test", .to = text_of(to),
		.dlr_mask = MESSAGE_UNSET, .priority = MESSAGE_UNSET, .klass = MESSAGE_UNSET,
		.validity_min = MESSAGE_UNSET, .deferred_min = MESSAGE_UNSET,
	};
}

static struct order_text
a_text(struct text body)
{
	return (struct order_text){ .body = body, .coding = MESSAGE_UNSET, .mclass = MESSAGE_UNSET,
		.mwi = MESSAGE_UNSET, .alt_dcs = MESSAGE_UNSET, .compress = MESSAGE_UNSET,
		.pid = MESSAGE_UNSET, .rpi = MESSAGE_UNSET };
}

static void
wait_for(struct intake_ticket *t)
{
	assert_non_null(t);
	assert_int_equal(answer.calls, 0);	/* never inside */
	loop_run(loop);
	assert_int_equal(answer.calls, 1);
}

static void
send_text(const struct order *o, const struct order_text *ot)
{
	wait_for(intake_text(intake, o, ot, done, NULL));
}

static bool
octets_are(struct text t, const char *wanted, size_t n)
{
	return t.len == n && memcmp(t.at, wanted, n) == 0;
}

/* --- texts -------------------------------------------------------------------------------- */

#define T(literal)	{ (literal), sizeof(literal) - 1 }

static const struct {
	const char	*name, *user, *to, *from, *smsc;
	struct text	 body, charset, udh;
	int		 coding;
	enum intake_verdict verdict;
	/* of the first message */
	const char	*msisdn, *sender, *smsc_wanted;
	struct text	 wanted;
	unsigned	 segments;
	const char	*denied;
} text_cases[] = {
	{ .name = "an ordinary text", .user = "u", .to = "+4477", .body = T("hello"), .coding = -1,
	  .msisdn = "+4477", .sender = "13013", .wanted = T("hello"), .segments = 1 },
	{ .name = "receivers are rewritten by unified-prefix", .user = "u", .to = "0077",
	  .body = T("x"), .coding = -1, .msisdn = "+44077", .sender = "13013", .wanted = T("x"),
	  .segments = 1 },
	{ .name = "an empty text is sent", .user = "u", .to = "+4477", .body = T(""), .coding = -1,
	  .msisdn = "+4477", .sender = "13013", .wanted = T(""), .segments = 1 },
	{ .name = "from goes before the defaults", .user = "defaults", .to = "+4477", .from = "me",
	  .body = T("x"), .coding = -1, .msisdn = "+4477", .sender = "me", .smsc_wanted = "d",
	  .wanted = T("x"), .segments = 1 },
	{ .name = "an empty from is none", .user = "defaults", .to = "+4477", .from = "",
	  .body = T("x"), .coding = -1, .msisdn = "+4477", .sender = "Def", .smsc_wanted = "d",
	  .wanted = T("x"), .segments = 1 },
	{ .name = "faked-sender and forced-smsc go before everything", .user = "faked", .to = "+4477",
	  .from = "me", .smsc = "s", .body = T("x"), .coding = -1, .msisdn = "+4477",
	  .sender = "Fake", .smsc_wanted = "f", .wanted = T("x"), .segments = 1 },
	{ .name = "smsc goes before default-smsc", .user = "defaults", .to = "+4477", .smsc = "s",
	  .body = T("x"), .coding = -1, .msisdn = "+4477", .sender = "Def", .smsc_wanted = "s",
	  .wanted = T("x"), .segments = 1 },
	{ .name = "latin 1 becomes UTF-8", .user = "u", .to = "+4477", .body = T("\xe5"),
	  .charset = T("ISO-8859-1"), .coding = -1, .msisdn = "+4477", .sender = "13013",
	  .wanted = T("\xc3\xa5"), .segments = 1 },
	{ .name = "UTF-8 becomes UTF-16 for coding 2", .user = "u", .to = "+4477",
	  .body = T("\xd0\x96"), .charset = T("utf-8"), .coding = 2, .msisdn = "+4477",
	  .sender = "13013", .wanted = T("\x04\x16"), .segments = 1 },
	{ .name = "coding 2 without charset is UTF-16 already", .user = "u", .to = "+4477",
	  .body = T("\x04\x16"), .coding = 2, .msisdn = "+4477", .sender = "13013",
	  .wanted = T("\x04\x16"), .segments = 1 },
	{ .name = "octets keep what charset would change", .user = "u", .to = "+4477",
	  .body = T("\xe5"), .charset = T("ISO-8859-1"), .coding = 1, .msisdn = "+4477",
	  .sender = "13013", .wanted = T("\xe5"), .segments = 1 },
	{ .name = "a header makes octets of the text", .user = "u", .to = "+4477",
	  .body = T("\x00\xff"), .udh = T("\x06\x05\x04\x0b\x84\x23\xf0"), .coding = -1,
	  .msisdn = "+4477", .sender = "13013", .wanted = T("\x00\xff"), .segments = 1 },
	{ .name = "an unknown charset is refused", .user = "u", .to = "+4477", .body = T("x"),
	  .charset = T("x-none"), .coding = -1, .verdict = INTAKE_BAD_TEXT },
	{ .name = "a charset with a NUL is refused", .user = "u", .to = "+4477", .body = T("x"),
	  .charset = T("UTF-8\0"), .coding = -1, .verdict = INTAKE_BAD_TEXT },
	{ .name = "one receiver of three is bad: the others get it", .user = "u",
	  .to = " +4477 abc\t+4478 ", .body = T("x"), .coding = -1, .msisdn = "+4477",
	  .sender = "13013", .wanted = T("x"), .segments = 1, .denied = "abc" },
	{ .name = "only bad receivers", .user = "u", .to = "abc 12;3", .body = T("x"), .coding = -1,
	  .verdict = INTAKE_DENIED, .denied = "" },
	{ .name = "only blanks", .user = "u", .to = "  ", .body = T("x"), .coding = -1,
	  .verdict = INTAKE_DENIED },
	{ .name = "an address of 20 digits goes", .user = "u", .to = "+12345678901234567890",
	  .body = T("x"), .coding = -1, .msisdn = "+12345678901234567890", .sender = "13013",
	  .wanted = T("x"), .segments = 1 },
	{ .name = "an address of 21 digits does not", .user = "u", .to = "+123456789012345678901",
	  .body = T("x"), .coding = -1, .verdict = INTAKE_DENIED },
	{ .name = "the account's white list", .user = "listed", .to = "+3377", .body = T("x"),
	  .coding = -1, .verdict = INTAKE_DENIED },
	{ .name = "the account's black list", .user = "listed", .to = "+447713", .body = T("x"),
	  .coding = -1, .verdict = INTAKE_DENIED },
	{ .name = "the smsbox's black list", .user = "u", .to = "+44666", .body = T("x"),
	  .coding = -1, .verdict = INTAKE_DENIED },
	{ .name = "the core's black list is for good", .user = "u", .to = "+4499", .body = T("x"),
	  .coding = -1, .verdict = INTAKE_UNROUTABLE },
	{ .name = "a sender of 21 characters", .user = "u", .to = "+4477",
	  .from = "123456789012345678901", .body = T("x"), .coding = -1,
	  .verdict = INTAKE_BAD_SENDER },
	{ .name = "characters of a sender count, not octets", .user = "u", .to = "+4477",
	  .from = "\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5",
	  .body = T("x"), .coding = -1, .msisdn = "+4477",
	  .sender = "\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5\xc3\xa5",
	  .wanted = T("x"), .segments = 1 },
};

static void
test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(text_cases); i++) {
		const char *name = text_cases[i].name;
		struct order o = an_order(text_cases[i].user, text_cases[i].to);
		struct order_text ot = a_text(text_cases[i].body);
		const struct message *m;

		forget();
		o.from = text_of(text_cases[i].from);
		o.smsc = text_of(text_cases[i].smsc);
		ot.charset = text_cases[i].charset;
		ot.udh = text_cases[i].udh;
		ot.coding = text_cases[i].coding;
		send_text(&o, &ot);
		if (answer.verdict != text_cases[i].verdict)
			fail_msg("%s: verdict %d, %s", name, answer.verdict, answer.err.text);
		if (answer.verdict != INTAKE_ACCEPTED) {
			assert_int_equal(got_count, 0);
			assert_int_equal(answer.count, 0);
			continue;
		}
		m = got[0];
		if (!text_is(m->msisdn, text_cases[i].msisdn) || !text_is(m->sender, text_cases[i].sender))
			fail_msg("%s: to %.*s from %.*s", name, TEXT_ARGS(m->msisdn), TEXT_ARGS(m->sender));
		if (text_cases[i].smsc_wanted == NULL ? m->smsc.len > 0 :
		    !text_is(m->smsc, text_cases[i].smsc_wanted))
			fail_msg("%s: smsc %.*s", name, TEXT_ARGS(m->smsc));
		if (!octets_are(m->body, text_cases[i].wanted.at, text_cases[i].wanted.len))
			fail_msg("%s: the body is another", name);
		if (answer.segments != text_cases[i].segments || answer.count != got_count)
			fail_msg("%s: %u segments, %zu ids", name, answer.segments, answer.count);
		if (strcmp(answer.denied, text_cases[i].denied != NULL ? text_cases[i].denied : "") != 0)
			fail_msg("%s: denied \"%s\"", name, answer.denied);
	}
	forget();
}

static const struct {
	const char	*name, *user;
	size_t		 characters;
	enum intake_verdict verdict;
	unsigned	 segments;
} length_cases[] = {
	{ "one segment is full", "plain", 160, INTAKE_ACCEPTED, 1 },
	{ "without max-messages a text has one segment", "plain", 161, INTAKE_TOO_LONG, 2 },
	{ "three segments are full", "u", 459, INTAKE_ACCEPTED, 3 },
	{ "one more is refused, not cut", "u", 460, INTAKE_TOO_LONG, 4 },
	{ "plain messages in a row hold 160 each", "row", 320, INTAKE_ACCEPTED, 2 },
};

static void
test_lengths(void **state)
{
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof text);
	for (size_t i = 0; i < COUNT(length_cases); i++) {
		struct order o = an_order(length_cases[i].user, "+4477");
		struct order_text ot = a_text((struct text){ text, length_cases[i].characters });

		forget();
		send_text(&o, &ot);
		if (answer.verdict != length_cases[i].verdict ||
		    answer.segments != length_cases[i].segments)
			fail_msg("%s: verdict %d, %u segments", length_cases[i].name, answer.verdict,
			    answer.segments);
	}
	forget();
}

static void
test_fields(void **state)
{
	struct order o = an_order("u", "+4477");
	struct order_text ot = a_text(TEXT("x"));
	wall_t before = clock_wall();

	(void)state;
	forget();
	o.dlr_mask = 31;
	o.priority = 2;
	o.validity_min = 60;
	o.deferred_min = 5;
	o.billing = TEXT("bill");
	o.binfo = TEXT("info");
	o.meta_data = TEXT("?smpp?a=b");
	ot.mclass = 1;
	ot.pid = 65;
	send_text(&o, &ot);
	assert_int_equal(got_count, 1);
	assert_int_equal(got[0]->dlr_mask, 31);
	assert_true(text_is(got[0]->dlr_url, "http://x/d"));	/* the account's */
	assert_int_equal(got[0]->priority, 2);
	assert_int_equal(got[0]->mclass, 1);
	assert_int_equal(got[0]->pid, 65);
	assert_int_equal(got[0]->rpi, MESSAGE_UNSET);
	assert_int_equal(got[0]->klass, CLASS_NORMAL);
	assert_true(got[0]->validity_given);
	assert_in_range(got[0]->expires - before, 3600000, 3660000);
	assert_in_range(got[0]->deferred - before, 300000, 360000);
	assert_true(text_is(got[0]->account, "u") && text_is(got[0]->service, "service"));
	assert_true(text_is(got[0]->billing, "bill") && text_is(got[0]->binfo, "info"));
	assert_true(text_is(got[0]->meta_data, "?smpp?a=b"));
	forget();
	o = an_order("defaults", "+4477");
	send_text(&o, &ot);
	assert_int_equal(got[0]->klass, CLASS_HIGH);
	assert_int_equal(got[0]->dlr_url.len, 0);	/* no report is asked for */
	assert_int_equal(got[0]->expires, 0);
	forget();
}

/* --- many receivers, and what links say --------------------------------------------------- */

static void
test_many(void **state)
{
	struct buf to = buf_heap(100000);
	struct order o;
	struct order_text ot = a_text(TEXT("x"));

	(void)state;
	forget();
	for (int i = 0; i < 1000; i++)
		buf_printf(&to, "+44%d0 ", 7000 + i);
	o = an_order("u", buf_cstr(&to));
	send_text(&o, &ot);
	assert_int_equal(answer.verdict, INTAKE_ACCEPTED);
	assert_int_equal(got_count, 1000);
	assert_int_equal(answer.count, 1000);
	assert_true(text_is(got[999]->msisdn, "+4479990"));
	assert_string_not_equal(answer.ids[0], answer.ids[999]);
	forget();
	buf_printf(&to, "+448000 ");
	o = an_order("u", buf_cstr(&to));
	send_text(&o, &ot);
	assert_int_equal(answer.verdict, INTAKE_BAD_ARGS);
	assert_int_equal(got_count, 0);
	forget();
	buf_free(&to);
}

static void
test_links(void **state)
{
	struct order o = an_order("u", "+4477");
	struct order_text ot = a_text(TEXT("x"));

	(void)state;
	forget();
	link_says = INTAKE_LATER;
	send_text(&o, &ot);
	assert_int_equal(answer.verdict, INTAKE_QUEUED);
	assert_int_equal(got_count, 1);
	forget();
	link_says = INTAKE_NEVER;
	send_text(&o, &ot);
	assert_int_equal(answer.verdict, INTAKE_UNROUTABLE);
	assert_int_equal(got_count, 0);
	forget();
}

static void
test_withdraw(void **state)
{
	struct order o = an_order("u", "+4477");
	struct order_text ot = a_text(TEXT("x"));
	struct intake_ticket *t;

	(void)state;
	forget();
	t = intake_text(intake, &o, &ot, done, NULL);
	assert_true(intake_withdraw(intake, t));	/* nothing ran yet */
	o.to = TEXT("abc");				/* one that was refused */
	t = intake_text(intake, &o, &ot, done, NULL);
	assert_true(intake_withdraw(intake, t));
	o.to = TEXT("+4478");
	t = intake_text(intake, &o, &ot, done, NULL);
	intake_forget(t);
	o.to = TEXT("+4479");
	send_text(&o, &ot);
	assert_int_equal(answer.calls, 1);
	assert_int_equal(got_count, 2);			/* the forgotten one went on */
	assert_true(text_is(got[0]->msisdn, "+4478"));
	forget();
}

static void
test_limit(void **state)
{
	struct intake_conf c = rules();
	struct order o = an_order("u", "+4477");
	struct order_text ot = a_text(TEXT("x"));

	(void)state;
	forget();
	c.queue_limit = 0;
	assert_int_equal(intake_configure(intake, &c, NULL), 0);
	send_text(&o, &ot);
	assert_int_equal(answer.verdict, INTAKE_BUSY);
	c.black_list_regex = "(";
	assert_int_equal(intake_configure(intake, &c, NULL), -1);	/* the old rules stay */
	c = rules();
	assert_int_equal(intake_configure(intake, &c, NULL), 0);
	forget();
}

static void
test_look(void **state)
{
	struct order o = an_order("u", "abc");

	(void)state;
	assert_int_equal(intake_look(intake, &o, false), INTAKE_DENIED);
	assert_int_equal(intake_look(intake, &o, true), INTAKE_BAD_ARGS);
	o.to = TEXT("+4477");
	assert_int_equal(intake_look(intake, &o, false), INTAKE_ACCEPTED);
	o.from = TEXT("123456789012345678901");
	assert_int_equal(intake_look(intake, &o, false), INTAKE_BAD_SENDER);
}

/* --- documents ------------------------------------------------------------------------------ */

#define ROOT(inside)	"<wap-provisioningdoc version=\"1.1\">" inside "</wap-provisioningdoc>"
#define NAP		"<characteristic type=\"NAPDEF\"><parm name=\"NAPID\" value=\"N\"/>"	\
			"<parm name=\"BEARER\" value=\"GSM-GPRS\"/><parm name=\"NAME\" value=\"n\"/>"	\
			"<parm name=\"NAP-ADDRESS\" value=\"a\"/>"				\
			"<parm name=\"NAP-ADDRTYPE\" value=\"APN\"/></characteristic>"
#define IMSI		"310260123456789"

enum { GIVEN_NOT = -1 };

static const struct {
	const char	*name, *user, *to, *xml;
	int		 method;		/* GIVEN_NOT: no sec */
	const char	*pin, *imsi;
	enum intake_verdict verdict;
	int		 signed_as;		/* what the push says */
	const char	*words;			/* in err */
	bool		 warned;
} document_cases[] = {
	{ "USERPIN", "u", "+4477", ROOT(NAP), SIGN_USERPIN, "1234", NULL, INTAKE_ACCEPTED,
	  SIGN_USERPIN, NULL, false },
	{ "a PIN alone is USERPIN", "u", "+4477", ROOT(NAP), GIVEN_NOT, "1234", NULL, INTAKE_ACCEPTED,
	  SIGN_USERPIN, NULL, false },
	{ "an IMSI alone is NETWPIN", "u", "+4477", ROOT(NAP), GIVEN_NOT, NULL, IMSI, INTAKE_ACCEPTED,
	  SIGN_NETWPIN, NULL, false },
	{ "a PIN with an IMSI is USERPIN, with a warning", "u", "+4477", ROOT(NAP), GIVEN_NOT, "1234",
	  IMSI, INTAKE_ACCEPTED, SIGN_USERPIN, NULL, true },
	{ "both for USERNETWPIN", "u", "+4477", ROOT(NAP), SIGN_USERNETWPIN, "1234", IMSI,
	  INTAKE_ACCEPTED, SIGN_USERNETWPIN, NULL, false },
	{ "nothing given is refused, with the cure", "u", "+4477", ROOT(NAP), GIVEN_NOT, NULL, NULL,
	  INTAKE_BAD_SECURITY, 0, "give sec", false },
	{ "an empty PIN is refused", "u", "+4477", ROOT(NAP), GIVEN_NOT, "", NULL,
	  INTAKE_BAD_SECURITY, 0, "USERPIN needs", false },
	{ "NETWPIN without IMSI", "u", "+4477", ROOT(NAP), SIGN_NETWPIN, NULL, NULL,
	  INTAKE_BAD_SECURITY, 0, "give imsi", false },
	{ "NETWPIN to two", "u", "+4477 +4478", ROOT(NAP), SIGN_NETWPIN, NULL, IMSI,
	  INTAKE_BAD_SECURITY, 0, "one receiver", false },
	{ "USERNETWPIN to two", "u", "+4477 +4478", ROOT(NAP), SIGN_USERNETWPIN, "1", IMSI,
	  INTAKE_BAD_SECURITY, 0, "one receiver", false },
	{ "USERPIN to two", "u", "+4477 +4478", ROOT(NAP), SIGN_USERPIN, "1234", NULL,
	  INTAKE_ACCEPTED, SIGN_USERPIN, NULL, false },
	{ "unsigned, the account may not", "u", "+4477", ROOT(NAP), SIGN_NONE, NULL, NULL,
	  INTAKE_BAD_SECURITY, 0, "allow-unsigned", false },
	{ "unsigned, the account may", "unsigned", "+4477", ROOT(NAP), SIGN_NONE, NULL, NULL,
	  INTAKE_ACCEPTED, SIGN_NONE, NULL, false },
	{ "may go unsigned, and is not asked to", "unsigned", "+4477", ROOT(NAP), GIVEN_NOT, NULL,
	  NULL, INTAKE_BAD_SECURITY, 0, "give sec", false },
	{ "a PIN with letters is taken, with a warning", "u", "+4477", ROOT(NAP), SIGN_USERPIN, "ab",
	  NULL, INTAKE_ACCEPTED, SIGN_USERPIN, NULL, true },
	{ "an IMSI of 14 digits is taken, with a warning", "u", "+4477", ROOT(NAP), SIGN_NETWPIN,
	  NULL, "31026012345678", INTAKE_ACCEPTED, SIGN_NETWPIN, NULL, true },
	{ "broken XML", "u", "+4477", "<wap-provisioningdoc>", SIGN_USERPIN, "1", NULL,
	  INTAKE_BAD_SOURCE, 0, "not closed", false },
	{ "another root", "u", "+4477", "<html/>", SIGN_USERPIN, "1", NULL, INTAKE_BAD_SOURCE, 0,
	  "html", false },
	{ "nothing at all", "u", "+4477", "", SIGN_USERPIN, "1", NULL, INTAKE_BAD_SOURCE, 0, "", false },
	{ "entities", "u", "+4477", "<!DOCTYPE x [<!ENTITY a \"b\">]>" ROOT(NAP), SIGN_USERPIN, "1",
	  NULL, INTAKE_BAD_SOURCE, 0, "entity", false },
	{ "no receiver", "u", " ", ROOT(NAP), SIGN_USERPIN, "1", NULL, INTAKE_BAD_ARGS, 0, "give to",
	  false },
	{ "one bad receiver refuses all", "u", "+4477 abc", ROOT(NAP), SIGN_USERPIN, "1", NULL,
	  INTAKE_BAD_ARGS, 0, "receiver", false },
	{ "lists are for texts", "listed", "+3377", ROOT(NAP), SIGN_USERPIN, "1", NULL,
	  INTAKE_ACCEPTED, SIGN_USERPIN, NULL, false },
	{ "old settings travel unsigned", "u", "+4477", "<CHARACTERISTIC-LIST><CHARACTERISTIC "
	  "TYPE=\"NAME\"><PARM NAME=\"NAME\" VALUE=\"x\"/></CHARACTERISTIC></CHARACTERISTIC-LIST>",
	  GIVEN_NOT, NULL, NULL, INTAKE_ACCEPTED, SIGN_NONE, NULL, false },
};

static struct secret
view(const char *s)
{
	return (struct secret){ (uint8_t *)(uintptr_t)s, s != NULL ? strlen(s) : 0 };
}

static void
check_push(const char *name, const struct message *m, int method, const struct sign_secrets *s)
{
	struct wsp_push p;
	struct udh udh;
	struct err err = { 0 };

	assert_int_equal(m->kind, MESSAGE_PUSH);
	assert_int_equal(m->coding, CODING_OCTETS);
	assert_true(m->concatenate);
	assert_int_equal(udh_read(m->udh, &udh, &err), 0);
	assert_true(udh.ports);
	assert_int_equal(wsp_push_read(m->body, &p, &err), 0);
	if (method == SIGN_NONE) {
		assert_int_equal(p.sec, WSP_NO_SEC);
		assert_null(p.mac.at);
		return;
	}
	assert_int_equal(p.media, 0x36);
	assert_int_equal(udh.port_to, 2948);
	assert_int_equal(p.sec, method);
	if (sign_verify((enum sign_method)method, s, p.body, p.mac, &err) != 1)
		fail_msg("%s: the MAC does not hold: %s", name, err.text);
}

static void
test_documents(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(document_cases); i++) {
		const char *name = document_cases[i].name;
		struct order o = an_order(document_cases[i].user, document_cases[i].to);
		struct order_document od = {
			.xml = text_of(document_cases[i].xml),
			.sec_given = document_cases[i].method != GIVEN_NOT,
			.secrets = { .pin = view(document_cases[i].pin), .imsi = view(document_cases[i].imsi) },
		};

		forget();
		if (od.sec_given)
			od.method = (enum sign_method)document_cases[i].method;
		wait_for(intake_document(intake, &o, &od, done, NULL));
		if (answer.verdict != document_cases[i].verdict)
			fail_msg("%s: verdict %d: %s", name, answer.verdict, answer.err.text);
		if (document_cases[i].words != NULL &&
		    strstr(answer.err.text, document_cases[i].words) == NULL)
			fail_msg("%s: says \"%s\"", name, answer.err.text);
		if (strstr(answer.err.text, IMSI) != NULL)
			fail_msg("%s: a secret in the error", name);
		assert_int_equal(got_count > 0, answer.verdict == INTAKE_ACCEPTED);
		if (answer.verdict != INTAKE_ACCEPTED)
			continue;
		if ((answer.warnings > 0) != document_cases[i].warned)
			fail_msg("%s: %zu warnings", name, answer.warnings);
		for (size_t m = 0; m < got_count; m++)
			check_push(name, got[m], document_cases[i].signed_as, &od.secrets);
	}
	forget();
}

static void
test_user_code(void **state)
{
	struct order o = an_order("u", "+4477");
	struct order_document od = { .xml = TEXT(ROOT(NAP)), .sec_given = true,
	    .method = SIGN_USERPINMAC, .secrets = { .pin = view("4821") } };
	struct wsp_push p;

	(void)state;
	forget();
	wait_for(intake_document(intake, &o, &od, done, NULL));
	assert_int_equal(answer.verdict, INTAKE_ACCEPTED);
	assert_int_equal(strlen(answer.user_code), 8);
	assert_int_equal(wsp_push_read(got[0]->body, &p, NULL), 0);
	assert_null(p.mac.at);				/* it never travels */
	assert_int_equal(sign_verify_code(text_of(answer.user_code), p.body), 1);
	forget();
}

/* max-messages of the account counts for documents when it is given. */
static void
test_document_length(void **state)
{
	struct buf xml = buf_heap(100000);
	struct order_document od = { .sec_given = true, .method = SIGN_USERPIN,
	    .secrets = { .pin = view("1") } };
	struct order o = an_order("u", "+4477");

	(void)state;
	forget();
	buf_str(&xml, "<wap-provisioningdoc>");
	for (int i = 0; i < 60; i++)
		buf_printf(&xml, "<characteristic type=\"X%d\"/>", i);
	buf_str(&xml, "</wap-provisioningdoc>");
	od.xml = (struct text){ (char *)xml.data, xml.len };
	wait_for(intake_document(intake, &o, &od, done, NULL));
	assert_int_equal(answer.verdict, INTAKE_TOO_LONG);
	assert_non_null(strstr(answer.err.text, "the account allows 3"));
	forget();
	o = an_order("plain", "+4477");
	wait_for(intake_document(intake, &o, &od, done, NULL));
	assert_int_equal(answer.verdict, INTAKE_ACCEPTED);
	assert_true(answer.segments > 3);
	forget();
	buf_free(&xml);
}

/* --- accounts --------------------------------------------------------------------------------- */

static void
test_login(void **state)
{
	struct sockaddr here = { .sa_family = AF_INET };
	const struct account *a;

	(void)state;
	assert_null(accounts_login(accounts, TEXT("nobody"), TEXT("p"), &here));
	assert_null(accounts_login(accounts, TEXT("u"), TEXT("wrong"), &here));
	assert_null(accounts_login(accounts, TEXT("u"), TEXT("p2"), &here));
	assert_null(accounts_login(accounts, TEXT("U"), TEXT("p"), &here));
	assert_null(accounts_login(accounts, TEXT(""), TEXT(""), &here));
	assert_null(accounts_login(accounts, TEXT("u"), (struct text){ 0 }, &here));
	assert_null(accounts_login(accounts, TEXT("denied"), TEXT("p"), &here));
	a = accounts_login(accounts, TEXT("u"), TEXT("second"), &here);	/* the same name again */
	assert_non_null(a);
	assert_string_equal(a->name, "other");
	assert_string_equal(account("plain")->name, "plain");
	assert_int_equal(accounts_count(accounts), 9);
}

/* Last: nobody comes in any more. */
static void
test_closed(void **state)
{
	struct order o = an_order("u", "+4477");
	struct order_text ot = a_text(TEXT("x"));

	(void)state;
	forget();
	intake_close_door(intake);
	send_text(&o, &ot);
	assert_int_equal(answer.verdict, INTAKE_BUSY);
	assert_int_equal(got_count, 0);
	forget();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_withdraw),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_user_code),
		cmocka_unit_test(test_document_length),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_closed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
