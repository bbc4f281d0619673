"""Several nodes on one PostgreSQL: what test_nodes and test_nodes_faults need beside the harness.

A Scene is a PostgreSQL of its own (with standbys, if wanted) and a fresh database, one simulator, one receiver
of callbacks and N nodes: daemons on this host with ports of their own, the same smsc-id, the same account at
the SMSC. Every node reaches PostgreSQL through wires of its own (tests/tools/tcpproxy.py) where they may be cut.
"""
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

import harness
from harness import Callbacks, Kantele, Process, Simulator, check, free_ports, request, smsc_group, until

sys.path.insert(0, str(harness.SOURCE / "tests/tools"))
import pgcluster                                                                    # noqa: E402

PARTITIONS = 256
LEASE = 3                   # seconds, in these tests
WINDOW = 20
API = "/api/v1/messages"

STORE = """
group = store
engine = postgresql
conninfo = "{conninfo}"
node-name = {name}
lease-time = {lease}
"""


def store_group(conninfo, name="node", lease=LEASE):
    return STORE.format(conninfo=conninfo, name=name, lease=lease)


class Wires(Process):
    """Between one node and the servers of PostgreSQL: go, stall, cut."""

    def __init__(self, ports, name):
        super().__init__([sys.executable, str(harness.SOURCE / "tests/tools/tcpproxy.py"), *map(str, ports)],
                         f"wires of {name}", stdin=subprocess.PIPE)
        self.ports = [int(p) for p in self.line(r"^\d+( \d+)*$").group(0).split()]

    def set(self, mode):
        said = self.out.count(mode)
        self.child.stdin.write(mode.encode() + b"\n")
        self.child.stdin.flush()
        until(lambda: self.out.count(mode) > said, f"{self.name}: {mode}")


class Peer:
    """A node as another one's status shows it."""

    def __init__(self, element):
        text = {c.tag: c.text or "" for c in element if c.tag != "smsc"}
        self.number, self.name, self.state, self.mode = int(text["number"]), text["name"], text["state"], text["mode"]
        self.partitions, self.seen_ms = int(text["partitions"]), int(text["seen-ms"])
        self.waiting, self.sent = int(text["waiting"]), int(text["sent"])
        self.links = {s.findtext("name"): s.findtext("status") for s in element.findall("smsc")}

    def __repr__(self):
        return f"{self.name}#{self.number} {self.state} {self.partitions} partitions"


class Node(Kantele):
    """A daemon that shares its store with others."""

    def __init__(self, name, conninfo, smsc_port, lease=LEASE, window=WINDOW, wires=None, more="wait-ack = 2", **parts):
        self.name, self.wires = name, wires
        super().__init__(smsc=smsc_group(smsc_port, window=window, more=more),
                         store=store_group(conninfo, name, lease), **parts)

    def start(self, ready=True):
        name, self.history = self.name, getattr(self, "history", []) + getattr(self, "lines", [])
        super().start(ready)
        self.name = name

    def xml(self):
        return ET.fromstring(self.admin_get("status.xml").text)

    def peers(self, dead=False):
        """All nodes in this one's view, by name (a name may come twice: those that are dead are left out)."""
        found = [Peer(e) for e in self.xml().findall("nodes/node")]
        return {p.name: p for p in found if dead or p.state != "dead"}

    def unowned(self):
        return int(self.xml().findtext("nodes/unowned", str(PARTITIONS)))

    def ask(self, path, method="GET"):
        """Of the senders' interface: status and JSON."""
        who = "Basic " + base64.b64encode(b"tester:foobar").decode()
        answer = request(self.sendsms, method, API + path, headers={"Authorization": who})
        return answer.status, json.loads(answer.text)

    def end_of(self, push_id):
        """The outcome once it is finished, else its state."""
        status, said = self.ask("/" + push_id)
        return said.get("outcome", said.get("state")) if status == 200 else f"status {status}"

    def ended(self, seconds=30):
        """Waits for its end, which somebody else has caused; the exit status."""
        until(lambda: not self.running(), f"{self.name} to end", seconds)
        for r in self.readers:
            r.join(2)
        self.no_reports()
        return self.child.returncode

    def killed(self):
        self.kill()
        self.no_reports()


def shares(nodes, seconds=20):
    """Waits until the nodes that are given, and no others, share all partitions fairly, in each one's view."""
    names = sorted(n.name for n in nodes)

    def fair():
        for node in nodes:
            peers = node.peers()
            counts = [p.partitions for p in peers.values()]
            if sorted(peers) != names or sum(counts) != PARTITIONS or max(counts) - min(counts) > 1:
                return False
        return True

    try:
        until(fair, f"{', '.join(names)} to share all partitions", seconds, 0.05)
    except harness.Failed as e:
        raise harness.Failed(f"{e}; views: {[list(n.peers(dead=True).values()) for n in nodes]}") from e


class Scene:
    """Everything, running: PostgreSQL, simulator, callbacks, nodes that share the partitions."""

    def __init__(self, *simulate, nodes=3, standbys=0, lease=LEASE, wires=False, start=True, answer=None, **parts):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kantele-nodes-"))
        self.pg = pgcluster.Cluster(standbys)
        self.database = self.pg.createdb()
        self.lease, self.parts = lease, parts
        self.simulate = ["--quiet", "--receipts", "delay=20", "--record", str(self.folder / "record.001"), *simulate]
        self.smsc = free_ports(1)[0]
        self.simulator = Simulator(*self.simulate, port=self.smsc, binary=os.environ.get("KANTELE_PLAIN"))
        self.callbacks = Callbacks(answer) if answer else Callbacks()
        self.nodes = [self.node(f"node{n}", wires, start=start) for n in range(1, nodes + 1)]
        if start:
            for node in self.nodes:
                node.online()
            shares(self.nodes)

    def node(self, name, wires=False, conninfo=None, **more):
        """One more (not in self.nodes)."""
        line = Wires([s.port for s in self.pg.servers], name) if wires else None
        conninfo = conninfo or self.pg.conninfo(self.database, ports=line and line.ports)
        return Node(name, conninfo, self.smsc, lease=self.lease, wires=line, **{**self.parts, **more})

    def report(self, mask=31):
        return {"dlr-mask": mask, "dlr-url": self.callbacks.url("id=%I&event=%d")}

    def events(self, push_id):
        return [q["event"][0] for q in self.callbacks.good() if q["id"][0] == push_id]

    def sql(self, text):
        return self.pg.psql(text, self.database)

    def save(self):
        """What is known after a failure: logs, and the small tables. Returns the folder."""
        for node in self.nodes:
            (self.folder / f"{node.name}.log").write_text("\n".join(node.history + node.lines) + "\n")
            if node.wires is not None:
                (self.folder / f"{node.name}.wires").write_text("\n".join(node.wires.out + node.wires.lines) + "\n")
        for table in ("node", "fence", "part", "queue", "state", "inbox", "send"):
            try:
                rows = self.sql(f"SELECT * FROM kantele.{table} ORDER BY 1 LIMIT 20000")
            except pgcluster.PgError as e:
                rows = str(e)
            (self.folder / f"{table}.txt").write_text(rows + "\n")
        return self.folder

    def end(self):
        """A clean stop of everything; says what it had to say against it."""
        complaints = []
        for node in self.nodes:
            if node.running():
                status = node.stop(30)
                if status != 0:
                    complaints.append(f"{node.name} ended with {status}")
        self.simulator.stop()
        self.callbacks.close()
        for node in self.nodes:
            if node.wires is not None:
                node.wires.kill()
        self.pg.stop()
        for node in self.nodes:
            node.remove()
        check(not complaints, "; ".join(complaints))
