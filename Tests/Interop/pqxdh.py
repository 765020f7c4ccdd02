"""PQXDH of docs/protocol.md, section 4.1, with `cryptography` and `kyber-py`; either side of it, and the KEM by itself."""

import hashlib

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from kyber_py.ml_kem import ML_KEM_768

from jsonlines import b64, raw, serve

INFO = b"DCP1:pqxdh_X25519_SHA-256_ML-KEM-768"


def agree(private, public):
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))


def public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def result(agreed, initiator, responder, kem, ciphertext):
    secret = HKDF(SHA256(), 32, None, INFO).derive(b"\xff" * 32 + b"".join(agreed))
    binding = hashlib.sha256(b"DCP1:pqxdh-kem\x00" + kem + ciphertext).digest()
    return {"secret": b64(secret), "associated": b64(initiator + responder + binding), "ciphertext": b64(ciphertext)}


def initiate(request):
    """`identity` and `ephemeral` are private, the bundle's keys public."""
    ours, ephemeral = raw(request["identity"]), raw(request["ephemeral"])
    theirs, signed, kem = raw(request["theirs"]), raw(request["signed"]), raw(request["kem"])
    agreed = [agree(ours, signed), agree(ephemeral, theirs), agree(ephemeral, signed)]
    if request["one_time"]:
        agreed.append(agree(ephemeral, raw(request["one_time"])))
    shared, ciphertext = ML_KEM_768.encaps(kem)
    return result(agreed + [shared], public(ours), theirs, kem, ciphertext)


def respond(request):
    """`identity`, `signed` and `one_time` are private, `kem` is the seed."""
    ours, signed = raw(request["identity"]), raw(request["signed"])
    initiator, ephemeral, ciphertext = raw(request["initiator"]), raw(request["ephemeral"]), raw(request["ciphertext"])
    agreed = [agree(signed, initiator), agree(ours, ephemeral), agree(signed, ephemeral)]
    if request["one_time"]:
        agreed.append(agree(raw(request["one_time"]), ephemeral))
    kem, private = ML_KEM_768.key_derive(raw(request["kem"]))
    return result(
        agreed + [ML_KEM_768.decaps(private, ciphertext)], initiator, public(ours), kem, ciphertext)


serve({"initiate": initiate, "respond": respond})
