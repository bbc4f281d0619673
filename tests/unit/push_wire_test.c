/*
 * push_wire_test.c - user data headers, the WSP push, and joining segments again
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "push/message.h"
#include "push/reassemble.h"
#include "push/segment.h"
#include "push/udh.h"
#include "push/wsp.h"

#define ROWS(table) (sizeof(table) / sizeof *(table))
#define MAC	"0123456789ABCDEF0123456789ABCDEF01234567"
#define MAC_HEX	"3031323334353637383941424344454630313233343536373839414243444546" "3031323334353637"

static struct text
unhex(const char *hex, struct buf *b)
{
	struct err err = { 0 };

	*b = buf_heap(4096);
	if (text_unhex(text_of(hex), b, &err) == -1)
		fail_msg("%s: %s", hex, err.text);
	return (struct text){ b->data != NULL ? (const char *)b->data : "", b->len };
}

static void
assert_hex(const char *name, const struct buf *b, const char *want)
{
	struct buf octets;
	struct text t = unhex(want, &octets);

	if (b->overflow || b->len != t.len || (t.len > 0 && memcmp(b->data, t.at, t.len) != 0)) {
		struct buf hex = buf_heap(8192);

		buf_hex(&hex, b->data, b->len, false);
		fail_msg("%s: got %.*s", name, (int)hex.len, (const char *)hex.data);
	}
	buf_free(&octets);
}

/* --- user data headers ----------------------------------------------------- */

static void
test_udh_write(void **state)
{
	struct text ports = { "\x06\x05\x04\x0B\x84\x23\xF0", 7 };
	struct buf b = buf_heap(64);

	(void)state;
	udh_put_ports(&b, 2948, 9200);
	assert_hex("ports", &b, "0605040b8423f0");
	b.len = 0;
	udh_with_concat(&b, (struct text){ 0 }, 0x142, false, 3, 2);
	assert_hex("8-bit reference is the low octet", &b, "050003420302");
	b.len = 0;
	udh_with_concat(&b, ports, 0x142, false, 3, 2);
	assert_hex("behind the ports", &b, "0b05040b8423f00003420302");
	b.len = 0;
	udh_with_concat(&b, ports, 0x142, true, 3, 2);
	assert_hex("wide", &b, "0c05040b8423f0080401420302");
	buf_free(&b);
}

static const struct {
	const char	*name, *hex;
	bool		 good;
	struct udh	 want;
} udh_cases[] = {
	{ "ports", "0605040b8423f001", true,
	  { .ports = true, .port_to = 2948, .port_from = 9200, .octets = 7 } },
	{ "8-bit ports", "040402e2e4", true,
	  { .ports = true, .port_to = 226, .port_from = 228, .octets = 5 } },
	{ "ports and concatenation", "0b05040b8423f00003a10201", true, { .ports = true,
	  .port_to = 2948, .port_from = 9200, .concat = true, .reference = 0xA1, .total = 2,
	  .number = 1, .octets = 12 } },
	{ "concatenation first", "0c0804123402020504c34fc002", true, { .ports = true,
	  .port_to = 49999, .port_from = 49154, .concat = true, .wide = true, .reference = 0x1234,
	  .total = 2, .number = 2, .octets = 13 } },
	{ "unknown element", "0470020000" "ff", true, { .octets = 5 } },
	{ "element without content", "027000", true, { .octets = 3 } },
	{ "empty header", "00", true, { .octets = 1 } },
	{ "the last of two counts", "0c05040b8423f005040b84c002", true,
	  { .ports = true, .port_to = 2948, .port_from = 49154, .octets = 13 } },
	{ "nothing", "", false, { 0 } },
	{ "longer than the data", "0605040b84", false, { 0 } },
	{ "element runs over the header", "0405040b84" "23f0", false, { 0 } },
	{ "element without length", "0105", false, { 0 } },
	{ "ports of three octets", "0505030b8423", false, { 0 } },
	{ "segment 0", "050003a10200", false, { 0 } },
	{ "segment 3 of 2", "050003a10203", false, { 0 } },
	{ "segment 1 of 0", "050003a10001", false, { 0 } },
};

static void
test_udh_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(udh_cases); i++) {
		struct buf octets;
		struct text t = unhex(udh_cases[i].hex, &octets);
		const struct udh *want = &udh_cases[i].want;
		struct err err = { 0 };
		struct udh u;
		int rc = udh_read(t, &u, &err);

		if ((rc == 0) != udh_cases[i].good || (rc == -1) != (err.code == ERR_SYNTAX))
			fail_msg("%s: %d %s", udh_cases[i].name, rc, err.text);
		if (rc == 0 && (u.ports != want->ports || u.concat != want->concat ||
		    u.wide != want->wide || u.port_to != want->port_to ||
		    u.port_from != want->port_from || u.reference != want->reference ||
		    u.total != want->total || u.number != want->number || u.octets != want->octets))
			fail_msg("%s", udh_cases[i].name);
		buf_free(&octets);
	}
}

/* Every element with every length, and every number of every total. */
static void
test_udh_elements(void **state)
{
	(void)state;
	for (unsigned id = 0; id < 256; id++)
		for (unsigned n = 0; n < 256 - 2; n++) {
			uint8_t octets[256];
			unsigned want = id == 0x00 ? 3 : id == 0x04 ? 2 : id == 0x05 || id == 0x08 ? 4 : n;
			struct udh u;

			memset(octets, 1, sizeof octets);	/* segment 1 of 1 */
			octets[0] = (uint8_t)(n + 2);
			octets[1] = (uint8_t)id;
			octets[2] = (uint8_t)n;
			if ((udh_read((struct text){ (char *)octets, n + 3 }, &u, NULL) == 0) != (n == want))
				fail_msg("element %02x of %u octets", id, n);
			assert_int_equal(udh_read((struct text){ (char *)octets, n + 2 }, &u, NULL), -1);
		}
	for (unsigned total = 0; total < 256; total++)
		for (unsigned number = 0; number < 256; number++) {
			const uint8_t octets[] = { 5, 0, 3, 7, (uint8_t)total, (uint8_t)number };
			struct udh u;

			if ((udh_read((struct text){ (const char *)octets, sizeof octets }, &u, NULL) == 0) !=
			    (number >= 1 && number <= total))
				fail_msg("segment %u of %u", number, total);
		}
}

/* Every beginning of a header, and every octet as every other; copies for ASan. */
static void
test_udh_damaged(void **state)
{
	static const uint8_t good[] = { 0x0c, 8, 4, 0x12, 0x34, 2, 2, 5, 4, 0xc3, 0x4f, 0xc0, 2 };

	(void)state;
	for (size_t n = 0; n <= sizeof good; n++)
		for (unsigned v = 0; v < 256; v++) {
			size_t len = n < sizeof good ? sizeof good : 0;
			uint8_t *copy = malloc(sizeof good);
			struct err err = { 0 };
			struct udh u;

			assert_non_null(copy);
			memcpy(copy, good, sizeof good);
			if (n < sizeof good)
				copy[n] = (uint8_t)v;
			if (udh_read((struct text){ (char *)copy, len }, &u, &err) == 0)
				assert_true(u.octets <= len);
			else
				assert_int_equal(err.code, ERR_SYNTAX);
			if (v == 0) {
				uint8_t *cut = malloc(n > 0 ? n : 1);

				assert_non_null(cut);
				memcpy(cut, good, n);
				assert_int_equal(udh_read((struct text){ (char *)cut, n }, &u, NULL),
				    n == sizeof good ? 0 : -1);
				free(cut);
			}
			free(copy);
		}
}

/* --- the WSP push ---------------------------------------------------------- */

#define BODY { "\x03\x0B\x6A\x00", 4 }

/* Written and read: octets as recorded from Kannel, or as in WAP-251 and its readers. */
static const struct {
	const char	*name;
	struct wsp_push	 push;
	const char	*hex;
} wsp_cases[] = {
	{ "recorded: signed provisioning",
	  { .tid = 1, .media = 0x36, .sec = 1, .mac = { MAC, 40 }, .body = BODY },
	  "01062f1f2db6918192" MAC_HEX "00030b6a00" },
	{ "unsigned provisioning", { .tid = 7, .media = 0x36, .sec = WSP_NO_SEC, .body = BODY },
	  "070601b6030b6a00" },
	{ "SEC alone has a short length", { .tid = 1, .media = 0x36, .sec = 0, .body = BODY },
	  "01060403b69180030b6a00" },
	{ "recorded: browser settings",
	  { .tid = 1, .media_name = { "application/x-wap-prov.browser-settings", 39 },
	    .charset_utf8 = true, .sec = WSP_NO_SEC, .body = { "\1\1\x6A\0", 4 } },
	  "01062c1f2a6170706c69636174696f6e2f782d7761702d70726f762e62726f777365722d73657474696e6773"
	  "0081ea01016a00" },
	{ "recorded: syncsettings, a code of two octets",
	  { .tid = 0x34, .media = 0x020B, .charset_utf8 = true, .sec = WSP_NO_SEC,
	    .body = { "\1\1\x6A\0", 4 } },
	  "3406060502020b81ea01016a00" },
	{ "code of two octets without parameters", { .media = 0x0312, .sec = WSP_NO_SEC },
	  "00060403020312" },
	{ "code of one long octet", { .media = 0x85, .sec = WSP_NO_SEC }, "000603020185" },
	{ "DM notification with its header", { .tid = 1, .media = 0x44, .sec = WSP_NO_SEC,
	    .headers = { "\xAF\x87", 2 }, .body = { "x", 1 } }, "010603c4af8778" },
	{ "EMN: a type in text, without parameters", { .tid = 1,
	    .media_name = { "application/vnd.wap.emn+wbxml", 29 }, .sec = WSP_NO_SEC,
	    .headers = { "\xAF\x89", 2 }, .body = { "x", 1 } },
	  "0106206170706c69636174696f6e2f766e642e7761702e656d6e2b7762786d6c00af8978" },
	{ "text that would be read as a code is quoted", { .media_name = { "\xB6x", 2 },
	    .sec = WSP_NO_SEC }, "0006047fb67800" },
};

static void
check_push(const char *name, const struct wsp_push *got, const struct wsp_push *want)
{
	if (got->tid != want->tid || got->media != want->media || got->sec != want->sec ||
	    got->charset_utf8 != want->charset_utf8 ||
	    (want->media == 0 && !text_eq(got->media_name, want->media_name)) ||
	    (want->mac.at != NULL) != (got->mac.at != NULL) ||
	    (want->mac.at != NULL && !text_eq(got->mac, want->mac)) ||
	    got->headers.len != want->headers.len || got->body.len != want->body.len ||
	    memcmp(got->headers.at, want->headers.len > 0 ? want->headers.at : "",
	    want->headers.len) != 0 ||
	    memcmp(got->body.at, want->body.len > 0 ? want->body.at : "", want->body.len) != 0)
		fail_msg("%s: read otherwise", name);
}

static void
test_wsp_write_and_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(wsp_cases); i++) {
		struct buf b = buf_heap(1024);
		struct err err = { 0 };
		struct wsp_push got;

		wsp_push_write(&wsp_cases[i].push, &b);
		assert_hex(wsp_cases[i].name, &b, wsp_cases[i].hex);
		if (wsp_push_read((struct text){ (char *)b.data, b.len }, &got, &err) == -1)
			fail_msg("%s: %s", wsp_cases[i].name, err.text);
		check_push(wsp_cases[i].name, &got, &wsp_cases[i].push);
		buf_free(&b);
	}
}

static void
test_wsp_write_bounded(void **state)
{
	char name[600];
	uint8_t room[30];
	struct buf small = buf_on(room, sizeof room), big = buf_heap(4096);
	struct wsp_push p = { .media = 0x36, .sec = 1, .mac = TEXT(MAC) };

	(void)state;
	wsp_push_write(&p, &small);
	assert_true(small.overflow);
	memset(name, 'a', sizeof name);
	p = (struct wsp_push){ .media_name = { name, sizeof name }, .sec = WSP_NO_SEC };
	wsp_push_write(&p, &big);
	assert_true(big.overflow);
	buf_free(&big);
}

/* What other senders write. */
static const struct {
	const char	*name, *hex;
	uint16_t	 media;
	uint8_t		 sec;
	bool		 charset, mac;
	size_t		 body;
} wsp_foreign[] = {
	{ "MAC before SEC", "01062f1f2db692" MAC_HEX "00918178", 0x36, 1, false, true, 1 },
	{ "charset, then SEC", "01060605b681ea918078", 0x36, 0, true, false, 1 },
	{ "charset as a long integer", "01060706b681016a9180", 0x36, 0, true, false, 0 },
	{ "another charset", "01060403b68184" "78", 0x36, WSP_NO_SEC, false, false, 1 },
	{ "unknown parameters of every form", "0106100fb6858385016185020103856100918161006200", 0x36,
	  1, false, false, 4 },
	{ "text parameter name", "01060a09b6666f6f006261720078", 0x36, WSP_NO_SEC, false, false, 1 },
	{ "SEC as a long integer", "01060504b6910102", 0x36, 2, false, false, 0 },
	{ "long length for a short type", "0106031f01b678", 0x36, WSP_NO_SEC, false, false, 1 },
};

static void
test_wsp_read_foreign(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(wsp_foreign); i++) {
		struct buf octets;
		struct text t = unhex(wsp_foreign[i].hex, &octets);
		struct err err = { 0 };
		struct wsp_push p;

		if (wsp_push_read(t, &p, &err) == -1)
			fail_msg("%s: %s at %u", wsp_foreign[i].name, err.text, err.column);
		if (p.media != wsp_foreign[i].media || p.sec != wsp_foreign[i].sec ||
		    p.charset_utf8 != wsp_foreign[i].charset ||
		    (p.mac.at != NULL) != wsp_foreign[i].mac || p.body.len != wsp_foreign[i].body)
			fail_msg("%s: media %x sec %x body %zu", wsp_foreign[i].name, p.media, p.sec,
			    p.body.len);
		buf_free(&octets);
	}
}

static const struct {
	const char	*name, *hex;
	unsigned	 column;
} wsp_bad[] = {
	{ "nothing", "", 1 },
	{ "no length", "0106", 3 },
	{ "a confirmed push", "010701b6", 2 },
	{ "headers longer than all", "010605b6", 5 },
	{ "length of the headers never ends", "0106ffffffffffff", 9 },
	{ "no content type", "010600", 4 },
	{ "text type without its end", "010603616263", 7 },
	{ "content type longer than the headers", "01060305b691" "8178", 7 },
	{ "MAC without its end", "01060605b69230313278", 10 },
	{ "parameter without value", "01060302b69178", 7 },
	{ "media type */* says nothing", "010601" "80", 5 },
};

static void
test_wsp_read_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(wsp_bad); i++) {
		struct buf octets;
		struct text t = unhex(wsp_bad[i].hex, &octets);
		struct err err = { 0 };
		struct wsp_push p;

		if (wsp_push_read(t, &p, &err) == 0 || err.code != ERR_SYNTAX)
			fail_msg("%s: taken", wsp_bad[i].name);
		if (err.column != wsp_bad[i].column)
			fail_msg("%s: column %u: %s", wsp_bad[i].name, err.column, err.text);
		buf_free(&octets);
	}
}

static bool
lies_in(struct text part, struct text whole)
{
	return part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len);
}

static void
check_views(struct text pdu)
{
	struct err err = { 0 };
	struct wsp_push p;

	if (wsp_push_read(pdu, &p, &err) == -1) {
		if (err.code != ERR_SYNTAX || err.text[0] == '\0' || err.column == 0 ||
		    err.column > pdu.len + 1)
			fail_msg("column %u of %zu: %s", err.column, pdu.len, err.text);
		return;
	}
	assert_true(lies_in(p.media_name, pdu) && lies_in(p.mac, pdu) && lies_in(p.headers, pdu) &&
	    lies_in(p.body, pdu));
}

/* Every beginning, and every octet as every other; copies for ASan. */
static void
test_wsp_damaged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(wsp_cases) + ROWS(wsp_foreign); i++) {
		struct buf octets;
		struct text t = unhex(i < ROWS(wsp_cases) ? wsp_cases[i].hex :
		    wsp_foreign[i - ROWS(wsp_cases)].hex, &octets);

		for (size_t n = 0; n < t.len; n++) {
			char *copy = malloc(n > 0 ? n : 1);

			assert_non_null(copy);
			memcpy(copy, t.at, n);
			check_views((struct text){ copy, n });
			free(copy);
		}
		for (size_t n = 0; n < t.len; n++)
			for (unsigned v = 0; v < 256; v++) {
				char *copy = malloc(t.len);

				assert_non_null(copy);
				memcpy(copy, t.at, t.len);
				copy[n] = (char)v;
				check_views((struct text){ copy, t.len });
				free(copy);
			}
		buf_free(&octets);
	}
}

static void
test_wsp_types(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		const uint8_t octets[] = { 1, (uint8_t)type, 1, 0xb6, 'x' };
		struct wsp_push p;

		assert_int_equal(wsp_push_read((struct text){ (const char *)octets, sizeof octets }, &p,
		    NULL), type == WSP_PUSH ? 0 : -1);
	}
}

/* --- joining --------------------------------------------------------------- */

enum { AGE = 1000 };

static struct reassembly *
reassembly(size_t sets, size_t octets)
{
	struct reassembly *r = reassembly_new(
	    &(struct reassembly_limits){ .sets = sets, .octets = octets, .age_ms = AGE });

	assert_non_null(r);
	return r;
}

static int
add(struct reassembly *r, const char *originator, const char *hex, mono_t now, struct whole *w)
{
	struct err err = { 0 };
	struct buf octets;
	struct text t = unhex(hex, &octets);
	int rc = reassembly_add(r, text_of(originator), t, true, now, w, &err);

	assert_int_equal(rc == REASSEMBLY_BAD, err.code != ERR_NONE);
	if (rc == REASSEMBLY_WHOLE) {		/* views of what we give back to the heap here */
		static char kept[1024];

		assert_true(w->data.len <= sizeof kept);
		memcpy(kept, w->data.at, w->data.len);
		w->data.at = kept;
	}
	buf_free(&octets);
	return rc;
}

static void
test_join_in_any_order(void **state)
{
	static const char *const segments[] = {
		"0b05040b8423f00003070301" "61626364", "0b05040b8423f00003070302" "6566",
		"0b05040b8423f00003070303" "67",
	};
	static const unsigned orders[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	struct reassembly *r = reassembly(10, 1 << 16);
	struct reassembly_counts counts;
	struct whole w;

	(void)state;
	for (size_t i = 0; i < ROWS(orders); i++) {
		assert_int_equal(add(r, "44", segments[orders[i][0]], 0, &w), REASSEMBLY_WAITS);
		assert_int_equal(add(r, "44", segments[orders[i][1]], 0, &w), REASSEMBLY_WAITS);
		assert_int_equal(add(r, "44", segments[orders[i][1]], 0, &w), REASSEMBLY_WAITS);
		assert_int_equal(add(r, "44", segments[orders[i][2]], 0, &w), REASSEMBLY_WHOLE);
		assert_true(text_is(w.data, "abcdefg"));
		assert_true(w.ports && w.port_to == 2948 && w.port_from == 9200);
		assert_int_equal(w.segments, 3);
	}
	reassembly_count(r, &counts);
	assert_int_equal(counts.sets, 0);
	assert_int_equal(counts.octets, 0);
	assert_int_equal(counts.joined, ROWS(orders));
	assert_int_equal(counts.dropped, 0);
	reassembly_free(&r);
	assert_null(r);
}

static void
test_join_keeps_messages_apart(void **state)
{
	struct reassembly *r = reassembly(10, 1 << 16);
	struct whole w;

	(void)state;
	assert_int_equal(add(r, "44", "050003070201" "61", 0, &w), REASSEMBLY_WAITS);
	assert_int_equal(add(r, "45", "050003070202" "78", 0, &w), REASSEMBLY_WAITS);	/* originator */
	assert_int_equal(add(r, "44", "050003080202" "78", 0, &w), REASSEMBLY_WAITS);	/* reference */
	assert_int_equal(add(r, "44", "050003070302" "78", 0, &w), REASSEMBLY_WAITS);	/* total */
	assert_int_equal(add(r, "44", "06080400070202" "78", 0, &w), REASSEMBLY_WAITS);	/* width */
	assert_int_equal(add(r, "44", "050003070202" "62", 0, &w), REASSEMBLY_WHOLE);
	assert_true(text_is(w.data, "ab"));
	assert_false(w.ports);
	assert_int_equal(add(r, "45", "050003070201" "79", 0, &w), REASSEMBLY_WHOLE);
	assert_true(text_is(w.data, "yx"));
	reassembly_free(&r);
}

static void
test_join_reference_used_anew(void **state)
{
	struct reassembly *r = reassembly(10, 1 << 16);
	struct reassembly_counts counts;
	struct whole w;

	(void)state;
	assert_int_equal(add(r, "44", "050003070201" "61", 0, &w), REASSEMBLY_WAITS);
	/* other octets under the same number */
	assert_int_equal(add(r, "44", "050003070201" "63", 0, &w), REASSEMBLY_WAITS);
	assert_int_equal(add(r, "44", "050003070202" "64", 0, &w), REASSEMBLY_WHOLE);
	assert_true(text_is(w.data, "cd"));
	assert_int_equal(add(r, "44", "0b05040b8423f00003070201" "61", 0, &w), REASSEMBLY_WAITS);
	/* another port */
	assert_int_equal(add(r, "44", "0b0504c34fc0020003070202" "62", 0, &w), REASSEMBLY_WAITS);
	reassembly_count(r, &counts);
	assert_int_equal(counts.dropped, 2);
	assert_int_equal(counts.sets, 1);
	reassembly_free(&r);
}

static void
test_join_single(void **state)
{
	struct reassembly *r = reassembly(10, 1 << 16);
	struct err err = { 0 };
	struct whole w;

	(void)state;
	assert_int_equal(reassembly_add(r, TEXT("44"), TEXT("plain"), false, 0, &w, &err),
	    REASSEMBLY_WHOLE);
	assert_true(text_is(w.data, "plain") && !w.ports && w.segments == 1);
	assert_int_equal(add(r, "44", "0605040b8423f0" "6162", 0, &w), REASSEMBLY_WHOLE);
	assert_true(text_is(w.data, "ab") && w.ports && w.port_to == 2948);
	assert_int_equal(add(r, "44", "050003070101" "61", 0, &w), REASSEMBLY_WHOLE);	/* 1 of 1 */
	assert_true(text_is(w.data, "a"));
	assert_int_equal(add(r, "44", "050003070203" "61", 0, &w), REASSEMBLY_BAD);
	assert_int_equal(add(r, "44", "", 0, &w), REASSEMBLY_BAD);
	reassembly_free(&r);
}

static void
test_join_bounds(void **state)
{
	struct reassembly *r = reassembly(2, 1 << 16);
	struct reassembly_counts counts;
	struct err err = { 0 };
	struct whole w;
	char longer[6 + 161] = "\x05\x00\x03\x09\x02\x01";

	(void)state;
	/* sets: the oldest goes */
	assert_int_equal(add(r, "1", "050003070201" "61", 0, &w), REASSEMBLY_WAITS);
	assert_int_equal(add(r, "2", "050003070201" "62", 1, &w), REASSEMBLY_WAITS);
	assert_int_equal(add(r, "3", "050003070201" "63", 2, &w), REASSEMBLY_WAITS);
	assert_int_equal(add(r, "2", "050003070202" "64", 3, &w), REASSEMBLY_WHOLE);
	assert_int_equal(add(r, "1", "050003070202" "64", 3, &w), REASSEMBLY_WAITS);
	/* age: counted from the first segment */
	assert_int_equal(add(r, "3", "050003070202" "64", 2 + AGE, &w), REASSEMBLY_WHOLE);
	assert_int_equal(add(r, "1", "050003070201" "61", 4 + AGE, &w), REASSEMBLY_WAITS);
	reassembly_count(r, &counts);
	assert_int_equal(counts.sets, 1);
	assert_int_equal(counts.dropped, 2);
	/* a segment that no short message can hold */
	assert_int_equal(reassembly_add(r, TEXT("4"), (struct text){ longer, sizeof longer }, true, 0,
	    &w, &err), REASSEMBLY_BAD);
	assert_int_equal(reassembly_add(r, TEXT("4"), (struct text){ longer, sizeof longer - 1 }, true,
	    0, &w, NULL), REASSEMBLY_WAITS);
	reassembly_free(&r);

	/* octets: what has no room at all is refused, else the oldest make room */
	r = reassembly(100, 1000);
	assert_int_equal(add(r, "1", "05000307ff01" "61", 0, &w), REASSEMBLY_BAD);
	assert_int_equal(add(r, "1", "050003070201" "61", 0, &w), REASSEMBLY_WAITS);
	assert_int_equal(add(r, "2", "050003070201" "61", 0, &w), REASSEMBLY_WAITS);
	assert_int_equal(add(r, "3", "050003070201" "61", 0, &w), REASSEMBLY_WAITS);
	reassembly_count(r, &counts);
	assert_true(counts.octets <= 1000 && counts.dropped > 0);
	reassembly_free(&r);
}

/* Whatever comes: the bounds hold, and nothing is left behind (ASan). */
static void
test_join_flood(void **state)
{
	enum { SETS = 50, OCTETS = 64 * 1024, ROUNDS = 50000 };
	struct reassembly *r = reassembly(SETS, OCTETS);
	struct reassembly_counts counts;
	uint32_t random = 1;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t octets[300];
		char originator[16];
		struct whole w;
		size_t n;

		for (size_t k = 0; k < 16; k++) {
			random = random * 1103515245 + 12345;
			octets[k] = (uint8_t)(random >> 16);
		}
		memset(octets + 16, 'x', sizeof octets - 16);
		n = i % 4 == 2 ? 20 : octets[15];
		switch (i % 4) {
		case 0:				/* a first segment of each reference, of each total */
			memcpy(octets, "\5\0\3", 3);
			octets[5] = 1;
			break;
		case 1:				/* of a wide one */
			memcpy(octets, "\6\10\4", 3);
			octets[6] = 1;
			break;
		case 2:				/* pairs that may join */
			memcpy(octets, "\5\0\3", 3);
			octets[3] &= 1;
			octets[4] = 2;
			octets[5] = (uint8_t)(1 + (octets[5] & 1));
			break;
		}				/* and anything at all */
		memset(originator, '4', sizeof originator);
		reassembly_add(r, (struct text){ originator, i % 4 == 2 ? 1 : octets[14] % sizeof originator },
		    (struct text){ (char *)octets, n }, true, i / 100, &w, NULL);
		reassembly_count(r, &counts);
		assert_true(counts.sets <= SETS && counts.octets <= OCTETS);
	}
	assert_true(counts.joined > 100 && counts.dropped > 1000);
	reassembly_free(&r);
}

/* The way out and the way back: a push of every length from 1 to 1,000 octets. */
static void
test_cut_and_joined_again(void **state)
{
	struct reassembly *r = reassembly(10, 1 << 20);
	struct segment_plan *plan = segment_plan_new();
	struct segment_rules rules = { .alt_dcs = MESSAGE_UNSET };
	char body[1000], user_data[160];

	(void)state;
	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (char)(i * 7);
	for (size_t n = 1; n <= sizeof body; n++) {
		struct message m = { .kind = MESSAGE_PUSH, .body = { body, n },
			.udh = { "\x06\x05\x04\x0B\x84\x23\xF0", 7 }, .coding = CODING_OCTETS,
			.mclass = MESSAGE_UNSET, .mwi = MESSAGE_UNSET, .alt_dcs = MESSAGE_UNSET,
			.compress = MESSAGE_UNSET, .concatenate = true, .segments_most = 255 };
		struct err err = { 0 };
		struct whole w = { 0 };
		int rc = REASSEMBLY_WAITS;

		rules.wide_reference = n % 2;
		assert_int_equal(segment_cut(plan, &m, &rules, (uint16_t)n, &err), 0);
		for (size_t i = segment_count(plan); i-- > 0;) {
			const struct segment *s = segment_at(plan, i);

			assert_int_equal(rc, REASSEMBLY_WAITS);
			assert_true(s->udh.len + s->data.len <= SEGMENT_OCTETS);
			memcpy(user_data, s->udh.at, s->udh.len);
			memcpy(user_data + s->udh.len, s->data.at, s->data.len);
			rc = reassembly_add(r, TEXT("44"), (struct text){ user_data,
			    s->udh.len + s->data.len }, true, 0, &w, &err);
		}
		assert_int_equal(rc, REASSEMBLY_WHOLE);
		assert_int_equal(w.data.len, n);
		assert_memory_equal(w.data.at, body, n);
		assert_int_equal(w.port_to, 2948);
	}
	segment_plan_free(&plan);
	reassembly_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_udh_write),
		cmocka_unit_test(test_udh_read),
		cmocka_unit_test(test_udh_elements),
		cmocka_unit_test(test_udh_damaged),
		cmocka_unit_test(test_wsp_write_and_read),
		cmocka_unit_test(test_wsp_write_bounded),
		cmocka_unit_test(test_wsp_read_foreign),
		cmocka_unit_test(test_wsp_read_bad),
		cmocka_unit_test(test_wsp_damaged),
		cmocka_unit_test(test_wsp_types),
		cmocka_unit_test(test_join_in_any_order),
		cmocka_unit_test(test_join_keeps_messages_apart),
		cmocka_unit_test(test_join_reference_used_anew),
		cmocka_unit_test(test_join_single),
		cmocka_unit_test(test_join_bounds),
		cmocka_unit_test(test_join_flood),
		cmocka_unit_test(test_cut_and_joined_again),
	};

	return cmocka_run_group_tests_name("push/udh push/wsp push/reassemble", tests, NULL, NULL);
}
