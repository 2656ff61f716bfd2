# One file per line, sorted:  libguts_a_SOURCES += %reldir%/x.c
libguts_a_SOURCES += %reldir%/body.c
libguts_a_SOURCES += %reldir%/check.c
libguts_a_SOURCES += %reldir%/doc.c
libguts_a_SOURCES += %reldir%/git.c
libguts_a_SOURCES += %reldir%/json.c
libguts_a_SOURCES += %reldir%/node.c
libguts_a_SOURCES += %reldir%/repo.c
