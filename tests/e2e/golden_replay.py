#!/usr/bin/env python3
"""Replays golden vectors (JSON Lines) against any server and reports pass or fail per case.

    golden_replay.py --sendsms http://127.0.0.1:13013 --ppg http://127.0.0.1:8080 \
              --admin http://127.0.0.1:13000 --smpp-port 2775 FILE.jsonl [FILE.jsonl ...]

The caller starts the server with the configuration that the vectors name (see --render) and
points its SMPP links at --smpp-port; this script runs the SMSC side there.  A vector file is run
in order; with --jobs N cases run concurrently (each case has destination numbers of its own),
except those marked "serial".

    golden_replay.py --render configs/main.conf --base-port 22100 --rundir DIR > kannel.conf

prints a config with its placeholders filled in (ports: admin +0, smsbox +1, wapbox +2, sendsms +3,
ppg +4, SMPP +5).

Volatile and so not compared: sequence numbers, the concatenation reference (but it has to be the
same in all parts of a message), the WSP transaction id that starts a gateway push, exact validity/schedule
times (compared as an offset from the moment of the request, with a tolerance), dates and the sender name in
push answers.

Gateway pushes and OMA provisioning documents are put together from their parts and compared by meaning
(README.md, "How pushes are compared"); everything else octet by octet.
"""
import argparse
import base64
import calendar
import concurrent.futures
import hashlib
import hmac
import json
import re
import socket
import sys
import threading
import time
import urllib.parse
import xml.etree.ElementTree as ET

from smpp_sink import Sink

PDU_FIELDS = ["bind_system_id", "service_type", "source_addr_ton", "source_addr_npi", "source_addr",
              "dest_addr_ton", "dest_addr_npi", "destination_addr", "esm_class", "protocol_id",
              "priority_flag", "registered_delivery", "replace_if_present_flag", "data_coding",
              "sm_default_msg_id", "tlvs"]
TIME_FIELDS = [("validity_period", "validity_offset_s"), ("schedule_delivery_time", "schedule_offset_s")]
TIME_TOLERANCE = 6


# ---------------------------------------------------------------- configurations

PORTS = {"ADMIN_PORT": 0, "SMSBOX_PORT": 1, "WAPBOX_PORT": 2, "SENDSMS_PORT": 3, "PPG_PORT": 4, "SMPP_PORT": 5}


def ports(base):
    return {k: base + v for k, v in PORTS.items()}


def render(text, base, rundir):
    for k, v in ports(base).items():
        text = text.replace("@%s@" % k, str(v))
    return text.replace("@DIR@", rundir)


# ---------------------------------------------------------------- HTTP

def http_send(host, port, req, timeout=15):
    """Sends one request; returns {status, headers, body(bytes)}; status 0 when nothing came back."""
    body = base64.b64decode(req.get("body_b64") or "")
    target = req["path"] + ("?" + req["query"] if req.get("query") else "")
    lines = ["%s %s HTTP/1.1" % (req["method"], target), "Host: 127.0.0.1"]
    lines += ["%s: %s" % (k, v) for k, v in req.get("headers", [])]
    if req["method"] == "POST" or body:
        lines.append("Content-Length: %d" % len(body))
    lines.append("Connection: close")
    data = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body
    raw = b""
    try:
        with socket.create_connection((host, port), timeout) as s:
            s.settimeout(timeout)
            s.sendall(data)
            while True:
                chunk = s.recv(65536)
                if not chunk:
                    break
                raw += chunk
                if complete(raw):
                    break
    except OSError as e:
        if not raw:
            return {"status": 0, "headers": [], "body": b"", "error": type(e).__name__}
    return parse_response(raw)


def complete(raw):
    head, sep, body = raw.partition(b"\r\n\r\n")
    if not sep:
        return False
    lens = re.findall(rb"(?im)^content-length:\s*(\d+)", head)
    return len(set(lens)) == 1 and len(body) >= int(lens[0])


def parse_response(raw):
    if not raw:
        return {"status": 0, "headers": [], "body": b"", "error": "closed without an answer"}
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    m = re.match(r"HTTP/1\.\d (\d+)", lines[0])
    headers = [[k.strip(), v.strip()] for k, _, v in (l.partition(":") for l in lines[1:])]
    return {"status": int(m.group(1)) if m else 0, "headers": headers, "body": body}


# ---------------------------------------------------------------- PDUs

def smpp_abs_to_epoch(text):
    m = re.match(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d)(\d\d)([+-])$", text)
    if not m:
        return None
    y, mo, d, h, mi, s, _, q, sign = m.groups()
    t = calendar.timegm((2000 + int(y), int(mo), int(d), int(h), int(mi), int(s)))
    return t - int(q) * 900 * (1 if sign == "+" else -1)


def split_udh(pdu):
    data = bytes.fromhex(pdu["short_message_hex"])
    if not pdu["esm_class"] & 0x40 or not data:
        return None, data
    return data[:data[0] + 1], data[data[0] + 1:]


def mask_concat(pdu, mask_tid=False):
    """short_message with the concatenation reference zeroed, and the reference itself.

    mask_tid: zero the first octet after the header too (the WSP transaction id of a push).
    """
    data = bytearray.fromhex(pdu["short_message_hex"])
    ref = None
    if mask_tid:
        at = data[0] + 1 if pdu["esm_class"] & 0x40 and data else 0
        if at < len(data):
            data[at] = 0
    if pdu["esm_class"] & 0x40 and data:
        end = min(data[0] + 1, len(data))
        pos = 1
        while pos + 1 < end:
            iei, n = data[pos], data[pos + 1]
            if (iei, n) == (0, 3) and pos + 4 < end + 1:
                ref = bytes(data[pos + 2:pos + 3])
                data[pos + 2] = 0
            elif (iei, n) == (8, 4):
                ref = bytes(data[pos + 2:pos + 4])
                data[pos + 2:pos + 4] = b"\0\0"
            pos += 2 + n
    return bytes(data).hex(), ref


def record_pdu(p, t0):
    """The stored form of a PDU."""
    out = {k: p[k] for k in PDU_FIELDS}
    for field, off in TIME_FIELDS:
        out[field] = p[field]
        if p[field]:
            t = smpp_abs_to_epoch(p[field])
            out[off] = None if t is None else int(round(t - t0))
    out["short_message_hex"] = p["short_message_hex"]
    out["pdu_hex"] = p["pdu_hex"]
    return out


def by_dest(pdus):
    out = {}
    for p in pdus:
        out.setdefault(p["destination_addr"], []).append(p)
    return out


def compare_fields(label, x, y, ignore=()):
    """The fields of two PDUs except the text."""
    diffs = []
    for f in PDU_FIELDS:
        if f not in ignore and x.get(f) != y.get(f):
            diffs.append("%s.%s: wanted %r got %r" % (label, f, x.get(f), y.get(f)))
    for f, off in TIME_FIELDS:
        if f in ignore:
            continue
        if bool(x.get(f)) != bool(y.get(f)):
            diffs.append("%s.%s: wanted %r got %r" % (label, f, x.get(f), y.get(f)))
        elif x.get(f):
            if x.get(off) is None or y.get(off) is None:
                if x[f] != y[f]:
                    diffs.append("%s.%s: wanted %r got %r" % (label, f, x[f], y[f]))
            elif abs(x[off] - y[off]) > TIME_TOLERANCE:
                diffs.append("%s.%s: wanted %+d s got %+d s" % (label, f, x[off], y[off]))
    return diffs


def compare_octets(dest, a, b, ignore=(), push=False):
    """The PDUs of one destination, octet by octet."""
    diffs, refs = [], set()
    if len(a) != len(b):
        diffs.append("%s: %d PDUs wanted, %d came" % (dest, len(a), len(b)))
    for i, (x, y) in enumerate(zip(a, b)):
        diffs += compare_fields("%s[%d]" % (dest, i), x, y, ignore)
        mx, _ = mask_concat(x, push and i == 0)
        my, ry = mask_concat(y, push and i == 0)
        if mx != my:
            diffs.append("%s[%d].short_message: wanted %s got %s" % (dest, i, mx, my))
        if ry is not None:
            refs.add(ry)
    if len(refs) > 1 and len({mask_concat(x)[1] for x in a}) == 1:
        diffs.append("%s: the parts carry different references" % dest)
    return diffs


def compare_pdus(case, got, ignore=()):
    diffs = []
    pap = case["kind"].startswith("pap")
    w, g = by_dest(case["pdus"]), by_dest(got)
    for dest in sorted(set(w) | set(g)):
        a, b = w.get(dest, []), g.get(dest, [])
        exact = compare_octets(dest, a, b, ignore, pap)
        recorded = read_push(a) if a and b else None
        if recorded and (pap or recorded.media == CP) and not (case.get("kannel_bug") and not exact):
            diffs += compare_push(dest, recorded, a, b, case, ignore)
        else:
            diffs += exact
    return diffs


# ---------------------------------------------------------------- pushes, by meaning

CP = "application/vnd.wap.connectivity-wbxml"
MEDIA = {
    0x02: "text/html", 0x03: "text/plain", 0x06: "text/x-vcalendar", 0x07: "text/x-vcard",
    0x14: "application/vnd.wap.wmlc", 0x2D: "text/vnd.wap.si", 0x2E: "application/vnd.wap.sic",
    0x2F: "text/vnd.wap.sl", 0x30: "application/vnd.wap.slc", 0x31: "text/vnd.wap.co",
    0x32: "application/vnd.wap.coc", 0x34: "application/vnd.wap.sia", 0x35: "text/vnd.wap.connectivity-xml",
    0x36: CP, 0x3E: "application/vnd.wap.mms-message", 0x42: "application/vnd.syncml.dm+wbxml",
    0x43: "application/vnd.syncml.dm+xml", 0x44: "application/vnd.syncml.notification",
    0x48: "application/vnd.oma.drm.message", 0x49: "application/vnd.oma.drm.content",
    0x4A: "application/vnd.oma.drm.rights+xml", 0x4B: "application/vnd.oma.drm.rights+wbxml",
    0x4E: "application/vnd.syncml.ds.notification"
}
SEC, MAC = 0x11, 0x12
NOT_COMPARED = {0x0D: "Content-Length", 0x43: "Encoding-Version"}
KANNEL_VALIDITY = 1440
MAX_OCTETS = 140
MORE_MESSAGES = "0x0426"
CP_FROM_PORT = "23f0"  # Kannel sends documents from 2948; 9200 is the usual one


def uintvar(b, i):
    v = 0
    while True:
        v = v << 7 | b[i] & 0x7F
        i += 1
        if not b[i - 1] & 0x80:
            return v, i


def wsp_text(b, i):
    end = b.index(b"\0", i)
    return b[i:end].decode("latin-1"), end + 1


def wsp_value(b, i):
    """One field value, its octets as they are, and where the next begins (WSP 8.4.1.2)."""
    if b[i] < 32:
        n, start = uintvar(b, i + 1) if b[i] == 31 else (b[i], i + 1)
        if start + n > len(b):
            raise ValueError("a value is longer than the headers")
        return b[i:start + n], start + n
    if b[i] < 128:
        end = b.index(b"\0", i) + 1
        return b[i:end], end
    return b[i:i + 1], i + 1


def wsp_fields(b):
    """Headers or parameters: [(code or name, octets of the value)]."""
    out, i = [], 0
    while i < len(b):
        if b[i] >= 128:
            name, i = b[i] & 0x7F, i + 1
        elif 32 <= b[i] < 127:
            name, i = wsp_text(b, i)
        else:
            raise ValueError("octet %02x where a header begins" % b[i])
        value, i = wsp_value(b, i)
        out.append((name, value))
    return out


def wsp_media(b, i):
    """A media type by name, and where the next octet is."""
    if b[i] >= 128:
        code, i = b[i] & 0x7F, i + 1
    elif b[i] < 31:
        code, i = int.from_bytes(b[i + 1:i + 1 + b[i]], "big"), i + 1 + b[i]
    else:
        return wsp_text(b, i)
    return MEDIA.get(code, code), i


class Push:
    """A push put together from its parts; `faults` says what is wrong with the parts themselves."""

    def __init__(self, pdus):
        self.faults, self.sizes = [], []
        data, refs = b"", set()
        for i, p in enumerate(pdus):
            udh, part = split_udh(p)
            if udh is None:
                raise ValueError("part %d has no user data header" % (i + 1))
            elements, k = {}, 1
            while k + 1 < len(udh):
                elements[udh[k]] = udh[k + 2:k + 2 + udh[k + 1]]
                k += 2 + udh[k + 1]
            concat = elements.pop(0, None) or elements.pop(8, None)
            if i and elements != self.elements:
                self.faults.append("part %d has another header than part 1" % (i + 1))
            self.elements, self.udh_size = elements, len(udh)
            self.concat_size = len(concat) + 2 if concat else 0
            self.sizes.append(len(udh) + len(part))
            if concat:
                refs.add(concat[:-2])
            if (concat[-2:] if concat else None) != (bytes([len(pdus), i + 1]) if len(pdus) > 1 else None):
                self.faults.append("part %d of %d: concatenation element %s"
                                   % (i + 1, len(pdus), concat and concat.hex()))
            data += part
        if len(refs) > 1:
            self.faults.append("the parts carry different references")
        if max(self.sizes) > MAX_OCTETS:
            self.faults.append("a part of %d octets" % max(self.sizes))
        ports = self.elements.pop(5, b"")
        self.to_port, self.from_port = ports[:2].hex(), ports[2:].hex()
        self.size = len(data)
        self.type = data[1]
        n, i = uintvar(data, 2)
        head, self.body = data[i:i + n], data[i + n:]
        if len(head) < n:
            raise ValueError("the headers are longer than the message")
        k, params = 0, []
        if head[0] < 32:
            _, after = wsp_value(head, 0)
            _, k = uintvar(head, 1) if head[0] == 31 else (0, 1)
            self.media, k = wsp_media(head, k)
            params, k = wsp_fields(head[k:after]), after
        else:
            self.media, k = wsp_media(head, 0)
        params = dict(params)
        self.sec, self.mac = params.pop(SEC, None), params.pop(MAC, None)
        self.params = sorted(params.items(), key=str)
        self.headers = sorted(((n, v) for n, v in wsp_fields(head[k:]) if n not in NOT_COMPARED), key=str)


def read_push(pdus):
    try:
        return Push(pdus)
    except (ValueError, IndexError):
        return None


def parts_due(push, limit):
    """How many parts a message of this length takes."""
    if push.size <= limit - (push.udh_size - push.concat_size):
        return 1
    return -(-push.size // (limit - push.udh_size))


def compare_push(dest, want, a, b, case, ignore=()):
    """The PDUs of one destination as one message: fields of the PDUs, ports, content type, headers, body."""
    diffs = []
    for i, y in enumerate(b):
        x = a[min(i, len(a) - 1)] if i < len(b) - 1 else a[-1]
        skip = set(ignore)
        offset = x.get("validity_offset_s") or 0
        if case["kind"].startswith("pap") and abs(offset - KANNEL_VALIDITY) <= TIME_TOLERANCE:
            skip.add("validity_period")
        if len(a) != len(b):
            x, y = ({**p, "tlvs": [t for t in p["tlvs"] if t["tag"] != MORE_MESSAGES]} for p in (x, y))
        diffs += compare_fields("%s[%d]" % (dest, i), x, y, skip)
    try:
        got = Push(b)
    except (ValueError, IndexError) as e:
        return diffs + ["%s: not a push that can be read: %s" % (dest, e)]
    diffs += ["%s: %s" % (dest, f) for f in got.faults]
    due = parts_due(got, max(want.sizes) if len(a) > 1 else MAX_OCTETS)
    if len(b) != due:
        diffs.append("%s: %d parts, its length takes %d" % (dest, len(b), due))

    def differ(what, x, y):
        if x != y:
            diffs.append("%s: %s: wanted %s got %s" % (dest, what, x, y))

    differ("destination port", want.to_port, got.to_port)
    if got.from_port != CP_FROM_PORT or want.media != CP:
        differ("originator port", want.from_port, got.from_port)
    for what in ("elements", "type", "media", "params", "headers", "sec"):
        differ(what, getattr(want, what), getattr(got, what))
    if want.media != CP:
        differ("body", want.body.hex(), got.body.hex())
        return diffs
    if bool(want.mac) != bool(got.mac):
        diffs.append("%s: %s" % (dest, "a MAC that was not asked for" if got.mac else "no MAC"))
    elif got.mac:
        macs = [hmac.new(k, got.body, hashlib.sha1).hexdigest().upper().encode() + b"\0" for k in cp_keys(case)]
        if got.mac not in macs:
            diffs.append("%s: MAC: wanted %s got %s" % (dest, " or ".join(m[:-1].decode() for m in macs), got.mac))
    return diffs + compare_cp(dest, want.body, got.body, case)


# ---------------------------------------------------------------- OMA client provisioning

def request_parameter(case, name, default):
    """A parameter of a sendota request as octets: in the query, or X-Kannel-NAME in the headers of a POST."""
    r = case["request"]
    if r["method"] == "POST":
        found = [v.encode("latin-1") for k, v in r["headers"] if k.lower() == "x-kannel-" + name]
    else:
        pairs = [p.partition("=") for p in (r.get("query") or "").split("&")]
        found = [urllib.parse.unquote_to_bytes(v.replace("+", " ")) for k, _, v in pairs if k == name]
    return found[0] if found else default


def packed_imsi(digits):
    """The contents of EF_IMSI without the length octet: parity nibble, digits, low half first."""
    n = ("9" + digits) if len(digits) % 2 else ("1" + digits + "F")
    return bytes(int(n[i + 1] + n[i], 16) for i in range(0, len(n), 2))


def cp_keys(case):
    """The keys that a message may be signed with: the octets of pin=, or the IMSI when pin= is one."""
    pin = request_parameter(case, "pin", b"1234" if case["request"]["method"] == "POST" else b"12345")
    keys = [pin]
    if request_parameter(case, "sec", b"").upper() == b"NETWPIN" and re.fullmatch(rb"\d{6,15}", pin):
        keys.append(packed_imsi(pin.decode()))
    return keys


def tokens(*parts):
    """{token: word} from runs of consecutive tokens."""
    return {start + i: word for start, words in parts for i, word in enumerate(words.split())}


CP_TAGS = [{5: "wap-provisioningdoc", 6: "characteristic", 7: "parm"}, {6: "characteristic", 7: "parm"}]
# shared/specs/cp-tokens.tsv without its "never" rows; 0x70..0x73 on page 1 as Kannel has them
CP_NAMES = [tokens((0x07, "NAME NAP-ADDRESS NAP-ADDRTYPE CALLTYPE VALIDUNTIL AUTHTYPE AUTHNAME AUTHSECRET "
                       "LINGER BEARER NAPID COUNTRY NETWORK INTERNET PROXY-ID PROXY-PROVIDER-ID DOMAIN "
                       "PROVURL PXAUTH-TYPE PXAUTH-ID PXAUTH-PW STARTPAGE BASAUTH-ID BASAUTH-PW PUSHENABLED "
                       "PXADDR PXADDRTYPE TO-NAPID PORTNBR SERVICE LINKSPEED DNLINKSPEED LOCAL-ADDR "
                       "LOCAL-ADDRTYPE CONTEXT-ALLOW TRUST MASTER SID SOC WSP-VERSION PHYSICAL-PROXY-ID "
                       "CLIENT-ID DELIVERY-ERR-SDU DELIVERY-ORDER TRAFFIC-CLASS MAX-SDU-SIZE "
                       "MAX-BITRATE-UPLINK MAX-BITRATE-DNLINK RESIDUAL-BER SDU-ERROR-RATIO "
                       "TRAFFIC-HANDL-PRIO TRANSFER-DELAY GUARANTEED-BITRATE-UPLINK "
                       "GUARANTEED-BITRATE-DNLINK PXADDR-FQDN PROXY-PW PPGAUTH-TYPE"),
                (0x47, "PULLENABLED DNS-ADDR MAX-NUM-RETRY FIRST-RETRY-TIMEOUT REREG-THRESHOLD T-BIT"),
                (0x4E, "AUTH-ENTITY SPI")),
            tokens((0x07, "NAME"), (0x14, "INTERNET"), (0x1C, "STARTPAGE"), (0x22, "TO-NAPID PORTNBR SERVICE"),
                (0x2E, "AACCEPT AAUTHDATA AAUTHLEVEL AAUTHNAME AAUTHSECRET AAUTHTYPE ADDR ADDRTYPE APPID "
                       "APROTOCOL PROVIDER-ID TO-PROXY URI RULE APPREF TO-APPREF PRI-SSID PRI-U-SSID"),
                (0x45, "EAPTYPE USERNAME PASSWORD REALM USE-PSEUD"),
                (0x4C, "VER-SER-REALM CLIENT-AUTH SES-VAL-TIME CIP-SUIT"),
                (0x70, "WLANHAND EDIT-SET VIEW-SET FORW-SET"))]
CP_TYPES = [tokens((0x51, "PXLOGICAL PXPHYSICAL PORT VALIDITY NAPDEF BOOTSTRAP VENDORCONFIG CLIENTIDENTITY "
                       "PXAUTHINFO NAPAUTHINFO ACCESS BEARERINFO DNS-ADDRINFO")),
            tokens((0x53, "PORT"),
                (0x55, "APPLICATION APPADDR APPAUTH CLIENTIDENTITY RESOURCE WLAN SEC-SSID EAP CERT WEPKEY"))]
CP_VALUES = [tokens((0x85, "IPV4 IPV6 E164 ALPHA APN SCODE TETRA-ITSI MAN"),
                 (0x90, "ANALOG-MODEM V.120 V.110 X.31 BIT-TRANSPARENT DIRECT-ASYNCHRONOUS-DATA-SERVICE"),
                 (0x9A, "PAP CHAP HTTP-BASIC HTTP-DIGEST WTLS-SS MD5"),
                 (0xA2, "GSM-USSD GSM-SMS ANSI-136-GUTS IS-95-CDMA-SMS IS-95-CDMA-CSD IS-95-CDMA-PACKET "
                        "ANSI-136-CSD ANSI-136-GPRS GSM-CSD GSM-GPRS AMPS-CDPD PDC-CSD PDC-PACKET IDEN-SMS "
                        "IDEN-CSD IDEN-PACKET FLEX/REFLEX PHS-SMS PHS-CSD TETRA-SDS TETRA-PACKET "
                        "ANSI-136-GHOST MOBITEX-MPAK CDMA2000-1X-SIMPLE-IP CDMA2000-1X-MOBILE-IP 3G-GSM WLAN"),
                 (0xC5, "AUTOBAUDING"),
                 (0xCA, "CL-WSP CO-WSP CL-SEC-WSP CO-SEC-WSP CL-SEC-WTA CO-SEC-WTA OTA-HTTP-TO "
                        "OTA-HTTP-TLS-TO OTA-HTTP-PO OTA-HTTP-TLS-PO"), (0xE0, "AAA HA")),
             tokens((0x86, "IPV6 E164 ALPHA"), (0x8D, "APPSRV OBEX"), (0x90, ", HTTP- BASIC DIGEST"))]
CP_STARTS = [{5: "name", 6: "value", 0x50: "type", **{t: "name=" + w for t, w in names.items()},
              **{t: "type=" + w for t, w in types.items()}} for names, types in zip(CP_NAMES, CP_TYPES)]
CP_STARTS[0].update({0x45: "version", 0x46: "version=1.0"})


def cp_decode(b):
    """The element tree of a WBXML document, (name, attributes, children); ValueError where it cannot be read."""
    def bad(what):
        raise ValueError("octet %d: %s" % (pos, what))

    def number():
        nonlocal pos
        v, pos = uintvar(b, pos)
        return v

    def string():
        nonlocal pos
        end = b.find(b"\0", pos)
        if end < 0:
            bad("a string without end")
        text, pos = b[pos:end], end + 1
        return text

    def from_table(at):
        if at >= len(table):
            bad("string table offset %d" % at)
        return table[at:].split(b"\0")[0]

    def page_switch(which):
        nonlocal pos
        while b[pos] == 0x00:
            pages[which] = b[pos + 1]
            pos += 2
            if pages[which] > 1:
                bad("code page %d" % pages[which])

    def piece():
        """A string, or None when something else follows."""
        nonlocal pos
        token = b[pos]
        if token == 0x03:
            pos += 1
            return string()
        if token in (0x02, 0x83):
            pos += 1
            n = number()
            return chr(n).encode() if token == 0x02 else from_table(n)
        return None

    def attributes():
        nonlocal pos
        out = {}
        while True:
            page_switch("attr")
            token = b[pos]
            pos += 1
            if token == 0x01:
                return {k: v.decode(charset) for k, v in out.items()}
            if token == 0x04:
                name, value = from_table(number()).decode(charset), b""
            elif token in CP_STARTS[pages["attr"]]:
                name, _, value = CP_STARTS[pages["attr"]][token].partition("=")
                value = value.encode()
            else:
                bad("attribute token %02x on page %d" % (token, pages["attr"]))
            if name in out:
                bad("attribute %s twice" % name)
            while True:
                page_switch("attr")
                text = piece()
                if text is None and b[pos] >= 0x80:
                    if b[pos] not in CP_VALUES[pages["attr"]]:
                        bad("value token %02x on page %d" % (b[pos], pages["attr"]))
                    text = CP_VALUES[pages["attr"]][b[pos]].encode()
                    pos += 1
                if text is None:
                    break
                value += text
            out[name] = value

    def element():
        nonlocal pos
        token = b[pos]
        pos += 1
        if token & 0x3F == 0x04:
            name = from_table(number()).decode(charset)
        elif token & 0x3F in CP_TAGS[pages["tag"]]:
            name = CP_TAGS[pages["tag"]][token & 0x3F]
        else:
            bad("tag %02x on page %d" % (token, pages["tag"]))
        attrs, children = attributes() if token & 0x80 else {}, []
        if token & 0x40:
            while True:
                page_switch("tag")
                if b[pos] == 0x01:
                    pos += 1
                    break
                if piece() is None:
                    children.append(element())
        return name, attrs, children

    try:
        pos, pages = 1, {"tag": 0, "attr": 0}
        if not 1 <= b[0] <= 3:
            bad("WBXML version %02x" % b[0])
        public = number()
        public_at = number() if public == 0 else None
        charset = {3: "ascii", 4: "latin-1", 106: "utf-8"}.get(number()) or bad("charset")
        size = number()
        table, pos = b[pos:pos + size], pos + size
        if public != 0x0B and (public or from_table(public_at) != b"-//WAPFORUM//DTD PROV 1.0//EN"):
            bad("public identifier %02x" % public)
        page_switch("tag")
        root = element()
        if pos != len(b):
            bad("%d octets follow the document" % (len(b) - pos))
        return root
    except (IndexError, RecursionError):
        raise ValueError("the document ends early, at octet %d of %d" % (pos, len(b)))


def source_tree(case):
    """The document in the request as such a tree, None where there is none to read."""
    if case["kind"].startswith("pap"):
        return None
    post = case["request"]["method"] == "POST"
    text = base64.b64decode(case["request"]["body_b64"]) if post else request_parameter(case, "text", b"")

    def tree(el):
        return el.tag, dict(el.attrib), [tree(c) for c in el]

    try:
        return tree(ET.fromstring(text.strip()))
    except ET.ParseError:
        return None


def tree_diff(x, y, path=""):
    """Where two trees first differ, in words; None when they are equal."""
    here = "%s/%s" % (path, x[0])
    if x[:2] != y[:2]:
        return "%s: wanted <%s %s> got <%s %s>" % (here, x[0], x[1], y[0], y[1])
    for c, d in zip(x[2], y[2]):
        found = tree_diff(c, d, here)
        if found:
            return found
    if len(x[2]) != len(y[2]):
        return "%s: %d elements wanted, %d came" % (here, len(x[2]), len(y[2]))
    return None


def compare_cp(dest, want, got, case):
    """Provisioning documents: as Kannel encoded it, or as the request has it."""
    trees = [source_tree(case)]
    try:
        trees.insert(0, cp_decode(want))
    except ValueError:
        if want == got:
            return []
    trees = [t for t in trees if t]
    if not trees:
        return ["%s: body: wanted %s got %s" % (dest, want.hex(), got.hex())]
    try:
        mine = cp_decode(got)
    except ValueError as e:
        return ["%s: WBXML: %s in %s" % (dest, e, got.hex())]
    return [] if mine in trees else ["%s: %s" % (dest, tree_diff(trees[0], mine))]


# ---------------------------------------------------------------- answers

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ?")


def decode_body(resp):
    if "body" in resp and isinstance(resp["body"], str):
        return resp["body"]
    return base64.b64decode(resp["body_b64"]).decode("latin-1")


def pap_shape(text, with_desc=False):
    """Reduces a PAP answer to what a push initiator relies on."""
    try:
        root = ET.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", text))
    except ET.ParseError:
        return None
    out = [root.tag]
    for el in root.iter():
        if el is root:
            continue
        keep = {k: v for k, v in el.attrib.items()
                if k in ("push-id", "code", "query-id", "message-state") or (with_desc and k == "desc")}
        out.append((el.tag, sorted(keep.items())))
    return out


def text_of(raw):
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def skeleton(text):
    """A status answer without its product banner, with numbers replaced and blanks squeezed."""
    text = re.sub(r"(?s)<version>.*?</version>", "<version/>", text)
    if "Status:" in text:
        text = text[text.index("Status:"):]
    text = re.sub(r"\d+(\.\d+)?", "N", text)
    return re.sub(r"\s+", " ", text).strip()


def compare_response(case, resp, body, strict):
    want = case["response"]
    diffs = []
    if want["status"] != resp["status"]:
        diffs.append("status: wanted %d got %d" % (want["status"], resp["status"]))
    wb, gb = decode_body(want), text_of(body)
    kind = case["kind"]
    if kind.startswith("pap") and not strict and pap_shape(wb) is not None:
        a, b = pap_shape(wb), pap_shape(gb)
        if a != b:
            diffs.append("answer: wanted %s got %s" % (a, b if b is not None else gb[:200]))
    elif kind.startswith("admin"):
        mode = case.get("compare", "skeleton")
        if mode == "skeleton" and skeleton(wb) != skeleton(gb):
            diffs.append("answer shape: wanted %r got %r" % (skeleton(wb)[:300], skeleton(gb)[:300]))
        elif mode == "exact" and wb != gb:
            diffs.append("answer: wanted %r got %r" % (wb[:300], gb[:300]))
    elif kind.startswith("sendota") and want["status"] >= 400:
        pass                    # a refusal may say more than Kannel does; its status counts
    else:
        a = re.sub(r'sender-name="[^"]*"', 'sender-name=""', DATE.sub("DATE", wb))
        b = re.sub(r'sender-name="[^"]*"', 'sender-name=""', DATE.sub("DATE", gb))
        if a != b:
            diffs.append("answer: wanted %r got %r" % (a[:300], b[:300]))
    return diffs


# ---------------------------------------------------------------- running

def wait_pdus(sink, dests, expect, settle, maximum):
    """Waits until `expect` PDUs came and nothing more follows for `settle` seconds."""
    end = time.monotonic() + maximum
    n, since = len(sink.for_dest(dests)), time.monotonic()
    while time.monotonic() < end:
        now = len(sink.for_dest(dests))
        if now != n:
            n, since = now, time.monotonic()
        if (expect is None or n >= expect) and time.monotonic() - since >= settle:
            break
        time.sleep(0.02)
    return sink.for_dest(dests)


def run_case(case, targets, sink, settle, expect, maximum, timeout=15):
    dests = set(case["dests"])
    t0 = time.time()
    with sink.lock:
        before = len(sink.pdus)
    host, port = targets[case["service"]]
    resp = http_send(host, port, case["request"], timeout)
    wait_pdus(sink, dests, expect, settle, maximum)
    with sink.lock:
        mine = [p for p in sink.pdus[before:] if p["destination_addr"] in dests]
    return resp, [record_pdu(p, t0) for p in mine]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("files", nargs="*")
    ap.add_argument("--sendsms", default="http://127.0.0.1:13013")
    ap.add_argument("--ppg", default="http://127.0.0.1:8080")
    ap.add_argument("--admin", default="http://127.0.0.1:13000")
    ap.add_argument("--smpp-port", type=int, default=2775)
    ap.add_argument("--smpp-host", default="127.0.0.1")
    ap.add_argument("--wait-binds", type=int, default=1, help="wait for this many SMPP binds first")
    ap.add_argument("--bind-timeout", type=float, default=30)
    ap.add_argument("--jobs", type=int, default=1)
    ap.add_argument("--settle", type=float, default=0.25, help="seconds to look for surplus PDUs")
    ap.add_argument("--max-wait", type=float, default=6)
    ap.add_argument("--config", help="run only the cases of this config")
    ap.add_argument("--only", help="regular expression on the case id")
    ap.add_argument("--ignore", default="", help="comma-separated PDU fields not to compare")
    ap.add_argument("--skip-bugs", action="store_true", help="leave out cases marked kannel_bug")
    ap.add_argument("--skip-crashers", action="store_true", help="leave out cases that stop Kannel (for replaying against Kannel)")
    ap.add_argument("--strict", action="store_true", help="compare push answers as text too")
    ap.add_argument("--quiet", action="store_true", help="print failures and the total only")
    ap.add_argument("--json", help="write the results here as JSON Lines")
    ap.add_argument("--render")
    ap.add_argument("--base-port", type=int, default=22100)
    ap.add_argument("--rundir", default=".")
    a = ap.parse_args()
    if a.render:
        with open(a.render) as fh:
            sys.stdout.write(render(fh.read(), a.base_port, a.rundir))
        return 0

    cases = []
    for f in a.files:
        with open(f) as fh:
            cases += [json.loads(l) for l in fh if l.strip()]
    if a.config:
        cases = [c for c in cases if c["config"].rsplit(".", 1)[0] == a.config.rsplit(".", 1)[0]]
    if a.only:
        cases = [c for c in cases if re.search(a.only, c["id"])]
    if a.skip_bugs:
        cases = [c for c in cases if not c.get("kannel_bug")]
    if a.skip_crashers:
        cases = [c for c in cases if not c.get("kannel_died")]
    if not cases:
        print("no cases")
        return 2
    confs = {c["config"] for c in cases}
    if len(confs) > 1:
        print("cases of several configs (%s): choose one with --config" % ", ".join(sorted(confs)))
        return 2

    targets = {}
    for name in ("sendsms", "ppg", "admin"):
        u = urllib.parse.urlparse(getattr(a, name))
        targets[name] = (u.hostname, u.port)
    sink = Sink(a.smpp_port, a.smpp_host).start()
    end = time.time() + a.bind_timeout
    while len(sink.binds) < a.wait_binds:
        if time.time() > end:
            print("only %d of %d SMPP binds came" % (len(sink.binds), a.wait_binds))
            return 2
        time.sleep(0.1)

    for name in {c["service"] for c in cases}:
        while True:
            try:
                socket.create_connection(targets[name], 1).close()
                break
            except OSError:
                if time.time() > end:
                    print("%s does not listen on port %d" % (name, targets[name][1]))
                    return 2
                time.sleep(0.1)

    ignore = set(filter(None, a.ignore.split(",")))
    out = open(a.json, "w") if a.json else None
    lock = threading.Lock()
    tally = {}

    def one(case):
        if case.get("before_sleep"):
            time.sleep(case["before_sleep"])
        resp, pdus = run_case(case, targets, sink, a.settle, len(case["pdus"]), a.max_wait)
        if case.get("kannel_died"):
            # nothing to compare with: any answer at all will do
            diffs = [] if resp["status"] else ["no answer"]
        else:
            diffs = compare_response(case, resp, resp["body"], a.strict)
            diffs += compare_pdus(case, pdus, ignore)
        with lock:
            t = tally.setdefault(case["kind"], [0, 0])
            t[1] += 1
            t[0] += not diffs
            if diffs or not a.quiet:
                print("%s %s" % ("FAIL" if diffs else "pass", case["id"]))
            for d in diffs:
                print("     " + d)
            if out:
                out.write(json.dumps({"id": case["id"], "pass": not diffs, "diffs": diffs}) + "\n")
            sys.stdout.flush()

    todo = [c for c in cases if not c.get("serial")]
    serial = [c for c in cases if c.get("serial")]
    if a.jobs > 1:
        with concurrent.futures.ThreadPoolExecutor(a.jobs) as ex:
            list(ex.map(one, todo))
    else:
        for c in todo:
            one(c)
    for c in serial:
        one(c)
    sink.stop()
    good, total = sum(t[0] for t in tally.values()), sum(t[1] for t in tally.values())
    print("TOTAL %d/%d passed (%s)" % (good, total, ", ".join("%s %d/%d" % (k, *v) for k, v in sorted(tally.items()))))
    return 0 if good == total else 1


if __name__ == "__main__":
    sys.exit(main())
