/*
 * sign.h - where a push is signed: SEC and MAC of OMA ProvSec
 *
 * MAC = HMAC-SHA1(key, body); body is the WBXML document and nothing else. The key
 * of NETWPIN is the IMSI in semi-octets (3GPP 31.102 EF_IMSI without its length
 * octet), of USERPIN the digits, of USERNETWPIN the one and then the other; with
 * USERPINMAC no MAC is sent: the user types PIN + check digits.
 * Fails closed: whatever is missing or is no IMSI is refused, there is no default.
 *
 * Threads: pure, any thread.
 */
#ifndef ENCODE_SIGN_H
#define ENCODE_SIGN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/secret.h"
#include "base/text.h"

struct buf;

/* Values are those on the wire (SEC, short integer). */
enum sign_method {
	SIGN_NETWPIN = 0, SIGN_USERPIN = 1, SIGN_USERNETWPIN = 2, SIGN_USERPINMAC = 3,
	SIGN_NONE = 4		/* no SEC, no MAC: only where the caller asked and may */
};

struct sign_secrets {
	struct secret	 pin;		/* ASCII; with NETWPIN 14 or 15 digits are an IMSI, anything
					 * that is not all digits the raw packed octets (as Kannel's callers send) */
	struct secret	 imsi;		/* 6..15 digits */
	struct secret	 key;		/* raw octets; overrides the computed key */
};

struct signature {
	enum sign_method method;
	char		 mac[41];	/* 40 upper-case hex digits; "" with USERPINMAC and NONE */
	char		 user_code[41];	/* USERPINMAC: what the user must type; a secret */
	bool		 odd_pin;	/* the PIN has other than digits: warn */
	bool		 odd_country;	/* the IMSI begins with no mobile country code: warn */
	bool		 odd_imsi;	/* not 15 digits: some handsets get it wrong: warn */
};

/* "netwpin" ... without regard to case, "none", and "1" = USERPIN as in Kannel. -1 and a
 * reason for anything else, other numbers too. */
int	sign_method_named(struct text, enum sign_method *, struct err *);
const char *sign_method_name(enum sign_method);		/* "NETWPIN" */

int	sign_body(enum sign_method, const struct sign_secrets *, struct text body,
	    struct signature *, struct err *);
/* Whether a received MAC holds: 1 yes, 0 no, -1 and err when it cannot be told. */
int	sign_verify(enum sign_method, const struct sign_secrets *, struct text body,
	    struct text mac, struct err *);
/* USERPINMAC: whether what the user typed (PIN and check digits) fits the body. */
int	sign_verify_code(struct text typed, struct text body);
/* SHA-1 of anything, for lint's check of certificate thumbprints. -1: no SHA-1 here. */
int	sign_sha1(const void *, size_t, uint8_t out[20]);
/* The packed IMSI, 4..8 octets. -1: not 6..15 digits. */
int	sign_pack_imsi(struct text imsi, struct buf *, struct err *);

#endif
