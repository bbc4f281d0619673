/*
 * log.c - lines, collected by the loop and written once a turn
 *
 * The loop's thread formats straight into one buffer, which leaves with one write a turn,
 * when it is full, or at once for errors. Other threads are rare guests: their line is
 * written at once, by itself, so no lock is needed; it may stand before lines of the
 * loop that are some milliseconds older. Pieces of at most PIPE_BUF octets that end with a
 * line keep lines of several threads whole on pipes and sockets; files are opened to append,
 * where one write is one piece whatever its length.
 *
 * Limits: a line is cut after LOG_LINE_MOST octets. SIGKILL loses the lines of one turn.
 * Writing blocks: a reader who does not read stderr stops the gateway, as it stops any
 * program that logs to stderr; O_NONBLOCK belongs to everybody who shares the descriptor, so
 * it is not set here (and not relied on: EAGAIN waits). What cannot be written (disk
 * full) is dropped, counted, and reported when writing works again.
 *
 * Knows:     the format of a line, the descriptor.
 * Does not:  know what must not be logged; secrets have a type of their own.
 * Owns:      the descriptor (a copy of stderr, or the file). There is one log per process.
 * Threads:   any; log_open, log_on_loop and log_flush: the loop's.
 */
#include "io/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "io/loop.h"

enum { LOG_BUFFER = 64 * 1024, LOG_LINE_MOST = PIPE_BUF, LOG_STAMP = 24 };

static const char *const log_names[] = {
	[LOG_LEVEL_DEBUG] = "debug", [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_PANIC] = "panic",
};

static struct {
	int		 fd;			/* stderr until log_open */
	bool		 opened, is_file;
	enum log_level	 level;			/* atomic */
	struct loop	*loop;
	struct soon	 soon;
	size_t		 len;
	unsigned	 lost;			/* writes that failed, in a row */
	char		 buffer[LOG_BUFFER];
} the_log = { .fd = STDERR_FILENO, .level = LOG_LEVEL_INFO };

/* The thread whose lines are collected. */
static _Thread_local bool log_collects;

/* A line that is being made: `end` leaves room for the mark of a cut and the newline. */
struct line {
	char	*at, *end;
	bool	 cut;
};

static const char line_cut[] = "...";

static struct line
line_on(char *memory)
{
	return (struct line){ memory, memory + LOG_LINE_MOST - sizeof line_cut, false };
}

static inline void
line_bytes(struct line *l, const char *from, size_t n)
{
	if (n > (size_t)(l->end - l->at)) {
		n = (size_t)(l->end - l->at);
		l->cut = true;
	}
	memcpy(l->at, from, n);
	l->at += n;
}

static void
line_end(struct line *l)
{
	if (l->cut) {
		memcpy(l->at, line_cut, sizeof line_cut - 1);
		l->at += sizeof line_cut - 1;
	}
	*l->at++ = '\n';
}

static void
stamp_digits(char *at, int n, int digits)
{
	while (digits-- > 0) {
		at[digits] = (char)('0' + n % 10);
		n /= 10;
	}
}

/* Calendar arithmetic once a second, not once a line. */
static void
line_stamp(struct line *l)
{
	static _Thread_local char stamp[LOG_STAMP + 1] = "0000-00-00T00:00:00.000Z";
	static _Thread_local time_t second = -1;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != second) {
		static const int at[6] = { 0, 5, 8, 11, 14, 17 };
		int field[6];

		clock_civil((wall_t)now.tv_sec * 1000, field);
		for (int i = 0; i < 6; i++)
			stamp_digits(stamp + at[i], field[i], i == 0 ? 4 : 2);
		second = now.tv_sec;
	}
	stamp_digits(stamp + 20, (int)(now.tv_nsec / 1000000), 3);
	line_bytes(l, stamp, LOG_STAMP);
}

static void
line_begin(struct line *l, enum log_level level)
{
	line_stamp(l);
	line_bytes(l, " ", 1);
	line_bytes(l, log_names[level], strlen(log_names[level]));
	line_bytes(l, " ", 1);
}

static void
line_escaped(struct line *l, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char out[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };
	size_t n = sizeof out;

	if (c == '\n' || c == '\t' || c == '\r' || c == '"' || c == '\\') {
		out[1] = c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : (char)c;
		n = 2;
	}
	if (n > (size_t)(l->end - l->at)) {	/* half an escape would mean something else */
		l->cut = true;
		l->end = l->at;
		return;
	}
	line_bytes(l, out, n);
}

static inline bool
is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7F;
}

static inline bool
is_plain(unsigned char c)
{
	return c > 0x20 && c != '"' && c != '\\' && c != 0x7F;
}

/* UTF-8 without the control characters C1. What is not has its octets >= 0x80 escaped. */
static bool
is_readable(struct text v)
{
	size_t i = 0;

	while (i < v.len && (unsigned char)v.at[i] < 0x80)
		i++;
	if (i == v.len)
		return true;
	for (; i + 1 < v.len; i++)
		if ((unsigned char)v.at[i] == 0xC2 && (unsigned char)v.at[i + 1] < 0xA0)
			return false;
	return text_utf8_bad(v) == -1;
}

/* A value that could be mistaken for more than one word is quoted. */
static void
log_value(struct line *l, struct text v)
{
	bool readable = is_readable(v);
	size_t plain = 0;

	while (plain < v.len && is_plain((unsigned char)v.at[plain]))
		plain++;
	if (plain == v.len && v.len > 0 && readable) {
		line_bytes(l, v.at, v.len);
		return;
	}
	line_bytes(l, "\"", 1);
	for (size_t i = 0; i < v.len && l->at < l->end; i++) {
		unsigned char c = (unsigned char)v.at[i];

		if ((is_plain(c) && (readable || c < 0x80)) || c == ' ')
			*l->at++ = (char)c;
		else
			line_escaped(l, c);
	}
	line_bytes(l, "\"", 1);
}

/* Waits where it must; false: the rest is lost. */
static bool
log_write_all(int fd, const char *at, size_t n)
{
	while (n > 0) {
		ssize_t did = write(fd, at, n);

		if (did == -1 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			struct pollfd room = { .fd = fd, .events = POLLOUT };

			poll(&room, 1, -1);
			continue;
		}
		if (did == -1 && errno == EINTR)
			continue;
		if (did <= 0)
			return false;
		at += did;
		n -= (size_t)did;
	}
	return true;
}

/* The largest piece that ends with a line and is written whole. */
static size_t
log_piece(const char *at, size_t n)
{
	const char *end;

	if (the_log.is_file || n <= PIPE_BUF)
		return n;
	end = memrchr(at, '\n', PIPE_BUF);
	return end != NULL ? (size_t)(end - at) + 1 : PIPE_BUF;
}

static void
log_put(const char *at, size_t n)
{
	while (n > 0) {
		size_t piece = log_piece(at, n);

		if (!log_write_all(the_log.fd, at, piece))
			__atomic_add_fetch(&the_log.lost, 1, __ATOMIC_RELAXED);
		at += piece;
		n -= piece;
	}
}

static void
log_confess(void)
{
	unsigned lost = __atomic_load_n(&the_log.lost, __ATOMIC_RELAXED);
	char memory[LOG_LINE_MOST];
	struct line l = line_on(memory);
	char text[80];

	line_begin(&l, LOG_LEVEL_ERROR);
	snprintf(text, sizeof text, "log lost: %u writes failed", lost);
	line_bytes(&l, text, strlen(text));
	line_end(&l);
	if (log_write_all(the_log.fd, memory, (size_t)(l.at - memory)))
		__atomic_sub_fetch(&the_log.lost, lost, __ATOMIC_RELAXED);
}

void
log_flush(void)
{
	size_t n = the_log.len;

	if (!log_collects || n == 0)
		return;
	the_log.len = 0;
	if (__atomic_load_n(&the_log.lost, __ATOMIC_RELAXED) > 0)
		log_confess();
	log_put(the_log.buffer, n);
}

static void
log_turn(void *arg)
{
	(void)arg;
	log_flush();
}

/* Where the next line is made. */
static struct line
log_begin(char own[LOG_LINE_MOST])
{
	if (!log_collects)
		return line_on(own);
	if (LOG_BUFFER - the_log.len < LOG_LINE_MOST)
		log_flush();
	return line_on(the_log.buffer + the_log.len);
}

static void
log_end(struct line *l, const char own[LOG_LINE_MOST], enum log_level level)
{
	line_end(l);
	if (!log_collects) {
		log_put(own, (size_t)(l->at - own));
		return;
	}
	the_log.len = (size_t)(l->at - the_log.buffer);
	if (level >= LOG_LEVEL_ERROR)
		log_flush();
	else
		loop_soon(the_log.loop, &the_log.soon);
}

void
log_event(const char *event, const char *push_id, const struct log_field *fields, unsigned count)
{
	char own[LOG_LINE_MOST];
	struct line l;

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	l = log_begin(own);
	line_begin(&l, LOG_LEVEL_INFO);
	line_bytes(&l, event, strlen(event));
	if (push_id != NULL) {
		line_bytes(&l, " id=", 4);
		log_value(&l, text_of(push_id));
	}
	for (unsigned i = 0; i < count && fields[i].key != NULL; i++) {
		if (fields[i].value.at == NULL)
			continue;
		line_bytes(&l, " ", 1);
		line_bytes(&l, fields[i].key, strlen(fields[i].key));
		line_bytes(&l, "=", 1);
		log_value(&l, fields[i].value);
	}
	log_end(&l, own, LOG_LEVEL_INFO);
}

/* Control characters could forge a line, or speak to a terminal. */
static void
line_text(struct line *l, const char *s)
{
	bool readable = is_readable(text_of(s));

	for (; *s != '\0' && l->at < l->end; s++)
		if (is_control((unsigned char)*s) || (!readable && (unsigned char)*s >= 0x80))
			line_escaped(l, (unsigned char)*s);
		else
			*l->at++ = *s;
	l->cut |= *s != '\0';
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	char own[LOG_LINE_MOST], text[LOG_LINE_MOST];
	struct line l;
	va_list args;

	if (!log_wants(level))
		return;
	va_start(args, fmt);
	if (vsnprintf(text, sizeof text, fmt, args) < 0)
		text[0] = '\0';
	va_end(args);
	l = log_begin(own);
	line_begin(&l, level);
	line_text(&l, text);
	log_end(&l, own, level);
}

bool
log_wants(enum log_level level)
{
	return level >= __atomic_load_n(&the_log.level, __ATOMIC_RELAXED);
}

void
log_set_level(enum log_level level)
{
	__atomic_store_n(&the_log.level, level, __ATOMIC_RELAXED);
}

/* The descriptor keeps its number for ever: another thread that is just writing writes to
 * the old file or to the new one, never to somebody else's socket. */
int
log_open(const char *path, enum log_level level, struct err *err)
{
	int fd = path != NULL ?
	    open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640) :
	    fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	struct stat st;

	if (fd == -1)
		return err_errno(err, "log %s", path != NULL ? path : "to stderr");
	log_flush();
	the_log.is_file = path != NULL && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	if (!the_log.opened) {
		__atomic_store_n(&the_log.fd, fd, __ATOMIC_RELEASE);
		the_log.opened = true;
	} else {
		dup3(fd, the_log.fd, O_CLOEXEC);
		close(fd);
	}
	log_set_level(level);
	return 0;
}

static void
log_libevent(int severity, const char *text)
{
	switch (severity) {
	case EVENT_LOG_DEBUG:
		log_debug("libevent: %s", text);
		break;
	case EVENT_LOG_MSG:
		log_info("libevent: %s", text);
		break;
	case EVENT_LOG_WARN:
		log_warn("libevent: %s", text);
		break;
	default:
		log_error("libevent: %s", text);
	}
}

void
log_on_loop(struct loop *loop)
{
	if (the_log.loop != NULL) {
		log_flush();
		loop_not_soon(the_log.loop, &the_log.soon);
	}
	the_log.loop = loop;
	the_log.soon.run = log_turn;
	log_collects = loop != NULL;
	event_set_log_callback(log_libevent);
}
