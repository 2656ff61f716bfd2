/* node/addresses.c - the address book as values for those who show it. */
#include "node/internal.h"

#include "base/alloc.h"

#include <stdlib.h>

static void
fill(struct guts_node *n, struct guts_address_info *out, const struct guts_book_entry *e)
{
	out->cursor = e->cursor;
	guts_peerid_text(out->id_text, &e->id);
	out->teller_text[0] = '\0';
	if (e->source.teller.n)
		guts_peerid_text(out->teller_text, &e->source.teller);
	out->source = guts_book_via_name(e->source.via);
	out->is_tried = e->is_tried;
	out->is_connected = guts_peers_is_connected(n->peers, &e->id);
	out->is_anchor = guts_peers_is_anchor(n->peers, &e->id);
	out->is_banned = guts_peers_is_banned(n->peers, &e->id);
	out->seen_wall_ms = e->seen_wall_ns / GUTS_MS_NS;
	out->worked_wall_ms = e->worked_wall_ns / GUTS_MS_NS;
	out->failed_wall_ms = e->tried_wall_ns / GUTS_MS_NS;
	out->failures = e->failures;
	out->naddrs = e->n_addrs;
	for (size_t i = 0; i < e->n_addrs; i++) {
		struct guts_netgroup g = guts_netgroup_of(&e->addrs[i].at);

		guts_maddr_text(out->addrs[i].text, &e->addrs[i].at);
		guts_netgroup_text(out->addrs[i].netgroup, &g);
		out->addrs[i].source = guts_book_via_name(e->addrs[i].via);
		out->addrs[i].heard_wall_ms = e->addrs[i].heard_wall_ns / GUTS_MS_NS;
		out->addrs[i].failures = e->addrs[i].failures;
	}
}

static bool
fits(const struct guts_address_query *q, const struct guts_address_info *a)
{
	if (q->table && strcmp(q->table, a->is_tried ? "tried" : "new") != 0)
		return false;
	if (q->source && strcmp(q->source, a->source) != 0)
		return false;
	if (!q->text || strstr(a->id_text, q->text))
		return true;
	for (size_t i = 0; i < a->naddrs; i++)
		if (strstr(a->addrs[i].text, q->text) || strcmp(a->addrs[i].netgroup, q->text) == 0)
			return true;
	return false;
}

void
guts_node_addresses(struct guts_node *n, const struct guts_address_query *q,
    bool (*row)(void *owner, const struct guts_address_info *a), void *owner)
{
	struct guts_address_info *a = guts_alloc(sizeof *a);
	struct guts_book *book = guts_peers_book(n->peers);
	const struct guts_book_entry *e;
	const void *it = NULL;
	size_t left = q->max;

	while (left > 0 && (e = guts_book_next(book, &it)) != NULL) {
		if (e->cursor <= q->after)
			continue;
		fill(n, a, e);
		if (!fits(q, a))
			continue;
		left--;
		if (!row(owner, a))
			break;
	}
	free(a);
}
