# SPDX-License-Identifier: Apache-2.0
"""A whole mesh with a database for one test, whose services start and stop one by one; Acme is its customer."""

import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

import asyncpg
import grpc.aio
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_status import rpc_status

from deploy.local import mesh
from deploy.local.database import SERVICES
from deploy.local.identity import LocalIdentity, open_identity
from deploy.local.in_process import open_mesh
from deploy.local.mesh import NO_MAILS, NO_PAYMENTS, ProcessMesh, Secured
from deploy.local.readiness import until_serving
from deploy.local.seatsco import (
    ASSISTANT,
    Offer,
    Stubs,
    define_products,
    open_stubs,
    set_prices,
    sign_acme,
)
from meshkit.clock import SystemClock
from meshkit.quantity import MICROS
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as alert
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from purser.sandbox.v1 import clock_pb2 as sandbox
from purser.sandbox.v1.clock_pb2_grpc import ClockServiceStub
from tests.support.alert import SECRET_KEYS
from tests.support.postgres import Databases

JUNE = datetime(2025, 6, 1, tzinfo=UTC)
# 28 of 30 days are left: a seat added then brings 93.333333 credits.
THIRD_OF_JUNE = datetime(2025, 6, 3, tzinfo=UTC)
UNTIL_SECONDS_MAX = 60

T = TypeVar("T")


def secured(folder: Path) -> Secured:
    """Return identities in a folder, and free ports on which the services of a mesh serve each other."""
    return mesh.secured(open_identity(folder, clock=SystemClock()), None)


async def until(ask: Callable[[], Awaitable[T]], is_so: Callable[[T], bool]) -> T:
    """Repeat a call until its answer satisfies `is_so`, and return it; an unavailable service is called again.

    Fails with the last answer after 30 s.
    """
    deadline = time.monotonic() + UNTIL_SECONDS_MAX
    last: object = None
    while time.monotonic() < deadline:
        try:
            answer = await ask()
        except AioRpcError as error:
            if error.code() is not StatusCode.UNAVAILABLE:
                raise
            last = error.details()
        else:
            if is_so(answer):
                return answer
            last = answer
    raise AssertionError(f"still {last!r}")


@contextmanager
def away(peer: str) -> Iterator[None]:
    """Expect UNAVAILABLE, reason PEER_UNAVAILABLE, that names `peer`."""
    with pytest.raises(AioRpcError) as raised:
        yield
    error, info = raised.value, ErrorInfo()
    assert error.code() is StatusCode.UNAVAILABLE
    status = rpc_status.from_call(error)
    assert status is not None
    assert status.details[0].Unpack(info)
    assert (info.reason, info.metadata["peer"]) == ("PEER_UNAVAILABLE", peer), error.details()
    assert str(error.details()).startswith(f"{peer} did not answer")


class SwitchedMesh:
    """The four services in this process with real channels between them, each started and stopped by name."""

    def __init__(
        self,
        databases: Databases,
        *,
        sandbox_start_time: datetime | None = JUNE,
        access: Secured | None = None,
        payments: Mapping[str, str] = NO_PAYMENTS,
        mails: Mapping[str, str] = NO_MAILS,
    ) -> None:
        self.addresses: Mapping[str, str] = mesh.addresses(None)
        self.access = access
        self._payments = payments
        self._mails = mails
        self._urls = databases.urls
        self._sandbox_start_time = sandbox_start_time
        self._running: dict[str, AsyncExitStack] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop(*self._running)

    def channel(self, service: str, token: str | None = None) -> grpc.aio.Channel:
        """Return a channel to a service, for callers."""
        credentials = None if self.access is None else self.access.identity.credentials(token)
        return open_channel(self.addresses[service], credentials)

    async def start(self, *services: str) -> None:
        """Start these services (by default all), one after the other."""
        for service in services or SERVICES:
            assert service not in self._running
            stack = AsyncExitStack()
            one = open_mesh(
                self._urls,
                addresses=self.addresses,
                sandbox_start_time=self._sandbox_start_time,
                secret_keys=SECRET_KEYS,
                access=self.access,
                payments=self._payments,
                mails=self._mails,
                services=(service,),
            )
            await stack.enter_async_context(one)
            self._running[service] = stack
            # All channels of this process to one address share a connection, so none of them waits to reconnect.
            credentials = None if self.access is None else self.access.identity.credentials()
            await until_serving(service, self.addresses[service], credentials)

    async def stop(self, *services: str) -> None:
        """Stop these services gracefully, one after the other."""
        for service in services:
            await self._running.pop(service).aclose()


def process_mesh(
    databases: Databases,
    folder: Path,
    *,
    addresses: Mapping[str, str] | None = None,
    access: Secured | None = None,
    payments: Mapping[str, str] = NO_PAYMENTS,
    sandbox_start_time: datetime = JUNE,
) -> ProcessMesh:
    """Return four processes in sandbox mode, on free ports unless addresses are given; not started yet."""
    return ProcessMesh(
        databases.urls,
        addresses=addresses or mesh.addresses(None),
        log_folder=folder,
        sandbox_start_time=sandbox_start_time,
        secret_keys=SECRET_KEYS,
        access=access,
        payments=payments,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Acme:
    """SeatsCo's customer with four annual seats, 100 AI credits each a month: its actions and its data."""

    stubs: Stubs
    offer: Offer
    contract: contract.Contract
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def request_id(self) -> str:
        return f"acme-{next(self.numbers)}"

    async def change_seats(self, delta: int) -> contract.ChangeSeatsResponse:
        return await self.stubs.contract.ChangeSeats(self.seat_request(delta))

    def seat_request(self, delta: int) -> contract.ChangeSeatsRequest:
        return contract.ChangeSeatsRequest(
            request_id=self.request_id(), contract_id=self.contract.contract_id, quantity_delta=delta
        )

    async def buy(self) -> contract.TopUp:
        """Order and pay the pack of 1,000 credits."""
        ordered = await self.stubs.contract.OrderTopUp(
            contract.OrderTopUpRequest(
                request_id=self.request_id(),
                contract_id=self.contract.contract_id,
                top_up_pack_id=self.offer.pack,
                payment_gate=contract.PAYMENT_GATE_EXTERNAL,
            )
        )
        resolved = await self.stubs.contract.ResolveTopUpPayment(
            contract.ResolveTopUpPaymentRequest(
                request_id=self.request_id(),
                top_up_id=ordered.top_up.top_up_id,
                outcome=contract.PAYMENT_OUTCOME_PAID,
            )
        )
        return resolved.top_up

    def ask(self, units: int) -> ledger.AuthorizeRequest:
        """Authorize units of AI Assistant, 12 credits each, as an AI feature does before it uses them."""
        return ledger.AuthorizeRequest(
            request_id=self.request_id(),
            customer="acme",
            product_id=self.offer.usage[ASSISTANT],
            quantity_micros=units * MICROS,
            group_values={"user_id": "user_1234"},
        )

    async def authorize(self, units: int) -> ledger.AuthorizeResponse:
        return await self.stubs.gate.Authorize(self.ask(units))

    async def debit(self, credits: int) -> ledger.DebitResponse:
        return await self.stubs.gate.Debit(
            ledger.DebitRequest(
                request_id=self.request_id(),
                customer="acme",
                product_id=self.offer.usage[ASSISTANT],
                credits_micros=credits * MICROS,
                group_values={"user_id": "user_1234"},
            )
        )

    async def available(self) -> int:
        """Return credits × 10^6; 0 while the Ledger has no pool."""
        pools = (await self.stubs.gate.GetBalance(ledger.GetBalanceRequest(customer="acme"))).pools
        return pools[0].available_micros if pools else 0

    async def entries(self, kind: "admin.EntryKind.ValueType") -> list[int]:
        """Return the amounts of all entries of one kind, newest first."""
        request = admin.ListEntriesRequest(
            customer="acme", credit_type_id=self.offer.ai_credits, page_size=500
        )
        listed = await self.stubs.ledger_admin.ListEntries(request)
        return [entry.amount_micros for entry in listed.entries if entry.entry_kind == kind]

    async def warn_at(self, credits: int, *, request_id: str = "warn") -> alert.Alert:
        """Create a low-balance alert for Acme."""
        made = await self.stubs.alert.CreateAlert(
            alert.CreateAlertRequest(
                request_id=request_id,
                name=f"{credits} credits or fewer are left",
                alert_type=alert.ALERT_TYPE_LOW_BALANCE,
                customer_id=self.contract.customer_id,
                credit_type_id=self.offer.ai_credits,
                threshold_micros=credits * MICROS,
            )
        )
        return made.alert

    async def state_of(self, watched: alert.Alert) -> "alert.AlertState.ValueType":
        asked = alert.GetAlertStateRequest(alert_id=watched.alert_id)
        return (await self.stubs.alert.GetAlertState(asked)).statuses[0].state

    async def assert_adds_up(self) -> None:
        """Assert that every stored figure of the Ledger equals the sum of entries and open holds."""
        found = await self.stubs.ledger_admin.VerifyLedger(admin.VerifyLedgerRequest())
        assert found.is_consistent, found.discrepancies


async def acme_of(stubs: Stubs, *, people: Sequence[str] = ()) -> Acme:
    """Create Acme and its contract; repeated, it is the same Acme, because its requests keep their ids.

    people: who has its seats; none: they are without names.
    """
    offer = await set_prices(stubs, await define_products(stubs))
    signed = await sign_acme(stubs, offer, people=people)
    return Acme(stubs=stubs, offer=offer, contract=signed.contract)


@asynccontextmanager
async def acme_at(
    addresses: Mapping[str, str], identity: LocalIdentity | None = None, *, people: Sequence[str] = ()
) -> AsyncIterator[Acme]:
    """Connect Acme to the running mesh that listens at `addresses`. identity None: insecure. people: as acme_of."""
    async with open_stubs(addresses, identity) as stubs:
        yield await acme_of(stubs, people=people)


async def advance(stubs: Stubs, at: datetime) -> None:
    """Set the mesh's business time through Contract; setting the present time again delivers pending notices."""
    await stubs.clock.AdvanceTime(sandbox.AdvanceTimeRequest(new_time=timestamp(at)), timeout=60)


async def tell_now(addresses: Mapping[str, str], service: str, *, local_only: bool = False) -> None:
    """Let a service (and those after it unless `local_only`) retry pending notices at once; the clock stays."""
    async with open_channel(addresses[service]) as channel:
        request = sandbox.AdvanceTimeRequest(new_time=timestamp(JUNE), local_only=local_only)
        await ClockServiceStub(channel).AdvanceTime(request, timeout=60)


async def pending(
    databases: Databases, services: Iterable[str] = SERVICES, *, with_events: bool = True
) -> int:
    """Return how many notices of these services are undelivered. with_events: also those of events for webhooks."""
    kinds = "" if with_events else " AND kind <> 'VENDOR_EVENT'"
    inside = await asyncpg.connect(databases.admin_url)
    try:
        counts = [
            await inside.fetchval(f"SELECT count(*) FROM {service}.outbox WHERE sent_time IS NULL{kinds}")
            for service in services
        ]
    finally:
        await inside.close()
    return sum(counts)


async def forget_deliveries(databases: Databases, service: str) -> int:
    """Mark all notices of a service as undelivered, as if every response had been lost; returns how many."""
    inside = await asyncpg.connect(databases.admin_url)
    try:
        done = await inside.execute(
            f"UPDATE {service}.outbox SET sent_time = NULL, lease_time = NULL, attempts = 0"
        )
    finally:
        await inside.close()
    return int(done.rpartition(" ")[2])
