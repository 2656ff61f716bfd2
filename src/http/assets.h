/* http/assets.h - the dashboard's files inside the binary.
 *
 * The build makes guts_assets[] from web/ (or, with --without-dashboard, from nothing: the table is then
 * empty and http/ answers a page of plain text).  Sorted by path.
 */
#ifndef GUTS_HTTP_ASSETS_H
#define GUTS_HTTP_ASSETS_H

#include "base/slice.h"

struct guts_asset {
	const char *path;     /* "/index.html", "/assets/app-3f2a.js"; what the request names */
	const char *type;     /* content type, e.g. "text/javascript; charset=utf-8" */
	const char *etag;     /* with its quotes: "\"3f2a…\"", made from the content */
	bool immutable;       /* the name holds a hash of the content: cached for ever */
	const uint8_t *data;  /* as it is */
	size_t n;             /* [bytes] */
	const uint8_t *gzip;  /* compressed, or NULL if that gains nothing */
	size_t ngzip;         /* [bytes] */
};

/* Generated. */
extern const struct guts_asset guts_assets[];
extern const size_t guts_assets_n;

/* Asset of a path ("/" = "/index.html"), or NULL. */
const struct guts_asset *guts_asset_find(struct guts_slice path);

#endif
