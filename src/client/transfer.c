/* client/transfer.c - a curl handle with our rules set on it.
 *
 * curl does HTTP, TLS, name lookup and deadlines; this file only holds it to what guts wants:
 * which schemes, how much, how long, and no surprises from the environment.  A proxy named in
 * the environment is fine for the wide world but would see (and break) what is said to a node
 * on this machine, hence the explicit exception.
 */
#include "client/transfer.h"

#include "base/alloc.h"
#include "client/libcurl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NO_PROXY_FOR "localhost,127.0.0.1,127.0.0.0/8,::1,[::1]"

struct guts_transfer {
	const struct guts_libcurl *lib;
	CURL *curl;
	struct curl_slist *headers;
	struct guts_buf sent;    /* request body */
	struct guts_buf got;     /* answer's body */
	size_t header_bytes;
	bool (*data)(void *owner, struct guts_slice bytes);
	bool (*alive)(void *owner);
	bool (*may_connect)(void *owner, const struct sockaddr *to);
	void *owner;
	bool stopped, too_large; /* why a callback ended it */
	bool refused;            /* may_connect said no */
	char reason[CURL_ERROR_SIZE];
};

static long
status_of(const struct guts_transfer *t)
{
	long status = 0;

	t->lib->easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static size_t
on_body(char *p, size_t size, size_t n, void *owner)
{
	struct guts_transfer *t = owner;

	n *= size;
	if (t->data != NULL && status_of(t) == 200) {
		t->stopped = !t->data(t->owner, guts_slice(p, n));
		return t->stopped ? 0 : n;
	}
	t->too_large = guts_buf_add(&t->got, p, n) != GUTS_OK;
	return t->too_large ? 0 : n;
}

/* Headers are kept by curl itself; here they are only counted. */
static size_t
on_header(char *p, size_t size, size_t n, void *owner)
{
	struct guts_transfer *t = owner;

	(void)p;
	n *= size;
	t->header_bytes += n;
	t->too_large = t->header_bytes > GUTS_TRANSFER_HEADERS_MAX;
	return t->too_large ? 0 : n;
}

static int
on_progress(void *owner, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	struct guts_transfer *t = owner;

	(void)down_total;
	(void)down;
	(void)up_total;
	(void)up;
	if (t->alive != NULL && !t->alive(t->owner))
		t->stopped = true;
	return t->stopped;
}

/* curl is about to connect, to an address that the name gave. */
static curl_socket_t
on_connect(void *owner, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct guts_transfer *t = owner;

	if (purpose != CURLSOCKTYPE_IPCXN || !t->may_connect(t->owner, &to->addr)) {
		t->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static bool
has_line_break(const char *s)
{
	return strpbrk(s, "\r\n") != NULL;
}

static void
add_header(struct guts_transfer *t, const char *line)
{
	struct curl_slist *more = t->lib->slist_append(t->headers, line);

	if (more != NULL)
		t->headers = more;
}

static int
set_headers(struct guts_transfer *t, const struct guts_transfer_spec *s, struct guts_errinfo *ei)
{
	char *line;

	for (size_t i = 0; s->headers != NULL && s->headers[i] != NULL; i++) {
		if (has_line_break(s->headers[i]))
			return guts_err_set(ei, GUTS_EINVAL, "a header may not hold a line break");
		add_header(t, s->headers[i]);
	}
	if (s->token != NULL) {
		if (has_line_break(s->token))
			return guts_err_set(ei, GUTS_EINVAL, "a token may not hold a line break");
		line = guts_asprintf("Authorization: Bearer %s", s->token);
		add_header(t, line);
		explicit_bzero(line, strlen(line));
		free(line);
	}
	if (s->body.p != NULL) {
		line = guts_asprintf("Content-Type: %s", s->content_type ? s->content_type : "application/json");
		add_header(t, line);
		free(line);
	} else {
		add_header(t, "Content-Type:"); /* none, where curl would name a form */
	}
	add_header(t, "Expect:");
	t->lib->easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->headers);
	return GUTS_OK;
}

static void
set_limits(struct guts_transfer *t, const struct guts_transfer_spec *s)
{
	const struct guts_libcurl *lib = t->lib;
	CURL *c = t->curl;
	uint32_t total = s->total_ms ? s->total_ms : GUTS_TRANSFER_TOTAL_MS;
	const char *authorities = getenv("SSL_CERT_FILE"); /* as the curl program */

	lib->easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(s->connect_ms ? s->connect_ms : GUTS_TRANSFER_CONNECT_MS));
	if (total != UINT32_MAX)
		lib->easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)total);
	if (s->idle_ms) {
		lib->easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
		lib->easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)((s->idle_ms + 999) / 1000));
	}
	lib->easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	lib->easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	lib->easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	lib->easy_setopt(c, CURLOPT_FOLLOWLOCATION, s->redirects_max ? 1L : 0L);
	lib->easy_setopt(c, CURLOPT_MAXREDIRS, (long)s->redirects_max);
	if (s->may_connect != NULL) {
		lib->easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_connect);
		lib->easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
		lib->easy_setopt(c, CURLOPT_PROXY, "");
		lib->easy_setopt(c, CURLOPT_NOPROXY, "*");
		lib->easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
	} else {
		lib->easy_setopt(c, CURLOPT_NOPROXY, NO_PROXY_FOR);
	}
	if (s->any_certificate) {
		lib->easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
		lib->easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (authorities != NULL && authorities[0] != '\0')
		lib->easy_setopt(c, CURLOPT_CAINFO, authorities);
	lib->easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
}

int
guts_transfer_new(struct guts_transfer **out, const struct guts_transfer_spec *s, struct guts_errinfo *ei)
{
	const struct guts_libcurl *lib;
	struct guts_transfer *t;
	int err;

	if (strlen(s->url) > GUTS_TRANSFER_URL_MAX ||
	    (strncasecmp(s->url, "http://", 7) != 0 && strncasecmp(s->url, "https://", 8) != 0))
		return guts_err_set(ei, GUTS_EINVAL, "\"%.100s\" is not an http or https address", s->url);
	err = guts_libcurl(&lib, ei);
	if (err)
		return err;
	t = guts_alloc(sizeof(*t));
	t->lib = lib;
	t->curl = lib->easy_init();
	if (t->curl == NULL) {
		free(t);
		return guts_err_set(ei, GUTS_EINTERNAL, "libcurl does not start");
	}
	t->data = s->data;
	t->alive = s->alive;
	t->may_connect = s->may_connect;
	t->owner = s->owner;
	guts_buf_init(&t->got, s->body_max ? s->body_max : GUTS_TRANSFER_BODY_MAX);
	guts_buf_init(&t->sent, s->body.n);
	guts_buf_add_slice(&t->sent, s->body);
	t->lib->easy_setopt(t->curl, CURLOPT_URL, s->url);
	t->lib->easy_setopt(t->curl, CURLOPT_UNIX_SOCKET_PATH, s->socket);
	t->lib->easy_setopt(t->curl, CURLOPT_USERAGENT, "guts/" PACKAGE_VERSION);
	if (s->body.p != NULL || strcmp(s->method, "POST") == 0 || strcmp(s->method, "PUT") == 0) {
		t->lib->easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->sent.len);
		t->lib->easy_setopt(t->curl, CURLOPT_POSTFIELDS, guts_buf_cstr(&t->sent));
	}
	if (strcmp(s->method, "HEAD") == 0)
		t->lib->easy_setopt(t->curl, CURLOPT_NOBODY, 1L);
	else
		t->lib->easy_setopt(t->curl, CURLOPT_CUSTOMREQUEST, s->method);
	t->lib->easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_body);
	t->lib->easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
	t->lib->easy_setopt(t->curl, CURLOPT_HEADERFUNCTION, on_header);
	t->lib->easy_setopt(t->curl, CURLOPT_HEADERDATA, t);
	t->lib->easy_setopt(t->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	t->lib->easy_setopt(t->curl, CURLOPT_XFERINFODATA, t);
	t->lib->easy_setopt(t->curl, CURLOPT_NOPROGRESS, 0L);
	t->lib->easy_setopt(t->curl, CURLOPT_ERRORBUFFER, t->reason);
	set_limits(t, s);
	err = set_headers(t, s, ei);
	if (err) {
		guts_transfer_free(t);
		return err;
	}
	*out = t;
	return GUTS_OK;
}

void *
guts_transfer_handle(struct guts_transfer *t)
{
	return t->curl;
}

static int
err_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return GUTS_OK;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		return GUTS_ECLOSED;
	case CURLE_OPERATION_TIMEDOUT:
		return GUTS_ETIMEOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
		return GUTS_ESIG;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return GUTS_EINVAL;
	case CURLE_TOO_MANY_REDIRECTS:
		return GUTS_ELIMIT;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return GUTS_EPROTO;
	default:
		return GUTS_EIO;
	}
}

int
guts_transfer_finish(struct guts_transfer *t, int curl_code, struct guts_errinfo *ei)
{
	CURLcode code = (CURLcode)curl_code;
	int err = err_of(code);

	if (t->stopped)
		return guts_err_set(ei, GUTS_ECANCELED, "stopped");
	if (t->too_large)
		return guts_err_set(ei, GUTS_ELIMIT, "the answer is too large");
	if (err && t->refused)
		return guts_err_set(ei, GUTS_EDENIED, "it may not be connected to");
	if (err)
		guts_err_set(ei, err, "%s", t->reason[0] ? t->reason : t->lib->easy_strerror(code));
	return err;
}

int
guts_transfer_run(struct guts_transfer *t, struct guts_errinfo *ei)
{
	guts_buf_clear(&t->got);
	t->header_bytes = 0;
	t->stopped = t->too_large = false;
	return guts_transfer_finish(t, (int)t->lib->easy_perform(t->curl), ei);
}

long
guts_transfer_status(const struct guts_transfer *t)
{
	return status_of(t);
}

struct guts_slice
guts_transfer_body(const struct guts_transfer *t)
{
	return guts_buf_slice(&t->got);
}

const char *
guts_transfer_header(struct guts_transfer *t, const char *name)
{
	struct curl_header *h;

	if (t->lib->easy_header(t->curl, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return NULL;
	return h->value;
}

uint64_t
guts_transfer_retry_after(const struct guts_transfer *t)
{
	curl_off_t seconds = 0;

	t->lib->easy_getinfo(t->curl, CURLINFO_RETRY_AFTER, &seconds);
	return seconds > 0 ? (uint64_t)seconds : 0;
}

void
guts_transfer_each_header(struct guts_transfer *t, void (*row)(void *owner, const char *name, const char *value),
    void *owner)
{
	struct curl_header *h = NULL;

	while ((h = t->lib->easy_nextheader(t->curl, CURLH_HEADER, -1, h)) != NULL)
		row(owner, h->name, h->value);
}

void
guts_transfer_free(struct guts_transfer *t)
{
	if (t == NULL)
		return;
	for (struct curl_slist *h = t->headers; h != NULL; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	t->lib->slist_free_all(t->headers);
	t->lib->easy_cleanup(t->curl);
	guts_buf_wipe(&t->sent);
	guts_buf_deinit(&t->got);
	free(t);
}
