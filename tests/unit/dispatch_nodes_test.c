/*
 * dispatch_nodes_test.c - the way OUT over several nodes: real queues on one shared store, scripted links
 *
 * Each test runs over the shared memory store, and over PostgreSQL where there is a server. All nodes live on
 * one loop; each has a queue (with its keeper's thread), a dispatch, and links of kind
 * "fake" whose `host` is the node's name. A node whose keeper is frozen cannot renew its lease; one that
 * vanishes is gone as after a crash, as far as one process can play that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "base/buf.h"
#include "dispatch/dispatch.h"
#include "dispatch/notify.h"
#include "io/log.h"
#include "pg_fresh.h"
#include "queue/queue.h"
#include "queue/store_pgsql.h"

#include "fake_smsc.h"

enum { NODES = 3, MESSAGES_MOST = 4096, CALLS_MOST = 8192, PATIENCE_MS = 15000, LEASE_MS = 1500 };

/* --- a driver whose keepers can be frozen ------------------------------------------------- */

static const struct store_driver *under;	/* what the test runs over */
static atomic_bool frozen[NODES + 1];
static struct { struct store_keeper *keeper; unsigned node; } keepers[64];
static atomic_uint keeper_count;
static unsigned first_node;		/* the number of nodes[0] */

static struct store_keeper *
cold_open(const struct store_conf *conf, uint16_t node, struct err *err)
{
	struct store_keeper *k = under->keeper_open(conf, node, err);
	unsigned at = atomic_fetch_add(&keeper_count, 1);

	keepers[at].keeper = k;
	keepers[at].node = node;
	return k;
}

static int
cold_keep(struct store_keeper *k, const struct store_self *self, struct store_members *m, struct err *err)
{
	unsigned count = atomic_load(&keeper_count);

	for (unsigned i = 0; i < count; i++)
		if (keepers[i].keeper == k && keepers[i].node >= first_node &&
		    keepers[i].node < first_node + NODES && atomic_load(&frozen[keepers[i].node - first_node]))
			return err_set(err, ERR_STORE, "frozen");
	return under->keep(k, self, m, err);
}

/* A look that is slow: its picture is of before a claim that is told before it. */
static atomic_bool slow_looks;
static atomic_uint claims_begun, claims_done, pictures;

static void
await_more(atomic_uint *count, unsigned than)
{
	for (unsigned ms = 0; ms < 2000 && atomic_load(count) == than; ms++)
		usleep(1000);
}

static int
slow_keep(struct store_keeper *k, const struct store_self *self, struct store_members *m, struct err *err)
{
	int rc = cold_keep(k, self, m, err);
	unsigned done = atomic_load(&claims_done);

	if (atomic_load(&slow_looks) && atomic_load(&claims_begun) > done) {
		atomic_fetch_add(&pictures, 1);
		await_more(&claims_done, done);
		usleep(50000);		/* the loop hears of the claim meanwhile */
	}
	return rc;
}

static int
slow_claim(struct store *s, const struct store_parts *wanted, struct store_parts *got, struct err *err)
{
	unsigned before = atomic_load(&pictures);
	int rc;

	atomic_fetch_add(&claims_begun, 1);
	if (atomic_load(&slow_looks))
		await_more(&pictures, before);
	rc = under->claim(s, wanted, got, err);
	atomic_fetch_add(&claims_done, 1);
	return rc;
}

static struct store_driver cold;	/* `under`, but for these three */

/* --- the nodes ----------------------------------------------------------------------------- */

struct node {
	struct queue	*queue;
	struct dispatch	*dispatch;
	struct conf	*conf;
	char		 mode[32];
};

static struct loop *loop;
static struct timer *step_timer;
static struct node nodes[NODES];
static char store_name[64];
static const struct dispatch_conf settings = { .order_hold_s = 300, .resend_freq_s = 0,
    .resend_retry = -1, .callback_retry = -1, .callback_delay_s = 10, .callbacks_most = 512 };

static char calls[CALLS_MOST][100];
static size_t calls_count;
static struct { fetch_done_fn *done; void *arg; } calls_open[CALLS_MOST];
static size_t calls_answered;
static struct soon calls_soon;

static void
calls_answer(void *arg)
{
	(void)arg;
	while (calls_answered < calls_count) {
		struct fetch_result r = { .status = 200 };
		size_t i = calls_answered++;

		if (calls_open[i].done != NULL)
			calls_open[i].done(calls_open[i].arg, &r);
	}
}

static void *
call_make(void *arg, const char *url, fetch_done_fn *done, void *done_arg)
{
	(void)arg;
	assert_true(calls_count < CALLS_MOST);
	snprintf(calls[calls_count], sizeof *calls, "%s", url);
	calls_open[calls_count].done = done;
	calls_open[calls_count].arg = done_arg;
	loop_soon(loop, &calls_soon);
	return &calls_open[calls_count++];
}

static void
call_cancel(void *call)
{
	for (size_t i = 0; i < calls_count; i++)
		if (call == &calls_open[i])
			calls_open[i].done = NULL;
}

static const struct notify_calls recorded = { .call = call_make, .cancel = call_cancel };

static void
step_end(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
step(void)
{
	timer_set(step_timer, 1);
	loop_run(loop);
}

static void	dump(void);

#define UNTIL(condition) do {						\
	mono_t until_ = clock_mono() + PATIENCE_MS;			\
	while (!(condition)) {						\
		if (clock_mono() > until_) {				\
			dump();						\
			fail_msg("line %d: never came: %s", __LINE__, #condition);	\
		}							\
		step();							\
	}								\
} while (0)

static void
pause_ms(unsigned ms)			/* for what nothing tells of */
{
	for (mono_t until = clock_mono() + ms; clock_mono() < until;)
		step();
}

static void
on_mode(void *arg, struct text mode)
{
	snprintf(((struct node *)arg)->mode, sizeof nodes->mode, "%.*s", TEXT_ARGS(mode));
}

/* links: groups without `host`, %s is where it stands. */
static void
node_open(unsigned i, const char *links)
{
	static const char name[][2] = { "a", "b", "c" };
	struct store_conf conf = { .path = store_name, .conninfo = pg_conninfo(), .retention_s = 3600, .node_name = name[i],
	    .lease_ms = LEASE_MS };
	struct findings found = { 0 };
	struct err err = { 0 };
	struct node *n = &nodes[i];
	char groups[1000];

	if ((n->queue = queue_open(loop, &cold, &conf, &err)) == NULL)
		fail_msg("%s", err.text);
	if (i == 0)
		first_node = (unsigned)atoi(queue_node(n->queue).at);
	n->dispatch = dispatch_new_calls(loop, n->queue, &recorded, &settings, drivers);
	assert_non_null(n->dispatch);
	dispatch_on_mode(n->dispatch, on_mode, n);
	snprintf(groups, sizeof groups, links, name[i], name[i]);
	n->conf = conf_read_text("test", text_of(groups), &found);
	assert_non_null(n->conf);
	if (dispatch_links(n->dispatch, n->conf, &found) == -1)
		fail_msg("%s", found.count > 0 ? found.list[0].text : "links");
	dispatch_start(n->dispatch);
	findings_free(&found);
}

static void
node_close(unsigned i)
{
	dispatch_free(&nodes[i].dispatch);
	queue_close(&nodes[i].queue);
	conf_free(&nodes[i].conf);
}

static bool drained;

static void
on_drained(void *arg)
{
	(void)arg;
	drained = true;
}

static void
node_leave(unsigned i)			/* as a node that is stopped, not killed */
{
	drained = false;
	queue_stop(nodes[i].queue);
	dispatch_drain(nodes[i].dispatch, 5000, on_drained, NULL);
	UNTIL(drained);
	node_close(i);
}

static struct smsc *
fake_of(const char *host)
{
	for (size_t i = 0; i < LINKS; i++)
		if (fakes[i] != NULL && strcmp(fakes[i]->host, host) == 0)
			return fakes[i];
	fail_msg("no link of %s", host);
	return NULL;
}

static void
up(const char *host)
{
	fake_state(fake_of(host), SMSC_UP);
}

static unsigned
owned_by(unsigned i)
{
	const struct store_members *m = nodes[0].queue != NULL ? queue_members(nodes[0].queue) :
	    queue_members(nodes[1].queue);
	unsigned n = 0;

	for (unsigned p = 0; m != NULL && p < STORE_PARTITIONS; p++)
		n += m->owner[p] == first_node + i;
	return n;
}

/* All partitions are owned, in fair shares of `count` nodes from `first` on. */
static bool
settled(unsigned first, unsigned count)
{
	unsigned sum = 0;

	for (unsigned i = first; i < first + count; i++) {
		unsigned n = owned_by(i);

		if (n < STORE_PARTITIONS / count || n > STORE_PARTITIONS / count + 1)
			return false;
		sum += n;
	}
	return sum == STORE_PARTITIONS;
}

#define LINK	"group = smsc\nsmsc = fake\nsmsc-id = vf\nhost = %s\nwait-ack = 300\n"

static int
setup(void **state)
{
	static unsigned serial;
	struct err err = { 0 };

	under = *state;
	if (under == &store_pgsql)
		pg_fresh();
	cold = *under;
	cold.keeper_open = cold_open;
	cold.keep = slow_keep;
	cold.claim = slow_claim;
	atomic_store(&keeper_count, 0);
	atomic_store(&slow_looks, false);
	atomic_store(&claims_begun, 0);
	atomic_store(&claims_done, 0);
	for (unsigned i = 0; i < NODES; i++)
		atomic_store(&frozen[i], false);
	snprintf(store_name, sizeof store_name, "dispatch-%d-%u", (int)getpid(), serial++);
	script = NULL;
	sent_count = calls_count = calls_answered = 0;
	ids = 0;
	ids_none = vanish = false;
	calls_soon = (struct soon){ .run = calls_answer };
	loop = loop_new(&err);
	step_timer = timer_new(loop, step_end, NULL);
	memset(nodes, 0, sizeof nodes);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	loop_not_soon(loop, &calls_soon);
	for (unsigned i = 0; i < NODES; i++)
		if (nodes[i].queue != NULL)
			node_close(i);
	timer_free(&step_timer);
	loop_free(&loop);
	return 0;
}

/* --- messages ------------------------------------------------------------------------------- */

static size_t stored, asked;
static uint64_t stored_ids[MESSAGES_MOST];

static void
on_stored(void *arg, const struct err *err, const uint64_t *new_ids, size_t n, bool repeated)
{
	(void)arg;
	(void)repeated;
	if (err != NULL)
		fail_msg("%s", err->text);
	for (size_t i = 0; i < n; i++)
		stored_ids[stored++] = new_ids[i];
}

struct want {
	const char	*to, *text, *url, *client_id;
	uint8_t		 mask;
	wall_t		 not_before;
};

static void
submit(unsigned node, const struct want *w)
{
	wall_t now = clock_wall();
	struct message m = {
		.account = TEXT("amy"), .service = TEXT("amy"), .msisdn = text_of(w->to),
		.sender = TEXT("123"), .dlr_url = text_of(w->url), .push_id = text_of(w->client_id),
		.body = text_of(w->text != NULL ? w->text : "hi"),
		.kind = MESSAGE_TEXT, .klass = CLASS_NORMAL, .coding = CODING_GSM7,
		.mclass = MESSAGE_UNSET, .mwi = MESSAGE_UNSET, .alt_dcs = MESSAGE_UNSET,
		.compress = MESSAGE_UNSET, .rpi = MESSAGE_UNSET, .priority = MESSAGE_UNSET,
		.pid = MESSAGE_UNSET, .dlr_mask = w->mask, .concatenate = true,
		.segments_most = 255, .octets_most = 140, .accepted = now,
		.expires = now + 3600 * 1000, .not_before = w->not_before,
	}, *copy = message_new(&m);

	asked++;
	assert_non_null(queue_submit(nodes[node].queue, &copy, 1, on_stored, NULL));
}

#define SUBMIT(node, ...)	submit(node, &(struct want){ __VA_ARGS__ })

/* Receivers that belong to many partitions. */
static const char *
receiver(unsigned i)
{
	static char to[24];

	snprintf(to, sizeof to, "+4479000%05u", i);
	return to;
}

static const char *
numbered(unsigned i)
{
	static char text[24];

	snprintf(text, sizeof text, "%u", i);
	return text;
}

/* How many segments of this receiver and text left, over links of this host; NULL: any. */
static unsigned
left_over(const char *to, const char *text, const char *host)
{
	unsigned n = 0;

	for (size_t i = 0; i < sent_count; i++)
		n += (to == NULL || strcmp(sent[i].to, to) == 0) && (text == NULL || strcmp(sent[i].text, text) == 0) &&
		    (host == NULL || (sent[i].by != NULL && strcmp(sent[i].by->host, host) == 0));
	return n;
}

static size_t
waiting(void)
{
	size_t n = 0;

	for (unsigned i = 0; i < NODES; i++) {
		struct dispatch_status s;

		if (nodes[i].queue == NULL)
			continue;
		dispatch_status(nodes[i].dispatch, &s);
		n += s.waiting + s.in_flight;
	}
	return n;
}

static struct store_view seen;
static size_t seen_count;
static bool seen_now;

static void
on_found(void *arg, const struct err *err, const struct store_view *v, size_t n)
{
	(void)arg;
	assert_null(err);
	seen_now = true;
	seen_count = n;
	if (n > 0)
		seen = *v;
}

static enum store_state
state_of(unsigned node, size_t which)
{
	char id[PUSH_ID_SIZE];

	queue_push_id_of(nodes[node].queue, stored_ids[which], id);
	seen_now = false;
	queue_find(nodes[node].queue, (struct text){ 0 }, text_of(id), on_found, NULL);
	UNTIL(seen_now);
	assert_int_equal(seen_count, 1);
	return seen.state;
}

static bool
all_finished(unsigned node)
{
	for (size_t i = 0; i < stored; i++)
		if (state_of(node, i) != STATE_FINISHED)
			return false;
	return stored == asked;
}

static int
each(void **state)
{
	stored = asked = 0;
	return setup(state);
}

/* Every message of a receiver left in the order of its numbers; how often some number came again. */
static unsigned
check_order(unsigned receivers, unsigned numbers)
{
	unsigned again = 0;

	for (unsigned r = 0; r < receivers; r++) {
		unsigned last = 0;
		bool first = true;

		for (size_t i = 0; i < sent_count; i++) {
			unsigned n = (unsigned)atoi(sent[i].text);

			if (strcmp(sent[i].to, receiver(r)) != 0)
				continue;
			if (!first && n == last)
				again++;
			else if (!first && n != last + 1)
				fail_msg("%s: %u came after %u", receiver(r), n, last);
			else if (first && n != 0)
				fail_msg("%s: %u came first", receiver(r), n);
			first = false;
			last = n;
		}
		if (first || last != numbers - 1)
			fail_msg("%s: only up to %u of %u", receiver(r), last, numbers);
	}
	return again;
}

static void
dump(void)
{
	for (unsigned i = 0; i < NODES; i++) {
		struct dispatch_status s;
		struct queue_stats q;

		if (nodes[i].queue == NULL)
			continue;
		dispatch_status(nodes[i].dispatch, &s);
		queue_stats(nodes[i].queue, &q);
		print_message("node %u: owns %u, waiting %u, in flight %u, open %u, may send %d, counts w %u s %u a %u\n", i, owned_by(i),
		    (unsigned)s.waiting, (unsigned)s.in_flight, q.open_operations, queue_may_send(nodes[i].queue),
		    (unsigned)q.counts.waiting, (unsigned)q.counts.sending, (unsigned)q.counts.awaiting);
	}
	print_message("stored %zu of %zu, sent %zu, calls %zu\n", stored, asked, sent_count, calls_count);
}

/* --- shares ----------------------------------------------------------------------------------- */

static void
two_nodes_share_and_keep_the_order(void **state)
{
	enum { RECEIVERS = 40, NUMBERS = 12 };

	(void)state;
	node_open(0, LINK);
	node_open(1, LINK);
	UNTIL(settled(0, 2));
	up("a");
	up("b");
	for (unsigned n = 0; n < NUMBERS; n++) {
		for (unsigned r = 0; r < RECEIVERS; r++)
			SUBMIT((n + r) % 2, .to = receiver(r), .text = numbered(n));
		UNTIL(stored == asked);		/* what comes after was accepted after */
	}
	UNTIL(sent_count == RECEIVERS * NUMBERS && waiting() == 0);
	assert_int_equal(check_order(RECEIVERS, NUMBERS), 0);
	UNTIL(all_finished(0));
	assert_true(all_finished(1));
}

static void
a_third_one_joins_and_leaves_under_load(void **state)
{
	enum { RECEIVERS = 60, NUMBERS = 30 };
	bool joined = false, left = false;

	(void)state;
	node_open(0, LINK);
	node_open(1, LINK);
	UNTIL(settled(0, 2));
	up("a");
	up("b");
	for (unsigned n = 0; n < NUMBERS; n++) {
		if (n == 5) {
			node_open(2, LINK);
			up("c");
		}
		for (unsigned r = 0; r < RECEIVERS; r++)
			SUBMIT((n + r) % 2, .to = receiver(r), .text = numbered(n));
		UNTIL(stored == asked);
		if (n >= 5 && !joined) {
			UNTIL(settled(0, 3));
			joined = true;
		}
		if (n == 20) {
			node_leave(2);
			left = true;
		}
	}
	assert_true(joined && left);
	UNTIL(settled(0, 2));
	UNTIL(sent_count >= RECEIVERS * NUMBERS && waiting() == 0);
	assert_int_equal(check_order(RECEIVERS, NUMBERS), 0);
	UNTIL(all_finished(0));
}

static void
a_node_without_its_lease_sends_nothing(void **state)
{
	enum { RECEIVERS = 40, NUMBERS = 40 };
	struct dispatch_status s[2];
	unsigned again;

	(void)state;
	node_open(0, LINK);
	node_open(1, LINK);
	UNTIL(settled(0, 2));
	up("a");
	up("b");
	for (unsigned n = 0; n < NUMBERS; n++) {
		if (n == 10)
			atomic_store(&frozen[1], true);
		for (unsigned r = 0; r < RECEIVERS; r++)
			SUBMIT(0, .to = receiver(r), .text = numbered(n));
		UNTIL(stored == asked);
		if (n == 10) {
			UNTIL(!queue_may_send(nodes[1].queue));
			UNTIL(owned_by(0) == STORE_PARTITIONS);
		}
		if (n == 30) {
			atomic_store(&frozen[1], false);
			UNTIL(settled(0, 2));
		}
	}
	UNTIL(waiting() == 0);
	UNTIL(all_finished(0));
	again = check_order(RECEIVERS, NUMBERS);
	dispatch_status(nodes[0].dispatch, &s[0]);
	dispatch_status(nodes[1].dispatch, &s[1]);
	assert_true(again <= s[0].possible_duplicates + s[1].possible_duplicates);
}

/* --- links of other nodes ------------------------------------------------------------------------ */

static void
only_b_is_up(void)
{
	node_open(0, LINK);
	node_open(1, LINK);
	UNTIL(settled(0, 2));
	up("b");
}

static void
messages_go_over_the_link_of_another_node(void **state)
{
	enum { RECEIVERS = 40, NUMBERS = 5 };

	(void)state;
	only_b_is_up();
	for (unsigned n = 0; n < NUMBERS; n++)
		for (unsigned r = 0; r < RECEIVERS; r++)
			SUBMIT(0, .to = receiver(r), .text = numbered(n),
			    .url = "http://r/%P?%d", .mask = DLR_SMSC_ACCEPTED);
	UNTIL(all_finished(0));
	assert_int_equal(sent_count, RECEIVERS * NUMBERS);
	assert_int_equal(check_order(RECEIVERS, NUMBERS), 0);
	UNTIL(calls_count == RECEIVERS * NUMBERS);
	for (size_t i = 0; i < stored; i++) {
		assert_int_equal(state_of(1, i), STATE_FINISHED);
		assert_int_equal(seen.outcome, OUTCOME_SENT);
	}
}

static enum script
refuse_first(const struct sent *s, size_t n)
{
	(void)n;
	return left_over(s->to, NULL, NULL) == 0 ? SCRIPT_SLOW_DOWN : SCRIPT_ACCEPT;
}

static enum script
refuse(const struct sent *s, size_t n)
{
	(void)s;
	(void)n;
	return SCRIPT_NEVER;
}

static enum script
unknown_first(const struct sent *s, size_t n)
{
	(void)n;
	return left_over(s->to, NULL, NULL) == 0 ? SCRIPT_UNKNOWN : SCRIPT_ACCEPT;
}

static void
what_a_far_link_answers_counts(void **state)
{
	(void)state;
	script = refuse_first;
	only_b_is_up();
	for (unsigned r = 0; r < 4; r++)
		SUBMIT(0, .to = receiver(r));
	UNTIL(all_finished(0));
	assert_int_equal(sent_count, 8);
	assert_int_equal(seen.outcome, OUTCOME_SENT);
	script = refuse;
	SUBMIT(0, .to = receiver(5), .url = "http://r/no?%d&%A", .mask = DLR_SMSC_REJECTED);
	SUBMIT(0, .to = receiver(6), .url = "http://r/no?%d&%A", .mask = DLR_SMSC_REJECTED);
	UNTIL(calls_count == 2);
	assert_string_equal(calls[0], "http://r/no?16&NACK%2F0x0000000b%2FESME_RINVDSTADR");
	UNTIL(all_finished(1));
	assert_int_equal(seen.outcome, OUTCOME_REJECTED);
	assert_int_equal(seen.code, 0x0b);
	script = unknown_first;
	SUBMIT(0, .to = receiver(7));
	SUBMIT(0, .to = receiver(8));
	UNTIL(all_finished(0));
	assert_int_equal(left_over(receiver(7), NULL, NULL), 2);
	assert_int_equal(left_over(receiver(8), NULL, NULL), 2);
}

static void
receipts_come_where_the_link_is(void **state)
{
	enum { RECEIVERS = 12 };

	(void)state;
	only_b_is_up();
	for (unsigned r = 0; r < RECEIVERS; r++)
		SUBMIT(0, .to = receiver(r), .url = "http://r/%P?%d", .mask = DLR_DELIVERED);
	UNTIL(stored == asked && sent_count == RECEIVERS && waiting() == 0);
	for (unsigned i = 1; i <= RECEIVERS; i++) {
		char id[16];
		struct smsc *b = fake_of("b");
		struct smsc_receipt r = { .state = REPORT_DELIVERED, .said = TEXT("stat:DELIVRD") };

		snprintf(id, sizeof id, "id%u", i);
		r.foreign_id = text_of(id);
		b->setup.events->receipt(b->setup.owner, &r, i);
	}
	UNTIL(calls_count == RECEIVERS);
	UNTIL(all_finished(0));
	assert_int_equal(seen.outcome, OUTCOME_DELIVERED);
	for (unsigned i = 1; i <= RECEIVERS; i++)
		assert_true(fake_of("b")->acked[i] && fake_of("b")->acks[i] == ACK_OK);
}

static enum script
silent_at_b(const struct sent *s, size_t n)
{
	(void)n;
	return strcmp(s->by->host, "b") == 0 ? SCRIPT_SILENT : SCRIPT_ACCEPT;
}

static void
a_sender_that_dies_leaves_doubt(void **state)
{
	enum { RECEIVERS = 6 };
	struct dispatch_status s;

	(void)state;
	script = silent_at_b;
	only_b_is_up();
	for (unsigned r = 0; r < RECEIVERS; r++)
		SUBMIT(0, .to = receiver(r));
	UNTIL(stored == asked && sent_count == RECEIVERS);
	vanish = true;			/* what is out is never answered */
	node_close(1);
	up("a");
	UNTIL(sent_count == 2 * RECEIVERS && waiting() == 0);
	for (unsigned r = 0; r < RECEIVERS; r++)
		assert_int_equal(left_over(receiver(r), NULL, "a"), 1);
	UNTIL(all_finished(0));
	dispatch_status(nodes[0].dispatch, &s);
	assert_int_equal(s.possible_duplicates, RECEIVERS);
}

static void
a_far_link_that_goes_down_gives_back(void **state)
{
	enum { RECEIVERS = 300 };

	(void)state;
	script = silent_at_b;		/* so its window is full, and the others wait there */
	only_b_is_up();
	for (unsigned r = 0; r < RECEIVERS; r++)
		SUBMIT(0, .to = receiver(r), .text = "0");
	UNTIL(sent_count > 0);
	pause_ms(200);
	assert_true(sent_count < RECEIVERS / 2);
	fake_state(fake_of("b"), SMSC_RECONNECTING);
	up("a");
	UNTIL(left_over(NULL, NULL, "a") > RECEIVERS / 2);
	script = NULL;
	up("b");			/* what it had in doubt waits for it */
	UNTIL(all_finished(0));
	for (unsigned r = 0; r < RECEIVERS; r++)
		assert_true(left_over(receiver(r), NULL, NULL) >= 1);
}

/* --- changes, modes --------------------------------------------------------------------------------- */

static enum store_result changed;
static bool changed_now;
static char changed_err[240];

static void
on_changed(void *arg, const struct err *err, enum store_result result)
{
	(void)arg;
	changed_now = true;
	changed = result;
	snprintf(changed_err, sizeof changed_err, "%s", err != NULL ? err->text : "");
}

static void
any_node_cancels_and_replaces(void **state)
{
	(void)state;
	node_open(0, LINK);
	node_open(1, LINK);
	UNTIL(settled(0, 2));
	for (unsigned r = 0; r < 8; r++) {
		char id[16];

		snprintf(id, sizeof id, "p%u", r);
		SUBMIT(0, .to = receiver(r), .client_id = id);
	}
	UNTIL(stored == asked && waiting() == 8);
	for (unsigned r = 0; r < 8; r++) {
		char id[16];

		snprintf(id, sizeof id, "p%u", r);
		changed_now = false;
		queue_cancel(nodes[1].queue, TEXT("amy"), text_of(id), on_changed, NULL);
		UNTIL(changed_now);
		assert_string_equal(changed_err, "");
		assert_int_equal(changed, STORE_OK);
	}
	UNTIL(waiting() == 0);
	up("a");
	up("b");
	UNTIL(all_finished(0));
	assert_int_equal(sent_count, 0);
	assert_int_equal(seen.outcome, OUTCOME_CANCELLED);
}

static size_t held_count;
static bool held_now;
static struct { uint64_t id, key; } held[16];

static void
on_held(void *arg, const struct err *err, const struct store_index *rows, size_t n)
{
	(void)arg;
	assert_null(err);
	held_now = true;
	held_count = n;
	for (size_t i = 0; i < n && i < 16; i++) {
		held[i].id = rows[i].id;
		held[i].key = rows[i].order_key;
	}
}

static enum script
never_known(const struct sent *s, size_t n)
{
	(void)s;
	(void)n;
	return SCRIPT_UNKNOWN;
}

static void
any_node_decides_what_is_held(void **state)
{
	(void)state;
	script = never_known;
	node_open(0, LINK "outcome-unknown = hold\n");
	node_open(1, LINK "outcome-unknown = hold\n");
	UNTIL(settled(0, 2));
	up("a");
	up("b");
	for (unsigned r = 0; r < 8; r++)
		SUBMIT(0, .to = receiver(r));
	UNTIL(sent_count == 8);
	do {
		held_now = false;
		queue_held(nodes[1].queue, on_held, NULL);
		UNTIL(held_now);
	} while (held_count < 8);
	script = NULL;
	for (unsigned i = 0; i < 8; i++) {
		changed_now = false;
		queue_decide(nodes[1].queue, held[i].id, held[i].key, i < 4 ? WISH_RESEND : WISH_GIVE_UP,
		    on_changed, NULL);
		UNTIL(changed_now);
		assert_string_equal(changed_err, "");
		assert_int_equal(changed, STORE_OK);
	}
	UNTIL(all_finished(1));
	assert_int_equal(sent_count, 12);
	changed_now = false;
	queue_decide(nodes[1].queue, held[0].id, held[0].key, WISH_RESEND, on_changed, NULL);
	UNTIL(changed_now);
	assert_int_equal(changed, STORE_ABSENT);
}

static void
a_mode_is_for_all(void **state)
{
	(void)state;
	node_open(0, LINK);
	node_open(1, LINK);
	UNTIL(settled(0, 2));
	queue_mode_all(nodes[1].queue, TEXT("1 suspended"), NULL, NULL);
	UNTIL(strcmp(nodes[0].mode, "1 suspended") == 0 && strcmp(nodes[1].mode, "1 suspended") == 0);
	node_open(2, LINK);
	UNTIL(strcmp(nodes[2].mode, "1 suspended") == 0);
}

/* A picture that is older than a claim takes nothing away again, for good least of all. */
static void
a_look_from_before_a_claim(void **state)
{
	(void)state;
	atomic_store(&slow_looks, true);
	node_open(0, LINK);
	up("a");
	UNTIL(atomic_load(&claims_done) > 0);
	submit(0, &(struct want){ .to = "+358401", .text = "1" });
	UNTIL(sent_count == 1);
	atomic_store(&slow_looks, false);
	submit(0, &(struct want){ .to = "+358402", .text = "2" });
	UNTIL(sent_count == 2 && owned_by(0) == STORE_PARTITIONS);
	assert_int_equal(atomic_load(&claims_done), 1);
}

#define T(fn)	{ #fn, fn }
static const struct {
	const char	*name;
	void		(*run)(void **);
} all[] = {
	T(two_nodes_share_and_keep_the_order),
	T(a_third_one_joins_and_leaves_under_load),
	T(a_node_without_its_lease_sends_nothing),
	T(messages_go_over_the_link_of_another_node),
	T(what_a_far_link_answers_counts),
	T(receipts_come_where_the_link_is),
	T(a_sender_that_dies_leaves_doubt),
	T(a_far_link_that_goes_down_gives_back),
	T(any_node_cancels_and_replaces),
	T(any_node_decides_what_is_held),
	T(a_mode_is_for_all),
	T(a_look_from_before_a_claim),
};

/* The last: where there is a server. */
static const struct store_driver *const stores[] = { &store_shared, &store_pgsql };

int
main(void)
{
	enum { TESTS = sizeof all / sizeof *all, STORES = sizeof stores / sizeof *stores };
	static char names[STORES * TESTS][100];
	static struct CMUnitTest tests[STORES * TESTS];
	size_t count = STORES - (pg_conninfo() == NULL);

	for (size_t i = 0; i < count * TESTS; i++) {
		const struct store_driver *d = stores[i / TESTS];

		snprintf(names[i], sizeof names[i], "%s: %s", d->name, all[i % TESTS].name);
		tests[i] = (struct CMUnitTest){ .name = names[i], .test_func = all[i % TESTS].run,
		    .setup_func = each, .teardown_func = teardown, .initial_state = (void *)(uintptr_t)d };
	}
	log_set_level(LOG_LEVEL_ERROR);
	return _cmocka_run_group_tests("dispatch_nodes", tests, count * TESTS, NULL, NULL);
}
