# Scripts that print TAP, one line each, sorted:   script_tests += %reldir%/x.py
# Helper programs they start (built, not run):     test_programs += %reldir%/x
