"""metrics.py - /metrics before promtool and a real Prometheus, with the rules and the dashboard of examples/prometheus."""
import json
import os
import re
import subprocess
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from gutslib import DEADLINE, SRCDIR, Tap, commit, free_port, git, request, wait_for, work_tree

FOLDER = os.path.join(SRCDIR, "examples", "prometheus")


def promtool(*args, **kw):
    done = subprocess.run(["promtool", *args], capture_output=True, timeout=DEADLINE, **kw)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done


def dashboard_expressions(doc):
    for panel in doc["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "5m")


def named(text):
    """The metrics that PromQL names."""
    return set(re.findall(r"\bguts_[a-z0-9_]+", text))


def start_prometheus(net, target):
    folder = net.path("prometheus")
    os.mkdir(folder)
    port = free_port()
    with open(FOLDER + "/prometheus.yml") as f:
        conf = f.read().replace("127.0.0.1:8080", target).replace("scrape_interval: 15s", "scrape_interval: 1s\n  evaluation_interval: 1s").replace("alerts.yml", FOLDER + "/alerts.yml")
    with open(folder + "/prometheus.yml", "w") as f:
        f.write(conf)
    with open(folder + "/log", "w") as log:
        process = subprocess.Popen(["prometheus", "--config.file=" + folder + "/prometheus.yml", "--storage.tsdb.path=" + folder,
                                    "--web.listen-address=127.0.0.1:%d" % port, "--log.level=warn"], stderr=log, stdout=log, cwd=folder)
    return process, "http://127.0.0.1:%d" % port


def ci_jobs(tap, net):
    with tap.case("CI jobs are counted: queued, running, ended by result, lost"):
        a = net.node("C", args=["--set", "ci.lease=60s"])
        repo = a.create("demo")
        work = work_tree(net.path("work"))
        git("push", a.git_url(repo), "main", cwd=work)
        of = "/api/v1/repos/%s/ci" % repo["id"]
        a.post(of + "/queues", {})
        tip = commit(work, "more", {"more": "text"})
        git("push", a.git_url(repo), "main", cwd=work)

        def shows(**wanted):
            text = a.request("GET", "/metrics").data.decode()
            got = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("guts_ci_"))
            return all(got["guts_ci_" + k] == str(v) for k, v in wanted.items())

        queued, running = 'jobs{state="queued"}', 'jobs{state="running"}'
        wait_for(lambda: shows(**{queued: 1, running: 0, "leases_total": 0}), "a job that waits")
        job = a.post("/api/v1/ci/leases", {"wait": 0})
        a.request("PUT", "/api/v1/ci/leases/%s/files/log?offset=0" % job["lease"]["id"], b"12345", headers={"Content-Type": "application/octet-stream"})
        wait_for(lambda: shows(**{queued: 0, running: 1, "leases_total": 1, "files_bytes": 5}), "a job that runs")
        a.post("/api/v1/ci/leases/%s/result" % job["lease"]["id"], {"state": "failure"})
        wait_for(lambda: shows(**{running: 0, 'jobs_ended_total{result="failure"}': 1, "leases_lost_total": 0}), "a job that failed")
        a.stop()
        a.args[a.args.index("ci.lease=60s")] = "ci.lease=1s"
        a.start()
        a.post(of + "/jobs", {"commit": tip, "context": "other"})
        wait_for(lambda: shows(**{running: 0, 'jobs_ended_total{result="error"}': 1, "leases_lost_total": 1}), "a runner that was lost")
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(a.post, "/api/v1/ci/leases", {"wait": 60})
            wait_for(lambda: shows(runners_waiting=1), "a runner that waits")
            commit(work, "again", {"more": "again"})
            git("push", a.git_url(repo), "main", cwd=work)
            assert asked.result()["state"] == "running", asked.result()
        a.stop()


def main():
    tap = Tap()
    with tap.net() as net:
        cert, key = net.path("cert.pem"), net.path("cert.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-keyout", key, "-out", cert], check=True, capture_output=True)
        node = net.node("A", dht=True, args=["--set", "sink.url=nats://127.0.0.1:%d" % free_port(), "--http", "https://127.0.0.1:0", "--set", "http.tls_cert=" + cert, "--set", "http.tls_key=" + key])
        text = node.request("GET", "/metrics").data
        kinds = dict(line.split()[2:4] for line in text.decode().splitlines() if line.startswith("# TYPE"))
        there = set(kinds) | {name + end for name, kind in kinds.items() if kind == "histogram" for end in ("_bucket", "_sum", "_count")}
        with tap.case("promtool finds nothing to say of /metrics (%d metrics)" % len(kinds)):
            done = promtool("check", "metrics", input=text)
            assert not done.stdout and not done.stderr, done
            assert len(kinds) > 40
        with tap.case("no label comes from a client: strange requests add no line"):
            for i in range(50):
                request(node.url, "GET", "/x%d?y=%d" % (i, i), headers={"Host": "h%d.example" % i, "User-Agent": "u%d" % i})
                request(node.url, "X%d" % i, "/api/v1/status", headers={"Authorization": "token t%d" % i})
            lines = [[x.split(" ")[0] for x in t.decode().splitlines() if not x.startswith("#")] for t in (text, node.request("GET", "/metrics").data)]
            assert lines[0] == lines[1], set(lines[0]) ^ set(lines[1])
        ci_jobs(tap, net)
        with open(FOLDER + "/alerts.yml") as f:
            alerts = f.read()
        with open(FOLDER + "/grafana.json") as f:
            dashboard = json.load(f)
        with tap.case("the alert rules and the configuration are clean, and name metrics that are there"):
            out = promtool("check", "rules", FOLDER + "/alerts.yml").stdout.decode()
            assert re.search(r"SUCCESS: [5-9] rules found|SUCCESS: 1\d rules found", out), out
            promtool("check", "config", FOLDER + "/prometheus.yml", cwd=FOLDER)
            assert named(alerts) and named(alerts) <= there, named(alerts) - there
        with tap.case("so does the dashboard"):
            used = set().union(*(named(e) for e in dashboard_expressions(dashboard)))
            assert len(used) > 20 and used <= there, used - there
            assert "guts_build_info" in json.dumps(dashboard["templating"])
            assert len({p["id"] for p in dashboard["panels"]}) == len(dashboard["panels"])
        process, base = start_prometheus(net, node.url.split("//")[1])
        try:
            def rules():
                return [r for g in request(base, "GET", "/api/v1/rules").json["data"]["groups"] for r in g["rules"]]

            def query(text):
                answer = request(base, "GET", "/api/v1/query?query=" + urllib.parse.quote(text, safe=""))
                assert answer.status == 200 and answer.json["status"] == "success", (text, answer.data)
                return answer.json["data"]["result"]

            with tap.case("Prometheus reads the node, and answers each question of the dashboard"):
                wait_for(lambda: request(base, "GET", "/-/ready").status == 200, "Prometheus")
                up = wait_for(lambda: (r := query('up{job="guts"} == 1')) and r, "a first reading")
                wait_for(lambda: query("rate(guts_http_requests_total[1m])"), "two readings")
                instance = up[0]["metric"]["instance"]
                for text in dashboard_expressions(dashboard):
                    wait_for(lambda: query(text.replace("$instance", instance)), "an answer to " + text)
            with tap.case("and knows the alerts"):
                wait_for(lambda: {"GutsNodeDown", "GutsCertificateExpires"} <= {r["name"] for r in rules() if r["health"] == "ok"}, "rules", every=0.2)
                wait_for(lambda: all(r["health"] == "ok" for r in rules()), "good rules", every=0.2)
        finally:
            process.terminate()
            process.wait(DEADLINE)
    tap.done()


main()
