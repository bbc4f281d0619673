#!/usr/bin/env python3
"""Makes gateway/encode/tokens.c from the token tables in tests/data.

    tests/tools/make_tokens.py > gateway/encode/tokens.c

A table is a TSV file with the columns codepage, kind (tag, attrstart, attrvalue), token, name, value, since, status, note.
Rows of status `core` are written and read, `decode-only` are read, `never` are known as spellings only.
"""
import os
import sys

PAGES = 2
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")

# Parms whose values are an enumeration: a value that differs in case only is mended.
ENUMERATED = """BEARER NAP-ADDRTYPE PXADDRTYPE ADDRTYPE LOCAL-ADDRTYPE CALLTYPE AUTHTYPE PXAUTH-TYPE PPGAUTH-TYPE
AUTH-ENTITY SERVICE LINKSPEED DNLINKSPEED AAUTHLEVEL AAUTHTYPE
PROXY_TYPE PPP_LOGINTYPE PROXY_LOGINTYPE PPP_AUTHTYPE CSD_CALLTYPE""".split()
# Page 1 numbers these values 80..83 in the 2002 candidate and 90..93 later, and clients of both ages
# exist: they are read, but written as strings.
INLINE_PARMS = ["AAUTHTYPE"]
INLINE_VALUES = [(1, 0x90), (1, 0x91), (1, 0x92), (1, 0x93)]

TABLES = [
    # prefix, file, version, public id, media rows
    ("prov", "cp-tokens.tsv", 0x03, 0x0B, ["media_provisioning"]),
    ("ota", "ota-tokens.tsv", 0x01, 0x01, ["media_browser_settings", "media_browser_bookmarks"]),
    ("sync", "sync-tokens.tsv", 0x01, 0x01, ["media_syncsettings"]),
]


def rows_of(name):
    with open(os.path.join(DATA, name), encoding="utf-8") as f:
        head = f.readline().rstrip("\n").split("\t")
        for line in f:
            row = dict(zip(head, line.rstrip("\n").split("\t")))
            row["page"], row["code"] = int(row["codepage"]), int(row["token"], 16)
            yield row


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def slot_of(text, mask):
    """As token_slot() in token.c."""
    h = 0x811C9DC5
    for c in text.encode():
        h = (h ^ (c | 0x20)) * 0x01000193 & 0xFFFFFFFF
    return (h ^ h >> 15) & mask


class Words:
    """Spellings with a code per page."""

    def __init__(self):
        self.words = {}

    def add(self, text, row, write):
        codes = self.words.setdefault(text, [0] * PAGES)
        if write:
            codes[row["page"]] = row["code"]

    def emit(self, name, names_of_parms):
        mask = 1
        while mask < 2 * len(self.words):
            mask *= 2
        slots = [0] * mask
        print("static const struct token_word %s_list[] = {" % name)
        for i, (text, codes) in enumerate(self.words.items()):
            flags = []
            if names_of_parms and text in ENUMERATED:
                flags.append("TOKEN_ENUMERATED")
            if names_of_parms and text in INLINE_PARMS:
                flags.append("TOKEN_INLINE")
            print("\t{ %s, %d, %s, { %s } }," % (quoted(text), len(text.encode()), " | ".join(flags) or "0",
                                               ", ".join("0x%02X" % c if c else "0" for c in codes)))
            at = slot_of(text, mask - 1)
            while slots[at]:
                at = (at + 1) % mask
            slots[at] = i + 1
        print("};\n\nstatic const uint8_t %s_slots[%d] = {" % (name, mask))
        for i in range(0, mask, 16):
            print("\t" + " ".join("%d," % s for s in slots[i:i + 16]))
        print("};\n\nstatic const struct token_words %s = {" % name)
        print("\t%s_list, %s_slots, %d, %d, %d" % (name, name, mask - 1, len(self.words),
                                                   max(len(t.encode()) for t in self.words)))
        print("};\n")


def emit_reading(name, type_, width, rows, cell):
    print("static const %s %s[TOKEN_PAGES][0x%02X] = {" % (type_, name, width))
    if not rows:
        print("\t{ %s }" % ("{ NULL, NULL }" if "struct" in type_ else "NULL"))
    for page in range(PAGES):
        mine = sorted((r["code"], r) for r in rows if r["page"] == page and r["status"] != "never")
        if mine:
            print("\t[%d] = {" % page)
            for code, row in mine:
                note = "\t/* %s */" % row["status"] if row["status"] != "core" else ""
                print("\t\t[0x%02X] = %s,%s" % (code & width - 1, cell(row), note))
            print("\t},")
    print("};\n")


def emit_table(prefix, file_, version, public, media):
    rows = list(rows_of(file_))
    of = {kind: [r for r in rows if r["kind"] == kind] for kind in ("tag", "attrstart", "attrvalue")}
    tags, values, attributes = Words(), Words(), {}
    print("/*\n * %s\n */\n" % file_)
    for r in of["tag"]:
        tags.add(r["name"], r, r["status"] == "core")
    for r in of["attrvalue"]:
        if r["since"] != "draft":
            values.add(r["value"], r, r["status"] == "core" and (r["page"], r["code"]) not in INLINE_VALUES)
    for r in of["attrstart"]:
        bare, words = attributes.setdefault(r["name"], ([0] * PAGES, Words()))
        if r["value"]:
            words.add(r["value"], r, r["status"] == "core")
        else:
            bare[r["page"]] = r["code"]

    tags.emit(prefix + "_tags", False)
    if values.words:
        values.emit(prefix + "_values", False)
    for name, (bare, words) in attributes.items():
        if words.words:
            words.emit("%s_%s" % (prefix, name.lower()), name.lower() == "name")
    if attributes:
        print("static const struct token_attribute %s_attributes[] = {" % prefix)
        for name, (bare, words) in attributes.items():
            print("\t{ %s, %d, { %s }, %s }," % (
                quoted(name), len(name), ", ".join("0x%02X" % c if c else "0" for c in bare),
                "&%s_%s" % (prefix, name.lower()) if words.words else "NULL"))
        print("};\n")
    emit_reading(prefix + "_tag_at", "char *const", 0x40, of["tag"], lambda r: quoted(r["name"]))
    emit_reading(prefix + "_start_at", "struct token_start", 0x80, of["attrstart"],
                 lambda r: "{ %s, %s }" % (quoted(r["name"]), quoted(r["value"]) if r["value"] else "NULL"))
    emit_reading(prefix + "_value_at", "char *const", 0x80, of["attrvalue"], lambda r: quoted(r["value"]))

    print("static const struct media *const %s_media[] = { %s, NULL };\n" % (prefix, ", ".join("&" + m for m in media)))
    print("static const struct token_table %s_table = {" % prefix)
    print("\t.media = %s_media," % prefix)
    print("\t.version = 0x%02X, .public_id = 0x%02X," % (version, public))
    print("\t.tags = &%s_tags," % prefix)
    if attributes:
        print("\t.attributes = %s_attributes," % prefix)
        print("\t.attribute_count = sizeof %s_attributes / sizeof *%s_attributes," % (prefix, prefix))
    if values.words:
        print("\t.values = &%s_values," % prefix)
    print("\t.tag_at = %s_tag_at, .start_at = %s_start_at, .value_at = %s_value_at" % (prefix, prefix, prefix))
    print("};\n")


def main():
    print("""/*
 * tokens.c - token tables, made by tests/tools/make_tokens.py; do not edit
 *
 * Knows:     codes and spellings of %s.
 * Does not:  know how a document is written or read (wbxml.c, unwbxml.c).
 * Owns:      constant data only.
 * Threads:   any.
 */
#include "encode/tokens.h"

#include "document/media.h"
""" % ", ".join(t[1] for t in TABLES))
    for table in TABLES:
        emit_table(*table)
    print("const struct token_table *const token_tables[] = { %s, NULL };" % ", ".join("&%s_table" % t[0] for t in TABLES))


if __name__ == "__main__":
    sys.exit(main())
