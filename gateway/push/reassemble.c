/*
 * reassemble.c - joins the segments of a message
 *
 * A set is one block of memory: a slot for each segment, so that segments in any
 * order are copied once; when the last one came, the slots are pushed together. Sets
 * stand in a hash table (by key) and in a list (by age).
 *
 * Knows:     user data headers (udh.h).
 * Does not:  know coding, WSP, or who waits for the message.
 * Owns:      the sets; the last complete one until the next call.
 * Threads:   pure; a reassembly belongs to one thread at a time.
 */
#include "push/reassemble.h"

#include <stdlib.h>
#include <string.h>

#include "push/udh.h"

enum {
	SLOT_OCTETS = 160,		/* 153 septets, one an octet, or 134 octets */
	BUCKETS_MOST = 1 << 16
};

struct set {
	struct set	*next_in_bucket;
	struct set	*older, *newer;
	uint64_t	 hash;
	mono_t		 since;
	size_t		 octets;	/* of this block */
	size_t		 originator_len;
	uint16_t	 reference, port_to, port_from;
	bool		 wide, ports;
	uint8_t		 total, missing;
	uint8_t		*slots;		/* total * SLOT_OCTETS */
	uint8_t		*originator;
	uint8_t		 lens[];	/* of each slot, +1; 0: not there yet */
};

struct reassembly {
	struct reassembly_limits limits;
	struct reassembly_counts counts;
	struct set	*oldest, *newest;
	struct set	*done;		/* handed out */
	size_t		 mask;
	struct set	*buckets[];
};

struct reassembly *
reassembly_new(const struct reassembly_limits *limits)
{
	size_t n = 16;
	struct reassembly *r;

	while (n < limits->sets && n < BUCKETS_MOST)
		n *= 2;
	if ((r = calloc(1, sizeof *r + n * sizeof *r->buckets)) == NULL)
		return NULL;
	r->limits = *limits;
	r->mask = n - 1;
	return r;
}

static void
set_unlink(struct reassembly *r, struct set *s)
{
	struct set **link = &r->buckets[s->hash & r->mask];

	while (*link != s)
		link = &(*link)->next_in_bucket;
	*link = s->next_in_bucket;
	*(s->older != NULL ? &s->older->newer : &r->oldest) = s->newer;
	*(s->newer != NULL ? &s->newer->older : &r->newest) = s->older;
	r->counts.sets--;
	r->counts.octets -= s->octets;
}

static void
set_drop(struct reassembly *r, struct set *s)
{
	set_unlink(r, s);
	free(s);
	r->counts.dropped++;
}

void
reassembly_free(struct reassembly **rp)
{
	struct reassembly *r = *rp;

	if (r == NULL)
		return;
	while (r->oldest != NULL)
		set_drop(r, r->oldest);
	free(r->done);
	free(r);
	*rp = NULL;
}

static uint64_t
key_hash(struct text originator, const struct udh *u)
{
	uint64_t h = text_hash(originator.at, originator.len);

	h ^= ((uint64_t)u->wide << 24 | (uint64_t)u->reference << 8 | u->total) *
	    0x9E3779B97F4A7C15u;
	return h ^ h >> 32;
}

static bool
set_is(const struct set *s, struct text originator, const struct udh *u)
{
	return s->reference == u->reference && s->total == u->total && s->wide == u->wide &&
	    s->originator_len == originator.len &&
	    memcmp(s->originator, originator.at, originator.len) == 0;
}

static struct set *
set_find(struct reassembly *r, uint64_t hash, struct text originator, const struct udh *u)
{
	struct set *s = r->buckets[hash & r->mask];

	while (s != NULL && (s->hash != hash || !set_is(s, originator, u)))
		s = s->next_in_bucket;
	return s;
}

static struct set *
set_new(struct reassembly *r, uint64_t hash, struct text originator, const struct udh *u,
    mono_t now)
{
	size_t octets = sizeof(struct set) + u->total + (size_t)u->total * SLOT_OCTETS +
	    originator.len;
	struct set *s;

	if (octets > r->limits.octets || r->limits.sets == 0)
		return NULL;
	while (r->counts.sets >= r->limits.sets || r->counts.octets + octets > r->limits.octets)
		set_drop(r, r->oldest);
	if ((s = malloc(octets)) == NULL)
		return NULL;
	*s = (struct set){
		.hash = hash, .since = now, .octets = octets, .originator_len = originator.len,
		.reference = u->reference, .wide = u->wide, .total = u->total, .missing = u->total,
		.ports = u->ports, .port_to = u->port_to, .port_from = u->port_from,
		.next_in_bucket = r->buckets[hash & r->mask], .older = r->newest,
	};
	memset(s->lens, 0, u->total);
	s->slots = s->lens + u->total;
	s->originator = s->slots + (size_t)u->total * SLOT_OCTETS;
	memcpy(s->originator, originator.at, originator.len);
	r->buckets[hash & r->mask] = s;
	*(r->newest != NULL ? &r->newest->newer : &r->oldest) = s;
	r->newest = s;
	r->counts.sets++;
	r->counts.octets += octets;
	return s;
}

static bool
slot_is(const struct set *s, const struct udh *u, struct text data)
{
	size_t i = u->number - 1u;

	return s->lens[i] == data.len + 1 &&
	    memcmp(s->slots + i * SLOT_OCTETS, data.at, data.len) == 0;
}

/* A set that this segment cannot belong to: the reference came round. */
static bool
contradicts(const struct set *s, const struct udh *u, struct text data)
{
	if (s->ports != u->ports || (u->ports && s->port_to != u->port_to))
		return true;
	return s->lens[u->number - 1] != 0 && !slot_is(s, u, data);
}

static void
finish(struct reassembly *r, struct set *s, struct whole *w)
{
	size_t len = 0;

	for (size_t i = 0; i < s->total; i++) {
		size_t n = s->lens[i] - 1u;

		memmove(s->slots + len, s->slots + i * SLOT_OCTETS, n);
		len += n;
	}
	set_unlink(r, s);
	r->done = s;
	r->counts.joined++;
	*w = (struct whole){
		.data = { (const char *)s->slots, len }, .segments = s->total,
		.ports = s->ports, .port_to = s->port_to, .port_from = s->port_from,
	};
}

static int
join(struct reassembly *r, struct text originator, const struct udh *u, struct text data,
    mono_t now, struct whole *w, struct err *err)
{
	uint64_t hash = key_hash(originator, u);
	struct set *s = set_find(r, hash, originator, u);

	if (data.len > SLOT_OCTETS)
		return err_set(err, ERR_LIMIT, "a segment of %zu octets: a short message holds at "
		    "most %d", data.len, SLOT_OCTETS);
	if (s != NULL && contradicts(s, u, data)) {
		set_drop(r, s);
		s = NULL;
	}
	if (s == NULL && (s = set_new(r, hash, originator, u, now)) == NULL)
		return err_set(err, ERR_LIMIT, "no room for a message of %u segments", u->total);
	if (s->lens[u->number - 1] == 0) {
		memcpy(s->slots + (u->number - 1u) * SLOT_OCTETS, data.at, data.len);
		s->lens[u->number - 1] = (uint8_t)(data.len + 1);
		s->missing--;
	}
	if (s->missing > 0)
		return REASSEMBLY_WAITS;
	finish(r, s, w);
	return REASSEMBLY_WHOLE;
}

int
reassembly_add(struct reassembly *r, struct text originator, struct text user_data, bool header,
    mono_t now, struct whole *w, struct err *err)
{
	struct udh u = { 0 };

	free(r->done);
	r->done = NULL;
	while (r->oldest != NULL && now - r->oldest->since > r->limits.age_ms)
		set_drop(r, r->oldest);
	if (header) {
		if (udh_read(user_data, &u, err) == -1)
			return REASSEMBLY_BAD;
		user_data.at += u.octets;
		user_data.len -= u.octets;
	}
	if (u.concat && u.total > 1)
		return join(r, originator, &u, user_data, now, w, err);
	*w = (struct whole){ .data = user_data, .ports = u.ports, .port_to = u.port_to,
		.port_from = u.port_from, .segments = 1 };
	return REASSEMBLY_WHOLE;
}

void
reassembly_count(const struct reassembly *r, struct reassembly_counts *counts)
{
	*counts = r->counts;
}
