# SPDX-License-Identifier: Apache-2.0
import base64
import json
from pathlib import Path

import pytest
from grpc import StatusCode

from purser_client.faults import LedgerFault
from purser_client.token import Metadata, TokenSource


def token_until(expire: float, name: str = "a") -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expire, "name": name}).encode()).decode().rstrip("=")
    return f"e30.{claims}.sig"


def carried(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


class Provider:
    """An identity provider whose tokens live for 100 s, at the time `now`."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.asked = 0
        self.is_down = False

    async def get(self) -> str:
        self.asked += 1
        if self.is_down:
            raise ConnectionError("the provider is away")
        return token_until(self.now + 100, name=str(self.asked))

    def source(self) -> TokenSource:
        return TokenSource(self.get, now=lambda: self.now)


async def test_a_token_is_got_once_and_again_when_a_tenth_of_its_life_is_left() -> None:
    provider = Provider()
    source = provider.source()

    first = await source.metadata()
    provider.now += 89.9
    assert await source.metadata() is first
    provider.now += 0.1
    second = await source.metadata()

    assert second != first
    assert provider.asked == 2


async def test_while_the_provider_is_down_the_former_token_is_used() -> None:
    provider = Provider()
    source = provider.source()
    first = await source.metadata()

    provider.now += 95
    provider.is_down = True

    assert await source.metadata() is first
    assert await source.metadata() is first
    assert provider.asked == 2  # it is asked again after a second, not at every call
    provider.now += 1
    provider.is_down = False
    assert await source.metadata() != first


async def test_without_any_token_the_ledger_counts_as_unreachable() -> None:
    provider = Provider()
    provider.is_down = True

    with pytest.raises(LedgerFault) as raised:
        await provider.source().metadata()

    assert (raised.value.code, raised.value.reason) == (StatusCode.UNAVAILABLE, "TOKEN_SOURCE_FAILED")


async def test_a_refused_token_is_replaced_but_the_provider_is_not_asked_at_every_refusal() -> None:
    provider = Provider()
    source = provider.source()
    first = await source.metadata()

    assert not source.refused(first)  # it has just been got: another one would be refused too
    provider.now += 1
    assert source.refused(first)
    second = await source.metadata()

    assert second != first
    assert source.refused(first)  # a call that was under way with the former one
    assert await source.metadata() is second


async def test_a_constant_token_is_never_replaced() -> None:
    source = TokenSource(token_until(0))

    assert await source.metadata() == carried(token_until(0))
    assert not source.refused(await source.metadata())


async def test_no_token_is_no_metadata() -> None:
    assert await TokenSource(None).metadata() == ()


async def test_a_file_is_read_again_before_its_token_expires(tmp_path: Path) -> None:
    now = [1_000.0]
    file = tmp_path / "gate.token"
    file.write_text(token_until(1_100) + "\n")
    source = TokenSource(file, now=lambda: now[0])
    assert await source.metadata() == carried(token_until(1_100))

    file.write_text(token_until(1_200))
    assert await source.metadata() == carried(token_until(1_100))
    now[0] = 1_090.0
    assert await source.metadata() == carried(token_until(1_200))


async def test_a_token_without_a_readable_exp_is_used_until_it_is_refused() -> None:
    now = [1_000.0]
    asked = []

    async def get() -> str:
        asked.append(now[0])
        return "opaque"

    source = TokenSource(get, now=lambda: now[0])
    first = await source.metadata()
    now[0] += 10_000_000

    assert await source.metadata() is first
    assert source.refused(first)
    await source.metadata()
    assert asked == [1_000.0, 10_001_000.0]
