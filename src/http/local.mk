# One file per line, sorted:  libguts_a_SOURCES += %reldir%/x.c
