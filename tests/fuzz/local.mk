# One target per parser, one line each, sorted:
#   fuzz_targets += %reldir%/fuzz_x      (made of fuzz_x.c; seeds in seeds/x/)
fuzz_targets += %reldir%/fuzz_fact
fuzz_targets += %reldir%/fuzz_gossip_rpc
fuzz_targets += %reldir%/fuzz_identify
fuzz_targets += %reldir%/fuzz_json
fuzz_targets += %reldir%/fuzz_kad
fuzz_targets += %reldir%/fuzz_node_message
fuzz_targets += %reldir%/fuzz_record
fuzz_targets += %reldir%/fuzz_reftree
fuzz_targets += %reldir%/fuzz_sync_message
libtests_a_SOURCES += %reldir%/replay_main.c
fuzz_targets += %reldir%/fuzz_pb
fuzz_targets += %reldir%/fuzz_multiaddr
fuzz_targets += %reldir%/fuzz_multibase
fuzz_targets += %reldir%/fuzz_envelope
fuzz_targets += %reldir%/fuzz_noise
