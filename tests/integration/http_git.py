"""Stock git against the gateway: clone, fetch and push in every form, rights, what is refused and how it is said."""
import http.client
import os
import random
import socket
import subprocess
import urllib.parse
import zlib

from gutslib import Tap, children, git, wait_for, work_tree, SEED


def run_git(*args, cwd=None, check=True, env=None):
    done = subprocess.run(["git"] + list(args), cwd=cwd, capture_output=True, text=True, errors="replace",
                          env=dict(os.environ, GIT_TERMINAL_PROMPT="0", GIT_CONFIG_NOSYSTEM="1", HOME="/nonexistent",
                                   GIT_AUTHOR_NAME="A", GIT_AUTHOR_EMAIL="a@example.org", GIT_COMMITTER_NAME="A",
                                   GIT_COMMITTER_EMAIL="a@example.org", **(env or {})))
    if check:
        assert done.returncode == 0, "git %s\n%s%s" % (" ".join(args), done.stdout, done.stderr)
    return done


def make_work(path):
    run_git("init", "-q", "-b", "main", path)
    os.makedirs(path + "/src")
    with open(path + "/README.md", "w") as f:
        f.write("# Demo\n")
    with open(path + "/src/a b ü.c", "w") as f:
        f.write("int main(void) { return 0; }\n")
    commit(path, "first")
    run_git("tag", "-a", "-m", "one", "v1", cwd=path)


def commit(path, text, name="log", data=None):
    with open(os.path.join(path, name), "ab") as f:
        f.write(data if data is not None else (text + "\n").encode())
    run_git("add", "-A", cwd=path)
    run_git("commit", "-q", "-m", text, cwd=path)
    return run_git("rev-parse", "HEAD", cwd=path).stdout.strip()


def ls(url, *args):
    out = run_git("ls-remote", *args, url).stdout
    return {line.split("\t")[1]: line.split("\t")[0] for line in out.splitlines()}


def noise(n):
    """n bytes that do not compress, the same for the same seed."""
    import random
    return random.Random(SEED).randbytes(n)


def pushes(tap, node, net, repo, work, url):
    with tap.case("a push makes branches and tags"):
        run_git("push", "-q", url, "main", "v1", cwd=work)
        refs = ls(url)
        assert {"HEAD", "refs/heads/main", "refs/tags/v1", "refs/tags/v1^{}"} == set(refs), refs
    with tap.case("a clone is the same, and fsck is content"):
        clone = net.path("clone")
        run_git("clone", "-q", url, clone)
        assert run_git("rev-parse", "HEAD", cwd=clone).stdout == run_git("rev-parse", "HEAD", cwd=work).stdout
        run_git("fsck", "--strict", cwd=clone)
    with tap.case("the API shows it"):
        wait_for(lambda: node.repo(repo["id"])["branches"] == 1, "the branch in the snapshot")
    with tap.case("a push of nothing new is fine"):
        assert "up-to-date" in run_git("push", url, "main", cwd=work).stderr
    with tap.case("a push of 6 MiB, which git sends in chunks"):
        commit(work, "big", "big", noise(6 << 20))
        run_git("push", "-q", url, "main", cwd=work)
        assert ls(url)["refs/heads/main"] == run_git("rev-parse", "HEAD", cwd=work).stdout.strip()
    with tap.case("a force push that is not forced is refused by git, a forced one moves the branch"):
        run_git("checkout", "-q", "-b", "other", "HEAD~1", cwd=work)
        tip = commit(work, "sideways")
        assert run_git("push", url, "other:main", cwd=work, check=False).returncode != 0
        run_git("push", "-q", "--force", url, "other:main", cwd=work)
        assert ls(url)["refs/heads/main"] == tip
        run_git("push", "-q", "--force", url, "main:main", cwd=work)
        run_git("checkout", "-q", "main", cwd=work)
    with tap.case("--force-with-lease with a wrong lease is refused"):
        done = run_git("push", "--force-with-lease=main:" + "1" * 40, url, "main~1:main", cwd=work, check=False)
        assert done.returncode != 0 and "stale" in done.stderr, done.stderr
    with tap.case("a branch is deleted"):
        run_git("push", "-q", url, "other:gone", cwd=work)
        run_git("push", "-q", url, ":gone", cwd=work)
        assert "refs/heads/gone" not in ls(url)
    with tap.case("300 refs in one push, and a fetch whose request git compresses"):
        for i in range(300):
            run_git("update-ref", "refs/heads/many/%d" % i, "HEAD~%d" % (i % 2), cwd=work)
        run_git("push", "-q", url, "refs/heads/many/*:refs/heads/many/*", cwd=work)
        clone = net.path("many")
        trace = run_git("clone", "-q", "--mirror", url, clone, env={"GIT_CURL_VERBOSE": "1"}).stderr
        assert "Content-Encoding: gzip" in trace or "content-encoding: gzip" in trace.lower(), "no compressed request"
        assert len(run_git("for-each-ref", "refs/heads/many", cwd=clone).stdout.splitlines()) == 300
    with tap.case("an atomic push with one bad ref changes nothing"):
        run_git("push", "-q", url, ":refs/heads/many/7", cwd=work)
        done = run_git("push", "--atomic", url, "main:refs/heads/fresh", "main:refs/heads/many", cwd=work, check=False)
        assert done.returncode != 0
        assert "refs/heads/fresh" not in ls(url)
    with tap.case("one refused ref does not stop the other without --atomic"):
        done = run_git("push", url, "main:refs/heads/fresh", "main:refs/heads/many", cwd=work, check=False)
        assert done.returncode != 0 and "[remote rejected]" in done.stderr, done.stderr
        assert "refs/heads/fresh" in ls(url)
    with tap.case("push options are taken"):
        run_git("push", "-q", "-o", "ci.skip", url, "main:refs/heads/options", cwd=work)
    with tap.case("names that are not allowed are refused by name"):
        done = run_git("push", url, "main:refs/replace/" + "1" * 40, cwd=work, check=False)
        assert done.returncode != 0 and "refs/replace" in done.stderr, done.stderr


def fetches(tap, node, net, repo, work, url):
    with tap.case("shallow clone"):
        run_git("clone", "-q", "--depth=1", "--no-single-branch", url, net.path("shallow"))
        assert run_git("rev-list", "--count", "HEAD", cwd=net.path("shallow")).stdout.strip() == "1"
    with tap.case("partial clone"):
        run_git("clone", "-q", "--filter=blob:none", url, net.path("partial"))
    with tap.case("protocol v0 and v1"):
        for version in "0", "1":
            run_git("-c", "protocol.version=" + version, "clone", "-q", url, net.path("v" + version))
    with tap.case("fetch of what is new, with haves"):
        clone = net.path("clone")
        tip = commit(work, "more")
        run_git("push", "-q", url, "main", cwd=work)
        run_git("fetch", "-q", "origin", cwd=clone)
        assert run_git("rev-parse", "origin/main", cwd=clone).stdout.strip() == tip
    with tap.case("by owner and name, by id, by an author's address"):
        base = "http://" + urllib.parse.urlsplit(node.url).netloc
        want = run_git("rev-parse", "main", cwd=work).stdout.strip()
        for path in ("/%s/demo.git" % node.id, "/%s.git" % repo["id"], "/%s/%s.git" % (repo["id"], node.id)):
            assert ls(base + path)["refs/heads/main"] == want, path
    with tap.case("an alias of the owner"):
        node.put("/api/v1/aliases/alice", {"peer": node.id})
        assert ls(node.url + "/alice/demo.git")["refs/heads/main"]
    with tap.case("an old name redirects"):
        node.patch("/api/v1/repos/" + repo["id"], {"name": "renamed"})
        wait_for(lambda: node.repo(repo["id"])["name"] == "renamed", "the new name")
        assert ls(node.url + "/%s/renamed.git" % node.id)["refs/heads/main"]
        node.patch("/api/v1/repos/" + repo["id"], {"name": "demo"})
    with tap.case("a clone that is cut leaves nothing behind"):
        url4 = urllib.parse.urlsplit(node.url)
        conn = http.client.HTTPConnection(url4.hostname, url4.port)
        body = b"0032want %s\n00000009done\n" % run_git("rev-parse", "main", cwd=work).stdout.strip().encode()
        conn.request("POST", "/%s.git/git-upload-pack" % repo["id"], body,
                     {"Content-Type": "application/x-git-upload-pack-request"})
        answer = conn.getresponse()
        assert answer.status == 200 and answer.read(1000)
        conn.sock.shutdown(socket.SHUT_RDWR)
        conn.close()
        wait_for(lambda: not children(node.pid), "end of the child")


def cut_archive(tap, net, node):
    with tap.case("an archive flows as it is read; one that is cut leaves nothing behind"):
        repo = node.create("large")
        large = work_tree(net.path("large"), {"large.bin": random.Random(SEED).randbytes(24 << 20)})
        run_git("push", node.git_url(repo), "main", cwd=large)
        wait_for(lambda: not children(node.pid), "the end of the push's children")
        url = urllib.parse.urlsplit(node.url)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
            s.connect((url.hostname, url.port))
            s.sendall(b"GET /api/v1/repos/%s/archive/main.zip HTTP/1.1\r\nHost: localhost\r\n\r\n" % repo["id"].encode())
            assert s.recv(12) == b"HTTP/1.1 200"
            assert children(node.pid), "all of it was made at once, though nobody reads"
        wait_for(lambda: not children(node.pid), "end of the child")
        whole = node.request("GET", "/api/v1/repos/%s/archive/main.zip" % repo["id"]).data
        assert len(whole) > 24 << 20
        node.delete("/api/v1/repos/" + repo["id"])


def rights(tap, node, net, repo, work):
    base = node.url
    path = "/%s.git" % repo["id"]
    ref = "/info/refs?service=git-receive-pack"
    before = node.refs(repo["id"])

    def push_with(token, path=path):
        u = urllib.parse.urlsplit(base)
        url = "http://%s%s%s" % ("x:%s@" % token if token else "", u.netloc, path)
        return run_git("push", url, "main~1:refs/heads/stolen", cwd=work, check=False)

    with tap.case("no token: 401 with Basic, for what is there and what is not"):
        for p in (path, "/%s/nothing.git" % node.id):
            a = node.request("GET", p + ref, token=None)
            assert a.status == 401 and a.headers["www-authenticate"].startswith("Basic"), (p, a.status)
        a = node.request("GET", "/%s/nothing.git/info/refs?service=git-upload-pack" % node.id, token=None)
        assert a.status == 401, a.status
    with tap.case("wrong, read-only, ci, revoked, expired and other repositories' tokens move nothing"):
        other = node.create("other")
        tokens = [None, "guts_" + "0" * 64, "x",
                  node.post("/api/v1/tokens", {"name": "r", "scopes": ["read"]})["token"],
                  node.post("/api/v1/tokens", {"name": "c", "scopes": ["ci"]})["token"],
                  node.post("/api/v1/tokens", {"name": "o", "scopes": ["write"], "repos": [other["id"]]})["token"]]
        gone = node.post("/api/v1/tokens", {"name": "g", "scopes": ["write"]})
        node.delete("/api/v1/tokens/" + gone["id"])
        for token in tokens + [gone["token"]]:
            done = push_with(token)
            assert done.returncode != 0, "pushed with %s" % token
        assert node.refs(repo["id"]) == before
    with tap.case("a write token pushes, and one for this repository too"):
        t = node.post("/api/v1/tokens", {"name": "w", "scopes": ["write"], "repos": [repo["id"]]})["token"]
        assert push_with(t).returncode == 0
    with tap.case("a push to a missing repository says how to make it"):
        done = push_with(node.token, "/%s/missing.git" % node.id)
        assert done.returncode != 0
        a = node.request("GET", "/%s/missing.git%s" % (node.id, ref))
        assert a.status == 404 and b"guts repo create missing" in a.data, a.data
    with tap.case("a private repository is not there for others"):
        secret = node.create("secret", private=True)
        run_git("push", "-q", node.git_url(secret), "main", cwd=work)
        for p in ("/%s.git" % secret["id"], "/%s/secret.git" % node.id):
            a = node.request("GET", p + "/info/refs?service=git-upload-pack", token=None)
            b = node.request("GET", "/%s/nothing.git/info/refs?service=git-upload-pack" % node.id, token=None)
            assert (a.status, a.data) == (b.status, b.data) == (401, a.data), a.data
        assert node.request("GET", "/api/v1/repos/" + secret["id"], token=None).status == 404
        assert secret["id"] not in node.request("GET", "/api/v1/repos", token=None).data.decode()
        assert secret["id"] in node.request("GET", "/api/v1/repos").data.decode()
        assert secret["id"] not in node.request("GET", "/api/v1/events?limit=1000", token=None).data.decode()
        assert ls(node.git_url(secret))["refs/heads/main"]
    with tap.case("another author's address cannot be pushed to"):
        done = push_with(node.token, "/%s/12D3KooWLt4kqhaib9sDQuZk3jKkUtZNxpnugFJ4UZNF6kH5vvHm.git" % repo["id"])
        assert done.returncode != 0 and "stolen" in done.stderr, done.stderr


def refusals(tap, node, repo):
    path = "/%s.git" % repo["id"]
    with tap.case("the dumb protocol and LFS are refused in words"):
        a = node.request("GET", path + "/info/refs")
        assert a.status == 403 and b"smart" in a.data
        assert node.request("GET", path + "/HEAD").status == 403
        assert node.request("GET", path + "/objects/info/packs").status == 403
        a = node.request("POST", path + "/info/lfs/objects/batch", b"{}")
        assert a.status == 501 and b"LFS" in a.data
    with tap.case("bodies of another type or encoding are refused"):
        for service in "git-upload-pack", "git-receive-pack":
            assert node.request("POST", path + "/" + service, b"0000", headers={"Content-Type": "text/plain"}).status == 415
            assert node.request("POST", path + "/" + service, b"0000", headers={
                "Content-Type": "application/x-%s-request" % service, "Content-Encoding": "br"}).status == 415
    with tap.case("git's probe is answered with nothing"):
        a = node.request("POST", path + "/git-receive-pack", b"0000",
                         headers={"Content-Type": "application/x-git-receive-pack-request"})
        assert (a.status, a.data) == (200, b""), a.data
    with tap.case("garbage instead of commands or gzip changes nothing"):
        before = node.refs(repo["id"])
        for body, enc in ((b"zzzz", None), (b"0005a", None), (b"fffe" + b"x" * 100, None), (b"", None), (b"abc", "gzip"),
                          (b"\x1f\x8b\x08\x00" + bytes(50), "gzip")):
            head = {"Content-Type": "application/x-git-receive-pack-request"}
            if enc:
                head["Content-Encoding"] = enc
            assert node.request("POST", path + "/git-receive-pack", body, headers=head).status in (200, 400)
            head["Content-Type"] = "application/x-git-upload-pack-request"
            assert node.request("POST", path + "/git-upload-pack", body, headers=head).status in (200, 400, 500, 502)
        assert node.refs(repo["id"]) == before
    with tap.case("gzip that breaks off after the commands, or in the pack, changes nothing and is answered"):
        line = b"0" * 40 + b" " + b"1" * 40 + b" refs/heads/half\0report-status"
        pkt = b"%04x" % (len(line) + 4) + line + b"0000"
        for extra in (b"", b"PACK" + bytes(3000)):
            z = zlib.compressobj(wbits=31)
            body = z.compress(pkt + extra) + z.flush(zlib.Z_FULL_FLUSH)
            for tail in (b"", b"\xff" * 40):
                a = node.request("POST", path + "/git-receive-pack", body + tail, headers={
                    "Content-Type": "application/x-git-receive-pack-request", "Content-Encoding": "gzip"})
                assert a.status == 200 and b"ok refs/" not in a.data, a.data
        assert node.refs(repo["id"]) == before
    with tap.case("a push that breaks off leaves nothing"):
        u = urllib.parse.urlsplit(node.url)
        with socket.create_connection((u.hostname, u.port)) as s:
            line = b"0" * 40 + b" " + b"1" * 40 + b" refs/heads/half\0report-status"
            pkt = b"%04x" % (len(line) + 4) + line + b"0000PACK"
            s.sendall(b"POST %s/git-receive-pack HTTP/1.1\r\nHost: localhost\r\nAuthorization: token %s\r\n"
                      b"Content-Type: application/x-git-receive-pack-request\r\nContent-Length: 100000\r\n\r\n%s"
                      % (path.encode(), node.token.encode(), pkt))
            wait_for(lambda: b"guts_git_pushes_total" in node.request("GET", "/metrics").data, "the push")
        wait_for(lambda: not children(node.pid), "end of the child")
        assert "refs/heads/half" not in node.refs(repo["id"])


def main():
    tap = Tap()
    with tap.net() as net:
        node = net.node()
        work = net.path("work")
        make_work(work)
        repo = node.create("demo")
        url = node.git_url(repo)
        pushes(tap, node, net, repo, work, url)
        fetches(tap, node, net, repo, work, url)
        cut_archive(tap, net, node)
        rights(tap, node, net, repo, work)
        refusals(tap, node, repo)
        with tap.case("SIGTERM ends it with 0"):
            node.stop()
    tap.done()


main()
