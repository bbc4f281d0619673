#!/usr/bin/env python3
"""Hostile and broken requests against the real daemon: a clear error, quickly, no growth."""
import re

import harness
from harness import (REPEATS, Kantele, Simulator, best_ms, check, document, plain_build, request, rss, same, smsc_group,
                     test)


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


WHO = {"X-Kannel-Username": "tester", "X-Kannel-Password": "foobar", "X-Kannel-To": "+447900900001",
       "X-Kannel-SEC": "userpin", "X-Kannel-PIN": "1234", "Content-Type": "text/vnd.wap.connectivity-xml"}


def octets(text):
    return text if isinstance(text, bytes) else text.encode()


def post(daemon, body):
    return request(daemon.sendsms, "POST", "/cgi-bin/sendota", body, WHO)


@test
def documents():
    """documents that cannot be encoded: 400, place and cure"""
    def run(daemon):
        for name, text, status, words in DOCUMENTS:
            body = octets(text)
            answer = post(daemon, body)
            wanted = {status, 413} if len(body) > 256 * 1024 else {status}
            check(answer.status in wanted, f"{name}: wanted {wanted}, got {answer.status} {answer.text[:300]}")
            if answer.status == 400:
                check(words in answer.text, f"{name}: the answer does not say {words!r}: {answer.text[:300]}")
    with_daemon(run)


def filled(head, each, tail):
    """As long as a document may be, or with as many elements."""
    room = 256 * 1024 - len(ROOT) - len(head) - len(tail)
    return ROOT % (head + each * min(9000 // each.count("<"), room // len(each)) + tail)


APPLICATION = '<characteristic type="APPLICATION">%s</characteristic>'
# Good XML that is much work: name, document
HEAVY = [
    ("resources of one application", filled('<characteristic type="APPLICATION">', '<characteristic type="RESOURCE"/>', "</characteristic>")),
    ("addresses of one proxy", filled('<characteristic type="PXPHYSICAL">', '<parm name="PXADDR" value="1"/>', "</characteristic>")),
    ("accounts beside policies", filled("", APPLICATION % '<parm name="APPID" value="w7"/><parm name="ROLE" value="8"/>' +
                                        '<characteristic type="SecurityPolicy"/>', "")),
    ("unknown types", filled("", '<characteristic type="XPPLICATION"/>', "")),
    ("unknown names", filled('<characteristic type="NAPDEF">', '<parm name="GUARANTEED-BITRATE-UPLINX"/>', "</characteristic>")),
    ("unknown elements", ROOT % "".join(f"<t{i:05}/>" for i in range(9000))),
    ("unknown attributes", ROOT % "".join(f'<parm x{i:05}="" y{i:05}=""/>' for i in range(9000))),
    ("31 attributes each", filled("", "<parm " + " ".join(f'a{i}=""' for i in range(31)) + "/>", "")),
    ("one long value", ROOT % ('<parm value="' + "GSM-GPR" * 36000 + '"/>')),
    ("references to nothing", filled('<characteristic type="ACCESS">', '<parm name="TO-NAPID" value="nothing"/>', "</characteristic>")),
    ("ampersands", ROOT % ('<parm value="' + "&amp;" * 50000 + '"/>')),
    ("text between tags", filled("", '<characteristic type="NAPDEF"> x </characteristic>', "")),
    ("a thousand unclosed", filled("", '<characteristic type="NAPDEF"><parm name="x">', "")),
]


@test
def quickly():
    """every hostile document has its answer within 50 ms"""
    def run(daemon):
        worst = ("", 0)
        for name, text, *_ in DOCUMENTS + HEAVY:
            body = octets(text)
            worst = max(worst, (name, best_ms(lambda: post(daemon, body))), key=lambda w: w[1])
            check(worst[1] < 50, f"{worst[0]}: took {worst[1]:.1f} ms")
        print(f"     slowest: {worst[0]}, {worst[1]:.1f} ms")
    with plain_build():
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


@test
def growth():
    """many of each hostile document leave the memory where it was"""
    def run(daemon):
        bodies = [octets(text)[:200000] for _, text, *_ in DOCUMENTS + HEAVY]
        for _ in range(3):
            for body in bodies:
                post(daemon, body)
        before = rss(daemon)
        for _ in range(REPEATS):
            for body in bodies:
                post(daemon, body)
        after = rss(daemon)
        print(f"     memory: {before} to {after} kB")
        check(after - before < 2048, f"grew from {before} to {after} kB")
    with plain_build():
        with_daemon(run)


if __name__ == "__main__":
    harness.main()
