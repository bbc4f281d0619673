#!/usr/bin/env python3
"""Peers that we did not write: Debian's drive_smpp, an SMSC of npm's smpp, wbxml2xml and tshark."""
import json
import pathlib
import re
import subprocess
import tempfile

import harness
from harness import Callbacks, KANTELE, Kantele, Process, Simulator, check, document, free_ports, same, smsc_group, test, until

HERE = pathlib.Path(__file__).resolve().parent
DRIVE_SMPP = "/usr/lib/kannel/test/drive_smpp"


def npm_smsc(*options):
    port = free_ports(1)[0]
    peer = Process(["node", str(HERE / "smsc.js"), str(port), *options], "smsc.js")
    peer.line("listening")
    return peer, port


def lines_of(peer, **wanted):
    found = []
    for line in list(peer.out):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if all(row.get(k) == v for k, v in wanted.items()):
            found.append(row)
    return found


@test
def npm_document_and_reports():
    """npm's smpp takes the document and its receipts (hex in the response, decimal in the receipt) come back"""
    peer, port = npm_smsc()
    callbacks = Callbacks()
    daemon = Kantele(smsc=smsc_group(port, more="msg-id-type = 0x01"))
    try:
        daemon.online()
        good = daemon.ota("+447900900123", document("w7.xml"), sec="netwpin", imsi="310260123456789",
                          **{"dlr-mask": 31, "dlr-url": callbacks.url("id=%I&event=%d&smsc=%i&foreign=%F")})
        same(good.status, 202, good.text)
        bad = daemon.send("+447900900666", "to nobody", **{"dlr-mask": 31, "dlr-url": callbacks.url("id=%I&event=%d")})
        same(bad.status, 202, bad.text)
        events = lambda answer: [q["event"][0] for q in callbacks.good() if q["id"][0] == answer.header("X-Kantele-Id")]
        until(lambda: events(good) == ["8", "1"], f"accepted, delivered; got {callbacks.seen}")
        until(lambda: events(bad) == ["8", "2"], f"accepted, failed; got {callbacks.seen}")
        rows = lines_of(peer, to="447900900123")
        check(len(rows) > 1 and all(r["registered"] & 1 for r in rows), "every segment asks for a report")
    finally:
        daemon.stop()
        peer.kill()
        callbacks.close()
        daemon.remove()


@test
def npm_tls():
    """SMPP over TLS: a certificate that is trusted is taken, any other is refused"""
    folder = pathlib.Path(tempfile.mkdtemp())
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, stderr=subprocess.DEVNULL)
    peer, port = npm_smsc("tls", str(folder / "key.pem"), str(folder / "cert.pem"))
    trusted = smsc_group(port, more=f"use-ssl = yes\nssl-ca-file = {folder}/cert.pem")
    daemon = Kantele(smsc=trusted)
    try:
        daemon.online()
        same(daemon.send("+447900900124", "over TLS").status, 202, "status")
        until(lambda: lines_of(peer, to="447900900124"), "the text at the SMSC")
    finally:
        daemon.stop()
        daemon.remove()
    daemon = Kantele(smsc=smsc_group(port, more="use-ssl = yes"))
    try:
        daemon.line(r"(?i)certificate", 20)
        check("(online" not in daemon.admin_get("status.txt").text, "a link to a stranger is not up")
    finally:
        daemon.stop()
        daemon.remove()
        peer.kill()


@test
def npm_wrong_password():
    """a refused bind says that a person is needed, and is tried again"""
    peer, port = npm_smsc()
    daemon = Kantele(smsc=smsc_group(port).replace("smsc-password = secret", "smsc-password = wrong"))
    try:
        daemon.line(r"(?i)RINVPASWD|password", 10)
        until(lambda: sum("RINVPASWD" in line for line in daemon.lines) >= 2, "a second try", 15)
        same(daemon.send("+447900900125", "later").text, "3: Queued for later delivery", "answer")
    finally:
        daemon.stop()
        peer.kill()
        daemon.remove()


@test
def kannels_driver():
    """Debian's drive_smpp takes texts and documents; its incoming texts are answered and stay with it"""
    port = free_ports(1)[0]
    folder = pathlib.Path(tempfile.mkdtemp())
    peer = Process([DRIVE_SMPP, "-p", str(port), "-m", "5", "-v", "0"], "drive_smpp", cwd=folder)
    more = "system-type = VMA"
    daemon = Kantele(smsc=smsc_group(port, id="foo", more=more).replace("transceiver-mode = true\n", "")
                     .replace("system-type = test\n", ""))
    try:
        daemon.online()
        for i in range(5):
            same(daemon.send(f"+44790090020{i}", f"numbered {i}").status, 202, "status")
        same(daemon.ota("+447900900210", document("w7.xml"), sec="userpin", pin="1234").status, 202, "document")

        def text():
            return "\n".join(list(peer.lines) + list(peer.out))
        for i in range(5):
            until(lambda: f"numbered {i}" in text(), f"text {i} at drive_smpp")
    finally:
        daemon.stop()
        peer.kill()
        daemon.remove()


def kantele(*arguments, stdin=None):
    return subprocess.run([KANTELE, *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def encoded(name, *options):
    done = kantele("encode", "--sec", "userpin", "--pin", "1234", *options, str(harness.DATA / name))
    same(done.returncode, 0, done.stderr.decode())
    return done.stdout


def tree(text):
    """Elements and attributes, as the handset will have them."""
    import xml.etree.ElementTree as ET

    def walk(e):
        return e.tag, dict(e.attrib), [walk(c) for c in e]
    return walk(ET.fromstring(re.sub(rb"<!DOCTYPE[^>]*>", b"", text)))


@test
def wbxml2xml():
    """wbxml2xml decodes what we encode, to the same elements"""
    for name in ("w7.xml", "bench-1k.xml"):
        body = encoded(name, "--output", "wbxml")
        with tempfile.TemporaryDirectory() as folder:
            source, out = pathlib.Path(folder, "in"), pathlib.Path(folder, "out")
            source.write_bytes(body)
            done = subprocess.run(["wbxml2xml", "-o", out, source], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            same(done.returncode, 0, f"{name}: {done.stderr}")
            same(tree(out.read_bytes()), tree((harness.DATA / name).read_bytes()), name)


@test
def manual():
    """the manual page of the configuration is the one that the tables of keys make"""
    done = kantele("check", "--manual")
    same(done.returncode, 0, done.stderr.decode())
    check(done.stdout.decode() == (harness.SOURCE / "doc/kantele.conf.5").read_text(),
          "doc/kantele.conf.5 is old: kantele check --manual >doc/kantele.conf.5")


def dissected(octets, *transport):
    """What tshark -V makes of them as the content of one packet."""
    dump = "".join(f"{i:06x} " + " ".join(f"{b:02x}" for b in octets[i:i + 16]) + "\n" for i in range(0, len(octets), 16))
    with tempfile.TemporaryDirectory() as folder:
        capture = pathlib.Path(folder, "capture.pcap")
        subprocess.run(["text2pcap", "-q", *transport, "-", capture], input=dump.encode(), check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return subprocess.run(["tshark", "-r", capture, "-d", "tcp.port==2775,smpp", "-V"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True).stdout.decode("utf-8", "replace")


@test
def tshark():
    """tshark reads the push: content type, SEC, MAC, and the document"""
    seen = dissected(encoded("bench-1k.xml", "--output", "push"), "-u", "9200,2948")
    for words in ("vnd.wap.connectivity-wbxml", "SEC=USERPIN", "MAC=", "PROVIDER-ID", "dm.example", "GSM-GPRS"):
        check(words in seen, f"tshark does not show {words!r}")
    check("Malformed" not in seen, "tshark calls it malformed")


@test
def submit_on_the_wire():
    """tshark finds every submit_sm of a document well-formed, with ports and concatenation"""
    simulator = Simulator("--json", "--hex")
    daemon = Kantele(smsc=smsc_group(simulator.port))
    try:
        daemon.online()
        same(daemon.ota("+447900900123", document("w7.xml"), sec="userpin", pin="1234").status, 202, "status")
        until(lambda: any(m.get("verdict") for m in simulator.messages()), "the document at the handset")
        pdus = [bytes.fromhex(m["pdu"]) for m in simulator.messages() if m.get("pdu")]
        check(len(pdus) > 1, "several submit_sm")
        seen = dissected(b"".join(pdus), "-T", "2775,2775")
        same(seen.count("Operation: Submit_sm"), len(pdus), "submit_sm that tshark knows")
        for words in ("Application port", "Concatenated"):
            check(words in seen, f"tshark does not show {words!r}")
        check("Malformed" not in seen, "tshark calls it malformed")
    finally:
        daemon.stop()
        simulator.stop()
        daemon.remove()


if __name__ == "__main__":
    harness.main()
