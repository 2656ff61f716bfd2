# One file per line, sorted:  libguts_a_SOURCES += %reldir%/x.c
libguts_a_SOURCES += %reldir%/aside.c
libguts_a_SOURCES += %reldir%/libcurl.c
libguts_a_SOURCES += %reldir%/multi.c
libguts_a_SOURCES += %reldir%/sse.c
libguts_a_SOURCES += %reldir%/stream.c
libguts_a_SOURCES += %reldir%/transfer.c
