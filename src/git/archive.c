/* git/archive.c - one call of git archive per request. */
#include "git/archive.h"

#include "git/gitcmd.h"
#include "git/repostore_priv.h"

#include <stdio.h>
#include <stdlib.h>

void
guts_archive_start(struct guts_repostore *s, const struct guts_archive_spec *spec, struct guts_pipe *out)
{
	char hex[GUTS_OID_HEX_SIZE], prefix[GUTS_ARCHIVE_PREFIX_MAX + 16], *path;
	struct guts_gitcmd c;

	if (!guts_repostore_has(s, spec->repo)) {
		guts_pipe_end(out, GUTS_ENOTFOUND);
		return;
	}
	guts_oid_hex(hex, &spec->id);
	snprintf(prefix, sizeof(prefix), "--prefix=%s", spec->prefix);
	path = guts_repostore_path(s, spec->repo);
	guts_gitcmd_init(&c, s->git_path, path, spec->key);
	guts_gitcmd_arg(&c, "archive");
	guts_gitcmd_arg(&c, spec->format == GUTS_ARCHIVE_ZIP ? "--format=zip" : "--format=tar.gz");
	guts_gitcmd_arg(&c, prefix);
	guts_gitcmd_arg(&c, hex);
	c.spec.is_serving = true;
	guts_childpipe_start(s->children, &c.spec, NULL, out, NULL, NULL);
	guts_gitcmd_deinit(&c);
	free(path);
}
