"""The Double Ratchet of docs/protocol.md, section 4.2, with `doubleratchet`.

The library's AEAD sees key, text and associated data only, so the nonce is the associated data's last 12 bytes. The
tests' `aad` is the header's 37 bytes and the nonce."""

import asyncio
import struct

import doubleratchet
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from doubleratchet.recommended import HashFunction, diffie_hellman_ratchet_curve25519, kdf_hkdf, kdf_separate_hmacs

from jsonlines import b64, raw, serve

FORM_ANSWERED = b"\x01"
LIMIT = 2000
salt = bytes(4)
ratchet = None
setup = None
loop = asyncio.new_event_loop()


class RootKDF(kdf_hkdf.KDF):
    @staticmethod
    def _get_hash_function():
        return HashFunction.SHA_256

    @staticmethod
    def _get_info():
        return b"DCP1:ratchet-root"


class ChainKDF(kdf_separate_hmacs.KDF):
    @staticmethod
    def _get_hash_function():
        return HashFunction.SHA_256


class Cipher(doubleratchet.AEAD):
    @staticmethod
    def cipher(key, nonce):
        return ChaCha20Poly1305(HKDF(SHA256(), 32, None, nonce).derive(key))

    @staticmethod
    async def encrypt(plaintext, key, associated_data):
        nonce = associated_data[-12:]
        return Cipher.cipher(key, nonce).encrypt(nonce, plaintext, associated_data)

    @staticmethod
    async def decrypt(ciphertext, key, associated_data):
        nonce = associated_data[-12:]
        try:
            return Cipher.cipher(key, nonce).decrypt(nonce, ciphertext, associated_data)
        except InvalidTag as error:
            raise doubleratchet.AuthenticationFailedException() from error


def header_bytes(header):
    return FORM_ANSWERED + header.ratchet_pub + struct.pack(">I", header.previous_sending_chain_length)


class Ratchet(doubleratchet.DoubleRatchet):
    @staticmethod
    def _build_associated_data(associated_data, header):
        return associated_data + header_bytes(header) + salt + struct.pack(">Q", header.sending_chain_length)


def options():
    return {
        "diffie_hellman_ratchet_class": diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet,
        "root_chain_kdf": RootKDF,
        "message_chain_kdf": ChainKDF,
        "message_chain_constant": b"\x02\x01",  # the library takes the first half as the next chain key
        "dos_protection_threshold": LIMIT,
        "max_num_skipped_message_keys": 10 * LIMIT,
        "aead": Cipher,
        "shared_secret": setup["secret"],
        "associated_data": setup["associated"],
    }


def start(request):
    """`key` is the responder's public key for the initiator, the private one for the responder."""
    global setup, ratchet
    setup = {name: raw(request[name]) for name in ("secret", "associated", "key")}
    ratchet = None
    return {}


def encrypt(request):
    global ratchet, salt
    salt = raw(request["salt"])
    text = raw(request["text"])
    if ratchet is None:
        ratchet, message = loop.run_until_complete(
            Ratchet.encrypt_initial_message(recipient_ratchet_pub=setup["key"], message=text, **options()))
    else:
        message = loop.run_until_complete(ratchet.encrypt_message(text, setup["associated"]))
    nonce = salt + struct.pack(">Q", message.header.sending_chain_length)
    return {"header": b64(header_bytes(message.header)), "nonce": b64(nonce), "ciphertext": b64(message.ciphertext)}


def decrypt(request):
    global ratchet, salt
    header, nonce = raw(request["header"]), raw(request["nonce"])
    salt = nonce[:4]
    message = doubleratchet.EncryptedMessage(
        header=doubleratchet.Header(
            ratchet_pub=header[1:33],
            previous_sending_chain_length=struct.unpack(">I", header[33:])[0],
            sending_chain_length=struct.unpack(">Q", nonce[4:])[0]),
        ciphertext=raw(request["ciphertext"]))
    if ratchet is None:
        ratchet, text = loop.run_until_complete(
            Ratchet.decrypt_initial_message(own_ratchet_priv=setup["key"], message=message, **options()))
    else:
        text = loop.run_until_complete(ratchet.decrypt_message(message, setup["associated"]))
    return {"text": b64(text)}


serve({"start": start, "encrypt": encrypt, "decrypt": decrypt})
