/*
 * smpp_receipt.c - reads delivery receipts in all their forms
 *
 * The text is cut into words; a word that ends in ':' (or has one inside) opens a field.  Nothing
 * is assumed about order, and a field that is not known is skipped, so an SMSC's own additions do
 * no harm.  `text:` ends the fields: what follows was written by a person.  Only an id or a state
 * that stands nowhere else is looked for behind it.
 *
 * Knows:     the words of receipts, their optional parameters, the forms of message ids.
 * Does not:  know whose receipt it is.
 * Owns:      nothing.
 * Threads:   pure.
 */
#include "smsc/smpp_receipt.h"

#include <stdio.h>

#include "base/buf.h"

enum { TYPE_MASK = 0x3c, TYPE_RECEIPT = 0x04, TYPE_NOTIFICATION = 0x20, UCS2 = 8 };

/* Bit 3 and 4 (acknowledgements by a phone) are messages, not receipts: no row. */
static const struct state_row {
	const char	*word;		/* stat: */
	int		 number;	/* message_state; -1: the word only */
	enum smsc_report_state state;
} states[] = {
	{ "SCHEDULED",	0, REPORT_PENDING },
	{ "ENROUTE",	1, REPORT_PENDING },
	{ "DELIVRD",	2, REPORT_DELIVERED },
	{ "EXPIRED",	3, REPORT_EXPIRED },
	{ "DELETED",	4, REPORT_FAILED },
	{ "UNDELIV",	5, REPORT_FAILED },
	{ "ACCEPTD",	6, REPORT_PENDING },
	{ "UNKNOWN",	7, REPORT_UNKNOWN },
	{ "REJECTD",	8, REPORT_FAILED },
	{ "SKIPPED",	9, REPORT_FAILED },
	{ "BUFFRED",	-1, REPORT_PENDING },
	{ "BUFFERD",	-1, REPORT_PENDING },
	{ "BUFFERED",	-1, REPORT_PENDING },
	{ "ACKED",	-1, REPORT_PENDING },
	{ "ACCEPTED",	-1, REPORT_PENDING },
	{ "DELIVERED",	-1, REPORT_DELIVERED },
	{ "UNDELIVERABLE", -1, REPORT_FAILED },
	{ NULL, 0, 0 }
};

enum word_field { W_ID, W_STAT, W_ERR, W_TEXT, W_OTHER, W_FIELDS };

static const struct {
	const char	*name;
	enum word_field	 field;
} words[] = {
	{ "id", W_ID }, { "stat", W_STAT }, { "err", W_ERR }, { "text", W_TEXT },
};

struct fields {
	struct text	 value[W_FIELDS];	/* absent: not met */
};

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

static void
skip_blanks(struct text *rest)
{
	while (rest->len > 0 && blank(*rest->at)) {
		rest->at++;
		rest->len--;
	}
}

static struct text
take_word(struct text *rest)
{
	struct text word = { rest->at, 0 };

	while (word.len < rest->len && !blank(rest->at[word.len]))
		word.len++;
	rest->at += word.len;
	rest->len -= word.len;
	return word;
}

static enum word_field
field_named(struct text name)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (text_eq_nocase(name, text_of(words[i].name)))
			return words[i].field;
	return W_OTHER;
}

/* After "key:" and a blank the value may follow ("stat: DELIVRD"), or the next key. */
static struct text
value_behind(struct text *rest)
{
	struct text ahead = *rest, word;

	skip_blanks(&ahead);
	word = take_word(&ahead);
	if (word.len == 0 || memchr(word.at, ':', word.len) != NULL)
		return (struct text){ rest->at, 0 };
	/* "submit date:": the first half of a key of two words, behind an empty value */
	if (text_eq_nocase(word, TEXT("submit")) || text_eq_nocase(word, TEXT("done")))
		return (struct text){ rest->at, 0 };
	*rest = ahead;
	return word;
}

/* The first value of each field wins, unless it is empty. With `inside` the fields
 * go on behind "text:". */
static void
read_fields(struct text said, bool inside, struct fields *out)
{
	struct text rest = said;

	for (skip_blanks(&rest); rest.len > 0; skip_blanks(&rest)) {
		struct text word = take_word(&rest), value;
		const char *colon = memchr(word.at, ':', word.len);
		enum word_field field;

		if (colon == NULL)
			continue;		/* "submit" of "submit date:", or anything */
		field = field_named((struct text){ word.at, (size_t)(colon - word.at) });
		if (field == W_TEXT && !inside)
			return;
		value = (struct text){ colon + 1, (size_t)(word.at + word.len - colon - 1) };
		if (value.len == 0 && field != W_TEXT)
			value = value_behind(&rest);
		if (value.len > 0 && out->value[field].len == 0)
			out->value[field] = value;
	}
}

static const struct state_row *
state_of_word(struct text word)
{
	for (const struct state_row *s = states; s->word != NULL; s++)
		if (text_eq_nocase(word, text_of(s->word)))
			return s;
	return NULL;
}

static const struct state_row *
state_of_number(const struct smpp_tlv *tlv)
{
	if (tlv == NULL || tlv->value.len != 1)
		return NULL;
	for (const struct state_row *s = states; s->word != NULL; s++)
		if (s->number == (uint8_t)*tlv->value.at)
			return s;
	return NULL;
}

/* C-string whose NUL is often missing: the length is the bound. */
static struct text
tlv_string(const struct smpp_tlv *tlv)
{
	struct text value = tlv != NULL ? tlv->value : (struct text){ NULL, 0 };
	const char *nul = value.len > 0 ? memchr(value.at, 0, value.len) : NULL;

	if (nul != NULL)
		value.len = (size_t)(nul - value.at);
	value = text_trim(value);
	return value.len > 0 ? value : (struct text){ NULL, 0 };
}

struct text
smpp_pdu_text(const struct smpp_pdu *pdu, struct text *udh)
{
	const struct smpp_tlv *payload = smpp_pdu_tlv(pdu, SMPP_TAG_PAYLOAD);
	struct text body = pdu->message;
	size_t n;

	if (body.len == 0 && payload != NULL)
		body = payload->value;
	*udh = (struct text){ NULL, 0 };
	if (!(pdu->esm_class & SMPP_UDHI) || body.len == 0)
		return body;
	n = (size_t)(uint8_t)body.at[0] + 1;
	if (n > body.len)
		n = body.len;
	*udh = (struct text){ body.at, n };
	return (struct text){ body.at + n, body.len - n };
}

static struct text
text_of_receipt(const struct smpp_pdu *pdu, struct buf *room)
{
	struct text udh, body = smpp_pdu_text(pdu, &udh);
	size_t start = room->len;

	if (pdu->data_coding != UCS2 || body.len < 2 || body.at[0] != 0)
		return body;
	for (size_t i = 0; i + 1 < body.len && room->len < room->cap; i += 2)
		buf_u8(room, body.at[i] == 0 ? (uint8_t)body.at[i + 1] : '?');
	return (struct text){ (const char *)room->data + start, room->len - start };
}

bool
smpp_receipt_is(const struct smpp_pdu *pdu)
{
	uint8_t type = pdu->esm_class & TYPE_MASK;

	if (type == TYPE_RECEIPT || type == TYPE_NOTIFICATION)
		return true;
	return smpp_pdu_tlv(pdu, SMPP_TAG_RECEIPTED_ID) != NULL &&
	    smpp_pdu_tlv(pdu, SMPP_TAG_MESSAGE_STATE) != NULL;
}

static void
receipt_state(const struct smpp_pdu *pdu, const struct fields *f, struct smpp_receipt *out)
{
	const struct smpp_tlv *tlv = smpp_pdu_tlv(pdu, SMPP_TAG_MESSAGE_STATE);
	const struct state_row *row = state_of_number(tlv);
	struct text word = f->value[W_STAT];

	if (row == NULL && word.len > 0)
		row = state_of_word(word);
	if (out->said.len == 0 && row != NULL)
		out->said = text_of(row->word);
	out->state_given = row != NULL || (tlv != NULL && tlv->value.len == 1) || word.len > 0;
	if (row != NULL)
		out->state = row->state;
	else if (out->state_given)
		out->state = REPORT_FAILED;	/* a word or number of its own: failed, as in Kannel */
	else
		out->state = (pdu->esm_class & TYPE_MASK) == TYPE_NOTIFICATION ? REPORT_PENDING :
		    REPORT_UNKNOWN;
}

static void
receipt_code(const struct smpp_pdu *pdu, const struct fields *f, struct smpp_receipt *out)
{
	const struct smpp_tlv *tlv = smpp_pdu_tlv(pdu, SMPP_TAG_NETWORK_ERROR);
	struct cur c;
	uint8_t type;

	out->code = f->value[W_ERR];
	if (out->code.len > 0 || tlv == NULL || tlv->value.len != 3)
		return;
	c = cur_on(tlv->value.at, 3);
	type = cur_u8(&c);
	if (type >= '0' && type <= '9') {	/* three digits instead of type and number: seen */
		out->code = tlv->value;
		return;
	}
	snprintf(out->code_room, sizeof out->code_room, "%03u", cur_u16(&c));
	out->code = text_of(out->code_room);
}

void
smpp_receipt_read(const struct smpp_pdu *pdu, struct buf *room, struct smpp_receipt *out)
{
	struct fields f = { 0 }, inside = { 0 };

	memset(out, 0, sizeof *out);
	out->said = text_of_receipt(pdu, room);
	read_fields(out->said, false, &f);
	if (f.value[W_ID].len == 0 || f.value[W_STAT].len == 0) {
		read_fields(out->said, true, &inside);
		for (int i = 0; i < W_FIELDS; i++)
			if (f.value[i].len == 0)
				f.value[i] = inside.value[i];
	}
	out->text_id = f.value[W_ID];
	out->id = tlv_string(smpp_pdu_tlv(pdu, SMPP_TAG_RECEIPTED_ID));
	if (out->id.at == NULL)
		out->id = out->text_id;
	receipt_state(pdu, &f, out);
	receipt_code(pdu, &f, out);
}

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* -1: not a number of that base, or over 128 bits. */
static int
id_number(struct text written, unsigned base, unsigned __int128 *out)
{
	const unsigned __int128 most = ~(unsigned __int128)0;
	unsigned __int128 n = 0;

	if (written.len == 0)
		return -1;
	for (size_t i = 0; i < written.len; i++) {
		unsigned digit = (unsigned)digit_value(written.at[i]);

		if (digit >= base || n > (most - digit) / base)
			return -1;
		n = n * base + digit;
	}
	*out = n;
	return 0;
}

static struct text
id_decimal(unsigned __int128 n, char *out)
{
	char reversed[40];
	size_t len = 0;

	do {
		reversed[len++] = (char)('0' + (int)(n % 10));
		n /= 10;
	} while (n > 0);
	for (size_t i = 0; i < len; i++)
		out[i] = reversed[len - 1 - i];
	return (struct text){ out, len };
}

struct text
smpp_id_make(struct text written, enum smpp_id_base base, char *out)
{
	unsigned __int128 n;
	size_t len = 0;

	written = text_trim(written);
	if (base != SMPP_ID_TEXT && id_number(written, base == SMPP_ID_HEX ? 16 : 10, &n) == 0)
		return id_decimal(n, out);
	while (written.len > 1 && *written.at == '0') {
		written.at++;
		written.len--;
	}
	for (; len < written.len && len < SMPP_ID_SIZE; len++) {
		char c = written.at[len];

		out[len] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	return (struct text){ out, len };
}
