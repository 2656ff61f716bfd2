# main() alone belongs to the program; the rest of app goes into libguts_a_SOURCES.
guts_SOURCES += %reldir%/main.c
