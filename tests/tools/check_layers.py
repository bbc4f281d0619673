#!/usr/bin/env python3
"""The first layer guard: every #include "folder/..." against the table of the architecture.

check_layers.py SOURCE_DIR: prints each include that points upward or sideways, exit 1 if there is one.
The second guard is the linker: a folder's unit tests link only what that folder may use.
"""
import pathlib
import re
import sys

# folder: what it may include beside itself (doc/architecture.md has the same table)
MAY = {
    "base": [],
    "io": ["base"],
    "document": ["base"],
    "encode": ["base", "document"],
    "push": ["base"],
    "smsc": ["base", "io", "push"],
    "queue": ["base", "io", "push"],
    "intake": ["base", "io", "document", "encode", "push", "queue"],
    "inbound": ["base", "io", "push", "queue"],
    "dispatch": ["base", "io", "push", "queue", "smsc/smsc.h"],
    "http": ["base", "io", "document", "push", "queue", "intake", "inbound", "dispatch"],
    "simulate": ["base", "io", "document", "encode", "push", "smsc/smpp_pdu.h"],
}

# foreign library: the only files that may include it
FOREIGN = {
    r"event2/": r"gateway/io/",
    r"microhttpd\.h": r"gateway/io/httpd\.c",
    r"curl/": r"gateway/io/fetch\.c",
    r"expat\.h": r"gateway/base/xml\.c",
    r"jansson\.h": r"gateway/base/json_value\.c",
    r"openssl/": r"gateway/(encode/sign\.c|io/stream\.c)",
    r"sqlite3\.h": r"gateway/queue/store_sqlite[a-z_]*\.[ch]",
    r"libpq-fe\.h": r"gateway/queue/store_pgsql[a-z_]*\.[ch]",
    r"systemd/": r"gateway/main/",
    # threads are io/work.c's; the others keep one cached handle for each thread
    r"pthread\.h": r"gateway/(io/|base/text\.c|queue/store_memory\.c|document/parse\.c|encode/sign\.c)",
}


def folder_of(path):
    return path.parts[1] if path.parts[0] == "gateway" else path.parts[0]


def main():
    top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    faults = 0
    for file in sorted([*top.glob("gateway/**/*.[ch]"), *top.glob("smsc/*.[ch]")]):
        path = file.relative_to(top)
        here = folder_of(path)
        for number, line in enumerate(file.read_text().splitlines(), 1):
            ours = re.match(r'\s*#\s*include\s+"(([a-z]+)/[^"]+)"', line)
            if ours and here != "main":
                wanted, folder = ours.groups()
                if folder != here and folder not in MAY[here] and wanted not in MAY[here]:
                    print(f"{path}:{number}: {here}/ may not include {wanted}")
                    faults += 1
            theirs = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
            if theirs:
                for header, place in FOREIGN.items():
                    if re.match(header, theirs.group(1)) and not re.match(place, path.as_posix()):
                        print(f"{path}:{number}: <{theirs.group(1)}> belongs in {place}")
                        faults += 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
