/*
 * ota_group.c - from the keys of a group to the document it stands for
 *
 * The order of the parms is the one that Kannel sends; phones of that age read in one pass.
 *
 * Knows:     which key becomes which PARM of the old Nokia and Ericsson documents.
 * Does not:  know tokens: the text goes down the same road as a document from outside.
 * Owns:      the texts of all groups; wiped when freed, since they hold passwords.
 * Threads:   the loop.
 */
#include "intake/ota_group.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/finding.h"
#include "document/media.h"

enum { GROUP_OCTETS = 16 * 1024 };

struct setting {
	const char	*ota_id, *location, *service, *ipaddress, *phonenumber, *bearer, *login;
	struct secret	 secret;
	int		 connection, calltype, speed, authentication;
	bool		 pppsecurity;
};

struct bookmark {
	const char	*ota_id, *name, *url;
};

struct ota_group {
	const char	*id;			/* the configuration's; NULL: none */
	const struct media *media;
	char		*xml;
	size_t		 len;
};

struct ota_groups {
	size_t		 count;
	struct ota_group list[];
};

enum { CONNECTION_CONT, CONNECTION_TEMP };
static const char *const connections[] = { "cont", "temp", NULL };
static const char *const calltypes[] = { "analog", "isdn", NULL };
static const char *const speeds[] = { "9600", "14400", NULL };
static const char *const authentications[] = { "normal", "secure", NULL };

#define AT(field)	offsetof(struct setting, field)
#define CHOICE(key, field, default, of, words)						\
	{ .name = key, .type = CONF_CHOICE, .at = AT(field), .standard = default, .choices = of,	\
	  .text = words }
#define WORDS(key, field, words)	{ .name = key, .type = CONF_TEXT, .at = AT(field), .text = words }

const struct conf_key ota_setting_keys[] = {
	WORDS("ota-id", ota_id, "Name for otaid."),
	WORDS("location", location, "Address of the home page."),
	WORDS("service", service, "Name of the settings."),
	WORDS("ipaddress", ipaddress, "Address of the WAP gateway."),
	WORDS("phonenumber", phonenumber, "Number to dial."),
	WORDS("bearer", bearer, "Bearer: data; anything else is left out, as in Kannel."),
	CHOICE("connection", connection, "cont", connections, "Kind of connection: cont or temp."),
	CHOICE("calltype", calltype, "isdn", calltypes, "Kind of call: isdn or analog."),
	CHOICE("speed", speed, "9600", speeds, "Speed of the call: 9600 or 14400."),
	{ .name = "pppsecurity", .type = CONF_FLAG, .at = AT(pppsecurity), .standard = "no",
	  .text = "CHAP instead of PAP." },
	CHOICE("authentication", authentication, "normal", authentications,
	    "Authentication: normal, or secure (WTLS)."),
	WORDS("login", login, "User name of the call."),
	{ .name = "secret", .type = CONF_SECRET, .at = AT(secret), .text = "Password of the call." },
	{ .name = NULL }
};

#undef AT
#define AT(field)	offsetof(struct bookmark, field)

const struct conf_key ota_bookmark_keys[] = {
	WORDS("ota-id", ota_id, "Name for otaid."),
	WORDS("name", name, "Title of the bookmark."),
	WORDS("url", url, "Address of the bookmark."),
	{ .name = NULL }
};

/* <PARM NAME="name" VALUE="value"/>; nothing for a value that was not given. */
static void
parm(struct buf *b, const char *name, struct text value)
{
	if (value.at == NULL)
		return;
	buf_printf(b, "<PARM NAME=\"%s\" VALUE=\"", name);
	text_xml_quote(value, b);
	buf_str(b, "\"/>");
}

static void
setting_xml(struct buf *b, const struct setting *s)
{
	/* by connection, then authentication: the ports of WSP, plain and over WTLS */
	static const char *const ports[2][2] = { { "9201", "9203" }, { "9200", "9202" } };

	buf_str(b, "<CHARACTERISTIC-LIST><CHARACTERISTIC TYPE=\"ADDRESS\">");
	if (s->bearer != NULL && strcasecmp(s->bearer, "data") == 0)
		parm(b, "BEARER", TEXT("GSM/CSD"));
	parm(b, "PROXY", text_of(s->ipaddress));
	parm(b, "PORT", text_of(ports[s->connection][s->authentication]));
	parm(b, "CSD_DIALSTRING", text_of(s->phonenumber));
	parm(b, "PPP_AUTHTYPE", text_of(s->pppsecurity ? "CHAP" : "PAP"));
	parm(b, "PPP_AUTHNAME", text_of(s->login));
	parm(b, "PPP_AUTHSECRET", secret_octets(&s->secret));
	parm(b, "CSD_CALLTYPE", text_of(s->calltype == 0 ? "ANALOGUE" : "ISDN"));
	parm(b, "CSD_CALLSPEED", text_of(speeds[s->speed]));
	buf_str(b, "</CHARACTERISTIC>");
	if (s->location != NULL) {
		buf_str(b, "<CHARACTERISTIC TYPE=\"URL\" VALUE=\"");
		text_xml_quote(text_of(s->location), b);
		buf_str(b, "\"/>");
	}
	if (s->service != NULL) {
		buf_str(b, "<CHARACTERISTIC TYPE=\"NAME\">");
		parm(b, "NAME", text_of(s->service));
		buf_str(b, "</CHARACTERISTIC>");
	}
	buf_str(b, "</CHARACTERISTIC-LIST>");
}

static void
bookmark_xml(struct buf *b, const struct bookmark *m)
{
	buf_str(b, "<CHARACTERISTIC-LIST><CHARACTERISTIC TYPE=\"BOOKMARK\">");
	parm(b, "NAME", text_of(m->name));
	parm(b, "URL", text_of(m->url));
	buf_str(b, "</CHARACTERISTIC></CHARACTERISTIC-LIST>");
}

/* Takes what b holds. */
static int
group_add(struct ota_groups *all, const struct conf_group *group, const char *id, const struct media *media,
    struct buf *b, struct findings *findings)
{
	struct ota_group *g = &all->list[all->count];

	if (b->overflow) {
		finding_add(findings, SEVERITY_ERROR, NULL, conf_group_file(group), conf_group_line(group), 0,
		    "this group is longer than %d octets: shorten its texts", GROUP_OCTETS);
		buf_free(b);
		return -1;
	}
	*g = (struct ota_group){ .id = id, .media = media, .xml = (char *)b->data, .len = b->len };
	all->count++;
	return 0;
}

static int
setting_add(struct ota_groups *all, struct conf *conf, const struct conf_group *group, struct findings *findings)
{
	struct setting s = { .ota_id = NULL };
	struct buf b = buf_heap(GROUP_OCTETS);
	int rc = conf_bind(conf, group, ota_setting_keys, &s, findings);

	if (rc == 0) {
		setting_xml(&b, &s);
		rc = group_add(all, group, s.ota_id, &media_browser_settings, &b, findings);
	}
	conf_unbind(ota_setting_keys, &s);
	return rc;
}

static int
bookmark_add(struct ota_groups *all, struct conf *conf, const struct conf_group *group, struct findings *findings)
{
	struct bookmark m = { .ota_id = NULL };
	struct buf b = buf_heap(GROUP_OCTETS);
	int rc = conf_bind(conf, group, ota_bookmark_keys, &m, findings);

	if (rc == 0) {
		bookmark_xml(&b, &m);
		rc = group_add(all, group, m.ota_id, &media_browser_bookmarks, &b, findings);
	}
	conf_unbind(ota_bookmark_keys, &m);
	return rc;
}

static size_t
group_count(const struct conf *conf, const char *name)
{
	size_t n = 0;

	for (const struct conf_group *g = NULL; (g = conf_next(conf, name, g)) != NULL;)
		n++;
	return n;
}

/* Settings first: without an id the first of them is meant. */
struct ota_groups *
ota_groups_new(struct conf *conf, struct findings *findings)
{
	size_t room = group_count(conf, "ota-setting") + group_count(conf, "ota-bookmark");
	struct ota_groups *all = calloc(1, sizeof *all + room * sizeof *all->list);
	const struct conf_group *g = NULL;
	int rc = 0;

	if (all == NULL) {
		finding_add(findings, SEVERITY_ERROR, NULL, NULL, 0, 0, "no memory for the ota groups");
		return NULL;
	}
	while ((g = conf_next(conf, "ota-setting", g)) != NULL)
		rc |= setting_add(all, conf, g, findings);
	while ((g = conf_next(conf, "ota-bookmark", g)) != NULL)
		rc |= bookmark_add(all, conf, g, findings);
	if (rc != 0)
		ota_groups_free(&all);
	return all;
}

void
ota_groups_free(struct ota_groups **ap)
{
	struct ota_groups *all = *ap;

	if (all == NULL)
		return;
	for (size_t i = 0; i < all->count; i++) {
		explicit_bzero(all->list[i].xml, all->list[i].len);
		free(all->list[i].xml);
	}
	free(all);
	*ap = NULL;
}

bool
ota_groups_find(const struct ota_groups *all, struct text ota_id, const struct media **media, struct text *xml)
{
	for (size_t i = 0; all != NULL && i < all->count; i++) {
		const struct ota_group *g = &all->list[i];

		if (ota_id.at != NULL && (g->id == NULL || !text_is(ota_id, g->id)))
			continue;
		*media = g->media;
		*xml = (struct text){ g->xml, g->len };
		return true;
	}
	return false;
}
