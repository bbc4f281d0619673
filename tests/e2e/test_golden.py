#!/usr/bin/env python3
"""Recorded requests against the daemon: the same answers and PDUs as Kannel, but for its faults."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import harness
from harness import DATA, KANTELE, Process, check, test, until

# Refused on purpose (doc/kannel-compatibility.md): declarations of entities, and a document that is
# not of the type that the request names; and sendota has reports here.
ON_PURPOSE = {"oma-doctype-04", "ota-mix-0", "ota-err-11", "ota-ign-0"}


def replay(config, files, links, ports_at, only=None, expect_all=True):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kantele-golden-"))
    here = pathlib.Path(__file__).resolve().parent
    text = subprocess.run([sys.executable, here / "golden_replay.py", "--render", DATA / "golden/configs" / config,
                           "--base-port", str(ports_at), "--rundir", str(folder)],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    conf = folder / "kantele.conf"
    conf.write_text(text)
    conf.chmod(0o600)
    results = folder / "results.jsonl"
    sink = subprocess.Popen([sys.executable, here / "golden_replay.py", "--config", config.split(".")[0], "--skip-bugs",
                             "--wait-binds", str(links), "--smpp-port", str(ports_at + 5), "--settle", "0.15",
                             "--sendsms", f"http://127.0.0.1:{ports_at + 3}", "--ppg", f"http://127.0.0.1:{ports_at + 4}",
                             "--admin", f"http://127.0.0.1:{ports_at}", "--quiet", "--json", str(results),
                             *(["--only", only] if only else []),
                             *[DATA / "golden" / f for f in files]],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    daemon = Process([KANTELE, "serve", "-c", str(conf)], "kantele", cwd=folder)
    try:
        output, _ = sink.communicate(timeout=300)
    finally:
        sink.kill()
        daemon.stop()
    rows = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    bad = [r["id"] for r in rows if not r["pass"] and r["id"] not in ON_PURPOSE]
    check(rows, f"no case ran:\n{output}")
    check(not bad, f"{len(bad)} of {len(rows)} cases differ: {bad}\n{output[-4000:]}")


@test
def oma_documents():
    """OMA CP documents as recorded, all seven links of the recording's configuration bound"""
    base = 21000 + harness.free_ports(1)[0] % 9000
    replay("main.conf", ["sendota_oma.jsonl"], 7, base)


@test
def settings_and_bookmarks():
    """the older documents and the ota groups of the configuration as recorded, octet for octet"""
    base = 21000 + harness.free_ports(1)[0] % 9000
    replay("main.conf", ["sendota.jsonl"], 7, base)


@test
def callers_as_they_are():
    """what callers of Kannel send beside the letter of the interface, each case with a note that says why"""
    base = 21000 + harness.free_ports(1)[0] % 9000
    replay("main.conf", ["compat.jsonl"], 7, base)


@test
def admin_answers():
    """the admin commands that are there answer as recorded"""
    base = 31000 + harness.free_ports(1)[0] % 9000
    replay("admin.conf", ["admin.jsonl"], 1, base,
           only=r"^adm-(status|cgi-status|pw|suspend|isolate|resume|status-isolated|status-suspended|send)-?(?!.*(html|stopped|foo))")


if __name__ == "__main__":
    harness.main()
