/* tests/interop/lines.h - a helper program that is led by lines on its standard input. */
#ifndef TESTS_INTEROP_LINES_H
#define TESTS_INTEROP_LINES_H

#include "loop/uvenv.h"

/* Call on_line(line) on the loop for each line (with its newline), which it frees.  The end of standard input stops the loop. */
void lines_start(struct guts_uvenv *uv, void (*on_line)(void *line));

/* When the loop has stopped: wait for the thread that read. */
void lines_end(void);

#endif
