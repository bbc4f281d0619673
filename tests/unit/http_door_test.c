/*
 * http_door_test.c - the doors over real HTTP: answers, octet for octet, and the admin door
 *
 * The loop runs here; a client thread asks, one request after the other, and keeps the answers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/finding.h"
#include "base/ip.h"
#include "http/door.h"
#include "http/door_admin.h"
#include "http/door_sendota.h"
#include "http/door_sendsms.h"
#include "http/router.h"
#include "intake/ota_group.h"
#include "io/fetch.h"
#include "io/log.h"
#include "io/loop.h"
#include "smsc/smsc.h"

#define COUNT(list)	(sizeof (list) / sizeof *(list))

static struct loop *loop;
static struct queue *queue;
static struct intake *intake;
static struct accounts *accounts;
static struct ota_groups *ota;
static struct conf *conf;
static struct fetch *fetch;
static struct dispatch *dispatch;
static struct admin *admin;
static struct httpd *sendsms, *impatient, *operators;
static struct door_setup doors;
static struct router_row rows[3];
static struct router router = { rows, door_unknown, NULL };
static struct secret admin_password, status_password;
static enum intake_routable link_says;
static bool shut;

/* --- a store whose commit takes as long as the test likes --------------------------------- */

static struct store_driver slow;		/* store_memory but for its commit */
static pthread_mutex_t hold_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t hold_over = PTHREAD_COND_INITIALIZER;
static bool hold, committing;

static enum store_commit
slow_commit(struct store *s, struct err *err)
{
	pthread_mutex_lock(&hold_lock);
	while (hold) {
		committing = true;
		pthread_cond_wait(&hold_over, &hold_lock);
	}
	committing = false;
	pthread_mutex_unlock(&hold_lock);
	return store_memory.commit(s, err);
}

static void
set_hold(bool on)
{
	pthread_mutex_lock(&hold_lock);
	hold = on;
	pthread_cond_broadcast(&hold_over);
	pthread_mutex_unlock(&hold_lock);
}

static bool
is_committing(void)
{
	bool is;

	pthread_mutex_lock(&hold_lock);
	is = committing;
	pthread_mutex_unlock(&hold_lock);
	return is;
}

/* --- the house ----------------------------------------------------------------------------- */

static enum intake_routable
routable(void *arg, const struct message *m)
{
	(void)arg, (void)m;
	return link_says;
}

static void
on_shutdown(void *arg)
{
	(void)arg;
	shut = true;
}

static struct admin_setup
setup_of_admin(void)
{
	return (struct admin_setup){
		.loop = loop, .queue = queue, .dispatch = dispatch, .admin_password = &admin_password,
		.status_password = &status_password, .version = "Kantele <test>", .smsbox_id = "b<1>",
		.smsbox = true, .started = loop_now(loop), .shutdown = on_shutdown,
	};
}

static void
open_doors(struct err *err)
{
	struct httpd_conf c = { .name = "test", .interface = "127.0.0.1", .body_most = 100000,
	    .connections = 50, .idle_s = 10, .deadline_ms = 20000, .server = "Kantele/test" };
	struct admin_setup a = setup_of_admin();

	doors = (struct door_setup){ .loop = loop, .intake = intake, .accounts = accounts,
	    .ota = ota, .patience_ms = 20000 };
	rows[0] = (struct router_row){ "/cgi-bin/sendsms", door_sendsms, &doors };
	rows[1] = (struct router_row){ "/cgi-bin/sendota", door_sendota, &doors };
	admin = admin_new(&a, err);
	sendsms = httpd_open(loop, &c, router_handle, &router, err);
	c.deadline_ms = 100;
	impatient = httpd_open(loop, &c, router_handle, &router, err);
	c.deadline_ms = 0;
	operators = httpd_open(loop, &c, door_admin, admin, err);
	assert_true(admin != NULL && sendsms != NULL && impatient != NULL &&
	    operators != NULL);
}

static int
setup(void **state)
{
	static const struct smsc_driver *const none[] = { NULL };
	struct intake_conf c = { .sendsms_chars = "0123456789 +-", .sms_length = 140,
	    .queue_limit = -1 };
	struct intake_links links = { routable, NULL };
	struct store_conf store = { .retention_s = 3600 };
	struct fetch_conf f = { .timeout_ms = 1000, .connections = 4 };
	struct dispatch_conf d = { .order_hold_s = 300, .resend_freq_s = 60, .resend_retry = -1,
	    .callback_retry = -1, .callback_delay_s = -1, .callbacks_most = 10 };
	struct findings findings = { 0 };
	struct err err = { 0 };

	(void)state;
	log_open("/dev/null", LOG_LEVEL_DEBUG, NULL);
	conf = conf_read_text("accounts", TEXT("group = sendsms-user\nusername = u\npassword = p\n"
	    "default-sender = 1\nconcatenation = true\nmax-messages = 2\n\n"
	    "group = sendsms-user\nusername = nosender\npassword = p\n\n"
	    "group = ota-bookmark\nota-id = bm\nname = n\nurl = http://x/\n"), &findings);
	accounts = accounts_new(conf, &findings);
	ota = ota_groups_new(conf, &findings);
	loop = loop_new(&err);
	log_on_loop(loop);
	fetch = fetch_new(loop, &f, &err);
	slow = store_memory;
	slow.commit = slow_commit;
	queue = queue_open(loop, &slow, &store, &err);
	dispatch = dispatch_new(loop, queue, fetch, &d, none);
	dispatch_links(dispatch, conf, &findings);
	dispatch_start(dispatch);
	intake = intake_new(loop, queue, &links, &c, &err);
	secret_set(&admin_password, TEXT("adm"));
	secret_set(&status_password, TEXT("sta"));
	open_doors(&err);
	findings_free(&findings);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	dispatch_free(&dispatch);
	queue_close(&queue);
	httpd_close(&sendsms);
	httpd_close(&impatient);
	httpd_close(&operators);
	admin_free(&admin);
	intake_free(&intake);
	accounts_free(&accounts);
	ota_groups_free(&ota);
	fetch_free(&fetch);
	log_on_loop(NULL);
	loop_free(&loop);
	conf_free(&conf);
	secret_free(&admin_password);
	secret_free(&status_password);
	return 0;
}

/* --- a client ------------------------------------------------------------------------------- */

struct exchange {
	pthread_t	 thread;
	unsigned	 port;
	const char	*request;
	char		 answer[20000];
	size_t		 len;
	struct post	 over;
};

static void
on_over(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void *
client(void *arg)
{
	struct exchange *x = arg;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)x->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t n = strlen(x->request);
	ssize_t got;

	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
	    write(fd, x->request, n) == (ssize_t)n)
		while (x->len < sizeof x->answer - 1 &&
		    (got = read(fd, x->answer + x->len, sizeof x->answer - 1 - x->len)) > 0)
			x->len += (size_t)got;
	close(fd);
	loop_post(loop, &x->over);
	return NULL;
}

static void
start(struct exchange *x, struct httpd *httpd, const char *request)
{
	*x = (struct exchange){ .port = httpd_port(httpd), .request = request,
	    .over = { .run = on_over } };
	pthread_create(&x->thread, NULL, client, x);
}

/* Status; 0: closed without an answer. */
static int
finish(struct exchange *x)
{
	pthread_join(x->thread, NULL);
	return x->len > 12 ? atoi(x->answer + 9) : 0;
}

static struct exchange last;		/* valid until the next question */

static int
ask(struct httpd *httpd, const char *request)
{
	start(&last, httpd, request);
	loop_run(loop);
	return finish(&last);
}

static const char *
body(void)
{
	const char *end = strstr(last.answer, "\r\n\r\n");

	return end != NULL ? end + 4 : "";
}

static int
ask_line(struct httpd *httpd, const char *method, const char *path, const char *headers,
    const char *content)
{
	static char request[10000];
	char length[60] = "";

	if (content != NULL)
		snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(content));
	snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s%s\r\n%s",
	    method, path, headers, length, content != NULL ? content : "");
	return ask(httpd, request);
}

/* --- doors for senders ------------------------------------------------------------------------ */

#define WHO	"/cgi-bin/sendsms?username=u&password=p"
#define OTA	"/cgi-bin/sendota?username=u&password=p"
#define BY	"X-Kannel-Username: u\r\nX-Kannel-Password: p\r\n"
#define TO	BY "X-Kannel-To: 1\r\n"
#define PLAIN	"Content-Type: text/plain\r\n" BY
#define ROOT	"%3Cwap-provisioningdoc/%3E"
#define CP	"Content-Type: text/vnd.wap.connectivity-xml\r\n"

static const struct {
	const char	*name, *method, *path, *headers, *content;
	int		 status;
	const char	*body;			/* NULL: any; begins with ~: holds that */
} cases[] = {
	{ "accepted", "GET", WHO "&to=%2B44&text=x", "", NULL, 202, "0: Accepted for delivery" },
	{ "old names", "GET", "/cgi-bin/sendsms?user=u&pass=p&to=%2B44", "", NULL, 202,
	  "0: Accepted for delivery" },
	{ "a name goes before its old name", "GET", "/cgi-bin/sendsms?user=nobody&username=u&pass=q&password=p&to=1",
	  "", NULL, 202, NULL },
	{ "the first of two counts", "GET", WHO "&to=%2B44&to=abc&text=x", "", NULL, 202, NULL },
	{ "names are case-sensitive", "GET", WHO "&TO=%2B44&text=x", "", NULL, 400,
	  "Missing receiver number, rejected" },
	{ "empty pairs", "GET", "/cgi-bin/sendsms?&&username=u&&password=p&to=1&text=x=y&", "", NULL,
	  202, NULL },
	{ "HEAD never sends", "HEAD", WHO "&to=%2B44&text=x", "", NULL, 405, "" },
	{ "other methods", "DELETE", WHO "&to=%2B44&text=x", "", NULL, 400, "" },
	{ "other paths", "GET", "/cgi-bin/nothing", "", NULL, 404, "Unknown request." },
	{ "a path is exact", "GET", "/cgi-bin/sendsms/?username=u&password=p&to=1", "", NULL, 404, NULL },
	{ "a wrong password", "GET", "/cgi-bin/sendsms?username=u&password=q&to=%2B44", "", NULL, 403,
	  "Authorization failed for sendsms" },
	{ "nobody", "GET", "/cgi-bin/sendsms?to=%2B44", "", NULL, 403,
	  "Authorization failed for sendsms" },
	{ "no receiver", "GET", WHO "&text=x", "", NULL, 400, "Missing receiver number, rejected" },
	{ "an empty receiver", "GET", WHO "&to=&text=x", "", NULL, 400,
	  "Empty receiver number not allowed, rejected" },
	{ "only a name", "GET", WHO "&to", "", NULL, 400, "Empty receiver number not allowed, rejected" },
	{ "a blank receiver", "GET", WHO "&to=+", "", NULL, 400,
	  "Number(s) has/have been denied by white- and/or black-lists." },
	{ "a header whose length is wrong", "GET", WHO "&to=1&udh=%05%00", "", NULL, 400,
	  "UDH field misformed, rejected" },
	{ "a header whose element runs over it", "GET", WHO "&to=1&udh=%04%05%04%0b%84", "", NULL, 400,
	  "UDH field misformed, rejected" },
	{ "a header that ends within an element", "GET", WHO "&to=1&udh=%01%05", "", NULL, 400,
	  "UDH field misformed, rejected" },
	{ "ports of three octets", "GET", WHO "&to=1&udh=%05%05%03%0b%84%23", "", NULL, 400,
	  "UDH field misformed, rejected" },
	{ "segment 3 of 2", "GET", WHO "&to=1&udh=%05%00%03%07%02%03", "", NULL, 400,
	  "UDH field misformed, rejected" },
	{ "octets behind the header", "GET", WHO "&to=1&udh=%00%00", "", NULL, 400,
	  "UDH field misformed, rejected" },
	{ "segment 2 of 2", "GET", WHO "&to=1&udh=%05%00%03%07%02%02&text=x", "", NULL, 202, NULL },
	{ "an element that nobody knows", "GET", WHO "&to=1&udh=%03%70%01%00&text=x", "", NULL, 202, NULL },
	{ "an empty header", "GET", WHO "&to=1&udh=%00&text=x", "", NULL, 202, NULL },
	{ "letters for a receiver", "GET", WHO "&to=abc", "", NULL, 400,
	  "Number(s) has/have been denied by white- and/or black-lists." },
	{ "no sender anywhere", "GET", "/cgi-bin/sendsms?username=nosender&password=p&to=1", "", NULL,
	  400, "Sender missing and no global set, rejected" },
	{ "receiver before mclass", "GET", WHO "&to=abc&mclass=9", "", NULL, 400,
	  "Number(s) has/have been denied by white- and/or black-lists." },
	{ "account", "GET", WHO "&to=1&account=a%5Bb", "", NULL, 400,
	  "Account field misformed or too long, rejected" },
	{ "account before dlr-url", "GET", WHO "&to=1&account=a%5D&dlr-url=ftp://x", "", NULL, 400,
	  "Account field misformed or too long, rejected" },
	{ "dlr-url", "GET", WHO "&to=1&dlr-url=ftp://x/", "", NULL, 400,
	  "DLR-URL field misformed, rejected" },
	{ "a scheme in capitals", "GET", WHO "&to=1&dlr-mask=1&dlr-url=HTTP://x/", "", NULL, 202, NULL },
	{ "dlr-url with a newline", "GET", WHO "&to=1&dlr-url=http://x/%0d%0aHost:y", "", NULL, 400,
	  "DLR-URL field misformed, rejected" },
	{ "dlr-url with a NUL", "GET", WHO "&to=1&dlr-url=http://x/%00", "", NULL, 400,
	  "DLR-URL field misformed, rejected" },
	{ "dlr-url without a host", "GET", WHO "&to=1&dlr-url=http:///x", "", NULL, 400,
	  "DLR-URL field misformed, rejected" },
	{ "dlr-url that ends after the scheme", "GET", WHO "&to=1&dlr-url=https://", "", NULL, 400,
	  "DLR-URL field misformed, rejected" },
	{ "dlr-url with half a scheme", "GET", WHO "&to=1&dlr-url=http:/", "", NULL, 400,
	  "DLR-URL field misformed, rejected" },
	{ "dlr-url with a user and no host", "GET", WHO "&to=1&dlr-url=http://u:p@/x", "", NULL, 400,
	  "DLR-URL field misformed, rejected" },
	{ "dlr-url with a port out of range", "GET", WHO "&to=1&dlr-url=http://x:65536/", "", NULL, 400,
	  "DLR-URL field misformed, rejected" },
	{ "dlr-url with a port that is none", "GET", WHO "&to=1&dlr-url=http://x:a/", "", NULL, 400,
	  "DLR-URL field misformed, rejected" },
	{ "dlr-url with a blank in its host", "GET", WHO "&to=1&dlr-url=http://x+y/", "", NULL, 400,
	  "DLR-URL field misformed, rejected" },
	{ "dlr-url with all that may be there", "GET",
	  WHO "&to=1&dlr-url=https://u:p%40x:0443/a+b?c%3D%25d%23e", "", NULL, 202, NULL },
	{ "dlr-url of IPv6", "GET", WHO "&to=1&dlr-url=http://[::1]/", "", NULL, 202, NULL },
	{ "dlr-url of IPv6 with a port", "GET", WHO "&to=1&dlr-url=http://[::1]:80", "", NULL, 202, NULL },
	{ "dlr-url whose host is an escape", "GET", WHO "&to=1&dlr-url=http://%25P/", "", NULL, 202, NULL },
	{ "binfo with a NUL", "GET", WHO "&to=1&binfo=a%00b", "", NULL, 400,
	  "BInfo field misformed, rejected" },
	{ "a sender with a NUL", "GET", WHO "&to=1&from=1%002", "", NULL, 400,
	  "the sender holds a NUL octet: leave it (%00) out of from" },
	{ "a sender too long", "GET", WHO "&to=1&from=123456789012345678901", "", NULL, 400,
	  "the sender is longer than 20 characters" },
	{ "dlr-mask", "GET", WHO "&to=1&dlr-mask=67", "", NULL, 400, "DLR-Mask field misformed, rejected" },
	{ "mclass", "GET", WHO "&to=1&mclass=4&pid=999", "", NULL, 400, "MClass field misformed, rejected" },
	{ "pid", "GET", WHO "&to=1&pid=256", "", NULL, 400, "PID field misformed, rejected" },
	{ "pid below unset", "GET", WHO "&to=1&pid=-2", "", NULL, 400, "PID field misformed, rejected" },
	{ "rpi", "GET", WHO "&to=1&rpi=3", "", NULL, 400, "RPI field misformed, rejected" },
	{ "alt-dcs", "GET", WHO "&to=1&alt-dcs=2", "", NULL, 400, "Alt-DCS field misformed, rejected" },
	{ "mwi", "GET", WHO "&to=1&mwi=8", "", NULL, 400, "MWI field misformed, rejected" },
	{ "coding", "GET", WHO "&to=1&coding=3", "", NULL, 400, "Coding field misformed, rejected" },
	{ "compress", "GET", WHO "&to=1&compress=2", "", NULL, 400, "Compress field misformed, rejected" },
	{ "validity", "GET", WHO "&to=1&validity=-2", "", NULL, 400, "Validity field misformed, rejected" },
	{ "deferred", "GET", WHO "&to=1&deferred=-2", "", NULL, 400, "Deferred field misformed, rejected" },
	{ "priority", "GET", WHO "&to=1&priority=4", "", NULL, 400, "Priority field misformed, rejected" },
	{ "a huge number", "GET", WHO "&to=1&priority=99999999999999999999", "", NULL, 400,
	  "Priority field misformed, rejected" },
	{ "a number that is none counts as not given", "GET", WHO "&to=1&coding=abc", "", NULL, 202, NULL },
	{ "what follows a number is ignored", "GET", WHO "&to=1&coding=1x", "", NULL, 202, NULL },
	{ "charset", "GET", WHO "&to=1&text=x&charset=x-none", "", NULL, 400,
	  "Charset or body misformed, rejected" },
	{ "an empty charset is none", "GET", WHO "&to=1&text=x&charset=", "", NULL, 202, NULL },
	{ "POST takes headers", "POST", "/cgi-bin/sendsms", PLAIN "X-Kannel-To: +44\r\n", "hello", 202,
	  "0: Accepted for delivery" },
	{ "POST takes no query", "POST", WHO "&to=1&text=x", "Content-Type: text/plain\r\n", "x", 403,
	  "Authorization failed for sendsms" },
	{ "POST without receiver", "POST", "/cgi-bin/sendsms", PLAIN, "x", 400,
	  "Missing receiver(s) number(s), rejected" },
	{ "POST of a form", "POST", "/cgi-bin/sendsms",
	  "Content-Type: application/x-www-form-urlencoded\r\n", "username=u", 400, "Invalid content-type" },
	{ "POST of HTML", "POST", "/cgi-bin/sendsms", "Content-Type: text/html\r\n" BY, "x", 415,
	  "Unsupported content-type, rejected" },
	{ "POST without type is octets", "POST", "/cgi-bin/sendsms", BY "X-Kannel-To: +44\r\n", "x", 202,
	  NULL },
	{ "a header in hex", "POST", "/cgi-bin/sendsms", PLAIN "X-Kannel-To: +44\r\n"
	  "X-Kannel-UDH: 0605040B8423F0\r\n", "x", 202, NULL },
	{ "a header that is neither", "POST", "/cgi-bin/sendsms", PLAIN "X-Kannel-To: +44\r\n"
	  "X-Kannel-UDH: zz\r\n", "x", 400, "UDH field misformed, rejected" },
	/* sendota */
	{ "a document", "GET", OTA "&to=%2B44&sec=userpin&pin=1&text=" ROOT, "", NULL, 202,
	  "0: Accepted for delivery" },
	{ "phonenumber", "GET", OTA "&phonenumber=1&type=oma-settings&pin=1&text=" ROOT, "", NULL, 202,
	  NULL },
	{ "wrong password for sendota", "GET", "/cgi-bin/sendota?username=u&password=q&to=1", "", NULL,
	  403, "Authorization failed for sendota" },
	{ "sendota without receiver", "GET", OTA "&text=" ROOT, "", NULL, 400, "~Wrong sendota args." },
	{ "a document of the configuration", "GET", OTA "&to=1&otaid=bm", "", NULL, 202, NULL },
	{ "one that is not there", "GET", OTA "&to=1&otaid=BM", "", NULL, 400, "~ota-id" },
	{ "an unknown type", "GET", OTA "&to=1&type=x&text=" ROOT, "", NULL, 400, "~type is one of" },
	{ "an empty type", "GET", OTA "&to=1&type=&text=" ROOT, "", NULL, 400, "~Erroneous document type" },
	{ "a type that contradicts the root", "GET", OTA "&to=1&type=settings&pin=1&text=" ROOT, "", NULL,
	  400, "~give the type oma-settings" },
	{ "nothing to sign with", "GET", OTA "&to=1&text=" ROOT, "", NULL, 400, "~give sec" },
	{ "an unknown method", "GET", OTA "&to=1&sec=2&pin=1&text=" ROOT, "", NULL, 400, "~\"2\"" },
	{ "an empty method", "GET", OTA "&to=1&sec=&pin=1&text=" ROOT, "", NULL, 400, "~empty" },
	{ "a key", "GET", OTA "&to=1&sec=NETWPIN&key-hex=0a0b&text=" ROOT, "", NULL, 202, NULL },
	{ "a key without method", "GET", OTA "&to=1&key-hex=0a0b&text=" ROOT, "", NULL, 400,
	  "~key-hex needs sec" },
	{ "a key that is no hex", "GET", OTA "&to=1&sec=NETWPIN&key-hex=0a0&text=" ROOT, "", NULL, 400,
	  "~hex digits" },
	{ "what is not closed is named", "GET",
	  OTA "&to=1&pin=1&text=%3Cwap-provisioningdoc%3E%0A%3Ccharacteristic+type='A'%3E", "", NULL, 400,
	  "~text: line 2 column 1: " },
	{ "dlr-mask of a document", "GET", OTA "&to=1&pin=1&dlr-mask=99&text=" ROOT, "", NULL, 400,
	  "DLR-Mask field misformed, rejected" },
	{ "a document as body", "POST", "/cgi-bin/sendota", CP BY "X-Kannel-To: +44\r\nX-Kannel-PIN: 1\r\n",
	  "<wap-provisioningdoc/>", 202, "0: Accepted for delivery" },
	{ "a document as body takes no query: no login", "POST", OTA "&to=1&pin=1", CP,
	  "<wap-provisioningdoc/>", 403, "Authorization failed for sendota" },
	{ "nor receiver", "POST", "/cgi-bin/sendota?to=1&pin=1", CP BY, "<wap-provisioningdoc/>", 400,
	  "~no receiver" },
	{ "the query names neither type nor group", "POST", "/cgi-bin/sendota?type=settings&otaid=bm&text=x", CP TO "X-Kannel-PIN: 1\r\n",
	  "<wap-provisioningdoc/>", 202, NULL },
	{ "an empty body is no document, and no group either", "POST", "/cgi-bin/sendota", CP TO
	  "X-Kannel-PIN: 1\r\n", "", 400, "~the document is empty" },
	{ "a POST with neither body nor type", "POST", OTA "&to=1&otaid=bm", "", "", 403, NULL },
	{ "a form", "POST", "/cgi-bin/sendota", "Content-Type: application/x-www-form-urlencoded\r\n",
	  "username=u&password=p&to=1&pin=1&text=" ROOT, 202, NULL },
	{ "a form that asks for a group", "POST", "/cgi-bin/sendota", "Content-Type: "
	  "application/x-www-form-urlencoded\r\n", "username=u&password=p&to=1&otaid=bm", 202, NULL },
	{ "a document under the type of a form is no order for the first group", "POST", "/cgi-bin/sendota",
	  "Content-Type: application/x-www-form-urlencoded\r\n" TO, "<wap-provisioningdoc/>", 415, NULL },
	{ "another body", "POST", "/cgi-bin/sendota", "Content-Type: text/html\r\n" TO, "x", 415,
	  "Unsupported content-type, rejected" },
	{ "a body without type", "POST", "/cgi-bin/sendota", TO, "<wap-provisioningdoc/>", 415, NULL },
	{ "charset of the body", "POST", "/cgi-bin/sendota", TO "X-Kannel-PIN: 1\r\n"
	  "Content-Type: text/vnd.wap.connectivity-xml; charset=\"x-none\"\r\n", "<wap-provisioningdoc/>",
	  400, "~x-none" },
	{ "is not asked where the document tells", "POST", "/cgi-bin/sendota", TO "X-Kannel-PIN: 1\r\n"
	  "Content-Type: text/vnd.wap.connectivity-xml; charset=\"x-none\"\r\n",
	  "<?xml version='1.0' encoding='UTF-8'?><wap-provisioningdoc/>", 202, NULL },
	{ "nor of a group", "GET", OTA "&to=1&otaid=bm&charset=x-none", "", NULL, 202, NULL },
	{ "what only texts have is not looked at", "GET",
	  OTA "&to=1&otaid=bm&deferred=-5&meta-data=x&binfo=x", "", NULL, 202, NULL },
};

static void
check_body(const char *name, const char *wanted)
{
	if (wanted == NULL)
		return;
	if (wanted[0] == '~' ? strstr(body(), wanted + 1) == NULL : strcmp(body(), wanted) != 0)
		fail_msg("%s: \"%s\"", name, body());
}

static void
test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int status = ask_line(sendsms, cases[i].method, cases[i].path, cases[i].headers,
		    cases[i].content);

		if (status != cases[i].status)
			fail_msg("%s: status %d, \"%s\"", cases[i].name, status, body());
		check_body(cases[i].name, cases[i].body);
		if ((strstr(last.answer, "X-Kantele-Id: ") != NULL) != (status == 202))
			fail_msg("%s: push-id", cases[i].name);
	}
}

static void
test_headers(void **state)
{
	(void)state;
	assert_int_equal(ask_line(sendsms, "GET", WHO "&to=1+2+3&text=x", "", NULL), 202);
	assert_non_null(strstr(last.answer, "\r\nContent-Type: text/html\r\n"));
	assert_non_null(strstr(last.answer, "\r\nPragma: no-cache\r\n"));
	assert_non_null(strstr(last.answer, "\r\nCache-Control: no-cache\r\n"));
	assert_non_null(strstr(last.answer, "\r\nServer: Kantele/test\r\n"));
	{
		unsigned ids = 0;

		for (const char *at = last.answer; (at = strstr(at, "X-Kantele-Id: ")) != NULL; at++)
			ids++;
		assert_int_equal(ids, 3);
	}
	assert_int_equal(ask_line(sendsms, "GET", OTA "&to=1&sec=userpinmac&pin=4821&text=" ROOT, "",
	    NULL), 202);
	assert_non_null(strstr(last.answer, "\r\nX-Kantele-User-Code: 4821"));
	/* letters in the PIN are told */
	assert_int_equal(ask_line(sendsms, "GET", OTA "&to=1&pin=ab&text=" ROOT, "", NULL), 202);
	assert_non_null(strstr(last.answer, "\r\nX-Kantele-Warning: "));
}

/* Each message has its id in the answer; when they do not fit, nothing is sent, rather than the
 * answer lost. */
static void
test_many_receivers(void **state)
{
	static const struct {
		const char	*name, *door;
		unsigned	 receivers;
		int		 status;
	} rows[] = {
		{ "as many as fit", WHO "&text=x&to=", 300, 202 },
		{ "more ids than an answer holds", WHO "&text=x&to=", 480, 400 },
		{ "a document to as many as fit", OTA "&pin=1&text=" ROOT "&to=", 300, 202 },
		{ "a document to more", OTA "&pin=1&text=" ROOT "&to=", 480, 400 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf path = buf_heap(10000);
		unsigned ids = 0;
		int status;

		buf_str(&path, rows[i].door);
		for (unsigned n = 0; n < rows[i].receivers; n++)
			buf_printf(&path, "%u+", 447900900u + n);
		status = ask_line(sendsms, "GET", buf_cstr(&path), "", NULL);
		for (const char *at = last.answer; (at = strstr(at, "X-Kantele-Id: ")) != NULL; at++)
			ids++;
		if (status != rows[i].status || ids != (status == 202 ? rows[i].receivers : 0) ||
		    (status == 400 && strstr(body(), "send at most 4") == NULL))
			fail_msg("%s: %d, %u ids, \"%s\"", rows[i].name, status, ids, body());
		buf_free(&path);
	}
}

static void
test_link_states(void **state)
{
	(void)state;
	link_says = INTAKE_LATER;
	assert_int_equal(ask_line(sendsms, "GET", WHO "&to=1", "", NULL), 202);
	assert_string_equal(body(), "3: Queued for later delivery");
	link_says = INTAKE_NEVER;
	assert_int_equal(ask_line(sendsms, "GET", WHO "&to=1", "", NULL), 403);
	assert_string_equal(body(), "Not routable. Do not try again.");
	link_says = INTAKE_NOW;
}

static void
test_immediate(void **state)
{
	(void)state;
	doors.immediate_reply = true;
	assert_int_equal(ask_line(sendsms, "GET", WHO "&to=1", "", NULL), 202);
	assert_string_equal(body(), "Sent.");
	assert_int_equal(ask_line(sendsms, "GET", WHO "&to=1+ab+cd", "", NULL), 202);
	assert_string_equal(body(), "Sent. Denied receivers are: ab cd");
	doors.immediate_reply = false;
}

/* --- a store that is too slow --------------------------------------------------------------------- */

#define SLOW_REQUEST	"GET " WHO "&to=1&text=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void
look_for_commit(void *arg)
{
	struct timer **look = arg;

	if (is_committing())
		loop_stop(loop);
	else
		timer_set(*look, 1);
}

/* Runs the loop until the store is inside a commit. */
static void
run_to_commit(void)
{
	struct timer *look = timer_new(loop, look_for_commit, &look);

	timer_set(look, 0);
	loop_run(loop);
	timer_free(&look);
}

/* Who waits for the next commit gets 503 at the deadline, and nothing of it is stored; who is in the
 * one under way waits for its end, however long that takes. */
static void
test_slow_store(void **state)
{
	static struct exchange under_way, waiting;
	struct queue_stats before, after;

	(void)state;
	queue_stats(queue, &before);
	set_hold(true);
	start(&under_way, impatient, SLOW_REQUEST);
	run_to_commit();
	start(&waiting, impatient, SLOW_REQUEST);
	loop_run(loop);
	assert_int_equal(finish(&waiting), 503);
	assert_non_null(strstr(waiting.answer, "Temporal failure, try again later."));
	assert_non_null(strstr(waiting.answer, "\r\nRetry-After: "));
	assert_int_equal(under_way.len, 0);
	set_hold(false);
	loop_run(loop);
	assert_int_equal(finish(&under_way), 202);
	queue_stats(queue, &after);
	assert_int_equal(after.submitted - before.submitted, 1);
}

/* A commit that never ends: the connection is closed, an answer would be a guess. When it ends after
 * all, nobody is told. */
static void
test_dead_store(void **state)
{
	static struct exchange under_way;

	(void)state;
	doors.patience_ms = 100;
	set_hold(true);
	start(&under_way, impatient, SLOW_REQUEST);
	run_to_commit();
	loop_run(loop);
	assert_int_equal(finish(&under_way), 0);
	assert_int_equal(under_way.len, 0);
	set_hold(false);
	doors.patience_ms = 20000;
	assert_int_equal(ask(impatient, SLOW_REQUEST), 202);
}

/* --- operators --------------------------------------------------------------------------------- */

static const struct {
	const char	*name, *path, *body;
} admin_cases[] = {
	{ "a wrong password", "/suspend?password=x", "Denied" },
	{ "the right one makes it forgotten", "/resume?password=adm", "Already running" },
	{ "the status password suspends nothing", "/suspend?password=sta", "Denied" },
	{ "suspend", "/suspend?password=adm", "Kannel suspended" },
	{ "suspend again", "/suspend.txt?password=adm", "Already suspended" },
	{ "status says so", "/status?password=sta", "~Status: suspended, uptime 0d 0h 0m" },
	{ "isolate", "/isolate.xml?password=adm",
	  "<?xml version=\"1.0\"?>\n<gateway>\nKannel isolated from message providers</gateway>\n" },
	{ "resume", "/cgi-bin/resume?password=adm", "Running resumed" },
	{ "an unknown command", "/nosuch?password=adm", "~Unknown command `/nosuch'.\nPossible commands "
	  "are:\nstatus\nstore-status\n" },
	{ "its path is escaped", "/%3C<b>.xml?password=adm", "~Unknown command `/%3C&lt;b&gt;.xml'" },
	{ "a command that is not there", "/flush-dlr?password=adm",
	  "Command `flush-dlr' is not available yet." },
	{ "log-level", "/log-level?password=adm&level=1", "log-level set to 1" },
	{ "log-level without level", "/log-level?password=adm", "New level not given" },
	{ "status.xml escapes", "/status.xml?password=adm", "~<version>Kantele &lt;test&gt;.\n</version>\n"
	  "<status>running, uptime" },
	{ "boxes are escaped too", "/status.xml?password=adm", "~<id>b&lt;1&gt;</id>" },
	{ "status.html", "/status.html?password=sta", "~<p>Status: running, uptime" },
	{ "a backup needs a store that is a file", "/backup?password=adm&file=x", "This store is not a file" },
	{ "shutdown", "/shutdown?password=adm", "Bringing system down" },
};

static void
test_admin(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(admin_cases); i++) {
		assert_int_equal(ask_line(operators, "GET", admin_cases[i].path, "", NULL), 200);
		check_body(admin_cases[i].name, admin_cases[i].body);
	}
	assert_true(shut);
	assert_int_equal(ask_line(operators, "HEAD", "/suspend?password=adm", "", NULL), 405);
}

/* Guessing is slowed down, and no faster in parallel: the second wrong password takes a second. */
static void
test_admin_guesses(void **state)
{
	mono_t began;

	(void)state;
	ask_line(operators, "GET", "/status?password=adm", "", NULL);
	assert_int_equal(ask_line(operators, "GET", "/status?password=a", "", NULL), 200);
	began = clock_mono();
	assert_int_equal(ask_line(operators, "GET", "/status?password=b", "", NULL), 200);
	assert_string_equal(body(), "Denied");
	assert_true(clock_mono() - began >= 950);
	assert_int_equal(ask_line(operators, "GET", "/status?password=adm", "", NULL), 200);
	assert_non_null(strstr(body(), "Status: "));
}

static void
test_admin_addresses(void **state)
{
	struct admin_setup s = setup_of_admin();
	struct ip_rules *deny = ip_rules_parse(TEXT("127.0.0.1"), NULL);

	(void)state;
	s.deny = deny;
	admin_configure(admin, &s);
	assert_int_equal(ask_line(operators, "GET", "/status?password=adm", "", NULL), 0);
	s.deny = NULL;
	admin_configure(admin, &s);
	ip_rules_free(&deny);
	admin_stopping(admin);
	assert_int_equal(ask_line(operators, "GET", "/suspend?password=adm", "", NULL), 200);
	check_body("too late", "~Avalanche has already started");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_many_receivers),
		cmocka_unit_test(test_link_states),
		cmocka_unit_test(test_immediate),
		cmocka_unit_test(test_slow_store),
		cmocka_unit_test(test_dead_store),
		cmocka_unit_test(test_admin),
		cmocka_unit_test(test_admin_guesses),
		cmocka_unit_test(test_admin_addresses),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
