/* git/graph.c - the commit-graph's files, mapped.
 *
 * A file is a table of chunks.  Opening checks the table, the sizes of the chunks that every commit needs and the fan-out;
 * what a commit says (parents, octopus edges, range of its filter) is checked when it is read.  The files are replaced by git as
 * whole ones and never changed in place, so a mapping stays what it was.
 */
#include "git/graph.h"

#include "base/alloc.h"
#include "base/be.h"
#include "crypto/hmac.h"
#include "git/repostore_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_BYTES 8
#define TOC_BYTES 12             /* [bytes] of one entry of the table of chunks */
#define FANOUT_BYTES 1024
#define CDAT_BYTES 36            /* [bytes] tree, two parents, generation and time */
#define BLOOM_HEADER_BYTES 12
#define BLOOM_HASHES_MAX 32
#define FILTER_MAX (1u << 20)    /* [bytes] of one commit's */
#define COMMITS_MAX 0x70000000u  /* positions from here on mean something else */
#define NO_PARENT 0x70000000u
#define MORE_PARENTS 0x80000000u /* in the second parent: index of the first edge; in an edge: it is the last */
#define CHAIN_MAX ((GUTS_GRAPH_LAYERS_MAX + 1) * (2 * GUTS_GRAPH_OID_BYTES + 1))
#define FILE_MAX (UINT64_C(4) << 30)
#define RACES_MAX 4              /* times that the chain is read again because git has just replaced a layer */

struct layer {
	struct guts_slice file;
	bool is_mapped;
	uint32_t base, n;        /* position of its first commit, commits */
	const uint8_t *fanout, *oids, *commits;
	struct guts_slice edges; /* parents from the second on of octopus merges; may be empty */
	const uint8_t *filter_ends;
	struct guts_slice filters; /* without its header; NULL = none */
	uint32_t hash_version, hashes;
};

struct guts_graph {
	struct layer v[GUTS_GRAPH_LAYERS_MAX];
	size_t n;
	uint32_t count;
	bool is_damaged;
};

/* -- opening ------------------------------------------------------------------------- */

/* Chunk `id`; without memory if the file has none or its place is outside the file. */
static struct guts_slice
chunk(struct guts_slice file, const char *id)
{
	unsigned n = file.p[6];
	const uint8_t *e = file.p + HEADER_BYTES;

	for (unsigned i = 0; i < n; i++, e += TOC_BYTES) {
		uint64_t from = guts_be64(e + 4), to = guts_be64(e + TOC_BYTES + 4);

		if (memcmp(e, id, 4) != 0)
			continue;
		if (from < HEADER_BYTES || from > to || to > file.n - GUTS_SHA1_SIZE)
			break;
		return guts_slice(file.p + from, (size_t)(to - from));
	}
	return guts_slice(NULL, 0);
}

static void
find_filters(struct layer *l)
{
	struct guts_slice ends = chunk(l->file, "BIDX"), data = chunk(l->file, "BDAT");

	if (ends.p == NULL || ends.n != (size_t)l->n * 4 || data.n < BLOOM_HEADER_BYTES)
		return;
	l->hash_version = guts_be32(data.p);
	l->hashes = guts_be32(data.p + 4);
	if (l->hash_version < 1 || l->hash_version > 2 || l->hashes < 1 || l->hashes > BLOOM_HASHES_MAX)
		return;
	l->filter_ends = ends.p;
	l->filters = guts_slice(data.p + BLOOM_HEADER_BYTES, data.n - BLOOM_HEADER_BYTES);
}

/* Look at the file of the layer that lies on `nbelow` others. */
static int
open_layer(struct layer *l, size_t nbelow, uint32_t base)
{
	struct guts_slice file = l->file, fanout, oids, commits;
	size_t nchunks;

	if (file.n < HEADER_BYTES + TOC_BYTES + GUTS_SHA1_SIZE || memcmp(file.p, "CGPH\1\1", 6) != 0 || file.p[7] != nbelow)
		return GUTS_EPROTO;
	nchunks = file.p[6];
	if (file.n < HEADER_BYTES + (nchunks + 1) * TOC_BYTES + GUTS_SHA1_SIZE)
		return GUTS_EPROTO;
	fanout = chunk(file, "OIDF");
	oids = chunk(file, "OIDL");
	commits = chunk(file, "CDAT");
	if (fanout.n != FANOUT_BYTES || oids.p == NULL || commits.p == NULL)
		return GUTS_EPROTO;
	l->base = base;
	l->n = guts_be32(fanout.p + FANOUT_BYTES - 4);
	if (l->n >= COMMITS_MAX - base || oids.n != (size_t)l->n * GUTS_GRAPH_OID_BYTES ||
	    commits.n != (size_t)l->n * CDAT_BYTES)
		return GUTS_EPROTO;
	for (size_t i = 4; i < FANOUT_BYTES; i += 4)
		if (guts_be32(fanout.p + i - 4) > guts_be32(fanout.p + i))
			return GUTS_EPROTO;
	l->fanout = fanout.p;
	l->oids = oids.p;
	l->commits = commits.p;
	l->edges = chunk(file, "EDGE");
	find_filters(l);
	return GUTS_OK;
}

static int
add_layer(struct guts_graph *g, struct guts_slice file, bool is_mapped)
{
	struct layer *l = &g->v[g->n];
	int err;

	memset(l, 0, sizeof(*l));
	l->file = file;
	l->is_mapped = is_mapped;
	err = open_layer(l, g->n, g->count);
	g->n++;
	if (!err)
		g->count += l->n;
	return err;
}

static int
map_layer(struct guts_graph *g, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), err = GUTS_OK;
	struct stat st;
	void *p;

	if (fd < 0)
		return guts_errno_err(errno);
	if (fstat(fd, &st))
		err = GUTS_EIO;
	else if (st.st_size <= 0 || (uint64_t)st.st_size > FILE_MAX)
		err = GUTS_EPROTO;
	p = err ? MAP_FAILED : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return err ? err : GUTS_EIO;
	return add_layer(g, guts_slice(p, (size_t)st.st_size), true);
}

static ssize_t
read_chain(const char *repo_path, char chain[CHAIN_MAX])
{
	char *path = guts_asprintf("%s/" GUTS_GRAPH_DIR "/commit-graph-chain", repo_path);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd >= 0 ? read(fd, chain, CHAIN_MAX) : -1;
	int e = errno;

	if (fd >= 0)
		close(fd);
	free(path);
	return n >= 0 ? n : guts_errno_err(e);
}

static int
map_chain(struct guts_graph *g, const char *repo_path)
{
	char chain[CHAIN_MAX];
	ssize_t n = read_chain(repo_path, chain);
	const size_t line = 2 * GUTS_GRAPH_OID_BYTES + 1;
	int err = n < 0 ? (int)n : GUTS_OK;

	if (!err && (n == 0 || (size_t)n % line != 0 || (size_t)n / line > GUTS_GRAPH_LAYERS_MAX))
		err = GUTS_EPROTO;
	for (ssize_t at = 0; at < n && !err; at += (ssize_t)line) {
		char *path;

		if (strspn(chain + at, "0123456789abcdef") != line - 1 || chain[at + (ssize_t)line - 1] != '\n')
			return GUTS_EPROTO;
		path = guts_asprintf("%s/" GUTS_GRAPH_DIR "/graph-%.*s.graph", repo_path, (int)line - 1, chain + at);
		err = map_layer(g, path);
		if (err == GUTS_ENOTFOUND)
			err = GUTS_EPROTO; /* unlike a chain that is not there at all */
		free(path);
	}
	return err;
}

int
guts_graph_open(struct guts_graph **out, const char *repo_path)
{
	int err = GUTS_EPROTO;

	*out = NULL;
	for (unsigned i = 0; i < RACES_MAX && err == GUTS_EPROTO; i++) {
		guts_graph_close(*out);
		*out = guts_alloc(sizeof(**out));
		err = map_chain(*out, repo_path);
	}
	if (err) {
		guts_graph_close(*out);
		*out = NULL;
	}
	return err;
}

int
guts_graph_of(struct guts_graph **out, const struct guts_slice *layers, size_t n)
{
	struct guts_graph *g = guts_alloc(sizeof(*g));
	int err = n > GUTS_GRAPH_LAYERS_MAX ? GUTS_EPROTO : GUTS_OK;

	for (size_t i = 0; i < n && !err; i++)
		err = add_layer(g, layers[i], false);
	if (err) {
		guts_graph_close(g);
		g = NULL;
	}
	*out = g;
	return err;
}

void
guts_graph_close(struct guts_graph *g)
{
	if (g == NULL)
		return;
	for (size_t i = 0; i < g->n; i++)
		if (g->v[i].is_mapped)
			munmap((void *)(uintptr_t)g->v[i].file.p, g->v[i].file.n);
	free(g);
}

/* -- one commit ------------------------------------------------------------------------ */

uint32_t
guts_graph_count(const struct guts_graph *g)
{
	return g->count;
}

bool
guts_graph_is_damaged(const struct guts_graph *g)
{
	return g->is_damaged;
}

bool
guts_graph_find(const struct guts_graph *g, const uint8_t oid[GUTS_GRAPH_OID_BYTES], uint32_t *pos)
{
	for (size_t i = g->n; i-- > 0;) {
		const struct layer *l = &g->v[i];
		uint32_t low = oid[0] ? guts_be32(l->fanout + ((size_t)oid[0] - 1) * 4) : 0;
		uint32_t high = guts_be32(l->fanout + (size_t)oid[0] * 4);

		while (low < high) {
			uint32_t mid = low + (high - low) / 2;
			int c = memcmp(oid, l->oids + (size_t)mid * GUTS_GRAPH_OID_BYTES, GUTS_GRAPH_OID_BYTES);

			if (c == 0) {
				*pos = l->base + mid;
				return true;
			}
			if (c < 0)
				high = mid;
			else
				low = mid + 1;
		}
	}
	return false;
}

/* The layer of a position. */
static const struct layer *
layer_of(const struct guts_graph *g, uint32_t pos)
{
	const struct layer *l = &g->v[0];

	while (pos - l->base >= l->n)
		l++;
	return l;
}

void
guts_graph_commit(const struct guts_graph *g, uint32_t pos, struct guts_graph_commit *out)
{
	const struct layer *l = layer_of(g, pos);
	const uint8_t *p = l->commits + (size_t)(pos - l->base) * CDAT_BYTES;

	out->oid = l->oids + (size_t)(pos - l->base) * GUTS_GRAPH_OID_BYTES;
	out->tree = p;
	out->generation = guts_be32(p + 28) >> 2;
	out->time_s = (uint64_t)(guts_be32(p + 28) & 3) << 32 | guts_be32(p + 32);
}

struct guts_graph_parents
guts_graph_parents(const struct guts_graph *g, uint32_t pos)
{
	const struct layer *l = layer_of(g, pos);
	const uint8_t *p = l->commits + (size_t)(pos - l->base) * CDAT_BYTES + GUTS_GRAPH_OID_BYTES;

	return (struct guts_graph_parents){ .first = guts_be32(p), .second = guts_be32(p + 4), .layer = (size_t)(l - g->v) };
}

bool
guts_graph_next_parent(struct guts_graph *g, struct guts_graph_parents *it, uint32_t *parent)
{
	const struct layer *l = &g->v[it->layer];
	uint32_t p;

	if (it->step == 0) {
		p = it->first;
		it->step = it->second == NO_PARENT ? 2 : 1;
		if (p == NO_PARENT) {
			it->step = 2;
			return false;
		}
	} else if (it->step == 2) {
		return false;
	} else if (it->second & MORE_PARENTS) {
		size_t at = ((size_t)(it->second & ~MORE_PARENTS) + it->edge++) * 4;

		p = at + 4 <= l->edges.n ? guts_be32(l->edges.p + at) : UINT32_MAX;
		if (p & MORE_PARENTS)
			it->step = 2;
		p &= ~MORE_PARENTS;
	} else {
		p = it->second;
		it->step = 2;
	}
	if (p >= l->base + l->n) {
		g->is_damaged = true;
		it->step = 2;
		return false;
	}
	*parent = p;
	return true;
}

/* -- the whole ------------------------------------------------------------------------- */

static bool
commit_is_sound(struct guts_graph *g, uint32_t pos)
{
	struct guts_graph_parents it = guts_graph_parents(g, pos);
	struct guts_graph_commit c, p;
	uint32_t parent;

	guts_graph_commit(g, pos, &c);
	while (guts_graph_next_parent(g, &it, &parent)) {
		guts_graph_commit(g, parent, &p);
		if (parent == pos || p.generation > c.generation)
			return false;
	}
	return !g->is_damaged;
}

int
guts_graph_check(struct guts_graph *g)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct layer *l = &g->v[i];
		uint8_t sum[GUTS_SHA1_SIZE];

		guts_sha1(sum, guts_slice(l->file.p, l->file.n - GUTS_SHA1_SIZE));
		if (memcmp(sum, l->file.p + l->file.n - GUTS_SHA1_SIZE, GUTS_SHA1_SIZE) != 0)
			return GUTS_EPROTO;
		for (uint32_t k = 1; k < l->n; k++) {
			const uint8_t *oid = l->oids + (size_t)k * GUTS_GRAPH_OID_BYTES;

			if (memcmp(oid - GUTS_GRAPH_OID_BYTES, oid, GUTS_GRAPH_OID_BYTES) >= 0)
				return GUTS_EPROTO;
		}
	}
	for (uint32_t pos = 0; pos < g->count; pos++)
		if (!commit_is_sound(g, pos))
			return GUTS_EPROTO;
	return GUTS_OK;
}

/* -- changed paths ------------------------------------------------------------------------ */

static uint32_t
rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

/* MurmurHash3, 32 bits. */
static uint32_t
murmur3(uint32_t seed, struct guts_slice s)
{
	const uint32_t c1 = 0xcc9e2d51, c2 = 0x1b873593;
	uint32_t h = seed, k = 0;
	size_t whole = s.n / 4 * 4;

	for (size_t i = 0; i < whole; i += 4) {
		k = (uint32_t)s.p[i] | (uint32_t)s.p[i + 1] << 8 | (uint32_t)s.p[i + 2] << 16 | (uint32_t)s.p[i + 3] << 24;
		h ^= rotate(k * c1, 15) * c2;
		h = rotate(h, 13) * 5 + 0xe6546b64;
	}
	k = 0;
	for (size_t i = s.n; i > whole; i--)
		k = k << 8 | s.p[i - 1];
	h ^= rotate(k * c1, 15) * c2;
	h ^= (uint32_t)s.n;
	h = (h ^ h >> 16) * 0x85ebca6b;
	h = (h ^ h >> 13) * 0xc2b2ae35;
	return h ^ h >> 16;
}

void
guts_graph_path(struct guts_graph_path *out, struct guts_slice path)
{
	out->n = 0;
	out->is_ascii = true;
	for (size_t i = path.n; i > 0 && out->n < GUTS_GRAPH_PARTS_MAX; i--) {
		struct guts_slice part = guts_slice(path.p, i);

		if (i == path.n || path.p[i] == '/')
			out->v[out->n++] = (struct guts_graph_part){ murmur3(0x293ae76f, part), murmur3(0x7e646e2c, part) };
	}
	for (size_t i = 0; i < path.n; i++)
		out->is_ascii &= path.p[i] < 0x80;
}

/* May one of a filter's paths be this one? */
static bool
may_hold(struct guts_slice filter, uint32_t hashes, const struct guts_graph_part *part)
{
	uint32_t bits = (uint32_t)filter.n * 8;

	for (uint32_t k = 0; k < hashes; k++) {
		uint32_t bit = (part->h0 + k * part->h1) % bits;

		if (!(filter.p[bit / 8] & 1u << (bit & 7)))
			return false;
	}
	return true;
}

bool
guts_graph_may_change(const struct guts_graph *g, uint32_t pos, const struct guts_graph_path *path)
{
	const struct layer *l = layer_of(g, pos);
	uint32_t i = pos - l->base, from, to;

	if (l->filter_ends == NULL || (!path->is_ascii && l->hash_version == 1))
		return true;
	from = i > 0 ? guts_be32(l->filter_ends + ((size_t)i - 1) * 4) : 0;
	to = guts_be32(l->filter_ends + (size_t)i * 4);
	if (from >= to || to > l->filters.n || to - from > FILTER_MAX)
		return true; /* none was made for it */
	for (uint32_t k = 0; k < path->n; k++)
		if (!may_hold(guts_slice(l->filters.p + from, to - from), l->hashes, &path->v[k]))
			return false;
	return true;
}
