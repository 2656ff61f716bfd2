/* http/authstate.h - the memory behind auth.h, shared by tokens.c and sessions.c. */
#ifndef GUTS_HTTP_AUTHSTATE_H
#define GUTS_HTTP_AUTHSTATE_H

#include "http/auth.h"

#include <pthread.h>

#define GUTS_AUTH_ADDRESSES 256    /* addresses with wrong tries that are remembered */
#define GUTS_AUTH_TRIES 10         /* wrong tries in a minute before an address must wait */
#define GUTS_AUTH_WINDOW_MS 60000  /* [ms] */

struct guts_session {
	uint8_t hash[32];          /* SHA-256 of the cookie; n = 0: free */
	bool used;
	char csrf[65];
	struct guts_token *token;  /* NULL: by a one-time code */
	uint64_t last_ms;
};

struct guts_code {
	uint8_t hash[32];
	uint64_t until_ms;         /* 0: free */
};

struct guts_tries {
	uint64_t address, since_ms; /* hash of the network */
	unsigned n;
};

struct guts_auth {
	pthread_mutex_t lock;
	struct guts_token *tokens; /* in order of making */
	size_t ntokens;
	struct guts_session sessions[GUTS_SESSIONS_MAX];
	struct guts_code codes[GUTS_CODES_MAX];
	struct guts_tries tries[GUTS_AUTH_ADDRESSES];
};

struct guts_token *guts_token_ref(struct guts_token *t);
/* Is it still in force?  Under the lock. */
bool guts_token_holds(const struct guts_auth *a, const struct guts_token *t, uint64_t now_ms);
/* 64 random hex digits. */
void guts_auth_random_hex(char out[65]);

#endif
