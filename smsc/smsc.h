/*
 * smsc.h - what every SMSC driver is, and what the gateway hears from it
 *
 * A driver moves segments to one account of one SMSC and brings back answers,
 * receipts and incoming texts. It knows nothing of HTTP, queue or documents, never blocks
 * the loop, and reconnects by itself for ever. Window, throughput and rest after a
 * failure belong to dispatch/link.
 *
 * Rules for whoever writes one:
 *  1. After send() returned 0 the ticket gets exactly one of accepted, refused, unknown
 *     (never inside send), and after `unknown` at most one `late`.
 *  2. send() may be called only in state UP; it takes what it needs from the segment before
 *     it returns. -1: cannot now (nothing was written), the caller keeps the segment.
 *  3. When the line is lost, tickets that were written get `unknown`, before state DOWN.
 *  4. receipt and incoming carry a token; the network hears "taken" only after
 *     ack(token, ACK_OK), "try later" after ACK_LATER. Tokens of a lost line are dead: ack of
 *     one does nothing.
 *  5. drain(): nothing new will be sent; when the last ticket is answered, say goodbye,
 *     go to state CLOSED. close() at once: open tickets get `unknown` first.
 */
#ifndef SMSC_SMSC_H
#define SMSC_SMSC_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/text.h"

struct loop;
struct segment;
struct smsc;

enum smsc_state { SMSC_CONNECTING, SMSC_UP, SMSC_UP_RECEIVE_ONLY, SMSC_RECONNECTING, SMSC_CLOSED };

enum smsc_refusal {
	SMSC_SLOW_DOWN,		/* throttled, queue full: the whole link rests, order is kept */
	SMSC_TRY_LATER,		/* this message, a while later */
	SMSC_TRY_FEW,		/* this message, a few times at most (codes used for anything) */
	SMSC_NEVER		/* this message, for good */
};

enum smsc_report_state {	/* of a receipt */
	REPORT_PENDING, REPORT_DELIVERED, REPORT_EXPIRED, REPORT_FAILED, REPORT_UNKNOWN
};

struct smsc_receipt {
	struct text	 foreign_id;	/* in the form of smsc_answer's: TLV before text */
	struct text	 foreign_id_alt;	/* the text's id when the TLV's is another one: try it second; absent */
	enum smsc_report_state state;
	struct text	 code;		/* "000", network error; absent */
	struct text	 said;		/* the receipt's own words, for %A */
};

struct smsc_incoming {		/* a text from a phone */
	struct text	 from, to, body, udh;
	uint8_t		 dcs, esm_class, pid;
};

struct smsc_answer {
	struct text	 foreign_id;	/* normalised as receipts will be; may be empty */
	uint32_t	 code;		/* the network's own: command_status */
	enum smsc_refusal refusal;	/* of refused */
	const char	*said;		/* "ESME_RTHROTTLED" */
};

struct smsc_events {
	void	(*state)(void *owner, enum smsc_state, const struct err *why);	/* why: NULL when UP */
	void	(*accepted)(void *owner, uint64_t ticket, const struct smsc_answer *);
	void	(*refused)(void *owner, uint64_t ticket, const struct smsc_answer *);
	void	(*unknown)(void *owner, uint64_t ticket, const struct err *why);
	void	(*late)(void *owner, uint64_t ticket, bool accepted, const struct smsc_answer *);
	void	(*receipt)(void *owner, const struct smsc_receipt *, uint64_t token);
	void	(*incoming)(void *owner, const struct smsc_incoming *, uint64_t token);
};

enum smsc_ack { ACK_OK, ACK_LATER };

/* What the link hands to open(), whatever the driver. */
struct smsc_setup {
	struct loop	*loop;
	const char	*name;		/* of the link, for log lines: smsc-id, "#2" when shared */
	const char	*alt_charset;	/* of the smsc group */
	struct conf	*conf;		/* for tables shared by links: smpp-tlv groups */
	const struct smsc_events *events;
	void		*owner;
};

struct smsc_driver {
	const char	*name;		/* the value of `smsc =` */
	const struct conf_key *keys;	/* its rows of the smsc group */
	struct smsc	*(*open)(const struct smsc_setup *, const struct conf_group *,
			    struct findings *, struct err *);
	int		 (*send)(struct smsc *, uint64_t ticket, const struct segment *);
	void		 (*ack)(struct smsc *, uint64_t token, enum smsc_ack);
	void		 (*drain)(struct smsc *);
	void		 (*close)(struct smsc **);
	/* "SMPP:host:port/port:user:system-type", as Kannel's status page has it; no secret. */
	const char	*(*describe)(const struct smsc *);
	/* Whom foreign ids belong to: the same text for two binds of one account. */
	const char	*(*receipt_domain)(const struct smsc *);
	unsigned	 (*window)(const struct smsc *);	/* max-pending-submits */
	unsigned	 (*wait_ack_ms)(const struct smsc *);
	/* Nothing that the driver reads differs between two groups: the connection may stay (true), or
	 * it must be opened anew (false). */
	bool		 (*same)(const struct conf_group *, const struct conf_group *);
};

extern const struct smsc_driver smsc_smpp;
/* Rows of the group smpp-tlv, which smsc_smpp reads. */
extern const struct conf_key smpp_tlv_keys[];

#endif
