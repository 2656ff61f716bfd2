/* conf/edit.h - changing one option in the text of a configuration file, and leaving all else as the person wrote it. */
#ifndef GUTS_CONF_EDIT_H
#define GUTS_CONF_EDIT_H

#include "conf/conf.h"

/* Append to `out` the text `old` with option `id` set to n values (0: no longer named, so its default holds).  Comments, order and
 * all other lines stay, but an option or section that is indented loses its indentation, which could join it to the line before.
 * The first line that names the option is replaced and further ones go; else a new one comes after its commented-out template,
 * at the end of its section, or in a new section.
 * The text is not judged: what comes out has to be parsed by the caller, who sees then whether it says what was meant
 * (a value with " ;" does not, for instance).
 * Errors: GUTS_ELIMIT (out->max), GUTS_EINVAL (a value with a line break or NUL). */
int guts_conf_edit(struct guts_buf *out, struct guts_slice old, enum guts_conf_id id, const char *const *values, size_t n);

#endif
