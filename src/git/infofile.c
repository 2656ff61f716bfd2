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

#define FORMAT " 1\n"
#define ARENA_MAX (32u << 20) /* [bytes] for what the old and the new file say */

static char *
file_path(const char *repo_path, const char *name)
{
	return guts_asprintf("%s/objects/info/%s", repo_path, name);
}

bool
guts_infofile_read(const char *repo_path, const char *name, struct guts_buf *out)
{
	char *path = file_path(repo_path, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	bool ok = false;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 && (uint64_t)st.st_size <= GUTS_INFOFILE_MAX) {
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
guts_infofile_open(struct guts_slice bytes, const char *name, struct guts_oid *tip, struct guts_slice *rows)
{
	uint8_t sum[GUTS_SHA1_SIZE];

	if (bytes.n < GUTS_SHA1_SIZE)
		return false;
	*rows = guts_slice(bytes.p, bytes.n - GUTS_SHA1_SIZE);
	guts_sha1(sum, *rows);
	return memcmp(sum, bytes.p + rows->n, GUTS_SHA1_SIZE) == 0 && guts_infofile_take(rows, name) && guts_infofile_take(rows, FORMAT) &&
	    guts_infofile_take_oid(rows, tip) && guts_infofile_take(rows, "\n");
}

/* -- written anew ------------------------------------------------------------------------ */

static void
write_file(const char *repo_path, const char *name, struct guts_buf *text)
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

/* Where the branch that HEAD names is, if there is a commit-graph. */
static bool
find_tip(const char *repo_path, struct guts_oid *tip)
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

static void
update(const char *repo_path, const char *name, guts_infofile_make *make, const struct guts_oid *tip, struct guts_slice old)
{
	char hex[GUTS_OID_HEX_SIZE];
	struct guts_history *h;
	struct guts_read *r;
	struct guts_arena a;
	struct guts_buf text;

	if (guts_read_open(&r, repo_path) != GUTS_OK)
		return;
	h = guts_history_open(r, repo_path, 0);
	guts_arena_init(&a, ARENA_MAX);
	guts_buf_init(&text, GUTS_INFOFILE_MAX);
	guts_oid_hex(hex, tip);
	guts_buf_printf(&text, "%s" FORMAT "%s\n", name, hex);
	if (make(h, tip, old, &a, &text))
		write_file(repo_path, name, &text);
	guts_buf_deinit(&text);
	guts_arena_deinit(&a);
	guts_history_close(h);
	guts_read_close(r);
}

void
guts_infofile_update(const char *repo_path, const char *name, guts_infofile_make *make)
{
	struct guts_oid tip, old_tip;
	struct guts_slice rows;
	struct guts_buf old;

	if (!find_tip(repo_path, &tip))
		return;
	guts_buf_init(&old, GUTS_INFOFILE_MAX);
	guts_infofile_read(repo_path, name, &old);
	if (!guts_infofile_open(guts_buf_slice(&old), name, &old_tip, &rows) || !guts_oid_eq(&old_tip, &tip))
		update(repo_path, name, make, &tip, guts_buf_slice(&old));
	guts_buf_deinit(&old);
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
