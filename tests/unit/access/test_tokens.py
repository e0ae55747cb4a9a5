# SPDX-License-Identifier: Apache-2.0
"""What a verified token is remembered for, and how long. Refused ones: tests/integration/test_authorization.py."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from access.caller import Caller
from access.keys import KeysUnreadable, SigningKeys
from access.tokens import LEEWAY_SECONDS, REMEMBERED_MAX, TokenExpired, TokenInvalid, TokenVerifier
from meshkit.clock import ManualClock
from purser_cli import tokens

NOW = datetime(2025, 6, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LEEWAY = timedelta(seconds=LEEWAY_SECONDS)


class Installation:
    """A folder with a signing key, and what verifies its tokens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock(NOW)
        tokens.create_key(folder, key_id="first")
        self.keys = SigningKeys(str(folder / tokens.JWKS_FILE))
        self.verifier = TokenVerifier(self.keys, issuer="purser", audience="purser", wall=self.clock)

    def token(self, subject: str = "alice", *, valid: timedelta = MINUTE, **more: str) -> str:
        return tokens.issue(
            self.folder, subject=subject, roles=["gate"], now=self.clock.now(), valid=valid, **more
        )


@pytest.fixture
async def installed(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path)
    await installation.keys.refresh()
    return installation


async def test_a_verified_token_is_remembered_until_it_expires(installed: Installation) -> None:
    token = installed.token()
    assert installed.verifier.remembered(token) is None

    caller = await installed.verifier.verify(token)

    assert caller == Caller("alice", frozenset({"gate"}))
    installed.clock.advance(MINUTE + LEEWAY - timedelta(seconds=1))
    assert installed.verifier.remembered(token) == caller
    installed.clock.advance(timedelta(seconds=1))
    assert installed.verifier.remembered(token) is None
    with pytest.raises(TokenExpired):
        await installed.verifier.verify(token)


async def test_a_token_of_a_removed_key_is_refused_as_soon_as_the_keys_are_read(
    installed: Installation,
) -> None:
    token = installed.token()
    await installed.verifier.verify(token)

    for number in range(tokens.KEYS_MAX - 1):
        tokens.create_key(installed.folder, key_id=f"next-{number}")
    await installed.keys.refresh()
    assert await installed.verifier.verify(token)  # the two keys before the newest stay
    tokens.create_key(installed.folder, key_id="last")
    assert installed.verifier.remembered(token)
    await installed.keys.refresh()

    assert installed.verifier.remembered(token) is None
    with pytest.raises(TokenInvalid, match="its key is unknown"):
        await installed.verifier.verify(token)


async def test_no_more_than_so_many_tokens_are_remembered(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert REMEMBERED_MAX == 10_000
    monkeypatch.setattr("access.tokens.REMEMBERED_MAX", 2)
    first, second, third = (installed.token(name) for name in ("a", "b", "c"))

    for token in (first, second, third):
        await installed.verifier.verify(token)

    assert installed.verifier.remembered(first) is None
    assert installed.verifier.remembered(second)
    assert installed.verifier.remembered(third)


async def test_a_customers_token_sees_that_customer_only(installed: Installation) -> None:
    token = tokens.issue(
        installed.folder, subject="ann", roles=["customer"], now=NOW, valid=MINUTE, customer="cus_1"
    )

    caller = await installed.verifier.verify(token)

    assert caller.may_see("cus_1")
    assert not caller.may_see("cus_2")


async def test_the_role_of_a_service_cannot_be_had_by_a_token(installed: Installation) -> None:
    token = tokens.issue(
        installed.folder, subject="mallory", roles=["peer", "service", "ROLE_OPERATOR"], now=NOW, valid=MINUTE
    )

    caller = await installed.verifier.verify(token)

    assert (caller.roles, caller.service) == (frozenset(), "")


async def test_a_file_that_becomes_unreadable_leaves_the_known_keys(installed: Installation) -> None:
    token = installed.token()
    file = installed.folder / tokens.JWKS_FILE
    for content in (b"{", b"[]", b'{"keys": []}', b'{"keys": [{"kty": "oct", "kid": "x", "k": "aaaa"}]}'):
        file.write_bytes(content)
        with pytest.raises(KeysUnreadable):
            await installed.keys.refresh()
    file.unlink()
    with pytest.raises(KeysUnreadable):
        await installed.keys.refresh()

    assert await installed.verifier.verify(token)


async def test_an_unknown_key_makes_a_url_be_asked_at_once_but_not_again_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = Installation(tmp_path)
    seconds = [0.0]
    keys = SigningKeys("https://id.example/jwks.json", now_seconds=lambda: seconds[0])
    fetches = []

    async def fetch() -> bytes:
        fetches.append(seconds[0])
        return (tmp_path / tokens.JWKS_FILE).read_bytes()

    monkeypatch.setattr(keys, "_fetch", fetch)
    verifier = TokenVerifier(keys, issuer="purser", audience="purser", wall=installation.clock)
    assert await verifier.verify(installation.token())
    tokens.create_key(tmp_path, key_id="second")
    rotated = installation.token()

    seconds[0] = 9.9
    with pytest.raises(TokenInvalid, match="its key is unknown"):
        await verifier.verify(rotated)
    seconds[0] = 10.0
    assert await verifier.verify(rotated)

    assert fetches == [0.0, 10.0]
