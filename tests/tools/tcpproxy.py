#!/usr/bin/env python3
"""A wire that can be cut: tcpproxy.py PORT... listens at 127.0.0.1, a port for each that is given.

The first line on standard output says which, in the order of the arguments. Then it obeys lines on standard
input and answers each with the same line:

    go       what comes on one side leaves on the other (so it begins)
    stall    nothing goes through, connections stay: a network that swallows packets
    cut      all connections are reset, and nobody listens: a network that refuses

Nor does anybody listen where the other end does not: libpq tries the next host then, and only then.
It ends with its standard input.
"""
import os
import selectors
import socket
import struct
import sys

PIECE = 256 * 1024
LOOK_S = 0.02           # how often it is looked whether the other end listens again


class Pair:
    """Two sockets, and what is still to be written to each."""

    def __init__(self, near, far, wire):
        self.socks = near, far
        self.wire = wire
        self.left = {near: b"", far: b""}
        self.ended = set()          # has sent its last octet

    def other(self, sock):
        return self.socks[1] if sock is self.socks[0] else self.socks[0]


class Wire:
    """A port here, the port that it leads to; the listener is there while that one can be reached."""

    def __init__(self, to):
        self.to, self.port, self.listener = to, 0, None

    def reach(self):
        """A connection to the other end; None: it refuses."""
        try:
            return socket.create_connection(("127.0.0.1", self.to), 2)
        except OSError:
            return None

    def listen(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]


class Proxy:
    def __init__(self, ports):
        self.selector = selectors.DefaultSelector()
        self.pairs = set()
        self.mode = "go"
        self.wires = [Wire(port) for port in ports]
        for wire in self.wires:
            self.open(wire)

    # --- listeners ---

    def open(self, wire):
        if wire.listener is None:
            wire.listen()
            self.selector.register(wire.listener, selectors.EVENT_READ, lambda s, _, w=wire: self.come(w))

    def close(self, wire):
        if wire.listener is not None:
            if self.selector.get_map().get(wire.listener) is not None:
                self.selector.unregister(wire.listener)
            wire.listener.close()
            wire.listener = None

    def look(self):
        """Who listens again?"""
        for wire in self.wires:
            if wire.listener is None and self.mode == "go":
                far = wire.reach()
                if far is not None:
                    far.close()
                    self.open(wire)

    # --- connections ---

    @staticmethod
    def reset(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def come(self, wire):
        if wire.listener is None:
            return
        try:
            near = wire.listener.accept()[0]
        except OSError:
            return
        far = wire.reach()
        if far is None:
            self.reset(near)
            self.close(wire)
            return
        pair = Pair(near, far, wire)
        self.pairs.add(pair)
        for s in pair.socks:
            s.setblocking(False)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.watch(pair)

    def watch(self, pair):
        """Each side is read while nothing waits for the other, and written while something waits for it."""
        for s in pair.socks:
            wanted = 0
            if self.mode == "go":
                if s not in pair.ended and not pair.left[pair.other(s)]:
                    wanted |= selectors.EVENT_READ
                if pair.left[s]:
                    wanted |= selectors.EVENT_WRITE
            known = self.selector.get_map().get(s)
            if known is None and wanted:
                self.selector.register(s, wanted, lambda sock, what, p=pair: self.serve(p, sock, what))
            elif known is not None and not wanted:
                self.selector.unregister(s)
            elif known is not None and known.events != wanted:
                self.selector.modify(s, wanted, known.data)

    def end(self, pair):
        self.pairs.discard(pair)
        for s in pair.socks:
            if self.selector.get_map().get(s) is not None:
                self.selector.unregister(s)
            if self.mode == "cut":
                self.reset(s)
            else:
                s.close()
        if self.mode == "go" and pair.wire.listener is not None:
            far = pair.wire.reach()         # did it end because nobody is there any more?
            if far is None:
                self.close(pair.wire)
            else:
                far.close()

    def serve(self, pair, sock, what):
        if pair not in self.pairs:
            return
        try:
            if what & selectors.EVENT_WRITE:
                self.write(pair, sock, b"")
            if what & selectors.EVENT_READ:
                octets = sock.recv(PIECE)
                if octets:
                    self.write(pair, pair.other(sock), octets)
                else:
                    pair.ended.add(sock)
        except BlockingIOError:
            pass
        except OSError:
            self.end(pair)
            return
        for s in pair.ended:
            if not pair.left[pair.other(s)]:        # both directions end together: nobody here half-closes
                self.end(pair)
                return
        self.watch(pair)

    @staticmethod
    def write(pair, sock, octets):
        octets = pair.left[sock] + octets
        try:
            pair.left[sock] = octets[sock.send(octets):]
        except BlockingIOError:
            pair.left[sock] = octets

    # --- commands ---

    def obey(self, mode):
        if mode not in ("go", "stall", "cut"):
            return
        self.mode = mode
        for pair in list(self.pairs):
            if mode == "cut":
                self.end(pair)
            else:
                self.watch(pair)
        for wire in self.wires:
            if mode == "stall" and wire.listener is not None:       # nobody answers those who come
                self.selector.unregister(wire.listener)
            elif mode == "cut" or wire.listener is not None:        # whoever came meanwhile is reset with it
                self.close(wire)
        self.look()
        print(mode, flush=True)

    def run(self):
        asked = b""
        self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
        print(*[wire.port for wire in self.wires], flush=True)
        while True:
            self.look()
            for key, what in self.selector.select(LOOK_S):
                if key.data is not None:
                    key.data(key.fileobj, what)
                    continue
                octets = os.read(key.fd, 4096)
                if not octets:
                    return
                *lines, asked = (asked + octets).split(b"\n")
                for line in lines:
                    self.obey(line.decode().strip())


if __name__ == "__main__":
    try:
        Proxy([int(p) for p in sys.argv[1:]]).run()
    except KeyboardInterrupt:
        pass
