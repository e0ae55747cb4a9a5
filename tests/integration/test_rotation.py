# SPDX-License-Identifier: Apache-2.0
"""Certificates, their authority and the keys of tokens are replaced under load, and no caller sees an error.

The steps are those of deploy/RUNBOOK.md, "Rotation".
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from deploy.local.database import SERVICES
from deploy.local.identity import HOSTS, TRUST_DOMAIN, LocalIdentity
from deploy.local.seatsco import ASSISTANT, open_stubs
from meshkit.clock import SystemClock
from meshkit.files import replace_file
from purser.ledger.v1 import ledger_pb2 as ledger
from purser_cli import certificates, tokens
from purser_client import Gate
from tests.support.mesh import Acme, SwitchedMesh, acme_of, pending, secured, until
from tests.support.postgres import Databases

PATIENT = timedelta(seconds=30)
YEAR = timedelta(days=365)


@dataclass(slots=True)
class Callers:
    """An AI feature and an operator, who call one after the other until `stop`. answered: how often each was."""

    acme: Acme
    gate: Gate
    answered: dict[str, int] = field(default_factory=lambda: {"gate": 0, "seats": 0})
    _is_stopping: bool = False
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def debit(self) -> None:
        await self.gate.debit(
            customer="acme", product=self.acme.offer.usage[ASSISTANT], quantity="0.000001", user_id="ann"
        )

    async def change_seats(self) -> None:
        """Contract asks the Catalog for the price and tells the Ledger."""
        await self.acme.change_seats(1)
        await self.acme.change_seats(-1)

    async def keep(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        while not self._is_stopping:
            await step()
            self.answered[name] += 1
            async with self._news:
                self._news.notify_all()

    async def both_answered(self) -> None:
        """Return when both have had two answers more: the second call began after now."""
        before = dict(self.answered)
        async with self._news:
            await self._news.wait_for(
                lambda: all(self.answered[name] >= count + 2 for name, count in before.items())
            )

    def stop(self) -> None:
        self._is_stopping = True


@asynccontextmanager
async def calling(mesh: SwitchedMesh, identity: LocalIdentity) -> AsyncIterator[Callers]:
    """Callers during the block; the error of any of their calls fails the test."""
    async with (
        open_stubs(mesh.addresses, identity) as stubs,
        Gate(
            mesh.addresses["ledger"],
            credentials=identity.credentials(),
            token=identity.token_file("gate"),
            deadline=PATIENT,
        ) as gate,
    ):
        callers = Callers(await acme_of(stubs), gate)
        async with asyncio.timeout(100), asyncio.TaskGroup() as running:
            running.create_task(callers.keep("gate", callers.debit))
            running.create_task(callers.keep("seats", callers.change_seats))
            await callers.both_answered()
            yield callers
            await callers.both_answered()
            callers.stop()


@pytest.fixture
async def mesh(databases: Databases, tmp_path: Path) -> AsyncIterator[SwitchedMesh]:
    async with SwitchedMesh(databases, access=secured(tmp_path / "access")) as running:
        await running.start()
        yield running


async def served(address: str) -> str:
    """Return the certificate that a new connection is shown."""
    host, _, port = address.rpartition(":")
    return await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))


async def until_served(mesh: SwitchedMesh, identity: LocalIdentity) -> None:
    for service in SERVICES:
        renewed = identity.files.chain(service).read_text()

        async def shown(address: str = mesh.addresses[service]) -> str:
            return await served(address)

        await until(shown, lambda found, renewed=renewed: found.strip() == renewed.strip())


def issue(folder: Path) -> certificates.MeshCertificates:
    """`purser certs FOLDER`."""
    return certificates.issue(
        folder, trust_domain=TRUST_DOMAIN, hosts=HOSTS, valid=YEAR, now=SystemClock().now()
    )


def identity_of(mesh: SwitchedMesh) -> LocalIdentity:
    assert mesh.access is not None
    return mesh.access.identity


async def test_new_certificates_of_the_same_authority_are_taken_up_without_an_error(
    mesh: SwitchedMesh, databases: Databases
) -> None:
    identity = identity_of(mesh)

    async with calling(mesh, identity) as callers:
        issue(identity.files.folder)
        await until_served(mesh, identity)
        await callers.both_answered()

    await until(lambda: pending(databases), lambda count: count == 0)


async def test_a_new_authority_replaces_the_old_one_without_an_error_while_everyone_trusts_both(
    mesh: SwitchedMesh, databases: Databases, tmp_path: Path
) -> None:
    identity = identity_of(mesh)
    old = identity.files.authority.read_bytes()
    following = issue(tmp_path / "following")
    new = following.authority.read_bytes()

    replace_file(identity.files.authority, new + old, mode=0o644)
    async with calling(mesh, identity) as callers:
        for service in SERVICES:
            replace_file(identity.files.key(service), following.key(service).read_bytes(), mode=0o600)
            replace_file(identity.files.chain(service), following.chain(service).read_bytes(), mode=0o644)
        await until_served(mesh, identity)
        await callers.both_answered()
        replace_file(identity.files.authority, new, mode=0o644)
        await callers.both_answered()

    await until(lambda: pending(databases), lambda count: count == 0)
    async with open_stubs(mesh.addresses, identity) as stubs:  # it trusts the new authority alone
        assert (await stubs.gate.GetBalance(ledger.GetBalanceRequest(customer="acme"))).pools


async def test_a_new_key_signs_tokens_without_an_error_and_tokens_of_a_dropped_key_are_refused(
    mesh: SwitchedMesh,
) -> None:
    identity = identity_of(mesh)
    folder = identity.files.folder
    first_token = identity.token("gate", subject="chat")

    async with calling(mesh, identity) as callers:
        tokens.create_key(folder, key_id="second")
        replace_file(identity.token_file("gate"), identity.token("gate", subject="chat").encode(), mode=0o600)
        await callers.both_answered()

    for key_id in ("third", "fourth"):  # the JWKS lists three keys
        tokens.create_key(folder, key_id=key_id)
    async with mesh.channel("ledger", first_token) as channel:
        ask = channel.unary_unary("/purser.ledger.v1.LedgerService/GetBalance")

        async def refusal() -> StatusCode:
            try:
                await ask(ledger.GetBalanceRequest(customer="acme").SerializeToString())
            except AioRpcError as error:
                return error.code()
            return StatusCode.OK

        assert await until(refusal, lambda code: code is not StatusCode.OK) is StatusCode.UNAUTHENTICATED
