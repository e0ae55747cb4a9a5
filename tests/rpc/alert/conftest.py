# SPDX-License-Identifier: Apache-2.0
from collections.abc import AsyncIterator

import pytest

from deploy.local.webhook_receiver import WebhookReceiver
from tests.support.alert import AlertPeerStub, AlertStub, RunningAlert, running_alert, running_receiver
from tests.support.ledger_peer import RecordingLedger, recording_ledger
from tests.support.postgres import Databases
from tests.support.shared_database import databases, shared_database

__all__ = ["databases", "shared_database"]


@pytest.fixture
async def ledger() -> AsyncIterator[RecordingLedger]:
    async with recording_ledger() as recording:
        yield recording


@pytest.fixture
async def running(databases: Databases, ledger: RecordingLedger) -> AsyncIterator[RunningAlert]:
    """An Alert that may post to this machine."""
    async with running_alert(databases, ledger_address=ledger.address) as service:
        yield service


@pytest.fixture
async def alert(running: RunningAlert) -> AlertStub:
    return running.stub


@pytest.fixture
async def peer(running: RunningAlert) -> AlertPeerStub:
    return running.peer


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with running_receiver() as listening:
        yield listening
