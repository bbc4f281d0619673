/*
 * ask.c - asks the admin door of a gateway that runs
 *
 * One request, one answer, blocking: the command has nothing else to do.
 *
 * Knows:     as much HTTP as our own listener needs.
 * Does not:  speak HTTPS.
 * Owns:      nothing.
 * Threads:   a command's only one.
 */
#include "main/ask.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "main/settings.h"

enum { WAIT_S = 30, ANSWER_MOST = 4 << 20 };

/* A door that listens everywhere is reached at home. */
static const char *
address_of(const struct settings *s)
{
	const char *i = s->core.admin_interface;

	return i == NULL || strcmp(i, "*") == 0 || strcmp(i, "0.0.0.0") == 0 ? "127.0.0.1" :
	    strcmp(i, "::") == 0 ? "::1" : i;
}

static int
dial(const struct settings *s, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all, *a;
	struct timeval wait = { .tv_sec = WAIT_S };
	char port[12];
	int fd = -1, rc;

	snprintf(port, sizeof port, "%ld", s->core.admin_port);
	rc = getaddrinfo(address_of(s), port, &hints, &all);
	if (rc != 0)
		return err_set(err, ERR_PEER, "%s: %s", address_of(s), gai_strerror(rc));
	for (a = all; a != NULL && fd == -1; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (fd != -1 && connect(fd, a->ai_addr, a->ai_addrlen) == -1) {
			err_errno(err, "%s port %s: is the gateway running?", address_of(s), port);
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(all);
	if (fd != -1) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	}
	return fd;
}

static int
send_all(int fd, const struct buf *b, struct err *err)
{
	for (size_t at = 0; at < b->len; ) {
		ssize_t n = send(fd, b->data + at, b->len - at, MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_errno(err, "send");
		at += (size_t)n;
	}
	return 0;
}

static int
receive_all(int fd, struct buf *b, struct err *err)
{
	char piece[16384];
	ssize_t n;

	while ((n = recv(fd, piece, sizeof piece, 0)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_errno(err, "receive");
		buf_bytes(b, piece, (size_t)n);
	}
	return b->overflow ? err_set(err, ERR_LIMIT, "the answer is too long") : 0;
}

/* What follows the header of an answer with status 200. */
static int
body_of(const struct buf *answer, struct buf *out, struct err *err)
{
	const char *end = answer->len > 0 ? memmem(answer->data, answer->len, "\r\n\r\n", 4) : NULL;
	const char *begin = (const char *)answer->data;
	size_t head;

	if (end == NULL || answer->len < 12)
		return err_set(err, ERR_PEER, "no answer: the address may not be allowed");
	if (memcmp(begin + 9, "200", 3) != 0)
		return err_set(err, ERR_PEER, "the answer is %.*s", 20, begin);
	head = (size_t)(end - begin) + 4;
	buf_bytes(out, begin + head, answer->len - head);
	return 0;
}

int
ask_admin(const struct settings *s, const char *command, struct text query, struct buf *out,
    struct err *err)
{
	struct buf request = buf_heap(65536), answer = buf_heap(ANSWER_MOST);
	int fd, rc = -1;

	if (s->core.admin_ssl)
		return err_set(err, ERR_CONFIG, "the admin door speaks HTTPS: ask it with curl");
	buf_printf(&request, "GET /%s?password=", command);
	text_quote(secret_octets(&s->core.admin_password), &request);
	if (query.len > 0)
		buf_printf(&request, "&%.*s", TEXT_ARGS(query));
	/* HTTP/1.0: the answer ends with the connection */
	buf_str(&request, " HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	if ((fd = dial(s, err)) != -1) {
		if (send_all(fd, &request, err) == 0 && receive_all(fd, &answer, err) == 0)
			rc = body_of(&answer, out, err);
		close(fd);
	}
	if (request.data != NULL)
		explicit_bzero(request.data, request.len);
	buf_free(&request);
	buf_free(&answer);
	return rc;
}

int
ask_settings(const char *file, struct settings *s, struct conf **conf)
{
	struct findings findings = { 0 };
	int rc = -1;

	memset(s, 0, sizeof *s);
	*conf = conf_read(file, &findings);
	if (*conf != NULL)
		rc = settings_read(s, *conf, &findings);
	if (rc == 0 && s->core.admin_port == 0) {
		fprintf(stderr, "kantele: %s: no admin-port that could be asked\n", file);
		rc = -1;
	} else if (rc == -1) {
		findings_print(&findings, file, stderr);
	}
	findings_free(&findings);
	return rc;
}
