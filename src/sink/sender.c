/* sink/sender.c - the thread sleeps on the tally's condition, so that one lock has all that can wake it. */
#include "sink/sender.h"

#include "base/alloc.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct guts_sender {
	struct guts_env *env;
	const struct guts_sender_events *events;
	void *owner;
	struct guts_broker_setup setup;   /* its credentials are there only while it connects */
	const struct guts_broker_ops *ops;
	char *name;
	pthread_t thread;
	struct guts_tally tally;          /* its lock is that of all below, too */
	bool has_round, is_stopped;       /* is_stopped: on the loop */
	const struct guts_broker_message *v;
	size_t n;
	struct guts_broker *broker;       /* the thread's own */
	size_t taken;                     /* of the round that is over */
	int err;
	struct guts_errinfo ei;
	char why[sizeof((struct guts_tally){ 0 }.error)]; /* the connection was lost */
};

/* -- on the loop ---------------------------------------------------------------------------------- */

static void
tell_done(void *arg)
{
	struct guts_sender *s = arg;

	if (!s->is_stopped)
		s->events->done(s->owner, s->taken, s->err, &s->ei);
}

static void
tell_lost(void *arg)
{
	struct guts_sender *s = arg;
	char why[sizeof s->why];

	pthread_mutex_lock(&s->tally.lock);
	memcpy(why, s->why, sizeof why);
	pthread_mutex_unlock(&s->tally.lock);
	if (!s->is_stopped)
		s->events->lost(s->owner, why);
}

/* -- on the thread ------------------------------------------------------------------------------------ */

static void
hang_up(struct guts_sender *s)
{
	if (s->broker)
		s->ops->close(s->broker);
	s->broker = NULL;
	guts_tally_reset(&s->tally);
}

static void
run_round(struct guts_sender *s)
{
	s->taken = 0;
	s->err = GUTS_OK;
	if (!s->broker) {
		s->err = guts_broker_secret_read(&s->setup.url, &s->setup.user, s->setup.files, &s->ei);
		if (!s->err)
			s->err = s->ops->open(&s->broker, &s->setup, &s->ei);
		guts_broker_secret_wipe(&s->setup.url, &s->setup.user);
	}
	if (!s->err && s->n)
		s->err = s->ops->publish(s->broker, s->v, s->n, &s->taken, &s->ei);
	if (s->err)
		hang_up(s);
}

/* Under the lock. */
static void
take_loss(struct guts_sender *s)
{
	memcpy(s->why, s->tally.error, sizeof s->why);
	pthread_mutex_unlock(&s->tally.lock);
	hang_up(s);
	guts_env_post(s->env, tell_lost, s);
	pthread_mutex_lock(&s->tally.lock);
}

static void *
work(void *arg)
{
	struct guts_sender *s = arg;

	pthread_mutex_lock(&s->tally.lock);
	while (!s->tally.is_stopping) {
		if (s->has_round) {
			pthread_mutex_unlock(&s->tally.lock);
			run_round(s);
			pthread_mutex_lock(&s->tally.lock);
			s->has_round = false;
			guts_env_post(s->env, tell_done, s);
		} else if (s->broker && s->tally.is_broken) {
			take_loss(s);
		} else {
			pthread_cond_wait(&s->tally.changed, &s->tally.lock);
		}
	}
	pthread_mutex_unlock(&s->tally.lock);
	hang_up(s);
	return NULL;
}

/* -- life -------------------------------------------------------------------------------------------------- */

int
guts_sender_new(struct guts_sender **out, const struct guts_sender_setup *given)
{
	struct guts_sender *s = guts_alloc(sizeof *s);
	sigset_t all, before;
	int failed;

	s->env = given->env;
	s->events = given->events;
	s->owner = given->owner;
	s->ops = given->ops;
	s->name = guts_strdup(given->name);
	s->setup = (struct guts_broker_setup){ .url = given->url, .files = given->files, .name = s->name, .tally = &s->tally };
	guts_tally_init(&s->tally);
	/* the libraries' threads inherit it */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&s->thread, NULL, work, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed) {
		s->is_stopped = true;
		s->thread = 0;
		guts_sender_free(s);
		return GUTS_EIO;
	}
	*out = s;
	return GUTS_OK;
}

void
guts_sender_round(struct guts_sender *s, const struct guts_broker_message *v, size_t n)
{
	pthread_mutex_lock(&s->tally.lock);
	s->v = v;
	s->n = n;
	s->has_round = true;
	pthread_cond_broadcast(&s->tally.changed);
	pthread_mutex_unlock(&s->tally.lock);
}

void
guts_sender_stop(struct guts_sender *s)
{
	s->is_stopped = true;
	guts_tally_stop(&s->tally);
}

void
guts_sender_free(struct guts_sender *s)
{
	if (!s)
		return;
	guts_sender_stop(s);
	if (s->thread)
		pthread_join(s->thread, NULL);
	guts_tally_deinit(&s->tally);
	free(s->name);
	free(s);
}
