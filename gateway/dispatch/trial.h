/*
 * trial.h - what must be remembered of a message that was tried before
 *
 * Only messages with a former attempt have one: refused for now, thrown back by a link, or of
 * unknown outcome. The store keeps their evidence; this is what decides the next try.
 *
 * Owns: the records. Threads: the loop.
 */
#ifndef DISPATCH_TRIAL_H
#define DISPATCH_TRIAL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"

struct link;
struct trials;

struct trial {
	uint64_t	 id, key;
	struct trial	*next;		/* of a link's unknowns, or of free ones */
	struct link	*link;		/* of the last attempt; NULL: gone */
	wall_t		 first;		/* refusal that counted; 0: none yet */
	wall_t		 ready;		/* unknown: not again before */
	uint16_t	 attempt, reference, tries;
	uint16_t	 sender;	/* in doubt, and this node may still tell; STORE_NOBODY: none */
	bool		 evidence;	/* some segment was accepted, or may have been */
	bool		 duplicate;	/* ... so the next try may arrive twice */
};

struct trials	*trials_new(void);
void		 trials_free(struct trials **);
struct trial	*trials_get(const struct trials *, uint64_t id);	/* NULL: never tried */
struct trial	*trials_make(struct trials *, uint64_t id, uint64_t key);	/* or the one there is; NULL: no memory */
void		 trials_drop(struct trials *, uint64_t id);
void		 trials_forget_link(struct trials *, const struct link *);
void		 trials_each(struct trials *, void (*fn)(void *arg, struct trial *), void *arg);	/* fn may drop it */

#endif
