/* app/settings.h - from the command line and the configuration to what the node is told. */
#ifndef GUTS_APP_SETTINGS_H
#define GUTS_APP_SETTINGS_H

#include "cli/cli.h"
#include "conf/conf.h"
#include "node/node.h"

/* The configuration file: --config, or the home's.  A view into *c. */
const char *guts_settings_path(struct guts_cli *c);

/* Defaults, then the file (the home's if it is there), then the options.  What is wrong is told; returns an enum guts_exit. */
int guts_settings_layers(struct guts_conf *conf, struct guts_cli *c);

/* The node's set-up out of the configuration, without env, store, repos, key and agent. */
struct guts_settings {
	struct guts_node_setup node;
	struct guts_maddr *addrs; /* private: memory of the three lists */
};
int guts_settings_read(struct guts_settings *s, const struct guts_conf *conf, struct guts_errinfo *ei);
void guts_settings_deinit(struct guts_settings *s);

#endif
