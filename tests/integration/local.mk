# Scripts that print TAP, one line each, sorted:   script_tests += %reldir%/x.py
# Helper programs they start (built, not run):     test_programs += %reldir%/x
script_tests += %reldir%/protoc.py
script_tests += %reldir%/protocol_doc.py
test_programs += %reldir%/pbtool
test_programs += %reldir%/pbsample_tool
script_tests += %reldir%/pb_sample.py
