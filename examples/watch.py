#!/usr/bin/env python3
"""watch.py [--since ID] - prints every ref that moves on a node, across restarts of the node, none missed.

Facts have gapless ids.  After a cut the stream is asked to go on behind the last one seen; `reset` says that the node
no longer has what came in between (or was made anew), so that one must look at everything once more.
"""
import argparse
import http.client
import json
import os
import time
import urllib.request

URL = os.environ.get("GUTS_URL", "http://127.0.0.1:8080") + "/api/v1/events?type=repo.ref.updated"


def events(answer):
    """Server-sent events of an answer as dicts with event, data, id."""
    frame = {}
    for raw in answer:
        line = raw.decode().rstrip("\r\n")
        if not line:
            if frame:
                yield frame
            frame = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            frame[name] = frame[name] + "\n" + value if name in frame else value


def watch(since):
    while True:
        head = {"Accept": "text/event-stream"}
        if os.environ.get("GUTS_TOKEN"):
            head["Authorization"] = "Bearer " + os.environ["GUTS_TOKEN"]
        if since is not None:
            head["Last-Event-ID"] = str(since)
        try:
            with urllib.request.urlopen(urllib.request.Request(URL, headers=head), timeout=60) as answer:
                for e in events(answer):
                    if e.get("event") == "reset":
                        print("reset: events were lost, look at all repositories", flush=True)
                    elif e.get("event") == "repo.ref.updated":
                        yield json.loads(e["data"])
                    since = e.get("id", since)
        except (OSError, http.client.HTTPException) as e:
            print("connection lost (%s), trying again" % e, flush=True)
        time.sleep(1)


parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
parser.add_argument("--since", help="begin behind this event; without it, with what comes")
for fact in watch(parser.parse_args().since):
    data = fact["data"]
    print("%s %s %s %s by %s" % (fact["repo"], data["ref"], data["kind"], data["new"], fact["peer"]), flush=True)
