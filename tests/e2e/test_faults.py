#!/usr/bin/env python3
"""Kill, freeze, fill and cut: nothing accepted is lost, order per MSISDN holds, duplicates are counted.

Every test sends numbered texts to a set of numbers and documents to others, makes trouble meanwhile, and
then lays what was accepted (202) beside what the SMSC recorded and what was called back.
"""
import collections
import os
import pathlib
import random
import re
import signal
import subprocess
import threading
import time

import harness
from harness import Callbacks, Kantele, Simulator, check, document, free_ports, same, smsc_group, test, until

SEED = int(os.environ.get("KANTELE_SEED", random.randrange(1 << 30)))
NUMBERS = [f"4479009{n:05d}" for n in range(40)]


class Load:
    """Threads that send until stopped. Each number belongs to one thread, so its order is known."""

    def __init__(self, daemon, callbacks=None, threads=6, pause=0.0, documents=True):
        self.daemon, self.callbacks, self.pause, self.documents = daemon, callbacks, pause, documents
        self.accepted = collections.defaultdict(list)   # number -> sequence numbers, in order
        self.papers = []                                # numbers that a document went to
        self.ids = {}                                   # push-id -> (number, sequence)
        self.refused = collections.Counter()
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(i, threads), daemon=True) for i in range(threads)]
        for t in self.threads:
            t.start()

    def _run(self, index, of):
        mine = NUMBERS[index::of]
        sequence = 0
        xml = document("w7.xml")
        while not self.stopped.is_set():
            sequence += 1
            number = mine[sequence % len(mine)]
            report = {}
            if self.callbacks:
                report = {"dlr-mask": 19, "dlr-url": self.callbacks.url("id=%I&event=%d")}
            try:
                if self.documents and sequence % 7 == 0:
                    number = f"4478{index:02d}{sequence:07d}"
                    answer = self.daemon.ota("+" + number, xml, sec="userpin", pin="1234", **report)
                else:
                    answer = self.daemon.send("+" + number, f"s{sequence}", **report)
            except OSError:
                self.refused["connection"] += 1
                self.stopped.wait(0.02)     # the daemon is down: poll it
                continue
            with self.lock:
                if answer.status == 202:
                    self.ids[answer.header("X-Kantele-Id")] = (number, sequence)
                    if number.startswith("4478"):
                        self.papers.append(number)
                    else:
                        self.accepted[number].append(sequence)
                else:
                    self.refused[answer.status] += 1
            if self.pause:
                self.stopped.wait(self.pause)

    def stop(self):
        self.stopped.set()
        for t in self.threads:
            t.join(30)


def recorded(folder):
    """number -> the texts and segments that the SMSC took, in order of arrival (a file for each of its lives)."""
    came = collections.defaultdict(list)
    for path in sorted(pathlib.Path(folder).glob("record.*")):
        for line in path.read_text().rpartition("\n")[0].splitlines():     # the last one may be half written
            parts = line.split()
            if len(parts) >= 4:
                came[parts[2].lstrip("+")].append(bytes.fromhex(parts[3]))
    return came


def sequences(texts):
    return [int(t[1:]) for t in texts if re.fullmatch(rb"s\d+", t)]


def verdict(load, folder, label):
    """Lost, order, duplicates; returns the number of duplicates."""
    came = recorded(folder)
    lost = [(n, s) for n, sent in load.accepted.items() for s in sent if s not in set(sequences(came[n]))]
    check(not lost, f"{label}: {len(lost)} accepted texts are lost: {lost[:5]}")
    duplicates = 0
    for number, sent in load.accepted.items():
        got = sequences(came[number])
        first = list(dict.fromkeys(got))
        duplicates += len(got) - len(first)
        ours = [s for s in first if s in set(sent)]
        same(ours, sorted(ours), f"{label}: order at {number}")
    for number in load.papers:
        check(whole(came[number]), f"{label}: document to {number} is not whole: {[t[:12].hex() for t in came[number]]}")
    return duplicates


def whole(segments):
    """All segments of a document are there."""
    numbers = {t[t[0]] for t in segments if len(t) > 12}    # last octet of the header: the segment's number
    totals = {t[t[0] - 1] for t in segments if len(t) > 12}
    return bool(totals) and len(numbers) == max(totals)


def settled(load, folder):
    def there():
        came = recorded(folder)
        return all(s in set(sequences(came[n])) for n, sent in load.accepted.items() for s in sent) and \
            all(whole(came[n]) for n in load.papers)
    return there


def accepted_count(load):
    return sum(map(len, load.accepted.values())) + len(load.papers)


class Scene:
    def __init__(self, *simulate, callbacks=False, more="wait-ack = 2", core="", **load):
        self.port = free_ports(1)[0]
        self.callbacks = Callbacks() if callbacks else None
        self.folder = pathlib.Path(harness.tempfile.mkdtemp(prefix="kantele-faults-"))
        self.lives = 0
        self.simulate = ["--quiet", *(["--receipts", "delay=30"] if callbacks else []), *simulate]
        self.start_simulator()
        self.daemon = Kantele(smsc=smsc_group(self.port, more=more), core=core)
        self.daemon.online()
        self.load = Load(self.daemon, self.callbacks, **load)

    def start_simulator(self):
        self.lives += 1
        self.simulator = Simulator(*self.simulate, "--record", str(self.folder / f"record.{self.lives:03d}"),
                                   port=self.port)

    def traffic(self, count):
        """Waits for so many more accepted messages."""
        before = accepted_count(self.load)
        until(lambda: accepted_count(self.load) >= before + count, f"{count} more accepted messages", 60, 0.05)

    def end(self, label, seconds=90):
        self.load.stop()
        until(settled(self.load, self.folder), f"{label}: every accepted message at the SMSC", seconds, 0.2)
        duplicates = verdict(self.load, self.folder, label)
        if self.callbacks:
            finals = {"1", "2", "16", "34"}

            def reported():
                seen = {q["id"][0] for q in self.callbacks.good() if q.get("event", ["0"])[0] in finals}
                return set(self.load.ids) <= seen
            until(reported, f"{label}: a final report for each of {len(self.load.ids)}", seconds, 0.2)
        self.daemon.stop()
        self.simulator.stop()
        if self.callbacks:
            self.callbacks.close()
        self.daemon.remove()
        print(f"     {label}: {accepted_count(self.load)} accepted, {duplicates} duplicates, "
              f"refused {dict(self.load.refused)}")
        return duplicates


@test
def killed():
    """SIGKILL at 50 random instants under load: nothing lost, order kept, every final report called back"""
    print(f"     KANTELE_SEED={SEED}")
    chance = random.Random(SEED)
    scene = Scene(callbacks=True)
    recovered = 0
    for _ in range(50):
        time.sleep(chance.uniform(0.02, 0.4))       # the random instant is the test
        scene.daemon.kill()
        scene.daemon.start()
        for line in scene.daemon.lines:
            found = re.search(r"recovered (\d+) message", line)
            recovered += int(found.group(1)) if found else 0
    duplicates = scene.end("killed", 120)
    # A message in flight at one kill may be doubled there, and once more at the next.
    check(duplicates <= recovered + 50, f"{duplicates} duplicates, but only {recovered} were in flight")
    check(duplicates <= 50 * (50 + 256), "duplicates are bounded by window + 256 a kill")


@test
def flapping():
    """the SMSC comes and goes ten times: nothing lost, order kept"""
    scene = Scene(pause=0.01)
    for _ in range(10):
        scene.traffic(20)
        scene.simulator.stop()
        until(lambda: "(online" not in scene.daemon.admin_get("status.txt").text, "the link is down", 10, 0.02)
        scene.traffic(5)
        scene.start_simulator()
        scene.daemon.online()
    scene.end("flapping")


@test
def throttled():
    """30 % of all submits are throttled: nothing lost, order kept, no duplicates"""
    scene = Scene("--refuse", "30:0x58", pause=0.02, documents=True, threads=4)
    scene.traffic(150)
    scene.load.stop()
    same(scene.end("throttled", 300), 0, "duplicates")


@test
def silent():
    """every 40th submit is never answered: resent after wait-ack, order kept"""
    scene = Scene("--silent", "every 40", pause=0.01)
    scene.traffic(400)
    scene.end("silent", 120)


@test
def cut():
    """the line is cut after every 50 submits: outcome unknown is settled, order kept"""
    scene = Scene("--drop-after", "50", pause=0.01, more="wait-ack = 2\n")
    scene.traffic(400)
    scene.end("cut", 180)


@test
def full():
    """the disk is full, then free again: 503 with Retry-After, links stay up, nothing lost, service resumes"""
    if os.geteuid() != 0:
        raise harness.Failed("needs root for a small file system of its own")
    folder = pathlib.Path(harness.tempfile.mkdtemp(prefix="kantele-full-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], check=True)
    try:
        scene = Scene(pause=0.01, core="")
        scene.load.stop()
        scene.daemon.stop()
        scene.daemon.parts["core"] = ""
        text = scene.daemon.file.read_text().replace(f"store-location = {scene.daemon.folder}", f"store-location = {folder}")
        scene.daemon.file.write_text(text)
        scene.daemon.start()
        scene.daemon.online()
        first = scene.load
        scene.load = Load(scene.daemon, pause=0.005)
        scene.load.accepted.update(first.accepted)
        scene.load.papers += first.papers
        until(lambda: accepted_count(scene.load) > accepted_count(first) + 50, "traffic", 20)
        ballast = folder / "ballast"
        with open(ballast, "wb", buffering=0) as out:    # take all the room there is
            try:
                while True:
                    out.write(b"x" * 65536)
                    out.flush()
            except OSError:
                pass
        until(lambda: scene.load.refused[503] > 5, "submissions are refused with 503", 60)
        answer = scene.daemon.send("+447900900001", "x")
        if answer.status == 503:
            check(answer.header("Retry-After"), "503 has Retry-After")
        scene.daemon.online()
        ballast.unlink()
        refused = scene.load.refused[503]
        before = accepted_count(scene.load)
        until(lambda: accepted_count(scene.load) > before + 50, f"service resumes ({refused} were refused)", 30)
        scene.end("full")
    finally:
        subprocess.run(["umount", "-l", folder], check=False)
        folder.rmdir()


@test
def frozen():
    """SIGSTOP for a while, then SIGCONT: the daemon goes on, nothing lost"""
    scene = Scene(pause=0.005)
    for _ in range(3):
        scene.traffic(50)
        scene.daemon.signal(signal.SIGSTOP)
        time.sleep(3)       # longer than wait-ack: the freeze is the test
        scene.daemon.signal(signal.SIGCONT)
    scene.end("frozen", 120)


if __name__ == "__main__":
    harness.main()
