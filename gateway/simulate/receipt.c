/*
 * receipt.c - receipts that the simulated SMSC sends
 *
 * Knows:     the words and numbers of states, forms of ids, the text of a receipt.
 * Does not:  know when one is due, or over which connection it goes.
 * Owns:      nothing.
 * Threads:   pure.
 */
#include "simulate/receipt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char	*word;
	uint8_t		 number;
	bool		 delivered;
	const char	*error;
} states[] = {
	{ "DELIVRD", 2, true, "000" }, { "EXPIRED", 3, false, "027" }, { "DELETED", 4, false, "070" },
	{ "UNDELIV", 5, false, "001" }, { "ACCEPTD", 6, false, "000" }, { "UNKNOWN", 7, false, "255" },
	{ "REJECTD", 8, false, "011" }, { "ENROUTE", 1, false, "000" },
};
enum { STATES = sizeof states / sizeof *states };

static const char *const id_forms[] = {
	[ID_DECIMAL] = "decimal", [ID_HEX] = "hex", [ID_PADDED] = "padded", [ID_UUID] = "uuid"
};

int
id_form_named(struct text name, enum id_form *form, struct err *err)
{
	for (size_t i = 0; i < sizeof id_forms / sizeof *id_forms; i++)
		if (text_is(name, id_forms[i])) {
			*form = (enum id_form)i;
			return 0;
		}
	return err_set(err, ERR_SYNTAX, "\"%.*s\": ids are decimal, hex, padded or uuid",
	    TEXT_ARGS(name));
}

static struct text
id_decimal(uint64_t id, char out[ID_SIZE])
{
	char reversed[20];
	size_t len = 0;

	do {
		reversed[len++] = (char)('0' + id % 10);
		id /= 10;
	} while (id > 0);
	for (size_t i = 0; i < len; i++)
		out[i] = reversed[len - 1 - i];
	out[len] = '\0';
	return (struct text){ out, len };
}

struct text
id_print(uint64_t id, enum id_form form, char out[ID_SIZE])
{
	int n = 0;

	switch (form) {
	case ID_DECIMAL:
		return id_decimal(id, out);	/* the usual one, without printf */
	case ID_HEX:
		n = snprintf(out, ID_SIZE, "%" PRIX64, id);
		break;
	case ID_PADDED:
		n = snprintf(out, ID_SIZE, "%010" PRIu64, id);
		break;
	case ID_UUID:
		n = snprintf(out, ID_SIZE, "5caff01d-0000-8000-8%03" PRIx64 "-%012" PRIx64,
		    id >> 48 & 0xfff, id & 0xffffffffffff);
		break;
	}
	return (struct text){ out, (size_t)n };
}

static int
state_named(struct text name, uint8_t *out)
{
	for (uint8_t i = 0; i < STATES; i++)
		if (text_eq_nocase(name, text_of(states[i].word))) {
			*out = i;
			return 0;
		}
	return -1;
}

static int
state_option(struct receipt_conf *c, struct text list, struct err *err)
{
	struct text rest = list, word;

	c->state_count = 0;
	while (text_cut(&rest, '/', &word)) {
		if (c->state_count == RECEIPT_STATES_MOST)
			return err_set(err, ERR_LIMIT, "more than %d states", RECEIPT_STATES_MOST);
		if (state_named(word, &c->states[c->state_count]) == -1)
			return err_set(err, ERR_SYNTAX, "no state is called \"%.*s\": DELIVRD, EXPIRED, "
			    "DELETED, UNDELIV, ACCEPTD, UNKNOWN, REJECTD, ENROUTE", TEXT_ARGS(word));
		c->state_count++;
	}
	return 0;
}

int
receipt_options(struct receipt_conf *c, struct text spec, struct err *err)
{
	struct text rest = spec, part, key;
	long ms;

	c->wanted = true;
	while (text_cut(&rest, ',', &part)) {
		struct text value = part;

		text_cut(&value, '=', &key);
		if (text_is(key, "state")) {
			if (state_option(c, value, err) == -1)
				return -1;
		} else if (text_is(key, "delay")) {
			if (text_number(value, 0, 86400000, &ms) == -1)
				return err_set(err, ERR_SYNTAX, "delay=MILLISECONDS");
			c->delay_ms = (unsigned)ms;
		} else {
			return err_set(err, ERR_SYNTAX, "receipts have no option \"%.*s\": delay, state",
			    TEXT_ARGS(key));
		}
	}
	return 0;
}

int
receipt_id_options(struct receipt_conf *c, struct text spec, struct err *err)
{
	struct text rest = spec, part;

	c->wanted = true;
	while (text_cut(&rest, ',', &part)) {
		if (text_is(part, "tlv-only")) {
			c->tlv_only = true;
		} else if (text_is(part, "text-only")) {
			c->text_only = true;
		} else if (id_form_named(part, &c->form, NULL) == 0) {
			c->form_given = true;
		} else {
			return err_set(err, ERR_SYNTAX, "\"%.*s\": hex, decimal, padded, uuid, tlv-only, "
			    "text-only", TEXT_ARGS(part));
		}
	}
	if (c->tlv_only && c->text_only)
		return err_set(err, ERR_SYNTAX, "tlv-only and text-only leave nothing");
	return 0;
}

bool
receipt_asked(uint8_t registered_delivery, uint8_t state)
{
	switch (registered_delivery & 3) {
	case 1:
		return true;
	case 2:
		return !states[state].delivered;
	case 3:
		return states[state].delivered;	/* 5.0 */
	default:
		return false;
	}
}

/* YYMMDDhhmm */
static void
date(wall_t at, char out[11])
{
	int f[6];

	clock_civil(at, f);
	for (int i = 0; i < 5; i++) {
		out[2 * i] = (char)('0' + f[i] / 10 % 10);
		out[2 * i + 1] = (char)('0' + f[i] % 10);
	}
	out[10] = '\0';
}

void
receipt_make(const struct receipt_conf *c, const struct receipt *r, enum id_form answered,
    uint8_t version, wall_t now, struct receipt_room *room, struct smpp_pdu *out)
{
	struct text id = id_print(r->id, c->form_given ? c->form : answered, room->id);
	char submitted[11], done[11];

	memset(out, 0, offsetof(struct smpp_pdu, tlvs));
	out->command = SMPP_DELIVER_SM;
	out->esm_class = 0x04;
	out->source_ton = r->dest_ton;		/* sender and receiver change places */
	out->source_npi = r->dest_npi;
	out->source = text_of(r->destination);
	out->dest_ton = r->source_ton;
	out->dest_npi = r->source_npi;
	out->destination = text_of(r->source);
	if (!c->tlv_only || version < 0x34) {
		date(r->submitted, submitted);
		date(now, done);
		out->message = (struct text){ room->text, (size_t)snprintf(room->text,
		    sizeof room->text, "id:%.*s sub:001 dlvrd:%03d submit date:%s done date:%s stat:%s "
		    "err:%s text:", TEXT_ARGS(id), states[r->state].delivered, submitted, done,
		    states[r->state].word, states[r->state].error) };
	}
	if (!c->text_only && version >= 0x34) {
		room->state = (char)states[r->state].number;
		/* with its NUL: id_print has put one */
		out->tlvs[0] = (struct smpp_tlv){ SMPP_TAG_RECEIPTED_ID, { id.at, id.len + 1 } };
		out->tlvs[1] = (struct smpp_tlv){ SMPP_TAG_MESSAGE_STATE, { &room->state, 1 } };
		out->tlv_count = 2;
	}
}
