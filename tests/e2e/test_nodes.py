#!/usr/bin/env python3
"""Several nodes on one PostgreSQL: any takes any request, all see all, one may go, and what a start says about its database."""
import collections
import contextlib
import signal
import socket
import time

import harness
from harness import check, main, same, test, until
from nodes import Scene, pgcluster, shares

NUMBERS = [f"4479010{n:05d}" for n in range(60)]


def submitted(scene, count=60):
    """One message to each of so many numbers, the nodes in turn; push-id -> number."""
    ids = {}
    for n, number in enumerate(NUMBERS[:count]):
        answer = scene.nodes[n % len(scene.nodes)].send("+" + number, f"to {number}", **scene.report())
        same(answer.status, 202, answer.text)
        ids[answer.header("X-Kantele-Id")] = number
    return ids


def all_told(scene, ids, seconds=40):
    until(lambda: all("1" in scene.events(i) for i in ids), "a final report for each", seconds, 0.1)


def arrived(scene):
    """number -> texts at the SMSC."""
    came = collections.defaultdict(list)
    for line in (scene.folder / "record.001").read_text().rpartition("\n")[0].splitlines():
        parts = line.split()
        came[parts[2].lstrip("+")].append(bytes.fromhex(parts[3]).decode())
    return came


def received(node):
    """Receipts that came over this node's links."""
    return sum(int(e.text) for e in node.xml().findall("smscs/smsc/dlr/received"))


@test
def everywhere():
    """a message to any node is sent once, its receipt may come to any other, its callbacks are made once"""
    scene = Scene()
    ids = submitted(scene)
    same(len(ids), 60, "push-ids are those of one cluster")
    all_told(scene, ids)
    until(lambda: all(n.end_of(i) == "delivered" for n in scene.nodes for i in ids), "every node sees all delivered")
    came = arrived(scene)
    same({n: came[n] for n in ids.values()}, {n: [f"to {n}"] for n in ids.values()}, "at the SMSC, each once")
    same({i: scene.events(i) for i in ids}, {i: ["8", "1"] for i in ids}, "callbacks, each once and in order")
    # the simulator gives all receipts to one of the binds of an account
    until(lambda: sum(received(n) for n in scene.nodes) >= len(ids), "receipts are counted")
    check(any(received(n) > len(ids) / 2 for n in scene.nodes), f"receipts: {[received(n) for n in scene.nodes]}")
    views = [[n.ask("/" + i)[1] for i in ids] for n in scene.nodes]
    check(views[0] == views[1] == views[2], "all nodes tell the same")
    scene.end()


@test
def status():
    """status of any node shows all: names, shares, links, mode; suspend and resume for all at once"""
    scene = Scene()
    for node in scene.nodes:
        peers = node.peers()
        same(sorted(peers), ["node1", "node2", "node3"], f"in the view of {node.name}")
        same(len({p.number for p in peers.values()}), 3, "numbers")
        same(node.unowned(), 0, "nobody's partitions")
        for p in peers.values():
            check(p.state == "alive" and p.mode == "running" and p.partitions in (85, 86), f"{node.name} sees {p}")
        until(lambda n=node: all("online" in " ".join(p.links.values()) for p in n.peers().values()), "links of all")
        text = node.admin_get("status.txt").text
        check(all(f"[node{n}]" in text for n in (1, 2, 3)), text)
    check("on all nodes" in scene.nodes[0].admin_get("suspend", nodes="all").text, "suspend for all")
    until(lambda: all(p.mode == "suspended" for n in scene.nodes for p in n.peers().values()), "all are suspended")
    ids = submitted(scene, 12)
    first, *rest = ids
    same(scene.nodes[2].ask("/" + first, "DELETE")[0], 200, "any node takes back what waits")
    until(lambda: all(n.end_of(first) == "cancelled" for n in scene.nodes), "and all see it")
    same({i: n.end_of(i) for n in scene.nodes for i in rest}, {i: "waiting" for i in rest}, "the others wait")
    same(dict(arrived(scene)), {}, "nothing is sent")
    scene.nodes[1].admin_get("resume", nodes="all")
    all_told(scene, rest)
    scene.end()


@test
def order():
    """texts to one number keep their order though each goes to another node"""
    scene = Scene()
    for sequence in range(30):
        for number in NUMBERS[:4]:
            same(scene.nodes[sequence % 3].send("+" + number, f"s{sequence}").status, 202, "status")
    until(lambda: sum(map(len, arrived(scene).values())) >= 120, "all at the SMSC", 60, 0.1)
    for number in NUMBERS[:4]:
        same(arrived(scene)[number], [f"s{n}" for n in range(30)], number)
    scene.end()


@test
def leaves():
    """SIGTERM: the node hands over at once, the others do not wait for its lease; a new one gets its share"""
    scene = Scene(lease=60)
    ids = submitted(scene)
    gone = scene.nodes.pop()
    started = time.monotonic()
    same(gone.stop(), 0, "exit status")
    shares(scene.nodes, 15)
    check(time.monotonic() - started < 15, "before the lease of 60 s")
    ids.update(submitted(scene))
    all_told(scene, ids)
    until(lambda: sum(map(len, arrived(scene).values())) >= 2 * len(NUMBERS), "the record of all")
    same({n: len(t) for n, t in arrived(scene).items()}, {n: 2 for n in NUMBERS}, "each once: a clean stop doubles nothing")
    gone.start()
    scene.nodes.append(gone)
    shares(scene.nodes)
    scene.end()


@test
def dies():
    """SIGKILL: within the lease and two seconds the others have its partitions, and send what waits there"""
    scene = Scene("--delay", "300")
    ids = submitted(scene)
    dead = scene.nodes.pop(0)
    started = time.monotonic()
    dead.killed()
    until(lambda: all(n.unowned() == 0 and sum(p.partitions for p in n.peers().values()) == 256 and
                      dead.name not in n.peers() for n in scene.nodes), "the others own all", scene.lease + 4, 0.02)
    took = time.monotonic() - started
    check(took <= scene.lease + 2, f"the take-over took {took:.1f} s, the lease is {scene.lease} s")
    print(f"     taken over after {took:.1f} s of a lease of {scene.lease} s")
    all_told(scene, ids)
    came = arrived(scene)
    check(all(f"to {n}" in came[n] for n in ids.values()), "nothing is lost")
    dead.start()
    scene.nodes.append(dead)
    shares(scene.nodes)
    all_told(scene, submitted(scene, 6))
    scene.end()


@test
def refused():
    """a dead node's clients go to another; what it was sent by a node that is away is told by any"""
    scene = Scene(nodes=2)
    ids = submitted(scene, 20)
    scene.nodes[0].killed()
    more = scene.nodes[1].send("+" + NUMBERS[0], "after", **scene.report())
    same(more.status, 202, "the other one serves at once")
    ids[more.header("X-Kantele-Id")] = NUMBERS[0]
    all_told(scene, ids)
    until(lambda: all(scene.nodes[1].end_of(i) == "delivered" for i in ids), "and knows all")
    scene.end()


# --- the database at the start ---------------------------------------------------------------


def starting(scene, conninfo):
    """A node that is not up yet."""
    node = scene.node("late", conninfo=conninfo, start=False)
    node.start(ready=False)
    return node


def status_of(node):
    """Of a request to its doors; None: they are not there."""
    with contextlib.suppress(OSError):
        return harness.request(node.sendsms, "GET", "/").status


def ends_badly(scene, conninfo, *words, secret=None):
    """It says what is wrong, once, and ends."""
    node = starting(scene, conninfo)
    until(lambda: not node.running(), f"the end of a node that cannot work: {words}", 20)
    node.stop()
    text = "\n".join(node.lines)
    check(node.child.returncode == 1, f"exit status {node.child.returncode}: {text}")
    for word in words:
        check(word in text, f"`{word}' is not in: {text}")
        same(text.count(word), 1, f"`{word}' is told once: {text}")
    check(secret is None or secret not in text, "the password is told")
    node.remove()


@test
def away():
    """the database is away at the start: clear words, 503 meanwhile, SIGTERM at once, and it serves when it comes"""
    scene = Scene(nodes=0)
    where = scene.pg.conninfo(scene.database)
    scene.pg.primary.stop()
    node = starting(scene, where)
    node.line(r"error.*the store is away.*refused until it is there.*PostgreSQL")
    for port, path in ((node.sendsms, "/cgi-bin/sendsms?to=1"), (node.admin, "/status")):
        answer = harness.request(port, "GET", path)
        same((answer.status, answer.header("Retry-After")), (503, "5"), answer.text)
    node.signal(signal.SIGHUP)
    node.line("not read again before the store is there")
    started = time.monotonic()
    same(node.stop(), 0, "exit status")
    check(time.monotonic() - started < 1, "SIGTERM is answered at once")
    node.start(ready=False)
    node.line(r"the store is away")
    scene.pg.start()
    node.line(r"the store is there", 20)
    node.line(r"\bready\b")
    same(sum("the store is away" in line for line in node.lines if "starting" not in line), 1, "told once")
    scene.nodes = [node]
    node.online()
    all_told(scene, submitted(scene, 6))
    scene.end()


@test
def swallowed():
    """a network that swallows all: SIGTERM is answered at once all the same"""
    scene = Scene(nodes=0)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        nobody.listen(8)                # connections are made, and then nothing is said
        node = starting(scene, f"host=127.0.0.1 port={nobody.getsockname()[1]} dbname=x user=kantele")
        node.line(r" starts with ")
        until(lambda: status_of(node) == 503, "the doors are open")
        started = time.monotonic()
        same(node.stop(), 0, "exit status")
        check(time.monotonic() - started < 1, "at once")
        node.remove()
    scene.end()


@test
def wrong():
    """what does not mend itself ends the start, each with its own words: password, rights, database"""
    scene = Scene(nodes=0)
    ends_badly(scene, scene.pg.conninfo(scene.database, "secret", password="Wr0ng"),
               "password authentication failed", "has to be right", secret="Wr0ng")
    ends_badly(scene, scene.pg.conninfo(scene.database, "secret"), "no password supplied", "has to be right")
    ends_badly(scene, scene.pg.conninfo("postgres", "visitor"), "permission denied", "needs to own the schema")
    ends_badly(scene, scene.pg.conninfo("nowhere"), 'database "nowhere" does not exist', "create the database")
    ends_badly(scene, scene.pg.conninfo(scene.database, "nobody"), 'role "nobody" does not exist')
    ends_badly(scene, scene.pg.conninfo(scene.database, sslmode="maybe"), "invalid sslmode value", "has to be mended")
    scene.pg.psql(f"ALTER DATABASE {scene.database} OWNER TO secret")
    node = starting(scene, scene.pg.conninfo(scene.database, "secret", password=pgcluster.PASSWORD))
    node.line(r"\bready\b")
    check(pgcluster.PASSWORD not in "\n".join(node.lines), "a password that is right is not told either")
    same(node.stop(), 0, "exit status")
    scene.end()


@test
def standby():
    """a standby takes no writes: clear words, and it serves when the standby is promoted"""
    scene = Scene(nodes=0, standbys=1)
    behind = scene.pg.standbys[0]
    until(lambda: behind.psql(f"SELECT count(*) FROM pg_database WHERE datname = '{scene.database}'") == "1",
          "the database reaches the standby")
    for attrs in ("read-write", None):      # libpq finds it out, or the server does
        node = starting(scene, scene.pg.conninfo(scene.database, servers=[behind], target_session_attrs=attrs))
        node.line(r"the store is away.*takes no writes.*target_session_attrs=read-write")
        same(harness.request(node.sendsms, "GET", "/").status, 503, "meanwhile")
        same(node.stop(), 0, "exit status")
    node = starting(scene, scene.pg.conninfo(scene.database, servers=[behind]))
    node.line(r"takes no writes")
    dead = scene.pg.failover()
    scene.pg.rejoin(dead)               # commits need a standby
    node.line(r"\bready\b", 30)
    scene.nodes = [node]
    node.online()
    all_told(scene, submitted(scene, 6))
    scene.end()


@test
def newer():
    """a schema that is too new ends the start; one that lets older programs go on does not"""
    scene = Scene(nodes=1)
    version = int(scene.sql("SELECT version FROM kantele.meta"))
    node = scene.nodes[0]
    same(node.stop(), 0, "exit status")
    scene.sql(f"UPDATE kantele.meta SET version = {version + 1}, oldest = {version + 1}")
    ends_badly(scene, scene.pg.conninfo(scene.database), f"has version {version + 1}", "install a newer one")
    scene.sql(f"UPDATE kantele.meta SET version = {version + 1}, oldest = {version}")
    node.start()
    node.online()
    all_told(scene, submitted(scene, 6))
    scene.end()


@test
def together():
    """three nodes that start at once on an empty database agree on the schema, and get a number each"""
    scene = Scene(nodes=3, start=False)
    for node in scene.nodes:
        node.start(ready=False)
    for node in scene.nodes:
        node.line(r"\bready\b", 30)
    shares(scene.nodes)
    same(len({p.number for p in scene.nodes[0].peers().values()}), 3, "numbers")
    scene.end()


if __name__ == "__main__":
    main()
