"""Every command of `guts` against live nodes: for people, for scripts, and when something is wrong."""
import io
import json
import os
import pty
import subprocess
import tarfile
import zipfile

from gutslib import GUTS, Lines, Tap, commit, git, ls_remote, own_address, wait_for, work_tree
from hooklib import ALLOW, Receiver

tap = Tap()


def rows(text):
    """Cells of a table without its header."""
    return [line.split() for line in text.splitlines()[1:]]


with tap.net() as net:
    a = net.node("a", args=ALLOW, dht=True)
    b = net.node("b", bootstrap=[a], dht=True)
    a.wait_peer(b)
    b.wait_peer(a)
    state = {}

    def js(node, *args, **kw):
        return json.loads(node.cli(*args, "--json", **kw))

    # -- the node

    with tap.case("id, status"):
        assert a.cli("id").strip() == a.id
        assert js(a, "id") == {"peer_id": a.id}
        text = a.cli("status")
        assert a.id in text and "ready" in text and a.url in text and "1 (1 in, 0 out)" in text, text
        assert js(a, "status")["counts"]["inbound"] == 1

    with tap.case("the node is found by --url, by $GUTS_URL, and by the home's run file"):
        def plain(*args, **env):
            clean = {k: v for k, v in os.environ.items() if not k.startswith("GUTS_")}
            return subprocess.run([GUTS] + list(args), capture_output=True, text=True, env=dict(clean, **env), timeout=120)
        for done in (plain("id", "--url", a.url), plain("id", "--url", a.url[7:] + "/"), plain("id", GUTS_URL=a.url, GUTS_HOME=b.home),
                     plain("id", "--home", a.home), plain("id", GUTS_HOME=a.home)):
            assert done.stdout.strip() == a.id, done
        # the home's admin token goes to the home's own node only
        assert plain("config", "--home", a.home).returncode == 0
        assert plain("config", "--home", a.home, "--url", a.url).returncode == 0
        assert plain("config", "--home", a.home, "--url", b.url).returncode == 6
        assert plain("config", "--home", net.path("none"), GUTS_URL=b.url, GUTS_TOKEN=b.token).returncode == 0

    with tap.case("exit codes tell what kind of failure it was"):
        assert a.cli("status", "--url", "http://127.0.0.1:1", check=False).returncode == 4
        assert a.cli("status", "--url", "ftp://x", check=False).returncode == 2
        assert a.cli("repo", "show", "nothing", check=False).returncode == 5
        wrong = a.cli("token", "list", "--token", "guts_" + "0" * 64, check=False)
        assert wrong.returncode == 6, wrong
        none = a.cli("token", "list", "--url", a.url, "--home", net.path("none"), token=None, check=False)
        assert none.returncode == 6 and "GUTS_TOKEN" in none.stderr, none
        assert a.cli("peers", "connect", check=False).returncode == 2
        for done in (a.cli("stauts", check=False), a.cli("repo", "crate", check=False), a.cli("status", "--jsn", check=False)):
            assert done.returncode == 2 and done.stderr, done

    with tap.case("log: the newest lines, of a level, as they are written; how much is written"):
        assert a.cli("log", "level") == "notice\n" and a.cli("log", "level", "debug") == ""
        assert a.get("/api/v1/log/level")["level"] == "debug"
        a.get("/api/v1/bans")
        assert "GET /api/v1/bans" in wait_for(lambda: (t := a.cli("log", "-n", "1000")) and "/bans" in t and t, "the line")
        for _ in range(30):
            a.get("/api/v1/bans")
        notices = js(a, "log", "--level", "notice", "-n", "1")
        assert notices["level"] in ("error", "warn", "notice") and notices["text"], notices  # older than thirty lines of debug
        assert len(a.cli("log", "-n", "5").splitlines()) == 5
        lines = Lines(["log", "--follow", "--json", "-n", "1", "--url", a.url, "--token", a.token])
        seen = json.loads(lines.next())
        a.get("/api/v1/dials")
        while "/dials" not in seen["text"]:
            fresh = json.loads(lines.next())
            assert fresh["cursor"] > seen["cursor"], (seen, fresh)
            seen = fresh
        assert lines.end()[0] == 0
        assert a.cli("log", "level", "notice") == "" and a.cli("log", "level", "loud", check=False).returncode == 1
        assert a.cli("log", "--level", "LOUD", check=False).returncode == 2 and a.cli("log", "-n", "0", check=False).returncode == 2
    with tap.case("config"):
        assert a.cli("config", "get", "p2p.max_connections").strip() == "50"
        assert a.cli("config", "get", "http.listen").strip() == "127.0.0.1:0"
        assert js(a, "config", "get", "log.level")["value"] == "notice"
        changed = {r[0]: r for r in rows(a.cli("config"))}
        assert set(changed) == {"p2p.listen", "p2p.mdns", "http.listen", "bridge.allow"}, changed
        assert len(rows(a.cli("config", "--all"))) == len(js(a, "config"))
        assert a.cli("config", "get", "no.such", check=False).returncode == 5

    with tap.case("dashboard prints an address with a code that works once"):
        url = a.cli("dashboard").strip()
        assert url.startswith(a.url + "/#code="), url
        code = url.split("=", 1)[1]
        assert a.request("POST", "/api/v1/session", {"code": code}, token=None, headers={"Origin": a.url}).status == 201
        assert a.request("POST", "/api/v1/session", {"code": code}, token=None, headers={"Origin": a.url}).status >= 400

    with tap.case("token create, list, revoke"):
        secret = a.cli("token", "create", "ci bot", "-s", "read", "-s", "ci", "--expires", "3600").strip()
        assert secret.startswith("guts_")
        row = next(t for t in js(a, "token", "list") if t["name"] == "ci bot")
        assert row["scopes"] == ["read", "ci"] and row["expires_at"]
        assert "ci bot" in a.cli("token", "list")
        assert a.cli("peers", "lift", b.id, token=secret, check=False).returncode == 6
        assert a.cli("status", token=secret)
        a.cli("token", "revoke", row["id"])
        assert a.request("GET", "/api/v1/config", token=secret).status == 401
        assert a.cli("token", "revoke", row["id"], check=False).returncode == 5
        assert a.cli("token", "create", "x", "-s", "root", check=False).returncode == 1

    # -- repositories

    with tap.case("repo create, list, show"):
        text = a.cli("repo", "create", "demo", "-d", "one ☃ line", "-b", "trunk")
        assert "guts://bafkrei" in text and a.url in text, text
        repo = state["repo"] = js(a, "repo", "show", "demo")
        assert repo["description"] == "one ☃ line" and repo["default_branch"] == "trunk"
        assert rows(a.cli("repo", "list"))[0][1] == "demo"
        assert repo["id"] in a.cli("repo", "list", "--long")
        assert [r["id"] for r in js(a, "repo", "list", "-q", "dem")] == [repo["id"]]
        assert js(a, "repo", "list", "-q", "zzz") == [] and "nothing found" in a.cli("repo", "list", "-q", "zzz")
        text = a.cli("repo", "show", "demo")
        assert "☃" in text and "trunk (empty)" in text and "1 of 1 delegates" in text, text
        assert a.cli("repo", "create", "demo", check=False).returncode == 1
        bad = a.cli("repo", "create", "no/slash", check=False)
        assert bad.returncode == 1 and "name" in bad.stderr, bad

    with tap.case("a repository is named by id, guts://, OWNER/NAME, NAME or the end of its id"):
        rid = state["repo"]["id"]
        for name in (rid, "guts://" + rid, a.id + "/demo", "demo", rid[-8:], "…" + rid[-8:]):
            assert js(a, "repo", "show", name)["id"] == rid, name
        assert a.cli("repo", "show", "a/b/c", check=False).returncode == 2

    with tap.case("git pushes and clones with the credential helper"):
        work = state["work"] = work_tree(net.path("work"))
        env = {"GUTS_HOME": a.home, "GUTS_URL": "", "GUTS_TOKEN": ""}
        helper = "credential.helper=!'%s' credential" % GUTS
        url = "%s/%s/demo.git" % (a.url, a.id)
        assert git("push", "-q", url, "main:trunk", cwd=work, env=env, check=False).returncode != 0
        git("-c", helper, "push", "-q", url, "main:trunk", cwd=work, env=env)
        assert ls_remote(url)["refs/heads/trunk"] == git("rev-parse", "main", cwd=work).strip()
        text = a.cli("repo", "show", "demo")
        assert "trunk" in text and "delegate" in text and "trunk at " in text, text

    with tap.case("credential answers only for its own node"):
        def get(lines, **env):
            clean = {k: v for k, v in os.environ.items() if not k.startswith("GUTS_")}
            done = subprocess.run([GUTS, "credential", "get"], input=lines, capture_output=True, text=True,
                                  env=dict(clean, **env), timeout=60)
            assert done.returncode == 0, done
            return done.stdout
        host = a.url[7:]
        port = host.split(":")[1]
        want = "username=guts\npassword=%s\n" % a.token
        assert get("protocol=http\nhost=%s\n\n" % host, GUTS_HOME=a.home) == want
        assert get("protocol=http\nhost=localhost:%s\npath=x\n" % port, GUTS_HOME=a.home) == want
        for lines in ("protocol=https\nhost=%s\n" % host, "protocol=http\nhost=example.org:%s\n" % port, "protocol=http\nhost=127.0.0.1\n",
                      "host=%s\n" % host, "", "protocol=http\nhost=127.0.0.1.example.org:%s\n" % port, "\n" * 500):
            assert get(lines, GUTS_HOME=a.home) == "", lines
        assert get("protocol=http\nhost=%s\n" % host, GUTS_HOME=b.home) == ""
        assert get("protocol=http\nhost=%s\n" % host, GUTS_HOME=net.path("none")) == ""
        assert get("protocol=https\nhost=node.example\n", GUTS_URL="https://node.example", GUTS_TOKEN="t", GUTS_HOME=net.path("none")) == \
            "username=guts\npassword=t\n"
        for verb in ("store", "erase"):
            assert a.cli("credential", verb, input="protocol=http\nhost=x\n\n") == ""
        assert a.cli("credential", "eat", check=False).returncode == 2

    with tap.case("repo import shows what was made"):
        source = work_tree(net.path("My Project!"), {"a": "1\n"})
        git("tag", "-a", "-m", "v", "v1", cwd=source)
        git("branch", "other", cwd=source)
        text = a.cli("repo", "import", source, "--name", "imported", "-d", "by import")
        assert "guts://bafkrei" in text and "2 branches, 1 tags" in text, text
        one = js(a, "repo", "show", "imported")
        assert one["description"] == "by import" and one["default_branch"] == "main"
        assert a.refs(one["id"])["refs/tags/v1"] == git("rev-parse", "v1", cwd=source).strip()
        assert a.cli("repo", "import", net.path("nothing"), check=False).returncode == 5
        text = b.cli("repo", "import", "%s/%s.git" % (a.url, one["id"]), "--name", "cloned")
        assert "2 branches, 1 tags" in text and js(b, "repo", "show", "cloned")["head"] == one["head"], text
        b.cli("repo", "delete", "cloned", "--yes")
        os.mkdir(net.path("empty"))
        failed = a.cli("repo", "import", net.path("empty"), "--name", "e", check=False)
        assert failed.returncode == 1 and failed.stderr, failed

    with tap.case("repo log, contributors, files: as git has them"):
        tip = git("rev-parse", "main", cwd=source).strip()
        for ref in (), ("main",), ("v1",), (tip[:10],):
            text = a.cli("repo", "log", "imported", *ref)
            assert tip[:12] in text and "1 commits in all" in text, text
        assert [x["sha"] for x in js(a, "repo", "log", "imported", "-n", "1", "--path", "a")] == [tip]
        assert js(a, "repo", "log", "imported", "--author", "nobody at all", "--since", "2001-01-01T00:00:00Z") == []
        assert "no such commits" in a.cli("repo", "log", "imported", "--path", "none")
        assert [p["contributions"] for p in js(a, "repo", "contributors", "imported")] == [1]
        assert "E-MAIL" in a.cli("repo", "contributors", "imported", "main")
        assert [(e["name"], e["last_commit_sha"]) for e in js(a, "repo", "files", "imported", "--ref", "v1")] == [("a", tip)]
        assert tip[:12] in a.cli("repo", "files", "imported")
        for wrong in ("log", "imported", "none"), ("files", "imported", "none"), ("contributors", "imported", "none"):
            assert a.cli("repo", *wrong, check=False).returncode == 5, wrong
        assert a.cli("repo", "log", "imported", "-n", "101", check=False).returncode == 2

    with tap.case("repo download: a file of either form, or a pipe; what failed leaves no file"):
        for name, names in ("x.tar.gz", lambda f: tarfile.open(f).getnames()), ("x.zip", lambda f: zipfile.ZipFile(f).namelist()):
            a.cli("repo", "download", "imported", "-o", net.path(name))
            assert "imported-main/a" in names(net.path(name)), name
        piped = subprocess.run([GUTS, "repo", "download", "imported", "v1"], capture_output=True,
                               env=dict(os.environ, GUTS_URL=a.url, GUTS_TOKEN=a.token, GUTS_HOME=a.home))
        assert piped.returncode == 0 and tarfile.open(fileobj=io.BytesIO(piped.stdout)).getnames()[0].startswith("imported-v1"), piped.stderr
        assert a.cli("repo", "download", "imported", "none", "-o", net.path("none.zip"), check=False).returncode == 5
        assert not os.path.exists(net.path("none.zip"))
        full = a.cli("repo", "download", "imported", "-o", "/dev/full", check=False)
        assert full.returncode == 1 and "/dev/full" in full.stderr, full
    with tap.case("repo sync --wait ends when the seeders agree"):
        rid = state["repo"]["id"]
        wait_for(lambda: b.refs(rid).get("refs/heads/trunk"), "the repository on B")
        assert "up to date" in b.cli("repo", "sync", rid, "--wait")
        b.cli("repo", "sync", rid)
        assert "SEEDER" in b.cli("repo", "show", rid)

    with tap.case("repo update signs a new version"):
        text = a.cli("repo", "update", "demo", "-n", "demo2", "-d", "new", "-s", b.id)
        assert "version 1 of" in text and text.strip().endswith("/demo2"), text
        one = js(a, "repo", "show", "demo2")
        assert one["signers"] == [b.id] and one["description"] == "new"
        assert js(a, "repo", "update", "demo2", "--no-signers")["signers"] == []
        assert js(a, "repo", "update", "demo2", "-r", b.id)["readers"] == [b.id]
        assert js(a, "repo", "update", "demo2", "--no-readers")["readers"] == []
        assert a.cli("repo", "update", "demo2", check=False).returncode == 2
        assert a.cli("repo", "update", "demo2", "--archive", "maybe", check=False).returncode == 2
        refused = b.cli("repo", "update", state["repo"]["id"], "-d", "mine", check=False)
        assert refused.returncode == 6, refused

    with tap.case("repo policy, trust"):
        rid = state["repo"]["id"]
        assert b.cli("repo", "policy", rid).strip() == "default"
        b.cli("repo", "policy", rid, "seed")
        assert js(b, "repo", "policy", rid) == {"policy": "seed"}
        assert b.cli("repo", "policy", rid, "maybe", check=False).returncode == 1
        b.cli("repo", "trust", rid, a.id)
        b.cli("repo", "trust", rid, a.id, "--remove")

    with tap.case("repo delete asks first, and blocks"):
        rid = state["repo"]["id"]
        assert b.cli("repo", "delete", rid, check=False).returncode == 2
        assert "policy %s default" % rid in b.cli("repo", "delete", rid, "--yes")
        wait_for(lambda: b.request("GET", "/api/v1/repos/" + rid).status == 404, "the repository gone from B")
        b.cli("repo", "policy", rid, "seed")
        wait_for(lambda: b.refs(rid).get("refs/heads/trunk"), "the repository back on B")

    # -- peers

    with tap.case("peers list, disconnect, connect"):
        assert rows(a.cli("peers"))[0][1] == "in"
        assert b.id in a.cli("peers", "list", "--long")
        assert js(a, "peers")[0]["id"] == b.id
        newest = b.get("/api/v1/status")["events"]["newest"]
        b.cli("peers", "disconnect", a.id[-8:])
        # A may dial again at once, so a moment without peers need not be seen
        wait_for(lambda: b.facts(newest, "type=peer.disconnected"), "the end of the link")
        assert a.id in b.cli("peers", "connect", a.addr)
        b.wait_peer(a)
        gone = b.cli("peers", "connect", "/ip4/127.0.0.1/tcp/1", check=False)
        assert gone.returncode == 1 and gone.stderr, gone
        assert b.cli("peers", "disconnect", "zzzzzzzz", check=False).returncode == 5

    with tap.case("peers addresses"):
        assert a.id in b.cli("peers", "addresses", "--long")
        assert [e["peer"] for e in js(b, "peers", "addresses", a.id)] == [a.id]
        assert "tried" in b.cli("peers", "addresses", "loopback", "--table", "tried")
        assert "no such address" in b.cli("peers", "addresses", "--source", "dht")

    with tap.case("peers ban, bans, lift"):
        a.cli("peers", "ban", b.id, "--reason", "for the test", "--for", "3600")
        wait_for(lambda: not a.peers(), "A without B")
        assert "for the test" in a.cli("peers", "bans") and js(a, "peers", "bans")[0]["peer"] == b.id
        assert a.cli("peers", "ban", b.id, "--for", "0", check=False).returncode == 2
        a.cli("peers", "lift", "…" + b.id[-8:])
        assert "nobody is banned" in a.cli("peers", "bans")
        b.cli("peers", "connect", a.addr)
        a.wait_peer(b)

    # -- gossip

    with tap.case("gossip subscribe, publish, tail"):
        for n in (a, b):
            n.cli("gossip", "subscribe", "news/☃")
        assert "news/☃" in a.cli("gossip", "topics")
        wait_for(lambda: any(t["name"] == "news/☃" and t["peers"] for t in js(a, "gossip", "topics")), "B on the topic")
        tail = Lines(["gossip", "tail", "news/☃", "--json"], {"GUTS_HOME": b.home})
        mid = a.cli("gossip", "publish", "news/☃", "hello ☃").strip()
        assert len(mid) == 64
        first = json.loads(tail.next())
        assert first["id"] == mid and first["author"] == a.id and first["data"] == "hello ☃", first
        a.cli("gossip", "publish", "news/☃", "red \033[31m")
        assert json.loads(tail.next())["data"] == "red \033[31m"
        a.cli("gossip", "publish", "news/☃", input="from stdin")
        assert json.loads(tail.next())["data"] == "from stdin"
        assert tail.end()[0] == 0
        text = b.cli("gossip", "tail", "news/☃", "--no-follow", "-n", "2")
        assert "red ?[31m" in text and "from stdin" in text and "\033" not in text, text
        assert b.cli("gossip", "tail", "--no-follow", "-n", "1").count("\n") == 1
        big = a.cli("gossip", "publish", "news/☃", input="x" * 16385, check=False)
        assert big.returncode == 1 and "16 KiB" in big.stderr, big
    with tap.case("gossip mesh, scores"):
        wait_for(lambda: js(b, "gossip", "mesh", "news/☃")["mesh"], "A in the mesh")
        row = [line for line in b.cli("gossip", "mesh", "news/☃").splitlines() if a.id in line][0].split()
        assert row[1] == "mesh" and float(row[3]) <= 10, row
        row = [line for line in b.cli("gossip", "scores").splitlines() if a.id in line][0].split()
        assert row[1] == "/meshsub/1.2.0" and abs(sum(map(float, row[4:])) - float(row[3])) < 0.01, row
        assert b.cli("gossip", "mesh", "nobody", check=False).returncode == 5
    with tap.case("gossip subscribe --off"):
        b.cli("gossip", "subscribe", "news/☃", "--off")
        assert a.cli("gossip", "publish", "guts/x", "y", check=False).returncode == 1

    # -- events

    with tap.case("events: newest, since, by type, by repository, as JSON lines"):
        assert "repo.created" in a.cli("events", "--since", "0")
        lines = [json.loads(l) for l in a.cli("events", "--since", "0", "--json").splitlines()]
        assert [e["id"] for e in lines] == list(range(1, len(lines) + 1))
        only = [json.loads(l) for l in a.cli("events", "--since", "0", "--json", "-t", "peer.*", "-t", "token.created").splitlines()]
        assert only and all(e["type"].startswith("peer.") or e["type"] == "token.created" for e in only)
        rid = state["repo"]["id"]
        mine = [json.loads(l) for l in a.cli("events", "--since", "0", "--json", "-r", rid).splitlines()]
        assert mine and all(e["repo"] == rid for e in mine)
        assert len(a.cli("events").splitlines()) >= 20  # and the audit record of a write that came meanwhile

    with tap.case("events --follow goes on after the node was restarted, and ends with 0 on SIGTERM"):
        c = net.node("c", http=own_address() + ":0")
        newest = c.get("/api/v1/status")["events"]["newest"]
        follow = Lines(["events", "-f", "--json", "--since", str(newest), "--url", c.url], {"GUTS_TOKEN": c.token})
        c.create("fourth")
        while json.loads(follow.next())["type"] != "repo.created":
            pass  # the audit record of an earlier write may come first
        c.stop()
        c.keep_port()
        c.start()
        seen = []
        while "node.started" not in seen:
            seen.append(json.loads(follow.next())["type"])
        code, errors = follow.end()
        assert code == 0 and "connection lost" in errors, (code, errors)
        c.stop()

    # -- CI

    a.create("third")
    with tap.case("ci: add, list, jobs, remove"):
        assert "no queues" in a.cli("ci", "list") and "no jobs" in a.cli("ci", "jobs")
        made = js(a, "ci", "add", "third", "-b", "{main,rel/*}", "-e", "push", "-e", "tag", "-c", "ci/x")
        assert made["branch_filter"] == "{main,rel/*}" and made["events"] == ["push", "tag"] and made["context"] == "ci/x"
        assert rows(a.cli("ci", "list"))[0][0] == str(made["id"]) and "makes a job" in a.cli("ci", "add", "third")
        job = a.post("/api/v1/repos/%s/ci/jobs" % made["repo"], {"commit": "1" * 40, "description": "look"})
        assert rows(a.cli("ci", "jobs"))[0][:2] == [job["id"], "running"] and js(a, "ci", "jobs", "--repo", "third", "-s", "queued") == []
        a.cli("ci", "remove", str(made["id"]))
        assert len(js(a, "ci", "list")) == 1
        assert a.cli("ci", "remove", "99", check=False).returncode == 5 and a.cli("ci", "add", "x/y", check=False).returncode == 5

    # -- webhooks

    with tap.case("hook: add, list, show, ping, deliveries, redeliver, remove; a secret comes from a file"):
        r = Receiver()
        with open(net.path("secret"), "w") as f:
            f.write("s3cret\n")
        made = js(a, "hook", "add", r.url(), "--repo", "third", "-e", "push", "-e", "status", "--branch", "main", "--secret-file",
                  net.path("secret"))
        number = str(made["id"])
        assert rows(a.cli("hook", "list"))[0][0] == number and js(a, "hook", "list", "--repo", "third") == js(a, "hook", "list")
        text = a.cli("hook", "show", number)
        assert r.url() in text and "push status" in text and "s3cret" not in text, text
        a.cli("hook", "ping", number)
        wait_for(lambda: r.good, "the ping")
        r.good[0].check_signatures("s3cret")
        wait_for(lambda: rows(a.cli("hook", "deliveries", number))[0][2] == "delivered", "its result")
        again = js(a, "hook", "redeliver", number, str(js(a, "hook", "deliveries", number)[0]["id"]))
        assert again["redelivery"] and wait_for(lambda: len(r.good) == 2, "it again")
        piped = a.cli("hook", "add", "http://ci.example/", "--secret-file", "-", "--format", "gitea", input="s\n")
        assert "guts hook ping" in piped and js(a, "hook", "list")[-1]["repo"] is None
        for args in (["hook", "show", "99"], ["hook", "remove", "99"], ["hook", "ping", "x"]):
            assert a.cli(*args, check=False).returncode == 5, args
        assert a.cli("hook", "add", "ftp://x", check=False).returncode == 1
        assert a.cli("hook", "add", r.url(), "--secret-file", "/nowhere", check=False).returncode == 2
        a.cli("hook", "remove", number)
        assert len(js(a, "hook", "list")) == 1
        r.close()

    # -- help, completion, the terminal

    with tap.case("every command has help"):
        whole = a.cli("help")
        names = [line[2:].split("  ")[0].strip() for line in whole.splitlines() if line.startswith("  ")]
        assert len(names) > 30
        for name in names:
            words = [w for w in name.split() if w == w.lower() and "[" not in w and "|" not in w and w != "bash"]
            text = a.cli("help", *words)
            assert text.startswith("usage: guts " + " ".join(words)), (words, text)
            assert a.cli(*words, "--help") == text
        assert "repo create" in a.cli("help", "repo") and "repo create" in a.cli("repo", "--help")
        assert subprocess.run([GUTS], capture_output=True).returncode == 2
        assert subprocess.run([GUTS, "--version"], capture_output=True, text=True).stdout.startswith("guts ")

    with tap.case("the completion is valid bash and completes"):
        script = a.cli("completion", "bash")
        ask = script + '\ncomp() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _guts; echo "${COMPREPLY[@]}"; }\n' \
            'compopt() { :; }\ncomp guts st\ncomp guts repo cr\ncomp guts repo create --de\ncomp guts events --f\n'
        out = subprocess.run(["bash", "-c", ask], capture_output=True, text=True)
        assert out.stdout.split("\n")[:4] == ["status stop", "create", "--description", "--follow"], out

    with tap.case("colours and tables cut to size only at a terminal, and not with NO_COLOR"):
        def at_terminal(**env):
            master, slave = pty.openpty()
            done = subprocess.run([GUTS, "repo", "list"], stdout=slave, stderr=slave, timeout=60,
                                  env=dict(os.environ, GUTS_HOME=a.home, TERM="xterm", COLUMNS="80", **env))
            os.close(slave)
            text = os.read(master, 65536).decode()
            os.close(master)
            assert done.returncode == 0
            return text
        assert "\033[1m" in at_terminal()
        assert "\033" not in at_terminal(NO_COLOR="1")
        assert "\033" not in a.cli("repo", "list")

    with tap.case("stop"):
        assert "stopping" in b.cli("stop")
        assert b.process.wait(60) == 0

tap.done()
