# One file per line, sorted:  libguts_a_SOURCES += %reldir%/x.c
libguts_a_SOURCES += %reldir%/multiaddr.c
libguts_a_SOURCES += %reldir%/multibase.c
libguts_a_SOURCES += %reldir%/multihash.c
libguts_a_SOURCES += %reldir%/pb.c
libguts_a_SOURCES += %reldir%/varint.c
