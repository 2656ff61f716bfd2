/* Addresses of brokers and the file with their credentials: any bytes are read or refused with a reason, and nothing that is not clean
 * text comes out. */
#include "base/text.h"
#include "fuzz.h"
#include "sink/url.h"

#include <stdlib.h>
#include <string.h>

static void
check(const struct guts_broker_url *u)
{
	if (u->host[0] == '\0' || u->port == 0 || !guts_text_is_clean(guts_slice_str(u->host), false) ||
	    !guts_text_is_clean(guts_slice_str(u->user), false) || !guts_text_is_clean(guts_slice_str(u->password), false))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct guts_broker_url u, want;
	struct guts_errinfo ei = { 0 };

	if (guts_broker_url_parse(&u, guts_slice(data, n), &ei) == GUTS_OK)
		check(&u);
	else if (ei.text[0] == '\0')
		abort();
	if (guts_broker_url_parse(&want, guts_slice_str("nats://127.0.0.1"), &ei) != GUTS_OK)
		abort();
	ei.text[0] = '\0';
	if (guts_broker_url_credentials(&want, guts_slice(data, n), &ei) == GUTS_OK)
		check(&want);
	else if (ei.text[0] == '\0')
		abort();
	return 0;
}
