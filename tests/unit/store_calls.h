/*
 * store_calls.h - one operation of a store at a time, answered at once (for tests and benchmarks)
 *
 * Each call is asked and flushed; what it hands out lives until the next call.
 */
#ifndef TESTS_STORE_CALLS_H
#define TESTS_STORE_CALLS_H

#include <string.h>

#include "queue/store.h"

static const struct store_parts every_part = { { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } };

#define OURS	UINT64_MAX	/* the epoch under which the partition is ours now */

static inline uint64_t
call_epoch(const struct store_driver *d, const struct store *s, uint64_t epoch, uint64_t key)
{
	return epoch == OURS ? d->epoch(s, store_part(key)) : epoch;
}

static inline enum store_result
call_end(const struct store_driver *d, struct store *s, struct store_done *done, struct err *err)
{
	if (d->flush(s, err) == -1)
		return STORE_FAILED;
	if (done->result == STORE_FAILED)
		*err = done->err;
	return done->result;
}

/* Opens it, and owns everything. */
static inline struct store *
call_open(const struct store_driver *d, const struct store_conf *conf, struct err *err)
{
	struct store *s = d->open(conf, err);
	struct store_parts got;

	if (s != NULL && d->claim(s, &every_part, &got, err) == -1)
		d->close(&s, true);
	return s;
}

static inline enum store_result
call_submit(const struct store_driver *d, struct store *s, const struct store_row *rows, size_t n,
    uint64_t *existing, enum store_put *how, struct err *err)
{
	struct store_submit sub = { .rows = rows, .n = n, .existing = existing, .how = how };
	struct store_done done = { .result = STORE_OK };

	d->submit(s, &sub, &done);
	return call_end(d, s, &done, err);
}

static inline enum store_result
call_put(const struct store_driver *d, struct store *s, uint64_t epoch, const struct store_row *row,
    uint64_t *existing, struct err *err)
{
	struct store_row r = *row;
	enum store_put how;

	r.epoch = call_epoch(d, s, epoch, row->order_key);
	return call_submit(d, s, &r, 1, existing, &how, err);
}

static inline enum store_result
call_mark(const struct store_driver *d, struct store *s, uint64_t epoch, uint64_t id, uint64_t key,
    const struct store_mark *mark, struct err *err)
{
	struct store_done done = { .result = STORE_OK };

	d->mark(s, call_epoch(d, s, epoch, key), id, key, mark, &done);
	return call_end(d, s, &done, err);
}

static inline enum store_result
call_settle(const struct store_driver *d, struct store *s, uint64_t epoch,
    const struct store_settlement *st, struct store_joined *joined, struct err *err)
{
	struct store_done done = { .result = STORE_OK };

	d->settle(s, call_epoch(d, s, epoch, st->order_key), st, joined, &done);
	return call_end(d, s, &done, err);
}

static inline enum store_result
call_receipt(const struct store_driver *d, struct store *s, const struct store_receipt *r,
    struct store_joined *joined, struct err *err)
{
	struct store_done done = { .result = STORE_OK };

	d->receipt(s, r, joined, &done);
	return call_end(d, s, &done, err);
}

static inline enum store_result
call_cancel(const struct store_driver *d, struct store *s, uint64_t epoch, uint64_t id, uint64_t key,
    wall_t at, struct err *err)
{
	struct store_done done = { .result = STORE_OK };

	d->cancel(s, call_epoch(d, s, epoch, key), id, key, at, &done);
	return call_end(d, s, &done, err);
}

static inline enum store_result
call_replace(const struct store_driver *d, struct store *s, uint64_t epoch, uint64_t id, uint64_t key,
    struct text body, wall_t expires, struct err *err)
{
	struct store_done done = { .result = STORE_OK };

	d->replace(s, call_epoch(d, s, epoch, key), id, key, body, expires, &done);
	return call_end(d, s, &done, err);
}

static inline enum store_result
call_notice_done(const struct store_driver *d, struct store *s, uint64_t id, uint64_t key, struct err *err)
{
	struct store_done done = { .result = STORE_OK };

	d->notice_done(s, id, key, &done);
	return call_end(d, s, &done, err);
}

static inline enum store_result
call_notice_later(const struct store_driver *d, struct store *s, uint64_t id, uint64_t key,
    uint16_t tries, wall_t due, struct err *err)
{
	struct store_done done = { .result = STORE_OK };

	d->notice_later(s, id, key, tries, due, &done);
	return call_end(d, s, &done, err);
}

static inline enum store_result
call_notice(const struct store_driver *d, struct store *s, uint64_t id, uint64_t key,
    struct store_notice *n, struct err *err)
{
	struct store_done done = { .result = STORE_OK };

	d->notice(s, id, key, n, &done);
	return call_end(d, s, &done, err);
}

static inline enum store_result
call_flight(const struct store_driver *d, struct store *s, uint64_t id, uint64_t key,
    struct store_flight *f, struct err *err)
{
	struct store_done done = { .result = STORE_OK };

	d->flight(s, id, key, f, &done);
	return call_end(d, s, &done, err);
}

static inline enum store_result
call_found(int found)
{
	return found == 1 ? STORE_OK : found == 0 ? STORE_ABSENT : STORE_FAILED;
}

static inline enum store_result
call_find(const struct store_driver *d, struct store *s, uint64_t id, struct store_view *v, struct err *err)
{
	return call_found(d->find(s, &(struct store_place){ .id = id, .part = -1 }, v, err));
}

static inline enum store_result
call_find_push_id(const struct store_driver *d, struct store *s, struct text account, struct text push_id,
    uint64_t *id, struct err *err)
{
	struct store_place p = { .part = -1 };
	int found = d->find_push_id(s, account, push_id, &p, err);

	if (found == 1)
		*id = p.id;
	return call_found(found);
}

static inline enum store_result
call_find_foreign(const struct store_driver *d, struct store *s, struct text domain, struct text foreign_id,
    uint64_t *id, struct err *err)
{
	struct store_place p = { .part = -1 };
	int found = d->find_foreign(s, domain, foreign_id, &p, err);

	if (found == 1)
		*id = p.id;
	return call_found(found);
}

#endif
