/*
 * receipt.h - message ids and delivery receipts, in the forms that real SMSCs use
 *
 * Threads: pure.
 */
#ifndef SIMULATE_RECEIPT_H
#define SIMULATE_RECEIPT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "smsc/smpp_pdu.h"

enum id_form { ID_DECIMAL, ID_HEX, ID_PADDED, ID_UUID };
enum { ID_SIZE = 48, RECEIPT_STATES_MOST = 8, RECEIPT_ADDRESS_SIZE = 22 };

int		 id_form_named(struct text, enum id_form *, struct err *);
/* "6699", "1A2B", "0000006699", or a UUID that ends in the number. */
struct text	 id_print(uint64_t id, enum id_form, char out[ID_SIZE]);

struct receipt_conf {
	bool		 wanted, early, twice;
	bool		 form_given, tlv_only, text_only;
	enum id_form	 form;			/* with form_given; else as in the answer */
	unsigned	 delay_ms;
	uint8_t		 states[RECEIPT_STATES_MOST];	/* rows of the table, in turn */
	unsigned	 state_count;
};

/* "delay=500,state=DELIVRD/UNDELIV": states are taken in turn. */
int	receipt_options(struct receipt_conf *, struct text, struct err *);
/* "hex", "decimal", "padded", "uuid", "tlv-only", "text-only"; several with commas. */
int	receipt_id_options(struct receipt_conf *, struct text, struct err *);

struct receipt {			/* that will be sent */
	uint64_t	 id;
	wall_t		 submitted;
	mono_t		 due;
	uint8_t		 state;			/* index into the table */
	uint8_t		 source_ton, source_npi, dest_ton, dest_npi;	/* of the message */
	char		 source[RECEIPT_ADDRESS_SIZE], destination[RECEIPT_ADDRESS_SIZE];
	struct receipt	*next;
};

/* Whether registered_delivery asks for a receipt of this state. */
bool	receipt_asked(uint8_t registered_delivery, uint8_t state);

struct receipt_room {
	char		 id[ID_SIZE], text[256], state;
};
/* The deliver_sm; its texts are views into the receipt and *room. `version` 0x33: text only. */
void	receipt_make(const struct receipt_conf *, const struct receipt *, enum id_form answered,
	    uint8_t version, wall_t now, struct receipt_room *room, struct smpp_pdu *out);

#endif
