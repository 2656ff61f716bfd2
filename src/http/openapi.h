/* http/openapi.h - api/openapi.yaml inside the binary, as it is and as JSON; made by the build. */
#ifndef GUTS_HTTP_OPENAPI_H
#define GUTS_HTTP_OPENAPI_H

#include <stddef.h>

extern const unsigned char guts_openapi_yaml[], guts_openapi_json[];
extern const size_t guts_openapi_yaml_n, guts_openapi_json_n;

#endif
