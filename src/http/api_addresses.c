/* http/api_addresses.c - the address book, read on the loop in pages by cursor. */
#include "base/alloc.h"
#include "http/api.h"
#include "view/view.h"

#include <stdlib.h>

#define TEXT_MAX 200 /* [bytes] of a filter */

struct addresses_call {
	struct guts_call c;
	struct guts_address_query q;
	char text[TEXT_MAX + 1], source[16], table[8];
	struct guts_buf body;
	struct guts_json j;
};

static bool
add_row(void *owner, const struct guts_address_info *a)
{
	guts_view_address(&((struct addresses_call *)owner)->j, a);
	return true;
}

static void
run(struct guts_call *c)
{
	struct addresses_call *a = (struct addresses_call *)c;

	guts_reply_begin(&a->body, &a->j);
	guts_json_array(&a->j);
	guts_node_addresses(c->h->node, &a->q, add_row, a);
	guts_json_array_end(&a->j);
	guts_call_done(c, 0, NULL);
}

static void
answer(struct guts_req *r, struct guts_call *c)
{
	struct addresses_call *a = (struct addresses_call *)c;

	guts_reply_json(r, 200, &a->body, NULL);
}

static void
destroy(struct guts_call *c)
{
	guts_buf_deinit(&((struct addresses_call *)c)->body);
}

/* A text parameter: NULL if it is not there; false (and a 400 was queued) if it is too long. */
static bool
take(struct guts_req *r, const char *key, char *out, size_t size, const char **value)
{
	struct guts_slice s = guts_target_query(&r->target, key);

	*value = NULL;
	if (s.n == 0)
		return true;
	if (s.n >= size) {
		guts_reply_problem(r, 400, "%s is too long", key);
		return false;
	}
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	*value = out;
	return true;
}

void
guts_rest_addresses(struct guts_req *r)
{
	uint64_t after, limit;
	struct addresses_call *a;

	if (!guts_req_number(r, "after", 0, INT64_MAX, 0, &after) || !guts_req_number(r, "limit", 1, 1000, 100, &limit))
		return;
	a = guts_call_new(sizeof *a, run, answer, destroy);
	a->q.after = after;
	a->q.max = (size_t)limit;
	if (!take(r, "q", a->text, sizeof a->text, &a->q.text) || !take(r, "source", a->source, sizeof a->source, &a->q.source)
	    || !take(r, "table", a->table, sizeof a->table, &a->q.table)) {
		free(a);
		return;
	}
	guts_call_loop(r, &a->c);
}
