# SPDX-License-Identifier: Apache-2.0
"""Every type of alert on the running mesh: what Acme does, and the states of the alert that Alert shows."""

from collections.abc import AsyncIterator

import pytest

from meshkit.quantity import MICROS
from purser.alert.v1 import alert_pb2 as alert
from tests.support.mesh import Acme, SwitchedMesh, acme_at, until
from tests.support.postgres import Databases

PERCENT = MICROS
OK, IN_ALARM = alert.ALERT_STATE_OK, alert.ALERT_STATE_IN_ALARM
Watched = list[tuple[str, "alert.AlertState.ValueType", int]]


@pytest.fixture
async def acme(databases: Databases) -> AsyncIterator[Acme]:
    async with SwitchedMesh(databases) as mesh:
        await mesh.start()
        async with acme_at(mesh.addresses) as customer:
            yield customer


async def watch(acme: Acme, alert_type: "alert.AlertType.ValueType", **fields: object) -> alert.Alert:
    """Create an alert on Acme; `fields` overrides."""
    asked: dict[str, object] = {
        "request_id": acme.request_id(),
        "name": "Watched",
        "alert_type": alert_type,
        "customer_id": acme.contract.customer_id,
        "credit_type_id": acme.offer.ai_credits,
    }
    made = await acme.stubs.alert.CreateAlert(
        alert.CreateAlertRequest(**(asked | fields))  # type: ignore[arg-type]
    )
    return made.alert


async def states(acme: Acme, watched: alert.Alert) -> Watched:
    """Return whose value stands where, and its millionths."""
    asked = alert.GetAlertStateRequest(alert_id=watched.alert_id)
    statuses = (await acme.stubs.alert.GetAlertState(asked)).statuses
    return [(one.group_value, one.state, one.value_micros) for one in statuses]


async def until_states(acme: Acme, watched: alert.Alert, *expected: tuple[str, int, int]) -> None:
    await until(lambda: states(acme, watched), lambda found: found == list(expected))


@pytest.mark.parametrize("is_for_all", [False, True])
async def test_a_low_percentage_begins_at_it_and_ends_above_its_rearm_level(
    acme: Acme, is_for_all: bool
) -> None:
    granted = await acme.available()
    at_20_percent = granted // MICROS * 4 // 5
    assert at_20_percent * MICROS * 5 == granted * 4
    low = await watch(
        acme,
        alert.ALERT_TYPE_LOW_PERCENTAGE,
        threshold_micros=20 * PERCENT,
        **({"customer_id": ""} if is_for_all else {}),
    )
    first = [] if is_for_all else [("", OK, 100 * PERCENT)]
    await until_states(acme, low, *first)

    await acme.debit(at_20_percent - 1)
    assert await states(acme, low) == first
    await acme.debit(1)
    await until_states(acme, low, ("", IN_ALARM, 20 * PERCENT))
