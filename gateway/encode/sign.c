/*
 * sign.c - SEC and MAC of OMA ProvSec
 *
 * HMAC is made here from two SHA-1 runs over a digest that is fetched once: the
 * library's one-shot HMAC looks its algorithm up anew at each call, which costs more
 * than hashing a document.
 *
 * Knows:     how a key is made from IMSI and PIN, and what must be refused.
 * Does not:  know where secrets come from; never prints one.
 * Owns:      one digest context per thread, given back when the thread ends. Keys live
 *            on the stack and are wiped.
 * Threads:   pure, any thread.
 */
#include "encode/sign.h"

#include <pthread.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/buf.h"

enum {
	SHA1_OCTETS = 20, SHA1_BLOCK = 64, KEY_MOST = 1024,
	METHOD_SHOWN = 30, IMSI_LEAST = 6, IMSI_MOST = 15, IMSI_USUAL = 15,
	CODE_MOST = 20		/* one check digit for each octet of the MAC */
};

static const struct {
	enum sign_method method;
	const char	*name;
} sign_methods[] = {
	{ SIGN_NETWPIN,		"NETWPIN" },
	{ SIGN_USERPIN,		"USERPIN" },
	{ SIGN_USERNETWPIN,	"USERNETWPIN" },
	{ SIGN_USERPINMAC,	"USERPINMAC" },
	{ SIGN_NONE,		"none" },
	{ SIGN_USERPIN,		"1" },		/* as in Kannel; no other number */
};

static pthread_once_t sign_once = PTHREAD_ONCE_INIT;
static pthread_key_t sign_key;
static EVP_MD *sign_md;
static _Thread_local EVP_MD_CTX *sign_ctx;

static void
sign_thread_ends(void *ctx)
{
	EVP_MD_CTX_free(ctx);
}

static void
sign_start(void)
{
	sign_md = EVP_MD_fetch(NULL, "SHA1", NULL);
	pthread_key_create(&sign_key, sign_thread_ends);
}

static EVP_MD_CTX *
sign_context(void)
{
	if (sign_ctx == NULL) {
		pthread_once(&sign_once, sign_start);
		if (sign_md != NULL && (sign_ctx = EVP_MD_CTX_new()) != NULL)
			pthread_setspecific(sign_key, sign_ctx);
	}
	return sign_ctx;
}

/* SHA-1 of two pieces. */
static int
sign_hash(const void *a, size_t alen, const void *b, size_t blen, uint8_t out[SHA1_OCTETS])
{
	EVP_MD_CTX *ctx = sign_context();

	return ctx != NULL && EVP_DigestInit_ex2(ctx, sign_md, NULL) == 1 &&
	    EVP_DigestUpdate(ctx, a, alen) == 1 && EVP_DigestUpdate(ctx, b, blen) == 1 &&
	    EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? 0 : -1;
}

int
sign_sha1(const void *data, size_t len, uint8_t out[20])
{
	return sign_hash(data, len, "", 0, out);
}

/* RFC 2104. */
static int
sign_hmac(const uint8_t *key, size_t len, struct text body, uint8_t mac[SHA1_OCTETS])
{
	uint8_t block[SHA1_BLOCK] = { 0 }, inner[SHA1_OCTETS];
	int rc = 0;

	if (len > SHA1_BLOCK)
		rc = sign_sha1(key, len, block);
	else
		memcpy(block, key, len);
	for (size_t i = 0; i < SHA1_BLOCK; i++)
		block[i] ^= 0x36;
	if (rc == 0)
		rc = sign_hash(block, sizeof block, body.at != NULL ? body.at : "", body.len, inner);
	for (size_t i = 0; i < SHA1_BLOCK; i++)
		block[i] ^= 0x36 ^ 0x5c;
	if (rc == 0)
		rc = sign_hash(block, sizeof block, inner, sizeof inner, mac);
	OPENSSL_cleanse(block, sizeof block);
	OPENSSL_cleanse(inner, sizeof inner);
	return rc;
}

int
sign_method_named(struct text name, enum sign_method *method, struct err *err)
{
	char shown[4 * METHOD_SHOWN];
	struct buf b = buf_on(shown, sizeof shown);

	for (size_t i = 0; i < sizeof sign_methods / sizeof *sign_methods; i++)
		if (text_is_nocase(name, sign_methods[i].name)) {
			*method = sign_methods[i].method;
			return 0;
		}
	if (name.len == 0)
		return err_set(err, ERR_SYNTAX, "the security method is empty: write netwpin, "
		    "userpin, usernetwpin, userpinmac or none");
	if (name.len > METHOD_SHOWN)
		name.len = METHOD_SHOWN;
	text_show(name, &b);
	return err_set(err, ERR_SYNTAX, "security method \"%.*s\" is not known: write netwpin, "
	    "userpin, usernetwpin, userpinmac or none", (int)b.len, shown);
}

const char *
sign_method_name(enum sign_method method)
{
	for (size_t i = 0; i < sizeof sign_methods / sizeof *sign_methods; i++)
		if (sign_methods[i].method == method)
			return sign_methods[i].name;
	return "?";
}

/*
 * EF_IMSI without its length octet (3GPP TS 31.102, 4.2.2): a nibble that tells the
 * parity, the digits, a filler when they are even; the first nibble of a pair lies low.
 */
int
sign_pack_imsi(struct text imsi, struct buf *out, struct err *err)
{
	uint8_t nibbles[IMSI_MOST + 2];
	size_t n = 0;

	if (imsi.len < IMSI_LEAST || imsi.len > IMSI_MOST || !text_digits(imsi))
		return err_set(err, ERR_SYNTAX, "the IMSI must be %d to %d digits", IMSI_LEAST,
		    IMSI_MOST);
	nibbles[n++] = imsi.len % 2 ? 9 : 1;
	for (size_t i = 0; i < imsi.len; i++)
		nibbles[n++] = (uint8_t)(imsi.at[i] - '0');
	if (n % 2)
		nibbles[n++] = 0xf;
	for (size_t i = 0; i < n; i += 2)
		buf_u8(out, (uint8_t)(nibbles[i] | nibbles[i + 1] << 4));
	OPENSSL_cleanse(nibbles, sizeof nibbles);
	return 0;
}

/* 2xx to 7xx, or those for tests. */
static bool
sign_is_country(struct text imsi)
{
	return imsi.len >= 3 && ((imsi.at[0] >= '2' && imsi.at[0] <= '7') ||
	    memcmp(imsi.at, "001", 3) == 0 || memcmp(imsi.at, "999", 3) == 0);
}

static int
sign_put_imsi(struct text imsi, struct buf *key, struct signature *s, struct err *err)
{
	s->odd_imsi = imsi.len != IMSI_USUAL;
	s->odd_country = !sign_is_country(imsi);
	return sign_pack_imsi(imsi, key, err);
}

static void
sign_put_pin(struct text pin, struct buf *key, struct signature *s)
{
	s->odd_pin = !text_digits(pin);
	buf_bytes(key, pin.at, pin.len);
}

static int
sign_key_netwpin(const struct sign_secrets *in, struct buf *key, struct signature *s,
    struct err *err)
{
	struct text pin = secret_octets(&in->pin);

	if (secret_given(&in->imsi))
		return sign_put_imsi(secret_octets(&in->imsi), key, s, err);
	if (!secret_given(&in->pin))
		return err_set(err, ERR_SYNTAX, "NETWPIN needs the IMSI of the SIM card: give imsi");
	if (!text_digits(pin)) {	/* packed by the caller, as Kannel wants it */
		buf_bytes(key, pin.at, pin.len);
		return 0;
	}
	if (pin.len != IMSI_USUAL && pin.len != IMSI_USUAL - 1)
		return err_set(err, ERR_SYNTAX, "NETWPIN needs the IMSI of the SIM card, and the pin "
		    "is none (14 or 15 digits): give imsi, or sec=userpin for a PIN that the user "
		    "types");
	return sign_put_imsi(pin, key, s, err);
}

static int
sign_key_userpin(const struct sign_secrets *in, struct buf *key, struct signature *s,
    struct err *err)
{
	if (!secret_given(&in->pin))
		return err_set(err, ERR_SYNTAX, "USERPIN needs the PIN that the user will type: "
		    "give pin");
	sign_put_pin(secret_octets(&in->pin), key, s);
	return 0;
}

static int
sign_key_usernetwpin(const struct sign_secrets *in, struct buf *key, struct signature *s,
    struct err *err)
{
	struct text pin = secret_octets(&in->pin);

	if (!secret_given(&in->pin))
		return err_set(err, ERR_SYNTAX, "USERNETWPIN needs the IMSI and the PIN that the "
		    "user will type: give imsi and pin");
	if (secret_given(&in->imsi)) {
		if (sign_put_imsi(secret_octets(&in->imsi), key, s, err) == -1)
			return -1;
		sign_put_pin(pin, key, s);
		return 0;
	}
	if (text_digits(pin))
		return err_set(err, ERR_SYNTAX, "USERNETWPIN needs the IMSI beside the PIN: give imsi");
	buf_bytes(key, pin.at, pin.len);	/* packed IMSI and PIN, joined by the caller */
	return 0;
}

static int
sign_key_userpinmac(const struct sign_secrets *in, struct buf *key, struct signature *s,
    struct err *err)
{
	struct text pin = secret_octets(&in->pin);

	(void)s;
	if (!secret_given(&in->pin) || pin.len > CODE_MOST || !text_digits(pin))
		return err_set(err, ERR_SYNTAX, "USERPINMAC needs a PIN of 1 to %d digits: the user "
		    "types it with its check digits", CODE_MOST);
	buf_bytes(key, pin.at, pin.len);
	return 0;
}

static int (*const sign_key_of[])(const struct sign_secrets *, struct buf *, struct signature *,
    struct err *) = {
	[SIGN_NETWPIN] = sign_key_netwpin,
	[SIGN_USERPIN] = sign_key_userpin,
	[SIGN_USERNETWPIN] = sign_key_usernetwpin,
	[SIGN_USERPINMAC] = sign_key_userpinmac,
};

/* The raw MAC of any method that has a key. */
static int
sign_compute(const struct sign_secrets *in, struct text body, struct signature *s,
    uint8_t mac[SHA1_OCTETS], struct err *err)
{
	uint8_t room[KEY_MOST];
	struct buf key = buf_on(room, sizeof room);
	int rc = 0;

	if (secret_given(&in->key) && s->method != SIGN_USERPINMAC)
		buf_bytes(&key, secret_octets(&in->key).at, secret_octets(&in->key).len);
	else
		rc = sign_key_of[s->method](in, &key, s, err);
	if (rc == 0 && key.overflow)
		rc = err_set(err, ERR_LIMIT, "the key is longer than %d octets", KEY_MOST);
	if (rc == 0 && sign_hmac(room, key.len, body, mac) == -1)
		rc = err_set(err, ERR_SYSTEM, "the library cannot compute SHA-1");
	OPENSSL_cleanse(room, sizeof room);
	return rc;
}

/* cp-security: check digit i is octet i of the MAC modulo 10. */
static void
sign_check_digits(const uint8_t mac[SHA1_OCTETS], size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (char)('0' + mac[i] % 10);
}

int
sign_body(enum sign_method method, const struct sign_secrets *in, struct text body,
    struct signature *s, struct err *err)
{
	uint8_t mac[SHA1_OCTETS];
	struct text pin = secret_octets(&in->pin);
	struct buf hex = buf_on(s->mac, sizeof s->mac - 1);

	*s = (struct signature){ .method = method };
	if (method == SIGN_NONE)
		return 0;
	if (method > SIGN_NONE)
		return err_set(err, ERR_SYNTAX, "security method %d is not known", (int)method);
	if (sign_compute(in, body, s, mac, err) == -1)
		return -1;
	if (method == SIGN_USERPINMAC) {
		memcpy(s->user_code, pin.at, pin.len);
		sign_check_digits(mac, pin.len, s->user_code + pin.len);
	} else {
		buf_hex(&hex, mac, sizeof mac, true);
	}
	OPENSSL_cleanse(mac, sizeof mac);
	return 0;
}

int
sign_verify(enum sign_method method, const struct sign_secrets *in, struct text body,
    struct text received, struct err *err)
{
	uint8_t mac[SHA1_OCTETS], room[SHA1_OCTETS + 1];
	struct buf given = buf_on(room, sizeof room);
	struct signature s = { .method = method };
	int holds;

	if (method >= SIGN_NONE)
		return err_set(err, ERR_SYNTAX, "the message is not signed");
	if (method == SIGN_USERPINMAC)
		return err_set(err, ERR_SYNTAX, "USERPINMAC sends no MAC: what the user types tells");
	if (received.at == NULL)
		return err_set(err, ERR_SYNTAX, "the message has no MAC");
	if (received.len != 2 * SHA1_OCTETS || text_unhex(received, &given, NULL) == -1 ||
	    given.len != SHA1_OCTETS)
		return err_set(err, ERR_SYNTAX, "the MAC is not 40 hex digits");
	if (sign_compute(in, body, &s, mac, err) == -1)
		return -1;
	holds = CRYPTO_memcmp(mac, room, sizeof mac) == 0;
	OPENSSL_cleanse(mac, sizeof mac);
	return holds;
}

int
sign_verify_code(struct text typed, struct text body)
{
	uint8_t mac[SHA1_OCTETS];
	char digits[CODE_MOST];
	size_t half = typed.len / 2;
	int holds;

	if (typed.len < 2 || typed.len % 2 || half > CODE_MOST || !text_digits(typed) ||
	    sign_hmac((const uint8_t *)typed.at, half, body, mac) == -1)
		return 0;
	sign_check_digits(mac, half, digits);
	holds = CRYPTO_memcmp(digits, typed.at + half, half) == 0;
	OPENSSL_cleanse(mac, sizeof mac);
	OPENSSL_cleanse(digits, sizeof digits);
	return holds;
}
