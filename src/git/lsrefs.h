/* git/lsrefs.h - protocol v2's ls-refs, answered from packed-refs without a child.
 *
 *	command=ls-refs  [agent=…] [object-format=sha1]  0001  (peel | symrefs | unborn | ref-prefix …)…  0000
 *
 * Only what is plain is answered here, byte by byte as git upload-pack would: any other request, a repository with loose refs
 * or very many, is left to git.
 *
 * Source: gitprotocol-v2(5) "ls-refs".
 */
#ifndef GUTS_GIT_LSREFS_H
#define GUTS_GIT_LSREFS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/oid.h"
#include "base/slice.h"

#define GUTS_LSREFS_REQUEST_MAX (16u << 10) /* [bytes] a longer one is left to git */
#define GUTS_LSREFS_FILE_MAX (8u << 20)     /* [bytes] of packed-refs: the same */
#define GUTS_LSREFS_PREFIXES_MAX 64

/* What is asked for; prefixes are views into the request. */
struct guts_lsrefs {
	bool peel, symrefs, unborn;
	size_t n;                                          /* 0 = all refs */
	struct guts_slice prefixes[GUTS_LSREFS_PREFIXES_MAX];
};

/* Can these first bytes of a request become one? */
bool guts_lsrefs_begins(struct guts_slice head);

/* Read a whole request to a repository of `format`.  Errors: GUTS_EUNSUPPORTED: git shall answer. */
int guts_lsrefs_parse(struct guts_lsrefs *q, struct guts_slice request, enum guts_object_format format);

/* Append the answer of the bare repository at `path`; `author` (peer id text): his refs, NULL: the canonical ones.
 * Thread: any but the loop.  Errors: GUTS_EUNSUPPORTED: git shall answer. */
int guts_lsrefs_answer(const struct guts_lsrefs *q, const char *path, const char *author, struct guts_buf *out);

#endif
