# SPDX-License-Identifier: Apache-2.0
"""Where an alert stands, and which changes are news."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from meshkit.quantity import Credits
from services.alert.domain.alert import (
    NOT_QUIET,
    Alert,
    AlertId,
    AlertType,
    CreditTypeId,
    CustomerId,
    archive,
)
from services.alert.domain.event import EventType, event_of
from services.alert.domain.notices import watch_of
from services.alert.domain.status import AlertState, AlertStatus, Crossing, observe, unobserved

JUNE = datetime(2025, 6, 1, tzinfo=UTC)
ALERT = Alert(
    alert_id=AlertId("alr_1"),
    name="Nearly out",
    alert_type=AlertType.SPEND,
    customer_id=CustomerId("cus_1"),
    credit_type_id=CreditTypeId("crt_1"),
    threshold=Credits.of(10),
    group_key="user_id",
    group_value="",
    version=1,
    create_time=JUNE,
    rearm=Credits.of(10),
    quiet_period=NOT_QUIET,
)
EVALUATING, OK, IN_ALARM = AlertState.EVALUATING, AlertState.OK, AlertState.IN_ALARM


def a_crossing(sequence: int, *, in_alarm: bool, value: int = 8) -> Crossing:
    return Crossing(
        alert_id=ALERT.alert_id,
        customer_id=CustomerId("cus_1"),
        group_value="u1",
        in_alarm=in_alarm,
        value=Credits.of(value),
        sequence=sequence,
        observe_time=JUNE + timedelta(hours=sequence),
    )


def a_status(*crossings: Crossing) -> AlertStatus:
    status = unobserved(ALERT, CustomerId("cus_1"), "u1")
    for crossing in crossings:
        status = observe(status, crossing)
    return status


def test_before_the_first_observation_an_alert_is_evaluating() -> None:
    status = a_status()

    assert (status.state, status.observe_time, status.sequence) == (EVALUATING, None, 0)


def test_the_newest_observation_tells_where_it_stands() -> None:
    status = a_status(a_crossing(1, in_alarm=False, value=12), a_crossing(3, in_alarm=True, value=8))

    assert (status.state, status.value, status.sequence) == (IN_ALARM, Credits.of(8), 3)
    assert status.observe_time == JUNE + timedelta(hours=3)


@pytest.mark.parametrize("late", [1, 2, 3])
def test_a_late_or_repeated_observation_changes_nothing(late: int) -> None:
    status = a_status(a_crossing(3, in_alarm=True))

    assert observe(status, a_crossing(late, in_alarm=False)) is status
    assert observe(status, a_crossing(4, in_alarm=False)).state is OK


@pytest.mark.parametrize(
    ("before", "after", "news"),
    [
        (EVALUATING, OK, None),
        (EVALUATING, IN_ALARM, EventType.IN_ALARM),
        (OK, OK, None),
        (OK, IN_ALARM, EventType.IN_ALARM),
        (IN_ALARM, IN_ALARM, None),
        (IN_ALARM, OK, EventType.RESOLVED),
        (EVALUATING, EVALUATING, None),
    ],
)
def test_every_edge_is_one_event_and_nothing_else_is(
    before: AlertState, after: AlertState, news: EventType | None
) -> None:
    assert event_of(before, after) is news


def test_many_debits_past_the_threshold_are_one_piece_of_news() -> None:
    status, told = a_status(a_crossing(1, in_alarm=False)), []
    for sequence in range(2, 52):
        after = observe(status, a_crossing(sequence, in_alarm=True))
        told.append(event_of(status.state, after.state))
        status = after

    assert [news for news in told if news] == [EventType.IN_ALARM]


@pytest.mark.parametrize(
    ("watched_customer", "watched_value", "customer", "value", "is_watched"),
    [
        ("cus_1", "", "cus_1", "u1", True),
        ("cus_1", "", "cus_1", "", True),
        ("cus_1", "", "cus_2", "u1", False),
        ("cus_1", "u1", "cus_1", "u1", True),
        ("cus_1", "u1", "cus_1", "u2", False),
        ("", "", "cus_2", "u9", True),
        ("", "u1", "cus_2", "u1", True),
        ("", "u1", "cus_2", "u2", False),
    ],
)
def test_an_alert_watches_whom_it_names_or_else_everyone(
    watched_customer: str, watched_value: str, customer: str, value: str, is_watched: bool
) -> None:
    alert = replace(ALERT, customer_id=CustomerId(watched_customer), group_value=watched_value)

    assert alert.watches(CustomerId(customer), value) is is_watched


def test_an_archived_alert_watches_nothing() -> None:
    archived = archive(ALERT, at=JUNE)

    assert not archived.watches(CustomerId("cus_1"), "u1")


def test_archiving_is_one_version_on_and_twice_is_once() -> None:
    archived = archive(ALERT, at=JUNE)

    assert (archived.version, archived.archive_time) == (2, JUNE)
    assert archive(archived, at=JUNE + timedelta(days=1)) is archived
    assert (watch_of(ALERT).is_active, watch_of(ALERT).version) == (True, 1)
    assert (watch_of(archived).is_active, watch_of(archived).version) == (False, 2)
