/* git/infofile.c - see infofile.h: written beside, then renamed; no fsync, as a torn one fails its checksum. */
#include "git/infofile.h"

#include "base/alloc.h"
#include "crypto/hmac.h"
#include "git/graph.h"
#include "git/refsfile.h"
#include "git/repostore_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char *
file_path(const char *repo_path, const char *name)
{
	return guts_asprintf("%s/objects/info/%s", repo_path, name);
}

bool
guts_infofile_read(const char *repo_path, const char *name, size_t max, struct guts_buf *out)
{
	char *path = file_path(repo_path, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	bool ok = false;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 && (uint64_t)st.st_size <= max) {
		uint8_t *to = guts_buf_reserve(out, (size_t)st.st_size);

		ok = to && read(fd, to, (size_t)st.st_size) == st.st_size;
		if (ok)
			guts_buf_commit(out, (size_t)st.st_size);
	}
	if (fd >= 0)
		close(fd);
	free(path);
	return ok;
}

bool
guts_infofile_text(struct guts_slice bytes, struct guts_slice *text)
{
	uint8_t sum[GUTS_SHA1_SIZE];

	if (bytes.n < GUTS_SHA1_SIZE)
		return false;
	*text = guts_slice(bytes.p, bytes.n - GUTS_SHA1_SIZE);
	guts_sha1(sum, *text);
	return memcmp(sum, bytes.p + text->n, GUTS_SHA1_SIZE) == 0;
}

void
guts_infofile_write(const char *repo_path, const char *name, struct guts_buf *text)
{
	char *path = file_path(repo_path, name), *lock = guts_asprintf("%s.lock", path);
	uint8_t sum[GUTS_SHA1_SIZE];
	int fd;

	guts_sha1(sum, guts_buf_slice(text));
	guts_buf_add(text, sum, sizeof(sum));
	fd = text->failed ? -1 : open(lock, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && (write(fd, guts_buf_slice(text).p, text->len) != (ssize_t)text->len || rename(lock, path)))
		unlink(lock);
	if (fd >= 0)
		close(fd);
	free(lock);
	free(path);
}

bool
guts_infofile_tip(const char *repo_path, struct guts_oid *tip)
{
	char *packed = guts_asprintf("%s/packed-refs", repo_path), head[GUTS_HEAD_FILE_MAX];
	const struct guts_refsfile_row *row = NULL;
	struct guts_refsfile refs = { 0 };
	struct guts_graph *g = NULL;
	unsigned bad;

	guts_repo_read_head(repo_path, head);
	if (guts_graph_open(&g, repo_path) == GUTS_OK && guts_refsfile_read(&refs, packed, &bad) == GUTS_OK)
		row = guts_refsfile_find(&refs, guts_slice_str(head));
	if (row)
		*tip = row->oid;
	guts_refsfile_deinit(&refs);
	guts_graph_close(g);
	free(packed);
	return row != NULL;
}

/* -- parts ---------------------------------------------------------------------------- */

bool
guts_infofile_take(struct guts_slice *s, const char *text)
{
	size_t n = strlen(text);

	if (s->n < n || memcmp(s->p, text, n) != 0)
		return false;
	*s = guts_slice(s->p + n, s->n - n);
	return true;
}

bool
guts_infofile_take_oid(struct guts_slice *s, struct guts_oid *o)
{
	const size_t n = 2 * GUTS_GRAPH_OID_BYTES;

	if (s->n < n || guts_oid_from_hex(o, guts_slice(s->p, n)))
		return false;
	*s = guts_slice(s->p + n, s->n - n);
	return true;
}

bool
guts_infofile_take_string(struct guts_slice *s, const char **out)
{
	const uint8_t *nul = s->n ? memchr(s->p, '\0', s->n) : NULL;

	if (nul == NULL)
		return false;
	*out = (const char *)s->p;
	*s = guts_slice(nul + 1, s->n - (size_t)(nul + 1 - s->p));
	return true;
}
