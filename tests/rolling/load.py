# SPDX-License-Identifier: Apache-2.0
"""Callers of every service, who count what they are answered and every error that they see."""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import grpc.aio

from deploy.local.database import SERVICES
from deploy.local.seatsco import ASSISTANT, Offer, Stubs, stubs_of
from meshkit.quantity import MICROS
from purser.alert.v1 import alert_pb2 as alert
from purser.catalog.v1 import catalog_pb2 as catalog
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_pb2 as ledger
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from purser_client import Gate
from tests.rolling.replicas import Replicas

SERVICE_CONFIG = Path(__file__).parents[2] / "protos" / "service_config.json"
# Longer than a busy machine stands still; a caller that waits for so long has an error.
CALL_SECONDS_MAX = 30.0
GATE_CALLERS = 4


@dataclass(slots=True)
class Tally:
    """What one kind of caller has seen. errors: their number, by status and text."""

    answered: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    seconds_max: float = 0.0


@dataclass(slots=True)
class Load:
    """Callers of a mesh, each of which makes its calls one after the other until `stop`.

    pause_seconds: of each caller between two steps. units: of AI Assistant that Globex was told to have captured.
    """

    stubs: Stubs
    gate: Gate
    offer: Offer
    signed: contract.Contract
    pause_seconds: float = 0.0
    tallies: dict[str, Tally] = field(default_factory=dict)
    units: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _is_stopping: bool = False
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _callers: list["asyncio.Task[None]"] = field(default_factory=list)

    def start(self) -> None:
        """Start the callers."""
        for name, step, callers in (
            ("gate, client library", self._gate_by_library, GATE_CALLERS),
            ("gate, plain stubs", self._gate_by_stubs, GATE_CALLERS),
            ("contract, seats", self._seats, 1),
            ("contract, top-ups", self._top_up, 1),
            ("catalog", self._catalog, 1),
            ("alert", self._alert, 1),
        ):
            self.tallies[name] = Tally()
            self._callers += [
                asyncio.create_task(self._keep_calling(self.tallies[name], step)) for _ in range(callers)
            ]

    async def stop(self) -> None:
        """Return when every caller has its last answer."""
        self._is_stopping = True
        await asyncio.gather(*self._callers)

    async def everyone_answered(self) -> None:
        """Return when each kind of caller has one answer more than now, or an error."""
        before = {name: _ended(tally) for name, tally in self.tallies.items()}
        async with self._news:
            await self._news.wait_for(
                lambda: all(_ended(tally) > before[name] for name, tally in self.tallies.items())
            )

    async def _keep_calling(self, tally: Tally, step: Callable[[], Awaitable[object]]) -> None:
        while not self._is_stopping:
            began = time.monotonic()
            try:
                await step()
                tally.answered += 1
            except Exception as error:  # whatever a caller sees is what is counted
                tally.errors[_said(error)] += 1
            async with self._news:
                self._news.notify_all()
            tally.seconds_max = max(tally.seconds_max, time.monotonic() - began)
            await asyncio.sleep(self.pause_seconds)

    async def _gate_by_library(self) -> None:
        async with self.gate.authorize(
            customer="globex", product=self.offer.usage[ASSISTANT], quantity=1, user_id="ann"
        ) as hold:
            hold.capture(1)
        self.units += 1

    async def _gate_by_stubs(self) -> None:
        asked = await self.stubs.gate.Authorize(
            ledger.AuthorizeRequest(
                request_id=self._request_id(),
                customer="globex",
                product_id=self.offer.usage[ASSISTANT],
                quantity_micros=MICROS,
                group_values={"user_id": "ben"},
            ),
            timeout=CALL_SECONDS_MAX,
        )
        await self.stubs.gate.Capture(
            ledger.CaptureRequest(
                request_id=self._request_id(),
                customer="globex",
                hold_id=asked.hold_id,
                quantity_micros=MICROS,
            ),
            timeout=CALL_SECONDS_MAX,
        )
        self.units += 1

    async def _seats(self) -> None:
        """Add a seat and remove it again: Contract asks the Catalog for its price and tells the Ledger."""
        for delta in (1, -1):
            await self.stubs.contract.ChangeSeats(
                contract.ChangeSeatsRequest(
                    request_id=self._request_id(),
                    contract_id=self.signed.contract_id,
                    quantity_delta=delta,
                ),
                timeout=CALL_SECONDS_MAX,
            )

    async def _top_up(self) -> None:
        """Order a pack and pay for it: Contract asks the Catalog, and tells the Ledger and Alert."""
        ordered = await self.stubs.contract.OrderTopUp(
            contract.OrderTopUpRequest(
                request_id=self._request_id(),
                contract_id=self.signed.contract_id,
                top_up_pack_id=self.offer.pack,
                payment_gate=contract.PAYMENT_GATE_EXTERNAL,
            ),
            timeout=CALL_SECONDS_MAX,
        )
        await self.stubs.contract.ResolveTopUpPayment(
            contract.ResolveTopUpPaymentRequest(
                request_id=self._request_id(),
                top_up_id=ordered.top_up.top_up_id,
                outcome=contract.PAYMENT_OUTCOME_PAID,
            ),
            timeout=CALL_SECONDS_MAX,
        )

    async def _catalog(self) -> None:
        """Create a product, of which the Catalog tells the Ledger."""
        number = self._request_id()
        await self.stubs.catalog.CreateProduct(
            catalog.CreateProductRequest(
                request_id=number, name=f"Add-on {number}", product_type=catalog.PRODUCT_TYPE_FIXED
            ),
            timeout=CALL_SECONDS_MAX,
        )

    async def _alert(self) -> None:
        """Create an alert, of which Alert tells the Ledger, and archive it."""
        created = await self.stubs.alert.CreateAlert(
            alert.CreateAlertRequest(
                request_id=self._request_id(),
                name="few credits",
                alert_type=alert.ALERT_TYPE_LOW_BALANCE,
                customer_id=self.signed.customer_id,
                credit_type_id=self.offer.ai_credits,
                threshold_micros=MICROS,
            ),
            timeout=CALL_SECONDS_MAX,
        )
        await self.stubs.alert.ArchiveAlert(
            alert.ArchiveAlertRequest(request_id=self._request_id(), alert_id=created.alert.alert_id),
            timeout=CALL_SECONDS_MAX,
        )

    def _request_id(self) -> str:
        return f"rolling-{next(self._numbers)}"


@asynccontextmanager
async def open_plain_stubs(replicas: Replicas) -> AsyncIterator[Stubs]:
    """Yield stubs as any gRPC program makes them, with the service config that protos/ recommends."""
    config = json.dumps(json.loads(SERVICE_CONFIG.read_text()))
    identity = replicas.identity
    tokens = {name: identity.token_file(name).read_text().strip() for name in ("vendor", "gate")}

    def open_one(service: str, token: str) -> grpc.aio.Channel:
        # Several addresses have no host name that a certificate could be compared with.
        options = (
            ("grpc.service_config", config),
            ("grpc.ssl_target_name_override", "localhost"),
            # By default up to two minutes: the next replica would stop before this one is found again.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1_000),
        )
        return grpc.aio.secure_channel(
            replicas.targets[service], identity.credentials(tokens[token]), options=options
        )

    async with AsyncExitStack() as stack:
        channels = {
            service: await stack.enter_async_context(open_one(service, "vendor")) for service in SERVICES
        }
        gate = await stack.enter_async_context(open_one("ledger", "gate"))
        yield replace(stubs_of(channels), gate=LedgerServiceStub(gate))


def open_gate(replicas: Replicas) -> Gate:
    """Return a gate of the client library to both replicas of the Ledger."""
    return Gate(
        replicas.addresses("ledger"),
        credentials=replicas.identity.credentials(),
        token=replicas.identity.token_file("gate"),
        server_name="localhost",
        deadline=timedelta(seconds=CALL_SECONDS_MAX),
    )


def _ended(tally: Tally) -> int:
    return tally.answered + tally.errors.total()


def _said(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return f"{type(error).__name__}: {error}"
