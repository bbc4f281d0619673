/*
 * encode.c - how many documents a second of processor time encodes and signs
 *
 *	encode [SECONDS [FILE]]
 *
 * Three rows over the same document of about 1 kB: XML to a signed body, encoding and
 * signing of a parsed document, and XML to WBXML through libwbxml for comparison. Rounds
 * of the rows alternate, so that a slow moment of the machine strikes all of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libwbxml-1.0/wbxml/wbxml.h>

#include "base/buf.h"
#include "document/document.h"
#include "encode/sign.h"
#include "encode/wbxml.h"

enum { XML_MOST = 64 * 1024, ROUND_TICKS = 64 };

struct bench {
	struct text	 xml;
	struct document	*parsed;
	struct sign_secrets secrets;
	struct signature signature;
	size_t		 octets;
};

static double
cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
bench_sign(struct bench *b, const struct document *d)
{
	uint8_t room[8192];
	struct buf out = buf_on(room, sizeof room);
	struct err err = { 0 };

	if (wbxml_encode(d, NULL, &out, &err) == -1 || sign_body(SIGN_USERPIN, &b->secrets,
	    (struct text){ (char *)room, out.len }, &b->signature, &err) == -1) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	b->octets = out.len;
	return 0;
}

static int
bench_whole(struct bench *b)
{
	struct err err = { 0 };
	struct document *d = document_parse(NULL, b->xml, NULL, NULL, &err);
	int rc = d != NULL ? bench_sign(b, d) : -1;

	document_free(&d);
	return rc;
}

static int
bench_parsed(struct bench *b)
{
	return bench_sign(b, b->parsed);
}

static int
bench_libwbxml(struct bench *b)
{
	WBXMLConvXML2WBXML *conv = NULL;
	WB_UTINY *wbxml = NULL;
	WB_ULONG len = 0;
	int rc = -1;

	if (wbxml_conv_xml2wbxml_create(&conv) == WBXML_OK &&
	    wbxml_conv_xml2wbxml_run(conv, (WB_UTINY *)(uintptr_t)b->xml.at, (WB_ULONG)b->xml.len,
	    &wbxml, &len) == WBXML_OK)
		rc = 0;
	if (conv != NULL)
		wbxml_conv_xml2wbxml_destroy(conv);
	free(wbxml);
	return rc;
}

static const struct row {
	const char	*name;
	int		(*run)(struct bench *);
	double		 goal;
} rows[] = {
	{ "XML to signed body",			bench_whole,	30000 },
	{ "encode and sign, parsed before",	bench_parsed,	80000 },
	{ "XML to WBXML with libwbxml",		bench_libwbxml,	0 },
};

enum { ROWS = sizeof rows / sizeof *rows };

static struct text
bench_read(const char *path, char *room, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n = f != NULL ? fread(room, 1, size, f) : 0;

	if (f == NULL || n == 0) {
		perror(path);
		exit(2);
	}
	fclose(f);
	return (struct text){ room, n };
}

int
main(int argc, char **argv)
{
	static char xml[XML_MOST];
	double seconds = argc > 1 ? atof(argv[1]) : 2, spent[ROWS] = { 0 }, done[ROWS] = { 0 }, start;
	const char *source = getenv("KANTELE_SRC");
	char path[512];
	struct bench b = { 0 };

	snprintf(path, sizeof path, "%s/tests/bench/document.xml", source != NULL ? source : ".");
	b.xml = bench_read(argc > 2 ? argv[2] : path, xml, sizeof xml);
	if (secret_set(&b.secrets.pin, TEXT("1234")) == -1 ||
	    (b.parsed = document_parse(NULL, b.xml, NULL, NULL, NULL)) == NULL)
		return 2;
	while (spent[ROWS - 1] < seconds)
		for (size_t i = 0; i < ROWS; i++) {
			start = cpu_seconds();
			for (int k = 0; k < ROUND_TICKS; k++)
				if (rows[i].run(&b) == -1)
					return 1;
			spent[i] += cpu_seconds() - start;
			done[i] += ROUND_TICKS;
		}
	printf("%zu octets of XML, %zu octets of WBXML\n%-34s %12s %10s %10s\n", b.xml.len, b.octets,
	    "", "per CPU s", "libwbxml x", "goal");
	for (size_t i = 0; i < ROWS; i++)
		printf("%-34s %12.0f %10.1f %10.0f\n", rows[i].name, done[i] / spent[i],
		    done[i] / spent[i] / (done[ROWS - 1] / spent[ROWS - 1]), rows[i].goal);
	document_free(&b.parsed);
	secret_free(&b.secrets.pin);
	return done[0] / spent[0] < rows[0].goal || done[1] / spent[1] < rows[1].goal;
}
