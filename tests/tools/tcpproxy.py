#!/usr/bin/env python3
"""A wire that can be cut: tcpproxy.py PORT... listens at 127.0.0.1, a port for each that is given.

The first line on standard output says which, in the order of the arguments. Then it obeys lines on standard
input and answers each with the same line:

    go       what comes on one side leaves on the other (so it begins)
    stall    nothing goes through, connections stay: a network that swallows packets
    cut      all connections are reset, new ones as well: a network that refuses

It ends with its standard input.
"""
import os
import selectors
import socket
import struct
import sys

PIECE = 256 * 1024


class Pair:
    """Two sockets, and what is still to be written to each."""

    def __init__(self, near, far):
        self.socks = near, far
        self.left = {near: b"", far: b""}
        self.ended = set()          # has sent its last octet

    def other(self, sock):
        return self.socks[1] if sock is self.socks[0] else self.socks[0]


class Proxy:
    def __init__(self, ports):
        self.selector = selectors.DefaultSelector()
        self.pairs = set()
        self.mode = "go"
        self.listeners = {}
        for port in ports:
            s = socket.create_server(("127.0.0.1", 0), backlog=64)
            s.setblocking(False)
            self.listeners[s] = port
            self.selector.register(s, selectors.EVENT_READ, self.come)

    def ports(self):
        return [s.getsockname()[1] for s in self.listeners]

    # --- connections ---

    @staticmethod
    def reset(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def come(self, listener, _):
        try:
            near = listener.accept()[0]
        except OSError:
            return
        if self.mode == "cut":
            self.reset(near)
            return
        try:
            far = socket.create_connection(("127.0.0.1", self.listeners[listener]), 2)
        except OSError:
            self.reset(near)
            return
        pair = Pair(near, far)
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
        for s in self.listeners:        # while it stalls, nobody answers those who come
            known = self.selector.get_map().get(s)
            if mode == "stall" and known is not None:
                self.selector.unregister(s)
            elif mode != "stall" and known is None:
                self.selector.register(s, selectors.EVENT_READ, self.come)
        print(mode, flush=True)

    def run(self):
        asked = b""
        self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
        print(*self.ports(), flush=True)
        while True:
            for key, what in self.selector.select():
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
