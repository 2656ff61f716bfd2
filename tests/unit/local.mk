# One cmocka program per module, one line each, sorted:
#   unit_tests += %reldir%/test_x        (made of test_x.c)
unit_tests += %reldir%/test_body
unit_tests += %reldir%/test_child
unit_tests += %reldir%/test_childpipe
unit_tests += %reldir%/test_conf
unit_tests += %reldir%/test_home
unit_tests += %reldir%/test_json
unit_tests += %reldir%/test_multistream
unit_tests += %reldir%/test_pipe
unit_tests += %reldir%/test_store
unit_tests += %reldir%/test_uvenv
unit_tests += %reldir%/test_yamux
libtests_a_SOURCES += %reldir%/vectors.c
