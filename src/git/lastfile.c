/* git/lastfile.c - the file of last commits: read, written. */
#include "git/lastfile.h"

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

#define MAGIC "guts-last 1\n"
#define HEX_BYTES (2 * GUTS_GRAPH_OID_BYTES)
#define ENTRY_MIN (1 + 1 + HEX_BYTES + 1 + HEX_BYTES + 1) /* [bytes] of one before its name */
#define ARENA_MAX (32u << 20) /* [bytes] for the old and the new one */

/* -- reading ------------------------------------------------------------------------- */

static bool
take_text(struct guts_slice *s, const char *text)
{
	size_t n = strlen(text);

	if (s->n < n || memcmp(s->p, text, n) != 0)
		return false;
	*s = guts_slice(s->p + n, s->n - n);
	return true;
}

static bool
take_oid(struct guts_slice *s, struct guts_oid *o)
{
	if (s->n < HEX_BYTES || guts_oid_from_hex(o, guts_slice(s->p, HEX_BYTES)))
		return false;
	*s = guts_slice(s->p + HEX_BYTES, s->n - HEX_BYTES);
	return true;
}

static bool
take_entry(struct guts_slice *s, struct guts_history_entry *e)
{
	const uint8_t *nul;

	memset(e, 0, sizeof(*e));
	for (unsigned i = 0; i < 6 && s->n > 0 && s->p[0] >= '0' && s->p[0] <= '7'; i++) {
		e->mode = e->mode << 3 | (uint32_t)(s->p[0] - '0');
		*s = guts_slice(s->p + 1, s->n - 1);
	}
	if (e->mode == 0 || !take_text(s, " ") || !take_oid(s, &e->oid) || !take_text(s, " ") || !take_oid(s, &e->commit) ||
	    !take_text(s, " ") || (nul = memchr(s->p, '\0', s->n)) == NULL)
		return false;
	e->name = (const char *)s->p;
	*s = guts_slice(nul + 1, s->n - (size_t)(nul + 1 - s->p));
	return true;
}

int
guts_lastfile_parse(struct guts_slice text, struct guts_arena *a, struct guts_history_folder *out)
{
	struct guts_slice left = guts_slice(text.p, text.n < GUTS_SHA1_SIZE ? 0 : text.n - GUTS_SHA1_SIZE);
	uint8_t sum[GUTS_SHA1_SIZE];

	memset(out, 0, sizeof(*out));
	if (!take_text(&left, MAGIC) || !take_oid(&left, &out->tip) || !take_text(&left, "\n"))
		return GUTS_EPROTO;
	guts_sha1(sum, guts_slice(text.p, text.n - GUTS_SHA1_SIZE));
	if (memcmp(sum, text.p + text.n - GUTS_SHA1_SIZE, GUTS_SHA1_SIZE) != 0)
		return GUTS_EPROTO;
	out->v = guts_arena_alloc(a, (left.n / ENTRY_MIN + 1) * sizeof(*out->v));
	if (out->v == NULL)
		return GUTS_ELIMIT;
	while (left.n > 0) {
		struct guts_history_entry *e = &out->v[out->n];

		if (out->n == GUTS_READ_ENTRIES_MAX || !take_entry(&left, e))
			return GUTS_EPROTO;
		e->name = guts_arena_memdup(a, e->name, strlen(e->name));
		if (e->name == NULL)
			return GUTS_ELIMIT;
		out->n++;
	}
	return GUTS_OK;
}

static char *
file_path(const char *repo_path)
{
	return guts_asprintf("%s/objects/info/guts-last", repo_path);
}

bool
guts_lastfile_read(const char *repo_path, struct guts_arena *a, struct guts_history_folder *out)
{
	char *path = file_path(repo_path);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	bool ok = false;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= GUTS_LASTFILE_MAX) {
		uint8_t *text = guts_alloc((size_t)st.st_size);

		ok = read(fd, text, (size_t)st.st_size) == st.st_size &&
		    guts_lastfile_parse(guts_slice(text, (size_t)st.st_size), a, out) == GUTS_OK;
		free(text);
	}
	if (fd >= 0)
		close(fd);
	free(path);
	return ok;
}

/* -- writing ------------------------------------------------------------------------- */

static void
write_file(const char *repo_path, const struct guts_history_folder *f)
{
	char *path = file_path(repo_path), *lock = guts_asprintf("%s.lock", path), tip[GUTS_OID_HEX_SIZE], commit[GUTS_OID_HEX_SIZE];
	uint8_t sum[GUTS_SHA1_SIZE];
	struct guts_buf b;
	int fd;

	guts_buf_init(&b, GUTS_LASTFILE_MAX);
	guts_oid_hex(tip, &f->tip);
	guts_buf_printf(&b, MAGIC "%s\n", tip);
	for (size_t i = 0; i < f->n; i++) {
		guts_oid_hex(tip, &f->v[i].oid);
		guts_oid_hex(commit, &f->v[i].commit);
		guts_buf_printf(&b, "%o %s %s ", (unsigned)f->v[i].mode, tip, commit);
		guts_buf_add(&b, f->v[i].name, strlen(f->v[i].name) + 1);
	}
	guts_sha1(sum, guts_buf_slice(&b));
	guts_buf_add(&b, sum, sizeof(sum));
	fd = b.failed ? -1 : open(lock, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	/* no fsync: a torn one fails its checksum and is written again */
	if (fd >= 0 && (write(fd, guts_buf_slice(&b).p, b.len) != (ssize_t)b.len || rename(lock, path)))
		unlink(lock);
	if (fd >= 0)
		close(fd);
	guts_buf_deinit(&b);
	free(lock);
	free(path);
}

/* Where the branch that HEAD names is; false: it is nowhere. */
static bool
find_tip(const char *repo_path, struct guts_oid *tip)
{
	char *packed = guts_asprintf("%s/packed-refs", repo_path), head[GUTS_HEAD_FILE_MAX];
	const struct guts_refsfile_row *row = NULL;
	struct guts_refsfile refs = { 0 };
	unsigned bad;

	guts_repo_read_head(repo_path, head);
	if (guts_refsfile_read(&refs, packed, &bad) == GUTS_OK)
		row = guts_refsfile_find(&refs, guts_slice_str(head));
	if (row)
		*tip = row->oid;
	guts_refsfile_deinit(&refs);
	free(packed);
	return row != NULL;
}

void
guts_lastfile_update(const char *repo_path)
{
	struct guts_history_folder old, new;
	struct guts_read *r = NULL;
	struct guts_graph *g;
	struct guts_arena a;
	struct guts_oid tip;
	bool has_old;

	if (!find_tip(repo_path, &tip) || guts_graph_open(&g, repo_path))
		return;
	guts_graph_close(g);
	guts_arena_init(&a, ARENA_MAX);
	has_old = guts_lastfile_read(repo_path, &a, &old);
	if ((!has_old || !guts_oid_eq(&old.tip, &tip)) && guts_read_open(&r, repo_path) == GUTS_OK) {
		struct guts_history *h = guts_history_open(r, repo_path, 0);

		if (guts_history_folder(h, &tip, guts_slice_str(""), has_old ? &old : NULL, &a, &new) == GUTS_OK && !new.incomplete)
			write_file(repo_path, &new);
		guts_history_close(h);
	}
	guts_read_close(r);
	guts_arena_deinit(&a);
}
