/* discover/kadserve.c - answers to requests of others.
 *
 * A stranger is told only contacts that answered us, and of their addresses those it can use.  What
 * it wants us to keep is checked first: it can only speak for itself as a provider, and a value
 * must prove itself.  An answer is cut to GUTS_KAD_MESSAGE_MAX by leaving out the furthest peers.
 */
#include "base/text.h"
#include "discover/kad_int.h"

/* One request while it is answered. */
struct serving {
	struct guts_kad *k;
	const struct kad_peer *from;
	const struct guts_kad_message *m;
	struct guts_kad_message answer;
	struct guts_arena arena; /* of the answer */
};

static void
add_peer(struct serving *s, struct guts_kad_peers *list, const struct guts_peerid *id,
	 const struct kad_addrs *addrs, bool is_connected)
{
	struct guts_kad_peer *p = &list->v[list->n];

	p->addrs = kad_addrs_list(s->k, addrs, s->from->reach, &s->arena);
	if (p->addrs.n == 0)
		return;
	p->id = guts_peerid_slice(id);
	p->connection = is_connected ? GUTS_KAD_CONNECTED : GUTS_KAD_NOT_CONNECTED;
	list->n++;
}

static const struct kad_addrs *
best_addrs(const struct guts_kad *k, const struct guts_peerid *id, const struct kad_addrs *known)
{
	const struct kad_peer *p = kad_peer_find(k, id);

	return p && p->addrs.n ? &p->addrs : known;
}

static void
add_closer(struct serving *s)
{
	struct guts_kad *k = s->k;
	struct kad_contact *near[GUTS_KAD_K];
	struct kad_place place;
	size_t n;

	kad_place_of(&place, s->m->key);
	n = kad_table_closest(k, &place, false, &s->from->id, near, GUTS_KAD_K);
	s->answer.closer.v =
		guts_arena_alloc(&s->arena, (GUTS_KAD_K + 1) * sizeof *s->answer.closer.v);
	for (size_t i = 0; i < n; i++)
		add_peer(s, &s->answer.closer, &near[i]->id,
			 best_addrs(k, &near[i]->id, &near[i]->addrs), near[i]->is_connected);
}

/* The peer that is looked for, if it is us or linked to us: a client is in no table. */
static void
add_target(struct serving *s)
{
	struct guts_kad_peers *list = &s->answer.closer;
	const struct kad_peer *p;
	struct guts_peerid id;

	if (guts_peerid_decode(&id, s->m->key))
		return;
	for (size_t i = 0; i < list->n; i++)
		if (guts_slice_eq(list->v[i].id, guts_peerid_slice(&id)))
			return;
	p = kad_peer_find(s->k, &id);
	if (guts_peerid_eq(&id, &s->k->self))
		add_peer(s, list, &s->k->self, &s->k->addrs, true);
	else if (p && !guts_peerid_eq(&id, &s->from->id))
		add_peer(s, list, &p->id, &p->addrs, true);
}

static void
add_providers(struct serving *s)
{
	struct guts_kad *k = s->k;
	struct guts_kad_peers *list = &s->answer.providers;
	const struct kad_provided *key = kad_store_provided(k, s->m->key);
	const struct kad_provider *p;

	list->v = guts_arena_alloc(&s->arena, (GUTS_KAD_K + 1) * sizeof *list->v);
	if (kad_publish_find(k, s->m->key))
		add_peer(s, list, &k->self, &k->addrs, true);
	if (!key)
		return;
	for (p = key->providers->prev; list->n < GUTS_KAD_K; p = p->prev) { /* newest first */
		const struct kad_addrs *a = best_addrs(k, &p->holder->id, &p->addrs);

		if ((a != &p->addrs || k->now < p->added_ns + k->cfg.address_ttl_ns) &&
		    !guts_peerid_eq(&p->holder->id, &s->from->id))
			add_peer(s, list, &p->holder->id, a, a != &p->addrs);
		if (p == key->providers)
			break;
	}
}

static int
add_value(struct serving *s, struct guts_buf *own)
{
	struct guts_kad_record *r = &s->answer.record;
	const struct kad_value *v = kad_store_get(s->k, s->m->key);
	uint64_t wall = s->k->wall_ns;
	char *time;

	if (!kad_key_is_value(s->m->key))
		return GUTS_EUNSUPPORTED;
	if (kad_publish_value(s->k, s->m->key, own) == 0) {
		r->value = guts_buf_slice(own);
	} else if (v) {
		r->value = guts_slice(v->value, v->value_n);
		wall = v->added_wall_ns;
	} else {
		return GUTS_OK;
	}
	time = guts_arena_alloc(&s->arena, 32);
	guts_text_time(time, wall);
	r->key = s->m->key;
	r->time_received = guts_slice_str(time);
	s->answer.has_record = true;
	return GUTS_OK;
}

/* Each provider that is named must be the sender. */
static int
take_provider(struct serving *s)
{
	struct guts_kad *k = s->k;
	struct kad_addrs addrs = {0};
	int err = GUTS_EPROTO;

	if (!kad_key_is_provider(s->m->key))
		return GUTS_EUNSUPPORTED;
	for (size_t i = 0; i < s->m->providers.n; i++) {
		const struct guts_kad_peer *p = &s->m->providers.v[i];

		if (!guts_slice_eq(p->id, guts_peerid_slice(&s->from->id)))
			return GUTS_EDENIED;
		kad_addrs_copy(&addrs, &s->from->addrs);
		kad_addrs_take(k, &addrs, &p->addrs, s->from->reach);
		err = kad_store_provider(k, s->m->key, &s->from->id, &addrs);
		kad_addrs_free(&addrs);
		if (err)
			break;
	}
	return err;
}

static int
take_value(struct serving *s)
{
	int err;

	if (!s->m->has_record || !guts_slice_eq(s->m->record.key, s->m->key))
		return GUTS_EPROTO;
	err = kad_store_value(s->k, s->m->key, s->m->record.value, &s->from->id);
	if (err)
		return err;
	s->answer.has_record = true;
	s->answer.record = s->m->record;
	return GUTS_OK;
}

/* Fill in the answer; *is_answered: there is one. */
static int
handle(struct serving *s, struct guts_buf *own, bool *is_answered)
{
	int err = GUTS_OK;

	*is_answered = s->m->type != GUTS_KAD_ADD_PROVIDER;
	switch (s->m->type) {
	case GUTS_KAD_PUT_VALUE: return take_value(s);
	case GUTS_KAD_ADD_PROVIDER: return take_provider(s);
	case GUTS_KAD_PING: return GUTS_OK;
	case GUTS_KAD_GET_VALUE: err = add_value(s, own); break;
	case GUTS_KAD_GET_PROVIDERS:
		if (!kad_key_is_provider(s->m->key))
			return GUTS_EUNSUPPORTED;
		add_providers(s);
		break;
	case GUTS_KAD_FIND_NODE: break;
	default: return GUTS_EUNSUPPORTED;
	}
	add_closer(s);
	if (s->m->type == GUTS_KAD_FIND_NODE)
		add_target(s);
	return err;
}

static int
respond(struct guts_kad *k, const struct kad_peer *from, const struct guts_kad_message *m,
	struct guts_buf *out)
{
	struct serving s = {.k = k,
			    .from = from,
			    .m = m,
			    .answer = {.type = m->type, .has_type = true, .key = m->key}};
	struct guts_buf own;
	bool is_answered;
	int err;

	guts_arena_init(&s.arena, KAD_ARENA_MAX);
	guts_buf_init(&own, GUTS_KAD_VALUE_MAX);
	err = handle(&s, &own, &is_answered);
	if (!err && is_answered) {
		while (s.answer.closer.n &&
		       guts_pb_size(&guts_kad_message_desc, &s.answer) > GUTS_KAD_MESSAGE_MAX)
			s.answer.closer.n--;
		err = kad_frame(out, &s.answer);
	}
	guts_buf_deinit(&own);
	guts_arena_deinit(&s.arena);
	return err;
}

/* Not this sender's fault. */
static bool
is_innocent(int err)
{
	return err == GUTS_EBUSY || err == GUTS_EUNSUPPORTED || err == GUTS_ESTALE ||
	       err == GUTS_ENOTFOUND;
}

int
guts_kad_serve(struct guts_kad *k, const struct guts_peerid *from, struct guts_slice message,
	       struct guts_buf *out, uint64_t wall_ns, uint64_t now)
{
	struct kad_peer *p = kad_peer_find(k, from);
	struct guts_kad_message m;
	struct guts_arena arena;
	int err;

	kad_enter(k, now);
	k->wall_ns = wall_ns;
	guts_arena_init(&arena, KAD_ARENA_MAX);
	if (!p)
		err = GUTS_ENOTFOUND;
	else if (!k->cfg.is_server)
		err = GUTS_EUNSUPPORTED;
	else if (!guts_ratelimit_take(&p->rate, 1, k->now))
		err = GUTS_EBUSY;
	else if (message.n > GUTS_KAD_RECV_MAX)
		err = GUTS_ELIMIT;
	else
		err = guts_pb_decode(&guts_kad_message_desc, message, &m, &arena);
	if (!err)
		err = respond(k, p, &m, out);
	if (!err)
		k->stats.served[m.type]++;
	else
		k->stats.refused++;
	if (err && !is_innocent(err))
		kad_blame(k, from, err, "request on the DHT");
	guts_arena_deinit(&arena);
	kad_leave(k);
	return err;
}
