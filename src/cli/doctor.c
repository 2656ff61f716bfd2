/* cli/doctor.c - is this home in order?  One line per finding; --repair sets right what loses nothing.
 *
 * Works with and without a running node.  It never touches the key's bytes, the database or
 * objects: what it repairs are modes of files and leftovers.
 */
#include "cli/child.h"
#include "cli/commands.h"

#include "base/alloc.h"
#include "cli/ask.h"
#include "cli/term.h"
#include "conf/conf.h"
#include "crypto/key.h"
#include "store/sqlite.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#define ROOM_LOW_BYTES (UINT64_C(1) << 30)
#define ROOM_NONE_BYTES (UINT64_C(64) << 20)
#define SOURCE_EPOCH INT64_C(1755734400) /* 2025-08-21: a clock before this is wrong */

enum verdict { FINE, FIXED, WARNING, BAD };

struct doctor {
	struct guts_cli *cli;
	bool repair, running, color;
	struct guts_buf json; /* members of the array */
	unsigned count[4];
};

static void __attribute__((format(printf, 4, 5)))
say(struct doctor *d, enum verdict v, const char *area, const char *fmt, ...)
{
	static const char *const names[] = { "ok", "repaired", "warning", "bad" };
	static const enum guts_style styles[] = { GUTS_STYLE_GREEN, GUTS_STYLE_GREEN, GUTS_STYLE_YELLOW, GUTS_STYLE_RED };
	char text[1024], *clean;
	struct guts_json j;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->count[v]++;
	if (d->cli->json) {
		guts_buf_add_str(&d->json, d->json.len ? ",\n" : "");
		guts_json_init(&j, &d->json);
		guts_json_object(&j);
		guts_json_put_str(&j, "area", area);
		guts_json_put_str(&j, "verdict", names[v]);
		guts_json_put_str(&j, "text", text);
		guts_json_object_end(&j);
		return;
	}
	clean = guts_term_clean(text, false);
	printf("%s%-8s%s %-13s %s\n", guts_term_style(d->color, styles[v]), names[v],
	    guts_term_style(d->color, GUTS_STYLE_PLAIN), area, clean);
	free(clean);
}

static bool
check_home(struct doctor *d)
{
	const struct guts_home *h = &d->cli->home;
	struct stat st;

	if (stat(h->dir, &st) != 0) {
		say(d, BAD, "home", "%s: %s; `guts init` makes one", h->dir, strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		say(d, BAD, "home", "%s is no folder of yours", h->dir);
	else if ((st.st_mode & 022) == 0)
		say(d, FINE, "home", "%s", h->dir);
	else if (d->repair && chmod(h->dir, st.st_mode & 0755) == 0)
		say(d, FIXED, "home", "others may no longer write to %s", h->dir);
	else
		say(d, BAD, "home", "others may write to %s: run chmod go-w %s", h->dir, h->dir);
	return S_ISDIR(st.st_mode);
}

static void
check_lock(struct doctor *d)
{
	const struct guts_home *h = &d->cli->home;
	long pid;

	d->running = guts_ask_is_running(h, &pid);
	if (d->running)
		say(d, FINE, "lock", "a node is running (pid %ld)", pid);
	else if (access(h->run_path, F_OK) != 0)
		say(d, FINE, "lock", "no node is running");
	else if (d->repair && unlink(h->run_path) == 0)
		say(d, FIXED, "lock", "no node is running; removed the run file that one left behind");
	else
		say(d, WARNING, "lock", "no node is running, but one left %s behind; the next start replaces it", h->run_path);
}

/* A secret must be readable by its owner alone. */
static void
check_mode(struct doctor *d, const char *area, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0 || (st.st_mode & 077) == 0)
		return;
	if (d->repair && chmod(path, 0600) == 0)
		say(d, FIXED, area, "only you can read %s now; it was open to others, so consider a new one", path);
	else
		say(d, BAD, area, "others may read %s: run chmod 600 %s", path, path);
}

static void
check_key(struct doctor *d)
{
	const struct guts_home *h = &d->cli->home;
	struct guts_errinfo ei = { 0 };
	struct guts_key key;
	char id[GUTS_PEERID_TEXT_SIZE];
	int err;

	check_mode(d, "key", h->key_path);
	err = guts_crypto_init() ? GUTS_EINTERNAL : guts_key_load_file(&key, h->key_path, &ei);
	if (err == GUTS_ENOTFOUND) {
		say(d, WARNING, "key", "there is none yet; `guts init` or the first `guts run` makes one");
	} else if (err) {
		say(d, BAD, "key", "%s", ei.text);
	} else {
		guts_peerid_text(id, &key.id);
		guts_key_wipe(&key);
		say(d, FINE, "key", "%s", id);
	}
	check_mode(d, "admin token", h->token_path);
}

static void
check_conf(struct doctor *d)
{
	struct guts_conf *c = guts_conf_new();
	struct guts_errinfo ei = { 0 };
	int err = guts_conf_load(c, d->cli->home.conf_path, &ei);

	if (err == GUTS_ENOTFOUND)
		say(d, FINE, "configuration", "no file; defaults hold");
	else if (err)
		say(d, BAD, "configuration", "%s", ei.text);
	else
		say(d, FINE, "configuration", "%s", d->cli->home.conf_path);
	guts_conf_free(c);
}

static void
check_database(struct doctor *d)
{
	const char *path = d->cli->home.db_path;
	struct guts_errinfo ei = { 0 };

	if (access(path, F_OK) != 0)
		say(d, FINE, "database", "there is none yet");
	else if (guts_sqlite_check(path, &ei))
		say(d, BAD, "database", "%s; restore a backup, or move it away and let the network bring the records back",
		    ei.text);
	else
		say(d, FINE, "database", "whole");
}

static void
check_repository(struct doctor *d, const char *path, const char *name, unsigned *good)
{
	const char *argv[] = { "git", "-c", "core.packedGitWindowSize=16m", "-c", "core.packedGitLimit=64m", "fsck",
		"--full", "--no-dangling", "--no-progress", "--connectivity-only", NULL };
	char text[512];
	int status;

	if (guts_args_get(&d->cli->args, "fast") != NULL) {
		++*good;
		return;
	}
	status = guts_cli_child(argv, path, text, sizeof(text));
	if (status == 0)
		++*good;
	else
		say(d, BAD, "repository", "%s: git fsck: %s; `guts repo delete` and `guts repo policy … seed` fetch it anew", name,
		    text[0] ? text : "failed");
}

/* repos/ab/<id>.git */
static void
check_repositories(struct doctor *d)
{
	DIR *top = opendir(d->cli->home.repos_path), *sub;
	struct dirent *a, *b;
	unsigned n = 0, good = 0;

	while (top != NULL && (a = readdir(top)) != NULL) {
		char *folder = guts_asprintf("%s/%s", d->cli->home.repos_path, a->d_name);

		sub = a->d_name[0] == '.' ? NULL : opendir(folder);
		while (sub != NULL && (b = readdir(sub)) != NULL) {
			char *path = guts_asprintf("%s/%s", folder, b->d_name);
			size_t len = strlen(b->d_name);

			if (b->d_name[0] != '.' && len > 4 && strcmp(b->d_name + len - 4, ".git") == 0) {
				n++;
				check_repository(d, path, b->d_name, &good);
			}
			free(path);
		}
		if (sub != NULL)
			closedir(sub);
		free(folder);
	}
	if (top != NULL)
		closedir(top);
	if (good == n)
		say(d, FINE, "repositories", guts_args_get(&d->cli->args, "fast") != NULL ? "%u, not checked" : "%u, all whole", n);
}

static void
check_room(struct doctor *d)
{
	struct statvfs v;
	char text[16];
	uint64_t room;

	if (statvfs(d->cli->home.dir, &v) != 0) {
		say(d, WARNING, "disk", "%s", strerror(errno));
		return;
	}
	room = (uint64_t)v.f_bavail * v.f_frsize;
	guts_fmt_bytes(text, room);
	say(d, room < ROOM_NONE_BYTES ? BAD : room < ROOM_LOW_BYTES ? WARNING : FINE, "disk", "%s free", text);
}

static void
check_clock(struct doctor *d)
{
	struct timex t = { 0 };
	int state = adjtimex(&t);

	if (guts_ask_now() < SOURCE_EPOCH)
		say(d, BAD, "clock", "it is set to the past: other nodes take our records as old ones");
	else if (state == TIME_ERROR || (t.status & STA_UNSYNC))
		say(d, WARNING, "clock", "nothing keeps it right (no NTP); records more than 60 min ahead are refused");
	else
		say(d, FINE, "clock", "kept by NTP");
}

static void
check_git(struct doctor *d)
{
	const char *argv[] = { "git", "version", NULL };
	char text[512];

	if (guts_cli_child(argv, "/", text, sizeof(text)) == 0)
		say(d, FINE, "git", "%s", text);
	else
		say(d, BAD, "git", "git does not run: install it (Debian: apt-get install git)");
}

static void
check_node(struct doctor *d)
{
	struct guts_reply r = { 0 };

	if (!d->running)
		return;
	if (guts_ask_try(d->cli, &r, "GET", "/readyz", NULL) == GUTS_EXIT_OK)
		say(d, r.status == 200 ? FINE : WARNING, "node", r.status == 200 ? "answers at %s" : "at %s is not ready",
		    d->cli->base);
	else
		say(d, BAD, "node", "it runs but does not answer");
	guts_reply_deinit(&r);
}

int
guts_cmd_doctor(struct guts_cli *c)
{
	struct doctor d = { .cli = c, .repair = guts_args_get(&c->args, "repair") != NULL,
		.color = guts_term_colors(stdout) };

	guts_buf_init(&d.json, 8 << 20);
	if (check_home(&d)) {
		check_lock(&d);
		check_key(&d);
		check_conf(&d);
		check_database(&d);
		check_git(&d);
		check_repositories(&d);
		check_room(&d);
		check_clock(&d);
		check_node(&d);
	}
	if (c->json)
		printf("[%s]\n", guts_buf_cstr(&d.json));
	guts_buf_deinit(&d.json);
	return d.count[BAD] ? GUTS_EXIT_HOME : GUTS_EXIT_OK;
}
