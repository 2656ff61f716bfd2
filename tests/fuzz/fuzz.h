/* tests/fuzz/fuzz.h - what a fuzz target defines: the function that libFuzzer, or replay_main.c, calls with each input; 0 always. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
