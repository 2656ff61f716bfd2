# One file per line, sorted:  libguts_a_SOURCES += %reldir%/x.c
libguts_a_SOURCES += %reldir%/broker.c
if MQTT
libguts_a_SOURCES += %reldir%/mqtt.c
endif
if NATS
libguts_a_SOURCES += %reldir%/nats.c
endif
libguts_a_SOURCES += %reldir%/natsuser.c
libguts_a_SOURCES += %reldir%/secret.c
libguts_a_SOURCES += %reldir%/sender.c
libguts_a_SOURCES += %reldir%/sink.c
libguts_a_SOURCES += %reldir%/sinkview.c
libguts_a_SOURCES += %reldir%/tally.c
libguts_a_SOURCES += %reldir%/url.c
