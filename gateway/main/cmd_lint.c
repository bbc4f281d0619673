/*
 * cmd_lint.c - kantele lint: judges provisioning documents
 *
 * Knows:     options, the order parse - lint - encode (for the number of segments).
 * Does not:  know a single rule: those are in document/.
 * Owns:      nothing.
 * Threads:   the command's only thread.
 */
#include "main/commands.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/finding.h"
#include "document/document.h"
#include "document/lint.h"
#include "document/media.h"
#include "encode/sign.h"
#include "encode/wbxml.h"
#include "main/input.h"

static const char usage[] =
    "usage: kantele lint [-q] [-t ota|rom|rapi] [-w] [--type TYPE] [--charset NAME] FILE...\n";

static const char help[] =
    "\n"
    "Judges provisioning documents and tells how to mend them, one finding a line:\n"
    "    file:line:column: severity: text [code]\n"
    "FILE may be - for standard input. Exit status: 0 no errors, 1 errors, 2 wrong usage.\n"
    "\n"
    "  -t, --target ota|rom|rapi  how the document will reach the device (ota)\n"
    "  -w, --windows              the device is a Windows Mobile one (told by itself when the\n"
    "                             document uses its names)\n"
    "  -q, --quiet                errors and warnings only, no notes\n"
    "      --type TYPE            oma-settings, settings, bookmarks, syncsettings (by its root)\n"
    "      --charset NAME         of the document, in place of what it declares\n"
    "  -h, --help                 this text\n";

enum { OPT_TYPE = 256, OPT_CHARSET };

static const struct option options[] = {
	{ "target",	required_argument,	NULL, 't' },
	{ "windows",	no_argument,		NULL, 'w' },
	{ "quiet",	no_argument,		NULL, 'q' },
	{ "type",	required_argument,	NULL, OPT_TYPE },
	{ "charset",	required_argument,	NULL, OPT_CHARSET },
	{ "help",	no_argument,		NULL, 'h' },
	{ 0 }
};

struct lint_job {
	struct lint_options lint;
	const struct media *media;
	const char	*charset;
	bool		 quiet;
};

static const struct {
	const char	*name;
	enum lint_target target;
} targets[] = {
	{ "ota", LINT_OTA }, { "rom", LINT_ROM }, { "rapi", LINT_RAPI }
};

static int
lint_target_named(const char *name, enum lint_target *target)
{
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		if (strcmp(name, targets[i].name) == 0) {
			*target = targets[i].target;
			return 0;
		}
	fprintf(stderr, "kantele lint: target \"%s\" is not known: write ota, rom or rapi\n", name);
	return -1;
}

static void
lint_text(const struct lint_job *job, struct text xml, struct findings *found)
{
	struct err err = { 0 };
	struct document *d = document_parse(job->media, xml, job->charset, found, &err);
	struct lint_options lint = job->lint;
	struct buf wbxml = buf_heap(WBXML_OCTETS);

	if (d == NULL) {
		if (found->errors == 0)
			finding_add(found, SEVERITY_ERROR, "L001", NULL, err.line, err.column, "%s",
			    err.text);
		return;
	}
	if (wbxml_encode(d, NULL, &wbxml, &err) == -1)
		finding_add(found, SEVERITY_ERROR, "L001", NULL, err.line, err.column,
		    "cannot be encoded: %s", err.text);
	else
		lint.octets = (unsigned)wbxml.len;
	lint_document(d, &lint, found);
	buf_free(&wbxml);
	document_free(&d);
}

/* Notes out of the list, which stays as it is otherwise. */
static void
lint_print(const struct lint_job *job, const char *path, const struct findings *found)
{
	for (size_t i = 0; i < found->count; i++) {
		struct findings one = { .list = &found->list[i], .count = 1,
		    .left_out = i + 1 == found->count ? found->left_out : 0 };

		if (!job->quiet || found->list[i].severity != SEVERITY_NOTE)
			findings_print(&one, path, stdout);
	}
}

/* 1: it has errors, or cannot be read. */
static int
lint_file(const struct lint_job *job, const char *path)
{
	struct findings found = { 0 };
	struct buf xml = { 0 };
	struct err err = { 0 };
	int rc = 1;

	if (input_read(path, DOCUMENT_OCTETS + 1, &xml, &err) == -1) {
		input_complain(path, &err);
	} else {
		lint_text(job, (struct text){ xml.data != NULL ? (char *)xml.data : "", xml.len },
		    &found);
		findings_sort(&found);
		lint_print(job, path, &found);
		rc = found.errors > 0;
	}
	buf_free(&xml);
	findings_free(&found);
	return rc;
}

int
cmd_lint(int argc, char **argv)
{
	struct lint_job job = { .lint.sha1 = sign_sha1 };
	int c, rc = 0;

	optind = 1;
	while ((c = getopt_long(argc, argv, "t:wqh", options, NULL)) != -1)
		switch (c) {
		case 't':
			if (lint_target_named(optarg, &job.lint.target) == -1)
				return 2;
			break;
		case 'w':
			job.lint.windows_mobile = true;
			break;
		case 'q':
			job.quiet = true;
			break;
		case OPT_TYPE:
			if ((job.media = media_by_sendota_type(text_of(optarg))) == NULL) {
				fprintf(stderr, "kantele lint: type \"%s\" is not known\n", optarg);
				return 2;
			}
			break;
		case OPT_CHARSET:
			job.charset = optarg;
			break;
		case 'h':
			printf("%s%s", usage, help);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	if (optind == argc) {
		fputs(usage, stderr);
		return 2;
	}
	for (; optind < argc; optind++)
		rc |= lint_file(&job, argv[optind]);
	return rc;
}
