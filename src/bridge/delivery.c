/* bridge/delivery.c - rows of deliveries.
 *
 *	record: u8 form (1) | guid[16] | u8 flags | u8 state | be64 created | be32 attempts | be64 attempted | be64 next |
 *	    be32 duration | be16 status | [repo[32]] | three texts (event, action, error), each u8 n and bytes
 *	exchange: three texts, each be32 n and bytes
 */
#include "bridge/delivery.h"

#include "base/be.h"
#include "base/cursor.h"
#include "base/text.h"

#include <string.h>

#define FORM 1

enum row { RECORD, BODY, EXCHANGE };
enum { HAS_REPO = 1, REDELIVERY = 2, BY_HAND = 4 };

struct key {
	uint8_t b[17];
};

static struct guts_slice
key_of(struct key *k, enum row row, uint64_t hook, uint64_t number)
{
	k->b[0] = (uint8_t)row;
	guts_put_be64(k->b + 1, hook);
	guts_put_be64(k->b + 9, number);
	return guts_slice(k->b, sizeof k->b);
}

static struct guts_slice
prefix_of(struct key *k, enum row row, uint64_t hook)
{
	key_of(k, row, hook, 0);
	return guts_slice(k->b, 9);
}

const char *
guts_delivery_state_name(enum guts_delivery_state s)
{
	static const char *const names[] = { "pending", "delivered", "dead" };

	return names[s];
}

void
guts_delivery_guid_text(char out[GUTS_DELIVERY_GUID_SIZE], const uint8_t guid[16])
{
	static const uint8_t parts[] = { 4, 2, 2, 2, 6 };
	char *to = out;

	for (unsigned i = 0; i < sizeof parts; i++) {
		if (i)
			*to++ = '-';
		guts_hex_encode(to, guid, parts[i]);
		to += 2 * parts[i];
		guid += parts[i];
	}
}

/* -- writing ---------------------------------------------------------------------------------- */

static void
add_text(struct guts_buf *out, const char *s)
{
	guts_buf_add_u8(out, (uint8_t)strlen(s));
	guts_buf_add_str(out, s);
}

static void
put_waiting(struct guts_batch *b, const struct guts_delivery *d)
{
	uint8_t key[8], value[17];

	guts_put_be64(key, d->number);
	if (d->state != GUTS_DELIVERY_PENDING) {
		guts_batch_del(b, GUTS_TABLE_OUTBOX, guts_slice(key, sizeof key));
		return;
	}
	guts_put_be64(value, d->hook);
	guts_put_be64(value + 8, d->next_ms);
	value[16] = d->by_hand;
	guts_batch_put(b, GUTS_TABLE_OUTBOX, guts_slice(key, sizeof key), guts_slice(value, sizeof value));
}

void
guts_delivery_put(struct guts_batch *b, const struct guts_delivery *d)
{
	struct guts_buf v;
	struct key k;

	guts_buf_init(&v, 1024);
	guts_buf_add_u8(&v, FORM);
	guts_buf_add(&v, d->guid, sizeof d->guid);
	guts_buf_add_u8(&v, (uint8_t)((d->has_repo ? HAS_REPO : 0) | (d->is_redelivery ? REDELIVERY : 0) |
	    (d->by_hand ? BY_HAND : 0)));
	guts_buf_add_u8(&v, (uint8_t)d->state);
	guts_buf_add_be64(&v, d->created_ms);
	guts_buf_add_be32(&v, d->attempts);
	guts_buf_add_be64(&v, d->attempted_ms);
	guts_buf_add_be64(&v, d->next_ms);
	guts_buf_add_be32(&v, d->duration_ms);
	guts_buf_add_be16(&v, d->status);
	if (d->has_repo)
		guts_buf_add(&v, d->repo, sizeof d->repo);
	add_text(&v, d->event);
	add_text(&v, d->action);
	add_text(&v, d->error);
	guts_batch_put(b, GUTS_TABLE_DELIVERY, key_of(&k, RECORD, d->hook, d->number), guts_buf_slice(&v));
	guts_buf_deinit(&v);
	put_waiting(b, d);
}

void
guts_delivery_put_body(struct guts_batch *b, const struct guts_delivery *d, struct guts_slice body)
{
	struct key k;

	guts_batch_put(b, GUTS_TABLE_DELIVERY, key_of(&k, BODY, d->hook, d->number), body);
}

void
guts_delivery_put_exchange(struct guts_batch *b, const struct guts_delivery *d, const struct guts_exchange *x)
{
	const struct guts_slice *texts[] = { &x->request_headers, &x->response_headers, &x->answer };
	struct guts_buf v;
	struct key k;

	guts_buf_init(&v, GUTS_STORE_VALUE_MAX);
	for (size_t i = 0; i < 3; i++) {
		guts_buf_add_be32(&v, (uint32_t)texts[i]->n);
		guts_buf_add_slice(&v, *texts[i]);
	}
	guts_batch_put(b, GUTS_TABLE_DELIVERY, key_of(&k, EXCHANGE, d->hook, d->number), guts_buf_slice(&v));
	guts_buf_deinit(&v);
}

void
guts_delivery_remove(struct guts_batch *b, uint64_t hook, uint64_t number)
{
	struct key k;

	for (enum row row = RECORD; row <= EXCHANGE; row++)
		guts_batch_del(b, GUTS_TABLE_DELIVERY, key_of(&k, row, hook, number));
}

void
guts_delivery_remove_all(struct guts_batch *b, uint64_t hook)
{
	struct key k;

	for (enum row row = RECORD; row <= EXCHANGE; row++)
		guts_batch_del_prefix(b, GUTS_TABLE_DELIVERY, prefix_of(&k, row, hook));
}

/* -- reading ---------------------------------------------------------------------------------- */

static void
take_text(struct guts_cursor *c, char *to, size_t size)
{
	struct guts_slice s = guts_cursor_bytes(c, guts_cursor_u8(c));

	if (s.n >= size)
		guts_cursor_fail(c);
	else if (s.n)
		memcpy(to, s.p, s.n);
}

static int
decode(struct guts_delivery *d, uint64_t hook, uint64_t number, struct guts_slice value)
{
	struct guts_cursor c;
	struct guts_slice s;
	uint8_t flags;

	*d = (struct guts_delivery){ .hook = hook, .number = number };
	guts_cursor_init(&c, value);
	if (guts_cursor_u8(&c) != FORM)
		return GUTS_EPROTO;
	if ((s = guts_cursor_bytes(&c, sizeof d->guid)).n)
		memcpy(d->guid, s.p, s.n);
	flags = guts_cursor_u8(&c);
	d->has_repo = flags & HAS_REPO;
	d->is_redelivery = flags & REDELIVERY;
	d->by_hand = flags & BY_HAND;
	d->state = guts_cursor_u8(&c);
	d->created_ms = guts_cursor_be64(&c);
	d->attempts = guts_cursor_be32(&c);
	d->attempted_ms = guts_cursor_be64(&c);
	d->next_ms = guts_cursor_be64(&c);
	d->duration_ms = guts_cursor_be32(&c);
	d->status = guts_cursor_be16(&c);
	if (d->has_repo && (s = guts_cursor_bytes(&c, sizeof d->repo)).n)
		memcpy(d->repo, s.p, s.n);
	take_text(&c, d->event, sizeof d->event);
	take_text(&c, d->action, sizeof d->action);
	take_text(&c, d->error, sizeof d->error);
	return guts_cursor_done(&c) && d->state <= GUTS_DELIVERY_DEAD ? GUTS_OK : GUTS_EPROTO;
}

int
guts_delivery_get(struct guts_store *s, uint64_t hook, uint64_t number, struct guts_delivery *d)
{
	struct guts_buf v;
	struct key k;
	int err;

	guts_buf_init(&v, GUTS_STORE_VALUE_MAX);
	err = guts_store_get(s, GUTS_TABLE_DELIVERY, key_of(&k, RECORD, hook, number), &v);
	if (!err)
		err = decode(d, hook, number, guts_buf_slice(&v));
	guts_buf_deinit(&v);
	return err;
}

int
guts_delivery_body(struct guts_store *s, uint64_t hook, uint64_t number, struct guts_buf *out)
{
	struct key k;

	return guts_store_get(s, GUTS_TABLE_DELIVERY, key_of(&k, BODY, hook, number), out);
}

int
guts_delivery_exchange(struct guts_store *s, uint64_t hook, uint64_t number, struct guts_buf *mem,
    struct guts_exchange *x)
{
	struct guts_slice *texts[] = { &x->request_headers, &x->response_headers, &x->answer };
	struct guts_cursor c;
	struct key k;
	int err = guts_store_get(s, GUTS_TABLE_DELIVERY, key_of(&k, EXCHANGE, hook, number), mem);

	if (err)
		return err;
	guts_cursor_init(&c, guts_buf_slice(mem));
	for (size_t i = 0; i < 3; i++)
		*texts[i] = guts_cursor_bytes(&c, guts_cursor_be32(&c));
	return guts_cursor_done(&c) ? GUTS_OK : GUTS_EPROTO;
}

struct walk {
	bool (*row)(void *owner, const struct guts_delivery *d);
	void (*waiting)(void *owner, uint64_t number, uint64_t hook, uint64_t next_ms, bool by_hand);
	void *owner;
};

static bool
on_record(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct walk *w = owner;
	struct guts_delivery d;

	if (key.n != sizeof(struct key) || decode(&d, guts_be64(key.p + 1), guts_be64(key.p + 9), value))
		return true;
	return w->row(w->owner, &d);
}

int
guts_delivery_each(struct guts_store *s, uint64_t hook, bool (*row)(void *owner, const struct guts_delivery *d),
    void *owner)
{
	struct walk w = { .row = row, .owner = owner };
	struct key k;

	return guts_store_scan(s, GUTS_TABLE_DELIVERY, prefix_of(&k, RECORD, hook), guts_slice(NULL, 0), on_record, &w);
}

static bool
on_waiting(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct walk *w = owner;

	if (key.n == 8 && value.n == 17)
		w->waiting(w->owner, guts_be64(key.p), guts_be64(value.p), guts_be64(value.p + 8), value.p[16]);
	return true;
}

int
guts_outbox_each(struct guts_store *s,
    void (*row)(void *owner, uint64_t number, uint64_t hook, uint64_t next_ms, bool by_hand), void *owner)
{
	struct walk w = { .waiting = row, .owner = owner };

	return guts_store_scan(s, GUTS_TABLE_OUTBOX, guts_slice(NULL, 0), guts_slice(NULL, 0), on_waiting, &w);
}
