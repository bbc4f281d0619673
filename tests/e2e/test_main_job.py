#!/usr/bin/env python3
"""The main job: sendota in, signed document on the handset, status back; and the daemon's life around it."""
import os
import re
import signal
import subprocess

import harness
from harness import (Callbacks, KANTELE, Kantele, Simulator, check, document, request, same, smsc_group, test, until)

IMSI = "310260123456789"
HANDSET = f"+447900900123,imsi={IMSI},pin=1234"


class Scene:
    def __init__(self, *simulate, more="", user="", core="", handset=HANDSET):
        self.simulator = Simulator("--json", "--handset", handset, *simulate)
        self.daemon = Kantele(smsc=smsc_group(self.simulator.port, more=more), user=user, core=core)
        self.callbacks = Callbacks()
        self.daemon.online()

    def verdict(self, to="+447900900123", nth=0, seconds=15):
        def look():
            rows = [m for m in self.simulator.messages() if m.get("verdict") and m.get("to", "").lstrip("+") == to.lstrip("+")]
            return rows[nth:] and rows[nth]
        return until(look, f"what the handset {to} makes of message {nth + 1}", seconds)

    def events(self, answer):
        return [q["event"][0] for q in self.callbacks.good() if q.get("id", [""])[0] == answer.header("X-Kantele-Id")]

    def end(self):
        status = self.daemon.stop()
        self.simulator.stop()
        self.callbacks.close()
        self.daemon.remove()
        same(status, 0, "exit status of the daemon")


METHODS = [
    ("netwpin", {"imsi": IMSI}), ("userpin", {"pin": "1234"}), ("usernetwpin", {"pin": "1234", "imsi": IMSI}),
]


@test
def accepted():
    """every method: the handset checks the MAC and accepts, the report comes back"""
    scene = Scene("--receipts", "delay=50")
    for nth, (method, secrets) in enumerate(METHODS):
        answer = scene.daemon.ota("+447900900123", document("w7.xml"), sec=method, **secrets,
                                  **{"dlr-mask": 31, "dlr-url": scene.callbacks.url("id=%I&event=%d")})
        same((answer.status, answer.text), (202, "0: Accepted for delivery"), method)
        row = scene.verdict(nth=nth)
        same((row["verdict"], row["mac_ok"]), ("accepted", True), f"{method}: {row}")
        check("w7" in row["document"] and "AAUTHNAME" in row["document"], "the document is whole")
        until(lambda: scene.events(answer) == ["8", "1"], f"{method}: reports, got {scene.callbacks.seen}")
    scene.end()


@test
def wrong_secret():
    """another IMSI or PIN: the handset refuses, and says why"""
    scene = Scene()
    scene.daemon.ota("+447900900123", document("w7.xml"), sec="userpin", pin="9999")
    check("PIN" in (lambda r: r["verdict"] + r.get("reason", ""))(scene.verdict()), "wrong PIN is told")
    scene.daemon.ota("+447900900123", document("w7.xml"), sec="netwpin", imsi="310260999999999")
    check(scene.verdict(nth=1)["mac_ok"] is False, "the MAC does not hold")
    scene.end()


@test
def user_code():
    """USERPINMAC: the answer returns what the user must type, and with it the handset accepts"""
    scene = Scene()
    answer = scene.daemon.ota("+447900900123", document("w7.xml"), sec="userpinmac", pin="4821")
    same(answer.status, 202, answer.text)
    code = answer.header("X-Kantele-User-Code")
    check(re.fullmatch(r"4821\d{4}", code or ""), f"PIN and check digits, got {code}")
    check(code not in "\n".join(scene.daemon.lines), "the code is not in the log")
    scene.end()


@test
def unsigned():
    """sec=none goes out for an account with allow-unsigned only, and the handset refuses it"""
    scene = Scene(user="allow-unsigned = yes")
    same(scene.daemon.ota("+447900900123", document("w7.xml"), sec="none").status, 202, "status")
    check("unsigned" in scene.verdict()["verdict"], "the handset refuses what is unsigned")
    scene.end()


@test
def pin_text_first():
    """a PIN text and the document that it unlocks arrive in that order"""
    scene = Scene("--delay", "20")
    for _ in range(5):
        scene.daemon.send("+447900900123", "Your PIN is 1234")
        scene.daemon.ota("+447900900123", document("w7.xml"), sec="userpin", pin="1234")
    scene.verdict(nth=9)
    kinds = [m["kind"] for m in scene.simulator.messages() if m.get("verdict")]
    same(kinds, ["text", kinds[1]] * 5, "the order at the handset")
    scene.end()


@test
def posted():
    """the document as the body of a POST, ISO-8859-1 and UTF-8 alike"""
    scene = Scene()
    xml = '<?xml version="1.0" encoding="%s"?><wap-provisioningdoc version="1.1"><characteristic type="NAPDEF">' \
          '<parm name="NAPID" value="N"/><parm name="NAME" value="Käyttö"/></characteristic></wap-provisioningdoc>'
    for nth, charset in enumerate(("ISO-8859-1", "UTF-8", "UTF-16", "KOI8-R")):
        body = (xml % charset).replace("ä", "ж").replace("ö", "я").encode(charset) if charset == "KOI8-R" else \
            (xml % charset).encode(charset)
        answer = request(scene.daemon.sendsms, "POST", "/cgi-bin/sendota", body,
                         {"Content-Type": "text/vnd.wap.connectivity-xml", "X-Kannel-Username": "tester",
                          "X-Kannel-Password": "foobar", "X-Kannel-To": "+447900900123", "X-Kannel-SEC": "userpin",
                          "X-Kannel-PIN": "1234"})
        same(answer.status, 202, f"{charset}: {answer.text}")
        check(("Kжyttя" if charset == "KOI8-R" else "Käyttö") in scene.verdict(nth=nth)["document"], charset)
    scene.end()


@test
def several_recipients():
    """several numbers in `to`: one message and one push-id each; NETWPIN takes one"""
    scene = Scene(handset="any,pin=1234")
    answer = scene.daemon.ota("+447900900131 +447900900132 +447900900133", document("w7.xml"), sec="userpin", pin="1234")
    same(answer.status, 202, answer.text)
    same(len(set(answer.all("X-Kantele-Id"))), 3, "push-ids")
    for to in ("447900900131", "447900900132", "447900900133"):
        same(scene.verdict(to)["verdict"], "accepted", to)
    same(scene.daemon.ota("+447900900131 +447900900132", document("w7.xml"), sec="netwpin", imsi=IMSI).status, 400,
         "NETWPIN to two")
    scene.end()


@test
def texts():
    """texts: GSM 7 bit, UCS-2, and concatenated ones arrive as they were"""
    scene = Scene()
    for nth, (text, more) in enumerate([("Grüße, 10 € [ok]", {}), ("日本語 Жук", {"coding": 2, "charset": "UTF-8"}),
                                        ("0123456789" * 40, {}), ("ж" * 200, {"coding": 2, "charset": "UTF-8"})]):
        same(scene.daemon.send("+447900900123", text, **more).status, 202, text[:20])
        same(scene.verdict(nth=nth).get("text"), text, "text at the handset")
    scene.end()


@test
def dead_receiver():
    """a callback that fails is retried, and survives a restart"""
    scene = Scene("--receipts", "delay=20")
    scene.callbacks.answer = lambda path: 503
    answer = scene.daemon.send("+447900900123", "hello", **{"dlr-mask": 31, "dlr-url": scene.callbacks.url("id=%I&event=%d")})
    until(lambda: scene.callbacks.seen, "a first try")
    scene.daemon.line(r" receipt id=")      # it is the daemon's now: the SMSC will not bring it again
    scene.daemon.kill()
    scene.callbacks.answer = lambda path: 200
    scene.daemon.start()
    until(lambda: scene.events(answer) == ["8", "1"], "both events after the restart, in order", 60)
    scene.end()


@test
def drains():
    """SIGTERM: what is in flight is answered, nothing is lost, exit 0 within the deadline"""
    scene = Scene("--delay", "200")
    for i in range(30):
        scene.daemon.send("+4479009003%02d" % i, "x")
    same(scene.daemon.stop(), 0, "exit status")
    scene.daemon.start()
    until(lambda: len([m for m in scene.simulator.messages() if m.get("verdict")]) >= 30, "all thirty", 30)
    scene.daemon.online()
    same(len([m for m in scene.simulator.messages() if m.get("verdict")]), 30, "no duplicates after a clean stop")
    scene.end()


@test
def reloads():
    """SIGHUP applies a new link and keeps the old one; a bad file changes nothing"""
    scene = Scene()
    other = Simulator("--quiet")
    both = scene.daemon.parts["smsc"] + smsc_group(other.port, id="second")
    scene.daemon.write_config(smsc=both)
    scene.daemon.signal(signal.SIGHUP)
    scene.daemon.online(2)
    scene.daemon.file.write_text("group = core\nnonsense\n")
    scene.daemon.signal(signal.SIGHUP)
    scene.daemon.line(r"(?i)configuration.*(kept|unchanged|stays)|keep.*configuration", 10)
    same(scene.daemon.admin_get("status.txt").text.count("(online"), 2, "links after a bad file")
    other.stop()
    scene.end()


@test
def suspends():
    """suspend keeps accepting and sends nothing; resume sends"""
    scene = Scene()
    same(scene.daemon.admin_get("suspend").text, "Kannel suspended", "suspend")
    same(scene.daemon.send("+447900900123", "held").status, 202, "accepted meanwhile")
    check("suspended" in scene.daemon.admin_get("status.txt").text, "status says so")
    same([m for m in scene.simulator.messages() if m.get("verdict")], [], "nothing is sent")
    same(scene.daemon.admin_get("resume").text, "Running resumed", "resume")
    scene.verdict()
    scene.end()


@test
def life_in_the_log():
    """the push-id stands on every line of a message's life"""
    scene = Scene("--receipts", "delay=20")
    answer = scene.daemon.ota("+447900900123", document("w7.xml"), sec="netwpin", imsi=IMSI,
                              **{"dlr-mask": 31, "dlr-url": scene.callbacks.url("id=%I&event=%d")})
    push_id = answer.header("X-Kantele-Id")
    until(lambda: scene.events(answer) == ["8", "1"], "reports")
    until(lambda: any("notified" in line and push_id in line for line in scene.daemon.lines), "the last line")
    words = " ".join(line for line in scene.daemon.lines if f"id={push_id}" in line)
    for event in ("accepted", "sent", "receipt", "finished", "notified"):
        check(f" {event} id={push_id}" in words, f"no line says {event} in: {words}")
    check(IMSI not in "\n".join(scene.daemon.lines), "the IMSI is not in the log")
    scene.end()


@test
def backs_up():
    """kantele backup copies the queue of a running daemon; the copy starts"""
    scene = Scene()
    scene.daemon.admin_get("suspend")
    scene.daemon.send("+447900900123", "in the copy")
    copy = scene.daemon.folder / "copy.db"
    done = subprocess.run([KANTELE, "backup", "-c", str(scene.daemon.file), str(copy)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, cwd=scene.daemon.folder)
    same(done.returncode, 0, done.stdout)
    check(copy.exists() and copy.stat().st_size > 4096, "the copy is there")
    scene.daemon.stop()
    for suffix in ("", "-wal", "-shm"):
        (scene.daemon.folder / f"kantele.db{suffix}").unlink(missing_ok=True)
    copy.rename(scene.daemon.folder / "kantele.db")
    scene.daemon.start()
    same(scene.verdict().get("text"), "in the copy", "what the copy had waiting")
    scene.end()


if __name__ == "__main__":
    harness.main()
