/*
 * backlog.c - lanes, ready lists and dues: the order of what waits
 *
 * A lane (one MSISDN) holds its first message inside itself; only lanes with more than one have
 * further items and a record of class counts. So the usual million messages to a million
 * MSISDNs cost 60 octets each: a lane of 56 and its share of the table that finds it.
 *
 * Where a lane stands is decided in one place, lane_place: nowhere while one of it is in turn, in
 * the ready list of its candidate, in the heap of dues, or in both (a candidate passes one that
 * stepped aside until its due).
 *
 * The table that finds lanes grows by one bucket a lane (linear hashing), so no put ever pays for
 * a whole rehash. Slabs never move; all memory goes back when the last message has left.
 *
 * Knows:     the order. Does not: know links but as numbers, or what a message says.
 * Owns:      everything, until backlog_free.
 * Threads:   pure; the loop.
 */
#include "dispatch/backlog.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "dispatch/ages.h"

enum {
	SLAB_BITS = 12, SLAB = 1 << SLAB_BITS,
	LIST_BUCKETS = 4096, FLOW_BUCKETS = 4096, ROUTE_BUCKETS = 1024,
	GROUPS_SEEN = 16,		/* more ordered groups aside in one lane: all grouped ones wait */
	DUE_UNIT = 64			/* ms, of a due in struct more: 8 years in 32 bits */
};
#define DUE_BEFORE	(INT64_C(1) << 35)	/* base lies a year before the first due */
#define TIME_MOST	((UINT64_C(1) << 42) - 1)	/* ms since 1970: the year 2109 */
#define NONE		UINT32_MAX

enum core_state { CORE_WAITS, CORE_IN_TURN, CORE_ASIDE };

struct core {				/* a message: 24 octets */
	uint64_t	id:60, group_a:4;
	uint64_t	due:42, route:12, state:2, klass:2, group_b:6;
	uint64_t	expires:42, flow:14, held:1, :1, group_c:6;
};

struct item {				/* one that is not the first of its lane */
	struct core	core;		/* id 0: a free slot */
	uint32_t	next, lane;
};

struct lane {
	uint64_t	key;
	struct core	first;		/* id 0: a free slot */
	uint32_t	next;		/* item; 0: none */
	uint32_t	chain;		/* of its bucket; of free slots */
	uint32_t	prev, succ;	/* in the ready list; prev: the place in the heap when
					 * timed and without `more` (then it is never listed too) */
	uint32_t	more;		/* 0: it has one message */
	uint32_t	list:24, turn:1, timed:1;	/* list 0: in none */
};

struct more {				/* of a lane that has, or had, several */
	uint32_t	last;		/* item; 0: the first is the last */
	uint32_t	count, classes[CLASSES];
	uint32_t	heap, due;	/* due: in DUE_UNIT since backlog->base */
};

_Static_assert(sizeof(struct item) == 32 && sizeof(struct lane) == 56,
    "64 octets a message, with its share of tables and heap");

struct list {				/* ready lanes of (route, class, flow) */
	uint32_t	key, chain;
	uint32_t	head, tail;	/* lanes */
	uint32_t	next, prev;	/* ring of the lists of (route, class) */
};

struct route {
	struct backlog_links may, preferred, serving;
	uint32_t	ring[CLASSES];	/* the list whose turn it is */
	uint32_t	ready[CLASSES];	/* lanes */
	size_t		waiting, items;	/* items: those in turn too */
	uint16_t	chain;
	bool		stale;
};

struct flow {
	char		*account;
	size_t		len;
	uint16_t	chain;
};

struct link {
	uint16_t	*routes;	/* that it serves now */
	unsigned	 count, room;
	unsigned	 at[CLASSES];	/* whose turn */
	uint8_t		 credit[CLASSES];
	bool		 up;
};

struct pool {				/* slots of one size in slabs; number 0 is never given out */
	size_t		 size, link;	/* link: where a free slot keeps the next free one */
	char		**slabs;
	uint32_t	 slab_count, top, unused;
};

struct backlog {
	struct pool	 lanes, items, mores, lists;
	uint32_t	 **buckets;	/* segments of SLAB lanes' numbers */
	uint32_t	 segments, bucket_count, split;	/* split: a power of two, <= bucket_count */
	uint32_t	 lane_count;
	uint32_t	 *heap, heap_count, heap_room;
	uint32_t	 list_buckets[LIST_BUCKETS];
	struct route	 *routes;
	unsigned	 route_count, route_room;
	uint16_t	 route_buckets[ROUTE_BUCKETS];	/* number + 1 */
	struct flow	 *flows;
	unsigned	 flow_count, flow_room;
	uint16_t	 flow_buckets[FLOW_BUCKETS];	/* number + 1 */
	size_t		 texts;		/* octets of account names */
	struct link	 links[BACKLOG_LINKS];
	size_t		 waiting, in_turn;
	wall_t		 now, base;
	uint64_t	 sweep;		/* where backlog_expired goes on */
	struct backlog_groups closed;
	uint32_t	 forgotten;	/* lanes looked at since backlog_close */
	struct ages	 ages;
};

static const uint8_t weights[CLASSES] = {
	[CLASS_HIGH] = BACKLOG_WEIGHT_HIGH, [CLASS_NORMAL] = BACKLOG_WEIGHT_NORMAL,
	[CLASS_BULK] = BACKLOG_WEIGHT_BULK
};

/* --- slots ------------------------------------------------------------------- */

static inline void *
pool_at(const struct pool *p, uint32_t n)
{
	return p->slabs[n >> SLAB_BITS] + (n & (SLAB - 1)) * p->size;
}

static inline uint32_t *
pool_link(const struct pool *p, uint32_t n)
{
	return (uint32_t *)((char *)pool_at(p, n) + p->link);
}

static uint32_t
pool_take(struct pool *p)		/* zeroed; 0: no memory */
{
	uint32_t n = p->unused;

	if (n != 0) {
		p->unused = *pool_link(p, n);
		memset(pool_at(p, n), 0, p->size);
		return n;
	}
	n = p->top > 0 ? p->top : 1;
	if (n >> SLAB_BITS >= p->slab_count) {
		char **slabs = realloc(p->slabs, (p->slab_count + 1) * sizeof *slabs);

		if (slabs == NULL)
			return 0;
		p->slabs = slabs;
		if ((slabs[p->slab_count] = calloc(SLAB, p->size)) == NULL)
			return 0;
		p->slab_count++;
	}
	p->top = n + 1;
	return n;
}

static void
pool_give(struct pool *p, uint32_t n)
{
	memset(pool_at(p, n), 0, p->size);
	*pool_link(p, n) = p->unused;
	p->unused = n;
}

static void
pool_empty(struct pool *p)
{
	for (uint32_t i = 0; i < p->slab_count; i++)
		free(p->slabs[i]);
	free(p->slabs);
	*p = (struct pool){ .size = p->size, .link = p->link };
}

static size_t
pool_octets(const struct pool *p)
{
	return p->slab_count * (SLAB * p->size + sizeof *p->slabs);
}

static inline struct lane *
lane_at(const struct backlog *b, uint32_t n)
{
	return pool_at(&b->lanes, n);
}

static inline struct item *
item_at(const struct backlog *b, uint32_t n)
{
	return pool_at(&b->items, n);
}

static inline struct more *
more_at(const struct backlog *b, uint32_t n)
{
	return pool_at(&b->mores, n);
}

static inline struct list *
list_at(const struct backlog *b, uint32_t n)
{
	return pool_at(&b->lists, n);
}

static void	heap_sift(struct backlog *, uint32_t at);

static uint32_t
due_units(const struct backlog *b, wall_t due)
{
	wall_t units = (due - b->base + DUE_UNIT - 1) / DUE_UNIT;

	return units < 0 ? 0 : units > UINT32_MAX ? UINT32_MAX : (uint32_t)units;
}

/* A due, and the base that dues are counted from once there is one. */
static uint64_t
due_clamp(struct backlog *b, wall_t due)
{
	if (due > 0 && b->base == 0)
		b->base = due / DUE_UNIT * DUE_UNIT - DUE_BEFORE;
	if (due > 0 && due < b->base)
		due = b->base;
	return due <= 0 ? 0 : (uint64_t)due > TIME_MOST ? TIME_MOST : (uint64_t)due;
}

/* --- finding a lane ---------------------------------------------------------- */

static inline uint64_t
mix(uint64_t h)
{
	h ^= h >> 32;
	h *= UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static inline uint32_t *
bucket_of(const struct backlog *b, uint64_t key)
{
	uint64_t h = mix(key);
	uint32_t n = (uint32_t)(h & (2 * (uint64_t)b->split - 1));

	if (n >= b->bucket_count)
		n &= b->split - 1;
	return &b->buckets[n >> SLAB_BITS][n & (SLAB - 1)];
}

static uint32_t
lane_find(const struct backlog *b, uint64_t key)
{
	uint32_t n;

	if (b->lane_count == 0)
		return 0;
	for (n = *bucket_of(b, key); n != 0 && lane_at(b, n)->key != key;)
		n = lane_at(b, n)->chain;
	return n;
}

/* One bucket more: the lanes of the one it splits from are dealt out anew. */
static int
buckets_grow(struct backlog *b)
{
	uint32_t n, next, *from;

	if (b->bucket_count >> SLAB_BITS >= b->segments) {
		uint32_t **segments = realloc(b->buckets, (b->segments + 1) * sizeof *segments);

		if (segments == NULL)
			return -1;
		b->buckets = segments;
		if ((segments[b->segments] = calloc(SLAB, sizeof **segments)) == NULL)
			return -1;
		b->segments++;
	}
	if (b->bucket_count == 0) {
		b->bucket_count = b->split = 1;
		return 0;
	}
	n = b->bucket_count - b->split;
	from = &b->buckets[n >> SLAB_BITS][n & (SLAB - 1)];
	n = *from;
	*from = 0;
	if (++b->bucket_count == 2 * b->split)
		b->split *= 2;
	for (; n != 0; n = next) {
		struct lane *l = lane_at(b, n);
		uint32_t *to = bucket_of(b, l->key);

		next = l->chain;
		l->chain = *to;
		*to = n;
	}
	return 0;
}

static uint32_t
lane_make(struct backlog *b, uint64_t key)
{
	uint32_t n, *bucket;

	if (b->lane_count >= b->bucket_count && buckets_grow(b) == -1 && b->bucket_count == 0)
		return 0;
	if ((n = pool_take(&b->lanes)) == 0)
		return 0;
	bucket = bucket_of(b, key);
	*lane_at(b, n) = (struct lane){ .key = key, .chain = *bucket };
	*bucket = n;
	b->lane_count++;
	return n;
}

static void
lane_drop(struct backlog *b, uint32_t n)	/* it is in no list and not timed */
{
	struct lane *l = lane_at(b, n);
	uint32_t *at = bucket_of(b, l->key);

	while (*at != n)
		at = &lane_at(b, *at)->chain;
	*at = l->chain;
	if (l->more != 0)
		pool_give(&b->mores, l->more);
	pool_give(&b->lanes, n);
	b->lane_count--;
}

/* --- the messages of a lane: place 0 is the first, others are items ---------- */

static inline struct core *
core_at(const struct backlog *b, struct lane *l, uint32_t place)
{
	return place == 0 ? &l->first : &item_at(b, place)->core;
}

static inline uint32_t
core_next(const struct backlog *b, const struct lane *l, uint32_t place)
{
	uint32_t next = place == 0 ? l->next : item_at(b, place)->next;

	return next != 0 ? next : NONE;
}

static uint32_t
core_find(const struct backlog *b, struct lane *l, uint64_t id, uint32_t *before)
{
	uint32_t place = 0;

	*before = NONE;
	while (place != NONE && core_at(b, l, place)->id != id) {
		*before = place;
		place = core_next(b, l, place);
	}
	return place;
}

static inline uint16_t
core_group(const struct core *c)
{
	return (uint16_t)(c->group_a << 12 | c->group_b << 6 | c->group_c);
}

static inline uint64_t
time_clamp(wall_t t)
{
	return t <= 0 ? 0 : (uint64_t)t > TIME_MOST ? TIME_MOST : (uint64_t)t;
}

static struct core
core_make(struct backlog *b, const struct backlog_item *i, enum core_state state)
{
	return (struct core){
		.id = i->id, .due = due_clamp(b, i->due), .expires = time_clamp(i->expires),
		.route = i->route, .flow = i->flow, .state = state,
		.klass = i->klass < CLASSES ? i->klass : CLASS_BULK,
		.group_a = i->group >> 12, .group_b = i->group >> 6 & 63, .group_c = i->group & 63
	};
}

static void
core_show(const struct core *c, uint64_t key, struct backlog_item *out)
{
	*out = (struct backlog_item){
		.id = c->id, .key = key, .klass = c->klass, .route = c->route, .flow = c->flow,
		.group = core_group(c), .due = (wall_t)c->due, .expires = (wall_t)c->expires
	};
}

/* Counts of what waits and of what is in turn. */
static void
core_turn(struct backlog *b, struct core *c, enum core_state state)
{
	bool was = c->state == CORE_IN_TURN, is = state == CORE_IN_TURN;

	c->state = state;
	if (was == is)
		return;
	b->in_turn += is ? 1 : (size_t)-1;
	b->waiting += is ? (size_t)-1 : 1;
	b->routes[c->route].waiting += is ? (size_t)-1 : 1;
}

/* Appends; the lane is empty when it was just made. */
static int
lane_append(struct backlog *b, uint32_t n, const struct core *c)
{
	struct lane *l = lane_at(b, n);
	struct more *m;
	uint32_t place;

	if (l->first.id == 0) {
		l->first = *c;
	} else {
		if ((place = pool_take(&b->items)) == 0)
			return -1;
		if (l->more == 0) {
			if ((l->more = pool_take(&b->mores)) == 0) {
				pool_give(&b->items, place);
				return -1;
			}
			m = more_at(b, l->more);
			m->count = m->classes[l->first.klass] = 1;
			if (l->timed) {
				m->heap = l->prev;
				m->due = due_units(b, (wall_t)l->first.due);
				l->prev = 0;
				heap_sift(b, m->heap);	/* rounding up may have moved it */
			}
		}
		m = more_at(b, l->more);
		*item_at(b, place) = (struct item){ .core = *c, .lane = n };
		if (m->last == 0)
			l->next = place;
		else
			item_at(b, m->last)->next = place;
		m->last = place;
	}
	if (l->more != 0 && (l->next != 0)) {
		more_at(b, l->more)->count++;
		more_at(b, l->more)->classes[c->klass]++;
	}
	b->routes[c->route].items++;
	if (c->state == CORE_IN_TURN) {
		b->in_turn++;
	} else {
		b->waiting++;
		b->routes[c->route].waiting++;
	}
	return 0;
}

/* Takes one out. true: the lane is empty now (and still there). */
static bool
lane_cut(struct backlog *b, struct lane *l, uint32_t place, uint32_t before)
{
	struct core *c = core_at(b, l, place);
	struct more *m = l->more != 0 ? more_at(b, l->more) : NULL;
	uint32_t gone = place;

	b->routes[c->route].items--;
	if (c->state == CORE_IN_TURN) {
		b->in_turn--;
	} else {
		b->waiting--;
		b->routes[c->route].waiting--;
	}
	if (m != NULL) {
		m->count--;
		m->classes[c->klass]--;
	}
	if (place == 0) {
		if (l->next == 0) {
			l->first.id = 0;
			return true;
		}
		gone = l->next;
		l->first = item_at(b, gone)->core;
		l->next = item_at(b, gone)->next;
		if (m->last == gone)
			m->last = 0;
	} else {
		uint32_t next = item_at(b, place)->next;

		if (before == 0)
			l->next = next;
		else
			item_at(b, before)->next = next;
		if (m->last == place)
			m->last = before;
	}
	pool_give(&b->items, gone);
	return false;
}

/* --- the heap of dues -------------------------------------------------------- */

static inline wall_t
lane_due(const struct backlog *b, const struct lane *l)
{
	return l->more == 0 ? (wall_t)l->first.due :
	    b->base + (wall_t)more_at(b, l->more)->due * DUE_UNIT;
}

static inline uint32_t *
heap_place(const struct backlog *b, struct lane *l)
{
	return l->more == 0 ? &l->prev : &more_at(b, l->more)->heap;
}

static void
heap_put(struct backlog *b, uint32_t at, uint32_t n)
{
	b->heap[at] = n;
	*heap_place(b, lane_at(b, n)) = at;
}

static void
heap_sift(struct backlog *b, uint32_t at)
{
	uint32_t n = b->heap[at], child;
	wall_t due = lane_due(b, lane_at(b, n));

	for (; at > 0 && lane_due(b, lane_at(b, b->heap[(at - 1) / 2])) > due; at = (at - 1) / 2)
		heap_put(b, at, b->heap[(at - 1) / 2]);
	for (; (child = 2 * at + 1) < b->heap_count; at = child) {
		if (child + 1 < b->heap_count && lane_due(b, lane_at(b, b->heap[child + 1])) <
		    lane_due(b, lane_at(b, b->heap[child])))
			child++;
		if (lane_due(b, lane_at(b, b->heap[child])) >= due)
			break;
		heap_put(b, at, b->heap[child]);
	}
	heap_put(b, at, n);
}

static void
lane_untime(struct backlog *b, struct lane *l)
{
	uint32_t at;

	if (!l->timed)
		return;
	at = *heap_place(b, l);
	l->timed = false;
	if (at != --b->heap_count) {
		b->heap[at] = b->heap[b->heap_count];
		heap_sift(b, at);
	}
}

static int
heap_room(struct backlog *b)
{
	uint32_t room = b->heap_room > 0 ? b->heap_room + b->heap_room / 4 : 1024;
	uint32_t *heap;

	if (b->heap_count < b->heap_room)
		return 0;
	if ((heap = realloc(b->heap, room * sizeof *heap)) == NULL)
		return -1;
	b->heap = heap;
	b->heap_room = room;
	return 0;
}

static void
lane_time(struct backlog *b, uint32_t n, struct lane *l, wall_t due)
{
	if (l->more != 0)
		more_at(b, l->more)->due = due_units(b, due);
	if (!l->timed) {
		if (heap_room(b) == -1)
			return;
		l->timed = true;
		b->heap[b->heap_count] = n;
		*heap_place(b, l) = b->heap_count++;
	}
	heap_sift(b, *heap_place(b, l));
}

/* --- ready lists ------------------------------------------------------------- */

static inline uint32_t
list_key(unsigned route, unsigned klass, unsigned flow)
{
	return (uint32_t)(route << 16 | klass << 14 | flow);
}

static inline uint32_t *
list_bucket(struct backlog *b, uint32_t key)
{
	return &b->list_buckets[mix(key) % LIST_BUCKETS];
}

static uint32_t
list_find(struct backlog *b, uint32_t key)
{
	uint32_t n = *list_bucket(b, key);

	while (n != 0 && list_at(b, n)->key != key)
		n = list_at(b, n)->chain;
	return n;
}

static uint32_t
list_make(struct backlog *b, uint32_t key)
{
	uint32_t n = pool_take(&b->lists), *bucket = list_bucket(b, key);
	uint32_t *ring = &b->routes[key >> 16].ring[key >> 14 & 3];
	struct list *s;

	if (n == 0 || n >= 1u << 24)
		return 0;
	s = list_at(b, n);
	*s = (struct list){ .key = key, .chain = *bucket, .next = n, .prev = n };
	*bucket = n;
	if (*ring == 0) {
		*ring = n;
		return n;
	}
	s->next = *ring;		/* behind all others of the round */
	s->prev = list_at(b, *ring)->prev;
	list_at(b, s->prev)->next = n;
	list_at(b, s->next)->prev = n;
	return n;
}

static void
list_drop(struct backlog *b, uint32_t n)
{
	struct list *s = list_at(b, n);
	uint32_t *at = list_bucket(b, s->key);
	uint32_t *ring = &b->routes[s->key >> 16].ring[s->key >> 14 & 3];

	while (*at != n)
		at = &list_at(b, *at)->chain;
	*at = s->chain;
	if (*ring == n)
		*ring = s->next != n ? s->next : 0;
	list_at(b, s->prev)->next = s->next;
	list_at(b, s->next)->prev = s->prev;
	pool_give(&b->lists, n);
}

static void
lane_unlist(struct backlog *b, struct lane *l)
{
	struct list *s;

	if (l->list == 0)
		return;
	s = list_at(b, l->list);
	if (l->prev != 0)
		lane_at(b, l->prev)->succ = l->succ;
	else
		s->head = l->succ;
	if (l->succ != 0)
		lane_at(b, l->succ)->prev = l->prev;
	else
		s->tail = l->prev;
	b->routes[s->key >> 16].ready[s->key >> 14 & 3]--;
	if (s->head == 0)
		list_drop(b, l->list);
	l->prev = l->succ = l->list = 0;
}

static void
lane_list(struct backlog *b, uint32_t n, struct lane *l, uint32_t key)
{
	uint32_t to;
	struct list *s;

	if (l->list != 0 && list_at(b, l->list)->key == key)
		return;
	lane_unlist(b, l);
	if ((to = list_find(b, key)) == 0 && (to = list_make(b, key)) == 0)
		return;
	s = list_at(b, to);
	l->list = to & 0xffffff;
	l->prev = s->tail;
	l->succ = 0;
	if (s->tail != 0)
		lane_at(b, s->tail)->succ = n;
	else
		s->head = n;
	s->tail = n;
	b->routes[key >> 16].ready[key >> 14 & 3]++;
}

/* --- whose turn is it in a lane? ---------------------------------------------- */

struct groups {
	unsigned	count;
	uint16_t	seen[GROUPS_SEEN];
};

static void
groups_add(struct groups *g, uint16_t group)
{
	if (group == 0)
		return;
	if (g->count < GROUPS_SEEN)
		g->seen[g->count] = group;
	g->count++;
}

static bool
groups_block(const struct groups *g, uint16_t group)
{
	if (group == 0 || g->count == 0)
		return false;
	for (unsigned i = 0; i < g->count && i < GROUPS_SEEN; i++)
		if (g->seen[i] == group)
			return true;
	return g->count > GROUPS_SEEN;
}

/* The place of the message whose turn it is, or NONE; *due: when to look again, 0: no need. */
static uint32_t
lane_candidate(const struct backlog *b, struct lane *l, wall_t *due)
{
	struct groups aside = { 0 };
	uint64_t now = time_clamp(b->now);

	*due = 0;
	for (uint32_t place = 0; place != NONE; place = core_next(b, l, place)) {
		const struct core *c = core_at(b, l, place);
		bool ripe = !c->held && c->due <= now;

		if (groups_block(&aside, core_group(c)))
			continue;
		if (ripe)
			return place;
		if (!c->held && (*due == 0 || (wall_t)c->due < *due))
			*due = (wall_t)c->due;
		if (c->state != CORE_ASIDE)
			return NONE;
		groups_add(&aside, core_group(c));
	}
	return NONE;
}

static uint32_t
lane_list_key(const struct backlog *b, struct lane *l, uint32_t place)
{
	const struct core *c = core_at(b, l, place);
	unsigned klass = c->klass;

	if (l->more != 0)
		for (klass = 0; klass < CLASS_BULK && more_at(b, l->more)->classes[klass] == 0;)
			klass++;
	return list_key(c->route, klass, c->flow);
}

/* Without memory for a list or a due the lane stands nowhere; backlog_expired, which passes by
 * every lane, places it again. */
static void
lane_place(struct backlog *b, uint32_t n)
{
	struct lane *l = lane_at(b, n);
	uint32_t place = NONE;
	wall_t due = 0;

	if (!l->turn)
		place = lane_candidate(b, l, &due);
	if (place == NONE)
		lane_unlist(b, l);
	if (due == 0)
		lane_untime(b, l);
	if (place != NONE)
		lane_list(b, n, l, lane_list_key(b, l, place));
	if (due != 0)
		lane_time(b, n, l, due);
}

/* All memory goes back when nothing is left: a burst leaves no mark. */
static void
backlog_rest(struct backlog *b)
{
	if (b->lane_count > 0 || b->lanes.slab_count + b->items.slab_count <= 2)
		return;
	pool_empty(&b->lanes);
	pool_empty(&b->items);
	pool_empty(&b->mores);
	for (uint32_t i = 0; i < b->segments; i++)
		free(b->buckets[i]);
	free(b->buckets);
	free(b->heap);
	b->buckets = NULL;
	b->heap = NULL;
	b->segments = b->bucket_count = b->split = b->heap_count = b->heap_room = 0;
}

/* --- routes, flows, links ---------------------------------------------------- */

static inline bool
links_has(const struct backlog_links *s, unsigned link)
{
	return s->bits[link / 64] >> link % 64 & 1;
}

static void
link_serve(struct backlog *b, unsigned link, unsigned route)
{
	struct link *k = &b->links[link];

	if (k->count == k->room) {
		unsigned room = k->room > 0 ? 2 * k->room : 8;
		uint16_t *routes = realloc(k->routes, room * sizeof *routes);

		if (routes == NULL)
			return;		/* the route is not served by this link until the next change */
		k->routes = routes;
		k->room = room;
	}
	k->routes[k->count++] = (uint16_t)route;
}

/* Those that are up: the preferred ones, or all when none of these is. */
static void
route_serving(struct backlog *b, unsigned number)
{
	struct route *r = &b->routes[number];
	struct backlog_links up = { { 0 } };
	bool preferred = false;

	for (unsigned i = 0; i < BACKLOG_LINKS; i++)
		if (b->links[i].up)
			up.bits[i / 64] |= UINT64_C(1) << i % 64;
	for (unsigned w = 0; w < BACKLOG_LINKS / 64; w++)
		preferred |= (r->preferred.bits[w] & up.bits[w]) != 0;
	for (unsigned w = 0; w < BACKLOG_LINKS / 64; w++)
		r->serving.bits[w] = (preferred ? r->preferred : r->may).bits[w] & up.bits[w];
	for (unsigned i = 0; i < BACKLOG_LINKS; i++)
		if (links_has(&r->serving, i))
			link_serve(b, i, number);
}

static void
routes_serve(struct backlog *b)
{
	for (unsigned i = 0; i < BACKLOG_LINKS; i++)
		b->links[i].count = 0;
	for (unsigned r = 0; r < b->route_count; r++)
		route_serving(b, r);
}

void
backlog_link_up(struct backlog *b, unsigned link, bool up)
{
	if (link >= BACKLOG_LINKS || b->links[link].up == up)
		return;
	b->links[link].up = up;
	routes_serve(b);
}

/* A stale one that nothing waits on any more. */
static int
route_reuse(struct backlog *b, const struct backlog_links *may,
    const struct backlog_links *preferred, uint16_t *bucket)
{
	for (unsigned n = 0; n < b->route_count; n++) {
		struct route *r = &b->routes[n];

		if (!r->stale || r->items > 0)
			continue;
		*r = (struct route){ .may = *may, .preferred = *preferred, .chain = *bucket };
		*bucket = (uint16_t)(n + 1);
		routes_serve(b);
		return (int)n;
	}
	return -1;
}

void
backlog_routes_stale(struct backlog *b)
{
	for (unsigned n = 0; n < b->route_count; n++) {
		struct route *r = &b->routes[n];

		memset(&r->may, 0xff, sizeof r->may);
		memset(&r->preferred, 0, sizeof r->preferred);
		r->stale = true;
	}
	memset(b->route_buckets, 0, sizeof b->route_buckets);
	routes_serve(b);
}

bool
backlog_route_stale(const struct backlog *b, unsigned route)
{
	return b->routes[route].stale;
}

int
backlog_route(struct backlog *b, const struct backlog_links *may,
    const struct backlog_links *preferred)
{
	struct backlog_links key[2] = { *may, *preferred };
	uint16_t *bucket = &b->route_buckets[text_hash(key, sizeof key) % ROUTE_BUCKETS];
	struct route *r;

	for (unsigned n = *bucket; n != 0; n = b->routes[n - 1].chain) {
		r = &b->routes[n - 1];
		if (memcmp(&r->may, may, sizeof *may) == 0 &&
		    memcmp(&r->preferred, preferred, sizeof *preferred) == 0)
			return (int)n - 1;
	}
	if (b->route_count == BACKLOG_ROUTES)
		return route_reuse(b, may, preferred, bucket);
	if (b->route_count == b->route_room) {
		unsigned room = b->route_room > 0 ? 2 * b->route_room : 16;

		if ((r = realloc(b->routes, room * sizeof *r)) == NULL)
			return -1;
		b->routes = r;
		b->route_room = room;
	}
	b->routes[b->route_count] = (struct route){ .may = *may, .preferred = *preferred,
	    .chain = *bucket };
	*bucket = (uint16_t)(b->route_count + 1);
	route_serving(b, b->route_count);
	return (int)b->route_count++;
}

int
backlog_flow(struct backlog *b, const char *account, size_t len)
{
	uint16_t *bucket = &b->flow_buckets[text_hash(account, len) % FLOW_BUCKETS];
	struct flow *f;

	for (unsigned n = *bucket; n != 0; n = f->chain) {
		f = &b->flows[n - 1];
		if (f->len == len && memcmp(f->account, account, len) == 0)
			return (int)n - 1;
	}
	if (b->flow_count == BACKLOG_FLOWS)
		return -1;
	if (b->flow_count == b->flow_room) {
		unsigned room = b->flow_room > 0 ? 2 * b->flow_room : 16;

		if ((f = realloc(b->flows, room * sizeof *f)) == NULL)
			return -1;
		b->flows = f;
		b->flow_room = room;
	}
	f = &b->flows[b->flow_count];
	*f = (struct flow){ .account = malloc(len + 1), .len = len, .chain = *bucket };
	if (f->account == NULL)
		return -1;
	if (len > 0)
		memcpy(f->account, account, len);
	b->texts += len + 1;
	*bucket = (uint16_t)(b->flow_count + 1);
	return (int)b->flow_count++;
}

/* --- in and out -------------------------------------------------------------- */

struct backlog *
backlog_new(void)
{
	struct backlog *b = calloc(1, sizeof *b);

	if (b == NULL)
		return NULL;
	b->lanes = (struct pool){ .size = sizeof(struct lane), .link = offsetof(struct lane, chain) };
	b->items = (struct pool){ .size = sizeof(struct item), .link = offsetof(struct item, next) };
	b->mores = (struct pool){ .size = sizeof(struct more), .link = offsetof(struct more, last) };
	b->lists = (struct pool){ .size = sizeof(struct list), .link = offsetof(struct list, chain) };
	if (backlog_flow(b, "", 0) == -1)	/* flow 0: of no account, and of too many */
		backlog_free(&b);
	return b;
}

void
backlog_free(struct backlog **bp)
{
	struct backlog *b = *bp;

	if (b == NULL)
		return;
	pool_empty(&b->lanes);
	pool_empty(&b->items);
	pool_empty(&b->mores);
	pool_empty(&b->lists);
	ages_free(&b->ages);
	for (uint32_t i = 0; i < b->segments; i++)
		free(b->buckets[i]);
	free(b->buckets);
	free(b->heap);
	for (unsigned i = 0; i < b->flow_count; i++)
		free(b->flows[i].account);
	free(b->flows);
	free(b->routes);
	for (unsigned i = 0; i < BACKLOG_LINKS; i++)
		free(b->links[i].routes);
	free(b);
	*bp = NULL;
}

static inline bool
group_closed(const struct backlog *b, uint64_t key)
{
	return (b->closed.bits[key >> 62] >> (key >> 56 & 63) & 1) != 0;
}

static int
backlog_add(struct backlog *b, const struct backlog_item *i, enum core_state state)
{
	struct core c = core_make(b, i, state);
	uint32_t n = lane_find(b, i->key);
	bool made = n == 0;

	if (group_closed(b, i->key))
		return 0;
	if (made && (n = lane_make(b, i->key)) == 0)
		return -1;
	if (lane_append(b, n, &c) == -1)
		return -1;		/* an item of a lane that was there: nothing to undo */
	ages_enter(&b->ages, i->id, i->accepted);
	if (state == CORE_IN_TURN)
		lane_at(b, n)->turn = true;
	lane_place(b, n);
	return 0;
}

int
backlog_put(struct backlog *b, const struct backlog_item *i)
{
	return backlog_add(b, i, i->aside && i->due > 0 ? CORE_ASIDE : CORE_WAITS);
}

int
backlog_put_in_turn(struct backlog *b, const struct backlog_item *i)
{
	uint32_t n = lane_find(b, i->key);

	if (n != 0 && lane_at(b, n)->turn)
		return -1;
	return backlog_add(b, i, CORE_IN_TURN);
}

bool
backlog_ready(const struct backlog *b, unsigned link)
{
	const struct link *k = &b->links[link];

	for (unsigned i = 0; i < k->count; i++) {
		const uint32_t *ready = b->routes[k->routes[i]].ready;

		if ((ready[CLASS_HIGH] | ready[CLASS_NORMAL] | ready[CLASS_BULK]) != 0)
			return true;
	}
	return false;
}

bool
backlog_idle(const struct backlog *b, uint64_t key, unsigned link)
{
	return lane_find(b, key) == 0 && !backlog_ready(b, link);
}

/* The next list of a class in the round over the link's routes and their flows; 0: none. */
static uint32_t
link_list(struct backlog *b, struct link *k, unsigned klass)
{
	for (unsigned i = 0; i < k->count; i++) {
		unsigned at = (k->at[klass] + i) % k->count;
		struct route *r = &b->routes[k->routes[at]];
		uint32_t n = r->ring[klass];

		if (n == 0)
			continue;
		k->at[klass] = at + 1;
		r->ring[klass] = list_at(b, n)->next;
		return n;
	}
	return 0;
}

/* By weight: who has credit and something ready, best class first; new credit for all when
 * nobody has both. */
static uint32_t
link_pick(struct backlog *b, struct link *k)
{
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned c = 0; c < CLASSES; c++) {
			uint32_t n = k->credit[c] > 0 ? link_list(b, k, c) : 0;

			if (n != 0) {
				k->credit[c]--;
				return n;
			}
		}
		memcpy(k->credit, weights, sizeof weights);
	}
	return 0;
}

static void	lane_forget(struct backlog *, uint32_t lane, bool in_turn);

bool
backlog_take(struct backlog *b, unsigned link, wall_t now, struct backlog_item *out)
{
	uint32_t list, n, place;
	wall_t due;

	b->now = now;
	while ((list = link_pick(b, &b->links[link])) != 0) {
		struct lane *l = lane_at(b, n = list_at(b, list)->head);

		if (group_closed(b, l->key)) {
			lane_forget(b, n, false);
			continue;
		}
		place = lane_candidate(b, l, &due);
		if (place == NONE || lane_list_key(b, l, place) != list_at(b, list)->key) {
			lane_place(b, n);	/* the hour has changed whose turn it is */
			continue;
		}
		lane_unlist(b, l);
		lane_untime(b, l);
		l->turn = true;
		core_turn(b, core_at(b, l, place), CORE_IN_TURN);
		core_show(core_at(b, l, place), l->key, out);
		if (l->more != 0 && l->next == 0) {
			pool_give(&b->mores, l->more);
			l->more = 0;
		}
		return true;
	}
	return false;
}

/* The message and its lane, or NULL. */
static struct core *
backlog_find(const struct backlog *b, uint64_t id, uint64_t key, uint32_t *lane, uint32_t *place,
    uint32_t *before)
{
	if ((*lane = lane_find(b, key)) == 0)
		return NULL;
	*place = core_find(b, lane_at(b, *lane), id, before);
	return *place != NONE ? core_at(b, lane_at(b, *lane), *place) : NULL;
}

static void
backlog_cut(struct backlog *b, uint32_t n, uint32_t place, uint32_t before)
{
	struct lane *l = lane_at(b, n);

	ages_leave(&b->ages, core_at(b, l, place)->id);
	if (core_at(b, l, place)->state == CORE_IN_TURN)
		l->turn = false;
	if (l->next == 0) {		/* the last one: leave lists while its due is still known */
		lane_unlist(b, l);
		lane_untime(b, l);
	}
	if (lane_cut(b, l, place, before)) {
		lane_drop(b, n);
		backlog_rest(b);
	} else {
		lane_place(b, n);
	}
}

void
backlog_done(struct backlog *b, uint64_t id, uint64_t key)
{
	uint32_t n, place, before;

	if (backlog_find(b, id, key, &n, &place, &before) != NULL)
		backlog_cut(b, n, place, before);
}

bool
backlog_remove(struct backlog *b, uint64_t id, uint64_t key)
{
	uint32_t n, place, before;
	struct core *c = backlog_find(b, id, key, &n, &place, &before);

	if (c == NULL || c->state == CORE_IN_TURN)
		return false;
	backlog_cut(b, n, place, before);
	return true;
}

bool
backlog_waiting(const struct backlog *b, uint64_t id, uint64_t key)
{
	uint32_t n, place, before;
	struct core *c = backlog_find(b, id, key, &n, &place, &before);

	return c != NULL && c->state != CORE_IN_TURN;
}

static void
backlog_turn_ends(struct backlog *b, uint64_t id, uint64_t key, enum core_state state, wall_t due)
{
	uint32_t n, place, before;
	struct core *c = backlog_find(b, id, key, &n, &place, &before);
	struct lane *l;

	if (c == NULL)
		return;
	if (group_closed(b, key)) {
		backlog_cut(b, n, place, before);
		return;
	}
	l = lane_at(b, n);
	lane_untime(b, l);		/* before its due changes */
	if (c->state == CORE_IN_TURN)
		l->turn = false;
	core_turn(b, c, state);
	c->due = due_clamp(b, due);
	lane_place(b, n);
}

void
backlog_again(struct backlog *b, uint64_t id, uint64_t key, wall_t due)
{
	backlog_turn_ends(b, id, key, CORE_WAITS, due);
}

void
backlog_pass(struct backlog *b, uint64_t id, uint64_t key, wall_t due)
{
	backlog_turn_ends(b, id, key, CORE_ASIDE, due);
}

bool
backlog_hold(struct backlog *b, uint64_t id, uint64_t key, bool hold)
{
	uint32_t n, place, before;
	struct core *c = backlog_find(b, id, key, &n, &place, &before);

	if (c == NULL || c->state == CORE_IN_TURN)
		return false;
	c->held = hold;
	lane_place(b, n);
	return true;
}

void
backlog_reroute(struct backlog *b, uint64_t id, uint64_t key, unsigned route)
{
	uint32_t n, place, before;
	struct core *c = backlog_find(b, id, key, &n, &place, &before);

	if (c == NULL || c->state != CORE_IN_TURN)
		return;
	b->routes[c->route].items--;
	c->route = route;
	b->routes[c->route].items++;
}

void
backlog_expires(struct backlog *b, uint64_t id, uint64_t key, wall_t expires)
{
	uint32_t n, place, before;
	struct core *c = backlog_find(b, id, key, &n, &place, &before);

	if (c != NULL)
		c->expires = time_clamp(expires);
}

/* --- time -------------------------------------------------------------------- */

wall_t
backlog_wake(struct backlog *b, wall_t now)
{
	b->now = now;
	while (b->heap_count > 0) {
		uint32_t n = b->heap[0];
		struct lane *l = lane_at(b, n);

		if (lane_due(b, l) > now)
			return lane_due(b, l);
		lane_untime(b, l);
		lane_place(b, n);
		if (l->timed && lane_due(b, l) <= now)	/* beyond what 32 bits count */
			return now + 1000;
	}
	return 0;
}

void
backlog_expired(struct backlog *b, wall_t now, size_t most,
    void (*fn)(void *arg, const struct backlog_item *), void *arg)
{
	uint64_t slots = (uint64_t)b->lanes.top + b->items.top;
	uint64_t limit = time_clamp(now);

	if (most > slots)
		most = (size_t)slots;
	for (; most > 0; most--, b->sweep++) {
		struct backlog_item out;
		const struct core *c;
		uint64_t key;

		if (b->sweep >= (uint64_t)b->lanes.top + b->items.top)
			b->sweep = 0;
		if (b->lanes.top == 0)
			return;
		if (b->sweep == 0 || b->sweep == b->lanes.top)
			continue;			/* number 0 of a pool */
		if (b->sweep < b->lanes.top) {
			struct lane *l = lane_at(b, (uint32_t)b->sweep);

			c = &l->first;
			key = l->key;
			if (c->id != 0 && !l->turn && !l->timed && l->list == 0)
				lane_place(b, (uint32_t)b->sweep);
		} else {
			const struct item *i = item_at(b, (uint32_t)(b->sweep - b->lanes.top));

			c = &i->core;
			key = i->lane != 0 ? lane_at(b, i->lane)->key : 0;
		}
		if (c->id == 0 || c->state == CORE_IN_TURN || c->held || c->expires == 0 ||
		    c->expires > limit)
			continue;
		core_show(c, key, &out);
		fn(arg, &out);
	}
}

/* --- closed groups ----------------------------------------------------------- */

static void
lane_forget(struct backlog *b, uint32_t n, bool in_turn)
{
	uint32_t place = 0, before = NONE;
	struct lane *l = lane_at(b, n);

	while (place != NONE) {
		bool last = l->next == 0;

		if (core_at(b, l, place)->state == CORE_IN_TURN && !in_turn) {
			before = place;
			place = core_next(b, l, place);
			continue;
		}
		backlog_cut(b, n, place, before);
		if (last)
			return;		/* and with it the lane */
		place = before == NONE ? 0 : core_next(b, l, before);
	}
}

void
backlog_close(struct backlog *b, const struct backlog_groups *groups)
{
	for (size_t i = 0; i < sizeof groups->bits / sizeof *groups->bits; i++)
		b->closed.bits[i] |= groups->bits[i];
	b->forgotten = 0;
}

bool
backlog_forget(struct backlog *b, size_t most, bool in_turn)
{
	for (; most > 0 && b->forgotten < b->lanes.top; most--, b->forgotten++)
		if (b->forgotten != 0 && lane_at(b, b->forgotten)->first.id != 0 &&
		    group_closed(b, lane_at(b, b->forgotten)->key))
			lane_forget(b, b->forgotten, in_turn);
	return b->forgotten >= b->lanes.top;
}

void
backlog_open(struct backlog *b, const struct backlog_groups *groups)
{
	bool was = false;

	for (size_t i = 0; i < sizeof groups->bits / sizeof *groups->bits; i++)
		was |= (b->closed.bits[i] & groups->bits[i]) != 0;
	if (!was)
		return;
	b->forgotten = 0;
	backlog_forget(b, SIZE_MAX, true);
	for (size_t i = 0; i < sizeof groups->bits / sizeof *groups->bits; i++)
		b->closed.bits[i] &= ~groups->bits[i];
}

/* --- figures ----------------------------------------------------------------- */

size_t
backlog_count(const struct backlog *b)
{
	return b->waiting;
}

size_t
backlog_count_route(const struct backlog *b, unsigned route)
{
	return route < b->route_count ? b->routes[route].waiting : 0;
}

size_t
backlog_count_link(const struct backlog *b, unsigned link)
{
	size_t n = 0;

	for (unsigned r = 0; r < b->route_count; r++)
		if (!b->routes[r].stale && links_has(&b->routes[r].may, link))
			n += b->routes[r].waiting;
	return n;
}

wall_t
backlog_oldest(const struct backlog *b)
{
	return ages_oldest(&b->ages);
}

size_t
backlog_octets(const struct backlog *b)
{
	size_t n = sizeof *b + pool_octets(&b->lanes) + pool_octets(&b->items) +
	    pool_octets(&b->mores) + pool_octets(&b->lists) + b->texts + ages_octets(&b->ages);

	n += b->segments * (SLAB * sizeof **b->buckets + sizeof *b->buckets);
	n += b->heap_room * sizeof *b->heap + b->route_room * sizeof *b->routes +
	    b->flow_room * sizeof *b->flows;
	for (unsigned i = 0; i < BACKLOG_LINKS; i++)
		n += b->links[i].room * sizeof *b->links[i].routes;
	return n;
}
