/*
 * fetch.c - callbacks over libcurl, driven by the loop
 *
 * Where a call may go is decided when a socket is opened, on the address that the name gave:
 * a connection that is used again was judged when it was made. Behind a proxy the proxy
 * resolves, so only an address that stands in the URL itself can be judged.
 *
 * Knows:     curl's multi interface, which addresses may be called.
 * Does not:  retry, queue or bound calls per receiver: that is notify's business.
 * Owns:      the multi handle, a pool of easy handles (making one costs more than using it), the
 *            calls under way, copies of the texts of its configuration; not `allow`.
 * Threads:   the loop. Names are resolved by curl's own threads (Debian's libcurl has the
 *            threaded resolver), which are left alone when a call ends before they do.
 */
#include "io/fetch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/ip.h"
#include "io/loop.h"

enum { FETCH_POOL = 256, FETCH_BODY_MOST = 64 * 1024, FETCH_OWN_PORTS = 16,
	FETCH_URL_MOST = 64 * 1024 };

struct fetch_call {
	struct fetch	*fetch;
	struct fetch_call *next, **link;	/* of the calls under way; or of the pool */
	CURL		*easy;
	fetch_done_fn	*done;
	void		*arg;
	size_t		 body;			/* octets of the answer so far */
	bool		 forbidden;
	bool		 active;		/* curl has it */
	struct fetch_result early;		/* of a call that never began */
	char		 host[128];		/* for errors: scheme, host and port, no path */
	char		 error[CURL_ERROR_SIZE];
};

struct fetch {
	struct loop	*loop;
	CURLM		*multi;
	struct timer	*timer;
	struct soon	 soon;			/* calls that ended before they began */
	struct fetch_conf conf;			/* its texts are copies */
	char		*proxy_password;
	struct fetch_call *calls, *pool, *stillborn;
	unsigned	 pooled;
	unsigned	 own_ports[FETCH_OWN_PORTS + 1];
	bool		 freeing;
};

/* ---- where a call may go ---- */

static unsigned
port_of(const struct sockaddr *a)
{
	union {
		struct sockaddr_in	in;
		struct sockaddr_in6	in6;
	} u = { 0 };

	memcpy(&u, a, a->sa_family == AF_INET6 ? sizeof u.in6 : sizeof u.in);
	return ntohs(a->sa_family == AF_INET6 ? u.in6.sin6_port : u.in.sin_port);
}

/* Asked anew each time: addresses of a machine change, and few calls come so far. Compared
 * as text, in which an IPv4-mapped address is the IPv4 address. */
static bool
is_of_this_machine(const struct sockaddr *a)
{
	char want[INET6_ADDRSTRLEN], has[INET6_ADDRSTRLEN];
	struct ifaddrs *list = NULL;
	bool found = false;

	if (ip_kind(a) == IP_LOOPBACK)
		return true;
	if (getifaddrs(&list) == -1)
		return true;		/* in doubt it is */
	ip_print(a, want, sizeof want);
	for (struct ifaddrs *i = list; i != NULL && !found; i = i->ifa_next)
		found = i->ifa_addr != NULL && (i->ifa_addr->sa_family == AF_INET ||
		    i->ifa_addr->sa_family == AF_INET6) &&
		    strcmp(ip_print(i->ifa_addr, has, sizeof has), want) == 0;
	freeifaddrs(list);
	return found;
}

static bool
is_own_port(const struct fetch *f, unsigned port)
{
	for (const unsigned *p = f->own_ports; *p != 0; p++)
		if (*p == port)
			return true;
	return false;
}

static bool
may_call(const struct fetch *f, const struct sockaddr *to)
{
	enum ip_kind kind = ip_kind(to);

	if (kind == IP_LINK_LOCAL || kind == IP_UNUSABLE)
		return false;
	if (is_own_port(f, port_of(to)) && is_of_this_machine(to))
		return false;
	return f->conf.allow == NULL || ip_rules_match(f->conf.allow, to);
}

/* curl asks for a socket to an address that it resolved: the one place that every connection
 * passes. That of the proxy was chosen by whoever wrote the configuration. */
static curl_socket_t
fetch_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct fetch_call *c = arg;
	const struct fetch_conf *conf = &c->fetch->conf;
	bool proxy = conf->proxy_host != NULL && port_of(&to->addr) == conf->proxy_port;

	if (purpose == CURLSOCKTYPE_IPCXN && (proxy || may_call(c->fetch, &to->addr)))
		return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
	c->forbidden = true;
	errno = EACCES;
	return CURL_SOCKET_BAD;
}

/* For calls through a proxy: an address in the URL itself. */
static bool
literal_forbidden(const struct fetch *f, CURLU *url)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
	    .ai_socktype = SOCK_STREAM };
	char *host = NULL, *port = NULL;
	struct addrinfo *found = NULL;
	bool forbidden = false;

	if (curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
		size_t n = strlen(host);
		char *name = host;

		if (n > 2 && host[0] == '[') {		/* an IPv6 address comes in brackets */
			host[n - 1] = '\0';
			name++;
		}
		if (getaddrinfo(name, port, &hints, &found) == 0) {
			forbidden = !may_call(f, found->ai_addr);
			freeaddrinfo(found);
		}
	}
	curl_free(host);
	curl_free(port);
	return forbidden;
}

/* ---- one call ---- */

static size_t
fetch_body(char *octets, size_t size, size_t count, void *arg)
{
	struct fetch_call *c = arg;

	(void)octets;
	c->body += size * count;
	return c->body > FETCH_BODY_MOST ? 0 : size * count;
}

static void
list_in(struct fetch_call **list, struct fetch_call *c)
{
	c->next = *list;
	c->link = list;
	if (*list != NULL)
		(*list)->link = &c->next;
	*list = c;
}

static void
list_out(struct fetch_call *c)
{
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
	c->next = NULL;
	c->link = NULL;
}

static void
call_free(struct fetch_call *c)
{
	curl_easy_cleanup(c->easy);
	free(c);
}

/* Settings that never change from call to call. */
static void
easy_setup(const struct fetch *f, struct fetch_call *c)
{
	const struct fetch_conf *conf = &f->conf;
	CURL *e = c->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, c);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);	/* else a timeout waits for the resolver */
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)conf->timeout_ms);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, fetch_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, fetch_open_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, c);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_USERAGENT, conf->user_agent != NULL ? conf->user_agent : "Kantele");
	if (conf->ca_file != NULL)
		curl_easy_setopt(e, CURLOPT_CAINFO, conf->ca_file);
	/* "": whatever the environment says */
	curl_easy_setopt(e, CURLOPT_PROXY, conf->proxy_host != NULL ? conf->proxy_host : "");
	if (conf->proxy_host == NULL)
		return;
	curl_easy_setopt(e, CURLOPT_PROXYPORT, (long)conf->proxy_port);
	curl_easy_setopt(e, CURLOPT_PROXYTYPE,
	    conf->proxy_ssl ? (long)CURLPROXY_HTTPS : (long)CURLPROXY_HTTP);
	curl_easy_setopt(e, CURLOPT_NOPROXY,
	    conf->proxy_exceptions != NULL ? conf->proxy_exceptions : "");
	curl_easy_setopt(e, CURLOPT_PROXYUSERNAME, conf->proxy_username);
	curl_easy_setopt(e, CURLOPT_PROXYPASSWORD, f->proxy_password);
}

static struct fetch_call *
call_take(struct fetch *f)
{
	struct fetch_call *c = f->pool;

	if (c != NULL) {
		f->pool = c->next;
		f->pooled--;
		c->next = NULL;
		return c;
	}
	if ((c = calloc(1, sizeof *c)) == NULL)
		return NULL;
	if ((c->easy = curl_easy_init()) == NULL) {
		free(c);
		return NULL;
	}
	c->fetch = f;
	easy_setup(f, c);
	return c;
}

static void
call_give_back(struct fetch *f, struct fetch_call *c)
{
	if (f->pooled >= FETCH_POOL || f->freeing) {
		call_free(c);
		return;
	}
	c->next = f->pool;
	f->pool = c;
	f->pooled++;
}

/* "http://host:port" of a URL, for errors: the rest may hold secrets, and so may all of what
 * is no such URL. */
static void
call_name(struct fetch_call *c, const char *url)
{
	size_t scheme = strncasecmp(url, "http://", 7) == 0 ? 7 :
	    strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
	const char *host = url + scheme, *end = host + strcspn(host, "/?#"), *at;

	if (scheme == 0) {
		snprintf(c->host, sizeof c->host, "callback");
		return;
	}
	at = memrchr(host, '@', (size_t)(end - host));
	if (at != NULL)
		host = at + 1;
	snprintf(c->host, sizeof c->host, "%.*s%.*s", (int)scheme, url, (int)(end - host), host);
}

/* What curl says beyond the kind of failure, where that cannot hold a part of the URL
 * beyond its host. */
static bool
call_explains(CURLcode code)
{
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return true;
	default:
		return false;
	}
}

static bool
call_hopeless(CURLcode code)
{
	return code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
}

static void
call_error(const struct fetch_call *c, CURLcode code, struct err *err)
{
	long error = 0;

	curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &error);
	if (c->forbidden)
		err_set(err, ERR_PEER, "%s: this address may not be called (callback-allow-ip)",
		    c->host);
	else if (code == CURLE_COULDNT_CONNECT && error != 0)
		err_set(err, ERR_PEER, "%s: %s", c->host, strerror((int)error));
	else if (call_explains(code) && c->error[0] != '\0')
		err_set(err, ERR_PEER, "%s: %s", c->host, c->error);
	else
		err_set(err, ERR_PEER, "%s: %s", c->host, curl_easy_strerror(code));
}

/* An answer whose body is longer than anybody needs, or is cut, is an answer all the same. */
static bool
call_answered(const struct fetch_call *c, CURLcode code)
{
	return code == CURLE_OK || code == CURLE_PARTIAL_FILE ||
	    (code == CURLE_WRITE_ERROR && c->body > FETCH_BODY_MOST);
}

static void
call_ended(struct fetch_call *c, CURLcode code)
{
	struct fetch *f = c->fetch;
	struct fetch_result result = { .forbidden = c->forbidden };
	fetch_done_fn *done = c->done;
	void *arg = c->arg;
	long status = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if (call_answered(c, code))
		result.status = (int)status;
	else
		call_error(c, code, &result.err);
	result.hopeless = call_hopeless(code);
	list_out(c);
	curl_multi_remove_handle(f->multi, c->easy);
	c->active = false;
	call_give_back(f, c);
	done(arg, &result);
}

static void
fetch_collect(struct fetch *f)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(f->multi, &left)) != NULL) {
		struct fetch_call *c;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&c);
		call_ended(c, message->data.result);
	}
}

/* ---- curl on the loop ---- */

struct fetch_socket {
	struct fetch	*fetch;
	struct watch	*watch;
	int		 fd;
};

static void
fetch_act(struct fetch *f, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(f->multi, fd, what, &running);
	fetch_collect(f);
}

static void
fetch_ready(void *arg, unsigned what)
{
	struct fetch_socket *s = arg;

	fetch_act(s->fetch, s->fd, (what & WATCH_READ ? CURL_CSELECT_IN : 0) |
	    (what & WATCH_WRITE ? CURL_CSELECT_OUT : 0));
}

static void
fetch_time(void *arg)
{
	fetch_act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int
fetch_timer_changed(CURLM *multi, long ms, void *arg)
{
	struct fetch *f = arg;

	(void)multi;
	if (ms < 0)
		timer_cancel(f->timer);
	else
		timer_set(f->timer, ms);
	return 0;
}

static int
fetch_socket_changed(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct fetch *f = arg;
	struct fetch_socket *s = known;
	unsigned wanted = (what & CURL_POLL_IN ? WATCH_READ : 0u) |
	    (what & CURL_POLL_OUT ? WATCH_WRITE : 0u);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s != NULL) {
			watch_free(&s->watch);
			free(s);
		}
		curl_multi_assign(f->multi, fd, NULL);
		return 0;
	}
	if (s != NULL) {
		watch_change(s->watch, wanted);
		return 0;
	}
	if ((s = calloc(1, sizeof *s)) == NULL)
		return -1;
	*s = (struct fetch_socket){ .fetch = f, .fd = fd };
	if ((s->watch = watch_new(f->loop, fd, wanted, fetch_ready, s)) == NULL) {
		free(s);
		return -1;
	}
	curl_multi_assign(f->multi, fd, s);
	return 0;
}

/* ---- life ---- */

static void	fetch_stillborn(void *);

static char *
copy_or_null(const char *s)
{
	return s != NULL ? strdup(s) : NULL;
}

static void
fetch_copy_conf(struct fetch *f, const struct fetch_conf *conf)
{
	f->conf = *conf;
	for (unsigned i = 0; i < FETCH_OWN_PORTS && conf->own_ports != NULL &&
	    conf->own_ports[i] != 0; i++)
		f->own_ports[i] = conf->own_ports[i];
	f->conf.own_ports = f->own_ports;
	f->conf.user_agent = copy_or_null(conf->user_agent);
	f->conf.ca_file = copy_or_null(conf->ca_file);
	f->conf.proxy_host = copy_or_null(conf->proxy_host);
	f->conf.proxy_exceptions = copy_or_null(conf->proxy_exceptions);
	for (char *p = (char *)(uintptr_t)f->conf.proxy_exceptions; p != NULL && *p != '\0'; p++)
		if (*p == ' ' || *p == ';')	/* Kannel's separator; curl 7.88 wants commas */
			*p = ',';
	f->conf.proxy_username = copy_or_null(conf->proxy_username);
	f->conf.proxy_password = (struct text){ NULL, 0 };
	f->proxy_password = text_dup(conf->proxy_password);
}

static void
fetch_free_conf(struct fetch *f)
{
	if (f->proxy_password != NULL)
		explicit_bzero(f->proxy_password, strlen(f->proxy_password));
	free(f->proxy_password);
	free((void *)(uintptr_t)f->conf.user_agent);
	free((void *)(uintptr_t)f->conf.ca_file);
	free((void *)(uintptr_t)f->conf.proxy_host);
	free((void *)(uintptr_t)f->conf.proxy_exceptions);
	free((void *)(uintptr_t)f->conf.proxy_username);
}

struct fetch *
fetch_new(struct loop *loop, const struct fetch_conf *conf, struct err *err)
{
	struct fetch *f = calloc(1, sizeof *f);

	if (f == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		err_set(err, ERR_SYSTEM, "callbacks: no memory");
		free(f);
		return NULL;
	}
	f->loop = loop;
	f->soon = (struct soon){ .run = fetch_stillborn, .arg = f };
	fetch_copy_conf(f, conf);
	f->timer = timer_new(loop, fetch_time, f);
	f->multi = curl_multi_init();
	if (f->timer == NULL || f->multi == NULL) {
		err_set(err, ERR_SYSTEM, "callbacks: no memory");
		fetch_free(&f);
		return NULL;
	}
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, fetch_socket_changed);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, fetch_timer_changed);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)f->conf.connections);
	curl_multi_setopt(f->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)f->conf.connections);
	curl_multi_setopt(f->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	return f;
}

/* Calls that curl would not even begin end here, in a turn of their own. */
static void
fetch_stillborn(void *arg)
{
	struct fetch *f = arg;
	struct fetch_call *c;
	unsigned count = 0;

	for (c = f->stillborn; c != NULL; c = c->next)
		count++;
	/* those that are begun, and fail, in a done have a turn of their own */
	for (; count > 0 && (c = f->stillborn) != NULL; count--) {
		struct fetch_result result = c->early;
		fetch_done_fn *done = c->done;
		void *done_arg = c->arg;

		list_out(c);
		call_give_back(f, c);
		done(done_arg, &result);
	}
}

/* Blanks of the path and the query go as %20: senders write them, and curl refuses them. */
static CURLcode
call_url(struct fetch_call *c, const char *url)
{
	struct buf b = buf_heap(FETCH_URL_MOST);
	const char *scheme = strstr(url, "://");
	size_t host = scheme != NULL ? (size_t)(scheme + 3 - url) : 0, blank;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	host += strcspn(url + host, "/?#");
	if (strchr(url + host, ' ') == NULL)
		return curl_easy_setopt(c->easy, CURLOPT_URL, url);
	buf_bytes(&b, url, host);
	for (const char *at = url + host; *at != '\0'; at += blank) {
		blank = strcspn(at, " ");
		buf_bytes(&b, at, blank);
		if (at[blank] != '\0') {
			buf_str(&b, "%20");
			blank++;
		}
	}
	buf_u8(&b, '\0');
	if (!b.overflow)
		code = curl_easy_setopt(c->easy, CURLOPT_URL, (const char *)b.data);
	buf_free(&b);
	return code;
}

/* What can be said without asking anybody; a URL that curl cannot read fails as it begins. */
static CURLcode
call_prepare(struct fetch_call *c, const char *url)
{
	CURLU *parsed;

	c->body = 0;
	c->forbidden = false;
	c->error[0] = '\0';
	c->early = (struct fetch_result){ 0 };
	call_name(c, url);
	if (c->fetch->conf.proxy_host != NULL && (parsed = curl_url()) != NULL) {
		c->forbidden = curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
		    literal_forbidden(c->fetch, parsed);
		curl_url_cleanup(parsed);
		if (c->forbidden)
			return CURLE_COULDNT_CONNECT;
	}
	return call_url(c, url);
}

struct fetch_call *
fetch_get(struct fetch *f, const char *url, fetch_done_fn *done, void *arg)
{
	struct fetch_call *c = call_take(f);
	CURLcode code;

	if (c == NULL)
		return NULL;
	c->done = done;
	c->arg = arg;
	code = call_prepare(c, url);
	if (code == CURLE_OK && curl_multi_add_handle(f->multi, c->easy) == CURLM_OK) {
		c->active = true;
		list_in(&f->calls, c);
		return c;
	}
	c->early.forbidden = c->forbidden;
	c->early.hopeless = call_hopeless(code);
	call_error(c, code != CURLE_OK ? code : CURLE_FAILED_INIT, &c->early.err);
	list_in(&f->stillborn, c);
	loop_soon(f->loop, &f->soon);
	return c;
}

void
fetch_cancel(struct fetch_call *c)
{
	list_out(c);
	if (c->active)
		curl_multi_remove_handle(c->fetch->multi, c->easy);
	c->active = false;
	call_give_back(c->fetch, c);
}

void
fetch_free(struct fetch **fp)
{
	struct fetch *f = *fp;
	struct fetch_call *c;

	if (f == NULL)
		return;
	*fp = NULL;
	f->freeing = true;
	while (f->calls != NULL)
		fetch_cancel(f->calls);
	while (f->stillborn != NULL)
		fetch_cancel(f->stillborn);
	while ((c = f->pool) != NULL) {
		f->pool = c->next;
		call_free(c);
	}
	loop_not_soon(f->loop, &f->soon);
	if (f->multi != NULL)
		curl_multi_cleanup(f->multi);
	timer_free(&f->timer);
	curl_global_cleanup();
	fetch_free_conf(f);
	free(f);
}
