# One file per line, sorted:  libguts_a_SOURCES += %reldir%/x.c
libguts_a_SOURCES += %reldir%/batch.c
libguts_a_SOURCES += %reldir%/fact.c
libguts_a_SOURCES += %reldir%/home.c
libguts_a_SOURCES += %reldir%/schema.c
libguts_a_SOURCES += %reldir%/sqlite.c
libguts_a_SOURCES += %reldir%/sqlite_read.c
