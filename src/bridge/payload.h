/* bridge/payload.h - what a webhook's receiver is told, in GitHub's and Gitea's words.
 *
 * Both forges' payloads have the same members for the most part, and clients of one ignore what they do not know of the
 * other; so there is one payload with all of them, and a `gitea` variant for the few that contradict each other (pusher,
 * compare).  Reads git, so it is a worker's job.
 */
#ifndef GUTS_BRIDGE_PAYLOAD_H
#define GUTS_BRIDGE_PAYLOAD_H

#include "base/buf.h"
#include "bridge/hook.h"
#include "node/node.h"
#include "store/fact.h"

#define GUTS_PAYLOAD_COMMITS_MAX 1024 /* newest ones that `commits` of a push lists, fewer if they are too long */

struct guts_payload {
	const char *event;                 /* "push", "create", "delete", "status", "repository", or a type of doc/events.md */
	const char *action;                /* of `repository` */
	const struct guts_fact *fact;      /* what happened */
	const struct guts_hook *hook;      /* of a ping */
	const struct guts_repo_info *repo; /* NULL: of none, or it is no longer here */
	const char *git_path;              /* folder of the repository */
	const char *base;                  /* URL for links, without a slash at the end */
	bool gitea;
};

/* Write the JSON into `out`, which is empty.  push, create, delete and status need `repo`.
 * Errors: GUTS_ELIMIT (out->max; does not happen with room for GUTS_DELIVERY_BODY_MAX). */
int guts_payload_make(struct guts_buf *out, const struct guts_payload *p);

/* "main" of refs/heads/main, "v1" of refs/tags/v1, also of another author's own; empty for any other ref. */
struct guts_slice guts_ref_branch(struct guts_slice ref);
struct guts_slice guts_ref_tag(struct guts_slice ref);

#endif
