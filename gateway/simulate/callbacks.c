/*
 * callbacks.c - whoever tries the gateway wants to see the delivery status arrive somewhere
 *
 * Knows:     that a callback is a GET with everything in its target.
 * Does not:  know what the parameters mean: they are the user's own.
 * Owns:      its listener.
 * Threads:   the loop.
 */
#include "simulate/callbacks.h"

#include <stdlib.h>

#include "base/buf.h"
#include "io/httpd.h"
#include "simulate/phones.h"

enum { BODY_MOST = 64 * 1024, CONNECTIONS = 256, IDLE_S = 60, TARGET_MOST = 8192 };

struct callbacks {
	struct httpd	*httpd;
	struct phones	*phones;
};

static void
on_request(void *arg, struct http_request *r)
{
	struct callbacks *c = arg;
	uint8_t room[TARGET_MOST];
	struct buf target = buf_on(room, sizeof room);
	struct text path = http_path(r), query = http_query(r);

	buf_bytes(&target, path.at, path.len);
	if (query.at != NULL) {
		buf_u8(&target, '?');
		buf_bytes(&target, query.at, query.len);
	}
	phones_callback(c->phones, http_method(r), (struct text){ (char *)room, target.len });
	http_reply(r, 200, "text/plain", TEXT("ok\n"));
}

struct callbacks *
callbacks_open(struct loop *loop, const char *interface, unsigned port, struct phones *phones,
    struct err *err)
{
	const struct httpd_conf conf = { .name = "callbacks", .interface = interface, .port = port,
	    .body_most = BODY_MOST, .connections = CONNECTIONS, .idle_s = IDLE_S,
	    .server = "kantele simulate" };
	struct callbacks *c = calloc(1, sizeof *c);

	if (c == NULL) {
		err_set(err, ERR_SYSTEM, "no memory for the callbacks");
		return NULL;
	}
	c->phones = phones;
	c->httpd = httpd_open(loop, &conf, on_request, c, err);
	if (c->httpd == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

unsigned
callbacks_port(const struct callbacks *c)
{
	return httpd_port(c->httpd);
}

void
callbacks_free(struct callbacks **cp)
{
	struct callbacks *c = *cp;

	if (c == NULL)
		return;
	httpd_close(&c->httpd);
	free(c);
	*cp = NULL;
}
