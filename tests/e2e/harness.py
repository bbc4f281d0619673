"""What every end-to-end test needs: the real daemon, the simulator, HTTP, waiting for conditions.

Nothing here sleeps for a fixed time where a condition can be awaited: `until` polls one.
"""
import atexit
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.parse

KANTELE = os.environ.get("KANTELE", "./kantele")
SOURCE = pathlib.Path(os.environ.get("KANTELE_SRC", pathlib.Path(__file__).resolve().parents[2]))
DATA = SOURCE / "tests/data"


class Failed(Exception):
    """A condition did not hold; the text says which."""


def until(condition, what, seconds=15, every=0.01):
    """Polls until condition() is true; returns its value. Failed(what) after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s for: {what}")
        time.sleep(every)


def check(truth, what):
    if not truth:
        raise Failed(what)


def same(got, want, what):
    if got != want:
        raise Failed(f"{what}: wanted {want!r}, got {got!r}")


def free_ports(count):
    socks = [socket.socket() for _ in range(count)]
    try:
        for s in socks:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in socks]
    finally:
        for s in socks:
            s.close()


@atexit.register
def leave_nothing_running():
    """A test that failed half-way has children left."""
    for child in Process.children:
        if child.poll() is None:
            child.kill()


class Process:
    """A child whose standard error is collected line by line."""

    children = []

    def __init__(self, arguments, name, environment=None, cwd=None, stdin=subprocess.DEVNULL):
        self.name = name
        self.lines = []
        self.out = []
        self.child = subprocess.Popen(arguments, stdin=stdin, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, cwd=cwd,
                                      env=dict(os.environ, **(environment or {})))
        self.children.append(self.child)
        self.readers = [threading.Thread(target=self._read, args=(self.child.stderr, self.lines), daemon=True),
                        threading.Thread(target=self._read, args=(self.child.stdout, self.out), daemon=True)]
        for r in self.readers:
            r.start()

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.append(line.decode("utf-8", "replace").rstrip("\n"))

    def line(self, pattern, seconds=15):
        """Waits for a line (of standard error or output) that matches; returns the match."""
        def look():
            for line in list(self.lines) + list(self.out):
                found = re.search(pattern, line)
                if found:
                    return found
            if self.child.poll() is not None:
                for r in self.readers:
                    r.join(2)
                for line in list(self.lines) + list(self.out):
                    found = re.search(pattern, line)
                    if found:
                        return found
                raise Failed(f"{self.name} ended with {self.child.returncode} before /{pattern}/:\n" +
                             "\n".join(self.lines[-30:]))
            return None
        return until(look, f"{self.name}: a line that matches /{pattern}/", seconds)

    def running(self):
        return self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def kill(self):
        if self.running():
            self.child.kill()
        self.child.wait()
        for r in self.readers:
            r.join(2)

    def stop(self, seconds=20):
        """SIGTERM; returns the exit status. A sanitizer's report fails the test."""
        if self.running():
            self.child.terminate()
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
                raise Failed(f"{self.name} did not end within {seconds} s of SIGTERM:\n" +
                             "\n".join(self.lines[-20:]))
        for r in self.readers:
            r.join(2)
        self.no_reports()
        return self.child.returncode

    def no_reports(self):
        text = "\n".join(self.lines)
        if "Sanitizer" in text or "runtime error:" in text:
            raise Failed(f"{self.name}: a sanitizer complained:\n{text[-4000:]}")


class Simulator(Process):
    """`kantele simulate`: an SMSC with virtual handsets."""

    def __init__(self, *options, port=0, binary=None):
        super().__init__([binary or KANTELE, "simulate", "-p", str(port), *options], "simulate")
        self.port = int(self.line(r"listening on 127\.0\.0\.1:(\d+)").group(1))

    def messages(self):
        """The JSON objects so far (needs --json)."""
        found = []
        for line in list(self.out):
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found


CONFIG = """
group = core
admin-port = {admin}
admin-password = adm1n
status-password = st4tus
admin-interface = 127.0.0.1
store-location = {folder}
callback-allow-ip = 127.0.0.0/8
{core}

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
global-sender = 13013
{smsbox}

group = sendsms-user
username = tester
password = foobar
max-messages = 20
concatenation = true
{user}

{smsc}

{store}
"""

SMSC = """
group = smsc
smsc = smpp
smsc-id = {id}
host = 127.0.0.1
port = {port}
transceiver-mode = true
smsc-username = {id}
smsc-password = secret
system-type = test
max-pending-submits = {window}
reconnect-delay = 1
{more}
"""


def smsc_group(port, id="main", window=50, more=""):
    return SMSC.format(id=id, port=port, window=window, more=more)


class Kantele(Process):
    """The daemon in a folder of its own. start() again after kill() goes on with its store."""

    def __init__(self, smsc="", core="", smsbox="", user="", store="", folder=None, config=None, binary=None,
                 start=True):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="kantele-e2e-"))
        self.binary = binary or KANTELE
        self.admin, self.sendsms = free_ports(2)
        self.file = self.folder / "kantele.conf"
        self.parts = dict(smsc=smsc, core=core, smsbox=smsbox, user=user, store=store)
        self.write_config(config)
        if start:
            self.start()

    def write_config(self, config=None, **parts):
        self.parts.update(parts)
        text = config or CONFIG.format(admin=self.admin, sendsms=self.sendsms, folder=self.folder, **self.parts)
        self.file.write_text(text)
        self.file.chmod(0o600)

    def start(self, ready=True):
        super().__init__([self.binary, "serve", "-c", str(self.file)], "kantele", cwd=self.folder)
        if ready:
            self.line(r"\bready\b", 30)

    def get(self, path, timeout=20, **query):
        return request(self.sendsms, "GET", path + "?" + urllib.parse.urlencode(query), timeout=timeout)

    def send(self, to, text="hello", **more):
        return self.get("/cgi-bin/sendsms", username="tester", password="foobar", to=to, text=text, **more)

    def ota(self, to, text, **more):
        return self.get("/cgi-bin/sendota", username="tester", password="foobar", to=to, text=text,
                        type="oma-settings", **more)

    def admin_get(self, command, **query):
        query.setdefault("password", "adm1n")
        return request(self.admin, "GET", f"/{command}?" + urllib.parse.urlencode(query))

    def online(self, count=1, seconds=20):
        """Waits until so many links are online."""
        until(lambda: self.admin_get("status.txt").text.count("(online") >= count,
              f"{count} links online", seconds, 0.05)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.text = body.decode("utf-8", "replace")

    def all(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]

    def header(self, name):
        return next(iter(self.all(name)), None)


def request(port, method, path, body=None, headers=None, timeout=20):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


def exchange(port, octets, timeout=10):
    """Octets as they are, and then all that comes until the peer closes. Failed if it does not."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout) as s:
        s.settimeout(timeout)
        try:
            s.sendall(octets)
        except OSError:
            pass            # it has heard enough; its answer may be there all the same
        try:
            while piece := s.recv(65536):
                got += piece
        except socket.timeout:
            raise Failed(f"{octets[:80]!r}: neither answered nor closed within {timeout} s, got {got[:80]!r}")
        except OSError:
            pass
    return got


def statuses(octets):
    """Of all answers in it."""
    return [int(n) for n in re.findall(rb"HTTP/1\.1 (\d\d\d) ", octets)]


# How often each hostile input is repeated where growth is watched.
REPEATS = int(os.environ.get("KANTELE_REPEATS", "40"))


@contextlib.contextmanager
def plain_build():
    """What measures time or memory takes the build without sanitizers."""
    global KANTELE
    kept, KANTELE = KANTELE, os.environ.get("KANTELE_PLAIN", KANTELE)
    try:
        yield
    finally:
        KANTELE = kept


def rss(process):
    """Resident memory of a child, in kB."""
    text = open(f"/proc/{process.child.pid}/status").read()
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))


def best_ms(run, tries=5):
    """The shortest of several, since the machine is shared."""
    best = float("inf")
    for _ in range(tries):
        started = time.monotonic()
        run()
        best = min(best, (time.monotonic() - started) * 1000)
    return best


class Callbacks:
    """An HTTP server that notes each GET it receives; `answer` decides the status."""

    def __init__(self, answer=lambda path: 200):
        self.seen = []
        self.answer = answer
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                status = outer.answer(self.path)
                outer.seen.append((self.path, status))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, *_):
                pass        # a killed daemon resets its connections

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, query):
        return f"http://127.0.0.1:{self.port}/dlr?{query}"

    def good(self):
        return [urllib.parse.parse_qs(urllib.parse.urlparse(p).query) for p, s in list(self.seen) if s == 200]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def document(name):
    return (DATA / name).read_text()


TESTS = []


def test(function):
    """Registers a test: its docstring (first line) is its name."""
    TESTS.append(function)
    return function


def main():
    bad = 0
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    for function in TESTS:
        name = f"{pathlib.Path(sys.argv[0]).stem}: {(function.__doc__ or function.__name__).splitlines()[0]}"
        if only not in function.__name__:
            continue
        try:
            function()
        except Exception as e:       # every failure is reported, the next test runs
            bad += 1
            if not isinstance(e, Failed):
                traceback.print_exc(file=sys.stdout)
            print(f"     {e}")
            print(f"FAIL {name}", flush=True)
        else:
            print(f"ok   {name}", flush=True)
    sys.exit(1 if bad else 0)
