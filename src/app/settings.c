/* app/settings.c - layers of the configuration, and its words turned into the node's set-up. */
#include "app/settings.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* --set KEY=VALUE */
static int
set_any(struct guts_conf *conf, struct guts_cli *c, const char *text)
{
	struct guts_errinfo ei = { 0 };
	size_t n = strcspn(text, "=");
	enum guts_conf_id id;
	char name[128];

	if (text[n] == '\0' || n >= sizeof(name))
		return guts_cli_usage(c, "--set %s: KEY=VALUE, e.g. p2p.max_connections=20", text);
	memcpy(name, text, n);
	name[n] = '\0';
	if (guts_conf_lookup(name, &id))
		return guts_cli_usage(c, "--set: there is no option \"%s\"", name);
	if (guts_conf_set(conf, id, text + n + 1, 2, &ei))
		return guts_cli_usage(c, "--set: %s", ei.text);
	return GUTS_EXIT_OK;
}

static int
set_options(struct guts_conf *conf, struct guts_cli *c)
{
	static const struct {
		const char *option;
		enum guts_conf_id id;
	} rows[] = {
		{ "listen", GUTS_CONF_P2P_LISTEN },
		{ "http", GUTS_CONF_HTTP_LISTEN },
		{ "bootstrap", GUTS_CONF_P2P_BOOTSTRAP_NODES },
		{ "network", GUTS_CONF_NODE_NETWORK },
		{ "log-level", GUTS_CONF_LOG_LEVEL },
	};
	struct guts_errinfo ei = { 0 };
	const char *value;
	int code;

	for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
		for (size_t i = 0; (value = guts_args_nth(&c->args, rows[k].option, i)) != NULL; i++)
			if (guts_conf_set(conf, rows[k].id, value, 2, &ei))
				return guts_cli_usage(c, "--%s: %s", rows[k].option, ei.text);
	for (size_t i = 0; (value = guts_args_nth(&c->args, "set", i)) != NULL; i++)
		if ((code = set_any(conf, c, value)))
			return code;
	return GUTS_EXIT_OK;
}

const char *
guts_settings_path(struct guts_cli *c)
{
	const char *given = guts_args_get(&c->args, "config");

	return given != NULL ? given : c->home.conf_path;
}

int
guts_settings_layers(struct guts_conf *conf, struct guts_cli *c)
{
	struct guts_errinfo ei = { 0 };
	int err = guts_conf_load(conf, guts_settings_path(c), &ei);

	if (err && (err != GUTS_ENOTFOUND || guts_args_get(&c->args, "config") != NULL))
		return guts_cli_fail(GUTS_EXIT_USAGE, "%s", ei.text);
	return set_options(conf, c);
}

/* The addresses of one list option, appended at *at. */
static int
read_addrs(const struct guts_conf *conf, enum guts_conf_id id, struct guts_maddr **at, const struct guts_maddr **list,
    size_t *n, struct guts_errinfo *ei)
{
	*list = *at;
	*n = guts_conf_count(conf, id);
	for (size_t i = 0; i < *n; i++, ++*at)
		if (guts_maddr_parse(*at, guts_slice_str(guts_conf_item(conf, id, i))))
			return guts_err_set(ei, GUTS_EINVAL, "%s: %s is no multiaddress", guts_conf_option(id)->name,
			    guts_conf_item(conf, id, i));
	return GUTS_OK;
}

int
guts_settings_read(struct guts_settings *s, const struct guts_conf *conf, struct guts_errinfo *ei)
{
	struct guts_node_setup *n = &s->node;
	struct guts_maddr *at;
	int err;

	*s = (struct guts_settings){ 0 };
	s->addrs = guts_calloc((size_t)3 * GUTS_CONF_LIST_MAX, sizeof(*s->addrs));
	at = s->addrs;
	err = read_addrs(conf, GUTS_CONF_P2P_LISTEN, &at, &n->listen, &n->nlisten, ei);
	if (!err)
		err = read_addrs(conf, GUTS_CONF_P2P_ANNOUNCE, &at, &n->announce, &n->nannounce, ei);
	if (!err)
		err = read_addrs(conf, GUTS_CONF_P2P_BOOTSTRAP_NODES, &at, &n->bootstrap, &n->nbootstrap, ei);
	if (err) {
		guts_settings_deinit(s);
		return err;
	}
	n->network = guts_conf_text(conf, GUTS_CONF_NODE_NETWORK);
	n->mdns = guts_conf_bool(conf, GUTS_CONF_P2P_MDNS);
	n->portmap = guts_conf_bool(conf, GUTS_CONF_P2P_PORTMAP);
	n->max_connections = (unsigned)guts_conf_number(conf, GUTS_CONF_P2P_MAX_CONNECTIONS);
	n->connection_timeout_ms = (unsigned)guts_conf_number(conf, GUTS_CONF_P2P_CONNECTION_TIMEOUT);
	n->keepalive_interval_ms = (unsigned)guts_conf_number(conf, GUTS_CONF_P2P_KEEPALIVE_INTERVAL);
	n->inventory_interval_ms = (unsigned)guts_conf_number(conf, GUTS_CONF_P2P_INVENTORY_INTERVAL);
	n->dht_mode = (enum guts_dht_mode)guts_conf_number(conf, GUTS_CONF_KAD_MODE); /* the choices are in this order */
	n->dht_protocol = guts_conf_text(conf, GUTS_CONF_KAD_PROTOCOL);
	n->dht_private = guts_conf_bool(conf, GUTS_CONF_KAD_PRIVATE_ADDRESSES);
	n->seed_default = (enum guts_seed_default)guts_conf_number(conf, GUTS_CONF_SEED_DEFAULT); /* the choices are in this order */
	n->quota_total_bytes = guts_conf_number(conf, GUTS_CONF_QUOTA_TOTAL);
	n->quota_creator_bytes = guts_conf_number(conf, GUTS_CONF_QUOTA_CREATOR);
	n->quota_repo_bytes = guts_conf_number(conf, GUTS_CONF_QUOTA_REPOSITORY);
	n->quota_creator_repos = (unsigned)guts_conf_number(conf, GUTS_CONF_QUOTA_CREATOR_REPOSITORIES);
	n->quota_new_per_hour = (unsigned)guts_conf_number(conf, GUTS_CONF_QUOTA_NEW_PER_HOUR);
	n->pack_max_bytes = guts_conf_number(conf, GUTS_CONF_LIMITS_PACK);
	n->gossip_keep = guts_conf_bool(conf, GUTS_CONF_GOSSIP_KEEP);
	n->gossip_expect = (unsigned)guts_conf_number(conf, GUTS_CONF_GOSSIP_EXPECT);
	return GUTS_OK;
}

void
guts_settings_deinit(struct guts_settings *s)
{
	free(s->addrs);
	s->addrs = NULL;
}
