# The dashboard: built from web/ when DASHBOARD is set, all of it in one C file.  That file is part of
# the archive that `make dist` makes, so building from one needs no Node.js.
if DASHBOARD
nodist_libguts_a_SOURCES += %D%/assets_data.c
EXTRA_DIST += %D%/assets_data.c
MAINTAINERCLEANFILES = %D%/assets_data.c

%D%/assets_data.c: $(wildcard $(srcdir)/%D%/src/* $(srcdir)/%D%/src/*/*) \
		$(srcdir)/%D%/build.mjs $(srcdir)/%D%/package-lock.json
	@test -d $(srcdir)/%D%/node_modules/esbuild || { \
		echo 'The dashboard needs its npm packages:  ./bootstrap build  fetches them, or' >&2; \
		echo '  cd $(srcdir)/%D% && $(NPM) ci --ignore-scripts' >&2; \
		echo 'or leave it out:  configure --without-dashboard' >&2; exit 1; }
	@$(MKDIR_P) %D%
	$(AM_V_GEN)$(NODE) $(srcdir)/%D%/build.mjs $@.tmp >%D%/build.log && mv $@.tmp $@ || { cat %D%/build.log; exit 1; }
endif

script_tests += %D%/check.mjs
