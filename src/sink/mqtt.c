/* sink/mqtt.c - MQTT 5 through libmosquitto: QoS 1, a message is taken when its PUBACK came.
 *
 * The library's thread keeps the connection alive and reads the answers.  When a connection is over, so is the client: the sender makes a
 * new one at its own pace, so nothing is sent twice behind its back.
 */
#include "sink/broker.h"

#include "base/alloc.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SONAME "libmosquitto.so.1"
#define KEEPALIVE_S 30
#define CA_PATH "/etc/ssl/certs"

struct library {
	__typeof__(mosquitto_lib_init) *lib_init;
	__typeof__(mosquitto_new) *new;
	__typeof__(mosquitto_destroy) *destroy;
	__typeof__(mosquitto_int_option) *int_option;
	__typeof__(mosquitto_username_pw_set) *username_pw_set;
	__typeof__(mosquitto_tls_set) *tls_set;
	__typeof__(mosquitto_log_callback_set) *log_callback_set;
	__typeof__(mosquitto_connect_v5_callback_set) *connect_v5_callback_set;
	__typeof__(mosquitto_disconnect_v5_callback_set) *disconnect_v5_callback_set;
	__typeof__(mosquitto_publish_v5_callback_set) *publish_v5_callback_set;
	__typeof__(mosquitto_connect_async) *connect_async;
	__typeof__(mosquitto_loop_start) *loop_start;
	__typeof__(mosquitto_loop_stop) *loop_stop;
	__typeof__(mosquitto_disconnect) *disconnect;
	__typeof__(mosquitto_publish_v5) *publish_v5;
	__typeof__(mosquitto_property_add_string) *property_add_string;
	__typeof__(mosquitto_property_add_string_pair) *property_add_string_pair;
	__typeof__(mosquitto_property_free_all) *property_free_all;
	__typeof__(mosquitto_strerror) *strerror;
	__typeof__(mosquitto_reason_string) *reason_string;
};

static const struct guts_broker_function functions[] = {
#define ROW(f) { "mosquitto_" #f, offsetof(struct library, f) }
	ROW(lib_init),
	ROW(new),
	ROW(destroy),
	ROW(int_option),
	ROW(username_pw_set),
	ROW(tls_set),
	ROW(log_callback_set),
	ROW(connect_v5_callback_set),
	ROW(disconnect_v5_callback_set),
	ROW(publish_v5_callback_set),
	ROW(connect_async),
	ROW(loop_start),
	ROW(loop_stop),
	ROW(disconnect),
	ROW(publish_v5),
	ROW(property_add_string),
	ROW(property_add_string_pair),
	ROW(property_free_all),
	ROW(strerror),
	ROW(reason_string),
#undef ROW
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct library lib;
static struct guts_errinfo problem;

struct mqtt {
	struct guts_broker base;
	struct guts_tally *tally;
	struct mosquitto *client;
	bool is_running;                 /* the library's thread */
	pthread_mutex_t lock;            /* held while a round is sent: its numbers are known when answers come */
	size_t n;
	int mid[GUTS_TALLY_MAX];         /* the library's number of each message */
};

static void
load(void)
{
	if (guts_broker_load(&lib, SONAME, functions, sizeof functions / sizeof functions[0], &problem) == GUTS_OK)
		lib.lib_init();
}

/* -- on the library's thread ------------------------------------------------------------------------ */

static void
on_connect(struct mosquitto *client, void *owner, int reason, int flags, const mosquitto_property *p)
{
	struct mqtt *m = owner;

	(void)client;
	(void)flags;
	(void)p;
	if (reason == 0)
		guts_tally_up(m->tally);
	else
		guts_tally_break(m->tally, "the broker refused the connection: %s", lib.reason_string(reason));
}

/* The one way to hear that a handshake of TLS failed, and why. */
static void
on_log(struct mosquitto *client, void *owner, int level, const char *text)
{
	struct mqtt *m = owner;

	(void)client;
	if (level == MOSQ_LOG_ERR)
		guts_tally_break(m->tally, "%s", text);
}

static void
on_disconnect(struct mosquitto *client, void *owner, int reason, const mosquitto_property *p)
{
	struct mqtt *m = owner;

	(void)client;
	(void)p;
	/* below 128 it is an error of the library, from there on a reason of the protocol */
	guts_tally_break(m->tally, "the connection to the broker is over: %s",
	    reason < 128 ? lib.strerror(reason) : lib.reason_string(reason));
}

static void
on_publish(struct mosquitto *client, void *owner, int mid, int reason, const mosquitto_property *p)
{
	struct mqtt *m = owner;
	size_t i;

	(void)client;
	(void)p;
	pthread_mutex_lock(&m->lock);
	for (i = 0; i < m->n && m->mid[i] != mid; i++)
		;
	pthread_mutex_unlock(&m->lock);
	guts_tally_answer(m->tally, i, reason < 128 ? NULL : lib.reason_string(reason));
}

/* -- on the sender's ---------------------------------------------------------------------------------- */

static void
close_mqtt(struct guts_broker *b)
{
	struct mqtt *m = (struct mqtt *)b;

	if (m->client) {
		lib.disconnect(m->client);
		if (m->is_running)
			lib.loop_stop(m->client, false);
		lib.destroy(m->client);
	}
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static int
prepare(struct mqtt *m, const struct guts_broker_setup *s)
{
	const struct guts_broker_url *u = &s->url;
	const struct guts_broker_files *f = s->files;
	int rc = lib.int_option(m->client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);

	lib.log_callback_set(m->client, on_log);
	lib.connect_v5_callback_set(m->client, on_connect);
	lib.disconnect_v5_callback_set(m->client, on_disconnect);
	lib.publish_v5_callback_set(m->client, on_publish);
	if (!rc && u->user[0])
		rc = lib.username_pw_set(m->client, u->user, u->has_password ? u->password : NULL);
	if (!rc && u->is_tls)
		rc = lib.tls_set(m->client, f->ca[0] ? f->ca : NULL, f->ca[0] ? NULL : CA_PATH, f->cert[0] ? f->cert : NULL,
		    f->key[0] ? f->key : NULL, NULL);
	return rc;
}

/* Does somebody take a connection at one of the addresses?  libmosquitto 2.0 spins for half a minute when one that was to have TLS is
 * refused, so that is found out before. */
static int
look_for(const struct guts_broker_url *u, struct guts_errinfo *ei)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *list = NULL;
	char port[8];
	int rc, error = ETIMEDOUT;

	snprintf(port, sizeof port, "%u", u->port);
	rc = getaddrinfo(u->host, port, &hints, &list);
	if (rc)
		return guts_err_set(ei, GUTS_ECLOSED, "%s: %s", u->host, gai_strerror(rc));
	for (const struct addrinfo *a = list; a && error; a = a->ai_next) {
		int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		if (connect(fd, a->ai_addr, a->ai_addrlen) && errno == EINPROGRESS && poll(&p, 1, GUTS_BROKER_CONNECT_S * 1000) == 1)
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){ sizeof error });
		else
			error = errno == EINPROGRESS ? ETIMEDOUT : errno;
		if (fd >= 0)
			close(fd);
	}
	freeaddrinfo(list);
	return error ? guts_err_set(ei, GUTS_ECLOSED, "%s", strerror(error)) : GUTS_OK;
}

static int
open_mqtt(struct guts_broker **out, const struct guts_broker_setup *s, struct guts_errinfo *ei)
{
	struct mqtt *m;
	int rc, err;

	pthread_once(&once, load);
	if (problem.code)
		return guts_err_set(ei, problem.code, "%s", problem.text);
	if (s->url.is_tls && look_for(&s->url, ei))
		return GUTS_ECLOSED;
	m = guts_alloc(sizeof *m);
	m->base.ops = &guts_broker_mqtt;
	m->tally = s->tally;
	pthread_mutex_init(&m->lock, NULL);
	m->client = lib.new(s->name, true, m);
	rc = m->client ? prepare(m, s) : MOSQ_ERR_NOMEM;
	if (!rc)
		rc = lib.connect_async(m->client, s->url.host, s->url.port, KEEPALIVE_S);
	if (!rc)
		rc = lib.loop_start(m->client);
	m->is_running = !rc;
	if (rc) /* what was logged before says more */
		guts_tally_break(s->tally, "%s", rc == MOSQ_ERR_ERRNO ? strerror(errno) : lib.strerror(rc));
	err = guts_tally_wait_up(s->tally, GUTS_BROKER_CONNECT_S, ei);
	if (err && s->url.is_tls && strstr(ei->text, strerror(EPROTO))) /* what the library makes of an alert of TLS */
		guts_err_set(ei, err, "the broker hung up before the log-in; it may ask for a certificate (sink.tls_cert)");
	if (err)
		close_mqtt(&m->base);
	else
		*out = &m->base;
	return err;
}

/* repo.created under guts: guts/repo/created */
static void
write_topic(char topic[GUTS_SINK_SUBJECT_SIZE], const char *subject)
{
	snprintf(topic, GUTS_SINK_SUBJECT_SIZE, "%s", subject);
	for (char *p = topic; *p; p++) {
		if (*p == '.')
			*p = '/';
	}
}

static int
send_one(struct mqtt *m, int *mid, const struct guts_broker_message *v)
{
	char topic[GUTS_SINK_SUBJECT_SIZE];
	mosquitto_property *p = NULL;
	int rc = lib.property_add_string(&p, MQTT_PROP_CONTENT_TYPE, "application/cloudevents+json; charset=utf-8");

	if (!rc)
		rc = lib.property_add_string_pair(&p, MQTT_PROP_USER_PROPERTY, "id", v->id);
	write_topic(topic, v->subject);
	if (!rc)
		rc = lib.publish_v5(m->client, mid, topic, (int)v->body.len, guts_buf_slice(&v->body).p, 1, false, p);
	lib.property_free_all(&p);
	return rc;
}

static int
publish_mqtt(struct guts_broker *b, const struct guts_broker_message *v, size_t n, size_t *taken, struct guts_errinfo *ei)
{
	struct mqtt *m = (struct mqtt *)b;
	int rc = 0;

	guts_tally_begin(m->tally, n);
	pthread_mutex_lock(&m->lock);
	for (m->n = 0; m->n < n && !rc; m->n += !rc)
		rc = send_one(m, &m->mid[m->n], &v[m->n]);
	pthread_mutex_unlock(&m->lock);
	if (rc)
		guts_tally_break(m->tally, "%s: %s", v[m->n].subject, lib.strerror(rc));
	return guts_tally_wait(m->tally, GUTS_BROKER_ANSWER_S, taken, ei);
}

const struct guts_broker_ops guts_broker_mqtt = { .open = open_mqtt, .publish = publish_mqtt, .close = close_mqtt };
