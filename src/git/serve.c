/* git/serve.c - one call of git upload-pack per request, stateless as smart HTTP wants it.
 *
 * Any object may be asked for by its id, as protocol v2 has it anyway: a partial clone that speaks an older version fetches its blobs so.
 */
#include "git/serve.h"

#include "base/alloc.h"
#include "git/repostore_priv.h"

#include <stdio.h>
#include <stdlib.h>

unsigned
guts_serve_protocol(const char *header)
{
	unsigned version = 0;

	/* Keys are separated by colons; the highest version asked for counts, as in git. */
	for (const char *p = header; p != NULL && *p;) {
		size_t n = strcspn(p, ":");

		if (n == 9 && strncmp(p, "version=", 8) == 0 && p[8] >= '0' && p[8] <= '2' &&
		    (unsigned)(p[8] - '0') > version)
			version = (unsigned)(p[8] - '0');
		p += n;
		p += *p == ':';
	}
	return version;
}

const char *
guts_serve_preface(unsigned protocol)
{
	return protocol < 2 ? "001e# service=git-upload-pack\n0000" : "";
}

/* A peer id in text form, and nothing that could leave refs/namespaces/. */
static bool
is_author(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++) {
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= 'a' && s[i] <= 'z')))
			return false;
	}
	return n > 0 && n <= 100;
}

static void
refuse(int err, struct guts_pipe *in, struct guts_pipe *out,
    void (*done)(void *owner, const struct guts_child_result *r), void *owner)
{
	struct guts_child_result r = { .err = err, .exit_code = -1 };

	if (done)
		done(owner, &r);
	if (in)
		guts_pipe_drop(in);
	guts_pipe_end(out, err);
}

void
guts_serve_upload(struct guts_repostore *s, const struct guts_serve_spec *spec, struct guts_pipe *in,
    struct guts_pipe *out, void (*done)(void *owner, const struct guts_child_result *r), void *owner)
{
	static const char *const settings[] = { "-c", "transfer.hideRefs=refs/namespaces", "-c",
		"uploadpack.allowFilter=true", "-c", "uploadpack.allowAnySHA1InWant=true", "upload-pack", "--strict", "--stateless-rpc" };
	struct guts_gitcmd c;
	char version[32], *path;

	if (!guts_repostore_has(s, spec->repo) || (spec->author && !is_author(spec->author))) {
		refuse(GUTS_ENOTFOUND, in, out, done, owner);
		return;
	}
	path = guts_repostore_path(s, spec->repo);
	guts_gitcmd_init(&c, s->git_path, path, spec->key);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		guts_gitcmd_arg(&c, settings[i]);
	if (spec->advertise)
		guts_gitcmd_arg(&c, "--http-backend-info-refs");
	guts_gitcmd_arg(&c, path);
	if (spec->author)
		guts_gitcmd_env(&c, "GIT_NAMESPACE", spec->author);
	if (spec->protocol > 0) {
		snprintf(version, sizeof(version), "version=%u", spec->protocol);
		guts_gitcmd_env(&c, "GIT_PROTOCOL", version);
	}
	c.spec.is_serving = true;
	guts_childpipe_start(s->children, &c.spec, in, out, done, owner);
	guts_gitcmd_deinit(&c);
	free(path);
}
