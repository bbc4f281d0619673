/*
 * log.h - one line for one event, always with the same keys
 *
 *   2026-11-22T23:15:10.123Z info accepted id=0188… to=+4479… smsc=vf1 segments=3
 *
 * Lines of a message's life begin with the event's name and carry id= (the push-id).
 * Lines are collected and written once a turn of the loop (log_flush), at once when the
 * level is error or the buffer is full. Values that hold blanks, quotes or control characters are
 * quoted and escaped by log_value; secrets have no way in (struct secret has no format).
 *
 * Threads: any thread may log; the loop flushes.
 */
#ifndef IO_LOG_H
#define IO_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/text.h"

struct loop;

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR, LOG_LEVEL_PANIC };	/* Kannel's 0..4 */

/* stderr (path NULL) or a file; may be called again: SIGHUP reopens. */
int	log_open(const char *path, enum log_level, struct err *);
void	log_on_loop(struct loop *);	/* flush once a turn; NULL (before loop_free): every line at once */
void	log_set_level(enum log_level);
bool	log_wants(enum log_level);
void	log_flush(void);

__attribute__((format(printf, 2, 3)))
void	log_line(enum log_level, const char *fmt, ...);
#define log_debug(...)	(log_wants(LOG_LEVEL_DEBUG) ? log_line(LOG_LEVEL_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(...)	(log_wants(LOG_LEVEL_INFO) ? log_line(LOG_LEVEL_INFO, __VA_ARGS__) : (void)0)
#define log_warn(...)	(log_wants(LOG_LEVEL_WARNING) ? log_line(LOG_LEVEL_WARNING, __VA_ARGS__) : (void)0)
#define log_error(...)	log_line(LOG_LEVEL_ERROR, __VA_ARGS__)

/* An event in a message's life, level info: fields are pairs key, value (struct text),
 * ended by NULL; absent texts are left out. No printf on the hot path. */
struct log_field {
	const char	*key;
	struct text	 value;
};
void	log_event(const char *event, const char *push_id, const struct log_field *fields, unsigned count);

#endif
