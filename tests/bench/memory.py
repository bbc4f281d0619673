#!/usr/bin/env python3
"""Memory and restart: idle RSS; N messages queued with the link down; restart to accepting, then to sending.

    tests/bench/memory.py [--count 1000000] [--kantele PATH] [--bench-load PATH]
"""
import argparse
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import run as bench


def rss_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def start(options, config, folder):
    began = time.monotonic()
    child = subprocess.Popen([str(options.kantele), "serve", "-c", str(config)], cwd=folder,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return child, began


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--count", type=int, default=1000000)
    ap.add_argument("--kantele", default=bench.TOP / "build/kantele")
    ap.add_argument("--bench-load", default=bench.TOP / "build/bench-load")
    options = ap.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kantele-memory-"))
    ports = dict(zip(("admin", "sendsms", "smpp"), bench.free_ports(3)))
    config = folder / "memory.conf"
    config.write_text(bench.KANTELE.format(folder=folder, window=bench.WINDOW, **ports)
                      .replace("log-level = 1", "log-level = 2")
                      .replace("system-type = x", "system-type = x\nreconnect-delay = 1"))
    config.chmod(0o600)
    try:
        child, _ = start(options, config, folder)
        bench.until(lambda: bench.listens(ports["sendsms"]), "the daemon")
        time.sleep(1)   # idle is what is measured
        print(f"idle: {rss_mb(child.pid):.1f} MB")
        query = "/cgi-bin/sendsms?username=bench&password=bench&to={to}&text=The+quick+brown+fox+jumps+over+the+dog"
        done = subprocess.run([str(options.bench_load), "-p", str(ports["sendsms"]), "-n", str(options.count), "-c", "128", query],
                              stdout=subprocess.PIPE, text=True)
        print(f"filled: {done.stdout.strip()}")
        print(f"{options.count} queued, link down: {rss_mb(child.pid):.1f} MB, peak {bench.peak_mb(child.pid):.1f} MB")
        child.kill()
        child.wait()
        child, began = start(options, config, folder)
        bench.until(lambda: bench.listens(ports["sendsms"]), "the daemon again")
        probe = subprocess.run([str(options.bench_load), "-p", str(ports["sendsms"]), "-n", "1", "-c", "1", "-f", "4400000001", query],
                               stdout=subprocess.PIPE, text=True)
        print(f"restart to accepting: {time.monotonic() - began:.2f} s ({probe.stdout.split()[0]})")
        simulator = subprocess.Popen([str(options.kantele), "simulate", "-p", str(ports["smpp"]), "--quiet",
                                      "--count-file", str(folder / "count.json")], stderr=subprocess.DEVNULL)
        bench.until(lambda: bench.listens(ports["smpp"]), "the simulator")
        began = time.monotonic()

        def received():
            simulator.send_signal(signal.SIGUSR1)
            try:
                return json.loads((folder / "count.json").read_text())["received"]
            except (OSError, ValueError, KeyError):
                return 0
        while received() < options.count + 1 and time.monotonic() - began < 600:
            time.sleep(0.5)
        took = time.monotonic() - began
        print(f"sent after the restart: {received()} in {took:.0f} s ({received() / took:.0f}/s), "
              f"peak {bench.peak_mb(child.pid):.1f} MB")
        child.terminate()
        child.wait(30)
        simulator.terminate()
        simulator.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
