/* http/tokens.c - tokens: kept in memory, hashed in the store, one of them in a file of the home.
 *
 * A look-up hashes the text that was given and compares hashes in constant time: nothing that an
 * asker can measure depends on how much of a token was right.
 */
#include "base/alloc.h"
#include "base/cursor.h"
#include "base/text.h"
#include "http/authstate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#define TOKEN_PREFIX "guts_"
#define ROW_VERSION 1

static const struct {
	const char *name;
	unsigned bit;
} scopes[] = { { "read", GUTS_CAN_READ }, { "write", GUTS_CAN_WRITE }, { "ci", GUTS_CAN_CI },
	{ "admin", GUTS_CAN_ADMIN } };

int
guts_scope_parse(const char *name, unsigned *out)
{
	for (size_t i = 0; i < 4; i++) {
		if (strcmp(scopes[i].name, name) == 0) {
			*out = scopes[i].bit;
			return 0;
		}
	}
	return GUTS_EINVAL;
}

void
guts_scopes_text(unsigned set, char out[32])
{
	size_t at = 0;

	out[0] = 0;
	for (size_t i = 0; i < 4; i++) {
		if (set & scopes[i].bit)
			at += (size_t)snprintf(out + at, 32 - at, "%s%s", at ? "," : "", scopes[i].name);
	}
}

void
guts_auth_random_hex(char out[65])
{
	uint8_t b[32];

	/* 32 bytes come whole; before the pool is ready the call waits */
	while (getrandom(b, sizeof b, 0) != sizeof b)
		;
	guts_hex_encode(out, b, sizeof b);
	explicit_bzero(b, sizeof b);
}

struct guts_token *
guts_token_ref(struct guts_token *t)
{
	__atomic_add_fetch(&t->refcount, 1, __ATOMIC_RELAXED);
	return t;
}

void
guts_token_unref(struct guts_token *t)
{
	if (!t || __atomic_sub_fetch(&t->refcount, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	free(t->repos);
	free(t);
}

bool
guts_token_holds(const struct guts_auth *a, const struct guts_token *t, uint64_t now_ms)
{
	const struct guts_token *e;

	LL_FOREACH(a->tokens, e) {
		if (e == t)
			return !t->expires_ms || now_ms < t->expires_ms;
	}
	return false;
}

static void
encode_row(struct guts_buf *b, const struct guts_token *t)
{
	guts_buf_init(b, 4096);
	guts_buf_add_u8(b, ROW_VERSION);
	guts_buf_add_u8(b, (uint8_t)t->scopes);
	guts_buf_add_u8(b, t->is_file);
	guts_buf_add_be64(b, t->created_ms);
	guts_buf_add_be64(b, t->expires_ms);
	guts_buf_add_u8(b, (uint8_t)strlen(t->name));
	guts_buf_add_str(b, t->name);
	guts_buf_add_u8(b, (uint8_t)t->nrepos);
	guts_buf_add(b, t->repos, t->nrepos * GUTS_REPOID_SIZE);
}

static struct guts_token *
new_token(const uint8_t hash[32], const char *name, size_t name_n, const void *repos, size_t nrepos)
{
	struct guts_token *t = guts_alloc(sizeof *t);

	t->refcount = 1;
	memcpy(t->hash, hash, 32);
	guts_hex_encode(t->id, hash, 8);
	memcpy(t->name, name, name_n);
	t->nrepos = nrepos;
	if (nrepos)
		t->repos = guts_memdup(repos, nrepos * GUTS_REPOID_SIZE);
	return t;
}

static bool
load_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct guts_auth *a = owner;
	struct guts_cursor c;

	guts_cursor_init(&c, value);
	bool known = guts_cursor_u8(&c) == ROW_VERSION && key.n == 32;
	unsigned set = guts_cursor_u8(&c);
	bool is_file = guts_cursor_u8(&c);
	uint64_t created = guts_cursor_be64(&c), expires = guts_cursor_be64(&c);
	struct guts_slice name = guts_cursor_bytes(&c, guts_cursor_u8(&c));
	size_t nrepos = guts_cursor_u8(&c);
	struct guts_slice repos = guts_cursor_bytes(&c, nrepos * GUTS_REPOID_SIZE);
	if (!known || !guts_cursor_done(&c) || name.n > GUTS_TOKEN_NAME_MAX || nrepos > GUTS_TOKEN_REPOS_MAX ||
	    a->ntokens == GUTS_TOKENS_MAX)
		return true;
	struct guts_token *t = new_token(key.p, (const char *)name.p, name.n, repos.p, nrepos);
	t->scopes = set;
	t->is_file = is_file;
	t->created_ms = created;
	t->expires_ms = expires;
	LL_APPEND(a->tokens, t);
	a->ntokens++;
	return true;
}

static int
by_creation(struct guts_token *x, struct guts_token *y)
{
	return x->created_ms < y->created_ms ? -1 : x->created_ms > y->created_ms;
}

int
guts_auth_new(struct guts_auth **out, struct guts_store *store, struct guts_errinfo *ei)
{
	struct guts_auth *a = guts_alloc(sizeof *a);
	struct guts_slice none = guts_slice(NULL, 0);

	pthread_mutex_init(&a->lock, NULL);
	int err = guts_store_scan(store, GUTS_TABLE_TOKEN, none, none, load_row, a);
	if (err < 0) {
		guts_auth_free(a);
		return guts_err_set(ei, err, "tokens cannot be read: %s", guts_err_text(err));
	}
	LL_SORT(a->tokens, by_creation);
	*out = a;
	return 0;
}

void
guts_auth_free(struct guts_auth *a)
{
	struct guts_token *t, *next;

	if (!a)
		return;
	LL_FOREACH_SAFE(a->tokens, t, next)
		guts_token_unref(t);
	for (size_t i = 0; i < GUTS_SESSIONS_MAX; i++)
		guts_token_unref(a->sessions[i].token);
	pthread_mutex_destroy(&a->lock);
	explicit_bzero(a, sizeof *a);
	free(a);
}

struct guts_token *
guts_auth_lookup(struct guts_auth *a, struct guts_slice text, uint64_t now_ms)
{
	uint8_t hash[32];
	struct guts_token *t, *found = NULL;

	if (text.n == 0 || text.n >= GUTS_TOKEN_TEXT_SIZE)
		return NULL;
	guts_sha256(hash, text);
	pthread_mutex_lock(&a->lock);
	LL_FOREACH(a->tokens, t) {
		if (guts_mem_eq_ct(t->hash, hash, sizeof hash))
			found = t;
	}
	if (found && found->expires_ms && now_ms >= found->expires_ms)
		found = NULL;
	if (found)
		guts_token_ref(found);
	pthread_mutex_unlock(&a->lock);
	return found;
}

int
guts_auth_create(struct guts_auth *a, const char *name, unsigned set, const uint8_t (*repos)[GUTS_REPOID_SIZE],
    size_t nrepos, uint64_t now_ms, uint64_t expires_ms, bool is_file, struct guts_batch *batch,
    char text[GUTS_TOKEN_TEXT_SIZE], struct guts_token **out)
{
	char hex[65];
	uint8_t hash[32];
	struct guts_buf row;
	size_t n = strlen(name);

	guts_auth_random_hex(hex);
	snprintf(text, GUTS_TOKEN_TEXT_SIZE, TOKEN_PREFIX "%s", hex);
	explicit_bzero(hex, sizeof hex);
	guts_sha256(hash, guts_slice_str(text));
	struct guts_token *t = new_token(hash, name, n < GUTS_TOKEN_NAME_MAX ? n : GUTS_TOKEN_NAME_MAX, repos, nrepos);
	t->scopes = set;
	t->created_ms = now_ms;
	t->expires_ms = expires_ms;
	t->is_file = is_file;
	pthread_mutex_lock(&a->lock);
	bool full = a->ntokens >= GUTS_TOKENS_MAX;
	if (!full) {
		LL_APPEND(a->tokens, t);
		a->ntokens++;
		guts_token_ref(t);
	}
	pthread_mutex_unlock(&a->lock);
	if (full) {
		guts_token_unref(t);
		return GUTS_ELIMIT;
	}
	encode_row(&row, t);
	guts_batch_put(batch, GUTS_TABLE_TOKEN, guts_slice(hash, sizeof hash), guts_buf_slice(&row));
	guts_buf_deinit(&row);
	*out = t;
	return 0;
}

struct guts_token *
guts_auth_revoke(struct guts_auth *a, struct guts_slice id, struct guts_batch *batch)
{
	struct guts_token *t, *found = NULL;

	pthread_mutex_lock(&a->lock);
	LL_FOREACH(a->tokens, t) {
		if (guts_slice_eq(guts_slice_str(t->id), id))
			found = t;
	}
	if (found) {
		LL_DELETE(a->tokens, found);
		a->ntokens--;
	}
	pthread_mutex_unlock(&a->lock);
	if (found)
		guts_batch_del(batch, GUTS_TABLE_TOKEN, guts_slice(found->hash, sizeof found->hash));
	return found;
}

void
guts_auth_each(struct guts_auth *a, bool (*row)(void *owner, const struct guts_token *t), void *owner)
{
	struct guts_token *t;

	pthread_mutex_lock(&a->lock);
	LL_FOREACH(a->tokens, t) {
		if (!row(owner, t))
			break;
	}
	pthread_mutex_unlock(&a->lock);
}

/* -- the file ------------------------------------------------------------------- */

/* Is there a file with a good admin token? */
static bool
file_holds(struct guts_auth *a, const char *path, uint64_t now_ms)
{
	char text[GUTS_TOKEN_TEXT_SIZE + 2];
	struct guts_token *t;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof text);
	close(fd);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	t = guts_auth_lookup(a, guts_slice(text, n > 0 ? (size_t)n : 0), now_ms);
	explicit_bzero(text, sizeof text);
	bool good = t && (t->scopes & GUTS_CAN_ADMIN);
	guts_token_unref(t);
	return good;
}

static int
write_file(const char *path, const char *text, struct guts_errinfo *ei)
{
	char *tmp = guts_asprintf("%s.new", path);
	int err = 0;

	unlink(tmp);
	int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || dprintf(fd, "%s\n", text) < 0 || fsync(fd) < 0 || rename(tmp, path) < 0)
		err = guts_err_set(ei, errno == ENOSPC ? GUTS_ENOSPC : GUTS_EIO, "%s cannot be written: %s", path,
		    strerror(errno));
	if (fd >= 0)
		close(fd);
	if (err)
		unlink(tmp);
	free(tmp);
	return err;
}

static void
committed(void *owner, int err, uint64_t first, uint64_t last)
{
	/* a row that did not reach the disk: the next start finds no good token in the file and makes another */
	(void)owner, (void)err, (void)first, (void)last;
}

/* An earlier token of the file must not outlive it. */
static void
revoke_file_tokens(struct guts_auth *a, struct guts_batch *batch)
{
	struct guts_token *t, *next, *old = NULL;

	pthread_mutex_lock(&a->lock);
	LL_FOREACH_SAFE(a->tokens, t, next) {
		if (t->is_file) {
			LL_DELETE(a->tokens, t);
			a->ntokens--;
			LL_PREPEND(old, t);
		}
	}
	pthread_mutex_unlock(&a->lock);
	LL_FOREACH_SAFE(old, t, next) {
		guts_batch_del(batch, GUTS_TABLE_TOKEN, guts_slice(t->hash, sizeof t->hash));
		guts_token_unref(t);
	}
}

int
guts_auth_admin_file(struct guts_auth *a, struct guts_store *store, const char *home, uint64_t now_ms,
    char fresh[GUTS_TOKEN_TEXT_SIZE], struct guts_errinfo *ei)
{
	char *path = guts_asprintf("%s/admin-token", home);
	struct guts_token *t = NULL;
	int err = 0;

	fresh[0] = 0;
	if (file_holds(a, path, now_ms))
		goto out;
	struct guts_batch *batch = guts_batch_new();
	revoke_file_tokens(a, batch);
	err = guts_auth_create(a, "admin-token file", GUTS_CAN_READ | GUTS_CAN_WRITE | GUTS_CAN_CI | GUTS_CAN_ADMIN, NULL,
	    0, now_ms, 0, true, batch, fresh, &t);
	if (err == 0)
		err = write_file(path, fresh, ei);
	else
		guts_err_set(ei, err, "too many tokens");
	if (err == 0)
		err = guts_store_commit(store, batch, committed, NULL);
	else
		guts_batch_free(batch);
	guts_token_unref(t);
out:
	free(path);
	return err;
}
