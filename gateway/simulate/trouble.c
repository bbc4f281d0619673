/*
 * trouble.c - what goes wrong, and when
 *
 * Knows:     percentages, prefixes, a token bucket of one second.
 * Does not:  know connections.
 * Owns:      nothing.
 * Threads:   pure.
 */
#include "simulate/trouble.h"

#include <stdlib.h>
#include <string.h>

#include "smsc/smpp_pdu.h"

void
trouble_start(struct trouble *t, uint64_t seed)
{
	*t = (struct trouble){ .random = seed * 0x9e3779b97f4a7c15u | 1 };
}

/* xorshift64*: 0 <= r < 100 */
static double
draw(struct trouble *t)
{
	t->random ^= t->random >> 12;
	t->random ^= t->random << 25;
	t->random ^= t->random >> 27;
	return (double)(t->random * 0x2545f4914f6cdd1du >> 11) * (100.0 / 9007199254740992.0);
}

static int
number(struct text t, double least, double most, double *out)
{
	char room[32], *end;

	if (t.len == 0 || t.len >= sizeof room)
		return -1;
	memcpy(room, t.at, t.len);
	room[t.len] = '\0';
	*out = strtod(room, &end);
	return *end == '\0' && *out >= least && *out <= most ? 0 : -1;
}

static int
refusal_add(struct trouble *t, double percent, struct text prefix, struct text status,
    struct err *err)
{
	struct trouble_refusal *r = &t->refusals[t->refusal_count];

	if (t->refusal_count == TROUBLE_RULES_MOST)
		return err_set(err, ERR_LIMIT, "more than %d refusals", TROUBLE_RULES_MOST);
	if (prefix.len > TROUBLE_PREFIX_MOST)
		return err_set(err, ERR_LIMIT, "\"%.*s\" is no prefix of a number", TEXT_ARGS(prefix));
	*r = (struct trouble_refusal){ .percent = percent };
	if (smpp_status_named(status, &r->status) == -1 || r->status == 0)
		return err_set(err, ERR_SYNTAX, "no status is called \"%.*s\"", TEXT_ARGS(status));
	if (prefix.len > 0)
		memcpy(r->prefix, prefix.at, prefix.len);
	t->refusal_count++;
	return 0;
}

int
trouble_refuse(struct trouble *t, struct text spec, struct err *err)
{
	struct text rest = spec, part;
	double percent;

	if (!text_cut(&rest, ':', &part) || number(part, 0, 100, &percent) == -1)
		return err_set(err, ERR_SYNTAX, "PERCENT:STATUS, 10:RTHROTTLED for instance");
	return refusal_add(t, percent, (struct text){ NULL, 0 }, rest, err);
}

int
trouble_refuse_number(struct trouble *t, struct text spec, struct err *err)
{
	struct text rest = spec, part;

	if (!text_cut(&rest, ':', &part))
		return err_set(err, ERR_SYNTAX, "PREFIX:STATUS, 35840:RINVDSTADR for instance");
	if (part.len > 0 && part.at[0] == '+')
		part = (struct text){ part.at + 1, part.len - 1 };
	if (!text_digits(part))
		return err_set(err, ERR_SYNTAX, "PREFIX:STATUS, 35840:RINVDSTADR for instance");
	return refusal_add(t, 100, part, rest, err);
}

int
trouble_throttle(struct trouble *t, struct text spec, struct err *err)
{
	if (spec.len > 2 && memcmp(spec.at + spec.len - 2, "/s", 2) == 0)
		spec.len -= 2;
	if (number(spec, 0.001, 1e9, &t->throttle) == -1)
		return err_set(err, ERR_SYNTAX, "a number of messages per second, 50 or 50/s");
	t->bucket = t->throttle > 1 ? t->throttle : 1;
	return 0;
}

int
trouble_silent(struct trouble *t, struct text spec, struct err *err)
{
	struct text every = TEXT("every");
	double n;

	if (spec.len > every.len && memcmp(spec.at, every.at, every.len) == 0) {
		struct text count = text_trim((struct text){ spec.at + every.len, spec.len - every.len });

		if (number(count, 1, UINT32_MAX, &n) == -1)
			return err_set(err, ERR_SYNTAX, "every N, \"every 3\" for instance");
		t->silent_every = (uint32_t)n;
		return 0;
	}
	if (number(spec, 0, 100, &t->silent_percent) == -1)
		return err_set(err, ERR_SYNTAX, "a percentage, or \"every N\"");
	return 0;
}

int
trouble_refuse_bind(struct trouble *t, struct text spec, struct err *err)
{
	struct text rest = spec, part;
	double times = UINT32_MAX;

	if (!text_cut(&rest, ':', &part) || smpp_status_named(part, &t->bind_status) == -1 ||
	    (rest.at != NULL && number(rest, 1, UINT32_MAX, &times) == -1))
		return err_set(err, ERR_SYNTAX, "STATUS[:TIMES], RINVPASWD:2 for instance");
	t->bind_times = (uint32_t)times;
	return 0;
}

/* Throttling of one second's worth at most: what was not used up before does not add up. */
static bool
throttled(struct trouble *t, mono_t now)
{
	double most = t->throttle > 1 ? t->throttle : 1;

	if (t->throttle == 0)
		return false;
	if (t->filled != 0)
		t->bucket += (double)(now - t->filled) * t->throttle / 1000.0;
	t->filled = now;
	if (t->bucket > most)
		t->bucket = most;
	if (t->bucket < 1)
		return true;
	t->bucket -= 1;
	return false;
}

static bool
has_prefix(struct text receiver, const char *prefix)
{
	size_t n = strlen(prefix);

	return receiver.len >= n && (n == 0 || memcmp(receiver.at, prefix, n) == 0);
}

enum fate
trouble_submit(struct trouble *t, struct text receiver, uint32_t on_line, mono_t now,
    uint32_t *status)
{
	*status = SMPP_OK;
	for (unsigned i = 0; i < t->refusal_count; i++)
		if (has_prefix(receiver, t->refusals[i].prefix) &&
		    (t->refusals[i].percent >= 100 || draw(t) < t->refusals[i].percent)) {
			*status = t->refusals[i].status;
			return FATE_REFUSED;
		}
	if (throttled(t, now)) {
		*status = SMPP_THROTTLED;
		return FATE_REFUSED;
	}
	t->submits++;
	if (t->drop_after != 0 && on_line >= t->drop_after)
		return FATE_DROPPED;
	if (t->silent_every != 0 && t->submits % t->silent_every == 0)
		return FATE_SILENT;
	if (t->silent_percent > 0 && draw(t) < t->silent_percent)
		return FATE_SILENT;
	return FATE_TAKEN;
}

uint32_t
trouble_bind(struct trouble *t)
{
	if (t->bind_times == 0)
		return SMPP_OK;
	if (t->bind_times != UINT32_MAX)
		t->bind_times--;
	return t->bind_status;
}
