#!/usr/bin/env python3
"""Writes Tests/Vectors/wycheproof-*.txt from the test vectors of Project Wycheproof (github.com/C2SP/wycheproof,
directory testvectors_v1, Apache License 2.0): figures only, in a form of our own.

    git clone https://github.com/C2SP/wycheproof && Tests/Vectors/make_wycheproof.py wycheproof

A line is the number of the case in its file, its result (v valid, i invalid, a acceptable) and the base64 of its
fields, "-" for an empty one. Lengths are decimal. All invalid cases are kept; of the valid ones of ML-KEM, whose keys
are large, every n-th."""

import base64
import hashlib
import json
import pathlib
import subprocess
import sys

source = pathlib.Path(sys.argv[1])
target = pathlib.Path(__file__).parent


def cases(name):
    groups = json.loads((source / "testvectors_v1" / (name + "_test.json")).read_text())["testGroups"]
    return [(group, case) for group in groups for case in group["tests"]]


def field(value):
    if isinstance(value, int):
        return str(value)
    raw = value if isinstance(value, bytes) else bytes.fromhex(value)
    return base64.b64encode(raw).decode() or "-"


def write(name, of, fields, rows):
    commit = subprocess.run(
        ["git", "-C", source, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip() or "unknown"
    lines = [
        f"# {of} of Project Wycheproof, commit {commit}; made by make_wycheproof.py.", f"# id result {fields}"]
    lines += [" ".join([str(row[0]), row[1][0]] + [field(value) for value in row[2:]]) for row in rows]
    (target / f"wycheproof-{name}.txt").write_text("\n".join(lines) + "\n")


def simple(name, file, *members, of_group=()):
    write(name, file + "_test.json", " ".join(of_group + members), [
        [case["tcId"], case["result"]] + [group["publicKey"][member] for member in of_group]
        + [case[member] for member in members] for group, case in cases(file)])


simple("x25519", "x25519", "private", "public", "shared")
simple("ed25519", "ed25519", "msg", "sig", of_group=("pk",))
simple("chacha20-poly1305", "chacha20_poly1305", "key", "iv", "aad", "msg", "ct", "tag")
simple("hkdf-sha256", "hkdf_sha256", "ikm", "salt", "info", "size", "okm")
simple("hmac-sha256", "hmac_sha256", "key", "msg", "tag")

# Of an encapsulation key that is to come out only the digest.
write("mlkem768-keygen", "mlkem_768_keygen_seed_test.json", "seed sha256(ek)", [
    [case["tcId"], case["result"], case["seed"], hashlib.sha256(bytes.fromhex(case["ek"])).digest()]
    for _, case in cases("mlkem_768_keygen_seed")])
decaps = [case for _, case in cases("mlkem_768")]
plain = [case for case in decaps if case["result"] == "valid" and not case["flags"]]
kept = [case for case in decaps if case not in plain] + plain[::2]
write("mlkem768-decaps", "mlkem_768_test.json", "seed c K", [
    [case["tcId"], case["result"], case["seed"], case["c"], case["K"]]
    for case in sorted(kept, key=lambda case: case["tcId"])])
encaps = cases("mlkem_768_encaps")
bad = [case for _, case in encaps if case["result"] != "valid"]
good = [case for _, case in encaps if case["result"] == "valid"][::10]
write("mlkem768-keys", "mlkem_768_encaps_test.json", "ek", [
    [case["tcId"], case["result"], case["ek"]] for case in sorted(bad + good, key=lambda case: case["tcId"])])
