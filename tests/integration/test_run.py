"""guts run: starting, stopping, and saying what is wrong.  guts init, id, doctor on a home without a node."""
import contextlib
import http.client
import json
import os
import signal
import subprocess
import threading

from gutslib import GUTS, LONG, ApiError, Tap, Stream, request, wait_for

tap = Tap()


def guts(*args, env=None, input=None):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GUTS_") or k == "GUTS_SRCDIR"}
    return subprocess.run([GUTS] + list(args), capture_output=True, text=True, env=dict(clean, **(env or {})), input=input,
                          timeout=120)


def refused(net, home, code, says, *args):
    """`guts run` on this home ends with this exit code and these words."""
    done = guts("run", "--home", home, "--listen", "/ip4/127.0.0.1/tcp/0", "--http", "127.0.0.1:0", *args)
    assert done.returncode == code, (done.returncode, done.stderr)
    for words in says if isinstance(says, (list, tuple)) else [says]:
        assert words in done.stderr, (words, done.stderr)
    assert done.stdout == "", done.stdout
    return done


def write_to_the_end(node, done):
    """Writes, one after the other, as long as somebody takes them; `done` grows with them."""
    with contextlib.suppress(ApiError, OSError, http.client.HTTPException):
        while True:
            done.append(node.put("/api/v1/gossip/topics/writes"))


with tap.net() as net:
    with tap.case("init makes a home once"):
        home = net.path("fresh/deep")
        first = json.loads(guts("init", "--home", home, "--json").stdout)
        assert first["made"] and first["peer_id"].startswith("12D3KooW"), first
        assert os.stat(home).st_mode & 0o777 == 0o700
        assert os.stat(home + "/key").st_mode & 0o777 == 0o600
        again = json.loads(guts("init", "--home", home, "--json").stdout)
        assert not again["made"] and again["peer_id"] == first["peer_id"]
        assert first["peer_id"] in guts("init", env={"GUTS_HOME": home}).stdout
        assert guts("id", "--home", home).stdout.strip() == first["peer_id"]
        assert json.loads(guts("id", "--home", home, "--json").stdout) == {"peer_id": first["peer_id"]}

    with tap.case("the configuration that init writes holds every option, commented out"):
        text = open(home + "/guts.conf").read()
        assert "# max_connections = 50\n" in text and "[quota]" in text
        assert all(l.startswith(("#", "[")) or not l for l in text.splitlines())

    with tap.case("a missing home is made on the first run, with an admin token that is told once"):
        home = net.path("new")
        run = subprocess.Popen([GUTS, "run", "--home", home, "--listen", "/ip4/127.0.0.1/tcp/0", "--http", "127.0.0.1:0",
                                "--set", "p2p.mdns=false"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        text = ""
        while "dashboard" not in text:
            line = run.stdout.readline()
            assert line, text
            text += line
        token = open(home + "/admin-token").read().strip()
        assert "token      " + token in text, text
        assert os.stat(home + "/admin-token").st_mode & 0o777 == 0o600
        assert os.stat(home).st_mode & 0o777 == 0o700
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 0
        run.stdout.close()

    a = net.node("a")
    with tap.case("the ready line names everything, with real ports"):
        assert set(a.ready) >= {"event", "peer_id", "listen", "http", "pid"}, a.ready
        assert a.ready["pid"] == a.process.pid
        assert a.ready["listen"][0].endswith("/p2p/" + a.id) and "/tcp/0" not in a.ready["listen"][0]
        assert a.url.startswith("http://127.0.0.1:") and not a.url.endswith(":0")
        assert a.request("GET", "/readyz", token=None).status == 200
        assert json.load(open(a.home + "/run.json"))["http"] == a.url
        assert os.stat(a.home + "/run.json").st_mode & 0o777 == 0o600

    with tap.case("the token of the first start is not told on standard error"):
        assert a.token not in a.tail(1000)

    with tap.case("a second node on the same home is refused and told the pid"):
        refused(net, a.home, 3, ["another node runs on", str(a.pid)])
        assert a.running()

    with tap.case("an address that is taken is named"):
        port = a.url.rsplit(":", 1)[1]
        done = guts("run", "--home", net.path("taken"), "--listen", "/ip4/127.0.0.1/tcp/0", "--http", "127.0.0.1:" + port)
        assert done.returncode == 2 and port in done.stderr, (done.returncode, done.stderr)
        assert "in use" in done.stderr, done.stderr
        peer_port = a.ready["listen"][0].split("/")[4]
        done = guts("run", "--home", net.path("taken"), "--listen", "/ip4/127.0.0.1/tcp/" + peer_port, "--http", "127.0.0.1:0")
        assert done.returncode == 2 and peer_port in done.stderr, (done.returncode, done.stderr)

    with tap.case("SIGTERM ends event streams and the node with 0, leaving no run file"):
        stream = Stream(a.url, "/api/v1/events")
        stream.find("hello")
        a.stop()
        while stream.next(timeout=60) is not None:
            pass
        stream.close()
        assert not os.path.exists(a.home + "/run.json")
        done = guts("status", "--home", a.home)
        assert done.returncode == 4 and "guts run" in done.stderr, (done.returncode, done.stderr)

    with tap.case("a stop in the middle of writes is a clean one, again and again"):
        for _ in range(50 if LONG else 5):
            a.start()
            writes = []
            writers = [threading.Thread(target=write_to_the_end, args=(a, writes)) for _ in range(4)]
            for w in writers:
                w.start()
            wait_for(lambda: len(writes) > 20, "some writes")
            a.stop()
            for w in writers:
                w.join()

    with tap.case("after kill -9 it starts again, with the same id and a new run file"):
        before = a.id
        a.start()
        a.kill()
        assert os.path.exists(a.home + "/run.json")
        done = guts("status", "--home", a.home)
        assert done.returncode == 4 and "no node is running" in done.stderr, (done.returncode, done.stderr)
        a.start()
        assert a.id == before and json.load(open(a.home + "/run.json"))["pid"] == a.pid

    with tap.case("POST /shutdown stops it"):
        assert a.request("POST", "/api/v1/shutdown").status == 202
        assert a.process.wait(60) == 0

    with tap.case("what is wrong with options is said, with exit code 2"):
        home = net.path("options")
        refused(net, home, 2, "is not a multiaddress", "--bootstrap", "127.0.0.1:9000")
        refused(net, home, 2, "--set: there is no option \"p2p.max_conections\"", "--set", "p2p.max_conections=5")
        refused(net, home, 2, "KEY=VALUE", "--set", "p2p.max_connections")
        refused(net, home, 2, "is not between", "--set", "p2p.max_connections=0")
        refused(net, home, 2, "is not ADDRESS:PORT", "--http", "8080")
        refused(net, home, 2, "is not one of: error warn notice info debug", "--log-level", "loud")
        refused(net, home, 2, "did you mean --listen?", "--lisen", "x")
        refused(net, home, 2, "\"extra\" is too much", "extra")
        assert not os.path.exists(home), "nothing is made before the options are right"

    with tap.case("what is wrong in the configuration file is said with its line"):
        home = net.path("conf")
        guts("init", "--home", home)
        for text, says in [("[p2p]\nmax_connections = 0\n", "guts.conf:2: p2p.max_connections: 0 is not between"),
                           ("[p2p]\n\nmax_conections = 5\n", "guts.conf:3: unknown option \"p2p.max_conections\""),
                           ("[p2p\n", "guts.conf:1: neither [section] nor key = value")]:
            open(home + "/guts.conf", "w").write(text)
            refused(net, home, 2, says)
        refused(net, home, 2, "No such file", "--config", net.path("nothing.conf"))

    with tap.case("options go before the file, the file before defaults; the node tells where each is from"):
        open(net.path("other.conf"), "w").write("[p2p]\nmax_connections = 7\nlisten = /ip4/127.0.0.1/tcp/1\n[node]\nnetwork = test\n")
        c = net.node("c", args=["--config", net.path("other.conf"), "--set", "quota.total=3M"])
        options = {o["name"]: o for o in c.get("/api/v1/config")}
        assert options["p2p.max_connections"]["value"] == 7 and options["p2p.max_connections"]["source"] == "file"
        assert options["p2p.listen"]["value"] == ["/ip4/127.0.0.1/tcp/0"] and options["p2p.listen"]["source"] == "command line"
        assert options["quota.total"]["value"] == 3 << 20
        assert options["p2p.keepalive_interval"]["source"] == "default"
        assert c.get("/api/v1/status")["network"] == "test"
        c.stop()

    with tap.case("a damaged, open or unreadable key is refused with exit code 3 and never replaced"):
        home = net.path("key")
        guts("init", "--home", home)
        whole = open(home + "/key", "rb").read()
        for damaged in (b"", whole[:40], whole[:-1] + bytes([whole[-1] ^ 1]), b"x" * 68):
            open(home + "/key", "wb").write(damaged)
            done = refused(net, home, 3, home + "/key")
            assert open(home + "/key", "rb").read() == damaged
            assert guts("id", "--home", home).returncode == 3
            assert guts("doctor", "--home", home).returncode == 3
        open(home + "/key", "wb").write(whole)
        os.chmod(home + "/key", 0o644)
        refused(net, home, 3, "key")
        done = guts("doctor", "--home", home, "--repair", "--json")
        assert done.returncode == 0, done.stdout
        assert {"area": "key", "verdict": "repaired"}.items() <= json.loads(done.stdout)[2].items(), done.stdout
        assert os.stat(home + "/key").st_mode & 0o777 == 0o600

    with tap.case("a damaged database is refused with exit code 3 and found by doctor"):
        home = net.path("db")
        d = net.node("d", home=home)
        d.create("one")
        d.stop()
        assert guts("doctor", "--home", home).returncode == 0
        whole = open(home + "/guts.db", "rb").read()
        open(home + "/guts.db", "wb").write(b"x" * 4096 + whole[4096:])
        for side in ("-wal", "-shm"):
            if os.path.exists(home + "/guts.db" + side):
                os.remove(home + "/guts.db" + side)
        refused(net, home, 3, "database")
        assert guts("doctor", "--home", home).returncode == 3

    with tap.case("a home that others may write to is refused, doctor repairs it"):
        home = net.path("loose")
        guts("init", "--home", home)
        os.chmod(home, 0o777)
        refused(net, home, 3, "others may write to")
        assert guts("doctor", "--home", home).returncode == 3
        assert guts("doctor", "--home", home, "--repair").returncode == 0
        assert os.stat(home).st_mode & 0o777 == 0o755

    with tap.case("doctor finds and removes what a killed node left behind"):
        home = net.path("killed")
        k = net.node("k", home=home)
        k.kill()
        assert "left" in guts("doctor", "--home", home).stdout
        assert "removed the run file" in guts("doctor", "--home", home, "--repair").stdout
        assert not os.path.exists(home + "/run.json")

    with tap.case("doctor finds a repository with a missing object"):
        home = net.path("objects")
        o = net.node("o", home=home)
        from gutslib import git, work_tree
        repo = o.create("r")
        work_tree(net.path("w"))
        git("push", "-q", o.git_url(repo), "main", cwd=net.path("w"))
        o.stop()
        assert guts("doctor", "--home", home).returncode == 0
        bare = "%s/repos/%s" % (home, next(x for x in os.listdir(home + "/repos") if os.listdir(home + "/repos/" + x)))
        bare += "/" + os.listdir(bare)[0]
        packs = [os.path.join(d, f) for d, _, fs in os.walk(bare + "/objects") for f in fs]
        assert packs
        for f in packs:
            os.remove(f)
        done = guts("doctor", "--home", home)
        assert done.returncode == 3 and "git fsck" in done.stdout, (done.returncode, done.stdout)
        assert guts("doctor", "--home", home, "--fast").returncode == 0

tap.done()
