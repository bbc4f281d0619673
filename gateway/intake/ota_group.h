/*
 * ota_group.h - Kannel's ota-setting and ota-bookmark groups: documents kept in the configuration
 *
 * sendota's `otaid` names a group instead of bringing a document. A group becomes the XML of the
 * document that it stands for when the configuration is read, and then travels like any other.
 *
 * Threads: the loop. Rebuilt as a whole on reload.
 */
#ifndef INTAKE_OTA_GROUP_H
#define INTAKE_OTA_GROUP_H

#include "base/conf.h"
#include "base/text.h"

struct findings;
struct media;
struct ota_groups;

extern const struct conf_key ota_setting_keys[], ota_bookmark_keys[];

struct ota_groups *ota_groups_new(struct conf *, struct findings *);	/* NULL: errors among the findings */
void		 ota_groups_free(struct ota_groups **);
/* The document of the group with that ota-id (letter case counts); of an absent id the first
 * ota-setting, else the first ota-bookmark, as in Kannel. false: there is none (NULL: no groups at
 * all). The text lives as long as the groups; it may hold secrets. */
bool		 ota_groups_find(const struct ota_groups *, struct text ota_id,
		    const struct media **, struct text *xml);

#endif
