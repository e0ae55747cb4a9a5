# SPDX-License-Identifier: Apache-2.0
"""The client library at a Ledger with identities: tokens are sent, renewed, and refused."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from grpc import StatusCode

from deploy.local.identity import LocalIdentity
from deploy.local.seatsco import ASSISTANT, open_stubs
from purser_client import FailOpen, Gate, LedgerFault, MemorySpool, SyncGate
from purser_client.policy import Unreachable
from purser_client.token import Token
from tests.support.mesh import Acme, SwitchedMesh, acme_of, secured
from tests.support.postgres import Databases

HOUR = timedelta(hours=1)
PATIENT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Shop:
    address: str
    identity: LocalIdentity
    acme: Acme

    def gate(
        self, token: Token | None, *, unreachable: Unreachable | None = None, coalesce: bool = False
    ) -> Gate:
        return Gate(
            self.address,
            credentials=self.identity.credentials(),
            token=token,
            deadline=PATIENT,
            unreachable=unreachable,
            coalesce=coalesce,
        )

    def token(self, *roles: str, valid: timedelta = HOUR) -> str:
        return self.identity.token(*roles, subject="chat", valid=valid)

    async def debit(self, gate: Gate) -> None:
        await gate.debit(customer="acme", product=self.acme.offer.usage[ASSISTANT], quantity=1, user_id="ann")


@pytest.fixture
async def shop(databases: Databases, tmp_path: Path) -> AsyncIterator[Shop]:
    access = secured(tmp_path)
    async with SwitchedMesh(databases, access=access) as mesh:
        await mesh.start()
        async with open_stubs(mesh.addresses, access.identity) as stubs:
            yield Shop(mesh.addresses["ledger"], access.identity, await acme_of(stubs))


async def test_a_gate_with_a_token_holds_captures_and_reads(shop: Shop) -> None:
    async with shop.gate(shop.token("gate")) as gate:
        async with gate.authorize(
            customer="acme", product=shop.acme.offer.usage[ASSISTANT], quantity=1, user_id="ann"
        ) as hold:
            hold.capture(1)
        [pool] = (await gate.balance(customer="acme")).pools

    assert pool.available.micros == 388_000_000


async def test_a_batch_carries_the_token_too(shop: Shop) -> None:
    async with shop.gate(shop.token("gate"), coalesce=True) as gate:
        await shop.debit(gate)

    assert await shop.acme.available() == 388_000_000


async def test_a_token_that_the_provider_has_just_given_is_not_asked_for_again(shop: Shop) -> None:
    tokens = iter(["opaque", shop.token("gate")])

    async def get() -> str:
        return next(tokens)

    async with shop.gate(get) as gate:
        with pytest.raises(LedgerFault) as refused:
            await shop.debit(gate)

    assert (refused.value.code, refused.value.reason) == (StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
    assert await shop.acme.available() == 400_000_000


async def test_a_token_without_the_role_is_a_fault_and_fails_closed(shop: Shop) -> None:
    async with shop.gate(shop.token("viewer"), unreachable=FailOpen(spool=MemorySpool())) as gate:
        with pytest.raises(LedgerFault) as refused:
            await shop.debit(gate)

    assert (refused.value.code, refused.value.reason) == (StatusCode.PERMISSION_DENIED, "ACCESS_DENIED")
    assert await shop.acme.available() == 400_000_000


async def test_threads_send_the_token_of_a_file(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "chat.token"
    file.write_text(shop.token("gate"))

    def debit() -> None:
        credentials = shop.identity.credentials()
        with SyncGate(shop.address, credentials=credentials, token=file, deadline=PATIENT) as gate:
            gate.debit(customer="acme", product=shop.acme.offer.usage[ASSISTANT], quantity=1, user_id="ann")

    await asyncio.to_thread(debit)

    assert await shop.acme.available() == 388_000_000


def test_several_addresses_with_tls_need_the_name_in_the_certificate_and_one_does_not() -> None:
    two = ["127.0.0.1:7003", "127.0.0.1:7004"]
    tls = grpc.ssl_channel_credentials()

    Gate(two[:1], credentials=tls)
    Gate(two)
    Gate(two, credentials=tls, server_name="ledger.purser.internal")
    with pytest.raises(ValueError, match="give server_name"):
        Gate(two, credentials=tls)


def test_a_token_without_tls_is_refused() -> None:
    with pytest.raises(ValueError, match="a token needs TLS"):
        Gate("127.0.0.1:7003", token="secret")
