/* http/assets_none.c - the table of a binary without the dashboard. */
#include "http/assets.h"

const struct guts_asset guts_assets[1];
const size_t guts_assets_n = 0;
