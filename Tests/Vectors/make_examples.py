"""Computes the worked examples of docs/protocol.md from fixed seeds and writes them into it.

    .build-python/bin/python Tests/Vectors/make_examples.py

Written from the document alone, with the `cryptography` package: a second implementation of what it says. Each example
stands in the document as a fenced JSON block behind a comment `<!-- example: name -->`.
"""
import base64
import hashlib
import hmac
import json
import pathlib
import re
import unicodedata

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
TIME = "2025-09-06T10:30:00.123Z"
PASSPHRASE = "correct horse battery staple"


def b64(data):
    return base64.b64encode(data).decode()


def b32(data):
    return base64.b32encode(data).decode().lower().rstrip("=")


def jcs(value):
    # Enough for objects of ASCII strings and integers.
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(data):
    return hashlib.sha256(data).digest()


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf(ikm, salt, info, count):
    pseudo_random, out, block, index = mac(salt or bytes(32), ikm), b"", b"", 1
    while len(out) < count:
        block = mac(pseudo_random, block + info + bytes([index]))
        out, index = out + block, index + 1
    return out[:count]


def lp(data):
    return len(data).to_bytes(2, "big") + data


def without(value, *names):
    return {key: value[key] for key in value if key not in names}


class Signer:
    def __init__(self, byte):
        self.seed = bytes([byte] * 32)
        self.private = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.public = self.private.public_key().public_bytes(*RAW)
        self.text = "ed25519:" + b64(self.public)

    def sign(self, purpose, data):
        return "ed25519:" + b64(self.private.sign(b"DCP1:" + purpose.encode() + b"\0" + data))

    def signed(self, purpose, value):
        return value | {"signature": self.sign(purpose, jcs(value))}


class Agreement:
    def __init__(self, byte):
        self.private = X25519PrivateKey.from_private_bytes(bytes([byte] * 32))
        self.public = self.private.public_key().public_bytes(*RAW)
        self.text = "x25519:" + b64(self.public)

    def with_(self, public):
        return self.private.exchange(X25519PublicKey.from_public_bytes(public))


class Device:
    """A user with one device, from four bytes that stand for seeds."""

    def __init__(self, node, username, identity, signing, agreement, noise, pre_key):
        self.user = f"{node}.{username}"
        self.identity, self.signing = Signer(identity), Signer(signing)
        self.agreement, self.noise, self.pre = Agreement(agreement), Agreement(noise), Agreement(pre_key)
        self.id = b32(sha256(b"DCP1:device-id\0" + self.signing.public)[:5])
        self.party = f"{self.user}/{self.id}"

    def entry(self):
        return self.identity.signed("device", {
            "user_id": self.user, "device": self.id, "signing_key": self.signing.text,
            "agreement_key": self.agreement.text, "noise_key": self.noise.text, "created": TIME})

    def device_list(self):
        return self.identity.signed("device-list", {
            "user_id": self.user, "version": 1, "issued": TIME, "devices": [self.entry()]})

    def pre_key(self):
        return self.signing.signed("pre-key", {
            "user_id": self.user, "device": self.id, "id": 1, "key": self.pre.text, "created": TIME})


def identity_file(alice, node):
    identity = {"full_id": alice.user, "home_node_id": node, "username": alice.user.split(".")[1],
                "public_key": alice.identity.text, "created": TIME, "display_name": "Alice"}
    salt, nonce = bytes([0x21] * 16), bytes([0x22] * 12)
    master = hashlib.pbkdf2_hmac("sha256", unicodedata.normalize("NFC", PASSPHRASE).encode(), salt, 100_000, 32)
    key = hkdf(master, b"", b"DCP-ENCRYPTION-KEY-V1", 32)
    sealed = ChaCha20Poly1305(key).encrypt(
        nonce, jcs({"seed": b64(alice.identity.seed)}), (alice.user + "\0" + alice.identity.text).encode())
    record = {"version": 1, "kdf": {"name": "pbkdf2-hmac-sha256", "iterations": 100_000, "salt": b64(salt)},
              "nonce": b64(nonce), "ciphertext": b64(sealed)}
    file = {"version": "1.0", "identity": identity, "preferences": {},
            "home_node": {"id": node, "name": "Harbour", "endpoint": "wss://chat.example.com"},
            "account_type": "standard", "encrypted_data": b64(jcs(record)),
            "signature": alice.identity.sign("identity", jcs(identity))}
    return file | {"file_signature": alice.identity.sign("identity-file", jcs(file))}


def main():
    hub, hub_noise = Signer(0x01), Agreement(0x02)
    argon = Argon2id(salt=b"DCP1:node-id".ljust(16, b"\0"), length=32, iterations=3, lanes=1, memory_cost=16 * 1024)
    node = b32(argon.derive(hub.public))[:8]
    alice = Device(node, "alice-river", 0x03, 0x04, 0x05, 0x06, 0x07)
    bob = Device(node, "bob-stone", 0x13, 0x14, 0x15, 0x16, 0x17)
    channel = {"channel": "#general", "channel_node": node}

    descriptor = hub.signed("descriptor", {
        "type": "descriptor", "version": "1.0", "id": node, "public_key": hub.text, "noise_key": hub_noise.text,
        "endpoints": ["https://chat.example.com"], "pins": ["sha256:" + b64(bytes([0x08] * 32))], "name": "Harbour",
        "seq": 1, "expires": "2035-09-06T10:30:00.123Z"})
    auth = {"challenge": b64(bytes([0x31] * 32)), "timestamp": TIME, "expires": "2025-09-06T10:35:00.123Z",
            "node_id": node, "user_id": alice.user}
    proof = {"type": "auth_proof", "challenge": auth["challenge"], "public_key": alice.identity.text,
             "device": alice.id, "signature": alice.identity.sign("auth", jcs(auth))}
    command = bob.signing.signed("command", {
        "type": "command", "command": "join_channel", "user_id": bob.user, "device": bob.id, "counter": 1,
        "data": channel | {"pre_key": bob.pre_key()}})
    members = {"type": "members", **channel, "version": 2, "members": sorted([alice.party, bob.party])}
    device_set = sha256(jcs(members["members"]))
    membership = hub.signed("order", {
        "type": "membership", **channel, "version": 2, "at": TIME, "joined": [bob.pre_key()],
        "device_set": b64(device_set), "sponsor": alice.party, "predecessor": b64(bytes([0x42] * 32))})
    join_hash = sha256(jcs(without(membership, "signature")))

    # The epoch of the join, and bob's key of it.
    secret, name = hkdf(bytes([0x41] * 32), b"", b"DCP1:epoch-join\0" + join_hash, 32), join_hash
    def for_bob(label, name):
        return label + b"\0" + name + lp(bob.user.encode()) + lp(bob.id.encode())
    ephemeral = Agreement(0x43)
    join_key = hkdf(ephemeral.with_(bob.pre.public) + ephemeral.with_(bob.agreement.public)
                    + alice.agreement.with_(bob.pre.public), b"", for_bob(b"DCP1:epoch-key", name), 32)
    epoch_key = {"type": "epoch_key", "key_id": b32(name[:10]), "device": bob.id, "key": b64(
        ephemeral.public + ChaCha20Poly1305(join_key).encrypt(bytes(12), secret, name))}

    # One that starts by time after it.
    fresh = bytes([0x44] * 32)
    commitment = hkdf(fresh, b"", b"DCP1:epoch-commit", 32)
    epoch = {"type": "epoch", **channel, "predecessor": b64(name), "membership": 2, "rotation": 1,
             "device_set": b64(device_set), "commitment": b64(commitment), "author": alice.user, "device": alice.id,
             "created": TIME}
    fresh_name = sha256(jcs(epoch))
    ephemeral = Agreement(0x45)
    wrap_key = hkdf(ephemeral.with_(bob.pre.public) + ephemeral.with_(bob.agreement.public), b"",
                    for_bob(b"DCP1:epoch-wrap", fresh_name), 32)
    wrapped = ChaCha20Poly1305(wrap_key).encrypt(bytes(12), fresh, fresh_name)
    epoch = alice.signing.signed("epoch", epoch) | {"wraps": {"ephemeral": ephemeral.text, "for": [
        {"user_id": bob.user, "device": bob.id, "pre_key": 1, "wrapped": b64(wrapped)}]}}

    chain = hkdf(secret, b"", b"DCP1:epoch-chain\0" + name + lp(alice.user.encode()) + lp(alice.id.encode()), 32)
    nonce = bytes([1, 2, 3, 4]) + (0).to_bytes(8, "big")
    message = {"type": "text", "timestamp": TIME, "author": alice.user, "device": alice.id, **channel,
               "epoch": b64(name), "seq": 0, "metadata": {"client": "godwit/0.1.0"},
               "encryption": {"algorithm": "chacha20-poly1305", "key_id": b32(name[:10]), "nonce": b64(nonce),
                              "header": ""}}
    associated = jcs(message)
    message_key = hkdf(mac(chain, b"\x01"), b"", nonce, 32)
    content = bytes(range(16))
    message["content"] = {"ciphertext": b64(ChaCha20Poly1305(message_key).encrypt(nonce, content, associated))}
    body_hash = sha256(jcs(message))
    message_hash = sha256(b"DCP1:link\0" + bytes(32) + body_hash)
    message |= {"prev": None, "id": "msg_" + b32(message_hash[:10]), "signature": alice.signing.sign("message", message_hash)}

    deletion = alice.signing.signed("deletion", {
        "type": "deletion", "user_id": alice.user, "device": alice.id, **channel, "items": b64(message_hash),
        "at": TIME})
    moved = alice.identity.signed("user-moved", {
        "type": "user_moved", "user_id": alice.user, "to": "a7f3k9m2.alice-river", "public_key": alice.identity.text,
        "at": TIME})
    erasure = hub.signed("erasure", {"type": "erasure", "user_id": alice.user, "at": TIME})

    values = {
        "associated_data_sha256": sha256(associated), "body_hash": body_hash, "chain_start": chain,
        "commitment": commitment, "content": content, "device_set": device_set, "epoch_name": fresh_name,
        "epoch_secret": secret, "join_hash": join_hash, "join_key": join_key, "message_hash": message_hash, "message_key": message_key,
        "next": hkdf(secret, b"", b"DCP1:epoch-next", 32), "wrap_key": wrap_key}
    examples = {
        "node-descriptor": descriptor, "identity-file": identity_file(alice, node), "device-list": alice.device_list(),
        "signed-pre-key": bob.pre_key(), "auth-signed": auth, "auth-proof": proof, "join-command": command,
        "members": members, "membership": membership, "epoch-key": epoch_key, "epoch": epoch,
        "message": message,
        "deletion": deletion, "user-moved": moved, "erasure": erasure,
        "values": {key: values[key].hex() for key in values}}
    path = pathlib.Path(__file__).parents[2] / "docs" / "protocol.md"
    document = path.read_text()
    for key, value in examples.items():
        block = f"<!-- example: {key} -->\n```json\n{json.dumps(value, indent=2, sort_keys=True)}\n```"
        pattern = re.compile(f"<!-- example: {key} -->\n```json\n.*?\n```", re.S)
        document, count = pattern.subn(lambda _: block, document)
        assert count == 1, f"{key} stands {count} times in the document"
    path.write_text(document)


if __name__ == "__main__":
    main()
