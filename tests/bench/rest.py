"""rest.py - the gateway's answers beside nginx and a bare libmicrohttpd that give the same bytes.

One wrk thread, 64 connections kept open.  Four nodes: the measured one has three peers and 30 repositories, which
is one page of each list.  nginx runs one worker; it and the bare program answer from memory.
"""
from benchlib import Ends, compare, figure, helper, median, rounds, wrk
from gutslib import Net, wait_for
from nginxend import serving
import os
import subprocess
import urllib.request

PATHS = ["/api/v1/status", "/api/v1/peers", "/api/v1/repos"]
NGINX_SETTINGS = """\
	server_tokens off;
	keepalive_requests 1000000000;
	default_type application/json;
"""


def answer(i, text):
    """A location that returns the text; no word of the configuration may be longer than 4,096 bytes."""
    assert "$" not in text, text
    pieces = [text[at:at + 2000].replace("\\", "\\\\").replace('"', '\\"') for at in range(0, len(text), 2000)]
    return "\t\tlocation = /%d {\n%s\t\t\treturn 200 \"%s\";\n\t\t}\n" % (
        i, "".join('\t\t\tset $v%d_%d "%s";\n' % (i, k, p) for k, p in enumerate(pieces)),
        "".join("${v%d_%d}" % (i, k) for k in range(len(pieces))))


def start_nginx(folder, files):
    """An nginx that answers /0, /1, ... with the texts of the files."""
    answers = ""
    for i, path in enumerate(files):
        with open(path, encoding="utf-8") as f:
            answers += answer(i, f.read())
    return serving(folder, NGINX_SETTINGS, answers)


def check_same(nginx, bare, path):
    with open(path, "rb") as f:
        data = f.read()
    for url in nginx, bare:
        with urllib.request.urlopen(url) as got:
            assert got.read() == data, url


def measure(net, ends):
    a = net.node("A")
    for name in "BCD":
        net.node(name, bootstrap=[a])
    for node in net.nodes[1:]:
        a.wait_peer(node)
    for i in range(30):
        a.create("repo%d" % i)
    wait_for(lambda: len(a.get("/api/v1/repos")) == 30, "all of them in the list")
    files = []
    os.makedirs(net.path("www"))
    for i, path in enumerate(PATHS):
        files.append(net.path("www/%d" % i))
        with open(files[-1], "wb") as f:
            f.write(a.request("GET", path, token=None).data)
    nginx = start_nginx(net.path("www"), files)
    try:
        bare = "http://127.0.0.1:%s" % ends.start([helper("baremhd")] + files).line()
        for i, path in enumerate(PATHS):
            check_same("%s/%d" % (nginx.url, i), "%s/%d" % (bare, i), files[i])
            got = rounds({"guts": lambda: wrk(a.url + path), "nginx": lambda: wrk("%s/%d" % (nginx.url, i)),
                          "bare": lambda: wrk("%s/%d" % (bare, i))})
            rate = {name: [v[0] for v in values] for name, values in got.items()}
            title = "%s, %d bytes" % (path, os.path.getsize(files[i]))
            compare(title, "/s", rate["guts"], "nginx", rate["nginx"], at_least=0.5)
            compare("", "/s", rate["guts"], "bare MHD", rate["bare"], at_least=0.6)
            figure("  p99 (nginx %.1f, bare MHD %.1f)" % tuple(median([v[1] for v in got[name]])
                                                              for name in ("nginx", "bare")),
                   "ms", [v[1] for v in got["guts"]], at_most=5)
    finally:
        nginx.stop()


net = Net()
try:
    with Ends() as ends:
        measure(net, ends)
finally:
    net.close()
