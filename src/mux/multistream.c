/* mux/multistream.c - multistream-select 1.0 as two small state machines over one line reader.
 *
 * A message is uvarint(length) and a line with its newline.  Both sides greet; then the
 * dialer proposes one name at a time and the listener echoes it or says "na":
 *
 *	dialer    /multistream/1.0.0  /a      ->
 *	                                      <-  /multistream/1.0.0  na    listener
 *	          /b                          ->
 *	                                      <-  /b
 *
 * A line that arrives whole is read in place; only a cut one is copied, up to the cap.
 */
#include "mux/multistream.h"

#include "base/err.h"
#include "wire/varint.h"

#include <assert.h>

#define HELLO "\x13/multistream/1.0.0\n" /* as it is on the wire */
#define OUT_MAX (8u << 10) /* [bytes] answers a listener keeps for a dialer that does not read */

static void
put_line(struct guts_msel *m, struct guts_slice line)
{
	guts_buf_add_uvarint(&m->out, line.n + 1);
	guts_buf_add_slice(&m->out, line);
	guts_buf_add_u8(&m->out, '\n');
}

static void
start(struct guts_msel *m)
{
	memset(m, 0, sizeof(*m));
	guts_buf_init(&m->in, GUTS_MULTISTREAM_LINE_MAX + 2);
	guts_buf_init(&m->out, OUT_MAX);
	guts_buf_add_str(&m->out, HELLO);
}

void
guts_msel_dial(struct guts_msel *m, const char *const *names, size_t n)
{
	assert(n >= 1);
	start(m);
	m->dialer = true;
	m->names = names;
	m->n_names = n;
	put_line(m, guts_slice_str(names[0]));
}

void
guts_msel_listen(struct guts_msel *m, guts_msel_lookup *lookup, void *owner)
{
	start(m);
	m->lookup = lookup;
	m->owner = owner;
}

void
guts_msel_deinit(struct guts_msel *m)
{
	guts_buf_deinit(&m->in);
	guts_buf_deinit(&m->out);
}

static int
dialer_line(struct guts_msel *m, struct guts_slice line)
{
	if (guts_slice_eq(line, guts_slice_str(m->names[m->lines]))) {
		m->chosen = m->lines;
		m->done = true;
		return 0;
	}
	if (!guts_slice_eq(line, guts_slice_str("na")))
		return GUTS_EPROTO;
	m->lines++;
	if (m->lines == m->n_names)
		return GUTS_EUNSUPPORTED;
	put_line(m, guts_slice_str(m->names[m->lines]));
	return 0;
}

static int
listener_line(struct guts_msel *m, struct guts_slice line)
{
	if (++m->lines > GUTS_MSEL_PROPOSALS_MAX)
		return GUTS_ELIMIT;
	if (guts_slice_eq(line, guts_slice_str("ls"))) {
		/* An answer need not name anything: an empty list. */
		put_line(m, guts_slice("", 0));
		return m->out.failed ? GUTS_ELIMIT : 0;
	}
	m->choice = m->lookup(m->owner, line);
	put_line(m, m->choice ? line : guts_slice_str("na"));
	m->done = m->choice != NULL;
	return m->out.failed ? GUTS_ELIMIT : 0;
}

/* One line without its newline. */
static int
take_line(struct guts_msel *m, struct guts_slice frame)
{
	if (frame.n == 0 || frame.p[frame.n - 1] != '\n')
		return GUTS_EPROTO;
	frame.n--;
	return m->dialer ? dialer_line(m, frame) : listener_line(m, frame);
}

/* Go on with a line of which the front is kept in m->in: add no byte beyond its end. */
static int
recv_cut(struct guts_msel *m, struct guts_slice in, size_t *used)
{
	struct guts_slice frame;
	size_t n;
	int err = GUTS_EAGAIN;

	while (err == GUTS_EAGAIN && *used < in.n) {
		guts_buf_add_u8(&m->in, in.p[(*used)++]);
		err = guts_frame_read(guts_buf_slice(&m->in), GUTS_MULTISTREAM_LINE_MAX, &frame, &n);
	}
	if (err)
		return err;
	err = take_line(m, frame);
	guts_buf_clear(&m->in);
	return err;
}

int
guts_msel_recv(struct guts_msel *m, struct guts_slice in, size_t *used)
{
	int err = 0;

	*used = 0;
	/* The greeting is fixed: whoever says anything else is not one of us, at the first wrong byte. */
	while (!m->greeted && *used < in.n) {
		if (in.p[(*used)++] != (uint8_t)HELLO[m->matched++])
			return GUTS_EPROTO;
		m->greeted = m->matched == sizeof(HELLO) - 1;
	}
	while (!err && !m->done && *used < in.n) {
		struct guts_slice rest = guts_slice(in.p + *used, in.n - *used), frame;
		size_t n;

		if (m->in.len > 0) {
			err = recv_cut(m, in, used);
			continue;
		}
		err = guts_frame_read(rest, GUTS_MULTISTREAM_LINE_MAX, &frame, &n);
		if (err == GUTS_EAGAIN) {
			err = guts_buf_add_slice(&m->in, rest);
			*used = in.n;
			break;
		}
		if (err)
			break;
		*used += n;
		err = take_line(m, frame);
	}
	return err == GUTS_EAGAIN ? 0 : err;
}
