/* A CI job as another node tells it: what is taken has texts that are plain and in their bounds, and shown and read again it
 * is the same job. */
#include "base/text.h"
#include "bridge/ciview.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static void
check_text(const char *s, size_t max)
{
	if (strnlen(s, max + 1) > max || !guts_text_is_clean(guts_slice_str(s), false))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct guts_repo_info repo = { .name = "demo" };
	static struct guts_cijob j, again;
	struct guts_json w;
	struct guts_buf b;

	if (guts_cijob_read(&j, guts_slice(data, n)))
		return 0;
	check_text(j.ref, GUTS_REFNAME_MAX);
	check_text(j.runner, GUTS_CIJOB_RUNNER_MAX);
	check_text(j.description, GUTS_CIJOB_DESCRIPTION_MAX);
	check_text(j.target_url, GUTS_CIJOB_URL_MAX);
	for (size_t i = 0; i < j.nfiles; i++) {
		if (!guts_cifile_name_is_valid(j.files[i].name))
			abort();
	}
	guts_buf_init(&b, 1u << 20);
	guts_json_init(&w, &b);
	guts_cijob_view(&w, "", &j, &repo, 0, 0);
	if (b.failed || guts_cijob_read(&again, guts_buf_slice(&b)) || strcmp(j.id, again.id) != 0 ||
	    !guts_oid_eq(&j.commit, &again.commit) || j.state != again.state || j.nsteps != again.nsteps || j.nfiles != again.nfiles)
		abort();
	guts_buf_deinit(&b);
	return 0;
}
