/* cli/init.c - the commands that work on the home alone: init, and id without a node. */
#include "cli/init.h"

#include "cli/ask.h"
#include "cli/commands.h"
#include "conf/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* All options, commented out, with their defaults: a file to start from. */
static int
write_conf(const char *path)
{
	struct guts_buf b;
	char section[32] = "";
	int err;

	guts_buf_init(&b, GUTS_CONF_FILE_MAX);
	guts_buf_add_str(&b, "# Configuration of this guts node; guts(1) explains it.\n"
			     "# A list takes several values, separated by spaces or on lines of their own.\n");
	for (unsigned i = 0; i < GUTS_CONF_N; i++) {
		const struct guts_conf_option *o = guts_conf_option((enum guts_conf_id)i);
		size_t n = strcspn(o->name, ".");

		if (strncmp(section, o->name, n) != 0 || section[n] != '\0') {
			snprintf(section, sizeof(section), "%.*s", (int)n, o->name);
			guts_buf_printf(&b, "\n[%s]\n", section);
		}
		guts_buf_printf(&b, "# %s\n# %s = %s\n", o->help, o->name + n + 1, o->fallback ? o->fallback : "");
	}
	err = guts_file_write(path, guts_buf_cstr(&b), b.len, 0644);
	guts_buf_deinit(&b);
	return err;
}

int
guts_home_init(const struct guts_home *h, struct guts_key *key, bool *made, struct guts_errinfo *ei)
{
	uint8_t seed[32];
	int err;

	*made = false;
	err = guts_crypto_init();
	if (err)
		return guts_err_set(ei, err, "libsodium does not start");
	err = guts_home_make(h, ei);
	if (err)
		return err;
	if (access(h->key_path, F_OK) != 0 && errno == ENOENT) {
		if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
			return guts_err_set(ei, GUTS_EINTERNAL, "the system gives no random numbers: %s", strerror(errno));
		err = guts_key_create_file(h->key_path, seed, ei);
		explicit_bzero(seed, sizeof(seed));
		if (err)
			return err;
		*made = true;
	}
	if (access(h->conf_path, F_OK) != 0 && errno == ENOENT) {
		err = write_conf(h->conf_path);
		if (err)
			return guts_err_set(ei, err, "cannot write %s: %s", h->conf_path, guts_err_text(err));
	}
	return guts_key_load_file(key, h->key_path, ei);
}

int
guts_cmd_init(struct guts_cli *c)
{
	struct guts_errinfo ei = { 0 };
	struct guts_key key;
	char id[GUTS_PEERID_TEXT_SIZE];
	struct guts_buf b;
	struct guts_json j;
	bool made;
	int err = guts_home_init(&c->home, &key, &made, &ei);

	if (err)
		return guts_cli_fail(guts_cli_home_exit(err), "%s", ei.text);
	guts_peerid_text(id, &key.id);
	guts_key_wipe(&key);
	if (c->json) {
		guts_buf_init(&b, 64 << 10);
		guts_json_init(&j, &b);
		guts_json_object(&j);
		guts_json_put_str(&j, "home", c->home.dir);
		guts_json_put_str(&j, "peer_id", id);
		guts_json_put_bool(&j, "made", made);
		guts_json_object_end(&j);
		puts(guts_buf_cstr(&b));
		guts_buf_deinit(&b);
		return GUTS_EXIT_OK;
	}
	printf("%s %s\npeer id  %s\nconfig   %s\nnext     guts run%s%s\n", made ? "made    " : "is there", c->home.dir, id,
	    c->home.conf_path, guts_args_get(&c->args, "home") ? " --home " : "",
	    guts_args_get(&c->args, "home") ? c->home.dir : "");
	return GUTS_EXIT_OK;
}

/* The id of a home whose node does not run. */
static int
id_of_home(struct guts_cli *c, char id[GUTS_PEERID_TEXT_SIZE])
{
	struct guts_errinfo ei = { 0 };
	struct guts_key key;
	int err = guts_crypto_init();

	if (!err)
		err = guts_key_load_file(&key, c->home.key_path, &ei);
	if (err == GUTS_ENOTFOUND)
		return guts_cli_fail(GUTS_EXIT_HOME, "there is no node key in %s: make one with `guts init`", c->home.dir);
	if (err)
		return guts_cli_fail(GUTS_EXIT_HOME, "%s", ei.text);
	guts_peerid_text(id, &key.id);
	guts_key_wipe(&key);
	return GUTS_EXIT_OK;
}

int
guts_cmd_id(struct guts_cli *c)
{
	char id[GUTS_PEERID_TEXT_SIZE] = "";
	const char *env = getenv("GUTS_URL");
	struct guts_reply r = { 0 };
	bool remote = c->url != NULL || (env != NULL && env[0] != '\0');
	int code;
	long pid;

	if (remote || (guts_ask_is_running(&c->home, &pid) && access(c->home.run_path, F_OK) == 0)) {
		code = guts_ask_call(c, &r, "GET", "/api/v1/status", NULL);
		if (!code)
			snprintf(id, sizeof(id), "%s", guts_jv_str_of(r.root, "id"));
		guts_reply_deinit(&r);
	} else {
		code = id_of_home(c, id);
	}
	if (!code)
		printf(c->json ? "{\"peer_id\":\"%s\"}\n" : "%s\n", id);
	return code;
}
