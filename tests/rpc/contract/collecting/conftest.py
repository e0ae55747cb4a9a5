# SPDX-License-Identifier: Apache-2.0
"""A Contract that takes payments through a stand-in for Stripe, and whose events are recorded."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from deploy.local.stripe import StripeStandIn, local_stripe, stripe_stand_in
from meshkit.clock import ManualClock
from tests.support.catalog import RunningCatalog
from tests.support.collecting import Collector
from tests.support.contract import Desk, RunningContract
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert
from tests.support.till import Till, open_till, paid_contract


@pytest.fixture(scope="module")
def localstripe() -> Iterator[str]:
    with local_stripe() as address:
        yield address


@pytest.fixture
async def stripe(localstripe: str) -> AsyncIterator[StripeStandIn]:
    async with stripe_stand_in(localstripe) as stand_in:
        stand_in.holds_webhooks = True
        yield stand_in


@pytest.fixture
async def alert() -> AsyncIterator[RecordingAlert]:
    async with RecordingAlert() as recording:
        yield recording


@pytest.fixture
def wall() -> ManualClock:
    return ManualClock(datetime.now(UTC))


@pytest.fixture
async def running(
    databases: Databases,
    running_catalog_service: RunningCatalog,
    ledger: RecordingLedger,
    alert: RecordingAlert,
    stripe: StripeStandIn,
    wall: ManualClock,
) -> AsyncIterator[RunningContract]:
    async with paid_contract(
        databases,
        stripe,
        catalog_address=running_catalog_service.address,
        ledger_address=ledger.address,
        alert_address=alert.address,
        wall=wall,
    ) as service:
        yield service


@pytest.fixture
async def till(
    desk: Desk, running: RunningContract, wall: ManualClock, stripe: StripeStandIn, ledger: RecordingLedger
) -> AsyncIterator[Till]:
    async with open_till(desk, running, wall=wall, stripe=stripe, ledger=ledger) as opened:
        yield opened


@pytest.fixture
def collector(till: Till) -> Collector:
    return Collector(till=till)
