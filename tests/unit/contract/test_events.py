# SPDX-License-Identifier: Apache-2.0
"""Which changes are events, and the lanes in which they are sent."""

from services.alert.domain.event import PUBLISHED_EVENTS
from services.contract.domain.events import EVENT_OF_STATUS, LANES, EventType, VendorEvent
from services.contract.domain.ids import CustomerId
from services.contract.domain.top_up import TopUpStatus
from tests.unit.contract.builders import JUNE


def test_every_status_that_a_top_up_reaches_is_an_event() -> None:
    assert set(EVENT_OF_STATUS) == set(TopUpStatus) - {TopUpStatus.PENDING_PAYMENT}
    for status, event_type in EVENT_OF_STATUS.items():
        assert event_type.value == f"top_up.{status.value.lower()}"


def test_alert_knows_what_contract_publishes() -> None:
    assert {one.value for one in PUBLISHED_EVENTS} == {one.value for one in EventType}


def test_the_events_of_a_customer_share_one_of_few_lanes() -> None:
    lanes = [
        VendorEvent(
            customer_id=CustomerId(f"cus_{number % 100}"),
            event_type=EventType.TOP_UP_PAID,
            event_time=JUNE,
            data="{}",
        ).lane
        for number in range(200)
    ]

    assert lanes[:100] == lanes[100:]
    assert set(lanes) == {f"events/{lane}" for lane in range(LANES)}
