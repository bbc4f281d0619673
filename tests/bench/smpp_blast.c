/*
 * smpp_blast.c - sends submit_sm as fast as the window allows, and says how fast that was
 *
 *   smpp_blast [-h HOST] [-p PORT] [-n COUNT] [-w WINDOW] [-c CONNECTIONS] [-r]
 *
 * Binds CONNECTIONS transceivers, keeps WINDOW submit_sm of 140 octets open on each, answers
 * deliver_sm; -r asks for receipts and waits for all of them.  Prints one line: messages per second,
 * CPU seconds of its own, answers that were not ESME_ROK, receipts.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "io/loop.h"
#include "io/stream.h"
#include "smsc/smpp_pdu.h"

enum { CONNECTIONS_MOST = 64, TIMEOUT_MS = 10000, OUT_MOST = 4 * 1024 * 1024 };

struct connection {
	struct blast	*blast;
	struct stream	*stream;
	struct buf	 out;
	unsigned long	 open;
	uint32_t	 sequence;
	bool		 bound;
};

struct blast {
	struct loop	*loop;
	const char	*host;
	unsigned	 port;
	unsigned long	 count, window, connections, sent, answered, refused, receipts;
	bool		 want_receipts, failed;
	struct connection all[CONNECTIONS_MOST];
	struct timespec	 begun;
};

static void
flush(struct connection *c)
{
	if (c->out.len > 0 && stream_write(c->stream, c->out.data, c->out.len) == 0)
		c->out.len = 0;
}

static void
submit(struct connection *c)
{
	static const char user_data[140] = "Kantele";
	struct blast *b = c->blast;
	char to[24];
	struct smpp_pdu pdu;

	memset(&pdu, 0, offsetof(struct smpp_pdu, tlvs));
	snprintf(to, sizeof to, "3584%09lu", b->sent);
	pdu.command = SMPP_SUBMIT_SM;
	pdu.sequence = ++c->sequence;
	pdu.source = TEXT("13013");
	pdu.dest_ton = pdu.dest_npi = 1;
	pdu.destination = text_of(to);
	pdu.registered_delivery = b->want_receipts;
	pdu.data_coding = 4;
	pdu.message = (struct text){ user_data, sizeof user_data };
	smpp_pdu_write(&pdu, &c->out, NULL);
	b->sent++;
	c->open++;
}

static void
fill(struct connection *c)
{
	while (c->open < c->blast->window && c->blast->sent < c->blast->count)
		submit(c);
}

static void
take(struct connection *c, const struct smpp_pdu *pdu)
{
	struct smpp_pdu resp = { .command = pdu->command | SMPP_RESP, .sequence = pdu->sequence };
	struct blast *b = c->blast;

	switch (pdu->command) {
	case SMPP_BIND_TRANSCEIVER | SMPP_RESP:
		c->bound = pdu->status == SMPP_OK;
		b->failed = b->failed || !c->bound;
		break;
	case SMPP_SUBMIT_SM | SMPP_RESP:
		c->open--;
		b->answered++;
		b->refused += pdu->status != SMPP_OK;
		break;
	case SMPP_DELIVER_SM:
		b->receipts++;
		smpp_pdu_write(&resp, &c->out, NULL);
		break;
	case SMPP_ENQUIRE_LINK:
		smpp_pdu_write(&resp, &c->out, NULL);
		break;
	default:
		break;
	}
}

static bool
finished(const struct blast *b)
{
	return b->failed || (b->answered == b->count &&
	    (!b->want_receipts || b->receipts >= b->count - b->refused));
}

static void
on_input(void *arg)
{
	struct connection *c = arg;

	for (;;) {
		long length = smpp_pdu_length(stream_peek(c->stream, 4));
		struct smpp_pdu pdu;

		if (length <= 0 || stream_waiting(c->stream) < (size_t)length)
			break;
		if (smpp_pdu_read(stream_peek(c->stream, (size_t)length), &pdu, NULL) == 0)
			take(c, &pdu);
		stream_consume(c->stream, (size_t)length);
	}
	if (c->bound)
		fill(c);
	flush(c);
	if (finished(c->blast))
		loop_stop(c->blast->loop);
}

static void
on_up(void *arg)
{
	struct connection *c = arg;
	struct smpp_pdu pdu;

	memset(&pdu, 0, offsetof(struct smpp_pdu, tlvs));
	pdu.command = SMPP_BIND_TRANSCEIVER;
	pdu.sequence = ++c->sequence;
	pdu.system_id = TEXT("blast");
	pdu.interface_version = 0x34;
	smpp_pdu_write(&pdu, &c->out, NULL);
	flush(c);
}

static void
on_down(void *arg, const struct err *why)
{
	struct connection *c = arg;

	fprintf(stderr, "smpp_blast: %s\n", why->text);
	stream_free(&c->stream);
	c->blast->failed = true;
	loop_stop(c->blast->loop);
}

static void
on_drained(void *arg)
{
	flush(arg);
}

static const struct stream_events events = { .up = on_up, .input = on_input, .down = on_down,
    .drained = on_drained };

static double
seconds_since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

static void
report(const struct blast *b)
{
	double seconds = seconds_since(&b->begun);
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	printf("%lu submit_sm in %.2f s: %.0f/s, %.2f CPU s here, %lu refused, %lu receipts\n",
	    b->answered, seconds, (double)b->answered / seconds, (double)use.ru_utime.tv_sec +
	    (double)use.ru_stime.tv_sec + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6,
	    b->refused, b->receipts);
}

static int
options(struct blast *b, int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "h:p:n:w:c:r")) != -1)
		switch (o) {
		case 'h': b->host = optarg; break;
		case 'p': b->port = (unsigned)atoi(optarg); break;
		case 'n': b->count = strtoul(optarg, NULL, 10); break;
		case 'w': b->window = strtoul(optarg, NULL, 10); break;
		case 'c': b->connections = strtoul(optarg, NULL, 10); break;
		case 'r': b->want_receipts = true; break;
		default: return -1;
		}
	return b->connections >= 1 && b->connections <= CONNECTIONS_MOST && b->window >= 1 &&
	    b->count >= 1 ? 0 : -1;
}

int
main(int argc, char **argv)
{
	struct blast b = { .host = "127.0.0.1", .port = 2775, .count = 200000, .window = 500,
	    .connections = 1 };
	struct err err = { 0 };

	if (options(&b, argc, argv) == -1) {
		fprintf(stderr, "usage: smpp_blast [-h HOST] [-p PORT] [-n COUNT] [-w WINDOW] "
		    "[-c CONNECTIONS] [-r]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if ((b.loop = loop_new(&err)) == NULL) {
		fprintf(stderr, "smpp_blast: %s\n", err.text);
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &b.begun);
	for (unsigned long i = 0; i < b.connections; i++) {
		struct connection *c = &b.all[i];

		c->blast = &b;
		c->out = buf_heap(OUT_MOST);
		c->stream = stream_connect(b.loop, b.host, b.port, NULL, 0, NULL, TIMEOUT_MS, &events, c,
		    &err);
		if (c->stream == NULL) {
			fprintf(stderr, "smpp_blast: %s\n", err.text);
			return 1;
		}
	}
	loop_run(b.loop);
	report(&b);
	for (unsigned long i = 0; i < b.connections; i++) {
		stream_free(&b.all[i].stream);
		buf_free(&b.all[i].out);
	}
	loop_free(&b.loop);
	return b.failed ? 1 : 0;
}
