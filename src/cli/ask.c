/* cli/ask.c - requests to the node, and the words for what it answers.
 *
 * The admin token of the home is a key to everything, so it is only sent to an address that the
 * node of this home wrote into its run file, and only while somebody holds the home's lock:
 * a stranger who took the port of a node that is gone gets nothing.
 */
#include "cli/ask.h"

#include "base/alloc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define SILENCE_MS 60000 /* [ms] that a long answer may pause */

#define SMALL_FILE_MAX 4096

void
guts_ask_join(char *out, size_t size, struct guts_jv list)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < guts_jv_count(list) && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", i ? " " : "", guts_jv_str(guts_jv_at(list, i), ""));
}

int64_t
guts_ask_now(void)
{
	return (int64_t)time(NULL);
}

/* A small text file without the white space at its end; NULL if it cannot be read. */
static char *
read_small(const char *path)
{
	char text[SMALL_FILE_MAX + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, SMALL_FILE_MAX);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return NULL;
	while (n > 0 && isspace((unsigned char)text[n - 1]))
		n--;
	text[n] = '\0';
	return guts_strdup(text);
}

bool
guts_ask_is_running(const struct guts_home *h, long *pid)
{
	int fd = open(h->lock_path, O_RDONLY | O_CLOEXEC);
	bool held;
	char *text;

	*pid = 0;
	if (fd < 0)
		return false;
	held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	close(fd);
	text = held ? read_small(h->lock_path) : NULL;
	if (text != NULL)
		*pid = strtol(text, NULL, 10);
	free(text);
	return held;
}

char *
guts_ask_run_url(const struct guts_home *h)
{
	char *text = read_small(h->run_path), *url = NULL;
	struct guts_doc *doc = NULL;

	if (text != NULL && guts_doc_parse(&doc, guts_slice_str(text), NULL) == GUTS_OK)
		url = guts_ask_base_of(guts_jv_str_of(guts_doc_root(doc), "http"));
	guts_doc_free(doc);
	free(text);
	return url;
}

char *
guts_ask_base_of(const char *text)
{
	const char *rest = strstr(text, "://");
	char *url;
	size_t n;

	if (strncmp(text, "unix:/", 6) == 0)
		return guts_strdup(text);
	if (rest != NULL && strncasecmp(text, "http://", 7) != 0 && strncasecmp(text, "https://", 8) != 0)
		return NULL;
	rest = rest != NULL ? rest + 3 : text;
	if (rest[0] == '\0' || rest[0] == '/' || strpbrk(rest, " \t\r\n\"<>?#@") != NULL)
		return NULL;
	url = guts_asprintf("%s%s", rest == text ? "http://" : "", text);
	for (n = strlen(url); n > 0 && url[n - 1] == '/'; n--)
		url[n - 1] = '\0';
	return url;
}

static const char *
option_or_env(const char *option, const char *name)
{
	const char *env = getenv(name);

	if (option != NULL)
		return option;
	return env != NULL && env[0] != '\0' ? env : NULL;
}

static int
not_running(const struct guts_cli *c)
{
	return guts_cli_fail(GUTS_EXIT_OFFLINE, "no node is running on %s: start it with `guts run --home %s`",
	    c->home.dir, c->home.dir);
}

int
guts_ask_open(struct guts_cli *c)
{
	const char *url = option_or_env(c->url, "GUTS_URL"), *token = option_or_env(c->token, "GUTS_TOKEN");
	bool running;
	long pid;

	if (c->base != NULL)
		return GUTS_EXIT_OK;
	if (url != NULL) {
		c->base = guts_ask_base_of(url);
		if (c->base == NULL)
			return guts_cli_fail(GUTS_EXIT_USAGE, "\"%s\" is no address of a node, such as http://127.0.0.1:8080 or unix:/PATH", url);
		if (token != NULL)
			c->secret = guts_strdup(token);
	}
	running = guts_ask_is_running(&c->home, &pid);
	if (url == NULL) {
		if (!running)
			return not_running(c);
		c->base = guts_ask_run_url(&c->home);
		if (c->base == NULL)
			return guts_cli_fail(GUTS_EXIT_OFFLINE, "the node on %s (pid %ld) is not ready yet", c->home.dir, pid);
		c->secret = token != NULL ? guts_strdup(token) : read_small(c->home.token_path);
	} else if (token == NULL && running) {
		char *own = guts_ask_run_url(&c->home);

		if (own != NULL && strcmp(own, c->base) == 0)
			c->secret = read_small(c->home.token_path);
		free(own);
	}
	return GUTS_EXIT_OK;
}

char *
guts_ask_path(const char *pattern, ...)
{
	static const char hex[] = "0123456789ABCDEF";
	struct guts_buf b;
	char *path;
	va_list ap;

	guts_buf_init(&b, 64 << 10);
	va_start(ap, pattern);
	for (const char *p = pattern; *p != '\0'; p++) {
		if (p[0] != '{' || p[1] != '}') {
			guts_buf_add_u8(&b, (uint8_t)*p);
			continue;
		}
		p++;
		for (const unsigned char *s = va_arg(ap, const unsigned char *); *s != '\0'; s++) {
			if (isascii(*s) && (isalnum(*s) || strchr("-._~", *s) != NULL)) {
				guts_buf_add_u8(&b, *s);
			} else {
				guts_buf_add_u8(&b, '%');
				guts_buf_add_u8(&b, (uint8_t)hex[*s >> 4]);
				guts_buf_add_u8(&b, (uint8_t)hex[*s & 15]);
			}
		}
	}
	va_end(ap);
	path = guts_strdup(guts_buf_cstr(&b));
	guts_buf_deinit(&b);
	return path;
}

void
guts_reply_deinit(struct guts_reply *r)
{
	guts_doc_free(r->doc);
	guts_transfer_free(r->transfer);
	*r = (struct guts_reply){ 0 };
}

char *
guts_ask_url(const struct guts_cli *c, const char *path, const char **socket)
{
	*socket = strncmp(c->base, "unix:", 5) == 0 ? c->base + 5 : NULL;
	return guts_asprintf("%s%s", *socket != NULL ? "http://localhost" : c->base, path);
}

/* Do what `spec` says at `path`. */
static int
transfer(struct guts_cli *c, struct guts_reply *r, struct guts_transfer_spec *spec, const char *path)
{
	struct guts_errinfo ei = { 0 };
	const char *type;
	char *url;
	int err, code = guts_ask_open(c);

	*r = (struct guts_reply){ 0 };
	if (code)
		return code;
	spec->url = url = guts_ask_url(c, path, &spec->socket);
	spec->token = c->secret;
	err = guts_transfer_new(&r->transfer, spec, &ei);
	free(url);
	if (!err)
		err = guts_transfer_run(r->transfer, &ei);
	if (err == GUTS_ECANCELED)
		return GUTS_EXIT_FAILED;
	if (err)
		return guts_cli_fail(err == GUTS_EINVAL ? GUTS_EXIT_USAGE : GUTS_EXIT_OFFLINE,
		    err == GUTS_ECLOSED ? "no node answers at %s: %s" : "%s: %s", c->base, ei.text);
	r->status = guts_transfer_status(r->transfer);
	r->body = guts_transfer_body(r->transfer);
	type = guts_transfer_header(r->transfer, "Content-Type");
	if (type != NULL && strstr(type, "json") != NULL && guts_doc_parse(&r->doc, r->body, &ei) == GUTS_OK)
		r->root = guts_doc_root(r->doc);
	return GUTS_EXIT_OK;
}

int
guts_ask_try(struct guts_cli *c, struct guts_reply *r, const char *method, const char *path, const struct guts_buf *body)
{
	struct guts_transfer_spec spec = { .method = method, .body_max = GUTS_DOC_MAX };

	if (body != NULL)
		spec.body = guts_buf_slice(body);
	return transfer(c, r, &spec, path);
}

int
guts_ask_bytes(struct guts_cli *c, const char *path, bool (*data)(void *owner, struct guts_slice bytes), void *owner)
{
	struct guts_transfer_spec spec = { .method = "GET", .total_ms = UINT32_MAX, .idle_ms = SILENCE_MS, .data = data, .owner = owner };
	struct guts_reply r;
	int code = transfer(c, &r, &spec, path);

	if (!code && r.status != 200)
		code = guts_ask_refused(c, &r);
	guts_reply_deinit(&r);
	return code;
}

/* One of a problem's errors, with its place unless its words begin with that. */
static void
print_error(struct guts_jv error)
{
	const char *pointer = guts_jv_str_of(error, "pointer"), *detail = guts_jv_str_of(error, "detail");

	if (pointer[0] == '/' && pointer[1] && strncmp(detail, pointer + 1, strlen(pointer + 1)) == 0)
		guts_cli_fail(0, "%s", detail);
	else
		guts_cli_fail(0, "%s: %s", pointer, detail);
}

int
guts_ask_refused(struct guts_cli *c, const struct guts_reply *r)
{
	struct guts_jv errors = guts_jv_get(r->root, "errors");
	const char *text = guts_jv_str_of(r->root, "message");

	if (r->doc == NULL)
		return guts_cli_fail(GUTS_EXIT_FAILED, "what answers at %s is no guts node (status %ld)", c->base, r->status);
	for (size_t i = 0; i < guts_jv_count(errors); i++)
		print_error(guts_jv_at(errors, i));
	if (guts_jv_count(errors) > 0)
		return GUTS_EXIT_FAILED;
	if (r->status == 401)
		return guts_cli_fail(GUTS_EXIT_DENIED, c->secret == NULL ?
		    "%s (no token was sent: give --token or set GUTS_TOKEN)" : "%s", text);
	if (r->status == 403)
		return guts_cli_fail(GUTS_EXIT_DENIED, "%s", text);
	return guts_cli_fail(r->status == 404 ? GUTS_EXIT_NOTFOUND : GUTS_EXIT_FAILED, "%s", text);
}

int
guts_ask_call(struct guts_cli *c, struct guts_reply *r, const char *method, const char *path, const struct guts_buf *body)
{
	int code = guts_ask_try(c, r, method, path, body);

	if (code)
		return code;
	if (r->status >= 400)
		return guts_ask_refused(c, r);
	if (r->status >= 300 || r->status < 200 || (r->body.n > 0 && r->doc == NULL && r->status != 204))
		return guts_cli_fail(GUTS_EXIT_FAILED, "what answers at %s is no guts node (status %ld)", c->base, r->status);
	return GUTS_EXIT_OK;
}

bool
guts_ask_json(const struct guts_cli *c, const struct guts_reply *r)
{
	if (!c->json)
		return false;
	fwrite(r->body.p, 1, r->body.n, stdout);
	if (r->body.n > 0 && r->body.p[r->body.n - 1] != '\n')
		putchar('\n');
	return true;
}

/* Rows of one answer: to `row`, or as text. */
static void
take_rows(struct guts_cli *c, struct guts_jv root, struct guts_buf *text, void (*row)(void *owner, struct guts_jv v),
    void *owner)
{
	size_t n = guts_jv_count(root);

	for (size_t i = 0; i < n; i++) {
		if (!c->json) {
			row(owner, guts_jv_at(root, i));
			continue;
		}
		guts_buf_add_str(text, text->len ? ",\n" : "");
		guts_jv_print(guts_jv_at(root, i), text);
	}
}

int
guts_ask_log(struct guts_cli *c, const char *path, void (*row)(void *owner, struct guts_jv v), void *owner)
{
	struct guts_reply r;
	struct guts_buf text;
	unsigned long long after = 0;
	size_t n = 1;
	int code = GUTS_EXIT_OK;

	guts_buf_init(&text, GUTS_DOC_MAX);
	while (!code && n > 0) {
		char *url = guts_asprintf("%s%climit=1000&after=%llu", path, strchr(path, '?') != NULL ? '&' : '?', after);

		code = guts_ask_call(c, &r, "GET", url, NULL);
		free(url);
		n = code ? 0 : guts_jv_count(r.root);
		if (n > 0) {
			take_rows(c, r.root, &text, row, owner);
			after = guts_jv_u64_of(guts_jv_at(r.root, n - 1), "cursor");
		}
		guts_reply_deinit(&r);
	}
	if (!code && c->json)
		printf("[%s]\n", guts_buf_cstr(&text));
	guts_buf_deinit(&text);
	return code;
}

int
guts_ask_list(struct guts_cli *c, const char *path, void (*row)(void *owner, struct guts_jv v), void *owner)
{
	struct guts_reply r;
	struct guts_buf text;
	const char *link;
	size_t n;
	bool more = true;
	int code = GUTS_EXIT_OK;

	guts_buf_init(&text, GUTS_DOC_MAX);
	for (unsigned page = 1; !code && more; page++) {
		char *url = guts_asprintf("%s%cper_page=100&page=%u", path, strchr(path, '?') != NULL ? '&' : '?', page);

		code = guts_ask_call(c, &r, "GET", url, NULL);
		free(url);
		n = code ? 0 : guts_jv_count(r.root);
		if (n > 0)
			take_rows(c, r.root, &text, row, owner);
		link = code ? NULL : guts_transfer_header(r.transfer, "Link");
		more = link != NULL && strstr(link, "rel=\"next\"") != NULL && n > 0;
		guts_reply_deinit(&r);
	}
	if (!code && c->json)
		printf("[%s]\n", guts_buf_cstr(&text));
	guts_buf_deinit(&text);
	return code;
}

void
guts_ask_put(struct guts_cli *c, struct guts_json *j, const char *option, const char *member)
{
	const char *value = guts_args_get(&c->args, option);

	if (value != NULL)
		guts_json_put_str(j, member, value);
}

void
guts_ask_put_list(struct guts_cli *c, struct guts_json *j, const char *option, const char *member)
{
	const char *value;

	if (guts_args_get(&c->args, option) == NULL)
		return;
	guts_json_key(j, member);
	guts_json_array(j);
	for (size_t i = 0; (value = guts_args_nth(&c->args, option, i)) != NULL; i++)
		guts_json_str(j, value);
	guts_json_array_end(j);
}
