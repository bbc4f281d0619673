"""A small SMPP 3.4 server ("sink") that accepts every bind and every submit_sm and records them.

Used by golden_replay.py.  Everything runs in one asyncio loop in a background thread;
callers read `sink.pdus` (a list of dicts, arrival order) under `sink.lock`.
"""
import asyncio
import struct
import threading
import time

BINDS = {0x01: "receiver", 0x02: "transmitter", 0x09: "transceiver"}


def cstr(buf, pos):
    end = buf.index(0, pos)
    return buf[pos:end], end + 1


def parse_submit_sm(body):
    d = {}
    pos = 0

    def take_c(name):
        nonlocal pos
        raw, pos = cstr(body, pos)
        d[name] = raw.decode("latin-1")

    def take_b(name):
        nonlocal pos
        d[name] = body[pos]
        pos += 1

    take_c("service_type")
    take_b("source_addr_ton")
    take_b("source_addr_npi")
    take_c("source_addr")
    take_b("dest_addr_ton")
    take_b("dest_addr_npi")
    take_c("destination_addr")
    take_b("esm_class")
    take_b("protocol_id")
    take_b("priority_flag")
    take_c("schedule_delivery_time")
    take_c("validity_period")
    take_b("registered_delivery")
    take_b("replace_if_present_flag")
    take_b("data_coding")
    take_b("sm_default_msg_id")
    take_b("sm_length")
    n = d["sm_length"]
    d["short_message_hex"] = body[pos:pos + n].hex()
    pos += n
    tlvs = []
    while pos + 4 <= len(body):
        tag, length = struct.unpack(">HH", body[pos:pos + 4])
        tlvs.append({"tag": "0x%04x" % tag, "value_hex": body[pos + 4:pos + 4 + length].hex()})
        pos += 4 + length
    if pos != len(body):
        tlvs.append({"tag": "trailing", "value_hex": body[pos:].hex()})
    d["tlvs"] = tlvs
    return d


class Sink:
    def __init__(self, port, host="127.0.0.1", log=None):
        self.host, self.port = host, port
        self.pdus = []
        self.binds = []
        self.lock = threading.Lock()
        self.log = open(log, "a") if log else None
        self.ready = threading.Event()
        self.msgid = 0
        self.last = time.monotonic()
        self.writers = []

    def start(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        if not self.ready.wait(5):
            raise RuntimeError("SMPP sink did not start")
        return self

    def _run(self):
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)

        async def main():
            self.server = await asyncio.start_server(self._client, self.host, self.port)
            self.stopper = asyncio.Event()
            self.ready.set()
            await self.stopper.wait()
            self.server.close()
            for w in self.writers:
                w.close()
            others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for t in others:
                t.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.loop.run_until_complete(main())

    def stop(self):
        self.loop.call_soon_threadsafe(self.stopper.set)
        self.thread.join(3)

    async def _client(self, reader, writer):
        self.writers.append(writer)
        system_id = "?"
        try:
            while True:
                head = await reader.readexactly(16)
                length, cmd, status, seq = struct.unpack(">IIII", head)
                body = await reader.readexactly(length - 16) if length > 16 else b""
                if cmd in BINDS:
                    raw, _ = cstr(body, 0)
                    system_id = raw.decode("latin-1")
                    with self.lock:
                        self.binds.append({"system_id": system_id, "mode": BINDS[cmd], "hex": (head + body).hex()})
                    self._reply(writer, cmd | 0x80000000, seq, b"golden-sink\0")
                elif cmd == 0x15:
                    self._reply(writer, 0x80000015, seq, b"")
                elif cmd == 0x06:
                    self._reply(writer, 0x80000006, seq, b"")
                    await writer.drain()
                    return
                elif cmd == 0x04:
                    d = parse_submit_sm(body)
                    d["bind_system_id"] = system_id
                    d["pdu_hex"] = (head + body).hex()
                    d["recv_time"] = time.time()
                    with self.lock:
                        self.pdus.append(d)
                        self.last = time.monotonic()
                        self.msgid += 1
                        mid = self.msgid
                    if self.log:
                        import json
                        self.log.write(json.dumps(d) + "\n")
                        self.log.flush()
                    self._reply(writer, 0x80000004, seq, b"%d\0" % mid)
                elif cmd & 0x80000000:
                    pass
                else:
                    self._reply(writer, 0x80000000, seq, b"", 0x03)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    @staticmethod
    def _reply(writer, cmd, seq, body, status=0):
        writer.write(struct.pack(">IIII", 16 + len(body), cmd, status, seq) + body)

    def for_dest(self, digits):
        with self.lock:
            return [p for p in self.pdus if p["destination_addr"] in digits]
