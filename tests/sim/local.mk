# Simulator programs print TAP:   unit_tests += %reldir%/sim_x   (made of sim_x.c)
# Code they share:                libtests_a_SOURCES += %reldir%/x.c
libtests_a_SOURCES += %reldir%/sim.c
libtests_a_SOURCES += %reldir%/simnet.c
libtests_a_SOURCES += %reldir%/simpack.c
libtests_a_SOURCES += %reldir%/simrepo.c
libtests_a_SOURCES += %reldir%/simstore.c
unit_tests += %reldir%/sim_self
