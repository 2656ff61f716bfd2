# main() alone belongs to the program; the rest of app goes into libguts_a_SOURCES.
guts_SOURCES += %reldir%/main.c
libguts_a_SOURCES += %reldir%/run.c
libguts_a_SOURCES += %reldir%/settings.c
dist_man_MANS = doc/guts.1
