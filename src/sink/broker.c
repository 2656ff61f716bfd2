/* sink/broker.c - which ends there are, and how their libraries are loaded. */
#include "sink/broker.h"

#include <dlfcn.h>
#include <string.h>

int
guts_broker_ops(enum guts_broker_kind kind, const struct guts_broker_ops **out, struct guts_errinfo *ei)
{
	*out = NULL;
#ifdef GUTS_MQTT
	if (kind == GUTS_BROKER_MQTT)
		*out = &guts_broker_mqtt;
#endif
#ifdef GUTS_NATS
	if (kind == GUTS_BROKER_NATS)
		*out = &guts_broker_nats;
#endif
	if (*out)
		return GUTS_OK;
	return guts_err_set(ei, GUTS_EUNSUPPORTED, "this guts was built without %s; ./configure --with-%s, with Debian's %s",
	    kind == GUTS_BROKER_MQTT ? "MQTT" : "NATS", guts_broker_kind_name(kind),
	    kind == GUTS_BROKER_MQTT ? "libmosquitto-dev" : "libnats-dev");
}

int
guts_broker_load(void *lib, const char *soname, const struct guts_broker_function *v, size_t n, struct guts_errinfo *ei)
{
	void *handle = dlopen(soname, RTLD_NOW | RTLD_LOCAL), *f = handle;

	for (size_t i = 0; f != NULL && i < n; i++) {
		f = dlsym(handle, v[i].name);
		memcpy((char *)lib + v[i].offset, &f, sizeof f);
	}
	return f != NULL ? GUTS_OK : guts_err_set(ei, GUTS_ENOTFOUND, "%s cannot be used: %s", soname, dlerror());
}
