libguts_a_SOURCES += %reldir%/conf.c
libguts_a_SOURCES += %reldir%/edit.c
libguts_a_SOURCES += %reldir%/options.c
