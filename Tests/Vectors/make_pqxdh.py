"""Computes the examples of docs/protocol.md, section 4.6, for PQXDH and rotation with `cryptography` and `kyber-py`, and
writes the KEM's part, which is too long to stand there, to Tests/Vectors/pqxdh.txt.

    .build-python/bin/python Tests/Vectors/make_pqxdh.py

Written from the document alone. What it prints are the rows of the document."""

import base64
import hashlib
import hmac
import pathlib
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from kyber_py.ml_kem import ML_KEM_768


def key(byte):
    return X25519PrivateKey.from_private_bytes(bytes([byte]) * 32)


def public(private):
    return private.public_key().public_bytes_raw()


def agree(private, other):
    return private.exchange(other.public_key())


def hkdf(secret, info, count=32, salt=None):
    return HKDF(SHA256(), count, salt, info).derive(secret)


def b32(data):
    return base64.b32encode(data).decode().lower().rstrip("=")


def session_id(secret):
    return hkdf(secret, b"DCP1:session-id")[:10]


def first_message(secret, associated, ratchet, remote, header):
    """The first message of an initiator's chain, with the header as `aad`."""
    chain = hkdf(agree(ratchet, remote), b"DCP1:ratchet-root", 64, secret)[32:]
    nonce = bytes([1, 2, 3, 4]) + struct.pack(">Q", 0)
    message = hkdf(hmac.new(chain, b"\x01", hashlib.sha256).digest(), nonce)
    return ChaCha20Poly1305(message).encrypt(nonce, b"godwit", associated + header)


ours, ephemeral, theirs, signed, single, ratchet = (key(byte) for byte in range(1, 7))
seed, randomness = bytes([0x0D]) * 64, bytes([0x0E]) * 32
encapsulation, _ = ML_KEM_768.key_derive(seed)
shared, ciphertext = ML_KEM_768._encaps_internal(encapsulation, randomness)
contact = public(ephemeral) + struct.pack(">II", 7, 9)
tail = public(ratchet) + struct.pack(">I", 0)
agreed = (b"\xff" * 32 + agree(ours, signed) + agree(ephemeral, theirs) + agree(ephemeral, signed)
          + agree(ephemeral, single))
identities = public(ours) + public(theirs)

secret = hkdf(agreed + shared, b"DCP1:pqxdh_X25519_SHA-256_ML-KEM-768")
associated = identities + hashlib.sha256(b"DCP1:pqxdh-kem\x00" + encapsulation + ciphertext).digest()
header = b"\x03" + contact + struct.pack(">I", 11) + ciphertext + tail
print(f"| SHA-256 of the KEM key | `{hashlib.sha256(encapsulation).hexdigest()}` |")
print(f"| SHA-256 of the KEM ciphertext | `{hashlib.sha256(ciphertext).hexdigest()}` |")
print(f"| KEM secret | `{shared.hex()}` |")
print(f"| session id, PQXDH | `{b32(session_id(secret))}` |")
print(f"| SHA-256 of the header, PQXDH | `{hashlib.sha256(header).hexdigest()}` |")
print(f"| ciphertext, PQXDH | `{first_message(secret, associated, ratchet, signed, header).hex()}` |")

before = hkdf(agreed, b"DCP1:x3dh")
fresh, next_ratchet = key(0x0F), key(0x10)
turn = session_id(before) + struct.pack(">I", 1) + public(fresh)
secret = hkdf(
    hkdf(before, b"DCP1:session-export") + agree(fresh, signed), b"DCP1:session-rotation\x00" + turn + public(signed))
header = (b"\x05" + contact + turn + struct.pack(">I", 7) + public(next_ratchet) + struct.pack(">I", 0))
print(f"| session id, rotated | `{b32(session_id(secret))}` |")
print(f"| header, rotated | `{header.hex()}` |")
print(f"| ciphertext, rotated | `{first_message(secret, identities, next_ratchet, signed, header).hex()}` |")

lines = ["# The encapsulation of docs/protocol.md, section 4.6, by kyber-py; made by make_pqxdh.py."]
for name, value in {"key": encapsulation, "ciphertext": ciphertext, "secret": shared}.items():
    lines.append(name + " " + base64.b64encode(value).decode())
(pathlib.Path(__file__).parent / "pqxdh.txt").write_text("\n".join(lines) + "\n")
