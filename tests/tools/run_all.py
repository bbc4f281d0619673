#!/usr/bin/env python3
"""Builds three times (plain, ASan+UBSan, TSan) and runs every test; called by tests/run.

A stage is a row: name, how to build, what to run. The last line is "N passed, N failed".

One PostgreSQL of our own runs meanwhile; KANTELE_PG in the environment tells a unit test how to reach a
database that it has for itself.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

import pgcluster

TOP = pathlib.Path(sys.argv[1])
WANTED = sys.argv[2] if len(sys.argv) > 2 else None
ONLY = sys.argv[3] if len(sys.argv) > 3 else ""
JOBS = os.cpu_count() or 2
UNIT_SECONDS, E2E_SECONDS = 240, 900
# What touches threads: the store worker and the worker itself.
TSAN_TESTS = ["io_work_test", "main_store_wait_test", "queue_test"]

passed, failed, failures = 0, 0, []
server = None           # the PostgreSQL


def note(ok, name, output=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        failures.append(name)
        print(output[-6000:])
    print(f"{'ok  ' if ok else 'FAIL'} {name}", flush=True)


def build(folder, *options, targets=()):
    """Configures and makes in TOP/folder; True when it went well."""
    where = TOP / folder
    where.mkdir(exist_ok=True)
    # one after the other: `all` is a make of its own, and two at a time would both write the library
    steps = [["make", f"-j{JOBS}", "all"]] + ([["make", f"-j{JOBS}", *targets]] if targets else [])
    if not (where / "config.status").exists():
        steps.insert(0, ["../configure", "--enable-werror", *options])
    for step in steps:
        done = subprocess.run(step, cwd=where, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            note(False, f"{folder}: {' '.join(step)[:60]}", done.stdout)
            return False
    note(True, f"{folder}: builds without a warning")
    return True


def unit_names():
    return sorted(p.stem for p in (TOP / "tests/unit").glob("*_test.c"))


def database(test):
    """A fresh one for a test that wants one: the environment's part."""
    if server is None or not re.search(r"pg_fresh\.h|KANTELE_PG", test.read_text()):
        return {}
    return {"KANTELE_PG": server.conninfo(server.createdb())}


def run_unit(folder, name):
    """One cmocka program: (tests passed, tests failed, output)."""
    environment = dict(os.environ, **database(TOP / "tests/unit" / f"{name}.c"), KANTELE_SRC=str(TOP),
                       KANTELE=str(TOP / folder / "kantele"),
                       ASAN_OPTIONS="detect_leaks=1:abort_on_error=0", TSAN_OPTIONS="halt_on_error=1",
                       UBSAN_OPTIONS="print_stacktrace=1")
    try:
        done = subprocess.run([str(TOP / folder / "tests/unit" / name)], cwd=TOP, env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=UNIT_SECONDS)
    except subprocess.TimeoutExpired as e:
        return 0, 1, f"{name}: no end after {UNIT_SECONDS} s\n{(e.stdout or b'')[-2000:]}"
    good = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", done.stdout))
    bad = len(set(re.findall(r"\[  FAILED  \] (?!\d+ test)(\S+)", done.stdout)))
    if done.returncode != 0 and bad == 0:
        bad = 1
    if good == 0 and bad == 0:
        bad = 1
    return good, bad, done.stdout


def units(folder, names, label):
    global passed, failed
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for name, (good, bad, output) in zip(names, pool.map(lambda n: run_unit(folder, n), names)):
            if bad:
                print(output[-6000:])
                failures.append(f"{label} {name}")
            passed += good
            failed += bad
            print(f"{'FAIL' if bad else 'ok  '} {label} {name}: {good} passed, {bad} failed", flush=True)


def layers():
    done = subprocess.run([sys.executable, str(TOP / "tests/tools/check_layers.py"), str(TOP)],
                          stdout=subprocess.PIPE, text=True)
    note(done.returncode == 0, "layers: no include upward, each library in its place", done.stdout)


def e2e(folder):
    for script in sorted((TOP / "tests/e2e").glob("test_*.py")):
        if ONLY and ONLY not in script.stem:
            continue
        environment = dict(os.environ, **database(script), KANTELE=str(TOP / folder / "kantele"), KANTELE_SRC=str(TOP),
                           KANTELE_PLAIN=str(TOP / "build/kantele"),
                           ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:log_path=stderr")
        started = time.monotonic()
        try:
            done = subprocess.run([sys.executable, str(script)], cwd=TOP / "tests/e2e", env=environment,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  errors="replace", timeout=E2E_SECONDS)
            output = done.stdout
        except subprocess.TimeoutExpired as e:
            done, output = None, (e.stdout or b"").decode("utf-8", "replace")
        rows = re.findall(r"^(ok  |FAIL) (.*)$", output, re.M)
        for word, name in rows:
            note(word == "ok  ", f"e2e {name}", output)
        if done is None or (done.returncode != 0 and not any(w == "FAIL" for w, _ in rows)) or not rows:
            note(False, f"e2e {script.stem} ended badly", output)
        print(f"     {script.stem}: {time.monotonic() - started:.0f} s", flush=True)


def stage_unit():
    if build("build", targets=("benches", *(f"tests/unit/{n}" for n in unit_names()))):
        layers()
        units("build", unit_names(), "unit")


# Growth of tables and plans are the server's matter.
NOT_ASAN = ("queue_pgsql_bloat_test", "queue_pgsql_plans_test")


def stage_asan():
    if build("build-asan", "--enable-sanitizers", "CFLAGS=-O1 -g",
             targets=tuple(f"tests/unit/{n}" for n in unit_names())):
        units("build-asan", [n for n in unit_names() if n not in NOT_ASAN], "asan")


def stage_tsan():
    if build("build-tsan", "--enable-sanitizers=thread", "CFLAGS=-O1 -g",
             targets=tuple(f"tests/unit/{n}" for n in TSAN_TESTS)):
        units("build-tsan", TSAN_TESTS, "tsan")


def stage_e2e():
    # The daemon under test is the one with sanitizers; what compares speeds takes the plain one.
    if (TOP / "build/kantele").exists() or build("build", targets=("benches",)):
        if (TOP / "build-asan/kantele").exists() or build("build-asan", "--enable-sanitizers", "CFLAGS=-O1 -g"):
            e2e("build-asan")


def start_server():
    """For all stages; that there is none is a failure."""
    global server
    try:
        server = pgcluster.Cluster()
    except (pgcluster.PgError, OSError) as e:
        note(False, "PostgreSQL starts", str(e) + "\n")


STAGES = {"unit": stage_unit, "asan": stage_asan, "tsan": stage_tsan, "e2e": stage_e2e}


def main():
    if WANTED and WANTED not in STAGES:
        print(f"tests/run [{'|'.join(STAGES)}] [NAME]", file=sys.stderr)
        return 2
    started = time.monotonic()
    start_server()
    try:
        for name, stage in STAGES.items():
            if WANTED in (None, name):
                stage()
    finally:
        if server is not None:
            server.stop()
    for name in failures:
        print(f"failed: {name}")
    print(f"took {time.monotonic() - started:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
