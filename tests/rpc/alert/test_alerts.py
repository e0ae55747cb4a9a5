# SPDX-License-Identifier: Apache-2.0
"""CreateAlert, GetAlert, ListAlerts, ArchiveAlert, GetAlertState, and what the Ledger hears of it."""

from datetime import timedelta

import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from meshkit.errors import FieldViolation, InvalidFields
from meshkit.faults import DatabaseUnavailable
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as ledger_pb
from tests.support.alert import (
    ACME,
    JUNE,
    AlertPeerStub,
    AlertStub,
    RunningAlert,
    a_crossing,
    a_spend_alert,
    an_alert,
    running_alert,
)
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases


def a_request(**changed: object) -> pb.CreateAlertRequest:
    fields: dict[str, object] = {
        "request_id": "r1",
        "name": "Nearly out of credits",
        "alert_type": pb.ALERT_TYPE_LOW_BALANCE,
        "customer_id": ACME,
        "credit_type_id": "crt_ai",
        "threshold_micros": 10_000_000,
    }
    return pb.CreateAlertRequest(**(fields | changed))  # type: ignore[arg-type]


def a_spend_request(**changed: object) -> pb.CreateAlertRequest:
    return a_request(alert_type=pb.ALERT_TYPE_SPEND, **({"group_key": "user_id"} | changed))


async def archive(alert: AlertStub, alert_id: str, request_id: str = "archive") -> pb.Alert:
    request = pb.ArchiveAlertRequest(request_id=request_id, alert_id=alert_id)
    return (await alert.ArchiveAlert(request)).alert


async def states(alert: AlertStub, alert_id: str) -> list[pb.AlertStatus]:
    return list((await alert.GetAlertState(pb.GetAlertStateRequest(alert_id=alert_id))).statuses)


async def test_an_alert_is_made_at_business_time_and_can_be_read(alert: AlertStub) -> None:
    made = (await alert.CreateAlert(a_request())).alert

    read = await alert.GetAlert(pb.GetAlertRequest(alert_id=made.alert_id))
    assert read.alert == made
    assert made == pb.Alert(
        alert_id=made.alert_id,
        name="Nearly out of credits",
        alert_type=pb.ALERT_TYPE_LOW_BALANCE,
        customer_id=ACME,
        credit_type_id="crt_ai",
        threshold_micros=10_000_000,
        create_time=timestamp(JUNE),
        rearm_micros=11_000_000,
        owner=pb.ALERT_OWNER_VENDOR,
    )
    assert made.alert_id.startswith("alr_")


async def test_the_ledger_watches_before_the_answer_comes(alert: AlertStub, ledger: RecordingLedger) -> None:
    low = await an_alert(alert, request_id="r1")
    spend = await a_spend_alert(alert, request_id="r2", customer_id="", group_value="user_1234")

    first, second = ledger.told_of(ledger_pb.WatchThresholdRequest)
    assert first == ledger_pb.WatchThresholdRequest(
        request_id=first.request_id,
        alert_id=low.alert_id,
        version=1,
        is_active=True,
        watch_kind=ledger_pb.WATCH_KIND_LOW_BALANCE,
        customer_id=ACME,
        credit_type_id="crt_ai",
        threshold_micros=10_000_000,
        rearm_micros=11_000_000,
    )
    assert second == ledger_pb.WatchThresholdRequest(
        request_id=second.request_id,
        alert_id=spend.alert_id,
        version=1,
        is_active=True,
        watch_kind=ledger_pb.WATCH_KIND_SPEND,
        credit_type_id="crt_ai",
        threshold_micros=1_000_000_000,
        group_key="user_id",
        group_value="user_1234",
        rearm_micros=950_000_000,
    )


async def test_archiving_ends_the_watch_once(
    running: RunningAlert, alert: AlertStub, ledger: RecordingLedger
) -> None:
    made = await an_alert(alert)
    running.clock.advance(timedelta(days=1))

    archived = await archive(alert, made.alert_id, "a1")
    again = await archive(alert, made.alert_id, "a2")

    assert archived.archive_time == timestamp(JUNE + timedelta(days=1))
    assert again == archived
    watches = ledger.told_of(ledger_pb.WatchThresholdRequest)
    assert [(watch.version, watch.is_active) for watch in watches] == [(1, True), (2, False)]


async def test_while_the_ledger_is_away_alerts_are_made_and_told_in_order_later(
    running: RunningAlert, alert: AlertStub, ledger: RecordingLedger
) -> None:
    ledger.fault = DatabaseUnavailable()
    made = await an_alert(alert)
    await archive(alert, made.alert_id)
    assert ledger.told == []

    ledger.fault = None
    await running.app.run_due(JUNE)

    watches = ledger.told_of(ledger_pb.WatchThresholdRequest)
    assert [(watch.version, watch.is_active) for watch in watches] == [(1, True), (2, False)]
    assert ledger.refused[0].request_id == watches[0].request_id


async def test_the_background_tells_a_ledger_that_has_come_back(
    alert: AlertStub, ledger: RecordingLedger
) -> None:
    ledger.fault = InvalidFields([FieldViolation("x", "y")])
    made = await an_alert(alert)

    ledger.fault = None

    (watch,) = await ledger.until_told(ledger_pb.WatchThresholdRequest)
    assert watch.alert_id == made.alert_id


async def test_an_alert_can_be_made_without_any_ledger_there(databases: Databases) -> None:
    async with running_alert(databases) as running:
        made = await an_alert(running.stub)
        assert (await running.stub.GetAlert(pb.GetAlertRequest(alert_id=made.alert_id))).alert == made


async def test_the_same_request_is_one_alert(alert: AlertStub, ledger: RecordingLedger) -> None:
    first = await alert.CreateAlert(a_request())
    second = await alert.CreateAlert(a_request())

    assert second == first
    assert len(ledger.told) == 1
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="r1"):
        await alert.CreateAlert(a_request(threshold_micros=1))
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="r1"):
        await archive(alert, first.alert.alert_id, "r1")


async def test_the_same_archiving_gets_its_first_answer(alert: AlertStub) -> None:
    made, other = await an_alert(alert, request_id="r1"), await an_alert(alert, request_id="r2")

    first = await archive(alert, made.alert_id, "a1")

    assert await archive(alert, made.alert_id, "a1") == first
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="a1"):
        await archive(alert, other.alert_id, "a1")


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (
            pb.CreateAlertRequest(threshold_micros=-1),
            ["request_id", "name", "alert_type", "credit_type_id", "threshold_micros"],
        ),
        (a_request(threshold_micros=-1), ["threshold_micros"]),
        (a_request(name="x" * 201, credit_type_id=" "), ["name", "credit_type_id"]),
        (a_request(alert_type=9), ["alert_type"]),
        (a_request(customer_id="acme"), ["customer_id"]),  # an alias
        (a_request(group_key="user_id", group_value="u1"), ["group_key", "group_value"]),
        (a_spend_request(threshold_micros=0), ["threshold_micros"]),
        (a_spend_request(group_key="", group_value="u1"), ["group_value"]),
        (a_spend_request(group_key="x" * 65), ["group_key"]),
        (a_spend_request(group_key="x" * 65, group_value="x\n", threshold_micros=-5), None),
    ],
)
async def test_all_bad_fields_of_a_new_alert_are_named(
    alert: AlertStub, request_: pb.CreateAlertRequest, fields: list[str] | None
) -> None:
    with bad_fields(*(fields or ["group_key", "group_value", "threshold_micros"])):
        await alert.CreateAlert(request_)


async def test_thresholds_begin_at_zero_left_and_at_a_millionth_spent(alert: AlertStub) -> None:
    nothing_left = await alert.CreateAlert(a_request(threshold_micros=0))
    anything_spent = await alert.CreateAlert(
        a_spend_request(request_id="r2", name="Spends", threshold_micros=1)
    )

    assert nothing_left.alert.threshold_micros == 0
    assert anything_spent.alert.threshold_micros == 1


@pytest.mark.parametrize(
    ("rpc", "request_", "fields"),
    [
        ("GetAlert", pb.GetAlertRequest(), ["alert_id"]),
        ("ArchiveAlert", pb.ArchiveAlertRequest(request_id="white space"), ["request_id", "alert_id"]),
        ("GetAlertState", pb.GetAlertStateRequest(page_size=-1, page_token="x"), None),
        ("ListAlerts", pb.ListAlertsRequest(page_size=-1, page_token="x"), ["page_size", "page_token"]),
    ],
)
async def test_all_bad_fields_are_named(
    alert: AlertStub, rpc: str, request_: Message, fields: list[str] | None
) -> None:
    with bad_fields(*(fields or ["alert_id", "page_size", "page_token"])):
        await getattr(alert, rpc)(request_)


@pytest.mark.parametrize(
    ("rpc", "request_"),
    [
        ("GetAlert", pb.GetAlertRequest(alert_id="alr_x")),
        ("ArchiveAlert", pb.ArchiveAlertRequest(request_id="r", alert_id="alr_x")),
        ("GetAlertState", pb.GetAlertStateRequest(alert_id="alr_x")),
    ],
)
async def test_an_unknown_alert_is_not_found(alert: AlertStub, rpc: str, request_: Message) -> None:
    with fault(StatusCode.NOT_FOUND, "ALERT_NOT_FOUND", alert_id="alr_x"):
        await getattr(alert, rpc)(request_)


async def test_alerts_are_listed_in_the_order_they_were_made_archived_ones_when_asked(
    alert: AlertStub,
) -> None:
    made = [await an_alert(alert, request_id=f"r{n}", name=f"n{n}") for n in range(4)]
    other = await an_alert(alert, request_id="other", customer_id="cus_other")
    archived = await archive(alert, made[1].alert_id)

    live = await alert.ListAlerts(pb.ListAlertsRequest())
    acmes = await alert.ListAlerts(pb.ListAlertsRequest(customer_id=ACME))
    everything = await alert.ListAlerts(pb.ListAlertsRequest(include_archived=True))

    assert list(live.alerts) == [made[0], made[2], made[3], other]
    assert list(acmes.alerts) == [made[0], made[2], made[3]]
    assert list(everything.alerts) == [made[0], archived, made[2], made[3], other]


async def test_pages_of_alerts_are_without_gaps_and_bound_to_their_filters(alert: AlertStub) -> None:
    made = [await an_alert(alert, request_id=f"r{n}") for n in range(5)]

    pages, token = [], ""
    for _ in range(3):
        page = await alert.ListAlerts(pb.ListAlertsRequest(page_size=2, page_token=token))
        pages.append([one.alert_id for one in page.alerts])
        token = page.next_page_token
        if len(pages) == 1:
            first_token = token

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [alert_id for page in pages for alert_id in page] == [one.alert_id for one in made]
    assert token == ""
    with bad_fields("page_token"):
        await alert.ListAlerts(pb.ListAlertsRequest(customer_id=ACME, page_token=first_token))
    with bad_fields("page_token"):
        await alert.ListWebhookEndpoints(pb.ListWebhookEndpointsRequest(page_token=first_token))


async def test_an_alert_on_one_customer_is_evaluating_from_the_start(alert: AlertStub) -> None:
    low = await an_alert(alert, request_id="r1")
    each_user = await a_spend_alert(alert, request_id="r2")
    one_user = await a_spend_alert(alert, request_id="r3", group_value="user_1234")
    everyone = await an_alert(alert, request_id="r4", customer_id="")

    evaluating = pb.AlertStatus(customer_id=ACME, state=pb.ALERT_STATE_EVALUATING)
    assert await states(alert, low.alert_id) == [evaluating]
    assert await states(alert, each_user.alert_id) == [evaluating]
    assert [status.group_value for status in await states(alert, one_user.alert_id)] == ["user_1234"]
    assert await states(alert, everyone.alert_id) == []


async def test_states_are_paged_by_customer_and_group_value(alert: AlertStub, peer: AlertPeerStub) -> None:
    spend = await a_spend_alert(alert, customer_id="")
    for customer, value in [("cus_b", "u1"), ("cus_a", "u2"), ("cus_a", "u1"), ("cus_c", "Zoë")]:
        crossing = a_crossing(spend, 1, in_alarm=True, customer_id=customer, group_value=value)
        await peer.ObserveCrossing(crossing)

    seen: list[tuple[str, str]] = []
    token = ""
    for _ in range(4):
        request = pb.GetAlertStateRequest(alert_id=spend.alert_id, page_size=1, page_token=token)
        page = await alert.GetAlertState(request)
        seen += [(status.customer_id, status.group_value) for status in page.statuses]
        token = page.next_page_token
    only = await alert.GetAlertState(pb.GetAlertStateRequest(alert_id=spend.alert_id, customer_id="cus_a"))

    assert seen == [("cus_a", "u1"), ("cus_a", "u2"), ("cus_b", "u1"), ("cus_c", "Zoë")]
    assert token == ""
    assert [status.group_value for status in only.statuses] == ["u1", "u2"]


@pytest.mark.parametrize(
    ("threshold", "rearm"),
    [(0, 1_000_000), (19_999_999, 20_999_999), (20_000_000, 21_000_000), (20_000_020, 21_000_021)],
)
async def test_an_alarm_ends_five_percent_and_at_least_one_credit_beyond_the_threshold(
    alert: AlertStub, threshold: int, rearm: int
) -> None:
    made = (await alert.CreateAlert(a_request(threshold_micros=threshold))).alert

    assert made.rearm_micros == rearm


@pytest.mark.parametrize(
    ("threshold", "rearm"), [(500_000, 1), (20_000_000, 19_000_000), (40_000_000, 38_000_000)]
)
async def test_a_spend_alarm_ends_below_the_threshold_and_at_nothing_at_the_latest(
    alert: AlertStub, threshold: int, rearm: int
) -> None:
    made = (await alert.CreateAlert(a_spend_request(threshold_micros=threshold))).alert

    assert made.rearm_micros == rearm


async def test_an_alarm_never_ends_on_the_side_where_it_begins(alert: AlertStub) -> None:
    await alert.CreateAlert(a_request(rearm_micros=10_000_000))
    await alert.CreateAlert(
        a_spend_request(request_id="r2", name="Spends", threshold_micros=10_000_000, rearm_micros=10_000_000)
    )
    for request in (
        a_request(request_id="r3", rearm_micros=9_999_999),
        a_spend_request(request_id="r4", threshold_micros=10_000_000, rearm_micros=10_000_001),
        a_spend_request(request_id="r5", threshold_micros=10_000_000, rearm_micros=0),
    ):
        with bad_fields("rearm_micros"):
            await alert.CreateAlert(request)


async def test_an_update_changes_what_it_names_and_the_ledger_hears_of_it(
    alert: AlertStub, ledger: RecordingLedger
) -> None:
    made = await an_alert(alert)
    request = pb.UpdateAlertRequest(request_id="u1", alert_id=made.alert_id, threshold_micros=40_000_000)

    raised = (await alert.UpdateAlert(request)).alert
    again = (await alert.UpdateAlert(request)).alert
    finer = pb.UpdateAlertRequest(request_id="u2", alert_id=made.alert_id, rearm_micros=41_000_000)
    narrowed = (await alert.UpdateAlert(finer)).alert

    assert (raised.threshold_micros, raised.rearm_micros) == (40_000_000, 42_000_000)
    assert again == raised
    assert (narrowed.threshold_micros, narrowed.rearm_micros) == (40_000_000, 41_000_000)
    told = ledger.told_of(ledger_pb.WatchThresholdRequest)
    assert [(one.version, one.threshold_micros, one.rearm_micros) for one in told] == [
        (1, 10_000_000, 11_000_000),
        (2, 40_000_000, 42_000_000),
        (3, 40_000_000, 41_000_000),
    ]


async def test_another_name_or_quiet_period_is_no_news_for_the_ledger(
    alert: AlertStub, ledger: RecordingLedger
) -> None:
    made = await an_alert(alert)
    request = pb.UpdateAlertRequest(request_id="u1", alert_id=made.alert_id, name="Few credits")
    request.quiet_period.FromSeconds(3_600)

    changed = (await alert.UpdateAlert(request)).alert

    assert (changed.name, changed.quiet_period.seconds) == ("Few credits", 3_600)
    assert len(ledger.told_of(ledger_pb.WatchThresholdRequest)) == 1


async def test_a_paused_alert_is_not_watched_until_it_is_resumed(
    running: RunningAlert, alert: AlertStub, ledger: RecordingLedger
) -> None:
    made = await an_alert(alert)
    running.clock.advance(timedelta(days=1))

    for number in range(2):
        paused = await alert.PauseAlert(pb.PauseAlertRequest(request_id=f"p{number}", alert_id=made.alert_id))
        assert paused.alert.pause_time == timestamp(JUNE + timedelta(days=1))
    for number in range(2):
        resumed = await alert.ResumeAlert(
            pb.ResumeAlertRequest(request_id=f"s{number}", alert_id=made.alert_id)
        )
        assert resumed.alert == made

    watches = ledger.told_of(ledger_pb.WatchThresholdRequest)
    assert [(watch.version, watch.is_active) for watch in watches] == [(1, True), (2, False), (3, True)]


async def test_an_archived_alert_changes_no_more(alert: AlertStub) -> None:
    made = await an_alert(alert)
    await archive(alert, made.alert_id)
    named = {"request_id": "x", "alert_id": made.alert_id}

    for ask in (
        alert.UpdateAlert(pb.UpdateAlertRequest(**named, name="Few")),
        alert.PauseAlert(pb.PauseAlertRequest(**named)),
        alert.ResumeAlert(pb.ResumeAlertRequest(**named)),
    ):
        with fault(StatusCode.FAILED_PRECONDITION, "ALERT_ARCHIVED", alert_id=made.alert_id):
            await ask


async def test_what_is_wrong_with_a_change_is_said(alert: AlertStub) -> None:
    made = await an_alert(alert)
    with bad_fields("request_id", "alert_id", "name"):
        await alert.UpdateAlert(pb.UpdateAlertRequest())
    request = pb.UpdateAlertRequest(request_id="u", alert_id=made.alert_id, name="", threshold_micros=-1)
    request.quiet_period.FromTimedelta(timedelta(days=31, microseconds=1))
    with bad_fields("name", "threshold_micros", "quiet_period"):
        await alert.UpdateAlert(request)
    # Below the threshold that stays.
    with bad_fields("rearm_micros"):
        await alert.UpdateAlert(
            pb.UpdateAlertRequest(request_id="u", alert_id=made.alert_id, rearm_micros=9_999_999)
        )
    for rpc in ("PauseAlert", "ResumeAlert"):
        with bad_fields("request_id", "alert_id"):
            await getattr(alert, rpc)(getattr(pb, f"{rpc}Request")())
        with fault(StatusCode.NOT_FOUND, "ALERT_NOT_FOUND", alert_id="alr_nobody"):
            asked = getattr(pb, f"{rpc}Request")(request_id="u", alert_id="alr_nobody")
            await getattr(alert, rpc)(asked)
