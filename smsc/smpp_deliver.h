/*
 * smpp_deliver.h - a deliver_sm or data_sm becomes a receipt or a text from a phone
 *
 * Threads: pure.
 */
#ifndef SMSC_SMPP_DELIVER_H
#define SMSC_SMPP_DELIVER_H

#include <stdbool.h>
#include "smsc/smpp_conf.h"
#include "smsc/smpp_pdu.h"
#include "smsc/smpp_receipt.h"
#include "smsc/smsc.h"

struct smpp_deliver_room {		/* what cannot be a view into the PDU */
	uint8_t		 octets[1024];
	char		 ids[3][SMPP_ID_SIZE];
	struct smpp_receipt receipt;
};

/* false: the receipt has no id, nobody can use it. Texts are views into the PDU or the room. */
bool	smpp_deliver_receipt(const struct smpp_conf *, const struct smpp_pdu *,
	    struct smpp_deliver_room *, struct smsc_receipt *out);
void	smpp_deliver_text(const struct smpp_conf *, const struct smpp_pdu *,
	    struct smpp_deliver_room *, struct smsc_incoming *out);

#endif
