/*
 * escape.c - Kannel's percent escapes in dlr-url
 *
 * To Kannel a report is a text of its own that came from the phone: what speaks of
 * a text (words, payload, coding) speaks of the SMSC's answer, never of what was
 * sent, which may be a PIN. Observed on Kannel 1.4.5, kept here:
 *  - %p and %q are the phone, the receiver of the message; %P and %Q its sender;
 *  - %a %A %b %e %k %r %s %S are made from the answer ("ACK/", the receipt's text);
 *    %s, %S and %r begin with its second word;
 *  - %c %m %M are -1, %C is UTF-8, %O 00; %u, %v and %V are empty.
 * Three differences, all to the better:
 *  - %I is the push-id that the sender was given, not a new id of the report's own;
 *  - %B, %o and %D are those of the message (Kannel loses the first two, and adds
 *    groups of its own to the third);
 *  - in %S, which is not encoded, the few characters that would end the value or the
 *    URL are, since a receipt may quote the text that was sent.
 *
 * Knows:     the escapes.
 * Does not:  know when a report is due or who is called.
 * Owns:      nothing.
 * Threads:   pure.
 */
#include "push/escape.h"

#include <string.h>

#include "base/buf.h"
#include "push/message.h"

struct expansion {
	const struct report	*report;
	struct buf		*out;
	struct text		 words;		/* of the answer, not yet taken by %s or %S */
};

/* application/x-www-form-urlencoded as Kannel writes it. */
static void
put_quoted(struct buf *b, struct text t)
{
	static const char plain[] = "-_.!~*'()";

	for (size_t i = 0; i < t.len; i++) {
		char c = t.at[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    (c != '\0' && strchr(plain, c) != NULL))
			buf_u8(b, (uint8_t)c);
		else if (c == ' ')
			buf_u8(b, '+');
		else {
			buf_u8(b, '%');
			buf_hex(b, &c, 1, true);
		}
	}
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct text
next_word(struct text *rest)
{
	struct text word = TEXT("");

	if (rest->len == 0)		/* may be absent */
		return word;
	while (rest->len > 0 && is_blank(rest->at[0])) {
		rest->at++;
		rest->len--;
	}
	word = (struct text){ rest->at, 0 };
	while (word.len < rest->len && !is_blank(rest->at[word.len]))
		word.len++;
	rest->at += word.len;
	rest->len -= word.len;
	return word;
}

static void
put_words(struct buf *b, struct text words)
{
	struct text word = next_word(&words);

	for (bool first = true; word.len > 0; first = false, word = next_word(&words)) {
		if (!first)
			buf_u8(b, '+');
		put_quoted(b, word);
	}
}

/* --- one function for one escape ------------------------------------------- */

static void
put_all_words(struct expansion *e)
{
	put_words(e->out, e->report->answer);
}

static void
put_answer(struct expansion *e)
{
	put_quoted(e->out, e->report->answer);
}

static void
put_answer_hex(struct expansion *e)
{
	buf_hex(e->out, e->report->answer.at, e->report->answer.len, true);
}

static void
put_keyword(struct expansion *e)
{
	struct text rest = e->report->answer;

	put_quoted(e->out, next_word(&rest));
}

static void
put_rest(struct expansion *e)
{
	put_words(e->out, e->words);
}

static void
put_word(struct expansion *e)
{
	put_quoted(e->out, next_word(&e->words));
}

static void
put_word_raw(struct expansion *e)
{
	struct text word = next_word(&e->words);

	for (size_t i = 0; i < word.len; i++) {
		char c = word.at[i];

		if (c == '*')
			buf_u8(e->out, '~');
		else if (c > ' ' && c < 0x7F && strchr("&#%+\"<>", c) == NULL)
			buf_u8(e->out, (uint8_t)c);
		else
			put_quoted(e->out, (struct text){ &c, 1 });
	}
}

static void
put_event(struct expansion *e)
{
	buf_printf(e->out, "%d", e->report->event);
}

static void
put_push_id(struct expansion *e)
{
	put_quoted(e->out, e->report->push_id);
}

static void
put_smsc(struct expansion *e)
{
	put_quoted(e->out, e->report->smsc);
}

static void
put_own_number(struct expansion *e)
{
	put_quoted(e->out, e->report->own_number);
}

static void
put_foreign_id(struct expansion *e)
{
	put_quoted(e->out, e->report->foreign_id);
}

static void
put_service(struct expansion *e)
{
	put_quoted(e->out, e->report->message->service);
}

static void
put_billing(struct expansion *e)
{
	put_quoted(e->out, e->report->message->billing);
}

static void
put_binfo(struct expansion *e)
{
	put_quoted(e->out, e->report->message->binfo);
}

static void
put_meta_data(struct expansion *e)
{
	put_quoted(e->out, e->report->message->meta_data);
}

static void
put_dlr_url(struct expansion *e)
{
	put_quoted(e->out, e->report->message->dlr_url);
}

static void
put_phone(struct expansion *e)
{
	put_quoted(e->out, e->report->message->msisdn);
}

static void
put_sender(struct expansion *e)
{
	put_quoted(e->out, e->report->message->sender);
}

static void
put_international(struct buf *b, struct text number)	/* a leading 00 becomes + */
{
	if (number.len >= 2 && number.at[0] == '0' && number.at[1] == '0') {
		buf_str(b, "%2B");
		number.at += 2;
		number.len -= 2;
	}
	put_quoted(b, number);
}

static void
put_phone_international(struct expansion *e)
{
	put_international(e->out, e->report->message->msisdn);
}

static void
put_sender_international(struct expansion *e)
{
	put_international(e->out, e->report->message->sender);
}

static void
put_time(struct expansion *e)
{
	int f[6];

	clock_civil(e->report->at, f);
	buf_printf(e->out, "%04d-%02d-%02d+%02d:%02d:%02d", f[0], f[1], f[2], f[3], f[4], f[5]);
}

static void
put_epoch(struct expansion *e)
{
	buf_printf(e->out, "%lld", (long long)e->report->at / 1000);
}

static void
put_percent(struct expansion *e)
{
	buf_u8(e->out, '%');
}

static const struct escape {
	char		 letter;
	void		(*put)(struct expansion *);	/* NULL: `fixed` */
	const char	*fixed;
} escapes[] = {
	{ 'a',	put_all_words,			NULL },
	{ 'A',	put_answer,			NULL },
	{ 'b',	put_answer,			NULL },
	{ 'B',	put_binfo,			NULL },
	{ 'c',	NULL,				"-1" },
	{ 'C',	NULL,				"UTF-8" },
	{ 'd',	put_event,			NULL },
	{ 'D',	put_meta_data,			NULL },
	{ 'e',	put_answer_hex,			NULL },
	{ 'f',	put_own_number,			NULL },
	{ 'F',	put_foreign_id,			NULL },
	{ 'i',	put_smsc,			NULL },
	{ 'I',	put_push_id,			NULL },
	{ 'k',	put_keyword,			NULL },
	{ 'm',	NULL,				"-1" },
	{ 'M',	NULL,				"-1" },
	{ 'n',	put_service,			NULL },
	{ 'o',	put_billing,			NULL },
	{ 'O',	NULL,				"00" },
	{ 'p',	put_phone,			NULL },
	{ 'P',	put_sender,			NULL },
	{ 'q',	put_phone_international,	NULL },
	{ 'Q',	put_sender_international,	NULL },
	{ 'r',	put_rest,			NULL },
	{ 'R',	put_dlr_url,			NULL },
	{ 's',	put_word,			NULL },
	{ 'S',	put_word_raw,			NULL },
	{ 't',	put_time,			NULL },
	{ 'T',	put_epoch,			NULL },
	{ 'u',	NULL,				"" },
	{ 'v',	NULL,				"" },
	{ 'V',	NULL,				"" },
	{ '%',	put_percent,			NULL },
};

/* The value of a key in meta-data, "?group?key=value&key=value?group?...": encoded in
 * there, and encoded again for the URL. */
static void
put_meta_value(struct buf *b, struct text meta_data, struct text group, struct text key)
{
	struct text name, pairs, pair, found;
	struct buf value = buf_heap(64 * 1024);

	if (meta_data.len > 0 && meta_data.at[0] == '?')
		text_cut(&meta_data, '?', &name);
	while (text_cut(&meta_data, '?', &name) && text_cut(&meta_data, '?', &pairs)) {
		if (!text_eq(name, group))
			continue;
		while (text_cut(&pairs, '&', &pair)) {
			if (!text_cut(&pair, '=', &found) || !text_eq(found, key) || pair.at == NULL)
				continue;
			text_unquote(pair, &value);
			put_quoted(b, (struct text){ (const char *)value.data, value.len });
			buf_free(&value);
			return;
		}
	}
}

/* %#group#key#; false: not of that form. Moves *rest behind it. */
static bool
expand_meta(struct expansion *e, struct text *rest)
{
	struct text after = { rest->at + 2, rest->len - 2 }, group, key;

	if (!text_cut(&after, '#', &group) || !text_cut(&after, '#', &key) || after.at == NULL)
		return false;
	put_meta_value(e->out, e->report->message->meta_data, group, key);
	*rest = after;
	return true;
}

/* *rest begins with a percent sign and has another character; false: no escape. */
static bool
expand_one(struct expansion *e, struct text *rest)
{
	char letter = rest->at[1];

	if (letter == '#')
		return expand_meta(e, rest);
	for (const struct escape *c = escapes; c < escapes + sizeof escapes / sizeof *escapes; c++) {
		if (c->letter != letter)
			continue;
		if (c->put != NULL)
			c->put(e);
		else
			buf_str(e->out, c->fixed);
		rest->at += 2;
		rest->len -= 2;
		return true;
	}
	return false;
}

void
escape_expand(struct text url, const struct report *report, struct buf *out)
{
	struct expansion e = { report, out, report->answer };
	struct text rest = url;

	next_word(&e.words);			/* the first is the keyword, %k */
	while (rest.len > 0) {
		const char *percent = memchr(rest.at, '%', rest.len);
		size_t plain = percent != NULL ? (size_t)(percent - rest.at) : rest.len;

		buf_bytes(out, rest.at, plain);
		rest.at += plain;
		rest.len -= plain;
		if (rest.len >= 2 && expand_one(&e, &rest))
			continue;
		plain = rest.len < 2 ? rest.len : 2;
		buf_bytes(out, rest.at, plain);	/* as written */
		rest.at += plain;
		rest.len -= plain;
	}
}
