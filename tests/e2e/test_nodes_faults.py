#!/usr/bin/env python3
"""Three nodes, a primary with two standbys, and 30 random events under load: nothing accepted is lost, order per
MSISDN holds, what arrives twice was in flight at an event, and all nodes agree in the end.

KANTELE_SEED repeats the events of a run. (Not its instants: those are the machine's.)
"""
import collections
import os
import random
import re
import signal
import threading
import time

from harness import check, main, same, test, until
from nodes import LEASE, WINDOW, Scene, shares

SEED = int(os.environ.get("KANTELE_SEED", random.randrange(1 << 30)))
THREADS, PAUSE = 9, 0.02
NUMBERS = [f"4479011{n:05d}" for n in range(90)]
FINAL = {"1", "2", "16", "34"}


class Load:
    """Threads that send numbered texts to any node until stopped. Each number belongs to one thread, which sends
    the next text when the former was answered; 503 and a closed door are tried again, at another node. What got no
    answer at all may be in or not: it is skipped, and counts for nothing."""

    def __init__(self, scene):
        self.scene = scene
        self.accepted = collections.defaultdict(list)   # number -> sequence numbers, in order
        self.ids = {}                                   # push-id -> number
        self.refused = collections.Counter()
        self.shunned = set()                            # nodes that clients have noticed to be away
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(i,), daemon=True) for i in range(THREADS)]
        for t in self.threads:
            t.start()

    def _node(self, chance):
        there = [n for n in self.scene.nodes if n not in self.shunned]
        return chance.choice(there or self.scene.nodes)

    def _run(self, index):
        mine, chance, sequence = NUMBERS[index::THREADS], random.Random(SEED + index), 0
        while not self.stopped.is_set():
            sequence += 1
            self._one(mine[sequence % len(mine)], sequence, chance)
            self.stopped.wait(PAUSE)

    def _one(self, number, sequence, chance):
        while not self.stopped.is_set():
            try:
                answer = self._node(chance).send("+" + number, f"s{sequence}", timeout=60, **self.scene.report(19))
            except ConnectionRefusedError:
                self.refused["closed"] += 1
                self.stopped.wait(0.05)
                continue
            except OSError:
                self.refused["no answer"] += 1
                return
            if answer.status == 503:
                self.refused[503 if answer.header("Retry-After") else "503 without Retry-After"] += 1
                self.stopped.wait(0.2)
                continue
            with self.lock:
                if answer.status == 202:
                    self.accepted[number].append(sequence)
                    self.ids[answer.header("X-Kantele-Id")] = number
                else:
                    self.refused[f"{answer.status} {answer.text[:60]}"] += 1
            return

    def count(self):
        return len(self.ids)

    def more(self, count, seconds=40):
        before = self.count()
        until(lambda: self.count() >= before + count, f"{count} more accepted messages; refused {dict(self.refused)}",
              seconds, 0.05)

    def stop(self):
        self.stopped.set()
        for t in self.threads:
            t.join(70)
            check(not t.is_alive(), "a client still waits for its answer")


Copy = collections.namedtuple("Copy", "first again number sequence")


class Record:
    """What the SMSC took: (time, number, sequence), in order."""

    def __init__(self, scene):
        self.rows = []
        for line in (scene.folder / "record.001").read_text().rpartition("\n")[0].splitlines():
            parts = line.split()
            text = bytes.fromhex(parts[3]) if parts[3] != "-" else b""
            if re.fullmatch(rb"s\d+", text):
                self.rows.append((int(parts[0]) / 1e6, parts[2].lstrip("+"), int(text[1:])))

    def lost(self, load):
        there = {(number, sequence) for _, number, sequence in self.rows}
        return [(n, s) for n, sent in load.accepted.items() for s in sent if (n, s) not in there]

    def first_occurrences(self):
        """number -> sequence numbers, each once."""
        found = collections.defaultdict(dict)
        for _, number, sequence in self.rows:
            found[number].setdefault(sequence)
        return {number: list(sequences) for number, sequences in found.items()}

    def when(self, number, sequence):
        return time.strftime("%H:%M:%S", time.gmtime(next(t for t, n, s in self.rows if (n, s) == (number, sequence))))

    def doubled(self):
        """A row for each copy beyond the first, in the order in which those first ones came."""
        first, copies = {}, []
        for at, number, sequence in self.rows:
            if (number, sequence) in first:
                copies.append(Copy(first[number, sequence], at, number, sequence))
            else:
                first[number, sequence] = at
        return sorted(copies)


class Events:
    """Each is a method; what it did is noted with its time, and how many windows it struck: of nodes that died, or
    whose lease may have been over. (When the database alone is away, the links stay up and nothing is doubled.)"""

    # how often each comes among 30
    DECK = ["kill"] * 8 + ["freeze"] * 5 + ["failover"] * 5 + ["cut"] * 5 + ["stall"] * 4 + ["restart_all"] * 3

    def __init__(self, scene, load, chance):
        self.scene, self.load, self.chance = scene, load, chance
        self.log = []           # (begin, end, what, windows struck)
        deck = list(self.DECK)
        chance.shuffle(deck)
        self.deck = deck

    def run(self):
        for number, what in enumerate(self.deck, 1):
            self.load.more(150)
            began, clock = time.time(), time.monotonic()
            struck, words = getattr(self, what)()
            self.log.append((began, time.time(), what, struck))
            print(f"     {number:2d} {words}, {time.monotonic() - clock:.1f} s, {self.load.count()} accepted", flush=True)
            for node in self.scene.nodes:
                check(node.running(), f"{node.name} ended by itself:\n" + "\n".join(node.lines[-20:]))

    def pause(self, least, most):
        """A random instant, or the length of a fault: the test itself."""
        time.sleep(self.chance.uniform(least, most))

    def any(self):
        return self.chance.choice(self.scene.nodes)

    def kill(self):
        node = self.any()
        self.pause(0, 0.3)
        self.load.shunned.add(node)
        node.killed()
        self.pause(0, 2 * LEASE - 1)            # back before the others took over, or afterwards
        node.start()
        self.load.shunned.discard(node)
        return 1, f"{node.name} killed and started again"

    def freeze(self):
        node = self.any()
        self.pause(0, 0.3)
        self.load.shunned.add(node)
        node.signal(signal.SIGSTOP)
        time.sleep(2 * LEASE)
        node.signal(signal.SIGCONT)
        self.load.shunned.discard(node)
        return 1, f"{node.name} frozen for twice the lease"

    def failover(self):
        self.pause(0, 0.3)
        began = time.monotonic()
        dead = self.scene.pg.kill_primary()
        self.pause(0, LEASE)                    # until somebody, or Patroni, has noticed
        chosen = self.scene.pg.promote()
        self.load.more(20)
        long = time.monotonic() - began > LEASE - 1
        self.scene.pg.rejoin(dead)
        self.scene.pg.await_standbys()
        return len(self.scene.nodes) if long else 0, f"{dead} killed, {chosen} promoted"

    def wires(self, how):
        node = self.any()
        self.pause(0, 0.3)
        node.wires.set(how)
        began = time.monotonic()
        self.pause(0.5, 2 * LEASE)
        if how == "stall" and self.chance.random() < 0.5:
            node.wires.set("cut")               # what was on its way never comes
        node.wires.set("go")
        long = time.monotonic() - began > LEASE - 1     # else it kept its lease
        return int(long), f"{node.name} without its database ({how})"

    def cut(self):
        return self.wires("cut")

    def stall(self):
        return self.wires("stall")

    def restart_all(self):
        gently = self.chance.random() < 0.3
        nodes = self.chance.sample(self.scene.nodes, len(self.scene.nodes))
        for node in nodes:
            node.signal(signal.SIGTERM if gently else signal.SIGKILL)
        for node in nodes:
            same(node.ended(), 0 if gently else -signal.SIGKILL, f"exit status of {node.name}")
            node.start(ready=False)
        for node in nodes:
            node.line(r"\bready\b", 30)
        return 0 if gently else len(nodes), f"all nodes {'stopped' if gently else 'killed'} and started again"


def blamed(doubled, events):
    """event's index -> copies of what was first sent around it; index -1: around none. Where several are near, the
    one that is over first of those that may have doubled one more."""
    found = collections.defaultdict(list)
    for copy in doubled:
        near = [i for i, (begin, end, _, _) in enumerate(events) if begin - 1 <= copy.first <= end + LEASE]
        room = [i for i in near if len(found[i]) < events[i][3] * WINDOW]
        found[(room or near or [-1])[0]].append(copy)
    return {i: copies for i, copies in sorted(found.items()) if copies}


def verdict(scene, load, events):
    record, complaints = Record(scene), []
    lost = record.lost(load)
    if lost:
        complaints.append(f"{len(lost)} of {load.count()} accepted messages are lost: {lost[:5]}")
    first = record.first_occurrences()
    for number, sent in load.accepted.items():
        sent = set(sent)
        ours = [s for s in first.get(number, []) if s in sent]
        wrong = [(a, b) for a, b in zip(ours, ours[1:]) if a > b]
        if wrong:
            complaints.append(f"order at {number}: {wrong[:3]}, at " +
                              ", ".join(record.when(number, s) for s in wrong[0]))
    doubled = record.doubled()
    for i, copies in blamed(doubled, events).items():
        begin, _, what, windows = events[i] if i >= 0 else (0, 0, "none", 0)
        print(f"     {len(copies)} arrived twice around event {i + 1}: {what}")
        if len(copies) > windows * WINDOW:
            complaints.append(f"{len(copies)} arrived twice around event {i + 1}, {what}: at most {windows * WINDOW} "
                              "were in flight; seconds after its begin, first and again: " +
                              ", ".join(f"{c.first - begin:.2f} {c.again - begin:.2f}" for c in copies))
    check(not complaints, "\n     ".join(complaints[:12]))
    return len(doubled)


def views(scene, load):
    """number -> its messages, the same in every node's view; all of them finished."""
    unfinished = []
    for number in NUMBERS:
        seen = [n.ask(f"?to=%2B{number}&limit=1000")[1]["messages"] for n in scene.nodes]
        check(all(v == seen[0] for v in seen), f"the nodes tell different things of {number}")
        unfinished += [m["id"] for m in seen[0] if m["state"] != "finished"]
        mine = {i for i, n in load.ids.items() if n == number}
        missing = mine - {m["id"] for m in seen[0]}
        check(not missing, f"{len(missing)} messages to {number} are not known: {sorted(missing)[:3]}")
        odd = {m["outcome"] for m in seen[0] if m["state"] == "finished"} - {"delivered"}
        check(not odd, f"messages to {number} ended as {odd}")
    return unfinished


def faults(scene, load, events):
    events.run()
    load.more(40)
    shares(scene.nodes, 30)
    load.stop()
    print(f"     {load.count()} accepted, refused {dict(load.refused)}")
    same(set(load.refused) - {503, "closed", "no answer"}, set(), "other answers")
    until(lambda: not Record(scene).lost(load), "every accepted message at the SMSC", 60, 0.5)

    def reported():
        return set(load.ids) <= {q["id"][0] for q in scene.callbacks.good() if q.get("event", ["0"])[0] in FINAL}
    until(reported, "a final report called back for each", 60, 0.5)
    until(lambda: not views(scene, load), "all are finished in every view", 60, 0.5)
    print(f"     {verdict(scene, load, events.log)} of {load.count()} arrived twice")


@test
def thirty():
    """30 random faults of nodes, database and wires under load: nothing lost, order kept, doubles bounded, all agree"""
    print(f"     KANTELE_SEED={SEED}")
    scene = Scene("--delay", "25", standbys=2, wires=True)      # so that there always is something in flight
    load = Load(scene)
    events = Events(scene, load, random.Random(SEED))
    try:
        faults(scene, load, events)
    except Exception:
        load.stopped.set()
        print(f"     logs, record and tables are in {scene.save()}")
        raise
    scene.end()


if __name__ == "__main__":
    main()
