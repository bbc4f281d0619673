/*
 * document_lint_test.c - what lint says of documents, row by row of its codes
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/finding.h"
#include "document/document.h"
#include "document/lint.h"

#define P(name, value)	"<parm name=\"" name "\" value=\"" value "\"/>"
#define F(name)		"<parm name=\"" name "\"/>"
#define C(type, ...)	"<characteristic type=\"" type "\">" __VA_ARGS__ "</characteristic>"
#define DOC(...)	"<wap-provisioningdoc version=\"1.1\">\n" __VA_ARGS__ "</wap-provisioningdoc>"
#define NAP(id, ...)	C("NAPDEF", P("NAPID", id) P("NAME", "n") P("NAP-ADDRESS", "a") __VA_ARGS__)
#define APN		P("BEARER", "GSM-GPRS") P("NAP-ADDRTYPE", "APN")
#define PX(...)		C("PXLOGICAL", P("PROXY-ID", "px") P("NAME", "n") __VA_ARGS__)
#define PHYSICAL(...)	C("PXPHYSICAL", P("PHYSICAL-PROXY-ID", "ph") __VA_ARGS__)
#define AUTH(level, type, name, secret, ...) C("APPAUTH", P("AAUTHLEVEL", level) \
	P("AAUTHTYPE", type) P("AAUTHNAME", name) P("AAUTHSECRET", secret) __VA_ARGS__)
#define SRV		AUTH("APPSRV", "DIGEST", "c", "cs", P("AAUTHDATA", "Tm9uY2U="))
#define CLI		AUTH("CLIENT", "DIGEST", "s", "ss", P("AAUTHDATA", "bm9uY2U="))
#define ADDR(url)	C("APPADDR", P("ADDR", url))
#define W7(...)		C("APPLICATION", P("APPID", "w7") __VA_ARGS__)
#define GOODW7(...)	W7(P("PROVIDER-ID", "d") ADDR("https://dm.example/") SRV CLI __VA_ARGS__)
#define FOUR(x)		C("v", C("v", C("v", C("v", x))))
#define POLICY(...)	C("SecurityPolicy", __VA_ARGS__)

static const struct {
	const char	*name, *xml;
	const char	*code;		/* NULL: nothing worse than a note may be said */
	enum severity	 severity;
	const char	*cure;		/* words of the text */
} rows[] = {
	/* structure */
	{ "a good access point", DOC(NAP("N", APN)), NULL, 0, NULL },
	{ "a good account", DOC(GOODW7("")), NULL, 0, NULL },
	{ "unknown element", DOC("<foo/>"), "L003", SEVERITY_WARNING, "<characteristic> or <parm>" },
	{ "parm at the top", DOC(F("X")), "L003", SEVERITY_ERROR, "into a <characteristic>" },
	{ "element in a parm", DOC(C("ACCESS", "<parm name=\"RULE\" value=\"r\"><parm/></parm>")), "L003",
	  SEVERITY_ERROR, "close the parm" },
	{ "characteristic without type", DOC("<characteristic/>"), "L004", SEVERITY_ERROR, "type=" },
	{ "parm without name", DOC(NAP("N", "<parm value=\"x\"/>")), "L004", SEVERITY_WARNING, "name=" },
	{ "type in lower case", DOC(C("access", "")), "L005", SEVERITY_WARNING, "write ACCESS" },
	{ "name in lower case", DOC(NAP("N", P("linger", "1"))), "L005", SEVERITY_WARNING,
	  "write LINGER" },
	{ "value in lower case", DOC(NAP("N", P("BEARER", "gsm-sms"))), "L005", SEVERITY_WARNING,
	  "write GSM-SMS" },
	{ "unknown type", DOC(C("NAPDEFF", "")), "L006", SEVERITY_WARNING, "did you mean NAPDEF" },
	{ "unknown name", DOC(NAP("N", P("NAP-ADRESS", "1"))), "L006", SEVERITY_WARNING,
	  "did you mean NAP-ADDRESS" },
	{ "name of another application", DOC(C("APPLICATION", P("APPID", "w2") F("INIT"))), "L006",
	  SEVERITY_WARNING, "APPID w7 only" },
	{ "unknown attribute", DOC(C("ACCESS", "<parm name=\"RULE\" value=\"r\" valeu=\"x\"/>")), "L006",
	  SEVERITY_WARNING, "valeu" },
	{ "unregistered application", DOC(C("APPLICATION", P("APPID", "w8"))), "L006", SEVERITY_WARNING,
	  "not registered" },
	{ "PORT at the top", DOC(C("PORT", P("PORTNBR", "1"))), "L010", SEVERITY_ERROR,
	  "move it into PXLOGICAL or PXPHYSICAL" },
	{ "NAPDEF in an APPLICATION", DOC(C("APPLICATION", P("APPID", "w2") NAP("N", ""))), "L010",
	  SEVERITY_ERROR, "directly into <wap-provisioningdoc>" },
	{ "required parm", DOC(C("NAPDEF", P("NAPID", "N") P("NAME", "n"))), "L011", SEVERITY_ERROR,
	  "add <parm name=\"NAP-ADDRESS\" value=\"internet\"/>" },
	{ "proxy without address", DOC(PX("")), "L011", SEVERITY_ERROR, "PXPHYSICAL" },
	{ "proxy without a name, which some want", DOC(C("PXLOGICAL", P("PROXY-ID", "p") PHYSICAL(
	  P("PXADDR", "1.2.3.4") P("TO-NAPID", "INTERNET")))), "L011", SEVERITY_WARNING, "NAME" },
	{ "empty document", DOC(""), "L011", SEVERITY_WARNING, "empty" },
	{ "a single parm twice", DOC(NAP("N", P("NAPID", "M"))), "L012", SEVERITY_ERROR, "keep one" },
	{ "an optional parm twice", DOC(NAP("N", P("LINGER", "1") P("LINGER", "2"))), "L012",
	  SEVERITY_WARNING, "LINGER" },
	{ "ADDR and APPADDR", DOC(C("APPLICATION", P("APPID", "w4") P("ADDR", "x") ADDR("y"))), "L012",
	  SEVERITY_WARNING, "keep APPADDR" },
	{ "value on a flag", DOC(NAP("N", P("INTERNET", "1"))), "L013", SEVERITY_WARNING,
	  "<parm name=\"INTERNET\"/>" },
	{ "no value", DOC(NAP("N", F("LINGER"))), "L013", SEVERITY_WARNING, "no value" },
	{ "empty value", DOC(NAP("N", P("LINGER", ""))), "L013", SEVERITY_WARNING, "empty" },
	/* values */
	{ "bearer that is none", DOC(NAP("N", P("BEARER", "GSM-GPRSS"))), "L020", SEVERITY_ERROR,
	  "write GSM-GPRS" },
	{ "service of a proxy", DOC(PX(PHYSICAL(P("PXADDR", "1.2.3.4") P("TO-NAPID", "INTERNET")
	  C("PORT", P("PORTNBR", "80") P("SERVICE", "WEB"))))), "L020", SEVERITY_WARNING, "SERVICE" },
	{ "service of an application is its own", DOC(C("APPLICATION", P("APPID", "25") C("APPADDR",
	  P("ADDR", "x") C("PORT", P("PORTNBR", "25") P("SERVICE", "STARTTLS"))))), NULL, 0, NULL },
	{ "number that is none", DOC(NAP("N", P("LINGER", "soon"))), "L021", SEVERITY_ERROR, "number" },
	{ "port 0", DOC(PX(C("PORT", P("PORTNBR", "0")))), "L021", SEVERITY_ERROR, "1 to 65535" },
	{ "port 65536", DOC(PX(C("PORT", P("PORTNBR", "65536")))), "L021", SEVERITY_ERROR, "1 to 65535" },
	{ "switch with a 2", DOC(PX(P("PUSHENABLED", "2"))), "L021", SEVERITY_ERROR, "0 to 1" },
	{ "address that is none", DOC(PX(PHYSICAL(P("PXADDR", "10.0.0.256") P("TO-NAPID",
	  "INTERNET")))), "L021", SEVERITY_ERROR, "IPv4" },
	{ "address padded with zeros is fine", DOC(PX(PHYSICAL(P("PXADDR", "010.000.000.001")
	  P("TO-NAPID", "INTERNET"))) C("APPLICATION", P("APPID", "w2") P("TO-PROXY", "px"))), NULL, 0,
	  NULL },
	{ "address of another type is not looked at", DOC(PX(PHYSICAL(P("PXADDR", "1234")
	  P("PXADDRTYPE", "E164") P("TO-NAPID", "INTERNET"))) C("APPLICATION", P("APPID", "w2")
	  P("TO-PROXY", "px"))), NULL, 0, NULL },
	{ "address of the other family", DOC(PX(PHYSICAL(P("PXADDR", "10.0.0.1") P("PXADDRTYPE", "IPV6")
	  P("TO-NAPID", "INTERNET")))), "L021", SEVERITY_ERROR, "no IPv6 address" },
	{ "address of IPv6", DOC(PX(PHYSICAL(P("PXADDR", "2001:db8::1") P("PXADDRTYPE", "IPV6")
	  P("TO-NAPID", "INTERNET"))) C("APPLICATION", P("APPID", "w2") P("TO-PROXY", "px"))), NULL, 0,
	  NULL },
	{ "each proxy has a type of its own", DOC(PX(C("PXPHYSICAL", P("PHYSICAL-PROXY-ID", "a")
	  P("PXADDR", "::1") P("PXADDRTYPE", "IPV6") P("TO-NAPID", "INTERNET")) C("PXPHYSICAL",
	  P("PHYSICAL-PROXY-ID", "b") P("PXADDR", "::1") P("TO-NAPID", "INTERNET")))), "L021",
	  SEVERITY_ERROR, "no IPv4 address" },
	{ "own address of IPv4", DOC(NAP("N", P("LOCAL-ADDR", "::1") P("LOCAL-ADDRTYPE", "IPV4"))), "L021",
	  SEVERITY_ERROR, "LOCAL-ADDR" },
	{ "own address of IPv6", DOC(NAP("N", P("LOCAL-ADDR", "1.2.3.4") P("LOCAL-ADDRTYPE", "IPV6"))),
	  "L021", SEVERITY_ERROR, "LOCAL-ADDR" },
	{ "application's address of IPv4", DOC(C("APPLICATION", P("APPID", "w2") C("APPADDR",
	  P("ADDR", "mail.example") P("ADDRTYPE", "IPV4")))), "L021", SEVERITY_ERROR,
	  "the ADDRTYPE that fits" },
	{ "application's address of IPv6", DOC(C("APPLICATION", P("APPID", "w2") C("APPADDR",
	  P("ADDR", "1.2.3.4") P("ADDRTYPE", "IPV6")))), "L021", SEVERITY_ERROR, "no IPv6 address" },
	{ "application's address without a type is anything", DOC(C("APPLICATION", P("APPID", "w2")
	  C("APPADDR", P("ADDR", "any thing")))), NULL, 0, NULL },
	{ "address type of an access point on Windows", DOC(NAP("N", P("NAP-ADDRTYPE", "IPV4"))
	  POLICY("<noparm name=\"2\"/>")), "L020", SEVERITY_WARNING, "write APN" },
	{ "own address type on Windows", DOC(NAP("N", P("LOCAL-ADDRTYPE", "IPV6"))
	  POLICY("<noparm name=\"2\"/>")), "L020", SEVERITY_WARNING, "write IPV4" },
	{ "messages without an address", DOC(C("APPLICATION", P("APPID", "w4"))), "L011",
	  SEVERITY_WARNING, "add <parm name=\"ADDR\"" },
	{ "messages to a host", DOC(C("APPLICATION", P("APPID", "w4") P("ADDR", "mms.example"))), "L021",
	  SEVERITY_WARNING, "http://mms.example" },
	{ "messages to a host, the long form", DOC(C("APPLICATION", P("APPID", "w4")
	  ADDR("mms.example"))), "L021", SEVERITY_WARNING, "http://mms.example" },
	{ "messages to a URL", DOC(C("APPLICATION", P("APPID", "w4") P("ADDR", "http://mms.example"))),
	  NULL, 0, NULL },
	{ "name server", DOC(NAP("N", P("DNS-ADDR", "ns"))), "L021", SEVERITY_ERROR, "IP address" },
	{ "security index", DOC(NAP("N", C("NAPAUTHINFO", P("AUTHTYPE", "MD5") P("SPI", "xyz")))), "L021",
	  SEVERITY_ERROR, "hex" },
	{ "speed by name", DOC(NAP("N", P("LINKSPEED", "AUTOBAUDING"))), NULL, 0, NULL },
	{ "GPRS without the type of its address", DOC(NAP("N", P("BEARER", "GSM-GPRS"))), "L022",
	  SEVERITY_ERROR, "value=\"APN\"" },
	{ "network code 1", DOC(NAP("N", C("VALIDITY", P("NETWORK", "1")))), "L023", SEVERITY_WARNING,
	  "write 01" },
	{ "country code 1", DOC(NAP("N", C("VALIDITY", P("COUNTRY", "1")))), "L023", SEVERITY_WARNING,
	  "write 001" },
	{ "country by letters", DOC(NAP("N", C("VALIDITY", P("COUNTRY", "FI")))), NULL, 0, NULL },
	/* references */
	{ "reference to nothing", DOC(NAP("N1", "") C("APPLICATION", P("APPID", "w2")
	  P("TO-NAPID", "N2"))), "L030", SEVERITY_ERROR, "defined are N1, or write INTERNET" },
	{ "reference forward", DOC(C("APPLICATION", P("APPID", "w2") P("TO-NAPID", "N1")) NAP("N1", "")),
	  NULL, 0, NULL },
	{ "proxy that is not there", DOC(C("APPLICATION", P("APPID", "w2") P("TO-PROXY", "q"))), "L030",
	  SEVERITY_ERROR, "PXLOGICAL with that PROXY-ID" },
	{ "INTERNET needs no definition", DOC(C("APPLICATION", P("APPID", "w2") P("TO-NAPID",
	  "INTERNET"))), NULL, 0, NULL },
	{ "defined twice", DOC(NAP("N", "") "\n" NAP("N", "")), "L031", SEVERITY_ERROR,
	  "line 2 already" },
	{ "a proxy defined twice", DOC(PX("") PX("")), "L031", SEVERITY_ERROR, "PROXY-ID" },
	{ "a physical proxy defined twice", DOC(PX(PHYSICAL("") PHYSICAL(""))), "L031", SEVERITY_ERROR,
	  "PHYSICAL-PROXY-ID" },
	{ "ids of two kinds are not one", DOC(PX(C("PXPHYSICAL", P("PHYSICAL-PROXY-ID", "px")
	  P("PXADDR", "1.2.3.4") P("TO-NAPID", "INTERNET"))) C("APPLICATION", P("APPID", "w2")
	  P("TO-PROXY", "px"))), NULL, 0, NULL },
	{ "INTERNET is no proxy", DOC(C("APPLICATION", P("APPID", "w2") P("TO-PROXY", "INTERNET"))),
	  "L030", SEVERITY_ERROR, "PROXY-ID" },
	{ "a proxy for nobody", DOC(PX(PHYSICAL(P("PXADDR", "1.2.3.4") P("TO-NAPID", "INTERNET")))
	  C("APPLICATION", P("APPID", "w2"))), "L032", SEVERITY_WARNING, "TO-PROXY" },
	{ "a second identity", DOC(C("CLIENTIDENTITY", P("CLIENT-ID", "a")) C("CLIENTIDENTITY",
	  P("CLIENT-ID", "b"))), "L012", SEVERITY_WARNING, "second CLIENTIDENTITY" },
	{ "defined for nobody", DOC(NAP("N", "") C("APPLICATION", P("APPID", "w2"))), "L032",
	  SEVERITY_WARNING, "TO-NAPID" },
	{ "access points alone are used by the device", DOC(NAP("N", "") NAP("M", "")), NULL, 0, NULL },
	/* version */
	{ "new name in an old document", "<wap-provisioningdoc version=\"1.0\">" C("APPLICATION",
	  P("APPID", "w2")) "</wap-provisioningdoc>", "L040", SEVERITY_WARNING, "version=\"1.1\"" },
	{ "new name in an unmarked document", "<wap-provisioningdoc>" C("ACCESS", "")
	  "</wap-provisioningdoc>", "L040", SEVERITY_WARNING, "version=\"1.1\"" },
	{ "old names in an unmarked document", "<wap-provisioningdoc>" NAP("N", APN)
	  "</wap-provisioningdoc>", NULL, 0, NULL },
	{ "version 2", "<wap-provisioningdoc version=\"2.0\">" NAP("N", APN) "</wap-provisioningdoc>",
	  "L040", SEVERITY_WARNING, "not known" },
	/* device management */
	{ "w7 without what the client shows", DOC(W7(P("PROVIDER-ID", "d") ADDR("https://x/") CLI)),
	  "L050", SEVERITY_ERROR, "APPSRV" },
	{ "w7 without what the server shows", DOC(W7(P("PROVIDER-ID", "d") ADDR("https://x/") SRV)),
	  "L050", SEVERITY_ERROR, "CLIENT" },
	{ "w7 CLIENT with BASIC", DOC(W7(P("PROVIDER-ID", "d") ADDR("https://x/") SRV AUTH("CLIENT",
	  "BASIC", "s", "ss"))), "L051", SEVERITY_ERROR, "DIGEST" },
	{ "nonce that is not base64", DOC(W7(P("PROVIDER-ID", "d") ADDR("https://x/") CLI AUTH("APPSRV",
	  "DIGEST", "c", "cs", P("AAUTHDATA", "no nce")))), "L052", SEVERITY_ERROR, "base64" },
	{ "w7 without a server", DOC(W7(ADDR("https://x/") SRV CLI)), "L053", SEVERITY_ERROR,
	  "PROVIDER-ID" },
	{ "w7 without an address", DOC(W7(P("PROVIDER-ID", "d") SRV CLI)), "L053", SEVERITY_ERROR,
	  "APPADDR" },
	{ "w7 with an empty address, as in the sample", DOC(W7(P("PROVIDER-ID", "d") P("ADDR", "") SRV
	  CLI)), "L053", SEVERITY_ERROR, "URL" },
	{ "w7 over http", DOC(W7(P("PROVIDER-ID", "d") ADDR("http://x/") SRV CLI)), "L054",
	  SEVERITY_WARNING, "https" },
	{ "w7 with a host", DOC(W7(P("PROVIDER-ID", "d") ADDR("dm.example") SRV CLI)), "L021",
	  SEVERITY_ERROR, "https://dm.example" },
	{ "w7 APPSRV with HTTP-BASIC", DOC(W7(P("PROVIDER-ID", "d") ADDR("https://x/") CLI AUTH("APPSRV",
	  "HTTP-BASIC", "c", "cs"))), "L054", SEVERITY_WARNING, "BASIC or DIGEST" },
	{ "one secret for both", DOC(W7(P("PROVIDER-ID", "d") ADDR("https://x/") AUTH("APPSRV", "BASIC",
	  "c", "same") AUTH("CLIENT", "DIGEST", "s", "same", P("AAUTHDATA", "bm9uY2U=")))), "L054",
	  SEVERITY_WARNING, "same AAUTHSECRET" },
	{ "a secret that is the name", DOC(W7(P("PROVIDER-ID", "d") ADDR("https://x/") CLI AUTH("APPSRV",
	  "BASIC", "joe", "joe"))), "L054", SEVERITY_WARNING, "equals" },
	{ "w7 CLIENT without a nonce", DOC(W7(P("PROVIDER-ID", "d") ADDR("https://x/") SRV AUTH("CLIENT",
	  "DIGEST", "s", "ss"))), "L011", SEVERITY_ERROR, "AAUTHDATA" },
	{ "w7 APPSRV without a secret", DOC(W7(P("PROVIDER-ID", "d") ADDR("https://x/") CLI C("APPAUTH",
	  P("AAUTHLEVEL", "APPSRV") P("AAUTHTYPE", "BASIC")))), "L011", SEVERITY_ERROR,
	  "APPSRV has no AAUTHSECRET" },
	{ "w7 CLIENT without a secret", DOC(W7(P("PROVIDER-ID", "d") ADDR("https://x/") SRV C("APPAUTH",
	  P("AAUTHLEVEL", "CLIENT") P("AAUTHTYPE", "DIGEST") P("AAUTHDATA", "bm9uY2U=")))), "L011",
	  SEVERITY_ERROR, "CLIENT has no AAUTHSECRET" },
	{ "w7 CLIENT without a type", DOC(W7(P("PROVIDER-ID", "d") ADDR("https://x/") SRV C("APPAUTH",
	  P("AAUTHLEVEL", "CLIENT") P("AAUTHSECRET", "x") P("AAUTHDATA", "bm9uY2U=")))), "L051",
	  SEVERITY_ERROR, "DIGEST" },
	{ "w7 level in small letters is none", DOC(W7(P("PROVIDER-ID", "d") ADDR("https://x/") CLI
	  AUTH("appsrv", "DIGEST", "c", "cs"))), "L050", SEVERITY_ERROR, "APPSRV" },
	{ "w7 without a level", DOC(W7(P("PROVIDER-ID", "d") ADDR("https://x/") CLI C("APPAUTH",
	  P("AAUTHSECRET", "x")))), "L050", SEVERITY_ERROR, "APPSRV" },
	{ "w7 nonce of the server", DOC(W7(P("PROVIDER-ID", "d") ADDR("https://x/") SRV AUTH("CLIENT",
	  "DIGEST", "s", "ss", P("AAUTHDATA", "bm9uY2U")))), "L052", SEVERITY_ERROR, "base64" },
	{ "w7 with two of the same credentials", DOC(GOODW7(SRV)), "L012", SEVERITY_WARNING,
	  "AAUTHLEVEL APPSRV" },
	{ "w7 with two addresses", DOC(GOODW7(ADDR("https://y/"))), "L012", SEVERITY_WARNING,
	  "second APPADDR" },
	{ "w5 without a server", DOC(C("APPLICATION", P("APPID", "w5"))), "L011", SEVERITY_WARNING,
	  "PROVIDER-ID" },
	{ "a second w2", DOC(C("APPLICATION", P("APPID", "w2")) C("APPLICATION", P("APPID", "w2"))), "L071",
	  SEVERITY_WARNING, "keep only the first" },
	{ "a second w4", DOC(C("APPLICATION", P("APPID", "w4")) C("APPLICATION", P("APPID", "w4"))), "L071",
	  SEVERITY_WARNING, "keep only the first" },
	{ "two for mail are fine", DOC(C("APPLICATION", P("APPID", "25")) C("APPLICATION",
	  P("APPID", "25"))), NULL, 0, NULL },
	{ "back-off in either spelling", DOC(GOODW7(P("MAXBACKOFFTIME", "1"))), "L054",
	  SEVERITY_WARNING, "two ways" },
	{ "a second w7", DOC(GOODW7("") GOODW7("")), "L071", SEVERITY_WARNING, "keep only the first" },
	{ "nested deeper than need be", DOC(FOUR(FOUR(FOUR(FOUR(P("NAME", "x")))))), "L072",
	  SEVERITY_WARNING, "18 deep" },
	{ "ROLE with a bit that is no role", DOC(GOODW7(P("ROLE", "9"))), "L060", SEVERITY_ERROR,
	  "write 8 (0x8, MANAGER)" },
	{ "ROLE asks for more than the message has", DOC(GOODW7(P("ROLE", "24"))), "L065",
	  SEVERITY_WARNING, "4119" },
	{ "ROLE is told in hex and by name", DOC(GOODW7(P("ROLE", "16"))), "L064", SEVERITY_NOTE,
	  "16 (0x10): USER_AUTH" },
	/* Windows Mobile */
	{ "policy that is none", DOC(POLICY(P("4191", "1"))), "L060", SEVERITY_ERROR, "such as" },
	{ "policy by its hex number", DOC(POLICY(P("0x102d", "1"))), "L060", SEVERITY_ERROR, "decimal" },
	{ "mask in hex", DOC(POLICY(P("4111", "0x180"))), "L060", SEVERITY_ERROR, "decimal" },
	{ "mask with a bit that is no role", DOC(POLICY(P("4111", "385"))), "L060", SEVERITY_ERROR,
	  "write 384 (0x180, OPERATOR_TPS + KNOWN_PPG)" },
	{ "switch with a 3", DOC(POLICY(P("4097", "3"))), "L060", SEVERITY_ERROR, "0 to 2" },
	{ "password policy is upside down", DOC(POLICY(P("4131", "0"))), "L064", SEVERITY_WARNING,
	  "required" },
	{ "policy reset by noparm is known too", DOC(POLICY("<noparm name=\"4097\"/>")), NULL, 0, NULL },
	{ "finer policies beyond 4111", DOC(POLICY(P("4111", "384") P("4141", "3200"))), "L061",
	  SEVERITY_WARNING, "value=\"3456\"/> (0xd80)" },
	{ "finer policies beyond the default of 4111", DOC(POLICY(P("4142", "3200"))), "L061",
	  SEVERITY_WARNING, "value=\"3456\"" },
	{ "finer policies within", DOC(POLICY(P("4111", "384") P("4141", "256"))), NULL, 0, NULL },
	{ "4119 alone is for RAPI", DOC(POLICY(P("4119", "128"))), "L063", SEVERITY_WARNING, "4141" },
	{ "both sets of the sample", DOC(POLICY(P("4119", "128")) POLICY(P("4119", "128") P("4141",
	  "384"))), "L012", SEVERITY_WARNING, "4119 is set at line 2" },
	{ "a query in a push", DOC(C("Registry", "<parm-query name=\"x\"/>") "<characteristic-query "
	  "type=\"Registry\"/>"), "L066", SEVERITY_WARNING, "remove it" },
	{ "registry path", DOC(C("Registry", C("HKXX\\A", ""))), "L067", SEVERITY_ERROR, "HKLM" },
	{ "registry path with a tail", DOC(C("Registry", C("HKLM\\A\\", ""))), "L067", SEVERITY_ERROR,
	  "backslash" },
	{ "connection without braces", DOC(C("CM_GPRSEntries", C("n", P("DestId", "436EF144-B4FB-4863-"
	  "A041-8F905A62C572")))), "L067", SEVERITY_ERROR, "braces" },
	{ "access point that is not valid", DOC(C("CM_GPRSEntries", C("n", C("DevSpecificCellular",
	  P("GPRSInfoAccessPointName", "x"))))), "L067", SEVERITY_WARNING, "GPRSInfoValid" },
	{ "wipe", DOC(C("RemoteWipe", P("doWipe", "1"))), "L068", SEVERITY_WARNING, "erases" },
	{ "wipe that does nothing", DOC(C("RemoteWipe", P("DoWipe", "1"))), "L067", SEVERITY_ERROR,
	  "doWipe" },
	{ "Wi-Fi off", DOC(C("NetworkPolicy", C("WiFi", C("Settings", P("Disabled", "1"))))), NULL, 0,
	  NULL },
	{ "certificate that is not base64", DOC(C("CertificateStore", C("ROOT", C("00", P(
	  "EncodedCertificate", "!"))))), "L062", SEVERITY_ERROR, "base64" },
	{ "thumbprint of another certificate", DOC(C("CertificateStore", C("ROOT", C(
	  "0123456789ABCDEF0123456789ABCDEF01234567", P("EncodedCertificate", "AAAA"))))), "L062",
	  SEVERITY_ERROR, "write type=\"0303030303030303030303030303030303030303\"" },
	{ "thumbprint that fits, in small letters", DOC(C("CertificateStore", C("ROOT", C(
	  "0303030303030303030303030303030303030303", P("EncodedCertificate", "AAAA") P("Role",
	  "8"))))), NULL, 0, NULL },
	{ "long identifier on Windows", DOC(NAP("12345678901234567", "") POLICY("<noparm name=\"2\"/>")),
	  "L080", SEVERITY_WARNING, "NAPID" },
	/* devices */
	{ "vendor's own without a key", DOC(C("VENDORCONFIG", "")), "L011", SEVERITY_ERROR, "NAME" },
	{ "the standard's in a vendor's", DOC(C("VENDORCONFIG", P("NAME", "v") NAP("N", ""))), "L010",
	  SEVERITY_ERROR, "NAPDEF" },
	{ "text between tags", DOC(C("ACCESS", "text")), "L007", SEVERITY_WARNING, "not sent" },
	{ "the same provisioning once more", DOC(C("BOOTSTRAP", P("PROVURL", "http://x/"))), "L071",
	  SEVERITY_NOTE, "PROVURL" },
	{ "vendor's own", DOC(C("VENDORCONFIG", P("NAME", "v") P("X", "1"))), "L071", SEVERITY_WARNING,
	  "Firefox OS" },
	{ "long name", DOC(NAP("N", C("VALIDITY", "")) C("BOOTSTRAP", P("NAME",
	  "012345678901234567890123456789012"))), "L080", SEVERITY_WARNING, "cut" },
	{ "name outside of ASCII", DOC(C("BOOTSTRAP", P("NAME", "\xc3\xa4"))), "L080", SEVERITY_WARNING,
	  "ASCII" },
};

/* The number of octets, twenty times: enough to tell one input from another. */
static int
fake_sha1(const void *data, size_t len, uint8_t out[20])
{
	(void)data;
	memset(out, (int)len, 20);
	return 0;
}

static struct findings
lint(const char *name, const char *xml, enum lint_target target, unsigned octets)
{
	struct lint_options options = { .target = target, .octets = octets, .sha1 = fake_sha1 };
	struct findings found = { 0 };
	struct err err = { 0 };
	struct document *d = document_parse(NULL, text_of(xml), NULL, &found, &err);

	if (d == NULL)
		fail_msg("%s: %s", name, err.text);
	lint_document(d, &options, &found);
	document_free(&d);
	return found;
}

static const struct finding *
find(const struct findings *found, const char *code, enum severity severity, const char *cure)
{
	for (size_t i = 0; i < found->count; i++)
		if (strcmp(found->list[i].code, code) == 0 && found->list[i].severity == severity &&
		    strstr(found->list[i].text, cure) != NULL && found->list[i].line > 0)
			return &found->list[i];
	return NULL;
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct findings found = lint(rows[i].name, rows[i].xml, LINT_OTA, 0);

		if (rows[i].code == NULL ? found.errors + found.warnings > 0 :
		    find(&found, rows[i].code, rows[i].severity, rows[i].cure) == NULL) {
			findings_print(&found, rows[i].name, stderr);
			fail_msg("%s", rows[i].name);
		}
		findings_free(&found);
	}
}

static void
test_target_matters(void **state)
{
	static const struct {
		const char	*name, *xml;
		enum lint_target target;
		const char	*code;
		bool		 told;
	} targets[] = {
		{ "INIT in ROM", DOC(GOODW7(F("INIT"))), LINT_ROM, "L055", true },
		{ "INIT over the air", DOC(GOODW7(F("INIT"))), LINT_OTA, "L055", false },
		{ "4119 alone over RAPI", DOC(POLICY(P("4119", "128"))), LINT_RAPI, "L063", false },
		{ "the set for push over RAPI", DOC(POLICY(P("4119", "128") P("4141", "384"))), LINT_RAPI,
		  "L063", true },
		{ "a query over RAPI", DOC("<parm-query name=\"x\"/>"), LINT_RAPI, "L066", false },
		{ "ROLE in ROM", DOC(GOODW7(P("ROLE", "8"))), LINT_ROM, "L065", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		struct findings found = lint(targets[i].name, targets[i].xml, targets[i].target, 0);
		bool told = false;

		for (size_t k = 0; k < found.count; k++)
			told = told || strcmp(found.list[k].code, targets[i].code) == 0;
		if (told != targets[i].told)
			fail_msg("%s", targets[i].name);
		findings_free(&found);
	}
}

static void
test_segments(void **state)
{
	static const struct {
		unsigned	 octets;
		int		 severity;	/* -1: not told */
		const char	*text;
	} sizes[] = {
		{ 83, -1, "" }, { 4 * 128 - 50, -1, "" }, { 4 * 128 - 49, SEVERITY_NOTE, "5 segments" },
		{ 10 * 128 - 50, SEVERITY_NOTE, "10 segments" },
		{ 10 * 128 - 49, SEVERITY_WARNING, "11 segments" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct findings found = lint("size", DOC(NAP("N", APN)), LINT_OTA, sizes[i].octets);

		if (sizes[i].severity == -1)
			assert_int_equal(found.count, 0);
		else
			assert_non_null(find(&found, "L070", (enum severity)sizes[i].severity,
			    sizes[i].text));
		findings_free(&found);
	}
}

static void
test_secrets_are_not_told(void **state)
{
	struct findings found = lint("secrets", DOC(W7(P("PROVIDER-ID", "d") ADDR("https://x/")
	    AUTH("APPSRV", "BASIC", "hunter2", "hunter2") AUTH("CLIENT", "BASIC", "s", "hunter2"))),
	    LINT_OTA, 0);

	(void)state;
	assert_true(found.count >= 3);
	for (size_t i = 0; i < found.count; i++)
		assert_null(strstr(found.list[i].text, "hunter2"));
	findings_free(&found);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_target_matters),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_secrets_are_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
