"""A second reading of docs/protocol.md: names, signatures, ratchets, sender chains, clear content. No code of Godwit."""

import base64
import hashlib
import json
import os
import struct
from datetime import datetime, timezone
from pathlib import Path

import brotli
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from noise.connection import Keypair, NoiseConnection

PRIMER = Path(__file__).resolve().parents[2] / "dictionaries" / "phrases.prefix"
ITERATIONS = 100_000


# Section 1

def b64(data):
    return base64.b64encode(data).decode()


def raw(text):
    return base64.b64decode(text, validate=True)


def b32(data):
    return base64.b32encode(data).decode().lower().rstrip("=")


def jcs(value):
    """RFC 8785 for what occurs here: ASCII member names, whole numbers."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def lp(text):
    return struct.pack(">H", len(text.encode())) + text.encode()


def hmac(key, data):
    mac = HMAC(key, SHA256())
    mac.update(data)
    return mac.finalize()


def hkdf(ikm, info, salt=None, count=32):
    return HKDF(SHA256(), count, salt, info).derive(ikm)


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def without(value, *names):
    return {name: member for name, member in value.items() if name not in names}


# Keys, sections 2 and 3

def public(key):
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def private(key):
    return key.private_bytes_raw()


def key_bytes(kind, text):
    assert text.startswith(kind + ":"), text
    return raw(text[len(kind) + 1:])


def device_id(signing_key):
    return b32(hashlib.sha256(b"DCP1:device-id\0" + signing_key).digest()[:5])


def sign_bytes(key, purpose, data):
    return "ed25519:" + b64(key.sign(b"DCP1:" + purpose.encode() + b"\0" + data))


def signed(key, purpose, value, member="signature"):
    return {**value, member: sign_bytes(key, purpose, jcs(without(value, member)))}


def verify_bytes(key, purpose, data, signature):
    Ed25519PublicKey.from_public_bytes(key).verify(
        key_bytes("ed25519", signature), b"DCP1:" + purpose.encode() + b"\0" + data)


def verify(key, purpose, value, *left_out):
    verify_bytes(key, purpose, jcs(without(value, "signature", *left_out)), value["signature"])


def agree(own, other):
    shared = own.exchange(X25519PublicKey.from_public_bytes(other))
    assert any(shared)
    return shared


# Identity file, sections 4.4 and 6.1

def identity_file(user, key, node, endpoint, passphrase):
    full_id = node["id"] + "." + user
    public_key = "ed25519:" + b64(public(key))
    salt, nonce = os.urandom(16), os.urandom(12)
    master = PBKDF2HMAC(SHA256(), 32, salt, ITERATIONS).derive(passphrase.encode())
    secrets = jcs({"seed": b64(private(key))})
    bound = full_id.encode() + b"\0" + public_key.encode()
    sealed = ChaCha20Poly1305(hkdf(master, b"DCP-ENCRYPTION-KEY-V1")).encrypt(nonce, secrets, bound)
    identity = {
        "full_id": full_id, "home_node_id": node["id"], "username": user, "public_key": public_key, "created": now()}
    file = {
        "version": "1.0", "identity": identity, "preferences": {}, "home_node": {"endpoint": endpoint, "id": node["id"]},
        "account_type": "standard",
        "encrypted_data": b64(jcs({
            "ciphertext": b64(sealed), "nonce": b64(nonce), "version": 1,
            "kdf": {"iterations": ITERATIONS, "name": "pbkdf2-hmac-sha256", "salt": b64(salt)}})),
        "signature": sign_bytes(key, "identity", jcs(identity)),
    }
    return signed(key, "identity-file", file, "file_signature")


# Messages, section 5

OUTSIDE = ("id", "signature", "signed_by", "cover", "recipients", "prev")


def message_hash(message):
    body = hashlib.sha256(jcs(without(message, *OUTSIDE))).digest()
    before = raw(message["prev"]) if message["prev"] else bytes(32)
    return hashlib.sha256(b"DCP1:link\0" + before + body).digest()


def proof(message):
    """What is signed, and the signature: the message's own, or that of a later one of its chain."""
    digest = message_hash(message)
    if message["signature"] is not None:
        assert "cover" not in message and "signed_by" not in message
        return digest, message["signature"]
    for body in message["cover"]["hashes"]:
        digest = hashlib.sha256(b"DCP1:link\0" + digest + raw(body)).digest()
    assert message["signed_by"] == "msg_" + b32(digest[:10])
    return digest, message["cover"]["signature"]


def associated(message):
    return jcs(without(message, *OUTSIDE, "content"))


def seal_content(text):
    """Compact form with nothing but a text, codec 0, padding of Tier 1."""
    packed = b"\0" + b"\x7a" + leb128(len(text.encode())) + text.encode() + b"\x80"
    size = max(16, -(-len(packed) // 8) * 8)
    return packed.ljust(size, b"\0")


def open_content(data):
    assert len(data) % 8 == 0 and len(data) >= 16
    packed = data.rstrip(b"\0")
    assert packed.endswith(b"\x80")
    codec, packed = packed[0], packed[1:-1]
    if codec == 0:
        compact = packed
    elif codec == 1:
        compact = brotli.decompress(packed)
    else:
        assert codec == 2, codec
        decoder = brotli.Decompressor()
        decoder.process(PRIMER.read_bytes())
        compact = decoder.process(packed)
        assert decoder.is_finished()
    return text_of(compact)


def varint(data):
    value = shift = 0
    for index, byte in enumerate(data):
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, data[index + 1:]
    raise ValueError("varint")


def leb128(value):
    digits = b""
    while value > 0x7F:
        digits += bytes([value & 0x7F | 0x80])
        value >>= 7
    return digits + bytes([value])


def fields(data):
    """Top-level fields of a Protocol Buffers message: (number, whole number or bytes)."""
    while data:
        tag, data = varint(data)
        value, data = varint(data)
        if tag & 7 == 2:
            value, data = data[:value], data[value:]
        yield tag >> 3, value


def text_of(compact):
    return dict(fields(compact))[15].decode()


# First contact and ratchet, sections 4.1 and 4.2

def kdf_rk(root, shared):
    both = hkdf(shared, b"DCP1:ratchet-root", root, 64)
    return both[:32], both[32:]


def cipher(message_key, nonce):
    return ChaCha20Poly1305(hkdf(message_key, nonce))


class Ratchet:
    """A session with one device, without skipped keys across chains: the test's messages arrive in order."""

    def __init__(self, secret, identities):
        self.root, self.identities = secret, identities
        self.session = b32(hkdf(secret, b"DCP1:session-id")[:10])
        self.own = self.remote = self.sending = self.receiving = None
        self.sent = self.received = self.previous = 0
        self.first = None  # what form 0x02 repeats until the first answer
        self.salt = os.urandom(4)

    @classmethod
    def initiate(cls, own, other, pre_key, one_time, kem=None):
        """`own`: agreement key; `other`: the device's; `pre_key`: (id, key); `one_time`, `kem`: the same or None."""
        ephemeral = X25519PrivateKey.generate()
        shared = b"\xff" * 32 + agree(own, pre_key[1]) + agree(ephemeral, other) + agree(ephemeral, pre_key[1])
        if one_time:
            shared += agree(ephemeral, one_time[1])
        first = public(ephemeral) + struct.pack(">II", pre_key[0], one_time[0] if one_time else 0)
        if kem:
            from kyber_py.ml_kem import ML_KEM_768
            secret, ciphertext = ML_KEM_768.encaps(kem[1])
            binding = hashlib.sha256(b"DCP1:pqxdh-kem\0" + kem[1] + ciphertext).digest()
            session = cls(
                hkdf(shared + secret, b"DCP1:pqxdh_X25519_SHA-256_ML-KEM-768"), public(own) + other + binding)
            session.first = b"\x03" + first + struct.pack(">I", kem[0]) + ciphertext
        else:
            session = cls(hkdf(shared, b"DCP1:x3dh"), public(own) + other)
            session.first = b"\x02" + first
        session.own, session.remote = X25519PrivateKey.generate(), pre_key[1]
        session.root, session.sending = kdf_rk(session.root, agree(session.own, session.remote))
        return session

    @classmethod
    def respond(cls, own, other, header, pre_keys, one_time_keys):
        ephemeral, (pre_id, one_time_id) = header[1:33], struct.unpack(">II", header[33:41])
        pre_key = pre_keys[pre_id]
        shared = b"\xff" * 32 + agree(pre_key, other) + agree(own, ephemeral) + agree(pre_key, ephemeral)
        if one_time_id:
            shared += agree(one_time_keys[one_time_id], ephemeral)
        session = cls(hkdf(shared, b"DCP1:x3dh"), other + public(own))
        session.own = pre_key
        return session

    def next_header(self):
        tail = public(self.own) + struct.pack(">I", self.previous)
        header = self.first + tail if self.first else b"\x01" + tail
        nonce = self.salt + struct.pack(">Q", self.sent)
        return header, nonce

    def encrypt(self, nonce, content, aad):
        key, self.sending = hmac(self.sending, b"\1"), hmac(self.sending, b"\2")
        self.sent += 1
        return cipher(key, nonce).encrypt(nonce, content, self.identities + aad)

    def decrypt(self, header, nonce, ciphertext, aad):
        remote = header[-36:-4]
        if remote != self.remote:
            self.remote = remote
            self.root, self.receiving = kdf_rk(self.root, agree(self.own, remote))
            self.previous, self.sent, self.received = self.sent, 0, 0
            self.own = X25519PrivateKey.generate()
            self.root, self.sending = kdf_rk(self.root, agree(self.own, remote))
        position = struct.unpack(">Q", nonce[4:])[0]
        while self.received < position:
            self.receiving = hmac(self.receiving, b"\2")
            self.received += 1
        key, self.receiving = hmac(self.receiving, b"\1"), hmac(self.receiving, b"\2")
        self.received += 1
        content = cipher(key, nonce).decrypt(nonce, ciphertext, self.identities + aad)
        self.first = None
        return content


# Epochs, sections 4.3 and 7

class Epoch:
    """Sender chains of one epoch."""

    def __init__(self, name, secret):
        self.name, self.secret = name, secret
        self.next = hkdf(secret, b"DCP1:epoch-next")
        self.chains = {}
        self.salt = os.urandom(4)

    @property
    def key_id(self):
        return b32(self.name[:10])

    @staticmethod
    def commitment(secret):
        return hkdf(secret, b"DCP1:epoch-commit")

    def join_secret(self, join_hash):
        return hkdf(self.next, b"DCP1:epoch-join\0" + join_hash)

    def step(self, user, device, position=None):
        """Key and position of a device's message; forward to `position` if that is given."""
        label = b"DCP1:epoch-chain\0" + self.name + lp(user) + lp(device)
        key, at = self.chains.get((user, device)) or (hkdf(self.secret, label), 0)
        while position is not None and at < position:
            key, at = hmac(key, b"\2"), at + 1
        assert position is None or at == position
        self.chains[user, device] = (hmac(key, b"\2"), at + 1)
        return hmac(key, b"\1"), at


def wrap_key(own_pairs, name, user, device, label=b"DCP1:epoch-wrap"):
    """`own_pairs`: the (private, public) pairs of the agreement, in the order SPK, IK, and for a joiner the sponsor's."""
    agreed = b"".join(agree(own, other) for own, other in own_pairs)
    return hkdf(agreed, label + b"\0" + name + lp(user) + lp(device))


def epoch_name(epoch):
    return hashlib.sha256(jcs(without(epoch, "signature", "wraps"))).digest()


def join_hash(membership):
    return hashlib.sha256(jcs(without(membership, "signature"))).digest()


# Seals of frames, section 4.5

def frame_prologue(sender, receiver, sender_key, receiver_key, incarnation, number):
    """The prologue, and the frame's bytes ahead of the Noise message."""
    hint = hashlib.sha256(b"DCP1:frame-hint\0" + sender_key + receiver_key).digest()[:4]
    prologue = b"DCP1:frame\0\1" + lp(sender) + lp(receiver) + hint + incarnation + struct.pack(">Q", number)
    return prologue, b"\1" + hint + incarnation + leb128(number)


def noise_k(own, other, prologue, initiator):
    noise = NoiseConnection.from_name(b"Noise_K_25519_ChaChaPoly_SHA256")
    noise.set_prologue(prologue)
    noise.set_keypair_from_private_bytes(Keypair.STATIC, private(own))
    noise.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, other)
    noise.set_as_initiator() if initiator else noise.set_as_responder()
    noise.start_handshake()
    return noise


__all__ = [name for name in dir() if not name.startswith("_")]
