/*
 * udh.h - user data headers (3GPP TS 23.040, 9.2.3.24)
 *
 * Threads: pure.
 */
#ifndef PUSH_UDH_H
#define PUSH_UDH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/text.h"

struct buf;

enum { UDH_CONCAT8 = 0x00, UDH_PORTS8 = 0x04, UDH_PORTS16 = 0x05, UDH_CONCAT16 = 0x08 };

struct udh {			/* what reading finds */
	bool		 ports, concat, wide;	/* wide: 16-bit reference */
	uint16_t	 port_to, port_from, reference;
	uint8_t		 total, number;		/* number from 1 */
	size_t		 octets;		/* of the header with its length octet */
};

/* Whole headers with their length octet. */
void	udh_put_ports(struct buf *, uint16_t to, uint16_t from);	/* 06 05 04 .. */
/* Appends a concatenation element to `udh` (absent: makes one), fixing the length. */
void	udh_with_concat(struct buf *, struct text udh, uint16_t reference, bool wide,
	    uint8_t total, uint8_t number);
/* user_data begins with the header. -1: it ends early or contradicts itself. */
int	udh_read(struct text user_data, struct udh *, struct err *);

#endif
