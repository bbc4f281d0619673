/*
 * smpp_conf.h - what an smsc group with smsc = smpp says
 *
 * Threads: the loop.
 */
#ifndef SMSC_SMPP_CONF_H
#define SMSC_SMPP_CONF_H

#include <stdbool.h>
#include "base/conf.h"
#include "base/err.h"
#include "base/secret.h"
#include "smsc/smpp_receipt.h"
#include "smsc/smpp_submit.h"

struct findings;

extern const struct conf_key smpp_keys[];

enum smpp_unanswered { SMPP_UNANSWERED_RECONNECT, SMPP_UNANSWERED_REQUEUE, SMPP_UNANSWERED_WAIT };

struct smpp_conf {
	/* as written; strings are the configuration's */
	const char	*host, *our_host, *username, *old_username, *system_type, *address_range,
			*service_type, *alt_addr_charset, *my_number, *receipt_domain;
	const char	*certkey_file, *ca_file, *server_name;
	struct secret	 password;
	long		 port, receive_port, our_port, our_receiver_port;
	long		 version, enquire_s, enquire_wait_s, window, connection_s, wait_ack_s, unanswered,
			 esm_class, priority, validity_min, id_type, reconnect_s;
	long		 source_ton, source_npi, dest_ton, dest_npi, bind_ton, bind_npi;
	bool		 transceiver, autodetect, use_ssl, ssl_verify;
	/* what follows from it */
	enum smpp_command bind;
	unsigned	 connect_port, local_port;	/* local_port 0: any */
	struct smpp_submit_rules rules;
	struct smpp_tlv_rule *tlvs;			/* that rules point to; owned */
	enum smpp_id_base id_of_response, id_of_receipt;
	char		 description[320], domain[256];
};

/* Fills *out, which smpp_conf_free empties (also after -1). Faults and advice are findings; -1 and
 * err: the link cannot be opened. */
int	smpp_conf_read(struct smpp_conf *out, struct conf *, const struct conf_group *,
	    struct findings *, struct err *);
void	smpp_conf_free(struct smpp_conf *);
/* No key that this driver reads differs: the connection may stay. */
bool	smpp_conf_same(const struct conf_group *, const struct conf_group *);

#endif
