# Simulator programs print TAP:   unit_tests += %reldir%/sim_x   (made of sim_x.c)
# Code they share:                libtests_a_SOURCES += %reldir%/x.c
