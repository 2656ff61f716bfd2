/* tests/unit/test_payload.c - payloads of a fixed history against tests/vectors/webhooks, byte for byte but for white space.
 *
 * With GUTS_WRITE=FOLDER in the environment what came out is written there. */
#include "gitfix.h"

#include "bridge/delivery.h"
#include "bridge/payload.h"
#include "git/read.h"

#include <stdio.h>
#include <string.h>

#define HISTORY \
	"export GIT_AUTHOR_DATE='2026-01-02T03:04:05+0100' GIT_COMMITTER_DATE='2026-01-02T04:04:05+0100';" \
	"rm -rf work; git init -q -b main work; cd work; echo a > a; echo b > b; git add .; git commit -q -m 'first <b>\n\nbody \"x\"';" \
	"echo 2 > a; git mv b c; mkdir d; echo d > d/e; git add .; git commit -q -m second; git rm -q a; git commit -q -m third;" \
	"git tag -a -m release v1"

#define OWNER "12D3KooWLt4kqhaib9sDQuZk3jKkUtZNxpnugFJ4UZNF6kH5vvHm"

static char description[] = "a <b> \"repository\"", branch[] = "main";

struct fix {
	struct gitfix *f;
	struct guts_peerid peer;
	struct guts_repo_info repo;
	struct guts_refs_row rows[1];
	struct guts_refs_view view;
	char path[96];
	char first[GUTS_OID_HEX_SIZE], third[GUTS_OID_HEX_SIZE];
};

static void
begin(struct fix *x, struct gitfix *f)
{
	memset(x, 0, sizeof *x);
	x->f = f;
	assert_int_equal(sh(f, HISTORY), 0);
	snprintf(x->path, sizeof x->path, "%s/work/.git", f->dir);
	guts_oid_hex(x->first, &(struct guts_oid[]){ oid_of(f, "main~2") }[0]);
	guts_oid_hex(x->third, &(struct guts_oid[]){ oid_of(f, "main") }[0]);
	assert_int_equal(guts_peerid_parse(&x->peer, guts_slice_str(OWNER)), 0);
	x->rows[0] = (struct guts_refs_row){ .name = "refs/heads/main", .oid = oid_of(f, "main"), .author = x->peer };
	x->view = (struct guts_refs_view){ .n = 1, .v = x->rows };
	x->repo = (struct guts_repo_info){ .id = { [26] = 1, [31] = 7 }, .id_text = "bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		.creator = x->peer, .name = "demo", .description = description, .default_branch = branch,
		.format = GUTS_SHA1, .created_wall_ms = 1000, .updated_wall_ms = 2000, .size_bytes = 3000, .is_delegate = true,
		.threshold = 1, .ndelegates = 1, .delegates = &x->peer, .canonical = &x->view };
}

/* Without white space outside of strings. */
static void
compact(struct guts_buf *out, struct guts_slice in)
{
	bool quoted = false;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '"' && (i == 0 || in.p[i - 1] != '\\'))
			quoted = !quoted;
		if (quoted || (in.p[i] != ' ' && in.p[i] != '\n'))
			guts_buf_add_u8(out, in.p[i]);
	}
}

static void
read_file(struct guts_buf *out, const char *path)
{
	FILE *f = fopen(path, "r");
	char part[4096];
	size_t n;

	if (f == NULL)
		fail_msg("%s cannot be read", path);
	while ((n = fread(part, 1, sizeof part, f)) > 0)
		guts_buf_add(out, part, n);
	fclose(f);
}

static void
check(const struct fix *x, const char *name, struct guts_payload p)
{
	const char *srcdir = getenv("GUTS_SRCDIR"), *folder = getenv("GUTS_WRITE");
	struct guts_buf got, file, want;
	char path[512];
	FILE *f;

	p.git_path = x->path;
	p.base = "https://code.example";
	guts_buf_init(&got, GUTS_DELIVERY_BODY_MAX);
	guts_buf_init(&file, 1u << 20);
	guts_buf_init(&want, 1u << 20);
	assert_int_equal(guts_payload_make(&got, &p), 0);
	if (folder) {
		snprintf(path, sizeof path, "%s/%s.json", folder, name);
		f = fopen(path, "w");
		fputs(guts_buf_cstr(&got), f);
		fclose(f);
	}
	snprintf(path, sizeof path, "%s/tests/vectors/webhooks/%s.json", srcdir ? srcdir : "../..", name);
	read_file(&file, path);
	compact(&want, guts_buf_slice(&file));
	assert_string_equal(guts_buf_cstr(&got), guts_buf_cstr(&want));
	guts_buf_deinit(&got);
	guts_buf_deinit(&file);
	guts_buf_deinit(&want);
}

static struct guts_fact_attr
text(const char *name, const char *value)
{
	return (struct guts_fact_attr){ .name = name, .text = guts_slice_str(value) };
}

static struct guts_fact
move(const struct fix *x, const char *ref, const char *before, const char *after, const char *kind)
{
	static const char none[] = "0000000000000000000000000000000000000000";
	struct guts_fact f = { .id = 9, .type = "repo.ref.updated", .wall_ns = 1000000000, .repo = guts_slice(x->repo.id, 32),
		.peer = guts_peerid_slice(&x->peer), .n = 4 };

	f.attr[0] = text("ref", ref);
	f.attr[1] = text("old", before ? before : none);
	f.attr[2] = text("new", after ? after : none);
	f.attr[3] = text("kind", kind);
	return f;
}

static void
pushes(void **state)
{
	struct guts_fact update, force, created, tag, gone;
	struct fix x;

	begin(&x, *state);
	update = move(&x, "refs/heads/main", x.first, x.third, "update");
	check(&x, "push-github", (struct guts_payload){ .event = "push", .fact = &update, .repo = &x.repo });
	check(&x, "push-gitea", (struct guts_payload){ .event = "push", .fact = &update, .repo = &x.repo, .gitea = true });
	force = move(&x, "refs/heads/main", x.third, x.first, "force");
	check(&x, "push-force", (struct guts_payload){ .event = "push", .fact = &force, .repo = &x.repo });
	created = move(&x, "refs/heads/main", NULL, x.first, "create");
	check(&x, "push-created", (struct guts_payload){ .event = "push", .fact = &created, .repo = &x.repo });
	check(&x, "create", (struct guts_payload){ .event = "create", .fact = &created, .repo = &x.repo });
	tag = move(&x, "refs/tags/v1", NULL, x.third, "create");
	check(&x, "push-tag", (struct guts_payload){ .event = "push", .fact = &tag, .repo = &x.repo });
	gone = move(&x, "refs/heads/old", x.first, NULL, "delete");
	check(&x, "push-deleted", (struct guts_payload){ .event = "push", .fact = &gone, .repo = &x.repo });
	check(&x, "delete", (struct guts_payload){ .event = "delete", .fact = &gone, .repo = &x.repo });
}

static void
others(void **state)
{
	struct guts_hook hook = { .id = 3, .active = true, .nevents = 1, .events = { "push" }, .url = "https://ci.example/",
		.secret = "not to be seen", .authorization = "nor this" };
	struct guts_fact f = { .id = 10, .type = "status.created", .wall_ns = 1000000000, .n = 6 }, ping;
	struct fix x;

	begin(&x, *state);
	f.repo = guts_slice(x.repo.id, 32);
	f.peer = guts_peerid_slice(&x.peer);
	f.attr[0] = text("commit", x.third);
	f.attr[1] = text("context", "ci/x");
	f.attr[2] = text("state", "failure");
	f.attr[3] = text("description", "3 of 5");
	f.attr[4] = text("target_url", "https://ci.example/1");
	f.attr[5] = (struct guts_fact_attr){ .name = "counts", .is_number = true, .number = 1 };
	check(&x, "status", (struct guts_payload){ .event = "status", .fact = &f, .repo = &x.repo });
	f.attr[0] = text("commit", "1234567890123456789012345678901234567890");
	check(&x, "status-early", (struct guts_payload){ .event = "status", .fact = &f, .repo = &x.repo });
	f = (struct guts_fact){ .id = 11, .type = "repo.removed", .wall_ns = 1000000000, .repo = f.repo, .peer = f.peer, .n = 2 };
	f.attr[0] = text("owner", OWNER);
	f.attr[1] = text("name", "demo");
	check(&x, "repository-deleted", (struct guts_payload){ .event = "repository", .action = "deleted", .fact = &f });
	check(&x, "repository-edited",
	    (struct guts_payload){ .event = "repository", .action = "edited", .fact = &f, .repo = &x.repo });
	ping = (struct guts_fact){ .type = "ping", .peer = f.peer };
	check(&x, "ping", (struct guts_payload){ .event = "ping", .fact = &ping, .hook = &hook });
	f = (struct guts_fact){ .id = 12, .type = "peer.connected", .wall_ns = 1000000000, .peer = f.peer, .n = 1 };
	f.attr[0] = text("direction", "inbound");
	check(&x, "peer", (struct guts_payload){ .event = "peer.connected", .fact = &f });
}

/* Whatever does not fit: fewer commits, then only the newest, its message cut; never an error. */
static void
always_fits(void **state)
{
	struct guts_fact f;
	struct guts_payload p;
	struct guts_buf out;
	struct fix x;

	begin(&x, *state);
	assert_int_equal(sh(*state, "cd work; for i in $(seq 1 40); do head -c 20000 /dev/zero | tr '\\0' y | "
	    "git commit -q --allow-empty -F -; done; git rev-parse HEAD > ../tip"), 0);
	guts_oid_hex(x.third, &(struct guts_oid[]){ oid_of(*state, "main") }[0]);
	f = move(&x, "refs/heads/main", x.first, x.third, "update");
	p = (struct guts_payload){ .event = "push", .fact = &f, .repo = &x.repo, .git_path = x.path, .base = "https://n" };
	for (size_t max = GUTS_DELIVERY_BODY_MAX; max >= 8192; max /= 2) {
		guts_buf_init(&out, max);
		assert_int_equal(guts_payload_make(&out, &p), 0);
		assert_true(out.len <= max && memmem(guts_buf_cstr(&out), out.len, x.third, 40) != NULL);
		assert_non_null(strstr(guts_buf_cstr(&out), "\"total_commits\":42"));
		guts_buf_deinit(&out);
	}
	f.attr[2].text = guts_slice_str("1234567890123456789012345678901234567890"); /* not here */
	guts_buf_init(&out, GUTS_DELIVERY_BODY_MAX);
	assert_int_equal(guts_payload_make(&out, &p), 0);
	assert_non_null(strstr(guts_buf_cstr(&out), "\"commits\":[],\"total_commits\":0,\"head_commit\":null"));
	guts_buf_deinit(&out);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pushes, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(others, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(always_fits, git_setup, git_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
