#!/usr/bin/env python3
"""What git allows and few repositories have, read by REST and held against stock git: names, modes, tags, diffs."""
import base64
import os
import urllib.parse

from gutslib import Tap, git

NAMES = [b"back\\slash.txt", b"tab\there", b"new\nline", b"dir with space/f?.c", b"a#b/c%41.h", b"latin\xe9", "ü/ñ".encode(),
         b'q"uote\'', b"plus+and&amp;.txt", b"%2F.txt", b"-x", b"x y/-/\x7f\x01"]
BRANCHES = ["feature/a#b%c", "ünï/cödé", "100%", "x%2Fy", "a+b", 'q"u', "amp&and=eq;", "it's"]


def quote(name, safe=""):
    return urllib.parse.quote_from_bytes(name, safe=safe) if isinstance(name, bytes) else urllib.parse.quote(name, safe=safe)


def make(work):
    os.makedirs(work)
    git("init", "-q", "-b", "main", ".", cwd=work)
    for i, name in enumerate(NAMES):
        path = os.path.join(work.encode(), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(b"%d\r\nno newline at the end" % i)
    os.symlink("../../etc/passwd", work + "/link")
    with open(work + "/README.md", "w") as f:
        f.write("# odd\n")
    git("add", "-A", cwd=work)
    git("commit", "-qm", "one", cwd=work)
    for name in BRANCHES:
        git("branch", name, cwd=work)
    os.unlink(work + "/link")
    with open(work + "/link", "w") as f:
        f.write("a file now\n")
    git("rm", "-q", "README.md", cwd=work)
    git("add", "-A", cwd=work)
    git("commit", "-qm", "two", cwd=work)
    git("tag", "tree", "main^{tree}", cwd=work)
    git("tag", "blob", "main:link", cwd=work)
    git("tag", "-am", "of a commit", "v1", cwd=work)
    git("tag", "-am", "of a tag", "v2", "v1", cwd=work)
    git("tag", "-am", "of a tree", "vtree", "main^{tree}", cwd=work)


def names(tap, a, base):
    with tap.case("files of any name: listed, read, downloaded by the links of the list, and their history"):
        for i, name in enumerate(NAMES):
            want = b"%d\r\nno newline at the end" % i
            for path in {quote(name), quote(name, "/")}:
                one = a.get(base + "/contents/" + path)
                assert one["type"] == "file" and base64.b64decode(one["content"]) == want, name
                assert a.request("GET", base + "/raw/" + path).data == want, name
            assert a.request("GET", one["download_url"].replace(a.url, "")).data == want, name
            assert a.get(one["url"].replace(a.url, ""))["sha"] == one["sha"], name
            assert [c["commit"]["message"] for c in a.get(base + "/commits?path=" + quote(name))] == ["one\n"], name
    with tap.case("a control character is refused where no file is named"):
        for path in base + "/branches/a%09b", base + "%0a/contents/x", "/api/v1/%5c", base + "/contents/x?ref=%0a", "/x%0d%0aX-A:1":
            answer = a.request("GET", path)
            assert answer.status == 400 and answer.json["message"], (path, answer.data)
        assert a.request("GET", base + "/contents/a%00b").status == 400
    with tap.case("branches of any name"):
        assert sorted(b["name"] for b in a.get(base + "/branches")) == sorted(BRANCHES + ["main"])
        for name in BRANCHES:
            sha = a.get(base + "/branches/" + quote(name))["commit"]["sha"]
            for path in "/commits/%s", "/commits?sha=%s", "/contents?ref=%s", "/git/trees/%s", "/git/ref/heads/%s", "/commit-count?sha=%s":
                a.get(base + path % quote(name))
            assert a.get(base + "/compare/%s...main" % quote(name))["ahead_by"] == 1 and len(sha) == 40


def objects(tap, a, base, work):
    with tap.case("tags of trees, blobs and tags"):
        tags = {t["name"]: t["commit"]["sha"] for t in a.get(base + "/tags")}
        for name in tags:
            assert tags[name] == git("rev-parse", name + "^{}", cwd=work).strip(), name
        assert len(tags) == 5 and a.get(base + "/git/trees/vtree")["tree"] == a.get(base + "/git/trees/main")["tree"]
        for name in "blob", "tree", "vtree":
            answer = a.request("GET", base + "/commits/" + name)
            assert answer.status == 404 and answer.json["message"] == "no such commit", answer.data
    with tap.case("a symlink that becomes a file is one that goes and one that comes"):
        change = a.get(base + "/commits/main")
        link = next(f for f in change["files"] if f["filename"] == "link")
        assert (link["status"], link["additions"], link["deletions"]) == ("changed", 1, 1), link
        assert "-../../etc/passwd" in link["patch"] and "+a file now" in link["patch"], link
        assert change["stats"] == {"additions": 1, "deletions": 2, "total": 3}, change["stats"]
    with tap.case("what is not there is said as it is"):
        assert "README" in a.request("GET", base + "/readme").json["message"]
        a.patch(base, {"default_branch": "later"})
        answer = a.request("GET", base + "/contents")
        assert answer.status == 404 and "default branch" in answer.json["message"], answer.data
        empty = a.create("empty")["id"]
        answer = a.request("GET", "/api/v1/repos/%s/contents" % empty)
        assert answer.status == 404 and "empty" in answer.json["message"], answer.data


def main():
    tap = Tap()
    with tap.net() as net:
        a = net.node()
        work = net.path("odd")
        make(work)
        repo = a.create("odd")
        git("push", "-q", "--all", a.git_url(repo), cwd=work)
        git("push", "-q", "--tags", a.git_url(repo), cwd=work)
        base = "/api/v1/repos/" + repo["id"]
        names(tap, a, base)
        objects(tap, a, base, work)
    tap.done()


if __name__ == "__main__":
    main()
