/*
 * io_log_test.c - what a line looks like, when it is written, and that none is lost
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/log.h"
#include "io/loop.h"

static struct loop *loop;
static char path[] = "/tmp/io_log_test.XXXXXX";
static char *content;		/* of the file when it was read last */

static int
set_up(void **state)
{
	struct err err = { 0 };
	int fd;

	(void)state;
	memcpy(strrchr(path, '.'), ".XXXXXX", 8);
	fd = mkstemp(path);
	if (fd == -1 || (loop = loop_new(&err)) == NULL || log_open(path, LOG_LEVEL_INFO, &err) == -1)
		return -1;
	close(fd);
	log_on_loop(loop);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	log_on_loop(NULL);
	loop_free(&loop);
	unlink(path);
	free(content);
	content = NULL;
	return 0;
}

static const char *
written(void)
{
	struct stat st;
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	free(content);
	content = calloc(1, (size_t)st.st_size + 1);
	assert_int_equal(fread(content, 1, (size_t)st.st_size, f), st.st_size);
	fclose(f);
	return content;
}

/* The first line without its stamp, which is checked on the way. */
static const char *
first_line(void)
{
	regex_t stamp;
	regmatch_t match;

	log_flush();
	assert_int_equal(regcomp(&stamp,
	    "^20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3}Z ",
	    REG_EXTENDED), 0);
	assert_int_equal(regexec(&stamp, written(), 1, &match, 0), 0);
	regfree(&stamp);
	return content + match.rm_eo;
}

static unsigned
lines(const char *s)
{
	unsigned n = 0;

	while ((s = strchr(s, '\n')) != NULL) {
		n++;
		s++;
	}
	return n;
}

static const struct {
	const char	*name, *push_id;
	struct log_field field;
	const char	*want;
} event_cases[] = {
	{ "the line of the manual", "0188ab", { "to", TEXT("+447900900123") },
	  "info accepted id=0188ab to=+447900900123\n" },
	{ "no push-id", NULL, { "link", TEXT("vf1") }, "info accepted link=vf1\n" },
	{ "an absent value is left out", "1", { "smsc", { NULL, 0 } }, "info accepted id=1\n" },
	{ "an empty value is not absent", "1", { "smsc", TEXT("") }, "info accepted id=1 smsc=\"\"\n" },
	{ "a blank would make two words", "1", { "why", TEXT("no route") },
	  "info accepted id=1 why=\"no route\"\n" },
	{ "a quote would end the value", "1", { "why", TEXT("a\"b\\c") },
	  "info accepted id=1 why=\"a\\\"b\\\\c\"\n" },
	{ "a newline would forge a line", "1", { "why", TEXT("a\nb\r\tc") },
	  "info accepted id=1 why=\"a\\nb\\r\\tc\"\n" },
	{ "an escape sequence would speak to the terminal", "1", { "why", TEXT("\x1b[2J\x7f\0") },
	  "info accepted id=1 why=\"\\x1b[2J\\x7f\\x00\"\n" },
	{ "UTF-8 stays readable", "1", { "why", TEXT("käse") }, "info accepted id=1 why=käse\n" },
	{ "octets that are no UTF-8 are shown as such", "1", { "from", TEXT("k\xe4se\xff") },
	  "info accepted id=1 from=\"k\\xe4se\\xff\"\n" },
	{ "half a character", "1", { "from", TEXT("k\xc3") }, "info accepted id=1 from=\"k\\xc3\"\n" },
	{ "nor do control characters of two octets", "1", { "why", TEXT("a\xc2\x9b" "2J") },
	  "info accepted id=1 why=\"a\\xc2\\x9b2J\"\n" },
	{ "a client's push-id is quoted too", "a b", { NULL, { NULL, 0 } }, "info accepted id=\"a b\"\n" },
};

static void
events_are_formatted(void **state)
{
	for (size_t i = 0; i < sizeof event_cases / sizeof *event_cases; i++) {
		print_message("  %s\n", event_cases[i].name);
		log_event("accepted", event_cases[i].push_id, &event_cases[i].field, 1);
		assert_string_equal(first_line(), event_cases[i].want);
		assert_int_equal(truncate(path, 0), 0);
	}
	(void)state;
}

static void
a_printed_line_cannot_forge_another(void **state)
{
	(void)state;
	log_warn("peer says \"%s\"", "x\n2026 error y\x1b");
	assert_string_equal(first_line(), "warning peer says \"x\\n2026 error y\\x1b\"\n");
}

static void
levels_filter_events_too(void **state)
{
	(void)state;
	log_debug("%s", "not wanted");
	log_set_level(LOG_LEVEL_WARNING);
	log_info("%s", "not wanted");
	log_event("accepted", "1", NULL, 0);
	log_warn("%s", "wanted");
	assert_string_equal(first_line(), "warning wanted\n");
	log_set_level(LOG_LEVEL_DEBUG);
	assert_true(log_wants(LOG_LEVEL_DEBUG));
}

static void
stop(void *arg)
{
	loop_stop(arg);
}

static void
lines_leave_with_the_turn_and_errors_at_once(void **state)
{
	struct soon last = { .run = stop, .arg = loop };

	(void)state;
	log_info("one");
	log_info("two");
	assert_string_equal(written(), "");
	log_error("three");
	assert_int_equal(lines(written()), 3);
	log_info("four");
	assert_int_equal(lines(written()), 3);
	loop_soon(loop, &last);
	loop_run(loop);
	assert_int_equal(lines(written()), 4);
}

static void
a_full_buffer_loses_nothing(void **state)
{
	char number[16];
	const struct log_field field = { "n", { number, 0 } };

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {	/* several buffers */
		struct log_field f = field;

		f.value.len = (size_t)snprintf(number, sizeof number, "%05u", i);
		log_event("counted", "0188ab", &f, 1);
	}
	log_flush();
	assert_int_equal(lines(written()), 5000);
	for (unsigned i = 0; i < 5000; i++) {
		char want[16];

		snprintf(want, sizeof want, "n=%05u\n", i);
		assert_non_null(strstr(content, want));
	}
}

static void
a_huge_value_is_cut_and_the_line_still_ends(void **state)
{
	static char huge[10000];
	struct log_field field = { "text", { huge, sizeof huge } };
	const char *end;

	(void)state;
	memset(huge, 'x', sizeof huge);
	log_event("accepted", "1", &field, 1);
	memset(huge, '\n', sizeof huge);	/* each doubles */
	log_event("accepted", "1", &field, 1);
	memset(huge, 'y', sizeof huge - 1);
	huge[sizeof huge - 1] = '\0';
	log_info("%s", huge);
	log_flush();
	assert_int_equal(lines(written()), 3);
	for (const char *at = content; *at != '\0'; at = end + 1) {
		end = strchr(at, '\n');
		assert_true(end - at > 4000 && end - at < 4096);
		assert_memory_equal(end - 3, "...", 3);
	}
}

static void *
guest(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 200; i++)
		log_info("guest %u end", i);
	return NULL;
}

static void
another_thread_need_not_wait_for_the_loop(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, guest, NULL), 0);
	pthread_join(thread, NULL);
	assert_int_equal(lines(written()), 200);
}

/* stderr is a pipe under most service managers */
static void
lines_of_two_threads_stay_whole_on_a_pipe(void **state)
{
	static char room[1 << 20];
	int pipes[2], saved = dup(STDERR_FILENO);
	size_t len = 0;
	pthread_t thread;
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	fcntl(pipes[1], F_SETPIPE_SZ, sizeof room);
	dup2(pipes[1], STDERR_FILENO);
	assert_int_equal(log_open(NULL, LOG_LEVEL_INFO, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, guest, NULL), 0);
	for (unsigned i = 0; i < 3000; i++)
		log_info("host %u end", i);
	log_flush();
	pthread_join(thread, NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipes[1]);
	assert_int_equal(log_open(path, LOG_LEVEL_INFO, NULL), 0);	/* closes the log's copy */
	while ((n = read(pipes[0], room + len, sizeof room - 1 - len)) > 0)
		len += (size_t)n;
	close(pipes[0]);
	room[len] = '\0';
	assert_int_equal(lines(room), 3200);
	for (char *at = room, *end; *at != '\0'; at = end + 1) {
		end = strchr(at, '\n');
		assert_int_equal(at[4], '-');
		assert_memory_equal(end - 4, " end", 4);
	}
}

static void
a_rotated_file_is_opened_again(void **state)
{
	char old[sizeof path + 4];

	(void)state;
	snprintf(old, sizeof old, "%s.1", path);
	log_info("before");
	assert_int_equal(rename(path, old), 0);
	assert_int_equal(log_open(path, LOG_LEVEL_INFO, NULL), 0);
	log_info("after");
	assert_string_equal(first_line(), "info after\n");
	unlink(old);
}

static void
a_file_that_cannot_be_opened_keeps_the_log(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(log_open("/nonexistent/log", LOG_LEVEL_INFO, &err), -1);
	assert_string_equal(err.text, "log /nonexistent/log: No such file or directory");
	log_info("still here");
	assert_string_equal(first_line(), "info still here\n");
}

static void
lost_lines_are_confessed(void **state)
{
	(void)state;
	assert_int_equal(log_open("/dev/full", LOG_LEVEL_INFO, NULL), 0);
	log_error("into the void");
	assert_int_equal(log_open(path, LOG_LEVEL_INFO, NULL), 0);
	log_info("again");
	assert_memory_equal(first_line(), "error log lost: 1 writes failed\n", 32);
	assert_int_equal(lines(content), 2);
}

int
main(void)
{
#define ROW(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(events_are_formatted),
		ROW(a_printed_line_cannot_forge_another),
		ROW(levels_filter_events_too),
		ROW(lines_leave_with_the_turn_and_errors_at_once),
		ROW(a_full_buffer_loses_nothing),
		ROW(a_huge_value_is_cut_and_the_line_still_ends),
		ROW(another_thread_need_not_wait_for_the_loop),
		ROW(lines_of_two_threads_stay_whole_on_a_pipe),
		ROW(a_rotated_file_is_opened_again),
		ROW(a_file_that_cannot_be_opened_keeps_the_log),
		ROW(lost_lines_are_confessed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
