#!/usr/bin/env python3
"""Hostile PDUs: an SMSC against the real daemon, and an ESME against `kantele simulate`."""
import contextlib
import queue
import socket
import struct
import threading

import harness
from harness import (REPEATS, Kantele, Simulator, check, plain_build, rss, same, smsc_group, test, until)

BIND_TRX, SUBMIT, DELIVER, UNBIND, OUTBIND, ENQUIRE, ALERT, DATA = 9, 4, 5, 6, 0xb, 0x15, 0x102, 0x103
NACK, RESP = 0x80000000, 0x80000000


def pdu(command, sequence, body=b"", status=0, length=None):
    return struct.pack(">IIII", 16 + len(body) if length is None else length, command, status, sequence) + body


def deliver(text, esm=4, coding=0, tlvs=b"", source=b"123", claimed=None):
    return (b"\0\1\1" + source + b"\0\1\1" + b"456\0" + bytes([esm, 0, 0]) + b"\0\0\0\0" + bytes([coding, 0]) +
            bytes([len(text) if claimed is None else claimed]) + text + tlvs)


def submit(text=b"hello", esm=0, destination=b"447900900001", claimed=None, tlvs=b""):
    return (b"\0\1\1" + b"123\0\1\1" + destination + b"\0" + bytes([esm, 0, 0]) + b"\0\0\1\0\0\0" +
            bytes([len(text) if claimed is None else claimed]) + text + tlvs)


RECEIPT = b"id:7 sub:001 dlvrd:001 submit date:2611222315 done date:2611222316 stat:DELIVRD err:000 text:x"

# After these the stream cannot be read on: the line ends.
FATAL = [
    ("length 0", b"\0\0\0\0"), ("length 15", struct.pack(">I", 15) + b"x" * 11), ("length of 4 GiB", b"\xff" * 16),
    ("length of 64 KiB and one", struct.pack(">I", 65537) + b"x" * 12), ("another language", b"HTTP/1.1 200 OK\r\n\r\n"),
    ("unbind", pdu(UNBIND, 1)), ("half a header, and gone", b"\0\0\0\x10\0\0"),
    ("half a PDU, and gone", pdu(DELIVER, 1, deliver(RECEIPT))[:40]),
]

# These are answered, told or passed over, and the line goes on. %s: of whom.
HARMLESS = [
    ("command 0", pdu(0, 5)), ("a command of all ones", pdu(0x7fffffff, 5)), ("an answer of all ones", pdu(0xffffffff, 5)),
    ("a command nobody knows", pdu(0x777, 5, b"\xff" * 30)), ("the greatest PDU", pdu(0x777, 5, b"\xff" * (65536 - 16))),
    ("an answer to nothing", pdu(SUBMIT | RESP, 99, b"M\0")), ("an answer to sequence 0", pdu(SUBMIT | RESP, 0, b"M\0")),
    ("a sequence of 32 bits", pdu(SUBMIT | RESP, 0xffffffff, b"M\0")),
    ("an answer without end", pdu(SUBMIT | RESP, 98, b"M" * 500)),
    ("a deliver_sm_resp", pdu(DELIVER | RESP, 1, b"\0")), ("an unbind_resp", pdu(UNBIND | RESP, 1)),
    ("a bind_resp", pdu(BIND_TRX | RESP, 1, b"\0")), ("a bind_resp that refuses", pdu(BIND_TRX | RESP, 1, status=0xe)),
    ("a nack", pdu(NACK, 0, status=3)), ("an enquire_link_resp", pdu(ENQUIRE | RESP, 77)),
    ("an outbind", pdu(OUTBIND, 3, b"\0\0")), ("an outbind without strings", pdu(OUTBIND, 3)),
    ("an alert", pdu(ALERT, 3, b"\1\0011\0\1\0012\0")), ("an empty deliver_sm", pdu(DELIVER, 3)),
    ("a string without end", pdu(DELIVER, 3, b"\0\1\1" + b"1" * 60)),
    ("a text of 255 octets that are not there", pdu(DELIVER, 3, deliver(b"x", claimed=255))),
    ("half a parameter", pdu(DELIVER, 3, deliver(b"x", tlvs=b"\x04"))),
    ("a parameter without octets", pdu(DELIVER, 3, deliver(b"x", tlvs=b"\x04\x27\0\1"))),
    ("a parameter of 64 KiB", pdu(DELIVER, 3, deliver(b"x", tlvs=b"\x04\x24\xff\xffx"))),
    ("a hundred parameters", pdu(DELIVER, 3, deliver(b"x", tlvs=b"\x14\0\0\0" * 100))),
    ("a payload of 60 kB", pdu(DELIVER, 3, deliver(b"", tlvs=b"\x04\x24\xea\x60" + b"x" * 60000))),
    ("a receipt for nobody", pdu(DELIVER, 3, deliver(RECEIPT))),
    ("a receipt without an id", pdu(DELIVER, 3, deliver(b"stat:DELIVRD"))),
    ("a receipt of impossible dates", pdu(DELIVER, 3, deliver(b"id:7 submit date:99ff done date:-1 stat:DELIVRD"))),
    ("a receipt with an id of 60 kB", pdu(DELIVER, 3, deliver(b"", tlvs=b"\0\x1e\xea\x60" + b"7" * 60000 + b"\x04\x27\0\1\2"))),
    ("a receipt of control characters", pdu(DELIVER, 3, deliver(b"id:\x1b[2J\r\nstat:\x00\xff err:\x9b"))),
    ("a receipt in data_sm", pdu(DATA, 3, b"\0\1\0011\0\1\0012\0\4\0\0" + b"\x04\x24\0\x04id:7")),
    ("states of no length", pdu(DELIVER, 3, deliver(b"", tlvs=b"\0\x1e\0\x027\0\x04\x27\0\0"))),
    ("a header that claims more than there is", pdu(DELIVER, 3, deliver(b"\xff\0\3", esm=0x40))),
    ("segment 9 of 2", pdu(DELIVER, 3, deliver(b"\5\0\3\7\2\x09hi", esm=0x40))),
    ("UCS-2 of an odd length", pdu(DELIVER, 3, deliver(b"\0a\0", esm=0, coding=8))),
    ("controls in an address", pdu(DELIVER, 3, deliver(b"x", esm=0, source=b"\x1b[2J\r\n"))),
]


class Reader:
    """PDUs off a socket, one after the other; None at its end."""

    def __init__(self, sock):
        self.sock, self.rest = sock, b""

    def next(self):
        while True:
            if len(self.rest) >= 4:
                length = struct.unpack(">I", self.rest[:4])[0]
                if len(self.rest) >= length:
                    one, self.rest = self.rest[:length], self.rest[length:]
                    return struct.unpack(">III", one[4:16]) + (one[16:],)
            try:
                piece = self.sock.recv(65536)
            except OSError:
                return None
            if not piece:
                return None
            self.rest += piece

    def until(self, command, sequence):
        """Passes over what else comes; False at the end."""
        while (got := self.next()) is not None:
            if got[0] == command and got[2] == sequence:
                return True
        return False


class Centre:
    """An SMSC that says what it is told to; behaves once `kind` is set."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lines = queue.Queue()      # connections that are bound
        self.kind = False
        self.taken = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                sock.settimeout(10)
                threading.Thread(target=self._bind, args=(sock,), daemon=True).start()

    def _bind(self, sock):
        reader = Reader(sock)
        with contextlib.suppress(OSError):
            got = reader.next()
            if got is None:
                return
            sock.sendall(pdu(got[0] | RESP, got[2], b"smsc\0"))
            if self.kind:
                self._serve(sock, reader)
            else:
                self.lines.put((sock, reader))

    def _serve(self, sock, reader):
        while (got := reader.next()) is not None:
            if got[0] == SUBMIT:
                self.taken.append(got[3])
                sock.sendall(pdu(SUBMIT | RESP, got[2], b"%d\0" % len(self.taken)))
            elif got[0] in (ENQUIRE, UNBIND):
                sock.sendall(pdu(got[0] | RESP, got[2]))

    def line(self):
        try:
            return self.lines.get(timeout=15)
        except queue.Empty:
            raise harness.Failed("the daemon did not bind again")

    def close(self):
        self.listener.close()


@contextlib.contextmanager
def under_attack():
    centre = Centre()
    group = smsc_group(centre.port).replace("reconnect-delay = 1", "reconnect-delay = 0\nwait-ack = 5")
    daemon = Kantele(smsc=group)
    try:
        yield daemon, centre
        check(daemon.running(), "the daemon is still there")
    finally:
        centre.kind = True
        while not centre.lines.empty():
            centre.lines.get()[0].close()
        daemon.stop()
        centre.close()
        daemon.remove()


def alive(sock, reader, sequence=[1000]):
    """The peer still answers."""
    sequence[0] += 1
    sock.sendall(pdu(ENQUIRE, sequence[0]))
    return reader.until(ENQUIRE | RESP, sequence[0])


@test
def hostile_smsc():
    """whatever an SMSC says: the daemon lives, binds again, says it in a few lines, and loses nothing"""
    with under_attack() as (daemon, centre):
        same(daemon.send("+447900900001", "before").status, 202, "accepted before")
        for name, octets in FATAL:
            sock, reader = centre.line()
            check(alive(sock, reader), f"before {name}: no answer")
            sock.sendall(octets)
            if "gone" not in name:
                sock.settimeout(5)
                while reader.next() is not None:
                    pass
            sock.close()
        sock, reader = centre.line()
        for name, octets in HARMLESS:
            sock.sendall(octets)
            check(alive(sock, reader), f"after {name}: the line is gone")
        for octet in pdu(DELIVER, 41, deliver(RECEIPT)) + pdu(0x777, 42, b"\xff" * 9) + pdu(DELIVER, 43, b"x"):
            sock.sendall(bytes([octet]))
        check(reader.until(NACK, 43), "octet by octet: no answer")
        same(daemon.send("+447900900002", "meanwhile").status, 202, "accepted meanwhile")
        for _ in range(5):                      # goodbye, again and again
            sock.sendall(pdu(UNBIND, 50))
            sock.close()
            sock, reader = centre.line()
        told = [l for l in daemon.lines if " warning smsc main" in l or " error smsc main" in l]
        check(len(told) < 3 * len(FATAL) + 30, f"{len(told)} lines:\n" + "\n".join(told[:60]))
        for line in daemon.lines:
            check(line.isprintable(), f"not printable: {line!r}")
        centre.kind = True
        sock.close()
        until(lambda: {t for t in (b"before", b"meanwhile") if any(t in b for b in list(centre.taken))} ==
              {b"before", b"meanwhile"}, "what was accepted to arrive", 20)
        until(lambda: sum(" info finished " in l for l in list(daemon.lines)) == 2, "both to be finished", 20)
        for line in daemon.lines:
            check(" info finished " not in line or "outcome=sent" in line, f"lost: {line}")


def flood(sock, reader, rounds):
    """All harmless ones, many times; what is answered is read on the way."""
    for _ in range(rounds):
        for _, octets in HARMLESS:
            sock.sendall(octets)
        if not alive(sock, reader):
            return False
    return True


@test
def growth_of_the_daemon():
    """all that an SMSC may say, many times: the memory stays, and the log is short"""
    with plain_build(), under_attack() as (daemon, centre):
        sock, reader = centre.line()
        check(flood(sock, reader, 20), "the line is gone")
        before, lines = rss(daemon), len(daemon.lines)
        check(flood(sock, reader, REPEATS), "the line is gone")
        after = rss(daemon)
        print(f"     memory: {before} to {after} kB, {len(daemon.lines) - lines} lines logged")
        check(after - before < 2048, f"grew from {before} to {after} kB")
        check(len(daemon.lines) - lines < 50, f"{len(daemon.lines) - lines} lines logged")


# Half of it a string, which the other half refers to, two octets each time.
BOMB = (b"\6\5\4\x0b\x84\x23\xf0" b"\1\6\1\xb6" b"\3\x0b\4\x81\xea\x31" + b"x" * 30000 + b"\0\x45" +
        b"\x83\0" * 10000 + b"\1")

# To a simulated SMSC, before and after a bind.
TO_THE_SMSC = HARMLESS + [
    ("a submit_sm that claims too much", pdu(SUBMIT, 3, submit(b"x", claimed=255))),
    ("a submit_sm whose header claims too much", pdu(SUBMIT, 3, submit(b"\xff\0\3", esm=0x40))),
    ("a segment of 250 octets", pdu(SUBMIT, 3, submit(b"\5\0\3\7\2\1" + b"x" * 240, esm=0x40))),
    ("segment 1 of 255", pdu(SUBMIT, 3, submit(b"\5\0\3\7\xff\1hi", esm=0x40))),
    ("an address of 60 kB", pdu(SUBMIT, 3, submit(destination=b"1" * 60000))),
    ("an empty submit_sm", pdu(SUBMIT, 3)), ("a submit_sm to controls", pdu(SUBMIT, 3, submit(destination=b"\x1b[2J\n"))),
    ("a push that is none", pdu(SUBMIT, 3, submit(b"\6\5\4\x0b\x84\x23\xf0\1\6\xff\xff\xff\xff", esm=0x40))),
    ("a bomb of strings", pdu(SUBMIT, 3, submit(b"", esm=0x40, tlvs=b"\x04\x24" + struct.pack(">H", len(BOMB)) + BOMB))),
]


def bound(port, name=b"esme"):
    sock = socket.create_connection(("127.0.0.1", port), 10)
    sock.sendall(pdu(BIND_TRX, 1, name + b"\0secret\0\0\x34\0\0\0"))
    reader = Reader(sock)
    check(reader.until(BIND_TRX | RESP, 1), "no answer to a bind")
    return sock, reader


@test
def hostile_esme():
    """whatever an ESME says to the simulator: it lives, serves others, forges no line"""
    simulator = Simulator("--handset", "any,pin=1234")
    try:
        for name, octets in FATAL + [("nothing", b"")] + TO_THE_SMSC:
            with socket.create_connection(("127.0.0.1", simulator.port), 5) as sock:
                sock.sendall(octets)                                    # without a bind
        good, good_reader = bound(simulator.port, b"good")
        halves = [socket.create_connection(("127.0.0.1", simulator.port), 5) for _ in range(200)]
        for sock in halves:
            sock.sendall(b"\0\0\0\x20\0")
        for name, octets in TO_THE_SMSC:
            sock, reader = bound(simulator.port, b"bad\x1b[2J\n")
            sock.sendall(octets)
            check(alive(sock, reader), f"{name}: no answer behind it")
            sock.close()
        for name, octets in FATAL:
            sock, reader = bound(simulator.port)
            sock.sendall(octets)
            if "gone" not in name:
                while reader.next() is not None:
                    pass
            sock.close()
        sock, reader = bound(simulator.port)
        for octet in pdu(SUBMIT, 41, submit()) + pdu(SUBMIT, 42, b"x"):
            sock.sendall(bytes([octet]))
        check(reader.until(SUBMIT | RESP, 41), "octet by octet: no answer")
        good.sendall(pdu(SUBMIT, 7, submit(b"good")))
        check(good_reader.until(SUBMIT | RESP, 7), "others are not served")
        for s in halves + [good, sock]:
            s.close()
        check(simulator.running(), "the simulator is still there")
        simulator.line("together more than 262144 octets")
        for line in simulator.lines + simulator.out:
            check(line.isprintable(), f"not printable: {line!r}")
    finally:
        simulator.stop()


@test
def growth_of_the_simulator():
    """all that an ESME may say, many times: the memory stays"""
    with plain_build():
        simulator = Simulator("--quiet", "--receipts", "--handset", "any,pin=1234")
    try:
        def round_of(number):
            sock, reader = bound(simulator.port, b"n%d" % number)
            for _, octets in TO_THE_SMSC:
                sock.sendall(octets)
            check(alive(sock, reader), "no answer")
            sock.close()
        for i in range(20):
            round_of(i)
        before = rss(simulator)
        for i in range(REPEATS):
            round_of(1000 + i)
        after = rss(simulator)
        print(f"     memory: {before} to {after} kB")
        check(after - before < 2048, f"grew from {before} to {after} kB")
        check(simulator.running(), "the simulator is still there")
    finally:
        simulator.stop()


if __name__ == "__main__":
    harness.main()
