/* wire/varint.c - see varint.h: seven bits per byte, lowest group first. */
#include "wire/varint.h"

#include "base/err.h"

#include <assert.h>

int
guts_uvarint_read(struct guts_slice in, uint64_t *value, size_t *n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < GUTS_UVARINT_MAX_SIZE; i++) {
		if (i == in.n)
			return GUTS_EAGAIN;
		v |= (uint64_t)(in.p[i] & 0x7f) << (7 * i);
		if (in.p[i] & 0x80)
			continue;
		if (in.p[i] == 0 && i > 0)
			return GUTS_EPROTO;
		*value = v;
		*n = i + 1;
		return GUTS_OK;
	}
	return GUTS_EPROTO;
}

size_t
guts_uvarint_size(uint64_t value)
{
	size_t n = 1;

	while (value >>= 7)
		n++;
	return n;
}

size_t
guts_uvarint_write(uint8_t *out, uint64_t value)
{
	size_t n = 0;

	assert(value < UINT64_C(1) << 63);
	for (; value >= 0x80; value >>= 7)
		out[n++] = (uint8_t)(value | 0x80);
	out[n++] = (uint8_t)value;
	return n;
}

int
guts_buf_add_uvarint(struct guts_buf *b, uint64_t value)
{
	uint8_t bytes[GUTS_UVARINT_MAX_SIZE];

	return guts_buf_add(b, bytes, guts_uvarint_write(bytes, value));
}

int
guts_frame_read(struct guts_slice in, size_t max, struct guts_slice *frame, size_t *n)
{
	uint64_t size;
	size_t head;
	int err = guts_uvarint_read(in, &size, &head);

	if (err)
		return err;
	if (size > max)
		return GUTS_ELIMIT;
	if (size > in.n - head)
		return GUTS_EAGAIN;
	*frame = guts_slice(in.p + head, (size_t)size);
	*n = head + (size_t)size;
	return GUTS_OK;
}
