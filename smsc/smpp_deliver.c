/*
 * smpp_deliver.c - what an SMSC delivers, in the gateway's terms
 *
 * Knows:     which of two ids is the receipt's, types of numbers, parts told by parameters.
 * Does not:  know sessions, or who the receipt is for.
 * Owns:      nothing.
 * Threads:   pure.
 */
#include "smsc/smpp_deliver.h"

#include <strings.h>

#include "base/buf.h"
#include "push/charset.h"
#include "push/udh.h"

/* Two ids that are one number, each in the base of its side, prove themselves; otherwise the
 * parameter's comes first and the text's is the second try. */
static void
receipt_ids(const struct smpp_conf *c, const struct smpp_receipt *r, char rooms[3][SMPP_ID_SIZE],
    struct smsc_receipt *out)
{
	out->foreign_id = smpp_id_make(r->id, c->id_of_receipt, rooms[0]);
	if (r->text_id.len == 0 || text_eq(r->id, r->text_id))
		return;
	out->foreign_id_alt = smpp_id_make(r->text_id, c->id_of_receipt, rooms[1]);
	if (text_eq(out->foreign_id, out->foreign_id_alt))
		out->foreign_id_alt = (struct text){ NULL, 0 };
	else if (text_eq(smpp_id_make(r->id, c->id_of_response, rooms[2]), out->foreign_id_alt)) {
		out->foreign_id = out->foreign_id_alt;
		out->foreign_id_alt = (struct text){ NULL, 0 };
	}
}

bool
smpp_deliver_receipt(const struct smpp_conf *c, const struct smpp_pdu *pdu,
    struct smpp_deliver_room *room, struct smsc_receipt *out)
{
	struct buf octets = buf_on(room->octets, sizeof room->octets);
	struct smpp_receipt *r = &room->receipt;

	smpp_receipt_read(pdu, &octets, r);
	if (r->id.len == 0)
		return false;
	*out = (struct smsc_receipt){ .state = r->state, .code = r->code, .said = r->said };
	receipt_ids(c, r, room->ids, out);
	return true;
}

/* An address as the gateway writes it: + before international numbers, UTF-8. */
static struct text
address_in(const struct smpp_conf *c, uint8_t ton, struct text address, struct buf *room)
{
	enum { INTERNATIONAL = 1, ALPHANUMERIC = 5 };
	const char *charset = c->alt_addr_charset;
	size_t start = room->len;

	if (ton == ALPHANUMERIC && charset != NULL) {
		if (strcasecmp(charset, "gsm") == 0)
			gsm7_to_utf8(address, room);
		else if (text_convert(charset, "UTF-8", address, '?', room, NULL) == -1)
			return address;
	} else if (ton == INTERNATIONAL && address.len > 0 && address.at[0] != '+') {
		buf_u8(room, '+');
		buf_bytes(room, address.at, address.len);
	} else {
		return address;
	}
	return (struct text){ (const char *)room->data + start, room->len - start };
}

static bool
tlv_number(const struct smpp_pdu *pdu, uint16_t tag, uint16_t *out)
{
	const struct smpp_tlv *tlv = smpp_pdu_tlv(pdu, tag);
	struct cur c;

	if (tlv == NULL || tlv->value.len < 1 || tlv->value.len > 2)
		return false;
	c = cur_on(tlv->value.at, tlv->value.len);
	*out = tlv->value.len == 2 ? cur_u16(&c) : cur_u8(&c);
	return true;
}

/* Some SMSCs tell the parts by parameters instead of a header: it becomes one. */
static struct text
header_of_sar(const struct smpp_pdu *pdu, struct buf *room)
{
	uint16_t reference, total, number;
	size_t start = room->len;

	if (!tlv_number(pdu, SMPP_TAG_SAR_REFERENCE, &reference) ||
	    !tlv_number(pdu, SMPP_TAG_SAR_TOTAL, &total) ||
	    !tlv_number(pdu, SMPP_TAG_SAR_NUMBER, &number) ||
	    total < 2 || total > 255 || number < 1 || number > total)
		return (struct text){ NULL, 0 };
	udh_with_concat(room, (struct text){ NULL, 0 }, reference, reference > 255, (uint8_t)total,
	    (uint8_t)number);
	return (struct text){ (const char *)room->data + start, room->len - start };
}

void
smpp_deliver_text(const struct smpp_conf *c, const struct smpp_pdu *pdu,
    struct smpp_deliver_room *room, struct smsc_incoming *out)
{
	struct buf octets = buf_on(room->octets, sizeof room->octets);

	*out = (struct smsc_incoming){ .dcs = pdu->data_coding, .esm_class = pdu->esm_class,
	    .pid = pdu->protocol_id };
	out->body = smpp_pdu_text(pdu, &out->udh);
	if (out->udh.at == NULL)
		out->udh = header_of_sar(pdu, &octets);
	out->from = address_in(c, pdu->source_ton, pdu->source, &octets);
	out->to = c->my_number != NULL ? text_of(c->my_number) :
	    address_in(c, pdu->dest_ton, pdu->destination, &octets);
}
