# Scripts that print TAP, one line each, sorted:   script_tests += %reldir%/x.py
# Helper programs they start (built, not run):     test_programs += %reldir%/x
script_tests += %reldir%/gossip.mjs
script_tests += %reldir%/libp2p.mjs
script_tests += %reldir%/webhook.py
script_tests += %reldir%/mdns.mjs
test_programs += %reldir%/peer_probe
tests_interop_peer_probe_SOURCES = %reldir%/peer_probe.c %reldir%/probe_gossip.c
