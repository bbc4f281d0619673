/*
 * idmap.h - from a message's id to what is known of it in memory
 *
 * Threads: pure.
 */
#ifndef BASE_IDMAP_H
#define BASE_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct idmap {				/* zeroed: empty */
	struct idmap_slot *slots;
	size_t		 room, count;	/* room: 0 or a power of two */
};

void	*idmap_get(const struct idmap *, uint64_t id);		/* NULL: none */
int	 idmap_set(struct idmap *, uint64_t id, void *value);	/* id and value not 0; -1: no memory */
void	*idmap_cut(struct idmap *, uint64_t id);		/* takes it out; NULL: none */
void	 idmap_free(struct idmap *);				/* not the values */

#endif
