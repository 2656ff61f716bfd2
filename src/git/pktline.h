/* git/pktline.h - git's framing: four hex digits of length, then the bytes.
 *
 * Source: gitprotocol-common(5).  Length counts the four digits; 0000 flush, 0001 delimiter,
 * 0002 response end are frames without bytes; 0003 is never sent; at most 65,520.
 */
#ifndef GUTS_GIT_PKTLINE_H
#define GUTS_GIT_PKTLINE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define GUTS_PKT_MAX 65520      /* [bytes] a whole frame */
#define GUTS_PKT_DATA_MAX 65516 /* [bytes] its payload */
#define GUTS_PKT_BAND_MAX 65515 /* [bytes] of one side band in a frame */

enum guts_pkt_kind { GUTS_PKT_DATA, GUTS_PKT_FLUSH, GUTS_PKT_DELIM, GUTS_PKT_END };

/* Bands of side-band-64k. */
enum guts_pkt_band { GUTS_BAND_DATA = 1, GUTS_BAND_PROGRESS = 2, GUTS_BAND_FATAL = 3 };

/* Read the frame at the front of `in`: *data is a view into it, *used the bytes it took.
 * Errors: GUTS_EAGAIN not all there, GUTS_EPROTO bad length. */
int guts_pkt_read(struct guts_slice in, enum guts_pkt_kind *kind, struct guts_slice *data, size_t *used);

/* The payload without one newline at its end, as text lines are read. */
struct guts_slice guts_pkt_chomp(struct guts_slice data);

/* Append one frame (data ≤ GUTS_PKT_DATA_MAX, asserted).  Errors: GUTS_ELIMIT (buffer full, sticky). */
int guts_pkt_add(struct guts_buf *out, struct guts_slice data);
int guts_pkt_printf(struct guts_buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int guts_pkt_add_flush(struct guts_buf *out);

/* Append bytes of a side band, in as many frames as they need.  Errors: GUTS_ELIMIT. */
int guts_pkt_add_band(struct guts_buf *out, enum guts_pkt_band band, struct guts_slice data);

#endif
