"""The key of a body that several devices read: a second reading of docs/protocol.md, sections 4.2 and 5, with
`cryptography` (OpenSSL). The reader is the responder of a session, whose first chain this is."""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jsonlines import b64, raw, serve


def hmac(key, data):
    mac = HMAC(key, SHA256())
    mac.update(data)
    return mac.finalize()


def message_key(secret, signed_pre_key, header, nonce):
    ratchet = X25519PublicKey.from_public_bytes(header[-36:-4])
    agreed = X25519PrivateKey.from_private_bytes(signed_pre_key).exchange(ratchet)
    chain = HKDF(SHA256(), 64, secret, b"DCP1:ratchet-root").derive(agreed)[32:]
    for _ in range(int.from_bytes(nonce[4:], "big")):
        chain = hmac(chain, b"\x02")
    return HKDF(SHA256(), 32, None, nonce).derive(hmac(chain, b"\x01"))


def read(request):
    header, nonce, wrapped = (raw(request[name]) for name in ("header", "nonce", "wrapped"))
    associated = raw(request["associated"]) + b"DCP1:body-wrap\0" + raw(request["hash"]) + header
    key = message_key(raw(request["secret"]), raw(request["signed_pre_key"]), header, nonce)
    body_key = ChaCha20Poly1305(key).decrypt(nonce, wrapped, associated)
    name = hashlib.sha256(b"DCP1:body-key\0" + body_key).digest()[:20]
    content = ChaCha20Poly1305(body_key).decrypt(raw(request["body_nonce"]), raw(request["ciphertext"]), raw(request["aad"]))
    return {"key_id": base64.b32encode(name).decode().lower(), "content": b64(content)}


if __name__ == "__main__":
    serve({"read": read})
