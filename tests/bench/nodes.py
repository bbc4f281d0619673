#!/usr/bin/env python3
"""Kantele on PostgreSQL: one, two, three nodes under one load, and one node on SQLite beside them.

    tests/bench/nodes.py [--quick] [--kantele PATH] [--bench-load PATH] [--nodes 1,2,3] [SCENARIO ...]

Everything runs on this machine: nodes, PostgreSQL (fsync on, no standby), simulator, loaders, the callbacks'
sink. Each message goes its whole life: accepted, sent, delivered, notified. Scenarios:
reports (sendsms with dlr-mask=3: one callback each), sendsms (accepted and sent).
Prints rates and CPU seconds per 10,000 messages of each kind of process.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

import run as bench

sys.path.insert(0, str(bench.TOP / "tests/tools"))
import pgcluster  # noqa: E402

STORE = """
group = store
engine = postgresql
conninfo = "{conninfo}"
"""


class Nodes(bench.Run):
    """Several nodes and one simulator; the bind count tells when all are there."""

    def __init__(self, options, count, cluster):
        super().__init__(options, "kantele")
        self.count, self.cluster, self.over = count, cluster, None
        self.doors = [dict(self.ports, **dict(zip(("admin", "sendsms"), bench.free_ports(2)))) for _ in range(count)]

    def begin(self, *simulate):
        self.count_file = self.folder / "count.json"
        self.simulator = self.start(self.options.kantele, "simulate", "-p", self.ports["smpp"], "--quiet",
                                    "--count-file", self.count_file, *simulate)
        bench.until(lambda: bench.listens(self.ports["smpp"]), "the simulator")
        self.sink = subprocess.Popen([str(self.options.bench_load), "-s", str(self.ports["sink"])],
                                     stdout=subprocess.PIPE, text=True)
        conninfo = self.cluster.conninfo(self.cluster.createdb()) if self.cluster else None
        for i, ports in enumerate(self.doors):
            folder = self.folder / str(i)
            folder.mkdir()
            config = folder / "bench.conf"
            config.write_text(bench.logged(bench.KANTELE).format(folder=folder, window=bench.WINDOW, **ports)
                              + (STORE.format(conninfo=conninfo) if conninfo else ""))
            config.chmod(0o600)
            self.start(self.options.kantele, "serve", "-c", config, measured=True)
        for ports in self.doors:
            bench.until(lambda: bench.listens(ports["sendsms"]), "a node")
        bench.until(lambda: self.counted().get("binds", 0) >= self.count, "the binds")
        bench.until(self.shared, "all partitions to have owners")

    def shared(self):
        """Each node has a share, and together they own all (a SQLite node says nothing of that)."""
        if self.cluster is None:
            return True
        url = f"http://127.0.0.1:{self.doors[0]['admin']}/status?password=bench"
        with urllib.request.urlopen(url) as answer:
            shares = [int(n) for n in re.findall(r"alive, .*?(\d+) partitions", answer.read().decode())]
        return len(shares) == self.count and sum(shares) == 256 and min(shares) > 0

    def end(self):
        if self.over is None:
            self.over = super().end()
        return self.over

    def database_cpu(self):
        """Of all processes of the server, with those that are over."""
        if self.cluster is None:
            return 0.0
        main = self.cluster.primary.pid
        total = 0.0
        for pid in [main, *pgcluster.children_of(main)]:
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            total += sum(map(int, fields[11:15 if pid == main else 13])) / bench.TICKS
        return total

    def load_all(self, count, query):
        each = count // self.count
        loaders = [subprocess.Popen([str(self.options.bench_load), "-p", str(ports["sendsms"]), "-n", str(each), "-c",
                                     str(max(self.options.connections // self.count, 16)), "-f",
                                     str(358400000000 + i * 10000000), query], stdout=subprocess.PIPE, text=True)
                   for i, ports in enumerate(self.doors)]
        outs = [p.communicate()[0] for p in loaders]
        found = [dict(pair.split("=") for pair in out.split()) for out in outs]
        return sum(int(f["ok"]) for f in found), sum(int(f["failed"]) for f in found)


def query_of(scenario, run):
    query = "/cgi-bin/sendsms?username=bench&password=bench&to={to}&text=The+quick+brown+fox+jumps+over+the+lazy+dog"
    if scenario == "reports":
        query += "&dlr-mask=3&dlr-url=" + bench.urllib.parse.quote(
            f"http://127.0.0.1:{run.ports['sink']}/dlr?id=%I&event=%d", safe="")
    return query


def measure(options, scenario, nodes, cluster, count):
    run = Nodes(options, nodes, cluster)
    try:
        return measured(options, scenario, run, count)
    finally:
        run.end()


def measured(options, scenario, run, count):
    run.begin("--detect-duplicates", *(["--receipts", "delay=0"] if scenario == "reports" else []))
    pids = {"simulator": run.simulator.pid, "sink": run.sink.pid}
    before = {k: bench.cpu_seconds(p) for k, p in pids.items()}
    each = [bench.cpu_seconds(p) for p in run.measured]
    database = run.database_cpu()
    began = time.monotonic()
    ok, failed = run.load_all(count, query_of(scenario, run))
    loaded = time.monotonic()
    got, ended = run.settle(ok)
    if scenario == "reports":
        ended = run.callbacks_settle(count)
    cpu = {k: bench.cpu_seconds(p) - before[k] for k, p in pids.items()}
    cpu["nodes"] = sum(bench.cpu_seconds(p) - b for p, b in zip(run.measured, each))
    cpu["database"] = run.database_cpu() - database
    rss = max(bench.peak_mb(p) for p in run.measured)
    duplicates = run.counted().get("duplicates", 0)
    callbacks = run.end()
    return {"accepted": ok / (loaded - began), "whole": ok / max(ended - began, 0.001), "rss": rss, "failed": failed,
            "lost": ok - (got - duplicates), "duplicates": duplicates, "callbacks": callbacks,
            **{k: v * 10000 / count for k, v in cpu.items()}}


HEAD = (f"{'':<22}{'accepted/s':>11}{'whole/s':>9}{'nodes':>8}{'database':>10}{'simulator':>11}{'sink':>7}"
        f"{'MB a node':>11}{'lost':>6}{'dupl.':>7}{'callbacks':>11}")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("scenarios", nargs="*", default=["reports", "sendsms"])
    ap.add_argument("--kantele", default=bench.TOP / "build/kantele")
    ap.add_argument("--bench-load", default=bench.TOP / "build/bench-load")
    ap.add_argument("--connections", type=int, default=192)
    ap.add_argument("--count", type=int, default=30000)
    ap.add_argument("--nodes", default="0,1,2,3", help="0: one node on SQLite")
    ap.add_argument("--quick", action="store_true", help="a tenth of the messages")
    options = ap.parse_args()
    options.kantele = pathlib.Path(options.kantele).resolve()
    options.bench_load = pathlib.Path(options.bench_load).resolve()
    count = options.count // (10 if options.quick else 1)
    for scenario in options.scenarios:
        print(f"\n{scenario}: CPU seconds per 10,000 messages by process\n{HEAD}", flush=True)
        for nodes in map(int, options.nodes.split(",")):
            cluster = pgcluster.Cluster(fsync=True) if nodes else None
            r = measure(options, scenario, max(nodes, 1), cluster, count)
            if cluster:
                cluster.stop()
            name = f"{nodes} on PostgreSQL" if nodes else "1 on SQLite"
            print(f"{name:<22}{r['accepted']:>11.0f}{r['whole']:>9.0f}{r['nodes']:>8.2f}{r['database']:>10.2f}"
                  f"{r['simulator']:>11.2f}{r['sink']:>7.2f}{r['rss']:>11.0f}{r['lost']:>6}{r['duplicates']:>7}"
                  f"{r['callbacks']:>11}", flush=True)


if __name__ == "__main__":
    main()
