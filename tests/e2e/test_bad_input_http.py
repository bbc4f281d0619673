#!/usr/bin/env python3
"""Hostile octets against both HTTP ports of the real daemon: a clear answer at once, no growth, nobody blocked."""
import contextlib
import socket
import threading
import unicodedata
import urllib.parse

import harness
from harness import (REPEATS, Kantele, Simulator, best_ms, check, exchange, plain_build, request, rss, same,
                     smsc_group, statuses, test, until)

CLOSE = "Connection: close"
WHO = "username=tester&password=foobar"
GOOD = f"/cgi-bin/sendsms?{WHO}&to=%2B447900900001&text=x"


@contextlib.contextmanager
def daemon(*simulator_options, **parts):
    simulator = Simulator(*simulator_options or ["--quiet"])
    it = Kantele(smsc=smsc_group(simulator.port), **parts)
    it.simulator = simulator
    try:
        it.online()
        yield it
        check(it.running(), "the daemon is still there")
        same(it.send("+447900900001").status, 202, "it still takes messages")
        same(it.admin_get("status.txt").status, 200, "it still answers its operator")
    finally:
        it.stop()
        simulator.stop()
        it.remove()


def head(method, path, *lines, version="HTTP/1.1", host="Host: localhost"):
    return "\r\n".join(l for l in [f"{method} {path} {version}", host, *lines, "", ""] if l or l is not host).encode("latin-1")


def post(*lines, body=b"", path="/cgi-bin/sendota"):
    return head("POST", path, *lines) + body


CHUNKED = "Transfer-Encoding: chunked"

# What the header alone tells is answered alike at both ports: name, octets, status, words of the answer.
HEADERS = [
    ("a NUL first", b"\0GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "line 1 column 1"),
    ("nothing but NULs", b"\0" * 1000, 400, "line 1 column 1"),
    ("a NUL in the method", b"G\0ET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "column 2"),
    ("a NUL in the address", b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "column 7"),
    ("a NUL in a name", head("GET", "/x", "X\0Y: 1"), 400, "line 3 column 2"),
    ("a NUL in a value", head("GET", "/x", "XY: 1\0002"), 400, "line 3 column 6"),
    ("a NUL as a line", b"GET /x HTTP/1.1\r\nHost: a\r\n\0\r\nX: y\r\n\r\n", 400, "line 3"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500, 400, "not TLS"),
    ("a line of garbage", b"\x01\x02\x03\r\n\r\n", 400, "not a request"),
    ("one word", b"GARBAGE\r\n\r\n", 400, "three words"),
    ("HTTP/0.9", b"GET /cgi-bin/sendsms\r\n\r\n", 400, "three words"),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version"),
    ("HTTP/9.9", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 505, "version"),
    ("http/1.1", b"GET /x http/1.1\r\nHost: x\r\n\r\n", 400, "version"),
    ("a blank in the address", b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400, "%20"),
    ("a word behind the version", b"GET /x HTTP/1.1 x\r\nHost: x\r\n\r\n", 400, "blank"),
    ("empty lines for ever", b"\r\n" * 20000, 400, "empty lines"),
    ("a method of 5,000 letters", b"A" * 5000 + b" / HTTP/1.1\r\nHost: x\r\n\r\n", 400, ""),
    ("no Host", head("GET", "/x", host=None), 400, "Host"),
    ("two Hosts", head("GET", "/x", "Host: b"), 400, "Host"),
    ("two lengths", post("Content-Length: 5", "Content-Length: 6", body=b"hello!"), 400, "Content-Length"),
    ("one length twice", post("Content-Length: 5", "Content-Length: 5", body=b"hello"), 400, "Content-Length"),
    ("a list of lengths", post("Content-Length: 5, 5", body=b"hello"), 400, "digits"),
    ("a length with a sign", post("Content-Length: +5", body=b"hello"), 400, "digits"),
    ("a negative length", post("Content-Length: -1"), 400, "digits"),
    ("a length of letters", post("Content-Length: many"), 400, "digits"),
    ("a length in hex", post("Content-Length: 0x5", body=b"hello"), 400, "digits"),
    ("no length at all behind the colon", post("Content-Length: ", body=b"hello"), 400, "digits"),
    ("a length of 2^64", post("Content-Length: 18446744073709551616"), 413, "too long"),
    ("a length of 2^64 - 1", post("Content-Length: 18446744073709551615"), 413, "too long"),
    ("a length of 2^63", post("Content-Length: 9223372036854775808"), 413, "too long"),
    ("length, then encoding", post("Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"), 400, "together"),
    ("encoding, then length", post(CHUNKED, "Content-Length: 5", body=b"0\r\n\r\n"), 400, "together"),
    ("encoding before a tab, and length", post("Transfer-Encoding\t: chunked", "Content-Length: 5"), 400, "blank"),
    ("an encoding twice", post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"), 501, "once"),
    ("another encoding", post("Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 501, "chunked"),
    ("an encoding behind a tab of its own", post("Transfer-Encoding: \x0bchunked"), 501, "chunked"),
    ("an encoding in HTTP/1.0", head("POST", "/x", CHUNKED, version="HTTP/1.0"), 400, "HTTP/1.0"),
    ("lines that end in CR alone", b"POST /x HTTP/1.1\rHost: a\rContent-Length: 5\r\rhello\r\n\r\n", 400, "CR"),
    ("a CR within a value", head("GET", "/x", "X: a\rContent-Length: 5"), 400, "CR"),
    ("a blank before the colon", head("GET", "/x", "A : b"), 400, "line 3 column 2"),
    ("a blank in a name", head("GET", "/x", "A B: b"), 400, "line 3 column 2"),
    ("a folded line", head("GET", "/x", "A: b", "\tc"), 400, "folded"),
    ("a folded length", post("Content-Length:", " 5", body=b"hello"), 400, "folded"),
    ("a folded line first", b"GET /x HTTP/1.1\r\n folded\r\nHost: a\r\n\r\n", 400, "folded"),
    ("no colon", head("GET", "/x", "nonsense"), 400, "colon"),
    ("no name", head("GET", "/x", ": b"), 400, "without a name"),
    ("a control character in a name", head("GET", "/x", "A\x01B: b"), 400, "line 3 column 2"),
    ("a name of eight bits", head("GET", "/x", "A\xe9B: b"), 400, "line 3 column 2"),
    ("10,000 fields", head("GET", "/x", *[f"A{i}: b" for i in range(10000)]), 431, "100 fields"),
    ("101 times the same", head("GET", "/x", *["A: b"] * 101), 431, "100 fields"),
    ("an address of 200 kB", b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "POST"),
    ("a query of 40 kB", head("GET", "/cgi-bin/sendsms?" + "a=b&" * 10000), 414, "POST"),
    ("a field of 200 kB", head("GET", "/x", "A: " + "a" * 200000), 431, "too long"),
    ("a body of 2 MB", post("Content-Length: 2000000", body=b"x" * 2000000), 413, "octets"),
    ("a body of 2 MB in chunks", post(CHUNKED, body=(b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 64 + b"0\r\n\r\n"), 413,
     "octets"),
    ("an oversize body announced", post("Content-Length: 99999999", body=b"x" * 70000), 413, "octets"),
    ("a chunk of 2^80", post(CHUNKED, body=b"ffffffffffffffffffff\r\n"), 413, ""),
    ("a negative chunk", post(CHUNKED, body=b"-5\r\nhello"), 400, ""),
    ("a chunk in 0x", post(CHUNKED, body=b"0x5\r\nhello\r\n0\r\n\r\n"), 400, ""),
    ("a chunk of letters", post(CHUNKED, body=b"zz\r\n"), 400, ""),
    ("a chunk without a size", post(CHUNKED, body=b"\r\nhello\r\n0\r\n\r\n"), 400, ""),
    ("a chunk that does not end", post(CHUNKED, body=b"5\r\nhelloX0\r\n\r\n"), 400, ""),
    ("a trailer of 120 kB", post(CHUNKED, body=b"5\r\nhello\r\n0\r\n" + b"A: b\r\n" * 20000 + b"\r\n"), 431, ""),
    ("a method nobody knows", head("BREW", GOOD, CLOSE), 400, ""),
    ("DELETE", head("DELETE", GOOD, CLOSE), 400, ""),
    ("TRACE", head("TRACE", "/x", CLOSE), 400, ""),
    ("CONNECT", head("CONNECT", "a:80", CLOSE), 400, ""),
    ("OPTIONS *", head("OPTIONS", "*", CLOSE), 400, ""),
    ("HEAD does not send", head("HEAD", GOOD, CLOSE), 405, ""),
]

# What is odd and yet right goes on to the door: name, octets, statuses of all answers in order.
ODD = [
    ("chunks with extensions", post(CHUNKED, CLOSE, body=b"5;a=b\r\nhello\r\n0\r\n\r\n"), [403]),
    ("a chunk's size with 5,000 zeros", post(CHUNKED, CLOSE, body=b"0" * 5000 + b"5\r\nhello\r\n0\r\n\r\n"), [403]),
    ("50,000 tiny chunks", post(CHUNKED, CLOSE, body=b"1\r\nx\r\n" * 50000 + b"0\r\n\r\n"), [403]),
    ("a trailer names no receiver", post(CHUNKED, CLOSE, body=b"5\r\nhello\r\n0\r\nX-Kannel-To: 1\r\n\r\n"), [403]),
    ("two at once", head("GET", "/x") + head("GET", "/y", CLOSE), [404, 404]),
    ("a thousand at once", head("GET", "/x") * 1000 + head("GET", "/y", CLOSE), [404] * 1001),
    ("one behind the last", head("GET", "/x", CLOSE) + head("GET", GOOD, CLOSE), [404]),
    ("one behind a fault of framing", post("Content-Length: 5", "Content-Length: 6", body=b"hello!") +
     head("GET", GOOD, CLOSE), [400]),
    ("one behind length and encoding", post("Content-Length: 4", CHUNKED, body=b"0\r\n\r\n") +
     head("GET", GOOD, CLOSE), [400]),
    ("one within the body of a GET", head("GET", "/x", f"Content-Length: {len(head('GET', GOOD))}") +
     head("GET", GOOD) + head("GET", "/y", CLOSE), [404, 404]),
    ("a fault in the second", head("GET", "/x") + head("GET", "/y", "A : b"), [404, 400]),
    ("a NUL in the second", head("GET", "/x") + head("GET", "/y", "A: b\0c"), [404, 400]),
    ("two lengths in the second", head("GET", "/x") +
     post("Content-Length: 5", "Content-Length: 6", body=b"hello!") + head("GET", GOOD), [404, 400]),
]


@test
def headers():
    """what no server may take: the right status at both ports, place and cure, and the connection ends"""
    with daemon() as it:
        for name, octets, status, words in HEADERS:
            for port in (it.sendsms, it.admin):
                got = exchange(port, octets)
                same(statuses(got), [status], f"{name}: {got[:300]!r}")
                check(words.encode() in got, f"{name}: the answer does not say {words!r}: {got[-200:]!r}")


@test
def smuggling():
    """requests behind, within and beside others: each is answered once or not at all, in order"""
    with daemon() as it:
        for name, octets, wanted in ODD:
            got = exchange(it.sendsms, octets)
            same(statuses(got), wanted, f"{name}: {got[:300]!r}")
        check("accepted" not in "\n".join(it.lines), "nothing was sent by any of them")


NASTY = ["%00", "a%00b", "%FF%FE", "%C3", "%ED%A0%80", "%C0%AF", "%zz", "%", "%4", "%0D%0AX-Injected:+y", "%1B[2J",
         "-1", "99999999999999999999", "0x7fffffff", "%E2%80%AE", "%3Cscript%3E", "%25s%25n", "a" * 3000, "%20", "'%22%3B"]

SENDSMS = ("username password from to text charset udh account dlr-url dlr-mask mclass pid rpi alt-dcs mwi coding compress "
           "validity deferred priority smsc binfo meta-data nosuchthing").split()
SENDOTA = ("username password to from otaid text type charset sec pin imsi key-hex smsc account binfo meta-data dlr-url "
           "dlr-mask validity deferred priority").split()
# not the password: each wrong one makes the next wait longer
ADMIN = {"log-level": ["level"], "stop-smsc": ["smsc"], "start-smsc": ["smsc"], "remove-message": ["id"],
         "backup": ["file"]}


PAPER = ('<wap-provisioningdoc version="1.1"><characteristic type="BOOTSTRAP"><parm name="NAME" value="x"/>'
         '</characteristic></wap-provisioningdoc>')


def put(pairs, name, value):
    """A query in which one value is as it is."""
    return "&".join(f"{k}={value if k == name else urllib.parse.quote(v)}" for k, v in {**pairs, name: ""}.items())


def outcome(answer, name, value):
    check(answer.status in (200, 202, 400, 403), f"{name}={value[:40]}: {answer.status} {answer.text[:200]}")
    check(answer.header("X-Injected") is None, f"{name}={value[:40]}: a header was injected")
    return answer.status == 202


@test
def parameters():
    """every parameter of every door with NULs, broken UTF-8, broken escapes: refused, or it really goes out"""
    with daemon("--json") as it:
        texts = {"username": "tester", "password": "foobar", "to": "+447900900001", "text": "x"}
        papers = {**texts, "text": PAPER, "type": "oma-settings", "sec": "userpin", "pin": "1234"}
        accepted = 0
        for door, pairs, names in (("sendsms", texts, SENDSMS), ("sendota", papers, SENDOTA)):
            for name in names:
                for value in NASTY:
                    answer = request(it.sendsms, "GET", f"/cgi-bin/{door}?{put(pairs, name, value)}")
                    accepted += outcome(answer, name, value)
        for command, names in ADMIN.items():
            for name in names:
                for value in NASTY:
                    pairs = {"password": "adm1n"}
                    outcome(request(it.admin, "GET", f"/{command}?{put(pairs, name, value)}"), name, value)
        it.admin_get("start-smsc", smsc="main")
        check(accepted > 300, f"only {accepted} were accepted")
        until(lambda: sum(m["event"] == "message" for m in it.simulator.messages()) >= accepted,
              f"{accepted} messages at the SMSC")
        until(lambda: sum(" info finished " in l for l in list(it.lines)) >= accepted, f"{accepted} messages finished")
        for line in list(it.lines):
            check(" info finished " not in line or " outcome=sent " in line, f"accepted, then lost: {line}")
            check(not any(unicodedata.category(c) == "Cc" for c in line), f"a control character: {line!r}")
            check("\ufffd" not in line, f"no UTF-8: {line!r}")


@test
def slow():
    """hundreds that do not bring their header to its end, at both ports, block nobody"""
    with daemon() as it, contextlib.ExitStack() as stack:
        halves = [b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n",
                  head("POST", "/cgi-bin/sendota", "Content-Length: 100") + b"half"]
        held = []
        for i in range(300):
            for port in (it.sendsms, it.admin):
                s = stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
                s.sendall(halves[i % len(halves)])
                held.append(s)
        stop = threading.Event()

        def drip():
            while not stop.wait(0.02):
                for s in held[::7]:
                    with contextlib.suppress(OSError):
                        s.send(b"X")
        dripping = threading.Thread(target=drip, daemon=True)
        dripping.start()
        try:
            for _ in range(20):
                took = best_ms(lambda: same(it.send("+447900900001").status, 202, "a good request"), 1)
                check(took < 1000, f"a good request waited {took:.0f} ms")
                same(it.admin_get("status.txt").status, 200, "the operator's")
        finally:
            stop.set()
            dripping.join()


def all_hostile(it):
    """What is refused: name, and a call that sends it."""
    for name, octets, *_ in HEADERS:
        yield name, lambda o=octets: exchange(it.sendsms, o)
        yield name + " (admin)", lambda o=octets: exchange(it.admin, o)
    for name, octets, _ in ODD:
        yield name, lambda o=octets: exchange(it.sendsms, o)
    for name in SENDSMS[2:]:
        for value in NASTY[:7]:
            query = put({"username": "tester", "password": "foobar", "to": "+447900900001 abc", "mclass": "9", "pid": "999"}, name, value)
            yield f"{name}={value}", lambda q=query: request(it.sendsms, "GET", "/cgi-bin/sendsms?" + q)


@test
def time_and_growth():
    """each hostile request has its answer under 50 ms, and many of each leave the memory where it was"""
    with plain_build(), daemon() as it:
        worst = ("", 0)
        for name, send in all_hostile(it):
            worst = max(worst, (name, best_ms(send)), key=lambda w: w[1])
            check(worst[1] < 50, f"{worst[0]}: took {worst[1]:.1f} ms")
        for name, send in all_hostile(it):
            for _ in range(10):
                send()
        before = rss(it)
        for name, send in all_hostile(it):
            for _ in range(REPEATS):
                send()
        after = rss(it)
        print(f"     slowest: {worst[0]}, {worst[1]:.1f} ms; memory: {before} to {after} kB")
        check(after - before < 2048, f"grew from {before} to {after} kB")


if __name__ == "__main__":
    harness.main()
