/* base/log.h - one line per event on standard error: time, level, area, text with key=value.
 *
 * No keys, tokens or file contents.  Lines that a peer can cause at will go through
 * guts_log_limited.  Thread-safe.  A sink may be set to keep a tail or stream lines.
 */
#ifndef GUTS_BASE_LOG_H
#define GUTS_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum guts_log_level {
	GUTS_LOG_ERROR,
	GUTS_LOG_WARN,
	GUTS_LOG_NOTICE,
	GUTS_LOG_INFO,
	GUTS_LOG_DEBUG,
};

/* Lines above `level` are dropped; NOTICE at start. */
void guts_log_set_level(enum guts_log_level level);
enum guts_log_level guts_log_level(void);

/* Level by its name ("error" … "debug").  Errors: GUTS_EINVAL. */
int guts_log_level_parse(const char *name, enum guts_log_level *out);
const char *guts_log_level_name(enum guts_log_level level);

/* Called for each line that passes the level, under the log's lock; must not log.  NULL removes. */
void guts_log_set_sink(void (*sink)(void *owner, enum guts_log_level level, const char *area, const char *text),
    void *owner);

/* Write one line, from any thread: time, level, area (a folder of src/), text; control bytes become "?",
 * what is too long is cut. */
void guts_log(enum guts_log_level level, const char *area, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Like guts_log, at most 10 lines per second and call site's area; the number of dropped ones follows. */
void guts_log_limited(enum guts_log_level level, const char *area, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
