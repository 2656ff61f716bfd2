/* A configuration file: any bytes are read or refused with a reason; what was read can be set again. */
#include "conf/conf.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void
set_again(const struct guts_conf *c)
{
	struct guts_conf *again = guts_conf_new();
	struct guts_errinfo ei = { 0 };

	for (unsigned id = 0; id < GUTS_CONF_N; id++) {
		for (size_t i = 0; i < guts_conf_count(c, (enum guts_conf_id)id); i++)
			if (guts_conf_set(again, (enum guts_conf_id)id, guts_conf_item(c, (enum guts_conf_id)id, i), 2, &ei))
				abort();
		if (guts_conf_count(c, (enum guts_conf_id)id) > 0 &&
		    (guts_conf_number(again, (enum guts_conf_id)id) != guts_conf_number(c, (enum guts_conf_id)id) ||
			guts_conf_layer(again, (enum guts_conf_id)id) != 2))
			abort();
	}
	guts_conf_free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct guts_conf *c = guts_conf_new();
	struct guts_errinfo ei = { 0 };
	char path[64];
	int fd = memfd_create("conf", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, n) != (ssize_t)n)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (guts_conf_load(c, path, &ei) == GUTS_OK)
		set_again(c);
	else if (ei.text[0] == '\0')
		abort();
	close(fd);
	guts_conf_free(c);
	return 0;
}
