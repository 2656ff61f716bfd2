# One file per line, sorted:  libguts_a_SOURCES += %reldir%/x.c
libguts_a_SOURCES += %reldir%/access.c
libguts_a_SOURCES += %reldir%/api_access.c
libguts_a_SOURCES += %reldir%/api_addresses.c
libguts_a_SOURCES += %reldir%/api_archive.c
libguts_a_SOURCES += %reldir%/api_badge.c
libguts_a_SOURCES += %reldir%/api_ci.c
libguts_a_SOURCES += %reldir%/api_cifile.c
libguts_a_SOURCES += %reldir%/api_cihand.c
libguts_a_SOURCES += %reldir%/api_ciqueue.c
libguts_a_SOURCES += %reldir%/api_audit.c
libguts_a_SOURCES += %reldir%/api_compare.c
libguts_a_SOURCES += %reldir%/api_config.c
libguts_a_SOURCES += %reldir%/api_dht.c
libguts_a_SOURCES += %reldir%/api_git.c
libguts_a_SOURCES += %reldir%/api_gossip.c
libguts_a_SOURCES += %reldir%/api_history.c
libguts_a_SOURCES += %reldir%/api_hooks.c
libguts_a_SOURCES += %reldir%/api_list.c
libguts_a_SOURCES += %reldir%/api_node.c
libguts_a_SOURCES += %reldir%/api_objects.c
libguts_a_SOURCES += %reldir%/api_peers.c
libguts_a_SOURCES += %reldir%/api_refs.c
libguts_a_SOURCES += %reldir%/api_repos.c
libguts_a_SOURCES += %reldir%/api_sinks.c
libguts_a_SOURCES += %reldir%/api_status.c
libguts_a_SOURCES += %reldir%/assets.c
libguts_a_SOURCES += %reldir%/audit.c
libguts_a_SOURCES += %reldir%/call.c
libguts_a_SOURCES += %reldir%/cors.c
libguts_a_SOURCES += %reldir%/childout.c
libguts_a_SOURCES += %reldir%/checks.c
libguts_a_SOURCES += %reldir%/config.c
libguts_a_SOURCES += %reldir%/events.c
libguts_a_SOURCES += %reldir%/guard.c
libguts_a_SOURCES += %reldir%/health.c
libguts_a_SOURCES += %reldir%/histcache.c
libguts_a_SOURCES += %reldir%/http.c
libguts_a_SOURCES += %reldir%/idempotency.c
libguts_a_SOURCES += %reldir%/limit.c
libguts_a_SOURCES += %reldir%/listen.c
libguts_a_SOURCES += %reldir%/metrics.c
libguts_a_SOURCES += %reldir%/push.c
libguts_a_SOURCES += %reldir%/readjob.c
libguts_a_SOURCES += %reldir%/remote.c
libguts_a_SOURCES += %reldir%/reply.c
libguts_a_SOURCES += %reldir%/repos.c
libguts_a_SOURCES += %reldir%/router.c
libguts_a_SOURCES += %reldir%/routes.c
libguts_a_SOURCES += %reldir%/server.c
libguts_a_SOURCES += %reldir%/sessions.c
libguts_a_SOURCES += %reldir%/smart.c
libguts_a_SOURCES += %reldir%/smartrefs.c
libguts_a_SOURCES += %reldir%/stream.c
libguts_a_SOURCES += %reldir%/target.c
libguts_a_SOURCES += %reldir%/tls.c
libguts_a_SOURCES += %reldir%/tokens.c
libguts_a_SOURCES += %reldir%/watch.c
if !DASHBOARD
libguts_a_SOURCES += %reldir%/assets_none.c
endif

# The contract inside the binary; api/openapi.json is made of the YAML by tests/openapi/json.mjs.
nodist_libguts_a_SOURCES = %reldir%/openapi_yaml.c %reldir%/openapi_json.c
CLEANFILES += %reldir%/openapi_yaml.c %reldir%/openapi_json.c
%reldir%/openapi_yaml.c: $(srcdir)/api/openapi.yaml $(srcdir)/tools/embed.sh
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sh $(srcdir)/tools/embed.sh guts_openapi_yaml $(srcdir)/api/openapi.yaml >$@.tmp && mv $@.tmp $@
%reldir%/openapi_json.c: $(srcdir)/api/openapi.json $(srcdir)/tools/embed.sh
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sh $(srcdir)/tools/embed.sh guts_openapi_json $(srcdir)/api/openapi.json >$@.tmp && mv $@.tmp $@
