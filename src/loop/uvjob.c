/* loop/uvjob.c - the worker threads.
 *
 * libuv's own pool is left to name look-ups: a long job of libgit2 must not delay them.  A job
 * is linked by its own `impl` field, so queues cost nothing.  There is one queue per
 * job name; workers take from the queues in turn.  Names are few and constant, hence a small table
 * (jobs beyond it share its last queue).
 *
 * Finished jobs go back over one list that the loop empties in one go.
 */
#include "loop/uvenv_int.h"

#include "base/alloc.h"

#include <signal.h>
#include <stdlib.h>

#define KINDS_MAX 32

struct kind {
	const char *name;
	struct guts_job *head, *tail;
};

struct guts_workers {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct kind kind[KINDS_MAX];
	unsigned kinds, turn; /* `turn`: the kind that is asked first */
	size_t waiting;
	struct guts_job *done, *done_tail;
	void (*wake)(void *arg);
	void *wake_arg;
	bool stop;
	unsigned n;
	pthread_t thread[];
};

static void
append(struct guts_job **head, struct guts_job **tail, struct guts_job *j)
{
	j->impl = NULL;
	if (*head)
		(*tail)->impl = j;
	else
		*head = j;
	*tail = j;
}

static struct kind *
kind_of(struct guts_workers *w, const char *name)
{
	for (unsigned i = 0; i < w->kinds; i++)
		if (w->kind[i].name == name || strcmp(w->kind[i].name, name) == 0)
			return &w->kind[i];
	if (w->kinds < KINDS_MAX)
		w->kind[w->kinds++].name = name;
	return &w->kind[w->kinds - 1];
}

/* The next job, its kind's turn is over; there is one. */
static struct guts_job *
take(struct guts_workers *w)
{
	struct kind *k = &w->kind[w->turn % w->kinds];

	while (!k->head)
		k = &w->kind[++w->turn % w->kinds];
	w->turn = (unsigned)(k - w->kind) + 1;
	w->waiting--;

	struct guts_job *j = k->head;
	k->head = j->impl;
	return j;
}

static void *
work(void *arg)
{
	struct guts_workers *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->stop && !w->waiting)
			pthread_cond_wait(&w->work, &w->lock);
		if (w->stop)
			break;

		struct guts_job *j = take(w);
		pthread_mutex_unlock(&w->lock);
		j->run(j);
		pthread_mutex_lock(&w->lock);

		bool first = !w->done;
		append(&w->done, &w->done_tail, j);
		if (first)
			w->wake(w->wake_arg);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int
guts_workers_new(unsigned n, void (*wake)(void *arg), void *arg, struct guts_workers **out)
{
	struct guts_workers *w = guts_alloc(sizeof *w + n * sizeof w->thread[0]);
	sigset_t all, before;

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	w->wake = wake;
	w->wake_arg = arg;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (w->n < n && pthread_create(&w->thread[w->n], NULL, work, w) == 0)
		w->n++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);

	if (w->n == 0) {
		guts_workers_free(w);
		return GUTS_EIO;
	}
	*out = w;
	return 0;
}

void
guts_workers_submit(struct guts_workers *w, struct guts_job *j)
{
	pthread_mutex_lock(&w->lock);
	struct kind *k = kind_of(w, j->name ? j->name : "");
	append(&k->head, &k->tail, j);
	w->waiting++;
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

void
guts_workers_reap(struct guts_workers *w)
{
	pthread_mutex_lock(&w->lock);
	struct guts_job *j = w->done;
	w->done = NULL;
	pthread_mutex_unlock(&w->lock);

	while (j) {
		struct guts_job *next = j->impl;

		j->impl = NULL;
		j->done(j, j->owner);
		j = next;
	}
}

void
guts_workers_stop(struct guts_workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->n; i++)
		pthread_join(w->thread[i], NULL);
	w->n = 0;
}

void
guts_workers_free(struct guts_workers *w)
{
	if (!w)
		return;
	guts_workers_stop(w);
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
