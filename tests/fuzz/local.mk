# One target per parser, one line each, sorted:
#   fuzz_targets += %reldir%/fuzz_x      (made of fuzz_x.c; seeds in seeds/x/)
libtests_a_SOURCES += %reldir%/replay_main.c
fuzz_targets += %reldir%/fuzz_fact
fuzz_targets += %reldir%/fuzz_json
