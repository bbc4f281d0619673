/*
 * notify.c - who is called next, and what follows from the answer
 *
 * An entry is in one place: with nobody (PREPARED, or BEHIND an older one of its message), in its
 * receiver's line (READY), in the heap of dues (LATER), or under way (READING its row, CALLING).
 * Receivers with somebody in line stand in a ring and take turns.
 *
 * A receiver that was forgotten (nothing waits for it) is forgotten with its failures.
 *
 * Knows:     retry.h, the ledger, a table that calls.
 * Does not:  know HTTP, nor whether a notification matters.
 * Owns:      entries, receivers, URLs in memory, calls under way.
 * Threads:   the loop.
 */
#include "dispatch/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "io/log.h"
#include "io/loop.h"
#include "push/message.h"

enum { SLAB = 1024, RECEIVERS_MOST = 65535, RECEIVER_BUCKETS = 1024, NAME_MOST = 256,
    NOBODY = 0, THE_REST = 1,		/* numbers of receivers */
    REST_FIRST = 1000, REST_MOST = 30 * 1000, GIVEN_UP_A_TURN = 1000, TROUBLE_WAIT = 1000 };

enum entry_state { ENTRY_FREE, ENTRY_PREPARED, ENTRY_BEHIND, ENTRY_READY, ENTRY_LATER,
    ENTRY_READING, ENTRY_CALLING };

struct url {
	wall_t		 until;
	size_t		 octets;	/* of this block */
	char		 text[];
};

struct entry {				/* 48 octets */
	uint64_t	 id:60, state:4;
	uint64_t	 message, order_key;
	struct url	*url;		/* NULL: in the row only */
	uint32_t	 due;		/* seconds since 1970, rounded up */
	uint32_t	 next;		/* in line; of free ones; LATER: place in the heap */
	uint32_t	 chain;		/* of its message's bucket */
	uint16_t	 tries, receiver;
};

_Static_assert(sizeof(struct entry) == 48, "a million notifications wait in 48 MB");

struct receiver {
	char		*name;		/* NULL: free */
	uint32_t	 entries;
	uint32_t	 first, last;	/* in line */
	unsigned	 in_flight, failures;	/* failures: in a row */
	mono_t		 rest_until;
	uint16_t	 next, prev;	/* ring */
	uint16_t	 chain;
	bool		 in_ring;
};

struct call {
	struct notify	*notify;
	struct call	*next, *prev;	/* under way; next: free */
	void		*handle;	/* NULL while the row is read */
	uint32_t	 entry;
	wall_t		 until;
	mono_t		 started;
};

struct notify {
	struct loop	*loop;
	struct ledger	*ledger;
	struct notify_calls calls;
	struct notify_conf conf;
	struct entry	**slabs;
	uint32_t	 slab_count, used, unused;
	size_t		 count;
	uint32_t	 *buckets;	/* by message */
	size_t		 bucket_count;
	uint32_t	 *heap, heap_count, heap_room;
	struct receiver	 *receivers;
	unsigned	 receiver_count, receiver_room;
	uint16_t	 receiver_free;	/* number; 0: none (0 is never given out) */
	uint16_t	 receiver_buckets[RECEIVER_BUCKETS];
	uint16_t	 ring;		/* whose turn it is; 0: nobody */
	struct call	 *under_way, *spare;
	unsigned	 in_flight;
	size_t		 urls;		/* octets in memory */
	struct buf	 url;		/* the last row's */
	struct soon	 pump;
	struct timer	 *timer;
	struct store_parts gone;	/* another node's: nothing of them stays here */
	struct notify_status status;
};

/* --- entries ---------------------------------------------------------------------- */

static inline struct entry *
entry_at(const struct notify *n, uint32_t number)
{
	return &n->slabs[number / SLAB][number % SLAB];
}

static inline uint32_t *
bucket_of(const struct notify *n, uint64_t message)
{
	return &n->buckets[(message * UINT64_C(0x9e3779b97f4a7c15) >> 24) & (n->bucket_count - 1)];
}

static void
buckets_grow(struct notify *n)
{
	size_t old_count = n->bucket_count, count = old_count > 0 ? 2 * old_count : 1024;
	uint32_t *old = n->buckets, *buckets = calloc(count, sizeof *buckets);

	if (buckets == NULL)
		return;		/* longer chains */
	n->buckets = buckets;
	n->bucket_count = count;
	for (size_t i = 0; i < old_count; i++) {
		for (uint32_t e = old[i], next; e != 0; e = next) {
			uint32_t *to = bucket_of(n, entry_at(n, e)->message);

			next = entry_at(n, e)->chain;
			entry_at(n, e)->chain = *to;
			*to = e;
		}
	}
	free(old);
}

static uint32_t
entry_new(struct notify *n)		/* 0: no memory */
{
	uint32_t number = n->unused;

	if (number != 0) {
		n->unused = entry_at(n, number)->next;
		return number;
	}
	number = n->used > 0 ? n->used : 1;
	if (number / SLAB >= n->slab_count) {
		struct entry **slabs = realloc(n->slabs, (n->slab_count + 1) * sizeof *slabs);

		if (slabs == NULL)
			return 0;
		n->slabs = slabs;
		if ((slabs[n->slab_count] = calloc(SLAB, sizeof **slabs)) == NULL)
			return 0;
		n->slab_count++;
	}
	n->used = number + 1;
	return number;
}

static void
url_drop(struct notify *n, struct entry *e)
{
	if (e->url == NULL)
		return;
	n->urls -= e->url->octets;
	free(e->url);
	e->url = NULL;
}

static void
url_keep(struct notify *n, struct entry *e, struct text url, wall_t until)
{
	size_t octets = sizeof *e->url + url.len + 1;

	if (n->urls + octets > NOTIFY_URLS_MOST || (e->url = malloc(octets)) == NULL)
		return;
	*e->url = (struct url){ .until = until, .octets = octets };
	memcpy(e->url->text, url.at, url.len);
	e->url->text[url.len] = '\0';
	n->urls += octets;
}

/* --- receivers -------------------------------------------------------------------- */

/* "http://host:port" of a URL: who is called. User and password are nobody's business but the call's. */
static struct text
receiver_name(struct text url, char out[NAME_MOST])
{
	struct buf b = buf_on(out, NAME_MOST);
	size_t scheme = 0, end, user = 0;

	for (size_t i = 0; i + 2 < url.len && scheme == 0; i++)
		if (memcmp(url.at + i, "://", 3) == 0)
			scheme = i + 3;
	for (end = scheme; end < url.len && memchr("/?#", url.at[end], 3) == NULL; end++)
		if (url.at[end] == '@')
			user = end + 1;
	if (user == 0)
		user = scheme;
	buf_bytes(&b, url.at, scheme < NAME_MOST ? scheme : NAME_MOST);
	buf_bytes(&b, url.at + user, end - user < NAME_MOST - b.len ? end - user : NAME_MOST - b.len);
	return (struct text){ out, b.len };
}

static uint16_t
receiver_slot(struct notify *n)		/* NOBODY: no room */
{
	uint16_t number = n->receiver_free;

	if (number != NOBODY) {
		n->receiver_free = n->receivers[number].chain;
		return number;
	}
	if (n->receiver_count >= n->receiver_room) {
		unsigned room = n->receiver_room > 0 ? 2 * n->receiver_room : 32;
		struct receiver *r;

		if (n->receiver_count >= RECEIVERS_MOST ||
		    (r = realloc(n->receivers, room * sizeof *r)) == NULL)
			return NOBODY;
		n->receivers = r;
		n->receiver_room = room;
	}
	return (uint16_t)n->receiver_count++;
}

static uint16_t *
receiver_bucket(struct notify *n, struct text name)
{
	return &n->receiver_buckets[text_hash(name.at, name.len) % RECEIVER_BUCKETS];
}

/* Those beyond RECEIVERS_MOST share one line. */
static uint16_t
receiver_of(struct notify *n, struct text url)
{
	char room[NAME_MOST];
	struct text name = receiver_name(url, room);
	uint16_t *bucket, number;

	bucket = receiver_bucket(n, name);
	for (number = *bucket; number != NOBODY; number = n->receivers[number].chain)
		if (text_is(name, n->receivers[number].name))
			return number;
	if ((number = receiver_slot(n)) == NOBODY)
		return THE_REST;
	n->receivers[number] = (struct receiver){ .name = text_dup(name), .chain = *bucket };
	if (n->receivers[number].name == NULL) {
		n->receivers[number].chain = n->receiver_free;
		n->receiver_free = number;
		return THE_REST;
	}
	*bucket = number;
	return number;
}

static void	ring_leave(struct notify *, uint16_t);

static void
receiver_forget(struct notify *n, uint16_t number)	/* nothing waits for it */
{
	struct receiver *r = &n->receivers[number];
	uint16_t *at = receiver_bucket(n, text_of(r->name));

	if (number == THE_REST)
		return;
	ring_leave(n, number);
	while (*at != number)
		at = &n->receivers[*at].chain;
	*at = r->chain;
	free(r->name);
	*r = (struct receiver){ .chain = n->receiver_free };
	n->receiver_free = number;
}

static void
ring_leave(struct notify *n, uint16_t number)
{
	struct receiver *r = &n->receivers[number];

	if (!r->in_ring)
		return;
	r->in_ring = false;
	if (r->next == number) {
		n->ring = NOBODY;
		return;
	}
	n->receivers[r->prev].next = r->next;
	n->receivers[r->next].prev = r->prev;
	if (n->ring == number)
		n->ring = r->next;
}

static void
ring_join(struct notify *n, uint16_t number)	/* behind all others */
{
	struct receiver *r = &n->receivers[number];

	if (r->in_ring || r->first == 0)
		return;
	r->in_ring = true;
	if (n->ring == NOBODY) {
		n->ring = r->next = r->prev = number;
		return;
	}
	r->next = n->ring;
	r->prev = n->receivers[n->ring].prev;
	n->receivers[r->prev].next = number;
	n->receivers[n->ring].prev = number;
}

/* --- where an entry stands ---------------------------------------------------------- */

static void
heap_put(struct notify *n, uint32_t at, uint32_t number)
{
	n->heap[at] = number;
	entry_at(n, number)->next = at;
}

static void
heap_sift(struct notify *n, uint32_t at)
{
	uint32_t number = n->heap[at], due = entry_at(n, number)->due, child;

	for (; at > 0 && entry_at(n, n->heap[(at - 1) / 2])->due > due; at = (at - 1) / 2)
		heap_put(n, at, n->heap[(at - 1) / 2]);
	for (; (child = 2 * at + 1) < n->heap_count; at = child) {
		if (child + 1 < n->heap_count &&
		    entry_at(n, n->heap[child + 1])->due < entry_at(n, n->heap[child])->due)
			child++;
		if (entry_at(n, n->heap[child])->due >= due)
			break;
		heap_put(n, at, n->heap[child]);
	}
	heap_put(n, at, number);
}

static int
heap_add(struct notify *n, uint32_t number)
{
	if (n->heap_count == n->heap_room) {
		uint32_t room = n->heap_room > 0 ? n->heap_room + n->heap_room / 2 : 256;
		uint32_t *heap = realloc(n->heap, room * sizeof *heap);

		if (heap == NULL)
			return -1;
		n->heap = heap;
		n->heap_room = room;
	}
	heap_put(n, n->heap_count, number);
	heap_sift(n, n->heap_count++);
	return 0;
}

static uint32_t
heap_take(struct notify *n)		/* the first due */
{
	uint32_t number = n->heap[0];

	if (--n->heap_count > 0) {
		n->heap[0] = n->heap[n->heap_count];
		heap_sift(n, 0);
	}
	return number;
}

static void
entry_line_up(struct notify *n, uint32_t number)
{
	struct entry *e = entry_at(n, number);
	struct receiver *r = &n->receivers[e->receiver];

	e->state = ENTRY_READY;
	e->next = 0;
	if (r->first == 0)
		r->first = number;
	else
		entry_at(n, r->last)->next = number;
	r->last = number;
	ring_join(n, e->receiver);
	loop_soon(n->loop, &n->pump);
}

static bool
entry_is_behind(const struct notify *n, const struct entry *e)
{
	for (uint32_t i = *bucket_of(n, e->message); i != 0; i = entry_at(n, i)->chain)
		if (entry_at(n, i)->message == e->message && entry_at(n, i)->id < e->id)
			return true;
	return false;
}

static void	entry_end(struct notify *, uint32_t);

static void
entry_wait(struct notify *n, uint32_t number)	/* its place, by what is known of it */
{
	struct entry *e = entry_at(n, number);

	if (parts_has(&n->gone, store_part(e->order_key))) {
		entry_end(n, number);
		return;
	}
	if (entry_is_behind(n, e)) {
		e->state = ENTRY_BEHIND;
		return;
	}
	e->state = ENTRY_LATER;
	if ((wall_t)e->due * 1000 <= clock_wall() || heap_add(n, number) == -1)
		entry_line_up(n, number);
	else if (!timer_armed(n->timer))
		timer_set(n->timer, 1000);
}

/* It is over: whoever waited behind it for the same message comes next. */
static void
entry_end(struct notify *n, uint32_t number)
{
	struct entry *e = entry_at(n, number);
	uint32_t *at = bucket_of(n, e->message), heir = 0;

	while (*at != number)
		at = &entry_at(n, *at)->chain;
	*at = e->chain;
	for (uint32_t i = *bucket_of(n, e->message); i != 0; i = entry_at(n, i)->chain)
		if (entry_at(n, i)->message == e->message &&
		    (heir == 0 || entry_at(n, i)->id < entry_at(n, heir)->id))
			heir = i;
	if (--n->receivers[e->receiver].entries == 0)
		receiver_forget(n, e->receiver);
	url_drop(n, e);
	*e = (struct entry){ .next = n->unused };
	n->unused = number;
	n->count--;
	if (heir != 0 && entry_at(n, heir)->state == ENTRY_BEHIND)
		entry_wait(n, heir);
}

static uint32_t
entry_make(struct notify *n, const struct store_notice *row)
{
	uint32_t number = entry_new(n), *bucket;
	struct entry *e;

	if (number == 0)
		return 0;
	if (n->count >= n->bucket_count)
		buckets_grow(n);
	bucket = bucket_of(n, row->message);
	e = entry_at(n, number);
	*e = (struct entry){ .id = row->id, .state = ENTRY_PREPARED, .message = row->message,
	    .order_key = row->order_key, .due = (uint32_t)((row->due + 999) / 1000),
	    .tries = row->tries, .chain = *bucket, .receiver = receiver_of(n, row->url) };
	*bucket = number;
	n->receivers[e->receiver].entries++;
	url_keep(n, e, row->url, row->until);
	n->count++;
	return number;
}

/* --- calls ---------------------------------------------------------------------------- */

static struct call *
call_new(struct notify *n, uint32_t entry)
{
	struct call *c = n->spare;

	if (c != NULL)
		n->spare = c->next;
	else if ((c = malloc(sizeof *c)) == NULL)
		return NULL;
	*c = (struct call){ .notify = n, .entry = entry, .next = n->under_way };
	if (c->next != NULL)
		c->next->prev = c;
	n->under_way = c;
	n->in_flight++;
	n->receivers[entry_at(n, entry)->receiver].in_flight++;
	return c;
}

static void
call_end(struct call *c)
{
	struct notify *n = c->notify;

	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		n->under_way = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	c->next = n->spare;
	n->spare = c;
	n->in_flight--;
	n->receivers[entry_at(n, c->entry)->receiver].in_flight--;
	ring_join(n, entry_at(n, c->entry)->receiver);
	loop_soon(n->loop, &n->pump);
}

static void
entry_log(struct notify *n, const struct entry *e, const char *event, int status, int64_t ms)
{
	char id[PUSH_ID_SIZE], number[4][24];
	const char *name = n->receivers[e->receiver].name;

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	queue_push_id_of(ledger_queue(n->ledger), e->message, id);
	snprintf(number[0], sizeof *number, "%d", status);
	snprintf(number[1], sizeof *number, "%u", e->tries + 1u);
	snprintf(number[2], sizeof *number, "%" PRId64, ms);
	log_event(event, id, (struct log_field[]){ { "receiver", text_of(name) },
	    { "status", text_of(number[0]) }, { "try", text_of(number[1]) },
	    { "ms", text_of(number[2]) } }, 4);
}

static void
entry_failed(struct notify *n, uint32_t number, wall_t until, const struct fetch_result *result)
{
	struct entry *e = entry_at(n, number);
	wall_t now = clock_wall(), due;

	n->status.failed++;
	if (e->tries < UINT16_MAX)
		e->tries++;
	due = retry_call_again(&n->conf.retry, e->tries, until, now);
	if (result->hopeless)
		due = 0;
	if (due != 0 && result->forbidden && n->conf.retry.most < 0)
		due = now + RETRY_CALLS_SLOWEST <= until ? now + RETRY_CALLS_SLOWEST : 0;
	if (due == 0) {
		n->status.given_up++;
		entry_log(n, e, "notify-given-up", 0, 0);
		queue_notice_done(ledger_queue(n->ledger), e->id, e->order_key);
		entry_end(n, number);
		return;
	}
	queue_notice_later(ledger_queue(n->ledger), e->id, e->order_key, e->tries, due);
	e->due = (uint32_t)((due + 999) / 1000);
	entry_wait(n, number);
}

static void
receiver_answered(struct notify *n, struct receiver *r, bool alive)
{
	unsigned rest = REST_FIRST;

	if (alive) {
		r->failures = 0;
		r->rest_until = 0;
		return;
	}
	for (unsigned i = 0; i < r->failures && rest < REST_MOST; i++)
		rest *= 2;
	r->failures++;
	r->rest_until = loop_now(n->loop) + (rest < REST_MOST ? rest : REST_MOST);
	if (!timer_armed(n->timer))
		timer_set(n->timer, REST_FIRST);
}

static void
call_done(void *arg, const struct fetch_result *result)
{
	struct call *c = arg;
	struct notify *n = c->notify;
	struct entry *e = entry_at(n, c->entry);
	bool done = result->status >= 200 && result->status < 300;
	uint32_t number = c->entry;
	wall_t until = c->until;

	/* An answer, whatever it says, short of a server's own trouble: somebody lives there. */
	receiver_answered(n, &n->receivers[e->receiver], result->status > 0 && result->status < 500);
	entry_log(n, e, done ? "notified" : "notify-failed", result->status,
	    loop_now(n->loop) - c->started);
	rate_add(&n->status.calls, loop_now(n->loop), 1);
	call_end(c);
	if (!done) {
		entry_failed(n, number, until, result);
		return;
	}
	queue_notice_done(ledger_queue(n->ledger), e->id, e->order_key);
	entry_end(n, number);
}

static void
call_make(struct call *c, const char *url)
{
	struct notify *n = c->notify;
	struct fetch_result none = { .status = 0 };

	entry_at(n, c->entry)->state = ENTRY_CALLING;
	c->started = loop_now(n->loop);
	c->handle = n->calls.call(n->calls.arg, url, call_done, c);
	if (c->handle == NULL) {
		err_set(&none.err, ERR_SYSTEM, "the call could not be made");
		call_done(c, &none);
	}
}

/* The row's URL has come from the store. */
static void
call_read(void *arg, const struct err *err, const struct store_notice *row)
{
	struct call *c = arg;
	struct notify *n = c->notify;
	uint32_t number = c->entry;
	char url[NOTIFY_URL_MOST + 1];

	if (row != NULL && row->url.len <= NOTIFY_URL_MOST) {
		snprintf(url, sizeof url, "%.*s", TEXT_ARGS(row->url));
		c->until = row->until;
		call_make(c, url);
		return;
	}
	call_end(c);
	if (err != NULL && err->code == ERR_STORE) {
		entry_at(n, number)->due = (uint32_t)((clock_wall() + TROUBLE_WAIT) / 1000 + 1);
		entry_wait(n, number);
	} else {
		entry_end(n, number);	/* the row is gone */
	}
}

static bool
receiver_may_call(const struct notify *n, const struct receiver *r)
{
	if (r->failures > 0)
		return r->in_flight == 0 && loop_now(n->loop) >= r->rest_until;
	return r->in_flight < NOTIFY_PER_RECEIVER;
}

/* The head of a line is called, or given up when its time is over; false: no memory. */
static bool
receiver_call(struct notify *n, struct receiver *r)
{
	uint32_t number = r->first;
	struct entry *e = entry_at(n, number);
	struct call *c;

	if (e->url != NULL && e->url->until <= clock_wall()) {
		r->first = e->next;
		entry_log(n, e, "notify-given-up", 0, 0);
		n->status.given_up++;
		queue_notice_done(ledger_queue(n->ledger), e->id, e->order_key);
		entry_end(n, number);
		return true;
	}
	if ((c = call_new(n, number)) == NULL)
		return false;
	r->first = e->next;
	if (e->url != NULL) {
		c->until = e->url->until;
		call_make(c, e->url->text);
	} else {
		e->state = ENTRY_READING;
		ledger_notice(n->ledger, e->id, e->order_key, call_read, c);
	}
	return true;
}

static void
notify_pump(void *arg)
{
	struct notify *n = arg;

	for (unsigned budget = GIVEN_UP_A_TURN; n->ring != NOBODY && n->in_flight < n->conf.most;) {
		uint16_t number = n->ring;
		struct receiver *r = &n->receivers[number];

		if (r->first == 0 || !receiver_may_call(n, r)) {
			ring_leave(n, number);	/* comes back when a call ends or its rest is over */
			continue;
		}
		n->ring = r->next;
		if (!receiver_call(n, r))
			break;
		if (--budget == 0) {		/* others want their turn of the loop too */
			loop_soon(n->loop, &n->pump);
			break;
		}
	}
}

/* Once a second while somebody waits for an hour or rests. */
static void
notify_tick(void *arg)
{
	struct notify *n = arg;
	uint32_t now = (uint32_t)(clock_wall() / 1000);
	bool resting = false;

	while (n->heap_count > 0 && entry_at(n, n->heap[0])->due <= now)
		entry_line_up(n, heap_take(n));
	for (unsigned i = THE_REST; i < n->receiver_count; i++) {
		struct receiver *r = &n->receivers[i];

		resting |= r->failures > 0 && r->first != 0;
		if (r->failures > 0 && receiver_may_call(n, r))
			ring_join(n, (uint16_t)i);
	}
	if (n->ring != NOBODY)
		loop_soon(n->loop, &n->pump);
	if (n->heap_count > 0 || resting)
		timer_set(n->timer, 1000);
}

/* --- for the others ------------------------------------------------------------------- */

bool
notify_wanted(int event, uint8_t mask)
{
	/* A rejection is a failure to whoever asked for failures. */
	if (event == DLR_SMSC_REJECTED)
		return (mask & (DLR_SMSC_REJECTED | DLR_FAILED | 32 | 64)) != 0;
	return (mask & event) != 0;
}

struct notify *
notify_new(struct loop *loop, struct ledger *ledger, const struct notify_calls *calls,
    const struct notify_conf *conf)
{
	struct notify *n = calloc(1, sizeof *n);

	if (n == NULL)
		return NULL;
	*n = (struct notify){ .loop = loop, .ledger = ledger, .calls = *calls, .conf = *conf,
	    .url = buf_heap(NOTIFY_URL_MOST), .pump = { .run = notify_pump, .arg = n },
	    .receiver_count = THE_REST + 1 };
	buckets_grow(n);
	n->receiver_room = 32;
	n->receivers = calloc(n->receiver_room, sizeof *n->receivers);
	n->timer = timer_new(loop, notify_tick, n);
	if (n->receivers != NULL)
		n->receivers[THE_REST].name = text_dup(TEXT("others"));
	rate_start(&n->status.calls, loop_now(loop));
	if (n->buckets == NULL || n->timer == NULL || n->receivers == NULL ||
	    n->receivers[THE_REST].name == NULL)
		notify_free(&n);
	return n;
}

void
notify_free(struct notify **np)
{
	struct notify *n = *np;

	if (n == NULL)
		return;
	loop_not_soon(n->loop, &n->pump);
	timer_free(&n->timer);
	for (struct call *c = n->under_way, *next; c != NULL; c = next) {
		next = c->next;
		if (c->handle != NULL)
			n->calls.cancel(c->handle);
		free(c);
	}
	for (struct call *c = n->spare, *next; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	for (uint32_t i = 1; i < n->used; i++)
		url_drop(n, entry_at(n, i));
	for (uint32_t i = 0; i < n->slab_count; i++)
		free(n->slabs[i]);
	for (unsigned i = 0; n->receivers != NULL && i < n->receiver_count; i++)
		free(n->receivers[i].name);
	free(n->slabs);
	free(n->receivers);
	free(n->buckets);
	free(n->heap);
	buf_free(&n->url);
	free(n);
	*np = NULL;
}

uint32_t
notify_add(struct notify *n, const struct report *r, uint64_t order_key, struct store_notice *row)
{
	const struct message *m = r->message;
	char id[PUSH_ID_SIZE];

	if (m->dlr_url.len == 0 || !notify_wanted(r->event, m->dlr_mask))
		return 0;
	n->url.len = 0;
	n->url.overflow = false;
	escape_expand(m->dlr_url, r, &n->url);
	*row = (struct store_notice){ .id = queue_new_id(ledger_queue(n->ledger)), .message = m->id,
	    .order_key = order_key, .until = r->at + RETRY_CALLS_PATIENCE,
	    .url = { (const char *)n->url.data, n->url.len } };
	if (n->url.overflow || n->url.len == 0 || row->id == 0 ||
	    memchr(n->url.data, '\0', n->url.len) != NULL) {
		queue_push_id_of(ledger_queue(n->ledger), m->id, id);
		log_error("message %s: nobody can be notified of event %d: %s", id, r->event,
		    row->id == 0 ? "the store is in trouble" : "the URL is too long");
		return 0;
	}
	return entry_make(n, row);
}

void
notify_go(struct notify *n, uint32_t number)
{
	if (number != 0)
		entry_wait(n, number);
}

void
notify_drop(struct notify *n, uint32_t number)
{
	if (number != 0)
		entry_end(n, number);
}

void
notify_loaded(struct notify *n, const struct store_notice *row)
{
	uint32_t number;

	for (uint32_t i = *bucket_of(n, row->message); i != 0; i = entry_at(n, i)->chain)
		if (entry_at(n, i)->id == row->id)
			return;		/* its call, from before it went and came back, is under way */
	if ((number = entry_make(n, row)) == 0)
		log_error("no memory for a notification that waits: it comes with the next start");
	notify_go(n, number);
}

void
notify_come(struct notify *n, const struct store_parts *parts)
{
	for (size_t i = 0; i < PARTS_WORDS; i++)
		n->gone.bits[i] &= ~parts->bits[i];
}

static bool
entry_gone(const struct notify *n, uint32_t number)
{
	return parts_has(&n->gone, store_part(entry_at(n, number)->order_key));
}

/* Out of the line and the heap; the entries themselves are freed afterwards. */
static void
receiver_sift(struct notify *n, struct receiver *r)
{
	uint32_t at = r->first;

	r->first = r->last = 0;
	for (uint32_t next; at != 0; at = next) {
		next = entry_at(n, at)->next;
		if (entry_gone(n, at))
			continue;
		entry_at(n, at)->next = 0;
		if (r->first == 0)
			r->first = at;
		else
			entry_at(n, r->last)->next = at;
		r->last = at;
	}
}

static void
heap_sift_out(struct notify *n)
{
	uint32_t count = n->heap_count;

	n->heap_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = n->heap[i];

		if (entry_gone(n, number))
			continue;
		heap_put(n, n->heap_count, number);
		heap_sift(n, n->heap_count++);
	}
}

void
notify_leave(struct notify *n, const struct store_parts *parts)
{
	for (size_t i = 0; i < PARTS_WORDS; i++)
		n->gone.bits[i] |= parts->bits[i];
	for (unsigned i = THE_REST; i < n->receiver_count; i++)
		if (n->receivers[i].name != NULL)
			receiver_sift(n, &n->receivers[i]);
	heap_sift_out(n);
	for (uint32_t i = 1; i < n->used; i++) {
		unsigned state = entry_at(n, i)->state;

		if ((state == ENTRY_BEHIND || state == ENTRY_READY || state == ENTRY_LATER) &&
		    entry_gone(n, i))
			entry_end(n, i);
	}
}

bool
notify_left(const struct notify *n, const struct store_parts *parts)
{
	for (const struct call *c = n->under_way; c != NULL; c = c->next)
		if (parts_has(parts, store_part(entry_at(n, c->entry)->order_key)))
			return false;
	return true;
}

void
notify_status(const struct notify *n, struct notify_status *s)
{
	*s = n->status;
	s->waiting = n->count;
}
