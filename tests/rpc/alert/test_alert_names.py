# SPDX-License-Identifier: Apache-2.0
"""Names of alerts: unique while an alert is not archived, and free again after that."""

import asyncio

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from purser.alert.v1 import alert_pb2 as pb
from tests.support.alert import ACME, AlertStub, an_alert
from tests.support.faults import bad_fields, fault
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases


async def archive(alert: AlertStub, made: pb.Alert, request_id: str = "archive") -> None:
    await alert.ArchiveAlert(pb.ArchiveAlertRequest(request_id=request_id, alert_id=made.alert_id))


async def rename(alert: AlertStub, made: pb.Alert, name: str, request_id: str = "rename") -> pb.Alert:
    request = pb.UpdateAlertRequest(request_id=request_id, alert_id=made.alert_id, name=name)
    return (await alert.UpdateAlert(request)).alert


async def named(alert: AlertStub, name: str, **more: object) -> list[str]:
    request = pb.ListAlertsRequest(name=name, **more)  # type: ignore[arg-type]
    return [one.alert_id for one in (await alert.ListAlerts(request)).alerts]


async def test_a_name_that_is_taken_is_refused_until_its_alert_is_archived(alert: AlertStub) -> None:
    first = await an_alert(alert, request_id="r1", name="Low")
    with fault(StatusCode.ALREADY_EXISTS, "ALERT_NAME_TAKEN", name="Low", alert_id=first.alert_id):
        await an_alert(alert, request_id="r2", name="Low")

    await archive(alert, first)
    second = await an_alert(alert, request_id="r2", name="Low")  # what was refused is decided anew
    await archive(alert, second, "archive-second")
    third = await an_alert(alert, request_id="r3", name="Low")

    assert await named(alert, "Low") == [third.alert_id]
    made = [first.alert_id, second.alert_id, third.alert_id]
    assert await named(alert, "Low", include_archived=True) == made
    assert await named(alert, "low") == []


async def test_other_customers_and_alerts_on_every_customer_have_names_of_their_own(alert: AlertStub) -> None:
    acmes = await an_alert(alert, request_id="r1", name="Low")
    others = await an_alert(alert, request_id="r2", name="Low", customer_id="cus_other")
    everyones = await an_alert(alert, request_id="r3", name="Low", customer_id="")

    assert await named(alert, "Low") == [acmes.alert_id, others.alert_id, everyones.alert_id]
    assert await named(alert, "Low", customer_id=ACME) == [acmes.alert_id]
    with fault(StatusCode.ALREADY_EXISTS, "ALERT_NAME_TAKEN", alert_id=everyones.alert_id):
        await an_alert(alert, request_id="r4", name="Low", customer_id="")


async def test_a_repeated_request_gets_its_answer_though_the_name_is_taken(alert: AlertStub) -> None:
    first = await an_alert(alert, name="Low")

    assert await an_alert(alert, name="Low") == first


async def test_an_alert_is_renamed_to_a_free_name_only(alert: AlertStub) -> None:
    low = await an_alert(alert, request_id="r1", name="Low")
    high = await an_alert(alert, request_id="r2", name="High")
    with fault(StatusCode.ALREADY_EXISTS, "ALERT_NAME_TAKEN", alert_id=low.alert_id):
        await rename(alert, high, "Low")
    assert await rename(alert, high, "High", "same") == high

    await rename(alert, low, "Lower", "lower")
    assert (await rename(alert, high, "Low")).name == "Low"
    with fault(StatusCode.ALREADY_EXISTS, "ALERT_NAME_TAKEN", alert_id=high.alert_id):
        await an_alert(alert, request_id="r3", name="Low")
    assert (await an_alert(alert, request_id="r4", name="High")).name == "High"


async def test_of_many_at_once_one_gets_the_name(alert: AlertStub) -> None:
    others = [await an_alert(alert, request_id=f"o{n}", name=f"Other {n}") for n in range(3)]
    created = [an_alert(alert, request_id=f"r{n}", name="Low") for n in range(5)]
    renamed = [rename(alert, one, "Low", f"rename-{n}") for n, one in enumerate(others)]

    answers = await asyncio.gather(*created, *renamed, return_exceptions=True)

    made = [one for one in answers if isinstance(one, pb.Alert)]
    refused = [one for one in answers if isinstance(one, AioRpcError)]
    assert len(made) == 1
    assert len(refused) == 7
    assert {one.code() for one in refused} == {StatusCode.ALREADY_EXISTS}
    assert await named(alert, "Low") == [made[0].alert_id]


async def test_alerts_that_had_one_name_before_names_were_unique_keep_it(
    alert: AlertStub, databases: Databases
) -> None:
    made = [await an_alert(alert, request_id=f"r{n}", name=f"Low {n}") for n in range(3)]
    async with Sql.connected(databases.admin_url) as sql:
        await sql.execute("UPDATE alert.alerts SET has_unique_name = false, name = 'Low'")

    changed = await alert.UpdateAlert(
        pb.UpdateAlertRequest(request_id="u", alert_id=made[0].alert_id, threshold_micros=5_000_000)
    )
    assert changed.alert.name == "Low"
    assert await named(alert, "Low") == [one.alert_id for one in made]
    with fault(StatusCode.ALREADY_EXISTS, "ALERT_NAME_TAKEN"):
        await an_alert(alert, request_id="new", name="Low")

    await rename(alert, made[0], "Lowest")
    await archive(alert, made[1], "a1")
    with fault(StatusCode.ALREADY_EXISTS, "ALERT_NAME_TAKEN", alert_id=made[2].alert_id):
        await an_alert(alert, request_id="new", name="Low")
    await archive(alert, made[2], "a2")
    assert (await an_alert(alert, request_id="new", name="Low")).name == "Low"


async def test_pages_are_bound_to_the_name(alert: AlertStub) -> None:
    for number in range(2):
        await archive(alert, await an_alert(alert, request_id=f"r{number}", name="Low"), f"a{number}")
    first = await alert.ListAlerts(pb.ListAlertsRequest(name="Low", include_archived=True, page_size=1))

    with bad_fields("page_token"):
        await alert.ListAlerts(
            pb.ListAlertsRequest(name="High", include_archived=True, page_token=first.next_page_token)
        )


@pytest.mark.parametrize(("length", "is_right"), [(200, True), (201, False)])
async def test_a_name_to_look_for_is_as_long_as_names_are(
    alert: AlertStub, length: int, is_right: bool
) -> None:
    if is_right:
        assert await named(alert, "x" * length) == []
    else:
        with bad_fields("name"):
            await named(alert, "x" * length)
