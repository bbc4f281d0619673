#!/usr/bin/env python3
"""Hostile and broken requests against the real daemon: a clear error, quickly, no growth."""
import os
import re
import time

import harness
from harness import Kantele, Simulator, check, document, raw_request, request, same, smsc_group, test


def with_daemon(run):
    simulator = Simulator("--quiet")
    daemon = Kantele(smsc=smsc_group(simulator.port))
    try:
        daemon.online()
        run(daemon)
        check(daemon.running(), "the daemon is still there")
        same(daemon.send("+447900900001").status, 202, "it still takes messages")
    finally:
        daemon.stop()
        simulator.stop()
        daemon.remove()


def head(method, path, *lines):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


BOMB = ('<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' +
        "".join(f'<!ENTITY {chr(98 + i)} "{("&" + chr(97 + i) + ";") * 10}">' for i in range(9)) +
        ']><wap-provisioningdoc><characteristic type="&j;"/></wap-provisioningdoc>')
DEEP = "<wap-provisioningdoc>" + '<characteristic type="A">' * 200000
WIDE = "<wap-provisioningdoc>" + "<parm/>" * 20000 + "</wap-provisioningdoc>"
ROOT = '<wap-provisioningdoc version="1.1">%s</wap-provisioningdoc>'

# name, document, status, what the answer must say
DOCUMENTS = [
    ("a bomb of entities", BOMB, 400, "entity"),
    ("an external entity", '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><wap-provisioningdoc>&a;</wap-provisioningdoc>', 400, "entity"),
    ("200,000 nested elements", DEEP, 400, "deep"),
    ("too many elements", WIDE, 400, "elements"),
    ("an empty document", "", 400, ""),
    ("no XML at all", "hello", 400, "line 1"),
    ("another root", "<html/>", 400, "html"),
    ("an element that is not closed", ROOT % '<characteristic type="NAPDEF">', 400, "not closed"),
    ("a mismatched tag", '<wap-provisioningdoc><characteristic type="A"></parm></wap-provisioningdoc>', 400, "line 1"),
    ("an attribute twice", ROOT % '<characteristic type="A" type="B"/>', 400, "line 1"),
    ("a bare ampersand", ROOT % '<characteristic type="A&B"/>', 400, "line 1"),
    ("bad UTF-8", b'<wap-provisioningdoc><characteristic type="\xff\xfe"/></wap-provisioningdoc>', 400, "line 1"),
    ("an unknown charset", '<?xml version="1.0" encoding="x-none"?>' + ROOT % "", 400, "x-none"),
    ("a NUL octet", b'<wap-provisioningdoc>\x00</wap-provisioningdoc>', 400, "line 1"),
]


@test
def documents():
    """documents that cannot be encoded: 400, place and cure, under 50 ms"""
    def run(daemon):
        who = {"X-Kannel-Username": "tester", "X-Kannel-Password": "foobar", "X-Kannel-To": "+447900900001",
               "X-Kannel-SEC": "userpin", "X-Kannel-PIN": "1234", "Content-Type": "text/vnd.wap.connectivity-xml"}
        for name, text, status, words in DOCUMENTS:
            body = text if isinstance(text, bytes) else text.encode()
            started = time.monotonic()
            answer = request(daemon.sendsms, "POST", "/cgi-bin/sendota", body, who)
            took = time.monotonic() - started
            wanted = {status, 413} if len(body) > 256 * 1024 else {status}
            check(answer.status in wanted, f"{name}: wanted {wanted}, got {answer.status} {answer.text[:300]}")
            if answer.status == 400:
                check(words in answer.text, f"{name}: the answer does not say {words!r}: {answer.text[:300]}")
            # the build under test may carry sanitizers: five times the promise
            check(took < 0.25, f"{name}: took {took * 1000:.0f} ms")
    with_daemon(run)


@test
def unclosed():
    """the broken sample: one finding for each unclosed characteristic, with the line that opened it"""
    def run(daemon):
        text = document("w7-broken.xml")
        answer = daemon.ota("+447900900001", text, sec="userpin", pin="1234")
        same(answer.status, 400, "status")
        opened = []                     # the same bookkeeping, by hand
        for number, line in enumerate(text.splitlines(), 1):
            for tag in re.findall(r"<(/?characteristic)", line):
                opened.append(number) if tag[0] != "/" else opened.pop()
        check(len(opened) >= 7, "the sample is as broken as it was")
        for line in opened:
            check(f"line {line}" in answer.text, f"line {line} is not named in:\n{answer.text}")
    with_daemon(run)


SECURITY = [
    ("no method, no PIN", {}, 400), ("USERPIN without PIN", {"sec": "userpin"}, 400),
    ("an empty PIN", {"sec": "userpin", "pin": ""}, 400), ("an unknown method", {"sec": "rot13", "pin": "1234"}, 400),
    ("method 0", {"sec": "0", "pin": "1234"}, 400), ("method 2", {"sec": "2", "pin": "1234"}, 400),
    ("an empty method", {"sec": "", "pin": "1234"}, 400),
    ("NETWPIN without IMSI", {"sec": "netwpin"}, 400), ("NETWPIN with four digits", {"sec": "netwpin", "pin": "1234"}, 400),
    ("NETWPIN, IMSI with letters", {"sec": "netwpin", "imsi": "31026x123456789"}, 400),
    ("NETWPIN, IMSI of 16 digits", {"sec": "netwpin", "imsi": "3102601234567890"}, 400),
    ("USERNETWPIN without PIN", {"sec": "usernetwpin", "imsi": "310260123456789"}, 400),
    ("USERNETWPIN without IMSI", {"sec": "usernetwpin", "pin": "1234"}, 400),
    ("USERPINMAC without PIN", {"sec": "userpinmac"}, 400),
    ("unsigned, account may not", {"sec": "none"}, 400),
    ("a PIN alone is USERPIN", {"pin": "1234"}, 202), ("method 1 is USERPIN", {"sec": "1", "pin": "1234"}, 202),
    ("a PIN of 15 digits is an IMSI", {"sec": "netwpin", "pin": "310260123456789"}, 202),
    ("letter case does not matter", {"sec": "NetwPin", "imsi": "310260123456789"}, 202),
    ("a raw key", {"sec": "netwpin", "key-hex": "3901621032547698"}, 202),
    ("a raw key that is no hex", {"sec": "netwpin", "key-hex": "39016210325476xx"}, 400),
]


@test
def security():
    """nothing is sent unsigned or with a default secret: every way to ask for it is refused"""
    def run(daemon):
        for name, query, status in SECURITY:
            answer = daemon.ota("+447900900001", document("w7.xml"), **query)
            same(answer.status, status, f"{name} ({answer.text[:200]})")
            for secret in ("310260123456789", "3102601234567890"):
                check(secret not in answer.text, f"{name}: the answer repeats a secret")
        log = "\n".join(daemon.lines)
        for secret in ("310260123456789", "1234&", "pin=1234", "foobar", "3901621032547698", "serversecret"):
            check(secret not in log, f"the log holds {secret}")
    with_daemon(run)


# name, octets, statuses that are right (0: closed without an answer)
RAW = [
    ("two Content-Lengths", head("POST", "/cgi-bin/sendsms", "Content-Length: 3", "Content-Length: 5") + b"hello", {400}),
    ("Content-Length with Transfer-Encoding", head("POST", "/cgi-bin/sendsms", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n", {400}),
    ("a negative length", head("POST", "/cgi-bin/sendsms", "Content-Length: -1"), {400, 0}),
    ("a length of letters", head("POST", "/cgi-bin/sendsms", "Content-Length: many"), {400, 0}),
    ("an oversize body announced", head("POST", "/cgi-bin/sendota", "Content-Length: 99999999") + b"x" * 70000, {413}),
    ("no Host", b"GET /cgi-bin/sendsms HTTP/1.1\r\n\r\n", {400}),
    ("a line of garbage", b"\x01\x02\x03\r\n\r\n", {400, 0}),
    ("a line that is no request", b"GARBAGE\r\n\r\n", {400, 0}),
    ("a URL of 200 kB", b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {414, 431, 400, 0}),
    ("a header of 200 kB", b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 200000 + b"\r\n\r\n", {431, 413, 400, 0}),
    ("HTTP/9.9", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", {400, 505, 404, 0}),
    ("an unknown path", head("GET", "/nothing"), {404}),
    ("a method nobody knows", head("BREW", "/cgi-bin/sendsms"), {400, 405, 501}),
    ("HEAD does not send", head("HEAD", "/cgi-bin/sendsms?username=tester&password=foobar&to=1&text=x"), {405, 400}),
]


@test
def requests():
    """malformed requests: the right status, or closed, never hung"""
    def run(daemon):
        for name, octets, statuses in RAW:
            started = time.monotonic()
            got = raw_request(daemon.sendsms, octets, 5)
            found = re.match(rb"HTTP/1\.\d (\d+)", got)
            status = int(found.group(1)) if found else 0
            check(status in statuses, f"{name}: wanted {statuses}, got {status} {got[:120]!r}")
            check(time.monotonic() - started < 4, f"{name}: no end to it")
    with_daemon(run)


@test
def growth():
    """a thousand hostile documents leave the memory where it was"""
    def rss(daemon):
        text = open(f"/proc/{daemon.child.pid}/status").read()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))

    def run(daemon):
        who = {"X-Kannel-Username": "tester", "X-Kannel-Password": "foobar", "X-Kannel-To": "+447900900001",
               "X-Kannel-SEC": "userpin", "X-Kannel-PIN": "1234", "Content-Type": "text/vnd.wap.connectivity-xml"}
        bodies = [(t if isinstance(t, bytes) else t.encode())[:200000] for _, t, *_ in DOCUMENTS]
        for body in bodies:
            request(daemon.sendsms, "POST", "/cgi-bin/sendota", body, who)
        before = rss(daemon)
        for i in range(1000):
            request(daemon.sendsms, "POST", "/cgi-bin/sendota", bodies[i % len(bodies)], who)
        after = rss(daemon)
        # sanitizers keep freed memory in quarantine; the plain build must not grow
        check(after - before < 8 * 1024, f"grew from {before} to {after} kB")
    sanitized = harness.KANTELE
    harness.KANTELE = os.environ.get("KANTELE_PLAIN", sanitized)
    try:
        with_daemon(run)
    finally:
        harness.KANTELE = sanitized


if __name__ == "__main__":
    harness.main()
