# SPDX-License-Identifier: Apache-2.0
"""Latencies between the services of a whole mesh: P14."""

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from deploy.local import mesh
from deploy.local.fault import Fault
from deploy.local.seatsco import ASSISTANT, Offer, Stubs, define_products, open_stubs, set_prices, sign_acme
from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.keyring import new_key
from meshkit.quantity import MICROS
from purser.alert.v1 import alert_pb2 as alert
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from tests.perf.bench import Bench
from tests.perf.goals import Figure, NotMeasured, Spread

# Only the sandbox allows receivers on this machine. Its clock stands still, but it is business time, not the relay's.
SANDBOX_TIME = datetime(2025, 6, 1, tzinfo=UTC)
THRESHOLD_CREDITS = 1_000
SWING_CREDITS = 100
ASKED_MAX = 1_000


async def between_services(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P14: the time from a call to its effect at another service, one call after the other; p99."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(bench.databases.fresh())
        running = mesh.ProcessMesh(
            database.urls,
            addresses=mesh.addresses(None),
            log_folder=bench.folder,
            sandbox_start_time=SANDBOX_TIME,
            secret_keys=new_key(),
        )
        try:
            await stack.enter_async_context(running)
        except Fault as fault:
            raise NotMeasured(str(fault)) from fault
        stubs = await stack.enter_async_context(open_stubs(running.addresses))
        receiver = WebhookReceiver()
        await receiver.start()
        stack.push_async_callback(receiver.stop)
        acme = await _Acme.sign(stubs)
        seats = [await acme.add_seat() for _ in range(bench.scale.events)]
        await acme.watch(receiver)
        webhooks: list[float] = []
        for _ in range(-(-bench.scale.events // 2)):
            webhooks += [await acme.cross_down(receiver), await acme.cross_up(receiver)]
        found = await stubs.ledger_admin.VerifyLedger(admin.VerifyLedgerRequest())
    changes, crossings = _told(seats), _told(webhooks)
    detail = {
        "briefly": f"p50 {changes['p50_ms']:.3g} and {crossings['p50_ms']:.3g} ms, {len(seats)} of each",
        "seat_changes": changes,
        "crossings": crossings,
        "verified_signatures": all(one.verified for one in receiver.received),
        "audit": {"is_consistent": found.is_consistent, "entries": found.entries},
    }
    parts = {"seat change to credits": _p99(seats), "crossing to webhook": _p99(webhooks)}
    return {"P14": Figure(parts, detail, holds=found.is_consistent and detail["verified_signatures"] is True)}


class _Acme:
    """SeatsCo's customer in the mesh."""

    def __init__(self, stubs: Stubs, offer: Offer, signed: contract.Contract) -> None:
        self._stubs = stubs
        self._offer = offer
        self._contract = signed
        self._calls = 0

    @classmethod
    async def sign(cls, stubs: Stubs) -> "_Acme":
        offer = await set_prices(stubs, await define_products(stubs))
        return cls(stubs, offer, (await sign_acme(stubs, offer)).contract)

    async def add_seat(self) -> float:
        """Return the milliseconds from the request for a seat to Contract until the Ledger shows its credits."""
        before = await self._available()
        request = contract.ChangeSeatsRequest(
            request_id=self._request_id(), contract_id=self._contract.contract_id, quantity_delta=1
        )
        began = time.perf_counter()
        await self._stubs.contract.ChangeSeats(request)
        for _ in range(ASKED_MAX):
            if await self._available() > before:
                return (time.perf_counter() - began) * 1_000
        raise NotMeasured(f"a seat brought no credits, though the Ledger was asked {ASKED_MAX} times")

    async def watch(self, receiver: WebhookReceiver) -> None:
        """Create an alert with a webhook for a balance of 1,000 credits or fewer, and for its rise above that."""
        endpoint = alert.CreateWebhookEndpointRequest(request_id=self._request_id(), url=receiver.url)
        receiver.secret = (await self._stubs.alert.CreateWebhookEndpoint(endpoint)).secret
        # Half of a change above the threshold, so that every change crosses it.
        spare = await self._available() - (THRESHOLD_CREDITS * MICROS + SWING_CREDITS * MICROS // 2)
        if spare > 0:
            await self._debit(spare)
        else:
            await self._give(-spare)
        await self._stubs.alert.CreateAlert(
            alert.CreateAlertRequest(
                request_id=self._request_id(),
                name="Nearly out of credits",
                alert_type=alert.ALERT_TYPE_LOW_BALANCE,
                customer_id=self._contract.customer_id,
                credit_type_id=self._offer.ai_credits,
                threshold_micros=THRESHOLD_CREDITS * MICROS,
                # At the threshold, so that every rise above it is a crossing.
                rearm_micros=THRESHOLD_CREDITS * MICROS,
            )
        )

    async def cross_down(self, receiver: WebhookReceiver) -> float:
        """Return the milliseconds from a debit that crosses the threshold until the webhook is received."""
        began = time.perf_counter()
        await self._debit(SWING_CREDITS * MICROS)
        return await _received(receiver, "alert.in_alarm", began)

    async def cross_up(self, receiver: WebhookReceiver) -> float:
        """Return the same for a grant that raises the balance above the threshold."""
        began = time.perf_counter()
        await self._give(SWING_CREDITS * MICROS)
        return await _received(receiver, "alert.resolved", began)

    async def _available(self) -> int:
        asked = ledger.GetBalanceRequest(customer="acme", credit_type_id=self._offer.ai_credits)
        pools = (await self._stubs.gate.GetBalance(asked)).pools
        return pools[0].available_micros if pools else 0

    async def _debit(self, micros: int) -> None:
        answer = await self._stubs.gate.Debit(
            ledger.DebitRequest(
                request_id=self._request_id(),
                customer="acme",
                product_id=self._offer.usage[ASSISTANT],
                credits_micros=micros,
                group_values={"user_id": "user_1234"},
            )
        )
        assert answer.decision == ledger.DECISION_ALLOWED

    async def _give(self, micros: int) -> None:
        await self._stubs.ledger_admin.IssueGrant(
            admin.IssueGrantRequest(
                request_id=self._request_id(),
                customer="acme",
                credit_type_id=self._offer.ai_credits,
                grant_kind=ledger.GRANT_KIND_PROMOTIONAL,
                amount_micros=micros,
            )
        )

    def _request_id(self) -> str:
        self._calls += 1
        return f"perf-{self._calls}"


async def _received(receiver: WebhookReceiver, event_type: str, began: float) -> float:
    received = await receiver.next_event()
    took = (time.perf_counter() - began) * 1_000
    if received.event_type != event_type:
        raise NotMeasured(f"{received.event_type} came where {event_type} was awaited")
    return took


def _p99(times: Sequence[float]) -> Spread:
    """Return the 99th percentile, with the fastest and the slowest."""
    ordered = sorted(times)
    return Spread(ordered[-(-99 * len(ordered) // 100) - 1], ordered[0], ordered[-1], (ordered[-1],))


def _told(times: Sequence[float]) -> dict[str, Any]:
    return {
        "count": len(times),
        "p50_ms": round(Spread.of(times).median, 3),
        "p99_ms": round(_p99(times).median, 3),
        "max_ms": round(max(times), 3),
    }
