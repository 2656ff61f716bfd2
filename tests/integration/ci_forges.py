"""ci_forges.py - webhooks with the types that CI systems' parsers insist on: those of Drone and Woodpecker for Gitea's form (Go
structures of Gitea's SDK: one member of another type and the delivery is refused), those of Jenkins' GitHub library for GitHub's."""
import datetime

from gutslib import Tap, commit, git, request, wait_for, work_tree
from hooklib import ALLOW, Receiver, hook


class Time(str):
    """What a time has to be: RFC 3339."""


USER = {"id": int, "login": str, "full_name": str, "email": str, "visibility": str, "username": str}
REPOSITORY = {"id": int, "owner": USER, "name": str, "full_name": str, "description": str, "private": bool, "fork": bool, "archived": bool,
              "size": int, "html_url": str, "clone_url": str, "url": str, "default_branch": str, "created_at": Time, "updated_at": Time,
              "permissions": {"admin": bool, "push": bool, "pull": bool}}
PERSON = {"name": str, "email": str, "username": str}
COMMIT = {"id": str, "message": str, "url": str, "author": PERSON, "committer": PERSON, "timestamp": Time, "added": [str], "removed": [str],
          "modified": [str]}
PUSH = {"ref": str, "before": str, "after": str, "commits": [COMMIT], "repository": REPOSITORY, "sender": USER, "head_commit": COMMIT,
        "total_commits": int}
FORMS = {
    ("gitea", "push"): dict(PUSH, compare_url=str, pusher=USER),
    ("gitea", "create"): {"ref": str, "ref_type": str, "sha": str, "repository": REPOSITORY, "sender": USER},
    ("gitea", "delete"): {"ref": str, "ref_type": str, "repository": REPOSITORY, "sender": USER},
    ("github", "push"): dict(PUSH, compare=str, pusher={"name": str, "email": str}, created=bool, deleted=bool, forced=bool),
}


def faults(value, form, path=""):
    """Where a value is not of its form."""
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return [path]
        return [x for k, f in form.items() for x in faults(value.get(k), f, path + "." + k)]
    if isinstance(form, list):
        return [path] if not isinstance(value, list) else [x for v in value for x in faults(v, form[0], path + "[]")]
    if form is Time:
        try:
            return [] if datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).tzinfo else [path]
        except (AttributeError, ValueError):
            return [path]
    return [] if type(value) is form else [path]


def main(tap, net, receiver):
    a = net.node("A", args=ALLOW)
    repo = a.create("demo")
    for form in "gitea", "github":
        hook(a, repo, receiver.url("/" + form), type=form, events=["push", "create", "delete"])
    work = work_tree(net.path("work"), {"a": "1\n"})
    git("push", "-q", a.git_url(repo), "main", cwd=work)
    tip = commit(work, "second", {"a": "2\n", "b": "1\n"})
    git("tag", "-a", "-m", "one", "v1", cwd=work)
    git("push", "-q", a.git_url(repo), "main", "main:side", "v1", cwd=work)
    git("push", "-q", a.git_url(repo), ":side", cwd=work)
    wait_for(lambda: [len({d.id for d in receiver.of(x)}) for x in ("delete", "create", "push")] == [2, 6, 10], "all of them")
    got = {}
    for d in receiver.good:
        got.setdefault((d.path[1:], d.event), []).append(d.json)
    with tap.case("every payload has its members with the types that Gitea's SDK and GitHub's Java library have"):
        for key, form in FORMS.items():
            for body in got[key]:
                if body.get("after", "1").strip("0"):
                    assert not faults(body, form), (key, body["ref"], faults(body, form), body)
                else:
                    assert not faults(body, dict(form, head_commit=type(None))), (key, body)
    with tap.case("a number stands for one repository and one user, on every node"):
        ids = {(b["repository"]["id"], b["repository"]["owner"]["id"], b["sender"]["id"]) for bodies in got.values() for b in bodies}
        assert len(ids) == 1 and all(0 < x < 1 << 53 for x in ids.pop()), ids
        assert {b["repository"]["guts_url"] for bodies in got.values() for b in bodies} == {"guts://" + repo["id"]}
    with tap.case("a new tag is told with its commit, and the pipeline's file of that commit can be read"):
        tag, = [b for b in got["gitea", "create"] if b["ref_type"] == "tag"]
        assert tag["ref"] == "v1" and tag["sha"] in (tip, git("rev-parse", "v1", cwd=work).strip()), tag
        for path in "raw/b?ref=" + tip, "raw/b?ref=" + tag["sha"]:
            answer = request(a.url, "GET", "/api/v1/repos/%s/%s" % (tag["repository"]["full_name"], path), token=a.token)
            assert answer.status == 200 and answer.data == b"1\n", (path, answer.status)


tap = Tap()
receiver = Receiver()
with tap.net() as net:
    main(tap, net, receiver)
receiver.close()
tap.done()
