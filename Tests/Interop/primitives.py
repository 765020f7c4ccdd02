"""Derivations and signatures with `cryptography` (OpenSSL), and a second reading of docs/protocol.md, sections 2 to 4."""

import base64
import hashlib
import json
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from jsonlines import b64, raw, serve


def hkdf(key, info, count=32):
    return HKDF(SHA256(), count, None, info).derive(key)


def hmac(key, data):
    mac = HMAC(key, SHA256())
    mac.update(data)
    return mac.finalize()


def lp(text):
    return struct.pack(">H", len(text)) + text.encode()


def argon2id(password, salt, memory_kib, passes):
    return Argon2id(salt=salt, length=32, iterations=passes, lanes=1, memory_cost=memory_kib).derive(password)


def names(request):
    key = raw(request["key"])
    node = argon2id(key, b"DCP1:node-id".ljust(16, b"\0"), 16384, 3)
    device = hashlib.sha256(b"DCP1:device-id\0" + key).digest()
    return {
        "node": base64.b32encode(node).decode().lower()[:8],
        "device": base64.b32encode(device[:5]).decode().lower(),
    }


def verify(request):
    signed = b"DCP1:" + request["purpose"].encode() + b"\0" + raw(request["bytes"])
    Ed25519PublicKey.from_public_bytes(raw(request["key"])).verify(raw(request["signature"]), signed)
    return {"valid": True}


def sign(request):
    signed = b"DCP1:" + request["purpose"].encode() + b"\0" + raw(request["bytes"])
    return {"signature": b64(Ed25519PrivateKey.from_private_bytes(raw(request["seed"])).sign(signed))}


def master_key(kdf, passphrase):
    salt = raw(kdf["salt"])
    if kdf["name"] == "argon2id":
        return argon2id(passphrase, salt, kdf["memory_kib"], kdf["passes"])
    return PBKDF2HMAC(SHA256(), 32, salt, kdf["iterations"]).derive(passphrase)


def open_identity(request):
    record = json.loads(raw(request["record"]))
    key = hkdf(master_key(record["kdf"], raw(request["passphrase"])), b"DCP-ENCRYPTION-KEY-V1")
    bound = request["full_id"].encode() + b"\0" + request["public_key"].encode()
    clear = ChaCha20Poly1305(key).decrypt(raw(record["nonce"]), raw(record["ciphertext"]), bound)
    return {"secrets": clear.decode()}


def epoch_message(request):
    """Encrypts at one position of a sender chain, from the epoch's secret."""
    label = b"DCP1:epoch-chain\0" + raw(request["epoch"]) + lp(request["user"]) + lp(request["device"])
    key = hkdf(raw(request["secret"]), label)
    for _ in range(request["position"]):
        key = hmac(key, b"\2")
    nonce = raw(request["salt"]) + struct.pack(">Q", request["position"])
    cipher = ChaCha20Poly1305(hkdf(hmac(key, b"\1"), nonce))
    return {"nonce": b64(nonce), "ciphertext": b64(cipher.encrypt(nonce, raw(request["text"]), raw(request["aad"])))}


def epoch_values(request):
    secret = raw(request["secret"])
    following = hkdf(secret, b"DCP1:epoch-next")
    return {
        "commitment": b64(hkdf(secret, b"DCP1:epoch-commit")),
        "next": b64(following),
        "joined": b64(hkdf(following, b"DCP1:epoch-join\0" + raw(request["join_hash"]))),
        "key_id": base64.b32encode(raw(request["epoch"])[:10]).decode().lower(),
    }


def epoch_unwrap(request):
    ephemeral = X25519PublicKey.from_public_bytes(raw(request["ephemeral"]))
    agreed = b"".join(
        X25519PrivateKey.from_private_bytes(raw(request[name])).exchange(ephemeral)
        for name in ("signed_pre_key", "identity"))
    epoch = raw(request["epoch"])
    key = hkdf(agreed, b"DCP1:epoch-wrap\0" + epoch + lp(request["user"]) + lp(request["device"]))
    return {"secret": b64(ChaCha20Poly1305(key).decrypt(bytes(12), raw(request["wrapped"]), epoch))}


def epoch_key(request):
    """Opens the key of a joiner."""
    sealed, epoch = raw(request["sealed"]), raw(request["epoch"])
    keys = {name: X25519PrivateKey.from_private_bytes(raw(request[name])) for name in ("signed_pre_key", "identity")}
    ephemeral, sponsor = (X25519PublicKey.from_public_bytes(one) for one in (sealed[:32], raw(request["sponsor"])))
    agreed = (keys["signed_pre_key"].exchange(ephemeral) + keys["identity"].exchange(ephemeral)
              + keys["signed_pre_key"].exchange(sponsor))
    key = hkdf(agreed, b"DCP1:epoch-key\0" + epoch + lp(request["user"]) + lp(request["device"]))
    return {"secret": b64(ChaCha20Poly1305(key).decrypt(bytes(12), sealed[32:], epoch))}


def session_id(request):
    return {"id": base64.b32encode(hkdf(raw(request["secret"]), b"DCP1:session-id")[:10]).decode().lower()}


serve({
    "names": names, "verify": verify, "sign": sign, "open_identity": open_identity, "epoch_message": epoch_message,
    "epoch_values": epoch_values, "epoch_unwrap": epoch_unwrap, "epoch_key": epoch_key, "session_id": session_id,
})
