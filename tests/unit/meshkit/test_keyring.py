# SPDX-License-Identifier: Apache-2.0
"""Encryption at rest: what each key reads, what a change of a bit or of the place does, and how keys are written."""

import base64
from dataclasses import replace

import pytest

from meshkit.keyring import KEY_BYTES, Encrypted, Keyring, SecretKey, Undecryptable, keys_from_text, new_key

OLD, NEW = SecretKey(bytes(KEY_BYTES)), SecretKey(b"\x01" * KEY_BYTES)
PLACE = "shelf 1"


def test_the_first_key_encrypts_and_every_key_decrypts() -> None:
    before = Keyring([OLD]).encrypt("jam", place=PLACE)
    both = Keyring([NEW, OLD])
    after = both.encrypt("jam", place=PLACE)

    assert (before.key_id, after.key_id) == (OLD.key_id, NEW.key_id)
    assert both.newest_id == NEW.key_id != OLD.key_id
    assert both.decrypt(before, place=PLACE) == both.decrypt(after, place=PLACE) == "jam"
    with pytest.raises(Undecryptable, match=NEW.key_id):
        Keyring([OLD]).decrypt(after, place=PLACE)


def test_the_same_text_never_has_the_same_ciphertext() -> None:
    keyring = Keyring([NEW])

    assert len({keyring.encrypt("jam", place=PLACE).ciphertext for _ in range(100)}) == 100


def test_a_change_of_any_byte_is_noticed() -> None:
    keyring = Keyring([NEW])
    encrypted = keyring.encrypt("jam", place=PLACE)

    for position, byte in enumerate(encrypted.ciphertext):
        changed = bytearray(encrypted.ciphertext)
        changed[position] = byte ^ 1
        with pytest.raises(Undecryptable):
            keyring.decrypt(replace(encrypted, ciphertext=bytes(changed)), place=PLACE)


def test_what_is_too_short_to_be_a_ciphertext_is_refused() -> None:
    keyring = Keyring([NEW])

    for length in range(len(keyring.encrypt("", place=PLACE).ciphertext)):
        with pytest.raises(Undecryptable):
            keyring.decrypt(Encrypted(NEW.key_id, bytes(length)), place=PLACE)


def test_a_ciphertext_is_bound_to_its_place_and_to_its_key() -> None:
    keyring = Keyring([NEW, OLD])
    encrypted = keyring.encrypt("jam", place=PLACE)

    for wrong, place in ((encrypted, "shelf 2"), (replace(encrypted, key_id=OLD.key_id), PLACE)):
        with pytest.raises(Undecryptable):
            keyring.decrypt(wrong, place=place)
    assert keyring.decrypt(encrypted, place=PLACE) == "jam"


def test_keys_are_32_bytes_in_base64_separated_by_commas() -> None:
    words = [base64.b64encode(key.material).decode() for key in (NEW, OLD)]

    assert keys_from_text(f" {words[0]} , {words[1]},") == (NEW, OLD)
    assert len(keys_from_text(new_key())) == 1
    assert new_key() != new_key()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "contains no key"),
        (" , ", "contains no key"),
        ("hunter2", "key 1 is not 32 bytes in base64"),
        (base64.b64encode(bytes(31)).decode(), "key 1 is not 32 bytes in base64"),
        (base64.b64encode(bytes(33)).decode(), "key 1 is not 32 bytes in base64"),
        (f"{new_key(bytes)},{new_key(bytes)}", "contains a key twice"),
        (f"{new_key(bytes)},{new_key(bytes)[:-4]}", "key 2 is not 32 bytes in base64"),
    ],
)
def test_other_keys_are_refused_without_being_shown(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refusal:
        keys_from_text(text)

    assert str(refusal.value) == says


def test_a_key_shows_in_no_repr() -> None:
    assert repr(NEW.material) not in repr(NEW)
