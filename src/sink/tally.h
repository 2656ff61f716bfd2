/* sink/tally.h - what a broker has answered so far, told by the client library's threads, awaited by the sender's.
 *
 * All functions may be called on any thread.
 */
#ifndef GUTS_SINK_TALLY_H
#define GUTS_SINK_TALLY_H

#include "base/err.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define GUTS_TALLY_MAX 64 /* messages under way */

struct guts_tally {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_up, is_broken, is_stopping;
	size_t n, nanswered;                  /* messages of this round */
	uint8_t answer[GUTS_TALLY_MAX];       /* of each: enum guts_tally_answer */
	char error[200];                      /* of the connection, or the first refusal */
};

void guts_tally_init(struct guts_tally *t);
void guts_tally_deinit(struct guts_tally *t);

/* A new connection is tried: forget the last one's end.  Also at its end, when nobody tells any more. */
void guts_tally_reset(struct guts_tally *t);
/* It is up; it is over, or never came up, and why. */
void guts_tally_up(struct guts_tally *t);
void guts_tally_break(struct guts_tally *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* `n` messages are about to be sent; message `i` was taken (error NULL) or refused.  A message answered twice counts once. */
void guts_tally_begin(struct guts_tally *t, size_t n);
void guts_tally_answer(struct guts_tally *t, size_t i, const char *error);

/* End all waiting, now and later. */
void guts_tally_stop(struct guts_tally *t);

/* Wait for the connection to be up; for all answers.  *taken = how many messages from the first on were taken without a gap.
 * Errors, with text: GUTS_ECLOSED the connection is over, GUTS_ETIMEOUT, GUTS_EDENIED a message was refused, GUTS_ECANCELED
 * stopping. */
int guts_tally_wait_up(struct guts_tally *t, unsigned seconds, struct guts_errinfo *ei);
int guts_tally_wait(struct guts_tally *t, unsigned seconds, size_t *taken, struct guts_errinfo *ei);

#endif
