/*
 * conf_table.h - every group and key that a configuration may have
 *
 * Rows of what works belong to the modules that read them; rows of what is only known from
 * Kannel are in conf_kannel.c.
 */
#ifndef MAIN_CONF_TABLE_H
#define MAIN_CONF_TABLE_H

#include "base/conf.h"

extern const struct conf_group_type conf_groups[];	/* ends with a NULL name */

/* conf_kannel.c: known, without effect (yet). */
extern const struct conf_key kannel_core_keys[], kannel_smsbox_keys[], kannel_smsc_keys[],
    kannel_at_keys[], kannel_http_keys[], kannel_fake_keys[], kannel_other_smsc_keys[],
    kannel_modems_keys[], kannel_ppg_keys[], kannel_push_user_keys[], kannel_wapbox_keys[],
    kannel_service_keys[],
    kannel_smsbox_route_keys[], kannel_dlr_db_keys[], kannel_database_keys[],
    kannel_store_db_keys[];

#endif
