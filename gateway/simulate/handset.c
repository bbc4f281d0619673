/*
 * handset.c - virtual handsets
 *
 * A message is first read (what cannot be read needs no PIN), then laid beside the profile, then
 * its signature is checked.  The document is shown whatever the verdict: whoever runs the simulator
 * wants to see what was sent.
 *
 * Knows:     which families of handsets take what (see the table; the sources are observations
 *            and published policies, not promises).
 * Does not:  know SMPP, segments or printing.
 * Owns:      nothing but the secrets of a struct handset.
 * Threads:   pure.
 */
#include "simulate/handset.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "document/document.h"
#include "document/media.h"
#include "encode/wbxml.h"
#include "push/charset.h"
#include "push/wsp.h"

#define METHOD(m)	(1u << SIGN_##m)
#define ALL_METHODS	(METHOD(NETWPIN) | METHOD(USERPIN) | METHOD(USERNETWPIN) | METHOD(USERPINMAC))

const struct handset_profile handset_profiles[] = {
	{ .name = "signed", .text = "takes everything that is signed (default)",
	  .methods = ALL_METHODS, .dm_bootstrap = true, .trust_bootstrap = true },
	{ .name = "any", .text = "takes everything, unsigned too",
	  .methods = ALL_METHODS, .takes_unsigned = true, .dm_bootstrap = true,
	  .trust_bootstrap = true },
	{ .name = "windows-mobile", .text = "Windows Mobile 6 as it left the factory: no NETWPIN",
	  .methods = METHOD(USERPIN) | METHOD(USERNETWPIN) | METHOD(USERPINMAC),
	  .dm_bootstrap = true, .trust_bootstrap = true },
	{ .name = "windows-mobile-open", .text = "the same, with policy 4141 set: NETWPIN too",
	  .methods = ALL_METHODS, .dm_bootstrap = true, .trust_bootstrap = true },
	{ .name = "symbian-s60", .text = "all methods; unsigned is offered to the user",
	  .methods = ALL_METHODS, .takes_unsigned = true, .dm_bootstrap = true },
	{ .name = "spreadtrum", .text = "compares the MAC in capitals; lets unsigned through",
	  .methods = ALL_METHODS, .takes_unsigned = true, .upper_mac = true, .segments_most = 8 },
	{ .name = "firefox-os", .text = "NETWPIN and USERPIN only; access points, no DM",
	  .methods = METHOD(NETWPIN) | METHOD(USERPIN) },
	{ .name = "feature-phone", .text = "USERPIN and NETWPIN, 4 segments, access points only",
	  .methods = METHOD(NETWPIN) | METHOD(USERPIN), .segments_most = 4, .octets_most = 512 },
	{ .name = NULL }
};

const char *const verdict_names[VERDICTS] = {
	[VERDICT_ACCEPTED] = "accepted", [VERDICT_WRONG_PIN] = "wrong-pin",
	[VERDICT_UNSIGNED] = "unsigned-refused", [VERDICT_PROFILE] = "not-for-this-profile",
	[VERDICT_UNREADABLE] = "unreadable", [VERDICT_UNCHECKED] = "unchecked",
	[VERDICT_NOBODY] = "nobody"
};

const char *const verdict_texts[VERDICTS] = {
	[VERDICT_ACCEPTED] = "accepted", [VERDICT_WRONG_PIN] = "refused: wrong PIN",
	[VERDICT_UNSIGNED] = "refused: unsigned", [VERDICT_PROFILE] = "not for this profile",
	[VERDICT_UNREADABLE] = "unreadable", [VERDICT_UNCHECKED] = "not checked",
	[VERDICT_NOBODY] = "no such handset"
};

/*
 * Options
 */

static struct text
bare_number(struct text number)
{
	size_t skip = 0;

	if (number.len > 0 && number.at[0] == '+')
		skip = 1;
	else if (number.len > 2 && number.at[0] == '0' && number.at[1] == '0')
		skip = 2;
	return (struct text){ number.at + skip, number.len - skip };
}

static int
set_profile(struct handset *h, struct text name, struct err *err)
{
	for (const struct handset_profile *p = handset_profiles; p->name != NULL; p++)
		if (text_eq_nocase(name, text_of(p->name))) {
			h->profile = p;
			return 0;
		}
	return err_set(err, ERR_SYNTAX, "no profile is called \"%.*s\"", TEXT_ARGS(name));
}

static int
set_secret(struct secret *s, const char *key, struct text value, bool digits, struct err *err)
{
	if (value.len == 0 || (digits && !text_digits(value)))
		return err_set(err, ERR_SYNTAX, "%s= needs %s", key, digits ? "digits" : "a value");
	secret_free(s);
	if (secret_set(s, value) == -1)
		return err_set(err, ERR_SYSTEM, "no memory");
	return 0;
}

static int
handset_option(struct handset *h, struct text key, struct text value, struct err *err)
{
	if (text_is(key, "profile"))
		return set_profile(h, value, err);
	if (text_is(key, "imsi"))
		return set_secret(&h->secrets.imsi, "imsi", value, true, err);
	if (text_is(key, "pin"))
		return set_secret(&h->secrets.pin, "pin", value, false, err);
	if (text_is(key, "code"))
		return set_secret(&h->code, "code", value, true, err);
	return err_set(err, ERR_SYNTAX, "a handset has no option \"%.*s\": imsi, pin, code, profile",
	    TEXT_ARGS(key));
}

int
handset_parse(struct text spec, struct handset *h, struct err *err)
{
	struct text rest = spec, part, key;

	memset(h, 0, sizeof *h);
	h->profile = &handset_profiles[0];
	if (!text_cut(&rest, ',', &part) || part.len == 0)
		return err_set(err, ERR_SYNTAX, "a handset begins with its number, or \"any\"");
	if (!text_is(part, "any")) {
		part = bare_number(part);
		if (!text_digits(part) || part.len > HANDSET_NUMBER_MOST)
			return err_set(err, ERR_SYNTAX, "\"%.*s\" is no number", TEXT_ARGS(part));
		memcpy(h->number, part.at, part.len);
	}
	while (text_cut(&rest, ',', &part)) {
		struct text value = part;

		if (!text_cut(&value, '=', &key) || value.at == NULL) {
			handset_free(h);
			return err_set(err, ERR_SYNTAX, "an option of a handset is key=value");
		}
		if (handset_option(h, key, value, err) == -1) {
			handset_free(h);
			return -1;
		}
	}
	return 0;
}

void
handset_free(struct handset *h)
{
	secret_free(&h->secrets.pin);
	secret_free(&h->secrets.imsi);
	secret_free(&h->secrets.key);
	secret_free(&h->code);
}

const struct handset *
handset_find(const struct handset *list, size_t count, struct text number)
{
	const struct handset *any = NULL;

	number = bare_number(number);
	for (size_t i = 0; i < count; i++)
		if (list[i].number[0] == '\0')
			any = any != NULL ? any : &list[i];
		else if (text_is(number, list[i].number))
			return &list[i];
	return any;
}

/*
 * Judging
 */

__attribute__((format(printf, 3, 4)))
static void
say(struct judgement *out, enum verdict verdict, const char *fmt, ...)
{
	va_list args;

	out->verdict = verdict;
	va_start(args, fmt);
	vsnprintf(out->reason, sizeof out->reason, fmt, args);
	va_end(args);
}

enum alphabet { A_GSM7, A_OCTETS, A_UCS2, A_ASCII, A_LATIN1 };

/* data_coding: SMPP's 1 and 3 first, then 3GPP TS 23.038. */
static enum alphabet
alphabet_of(uint8_t coding)
{
	static const enum alphabet general[4] = { A_GSM7, A_OCTETS, A_UCS2, A_GSM7 };

	if (coding == 1)
		return A_ASCII;
	if (coding == 3)
		return A_LATIN1;
	if (coding == 2)
		return A_OCTETS;
	if (coding < 0x80)
		return general[coding >> 2 & 3];
	if (coding >= 0xf0)
		return coding & 4 ? A_OCTETS : A_GSM7;
	return (coding & 0xf0) == 0xe0 ? A_UCS2 : A_GSM7;
}

static void
judge_text(const struct handset_message *m, struct judgement *out)
{
	struct err err = { 0 };

	out->kind = "text";
	switch (alphabet_of(m->coding)) {
	case A_GSM7:
		gsm7_to_utf8(m->data, &out->content);
		return;
	case A_ASCII:
		text_convert("US-ASCII", "UTF-8", m->data, '?', &out->content, &err);
		return;
	case A_LATIN1:
		text_convert("ISO-8859-1", "UTF-8", m->data, '?', &out->content, &err);
		return;
	case A_UCS2:
		if (m->data.len % 2 != 0 ||
		    text_convert("UTF-16BE", "UTF-8", m->data, 0, &out->content, &err) == -1)
			say(out, VERDICT_UNREADABLE, "the text is no UCS-2%s%s",
			    err.text[0] != '\0' ? ": " : "", err.text);
		return;
	case A_OCTETS:
		out->kind = "binary";
		buf_hex(&out->content, m->data.at, m->data.len, false);
		return;
	}
}

static bool
has_type(const struct element *e, const char *type)
{
	struct text t = element_get(e, "type");

	return text_eq_nocase(e->name, TEXT("characteristic")) && text_eq_nocase(t, text_of(type));
}

static bool
has_parm(const struct element *e, const char *name, const char *value)
{
	for (const struct element *p = e->children; p != NULL; p = p->next)
		if (text_eq_nocase(element_get(p, "name"), text_of(name)) &&
		    text_eq_nocase(element_get(p, "value"), text_of(value)))
			return true;
	return false;
}

/* What a profile does not know is on the first level of a document. */
static bool
profile_knows(const struct handset_profile *p, const struct document *doc, struct judgement *out)
{
	const struct element *root = document_root(doc);

	for (const struct element *e = root != NULL ? root->children : NULL; e != NULL; e = e->next) {
		if (!p->trust_bootstrap && has_type(e, "BOOTSTRAP")) {
			say(out, VERDICT_PROFILE, "%s knows no BOOTSTRAP", p->name);
			return false;
		}
		if (!p->dm_bootstrap && has_type(e, "APPLICATION") && has_parm(e, "APPID", "w7")) {
			say(out, VERDICT_PROFILE, "%s has no device management client (w7)", p->name);
			return false;
		}
	}
	return true;
}

static bool
profile_holds(const struct handset_profile *p, const struct handset_message *m,
    struct judgement *out)
{
	if (p->segments_most != 0 && m->segments > p->segments_most) {
		say(out, VERDICT_PROFILE, "%u segments, %s joins %u at most", m->segments, p->name,
		    p->segments_most);
		return false;
	}
	if (p->octets_most != 0 && m->data.len > p->octets_most) {
		say(out, VERDICT_PROFILE, "%zu octets, %s takes %lu at most", m->data.len, p->name,
		    (unsigned long)p->octets_most);
		return false;
	}
	return true;
}

static void
judge_code(const struct handset *h, struct text body, struct judgement *out)
{
	if (!secret_given(&h->code)) {
		say(out, VERDICT_UNCHECKED, "USERPINMAC: the handset was given no code=");
		return;
	}
	out->mac_known = true;
	out->mac_ok = sign_verify_code(secret_octets(&h->code), body) == 1;
	if (!out->mac_ok)
		say(out, VERDICT_WRONG_PIN, "what the user types does not fit the document");
}

static void
judge_mac(const struct handset *h, const struct wsp_push *push, struct judgement *out)
{
	struct err err = { 0 };
	int rc;

	if (h->profile->upper_mac)
		for (size_t i = 0; i < push->mac.len; i++)
			if (push->mac.at[i] >= 'a' && push->mac.at[i] <= 'f') {
				say(out, VERDICT_WRONG_PIN, "the MAC has small letters, %s wants capitals",
				    h->profile->name);
				return;
			}
	rc = sign_verify(out->sec, &h->secrets, push->body, push->mac, &err);
	if (rc == -1) {
		say(out, VERDICT_UNCHECKED, "%s", err.text);
		return;
	}
	out->mac_known = true;
	out->mac_ok = rc == 1;
	if (!out->mac_ok)
		say(out, VERDICT_WRONG_PIN, "the MAC does not fit the handset's %s",
		    out->sec == SIGN_USERPIN ? "PIN" : out->sec == SIGN_NETWPIN ? "IMSI" : "IMSI and PIN");
}

static void
judge_signature(const struct handset *h, const struct wsp_push *push, struct judgement *out)
{
	const struct handset_profile *p = h->profile;

	if (!out->sec_given) {
		if (!p->takes_unsigned)
			say(out, VERDICT_UNSIGNED, "no SEC and MAC, %s refuses that", p->name);
		else
			say(out, VERDICT_ACCEPTED, "unsigned");
		return;
	}
	if (out->sec > SIGN_USERPINMAC || !(p->methods & 1u << out->sec)) {
		say(out, VERDICT_PROFILE, "%s does not take %s", p->name,
		    out->sec <= SIGN_USERPINMAC ? sign_method_name(out->sec) : "this SEC");
		return;
	}
	if (out->sec == SIGN_USERPINMAC)
		judge_code(h, push->body, out);
	else if (push->mac.at == NULL)
		say(out, VERDICT_UNSIGNED, "SEC is %s, but there is no MAC", sign_method_name(out->sec));
	else
		judge_mac(h, push, out);
}

static void
judge_document(const struct handset *h, const struct handset_message *m, const struct media *media,
    const struct wsp_push *push, struct judgement *out)
{
	struct err err = { 0 };
	struct document *doc = wbxml_decode(media, push->body, NULL, &err);

	out->kind = "provisioning";
	if (doc == NULL) {
		say(out, VERDICT_UNREADABLE, "octet %u of the document: %s", err.column, err.text);
		return;
	}
	document_write_xml(doc, &out->content);
	if (profile_holds(h->profile, m, out) && profile_knows(h->profile, doc, out) && media->must_sign)
		judge_signature(h, push, out);
	document_free(&doc);
}

static void
name_media(const struct media *media, const struct wsp_push *push, struct judgement *out)
{
	if (media != NULL)
		snprintf(out->media, sizeof out->media, "%s", media->wire_type);
	else if (push->media_name.at != NULL)
		snprintf(out->media, sizeof out->media, "%.*s", TEXT_ARGS(push->media_name));
	else
		snprintf(out->media, sizeof out->media, "content type 0x%02x", push->media);
}

static void
judge_push(const struct handset *h, const struct handset_message *m, struct judgement *out)
{
	const struct media *media;
	struct wsp_push push = { 0 };
	struct err err = { 0 };

	out->kind = "push";
	if (wsp_push_read(m->data, &push, &err) == -1) {
		say(out, VERDICT_UNREADABLE, "octet %u of the push: %s", err.column, err.text);
		return;
	}
	media = push.media_name.at != NULL ? media_by_wire_type(push.media_name) :
	    media_by_wire_code(push.media);
	name_media(media, &push, out);
	out->sec_given = push.sec != WSP_NO_SEC;
	out->sec = (enum sign_method)push.sec;
	if (media != NULL)
		judge_document(h, m, media, &push, out);
	else
		buf_hex(&out->content, push.body.at, push.body.len, false);
}

/* Ports of WAP push, and of the older settings that come in the same wrapping. */
static bool
is_push_port(uint16_t port)
{
	static const uint16_t ports[] = { 2948, 2949, 9200, 9201, 9202, 9203, 49996, 49999 };

	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
		if (ports[i] == port)
			return true;
	return false;
}

void
handset_judge(const struct handset *h, const struct handset_message *m, struct judgement *out)
{
	static const struct handset nobody = { .profile = &handset_profiles[0] };

	*out = (struct judgement){ .verdict = VERDICT_ACCEPTED, .content = out->content };
	if (m->ports && is_push_port(m->port_to)) {
		judge_push(h != NULL ? h : &nobody, m, out);
	} else if (m->ports) {
		out->kind = "binary";
		buf_hex(&out->content, m->data.at, m->data.len, false);
		snprintf(out->reason, sizeof out->reason, "for port %u", m->port_to);
	} else {
		judge_text(m, out);
	}
	if (h == NULL)
		say(out, VERDICT_NOBODY, "no handset has this number");
}
