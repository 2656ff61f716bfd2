/* base/oid.c - object ids and the rules for reference names.
 *
 * The name rules are git's own (git-check-ref-format(1)), checked here so that a name
 * from a peer is judged before any git code sees it.
 */
#include "base/oid.h"

#include "base/err.h"
#include "base/text.h"

#define COMPONENT_MAX 255u /* [bytes] what file systems take */

static bool
all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

int
guts_oid_from_bytes(struct guts_oid *o, struct guts_slice s)
{
	*o = (struct guts_oid){ 0 };
	if (s.n != 0 && s.n != 20 && s.n != 32)
		return GUTS_EPROTO;
	if (all_zero(s.p, s.n))
		return GUTS_OK;
	o->n = (uint8_t)s.n;
	memcpy(o->b, s.p, s.n);
	return GUTS_OK;
}

int
guts_oid_from_hex(struct guts_oid *o, struct guts_slice hex)
{
	uint8_t bytes[GUTS_OID_MAX];

	*o = (struct guts_oid){ 0 };
	if ((hex.n != 40 && hex.n != 64) || guts_hex_decode(bytes, hex.n / 2, hex))
		return GUTS_EINVAL;
	return guts_oid_from_bytes(o, guts_slice(bytes, hex.n / 2));
}

void
guts_oid_hex(char out[GUTS_OID_HEX_SIZE], const struct guts_oid *o)
{
	guts_hex_encode(out, o->b, o->n ? o->n : 20);
}

static bool
starts_with(struct guts_slice s, const char *prefix)
{
	struct guts_slice p = guts_slice_str(prefix);

	return s.n >= p.n && memcmp(s.p, p.p, p.n) == 0;
}

static bool
ends_with(struct guts_slice s, const char *suffix)
{
	struct guts_slice e = guts_slice_str(suffix);

	return s.n >= e.n && memcmp(s.p + s.n - e.n, e.p, e.n) == 0;
}

static bool
component_is_valid(struct guts_slice c)
{
	if (c.n == 0 || c.n > COMPONENT_MAX || c.p[0] == '.' || ends_with(c, ".lock"))
		return false;
	for (size_t i = 0; i < c.n; i++) {
		if (c.p[i] <= ' ' || c.p[i] == 0x7f || strchr("~^:?*[\\", c.p[i]))
			return false;
		if (i > 0 && c.p[i - 1] == '.' && c.p[i] == '.')
			return false;
		if (i > 0 && c.p[i - 1] == '@' && c.p[i] == '{')
			return false;
	}
	return true;
}

bool
guts_refname_is_valid(struct guts_slice name)
{
	if (name.n > GUTS_REFNAME_MAX || !starts_with(name, "refs/") || !guts_text_is_clean(name, false))
		return false;
	if (name.p[name.n - 1] == '.' || starts_with(name, "refs/replace/") ||
	    starts_with(name, "refs/namespaces/"))
		return false;
	for (size_t from = 0, i = 0; i <= name.n; i++) {
		if (i < name.n && name.p[i] != '/')
			continue;
		if (!component_is_valid(guts_slice(name.p + from, i - from)))
			return false;
		from = i + 1;
	}
	return true;
}
