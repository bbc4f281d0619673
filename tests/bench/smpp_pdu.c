/*
 * smpp_pdu.c - how many PDUs a second the codec reads and writes
 *
 *   smpp_pdu [SECONDS]
 *
 * One submit_sm with 140 octets of user data, its answer, and a receipt with parameters; and a
 * segment made into a submit_sm as the driver does it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "push/message.h"
#include "push/segment.h"
#include "smsc/smpp_receipt.h"
#include "smsc/smpp_submit.h"

static char user_data[140];
static uint8_t wire[3][512];
static size_t wire_len[3];

static const struct message message = { .sender = TEXT("13013"), .msisdn = TEXT("+358401234567"),
    .priority = -1, .pid = -1, .rpi = -1, .dlr_mask = 31 };

static double
cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
make_wire(void)
{
	struct smpp_pdu pdu[3] = {
		{ .command = SMPP_SUBMIT_SM, .source = TEXT("13013"), .destination = TEXT("358401234567"),
		    .message = { user_data, sizeof user_data } },
		{ .command = SMPP_SUBMIT_SM | SMPP_RESP, .message_id = TEXT("1234567890") },
		{ .command = SMPP_DELIVER_SM, .esm_class = 4, .source = TEXT("358401234567"),
		    .destination = TEXT("13013"),
		    .message = TEXT("id:1234567890 sub:001 dlvrd:001 submit date:2611222315 done "
		    "date:2611222316 stat:DELIVRD err:000 text:"), .tlv_count = 2,
		    .tlvs = { { SMPP_TAG_RECEIPTED_ID, TEXT("1234567890") },
		    { SMPP_TAG_MESSAGE_STATE, TEXT("\2") } } },
	};

	for (int i = 0; i < 3; i++) {
		struct buf out = buf_on(wire[i], sizeof wire[i]);

		smpp_pdu_write(&pdu[i], &out, NULL);
		wire_len[i] = out.len;
	}
}

static void
run_read(int i)
{
	struct smpp_pdu pdu;
	struct smpp_receipt receipt;
	struct buf room = buf_on(NULL, 0);

	if (smpp_pdu_read((struct text){ (char *)wire[i], wire_len[i] }, &pdu, NULL) == -1)
		abort();
	if (i == 2)
		smpp_receipt_read(&pdu, &room, &receipt);
}

static void
run_write(int i)
{
	struct smpp_submit_rules rules = { .version = 0x34, .esm_class = 3, .autodetect = true,
	    .validity_min = -1 };
	struct segment segment = { .message = &message, .data = { user_data, sizeof user_data },
	    .report = true };
	uint8_t room[SMPP_SUBMIT_MOST];
	struct buf out = buf_on(room, sizeof room);
	uint32_t status;

	if (smpp_submit_write(&rules, &segment, (uint32_t)i, 0, &out, &status, NULL) == -1)
		abort();
}

static const struct {
	const char	*name;
	void		(*run)(int);
	int		 arg;
} jobs[] = {
	{ "read submit_sm", run_read, 0 }, { "read submit_sm_resp", run_read, 1 },
	{ "read deliver_sm and its receipt", run_read, 2 }, { "segment to submit_sm", run_write, 7 },
};

int
main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 0.5;

	make_wire();
	for (size_t j = 0; j < sizeof jobs / sizeof *jobs; j++) {
		double start = cpu_seconds(), took;
		unsigned long n = 0;

		do {
			for (int i = 0; i < 10000; i++)
				jobs[j].run(jobs[j].arg);
			n += 10000;
			took = cpu_seconds() - start;
		} while (took < seconds);
		printf("%-34s %10.0f per CPU second\n", jobs[j].name, (double)n / took);
	}
	return 0;
}
