/*
 * push_escape_test.c - percent escapes in dlr-url, as Kannel 1.4.5 was seen to expand
 * them; escape.c lists where we differ on purpose
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "push/escape.h"
#include "push/message.h"

#define ROWS(table) (sizeof(table) / sizeof *(table))
#define PUSH_ID	"deadbeef-0000-8000-8000-000000000001"

static const struct message message = {
	.msisdn = { "00358402", 8 }, .sender = { "0044123", 7 }, .service = { "my service", 10 },
	.billing = { "a&b", 3 }, .binfo = { "bi=1", 4 },
	.meta_data = { "?smpp?k=v&k2=v%202&e=?o?k=w", 27 },
	.dlr_url = { "http://x/?%d", 12 }, .body = { "secret", 6 }, .coding = 2, .mclass = 1, .mwi = 2,
	.udh = { "\1\2", 2 },
};

static const struct report receipt = {
	.message = &message, .event = DLR_DELIVERED, .push_id = { PUSH_ID, 36 },
	.smsc = { "vf 1", 4 }, .foreign_id = { "9F/1", 4 }, .own_number = { "+1", 2 },
	.answer = { "id:7 stat:DELIVRD x*&#%y  text:\xC3\xA4", 33 }, .at = INT64_C(1795487551999),
};

static const struct {
	const char	*name, *url, *want;
} cases[] = {
	{ "no escape", "http://h/p?a=b+c%20d", "http://h/p?a=b+c%20d" },
	{ "event", "%d", "1" },
	{ "phone and sender, reply direction", "p=%p&P=%P", "p=00358402&P=0044123" },
	{ "00 becomes plus", "%q %Q", "%2B358402 %2B44123" },
	{ "push-id is the sender's", "%I", PUSH_ID },
	{ "link and foreign id", "%i,%F,%f", "vf+1,9F%2F1,%2B1" },
	{ "the answer, quoted", "%A", "id%3A7+stat%3ADELIVRD+x*%26%23%25y++text%3A%C3%A4" },
	{ "payload is the answer too, never the body", "%b",
	  "id%3A7+stat%3ADELIVRD+x*%26%23%25y++text%3A%C3%A4" },
	{ "payload in hex", "%e",
	  "69643A3720737461743A44454C4956524420782A2623257920" "20746578743AC3A4" },
	{ "words lose double blanks", "%a", "id%3A7+stat%3ADELIVRD+x*%26%23%25y+text%3A%C3%A4" },
	{ "keyword", "%k", "id%3A7" },
	{ "words one by one, the keyword is not among them", "%s|%s|%s|%s",
	  "stat%3ADELIVRD|x*%26%23%25y|text%3A%C3%A4|" },
	{ "the rest follows the words taken", "%r|%s|%r", "stat%3ADELIVRD+x*%26%23%25y+text%3A%C3%A4|"
	  "stat%3ADELIVRD|x*%26%23%25y+text%3A%C3%A4" },
	{ "raw word: star becomes tilde, nothing ends the value", "%S %S %S",
	  "stat:DELIVRD x~%26%23%25y text:%C3%A4" },
	{ "coding of the report itself", "%c %C %m %M %O", "-1 UTF-8 -1 -1 00" },
	{ "what a report has not", "[%u%v%V]", "[]" },
	{ "time", "%t", "2026-11-24+02:32:31" },
	{ "seconds", "%T", "1795487551" },
	{ "service, account, binfo", "%n %o %B", "my+service a%26b bi%3D1" },
	{ "meta-data whole", "%D", "%3Fsmpp%3Fk%3Dv%26k2%3Dv%25202%26e%3D%3Fo%3Fk%3Dw" },
	{ "meta-data by key", "%#smpp#k# %#smpp#k2# %#o#k#", "v v+2 w" },
	{ "meta-data: no such key or group, empty value", "[%#smpp#x#%#q#k#%#smpp#e#]", "[]" },
	{ "meta-data at the end of the URL", "a=%#smpp#k#", "a=v" },
	{ "meta-data escape not ended", "%#smpp#k", "%#smpp#k" },
	{ "meta-data escape without key", "%#x", "%#x" },
	{ "meta-data escape without anything", "%#", "%#" },
	{ "the url itself", "%R", "http%3A%2F%2Fx%2F%3F%25d" },
	{ "percent", "100%%d", "100%d" },
	{ "unknown ones stay", "%U %x %y %z %Z %W", "%U %x %y %z %Z %W" },
	{ "percent at the end", "a%", "a%" },
	{ "percent twice at the end", "a%%", "a%" },
	{ "nothing", "", "" },
};

static void
test_escapes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(cases); i++) {
		struct buf b = buf_heap(4096);

		escape_expand(text_of(cases[i].url), &receipt, &b);
		if (strcmp(buf_cstr(&b), cases[i].want) != 0)
			fail_msg("%s: got %s", cases[i].name, buf_cstr(&b));
		buf_free(&b);
	}
}

/* The first report of a message, when the SMSC took it: recorded. */
static void
test_accepted_by_the_smsc(void **state)
{
	struct report report = { .message = &message, .event = DLR_SMSC_ACCEPTED,
		.answer = TEXT("ACK/") };
	struct buf b = buf_heap(4096);

	(void)state;
	escape_expand(TEXT("d=%d&A=%A&k=%k&r=%r&s=%s&S=%S&f=%f&F=%F&e=%e"), &report, &b);
	assert_string_equal(buf_cstr(&b), "d=8&A=ACK%2F&k=ACK%2F&r=&s=&S=&f=&F=&e=41434B2F");
	buf_free(&b);
}

static void
test_absent_values(void **state)
{
	struct message none = { 0 };
	struct report report = { .message = &none, .event = DLR_EXPIRED };
	struct buf b = buf_heap(4096);

	(void)state;
	escape_expand(TEXT("%d[%a%A%b%B%D%e%f%F%i%I%k%n%o%p%P%q%Q%r%R%s%S%#a#b#]%T"), &report, &b);
	assert_string_equal(buf_cstr(&b), "34[]0");
	buf_free(&b);
}

static void
test_bounded(void **state)
{
	uint8_t room[8];
	struct buf b = buf_on(room, sizeof room);

	(void)state;
	escape_expand(TEXT("12345%A"), &receipt, &b);
	assert_true(b.overflow);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_accepted_by_the_smsc),
		cmocka_unit_test(test_absent_values),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests_name("push/escape", tests, NULL, NULL);
}
