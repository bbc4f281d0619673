/*
 * store.c - what a life costs in the store: lives a second and CPU per life
 *
 *   store [lives] [folder]
 *
 * The mixed life is put with its mark, and settled finished in a later transaction. The DLR
 * life waits for a receipt and makes two notices. Then a scan of a million waiting rows
 * (skipped below 100,000 lives), a purge, and look-ups. The store lies in `folder`
 * (default /tmp), one fsync a transaction.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/store_calls.h"

struct bench {
	const struct store_driver *d;
	struct store	*s;
	struct store_conf conf;
	uint64_t	 batch, next;	/* next: id */
};

struct clock {
	double		 wall, cpu;
};

static struct clock
clock_read(void)
{
	struct timespec ts;
	struct rusage ru;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	getrusage(RUSAGE_SELF, &ru);
	return (struct clock){ (double)ts.tv_sec + (double)ts.tv_nsec / 1e9,
	    (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6 };
}

static void
must(bool ok, const char *what, const struct err *err)
{
	char text[400];

	if (ok)
		return;
	fprintf(stderr, "store: %s: %s\n", what, err_print(err, text, sizeof text));
	exit(1);
}

static void
begin(struct bench *b)
{
	struct err err = { 0 };

	must(b->d->begin(b->s, ++b->batch, &err) == 0, "begin", &err);
}

static void
commit(struct bench *b)
{
	struct err err = { 0 };

	must(b->d->flush(b->s, &err) == 0, "flush", &err);
	must(b->d->commit(b->s, &err) == COMMIT_DONE, "commit", &err);
}

static uint64_t
key_of(uint64_t id)		/* 200,000 phones in random order */
{
	uint64_t k = id * 0x9e3779b97f4a7c15u % 200000;

	return (k + 1) * 0x9e3779b97f4a7c15u;
}

static void
put(struct bench *b, uint64_t id, bool marked)
{
	static char body[600];
	static const struct store_mark mark = { 1, 7, { "0/vf1", 5 }, 1000 };
	char msisdn[16];
	struct store_row row = { .id = id, .order_key = key_of(id), .account = TEXT("tester"),
	    .klass = 1, .accepted = 1000, .expires = 100000000, .body = { body, sizeof body },
	    .mark = marked ? &mark : NULL };
	uint64_t existing;
	struct err err = { 0 };

	row.msisdn = (struct text){ msisdn, (size_t)snprintf(msisdn, sizeof msisdn, "+3584%08u",
	    (unsigned)(row.order_key >> 40)) };
	must(call_put(b->d, b->s, OURS, &row, &existing, &err) == STORE_OK, "put", &err);
}

static void
finish(struct bench *b, uint64_t id, const struct store_notice *notice)
{
	struct store_settlement st = { .id = id, .order_key = key_of(id), .state = STATE_FINISHED,
	    .attempt = 1, .at = (wall_t)id, .outcome = OUTCOME_SENT, .link = TEXT("0/vf1"),
	    .notices = notice, .notice_count = notice != NULL };
	struct store_joined joined;
	struct err err = { 0 };

	must(call_settle(b->d, b->s, OURS, &st, &joined, &err) == STORE_OK, "settle", &err);
}

/* Puts of one batch share the transaction with the settlements of the former one. */
static void
lives_mixed(struct bench *b, unsigned lives, unsigned batch)
{
	uint64_t settled = b->next;

	for (unsigned n = 0; n < lives; n += batch) {
		begin(b);
		for (uint64_t end = b->next; settled < end; settled++)
			finish(b, settled, NULL);
		for (unsigned i = 0; i < batch; i++)
			put(b, b->next++, true);
		commit(b);
	}
	begin(b);
	while (settled < b->next)
		finish(b, settled++, NULL);
	commit(b);
}

static struct store_notice
notice_of(uint64_t id, unsigned which)
{
	return (struct store_notice){ .id = id << 1 | which, .message = id, .order_key = key_of(id),
	    .url = TEXT("http://127.0.0.1:8080/dlr?id=0188a1b2-c3d4-8e5f-9012-3456789abcde&type=1&to=%2b3584"),
	    .due = 1000, .until = 90000000 };
}

static void
await(struct bench *b, uint64_t id)
{
	char foreign[24];
	struct store_answer answer = { .segment = 1, .state = ANSWER_ACCEPTED };
	struct store_notice notice = notice_of(id, 0);
	struct store_settlement st = { .id = id, .order_key = key_of(id), .state = STATE_AWAITING,
	    .attempt = 1, .at = 1000, .segments = 1, .answers = &answer, .answer_count = 1,
	    .domain = TEXT("smsc.example:2775:user"), .notices = &notice, .notice_count = 1 };
	struct store_joined joined;
	struct err err = { 0 };

	answer.foreign_id = (struct text){ foreign,
	    (size_t)snprintf(foreign, sizeof foreign, "%" PRIx64, id * 2654435761u) };
	must(call_settle(b->d, b->s, OURS, &st, &joined, &err) == STORE_OK, "settle", &err);
}

static void
receive(struct bench *b, uint64_t id)
{
	struct store_receipt r = { .domain = TEXT("smsc.example:2775:user"),
	    .said = TEXT("stat:DELIVRD err:000"), .state = RECEIPT_DELIVERED, .at = 2000 };
	struct store_notice notice = notice_of(id, 1);
	struct store_joined joined;
	struct err err = { 0 };
	char foreign[24];

	r.foreign_id = (struct text){ foreign,
	    (size_t)snprintf(foreign, sizeof foreign, "%" PRIx64, id * 2654435761u) };
	must(call_receipt(b->d, b->s, &r, &joined, &err) == STORE_OK && joined.ripe, "receipt", &err);
	finish(b, id, &notice);
}

static void
notice_done(struct bench *b, uint64_t id)
{
	struct err err = { 0 };

	must(call_notice_done(b->d, b->s, id, 0, &err) == STORE_OK, "notice_done", &err);
}

/* Five stations, one batch further in every transaction. */
static void
lives_dlr(struct bench *b, unsigned lives, unsigned batch)
{
	uint64_t first = b->next, count = lives;

	for (uint64_t at = 0; at < count + 4 * batch; at += batch) {
		begin(b);
		for (uint64_t i = at; i < at + batch; i++) {
			if (i >= 4 * batch && i - 4 * batch < count)
				notice_done(b, (first + i - 4 * batch) << 1 | 1);
			if (i >= 3 * batch && i - 3 * batch < count)
				receive(b, first + i - 3 * batch);
			if (i >= 2 * batch && i - 2 * batch < count)
				notice_done(b, (first + i - 2 * batch) << 1);
			if (i >= batch && i - batch < count)
				await(b, first + i - batch);
			if (i < count)
				put(b, first + i, true);
		}
		commit(b);
	}
	b->next = first + count;
}

static void
open_store(struct bench *b)
{
	struct err err = { 0 };

	b->s = call_open(b->d, &b->conf, &err);
	must(b->s != NULL, "open", &err);
}

static void
run(const struct store_driver *d, const char *path, const char *name,
    void (*lives)(struct bench *, unsigned, unsigned), unsigned n, unsigned batch)
{
	struct bench b = { .d = d, .conf = { .path = path }, .next = 1 };
	struct clock from, to;

	open_store(&b);
	from = clock_read();
	lives(&b, n, batch);
	to = clock_read();
	printf("%-7s %-6s %5u %9.0f lives/s %7.1f us CPU a life\n", d->name, name, batch,
	    n / (to.wall - from.wall), (to.cpu - from.cpu) * 1e6 / n);
	fflush(stdout);
	d->close(&b.s, true);
	unlink(path);
}

static void
count_one(void *arg, const struct store_index *x)
{
	(void)x;
	++*(unsigned *)arg;
}

static void
count_view(void *arg, const struct store_view *v)
{
	(void)v;
	++*(unsigned *)arg;
}

static void
scan(struct bench *b)
{
	struct clock from = clock_read(), slice, to;
	double longest = 0;
	unsigned shown = 0;
	struct store_cursor at = { 0 };
	struct err err = { 0 };

	do {
		slice = clock_read();
		must(b->d->load(b->s, &every_part, &at, 20000, count_one, &shown, &err) == 0, "load", &err);
		to = clock_read();
		if (to.wall - slice.wall > longest)
			longest = to.wall - slice.wall;
	} while (!at.end);
	printf("%-7s load %u rows in %.2f s, the longest slice of 20000 %.1f ms\n", b->d->name, shown,
	    to.wall - from.wall, longest * 1e3);
}

/* A million rows that wait: fill, open again, scan, look up, finish, purge. */
static void
million(const struct store_driver *d, const char *path, unsigned rows)
{
	struct bench b = { .d = d, .conf = { .path = path }, .next = 1 };
	struct clock from, to;
	struct err err = { 0 };
	unsigned found = 0, gone, all = 0;
	char msisdn[16];
	struct stat st;

	open_store(&b);
	from = clock_read();
	for (unsigned n = 0; n < rows; n += 1000) {
		begin(&b);
		for (unsigned i = 0; i < 1000; i++)
			put(&b, b.next++, false);
		commit(&b);
	}
	to = clock_read();
	printf("%-7s put %u rows: %.1f us CPU a row\n", d->name, rows, (to.cpu - from.cpu) * 1e6 / rows);
	from = clock_read();
	if (d == &store_sqlite) {
		d->close(&b.s, true);
		open_store(&b);
	}
	to = clock_read();
	printf("%-7s close and open: %.3f s\n", d->name, to.wall - from.wall);
	scan(&b);
	snprintf(msisdn, sizeof msisdn, "+3584%08u", (unsigned)(key_of(777) >> 40));
	from = clock_read();
	must(d->find_msisdn(b.s, key_of(777), text_of(msisdn), 100, count_view, &found, &err) == 0,
	    "find_msisdn", &err);
	to = clock_read();
	printf("%-7s find_msisdn: %u of them in %.2f ms\n", d->name, found, (to.wall - from.wall) * 1e3);
	if (stat(path, &st) == 0)
		printf("%-7s file: %.0f octets a row\n", d->name, (double)st.st_size / rows);
	for (uint64_t id = 1; id < b.next; id += 1000) {
		begin(&b);
		for (uint64_t i = id; i < id + 1000; i++)
			finish(&b, i, NULL);
		commit(&b);
	}
	from = clock_read();
	do {
		begin(&b);
		must(d->purge(b.s, INT64_MAX, 500, &gone, &err) == 0, "purge", &err);
		commit(&b);
		all += gone;
	} while (gone > 0);
	to = clock_read();
	printf("%-7s purge %u rows: %.1f us CPU a row\n", d->name, all, (to.cpu - from.cpu) * 1e6 / all);
	d->close(&b.s, true);
	unlink(path);
}

int
main(int argc, char **argv)
{
	static const struct store_driver *const drivers[] = { &store_sqlite, &store_memory };
	static const unsigned batches[] = { 1, 10, 100, 1000 };
	unsigned lives = argc > 1 ? (unsigned)atoi(argv[1]) : 100000;
	char path[256], lock[264];

	snprintf(path, sizeof path, "%s/kantele-bench.db", argc > 2 ? argv[2] : "/tmp");
	snprintf(lock, sizeof lock, "%s-lock", path);
	unlink(path);
	for (size_t d = 0; d < 2; d++) {
		for (size_t i = 0; i < 4; i++) {
			unsigned n = batches[i] == 1 ? lives / 20 : batches[i] == 10 ? lives / 4 : lives;

			run(drivers[d], path, "mixed", lives_mixed, n, batches[i]);
			run(drivers[d], path, "dlr", lives_dlr, n, batches[i]);
		}
		if (lives >= 100000)
			million(drivers[d], path, 1000000);
	}
	unlink(lock);
	return 0;
}
