/*
 * smpp_pdu_fuzz.c - any octets: read; what was read, written and read again, is the same
 *
 * The receipt reader, the printer and the length function see the same octets.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "smsc/smpp_pdu.h"
#include "smsc/smpp_receipt.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static bool
same_text(struct text a, struct text b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static void
check_same(const struct smpp_pdu *a, const struct smpp_pdu *b)
{
	assert(a->command == b->command && a->status == b->status && a->sequence == b->sequence);
	assert(same_text(a->system_id, b->system_id) && same_text(a->password, b->password));
	assert(same_text(a->system_type, b->system_type));
	assert(same_text(a->address_range, b->address_range));
	assert(same_text(a->service_type, b->service_type) && same_text(a->source, b->source));
	assert(same_text(a->destination, b->destination));
	assert(a->source_ton == b->source_ton && a->source_npi == b->source_npi);
	assert(a->dest_ton == b->dest_ton && a->dest_npi == b->dest_npi);
	assert(a->esm_class == b->esm_class && a->data_coding == b->data_coding);
	assert(a->registered_delivery == b->registered_delivery && a->priority == b->priority);
	assert(same_text(a->schedule_time, b->schedule_time) && same_text(a->validity, b->validity));
	assert(same_text(a->message, b->message) && same_text(a->message_id, b->message_id));
	assert(a->tlv_count == b->tlv_count);
	for (unsigned i = 0; i < a->tlv_count; i++)
		assert(a->tlvs[i].tag == b->tlvs[i].tag &&
		    same_text(a->tlvs[i].value, b->tlvs[i].value));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out_room[SMPP_PDU_MOST], print_room[SMPP_PDU_MOST];
	struct text octets = { (const char *)data, size };
	struct buf out = buf_on(out_room, sizeof out_room);
	struct buf print = buf_on(print_room, sizeof print_room);
	uint8_t text_room[300];
	struct buf room = buf_on(text_room, sizeof text_room);
	struct smpp_pdu pdu, again;
	struct smpp_receipt receipt;
	struct err err = { 0 };

	smpp_pdu_length(octets);
	if (smpp_pdu_read(octets, &pdu, &err) == -1) {
		assert(err.code != ERR_NONE && err.text[0] != '\0');
		return 0;
	}
	assert(err.code == ERR_NONE);
	smpp_pdu_print(&pdu, &print);
	if (smpp_receipt_is(&pdu)) {
		char id[SMPP_ID_SIZE];

		smpp_receipt_read(&pdu, &room, &receipt);
		smpp_id_make(receipt.id, SMPP_ID_HEX, id);
	}
	if (size > SMPP_PDU_MOST)
		return 0;
	if (smpp_pdu_write(&pdu, &out, &err) == -1) {
		assert(size + 300 > SMPP_PDU_MOST);	/* only a lost NUL can make it longer */
		return 0;
	}
	assert(smpp_pdu_read((struct text){ (char *)out_room, out.len }, &again, &err) == 0);
	check_same(&pdu, &again);
	return 0;
}
