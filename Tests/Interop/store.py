"""Opens a device's locked store without Godwit: docs/architecture.md ("A store under a key") and libraries of others.

usage: store.py CLIENT_HOME PASSPHRASE OUTPUT

Writes the database in clear to OUTPUT and prints one JSON object: what SQLite says of its integrity, how many values it
holds, and which of them stand in a file of the locked device.
"""

import hashlib
import json
import os
import sqlite3
import struct
import sys

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jsonlines import raw

PAGE, EXTRA, MAGIC = 4096, 40, b"Godwit sealed 1\0"


def storage_key(record, passphrase):
    kdf = record["kdf"]
    assert record["version"] == 1 and kdf["name"] == "argon2id" and kdf["memory_kib"] >= 65536
    master = Argon2id(
        salt=raw(kdf["salt"]), length=32, iterations=kdf["passes"], lanes=1, memory_cost=kdf["memory_kib"]
    ).derive(passphrase.encode())
    wrapping = HKDF(SHA256(), 32, None, b"DCP-ENCRYPTION-KEY-V1").derive(master)
    return ChaCha20Poly1305(wrapping).decrypt(
        raw(record["nonce"]), raw(record["ciphertext"]), record["purpose"].encode())


def subkey(key, number):
    """libsodium's crypto_kdf: BLAKE2b with the number as salt."""
    return hashlib.blake2b(
        key=key, salt=struct.pack("<QQ", number, 0), person=b"gwvault1".ljust(16, b"\0"), digest_size=32).digest()


def hchacha20(key, nonce):
    """draft-irtf-cfrg-xchacha, section 2.2."""
    state = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + struct.unpack("<4I", nonce))

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            mixed = state[z] ^ state[x]
            state[z] = (mixed << turn | mixed >> (32 - turn)) & 0xFFFFFFFF

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        quarter(0, 5, 10, 15)
        quarter(1, 6, 11, 12)
        quarter(2, 7, 8, 13)
        quarter(3, 4, 9, 14)
    return struct.pack("<8I", *state[:4], *state[12:])


def open_sealed(key, role, number, sealed):
    """Ciphertext, tag and nonce of 24 bytes."""
    nonce = sealed[-24:]
    cipher = ChaCha20Poly1305(hchacha20(key, nonce[:16]))
    return cipher.decrypt(bytes(4) + nonce[16:], sealed[:-24], MAGIC + struct.pack(">BQ", role, number))


def open_database(key, sealed):
    assert sealed.startswith(MAGIC) and len(sealed) % PAGE == 0
    pages = []
    for number in range(len(sealed) // PAGE):
        page = sealed[number * PAGE:(number + 1) * PAGE]
        start = len(MAGIC) if number == 0 else 0
        clear = open_sealed(key, 1, number, page[start:])
        pages.append((b"SQLite format 3\0" if number == 0 else b"") + clear + bytes(EXTRA))
    # Bytes 18 and 19: no write-ahead log, so that the file stands alone.
    first = bytearray(pages[0])
    first[18:20] = b"\1\1"
    return bytes(first) + b"".join(pages[1:])


def values(database):
    """All texts and blobs that are long enough to be found by no accident."""
    names = [row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    for name in names:
        for row in database.execute(f'SELECT * FROM "{name}"'):
            for value in row:
                value = value.encode() if isinstance(value, str) else value
                if isinstance(value, bytes) and len(value) >= 12:
                    yield value


def main(home, passphrase, output):
    with open(home + "/store.key", "rb") as file:
        key = storage_key(json.load(file), passphrase)
    with open(home + "/device/spool.sqlite", "rb") as file:
        clear = open_database(subkey(key, 1), file.read())
    with open(output, "wb") as file:
        file.write(clear)
    database = sqlite3.connect(output)
    held = set(values(database)) | {key}
    locked = [os.path.join(folder, name) for folder, _, names in os.walk(home + "/device") for name in names]
    files = {path: open(path, "rb").read() for path in locked + [home + "/store.key"]}
    shown = [path for path, content in files.items() for value in held if value in content]
    print(json.dumps({
        "integrity": database.execute("PRAGMA integrity_check").fetchone()[0],
        "values": len(held), "files": len(files), "shown": sorted(set(shown)),
    }))


main(*sys.argv[1:])
