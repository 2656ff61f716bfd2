"""repolib - cases of http_api.py on one repository, read in GitHub's and Gitea's ways, held against stock git."""
import base64
import hashlib
import io
import itertools
import os
import signal
import socket
import sqlite3
import tarfile
import urllib.parse
import zipfile

from gutslib import DEADLINE, git, wait_for, work_tree


def out(work, *args):
    return git(*args, cwd=work).strip()


def search(tap, a, rid):
    with tap.case("search as GitHub and Gitea have it; whose; who asks"):
        for q in ("q=demo", "q=" + urllib.parse.quote("demo in:name user:" + a.id), "q=DEMO&sort=updated&order=desc"):
            found = a.request("GET", "/api/v1/search/repositories?" + q)
            assert found.json["total_count"] == 1 and found.json["items"][0]["id"] == rid, found.data
            assert found.headers["x-total-count"] == "1"
            found = a.get("/api/v1/repos/search?" + q)
            assert found["ok"] and [r["id"] for r in found["data"]] == [rid]
        assert a.get("/api/v1/search/repositories?q=demo+nothing")["total_count"] == 0
        assert a.get("/api/v1/search/repositories?q=user:nobody")["items"] == []
        assert a.get("/api/v1/user") == a.get("/api/v1/repos/" + rid)["owner"]
        assert a.request("GET", "/api/v1/user", token=None).status == 401
        assert a.get("/api/v1/version", token=None)["version"] == a.get("/api/v1/status")["version"].split("+")[0]
        for path in "/api/v1/user/repos", "/api/v1/users/%s/repos" % a.id, "/api/v1/repos?owner=" + a.id:
            assert [r["id"] for r in a.get(path)] == [rid], path
        assert a.request("GET", "/api/v1/users/nobody/repos").status == 404
        made = a.request("POST", "/api/v1/user/repos", {"name": "own", "auto_init": False})
        assert made.status == 201 and [r["name"] for r in a.get("/api/v1/user/repos?sort=name")] == ["demo", "own"]
        names = [r["name"] for r in a.get("/api/v1/user/repos?sort=alpha&order=desc")]
        assert names == ["own", "demo"], names
        a.delete("/api/v1/repos/" + made.json["id"])


def refs(tap, a, base, work):
    with tap.case("refs by name and by beginning, with the type of what they name; tags name their commits"):
        tip, tag = out(work, "rev-parse", "v1.0^{}"), out(work, "rev-parse", "v1.0")
        for name in "heads/main", "refs/heads/main", "heads%2Fmain":
            one = a.get(base + "/git/ref/" + name)
            assert one["ref"] == "refs/heads/main" and one["object"]["type"] == "commit", one
        one = a.get(base + "/git/ref/tags/v1.0")["object"]
        assert one["type"] == "tag" and one["sha"] == tag and one["url"].endswith("/git/tags/" + tag)
        for path in "/git/matching-refs/heads/fe", "/git/refs/heads/fe":
            assert [r["ref"] for r in a.get(base + path)] == ["refs/heads/feature/x"]
        assert len(a.get(base + "/git/matching-refs/tags")) == 2 and a.get(base + "/git/matching-refs/none") == []
        tags = {t["name"]: t for t in a.get(base + "/tags")}
        assert tags["v1.0"]["commit"]["sha"] == tip and tags["v1.0"]["id"] == tag and tags["light"]["id"] == tip
        assert a.get(base + "/tags/v1.0") == tags["v1.0"] == a.get(base + "/tags/refs/tags/v1.0")
        assert a.request("GET", base + "/tags/main").status == 404
        for name in "none", "heads", "heads/mai", "x" * 300:
            assert a.request("GET", base + "/git/ref/" + name).status == 404, name
        answer = a.request("GET", base + "/git/ref/heads/main")
        assert answer.headers["cache-control"] == "private, no-cache"
        assert a.request("GET", base + "/git/ref/heads/main", headers={"If-None-Match": answer.headers["etag"]}).status == 304


def objects(tap, a, base, work):
    tip = out(work, "rev-parse", "main")
    with tap.case("trees are what git ls-tree lists, blobs what it has"):
        for deep, flag in ("", []), ("?recursive=1", ["-r", "-t"]), ("?recursive=false", []):
            tree = a.get(base + "/git/trees/main" + deep)
            mine = ["%s %s %s\t%s" % (e["mode"], e["type"], e["sha"], e["path"]) for e in tree["tree"]]
            theirs = out(work, "-c", "core.quotepath=false", "ls-tree", *flag, "main").split("\n")
            assert mine == theirs and not tree["truncated"], (deep, mine, theirs)
            assert tree["sha"] == out(work, "rev-parse", "main^{tree}")
        sizes = {e["path"]: e.get("size") for e in tree["tree"]}
        assert sizes["raw.bin"] == 256 and sizes["src"] is None
        top = out(work, "rev-parse", "main^{tree}")
        answer = a.request("GET", base + "/git/trees/" + top)
        assert answer.json["tree"] == a.get(base + "/git/trees/" + tip)["tree"] and "immutable" in answer.headers["cache-control"]
        blob = out(work, "rev-parse", "main:raw.bin")
        one = a.get(base + "/git/blobs/" + blob)
        assert base64.b64decode(one["content"]) == bytes(range(256)) and one["size"] == 256
    with tap.case("commits and tags as objects"):
        one = a.get(base + "/git/commits/" + tip)
        assert one["message"] == "change 4\n" and one["tree"]["sha"] == top and one["verification"]["reason"] == "unsigned"
        assert [p["sha"] for p in one["parents"]] == [out(work, "rev-parse", "main~1")]
        one = a.get(base + "/git/tags/" + out(work, "rev-parse", "v1.0"))
        assert one["tag"] == "v1.0" and one["object"]["sha"] == tip and one["object"]["type"] == "commit" and one["tagger"]["email"]
    with tap.case("objects of other kinds, and names that are none"):
        none = "%039d1" % 0
        for kind, wrong in ("blobs", tip), ("tags", tip), ("commits", top), ("commits", none), ("blobs", none), ("trees", none), ("trees", blob):
            assert a.request("GET", base + "/git/%s/%s" % (kind, wrong)).status == 404, (kind, wrong)
        assert a.get(base + "/git/commits/v1.0")["sha"] == tip and a.get(base + "/git/commits/" + tip[:39])["sha"] == tip
        for kind in "blobs", "tags":
            for wrong in "main", tip[:39], tip + "0", "%20", "-1":
                assert a.request("GET", base + "/git/%s/%s" % (kind, wrong)).status == 422, (kind, wrong)
    with tap.case("languages"):
        langs = a.get(base + "/languages")
        size = os.path.getsize(work + "/src/main.c")
        assert langs == {"C": size, "HTML": len(b"<script>alert(1)</script>")} and list(langs)[0] == "C", langs
        assert a.get(base + "/languages?ref=feature/x")["C"] < size


def twins():
    """Two texts whose blobs' ids begin with the same seven digits."""
    seen = {}
    for i in itertools.count():
        text = b"twin %d\n" % i
        digits = hashlib.sha1(b"blob %d\0" % len(text) + text).hexdigest()[:7]
        if digits in seen:
            return digits, seen[digits], text
        seen[digits] = text


def abbreviated(tap, a, repo, base, work):
    tip = out(work, "rev-parse", "main")
    with tap.case("an abbreviated id is as good as a whole one, from seven digits on"):
        for digits in tip[:7], tip[:12].upper(), tip[:39]:
            assert a.get(base + "/commits/" + digits)["sha"] == tip
            assert a.get(base + "/commits?per_page=1&sha=" + digits)[0]["sha"] == tip
            assert a.get(base + "/contents?ref=" + digits) and a.get(base + "/git/trees/" + digits)["tree"]
            assert a.get(base + "/compare/%s...%s" % (digits, digits))["status"] == "identical"
            assert a.request("GET", base + "/archive/%s.zip" % digits).status == 200
        answer = a.request("GET", base + "/commits/" + tip[:7])
        assert "immutable" not in answer.headers["cache-control"]
        assert a.request("GET", base + "/commits/" + tip[:7], headers={"If-None-Match": answer.headers["etag"]}).status == 304
        for none in tip[:6], "0000000", tip[:8] + "x":
            assert a.request("GET", base + "/commits/" + none).status == 404, none
    with tap.case("one that is ambiguous is refused in words"):
        digits, one, other = twins()
        with open(work + "/one", "wb") as f:
            f.write(one)
        with open(work + "/other", "wb") as f:
            f.write(other)
        git("checkout", "-q", "--orphan", "twins", cwd=work)
        git("add", "one", "other", cwd=work)
        git("commit", "-q", "-m", "twins", cwd=work)
        git("push", "-q", a.git_url(repo), "twins", cwd=work)
        git("checkout", "-q", "main", cwd=work)
        answer = a.request("GET", base + "/git/trees/" + digits)
        assert answer.status == 422 and "ambiguous" in answer.json["message"], answer.data
        assert a.request("GET", base + "/compare/%s...main" % digits).status == 422
        git("push", "-q", a.git_url(repo), ":twins", cwd=work)


def changes(tap, a, base, work, net):
    with tap.case("one commit as diff and as mail: stock git takes both and gets the same tree"):
        side = net.path("side")
        git("clone", "-q", work, side)
        for i, sha in enumerate(out(work, "rev-list", "--reverse", "main~2..main").split()):
            diff = a.request("GET", base + "/commits/" + sha, headers={"Accept": "application/vnd.github.diff"})
            assert diff.headers["content-type"].startswith("text/plain") and diff.data.startswith(b"diff --git ")
            assert diff.data == a.request("GET", base + "/git/commits/%s.diff" % sha).data
            assert diff.data != a.request("GET", base + "/git/commits/%s.patch" % sha).data
            git("checkout", "-q", sha + "~1", cwd=side)
            git("apply", "--index", "-", input=diff.data, cwd=side)
            assert out(side, "write-tree") == out(work, "rev-parse", sha + "^{tree}")
            git("reset", "-q", "--hard", cwd=side)
            mail = a.request("GET", base + "/commits/" + sha, headers={"Accept": "application/vnd.github.v3.patch"})
            git("am", "-q", input=mail.data, cwd=side)
            assert out(side, "rev-parse", "HEAD^{tree}") == out(work, "rev-parse", sha + "^{tree}")
        assert a.request("GET", base + "/git/commits/%s.patch" % ("0" * 39 + "1")).status == 404
    with tap.case("compare by pages: oldest first, files on the first, links to the others"):
        wanted, base_commit = out(work, "rev-list", "--reverse", "main~3..main").split(), out(work, "rev-parse", "main~3")
        for page, want in (1, wanted[:2]), (2, wanted[2:]), (3, []):
            answer = a.request("GET", base + "/compare/%s...main?per_page=2&page=%d" % (base_commit, page))
            c = answer.json
            assert [x["sha"] for x in c["commits"]] == want and c["total_commits"] == 3, (page, c["commits"])
            assert bool(c["files"]) == (page == 1) and c["stats"]["total"] > 0
            assert ('rel="next"' in answer.headers.get("link", "")) == (page == 1) and answer.headers["x-total-count"] == "3"
    with tap.case("compare: what the one has and the other has not"):
        c = a.get(base + "/compare/feature/x...main")
        assert (c["status"], c["ahead_by"], c["behind_by"], c["total_commits"]) == ("ahead", 2, 0, 2), c
        assert [x["sha"] for x in c["commits"]] == out(work, "rev-list", "--reverse", "feature/x..main").split()
        assert c["merge_base_commit"]["sha"] == c["base_commit"]["sha"] == out(work, "rev-parse", "feature/x")
        assert [f["filename"] for f in c["files"]] == ["src/main.c"] and c["files"][0]["additions"] == 2
        assert a.get(base + "/compare/main...feature%2Fx")["status"] == "behind"
        assert a.get(base + "/compare/v1.0...light")["status"] == "identical"
        assert a.get(base + "/compare/feature/x..main")["ahead_by"] == 2
        mails = a.request("GET", base + "/compare/feature/x...main.patch").data
        git("checkout", "-q", out(work, "rev-parse", "feature/x"), cwd=side)
        git("am", "-q", input=mails, cwd=side)
        assert out(side, "rev-parse", "HEAD^{tree}") == out(work, "rev-parse", "main^{tree}")
        whole = "%s...%s" % (out(work, "rev-parse", "feature/x"), out(work, "rev-parse", "main"))
        assert "immutable" in a.request("GET", base + "/compare/" + whole).headers["cache-control"]
        for wrong in "main", "...main", "main...", "none...main", "main...none", "main...none.diff", "..":
            assert a.request("GET", base + "/compare/" + wrong).status in (400, 404), wrong
    with tap.case("raw by Accept, which caches must tell apart"):
        assert "Accept," in a.request("GET", base + "/contents/README.md").headers["vary"]
        raw = {"Accept": "application/vnd.github.raw"}
        for path, want in ("/contents/raw.bin", bytes(range(256))), ("/readme", b"# Demo\n"):
            got = a.request("GET", base + path, headers=raw)
            assert got.data == want and "sandbox" in got.headers["content-security-policy"], path
        assert a.request("GET", base + "/contents/src", headers=raw).status == 404
    with tap.case("parts of a file"):
        whole = bytes(range(256))
        etag = a.request("GET", base + "/raw/raw.bin").headers["etag"]
        for value, part in ("0-3", whole[:4]), ("250-", whole[250:]), ("-6", whole[-6:]), ("255-999", whole[255:]), ("-999", whole):
            got = a.request("GET", base + "/raw/raw.bin", headers={"Range": "bytes=" + value, "If-Range": etag})
            assert got.status == 206 and got.data == part, (value, got.status)
            first = whole.index(part)
            assert got.headers["content-range"] == "bytes %d-%d/256" % (first, first + len(part) - 1) and got.headers["etag"] == etag
        for value in "bytes=256-", "bytes=-0", "bytes=999-1000":
            assert a.request("GET", base + "/raw/raw.bin", headers={"Range": value}).status == 416, value
        for value in "bytes=0-0,5-6", "bytes=5-3", "bytes=", "bytes=-", "bytes=x-", "lines=0-1", "bytes=0-1x", "bytes=" + "9" * 30 + "-":
            got = a.request("GET", base + "/raw/raw.bin", headers={"Range": value})
            assert got.status == 200 and got.data == whole, value
        assert a.request("GET", base + "/raw/raw.bin", headers={"Range": "bytes=0-3", "If-Range": '"other"'}).data == whole
    with tap.case("every read answers 304 to who has it"):
        for path in ("", "/branches", "/branches/main", "/tags", "/tags/v1.0", "/git/refs", "/git/ref/heads/main", "/git/trees/main", "/commits",
                     "/commits/main", "/commits/main/status", "/commits/main/statuses", "/contents", "/contents/src", "/readme", "/raw/raw.bin",
                     "/languages", "/compare/light...main", "/authors", "/authors/%s/refs" % a.id, "/authors/%s/records" % a.id, "/seeders"):
            def known():  # what changes meanwhile is asked for again
                first = a.request("GET", base + path)
                again = a.request("GET", base + path, headers={"If-None-Match": first.headers["etag"]})
                assert first.status == 200 and again.status in (200, 304) and (again.status == 200 or not again.data), path
                return again.status == 304
            wait_for(known, "304 for " + path)
    with tap.case("HEAD where GET is"):
        for path in "/raw/raw.bin", "/git/ref/heads/main", "/compare/light...main", "/archive/main.zip", "/languages", "/git/commits/v1.0.patch":
            head = a.request("HEAD", base + path)
            assert head.status == 200 and head.data == b"" and head.headers["etag"], path


def archives(tap, a, base, work):
    with tap.case("archives: the files that git archive packs, by every address of GitHub and Gitea"):
        tip = out(work, "rev-parse", "main")
        for path, name in (("archive/main.tar.gz", "demo-main"), ("archive/feature/x.tar.gz", "demo-feature-x"), ("archive/v1.0.zip", "demo-v1.0"),
                           ("archive/%s.zip" % tip, "demo-" + tip), ("tarball/refs/tags/v1.0", "demo-v1.0"), ("zipball/feature%2Fx", "demo-feature-x")):
            answer = a.request("GET", "%s/%s" % (base, path))
            zipped = "zip" in path
            assert answer.headers["content-type"] == ("application/zip" if zipped else "application/gzip"), path
            assert answer.headers["content-disposition"] == 'attachment; filename="%s.%s"' % (name, "zip" if zipped else "tar.gz")
            data = io.BytesIO(answer.data)
            if zipped:
                z = zipfile.ZipFile(data)
                mine = {n: z.read(n) for n in z.namelist() if not n.endswith(("/", "/link"))}
            else:
                t = tarfile.open(fileobj=data)
                mine = {m.name: t.extractfile(m).read() for m in t if m.isfile()}
            ref = "feature/x" if "feature" in path else "main"
            plain = tarfile.open(fileobj=io.BytesIO(git("archive", "--prefix=%s/" % name, ref, cwd=work, input=b"")))
            assert mine == {m.name: plain.extractfile(m).read() for m in plain if m.isfile()}, (path, mine.keys())
            again = a.request("GET", "%s/%s" % (base, path), headers={"If-None-Match": answer.headers["etag"]})
            assert again.status == 304 and not again.data
            assert ("immutable" in answer.headers["cache-control"]) == (tip in path), path
        for wrong in ("archive/none.zip", "archive/main", "archive/main.rar", "archive/.zip", "archive/%s.zip" % ("0" * 39 + "1"),
                      "archive/%s.zip" % out(work, "rev-parse", "main:raw.bin"), "tarball/none", "zipball/--output=x", "archive/-.zip"):
            answer = a.request("GET", "%s/%s" % (base, wrong))
            assert answer.status == 404 and answer.json["message"], (wrong, answer.status)


def behind(tap, a, b, rid, base, work):
    with tap.case("how far a seeder is behind"):
        def state():
            return next((s for s in a.get(base + "/seeders") if s["id"] == b.id), None)
        wait_for(lambda: (s := state()) and s["current"] and s["behind"] == 0 and s["behind_since"] is None, "the other is current")
        os.kill(b.pid, signal.SIGSTOP)
        try:
            for i in range(2):
                git("push", "-q", a.git_url(rid), "main:refs/heads/behind-%d" % i, cwd=work)
            s = wait_for(lambda: (s := state()) and not s["current"] and s["behind"] == 2 and s, "two changes that it lacks")
            assert s["behind_since"] and s["behind_since"] <= a.get(base)["updated_at"], s
        finally:
            os.kill(b.pid, signal.SIGCONT)
        wait_for(lambda: (s := state()) and s["current"], "the other is current again")
        git("push", "-q", a.git_url(rid), ":refs/heads/behind-0", ":refs/heads/behind-1", cwd=work)


def records(tap, a, base):
    with tap.case("signed records: a chain, each valid, page by page, bytes that hash to what they say"):
        path = base + "/authors/%s/records" % a.id
        all_of_them = a.get(path)
        head = a.get(base + "/authors")[0]
        assert all_of_them[-1]["hash"] == head["record"] and all_of_them[-1]["sequence"] == head["sequence"]
        assert len(all_of_them) > 3 and all(r["valid"] and r["error"] is None and r["signer"] == a.id for r in all_of_them)
        for before, r in zip(all_of_them, all_of_them[1:]):
            assert r["previous"] == [before["hash"]] and r["sequence"] > before["sequence"], r
        pages, after = [], 0
        while page := a.get(path + "?limit=2&after=%d" % after):
            pages += page
            after = page[-1]["sequence"]
        assert pages == all_of_them
        for q in "limit=0", "limit=1001", "after=-1", "after=x":
            assert a.request("GET", path + "?" + q).status == 400, q
        assert a.get(base + "/authors/12D3KooWLt4kqhaib9sDQuZk3jKkUtZNxpnugFJ4UZNF6kH5vvHm/records") == []
        assert a.request("GET", base + "/authors/x/records").status == 400


def private_paths(tap, a, net, contract):
    with tap.case("of a private repository no read tells anything to whoever has no right to it"):
        repo = a.create("hidden", private=True)
        work = work_tree(net.path("hidden"), {"README.md": "secret\n"})
        git("tag", "v1", cwd=work)
        git("push", "-q", a.git_url(repo), "main", "v1", cwd=work)
        values = {"owner": a.id, "name": "hidden", "sha": "main", "ref": "heads/main", "basehead": "v1...main", "archive": "main.zip",
                  "path": "README.md", "branch": "main", "tag": "v1", "peer": a.id}
        objects = {"blobs": out(work, "rev-parse", "main:README.md"), "tags": out(work, "rev-parse", "v1")}
        other = a.post("/api/v1/tokens", {"name": "other", "scopes": ["read"], "repos": ["bafkrei" + "a" * 52]})["token"]
        unknown = a.request("GET", "/api/v1/repos/%s/none" % a.id, token=None).json["detail"]
        tried = found = 0
        for template, item in contract.doc["paths"].items():
            if "/repos/{owner}/{name}" not in template or "get" not in item or item["get"]["x-scope"] != "public":
                continue
            path = template
            for name, value in values.items():
                kind = template.split("/")[-2]
                path = path.replace("{%s}" % name, objects.get(kind, value) if name == "sha" and "/git/" in template else value)
            known = a.request("GET", path)
            assert known.status == 200 or known.json["detail"] != unknown, path
            found += known.status == 200
            tried += 1
            for token in None, other:
                answer = a.request("GET", path, token=token)
                assert answer.status == 404 and answer.json["detail"] == unknown, (path, answer.status, answer.data)
        assert tried > 30 and found > 25, (tried, found)
        for path in "/api/v1/repos?q=hidden", "/api/v1/user/repos?q=hidden", "/api/v1/users/%s/repos?q=hidden" % a.id:
            assert len(a.get(path)) == 1 and a.request("GET", path, token=other).json == [], path
        assert a.get("/api/v1/search/repositories?q=hidden", token=None)["total_count"] == 0
        assert a.get("/api/v1/repos/search?q=hidden", token=None)["data"] == []
        a.delete("/api/v1/repos/" + repo["id"])
        a.delete("/api/v1/tokens/" + [t for t in a.get("/api/v1/tokens") if t["name"] == "other"][0]["id"])


def temporary(node):
    """Folders of work under way in a node's home."""
    repos = os.path.join(node.home, "repos")
    return [name for shard in os.listdir(repos) for name in os.listdir(os.path.join(repos, shard)) if name.startswith("tmp-")]


def stop_while_cloning(tap, net):
    with tap.case("a node that is stopped while it clones ends with 0 and leaves nothing behind"):
        n = net.node()
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(1)
            n.post("/api/v1/repos/import", {"url": "http://127.0.0.1:%d/x.git" % silent.getsockname()[1]})
            silent.settimeout(DEADLINE)
            with silent.accept()[0]:
                assert temporary(n)
                n.stop()
        assert not temporary(n)


def import_url(tap, a, b, rid, work, net):
    def ended(body):
        answer = a.request("POST", "/api/v1/repos/import", body)
        assert answer.status == 202, answer.data
        return wait_for(lambda: (j := a.get("/api/v1/jobs/%d" % answer.json["id"]))["state"] != "running" and j, "end of the job")

    with tap.case("import from an address: another node's clone address, over HTTP; it tells how many objects came"):
        told = a.stream("type=job.progress,job.done")
        job = ended({"url": "%s/%s.git" % (b.url, rid), "name": "cloned", "description": "from B"})
        assert job["state"] == "done", job
        git("clone", "-q", "--mirror", b.git_url(rid), net.path("all"))
        n = len(out(net.path("all"), "rev-list", "--objects", "--all").splitlines())
        assert (job["objects"], job["objects_total"]) == (n, n), (job, n)
        last = told.find(lambda f: f.get("event") == "job.progress" and
                         (f["data"]["data"]["job"], f["data"]["data"]["phase"]) == (job["id"], "done"))["data"]["data"]
        told.close()
        assert (last["objects"], last["objects_total"]) == (n, n), last
        made = wait_for(lambda: a.get("/api/v1/repos/%s/cloned" % a.id), "the import")
        assert made["head"] == out(work, "rev-parse", "main") and made["description"] == "from B" and made["id"] != rid
        assert a.refs(made["id"]) == b.refs(rid)
        a.delete("/api/v1/repos/" + made["id"])
    with tap.case("an address where nothing is: the job says what git said; nothing is left behind"):
        job = ended({"url": b.url + "/%s/none.git" % b.id, "name": "none"})
        assert job["state"] == "failed" and job["error"], job
        job = ended({"url": "http://127.0.0.1:1/x.git"})
        assert job["state"] == "failed" and "127.0.0.1" in job["error"], job
        assert a.request("GET", "/api/v1/repos/%s/none" % a.id).status == 404
        wait_for(lambda: not temporary(a), "temporary folders gone")
    with tap.case("addresses that are not taken"):
        for body, pointer in (({"url": "ext::sh -c id"}, "/url"), ({"url": "file:///etc"}, "/url"), ({"url": "ssh://x/y"}, "/url"),
                              ({"url": "--upload-pack=x"}, "/url"), ({"url": "http://"}, "/url"), ({"url": "https:///x"}, "/url"),
                              ({}, "/path"), ({"url": "http://x/y", "path": work}, "/url")):
            answer = a.request("POST", "/api/v1/repos/import", body)
            assert answer.status == 422 and answer.json["errors"][0]["pointer"] == pointer, (body, answer.data)


def broken_record(tap, net):
    with tap.case("a record that was changed on disk is shown, and what is wrong with it"):
        n = net.node()
        repo = n.create("broken")
        work = work_tree(net.path("broken-work"))
        for name in "main", "other":
            git("push", "-q", n.git_url(repo), "main:" + name, cwd=work)
        path = "/api/v1/repos/%s/authors/%s/records" % (repo["id"], n.id)
        good = n.get(path)
        assert len(good) >= 2 and all(r["valid"] for r in good)
        n.stop()
        bytes_then = base64.b64decode(good[0]["envelope"])
        db = sqlite3.connect(n.home + "/guts.db")
        changed = db.execute("UPDATE refs SET v = ? WHERE v = ?", (bytes_then[:-1] + bytes([bytes_then[-1] ^ 1]), bytes_then)).rowcount
        db.commit()
        db.close()
        assert changed == 1
        n.start()
        now = n.get(path)
        assert not now[0]["valid"] and now[0]["error"] and "signer" not in now[0] and now[1:] == good[1:], now
        n.stop()


def hostile(tap, a, base):
    with tap.case("names, numbers and paths that nobody means well: a clear 4xx, each in the shape of a problem"):
        bad = ["refs/../heads/main", "..%2f..%2fetc", "%2e%2e/x", "heads/%00", "a%0d%0ab", "-", "--output=x", "@{-1}", "HEAD~1",
               "main:src", "refs/namespaces/x", "%25%32%65", "x" * 3000, "'; rm -rf /", "heads//main"]
        for name in (urllib.parse.quote(n, safe="/%") for n in bad):
            for path in ("/git/ref/%s", "/git/trees/%s", "/git/blobs/%s", "/git/tags/%s", "/git/commits/%s", "/commits/%s",
                         "/compare/main...%s", "/compare/%s...main", "/contents/src?ref=%s", "/commits?sha=%s",
                         "/languages?ref=%s", "/raw/README.md?ref=%s"):
                answer = a.request("GET", base + path % name)
                assert answer.status in (400, 404, 414, 422), (path, name, answer.status)
                assert answer.json["status"] == answer.status and answer.json["message"], answer.data
        for path in "/git/refs", "/tags", "/branches", "/commits", "/git/matching-refs/heads":
            for q in "per_page=999999999999", "per_page=-1", "page=0", "page=1e9", "page=99999999999999999999", "limit=%00":
                assert a.request("GET", base + path + "?" + q).status == 400, (path, q)
            assert a.request("GET", base + path + "?page=100000&per_page=100").json == []


def all_of_it(tap, a, rid, base, work, net):
    search(tap, a, rid)
    refs(tap, a, base, work)
    objects(tap, a, base, work)
    changes(tap, a, base, work, net)
    abbreviated(tap, a, rid, base, work)
    archives(tap, a, base, work)
    hostile(tap, a, base)
