/*
 * media.h - the table of document types
 *
 * A new type is one row here and one token table in encode/. The row says how
 * to recognise it, on which ports and under which content type it travels,
 * and whether it may go unsigned.
 */
#ifndef DOCUMENT_MEDIA_H
#define DOCUMENT_MEDIA_H

#include <stdbool.h>
#include <stdint.h>
#include "base/text.h"

struct media {
	const char	*name;		/* "provisioning": also in logs */
	const char	*sendota_type;	/* Kannel's type=, "oma-settings"; NULL */
	const char	*root;		/* root element */
	const char	*text_type;	/* text/vnd.wap.connectivity-xml */
	const char	*wire_type;	/* application/vnd.wap.connectivity-wbxml */
	uint16_t	 wire_code;	/* WSP well-known, 0x36; 0: written as text */
	const char	*public_id, *system_id;	/* of the DOCTYPE */
	uint16_t	 port_to, port_from;
	bool		 must_sign;	/* SEC and MAC unless the account may go without */
	bool		 charset_parameter;	/* content type carries charset=UTF-8 (old settings types) */
	uint8_t		 tid;		/* transaction id Kannel uses for it: 01 */
	bool		 text_content;	/* its values stand between tags (SyncSettings) */
	/* Known spellings, matched without regard to case; ended by an absent text. */
	const struct text *elements, *attributes;
};

extern const struct media media_provisioning;	/* OMA CP, 1.0 and 1.1 */
extern const struct media media_browser_settings, media_browser_bookmarks, media_syncsettings;

const struct media *media_by_sendota_type(struct text type);	/* without regard to case */
const struct media *media_by_text_type(struct text content_type);	/* parameters ignored */
const struct media *media_by_wire_code(uint16_t);
const struct media *media_by_wire_type(struct text);
const struct media *media_by_root(struct text root, struct text public_id);
/* The table's own spelling of a name, or the name itself when it has none. */
struct text	 media_spelling(const struct text *known, struct text name);
/* All rows; NULL at the end. */
const struct media *const *media_all(void);

#endif
