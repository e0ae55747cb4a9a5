# SPDX-License-Identifier: Apache-2.0
"""Certificates and keys are replaced while a mesh runs; nothing restarts, and no call is refused meanwhile."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from grpc import StatusCode

from deploy.local.identity import HOSTS, TRUST_DOMAIN, LocalIdentity
from deploy.local.seatsco import open_stubs
from meshkit.clock import SystemClock
from meshkit.quantity import MICROS
from purser.catalog.v1 import catalog_pb2 as catalog
from purser.catalog.v1.catalog_pb2_grpc import CatalogServiceStub
from purser_cli import certificates, tokens
from tests.support.faults import outcome
from tests.support.mesh import SwitchedMesh, acme_of, secured
from tests.support.postgres import Databases

SECONDS_MAX = 60
YEAR = timedelta(days=365)


@pytest.fixture
async def mesh(databases: Databases, tmp_path: Path) -> AsyncIterator[SwitchedMesh]:
    async with SwitchedMesh(databases, access=secured(tmp_path)) as running:
        await running.start()
        yield running


def identity_of(mesh: SwitchedMesh) -> LocalIdentity:
    assert mesh.access is not None
    return mesh.access.identity


async def shown_by(address: str, *, until: Callable[[int], bool]) -> int:
    """Return the serial number of the certificate that a listener shows, as soon as `until` holds for it."""
    host, _, port = address.rpartition(":")
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            text = await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))
            serial = x509.load_pem_x509_certificate(text.encode()).serial_number
            if until(serial):
                return serial


def issue(identity: LocalIdentity) -> None:
    certificates.issue(
        identity.files.folder, trust_domain=TRUST_DOMAIN, hosts=HOSTS, valid=YEAR, now=SystemClock().now()
    )


def serial_of(identity: LocalIdentity, service: str) -> int:
    return x509.load_pem_x509_certificate(identity.files.chain(service).read_bytes()).serial_number


async def test_a_renewed_certificate_is_shown_at_the_next_connection(mesh: SwitchedMesh) -> None:
    identity = identity_of(mesh)
    before = await shown_by(mesh.addresses["ledger"], until=lambda serial: True)
    assert before == serial_of(identity, "ledger")

    issue(identity)

    after = await shown_by(mesh.addresses["ledger"], until=lambda serial: serial != before)
    assert after == serial_of(identity, "ledger")


async def test_a_half_written_pair_is_not_used(mesh: SwitchedMesh) -> None:
    identity = identity_of(mesh)
    key = identity.files.key("ledger")
    former = key.read_bytes()

    key.write_bytes(identity.files.key("alert").read_bytes())
    assert await shown_by(mesh.addresses["ledger"], until=lambda serial: True) == serial_of(
        identity, "ledger"
    )
    key.write_bytes(b"garbage")
    assert await shown_by(mesh.addresses["ledger"], until=lambda serial: True) == serial_of(
        identity, "ledger"
    )
    key.write_bytes(former)
    issue(identity)

    renewed = serial_of(identity, "ledger")
    await shown_by(mesh.addresses["ledger"], until=lambda serial: serial == renewed)


async def test_services_reach_each_other_after_their_authority_was_replaced(mesh: SwitchedMesh) -> None:
    """First both authorities are trusted, then the certificates are of the new one, then only that is trusted."""
    identity = identity_of(mesh)
    folder = identity.files.folder
    async with open_stubs(mesh.addresses, identity) as stubs:
        acme = await acme_of(stubs)
        assert (await acme.buy()).top_up_id
        former = identity.files.authority.read_bytes()
        for name in ("ca.pem", "ca-key.pem"):
            (folder / name).rename(folder / f"former-{name}")

        issue(identity)
        new = identity.files.authority.read_bytes()
        identity.files.authority.write_bytes(new + former)
        for service, address in mesh.addresses.items():
            serial = serial_of(identity, service)
            await shown_by(address, until=lambda shown, serial=serial: shown == serial)  # type: ignore[misc]
        identity.files.authority.write_bytes(new)

    async with open_stubs(mesh.addresses, identity) as stubs:
        later = replace(acme, stubs=stubs)
        # Contract asks the Catalog, and notifies the Ledger.
        await later.buy()
        await later.change_seats(1)
        assert await later.available() == 2_500 * MICROS


async def test_tokens_of_a_new_key_are_accepted_and_those_of_a_removed_one_refused(
    mesh: SwitchedMesh,
) -> None:
    identity = identity_of(mesh)
    former = identity.token("viewer", subject="former")
    tokens.create_key(identity.files.folder, key_id="new")
    new = identity.token("viewer", subject="new")

    async def answer(token: str) -> tuple[StatusCode, str]:
        async with mesh.channel("catalog", token) as channel:
            stub = CatalogServiceStub(channel)
            return await outcome(stub.ListProducts(catalog.ListProductsRequest(page_size=1)))

    async def until(token: str, wanted: tuple[StatusCode, str]) -> None:
        async with asyncio.timeout(SECONDS_MAX):
            while await answer(token) != wanted:
                pass

    await until(new, (StatusCode.OK, ""))
    assert await answer(former) == (StatusCode.OK, "")
    for number in range(tokens.KEYS_MAX):
        tokens.create_key(identity.files.folder, key_id=f"newer-{number}")
    await until(former, (StatusCode.UNAUTHENTICATED, "TOKEN_INVALID"))
