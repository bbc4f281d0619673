/*
 * store_pgsql_node.c - our number, our fence, our partitions, our ids
 *
 * A node is a row in `node` (who it is; its keeper renews it) and one in `fence` (what it may). Every
 * transaction that changes anything touches the fence first, under the life in which it joined: who was
 * declared dead, or joined again on another connection, finds no such row and writes nothing. Rows are
 * locked in this order everywhere: node, fence, partitions by their number.
 *
 * A number comes again a day after its node was gone; its ids go on from fence.ids, and its batches too.
 *
 * A process that died on this very machine is known to be dead: boot, pid namespace, pid and the time at
 * which the process began tell. Its partitions are free when the next one starts here, without waiting for
 * the lease.
 *
 * Knows:     numbers, lives, claims; /proc.
 * Does not:  know messages, or when a node is silent (store_pgsql_keeper.c).
 * Owns:      nothing.
 * Threads:   the store worker's; node_bury on any connection's.
 */
#include "queue/store_pgsql_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/log.h"

enum { IDENTITY_MOST = 200, DEAD_MOST = 64, STAT_MOST = 1024, START_FIELD = 22 - 3, HELD_TRIES = 3 };

/* --- which process, on which machine ----------------------------------------------- */

static ssize_t
file_head(const char *name, char *out, size_t size)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd != -1 ? read(fd, out, size - 1) : -1;

	if (fd != -1)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n;
}

/* "boot namespace"; false: this system does not tell. */
static bool
machine_name(char out[IDENTITY_MOST])
{
	char boot[64], space[64];
	ssize_t n = readlink("/proc/self/ns/pid", space, sizeof space - 1);

	if (n <= 0 || file_head("/proc/sys/kernel/random/boot_id", boot, sizeof boot) <= 0)
		return false;
	space[n] = '\0';
	boot[strcspn(boot, " \n")] = '\0';
	snprintf(out, IDENTITY_MOST, "%s %s", boot, space);
	return true;
}

/* State and time of begin, after boot. The name in parentheses may hold anything. */
static bool
process_stat(const char *file, char *state, unsigned long long *began)
{
	char stat[STAT_MOST], *at;

	if (file_head(file, stat, sizeof stat) <= 0 || (at = strrchr(stat, ')')) == NULL || at[1] != ' ')
		return false;
	at += 2;
	*state = *at;
	for (unsigned i = 0; i < START_FIELD && at != NULL; i++)
		if ((at = strchr(at, ' ')) != NULL)
			at++;
	return at != NULL && sscanf(at, "%llu", began) == 1;
}

/* Empty when this system does not tell: then only the lease tells who is dead. */
struct text
machine_identity(struct buf *out)
{
	char machine[IDENTITY_MOST], state;
	unsigned long long began;
	size_t from = out->len;

	if (machine_name(machine) && process_stat("/proc/self/stat", &state, &began))
		buf_printf(out, "%s %ld %llu", machine, (long)getpid(), began);
	return (struct text){ out->len > from ? (const char *)out->data + from : "", out->len - from };
}

bool
machine_is_dead(struct text identity)
{
	char machine[IDENTITY_MOST], file[40], state;
	unsigned long long began, its;
	char copy[IDENTITY_MOST];
	size_t n;
	long pid;

	if (identity.len == 0 || identity.len >= sizeof copy || !machine_name(machine))
		return false;
	snprintf(copy, sizeof copy, "%.*s", TEXT_ARGS(identity));
	n = strlen(machine);
	if (strncmp(copy, machine, n) != 0 || sscanf(copy + n, " %ld %llu", &pid, &its) != 2 || pid <= 0)
		return false;
	if (kill((pid_t)pid, 0) == -1 && errno == ESRCH)
		return true;
	snprintf(file, sizeof file, "/proc/%ld/stat", pid);
	if (!process_stat(file, &state, &began))
		return kill((pid_t)pid, 0) == -1 && errno == ESRCH;	/* hidden from us, or gone just now */
	return began != its || state == 'Z' || state == 'X';
}

/* --- transactions --------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3)))
static unsigned
ask_text(struct pg *p, const char *fmt, ...)
{
	char sql[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sql, sizeof sql, fmt, ap);
	va_end(ap);
	return pg_ask_plain(p, sql);
}

static void
begin(struct pg *p)
{
	pg_quiet(p);
	pg_ask_plain(p, "BEGIN");
}

static int
fails(struct pg *p)
{
	pg_run(p, "ROLLBACK", NULL);
	return -1;
}

static int
commit(struct pg *p, struct err *err)
{
	pg_ask_plain(p, "COMMIT");
	return pg_trip(p, err) == -1 ? fails(p) : 0;
}

/* What must be so after a failover too. */
static int
confirmed(const struct pg *p, struct err *err)
{
	if (!p->warned)
		return 0;
	return err_set(err, ERR_STORE, "PostgreSQL: the standby did not confirm: %s", p->warning);
}

/* As partitions are claimed: in their order, so nobody waits for each other. */
static unsigned
ask_disown(struct pg *p, uint16_t node)
{
	return ask_text(p, "UPDATE part SET owner = NULL FROM (SELECT part FROM part WHERE owner = %u"
	    " ORDER BY part FOR UPDATE) its WHERE part.part = its.part", node);
}

static unsigned
ask_fence(struct store *s)
{
	struct pg_args *a = args_begin(s, ST_FENCE);

	pg_arg(a, 0, s->node);
	pg_arg(a, 1, (int64_t)s->life);
	for (unsigned i = 2; i < 9; i++)
		pg_arg(a, i, 0);
	return pg_ask(&s->pg, a);
}

static struct pg_args *
args_life(struct store *s, enum pg_which which)
{
	struct pg_args *a = args_begin(s, which);

	pg_arg(a, 0, s->node);
	pg_arg(a, 1, (int64_t)s->life);
	return a;
}

/* --- declared dead ------------------------------------------------------------------------ */

/* The writer of a node may be frozen in a transaction, with its fence locked; or it is a connection that we
 * had ourselves, of which the server does not know yet that nobody is there. Only what says that it is
 * this node's is ended; where we may not, its transaction ends by itself some day. */
static void
end_writer(struct pg *p, uint16_t node, long older_ms)
{
	ask_text(p, "SELECT pg_terminate_backend(a.pid) FROM fence f JOIN pg_stat_activity a ON a.pid = f.pid"
	    " AND a.application_name = 'kantele node ' || f.node AND a.datname = current_database()"
	    " WHERE f.node = %u AND a.pid <> pg_backend_pid()"
	    " AND (%ld = 0 OR a.xact_start < clock_timestamp() - %ld * interval '1 ms')",
	    node, older_ms, older_ms);
	pg_trip(p, NULL);
}

/* A renewal locks the node's row, too: either it comes first and is seen here, or it finds its node dead. */
static int
bury_begin(struct pg *p, const struct burial *b, bool *so, struct err *err)
{
	unsigned fence;

	begin(p);
	ask_text(p, "%s", PG_SYNC);
	ask_text(p, "SELECT set_config('lock_timeout', '1s', true)"
	    " WHERE current_setting('lock_timeout') = '0'");
	ask_text(p, "SELECT renewals FROM node WHERE node = %u FOR UPDATE", b->node);
	fence = ask_text(p, "UPDATE fence SET alive = false WHERE node = %u AND alive AND life = %" PRIu64
	    " AND (%" PRId64 " = -1 OR EXISTS (SELECT FROM node WHERE node = %u AND renewals = %" PRId64 "))",
	    b->node, b->life, b->renewals, b->node, b->renewals);
	if (pg_trip(p, err) == -1)
		return -1;
	*so = pg_touched(p, fence) == 1;
	return 0;
}

int
node_bury(struct pg *p, struct burial *b, struct err *err)
{
	struct err why = { 0 };
	bool so, held;
	unsigned parts;

	if (bury_begin(p, b, &so, &why) == -1) {
		held = pg_is(p, "55P03");
		fails(p);
		if (held)
			end_writer(p, b->node, b->held_ms);
		else if (err != NULL)
			*err = why;
		return held ? BURIAL_HELD : -1;
	}
	if (!so) {
		fails(p);
		return BURIAL_NOT_SO;
	}
	parts = ask_disown(p, b->node);
	ask_text(p, "UPDATE node SET gone = " PG_NOW ", status = '' WHERE node = %u", b->node);
	ask_text(p, "DELETE FROM send WHERE node = %u", b->node);
	if (commit(p, err) == -1)
		return -1;
	b->parts = pg_touched(p, parts);
	return BURIAL_DONE;
}

/* --- join ------------------------------------------------------------------------------------ */

enum again { AGAIN_NEW, AGAIN_OURS, AGAIN_OTHERS };

/* Who is there; what died on this machine goes. */
static int
look_around(struct store *s, struct text machine, enum again *again, struct err *err)
{
	struct burial dead[DEAD_MOST];
	unsigned n = 0, at;
	const PGresult *r;

	at = pg_ask_plain(&s->pg, "SELECT n.node, n.machine, f.alive, f.life"
	    " FROM node n JOIN fence f USING (node)");
	if (pg_trip(&s->pg, err) == -1)
		return -1;
	r = pg_result(&s->pg, at);
	*again = AGAIN_NEW;
	for (unsigned i = 0; i < pg_rows(&s->pg, at); i++) {
		int64_t node = pg_number(r, i, 0);

		if (node + 1 == (int64_t)s->conf->again)
			*again = text_eq(pg_text(r, i, 1), machine) ? AGAIN_OURS : AGAIN_OTHERS;
		if (n < DEAD_MOST && pg_number(r, i, 2) != 0 && machine_is_dead(pg_text(r, i, 1)))
			dead[n++] = (struct burial){ .node = (uint16_t)node, .renewals = -1,
			    .life = (uint64_t)pg_number(r, i, 3) };
	}
	for (unsigned i = 0; i < n; i++) {
		int rc = BURIAL_HELD;

		for (unsigned tries = 0; rc == BURIAL_HELD && tries < HELD_TRIES; tries++)
			rc = node_bury(&s->pg, &dead[i], NULL);
		if (rc == BURIAL_DONE)
			log_warn("node %u had died on this machine: its %u partitions are free", dead[i].node,
			    dead[i].parts);
	}
	return 0;
}

/* Who we are is seen at the server, so that a keeper can end us when we are frozen. */
static unsigned
ask_rejoin(struct store *s, uint16_t node)
{
	struct pg_args *a = args_begin(s, ST_REJOIN);
	unsigned at;

	pg_arg(a, 0, node);
	at = pg_ask(&s->pg, a);
	ask_text(&s->pg, "SELECT set_config('application_name', 'kantele node %u', false)", node);
	return at;
}

static void
joined(struct store *s, uint16_t node, uint64_t life, mono_t since)
{
	s->node = node;
	s->life = life;
	s->fence_seen = since;
	memset(s->epochs, 0, sizeof s->epochs);
}

/* A number that is free. Only one node at a time looks for one. */
static int
join_new(struct store *s, struct text machine, struct err *err)
{
	mono_t since = clock_mono();
	struct pg_args *a = args_begin(s, ST_NUMBER);
	unsigned at, life;
	uint64_t number;
	uint16_t node;

	pg_arg_text(a, 0, s->conf->node_name != NULL ? text_of(s->conf->node_name) : TEXT(""));
	pg_arg_text(a, 1, machine);
	begin(&s->pg);
	pg_ask_plain(&s->pg, "SELECT 1 FROM meta FOR UPDATE");
	at = pg_ask(&s->pg, a);
	if (pg_trip(&s->pg, err) == -1)
		return fails(&s->pg);
	if (pg_rows(&s->pg, at) != 1) {
		fails(&s->pg);
		return err_set(err, ERR_STORE, "all 65535 numbers of nodes are taken; they come again "
		    "after a day");
	}
	node = (uint16_t)pg_number(pg_result(&s->pg, at), 0, 0);
	life = ask_rejoin(s, node);
	ask_disown(&s->pg, node);
	ask_text(&s->pg, "DELETE FROM send WHERE node = %u", node);
	if (pg_trip(&s->pg, err) == -1)
		return fails(&s->pg);
	number = (uint64_t)pg_number(pg_result(&s->pg, life), 0, 0);
	if (move_check_pgsql(s, err) == -1)
		return fails(&s->pg);
	if (commit(&s->pg, err) == -1)
		return -1;
	joined(s, node, number, since);
	return 0;
}

/* As the node that this process was before; another life begins. */
static int
join_again(struct store *s, uint16_t node, struct text machine, bool disown, struct err *err)
{
	mono_t since = clock_mono();
	struct pg_args *a = args_begin(s, ST_BACK);
	unsigned back, at;
	uint64_t life;

	pg_arg(a, 0, node);
	pg_arg_text(a, 1, machine);
	begin(&s->pg);
	pg_ask_plain(&s->pg, "SET LOCAL lock_timeout = '5s'");
	back = pg_ask(&s->pg, a);
	at = ask_rejoin(s, node);
	if (disown)
		ask_disown(&s->pg, node);
	if (pg_trip(&s->pg, err) == -1)
		return fails(&s->pg);
	if (pg_touched(&s->pg, back) != 1) {
		fails(&s->pg);
		return err_set(err, ERR_STORE, "node %u was silent for so long that its number is another's "
		    "by now: restart this one", node);
	}
	life = (uint64_t)pg_number(pg_result(&s->pg, at), 0, 0);
	if (move_check_pgsql(s, err) == -1)
		return fails(&s->pg);
	if (commit(&s->pg, err) == -1)
		return -1;
	joined(s, node, life, since);
	return 0;
}

int
node_join(struct store *s, struct err *err)
{
	uint8_t memory[IDENTITY_MOST];
	struct buf b = buf_on(memory, sizeof memory);
	struct text machine = machine_identity(&b);
	uint16_t node = (uint16_t)(s->conf->again - 1);
	enum again again;

	if (look_around(s, machine, &again, err) == -1)
		return -1;
	if (again == AGAIN_NEW)
		return join_new(s, machine, err);
	if (again == AGAIN_OURS)
		end_writer(&s->pg, node, 0);	/* what it still writes is waited for, not for ever */
	return join_again(s, node, machine, false, err);
}

int
node_rejoin(struct store *s, struct err *err)
{
	uint8_t memory[IDENTITY_MOST];
	struct buf b = buf_on(memory, sizeof memory);

	if (join_again(s, s->node, machine_identity(&b), true, err) == -1)
		return -1;
	kept_forget(s);
	log_warn("node %u had been declared dead: it joins again, and owns nothing yet", s->node);
	return 0;
}

void
node_leave(struct store *s)
{
	struct burial b = { .node = s->node, .life = s->life, .renewals = -1 };

	if (PQstatus(s->pg.conn) == CONNECTION_OK)
		node_bury(&s->pg, &b, NULL);
	memset(s->epochs, 0, sizeof s->epochs);
}

int
node_look(struct store *s, struct err *err)
{
	mono_t since = clock_mono();
	struct pg_args *a = args_begin(s, ST_ALIVE);
	const PGresult *r;
	unsigned at;

	pg_arg(a, 0, s->node);
	at = pg_ask(&s->pg, a);
	if (pg_trip(&s->pg, err) == -1)
		return -1;
	r = pg_result(&s->pg, at);
	if (pg_rows(&s->pg, at) != 1 || pg_number(r, 0, 0) == 0 || (uint64_t)pg_number(r, 0, 1) != s->life)
		return node_rejoin(s, err);
	s->fence_seen = since;
	return 0;
}

/* --- partitions ----------------------------------------------------------------------------- */

static struct pg_args *
args_parts(struct store *s, enum pg_which which, const struct store_parts *parts)
{
	struct pg_args *a = args_life(s, which);

	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		if (parts_has(parts, i))
			pg_arg(a, 2, i);
	return a;
}

/* Not ours, as far as we know. */
static void
let_go(struct store *s, const struct store_parts *parts)
{
	kept_forget_parts(s, parts);
	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		if (parts_has(parts, i))
			s->epochs[i] = 0;
}

/* The fence, then that. Who has been declared dead gets nothing, and is told so at its next round. */
int
node_claim(struct store *s, const struct store_parts *wanted, struct store_parts *got, struct err *err)
{
	unsigned at;

	*got = (struct store_parts){ { 0 } };
	if (parts_none(wanted))
		return 0;
	begin(&s->pg);
	ask_fence(s);
	at = pg_ask(&s->pg, args_parts(s, ST_CLAIM, wanted));
	if (commit(&s->pg, err) == -1)
		return -1;
	let_go(s, wanted);
	for (unsigned i = 0; i < pg_rows(&s->pg, at); i++) {
		unsigned part = (unsigned)pg_number(pg_result(&s->pg, at), i, 0);

		s->epochs[part] = (uint64_t)pg_number(pg_result(&s->pg, at), i, 1);
		parts_set(got, part, true);
	}
	return 0;
}

int
node_release(struct store *s, const struct store_parts *parts, struct err *err)
{
	if (parts_none(parts))
		return 0;
	begin(&s->pg);
	ask_fence(s);
	pg_ask(&s->pg, args_parts(s, ST_RELEASE, parts));
	if (commit(&s->pg, err) == -1)
		return -1;
	let_go(s, parts);
	return 0;
}

/* After another connection: what is still ours, under the epochs that we know. */
int
node_keep_epochs(struct store *s, const uint64_t known[STORE_PARTITIONS], struct err *err)
{
	struct store_parts gone = { { 0 } };
	unsigned at = ask_text(&s->pg, "SELECT part, epoch FROM part WHERE owner = %u", s->node);

	if (pg_trip(&s->pg, err) == -1)
		return -1;
	for (unsigned i = 0; i < pg_rows(&s->pg, at); i++) {
		unsigned part = (unsigned)pg_number(pg_result(&s->pg, at), i, 0);
		uint64_t epoch = (uint64_t)pg_number(pg_result(&s->pg, at), i, 1);

		s->epochs[part] = epoch == known[part] ? epoch : 0;
	}
	for (unsigned i = 0; i < STORE_PARTITIONS; i++)
		parts_set(&gone, i, s->epochs[i] == 0);
	kept_forget_parts(s, &gone);
	return 0;
}

/* --- ids, batches ------------------------------------------------------------------------------ */

/* One number of our fence's row, written. Who has been declared dead joins again first. */
static int
fence_number(struct store *s, enum pg_which which, int64_t by, int64_t *number, struct err *err)
{
	for (unsigned tries = 0; tries < 2; tries++) {
		struct pg_args *a = args_life(s, which);
		unsigned at;

		if (which == ST_IDS)
			pg_arg(a, 2, by);
		begin(&s->pg);
		at = pg_ask(&s->pg, a);
		if (commit(&s->pg, err) == -1)
			return -1;
		if (pg_rows(&s->pg, at) == 1) {
			*number = pg_number(pg_result(&s->pg, at), 0, 0);
			return confirmed(&s->pg, err);
		}
		if (node_rejoin(s, err) == -1)
			return -1;
	}
	return err_set(err, ERR_FENCED, "node %u has been declared dead", s->node);
}

/* Not confirmed by the standby: after a failover they could come again, so nobody gets them. */
int
node_reserve(struct store *s, uint32_t count, uint64_t *first, struct err *err)
{
	int64_t last;

	if (fence_number(s, ST_IDS, count, &last, err) == -1)
		return -1;
	*first = (uint64_t)s->node << STORE_NODE_SHIFT | (uint64_t)(last - count + 1);
	return 0;
}

int
node_last_batch(struct store *s, uint64_t *batch, struct err *err)
{
	int64_t last;

	if (fence_number(s, ST_BATCH, 0, &last, err) == -1)
		return -1;
	*batch = (uint64_t)last;
	return 0;
}
