/*
 * http_head.c - are these octets the header of a request?
 *
 * A line ends with CRLF or LF (RFC 9112, 2.2 allows both); a CR elsewhere, NUL, a folded line, a
 * blank before the colon and a frame that is told twice are what smuggling is made of.
 *
 * Knows:     the grammar of a request line and of fields; which frames are ambiguous.
 * Does not:  know sockets, paths, or who asks. Takes no copy.
 * Owns:      nothing.
 * Threads:   pure.
 */
#include "io/http_head.h"

#include <string.h>

enum {
	BLANK_LINES = 4,	/* before the request line; a client may have sent one too many */
	METHOD_MOST = 32,
	LENGTH_DIGITS = 18,	/* of a length that is still looked at */
	READ_AHEAD = 2048, POOL_ENTRY = 64,
	ANSWER_OWN = 512,	/* what the server adds by itself */
	TLS_HANDSHAKE = 0x16
};

enum {
	BAD_REQUEST = 400, TOO_LARGE = 413, TARGET_TOO_LONG = 414, HEADER_TOO_LARGE = 431,
	NOT_IMPLEMENTED = 501, VERSION_UNKNOWN = 505
};

/* RFC 9110, 5.6.2 */
static bool
is_token(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static size_t
token_length(struct text t)
{
	size_t n = 0;

	while (n < t.len && is_token(t.at[n]))
		n++;
	return n;
}

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7F;
}

static int
refuse(struct err *err, int status, const char *text)
{
	err_set(err, status == TOO_LARGE || status == TARGET_TOO_LONG || status == HEADER_TOO_LARGE ?
	    ERR_LIMIT : ERR_SYNTAX, "%s", text);
	return status;
}

/* --- target, fields, frame -------------------------------------------------------- */

int
http_target_fault(struct text target, struct err *err)
{
	for (size_t i = 0; i < target.len; i++) {
		if (target.at[i] == ' ')
			return refuse(err, BAD_REQUEST, "a blank in the address: write %20 for it");
		if (is_control(target.at[i]))
			return refuse(err, BAD_REQUEST, "a control character in the address: write it as "
			    "%00 to %1F");
	}
	return target.len > 0 ? 0 : refuse(err, BAD_REQUEST, "no address: a request begins with METHOD "
	    "/path HTTP/1.1");
}

int
http_field_fault(struct text name, struct text value, struct err *err)
{
	size_t good = token_length(name);

	if (name.len == 0)
		return refuse(err, BAD_REQUEST, "a field without a name");
	if (good < name.len && (name.at[good] == ' ' || name.at[good] == '\t'))
		return refuse(err, BAD_REQUEST, "a blank in a field's name, or before its colon");
	if (good < name.len)
		return refuse(err, BAD_REQUEST, "a field's name has a character that no name may have");
	if (value.len > 0 && (memchr(value.at, '\r', value.len) != NULL ||
	    memchr(value.at, '\0', value.len) != NULL))
		return refuse(err, BAD_REQUEST, "a NUL, or a CR without LF, in a field: write CRLF at the "
		    "end of each line");
	return 0;
}

static void
frame_length(struct http_frame *f, struct text value)
{
	f->lengths++;
	if (!text_digits(value)) {
		f->no_length = true;
		return;
	}
	f->length = 0;
	for (size_t i = 0; i < value.len && i < LENGTH_DIGITS; i++)
		f->length = f->length * 10 + (size_t)(value.at[i] - '0');
	f->huge = value.len > LENGTH_DIGITS;
}

/* Names differ in the first octet already, and most fields are none of these. */
void
http_frame_field(struct http_frame *f, struct text name, struct text value)
{
	switch (name.len > 0 ? name.at[0] | 0x20 : 0) {
	case 'h':
		f->hosts += text_eq_nocase(name, TEXT("Host"));
		break;
	case 'c':
		if (text_eq_nocase(name, TEXT("Content-Length")))
			frame_length(f, value);
		break;
	case 't':
		if (text_eq_nocase(name, TEXT("Transfer-Encoding"))) {
			f->encodings++;
			f->chunked = text_eq_nocase(value, TEXT("chunked"));
		}
		break;
	case 'e':
		f->expects |= text_eq_nocase(name, TEXT("Expect"));
		break;
	}
}

/* RFC 9112, 6.3 (frame) and 3.2 (Host). */
int
http_frame_fault(const struct http_frame *f, bool http_1_1, struct err *err)
{
	if (f->lengths > 1)
		return refuse(err, BAD_REQUEST, "more than one Content-Length: send one");
	if (f->lengths == 1 && f->encodings > 0)
		return refuse(err, BAD_REQUEST, "Content-Length and Transfer-Encoding together: send one "
		    "of them");
	if (f->no_length)
		return refuse(err, BAD_REQUEST, "Content-Length is no number: write digits alone");
	if (f->encodings > 1 || (f->encodings == 1 && !f->chunked))
		return refuse(err, NOT_IMPLEMENTED, "this Transfer-Encoding is not known here: send "
		    "chunked, once, or a Content-Length");
	if (f->encodings == 1 && !http_1_1)
		return refuse(err, BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding: send a Content-Length");
	if (f->hosts > 1)
		return refuse(err, BAD_REQUEST, "more than one Host: send one");
	if (f->hosts == 0 && http_1_1)
		return refuse(err, BAD_REQUEST, "no Host: HTTP/1.1 needs one");
	return f->huge ? refuse(err, TOO_LARGE, "the body is too long") : 0;
}

/* The header itself, an entry for each field and parameter, and some of the next request, which a
 * client may have sent ahead. (Of one that sends more ahead than that, an answer with the longest
 * possible header is lost.) */
size_t
http_head_leaves(size_t octets, size_t fields, struct text target)
{
	size_t used = octets + READ_AHEAD + (fields + 1) * POOL_ENTRY + ANSWER_OWN;

	for (const char *at = target.at, *end = at + target.len;
	    (at = memchr(at, '&', (size_t)(end - at))) != NULL; at++)
		used += POOL_ENTRY;
	return used < HTTP_POOL ? HTTP_POOL - used : 0;
}

int
http_head_fault(size_t octets, size_t fields, struct text target, struct err *err)
{
	if (octets <= HTTP_HEAD_MOST && http_head_leaves(octets, fields, target) >= HTTP_REPLY_LEAST)
		return 0;
	return refuse(err, TARGET_TOO_LONG, "the header is too long, or has too many parameters: send a "
	    "POST");
}

/* --- the header as it came ---------------------------------------------------------- */

struct reader {
	const char	*start, *at, *end;
	unsigned	 line;
	int		*status;
	struct err	*err;
};

static enum http_head
bad_at(struct reader *r, const char *line, const char *at, int status, const char *text)
{
	struct err err = { 0 };

	*r->status = refuse(&err, status, text);
	err_at(r->err, err.code, r->line, (unsigned)(at - line) + 1, "%s", text);
	return HTTP_HEAD_BAD;
}

/* NUL, and a CR that no LF follows; the last octet of a part may be the CR of a line's end. */
static const char *
odd_octet(const char *at, const char *end, bool whole)
{
	const char *nul = memchr(at, '\0', (size_t)(end - at)), *cr;

	for (cr = at; (cr = memchr(cr, '\r', (size_t)(end - cr))) != NULL; cr++)
		if (cr + 1 < end ? cr[1] != '\n' : whole)
			break;
	return nul != NULL && (cr == NULL || nul < cr) ? nul : cr;
}

/* Cuts the next line, without its end, off the reader. HTTP_HEAD_PART: its end is not there yet. */
static enum http_head
next_line(struct reader *r, struct text *line)
{
	const char *end = memchr(r->at, '\n', (size_t)(r->end - r->at));
	const char *stop = end != NULL ? end + 1 : r->end, *odd;

	r->line++;
	*line = (struct text){ r->at, (size_t)(stop - r->at) };
	if ((odd = odd_octet(r->at, stop, end != NULL)) != NULL)
		return bad_at(r, r->at, odd, BAD_REQUEST, *odd == '\0' ? "an octet NUL in the header" :
		    "a CR without LF in the header: write CRLF at the end of each line");
	if (end == NULL)
		return HTTP_HEAD_PART;
	line->len--;
	if (line->len > 0 && line->at[line->len - 1] == '\r')
		line->len--;
	r->at = stop;
	return HTTP_HEAD_WHOLE;
}

/* Whoever speaks something else hears so at once, not when the line is whole. */
static enum http_head
judge_method(struct reader *r, struct text line)
{
	size_t n = token_length(line);

	if (n > METHOD_MOST || (n < line.len && line.at[n] != ' ') || (line.len > 0 && n == 0))
		return bad_at(r, line.at, line.at + n, BAD_REQUEST, "not a request: it begins with METHOD "
		    "/path HTTP/1.1");
	return HTTP_HEAD_PART;
}

static enum http_head
judge_version(struct reader *r, struct text line, struct text version, bool *http_1_1)
{
	const char *v = version.at;

	if (version.len != 8 || memcmp(v, "HTTP/", 5) != 0 || v[5] < '0' || v[5] > '9' || v[6] != '.' ||
	    v[7] < '0' || v[7] > '9')
		return bad_at(r, line.at, v, BAD_REQUEST, "no version at the end of the request line: "
		    "write METHOD /path HTTP/1.1");
	if (v[5] != '1')
		return bad_at(r, line.at, v, VERSION_UNKNOWN, "this version of HTTP is not spoken here: "
		    "take HTTP/1.1");
	*http_1_1 = v[7] != '0';
	return HTTP_HEAD_WHOLE;
}

static enum http_head
judge_request_line(struct reader *r, struct text line, struct text *target, bool *http_1_1)
{
	const char *first, *last;
	struct err err = { 0 };

	if (judge_method(r, line) == HTTP_HEAD_BAD)
		return HTTP_HEAD_BAD;
	first = memchr(line.at, ' ', line.len);
	last = memrchr(line.at, ' ', line.len);
	if (first == last)		/* HTTP/0.9, or a single word */
		return bad_at(r, line.at, line.at + line.len, BAD_REQUEST, "a request line has three words: "
		    "METHOD /path HTTP/1.1");
	*target = (struct text){ first + 1, (size_t)(last - first) - 1 };
	if ((*r->status = http_target_fault(*target, &err)) != 0)
		return bad_at(r, line.at, first + 1, *r->status, err.text);
	return judge_version(r, line, (struct text){ last + 1, (size_t)(line.at + line.len - last) - 1 },
	    http_1_1);
}

static enum http_head
judge_field(struct reader *r, struct text line, struct http_frame *frame)
{
	const char *colon = memchr(line.at, ':', line.len);
	struct text name, value;
	struct err err = { 0 };

	if (line.at[0] == ' ' || line.at[0] == '\t')
		return bad_at(r, line.at, line.at, BAD_REQUEST, "a folded line: write each field in one "
		    "line");
	if (colon == NULL)
		return bad_at(r, line.at, line.at, BAD_REQUEST, "a field without a colon: write Name: value");
	name = (struct text){ line.at, (size_t)(colon - line.at) };
	value = (struct text){ colon + 1, line.len - name.len - 1 };
	while (value.len > 0 && (value.at[0] == ' ' || value.at[0] == '\t')) {
		value.at++;
		value.len--;
	}
	if ((*r->status = http_field_fault(name, value, &err)) != 0)
		return bad_at(r, line.at, line.at + token_length(name), *r->status, err.text);
	http_frame_field(frame, name, value);
	return HTTP_HEAD_WHOLE;
}

/* The first line that is not empty. */
static enum http_head
first_line(struct reader *r, struct text *line)
{
	enum http_head h;

	do {
		h = next_line(r, line);
		if (h == HTTP_HEAD_WHOLE && line->len == 0 && r->line > BLANK_LINES)
			return bad_at(r, line->at, line->at, BAD_REQUEST, "empty lines instead of a request");
	} while (h == HTTP_HEAD_WHOLE && line->len == 0);
	if (h == HTTP_HEAD_PART && (line->len == 0 || line->at[0] != '\r'))
		return judge_method(r, *line);
	return h;
}

/* Up to the empty line; *target stays empty while the request line is not whole. */
static enum http_head
judge_lines(struct reader *r, struct text *target)
{
	struct http_frame frame = { 0 };
	bool http_1_1 = false;
	unsigned fields = 0;
	struct text line;
	enum http_head h = first_line(r, &line);

	if (h != HTTP_HEAD_WHOLE ||
	    (h = judge_request_line(r, line, target, &http_1_1)) != HTTP_HEAD_WHOLE)
		return h;
	while ((h = next_line(r, &line)) == HTTP_HEAD_WHOLE && line.len > 0) {
		if (++fields > HTTP_FIELDS_MOST)
			return bad_at(r, line.at, line.at, HEADER_TOO_LARGE, "more than 100 fields in the "
			    "header: send fewer");
		if (judge_field(r, line, &frame) == HTTP_HEAD_BAD)
			return HTTP_HEAD_BAD;
	}
	if (h != HTTP_HEAD_WHOLE)
		return h;
	if ((*r->status = http_frame_fault(&frame, http_1_1, r->err)) != 0)
		return HTTP_HEAD_BAD;
	*r->status = http_head_fault((size_t)(r->at - r->start), fields, *target, r->err);
	return *r->status == 0 ? HTTP_HEAD_WHOLE : HTTP_HEAD_BAD;
}

enum http_head
http_head_judge(struct text octets, int *status, struct err *err)
{
	struct reader r = { octets.at, octets.at, octets.at + octets.len, 0, status, err };
	struct text target = { 0 };
	enum http_head h;

	*status = 0;
	if (octets.len == 0)
		return HTTP_HEAD_PART;
	if (octets.at[0] == TLS_HANDSHAKE) {
		*status = refuse(err, BAD_REQUEST, "this port speaks plain HTTP, not TLS: ask for http://");
		return HTTP_HEAD_BAD;
	}
	h = judge_lines(&r, &target);
	if (h != HTTP_HEAD_PART || octets.len < HTTP_HEAD_MOST)
		return h;
	*status = target.at == NULL ? refuse(err, TARGET_TOO_LONG, "the address is too long: send a POST "
	    "with the long parameter as body") : refuse(err, HEADER_TOO_LARGE, "the header is too long: "
	    "send less in it");
	return HTTP_HEAD_BAD;
}
