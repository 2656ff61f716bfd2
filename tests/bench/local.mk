# `make bench`, one line each, sorted:
#   bench_programs += %reldir%/bench_x    (made of bench_x.c; built and run)
#   bench_scripts += %reldir%/x.py        (run)
#   bench_helpers += %reldir%/x           (made of x.c; built, a script starts it)
bench_helpers += %reldir%/baremhd
bench_helpers += %reldir%/gossipend
bench_helpers += %reldir%/linkend
bench_programs += %reldir%/bench_gossip
bench_scripts += %reldir%/clone.py
bench_scripts += %reldir%/gossip.py
bench_scripts += %reldir%/link.py
bench_scripts += %reldir%/node.py
bench_scripts += %reldir%/push.py
bench_scripts += %reldir%/rest.py
tests_bench_baremhd_LDADD = $(MHD_LIBS)
tests_bench_gossipend_LDADD = libguts.a $(guts_libs)
tests_bench_linkend_LDADD = libguts.a $(guts_libs)
