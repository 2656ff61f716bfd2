/* sink/sinkview.c - member by member. */
#include "sink/sinkview.h"

void
guts_sink_view(struct guts_json *j, const struct guts_sink_info *i)
{
	guts_json_object(j);
	guts_json_put_u64(j, "id", i->number);
	guts_json_put_str(j, "type", guts_broker_kind_name(i->kind));
	guts_json_put_str(j, "url", i->url);
	guts_json_put_str(j, "prefix", i->prefix);
	guts_json_put_str(j, "state", guts_sink_state_name(i->state));
	guts_json_put_u64(j, "cursor", i->cursor);
	guts_json_put_u64(j, "lag", i->newest > i->cursor ? i->newest - i->cursor : 0);
	guts_json_put_u64(j, "published", i->published);
	guts_json_put_u64(j, "failures", i->failures);
	guts_json_put_u64(j, "lost", i->lost);
	guts_json_put_str(j, "last_error", i->error[0] ? i->error : NULL);
	guts_json_put_time_or_null(j, "last_error_at", i->error_wall_ms);
	guts_json_put_time_or_null(j, "last_published_at", i->published_wall_ms);
	guts_json_put_time_or_null(j, "next_try_at", i->next_try_wall_ms);
	guts_json_object_end(j);
}
