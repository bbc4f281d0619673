/*
 * door_admin.c - Kannel's commands for operators
 *
 * A command is a row: name, right, what it does. The list in the answer to an unknown command is
 * printed from the same table. Commands of Kannel that are not there yet say so.
 *
 * Wrong passwords: an address that gave one waits 0, 1, 2 ... 10 seconds for the answer; what it
 * asks meanwhile is looked at only then, so that guessing in parallel is no faster. A right one
 * makes it forgotten.
 *
 * Knows:     commands, rights, forms of answers.
 * Does not:  know links or the queue; asks dispatch/ and queue/.
 * Owns:      the requests that wait, addresses that gave wrong passwords.
 * Threads:   the loop.
 */
#include "http/door_admin.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/ip.h"
#include "http/params.h"
#include "http/status.h"
#include "io/httpd.h"
#include "io/log.h"
#include "io/loop.h"
#include "queue/queue.h"

enum {
	GUESSERS = 32, ADDRESS_SIZE = 64, PENALTY_MOST_S = 10, WAITING_MOST = 64,
	PAGE_MOST = 1 << 20, NAME_MOST = 100, MODE_MOST = 40, LINE_MOST = 2000, HELD_SHOWN = 256 * 1024
};

struct waiting {			/* a request that is looked at later */
	struct http_request *request;
	mono_t		 due;
	bool		 denied;	/* was looked at: the answer is "Denied" */
	struct waiting	*next;
};

struct guesser {
	char		 address[ADDRESS_SIZE];
	unsigned	 wrong;
	mono_t		 until, seen;
};

struct admin {
	struct admin_setup setup;
	enum dispatch_mode mode;
	wall_t		 obeyed;	/* when the mode for all was set that we obeyed last */
	bool		 stopping;
	struct guesser	 guessers[GUESSERS];
	struct waiting	*waiting;
	size_t		 waiting_count;
	struct timer	*timer;
};

struct ask {				/* one request for a command */
	struct admin	*admin;
	struct http_request *request;
	struct params	 params;
	enum form	 form;
	struct buf	 answer;	/* what the command says, escaped for the form already */
	bool		 later;		/* it will answer by itself */
};

static const struct param_row rows[] = {
	{ .param = PARAM_PASSWORD, .name = "password" },
	{ .param = PARAM_FILE, .name = "file" },
	{ .param = PARAM_ID, .name = "id" },
	{ .param = PARAM_NODES, .name = "nodes" },
	{ .param = PARAM_LEVEL, .name = "level", .number = true, .least = 0, .most = 4 },
	{ .name = NULL }
};

/* --- answers ------------------------------------------------------------------- */

static const struct {
	const char	*suffix, *type, *accept, *before, *after;
} forms[] = {
	[FORM_TEXT] = { "txt", "text/plain", "text/plain", "", "" },
	[FORM_HTML] = { "html", "text/html", "text/html",
	    "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2//EN\">\n<html>\n<title>Kannel</title>\n"
	    "<body>\n<p>", "</p>\n</body></html>\n" },
	[FORM_XML] = { "xml", "text/xml", "text/xml", "<?xml version=\"1.0\"?>\n<gateway>\n",
	    "</gateway>\n" },
	[FORM_WML] = { "wml", "text/vnd.wap.wml", "text/vnd.wap.wml",
	    "<?xml version=\"1.0\"?>\n<!DOCTYPE wml PUBLIC \"-//WAPFORUM//DTD WML 1.1//EN\" "
	    "\"http://www.wapforum.org/DTD/wml_1.1.xml\">\n\n<wml>\n <card>\n  <p>",
	    "</p>\n </card>\n</wml>\n" },
};

static void
reply(struct ask *a)
{
	struct buf page = buf_heap(2 * PAGE_MOST);

	buf_str(&page, forms[a->form].before);
	buf_bytes(&page, a->answer.data, a->answer.len);
	buf_str(&page, forms[a->form].after);
	http_reply_header(a->request, "Cache-Control", "no-store");
	http_reply(a->request, 200, forms[a->form].type,
	    (struct text){ (const char *)page.data, page.len });
	buf_free(&page);
	buf_free(&a->answer);
}

/* Between tags, so quotes and line ends stay as Kannel has them. */
static void
say(struct ask *a, const char *text)
{
	for (; *text != '\0'; text++) {
		const char *quoted = *text == '<' ? "&lt;" : *text == '>' ? "&gt;" :
		    *text == '&' ? "&amp;" : NULL;

		if (a->form != FORM_TEXT && quoted != NULL)
			buf_str(&a->answer, quoted);
		else
			buf_u8(&a->answer, (uint8_t)*text);
	}
}

/* --- commands -------------------------------------------------------------------- */

static const char *const mode_words[] = {
	[DISPATCH_RUNNING] = "running", [DISPATCH_ISOLATED] = "isolated",
	[DISPATCH_SUSPENDED] = "suspended"
};

static const char *
mode_word(const struct admin *d)
{
	return d->stopping ? "going down" : mode_words[d->mode];
}

static void
cmd_status(struct ask *a)
{
	status_write(&a->admin->setup, mode_word(a->admin), loop_now(a->admin->setup.loop), a->form,
	    &a->answer);
}

static void
mode_is(struct admin *d, enum dispatch_mode mode, const char *what)
{
	d->mode = mode;
	dispatch_mode(d->setup.dispatch, mode);
	log_warn("admin: %s", what);
}

/* Written where all nodes look; each obeys within its next look, we too. */
struct mode_change {
	struct ask	 ask;
	const char	*now;
};

static void
mode_written(void *arg, const struct err *err)
{
	struct mode_change *c = arg;

	say(&c->ask, err != NULL ? err->text : c->now);
	if (err == NULL)
		say(&c->ask, ", on all nodes");
	reply(&c->ask);
	free(c);
}

static void
set_mode_of_all(struct ask *a, enum dispatch_mode mode, const char *now)
{
	struct mode_change *c = malloc(sizeof *c);
	wall_t at = clock_wall();
	char text[MODE_MOST];

	if (c == NULL) {
		say(a, "No memory");
		return;
	}
	a->later = true;
	*c = (struct mode_change){ .ask = *a, .now = now };
	/* Later than the last one, whatever the clocks of the nodes say. */
	snprintf(text, sizeof text, "%" PRId64 " %s", at > a->admin->obeyed ? at : a->admin->obeyed + 1,
	    mode_words[mode]);
	queue_mode_all(a->admin->setup.queue, text_of(text), mode_written, c);
}

void
admin_mode_of_all(struct admin *d, struct text mode)
{
	struct text at;
	long when;

	if (!text_cut(&mode, ' ', &at) || text_number(at, 1, LONG_MAX, &when) == -1 || when <= d->obeyed)
		return;
	d->obeyed = when;
	for (size_t i = 0; i < sizeof mode_words / sizeof *mode_words; i++)
		if (text_is(mode, mode_words[i]) && d->mode != (enum dispatch_mode)i)
			mode_is(d, (enum dispatch_mode)i, mode_words[i]);
}

static void
set_mode(struct ask *a, enum dispatch_mode mode, const char *already, const char *now)
{
	struct text nodes = a->params.text[PARAM_NODES];

	if (text_is(nodes, "all")) {
		set_mode_of_all(a, mode, now);
	} else if (nodes.len > 0) {
		say(a, "nodes=all is for all nodes; without it this one");
	} else if (a->admin->mode == mode) {
		say(a, already);
	} else {
		if (clock_wall() > a->admin->obeyed)	/* what was set for all before it is over */
			a->admin->obeyed = clock_wall();
		mode_is(a->admin, mode, now);
		say(a, now);
	}
}

static void
cmd_suspend(struct ask *a)
{
	set_mode(a, DISPATCH_SUSPENDED, "Already suspended", "Kannel suspended");
}

static void
cmd_isolate(struct ask *a)
{
	set_mode(a, DISPATCH_ISOLATED, "Already isolated", "Kannel isolated from message providers");
}

static void
cmd_resume(struct ask *a)
{
	set_mode(a, DISPATCH_RUNNING, "Already running", "Running resumed");
}

static void
cmd_shutdown(struct ask *a)
{
	log_warn("admin: shutdown");
	say(a, "Bringing system down");
	a->admin->setup.shutdown(a->admin->setup.arg);
}

static void
cmd_log_level(struct ask *a)
{
	char text[40];
	struct buf b = buf_on(text, sizeof text);
	long level;

	if (params_check(&a->params, rows) != NULL || (level = a->params.number[PARAM_LEVEL]) < 0) {
		say(a, a->params.text[PARAM_LEVEL].at == NULL ? "New level not given" :
		    "The level is 0 (debug) to 4 (panic)");
		return;
	}
	log_set_level((enum log_level)level);
	buf_printf(&b, "log-level set to %ld", level);
	say(a, buf_cstr(&b));
}

/* A copy of the queue, beside the store and nowhere else. */
struct backup {
	struct ask	 ask;
	char		*path;
};

static void
backup_done(void *arg, const struct err *err)
{
	struct backup *b = arg;

	if (err != NULL) {
		log_error("admin: backup to %s failed: %s", b->path, err->text);
		say(&b->ask, "Backup failed: ");
		say(&b->ask, err->text);
	} else {
		log_warn("admin: backup written to %s", b->path);
		say(&b->ask, "Backup written");
	}
	reply(&b->ask);
	free(b->path);
	free(b);
}

/* The name is printed, logged and typed by people. */
static bool
name_ok(struct text name)
{
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.at[i] < 0x20 || name.at[i] == 0x7F || name.at[i] == '/')
			return false;
	return name.len > 0 && name.len <= NAME_MOST && name.at[0] != '.' &&
	    text_utf8_bad(name) == -1;
}

static void
cmd_backup(struct ask *a)
{
	const char *folder = a->admin->setup.store_folder;
	struct text name = a->params.text[PARAM_FILE];
	struct buf path = buf_heap(8192);
	struct backup *b;

	if (folder == NULL || !name_ok(name)) {
		say(a, folder == NULL ? "This store is not a file" :
		    "Give file=NAME: a name without a slash or control characters, beside the store");
		return;
	}
	buf_printf(&path, "%s/%.*s", folder, TEXT_ARGS(name));
	b = calloc(1, sizeof *b);
	if (b == NULL || (b->path = text_dup((struct text){ (char *)path.data, path.len })) == NULL) {
		say(a, "No memory");
		free(b);
	} else {
		a->later = true;
		b->ask = *a;
		queue_backup(a->admin->setup.queue, b->path, backup_done, b);
	}
	buf_free(&path);
}

/* --- messages of unknown outcome that wait for a person ---------------------------- */

struct decision {
	struct ask	 ask;
	enum store_wish wish;
	char		 id[PUSH_ID_SIZE];
};

/* The request is answered when the queue has been asked; NULL: answered now. */
static struct decision *
decision_new(struct ask *a, enum store_wish wish)
{
	struct decision *d = malloc(sizeof *d);

	if (d == NULL) {
		say(a, "No memory");
		return NULL;
	}
	a->later = true;
	*d = (struct decision){ .ask = *a, .wish = wish };
	return d;
}

static void
decision_reply(struct decision *d, const char *text)
{
	if (text != NULL)
		say(&d->ask, text);
	reply(&d->ask);
	free(d);
}

static void
held_line(struct decision *d, const struct store_index *x)
{
	char id[PUSH_ID_SIZE], accepted[32], line[LINE_MOST];
	struct buf b = buf_on(line, sizeof line);
	struct text smsc = x->link, node;

	text_cut(&smsc, '/', &node);
	queue_push_id_of(d->ask.admin->setup.queue, x->id, id);
	clock_iso(x->accepted, accepted, sizeof accepted);
	buf_printf(&b, "%s to=%.*s smsc=%.*s account=%.*s attempt=%u accepted=%s\n", id,
	    TEXT_ARGS(x->msisdn), TEXT_ARGS(smsc), TEXT_ARGS(x->account), x->attempt, accepted);
	say(&d->ask, b.overflow ? id : buf_cstr(&b));
}

static void
held_found(void *arg, const struct err *err, const struct store_index *rows, size_t n)
{
	struct decision *d = arg;

	for (size_t i = 0; i < n && d->ask.answer.len < HELD_SHOWN; i++)
		held_line(d, &rows[i]);
	if (n > 0 && d->ask.answer.len >= HELD_SHOWN)
		say(&d->ask, "and more\n");
	decision_reply(d, err != NULL ? err->text : n == 0 ? "No message is held" : NULL);
}

static void
cmd_held(struct ask *a)
{
	struct decision *d = decision_new(a, WISH_RESEND);

	if (d != NULL)
		queue_held(a->admin->setup.queue, held_found, d);
}

static void
decided(void *arg, const struct err *err, enum store_result how)
{
	struct decision *d = arg;
	bool again = d->wish == WISH_RESEND;

	if (err == NULL && how == STORE_OK)
		log_event(again ? "resend" : "give-up", d->id,
		    (struct log_field[]){ { "door", TEXT("admin") } }, 1);
	decision_reply(d, err != NULL ? err->text : how != STORE_OK ? "This message is not held" :
	    again ? "Sent again" : "Given up");
}

static void
decision_found(void *arg, const struct err *err, const struct store_view *v, size_t n)
{
	struct decision *d = arg;

	if (err != NULL || n == 0) {
		decision_reply(d, err != NULL ? err->text : "There is no such message");
		return;
	}
	queue_push_id_of(d->ask.admin->setup.queue, v->id, d->id);
	queue_decide(d->ask.admin->setup.queue, v->id, v->order_key, d->wish, decided, d);
}

static void
decide(struct ask *a, enum store_wish wish)
{
	struct decision *d;

	if (a->params.text[PARAM_ID].len == 0)
		say(a, "Give id=PUSH-ID: `held' lists them");
	else if ((d = decision_new(a, wish)) != NULL)
		queue_find(a->admin->setup.queue, (struct text){ 0 }, a->params.text[PARAM_ID],
		    decision_found, d);
}

static void
cmd_resend(struct ask *a)
{
	decide(a, WISH_RESEND);
}

static void
cmd_give_up(struct ask *a)
{
	decide(a, WISH_GIVE_UP);
}

enum right { RIGHT_STATUS, RIGHT_ADMIN };

static const struct command {
	const char	*name;
	enum right	 right;
	void		(*run)(struct ask *);	/* NULL: not there yet */
	bool		 ours;			/* not listed among Kannel's */
} commands[] = {
	{ "status",		RIGHT_STATUS,	cmd_status,	false },
	{ "store-status",	RIGHT_STATUS,	NULL,		false },
	{ "log-level",		RIGHT_ADMIN,	cmd_log_level,	false },
	{ "shutdown",		RIGHT_ADMIN,	cmd_shutdown,	false },
	{ "suspend",		RIGHT_ADMIN,	cmd_suspend,	false },
	{ "isolate",		RIGHT_ADMIN,	cmd_isolate,	false },
	{ "resume",		RIGHT_ADMIN,	cmd_resume,	false },
	{ "restart",		RIGHT_ADMIN,	NULL,		false },
	{ "graceful-restart",	RIGHT_ADMIN,	NULL,		false },
	{ "flush-dlr",		RIGHT_ADMIN,	NULL,		false },
	{ "stop-smsc",		RIGHT_ADMIN,	NULL,		false },
	{ "start-smsc",		RIGHT_ADMIN,	NULL,		false },
	{ "add-smsc",		RIGHT_ADMIN,	NULL,		false },
	{ "remove-smsc",	RIGHT_ADMIN,	NULL,		false },
	{ "reload-lists",	RIGHT_ADMIN,	NULL,		false },
	{ "remove-message",	RIGHT_ADMIN,	NULL,		false },
	{ "backup",		RIGHT_ADMIN,	cmd_backup,	true },
	{ "held",		RIGHT_ADMIN,	cmd_held,	true },
	{ "resend",		RIGHT_ADMIN,	cmd_resend,	true },
	{ "give-up",		RIGHT_ADMIN,	cmd_give_up,	true },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void
say_unknown(struct ask *a)
{
	struct buf path = buf_heap(PAGE_MOST);
	struct text asked = http_path(a->request);

	buf_bytes(&path, asked.at, asked.len);
	say(a, "Unknown command `");
	say(a, buf_cstr(&path) != NULL ? buf_cstr(&path) : "");
	say(a, "'.\nPossible commands are:\n");
	for (size_t i = 0; i < COMMANDS; i++) {
		if (commands[i].ours)
			continue;
		say(a, commands[i].name);
		say(a, "\n");
	}
	buf_free(&path);
}

/* --- passwords -------------------------------------------------------------------- */

static bool
may(const struct ask *a, enum right right)
{
	const struct admin_setup *s = &a->admin->setup;
	struct text given = a->params.text[PARAM_PASSWORD];

	if (right == RIGHT_STATUS && !secret_given(s->status_password))
		return true;
	if (given.at == NULL)
		return false;
	return (right == RIGHT_STATUS && secret_equal(s->status_password, given)) ||
	    (secret_given(s->admin_password) && secret_equal(s->admin_password, given));
}

static struct guesser *
guesser_find(struct admin *d, const char *address, bool make)
{
	struct guesser *oldest = &d->guessers[0];

	for (struct guesser *g = d->guessers; g < d->guessers + GUESSERS; g++) {
		if (strcmp(g->address, address) == 0)
			return g;
		if (g->seen < oldest->seen)
			oldest = g;
	}
	if (!make)
		return NULL;
	*oldest = (struct guesser){ .wrong = 0 };
	memcpy(oldest->address, address, strnlen(address, ADDRESS_SIZE - 1));
	return oldest;
}

static struct guesser *
guesser_of(struct admin *d, struct http_request *r, bool make)
{
	char address[ADDRESS_SIZE];

	return guesser_find(d, ip_print(http_client(r), address, sizeof address), make);
}

static void
wait_arm(struct admin *d)
{
	mono_t first = 0, now = loop_now(d->setup.loop);

	for (struct waiting *w = d->waiting; w != NULL; w = w->next)
		if (first == 0 || w->due < first)
			first = w->due;
	if (first != 0)
		timer_set(d->timer, first > now ? first - now : 0);
}

static void
wait_until(struct admin *d, struct http_request *r, mono_t due, bool denied)
{
	struct waiting *w, **at = &d->waiting;

	if (d->waiting_count >= WAITING_MOST || (w = http_alloc(r, sizeof *w)) == NULL) {
		http_drop(r);
		return;
	}
	*w = (struct waiting){ .request = r, .due = due, .denied = denied };
	while (*at != NULL)
		at = &(*at)->next;
	*at = w;
	d->waiting_count++;
	wait_arm(d);
}

/* A wrong password: the answer comes after a pause that grows. */
static void
deny(struct ask *a, struct guesser *g)
{
	struct admin *d = a->admin;
	mono_t now = loop_now(d->setup.loop);
	unsigned pause = g->wrong < PENALTY_MOST_S ? g->wrong : PENALTY_MOST_S;

	g->wrong++;
	g->seen = now;
	g->until = now + 1000 * (mono_t)pause;
	log_warn("admin: wrong password from %s, %u in a row", g->address, g->wrong);
	if (pause == 0) {
		say(a, "Denied");
		reply(a);
		return;
	}
	wait_until(d, a->request, g->until, true);
}

/* --- a request ---------------------------------------------------------------------- */

static enum form
form_of(struct text *path, struct text accept)
{
	static const enum form order[] = { FORM_WML, FORM_HTML, FORM_XML, FORM_TEXT };

	for (size_t i = path->len; i-- > 0 && path->at[i] != '/'; ) {
		struct text suffix = { path->at + i + 1, path->len - i - 1 };

		if (path->at[i] != '.')
			continue;
		path->len = i;
		for (int f = FORM_TEXT; f <= FORM_WML; f++)
			if (text_is(suffix, forms[f].suffix))
				return (enum form)f;
		break;
	}
	for (size_t i = 0; i < sizeof order / sizeof *order && accept.len > 0; i++)
		if (memmem(accept.at, accept.len, forms[order[i]].accept,
		    strlen(forms[order[i]].accept)) != NULL)
			return order[i];
	return FORM_TEXT;
}

static const struct command *
command_of(struct text path)
{
	static const struct text prefix = TEXT("/cgi-bin/");

	if (path.len >= prefix.len && memcmp(path.at, prefix.at, prefix.len) == 0) {
		path.at += prefix.len - 1;
		path.len -= prefix.len - 1;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (path.len > 1 && text_is((struct text){ path.at + 1, path.len - 1 },
		    commands[i].name))
			return &commands[i];
	return NULL;
}

static void
run(struct ask *a, const struct command *command)
{
	if (a->admin->stopping)
		say(a, "Avalanche has already started, too late to save the sheeps");
	else if (command->run != NULL)
		command->run(a);
	else {
		say(a, "Command `");
		say(a, command->name);
		say(a, "' is not available yet.");
	}
	if (!a->later)
		reply(a);
}

static void
look(struct admin *d, struct http_request *r, bool denied)
{
	struct ask a = { .admin = d, .request = r, .answer = buf_heap(PAGE_MOST) };
	struct text path = http_path(r);
	const struct command *command;
	struct guesser *g;

	a.form = form_of(&path, http_header(r, "Accept"));
	command = command_of(path);
	params_init(&a.params);
	if (denied || command == NULL || params_read(&a.params, rows, r, http_query(r)) == -1) {
		if (command == NULL)
			say_unknown(&a);
		else
			say(&a, "Denied");
		reply(&a);
	} else if (!may(&a, command->right)) {
		deny(&a, guesser_of(d, r, true));
	} else {
		if ((g = guesser_of(d, r, false)) != NULL)
			*g = (struct guesser){ .wrong = 0 };
		run(&a, command);
	}
}

static void
wait_over(void *arg)
{
	struct admin *d = arg;
	mono_t now = loop_now(d->setup.loop);
	struct waiting **at = &d->waiting, *w;

	/* one a turn for those that were not looked at yet: they may have to wait again */
	while ((w = *at) != NULL && w->due > now)
		at = &w->next;
	if (w != NULL) {
		*at = w->next;
		d->waiting_count--;
		if (w->denied) {
			look(d, w->request, true);
		} else {
			struct guesser *g = guesser_of(d, w->request, false);

			if (g != NULL && g->until > now)
				wait_until(d, w->request, g->until, false);
			else
				look(d, w->request, false);
		}
	}
	wait_arm(d);
}

void
door_admin(void *arg, struct http_request *r)
{
	struct admin *d = arg;
	struct text method = http_method(r);
	struct guesser *g;

	if (!ip_allowed(d->setup.allow, d->setup.deny, http_client(r))) {
		log_warn("admin: a request from an address that is not allowed");
		http_drop(r);
		return;
	}
	if (!text_is(method, "GET") && !text_is(method, "POST")) {
		http_reply_header(r, "Allow", "GET, POST");
		http_reply(r, text_is(method, "HEAD") ? 405 : 400, "text/plain", TEXT(""));
		return;
	}
	g = guesser_of(d, r, false);
	if (g != NULL && g->until > loop_now(d->setup.loop))
		wait_until(d, r, g->until, false);
	else
		look(d, r, false);
}

struct admin *
admin_new(const struct admin_setup *setup, struct err *err)
{
	struct admin *d = calloc(1, sizeof *d);

	if (d == NULL || (d->timer = timer_new(setup->loop, wait_over, d)) == NULL) {
		err_set(err, ERR_SYSTEM, "no memory for the admin door");
		free(d);
		return NULL;
	}
	d->setup = *setup;
	return d;
}

void
admin_free(struct admin **dp)
{
	if (*dp == NULL)
		return;
	timer_free(&(*dp)->timer);
	free(*dp);
	*dp = NULL;
}

void
admin_configure(struct admin *d, const struct admin_setup *setup)
{
	d->setup = *setup;
}

void
admin_stopping(struct admin *d)
{
	d->stopping = true;
}
