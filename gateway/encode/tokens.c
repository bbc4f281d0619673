/*
 * tokens.c - token tables, made by tests/tools/make_tokens.py; do not edit
 *
 * Knows:     codes and spellings of cp-tokens.tsv, ota-tokens.tsv, sync-tokens.tsv.
 * Does not:  know how a document is written or read (wbxml.c, unwbxml.c).
 * Owns:      constant data only.
 * Threads:   any.
 */
#include "encode/tokens.h"

#include "document/media.h"

/*
 * cp-tokens.tsv
 */

static const struct token_word prov_tags_list[] = {
	{ "wap-provisioningdoc", 19, 0, { 0x05, 0 } },
	{ "characteristic", 14, 0, { 0x06, 0x06 } },
	{ "parm", 4, 0, { 0x07, 0x07 } },
};

static const uint8_t prov_tags_slots[8] = {
	2, 0, 1, 0, 0, 0, 0, 3,
};

static const struct token_words prov_tags = {
	prov_tags_list, prov_tags_slots, 7, 3, 19
};

static const struct token_word prov_values_list[] = {
	{ "IPV4", 4, 0, { 0x85, 0 } },
	{ "IPV6", 4, 0, { 0x86, 0x86 } },
	{ "E164", 4, 0, { 0x87, 0x87 } },
	{ "ALPHA", 5, 0, { 0x88, 0x88 } },
	{ "APN", 3, 0, { 0x89, 0 } },
	{ "SCODE", 5, 0, { 0x8A, 0 } },
	{ "TETRA-ITSI", 10, 0, { 0x8B, 0 } },
	{ "MAN", 3, 0, { 0x8C, 0 } },
	{ "ANALOG-MODEM", 12, 0, { 0x90, 0 } },
	{ "V.120", 5, 0, { 0x91, 0 } },
	{ "V.110", 5, 0, { 0x92, 0 } },
	{ "X.31", 4, 0, { 0x93, 0 } },
	{ "BIT-TRANSPARENT", 15, 0, { 0x94, 0 } },
	{ "DIRECT-ASYNCHRONOUS-DATA-SERVICE", 32, 0, { 0x95, 0 } },
	{ "PAP", 3, 0, { 0x9A, 0 } },
	{ "CHAP", 4, 0, { 0x9B, 0 } },
	{ "HTTP-BASIC", 10, 0, { 0x9C, 0 } },
	{ "HTTP-DIGEST", 11, 0, { 0x9D, 0 } },
	{ "WTLS-SS", 7, 0, { 0x9E, 0 } },
	{ "MD5", 3, 0, { 0x9F, 0 } },
	{ "GSM-USSD", 8, 0, { 0xA2, 0 } },
	{ "GSM-SMS", 7, 0, { 0xA3, 0 } },
	{ "ANSI-136-GUTS", 13, 0, { 0xA4, 0 } },
	{ "IS-95-CDMA-SMS", 14, 0, { 0xA5, 0 } },
	{ "IS-95-CDMA-CSD", 14, 0, { 0xA6, 0 } },
	{ "IS-95-CDMA-PACKET", 17, 0, { 0xA7, 0 } },
	{ "ANSI-136-CSD", 12, 0, { 0xA8, 0 } },
	{ "ANSI-136-GPRS", 13, 0, { 0xA9, 0 } },
	{ "GSM-CSD", 7, 0, { 0xAA, 0 } },
	{ "GSM-GPRS", 8, 0, { 0xAB, 0 } },
	{ "AMPS-CDPD", 9, 0, { 0xAC, 0 } },
	{ "PDC-CSD", 7, 0, { 0xAD, 0 } },
	{ "PDC-PACKET", 10, 0, { 0xAE, 0 } },
	{ "IDEN-SMS", 8, 0, { 0xAF, 0 } },
	{ "IDEN-CSD", 8, 0, { 0xB0, 0 } },
	{ "IDEN-PACKET", 11, 0, { 0xB1, 0 } },
	{ "FLEX/REFLEX", 11, 0, { 0xB2, 0 } },
	{ "PHS-SMS", 7, 0, { 0xB3, 0 } },
	{ "PHS-CSD", 7, 0, { 0xB4, 0 } },
	{ "TETRA-SDS", 9, 0, { 0xB5, 0 } },
	{ "TETRA-PACKET", 12, 0, { 0xB6, 0 } },
	{ "ANSI-136-GHOST", 14, 0, { 0xB7, 0 } },
	{ "MOBITEX-MPAK", 12, 0, { 0xB8, 0 } },
	{ "CDMA2000-1X-SIMPLE-IP", 21, 0, { 0xB9, 0 } },
	{ "CDMA2000-1X-MOBILE-IP", 21, 0, { 0xBA, 0 } },
	{ "AUTOBAUDING", 11, 0, { 0xC5, 0 } },
	{ "CL-WSP", 6, 0, { 0xCA, 0 } },
	{ "CO-WSP", 6, 0, { 0xCB, 0 } },
	{ "CL-SEC-WSP", 10, 0, { 0xCC, 0 } },
	{ "CO-SEC-WSP", 10, 0, { 0xCD, 0 } },
	{ "CL-SEC-WTA", 10, 0, { 0xCE, 0 } },
	{ "CO-SEC-WTA", 10, 0, { 0xCF, 0 } },
	{ "OTA-HTTP-TO", 11, 0, { 0xD0, 0 } },
	{ "OTA-HTTP-TLS-TO", 15, 0, { 0xD1, 0 } },
	{ "OTA-HTTP-PO", 11, 0, { 0xD2, 0 } },
	{ "OTA-HTTP-TLS-PO", 15, 0, { 0xD3, 0 } },
	{ "AAA", 3, 0, { 0xE0, 0 } },
	{ "HA", 2, 0, { 0xE1, 0 } },
	{ "APPSRV", 6, 0, { 0, 0x8D } },
	{ "OBEX", 4, 0, { 0, 0x8E } },
	{ ",", 1, 0, { 0, 0 } },
	{ "HTTP-", 5, 0, { 0, 0 } },
	{ "BASIC", 5, 0, { 0, 0 } },
	{ "DIGEST", 6, 0, { 0, 0 } },
	{ "3G-GSM", 6, 0, { 0, 0 } },
	{ "WLAN", 4, 0, { 0, 0 } },
};

static const uint8_t prov_values_slots[256] = {
	50, 0, 0, 0, 0, 0, 0, 0, 39, 23, 0, 0, 0, 27, 45, 51,
	28, 3, 41, 0, 0, 0, 7, 49, 0, 0, 0, 5, 48, 0, 0, 0,
	0, 0, 15, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 18, 0, 0, 0, 0,
	0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 29, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 63, 0, 0, 24, 34, 0, 0, 26, 0,
	16, 0, 0, 0, 0, 0, 40, 22, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 60, 0, 0, 0, 0, 58, 0, 0, 0, 0, 0, 10, 0, 0,
	0, 0, 0, 53, 0, 0, 59, 0, 0, 0, 0, 37, 0, 0, 0, 0,
	30, 44, 54, 0, 0, 64, 0, 0, 0, 21, 36, 0, 0, 0, 0, 0,
	0, 0, 38, 0, 62, 0, 20, 1, 0, 0, 0, 0, 14, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 65, 0, 0, 0, 0, 0, 0, 4, 6, 35,
	47, 33, 43, 0, 46, 0, 0, 13, 0, 0, 0, 56, 0, 0, 0, 0,
	0, 0, 61, 0, 0, 12, 0, 17, 0, 0, 0, 0, 0, 0, 0, 52,
	0, 0, 0, 0, 0, 0, 0, 0, 42, 11, 19, 57, 66, 55, 0, 0,
	0, 0, 0, 0, 32, 31, 0, 0, 0, 0, 0, 0, 0, 0, 25, 0,
};

static const struct token_words prov_values = {
	prov_values_list, prov_values_slots, 255, 66, 32
};

static const struct token_word prov_name_list[] = {
	{ "NAME", 4, 0, { 0x07, 0x07 } },
	{ "NAP-ADDRESS", 11, 0, { 0x08, 0 } },
	{ "NAP-ADDRTYPE", 12, TOKEN_ENUMERATED, { 0x09, 0 } },
	{ "CALLTYPE", 8, TOKEN_ENUMERATED, { 0x0A, 0 } },
	{ "VALIDUNTIL", 10, 0, { 0x0B, 0 } },
	{ "AUTHTYPE", 8, TOKEN_ENUMERATED, { 0x0C, 0 } },
	{ "AUTHNAME", 8, 0, { 0x0D, 0 } },
	{ "AUTHSECRET", 10, 0, { 0x0E, 0 } },
	{ "LINGER", 6, 0, { 0x0F, 0 } },
	{ "BEARER", 6, TOKEN_ENUMERATED, { 0x10, 0 } },
	{ "NAPID", 5, 0, { 0x11, 0 } },
	{ "COUNTRY", 7, 0, { 0x12, 0 } },
	{ "NETWORK", 7, 0, { 0x13, 0 } },
	{ "INTERNET", 8, 0, { 0x14, 0x14 } },
	{ "PROXY-ID", 8, 0, { 0x15, 0 } },
	{ "PROXY-PROVIDER-ID", 17, 0, { 0x16, 0 } },
	{ "DOMAIN", 6, 0, { 0x17, 0 } },
	{ "PROVURL", 7, 0, { 0x18, 0 } },
	{ "PXAUTH-TYPE", 11, TOKEN_ENUMERATED, { 0x19, 0 } },
	{ "PXAUTH-ID", 9, 0, { 0x1A, 0 } },
	{ "PXAUTH-PW", 9, 0, { 0x1B, 0 } },
	{ "STARTPAGE", 9, 0, { 0x1C, 0x1C } },
	{ "BASAUTH-ID", 10, 0, { 0x1D, 0 } },
	{ "BASAUTH-PW", 10, 0, { 0x1E, 0 } },
	{ "PUSHENABLED", 11, 0, { 0x1F, 0 } },
	{ "PXADDR", 6, 0, { 0x20, 0 } },
	{ "PXADDRTYPE", 10, TOKEN_ENUMERATED, { 0x21, 0 } },
	{ "TO-NAPID", 8, 0, { 0x22, 0x22 } },
	{ "PORTNBR", 7, 0, { 0x23, 0x23 } },
	{ "SERVICE", 7, TOKEN_ENUMERATED, { 0x24, 0x24 } },
	{ "LINKSPEED", 9, TOKEN_ENUMERATED, { 0x25, 0 } },
	{ "DNLINKSPEED", 11, TOKEN_ENUMERATED, { 0x26, 0 } },
	{ "LOCAL-ADDR", 10, 0, { 0x27, 0 } },
	{ "LOCAL-ADDRTYPE", 14, TOKEN_ENUMERATED, { 0x28, 0 } },
	{ "CONTEXT-ALLOW", 13, 0, { 0x29, 0 } },
	{ "TRUST", 5, 0, { 0x2A, 0 } },
	{ "MASTER", 6, 0, { 0x2B, 0 } },
	{ "SID", 3, 0, { 0x2C, 0 } },
	{ "SOC", 3, 0, { 0x2D, 0 } },
	{ "WSP-VERSION", 11, 0, { 0x2E, 0 } },
	{ "PHYSICAL-PROXY-ID", 17, 0, { 0x2F, 0 } },
	{ "CLIENT-ID", 9, 0, { 0x30, 0 } },
	{ "DELIVERY-ERR-SDU", 16, 0, { 0x31, 0 } },
	{ "DELIVERY-ORDER", 14, 0, { 0x32, 0 } },
	{ "TRAFFIC-CLASS", 13, 0, { 0x33, 0 } },
	{ "MAX-SDU-SIZE", 12, 0, { 0x34, 0 } },
	{ "MAX-BITRATE-UPLINK", 18, 0, { 0x35, 0 } },
	{ "MAX-BITRATE-DNLINK", 18, 0, { 0x36, 0 } },
	{ "RESIDUAL-BER", 12, 0, { 0x37, 0 } },
	{ "SDU-ERROR-RATIO", 15, 0, { 0x38, 0 } },
	{ "TRAFFIC-HANDL-PRIO", 18, 0, { 0x39, 0 } },
	{ "TRANSFER-DELAY", 14, 0, { 0x3A, 0 } },
	{ "GUARANTEED-BITRATE-UPLINK", 25, 0, { 0x3B, 0 } },
	{ "GUARANTEED-BITRATE-DNLINK", 25, 0, { 0x3C, 0 } },
	{ "PXADDR-FQDN", 11, 0, { 0x3D, 0 } },
	{ "PROXY-PW", 8, 0, { 0x3E, 0 } },
	{ "PPGAUTH-TYPE", 12, TOKEN_ENUMERATED, { 0x3F, 0 } },
	{ "PULLENABLED", 11, 0, { 0x47, 0 } },
	{ "DNS-ADDR", 8, 0, { 0x48, 0 } },
	{ "MAX-NUM-RETRY", 13, 0, { 0x49, 0 } },
	{ "FIRST-RETRY-TIMEOUT", 19, 0, { 0x4A, 0 } },
	{ "REREG-THRESHOLD", 15, 0, { 0x4B, 0 } },
	{ "T-BIT", 5, 0, { 0x4C, 0 } },
	{ "AUTH-ENTITY", 11, TOKEN_ENUMERATED, { 0x4E, 0 } },
	{ "SPI", 3, 0, { 0x4F, 0 } },
	{ "AACCEPT", 7, 0, { 0, 0x2E } },
	{ "AAUTHDATA", 9, 0, { 0, 0x2F } },
	{ "AAUTHLEVEL", 10, TOKEN_ENUMERATED, { 0, 0x30 } },
	{ "AAUTHNAME", 9, 0, { 0, 0x31 } },
	{ "AAUTHSECRET", 11, 0, { 0, 0x32 } },
	{ "AAUTHTYPE", 9, TOKEN_ENUMERATED | TOKEN_INLINE, { 0, 0x33 } },
	{ "ADDR", 4, 0, { 0, 0x34 } },
	{ "ADDRTYPE", 8, TOKEN_ENUMERATED, { 0, 0x35 } },
	{ "APPID", 5, 0, { 0, 0x36 } },
	{ "APROTOCOL", 9, 0, { 0, 0x37 } },
	{ "PROVIDER-ID", 11, 0, { 0, 0x38 } },
	{ "TO-PROXY", 8, 0, { 0, 0x39 } },
	{ "URI", 3, 0, { 0, 0x3A } },
	{ "RULE", 4, 0, { 0, 0x3B } },
	{ "APPREF", 6, 0, { 0, 0 } },
	{ "TO-APPREF", 9, 0, { 0, 0 } },
	{ "PRI-SSID", 8, 0, { 0, 0 } },
	{ "PRI-U-SSID", 10, 0, { 0, 0 } },
	{ "EAPTYPE", 7, 0, { 0, 0 } },
	{ "USERNAME", 8, 0, { 0, 0 } },
	{ "PASSWORD", 8, 0, { 0, 0 } },
	{ "REALM", 5, 0, { 0, 0 } },
	{ "USE-PSEUD", 9, 0, { 0, 0 } },
	{ "VER-SER-REALM", 13, 0, { 0, 0 } },
	{ "CLIENT-AUTH", 11, 0, { 0, 0 } },
	{ "SES-VAL-TIME", 12, 0, { 0, 0 } },
	{ "CIP-SUIT", 8, 0, { 0, 0 } },
	{ "PEAP-V0", 7, 0, { 0, 0 } },
	{ "PEAP-V1", 7, 0, { 0, 0 } },
	{ "PEAP-V2", 7, 0, { 0, 0 } },
	{ "ISS-NAME", 8, 0, { 0, 0 } },
	{ "SUB-NAME", 8, 0, { 0, 0 } },
	{ "CERT-TYPE", 9, 0, { 0, 0 } },
	{ "SER-NUM", 7, 0, { 0, 0 } },
	{ "SUB-KEY-ID", 10, 0, { 0, 0 } },
	{ "THUMBPRINT", 10, 0, { 0, 0 } },
	{ "WPA-PRES-KEY-ASC", 16, 0, { 0, 0 } },
	{ "WPA-PRES-KEY-HEX", 16, 0, { 0, 0 } },
	{ "WEPKEYIND", 9, 0, { 0, 0 } },
	{ "WEPAUTHMODE", 11, 0, { 0, 0 } },
	{ "LENGTH", 6, 0, { 0, 0 } },
	{ "INDEX", 5, 0, { 0, 0 } },
	{ "DATA", 4, 0, { 0, 0 } },
	{ "WLANHAND", 8, 0, { 0, 0 } },
	{ "EDIT-SET", 8, 0, { 0, 0 } },
	{ "VIEW-SET", 8, 0, { 0, 0 } },
	{ "FORW-SET", 8, 0, { 0, 0 } },
	{ "PRI-H-SSID", 10, 0, { 0, 0 } },
	{ "S-SSID", 6, 0, { 0, 0 } },
	{ "S-U-SSID", 8, 0, { 0, 0 } },
	{ "NETMODE", 7, 0, { 0, 0 } },
	{ "SECMODE", 7, 0, { 0, 0 } },
	{ "ENCAPS", 6, 0, { 0, 0 } },
};

static const uint8_t prov_name_slots[256] = {
	0, 0, 102, 117, 0, 0, 0, 0, 43, 51, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 18, 8, 98, 0, 0, 0, 48, 0, 0, 0, 20, 101, 0,
	46, 0, 113, 0, 0, 0, 0, 0, 37, 49, 55, 61, 0, 4, 0, 0,
	0, 0, 0, 0, 22, 0, 5, 0, 53, 0, 40, 0, 0, 91, 70, 0,
	15, 67, 16, 108, 0, 29, 76, 0, 0, 52, 62, 0, 0, 0, 118, 0,
	0, 0, 89, 0, 0, 2, 71, 110, 59, 0, 0, 33, 0, 0, 0, 94,
	0, 0, 23, 42, 111, 0, 0, 0, 0, 47, 34, 28, 0, 9, 77, 84,
	63, 100, 24, 0, 11, 83, 0, 0, 0, 58, 82, 0, 0, 7, 0, 0,
	0, 0, 60, 0, 90, 0, 0, 0, 0, 0, 19, 66, 26, 0, 86, 75,
	79, 31, 32, 97, 0, 1, 0, 115, 0, 0, 0, 0, 41, 0, 0, 6,
	3, 0, 0, 36, 0, 0, 0, 0, 0, 54, 57, 0, 0, 0, 0, 10,
	0, 0, 69, 74, 104, 106, 0, 0, 0, 0, 0, 0, 0, 0, 107, 0,
	0, 0, 0, 0, 45, 0, 21, 103, 0, 0, 95, 0, 96, 0, 0, 65,
	0, 35, 25, 112, 87, 99, 17, 92, 105, 0, 88, 30, 14, 72, 44, 116,
	0, 0, 56, 78, 0, 114, 81, 85, 0, 50, 0, 0, 93, 0, 0, 38,
	39, 0, 27, 12, 13, 64, 80, 0, 0, 68, 0, 0, 0, 0, 73, 109,
};

static const struct token_words prov_name = {
	prov_name_list, prov_name_slots, 255, 118, 25
};

static const struct token_word prov_version_list[] = {
	{ "1.0", 3, 0, { 0x46, 0 } },
};

static const uint8_t prov_version_slots[2] = {
	1, 0,
};

static const struct token_words prov_version = {
	prov_version_list, prov_version_slots, 1, 1, 3
};

static const struct token_word prov_type_list[] = {
	{ "PXLOGICAL", 9, 0, { 0x51, 0 } },
	{ "PXPHYSICAL", 10, 0, { 0x52, 0 } },
	{ "PORT", 4, 0, { 0x53, 0x53 } },
	{ "VALIDITY", 8, 0, { 0x54, 0 } },
	{ "NAPDEF", 6, 0, { 0x55, 0 } },
	{ "BOOTSTRAP", 9, 0, { 0x56, 0 } },
	{ "VENDORCONFIG", 12, 0, { 0x57, 0 } },
	{ "CLIENTIDENTITY", 14, 0, { 0x58, 0x58 } },
	{ "PXAUTHINFO", 10, 0, { 0x59, 0 } },
	{ "NAPAUTHINFO", 11, 0, { 0x5A, 0 } },
	{ "ACCESS", 6, 0, { 0x5B, 0 } },
	{ "APPLICATION", 11, 0, { 0, 0x55 } },
	{ "APPADDR", 7, 0, { 0, 0x56 } },
	{ "APPAUTH", 7, 0, { 0, 0x57 } },
	{ "RESOURCE", 8, 0, { 0, 0x59 } },
	{ "BEARERINFO", 10, 0, { 0, 0 } },
	{ "DNS-ADDRINFO", 12, 0, { 0, 0 } },
	{ "WLAN", 4, 0, { 0, 0 } },
	{ "SEC-SSID", 8, 0, { 0, 0 } },
	{ "EAP", 3, 0, { 0, 0 } },
	{ "CERT", 4, 0, { 0, 0 } },
	{ "WEPKEY", 6, 0, { 0, 0 } },
};

static const uint8_t prov_type_slots[64] = {
	0, 0, 0, 0, 0, 20, 4, 0, 0, 0, 12, 15, 1, 2, 0, 0,
	0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 16,
	0, 5, 21, 0, 0, 8, 11, 0, 0, 18, 14, 0, 0, 0, 3, 0,
	0, 0, 10, 0, 22, 19, 0, 0, 7, 13, 0, 0, 9, 0, 0, 0,
};

static const struct token_words prov_type = {
	prov_type_list, prov_type_slots, 63, 22, 14
};

static const struct token_attribute prov_attributes[] = {
	{ "name", 4, { 0x05, 0x05 }, &prov_name },
	{ "value", 5, { 0x06, 0x06 }, NULL },
	{ "version", 7, { 0x45, 0 }, &prov_version },
	{ "type", 4, { 0x50, 0x50 }, &prov_type },
};

static const char *const prov_tag_at[TOKEN_PAGES][0x40] = {
	[0] = {
		[0x05] = "wap-provisioningdoc",
		[0x06] = "characteristic",
		[0x07] = "parm",
	},
	[1] = {
		[0x06] = "characteristic",
		[0x07] = "parm",
	},
};

static const struct token_start prov_start_at[TOKEN_PAGES][0x80] = {
	[0] = {
		[0x05] = { "name", NULL },
		[0x06] = { "value", NULL },
		[0x07] = { "name", "NAME" },
		[0x08] = { "name", "NAP-ADDRESS" },
		[0x09] = { "name", "NAP-ADDRTYPE" },
		[0x0A] = { "name", "CALLTYPE" },
		[0x0B] = { "name", "VALIDUNTIL" },
		[0x0C] = { "name", "AUTHTYPE" },
		[0x0D] = { "name", "AUTHNAME" },
		[0x0E] = { "name", "AUTHSECRET" },
		[0x0F] = { "name", "LINGER" },
		[0x10] = { "name", "BEARER" },
		[0x11] = { "name", "NAPID" },
		[0x12] = { "name", "COUNTRY" },
		[0x13] = { "name", "NETWORK" },
		[0x14] = { "name", "INTERNET" },
		[0x15] = { "name", "PROXY-ID" },
		[0x16] = { "name", "PROXY-PROVIDER-ID" },
		[0x17] = { "name", "DOMAIN" },
		[0x18] = { "name", "PROVURL" },
		[0x19] = { "name", "PXAUTH-TYPE" },
		[0x1A] = { "name", "PXAUTH-ID" },
		[0x1B] = { "name", "PXAUTH-PW" },
		[0x1C] = { "name", "STARTPAGE" },
		[0x1D] = { "name", "BASAUTH-ID" },
		[0x1E] = { "name", "BASAUTH-PW" },
		[0x1F] = { "name", "PUSHENABLED" },
		[0x20] = { "name", "PXADDR" },
		[0x21] = { "name", "PXADDRTYPE" },
		[0x22] = { "name", "TO-NAPID" },
		[0x23] = { "name", "PORTNBR" },
		[0x24] = { "name", "SERVICE" },
		[0x25] = { "name", "LINKSPEED" },
		[0x26] = { "name", "DNLINKSPEED" },
		[0x27] = { "name", "LOCAL-ADDR" },
		[0x28] = { "name", "LOCAL-ADDRTYPE" },
		[0x29] = { "name", "CONTEXT-ALLOW" },
		[0x2A] = { "name", "TRUST" },
		[0x2B] = { "name", "MASTER" },
		[0x2C] = { "name", "SID" },
		[0x2D] = { "name", "SOC" },
		[0x2E] = { "name", "WSP-VERSION" },
		[0x2F] = { "name", "PHYSICAL-PROXY-ID" },
		[0x30] = { "name", "CLIENT-ID" },
		[0x31] = { "name", "DELIVERY-ERR-SDU" },
		[0x32] = { "name", "DELIVERY-ORDER" },
		[0x33] = { "name", "TRAFFIC-CLASS" },
		[0x34] = { "name", "MAX-SDU-SIZE" },
		[0x35] = { "name", "MAX-BITRATE-UPLINK" },
		[0x36] = { "name", "MAX-BITRATE-DNLINK" },
		[0x37] = { "name", "RESIDUAL-BER" },
		[0x38] = { "name", "SDU-ERROR-RATIO" },
		[0x39] = { "name", "TRAFFIC-HANDL-PRIO" },
		[0x3A] = { "name", "TRANSFER-DELAY" },
		[0x3B] = { "name", "GUARANTEED-BITRATE-UPLINK" },
		[0x3C] = { "name", "GUARANTEED-BITRATE-DNLINK" },
		[0x3D] = { "name", "PXADDR-FQDN" },
		[0x3E] = { "name", "PROXY-PW" },
		[0x3F] = { "name", "PPGAUTH-TYPE" },
		[0x45] = { "version", NULL },
		[0x46] = { "version", "1.0" },
		[0x47] = { "name", "PULLENABLED" },
		[0x48] = { "name", "DNS-ADDR" },
		[0x49] = { "name", "MAX-NUM-RETRY" },
		[0x4A] = { "name", "FIRST-RETRY-TIMEOUT" },
		[0x4B] = { "name", "REREG-THRESHOLD" },
		[0x4C] = { "name", "T-BIT" },
		[0x4E] = { "name", "AUTH-ENTITY" },
		[0x4F] = { "name", "SPI" },
		[0x50] = { "type", NULL },
		[0x51] = { "type", "PXLOGICAL" },
		[0x52] = { "type", "PXPHYSICAL" },
		[0x53] = { "type", "PORT" },
		[0x54] = { "type", "VALIDITY" },
		[0x55] = { "type", "NAPDEF" },
		[0x56] = { "type", "BOOTSTRAP" },
		[0x57] = { "type", "VENDORCONFIG" },
		[0x58] = { "type", "CLIENTIDENTITY" },
		[0x59] = { "type", "PXAUTHINFO" },
		[0x5A] = { "type", "NAPAUTHINFO" },
		[0x5B] = { "type", "ACCESS" },
		[0x5C] = { "type", "BEARERINFO" },	/* decode-only */
		[0x5D] = { "type", "DNS-ADDRINFO" },	/* decode-only */
	},
	[1] = {
		[0x05] = { "name", NULL },
		[0x06] = { "value", NULL },
		[0x07] = { "name", "NAME" },
		[0x14] = { "name", "INTERNET" },
		[0x1C] = { "name", "STARTPAGE" },
		[0x22] = { "name", "TO-NAPID" },
		[0x23] = { "name", "PORTNBR" },
		[0x24] = { "name", "SERVICE" },
		[0x2E] = { "name", "AACCEPT" },
		[0x2F] = { "name", "AAUTHDATA" },
		[0x30] = { "name", "AAUTHLEVEL" },
		[0x31] = { "name", "AAUTHNAME" },
		[0x32] = { "name", "AAUTHSECRET" },
		[0x33] = { "name", "AAUTHTYPE" },
		[0x34] = { "name", "ADDR" },
		[0x35] = { "name", "ADDRTYPE" },
		[0x36] = { "name", "APPID" },
		[0x37] = { "name", "APROTOCOL" },
		[0x38] = { "name", "PROVIDER-ID" },
		[0x39] = { "name", "TO-PROXY" },
		[0x3A] = { "name", "URI" },
		[0x3B] = { "name", "RULE" },
		[0x3C] = { "name", "APPREF" },	/* decode-only */
		[0x3D] = { "name", "TO-APPREF" },	/* decode-only */
		[0x3E] = { "name", "PRI-SSID" },	/* decode-only */
		[0x3F] = { "name", "PRI-U-SSID" },	/* decode-only */
		[0x45] = { "name", "EAPTYPE" },	/* decode-only */
		[0x46] = { "name", "USERNAME" },	/* decode-only */
		[0x47] = { "name", "PASSWORD" },	/* decode-only */
		[0x48] = { "name", "REALM" },	/* decode-only */
		[0x49] = { "name", "USE-PSEUD" },	/* decode-only */
		[0x4C] = { "name", "VER-SER-REALM" },	/* decode-only */
		[0x4D] = { "name", "CLIENT-AUTH" },	/* decode-only */
		[0x4E] = { "name", "SES-VAL-TIME" },	/* decode-only */
		[0x4F] = { "name", "CIP-SUIT" },	/* decode-only */
		[0x50] = { "type", NULL },
		[0x53] = { "type", "PORT" },
		[0x55] = { "type", "APPLICATION" },
		[0x56] = { "type", "APPADDR" },
		[0x57] = { "type", "APPAUTH" },
		[0x58] = { "type", "CLIENTIDENTITY" },
		[0x59] = { "type", "RESOURCE" },
		[0x5A] = { "type", "WLAN" },	/* decode-only */
		[0x5B] = { "type", "SEC-SSID" },	/* decode-only */
		[0x5C] = { "type", "EAP" },	/* decode-only */
		[0x5D] = { "type", "CERT" },	/* decode-only */
		[0x5E] = { "type", "WEPKEY" },	/* decode-only */
		[0x60] = { "name", "PEAP-V0" },	/* decode-only */
		[0x61] = { "name", "PEAP-V1" },	/* decode-only */
		[0x62] = { "name", "PEAP-V2" },	/* decode-only */
		[0x63] = { "name", "ISS-NAME" },	/* decode-only */
		[0x64] = { "name", "SUB-NAME" },	/* decode-only */
		[0x65] = { "name", "CERT-TYPE" },	/* decode-only */
		[0x66] = { "name", "SER-NUM" },	/* decode-only */
		[0x67] = { "name", "SUB-KEY-ID" },	/* decode-only */
		[0x68] = { "name", "THUMBPRINT" },	/* decode-only */
		[0x69] = { "name", "WPA-PRES-KEY-ASC" },	/* decode-only */
		[0x6A] = { "name", "WPA-PRES-KEY-HEX" },	/* decode-only */
		[0x6B] = { "name", "WEPKEYIND" },	/* decode-only */
		[0x6C] = { "name", "WEPAUTHMODE" },	/* decode-only */
		[0x6D] = { "name", "LENGTH" },	/* decode-only */
		[0x6E] = { "name", "INDEX" },	/* decode-only */
		[0x6F] = { "name", "DATA" },	/* decode-only */
		[0x70] = { "name", "WLANHAND" },	/* decode-only */
		[0x71] = { "name", "EDIT-SET" },	/* decode-only */
		[0x72] = { "name", "VIEW-SET" },	/* decode-only */
		[0x73] = { "name", "FORW-SET" },	/* decode-only */
	},
};

static const char *const prov_value_at[TOKEN_PAGES][0x80] = {
	[0] = {
		[0x05] = "IPV4",
		[0x06] = "IPV6",
		[0x07] = "E164",
		[0x08] = "ALPHA",
		[0x09] = "APN",
		[0x0A] = "SCODE",
		[0x0B] = "TETRA-ITSI",
		[0x0C] = "MAN",
		[0x10] = "ANALOG-MODEM",
		[0x11] = "V.120",
		[0x12] = "V.110",
		[0x13] = "X.31",
		[0x14] = "BIT-TRANSPARENT",
		[0x15] = "DIRECT-ASYNCHRONOUS-DATA-SERVICE",
		[0x1A] = "PAP",
		[0x1B] = "CHAP",
		[0x1C] = "HTTP-BASIC",
		[0x1D] = "HTTP-DIGEST",
		[0x1E] = "WTLS-SS",
		[0x1F] = "MD5",
		[0x22] = "GSM-USSD",
		[0x23] = "GSM-SMS",
		[0x24] = "ANSI-136-GUTS",
		[0x25] = "IS-95-CDMA-SMS",
		[0x26] = "IS-95-CDMA-CSD",
		[0x27] = "IS-95-CDMA-PACKET",
		[0x28] = "ANSI-136-CSD",
		[0x29] = "ANSI-136-GPRS",
		[0x2A] = "GSM-CSD",
		[0x2B] = "GSM-GPRS",
		[0x2C] = "AMPS-CDPD",
		[0x2D] = "PDC-CSD",
		[0x2E] = "PDC-PACKET",
		[0x2F] = "IDEN-SMS",
		[0x30] = "IDEN-CSD",
		[0x31] = "IDEN-PACKET",
		[0x32] = "FLEX/REFLEX",
		[0x33] = "PHS-SMS",
		[0x34] = "PHS-CSD",
		[0x35] = "TETRA-SDS",
		[0x36] = "TETRA-PACKET",
		[0x37] = "ANSI-136-GHOST",
		[0x38] = "MOBITEX-MPAK",
		[0x39] = "CDMA2000-1X-SIMPLE-IP",
		[0x3A] = "CDMA2000-1X-MOBILE-IP",
		[0x3B] = "3G-GSM",	/* decode-only */
		[0x3C] = "WLAN",	/* decode-only */
		[0x45] = "AUTOBAUDING",
		[0x4A] = "CL-WSP",
		[0x4B] = "CO-WSP",
		[0x4C] = "CL-SEC-WSP",
		[0x4D] = "CO-SEC-WSP",
		[0x4E] = "CL-SEC-WTA",
		[0x4F] = "CO-SEC-WTA",
		[0x50] = "OTA-HTTP-TO",
		[0x51] = "OTA-HTTP-TLS-TO",
		[0x52] = "OTA-HTTP-PO",
		[0x53] = "OTA-HTTP-TLS-PO",
		[0x60] = "AAA",
		[0x61] = "HA",
	},
	[1] = {
		[0x06] = "IPV6",
		[0x07] = "E164",
		[0x08] = "ALPHA",
		[0x0D] = "APPSRV",
		[0x0E] = "OBEX",
		[0x10] = ",",
		[0x11] = "HTTP-",
		[0x12] = "BASIC",
		[0x13] = "DIGEST",
	},
};

static const struct media *const prov_media[] = { &media_provisioning, NULL };

static const struct token_table prov_table = {
	.media = prov_media,
	.version = 0x03, .public_id = 0x0B,
	.tags = &prov_tags,
	.attributes = prov_attributes,
	.attribute_count = sizeof prov_attributes / sizeof *prov_attributes,
	.values = &prov_values,
	.tag_at = prov_tag_at, .start_at = prov_start_at, .value_at = prov_value_at
};

/*
 * ota-tokens.tsv
 */

static const struct token_word ota_tags_list[] = {
	{ "CHARACTERISTIC-LIST", 19, 0, { 0x05, 0 } },
	{ "CHARACTERISTIC", 14, 0, { 0x06, 0 } },
	{ "PARM", 4, 0, { 0x07, 0 } },
};

static const uint8_t ota_tags_slots[8] = {
	1, 2, 0, 0, 0, 0, 0, 3,
};

static const struct token_words ota_tags = {
	ota_tags_list, ota_tags_slots, 7, 3, 19
};

static const struct token_word ota_type_list[] = {
	{ "ADDRESS", 7, 0, { 0x06, 0 } },
	{ "URL", 3, 0, { 0x07, 0 } },
	{ "NAME", 4, 0, { 0x08, 0 } },
	{ "MMSURL", 6, 0, { 0x7C, 0 } },
	{ "ID", 2, 0, { 0x7D, 0 } },
	{ "BOOKMARK", 8, 0, { 0x7F, 0 } },
};

static const uint8_t ota_type_slots[16] = {
	2, 5, 0, 0, 0, 3, 0, 1, 0, 0, 0, 4, 0, 0, 6, 0,
};

static const struct token_words ota_type = {
	ota_type_list, ota_type_slots, 15, 6, 8
};

static const struct token_word ota_name_list[] = {
	{ "BEARER", 6, TOKEN_ENUMERATED, { 0x12, 0 } },
	{ "PROXY", 5, 0, { 0x13, 0 } },
	{ "PORT", 4, 0, { 0x14, 0 } },
	{ "NAME", 4, 0, { 0x15, 0 } },
	{ "PROXY_TYPE", 10, TOKEN_ENUMERATED, { 0x16, 0 } },
	{ "URL", 3, 0, { 0x17, 0 } },
	{ "PROXY_AUTHNAME", 14, 0, { 0x18, 0 } },
	{ "PROXY_AUTHSECRET", 16, 0, { 0x19, 0 } },
	{ "SMS_SMSC_ADDRESS", 16, 0, { 0x1A, 0 } },
	{ "USSD_SERVICE_CODE", 17, 0, { 0x1B, 0 } },
	{ "GPRS_ACCESSPOINTNAME", 20, 0, { 0x1C, 0 } },
	{ "PPP_LOGINTYPE", 13, TOKEN_ENUMERATED, { 0x1D, 0 } },
	{ "PROXY_LOGINTYPE", 15, TOKEN_ENUMERATED, { 0x1E, 0 } },
	{ "CSD_DIALSTRING", 14, 0, { 0x21, 0 } },
	{ "PPP_AUTHTYPE", 12, TOKEN_ENUMERATED, { 0x22, 0 } },
	{ "PPP_AUTHNAME", 12, 0, { 0x23, 0 } },
	{ "PPP_AUTHSECRET", 14, 0, { 0x24, 0 } },
	{ "CSD_CALLTYPE", 12, TOKEN_ENUMERATED, { 0x28, 0 } },
	{ "CSD_CALLSPEED", 13, 0, { 0x29, 0 } },
	{ "ISP_NAME", 8, 0, { 0x7E, 0 } },
};

static const uint8_t ota_name_slots[64] = {
	6, 19, 0, 0, 0, 0, 0, 14, 0, 0, 0, 17, 0, 12, 0, 0,
	0, 0, 13, 0, 0, 4, 0, 0, 0, 0, 0, 10, 16, 0, 9, 2,
	0, 0, 0, 0, 20, 8, 11, 0, 0, 0, 0, 0, 0, 0, 3, 1,
	0, 18, 0, 0, 0, 15, 7, 0, 5, 0, 0, 0, 0, 0, 0, 0,
};

static const struct token_words ota_name = {
	ota_name_list, ota_name_slots, 63, 20, 20
};

static const struct token_word ota_value_list[] = {
	{ "GSM/CSD", 7, 0, { 0x45, 0 } },
	{ "GSM/SMS", 7, 0, { 0x46, 0 } },
	{ "GSM/USSD", 8, 0, { 0x47, 0 } },
	{ "IS-136/CSD", 10, 0, { 0x48, 0 } },
	{ "GPRS", 4, 0, { 0x49, 0 } },
	{ "9200", 4, 0, { 0x60, 0 } },
	{ "9201", 4, 0, { 0x61, 0 } },
	{ "9202", 4, 0, { 0x62, 0 } },
	{ "9203", 4, 0, { 0x63, 0 } },
	{ "AUTOMATIC", 9, 0, { 0x64, 0 } },
	{ "MANUAL", 6, 0, { 0x65, 0 } },
	{ "AUTO", 4, 0, { 0x6A, 0 } },
	{ "9600", 4, 0, { 0x6B, 0 } },
	{ "14400", 5, 0, { 0x6C, 0 } },
	{ "19200", 5, 0, { 0x6D, 0 } },
	{ "28800", 5, 0, { 0x6E, 0 } },
	{ "38400", 5, 0, { 0x6F, 0 } },
	{ "PAP", 3, 0, { 0x70, 0 } },
	{ "CHAP", 4, 0, { 0x71, 0 } },
	{ "ANALOGUE", 8, 0, { 0x72, 0 } },
	{ "ISDN", 4, 0, { 0x73, 0 } },
	{ "43200", 5, 0, { 0x74, 0 } },
	{ "57600", 5, 0, { 0x75, 0 } },
	{ "MSISDN_NO", 9, 0, { 0x76, 0 } },
	{ "IPV4", 4, 0, { 0x77, 0 } },
	{ "MS_CHAP", 7, 0, { 0x78, 0 } },
};

static const uint8_t ota_value_slots[64] = {
	0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 26, 0, 5, 22,
	0, 3, 10, 0, 0, 0, 0, 9, 13, 21, 0, 0, 17, 16, 0, 20,
	19, 0, 18, 0, 8, 0, 0, 25, 0, 12, 0, 0, 0, 7, 0, 0,
	15, 0, 14, 4, 0, 0, 0, 2, 23, 0, 6, 0, 0, 0, 0, 24,
};

static const struct token_words ota_value = {
	ota_value_list, ota_value_slots, 63, 26, 10
};

static const struct token_attribute ota_attributes[] = {
	{ "TYPE", 4, { 0, 0 }, &ota_type },
	{ "NAME", 4, { 0x10, 0 }, &ota_name },
	{ "VALUE", 5, { 0x11, 0 }, &ota_value },
};

static const char *const ota_tag_at[TOKEN_PAGES][0x40] = {
	[0] = {
		[0x05] = "CHARACTERISTIC-LIST",
		[0x06] = "CHARACTERISTIC",
		[0x07] = "PARM",
	},
};

static const struct token_start ota_start_at[TOKEN_PAGES][0x80] = {
	[0] = {
		[0x06] = { "TYPE", "ADDRESS" },
		[0x07] = { "TYPE", "URL" },
		[0x08] = { "TYPE", "NAME" },
		[0x10] = { "NAME", NULL },
		[0x11] = { "VALUE", NULL },
		[0x12] = { "NAME", "BEARER" },
		[0x13] = { "NAME", "PROXY" },
		[0x14] = { "NAME", "PORT" },
		[0x15] = { "NAME", "NAME" },
		[0x16] = { "NAME", "PROXY_TYPE" },
		[0x17] = { "NAME", "URL" },
		[0x18] = { "NAME", "PROXY_AUTHNAME" },
		[0x19] = { "NAME", "PROXY_AUTHSECRET" },
		[0x1A] = { "NAME", "SMS_SMSC_ADDRESS" },
		[0x1B] = { "NAME", "USSD_SERVICE_CODE" },
		[0x1C] = { "NAME", "GPRS_ACCESSPOINTNAME" },
		[0x1D] = { "NAME", "PPP_LOGINTYPE" },
		[0x1E] = { "NAME", "PROXY_LOGINTYPE" },
		[0x21] = { "NAME", "CSD_DIALSTRING" },
		[0x22] = { "NAME", "PPP_AUTHTYPE" },
		[0x23] = { "NAME", "PPP_AUTHNAME" },
		[0x24] = { "NAME", "PPP_AUTHSECRET" },
		[0x28] = { "NAME", "CSD_CALLTYPE" },
		[0x29] = { "NAME", "CSD_CALLSPEED" },
		[0x45] = { "VALUE", "GSM/CSD" },
		[0x46] = { "VALUE", "GSM/SMS" },
		[0x47] = { "VALUE", "GSM/USSD" },
		[0x48] = { "VALUE", "IS-136/CSD" },
		[0x49] = { "VALUE", "GPRS" },
		[0x60] = { "VALUE", "9200" },
		[0x61] = { "VALUE", "9201" },
		[0x62] = { "VALUE", "9202" },
		[0x63] = { "VALUE", "9203" },
		[0x64] = { "VALUE", "AUTOMATIC" },
		[0x65] = { "VALUE", "MANUAL" },
		[0x6A] = { "VALUE", "AUTO" },
		[0x6B] = { "VALUE", "9600" },
		[0x6C] = { "VALUE", "14400" },
		[0x6D] = { "VALUE", "19200" },
		[0x6E] = { "VALUE", "28800" },
		[0x6F] = { "VALUE", "38400" },
		[0x70] = { "VALUE", "PAP" },
		[0x71] = { "VALUE", "CHAP" },
		[0x72] = { "VALUE", "ANALOGUE" },
		[0x73] = { "VALUE", "ISDN" },
		[0x74] = { "VALUE", "43200" },
		[0x75] = { "VALUE", "57600" },
		[0x76] = { "VALUE", "MSISDN_NO" },
		[0x77] = { "VALUE", "IPV4" },
		[0x78] = { "VALUE", "MS_CHAP" },
		[0x7C] = { "TYPE", "MMSURL" },
		[0x7D] = { "TYPE", "ID" },
		[0x7E] = { "NAME", "ISP_NAME" },
		[0x7F] = { "TYPE", "BOOKMARK" },
	},
};

static const char *const ota_value_at[TOKEN_PAGES][0x80] = {
	{ NULL }
};

static const struct media *const ota_media[] = { &media_browser_settings, &media_browser_bookmarks, NULL };

static const struct token_table ota_table = {
	.media = ota_media,
	.version = 0x01, .public_id = 0x01,
	.tags = &ota_tags,
	.attributes = ota_attributes,
	.attribute_count = sizeof ota_attributes / sizeof *ota_attributes,
	.tag_at = ota_tag_at, .start_at = ota_start_at, .value_at = ota_value_at
};

/*
 * sync-tokens.tsv
 */

static const struct token_word sync_tags_list[] = {
	{ "Addr", 4, 0, { 0x05, 0 } },
	{ "AddrType", 8, 0, { 0x06, 0 } },
	{ "Auth", 4, 0, { 0x07, 0 } },
	{ "AuthLevel", 9, 0, { 0x08, 0 } },
	{ "AuthScheme", 10, 0, { 0x09, 0 } },
	{ "Bearer", 6, 0, { 0x0A, 0 } },
	{ "ConRef", 6, 0, { 0x0B, 0 } },
	{ "ConType", 7, 0, { 0x0C, 0 } },
	{ "Cred", 4, 0, { 0x0D, 0 } },
	{ "CTType", 6, 0, { 0x0E, 0 } },
	{ "CTVer", 5, 0, { 0x0F, 0 } },
	{ "HostAddr", 8, 0, { 0x10, 0 } },
	{ "Name", 4, 0, { 0x11, 0 } },
	{ "Port", 4, 0, { 0x12, 0 } },
	{ "RefID", 5, 0, { 0x13, 0 } },
	{ "RemoteDB", 8, 0, { 0x14, 0 } },
	{ "SyncSettings", 12, 0, { 0x15, 0 } },
	{ "URI", 3, 0, { 0x16, 0 } },
	{ "Username", 8, 0, { 0x17, 0 } },
	{ "Version", 7, 0, { 0x18, 0 } },
};

static const uint8_t sync_tags_slots[64] = {
	0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 17, 7, 0, 0, 5, 11, 13, 0, 0, 0, 0, 1, 0, 0, 0,
	0, 0, 0, 18, 0, 12, 16, 19, 10, 0, 0, 0, 0, 0, 14, 6,
	3, 0, 9, 0, 20, 0, 0, 0, 0, 0, 15, 0, 0, 0, 2, 4,
};

static const struct token_words sync_tags = {
	sync_tags_list, sync_tags_slots, 63, 20, 12
};

static const char *const sync_tag_at[TOKEN_PAGES][0x40] = {
	[0] = {
		[0x05] = "Addr",
		[0x06] = "AddrType",
		[0x07] = "Auth",
		[0x08] = "AuthLevel",
		[0x09] = "AuthScheme",
		[0x0A] = "Bearer",
		[0x0B] = "ConRef",
		[0x0C] = "ConType",
		[0x0D] = "Cred",
		[0x0E] = "CTType",
		[0x0F] = "CTVer",
		[0x10] = "HostAddr",
		[0x11] = "Name",
		[0x12] = "Port",
		[0x13] = "RefID",
		[0x14] = "RemoteDB",
		[0x15] = "SyncSettings",
		[0x16] = "URI",
		[0x17] = "Username",
		[0x18] = "Version",
	},
};

static const struct token_start sync_start_at[TOKEN_PAGES][0x80] = {
	{ { NULL, NULL } }
};

static const char *const sync_value_at[TOKEN_PAGES][0x80] = {
	{ NULL }
};

static const struct media *const sync_media[] = { &media_syncsettings, NULL };

static const struct token_table sync_table = {
	.media = sync_media,
	.version = 0x01, .public_id = 0x01,
	.tags = &sync_tags,
	.tag_at = sync_tag_at, .start_at = sync_start_at, .value_at = sync_value_at
};

const struct token_table *const token_tables[] = { &prov_table, &ota_table, &sync_table, NULL };
