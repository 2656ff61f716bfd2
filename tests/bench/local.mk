# Programs and scripts of `make bench`, one line each, sorted:
#   bench_programs += %reldir%/bench_x    (made of bench_x.c)
#   bench_scripts += %reldir%/x.py
bench_scripts += %reldir%/libp2p.mjs
