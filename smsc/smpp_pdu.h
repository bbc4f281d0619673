/*
 * smpp_pdu.h - SMPP 3.4 PDUs from one table of fields
 *
 * The table (smpp_pdu.c) lists each PDU's fields once, with kind and size; packing,
 * reading and printing are loops over it. A read PDU is views into the caller's octets.
 * Optional parameters are kept as views, unknown ones too.
 *
 * Threads: pure.
 */
#ifndef SMSC_SMPP_PDU_H
#define SMSC_SMPP_PDU_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/text.h"

struct buf;

enum { SMPP_HEADER = 16, SMPP_PDU_MOST = 64 * 1024, SMPP_TLVS_MOST = 32 };

enum smpp_command {
	SMPP_BIND_RECEIVER = 0x01, SMPP_BIND_TRANSMITTER = 0x02, SMPP_QUERY_SM = 0x03,
	SMPP_SUBMIT_SM = 0x04, SMPP_DELIVER_SM = 0x05, SMPP_UNBIND = 0x06, SMPP_REPLACE_SM = 0x07,
	SMPP_CANCEL_SM = 0x08, SMPP_BIND_TRANSCEIVER = 0x09, SMPP_OUTBIND = 0x0b,
	SMPP_ENQUIRE_LINK = 0x15, SMPP_SUBMIT_MULTI = 0x21, SMPP_ALERT_NOTIFICATION = 0x102,
	SMPP_DATA_SM = 0x103, SMPP_GENERIC_NACK = (int)0x80000000
};
#define SMPP_RESP	0x80000000u

enum smpp_tag {			/* optional parameters that somebody here reads or writes */
	SMPP_TAG_ADDITIONAL_STATUS = 0x001d, SMPP_TAG_RECEIPTED_ID = 0x001e,
	SMPP_TAG_SAR_REFERENCE = 0x020c, SMPP_TAG_SAR_TOTAL = 0x020e, SMPP_TAG_SAR_NUMBER = 0x020f,
	SMPP_TAG_SC_VERSION = 0x0210, SMPP_TAG_NETWORK_ERROR = 0x0423, SMPP_TAG_PAYLOAD = 0x0424,
	SMPP_TAG_MORE_MESSAGES = 0x0426, SMPP_TAG_MESSAGE_STATE = 0x0427, SMPP_TAG_BILLING = 0x060b
};
enum smpp_status {		/* those that the code names; smpp_status_name knows all */
	SMPP_OK = 0, SMPP_BAD_LENGTH = 0x02, SMPP_BAD_COMMAND = 0x03, SMPP_BAD_BIND_STATE = 0x04,
	SMPP_ALREADY_BOUND = 0x05, SMPP_SYSTEM_ERROR = 0x08, SMPP_BAD_DESTINATION = 0x0b,
	SMPP_BAD_ID = 0x0c, SMPP_BAD_PASSWORD = 0x0e, SMPP_BAD_SYSTEM_ID = 0x0f,
	SMPP_QUEUE_FULL = 0x14, SMPP_BAD_ESM_CLASS = 0x43, SMPP_BAD_SYSTEM_TYPE = 0x53,
	SMPP_THROTTLED = 0x58, SMPP_TRY_LATER = 0x64, SMPP_QUERY_FAILED = 0x67,
	SMPP_CANCEL_FAILED = 0x11, SMPP_REPLACE_FAILED = 0x13
};
enum { SMPP_UDHI = 0x40, SMPP_REPLY_PATH = 0x80 };	/* esm_class */

struct smpp_tlv {
	uint16_t	 tag;
	struct text	 value;
};

/* All fields of all PDUs; those that a command has not stay zero/absent. */
struct smpp_pdu {
	uint32_t	 command, status, sequence;
	struct text	 system_id, password, system_type, address_range;	/* bind */
	uint8_t		 interface_version, addr_ton, addr_npi;
	struct text	 service_type, source, destination;			/* submit, deliver, data */
	uint8_t		 source_ton, source_npi, dest_ton, dest_npi;
	uint8_t		 esm_class, protocol_id, priority, registered_delivery, replace_if_present,
			 data_coding, default_msg_id;
	struct text	 schedule_time, validity;
	struct text	 message;						/* short_message */
	struct text	 message_id;						/* responses */
	uint8_t		 tlv_count;
	struct smpp_tlv	 tlvs[SMPP_TLVS_MOST];
};

/* The length a stream's next PDU claims: 0 when fewer than 4 octets are there; -1 when it is
 * under 16 or over SMPP_PDU_MOST (the stream cannot be saved). */
long		 smpp_pdu_length(struct text start);
/* One whole PDU. Bodies of responses may be missing. A command that the table does not know, or
 * whose fields nobody here needs, gives its header only. On an error the header's four fields are
 * still filled in when there are 16 octets: an answer needs them. */
int		 smpp_pdu_read(struct text octets, struct smpp_pdu *, struct err *);
/* Appends it; command_length is filled in. A text longer than its field: ERR_LIMIT. */
int		 smpp_pdu_write(const struct smpp_pdu *, struct buf *, struct err *);
/* One line for debug logs: names and values, passwords and message bodies left out. */
void		 smpp_pdu_print(const struct smpp_pdu *, struct buf *);
const struct smpp_tlv *smpp_pdu_tlv(const struct smpp_pdu *, uint16_t tag);

/* Texts for people; those of unknown numbers live until the thread's fourth call from now. */
const char	*smpp_command_name(uint32_t);	/* "submit_sm"; "command 0x00000777" */
const char	*smpp_status_name(uint32_t);	/* "ESME_RTHROTTLED"; "status 0x00000412" for others */
/* "ESME_RTHROTTLED", "RTHROTTLED", "0x58" or "88". -1: none of these. */
int		 smpp_status_named(struct text, uint32_t *);

#endif
