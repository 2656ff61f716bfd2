/* store/home.c - the node's folder: resolving, making, locking; small files written whole.
 *
 * The lock is flock(2) on a file that stays: it ends with the process however that ends, and the
 * pid inside is only for the message.
 */
#include "store/home.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int
err_of(int e)
{
	switch (e) {
	case EACCES:
	case EPERM:
	case EROFS:
		return GUTS_EDENIED;
	case ENOSPC:
	case EDQUOT:
		return GUTS_ENOSPC;
	default:
		return GUTS_EIO;
	}
}

/* The user's home: $HOME, else what the system's list of users says. */
static const char *
user_home(void)
{
	const char *home = getenv("HOME");
	struct passwd *pw;

	if (home != NULL && home[0] == '/')
		return home;
	pw = getpwuid(getuid());
	return pw ? pw->pw_dir : NULL;
}

int
guts_home_resolve(struct guts_home *h, const char *flag, struct guts_errinfo *ei)
{
	const char *env = getenv("GUTS_HOME"), *home;
	char here[PATH_MAX];

	*h = (struct guts_home){ .lock_fd = -1 };
	if (flag == NULL || flag[0] == '\0')
		flag = env;
	if (flag != NULL && flag[0] == '/') {
		h->dir = guts_strdup(flag);
	} else if (flag != NULL && flag[0] != '\0') {
		if (getcwd(here, sizeof(here)) == NULL)
			return guts_err_set(ei, GUTS_EIO, "no current folder: %s", strerror(errno));
		h->dir = guts_asprintf("%s/%s", here, flag);
	} else {
		home = user_home();
		if (home == NULL || home[0] != '/')
			return guts_err_set(ei, GUTS_EINVAL, "no home folder: give --home or set GUTS_HOME");
		h->dir = guts_asprintf("%s/.guts", home);
	}
	for (size_t n = strlen(h->dir); n > 1 && h->dir[n - 1] == '/'; n--)
		h->dir[n - 1] = '\0';
	if (strlen(h->dir) > PATH_MAX / 2) {
		guts_home_deinit(h);
		return guts_err_set(ei, GUTS_EINVAL, "the home's path is too long");
	}
	h->key_path = guts_asprintf("%s/key", h->dir);
	h->db_path = guts_asprintf("%s/guts.db", h->dir);
	h->conf_path = guts_asprintf("%s/guts.conf", h->dir);
	h->token_path = guts_asprintf("%s/admin-token", h->dir);
	h->run_path = guts_asprintf("%s/run.json", h->dir);
	h->repos_path = guts_asprintf("%s/repos", h->dir);
	h->lock_path = guts_asprintf("%s/lock", h->dir);
	return GUTS_OK;
}

/* mkdir -p; folders made are 0700. */
static int
make_path(const char *path)
{
	char *p = guts_strdup(path);
	int failed = 0;

	for (char *s = p + 1; !failed; s++) {
		char c = *s;

		if (c != '/' && c != '\0')
			continue;
		*s = '\0';
		if (mkdir(p, 0700) && errno != EEXIST)
			failed = errno;
		*s = c;
		if (c == '\0')
			break;
	}
	free(p);
	return failed;
}

int
guts_home_make(const struct guts_home *h, struct guts_errinfo *ei)
{
	struct stat st;
	int e = make_path(h->dir);

	if (e || stat(h->dir, &st))
		return guts_err_set(ei, err_of(e ? e : errno), "cannot make %s: %s", h->dir, strerror(e ? e : errno));
	if (!S_ISDIR(st.st_mode))
		return guts_err_set(ei, GUTS_EDENIED, "%s is no folder", h->dir);
	if (st.st_uid != geteuid())
		return guts_err_set(ei, GUTS_EDENIED, "%s belongs to another user", h->dir);
	if (st.st_mode & 022)
		return guts_err_set(ei, GUTS_EDENIED, "others may write to %s: run chmod go-w %s", h->dir, h->dir);
	if (mkdir(h->repos_path, 0700) && errno != EEXIST)
		return guts_err_set(ei, err_of(errno), "cannot make %s: %s", h->repos_path, strerror(errno));
	return GUTS_OK;
}

int
guts_home_lock(struct guts_home *h, struct guts_errinfo *ei)
{
	int fd = open(h->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char pid[32] = "";

	if (fd < 0)
		return guts_err_set(ei, err_of(errno), "cannot open %s: %s", h->lock_path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		int e = errno;
		ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

		close(fd);
		if (e != EWOULDBLOCK)
			return guts_err_set(ei, err_of(e), "cannot lock %s: %s", h->lock_path, strerror(e));
		pid[n > 0 ? n : 0] = '\0';
		pid[strcspn(pid, "\n")] = '\0';
		return guts_err_set(ei, GUTS_EBUSY, "another node runs on %s (pid %s)", h->dir, pid[0] ? pid : "unknown");
	}
	snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, pid, strlen(pid), 0) < 0) {
		int e = errno;

		close(fd);
		return guts_err_set(ei, err_of(e), "cannot write %s: %s", h->lock_path, strerror(e));
	}
	h->lock_fd = fd;
	return GUTS_OK;
}

void
guts_home_deinit(struct guts_home *h)
{
	if (h->lock_fd >= 0)
		close(h->lock_fd);
	free(h->dir);
	free(h->key_path);
	free(h->db_path);
	free(h->conf_path);
	free(h->token_path);
	free(h->run_path);
	free(h->repos_path);
	free(h->lock_path);
	*h = (struct guts_home){ .lock_fd = -1 };
}

static int
write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return errno;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

/* fsync of the folder that `path` is in. */
static int
sync_folder_of(const char *path)
{
	char *dir = guts_strdup(path), *slash = strrchr(dir, '/');
	int fd, e = 0;

	if (slash == dir)
		slash[1] = '\0';
	else if (slash != NULL)
		*slash = '\0';
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		e = errno;
	if (fd >= 0)
		close(fd);
	free(dir);
	return e;
}

int
guts_file_write(const char *path, const void *data, size_t n, unsigned mode)
{
	char *tmp = guts_asprintf("%s.new", path);
	int fd, e = 0;

	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		e = errno;
	if (!e)
		e = write_all(fd, data, n);
	if (!e && (fchmod(fd, (mode_t)mode) || fsync(fd)))
		e = errno;
	if (fd >= 0 && close(fd) && !e)
		e = errno;
	if (!e && rename(tmp, path))
		e = errno;
	if (!e)
		e = sync_folder_of(path);
	else if (fd >= 0)
		unlink(tmp);
	free(tmp);
	return e ? err_of(e) : GUTS_OK;
}
