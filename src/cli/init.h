/* cli/init.h - a home that is ready for a node. */
#ifndef GUTS_CLI_INIT_H
#define GUTS_CLI_INIT_H

#include "crypto/key.h"
#include "store/home.h"

/* Make what is missing: folder, key, a configuration file with every option commented out; load the key.
 * Nothing that is there is changed.  *made = a key was made.  Errors, with text: those of guts_home_make and
 * guts_key_load_file. */
int guts_home_init(const struct guts_home *h, struct guts_key *key, bool *made, struct guts_errinfo *ei);

#endif
