"""The DHT between live nodes: a repository is found from nothing but its id; what is private never touches it."""
import json

from contract import Contract
from gutslib import Tap, commit, git, ls_remote, wait_for, work_tree

tap = Tap()
contract = Contract()
NONE = ["--set", "seed.default=none"]


def get(node, path):
    answer = node.request("GET", "/api/v1" + path)
    contract.check("GET", "/api/v1" + path, answer)
    return answer.json


def lookup(node, target, status=200):
    answer = node.request("POST", "/api/v1/dht/lookup", {"target": target})
    contract.check("POST", "/api/v1/dht/lookup", answer)
    assert answer.status == status, answer
    return answer.json


def providers(node, rid):
    return [p["peer"] for p in get(node, "/dht/providers/" + rid)]


def entries(node):
    return {e["peer"]: e for b in get(node, "/dht")["buckets"] for e in b["entries"]}


with tap.net() as net:
    # The hub keeps nothing; the others know only the hub.
    hub = net.node("hub", args=NONE, dht=True)
    alice = net.node("alice", bootstrap=[hub], args=NONE, dht=True)
    bob = net.node("bob", bootstrap=[hub], args=NONE, dht=True)
    for n in (alice, bob):
        n.wait_peer(hub)
    state = {}

    with tap.case("a node that is reached becomes a server, and its peers put it into their tables"):
        wait_for(lambda: get(hub, "/dht")["role"] == "server", "hub serves")
        assert get(hub, "/dht")["mode"] == "auto" and get(hub, "/dht")["protocol"] == "/guts/kad/1.0.0"
        for n in (alice, bob):
            wait_for(lambda n=n: entries(n).get(hub.id, {}).get("verified"), "hub is in the table")
        e = entries(bob)[hub.id]
        assert e["connected"] and e["rtt_us"] > 0 and e["last_seen"] and e["failures"] == 0, e
        assert e["addresses"] == [hub.addr.split("/p2p/")[0]], e

    with tap.case("a public repository is provided; its id alone is enough to find and clone it"):
        rid = alice.create("demo")["id"]
        tree = work_tree(net.path("w"), {"a.txt": "one\n"})
        head = commit(tree, "first")
        git("push", alice.git_url("%s/demo" % alice.id), "main", cwd=tree)
        wait_for(lambda: providers(bob, rid) == [alice.id], "the hub knows the provider")
        bob.cli("repo", "policy", "guts://" + rid, "seed")
        wait_for(lambda: alice.id in bob.peers(), "bob links to the provider")
        wait_for(lambda: bob.request("GET", "/api/v1/repos/" + rid).status == 200 and
                 ls_remote(bob.git_url(rid)).get("refs/heads/main") == head, "bob has the commit")
        state["rid"] = rid

    with tap.case("who has it provides it too"):
        wait_for(lambda: sorted(providers(hub, state["rid"])) == sorted([alice.id, bob.id]), "two providers")

    with tap.case("a lookup shows its hops"):
        found = lookup(bob, "guts://" + state["rid"])
        assert found["kind"] == "find_providers" and found["found"] and found["hops"], found
        hop = [h for h in found["hops"] if h["peer"] == hub.id][0]
        assert hop["error"] is None and hop["took_us"] > 0 and hop["providers"] >= 1, hop
        found = lookup(bob, alice.id)
        assert found["kind"] == "find_peer" and found["found"] and found["closest"][0]["peer"] == alice.id, found
        assert found["closest"][0]["addresses"] == [alice.addr.split("/p2p/")[0]], found
        stranger = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
        missing = lookup(bob, stranger)
        assert not missing["found"] and missing["hops"], missing
        lookup(bob, "nonsense", status=422)

    with tap.case("a private repository is in no record, no lookup and no answer"):
        hidden = alice.create("hidden", private=True)["id"]
        secret = work_tree(net.path("s"), {"s": "s\n"})
        commit(secret, "secret")
        git("push", alice.git_url("%s/hidden" % alice.id), "main", cwd=secret)
        # A public one that is made later is published after it would have been.
        later = alice.create("later")["id"]
        wait_for(lambda: providers(bob, later) == [alice.id], "the later one is provided")

        def asks_nobody():
            sent = get(alice, "/dht")["counters"]["requests_sent"]
            assert providers(bob, hidden) == [] and providers(hub, hidden) == []
            assert get(alice, "/dht/providers/" + hidden) == []
            assert not lookup(alice, hidden)["found"] and lookup(alice, hidden)["hops"] == []
            return get(alice, "/dht")["counters"]["requests_sent"] == sent

        wait_for(asks_nobody, "a round without requests")  # the node may be at work for itself in one of them
        published = get(alice, "/dht")["published"]
        # made private, it is published no longer
        assert published == 2 * 2, published
        assert alice.request("PATCH", "/api/v1/repos/" + later, {"private": True}).status == 200
        wait_for(lambda: get(alice, "/dht")["published"] == 2, "no longer published")

    with tap.case("removed, it is published no longer"):
        bob.cli("repo", "delete", "--yes", state["rid"])
        wait_for(lambda: get(bob, "/dht")["published"] == 0, "no longer published")

    with tap.case("the routing table survives a restart"):
        before = set(entries(bob))
        bob.restart()
        assert before and set(entries(bob)) == before, (before, entries(bob))

    with tap.case("the command line: status, lookup, providers"):
        text = bob.cli("dht", "status", "--long")
        assert "/guts/kad/1.0.0" in text and hub.id in text, text
        assert json.loads(bob.cli("dht", "status", "--json"))["protocol"] == "/guts/kad/1.0.0"
        wait_for(lambda: bob.cli("dht", "lookup", "guts://" + state["rid"], check=False).returncode == 0, "found")
        text = bob.cli("dht", "lookup", state["rid"])
        assert "found after" in text and alice.id in text, text
        assert bob.cli("dht", "lookup", "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN", check=False).returncode == 5
        assert alice.id in bob.cli("dht", "providers", "guts://" + state["rid"])

    with tap.case("metrics count it, without names of peers"):
        text = hub.request("GET", "/metrics").data.decode()
        lines = {l.split()[0]: l.split()[1] for l in text.splitlines() if l.startswith("guts_dht_")}
        assert int(lines["guts_dht_server"]) == 1 and int(lines['guts_dht_requests_served_total{type="find_node"}']) > 0, lines
        assert len(lines) == 27 and "12D3" not in "".join(lines), sorted(lines)

    with tap.case("switched off it is silent, and says so"):
        quiet = net.node("quiet", bootstrap=[hub], args=NONE + ["--set", "kad.mode=off"], dht=True)
        quiet.wait_peer(hub)
        assert get(quiet, "/dht")["role"] == "off" and get(quiet, "/dht")["protocol"] is None
        assert quiet.request("GET", "/api/v1/dht/providers/" + state["rid"]).status == 503
        assert quiet.id not in entries(hub)

    with tap.case("a client asks and is in no table"):
        client = net.node("client", bootstrap=[hub], args=NONE + ["--set", "kad.mode=client"], dht=True)
        client.wait_peer(hub)
        wait_for(lambda: alice.id in providers(client, state["rid"]), "a client finds the provider")
        assert get(client, "/dht")["role"] == "client" and client.id not in entries(hub)
        found = lookup(bob, client.id)
        assert found["found"] and found["closest"][0]["peer"] == client.id, found

    with tap.case("other networks have another protocol"):
        other = net.node("other", args=["--network", "test"], dht=True)
        assert get(other, "/dht")["protocol"] == "/guts/test/kad/1.0.0"
        named = net.node("named", args=["--set", "kad.protocol=/x/kad/1.0.0"], dht=True)
        assert get(named, "/dht")["protocol"] == "/x/kad/1.0.0"

tap.done()
