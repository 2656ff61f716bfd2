# One file per line, sorted:  libguts_a_SOURCES += %reldir%/x.c
libguts_a_SOURCES += %reldir%/backend.c
libguts_a_SOURCES += %reldir%/envelope.c
libguts_a_SOURCES += %reldir%/key.c
libguts_a_SOURCES += %reldir%/keyfile.c
libguts_a_SOURCES += %reldir%/sha256.c
