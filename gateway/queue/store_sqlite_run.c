/*
 * store_sqlite_run.c - messages that finish one after the other in the same way
 *
 * Under load most settlements of a transaction are such runs: ids in a row, one outcome, one link, one time.
 * A run goes to the results with three statements, whatever its length.
 *
 * Knows:     what of a settlement stands in a result.
 * Does not:  know why it finished.
 * Owns:      the run that is open.
 * Threads:   the store's.
 */
#include "queue/store_sqlite_inner.h"

static int
run_drop(struct store *s, enum sql which, struct err *err)
{
	struct bind b = sql(s, which);

	bind_int(&b, (int64_t)s->run.first);
	bind_int(&b, (int64_t)s->run.last);
	return sql_run(s, &b, err);
}

/* Off the hot table into the results; the bodies go. */
int
run_settled(struct store *s, struct err *err)
{
	struct finish_run *run = &s->run;
	struct bind b = sql(s, SQL_FINISH);

	if (run->first == 0)
		return 0;
	bind_int(&b, (int64_t)run->first);
	bind_int(&b, (int64_t)run->last);
	bind_int(&b, run->as.outcome);
	bind_int(&b, run->as.code);
	bind_int(&b, run->as.at);
	bind_text(&b, run->as.link);
	bind_int(&b, run->as.attempt);
	if (sql_run(s, &b, err) == -1 || run_drop(s, SQL_DROP_HOT, err) == -1 ||
	    run_drop(s, SQL_DROP_BODY, err) == -1)
		return -1;
	run->first = 0;
	return 0;
}

static bool
run_takes(const struct finish_run *run, const struct store_settlement *st)
{
	return run->first != 0 && st->id == run->last + 1 && st->outcome == run->as.outcome &&
	    st->code == run->as.code && st->at == run->as.at && st->attempt == run->as.attempt &&
	    text_eq(st->link, run->as.link);
}

static int
run_begin(struct store *s, const struct store_settlement *st, struct err *err)
{
	struct finish_run *run = &s->run;

	if (run_settled(s, err) == -1)
		return -1;
	if (st->link.len > sizeof run->link)
		return err_set(err, ERR_SYSTEM, "store: a link's name is too long");
	run->first = run->last = st->id;
	run->as = (struct store_settlement){ .outcome = st->outcome, .code = st->code, .at = st->at,
	    .attempt = st->attempt };
	if (st->link.at != NULL) {
		memcpy(run->link, st->link.at, st->link.len);
		run->as.link = (struct text){ run->link, st->link.len };
	}
	return 0;
}

int
run_add(struct store *s, const struct store_settlement *st, struct err *err)
{
	if (!run_takes(&s->run, st))
		return run_begin(s, st, err);
	s->run.last++;
	return 0;
}
