/*
 * smpp_receipt.h - delivery receipts as SMSCs really write them
 *
 * A receipt is optional parameters, or a line of text by convention
 *   id:ID sub:001 dlvrd:001 submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DELIVRD err:000 text:...
 * or both.  Parameters win for id and state, the text fills the gaps.  Fields may stand in any
 * order and case, be missing or empty.
 *
 * Ids: submit_sm_resp and receipt may write one id differently.  smpp_id_make brings both to one
 * form; the base of each side is configured (msg-id-type), never guessed.
 *
 * Threads: pure.
 */
#ifndef SMSC_SMPP_RECEIPT_H
#define SMSC_SMPP_RECEIPT_H

#include <stdbool.h>
#include "base/text.h"
#include "smsc/smpp_pdu.h"
#include "smsc/smsc.h"

struct buf;

enum smpp_id_base {
	SMPP_ID_TEXT,		/* lower case, without leading zeros */
	SMPP_ID_DECIMAL,	/* a number; what is none (or over 128 bits) is taken as text */
	SMPP_ID_HEX
};
enum { SMPP_ID_SIZE = 256 };	/* enough for every id that a PDU can hold */

/* One form for an id that was written in `base`; numbers become decimal. `out` has SMPP_ID_SIZE. */
struct text	 smpp_id_make(struct text written, enum smpp_id_base, char *out);

struct smpp_receipt {
	struct text	 id;		/* the parameter's, else the text's; absent: none */
	struct text	 text_id;	/* the text's; absent: none */
	enum smsc_report_state state;
	bool		 state_given;	/* else `state` is REPORT_UNKNOWN (REPORT_PENDING of a notification) */
	struct text	 code;		/* err of the text, else the number of network_error_code; absent */
	struct text	 said;		/* the whole text; else the state's word */
	char		 code_room[8];
};

/* deliver_sm and data_sm: a receipt or intermediate notification by its message type, or by its
 * parameters, whatever the type says. */
bool	smpp_receipt_is(const struct smpp_pdu *);
/* Views into the PDU, or into `room` (UCS-2 text is copied there as far as it fits), or *out. */
void	smpp_receipt_read(const struct smpp_pdu *, struct buf *room, struct smpp_receipt *out);

/* short_message or message_payload, without the user data header. */
struct text smpp_pdu_text(const struct smpp_pdu *, struct text *udh);

#endif
