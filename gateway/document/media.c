/*
 * media.c - the document types that are known
 *
 * Knows:     names, ports, content types and spellings of every type.
 * Does not:  know tokens (encode/tokens.c) or how a push is built.
 * Owns:      constant rows only.
 * Threads:   any.
 */
#include "document/media.h"

#define NAME(literal)	{ (literal), sizeof(literal) - 1 }

/* The noparm family is Microsoft's MSPROV, an extension of the grammar. */
static const struct text provisioning_elements[] = {
	NAME("parm"), NAME("characteristic"), NAME("wap-provisioningdoc"),
	NAME("noparm"), NAME("nocharacteristic"), NAME("parm-query"),
	NAME("characteristic-query"), { NULL, 0 }
};
static const struct text provisioning_attributes[] = {
	NAME("name"), NAME("value"), NAME("type"), NAME("version"), { NULL, 0 }
};
static const struct text browser_elements[] = {
	NAME("PARM"), NAME("CHARACTERISTIC"), NAME("CHARACTERISTIC-LIST"), { NULL, 0 }
};
static const struct text browser_attributes[] = {
	NAME("NAME"), NAME("VALUE"), NAME("TYPE"), { NULL, 0 }
};
static const struct text sync_elements[] = {
	NAME("Addr"), NAME("AddrType"), NAME("Auth"), NAME("AuthLevel"), NAME("AuthScheme"),
	NAME("Bearer"), NAME("ConRef"), NAME("ConType"), NAME("Cred"), NAME("CTType"),
	NAME("CTVer"), NAME("HostAddr"), NAME("Name"), NAME("Port"), NAME("RefID"),
	NAME("RemoteDB"), NAME("SyncSettings"), NAME("URI"), NAME("Username"),
	NAME("Version"), { NULL, 0 }
};
static const struct text no_attributes[] = { { NULL, 0 } };

const struct media media_provisioning = {
	.name = "provisioning", .sendota_type = "oma-settings",
	.root = "wap-provisioningdoc",
	.text_type = "text/vnd.wap.connectivity-xml",
	.wire_type = "application/vnd.wap.connectivity-wbxml", .wire_code = 0x36,
	.public_id = "-//WAPFORUM//DTD PROV 1.0//EN",	/* PROV 1.1 keeps it */
	.system_id = "http://www.wapforum.org/DTD/prov.dtd",
	.port_to = 2948, .port_from = 9200,
	.must_sign = true, .tid = 0x01,
	.elements = provisioning_elements, .attributes = provisioning_attributes,
};

/* Nokia's and Ericsson's settings of WAP 1.x: no security, old handsets only. */
const struct media media_browser_settings = {
	.name = "browser-settings", .sendota_type = "settings",
	.root = "CHARACTERISTIC-LIST",
	.text_type = "application/x-wap-prov.browser-settings",
	.wire_type = "application/x-wap-prov.browser-settings",
	.system_id = "/DTD/characteristic_list.xml",
	.port_to = 49999, .port_from = 49154,
	.charset_parameter = true, .tid = 0x01,
	.elements = browser_elements, .attributes = browser_attributes,
};

const struct media media_browser_bookmarks = {
	.name = "browser-bookmarks", .sendota_type = "bookmarks",
	.root = "CHARACTERISTIC-LIST",
	.text_type = "application/x-wap-prov.browser-bookmarks",
	.wire_type = "application/x-wap-prov.browser-bookmarks",
	.system_id = "/DTD/characteristic_list.xml",
	.port_to = 49999, .port_from = 49154,
	.charset_parameter = true, .tid = 0x01,
	.elements = browser_elements, .attributes = browser_attributes,
};

/* 0x020B is not a short integer: on the wire it is 02 02 0B. Kannel's transaction id
 * for it is 34. */
const struct media media_syncsettings = {
	.name = "syncsettings", .sendota_type = "syncsettings",
	.root = "SyncSettings",
	.text_type = "application/x-prov.syncset+xml",
	.wire_type = "application/vnd.nokia.syncset+wbxml", .wire_code = 0x020b,
	.port_to = 49996, .port_from = 49154,
	.charset_parameter = true, .tid = 0x34, .text_content = true,
	.elements = sync_elements, .attributes = no_attributes,
};

static const struct media *const media_rows[] = {
	&media_provisioning, &media_browser_settings, &media_browser_bookmarks,
	&media_syncsettings, NULL
};

const struct media *const *
media_all(void)
{
	return media_rows;
}

const struct media *
media_by_sendota_type(struct text type)
{
	for (size_t i = 0; media_rows[i] != NULL; i++)
		if (text_is_nocase(type, media_rows[i]->sendota_type))
			return media_rows[i];
	return NULL;
}

/* The part of a content type before its parameters. */
static struct text
media_bare(struct text content_type)
{
	struct text bare = content_type;

	if (!text_cut(&content_type, ';', &bare))
		return bare;
	return text_trim(bare);
}

const struct media *
media_by_text_type(struct text content_type)
{
	struct text bare = media_bare(content_type);

	for (size_t i = 0; media_rows[i] != NULL; i++)
		if (text_is_nocase(bare, media_rows[i]->text_type))
			return media_rows[i];
	return NULL;
}

const struct media *
media_by_wire_code(uint16_t code)
{
	for (size_t i = 0; code != 0 && media_rows[i] != NULL; i++)
		if (media_rows[i]->wire_code == code)
			return media_rows[i];
	return NULL;
}

const struct media *
media_by_wire_type(struct text name)
{
	struct text bare = media_bare(name);

	for (size_t i = 0; media_rows[i] != NULL; i++)
		if (text_is_nocase(bare, media_rows[i]->wire_type))
			return media_rows[i];
	return NULL;
}

/* By root alone: a DOCTYPE is often left out, and when it is there it says nothing that
 * the root does not. The first row wins, so CHARACTERISTIC-LIST is settings, as in Kannel. */
const struct media *
media_by_root(struct text root, struct text public_id)
{
	(void)public_id;
	for (size_t i = 0; media_rows[i] != NULL; i++)
		if (text_is_nocase(root, media_rows[i]->root))
			return media_rows[i];
	return NULL;
}

struct text
media_spelling(const struct text *known, struct text name)
{
	for (const struct text *k = known; k->at != NULL; k++)
		if (k->len == name.len && memcmp(k->at, name.at, name.len) == 0)
			return *k;
	for (const struct text *k = known; k->at != NULL; k++)
		if (text_eq_nocase(*k, name))
			return *k;
	return name;
}
