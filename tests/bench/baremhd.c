/* tests/bench/baremhd.c - libmicrohttpd with nothing around it, as a measure for our gateway.
 *
 *	baremhd FILE...    GET /0, /1 ... answer the files' bytes from memory; prints its port; ends with standard input
 *
 * Same mode as the gateway: epoll in one thread of its own, the answer queued in the handler's second call.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILES_MAX 8
#define FILE_MAX (1u << 20) /* [bytes] */

static struct MHD_Response *responses[FILES_MAX];
static int n_responses;

static enum MHD_Result
on_request(void *owner, struct MHD_Connection *c, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_size, void **state)
{
	long i = strtol(url + 1, NULL, 10);

	(void)owner;
	(void)method;
	(void)version;
	(void)upload;
	(void)upload_size;
	if (!*state) { /* an answer now would close the connection */
		*state = c;
		return MHD_YES;
	}
	return i >= 0 && i < n_responses ? MHD_queue_response(c, MHD_HTTP_OK, responses[i]) : MHD_NO;
}

static struct MHD_Response *
response_of(const char *path)
{
	static char bytes[FILE_MAX];
	FILE *f = fopen(path, "rb");
	struct MHD_Response *r;
	size_t n;

	if (!f)
		return NULL;
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	r = MHD_create_response_from_buffer(n, bytes, MHD_RESPMEM_MUST_COPY);
	if (r)
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	return r;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct MHD_Daemon *d;
	char c;

	while (n_responses < FILES_MAX && n_responses + 1 < argc) {
		responses[n_responses] = response_of(argv[n_responses + 1]);
		if (!responses[n_responses++])
			return 1;
	}
	d = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, NULL, MHD_OPTION_SOCK_ADDR, &at,
	    MHD_OPTION_END);
	if (!d)
		return 1;
	printf("%u\n", (unsigned)MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	MHD_stop_daemon(d);
	while (n_responses > 0)
		MHD_destroy_response(responses[--n_responses]);
	return 0;
}
