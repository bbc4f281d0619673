/*
 * cmd_decode.c - kantele decode: what came over the air, back to XML
 *
 * Knows:     how to tell segments, a push and WBXML apart; options.
 * Does not:  know formats: those are in encode/ and push/.
 * Owns:      the job's buffers and secrets until it is done.
 * Threads:   the command's only thread.
 */
#include "main/commands.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/finding.h"
#include "document/document.h"
#include "document/media.h"
#include "encode/sign.h"
#include "encode/wbxml.h"
#include "main/input.h"
#include "push/reassemble.h"
#include "push/udh.h"
#include "push/wsp.h"

static const char usage[] =
    "usage: kantele decode [-p PIN] [-i IMSI] [-k HEX] [--type TYPE] FILE\n";

static const char help[] =
    "\n"
    "Decodes a WBXML document, a WSP push, or the SMS segments of one, in octets or in hex\n"
    "(segments one a line, in any order), and writes the document as XML to standard output;\n"
    "headers and whether the MAC holds go to standard error. FILE may be - for standard input.\n"
    "Exit status: 0 done, 1 it cannot be decoded or the MAC does not hold, 2 wrong usage.\n"
    "\n"
    "  -p, --pin PIN          or --pin-file FILE, or KANTELE_PIN in the environment; for\n"
    "                         USERPINMAC all that the user types, check digits too\n"
    "  -i, --imsi IMSI        or --imsi-file FILE, or KANTELE_IMSI\n"
    "  -k, --key-hex HEX      the raw key; or KANTELE_KEY_HEX\n"
    "      --type TYPE        oma-settings, settings, bookmarks, syncsettings, where the octets\n"
    "                         do not tell\n"
    "  -h, --help             this text\n";

enum { OPT_PIN_FILE = 256, OPT_IMSI_FILE, OPT_TYPE };
enum { FILE_MOST = 512 * 1024, KEY_MOST = 128 };

static const struct option options[] = {
	{ "pin",	required_argument,	NULL, 'p' },
	{ "pin-file",	required_argument,	NULL, OPT_PIN_FILE },
	{ "imsi",	required_argument,	NULL, 'i' },
	{ "imsi-file",	required_argument,	NULL, OPT_IMSI_FILE },
	{ "key-hex",	required_argument,	NULL, 'k' },
	{ "type",	required_argument,	NULL, OPT_TYPE },
	{ "help",	no_argument,		NULL, 'h' },
	{ 0 }
};

struct job {
	const char	*path;
	const struct media *media;
	struct input_secret pin, imsi, key;
	struct sign_secrets secrets;
	struct buf	 read, octets;		/* the file; without hex and segments */
	struct reassembly *reassembly;
	bool		 segments;
};

static bool
decode_is_hex(struct text t)
{
	size_t digits = 0;

	for (size_t i = 0; i < t.len; i++) {
		if (isxdigit((unsigned char)t.at[i]))
			digits++;
		else if (!isspace((unsigned char)t.at[i]))
			return false;
	}
	return digits >= 2;
}

static bool
decode_is_segment(struct text octets)
{
	struct udh udh;

	return udh_read(octets, &udh, NULL) == 0 && udh.ports;
}

/* One segment; joins what it completes. */
static int
decode_segment(struct job *j, struct text octets, struct err *err)
{
	struct whole whole;

	switch (reassembly_add(j->reassembly, TEXT("-"), octets, true, 0, &whole, err)) {
	case REASSEMBLY_WHOLE:
		if (j->octets.len > 0)
			return err_set(err, ERR_SYNTAX, "these are the segments of two messages");
		fprintf(stderr, "%u segment%s to port %u from port %u\n", whole.segments,
		    whole.segments == 1 ? "" : "s", whole.port_to, whole.port_from);
		buf_bytes(&j->octets, whole.data.at, whole.data.len);
		return 0;
	case REASSEMBLY_WAITS:
		return 0;
	default:
		return -1;
	}
}

static int
decode_segment_lines(struct job *j, struct text hex, struct err *err)
{
	struct text line, rest = hex;
	unsigned number = 1;
	int rc = 0;

	for (; rc == 0 && text_cut(&rest, '\n', &line); number++) {
		struct buf one = buf_heap(FILE_MOST);

		line = text_trim(line);
		if (line.len > 0 && text_unhex(line, &one, NULL) == -1)
			rc = err_at(err, ERR_SYNTAX, number, 1, "an odd number of hex digits");
		else if (one.len > 0)
			rc = decode_segment(j, (struct text){ (char *)one.data, one.len }, err);
		buf_free(&one);
	}
	return rc;
}

/* Hex that is no list of segments is one message, however its lines are broken. */
static int
decode_hex(struct job *j, struct text hex, struct err *err)
{
	struct text first, rest = hex;
	struct buf one = buf_heap(FILE_MOST);

	if (text_cut(&rest, '\n', &first) && text_unhex(text_trim(first), &one, NULL) == 0 &&
	    one.len > 0)
		j->segments = decode_is_segment((struct text){ (char *)one.data, one.len });
	buf_free(&one);
	if (j->segments)
		return decode_segment_lines(j, hex, err);
	return text_unhex(hex, &j->octets, err);
}

static int
decode_read(struct job *j, struct err *err)
{
	static const struct reassembly_limits limits = { 1, FILE_MOST, INT32_MAX };
	struct text in;

	if (input_read(j->path, FILE_MOST, &j->read, err) == -1)
		return -1;
	in = (struct text){ j->read.data != NULL ? (char *)j->read.data : "", j->read.len };
	j->octets = buf_heap(FILE_MOST);
	if ((j->reassembly = reassembly_new(&limits)) == NULL)
		return err_set(err, ERR_SYSTEM, "no memory");
	if (decode_is_hex(in)) {
		if (decode_hex(j, in, err) == -1)
			return -1;
	} else if (decode_is_segment(in)) {
		j->segments = true;
		if (decode_segment(j, in, err) == -1)
			return -1;
	} else {
		buf_bytes(&j->octets, in.at, in.len);
	}
	if (j->segments && j->octets.len == 0)
		return err_set(err, ERR_SYNTAX, "segments of the message are missing");
	return 0;
}

static int
decode_secrets(struct job *j, struct err *err)
{
	uint8_t room[KEY_MOST];
	struct buf key = buf_on(room, sizeof room);
	struct secret hex = { 0 };
	int rc = 0;

	if (input_secret(&j->pin, &j->secrets.pin, err) == -1 ||
	    input_secret(&j->imsi, &j->secrets.imsi, err) == -1 ||
	    input_secret(&j->key, &hex, err) == -1)
		return -1;
	if (secret_given(&hex) && (text_unhex(secret_octets(&hex), &key, NULL) == -1 ||
	    secret_set(&j->secrets.key, (struct text){ (char *)room, key.len }) == -1))
		rc = err_set(err, ERR_SYNTAX, "the key is not 1 to %d octets in hex", KEY_MOST);
	explicit_bzero(room, sizeof room);
	secret_free(&hex);
	return rc;
}

/* The verdict, as a handset would find it. 0: it holds, or nobody asked. */
static int
decode_verdict(const struct job *j, const struct wsp_push *p)
{
	bool secrets = secret_given(&j->secrets.pin) || secret_given(&j->secrets.imsi) ||
	    secret_given(&j->secrets.key);
	enum sign_method method = p->sec == WSP_NO_SEC ? SIGN_NONE : (enum sign_method)p->sec;
	struct err err = { 0 };
	int holds;

	if (!secrets) {
		fputs(method == SIGN_NONE ? "not signed\n" : "MAC not checked: give --pin, --imsi or "
		    "--key-hex\n", stderr);
		return 0;
	}
	if (method == SIGN_USERPINMAC && p->mac.at == NULL) {
		holds = sign_verify_code(secret_octets(&j->secrets.pin), p->body);
		fprintf(stderr, holds ? "the check digits hold\n" : "the check digits do not hold\n");
		return holds ? 0 : 1;
	}
	holds = sign_verify(method, &j->secrets, p->body, p->mac, &err);
	if (holds == -1)
		fprintf(stderr, "MAC cannot be checked: %s\n", err.text);
	else
		fprintf(stderr, "MAC %s\n", holds ? "holds" : "does not hold");
	return holds == 1 ? 0 : 1;
}

static void
decode_headers(const struct wsp_push *p, const struct media *m)
{
	fprintf(stderr, "push: transaction %02X, ", p->tid);
	if (m != NULL)
		fprintf(stderr, "content type %s", m->wire_type);
	else if (p->media != 0)
		fprintf(stderr, "content type %02X", p->media);
	else
		fprintf(stderr, "content type %.*s", TEXT_ARGS(p->media_name));
	if (p->sec != WSP_NO_SEC)
		fprintf(stderr, ", SEC %s", p->sec <= SIGN_USERPINMAC ?
		    sign_method_name((enum sign_method)p->sec) : "unknown");
	if (p->mac.at != NULL)
		fprintf(stderr, ", MAC %.*s", TEXT_ARGS(p->mac));
	fputs(p->headers.len > 0 ? ", headers " : "", stderr);
	for (size_t i = 0; i < p->headers.len; i++)
		fprintf(stderr, "%02x", (uint8_t)p->headers.at[i]);
	fputc('\n', stderr);
}

/* Takes the push off, when there is one: the second octet of a push is 06, that of a
 * document its public identifier. */
static int
decode_unwrap(struct job *j, struct text *body, int *verdict, struct err *err)
{
	struct wsp_push p;
	const struct media *m;

	if (body->len < 2 || body->at[1] != WSP_PUSH)
		return 0;
	if (wsp_push_read(*body, &p, err) == -1)
		return -1;
	m = p.media != 0 ? media_by_wire_code(p.media) : media_by_wire_type(p.media_name);
	decode_headers(&p, m);
	if (m == NULL && j->media == NULL)
		return err_set(err, ERR_SYNTAX, "content of this type cannot be decoded");
	if (j->media == NULL)
		j->media = m;
	if (j->media->must_sign || p.sec != WSP_NO_SEC)
		*verdict = decode_verdict(j, &p);
	*body = p.body;
	return 0;
}

static int
decode_document(const struct job *j, struct text body, struct err *err)
{
	struct findings odd = { 0 };
	struct document *d = wbxml_decode(j->media, body, &odd, err);
	struct buf xml = buf_heap(16 * WBXML_OCTETS);

	for (size_t i = 0; i < odd.count; i++)
		fprintf(stderr, "%s: octet %u: warning: %s\n", j->path, odd.list[i].column - 1,
		    odd.list[i].text);
	if (d != NULL) {
		document_write_xml(d, &xml);
		fwrite(xml.data, 1, xml.len, stdout);
	}
	buf_free(&xml);
	findings_free(&odd);
	if (d == NULL)
		return -1;
	document_free(&d);
	return 0;
}

static int
decode_run(struct job *j, struct err *err)
{
	struct text body;
	int verdict = 0;

	if (decode_secrets(j, err) == -1 || decode_read(j, err) == -1)
		return 1;
	body = (struct text){ j->octets.data != NULL ? (char *)j->octets.data : "", j->octets.len };
	if (decode_unwrap(j, &body, &verdict, err) == -1 || decode_document(j, body, err) == -1)
		return 1;
	return verdict;
}

static int
decode_option(struct job *j, int c, char *arg)
{
	switch (c) {
	case 'p':
		j->pin.value = arg;
		return 0;
	case OPT_PIN_FILE:
		j->pin.file = arg;
		return 0;
	case 'i':
		j->imsi.value = arg;
		return 0;
	case OPT_IMSI_FILE:
		j->imsi.file = arg;
		return 0;
	case 'k':
		j->key.value = arg;
		return 0;
	case OPT_TYPE:
		if ((j->media = media_by_sendota_type(text_of(arg))) != NULL)
			return 0;
		fprintf(stderr, "kantele decode: type \"%s\" is not known\n", arg);
		return 2;
	default:
		fputs(usage, stderr);
		return 2;
	}
}

int
cmd_decode(int argc, char **argv)
{
	struct job job = { .pin.environment = "KANTELE_PIN", .imsi.environment = "KANTELE_IMSI",
	    .key.environment = "KANTELE_KEY_HEX" };
	struct err err = { 0 };
	int c, rc;

	optind = 1;
	while ((c = getopt_long(argc, argv, "p:i:k:h", options, NULL)) != -1) {
		if (c == 'h') {
			printf("%s%s", usage, help);
			return 0;
		}
		if ((rc = decode_option(&job, c, optarg)) != 0)
			return rc;
	}
	if (argc - optind != 1) {
		fputs(usage, stderr);
		return 2;
	}
	job.path = argv[optind];
	rc = decode_run(&job, &err);
	if (err.code != ERR_NONE)
		input_complain(job.path, &err);
	buf_free(&job.read);
	buf_free(&job.octets);
	reassembly_free(&job.reassembly);
	secret_free(&job.secrets.pin);
	secret_free(&job.secrets.imsi);
	secret_free(&job.secrets.key);
	return rc;
}
