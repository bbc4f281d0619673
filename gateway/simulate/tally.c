/*
 * tally.c - counters, rates, duplicates, the record
 *
 * Knows:     how to count and to print it.
 * Does not:  know connections.
 * Owns:      see tally.h.
 * Threads:   the loop.
 */
#include "simulate/tally.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "smsc/smpp_pdu.h"

enum { KEY_OCTETS = 64, SEEN_FIRST = 4096, WORDS_SHOWN = 1024 };

void
tally_submit(struct tally *t, mono_t now, size_t octets)
{
	mono_t second;

	if (t->first == 0)
		t->first = now;
	t->last = now;
	second = (now - t->first) / 1000;
	if (second < TALLY_SECONDS)
		t->per_second[second]++;
	t->received++;
	t->octets += octets;
}

void
tally_refused(struct tally *t, uint32_t status)
{
	unsigned i = 0;

	t->refused++;
	while (i < t->status_count && t->statuses[i].status != status)
		i++;
	if (i == TALLY_STATUSES)
		return;
	if (i == t->status_count) {
		t->statuses[i].status = status;
		t->status_count++;
	}
	t->statuses[i].count++;
}

static void
seen_put(uint64_t *seen, size_t room, uint64_t key)
{
	size_t at = key & (room - 1);

	while (seen[at] != 0)
		at = (at + 1) & (room - 1);
	seen[at] = key;
}

static bool
seen_grow(struct tally *t)
{
	size_t room = t->seen_room > 0 ? t->seen_room * 2 : SEEN_FIRST;
	uint64_t *seen = calloc(room, sizeof *seen);

	if (seen == NULL)
		return false;
	for (size_t i = 0; i < t->seen_room; i++)
		if (t->seen[i] != 0)
			seen_put(seen, room, t->seen[i]);
	free(t->seen);
	t->seen = seen;
	t->seen_room = room;
	return true;
}

void
tally_duplicate(struct tally *t, struct text receiver, struct text user_data)
{
	uint8_t room[KEY_OCTETS + 32];
	struct buf key = buf_on(room, sizeof room);
	uint64_t hash;
	size_t at;

	if (!t->detect)
		return;
	buf_bytes(&key, receiver.at, receiver.len < 31 ? receiver.len : 31);
	buf_u8(&key, 0);
	buf_bytes(&key, user_data.at, user_data.len < KEY_OCTETS ? user_data.len : KEY_OCTETS);
	hash = text_hash(room, key.len);
	hash = hash != 0 ? hash : 1;
	if (t->seen_count * 2 >= t->seen_room && !seen_grow(t))
		return;
	for (at = hash & (t->seen_room - 1); t->seen[at] != 0; at = (at + 1) & (t->seen_room - 1))
		if (t->seen[at] == hash) {
			t->duplicates++;
			return;
		}
	t->seen[at] = hash;
	t->seen_count++;
}

int
tally_record_open(struct tally *t, const char *path, struct err *err)
{
	t->record = fopen(path, "we");
	if (t->record == NULL)
		return err_errno(err, "%s", path);
	setvbuf(t->record, NULL, _IOFBF, 256 * 1024);
	return 0;
}

/* One word, whatever a peer has put into it. */
static void
record_word(struct text t, struct buf *out)
{
	size_t start = out->len;

	text_show(t, out);
	for (size_t i = start; i < out->len; i++)
		if (out->data[i] == ' ')
			out->data[i] = '_';
}

void
tally_record(struct tally *t, wall_t now_us, struct text system_id, struct text receiver,
    struct text user_data)
{
	uint8_t room[1024], shown[WORDS_SHOWN];
	struct buf hex = buf_on(room, sizeof room), who = buf_on(shown, sizeof shown);

	if (t->record == NULL)
		return;
	record_word(system_id, &who);
	buf_u8(&who, ' ');
	record_word(receiver, &who);
	buf_hex(&hex, user_data.at, user_data.len < sizeof room / 2 ? user_data.len :
	    sizeof room / 2, false);
	if (hex.len == 0)
		buf_u8(&hex, '-');
	fprintf(t->record, "%" PRId64 " %.*s %.*s\n", now_us, (int)who.len, (char *)shown,
	    (int)hex.len, (char *)room);
}

static double
seconds_of(const struct tally *t)
{
	return (double)(t->last - t->first) / 1000.0;
}

static uint64_t
peak_of(const struct tally *t)
{
	uint64_t peak = 0;

	for (int i = 0; i < TALLY_SECONDS; i++)
		if (t->per_second[i] > peak)
			peak = t->per_second[i];
	return peak;
}

/* Mean over the time between the first and the last one; all of it when that was one instant. */
static int64_t
rate_of(const struct tally *t)
{
	double seconds = seconds_of(t);

	return (int64_t)(seconds > 0 ? (double)t->received / seconds : (double)t->received);
}

static void
json_statuses(const struct tally *t, struct json *j)
{
	json_open(j, "statuses", '{');
	for (unsigned i = 0; i < t->status_count; i++)
		json_number(j, smpp_status_name(t->statuses[i].status), (int64_t)t->statuses[i].count);
	json_close(j, '}');
	json_open(j, "verdicts", '{');
	for (int i = 0; i < VERDICTS; i++)
		if (t->verdicts[i] > 0)
			json_number(j, verdict_names[i], (int64_t)t->verdicts[i]);
	json_close(j, '}');
}

static void
json_rates(const struct tally *t, struct json *j)
{
	mono_t seconds = t->first != 0 ? (t->last - t->first) / 1000 + 1 : 0;

	json_number(j, "milliseconds", t->last - t->first);
	json_number(j, "rate", rate_of(t));
	json_number(j, "peak", (int64_t)peak_of(t));
	json_open(j, "per_second", '[');
	for (mono_t i = 0; i < seconds && i < TALLY_SECONDS; i++)
		json_number(j, NULL, (int64_t)t->per_second[i]);
	json_close(j, ']');
}

void
tally_json(const struct tally *t, struct buf *out)
{
	const struct {
		const char	*name;
		uint64_t	 count;
	} counts[] = {
		{ "received", t->received }, { "taken", t->taken }, { "refused", t->refused },
		{ "silent", t->silent }, { "dropped", t->dropped }, { "octets", t->octets },
		{ "connections", t->connections }, { "binds", t->binds },
		{ "binds_refused", t->binds_refused }, { "receipts_sent", t->receipts_sent },
		{ "receipts_taken", t->receipts_taken }, { "receipts_again", t->receipts_again },
		{ "receipts_refused", t->receipts_refused }, { "callbacks", t->callbacks },
		{ "messages", t->messages }, { "incomplete", t->incomplete },
	};
	struct json j = { .out = out };

	json_open(&j, NULL, '{');
	json_text(&j, "event", TEXT("summary"));
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		json_number(&j, counts[i].name, (int64_t)counts[i].count);
	if (t->detect)
		json_number(&j, "duplicates", (int64_t)t->duplicates);
	json_statuses(t, &j);
	json_rates(t, &j);
	json_close(&j, '}');
	buf_u8(out, '\n');
}

void
tally_print(const struct tally *t, struct buf *out)
{
	buf_printf(out, "%" PRIu64 " submit_sm in %.1f s (%" PRId64 "/s, at most %" PRIu64 "/s): %" PRIu64
	    " taken, %" PRIu64 " refused", t->received, seconds_of(t), rate_of(t), peak_of(t), t->taken,
	    t->refused);
	for (unsigned i = 0; i < t->status_count; i++)
		buf_printf(out, "%s%s %" PRIu64 "%s", i == 0 ? " (" : ", ",
		    smpp_status_name(t->statuses[i].status), t->statuses[i].count,
		    i + 1 == t->status_count ? ")" : "");
	if (t->silent > 0)
		buf_printf(out, ", %" PRIu64 " not answered", t->silent);
	if (t->dropped > 0)
		buf_printf(out, ", %" PRIu64 " connections cut", t->dropped);
	if (t->detect)
		buf_printf(out, ", %" PRIu64 " duplicates", t->duplicates);
	if (t->receipts_sent > 0)
		buf_printf(out, ", %" PRIu64 " receipts sent, %" PRIu64 " taken", t->receipts_sent,
		    t->receipts_taken);
	if (t->callbacks > 0)
		buf_printf(out, ", %" PRIu64 " callbacks", t->callbacks);
	if (t->messages > 0)
		buf_printf(out, "; %" PRIu64 " messages", t->messages);
	for (int i = 0; i < VERDICTS; i++)
		if (t->verdicts[i] > 0)
			buf_printf(out, ", %" PRIu64 " %s", t->verdicts[i], verdict_names[i]);
	if (t->incomplete > 0)
		buf_printf(out, ", %" PRIu64 " incomplete", t->incomplete);
	buf_u8(out, '\n');
}

void
tally_free(struct tally *t)
{
	if (t->record != NULL)
		fclose(t->record);
	free(t->seen);
	t->record = NULL;
	t->seen = NULL;
}
