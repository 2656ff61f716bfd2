/* Prints the route table: "METHOD PATH SCOPE" per line. */
#include "base/buf.h"
#include "http/http.h"

#include <stdio.h>

int
main(void)
{
	struct guts_buf b;

	guts_buf_init(&b, 1u << 20);
	guts_http_dump_routes(&b);
	fputs(guts_buf_cstr(&b), stdout);
	guts_buf_deinit(&b);
	return 0;
}
