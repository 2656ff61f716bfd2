"""syncthing.py - status and events beside Syncthing from Debian, which has a REST API with a long poll too.

One wrk thread asks each for its status over 64 connections kept open.  Then a client waits in a long poll for a change that another makes: of a repository's
description here, of an option there; both write it to disk before they tell.  Syncthing stays on loopback: no discovery, relays, NAT or reports.
"""
from benchlib import QUICK, compare, median, quantile, figure, rounds, wrk
from gutslib import Net, request, wait_for
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

KEY = "bench-key"
CHANGES = 5 if QUICK else 30
OFF = {"globalAnnounceEnabled": "false", "localAnnounceEnabled": "false", "relaysEnabled": "false", "natEnabled": "false", "crashReportingEnabled": "false",
       "startBrowser": "false", "urAccepted": "-1", "autoUpgradeIntervalH": "0", "stunKeepaliveStartS": "0", "listenAddress": "tcp://127.0.0.1:0"}


class Syncthing:
    def __init__(self, home):
        env = dict(os.environ, HOME=home, STNOUPGRADE="1", STNODEFAULTFOLDER="1")
        subprocess.run(["syncthing", "generate", "--home=" + home], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env, timeout=60)
        with open(home + "/config.xml") as f:
            text = f.read()
        for name, value in OFF.items():
            text, n = re.subn("<%s>[^<]*</%s>" % (name, name), "<%s>%s</%s>" % (name, value, name), text)
            assert n > 0, name
        with open(home + "/config.xml", "w") as f:
            f.write(text)
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        self.url = "http://127.0.0.1:%d" % port
        self.process = subprocess.Popen(["syncthing", "serve", "--home=" + home, "--no-browser", "--no-restart", "--gui-apikey=" + KEY,
                                         "--gui-address=127.0.0.1:%d" % port], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        wait_for(lambda: self.ask("GET", "/rest/system/ping"), "Syncthing")

    def ask(self, method, path, body=None):
        answer = request(self.url, method, path, body, headers={"X-API-Key": KEY})
        assert answer.status == 200, answer.data
        return json.loads(answer.data) if answer.data else None

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def seen_after(poll, change):
    """[ms] from the start of a change until the long poll that waited for it has its answer."""
    began, waiting = [0.0], threading.Event()
    took = []

    def run():
        waiting.set()
        poll()
        took.append((time.perf_counter() - began[0]) * 1e3)

    t = threading.Thread(target=run)
    t.start()
    waiting.wait()
    began[0] = time.perf_counter()
    change()
    t.join()
    return took[0]


def main(net):
    node = net.node()
    repo = "/api/v1/repos/" + node.create("watched")["id"]
    other = Syncthing(net.path("syncthing"))
    try:
        got = rounds({"guts": lambda: wrk(node.url + "/api/v1/status"),
                      "syncthing": lambda: wrk(other.url + "/rest/system/status", headers=["X-API-Key: " + KEY])})
        compare("status, 64 connections", "/s", [v[0] for v in got["guts"]], "Syncthing", [v[0] for v in got["syncthing"]], at_least=1)
        figure("  p99 (Syncthing %.1f)" % median([v[1] for v in got["syncthing"]]), "ms", [v[1] for v in got["guts"]])
        turn = [0]

        def ours():
            turn[0] += 1
            since = node.facts()[-1]["id"]
            return seen_after(lambda: node.get("/api/v1/events?wait=60&type=repo.*&since=%d" % since),
                              lambda: node.patch(repo, {"description": "turn %d" % turn[0]}))

        def theirs():
            turn[0] += 1
            since = other.ask("GET", "/rest/events?events=ConfigSaved&timeout=0") or [{"id": 0}]
            return seen_after(lambda: other.ask("GET", "/rest/events?events=ConfigSaved&timeout=60&since=%d" % since[-1]["id"]),
                              lambda: other.ask("PATCH", "/rest/config/options", {"reconnectionIntervalS": 60 + turn[0] % 2}))

        got = rounds({"guts": ours, "syncthing": theirs}, CHANGES)
        compare("a change to its event, long poll", "ms", got["guts"], "Syncthing", got["syncthing"], at_most=1)
        print("  %-38s guts %.1f ms   Syncthing %.1f" % ("  p99", quantile(got["guts"], 0.99), quantile(got["syncthing"], 0.99)))
    finally:
        other.stop()


if __name__ == "__main__":
    if not shutil.which("syncthing"):
        print("  not measured: no syncthing")
        sys.exit(0)
    net = Net()
    try:
        main(net)
    finally:
        net.close()
