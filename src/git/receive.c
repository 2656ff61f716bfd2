/* git/receive.c - the receiving side of a push as a parser and a few writers.
 *
 * The head of the request is parsed frame by frame: at most one incomplete frame is kept.
 *
 *	COMMANDS ── flush ──► [OPTIONS ── flush ──►] DONE, the pack follows
 *
 * A command with a name that git or we would not take is kept, marked, and refused in the report, so that
 * the client reads the reason at that ref, as with git itself.
 */
#include "git/receive.h"

#include "base/alloc.h"
#include "base/text.h"
#include "git/pktline.h"

#include <stdlib.h>

#define ERROR_MAX 900u /* [bytes] of a reason in the report */

enum state { COMMANDS, OPTIONS, DONE, BROKEN };

struct guts_receive {
	struct guts_receive_request rq;
	enum state state;
	bool has_caps, wants_options;
	size_t cmds_cap;
	uint64_t bytes;         /* of the head so far */
	unsigned ignored;       /* shallow lines */
	struct guts_buf frame;  /* an incomplete frame */
};

struct guts_receive *
guts_receive_new(enum guts_object_format format)
{
	struct guts_receive *p = guts_alloc(sizeof(*p));

	p->rq.format = format;
	guts_buf_init(&p->frame, GUTS_PKT_MAX);
	return p;
}

void
guts_receive_free(struct guts_receive *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->rq.ncmds; i++)
		free((void *)(uintptr_t)p->rq.cmds[i].name);
	for (size_t i = 0; i < p->rq.noptions; i++)
		free(p->rq.options[i]);
	free(p->rq.cmds);
	guts_buf_deinit(&p->frame);
	free(p);
}

const struct guts_receive_request *
guts_receive_request(const struct guts_receive *p)
{
	return &p->rq;
}

/* -- the head of the request ------------------------------------------------------------- */

static int
broken(struct guts_receive *p, struct guts_errinfo *ei, int err, const char *text)
{
	p->state = BROKEN;
	return guts_err_set(ei, err, "push refused: %s", text);
}

static bool
starts_with(struct guts_slice s, const char *prefix, struct guts_slice *rest)
{
	size_t n = strlen(prefix);

	if (s.n < n || memcmp(s.p, prefix, n) != 0)
		return false;
	*rest = guts_slice(s.p + n, s.n - n);
	return true;
}

static int
take_cap(struct guts_receive *p, struct guts_slice cap, struct guts_errinfo *ei)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "report-status", &p->rq.report_status },
		{ "report-status-v2", &p->rq.report_status_v2 },
		{ "side-band-64k", &p->rq.side_band },
		{ "quiet", &p->rq.quiet },
		{ "atomic", &p->rq.atomic },
		{ "push-options", &p->wants_options },
	};
	struct guts_slice value;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (guts_slice_eq(cap, guts_slice_str(flags[i].name)))
			*flags[i].flag = true;
	if (starts_with(cap, "object-format=", &value) &&
	    !guts_slice_eq(value, guts_slice_str(p->rq.format == GUTS_SHA1 ? "sha1" : "sha256")))
		return broken(p, ei, GUTS_EUNSUPPORTED, "the repository has another object format");
	if (starts_with(cap, "agent=", &value) && value.n < sizeof(p->rq.agent) && guts_text_is_clean(value, false))
		memcpy(p->rq.agent, value.p, value.n);
	return GUTS_OK;
}

static int
take_caps(struct guts_receive *p, struct guts_slice caps, struct guts_errinfo *ei)
{
	p->has_caps = true;
	while (caps.n > 0) {
		const uint8_t *space = memchr(caps.p, ' ', caps.n);
		size_t n = space ? (size_t)(space - caps.p) : caps.n;
		int err = take_cap(p, guts_slice(caps.p, n), ei);

		if (err)
			return err;
		n += space != NULL;
		caps = guts_slice(caps.p + n, caps.n - n);
	}
	return GUTS_OK;
}

static int
take_command(struct guts_receive *p, struct guts_slice line, struct guts_errinfo *ei)
{
	const uint8_t *nul = line.n ? memchr(line.p, 0, line.n) : NULL;
	size_t hex = p->rq.format == GUTS_SHA1 ? 40 : 64;
	struct guts_receive_cmd cmd = { 0 };
	struct guts_slice name;
	int err;

	if (nul != NULL) {
		struct guts_slice caps = guts_slice(nul + 1, line.n - (size_t)(nul - line.p) - 1);

		if (p->has_caps)
			return broken(p, ei, GUTS_EPROTO, "a command with a NUL in it");
		err = take_caps(p, guts_pkt_chomp(caps), ei);
		if (err)
			return err;
		line.n = (size_t)(nul - line.p);
	}
	p->has_caps = true;
	line = guts_pkt_chomp(line);
	if (line.n < 2 * hex + 3 || line.p[hex] != ' ' || line.p[2 * hex + 1] != ' ' ||
	    guts_oid_from_hex(&cmd.old_oid, guts_slice(line.p, hex)) ||
	    guts_oid_from_hex(&cmd.new_oid, guts_slice(line.p + hex + 1, hex)))
		return broken(p, ei, GUTS_EPROTO, "a line that is no command");
	name = guts_slice(line.p + 2 * hex + 2, line.n - 2 * hex - 2);
	if (p->rq.ncmds >= GUTS_REFS_PER_PUSH_MAX)
		return broken(p, ei, GUTS_ELIMIT, "too many refs in one push");
	if (name.n > GUTS_REFNAME_MAX)
		return broken(p, ei, GUTS_ELIMIT, "a ref name that is too long");
	if (!guts_refname_is_valid(name))
		cmd.err = GUTS_EINVAL;
	cmd.name = guts_memdup(name.p, name.n);
	if (p->rq.ncmds == p->cmds_cap) {
		p->cmds_cap = p->cmds_cap ? p->cmds_cap * 2 : 4;
		p->rq.cmds = guts_realloc(p->rq.cmds, p->cmds_cap * sizeof(*p->rq.cmds));
	}
	p->rq.cmds[p->rq.ncmds++] = cmd;
	p->rq.has_pack |= !guts_oid_is_none(&cmd.new_oid);
	return GUTS_OK;
}

static int
take_option(struct guts_receive *p, struct guts_slice text, struct guts_errinfo *ei)
{
	if (p->rq.noptions == GUTS_RECEIVE_OPTIONS_MAX)
		return broken(p, ei, GUTS_ELIMIT, "too many push options");
	if (!guts_text_is_clean(text, false))
		return broken(p, ei, GUTS_EPROTO, "a push option that is not clean text");
	p->rq.options[p->rq.noptions++] = guts_memdup(text.p, text.n);
	return GUTS_OK;
}

static int
take_frame(struct guts_receive *p, enum guts_pkt_kind kind, struct guts_slice data, struct guts_errinfo *ei)
{
	struct guts_slice rest;

	if (kind == GUTS_PKT_FLUSH) {
		p->state = p->state == COMMANDS && p->wants_options && p->rq.ncmds > 0 ? OPTIONS : DONE;
		return GUTS_OK;
	}
	if (kind != GUTS_PKT_DATA)
		return broken(p, ei, GUTS_EPROTO, "a frame that has no place here");
	if (p->state == OPTIONS)
		return take_option(p, guts_pkt_chomp(data), ei);
	if (starts_with(data, "push-cert", &rest))
		return broken(p, ei, GUTS_EUNSUPPORTED, "signed pushes are not offered");
	if (starts_with(data, "shallow ", &rest)) {
		/* A shallow client: what it lacks must be here, which connectivity will show. */
		if (++p->ignored > GUTS_REFS_PER_PUSH_MAX)
			return broken(p, ei, GUTS_ELIMIT, "too many shallow lines");
		return GUTS_OK;
	}
	return take_command(p, data, ei);
}

/* Bytes that the frame begun earlier still lacks: first its length, then the rest; 0 = it makes no sense. */
static size_t
lacks(const struct guts_receive *p)
{
	struct guts_slice have = guts_buf_slice(&p->frame);
	uint8_t bytes[2];

	if (have.n < 4)
		return 4 - have.n;
	if (guts_hex_decode(bytes, 2, guts_slice(have.p, 4)))
		return 0;
	return ((size_t)bytes[0] << 8 | bytes[1]) - have.n;
}

/* Read one frame of what is kept and what came; *n tells how much of `in` it took.  GUTS_EAGAIN: all was kept. */
static int
next_frame(struct guts_receive *p, struct guts_slice in, enum guts_pkt_kind *kind, struct guts_slice *data, size_t *n)
{
	int err;

	if (p->frame.len == 0) {
		err = guts_pkt_read(in, kind, data, n);
		if (err != GUTS_EAGAIN)
			return err;
		*n = in.n;
		return guts_buf_add_slice(&p->frame, in) ? GUTS_EPROTO : GUTS_EAGAIN;
	}
	*n = 0;
	for (;;) {
		size_t used, take;

		err = guts_pkt_read(guts_buf_slice(&p->frame), kind, data, &used);
		if (err != GUTS_EAGAIN)
			return err;
		if (*n == in.n)
			return GUTS_EAGAIN;
		take = lacks(p);
		if (take > in.n - *n)
			take = in.n - *n;
		if (guts_buf_add(&p->frame, in.p + *n, take))
			return GUTS_EPROTO;
		*n += take;
	}
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The head is complete: does any ref come twice? */
static int
complete(struct guts_receive *p, struct guts_errinfo *ei)
{
	const char **names = guts_calloc(p->rq.ncmds, sizeof(*names));
	bool twice = false;

	for (size_t i = 0; i < p->rq.ncmds; i++)
		names[i] = p->rq.cmds[i].name;
	if (p->rq.ncmds > 1)
		qsort(names, p->rq.ncmds, sizeof(*names), by_name);
	for (size_t i = 1; i < p->rq.ncmds; i++)
		twice |= strcmp(names[i - 1], names[i]) == 0;
	free(names);
	return twice ? broken(p, ei, GUTS_EPROTO, "a ref comes twice") : GUTS_OK;
}

int
guts_receive_feed(struct guts_receive *p, struct guts_slice in, size_t *used, struct guts_errinfo *ei)
{
	*used = 0;
	if (p->state == BROKEN)
		return broken(p, ei, GUTS_EPROTO, "it was refused before");
	while (p->state != DONE) {
		enum guts_pkt_kind kind;
		struct guts_slice data;
		size_t n;
		int err = next_frame(p, in, &kind, &data, &n);

		if (err && err != GUTS_EAGAIN)
			return broken(p, ei, GUTS_EPROTO, "a frame of impossible length");
		*used += n;
		p->bytes += n;
		in = guts_slice(in.p + n, in.n - n);
		if (p->bytes > GUTS_RECEIVE_HEAD_MAX)
			return broken(p, ei, GUTS_ELIMIT, "too many commands");
		if (err)
			return err;
		err = take_frame(p, kind, data, ei);
		guts_buf_clear(&p->frame);
		if (!err && p->state == DONE)
			err = complete(p, ei);
		if (err)
			return err;
	}
	return GUTS_OK;
}

int
guts_receive_finish(struct guts_receive *p, struct guts_errinfo *ei)
{
	if (p->state == BROKEN)
		return broken(p, ei, GUTS_EPROTO, "it was refused before");
	if (p->state != DONE && (p->bytes > 0 || p->rq.ncmds > 0))
		return broken(p, ei, GUTS_EPROTO, "the request ends inside its commands");
	p->state = DONE;
	return GUTS_OK;
}

/* -- the answers ----------------------------------------------------------------------- */

static void
add_caps(struct guts_buf *line, const struct guts_receive_advert *a)
{
	guts_buf_add_str(line, "report-status report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta "
	    "push-options object-format=");
	guts_buf_add_str(line, a->format == GUTS_SHA1 ? "sha1" : "sha256");
	guts_buf_add_str(line, " agent=");
	guts_buf_add_str(line, a->agent);
}

int
guts_receive_advertise(struct guts_buf *out, const struct guts_receive_advert *a)
{
	char hex[GUTS_OID_HEX_SIZE];
	struct guts_buf line;

	if (a->is_http) {
		guts_pkt_printf(out, "# service=git-receive-pack\n");
		guts_pkt_add_flush(out);
	}
	if (a->version == 1)
		guts_pkt_printf(out, "version 1\n");
	guts_buf_init(&line, GUTS_PKT_DATA_MAX);
	for (size_t i = 0; i < a->n || i == 0; i++) {
		guts_buf_clear(&line);
		if (a->n > 0) {
			guts_oid_hex(hex, &a->refs[i].oid);
			guts_buf_printf(&line, "%s %s", hex, a->refs[i].name);
		} else {
			/* Nothing to advertise, but the capabilities need a line. */
			memset(hex, '0', sizeof(hex) - 1);
			hex[a->format == GUTS_SHA1 ? 40 : 64] = '\0';
			guts_buf_printf(&line, "%s capabilities^{}", hex);
		}
		if (i == 0) {
			guts_buf_add_u8(&line, 0);
			add_caps(&line, a);
		}
		guts_buf_add_u8(&line, '\n');
		guts_pkt_add(out, guts_buf_slice(&line));
	}
	guts_buf_deinit(&line);
	guts_pkt_add_flush(out);
	return out->failed ? GUTS_ELIMIT : GUTS_OK;
}

/* Append `text` with everything that could confuse a terminal or the protocol replaced. */
static void
add_clean(struct guts_buf *b, const char *text, size_t max)
{
	size_t n = strlen(text);

	if (n > max)
		n = max;
	if (guts_text_is_clean(guts_slice(text, n), false)) {
		guts_buf_add(b, text, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		guts_buf_add_u8(b, text[i] >= ' ' && text[i] < 0x7f ? (uint8_t)text[i] : '?');
}

static int
add_band_line(struct guts_buf *out, enum guts_pkt_band band, const char *text)
{
	struct guts_buf line;
	int err;

	guts_buf_init(&line, GUTS_PKT_BAND_MAX);
	add_clean(&line, text, ERROR_MAX);
	guts_buf_add_u8(&line, '\n');
	err = guts_pkt_add_band(out, band, guts_buf_slice(&line));
	guts_buf_deinit(&line);
	return err;
}

int
guts_receive_message(struct guts_buf *out, const struct guts_receive_request *rq, const char *text)
{
	return rq->side_band ? add_band_line(out, GUTS_BAND_PROGRESS, text) : GUTS_OK;
}

static void
add_option_oid(struct guts_buf *report, const char *option, const struct guts_oid *oid, size_t hex)
{
	char text[GUTS_OID_HEX_SIZE] = "";

	guts_oid_hex(text, oid);
	if (guts_oid_is_none(oid))
		memset(text, '0', hex);
	guts_pkt_printf(report, "option %s %.*s\n", option, (int)hex, text);
}

static void
add_status(struct guts_buf *report, const struct guts_receive_request *rq, const struct guts_receive_status *st)
{
	size_t hex = rq->format == GUTS_SHA1 ? 40 : 64;
	struct guts_buf line;

	guts_buf_init(&line, GUTS_PKT_DATA_MAX);
	guts_buf_printf(&line, "%s ", st->error ? "ng" : "ok");
	guts_buf_add_str(&line, st->name);
	if (st->error) {
		guts_buf_add_u8(&line, ' ');
		add_clean(&line, st->error, ERROR_MAX);
	}
	guts_buf_add_u8(&line, '\n');
	guts_pkt_add(report, guts_buf_slice(&line));
	guts_buf_deinit(&line);
	if (st->error || !st->written || !rq->report_status_v2)
		return;
	guts_pkt_printf(report, "option refname %s\n", st->written);
	add_option_oid(report, "old-oid", &st->old_oid, hex);
	add_option_oid(report, "new-oid", &st->new_oid, hex);
}

int
guts_receive_report(struct guts_buf *out, const struct guts_receive_request *rq, const char *unpack_error,
    const struct guts_receive_status *v, size_t n)
{
	struct guts_buf report, unpack;

	guts_buf_init(&report, out->max);
	guts_buf_init(&unpack, GUTS_PKT_DATA_MAX);
	if (rq->report_status || rq->report_status_v2) {
		guts_buf_add_str(&unpack, "unpack ");
		add_clean(&unpack, unpack_error ? unpack_error : "ok", ERROR_MAX);
		guts_buf_add_u8(&unpack, '\n');
		guts_pkt_add(&report, guts_buf_slice(&unpack));
		for (size_t i = 0; i < n; i++)
			add_status(&report, rq, &v[i]);
		guts_pkt_add_flush(&report);
		if (rq->side_band)
			guts_pkt_add_band(out, GUTS_BAND_DATA, guts_buf_slice(&report));
		else
			guts_buf_add_slice(out, guts_buf_slice(&report));
	}
	if (report.failed)
		out->failed = true;
	if (rq->side_band)
		guts_pkt_add_flush(out);
	guts_buf_deinit(&unpack);
	guts_buf_deinit(&report);
	return out->failed ? GUTS_ELIMIT : GUTS_OK;
}

int
guts_receive_fatal(struct guts_buf *out, const struct guts_receive_request *rq, const char *text)
{
	if (!rq->side_band)
		return GUTS_OK;
	add_band_line(out, GUTS_BAND_FATAL, text);
	return guts_pkt_add_flush(out);
}
