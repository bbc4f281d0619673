/*
 * lint.h - judges a provisioning document: what a handset would make of it
 *
 * Findings name place and cure and carry a code (L001 ...; the table is in
 * lint.c and in the manual). Structural faults that cannot be encoded are
 * refused by document_parse; lint errors say "handsets will refuse or ignore this"
 * and stop `kantele lint`, but a door only reports them: Kannel's users send such
 * documents, and some handset takes them.
 *
 * Threads: pure.
 */
#ifndef DOCUMENT_LINT_H
#define DOCUMENT_LINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct document;
struct findings;

enum lint_target { LINT_OTA, LINT_ROM, LINT_RAPI };	/* how it will be delivered */

struct lint_options {
	enum lint_target target;
	bool		 windows_mobile;	/* names of Microsoft's configuration service providers are known;
						 * also switched on by the document itself when it uses them */
	unsigned	 octets;		/* encoded size when known, for the number of segments; 0 */
	/* For the thumbprints of certificates; NULL: not checked. A function, since this
	 * folder knows no cryptography: sign_sha1 of encode/sign.h is one. */
	int		(*sha1)(const void *, size_t, uint8_t out[20]);
};

void	lint_document(const struct document *, const struct lint_options *, struct findings *);

#endif
