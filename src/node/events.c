/* node/events.c - facts and signals on their way to the listeners.
 *
 * Facts are told by number once they are committed.  Signals of one type and subject are spaced by 100 ms: one that
 * comes too early replaces the one that waits, and the last always goes out.
 */
#include "node/internal.h"

#include "base/alloc.h"

#include <stdlib.h>

struct guts_subject {
	uint8_t key[32];          /* SHA-256 of type and subject */
	uint64_t next_ns;         /* not before */
	bool waits;
	struct guts_signal signal; /* owned copies */
	UT_hash_handle hh;
};

struct guts_fact_attr
guts_node_attr(const char *name, const char *text)
{
	return (struct guts_fact_attr){ .name = name, .text = guts_slice_str(text) };
}

struct guts_fact_attr
guts_node_attr_num(const char *name, uint64_t v)
{
	return (struct guts_fact_attr){ .name = name, .is_number = true, .number = v };
}

bool
guts_event_type_fits(const char *pattern, const char *type)
{
	size_t n = strlen(pattern);

	if (n && pattern[n - 1] == '*')
		return strncmp(pattern, type, n - 1) == 0;
	return strcmp(pattern, type) == 0;
}

bool
guts_event_needs_admin(const char *type)
{
	static const char *const patterns[] = { "token.*", "config.*", "log.*", "hook.*", "audit.*", "sink.*" };
	bool needs = false;

	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0] && !needs; i++)
		needs = guts_event_type_fits(patterns[i], type);
	return needs;
}

void
guts_node_listen(struct guts_node *n, struct guts_node_listener *l)
{
	LL_PREPEND(n->listeners, l);
}

void
guts_node_unlisten(struct guts_node *n, struct guts_node_listener *l)
{
	LL_DELETE(n->listeners, l);
}

void
guts_events_facts(struct guts_node *n, uint64_t first, uint64_t last)
{
	struct guts_node_listener *l, *tmp;

	if (!first)
		return;
	guts_snapshot_dirty(n);
	guts_node_snapshot_flush(n); /* who reads after a fact was told finds what it says */
	LL_FOREACH_SAFE (n->listeners, l, tmp) {
		if (l->facts)
			l->facts(l->owner, first, last);
	}
}

void
guts_node_announce(struct guts_node *n, uint64_t first, uint64_t last)
{
	guts_events_facts(n, first, last);
}

static void
emit(struct guts_node *n, const struct guts_signal *s)
{
	struct guts_node_listener *l, *tmp;

	LL_FOREACH_SAFE (n->listeners, l, tmp) {
		if (l->signal)
			l->signal(l->owner, s);
	}
}

static void
signal_clear(struct guts_signal *s)
{
	free((void *)(uintptr_t)s->repo.p);
	free((void *)(uintptr_t)s->peer.p);
	free((void *)(uintptr_t)s->topic);
	for (size_t i = 0; i < s->n; i++) {
		if (!s->attr[i].is_number)
			free((void *)(uintptr_t)s->attr[i].text.p);
	}
	*s = (struct guts_signal){ 0 };
}

static struct guts_slice
dup_slice(struct guts_slice s)
{
	return guts_slice(guts_memdup(s.p, s.n), s.n);
}

static void
signal_copy(struct guts_signal *to, const struct guts_signal *from)
{
	*to = *from; /* type and attribute names are constants */
	to->repo = dup_slice(from->repo);
	to->peer = dup_slice(from->peer);
	to->topic = guts_strdup(from->topic);
	for (size_t i = 0; i < from->n; i++) {
		if (!from->attr[i].is_number)
			to->attr[i].text = dup_slice(from->attr[i].text);
	}
}

static void
subject_free(struct guts_node *n, struct guts_subject *x)
{
	HASH_DEL(n->subjects, x);
	if (x->waits)
		signal_clear(&x->signal);
	free(x);
}

static void
on_signal_timer(struct guts_timer *t, void *owner)
{
	struct guts_node *n = owner;
	struct guts_subject *x, *tmp;
	uint64_t now = guts_env_now(n->env), at = GUTS_NEVER;

	(void)t;
	HASH_ITER (hh, n->subjects, x, tmp) {
		if (x->next_ns > now) {
			if (x->next_ns < at)
				at = x->next_ns;
			continue;
		}
		if (!x->waits) { /* quiet for 100 ms */
			subject_free(n, x);
			continue;
		}
		emit(n, &x->signal);
		signal_clear(&x->signal);
		x->waits = false;
		x->next_ns = now + GUTS_SNAPSHOT_NS;
		if (x->next_ns < at)
			at = x->next_ns;
	}
	guts_env_timer_set(n->env, &n->signal_timer, at);
}

void
guts_events_signal(struct guts_node *n, const struct guts_signal *s, bool coalesce)
{
	struct guts_sha256_ctx c;
	struct guts_subject *x;
	uint8_t key[32];
	uint64_t now = guts_env_now(n->env);

	if (!n->listeners)
		return;
	if (!coalesce) {
		emit(n, s);
		return;
	}
	guts_sha256_begin(&c);
	guts_sha256_add(&c, guts_slice(s->type, strlen(s->type) + 1));
	guts_sha256_add(&c, s->repo);
	guts_sha256_add(&c, s->peer);
	guts_sha256_end(&c, key);
	HASH_FIND(hh, n->subjects, key, sizeof key, x);
	if (x && x->next_ns > now) {
		if (x->waits)
			signal_clear(&x->signal);
		signal_copy(&x->signal, s);
		x->waits = true;
		return;
	}
	if (x && x->waits) { /* its time has come, but this one is newer */
		signal_clear(&x->signal);
		x->waits = false;
	}
	emit(n, s);
	if (!x) {
		if (HASH_COUNT(n->subjects) >= GUTS_SUBJECTS_MAX)
			return;
		x = guts_alloc(sizeof *x);
		memcpy(x->key, key, sizeof x->key);
		HASH_ADD(hh, n->subjects, key, sizeof x->key, x);
	}
	x->next_ns = now + GUTS_SNAPSHOT_NS;
	n->signal_timer.fire = on_signal_timer;
	n->signal_timer.owner = n;
	if (n->subjects->hh.next == NULL || n->signal_timer.at_ns == GUTS_NEVER || n->signal_timer.at_ns == 0)
		guts_env_timer_set(n->env, &n->signal_timer, x->next_ns);
}

void
guts_node_signal(struct guts_node *n, const struct guts_signal *s)
{
	guts_events_signal(n, s, false);
}

void
guts_events_free(struct guts_node *n)
{
	struct guts_subject *x, *tmp;

	guts_env_timer_clear(n->env, &n->signal_timer);
	HASH_ITER (hh, n->subjects, x, tmp)
		subject_free(n, x);
}

static void
on_fact(void *owner, int err, uint64_t first, uint64_t last)
{
	if (!err)
		guts_events_facts(owner, first, last);
}

void
guts_node_fact(struct guts_node *n, const struct guts_fact *f)
{
	struct guts_batch *b = guts_batch_new();
	struct guts_fact copy = *f;

	if (!copy.wall_ns)
		copy.wall_ns = guts_env_wall(n->env);
	guts_batch_fact(b, &copy);
	(void)guts_store_commit(n->s.store, b, on_fact, n);
}

void
guts_node_peer_fact(struct guts_node *n, const char *type, const struct guts_peerid *peer,
    const struct guts_fact_attr *attrs, size_t nattrs)
{
	struct guts_fact f = { .type = type, .n = nattrs };

	if (peer)
		f.peer = guts_peerid_slice(peer);
	if (nattrs)
		memcpy(f.attr, attrs, nattrs * sizeof attrs[0]);
	guts_node_fact(n, &f);
}
