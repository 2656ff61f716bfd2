/* Unit tests of git/repostore, project, listrefs, packer, query and serve, against stock git. */
#include "gitfix.h"

#include "git/serve.h"

/* Bring the work tree's objects in; returns the tip. */
static struct guts_oid
fill(struct gitfix *f)
{
	struct guts_oid tip = oid_of(f, "main");
	struct taking t = { 0 };

	assert_int_equal(sh(f, "git -C work rev-list --objects --all | cut -c1-40 | git -C work pack-objects -q --stdout > p"), 0);
	assert_int_equal(take(f, "p", &tip, 1, &t), 0);
	return tip;
}

static void
stock_git_opens_it(void **state)
{
	struct gitfix *f = *state;
	char *head;

	assert_int_equal(sh(f, "test \"$(git -C %s rev-parse --is-bare-repository)\" = true", f->path), 0);
	assert_int_equal(sh(f, "git -C %s fsck >/dev/null 2>&1", f->path), 0);
	head = line_of(f, "git -C %s symbolic-ref HEAD", f->path);
	assert_string_equal(head, "refs/heads/main");
	free(head);
	assert_int_equal(make_repo(f, 0xa1), 0);
	memset(f->id, 9, sizeof(f->id));
	guts_repos_create(f->repos, f->id, GUTS_SHA256, guts_slice_str("refs/heads/main"), on_err, f);
	guts_uvenv_run(f->uv);
	assert_int_equal(f->err, GUTS_EUNSUPPORTED);
}

static void
on_size(void *owner, int err, uint64_t bytes)
{
	struct gitfix *f = owner;

	f->err = err ? err : (int)bytes;
	guts_uvenv_stop(f->uv);
}

static void
size_and_removal(void **state)
{
	struct gitfix *f = *state;

	fill(f);
	guts_repos_size(f->repos, f->id, on_size, f);
	guts_uvenv_run(f->uv);
	assert_true(f->err > 1000 && f->err < 100000);
	guts_repos_remove(f->repos, f->id, on_err, f);
	guts_uvenv_run(f->uv);
	assert_int_equal(f->err, 0);
	assert_int_equal(sh(f, "test -z \"$(ls repos/a1)\""), 0);
	guts_repos_remove(f->repos, f->id, on_err, f);
	guts_uvenv_run(f->uv);
	assert_int_equal(f->err, 0);
	guts_repos_size(f->repos, f->id, on_size, f);
	guts_uvenv_run(f->uv);
	assert_int_equal(f->err, GUTS_ENOTFOUND);
}

/* -- refs ------------------------------------------------------------------------------ */

static int
project(struct gitfix *f, const struct guts_ref_update *v, size_t n, bool exact, const char *head)
{
	guts_repos_project(f->repos, f->id, v, n, exact, guts_slice_str(head), on_err, f);
	guts_uvenv_run(f->uv);
	return f->err;
}

static int
project_one(struct gitfix *f, const char *name, const struct guts_oid *o)
{
	struct guts_ref_update u = { guts_slice_str(name), o ? *o : (struct guts_oid){ 0 } };

	return project(f, &u, 1, false, "");
}

static void
expect_refs(struct gitfix *f, const char *want)
{
	char *got = line_of(f, "git -C %s for-each-ref --format='%%(refname)' | tr '\\n' ' '", f->path);

	assert_string_equal(got, want);
	free(got);
}

static void
on_refs(void *owner, int err, const struct guts_ref_row *v, size_t n)
{
	struct gitfix *f = owner;
	char path[96];
	FILE *out;

	snprintf(path, sizeof(path), "%s/rows", f->dir);
	out = fopen(path, "w");
	for (size_t i = 0; i < n; i++) {
		char hex[GUTS_OID_HEX_SIZE];

		guts_oid_hex(hex, &v[i].oid);
		fprintf(out, "%s %s\n", hex, v[i].name);
	}
	fclose(out);
	on_err(f, err);
}

static void
refs_are_what_git_sees(void **state)
{
	struct gitfix *f = *state;
	struct guts_oid tip, first;
	struct guts_ref_update v[4];

	assert_int_equal(sh(f, "git -C work tag -a -m x v1 main; git -C work tag light main~1"), 0);
	tip = fill(f);
	first = oid_of(f, "main~1");
	assert_int_equal(project_one(f, "refs/heads/main", &tip), 0);
	expect_refs(f, "refs/heads/main ");
	v[0] = (struct guts_ref_update){ guts_slice_str("refs/tags/v1"), oid_of(f, "v1") };
	v[1] = (struct guts_ref_update){ guts_slice_str("refs/tags/light"), first };
	v[2] = (struct guts_ref_update){ guts_slice_str("refs/heads/a/b"), first };
	v[3] = (struct guts_ref_update){ guts_slice_str("refs/heads/main"), first };
	assert_int_equal(project(f, v, 4, false, ""), 0);
	expect_refs(f, "refs/heads/a/b refs/heads/main refs/tags/light refs/tags/v1 ");
	assert_int_equal(sh(f, "test $(git -C %s rev-parse main) = $(git -C work rev-parse main~1)", f->path), 0);
	assert_int_equal(sh(f, "test $(git -C %s rev-parse v1^{}) = $(git -C work rev-parse main)", f->path), 0);
	assert_int_equal(sh(f, "git -C %s show-ref -d | grep -q '\\^{}'", f->path), 0);

	/* A file where a folder was, in one change. */
	v[0] = (struct guts_ref_update){ guts_slice_str("refs/heads/a/b"), { 0 } };
	v[1] = (struct guts_ref_update){ guts_slice_str("refs/heads/a"), tip };
	assert_int_equal(project(f, v, 2, false, ""), 0);
	expect_refs(f, "refs/heads/a refs/heads/main refs/tags/light refs/tags/v1 ");
	assert_int_equal(project_one(f, "refs/heads/not-there", NULL), 0);

	/* Loose refs of a stray hand are listed, overruled by a change, and removed by an exact projection. */
	assert_int_equal(sh(f, "git -C %s update-ref refs/heads/stray main; git -C %s update-ref refs/heads/main v1^{}", f->path,
	    f->path), 0);
	guts_repos_refs(f->repos, f->id, on_refs, f);
	guts_uvenv_run(f->uv);
	assert_int_equal(f->err, 0);
	assert_int_equal(sh(f, "git -C %s for-each-ref --format='%%(objectname) %%(refname)' > b; cmp rows b", f->path), 0);
	assert_int_equal(project_one(f, "refs/heads/main", &first), 0);
	assert_int_equal(sh(f, "test $(git -C %s rev-parse main) = $(git -C work rev-parse main~1)", f->path), 0);
	v[0] = (struct guts_ref_update){ guts_slice_str("refs/heads/main"), tip };
	v[1] = (struct guts_ref_update){ guts_slice_str("refs/heads/a"), tip };
	assert_int_equal(project(f, v, 2, true, ""), 0);
	expect_refs(f, "refs/heads/a refs/heads/main ");
	assert_int_equal(sh(f, "git -C %s fsck --strict > out 2>&1; ! grep -i -e error -e broken out", f->path), 0);
}

static void
damage_is_repaired(void **state)
{
	struct gitfix *f = *state;
	struct guts_oid tip = fill(f);
	struct guts_ref_update v[] = { { guts_slice_str("refs/heads/main"), tip }, { guts_slice_str("refs/heads/x"), tip } };
	static const char *const harm[] = { ": > packed-refs", "rm packed-refs", "echo garbage > packed-refs",
		"printf xyz > packed-refs", "head -c 60 packed-refs > q; mv q packed-refs",
		"echo junk > refs/heads/main", "mkdir -p refs/heads/x/y/z", ": > packed-refs.lock" };

	assert_int_equal(project(f, v, 2, true, "refs/heads/main"), 0);
	for (size_t i = 0; i < sizeof(harm) / sizeof(harm[0]); i++) {
		assert_int_equal(sh(f, "cd %s; %s", f->path, harm[i]), 0);
		assert_int_equal(project(f, v, 2, true, "refs/heads/main"), 0);
		expect_refs(f, "refs/heads/main refs/heads/x ");
	}
}

static void
names_stay_in_their_place(void **state)
{
	static const char *const bad[] = { "", "HEAD", "config", "refs", "refs/", "../x", "refs/../config",
		"refs/heads/../../config", "refs/heads/a..b", "refs/heads/.a", "refs/heads/a.lock", "refs/heads/a\nb",
		"refs/heads/a b", "refs//a", "refs/replace/x", "refs/namespaces/x", "refs/namespaces//refs/heads/a",
		"refs/namespaces/../refs/heads/a", "refs/namespaces/x/HEAD", "refs/namespaces/x/y/refs/heads/a",
		"refs/namespaces/x/refs/namespaces/y/refs/heads/a", "refs/heads/@{x}", "objects/info/alternates" };
	struct gitfix *f = *state;
	struct guts_oid tip = fill(f);
	struct guts_ref_update twice[] = { { guts_slice_str("refs/heads/a"), tip }, { guts_slice_str("refs/heads/a"), tip } };

	assert_int_equal(sh(f, "(cd %s; : > packed-refs; find . | sort) > before", f->path), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (project_one(f, bad[i], &tip) != GUTS_EINVAL)
			fail_msg("%s was taken: %d", bad[i], f->err);
	assert_int_equal(project(f, twice, 2, false, ""), GUTS_EINVAL);
	assert_int_equal(project(f, twice, 1, false, "refs/../x"), GUTS_EINVAL);
	assert_int_equal(sh(f, "(cd %s; find . | sort) > after; cmp before after", f->path), 0);
}

static void
authors_have_namespaces(void **state)
{
	struct gitfix *f = *state;
	struct guts_oid tip = fill(f);
	struct guts_ref_update v[] = { { guts_slice_str("refs/heads/main"), tip },
		{ guts_slice_str("refs/namespaces/12D3Koo/refs/heads/main"), tip },
		{ guts_slice_str("refs/namespaces/12D3Koo/refs/heads/topic"), tip },
		{ guts_slice_str("refs/namespaces/12D3Kother/refs/heads/topic"), tip } };
	char *head;

	assert_int_equal(project(f, v, 4, true, "refs/heads/main"), 0);
	head = line_of(f, "cat %s/refs/namespaces/12D3Koo/HEAD", f->path);
	assert_string_equal(head, "ref: refs/namespaces/12D3Koo/refs/heads/main");
	free(head);
	assert_int_equal(sh(f, "test ! -e %s/refs/namespaces/12D3Kother/HEAD", f->path), 0);
	assert_int_equal(project(f, v, 4, true, "refs/heads/topic"), 0);
	assert_int_equal(sh(f, "grep -q topic %s/refs/namespaces/12D3Kother/HEAD", f->path), 0);
	v[2].oid = (struct guts_oid){ 0 };
	assert_int_equal(project(f, v + 2, 1, false, ""), 0);
	assert_int_equal(sh(f, "test ! -e %s/refs/namespaces/12D3Koo/HEAD", f->path), 0);
	assert_int_equal(project(f, v, 1, true, ""), 0);
	assert_int_equal(sh(f, "test -z \"$(find %s/refs/namespaces -type f)\"", f->path), 0);
}

static void
many_refs_change_at_once(void **state)
{
	enum { N = 3000 };
	struct gitfix *f = *state;
	struct guts_oid tip = fill(f);
	struct guts_ref_update *v = guts_calloc(N, sizeof(*v));
	char(*names)[32] = guts_calloc(N, sizeof(*names));
	char *count;

	for (unsigned i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "refs/%s/n%u", i % 2 ? "tags" : "heads", i * 7919 % N);
		v[i] = (struct guts_ref_update){ guts_slice_str(names[i]), tip };
	}
	assert_int_equal(project(f, v, N, false, ""), 0);
	count = line_of(f, "git -C %s for-each-ref | wc -l", f->path);
	assert_int_equal(strtol(count, NULL, 10), N);
	free(count);
	assert_int_equal(project_one(f, "refs/heads/main", &tip), 0);
	count = line_of(f, "git -C %s for-each-ref | wc -l", f->path);
	assert_int_equal(strtol(count, NULL, 10), N + 1);
	free(count);
	free(names);
	free(v);
}

/* -- questions and packs ------------------------------------------------------------------ */

struct asked {
	struct gitfix *f;
	int err;
	struct guts_object_query v[5];
};

static void
on_answers(void *owner, int err, const struct guts_object_query *v, size_t n)
{
	struct asked *a = owner;

	a->err = err;
	memcpy(a->v, v, n * sizeof(*v));
	guts_uvenv_stop(a->f->uv);
}

static void
questions_about_objects(void **state)
{
	struct gitfix *f = *state;
	struct guts_oid tip = fill(f), first = oid_of(f, "main~2"), none = tip;
	struct asked a = { .f = f };
	struct guts_object_query q[5] = { { .oid = tip, .ancestor = first }, { .oid = first, .ancestor = tip },
		{ .oid = tip, .ancestor = tip }, { .oid = oid_of(f, "main:sub"), .ancestor = tip }, { .ancestor = first } };

	none.b[3] ^= 1;
	q[4].oid = none;
	guts_repos_query(f->repos, f->id, q, 5, on_answers, &a);
	guts_uvenv_run(f->uv);
	assert_int_equal(a.err, 0);
	assert_true(a.v[0].type == GUTS_OBJ_COMMIT && a.v[0].is_ancestor);
	assert_true(a.v[1].type == GUTS_OBJ_COMMIT && !a.v[1].is_ancestor);
	assert_true(a.v[2].is_ancestor);
	assert_true(a.v[3].type == GUTS_OBJ_TREE && !a.v[3].is_ancestor);
	assert_true(a.v[4].type == GUTS_OBJ_NONE && !a.v[4].is_ancestor);
	memset(f->id, 0x55, sizeof(f->id));
	guts_repos_query(f->repos, f->id, q, 1, on_answers, &a);
	guts_uvenv_run(f->uv);
	assert_int_equal(a.err, GUTS_ENOTFOUND);
}

struct packing {
	struct gitfix *f;
	struct guts_packer *p;
	FILE *out;
	int err;
	unsigned events;
};

static void
unpause(void *arg)
{
	struct packing *k = arg;

	guts_pack_pause(k->f->repos, k->p, false);
}

static void
on_pack_data(void *owner, struct guts_slice bytes)
{
	struct packing *k = owner;

	assert_int_equal(fwrite(bytes.p, 1, bytes.n, k->out), bytes.n);
	/* A slow peer: pause at each piece. */
	if (k->events++ < 20) {
		guts_pack_pause(k->f->repos, k->p, true);
		guts_env_post(guts_uvenv_env(k->f->uv), unpause, k);
	}
}

static void
on_pack_end(void *owner, int err)
{
	struct packing *k = owner;

	k->err = err;
	guts_uvenv_stop(k->f->uv);
}

static const struct guts_packer_events packing_events = { on_pack_data, on_pack_end };

static int
make_pack(struct gitfix *f, const char *name, const struct guts_oid *wants, size_t nw, const struct guts_oid *haves, size_t nh)
{
	struct packing k = { .f = f };
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	k.out = fopen(path, "wb");
	assert_int_equal(guts_pack_open(f->repos, f->id, wants, nw, haves, nh, &packing_events, &k, &k.p), 0);
	guts_uvenv_run(f->uv);
	guts_pack_close(f->repos, k.p);
	fclose(k.out);
	return k.err;
}

static int
make_exact(struct gitfix *f, const char *name, const struct guts_oid *wants, size_t nw)
{
	struct packing k = { .f = f };
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	k.out = fopen(path, "wb");
	assert_int_equal(guts_pack_exact(f->repos, f->id, wants, nw, &packing_events, &k, &k.p), 0);
	guts_uvenv_run(f->uv);
	guts_pack_close(f->repos, k.p);
	fclose(k.out);
	return k.err;
}

static void
single_objects_go_out_if_a_ref_reaches_them(void **state)
{
	struct gitfix *f = *state;
	struct guts_oid tip, some[4], hidden[2];
	struct guts_packer *p;

	assert_int_equal(sh(f, "cd work; echo 1 > a; git add .; git commit -q -m a; echo 2 > a; git commit -q -a -m b"), 0);
	tip = fill(f);
	assert_int_equal(make_exact(f, "early", &tip, 1), GUTS_ENOTFOUND); /* it is there, and no ref names it yet */
	assert_int_equal(project_one(f, "refs/heads/main", &tip), 0);
	some[0] = oid_of(f, "main~1:a");
	some[1] = oid_of(f, "main^{tree}");
	some[2] = oid_of(f, "main~1");
	some[3] = some[0]; /* twice */
	assert_int_equal(make_exact(f, "some", some, 4), 0);
	assert_int_equal(sh(f, "rm -rf x; git init -q --bare x; git -C x index-pack --stdin < some > out;"
	    "test $(git -C x cat-file --batch-all-objects --batch-check | wc -l) = 3"), 0);

	/* A ref that was moved away leaves the object behind, out of reach. */
	hidden[0] = tip;
	hidden[1] = some[0];
	assert_int_equal(project_one(f, "refs/heads/main", &some[2]), 0);
	assert_int_equal(make_exact(f, "hidden", hidden, 1), GUTS_ENOTFOUND);
	assert_int_equal(make_exact(f, "mixed", hidden, 2), GUTS_ENOTFOUND);
	assert_int_equal(make_exact(f, "some", some, 1), 0);
	hidden[0].b[0] ^= 0xff;
	assert_int_equal(make_exact(f, "missing", hidden, 1), GUTS_ENOTFOUND);

	assert_int_equal(guts_pack_exact(f->repos, f->id, some, 1, &packing_events, NULL, &p), 0);
	guts_pack_close(f->repos, p);
}

static void
packs_travel_between_repositories(void **state)
{
	struct gitfix *f = *state;
	struct guts_oid tip, old[3], none;
	struct guts_packer *p;
	struct taking t = { 0 };

	assert_int_equal(sh(f, "cd work; head -c 700000 /dev/urandom > noise; git add .; git commit -q -m noise; seq 1 9999 > s; git add .;"
	    "git commit -q -m s; seq 1 9998 > s; git commit -q -a -m t"), 0);
	tip = fill(f);
	old[0] = oid_of(f, "main~1");
	none = tip;
	none.b[0] ^= 0xff;
	old[1] = none;
	old[2] = oid_of(f, "main~1^{tree}");
	assert_int_equal(make_pack(f, "whole", old, 1, NULL, 0), 0);
	assert_int_equal(make_pack(f, "thin", &tip, 1, old, 3), 0);
	assert_int_equal(sh(f, "test $(stat -c %%s thin) -lt 3000"), 0);
	assert_int_equal(make_pack(f, "nothing", &none, 1, NULL, 0), GUTS_ENOTFOUND);
	assert_int_equal(make_pack(f, "empty", &tip, 1, &tip, 1), 0);

	/* Closing early, at any moment, is fine. */
	assert_int_equal(guts_pack_open(f->repos, f->id, &tip, 1, NULL, 0, &packing_events, NULL, &p), 0);
	guts_pack_close(f->repos, p);

	assert_int_equal(make_repo(f, 0xb2), 0);
	if (take(f, "whole", old, 1, &t) || take(f, "thin", &tip, 1, &t))
		fail_msg("%s", t.detail);
	assert_int_equal(take(f, "empty", &tip, 1, &t), 0);
	assert_int_equal(project_one(f, "refs/heads/main", &tip), 0);
	assert_int_equal(sh(f, "git -C %s fsck --strict > out 2>&1; test $(git -C %s rev-parse main) = $(git -C work rev-parse main)",
	    f->path, f->path), 0);
	memset(f->id, 0x55, sizeof(f->id));
	assert_int_equal(guts_pack_open(f->repos, f->id, &tip, 1, NULL, 0, &packing_events, NULL, &p), GUTS_ENOTFOUND);
}

/* -- serving ------------------------------------------------------------------------------ */

struct serving {
	struct gitfix *f;
	struct guts_pipe *out;
	struct guts_buf text;
	int end;
	bool over;
};

static void
drain(void *arg)
{
	struct serving *s = arg;
	uint8_t part[1000];
	ssize_t n;

	if (s->over)
		return;
	while ((n = guts_pipe_read(s->out, part, sizeof(part))) > 0)
		guts_buf_add(&s->text, part, (size_t)n);
	if (n == 0) {
		guts_pipe_wait_data(s->out);
		return;
	}
	s->over = true;
	s->end = (int)n;
	guts_pipe_drop(s->out);
	guts_uvenv_stop(s->f->uv);
}

static void
on_bytes(void *arg)
{
	struct serving *s = arg;

	guts_env_post(guts_uvenv_env(s->f->uv), drain, s);
}

/* Run one request; the answer is in s->text. */
static int
serve(struct serving *s, struct guts_serve_spec *spec, const char *body)
{
	struct guts_pipe *in = body ? guts_pipe_new(GUTS_PIPE_BYTES) : NULL;

	memcpy(spec->repo, s->f->id, sizeof(spec->repo));
	s->over = false;
	s->out = guts_pipe_new(GUTS_PIPE_BYTES);
	guts_buf_init(&s->text, 1u << 20);
	guts_pipe_on_data(s->out, on_bytes, s);
	if (body) {
		assert_int_equal(guts_pipe_write(in, guts_slice_str(body)), strlen(body));
		guts_pipe_end(in, 0);
	}
	guts_serve_upload(s->f->store, spec, in, s->out, NULL, NULL);
	guts_pipe_wait_data(s->out);
	guts_uvenv_run(s->f->uv);
	return s->end;
}

static bool
says(struct serving *s, const char *text)
{
	return s->text.len > 0 && memmem(guts_buf_cstr(&s->text), s->text.len, text, strlen(text)) != NULL;
}

static void
fetches_are_served(void **state)
{
	struct gitfix *f = *state;
	struct guts_oid tip = fill(f);
	struct guts_ref_update v[] = { { guts_slice_str("refs/heads/main"), tip },
		{ guts_slice_str("refs/namespaces/12D3Koo/refs/heads/mine"), tip } };
	struct guts_serve_spec spec = { .advertise = true };
	struct serving s = { .f = f };
	char body[256], hex[GUTS_OID_HEX_SIZE];

	assert_int_equal(project(f, v, 2, true, "refs/heads/main"), 0);
	assert_int_equal(serve(&s, &spec, NULL), GUTS_ECLOSED);
	assert_true(says(&s, "refs/heads/main") && !says(&s, "namespaces") && !says(&s, "mine"));
	guts_buf_deinit(&s.text);
	spec.author = "12D3Koo";
	assert_int_equal(serve(&s, &spec, NULL), GUTS_ECLOSED);
	assert_true(says(&s, "refs/heads/mine") && !says(&s, "refs/heads/main") && !says(&s, "namespaces"));
	guts_buf_deinit(&s.text);
	spec.protocol = 2;
	assert_int_equal(serve(&s, &spec, NULL), GUTS_ECLOSED);
	assert_true(says(&s, "version 2") && says(&s, "filter") && !says(&s, "# service"));
	guts_buf_deinit(&s.text);

	guts_oid_hex(hex, &tip);
	snprintf(body, sizeof(body), "0032want %s\n00000009done\n", hex);
	spec = (struct guts_serve_spec){ 0 };
	assert_int_equal(serve(&s, &spec, body), GUTS_ECLOSED);
	assert_true(says(&s, "NAK") && says(&s, "PACK"));
	guts_buf_deinit(&s.text);

	spec.author = "../..";
	assert_int_equal(serve(&s, &spec, body), GUTS_ENOTFOUND);
	guts_buf_deinit(&s.text);
	spec.author = NULL;
	memset(f->id, 0x55, sizeof(f->id));
	assert_int_equal(serve(&s, &spec, body), GUTS_ENOTFOUND);
	guts_buf_deinit(&s.text);
	assert_int_equal(guts_serve_protocol("version=2"), 2);
	assert_int_equal(guts_serve_protocol("x=y:version=1"), 1);
	assert_int_equal(guts_serve_protocol("version=7"), 0);
	assert_int_equal(guts_serve_protocol(NULL), 0);
}

static void
count_children(void *arg)
{
	struct gitfix *f = arg;
	unsigned running, waiting;

	guts_children_count(f->children, &running, &waiting);
	if (running + waiting == 0)
		guts_uvenv_stop(f->uv);
	else
		guts_env_post(guts_uvenv_env(f->uv), count_children, f);
}

/* The client goes away in the middle: the child goes too, whatever it waits for. */
static void
a_dropped_fetch_frees_its_child(void **state)
{
	struct gitfix *f = *state;
	struct guts_oid tip = fill(f);
	struct guts_serve_spec spec = { 0 };

	assert_int_equal(project_one(f, "refs/heads/main", &tip), 0);
	memcpy(spec.repo, f->id, sizeof(spec.repo));
	for (unsigned k = 0; k < 3; k++) {
		struct guts_pipe *in = guts_pipe_new(GUTS_PIPE_BYTES), *out = guts_pipe_new(GUTS_PIPE_BYTES);

		assert_int_equal(guts_pipe_write(in, guts_slice_str("00")), 2);
		guts_serve_upload(f->store, &spec, in, out, NULL, NULL);
		if (k > 0)
			make_repo(f, 0xa1);
		if (k < 2)
			guts_pipe_drop(out);
		guts_pipe_end(in, k < 2 ? 0 : GUTS_ECANCELED);
		count_children(f);
		guts_uvenv_run(f->uv);
		if (k == 2)
			guts_pipe_drop(out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(stock_git_opens_it, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(size_and_removal, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(refs_are_what_git_sees, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(damage_is_repaired, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(names_stay_in_their_place, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(authors_have_namespaces, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(many_refs_change_at_once, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(questions_about_objects, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(packs_travel_between_repositories, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(single_objects_go_out_if_a_ref_reaches_them, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(fetches_are_served, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(a_dropped_fetch_frees_its_child, git_setup, git_teardown),
	};

	return cmocka_run_group_tests_name("repostore", tests, NULL, NULL);
}
