/*
 * drivers.h - the only place that knows concrete stores and SMSC drivers
 */
#ifndef MAIN_DRIVERS_H
#define MAIN_DRIVERS_H

#include "queue/store_settings.h"
#include "smsc/smsc.h"

extern const struct smsc_driver *const smsc_drivers[];	/* NULL-ended */

extern const struct conf_key smpp_keys[];		/* of smsc_smpp, for the table of groups */

/* NULL: this engine is not there (yet). */
const struct store_driver *drivers_store(enum store_engine);
/* Is it there to be opened? May wait for the network: not on the loop. ERR_STORE may pass. NULL: no need to ask. */
typedef int store_reach_fn(const struct store_conf *, struct err *);
store_reach_fn *drivers_store_reach(enum store_engine);
/* NULL: nobody drives this kind of link. */
const struct smsc_driver *drivers_smsc(const char *kind);
/* Whether a link of this group could be opened, without connecting; faults and advice are findings. */
void	drivers_check(struct conf *, const struct conf_group *, struct findings *);

#endif
