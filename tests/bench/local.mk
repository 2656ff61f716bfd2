# Programs and scripts of `make bench`, one line each, sorted:
#   bench_programs += %reldir%/bench_x    (made of bench_x.c)
#   bench_scripts += %reldir%/x.py
bench_scripts += %reldir%/libp2p.mjs
# `make bench`, one line each, sorted:
#   bench_programs += %reldir%/bench_x    (made of bench_x.c; built and run)
#   bench_scripts += %reldir%/x.py        (run)
#   bench_helpers += %reldir%/x           (made of x.c; built, a script starts it)
bench_helpers += %reldir%/linkend
tests_bench_linkend_LDADD = libguts.a $(guts_libs)
bench_scripts += %reldir%/link.py
