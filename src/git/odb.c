/* git/odb.c - libgit2's object database, and libgit2 itself, started when the first one is opened.
 *
 * Its start takes 8 ms (it reads all certificates of the machine) and touches a megabyte of its own pages and of the six
 * libraries that it brings: a node that nobody asks about objects does without.
 */
#include "git/odb.h"

#include "git/repostore_priv.h"

#include "base/alloc.h"

#include <errno.h>
#include <git2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GIT2_CACHE_BYTES (16 << 20)   /* [bytes] objects that libgit2 keeps, all handles together */
#define GIT2_WINDOW_BYTES (8u << 20)  /* [bytes] one mapped window of a pack */
#define GIT2_MAPPED_BYTES (64u << 20) /* [bytes] mapped windows in all */
#define PEEL_DEPTH_MAX 16

static void
start(void)
{
	git_libgit2_init();
	for (int level = GIT_CONFIG_LEVEL_PROGRAMDATA; level <= GIT_CONFIG_LEVEL_GLOBAL; level++)
		git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
	git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, (ssize_t)GIT2_CACHE_BYTES);
	git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, (size_t)GIT2_WINDOW_BYTES);
	git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, (size_t)GIT2_MAPPED_BYTES);
	/* The certificates are about 1 MiB of heap; it never speaks TLS here, so they are traded for those of a
	 * folder that holds none. */
	git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, NULL, "/proc/self/task");
}

void
guts_git2_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, start);
}

int
guts_odb_open_folder(struct git_odb **odb, const char *objects)
{
	guts_git2_init();
	return git_odb_open(odb, objects) ? GUTS_EIO : GUTS_OK;
}

int
guts_odb_open(struct git_odb **odb, const char *repo_path)
{
	char *objects = guts_asprintf("%s/objects", repo_path);
	int err = access(objects, X_OK) ? guts_errno_err(errno) : guts_odb_open_folder(odb, objects);

	free(objects);
	return err;
}

bool
guts_odb_id(struct git_oid *out, const struct guts_oid *o)
{
	if (o->n != GIT_OID_RAWSZ)
		return false;
	git_oid_fromraw(out, o->b);
	return true;
}

enum guts_object_type
guts_odb_type(struct git_odb *odb, const struct guts_oid *o)
{
	git_object_t type;
	git_oid id;
	size_t len;

	if (!guts_odb_id(&id, o) || git_odb_read_header(&len, &type, odb, &id))
		return GUTS_OBJ_NONE;
	return type >= GIT_OBJECT_COMMIT && type <= GIT_OBJECT_TAG ? (enum guts_object_type)type : GUTS_OBJ_NONE;
}

struct guts_oid
guts_odb_peel(struct git_odb *odb, const struct guts_oid *o)
{
	struct guts_oid at = *o;

	for (unsigned depth = 0; depth < PEEL_DEPTH_MAX; depth++) {
		git_odb_object *obj = NULL;
		struct guts_slice data;
		git_oid id;

		if (!guts_odb_id(&id, &at) || git_odb_read(&obj, odb, &id))
			break;
		if (git_odb_object_type(obj) != GIT_OBJECT_TAG) {
			git_odb_object_free(obj);
			return depth > 0 ? at : (struct guts_oid){ 0 };
		}
		/* "object <40 hex>\n" is a tag's first line. */
		data = guts_slice(git_odb_object_data(obj), git_odb_object_size(obj));
		if (data.n < 48 || memcmp(data.p, "object ", 7) != 0 ||
		    guts_oid_from_hex(&at, guts_slice(data.p + 7, 40)))
			depth = PEEL_DEPTH_MAX;
		git_odb_object_free(obj);
	}
	return (struct guts_oid){ 0 };
}
