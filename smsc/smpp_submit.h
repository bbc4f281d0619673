/*
 * smpp_submit.h - one segment becomes one submit_sm; one status becomes one class
 *
 * Which value each field takes for which configuration and request is Kannel's, vector by vector
 * (doc/kannel-compatibility.md).
 *
 * Threads: pure.
 */
#ifndef SMSC_SMPP_SUBMIT_H
#define SMSC_SMPP_SUBMIT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/err.h"
#include "smsc/smpp_pdu.h"
#include "smsc/smsc.h"

struct buf;
struct segment;

enum smpp_tlv_kind { SMPP_TLV_OCTETS, SMPP_TLV_STRING, SMPP_TLV_INTEGER };

struct smpp_tlv_rule {			/* a group smpp-tlv */
	const char	*name, *constant;	/* constant: sent when meta-data names no value; NULL */
	long		 tag, length;
	int		 kind;			/* enum smpp_tlv_kind */
};

struct smpp_submit_rules {
	uint8_t		 esm_class, priority;
	uint8_t		 version;		/* 0x33: no optional parameters */
	uint8_t		 source_ton, source_npi, dest_ton, dest_npi;
	bool		 autodetect;		/* of the source's type of number */
	const char	*alt_addr_charset, *service_type;	/* NULL: none */
	long		 validity_min;		/* -1: none */
	const struct smpp_tlv_rule *tlvs;
	size_t		 tlv_count;
};

/* User data, header included, that one submit_sm is written for; more is refused. */
enum { SMPP_USER_DATA_MOST = 4096, SMPP_SUBMIT_MOST = SMPP_USER_DATA_MOST + 4096 };

/* Appends the PDU. -1: the message can never go out over this link (err: why; *status the code
 * that an SMSC would have answered), nothing was written. */
int	smpp_submit_write(const struct smpp_submit_rules *, const struct segment *,
	    uint32_t sequence, wall_t now, struct buf *, uint32_t *status, struct err *);

/* What a command_status of a submit_sm_resp other than 0 means. *rebind: the SMSC does
 * not take us for bound. */
enum smsc_refusal smpp_refusal(uint32_t status, bool *rebind);

/* "YYMMDDhhmmss000+", UTC, into out (17 octets). */
struct text smpp_time(wall_t, char out[17]);

#endif
