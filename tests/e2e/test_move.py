#!/usr/bin/env python3
"""kantele move-store: a gateway's store goes to PostgreSQL and comes back; needs KANTELE_PG."""
import os
import random
import signal
import subprocess
import sys
import time

import harness
from harness import KANTELE, Kantele, Simulator, check, same, smsc_group, test, until

CONNINFO = os.environ.get("KANTELE_PG", "")
MESSAGES = 40


def psql(sql):
    subprocess.run(["psql", "-q", "-d", CONNINFO, "-c", sql], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def move(folder, source, target, kill_after=None):
    child = subprocess.Popen([KANTELE, "move-store", "--from", source, "--to", target], cwd=folder,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if kill_after is not None:
        time.sleep(kill_after)
        child.send_signal(signal.SIGKILL)
    out, _ = child.communicate(timeout=60)
    return child.returncode, out


def refused(daemon, words):
    daemon.start(ready=False)
    daemon.line(words)
    until(lambda: not daemon.running(), "the gateway ends")


def arrived(simulator):
    return [m["text"] for m in simulator.messages() if m.get("text")]


@test
def moves():
    """what waits in SQLite goes out from PostgreSQL, and from SQLite again, in its order"""
    psql("DROP SCHEMA IF EXISTS kantele CASCADE")
    simulator = Simulator("--json", "--handset", "+447900900123")
    daemon = Kantele(smsc=smsc_group(simulator.port))
    daemon.online()
    daemon.admin_get("suspend")
    for nth in range(MESSAGES):
        same(daemon.send("+447900900123", f"message {nth}").status, 202, "accepted")
    sides = ("sqlite:" + str(daemon.folder / "kantele.db"), "postgresql:" + CONNINFO)
    code, out = move(daemon.folder, *sides)
    check(code == 1 and "in use by process" in out, f"a gateway runs: {out}")
    daemon.stop()
    for nth in range(3):
        move(daemon.folder, *sides, kill_after=random.uniform(0, 0.3))
    code, out = move(daemon.folder, *sides)
    same(code, 0, out)
    refused(daemon, "this store was moved to postgresql:")
    daemon.write_config(store=f'group = store\nengine = postgresql\nconninfo = "{CONNINFO}"\n')
    daemon.start()
    daemon.admin_get("suspend")
    code, out = move(daemon.folder, *reversed(sides))
    check(code == 1 and "has the store open: stop it first" in out, f"a gateway runs: {out}")
    daemon.stop()
    code, out = move(daemon.folder, *reversed(sides))
    same(code, 0, out)
    refused(daemon, "this store was moved to sqlite:")
    daemon.write_config(store="")
    daemon.start()
    until(lambda: len(arrived(simulator)) >= MESSAGES, "all have come", 30)
    same(arrived(simulator), [f"message {n}" for n in range(MESSAGES)], "all of them, once, in their order")
    same(daemon.stop(), 0, "exit status")
    simulator.stop()
    daemon.remove()


if __name__ == "__main__":
    if not CONNINFO:
        print("no PostgreSQL (KANTELE_PG): moves are not tested")
        sys.exit(0)
    harness.main()
