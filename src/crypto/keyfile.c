/* crypto/keyfile.c - the node key on disk: the PrivateKey message of libp2p, 68 bytes, mode 0600.
 *
 * A new file is written whole beside its place, synced, and moved there without replacing
 * anything: a crash leaves either no key file or a good one, and no key is ever lost to
 * another.
 */
#include "crypto/key.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE 68u       /* head, seed, public key */
#define FILE_SIZE_OLD 100u  /* the same with the public key once more */

static const uint8_t head[] = { 0x08, 0x01, 0x12, 0x40 };
static const uint8_t head_old[] = { 0x08, 0x01, 0x12, 0x60 };

static int
fail(struct guts_errinfo *ei, const char *what, const char *path)
{
	int code = errno == ENOSPC || errno == EDQUOT ? GUTS_ENOSPC : errno == EEXIST ? GUTS_EEXIST : GUTS_EIO;

	return guts_err_set(ei, code, "cannot %s key file %s: %s", what, path, strerror(errno));
}

static int
write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int
sync_folder_of(const char *path)
{
	char copy[PATH_MAX];
	int fd, err;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	err = fsync(fd);
	close(fd);
	return err;
}

/* Give the finished file its name, unless something has that name. */
static int
move_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* A file system without that call: a link does not replace either. */
	return link(from, to) == 0 ? unlink(from) : -1;
}

int
guts_key_create_file(const char *path, const uint8_t seed[32], struct guts_errinfo *ei)
{
	char tmp[PATH_MAX];
	uint8_t file[FILE_SIZE];
	struct guts_key k;
	int fd = -1, err = GUTS_OK;

	if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
		return guts_err_set(ei, GUTS_EIO, "path of key file is too long: %s", path);
	guts_key_from_seed(&k, seed);
	memcpy(file, head, sizeof(head));
	memcpy(file + sizeof(head), k.secret, sizeof(k.secret));

	unlink(tmp); /* of a start that crashed */
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fchmod(fd, 0600) || write_all(fd, file, sizeof(file)) || fsync(fd)) {
		err = fail(ei, "write", tmp);
		goto out;
	}
	if (move_new(tmp, path) || sync_folder_of(path))
		err = fail(ei, "create", path);
out:
	if (fd >= 0)
		close(fd);
	if (err)
		unlink(tmp);
	sodium_memzero(file, sizeof(file));
	guts_key_wipe(&k);
	return err;
}

/* All of the file, at most `max` bytes; -1 with errno. */
static ssize_t
read_all(int fd, uint8_t *out, size_t max)
{
	size_t n = 0;

	while (n < max) {
		ssize_t got = read(fd, out + n, max - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static int
key_from_file(struct guts_key *k, const uint8_t *p, size_t n)
{
	bool now = n == FILE_SIZE && memcmp(p, head, sizeof(head)) == 0;
	bool old = n == FILE_SIZE_OLD && memcmp(p, head_old, sizeof(head_old)) == 0 &&
	    memcmp(p + 36, p + 68, GUTS_PUBKEY_SIZE) == 0;

	if (!now && !old)
		return GUTS_EPROTO;
	guts_key_from_seed(k, p + sizeof(head));
	return memcmp(k->pub, p + 36, GUTS_PUBKEY_SIZE) == 0 ? GUTS_OK : GUTS_EPROTO;
}

int
guts_key_load_file(struct guts_key *k, const char *path, struct guts_errinfo *ei)
{
	uint8_t file[FILE_SIZE_OLD + 1];
	struct stat st;
	ssize_t n;
	int err = GUTS_OK, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return guts_err_set(ei, GUTS_ENOTFOUND, "no key file %s", path);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return guts_err_set(ei, GUTS_EDENIED, "key file %s may not be read by this user", path);
	if (fd < 0)
		return guts_err_set(ei, GUTS_EIO, "cannot open key file %s: %s", path, strerror(errno));
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		err = guts_err_set(ei, GUTS_EPROTO, "%s is no file", path);
	} else if (st.st_mode & 077) {
		err = guts_err_set(ei, GUTS_EDENIED,
		    "key file %s is open to other users: run chmod 600 on it", path);
	} else if ((n = read_all(fd, file, sizeof(file))) < 0) {
		err = guts_err_set(ei, GUTS_EIO, "cannot read key file %s: %s", path, strerror(errno));
	} else if (key_from_file(k, file, (size_t)n)) {
		guts_key_wipe(k);
		err = guts_err_set(ei, GUTS_EPROTO,
		    "key file %s is damaged: restore it from a backup, or move it away to become a new node", path);
	}
	close(fd);
	sodium_memzero(file, sizeof(file));
	return err;
}
