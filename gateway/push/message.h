/*
 * message.h - one message to one recipient, from the door to the SMSC
 *
 * A message is one block of memory: its texts are views into the same block.
 * Packed, it is the body column of the store: tagged fields, unknown tags are
 * skipped, so two versions of the program can read each other's rows.
 *
 * Owns: message_new and message_unpack give, message_free takes.
 * Threads: a message is not changed after message_new but for `id`, which the queue
 * sets before anybody else sees it.
 */
#ifndef PUSH_MESSAGE_H
#define PUSH_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"

struct buf;

enum message_kind { MESSAGE_TEXT, MESSAGE_BINARY, MESSAGE_PUSH };
enum message_coding { CODING_GSM7 = 0, CODING_OCTETS = 1, CODING_UCS2 = 2 };
enum message_class { CLASS_HIGH, CLASS_NORMAL, CLASS_BULK, CLASSES };	/* of the queue */

enum { MESSAGE_UNSET = -1 };	/* of the small numbers below */

/* Kannel's dlr-mask bits and the values of %d. */
enum dlr_event {
	DLR_DELIVERED = 1, DLR_FAILED = 2, DLR_BUFFERED = 4, DLR_SMSC_ACCEPTED = 8,
	DLR_SMSC_REJECTED = 16, DLR_EXPIRED = 32 + 2, DLR_UNKNOWN = 64 + 2,
	DLR_MASK_FINAL = 1 | 2 | 16 | 32 | 64
};

struct message {
	uint64_t	 id;		/* 0: not in the queue yet */
	/* who and whither */
	struct text	 account;	/* the user that sent it; push-ids are unique per account */
	struct text	 push_id;	/* given by the client; absent: made from id, message_push_id */
	struct text	 msisdn;	/* the exact address as sent to the SMSC, after core's unified-prefix */
	struct text	 sender;
	struct text	 smsc;		/* smsc-id wished for; absent: any */
	struct text	 service;	/* Kannel's %n */
	struct text	 billing;	/* account= of the request, %o */
	struct text	 binfo, meta_data;
	struct text	 group;		/* ordered group: these never pass one another; absent: none */
	struct text	 dlr_url;
	/* what */
	struct text	 body;		/* GSM7: UTF-8 text; UCS2: UTF-16BE octets; OCTETS: octets, for a
					 * push the WSP PDU */
	struct text	 udh;		/* whole header with its length octet; absent: none */
	struct text	 note;		/* how it is signed ("USERPIN"), for the log; never a secret */
	/* how: MESSAGE_UNSET where the request did not say */
	uint8_t		 kind;		/* enum message_kind */
	uint8_t		 klass;		/* enum message_class */
	int8_t		 coding, mclass, mwi, alt_dcs, compress, rpi, priority;
	int16_t		 pid;
	uint8_t		 dlr_mask;
	bool		 concatenate;	/* several segments are one message (else: plain messages in a row) */
	uint16_t	 segments_most;	/* 1..255 */
	uint16_t	 octets_most;	/* of one segment's user data, smsbox's sms-length; 140 */
	/* when */
	wall_t		 accepted;	/* by the door */
	wall_t		 expires;	/* 0: accepted + 3 days */
	bool		 validity_given;	/* `expires` came with the request: it goes to the SMSC */
	wall_t		 not_before;	/* held here until then (PAP's deliver-after, retries); 0 */
	wall_t		 deferred;	/* given to the SMSC as schedule_delivery_time; 0 */
};

/* A copy of *from and all its texts in one block; NULL without memory. */
struct message	*message_new(const struct message *from);
void		 message_free(struct message **);
size_t		 message_octets(const struct message *);	/* of memory, for windows */

/* Without `id`, which is the row's; what is packed comes back with id 0. */
void		 message_pack(const struct message *, struct buf *);
struct message	*message_unpack(const void *, size_t, struct err *);	/* NULL: damaged, or no memory */

/* A push-id that Kantele assigns is a UUID (version 8) that carries the id (60 bits) and the
 * store's tag, so that finding it needs no index. */
enum { PUSH_ID_SIZE = 37, PUSH_ID_MOST = 255 };
void		 push_id_make(uint64_t id, uint32_t store_tag, char out[PUSH_ID_SIZE]);
bool		 push_id_read(struct text, uint32_t store_tag, uint64_t *id);	/* false: not one of ours */

#endif
