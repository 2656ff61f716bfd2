# The REST contract: see check.mjs.
script_tests += %reldir%/check.mjs
test_programs += %reldir%/dump_routes
