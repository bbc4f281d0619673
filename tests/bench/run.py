#!/usr/bin/env python3
"""The same load against Debian's Kannel and against Kantele, over the same simulator, in one run.

    tests/bench/run.py [--quick] [--kantele PATH] [--bench-load PATH] [SCENARIO ...]

Prints one table: accepted/s, messages/s at the SMSC, CPU seconds per 10,000 messages, peak RSS, lost,
duplicated, and Kantele's ratios. Kannel runs at its best tuning, once with its memory queue (its default: no
store) and once with its file store; Kantele runs with full durability, every 202 fsynced. Neither writes lines
for each message into a log; with LOG=1 in the environment Kantele does, as it does by default.
Scenarios: sendsms, sendota, reports (sendsms with reports, two callbacks each), latency (200/s).
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

TOP = pathlib.Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
WINDOW = 1000

KANNEL = """
group = core
admin-port = {admin}
admin-password = bench
smsbox-port = {smsbox}
log-file = /dev/null
log-level = 4
smsbox-max-pending = 10000
sms-outgoing-queue-limit = 10000000
dlr-storage = internal
{store}

group = smsc
smsc = smpp
smsc-id = sim
host = 127.0.0.1
port = {smpp}
transceiver-mode = true
smsc-username = bench
smsc-password = bench
system-type = x
max-pending-submits = {window}

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
global-sender = 13013
log-file = /dev/null
log-level = 4
max-pending-requests = 1024

group = sms-service
keyword = default
text = none

group = sendsms-user
username = bench
password = bench
max-messages = 10
concatenation = true
"""

KANTELE = """
group = core
admin-port = {admin}
admin-password = bench
admin-interface = 127.0.0.1
store-location = {folder}
log-file = {folder}/kantele.log
log-level = 3
callback-allow-ip = 127.0.0.0/8
sms-outgoing-queue-limit = 10000000

group = smsc
smsc = smpp
smsc-id = sim
host = 127.0.0.1
port = {smpp}
transceiver-mode = true
smsc-username = bench
smsc-password = bench
system-type = x
max-pending-submits = {window}

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
global-sender = 13013
max-pending-requests = 1024

group = sendsms-user
username = bench
password = bench
max-messages = 10
concatenation = true
"""


def logged(config):
    return config.replace("log-level = 3", "log-level = 1") if os.environ.get("LOG") else config


def free_ports(count):
    socks = [socket.socket() for _ in range(count)]
    for s in socks:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in socks]
    for s in socks:
        s.close()
    return ports


def until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"bench: waited {seconds} s for {what}")
        time.sleep(0.02)


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mb(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


class Run:
    """One system under one load: everything it needs is started and stopped here."""

    def __init__(self, options, system):
        self.options, self.system = options, system
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kantele-bench-"))
        self.children, self.measured = [], []
        self.ports = dict(zip(("admin", "smsbox", "sendsms", "smpp", "sink"), free_ports(5)))

    def start(self, *arguments, measured=False, quiet=True):
        to = subprocess.DEVNULL if quiet else None
        child = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=to, stderr=to,
                                 cwd=self.folder)
        self.children.append(child)
        if measured:
            self.measured.append(child.pid)
        return child

    def begin(self, *simulate):
        self.count_file = self.folder / "count.json"
        self.simulator = self.start(self.options.kantele, "simulate", "-p", self.ports["smpp"], "--quiet",
                                    "--count-file", self.count_file, *simulate)
        until(lambda: listens(self.ports["smpp"]), "the simulator")
        self.sink = subprocess.Popen([str(self.options.bench_load), "-s", str(self.ports["sink"])],
                                     stdout=subprocess.PIPE, text=True)
        until(lambda: listens(self.ports["sink"]), "the callbacks' sink")
        config = self.folder / "bench.conf"
        if self.system == "kantele":
            config.write_text(logged(KANTELE).format(folder=self.folder, window=WINDOW, **self.ports))
            config.chmod(0o600)
            self.start(self.options.kantele, "serve", "-c", config, measured=True)
        else:
            store = f"store-type = file\nstore-location = {self.folder}/kannel.store" \
                if self.system == "kannel, file store" else ""
            config.write_text(KANNEL.format(store=store, window=WINDOW, **self.ports))
            self.start("/usr/sbin/bearerbox", "-v", "4", config, measured=True)
            until(lambda: listens(self.ports["smsbox"]), "bearerbox")
            self.start("/usr/sbin/smsbox", "-v", "4", config, measured=True)
        until(lambda: listens(self.ports["sendsms"]), self.system)
        until(lambda: self.counted().get("binds", 0) > 0, "the bind")

    def counted(self):
        self.simulator.send_signal(signal.SIGUSR1)
        try:
            return json.loads(self.count_file.read_text())
        except (OSError, ValueError):
            return {}

    def settle(self, wanted):
        """Waits until so many submit_sm came, or nothing more does for five seconds."""
        last, since = -1, time.monotonic()
        while True:
            got = self.counted().get("received", 0)
            if got != last:
                last, since = got, time.monotonic()
            if got >= wanted or time.monotonic() - since > 5:
                return got, since
            time.sleep(0.05)

    def callbacks_settle(self, wanted):
        """CPU of the system stands still: the callbacks are through."""
        last, since = -1.0, time.monotonic()
        while time.monotonic() - since < 1.5:
            now = sum(cpu_seconds(p) for p in self.measured)
            if now - last > 0.03:
                last, since = now, time.monotonic()
            time.sleep(0.1)
        return since

    def end(self):
        for child in reversed(self.children):
            child.terminate()
        for child in self.children:
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.sink.terminate()
        out = self.sink.communicate()[0]
        shutil.rmtree(self.folder, ignore_errors=True)
        found = re.search(r"requests=(\d+)", out or "")
        return int(found.group(1)) if found else 0

    def load(self, count, connections, query, rate=0, log=None):
        done = subprocess.run([str(self.options.bench_load), "-p", str(self.ports["sendsms"]), "-n", str(count),
                               "-c", str(connections), "-r", str(rate), *(["-o", str(log)] if log else []), query],
                              stdout=subprocess.PIPE, text=True)
        return {k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)", done.stdout)}


def queries(scenario, run):
    who = "username=bench&password=bench&to={to}"
    if scenario == "sendota":
        document = (TOP / "tests/data/bench-1k.xml").read_text()
        return "/cgi-bin/sendota?" + who + "&type=oma-settings&sec=userpin&pin=1234&text=" + \
            urllib.parse.quote(document)
    query = "/cgi-bin/sendsms?" + who + "&text=The+quick+brown+fox+jumps+over+the+lazy+dog"
    if scenario == "reports":
        url = f"http://127.0.0.1:{run.ports['sink']}/dlr?id=%I&event=%d"
        query += "&dlr-mask=31&dlr-url=" + urllib.parse.quote(url, safe="")
    return query


SEGMENTS = {"sendsms": 1, "sendota": 3, "reports": 1}


def measure(options, system, scenario, count):
    run = Run(options, system)
    run.begin("--detect-duplicates", *(["--receipts", "delay=0"] if scenario == "reports" else []))
    before = [cpu_seconds(p) for p in run.measured]
    began = time.monotonic()
    loaded = run.load(count, options.connections, queries(scenario, run))
    got, last = run.settle(int(loaded["ok"]) * SEGMENTS[scenario])
    ended = last
    if scenario == "reports":
        ended = run.callbacks_settle(count * 2)
    cpu = sum(cpu_seconds(p) - b for p, b in zip(run.measured, before))
    rss = sum(peak_mb(p) for p in run.measured)
    counts = run.counted()
    callbacks = run.end()
    wanted = int(loaded["ok"]) * SEGMENTS[scenario]
    duplicates = counts.get("duplicates", 0)
    return {"system": system, "scenario": scenario, "accepted": loaded["rate"],
            "sent": got / SEGMENTS[scenario] / max(ended - began, 0.001),
            "cpu": cpu * 10000 / count, "rss": rss, "lost": max(wanted - (got - duplicates), 0),
            "duplicates": duplicates, "callbacks": callbacks, "failed": int(loaded["failed"])}


def latency(options, system, count=2000, rate=200):
    """From the request's first octet to the SMSC, in milliseconds: p50, p99, most."""
    run = Run(options, system)
    record, log = run.folder / "record", run.folder / "load"
    run.begin("--record", str(record))
    loaded = run.load(count, 32, queries("sendsms", run), rate, log)
    run.settle(int(loaded["ok"]))
    run.simulator.terminate()
    run.simulator.wait(15)
    came = {}
    for line in record.read_text().splitlines():
        at, _, number = line.split()[:3]
        came.setdefault(number.lstrip("+"), int(at))
    delays = sorted(came[n] - int(sent) for n, sent, *_ in map(str.split, log.read_text().splitlines()) if n in came)
    run.end()
    return [delays[min(int(len(delays) * p), len(delays) - 1)] / 1000 for p in (0.5, 0.99, 1.0)]


def latency_table(options):
    print(f"\nlatency, request to SMSC at 200/s\n{'system':<20}{'p50 ms':>9}{'p99 ms':>9}{'most ms':>9}")
    for system in options.systems.split(";"):
        print(f"{system:<20}" + "".join(f"{ms:>9.2f}" for ms in latency(options, system)))


HEAD = f"{'system':<20}{'accepted/s':>11}{'at SMSC/s':>11}{'CPU s/10k':>11}{'RSS MB':>8}{'lost':>7}{'dupl.':>7}{'callbacks':>11}"


def table(scenario, rows):
    print(f"\n{scenario}\n{HEAD}")
    for r in rows:
        print(f"{r['system']:<20}{r['accepted']:>11.0f}{r['sent']:>11.0f}{r['cpu']:>11.2f}{r['rss']:>8.0f}"
              f"{r['lost']:>7}{r['duplicates']:>7}{r['callbacks']:>11}")
    ours = [r for r in rows if r["system"] == "kantele"]
    theirs = [r for r in rows if r["system"] == "kannel, memory"]
    if ours and theirs:
        o, t = ours[0], theirs[0]
        print(f"kantele / kannel, memory: rate x {o['sent'] / max(t['sent'], 1):.1f}, "
              f"CPU 1/{t['cpu'] / max(o['cpu'], 0.001):.1f}")
    sys.stdout.flush()


COUNTS = {"sendsms": 100000, "sendota": 20000, "reports": 20000}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("scenarios", nargs="*", default=[*COUNTS, "latency"])
    ap.add_argument("--kantele", default=TOP / "build/kantele")
    ap.add_argument("--bench-load", default=TOP / "build/bench-load")
    ap.add_argument("--connections", type=int, default=128)
    ap.add_argument("--quick", action="store_true", help="a tenth of the messages")
    ap.add_argument("--systems", default="kannel, memory;kannel, file store;kantele")
    options = ap.parse_args()
    options.kantele = pathlib.Path(options.kantele).resolve()
    options.bench_load = pathlib.Path(options.bench_load).resolve()
    for scenario in options.scenarios:
        if scenario == "latency":
            latency_table(options)
            continue
        rows = []
        for system in options.systems.split(";"):
            count = COUNTS[scenario] // (10 if options.quick else 1)
            if scenario == "sendota" and system.startswith("kannel"):
                count //= 4
            rows.append(measure(options, system, scenario, count))
        table(scenario, rows)


if __name__ == "__main__":
    main()
