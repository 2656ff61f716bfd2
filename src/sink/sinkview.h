/* sink/sinkview.h - sinks as JSON, in the shape of api/openapi.yaml. */
#ifndef GUTS_SINK_SINKVIEW_H
#define GUTS_SINK_SINKVIEW_H

#include "sink/sink.h"
#include "view/json.h"

/* A Sink. */
void guts_sink_view(struct guts_json *j, const struct guts_sink_info *i);

#endif
