# SPDX-License-Identifier: Apache-2.0
"""A real Ledger on a free port with a database for one test, its stubs, and a customer with seats."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from deploy.local.ports import free_port
from meshkit.clock import ManualClock, SystemClock
from meshkit.ids import Ids
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import optional_timestamp, timestamp
from meshkit.service import App
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import self_service_pb2 as own_pb
from purser.ledger.v1 import usage_pb2 as usage_pb
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from purser.ledger.v1.ledger_peer_pb2_grpc import LedgerPeerServiceStub
from purser.ledger.v1.self_service_pb2_grpc import SelfServiceStub
from purser.ledger.v1.usage_pb2_grpc import UsageServiceStub
from services.ledger.app import open_service
from services.ledger.config import LedgerSettings
from tests.support.postgres import Databases

if TYPE_CHECKING:
    # The stubs of an aio channel have separate types, which exist only in the .pyi.
    from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceAsyncStub
    from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceAsyncStub
    from purser.ledger.v1.ledger_peer_pb2_grpc import LedgerPeerServiceAsyncStub
    from purser.ledger.v1.self_service_pb2_grpc import SelfServiceAsyncStub
    from purser.ledger.v1.usage_pb2_grpc import UsageServiceAsyncStub

GateStub: TypeAlias = "LedgerServiceAsyncStub"
AdminStub: TypeAlias = "LedgerAdminServiceAsyncStub"
PeerStub: TypeAlias = "LedgerPeerServiceAsyncStub"
UsageStub: TypeAlias = "UsageServiceAsyncStub"
OwnStub: TypeAlias = "SelfServiceAsyncStub"

JUNE = datetime(2025, 6, 1, tzinfo=UTC)
JULY = datetime(2025, 7, 1, tzinfo=UTC)
AUGUST = datetime(2025, 8, 1, tzinfo=UTC)
NOBODY = "127.0.0.1:1"  # nothing listens there: an unavailable peer
AI = "crt_ai"
CREDIT = 1_000_000

_replicas = itertools.count(1)  # so that two Ledgers on one database never use the same request_id


def a_rate(
    product_id: str = "prd_assistant",
    *,
    price_micros: int = 12 * CREDIT,
    per_micros: int = 1_000_000,
    start: datetime = datetime(2025, 1, 1, tzinfo=UTC),
    end: datetime | None = None,
    credit_type_id: str = AI,
    **more: Any,
) -> peer_pb.UsageRate:
    """Return a flat rate. Its id names the product and the start, unless `more` says otherwise."""
    told: dict[str, Any] = {
        "rate_id": f"rat_{product_id}_{start:%Y%m%d%H%M%S%f}_{price_micros}_{per_micros}",
        "product_id": product_id,
        "credit_type_id": credit_type_id,
        "price_micros": price_micros,
        "per_micros": per_micros,
        "effective_time": timestamp(start),
        "end_time": optional_timestamp(end),
    }
    return peer_pb.UsageRate(**(told | more))


def a_schedule(**more: object) -> peer_pb.ScheduleTerms:
    """Return a schedule: 100 AI credits a month per seat of sub_1 from 1 June, prorated; `more` overrides fields."""
    terms: dict[str, object] = {
        "grant_schedule_id": "sch_1",
        "product_id": "prd_included",
        "credit_type_id": AI,
        "unit_amount_micros": 100 * CREDIT,
        "subscription_id": "sub_1",
        "frequency": peer_pb.GRANT_FREQUENCY_MONTHLY,
        "anchor_time": timestamp(JUNE),
        "priority": 1,
        "prorates_increases": True,
        "period_proration": peer_pb.PERIOD_PRORATION_FIRST_AND_LAST,
        "commit_duration": 1,
    }
    return peer_pb.ScheduleTerms(**(terms | more))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningLedger:
    """The service, its stubs and its business clock. `request_id` returns a new id at each call."""

    app: App
    address: str
    gate: GateStub
    admin: AdminStub
    peer: PeerStub
    usage: UsageStub
    own: OwnStub
    clock: ManualClock
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    name: str = field(default_factory=lambda: f"req-{next(_replicas)}")

    def request_id(self) -> str:
        return f"{self.name}-{next(self.numbers)}"

    async def sell_assistant(self) -> None:
        """Apply the usage product prd_assistant, at 12 credits a unit on the card rcd_main from 2025 on."""
        await self.tell_product("prd_assistant")
        await self.tell_card(a_rate())

    async def tell_product(
        self,
        product_id: str,
        *,
        group_keys: tuple[str, ...] = ("user_id",),
        dimensions: tuple[str, ...] = (),
        version: int = 1,
        **more: object,
    ) -> int:
        """Apply a product that sums the property units of ai_call; a dimension reads the property of its name."""
        told: dict[str, object] = {
            "request_id": self.request_id(),
            "product_id": product_id,
            "version": version,
            "name": "AI product",
            "billable_metric_id": "met_1",
            "event_type": "ai_call",
            "aggregation": peer_pb.AGGREGATION_SUM,
            "sum_property": "units",
            "group_keys": group_keys,
            "pricing_dimensions": [peer_pb.PricingDimension(key=key, property=key) for key in dimensions],
        }
        answer = await self.peer.ApplyMetrics(
            peer_pb.ApplyMetricsRequest(**(told | more))  # type: ignore[arg-type]
        )
        return answer.version

    async def tell_card(
        self, *rates: peer_pb.UsageRate, rate_card_id: str = "rcd_main", version: int = 1
    ) -> int:
        """Apply a card with all its rates."""
        told = peer_pb.ApplyRateCardRequest(
            request_id=self.request_id(), rate_card_id=rate_card_id, version=version, rates=rates
        )
        return (await self.peer.ApplyRateCard(told)).version

    async def sign_acme(
        self,
        *,
        seats: int = 4,
        credits_per_seat: int = 100,
        start: datetime = JUNE,
        end: datetime | None = None,
    ) -> None:
        """Apply cus_acme (alias acme) and its contract con_1, in which the seats of sub_1 bring credits every month."""
        await self.tell_customer("cus_acme", "acme")
        await self.apply_contract(seats=seats, credits_per_seat=credits_per_seat, start=start, end=end)

    async def apply_contract(
        self,
        *,
        start: datetime,
        end: datetime | None = None,
        seats: int = 4,
        credits_per_seat: int = 100,
        version: int = 1,
        schedules: Sequence[peer_pb.ScheduleTerms] | None = None,
        **more: object,
    ) -> int:
        """Apply a contract of cus_acme: con_1, with one schedule for the seats of sub_1; `more` overrides fields."""
        if schedules is None:
            schedules = [
                a_schedule(unit_amount_micros=credits_per_seat * CREDIT, anchor_time=timestamp(start))
            ]
        told: dict[str, object] = {
            "request_id": self.request_id(),
            "customer_id": "cus_acme",
            "contract_id": "con_1",
            "version": version,
            "rate_card_id": "rcd_main",
            "start_time": timestamp(start),
            "end_time": optional_timestamp(end),
            "subscriptions": [peer_pb.SubscriptionSeats(subscription_id="sub_1", initial_quantity=seats)],
            "grant_schedules": schedules,
        }
        answer = await self.peer.ApplyContract(
            peer_pb.ApplyContractRequest(**(told | more))  # type: ignore[arg-type]
        )
        return answer.version

    async def change_seats(
        self, delta: int, at: datetime, *, sequence: int, **more: object
    ) -> peer_pb.ApplySeatChangeResponse:
        """Apply a seat change of sub_1; `more` overrides fields."""
        told: dict[str, object] = {
            "request_id": self.request_id(),
            "customer_id": "cus_acme",
            "subscription_id": "sub_1",
            "seat_change_id": f"chg_{sequence}",
            "sequence": sequence,
            "effective_time": timestamp(at),
            "quantity_delta": delta,
        }
        return await self.peer.ApplySeatChange(
            peer_pb.ApplySeatChangeRequest(**(told | more))  # type: ignore[arg-type]
        )

    async def sign_named_seats(
        self,
        *,
        seats: int = 2,
        credits_per_seat: int = 100,
        version: int = 1,
        schedules: Sequence[peer_pb.ScheduleTerms] = (),
        end: datetime | None = None,
        overage: peer_pb.OveragePolicy | None = None,
        scope: Sequence[str] = (),
        **named: object,
    ) -> None:
        """Apply cus_acme and con_1, whose named seats of sub_1 (by user_id) have 100 credits a month each.

        scope: the products that these are for. schedules: in addition to that one. named: other fields of the
        subscription.
        """
        await self.tell_customer("cus_acme", "acme")
        told: dict[str, object] = {
            "subscription_id": "sub_1",
            "initial_quantity": seats,
            "seat_group_key": "user_id",
        }
        individual = a_schedule(
            unit_amount_micros=credits_per_seat * CREDIT,
            allocation=peer_pb.ALLOCATION_INDIVIDUAL,
            scope_product_ids=scope,
        )
        await self.apply_contract(
            start=JUNE,
            end=end,
            version=version,
            subscriptions=[peer_pb.SubscriptionSeats(**(told | named))],  # type: ignore[arg-type]
            schedules=[individual, *schedules],
            overage=overage,
        )

    async def assign(
        self, *seat_ids: str, sequence: int, at: datetime = JUNE, **more: object
    ) -> peer_pb.ApplySeatChangeResponse:
        """Assign seats of sub_1 to these ids; `more` overrides fields."""
        return await self.change_seats(0, at, sequence=sequence, assign_seat_ids=seat_ids, **more)

    async def seat(self, seat_id: str, **more: object) -> pb.SeatBalance:
        """Return what a seat of acme has; it has credits of one schedule."""
        asked: dict[str, object] = {"customer": "acme", "seat_id": seat_id}
        (seat,) = (await self.gate.GetBalance(pb.GetBalanceRequest(**(asked | more)))).seats  # type: ignore[arg-type]
        return seat

    async def authorize(
        self, credits: int, *, user: str | None = None, **more: object
    ) -> pb.AuthorizeResponse:
        """Authorize whole credits for prd_assistant and acme; `more` overrides fields."""
        asked: dict[str, object] = {
            "request_id": self.request_id(),
            "customer": "acme",
            "product_id": "prd_assistant",
            "group_values": {"user_id": user} if user else {},
        }
        if "quantity_micros" not in more:
            asked["credits_micros"] = credits * CREDIT
        return await self.gate.Authorize(pb.AuthorizeRequest(**(asked | more)))  # type: ignore[arg-type]

    async def debit(self, credits: int, *, user: str | None = None, **more: object) -> pb.DebitResponse:
        """Debit whole credits for prd_assistant and acme; `more` overrides fields."""
        asked: dict[str, object] = {
            "request_id": self.request_id(),
            "customer": "acme",
            "product_id": "prd_assistant",
            "group_values": {"user_id": user} if user else {},
        }
        if "quantity_micros" not in more:
            asked["credits_micros"] = credits * CREDIT
        return await self.gate.Debit(pb.DebitRequest(**(asked | more)))  # type: ignore[arg-type]

    async def capture(self, hold_id: str, credits: int | None = None, **more: object) -> pb.CaptureResponse:
        """Capture whole credits of a hold of acme, or all of it."""
        asked: dict[str, object] = {"request_id": self.request_id(), "customer": "acme", "hold_id": hold_id}
        if credits is not None:
            asked["credits_micros"] = credits * CREDIT
        return await self.gate.Capture(pb.CaptureRequest(**(asked | more)))  # type: ignore[arg-type]

    async def release(self, hold_id: str, **more: object) -> pb.ReleaseResponse:
        asked: dict[str, object] = {"request_id": self.request_id(), "customer": "acme", "hold_id": hold_id}
        return await self.gate.Release(pb.ReleaseRequest(**(asked | more)))  # type: ignore[arg-type]

    async def extend(self, hold_id: str, credits: int | None = None, **more: object) -> pb.ExtendHoldResponse:
        """Extend a hold of acme by whole credits; `more` overrides fields."""
        asked: dict[str, object] = {"request_id": self.request_id(), "customer": "acme", "hold_id": hold_id}
        if credits is not None:
            asked["credits_micros"] = credits * CREDIT
        return await self.gate.ExtendHold(pb.ExtendHoldRequest(**(asked | more)))  # type: ignore[arg-type]

    async def top_up(self, credits: int, *, source_id: str = "", **more: object) -> pb.Grant:
        """Grant whole credits to acme: priority 100, paid, without expiry; `more` overrides fields."""
        asked: dict[str, object] = {
            "request_id": self.request_id(),
            "customer": "acme",
            "credit_type_id": AI,
            "grant_kind": pb.GRANT_KIND_TOP_UP,
            "amount_micros": credits * CREDIT,
            "cost_basis_micros": 80 * CREDIT,
            "source_id": source_id,
        }
        issued = await self.admin.IssueGrant(apb.IssueGrantRequest(**(asked | more)))  # type: ignore[arg-type]
        return issued.grant

    async def void(self, grant_id: str, **more: object) -> apb.VoidGrantResponse:
        """Void what is left of a grant of acme; `more` overrides fields."""
        asked: dict[str, object] = {
            "request_id": self.request_id(),
            "customer": "acme",
            "grant_id": grant_id,
            "reason": "issued by mistake",
            "actor": "ops@seatsco.example",
        }
        return await self.admin.VoidGrant(apb.VoidGrantRequest(**(asked | more)))  # type: ignore[arg-type]

    async def set_cap(self, limit: int, *, user: str = "", **more: object) -> apb.SpendCap:
        """Cap the spend of one user of acme (without one: of each user) per billing period, in whole credits."""
        asked: dict[str, object] = {
            "request_id": self.request_id(),
            "customer": "acme",
            "credit_type_id": AI,
            "group_key": "user_id",
            "group_value": user,
            "limit_micros": limit * CREDIT,
        }
        answer = await self.admin.SetSpendCap(apb.SetSpendCapRequest(**(asked | more)))  # type: ignore[arg-type]
        return answer.spend_cap

    async def cap_own(self, limit: int, **more: object) -> apb.SpendCap:
        """Cap the spend of acme as acme does itself, per billing period, in whole credits."""
        asked: dict[str, object] = {
            "request_id": self.request_id(),
            "customer": "acme",
            "credit_type_id": AI,
            "limit_micros": limit * CREDIT,
        }
        answer = await self.own.SetOwnSpendCap(own_pb.SetOwnSpendCapRequest(**(asked | more)))  # type: ignore[arg-type]
        return answer.spend_cap

    async def set_group(self, name: str, *users: str, **more: object) -> apb.CapGroup:
        """Make a group of users of acme; `more` overrides fields."""
        asked: dict[str, object] = {
            "request_id": self.request_id(),
            "customer": "acme",
            "name": name,
            "group_key": "user_id",
            "group_values": users,
        }
        answer = await self.admin.SetCapGroup(apb.SetCapGroupRequest(**(asked | more)))  # type: ignore[arg-type]
        return answer.cap_group

    async def set_time_zone(self, time_zone: str) -> None:
        request = apb.SetTimeZoneRequest(request_id=self.request_id(), customer="acme", time_zone=time_zone)
        await self.admin.SetTimeZone(request)

    async def lift_cap(self, spend_cap_id: str, **more: object) -> None:
        asked: dict[str, object] = {
            "request_id": self.request_id(),
            "customer": "acme",
            "spend_cap_id": spend_cap_id,
        }
        await self.admin.RemoveSpendCap(apb.RemoveSpendCapRequest(**(asked | more)))  # type: ignore[arg-type]

    async def set_concurrency_cap(self, holds_max: int, **more: object) -> apb.ConcurrencyCap:
        """Cap the open holds of acme; `more` says of which group value or product, and overrides fields."""
        asked: dict[str, object] = {
            "request_id": self.request_id(),
            "customer": "acme",
            "credit_type_id": AI,
            "holds_max": holds_max,
        }
        request = apb.SetConcurrencyCapRequest(**(asked | more))  # type: ignore[arg-type]
        return (await self.admin.SetConcurrencyCap(request)).concurrency_cap

    async def lift_concurrency_cap(self, concurrency_cap_id: str, **more: object) -> None:
        asked: dict[str, object] = {
            "request_id": self.request_id(),
            "customer": "acme",
            "concurrency_cap_id": concurrency_cap_id,
        }
        request = apb.RemoveConcurrencyCapRequest(**(asked | more))  # type: ignore[arg-type]
        await self.admin.RemoveConcurrencyCap(request)

    async def set_shadow(self, *, is_on: bool = True, **more: object) -> apb.ShadowMode:
        """Switch shadow mode of acme on or off; `more` overrides fields."""
        asked: dict[str, object] = {"request_id": self.request_id(), "customer": "acme", "is_on": is_on}
        request = apb.SetShadowModeRequest(**(asked | more))  # type: ignore[arg-type]
        return (await self.admin.SetShadowMode(request)).shadow_mode

    async def shadow_denials(self, **more: object) -> list[apb.ShadowDenials]:
        """Return the report of acme for June and July; `more` overrides fields."""
        asked: dict[str, object] = {
            "customer": "acme",
            "start_time": timestamp(JUNE),
            "end_time": timestamp(JULY + timedelta(days=31)),
        }
        request = apb.ListShadowDenialsRequest(**(asked | more))  # type: ignore[arg-type]
        return list((await self.admin.ListShadowDenials(request)).shadow_denials)

    async def watch(self, threshold: int, **more: object) -> peer_pb.WatchThresholdResponse:
        """Watch acme's balance for alr_1, with a threshold in whole credits; `more` overrides fields."""
        asked: dict[str, object] = {
            "request_id": self.request_id(),
            "alert_id": "alr_1",
            "version": 1,
            "is_active": True,
            "watch_kind": peer_pb.WATCH_KIND_LOW_BALANCE,
            "customer_id": "cus_acme",
            "credit_type_id": AI,
            "threshold_micros": threshold * CREDIT,
        }
        return await self.peer.WatchThreshold(
            peer_pb.WatchThresholdRequest(**(asked | more))  # type: ignore[arg-type]
        )

    async def tell_customer(
        self, customer_id: str = "cus_acme", *aliases: str, version: int = 1, is_suspended: bool = False
    ) -> int:
        told = peer_pb.ApplyCustomerRequest(
            request_id=self.request_id(),
            customer_id=customer_id,
            version=version,
            aliases=aliases,
            is_suspended=is_suspended,
        )
        return (await self.peer.ApplyCustomer(told)).version

    async def entries(self, **more: object) -> list[apb.Entry]:
        """Return acme's entries, newest first."""
        asked: dict[str, object] = {"customer": "acme", "credit_type_id": AI}
        return list(
            (await self.admin.ListEntries(apb.ListEntriesRequest(**(asked | more)))).entries  # type: ignore[arg-type]
        )

    async def grants(self) -> list[pb.Grant]:
        """Return acme's grants, expired ones too, in the order of creation."""
        return list((await self.admin.ListGrants(apb.ListGrantsRequest(customer="acme"))).grants)

    async def holds(self, **more: object) -> list[apb.Hold]:
        """Return acme's holds, newest first."""
        asked: dict[str, object] = {"customer": "acme"}
        return list((await self.admin.ListHolds(apb.ListHoldsRequest(**(asked | more)))).holds)  # type: ignore[arg-type]

    async def flush(self) -> None:
        """Run the work that is due now, and retry every pending crossing, as after a peer's return."""
        await self.app.run_due(self.clock.now())

    async def pool(self) -> pb.PoolBalance:
        balance = await self.gate.GetBalance(pb.GetBalanceRequest(customer="acme"))
        return balance.pools[0]

    async def add_up(self) -> None:
        """Have all usage added up that is recorded: a read of all customers' sums does that first."""
        start, end = timestamp(JUNE), timestamp(JULY)
        found = await self.usage.GetUsage(
            usage_pb.GetUsageRequest(start_time=start, end_time=end, window=usage_pb.USAGE_WINDOW_SPAN)
        )
        assert found.is_complete

    async def assert_adds_up(self) -> None:
        """Assert that every stored figure equals the sum of entries and open holds."""
        await self.add_up()
        found = await self.admin.VerifyLedger(apb.VerifyLedgerRequest())
        assert found.is_consistent, found.discrepancies


@asynccontextmanager
async def two_ledgers(databases: Databases) -> AsyncIterator[tuple[RunningLedger, RunningLedger]]:
    """Serve two Ledgers that share database and clock; acme has 400 credits."""
    async with (
        running_ledger(databases) as first,
        running_ledger(databases, clock=first.clock) as second,
    ):
        await first.sell_assistant()
        await first.sign_acme()
        yield first, second


@asynccontextmanager
async def running_ledger(
    databases: Databases,
    *,
    alert_address: str = NOBODY,
    contract_address: str = NOBODY,
    at: datetime = JUNE,
    sandbox: bool = False,
    clock: ManualClock | None = None,
    connections: int = 10,
    password_file: str = "",
) -> AsyncIterator[RunningLedger]:
    """Serve a Ledger whose clock stands at `at`. Its sweeper runs once and then sleeps for an hour."""
    clock = clock or ManualClock(at)
    wall = SystemClock()
    settings = LedgerSettings(
        insecure=True,
        database_url=databases.url("ledger"),
        database_connections=connections,
        database_password_file=password_file,
        listen=f"127.0.0.1:{free_port()}",
        catalog_address=NOBODY,
        contract_address=contract_address,
        alert_address=alert_address,
        sandbox=sandbox,
        sweep_seconds=3_600,
    )
    async with open_service(settings, clock=clock, wall=wall, ids=Ids(wall)) as app:
        address = f"127.0.0.1:{app.port}"
        async with open_channel(address) as channel:
            yield RunningLedger(
                app=app,
                address=address,
                gate=LedgerServiceStub(channel),
                admin=LedgerAdminServiceStub(channel),
                peer=LedgerPeerServiceStub(channel),
                usage=UsageServiceStub(channel),
                own=SelfServiceStub(channel),
                clock=clock,
            )
