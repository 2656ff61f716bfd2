"""webhooks.py - what fires, with which payload and headers, and how it is managed; receivers are real HTTP servers."""
import json
import os
import subprocess
import sys

import gutslib
from contract import Contract
from gutslib import Answer, Tap, commit, git, wait_for, work_tree
from hooklib import ALLOW, Receiver, dead_url, hook

contract = Contract()
plain_request = gutslib.request


def checked(base, method, path, *args, **kw):
    answer = plain_request(base, method, path, *args, **kw)
    if answer.headers.get("content-encoding") != "gzip":
        contract.check(method, path, Answer(answer.status, answer.headers, answer.data))
    return answer


gutslib.request = checked
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def next_of(r, event, n=1):
    """The n-th good delivery of an event (from 1), when it is there."""
    return wait_for(lambda: len(r.of(event)) >= n and r.of(event)[n - 1], "%s %d" % (event, n))


def payloads(tap, net):
    r = Receiver()
    a = net.node("A", args=ALLOW + ["--set", "http.public_url=https://code.example/x/"])
    repo = a.create("demo", description="a <b> repository")
    work = work_tree(net.path("work"), {"a": "1\n", "b": "1\n"})
    first = git("rev-parse", "HEAD", cwd=work).strip()
    base = "https://code.example/x/%s/demo" % a.id
    with tap.case("made, with its secrets never shown again"):
        made = hook(a, repo, r.url("/all"), events=["*"], config={"secret": SECRET}, authorization_header="Bearer hush-hush")
        listed = a.request("GET", "/api/v1/repos/%s/hooks" % repo["id"]).data.decode()
        assert SECRET not in listed + json.dumps(made) and "hush" not in listed + json.dumps(made)
        assert made["config"]["secret"] == "********" and made["has_authorization_header"] and made["active"]
    with tap.case("ping: signed for GitHub, Gitea and Standard Webhooks, exactly application/json"):
        a.post("/api/v1/repos/%s/hooks/%d/pings" % (repo["id"], made["id"]))
        d = next_of(r, "ping")
        d.check_signatures(SECRET)
        assert d.headers["content-type"] == "application/json" and d.headers["authorization"] == "Bearer hush-hush"
        assert d.headers["x-gitea-event"] == "ping" and d.headers["x-gitea-delivery"] == d.id == d.headers["webhook-id"]
        assert d.json["hook_id"] == made["id"] and d.json["hook"]["config"]["secret"] == "********"
        assert d.headers["user-agent"].startswith("guts/") and "hush" not in d.body.decode()
    with tap.case("the first push of a branch: create and push"):
        git("push", a.git_url(repo), "main", cwd=work)
        push, create = next_of(r, "push"), next_of(r, "create")
        push.check_signatures(SECRET)
        p = push.json
        assert p["ref"] == "refs/heads/main" and p["before"] == "0" * 40 and p["after"] == first
        assert (p["created"], p["deleted"], p["forced"]) == (True, False, False) and p["base_ref"] is None
        assert p["compare"] == base + "/commit/" + first and p["repository"]["html_url"] == base
        assert p["repository"]["full_name"].count("/") == 1 and p["repository"]["default_branch"] == "main"
        c = p["commits"][0]
        assert c == p["head_commit"] and c["id"] == first and c["added"] == ["a", "b"] and c["removed"] == c["modified"] == []
        assert c["author"] == {"name": "Alice", "email": "alice@example.org", "username": "Alice"} and c["url"].endswith(first)
        assert c["committer"]["name"] == "Alice" and isinstance(c["timestamp"], str) and len(c["tree_id"]) == 40
        assert p["pusher"]["name"] == p["sender"]["login"] == a.id
        assert create.json["ref"] == "main" and create.json["ref_type"] == "branch" and create.json["master_branch"] == "main"
    with tap.case("three commits: oldest first, each with what it added, modified and removed"):
        ids = [commit(work, "two", {"a": "2\n", "dir/c": "1\n"})]
        git("rm", "-q", "b", cwd=work)
        ids += [commit(work, "three\n\nbody"), commit(work, "four", {"a": "4\n"})]
        git("push", a.git_url(repo), "main", cwd=work)
        p = next_of(r, "push", 2).json
        assert [c["id"] for c in p["commits"]] == ids and p["before"] == first and p["head_commit"]["id"] == ids[-1]
        assert [c["modified"] for c in p["commits"]] == [["a"], [], ["a"]]
        assert [c["added"] for c in p["commits"]] == [["dir/c"], [], []] and p["commits"][1]["removed"] == ["b"]
        assert p["compare"] == "%s/compare/%s...%s" % (base, first, ids[-1]) and not p["created"]
        assert p["commits"][1]["message"] == "three\n\nbody\n"
    with tap.case("a force push back: no commits, head_commit is there, forced"):
        git("push", "-f", a.git_url(repo), "HEAD~2:main", cwd=work)
        p = next_of(r, "push", 3).json
        assert p["forced"] and p["commits"] == [] and p["head_commit"]["id"] == ids[0] == p["after"]
        assert p["head_commit"]["added"] == ["dir/c"]
    with tap.case("a branch and a tag come and go"):
        git("tag", "-a", "-m", "release", "v1", cwd=work)
        git("push", a.git_url(repo), "main:side", "v1", cwd=work)
        wait_for(lambda: len(r.of("push")) >= 5 and len(r.of("create")) >= 3, "both")
        by_ref = {d.json["ref"]: d.json for d in r.of("push")[3:]}
        assert by_ref["refs/heads/side"]["created"] and [c["id"] for c in by_ref["refs/heads/side"]["commits"]] == ids[1:]
        assert by_ref["refs/tags/v1"]["commits"] == [] and by_ref["refs/tags/v1"]["head_commit"]["id"] == ids[-1]
        assert {(d.json["ref"], d.json["ref_type"]) for d in r.of("create")[1:]} == {("side", "branch"), ("v1", "tag")}
        git("push", a.git_url(repo), ":side", cwd=work)
        p = next_of(r, "push", 6).json
        assert p["deleted"] and p["after"] == "0" * 40 and p["head_commit"] is None and p["commits"] == []
        assert next_of(r, "delete").json["ref"] == "side"
    with tap.case("a status, and an edited repository"):
        a.post("/api/v1/repos/%s/statuses/%s" % (repo["id"], ids[0]), {"state": "failure", "context": "ci/x",
                                                                      "description": "3 of 5", "target_url": "http://ci.example/1"})
        s = next_of(r, "status").json
        assert (s["sha"], s["state"], s["context"], s["description"]) == (ids[0], "failure", "ci/x", "3 of 5"), s
        assert s["target_url"] == "http://ci.example/1" and s["commit"]["sha"] == ids[0] and s["counts"] is True
        assert [b["name"] for b in s["branches"]] == ["main"] and s["name"] == repo["full_name"] and s["sender"]["login"] == a.id
        a.patch("/api/v1/repos/" + repo["id"], {"description": "better"})
        e = next_of(r, "repository").json
        assert e["action"] == "edited" and e["repository"]["description"] == "better"
    with tap.case("a test sends the newest commit as a push"):
        a.post("/api/v1/repos/%s/hooks/%d/tests" % (repo["id"], made["id"]))
        p = next_of(r, "push", 7).json
        assert p["after"] == ids[0] and [c["id"] for c in p["commits"]] == [ids[0]]
        empty = a.create("empty")
        h = hook(a, empty, r.url())
        assert a.request("POST", "/api/v1/repos/%s/hooks/%d/tests" % (empty["id"], h["id"])).status == 404
    with tap.case("a push that is too long is cut, not lost"):
        for i in range(3):
            commit(work, "x" * 100000, {"long": str(i)})
        commit(work, "y" * 100000, {"dir/%04d-%s" % (i, "n" * 100): "" for i in range(1000)})
        tip = git("rev-parse", "HEAD", cwd=work).strip()
        git("push", "-f", a.git_url(repo), "main", cwd=work)
        d = next_of(r, "push", 8)
        assert len(d.body) <= 224 << 10 and d.json["head_commit"]["id"] == tip and d.json["total_commits"] == 6
        assert d.json["commits"][-1]["id"] == tip and d.json["commits"][-1]["message"].startswith("yyy")
    with tap.case("the log: request and response, what is secret is not in it, redelivery with the same id"):
        of_hook = "/api/v1/repos/%s/hooks/%d/deliveries" % (repo["id"], made["id"])
        wait_for(lambda: all(x["state"] == "delivered" for x in a.get(of_hook)), "the end of all")
        listed = a.get(of_hook + "?per_page=100")
        assert [x["id"] for x in listed] == sorted((x["id"] for x in listed), reverse=True)
        page = a.request("GET", of_hook + "?per_page=4")
        assert [x["id"] for x in page.json] == [x["id"] for x in listed[:4]] and 'rel="next"' in page.headers["link"]
        cursor = page.headers["link"].split("cursor=")[1].split(">")[0]
        assert [x["id"] for x in a.get(of_hook + "?per_page=4&cursor=" + cursor)] == [x["id"] for x in listed[4:8]]
        assert a.get(of_hook + "?status=failure") == []
        one = a.get("%s/%d" % (of_hook, listed[0]["id"]))
        assert one["request"]["payload"] == d.json and one["response"]["payload"] == "thank you"
        assert one["request"]["headers"]["Authorization"] == "[not shown]" and one["status_code"] == 200
        assert one["request"]["headers"]["X-Hub-Signature-256"] == d.headers["x-hub-signature-256"]
        assert "hush" not in json.dumps(one) and SECRET not in json.dumps(one)
        again = a.post("%s/%d/attempts" % (of_hook, listed[0]["id"]))
        assert again["redelivery"] and again["guid"] == one["guid"] and again["id"] > one["id"]
        e = next_of(r, "push", 9)
        assert e.id == d.id and e.body == d.body
    with tap.case("Gitea's and CloudEvents' forms, a branch filter, an event filter, one that is not active"):
        gitea = hook(a, repo, r.url("/gitea"), type="gitea", branch_filter="{rel/*,x}")
        ce = hook(a, repo, r.url("/ce"), type="cloudevents", events=["push", "delete"])
        hook(a, repo, r.url("/off"), active=False)
        tip = commit(work, "five", {"a": "5\n"})
        git("push", a.git_url(repo), "main", "main:rel/1", cwd=work)
        wait_for(lambda: len([d for d in r.good if d.path == "/ce"]) == 2 and [d for d in r.good if d.path == "/gitea"], "them")
        g = [d for d in r.good if d.path == "/gitea"]
        assert [d.json["ref"] for d in g] == ["refs/heads/rel/1"] and "compare_url" in g[0].json and "compare" not in g[0].json
        assert g[0].json["pusher"]["login"] == a.id and "verification" in g[0].json["head_commit"]
        c = [d for d in r.good if d.path == "/ce"][0]
        assert c.headers["ce-specversion"] == "1.0" and c.headers["ce-type"] == "guts.push" and c.headers["ce-id"] == c.id
        assert c.headers["content-type"] == "application/json" and c.headers["ce-source"] == "https://code.example/x"
        assert not [d for d in r.good if d.path == "/off"]
        a.patch("/api/v1/hooks/%d" % ce["id"], {"events": ["delete"]})
        a.patch("/api/v1/repos/%s/hooks/%d" % (repo["id"], gitea["id"]), {"branch_filter": "", "config": {"url": r.url("/moved")}})
        git("push", a.git_url(repo), ":rel/1", cwd=work)
        wait_for(lambda: [d for d in r.good if d.path == "/moved"] and len([d for d in r.good if d.path == "/ce"]) == 3, "them")
        assert [d.event for d in r.good if d.path == "/ce"][2] == "delete"
    with tap.case("facts about hooks: numbered like all, for admins only, without secrets"):
        facts = a.facts(query="type=hook.*")
        assert [f["type"] for f in facts][:2] == ["hook.created", "hook.created"] and "hook.updated" in [f["type"] for f in facts]
        assert SECRET not in json.dumps(facts) and "hush" not in json.dumps(facts) and r.url() not in json.dumps(facts)
        ids = [f["id"] for f in a.facts()]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        reader = a.post("/api/v1/tokens", {"name": "r", "scopes": ["read"]})["token"]
        assert a.get("/api/v1/events?since=0&type=hook.*", token=reader)["events"] == []
    with tap.case("metrics, with bounded labels"):
        text = a.request("GET", "/metrics").data.decode()
        assert 'guts_webhook_attempts_total{result="delivered"}' in text and "guts_webhooks 5" in text, text
    with tap.case("no secret in the log; the database is the owner's alone"):
        with open(a.log) as f:
            text = f.read()
        assert SECRET not in text and "hush" not in text
        for name in os.listdir(a.home):
            if "guts.db" in name:
                assert os.stat(os.path.join(a.home, name)).st_mode & 0o077 == 0, name
    r.close()


def management(tap, net):
    a = net.node("M", args=ALLOW)
    repo, other = a.create("demo"), a.create("other")
    base = "/api/v1/repos/%s/hooks" % repo["id"]
    with tap.case("what is no webhook is refused with a pointer"):
        for body, pointer in (({}, "/config/url"), ({"config": {}}, "/config/url"), ({"config": {"url": "ftp://x/"}}, "/config/url"),
                              ({"config": {"url": "http://u:p@x/"}}, "/config/url"), ({"config": {"url": "http:///x"}}, "/config/url"),
                              ({"config": {"url": "http://x/", "content_type": "form"}}, "/config/content_type"),
                              ({"config": {"url": "http://x/"}, "events": ["pish"]}, "/events"),
                              ({"config": {"url": "http://x/"}, "events": ["peer.*"]}, "/events"),
                              ({"config": {"url": "http://x/"}, "events": []}, "/events"),
                              ({"config": {"url": "http://x/"}, "type": "slack"}, "/type"),
                              ({"config": {"url": "http://x/"}, "authorization_header": "a\r\nb: c"}, "/authorization_header")):
            answer = a.request("POST", base, body)
            assert answer.status == 422 and answer.json["errors"][0]["pointer"] == pointer, (body, answer.data)
        assert a.get(base) == []
    with tap.case("20 of one repository, 20 of the node"):
        for i in range(20):
            hook(a, repo, "https://ci.example/%d" % i)
            hook(a, None, "https://ci.example/%d" % i, events=["push", "peer.*"])
        for path in (base, "/api/v1/hooks"):
            answer = a.request("POST", path, {"config": {"url": "http://x/"}})
            assert answer.status == 413 or answer.status == 429, answer.data
        hook(a, other, "https://ci.example/")
        assert len(a.get(base)) == 20 and len(a.get("/api/v1/hooks")) == 41
    with tap.case("each under its own repository only"):
        of_other = a.get("/api/v1/repos/%s/hooks" % other["id"])[0]
        for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/pings"), ("POST", "/tests"), ("GET", "/deliveries"),
                             ("GET", "/deliveries/1"), ("POST", "/deliveries/1/attempts")):
            for number in (of_other["id"], 999, "x"):
                got = a.request(method, "%s/%s%s" % (base, number, path), {} if method == "PATCH" else None)
                assert got.status == 404, (method, path, number, got.data)
        assert a.request("GET", "/api/v1/hooks/%d/deliveries/1" % of_other["id"]).status == 404
    with tap.case("a token for one repository manages its hooks, and no others"):
        limited = a.post("/api/v1/tokens", {"name": "t", "scopes": ["admin"], "repos": [repo["id"]]})["token"]
        assert a.request("GET", base, token=limited).status == 200
        assert a.request("GET", "/api/v1/repos/%s/hooks" % other["id"], token=limited).status == 403
        assert a.request("GET", "/api/v1/hooks", token=limited).status == 403
        for scope in ("read", "write", "ci"):
            token = a.post("/api/v1/tokens", {"name": scope, "scopes": [scope]})["token"]
            assert a.request("GET", base, token=token).status == 403
    with tap.case("they are there after a restart, and removed with the repository"):
        before = a.get("/api/v1/hooks")
        a.restart()
        after = a.get("/api/v1/hooks")
        for h in before + after:
            for key in ("url", "ping_url", "test_url", "deliveries_url"):  # the port is another one
                h.pop(key, None)
        assert after == before
        a.delete("%s/%d" % (base, after[0]["id"]))
        assert a.request("GET", "%s/%d" % (base, after[0]["id"])).status == 404
        a.delete("/api/v1/repos/" + repo["id"])
        wait_for(lambda: len(a.get("/api/v1/hooks")) == 21, "the end of the repository's hooks")


def when_it_fires(tap, net):
    r = Receiver()
    a = net.node("A2", args=ALLOW)
    work = work_tree(net.path("work2"))
    for i in range(5):
        commit(work, "c%d" % i)
        git("branch", "b%d" % i, cwd=work)
    c = net.node("C2", bootstrap=[a], args=ALLOW)
    c.wait_peer(a)
    with tap.case("an import fires one repository event and no push, on linked nodes too"):
        hook(a, None, r.url("/a"), events=["push", "create", "repository"])
        hook(c, None, r.url("/c"), events=["push", "create", "repository"])
        job = a.post("/api/v1/repos/import", {"path": work, "name": "imported"})
        wait_for(lambda: a.get("/api/v1/jobs/%d" % job["id"])["state"] == "done", "the import")
        repo = a.repo("%s/imported" % a.id)
        commit(work, "after")
        wait_for(lambda: [d for d in r.of("repository") if d.path == "/c"], "the event at C2")
        tip = commit(work, "after the import")
        git("push", a.git_url(repo), "main", cwd=work)
        for path in ("/a", "/c"):
            wait_for(lambda: [d for d in r.of("push") if d.path == path and d.json["after"] == tip], "the push at " + path)
            got = [d for d in r.good if d.path == path]
            assert [d.event for d in got] == ["repository", "push"] and got[0].json["action"] == "created", [d.event for d in got]
        c.stop()
    b = net.node("B2", args=ALLOW, start=False)
    with tap.case("a first sync fires one repository event and no push; catching up, one push per ref"):
        b.start()
        hook(b, None, r.url("/b"), events=["*"])
        b.post("/api/v1/peers", {"address": a.addr})
        wait_for(lambda: repo["id"] in [x["id"] for x in b.get("/api/v1/repos")], "the repository at B")
        wait_for(lambda: [d for d in r.good if d.path == "/b" and d.event == "repository"], "the event")
        wait_for(lambda: b.refs(repo["id"]) == a.refs(repo["id"]), "all refs at B")
        b.stop()
        tip = [commit(work, "while it was away %d" % i) for i in range(3)][-1]
        for i in range(3):
            git("push", a.git_url(repo), "main~%d:main" % (2 - i), cwd=work)
        git("push", a.git_url(repo), "main:b1", cwd=work)
        b.args += ["--bootstrap", a.addr]
        b.start()
        wait_for(lambda: {(d.json["ref"], d.json["after"]) for d in r.of("push") if d.path == "/b"} ==
                 {("refs/heads/main", tip), ("refs/heads/b1", tip)}, "both pushes")
        at_b = [d for d in r.good if d.path == "/b"]
        assert [d.event for d in at_b].count("repository") == 1 and len([d for d in at_b if d.event == "push"]) == 2
        assert [len(d.json["commits"]) for d in at_b if d.event == "push" and d.json["ref"].endswith("main")] == [3]
    with tap.case("events of the node: peers, gossip"):
        wait_for(lambda: [d for d in r.good if d.path == "/b" and d.event == "peer.connected"], "the peer")
        peer = [d for d in r.good if d.path == "/b" and d.event == "peer.connected"][0].json
        assert peer["peer"] == a.id and peer["type"] == "peer.connected" and peer["data"]["direction"] == "outbound"
        b.put("/api/v1/gossip/topics/news")
        b.post("/api/v1/gossip/topics/news/messages", {"data": "hello"})
        m = next_of(r, "gossip.message").json
        assert m["data"]["topic"] == "news" and m["data"]["data"] == "hello" and m["peer"] == b.id
    with tap.case("how a sync goes on: for who asks for it, the last of a second, and not for *"):
        r2 = Receiver()
        asks, all_of_it = hook(b, None, r2.url("/asks"), events=["repo.sync.*", "peer.*"]), hook(b, repo, r2.url("/all"), events=["*"])
        tip = commit(work, "one more")
        git("push", a.git_url(repo), "main", cwd=work)
        d = wait_for(lambda: [d for d in r2.of("repo.sync.progress") if d.json["data"]["phase"] == "done"], "the end of a sync")[0]
        assert d.path == "/asks" and d.json["repo"] == repo["id"] and d.json["peer"] == a.id and d.json["id"] == 0, d.body
        wait_for(lambda: [d for d in r2.of("push") if d.path == "/all"], "the push")
        assert {d.path for d in r2.of("repo.sync.progress")} == {"/asks"}
        b.delete("/api/v1/hooks/%d" % asks["id"])
        b.delete("/api/v1/hooks/%d" % all_of_it["id"])
        r2.close()
    with tap.case("a status that does not count fires only where it is asked for"):
        quiet, loud = Receiver(), Receiver()
        hook(a, repo, quiet.url(), events=["status"])
        hook(a, repo, loud.url(), events=["status"], all_authors=True)
        a.put("/api/v1/repos/%s/trust/%s" % (repo["id"], b.id))
        b.post("/api/v1/repos/%s/statuses/%s" % (repo["id"], tip), {"state": "success", "context": "counts"})
        wait_for(lambda: quiet.good and loud.good, "the trusted one")
        assert quiet.good[0].json["context"] == "counts" and quiet.good[0].json["sender"]["login"] == b.id
        quiet.close()
        loud.close()
    with tap.case("other authors' own refs fire only where it is asked for"):
        quiet, loud = Receiver(), Receiver()
        hook(a, repo, quiet.url())
        hook(a, repo, loud.url(), all_authors=True)
        fork = b.git_url(repo)[:-4] + "/%s.git" % b.id
        idea = commit(work, "an idea")
        git("push", fork, "main:idea", cwd=work)
        d = next_of(loud, "push")
        assert d.json["ref"] == "refs/namespaces/%s/refs/heads/idea" % b.id and d.json["after"] == idea
        assert d.json["sender"]["login"] == b.id and not d.json["forced"]
        git("reset", "-q", "--hard", "HEAD~1", cwd=work)
        better = commit(work, "a better idea")
        git("push", "-f", fork, "main:idea", cwd=work)
        d = next_of(loud, "push", 2)
        assert (d.json["before"], d.json["after"], d.json["forced"]) == (idea, better, True)
        git("push", fork, commit(work, "more of it") + ":idea", cwd=work)
        assert not next_of(loud, "push", 3).json["forced"]
        git("push", a.git_url(repo), "main", cwd=work)
        next_of(quiet, "push")
        assert [x.json["ref"] for x in quiet.good] == ["refs/heads/main"]
        quiet.close()
        loud.close()
    r.close()


def guard(tap, net):
    with tap.case("no address but public ones is connected to, however it is written"):
        r = Receiver()
        port = r.server.server_port
        a = net.node("G", args=["--set", "bridge.timeout=1s"], env={"http_proxy": r.url(), "all_proxy": r.url()})
        hosts = ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f.1", "0177.0.0.1", "127.1",
                 "[::ffff:127.0.0.1]", "[::]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "[fc00::1]", "10.0.0.1",
                 "169.254.169.254", "192.168.0.1", "172.16.0.1", "100.64.0.1"]
        for host in hosts:
            h = hook(a, None, "http://%s:%d/" % (host, port))
            path = "/api/v1/hooks/%d" % h["id"]
            a.post(path + "/pings")
            end = wait_for(lambda: (x := a.get(path + "/deliveries")) and x[0]["state"] == "dead" and x[0], "the end of " + host)
            assert "bridge.allow" in end["status"] and end["status_code"] == 0, (host, end)
            a.delete(path)
        assert r.seen == []
        r.close()
    with tap.case("a redirect is not followed"):
        inner = Receiver()
        outer = Receiver(lambda d: (302, {"Location": inner.url()}, b""))
        a = net.node("R", args=ALLOW)
        h = hook(a, None, outer.url())
        path = "/api/v1/hooks/%d" % h["id"]
        a.post(path + "/pings")
        end = wait_for(lambda: (x := a.get(path + "/deliveries")) and x[0]["state"] == "dead" and x[0], "the end")
        assert end["status"] == "answered 302" and len(outer.seen) == 1 and inner.seen == []
        inner.close()
        outer.close()
    with tap.case("bridge.allow takes what it says and nothing else"):
        done = subprocess.run([gutslib.GUTS, "run", "--home", net.path("bad"), "--set", "bridge.allow=everything"],
                              capture_output=True, text=True)
        assert done.returncode == 2 and "bridge.allow" in done.stderr, done


def later(tap, net):
    with tap.case("Retry-After is waited for; 410 and the end of the time make a delivery dead, and a fact tells"):
        answers = [(503, {"Retry-After": "2"}, b"")]
        r = Receiver(lambda d: answers.pop() if answers and d.path == "/busy" else 410 if d.path == "/gone" else 200)
        a = net.node("L", args=ALLOW + ["--set", "bridge.retry=50ms", "--set", "bridge.give_up=8s"])
        repo = a.create("demo")
        work = work_tree(net.path("work3"))
        busy, gone, nobody = hook(a, repo, r.url("/busy")), hook(a, repo, r.url("/gone")), hook(a, repo, dead_url())
        stream = a.stream("type=hook.delivery")
        stream.find("hello")
        git("push", a.git_url(repo), "main", cwd=work)
        told = [stream.find("hook.delivery")["data"] for _ in range(4)]
        assert [t["data"]["state"] for t in told if t["data"]["attempt"] == 0] and all(t["repo"] == repo["id"] for t in told), told
        stream.close()
        facts = wait_for(lambda: len(f := a.facts(query="type=hook.dead")) >= 2 and f, "two dead")
        assert {f["data"]["hook"] for f in facts} >= {gone["id"], nobody["id"]}, facts
        d = a.get("/api/v1/hooks/%d/deliveries" % nobody["id"])[0]
        assert d["state"] == "dead" and d["attempts"] > 2 and d["status_code"] == 0, d
        assert a.get("/api/v1/hooks/%d/deliveries?status=failure" % gone["id"])[0]["status"] == "answered 410"
        assert len([x for x in r.seen if x.path == "/gone"]) == 1
        health = {h["id"]: h["last_response"] for h in a.get("/api/v1/repos/%s/hooks" % repo["id"])}
        assert health[nobody["id"]]["status"] == "failing" and health[nobody["id"]]["message"], health
        at = [x.at for x in r.seen if x.path == "/busy"]
        assert len(at) == 2 and at[1] - at[0] >= 2 and health[busy["id"]]["status"] == "active", (at, health)
    with tap.case("how a hook fares outlives the node"):
        def fares():
            return {h["id"]: (h["dead"], h["last_response"]) for h in a.get("/api/v1/hooks")}
        before = fares()
        assert before[busy["id"]][0] == 0 and before[busy["id"]][1]["failing_since"] is None, before
        assert before[gone["id"]][0] == 1 and before[gone["id"]][1]["code"] == 410, before
        assert before[nobody["id"]][0] == 1 and before[nobody["id"]][1]["failing_since"] < d["delivered_at"], (before, d)
        a.stop()
        a.start()
        after = fares()
        assert {k: v[0] for k, v in after.items()} == {k: v[0] for k, v in before.items()}, after
        assert [v[1]["status"] for v in after.values()] == [v[1]["status"] for v in before.values()], after
        r.close()


tap = Tap()
with tap.net() as net:
    only = sys.argv[1:]
    for part in (payloads, management, when_it_fires, guard, later):
        if not only or part.__name__ in only:
            part(tap, net)
tap.done()
