/* git/pktline.c - git's framing, read and written over plain buffers. */
#include "git/pktline.h"

#include "base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define LENGTH_DIGITS 4u

int
guts_pkt_read(struct guts_slice in, enum guts_pkt_kind *kind, struct guts_slice *data, size_t *used)
{
	static const enum guts_pkt_kind special[] = { GUTS_PKT_FLUSH, GUTS_PKT_DELIM, GUTS_PKT_END };
	size_t n = 0;

	*kind = GUTS_PKT_DATA;
	*data = (struct guts_slice){ 0 };
	*used = 0;
	/* A wrong digit is told as soon as it is there. */
	for (size_t i = 0; i < LENGTH_DIGITS; i++) {
		int d;

		if (i >= in.n)
			return GUTS_EAGAIN;
		d = guts_hex_value(in.p[i]);
		if (d < 0)
			return GUTS_EPROTO;
		n = n << 4 | (size_t)d;
	}
	if (n < 3) {
		*kind = special[n];
		*used = LENGTH_DIGITS;
		return GUTS_OK;
	}
	if (n < LENGTH_DIGITS || n > GUTS_PKT_MAX)
		return GUTS_EPROTO;
	if (in.n < n)
		return GUTS_EAGAIN;
	*data = guts_slice(in.p + LENGTH_DIGITS, n - LENGTH_DIGITS);
	*used = n;
	return GUTS_OK;
}

struct guts_slice
guts_pkt_chomp(struct guts_slice data)
{
	if (data.n > 0 && data.p[data.n - 1] == '\n')
		data.n--;
	return data;
}

static int
add_length(struct guts_buf *out, size_t n)
{
	return guts_buf_printf(out, "%04zx", n + LENGTH_DIGITS);
}

int
guts_pkt_add(struct guts_buf *out, struct guts_slice data)
{
	assert(data.n <= GUTS_PKT_DATA_MAX);
	add_length(out, data.n);
	return guts_buf_add_slice(out, data);
}

int
guts_pkt_printf(struct guts_buf *out, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert(n >= 0 && (size_t)n < sizeof(text));
	return guts_pkt_add(out, guts_slice(text, (size_t)n));
}

int
guts_pkt_add_flush(struct guts_buf *out)
{
	return guts_buf_add_str(out, "0000");
}

int
guts_pkt_add_band(struct guts_buf *out, enum guts_pkt_band band, struct guts_slice data)
{
	while (data.n > 0) {
		size_t n = data.n < GUTS_PKT_BAND_MAX ? data.n : GUTS_PKT_BAND_MAX;

		add_length(out, n + 1);
		guts_buf_add_u8(out, (uint8_t)band);
		guts_buf_add(out, data.p, n);
		data = guts_slice(data.p + n, data.n - n);
	}
	return out->failed ? GUTS_ELIMIT : GUTS_OK;
}
