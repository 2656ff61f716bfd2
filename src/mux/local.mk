# One file per line, sorted:  libguts_a_SOURCES += %reldir%/x.c
libguts_a_SOURCES += %reldir%/multistream.c
libguts_a_SOURCES += %reldir%/yamux.c
libguts_a_SOURCES += %reldir%/yamux_pull.c
libguts_a_SOURCES += %reldir%/yamux_stream.c
