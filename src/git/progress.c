/* git/progress.c - see progress.h.  Lines end with CR while they are written over, with LF when they stay. */
#include "git/progress.h"

#include "base/text.h"

#include <string.h>

/* The number at *at, up to `end`; *at moves behind it. */
static bool
take_number(const char **at, char end, uint64_t *out)
{
	const char *stop = strchr(*at, end);

	if (!stop || guts_text_u64(guts_slice(*at, (size_t)(stop - *at)), UINT32_MAX, out))
		return false;
	*at = stop + 1;
	return true;
}

static bool
take_line(struct guts_git_progress *p)
{
	static const char *const kinds[] = { "Receiving objects: ", "Writing objects: " };
	uint64_t done, total;
	const char *at;

	p->line[p->n] = '\0';
	p->n = 0;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strncmp(p->line, kinds[i], strlen(kinds[i])) != 0 || !(at = strchr(p->line, '(')))
			continue;
		at++;
		if (!take_number(&at, '/', &done) || !take_number(&at, ')', &total) || (done == p->done && total == p->total))
			return false;
		p->done = done;
		p->total = total;
		return true;
	}
	return false;
}

bool
guts_git_progress_take(struct guts_git_progress *p, struct guts_slice text)
{
	bool changed = false;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\r' || text.p[i] == '\n')
			changed |= take_line(p);
		else if (p->n < sizeof p->line - 1)
			p->line[p->n++] = (char)text.p[i];
	}
	return changed;
}
