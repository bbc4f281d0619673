/*
 * cmd_encode.c - kantele encode: a document or template to what goes over the air
 *
 * Octets go to stdout, whatever a person should know to stderr. Nothing leaves unsigned
 * by accident: a push without --sec and without a secret is wrong usage.
 *
 * Knows:     options, the order fill - parse - encode - sign - wrap - cut.
 * Does not:  know formats: those are in document/, encode/ and push/.
 * Owns:      the job's buffers and secrets until it is done.
 * Threads:   the command's only thread.
 */
#include "main/commands.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "document/document.h"
#include "document/media.h"
#include "document/template.h"
#include "encode/sign.h"
#include "encode/wbxml.h"
#include "main/input.h"
#include "push/message.h"
#include "push/segment.h"
#include "push/udh.h"
#include "push/wsp.h"

static const char usage[] =
    "usage: kantele encode [-m METHOD] [-p PIN] [-i IMSI] [-k HEX] [-o OUTPUT] [-x]\n"
    "                      [-s NAME=VALUE]... FILE\n";

static const char help[] =
    "\n"
    "Encodes a provisioning document, or a template whose ${NAME} fields are filled in, and\n"
    "writes it to standard output. FILE may be - for standard input.\n"
    "Exit status: 0 done, 1 it cannot be done, 2 wrong usage.\n"
    "\n"
    "  -o, --output wbxml     the document in WBXML (this is the default)\n"
    "               push      with the WSP push and its signature around it\n"
    "               segments  the user data of each SMS, one a line in hex\n"
    "               xml       the filled template\n"
    "  -x, --hex              hex digits in place of octets (so too on a terminal)\n"
    "  -s, --set NAME=VALUE   fills a field of the template; may be repeated\n"
    "      --raw              ${...} in the document is text, no field\n"
    "  -m, --sec METHOD       netwpin, userpin, usernetwpin, userpinmac, none\n"
    "                         (userpin when there is a PIN)\n"
    "  -p, --pin PIN          or --pin-file FILE, or KANTELE_PIN in the environment\n"
    "  -i, --imsi IMSI        or --imsi-file FILE, or KANTELE_IMSI\n"
    "  -k, --key-hex HEX      the raw key, in place of the one made from PIN and IMSI;\n"
    "                         or KANTELE_KEY_HEX\n"
    "      --type TYPE        oma-settings, settings, bookmarks, syncsettings (by its root)\n"
    "      --charset NAME     of the document, in place of what it declares\n"
    "      --pages stay|return  back to code page 0 for each value, for old clients (stay)\n"
    "      --reference N      of the concatenation, 0 to 255 (1)\n"
    "  -h, --help             this text\n";

enum { OPT_PIN_FILE = 256, OPT_IMSI_FILE, OPT_TYPE, OPT_CHARSET, OPT_PAGES, OPT_REFERENCE,
    OPT_RAW };
enum { VALUES_MOST = 100, KEY_MOST = 128, PUSH_MOST = 64 * 1024 };

static const struct option options[] = {
	{ "output",	required_argument,	NULL, 'o' },
	{ "hex",	no_argument,		NULL, 'x' },
	{ "set",	required_argument,	NULL, 's' },
	{ "raw",	no_argument,		NULL, OPT_RAW },
	{ "sec",	required_argument,	NULL, 'm' },
	{ "pin",	required_argument,	NULL, 'p' },
	{ "pin-file",	required_argument,	NULL, OPT_PIN_FILE },
	{ "imsi",	required_argument,	NULL, 'i' },
	{ "imsi-file",	required_argument,	NULL, OPT_IMSI_FILE },
	{ "key-hex",	required_argument,	NULL, 'k' },
	{ "type",	required_argument,	NULL, OPT_TYPE },
	{ "charset",	required_argument,	NULL, OPT_CHARSET },
	{ "pages",	required_argument,	NULL, OPT_PAGES },
	{ "reference",	required_argument,	NULL, OPT_REFERENCE },
	{ "help",	no_argument,		NULL, 'h' },
	{ 0 }
};

enum output { OUTPUT_WBXML, OUTPUT_PUSH, OUTPUT_SEGMENTS, OUTPUT_XML };

static const struct {
	const char	*name;
	enum output	 output;
} outputs[] = {
	{ "wbxml", OUTPUT_WBXML }, { "push", OUTPUT_PUSH }, { "segments", OUTPUT_SEGMENTS },
	{ "xml", OUTPUT_XML }
};

struct job {
	const char	*path, *charset, *method_name;
	const struct media *media;
	enum output	 output;
	bool		 hex, raw;
	struct wbxml_style style;
	long		 reference;
	struct template_value values[VALUES_MOST];
	size_t		 count;
	struct input_secret pin, imsi, key;
	enum sign_method method;
	struct sign_secrets secrets;
	struct buf	 read, xml, wbxml, push;	/* what each station made */
	struct signature signature;
	struct document	*document;
};

static int
encode_wrong(const char *what, const char *value)
{
	fprintf(stderr, "kantele encode: %s \"%s\"\n%s", what, value, usage);
	return 2;
}

static int
encode_set(struct job *j, const char *arg)
{
	const char *equals = strchr(arg, '=');

	if (equals == NULL || equals == arg || j->count == VALUES_MOST)
		return encode_wrong("write --set NAME=VALUE, not", arg);
	j->values[j->count++] = (struct template_value){
	    { arg, (size_t)(equals - arg) }, text_of(equals + 1) };
	return 0;
}

static int
encode_output(struct job *j, const char *name)
{
	for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
		if (strcmp(name, outputs[i].name) == 0) {
			j->output = outputs[i].output;
			return 0;
		}
	return encode_wrong("output is wbxml, push, segments or xml, not", name);
}

/* 0, or 2 for wrong usage. */
static int
encode_option(struct job *j, int c, char *arg)
{
	switch (c) {
	case 'o':
		return encode_output(j, arg);
	case 'x':
		j->hex = true;
		return 0;
	case 's':
		return encode_set(j, arg);
	case OPT_RAW:
		j->raw = true;
		return 0;
	case 'm':
		j->method_name = arg;
		return 0;
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
		j->media = media_by_sendota_type(text_of(arg));
		return j->media != NULL ? 0 : encode_wrong("not a known type:", arg);
	case OPT_CHARSET:
		j->charset = arg;
		return 0;
	case OPT_PAGES:
		if (strcmp(arg, "stay") != 0 && strcmp(arg, "return") != 0)
			return encode_wrong("pages are stay or return, not", arg);
		j->style.pages = arg[0] == 's' ? WBXML_STAY : WBXML_RETURN;
		return 0;
	case OPT_REFERENCE:
		if (text_number(text_of(arg), 0, 255, &j->reference) == -1)
			return encode_wrong("the reference is 0 to 255, not", arg);
		return 0;
	default:
		fputs(usage, stderr);
		return 2;
	}
}

static int
encode_secrets(struct job *j, struct err *err)
{
	uint8_t room[KEY_MOST];
	struct buf key = buf_on(room, sizeof room);
	struct secret hex = { 0 };
	int rc = 0;

	if (input_secret(&j->pin, &j->secrets.pin, err) == -1 ||
	    input_secret(&j->imsi, &j->secrets.imsi, err) == -1 ||
	    input_secret(&j->key, &hex, err) == -1)
		return -1;
	if (secret_given(&hex)) {
		if (text_unhex(secret_octets(&hex), &key, NULL) == -1 || key.overflow || key.len == 0)
			rc = err_set(err, ERR_SYNTAX, "the key is not 1 to %d octets in hex", KEY_MOST);
		else if (secret_set(&j->secrets.key, (struct text){ (char *)room, key.len }) == -1)
			rc = err_set(err, ERR_SYSTEM, "no memory");
		explicit_bzero(room, sizeof room);
	}
	secret_free(&hex);
	return rc;
}

/* The document itself: read, filled, parsed. */
static int
encode_read(struct job *j, struct err *err)
{
	struct text in;

	if (input_read(j->path, DOCUMENT_OCTETS + 1, &j->read, err) == -1)
		return -1;
	in = (struct text){ j->read.data != NULL ? (char *)j->read.data : "", j->read.len };
	j->xml = buf_heap(2 * DOCUMENT_OCTETS);
	if (j->raw)
		buf_bytes(&j->xml, in.at, in.len);
	else if (template_fill(in, j->values, j->count, &j->xml, err) == -1)
		return -1;
	j->document = document_parse(j->media, (struct text){ j->xml.data != NULL ?
	    (char *)j->xml.data : "", j->xml.len }, j->charset, NULL, err);
	return j->document != NULL ? 0 : -1;
}

/* Which method; a PIN alone means USERPIN, as at the door. 2: it is not told. */
static int
encode_method(struct job *j, struct err *err)
{
	j->method = SIGN_NONE;
	if (!document_media(j->document)->must_sign) {
		if (j->method_name != NULL)
			fputs("warning: documents of this type cannot be signed\n", stderr);
		return 0;
	}
	if (j->method_name != NULL)
		return sign_method_named(text_of(j->method_name), &j->method, err);
	if (secret_given(&j->secrets.pin))
		j->method = SIGN_USERPIN;
	else if (secret_given(&j->secrets.imsi) || secret_given(&j->secrets.key))
		j->method = SIGN_NETWPIN;
	else if (j->output == OUTPUT_PUSH || j->output == OUTPUT_SEGMENTS) {
		fputs("kantele encode: a push needs --sec and a secret, or --sec none to leave it "
		    "unsigned\n", stderr);
		return 2;
	}
	return 0;
}

static int
encode_sign(struct job *j, struct err *err)
{
	struct signature *s = &j->signature;

	if (wbxml_encode(j->document, &j->style, &j->wbxml, err) == -1 ||
	    sign_body(j->method, &j->secrets, (struct text){ (char *)j->wbxml.data, j->wbxml.len },
	    s, err) == -1)
		return -1;
	if (s->odd_pin)
		fputs("warning: the PIN has other than digits, which most handsets cannot type\n",
		    stderr);
	if (s->odd_imsi)
		fputs("warning: the IMSI has not 15 digits: some handsets compute another key\n", stderr);
	if (s->odd_country)
		fputs("warning: the IMSI begins with no mobile country code (001, 2xx to 7xx, 999)\n",
		    stderr);
	if (s->user_code[0] != '\0')
		fprintf(stderr, "the user types: %s\n", s->user_code);
	return 0;
}

static int
encode_wrap(struct job *j, struct err *err)
{
	const struct media *m = document_media(j->document);
	struct wsp_push push = {
		.tid = m->tid, .media = m->wire_code, .media_name = text_of(m->wire_type),
		.charset_utf8 = m->charset_parameter,
		.sec = j->method == SIGN_NONE ? WSP_NO_SEC : (uint8_t)j->method,
		.mac = j->signature.mac[0] != '\0' ? text_of(j->signature.mac) :
		    (struct text){ NULL, 0 },
		.body = { (char *)j->wbxml.data, j->wbxml.len },
	};

	j->push = buf_heap(PUSH_MOST + 1024);
	wsp_push_write(&push, &j->push);
	return j->push.overflow ? err_set(err, ERR_LIMIT, "the push is too long") : 0;
}

static void
encode_print(const struct job *j, const struct buf *b)
{
	if (!j->hex && !isatty(STDOUT_FILENO)) {
		fwrite(b->data, 1, b->len, stdout);
		return;
	}
	for (size_t i = 0; i < b->len; i++)
		printf("%02x", b->data[i]);
	putchar('\n');
}

static int
encode_cut(struct job *j, struct err *err)
{
	const struct media *m = document_media(j->document);
	uint8_t room[16];
	struct buf udh = buf_on(room, sizeof room);
	struct message from = { .kind = MESSAGE_PUSH, .coding = CODING_OCTETS,
	    .body = { (char *)j->push.data, j->push.len }, .concatenate = true,
	    .segments_most = SEGMENTS_MOST, .octets_most = SEGMENT_OCTETS };
	struct segment_rules rules = { .octets_most = SEGMENT_OCTETS, .alt_dcs = MESSAGE_UNSET };
	struct segment_plan *plan = segment_plan_new();
	struct message *message;
	int rc = -1;

	udh_put_ports(&udh, m->port_to, m->port_from);
	from.udh = (struct text){ (char *)room, udh.len };
	message = message_new(&from);
	if (plan == NULL || message == NULL) {
		err_set(err, ERR_SYSTEM, "no memory");
	} else if (segment_cut(plan, message, &rules, (uint16_t)j->reference, err) == 0) {
		for (size_t i = 0; i < segment_count(plan); i++) {
			const struct segment *s = segment_at(plan, i);

			for (size_t k = 0; k < s->udh.len; k++)
				printf("%02x", (uint8_t)s->udh.at[k]);
			for (size_t k = 0; k < s->data.len; k++)
				printf("%02x", (uint8_t)s->data.at[k]);
			putchar('\n');
		}
		rc = 0;
	}
	message_free(&message);
	segment_plan_free(&plan);
	return rc;
}

/* Every station after the options. */
static int
encode_run(struct job *j, struct err *err)
{
	int rc;

	if (encode_secrets(j, err) == -1 || encode_read(j, err) == -1)
		return 1;
	if (j->output == OUTPUT_XML) {
		fwrite(j->xml.data, 1, j->xml.len, stdout);
		return 0;
	}
	if ((rc = encode_method(j, err)) != 0)
		return rc == -1 ? 1 : rc;
	j->wbxml = buf_heap(WBXML_OCTETS);
	if (encode_sign(j, err) == -1)
		return 1;
	if (j->output == OUTPUT_WBXML) {
		if (j->signature.mac[0] != '\0')
			fprintf(stderr, "SEC=%s MAC=%s\n", sign_method_name(j->method), j->signature.mac);
		encode_print(j, &j->wbxml);
		return 0;
	}
	if (encode_wrap(j, err) == -1)
		return 1;
	if (j->output == OUTPUT_SEGMENTS)
		return encode_cut(j, err) == -1 ? 1 : 0;
	encode_print(j, &j->push);
	return 0;
}

static void
encode_done(struct job *j)
{
	document_free(&j->document);
	buf_free(&j->read);
	buf_free(&j->xml);
	buf_free(&j->wbxml);
	buf_free(&j->push);
	secret_free(&j->secrets.pin);
	secret_free(&j->secrets.imsi);
	secret_free(&j->secrets.key);
	explicit_bzero(&j->signature, sizeof j->signature);
}

int
cmd_encode(int argc, char **argv)
{
	struct job job = { .reference = 1, .pin.environment = "KANTELE_PIN",
	    .imsi.environment = "KANTELE_IMSI", .key.environment = "KANTELE_KEY_HEX" };
	struct err err = { 0 };
	int c, rc;

	optind = 1;
	while ((c = getopt_long(argc, argv, "o:xs:m:p:i:k:h", options, NULL)) != -1) {
		if (c == 'h') {
			printf("%s%s", usage, help);
			return 0;
		}
		if ((rc = encode_option(&job, c, optarg)) != 0)
			return rc;
	}
	if (argc - optind != 1) {
		fputs(usage, stderr);
		return 2;
	}
	job.path = argv[optind];
	rc = encode_run(&job, &err);
	if (err.code != ERR_NONE)
		input_complain(job.path, &err);
	encode_done(&job);
	return rc;
}
