/* http/api_badge.c - how a branch stands, as a picture for a README.
 *
 * The SVG holds shapes and text only, with no style, script or address, so it is inert wherever it is shown.
 */
#include "base/text.h"
#include "http/api.h"
#include "http/checks.h"
#include "view/view.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

#define LABEL_MAX 40     /* [characters] of a context that are shown */
#define CHAR_WIDTH 7     /* [px] of a letter at 11 px, about */

struct badge_call {
	struct guts_call c;
	struct guts_repo_info *info;
	struct guts_oid commit;              /* none = there is no such branch */
	char context[GUTS_CONTEXT_MAX + 1];  /* empty = all together */
	const char *state;                   /* answer: "success", "pending", "failure", "error", NULL */
};

static void
destroy_badge(struct guts_call *c)
{
	guts_repo_info_unref(((struct badge_call *)c)->info);
}

static void
run_badge(struct guts_call *c)
{
	struct badge_call *p = (struct badge_call *)c;
	struct guts_checks checks = { 0 };
	const struct guts_status *one;
	bool counts[1000];

	if (!guts_oid_is_none(&p->commit))
		c->err = guts_checks_of(c->h->store, p->info, &p->commit, &checks);
	one = guts_checks_find(&checks, p->context);
	if (p->context[0]) {
		p->state = one ? guts_status_state_name(one->state) : NULL;
	} else if (checks.n) {
		memset(counts, true, sizeof counts);
		p->state = guts_view_combined(checks.v, counts, checks.n < 1000 ? checks.n : 1000);
	}
	guts_checks_deinit(&checks);
}

/* At most LABEL_MAX characters, what XML reserves made harmless; returns how many were written. */
static size_t
add_label(struct guts_buf *b, const char *text)
{
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		bool begins = (*p & 0xc0) != 0x80;

		if (begins && n == LABEL_MAX)
			break;
		n += begins;
		if (*p == '<' || *p == '>' || *p == '&' || *p == '"' || *p == '\'')
			guts_buf_printf(b, "&#%u;", *p);
		else
			guts_buf_add_u8(b, *p);
	}
	return n;
}

static void
draw(struct guts_buf *b, const char *label, const char *word, const char *color)
{
	struct guts_buf text;
	size_t left, right = strlen(word) * CHAR_WIDTH + 10;

	guts_buf_init(&text, 4096);
	left = add_label(&text, label) * CHAR_WIDTH + 10;
	guts_buf_printf(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"20\" role=\"img\" aria-label=\"%s: %s\">",
	    left + right, guts_buf_cstr(&text), word);
	guts_buf_printf(b, "<title>%s: %s</title><rect width=\"%zu\" height=\"20\" rx=\"3\" fill=\"#555\"/>", guts_buf_cstr(&text), word,
	    left + right);
	guts_buf_printf(b, "<rect x=\"%zu\" width=\"%zu\" height=\"20\" rx=\"3\" fill=\"%s\"/>", left, right, color);
	guts_buf_printf(b, "<g fill=\"#fff\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\" text-anchor=\"middle\">"
	    "<text x=\"%zu\" y=\"14\" textLength=\"%zu\">%s</text><text x=\"%zu\" y=\"14\" textLength=\"%zu\">%s</text></g></svg>\n",
	    left / 2, left - 10, guts_buf_cstr(&text), left + right / 2, right - 10, word);
	guts_buf_deinit(&text);
}

static void
answer_badge(struct guts_req *r, struct guts_call *c)
{
	static const struct {
		const char *state, *word, *color;
	} looks[] = { { "success", "passing", "#2a7d2a" }, { "pending", "pending", "#8a6100" }, { "failure", "failing", "#b3261e" },
		{ "error", "error", "#b3261e" }, { NULL, "unknown", "#6e6e6e" } };
	struct badge_call *p = (struct badge_call *)c;
	char etag[96], hex[GUTS_OID_HEX_SIZE];
	const char *extra[] = { "Content-Type", "image/svg+xml; charset=utf-8", "ETag", etag, "Cache-Control",
		p->info->is_private ? "private, max-age=30" : "max-age=30", NULL };
	struct guts_buf b;
	size_t i = 0;

	while (looks[i].state && (!p->state || strcmp(looks[i].state, p->state) != 0))
		i++;
	guts_oid_hex(hex, &p->commit);
	snprintf(etag, sizeof etag, "\"badge-%.16s-%s\"", hex, looks[i].word);
	if (guts_reply_not_modified(r, etag))
		return;
	guts_buf_init(&b, 16384);
	draw(&b, p->context[0] ? p->context : "ci", looks[i].word, looks[i].color);
	guts_reply(r, 200, MHD_create_response_from_buffer(b.len, (void *)(uintptr_t)guts_buf_slice(&b).p, MHD_RESPMEM_MUST_COPY),
	    extra);
	guts_buf_deinit(&b);
}

void
guts_rest_badge(struct guts_req *r)
{
	struct guts_slice branch = guts_target_query(&r->target, "branch"), context = guts_target_query(&r->target, "context");
	struct guts_repo_info *info = guts_req_repo(r);
	char ref[GUTS_REFNAME_MAX + 1];
	const struct guts_refs_row *row;
	struct badge_call *p;

	if (!info)
		return;
	if (!guts_text_is_clean(context, false) || context.n > GUTS_CONTEXT_MAX) {
		guts_reply_problem(r, 400, "context: at most 100 bytes of plain text");
		guts_repo_info_unref(info);
		return;
	}
	if (!branch.n)
		branch = guts_slice_str(info->default_branch ? info->default_branch : "");
	p = guts_call_new(sizeof *p, run_badge, answer_badge, destroy_badge);
	p->info = info;
	snprintf(ref, sizeof ref, "refs/heads/%.*s", (int)branch.n, (const char *)branch.p);
	row = info->canonical ? guts_refs_view_find(info->canonical, guts_slice_str(ref)) : NULL;
	if (row)
		p->commit = row->oid;
	snprintf(p->context, sizeof p->context, "%.*s", (int)context.n, (const char *)context.p);
	guts_call_job(r, &p->c, "badge");
}
