/* client/libcurl.h - libcurl, loaded when the first transfer is made.
 *
 * With its own libraries (LDAP, Kerberos, SSH, …) it costs a node 1.1 MiB of resident memory and a third of its start,
 * and a node without webhooks never makes a transfer.
 */
#ifndef GUTS_CLIENT_LIBCURL_H
#define GUTS_CLIENT_LIBCURL_H

#include "base/err.h"

#include <curl/curl.h>

/* The functions of the library, named without "curl_". */
struct guts_libcurl {
	__typeof__(curl_global_init) *global_init;
	__typeof__(curl_easy_init) *easy_init;
	__typeof__(curl_easy_cleanup) *easy_cleanup;
	__typeof__(curl_easy_setopt) *easy_setopt;
	__typeof__(curl_easy_getinfo) *easy_getinfo;
	__typeof__(curl_easy_perform) *easy_perform;
	__typeof__(curl_easy_header) *easy_header;
	__typeof__(curl_easy_strerror) *easy_strerror;
	__typeof__(curl_easy_nextheader) *easy_nextheader;
	__typeof__(curl_multi_init) *multi_init;
	__typeof__(curl_multi_cleanup) *multi_cleanup;
	__typeof__(curl_multi_setopt) *multi_setopt;
	__typeof__(curl_multi_add_handle) *multi_add_handle;
	__typeof__(curl_multi_remove_handle) *multi_remove_handle;
	__typeof__(curl_multi_perform) *multi_perform;
	__typeof__(curl_multi_poll) *multi_poll;
	__typeof__(curl_multi_socket_action) *multi_socket_action;
	__typeof__(curl_multi_assign) *multi_assign;
	__typeof__(curl_multi_info_read) *multi_info_read;
	__typeof__(curl_slist_append) *slist_append;
	__typeof__(curl_slist_free_all) *slist_free_all;
};

/* The loaded library; the first call loads and starts it.  Thread: any.  Errors, with text: GUTS_ENOTFOUND. */
int guts_libcurl(const struct guts_libcurl **out, struct guts_errinfo *ei);

#endif
