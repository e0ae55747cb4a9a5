# SPDX-License-Identifier: Apache-2.0
"""Encrypts texts at rest with AES-256-GCM (RFC 5116), under keys that can be rotated.

Each ciphertext is bound to the place that it is stored in: copied elsewhere, it cannot be decrypted.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12  # random: for 2^32 texts per key the chance that two are equal is below 2^-32
_ID_PREFIX: Final = b"purser key id\0"


class Undecryptable(Exception):
    """No key of the keyring decrypts it: its key is missing, or it was changed or belongs elsewhere."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One key. Its bytes are not part of the repr, so they appear in no log or traceback."""

    material: bytes = field(repr=False)

    def __post_init__(self) -> None:
        assert len(self.material) == KEY_BYTES

    @property
    def key_id(self) -> str:
        """The first 16 hex digits of a hash of the key. It is stored beside what the key encrypted."""
        return hashlib.sha256(_ID_PREFIX + self.material).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Encrypted:
    """An encrypted text. ciphertext: nonce, then what AES-GCM made (text and 16 bytes of tag)."""

    key_id: str
    ciphertext: bytes


class Keyring:
    """The first key encrypts, every key decrypts. randomness: n → n bytes."""

    def __init__(self, keys: Sequence[SecretKey], *, randomness: Callable[[int], bytes] = os.urandom) -> None:
        self._ciphers = {key.key_id: AESGCM(key.material) for key in keys}
        self._randomness = randomness
        self.newest_id: Final = keys[0].key_id

    def encrypt(self, text: str, *, place: str) -> Encrypted:
        """Encrypt a text with the newest key. place: names where it is stored, unambiguously."""
        nonce = self._randomness(NONCE_BYTES)
        sealed = self._ciphers[self.newest_id].encrypt(nonce, text.encode(), place.encode())
        return Encrypted(self.newest_id, nonce + sealed)

    def decrypt(self, encrypted: Encrypted, *, place: str) -> str:
        """Return the text. Raises Undecryptable."""
        cipher = self._ciphers.get(encrypted.key_id)
        if cipher is None:
            raise Undecryptable(f"no key has the id {encrypted.key_id!r}")
        nonce, sealed = encrypted.ciphertext[:NONCE_BYTES], encrypted.ciphertext[NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, sealed, place.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise Undecryptable(f"key {encrypted.key_id!r} does not decrypt it") from error


def keys_from_text(text: object) -> tuple[SecretKey, ...]:
    """Return the keys in a setting: base64 of 32 bytes each, separated by commas.

    Raises ValueError, whose text contains no key.
    """
    words = [word.strip() for word in str(text).split(",") if word.strip()]
    if not words:
        raise ValueError("contains no key")
    keys = tuple(_key(word, number) for number, word in enumerate(words, start=1))
    if len({key.key_id for key in keys}) < len(keys):
        raise ValueError("contains a key twice")
    return keys


def new_key(randomness: Callable[[int], bytes] = os.urandom) -> str:
    """Return a new key as the setting takes it."""
    return base64.b64encode(randomness(KEY_BYTES)).decode()


def _key(word: str, number: int) -> SecretKey:
    try:
        material = base64.b64decode(word, validate=True)
    except binascii.Error:
        material = b""
    if len(material) != KEY_BYTES:
        raise ValueError(f"key {number} is not {KEY_BYTES} bytes in base64")
    return SecretKey(material)
