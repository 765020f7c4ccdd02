#!/usr/bin/env python3
"""Makes two NNCP nodes `a` and `b` that know each other, in two directories of the given one."""

import os
import re
import subprocess
import sys


def make(directory):
    text = subprocess.run(["nncp-cfgnew", "-nocomments"], capture_output=True, text=True, check=True).stdout
    for name in ("spool", "in"):
        os.makedirs(f"{directory}/{name}", exist_ok=True)
    return text


def own(text, name):
    """A value of the section `self`."""
    section = text[text.index("self: {"):]
    return re.search(rf"^\s*{name}: ?\"?([A-Z0-9]+)\"?$", section, re.M).group(1)


def main(scratch):
    texts = {side: make(f"{scratch}/{side}") for side in "ab"}
    for side, other in ("ab", "ba"):
        lines = [
            f"  spool: {scratch}/{side}/spool",
            f"  log: {scratch}/{side}/log",
            "  " + re.search(r"self: \{.*?\n  \}", texts[side], re.S).group(0),
            "  neigh: {",
        ]
        for name, text in (("self", texts[side]), (other, texts[other])):
            lines += [
                f"    {name}: {{",
                *(f"      {key}: {own(text, key)}" for key in ("id", "exchpub", "signpub", "noisepub")),
                f"      incoming: {scratch}/{side}/in",
                # Its handshake alone takes half a minute on such links.
                "      onlinedeadline: 600",
                "    }",
            ]
        lines.append("  }")
        with open(f"{scratch}/{side}/config", "w", encoding="ascii") as file:
            file.write("{\n" + "\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
