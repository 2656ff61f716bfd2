# Scripts that print TAP, one line each, sorted:   script_tests += %reldir%/x.py
# Helper programs they start (built, not run):     test_programs += %reldir%/x
script_tests += %reldir%/access.mjs
script_tests += %reldir%/dashboard.mjs
script_tests += %reldir%/hostile.mjs
script_tests += %reldir%/network.mjs
script_tests += %reldir%/origins.mjs
script_tests += %reldir%/stream.mjs
