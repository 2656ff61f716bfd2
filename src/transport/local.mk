# One file per line, sorted:  libguts_a_SOURCES += %reldir%/x.c
libguts_a_SOURCES += %reldir%/link.c
libguts_a_SOURCES += %reldir%/stream.c
libguts_a_SOURCES += %reldir%/tcp.c
