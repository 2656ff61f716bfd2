/* sink/secret.c - a file that others may read is no place for a secret. */
#include "sink/secret.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
guts_broker_files_free(struct guts_broker_files *f)
{
	free(f->credentials);
	free(f->nats_creds);
	free(f->ca);
	free(f->cert);
	free(f->key);
}

static int
read_file(const char *path, bool is_secret, struct guts_buf *out, struct guts_errinfo *ei)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = -1;
	struct stat st;
	int err = GUTS_OK;

	if (fd < 0 || fstat(fd, &st))
		err = guts_err_set(ei, GUTS_EIO, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode) || st.st_size > GUTS_SECRET_FILE_MAX)
		err = guts_err_set(ei, GUTS_ELIMIT, "%s is not a file of at most %u KiB", path, GUTS_SECRET_FILE_MAX >> 10);
	else if (is_secret && st.st_mode & 077)
		err = guts_err_set(ei, GUTS_EDENIED, "%s may be read by others; chmod 600 it", path);
	else if ((n = read(fd, guts_buf_reserve(out, (size_t)st.st_size + 1), (size_t)st.st_size)) < 0)
		err = guts_err_set(ei, GUTS_EIO, "%s: %s", path, strerror(errno));
	else
		guts_buf_commit(out, (size_t)n);
	if (fd >= 0)
		close(fd);
	return err;
}

typedef int take_fn(void *into, struct guts_slice file, struct guts_errinfo *ei);

/* Give a file's bytes to `take`, whose error gets the file's name. */
static int
with_file(const char *path, bool is_secret, take_fn *take, void *into, struct guts_errinfo *ei)
{
	struct guts_errinfo why;
	struct guts_buf file;
	int err;

	guts_buf_init(&file, GUTS_SECRET_FILE_MAX + 1);
	err = read_file(path, is_secret, &file, ei);
	if (!err && take(into, guts_buf_slice(&file), &why))
		err = guts_err_set(ei, why.code, "%s: %s", path, why.text);
	guts_buf_wipe(&file);
	return err;
}

static int
take_line(void *into, struct guts_slice file, struct guts_errinfo *ei)
{
	return guts_broker_url_credentials(into, file, ei);
}

static int
take_user(void *into, struct guts_slice file, struct guts_errinfo *ei)
{
	return guts_nats_user_parse(into, file, ei);
}

static int
look_at_cert(void *into, struct guts_slice file, struct guts_errinfo *ei)
{
	(void)into;
	return file.n && memmem(file.p, file.n, "CERTIFICATE", 11) ? GUTS_OK : guts_err_set(ei, GUTS_EINVAL, "it holds no certificate in PEM");
}

/* A library would ask a terminal for a password. */
static int
look_at_key(void *into, struct guts_slice file, struct guts_errinfo *ei)
{
	(void)into;
	if (!file.n || !memmem(file.p, file.n, "PRIVATE KEY", 11))
		return guts_err_set(ei, GUTS_EINVAL, "it holds no private key in PEM");
	if (memmem(file.p, file.n, "ENCRYPTED", 9))
		return guts_err_set(ei, GUTS_EINVAL, "the key has a password; `openssl pkey` writes it without");
	return GUTS_OK;
}

int
guts_broker_secret_read(struct guts_broker_url *url, struct guts_nats_user *user, const struct guts_broker_files *f,
    struct guts_errinfo *ei)
{
	int err = GUTS_OK;

	*user = (struct guts_nats_user){ 0 };
	if (f->credentials[0])
		err = with_file(f->credentials, true, take_line, url, ei);
	if (!err && f->nats_creds[0] && url->kind == GUTS_BROKER_NATS && !url->user[0])
		err = with_file(f->nats_creds, true, take_user, user, ei);
	if (!err && f->cert[0] && url->is_tls)
		err = with_file(f->cert, false, look_at_cert, NULL, ei);
	if (!err && f->key[0] && url->is_tls)
		err = with_file(f->key, true, look_at_key, NULL, ei);
	return err;
}

void
guts_broker_secret_wipe(struct guts_broker_url *url, struct guts_nats_user *user)
{
	explicit_bzero(url->user, sizeof url->user);
	explicit_bzero(url->password, sizeof url->password);
	url->has_password = false;
	guts_nats_user_wipe(user);
}
