/* streamend.c - many readers of one event stream in one process, told by lines on standard input:
 *
 *	open N      N more streams; answers when each has its hello
 *	stop N      the newest N are not read any more; answers at once
 *	wait TEXT   answers when each stream that is read has shown TEXT: CLOCK_MONOTONIC [ns] of the median, the 99th of a
 *	            hundred and the last
 *
 * Each answer is a line of numbers.  Usage: streamend PORT PATH
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define STREAMS_MAX 20000
#define TEXT_MAX 64 /* [bytes] of what is waited for */

struct reader {
	int fd;
	bool is_stopped, has_seen;
	size_t n; /* kept of what came last: the text may come in two pieces */
	char tail[TEXT_MAX];
};

static struct reader readers[STREAMS_MAX];
static size_t nreaders;
static int epoll;
static uint64_t times[STREAMS_MAX];
static char wanted[TEXT_MAX];
static size_t waiting, seen;

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void
read_one(struct reader *r)
{
	static char buf[TEXT_MAX + 65536];
	ssize_t n;

	memcpy(buf, r->tail, r->n);
	n = read(r->fd, buf + r->n, 65536);
	if (n <= 0)
		errx(1, "a stream ended");
	n += (ssize_t)r->n;
	if (!r->has_seen && memmem(buf, (size_t)n, wanted, strlen(wanted))) {
		r->has_seen = true;
		times[seen++] = now_ns();
		waiting--;
	}
	r->n = (size_t)n < TEXT_MAX ? (size_t)n : TEXT_MAX;
	memcpy(r->tail, buf + n - r->n, r->n);
}

static void
wait_for(const char *text)
{
	struct epoll_event ev[256];

	snprintf(wanted, sizeof wanted, "%s", text);
	seen = waiting = 0;
	for (size_t i = 0; i < nreaders; i++) {
		readers[i].has_seen = readers[i].is_stopped;
		waiting += !readers[i].is_stopped;
	}
	while (waiting) {
		int n = epoll_wait(epoll, ev, 256, 60000);

		if (n <= 0)
			errx(1, "%zu streams did not show %s", waiting, text);
		for (int i = 0; i < n; i++)
			read_one(ev[i].data.ptr);
	}
}

static void
open_streams(size_t n, uint16_t port, const char *path)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char head[512];
	int k = snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n", path);

	for (; n && nreaders < STREAMS_MAX; n--) {
		struct reader *r = &readers[nreaders++];
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = r };

		r->fd = socket(AF_INET, SOCK_STREAM, 0);
		if (r->fd < 0 || connect(r->fd, (struct sockaddr *)&to, sizeof to) || write(r->fd, head, (size_t)k) != k ||
		    epoll_ctl(epoll, EPOLL_CTL_ADD, r->fd, &ev))
			err(1, "a stream");
	}
	wait_for("\"newest\"");
}

static int
by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	char line[256], text[TEXT_MAX];
	size_t n;

	if (argc != 3)
		errx(2, "usage: streamend PORT PATH");
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	epoll = epoll_create1(0);
	while (fgets(line, sizeof line, stdin)) {
		if (sscanf(line, "open %zu", &n) == 1) {
			open_streams(n, (uint16_t)strtoul(argv[1], NULL, 10), argv[2]);
			printf("%zu\n", nreaders);
		} else if (sscanf(line, "stop %zu", &n) == 1 && n <= nreaders) {
			for (size_t i = nreaders - n; i < nreaders; i++) {
				readers[i].is_stopped = true;
				epoll_ctl(epoll, EPOLL_CTL_DEL, readers[i].fd, NULL);
			}
			printf("%zu\n", n);
		} else if (sscanf(line, "wait %63s", text) == 1) {
			wait_for(text);
			qsort(times, seen, sizeof times[0], by_time);
			printf("%llu %llu %llu\n", (unsigned long long)times[seen / 2], (unsigned long long)times[seen * 99 / 100],
			    (unsigned long long)times[seen - 1]);
		} else {
			errx(2, "what is: %s", line);
		}
		fflush(stdout);
	}
	return 0;
}
