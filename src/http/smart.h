/* http/smart.h - what fetch and push over HTTP share: the address, rights, bodies, streamed answers. */
#ifndef GUTS_HTTP_SMART_H
#define GUTS_HTTP_SMART_H

#include "http/internal.h"
#include "loop/pipe.h"

#include <zlib.h>

#define GUTS_SMART_CHUNK (16u << 10) /* [bytes] inflated at once */

/* The repository that a git address names. */
struct guts_smart_path {
	struct guts_repo_info *info;   /* a reference */
	bool has_author;
	struct guts_peerid author;
	char author_text[GUTS_PEERID_TEXT_SIZE];
};

/* Find it, for reading or for writing; false: an answer was queued (401 asks git for credentials; a missing repository
 * says how to make it; a renamed one redirects `suffix` = "/info/refs?service=…"). */
bool guts_smart_find(struct guts_req *r, bool write, const char *suffix, struct guts_smart_path *p);
void guts_smart_path_deinit(struct guts_smart_path *p);

/* A body that may be gzip-encoded.  take() gives plain bytes in pieces. */
struct guts_smart_body {
	bool is_gzip, ended, bad;
	z_stream z;
	uint64_t plain;                /* given so far [bytes] */
	uint8_t *chunk;                /* inflated, GUTS_SMART_CHUNK; NULL until used */
	size_t at, n;                  /* left of it */
};

/* Check Content-Type and Content-Encoding; false: an answer was queued. */
bool guts_smart_body_init(struct guts_smart_body *b, struct guts_req *r, const char *type);
void guts_smart_body_deinit(struct guts_smart_body *b);
/* The next plain bytes of `in`: *out may be a view into it; *used raw bytes were read.  False: nothing more in `in`. */
bool guts_smart_body_next(struct guts_smart_body *b, struct guts_slice in, size_t *used, struct guts_slice *out);
/* `n` of the bytes given last were used; the rest comes again. */
void guts_smart_body_used(struct guts_smart_body *b, size_t n);
/* Bytes that were inflated and not used yet. */
size_t guts_smart_body_left(const struct guts_smart_body *b);
/* The whole body came: was it a whole one? */
bool guts_smart_body_is_whole(const struct guts_smart_body *b);

/* A whole request for refs by protocol v2: answer it by a worker and put `r` to sleep; `instead` is called when it finds that git has to.
 * False: it is another request. */
bool guts_smart_lsrefs(struct guts_req *r, const struct guts_smart_path *p, struct guts_slice request,
    void (*instead)(struct guts_req *r));

/* Headers of git's answers. */
#define GUTS_SMART_HEADERS(type)                                                                  \
	{ "Content-Type", (type), "Cache-Control", "no-cache, max-age=0, must-revalidate", NULL }

#endif
