# SPDX-License-Identifier: Apache-2.0
"""The data of the benches: one usage product, and customers with a contract each and more credits than they use.

Everything is applied by the Ledger's admin and peer rpcs. Ids are as long as real ones.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg

from meshkit.quantity import MICROS
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from purser.ledger.v1.ledger_peer_pb2_grpc import LedgerPeerServiceStub

if TYPE_CHECKING:
    from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceAsyncStub
    from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceAsyncStub
    from purser.ledger.v1.ledger_peer_pb2_grpc import LedgerPeerServiceAsyncStub

PRODUCT = f"prd_{1:032x}"
RATE_CARD = f"rcd_{1:032x}"
RATE = f"rat_{1:032x}"
CREDIT_TYPE = f"crt_{1:032x}"
UNITS_MICROS = MICROS
# A call is one unit, and one unit costs 12 credits.
CALL_MICROS = 12 * MICROS
USERS = tuple(f"user_{number:04}" for number in range(1_000, 1_050))
PLENTY_MICROS = 10**14
SELLERS = 32
VERIFY_SECONDS_MAX = 600.0


def customer(number: int) -> str:
    return f"cus_{number:032x}"


def seat_ids(count: int) -> tuple[str, ...]:
    return tuple(f"seat_{number:05}" for number in range(count))


def customers(count: int, *, first: int = 1) -> tuple[str, ...]:
    return tuple(customer(first + number) for number in range(count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stubs:
    """The services of a Ledger."""

    gate: "LedgerServiceAsyncStub"
    admin: "LedgerAdminServiceAsyncStub"
    peer: "LedgerPeerServiceAsyncStub"

    async def open_shop(self) -> None:
        """Apply the product and its price, valid since yesterday."""
        await self.peer.ApplyMetrics(
            peer_pb.ApplyMetricsRequest(
                request_id="perf-product",
                product_id=PRODUCT,
                version=1,
                name="AI Assistant",
                billable_metric_id=f"met_{1:032x}",
                event_type="ai.assistant",
                aggregation=peer_pb.AGGREGATION_SUM,
                sum_property="units",
                group_keys=["user_id"],
            )
        )
        rate = peer_pb.UsageRate(
            rate_id=RATE,
            product_id=PRODUCT,
            credit_type_id=CREDIT_TYPE,
            price_micros=CALL_MICROS,
            per_micros=UNITS_MICROS,
            effective_time=timestamp(yesterday()),
        )
        await self.peer.ApplyRateCard(
            peer_pb.ApplyRateCardRequest(
                request_id="perf-card", rate_card_id=RATE_CARD, version=1, rates=[rate]
            )
        )

    async def sign(self, names: Iterable[str]) -> None:
        """Apply these customers, each with a contract."""
        await _each(names, self.sign_for)

    async def sign_for(
        self,
        name: str,
        subscriptions: Sequence[peer_pb.SubscriptionSeats] = (),
        grant_schedules: Sequence[peer_pb.ScheduleTerms] = (),
    ) -> None:
        """Apply a customer with a contract."""
        told = peer_pb.ApplyCustomerRequest(request_id=f"{name}-told", customer_id=name, version=1)
        await self.peer.ApplyCustomer(told)
        await self.peer.ApplyContract(
            peer_pb.ApplyContractRequest(
                request_id=f"{name}-signed",
                customer_id=name,
                contract_id=f"con_{name.removeprefix('cus_')}",
                version=1,
                rate_card_id=RATE_CARD,
                start_time=timestamp(yesterday()),
                subscriptions=subscriptions,
                grant_schedules=grant_schedules,
            )
        )

    async def grant(self, names: Iterable[str], *, micros: int = PLENTY_MICROS) -> None:
        """Give each customer a promotion that is drawn first and a top-up, each of this many credits × 10^6."""

        async def one(name: str) -> None:
            for kind, priority in ((pb.GRANT_KIND_PROMOTIONAL, 1), (pb.GRANT_KIND_TOP_UP, 100)):
                await self.add_credits(name, micros=micros, kind=kind, priority=priority)

        await _each(names, one)

    async def add_credits(
        self,
        name: str,
        *,
        micros: int,
        kind: "pb.GrantKind" = pb.GRANT_KIND_TOP_UP,
        priority: int = 100,
        request_id: str = "",
    ) -> None:
        await self.admin.IssueGrant(
            apb.IssueGrantRequest(
                request_id=request_id or f"{name}-{priority}",
                customer=name,
                credit_type_id=CREDIT_TYPE,
                grant_kind=kind,
                amount_micros=micros,
                priority=priority,
            )
        )

    async def warm(self, names: Iterable[str]) -> None:
        """Let the Ledger read each of these customers, and nothing be held: a hold of a unit, and its release."""

        async def one(name: str) -> None:
            request = pb.AuthorizeRequest(
                request_id=f"{name}-read",
                customer=name,
                product_id=PRODUCT,
                quantity_micros=UNITS_MICROS,
                group_values={"user_id": USERS[0]},
            )
            held = await self.gate.Authorize(request)
            await self.gate.Release(
                pb.ReleaseRequest(request_id=f"{name}-left", customer=name, hold_id=held.hold_id)
            )

        await _each(names, one)

    async def verify(self) -> apb.VerifyLedgerResponse:
        """Recount everything."""
        return await self.admin.VerifyLedger(apb.VerifyLedgerRequest(), timeout=VERIFY_SECONDS_MAX)


@asynccontextmanager
async def open_stubs(address: str) -> AsyncIterator[Stubs]:
    async with open_channel(address) as channel:
        yield Stubs(
            gate=LedgerServiceStub(channel),
            admin=LedgerAdminServiceStub(channel),
            peer=LedgerPeerServiceStub(channel),
        )


async def used_micros(url: str, names: Sequence[str] = ()) -> int:
    """Return the credits × 10^6 captured or held, of these customers or (without any) of all."""
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetchval(
            "SELECT coalesce(sum(captured_micros + held_micros), 0)::bigint FROM ledger.grants"
            " WHERE cardinality($1::text[]) = 0 OR customer_id = ANY ($1)",
            list(names),
        )
    finally:
        await connection.close()
    return int(found)


def yesterday() -> datetime:
    return datetime.now(UTC) - timedelta(days=1)


async def _each(names: Iterable[str], one: Callable[[str], Awaitable[None]]) -> None:
    turn = asyncio.Semaphore(SELLERS)

    async def in_turn(name: str) -> None:
        async with turn:
            await one(name)

    await asyncio.gather(*(in_turn(name) for name in names))
