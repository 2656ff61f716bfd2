/* sink/nats.c - NATS JetStream through libnats: a message is taken when its PubAck came.
 *
 * The header Nats-Msg-Id lets JetStream drop what it has already, within the stream's duplicate window.  The library does not reconnect:
 * when a connection is over, the sender makes a new one at its own pace.
 */
#include "sink/broker.h"

#include "base/alloc.h"

#include <nats/nats.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define TEXT(x) #x
#define SONAME_OF(major, minor) "libnats.so." TEXT(major) "." TEXT(minor)
#define SONAME SONAME_OF(NATS_VERSION_MAJOR, NATS_VERSION_MINOR) /* its ABI */
#define MSG_ID "Nats-Msg-Id"
#define PING_MS 30000
#define CA_FILE "/etc/ssl/certs/ca-certificates.crt"

struct library {
	__typeof__(nats_GetLastError) *nats_GetLastError;
	__typeof__(nats_ReleaseThreadMemory) *nats_ReleaseThreadMemory;
	__typeof__(natsStatus_GetText) *natsStatus_GetText;
	__typeof__(natsOptions_Create) *natsOptions_Create;
	__typeof__(natsOptions_Destroy) *natsOptions_Destroy;
	__typeof__(natsOptions_SetURL) *natsOptions_SetURL;
	__typeof__(natsOptions_SetName) *natsOptions_SetName;
	__typeof__(natsOptions_SetTimeout) *natsOptions_SetTimeout;
	__typeof__(natsOptions_SetPingInterval) *natsOptions_SetPingInterval;
	__typeof__(natsOptions_SetAllowReconnect) *natsOptions_SetAllowReconnect;
	__typeof__(natsOptions_SetIgnoreDiscoveredServers) *natsOptions_SetIgnoreDiscoveredServers;
	__typeof__(natsOptions_SetUserInfo) *natsOptions_SetUserInfo;
	__typeof__(natsOptions_SetToken) *natsOptions_SetToken;
	__typeof__(natsOptions_SetNKey) *natsOptions_SetNKey;
	__typeof__(natsOptions_SetUserCredentialsCallbacks) *natsOptions_SetUserCredentialsCallbacks;
	__typeof__(natsOptions_LoadCertificatesChain) *natsOptions_LoadCertificatesChain;
	__typeof__(natsOptions_SetSecure) *natsOptions_SetSecure;
	__typeof__(natsOptions_LoadCATrustedCertificates) *natsOptions_LoadCATrustedCertificates;
	__typeof__(natsOptions_SetExpectedHostname) *natsOptions_SetExpectedHostname;
	__typeof__(natsOptions_SetErrorHandler) *natsOptions_SetErrorHandler;
	__typeof__(natsOptions_SetClosedCB) *natsOptions_SetClosedCB;
	__typeof__(natsConnection_Connect) *natsConnection_Connect;
	__typeof__(natsConnection_GetLastError) *natsConnection_GetLastError;
	__typeof__(natsConnection_JetStream) *natsConnection_JetStream;
	__typeof__(natsConnection_Close) *natsConnection_Close;
	__typeof__(natsConnection_Destroy) *natsConnection_Destroy;
	__typeof__(natsMsg_Create) *natsMsg_Create;
	__typeof__(natsMsg_Destroy) *natsMsg_Destroy;
	__typeof__(natsMsgHeader_Set) *natsMsgHeader_Set;
	__typeof__(natsMsgHeader_Get) *natsMsgHeader_Get;
	__typeof__(jsOptions_Init) *jsOptions_Init;
	__typeof__(js_PublishMsgAsync) *js_PublishMsgAsync;
	__typeof__(jsCtx_Destroy) *jsCtx_Destroy;
};

static const struct guts_broker_function functions[] = {
#define ROW(f) { #f, offsetof(struct library, f) }
	ROW(nats_GetLastError),
	ROW(nats_ReleaseThreadMemory),
	ROW(natsStatus_GetText),
	ROW(natsOptions_Create),
	ROW(natsOptions_Destroy),
	ROW(natsOptions_SetURL),
	ROW(natsOptions_SetName),
	ROW(natsOptions_SetTimeout),
	ROW(natsOptions_SetPingInterval),
	ROW(natsOptions_SetAllowReconnect),
	ROW(natsOptions_SetIgnoreDiscoveredServers),
	ROW(natsOptions_SetUserInfo),
	ROW(natsOptions_SetToken),
	ROW(natsOptions_SetNKey),
	ROW(natsOptions_SetUserCredentialsCallbacks),
	ROW(natsOptions_LoadCertificatesChain),
	ROW(natsOptions_SetSecure),
	ROW(natsOptions_LoadCATrustedCertificates),
	ROW(natsOptions_SetExpectedHostname),
	ROW(natsOptions_SetErrorHandler),
	ROW(natsOptions_SetClosedCB),
	ROW(natsConnection_Connect),
	ROW(natsConnection_GetLastError),
	ROW(natsConnection_JetStream),
	ROW(natsConnection_Close),
	ROW(natsConnection_Destroy),
	ROW(natsMsg_Create),
	ROW(natsMsg_Destroy),
	ROW(natsMsgHeader_Set),
	ROW(natsMsgHeader_Get),
	ROW(jsOptions_Init),
	ROW(js_PublishMsgAsync),
	ROW(jsCtx_Destroy),
#undef ROW
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct library lib;
static struct guts_errinfo problem;

/* Calls of the library may still be under way when a connection was destroyed, so they name it by number. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below, and the round of each */
static uintptr_t last_number;
static struct nats *connections;

struct nats {
	struct guts_broker base;
	struct nats *prev, *next;
	uintptr_t number;
	struct guts_tally *tally;
	natsConnection *connection;
	jsCtx *js;
	const struct guts_broker_message *v; /* of this round */
	size_t n;
};

static void
load(void)
{
	(void)guts_broker_load(&lib, SONAME, functions, sizeof functions / sizeof functions[0], &problem);
}

/* -- on the library's threads ------------------------------------------------------------------------ */

/* Under the lock; NULL: it was closed. */
static struct nats *
find(void *closure)
{
	struct nats *m = connections;

	while (m && m->number != (uintptr_t)closure)
		m = m->next;
	return m;
}

static void
on_ack(jsCtx *js, natsMsg *msg, jsPubAck *ack, jsPubAckErr *why, void *closure)
{
	const char *id = NULL, *error = NULL;
	struct nats *m;

	(void)js;
	if (!ack)
		error = why && why->Err == NATS_NO_RESPONDERS ? "no JetStream stream takes it" :
		    why && why->ErrText ? why->ErrText : lib.natsStatus_GetText(why ? why->Err : NATS_ERR);
	pthread_mutex_lock(&lock);
	m = find(closure);
	if (m && lib.natsMsgHeader_Get(msg, MSG_ID, &id) == NATS_OK) {
		for (size_t i = 0; i < m->n; i++) {
			if (strcmp(m->v[i].id, id) == 0)
				guts_tally_answer(m->tally, i, error);
		}
	}
	pthread_mutex_unlock(&lock);
	lib.natsMsg_Destroy(msg);
}

static void
broke(natsConnection *c, natsStatus status, void *closure)
{
	const char *text = NULL;
	struct nats *m;

	(void)lib.natsConnection_GetLastError(c, &text);
	pthread_mutex_lock(&lock);
	m = find(closure);
	if (m)
		guts_tally_break(m->tally, "the connection to the broker is over: %s",
		    text && text[0] ? text : lib.natsStatus_GetText(status));
	pthread_mutex_unlock(&lock);
}

static void
on_closed(natsConnection *c, void *closure)
{
	broke(c, NATS_CONNECTION_CLOSED, closure);
}

/* Also when we may not publish to a subject: then no answer comes. */
static void
on_error(natsConnection *c, natsSubscription *sub, natsStatus status, void *closure)
{
	(void)sub;
	broke(c, status, closure);
}

/* The library's texts begin with a place in its sources: "(conn.c:2088): …". */
static const char *
plain(const char *text)
{
	const char *end = text[0] == '(' ? strstr(text, "): ") : NULL;

	return end ? end + 3 : text;
}

/* -- on the sender's ------------------------------------------------------------------------------------ */

static int
failed(natsStatus s, const char *what, struct guts_errinfo *ei)
{
	const char *text = lib.nats_GetLastError(NULL);

	return guts_err_set(ei, GUTS_ECLOSED, "%s%s", what, text && text[0] ? plain(text) : lib.natsStatus_GetText(s));
}

static void
close_nats(struct guts_broker *b)
{
	struct nats *m = (struct nats *)b;

	pthread_mutex_lock(&lock);
	DL_DELETE(connections, m);
	pthread_mutex_unlock(&lock);
	if (m->connection)
		lib.natsConnection_Close(m->connection);
	lib.jsCtx_Destroy(m->js);
	lib.natsConnection_Destroy(m->connection);
	lib.nats_ReleaseThreadMemory();
	free(m);
}

/* While a connection is made, on this thread: the library frees what it is given. */
static natsStatus
give_jwt(char **jwt, char **error, void *closure)
{
	const struct guts_nats_user *u = closure;

	(void)error;
	*jwt = guts_strdup(u->jwt);
	return NATS_OK;
}

static natsStatus
give_signature(char **error, unsigned char **sig, int *n, const char *nonce, void *closure)
{
	const struct guts_nats_user *u = closure;

	(void)error;
	*sig = guts_alloc(GUTS_SIG_SIZE);
	*n = GUTS_SIG_SIZE;
	guts_sign(*sig, &u->key, guts_slice_str(nonce));
	return NATS_OK;
}

static natsStatus
set_user(natsOptions *o, const struct guts_nats_user *u)
{
	void *closure = (void *)(uintptr_t)u;

	return u->jwt ? lib.natsOptions_SetUserCredentialsCallbacks(o, give_jwt, closure, give_signature, closure) :
	    lib.natsOptions_SetNKey(o, u->nkey, give_signature, closure);
}

static natsStatus
set_tls(natsOptions *o, const struct guts_broker_setup *s)
{
	const struct guts_broker_files *f = s->files;
	natsStatus err = lib.natsOptions_SetSecure(o, true);

	err = err ? err : lib.natsOptions_LoadCATrustedCertificates(o, f->ca[0] ? f->ca : CA_FILE);
	err = err ? err : lib.natsOptions_SetExpectedHostname(o, s->url.host);
	if (!err && f->cert[0])
		err = lib.natsOptions_LoadCertificatesChain(o, f->cert, f->key);
	return err;
}

static natsStatus
set_options(natsOptions *o, const struct guts_broker_setup *s, void *closure)
{
	const struct guts_broker_url *u = &s->url;
	char url[GUTS_BROKER_HOST_MAX + 32];
	natsStatus err;

	snprintf(url, sizeof url, strchr(u->host, ':') ? "nats://[%s]:%u" : "nats://%s:%u", u->host, u->port);
	err = lib.natsOptions_SetURL(o, url);
	err = err ? err : lib.natsOptions_SetName(o, s->name);
	err = err ? err : lib.natsOptions_SetTimeout(o, GUTS_BROKER_CONNECT_S * 1000);
	err = err ? err : lib.natsOptions_SetPingInterval(o, PING_MS);
	err = err ? err : lib.natsOptions_SetAllowReconnect(o, false);
	err = err ? err : lib.natsOptions_SetIgnoreDiscoveredServers(o, true);
	err = err ? err : lib.natsOptions_SetErrorHandler(o, on_error, closure);
	err = err ? err : lib.natsOptions_SetClosedCB(o, on_closed, closure);
	if (!err && u->user[0])
		err = u->has_password ? lib.natsOptions_SetUserInfo(o, u->user, u->password) : lib.natsOptions_SetToken(o, u->user);
	if (!err && s->user.nkey[0])
		err = set_user(o, &s->user);
	if (!err && u->is_tls)
		err = set_tls(o, s);
	return err;
}

static int
connect_nats(struct nats *m, const struct guts_broker_setup *s, struct guts_errinfo *ei)
{
	void *closure = (void *)m->number; /* never a pointer to anything */
	natsOptions *o = NULL;
	jsOptions js;
	natsStatus err = lib.natsOptions_Create(&o);

	err = err ? err : set_options(o, s, closure);
	err = err ? err : lib.natsConnection_Connect(&m->connection, o);
	lib.natsOptions_Destroy(o);
	if (err && failed(err, "", ei) && s->url.is_tls && strstr(ei->text, "got ''"))
		return guts_err_set(ei, GUTS_ECLOSED, "the server hung up before the log-in; it may ask for a certificate (sink.tls_cert)");
	if (err)
		return GUTS_ECLOSED;
	lib.jsOptions_Init(&js);
	js.PublishAsync.AckHandler = on_ack;
	js.PublishAsync.AckHandlerClosure = closure;
	err = lib.natsConnection_JetStream(&m->js, m->connection, &js);
	if (err)
		return failed(err, "JetStream: ", ei);
	guts_tally_up(s->tally);
	return guts_tally_wait_up(s->tally, GUTS_BROKER_CONNECT_S, ei);
}

static int
open_nats(struct guts_broker **out, const struct guts_broker_setup *s, struct guts_errinfo *ei)
{
	struct nats *m;
	int err;

	pthread_once(&once, load);
	if (problem.code)
		return guts_err_set(ei, problem.code, "%s", problem.text);
	m = guts_alloc(sizeof *m);
	m->base.ops = &guts_broker_nats;
	m->tally = s->tally;
	pthread_mutex_lock(&lock);
	m->number = ++last_number;
	DL_APPEND(connections, m);
	pthread_mutex_unlock(&lock);
	err = connect_nats(m, s, ei);
	if (err)
		close_nats(&m->base);
	else
		*out = &m->base;
	return err;
}

static natsStatus
send_one(struct nats *m, const struct guts_broker_message *v)
{
	natsMsg *msg = NULL;
	natsStatus err = lib.natsMsg_Create(&msg, v->subject, NULL, (const char *)guts_buf_slice(&v->body).p, (int)v->body.len);

	err = err ? err : lib.natsMsgHeader_Set(msg, MSG_ID, v->id);
	err = err ? err : lib.natsMsgHeader_Set(msg, "Content-Type", "application/cloudevents+json; charset=utf-8");
	err = err ? err : lib.js_PublishMsgAsync(m->js, &msg, NULL);
	lib.natsMsg_Destroy(msg); /* ours only after an error */
	return err;
}

static void
set_round(struct nats *m, const struct guts_broker_message *v, size_t n)
{
	pthread_mutex_lock(&lock);
	m->v = v;
	m->n = n;
	pthread_mutex_unlock(&lock);
}

static int
publish_nats(struct guts_broker *b, const struct guts_broker_message *v, size_t n, size_t *taken, struct guts_errinfo *ei)
{
	struct nats *m = (struct nats *)b;
	struct guts_errinfo why;
	natsStatus err = NATS_OK;
	int code;

	guts_tally_begin(m->tally, n);
	set_round(m, v, n);
	for (size_t i = 0; i < n && !err; i++) {
		err = send_one(m, &v[i]);
		if (err && failed(err, "", &why))
			guts_tally_break(m->tally, "%s: %s", v[i].subject, why.text);
	}
	code = guts_tally_wait(m->tally, GUTS_BROKER_ANSWER_S, taken, ei);
	set_round(m, NULL, 0);
	return code;
}

const struct guts_broker_ops guts_broker_nats = { .open = open_nats, .publish = publish_nats, .close = close_nats };
