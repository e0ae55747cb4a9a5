# SPDX-License-Identifier: Apache-2.0
"""A token restricted to one customer finds nothing of another: what is foreign is answered as what is unknown.

Requests are built from the descriptors, so a new rpc is covered as soon as it is in a proto.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc import StatusCode
from grpc.aio import AioRpcError

from deploy.local.database import SERVICES
from deploy.local.seatsco import ASSISTANT, EVENT_TYPES, Stubs, open_stubs, sign_acme, stubs_of
from meshkit.quantity import MICROS
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as alert
from purser.alert.v1 import feed_pb2 as feed
from purser.contract.v1 import auto_top_ups_pb2 as auto
from purser.contract.v1 import contract_pb2 as contract
from purser.contract.v1 import self_service_pb2 as own
from purser.contract.v1.self_service_pb2_grpc import SelfServiceStub
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from purser.ledger.v1 import usage_pb2 as usage
from purser.type.v1.money_pb2 import Money
from tests.support.faults import fault, outcome
from tests.support.mesh import JUNE, Acme, SwitchedMesh, acme_of, pending, secured, until
from tests.support.postgres import Databases
from tests.support.rpcs import Rpc, rpcs_of

ALL_ROLES = ("operator", "viewer", "gate", "usage", "payments", "security")
# Requests without a customer concern all of them; the caller must name one.
NAMES_NOBODY = {
    "GetUsage": usage.GetUsageRequest(
        start_time=timestamp(JUNE),
        end_time=timestamp(JUNE + timedelta(days=1)),
        window=usage.USAGE_WINDOW_DAY,
    ),
    "VerifyLedger": admin.VerifyLedgerRequest(),
    "CreateAlert": alert.CreateAlertRequest(
        request_id="everybody", name="low", alert_type=alert.ALERT_TYPE_LOW_BALANCE, credit_type_id="crt_1"
    ),
}
# Batches answer item by item; see the tests below.
BATCHES = {"AuthorizeBatch", "CaptureBatch", "DebitBatch", "RecordUsage", "ImportUsage"}
NOT_FOUND = StatusCode.NOT_FOUND.value[0]
OF_A_BALANCE = ("CreateAlert", "CreateOwnAlert")
LISTS_OF_ALL = {"ListCustomers", "ListAlerts", "ListEvents", "WatchEvents"}
OF_THE_CATALOG = "/purser.catalog."


@dataclass(frozen=True, slots=True)
class World:
    """A mesh with two customers. ours, theirs: an id of each kind of thing, by the name of the field for it."""

    mesh: SwitchedMesh
    acme: Acme
    ours: Mapping[str, str]
    theirs: Mapping[str, str]
    restricted: str
    vendor: str
    customer: str


UNKNOWN = {
    "customer": "cus_00000000000000000000000000",
    "customer_id": "cus_00000000000000000000000000",
    "contract_id": "con_00000000000000000000000000",
    "subscription_id": "sub_00000000000000000000000000",
    "grant_schedule_id": "sch_unknown",
    "hold_id": "hld_00000000000000000000000000",
    "lease_id": "lse_00000000000000000000000000",
    "auto_top_up_id": "atu_00000000000000000000000000",
    "top_up_id": "top_00000000000000000000000000",
    "payment_setup_id": "pst_00000000000000000000000000",
    "invoice_id": "inv_00000000000000000000000000",
    "alert_id": "alr_00000000000000000000000000",
    "destination_id": "end_00000000000000000000000000",
    "grant_id": "grt_00000000000000000000000000",
    "spend_cap_id": "cap_00000000000000000000000000",
    "cap_group_id": "cgr_00000000000000000000000000",
    "concurrency_cap_id": "ccp_00000000000000000000000000",
    "plan_change_id": "pch_00000000000000000000000000",
    "plan_offer_id": "pof_00000000000000000000000000",
    "seat_change_id": "chg_00000000000000000000000000",
}


async def things_of(acme: Acme, customer_id: str, signed: contract.Contract) -> dict[str, str]:
    """Create one of each kind of thing for a customer, and return their ids."""
    stubs, number = acme.stubs, signed.contract_id
    held = await stubs.gate.Authorize(
        ledger.AuthorizeRequest(
            request_id=f"hold-{number}",
            customer=customer_id,
            product_id=acme.offer.usage[ASSISTANT],
            credits_micros=MICROS,
            group_values={"user_id": "ann"},
        )
    )
    assert held.decision == ledger.DECISION_ALLOWED
    ordered = await stubs.contract.OrderTopUp(
        contract.OrderTopUpRequest(
            request_id=f"top-up-{number}",
            contract_id=signed.contract_id,
            top_up_pack_id=acme.offer.pack,
            payment_gate=contract.PAYMENT_GATE_EXTERNAL,
        )
    )
    automatic = await stubs.auto_top_ups.SetAutoTopUp(
        auto.SetAutoTopUpRequest(
            request_id=f"auto-{number}",
            contract_id=signed.contract_id,
            top_up_pack_id=acme.offer.pack,
            threshold_micros=MICROS,
            recharge_to_micros=2 * MICROS,
            monthly_limit=Money(currency_code="USD", micros=500 * MICROS),
        )
    )
    watched = await stubs.alert.CreateAlert(
        alert.CreateAlertRequest(
            request_id=f"alert-{number}",
            name="low",
            alert_type=alert.ALERT_TYPE_LOW_BALANCE,
            customer_id=customer_id,
            credit_type_id=acme.offer.ai_credits,
            threshold_micros=MICROS,
        )
    )
    capped = await stubs.ledger_admin.SetSpendCap(
        admin.SetSpendCapRequest(
            request_id=f"cap-{number}",
            customer=customer_id,
            credit_type_id=acme.offer.ai_credits,
            group_key="user_id",
            group_value="ann",
            limit_micros=100 * MICROS,
            window=admin.CAP_WINDOW_BILLING_PERIOD,
        )
    )
    grouped = await stubs.ledger_admin.SetCapGroup(
        admin.SetCapGroupRequest(
            request_id=f"group-{number}", customer=customer_id, name="a group", group_key="user_id"
        )
    )
    lease = await stubs.gate.Lease(
        ledger.LeaseRequest(
            request_id=f"lease-{number}",
            customer=customer_id,
            product_id=acme.offer.usage[ASSISTANT],
            credits_micros=MICROS,
        )
    )
    await stubs.gate.EndLease(
        ledger.EndLeaseRequest(
            request_id=f"lease-end-{number}", customer=customer_id, lease_id=lease.lease_id
        )
    )
    busy = await stubs.ledger_admin.SetConcurrencyCap(
        admin.SetConcurrencyCapRequest(
            request_id=f"busy-{number}",
            customer=customer_id,
            credit_type_id=acme.offer.ai_credits,
            holds_max=0,
            is_shadow=True,
        )
    )
    in_shadow = await stubs.gate.Authorize(
        ledger.AuthorizeRequest(
            request_id=f"shadow-{number}",
            customer=customer_id,
            product_id=acme.offer.usage[ASSISTANT],
            credits_micros=MICROS,
        )
    )
    assert in_shadow.HasField("shadow_denial")
    await stubs.gate.Release(
        ledger.ReleaseRequest(
            request_id=f"shadow-release-{number}", customer=customer_id, hold_id=in_shadow.hold_id
        )
    )
    small = contract.SubscriptionTerms(
        product_id=acme.offer.team_plan,
        billing_frequency=contract.BILLING_FREQUENCY_MONTHLY,
        initial_quantity=1,
    )
    second = await stubs.contract.CreateContract(
        contract.CreateContractRequest(
            request_id=f"second-{number}",
            customer=customer_id,
            rate_card_id=signed.rate_card_id,
            start_time=signed.start_time,
        )
    )
    changed = await stubs.contract.ChangePlan(
        contract.ChangePlanRequest(
            request_id=f"plan-{number}",
            contract_id=second.contract.contract_id,
            rate_card_id=signed.rate_card_id,
            subscriptions=[small],
        )
    )
    offered = await stubs.contract.CreatePlanOffer(
        contract.CreatePlanOfferRequest(
            request_id=f"offer-{number}",
            name="small",
            rate_card_id=signed.rate_card_id,
            subscriptions=[small],
            customers=[customer_id],
        )
    )
    later = contract.ChangeSeatsRequest(
        request_id=f"seats-{number}",
        contract_id=signed.contract_id,
        subscription_id=signed.subscriptions[0].subscription_id,
        quantity_delta=1,
        effective_time=timestamp(JUNE + timedelta(days=20)),
    )
    scheduled = await stubs.contract.ChangeSeats(later)
    grants = await stubs.ledger_admin.ListGrants(admin.ListGrantsRequest(customer=customer_id))
    return {
        "customer": customer_id,
        "customer_id": customer_id,
        "contract_id": signed.contract_id,
        "subscription_id": signed.subscriptions[0].subscription_id,
        "grant_schedule_id": signed.grant_schedules[0].grant_schedule_id,
        "hold_id": held.hold_id,
        "lease_id": lease.lease_id,
        "auto_top_up_id": automatic.auto_top_up.auto_top_up_id,
        "top_up_id": ordered.top_up.top_up_id,
        "payment_setup_id": "pst_00000000000000000000000001",  # without a provider there are none
        "invoice_id": ordered.invoice.invoice_id,
        "alert_id": watched.alert.alert_id,
        "destination_id": "end_00000000000000000000000001",  # without a mail server there are none
        "grant_id": grants.grants[0].grant_id,
        "spend_cap_id": capped.spend_cap.spend_cap_id,
        "cap_group_id": grouped.cap_group.cap_group_id,
        "concurrency_cap_id": busy.concurrency_cap.concurrency_cap_id,
        "plan_change_id": changed.plan_change.plan_change_id,
        "plan_offer_id": offered.plan_offer.plan_offer_id,
        "seat_change_id": scheduled.seat_change.seat_change_id,
    }


@pytest.fixture
async def world(databases: Databases, tmp_path: Path) -> AsyncIterator[World]:
    access = secured(tmp_path)
    identity = access.identity
    async with SwitchedMesh(databases, access=access) as mesh:
        await mesh.start()
        async with open_stubs(mesh.addresses, identity) as stubs:
            acme = await acme_of(stubs)
            ours = await things_of(acme, acme.contract.customer_id, acme.contract)
            other = (await sign_acme(stubs, acme.offer, name="Other", alias="other")).contract
            theirs = await things_of(acme, other.customer_id, other)
            yield World(
                mesh,
                acme,
                ours,
                theirs,
                restricted=identity.token(*ALL_ROLES, subject="restricted", customers=[ours["customer"]]),
                vendor=identity.token(*ALL_ROLES, subject="vendor"),
                customer=identity.token("customer", subject="ann@acme", customer=ours["customer"]),
            )


def request_of(rpc: Rpc, things: Mapping[str, str], world: World, number: int) -> Message:
    """Return a valid request about some things; every field that names one is filled."""
    offer = world.acme.offer
    values: dict[str, Any] = {
        **things,
        "request_id": f"ask-{number}",
        "product_id": "" if rpc.name in OF_A_BALANCE else offer.usage[ASSISTANT],
        "credit_type_id": offer.ai_credits,
        "rate_card_id": world.acme.contract.rate_card_id,
        "top_up_pack_id": offer.pack,
        "payment_gate": contract.PAYMENT_GATE_EXTERNAL,
        "outcome": contract.PAYMENT_OUTCOME_FAILED,
        "credits_micros": MICROS,
        "unit_amount_micros": MICROS,
        "amount_micros": MICROS,
        "limit_micros": MICROS,
        "threshold_micros": MICROS,
        "recharge_to_micros": 2 * MICROS,
        "monthly_limit": Money(currency_code="USD", micros=500 * MICROS),
        "quantity_delta": 1,
        "sequence": 1,
        "spenders_max": 1,
        "grant_kind": ledger.GRANT_KIND_PROMOTIONAL,
        "window": 0 if rpc.name in OF_A_BALANCE else 2,
        "alert_type": alert.ALERT_TYPE_LOW_BALANCE,
        "group_key": "" if rpc.name in (*OF_A_BALANCE, "GetUsage") else "user_id",
        "group_value": "" if rpc.name in (*OF_A_BALANCE, "GetUsage") else "ann",
        "reason": "a test",
        "actor": "a test",
        "name": "a test",
        "address": "ann@acme.example",
        "code": "12345678",
        "aliases": ["a-new-alias"],
        "start_time": timestamp(JUNE),
        "end_time": timestamp(JUNE + timedelta(days=1)),
        "expire_time": timestamp(JUNE + timedelta(days=30)),
        "effective_time": None,
        "timestamp": None,
        "invoice_collection": contract.InvoiceCollection(),
        "overage_policy": contract.OveragePolicy(mode=contract.OVERAGE_MODE_HARD_STOP),
        "hold_ttl": timedelta(minutes=5),
        "billing_details": contract.BillingDetails(party=contract.Party(name="a test")),
        "amount": Money(currency_code="USD", micros=MICROS),
        "reference": "a test",
        "provider_customer_id": "cus_of_the_provider",
        "chargeback_id": "case-1",
        "dispute_outcome": contract.DISPUTE_OUTCOME_OPENED,
        "payment_method_id": "pm_of_the_provider",
        "seat_group_key": "user_id",
        "time_zone": "Europe/Berlin",
        "seat_ids": ["ann"],
        "shared_pool": contract.SharedPool(access=contract.SHARED_POOL_ACCESS_EVERYONE),
    }
    request = GetMessageClass(rpc.input_type)()
    taken: set[str] = set()
    for field in rpc.input_type.fields:
        value = values.get(field.name)
        group = field.containing_oneof
        if value is None or (group is not None and group.name in taken):
            continue
        if field.enum_type is not None and isinstance(value, str):
            value = 1
        if group is not None:
            taken.add(group.name)
        if isinstance(value, list):
            getattr(request, field.name).extend(value)
        elif isinstance(value, timedelta):
            getattr(request, field.name).FromTimedelta(value)
        elif isinstance(value, Message):
            getattr(request, field.name).CopyFrom(value)
        else:
            setattr(request, field.name, value)
    if rpc.name in ("VoidUsage", "AmendUsage"):
        request = GetMessageClass(rpc.input_type)(
            request_id=f"ask-{number}",
            customer=things["customer"],
            transaction_id="job-1",
            reason="a test",
            actor="a test",
            **({"timestamp": timestamp(JUNE)} if rpc.name == "AmendUsage" else {}),
        )
    if rpc.name in ("SetSpendCap", "SetOwnSpendCap"):
        request.ClearField("product_id")  # another scope's
        request.ClearField("cap_group_id")
    if rpc.name == "GetDecision":
        request = ledger.GetDecisionRequest(customer=things["customer"], hold_id=things["hold_id"])
    return request


async def told(channel: grpc.aio.Channel, rpc: Rpc, token: str, request: Message) -> tuple[str, str]:
    """Return the status of a call and its message without the ids in it, or OK."""
    call = channel.unary_unary(rpc.path, request_serializer=lambda message: message.SerializeToString())
    try:
        await call(request, metadata=(("authorization", f"Bearer {token}"),), timeout=60)
    except AioRpcError as error:
        return error.code().name, re.sub(r"[a-z]{3}_[0-9A-Za-z]{20,}", "ID", error.details() or "")
    return "OK", ""


@asynccontextmanager
async def restricted_stubs(world: World) -> AsyncIterator[Stubs]:
    """Yield stubs with every role, restricted to our customer."""
    assert world.mesh.access is not None
    credentials = world.mesh.access.identity.credentials(world.restricted)
    async with AsyncExitStack() as stack:
        channels = {
            service: await stack.enter_async_context(open_channel(address, credentials))
            for service, address in world.mesh.addresses.items()
        }
        yield stubs_of(channels)


def covered(rpcs: list[Rpc]) -> Iterator[Rpc]:
    for rpc in rpcs:
        is_of_one = rpc.roles and not rpc.is_vendor_wide and rpc.name not in BATCHES | LISTS_OF_ALL
        if is_of_one and not rpc.path.startswith(OF_THE_CATALOG):
            yield rpc


async def test_what_belongs_to_another_customer_is_answered_as_if_it_did_not_exist(world: World) -> None:
    rpcs = list(covered(await rpcs_of(world.mesh)))
    channels = {service: world.mesh.channel(service) for service in SERVICES}
    wrong = []

    for number, rpc in enumerate(rpcs):
        token = world.customer if rpc.roles == {"customer"} else world.restricted
        channel = channels[rpc.service]
        theirs = request_of(rpc, world.theirs, world, 2 * number)
        unknown = request_of(rpc, UNKNOWN, world, 2 * number + 1)
        foreign, missing = await told(channel, rpc, token, theirs), await told(channel, rpc, token, unknown)
        if foreign != missing or foreign[0] not in ("NOT_FOUND", "PERMISSION_DENIED"):
            wrong.append((rpc.name, foreign, missing))
    for channel in channels.values():
        await channel.close()

    assert wrong == []
    assert len(rpcs) > 40


async def test_the_same_requests_about_ones_own_are_answered(world: World) -> None:
    """Otherwise the test above could compare two errors that have nothing to do with the customer."""
    rpcs = list(covered(await rpcs_of(world.mesh)))
    refused = []

    for number, rpc in enumerate(rpcs):
        token = world.customer if rpc.roles == {"customer"} else world.restricted
        async with world.mesh.channel(rpc.service) as channel:
            status, text = await told(channel, rpc, token, request_of(rpc, world.ours, world, number))
        if status in ("PERMISSION_DENIED", "UNAUTHENTICATED", "INVALID_ARGUMENT") or text.startswith(
            "customer"
        ):
            refused.append((rpc.name, status, text))

    assert refused == []


async def test_a_request_that_names_no_customer_is_refused(world: World) -> None:
    rpcs = {rpc.name: rpc for rpc in await rpcs_of(world.mesh)}

    for name, request in NAMES_NOBODY.items():
        async with world.mesh.channel(rpcs[name].service) as channel:
            call = channel.unary_unary(
                rpcs[name].path, request_serializer=lambda message: message.SerializeToString()
            )
            refused = await outcome(
                call(request, metadata=(("authorization", f"Bearer {world.restricted}"),))
            )
            assert refused == (StatusCode.PERMISSION_DENIED, "TOKEN_RESTRICTED"), name


async def test_lists_show_only_ones_own(world: World, databases: Databases) -> None:
    a_while_ago = datetime.now(UTC) - timedelta(hours=1)
    await until(lambda: pending(databases, ["contract"]), lambda count: count == 0)
    async with restricted_stubs(world) as stubs:
        customers = await stubs.contract.ListCustomers(contract.ListCustomersRequest())
        signed = await stubs.contract.ListContracts(contract.ListContractsRequest())
        alerts = await stubs.alert.ListAlerts(alert.ListAlertsRequest())
        events = await stubs.feed.ListEvents(feed.ListEventsRequest())
        watched = aiter(stubs.feed.WatchEvents(feed.WatchEventsRequest(start_time=timestamp(a_while_ago))))
        await anext(watched)
        seen = [(await anext(watched)).event for _ in events.events]
        foreign = await stubs.feed.ListEvents(feed.ListEventsRequest(customer_id=world.theirs["customer"]))
        of_today = admin.ListShadowDenialsRequest(
            start_time=timestamp(datetime(2000, 1, 1, tzinfo=UTC)),
            end_time=timestamp(datetime(2100, 1, 1, tzinfo=UTC)),
        )
        ours = await stubs.ledger_admin.ListShadowDenials(of_today)

    assert [one.customer_id for one in customers.customers] == [world.ours["customer"]]
    assert {one.customer_id for one in signed.contracts} == {world.ours["customer"]}
    assert world.ours["contract_id"] in [one.contract_id for one in signed.contracts]
    assert [one.alert_id for one in alerts.alerts] == [world.ours["alert_id"]]
    assert {one.customer_id for one in events.events} == {world.ours["customer"]}
    assert {one.customer_id for one in ours.shadow_denials} == {world.ours["customer"]}
    all_denials = await world.acme.stubs.ledger_admin.ListShadowDenials(of_today)
    assert len(all_denials.shadow_denials) > len(ours.shadow_denials)
    everything = await world.acme.stubs.feed.ListEvents(feed.ListEventsRequest())
    assert len(everything.events) > len(events.events)
    assert (seen, list(foreign.events)) == (list(events.events), [])


async def test_each_item_of_a_batch_is_checked(world: World) -> None:
    def ask(number: int, things: Mapping[str, str]) -> ledger.AuthorizeRequest:
        return ledger.AuthorizeRequest(
            request_id=f"item-{number}",
            customer=things["customer"],
            product_id=world.acme.offer.usage[ASSISTANT],
            credits_micros=MICROS,
        )

    def take(number: int, things: Mapping[str, str]) -> ledger.CaptureRequest:
        return ledger.CaptureRequest(
            request_id=f"take-{number}", customer=things["customer"], hold_id=things["hold_id"]
        )

    things = (world.ours, world.theirs, UNKNOWN)
    async with restricted_stubs(world) as stubs:
        asked = await stubs.gate.AuthorizeBatch(
            ledger.AuthorizeBatchRequest(items=[ask(n, of) for n, of in enumerate(things)])
        )
        taken = await stubs.gate.CaptureBatch(
            ledger.CaptureBatchRequest(items=[take(n, of) for n, of in enumerate(things)])
        )

    assert [one.error.code for one in asked.results] == [0, NOT_FOUND, NOT_FOUND]
    assert [one.error.code for one in taken.results] == [0, NOT_FOUND, NOT_FOUND]
    still = await world.acme.stubs.gate.GetBalance(ledger.GetBalanceRequest(customer="other"))
    assert still.pools[0].held_micros == MICROS  # nobody took it


async def test_usage_of_another_customer_is_rejected_like_that_of_nobody(world: World) -> None:
    events = [
        usage.UsageEvent(
            transaction_id=f"event-{number}",
            customer=things["customer"],
            event_type=EVENT_TYPES[ASSISTANT],
            timestamp=timestamp(JUNE),
            properties={"units": "1", "user_id": "ann"},
        )
        for number, things in enumerate((world.ours, world.theirs, UNKNOWN))
    ]
    async with restricted_stubs(world) as stubs:
        recorded = await stubs.usage.RecordUsage(usage.RecordUsageRequest(events=events))
        imported = await stubs.usage.ImportUsage(iter([usage.ImportUsageRequest(events=events)]))

    assert [one.event_status for one in recorded.results] == [
        usage.EVENT_STATUS_ACCEPTED,
        usage.EVENT_STATUS_REJECTED,
        usage.EVENT_STATUS_REJECTED,
    ]
    refused = usage.REJECTION_REASON_CUSTOMER_NOT_FOUND
    assert [one.rejection_reason for one in recorded.results[1:]] == [refused, refused]
    assert (imported.duplicate_count, imported.rejected_count) == (1, 2)


async def test_a_response_that_is_stored_for_the_vendor_is_not_shown(world: World) -> None:
    suspend = contract.SuspendCustomerRequest(request_id="suspend-other", customer="other")
    await world.acme.stubs.contract.SuspendCustomer(suspend)
    async with restricted_stubs(world) as stubs:
        with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
            await stubs.contract.SuspendCustomer(suspend)


async def test_an_alias_that_moves_takes_no_rights_with_it(world: World) -> None:
    """A token names ids, so an alias is looked up first and its customer compared."""
    aliases = contract.SetCustomerAliasesRequest
    async with restricted_stubs(world) as stubs:
        assert (await stubs.gate.GetBalance(ledger.GetBalanceRequest(customer="acme"))).pools
        vendor = world.acme.stubs.contract
        await vendor.SetCustomerAliases(aliases(request_id="a", customer="acme", aliases=["acme-2"]))
        await vendor.SetCustomerAliases(aliases(request_id="b", customer="other", aliases=["other", "acme"]))
        with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
            await stubs.gate.GetBalance(ledger.GetBalanceRequest(customer="acme"))
        with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
            await stubs.gate.Authorize(world.acme.ask(1))


async def test_a_customer_buys_and_adjusts_seats_at_the_vendors_terms(world: World) -> None:
    assert world.mesh.access is not None
    credentials = world.mesh.access.identity.credentials(world.customer)
    async with open_channel(world.mesh.addresses["contract"], credentials) as channel:
        stub = SelfServiceStub(channel)
        bought = await stub.BuyTopUp(
            own.BuyTopUpRequest(
                request_id="buy-1",
                contract_id=world.ours["contract_id"],
                top_up_pack_id=world.acme.offer.pack,
            )
        )
        preview = await stub.PreviewAdjustSeats(
            own.PreviewAdjustSeatsRequest(contract_id=world.ours["contract_id"], quantity_delta=1)
        )
        adjusted = await stub.AdjustSeats(
            own.AdjustSeatsRequest(
                request_id="seats-1", contract_id=world.ours["contract_id"], quantity_delta=1
            )
        )

    assert bought.top_up.status == contract.TOP_UP_STATUS_PENDING_PAYMENT
    assert bought.invoice.total.micros == 80 * MICROS
    assert preview.quantity_after == adjusted.subscription.quantity == 5
    assert preview.total == adjusted.invoice.total
    assert adjusted.seat_change.effective_time == timestamp(JUNE)


async def test_a_plan_that_is_offered_to_another_customer_does_not_exist(world: World) -> None:
    assert world.mesh.access is not None
    credentials = world.mesh.access.identity.credentials(world.customer)
    foreign = own.ChangeOwnPlanRequest(
        request_id="plan-1",
        contract_id=world.ours["contract_id"],
        plan_offer_id=world.theirs["plan_offer_id"],
    )
    async with open_channel(world.mesh.addresses["contract"], credentials) as channel:
        stub = SelfServiceStub(channel)
        with fault(StatusCode.NOT_FOUND, "PLAN_OFFER_NOT_FOUND"):
            await stub.ChangeOwnPlan(foreign)
        listed = await stub.ListOwnPlanOffers(
            own.ListOwnPlanOffersRequest(contract_id=world.ours["contract_id"])
        )

    assert [one.plan_offer_id for one in listed.plan_offers] == [world.ours["plan_offer_id"]]
