/* client/libcurl.c - dlopen once, by the name that the library has had since 2006 (its ABI number). */
#include "client/libcurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define SONAME "libcurl.so.4"

static const struct {
	const char *name;
	size_t offset;
} functions[] = {
#define ROW(f) { "curl_" #f, offsetof(struct guts_libcurl, f) }
	ROW(global_init),
	ROW(easy_init),
	ROW(easy_cleanup),
	ROW(easy_setopt),
	ROW(easy_getinfo),
	ROW(easy_perform),
	ROW(easy_header),
	ROW(easy_strerror),
	ROW(easy_nextheader),
	ROW(multi_init),
	ROW(multi_cleanup),
	ROW(multi_setopt),
	ROW(multi_add_handle),
	ROW(multi_remove_handle),
	ROW(multi_perform),
	ROW(multi_poll),
	ROW(multi_socket_action),
	ROW(multi_assign),
	ROW(multi_info_read),
	ROW(slist_append),
	ROW(slist_free_all),
#undef ROW
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct guts_libcurl lib;
static char problem[256];

static void
load(void)
{
	void *handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL), *f;

	for (size_t i = 0; handle != NULL && i < sizeof(functions) / sizeof(functions[0]); i++) {
		f = dlsym(handle, functions[i].name);
		if (f == NULL)
			handle = NULL;
		else
			memcpy((char *)&lib + functions[i].offset, &f, sizeof(f));
	}
	if (handle == NULL)
		snprintf(problem, sizeof(problem), "libcurl cannot be used: %s", dlerror());
	else if (lib.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		snprintf(problem, sizeof(problem), "libcurl does not start");
}

int
guts_libcurl(const struct guts_libcurl **out, struct guts_errinfo *ei)
{
	pthread_once(&once, load);
	if (problem[0] != '\0')
		return guts_err_set(ei, GUTS_ENOTFOUND, "%s", problem);
	*out = &lib;
	return GUTS_OK;
}
