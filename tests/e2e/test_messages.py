#!/usr/bin/env python3
"""What became of a message: look-up, taking back, putting another in its place, and a person's word about what is in doubt."""
import base64
import json
import urllib.parse

import harness
from harness import Callbacks, Kantele, Simulator, check, free_ports, request, same, smsc_group, test, until

API = "/api/v1/messages"
OTHER_USER = """
group = sendsms-user
username = other
password = else
"""


def basic(user="tester", password="foobar"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def ask(daemon, path, method="GET", **who):
    answer = request(daemon.sendsms, method, API + path, headers=basic(**who))
    return answer.status, json.loads(answer.text)


@test
def look_up():
    """look-up: a sender sees its own messages, by push-id and by receiver, and nobody else's"""
    simulator = Simulator("--receipts", "delay=0")
    daemon = Kantele(smsc_group(simulator.port), user=OTHER_USER, core="unified-prefix = \"+44,0\"")
    daemon.online()
    first = daemon.send("+447900900001", "one", **{"dlr-mask": 1, "dlr-url": "http://127.0.0.1:1/"}).header("X-Kantele-Id")
    second = daemon.send("07900900001", "two").header("X-Kantele-Id")
    until(lambda: all(ask(daemon, "/" + i)[1].get("state") == "finished" for i in (first, second)), "both finish")
    status, message = ask(daemon, "/" + first.upper())
    same(status, 200, "an id in capitals is the same id")
    same({k: message[k] for k in ("id", "to", "state", "outcome", "smsc", "attempts")},
         {"id": first, "to": "+447900900001", "state": "finished", "outcome": "delivered", "smsc": "main", "attempts": 1},
         "what is told")
    check("accepted" in message and "finished" in message and "expires" in message, f"times: {message}")
    status, found = ask(daemon, "?to=07900900001")
    same([m["id"] for m in found["messages"]], [second, first], "by receiver, newest first, whatever form the number has")
    same(len(ask(daemon, "?to=07900900001&limit=1")[1]["messages"]), 1, "limit")
    same(ask(daemon, "/" + first, user="other", password="else")[0], 404, "another account's")
    same(ask(daemon, "?to=07900900001", user="other", password="else")[1]["messages"], [], "another account's, by receiver")
    same(ask(daemon, "/" + first, password="wrong")[0], 401, "a wrong password")
    same(request(daemon.sendsms, "GET", f"{API}/{first}?username=tester&password=foobar").status, 200, "as parameters")
    same(ask(daemon, "/no-such-id")[0], 404, "nobody's")
    same(ask(daemon, "")[0], 400, "of what?")
    same(ask(daemon, "?to=1&limit=0")[0], 400, "limit 0")
    same(ask(daemon, "/" + first, "PUT")[0], 405, "PUT")
    answer = request(daemon.sendsms, "GET", "/cgi-bin/sendsms?to=1&text=x", headers=basic())
    same(answer.status, 202, "the doors of Kannel take Basic authorization too")
    daemon.stop()
    simulator.stop()


@test
def cancel_and_replace():
    """taken back or put another in its place while it waits; too late once it has left"""
    (port,) = free_ports(1)
    daemon = Kantele(smsc_group(port))         # nobody listens: messages wait
    kept, gone, changed = (daemon.send("+447900900001", t).header("X-Kantele-Id") for t in ("kept", "gone", "old"))
    same(ask(daemon, "/" + gone)[1]["state"], "waiting", "it waits")
    same(ask(daemon, "/" + gone, "DELETE")[1]["outcome"], "cancelled", "taken back")
    same(ask(daemon, "/" + gone)[1]["outcome"], "cancelled", "it stays known")
    same(ask(daemon, "/" + gone, "DELETE")[0], 409, "again")
    answer = daemon.send("+447900900001", "new", replaces=changed)
    same((answer.status, answer.header("X-Kantele-Id")), (202, changed), "replaced, under the same id")
    same(daemon.send("+447900900002", "new", replaces=changed).status, 400, "not to another receiver")
    same(daemon.send("+447900900001", "new", replaces=gone).status, 409, "what is gone")
    same(daemon.send("+447900900001", "new", replaces="nothing").status, 404, "what never was")
    same(daemon.send("+447900900001 +447900900002", "new", replaces=changed).status, 400, "one for one")
    xml = harness.document("w7.xml")
    same(daemon.ota("+447900900001", xml, sec="userpin", pin="1234", replaces=kept).status, 202, "a document in the place of a text")
    simulator = Simulator("--json", port=port)
    until(lambda: all(ask(daemon, "/" + i)[1]["state"] == "finished" for i in (kept, changed)), "the others are sent", 30)
    came = [m.get("text") or m.get("media") or m.get("kind") for m in simulator.messages() if "to" in m]
    same(len(came), 2, f"two arrive: {came}")
    same(came[1], "new", "in the order of the first ones")
    same(ask(daemon, "/" + kept, "DELETE")[0], 409, "it has left")
    daemon.stop()
    simulator.stop()


@test
def held():
    """outcome-unknown = hold: a person lists them, sends one again, gives another up"""
    simulator = Simulator("--json", "--silent", "100")
    callbacks = Callbacks()
    daemon = Kantele(smsc_group(simulator.port, more="wait-ack = 1\noutcome-unknown = hold"))
    daemon.online()
    report = {"dlr-mask": 2, "dlr-url": callbacks.url("event=%d")}
    one, two = (daemon.send(f"+44790090000{n}", "x", **report).header("X-Kantele-Id") for n in (1, 2))
    until(lambda: daemon.admin_get("held").text.count("\n") == 2, "both are held")
    listing = daemon.admin_get("held").text
    check(one in listing and two in listing and "to=+447900900002" in listing and "smsc=main" in listing, listing)
    same(ask(daemon, "/" + one)[1]["state"], "held", "the sender sees it")
    same(ask(daemon, "/" + one, "DELETE")[0], 409, "it cannot be taken back: it may have arrived")
    same(daemon.admin_get("resend", password="wrong", id=one).text, "Denied", "not for everybody")
    check("Give id" in daemon.admin_get("resend").text, "which one?")
    check("no such" in daemon.admin_get("give-up", id="nothing").text, "an id that is none")
    same(daemon.admin_get("give-up", id=two).text, "Given up", "given up")
    until(lambda: callbacks.good(), "its report")
    same(callbacks.good()[0]["event"], ["66"], "a failure, its outcome unknown")
    same(ask(daemon, "/" + two)[1]["outcome"], "unknown", "how it ended")
    same(daemon.admin_get("give-up", id=two).text, "This message is not held", "again")
    before = len(simulator.messages())
    same(daemon.admin_get("resend", id=one).text, "Sent again", "sent again")
    until(lambda: len(simulator.messages()) > before, "it arrives at the SMSC once more")
    until(lambda: one in daemon.admin_get("held").text, "and is held again, since this SMSC never answers")
    daemon.kill()
    daemon.start()
    check(one in until(lambda: daemon.admin_get("held").text, "after a restart"), "it is still held after a restart")
    daemon.stop()
    simulator.stop()
    callbacks.close()


if __name__ == "__main__":
    harness.main()
